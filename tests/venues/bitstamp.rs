//! Bitstamp.

use std::sync::Arc;

use feedtape::crypto::Secret;
use feedtape::model::{
    BookLevels, BookSnapshot, Event, Id, Level, OrderEvent, OrderKind, Price, Quantity, Side, Timestamp, Trade,
};
use feedtape::venue::{Account, KeyAccount, RestMethod, by_name};

use crate::captures;
use crate::recording::Recording;
use crate::script::{Script, mutations, plan};
use crate::server::Server;

const L2: &str = "GET api/v2/order_book/btcusd/?group=1";
const L3: &str = "GET api/v2/order_book/btcusd/?group=2";

fn timeline(list: &[(i64, &str)]) -> Vec<(i64, String)> {
    list.iter().map(|(at, state)| (*at, (*state).to_owned())).collect()
}

fn orders(script: &Script) -> Vec<OrderEvent> {
    let of = |event: &Event| match event {
        Event::Order(order) => Some(order.clone()),
        _ => None,
    };
    script.events.iter().filter_map(of).collect()
}

fn books(script: &Script) -> Vec<BookSnapshot> {
    let of = |event: &Event| match event {
        Event::BookSnapshot(book) => Some(BookSnapshot::clone(book)),
        _ => None,
    };
    script.events.iter().filter_map(of).collect()
}

fn levels(script: &Script) -> Vec<BookLevels> {
    let of = |event: &Event| match event {
        Event::Levels(levels) => Some(BookLevels::clone(levels)),
        _ => None,
    };
    script.events.iter().filter_map(of).collect()
}

fn trades(script: &Script) -> Vec<Trade> {
    let of = |event: &Event| match event {
        Event::Trade(trade) => Some(Trade::clone(trade)),
        _ => None,
    };
    script.events.iter().filter_map(of).collect()
}

fn found(script: &Script) -> usize {
    script.count(|event| matches!(event, Event::Finding(_)))
}

/// The captured order events, and the book taken by REST just behind the last of them.
fn captured() -> Option<(Vec<String>, String)> {
    Some((captures::lines("bitstamp_live_orders.jsonl")?, captures::text("bitstamp_snapshot_l3.json")?))
}

#[test]
fn the_captured_orders_are_a_chain_that_is_proved_from_the_book_on() {
    let Some((frames, snapshot)) = captured() else { return };
    // The book was taken behind the last event; an earlier time stands for one that was taken between two events.
    let earlier = snapshot.replacen("1787620347152764", "1787620344675001", 1);
    let script = Script::replay_with("bitstamp", frames.iter().map(String::as_str), 101, L3, &earlier);
    assert_eq!(script.odd(), Vec::<String>::new());
    let expected = timeline(&[(101, "proved"), (501, "unverifiable"), (502, "not_running")]);
    assert_eq!(script.timeline("live_orders btcusd"), expected);
    let orders = orders(&script);
    let of_kind = |kind| orders.iter().filter(|order| order.kind == kind).count();
    let kinds = [OrderKind::Opened, OrderKind::Modified, OrderKind::Closed].map(of_kind);
    assert_eq!(kinds, [248, 2, 250]);
    let row = |order: &OrderEvent| (order.id.clone(), order.quantity.clone().unwrap(), order.price.clone().unwrap());
    assert_eq!(
        row(&orders[0]),
        (Id::Int(2_043_024_875_446_273), Quantity::scaled(25_000_000), Price::scaled(7_964_078))
    );
    assert_eq!(orders[0].time, Some(Timestamp(1_787_620_344_640_000_000)));
    assert_eq!(
        row(&orders[499]),
        (Id::Int(2_043_024_882_073_602), Quantity::scaled(62_795_328), Price::scaled(7_960_683))
    );
    let sold = orders.iter().find(|order| order.kind == OrderKind::Modified).unwrap();
    assert_eq!(row(sold), (Id::Int(2_043_024_863_952_899), Quantity::scaled(-2_178_180), Price::scaled(7_964_091)));
    let books = books(&script);
    let book = &books[0];
    assert_eq!((books.len(), book.has_orders, book.orders.len()), (1, true, 240));
    // The third event is the first behind the book's time. Connecting, opened and the answer come before it.
    assert_eq!(book.events_from.map(|seq| seq.0), Some(5));
    let entry = |n: usize| (book.orders[n].id.clone(), book.orders[n].quantity.clone());
    assert_eq!(entry(0), (Some(Id::Int(2_043_024_885_198_848)), Some(Quantity::scaled(19_000_000))));
    assert_eq!(entry(120), (Some(Id::Int(2_043_024_885_731_330)), Some(Quantity::scaled(-6_279_771))));
}

