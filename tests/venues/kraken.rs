//! Kraken WebSocket v2.

use feedtape::model::{Event, Id, Level, Number, OrderKind, Timestamp};

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

/// The worked example of the guide "Spot WebSockets (v2): Level3 checksum" in Kraken's documentation, as price and
/// quantity of each order.
const BIDS: [(&str, &str); 21] = [
    ("44939.4", "0.88968699"),
    ("44939.4", "0.45210000"),
    ("44939.4", "0.10000000"),
    ("44939.4", "0.14296323"),
    ("44939.4", "0.25000000"),
    ("44939.4", "0.10292988"),
    ("44939.4", "0.33880000"),
    ("44939.4", "1.28140860"),
    ("44937.1", "0.03346877"),
    ("44934.7", "0.35630000"),
    ("44930.2", "0.22734299"),
    ("44930.2", "0.01000000"),
    ("44930.2", "0.05550000"),
    ("44930.2", "0.70000000"),
    ("44930.2", "0.15000000"),
    ("44928.0", "0.00105240"),
    ("44919.6", "0.33870000"),
    ("44919.5", "0.07610000"),
    ("44912.0", "0.35630000"),
    ("44909.7", "0.06690000"),
    ("44901.9", "0.00088982"),
];
const ASKS: [(&str, &str); 14] = [
    ("44939.5", "4.52308393"),
    ("44939.5", "0.00111261"),
    ("44939.5", "0.00100000"),
    ("44939.5", "0.01000000"),
    ("44950.0", "0.10334926"),
    ("44953.0", "0.00064537"),
    ("44955.0", "0.00250000"),
    ("44959.6", "0.35630000"),
    ("44959.6", "0.35630000"),
    ("44960.1", "0.00338072"),
    ("44960.2", "0.88967575"),
    ("44967.0", "3.14392283"),
    ("44978.5", "0.06778960"),
    ("44979.2", "0.35630000"),
];

/// A message of the channel `level3`, numbers as the wire has them.
fn level3(kind: &str, checksum: u32, bids: &[String], asks: &[String]) -> String {
    format!(
        r#"{{"channel":"level3","type":"{kind}","data":[{{"symbol":"BTC/USD","checksum":{checksum},"bids":[{}],"asks":[{}]}}]}}"#,
        bids.join(","),
        asks.join(",")
    )
}

