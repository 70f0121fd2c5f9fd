//! Databases in the making: a new file that takes its name when it is whole, and one that never has a name.

use std::path::Path;

use crate::config::Durability;

use super::open;
use super::part::Part;
use super::{Settings, Store, StoreError};

/// A new database. It lies beside its name, which it takes when it is whole; what is left of one that was given up is
/// removed, by the next one of that name if need be.
pub struct Draft {
    store: Store,
    part: Part,
}

impl Draft {
    /// Begins the database `to`.
    ///
    /// # Errors
    /// If there is such a file, if another process is making it, or if no file can be made there.
    pub fn create(to: &Path) -> Result<Self, StoreError> {
        let part = Part::create(to)?;
        let connection = open::connect_draft(Some(part.path()))?;
        let store = Store::over(connection, settings(part.path()), None)?;
        Ok(Self { store, part })
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
        let Self { mut store, part } = self;
        store.commit_group()?;
        store.close_file()?;
        part.finish()
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