#[test]
fn a_captured_order_that_is_missing_doubled_or_out_of_place_is_never_called_proved() {
    let Some((frames, snapshot)) = captured() else { return };
    // The first forty, so that every position can be tried; the book as of the ninth event, which comes behind it.
    let (frames, behind) = (&frames[..41], 10);
    let ninth = snapshot.replacen("1787620347152764", "1787620344717000", 1);
    let last = frames.len() - 1;
    for (what, frames) in mutations(frames) {
        let (kind, n) = what.split_once(' ').unwrap();
        let (n, end) = (n.parse::<usize>().unwrap(), frames.len() as i64);
        let script = Script::replay_with("bitstamp", frames.iter().copied(), behind, L3, &ninth);
        let (is_broken_at, is_joined) = match kind {
            // What comes ahead of the book is in the book. Behind a hole just there, no event is old enough to join it.
            "without" if n == behind - 1 => (None, false),
            "swapped" if n == behind - 1 => (None, false),
            "swapped" if n == behind - 2 => (Some(behind), true),
            "without" if n >= behind && n < last => (Some(n), true),
            "swapped" if n >= behind => (Some(n), true),
            _ => (None, true),
        };
        let tail = if kind == "twice" && n == last { end - 1 } else { end };
        let mut expected = vec![(end + 1, "not_running")];
        match is_broken_at {
            Some(at) => expected.insert(0, (at as i64, "sequence_broken")),
            None if is_joined => expected.insert(0, (tail, "unverifiable")),
            None => {}
        }
        if is_joined && is_broken_at != Some(behind) {
            expected.insert(0, (behind as i64, "proved"));
        }
        assert_eq!(script.timeline("live_orders btcusd"), timeline(&expected), "{what}");
        assert_eq!(found(&script), usize::from(kind == "twice" && n > 0), "{what}");
        assert!(script.odd().is_empty(), "{what}");
    }
}

#[test]
fn wherever_in_the_capture_an_order_is_missing_or_out_of_place_the_chain_shows_it() {
    let Some((frames, snapshot)) = captured() else { return };
    let (behind, at) = (10, 11);
    for n in at..frames.len() - 2 {
        let window: Vec<_> = frames[n - at..n + 3].iter().map(String::as_str).collect();
        let ninth: serde_json::Value = serde_json::from_str(window[9]).unwrap();
        let book = snapshot.replacen("1787620347152764", ninth["data"]["microtimestamp"].as_str().unwrap(), 1);
        let (mut missing, mut doubled, mut swapped) = (window.clone(), window.clone(), window.clone());
        missing.remove(at);
        doubled.insert(at, window[at]);
        swapped.swap(at, at + 1);
        for (frames, is_seen) in [(missing, true), (swapped, true), (doubled, false)] {
            let end = frames.len() as i64;
            let (until, state) = if is_seen { (at as i64, "sequence_broken") } else { (end, "unverifiable") };
            let script = Script::replay_with("bitstamp", frames, behind, L3, &book);
            let expected = timeline(&[(10, "proved"), (until, state), (end + 1, "not_running")]);
            assert_eq!(script.timeline("live_orders btcusd"), expected, "frame {n}");
        }
    }
}

