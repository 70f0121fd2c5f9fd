//! Changing and cancelling orders.

use super::account::AccountId;
use super::order::{Order, Slot};
use super::{Engine, Event, Modification, OpenOrder, OrderRef, Quantity, Refusal, Reply, Tonce};

impl Engine {
    /// Changes an order's quantity, price or both, or cancels it if nothing of it would be left.
    pub(super) fn modify(
        &mut self,
        account: AccountId,
        modification: &Modification,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let Modification { order, quantity_delta, price, post_only } = *modification;
        let slot = self.find(account, order)?;
        if quantity_delta.is_none() && price.is_none() {
            return Err(Refusal::NothingToModify);
        }
        if quantity_delta == Some(Quantity(0)) {
            return Err(Refusal::QuantityDeltaZero);
        }
        let Order { market: id, side, price: old_price, remaining: old_quantity, .. } = self.orders[slot];
        let market = self.market(id);
        let price = price.map_or(Ok(old_price), |price| market.snap(side, price))?;
        let signed = side.sign(old_quantity).checked_add(quantity_delta.unwrap_or_default().0);
        let quantity = side.sign(signed.filter(|signed| *signed != i64::MIN).ok_or(Refusal::TotalOverflow)?);
        if quantity <= 0 {
            let cancelled = self.close(slot, events);
            return Ok(Reply::Modified(OpenOrder { quantity: Quantity(0), time: self.now, ..cancelled }));
        }
        let (asset, reservation) = market.reservation(side, quantity, price)?;
        if post_only && market.book.would_match(side, price) {
            return Err(Refusal::WouldMatch);
        }
        let (_, old_reservation) = market.reservation(side, old_quantity, old_price)?;
        let more = reservation - old_reservation;
        let holding = &mut self.accounts[account].holdings[asset];
        if holding.available < more {
            return Err(Refusal::InsufficientFunds);
        }
        holding.reserve(more);
        let requeued = price != old_price || quantity > old_quantity;
        if requeued {
            self.unrest(slot);
        }
        let order = &mut self.orders[slot];
        order.price = price;
        order.remaining = quantity;
        let modified = OpenOrder { time: self.now, ..order.view() };
        if more > 0 {
            self.tell_balance(account, asset, events);
        }
        events.push(Event::OrderModified(modified));
        if more < 0 {
            self.tell_balance(account, asset, events);
        }
        if requeued && let Some(slot) = self.match_limit(slot, events) {
            self.rest(slot);
        }
        Ok(Reply::Modified(modified))
    }

    /// Cancels an order.
    pub(super) fn cancel(
        &mut self,
        account: AccountId,
        order: OrderRef,
        events: &mut Vec<Event>,
    ) -> Result<Reply, Refusal> {
        let slot = self.find(account, order)?;
        Ok(Reply::Cancelled(self.close(slot, events)))
    }

    /// Cancels all orders of an account, after which its tonces may begin anew.
    pub(super) fn cancel_all(&mut self, account: AccountId, events: &mut Vec<Event>) -> Reply {
        self.accounts[account].last_tonce = Tonce(0);
        let slots: Vec<_> = self.orders.of_account(account).map(|(slot, _)| slot).collect();
        Reply::AllCancelled(slots.into_iter().map(|slot| self.close(slot, events)).collect())
    }

    /// Closes an order for whatever reason, and frees what it has reserved; the order as it was.
    pub(super) fn close(&mut self, slot: Slot, events: &mut Vec<Event>) -> OpenOrder {
        self.unrest(slot);
        let order = self.orders.close(slot);
        let closed = order.view();
        events.push(Event::OrderClosed { order: closed, time_closed: self.now });
        let (asset, reserved) = self
            .market(order.market)
            .reservation(order.side, order.remaining, order.price)
            .expect("orders whose total overflows are refused");
        if reserved > 0 {
            self.accounts[order.account].holdings[asset].reserve(-reserved);
            self.tell_balance(order.account, asset, events);
        }
        closed
    }

    /// Takes the order out of its book, if it is in.
    fn unrest(&mut self, slot: Slot) {
        let Order { market, resting, .. } = self.orders[slot];
        if resting {
            self.markets[usize::from(market.0)].book.remove(&mut self.orders, slot);
            self.stir(market);
        }
    }

    /// The account's open order of that number or tonce.
    fn find(&self, account: AccountId, order: OrderRef) -> Result<Slot, Refusal> {
        match order {
            OrderRef::Tonce(Tonce(0)) => Err(Refusal::TonceZero),
            order => self.orders.find(account, order).ok_or(Refusal::OrderNotFound),
        }
    }
}
