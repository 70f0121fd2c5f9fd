//! Connections: opened, logged in, told to go, cut off, ended.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;
use serde::Serialize;

use super::{Connection, Floor};
use crate::clock::nanos;
use crate::crypto::Nonce;
use crate::exchange::engine::ConnectionId;
use crate::exchange::frame;
use crate::exchange::peer::Peer;
use crate::exchange::rate::Recent;
use crate::model::{Stamp, UserId};
use crate::venue::coinflex::wire::{Done, Notice, Refusal, Reply, Welcome};

/// How long a client that was told to go may take to answer before it is cut off.
const PARTING_MAX: Duration = Duration::from_secs(2);

/// Close code of RFC 6455, section 7.4.1: the endpoint is going away.
const GOING_AWAY: u16 = 1001;

impl Floor {
    /// Takes a new connection and greets it.
    pub(in crate::exchange) fn open(&mut self, peer: Arc<Peer>, nonce: Nonce) -> ConnectionId {
        let id = self.next_connection();
        let connection = Connection {
            peer,
            user: None,
            watching: HashSet::default(),
            information: Recent::default(),
            estimates: Recent::default(),
            parting: None,
        };
        self.connections.insert(id, connection);
        self.tally.count(|counts| counts.connections += 1);
        self.send(id, &Notice::Welcome(Welcome { nonce: nonce.to_base64(), warning: None }));
        id
    }

    pub(super) fn next_connection(&mut self) -> ConnectionId {
        self.last_connection.0 += 1;
        self.last_connection
    }

    /// Answers a login; if it was right, the connection is that user's from here on.
    pub(in crate::exchange) fn login(&mut self, id: ConnectionId, tag: Option<i64>, outcome: Result<UserId, Refusal>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match outcome {
            Ok(user) => {
                if let Some(previous) = connection.user.replace(user) {
                    forget(&mut self.logged_in, &previous, id);
                }
                self.logged_in.entry(user).or_default().push(id);
                self.send(id, &Reply::success(tag, Done {}));
            }
            Err(refusal) => self.send(id, &Reply::refused(tag, &refusal)),
        }
    }

    /// The connection is gone: forgets it and cancels the orders that lived with it.
    pub(in crate::exchange) fn end(&mut self, id: ConnectionId, now: Stamp) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(user) = connection.user {
            forget(&mut self.logged_in, &user, id);
        }
        for watched in connection.watching {
            forget(&mut self.watching, &watched, id);
        }
        self.engine.disconnect(now.into(), id, &mut self.events);
        self.tally.count(|counts| counts.disconnections += 1);
        self.publish();
    }

    /// Tells idle clients to go, and cuts off those that do not.
    pub(super) fn sweep(&mut self, now: Stamp) {
        for connection in self.connections.values_mut() {
            match connection.parting {
                None if connection.peer.idle(now) >= self.limits.idle => {
                    connection.part("no traffic for too long", now);
                }
                Some(since) if now.mono - since.mono >= nanos(PARTING_MAX) => connection.peer.cut(),
                None | Some(_) => {}
            }
        }
        self.streams.keep_alive(now);
    }

    /// Tells every client to go.
    pub(in crate::exchange) fn part_all(&mut self, now: Stamp) {
        for connection in self.connections.values_mut() {
            connection.part("the exchange is stopping", now);
        }
        self.streams.close();
    }

    /// Cuts off whoever has not gone.
    pub(in crate::exchange) fn cut_all(&mut self) {
        for connection in self.connections.values() {
            connection.peer.cut();
        }
    }

    /// Queues a message for one client.
    pub(super) fn send(&mut self, id: ConnectionId, message: &impl Serialize) {
        let Some(connection) = self.connections.get(&id) else { return };
        match serde_json::to_vec(message) {
            Ok(json) => {
                self.push(connection, frame::text(&json));
                self.tally.count(|counts| counts.frames_sent += 1);
            }
            Err(error) => tracing::error!(%error, "a reply could not be encoded"),
        }
    }
}

impl Connection {
    fn part(&mut self, reason: &str, now: Stamp) {
        if self.parting.is_none() {
            self.parting = Some(now);
            self.peer.outbox.part(frame::close(GOING_AWAY, reason));
        }
    }
}

/// Takes a connection out of a list of them, and the list out of the map if that was the last.
pub(super) fn forget<K: std::hash::Hash + Eq>(
    lists: &mut foldhash::HashMap<K, Vec<ConnectionId>>,
    key: &K,
    id: ConnectionId,
) {
    if let Some(list) = lists.get_mut(key) {
        list.retain(|listed| *listed != id);
        if list.is_empty() {
            lists.remove(key);
        }
    }
}
