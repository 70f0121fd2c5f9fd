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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A database with its two files, each with its own name as content.
    fn open(folder: &TempDir) -> (PathBuf, Place) {
        let path = folder.path().join("x.db");
        for file in [path.clone(), beside(&path, WAL), beside(&path, SHM)] {
            fs::write(&file, file.as_os_str().as_encoded_bytes()).unwrap();
        }
        let place = Place::of(&path);
        (path, place)
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names.into_iter().map(|name| name.into_string().unwrap()).collect()
    }

    #[test]
    fn each_file_that_goes_or_is_another_is_missed_and_a_closed_database_needs_but_one() {
        for suffix in ["", WAL, SHM] {
            let folder = TempDir::new().unwrap();
            let (path, mut place) = open(&folder);
            assert_eq!(place.missing(), None);
            let file = beside(&path, suffix);
            fs::rename(&file, folder.path().join("elsewhere")).unwrap();
            assert_eq!(place.missing(), Some(file.as_path()));
            fs::write(&file, "another").unwrap();
            assert_eq!(place.missing(), Some(file.as_path()));
            place.close();
            assert_eq!(place.missing().is_some(), suffix.is_empty(), "{suffix}");
        }
    }

    #[test]
    fn a_wal_of_somebody_else_is_set_aside_and_ours_or_an_empty_one_is_not() {
        let folder = TempDir::new().unwrap();
        let (path, place) = open(&folder);
        place.set_stray_wal_aside();
        assert_eq!(names(&folder), ["x.db", "x.db-shm", "x.db-wal"], "it is ours");
        let wal = beside(&path, WAL);
        fs::rename(&wal, folder.path().join("ours")).unwrap();
        place.set_stray_wal_aside();
        fs::write(&wal, "").unwrap();
        place.set_stray_wal_aside();
        assert_eq!(names(&folder), ["ours", "x.db", "x.db-shm", "x.db-wal"], "there is nothing in it");
        fs::write(&wal, "another").unwrap();
        place.set_stray_wal_aside();
        let names = names(&folder);
        assert!(names.len() == 4 && names[3].starts_with("x.db-wal.stray-"), "{names:?}");
        assert_eq!(fs::read(folder.path().join(&names[3])).unwrap(), b"another");
    }
}
