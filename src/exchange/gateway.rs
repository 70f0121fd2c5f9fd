//! The gateway: the actor of one WebSocket connection. It reads; what is written goes through the client's outbox.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix::{Actor, ActorContext as _, StreamHandler};
use actix_http::ws::{Codec, Item, Message, ProtocolError};
use actix_web::error::Error;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, WebsocketContext};
use bytes::Bytes;
use futures_util::Stream;

use super::engine::ConnectionId;
use super::frame::{self, Opcode};
use super::inbound::{Guard, Inbound};
use super::outbox::Drain;
use super::peer::{Peer, Socket};
use super::shared::Shared;
use crate::crypto::{Nonce, OsRandomness, Randomness as _};
use crate::venue::coinflex::wire::{Command, Request};

/// Close codes of RFC 6455, section 7.4.1.
mod close {
    pub const NORMAL: u16 = 1000;
    pub const PROTOCOL: u16 = 1002;
    pub const UNSUPPORTED: u16 = 1003;
    pub const INVALID: u16 = 1007;
    pub const TOO_LARGE: u16 = 1009;
}

/// The actor of one WebSocket connection.
struct Gateway {
    shared: Arc<Shared>,
    peer: Arc<Peer>,
    id: ConnectionId,
    nonce: Nonce,
    /// What has come of a message in several frames.
    fragments: Option<Vec<u8>>,
    too_long: Rc<Cell<bool>>,
}

/// The routes of the WebSocket: CoinFLEX's clients connect to `/v1`, Coinfloor's to `/`.
pub(super) fn routes(app: &mut web::ServiceConfig, at_root: bool) {
    app.route("/v1", web::get().to(upgrade));
    if at_root {
        app.route("/", web::get().to(upgrade));
    }
}

async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    shared: web::Data<Shared>,
) -> Result<HttpResponse, Error> {
    let mut response = ws::handshake(&request)?;
    let shared = shared.into_inner();
    let peer = Peer::new(request.conn_data::<Arc<Socket>>().cloned(), shared.limits.unread_bytes_max, shared.clock);
    let nonce = OsRandomness.nonce();
    let id = shared.floor().open(peer.clone(), nonce);
    let message_bytes_max = shared.limits.message_bytes_max;
    let guard = Guard::new(message_bytes_max);
    let gateway =
        Gateway { shared: shared.clone(), peer: peer.clone(), id, nonce, fragments: None, too_long: guard.too_long() };
    let inbound = Inbound { stream: payload, peer: peer.clone(), guard };
    let codec = Codec::new().max_size(message_bytes_max);
    let actor = Box::pin(WebsocketContext::with_codec(gateway, inbound, codec));
    Ok(response.streaming(Outbound { actor, drain: Drain(peer.outbox.clone()), peer, shared, id }))
}

impl Gateway {
    fn receive(&mut self, text: &str) {
        let now = self.shared.clock.now();
        self.shared.tally.count(|counts| counts.commands += 1);
        match Request::decode(text) {
            Ok(Request { tag, command: Command::Authenticate(login) }) => {
                self.shared.tally.count(|counts| counts.logins += 1);
                let outcome = self.shared.directory.authenticate(self.nonce, &login, now);
                self.shared.floor().login(self.id, tag, outcome);
            }
            Ok(request) => self.shared.floor().receive(self.id, request, now),
            Err(error) => self.shared.floor().refuse(self.id, error.tag, &error.refusal),
        }
    }

    /// Assembles a message that comes in several frames; `Err` with the close code if it cannot be taken.
    fn continued(&mut self, item: Item) -> Result<(), (u16, &'static str)> {
        let (part, is_last) = match item {
            Item::FirstText(part) => {
                self.fragments = Some(Vec::new());
                (part, false)
            }
            Item::FirstBinary(_) => return Err((close::UNSUPPORTED, "text only")),
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        let Some(fragments) = &mut self.fragments else { return Err((close::PROTOCOL, "nothing to continue")) };
        if fragments.len() + part.len() > self.shared.limits.message_bytes_max {
            return Err((close::TOO_LARGE, "message too long"));
        }
        fragments.extend_from_slice(&part);
        if is_last {
            let message = self.fragments.take().unwrap_or_default();
            let text = String::from_utf8(message).map_err(|_| (close::INVALID, "not UTF-8"))?;
            self.receive(&text);
        }
        Ok(())
    }

    /// Ends the connection after what is queued and a Close frame.
    fn close(&self, code: u16, reason: &str, context: &mut WebsocketContext<Self>) {
        self.peer.outbox.close(Some(frame::close(code, reason)));
        context.stop();
    }
}

impl Actor for Gateway {
    type Context = WebsocketContext<Self>;
}

impl StreamHandler<Result<Message, ProtocolError>> for Gateway {
    fn handle(&mut self, message: Result<Message, ProtocolError>, context: &mut Self::Context) {
        match message {
            Ok(Message::Text(text)) => self.receive(&text),
            Ok(Message::Continuation(item)) => {
                if let Err((code, reason)) = self.continued(item) {
                    self.close(code, reason, context);
                }
            }
            Ok(Message::Ping(payload)) => {
                if self.peer.outbox.push(frame::encode(true, Opcode::PONG, &payload)).is_err() {
                    self.peer.cut();
                }
            }
            Ok(Message::Pong(_) | Message::Nop) => {}
            Ok(Message::Binary(_)) => self.close(close::UNSUPPORTED, "text only", context),
            Ok(Message::Close(reason)) => {
                let code = reason.map_or(close::NORMAL, |reason| u16::from(reason.code));
                self.close(code, "", context);
            }
            Err(ProtocolError::Overflow) => self.close(close::TOO_LARGE, "message too long", context),
            Err(ProtocolError::Io(_)) if self.too_long.get() => {
                self.close(close::TOO_LARGE, "message too long", context);
            }
            // Text that is not UTF-8 is `Other`, reserved bits are `InvalidData`; or the connection broke, and nobody
            // reads this.
            Err(ProtocolError::Io(error)) if error.kind() == io::ErrorKind::Other => {
                self.close(close::INVALID, "not UTF-8", context)
            }
            Err(_) => self.close(close::PROTOCOL, "protocol error", context),
        }
    }

    fn finished(&mut self, context: &mut Self::Context) {
        self.peer.outbox.close(None);
        context.stop();
    }
}

/// The response: runs the actor, and yields what is in the outbox. Its end is the connection's.
struct Outbound<A> {
    actor: Pin<Box<A>>,
    drain: Drain,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    id: ConnectionId,
}

impl<A: Stream<Item = Result<Bytes, Error>>> Stream for Outbound<A> {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        // The actor writes nothing itself. Once it has ended, so has the outbox.
        while let Poll::Ready(Some(_)) = this.actor.as_mut().poll_next(cx) {}
        let chunk = std::task::ready!(Pin::new(&mut this.drain).poll_next(cx));
        if chunk.is_some() {
            this.peer.touch();
        }
        Poll::Ready(chunk.map(Ok))
    }
}

impl<A> Drop for Outbound<A> {
    fn drop(&mut self) {
        self.shared.floor().end(self.id, self.shared.clock.now());
    }
}
