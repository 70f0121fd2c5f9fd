//! Contradiction checks: each has a history in which it alone fires, and a sound history fires none.

use feedtape::journal::Input;
use feedtape::model::{Coverage, Event, Seq, Stamp, Timestamp, Verdict};

use super::script::*;

#[test]
fn a_sound_history_fires_no_check() {
    let frames = [
        opened(1, 100, 50),
        ticker(r#""bid":50"#),
        opened(2, -30, 60),
        ticker(r#""ask":60"#),
        opened(3, 40, 60),
        matched((3, 10), (2, 0), 30, 60),
        closed(2, 0, 60),
        ticker(r#""last":60,"bid":60,"ask":null"#),
        notice("OrderModified", r#""id":3,"quantity":5,"price":55,"time":1"#),
        ticker(r#""bid":55"#),
        closed(3, 5, 55),
        ticker(r#""bid":50"#),
        closed(1, 100, 50),
        ticker(r#""bid":null"#),
    ];
    assert_eq!(findings(&mut following(), &frames), NOTHING);
}

#[test]
fn an_order_opened_twice_is_found() {
    let lines = findings(&mut following(), &[opened(1, 100, 50), ticker(r#""bid":50"#), opened(1, 100, 50)]);
    assert_eq!(lines, ["s0 unverifiable", "opened_twice in s0: order 1 is open already"]);
}

#[test]
fn an_order_that_was_never_opened_is_found_where_the_snapshot_had_all() {
    for frame in [closed(7, 5, 50), notice("OrderModified", r#""id":7,"quantity":5,"price":1,"time":1"#)] {
        let lines = findings(&mut following(), &[frame]);
        assert_eq!(lines, ["s0 unverifiable", "unknown_order in s0: order 7 was never opened"]);
    }
}

#[test]
fn an_order_that_was_never_opened_is_missing_since_the_book_was_last_verified() {
    let mut script = following();
    let verified_at = script.now;
    script.now += SECOND;
    script.receive_all(&[&opened(1, 100, 50), &closed(7, 5, 50)]);
    let transition = script.last_transition.unwrap();
    assert_eq!(transition.state, Coverage::Covered(Verdict::Unverifiable));
    assert_eq!(transition.at, Timestamp(1_000 * SECOND + verified_at));
}

#[test]
fn orders_beyond_the_best_thousand_are_no_contradiction() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    let orders: Vec<_> =
        (0..1000).map(|n| format!(r#"{{"id":{n},"quantity":5,"price":{},"time":1}}"#, 9000 + n)).collect();
    script.receive(&format!(r#"{{"error_code":0,"tag":1,"orders":[{}]}}"#, orders.join(",")));
    // Filled to nothing, it may have been of either side.
    assert_eq!(findings(&mut script, &[closed(5000, 5, 40), closed(5001, 0, 40)]), NOTHING);
    let lines = findings(&mut script, &[closed(5000, -5, 40)]);
    assert_eq!(lines.last().unwrap(), "unknown_order in s0: order 5000 was never opened");
}

#[test]
fn what_is_left_of_an_order_must_follow_from_what_was_left_before() {
    let frames = [opened(1, -100, 50), ticker(r#""ask":50"#), closed(1, -90, 50)];
    let lines = findings(&mut following(), &frames);
    assert_eq!(lines, ["s0 unverifiable", "wrong_remaining in s0: -100 should be left of order 1, not -90"]);
    let frames = [opened(1, -100, 50), opened(2, 60, 50), matched((2, 0), (1, 30), 60, 50)];
    let lines = findings(&mut following(), &frames);
    assert_eq!(lines, ["s0 unverifiable", "wrong_remaining in s0: -40 should be left of order 1, not -30"]);
}

#[test]
fn a_fee_may_eat_the_reservation_of_a_bid() {
    let frames = [
        opened(1, 100, 50),
        opened(2, -60, 50),
        matched((1, 35), (2, 0), 60, 50),
        closed(2, 0, 50),
        ticker(r#""bid":50,"last":50"#),
    ];
    assert_eq!(findings(&mut following(), &frames), NOTHING);
    let frames = [opened(1, 100, 50), opened(2, -60, 50), matched((1, 45), (2, 0), 60, 50)];
    assert_eq!(findings(&mut following(), &frames)[1], "wrong_remaining in s0: 40 should be left of order 1, not 45");
}

#[test]
fn a_book_that_stays_crossed_is_found() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1,"orders":[]}"#]);
    let lines = findings(&mut script, &[opened(1, 100, 50), opened(2, -100, 50)]);
    assert_eq!(lines, ["s0 unverifiable", "crossed_book in s0: bid 50 at ask 50"]);
}

#[test]
fn a_ticker_that_disagrees_with_a_snapshot_is_found_though_nothing_happens() {
    let mut script = Script::connected(plan(&[("WatchTicker", &["XBT:USDT"]), ("WatchOrders", &["XBT:USDT"])]), None);
    let ticker = r#"{"error_code":0,"tag":1,"last":null,"bid":50,"ask":null,"low":null,"high":null,"volume":0}"#;
    script.receive_all(&[WELCOME, ticker, r#"{"error_code":0,"tag":2,"orders":[]}"#]);
    script.now += 60 * SECOND;
    let lines = script.give(&Input::Timer);
    assert!(lines.contains(&"ticker_bid in s0: ticker says bid 50, none is kept".to_owned()), "{lines:?}");
}

#[test]
fn of_contradictions_found_at_once_the_one_that_reaches_back_furthest_says_since_when() {
    let mut script = following();
    let disagrees_at = script.now;
    script.receive_all(&[&opened(1, -100, 60), &ticker(r#""ask":50"#)]);
    script.now += SECOND / 4;
    script.receive_all(&[&opened(2, 100, 60), &ticker(r#""bid":60"#)]);
    script.now += 60 * SECOND;
    let at = Stamp { wall: Timestamp(1_000 * SECOND + script.now), mono: script.now };
    script.session.handle(Seq(90), at, &Input::Timer, &mut script.out);
    let since = script.out.events.iter().filter_map(|event| match event {
        Event::Transition(transition) => Some((transition.state, transition.at)),
        _ => None,
    });
    let doubt = (Coverage::Covered(Verdict::Unverifiable), Timestamp(1_000 * SECOND + disagrees_at));
    assert_eq!(since.collect::<Vec<_>>(), [doubt; 2], "{:?}", script.out.events);

    let mut script = following();
    script.receive(&opened(1, -100, 60));
    let heard_at = script.now;
    script.now += SECOND;
    script.receive(&opened(2, 50, 60));
    script.now += SECOND;
    script.receive(&matched((2, 45), (1, 95), 10, 60));
    let transition = script.last_transition.unwrap();
    assert_eq!(transition.at, Timestamp(1_000 * SECOND + heard_at));
}

#[test]
fn a_link_that_stalls_between_an_opening_and_its_match_contradicts_nothing() {
    let mut script = following();
    script.receive_all(&[&opened(1, -100, 50), &ticker(r#""ask":50"#), &opened(2, 100, 50)]);
    script.now += 3 * SECOND;
    let mut lines = script.give(&Input::Timer);
    // What was held up comes all at once, the match not first.
    let frames = [opened(3, 5, 20), matched((2, 0), (1, 0), 100, 50), closed(1, 0, 50), closed(2, 0, 50)];
    lines.extend(frames.iter().flat_map(|frame| script.receive(frame)));
    lines.retain(|line| line.contains(" in s") || line.contains("unverifiable"));
    assert_eq!(lines, NOTHING);
    assert_eq!(findings(&mut script, &[ticker(r#""bid":20,"ask":null,"last":50"#)]), NOTHING);
}

#[test]
fn what_comes_late_because_nobody_listened_contradicts_nothing() {
    let stood_still: fn(Timestamp, Timestamp) -> Input<'static> = Input::Suspended;
    for unread in [stood_still, Input::Stalled] {
        let mut script = following();
        script.receive_all(&[&opened(1, -100, 50), &ticker(r#""ask":50"#), &opened(2, 100, 50)]);
        script.now += 100 * SECOND;
        let mut lines = script.give(&unread(Timestamp(0), Timestamp(1)));
        lines.extend(script.give(&Input::Timer));
        let late =
            [matched((2, 0), (1, 0), 100, 50), closed(1, 0, 50), closed(2, 0, 50), ticker(r#""ask":null,"last":50"#)];
        lines.extend(findings(&mut script, &late));
        lines.retain(|line| line.contains(" in s") || line.contains("unverifiable"));
        assert_eq!(lines, NOTHING);
    }
}

#[test]
fn a_disagreement_that_lasts_although_the_link_answers_is_found_in_silence() {
    let mut script = following();
    script.receive_all(&[&opened(1, 100, 50), &ticker(r#""bid":50"#), &opened(2, -100, 50), &ticker(r#""ask":50"#)]);
    assert!(!script.wait().iter().any(|line| line.contains("crossed_book")), "the link may have stalled");
    // Longer than a link is left without an answer to a ping.
    let lines = script.wait();
    assert!(lines.contains(&"crossed_book in s0: bid 50 at ask 50".to_owned()), "{lines:?}");
}

#[test]
fn a_ticker_that_stays_another_than_the_book_puts_both_in_doubt() {
    for (field, frame, says) in [
        ("bid", opened(1, 100, 50), "ticker says bid none, 50 is kept"),
        ("ask", opened(1, -100, 50), "ticker says ask none, 50 is kept"),
    ] {
        let lines = findings(&mut following(), &[frame]);
        let found = format!("ticker_{field} in s1: {says}");
        assert_eq!(lines, ["s0 unverifiable", "s1 unverifiable", found.as_str()]);
    }
}

#[test]
fn a_ticker_notice_that_overtakes_the_answer_is_newer() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"]), ("WatchTicker", &["XBT:USDT"])]), None);
    script.receive_all(&[WELCOME, r#"{"error_code":0,"tag":1,"orders":[]}"#]);
    script.receive_all(&[&opened(1, 100, 50), &ticker(r#""bid":50"#)]);
    let answer = r#"{"error_code":0,"tag":2,"last":null,"bid":null,"ask":null,"low":null,"high":null,"volume":0}"#;
    assert_eq!(findings(&mut script, &[answer.to_owned()]), NOTHING);
    // What it does not tell is as answered.
    let lines = findings(&mut script, &[opened(2, -100, 60)]);
    assert_eq!(lines.last().unwrap(), "ticker_ask in s1: ticker says ask none, 60 is kept");
}

#[test]
fn a_ticker_that_misses_a_match_is_found() {
    let frames =
        [opened(1, 10, 50), opened(2, -10, 50), matched((1, 0), (2, 0), 10, 50), closed(1, 0, 50), closed(2, 0, 50)];
    let lines = findings(&mut following(), &frames);
    assert_eq!(lines.last().unwrap(), "ticker_last in s1: ticker says last none, 50 is kept");
}

#[test]
fn a_fresh_snapshot_without_a_hole_must_be_the_book_that_was_kept() {
    let mut script = following();
    script.receive_all(&[&opened(1, 100, 50), &ticker(r#""bid":50"#)]);
    script.give(&Input::Sent(br#"{"method":"WatchOrders","base":63488,"counter":65283,"watch":true,"tag":50}"#));
    // Told while the snapshot was on its way: it may show the book before or after.
    script.receive_all(&[&opened(2, 100, 40)]);
    let same = r#"{"error_code":0,"tag":50,"orders":[{"id":1,"quantity":100,"price":50,"time":1}]}"#;
    assert_eq!(findings(&mut script, &[same.to_owned()]), NOTHING);
    script.give(&Input::Sent(br#"{"method":"WatchOrders","base":63488,"counter":65283,"watch":true,"tag":51}"#));
    let other = r#"{"error_code":0,"tag":51,"orders":[{"id":1,"quantity":99,"price":50,"time":1},{"id":9,"quantity":1,"price":1,"time":1}]}"#;
    let lines = findings(&mut script, &[other.to_owned()]);
    assert_eq!(lines[1], "snapshot_differs in s0: 1 orders appeared, 1 vanished, 1 changed");
}

#[test]
fn after_a_hole_the_difference_is_what_changed_unseen() {
    let mut script = following();
    script.receive_all(&[&opened(1, 100, 50), &ticker(r#""bid":50"#)]);
    script.receive("garbage");
    script.receive_all(&[r#"{"error_code":0,"tag":3}"#, r#"{"error_code":0,"tag":4}"#]);
    let lines = findings(&mut script, &[r#"{"error_code":0,"tag":5,"orders":[]}"#.to_owned()]);
    assert_eq!(lines, ["changed_while_blind in s0: 0 orders appeared, 1 vanished, 0 changed"]);
}

#[test]
fn notices_that_overtake_the_snapshot_are_applied_after_it() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    script.receive_all(&[&opened(2, -5, 60), &closed(1, 100, 50)]);
    let snapshot = r#"{"error_code":0,"tag":1,"orders":[{"id":1,"quantity":100,"price":50,"time":1}]}"#;
    assert_eq!(findings(&mut script, &[snapshot.to_owned()]), NOTHING);
    let lines = findings(&mut script, &[closed(1, 100, 50)]);
    assert_eq!(lines[1], "unknown_order in s0: order 1 was never opened");
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive_all(&[WELCOME, &closed(1, 100, 50)]);
    let lines = findings(&mut script, &[r#"{"error_code":0,"tag":1,"orders":[]}"#.to_owned()]);
    assert_eq!(lines[1], "unknown_order in s0: order 1 was never opened");
}

#[test]
fn a_contradiction_is_followed_by_a_fresh_snapshot() {
    let mut script = following();
    script.receive_all(&[&opened(1, 100, 50), &opened(1, 100, 50)]);
    assert!(script.sent[2].contains(r#""watch":false"#), "{:?}", script.sent);
    script.receive(r#"{"error_code":0,"tag":3}"#);
    let lines = script.receive(r#"{"error_code":0,"tag":4,"orders":[{"id":1,"quantity":100,"price":50,"time":1}]}"#);
    assert!(lines.contains(&"s0 consistent".to_owned()), "{lines:?}");
}
