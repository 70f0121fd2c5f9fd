//! The floor: the engine and everybody who listens to it, behind one lock.
//!
//! What a command changes and who is told of it happen under the lock, so replies, snapshots and notices reach every
//! client in the engine's order. Nothing under the lock waits: clients are written to through bounded outboxes, and who
//! does not read is cut off.

mod command;
mod fanout;
mod session;
mod streams;

use std::sync::Arc;

use foldhash::{HashMap, HashSet};

use super::config::{ExchangeConfig, Limits, ListingChoice};
use super::engine::{Command, ConnectionId, Engine, Event, Micros, Refusal as EngineRefusal, Reply, Watchers};
use super::listing::Listing;
use super::peer::Peer;
use super::rate::Recent;
use super::tally::Tally;
use crate::model::{Stamp, UserId};
use crate::venue::coinflex::wire::Refusal;

use streams::Streams;
pub(super) use streams::{EventId, Version};

/// The engine and everybody who listens to it.
pub(super) struct Floor {
    pub engine: Engine,
    limits: Limits,
    tally: Tally,
    /// Whether balances are told with what is reserved; Coinfloor's are not.
    tells_reserved: bool,
    /// Users who can log in; the others are simulated.
    customers: HashSet<UserId>,
    connections: HashMap<ConnectionId, Connection>,
    logged_in: HashMap<UserId, Vec<ConnectionId>>,
    watching: HashMap<Watchers, Vec<ConnectionId>>,
    paces: HashMap<UserId, Pace>,
    streams: Streams,
    /// What the engine said and nobody has been told yet.
    events: Vec<Event>,
    last_connection: ConnectionId,
}

/// A WebSocket connection.
struct Connection {
    peer: Arc<Peer>,
    user: Option<UserId>,
    watching: HashSet<Watchers>,
    information: Recent,
    /// Estimates asked without a login.
    estimates: Recent,
    /// Since when it has been told to go.
    parting: Option<Stamp>,
}

/// How often a user did what is limited by user.
#[derive(Debug, Default)]
struct Pace {
    orders: Recent,
    rest_orders: Recent,
    records: Recent,
}

impl Floor {
    pub(super) fn new(engine: Engine, config: &ExchangeConfig, tally: Tally, now: Stamp) -> Self {
        Self {
            limits: config.limits,
            tells_reserved: config.listing != ListingChoice::Coinfloor,
            customers: config.accounts.iter().map(|account| account.id).collect(),
            engine,
            tally,
            connections: HashMap::default(),
            logged_in: HashMap::default(),
            watching: HashMap::default(),
            paces: HashMap::default(),
            streams: Streams::new(now),
            events: Vec::new(),
            last_connection: ConnectionId(0),
        }
    }

    pub(super) fn listing(&self) -> &Arc<Listing> {
        self.engine.listing()
    }

    /// Carries out a command. Who is to be told is told by the next [`Floor::publish`].
    pub(super) fn execute(&mut self, user: UserId, command: &Command, now: Stamp) -> Result<Reply, EngineRefusal> {
        self.engine.execute(now.into(), user, command, &mut self.events)
    }

    /// Lets time pass: tickers and volumes age, futures expire, idle clients are closed.
    pub(super) fn tick(&mut self, now: Stamp) {
        self.engine.advance(now.into(), &mut self.events);
        self.publish();
        self.sweep(now);
    }

    /// Lets a simulation act on the engine, and tells whom it concerns.
    pub(super) fn simulate(&mut self, act: impl FnOnce(&mut Engine, &mut Vec<Event>)) {
        act(&mut self.engine, &mut self.events);
        self.publish();
    }

    /// Whether the user may send another order by REST.
    pub(super) fn admit_rest_order(&mut self, user: UserId, now: Stamp) -> Result<(), Refusal> {
        let pace = self.paces.entry(user).or_default();
        let admitted = pace.rest_orders.admit(self.limits.rest_orders, now);
        if admitted { Ok(()) } else { Err(Refusal::OrderingTooRapidly) }
    }

    /// Whether the user may ask for past trades by REST.
    pub(super) fn admit_records(&mut self, user: UserId, now: Stamp) -> Result<(), Refusal> {
        let pace = self.paces.entry(user).or_default();
        let admitted = pace.records.admit(self.limits.records, now);
        if admitted { Ok(()) } else { Err(Refusal::AskingTooRapidly) }
    }
}

impl From<Stamp> for Micros {
    /// The wall clock's time, cut to µs.
    fn from(now: Stamp) -> Self {
        Self(now.wall.0.div_euclid(1_000))
    }
}
