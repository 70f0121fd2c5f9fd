//! Every command: its success, and every refusal the documents give it.

use serde_json::{Value, json};

use crate::client::{Client, ETH, USDT, XBT, limit, start, start_with, watch, with};

const INVALID_PAIR: &str = "You specified an invalid asset pair.";
const NOT_FOUND: &str = "The specified order was not found.";
const NEITHER_SIZE: &str = "You must specify either quantity or total for a market order.";
const NEITHER_NAME: &str = "You must specify either order ID or tonce.";
const WOULD_MATCH: &str = "Post-only order with these parameters would result in an immediate match.";

fn modify(fields: Value) -> Value {
    with(json!({"method": "ModifyOrder"}), fields)
}

fn cancel(fields: Value) -> Value {
    with(json!({"method": "CancelOrder"}), fields)
}

fn market(method: &str, fields: Value) -> Value {
    with(json!({"method": method, "base": XBT, "counter": USDT}), fields)
}

#[actix_web::test]
async fn authenticate() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    let login = client.login(&exchange.accounts()[0]);

    let unknown = with(login.clone(), json!({"user_id": 9}));
    client.expect_refusal(unknown, 1, "There is no such user.").await;
    let wrong_cookie = with(login.clone(), json!({"cookie": "of somebody else"}));
    client.expect_refusal(wrong_cookie, 7, "You sent an incorrect login cookie.").await;
    let wrong = "You sent an incorrect signature. This probably means you used a wrong passphrase.";
    let other_nonce = with(login.clone(), json!({"nonce": "AAAAAAAAAAAAAAAAAAAAAA=="}));
    client.expect_refusal(other_nonce, 7, wrong).await;
    let short_nonce = with(login.clone(), json!({"nonce": "AAAA"}));
    client.expect_refusal(short_nonce, 8, "Field \"nonce\" is missing, or not of its type and range.").await;
    client.expect_refusal(json!({"method": "GetOrders"}), 7, "You are not authenticated.").await;
    assert_eq!(client.expect_ok(login).await, json!({}));
    assert_eq!(client.expect_ok(json!({"method": "GetOrders"})).await, json!({"orders": []}));
}

#[actix_web::test]
async fn a_login_again_switches_the_user_and_one_that_fails_does_not() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    client.expect_ok(limit(10_000, 10_000)).await;
    let orders = json!({"method": "GetOrders"});
    let other = client.login(&exchange.accounts()[1]);
    let wrong = with(other.clone(), json!({"cookie": ""}));
    client.expect_refusal(wrong, 7, "You sent an incorrect login cookie.").await;
    assert_eq!(client.expect_ok(orders.clone()).await["orders"].as_array().map(Vec::len), Some(1));
    client.expect_ok(other).await;
    assert_eq!(client.expect_ok(orders).await, json!({"orders": []}));

    // Notices, too, are the new user's.
    client.notices().await;
    Client::logged_in(&exchange, 0).await.expect_ok(limit(10_000, 10_000)).await;
    assert_eq!(client.notices().await, Vec::<Value>::new());
}

#[actix_web::test]
async fn what_needs_a_login_is_refused_without() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    for command in [
        json!({"method": "GetBalances"}),
        json!({"method": "GetOrders"}),
        json!({"method": "GetTradeVolume", "asset": XBT}),
        json!({"method": "CancelAllOrders"}),
        limit(10_000, 10_000),
        modify(json!({"id": 1, "price": 1})),
        cancel(json!({"id": 1})),
    ] {
        client.expect_refusal(command, 7, "You are not authenticated.").await;
    }
}

#[actix_web::test]
async fn get_balances() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    client.expect_ok(limit(10_000, 100_000_000)).await;
    let reply = client.expect_ok(json!({"method": "GetBalances"})).await;
    let balances = reply["balances"].as_array().expect("a list");
    let of = |asset| balances.iter().find(|balance| balance["asset"] == asset).expect("listed").clone();
    let total = 20_000_000_000_i64;
    let usdt = json!({"asset": USDT, "balance": total - 100_000_000, "reserved_balance": 100_000_000,
        "total_balance": total});
    assert_eq!(of(USDT), usdt);
    let xbt = json!({"asset": XBT, "balance": 1_000_000, "reserved_balance": 0, "total_balance": 1_000_000});
    assert_eq!(of(XBT), xbt);
}

