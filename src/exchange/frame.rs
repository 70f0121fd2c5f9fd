//! WebSocket framing (RFC 6455, section 5.2) as far as the actor interface leaves it to us: the head of a frame, and
//! frames encoded once for many receivers.

use bytes::{BufMut, Bytes, BytesMut};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opcode(pub u8);

impl Opcode {
    pub const CONTINUATION: Self = Self(0);
    pub const TEXT: Self = Self(1);
    pub const CLOSE: Self = Self(8);
    pub const PING: Self = Self(9);
    pub const PONG: Self = Self(10);
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub fin: bool,
    pub opcode: Opcode,
    pub mask: Option<[u8; 4]>,
    /// Bytes of the head itself.
    pub length: usize,
    /// Bytes after the head.
    pub payload: u64,
}

impl Head {
    /// The head at the start of `bytes`; `None` if there is more of it to come.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&[first, second], rest) = bytes.split_first_chunk()?;
        let (payload, extended) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (u64::from(short), 0),
        };
        let mask = if second & 0x80 == 0 { None } else { Some(*rest[extended..].first_chunk::<4>()?) };
        let length = 2 + extended + if mask.is_some() { 4 } else { 0 };
        Some(Self { fin: first & 0x80 != 0, opcode: Opcode(first & 0x0f), mask, length, payload })
    }
}

/// A frame from server to client, which is not masked.
pub(super) fn encode(fin: bool, opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(if fin { 0x80 } else { 0 } | opcode.0);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => frame.put_u8(length),
        (_, Ok(length)) => {
            frame.put_u8(126);
            frame.put_u16(length);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(payload.len() as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

/// A text message in one frame.
pub(super) fn text(payload: &[u8]) -> Bytes {
    encode(true, Opcode::TEXT, payload)
}

/// A Close frame. `reason` is cut to what a control frame holds.
pub(super) fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = code.to_be_bytes().to_vec();
    let end = (0..=reason.len().min(123)).rev().find(|end| reason.is_char_boundary(*end));
    payload.extend_from_slice(&reason.as_bytes()[..end.unwrap_or_default()]);
    encode(true, Opcode::CLOSE, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_the_head_that_the_standard_gives_it() {
        for (length, head) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xff, 0xff]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = text(&vec![b'x'; length]);
            assert_eq!(frame[..head.len()], head);
            assert_eq!(frame.len(), head.len() + length);
            let parsed = Head::parse(&frame).expect("a whole head");
            assert_eq!((parsed.length, parsed.payload, parsed.mask), (head.len(), length as u64, None));
            assert_eq!((parsed.fin, parsed.opcode), (true, Opcode::TEXT));
            for end in 0..head.len() {
                assert_eq!(Head::parse(&frame[..end]), None);
            }
        }
    }

    #[test]
    fn a_masked_head_is_read_once_its_key_is_there() {
        let head = [0x01, 0x80 | 126, 1, 0, 9, 8, 7, 6, 0xff];
        assert_eq!(Head::parse(&head[..7]), None);
        let parsed = Head::parse(&head).expect("a whole head");
        assert_eq!(
            parsed,
            Head { fin: false, opcode: Opcode::TEXT, mask: Some([9, 8, 7, 6]), length: 8, payload: 256 }
        );
    }

    #[test]
    fn a_close_reason_is_cut_between_characters() {
        let frame = close(1001, &"é".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }
}
