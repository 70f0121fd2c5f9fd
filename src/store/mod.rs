//! SQLite: the only place with SQL, beside migrations/.
//!
//! * [`Store`]: the one writing connection, as a [`crate::sink::Sink`].
//! * [`Verifier`]: what can be found wrong with a recording by reading it.
//! * [`Draft`]: a new database that takes its name when it is whole.
//! * [`backup()`]: a copy of a database, safe while it is being recorded.
//! * [`Reader`], [`Frames`], [`Query`]: reading, also while it is being recorded: tables, the journal, and SQL of the
//!   user's.

mod backup;
mod book;
mod books;
mod catalog;
mod coverage;
mod draft;
mod error;
mod frames;
mod history;
mod merge;
mod migrate;
mod open;
mod part;
mod place;
mod query;
mod reader;
mod run;
#[cfg(test)]
mod script;
mod status;
mod tidy;
mod verify;
mod writer;

pub use backup::backup;
pub use book::{BookLevel, BookName, BookState};
pub use coverage::{Interval, StreamCoverage, Streams};
pub use draft::Draft;
pub use error::StoreError;
pub use frames::{Frame, Frames, Selection};
pub use history::LoginHistory;
pub use migrate::{APPLICATION_ID, SCHEMA_VERSION};
pub use open::Settings;
pub use query::{Answer, Query, QueryError, Value};
pub use reader::Reader;
pub use run::{Begun, RunInfo, RunKind};
pub use status::{Run, Status, StreamStatus};
pub use verify::{Aspect, Finding, Report, TableReport, Verifier};
pub use writer::Store;
