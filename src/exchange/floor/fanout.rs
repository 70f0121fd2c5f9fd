//! Telling everybody whom an event concerns: each copy is encoded once and shared by all who get it.

use bytes::Bytes;

use super::Floor;
use crate::exchange::engine::{ConnectionId, Event, Recipients};
use crate::exchange::frame;
use crate::exchange::notices::notice;
use crate::model::{Stamp, UserId};

impl Floor {
    /// Tells everybody what the engine said since the last time. Who does not read is cut off, which may have more to
    /// tell (its orders that are cancelled then), until there is nothing more.
    pub(in crate::exchange) fn publish(&mut self, now: Stamp) {
        while !self.events.is_empty() {
            let mut events = std::mem::take(&mut self.events);
            self.streams.record(&events, &self.engine, &self.customers);
            let mut sent = 0;
            let mut slow = Vec::new();
            for event in &events {
                sent += self.tell(event, &mut slow);
            }
            self.tally.count(|counts| counts.frames_sent += sent);
            events.clear();
            self.events = events;
            for id in slow {
                self.cut_slow(id, now);
            }
        }
    }

    /// Tells one event, and returns how many were told.
    fn tell(&self, event: &Event, slow: &mut Vec<ConnectionId>) -> u64 {
        let Recipients { owners, watchers } = event.recipients();
        let mut sent = 0;
        for owner in owners.into_iter().flatten() {
            if let Some(connections) = self.logged_in.get(&owner) {
                let copy = self.encode(event, Some(owner));
                sent += self.push(&copy, connections.iter(), slow);
            }
        }
        if let Some(connections) = watchers.and_then(|watchers| self.watching.get(&watchers)) {
            let is_public = |id: &&ConnectionId| {
                let user = self.connections.get(*id).and_then(|connection| connection.user);
                user.is_none() || !owners.contains(&user)
            };
            let mut public = connections.iter().filter(is_public).peekable();
            if public.peek().is_some() {
                let copy = self.encode(event, None);
                sent += self.push(&copy, public, slow);
            }
        }
        sent
    }

    fn push<'a>(
        &self,
        copy: &Bytes,
        connections: impl Iterator<Item = &'a ConnectionId>,
        slow: &mut Vec<ConnectionId>,
    ) -> u64 {
        let mut sent = 0;
        for id in connections {
            let Some(connection) = self.connections.get(id) else { continue };
            match connection.peer.outbox.push(copy.clone()) {
                Ok(()) => sent += 1,
                Err(_) if slow.contains(id) => {}
                Err(_) => slow.push(*id),
            }
        }
        sent
    }

    fn encode(&self, event: &Event, reader: Option<UserId>) -> Bytes {
        // Integers, strings and string keys only: nothing of that can fail to serialise.
        let json = serde_json::to_vec(&notice(event, self.listing(), reader)).unwrap_or_default();
        frame::text(&json)
    }
}
