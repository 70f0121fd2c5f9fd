//! Server-sent events.

use awc::Client as HttpClient;
use feedtape::exchange::Running;
use futures_util::StreamExt as _;
use futures_util::stream::LocalBoxStream;
use serde_json::{Value, json};

use crate::client::{Client, PATIENCE, USDT, XBT, limit, rest, start};

/// A reader of events.
struct Events {
    chunks: LocalBoxStream<'static, bytes::Bytes>,
    text: String,
}

/// An event: id, name and data.
type Event = (String, String, Value);

impl Events {
    async fn open(exchange: &Running, account: Option<usize>, query: &str, last: Option<&str>) -> Self {
        let mut request = HttpClient::new().get(format!("{}/event-stream{query}", exchange.rest_url()));
        if let Some(account) = account.map(|account| &exchange.accounts()[account]) {
            let user = format!("{}/{}", account.id, account.cookie.expose());
            request = request.basic_auth(user, account.passphrase.expose());
        }
        if let Some(last) = last {
            request = request.insert_header(("Last-Event-ID", last));
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers().get("Content-Type").map(|kind| kind.as_bytes()), Some(&b"text/event-stream"[..]));
        let chunks = response.filter_map(async |chunk| chunk.ok()).boxed_local();
        Self { chunks, text: String::new() }
    }

    /// The next event; comments are passed over.
    async fn next(&mut self) -> Event {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    line.map(str::to_owned)
                };
                if let (Some(id), Some(name), Some(data)) = (field("id"), field("event"), field("data")) {
                    return (id, name, serde_json::from_str(&data).expect("JSON"));
                }
                continue;
            }
            let chunk = actix_rt::time::timeout(PATIENCE, self.chunks.next()).await.expect("an event in time");
            self.text.push_str(str::from_utf8(&chunk.expect("the stream goes on")).expect("UTF-8"));
        }
    }

    /// The events up to (and with) the ticker's, which a command that changes the best price ends with.
    async fn up_to_ticker(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            events.push(self.next().await);
            if events.last().is_some_and(|event| event.1 == "TickerChanged") {
                return events;
            }
        }
    }
}

fn without_ids(events: &[Event]) -> Vec<(&str, &Value)> {
    events.iter().map(|(_, name, data)| (name.as_str(), data)).collect()
}

#[actix_web::test]
async fn version_1_tells_a_user_its_balances_and_the_whole_market() {
    let exchange = start();
    let mut own = Events::open(&exchange, Some(0), "", None).await;
    let mut others = Events::open(&exchange, Some(1), "?version=1", None).await;
    let mut client = Client::logged_in(&exchange, 0).await;
    let opened = client.expect_ok(limit(-10_000, 50_000)).await;

    let order = json!({"id": opened["id"], "base": XBT, "counter": USDT, "quantity": -10_000, "price": 50_000,
        "time": opened["time"]});
    let ticker = json!({"base": XBT, "counter": USDT, "ask": 50_000});
    let private = crate::client::with(order.clone(), json!({"tonce": null}));
    let balance = json!({"asset": XBT, "balance": 990_000});
    let events = own.up_to_ticker().await;
    assert_eq!(
        without_ids(&events),
        [("BalanceChanged", &balance), ("OrderOpened", &private), ("TickerChanged", &ticker)]
    );
    let events = others.up_to_ticker().await;
    assert_eq!(without_ids(&events), [("OrderOpened", &order), ("TickerChanged", &ticker)]);

    // No modifications and no volumes, no taker in a match, no time in a close.
    client.expect_ok(json!({"method": "ModifyOrder", "id": opened["id"], "quantity_delta": 1})).await;
    Client::logged_in(&exchange, 1).await.expect_ok(limit(9_999, 50_000)).await;
    let events = own.up_to_ticker().await;
    let names: Vec<_> = events.iter().map(|event| event.1.as_str()).collect();
    let expected = ["BalanceChanged", "OrderOpened", "OrdersMatched", "BalanceChanged", "OrderClosed", "OrderClosed"];
    assert_eq!(&names[..4], &expected[..4], "{events:?}");
    let matched = &events[2].2;
    assert_eq!((matched.get("taker"), matched.get("taker_side")), (None, None));
    assert_eq!((&matched["ask_tonce"], &matched["ask_counter_fee"]), (&Value::Null, &json!(0)));
    assert_eq!(matched.get("bid_tonce"), None);
    let closed = events.iter().find(|event| event.1 == "OrderClosed").expect("a close");
    assert_eq!(closed.2.get("time_closed"), None);
}

