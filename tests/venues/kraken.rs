//! Kraken WebSocket v2.

use feedtape::model::{Event, Level, Number};

use crate::captures;
use crate::script::{Script, mutations, plan};

fn levels(script: &Script) -> Vec<(bool, Vec<Level>)> {
    let of = |event: &Event| match event {
        Event::Levels(levels) => Some((levels.is_snapshot, levels.levels.clone())),
        _ => None,
    };
    script.events.iter().filter_map(of).collect()
}

fn scaled(number: Option<&Number>) -> i64 {
    number.and_then(Number::as_scaled).unwrap()
}

#[test]
fn the_captured_book_is_checked_from_its_snapshot_to_its_last_checksum() {
    let Some(frames) = captures::lines("kraken_book.jsonl") else { return };
    let script = Script::replay("kraken", frames.iter().map(String::as_str));
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!(
        script.timeline("book BTC/USD"),
        [(3, "checked".to_owned()), (8, "unverifiable".to_owned()), (9, "not_running".to_owned())]
    );
    let levels = levels(&script);
    assert_eq!(
        levels.iter().map(|(snapshot, levels)| (*snapshot, levels.len())).collect::<Vec<_>>(),
        [(true, 20), (false, 2), (false, 1), (false, 2)]
    );
    let (first, last) = (&levels[0].1[0], &levels[3].1[1]);
    assert_eq!(
        (scaled(first.price.as_ref().map(AsRef::as_ref)), scaled(first.quantity.as_ref().map(AsRef::as_ref))),
        (788_715, 1_266_503)
    );
    assert_eq!(
        (scaled(last.price.as_ref().map(AsRef::as_ref)), scaled(last.quantity.as_ref().map(AsRef::as_ref))),
        (788_568, 60_870_868)
    );
}

#[test]
fn a_captured_frame_that_is_missing_doubled_or_out_of_place_is_never_called_checked() {
    let Some(frames) = captures::lines("kraken_book.jsonl") else { return };
    for (what, frames) in mutations(&frames) {
        let script = Script::replay("kraken", frames);
        let timeline = script.timeline("book BTC/USD");
        let states: Vec<_> = timeline.iter().map(|(_, state)| state.as_str()).collect();
        let expected: &[&str] = match what.as_str() {
            // Without the snapshot there is nothing to check.
            "without 2" => &["not_running"],
            // The next checksum does not hold, and nothing is said of the time since the last one that did.
            "without 5" | "swapped 5" => &["checksum_failed", "not_running"],
            // What the scheme cannot see. A doubled update changes nothing, for levels are absolute. Frame 6 changes a
            // level that frame 7 removes: without it, or behind it, every checksum holds. Behind the last checksum
            // nothing is claimed, so nothing false is said where the last frame is missing.
            _ => &["checked", "unverifiable", "not_running"],
        };
        assert_eq!(states, expected, "{what}");
    }
}

#[test]
fn what_is_wanted_is_asked_for_once_the_markets_are_listed() {
    let mut script = Script::open(
        plan("kraken", &[("book", &["BTC/USD", "ETH/USD"], &[("depth", "10")]), ("trade", &["BTC/USD"], &[])]),
        None,
    );
    assert_eq!(
        script.take_sent(),
        [r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true},"req_id":1}"#]
    );
    let listed = r#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC","status":"enabled","precision":10,"precision_display":5,"borrowable":true,"collateral_value":1.0,"margin_rate":0.02},{"id":"USD","status":"enabled","precision":4,"precision_display":2,"borrowable":true,"collateral_value":1.0,"margin_rate":0.02}],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":0.00000001,"price_precision":1,"cost_precision":5,"marginable":true,"has_index":true,"cost_min":0.5,"margin_initial":0.2,"position_limit_long":250,"position_limit_short":200,"tick_size":0.1,"price_increment":0.1,"qty_min":0.0001}]}}"#;
    script.receive(listed);
    assert_eq!(
        script.take_sent(),
        [
            r#"{"method":"subscribe","params":{"channel":"book","depth":10,"snapshot":true,"symbol":["BTC/USD","ETH/USD"]},"req_id":2}"#,
            r#"{"method":"subscribe","params":{"channel":"trade","snapshot":true,"symbol":["BTC/USD"]},"req_id":3}"#,
        ]
    );
    assert_eq!(script.odd(), Vec::<String>::new());
    script.receive(r#"{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,"time_in":"2026-08-24T22:21:56.724795Z","time_out":"2026-08-24T22:21:56.724853Z","req_id":2}"#);
    script.receive(r#"{"error":"Currency pair not supported ETH/USD","method":"subscribe","req_id":2,"success":false,"symbol":"ETH/USD","time_in":"2026-08-24T22:21:56.724795Z","time_out":"2026-08-24T22:21:56.724853Z"}"#);
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!([script.state("book BTC/USD"), script.state("book ETH/USD")], ["not_acknowledged", "refused"]);
    // The trades are not agreed to in time: they are asked for again.
    script.wait();
    assert_eq!(script.state("trade BTC/USD"), "not_acknowledged");
    script.wait();
    assert_eq!(
        script.take_sent().last().unwrap(),
        r#"{"method":"subscribe","params":{"channel":"trade","snapshot":true,"symbol":["BTC/USD"]},"req_id":4}"#
    );
    script.receive(r#"{"method":"subscribe","result":{"channel":"trade","snapshot":true,"symbol":"BTC/USD"},"success":true,"time_in":"2026-08-24T22:21:56.724795Z","time_out":"2026-08-24T22:21:56.724853Z","req_id":4}"#);
    assert_eq!(script.state("trade BTC/USD"), "consistent");
    assert_eq!(script.count(|event| matches!(event, Event::Catalog(_))), 1);
}
