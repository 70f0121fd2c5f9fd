//! Merging of small blocks: at a few messages a second every commit leaves a block of its own, which compresses badly.
//!
//! Blocks that follow each other become one; the numbers of their records stay.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::journal::block::{Builder, Compressor, Reader};

use super::writer::insert_block;
use super::{Store, StoreError};

/// Blocks whose bodies have fewer bytes than this are merged.
const SMALL_BYTES: i64 = 128 << 10;

/// A merged block is closed when its bodies have this many bytes.
const MERGED_BYTES: i64 = 256 << 10;

/// Blocks that one step merges at most, which bounds how long a commit waits for it.
const BLOCKS_PER_STEP_MAX: usize = 256;

/// Compression of merged blocks: they are few, and there is time.
const LEVEL: i32 = 9;

/// How far merging has come.
pub struct Progress {
    /// Blocks before this one are not looked at (again).
    from: i64,
    builder: Builder,
    /// Made when first needed: a recorder at full speed never merges.
    context: Option<(Reader, Compressor)>,
}

impl Progress {
    /// Starts after the last block that is not small.
    pub(super) fn start(connection: &Connection) -> rusqlite::Result<Self> {
        let last = "SELECT first + frames FROM frame_block WHERE raw_bytes >= ? ORDER BY first DESC LIMIT 1";
        let from = connection.query_row(last, [SMALL_BYTES], |row| row.get(0)).optional()?;
        Ok(Self { from: from.unwrap_or(0), builder: Builder::default(), context: None })
    }
}

/// Small blocks that follow each other.
#[derive(Default)]
struct Blocks {
    first: i64,
    /// The number after their last record.
    end: i64,
    count: usize,
    bytes: i64,
    /// Whether they are all that can be merged: others will not be added to them.
    is_closed: bool,
}

impl Store {
    /// Merges some small blocks, if there are enough of them. Says whether there may be more to do at once.
    ///
    /// # Errors
    /// If reading or writing failed. A damaged block is told once and then left as it is.
    pub fn merge_step(&mut self) -> Result<bool, StoreError> {
        if self.in_group() {
            return Ok(false);
        }
        let blocks = small_blocks(&self.connection, self.merge.from);
        let blocks = blocks.map_err(|error| StoreError::of(&self.settings.path, error))?;
        if !blocks.is_closed {
            return Ok(false);
        }
        // With too many for one step they stay small, and more are added to them by the next.
        let is_done = blocks.count < 2 || blocks.count < BLOCKS_PER_STEP_MAX || blocks.bytes >= MERGED_BYTES;
        if is_done {
            self.merge.from = blocks.end;
        }
        if blocks.count >= 2 {
            self.merge_blocks(&blocks).inspect_err(|error| match error {
                StoreError::Corrupt { .. } => self.merge.from = blocks.end,
                _ => self.merge.from = blocks.first,
            })?;
        }
        Ok(true)
    }

    fn merge_blocks(&mut self, blocks: &Blocks) -> Result<(), StoreError> {
        let path = &self.settings.path;
        let sqlite = |error| StoreError::of(path, error);
        let memory = |source| StoreError::CannotOpen { path: path.clone(), source };
        let Progress { builder, context, .. } = &mut self.merge;
        let (reader, compressor) = match context {
            Some(context) => context,
            None => context.insert((Reader::new().map_err(memory)?, Compressor::new(LEVEL).map_err(memory)?)),
        };
        builder.clear();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
        let select =
            "SELECT first, codec, raw_bytes, body FROM frame_block WHERE first >= ? AND first < ? ORDER BY first";
        {
            let mut select = transaction.prepare_cached(select).map_err(sqlite)?;
            let mut rows = select.query([blocks.first, blocks.end]).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                let first: i64 = row.get(0).map_err(sqlite)?;
                let body = row.get_ref(3).map_err(sqlite)?.as_blob().unwrap_or_default();
                let (codec, raw_bytes) = (row.get(1).map_err(sqlite)?, row.get(2).map_err(sqlite)?);
                let block = reader.read(codec, raw_bytes, body);
                let block = block.map_err(|error| StoreError::of_block(path, first, &error))?;
                for (session, seq, record) in block.records() {
                    builder.push(session, seq, &record);
                }
            }
        }
        if builder.len() as i64 != blocks.end - blocks.first {
            let what = format!("frame_block {}: the blocks after it are not as long as they say", blocks.first);
            return Err(StoreError::Corrupt { path: path.clone(), what });
        }
        let write = || -> rusqlite::Result<()> {
            let delete = "DELETE FROM frame_block WHERE first >= ? AND first < ?";
            transaction.prepare_cached(delete)?.execute(params![blocks.first, blocks.end])?;
            insert_block(&transaction, blocks.first, builder, compressor)
        };
        let mut write = write;
        write().map_err(sqlite)?;
        transaction.commit().map_err(sqlite)
    }
}

/// The first small blocks from `from` on.
fn small_blocks(connection: &Connection, from: i64) -> rusqlite::Result<Blocks> {
    let mut found = Blocks { first: from, end: from, ..Blocks::default() };
    let select = "SELECT first, frames, raw_bytes FROM frame_block WHERE first >= ? ORDER BY first LIMIT ?";
    let mut select = connection.prepare_cached(select)?;
    let mut rows = select.query(params![from, BLOCKS_PER_STEP_MAX as i64 + 1])?;
    while let Some(row) = rows.next()? {
        let (first, frames, bytes): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let is_small = bytes < SMALL_BYTES;
        if found.count == BLOCKS_PER_STEP_MAX || (found.count > 0 && (!is_small || first != found.end)) {
            found.is_closed = true;
            break;
        }
        if found.count == 0 {
            found.first = first;
        }
        found.end = first + frames;
        found.count += 1;
        found.bytes += bytes;
        if !is_small || found.bytes >= MERGED_BYTES {
            found.is_closed = true;
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
