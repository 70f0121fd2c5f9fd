//! Matching: price first, then age; trades at the maker's price.

use crate::exchange::listing::MarketId;

use super::account::AccountId;
use super::book::accepts;
use super::fees::{PartsPerMillion, quantity_for};
use super::order::{Order, Slot};
use super::trade::Deal;
use super::{Amount, Engine, Event, Market, MarketSize, Quantity, Side, Tonce};

/// One of the two who trade.
#[derive(Clone, Copy)]
pub(super) struct Party {
    pub account: AccountId,
    /// The limit order; `None` for a market order.
    pub order: Option<Slot>,
    pub tonce: Option<Tonce>,
}

/// What came of a taker's meeting the best maker.
enum Meeting {
    /// They traded so much.
    Traded { quantity: i64, total: i64 },
    /// The taker cannot pay for a single unit and its fee.
    TakerShort,
    /// The maker cannot pay for a single unit and its fee, and its order has been closed.
    MakerShort,
}

impl Engine {
    /// Matches a limit order that is in no book; its slot, if something of it is left.
    pub(super) fn match_limit(&mut self, slot: Slot, events: &mut Vec<Event>) -> Option<Slot> {
        let Order { account, market, side, price: limit, tonce, .. } = self.orders[slot];
        let taker = Party { account, order: Some(slot), tonce };
        loop {
            let wanted = self.orders[slot].remaining;
            if wanted == 0 {
                self.close(slot, events);
                return None;
            }
            let Some(maker) = self.market(market).book.best(side.opposite()) else { return Some(slot) };
            if !accepts(side, limit, self.orders[maker].price) {
                return Some(slot);
            }
            if let Meeting::TakerShort = self.meet(market, side, taker, maker, wanted, events) {
                self.close(slot, events);
                return None;
            }
        }
    }

    /// Executes a market order of this size, which is positive; what could not be traded of it.
    pub(super) fn match_market(
        &mut self,
        market: MarketId,
        side: Side,
        taker: Party,
        mut left: MarketSize,
        events: &mut Vec<Event>,
    ) -> MarketSize {
        while let Some(maker) = self.market(market).book.best(side.opposite()) {
            let Market { base, lot, .. } = *self.market(market);
            let mut wanted = match left {
                MarketSize::Quantity(Quantity(left)) => left,
                MarketSize::Total(Amount(left)) => quantity_for(left, self.orders[maker].price.0, lot),
            };
            if side == Side::Ask {
                wanted = wanted.min(self.accounts[taker.account].holdings[base].available);
            }
            if wanted == 0 {
                break;
            }
            match self.meet(market, side, taker, maker, wanted, events) {
                Meeting::Traded { quantity, total } => match &mut left {
                    MarketSize::Quantity(left) => left.0 -= quantity,
                    MarketSize::Total(left) => left.0 -= total,
                },
                Meeting::TakerShort => break,
                Meeting::MakerShort => {}
            }
        }
        left
    }

    /// Trades up to `wanted` with the best maker, as far as its order goes and the buyer can pay.
    fn meet(
        &mut self,
        market: MarketId,
        side: Side,
        taker: Party,
        slot: Slot,
        wanted: i64,
        events: &mut Vec<Event>,
    ) -> Meeting {
        let Order { account, tonce, price, remaining, .. } = self.orders[slot];
        let maker = Party { account, order: Some(slot), tonce };
        let rates = self.market(market).rates;
        let (maker_rate, taker_rate) = match account == taker.account {
            true => (PartsPerMillion::ZERO, PartsPerMillion::ZERO),
            false => (rates.maker, rates.taker),
        };
        let (bid, ask, bid_rate, ask_rate) = match side {
            Side::Bid => (taker, maker, taker_rate, maker_rate),
            Side::Ask => (maker, taker, maker_rate, taker_rate),
        };
        let quantity = self.payable(market, bid, bid_rate, wanted.min(remaining), price);
        if quantity > 0 {
            let deal = Deal { market, taker: side, bid, ask, bid_rate, ask_rate, quantity, price };
            let total = self.trade(&deal, events);
            if self.orders[slot].remaining == 0 {
                self.close(slot, events);
            }
            return Meeting::Traded { quantity, total };
        }
        if side == Side::Bid {
            return Meeting::TakerShort;
        }
        self.close(slot, events);
        Meeting::MakerShort
    }
}
