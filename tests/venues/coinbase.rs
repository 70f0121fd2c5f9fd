//! Coinbase Advanced Trade.
//!
//! Message types without a capture are frames of the page "Advanced Trade WebSocket Channels" of the venue's
//! documentation (docs.cdp.coinbase.com, advanced-trade-apis/websocket/websocket-channels), byte for byte but for the
//! white space between tokens and, where said, the sequence number.

use feedtape::model::{Event, Id, Level, Number, Patch, Price, Timestamp};
use feedtape::venue::by_name;

use crate::captures;
use crate::recording::Recording;
use crate::script::{Script, Wanted, mutations, plan};
use crate::server::Server;

const HEARTBEAT: &str = r#"{"channel":"heartbeats","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z","sequence_num":0,"events":[{"current_time":"2023-06-23 20:31:56.121961769 +0000 UTC m=+91717.525857105","heartbeat_counter":"3049"}]}"#;
const TRADES: &str = r#"{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":0,"events":[{"type":"snapshot","trades":[{"trade_id":"000000000","product_id":"ETH-USD","price":"1260.01","size":"0.3","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}"#;
const TICKER: &str = r#"{"channel":"ticker","client_id":"","timestamp":"2023-02-09T20:30:37.167359596Z","sequence_num":0,"events":[{"type":"snapshot","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"21932.98","volume_24_h":"16038.28770938","low_24_h":"21835.29","high_24_h":"23011.18","low_52_w":"15460","high_52_w":"48240","price_percent_chg_24_h":"-4.15775596190603","best_bid":"21931.98","best_bid_quantity":"8000.21","best_ask":"21933.98","best_ask_quantity":"8038.07770938"}]}]}"#;
const LEVELS: &str = r#"{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"21921.73","new_quantity":"0.06317902"},{"side":"bid","event_time":"1970-01-01T00:00:00Z","price_level":"21921.3","new_quantity":"0.02"}]}]}"#;

/// Two products as the REST path of public products lists them, fields that are of no interest here left out.
const PRODUCTS: &str = r#"{"products":[{"product_id":"BTC-USD","price":"68925.98","base_increment":"0.00000001","quote_increment":"0.01","quote_currency_id":"USD","base_currency_id":"BTC","product_type":"SPOT","alias":"","alias_to":["BTC-USDC"],"price_increment":"0.01"},{"product_id":"BTC-USDC","price":"68923.67","base_increment":"0.00000001","quote_increment":"0.01","quote_currency_id":"USDC","base_currency_id":"BTC","product_type":"SPOT","alias":"BTC-USD","alias_to":[],"price_increment":"0.01"}],"num_products":2,"pagination":null}"#;

