//! Second looks through a second connection, at a real exchange.

use std::cell::Cell;
use std::time::{Duration, Instant};

use feedtape::exchange::{Action, Faults};
use feedtape::replay::verify;
use feedtape::store::{Aspect, Report};

use crate::scene::{ACCOUNT, Scene};

/// From one question to the next.
const PAUSE: Duration = Duration::from_millis(250);

/// Records with a second look every second until a query counts at least so many.
fn record(scene: &Scene, more: &str, at_least: i64, count: &str) -> Report {
    let config = scene.config_of("second_look = \"1s\"", more);
    // The recorder waits while it is asked.
    let asked = Cell::new(Instant::now());
    scene.record(&config, |_| {
        asked.get().elapsed() >= PAUSE && {
            asked.set(Instant::now());
            scene.number(count) >= at_least
        }
    });
    assert_eq!(scene.rows("SELECT DISTINCT cause FROM session WHERE NOT is_look"), ["stopped"]);
    verify(&scene.database(), false, |_, _, _| ()).unwrap()
}

const LOOKS: &str = "SELECT count(*) FROM sessions WHERE is_look AND cause = 'session'";

#[test]
fn looks_at_an_honest_exchange_contradict_nothing_and_leave_the_recording_as_it_is() {
    let scene = Scene::with_rate(300, Faults::new());
    let report = record(&scene, ACCOUNT, 4, LOOKS);
    assert!(report.is_clean(), "{:?}", report.findings);
    assert!(report.tables.is_some(), "the rows are those that a rebuild makes");
    // Each took the one book, logged in nowhere, and is no start of a book.
    assert_eq!(scene.exchange.counts().logins, 1);
    let looks = scene.number("SELECT count(*) FROM book_snapshots WHERE is_look");
    assert!(looks >= 4, "{looks}");
    assert_eq!(scene.number("SELECT count(*) FROM book_snapshot JOIN book_checkpoint USING (id) WHERE is_look"), 0);
    assert_eq!(scene.rows("SELECT check_name, evidence FROM finding").len(), 0);
    // Nothing is said of a stream that would not be said without.
    for channel in ["WatchOrders", "WatchTicker", "account"] {
        let said = format!("SELECT verdict FROM coverage WHERE channel = '{channel}' AND verdict <> 'gap'");
        assert_eq!(scene.rows(&said), ["consistent"], "{channel}");
        let asked = format!("SELECT count(*) FROM subscriptions WHERE channel = '{channel}'");
        assert_eq!(scene.number(&asked), 1, "{channel}");
    }
    assert_eq!(scene.number("SELECT count(*) - count(DISTINCT order_id) FROM order_event WHERE kind = 0"), 0);
    let twice = "SELECT count(*) FROM (SELECT 1 FROM trade GROUP BY time, bid_order, ask_order HAVING count(*) > 1)";
    assert_eq!(scene.number(twice), 0);
    assert_eq!(scene.rows("SELECT * FROM not_understood").len(), 0);
}

#[test]
fn an_order_whose_closing_one_connection_was_not_told_is_found_and_nothing_else_fires() {
    // Told to the first connection alone, and of no order: as one that is kept although it was closed.
    let order = r#""id":999999999999,"base":63488,"counter":65283,"quantity":5,"price":1,"time":1580472000000000"#;
    let text = format!(r#"{{"notice":"OrderOpened",{order}}}"#);
    let scene = Scene::with_rate(300, Faults::new().on(1, 50, Action::Text { text }));
    // Once found, the book is asked for anew.
    let report =
        record(&scene, "", 2, "SELECT count(*) FROM book_checkpoint WHERE id IN (SELECT id FROM book_snapshot)");
    assert_eq!(scene.rows("SELECT DISTINCT check_name FROM findings WHERE is_contradiction"), ["second_look"]);
    let evidence = "SELECT evidence FROM findings WHERE is_contradiction";
    let [told] = &scene.rows(evidence)[..] else { panic!("{:?}", scene.rows(evidence)) };
    assert!(told.starts_with("0 orders appeared, 1 vanished, 0 changed in the eyes of session "), "{told}");
    assert!(told.ends_with("order 999999999999 among them"), "{told}");
    // In doubt from when it was last seen to be right until it is asked for anew.
    let said = "SELECT verdict, evidence FROM coverage WHERE channel = 'WatchOrders' AND verdict <> 'gap' \
         ORDER BY from_at";
    assert!(scene.rows(said).contains(&"unverifiable second_look".to_owned()), "{:?}", scene.rows(said));
    assert_eq!(scene.rows(said).last().map(String::as_str), Some("consistent -"));
    let since = "SELECT from_at = (SELECT since FROM findings WHERE is_contradiction) AND from_at <= \
         (SELECT min(received_at) FROM order_event WHERE order_id = 999999999999) FROM coverage \
         WHERE verdict = 'unverifiable'";
    assert_eq!(scene.rows(since), ["1"]);
    assert_eq!((report.count(Aspect::Contradictions), report.count(Aspect::Rows)), (1, 0), "{:?}", report.findings);
}