fn order(event: &str, id: &str, price: &str, quantity: &str) -> String {
    let event = if event.is_empty() { String::new() } else { format!(r#""event":"{event}","#) };
    format!(
        r#"{{{event}"order_id":"{id}","limit_price":{price},"order_qty":{quantity},"timestamp":"2024-01-08T12:26:39.526146327Z"}}"#
    )
}

#[test]
fn orders_are_checked_by_the_documented_checksum_and_by_their_place_in_the_queue() {
    let orders = |name: &str, list: &[(&str, &str)]| -> Vec<String> {
        list.iter()
            .enumerate()
            .map(|(n, (price, quantity))| order("", &format!("{name}{n}"), price, quantity))
            .collect()
    };
    let snapshot = level3("snapshot", 1_063_832_831, &orders("B", &BIDS), &orders("A", &ASKS));
    // The same orders after an update that takes one away and puts it back in its place: the checksum is known.
    let gone_and_back = level3(
        "update",
        1_063_832_831,
        &[order("delete", "B20", "44901.9", "0.00088982"), order("add", "B20", "44901.9", "0.00088982")],
        &[],
    );
    // The first of a queue goes behind the others: the same orders, in another order.
    let queued_anew = level3(
        "update",
        1_063_832_831,
        &[order("delete", "B0", "44939.4", "0.88968699"), order("add", "B0", "44939.4", "0.88968699")],
        &[],
    );
    let script = Script::replay("kraken", [snapshot.as_str(), gone_and_back.as_str(), queued_anew.as_str()]);
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!(
        script.timeline("level3 BTC/USD"),
        [(1, "checked".to_owned()), (2, "checksum_failed".to_owned()), (4, "not_running".to_owned())]
    );
    assert_eq!(
        script.count(|event| matches!(event, Event::BookSnapshot(book) if book.has_orders && book.orders.len() == 35)),
        1
    );
    assert_eq!(script.count(|event| matches!(event, Event::Order(_))), 4);
}

/// The examples of the documentation of Kraken's WebSocket v2 (docs.kraken.com/api/docs/websocket-v2), as they are there:
/// `trade`, `ticker`, `executions` and `balances`.
const DOCUMENTED_TRADES: &str = r#"{"channel":"trade","type":"snapshot","data":[{"symbol":"MATIC/USD","side":"buy","price":0.5147,"qty":6423.46326,"ord_type":"limit","trade_id":4665846,"timestamp":"2023-09-25T07:48:36.925533Z"},{"symbol":"MATIC/USD","side":"buy","price":0.5147,"qty":1136.19677815,"ord_type":"limit","trade_id":4665847,"timestamp":"2023-09-25T07:49:36.925603Z"}]}"#;
const DOCUMENTED_TICKER: &str = r#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"ALGO/USD","bid":0.10025,"bid_qty":740.0,"ask":0.10036,"ask_qty":1361.44813783,"last":0.10035,"volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17,"timestamp":"2023-09-25T09:04:31.742648Z"}]}"#;
const DOCUMENTED_EXECUTIONS: [&str; 3] = [
    r#"{"channel":"executions","type":"update","data":[{"order_id":"OK4GJX-KSTLS-7DZZO5","order_userref":3,"symbol":"BTC/USD","order_qty":0.005,"cum_cost":0.0,"time_in_force":"GTC","exec_type":"pending_new","side":"sell","order_type":"limit","limit_price_type":"static","limit_price":26500.0,"stop_price":0.0,"order_status":"pending_new","fee_usd_equiv":0.0,"fee_ccy_pref":"fciq","timestamp":"2023-09-22T10:33:05.709950Z"}],"sequence":8}"#,
    r#"{"channel":"executions","type":"update","data":[{"timestamp":"2023-09-22T10:33:05.709982Z","order_status":"new","exec_type":"new","order_userref":3,"order_id":"OK4GJX-KSTLS-7DZZO5"}],"sequence":9}"#,
    r#"{"channel":"executions","type":"update","data":[{"order_id":"OK4GJX-KSTLS-7DZZO5","order_userref":3,"exec_id":"TGBB7L-HT5LX-J3BZ4A","exec_type":"trade","trade_id":62887576,"symbol":"BTC/USD","side":"sell","last_qty":0.005,"last_price":26599.9,"liquidity_ind":"t","cost":132.9995,"order_type":"limit","timestamp":"2023-09-22T10:33:05.709993Z","order_status":"partially_filled","cum_qty":0.005,"cum_cost":132.9995,"avg_price":26599.9,"fee_usd_equiv":0.3458,"fees":[{"asset":"USD","qty":0.3458}]}],"sequence":10}"#,
];
const DOCUMENTED_BALANCES: [&str; 2] = [
    r#"{"channel":"balances","data":[{"asset":"BTC","asset_class":"currency","balance":1.2,"wallets":[{"type":"spot","id":"main","balance":1.2}]},{"asset":"MATIC","asset_class":"currency","balance":500,"wallets":[{"type":"spot","id":"main","balance":300},{"type":"earn","id":"flex","balance":200}]},{"asset":"USD","asset_class":"currency","balance":80595.4943,"wallets":[{"type":"spot","id":"main","balance":80595.4943}]}],"type":"snapshot","sequence":1}"#,
    r#"{"channel":"balances","type":"update","data":[{"ledger_id":"ADKKFF-WEA5A-CNUBHG","ref_id":"AGBWUJRU-LAREZ-W3UFAN","timestamp":"2023-09-22T10:23:42.925034Z","type":"deposit","asset":"BTC","asset_class":"currency","category":"deposit","wallet_type":"spot","wallet_id":"main","amount":0.01,"fee":0.0,"balance":0.02}],"sequence":2}"#,
];

#[test]
fn the_documented_trades_and_ticker_become_rows_with_nothing_left_over() {
    let script = Script::replay("kraken", [DOCUMENTED_TRADES, DOCUMENTED_TICKER]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let of = |event: &Event| match event {
        Event::Trade(trade) => Some((trade.id.clone(), trade.time, trade.taker_is_bid)),
        _ => None,
    };
    let trades: Vec<_> = script.events.iter().filter_map(of).collect();
    let buys = Some(true);
    assert_eq!(
        trades,
        [
            (Some(Id::Int(4_665_846)), Some(Timestamp(1_695_628_116_925_533_000)), buys),
            (Some(Id::Int(4_665_847)), Some(Timestamp(1_695_628_176_925_603_000)), buys),
        ]
    );
    let ticker = script.events.iter().find_map(|event| match event {
        Event::Ticker(ticker) => Some(ticker),
        _ => None,
    });
    let ticker = ticker.unwrap();
    // A price at the scale of the first one that came, 0.10035.
    let prices = [&ticker.last, &ticker.bid, &ticker.ask, &ticker.low, &ticker.high];
    let prices = prices.map(|price| scaled(price.value().map(AsRef::as_ref)));
    assert_eq!(prices, [10_035, 10_025, 10_036, 9_979, 10_285]);
    assert_eq!(ticker.time, Some(Timestamp(1_695_632_671_742_648_000)));
    assert_eq!(script.state("ticker ALGO/USD"), "not_running");
}

#[test]
fn the_documented_life_of_an_order_is_told_also_where_a_word_leaves_out_what_it_does_not_change() {
    let script = Script::replay("kraken", DOCUMENTED_EXECUTIONS);
    assert_eq!(script.odd(), Vec::<String>::new());
    let orders: Vec<_> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Order(order) => Some((order.kind, scaled(order.quantity.as_ref().map(AsRef::as_ref)), order.own)),
            _ => None,
        })
        .collect();
    assert_eq!(orders, [(OrderKind::Opened, -5, true), (OrderKind::Opened, -5, true)]);
    let fill = script.events.iter().find_map(|event| match event {
        Event::Trade(trade) => Some(trade),
        _ => None,
    });
    let fill = fill.unwrap();
    assert_eq!((fill.id.clone(), fill.own, fill.own_is_taker), (Some(Id::Int(62_887_576)), true, Some(true)));
    assert_eq!((fill.taker_is_bid, fill.bid.order.is_none(), fill.ask.order.is_some()), (Some(false), true, true));
    assert!(fill.ask.counter_fee.is_some());
    assert_eq!(fill.ask.other_fees, []);
}

#[test]
fn the_documented_balances_are_proved_by_their_numbers() {
    let script = Script::replay("kraken", DOCUMENTED_BALANCES);
    assert_eq!(script.odd(), Vec::<String>::new());
    let balances: Vec<_> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Balance(balance) => Some((balance.asset_name.clone().unwrap(), balance.is_snapshot)),
            _ => None,
        })
        .collect();
    let balances: Vec<_> = balances.iter().map(|(name, is_snapshot)| (name.as_ref(), *is_snapshot)).collect();
    assert_eq!(balances, [("BTC", true), ("MATIC", true), ("USD", true), ("BTC", false)]);
    assert_eq!(script.timeline("balances")[0], (1, "proved".to_owned()));
}

