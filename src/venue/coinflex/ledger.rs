//! Contradiction checks of the account: what its orders and matches must do to its balances.
//!
//! A notice of a balance says what is available now. Deposits and withdrawals change that without a word, so a change
//! that nothing explains is no contradiction. But what an order sets aside or frees, and what a match costs and brings,
//! follows from the account's own notices to the unit; and a change that must be, and is not told, is one. Changes of
//! two events may be told as one. The `mono` of the stamps here is the link's clock (see [`super::link`]).

use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::model::{
    AssetCode, Balance, BookOrder, Check, OrderEvent, OrderKind, Quantity, Stamp, Timestamp, Trade, TradeSide,
};

use super::check::{Found, SETTLING_TIME};
use super::markets::Codes;
use crate::venue::streams::nanos;

/// Assets whose balances are followed.
const ASSETS_MAX: usize = 4_096;

/// Changes of an asset that wait for what explains them, or tells them. With more, they are not checked.
const WAITING_MAX: usize = 4_096;

/// A market as the ledger needs it: its assets, and what a price times a quantity is divided by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) codes: Codes,
    /// `None` if a scale is unknown.
    pub(super) lot: Option<i64>,
}

/// Why a balance must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Reservation,
    Fill,
}

/// A change of what is available.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: Stamp,
    amount: i64,
    cause: Cause,
    /// How far off it may be, by rounding.
    slack: i64,
}

/// The changes of an asset that have not met their counterparts.
#[derive(Debug, Default)]
struct Changes {
    /// That must be told.
    due: Vec<Change>,
    /// That were told.
    told: Vec<(Stamp, i64)>,
}

/// An open order of the account.
#[derive(Clone, Copy, Debug)]
struct Order {
    codes: Codes,
    lot: i64,
    /// Left; positive to buy.
    quantity: i64,
    price: i64,
}

impl Order {
    /// What it sets aside: of which asset, and how much.
    fn reservation(&self) -> (AssetCode, i64) {
        if self.quantity < 0 {
            return (self.codes.0, self.quantity.saturating_neg());
        }
        let product = i128::from(self.quantity) * i128::from(self.price);
        let lot = i128::from(self.lot.max(1));
        (self.codes.1, i64::try_from((product + lot - 1).div_euclid(lot)).unwrap_or(i64::MAX))
    }
}

/// What is known of the account.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// As last told.
    available: HashMap<AssetCode, i64, RandomState>,
    /// All open orders, once they have been listed.
    orders: HashMap<i64, Order, RandomState>,
    is_listed: bool,
    /// While a list of orders is on its way: those that notices changed meanwhile.
    touched: Option<HashSet<i64, RandomState>>,
    changes: BTreeMap<AssetCode, Changes>,
    /// When an order of the account was last heard of.
    heard_at: Option<i64>,
    /// What a list said is reserved, to be compared when nothing has happened for a while.
    reserved: Option<(Stamp, Vec<(AssetCode, i64)>)>,
}

impl Ledger {
    /// Nothing is known for sure any more, until orders and balances are listed again.
    pub(super) fn forget(&mut self) {
        *self = Self { touched: self.touched.take().map(|_| HashSet::default()), ..Self::default() };
    }

    /// A notice, or an entry of a list, says what is available.
    pub(super) fn told(&mut self, at: Stamp, asset: AssetCode, available: Option<&Quantity>) {
        let Some(available) = available.and_then(Quantity::as_scaled) else {
            self.available.remove(&asset);
            self.changes.remove(&asset);
            return;
        };
        if self.available.len() >= ASSETS_MAX && !self.available.contains_key(&asset) {
            return;
        }
        let Some(before) = self.available.insert(asset, available) else { return };
        let step = available.saturating_sub(before);
        if !self.is_listed || step == 0 {
            return;
        }
        let Changes { due, told } = self.changes.entry(asset).or_default();
        let is_it = |slack: bool| {
            move |change: &Change| change.amount.abs_diff(step) <= if slack { change.slack.unsigned_abs() } else { 0 }
        };
        match due.iter().position(is_it(false)).or_else(|| due.iter().position(is_it(true))) {
            Some(found) => drop(due.remove(found)),
            None => told.push((at, step)),
        }
    }

    /// A list of balances came. Where the parts of one do not add up, that is a contradiction in itself.
    pub(super) fn balances(&mut self, at: Stamp, list: &[Balance], found: &mut Vec<Found>) {
        let mut all = Vec::new();
        for Balance { asset, available, reserved, total, .. } in list {
            let Some(asset) = asset else { continue };
            self.told(at, *asset, available.as_ref());
            let plain = |amount: &Option<Quantity>| amount.as_ref().and_then(Quantity::as_scaled);
            let (available, reserved, total) = (plain(available), plain(reserved), plain(total));
            all.extend(reserved.map(|reserved| (*asset, reserved)));
            if let (Some(available), Some(reserved), Some(total)) = (available, reserved, total)
                && i128::from(available) + i128::from(reserved) != i128::from(total)
            {
                let evidence =
                    format!("{available} available and {reserved} reserved of asset {asset} are not {total}");
                found.push(Found { check: Check::BalanceSum, since: at.wall, evidence });
            }
        }
        let is_quiet = self.heard_at.is_none_or(|heard| at.mono - heard >= nanos(SETTLING_TIME));
        // One that waits to be compared is not put off.
        if is_quiet && self.reserved.is_none() {
            self.reserved = Some((at, all));
        }
    }

