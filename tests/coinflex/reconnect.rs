//! A connection is lost, and the next one takes up all that was wanted.

use feedtape::journal::Plan;
use feedtape::model::{Asset, AssetCode, Catalog};
use serde_json::Value;

use super::script::*;

/// Each with a book and a ticker.
const MARKETS: i64 = 25;

/// A catalog of so many assets, each with a market against USDT.
fn many_markets() -> Catalog {
    let mut catalog = catalog();
    let (usdt, mut market) = (catalog.assets[2].clone(), catalog.markets[0].clone());
    (catalog.assets, catalog.markets) = (vec![usdt], Vec::new());
    for n in 0..MARKETS {
        let (code, name) = (Some(AssetCode(1_000 + n)), format!("A{n}"));
        catalog.assets.push(Asset { code, name: name.clone(), places: Some(4), spot: None });
        (market.name, market.base_code, market.base) = (format!("{name}:USDT"), code, name);
        catalog.markets.push(market.clone());
    }
    catalog
}

#[test]
fn fifty_subscriptions_are_taken_up_and_information_is_asked_for_ten_times_in_ten_seconds() {
    let mut wanted = account_plan(&[("WatchOrders", &["*:*"]), ("WatchTicker", &["*:*"])]);
    wanted.poll = vec![poll("GetBalances", 1), poll("GetOrders", 1)];
    for first in [true, false] {
        let plan = Plan { first, ..wanted.clone() };
        let mut script = Script::new(Some(account())).connect_with(plan, many_markets());
        script.receive(WELCOME);
        let (mut informed, mut answered) = (Vec::new(), 0);
        while script.now < 60 * SECOND {
            while let Some(command) = script.sent.get(answered) {
                let command: Value = serde_json::from_str(command).unwrap();
                answered += 1;
                if matches!(command["method"].as_str(), Some("GetBalances" | "GetOrders")) {
                    informed.push(script.now);
                }
                script.receive(&format!(
                    r#"{{"error_code":0,"tag":{},"orders":[],"balances":[],"last":null,"bid":null,"ask":null,
                        "low":null,"high":null,"volume":0}}"#,
                    command["tag"]
                ));
            }
            script.wait();
        }
        for channel in ["WatchOrders", "WatchTicker"] {
            let states = script.states(channel);
            assert_eq!(states, vec![Some("consistent".to_owned()); MARKETS as usize], "{channel}");
        }
        assert!(informed.windows(11).all(|window| window[10] - window[0] > 10 * SECOND), "{informed:?}");
        assert!(informed.len() >= 50, "{informed:?}");
    }
}
