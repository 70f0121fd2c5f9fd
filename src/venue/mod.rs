//! Exchange protocols, one folder each. A venue is its folder and one line in [`VENUES`].
//!
//! Sessions are sans-IO: no socket, no clock, no randomness of their own. What they are given is journalled, so the same
//! code serves the socket, an imported capture, a rebuild, a test and a fuzzer.

pub mod coinflex;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::crypto::{Randomness, Secret, SigningKey};
use crate::journal::Input;
use crate::model::{Catalog, CloseCause, Event, Seq, Stamp, Timestamp, UserId};

/// Every venue feedtape knows.
pub static VENUES: &[&dyn Venue] = &[&coinflex::CoinFlex];

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

    /// What may be kept of a text frame that was sent: the frame without what is secret in it.
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str>;

    /// Paths below the REST URL whose answers make the catalog, in the order [`Venue::catalog`] takes them.
    fn catalog_paths(&self) -> &'static [&'static str];

    /// The catalog that those answers state.
    ///
    /// # Errors
    /// If an answer is not what the venue documents.
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError>;
}

/// What a venue offers, as data: what a configuration is checked against.
#[derive(Debug)]
pub struct Profile {
    /// The places it can be reached at by name.
    pub endpoints: &'static [Endpoint],
    /// What can be subscribed to.
    pub channels: &'static [Channel],
    /// What can be asked for again and again.
    pub polls: &'static [Poll],
}

/// A named pair of URLs.
#[derive(Debug)]
pub struct Endpoint {
    /// The name, as `endpoint = "live"` has it.
    pub name: &'static str,
    /// Where the socket goes.
    pub url: &'static str,
    /// Where REST paths begin.
    pub rest_url: &'static str,
}

/// Something to subscribe to, market by market.
#[derive(Debug)]
pub struct Channel {
    /// The venue's method or channel name.
    pub method: &'static str,
    /// Whether it needs a login.
    pub needs_login: bool,
}

/// A request that can be repeated.
#[derive(Debug)]
pub struct Poll {
    /// The venue's method, or the family of REST paths.
    pub method: &'static str,
    /// Whether it needs a login.
    pub needs_login: bool,
    /// Whether it goes by REST.
    pub by_rest: bool,
    /// What it is asked about.
    pub about: PollSubject,
}

/// What a repeated request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollSubject {
    /// Nothing further: the account, or the whole venue.
    Whole,
    /// An asset.
    Asset,
    /// Markets, one request for each.
    Markets,
    /// Markets, or (none being named) all of them in one request.
    MarketsOrAll,
    /// Markets, and a quantity or a total.
    Estimate,
}

/// The protocol of one connection, from dialling to close.
pub trait Session: Send {
    /// Takes one input. Inputs come in journal order: `Connecting`, then (if there is one) `Catalog`, then `Opened` or
    /// `Closed`, and so on; an imported capture may lack all but the frames.
    fn handle(&mut self, seq: Seq, at: Stamp, input: &Input<'_>, out: &mut Output);

    /// When it wants [`Input::Timer`] next: [`Stamp::mono`] at or after which to give it.
    fn deadline(&self) -> Option<i64>;

    /// States what it only sums up while frames go by (first and last data of subscriptions). Called before a batch is
    /// shipped; must not conclude anything else.
    fn summarise(&mut self, out: &mut Output);
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

/// A REST request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRequest {
    /// Its place among the session's requests, from 0.
    pub request: u64,
    /// Path and query below the REST URL.
    pub path: String,
    /// Whether to send the account's credentials along.
    pub authenticated: bool,
}

/// Who logs in.
#[derive(Debug)]
pub struct Account {
    /// The user.
    pub user: UserId,
    /// The cookie (API key).
    pub cookie: Secret,
    /// The passphrase, raw UTF-8 (for REST).
    pub passphrase: Secret,
    /// The key derived from user and passphrase, once.
    pub key: SigningKey,
    /// Where the nonces of its logins come from.
    pub randomness: Arc<dyn Randomness>,
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
