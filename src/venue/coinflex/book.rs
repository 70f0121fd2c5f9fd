//! The book of a market as the notices state it, kept to find contradictions: there is no sequence number and no
//! checksum, so loss shows only where a notice cannot follow from the ones before.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use foldhash::fast::RandomState;

use crate::model::{BookOrder, OrderEvent, OrderKind, Timestamp, Trade, TradeSide};

/// A snapshot has at most the best so many orders of each side; with fewer, it has all.
pub(super) const SNAPSHOT_SIDE_MAX: usize = 1_000;
/// Orders kept of one book. A book that grows beyond is not checked until its next snapshot.
const ORDERS_MAX: usize = 500_000;
/// Orders changed by notices while a second look is taken. With more, it is not compared.
const TOUCHED_MAX: usize = 1_000_000;
/// Notices held while a snapshot is on its way. With more, the book is not checked until its next snapshot.
const HELD_MAX: usize = 100_000;

/// An order in the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) is_bid: bool,
    /// Positive to buy, negative to sell; 0 between its last match and its close.
    pub(super) quantity: i64,
    pub(super) price: i64,
    /// When something was last heard of it.
    pub(super) heard_at: Timestamp,
}

/// What cannot follow from what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// An order is opened that is open already.
    OpenedTwice { id: i64 },
    /// A notice is about an order that must have been seen before.
    UnknownOrder { id: i64 },
    /// What is left of an order does not follow from what was left before.
    WrongRemaining { id: i64, expected: i64, stated: i64 },
}

/// A change of the book, reduced to what the book needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Opened { id: i64, quantity: i64, price: i64 },
    Modified { id: i64, quantity: i64, price: i64 },
    Closed { id: i64, quantity: i64 },
    Matched { quantity: i64, bid: Option<(i64, i64)>, ask: Option<(i64, i64)> },
}

impl Change {
    /// What an order notice changes; `None` if its numbers are not all plain integers.
    pub(super) fn of_order(event: &OrderEvent) -> Option<Self> {
        let id = event.id.as_int()?;
        let quantity = event.quantity.as_ref()?.as_scaled()?;
        let price = event.price.as_ref()?.as_scaled()?;
        Some(match event.kind {
            OrderKind::Opened => Self::Opened { id, quantity, price },
            OrderKind::Modified => Self::Modified { id, quantity, price },
            OrderKind::Closed => Self::Closed { id, quantity },
        })
    }

    /// What a match changes; `None` as above.
    pub(super) fn of_trade(trade: &Trade) -> Option<Self> {
        let side = |side: &TradeSide| match &side.order {
            None => Some(None),
            Some(id) => Some(Some((id.as_int()?, side.remaining.as_ref()?.as_scaled()?))),
        };
        let quantity = trade.quantity.as_ref()?.as_scaled()?;
        Some(Self::Matched { quantity, bid: side(&trade.bid)?, ask: side(&trade.ask)? })
    }

    /// The orders it is about.
    fn orders(&self) -> impl Iterator<Item = i64> {
        let (one, other) = match *self {
            Self::Opened { id, .. } | Self::Modified { id, .. } | Self::Closed { id, .. } => (Some(id), None),
            Self::Matched { bid, ask, .. } => (bid.map(|(id, _)| id), ask.map(|(id, _)| id)),
        };
        one.into_iter().chain(other)
    }
}

/// How far the book can be relied on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No snapshot yet, or something was not understood since.
    #[default]
    Unknown,
    /// The snapshot is on its way; notices are held for it.
    Awaited,
    /// Known.
    Known,
}

/// The book of a market.
#[derive(Debug, Default)]
pub(super) struct Book {
    state: State,
    orders: HashMap<i64, Order, RandomState>,
    /// Number of orders at each price.
    bids: BTreeMap<i64, u32>,
    asks: BTreeMap<i64, u32>,
    /// The worst price of each side of the snapshot, if that had not all of it; else an unknown order is a
    /// contradiction.
    worst_bid: Option<i64>,
    worst_ask: Option<i64>,
    held: Vec<(Timestamp, Change)>,
    /// While a snapshot is on its way although the book is known: the orders that notices changed meanwhile, of which
    /// the snapshot may tell the state before or after.
    touched: Option<Touched>,
    /// The same while a second look is taken.
    looked: Option<Touched>,
}

