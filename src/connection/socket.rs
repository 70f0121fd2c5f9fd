//! A WebSocket connection from its upgrade to its end, as RFC 6455 wants a client to behave on it.
//!
//! It knows no session and no actor: whoever has a [`Socket`] gets messages out of it and puts messages in. Pings are
//! answered, silence is asked about and ends the connection, limits hold, and the first thing that goes wrong is the
//! last thing that is told.

use std::io::{self, ErrorKind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use actix_codec::Encoder;
use actix_http::ws;
use awc::BoxedSocket;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::future::{Future, poll_fn};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::guard::{Guard, Unit, Violation};
use crate::config::{Limits, Pace};
use crate::journal::Closed;
use crate::model::CloseCause;

/// Most bytes taken from the kernel at once: the chunk that shares a time of arrival.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// A read buffer that a large message made larger than this is given back after it.
const KEPT_BYTES_MAX: usize = 256 * 1024;

/// With more than this unsent, only the latest ping is answered (RFC 6455, section 5.5.3 allows it): a peer that floods
/// us with pings and takes no answers costs no memory.
const UNSENT_PONGS_BYTES_MAX: usize = 64 * 1024;

/// The closing handshake is over after this, whatever the peer does.
pub const CLOSING_MAX: Duration = Duration::from_secs(2);

/// A message of the connection's user, not of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text as received, which need not be UTF-8: what arrived is kept, and told apart by whoever reads it.
    Text(Bytes),
    /// Anything else.
    Binary(Bytes),
}

/// An open WebSocket.
pub struct Socket {
    io: BoxedSocket,
    guard: Guard,
    encoder: ws::Codec,
    unread: BytesMut,
    unsent: BytesMut,
    /// What is left to do for `unsent` to be on its way: a TLS layer has a buffer of its own.
    unflushed: bool,
    pong: Option<Bytes>,
    pace: Pace,
    /// When bytes last arrived.
    heard_at: Instant,
    /// Since when silence counts: from then on, or from when the socket was read again.
    silent_since: Instant,
    pinged: bool,
    stuck_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    close_sent: bool,
    end: Option<Closed>,
}

impl Socket {
    /// The socket of a finished upgrade; `unread` is what came behind the answer to it.
    #[must_use]
    pub fn new(io: BoxedSocket, unread: BytesMut, limits: Limits, pace: Pace) -> Self {
        let now = Instant::now();
        Self {
            io,
            guard: Guard::new(limits),
            encoder: ws::Codec::new().client_mode(),
            unread,
            unsent: BytesMut::new(),
            unflushed: false,
            pong: None,
            pace,
            heard_at: now,
            silent_since: now,
            pinged: false,
            stuck_since: None,
            timer: Box::pin(sleep_until(now + pace.ping_after)),
            close_sent: false,
            end: None,
        }
    }

    /// The next message of what has arrived; `None` if that is none yet, then await [`Socket::ready`].
    ///
    /// # Errors
    /// How the connection ended, once everything that came before is taken out.
    pub fn receive(&mut self) -> Result<Option<Message>, Closed> {
        loop {
            if let Some(end) = &self.end {
                return Err(end.clone());
            }
            match self.guard.decode(&mut self.unread) {
                Ok(None) => return Ok(None),
                Ok(Some(Unit::Message(message))) => return Ok(Some(message)),
                Ok(Some(Unit::Fragment | Unit::Pong)) => {}
                Ok(Some(Unit::Ping(payload))) => self.answer(payload),
                Ok(Some(Unit::Close(reason))) => {
                    self.queue_close(reason.as_ref().map(|(code, _)| *code));
                    let code = reason.as_ref().map(|(code, _)| i64::from(*code));
                    let detail = reason.map_or_else(String::new, |(_, reason)| reason);
                    return Err(self.end(CloseCause::ClosedByPeer, code, detail));
                }
                Err(violation) => {
                    let (cause, code) = match violation {
                        Violation::Protocol(_) => (CloseCause::Protocol, ws::CloseCode::Protocol),
                        _ => (CloseCause::TooLarge, ws::CloseCode::Size),
                    };
                    self.queue_close(Some(code.into()));
                    return Err(self.end(cause, None, violation.to_string()));
                }
            }
        }
    }

