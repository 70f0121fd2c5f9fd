//! `feedtape::connection` against peers made of raw sockets, so that they can misbehave in every way.

mod dial;
mod driver;
mod harness;
mod peer;
mod rfc6455;
mod socket;
mod tls;
