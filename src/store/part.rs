//! A file in the making, which lies beside the name that it takes when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::open::{self, Lock};
use super::place::beside;

/// The file. It goes with this, unless it has taken its name.
pub struct Part {
    path: PathBuf,
    to: PathBuf,
    _lock: Lock,
}

impl Drop for Part {
    fn drop(&mut self) {
        for file in [self.path.clone(), beside(&self.path, ".lock")] {
            // It may have its name by now; that it cannot be removed is not what went wrong.
            let _ = fs::remove_file(file);
        }
    }
}

impl Part {
    /// Makes the file that is to become `to`, in place of what was left of one that was given up.
    ///
    /// # Errors
    /// If there is a file `to`, if another process is making it, or if no file can be made there.
    pub fn create(to: &Path) -> Result<Self, StoreError> {
        refuse_existing(to)?;
        let path = beside(to, ".part");
        let lock = Lock::take(&path)?;
        let part = Self { path, to: to.to_owned(), _lock: lock };
        match fs::remove_file(&part.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::CannotOpen { path: part.path.clone(), source });
            }
            _ => {}
        }
        open::create(&part.path)?;
        Ok(part)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the disk has it, and gives it its name.
    ///
    /// # Errors
    /// If that fails, or if another file has taken the name meanwhile.
    pub fn finish(self) -> Result<(), StoreError> {
        let failed = |source| StoreError::CannotOpen { path: self.to.clone(), source };
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(failed)?;
        refuse_existing(&self.to)?;
        fs::rename(&self.path, &self.to).map_err(failed)?;
        File::open(open::folder(&self.to)).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Whatever it is, a link that leads nowhere among it.
fn refuse_existing(path: &Path) -> Result<(), StoreError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(StoreError::CannotOpen { path: path.to_owned(), source: io::ErrorKind::AlreadyExists.into() }),
        Err(_) => Ok(()),
    }
}
