//! The wire to one client: its outbox, when it was last in use, and a hold on its TCP socket.

use std::any::Any;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream as AsyncTcpStream;

use super::outbox::Outbox;
use crate::clock::Clock;
use crate::model::Stamp;

/// What of a TCP connection is needed to end it from outside. actix does not poll the actor, its timers or the response
/// of a client that does not read, so none of them can.
#[derive(Debug)]
pub(super) struct Socket(TcpStream);

impl Socket {
    /// Puts the socket of a new TCP connection where its requests find it. For `HttpServer::on_connect`.
    pub(super) fn keep(io: &dyn Any, extensions: &mut Extensions) {
        let socket = io.downcast_ref::<AsyncTcpStream>().and_then(|io| io.as_fd().try_clone_to_owned().ok());
        if let Some(socket) = socket {
            extensions.insert(Arc::new(Self(TcpStream::from(socket))));
        }
    }
}

/// The wire to one client, shared by whoever writes to it, drains it, or cuts it.
#[derive(Debug)]
pub(super) struct Peer {
    pub outbox: Arc<Outbox>,
    socket: Option<Arc<Socket>>,
    clock: Clock,
    /// When something came or went last, by [`Stamp::mono`].
    active: AtomicI64,
}

impl Peer {
    pub(super) fn new(socket: Option<Arc<Socket>>, unread_bytes_max: usize, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            outbox: Outbox::new(unread_bytes_max),
            socket,
            clock,
            active: AtomicI64::new(clock.now().mono),
        })
    }

    /// Notes that something came or went.
    pub(super) fn touch(&self) {
        self.active.fetch_max(self.clock.now().mono, Ordering::Relaxed);
    }

    /// For how long nothing has come or gone.
    pub(super) fn idle(&self, now: Stamp) -> Duration {
        Duration::from_nanos(u64::try_from(now.mono - self.active.load(Ordering::Relaxed)).unwrap_or(0))
    }

    /// Ends the TCP connection at once, whatever is still queued.
    pub(super) fn cut(&self) {
        self.outbox.close(None);
        if let Some(socket) = &self.socket {
            // It may be gone already.
            let _ = socket.0.shutdown(Shutdown::Both);
        }
    }
}
