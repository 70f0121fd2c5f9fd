//! Captured frames through the code the socket uses: import, and the line format of captures.

pub mod capture;
mod import;

pub use import::{ImportError, Imported, Origin, import};
