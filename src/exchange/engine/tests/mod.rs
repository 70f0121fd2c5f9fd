//! The engine as its users see it.

mod asking;
mod matching;
mod modifying;
mod placing;
mod properties;

use std::sync::Arc;

use crate::exchange::listing::{Listing, MarketId, Pair};
use crate::model::{AssetCode, Patch, UserId};

use super::*;

const XBT: AssetCode = AssetCode(63488);
const USDT: AssetCode = AssetCode(65283);
const PAIR: Pair = Pair { base: XBT, counter: USDT };

/// Noon UTC on 2020-03-02, when month contracts of March and April are open.
const NOON: i64 = 1_583_150_400_000_000;

const ALICE: UserId = UserId(1);
const BOB: UserId = UserId(2);
const CAROL: UserId = UserId(3);

/// What every user starts with: 100 XBT and a million USDT.
const XBT_START: i64 = 1_000_000;
const USDT_START: i64 = 10_000_000_000;

/// One whole price step of XBT:USDT.
const USD: i64 = 10_000;

/// An engine with three users, and what it last said.
struct Floor {
    engine: Engine,
    now: i64,
    events: Vec<Event>,
}

impl Floor {
    /// Without fees.
    fn new() -> Self {
        Self::with_fees(0, 0)
    }

    /// With these millionths for makers and takers.
    fn with_fees(maker: u32, taker: u32) -> Self {
        let [maker, taker] = [maker, taker].map(|rate| PartsPerMillion::new(rate).unwrap());
        let fees = FeeSchedule { default: FeeRates { maker, taker }, ..FeeSchedule::default() };
        let mut engine = Engine::new(Arc::new(Listing::coinflex(2020).unwrap()), &fees, 7);
        let balances = [(XBT, Amount(XBT_START)), (USDT, Amount(USDT_START))];
        for user in [ALICE, BOB, CAROL] {
            engine.add_user(user, UserKind::Customer, &balances).unwrap();
        }
        Self { engine, now: NOON, events: Vec::new() }
    }

    /// Without fees, and with that rule for tonces.
    fn with_tonces(rule: TonceRule) -> Self {
        let Self { engine, now, events } = Self::new();
        Self { engine: engine.with_tonces(rule), now, events }
    }

    /// Carries out a command a second after the last; [`Floor::events`] has what came of it.
    fn execute(&mut self, user: UserId, command: Command) -> Result<Reply, Refusal> {
        self.now += 1_000_000;
        self.events.clear();
        self.engine.execute(Micros(self.now), user, &command, &mut self.events)
    }

    fn limit(&mut self, user: UserId, order: LimitOrder) -> Result<OpenOrder, Refusal> {
        self.execute(user, Command::PlaceLimit(order)).map(|reply| match reply {
            Reply::Placed(order) => order,
            other => panic!("a limit order was answered with {other:?}"),
        })
    }

    /// Places a limit order on XBT:USDT that is taken.
    fn place(&mut self, user: UserId, quantity: i64, price: i64) -> OrderId {
        self.limit(user, order(quantity, price)).unwrap().id
    }

    /// Executes a market order on XBT:USDT; what remained.
    fn market(&mut self, user: UserId, size: MarketSize) -> MarketSize {
        let order = MarketOrder { pair: PAIR, tonce: None, size };
        match self.execute(user, Command::PlaceMarket(order)).unwrap() {
            Reply::Executed { remaining } => remaining,
            other => panic!("a market order was answered with {other:?}"),
        }
    }

    /// Available and reserved.
    fn balance(&self, user: UserId, asset: AssetCode) -> (i64, i64) {
        let balance = self.engine.balance(user, asset).unwrap();
        (balance.available.0, balance.reserved.0)
    }

    fn market_id(&self) -> MarketId {
        self.engine.listing().market_id(PAIR).unwrap()
    }

    /// The book, bids then asks, each best first: number, signed quantity and price.
    fn book(&self) -> Vec<(i64, i64, i64)> {
        let side = |side| self.engine.book(self.market_id(), side);
        let orders = side(Side::Bid).chain(side(Side::Ask));
        orders.map(|order| (order.id.0, order.quantity.0, order.price.0)).collect()
    }

    /// The matches among the events.
    fn matches(&self) -> Vec<Match> {
        let matched = |event: &Event| match event {
            Event::OrdersMatched(matched) => Some(*matched),
            _ => None,
        };
        self.events.iter().filter_map(matched).collect()
    }

    /// The events as words, for their order.
    fn story(&self) -> Vec<String> {
        self.events.iter().map(word).collect()
    }
}

/// A persistent limit order on XBT:USDT without a tonce.
fn order(quantity: i64, price: i64) -> LimitOrder {
    LimitOrder {
        pair: PAIR,
        tonce: None,
        quantity: Quantity(quantity),
        price: Price(price),
        lifetime: Lifetime::Persistent,
        post_only: false,
    }
}

fn word(event: &Event) -> String {
    match event {
        Event::BalanceChanged { user, balance: Balance { asset, available, .. } } => {
            format!("balance {user} {asset} {available}")
        }
        Event::ReservationChanged { user, balance: Balance { asset, reserved, .. } } => {
            format!("reserved {user} {asset} {reserved}")
        }
        Event::OrderOpened(order) => format!("opened {} {}", order.id, order.quantity),
        Event::OrderModified(order) => format!("modified {} {} {}", order.id, order.quantity, order.price),
        Event::OrdersMatched(matched) => format!("matched {} {}", matched.quantity, matched.price),
        Event::OrderClosed { order, .. } => format!("closed {} {}", order.id, order.quantity),
        Event::TickerChanged { .. } => "ticker".to_owned(),
        Event::TradeVolumeChanged { user, volume, .. } => format!("volume {user} {volume}"),
    }
}
