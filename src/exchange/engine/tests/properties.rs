//! Rules that hold whatever is commanded.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// What the three users have of each asset: little, so that funds run out.
const FUNDS: i64 = 3_000_000;

#[derive(Clone, Debug)]
enum Step {
    Execute {
        user: u64,
        command: Command,
    },
    Disconnect(ConnectionId),
    /// Time passes, in seconds.
    Pass(i64),
}

fn price() -> impl Strategy<Value = Price> {
    (95..105_i64, select(vec![0, 1, 9_999])).prop_map(|(dollars, crumbs)| Price(dollars * USD + crumbs))
}

fn quantity() -> impl Strategy<Value = Quantity> {
    (select(vec![1, -1]), prop_oneof![1..20_i64, 1..30_000_i64]).prop_map(|(side, size)| Quantity(side * size))
}

fn tonce() -> impl Strategy<Value = Option<Tonce>> {
    prop_oneof![4 => Just(None), 1 => (1..6_i64).prop_map(|tonce| Some(Tonce(tonce)))]
}

fn order_ref() -> impl Strategy<Value = OrderRef> {
    prop_oneof![
        4 => (1..60_i64).prop_map(|id| OrderRef::Id(OrderId(id))),
        1 => (1..6_i64).prop_map(|tonce| OrderRef::Tonce(Tonce(tonce))),
    ]
}

fn lifetime() -> impl Strategy<Value = Lifetime> {
    let connection = (1..3_u64).prop_map(|connection| Lifetime::Connection(ConnectionId(connection)));
    prop_oneof![6 => Just(Lifetime::Persistent), 1 => connection, 1 => Just(Lifetime::FillOrKill)]
}

fn limit() -> impl Strategy<Value = Command> {
    (tonce(), quantity(), price(), lifetime(), prop::bool::weighted(0.1)).prop_map(
        |(tonce, quantity, price, lifetime, post_only)| {
            Command::PlaceLimit(LimitOrder { pair: PAIR, tonce, quantity, price, lifetime, post_only })
        },
    )
}

fn market() -> impl Strategy<Value = Command> {
    let total = (select(vec![1, -1]), 1..FUNDS).prop_map(|(side, total)| MarketSize::Total(Amount(side * total)));
    let size = prop_oneof![quantity().prop_map(MarketSize::Quantity), total];
    size.prop_map(|size| Command::PlaceMarket(MarketOrder { pair: PAIR, tonce: None, size }))
}

fn modify() -> impl Strategy<Value = Command> {
    let change = (prop::option::of(quantity()), prop::option::of(price()), prop::bool::weighted(0.1));
    (order_ref(), change).prop_map(|(order, (quantity_delta, price, post_only))| {
        Command::Modify(Modification { order, quantity_delta, price, post_only })
    })
}

fn step() -> impl Strategy<Value = Step> {
    let command = prop_oneof![
        20 => limit(),
        4 => market(),
        6 => modify(),
        3 => order_ref().prop_map(Command::Cancel),
        1 => Just(Command::CancelAll),
    ];
    prop_oneof![
        40 => (1..4_u64, command).prop_map(|(user, command)| Step::Execute { user, command }),
        1 => (1..3_u64).prop_map(|connection| Step::Disconnect(ConnectionId(connection))),
        1 => (1..100_000_i64).prop_map(Step::Pass),
    ]
}

/// A number of any size, the ends of the range among them.
fn any_size() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), select(vec![i64::MIN, i64::MAX, i64::MAX - 1, -1, 0, 1]), -100_000_000..100_000_000_i64]
}

/// A command whose numbers are of any size.
fn any_command() -> impl Strategy<Value = Command> {
    let order = || {
        prop_oneof![
            (1..9_i64).prop_map(OrderId).prop_map(OrderRef::Id),
            any_size().prop_map(Tonce).prop_map(OrderRef::Tonce)
        ]
    };
    let limit = (any_size(), any_size(), prop::option::of(any_size())).prop_map(|(quantity, price, tonce)| {
        Command::PlaceLimit(LimitOrder { tonce: tonce.map(Tonce), ..super::order(quantity, price) })
    });
    let size = prop_oneof![
        any_size().prop_map(|quantity| MarketSize::Quantity(Quantity(quantity))),
        any_size().prop_map(|total| MarketSize::Total(Amount(total))),
    ];
    let market = size.prop_map(|size| Command::PlaceMarket(MarketOrder { pair: PAIR, tonce: None, size }));
    let change = (prop::option::of(any_size()), prop::option::of(any_size()));
    let modify = (order(), change).prop_map(|(order, (quantity, price))| {
        let (quantity_delta, price) = (quantity.map(Quantity), price.map(Price));
        Command::Modify(Modification { order, quantity_delta, price, post_only: false })
    });
    prop_oneof![8 => limit, 2 => market, 3 => modify, 1 => order().prop_map(Command::Cancel)]
}

