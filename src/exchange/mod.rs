//! The built-in exchange: a CoinFLEX v1 server in one process.

pub mod engine;
pub mod listing;
pub mod traders;
