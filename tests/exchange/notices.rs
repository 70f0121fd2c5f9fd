//! Who is told what, and in which order.

use serde_json::{Value, json};

use crate::client::{Client, PATIENCE, USDT, XBT, limit, start, watch, with};

/// The notices' names, in order.
fn names(notices: &[Value]) -> Vec<&str> {
    notices.iter().map(|notice| notice["notice"].as_str().expect("a name")).collect()
}

/// The first notice of that name.
fn first<'a>(notices: &'a [Value], name: &str) -> &'a Value {
    notices.iter().find(|notice| notice["notice"] == name).unwrap_or_else(|| panic!("no {name} in {notices:?}"))
}

#[actix_web::test]
async fn a_trade_is_told_in_the_documented_order_with_private_parts_for_their_owners_only() {
    let exchange = start();
    let mut seller = Client::logged_in(&exchange, 0).await;
    let mut buyer = Client::logged_in(&exchange, 1).await;
    let mut watcher = Client::connect(&exchange).await;
    for client in [&mut buyer, &mut watcher] {
        client.expect_ok(watch("WatchOrders", true)).await;
    }

    let ask = seller.expect_ok(with(limit(-20_000, 100_000_000), json!({"tonce": 11}))).await;
    let bid = buyer.expect_ok(limit(5_000, 100_000_000)).await;
    let (ask, bid, opened) = (&ask["id"], &bid["id"], &ask["time"]);

    let public = watcher.notices().await;
    assert_eq!(names(&public), ["OrderOpened", "OrderOpened", "OrdersMatched", "OrderClosed"]);
    let ask_opened = json!({"notice": "OrderOpened", "id": ask, "base": XBT, "counter": USDT, "quantity": -20_000,
        "price": 100_000_000, "time": opened});
    assert_eq!(public[0], ask_opened);
    let matched = json!({"notice": "OrdersMatched", "bid": bid, "ask": ask, "base": XBT, "counter": USDT,
        "quantity": 5_000, "price": 100_000_000, "total": 50_000_000, "bid_rem": 0, "ask_rem": 15_000,
        "taker_side": "bid", "time": public[2]["time"]});
    assert_eq!(public[2], matched);
    let closed = json!({"notice": "OrderClosed", "id": bid, "base": XBT, "counter": USDT, "quantity": 0,
        "price": 100_000_000, "time_closed": public[3]["time_closed"]});
    assert_eq!(public[3], closed);

    // The seller watches nothing and gets its own copies only: the reservation's balance before the order.
    let own = seller.notices().await;
    let expected = ["BalanceChanged", "OrderOpened", "OrdersMatched", "BalanceChanged", "TradeVolumeChanged"];
    assert_eq!(names(&own), expected);
    assert_eq!(own[0], json!({"notice": "BalanceChanged", "asset": XBT, "balance": 980_000}));
    assert_eq!(own[1], with(ask_opened.clone(), json!({"tonce": 11})));
    let private = json!({"ask_tonce": 11, "taker": false, "ask_base_fee": 0, "ask_counter_fee": 0});
    assert_eq!(own[2], with(matched.clone(), private));
    assert_eq!(own[3], json!({"notice": "BalanceChanged", "asset": USDT, "balance": 20_050_000_000_i64}));
    assert_eq!(own[4], json!({"notice": "TradeVolumeChanged", "asset": XBT, "volume": 5_000}));

    // The buyer watches the book: the public copy of what is the seller's, the private one of what is its own, once.
    let own = buyer.notices().await;
    assert_eq!(own[0], ask_opened);
    assert_eq!(
        names(&own[1..4]),
        ["BalanceChanged", "OrderOpened", "OrdersMatched"],
        "the reservation, the order, the match"
    );
    assert_eq!(own[2]["tonce"], Value::Null);
    let matched_own: Vec<_> = own.iter().filter(|notice| notice["notice"] == "OrdersMatched").collect();
    let fee = own[3]["bid_counter_fee"].as_i64().expect("a fee");
    assert!((14_999..=15_001).contains(&fee), "0.03 % of the total: {fee}");
    let private = json!({"bid_tonce": null, "taker": true, "bid_base_fee": 0, "bid_counter_fee": fee});
    assert_eq!(matched_own, [&with(matched, private)]);
    assert_eq!(first(&own, "OrderClosed"), &with(closed, json!({"tonce": null})));
}

#[actix_web::test]
async fn a_close_comes_before_the_balance_it_frees() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    let opened = client.expect_ok(limit(10_000, 100_000_000)).await;
    client.notices().await;
    client.expect_ok(json!({"method": "CancelOrder", "id": opened["id"]})).await;
    let notices = client.notices().await;
    assert_eq!(names(&notices), ["OrderClosed", "BalanceChanged"]);
    assert_eq!((notices[0]["quantity"].as_i64(), notices[1]["balance"].as_i64()), (Some(10_000), Some(20_000_000_000)));
}

#[actix_web::test]
async fn every_connection_of_a_user_is_told_and_a_stranger_is_not() {
    let exchange = start();
    let mut first = Client::logged_in(&exchange, 0).await;
    let mut second = Client::logged_in(&exchange, 0).await;
    let mut stranger = Client::logged_in(&exchange, 1).await;
    first.expect_ok(limit(10_000, 100_000_000)).await;
    assert_eq!(first.notices().await, second.notices().await);
    assert_eq!(stranger.notices().await, Vec::<Value>::new());
}