fn rates() -> impl Strategy<Value = FeeRates> {
    let rate = || select(vec![0, 300, 20_000, 1_000_000]).prop_map(|rate| PartsPerMillion::new(rate).unwrap());
    (rate(), rate()).prop_map(|(maker, taker)| FeeRates { maker, taker })
}

fn run(engine: &mut Engine, now: &mut i64, step: &Step, events: &mut Vec<Event>) {
    match step {
        Step::Execute { user, command } => {
            let reply = engine.execute(Micros(*now), UserId(*user), command, events);
            assert!(reply.is_ok() || events.is_empty(), "a refused command said {events:?}");
        }
        Step::Disconnect(connection) => engine.disconnect(Micros(*now), *connection, events),
        Step::Pass(seconds) => {
            *now += seconds * 1_000_000;
            engine.advance(Micros(*now), events);
        }
    }
}

fn engine(rates: FeeRates, seed: u64) -> Engine {
    engine_with(rates, seed, FUNDS)
}

/// An engine whose users have so much of either asset.
fn engine_with(rates: FeeRates, seed: u64, funds: i64) -> Engine {
    let fees = FeeSchedule { default: rates, ..FeeSchedule::default() };
    let mut engine = Engine::new(Arc::new(Listing::coinflex(2020).unwrap()), &fees, seed);
    for user in [ALICE, BOB, CAROL] {
        engine.add_user(user, UserKind::Customer, &[(XBT, Amount(funds)), (USDT, Amount(funds))]).unwrap();
    }
    engine
}

/// Somebody who saw a snapshot and heard every event since: all that can be known from outside.
struct Listener {
    /// By side and price, the orders in the order in which they would match.
    bids: BTreeMap<i64, Vec<(OrderId, i64)>>,
    asks: BTreeMap<i64, Vec<(OrderId, i64)>>,
    ticker: Ticker,
    balances: BTreeMap<(UserId, AssetCode), Balance>,
    last_trade: Micros,
}

impl Listener {
    fn new(engine: &Engine, market: MarketId) -> Self {
        let mut listener = Self {
            bids: BTreeMap::new(),
            asks: BTreeMap::new(),
            ticker: engine.ticker(market),
            balances: BTreeMap::new(),
            last_trade: Micros(0),
        };
        for order in [Side::Bid, Side::Ask].into_iter().flat_map(|side| engine.book(market, side)) {
            listener.append(&order);
        }
        for user in [ALICE, BOB, CAROL] {
            for balance in engine.balances(user) {
                listener.balances.insert((user, balance.asset), balance);
            }
        }
        listener
    }

    fn side(&mut self, side: Side) -> &mut BTreeMap<i64, Vec<(OrderId, i64)>> {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }

    fn append(&mut self, order: &OpenOrder) {
        let side = Side::of(order.quantity.0).unwrap();
        let level = self.side(side).entry(side.opposite().sign(order.price.0)).or_default();
        level.push((order.id, order.quantity.0.abs()));
    }

    /// Where an order is: its side, the key of its level, its place there.
    fn place(&self, id: OrderId) -> (Side, i64, usize) {
        let find = |levels: &BTreeMap<i64, Vec<(OrderId, i64)>>| {
            levels.iter().find_map(|(key, level)| level.iter().position(|order| order.0 == id).map(|at| (*key, at)))
        };
        let (side, (key, at)) = (find(&self.bids).map(|found| (Side::Bid, found)))
            .or_else(|| find(&self.asks).map(|found| (Side::Ask, found)))
            .unwrap_or_else(|| panic!("order {id} was never opened"));
        (side, key, at)
    }