#[actix_web::test]
async fn get_orders() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    let first = client.expect_ok(with(limit(10_000, 100_000_000), json!({"tonce": 77}))).await;
    let second = client.expect_ok(limit(-10_000, 110_000_000)).await;
    let order = |reply: &Value, tonce: Value, quantity: i64, price: i64| {
        json!({"id": reply["id"], "tonce": tonce, "base": XBT, "counter": USDT, "quantity": quantity,
            "price": price, "time": reply["time"]})
    };
    assert_eq!(
        client.expect_ok(json!({"method": "GetOrders"})).await,
        json!({"orders": [
            order(&first, json!(77), 10_000, 100_000_000),
            order(&second, Value::Null, -10_000, 110_000_000),
        ]})
    );
}

#[actix_web::test]
async fn estimate_market_order() {
    let exchange = start();
    let mut seller = Client::logged_in(&exchange, 0).await;
    seller.expect_ok(limit(-10_000, 100_000_000)).await;
    seller.expect_ok(limit(-10_000, 200_000_000)).await;
    let mut client = Client::connect(&exchange).await;
    let estimate = |fields| market("EstimateMarketOrder", fields);
    let reply = client.expect_ok(estimate(json!({"quantity": 15_000}))).await;
    assert_eq!(reply, json!({"quantity": 15_000, "total": 200_000_000}));
    let reply = client.expect_ok(estimate(json!({"total": 50_000_000}))).await;
    assert_eq!(reply, json!({"quantity": 5_000, "total": 50_000_000}));
    let reply = client.expect_ok(estimate(json!({"quantity": -5}))).await;
    assert_eq!(reply, json!({"quantity": 0, "total": 0}));

    let elsewhere = json!({"method": "EstimateMarketOrder", "base": XBT, "counter": ETH, "quantity": 1});
    client.expect_refusal(elsewhere, 1, INVALID_PAIR).await;
    client.expect_refusal(estimate(json!({"quantity": 0})), 8, "Quantity must not be zero.").await;
    client.expect_refusal(estimate(json!({"total": 0})), 8, "Total must not be zero.").await;
    client.expect_refusal(estimate(json!({})), 8, NEITHER_SIZE).await;
    client.expect_refusal(estimate(json!({"quantity": 1, "total": 1})), 8, NEITHER_SIZE).await;
}

#[actix_web::test]
async fn place_order() {
    let exchange = start();
    let mut seller = Client::logged_in(&exchange, 0).await;
    let mut client = Client::logged_in(&exchange, 1).await;
    let place = |fields| market("PlaceOrder", fields);

    let opened = client.expect_ok(limit(10_000, 100_000_000)).await;
    assert_eq!(
        opened.as_object().map(|opened| opened.keys().cloned().collect()),
        Some(vec!["id".into(), "time".to_owned()])
    );
    assert!(opened["id"].as_i64() > Some(0) && opened["time"].as_i64() > Some(1_600_000_000_000_000), "{opened}");

    // Market orders take what there is, and say what they could not.
    assert_eq!(client.expect_ok(place(json!({"quantity": 5_000}))).await, json!({"remaining": 5_000}));
    seller.expect_ok(limit(-10_000, 200_000_000)).await;
    assert_eq!(client.expect_ok(place(json!({"quantity": 5_000}))).await, json!({"remaining": 0}));
    let reply = client.expect_ok(place(json!({"total": 150_000_000}))).await;
    assert_eq!(reply, json!({"remaining": 50_000_000}));

    // Fill or kill leaves nothing in the book.
    let killed = with(limit(-20_000, 100_000_000), json!({"persist": "fill_or_kill"}));
    seller.expect_ok(killed).await;
    assert_eq!(seller.expect_ok(json!({"method": "GetOrders"})).await, json!({"orders": []}));

    let elsewhere = json!({"method": "PlaceOrder", "base": XBT, "counter": ETH, "quantity": 1, "price": 1});
    client.expect_refusal(elsewhere, 1, INVALID_PAIR).await;
    client.expect_ok(with(limit(1, 10_000), json!({"tonce": 3}))).await;
    client.expect_refusal(with(limit(1, 10_000), json!({"tonce": 3})), 3, "Tonce is out of sequence.").await;
    client.expect_refusal(with(limit(1, 10_000), json!({"tonce": 0})), 8, "Tonce must not be zero.").await;
    client.expect_refusal(limit(1, 0), 8, "Price must not be zero.").await;
    client.expect_refusal(limit(1, -10_000), 8, "Price must not be negative.").await;
    client.expect_refusal(limit(0, 10_000), 8, "Quantity must not be zero.").await;
    client.expect_refusal(limit(i64::MAX, i64::MAX), 8, "Order total would overflow.").await;
    client.expect_refusal(place(json!({})), 8, NEITHER_SIZE).await;
    client.expect_refusal(place(json!({"quantity": 1, "total": 1})), 8, NEITHER_SIZE).await;
    let both = with(limit(1, 10_000), json!({"total": 1}));
    client.expect_refusal(both, 8, "Field \"total\" is missing, or not of its type and range.").await;
    let none = place(json!({"price": 10_000}));
    client.expect_refusal(none, 8, "Field \"quantity\" is missing, or not of its type and range.").await;

    seller.expect_ok(limit(-10_000, 200_000_000)).await;
    let post_only = |price| with(limit(10_000, price), json!({"post_only": true}));
    client.expect_refusal(post_only(200_000_000), 9, WOULD_MATCH).await;
    client.expect_ok(post_only(199_990_000)).await;

    let mut poor = Client::logged_in(&exchange, 2).await;
    poor.expect_refusal(limit(10_000, 10_000), 4, "You have insufficient funds.").await;
}

