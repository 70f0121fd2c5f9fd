//! Reading the journal: single records by their number, and whole stretches in order.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

use rusqlite::{OptionalExtension, params};

use crate::journal::block::{self, Block};
use crate::journal::{Record, RecordKind};
use crate::model::{Seq, SessionId, Stamp, Timestamp};

use super::StoreError;
use super::reader::Reader;

/// Blocks kept after decompression for the records asked for next.
const BLOCKS_KEPT_MAX: usize = 4;

/// A record of the journal with its number in the file and its place in its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Number, unique in the file: what typed rows name.
    pub number: i64,
    /// The session.
    pub session: SessionId,
    /// Its place there.
    pub seq: Seq,
    /// The record itself.
    pub record: Record<'a>,
}

/// Which records to read.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of this session only.
    pub session: Option<SessionId>,
    /// Made at this time or later.
    pub from: Option<Timestamp>,
    /// Made before this time.
    pub to: Option<Timestamp>,
    /// Of these kinds only; empty: of all.
    pub kinds: Vec<RecordKind>,
}

impl Selection {
    fn wants(&self, session: SessionId, record: &Record<'_>) -> bool {
        self.session.is_none_or(|wanted| wanted == session)
            && self.from.is_none_or(|from| record.at.wall >= from)
            && self.to.is_none_or(|to| record.at.wall < to)
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind))
    }
}

/// Reads records, through a connection of its own.
pub struct Frames {
    reader: Reader,
    blocks: block::Reader,
    kept: VecDeque<Kept>,
}

impl Frames {
    /// Opens a database.
    ///
    /// # Errors
    /// As for [`Reader::open`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::of(Reader::open(path)?)
    }

    /// Reads through a connection that is open.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn of(reader: Reader) -> Result<Self, StoreError> {
        let blocks = block::Reader::new()
            .map_err(|error| StoreError::Internal { path: reader.path.clone(), what: error.to_string() })?;
        Ok(Self { reader, blocks, kept: VecDeque::new() })
    }

    /// The connection.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The record of that number, if there is one.
    ///
    /// # Errors
    /// If reading fails, or its block is damaged.
    pub fn get(&mut self, number: i64) -> Result<Option<Frame<'_>>, StoreError> {
        let known = self.kept.iter().position(|kept| kept.numbers().contains(&number));
        match known {
            Some(place) => {
                if let Some(kept) = self.kept.remove(place) {
                    self.kept.push_front(kept);
                }
            }
            None => match self.load(number)? {
                Some(kept) => {
                    self.kept.truncate(BLOCKS_KEPT_MAX - 1);
                    self.kept.push_front(kept);
                }
                None => return Ok(None),
            },
        }
        Ok(self.kept.front().and_then(|kept| kept.get(number)))
    }

    fn load(&mut self, number: i64) -> Result<Option<Kept>, StoreError> {
        let Self { reader, blocks, .. } = self;
        let sql = "SELECT first, codec, raw_bytes, body FROM frame_block WHERE first <= ? ORDER BY first DESC LIMIT 1";
        let mut statement = reader.connection.prepare_cached(sql).map_err(|error| reader.fault(error))?;
        let row = |row: &rusqlite::Row<'_>| {
            let first = row.get(0)?;
            let block = blocks.read(row.get(1)?, row.get(2)?, row.get_ref(3)?.as_blob()?);
            Ok(block
                .map(|block| Kept::new(first, &block))
                .map_err(|error| StoreError::of_block(&reader.path, first, &error)))
        };
        let kept = statement.query_row([number], row).optional().map_err(|error| reader.fault(error))?.transpose()?;
        Ok(kept.filter(|kept| kept.numbers().contains(&number)))
    }

    /// The number of the last record; 0 if there is none.
    ///
    /// # Errors
    /// If reading fails.
    pub fn last(&self) -> Result<i64, StoreError> {
        let last = "SELECT coalesce(max(first) + (SELECT frames FROM frame_block ORDER BY first DESC LIMIT 1) - 1, 0)
            FROM frame_block";
        self.reader.connection.query_row(last, [], |row| row.get(0)).map_err(|error| self.reader.fault(error))
    }

    /// Reads the selected records in the order of their numbers, until `visit` fails.
    ///
    /// # Errors
    /// If reading fails, a block is damaged, or `visit` fails.
    pub fn read<E: From<StoreError>>(
        &mut self,
        selection: &Selection,
        mut visit: impl FnMut(Frame<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { reader, blocks, .. } = self;
        let fault = |error| reader.fault(error);
        // The numbers of a session's records lie in this range, others' between them.
        let sql = "SELECT first, codec, raw_bytes, body FROM frame_block
            WHERE (?1 IS NULL OR first + frames > (SELECT min(first_frame) FROM frame_span WHERE session = ?1))
                AND (?1 IS NULL OR first <= (SELECT max(first_frame + frames) FROM frame_span WHERE session = ?1))
                AND (?2 IS NULL OR to_at >= ?2) AND (?3 IS NULL OR from_at < ?3)
            ORDER BY first";
        let mut statement = reader.connection.prepare(sql).map_err(fault)?;
        let [from, to] = [selection.from, selection.to].map(|time| time.map(|time| time.0));
        let session = selection.session.map(|session| session.0);
        let mut rows = statement.query(params![session, from, to]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let first: i64 = row.get(0).map_err(fault)?;
            let column = |n| row.get(n).map_err(fault);
            let body = row.get_ref(3).and_then(|body| Ok(body.as_blob()?)).map_err(fault)?;
            let block = blocks.read(column(1)?, column(2)?, body);
            let block = block.map_err(|error| StoreError::of_block(&reader.path, first, &error))?;
            for (number, (session, seq, record)) in (first..).zip(block.records()) {
                if selection.wants(session, &record) {
                    visit(Frame { number, session, seq, record })?;
                }
            }
        }
        Ok(())
    }
}

/// A block's records, found by number.
struct Kept {
    first: i64,
    heads: Vec<(SessionId, Seq, RecordKind, Stamp, Range<usize>)>,
    bodies: Vec<u8>,
}

impl Kept {
    fn new(first: i64, block: &Block<'_>) -> Self {
        let mut kept = Self { first, heads: Vec::with_capacity(block.len()), bodies: Vec::new() };
        for (session, seq, record) in block.records() {
            let start = kept.bodies.len();
            kept.bodies.extend_from_slice(record.body);
            kept.heads.push((session, seq, record.kind, record.at, start..kept.bodies.len()));
        }
        kept
    }

    fn numbers(&self) -> Range<i64> {
        self.first..self.first.saturating_add(self.heads.len() as i64)
    }

    fn get(&self, number: i64) -> Option<Frame<'_>> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let (session, seq, kind, at, body) = self.heads.get(index)?.clone();
        Some(Frame { number, session, seq, record: Record { kind, at, body: &self.bodies[body] } })
    }
}
