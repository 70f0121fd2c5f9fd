//! Second looks: what the session that takes one does, and what the session that records makes of it.

use feedtape::journal::{Input, Look, LookStage, LookTaken, Plan};
use feedtape::model::SessionId;
use feedtape::venue::{Action, by_name};

use super::script::*;

const COMMAND: &str = r#"{"tag":1,"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#;

fn news(script: &mut Script, stage: LookStage, answer: &str) -> Vec<String> {
    let look = Look { session: SessionId(9), stage };
    script.give(&Input::Look(look, answer.as_bytes().into()))
}

/// An order as a snapshot has it.
fn order(id: i64, quantity: i64, price: i64) -> String {
    format!(r#"{{"id":{id},"quantity":{quantity},"price":{price},"time":1}}"#)
}

fn answer(orders: &[String]) -> String {
    format!(r#"{{"error_code":0,"tag":1,"orders":[{}]}}"#, orders.join(","))
}

/// What the checks say of a look that shows these orders, if `before` and `after` are told around it.
fn looked(script: &mut Script, before: &[String], orders: &[String], after: &[String]) -> Vec<String> {
    let mut lines = news(script, LookStage::Begun, "");
    script.now += SECOND / 10;
    lines.extend(before.iter().flat_map(|frame| script.receive(frame)));
    let taken = LookTaken { command: COMMAND.to_owned(), asked_mono: script.now };
    script.now += SECOND / 10;
    lines.extend(news(script, LookStage::Taken(taken), &answer(orders)));
    lines.extend(news(script, LookStage::Ended, ""));
    assert!(lines.contains(&format!("look m0: {} orders", orders.len())), "{lines:?}");
    lines.extend(findings(script, after));
    lines.retain(|line| line.contains(" in s") || line.contains("unverifiable"));
    lines
}

/// Follows a book of a bid and an ask.
fn keeping() -> Script {
    let mut script = following();
    script.receive_all(&[&opened(1, 100, 50), &ticker(r#""bid":50"#), &opened(2, -100, 60), &ticker(r#""ask":60"#)]);
    script
}

#[test]
fn a_look_that_shows_the_book_as_it_is_kept_contradicts_nothing() {
    let mut script = keeping();
    for _ in 0..2 {
        assert_eq!(looked(&mut script, &[], &[order(1, 100, 50), order(2, -100, 60)], &[]), NOTHING);
    }
}

#[test]
fn a_notice_that_one_connection_alone_was_told_is_found_by_a_second_look() {
    let sound = [order(1, 100, 50), order(2, -100, 60)];
    for (orders, says) in [
        (vec![order(1, 100, 50), order(2, -100, 60), order(3, 7, 40)], "1 orders appeared, 0 vanished, 0 changed"),
        (vec![order(2, -100, 60)], "0 orders appeared, 1 vanished, 0 changed"),
        (vec![order(1, 90, 50), order(2, -100, 60)], "0 orders appeared, 0 vanished, 1 changed"),
    ] {
        let mut script = keeping();
        assert_eq!(looked(&mut script, &[], &sound, &[]), NOTHING);
        let lines = looked(&mut script, &[], &orders, &[]);
        assert_eq!(lines[0], "s0 unverifiable");
        assert!(lines[1].starts_with(&format!("second_look in s0: {says} in the eyes of session 9")), "{lines:?}");
        assert!(script.sent.last().unwrap().contains(r#""watch":false"#), "it is taken up anew");
    }
}

#[test]
fn what_is_told_around_the_look_is_no_contradiction() {
    // Closed, opened and matched while it is taken; and told so much later as a link may be slow.
    let before = [closed(1, 100, 50), ticker(r#""bid":null"#), opened(3, 10, 40), ticker(r#""bid":40"#)];
    let orders = [order(1, 100, 50), order(2, -100, 60), order(4, 5, 30)];
    let after = [opened(4, 5, 30), matched((5, 0), (2, -90), 10, 60)];
    let mut script = keeping();
    script.receive_all(&[&opened(5, 10, 20)]);
    let lines = looked(&mut script, &before, &orders, &after[..1]);
    assert_eq!(lines.len(), 2, "order 5 is told of by nobody: {lines:?}");
    assert!(lines[1].starts_with("second_look in s0: 0 orders appeared, 1 vanished, 0 changed"), "{lines:?}");
    assert!(lines[1].ends_with("order 5 among them"), "{lines:?}");
    let mut script = keeping();
    assert_eq!(looked(&mut script, &before, &orders, &after[..1]), NOTHING);
}

#[test]
fn what_a_link_that_stalls_holds_up_is_no_contradiction() {
    let mut script = keeping();
    news(&mut script, LookStage::Begun, "");
    let taken = LookTaken { command: COMMAND.to_owned(), asked_mono: script.now };
    news(&mut script, LookStage::Taken(taken), &answer(&[order(1, 100, 50)]));
    script.now += 20 * SECOND;
    let mut lines = script.give(&Input::Timer);
    lines.extend(findings(&mut script, &[closed(2, -100, 60), ticker(r#""ask":null"#)]));
    lines.retain(|line| line.contains(" in s"));
    assert_eq!(lines, NOTHING);
}

#[test]
fn a_look_that_begins_while_the_one_before_is_still_to_be_judged_takes_nothing_from_it() {
    let mut script = keeping();
    news(&mut script, LookStage::Begun, "");
    let taken = LookTaken { command: COMMAND.to_owned(), asked_mono: script.now };
    news(&mut script, LookStage::Taken(taken), &answer(&[order(2, -100, 60)]));
    news(&mut script, LookStage::Ended, "");
    script.now += SECOND;
    news(&mut script, LookStage::Begun, "");
    let told = findings(&mut script, &[]);
    assert!(told.iter().any(|line| line.contains("0 orders appeared, 1 vanished, 0 changed")), "{told:?}");
}

#[test]
fn orders_beyond_what_a_snapshot_shows_are_not_looked_for() {
    let mut script = Script::connected(plan(&[("WatchOrders", &["XBT:USDT"])]), None);
    script.receive(WELCOME);
    let best: Vec<_> = (0..1_000).map(|n| order(n, 5, 9_000 - n)).collect();
    script.receive(&answer(&best));
    // The best goes, and one comes up that no snapshot had shown; another is opened below what a snapshot shows.
    script.receive_all(&[&closed(0, 5, 9_000), &opened(3_000, 5, 7_000)]);
    let mut orders = best[1..].to_vec();
    orders.push(order(2_000, 5, 7_999));
    script.now += SECOND;
    assert_eq!(looked(&mut script, &[], &orders, &[]), NOTHING);
    orders[998] = order(2_001, 5, 8_500);
    assert_eq!(looked(&mut script, &[], &orders, &[]).len(), 2, "that would have been among the best");
}

#[test]
fn a_look_that_was_asked_for_before_it_is_known_of_is_not_compared() {
    let mut script = keeping();
    let asked_mono = script.now - 1;
    news(&mut script, LookStage::Begun, "");
    news(&mut script, LookStage::Taken(LookTaken { command: COMMAND.to_owned(), asked_mono }), &answer(&[]));
    assert_eq!(findings(&mut script, &[]), NOTHING);
}

#[test]
fn a_look_changes_nothing_of_what_is_recorded_or_said() {
    let (mut with, mut without) = (keeping(), keeping());
    looked(&mut with, &[], &[order(1, 100, 50), order(2, -100, 60)], &[]);
    findings(&mut without, &[]);
    let frames = [closed(1, 100, 50), ticker(r#""bid":null"#), closed(2, -99, 60)];
    let [with, without] = [&mut with, &mut without].map(|script| findings(script, &frames));
    assert_eq!(with, without);
}

/// A session that looks, greeted.
fn looking(markets: &[&str]) -> Script {
    let look = by_name("coinflex").unwrap().look().unwrap();
    let plan = Plan { is_look: true, ..plan(&[("WatchOrders", markets), ("WatchTicker", markets)]) };
    let mut script = Script::of(look()).connect(plan);
    assert_eq!(script.receive(WELCOME), ["greeted"]);
    script
}

#[test]
fn the_session_that_looks_asks_for_each_book_once_and_shows_it_and_ends() {
    let mut script = looking(&["XBT:USDT", "ETH:*"]);
    let mut shown = Vec::new();
    for n in 1..=10 {
        // A notice is for whoever records the book.
        assert_eq!(script.receive(&opened(n, 5, 5)), NOTHING);
        script.receive(&format!(r#"{{"error_code":0,"tag":{n},"orders":[]}}"#));
        match script.wishes.pop() {
            Some(Action::Show { taken, answer }) => {
                shown.push((taken.command, String::from_utf8(answer).unwrap(), taken.asked_mono));
            }
            Some(Action::Close { .. }) => {
                let Some(Action::Show { taken, .. }) = script.wishes.pop() else { panic!("{:?}", script.wishes) };
                shown.push((taken.command, String::new(), taken.asked_mono));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(shown.len() > 1, "{shown:?}");
    assert_eq!(script.sent.len(), shown.len());
    assert!(script.sent.iter().all(|sent| sent.contains(r#""method":"WatchOrders""#)), "{:?}", script.sent);
    assert_eq!(script.sent.iter().filter(|sent| sent.contains(r#""base":63488"#)).count(), 1);
    assert_eq!(shown[0].1, r#"{"error_code":0,"tag":1,"orders":[]}"#);
    assert!(shown.iter().zip(&script.sent).all(|(shown, sent)| shown.0 == *sent && shown.2 == script.now));
}

#[test]
fn a_look_that_is_refused_or_not_answered_ends_without_showing_anything() {
    let mut script = looking(&["XBT:USDT"]);
    script.receive(r#"{"error_code":1,"error_msg":"You specified an invalid asset pair.","tag":1}"#);
    assert!(matches!(&script.wishes[..], [Action::Close { detail, .. }] if detail == "looked"), "{:?}", script.wishes);
    let mut script = looking(&["XBT:USDT"]);
    assert_eq!(script.receive(r#"{"tag":1}"#), NOTHING, "what has no error code answers nothing");
    let asked_at = script.now;
    script.wait();
    assert_eq!(script.now, asked_at + 10 * SECOND);
    assert!(
        matches!(&script.wishes[..], [Action::Close { detail, .. }] if detail == "no reply in time"),
        "{:?}",
        script.wishes
    );
}
