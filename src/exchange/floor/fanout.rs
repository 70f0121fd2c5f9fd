//! Telling everybody whom an event concerns: each copy is encoded once and shared by all who get it.

use bytes::Bytes;

use super::{Connection, Floor};
use crate::exchange::engine::{ConnectionId, Event, Recipients};
use crate::exchange::frame;
use crate::exchange::notices::notice;
use crate::model::UserId;

impl Floor {
    /// Tells everybody what the engine said since the last time. Who does not read is cut off.
    pub(in crate::exchange) fn publish(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        self.streams.record(&events, self.engine.listing(), &self.customers);
        let mut sent = 0;
        for event in &events {
            sent += self.tell(event);
        }
        if sent > 0 {
            self.tally.count(|counts| counts.frames_sent += sent);
        }
        // The list's memory serves again.
        events.clear();
        self.events = events;
    }

    /// Tells one event, and returns how many were told.
    fn tell(&self, event: &Event) -> u64 {
        let Recipients { owners, watchers } = event.recipients();
        let mut sent = 0;
        for owner in owners.into_iter().flatten() {
            if let Some(connections) = self.logged_in.get(&owner) {
                sent += self.push_all(connections, |_| true, || self.encode(event, Some(owner)));
            }
        }
        if let Some(connections) = watchers.and_then(|watchers| self.watching.get(&watchers)) {
            let is_public = |user: Option<UserId>| user.is_none() || !owners.contains(&user);
            sent += self.push_all(connections, is_public, || self.encode(event, None));
        }
        sent
    }

    /// Gives the same copy, made if anybody gets it, to every connection whose user suits.
    fn push_all(
        &self,
        connections: &[ConnectionId],
        suits: impl Fn(Option<UserId>) -> bool,
        encode: impl Fn() -> Bytes,
    ) -> u64 {
        let mut copy = None;
        let mut sent = 0;
        let connections = connections.iter().filter_map(|id| self.connections.get(id));
        for connection in connections.filter(|connection| suits(connection.user)) {
            self.push(connection, copy.get_or_insert_with(&encode).clone());
            sent += 1;
        }
        sent
    }

    /// Queues a frame for a client. One that leaves too much unread is cut off; the end of its response follows.
    pub(super) fn push(&self, connection: &Connection, frame: Bytes) {
        if connection.peer.outbox.push(frame).is_err() {
            connection.peer.cut();
            self.tally.count(|counts| counts.slow_clients += 1);
        }
    }

    fn encode(&self, event: &Event, reader: Option<UserId>) -> Bytes {
        // Integers, strings and string keys only: nothing of that can fail to serialise.
        let json = serde_json::to_vec(&notice(event, self.listing(), reader)).unwrap_or_default();
        frame::text(&json)
    }
}
