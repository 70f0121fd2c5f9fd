//! A recording checked against itself: its file, its journal, and its tables against what the journal makes.

use std::path::Path;

use crate::store::{Report, Store, StoreError, Verifier};

use super::rebuild::{RebuildError, derive};

/// What is being done, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The journal is read.
    Reading,
    /// The tables are derived from it anew; records are counted.
    Deriving,
    /// The tables are compared; tables are counted.
    Comparing,
}

/// Checks a recording, as it is at this instant. With `is_quick` the tables are not compared with what the journal
/// makes. `progress` is told how much of a stage is done, and of how much.
///
/// What is derived lies where SQLite has its temporary files, and takes about as much room as the recording.
///
/// # Errors
/// If the recording cannot be read, or there is no room for what is derived. What is wrong with the recording is no
/// error.
pub fn verify(path: &Path, is_quick: bool, mut progress: impl FnMut(Stage, u64, u64)) -> Result<Report, StoreError> {
    let mut verifier = Verifier::open(path)?;
    verifier.file()?;
    let is_whole = verifier.journal(|done, of| progress(Stage::Reading, done, of))?;
    let mut derived = None;
    if is_whole && !is_quick {
        let mut store = Store::nameless()?;
        match derive(verifier.frames(), &mut store, |done, of| progress(Stage::Deriving, done, of)) {
            Ok(_) => derived = Some(store),
            Err(RebuildError::Store(error)) => return Err(error),
            Err(RebuildError::Record { number, session, seq, reason }) => {
                let place = format!("record {number} (session {session}, place {seq})");
                verifier.find_in_journal(place, reason.to_string());
            }
        }
    }
    if let Some(derived) = &derived {
        verifier.rows(derived, |done, of| progress(Stage::Comparing, done, of))?;
    }
    verifier.coverage()?;
    verifier.contradictions(derived.as_ref())?;
    Ok(verifier.finish())
}
