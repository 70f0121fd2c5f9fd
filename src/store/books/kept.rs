//! A book in memory.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::Id;

use super::event::{self, BookEvent, Change, Left};
use super::{BookKey, Map};

/// Orders of one book that are kept. A book that grows beyond has no checkpoint until its next snapshot.
const ORDERS_MAX: usize = 500_000;

/// An order as last stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The version of the market whose scale its numbers have.
    instrument: i64,
    pub(super) price: Option<i64>,
    /// Left; positive bid, negative ask, 0 between its last match and its close.
    pub(super) quantity: Option<i64>,
}

/// A book since its last checkpoint.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) orders: Map<Id, Order>,
    /// Whose coverage is the book's.
    pub(super) stream: Option<i64>,
    /// The latest arrival in it.
    pub(super) at: i64,
    /// Events since the checkpoint.
    pub(super) since: usize,
}

impl Kept {
    /// How many orders it has.
    pub(super) fn len(&self) -> usize {
        self.orders.len()
    }

    /// Applies an event that is no snapshot. Says whether the book is still small enough to be kept.
    pub(super) fn apply(&mut self, event: &BookEvent) -> bool {
        self.at = self.at.max(event.at);
        self.since += 1;
        match &event.change {
            Change::Stated { order, price, quantity } => {
                let stated = Order { instrument: event.instrument, price: *price, quantity: *quantity };
                self.orders.insert(order.clone(), stated);
            }
            Change::Closed { order } => drop(self.orders.remove(order)),
            Change::Matched { bid, ask } => {
                self.fill(bid.as_ref());
                self.fill(ask.as_ref());
            }
            Change::Snapshot { .. } => {}
        }
        self.len() <= ORDERS_MAX
    }

    /// Whoever matches without being in the book is beyond what the snapshot had.
    fn fill(&mut self, left: Option<&Left>) {
        if let Some((order, quantity)) = left
            && let Some(known) = self.orders.get_mut(order)
        {
            known.quantity = *quantity;
        }
    }

    /// Writes it as a checkpoint that ends with the event of that id.
    pub(super) fn write(&self, connection: &Connection, key: BookKey, id: i64) -> rusqlite::Result<()> {
        let insert =
            "INSERT INTO book_checkpoint (id, source, market, stream, at, events_from) VALUES (?, ?, ?, ?, ?, ?)";
        let row = params![id, key.source, key.market, self.stream, self.at, id + 1];
        connection.prepare_cached(insert)?.execute(row)?;
        let insert = "INSERT INTO book_checkpoint_order (checkpoint, n, order_id, order_ref, instrument, price, \
             quantity) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let mut insert = connection.prepare_cached(insert)?;
        // In an order that does not depend on how the book came about.
        let mut orders: Vec<(&Id, &Order)> = self.orders.iter().collect();
        orders.sort_unstable_by_key(|(order, _)| (order.as_int(), order.as_text()));
        for (n, (order, Order { instrument, price, quantity })) in orders.into_iter().enumerate() {
            insert.execute(params![id, n as i64, order.as_int(), order.as_text(), instrument, price, quantity])?;
        }
        Ok(())
    }
}

/// The book as it was before the event of that id: its last checkpoint, and what came since. `None` if it had no
/// snapshot by then, or has become too large since. Beside it, how many rows were read.
pub(super) fn load(connection: &Connection, key: BookKey, before: i64) -> rusqlite::Result<(Option<Kept>, usize)> {
    let last = "SELECT id, events_from, stream, at FROM book_checkpoint \
         WHERE market = ? AND source = ? AND id < ? ORDER BY id DESC LIMIT 1";
    let last = connection.prepare_cached(last)?.query_row(params![key.market, key.source, before], |row| {
        let kept = Kept { orders: Map::default(), stream: row.get(2)?, at: row.get(3)?, since: 0 };
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, kept))
    });
    let Some((checkpoint, events_from, mut kept)) = last.optional()? else { return Ok((None, 0)) };
    read_orders(connection, checkpoint, &mut kept.orders)?;
    let mut rows = kept.len();
    let mut events = Vec::new();
    for (instrument, low, high) in ranges(connection, key, events_from, before)? {
        event::read_instrument(connection, instrument, (low, high), &mut events)?;
    }
    events.sort_unstable_by_key(|event| event.id);
    rows += events.len();
    let is_small = events.iter().all(|event| kept.apply(event));
    Ok((is_small.then_some(kept), rows))
}

/// The orders of a checkpoint, which is a snapshot or one of ours.
fn read_orders(connection: &Connection, checkpoint: i64, orders: &mut Map<Id, Order>) -> rusqlite::Result<()> {
    let select = "SELECT order_id, order_ref, instrument, price, quantity FROM book_checkpoint_order \
         WHERE checkpoint = ?1 UNION ALL SELECT order_id, order_ref, instrument, price, quantity \
         FROM book_order JOIN book_snapshot ON id = snapshot WHERE snapshot = ?1";
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query([checkpoint])?;
    while let Some(row) = rows.next()? {
        let order = Order { instrument: row.get(2)?, price: row.get(3)?, quantity: row.get(4)? };
        if let Some(id) = event::id(row, 0)? {
            orders.insert(id, order);
        }
    }
    Ok(())
}

/// Where the events of a book from one id until before another may lie: an instrument, and the first and last id.
fn ranges(connection: &Connection, key: BookKey, from: i64, before: i64) -> rusqlite::Result<Vec<(i64, i64, i64)>> {
    let select = "SELECT i.id, max(?3, p.first, coalesce((p.first >> 22) + f.value << 22, 0)), \
             min(?4 - 1, p.last, coalesce(((p.first >> 22) + f.value << 22) + 4194303, p.last)) \
         FROM instrument i CROSS JOIN book_span p ON p.instrument IN (0, i.id) AND p.first < ?4 AND p.first >= \
             coalesce((SELECT max(first) FROM book_span WHERE instrument = p.instrument AND first <= ?3), 0) \
         CROSS JOIN json_each(coalesce(p.frames, '[null]')) f WHERE i.market = ?1 AND i.source = ?2";
    let mut select = connection.prepare_cached(select)?;
    let rows = select
        .query_map(params![key.market, key.source, from, before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}
