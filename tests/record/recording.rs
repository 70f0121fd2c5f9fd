//! What is recorded, and what is said of it.

use feedtape::exchange::{Action, Faults};
use rusqlite::Connection;

use crate::scene::{ACCOUNT, Scene};

#[test]
fn what_was_received_is_in_the_file_when_it_stops() {
    let scene = Scene::new(Faults::new());
    let config = scene.config(ACCOUNT);
    let view = scene.record(&config, |view| view.sink.frames() > 5_000);
    assert_eq!(scene.rows("SELECT outcome FROM run"), ["stopped"]);
    assert_eq!(scene.rows("SELECT cause, user FROM session"), ["stopped 7"]);
    // The recorder's own journal has one record for the run's begin and one for its end.
    let frames = scene.number("SELECT sum(frames) FROM frame_block");
    assert_eq!(frames, i64::try_from(view.sink.frames()).unwrap() + 2);
    let (_, connection) = &view.sources()[0];
    let typed = "SELECT (SELECT count(*) FROM order_event) + (SELECT count(*) FROM trade) \
         + (SELECT count(*) FROM ticker WHERE kind = 0) + (SELECT count(*) FROM reply) \
         + (SELECT count(*) FROM balance WHERE is_snapshot = 0) + 1";
    assert_eq!(
        scene.number(typed),
        i64::try_from(connection.frames()).unwrap(),
        "a row for each frame and the greeting"
    );
    assert_eq!(scene.rows("SELECT * FROM not_understood UNION ALL SELECT * FROM finding").len(), 0);
    assert_eq!(scene.rows("PRAGMA integrity_check"), ["ok"]);
    assert_eq!(scene.rows("PRAGMA foreign_key_check").len(), 0);
    let verdicts = "SELECT DISTINCT channel, verdict FROM coverage WHERE verdict <> 'gap' ORDER BY channel";
    assert_eq!(scene.rows(verdicts), ["WatchOrders consistent", "WatchTicker consistent", "account consistent"]);
    assert_eq!(scene.exchange.counts().logins, 1);
}

#[test]
fn after_a_lost_connection_everything_is_asked_for_again_and_no_row_is_doubled() {
    let scene = Scene::new(Faults::new().on(1, 500, Action::Drop).on(2, 500, Action::DropMidFrame));
    let config = scene.config("");
    scene.record(&config, |view| view.sources()[0].1.sessions() == 3 && view.sources()[0].1.frames() > 1_500);
    assert_eq!(scene.rows("SELECT count(*) FROM session GROUP BY cause ORDER BY cause"), ["2", "1"]);
    assert_eq!(scene.rows("SELECT cause FROM session WHERE id < 3").len(), 2);
    for stream in ["WatchOrders", "WatchTicker"] {
        let asked =
            format!("SELECT count(*) FROM subscriptions WHERE channel = '{stream}' AND acknowledged_at > asked_at");
        assert_eq!(scene.number(&asked), 3, "{stream}");
        let covered = format!("SELECT count(*) FROM coverage WHERE channel = '{stream}' AND verdict = 'consistent'");
        assert_eq!(scene.number(&covered), 3, "{stream}");
    }
    // Ids are given once; an order is opened in one frame of one session.
    assert_eq!(scene.number("SELECT count(*) - count(DISTINCT order_id) FROM order_event WHERE kind = 0"), 0);
    let twice = "SELECT count(*) FROM (SELECT 1 FROM trade GROUP BY time, bid_order, ask_order HAVING count(*) > 1)";
    assert_eq!(scene.number(twice), 0);
    assert_eq!(scene.number("SELECT count(*) FROM finding WHERE is_contradiction"), 0);
    let gaps = "SELECT DISTINCT cause FROM gaps WHERE evidence IS NOT NULL AND session < 3";
    assert_eq!(scene.rows(gaps), ["not_connected"]);
}

