//! A day without faults: every kind of notice, and no check that fires.

use feedtape::exchange::engine::{
    Command, Lifetime, LimitOrder, MarketOrder, MarketSize, Modification, OrderRef, Price, Quantity, Side, Tonce,
};
use feedtape::model::{AssetCode, UserId};
use feedtape::replay::verify;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rand::RngExt;
use rusqlite::Connection;

use super::world::World;

const ME: UserId = UserId(7);

/// Every notice of the protocol.
const NOTICES: [&str; 8] = [
    "Welcome",
    "BalanceChanged",
    "OrderOpened",
    "OrderModified",
    "OrdersMatched",
    "OrderClosed",
    "TickerChanged",
    "TradeVolumeChanged",
];

/// A user with an account does something, sometimes more than it can pay.
fn act(world: &mut World, rng: &mut TestRng, tonce: &mut i64) {
    let market = world.markets[rng.random_range(0..world.markets.len())];
    let pair = world.pair(market);
    let [bid, ask] =
        [Side::Bid, Side::Ask].map(|side| world.engine.depth(market, side).next().map(|level| level.price.0));
    let Some((bid, ask)) = bid.zip(ask) else { return };
    let size = rng.random_range(1..20_000) * if rng.random_ratio(1, 2) { 1 } else { -1 };
    let order = world.engine.orders(ME).nth(rng.random_range(0..4));
    let command = match (rng.random_range(0..10), order) {
        (0..5, _) => {
            *tonce += 1;
            let near = rng.random_range(-40..40);
            Command::PlaceLimit(LimitOrder {
                pair,
                tonce: rng.random_ratio(1, 2).then_some(Tonce(*tonce)),
                quantity: Quantity(size),
                price: Price(if size > 0 { ask + near } else { bid + near }.max(1)),
                lifetime: if rng.random_ratio(1, 8) { Lifetime::FillOrKill } else { Lifetime::Persistent },
                post_only: false,
            })
        }
        (5, _) => Command::PlaceMarket(MarketOrder { pair, tonce: None, size: MarketSize::Quantity(Quantity(size)) }),
        (6 | 7, Some(order)) => Command::Modify(Modification {
            order: OrderRef::Id(order.id),
            quantity_delta: Some(Quantity(rng.random_range(1..5_000))),
            price: rng.random_ratio(1, 2).then_some(Price(order.price.0 + rng.random_range(-20..20))),
            post_only: false,
        }),
        (8, _) if rng.random_ratio(1, 20) => Command::CancelAll,
        (_, Some(order)) => Command::Cancel(OrderRef::Id(order.id)),
        _ => return,
    };
    // A refusal is part of a trader's life.
    let _ = world.execute(ME, &command);
}

#[test]
fn a_day_without_faults_has_every_notice_and_fires_no_check() {
    for seed in [3, 4] {
        let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut world = World::new(seed, &["XBT:USDT", "ETH:USDT"], Some(ME), |world| {
            // Little enough to run out of.
            let funds = [(63_488, 100_000), (63_520, 100_000), (65_283, 200_000_000)];
            world.enrol(ME, &funds.map(|(asset, amount)| (AssetCode(asset), amount)));
        });
        let mut tonce = 0;
        // Somebody trades every 6 s, we every 30 s.
        for n in 0..14_400_i64 {
            world.wait(6_000_000);
            world.trade();
            if rng.random_ratio(1, 5) {
                act(&mut world, &mut rng, &mut tonce);
            }
            if n % 600 == 0 {
                world.send(&serde_json::json!({"method": "GetBalances", "tag": 1_000_000 + n}));
                world.advance();
                world.look();
            }
            if n % 100 == 0 {
                world.commit();
                world.store.as_mut().unwrap().books_step().unwrap();
            }
        }
        let missing: Vec<_> = NOTICES.iter().filter(|notice| !world.seen.contains(**notice)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        world.stop();
        let connection = Connection::open(&world.path).unwrap();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let findings = "SELECT coalesce(group_concat(check_name || ' ' || evidence, char(10)), '') FROM finding";
        let findings: String = connection.query_row(findings, [], |row| row.get(0)).unwrap();
        assert_eq!(findings, "");
        // There was something to check.
        assert!(count("SELECT count(*) FROM trade_detail WHERE own") > 300);
        assert!(count("SELECT count(*) FROM balance WHERE NOT is_snapshot") > 1_000);
        assert_eq!(count("SELECT count(*) FROM book_snapshot WHERE is_look"), 48);
        assert!(count("SELECT max(durable_at) - min(started_at) FROM run") > 86_000_000_000_000);
        assert_eq!(count("SELECT count(*) FROM coverage WHERE verdict = 'gap' AND cause NOT LIKE 'not_%'"), 0);
        let report = verify(&world.path, false, |_, _, _| ()).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
    }
}