    fn remove(&mut self, id: OrderId) {
        let (side, key, at) = self.place(id);
        let levels = self.side(side);
        let level = levels.get_mut(&key).unwrap();
        level.remove(at);
        if level.is_empty() {
            levels.remove(&key);
        }
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::OrderOpened(order) => self.append(order),
            Event::OrderClosed { order, .. } => self.remove(order.id),
            Event::OrderModified(order) => {
                let (side, key, at) = self.place(order.id);
                let old = self.side(side).get_mut(&key).unwrap();
                if key == side.opposite().sign(order.price.0) && order.quantity.0.abs() <= old[at].1 {
                    old[at].1 = order.quantity.0.abs();
                } else {
                    self.remove(order.id);
                    self.append(order);
                }
            }
            Event::OrdersMatched(matched) => self.hear_match(matched),
            Event::TickerChanged { change, .. } => self.hear_ticker(change),
            Event::BalanceChanged { user, balance } => {
                let old = self.balances.insert((*user, balance.asset), *balance);
                let old = old.map(|old| old.available);
                assert_ne!(old, Some(balance.available), "a balance was told that had not changed");
            }
            Event::ReservationChanged { user, balance } => {
                if let Some(old) = self.balances.insert((*user, balance.asset), *balance) {
                    assert_eq!(old.available, balance.available, "more than the reservation changed");
                    assert_ne!(old.reserved, balance.reserved, "a reservation was told that had not changed");
                }
            }
            Event::TradeVolumeChanged { .. } => {}
        }
    }

    fn hear_match(&mut self, matched: &Match) {
        assert!(matched.time > self.last_trade, "two trades have one time");
        self.last_trade = matched.time;
        let (maker_side, maker) = match matched.taker {
            Side::Bid => (Side::Ask, matched.ask.order),
            Side::Ask => (Side::Bid, matched.bid.order),
        };
        let maker = maker.expect("a maker is a limit order").id;
        let (side, key, at) = self.place(maker);
        let best = *self.side(side).first_key_value().unwrap().0;
        assert_eq!((side, key, at), (maker_side, best, 0), "order {maker} was not the next to match");
        assert_eq!(matched.price.0, side.opposite().sign(key), "not at the maker's price");
        for (side, order) in [(Side::Bid, matched.bid.order), (Side::Ask, matched.ask.order)] {
            let Some(order) = order else { continue };
            let (found, key, at) = self.place(order.id);
            assert_eq!(found, side);
            let quantity = &mut self.side(side).get_mut(&key).unwrap()[at].1;
            let rest = *quantity - matched.quantity.0;
            assert!(order.remaining.0 == rest || side == Side::Bid && order.remaining.0 < rest, "{matched:?}");
            *quantity = order.remaining.0;
        }
    }

    fn hear_ticker(&mut self, change: &TickerChange) {
        fn apply<T: Clone>(field: &mut Option<T>, patch: &Patch<T>) {
            match patch {
                Patch::Absent => {}
                Patch::Null => *field = None,
                Patch::Value(value) => *field = Some(value.clone()),
            }
        }
        assert_ne!(*change, TickerChange::default(), "nothing was told");
        apply(&mut self.ticker.last, &change.last);
        apply(&mut self.ticker.bid, &change.bid);
        apply(&mut self.ticker.ask, &change.ask);
        apply(&mut self.ticker.low, &change.low);
        apply(&mut self.ticker.high, &change.high);
        if let Patch::Value(volume) = change.volume {
            self.ticker.volume = volume;
        }
    }

    /// Whether what was heard adds up to what the engine says.
    fn check(&self, engine: &Engine, market: MarketId) {
        for (side, levels) in [(Side::Bid, &self.bids), (Side::Ask, &self.asks)] {
            let heard: Vec<_> = levels
                .iter()
                .flat_map(|(key, level)| level.iter().map(move |order| (order.0, order.1, side.opposite().sign(*key))))
                .collect();
            let said: Vec<_> =
                engine.book(market, side).map(|order| (order.id, order.quantity.0.abs(), order.price.0)).collect();
            assert_eq!(heard, said);
            assert!(said.iter().all(|(_, quantity, _)| *quantity > 0));
        }
        assert_eq!(self.ticker, engine.ticker(market));
        let [bid, ask] = [Side::Bid, Side::Ask].map(|side| engine.book(market, side).next().map(|order| order.price));
        assert_eq!((self.ticker.bid, self.ticker.ask), (bid, ask));
        assert!(bid.zip(ask).is_none_or(|(bid, ask)| bid < ask), "crossed: {bid:?} {ask:?}");
        for ((user, asset), balance) in &self.balances {
            assert_eq!(engine.balance(*user, *asset).unwrap(), *balance, "user {user}, asset {asset}");
        }
    }
}

