//! Books that begin with a snapshot: by REST, joined to the updates; or in the band, checked by the venue's checksum.

use feedtape::journal::{Input, RestAnswer};
use feedtape::model::{CloseCause, Event};

use crate::script::{SECOND, Script, plan};

/// Binance, with these books wanted and agreed to.
fn binance(markets: &[&str]) -> Script {
    let mut script = Script::open(plan("binance", &[("depth", markets, &[])]), None);
    script.receive(r#"{"result":null,"id":1}"#);
    script
}

/// A change of a book by its numbers.
fn change(market: &str, first: u64, last: u64) -> String {
    format!(
        r#"{{"stream":"{}@depth","data":{{"e":"depthUpdate","E":1,"s":"{market}","U":{first},"u":{last},"b":[],"a":[]}}}}"#,
        market.to_lowercase()
    )
}

fn book(number: u64) -> String {
    format!(r#"{{"lastUpdateId":{number},"bids":[["1","1"]],"asks":[["2","1"]]}}"#)
}

/// The requests that are open, taken: number and market.
fn requests(script: &mut Script) -> Vec<(u64, String)> {
    let of = |path: &str| path.split(['=', '&']).nth(1).unwrap().to_owned();
    script.requests.drain(..).map(|request| (request.request, of(&request.path))).collect()
}

/// Answers a request for a book.
fn answer(
    script: &mut Script,
    (request, market): &(u64, String),
    status: Option<u16>,
    error: Option<&str>,
    body: &[u8],
) {
    let path = format!("GET api/v3/depth?symbol={market}&limit=5000");
    let answer = RestAnswer { request: *request, path, status, error: error.map(str::to_owned) };
    script.give(&Input::Rest(answer, body.into()));
}

#[test]
fn a_snapshot_that_is_refused_or_does_not_come_is_asked_for_later_and_later() {
    let mut script = binance(&["BTCUSDT"]);
    script.receive(&change("BTCUSDT", 11, 11));
    let mut asked = Vec::new();
    for (status, error) in
        [(Some(429), None), (None, Some("no answer")), (Some(200), Some("cut off")), (Some(200), None)]
    {
        while script.requests.is_empty() {
            script.wait();
        }
        let request = requests(&mut script).pop().unwrap();
        asked.push((script.now / SECOND, request.0));
        assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged");
        // What is cut off is no snapshot, whatever of it came.
        answer(&mut script, &request, status, error, book(11).as_bytes());
        assert_eq!(script.requests.len(), 0);
    }
    assert_eq!(asked, [(0, 0), (1, 1), (3, 2), (7, 3)]);
    assert_eq!(script.state("depth BTCUSDT"), "proved");
    assert_eq!(script.count(|event| matches!(event, Event::Levels(levels) if levels.is_snapshot)), 1);
}

#[test]
fn an_answer_that_is_no_text_is_kept_and_said_of_which_request() {
    let mut script = binance(&["BTCUSDT"]);
    script.receive(&change("BTCUSDT", 11, 11));
    let request = requests(&mut script).pop().unwrap();
    answer(&mut script, &request, Some(200), None, b"\xff\xfe");
    assert_eq!(script.odd(), ["invalid_utf8 GET api/v3/depth?symbol=BTCUSDT&limit=5000"]);
    assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged");
    // An answer to a request that nobody made, of a stream that goes on.
    answer(&mut script, &(99, "BTCUSDT".to_owned()), Some(404), None, b"");
    assert_eq!(script.odd().len(), 1);
}

#[test]
fn snapshots_are_asked_for_at_the_pace_of_the_venue_and_only_where_updates_wait_for_them() {
    let names: Vec<_> = (0..8).map(|n| format!("M{n}USDT")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut script = binance(&names);
    for name in &names[..6] {
        script.receive(&change(name, 11, 11));
    }
    let mut asked = Vec::new();
    for _ in 0..60 {
        for (_, market) in requests(&mut script) {
            asked.push((script.now / SECOND, market));
        }
        if asked.len() == 6 {
            break;
        }
        script.wait();
    }
    let asked: Vec<_> = asked.iter().map(|(at, market)| (*at, market.as_str())).collect();
    let expected = [(0, "M0USDT"), (0, "M1USDT"), (0, "M2USDT"), (0, "M3USDT"), (3, "M4USDT"), (6, "M5USDT")];
    assert_eq!(asked, expected);
    // While they are on their way nothing is asked for again, whatever else comes.
    script.receive(&change("M0USDT", 12, 12));
    assert_eq!((requests(&mut script), script.session.deadline()), (Vec::new(), None));
}

#[test]
fn a_snapshot_waits_for_updates_that_go_beyond_it_and_one_behind_them_is_taken_anew() {
    let mut script = binance(&["BTCUSDT"]);
    script.receive(&change("BTCUSDT", 11, 12));
    let request = requests(&mut script).pop().unwrap();
    answer(&mut script, &request, Some(200), None, book(9).as_bytes());
    assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged", "10 may be missing");
    while script.requests.is_empty() {
        script.wait();
    }
    assert_eq!(script.now, SECOND);
    let request = requests(&mut script).pop().unwrap();
    answer(&mut script, &request, Some(200), None, book(14).as_bytes());
    assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged", "13 and 14 have not come");
    script.receive(&change("BTCUSDT", 13, 13));
    assert_eq!(script.state("depth BTCUSDT"), "not_acknowledged");
    script.receive(&change("BTCUSDT", 14, 15));
    assert_eq!(script.state("depth BTCUSDT"), "proved");
    assert_eq!(requests(&mut script), []);
    // Behind a hole the state is had only with another snapshot, which is asked for at once.
    script.now += SECOND;
    script.receive(&change("BTCUSDT", 17, 17));
    assert_eq!(script.state("depth BTCUSDT"), "sequence_broken");
    assert_eq!(requests(&mut script).len(), 1);
    // A snapshot asked for before another hole joins nothing behind it.
    script.receive(&change("BTCUSDT", 19, 19));
    answer(&mut script, &(2, "BTCUSDT".to_owned()), Some(200), None, book(17).as_bytes());
    assert_eq!(script.state("depth BTCUSDT"), "sequence_broken");
}

#[test]
fn a_book_whose_snapshot_does_not_have_its_checksum_is_taken_up_anew_later_and_later() {
    let mut script = Script::open(plan("kraken", &[("book", &["BTC/USD"], &[("depth", "10")])]), None);
    script.receive(r#"{"channel":"instrument","type":"snapshot","data":{"assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"price_precision":1,"price_increment":0.1}]}}"#);
    script.receive(
        r#"{"method":"subscribe","result":{"channel":"instrument","snapshot":true},"success":true,"req_id":1}"#,
    );
    let wrong = r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":1.0,"qty":1.0}],"asks":[{"price":2.0,"qty":1.0}],"checksum":1,"timestamp":"2026-08-24T22:21:56.724795Z"}]}"#;
    let mut asked = Vec::new();
    for _ in 0..200 {
        for frame in script.take_sent() {
            let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
            if frame["params"]["channel"] != "book" {
                continue;
            }
            asked.push((script.now / SECOND, frame["method"].as_str().unwrap().to_owned()));
            if frame["method"] == "subscribe" {
                script.receive(&format!(
                    r#"{{"method":"subscribe","result":{{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"}},"success":true,"req_id":{}}}"#,
                    frame["req_id"]
                ));
                script.receive(wrong);
            }
        }
        if asked.len() >= 7 {
            break;
        }
        script.wait();
    }
    let times: Vec<_> = asked.iter().map(|(at, method)| format!("{at} {method}")).collect();
    assert_eq!(
        times,
        ["0 subscribe", "1 unsubscribe", "1 subscribe", "3 unsubscribe", "3 subscribe", "7 unsubscribe", "7 subscribe"]
    );
    assert_eq!(script.state("book BTC/USD"), "not_acknowledged");
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_read_puts_every_stream_in_doubt() {
    let mut script = binance(&["BTCUSDT", "ETHUSDT"]);
    for (market, request) in [("BTCUSDT", 0), ("ETHUSDT", 1)] {
        script.receive(&change(market, 11, 11));
        answer(&mut script, &(request, market.to_owned()), Some(200), None, book(11).as_bytes());
        assert_eq!(script.state(&format!("depth {market}")), "proved");
    }
    script.now += SECOND;
    script.give(&Input::Received(b"\xff"));
    assert_eq!([script.state("depth BTCUSDT"), script.state("depth ETHUSDT")], ["not_understood", "not_understood"]);
    assert_eq!(script.odd(), ["invalid_utf8 "]);
    script.now += SECOND;
    script.close(CloseCause::EndOfStream);
    assert_eq!(
        script.timeline("depth BTCUSDT")[1..],
        [(1, "not_understood".to_owned()), (2, "not_connected".to_owned())]
    );
}

#[test]
fn a_field_that_is_missing_or_no_number_is_damage_and_one_that_nobody_knows_is_told() {
    let wanted = plan("binance", &[("trade", &["BTCUSDT", "ETHUSDT"], &[])]);
    let trade = |fields: &str| {
        format!(
            r#"{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1,"s":"BTCUSDT","T":1,"m":true,"M":true,{fields}}}}}"#
        )
    };
    for (fields, told, state) in [
        (r#""t":2,"p":"5","q":"1""#, "", "proved"),
        (r#""t":2,"q":"1""#, "missing_field p", "not_understood"),
        (r#""t":2,"p":"five","q":"1""#, "missing_field p", "not_understood"),
        (r#""t":2,"p":"5","q":"1","zz":null"#, "unknown_field trade.zz", "proved"),
    ] {
        let mut script = Script::open(wanted.clone(), None);
        script.receive(r#"{"result":null,"id":1}"#);
        script.receive(&trade(r#""t":1,"p":"5","q":"1""#));
        assert_eq!(script.state("trade BTCUSDT"), "proved");
        script.now += SECOND;
        script.receive(&trade(fields));
        let timeline: Vec<_> = script.changes().into_iter().filter(|change| change.stream == "trade BTCUSDT").collect();
        let was = timeline.iter().any(|change| change.state == "not_understood");
        assert_eq!(was, state == "not_understood", "{fields}: {timeline:?}");
        assert!(
            !script.changes().iter().any(|change| change.stream == "trade ETHUSDT" && change.state == state && was)
        );
        assert_eq!(script.odd().join(", "), told, "{fields}");
    }
}
