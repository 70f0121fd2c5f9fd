//! What a client sends, with every frame's declared length checked before the frame is buffered: the codec behind the
//! actor buffers a whole frame before it looks at the length.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::Stream;

use super::frame::Head;
use super::peer::Peer;

/// Longest head of a frame: 2 bytes, 8 of length, 4 of mask.
const HEAD_BYTES_MAX: usize = 14;

/// The guarded stream of bytes from a client.
pub(super) struct Inbound<S> {
    pub stream: S,
    pub peer: Arc<Peer>,
    pub guard: Guard,
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Inbound<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.guard.too_long.get() {
            return Poll::Ready(None);
        }
        let item = std::task::ready!(Pin::new(&mut self.stream).poll_next(cx));
        let Some(Ok(chunk)) = item else { return Poll::Ready(item) };
        self.peer.touch();
        let accepted = self.guard.accepts(&chunk);
        Poll::Ready(Some(if accepted { Ok(chunk) } else { Err(PayloadError::Overflow) }))
    }
}

/// Follows the frames in a stream of bytes.
pub(super) struct Guard {
    frame_bytes_max: u64,
    /// Start of a head whose rest has not come yet.
    head: Vec<u8>,
    /// Bytes of the current frame that are to come.
    payload: u64,
    too_long: Rc<Cell<bool>>,
}

impl Guard {
    pub(super) fn new(frame_bytes_max: usize) -> Self {
        Self {
            frame_bytes_max: frame_bytes_max as u64,
            head: Vec::with_capacity(HEAD_BYTES_MAX),
            payload: 0,
            too_long: Rc::default(),
        }
    }

    /// Becomes `true` when a frame is too long, which the actor cannot tell from other errors.
    pub(super) fn too_long(&self) -> Rc<Cell<bool>> {
        self.too_long.clone()
    }

    /// Whether no frame that begins in `bytes` declares too much.
    fn accepts(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.payload > 0 {
                let skipped = bytes.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX));
                self.payload -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            let before = self.head.len();
            self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD_BYTES_MAX - before)]);
            let Some(head) = Head::parse(&self.head) else { return true };
            if head.payload > self.frame_bytes_max {
                self.too_long.set(true);
                return false;
            }
            bytes = &bytes[head.length - before..];
            self.payload = head.payload;
            self.head.clear();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(length: u64) -> Vec<u8> {
        let mut frame = match length {
            0..126 => vec![0x81, 0x80 | length as u8],
            126..65_536 => [&[0x81, 0x80 | 126][..], &(length as u16).to_be_bytes()].concat(),
            _ => [&[0x81, 0x80 | 127][..], &length.to_be_bytes()].concat(),
        };
        frame.extend([1, 2, 3, 4]);
        frame
    }

    #[test]
    fn a_declared_length_beyond_the_limit_is_refused_with_its_last_byte() {
        let mut guard = Guard::new(100_000);
        let head = masked(1 << 40);
        for byte in &head[..head.len() - 1] {
            assert!(guard.accepts(&[*byte]));
        }
        assert!(!guard.accepts(&head[head.len() - 1..]));
        assert!(guard.too_long().get());
    }

    proptest! {
        #[test]
        fn frames_within_the_limit_pass_however_they_are_cut(
            lengths in prop::collection::vec(0u64..70_000, 1..5), cut in 1usize..1_000,
        ) {
            let bytes: Vec<u8> =
                lengths.iter().flat_map(|&length| [masked(length), vec![0xff; length as usize]].concat()).collect();
            let mut guard = Guard::new(70_000);
            prop_assert!(bytes.chunks(cut).all(|chunk| guard.accepts(chunk)));
            prop_assert_eq!((guard.payload, guard.head.len()), (0, 0));
            prop_assert!(!guard.accepts(&masked(70_001)));
        }
    }
}
