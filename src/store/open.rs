//! Opening the one writing connection: lock, file, pragmas, schema.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::raw::c_int;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, FileControl, MAIN_DB, OpenFlags};

use crate::config::Durability;

use super::place::{beside, resolved};
use super::{StoreError, migrate};

/// The first SQLite without the WAL-reset defect, which could lose commits.
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// Owner reads and writes, group reads; -wal and -shm take it from the file.
pub const FILE_MODE: u32 = 0o640;

/// How long a statement waits for a lock that another program holds, before the group is put off.
pub const BUSY_WAIT_MAX: Duration = Duration::from_secs(1);

/// Page size of new files. Inserting is a seventh faster than with SQLite's usual 4 KiB; with more, a commit of a few
/// rows would write much for little.
const PAGE_BYTES: i64 = 8 << 10;

/// Pages of the WAL after which a commit checkpoints (16 MiB).
const CHECKPOINT_PAGES: i64 = (16 << 20) / PAGE_BYTES;

/// What the WAL is cut to after a checkpoint.
const WAL_BYTES_KEPT: i64 = 64 << 20;

/// Page cache: enough for the ends of all tables that a group writes to.
const CACHE_KIB: i64 = 8 << 10;

/// Statements kept ready: all that the writer has.
const STATEMENTS_CACHED: usize = 64;

/// What errors call a database without a name.
pub const NAMELESS: &str = "the temporary database";

fn synchronous(durability: Durability) -> &'static str {
    match durability {
        Durability::PowerLoss => "FULL",
        Durability::ProcessKill => "NORMAL",
    }
}

/// How to open a database for recording.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file; made if it does not exist.
    pub path: PathBuf,
    /// What a commit survives.
    pub durability: Durability,
    /// Bytes that must stay free on its file system.
    pub min_free_space: u64,
}

/// How often to try for the lock, and the pause between: whoever asks [`Lock::is_held`] has it for an instant.
const LOCK_ATTEMPTS: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// The lock that keeps a second recorder out. Held as long as it lives; the file stays.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `<path>.lock`.
    ///
    /// # Errors
    /// If another process holds it or it cannot be made.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let lock = Self::path_of(path);
        refuse_links(&lock)?;
        let file = match create(&lock) {
            Err(StoreError::CannotOpen { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                let opened = OpenOptions::new().read(true).write(true).open(&lock);
                opened.map_err(|source| StoreError::CannotOpen { path: lock.clone(), source })?
            }
            made => made?,
        };
        let mut attempts = 1..LOCK_ATTEMPTS;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if attempts.next().is_some() => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { lock }),
                Err(TryLockError::Error(source)) => return Err(StoreError::CannotOpen { path: lock, source }),
            }
        }
    }

    /// Whether a recorder holds it. Asks for it for an instant, if not.
    ///
    /// # Errors
    /// If that cannot be found out.
    pub fn is_held(path: &Path) -> Result<bool, StoreError> {
        let lock = Self::path_of(&resolved(path));
        let cannot = |source| StoreError::CannotOpen { path: lock.clone(), source };
        match File::open(&lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(cannot(source)),
            Ok(file) => match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(source)) => Err(cannot(source)),
            },
        }
    }

    fn path_of(path: &Path) -> PathBuf {
        beside(path, ".lock")
    }
}

/// Makes a file with our mode, whatever the umask adds to nothing. Follows no link: there must be nothing of that name.
///
/// # Errors
/// If there is, or if it cannot be made.
pub fn create(path: &Path) -> Result<File, StoreError> {
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path);
    made.map_err(|source| StoreError::CannotOpen { path: path.to_owned(), source })
}

/// Refuses a file that has another name: the lock, the -wal and the -shm of each name are others, so whoever comes by
/// the other name is not kept out.
///
/// # Errors
/// If it is a symbolic link, or has hard links.
pub fn refuse_links(path: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(StoreError::SymbolicLink { path: path.to_owned() }),
        Ok(found) if found.is_file() && found.nlink() > 1 => {
            Err(StoreError::HardLinks { path: path.to_owned(), names: found.nlink() })
        }
        // What else is the matter is found out by opening it.
        _ => Ok(()),
    }
}

/// Makes the file, if there is none. An existing one is not opened: closing it would drop SQLite's locks on it.
fn create_if_missing(path: &Path) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).map(drop),
        Err(source) => Err(StoreError::CannotOpen { path: path.to_owned(), source }),
    }
}

/// The folder that a file is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses if less than `min_free_space` bytes are available for the file.
///
/// # Errors
/// If it is less, or the file system does not say.
pub fn check_space(settings: &Settings) -> Result<(), StoreError> {
    let path = &settings.path;
    let folder = folder(path);
    let free =
        fs4::available_space(folder).map_err(|source| StoreError::CannotOpen { path: folder.to_owned(), source })?;
    if free < settings.min_free_space {
        return Err(StoreError::LowSpace { path: path.clone(), free, wanted: settings.min_free_space });
    }
    Ok(())
}

/// Opens the writing connection. The caller holds the [`Lock`].
///
/// # Errors
/// If the file is foreign, newer, damaged, or cannot be opened.
pub fn connect(settings: &Settings) -> Result<Connection, StoreError> {
    let path = &settings.path;
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(StoreError::SqliteTooOld { found: rusqlite::version() });
    }
    create_if_missing(path)?;
    let sqlite = |error| StoreError::of(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY_WAIT_MAX).map_err(sqlite)?;
    let version = migrate::check(path, &connection)?;
    let configure = |connection: &Connection| {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous(settings.durability))?;
        connection.pragma_update(None, "foreign_keys", false)?; // the writer makes the keys; checking costs a seek each
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        // Without -wal and -shm, who may only read the file could not open it.
        let mut persist: c_int = 1;
        connection.file_control(Some(MAIN_DB), FileControl::PersistWal(&mut persist))
    };
    configure(&connection).map_err(sqlite)?;
    migrate::migrate(path, &mut connection, version)?;
    // For the journals of statements, which are a few pages. A migration may need more than memory has.
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(sqlite)?;
    Ok(connection)
}

/// Opens the connection to a database in the making, an empty file, which is of no use to anybody before it is whole: so
/// nothing is journalled and nothing waits for the disk. Without a path it is a file without a name, which goes with the
/// connection.
///
/// # Errors
/// If the file cannot be made.
pub fn connect_draft(path: Option<&Path>) -> Result<Connection, StoreError> {
    let name = path.unwrap_or(Path::new(NAMELESS));
    let sqlite = |error| StoreError::of(name, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // That is what the empty path means to SQLite.
    let file = path.unwrap_or(Path::new(""));
    let mut connection = Connection::open_with_flags(file, flags).map_err(sqlite)?;
    let configure = |connection: &Connection| {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.pragma_update(None, "foreign_keys", false)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        Ok(())
    };
    configure(&connection).map_err(sqlite)?;
    migrate::migrate(name, &mut connection, 0)?;
    Ok(connection)
}

#[cfg(test)]
mod tests;
