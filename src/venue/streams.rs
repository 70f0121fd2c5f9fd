//! The streams of a session: what is wanted, what became of the asking, and what can be said of each at any time.

use std::sync::Arc;
use std::time::Duration;

use crate::journal::Closed;
use crate::model::{
    Coverage, Event, GapCause, Nature, Stamp, StreamKey, StreamRef, SubscriptionChange, Timestamp, Transition,
};

/// How far the asking has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::venue) enum Asking {
    /// Not asked, or over.
    Idle,
    /// Asked, not answered.
    Asked,
    /// Agreed.
    Live,
    /// Refused.
    Refused,
}

/// A stream, with what its venue knows of it.
#[derive(Debug)]
pub(in crate::venue) struct Stream<K> {
    pub(in crate::venue) kind: K,
    pub(in crate::venue) key: Arc<StreamKey>,
    pub(in crate::venue) asking: Asking,
    /// Whether it is to be recorded (still).
    pub(in crate::venue) is_wanted: bool,
    /// Silence beyond this is a gap.
    pub(in crate::venue) stale_after: Option<Duration>,
    /// Arrival of its last frame (or answer) by the monotonic clock.
    pub(in crate::venue) last_mono: i64,
    pub(in crate::venue) last_at: Option<Timestamp>,
    first_unstated: Option<Timestamp>,
    frames_unstated: u64,
    state: Option<Coverage>,
    /// Since when it is in that state.
    since: Timestamp,
    /// What shows that state beyond the frame.
    evidence: Option<String>,
}

/// The streams of a session.
pub(in crate::venue) struct Streams<K> {
    list: Vec<Stream<K>>,
    /// Both clocks at the input at hand.
    now: Stamp,
    /// Whether another session speaks for the streams, so that transitions are not told.
    is_silent: bool,
}

impl<K> Default for Streams<K> {
    fn default() -> Self {
        Self { list: Vec::new(), now: Stamp::default(), is_silent: false }
    }
}

impl<K> Streams<K> {
    /// Follows the clocks, before anything is concluded from an input. A wall clock that was set back passes a time a second
    /// time: what holds is stated anew from there on, or it would be said of the first pass alone.
    pub(in crate::venue) fn follow(&mut self, now: Stamp, events: &mut Vec<Event>) {
        let before = std::mem::replace(&mut self.now, now);
        // Where there is no other clock (an import), both go back together.
        if now.wall >= before.wall || now.mono < before.mono {
            return;
        }
        let back = now.wall.0.abs_diff(before.wall.0) + now.mono.abs_diff(before.mono);
        let back = Duration::from_millis(back / 1_000_000);
        let evidence = format!("the clock was set back by {}", humantime::format_duration(back));
        for n in 0..self.list.len() {
            let entry = &mut self.list[n];
            if let Some(state) = entry.state {
                entry.since = now.wall;
                self.restate(StreamRef(n as u32), now.wall, state, &evidence, events);
            }
        }
    }

    /// The stream of that key, if it was declared.
    pub(in crate::venue) fn find(&self, key: &StreamKey) -> Option<StreamRef> {
        self.list.iter().position(|stream| *stream.key == *key).map(|n| StreamRef(n as u32))
    }

    /// Declares a stream, or finds it if it was declared before.
    pub(in crate::venue) fn declare(
        &mut self,
        kind: K,
        key: StreamKey,
        nature: &Arc<Nature>,
        events: &mut Vec<Event>,
    ) -> StreamRef {
        if let Some(found) = self.find(&key) {
            return found;
        }
        let reference = StreamRef(self.list.len() as u32);
        let key = Arc::new(key);
        events.push(Event::Stream(reference, key.clone(), nature.clone()));
        self.list.push(Stream {
            kind,
            key,
            asking: Asking::Idle,
            is_wanted: false,
            stale_after: None,
            last_mono: 0,
            last_at: None,
            first_unstated: None,
            frames_unstated: 0,
            state: None,
            since: Timestamp(i64::MIN),
            evidence: None,
        });
        reference
    }

