//! Server-sent events: every reader gets all public events and, logged in, its own; the last of them are kept, so that
//! a reader can resume.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use foldhash::HashSet;
use serde::Serialize;

use super::Floor;
use crate::clock::nanos;
use crate::exchange::engine::{Balance, ConnectionId, Event, Micros};
use crate::exchange::listing::Listing;
use crate::exchange::notices::notice;
use crate::exchange::peer::Peer;
use crate::model::{AssetCode, Stamp, UserId};
use crate::venue::coinflex::wire::{Notice, OrderClosed, OrdersMatched};

/// Most events kept for readers that resume.
const HISTORY_EVENTS_MAX: usize = 10_000;

/// How often a reader hears something when nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Which of the two documented streams a reader gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum Version {
    /// Of Coinfloor's first API and CoinFLEX: for users who are logged in.
    One,
    /// Of Coinfloor's second API: reserved balances and trade volumes too, and for everybody.
    Two,
}

/// The `id` of an event: unique over restarts, as the first part is when the exchange started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct EventId {
    epoch: i64,
    number: u64,
}

impl EventId {
    /// Reads a `Last-Event-ID`.
    pub(in crate::exchange) fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        Some(Self { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
    }
}

/// The readers and what they can resume from.
pub(super) struct Streams {
    epoch: i64,
    /// Number of the first event of the history.
    first: u64,
    history: VecDeque<Event>,
    readers: Vec<Reader>,
    kept_alive: Option<Stamp>,
}

struct Reader {
    id: ConnectionId,
    peer: Arc<Peer>,
    user: Option<UserId>,
    version: Version,
}

impl Floor {
    /// Takes a new reader; it gets what came after `last` first, as far as that is kept.
    pub(in crate::exchange) fn subscribe(
        &mut self,
        peer: Arc<Peer>,
        user: Option<UserId>,
        version: Version,
        last: Option<EventId>,
    ) -> ConnectionId {
        let id = self.next_connection();
        let listing = self.engine.listing().clone();
        let reader = Reader { id, peer, user, version };
        self.streams.resume(&reader, last, &listing);
        self.streams.readers.push(reader);
        id
    }

    /// The reader is gone.
    pub(in crate::exchange) fn unsubscribe(&mut self, id: ConnectionId) {
        self.streams.readers.retain(|reader| reader.id != id);
    }
}

impl Streams {
    pub(super) fn new(started: Stamp) -> Self {
        Self {
            epoch: Micros::from(started).0,
            first: 0,
            history: VecDeque::new(),
            readers: Vec::new(),
            kept_alive: None,
        }
    }

    /// Keeps and tells what happened. What is private to simulated users is of no interest to anybody.
    pub(super) fn record(&mut self, events: &[Event], listing: &Listing, customers: &HashSet<UserId>) {
        for event in events {
            match event {
                Event::OrderModified(_) => {}
                Event::BalanceChanged { user, .. }
                | Event::ReservationChanged { user, .. }
                | Event::TradeVolumeChanged { user, .. }
                    if !customers.contains(user) => {}
                _ => self.append(event.clone(), listing),
            }
        }
    }

    fn append(&mut self, event: Event, listing: &Listing) {
        let number = self.first + self.history.len() as u64;
        // Most readers get the same copy of most events.
        let mut public: [Option<Option<Bytes>>; 2] = [None, None];
        self.readers.retain(|reader| {
            let own = reader.user.filter(|user| concerns(&event, *user));
            let chunk = match own {
                Some(user) => render(&event, self.epoch, number, Some(user), reader.version, listing),
                None => public[reader.version as usize]
                    .get_or_insert_with(|| render(&event, self.epoch, number, None, reader.version, listing))
                    .clone(),
            };
            let taken = chunk.is_none_or(|chunk| reader.peer.outbox.push(chunk).is_ok());
            if !taken {
                reader.peer.cut();
            }
            taken
        });
        if self.history.len() == HISTORY_EVENTS_MAX {
            self.history.pop_front();
            self.first += 1;
        }
        self.history.push_back(event);
    }

    fn resume(&self, reader: &Reader, last: Option<EventId>, listing: &Listing) {
        let Some(last) = last.filter(|last| last.epoch == self.epoch) else { return };
        let missed = last.number.saturating_add(1).saturating_sub(self.first);
        for (number, event) in (self.first..).zip(&self.history).skip(usize::try_from(missed).unwrap_or(usize::MAX)) {
            if let Some(chunk) = render(event, self.epoch, number, reader.user, reader.version, listing)
                && reader.peer.outbox.push(chunk).is_err()
            {
                reader.peer.cut();
                return;
            }
        }
    }

    /// Sends a comment to every reader from time to time, so that nobody between takes the connection for dead.
    pub(super) fn keep_alive(&mut self, now: Stamp) {
        if self.kept_alive.is_some_and(|last| now.mono - last.mono < nanos(KEEP_ALIVE)) {
            return;
        }
        self.kept_alive = Some(now);
        for reader in &self.readers {
            if reader.peer.outbox.push(Bytes::from_static(b":\n\n")).is_err() {
                reader.peer.cut();
            }
        }
    }

    /// Ends every stream.
    pub(super) fn close(&mut self) {
        for reader in self.readers.drain(..) {
            reader.peer.outbox.close(None);
        }
    }
}

/// Whether the user gets a copy of its own.
fn concerns(event: &Event, user: UserId) -> bool {
    match event {
        Event::ReservationChanged { user: owner, .. } => *owner == user,
        _ => event.recipients().owners.contains(&Some(user)),
    }
}

/// The event for one reader; `None` if it does not get it.
fn render(
    event: &Event,
    epoch: i64,
    number: u64,
    user: Option<UserId>,
    version: Version,
    listing: &Listing,
) -> Option<Bytes> {
    #[derive(Serialize)]
    struct BothBalances {
        asset: AssetCode,
        available: i64,
        reserved: i64,
    }
    let own = user.is_some_and(|user| concerns(event, user));
    let (name, json) = match (event, version) {
        (Event::BalanceChanged { balance, .. } | Event::ReservationChanged { balance, .. }, Version::Two) if own => {
            let Balance { asset, available, reserved } = *balance;
            ("BalanceChanged", json(&BothBalances { asset, available: available.0, reserved: reserved.0 }))
        }
        (Event::ReservationChanged { .. }, _) => return None,
        _ => match (notice(event, listing, user), version) {
            (Notice::BalanceChanged(balance), Version::One) if own => ("BalanceChanged", json(&balance)),
            (Notice::TradeVolumeChanged(volume), Version::Two) if own => ("UserTradeVolumeChanged", json(&volume)),
            (Notice::OrderOpened(order), _) => ("OrderOpened", json(&order)),
            (Notice::OrdersMatched(trade), _) => {
                ("OrdersMatched", json(&OrdersMatched { taker_side: None, taker: None, ..*trade }))
            }
            (Notice::OrderClosed(order), _) => ("OrderClosed", json(&OrderClosed { time_closed: None, ..order })),
            (Notice::TickerChanged(ticker), _) => ("TickerChanged", json(&ticker)),
            _ => return None,
        },
    };
    let mut chunk = String::with_capacity(json.len() + 64);
    // Writing to a string cannot fail.
    let _ = write!(chunk, "id: {epoch}-{number}\nevent: {name}\ndata: {json}\n\n");
    Some(Bytes::from(chunk))
}

fn json(body: &impl Serialize) -> String {
    // Integers, strings and string keys only: nothing of that can fail to serialise.
    serde_json::to_string(body).unwrap_or_default()
}