/// What the engine must be true to by itself.
fn check_accounts(engine: &Engine) {
    for asset in [XBT, USDT] {
        let held = [ALICE, BOB, CAROL].map(|user| engine.balance(user, asset).unwrap());
        assert!(held.iter().all(|balance| balance.available.0 >= 0 && balance.reserved.0 >= 0), "{held:?}");
        let held: i64 = held.iter().map(|balance| balance.total().0).sum();
        assert_eq!(held + engine.fees(asset).unwrap().0, 3 * FUNDS, "asset {asset} was made or lost");
    }
    for user in [ALICE, BOB, CAROL] {
        let mut reserved = BTreeMap::from([(XBT, 0), (USDT, 0)]);
        for order in engine.orders(user) {
            let (quantity, price) = (order.quantity.0, order.price.0);
            if quantity > 0 {
                *reserved.get_mut(&USDT).unwrap() += (quantity * price + 9_999) / 10_000;
            } else {
                *reserved.get_mut(&XBT).unwrap() -= quantity;
            }
        }
        for (asset, reserved) in reserved {
            assert_eq!(engine.balance(user, asset).unwrap().reserved, Amount(reserved), "user {user}, asset {asset}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_commanded_the_engine_is_true_to_itself_and_to_its_listeners(
        steps in prop::collection::vec(step(), 1..150),
        rates in rates(),
        seed: u64,
        joins in 0..50_usize,
    ) {
        let mut engine = engine(rates, seed);
        let market = engine.listing().market_id(PAIR).unwrap();
        let mut now = NOON;
        let mut events = Vec::new();
        let mut listener = Listener::new(&engine, market);
        for (number, step) in steps.iter().enumerate() {
            if number == joins {
                listener = Listener::new(&engine, market);
            }
            events.clear();
            run(&mut engine, &mut now, step, &mut events);
            events.iter().for_each(|event| listener.hear(event));
            listener.check(&engine, market);
            check_accounts(&engine);
        }
    }

    #[test]
    fn numbers_of_any_size_are_refused_or_kept_to_the_unit(
        commands in prop::collection::vec((1..4_u64, any_command()), 1..60),
        rates in rates(),
    ) {
        const FORTUNE: i64 = i64::MAX / 3;
        let mut engine = engine_with(rates, 1, FORTUNE);
        for (user, command) in commands {
            let mut events = Vec::new();
            let _ = engine.execute(Micros(NOON), UserId(user), &command, &mut events);
            for size in [MarketSize::Quantity(Quantity(i64::MAX)), MarketSize::Total(Amount(-i64::MAX))] {
                let _ = engine.estimate(PAIR, size);
            }
            for asset in [XBT, USDT] {
                let held = [ALICE, BOB, CAROL].map(|user| engine.balance(user, asset).unwrap());
                prop_assert!(held.iter().all(|balance| balance.available.0 >= 0 && balance.reserved.0 >= 0));
                let held: i64 = held.iter().map(|balance| balance.total().0).sum();
                prop_assert_eq!(held + engine.fees(asset).unwrap().0, 3 * FORTUNE);
            }
        }
    }

    #[test]
    fn the_same_seed_and_commands_give_the_same_events(
        steps in prop::collection::vec(step(), 1..150),
        rates in rates(),
        seed: u64,
    ) {
        let [one, other] = [(); 2].map(|()| {
            let mut engine = engine(rates, seed);
            let (mut now, mut events, mut all) = (NOON, Vec::new(), Vec::new());
            for step in &steps {
                events.clear();
                run(&mut engine, &mut now, step, &mut events);
                all.append(&mut events);
            }
            all
        });
        prop_assert_eq!(one, other);
    }
}
