//! The CoinFLEX session, driven without a socket, a clock or a database.

mod checks;
mod ledger;
mod look;
mod reconnect;
mod script;
mod session;