    /// The open orders were asked for.
    pub(super) fn orders_asked(&mut self) {
        self.touched = Some(HashSet::default());
    }

    /// The open orders came.
    pub(super) fn orders_listed(&mut self, list: &[(Terms, BookOrder)]) {
        let touched = self.touched.take().unwrap_or_default();
        let mut orders: HashMap<i64, Order, RandomState> =
            self.orders.drain().filter(|(id, _)| touched.contains(id)).collect();
        self.is_listed = true;
        for (terms, order) in list {
            let (id, quantity, price) = (order.id.as_ref(), order.quantity.as_ref(), order.price.as_ref());
            let numbers = (id.and_then(|id| id.as_int()), quantity.and_then(Quantity::as_scaled));
            let ((Some(id), Some(quantity)), Some(price), Some(lot)) =
                (numbers, price.and_then(|price| price.as_scaled()), terms.lot)
            else {
                // Not all are known, so nothing follows from them.
                self.is_listed = false;
                continue;
            };
            if !touched.contains(&id) {
                orders.insert(id, Order { codes: terms.codes, lot, quantity, price });
            }
        }
        self.orders = orders;
    }

    /// An order of the account was opened, modified or closed.
    pub(super) fn order(&mut self, at: Stamp, terms: Terms, event: &OrderEvent) {
        self.hear(at);
        let numbers = event.quantity.as_ref().and_then(Quantity::as_scaled);
        let price = event.price.as_ref().and_then(|price| price.as_scaled());
        let (Some(id), Some(quantity), Some(price), Some(lot)) = (event.id.as_int(), numbers, price, terms.lot) else {
            return self.forget();
        };
        if let Some(touched) = &mut self.touched {
            touched.insert(id);
        }
        let after = Order { codes: terms.codes, lot, quantity, price };
        let before = match event.kind {
            OrderKind::Opened => None,
            OrderKind::Modified | OrderKind::Closed => match self.orders.remove(&id) {
                Some(before) => Some(before),
                // One that should be listed and is not: nothing follows from what is known.
                None if self.is_listed && self.touched.is_none() => return self.forget(),
                None => None,
            },
        };
        let is_known = event.kind == OrderKind::Opened || before.is_some();
        if event.kind != OrderKind::Closed {
            self.orders.insert(id, after);
        }
        if !is_known {
            return;
        }
        let (asset, held) = before.map_or_else(|| (after.reservation().0, 0), |before| before.reservation());
        let (_, holds) = match event.kind {
            OrderKind::Closed => (asset, 0),
            OrderKind::Opened | OrderKind::Modified => after.reservation(),
        };
        let change = Change { at, amount: held.saturating_sub(holds), cause: Cause::Reservation, slack: 0 };
        self.must_change(asset, change);
    }

    /// A match of an order of the account came.
    pub(super) fn trade(&mut self, at: Stamp, terms: Terms, trade: &Trade) {
        self.hear(at);
        let (quantity, total) = (trade.quantity.as_ref(), trade.total.as_ref());
        let numbers = quantity.and_then(Quantity::as_scaled).zip(total.and_then(Quantity::as_scaled));
        let (Some((quantity, total)), true) = (numbers, is_told(&trade.bid) || is_told(&trade.ask)) else {
            return self.forget();
        };
        let mut changes = [(terms.codes.0, 0_i64, 0_i64), (terms.codes.1, 0, 0)];
        for (side, is_bid) in [(&trade.bid, true), (&trade.ask, false)] {
            if !is_told(side) {
                continue;
            }
            let Some(paid) = self.paid(side, is_bid, quantity, total) else { return self.forget() };
            for (change, (amount, slack)) in changes.iter_mut().zip(paid) {
                change.1 = change.1.saturating_add(amount);
                change.2 += slack;
            }
        }
        for (asset, amount, slack) in changes {
            self.must_change(asset, Change { at, amount, cause: Cause::Fill, slack });
        }
    }

