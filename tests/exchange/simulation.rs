//! The simulated traders, seen from outside.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use feedtape::exchange::{Exchange, ExchangeConfig, Simulation};
use feedtape::model::MarketPattern;
use serde_json::json;

use crate::client::{Client, USDT, XBT};

fn pattern(text: &str) -> MarketPattern {
    text.parse().expect("a pattern")
}

#[actix_web::test]
async fn every_public_notice_occurs_where_traders_trade() {
    let simulation = Simulation {
        markets: vec![pattern("XBT:USDT")],
        rate: NonZeroU32::new(5_000).expect("not zero"),
        ..Simulation::default()
    };
    let config = ExchangeConfig { traders: Some(simulation), ..ExchangeConfig::default() };
    let exchange = Exchange::start(config).expect("a free port");
    let mut client = Client::connect(&exchange).await;
    for method in ["WatchOrders", "WatchTicker"] {
        client.expect_ok(json!({"method": method, "base": XBT, "counter": USDT, "watch": true})).await;
    }
    let wanted = ["OrderOpened", "OrderModified", "OrdersMatched", "OrderClosed", "TickerChanged"];
    let mut missing = BTreeSet::from(wanted.map(str::to_owned));
    while !missing.is_empty() {
        let notice = client.notice().await;
        missing.remove(notice["notice"].as_str().expect("a name"));
    }
    exchange.stop().await;
}

#[test]
fn a_market_that_is_not_listed_is_refused_by_name() {
    let simulation = Simulation { markets: vec![pattern("XBT:UDST")], ..Simulation::default() };
    let config = ExchangeConfig { traders: Some(simulation), ..ExchangeConfig::default() };
    let error = Exchange::start(config).err().expect("refused");
    assert!(error.to_string().contains("XBT:UDST"), "{error}");
}
