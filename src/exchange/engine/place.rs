//! Placing orders.

use super::account::{AccountId, AssetPlace};
use super::fees::total_up;
use super::matching::Party;
use super::order::{NewOrder, Slot};
use super::{
    Amount, Engine, Event, Lifetime, LimitOrder, Market, MarketOrder, MarketSize, OPEN_ORDERS_MAX, OrderRef, Price,
    Quantity, Refusal, Reply, Side, Tonce, TonceRule, UserKind,
};

impl Market {
    /// The price as the book has it: on a tick, down to buy, up to sell.
    pub(super) fn snap(&self, side: Side, price: Price) -> Result<Price, Refusal> {
        match price.0.signum() {
            -1 => return Err(Refusal::PriceNegative),
            0 => return Err(Refusal::PriceZero),
            _ => {}
        }
        let below = price.0 - price.0 % self.tick;
        match side {
            Side::Bid if below == 0 => Err(Refusal::PriceZero),
            Side::Ask if below != price.0 => below.checked_add(self.tick).map(Price).ok_or(Refusal::TotalOverflow),
            _ => Ok(Price(below)),
        }
    }

    /// What an order sets aside: the asset, and how much of it.
    pub(super) fn reservation(&self, side: Side, quantity: i64, price: Price) -> Result<(AssetPlace, i64), Refusal> {
        let total = total_up(quantity, price.0, self.lot).ok_or(Refusal::TotalOverflow)?;
        Ok(match side {
            Side::Bid => (self.counter, total),
            Side::Ask => (self.base, quantity),
        })
    }
}

impl Engine {
    /// Opens a limit order, matches it, and rests what is left.
    pub(super) fn place_limit(
        &mut self,
        account: AccountId,
        order: &LimitOrder,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        self.check_tonce(account, order.tonce)?;
        let side = Side::of(order.quantity.0).ok_or(Refusal::QuantityZero)?;
        let quantity = order.quantity.0.checked_abs().ok_or(Refusal::TotalOverflow)?;
        let id = self.open_market(order.pair)?;
        let market = self.market(id);
        let price = market.snap(side, order.price)?;
        let (asset, reservation) = market.reservation(side, quantity, price)?;
        if order.post_only && market.book.would_match(side, price) {
            return Err(Refusal::WouldMatch);
        }
        let owner = &mut self.accounts[account];
        if owner.kind == UserKind::Customer && self.orders.count(account) >= OPEN_ORDERS_MAX {
            return Err(Refusal::TooManyOrders);
        }
        let holding = &mut owner.holdings[asset];
        if holding.available < reservation {
            return Err(Refusal::InsufficientFunds);
        }
        holding.reserve(reservation);
        let slot = self.orders.open(NewOrder {
            account,
            owner: owner.user,
            market: id,
            side,
            price,
            quantity,
            tonce: order.tonce,
            time: self.now,
            connection: match order.lifetime {
                Lifetime::Connection(connection) => Some(connection),
                Lifetime::Persistent | Lifetime::FillOrKill => None,
            },
        });
        self.note_tonce(account, order.tonce);
        let opened = self.orders[slot].view();
        self.tell_balance(account, asset, events);
        events.push(Event::OrderOpened(opened));
        if let Some(slot) = self.match_limit(slot, events) {
            if order.lifetime == Lifetime::FillOrKill {
                self.close(slot, events);
            } else {
                self.rest(slot);
            }
        }
        Ok(Reply::Placed(opened))
    }

    /// Executes a market order.
    pub(super) fn place_market(
        &mut self,
        account: AccountId,
        order: &MarketOrder,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        self.check_tonce(account, order.tonce)?;
        let (side, size) = order.size.magnitude()?;
        let market = self.open_market(order.pair)?;
        self.note_tonce(account, order.tonce);
        let taker = Party { account, order: None, tonce: order.tonce };
        Ok(Reply::Executed { remaining: self.match_market(market, side, taker, size, events) })
    }

    /// Puts the order into its book.
    pub(super) fn rest(&mut self, slot: Slot) {
        let market = self.orders[slot].market;
        self.markets[usize::from(market.0)].book.insert(&mut self.orders, slot);
        self.stir(market);
    }

    /// A tonce must not be zero, and must be as the rule says.
    fn check_tonce(&self, account: AccountId, tonce: Option<Tonce>) -> Result<(), Refusal> {
        let Some(tonce) = tonce else { return Ok(()) };
        if tonce == Tonce(0) {
            return Err(Refusal::TonceZero);
        }
        let is_taken = match self.tonces {
            TonceRule::Unique => self.orders.find(account, OrderRef::Tonce(tonce)).is_some(),
            TonceRule::Increasing => tonce <= self.accounts[account].last_tonce,
        };
        if is_taken { Err(Refusal::TonceOutOfSequence) } else { Ok(()) }
    }

    /// Notes the tonce of an order that is taken.
    fn note_tonce(&mut self, account: AccountId, tonce: Option<Tonce>) {
        let last = &mut self.accounts[account].last_tonce;
        *last = tonce.map_or(*last, |tonce| tonce.max(*last));
    }
}

impl MarketSize {
    /// The side, and the size without its sign.
    pub(super) fn magnitude(self) -> Result<(Side, Self), Refusal> {
        let (signed, zero) = match self {
            Self::Quantity(Quantity(signed)) => (signed, Refusal::QuantityZero),
            Self::Total(Amount(signed)) => (signed, Refusal::TotalZero),
        };
        let side = Side::of(signed).ok_or(zero)?;
        let magnitude = signed.checked_abs().ok_or(Refusal::TotalOverflow)?;
        let size = match self {
            Self::Quantity(_) => Self::Quantity(Quantity(magnitude)),
            Self::Total(_) => Self::Total(Amount(magnitude)),
        };
        Ok((side, size))
    }
}