#[actix_web::test]
async fn version_2_tells_everybody_the_market_and_users_both_balances() {
    let exchange = start();
    let mut public = Events::open(&exchange, None, "?version=2", None).await;
    let mut own = Events::open(&exchange, Some(0), "?version=2", None).await;
    let mut client = Client::logged_in(&exchange, 0).await;
    client.expect_ok(limit(-10_000, 50_000)).await;
    let events = own.up_to_ticker().await;
    assert_eq!(events[0].1, "BalanceChanged");
    assert_eq!(events[0].2, json!({"asset": XBT, "available": 990_000, "reserved": 10_000}));
    let names = |events: &[Event]| events.iter().map(|event| event.1.clone()).collect::<Vec<_>>();
    assert_eq!(names(&public.up_to_ticker().await), ["OrderOpened", "TickerChanged"]);

    Client::logged_in(&exchange, 1).await.expect_ok(limit(4_000, 50_000)).await;
    let events = own.up_to_ticker().await;
    let of = |name: &str| events.iter().filter(|event| event.1 == name).map(|event| &event.2).collect::<Vec<_>>();
    assert_eq!(of("UserTradeVolumeChanged"), [&json!({"asset": XBT, "volume": 4_000})]);
    // The reservation shrank although nothing became available: version 1 does not tell that. The match comes first.
    let balance = |asset: i64, available: i64, reserved: i64| {
        ("BalanceChanged", json!({"asset": asset, "available": available, "reserved": reserved}))
    };
    let told: Vec<_> = events.iter().map(|(_, name, data)| (name.as_str(), data.clone())).collect();
    assert_eq!(told[2..4], [balance(XBT, 990_000, 6_000), balance(USDT, 20_000_020_000, 0)]);
    assert_eq!(names(&events)[..2], ["OrderOpened", "OrdersMatched"]);

    // Every balance is what it was then, not what its command left of it in the end.
    let mut taker = Events::open(&exchange, Some(1), "?version=2", None).await;
    Client::logged_in(&exchange, 1).await.expect_ok(limit(8_000, 50_000)).await;
    let events = taker.up_to_ticker().await;
    let told: Vec<_> = events.iter().map(|(_, name, data)| (name.as_str(), data.clone())).collect();
    assert_eq!(told[0], balance(USDT, 19_999_939_994, 40_000));
    assert_eq!(told[1].0, "OrderOpened");
}

#[actix_web::test]
async fn a_reader_resumes_after_the_last_event_it_saw() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    let mut events = Events::open(&exchange, Some(0), "", None).await;
    client.expect_ok(limit(10_000, 10_000)).await;
    let seen = events.up_to_ticker().await;
    drop(events);
    client.expect_ok(limit(10_000, 20_000)).await;
    client.expect_ok(limit(10_000, 30_000)).await;

    let last = &seen.last().expect("an event").0;
    let mut resumed = Events::open(&exchange, Some(0), "", Some(last)).await;
    let mut missed = resumed.up_to_ticker().await;
    missed.extend(resumed.up_to_ticker().await);
    let prices = missed.iter().filter(|event| event.1 == "OrderOpened").map(|event| event.2["price"].clone());
    assert_eq!(prices.collect::<Vec<_>>(), [20_000, 30_000]);

    // From the first event on, it is the same as it was live.
    let mut again = Events::open(&exchange, Some(0), "", Some(&seen[0].0)).await;
    assert_eq!(again.up_to_ticker().await, seen[1..]);

    // An id of another exchange means nothing here: only what happens from now on.
    let mut foreign = Events::open(&exchange, Some(0), "", Some("17-0")).await;
    client.expect_ok(limit(10_000, 40_000)).await;
    assert_eq!(foreign.up_to_ticker().await[1].2["price"], 40_000);
}

#[actix_web::test]
async fn an_account_is_the_same_through_websocket_rest_and_events() {
    let exchange = start();
    let mut events = Events::open(&exchange, Some(0), "?version=2", None).await;
    let mut client = Client::logged_in(&exchange, 0).await;
    let mut other = Client::logged_in(&exchange, 1).await;
    client.expect_ok(limit(30_000, 100_000_000)).await;
    client.expect_ok(limit(-40_000, 110_000_000)).await;
    other.expect_ok(limit(-12_345, 100_000_000)).await;
    other.expect_ok(limit(23_456, 110_000_000)).await;
    let cheap = client.expect_ok(limit(1, 10_000)).await;
    client.expect_ok(json!({"method": "CancelOrder", "id": cheap["id"]})).await;
    // A last command whose ticker marks the end.
    client.expect_ok(limit(1, 100_010_000)).await;

    let mut by_event = std::collections::BTreeMap::new();
    loop {
        let (_, name, data) = events.next().await;
        if name == "BalanceChanged" {
            by_event.insert(data["asset"].as_i64(), (data["available"].clone(), data["reserved"].clone()));
        } else if name == "TickerChanged" && data["bid"] == 100_010_000 {
            break;
        }
    }
    let reply = client.expect_ok(json!({"method": "GetBalances"})).await;
    let (_, by_rest) = rest(&exchange, Some(0), "GET", "/balances/").await;
    for asset in [XBT, USDT] {
        let of = |list: &Value, key: &str| {
            list.as_array().expect("a list").iter().find(|balance| balance[key] == asset).expect("listed").clone()
        };
        let (socket, rest) = (of(&reply["balances"], "asset"), of(&by_rest, "id"));
        assert_eq!((&socket["balance"], &socket["reserved_balance"]), (&rest["available"], &rest["reserved"]));
        assert_eq!(by_event[&Some(asset)], (rest["available"].clone(), rest["reserved"].clone()));
    }
    let by_socket = client.expect_ok(json!({"method": "GetOrders"})).await;
    let (_, by_rest) = rest(&exchange, Some(0), "GET", "/orders/").await;
    let ids = |list: &Value| {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|order| (order["id"].clone(), order["quantity"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&by_socket["orders"]), ids(&by_rest));
}