#[test]
fn the_captured_differences_are_consistent_from_the_book_on_and_never_proved() {
    let (Some(frames), Some(snapshot)) =
        (captures::lines("bitstamp_diff.jsonl"), captures::text("bitstamp_snapshot.json"))
    else {
        return;
    };
    let script = Script::replay_with("bitstamp", frames.iter().map(String::as_str), 9, L2, &snapshot);
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!(
        script.timeline("diff_order_book btcusd"),
        timeline(&[(9, "consistent"), (13, "not_running")]),
        "{:?}",
        script.changes()
    );
    let levels = levels(&script);
    assert_eq!(levels.len(), 12);
    let level = |side, price, quantity| Level {
        side,
        price: Some(Price::scaled(price)),
        quantity: Some(Quantity::scaled(quantity)),
    };
    assert_eq!((levels[0].levels.len(), levels[0].time), (21, Some(Timestamp(1_787_612_486_338_338_000))));
    assert_eq!(levels[0].levels[0], level(Side::Bid, 7_870_359, 11_568_628));
    assert_eq!(levels[11].levels.last(), Some(&level(Side::Ask, 7_873_226, 0)));
    let book = levels.iter().find(|levels| levels.is_snapshot).unwrap();
    assert_eq!(book.levels[0], level(Side::Bid, 7_870_650, 17_352_715));
    // The eighth difference is the last that is older than the book; the ninth comes behind the answer.
    assert_eq!(book.events_from, None);
    for (what, frames) in mutations(&frames) {
        let script = Script::replay_with("bitstamp", frames, 9, L2, &snapshot);
        let changes = script.changes();
        assert!(changes.iter().all(|change| change.state != "proved" && change.state != "checked"), "{what}");
        // All that this scheme sees is that a time went back.
        let (kind, n) = what.split_once(' ').unwrap();
        let is_seen = kind == "swapped" && n.parse::<usize>().unwrap() >= 8;
        assert_eq!(changes.iter().any(|change| change.state == "unverifiable"), is_seen, "{what}");
    }
}

/// Frames of the channels that no capture has. The public ones as clients recorded them (the tests of
/// thrasher-corp/gocryptotrader, `exchanges/bitstamp/bitstamp_websocket_test.go`), the account's as the tests of a Go
/// client have them, field by field as https://www.bitstamp.net/websocket/v2/ lists them.
const TRADE: &str = r#"{"data":{"microtimestamp":"1580336751488517","amount":0.00598803,"buy_order_id":4621328909,"sell_order_id":4621329035,"amount_str":"0.00598803","price_str":"9334.73","timestamp":"1580336751","price":9334.73,"type":1,"id":104007706},"event":"trade","channel":"live_trades_btcusd"}"#;
const BOOK: &str = r#"{"data":{"timestamp":"1580336834","microtimestamp":"1580336834607546","bids":[["9328.28","0.05925332"],["9327.34","0.43120000"]],"asks":[["9337.10","0.03000000"],["9340.85","2.67820000"]]},"event":"data","channel":"order_book_btcusd"}"#;
const MY_TRADE: &str = r#"{"data":{"id":256568732,"amount":"15.00000","price":"0.99982","microtimestamp":"1669538134992000","fee":"0.003","order_id":1559359938404352,"side":"buy"},"channel":"private-my_trades_usdtusd-1106202","event":"trade"}"#;
const MY_ORDER: &str = r#"{"data":{"id":1559367229386752,"id_str":"1559367229386752","order_type":0,"datetime":"1669539865","microtimestamp":"1669539864644000","amount":15,"amount_str":"15.00000","price":0.99931,"price_str":"0.99931"},"channel":"private-my_orders_usdtusd-1106202","event":"order_created"}"#;
const MY_REPLACED: &str = r#"{"event":"order_replaced","channel":"private-my_orders_btcusd-perp-123456","trade_account_id":0,"event_id":"019f4ac8-5e3b-11ef-af00-3e9012000021","order_source":"orderbook","data":{"id":1500000002,"id_str":"1500000002","orig_order_id":1500000001,"client_order_id":"my-order-002","amount":0.3,"amount_str":"0.30000000","amount_traded":"0.00000000","amount_at_create":"0.30000000","price":61500.00,"price_str":"61500.00","order_type":0,"order_subtype":8,"datetime":"1712131201","microtimestamp":"1712131201000000","trade_account_id":0,"is_liquidation":false}}"#;
const MY_STOP: &str = r#"{"event":"stop_active","channel":"private-my_orders_btcusd-perp-123456","data":{"id":1500000003,"id_str":"1500000003","amount":0.01,"amount_str":"0.01000","amount_traded":"0","amount_at_create":"0.01000","price":83000,"price_str":"83000","order_type":1,"order_subtype":22,"datetime":"1712131202","microtimestamp":"1712131202000000","trade_account_id":0,"is_liquidation":false,"reduce_only":true,"stop_price":"83500"}}"#;
const RECONNECT: &str = r#"{"event":"bts:request_reconnect","channel":"","data":""}"#;
const HEARTBEAT: &str = r#"{"event":"bts:heartbeat","channel":"","data":{"status":"success"}}"#;
const REFUSED: &str =
    r#"{"event":"bts:error","channel":"","data":{"code":null,"message":"Invalid channel provided."}}"#;