type Touched = HashSet<i64, RandomState>;

/// How a snapshot differs from the book in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Differs {
    /// The snapshot has it, and the book had not.
    Appeared,
    /// The book had it, and the snapshot has not.
    Vanished,
    /// It has another quantity or price.
    Changed,
}

/// The difference between the book as kept and a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Orders that the snapshot has and the book had not.
    pub(super) appeared: usize,
    /// Orders that the book had and the snapshot has not.
    pub(super) vanished: usize,
    /// Orders with another quantity or price.
    pub(super) changed: usize,
}

impl Difference {
    pub(super) fn of(differing: &[(i64, Differs)]) -> Self {
        let count = |how| differing.iter().filter(|(_, differs)| *differs == how).count();
        let (appeared, vanished) = (count(Differs::Appeared), count(Differs::Vanished));
        Self { appeared, vanished, changed: count(Differs::Changed) }
    }

    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { appeared, vanished, changed } = self;
        write!(f, "{appeared} orders appeared, {vanished} vanished, {changed} changed")
    }
}

impl Book {
    /// A snapshot was asked for: what comes before it is applied after it.
    pub(super) fn await_snapshot(&mut self) {
        if self.is_known() {
            self.touched = Some(HashSet::default());
        } else {
            self.state = State::Awaited;
            self.held.clear();
        }
    }

    /// Nothing is known for sure any more.
    pub(super) fn forget(&mut self) {
        self.state = State::Unknown;
        self.held.clear();
        (self.touched, self.looked) = (None, None);
    }

    /// Whether it can be relied on.
    pub(super) fn is_known(&self) -> bool {
        self.state == State::Known
    }

    /// Best bid and best ask.
    pub(super) fn best(&self) -> (Option<i64>, Option<i64>) {
        (self.bids.last_key_value().map(|(price, _)| *price), self.asks.first_key_value().map(|(price, _)| *price))
    }

    /// Whether it has been kept before.
    pub(super) fn has_orders(&self) -> bool {
        !self.orders.is_empty()
    }

    /// Compares a snapshot with the book as it was kept without a hole, and goes on with the book as kept.
    pub(super) fn compare(&mut self, snapshot: &[BookOrder]) -> Difference {
        let touched = self.touched.take().unwrap_or_default();
        plain(snapshot).map_or_else(Difference::default, |stated| Difference::of(&self.differing(&stated, &touched)))
    }

    /// A second look at it begins, whose snapshot is taken from now on.
    pub(super) fn begin_look(&mut self) {
        self.looked = self.is_known().then(Touched::default);
    }

    /// There will be no second look.
    pub(super) fn give_up_look(&mut self) {
        self.looked = None;
    }

    /// The orders that the snapshot of a second look shows in another way, those aside that notices changed meanwhile.
    /// `None` if it cannot be compared.
    pub(super) fn look(&self, snapshot: &[BookOrder]) -> Option<Vec<(i64, Differs)>> {
        Some(self.differing(&plain(snapshot)?, self.looked.as_ref()?))
    }

    /// Ends a second look: what notices have not changed of the orders that it showed in another way. `None` if that is
    /// not known.
    pub(super) fn end_look(&mut self, mut differing: Vec<(i64, Differs)>) -> Option<Vec<(i64, Differs)>> {
        let touched = self.looked.take()?;
        differing.retain(|(id, _)| !touched.contains(id));
        differing.sort_unstable_by_key(|(id, _)| *id);
        Some(differing)
    }

