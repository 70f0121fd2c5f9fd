//! The connection actor: socket, limits, keepalive, reassembly, batching, reconnecting.

pub mod rest;
