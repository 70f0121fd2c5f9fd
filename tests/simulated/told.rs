//! What an exchange told of a market, and what of it arrived: the facts that an oracle judges by.

use std::collections::BTreeMap;

use feedtape::exchange::engine::{Event, MatchSide, Price, Ticker, TickerChange};
use feedtape::model::{Patch, Timestamp};

/// What may happen to a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mangle {
    Lost,
    Twice,
    Garbage,
}

/// Session and number of a record.
pub type Place = (i64, i64);

/// Something that bears on what a recorder can know of a market.
#[derive(Clone, Debug)]
pub struct Told {
    /// Where its record is, or where the next one will be if it has none.
    pub place: Place,
    pub at: Timestamp,
    pub news: News,
}

#[derive(Clone, Debug)]
pub enum News {
    /// A notice of this was sent.
    Notice(Event, Option<Mangle>),
    /// The book was asked for, and was this then.
    BookAsked(Orders),
    BookAnswered,
    /// No notices of the book are sent from here on.
    BookLeft,
    TickerAsked(Best),
    TickerLeft,
    /// The connection was not read for a while.
    Unread,
    /// Nothing has happened for so long that every disagreement has been looked at.
    Settled,
}

/// Open orders: quantity, positive to buy, and price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders(pub BTreeMap<i64, (i64, i64)>);

impl Orders {
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::OrderOpened(order) | Event::OrderModified(order) => {
                self.0.insert(order.id.0, (order.quantity.0, order.price.0));
            }
            Event::OrderClosed { order, .. } => drop(self.0.remove(&order.id.0)),
            Event::OrdersMatched(trade) => {
                for (id, left) in [left(&trade.bid, 1), left(&trade.ask, -1)].into_iter().flatten() {
                    self.0.entry(id).and_modify(|(quantity, _)| *quantity = left);
                }
            }
            _ => {}
        }
    }

    /// The orders of which a notice says what cannot follow from these.
    pub fn contradicted_by(&self, event: &Event) -> Vec<i64> {
        let quantity = |id: i64| self.0.get(&id).map(|(quantity, _)| *quantity);
        let is_wrong = |(id, is_wrong): (i64, bool)| is_wrong.then_some(id);
        match event {
            Event::OrderOpened(order) => Vec::from_iter(is_wrong((order.id.0, quantity(order.id.0).is_some()))),
            Event::OrderModified(order) => Vec::from_iter(is_wrong((order.id.0, quantity(order.id.0).is_none()))),
            Event::OrderClosed { order, .. } => {
                Vec::from_iter(is_wrong((order.id.0, quantity(order.id.0) != Some(order.quantity.0))))
            }
            Event::OrdersMatched(trade) => {
                let traded = trade.quantity.0;
                // What a fee eats of a bid is gone as well.
                let bid =
                    left(&trade.bid, 1).map(|(id, left)| (id, quantity(id).is_none_or(|was| left > was - traded)));
                let ask = left(&trade.ask, -1).map(|(id, left)| (id, quantity(id) != Some(left - traded)));
                [bid, ask].into_iter().flatten().filter_map(is_wrong).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Id, price and quantity of those of which something is left.
    pub fn listed(&self) -> Vec<(i64, i64, i64)> {
        let open = self.0.iter().filter(|(_, (quantity, _))| *quantity != 0);
        open.map(|(id, (quantity, price))| (*id, *price, *quantity)).collect()
    }

    pub fn best(&self) -> (Option<i64>, Option<i64>) {
        let prices =
            |sign: i64| self.0.values().filter(move |(quantity, _)| quantity.signum() == sign).map(|(_, price)| *price);
        (prices(1).max(), prices(-1).min())
    }
}

/// The orders that an event is about.
pub fn orders_of(event: &Event) -> Vec<i64> {
    match event {
        Event::OrderOpened(order) | Event::OrderModified(order) | Event::OrderClosed { order, .. } => vec![order.id.0],
        Event::OrdersMatched(trade) => {
            [left(&trade.bid, 1), left(&trade.ask, -1)].into_iter().flatten().map(|(id, _)| id).collect()
        }
        _ => Vec::new(),
    }
}

/// Id of an order that was matched, and what is left of it.
fn left(side: &MatchSide, sign: i64) -> Option<(i64, i64)> {
    side.order.map(|order| (order.id.0, sign * order.remaining.0))
}

/// The best prices and that of the last match, as a ticker has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Best {
    pub bid: Option<i64>,
    pub ask: Option<i64>,
    pub last: Option<i64>,
}

impl Best {
    pub fn of(ticker: &Ticker) -> Self {
        let plain = |price: Option<Price>| price.map(|price| price.0);
        Self { bid: plain(ticker.bid), ask: plain(ticker.ask), last: plain(ticker.last) }
    }

    pub fn apply(&mut self, change: &TickerChange) {
        let fields = [(&mut self.bid, &change.bid), (&mut self.ask, &change.ask), (&mut self.last, &change.last)];
        for (field, change) in fields {
            match change {
                Patch::Absent => {}
                Patch::Null => *field = None,
                Patch::Value(price) => *field = Some(price.0),
            }
        }
    }
}
