//! Trades: who pays what, who gets what, and what follows from it.

use crate::exchange::listing::MarketId;

use super::account::{AccountId, Holding};
use super::fees::{PartsPerMillion, quantity_for, total_up, total_within};
use super::matching::Party;
use super::order::Order;
use super::{Amount, Engine, Event, Market, Match, MatchSide, MatchedOrder, Price, Quantity, Side, UserTrade};

/// What two parties have agreed on.
pub(super) struct Deal {
    pub market: MarketId,
    pub taker: Side,
    pub bid: Party,
    pub ask: Party,
    pub bid_rate: PartsPerMillion,
    pub ask_rate: PartsPerMillion,
    pub quantity: i64,
    pub price: Price,
}

impl Engine {
    /// How much of `quantity` the buyer can pay at `price`, fee and rounding included.
    pub(super) fn payable(
        &self,
        market: MarketId,
        bid: Party,
        rate: PartsPerMillion,
        quantity: i64,
        price: Price,
    ) -> i64 {
        let Market { counter, lot, .. } = *self.market(market);
        let funds = self.accounts[bid.account].holdings[counter].available + self.reserved_by_bid(bid, lot);
        let within = total_within(funds, rate);
        match total_up(quantity, price.0, lot) {
            Some(total) if total <= within => quantity,
            _ => quantity.min(quantity_for(within, price.0, lot)),
        }
    }

    /// What a bid's order has reserved of the counter asset; a market order: nothing.
    fn reserved_by_bid(&self, bid: Party, lot: i64) -> i64 {
        bid.order.map_or(0, |slot| reservation(&self.orders[slot], lot))
    }

    /// Carries out a trade, and returns its total. The buyer can pay, and the seller has the quantity.
    pub(super) fn trade(&mut self, deal: &Deal, events: &mut Vec<Event>) -> i64 {
        let Deal { market, bid, ask, quantity, price, .. } = *deal;
        let Market { base, counter, lot, .. } = *self.market(market);
        let with_oneself = bid.account == ask.account;
        let time = self.now;
        self.now.0 += 1;
        let total = self.rounding.total(quantity, price.0, lot);
        let bid_fee = self.rounding.fee(total, deal.bid_rate);
        let ask_fee = self.rounding.fee(total, deal.ask_rate);

        let balances = [(bid.account, base), (bid.account, counter), (ask.account, base), (ask.account, counter)];
        let balances = if with_oneself { &balances[..2] } else { &balances[..] };
        let mut before = [Holding::default(); 4];
        for (before, (account, asset)) in before.iter_mut().zip(balances) {
            *before = self.accounts[*account].holdings[*asset];
        }
        self.settle_bid(deal, total + bid_fee);
        self.settle_ask(deal, total - ask_fee);
        self.accounts.fees[counter] += bid_fee + ask_fee;

        let side = |party: Party, fee| MatchSide {
            owner: self.accounts[party.account].user,
            order: party.order.map(|slot| {
                let Order { id, remaining, .. } = self.orders[slot];
                MatchedOrder { id, remaining: Quantity(remaining) }
            }),
            tonce: party.tonce,
            counter_fee: Amount(fee),
        };
        let matched = Match {
            market,
            quantity: Quantity(quantity),
            price,
            total: Amount(total),
            time,
            taker: deal.taker,
            bid: side(bid, bid_fee),
            ask: side(ask, ask_fee),
        };
        events.push(Event::OrdersMatched(matched));
        for ((account, asset), before) in balances.iter().zip(before) {
            let now = self.accounts[*account].holdings[*asset];
            if now.available != before.available {
                self.tell_balance(*account, *asset, events);
            } else if now.reserved != before.reserved {
                self.tell_reservation(*account, *asset, events);
            }
        }
        self.note(&matched, bid.account, ask.account, events);
        total
    }

    /// Takes `cost` from the buyer and gives it the quantity. What the order has reserved too much by then is freed; if
    /// there is too little, which is so when the available balance cannot pay the fee, the order shrinks.
    fn settle_bid(&mut self, deal: &Deal, cost: i64) {
        let Market { base, counter, lot, .. } = *self.market(deal.market);
        let reserved = self.reserved_by_bid(deal.bid, lot);
        let holdings = &mut self.accounts[deal.bid.account].holdings;
        holdings[base].available += deal.quantity;
        let holding = &mut holdings[counter];
        holding.reserve(-reserved);
        holding.available -= cost;
        if let Some(slot) = deal.bid.order {
            let order = &mut self.orders[slot];
            order.remaining =
                (order.remaining - deal.quantity).min(quantity_for(holding.available, order.price.0, lot));
            holding.reserve(reservation(order, lot));
        }
    }

    /// Takes the quantity from the seller and gives it the `proceeds`.
    fn settle_ask(&mut self, deal: &Deal, proceeds: i64) {
        let Market { base, counter, .. } = *self.market(deal.market);
        let holdings = &mut self.accounts[deal.ask.account].holdings;
        holdings[counter].available += proceeds;
        match deal.ask.order {
            None => holdings[base].available -= deal.quantity,
            Some(slot) => {
                holdings[base].reserved -= deal.quantity;
                self.orders[slot].remaining -= deal.quantity;
            }
        }
    }

    /// Notes a trade in the histories of both sides, in their volumes and in the ticker. With oneself, it adds no
    /// volume.
    fn note(&mut self, matched: &Match, bid: AccountId, ask: AccountId, events: &mut Vec<Event>) {
        let Match { market, quantity, price, total, time, .. } = *matched;
        let Market { base, counter, pair, .. } = *self.market(market);
        for (account, side) in [(bid, Side::Bid), (ask, Side::Ask)] {
            let MatchSide { order, counter_fee, .. } = match side {
                Side::Bid => matched.bid,
                Side::Ask => matched.ask,
            };
            let account = &mut self.accounts[account];
            let trade = UserTrade {
                time,
                market,
                quantity: Quantity(side.sign(quantity.0)),
                price,
                total: Amount(side.sign(total.0)),
                counter_fee,
                order: order.map(|order| order.id),
            };
            account.note_trade(base, counter, trade);
            if bid != ask {
                let volume = account.add_volume(base, time, quantity.0);
                events.push(Event::TradeVolumeChanged { user: account.user, asset: pair.base, volume });
            }
        }
        let volume = if bid == ask { 0 } else { quantity.0 };
        self.market_mut(market).ticker.trade(time, price, volume);
        self.stir(market);
    }
}

/// What a bid sets aside for what is left of it.
fn reservation(bid: &Order, lot: i64) -> i64 {
    total_up(bid.remaining, bid.price.0, lot).expect("orders whose total overflows are refused")
}