#[actix_web::test]
async fn a_trade_with_oneself_is_told_once_and_without_fees() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    client.expect_ok(with(limit(-10_000, 100_000_000), json!({"tonce": 1}))).await;
    client.expect_ok(with(limit(10_000, 100_000_000), json!({"tonce": 2}))).await;
    let notices = client.notices().await;
    let matches: Vec<_> = notices.iter().filter(|notice| notice["notice"] == "OrdersMatched").collect();
    assert_eq!(matches.len(), 1);
    let tonces_and_fees = |field: &str| matches[0][field].as_i64();
    assert_eq!(
        ["ask_tonce", "bid_tonce", "bid_counter_fee", "ask_counter_fee"].map(tonces_and_fees),
        [Some(1), Some(2), Some(0), Some(0)]
    );
    assert!(notices.iter().all(|notice| notice["notice"] != "TradeVolumeChanged"));
}

#[actix_web::test]
async fn a_market_order_has_no_number_and_no_remainder() {
    let exchange = start();
    let mut seller = Client::logged_in(&exchange, 0).await;
    let mut watcher = Client::connect(&exchange).await;
    seller.expect_ok(limit(-10_000, 100_000_000)).await;
    watcher.expect_ok(watch("WatchOrders", true)).await;
    let market = json!({"method": "PlaceOrder", "base": XBT, "counter": USDT, "quantity": 4_000});
    Client::logged_in(&exchange, 1).await.expect_ok(market).await;
    let notices = watcher.notices().await;
    assert_eq!(names(&notices), ["OrdersMatched"]);
    assert_eq!((notices[0].get("bid"), notices[0].get("bid_rem")), (None, None));
    assert_eq!(notices[0]["ask_rem"], 6_000);
}

#[actix_web::test]
async fn tickers_tell_what_changed_and_null_for_what_is_gone() {
    let exchange = start();
    let mut trader = Client::logged_in(&exchange, 0).await;
    let mut watcher = Client::connect(&exchange).await;
    watcher.expect_ok(watch("WatchTicker", true)).await;
    let opened = trader.expect_ok(limit(10_000, 50_000)).await;
    trader.expect_ok(json!({"method": "ModifyOrder", "id": opened["id"], "price": 60_000})).await;
    trader.expect_ok(json!({"method": "CancelOrder", "id": opened["id"]})).await;
    let changed = |bid: Value| json!({"notice": "TickerChanged", "base": XBT, "counter": USDT, "bid": bid});
    assert_eq!(watcher.notices().await, [changed(json!(50_000)), changed(json!(60_000)), changed(Value::Null)]);
}

#[actix_web::test]
async fn orders_that_do_not_persist_end_with_their_connection_and_others_stay() {
    let exchange = start();
    let mut watcher = Client::connect(&exchange).await;
    watcher.expect_ok(watch("WatchOrders", true)).await;
    let mut client = Client::logged_in(&exchange, 0).await;
    let fleeting = client.expect_ok(with(limit(10_000, 10_000), json!({"persist": false}))).await;
    let lasting = client.expect_ok(with(limit(10_000, 20_000), json!({"persist": true}))).await;
    assert_eq!(watcher.notices().await.len(), 2);
    drop(client);
    exchange.wait_for(PATIENCE, |counts| counts.disconnections == 1).await.expect("the end of the connection");
    let closed = watcher.notices().await;
    assert_eq!(names(&closed), ["OrderClosed"]);
    assert_eq!(closed[0]["id"], fleeting["id"]);
    let left = Client::logged_in(&exchange, 0).await.expect_ok(json!({"method": "GetOrders"})).await;
    assert_eq!(left["orders"][0]["id"], lasting["id"]);
    assert_eq!(left["orders"].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn replaying_the_notices_on_the_snapshot_gives_the_book() {
    let exchange = start();
    let mut trader = Client::logged_in(&exchange, 0).await;
    let mut other = Client::logged_in(&exchange, 1).await;
    for price in 1..=5 {
        trader.expect_ok(limit(10_000, price * 10_000)).await;
        trader.expect_ok(limit(-10_000, (price + 5) * 10_000)).await;
    }
    let mut watcher = Client::connect(&exchange).await;
    let snapshot = watcher.expect_ok(watch("WatchOrders", true)).await;
    other.expect_ok(limit(-25_000, 40_000)).await;
    other.expect_ok(limit(13_000, 90_000)).await;
    let first = trader.expect_ok(json!({"method": "GetOrders"})).await["orders"][0]["id"].clone();
    trader.expect_ok(json!({"method": "ModifyOrder", "id": first, "quantity_delta": 5, "price": 20_000})).await;

    let mut book: std::collections::BTreeMap<i64, (i64, i64)> = Default::default();
    let number = |value: &Value| value.as_i64().expect("a number");
    for order in snapshot["orders"].as_array().expect("a list") {
        book.insert(number(&order["id"]), (number(&order["quantity"]), number(&order["price"])));
    }
    for notice in watcher.notices().await {
        match notice["notice"].as_str() {
            Some("OrderOpened" | "OrderModified") => {
                book.insert(number(&notice["id"]), (number(&notice["quantity"]), number(&notice["price"])));
            }
            Some("OrdersMatched") => {
                book.entry(number(&notice["bid"])).and_modify(|order| order.0 = number(&notice["bid_rem"]));
                book.entry(number(&notice["ask"])).and_modify(|order| order.0 = -number(&notice["ask_rem"]));
            }
            Some("OrderClosed") => {
                book.remove(&number(&notice["id"]));
            }
            other => panic!("{other:?}"),
        }
    }
    let fresh = Client::connect(&exchange).await.expect_ok(watch("WatchOrders", true)).await;
    let fresh: std::collections::BTreeMap<_, _> = fresh["orders"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|order| (number(&order["id"]), (number(&order["quantity"]), number(&order["price"]))))
        .collect();
    assert_eq!(book, fresh);
}
