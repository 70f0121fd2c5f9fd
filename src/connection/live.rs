//! One session, from dialling to close: all that dies with its socket.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::Progress;
use super::rests::Rests;
use super::socket::{Message, Socket};
use crate::clock::nanos;
use crate::crypto::Secret;
use crate::journal::{Closed, Input, Plan, RestAnswer, Tape};
use crate::model::{Stamp, Timestamp};

/// A session with its socket.
pub(super) struct Live {
    pub(super) tape: Tape,
    pub(super) plan: Arc<Plan>,
    pub(super) link: Link,
    pub(super) rests: Rests,
    /// Since when the socket is open, by the monotonic clock.
    pub(super) opened_at: Option<i64>,
    /// Since when it has all that the session has which it is to take over from, by the monotonic clock.
    pub(super) complete_at: Option<i64>,
    /// When a login that was withheld may be tried.
    pub(super) login_at: Option<i64>,
    /// A login that goes out when its record is durable.
    pub(super) login: Option<Recorded>,
}

/// A login of which there is a record, so that it counts whatever happens to the process.
pub(super) struct Recorded {
    pub(super) text: Secret,
    /// The batch with its record, once that is shipped.
    pub(super) batch: Option<u64>,
}

/// The way to the venue.
pub(super) enum Link {
    Dialling(Pin<Box<dyn Future<Output = Dialled>>>),
    Open(Box<Socket>),
}

/// What dialling comes to.
pub(super) type Dialled = Result<(Box<Socket>, SocketAddr), Closed>;

/// What happens to a session.
pub(super) enum Happening {
    /// A REST answer came; whether it is secret.
    Rest(RestAnswer, Bytes, bool),
    /// Dialling is over.
    Dialled(Dialled),
    /// Something arrived, or the socket has ended.
    Arrived(Result<(), Closed>),
}

impl Live {
    /// Waits for something to happen; what arrives on the socket only if it is to be read.
    async fn happens(&mut self, reading: bool) -> Happening {
        tokio::select! {
            biased;
            (answer, body, is_secret) = self.rests.answered() => Happening::Rest(answer, body, is_secret),
            happening = self.link.happens(reading) => happening,
        }
    }

    /// Takes everything that has arrived, as of `at`. `Some`: how the socket ended.
    pub(super) fn receive(&mut self, at: Stamp, progress: &Progress) -> Option<Closed> {
        let Link::Open(socket) = &mut self.link else { return None };
        let (mut frames, mut bytes) = (0, 0);
        let ended = loop {
            let body = match socket.receive() {
                Ok(Some(Message::Text(body))) => {
                    self.tape.feed(at, &Input::Received(&body));
                    body
                }
                Ok(Some(Message::Binary(body))) => {
                    self.tape.feed(at, &Input::ReceivedBinary(&body));
                    body
                }
                Ok(None) => break None,
                Err(closed) => break Some(closed),
            };
            frames += 1;
            bytes += body.len() as u64;
        };
        if frames > 0 {
            progress.receive(frames, bytes, at.wall);
        }
        ended
    }

    /// When bytes last arrived, as the wall clock has it that shows `now`.
    pub(super) fn heard_at(&self, now: Stamp) -> Option<Timestamp> {
        let Link::Open(socket) = &self.link else { return None };
        Some(Timestamp(now.wall.0.saturating_sub(nanos(socket.silence()))))
    }

    /// Does not take silence amiss that was ours, because the socket was not read.
    pub(super) fn excuse_silence(&mut self) {
        if let Link::Open(socket) = &mut self.link {
            socket.excuse_silence();
        }
    }
}

impl Link {
    /// Waits for the socket to be open, or, if it is to be read, for something to arrive on it.
    async fn happens(&mut self, reading: bool) -> Happening {
        match self {
            Self::Dialling(dialling) => Happening::Dialled(dialling.await),
            Self::Open(socket) if reading => Happening::Arrived(socket.ready().await),
            Self::Open(_) => pending().await,
        }
    }
}

/// Waits for something to happen to one of the sessions, of which there are one or two; says to which.
pub(super) async fn happens(lives: &mut [Live], reading: bool) -> (usize, Happening) {
    match lives {
        [one] => (0, one.happens(reading).await),
        [one, other] => tokio::select! {
            happening = one.happens(reading) => (0, happening),
            happening = other.happens(reading) => (1, happening),
        },
        _ => pending().await,
    }
}