#[actix_web::test]
async fn more_than_a_thousand_open_orders_are_refused() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    for _ in 0..1_000 {
        client.expect_ok(limit(1, 10_000)).await;
    }
    client.expect_refusal(limit(1, 10_000), 5, "You have too many outstanding orders.").await;
    let cancelled = client.expect_ok(json!({"method": "CancelAllOrders"})).await;
    assert_eq!(cancelled["orders"].as_array().map(Vec::len), Some(1_000));
    client.expect_ok(limit(1, 10_000)).await;
}

#[actix_web::test]
async fn modify_order() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    let opened = client.expect_ok(with(limit(10_000, 100_000_000), json!({"tonce": 5}))).await;
    let modified = client.expect_ok(modify(json!({"tonce": 5, "quantity_delta": -4_000, "price": 100_005_000}))).await;
    let expected = json!({"id": opened["id"], "tonce": 5, "base": XBT, "counter": USDT, "quantity": 6_000,
        "price": 100_000_000, "time": modified["time"]});
    assert_eq!(modified, expected, "the price is snapped down to the tick");
    assert!(modified["time"].as_i64() > opened["time"].as_i64());

    let id = opened["id"].clone();
    client.expect_refusal(modify(json!({"id": 999, "price": 1})), 1, NOT_FOUND).await;
    client.expect_refusal(modify(json!({"price": 1})), 8, NEITHER_NAME).await;
    client.expect_refusal(modify(json!({"id": id, "tonce": 5, "price": 1})), 8, NEITHER_NAME).await;
    client.expect_refusal(modify(json!({"tonce": 0, "price": 1})), 8, "Tonce must not be zero.").await;
    let nothing = "You must specify quantity delta and/or price.";
    client.expect_refusal(modify(json!({"id": id})), 8, nothing).await;
    let zero = modify(json!({"id": id, "quantity_delta": 0}));
    client.expect_refusal(zero, 8, "Quantity delta must not be zero.").await;
    client.expect_refusal(modify(json!({"id": id, "price": 0})), 8, "Price must not be zero.").await;
    let dear = modify(json!({"id": id, "price": 1_000_000_000_000_i64}));
    client.expect_refusal(dear, 4, "You have insufficient funds.").await;
    Client::logged_in(&exchange, 1).await.expect_ok(limit(-10_000, 110_000_000)).await;
    let crossing = modify(json!({"id": id, "price": 110_000_000, "post_only": true}));
    client.expect_refusal(crossing, 9, WOULD_MATCH).await;

    // To zero or past it, the order is cancelled.
    let reply = client.expect_ok(modify(json!({"id": id, "quantity_delta": -6_001}))).await;
    assert_eq!(reply["quantity"], 0);
    assert_eq!(client.expect_ok(json!({"method": "GetOrders"})).await, json!({"orders": []}));
}

