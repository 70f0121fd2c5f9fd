//! How many orders the engine takes and matches per second, by itself: no sockets, no JSON.
//!
//! `cargo bench --bench engine`; elements are orders (commands, for the crowd).

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use feedtape::exchange::engine::{
    Amount, Command, Engine, Event, FeeSchedule, Lifetime, LimitOrder, Micros, Price, Quantity, UserKind,
};
use feedtape::exchange::listing::{Listing, Pair};
use feedtape::exchange::traders::{Traders, TradersConfig};
use feedtape::model::{AssetCode, UserId};

const PAIR: Pair = Pair { base: AssetCode(63488), counter: AssetCode(65283) };
const MAKER: UserId = UserId(1);
const TAKER: UserId = UserId(2);
const NOON: i64 = 1_583_150_400_000_000;
const ORDERS: u64 = 10_000;
const USD: i64 = 10_000;

fn engine() -> Engine {
    let listing = Listing::coinflex(2020).expect("2020 is in the calendar");
    let mut engine = Engine::new(Arc::new(listing), &FeeSchedule::default(), 1);
    let funds = [PAIR.base, PAIR.counter].map(|asset| (asset, Amount(1_000_000_000_000_000)));
    for user in [MAKER, TAKER] {
        engine.add_user(user, UserKind::Simulated, &funds).expect("it is new");
    }
    engine
}

fn limit(user: UserId, quantity: i64, price: i64) -> (UserId, Command) {
    let order = LimitOrder {
        pair: PAIR,
        tonce: None,
        quantity: Quantity(quantity),
        price: Price(price),
        lifetime: Lifetime::Persistent,
        post_only: false,
    };
    (user, Command::PlaceLimit(order))
}

/// Carries out all, a µs apart, and counts the events.
fn run(engine: &mut Engine, commands: &[(UserId, Command)], events: &mut Vec<Event>) -> usize {
    let mut count = 0;
    for (now, (user, command)) in (NOON..).zip(commands) {
        events.clear();
        let _ = black_box(engine.execute(Micros(now), *user, command, events));
        count += events.len();
    }
    count
}

/// Every second order matches the one before it, in a book of a hundred levels.
fn pairs() -> Vec<(UserId, Command)> {
    let depth = (1..=100)
        .flat_map(|level| [limit(MAKER, 10_000, (9_000 - level) * USD), limit(MAKER, -10_000, (9_002 + level) * USD)]);
    let pairs = (0..ORDERS / 2).flat_map(|_| [limit(MAKER, -12_345, 9_001 * USD), limit(TAKER, 12_345, 9_001 * USD)]);
    depth.chain(pairs).collect()
}

/// Each hundredth order takes the ninety-nine before it, each at another price.
fn sweeps() -> Vec<(UserId, Command)> {
    let sweep = || {
        let makers = (1..100).map(|level| limit(MAKER, -100, (9_000 + level) * USD));
        makers.chain([limit(TAKER, 9_900, 9_100 * USD)])
    };
    (0..ORDERS / 100).flat_map(|_| sweep()).collect()
}

/// Simulated traders on four markets, before they have done anything.
fn crowd() -> (Engine, Traders) {
    let mut engine = engine();
    let names = ["XBT:USDT", "ETH:USDT", "BCH:USDT", "XBTMAR:USDTMAR"];
    let markets = names.map(|name| engine.listing().market_named(name).expect("it is listed"));
    let traders = Traders::new(engine.listing(), &TradersConfig::new(markets.to_vec()), 1);
    traders.enlist(&mut engine).expect("there is room");
    engine.advance(Micros(NOON), &mut Vec::new());
    (engine, traders)
}

/// What they do.
fn crowd_commands() -> Vec<(UserId, Command)> {
    let (mut engine, mut traders) = crowd();
    let next = |now| {
        let (user, command) = traders.next(&engine).expect("markets are open");
        let _ = engine.execute(Micros(now), user, &command, &mut Vec::new());
        (user, command)
    };
    (NOON..).take(ORDERS as usize).map(next).collect()
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("engine");
    let mut measure = |name: &str, engine: &dyn Fn() -> Engine, commands: &[(UserId, Command)]| {
        let mut events = Vec::new();
        run(&mut engine(), commands, &mut events);
        group.throughput(Throughput::Elements(commands.len() as u64));
        group.bench_function(name, |bencher| {
            let routine = |engine: &mut Engine| run(engine, commands, &mut events);
            bencher.iter_batched_ref(engine, routine, BatchSize::PerIteration);
        });
    };
    measure("pairs", &engine, &pairs());
    measure("sweeps", &engine, &sweeps());
    measure("crowd", &|| crowd().0, &crowd_commands());
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
