//! The writer: batches into rows, in groups.
//!
//! One file per group of tables; `rows` gathers the rows of the largest ones, `memory` is what need not be asked of
//! the file, `frames` is the journal.

mod account;
mod frames;
mod level;
mod listing;
mod market;
mod memory;
mod rows;
mod session;

use std::collections::hash_map::Entry;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, params};
use tracing::warn;

use crate::journal::{Batch, RecordKind};
use crate::model::{Event, Id, MarketRef, Number, Patch, RunId, SessionId, Stamp, StreamRef, Timestamp};
use crate::sink::{Sink, SinkError, Tidied};

pub(super) use self::frames::{insert_block, next_seq};

use self::frames::Frames;
use self::memory::{Market, Memory, Session, Stream};
use self::rows::Rows;
use super::open::{self, Lock};
use super::place::Place;
use super::{Settings, StoreError, books, merge, run, tidy};

/// A row's id has its frame's number above this many bits, and below them the place of its event within that frame.
pub(super) const EVENT_BITS: u32 = 22;

/// Batches of this many records are packed on a thread of their own while their rows are inserted. Both take longer
/// than starting a thread, by far.
const RECORDS_BESIDE_MIN: usize = 512;

/// Events of one frame that get rows. A frame would need 4 bytes or fewer for each to have more.
const EVENTS_PER_FRAME_MAX: i64 = 1 << EVENT_BITS;

/// The one writing connection to a database.
///
/// Nothing is durable before [`Sink::commit`] has returned. Batches may be given again: what is stored is recognised by
/// its session and place and skipped.
pub struct Store {
    pub(super) settings: Settings,
    pub(super) connection: Connection,
    pub(super) merge: merge::Progress,
    pub(super) books: books::Books,
    pub(super) watch: tidy::Watch,
    memory: Memory,
    committed: Memory,
    /// As it was when a commit failed of which only a reopened file can tell whether it reached the disk.
    attempted: Option<Memory>,
    frames: Frames,
    tables: Tables,
    /// Where the file is, if anybody looks for it.
    place: Option<Place>,
    _lock: Option<Lock>,
}

/// The tables whose rows are gathered.
struct Tables {
    orders: Rows<8>,
    trades: Rows<14>,
    tickers: Rows<12>,
}

