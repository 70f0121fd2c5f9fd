//! Opening a database to read it: while it is recorded, and where nothing may be written.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::place::{WAL, beside, resolved};
use super::{SCHEMA_VERSION, StoreError, migrate};

/// How long to wait for a lock: recorders hold none that keeps readers out, but recovery after a crash does.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(5);

const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// A database open for reading.
#[derive(Debug)]
pub struct Reader {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
}

impl Reader {
    /// Opens a database that this program's schema is in.
    ///
    /// SQLite reads beside the file (-wal, -shm), and makes those files if it must. Where it may not, and there is
    /// nothing in a -wal, the file is read by itself.
    ///
    /// # Errors
    /// If there is no such file, it is foreign, newer, older, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (reader, found) = Self::open_known(path)?;
        if found < SCHEMA_VERSION {
            return Err(StoreError::Older { path: path.to_owned(), found, known: SCHEMA_VERSION });
        }
        Ok(reader)
    }

    /// Opens a database of this program's schema or an older one, as it is at this instant, whatever is recorded
    /// meanwhile. Says which schema it is.
    ///
    /// As long as this lives, a recorder cannot empty its WAL.
    ///
    /// # Errors
    /// If there is no such file, it is foreign, newer, or it cannot be read.
    pub fn open_at_this_instant(path: &Path) -> Result<(Self, i64), StoreError> {
        let (reader, found) = Self::open_known(path)?;
        // The instant is that of the first reading within the transaction.
        let begin = "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1";
        reader.connection.execute_batch(begin).map_err(|error| reader.fault(error))?;
        Ok((reader, found))
    }

    fn open_known(path: &Path) -> Result<(Self, i64), StoreError> {
        match fs::metadata(path) {
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path: path.to_owned(), source });
            }
            Ok(found) if found.is_dir() => {
                return Err(StoreError::Foreign { path: path.to_owned(), what: "a folder".to_owned() });
            }
            _ => {}
        }
        let opened = Self::connect(path, path, FLAGS);
        let reader = match opened {
            Err(StoreError::Io { .. }) if has_wal(path) => Err(StoreError::Unsettled { path: path.to_owned() }),
            Err(StoreError::Io { .. }) => {
                Self::connect(path, Path::new(&immutable(path)), FLAGS | OpenFlags::SQLITE_OPEN_URI)
            }
            opened => opened,
        }?;
        match migrate::check(path, &reader.connection)? {
            0 => Err(StoreError::Foreign { path: path.to_owned(), what: "an empty database".to_owned() }),
            found => Ok((reader, found)),
        }
    }

    /// Opens and reads a little, because SQLite tells only then what it cannot do.
    fn connect(path: &Path, name: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let sqlite = |error| StoreError::of(path, error);
        let connection = Connection::open_with_flags(name, flags).map_err(sqlite)?;
        connection.busy_timeout(BUSY_WAIT_MAX).map_err(sqlite)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(sqlite)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    /// What SQLite said, with the file's name.
    pub(super) fn fault(&self, error: rusqlite::Error) -> StoreError {
        StoreError::of(&self.path, error)
    }
}

fn has_wal(path: &Path) -> bool {
    fs::metadata(beside(&resolved(path), WAL)).is_ok_and(|wal| wal.len() > 0)
}

/// The URI by which SQLite reads the file by itself, without locks.
fn immutable(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            // Writing to a String does not fail.
            _ => drop(write!(uri, "%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_with_everything_unusual_escaped() {
        assert_eq!(immutable(Path::new("/a b/?x#y%é.db")), "file:/a%20b/%3fx%23y%25%c3%a9.db?immutable=1");
    }

    #[test]
    fn a_file_has_a_wal_if_something_is_in_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("tape.db");
        assert!(!has_wal(&path));
        fs::write(folder.path().join("tape.db-wal"), "").unwrap();
        assert!(!has_wal(&path));
        fs::write(folder.path().join("tape.db-wal"), "x").unwrap();
        assert!(has_wal(&path));
    }
}
