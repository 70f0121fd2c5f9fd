//! The book of a market: for each side, levels by price, and in each level the orders by age.

use std::collections::BTreeMap;

use super::order::{Order, Orders, Queue, Slot};
use super::{Price, Side};

/// The resting orders of a market.
#[derive(Debug, Default)]
pub(super) struct Book {
    bids: Ladder,
    asks: Ladder,
}

impl Book {
    /// Rests the order behind all others of its price.
    pub(super) fn insert(&mut self, orders: &mut Orders, slot: Slot) {
        let Order { side, price, .. } = orders[slot];
        let level = self.side_mut(side).levels.entry(rank(side, price)).or_default();
        orders.push_to_level(level, slot);
    }

    /// Takes the order out, which must be in.
    pub(super) fn remove(&mut self, orders: &mut Orders, slot: Slot) {
        let Order { side, price, .. } = orders[slot];
        let levels = &mut self.side_mut(side).levels;
        let rank = rank(side, price);
        if let Some(level) = levels.get_mut(&rank) {
            orders.remove_from_level(level, slot);
            if level.is_empty() {
                levels.remove(&rank);
            }
        }
    }

    /// The order that is matched next on that side.
    pub(super) fn best(&self, side: Side) -> Option<Slot> {
        self.side(side).levels.first_key_value().and_then(|(_, level)| level.first())
    }

    /// The best price of that side.
    pub(super) fn best_price(&self, side: Side) -> Option<Price> {
        self.side(side).levels.first_key_value().map(|(rank, _)| price(side, *rank))
    }

    /// Whether an order of `side` at `price` would match at once.
    pub(super) fn would_match(&self, side: Side, price: Price) -> bool {
        self.best_price(side.opposite()).is_some_and(|best| accepts(side, price, best))
    }

    /// The levels of a side, best first.
    pub(super) fn levels(&self, side: Side) -> impl Iterator<Item = (Price, Queue)> {
        self.side(side).levels.iter().map(move |(rank, level)| (price(side, *rank), *level))
    }

    fn side(&self, side: Side) -> &Ladder {
        match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut Ladder {
        match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        }
    }
}

/// Whether an order of `side` with this limit may trade at `price`.
pub(super) fn accepts(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Bid => price <= limit,
        Side::Ask => price >= limit,
    }
}

/// One side of a book. Levels are keyed so that the best comes first on either side.
#[derive(Debug, Default)]
struct Ladder {
    levels: BTreeMap<i64, Queue>,
}

/// The key of a price: the price itself for asks, its negative for bids.
fn rank(side: Side, price: Price) -> i64 {
    side.opposite().sign(price.0)
}

/// The price of a key.
fn price(side: Side, rank: i64) -> Price {
    Price(side.opposite().sign(rank))
}
