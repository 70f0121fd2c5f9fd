//! Several venues in one file.

use std::path::Path;

use assert_cmd::Command;

use crate::recording::Recording;
use crate::rows::rows;
use crate::server::Server;

/// Binance.US: the list of symbols, a trade, and the book with its snapshot.
fn binance() -> Server {
    const LISTED: &str = r#"{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT","baseAssetPrecision":8,
        "quoteAssetPrecision":8,"filters":[]}]}"#;
    const TRADE: &str = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}}"#;
    const UPDATE: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}}"#;
    Server::start(
        |talk| {
            while let Some(asked) = talk.hear_json() {
                talk.say(&format!(r#"{{"result":null,"id":{}}}"#, asked["id"]));
                let is_trade = asked["params"][0] == "btcusdt@trade";
                talk.say(if is_trade { TRADE } else { UPDATE });
            }
        },
        |request| match request.line.split('?').next() {
            Some("GET /api/v3/exchangeInfo") => (200, LISTED.to_owned()),
            Some("GET /api/v3/depth") => (200, r#"{"lastUpdateId":158,"bids":[["0.0023","1"]],"asks":[]}"#.to_owned()),
            _ => (404, String::new()),
        },
    )
}

/// Bitstamp: the list of pairs, a trade, and orders with their snapshot.
fn bitstamp() -> Server {
    const LISTED: &str = r#"[{"name":"BTC/USD","url_symbol":"btcusd","base_decimals":8,"counter_decimals":2}]"#;
    const TRADE: &str = r#"{"data":{"microtimestamp":"1580336751488517","amount":0.00598803,"buy_order_id":4621328909,"sell_order_id":4621329035,"amount_str":"0.00598803","price_str":"9334.73","timestamp":"1580336751","price":9334.73,"type":1,"id":104007706},"event":"trade","channel":"live_trades_btcusd"}"#;
    const UPDATE: &str = r#"{"data":{"timestamp":"1580336752","microtimestamp":"1580336752000000","bids":[["9334.00","1.5"]],"asks":[]},"event":"data","channel":"diff_order_book_btcusd"}"#;
    const BOOK: &str = r#"{"timestamp":"1580336751","microtimestamp":"1580336751500000","bids":[["9333.00","2"]],"asks":[["9335.00","1"]]}"#;
    Server::start(
        |talk| {
            while let Some(asked) = talk.hear_json() {
                let Some(channel) = asked["data"]["channel"].as_str() else { continue };
                talk.say(&format!(r#"{{"event":"bts:subscription_succeeded","channel":"{channel}","data":{{}}}}"#));
                if channel.starts_with("live_trades") {
                    talk.say(TRADE);
                } else {
                    // One that the snapshot has, and one that goes on top of it.
                    talk.say(&UPDATE.replace("1580336752000000", "1580336751000000"));
                    talk.say(UPDATE);
                }
            }
        },
        |request| match request.line.split('?').next() {
            Some("GET /api/v2/trading-pairs-info/") => (200, LISTED.to_owned()),
            Some("GET /api/v2/order_book/btcusd/") => (200, BOOK.to_owned()),
            _ => (404, String::new()),
        },
    )
}

#[test]
fn one_query_goes_over_all_venues_and_the_file_is_verified_and_rebuilt() {
    let (binance, bitstamp) = (binance(), bitstamp());
    let source = |name: &str, venue: &str, server: &Server, subscribe: &[(&str, &str)]| {
        let subscribe = subscribe
            .iter()
            .map(|(method, market)| format!("[[source.subscribe]]\nmethod = \"{method}\"\nmarkets = [\"{market}\"]\n"));
        format!(
            "[[source]]\nname = \"{name}\"\nvenue = \"{venue}\"\nurl = \"{}\"\nrest_url = \"{}\"\n{}",
            server.url(),
            server.rest_url(),
            subscribe.collect::<String>()
        )
    };
    let flex = "[[source]]\nname = \"flex\"\nvenue = \"coinflex\"\nexchange = \"built-in\"\n\
         [[source.subscribe]]\nmethod = \"WatchOrders\"\nmarkets = [\"XBT:*\"]\n";
    let sources = [
        source("us", "binance_us", &binance, &[("trade", "BTCUSDT"), ("depth", "BTCUSDT")]),
        source("stamp", "bitstamp", &bitstamp, &[("live_trades", "btcusd"), ("diff_order_book", "btcusd")]),
        flex.to_owned(),
    ]
    .concat();
    let recording = Recording::new(&[]);
    let covered = "SELECT (SELECT count(DISTINCT venue) FROM trades) = 3 AND (SELECT count(DISTINCT channel) FROM coverage \
         WHERE channel IN ('depth', 'diff_order_book') AND verdict IN ('proved', 'consistent')) = 2";
    recording.until(&sources, covered);

    // XBT and BTC are one, whoever spells it how.
    let trades = "SELECT DISTINCT venue, base FROM trades ORDER BY venue";
    assert_eq!(recording.rows(trades), ["binance_us XBT", "bitstamp XBT", "coinflex XBT"]);
    let alive =
        "SELECT venue, market, counter, price, quantity, time_utc FROM trades WHERE venue <> 'coinflex' ORDER BY venue";
    assert_eq!(
        recording.rows(alive),
        [
            "binance_us BTCUSDT USDT 0.00100000 100.00000000 2022-12-31T19:43:02.136000000Z",
            "bitstamp btcusd USD 9334.73 0.00598803 2020-01-29T22:25:51.488517000Z",
        ]
    );
    let levels = "SELECT DISTINCT venue, is_snapshot FROM book_levels ORDER BY venue, is_snapshot";
    assert_eq!(recording.rows(levels), ["binance_us 0", "binance_us 1", "bitstamp 0", "bitstamp 1"]);
    assert_eq!(recording.verify(), "");

    let again = recording.database().with_file_name("again.db");
    Command::cargo_bin("feedtape")
        .unwrap()
        .arg("rebuild")
        .arg(recording.database())
        .arg("--into")
        .arg(&again)
        .assert()
        .success();
    for query in [trades, alive, levels, "SELECT * FROM coverage ORDER BY stream, from_at", "SELECT * FROM book_levels"]
    {
        assert_eq!(of(&again, query), of(&recording.database(), query), "{query}");
    }
}

fn of(path: &Path, query: &str) -> Vec<String> {
    rows(&rusqlite::Connection::open(path).unwrap(), query)
}
