//! A session under test: given inputs, it keeps what it concludes and says what it wants, as the driver would do it.

use std::collections::BTreeMap;
use std::sync::Arc;

use feedtape::journal::{Closed, Input, Opened, Plan, RestAnswer, SubscribePlan};
use feedtape::model::{CloseCause, Coverage, Event, MarketPattern, Seq, Stamp, StreamKey, Timestamp};
use feedtape::venue::{Account, Action, Output, RestRequest, Session, by_name};

pub const SECOND: i64 = 1_000_000_000;
/// When the clock of a test starts.
pub const START: i64 = 1_000 * SECOND;

/// A session under test, with a clock that a test moves.
pub struct Script {
    pub session: Box<dyn Session>,
    seq: u64,
    /// The monotonic clock; the wall clock is [`START`] ahead.
    pub now: i64,
    /// Everything it concluded.
    pub events: Vec<Event>,
    /// Everything that went out, as the journal has it.
    pub sent: Vec<String>,
    /// Everything that went out, as the wire has it.
    pub wire: Vec<String>,
    /// REST requests that were asked for and not answered.
    pub requests: Vec<RestRequest>,
    /// Other wishes.
    pub wishes: Vec<Action>,
    /// Whether what it wants sent is sent at once.
    pub obey: bool,
}

/// A change of a stream's state: which, since when (in s after [`START`]), what, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub stream: String,
    pub at: i64,
    pub state: String,
    pub evidence: String,
}

impl Script {
    pub fn new(venue: &str, account: Option<Arc<Account>>) -> Self {
        Self {
            session: by_name(venue).expect("a venue").session(account),
            seq: 0,
            now: 0,
            events: Vec::new(),
            sent: Vec::new(),
            wire: Vec::new(),
            requests: Vec::new(),
            wishes: Vec::new(),
            obey: true,
        }
    }

    /// A connection that is open, with this to record.
    pub fn open(plan: Plan, account: Option<Arc<Account>>) -> Self {
        let plan = Plan { logs_in: account.is_some(), ..plan };
        let mut script = Self::new(&plan.venue, account);
        script.give(&Input::Connecting(Arc::new(plan)));
        script.give(&Input::Opened(Opened { peer: None }));
        script
    }