#[actix_web::test]
async fn cancel_order() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    let opened = client.expect_ok(with(limit(-10_000, 100_000_000), json!({"tonce": 5}))).await;
    Client::logged_in(&exchange, 1).await.expect_refusal(cancel(json!({"id": opened["id"]})), 1, NOT_FOUND).await;
    client.expect_refusal(cancel(json!({})), 8, NEITHER_NAME).await;
    client.expect_refusal(cancel(json!({"id": 1, "tonce": 5})), 8, NEITHER_NAME).await;
    let cancelled = client.expect_ok(cancel(json!({"tonce": 5}))).await;
    let expected = json!({"id": opened["id"], "tonce": 5, "base": XBT, "counter": USDT, "quantity": -10_000,
        "price": 100_000_000, "time": opened["time"]});
    assert_eq!(cancelled, expected);
    client.expect_refusal(cancel(json!({"tonce": 5})), 1, NOT_FOUND).await;
}

#[actix_web::test]
async fn cancel_all_orders() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    let first = client.expect_ok(with(limit(10_000, 10_000), json!({"tonce": 1}))).await;
    let second = client.expect_ok(limit(-10_000, 900_000_000)).await;
    let reply = client.expect_ok(json!({"method": "CancelAllOrders"})).await;
    let ids: Vec<_> = reply["orders"].as_array().expect("a list").iter().map(|order| order["id"].clone()).collect();
    assert_eq!(ids, [first["id"].clone(), second["id"].clone()]);
    assert_eq!(client.expect_ok(json!({"method": "CancelAllOrders"})).await, json!({"orders": []}));
    client.expect_ok(with(limit(10_000, 10_000), json!({"tonce": 1}))).await;
}

#[actix_web::test]
async fn get_trade_volume() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    client.expect_ok(limit(10_000, 100_000_000)).await;
    Client::logged_in(&exchange, 1).await.expect_ok(limit(-4_000, 100_000_000)).await;
    let volume = |asset: i64| json!({"method": "GetTradeVolume", "asset": asset});
    assert_eq!(client.expect_ok(volume(XBT)).await, json!({"volume": 4_000}));
    assert_eq!(client.expect_ok(volume(ETH)).await, json!({"volume": 0}));
    client.expect_refusal(volume(1), 8, "Field \"asset\" is missing, or not of its type and range.").await;
}

#[actix_web::test]
async fn watch_orders() {
    let exchange = start();
    let mut trader = Client::logged_in(&exchange, 0).await;
    let mut opened = Vec::new();
    for (quantity, price) in [(10_000, 10_000), (20_000, 20_000), (-30_000, 40_000), (-40_000, 30_000)] {
        let reply = trader.expect_ok(limit(quantity, price)).await;
        opened.push(json!({"id": reply["id"], "quantity": quantity, "price": price, "time": reply["time"]}));
    }
    let mut client = Client::connect(&exchange).await;
    let not_watching = "You are not watching the order book for the specified asset pair.";
    client.expect_refusal(watch("WatchOrders", false), 1, not_watching).await;
    let snapshot = client.expect_ok(watch("WatchOrders", true)).await;
    let best_first = json!({"orders": [opened[1], opened[0], opened[3], opened[2]]});
    assert_eq!(snapshot, best_first);
    let already = "You are already watching the order book for the specified asset pair.";
    client.expect_refusal(watch("WatchOrders", true), 2, already).await;
    assert_eq!(client.expect_ok(watch("WatchOrders", false)).await, json!({}));
    trader.expect_ok(limit(1, 10_000)).await;
    assert_eq!(client.notices().await, Vec::<Value>::new());
    let elsewhere = json!({"method": "WatchOrders", "base": XBT, "counter": XBT, "watch": true});
    client.expect_refusal(elsewhere, 1, INVALID_PAIR).await;
}

