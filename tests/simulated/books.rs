//! The order book at any time, against the engine's own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use feedtape::exchange::engine::Side;
use feedtape::exchange::listing::MarketId;
use feedtape::model::{CloseCause, Timestamp};
use feedtape::replay::{rebuild, verify};
use feedtape::store::{Aspect, BookName, BookState, Reader, Settings, Store};
use proptest::test_runner::{RngAlgorithm, TestRng};
use rand::RngExt;
use rusqlite::{Connection, params};

use super::told::Place;
use super::world::World;

const MARKETS: [&str; 3] = ["XBT:USDT", "ETH:USDT", "FLEX:USDT"];

/// A book as the engine had it.
pub struct Truth {
    pub at: i64,
    pub market: String,
    /// Id, price and quantity; `None` while nobody heard of it.
    pub orders: Option<Vec<(i64, i64, i64)>>,
    /// How much had been told by then.
    pub told: usize,
    /// Where the recorder was.
    pub place: Option<Place>,
}

pub fn truth(world: &World, market: MarketId) -> Truth {
    let sides = [Side::Bid, Side::Ask].map(|side| world.engine.book(market, side));
    let mut orders: Vec<_> =
        sides.into_iter().flatten().map(|order| (order.id.0, order.price.0, order.quantity.0)).collect();
    orders.sort_unstable();
    let orders = world.hears().then_some(orders);
    let told = world.told.as_ref().map_or(0, Vec::len);
    Truth { at: world.now * 1_000, market: world.name(market), orders, told, place: world.place() }
}

pub fn recorded(connection: &Connection, truth: &Truth) -> Vec<(i64, i64, i64)> {
    let select = "SELECT order_id, price_raw, quantity_raw FROM book WHERE market = ? AND at = ? ORDER BY order_id";
    let mut select = connection.prepare_cached(select).unwrap();
    let orders = select.query_map(params![truth.market, truth.at], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    orders.unwrap().map(Result::unwrap).collect()
}

pub fn check(path: &Path, truths: &[Truth]) {
    let connection = Connection::open(path).unwrap();
    let reader = Reader::open(path).unwrap();
    for truth in truths {
        let Truth { at, market, orders, .. } = truth;
        assert_eq!(&recorded(&connection, truth), orders.as_deref().unwrap_or_default(), "{market} at {at}");
        let book = BookName { source: "flex".to_owned(), market: market.clone() };
        let state = reader.book_state(&book, Timestamp(*at)).unwrap();
        assert_eq!(matches!(state, BookState::Known { .. }), orders.is_some(), "{market} at {at}: {state:?}");
    }
}

/// Records for so many of the traders' commands, with connections lost, and gives what the books were meanwhile.
fn record(world: &mut World, commands: usize, instants: usize, rng: &mut TestRng) -> Vec<Truth> {
    let mut truths = Vec::new();
    for n in 0..commands {
        world.trade();
        if n % (commands / instants) == 0 {
            let market = world.markets[rng.random_range(0..world.markets.len())];
            truths.push(truth(world, market));
        }
        if rng.random_ratio(1, 40) {
            world.commit();
        }
        if rng.random_ratio(1, 60) && world.is_connected() {
            world.commit();
            world.store.as_mut().unwrap().books_step().unwrap();
        }
        if rng.random_ratio(1, 8_000) {
            match world.is_connected() {
                true => world.disconnect(CloseCause::Transport),
                false => world.connect(),
            }
        } else if !world.is_connected() && rng.random_ratio(1, 200) {
            world.connect();
        }
    }
    world.commit();
    truths
}

fn derived(path: &Path) -> (i64, i64, i64) {
    let connection = Connection::open(path).unwrap();
    let count = |sql| connection.query_row(sql, [], |row| row.get(0)).unwrap();
    (
        count("SELECT count(*) FROM book_checkpoint WHERE id NOT IN (SELECT id FROM book_snapshot)"),
        count("SELECT count(*) FROM book_span WHERE frames IS NULL AND instrument > 0"),
        count("SELECT count(*) FROM book_checkpoint_order"),
    )
}

#[test]
fn the_book_at_any_time_is_the_engines_own_order_by_order() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut world = World::new(7, &MARKETS, None, |_| ());
    let mut truths = record(&mut world, 25_000, 700, &mut rng);
    // How far checkpoints have come makes no difference to what is answered.
    check(&world.path, &truths[600..]);
    world.kill();
    world.start();
    truths.extend(record(&mut world, 25_000, 700, &mut rng));
    let (checkpoints, spans, orders) = derived(&world.path);
    assert!(checkpoints > 0 && spans > 3 && orders > 50, "{checkpoints} {spans} {orders}");
    world.kill();

    // Killed while checkpoints lagged behind: what there is, follows from the journal as far as it goes.
    let again = world.folder.path().join("again.db");
    rebuild(&world.path, &again, |_, _| ()).unwrap();
    for (path, truths) in [(&world.path, &truths[1_000..]), (&again, &truths[1_200..])] {
        let report = verify(path, false, |_, _, _| ()).unwrap();
        assert_eq!(report.count(Aspect::Rows), 0, "{:#?}", report.findings);
        assert_eq!(report.count(Aspect::Contradictions), 0, "{:?}", report.findings);
        check(path, truths);
    }

    world.start();
    truths.extend(record(&mut world, 25_000, 700, &mut rng));
    world.stop();
    assert!(truths.iter().filter(|truth| truth.orders.is_none()).count() > 20);
    assert!(truths.len() > 2_000, "{}", truths.len());
    check(&world.path, &truths);
    let report = verify(&world.path, false, |_, _, _| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    let (more, ..) = derived(&world.path);
    assert!(more > checkpoints);
    in_the_plain_shell(&world.path, &truths);
}

/// The view answers the same in whatever SQLite there is.
fn in_the_plain_shell(path: &Path, truths: &[Truth]) {
    let truth = truths.iter().rfind(|truth| truth.orders.is_some()).unwrap();
    let sql = format!(
        "SELECT order_id, price_raw, quantity_raw FROM book WHERE market = '{}' AND at = {} ORDER BY order_id",
        truth.market, truth.at
    );
    let Ok(shell) = Command::new("sqlite3").arg("-readonly").arg(path).arg(sql).output() else {
        return println!("skipped the shell: no sqlite3 here");
    };
    let expected: String =
        truth.orders.iter().flatten().map(|(id, price, quantity)| format!("{id}|{price}|{quantity}\n")).collect();
    assert_eq!(String::from_utf8_lossy(&shell.stdout), expected, "{}", String::from_utf8_lossy(&shell.stderr));
}

#[test]
fn the_depth_adds_up_what_the_engine_has_at_each_price() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut world = World::new(11, &MARKETS[..1], None, |_| ());
    record(&mut world, 2_000, 1, &mut rng);
    if !world.is_connected() {
        world.connect();
    }
    let market = world.markets[0];
    world.commit();
    let connection = Connection::open(&world.path).unwrap();
    for (name, side) in [("buy", Side::Bid), ("sell", Side::Ask)] {
        let select = "SELECT price_raw, quantity_raw, cumulative_raw, level, verdict FROM depth \
             WHERE market = 'XBT:USDT' AND at = ? AND side = ? ORDER BY level";
        let mut select = connection.prepare(select).unwrap();
        let levels = select.query_map(params![world.now * 1_000, name], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        });
        let levels: Vec<(i64, i64, i64, i64, String)> = levels.unwrap().map(Result::unwrap).collect();
        let mut cumulative = 0;
        let expected = world.engine.depth(market, side).zip(1..).map(|(level, place)| {
            cumulative += level.quantity.0;
            (level.price.0, level.quantity.0, cumulative, place, "consistent".to_owned())
        });
        let expected: Vec<_> = expected.collect();
        assert!(expected.len() > 5);
        assert_eq!(levels, expected);
    }
}

