//! The venues that are alive: their sessions on genuine captures, on frames of their documentation, and on the wire.

mod asking;
mod binance;
mod bitstamp;
mod captures;
mod coinbase;
mod derive;
mod examples;
mod generic;
mod kraken;
mod listing;
mod numbers;
mod okx;
mod overlap;
#[path = "../connection/peer.rs"]
#[allow(dead_code, reason = "its scripts of broken connections are for other tests")]
mod peer;
mod recording;
#[path = "../support/rows.rs"]
mod rows;
mod script;
mod server;
mod snapshots;
mod together;
