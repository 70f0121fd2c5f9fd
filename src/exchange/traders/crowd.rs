//! The traders of one market.

use rand::{Rng, RngExt};

use crate::exchange::engine::{
    Amount, Command, Engine, Lifetime, LimitOrder, MarketOrder, MarketSize, Modification, OpenOrder, OrderRef, Price,
    Quantity, Side, Tonce,
};
use crate::exchange::listing::{Listing, MarketId, Pair};
use crate::model::UserId;

use super::walk::Walk;

/// Traders who quote, in a market.
const MAKERS: u64 = 6;
/// Traders who take, in a market.
const TAKERS: u64 = 4;
/// All traders in a market.
pub(super) const USERS: u64 = MAKERS + TAKERS;

/// Open orders of a taker, left over from what it did not get at once, at which it cancels them all.
const LEFTOVERS_MAX: usize = 5;

/// One command in so many empties a side of the book, so that the ticker has none.
const SWEEP_EVERY: u32 = 4_096;

/// How far in a user's list of orders, oldest first, it looks for one to change or cancel.
const STALE: usize = 16;

/// The traders of one market, and the price they believe in.
#[derive(Debug)]
pub(super) struct Crowd {
    market: MarketId,
    pair: Pair,
    tick: i64,
    lot: i64,
    first_user: u64,
    /// Orders that a maker tends to have.
    quota: usize,
    walk: Walk,
    opening: Opening,
    last_tonce: i64,
}

/// How a market begins, so that its ticker is seen to have no ask, then one, then none again.
#[derive(Clone, Copy, Debug)]
enum Opening {
    Quote,
    Sweep,
    Done,
}

impl Crowd {
    pub(super) fn new(listing: &Listing, id: MarketId, first_user: UserId, depth: u32) -> Self {
        let market = listing.market(id);
        Self {
            market: id,
            pair: market.pair,
            tick: market.tick.0,
            lot: market.lot,
            first_user: first_user.0,
            quota: depth.div_ceil(MAKERS as u32) as usize,
            walk: Walk::new(listing, market),
            opening: Opening::Quote,
            last_tonce: 0,
        }
    }

    pub(super) fn market(&self) -> MarketId {
        self.market
    }

    pub(super) fn users(&self) -> impl Iterator<Item = UserId> + use<> {
        (self.first_user..self.first_user + USERS).map(UserId)
    }

    /// What somebody does next.
    pub(super) fn next(&mut self, engine: &Engine, rng: &mut impl Rng) -> (UserId, Command) {
        self.walk.step(rng);
        let maker = UserId(self.first_user + rng.random_range(0..MAKERS));
        let taker = UserId(self.first_user + MAKERS + rng.random_range(0..TAKERS));
        match self.opening {
            Opening::Quote => {
                self.opening = Opening::Sweep;
                (maker, Command::PlaceLimit(self.limit(Side::Ask, self.size(rng), self.price(Side::Ask, 1))))
            }
            Opening::Sweep => {
                self.opening = Opening::Done;
                (taker, self.sweep(Side::Bid))
            }
            Opening::Done if rng.random_ratio(1, SWEEP_EVERY) => (taker, self.sweep(side(rng))),
            Opening::Done if rng.random_ratio(1, 8) => (taker, self.take(engine, taker, rng)),
            Opening::Done => (maker, self.make(engine, maker, rng)),
        }
    }

    /// A maker quotes, changes a quote or cancels one; the more it has, the more it cancels.
    fn make(&mut self, engine: &Engine, maker: UserId, rng: &mut impl Rng) -> Command {
        let count = engine.order_count(maker);
        let stale = match count {
            0 => None,
            _ => engine.orders(maker).nth(rng.random_range(0..count.min(STALE))),
        };
        match stale {
            Some(order) if rng.random_ratio(1, 5) => self.change(&order, rng),
            Some(order) if rng.random_range(0..2 * self.quota) < count => Command::Cancel(reference(&order)),
            _ => {
                let side = side(rng);
                let order = self.limit(side, self.size(rng), self.price(side, distance(rng)));
                let post_only = rng.random_ratio(1, 4);
                Command::PlaceLimit(LimitOrder { post_only, tonce: self.tonce(rng), ..order })
            }
        }
    }

