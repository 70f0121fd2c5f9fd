//! What can be wrong with a database.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::exit::Exit;
use crate::journal::block::BlockError;
use crate::sink::SinkError;

/// Why a database cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// It is somebody else's database, or no database at all.
    #[error("{path} is not a feedtape database ({what}), name another file")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// What it has of a source is of another venue.
    #[error("{path} has source `{name}` as one of venue {found}, give that of venue {wanted} another name")]
    OtherVenue {
        /// The file.
        path: PathBuf,
        /// The source's name.
        name: String,
        /// Its venue in the file.
        found: String,
        /// The venue it is to have.
        wanted: String,
    },
    /// A newer feedtape wrote it.
    #[error("{path} has schema version {found}, this feedtape knows versions up to {known}, use a newer one")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// An older feedtape wrote it.
    #[error(
        "{path} has schema version {found}, this feedtape reads version {known}, \
         bring it up to date with `feedtape rebuild`, or by recording into it"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The version this program reads.
        known: i64,
    },
    /// Part of it is in its -wal, which cannot be read without writing beside it.
    #[error("{path} has a -wal, and its folder cannot be written to, copy both to a folder of yours")]
    Unsettled {
        /// The file.
        path: PathBuf,
    },
    /// Another recorder records into it.
    #[error("another recorder holds {lock}, stop it or record into another file")]
    Locked {
        /// The lock file.
        lock: PathBuf,
    },
    /// Another program holds SQLite's lock.
    #[error("another program is writing to {path}, end its transaction")]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It is a symbolic link.
    #[error("{path} is a symbolic link, name the file that it leads to")]
    SymbolicLink {
        /// The link.
        path: PathBuf,
    },
    /// It has several names.
    #[error("{path} has {names} names (hard links), and what is kept beside it only one, remove the others")]
    HardLinks {
        /// One of them.
        path: PathBuf,
        /// How many there are.
        names: u64,
    },
    /// No space is left.
    #[error("no space is left for {path}, free some")]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// A reader keeps the WAL from being emptied.
    #[error("the WAL of {path} has {bytes} bytes, and a reader keeps it from being emptied, end its transaction")]
    LongWal {
        /// The file.
        path: PathBuf,
        /// The WAL's size.
        bytes: u64,
    },
    /// Less space is left than the configuration wants.
    #[error("{free} bytes are free for {path}, min_free_space wants {wanted}, free some or lower it")]
    LowSpace {
        /// The file.
        path: PathBuf,
        /// Bytes available.
        free: u64,
        /// Bytes wanted.
        wanted: u64,
    },
    /// Its content is damaged.
    #[error("{path} is damaged ({what}), restore a backup or move it away with its -wal and -shm")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What shows it.
        what: String,
    },
    /// It was moved, replaced or deleted while it was open.
    #[error("{path} was moved, replaced or deleted while it was recorded into, start again to record into a new file")]
    Moved {
        /// Where it was.
        path: PathBuf,
    },
    /// What SQLite keeps beside it was moved, replaced or deleted while it was open.
    #[error("{file} was moved, replaced or deleted while {path} was recorded into, {}, start again", saved(*.is_saved))]
    Torn {
        /// The database.
        path: PathBuf,
        /// Its -wal or -shm.
        file: PathBuf,
        /// Whether all that was committed could be brought into the database.
        is_saved: bool,
    },
    /// Reading or writing failed.
    #[error("{path} cannot be read or written: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// There is no such file.
    #[error("{path} cannot be found: {source}")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It cannot be made or opened.
    #[error("{path} cannot be made or opened: {source}")]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite is too old.
    #[error("SQLite {found} can lose commits (its WAL-reset defect), 3.51.3 or later is needed")]
    SqliteTooOld {
        /// Its version.
        found: &'static str,
    },
    /// A defect of ours: SQLite did not accept what it was told, or a batch contradicts itself.
    #[error("writing to {path} failed: {what}, this is a defect of feedtape")]
    Internal {
        /// The file.
        path: PathBuf,
        /// What it says.
        what: String,
    },
}

impl StoreError {
    /// Sorts what SQLite said of `path`.
    #[must_use]
    pub fn of(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        if let rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::Utf8Error(..) = error
        {
            // Tables are STRICT: what was written can be read as what it was.
            return Self::Corrupt { path, what: error.to_string() };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, what: error.to_string() },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path, what: "no SQLite file".to_owned() },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OutOfMemory,
            ) => Self::Io { path, source: error },
            _ => Self::Internal { path, what: error.to_string() },
        }
    }

    /// A block of the journal in `path` that cannot be read.
    #[must_use]
    pub fn of_block(path: &Path, first: i64, error: &BlockError) -> Self {
        Self::Corrupt { path: path.to_owned(), what: format!("frame_block {first}: {error}") }
    }

    /// How a program ends that meets it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Foreign { .. } | Self::Newer { .. } | Self::Older { .. } | Self::Corrupt { .. } => Exit::Data,
            Self::Locked { .. }
            | Self::Busy { .. }
            | Self::DiskFull { .. }
            | Self::LongWal { .. }
            | Self::LowSpace { .. } => Exit::Locked,
            Self::OtherVenue { .. } => Exit::Configuration,
            Self::Moved { .. } | Self::Torn { .. } | Self::Io { .. } | Self::Unsettled { .. } => Exit::InputOutput,
            Self::Missing { .. } => Exit::NoInput,
            Self::CannotOpen { .. } | Self::SymbolicLink { .. } | Self::HardLinks { .. } => Exit::CannotCreate,
            Self::SqliteTooOld { .. } | Self::Internal { .. } => Exit::Internal,
        }
    }
}

fn saved(is_saved: bool) -> &'static str {
    if is_saved { "which has all that was committed" } else { "and what was committed last could not be saved" }
}

impl From<StoreError> for SinkError {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::Busy { .. }
            | StoreError::DiskFull { .. }
            | StoreError::LongWal { .. }
            | StoreError::LowSpace { .. } => Self::Later(text),
            StoreError::Io { .. } => Self::Reopen(text),
            StoreError::Corrupt { .. } | StoreError::Foreign { .. } => Self::Damaged(text),
            _ => Self::Fatal(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    /// What is said of a file when SQLite says that.
    fn of(code: i32) -> StoreError {
        StoreError::of(Path::new("tape.db"), rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn what_sqlite_says_ends_a_program_with_its_code_and_tells_the_sink_what_may_help() {
        let sorted = |code| {
            let error = of(code);
            let exit = error.exit() as u8;
            match SinkError::from(error) {
                SinkError::Later(_) => ("later", exit),
                SinkError::Reopen(_) => ("reopen", exit),
                SinkError::Damaged(_) => ("damaged", exit),
                SinkError::Fatal(_) => ("fatal", exit),
            }
        };
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_FULL] {
            assert_eq!(sorted(code), ("later", 75), "{code}");
        }
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY, ffi::SQLITE_PERM, ffi::SQLITE_NOMEM]
        {
            assert_eq!(sorted(code), ("reopen", 74), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert_eq!(sorted(code), ("damaged", 65), "{code}");
        }
        assert_eq!(sorted(ffi::SQLITE_CONSTRAINT), ("fatal", 70));
    }

    #[test]
    fn a_file_that_was_taken_away_says_what_became_of_what_was_committed() {
        let torn = |is_saved| StoreError::Torn { path: "tape.db".into(), file: "tape.db-wal".into(), is_saved };
        assert!(torn(true).to_string().contains("which has all that was committed"));
        assert!(torn(false).to_string().contains("what was committed last could not be saved"));
    }
}
