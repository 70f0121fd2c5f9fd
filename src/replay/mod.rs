//! What was recorded through the code the socket uses: captured frames (import, and the line format of captures), and
//! the journal of a recording (rebuild, verify).

pub mod capture;
pub mod format;
mod import;
mod rebuild;
mod verify;

pub use import::{ImportError, Imported, Origin, import};
pub use rebuild::{RebuildError, Rebuilt, Unusable, derive, rebuild};
pub use verify::{Stage, verify};