/// A frame of the documentation as the n-th of its connection.
fn numbered(frame: &str, number: u64) -> String {
    frame.replace(r#""sequence_num":0"#, &format!(r#""sequence_num":{number}"#))
}

fn echo(number: u64, subscriptions: &str) -> String {
    format!(
        r#"{{"channel":"subscriptions","client_id":"","timestamp":"2026-08-24T22:34:13.813379359Z","sequence_num":{number},"events":[{{"subscriptions":{subscriptions}}}]}}"#
    )
}

/// Side, price and quantity of every level as they are stored, snapshots apart from updates.
fn levels(script: &Script) -> Vec<(bool, Vec<String>)> {
    let text = |number: Option<&Number>| match number.unwrap() {
        Number::Scaled(value) => value.to_string(),
        Number::Text(text) => (**text).clone(),
    };
    let of = |event: &Event| match event {
        Event::Levels(levels) => {
            let level = |level: &Level| {
                let (price, quantity) = (level.price.as_ref(), level.quantity.as_ref());
                let (price, quantity) = (text(price.map(|price| &price.0)), text(quantity.map(|quantity| &quantity.0)));
                format!("{:?} {price} {quantity}", level.side)
            };
            Some((levels.is_snapshot, levels.levels.iter().map(level).collect()))
        }
        _ => None,
    };
    script.events.iter().filter_map(of).collect()
}

fn timeline(script: &Script, stream: &str) -> String {
    let states = script.timeline(stream).into_iter().map(|(at, state)| format!("{at} {state}"));
    states.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_captured_connection_is_proved_from_its_snapshot_to_its_last_number() {
    let Some(frames) = captures::lines("coinbase_l2.jsonl") else { return };
    let script = Script::replay("coinbase", frames.iter().map(String::as_str));
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!(timeline(&script, "level2 BTC-USD"), "1 proved, 12 unverifiable, 13 not_running");
    let levels = levels(&script);
    assert_eq!(levels.iter().map(|(_, levels)| levels.len()).collect::<Vec<_>>(), [30, 0, 2, 0, 3, 0, 4, 1, 0, 2, 1]);
    assert_eq!(levels.iter().filter(|(is_snapshot, _)| *is_snapshot).count(), 1);
    // The first quantity, 0.0476177, sets the scale; the finer ones of its frame are exact texts.
    assert_eq!(levels[0].1[..2], ["Bid 7885605 476177", "Bid 7885579 0.00050725"]);
    assert_eq!(levels[0].1[29], "Ask 7886710 100440");
    assert_eq!(levels[6].1[2], "Bid 7885448 0", "a level that leaves");
    assert_eq!(levels[10].1, ["Ask 7885606 8023149"]);
    let time = |event: &Event| match event {
        Event::Levels(levels) => levels.time.map(|time| time.to_string()),
        _ => None,
    };
    let times: Vec<_> = script.events.iter().filter_map(time).collect();
    assert_eq!(
        (times[0].as_str(), times[10].as_str()),
        ("2026-08-24T22:34:13.793075885Z", "2026-08-24T22:34:14.032071137Z")
    );
}

#[test]
fn a_captured_frame_that_is_missing_or_out_of_place_ends_what_is_proved() {
    let Some(frames) = captures::lines("coinbase_l2.jsonl") else { return };
    for (what, mutated) in mutations(&frames) {
        let end = mutated.len() + 1;
        let script = Script::replay("coinbase", mutated);
        let (how, place) = what.split_once(' ').unwrap();
        let place: usize = place.parse().unwrap();
        let is_last = place == frames.len() - 1;
        let expected = match how {
            // Without its snapshot, or with one that is older than what came before it, a book has no beginning.
            "without" | "swapped" if place == 0 => format!("{end} not_running"),
            // Nothing is claimed behind the last number that was in place.
            "without" if is_last => format!("1 proved, {place} unverifiable, {end} not_running"),
            "twice" if is_last => format!("1 proved, {} unverifiable, {end} not_running", end - 2),
            // What came twice changes nothing: levels are absolute.
            "twice" => format!("1 proved, {} unverifiable, {end} not_running", end - 1),
            _ if place == 1 => format!("1 sequence_broken, {end} not_running"),
            // Also where it is the answer to the request that is missing: it has a number as all frames have.
            _ => format!("1 proved, {place} sequence_broken, {end} not_running"),
        };
        assert_eq!(timeline(&script, "level2 BTC-USD"), expected, "{what}");
        let repeated = script.count(|event| matches!(event, Event::Finding(_)));
        assert!(how != "twice" || repeated == 1, "{what}: {repeated}");
    }
}

#[test]
fn the_documented_messages_become_rows() {
    for frame in [HEARTBEAT, TRADES, TICKER, LEVELS] {
        let script = Script::replay("coinbase", [frame]);
        assert_eq!(script.odd(), Vec::<String>::new(), "{frame}");
    }
    let scaled = |number: &Number| number.as_scaled().unwrap();
    let script = Script::replay("coinbase", [TRADES]);
    let trades: Vec<_> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Trade(trade) => Some(trade),
            _ => None,
        })
        .collect();
    let [trade] = trades[..] else { panic!("{trades:?}") };
    assert_eq!(trade.id, Some(Id::Text(Box::new("000000000".to_owned()))));
    assert_eq!((scaled(&trade.price.as_ref().unwrap().0), scaled(&trade.quantity.as_ref().unwrap().0)), (126_001, 3));
    assert_eq!(trade.taker_is_bid, Some(false), "the side that is told is the maker's");
    assert_eq!(trade.time.unwrap().to_string(), "2019-08-14T20:42:27.265000000Z");
    let script = Script::replay("coinbase", [TICKER]);
    let tickers: Vec<_> = script
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Ticker(ticker) => Some(ticker),
            _ => None,
        })
        .collect();
    let [ticker] = tickers[..] else { panic!("{tickers:?}") };
    let price = |price: &Patch<Price>| scaled(&price.value().unwrap().0);
    assert_eq!([price(&ticker.last), price(&ticker.bid), price(&ticker.ask)], [2_193_298, 2_193_198, 2_193_398]);
    assert_eq!([price(&ticker.low), price(&ticker.high)], [2_183_529, 2_301_118]);
    // Finer than the quantity that came first.
    assert_eq!(ticker.volume.value().unwrap().0, Number::Text(Box::new("16038.28770938".to_owned())));
    let script = Script::replay("coinbase", [LEVELS]);
    assert_eq!(levels(&script), [(true, vec!["Bid 2192173 6317902".to_owned(), "Bid 2192130 2000000".to_owned()])]);
    let script = Script::replay("coinbase", [HEARTBEAT]);
    assert_eq!(timeline(&script, "heartbeats"), "1 unverifiable, 2 not_running");
}

