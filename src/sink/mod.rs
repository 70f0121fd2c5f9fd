//! Where batches go: the sink trait, and the actor that owns the one writing sink on its own thread.

mod actor;
mod progress;

pub use actor::{GROUP_BYTES_MAX, SinkActor, SinkThread};
pub use progress::{EventKind, Lag, Progress};

use thiserror::Error;

use crate::exit::Exit;
use crate::journal::Batch;
use crate::model::{Stamp, Timestamp};

/// Takes batches and makes them durable in groups.
pub trait Sink {
    /// Writes a batch into the open group. Neither it nor anything else of the group is durable yet.
    ///
    /// # Errors
    /// If it could not be written; then the whole group is rolled back and must be written again.
    fn append(&mut self, batch: &Batch) -> Result<(), SinkError>;

    /// Makes the open group durable.
    ///
    /// # Errors
    /// As for [`Sink::append`].
    fn commit(&mut self) -> Result<(), SinkError>;

    /// Finds out whether what was committed is still where others look for it.
    ///
    /// # Errors
    /// [`SinkError::Fatal`], if it is not. What could be saved is.
    fn check(&mut self) -> Result<(), SinkError>;

    /// Notes that everything received until `until` has been appended, with the open group or (if none is open) at
    /// once.
    ///
    /// # Errors
    /// As for [`Sink::append`].
    fn mark(&mut self, until: Timestamp) -> Result<(), SinkError>;

    /// Does a small piece of work that can wait. Called while no group is open.
    ///
    /// # Errors
    /// If it failed; what was written stays so.
    fn tidy(&mut self) -> Result<Tidied, SinkError>;

    /// Opens the sink anew, after [`SinkError::Reopen`].
    ///
    /// # Errors
    /// If that failed; it may be tried again.
    fn reopen(&mut self) -> Result<(), SinkError>;

    /// Commits, says that the run ended `at`, does work that can wait and closes. In haste, because the disk is slow,
    /// that work is left to the next start, and so is finding out that it ended if the power fails just then.
    ///
    /// # Errors
    /// If that failed; what was reported durable stays so.
    fn close(self: Box<Self>, at: Stamp, in_haste: bool) -> Result<(), SinkError>;
}

/// What [`Sink::tidy`] did and found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Whether there is more to do at once.
    pub has_more: bool,
    /// Size of what is committed but not yet in its final place (SQLite's WAL), in bytes.
    pub wal_bytes: u64,
}

/// Why a sink could not write.
#[derive(Clone, Debug, Error)]
pub enum SinkError {
    /// Passing: try the same again later (disk full, database locked by someone else).
    #[error("{0}")]
    Later(String),
    /// The sink must be opened anew before the group is written again (a failed write or sync).
    #[error("{0}")]
    Reopen(String),
    /// It will not work: the recorder must end.
    #[error("{0}")]
    Fatal(String),
    /// What is stored is damaged: the recorder must end as well.
    #[error("{0}")]
    Damaged(String),
}

impl SinkError {
    /// How a recorder ends that cannot write because of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Damaged(_) => Exit::Data,
            Self::Later(_) | Self::Reopen(_) | Self::Fatal(_) => Exit::InputOutput,
        }
    }
}