    /// The orders that a snapshot shows in another way, but for those `touched`.
    fn differing(&self, stated: &[(i64, i64, i64)], touched: &Touched) -> Vec<(i64, Differs)> {
        let mut differing = Vec::new();
        for (id, quantity, price) in stated.iter().filter(|(id, ..)| !touched.contains(id)) {
            let worst = if *quantity >= 0 { self.worst_bid } else { self.worst_ask };
            match self.orders.get(id) {
                // What was beyond the best then may be among them now.
                None if is_beyond(worst, *quantity >= 0, *price) => {}
                None => differing.push((*id, Differs::Appeared)),
                Some(kept) if (kept.quantity, kept.price) != (*quantity, *price) => {
                    differing.push((*id, Differs::Changed));
                }
                Some(_) => {}
            }
        }
        let ids: HashSet<i64, RandomState> = stated.iter().map(|(id, ..)| *id).collect();
        let [worst_bid, worst_ask] = [true, false].map(|is_bid| worst(stated, is_bid));
        let gone = self.orders.iter().filter(|(id, order)| {
            let worst = if order.is_bid { worst_bid } else { worst_ask };
            let is_shown = order.quantity != 0 && !is_beyond(worst, order.is_bid, order.price);
            is_shown && !ids.contains(id) && !touched.contains(id)
        });
        differing.extend(gone.map(|(id, _)| (*id, Differs::Vanished)));
        differing
    }

    /// Takes a snapshot and the notices held for it. Gives how it differs from the book as it was last known, and what
    /// of the held notices contradicts it.
    pub(super) fn take_snapshot(
        &mut self,
        at: Timestamp,
        snapshot: &[BookOrder],
        contradictions: &mut Vec<(Contradiction, Option<Timestamp>)>,
    ) -> Difference {
        let Some(stated) = plain(snapshot) else {
            self.forget();
            return Difference::default();
        };
        let difference = Difference::of(&self.differing(&stated, &Touched::default()));
        self.orders.clear();
        self.bids.clear();
        self.asks.clear();
        self.state = State::Known;
        self.looked = None;
        for (id, quantity, price) in &stated {
            self.insert(at, *id, *quantity, *price);
        }
        (self.worst_bid, self.worst_ask) = (worst(&stated, true), worst(&stated, false));
        for (at, change) in std::mem::take(&mut self.held) {
            if let Some(found) = self.apply(at, change) {
                contradictions.push(found);
            }
        }
        difference
    }

    /// Applies a change. Gives the contradiction if there is one, and since when it may have arisen; `None`: since the
    /// book was last verified.
    pub(super) fn apply(&mut self, at: Timestamp, change: Change) -> Option<(Contradiction, Option<Timestamp>)> {
        match self.state {
            State::Unknown => return None,
            State::Awaited if self.held.len() == HELD_MAX => {
                self.forget();
                return None;
            }
            State::Awaited => {
                self.held.push((at, change));
                return None;
            }
            State::Known => {}
        }
        if let Some(touched) = &mut self.touched {
            touched.extend(change.orders());
        }
        if let Some(touched) = &mut self.looked {
            touched.extend(change.orders());
            if touched.len() > TOUCHED_MAX {
                self.looked = None;
            }
        }
        match change {
            Change::Opened { id, quantity, price } => {
                let known = self.remove(id);
                if self.orders.len() == ORDERS_MAX {
                    self.forget();
                    return None;
                }
                self.insert(at, id, quantity, price);
                known.map(|order| (Contradiction::OpenedTwice { id }, Some(order.heard_at)))
            }
            Change::Modified { id, quantity, price } => {
                let known = self.remove(id);
                self.insert(at, id, quantity, price);
                self.must_be_known(known, id, quantity)
            }
            Change::Closed { id, quantity } => {
                let known = self.remove(id);
                match known {
                    // What a close states is what was left; a fill to nothing was stated by its match before.
                    Some(order) if order.quantity != quantity => {
                        let wrong = Contradiction::WrongRemaining { id, expected: order.quantity, stated: quantity };
                        Some((wrong, Some(order.heard_at)))
                    }
                    Some(_) => None,
                    None => self.must_be_known(None, id, quantity),
                }
            }
            Change::Matched { quantity, bid, ask } => {
                let bid = bid.and_then(|(id, left)| self.fill(at, id, quantity, left, 1));
                let ask = ask.and_then(|(id, left)| self.fill(at, id, quantity, left, -1));
                // The one that reaches back further.
                bid.into_iter().chain(ask).min_by_key(|(_, since)| *since)
            }
        }
    }

