//! The rows that change books, in the order of their ids.

use rusqlite::{Connection, Row, ToSql, params};

use crate::model::Id;

/// A row of order_event, trade or book_snapshot.
#[derive(Debug)]
pub(super) struct BookEvent {
    pub(super) id: i64,
    pub(super) instrument: i64,
    /// Arrival; the venue's time, if that is not known.
    pub(super) at: i64,
    pub(super) change: Change,
}

/// What it does to the book. A quantity or price that is no 64-bit integer is `None`.
#[derive(Debug)]
pub(super) enum Change {
    /// An order is, or has become, this.
    Stated { order: Id, price: Option<i64>, quantity: Option<i64> },
    /// An order is gone.
    Closed { order: Id },
    /// So much is left of the orders that matched.
    Matched { bid: Option<Left>, ask: Option<Left> },
    /// All orders are stated anew.
    Snapshot { side_orders_max: Option<i64> },
}

/// An order, and what is left of it; positive bid, negative ask.
pub(super) type Left = (Id, Option<i64>);

/// How a row of a table is read.
type Read = fn(&Row<'_>) -> rusqlite::Result<BookEvent>;

const ORDERS: &str = "SELECT id, instrument, iif(received_at, received_at, -coalesce(age, 0)), kind, order_id, \
     iif(order_id IS NULL, (SELECT order_ref FROM order_detail WHERE id = e.id), NULL), price, quantity \
     FROM order_event e WHERE id BETWEEN ?1 AND ?2";

const TRADES: &str = "SELECT id, instrument, iif(received_at, received_at, -coalesce(age, 0)), bid_order, \
     iif(bid_order IS NULL, (SELECT bid_ref FROM trade_detail WHERE id = t.id), NULL), bid_remaining, ask_order, \
     iif(ask_order IS NULL, (SELECT ask_ref FROM trade_detail WHERE id = t.id), NULL), -ask_remaining \
     FROM trade t WHERE id BETWEEN ?1 AND ?2";

const SNAPSHOTS: &str = "SELECT id, instrument, received_at, side_orders_max FROM book_snapshot \
     WHERE id BETWEEN ?1 AND ?2 AND has_orders AND NOT is_look";

/// The first events of all books after that of id `after`, up to that of id `until`: about `limit` of them, all that
/// lie between the first and the last.
pub(super) fn read(connection: &Connection, after: i64, until: i64, limit: usize) -> rusqlite::Result<Vec<BookEvent>> {
    let mut events = Vec::new();
    let mut until = until;
    let tables: [(&str, Read); 3] = [(ORDERS, order), (TRADES, trade), (SNAPSHOTS, snapshot)];
    for (select, event) in tables {
        let found = events.len();
        let select = format!("{select} ORDER BY id LIMIT ?3");
        collect(connection, &select, params![after + 1, until, limit as i64], event, &mut events)?;
        if events.len() - found == limit {
            until = events.last().map_or(until, |event: &BookEvent| event.id);
        }
    }
    events.retain(|event| event.id <= until);
    // Two runs that are in order: this sort merges them.
    events.sort_by_key(|event| event.id);
    Ok(events)
}

/// The events of an instrument from one id to another, without snapshots; not in order.
pub(super) fn read_instrument(
    connection: &Connection,
    instrument: i64,
    (low, high): (i64, i64),
    events: &mut Vec<BookEvent>,
) -> rusqlite::Result<()> {
    // The `+` keeps SQLite from building an index for one reading.
    let of = " AND +instrument = ?3";
    collect(connection, &format!("{ORDERS}{of}"), params![low, high, instrument], order, events)?;
    collect(connection, &format!("{TRADES}{of}"), params![low, high, instrument], trade, events)
}

fn collect(
    connection: &Connection,
    select: &str,
    params: &[&dyn ToSql],
    event: Read,
    events: &mut Vec<BookEvent>,
) -> rusqlite::Result<()> {
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query(params)?;
    while let Some(row) = rows.next()? {
        events.push(event(row)?);
    }
    Ok(())
}

fn order(row: &Row<'_>) -> rusqlite::Result<BookEvent> {
    let change = match (id(row, 4)?, row.get(3)?) {
        // An order without any id is in no book.
        (None, _) => Change::Matched { bid: None, ask: None },
        (Some(order), 1_i64) => Change::Closed { order },
        (Some(order), _) => Change::Stated { order, price: row.get(6)?, quantity: row.get(7)? },
    };
    event(row, change)
}

fn trade(row: &Row<'_>) -> rusqlite::Result<BookEvent> {
    let left = |order, left| -> rusqlite::Result<Option<Left>> {
        Ok(match id(row, order)? {
            Some(order) => Some((order, row.get(left)?)),
            None => None,
        })
    };
    event(row, Change::Matched { bid: left(3, 5)?, ask: left(6, 8)? })
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<BookEvent> {
    event(row, Change::Snapshot { side_orders_max: row.get(3)? })
}

fn event(row: &Row<'_>, change: Change) -> rusqlite::Result<BookEvent> {
    Ok(BookEvent { id: row.get(0)?, instrument: row.get(1)?, at: row.get(2)?, change })
}

/// An order's id: an integer in that column, or text in the next.
pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Id>> {
    if let Some(id) = row.get(column)? {
        return Ok(Some(Id::Int(id)));
    }
    Ok(row.get::<_, Option<String>>(column + 1)?.map(|text| Id::Text(Box::new(text))))
}