#[test]
fn notices_that_overtake_the_snapshot_are_applied_after_it() {
    let scene = Scene::new(Faults::new().always(0, Action::DelaySnapshot { notices: 40 }));
    let config = scene.config("");
    scene.record(&config, |view| view.sink.frames() > 2_000);
    let early = "SELECT count(*) FROM order_event, book_snapshot \
         WHERE order_event.id >= events_from AND order_event.id < book_snapshot.id";
    assert!(scene.number(early) > 0);
    assert_eq!(scene.rows("SELECT check_name, evidence FROM finding").len(), 0);
}

#[test]
fn what_is_not_understood_is_kept_as_it_came_and_recording_goes_on() {
    let text = r#"{"notice":"Moon","phase":[1e400,null]}"#;
    let scene = Scene::new(
        Faults::new()
            .on(1, 100, Action::Text { text: text.to_owned() })
            .on(1, 150, Action::InvalidUtf8)
            .on(1, 250, Action::UnknownAssets)
            .on(1, 300, Action::UnknownField)
            .on(1, 350, Action::HugeInteger),
    );
    let config = scene.config("");
    scene.record(&config, |view| view.sources()[0].1.frames() > 3_000);
    let reasons = scene.rows("SELECT DISTINCT reason FROM not_understood ORDER BY reason");
    for reason in ["invalid_utf8", "unknown_field", "unknown_notice"] {
        assert!(reasons.contains(&reason.to_owned()), "{reasons:?}");
    }
    assert_eq!(scene.rows("SELECT text FROM not_understood WHERE what = 'Moon'"), [text]);
    assert_eq!(
        scene.number("SELECT count(*) FROM not_understood WHERE reason = 'invalid_utf8' AND bytes IS NOT NULL"),
        1
    );
    assert_eq!(scene.number("SELECT count(*) FROM session"), 1);
    // The damaged frame might have been of any stream: a gap, until a fresh snapshot.
    assert_eq!(scene.rows("SELECT DISTINCT cause FROM gaps WHERE evidence = 'invalid_utf8'"), ["not_understood"]);
    let verdicts = "SELECT count(*) FROM coverage WHERE channel = 'WatchOrders' AND verdict = 'consistent'";
    assert_eq!(scene.number(verdicts), 2);
}

#[test]
fn a_refused_login_is_not_tried_again_and_public_data_goes_on() {
    let scene = Scene::new(Faults::new().always(0, Action::RefuseLogin { code: 7 }).on(1, 500, Action::Drop));
    let config = scene.config(ACCOUNT);
    let view = scene.record(&config, |view| view.sources()[0].1.sessions() > 1 && view.sources()[0].1.frames() > 1_500);
    assert_eq!(view.refused(), ["test"]);
    assert_eq!(scene.exchange.counts().logins, 1);
    assert_eq!(scene.rows("SELECT login_error_code FROM session ORDER BY id"), ["7", "-"]);
    let verdicts = "SELECT count(*) FROM coverage WHERE market = 'XBT:USDT' AND verdict = 'consistent'";
    assert_eq!(scene.number(verdicts), 4);
    let told = "SELECT reason FROM transition WHERE evidence LIKE 'error 7: %'";
    assert_eq!(scene.rows(told), ["not_authenticated"]);
}

#[test]
fn a_greeting_that_never_comes_ends_the_attempt_and_the_next_records() {
    let scene = Scene::new(Faults::new().on(1, 0, Action::NeverGreet));
    let config = scene.config("[source.timing]\ngreeting = \"300ms\"");
    scene.record(&config, |view| view.sources()[0].1.frames() > 500);
    assert_eq!(scene.rows("SELECT cause FROM session ORDER BY id"), ["timed_out", "stopped"]);
    assert!(scene.rows("SELECT cause FROM gaps").contains(&"not_greeted".to_owned()));
}

