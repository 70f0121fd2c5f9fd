//! Kraken WebSocket v2.

use feedtape::model::{Event, Level, Number};

use crate::captures;
use crate::recording::Recording;
use crate::script::{Script, mutations, plan};
use crate::server::Server;

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
    script.receive(INSTRUMENTS);
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

const INSTRUMENTS: &str = r#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC","status":"enabled","precision":10,"precision_display":5,"borrowable":true,"collateral_value":1.0,"margin_rate":0.02},{"id":"USD","status":"enabled","precision":4,"precision_display":2,"borrowable":true,"collateral_value":1.0,"margin_rate":0.02}],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":0.00000001,"price_precision":1,"cost_precision":5,"marginable":true,"has_index":true,"cost_min":0.5,"margin_initial":0.2,"position_limit_long":250,"position_limit_short":200,"tick_size":0.1,"price_increment":0.1,"qty_min":0.0001}]}}"#;

/// The acknowledgement of each subscription that a frame asks for.
fn acknowledgements(asked: &serde_json::Value) -> Vec<String> {
    let params = &asked["params"];
    let symbols = params["symbol"].as_array().cloned().unwrap_or_else(|| vec![serde_json::Value::Null]);
    let answer = |symbol: serde_json::Value| {
        let mut result = serde_json::json!({ "channel": params["channel"], "snapshot": true });
        if !symbol.is_null() {
            result["symbol"] = symbol;
        }
        if !params["depth"].is_null() {
            result["depth"] = params["depth"].clone();
        }
        serde_json::json!({ "method": "subscribe", "result": result, "success": true, "req_id": asked["req_id"],
            "time_in": "2026-08-24T22:21:56.724795Z", "time_out": "2026-08-24T22:21:56.724853Z" })
        .to_string()
    };
    symbols.into_iter().map(answer).collect()
}

#[test]
fn on_the_wire_a_checksum_that_fails_has_that_market_alone_asked_for_anew() {
    let Some(frames) = captures::lines("kraken_book.jsonl") else { return };
    let server = Server::start(
        move |talk| {
            talk.say(&frames[0]);
            let mut books = 0;
            while let Some(asked) = talk.hear_json() {
                let channel = asked["params"]["channel"].as_str().unwrap_or_default().to_owned();
                match (asked["method"].as_str().unwrap(), channel.as_str()) {
                    ("subscribe", channel) => {
                        acknowledgements(&asked).iter().for_each(|answer| talk.say(answer));
                        match channel {
                            "instrument" => talk.say(INSTRUMENTS),
                            "book" => {
                                talk.say(&frames[2]);
                                talk.ping(b"as sent");
                                // The first time an update is missing.
                                frames[5 + usize::from(books == 0)..].iter().for_each(|frame| talk.say(frame));
                                books += 1;
                            }
                            _ => {}
                        }
                    }
                    ("unsubscribe", "book") => {
                        talk.say(
                            r#"{"method":"unsubscribe","result":{"channel":"book","symbol":"BTC/USD"},"success":true}"#,
                        );
                    }
                    other => panic!("{other:?}"),
                }
            }
        },
        |_| (404, String::new()),
    );
    let recording = Recording::new(&[]);
    let sources = format!(
        "[[source]]\nname = \"kraken\"\nvenue = \"kraken\"\nurl = \"{}\"\n\
         [[source.subscribe]]\nmethod = \"book\"\nmarkets = [\"*\"]\ndepth = 10\n\
         [[source.subscribe]]\nmethod = \"trade\"\nmarkets = [\"BTC/USD\"]\n",
        server.url()
    );
    recording.until(&sources, "SELECT count(*) = 2 FROM book_levels WHERE price = '78856.8' AND is_snapshot = 0");
    let states = "SELECT state || ' ' || reason FROM transition t JOIN stream s ON s.id = t.stream \
         WHERE channel = 'book' AND state = 'gap' AND reason = 'checksum_failed' \
         OR channel = 'trade' AND reason IN ('checksum_failed', 'sequence_broken') ORDER BY t.id";
    assert_eq!(recording.rows(states), ["gap checksum_failed"]);
    assert_eq!(
        recording.rows("SELECT price, quantity FROM book_levels WHERE is_snapshot LIMIT 2"),
        ["78871.5 0.01266503", "78868.4 0.00005100"]
    );
    assert_eq!(
        recording.rows("SELECT venue, market, base, counter, price_places FROM instruments"),
        ["kraken BTC/USD XBT USD 1"]
    );
    assert_eq!(
        recording.rows("SELECT channel, time_unit_ns, integrity FROM streams WHERE channel = 'book'"),
        ["book 1000 checksum by subscription"]
    );
    let unsubscribed =
        r#"{"method":"unsubscribe","params":{"channel":"book","depth":10,"symbol":["BTC/USD"]},"req_id":4}"#;
    assert_eq!(server.heard().iter().filter(|text| text.contains("unsubscribe")).collect::<Vec<_>>(), [unsubscribed]);
}
