//! The order book at a time: the views `book_at` and `depth`, as values.

use rusqlite::{OptionalExtension, Row, params};

use crate::model::{Coverage, Timestamp, Verdict};

use super::StoreError;
use super::coverage::{Interval, Streams};
use super::reader::Reader;

/// A book that a recording has: a market of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookName {
    /// Name of the source.
    pub source: String,
    /// Name of the market.
    pub market: String,
}

/// What is known of a book at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BookState {
    /// Its orders are known.
    Known {
        /// How surely.
        verdict: Verdict,
        /// Until when nothing else is said of it; `None` if nobody asked for it, so that nothing is said.
        until: Option<Timestamp>,
    },
    /// They are not known.
    Unknown {
        /// What is said instead; `None` if the time is before or after all that is said of it.
        interval: Option<Interval>,
    },
}

/// A price level of a book, as exact decimals. A number whose scale is unknown, or that needs more than 64 bits, is
/// `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookLevel {
    /// Whether it is of those who buy.
    pub is_bid: bool,
    /// Its place, from 1 for the best price of its side.
    pub level: i64,
    /// The price.
    pub price: Option<String>,
    /// All that is offered at it.
    pub quantity: Option<String>,
    /// How many orders that is.
    pub orders: i64,
    /// All that is offered from the best price to this one.
    pub cumulative: Option<String>,
}

impl Reader {
    /// The books in the recording, by source and market.
    ///
    /// # Errors
    /// If reading fails.
    pub fn books(&self) -> Result<Vec<BookName>, StoreError> {
        let sql = "SELECT s.name, m.name FROM source s JOIN market m ON EXISTS \
             (SELECT 1 FROM book_checkpoint WHERE market = m.id AND source = s.id) ORDER BY s.name, m.name";
        let read = || -> rusqlite::Result<Vec<BookName>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok(BookName { source: row.get(0)?, market: row.get(1)? }))?;
            rows.collect()
        };
        read().map_err(|error| self.fault(error))
    }

    /// The last instant at which a book is known: just before the end of what was last recorded of it.
    ///
    /// # Errors
    /// If reading fails.
    pub fn newest_book(&self, book: &BookName) -> Result<Timestamp, StoreError> {
        let intervals = self.book_intervals(book)?;
        let last = intervals.iter().rfind(|interval| matches!(interval.state, Coverage::Covered(_)));
        if let Some(interval) = last {
            return Ok(Timestamp(interval.to.0 - 1));
        }
        // Nobody asked for it: what there is, is all that is known.
        let newest = self.connection.query_row("SELECT max(durable_at) FROM run", [], |row| row.get(0));
        Ok(Timestamp(newest.map_err(|error| self.fault(error))?))
    }

    /// What is known of a book at a time.
    ///
    /// # Errors
    /// If reading fails.
    pub fn book_state(&self, book: &BookName, at: Timestamp) -> Result<BookState, StoreError> {
        let sql = "SELECT verdict, verified_until FROM book_at WHERE at = ? AND source = ? AND market = ?";
        let known = self.connection.query_row(sql, params![at.0, book.source, book.market], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<i64>>(1)?.map(Timestamp)))
        });
        let known = known.optional().map_err(|error| self.fault(error))?;
        if let Some((verdict, until)) = known.filter(|(_, until)| until.is_none_or(|until| at <= until)) {
            // What a newer feedtape may say and this one does not know, it cannot vouch for.
            let verdict = Verdict::parse(&verdict).unwrap_or(Verdict::Unverifiable);
            return Ok(BookState::Known { verdict, until });
        }
        let intervals = self.book_intervals(book)?;
        let interval = intervals.into_iter().find(|interval| interval.from <= at && at < interval.to);
        Ok(BookState::Unknown { interval })
    }

    /// The best levels of both sides of a book at a time: asks from the best up, then bids from the best down.
    ///
    /// # Errors
    /// If reading fails.
    pub fn book_levels(&self, book: &BookName, at: Timestamp, depth: u32) -> Result<Vec<BookLevel>, StoreError> {
        let sql = "SELECT side = 'buy', level, price, quantity, orders, cumulative FROM depth \
             WHERE at = ? AND source = ? AND market = ? AND level <= ? ORDER BY side DESC, level";
        let level = |row: &Row<'_>| {
            Ok(BookLevel {
                is_bid: row.get(0)?,
                level: row.get(1)?,
                price: row.get(2)?,
                quantity: row.get(3)?,
                orders: row.get(4)?,
                cumulative: row.get(5)?,
            })
        };
        let read = || -> rusqlite::Result<Vec<BookLevel>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(params![at.0, book.source, book.market, depth], level)?;
            rows.collect()
        };
        read().map_err(|error| self.fault(error))
    }

    /// What is said of the stream that a book came from.
    ///
    /// # Errors
    /// If reading fails.
    pub fn book_intervals(&self, book: &BookName) -> Result<Vec<Interval>, StoreError> {
        let sql = "SELECT max(c.stream) FROM source s JOIN market m JOIN book_checkpoint c \
             ON c.market = m.id AND c.source = s.id WHERE s.name = ? AND m.name = ?";
        let stream = self.connection.query_row(sql, [&book.source, &book.market], |row| row.get::<_, Option<i64>>(0));
        let stream = stream.map_err(|error| self.fault(error))?;
        let wanted = Streams { source: Some(book.source.clone()), market: Some(book.market.clone()), channel: None };
        let streams = self.coverage(&wanted)?;
        let found = streams.into_iter().find(|found| Some(found.id) == stream);
        Ok(found.map(|found| found.intervals).unwrap_or_default())
    }

    /// Id of the last event in checkpoints of books; `None` in a file of a schema without them. When they are made is
    /// not in the journal.
    ///
    /// # Errors
    /// If reading fails.
    pub fn books_mark(&self) -> Result<Option<i64>, StoreError> {
        let has = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'book_progress')";
        let has: bool = self.connection.query_row(has, [], |row| row.get(0)).map_err(|error| self.fault(error))?;
        if !has {
            return Ok(None);
        }
        let mark = self.connection.query_row("SELECT through FROM book_progress", [], |row| row.get(0)).optional();
        mark.map_err(|error| self.fault(error))
    }
}
