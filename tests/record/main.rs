//! The recorder against the built-in exchange, end to end: real sockets, real signatures, real files.

mod faults;
mod recording;
mod scene;
