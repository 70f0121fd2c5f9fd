//! What the writer does while it has time: look after its file, take events into books, and merge small blocks.

use std::fs;
use std::time::Duration;

use tracing::warn;

use crate::sink::Tidied;

use super::place::{self, beside};
use super::{Store, StoreError, open};

/// A WAL larger than this, or than half of what it may have, means that somebody keeps it from being emptied.
const WAL_BYTES_USUAL_MAX: u64 = 256 << 20;

/// What is watched, and what was warned of and still holds.
pub struct Watch {
    wal_bytes_max: u64,
    wal_is_long: bool,
    space_is_low: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Self { wal_bytes_max: u64::MAX, wal_is_long: false, space_is_low: false }
    }
}

impl Store {
    /// Writes nothing while the WAL is longer than this, in bytes, and cannot be emptied.
    pub fn limit_wal(&mut self, bytes_max: u64) {
        self.watch.wal_bytes_max = bytes_max;
    }

    /// Refuses to make a WAL longer that is too long already, and that a reader keeps from being emptied. Warns before.
    pub(super) fn check_wal(&mut self) -> Result<(), StoreError> {
        let bytes = self.wal_bytes();
        if bytes > self.usual_wal_bytes_max() && !self.watch.wal_is_long {
            self.shorten_wal()?;
        }
        if bytes <= self.watch.wal_bytes_max {
            return Ok(());
        }
        self.empty_wal();
        match self.wal_bytes() {
            bytes if bytes > self.watch.wal_bytes_max => {
                Err(StoreError::LongWal { path: self.settings.path.clone(), bytes })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the file has room, takes some events into books, or else merges some small blocks.
    ///
    /// # Errors
    /// If what was to be done failed.
    pub fn tidy_up(&mut self) -> Result<Tidied, StoreError> {
        self.warn_of_low_space();
        self.shorten_wal()?;
        let wal_bytes = self.wal_bytes();
        self.check_wal()?;
        let has_more = self.books_step()? || self.merge_step()?;
        Ok(Tidied { has_more, wal_bytes })
    }

    /// Size of the -wal file; only asked for, never opened.
    fn wal_bytes(&self) -> u64 {
        fs::metadata(beside(&self.settings.path, place::WAL)).map_or(0, |found| found.len())
    }

    fn usual_wal_bytes_max(&self) -> u64 {
        WAL_BYTES_USUAL_MAX.min(self.watch.wal_bytes_max / 2)
    }

    /// Empties a WAL that is long, or warns of who keeps it from that.
    fn shorten_wal(&mut self) -> Result<(), StoreError> {
        let bytes = self.wal_bytes();
        let is_long = bytes > self.usual_wal_bytes_max() && !self.empty_wal_at_once()?;
        if is_long && !self.watch.wal_is_long {
            let database = self.settings.path.display();
            warn!(%database, wal_bytes = bytes, "the WAL cannot be emptied, a reader holds an old snapshot: end its transaction");
        }
        self.watch.wal_is_long = is_long;
        Ok(())
    }

    /// Does not wait for readers.
    fn empty_wal_at_once(&self) -> Result<bool, StoreError> {
        let wait =
            |time| self.connection.busy_timeout(time).map_err(|error| StoreError::of(&self.settings.path, error));
        wait(Duration::ZERO)?;
        let is_emptied = self.empty_wal();
        wait(open::BUSY_WAIT_MAX)?;
        Ok(is_emptied)
    }

    fn warn_of_low_space(&mut self) {
        let low = open::check_space(&self.settings).err();
        if let (Some(error), false) = (&low, self.watch.space_is_low) {
            warn!(%error, "recording goes on until the disk is full");
        }
        self.watch.space_is_low = low.is_some();
    }
}

#[cfg(test)]
mod tests;
