//! The built-in exchange over real sockets.

mod client;
mod commands;
mod faults;
mod simulation;
