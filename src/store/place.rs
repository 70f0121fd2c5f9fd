//! Where an open database lies: its file, and the two that SQLite keeps beside it.
//!
//! Files are only asked for by name, never opened: to close the database would drop SQLite's locks on it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What the names of the files beside a database end in.
pub const WAL: &str = "-wal";
pub const SHM: &str = "-shm";

/// Device and inode, which stay with a file when it is renamed.
type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// The name of a file beside that one.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// The name by which SQLite opens the file, and names what it keeps beside it; the same if there is no file.
pub fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The files of an open database, as they were when it was opened.
pub struct Place {
    files: Vec<(PathBuf, Option<Identity>)>,
}

impl Place {
    /// Of the database at `path`, which is open and has been read.
    pub fn of(path: &Path) -> Self {
        let paths = [path.to_owned(), beside(path, WAL), beside(path, SHM)];
        Self {
            files: paths.into_iter().map(|path| (identity(&path), path)).map(|(found, path)| (path, found)).collect(),
        }
    }

    /// From now on the database is closed: what lies beside it may go, for all of it is in the database.
    pub fn close(&mut self) {
        self.files.truncate(1);
    }

    /// The first that was moved, replaced or deleted.
    pub fn missing(&self) -> Option<&Path> {
        let is_other = |(path, was): &&(PathBuf, Option<Identity>)| identity(path) != *was;
        self.files.iter().find(is_other).map(|(path, _)| path.as_path())
    }

    /// Gives a WAL of somebody else, where ours was, another name. The next start would take it for ours, and a WAL does
    /// not say whose it is.
    pub fn set_stray_wal_aside(&self) {
        let Some((wal, was)) = self.files.get(1) else { return };
        match fs::metadata(wal) {
            Ok(found) if found.len() > 0 && *was != Some((found.dev(), found.ino())) => {
                let aside = beside(wal, &format!(".stray-{}", found.ino()));
                // Where that cannot be done, the operator is told that there is another file.
                let _ = fs::rename(wal, aside);
            }
            _ => {}
        }
    }
}
