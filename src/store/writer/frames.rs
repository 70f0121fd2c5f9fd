//! The journal: numbers records, packs them into blocks, and notes where each session's lie.

use std::io;

use rusqlite::{Connection, OptionalExtension, params};

use crate::journal::Batch;
use crate::journal::block::{Builder, CODEC_ZSTD, Compressor};
use crate::model::{Seq, SessionId, Timestamp};

use super::Written;
use super::memory::Session;

/// A block is closed when its bodies have this many bytes. Memory and what a reader must decompress for one
/// frame grow with it; compression gains little beyond.
const BLOCK_BYTES: usize = 1 << 20;

/// Compression of live blocks: the fastest level that is worth its time at a million messages a second.
const LEVEL: i32 = 1;

/// Inserts a block; shared with the merging of small ones.
pub(in crate::store) const INSERT_BLOCK: &str = "INSERT INTO frame_block \
     (first, frames, from_at, to_at, raw_bytes, codec, body) VALUES (?, ?, ?, ?, ?, ?, ?)";

/// The records of the open group that are in no stored block yet.
pub(super) struct Frames {
    block: Builder,
    first: i64,
    compressor: Compressor,
    /// Blocks that are full, to be stored.
    packed: Vec<Packed>,
}

impl Frames {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { block: Builder::default(), first: 0, compressor: Compressor::new(LEVEL)?, packed: Vec::new() })
    }

    /// Packs the records of a batch but the first `stored`, numbering them from `first_frame`. This needs no database,
    /// so it can be done while rows are inserted.
    pub(super) fn pack(&mut self, batch: &Batch, stored: usize, first_frame: i64) -> io::Result<()> {
        for ((seq, record), frame) in batch.records().skip(stored).zip(first_frame..) {
            if self.block.is_empty() {
                self.first = frame;
            }
            self.block.push(batch.session(), seq, &record);
            if self.block.bodies_bytes() >= BLOCK_BYTES {
                self.packed.push(Packed::new(self.first, &mut self.block, &mut self.compressor)?);
            }
        }
        Ok(())
    }

    /// Stores the blocks that are full.
    pub(super) fn store(&mut self, connection: &Connection) -> Written {
        for block in self.packed.drain(..) {
            block.insert(connection)?;
        }
        Ok(())
    }

    /// Stores everything.
    pub(super) fn flush(&mut self, connection: &Connection) -> Written {
        self.store(connection)?;
        if !self.block.is_empty() {
            insert_block(connection, self.first, &mut self.block, &mut self.compressor)?;
        }
        Ok(())
    }

    /// Forgets what is gathered: its group was rolled back.
    pub(super) fn forget(&mut self) {
        self.block.clear();
        self.packed.clear();
    }
}

/// Notes where the records of a batch but the first `stored` lie, the first of these at `first_frame`.
pub(super) fn note_span(
    connection: &Connection,
    batch: &Batch,
    stored: usize,
    first_frame: i64,
    session: &mut Session,
) -> Written {
    let records = (batch.len() - stored) as i64;
    if records == 0 {
        return Ok(());
    }
    let span = match session.span {
        Some((seq, frame, length)) if frame + length == first_frame => (seq, frame, length + records),
        _ => (session.next, first_frame, records),
    };
    let upsert = "INSERT INTO frame_span (session, first_seq, frames, first_frame) VALUES (?1, ?2, ?3, ?4) \
         ON CONFLICT DO UPDATE SET frames = ?3";
    let (seq, frame, length) = span;
    let row = params![batch.session().0, seq.0 as i64, length, frame];
    connection.prepare_cached(upsert)?.execute(row)?;
    session.span = Some(span);
    session.next = Seq(session.next.0 + records as u64);
    Ok(())
}

/// The place that the next record of a session has.
pub(in crate::store) fn next_seq(connection: &Connection, session: SessionId) -> rusqlite::Result<Seq> {
    let last = "SELECT first_seq + frames FROM frame_span WHERE session = ? ORDER BY first_seq DESC LIMIT 1";
    let next: Option<i64> = connection.prepare_cached(last)?.query_row([session.0], |row| row.get(0)).optional()?;
    Ok(Seq(next.unwrap_or(0) as u64))
}

/// The number of the record at a place of a session, if it is stored.
pub(super) fn frame_of(connection: &Connection, session: SessionId, seq: Seq) -> rusqlite::Result<Option<i64>> {
    let span = "SELECT first_frame + ?2 - first_seq FROM frame_span WHERE session = ?1 AND first_seq <= ?2 \
             AND ?2 < first_seq + frames ORDER BY first_seq DESC LIMIT 1";
    connection.prepare_cached(span)?.query_row(params![session.0, seq.0 as i64], |row| row.get(0)).optional()
}

/// Stores a block and empties its builder.
pub(in crate::store) fn insert_block(
    connection: &Connection,
    first: i64,
    block: &mut Builder,
    compressor: &mut Compressor,
) -> rusqlite::Result<()> {
    Packed::new(first, block, compressor).map_err(no_memory)?.insert(connection)
}

/// What SQLite would say of it.
pub(super) fn no_memory(error: io::Error) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(error.into())
}

/// A row of `frame_block`.
struct Packed {
    first: i64,
    frames: i64,
    arrivals: (Timestamp, Timestamp),
    raw_bytes: i64,
    body: Vec<u8>,
}

impl Packed {
    /// Compresses a block and empties its builder.
    fn new(first: i64, block: &mut Builder, compressor: &mut Compressor) -> io::Result<Self> {
        let (frames, arrivals, raw_bytes) = (block.len() as i64, block.arrivals(), block.bodies_bytes() as i64);
        let body = compressor.compress(block.finish())?.to_vec();
        block.clear();
        Ok(Self { first, frames, arrivals, raw_bytes, body })
    }

    fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Self { first, frames, arrivals: (from, to), raw_bytes, body } = self;
        let row = params![first, frames, from.0, to.0, raw_bytes, CODEC_ZSTD, body];
        connection.prepare_cached(INSERT_BLOCK)?.execute(row)?;
        Ok(())
    }
}
