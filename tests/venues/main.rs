//! The venues that are alive: their sessions on genuine captures, on frames of their documentation, and on the wire.

mod captures;
mod kraken;
mod script;
