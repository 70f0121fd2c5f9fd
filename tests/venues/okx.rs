//! OKX v5.
//!
//! Message types without a capture are the examples of the venue's documentation (www.okx.com/docs-v5/en: tickers,
//! trades, order, account, balance and position channels; errors, notice, login), byte for byte but for the white space
//! between tokens and for what is said at a frame.

use std::sync::Arc;

use feedtape::crypto::Secret;
use feedtape::journal::Input;
use feedtape::model::{CloseCause, Event, Id, Level, Number, OrderKind, Timestamp};
use feedtape::venue::{Account, Action, KeyAccount, by_name};

use crate::captures;
use crate::recording::Recording;
use crate::script::{SECOND, Script, mutations, plan};
use crate::server::Server;

const TICKER: &str = r#"{"arg":{"channel":"tickers","instId":"BTC-USDT"},"data":[{"instType":"SPOT","instId":"BTC-USDT","last":"9999.99","lastSz":"0.1","askPx":"9999.99","askSz":"11","bidPx":"8888.88","bidSz":"5","open24h":"9000","high24h":"10000","low24h":"8888.88","volCcy24h":"2222","vol24h":"2222","sodUtc0":"2222","sodUtc8":"2222","ts":"1597026383085"}]}"#;
pub const TRADE: &str = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}"#;
const ORDER: &str = r#"{"arg":{"channel":"orders","instType":"SPOT","instId":"BTC-USDT","uid":"614488474791936"},"data":[{"accFillSz":"0.001","algoClOrdId":"","algoId":"","amendResult":"","amendSource":"","avgPx":"31527.1","cancelSource":"","category":"normal","ccy":"","clOrdId":"","code":"0","cTime":"1654084334977","execType":"M","fee":"-0.02522168","feeCcy":"USDT","fillFee":"-0.02522168","fillFeeCcy":"USDT","fillNotionalUsd":"31.50818374","fillPx":"31527.1","fillSz":"0.001","fillPnl":"0.01","fillTime":"1654084353263","fillPxVol":"","fillPxUsd":"","fillMarkVol":"","fillFwdPx":"","fillMarkPx":"","instId":"BTC-USDT","instType":"SPOT","lever":"0","msg":"","notionalUsd":"31.50818374","ordId":"452197707845865472","ordType":"limit","pnl":"0","posSide":"","px":"31527.1","pxUsd":"","pxVol":"","pxType":"","quickMgnType":"","rebate":"0","rebateCcy":"BTC","reduceOnly":"false","reqId":"","side":"sell","attachAlgoClOrdId":"","slOrdPx":"","slTriggerPx":"","slTriggerPxType":"last","source":"","state":"filled","stpId":"","stpMode":"","sz":"0.001","tag":"","tdMode":"cash","tgtCcy":"","tpOrdPx":"","tpTriggerPx":"","tpTriggerPxType":"last","attachAlgoOrds":[],"tradeId":"242589207","uTime":"1654084353264"}]}"#;
/// An account frame of a client's tests (nautilus_trader, crates/adapters/okx/test_data/ws_account.json), cut to one
/// asset and to the fields that are read.
const ACCOUNT: &str = r#"{"arg":{"channel":"account"},"data":[{"details":[{"availBal":"90.52768569797846","cashBal":"100.52768569797846","ccy":"USDT","frozenBal":"10","uTime":"1751526647084"}],"totalEq":"100.56089404807182","uTime":"1751531646836"}]}"#;
const BALANCES: &str = r#"{"arg":{"channel":"balance_and_position","uid":"77982378738415879"},"data":[{"pTime":"1597026383085","eventType":"snapshot","balData":[{"ccy":"BTC","cashBal":"1","uTime":"1597026383085"}],"posData":[{"posId":"1111111111","tradeId":"2","instId":"BTC-USD-191018","instType":"FUTURES","mgnMode":"cross","posSide":"long","pos":"10","ccy":"BTC","posCcy":"","avgPx":"3320","uTime":"1597026383085"}],"trades":[{"instId":"BTC-USD-191018","tradeId":"2"}]}]}"#;
const NOTICE: &str = r#"{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade. Please reconnect.","connId":"a4d3ae55"}"#;
/// Instruments as the REST path lists them, fields that are of no interest here left out.
pub const SPOT: &str = r#"{"code":"0","msg":"","data":[{"baseCcy":"BTC","expTime":"","instFamily":"","instId":"BTC-USDT","instType":"SPOT","listTime":"1733454000000","lotSz":"0.00000001","quoteCcy":"USDT","settleCcy":"","state":"live","tickSz":"0.1","uly":""}]}"#;
const FUTURES: &str = r#"{"code":"0","msg":"","data":[{"baseCcy":"","expTime":"1798185600000","instFamily":"BTC-USD","instId":"BTC-USD-261225","instType":"FUTURES","listTime":"1733454000000","lotSz":"1","quoteCcy":"","settleCcy":"BTC","state":"live","tickSz":"0.5","uly":"BTC-USD"}]}"#;
pub const NONE: &str = r#"{"code":"0","msg":"","data":[]}"#;