const UNAUTHORIZED: &str =
    r#"{"event":"bts:error","channel":"","data":{"code":4009,"message":"Connection is unauthorized."}}"#;
/// The answer that ccxt's `pro/bitstamp` quotes.
const TOKEN: &str = r#"{"valid_sec":60,"token":"siPaT4m6VGQCdsDCVbLBemiphHQs552e","user_id":4848701}"#;
const KEPT: &str = r#"{"token":"[redacted]","user_id":4848701,"valid_sec":60}"#;

#[test]
fn a_trade_is_read_from_its_texts_and_not_from_its_floats() {
    let tiny = TRADE.replace("0.00598803,", "6.158e-05,").replace("\"0.00598803\"", "\"0.00006158\"");
    let long = tiny.replace(r#""id":104007706"#, r#""id":2001939623936278528,"id_str":"2001939623936278528""#);
    let script = Script::replay("bitstamp", [TRADE, &tiny, &long]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let trades = trades(&script);
    let first = &trades[0];
    assert_eq!((first.id.clone(), first.taker_is_bid, first.own), (Some(Id::Int(104_007_706)), Some(false), false));
    assert_eq!(
        (first.price.clone(), first.quantity.clone()),
        (Some(Price::scaled(933_473)), Some(Quantity::scaled(598_803)))
    );
    assert_eq!(
        (first.bid.order.clone(), first.ask.order.clone()),
        (Some(Id::Int(4_621_328_909)), Some(Id::Int(4_621_329_035)))
    );
    assert_eq!(first.time, Some(Timestamp(1_580_336_751_488_517_000)));
    assert_eq!(trades[1].quantity, Some(Quantity::scaled(6_158)));
    assert_eq!(trades[2].id, Some(Id::Int(2_001_939_623_936_278_528)));
    assert_eq!(script.timeline("live_trades btcusd"), timeline(&[(1, "consistent"), (4, "not_running")]));
}

#[test]
fn a_whole_book_is_whole_each_time() {
    let script = Script::replay("bitstamp", [BOOK]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let levels = levels(&script);
    assert_eq!((levels.len(), levels[0].is_snapshot, levels[0].levels.len()), (1, true, 4));
    assert_eq!(levels[0].levels[3].price, Some(Price::scaled(934_085)));
    assert_eq!(script.timeline("order_book btcusd"), timeline(&[(1, "consistent"), (2, "not_running")]));
}

#[test]
fn the_accounts_fills_and_orders_are_its_own() {
    let script = Script::replay("bitstamp", [MY_TRADE, MY_ORDER, MY_REPLACED, MY_STOP]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let trades = trades(&script);
    let trade = &trades[0];
    assert!(trade.own && trade.taker_is_bid.is_none());
    assert_eq!(
        (trade.id.clone(), trade.bid.order.clone()),
        (Some(Id::Int(256_568_732)), Some(Id::Int(1_559_359_938_404_352)))
    );
    assert!(trade.bid.counter_fee.is_some() && trade.ask == Default::default());
    let orders = orders(&script);
    assert!(orders.iter().all(|order| order.own));
    let row = |n: usize| (orders[n].kind, orders[n].id.clone(), orders[n].quantity.clone());
    assert_eq!(row(0), (OrderKind::Opened, Id::Int(1_559_367_229_386_752), Some(Quantity::scaled(1_500_000))));
    // The one that was replaced is gone, and another is there.
    assert_eq!(row(1), (OrderKind::Closed, Id::Int(1_500_000_001), None));
    assert_eq!(row(2), (OrderKind::Opened, Id::Int(1_500_000_002), Some(Quantity::scaled(30_000_000))));
    assert_eq!(orders.len(), 3);
    assert_eq!(script.count(|event| matches!(event, Event::Control(control) if control.kind == "stop_active")), 1);
    assert_eq!(script.streams().last().unwrap(), "private-my_orders btcusd-perp");
    let states = script.timeline("private-my_trades usdtusd");
    assert_eq!(states, timeline(&[(1, "unverifiable"), (5, "not_running")]));
}

#[test]
fn a_wish_to_reconnect_is_obeyed_and_a_refusal_is_of_what_was_asked_for_first() {
    let wanted = plan("bitstamp", &[("live_trades", &["btcusd", "BAD", "ethusd"], &[])]);
    let mut script = Script::open(wanted, None);
    assert_eq!(
        script.take_sent(),
        ["btcusd", "BAD", "ethusd"]
            .map(|name| format!(r#"{{"data":{{"channel":"live_trades_{name}"}},"event":"bts:subscribe"}}"#))
    );
    for name in ["btcusd", "ethusd"] {
        script.receive(&format!(
            r#"{{"event":"bts:subscription_succeeded","channel":"live_trades_{name}","data":{{}}}}"#
        ));
    }
    script.receive(REFUSED);
    let states = ["btcusd", "BAD", "ethusd"].map(|name| script.state(&format!("live_trades {name}")));
    assert_eq!(states, ["consistent", "refused", "consistent"]);
    script.wait();
    assert_eq!(script.take_sent(), [r#"{"event":"bts:heartbeat"}"#]);
    script.receive(HEARTBEAT);
    assert!(script.wishes.is_empty());
    script.receive(RECONNECT);
    assert!(format!("{:?}", script.wishes).contains("asks for a new connection"), "{:?}", script.wishes);
    assert_eq!(script.odd(), Vec::<String>::new());
}

fn account() -> Option<Arc<Account>> {
    let [key, secret] = ["key", "secret"].map(|text| Secret::new(text.to_owned()));
    Some(Arc::new(Account::Key(KeyAccount { key, secret, passphrase: None })))
}

#[test]
fn private_channels_wait_for_a_token_and_are_named_after_the_user() {
    let wanted = plan("bitstamp", &[("private-my_trades", &["btcusd"], &[]), ("live_trades", &["btcusd"], &[])]);
    let mut script = Script::open(feedtape::journal::Plan { logs_in: true, ..wanted }, account());
    assert_eq!(script.take_sent(), [r#"{"data":{"channel":"live_trades_btcusd"},"event":"bts:subscribe"}"#]);
    let request = script.requests.pop().unwrap();
    assert_eq!((request.method, request.path.as_str()), (RestMethod::Post, "api/v2/websockets_token/"));
    assert!(request.is_secret && request.body.is_none());
    let header = |name: &str| request.headers.iter().find(|(known, _)| *known == name).unwrap().1.expose();
    assert_eq!((header("X-Auth"), header("X-Auth-Version")), ("BITSTAMP key", "v2"));
    // 1000 s after the epoch, where the clock of the test starts.
    assert_eq!((header("X-Auth-Timestamp"), header("X-Auth-Nonce").len()), ("1000000", 36));
    let signed =
        format!("BITSTAMP keyPOSTwww.bitstamp.net/api/v2/websockets_token/{}1000000v2", header("X-Auth-Nonce"));
    let expected = feedtape::crypto::hex(&feedtape::crypto::hmac_sha256(b"secret", signed.as_bytes()));
    assert_eq!(header("X-Auth-Signature"), expected);

    script.session.entrust(request.request, TOKEN.as_bytes());
    let kept = by_name("bitstamp").unwrap().redact_answer(TOKEN.as_bytes());
    assert_eq!(std::str::from_utf8(&kept).unwrap(), KEPT);
    script.wire.clear();
    script.answer(request.request, "POST api/v2/websockets_token/", KEPT);
    let asked = r#"{"data":{"auth":"siPaT4m6VGQCdsDCVbLBemiphHQs552e","channel":"private-my_trades_btcusd-4848701"},"event":"bts:subscribe"}"#;
    assert_eq!(script.wire, [asked]);
    let redacted = asked.replace("siPaT4m6VGQCdsDCVbLBemiphHQs552e", "[redacted]");
    assert_eq!(script.take_sent(), [redacted.as_str()]);
    assert_eq!(by_name("bitstamp").unwrap().redact(asked), redacted);
    // The public stream was asked for before, but it is the private one that is unauthorized: another token is had.
    script.receive(UNAUTHORIZED);
    assert_eq!(script.state("private-my_trades btcusd"), "refused");
    assert_eq!(script.state("live_trades btcusd"), "not_acknowledged");
    assert_eq!(script.requests.pop().unwrap().path, "api/v2/websockets_token/");
}

#[test]
fn a_key_that_is_refused_is_not_tried_again() {
    let wanted = plan("bitstamp", &[("private-my_trades", &["btcusd"], &[])]);
    let mut script = Script::open(feedtape::journal::Plan { logs_in: true, ..wanted }, account());
    let request = script.requests.pop().unwrap();
    let path = "POST api/v2/websockets_token/".to_owned();
    let (request, error) = (request.request, None);
    let answer = feedtape::journal::RestAnswer { request, path, status: Some(403), error };
    script.give(&feedtape::journal::Input::Rest(answer, br#"{"status":"error"}"#.into()));
    assert!(format!("{:?}", script.wishes).starts_with("[StopLogins"), "{:?}", script.wishes);
    assert!(script.requests.is_empty());
}

/// An entry as https://www.bitstamp.net/api/ lists its fields, with the values that gbeced/basana has in its tests.
const LISTED: &str = r#"[{"name":"BTC/USD","url_symbol":"btcusd","base_decimals":8,"counter_decimals":0,
    "instant_order_counter_decimals":2,"minimum_order":"10 USD","trading":"Enabled",
    "instant_and_market_orders":"Enabled","description":"Bitcoin / U.S. dollar"},{"name":"BROKEN"}]"#;

#[test]
fn the_documented_list_of_pairs_is_a_catalog() {
    let venue = by_name("bitstamp").unwrap();
    let catalog = venue.catalog(&[LISTED.as_bytes()], Timestamp(7)).unwrap();
    assert_eq!(catalog.markets.len(), 1);
    let market = catalog.market("btcusd").unwrap();
    assert_eq!((market.base.as_str(), market.counter.as_str()), ("BTC", "USD"));
    assert_eq!((market.price_places, market.quantity_places, market.tick), (Some(0), Some(8), Some(1)));
    assert_eq!(catalog.asset("BTC").unwrap().places, Some(8));
    let error = venue.catalog(&[b"{}"], Timestamp(7)).unwrap_err().to_string();
    assert_eq!(error, "api/v2/trading-pairs-info/: not a list");
}

#[test]
fn on_the_wire_the_token_is_kept_nowhere_and_a_wish_to_reconnect_is_obeyed() {
    let Some((frames, snapshot)) = captured() else { return };
    let token = "siPaT4m6VGQCdsDCVbLBemiphHQs552e";
    let server = Server::start(
        move |talk| {
            talk.ping(b"");
            while let Some(asked) = talk.hear_json() {
                let Some(channel) = asked["data"]["channel"].as_str() else {
                    talk.say(HEARTBEAT);
                    continue;
                };
                if channel.contains("NOT") {
                    talk.say(REFUSED);
                    continue;
                }
                talk.say(&format!(r#"{{"event":"bts:subscription_succeeded","channel":"{channel}","data":{{}}}}"#));
                match channel {
                    "live_orders_btcusd" => {
                        frames[1..].iter().for_each(|frame| talk.say(frame));
                    }
                    "private-my_trades_usdtusd-4848701" => {
                        assert_eq!(asked["data"]["auth"], "siPaT4m6VGQCdsDCVbLBemiphHQs552e");
                        talk.say(&MY_TRADE.replace("1106202", "4848701"));
                        if talk.number == 0 {
                            talk.say(RECONNECT);
                        }
                    }
                    other => panic!("{other}"),
                }
            }
        },
        move |request| match request.line.as_str() {
            "POST /api/v2/websockets_token/" => (200, TOKEN.to_owned()),
            "GET /api/v2/order_book/btcusd/?group=2" => (200, snapshot.clone()),
            _ => (404, String::new()),
        },
    );
    let recording = Recording::new(&[("key.txt", "the key"), ("secret.txt", "the secret")]);
    let sources = format!(
        "[[source]]\nname = \"mine\"\nvenue = \"bitstamp\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [source.account]\nkey = {{ file = \"key.txt\" }}\nsecret = {{ file = \"secret.txt\" }}\n\
         [[source.subscribe]]\nmethod = \"live_orders\"\nmarkets = [\"btcusd\", \"NOT\"]\n\
         [[source.subscribe]]\nmethod = \"private-my_trades\"\nmarkets = [\"usdtusd\"]\n",
        server.url(),
        server.rest_url()
    );
    let done = "SELECT (SELECT count(*) FROM trade) = 2 AND \
         (SELECT count(*) >= 1 FROM transition t JOIN stream s ON s.id = t.stream \
          WHERE channel = 'live_orders' AND reason = 'proved')";
    recording.until(&sources, done);
    let tokens: Vec<_> = server.requests().into_iter().filter(|request| request.line.starts_with("POST")).collect();
    assert_eq!(tokens.len(), 2, "each connection has its own");
    assert_eq!(tokens[0].header("content-length"), Some("0"));
    assert_eq!((tokens[0].header("content-type"), tokens[0].header("x-auth")), (None, Some("BITSTAMP the key")));
    assert_ne!(tokens[0].header("x-auth-nonce"), tokens[1].header("x-auth-nonce"));
    for secret in [token, "the key", "the secret", tokens[0].header("x-auth-signature").unwrap()] {
        assert!(!recording.holds(secret), "{secret}");
    }
    assert!(recording.holds("[redacted]"));
    assert_eq!(
        recording.rows("SELECT side, price, quantity, counter_fee, order_id FROM fills"),
        ["buy 0.99982 15.00000 0.003 1559359938404352"]
    );
    assert_eq!(recording.rows("SELECT trade_id, own FROM trades"), ["256568732 1"]);
    let refused = "SELECT DISTINCT market, evidence FROM transition t JOIN stream s ON s.id = t.stream \
         WHERE reason = 'refused'";
    assert_eq!(recording.rows(refused), ["NOT Invalid channel provided."]);
}
