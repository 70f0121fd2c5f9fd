//! The streams of a session: what is wanted, what became of the asking, and what can be said of each at any time.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Coverage, Event, GapCause, MarketRef, Stamp, StreamKey, StreamRef, SubscriptionChange, Timestamp, Transition,
    Verdict,
};

/// What kind of stream it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Orders of a market.
    Book(MarketRef),
    /// Ticker of a market.
    Ticker(MarketRef),
    /// What comes unasked to whoever is logged in.
    Account,
    /// A request that is repeated; its place among the session's polls.
    Poll(usize),
    /// A market asked for by a name that the catalog does not list.
    Unlisted,
}

impl Kind {
    /// The market it belongs to, for what is subscribed market by market.
    pub(super) fn market(&self) -> Option<MarketRef> {
        match self {
            Self::Book(market) | Self::Ticker(market) => Some(*market),
            Self::Account | Self::Poll(_) | Self::Unlisted => None,
        }
    }
}

/// How far the asking has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asking {
    /// Not asked, or over.
    Idle,
    /// Asked, not answered.
    Asked,
    /// Agreed.
    Live,
    /// Refused.
    Refused,
}

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) key: Arc<StreamKey>,
    pub(super) asking: Asking,
    /// Whether it is to be recorded (still).
    pub(super) is_wanted: bool,
    /// Silence beyond this is a gap.
    pub(super) stale_after: Option<Duration>,
    /// Arrival of its last frame (or answer) by the monotonic clock.
    pub(super) last_mono: i64,
    last_at: Option<Timestamp>,
    first_unstated: Option<Timestamp>,
    frames_unstated: u64,
    state: Option<Coverage>,
    /// Since when it is in that state.
    since: Timestamp,
}

/// The streams of a session.
#[derive(Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
}

impl Streams {
    /// Declares a stream, or finds it if it was declared before.
    pub(super) fn declare(&mut self, kind: Kind, key: StreamKey, events: &mut Vec<Event>) -> StreamRef {
        if let Some(n) = self.list.iter().position(|stream| *stream.key == key) {
            let stream = &mut self.list[n];
            if stream.kind == Kind::Unlisted && kind != Kind::Unlisted {
                stream.kind = kind;
                stream.is_wanted = false;
            }
            return StreamRef(n as u32);
        }
        let reference = StreamRef(self.list.len() as u32);
        let key = Arc::new(key);
        events.push(Event::Stream(reference, key.clone()));
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
        });
        reference
    }

    /// The stream.
    pub(super) fn get(&self, stream: StreamRef) -> &Stream {
        &self.list[stream.0 as usize]
    }

    /// The stream.
    pub(super) fn get_mut(&mut self, stream: StreamRef) -> &mut Stream {
        &mut self.list[stream.0 as usize]
    }

    /// Every stream.
    pub(super) fn iter(&self) -> impl Iterator<Item = (StreamRef, &Stream)> {
        self.list.iter().enumerate().map(|(n, stream)| (StreamRef(n as u32), stream))
    }

    /// The references of the streams for which `wanted` holds.
    pub(super) fn select(&self, wanted: impl Fn(&Stream) -> bool) -> Vec<StreamRef> {
        self.iter().filter(|(_, stream)| wanted(stream)).map(|(reference, _)| reference).collect()
    }

    /// Puts a stream in a state, and says so if it was in another.
    pub(super) fn put(
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
        // A loss that began earlier than the state that hid it is told from there on.
        let at = at.max(entry.since);
        entry.since = at;
        let evidence = evidence.map(str::to_owned);
        events.push(Event::Transition(Transition { stream, at, state, evidence }));
    }

    /// Puts a stream in a state with new evidence, also if it was in that state before.
    pub(super) fn restate(
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

    /// The state a stream is in, if one was stated.
    pub(super) fn state(&self, stream: StreamRef) -> Option<Coverage> {
        self.list[stream.0 as usize].state
    }

    /// Notes that a stream was asked for: what comes from here on counts for this asking.
    pub(super) fn ask(&mut self, stream: StreamRef, events: &mut Vec<Event>) {
        self.state_data(stream, events);
        self.get_mut(stream).asking = Asking::Asked;
        events.push(Event::Subscription(SubscriptionChange::Asked(stream)));
    }

    /// Notes that a frame of the stream came. Before it is asked for (an old asking's last notices, the account's
    /// before its state is known) that counts for no subscription.
    pub(super) fn data(&mut self, stream: StreamRef, at: Stamp) {
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
    pub(super) fn is_stale(&self, stream: StreamRef) -> bool {
        self.state(stream) == Some(Coverage::Gap(GapCause::Stale))
    }

    /// States the data that came since the last time.
    pub(super) fn summarise(&mut self, events: &mut Vec<Event>) {
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
    pub(super) fn overdue(&self, now: i64) -> Vec<(StreamRef, Option<Timestamp>)> {
        let due = |stream: &Stream| stale_at(stream).is_some_and(|at| at <= now);
        let silent = self.iter().filter(|(reference, stream)| due(stream) && !self.is_stale(*reference));
        silent.map(|(reference, stream)| (reference, stream.last_at)).collect()
    }

    /// When the next stream will have been silent for too long, by the monotonic clock.
    pub(super) fn stale_deadline(&self) -> Option<i64> {
        self.iter().filter(|(reference, _)| !self.is_stale(*reference)).filter_map(|(_, stream)| stale_at(stream)).min()
    }
}

fn stale_at(stream: &Stream) -> Option<i64> {
    let after = stream.stale_after.filter(|_| stream.asking == Asking::Live)?;
    Some(stream.last_mono.saturating_add(nanos(after)))
}

/// A duration in ns, as the monotonic clock of stamps counts.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// What can be said of a covered stream of this venue, which has neither sequence numbers nor checksums.
pub(super) fn covered(is_scale_known: bool) -> (Coverage, Option<&'static str>) {
    if is_scale_known {
        (Coverage::Covered(Verdict::Consistent), None)
    } else {
        (Coverage::Covered(Verdict::Unverifiable), Some("scale unknown"))
    }
}