/// An execution of the documentation's kind, and the balances that go with it.
const TRADED: &str = r#"{"channel":"executions","type":"update","data":[{"order_id":"O7IBL5-O2V6X-EEXY4U","order_userref":0,"exec_id":"TJE7HC-DKBTI-5BFVKE","exec_type":"trade","trade_id":365573,"symbol":"BTC/USD","side":"buy","last_qty":0.02014889,"last_price":44939.5,"liquidity_ind":"t","cost":905.48104,"order_status":"filled","order_type":"limit","timestamp":"2024-05-18T05:41:33.480251Z","fee_usd_equiv":0.05083,"fees":[{"asset":"USD","qty":0.05083},{"asset":"KFEE","qty":1.25}]}],"sequence":2}"#;
const OPENED: &str = r#"{"channel":"executions","type":"snapshot","data":[{"order_id":"O7IBL5-O2V6X-EEXY4U","symbol":"BTC/USD","order_qty":0.05,"cum_cost":0.0,"cum_qty":0.01,"time_in_force":"GTC","exec_type":"status","side":"buy","order_type":"limit","limit_price_type":"static","limit_price":44940.0,"stop_price":0.0,"order_status":"partially_filled","fee_usd_equiv":0.0,"fee_ccy_pref":"fciq","timestamp":"2024-05-18T05:40:05.709950Z"}],"sequence":1}"#;
const BALANCES: &str = r#"{"channel":"balances","type":"snapshot","data":[{"asset":"BTC","asset_class":"currency","balance":1.2000000000,"wallets":[{"type":"spot","id":"main","balance":1.2000000000}]}],"sequence":1}"#;

