//! The connection of a source: one actor that owns the socket and reconnects for ever.
//!
//! * [`Dialer`] opens a [`Socket`]; both know only RFC 6455, and work without the rest.
//! * `driver` runs sessions of a venue over sockets: journal, timers, REST, batches, back-pressure.
//! * [`Connection`] is the actor around the driver.

mod actor;
mod address;
mod backoff;
mod dial;
mod driver;
mod guard;
mod live;
mod logins;
mod outlet;
mod overlap;
mod progress;
pub mod rest;
mod rests;
mod socket;
mod tls;

pub use actor::{Connection, ConnectionConfig};
pub use backoff::BackoffPolicy;
pub use dial::Dialer;
pub use guard::{FRAGMENTS_MAX, Guard, Unit, Violation};
pub use logins::{LOGINS_PER_HOUR_MAX, LoginBudget};
pub use outlet::{Flow, Traffic};
pub use progress::Progress;
pub use socket::{CHUNK_BYTES_MAX, CLOSING_MAX, Message, Socket};
pub use tls::{TlsError, client_config};
