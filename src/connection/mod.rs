//! The connection actor: socket, limits, keepalive, reassembly, batching, reconnecting.

mod address;
mod dial;
mod guard;
pub mod rest;
mod socket;
mod tls;

pub use dial::Dialer;
pub use guard::{FRAGMENTS_MAX, Guard, Unit, Violation};
pub use socket::{CHUNK_BYTES_MAX, CLOSING_MAX, Message, Socket};
pub use tls::{TlsError, client_config};