#[test]
fn polls_and_the_account_have_rows_of_their_own() {
    let scene = Scene::new(Faults::new());
    let polls = r#"
        [[source.poll]]
        method = "GetBalances"
        every = "1s"
        [[source.poll]]
        method = "GetTradeVolume"
        asset = "XBT"
        every = "1s"
        [[source.poll]]
        method = "EstimateMarketOrder"
        markets = ["XBT:USDT"]
        quantity = "1"
        every = "1s"
        [[source.poll]]
        method = "tickers"
        every = "1s"
        [[source.poll]]
        method = "depth"
        markets = ["XBT:USDT"]
        every = "1s"
    "#;
    let config = scene.config(&format!("{ACCOUNT}{polls}"));
    scene.record(&config, |view| view.sink.frames() > 6_000);
    assert!(scene.number("SELECT count(*) FROM balances WHERE asset = 'XBT' AND available = '5.0000'") >= 2);
    assert!(scene.number("SELECT count(*) FROM trade_volumes WHERE asset = 'XBT' AND volume = '0.0000'") >= 2);
    assert!(scene.number("SELECT count(*) FROM estimates WHERE quantity = '1.0000'") >= 1);
    assert!(scene.number("SELECT count(*) FROM book_snapshot WHERE has_orders = 0") >= 1);
    assert!(scene.number("SELECT count(DISTINCT instrument) FROM ticker WHERE kind = 1") > 1);
    let covered = "SELECT DISTINCT channel FROM coverage WHERE verdict = 'consistent' ORDER BY channel";
    let channels = [
        "EstimateMarketOrder",
        "GetBalances",
        "GetTradeVolume",
        "WatchOrders",
        "WatchTicker",
        "account",
        "depth",
        "tickers",
    ];
    assert_eq!(scene.rows(covered), channels);
}

#[test]
fn two_runs_make_one_file_with_the_time_between_as_a_gap() {
    let scene = Scene::new(Faults::new());
    let config = scene.config("");
    for _ in 0..2 {
        scene.record(&config, |view| view.sink.frames() > 500);
    }
    assert_eq!(scene.rows("SELECT outcome FROM run"), ["stopped", "stopped"]);
    let between = "SELECT evidence FROM gaps WHERE channel = 'WatchOrders' AND cause = 'not_running' AND to_at <= \
         (SELECT connecting_at FROM session WHERE id = 2)";
    assert_eq!(scene.rows(between).len(), 1);
    // The second run finds the catalog unchanged.
    assert_eq!(scene.number("SELECT count(*) FROM instrument WHERE valid_to IS NOT NULL"), 0);
}

#[test]
fn logins_of_earlier_runs_count_against_the_hour() {
    let scene = Scene::new(Faults::new());
    let config = scene.config(ACCOUNT);
    scene.record(&config, |view| view.sink.frames() > 200);
    assert_eq!(scene.exchange.counts().logins, 1);
    // As if it had begun anew again and again.
    let again = "WITH RECURSIVE times(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM times WHERE n < ?) \
         INSERT INTO command (id, session, sent_at, method) \
         SELECT id + n, session, sent_at + n, method FROM command, times WHERE method = 'Authenticate' AND tag IS NOT NULL";
    let logged_in = |times: i64| Connection::open(scene.database()).unwrap().execute(again, [times]).unwrap();
    logged_in(58);
    scene.record(&config, |view| view.sink.frames() > 200);
    assert_eq!(scene.exchange.counts().logins, 2, "the sixtieth of the hour");
    scene.record(&config, |view| view.sink.frames() > 200);
    assert_eq!(scene.exchange.counts().logins, 2, "an hour's logins are spent");
    let gap = "SELECT DISTINCT cause FROM gaps WHERE channel = 'account' AND session = 3 AND cause <> 'not_running'";
    assert!(scene.rows(gap).contains(&"not_authenticated".to_owned()));
    assert_eq!(
        scene.rows(
            "SELECT DISTINCT verdict FROM coverage WHERE session = 3 AND channel = 'WatchOrders' \
         AND verdict <> 'gap'"
        ),
        ["consistent"],
        "public data goes on"
    );
}
