//! The recorder against the built-in exchange, end to end: real sockets, real signatures, real files.

mod faults;
mod looks;
mod numbers;
mod recording;
#[path = "../support/rows.rs"]
mod rows;
mod scene;
