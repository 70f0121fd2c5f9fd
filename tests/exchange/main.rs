//! The built-in exchange over real sockets.

mod client;
mod commands;
mod examples;
mod faults;
mod framing;
mod lifecycle;
mod limits;
mod notices;
mod rest;
mod simulation;
mod streams;
