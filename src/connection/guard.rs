//! RFC 6455 frames from bytes, with every limit checked before anything is buffered for it.

use actix_codec::Decoder;
use actix_http::ws::{Codec, Frame, Item};
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::Message;
use crate::config::Limits;

/// A message in more fragments than this ends the connection. With the limit in bytes it bounds what one message can
/// cost: fragments may be empty.
pub const FRAGMENTS_MAX: usize = 1 << 17;

/// Longest payload of a control frame (RFC 6455, section 5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// First byte of a text message in one frame (RFC 6455, section 5.2).
const FINAL_TEXT: u8 = 0x81;

/// How the peer broke the protocol or our limits. The connection cannot go on after it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A frame declares more than the limit.
    #[error("a frame of {bytes} bytes is over the limit of {bytes_max}")]
    FrameTooLarge {
        /// What it declares.
        bytes: u64,
        /// The limit.
        bytes_max: usize,
    },
    /// The fragments of a message come to more than the limit.
    #[error("a fragmented message is over the limit of {bytes_max} bytes")]
    MessageTooLarge {
        /// The limit.
        bytes_max: usize,
    },
    /// A message has more than [`FRAGMENTS_MAX`] fragments.
    #[error("a message has more than {FRAGMENTS_MAX} fragments")]
    TooManyFragments,
    /// The frame is not one of RFC 6455, or not in its place.
    #[error("not a WebSocket frame of a server: {0}")]
    Protocol(String),
}

/// What one frame comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole message.
    Message(Message),
    /// Part of a message, kept until it is whole.
    Fragment,
    /// A ping, which wants its payload back.
    Ping(Bytes),
    /// A pong.
    Pong,
    /// The peer closes, with a code and a reason if it gave them.
    Close(Option<(u16, String)>),
}

/// Takes frames from a buffer and puts fragmented messages together.
///
/// The codec below checks a frame's size only once the whole frame is in the buffer, so a peer that declares 2⁴⁰ bytes
/// would have them buffered; and it does not put fragments together at all.
#[derive(Debug)]
pub struct Guard {
    codec: Codec,
    limits: Limits,
    kind: Option<Kind>,
    parts: BytesMut,
    fragments: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Binary,
}

impl Guard {
    /// A guard at the start of a connection.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let frame_bytes_max = limits.frame_bytes_max.min(limits.message_bytes_max);
        let limits = Limits { frame_bytes_max, ..limits };
        let codec = Codec::new().client_mode().max_size(frame_bytes_max);
        Self { codec, limits, kind: None, parts: BytesMut::new(), fragments: 0 }
    }

    /// Takes the next frame out of `buffer`, if it is there whole.
    ///
    /// # Errors
    /// If what is there cannot be, or must not become, a frame. Do not call it again then.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Unit>, Violation> {
        self.check_header(buffer)?;
        if let Some(body) = self.take_plain(buffer) {
            return Ok(Some(Unit::Message(Message::Text(body))));
        }
        let frame = self.codec.decode(buffer).map_err(|error| Violation::Protocol(error.to_string()))?;
        Ok(Some(match frame {
            None => return Ok(None),
            Some(Frame::Text(body)) => Unit::Message(Message::Text(body)),
            Some(Frame::Binary(body)) => Unit::Message(Message::Binary(body)),
            Some(Frame::Ping(body)) => Unit::Ping(body),
            Some(Frame::Pong(_)) => Unit::Pong,
            Some(Frame::Close(reason)) => {
                Unit::Close(reason.map(|reason| (reason.code.into(), reason.description.unwrap_or_default())))
            }
            Some(Frame::Continuation(item)) => self.assemble(item)?,
        }))
    }

    /// Whether part of a message has come and the rest has not.
    #[must_use]
    pub fn is_inside_message(&self) -> bool {
        self.kind.is_some()
    }

    /// Refuses a frame by its first bytes, as soon as they are there.
    fn check_header(&self, buffer: &[u8]) -> Result<(), Violation> {
        let (opcode, bytes) = match *buffer {
            [first, second, ref rest @ ..] => {
                let bytes = match (second & 0x7f, rest) {
                    (126, [a, b, ..]) => u64::from(u16::from_be_bytes([*a, *b])),
                    (127, [a, b, c, d, e, f, g, h, ..]) => u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
                    (126 | 127, _) => return Ok(()),
                    (short, _) => u64::from(short),
                };
                (first & 0x0f, bytes)
            }
            _ => return Ok(()),
        };
        if opcode >= 8 && bytes > CONTROL_BYTES_MAX {
            return Err(Violation::Protocol(format!("a control frame of {bytes} bytes")));
        }
        if bytes > self.limits.frame_bytes_max as u64 {
            return Err(Violation::FrameTooLarge { bytes, bytes_max: self.limits.frame_bytes_max });
        }
        Ok(())
    }

    /// Takes what nearly every frame is, a whole text without a mask, which needs no codec.
    fn take_plain(&self, buffer: &mut BytesMut) -> Option<Bytes> {
        let (head, length) = match **buffer {
            [FINAL_TEXT, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([a, b]))),
            [FINAL_TEXT, short @ 0..126, ..] => (2, usize::from(short)),
            _ => return None,
        };
        if self.is_inside_message() || buffer.len() < head + length {
            return None;
        }
        buffer.advance(head);
        Some(buffer.split_to(length).freeze())
    }

    fn assemble(&mut self, item: Item) -> Result<Unit, Violation> {
        let (part, last) = match item {
            Item::FirstText(part) => (self.begin(Kind::Text, part), false),
            Item::FirstBinary(part) => (self.begin(Kind::Binary, part), false),
            Item::Continue(part) => (part, false),
            Item::Last(part) => (part, true),
        };
        self.fragments += 1;
        if self.fragments > FRAGMENTS_MAX {
            return Err(Violation::TooManyFragments);
        }
        if self.parts.len() + part.len() > self.limits.message_bytes_max {
            return Err(Violation::MessageTooLarge { bytes_max: self.limits.message_bytes_max });
        }
        self.parts.extend_from_slice(&part);
        // The codec lets no continuation through outside of a message.
        match self.kind.filter(|_| last) {
            None => Ok(Unit::Fragment),
            Some(kind) => {
                self.kind = None;
                let body = std::mem::take(&mut self.parts).freeze();
                Ok(Unit::Message(match kind {
                    Kind::Text => Message::Text(body),
                    Kind::Binary => Message::Binary(body),
                }))
            }
        }
    }

    fn begin(&mut self, kind: Kind, part: Bytes) -> Bytes {
        self.kind = Some(kind);
        self.fragments = 0;
        part
    }
}