    /// A maker changes a quote's quantity, up or down, or moves it to where the price is now.
    fn change(&self, order: &OpenOrder, rng: &mut impl Rng) -> Command {
        let side = if order.quantity.0 > 0 { Side::Bid } else { Side::Ask };
        let (quantity_delta, price) = match rng.random_range(0..4) {
            0 => (Some(side.sign(self.size(rng))), None),
            1 => (Some(-side.sign(rng.random_range(1..=order.quantity.0.abs()))), None),
            _ => (None, Some(Price(self.price(side, distance(rng))))),
        };
        let quantity_delta = quantity_delta.map(Quantity);
        Command::Modify(Modification { order: reference(order), quantity_delta, price, post_only: false })
    }

    /// A taker crosses the spread by one of the ways there are.
    fn take(&self, engine: &Engine, taker: UserId, rng: &mut impl Rng) -> Command {
        if engine.order_count(taker) >= LEFTOVERS_MAX {
            return Command::CancelAll;
        }
        let side = side(rng);
        let size = self.size(rng);
        let price = self.price(side, -distance(rng));
        match rng.random_range(0..4) {
            0 => self.market_order(MarketSize::Quantity(Quantity(side.sign(size)))),
            1 => {
                let total = i128::from(size) * i128::from(price) / i128::from(self.lot) + 1;
                self.market_order(MarketSize::Total(Amount(side.sign(i64::try_from(total).unwrap_or(i64::MAX)))))
            }
            2 => {
                let order = self.limit(side, size, price);
                Command::PlaceLimit(LimitOrder { lifetime: Lifetime::FillOrKill, ..order })
            }
            _ => Command::PlaceLimit(self.limit(side, size, price)),
        }
    }

    fn limit(&self, side: Side, size: i64, price: i64) -> LimitOrder {
        LimitOrder {
            pair: self.pair,
            tonce: None,
            quantity: Quantity(side.sign(size)),
            price: Price(price),
            lifetime: Lifetime::Persistent,
            post_only: false,
        }
    }

    /// A tonce, for one order in four.
    fn tonce(&mut self, rng: &mut impl Rng) -> Option<Tonce> {
        rng.random_ratio(1, 4).then(|| {
            self.last_tonce += 1;
            Tonce(self.last_tonce)
        })
    }

    /// Takes everything that the other side offers.
    fn sweep(&self, side: Side) -> Command {
        self.market_order(MarketSize::Quantity(Quantity(side.sign(i64::MAX))))
    }

    fn market_order(&self, size: MarketSize) -> Command {
        Command::PlaceMarket(MarketOrder { pair: self.pair, tonce: None, size })
    }

    /// A quantity, the smaller the likelier: up to some whole units of the base asset.
    fn size(&self, rng: &mut impl Rng) -> i64 {
        let largest = self.lot >> rng.random_range(0..8);
        rng.random_range(1..=4 * largest.max(1))
    }

    /// The price so many ticks from the walk, away from the other side.
    fn price(&self, side: Side, distance: i64) -> i64 {
        (self.walk.ticks() - side.sign(distance)).max(1) * self.tick
    }
}

fn side(rng: &mut impl Rng) -> Side {
    if rng.random() { Side::Bid } else { Side::Ask }
}

/// Ticks from the walk, the fewer the likelier: 1 to 64.
fn distance(rng: &mut impl Rng) -> i64 {
    let farthest = 1 << rng.random_range(0..=6);
    rng.random_range(1..=farthest)
}

/// How its owner names an order: by its tonce, if it has one.
fn reference(order: &OpenOrder) -> OrderRef {
    order.tonce.map_or(OrderRef::Id(order.id), OrderRef::Tonce)
}