/// Why a batch could not be written.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The batch contradicts what came before: a defect of ours.
    Contradiction(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

pub(super) type Written = Result<(), Fault>;

impl Store {
    /// Opens (or makes) a database, keeps other recorders out and brings it to the newest schema.
    ///
    /// # Errors
    /// If the file is foreign, newer, damaged, a link, held by another recorder or cannot be made, or if the file system has
    /// less room than the settings want.
    pub fn open(settings: Settings) -> Result<Self, StoreError> {
        open::refuse_links(&settings.path)?;
        let lock = Lock::take(&settings.path)?;
        open::check_space(&settings)?;
        let connection = open::connect(&settings)?;
        Self::over(connection, settings, Some(lock))
    }

    /// Writes through a connection that is open; without a lock, to a file that nobody looks for (yet).
    pub(super) fn over(connection: Connection, settings: Settings, lock: Option<Lock>) -> Result<Self, StoreError> {
        let memory = Memory { next_frame: next_frame(&connection, &settings)?, ..Memory::default() };
        let merge = merge::Progress::start(&connection).map_err(|error| StoreError::of(&settings.path, error))?;
        let frames = Frames::new().map_err(|source| StoreError::CannotOpen { path: settings.path.clone(), source })?;
        let tables = Tables {
            orders: Rows::new(market::ORDERS),
            trades: Rows::new(market::TRADES),
            tickers: Rows::new(market::TICKERS),
        };
        Ok(Self {
            committed: memory.clone(),
            attempted: None,
            merge,
            books: books::Books::default(),
            watch: tidy::Watch::default(),
            memory,
            frames,
            tables,
            place: lock.as_ref().map(|_| Place::of(&settings.path)),
            settings,
            connection,
            _lock: lock,
        })
    }

    /// How it was opened.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Writes a batch into the open group, which it opens if there is none.
    ///
    /// # Errors
    /// If it could not be written; then the whole group is rolled back.
    pub fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.begin()?;
        self.write_batch(batch).map_err(|fault| self.roll_back(fault))
    }

    /// Commits the open group, if there is one.
    ///
    /// # Errors
    /// If that fails; then the whole group is rolled back.
    pub fn commit_group(&mut self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.finish_group().map_err(|fault| self.commit_failed(fault))?;
        self.settle();
        Ok(())
    }

    /// Says that everything received until `until` has been appended. Stored with the open group, else at once.
    ///
    /// # Errors
    /// As for [`Store::write`].
    pub fn mark_durable(&mut self, until: Timestamp) -> Result<(), StoreError> {
        let Some(run) = self.memory.run else { return Ok(()) };
        let mark = "UPDATE run SET durable_at = ?2 WHERE id = ?1 AND durable_at <> ?2";
        let marked = self.connection.prepare_cached(mark).and_then(|mut mark| mark.execute(params![run.0, until.0]));
        marked.map(drop).map_err(|error| {
            if self.connection.is_autocommit() {
                StoreError::of(&self.settings.path, error)
            } else {
                self.roll_back(error.into())
            }
        })
    }

    /// Opens the connection anew after a failed write or sync, keeping what is known of live sessions.
    ///
    /// # Errors
    /// If the file has been moved, or as for [`Store::open`].
    pub fn reopen_file(&mut self) -> Result<(), StoreError> {
        let path = self.settings.path.clone();
        let sqlite = |error| StoreError::of(&path, error);
        self.check_place()?;
        // The old one is closed first, so that the new one recovers the WAL from the file alone.
        self.connection = Connection::open_in_memory().map_err(sqlite)?;
        self.forget_group();
        self.books = books::Books::default();
        self.place.iter_mut().for_each(Place::close);
        self.connection = open::connect(&self.settings)?;
        let next = next_frame(&self.connection, &self.settings)?;
        self.place = Some(Place::of(&path));
        // The failed commit may have reached the file after all.
        if let Some(attempted) = self.attempted.take_if(|attempted| attempted.next_frame == next) {
            self.memory = attempted;
            self.settle();
        }
        if self.memory.next_frame != next {
            let what = format!("record {} would be the next, and it is {next}", self.memory.next_frame);
            return Err(StoreError::Internal { path, what });
        }
        Ok(())
    }

    /// Empties the WAL into the file, if no reader is in the way, and closes it.
    ///
    /// # Errors
    /// If SQLite cannot close it. What was committed stays so.
    pub fn close_file(mut self) -> Result<(), StoreError> {
        self.check_place()?;
        let Self { connection, settings, .. } = self;
        let sqlite = |error| StoreError::of(&settings.path, error);
        connection.busy_timeout(Duration::ZERO).map_err(sqlite)?;
        // Answers with a row that says whether a reader was in the way, which does no harm.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(sqlite)?;
        connection.close().map_err(|(_, error)| sqlite(error))
    }

    /// Leaves the syncs to the system from here on. All that was received is durable, and if the loss of power takes what
    /// follows, the next start finds a run that did not end in order.
    fn sync_no_more(&self) -> Result<(), StoreError> {
        let unsynced = self.connection.pragma_update(None, "synchronous", "NORMAL");
        unsynced.map_err(|error| StoreError::of(&self.settings.path, error))
    }

    /// Closes the file with all that was committed, some of it in the WAL, from where the next start takes it.
    fn close_file_as_it_is(mut self) -> Result<(), StoreError> {
        self.check_place()?;
        let Self { connection, settings, .. } = self;
        let sqlite = |error| StoreError::of(&settings.path, error);
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(sqlite)?;
        connection.close().map_err(|(_, error)| sqlite(error))
    }

    /// Brings the WAL into the file, wherever the two that are open are now. Whether all of it could be.
    pub(super) fn empty_wal(&self) -> bool {
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        // What fails here is what failed already.
        emptied.is_ok_and(|is_in_the_way: bool| !is_in_the_way)
    }

    /// Finds out whether the files at their names are still the open ones. If not, saves what was given to them: the
    /// open group and the WAL are brought into the database file, wherever that is.
    ///
    /// # Errors
    /// If one is not.
    pub fn check_place(&mut self) -> Result<(), StoreError> {
        let Some(place) = &self.place else { return Ok(()) };
        let Some(file) = place.missing().map(Path::to_owned) else { return Ok(()) };
        warn!(file = %file.display(), "was moved, replaced or deleted, saving what was recorded");
        let is_saved = self.commit_group().is_ok() & self.empty_wal();
        self.place.iter().for_each(Place::set_stray_wal_aside);
        let path = self.settings.path.clone();
        Err(if file == path { StoreError::Moved { path } } else { StoreError::Torn { path, file, is_saved } })
    }

    /// The run that records, once it has begun.
    pub(super) fn run(&self) -> Option<RunId> {
        self.memory.run
    }

    /// Whether a group is open.
    pub(super) fn in_group(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        if self.in_group() {
            return Ok(());
        }
        self.check_wal()?;
        let begun = self.connection.prepare_cached("BEGIN IMMEDIATE").and_then(|mut begin| begin.execute([]));
        begun.map(drop).map_err(|error| StoreError::of(&self.settings.path, error))
    }

    fn finish_group(&mut self) -> Written {
        self.tables.flush(&self.connection)?;
        self.frames.flush(&self.connection)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }

    /// What the group did holds.
    fn settle(&mut self) {
        self.memory.sessions.retain(|_, session| !session.ended);
        self.committed = self.memory.clone();
        self.attempted = None;
    }

    /// Undoes the group as far as can be told, and remembers what it did, in case the file has it nevertheless.
    fn commit_failed(&mut self, fault: Fault) -> StoreError {
        self.attempted = Some(self.memory.clone());
        self.roll_back(fault)
    }

    /// Undoes the open group, in the file and in memory.
    fn roll_back(&mut self, fault: Fault) -> StoreError {
        if self.in_group() {
            // Fails only if SQLite has rolled back by itself.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.forget_group();
        match fault {
            Fault::Sqlite(error) => StoreError::of(&self.settings.path, error),
            Fault::Contradiction(what) => StoreError::Internal { path: self.settings.path.clone(), what },
        }
    }

    fn forget_group(&mut self) {
        self.tables.forget();
        self.frames.forget();
        self.memory = self.committed.clone();
    }

    fn write_batch(&mut self, batch: &Batch) -> Written {
        let Self { connection, memory, frames, tables, .. } = self;
        let id = batch.session();
        if let Entry::Vacant(vacant) = memory.sessions.entry(id) {
            vacant.insert(session::recall(connection, id)?);
        }
        let Memory { next_frame, run, sessions, listings } = memory;
        let Some(session) = sessions.get_mut(&id) else { return Ok(()) };
        let stored = match session.next.0.checked_sub(batch.first().0) {
            Some(stored) => (stored as usize).min(batch.len()),
            None => {
                let (next, found) = (session.next, batch.first());
                return Err(Fault::Contradiction(format!("session {id} goes on at {found} instead of {next}")));
            }
        };
        // The number of its first record, if all of them are new.
        let base = *next_frame - stored as i64;
        let first_frame = std::mem::replace(next_frame, base + batch.len() as i64);
        frames::note_span(connection, batch, stored, first_frame, session)?;
        let mut group = Group { connection, tables, run, listings, session, session_id: id, id: 0, at: Timestamp(0) };
        let packed = if batch.len() - stored < RECORDS_BESIDE_MIN {
            group.store_batch(batch, stored, base)?;
            frames.pack(batch, stored, first_frame)
        } else {
            thread::scope(|scope| {
                let packing = scope.spawn(|| frames.pack(batch, stored, first_frame));
                let written = group.store_batch(batch, stored, base);
                let packed = packing.join().unwrap_or_else(|panic| resume_unwind(panic));
                written.map(|()| packed)
            })?
        };
        packed.map_err(frames::no_memory)?;
        frames.store(connection)
    }
}

impl Sink for Store {
    fn append(&mut self, batch: &Batch) -> Result<(), SinkError> {
        Ok(self.write(batch)?)
    }

    fn commit(&mut self) -> Result<(), SinkError> {
        self.commit_group()?;
        // What is in a file that nobody will find is not durable.
        Ok(self.check_place()?)
    }

    fn check(&mut self) -> Result<(), SinkError> {
        Ok(self.check_place()?)
    }

    fn mark(&mut self, until: Timestamp) -> Result<(), SinkError> {
        Ok(self.mark_durable(until)?)
    }

    fn tidy(&mut self) -> Result<Tidied, SinkError> {
        Ok(self.tidy_up()?)
    }

    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(self.reopen_file()?)
    }

    fn close(mut self: Box<Self>, at: Stamp, in_haste: bool) -> Result<(), SinkError> {
        self.commit_group()?;
        if in_haste {
            self.sync_no_more()?;
            self.end_run(at)?;
            return Ok(self.close_file_as_it_is()?);
        }
        self.end_run(at)?;
        self.finish_books()?;
        Ok(self.close_file()?)
    }
}

