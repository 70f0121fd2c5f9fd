//! Limits, and what happens beyond them.

use std::time::Duration;

use feedtape::exchange::Rate;
use serde_json::json;

use crate::client::{Client, PATIENCE, XBT, limit, rest, start_with, watch, with};

#[actix_web::test]
async fn orders_beyond_the_rate_are_refused_by_user() {
    let exchange = start_with(|config| config.limits.orders = Rate::per_seconds(3, 3_600));
    let mut client = Client::logged_in(&exchange, 0).await;
    let estimate = || with(watch("EstimateMarketOrder", true), json!({"quantity": 1}));
    client.expect_ok(limit(1, 10_000)).await;
    client.expect_ok(estimate()).await;
    let mut again = Client::logged_in(&exchange, 0).await;
    again.expect_ok(json!({"method": "CancelAllOrders"})).await;
    let too_fast = "You are sending orders too rapidly.";
    for command in [
        limit(1, 10_000),
        estimate(),
        json!({"method": "ModifyOrder", "id": 1, "price": 1}),
        json!({"method": "CancelOrder", "id": 1}),
        json!({"method": "CancelAllOrders"}),
    ] {
        client.expect_refusal(command, 6, too_fast).await;
    }
    Client::logged_in(&exchange, 1).await.expect_ok(limit(1, 10_000)).await;

    // Without a login, estimates are counted by connection.
    let mut stranger = Client::connect(&exchange).await;
    for _ in 0..3 {
        stranger.expect_ok(estimate()).await;
    }
    stranger.expect_refusal(estimate(), 6, too_fast).await;
}

#[actix_web::test]
async fn information_requests_beyond_the_rate_are_refused_by_session() {
    let exchange = start_with(|config| config.limits.information = Rate::per_seconds(3, 3_600));
    let mut client = Client::logged_in(&exchange, 0).await;
    let commands = [
        json!({"method": "GetBalances"}),
        json!({"method": "GetOrders"}),
        json!({"method": "GetTradeVolume", "asset": XBT}),
    ];
    for command in commands.clone() {
        client.expect_ok(command).await;
    }
    for command in commands.clone() {
        client.expect_refusal(command, 6, "You are making information requests too rapidly.").await;
    }
    Client::logged_in(&exchange, 0).await.expect_ok(commands[0].clone()).await;
}

#[actix_web::test]
async fn logins_beyond_the_rate_are_refused_by_user() {
    let exchange = start_with(|config| config.limits.logins = Rate::per_seconds(2, 3_600));
    for _ in 0..2 {
        Client::logged_in(&exchange, 0).await;
    }
    let mut client = Client::connect(&exchange).await;
    let login = client.login(&exchange.accounts()[0]);
    client.expect_refusal(login, 6, "You are making authentication attempts too rapidly.").await;
    let other = client.login(&exchange.accounts()[1]);
    client.expect_ok(other).await;
}

#[actix_web::test]
async fn rest_has_limits_of_its_own() {
    let exchange = start_with(|config| {
        config.limits.records = Rate::per_seconds(1, 3_600);
        config.limits.rest_orders = Rate::per_seconds(1, 3_600);
    });
    assert_eq!(rest(&exchange, Some(0), "GET", "/trades/").await, (200, json!([])));
    let refused = json!({"error_code": 6, "error_msg": "You are making information requests too rapidly."});
    assert_eq!(rest(&exchange, Some(0), "GET", "/trades/").await, (429, refused));
    assert_eq!(rest(&exchange, Some(0), "DELETE", "/orders/").await, (200, json!([])));
    let refused = json!({"error_code": 6, "error_msg": "You are sending orders too rapidly."});
    assert_eq!(rest(&exchange, Some(0), "DELETE", "/orders/").await, (429, refused));
}

#[actix_web::test]
async fn a_client_without_traffic_is_told_to_go() {
    let exchange = start_with(|config| config.limits.idle = Duration::ZERO);
    let mut client = Client::connect(&exchange).await;
    assert_eq!(client.closed().await, Some(1001));
    exchange.wait_for(PATIENCE, |counts| counts.open() == 0).await.expect("it is gone");
}

#[actix_web::test]
async fn a_client_that_does_not_read_is_cut_off_and_others_are_served() {
    let exchange = start_with(|config| config.limits.unread_bytes_max = 1_000_000);
    let mut trader = Client::logged_in(&exchange, 0).await;
    let mut slow = Client::logged_in(&exchange, 1).await;
    let fleeting = with(limit(1, 10_000), json!({"persist": false}));
    slow.expect_ok(fleeting).await;
    slow.expect_ok(watch("WatchOrders", true)).await;
    // It reads no more. The kernel takes some MB, then the exchange one, then it is over.
    let mut rounds = 0;
    while exchange.counts().slow_clients == 0 {
        rounds += 1;
        assert!(rounds < 100_000, "the exchange buffers without end");
        let opened = trader.expect_ok(limit(1, 20_000)).await;
        trader.expect_ok(json!({"method": "CancelOrder", "id": opened["id"]})).await;
        trader.notices().await;
    }
    exchange.wait_for(PATIENCE, |counts| counts.open() == 1).await.expect("it is gone");
    let book = trader.expect_ok(watch("WatchOrders", true)).await;
    assert_eq!(book, json!({"orders": []}), "its orders that were not to persist are gone, too");
}
