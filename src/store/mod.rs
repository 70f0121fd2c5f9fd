//! SQLite: the only place with SQL, beside migrations/.
//!
//! * [`Store`]: the one writing connection, as a [`crate::sink::Sink`].
//! * [`backup`]: a copy of a database, safe while it is being recorded.

mod backup;
mod error;
mod merge;
mod migrate;
mod open;
mod run;
#[cfg(test)]
mod script;
mod tidy;
mod writer;

pub use backup::backup;
pub use error::StoreError;
pub use migrate::{APPLICATION_ID, SCHEMA_VERSION};
pub use open::Settings;
pub use run::{Begun, RunInfo, RunKind};
pub use writer::Store;
