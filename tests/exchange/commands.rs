//! Every command: its success, its refusals, and the notices that follow.

use feedtape::exchange::{Exchange, ExchangeConfig, Running};
use serde_json::json;

use crate::client::{Client, USDT, XBT};

fn start() -> Running {
    Exchange::start(ExchangeConfig::default()).expect("a free port")
}

#[actix_web::test]
async fn a_limit_order_is_placed_matched_and_closed_with_the_documented_notices() {
    let exchange = start();
    let mut seller = Client::logged_in(&exchange, 0).await;
    let mut buyer = Client::logged_in(&exchange, 1).await;
    let mut watcher = Client::connect(&exchange).await;
    let watch = json!({"method": "WatchOrders", "base": XBT, "counter": USDT, "watch": true});
    assert_eq!(watcher.expect_ok(watch).await, json!({"orders": []}));

    let order = |quantity: i64| {
        json!({"method": "PlaceOrder", "base": XBT, "counter": USDT, "quantity": quantity,
        "price": 100_000_000})
    };
    let sold = seller.expect_ok(order(-20_000)).await;
    let bought = buyer.expect_ok(order(10_000)).await;
    println!("{sold} {bought}");
    for client in [&mut seller, &mut buyer, &mut watcher] {
        for notice in client.notices().await {
            println!("{notice}");
        }
        println!();
    }
    exchange.stop().await;
}