fn timeline(script: &Script, stream: &str) -> String {
    let states = script.timeline(stream).into_iter().map(|(at, state)| format!("{at} {state}"));
    states.collect::<Vec<_>>().join(", ")
}

fn account() -> Arc<Account> {
    let secret = |text: &str| Secret::new(text.to_owned());
    let passphrase = Some(secret("the passphrase"));
    Arc::new(Account::Key(KeyAccount { key: secret("the key"), secret: secret("the secret"), passphrase }))
}

#[test]
fn the_captured_book_is_proved_from_its_snapshot_to_its_last_link() {
    let Some(frames) = captures::lines("okx_books.jsonl") else { return };
    let script = Script::replay("okx", frames.iter().map(String::as_str));
    assert_eq!(script.odd(), Vec::<String>::new());
    assert_eq!(timeline(&script, "books BTC-USDT"), "2 proved, 8 unverifiable, 9 not_running");
    let books = |event: &Event| match event {
        Event::Levels(levels) => Some(levels.clone()),
        _ => None,
    };
    let books: Vec<_> = script.events.iter().filter_map(books).collect();
    assert_eq!(books.iter().map(|book| book.levels.len()).collect::<Vec<_>>(), [800, 15, 5, 1, 15, 27, 16]);
    let text = |level: &Level| {
        let text = |number: &Number| match number {
            Number::Scaled(value) => value.to_string(),
            Number::Text(text) => (**text).clone(),
        };
        let price = text(&level.price.as_ref().unwrap().0);
        format!("{:?} {price} {}", level.side, text(&level.quantity.as_ref().unwrap().0))
    };
    assert_eq!(text(&books[0].levels[0]), "Ask 787223 38699412");
    assert_eq!(text(&books[0].levels[400]), "Bid 787222 61610822");
    assert_eq!(text(&books[6].levels[15]), "Bid 786153 23901");
    assert_eq!((books[0].last, books[6].last), (Some(80_274_874_800), Some(80_274_875_033)));
    assert_eq!(books[6].time, Some(Timestamp(1_787_612_486_707_000_000)));
}

#[test]
fn a_captured_frame_that_is_missing_or_out_of_place_ends_what_is_proved() {
    let Some(frames) = captures::lines("okx_books.jsonl") else { return };
    for (what, mutated) in mutations(&frames) {
        let end = mutated.len() + 1;
        let script = Script::replay("okx", mutated);
        let (how, place) = what.split_once(' ').unwrap();
        let place: usize = place.parse().unwrap();
        let last = frames.len() - 1;
        let expected = match (how, place) {
            // The answer to the request is no part of the chain.
            ("without", 0) => format!("1 proved, 7 unverifiable, {end} not_running"),
            ("twice", 0) => format!("3 proved, 9 unverifiable, {end} not_running"),
            ("swapped", 0) => format!("1 proved, 8 unverifiable, {end} not_running"),
            // Without its snapshot a book has no beginning; behind an update that it does not contain it has a hole.
            ("without", 1) => format!("{end} not_running"),
            ("swapped", 1) => format!("3 sequence_broken, {end} not_running"),
            // Nothing is claimed behind the last message in place.
            ("without", _) if place == last => format!("2 proved, {place} unverifiable, {end} not_running"),
            ("twice", _) if place == last => format!("2 proved, {} unverifiable, {end} not_running", end - 2),
            ("twice", _) => format!("2 proved, {} unverifiable, {end} not_running", end - 1),
            (_, 2) => format!("2 sequence_broken, {end} not_running"),
            _ => format!("2 proved, {place} sequence_broken, {end} not_running"),
        };
        assert_eq!(timeline(&script, "books BTC-USDT"), expected, "{what}");
    }
}