#[test]
fn what_changed_while_nobody_was_connected_is_a_finding_and_no_contradiction() {
    let mut world = World::new(13, &MARKETS[..1], None, |_| ());
    for _ in 0..500 {
        world.trade();
    }
    world.commit();
    let before = truth(&world, world.markets[0]).orders.unwrap();
    let (lost_at, market) = (world.now, world.markets[0]);
    world.disconnect(CloseCause::Transport);
    for _ in 0..300 {
        world.trade();
    }
    let after: Vec<_> = [Side::Bid, Side::Ask].map(|side| world.engine.book(market, side).collect::<Vec<_>>()).concat();
    world.reconnect_in_peace();
    world.commit();
    assert_eq!(findings(&world.path), "");
    world.store.as_mut().unwrap().derive_books(i64::MAX).unwrap();

    let after: Vec<_> = after.iter().map(|order| (order.id.0, order.price.0, order.quantity.0)).collect();
    let ids = |orders: &[(i64, i64, i64)]| orders.iter().map(|(id, ..)| *id).collect::<BTreeSet<_>>();
    let appeared = ids(&after).difference(&ids(&before)).count();
    let vanished = ids(&before).difference(&ids(&after)).count();
    let changed = after.iter().filter(|order| ids(&before).contains(&order.0) && !before.contains(order)).count();
    assert!(appeared > 0 && vanished > 0 && changed > 0, "{appeared} {vanished} {changed}");
    let expected = format!("{appeared} orders appeared, {vanished} vanished, {changed} changed");
    let finding = format!("changed_while_blind|0|{}|{expected}", (lost_at + 1) * 1_000);
    assert_eq!(findings(&world.path), finding);

    // Nothing happened during the next hole.
    world.disconnect(CloseCause::Transport);
    world.reconnect_in_peace();
    world.stop();
    assert_eq!(findings(&world.path), finding);
    let report = verify(&world.path, false, |_, _, _| ()).unwrap();
    assert!(report.is_clean() && report.changed_unseen == 1, "{report:?}");
}

fn findings(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let select = "SELECT coalesce(group_concat(check_name || '|' || is_contradiction || '|' || since || '|' || evidence, \
         char(10)), '') FROM finding";
    connection.query_row(select, [], |row| row.get(0)).unwrap()
}

#[test]
fn an_upgraded_file_gets_its_checkpoints_behind_the_live_write() {
    let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut world = World::new(17, &MARKETS[..1], None, |_| ());
    let truths = record(&mut world, 20_000, 100, &mut rng);
    world.kill();
    // As a schema without checkpoints leaves it.
    let connection = Connection::open(&world.path).unwrap();
    let forget = "DELETE FROM book_checkpoint_order; \
         DELETE FROM book_checkpoint WHERE id NOT IN (SELECT id FROM book_snapshot); \
         DELETE FROM book_span WHERE instrument > 0; UPDATE book_span SET first = 0; \
         UPDATE book_progress SET through = 0, at = 0;";
    connection.execute_batch(forget).unwrap();
    drop(connection);
    check(&world.path, &truths);
    let settings =
        Settings { path: world.path.clone(), durability: feedtape::config::Durability::ProcessKill, min_free_space: 0 };
    let mut store = Store::open(settings).unwrap();
    assert_eq!(derived(&world.path).0, 0);
    store.derive_books(i64::MAX).unwrap();
    assert!(derived(&world.path).0 > 0);
    store.close_file().unwrap();
    check(&world.path, &truths);
    let report = verify(&world.path, false, |_, _, _| ()).unwrap();
    assert_eq!(report.count(Aspect::Rows), 0, "{:#?}", report.findings);
}
