//! The journal: numbers records, packs them into blocks, and notes where each session's lie.

use std::io;

use rusqlite::{Connection, OptionalExtension, params};

use crate::journal::Batch;
use crate::journal::block::{Builder, CODEC_ZSTD, Compressor};
use crate::model::{Seq, SessionId};

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
}

impl Frames {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { block: Builder::default(), first: 0, compressor: Compressor::new(LEVEL)? })
    }

    /// Appends the records of a batch but the first `stored`, numbering them from `next_frame`.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        batch: &Batch,
        stored: usize,
        next_frame: &mut i64,
        session: &mut Session,
    ) -> Written {
        let records = (batch.len() - stored) as i64;
        if records == 0 {
            return Ok(());
        }
        let first_frame = *next_frame;
        for (seq, record) in batch.records().skip(stored) {
            if self.block.is_empty() {
                self.first = *next_frame;
            }
            self.block.push(batch.session(), seq, &record);
            *next_frame += 1;
            if self.block.bodies_bytes() >= BLOCK_BYTES {
                self.flush(connection)?;
            }
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

    /// Stores what is gathered as a block.
    pub(super) fn flush(&mut self, connection: &Connection) -> Written {
        if self.block.is_empty() {
            return Ok(());
        }
        insert_block(connection, self.first, &mut self.block, &mut self.compressor)?;
        Ok(())
    }

    /// Forgets what is gathered: its group was rolled back.
    pub(super) fn forget(&mut self) {
        self.block.clear();
    }
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
    let (frames, bytes, (from, to)) = (block.len() as i64, block.bodies_bytes() as i64, block.arrivals());
    let body = compressor.compress(block.finish());
    let body = body.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let row = params![first, frames, from.0, to.0, bytes, CODEC_ZSTD, body];
    connection.prepare_cached(INSERT_BLOCK)?.execute(row)?;
    block.clear();
    Ok(())
}