    /// Applies one side of a match. `sign` is 1 for the bid, -1 for the ask.
    fn fill(
        &mut self,
        at: Timestamp,
        id: i64,
        traded: i64,
        left: i64,
        sign: i64,
    ) -> Option<(Contradiction, Option<Timestamp>)> {
        let Some(order) = self.orders.get_mut(&id) else {
            return self.must_be_known(None, id, sign);
        };
        let expected = order.quantity.saturating_mul(sign).saturating_sub(traded);
        let since = std::mem::replace(&mut order.heard_at, at);
        let was = std::mem::replace(&mut order.quantity, left.saturating_mul(sign));
        let (is_bid, price) = (order.is_bid, order.price);
        if was != 0 && left == 0 {
            self.leave(is_bid, price);
        }
        // A fee that the buyer's balance cannot pay eats the bid's reservation, so less of a bid may be left.
        let follows = if sign > 0 { left <= expected } else { left == expected };
        let (expected, stated) = (expected.saturating_mul(sign), left.saturating_mul(sign));
        (!follows).then_some((Contradiction::WrongRemaining { id, expected, stated }, Some(since)))
    }

    /// An order that was not known, although the snapshot had all of its side.
    fn must_be_known(
        &self,
        known: Option<Order>,
        id: i64,
        quantity: i64,
    ) -> Option<(Contradiction, Option<Timestamp>)> {
        let has_all = match quantity {
            1.. => self.worst_bid.is_none(),
            0 => self.worst_bid.is_none() && self.worst_ask.is_none(),
            _ => self.worst_ask.is_none(),
        };
        (known.is_none() && has_all).then_some((Contradiction::UnknownOrder { id }, None))
    }

    fn insert(&mut self, at: Timestamp, id: i64, quantity: i64, price: i64) {
        let is_bid = quantity >= 0;
        if quantity != 0 {
            *if is_bid { &mut self.bids } else { &mut self.asks }.entry(price).or_default() += 1;
        }
        self.orders.insert(id, Order { is_bid, quantity, price, heard_at: at });
    }

    fn remove(&mut self, id: i64) -> Option<Order> {
        let order = self.orders.remove(&id)?;
        if order.quantity != 0 {
            self.leave(order.is_bid, order.price);
        }
        Some(order)
    }

    /// One order less at a price.
    fn leave(&mut self, is_bid: bool, price: i64) {
        let side = if is_bid { &mut self.bids } else { &mut self.asks };
        if let Some(count) = side.get_mut(&price) {
            *count -= 1;
            if *count == 0 {
                side.remove(&price);
            }
        }
    }
}

/// Id, quantity and price of each order; `None` if not all are plain integers.
fn plain(snapshot: &[BookOrder]) -> Option<Vec<(i64, i64, i64)>> {
    let plain = |order: &BookOrder| {
        let quantity = order.quantity.as_ref()?.as_scaled()?;
        Some((order.id.as_ref()?.as_int()?, quantity, order.price.as_ref()?.as_scaled()?))
    };
    snapshot.iter().map(plain).collect()
}

/// Whether a price is not better than the worst of a side that has more than was shown.
fn is_beyond(worst: Option<i64>, is_bid: bool, price: i64) -> bool {
    worst.is_some_and(|worst| if is_bid { price <= worst } else { price >= worst })
}

/// The worst price of a side that has as many orders as a snapshot can have, so that there may be more beyond it.
fn worst(snapshot: &[(i64, i64, i64)], is_bid: bool) -> Option<i64> {
    let prices = || snapshot.iter().filter(|(_, quantity, _)| (*quantity >= 0) == is_bid).map(|(.., price)| *price);
    if prices().count() < SNAPSHOT_SIDE_MAX {
        return None;
    }
    if is_bid { prices().min() } else { prices().max() }
}
