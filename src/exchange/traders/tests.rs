//! The crowd as the engine sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::exchange::engine::{FeeSchedule, Modification, Refusal, Side};
use crate::model::Patch;

use super::*;

/// Noon UTC on 2020-03-02.
const NOON: i64 = 1_583_150_400_000_000;

fn engine() -> Engine {
    Engine::new(Arc::new(Listing::coinflex(2020).unwrap()), &FeeSchedule::default(), 1)
}

fn config(engine: &Engine, markets: &[&str]) -> TradersConfig {
    TradersConfig::new(markets.iter().map(|name| engine.listing().market_named(name).unwrap()).collect())
}

fn traders(engine: &mut Engine, config: &TradersConfig, seed: u64) -> Traders {
    let traders = Traders::new(engine.listing(), config, seed);
    traders.enlist(engine).unwrap();
    traders
}

/// Everything a recorder can be told, by name, as one event tells it.
fn facets(event: &Event) -> Vec<&'static str> {
    match event {
        Event::BalanceChanged { .. } => vec!["balance"],
        Event::ReservationChanged { .. } => vec![],
        Event::OrderOpened(_) => vec!["opened"],
        Event::OrderModified(_) => vec!["modified"],
        Event::OrdersMatched(matched) => [matched.bid.order, matched.ask.order]
            .map(|order| match order {
                None => "by a market order",
                Some(order) if order.remaining.0 == 0 => "in full",
                Some(_) => "in part",
            })
            .to_vec(),
        Event::OrderClosed { order, .. } if order.quantity.0 == 0 => vec!["closed, filled"],
        Event::OrderClosed { .. } => vec!["closed, cancelled"],
        Event::TickerChanged { change, .. } => {
            [("a null bid", &change.bid), ("a null ask", &change.ask), ("a null low", &change.low)]
                .into_iter()
                .filter(|(_, patch)| **patch == Patch::Null)
                .map(|(name, _)| name)
                .chain(["ticker"])
                .collect()
        }
        Event::TradeVolumeChanged { .. } => vec!["volume"],
    }
}

#[test]
fn three_seconds_at_the_usual_rate_show_every_kind_of_event() {
    for seed in 0..20 {
        let mut engine = engine();
        let config = config(&engine, &["XBT:USDT"]);
        let mut traders = traders(&mut engine, &config, seed);
        let mut events = Vec::new();
        for millis in 0..3_000 {
            traders.run(&mut engine, Micros(NOON + millis * 1_000), &mut events);
        }
        let seen: BTreeSet<_> = events.iter().flat_map(facets).collect();
        for facet in [
            "balance",
            "opened",
            "modified",
            "by a market order",
            "in full",
            "in part",
            "closed, filled",
            "closed, cancelled",
            "ticker",
            "a null ask",
            "volume",
        ] {
            assert!(seen.contains(facet), "seed {seed}: no {facet} among {seen:?}");
        }
    }
}

#[test]
fn orders_are_modified_by_quantity_either_way_and_by_price() {
    let mut engine = engine();
    let config = config(&engine, &["XBT:USDT"]);
    let mut traders = traders(&mut engine, &config, 1);
    let mut seen = BTreeSet::new();
    for _ in 0..500 {
        let (user, command) = traders.next(&engine).unwrap();
        if let Command::Modify(Modification { quantity_delta, price, .. }) = &command {
            seen.insert((quantity_delta.map(|delta| delta.0.signum()), price.is_some()));
        }
        let _ = engine.execute(Micros(NOON), user, &command, &mut Vec::new());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(None, true), (Some(-1), false), (Some(1), false)]);
}

#[test]
fn the_same_seed_gives_the_same_market_and_another_seed_another() {
    let run = |seed| {
        let mut engine = engine();
        let config = config(&engine, &["XBT:USDT", "ETH:USDT"]);
        let mut traders = traders(&mut engine, &config, seed);
        let mut events = Vec::new();
        for second in 0..20 {
            traders.run(&mut engine, Micros(NOON + second * 1_000_000), &mut events);
        }
        events
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn every_market_keeps_its_depth_and_nobody_runs_out_of_funds() {
    let mut engine = engine();
    let names: Vec<_> = engine.listing().markets().iter().map(|market| market.name.clone()).collect();
    let mut config = config(&engine, &names.iter().map(String::as_str).collect::<Vec<_>>());
    config.depth = NonZeroU32::new(60).unwrap();
    let mut traders = traders(&mut engine, &config, 2);
    let mut events = Vec::new();
    // Noon of 2 March: the contracts of March and April are open, and 8 spot markets.
    engine.advance(Micros(NOON), &mut events);
    for step in 0..60_000 {
        let (user, command) = traders.next(&engine).unwrap();
        events.clear();
        let refusal = engine.execute(Micros(NOON + step), user, &command, &mut events).err();
        assert!(matches!(refusal, None | Some(Refusal::WouldMatch)), "{refusal:?} for {command:?}");
    }
    let count = |market, side| engine.book(market, side).count();
    let depths: Vec<_> = (config.markets.iter())
        .filter(|market| engine.listing().market(**market).is_open(engine.now()))
        .map(|market| count(*market, Side::Bid) + count(*market, Side::Ask))
        .collect();
    assert_eq!(depths.len(), 16);
    assert!(depths.iter().all(|depth| (5..150).contains(depth)), "{depths:?}");
}

#[test]
fn commands_come_at_the_configured_rate_and_a_long_pause_is_not_made_up_for() {
    let mut engine = engine();
    let config = config(&engine, &["XBT:USDT"]);
    let mut traders = traders(&mut engine, &config, 3);
    let mut run = |micros: i64| traders.run(&mut engine, Micros(NOON + micros), &mut Vec::new());
    assert_eq!(run(0), 1);
    assert_eq!(run(19_999), 0);
    assert_eq!(run(20_000), 1);
    assert_eq!((1..=100).map(|tenth| run(20_000 + tenth * 100_000)).sum::<u64>(), 500);
    assert_eq!(run(3_600_000_000), 50);
    assert_eq!(run(3_600_000_001), 0);
    assert_eq!(run(0), 0, "the clock went back");
}

#[test]
fn where_no_market_is_open_nobody_trades() {
    let mut engine = engine();
    let config = config(&engine, &["XBTFEB:USDTFEB"]);
    let mut traders = traders(&mut engine, &config, 4);
    let mut events = Vec::new();
    engine.advance(Micros(NOON), &mut events);
    assert_eq!(traders.next(&engine), None);
    assert_eq!(traders.run(&mut engine, Micros(NOON), &mut events), 0);
    assert_eq!(events, []);
}