#[test]
fn where_nothing_changed_a_message_names_itself_and_nothing_is_missing() {
    let Some(frames) = captures::lines("okx_books.jsonl") else { return };
    let same = r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[],"ts":"1787612546107","checksum":0,"seqId":80274874800,"prevSeqId":80274874800}]}"#;
    let script = Script::replay("okx", [frames[0].as_str(), &frames[1], same, &frames[2]]);
    assert_eq!(timeline(&script, "books BTC-USDT"), "2 proved, 4 unverifiable, 5 not_running");
    assert_eq!(script.count(|event| matches!(event, Event::Finding(_))), 0);
}

#[test]
fn the_documented_public_messages_become_rows() {
    let script = Script::replay("okx", [TICKER, TRADE]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let scaled = |number: &Number| number.as_scaled().unwrap();
    let mut seen = 0;
    for event in &script.events {
        match event {
            Event::Trade(trade) => {
                assert_eq!((&trade.id, trade.taker_is_bid), (&Some(Id::Int(130_639_474)), Some(true)));
                assert_eq!(scaled(&trade.price.as_ref().unwrap().0), 4_221_990, "two places, as the ticker's");
                assert_eq!(trade.time, Some(Timestamp(1_630_048_897_897_000_000)));
                seen += 1;
            }
            Event::Ticker(ticker) => {
                let price = |price: &feedtape::model::Patch<feedtape::model::Price>| scaled(&price.value().unwrap().0);
                assert_eq!([price(&ticker.last), price(&ticker.bid), price(&ticker.low)], [999_999, 888_888, 888_888]);
                assert_eq!(scaled(&ticker.volume.value().unwrap().0), 2222);
                seen += 1;
            }
            _ => {}
        }
    }
    assert_eq!(seen, 2);
    assert_eq!(timeline(&script, "tickers BTC-USDT"), "1 consistent, 3 not_running");
}

#[test]
fn each_thing_asked_for_is_answered_by_itself_and_a_refusal_names_what_it_refuses() {
    let mut script =
        Script::open(plan("okx", &[("books", &["BTC-USDT", "NO-SUCH"], &[]), ("trades", &["BTC-USDT"], &[])]), None);
    assert_eq!(
        script.take_sent(),
        [
            r#"{"args":[{"channel":"books","instId":"BTC-USDT"},{"channel":"books","instId":"NO-SUCH"}],"id":"1","op":"subscribe"}"#,
            r#"{"args":[{"channel":"trades","instId":"BTC-USDT"}],"id":"2","op":"subscribe"}"#,
        ]
    );
    script.receive(r#"{"id":"1","event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:NO-SUCH doesn't exist. Please use the correct URL, channel and parameters referring to API document.","connId":"a4d3ae55"}"#);
    assert_eq!([script.state("books NO-SUCH"), script.state("books BTC-USDT")], ["refused", "not_acknowledged"]);
    script.receive(
        r#"{"id":"2","event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}"#,
    );
    script.receive(TRADE);
    assert_eq!(script.state("trades BTC-USDT"), "consistent");
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn what_is_no_longer_wanted_stays_so_when_the_connection_ends_before_it_is_unsubscribed() {
    let wanted = plan("okx", &[("trades", &["BTC-USDT"], &[]), ("tickers", &["BTC-USDT"], &[])]);
    let mut script = Script::open(wanted, None);
    for (id, channel) in [("1", "trades"), ("2", "tickers")] {
        script.receive(&format!(
            r#"{{"id":"{id}","event":"subscribe","arg":{{"channel":"{channel}","instId":"BTC-USDT"}},"connId":"a4d3ae55"}}"#
        ));
    }
    script.receive(TRADE);
    script.receive(TICKER);
    script.obey = false;
    script.now += SECOND;
    script.give(&Input::Replanned(Arc::new(plan("okx", &[("tickers", &["BTC-USDT"], &[])]))));
    script.now += SECOND;
    script.close(CloseCause::EndOfStream);
    assert_eq!(timeline(&script, "trades BTC-USDT"), "0 consistent, 1 reconfigured");
    assert_eq!(timeline(&script, "tickers BTC-USDT"), "0 consistent, 2 not_connected");
}

#[test]
fn quiet_is_broken_with_a_text_ping_and_a_notice_has_the_connection_made_anew() {
    let mut script = Script::open(plan("okx", &[("tickers", &["BTC-USDT"], &[])]), None);
    script.receive(
        r#"{"id":"1","event":"subscribe","arg":{"channel":"tickers","instId":"BTC-USDT"},"connId":"a4d3ae55"}"#,
    );
    script.take_sent();
    script.wait();
    assert_eq!((script.take_sent().as_slice(), script.now), (["ping".to_owned()].as_slice(), 20 * SECOND));
    script.receive("pong");
    assert_eq!(script.odd(), Vec::<String>::new());
    script.receive(NOTICE);
    assert!(matches!(script.wishes.as_slice(), [Action::Close { .. }]), "{:?}", script.wishes);
    assert_eq!(script.count(|event| matches!(event, Event::Control(_))), 1);
}

#[test]
fn a_login_that_is_refused_is_not_tried_again() {
    let mut script = Script::open(plan("okx", &[("orders", &[], &[])]), Some(account()));
    assert_eq!(script.sent.len(), 1, "{:?}", script.sent);
    script.receive(r#"{"event":"error","code":"60009","msg":"Login failed.","connId":"a4d3ae55"}"#);
    assert!(script.wishes.iter().any(|wish| matches!(wish, Action::StopLogins { .. })));
    assert_eq!(script.state("orders"), "not_authenticated");
    assert_eq!(script.sent.len(), 1);
}

#[test]
fn the_account_is_recorded_and_its_secrets_are_kept_nowhere() {
    let server = Server::start(
        |talk| {
            while let Some(asked) = talk.hear_json() {
                let arg = &asked["args"][0];
                if asked["op"] == "login" {
                    assert_eq!([&arg["apiKey"], &arg["passphrase"]], ["the key", "the passphrase"]);
                    assert!(arg["sign"].as_str().unwrap().len() == 44, "{arg}");
                    talk.say(r#"{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}"#);
                    continue;
                }
                talk.say(&format!(r#"{{"id":{},"event":"subscribe","arg":{arg},"connId":"a4d3ae55"}}"#, asked["id"]));
                match arg["channel"].as_str().unwrap() {
                    "orders" => talk.say(ORDER),
                    "account" => talk.say(ACCOUNT),
                    "balance_and_position" => talk.say(BALANCES),
                    other => panic!("{other}"),
                }
            }
        },
        |request| match request.line.as_str() {
            "GET /api/v5/public/instruments?instType=SPOT" => (200, SPOT.to_owned()),
            "GET /api/v5/public/instruments?instType=FUTURES" => (200, FUTURES.to_owned()),
            _ => (200, NONE.to_owned()),
        },
    );
    let recording =
        Recording::new(&[("key.txt", "the key"), ("secret.txt", "the secret"), ("pass.txt", "the passphrase")]);
    let sources = format!(
        "[[source]]\nname = \"mine\"\nvenue = \"okx\"\nurl = \"{}\"\nrest_url = \"{}\"\n\
         [source.account]\nkey = {{ file = \"key.txt\" }}\nsecret = {{ file = \"secret.txt\" }}\n\
         passphrase = {{ file = \"pass.txt\" }}\n\
         [[source.subscribe]]\nmethod = \"orders\"\n[[source.subscribe]]\nmethod = \"account\"\n\
         [[source.subscribe]]\nmethod = \"balance_and_position\"\n",
        server.url(),
        server.rest_url()
    );
    recording.until(&sources, "SELECT count(*) = 2 AND (SELECT count(*) = 1 FROM fills) FROM balances");
    assert!(!recording.holds("the key") && !recording.holds("the passphrase") && !recording.holds("the secret"));
    assert!(recording.holds("[redacted]"));
    let fills = "SELECT side, role, price, quantity, counter_fee, order_id FROM fills";
    assert_eq!(recording.rows(fills), ["sell maker 31527.1 0.00100000 0.02522168 452197707845865472"]);
    assert_eq!(recording.rows("SELECT trade_id, own FROM trades"), ["242589207 1"]);
    let balances = "SELECT asset, available, reserved, total FROM balances ORDER BY asset DESC";
    assert_eq!(recording.rows(balances), ["USDT 90.52768569797846 10.00000000000000 100.52768569797846", "BTC - - 1"]);
}

#[test]
fn a_fee_in_a_third_asset_is_told_with_that_asset() {
    let frame = ORDER.replace(r#""fillFeeCcy":"USDT""#, r#""fillFeeCcy":"OKB""#);
    let script = Script::replay("okx", [frame.as_str()]);
    assert_eq!(script.odd(), Vec::<String>::new());
    let fill = script.events.iter().find_map(|event| match event {
        Event::Trade(trade) => Some(&trade.ask),
        _ => None,
    });
    let fill = fill.unwrap();
    assert_eq!((&fill.base_fee, &fill.counter_fee), (&None, &None));
    let fees: Vec<_> = fill.other_fees.iter().map(|fee| (fee.asset.as_ref(), fee.places, &fee.amount.0)).collect();
    assert_eq!(fees, [("OKB", 8, &Number::Scaled(2_522_168))]);
}

#[test]
fn an_order_that_is_open_changed_or_cancelled_says_what_is_left_of_it() {
    // The documented frame with another state.
    let order = |from: &[(&str, &str)]| {
        let filled = r#""state":"filled""#;
        from.iter().fold(ORDER.replace(filled, r#""state":"live""#), |text, (old, new)| text.replace(old, new))
    };
    let no_fill = (r#""tradeId":"242589207""#, r#""tradeId":"""#);
    let script = Script::replay(
        "okx",
        [
            order(&[no_fill, (r#""accFillSz":"0.001""#, r#""accFillSz":"0""#), ("1654084353264", "1654084334977")])
                .as_str(),
            &order(&[("\"live\"", "\"partially_filled\""), (r#""accFillSz":"0.001""#, r#""accFillSz":"0.0004""#)]),
            &order(&[("\"live\"", "\"canceled\""), no_fill, (r#""accFillSz":"0.001""#, r#""accFillSz":"0.0004""#)]),
        ],
    );
    let order = |event: &Event| match event {
        Event::Order(order) => Some((order.kind, order.quantity.as_ref().and_then(|left| left.as_scaled()))),
        _ => None,
    };
    let orders: Vec<_> = script.events.iter().filter_map(order).collect();
    assert_eq!(
        orders.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [OrderKind::Opened, OrderKind::Modified, OrderKind::Closed]
    );
    assert_eq!(orders[0].1, Some(-1), "three places, to sell");
    assert_eq!(orders[2].1, Some(-6), "four places by now");
    assert_eq!(script.count(|event| matches!(event, Event::Trade(_))), 1);
}

#[test]
fn the_lists_of_instruments_give_markets() {
    let answers = [SPOT.as_bytes(), NONE.as_bytes(), FUTURES.as_bytes()];
    let catalog = by_name("okx").unwrap().catalog(&answers, Timestamp(1)).unwrap();
    let [spot, future] = &catalog.markets[..] else { panic!("{catalog:?}") };
    assert_eq!((spot.name.as_str(), spot.base.as_str(), spot.counter.as_str()), ("BTC-USDT", "BTC", "USDT"));
    assert_eq!((spot.price_places, spot.quantity_places, spot.tick), (Some(1), Some(8), Some(1)));
    assert_eq!((future.base.as_str(), future.counter.as_str(), future.tick), ("BTC", "USD", Some(5)));
    assert_eq!(future.expires, Some(Timestamp(1_798_185_600_000_000_000)));
    assert!(by_name("okx").unwrap().catalog(&answers[..1], Timestamp(1)).is_err());
}
