//! What was recorded through the code the socket uses: captured frames (import, and the line format of captures), and
//! the journal of a recording (rebuild).

pub mod capture;
mod import;
mod rebuild;

pub use import::{ImportError, Imported, Origin, import};
pub use rebuild::{RebuildError, Rebuilt, Unusable, derive, rebuild};