    /// The stream.
    pub(in crate::venue) fn get(&self, stream: StreamRef) -> &Stream<K> {
        &self.list[stream.0 as usize]
    }

    /// The stream.
    pub(in crate::venue) fn get_mut(&mut self, stream: StreamRef) -> &mut Stream<K> {
        &mut self.list[stream.0 as usize]
    }

    /// Every stream.
    pub(in crate::venue) fn iter(&self) -> impl Iterator<Item = (StreamRef, &Stream<K>)> {
        self.list.iter().enumerate().map(|(n, stream)| (StreamRef(n as u32), stream))
    }

    /// The references of the streams for which `wanted` holds.
    pub(in crate::venue) fn select(&self, wanted: impl Fn(&Stream<K>) -> bool) -> Vec<StreamRef> {
        self.iter().filter(|(_, stream)| wanted(stream)).map(|(reference, _)| reference).collect()
    }

    /// Marks a stream as wanted. Whether it was not before.
    pub(in crate::venue) fn want(&mut self, stream: StreamRef, stale_after: Option<Duration>) -> bool {
        let entry = self.get_mut(stream);
        entry.stale_after = stale_after;
        !std::mem::replace(&mut entry.is_wanted, true)
    }

    /// The connection is gone: what was sent is over, and in a gap from here on; so is what is wanted. What is not wanted
    /// any more stays so, though it was still being sent. What was covered on a link that gave out is in a gap since the
    /// link, or something of the stream, was last heard.
    pub(in crate::venue) fn end(&mut self, stream: StreamRef, at: Timestamp, closed: &Closed, events: &mut Vec<Event>) {
        let is_covered = matches!(self.state(stream), Some(Coverage::Covered(_)));
        let entry = self.get_mut(stream);
        let at = match closed.heard_at {
            Some(heard_at) if is_covered => entry.last_at.map_or(heard_at, |last_at| last_at.max(heard_at)).min(at),
            _ => at,
        };
        let (gap, is_wanted) = (closed.cause.gap(), entry.is_wanted);
        let was_asked = std::mem::replace(&mut entry.asking, Asking::Idle) != Asking::Idle;
        if was_asked {
            events.push(Event::Subscription(SubscriptionChange::Ended { stream, cause: gap }));
        }
        let is_let_go = matches!(self.state(stream), Some(Coverage::Gap(GapCause::Reconfigured | GapCause::Expired)));
        if is_wanted || (was_asked && !is_let_go) {
            let evidence = match closed.code {
                Some(code) => format!("{} {code}", closed.cause),
                None => closed.cause.to_string(),
            };
            self.put(stream, at, Coverage::Gap(gap), Some(&evidence), events);
        }
    }

    /// Puts a stream in a state, and says so if it was in another.
    pub(in crate::venue) fn put(
        &mut self,
        stream: StreamRef,
        at: Timestamp,
        state: Coverage,
        evidence: Option<&str>,
        events: &mut Vec<Event>,
    ) {
        let entry = &mut self.list[stream.0 as usize];
        if entry.state == Some(state) {
            return;
        }
        entry.state = Some(state);
        // A loss that began earlier than the state that hid it is told from there on; one that was noted before the clock
        // was set back, from now.
        let at = at.min(self.now.wall).max(entry.since);
        entry.since = at;
        entry.evidence = evidence.map(str::to_owned);
        if !self.is_silent {
            let evidence = entry.evidence.clone();
            events.push(Event::Transition(Transition { stream, at, state, evidence }));
        }
    }

    /// Tells no transition from here on: another session speaks for the streams.
    pub(in crate::venue) fn fall_silent(&mut self) {
        self.is_silent = true;
    }

