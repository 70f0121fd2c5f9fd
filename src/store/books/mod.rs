//! Checkpoints of the order books, derived behind the live write from the rows that are committed.
//!
//! What is written depends on the rows alone, taken in the order of their ids, and not on how far a step comes: so a
//! rebuild that goes as far writes the same.
//!
//! * `event`: the rows that change books, in order.
//! * `kept`: a book in memory.
//! * `span`: where the events of an instrument lie.
//! * `blind`: what changed while nobody was looking.

mod blind;
mod event;
mod kept;
mod span;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::FixedState;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{Store, StoreError};

use self::event::{BookEvent, Change};
use self::kept::Kept;
use self::span::Chunk;

/// Rows that one step looks at, which bounds how long a commit waits for it: some 20 ms, and only if so many are left to
/// do. There is a step after each commit, so this is enough for 300,000 messages a second. A checkpoint comes on top.
const ROWS_PER_STEP: usize = 32_768;

/// Steps that are done before the file is closed; what is left over then is done by the next recorder.
const STEPS_AT_CLOSE_MAX: usize = 64;

/// A checkpoint is made after so many events of a book, ...
const EVENTS_PER_CHECKPOINT_MIN: usize = 4_096;

/// ... or if the book is large, after so many for each of its orders. The number of events bounds what asking for a book
/// costs; that they are many for each order, what checkpoints take on disk (some 6 bytes an event).
const EVENTS_PER_ORDER: usize = 4;

/// Orders of all books that are kept. With more, all are dropped, and each is read again when it is needed.
const ORDERS_OF_ALL_MAX: usize = 2_000_000;

type Map<K, V> = HashMap<K, V, FixedState>;

/// A market of a source.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct BookKey {
    source: i64,
    market: i64,
}

/// How far checkpoints have come, and the books as they were then; `None` until the first step, and after one that
/// failed: then the file says it.
#[derive(Default)]
pub struct Books(Option<Deriving>);

struct Deriving {
    /// Id of the last event that was taken.
    taken: i64,
    /// Id of the last event that the file says was taken.
    through: i64,
    chunk: Chunk,
    /// The books that were needed so far; `None`: without a snapshot yet, or too large.
    books: Map<BookKey, Option<Kept>>,
    /// The book that an instrument belongs to.
    keys: Map<i64, BookKey>,
}

impl Store {
    /// Takes some more of the committed events into checkpoints, in a transaction of its own. Says whether there may be
    /// more.
    ///
    /// # Errors
    /// If reading or writing failed; then the step did nothing.
    pub fn books_step(&mut self) -> Result<bool, StoreError> {
        self.books_step_until(i64::MAX)
    }

    /// Takes all events up to one of that id into checkpoints.
    ///
    /// # Errors
    /// As for [`Store::books_step`]; the steps before hold.
    pub fn derive_books(&mut self, until: i64) -> Result<(), StoreError> {
        while self.books_step_until(until)? {}
        Ok(())
    }

    /// Takes what is left, unless that is much.
    pub(super) fn finish_books(&mut self) -> Result<(), StoreError> {
        for _ in 0..STEPS_AT_CLOSE_MAX {
            if !self.books_step()? {
                break;
            }
        }
        Ok(())
    }

    fn books_step_until(&mut self, until: i64) -> Result<bool, StoreError> {
        if self.in_group() {
            return Ok(false);
        }
        let before = self.books.0.take();
        let step = step(&mut self.connection, before, until);
        let (deriving, has_more) = step.map_err(|error| StoreError::of(&self.settings.path, error))?;
        self.books.0 = Some(deriving);
        Ok(has_more)
    }
}

fn step(connection: &mut Connection, before: Option<Deriving>, until: i64) -> rusqlite::Result<(Deriving, bool)> {
    let mut deriving = match before {
        Some(deriving) => deriving,
        None => Deriving::recall(connection)?,
    };
    let events = event::read(connection, deriving.taken, until, ROWS_PER_STEP)?;
    let Some(last) = events.last() else { return Ok((deriving, false)) };
    let last = last.id;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    deriving.take(&transaction, &events)?;
    transaction.commit()?;
    // With fewer there are no more now.
    let has_more = events.len() >= ROWS_PER_STEP || deriving.taken < last;
    Ok((deriving, has_more))
}

impl Deriving {
    /// Begins where the file says, with the chunk that was open then.
    fn recall(connection: &Connection) -> rusqlite::Result<Self> {
        let through = connection.query_row("SELECT through FROM book_progress", [], |row| row.get(0))?;
        let first: i64 =
            connection.query_row("SELECT first FROM book_span WHERE instrument = 0", [], |row| row.get(0))?;
        Ok(Self { taken: first - 1, through, chunk: Chunk::default(), books: Map::default(), keys: Map::default() })
    }

    /// Takes events, or as many of them as need no more than a step's rows to be read again.
    fn take(&mut self, connection: &Connection, events: &[BookEvent]) -> rusqlite::Result<()> {
        let mut rows_read = 0;
        for event in events {
            rows_read += self.take_one(connection, event)?;
            self.taken = event.id;
            if rows_read > ROWS_PER_STEP {
                break;
            }
        }
        if self.taken > self.through {
            let at = events.iter().rfind(|event| event.id == self.taken).map_or(0, |event| event.at);
            connection.prepare_cached("UPDATE book_progress SET through = ?, at = ?")?.execute([self.taken, at])?;
            self.through = self.taken;
        }
        let orders: usize = self.books.values().flatten().map(Kept::len).sum();
        if orders > ORDERS_OF_ALL_MAX {
            self.books.clear();
        }
        Ok(())
    }

    /// Takes an event. Gives how many rows of others had to be read for it.
    fn take_one(&mut self, connection: &Connection, event: &BookEvent) -> rusqlite::Result<usize> {
        let key = self.key(connection, event.instrument)?;
        // What the file has already is not written again.
        let is_new = event.id > self.through;
        let mut rows_read = 0;
        if let Entry::Vacant(vacant) = self.books.entry(key) {
            let (book, rows) = kept::load(connection, key, event.id)?;
            vacant.insert(book);
            rows_read += rows;
        }
        let Some(book) = self.books.get_mut(&key) else { return Ok(rows_read) };
        if let Change::Snapshot { side_orders_max } = event.change {
            let (fresh, rows) = kept::load(connection, key, event.id + 1)?;
            rows_read += rows;
            if let (true, Some(before), Some(after)) = (is_new, &book, &fresh) {
                blind::compare(connection, event, before, after, side_orders_max)?;
            }
            *book = fresh;
            return Ok(rows_read);
        }
        if let Some(kept) = book {
            if !kept.apply(event) {
                *book = None;
            } else if kept.since >= EVENTS_PER_CHECKPOINT_MIN.max(EVENTS_PER_ORDER * kept.len()) {
                if is_new {
                    kept.write(connection, key, event.id)?;
                }
                kept.since = 0;
            }
        }
        if self.chunk.add(event.instrument, event.id) {
            self.chunk.write(connection, event.id)?;
            self.chunk = Chunk::default();
        }
        Ok(rows_read)
    }

    fn key(&mut self, connection: &Connection, instrument: i64) -> rusqlite::Result<BookKey> {
        if let Some(key) = self.keys.get(&instrument) {
            return Ok(*key);
        }
        let select = "SELECT source, market FROM instrument WHERE id = ?";
        let key = connection
            .query_row(select, params![instrument], |row| Ok(BookKey { source: row.get(0)?, market: row.get(1)? }))?;
        self.keys.insert(instrument, key);
        Ok(key)
    }
}
