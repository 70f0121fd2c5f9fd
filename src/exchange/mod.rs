//! The built-in exchange: a CoinFLEX v1 server in one process.
//!
//! `start` starts it, `server` runs and ends it. A WebSocket client talks to its `gateway` actor, a REST client to `rest`; both act
//! on the one `floor`, which owns the [`engine`] and tells everybody whom it concerns through bounded outboxes.

mod account;
mod config;
mod directory;
mod driver;
pub mod engine;
mod faults;
mod floor;
mod frame;
mod front;
mod gateway;
mod inbound;
pub mod listing;
mod notices;
mod orders;
mod outbox;
mod peer;
mod rate;
mod rest;
mod running;
mod server;
mod shared;
mod start;
mod tally;
mod tls;
pub mod traders;

pub use account::{Account, AccountsError, Decimal, demo_accounts, read_accounts};
pub use config::{ExchangeConfig, Limits, ListingChoice, Simulation, Tls};
pub use faults::{Action, Fault, Faults, FaultsError};
pub use notices::notice;
pub use rate::Rate;
pub use running::Running;
pub use start::{Exchange, StartError};
pub use tally::Counts;
pub use tls::TlsError;