#[test]
fn the_account_is_recorded_with_a_token_that_is_kept_nowhere() {
    let token = "1Dwc4lzSwNWOAwkMdqhssNNFhs1ed606d1WcF3XfEMw";
    let server = Server::start(
        move |talk| {
            while let Some(asked) = talk.hear_json() {
                let channel = asked["params"]["channel"].as_str().unwrap_or_default().to_owned();
                if channel != "instrument" {
                    assert_eq!(asked["params"]["token"], token);
                }
                acknowledgements(&asked).iter().for_each(|answer| talk.say(answer));
                match channel.as_str() {
                    "instrument" => talk.say(INSTRUMENTS),
                    "executions" => [OPENED, TRADED, TRADED].iter().for_each(|frame| talk.say(frame)),
                    "balances" => talk.say(BALANCES),
                    other => panic!("{other}"),
                }
            }
        },
        move |request| match request.line.as_str() {
            "POST /0/private/GetWebSocketsToken" => {
                (200, format!(r#"{{"error":[],"result":{{"token":"{token}","expires":900}}}}"#))
            }
            other => panic!("{other}"),
        },
    );
    let secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
    let recording = Recording::new(&[("key.txt", "the key"), ("secret.txt", secret)]);
    let sources = format!(
        "[[source]]\nname = \"mine\"\nvenue = \"kraken\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [source.account]\nkey = {{ file = \"key.txt\" }}\nsecret = {{ file = \"secret.txt\" }}\n\
         [[source.subscribe]]\nmethod = \"executions\"\n[[source.subscribe]]\nmethod = \"balances\"\n",
        server.url(),
        server.rest_url()
    );
    recording.until(&sources, "SELECT count(*) = 2 FROM transition WHERE reason = 'proved'");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("api-key"), Some("the key"));
    assert!(requests[0].body.starts_with("nonce=") && requests[0].header("api-sign").is_some());
    assert!(!recording.holds(token) && !recording.holds("the key") && !recording.holds(secret));
    assert!(recording.holds("[redacted]"));
    let fills = "SELECT side, role, price, quantity, total, counter_fee, other_fees, order_id FROM fills";
    let fill = "buy taker 44939.5 0.02014889 905.48104 0.05083 1.25 KFEE O7IBL5-O2V6X-EEXY4U";
    assert_eq!(recording.rows(fills), [fill]);
    assert_eq!(recording.rows("SELECT DISTINCT side, asset, amount FROM other_fees"), ["buy KFEE 1.25"]);
    assert_eq!(recording.rows("SELECT trade_id, own FROM trades"), ["365573 1"]);
    assert_eq!(
        recording.rows("SELECT order_id, side, state, price, filled FROM my_orders"),
        ["O7IBL5-O2V6X-EEXY4U buy open 44940.0 0.02014889"]
    );
    assert_eq!(recording.rows("SELECT asset, total, is_snapshot FROM balances"), ["BTC 1.2000000000 1"]);
    assert_eq!(recording.verify(), "");
    // The second copy of the fill had the number of the first.
    assert_eq!(recording.rows("SELECT check_name FROM finding"), ["came_twice"]);
}