#[test]
fn what_the_venue_lists_is_agreed_to_and_what_it_leaves_out_of_a_request_is_refused() {
    let wanted: &[Wanted<'_>] = &[("level2", &["BTC-USD", "NO-SUCH"], &[]), ("market_trades", &["ETH-USD"], &[])];
    let mut script = Script::open(plan("coinbase", wanted), None);
    assert_eq!(
        script.take_sent(),
        [
            r#"{"channel":"heartbeats","type":"subscribe"}"#,
            r#"{"channel":"level2","product_ids":["BTC-USD","NO-SUCH"],"type":"subscribe"}"#,
            r#"{"channel":"market_trades","product_ids":["ETH-USD"],"type":"subscribe"}"#,
        ]
    );
    script.receive(&echo(0, r#"{"heartbeats":["heartbeats"]}"#));
    script.receive(&numbered(LEVELS, 1));
    script.receive(&echo(2, r#"{"heartbeats":["heartbeats"],"level2":["BTC-USD"]}"#));
    assert_eq!(script.state("level2 NO-SUCH"), "refused");
    assert_eq!([script.state("heartbeats"), script.state("level2 BTC-USD")], ["proved", "proved"]);
    assert_eq!(script.state("market_trades ETH-USD"), "not_acknowledged");
    script.receive(&echo(3, r#"{"heartbeats":["heartbeats"],"level2":["BTC-USD"],"market_trades":["ETH-USD"]}"#));
    script.receive(&numbered(TRADES, 4));
    assert_eq!(script.state("market_trades ETH-USD"), "proved");
    // A frame is missing, whosesoever: what has no state goes on behind the gap, a book is asked for anew.
    script.receive(&numbered(HEARTBEAT, 6));
    assert_eq!([script.state("market_trades ETH-USD"), script.state("level2 BTC-USD")], ["proved", "sequence_broken"]);
    assert!(
        script
            .changes()
            .iter()
            .any(|change| change.stream == "market_trades ETH-USD" && change.state == "sequence_broken")
    );
    if script.sent.is_empty() {
        script.wait();
    }
    assert_eq!(
        script.take_sent(),
        [
            r#"{"channel":"level2","product_ids":["BTC-USD"],"type":"unsubscribe"}"#,
            r#"{"channel":"level2","product_ids":["BTC-USD"],"type":"subscribe"}"#,
        ]
    );
    script.receive(&echo(7, r#"{"heartbeats":["heartbeats"],"market_trades":["ETH-USD"]}"#));
    script.receive(&numbered(LEVELS, 8));
    assert_eq!(script.state("level2 BTC-USD"), "proved");
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn an_error_refuses_the_oldest_request_without_an_answer() {
    let mut script = Script::open(plan("coinbase", &[("ticker", &["BTC-USD"], &[])]), None);
    script.receive(&echo(0, r#"{"heartbeats":["heartbeats"]}"#));
    script.receive(r#"{"type":"error","message":"authentication failure"}"#);
    assert_eq!([script.state("heartbeats"), script.state("ticker BTC-USD")], ["proved", "refused"]);
    assert_eq!(script.odd(), Vec::<String>::new());
    // Of two that are open it is the one that went out first, and all that it asked for; the other waits on.
    let wanted = plan("coinbase", &[("ticker", &["BTC-USD", "ETH-USD"], &[]), ("market_trades", &["BTC-USD"], &[])]);
    let mut script = Script::open(wanted, None);
    script.receive(&echo(0, r#"{"heartbeats":["heartbeats"]}"#));
    let sent = script.take_sent();
    let place = |channel: &str| sent.iter().position(|frame| frame.contains(&format!("\"{channel}\""))).unwrap();
    assert!(place("market_trades") < place("ticker"), "{sent:?}");
    script.receive(r#"{"type":"error","message":"authentication failure"}"#);
    let states = |script: &Script| {
        ["market_trades BTC-USD", "ticker BTC-USD", "ticker ETH-USD"].map(|stream| script.state(stream))
    };
    assert_eq!(states(&script), ["refused", "not_acknowledged", "not_acknowledged"]);
    script.receive(r#"{"type":"error","message":"authentication failure"}"#);
    assert_eq!(states(&script), ["refused", "refused", "refused"]);
}

#[test]
fn a_snapshot_of_five_megabytes_is_recorded_from_the_wire_at_the_scales_of_the_list() {
    let level = |n: u32| {
        let side = if n < 22_000 { "bid" } else { "offer" };
        format!(
            r#"{{"side":"{side}","event_time":"2026-08-24T22:34:13.483122Z","price_level":"{n}.05","new_quantity":"0.0476177"}}"#
        )
    };
    let updates = (1..=44_000).map(level).collect::<Vec<_>>().join(",");
    let snapshot = format!(
        r#"{{"channel":"l2_data","timestamp":"2026-08-24T22:34:13.793075885Z","sequence_num":1,"events":[{{"type":"snapshot","product_id":"BTC-USD","updates":[{updates}]}}]}}"#
    );
    assert!(snapshot.len() > 4_800_000, "{}", snapshot.len());
    let server = Server::start(
        move |talk| {
            while let Some(asked) = talk.hear_json() {
                match asked["channel"].as_str().unwrap() {
                    "heartbeats" => talk.say(&echo(0, r#"{"heartbeats":["heartbeats"]}"#)),
                    "level2" => {
                        assert_eq!(asked["product_ids"], serde_json::json!(["BTC-USD"]));
                        talk.say(&snapshot);
                        talk.say(&echo(2, r#"{"heartbeats":["heartbeats"],"level2":["BTC-USD"]}"#));
                    }
                    other => panic!("{other}"),
                }
            }
        },
        |request| match request.line.as_str() {
            "GET /api/v3/brokerage/market/products" => (200, PRODUCTS.to_owned()),
            other => panic!("{other}"),
        },
    );
    let recording = Recording::new(&[]);
    let sources = format!(
        "[[source]]\nname = \"coinbase\"\nvenue = \"coinbase\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [[source.subscribe]]\nmethod = \"level2\"\nmarkets = [\"BTC-*\"]\n",
        server.url(),
        server.rest_url()
    );
    recording.until(&sources, "SELECT count(*) = 44000 FROM book_levels WHERE quantity = '0.04761770'");
    // At the end, what came behind the last frame is not known.
    let states = "SELECT reason FROM transition t JOIN stream s ON s.id = t.stream \
         WHERE channel = 'level2' AND state = 'covered' ORDER BY t.id";
    assert_eq!(recording.rows(states), ["proved", "unverifiable"]);
}

#[test]
fn the_list_of_products_gives_markets_and_leaves_aliases_out() {
    let catalog = by_name("coinbase").unwrap().catalog(&[PRODUCTS.as_bytes()], Timestamp(1)).unwrap();
    let names: Vec<_> = catalog.markets.iter().map(|market| market.name.as_str()).collect();
    assert_eq!(names, ["BTC-USD"]);
    let market = &catalog.markets[0];
    assert_eq!((market.base.as_str(), market.counter.as_str()), ("BTC", "USD"));
    assert_eq!((market.price_places, market.quantity_places, market.tick), (Some(2), Some(8), Some(1)));
    for bad in ["[]", "{}", "<html>"] {
        assert!(by_name("coinbase").unwrap().catalog(&[bad.as_bytes()], Timestamp(1)).is_err(), "{bad}");
    }
}

#[test]
fn whatever_a_peer_calls_things_rows_and_memory_are_bounded() {
    let mut script = Script::open(plan("coinbase", &[("ticker", &["BTC-USD"], &[])]), None);
    for n in 0..4_200_u64 {
        let trade = numbered(TRADES, 2 * n).replace("ETH-USD", &format!("A{n}-USD"));
        script.receive(&trade.replace(r#""trade_id""#, &format!(r#""field{n}":1,"trade_id""#)));
        script.receive(&numbered(TICKER, 2 * n + 1).replace(r#""ticker""#, &format!(r#""channel{n}""#)));
    }
    let count = |is_it: &dyn Fn(&Event) -> bool| script.events.iter().filter(|event| is_it(event)).count();
    assert!((4_096..8_200).contains(&count(&|event| matches!(event, Event::Market(..)))));
    assert!((1_000..1_010).contains(&count(&|event| matches!(event, Event::Stream(..)))));
    let told = count(&|event| matches!(event, Event::NotUnderstood(_)));
    // Each message that nobody knows, and 50 fields.
    assert!((4_250..=4_300).contains(&told), "{told}");
    let names: std::collections::BTreeSet<_> = script.odd().into_iter().collect();
    assert!((101..=152).contains(&names.len()), "{}", names.len());
    // What was met is still understood.
    let trade = script.receive(&numbered(TRADES, 8_400).replace("ETH-USD", "A7-USD"));
    assert!(trade.iter().any(|event| matches!(event, Event::Trade(_))));
}