impl Tables {
    fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.orders.flush(connection)?;
        self.trades.flush(connection)?;
        self.tickers.flush(connection)
    }

    fn forget(&mut self) {
        self.orders.forget();
        self.trades.forget();
        self.tickers.forget();
    }
}

fn next_frame(connection: &Connection, settings: &Settings) -> Result<i64, StoreError> {
    let last = "SELECT first + frames FROM frame_block ORDER BY first DESC LIMIT 1";
    let next = connection.query_row(last, [], |row| row.get(0)).optional();
    Ok(next.map_err(|error| StoreError::of(&settings.path, error))?.unwrap_or(1))
}

/// What the rows of one batch need. The methods that write them are with their tables.
pub(super) struct Group<'a> {
    pub(super) connection: &'a Connection,
    tables: &'a mut Tables,
    pub(super) run: &'a mut Option<RunId>,
    listings: &'a mut memory::Listings,
    session: &'a mut Session,
    session_id: SessionId,
    /// Id of the row of the event at hand.
    pub(super) id: i64,
    /// Arrival of the event at hand.
    pub(super) at: Timestamp,
}

impl Group<'_> {
    /// Stores what was concluded from the records of a batch but the first `stored`. Its first record has the number
    /// `base`.
    fn store_batch(&mut self, batch: &Batch, stored: usize, base: i64) -> Written {
        if self.session_id == SessionId::RECORDER {
            for ((_, record), index) in batch.records().zip(0_i64..).skip(stored) {
                if matches!(record.kind, RecordKind::RunStarted | RecordKind::RunEnded) {
                    self.id = (base + index) << EVENT_BITS;
                    self.at = record.at.wall;
                    run::replay(self, &record)?;
                }
            }
        }
        let mut record = u32::MAX;
        let mut place = 0;
        for (of, event) in batch.events() {
            if *of != record {
                (record, place) = (*of, 0);
            }
            let index = record as usize;
            // What follows from stored records is stored and remembered.
            if index < stored || place >= EVENTS_PER_FRAME_MAX {
                continue;
            }
            self.id = ((base + i64::from(record)) << EVENT_BITS) | place;
            // Where sums are stated depends on where batches end, which must not show in the rows.
            place += i64::from(!event.is_sum());
            self.at = batch.heads()[index].at.wall;
            self.store(event)?;
        }
        Ok(())
    }

    fn store(&mut self, event: &Event) -> Written {
        match event {
            Event::Order(order) => self.order(order),
            Event::Trade(trade) => self.trade(trade),
            Event::Ticker(ticker) => self.ticker(ticker),
            Event::BookSnapshot(snapshot) => self.book_snapshot(snapshot, false),
            Event::Look(snapshot) => self.book_snapshot(snapshot, true),
            Event::Levels(levels) => self.levels(levels),
            Event::Estimate(estimate) => self.estimate(estimate),
            Event::Control(control) => self.control(control),
            Event::Balance(balance) => self.balance(balance),
            Event::TradeVolume(volume) => self.trade_volume(volume),
            Event::OwnOrders(orders) => self.own_orders(orders),
            Event::Account(event) => self.order_reply(event),
            Event::Market(market, listed) => self.declare_market(*market, listed),
            Event::Stream(stream, key, nature) => self.declare_stream(*stream, key, nature),
            Event::Catalog(catalog) => self.catalog(catalog),
            Event::Session(change) => self.session(change),
            Event::Subscription(change) => self.subscription(change),
            Event::Transition(transition) => self.transition(transition),
            Event::Command(command) => self.command(command),
            Event::Reply(reply) => self.reply(reply),
            Event::Finding(finding) => self.finding(finding),
            Event::NotUnderstood(what) => self.not_understood(what),
        }
    }

    /// Number of the frame of the event at hand.
    pub(super) fn frame(&self) -> i64 {
        self.id >> EVENT_BITS
    }

    fn market(&self, market: MarketRef) -> Result<Market, Fault> {
        self.session.market(market).ok_or_else(|| self.undeclared("market", market.0))
    }

    fn stream(&self, stream: StreamRef) -> Result<Stream, Fault> {
        self.session.stream(stream).ok_or_else(|| self.undeclared("stream", stream.0))
    }

    fn source(&self) -> Result<i64, Fault> {
        let unknown = || Fault::Contradiction(format!("session {} has not said its source", self.session_id));
        self.session.source.ok_or_else(unknown)
    }

    fn undeclared(&self, what: &str, number: u32) -> Fault {
        Fault::Contradiction(format!("session {} has not declared its {what} {number}", self.session_id))
    }

    /// The integer for a column; a number that is none goes to table `exact`.
    fn number<N: AsRef<Number>>(&self, field: &'static str, number: Option<&N>) -> Result<Option<i64>, Fault> {
        self.number_at(0, field, number)
    }

    /// As [`Group::number`], for row `n` of a list.
    fn number_at<N: AsRef<Number>>(
        &self,
        n: usize,
        field: &'static str,
        number: Option<&N>,
    ) -> Result<Option<i64>, Fault> {
        match number.map(AsRef::as_ref) {
            None => Ok(None),
            Some(Number::Scaled(value)) => Ok(Some(*value)),
            Some(Number::Text(text)) => {
                self.exact(n, field, text)?;
                Ok(None)
            }
        }
    }

    fn exact(&self, n: usize, field: &'static str, value: &str) -> Written {
        let insert = "INSERT INTO exact (id, n, field, value) VALUES (?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![self.id, n as i64, field, value])?;
        Ok(())
    }

    /// Arrival less the venue's time. A time so absurd that this exceeds 64 bits goes to table `exact`, in ns.
    fn age(&self, time: Option<Timestamp>) -> Result<Option<i64>, Fault> {
        let Some(time) = time else { return Ok(None) };
        let age = self.at.0.checked_sub(time.0);
        if age.is_none() {
            self.exact(0, "time", &time.0.to_string())?;
        }
        Ok(age)
    }
}

/// A session declares its markets and streams one after the other.
fn skipped(what: &str, number: u32) -> Fault {
    Fault::Contradiction(format!("{what} {number} is declared before those ahead of it"))
}

fn int(id: Option<&Id>) -> Option<i64> {
    id.and_then(Id::as_int)
}

fn text(id: Option<&Id>) -> Option<&str> {
    id.and_then(Id::as_text)
}

/// Whether a tonce was present, and its value.
fn tonce(tonce: &Patch<i64>) -> (bool, Option<i64>) {
    (tonce.is_present(), tonce.value().copied())
}

#[cfg(test)]
mod tests;