    /// Speaks for the streams from here on: tells the state that each is in, and every transition.
    pub(in crate::venue) fn speak(&mut self, at: Timestamp, events: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.is_silent, false) {
            return;
        }
        for (n, entry) in self.list.iter().enumerate() {
            let (stream, evidence) = (StreamRef(n as u32), entry.evidence.clone());
            events.extend(entry.state.map(|state| Event::Transition(Transition { stream, at, state, evidence })));
        }
    }

    /// Puts a stream in a state with new evidence, also if it was in that state before.
    pub(in crate::venue) fn restate(
        &mut self,
        stream: StreamRef,
        at: Timestamp,
        state: Coverage,
        evidence: &str,
        events: &mut Vec<Event>,
    ) {
        self.list[stream.0 as usize].state = None;
        self.put(stream, at, state, Some(evidence), events);
    }

    /// Since when a stream is in the state that it is in.
    pub(in crate::venue) fn since(&self, stream: StreamRef) -> Timestamp {
        self.list[stream.0 as usize].since
    }

    /// The state a stream is in, if one was stated.
    pub(in crate::venue) fn state(&self, stream: StreamRef) -> Option<Coverage> {
        self.list[stream.0 as usize].state
    }

    /// Notes that a stream was asked for: what comes from here on counts for this asking.
    pub(in crate::venue) fn ask(&mut self, stream: StreamRef, events: &mut Vec<Event>) {
        self.state_data(stream, events);
        self.get_mut(stream).asking = Asking::Asked;
        events.push(Event::Subscription(SubscriptionChange::Asked(stream)));
    }

    /// Notes that a frame of the stream came. Before it is asked for (an old asking's last notices, the account's
    /// before its state is known) that counts for no subscription.
    pub(in crate::venue) fn data(&mut self, stream: StreamRef, at: Stamp) {
        let entry = &mut self.list[stream.0 as usize];
        if entry.asking == Asking::Idle {
            return;
        }
        entry.last_mono = at.mono;
        entry.last_at = Some(at.wall);
        entry.first_unstated.get_or_insert(at.wall);
        entry.frames_unstated += 1;
    }

    /// Whether the stream is in a gap for having been silent.
    pub(in crate::venue) fn is_stale(&self, stream: StreamRef) -> bool {
        self.state(stream) == Some(Coverage::Gap(GapCause::Stale))
    }

    /// The socket was not read for a while: late, and if the venue hung up meanwhile, lost.
    pub(in crate::venue) fn unread(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        cause: GapCause,
        events: &mut Vec<Event>,
    ) {
        for stream in self.select(|stream| stream.is_wanted) {
            if let Some(state @ Coverage::Covered(_)) = self.state(stream) {
                self.put(stream, from, Coverage::Gap(cause), None, events);
                self.put(stream, to, state, None, events);
            }
        }
    }

    /// States the data that came since the last time.
    pub(in crate::venue) fn summarise(&mut self, events: &mut Vec<Event>) {
        for n in 0..self.list.len() {
            self.state_data(StreamRef(n as u32), events);
        }
    }

    fn state_data(&mut self, stream: StreamRef, events: &mut Vec<Event>) {
        let entry = &mut self.list[stream.0 as usize];
        if let (Some(first), Some(last)) = (entry.first_unstated.take(), entry.last_at) {
            let frames = std::mem::take(&mut entry.frames_unstated);
            events.push(Event::Subscription(SubscriptionChange::Data { stream, first, last, frames }));
        }
    }

    /// Live streams that were silent for longer than they ever should be, with the arrival of their last frame.
    pub(in crate::venue) fn overdue(&self, now: i64) -> Vec<(StreamRef, Option<Timestamp>)> {
        let due = |stream: &Stream<K>| stale_at(stream).is_some_and(|at| at <= now);
        let silent = self.iter().filter(|(reference, stream)| due(stream) && !self.is_stale(*reference));
        silent.map(|(reference, stream)| (reference, stream.last_at)).collect()
    }

    /// When the next stream will have been silent for too long, by the monotonic clock.
    pub(in crate::venue) fn stale_deadline(&self) -> Option<i64> {
        self.iter().filter(|(reference, _)| !self.is_stale(*reference)).filter_map(|(_, stream)| stale_at(stream)).min()
    }
}

fn stale_at<K>(stream: &Stream<K>) -> Option<i64> {
    let after = stream.stale_after.filter(|_| stream.asking == Asking::Live)?;
    Some(stream.last_mono.saturating_add(nanos(after)))
}

/// A duration in ns, as the monotonic clock of stamps counts.
pub(in crate::venue) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