    /// A capture in which nothing that is wished for is done; each frame comes a second after the other.
    pub fn replay<'f>(venue: &str, frames: impl IntoIterator<Item = &'f str>) -> Self {
        Self::replay_with(venue, frames, usize::MAX, "", "")
    }

    /// The same with the answer to a REST request, which comes behind that many frames.
    pub fn replay_with<'f>(
        venue: &str,
        frames: impl IntoIterator<Item = &'f str>,
        behind: usize,
        path: &str,
        body: &str,
    ) -> Self {
        let mut script = Self::new(venue, None);
        script.obey = false;
        script.give(&Input::Connecting(Arc::new(plan(venue, &[]))));
        script.give(&Input::Opened(Opened { peer: None }));
        let mut came = 0;
        for frame in frames {
            if came == behind {
                script.answer(0, path, body);
            }
            script.now += SECOND;
            script.receive(frame);
            came += 1;
        }
        if came == behind {
            script.answer(0, path, body);
        }
        script.now += SECOND;
        script.close(CloseCause::EndOfCapture);
        script
    }

    pub fn stamp(&self) -> Stamp {
        Stamp { wall: Timestamp(START + self.now), mono: self.now }
    }

    /// Gives an input and does what is wanted. Returns what was concluded of it.
    pub fn give(&mut self, input: &Input<'_>) -> Vec<Event> {
        let mut out = Output::default();
        self.session.handle(Seq(self.seq), self.stamp(), input, &mut out);
        self.seq += 1;
        self.events.extend(out.events.iter().cloned());
        let mut events = out.events;
        for action in out.actions {
            match action {
                Action::Send(frame) if self.obey => {
                    self.wire.push(frame.text.expose().to_owned());
                    self.sent.push(frame.journal.clone());
                    events.extend(self.give(&Input::Sent(frame.journal.as_bytes())));
                }
                Action::Rest(request) if self.obey => self.requests.push(request),
                other => self.wishes.push(other),
            }
        }
        events
    }

    pub fn receive(&mut self, frame: &str) -> Vec<Event> {
        self.give(&Input::Received(frame.as_bytes()))
    }

    /// A REST answer of status 200.
    pub fn answer(&mut self, request: u64, path: &str, body: &str) -> Vec<Event> {
        let answer = RestAnswer { request, path: path.to_owned(), status: Some(200), error: None };
        self.give(&Input::Rest(answer, body.as_bytes().into()))
    }

    /// Moves the clock to the session's deadline and gives it the timer.
    pub fn wait(&mut self) -> Vec<Event> {
        self.now = self.session.deadline().expect("it waits for something").max(self.now);
        self.give(&Input::Timer)
    }

    pub fn close(&mut self, cause: CloseCause) -> Vec<Event> {
        self.give(&Input::Closed(Closed::new(cause, "")))
    }

    /// What goes out from here on.
    pub fn take_sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent)
    }

    /// The names of the streams: channel and market.
    pub fn streams(&self) -> Vec<String> {
        let named = |event: &Event| match event {
            Event::Stream(_, key, _) => Some(name(key)),
            _ => None,
        };
        self.events.iter().filter_map(named).collect()
    }

    /// Every change of a stream's state, in order.
    pub fn changes(&self) -> Vec<Change> {
        let names = self.streams();
        let change = |event: &Event| match event {
            Event::Transition(transition) => Some(Change {
                stream: names[transition.stream.0 as usize].clone(),
                at: (transition.at.0 - START) / SECOND,
                state: state(transition.state),
                evidence: transition.evidence.clone().unwrap_or_default(),
            }),
            _ => None,
        };
        self.events.iter().filter_map(change).collect()
    }

    /// The states of one stream over time, later words taking earlier ones back: since when (in s), and what.
    pub fn timeline(&self, stream: &str) -> Vec<(i64, String)> {
        let mut timeline: BTreeMap<i64, String> = BTreeMap::new();
        for change in self.changes().into_iter().filter(|change| change.stream == stream) {
            timeline.retain(|at, _| *at < change.at);
            timeline.insert(change.at, change.state);
        }
        timeline.into_iter().collect()
    }

    /// The state a stream is in now.
    pub fn state(&self, stream: &str) -> String {
        self.timeline(stream).pop().map(|(_, state)| state).unwrap_or_default()
    }

    /// How many events of one kind there are.
    pub fn count(&self, kind: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| kind(event)).count()
    }

    /// What was not understood: reason and what.
    pub fn odd(&self) -> Vec<String> {
        let told = |event: &Event| match event {
            Event::NotUnderstood(odd) => Some(format!("{} {}", odd.reason.as_str(), odd.what)),
            _ => None,
        };
        self.events.iter().filter_map(told).collect()
    }
}

fn state(state: Coverage) -> String {
    match state {
        Coverage::Covered(verdict) => verdict.as_str().to_owned(),
        Coverage::Gap(cause) => cause.as_str().to_owned(),
    }
}

fn name(key: &StreamKey) -> String {
    match &key.market {
        Some(market) => format!("{} {market}", key.channel),
        None => key.channel.clone(),
    }
}

/// A channel, its markets and its options.
pub type Wanted<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

/// A plan: channels, each with its markets and options (`depth=10`).
pub fn plan(venue: &str, subscribe: &[Wanted<'_>]) -> Plan {
    let subscribe = subscribe.iter().map(|(method, markets, options)| SubscribePlan {
        method: (*method).to_owned(),
        markets: markets.iter().map(|text| MarketPattern::parse(text).unwrap()).collect(),
        stale_after: None,
        options: options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    });
    Plan {
        source: "test".into(),
        venue: venue.into(),
        url: "ws://localhost/".into(),
        first: true,
        subscribe: subscribe.collect(),
        ..Plan::default()
    }
}

/// Every way to leave one frame out, to double one, and to swap it with the next, with what was done.
pub fn mutations(frames: &[String]) -> Vec<(String, Vec<&str>)> {
    let frames: Vec<_> = frames.iter().map(String::as_str).collect();
    let mut all = Vec::new();
    for n in 0..frames.len() {
        let mut removed = frames.clone();
        removed.remove(n);
        all.push((format!("without {n}"), removed));
        let mut doubled = frames.clone();
        doubled.insert(n, frames[n]);
        all.push((format!("twice {n}"), doubled));
        if n + 1 < frames.len() {
            let mut swapped = frames.clone();
            swapped.swap(n, n + 1);
            all.push((format!("swapped {n}"), swapped));
        }
    }
    all
}
