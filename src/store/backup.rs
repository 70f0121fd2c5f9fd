//! A copy of a database, safe while it is being recorded.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::part::Part;
use super::reader::Reader;

/// Pages copied at a time.
const PAGES_PER_STEP: std::os::raw::c_int = 4096;

/// Pause after a step that found the database busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Copies the database `from` to the new file `to`, as it is at one instant.
///
/// The copy is written beside `to` and takes its name when it is whole. It needs no -wal. While it runs, the recorder's
/// WAL grows, since a reader holds it.
///
/// # Errors
/// If `from` is no database of ours, if there is a file `to` already, or if reading or writing failed.
pub fn backup(from: &Path, to: &Path) -> Result<(), StoreError> {
    let part = Part::create(to)?;
    copy(from, part.path())?;
    part.finish()
}

fn copy(from: &Path, part: &Path) -> Result<(), StoreError> {
    let write = |error| StoreError::of(part, error);
    // One instant for the whole copy: otherwise every commit of the recorder would start it anew.
    let (source, _) = Reader::open_at_this_instant(from)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part, flags).map_err(write)?;
    Backup::new(&source.connection, &mut copy)
        .and_then(|backup| backup.run_to_completion(PAGES_PER_STEP, PAUSE, None))
        .map_err(write)?;
    copy.pragma_update(None, "journal_mode", "DELETE").map_err(write)?;
    copy.close().map_err(|(_, error)| write(error))
}

#[cfg(test)]
mod tests;
