//! Exchange protocols, one folder each. A venue is its folder and one line in [`VENUES`].
//!
//! Sessions are sans-IO: no socket, no clock, no randomness of their own. What they are given is journalled, so the same
//! code serves the socket, an imported capture, a rebuild, a test and a fuzzer.

mod account;
pub mod binance;
pub mod bitstamp;
pub mod coinbase;
pub mod coinflex;
pub mod derive;
mod feed;
pub mod generic;
pub mod kraken;
pub mod okx;
mod profile;
mod rest;
mod streams;
mod told;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::crypto::Secret;
use crate::journal::{Input, LookTaken};
use crate::model::{Catalog, CloseCause, Coverage, Event, Seq, Stamp, StreamKey, Timestamp};

pub use account::{Account, AccountKind, KeyAccount, UserAccount, WalletAccount};
pub use profile::{
    Ack, Channel, ChannelOption, Endpoint, Integrity, Keepalive, Poll, PollSubject, Profile, Rate, Scheme, Scope,
    SnapshotSource, Splice,
};
pub use rest::{RestMethod, RestRequest};

/// Every venue feedtape knows.
pub static VENUES: &[&dyn Venue] = &[
    &coinflex::CoinFlex,
    &binance::BINANCE,
    &binance::BINANCE_US,
    &bitstamp::Bitstamp,
    &coinbase::Coinbase,
    &derive::Derive,
    &kraken::Kraken,
    &okx::Okx,
    &generic::Generic,
];

/// The venue of that name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static dyn Venue> {
    VENUES.iter().copied().find(|venue| venue.name() == name)
}

/// An exchange protocol.
pub trait Venue: Sync {
    /// Its name in configurations and tables.
    fn name(&self) -> &'static str;

    /// What it offers.
    fn profile(&self) -> &'static Profile;

    /// A session, before its first input. Without an account it never asks to log in.
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session>;

    /// The code by which it says that logins come too rapidly, and which refuses nobody for good.
    fn login_rate_code(&self) -> Option<i64> {
        None
    }

    /// Makes sessions that take a second look at what others record, before their first input; `None` where that shows
    /// nothing.
    fn look(&self) -> Option<fn() -> Box<dyn Session>> {
        None
    }

    /// What may be kept of a text frame that was sent: the frame without what is secret in it.
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str>;

    /// What may be kept of the answer to a request whose answer is secret ([`RestRequest::is_secret`]).
    fn redact_answer<'a>(&self, answer: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(answer)
    }

    /// Paths below the REST URL whose answers make the catalog, in the order [`Venue::catalog`] takes them.
    fn catalog_paths(&self) -> &'static [&'static str];

    /// The catalog that those answers state.
    ///
    /// # Errors
    /// If an answer is not what the venue documents.
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError>;
}

/// The protocol of one connection, from dialling to close.
pub trait Session: Send {
    /// Takes one input. Inputs come in journal order: `Connecting`, then (if there is one) `Catalog`, then `Opened` or
    /// `Closed`, and so on; an imported capture may lack all but the frames.
    fn handle(&mut self, seq: Seq, at: Stamp, input: &Input<'_>, out: &mut Output);

    /// Is given the answer to a request whose answer is secret, just before [`Input::Rest`] with what may be kept of it.
    /// Not an input: what is concluded must follow from that.
    fn entrust(&mut self, request: u64, answer: &[u8]) {
        let _ = (request, answer);
    }

    /// When it wants [`Input::Timer`] next: [`Stamp::mono`] at or after which to give it.
    fn deadline(&self) -> Option<i64>;

    /// What it can say of its streams now, for another session to take over from it. Sessions of venues that end no
    /// connection for its age say nothing.
    fn standing(&self) -> Vec<Standing> {
        Vec::new()
    }

    /// States what it only sums up while frames go by (first and last data of subscriptions). Called before a batch is
    /// shipped; must not conclude anything else.
    fn summarise(&mut self, out: &mut Output);
}

/// What a session can say of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub key: Arc<StreamKey>,
    /// The state it is in.
    pub state: Coverage,
    /// Since when.
    pub since: Timestamp,
    /// Arrival of the last message that shows that none is missing before it.
    pub good_at: Timestamp,
    /// Where its messages have numbers without a hole: the number before the first, and the last.
    pub numbers: Option<(u64, u64)>,
}

/// What a session says and wants.
#[derive(Debug, Default)]
pub struct Output {
    /// Conclusions, in order.
    pub events: Vec<Event>,
    /// Wishes, in order.
    pub actions: Vec<Action>,
}

/// What a session wants done. A rebuild ignores these: what was done is in the journal.
#[derive(Debug)]
pub enum Action {
    /// Send a text frame.
    Send(Outgoing),
    /// Make a REST request; the answer comes as [`Input::Rest`].
    Rest(RestRequest),
    /// Show what a second look has seen to the session that records it.
    Show {
        /// What was asked, and when.
        taken: LookTaken,
        /// The answer.
        answer: Vec<u8>,
    },
    /// Close the connection; the source connects again.
    Close {
        /// Why.
        cause: CloseCause,
        /// One clause, without secrets.
        detail: String,
    },
    /// The venue refused user, cookie or signature: the source must not log in again.
    StopLogins {
        /// What to look at, one clause, without secrets.
        reason: String,
    },
    /// The venue said that logins come too rapidly: the source must not log in before this, by [`Stamp::mono`].
    DelayLogins {
        /// Not before.
        until: i64,
    },
}

/// A text frame to send.
pub struct Outgoing {
    /// What goes over the wire. May hold a signature.
    pub text: Secret,
    /// What the journal keeps of it: the same, or with what is secret redacted.
    pub journal: String,
    /// Whether it is a login, which counts against the login budget.
    pub is_login: bool,
}

impl Outgoing {
    /// A frame with nothing secret in it.
    #[must_use]
    pub fn plain(text: String) -> Self {
        Self { journal: text.clone(), text: Secret::new(text), is_login: false }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outgoing").field(&self.journal).finish()
    }
}

/// A catalog answer that cannot be used.
#[derive(Debug, Error)]
#[error("{path}: {reason}")]
pub struct CatalogError {
    /// Which answer.
    pub path: &'static str,
    /// Why.
    pub reason: String,
}
