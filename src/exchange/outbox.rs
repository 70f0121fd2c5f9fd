//! What waits to be written to one client: bounded in bytes, filled under the floor's lock, drained by the response.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;

/// The queue to one client. Chunks are shared with the queues of other clients.
#[derive(Debug)]
pub(super) struct Outbox {
    state: Mutex<State>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Bytes>,
    bytes: usize,
    parting: bool,
    closed: bool,
    waker: Option<Waker>,
}

/// The client does not read fast enough: what it has not read exceeds the bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), bytes_max })
    }

    /// Appends a chunk. After [`Outbox::part`] or [`Outbox::close`] it is dropped.
    pub(super) fn push(&self, chunk: Bytes) -> Result<(), Overflow> {
        let mut state = self.lock();
        if state.parting || state.closed {
            return Ok(());
        }
        // A single chunk of any size may go to a client that has read everything.
        if !state.queue.is_empty() && state.bytes + chunk.len() > self.bytes_max {
            return Err(Overflow);
        }
        state.bytes += chunk.len();
        state.queue.push_back(chunk);
        state.wake();
        Ok(())
    }

    /// Says `farewell` after what was pushed before, and takes no more; the stream stays open for the client's answer.
    pub(super) fn part(&self, farewell: Bytes) {
        let mut state = self.lock();
        if !state.parting && !state.closed {
            state.parting = true;
            state.queue.push_back(farewell);
            state.wake();
        }
    }

    /// Ends the stream after `last` (unless a farewell was said) and what was pushed before.
    pub(super) fn close(&self, last: Option<Bytes>) {
        let mut state = self.lock();
        if !state.closed {
            state.closed = true;
            let parting = state.parting;
            state.queue.extend(last.filter(|_| !parting));
            state.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// The reading end of an [`Outbox`].
pub(super) struct Drain(pub Arc<Outbox>);

impl Stream for Drain {
    type Item = Bytes;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.0.lock();
        match state.queue.pop_front() {
            Some(chunk) => {
                state.bytes = state.bytes.saturating_sub(chunk.len());
                Poll::Ready(Some(chunk))
            }
            None if state.closed => Poll::Ready(None),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _};

    use super::*;

    #[test]
    fn chunks_come_out_in_order_and_the_last_one_ends_the_stream() {
        let outbox = Outbox::new(100);
        let mut drain = Drain(outbox.clone());
        assert_eq!(drain.next().now_or_never(), None);
        outbox.push(Bytes::from_static(b"a")).expect("room");
        outbox.push(Bytes::from_static(b"b")).expect("room");
        outbox.close(Some(Bytes::from_static(b"z")));
        outbox.push(Bytes::from_static(b"late")).expect("dropped");
        let drained = drain.collect::<Vec<_>>().now_or_never().expect("the stream has ended");
        assert_eq!(drained, ["a", "b", "z"]);
    }

    #[test]
    fn after_a_farewell_nothing_more_is_said() {
        let outbox = Outbox::new(100);
        let mut drain = Drain(outbox.clone());
        outbox.part(Bytes::from_static(b"bye"));
        outbox.push(Bytes::from_static(b"late")).expect("dropped");
        assert_eq!(drain.next().now_or_never().flatten(), Some(Bytes::from_static(b"bye")));
        assert_eq!(drain.next().now_or_never(), None, "open for the answer");
        outbox.close(Some(Bytes::from_static(b"again")));
        assert_eq!(drain.next().now_or_never(), Some(None));
    }

    #[test]
    fn more_than_the_bound_overflows_and_reading_makes_room() {
        let outbox = Outbox::new(10);
        outbox.push(Bytes::from(vec![0; 20])).expect("an empty outbox takes any chunk");
        assert_eq!(outbox.push(Bytes::from_static(b"x")), Err(Overflow));
        Drain(outbox.clone()).next().now_or_never().flatten().expect("the chunk");
        outbox.push(Bytes::from(vec![0; 9])).expect("room");
        outbox.push(Bytes::from_static(b"x")).expect("room");
        assert_eq!(outbox.push(Bytes::from_static(b"x")), Err(Overflow));
    }
}