#[actix_web::test]
async fn a_snapshot_has_the_best_thousand_of_each_side() {
    let exchange = start();
    let mut first = Client::logged_in(&exchange, 0).await;
    let mut second = Client::logged_in(&exchange, 1).await;
    for number in 1..=700 {
        first.expect_ok(limit(1, number * 10_000)).await;
        second.expect_ok(limit(1, number * 10_000)).await;
    }
    let snapshot = Client::connect(&exchange).await.expect_ok(watch("WatchOrders", true)).await;
    let orders = snapshot["orders"].as_array().expect("a list");
    assert_eq!(orders.len(), 1_000);
    assert_eq!((orders[0]["price"].as_i64(), orders[999]["price"].as_i64()), (Some(7_000_000), Some(2_010_000)));
}

#[actix_web::test]
async fn watch_ticker() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    let not_watching = "You are not watching the ticker for the specified asset pair.";
    client.expect_refusal(watch("WatchTicker", false), 1, not_watching).await;
    let empty = json!({"last": null, "bid": null, "ask": null, "low": null, "high": null, "volume": 0});
    assert_eq!(client.expect_ok(watch("WatchTicker", true)).await, empty);
    let already = "You are already watching the ticker for the specified asset pair.";
    client.expect_refusal(watch("WatchTicker", true), 2, already).await;
    assert_eq!(client.expect_ok(watch("WatchTicker", false)).await, json!({}));

    let mut trader = Client::logged_in(&exchange, 0).await;
    trader.expect_ok(limit(20_000, 100_000_000)).await;
    Client::logged_in(&exchange, 1).await.expect_ok(limit(-5_000, 100_000_000)).await;
    let price = 100_000_000;
    let ticker = json!({"last": price, "bid": price, "ask": null, "low": price, "high": price, "volume": 5_000});
    assert_eq!(client.expect_ok(watch("WatchTicker", true)).await, ticker);
    let elsewhere = json!({"method": "WatchTicker", "base": 1, "counter": 2, "watch": true});
    client.expect_refusal(elsewhere, 1, INVALID_PAIR).await;
}

#[actix_web::test]
async fn a_future_that_has_expired_is_no_market() {
    let exchange = start_with(|config| {
        config.listing = feedtape::exchange::ListingChoice::CoinFlex { year: Some(2019) };
    });
    let mut client = Client::logged_in(&exchange, 0).await;
    let order = json!({"method": "PlaceOrder", "base": 51200, "counter": 51880, "quantity": 1, "price": 10_000});
    client.expect_refusal(order, 1, INVALID_PAIR).await;
    let watch = json!({"method": "WatchOrders", "base": 51200, "counter": 51880, "watch": true});
    client.expect_refusal(watch, 1, INVALID_PAIR).await;
}

#[actix_web::test]
async fn a_hundred_pipelined_commands_are_answered_in_order_by_tag() {
    let exchange = start();
    let mut client = Client::logged_in(&exchange, 0).await;
    for number in 1..=100 {
        let command = with(limit(1, 10_000), json!({"tonce": number, "tag": number + 1_000}));
        client.send_text(&command.to_string()).await;
    }
    let mut answered = Vec::new();
    while answered.len() < 100 {
        let message = client.message().await;
        if message.get("notice").is_none() {
            assert_eq!(message["error_code"], 0, "{message}");
            answered.push(message["tag"].as_i64().expect("a tag") - 1_000);
        }
    }
    assert_eq!(answered, (1..=100).collect::<Vec<_>>());
}

#[actix_web::test]
async fn a_tag_comes_back_only_if_it_is_given_and_not_zero() {
    let exchange = start();
    let mut client = Client::connect(&exchange).await;
    for (command, reply) in [
        (
            r#"{"method":"WatchOrders","base":63488,"counter":65283,"watch":true}"#,
            json!({"error_code": 0, "orders": []}),
        ),
        (r#"{"tag":0,"method":"WatchOrders","base":63488,"counter":65283,"watch":false}"#, json!({"error_code": 0})),
        (
            r#"{"tag":-5,"method":"Nothing"}"#,
            json!({"tag": -5, "error_code": 8, "error_msg": "There is no such method."}),
        ),
    ] {
        client.send_text(command).await;
        assert_eq!(client.message().await, reply);
    }
}
