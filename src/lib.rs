//! feedtape records exchange WebSocket streams into SQLite, and proves what the recording contains.
//!
//! The flow is one way: `connection` stamps frames and feeds them to a `venue` session through a `journal` tape; the
//! batches that come of it go to the `sink`, which has the `store` write frames and rows in one transaction.
//! ARCHITECTURE.md draws it.

pub mod access;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connection;
pub mod crypto;
mod digits;
pub mod exchange;
pub mod exit;
pub mod journal;
pub mod message;
pub mod model;
pub mod near;
pub mod recorder;
pub mod registry;
pub mod replay;
pub mod sink;
pub mod store;
pub mod venue;