    /// Waits until more has arrived, sending what is to be sent meanwhile. Take out everything by [`Socket::receive`]
    /// first. May be dropped and called again at any time.
    ///
    /// # Errors
    /// How the connection ended.
    pub async fn ready(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// Queues a message; it leaves while [`Socket::ready`] or [`Socket::flush`] is awaited.
    ///
    /// # Errors
    /// How the connection ended; also if it has now, because a text is not UTF-8 and must not be sent.
    pub fn send(&mut self, message: Message) -> Result<(), Closed> {
        if let Some(end) = &self.end {
            return Err(end.clone());
        }
        let message = match message {
            Message::Binary(body) => ws::Message::Binary(body),
            Message::Text(body) => match body.try_into() {
                Ok(text) => ws::Message::Text(text),
                Err(_) => {
                    self.queue_close(Some(ws::CloseCode::Invalid.into()));
                    return Err(self.end(CloseCause::Protocol, None, "a text to send is not UTF-8".to_owned()));
                }
            },
        };
        self.queue(message);
        Ok(())
    }

    /// Waits until everything queued is with the operating system.
    ///
    /// # Errors
    /// How the connection ended; [`CloseCause::TimedOut`] if the peer takes nothing for as long as a ping's answer may
    /// take.
    pub async fn flush(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| {
            if let Some(end) = &self.end {
                return Poll::Ready(Err(end.clone()));
            }
            if self.poll_write(cx)?.is_ready() {
                return Poll::Ready(Ok(()));
            }
            self.poll_timer(cx)
        })
        .await
    }

    /// Starts the wait for a sign of life anew: to be called after a time in which the socket was not read.
    pub fn excuse_silence(&mut self) {
        self.silent_since = Instant::now();
        self.pinged = false;
    }

    /// How long nothing has arrived.
    #[must_use]
    pub fn silence(&self) -> Duration {
        self.heard_at.elapsed()
    }

    /// Ends the connection in the way the protocol wants, in [`CLOSING_MAX`] at most: sends a Close if none was sent,
    /// and drops the socket when the peer has hung up.
    pub async fn close(mut self, code: ws::CloseCode) {
        self.queue_close(Some(code.into()));
        let gone = |end: &Closed| {
            matches!(
                end.cause,
                CloseCause::EndOfStream | CloseCause::Transport | CloseCause::Silent | CloseCause::TimedOut
            )
        };
        if self.end.as_ref().is_some_and(gone) {
            return;
        }
        let handshake = async {
            poll_fn(|cx| self.poll_write(cx)).await?;
            // Closing with bytes unread would send a reset, which may overtake our Close.
            loop {
                self.unread.clear();
                poll_fn(|cx| self.poll_read(cx)).await?;
            }
        };
        let _: Result<Result<(), Closed>, _> = timeout(CLOSING_MAX, handshake).await;
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if let Some(end) = &self.end {
            return Poll::Ready(Err(end.clone()));
        }
        let _ = self.poll_write(cx)?;
        if self.poll_read(cx)?.is_ready() {
            self.heard_at = Instant::now();
            self.silent_since = self.heard_at;
            self.pinged = false;
            return Poll::Ready(Ok(()));
        }
        self.poll_timer(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if self.unread.is_empty() && self.unread.capacity() > KEPT_BYTES_MAX {
            self.unread = BytesMut::new();
        }
        self.unread.reserve(CHUNK_BYTES_MAX);
        let mut chunk = (&mut self.unread).limit(CHUNK_BYTES_MAX);
        let read = ready!(pin!(self.io.read_buf(&mut chunk)).poll(cx));
        Poll::Ready(match read {
            Ok(0) if self.guard.is_inside_message() || !self.unread.is_empty() => {
                Err(self.end(CloseCause::EndOfStream, None, "the stream ended inside a message".to_owned()))
            }
            Ok(0) => Err(self.end(CloseCause::EndOfStream, None, String::new())),
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(&error)),
        })
    }

