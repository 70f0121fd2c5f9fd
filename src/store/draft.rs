//! Databases in the making: a new file that takes its name when it is whole, and one that never has a name.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Durability;

use super::open::{self, Lock};
use super::place::beside;
use super::{Settings, Store, StoreError};

/// A new database. It lies beside its name, which it takes when it is whole; what is left of one that was given up is
/// removed, by the next one of that name if need be.
pub struct Draft {
    store: Store,
    part: Part,
    to: PathBuf,
}

/// The file that a draft is written to, which goes with it.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        for file in [self.0.clone(), beside(&self.0, ".lock")] {
            // It may have its name by now; that it cannot be removed is not what went wrong.
            let _ = fs::remove_file(file);
        }
    }
}

impl Draft {
    /// Begins the database `to`.
    ///
    /// # Errors
    /// If there is such a file, if another process is making it, or if no file can be made there.
    pub fn create(to: &Path) -> Result<Self, StoreError> {
        refuse_existing(to)?;
        let part = beside(to, ".part");
        let lock = Lock::take(&part)?;
        let part = Part(part);
        match fs::remove_file(&part.0) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::CannotOpen { path: part.0.clone(), source });
            }
            _ => {}
        }
        let connection = open::connect_draft(Some(&part.0))?;
        let store = Store::over(connection, settings(&part.0), Some(lock))?;
        Ok(Self { store, part, to: to.to_owned() })
    }

    /// Writes to it.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// Closes it, waits until the disk has it, and gives it its name.
    ///
    /// # Errors
    /// If that fails, or if another file has taken the name meanwhile.
    pub fn finish(self) -> Result<(), StoreError> {
        let Self { mut store, part, to } = self;
        store.commit_group()?;
        let failed = |source| StoreError::CannotOpen { path: to.clone(), source };
        let (connection, lock) = store.into_parts();
        connection.close().map_err(|(_, error)| StoreError::of(&part.0, error))?;
        File::open(&part.0).and_then(|file| file.sync_all()).map_err(failed)?;
        refuse_existing(&to)?;
        fs::rename(&part.0, &to).map_err(failed)?;
        File::open(open::folder(&to)).and_then(|folder| folder.sync_all()).map_err(failed)?;
        drop(lock);
        Ok(())
    }
}

impl Store {
    /// A database without a name, for what is thrown away. It lies where SQLite has its temporary files, and is gone
    /// with the process, however that ends.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn nameless() -> Result<Self, StoreError> {
        Self::over(open::connect_draft(None)?, settings(Path::new(open::NAMELESS)), None)
    }
}

fn settings(path: &Path) -> Settings {
    // What a draft's runs say of it: it appears only once the disk has it.
    Settings { path: path.to_owned(), durability: Durability::PowerLoss, min_free_space: 0 }
}

fn refuse_existing(path: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(StoreError::CannotOpen { path: path.to_owned(), source: io::ErrorKind::AlreadyExists.into() }),
        Err(_) => Ok(()),
    }
}
