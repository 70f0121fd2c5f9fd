//! How a session asks for what is wanted: when, how often, and what it makes of the answers.

use std::sync::Arc;

use feedtape::crypto::Secret;
use feedtape::journal::{Input, Plan};
use feedtape::model::{Catalog, CloseCause, Event, ReplyReceived, SubscriptionChange};
use feedtape::venue::{Account, Action, KeyAccount};

use crate::script::{SECOND, Script, plan};

const MARKETS: &str = r#"{"channel":"instrument","type":"snapshot","data":{"assets":[{"id":"BTC","status":"enabled","precision":10},{"id":"USD","status":"enabled","precision":4}],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"price_precision":1,"price_increment":0.1}]}}"#;

/// Kraken, with its markets listed and these trades wanted.
fn kraken(markets: &[&str]) -> Script {
    let mut script = Script::open(plan("kraken", &[("trade", markets, &[])]), None);
    script.receive(MARKETS);
    script.receive(&agreed(1, r#""channel":"instrument","snapshot":true"#));
    script
}

fn agreed(request: i64, result: &str) -> String {
    format!(r#"{{"method":"subscribe","result":{{{result}}},"success":true,"req_id":{request}}}"#)
}

fn refused(request: i64, market: &str, message: &str) -> String {
    format!(r#"{{"error":"{message}","method":"subscribe","req_id":{request},"success":false,"symbol":"{market}"}}"#)
}

/// When trades were asked for, in s, and of how many markets each time, until something else is wished for.
fn askings(script: &mut Script, until: impl Fn(&Script) -> bool) -> Vec<(i64, usize)> {
    let mut askings = Vec::new();
    for _ in 0..1_000 {
        for frame in script.take_sent() {
            let asked: serde_json::Value = serde_json::from_str(&frame).unwrap();
            if asked["method"] == "subscribe" && asked["params"]["channel"] == "trade" {
                askings.push((script.now / SECOND, asked["params"]["symbol"].as_array().unwrap().len()));
            }
        }
        if until(script) {
            return askings;
        }
        script.wait();
    }
    panic!("it goes on for ever: {askings:?}")
}

fn replies(script: &Script) -> Vec<&ReplyReceived> {
    let replies = script.events.iter().filter_map(|event| match event {
        Event::Reply(reply) => Some(&**reply),
        _ => None,
    });
    replies.collect()
}

fn catalogs(script: &Script) -> Vec<&Catalog> {
    let catalogs = script.events.iter().filter_map(|event| match event {
        Event::Catalog(catalog) => Some(&**catalog),
        _ => None,
    });
    catalogs.collect()
}

fn ended(script: &Script) -> usize {
    script.count(|event| matches!(event, Event::Subscription(SubscriptionChange::Ended { .. })))
}

#[test]
fn what_is_not_answered_is_asked_for_again_later_and_later_and_the_third_time_the_connection_is_left() {
    let mut script = kraken(&["BTC/USD"]);
    // Ten seconds for an answer, then one and two more until the next asking.
    let askings = askings(&mut script, |script| !script.wishes.is_empty());
    assert_eq!(askings, [(0, 1), (11, 1), (23, 1)]);
    assert_eq!(script.now, 33 * SECOND);
    let [Action::Close { cause: CloseCause::TimedOut, detail }] = script.wishes.as_slice() else {
        panic!("{:?}", script.wishes)
    };
    assert_eq!(detail, "trade was not answered within 10s, 3 times");
    assert_eq!(ended(&script), 2, "each asking that was in vain is over");
    assert_eq!(script.state("trade BTC/USD"), "not_acknowledged");
}

#[test]
fn a_refusal_that_may_pass_is_followed_by_another_asking_and_another_refusal_is_not() {
    let mut script = kraken(&["BTC/USD", "ETH/USD"]);
    script.receive(&refused(2, "BTC/USD", "Exceeded msg rate"));
    script.receive(&refused(2, "ETH/USD", "Currency pair not supported ETH/USD"));
    assert_eq!([script.state("trade BTC/USD"), script.state("trade ETH/USD")], ["refused", "refused"]);
    let first = askings(&mut script, |script| script.now >= SECOND);
    assert_eq!(first, [(0, 2), (1, 1)]);
    script.receive(&refused(3, "BTC/USD", "Exceeded msg rate"));
    let second = askings(&mut script, |script| script.now >= 3 * SECOND);
    assert_eq!(second, [(3, 1)]);
    script.receive(&agreed(4, r#""channel":"trade","snapshot":true,"symbol":"BTC/USD""#));
    assert_eq!([script.state("trade BTC/USD"), script.state("trade ETH/USD")], ["consistent", "refused"]);
    let told: Vec<_> = replies(&script).iter().map(|reply| (reply.tag, reply.error_message.as_deref())).collect();
    let rate = Some("Exceeded msg rate");
    let unknown = Some("Currency pair not supported ETH/USD");
    assert_eq!(told, [(Some(1), None), (Some(2), rate), (Some(2), unknown), (Some(3), rate), (Some(4), None)]);
    // Nothing is waited for any more but the time for a sign of life.
    assert_eq!(script.session.deadline(), Some(30 * SECOND));
}

#[test]
fn what_is_no_longer_wanted_is_ended_once_and_what_was_never_asked_for_is_not() {
    let mut script = kraken(&["BTC/USD", "ETH/USD"]);
    script.receive(&agreed(2, r#""channel":"trade","snapshot":true,"symbol":"BTC/USD""#));
    script.receive(&refused(2, "ETH/USD", "Currency pair not supported ETH/USD"));
    script.take_sent();
    script.now += SECOND;
    script.give(&Input::Replanned(Arc::new(plan("kraken", &[("ticker", &["BTC/USD"], &[])]))));
    let sent = script.take_sent();
    assert!(
        sent[0].contains(r#""method":"unsubscribe","params":{"channel":"trade","symbol":["BTC/USD"]}"#),
        "{sent:?}"
    );
    assert!(sent[1].contains(r#""channel":"ticker""#), "{sent:?}");
    assert_eq!((sent.len(), ended(&script)), (2, 1));
    assert_eq!([script.state("trade BTC/USD"), script.state("trade ETH/USD")], ["reconfigured", "reconfigured"]);
    // Wanted again, it is asked for again, and what was refused as well: the operator may know more.
    script.now += SECOND;
    script.give(&Input::Replanned(Arc::new(plan("kraken", &[("trade", &["BTC/USD"], &[])]))));
    let sent = script.take_sent();
    assert!(sent.iter().any(|frame| frame.contains(r#""method":"subscribe","params":{"channel":"trade""#)), "{sent:?}");
}

#[test]
fn a_list_of_changes_changes_what_it_names_and_leaves_the_rest() {
    let mut script = kraken(&["*"]);
    let update = |data: &str| format!(r#"{{"channel":"instrument","type":"update","data":{{{data}}}}}"#);
    let usd = r#""assets":[{"id":"USD","status":"enabled","precision":6}]"#;
    script.receive(&update(&format!(r#"{usd},"pairs":[{{"symbol":"ETH/USD","base":"ETH","quote":"USD","status":"online","qty_precision":7,"price_precision":2,"price_increment":0.01}}]"#)));
    let known = catalogs(&script);
    let places: Vec<_> = known[1].assets.iter().map(|asset| (asset.name.as_str(), asset.places)).collect();
    assert_eq!(places, [("BTC", Some(10)), ("USD", Some(6))]);
    let markets: Vec<_> = known[1].markets.iter().map(|market| (market.name.as_str(), market.price_places)).collect();
    assert_eq!(markets, [("BTC/USD", Some(1)), ("ETH/USD", Some(2))]);
    // What is new is asked for.
    assert!(script.take_sent().last().unwrap().contains("ETH/USD"), "{:?}", script.sent);
    // What says nothing new is no catalog; a finer price of a market is one.
    script.receive(&update(&format!(r#"{usd},"pairs":[]"#)));
    assert_eq!(catalogs(&script).len(), 2);
    script.receive(&update(r#""assets":[],"pairs":[{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"price_precision":3,"price_increment":0.001}]"#));
    let last = catalogs(&script).pop().unwrap();
    assert_eq!(last.markets.iter().map(|market| market.price_places).collect::<Vec<_>>(), [Some(3), Some(2)]);
    assert_eq!((catalogs(&script).len(), last.assets.len()), (3, 2));
    assert_eq!(script.odd(), Vec::<String>::new());
}

#[test]
fn a_list_that_does_not_come_is_waited_for_and_then_done_without() {
    let mut script = Script::open(plan("kraken", &[("trade", &["BTC/USD"], &[])]), None);
    script.receive(&agreed(1, r#""channel":"instrument","snapshot":true"#));
    let askings = askings(&mut script, |script| script.now >= 10 * SECOND);
    assert_eq!(askings, [(10, 1)]);
}

#[test]
fn answers_by_rest_are_of_what_was_asked_for_under_their_number() {
    let wanted = plan("binance", &[("depth", &["BTCUSDT", "ETHUSDT"], &[])]);
    let mut script = Script::open(wanted, None);
    script.receive(r#"{"result":null,"id":1}"#);
    let change = |market: &str, first: u64| {
        format!(
            r#"{{"stream":"{}@depth","data":{{"e":"depthUpdate","E":1,"s":"{market}","U":{first},"u":{first},"b":[],"a":[]}}}}"#,
            market.to_lowercase()
        )
    };
    for (market, first) in [("BTCUSDT", 11), ("ETHUSDT", 21)] {
        script.receive(&change(market, first));
    }
    let asked: Vec<_> = script.requests.iter().map(|request| (request.request, request.path.clone())).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].0 != asked[1].0 && asked[0].1.contains("BTCUSDT") && asked[1].1.contains("ETHUSDT"), "{asked:?}");
    let book = r#"{"lastUpdateId":20,"bids":[["1","1"]],"asks":[["2","1"]]}"#;
    script.answer(asked[1].0, &format!("GET {}", asked[1].1), book);
    let states = |script: &Script| [script.state("depth BTCUSDT"), script.state("depth ETHUSDT")];
    assert_eq!(states(&script), ["not_acknowledged", "proved"]);
    script.answer(asked[0].0, &format!("GET {}", asked[0].1), &book.replace("20", "10"));
    assert_eq!(states(&script), ["proved", "proved"]);
}

#[test]
fn a_login_that_was_withheld_is_made_once_it_no_longer_is() {
    let secret = || Secret::new("c2VjcmV0".to_owned());
    let account = Account::Key(KeyAccount { key: secret(), secret: secret(), passphrase: Some(secret()) });
    let wanted = Plan { logs_in: true, ..plan("okx", &[("orders", &[], &[])]) };
    let withheld = Plan { login_withheld: Some("the budget is spent".to_owned()), ..wanted.clone() };
    let mut script = Script::open(withheld.clone(), Some(Arc::new(account)));
    let logins = |script: &Script| script.sent.iter().filter(|frame| frame.contains("login")).count();
    assert_eq!((logins(&script), script.state("orders").as_str()), (0, "not_authenticated"));
    script.give(&Input::Replanned(Arc::new(withheld)));
    assert_eq!(logins(&script), 0);
    script.give(&Input::Replanned(Arc::new(wanted.clone())));
    assert_eq!(logins(&script), 1);
    // Refused by the venue, another plan is no reason to try again.
    script.receive(r#"{"event":"error","code":"60009","msg":"Login failed.","connId":"a4d3ae55"}"#);
    script.give(&Input::Replanned(Arc::new(wanted)));
    assert_eq!(logins(&script), 1);
    // Neither is waited for.
    assert_eq!(script.session.deadline(), Some(20 * SECOND), "but for the next sign of life");
}

#[test]
fn a_login_that_is_not_answered_ends_the_connection() {
    let secret = || Secret::new("c2VjcmV0".to_owned());
    let account = Account::Key(KeyAccount { key: secret(), secret: secret(), passphrase: Some(secret()) });
    let mut script = Script::open(plan("okx", &[("orders", &[], &[])]), Some(Arc::new(account)));
    while script.wishes.is_empty() {
        script.wait();
    }
    let [Action::Close { cause: CloseCause::TimedOut, detail }] = script.wishes.as_slice() else {
        panic!("{:?}", script.wishes)
    };
    assert_eq!((detail.as_str(), script.now), ("the login was not answered within 10s", 10 * SECOND));
}