    /// Ready when nothing is left to send.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        loop {
            while !self.unsent.is_empty() {
                match Pin::new(&mut self.io).poll_write(cx, &self.unsent) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(self.fail(&ErrorKind::WriteZero.into()))),
                    Poll::Ready(Ok(bytes)) => {
                        self.unsent.advance(bytes);
                        self.unflushed = true;
                        self.stuck_since = None;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(&error))),
                    Poll::Pending => return self.stuck(),
                }
            }
            if self.unflushed {
                match Pin::new(&mut self.io).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.unflushed = false,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(self.fail(&error))),
                    Poll::Pending => return self.stuck(),
                }
            }
            self.stuck_since = None;
            match self.pong.take() {
                Some(payload) => self.queue(ws::Message::Pong(payload)),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn stuck(&mut self) -> Poll<Result<(), Closed>> {
        self.stuck_since.get_or_insert_with(Instant::now);
        Poll::Pending
    }

    /// Pings a silent peer, and ends the connection to one that is silent or takes nothing for too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        let Pace { ping_after, dead_after, .. } = self.pace;
        loop {
            let wait = if self.pinged { ping_after + dead_after } else { ping_after };
            let silent_at = self.silent_since + wait;
            let stuck_at = self.stuck_since.map(|since| since + dead_after);
            let at = stuck_at.map_or(silent_at, |stuck_at| stuck_at.min(silent_at));
            if self.timer.deadline() != at {
                self.timer.as_mut().reset(at);
            }
            ready!(self.timer.as_mut().poll(cx));
            if stuck_at == Some(at) {
                let detail = format!("the peer took nothing for {dead_after:?}");
                return Poll::Ready(Err(self.end(CloseCause::TimedOut, None, detail)));
            }
            if self.pinged {
                let detail = format!("nothing came for {wait:?}, a ping was not answered");
                return Poll::Ready(Err(self.end(CloseCause::Silent, None, detail)));
            }
            self.pinged = true;
            self.queue(ws::Message::Ping(Bytes::new()));
            let _ = self.poll_write(cx)?;
        }
    }

    fn answer(&mut self, payload: Bytes) {
        if self.unsent.len() < UNSENT_PONGS_BYTES_MAX {
            self.queue(ws::Message::Pong(payload));
        } else {
            // A copy, so that the payload does not hold on to the chunk it came in.
            self.pong = Some(Bytes::copy_from_slice(&payload));
        }
    }

    fn queue_close(&mut self, code: Option<u16>) {
        if !self.close_sent && self.end.is_none() {
            self.queue(ws::Message::Close(code.map(|code| ws::CloseCode::from(code).into())));
            self.close_sent = true;
        }
    }

    fn queue(&mut self, message: ws::Message) {
        // Only fragments can be refused, and there are none of ours.
        let _ = self.encoder.encode(message, &mut self.unsent);
    }

    fn fail(&mut self, error: &io::Error) -> Closed {
        match error.kind() {
            ErrorKind::UnexpectedEof => {
                self.end(CloseCause::EndOfStream, None, "the stream ended without a close of TLS".to_owned())
            }
            _ => self.end(CloseCause::Transport, None, error.to_string()),
        }
    }

    fn end(&mut self, cause: CloseCause, code: Option<i64>, detail: String) -> Closed {
        self.end.get_or_insert(Closed { code, ..Closed::new(cause, detail) }).clone()
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("end", &self.end).finish_non_exhaustive()
    }
}
