//! The market: orders, trades, tickers, books and estimates.

use rusqlite::{OptionalExtension, params};

use crate::model::{BookSnapshot, Estimate, OrderEvent, OrderKind, Patch, Price, Ticker, TickerKind, Trade, TradeSide};

use super::memory::Market;
use super::rows::Table;
use super::{EVENT_BITS, Fault, Group, Written, frames, int, text, tonce};

pub(super) const ORDERS: Table =
    Table { name: "order_event", columns: "id, instrument, kind, order_id, price, quantity, received_at, age" };

pub(super) const TRADES: Table = Table {
    name: "trade",
    columns: "id, market, instrument, trade_id, price, quantity, total, received_at, age, taker_is_bid, \
        bid_order, ask_order, bid_remaining, ask_remaining",
};

pub(super) const TICKERS: Table = Table {
    name: "ticker",
    columns: "id, instrument, kind, present, last, bid, ask, low, high, volume, received_at, age",
};

impl Group<'_> {
    pub(super) fn order(&mut self, order: &OrderEvent) -> Written {
        let kind = match order.kind {
            OrderKind::Opened => 0,
            OrderKind::Closed => 1,
            OrderKind::Modified => 2,
        };
        let row = [
            Some(self.id),
            Some(self.market(order.market)?.instrument),
            Some(kind),
            order.id.as_int(),
            self.number("price", order.price.as_ref())?,
            self.number("quantity", order.quantity.as_ref())?,
            Some(self.at.0),
            self.age(order.time)?,
        ];
        self.tables.orders.push(self.connection, row)?;
        let reference = order.id.as_text();
        if order.own || order.tonce.is_present() || reference.is_some() {
            let (has_tonce, tonce) = tonce(&order.tonce);
            let insert = "INSERT INTO order_detail (id, own, has_tonce, tonce, order_ref) VALUES (?, ?, ?, ?, ?)";
            let detail = params![self.id, order.own, has_tonce, tonce, reference];
            self.connection.prepare_cached(insert)?.execute(detail)?;
        }
        Ok(())
    }

    pub(super) fn trade(&mut self, trade: &Trade) -> Written {
        let market = self.market(trade.market)?;
        let (bid, ask) = (&trade.bid, &trade.ask);
        let row = [
            Some(self.id),
            Some(market.market),
            Some(market.instrument),
            int(trade.id.as_ref()),
            self.number("price", trade.price.as_ref())?,
            self.number("quantity", trade.quantity.as_ref())?,
            self.number("total", trade.total.as_ref())?,
            Some(self.at.0),
            self.age(trade.time)?,
            trade.taker_is_bid.map(i64::from),
            int(bid.order.as_ref()),
            int(ask.order.as_ref()),
            self.number("bid_remaining", bid.remaining.as_ref())?,
            self.number("ask_remaining", ask.remaining.as_ref())?,
        ];
        self.tables.trades.push(self.connection, row)?;
        self.trade_detail(trade)?;
        self.other_fees(trade)
    }

    fn other_fees(&mut self, trade: &Trade) -> Written {
        let of = |is_bid: bool, side: &'_ TradeSide| side.other_fees.clone().into_iter().map(move |fee| (is_bid, fee));
        for (n, (is_bid, fee)) in of(true, &trade.bid).chain(of(false, &trade.ask)).enumerate() {
            let asset = self.asset(None, Some(&fee.asset), Some(fee.places))?;
            let amount = self.number_at(n, "amount", Some(&fee.amount))?;
            let insert = "INSERT INTO trade_fee (id, n, is_bid, asset, amount) VALUES (?, ?, ?, ?, ?)";
            self.connection.prepare_cached(insert)?.execute(params![self.id, n as i64, is_bid, asset, amount])?;
        }
        Ok(())
    }

    fn trade_detail(&self, trade: &Trade) -> Written {
        let (bid, ask) = (&trade.bid, &trade.ask);
        let refs = [trade.id.as_ref(), bid.order.as_ref(), ask.order.as_ref()].map(text);
        let has_detail = trade.own
            || trade.own_is_taker.is_some()
            || refs.iter().any(Option::is_some)
            || [bid, ask]
                .iter()
                .any(|side| side.tonce.is_present() || side.base_fee.is_some() || side.counter_fee.is_some());
        if !has_detail {
            return Ok(());
        }
        let [trade_ref, bid_ref, ask_ref] = refs;
        let ((has_bid_tonce, bid_tonce), (has_ask_tonce, ask_tonce)) = (tonce(&bid.tonce), tonce(&ask.tonce));
        let insert = "INSERT INTO trade_detail (id, own, own_is_taker, has_bid_tonce, bid_tonce, has_ask_tonce, \
             ask_tonce, bid_base_fee, bid_counter_fee, ask_base_fee, ask_counter_fee, trade_ref, bid_ref, ask_ref) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![
            self.id,
            trade.own,
            trade.own_is_taker,
            has_bid_tonce,
            bid_tonce,
            has_ask_tonce,
            ask_tonce,
            self.number("bid_base_fee", bid.base_fee.as_ref())?,
            self.number("bid_counter_fee", bid.counter_fee.as_ref())?,
            self.number("ask_base_fee", ask.base_fee.as_ref())?,
            self.number("ask_counter_fee", ask.counter_fee.as_ref())?,
            trade_ref,
            bid_ref,
            ask_ref,
        ])?;
        Ok(())
    }

    pub(super) fn ticker(&mut self, ticker: &Ticker) -> Written {
        let instrument = self.market(ticker.market)?.instrument;
        let kind = match ticker.kind {
            TickerKind::Partial => 0,
            TickerKind::Full => 1,
        };
        let Ticker { last, bid, ask, low, high, volume, .. } = ticker;
        let mut present = 0;
        for (bit, is_present) in [last, bid, ask, low, high].map(Patch::is_present).into_iter().enumerate() {
            present |= i64::from(is_present) << bit;
        }
        present |= i64::from(volume.is_present()) << 5;
        let row = [
            Some(self.id),
            Some(instrument),
            Some(kind),
            Some(present),
            self.price("last", last)?,
            self.price("bid", bid)?,
            self.price("ask", ask)?,
            self.price("low", low)?,
            self.price("high", high)?,
            self.number("volume", volume.value())?,
            Some(self.at.0),
            self.age(ticker.time)?,
        ];
        self.tables.tickers.push(self.connection, row)?;
        let Ticker { bid_quantity, ask_quantity, .. } = ticker;
        if bid_quantity.is_present() || ask_quantity.is_present() {
            let insert = "INSERT INTO ticker_quantity (id, bid_quantity, ask_quantity) VALUES (?, ?, ?)";
            self.connection.prepare_cached(insert)?.execute(params![
                self.id,
                self.number("bid_quantity", bid_quantity.value())?,
                self.number("ask_quantity", ask_quantity.value())?,
            ])?;
        }
        Ok(())
    }

    fn price(&self, field: &'static str, price: &Patch<Price>) -> Result<Option<i64>, Fault> {
        self.number(field, price.value())
    }

    pub(super) fn book_snapshot(&self, snapshot: &BookSnapshot, is_look: bool) -> Written {
        let market = self.market(snapshot.market)?;
        let instrument = market.instrument;
        let asked = match snapshot.events_from {
            Some(seq) => frames::frame_of(self.connection, self.session_id, seq)?,
            None => None,
        };
        let events_from = asked.map_or(self.id, |frame| frame << EVENT_BITS);
        let insert = "INSERT INTO book_snapshot (id, instrument, received_at, events_from, has_orders, orders, \
             side_orders_max, is_look) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let orders = snapshot.orders.len() as i64;
        let side_max = snapshot.side_orders_max.map(|max| max as i64);
        let row = params![self.id, instrument, self.at.0, events_from, snapshot.has_orders, orders, side_max, is_look];
        self.connection.prepare_cached(insert)?.execute(row)?;
        if snapshot.has_orders && !is_look {
            self.book_begins(market, events_from)?;
        }
        let insert = "INSERT INTO book_order (snapshot, n, order_id, order_ref, price, quantity, time) \
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        let mut insert = self.connection.prepare_cached(insert)?;
        for (n, order) in snapshot.orders.iter().enumerate() {
            insert.execute(params![
                self.id,
                n as i64,
                int(order.id.as_ref()),
                text(order.id.as_ref()),
                self.number_at(n, "price", order.price.as_ref())?,
                self.number_at(n, "quantity", order.quantity.as_ref())?,
                order.time.map(|time| time.0),
            ])?;
        }
        Ok(())
    }

    /// A snapshot is a checkpoint of its book; see `store/books/`.
    fn book_begins(&self, market: Market, events_from: i64) -> Written {
        let stream = "SELECT stream FROM command WHERE id BETWEEN ?1 AND ?1 | 4194303";
        let stream = self.connection.prepare_cached(stream)?.query_row([events_from], |row| row.get(0)).optional()?;
        let stream: Option<i64> = stream.flatten();
        let insert =
            "INSERT INTO book_checkpoint (id, source, market, stream, at, events_from) VALUES (?, ?, ?, ?, ?, ?)";
        let row = params![self.id, self.source()?, market.market, stream, self.at.0, events_from];
        self.connection.prepare_cached(insert)?.execute(row)?;
        Ok(())
    }

    pub(super) fn estimate(&self, estimate: &Estimate) -> Written {
        let insert = "INSERT INTO estimate (id, instrument, received_at, asked_quantity, asked_total, quantity, total) \
             VALUES (?, ?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![
            self.id,
            self.market(estimate.market)?.instrument,
            self.at.0,
            self.number("asked_quantity", estimate.asked_quantity.as_ref())?,
            self.number("asked_total", estimate.asked_total.as_ref())?,
            self.number("quantity", estimate.quantity.as_ref())?,
            self.number("total", estimate.total.as_ref())?,
        ])?;
        Ok(())
    }
}