    /// What a match does to base and counter of one of its sides, each with how far off that may be.
    fn paid(&mut self, side: &TradeSide, is_bid: bool, quantity: i64, total: i64) -> Option<[(i64, i64); 2]> {
        let fee = |fee: &Option<Quantity>| fee.as_ref()?.as_scaled();
        let (base_fee, counter_fee) = (fee(&side.base_fee)?, fee(&side.counter_fee)?);
        let sign = if is_bid { 1 } else { -1 };
        let mut paid =
            [sign * quantity - base_fee, (-sign * total).saturating_sub(counter_fee)].map(|amount| (amount, 0));
        if let Some(id) = &side.order {
            let id = id.as_int()?;
            let left = side.remaining.as_ref()?.as_scaled()?;
            if let Some(touched) = &mut self.touched {
                touched.insert(id);
            }
            let order = self.orders.get_mut(&id)?;
            let (_, held) = order.reservation();
            order.quantity = sign * left;
            let (_, holds) = order.reservation();
            // What it had set aside for this pays for it. How the rest of a bid's is rounded is the venue's affair.
            let (asset, slack) = if is_bid { (1, 1) } else { (0, 0) };
            paid[asset].0 = paid[asset].0.saturating_add(held.saturating_sub(holds));
            paid[asset].1 = slack;
        }
        Some(paid)
    }

    fn hear(&mut self, at: Stamp) {
        self.heard_at = Some(at.mono);
        self.reserved = None;
    }

    fn must_change(&mut self, asset: AssetCode, change: Change) {
        if change.amount == 0 || !self.is_listed || !self.available.contains_key(&asset) {
            return;
        }
        let Changes { due, told } = self.changes.entry(asset).or_default();
        // A reservation is told before its order.
        match told.iter().position(|(_, step)| change.amount.abs_diff(*step) <= change.slack.unsigned_abs()) {
            Some(found) if change.cause == Cause::Reservation => drop(told.remove(found)),
            _ => due.push(change),
        }
        if due.len() + told.len() > WAITING_MAX {
            self.changes.remove(&asset);
        }
    }

    /// Looks at what should have settled by now.
    pub(super) fn settle(&mut self, at: Stamp, found: &mut Vec<Found>) {
        let is_old = |since: &Stamp| at.mono - since.mono >= nanos(SETTLING_TIME);
        for (asset, changes) in &mut self.changes {
            if changes.due.iter().any(|change| is_old(&change.at)) {
                found.extend(changes.missing(*asset, is_old));
                *changes = Changes::default();
            }
            changes.told.retain(|(told_at, _)| !is_old(told_at));
        }
        if let Some((listed_at, list)) = self.reserved.take_if(|(listed_at, _)| is_old(listed_at))
            && self.is_listed
        {
            found.extend(self.missing_reservation(listed_at.wall, &list));
        }
    }

    /// An asset of which less is reserved than its orders need. More may be, for other ends.
    fn missing_reservation(&self, since: Timestamp, list: &[(AssetCode, i64)]) -> Option<Found> {
        let mut needed: BTreeMap<AssetCode, (i128, i128)> = BTreeMap::new();
        for order in self.orders.values() {
            let (asset, reservation) = order.reservation();
            let entry = needed.entry(asset).or_default();
            entry.0 += i128::from(reservation);
            entry.1 += i128::from(order.quantity > 0);
        }
        list.iter().find_map(|(asset, reserved)| {
            let (needed, slack) = *needed.get(asset)?;
            let evidence = format!("open orders need {needed} of asset {asset}, and {reserved} is reserved");
            (i128::from(*reserved) + slack < needed).then_some(Found { check: Check::ReservedBalance, since, evidence })
        })
    }

    /// When something will have had the time to settle.
    pub(super) fn deadline(&self) -> Option<i64> {
        let due = self.changes.values().flat_map(|changes| changes.due.iter()).map(|change| change.at.mono);
        let listed = self.reserved.iter().map(|(at, _)| at.mono);
        due.chain(listed).min().map(|at| at.saturating_add(nanos(SETTLING_TIME)))
    }
}

impl Changes {
    /// What must have been told and was not, not even together with something else.
    fn missing(&self, asset: AssetCode, is_old: impl Fn(&Stamp) -> bool) -> Option<Found> {
        let differs = |is_in: &dyn Fn(&Stamp) -> bool| {
            let due = self.due.iter().filter(|change| is_in(&change.at));
            let (due, slack) = due.fold((0, 0), |(due, slack), change| {
                (due + i128::from(change.amount), slack + i128::from(change.slack))
            });
            let told: i128 = self.told.iter().filter(|(at, _)| is_in(at)).map(|(_, step)| i128::from(*step)).sum();
            (due - told).abs() > slack
        };
        if !differs(&|_| true) || !differs(&is_old) {
            return None;
        }
        let first = self.due.first()?;
        let is_fill = self.due.iter().any(|change| change.cause == Cause::Fill);
        let (check, what) = match is_fill {
            true => (Check::FillBalance, "a match"),
            false => (Check::ReservationBalance, "an order"),
        };
        let evidence = format!("{what} changes asset {asset} by {}, which no balance tells", first.amount);
        Some(Found { check, since: first.at.wall, evidence })
    }
}

/// Whether a side of a match is the account's: only then are its tonce and fees there.
fn is_told(side: &TradeSide) -> bool {
    side.tonce.is_present()
}
