//! The session: one connection's life from dialling to close, as a pure state machine over a [`Protocol`].
//!
//! What it concludes depends on its inputs alone, also on the frames as they went out; so a capture or a journal, where
//! nobody acts on its wishes, gives the same events.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::journal::{Closed, Input, Opened, Plan};
use crate::model::{
    Catalog, CloseCause, Coverage, Event, GapCause, NotUnderstood, Seq, SessionChange, Stamp, StreamKey, StreamRef,
    Timestamp, UnknownReason, Verdict,
};
use crate::venue::streams::{Asking, Streams, nanos};
use crate::venue::told::Told;
use crate::venue::{Account, Action, Channel, Output, Profile, Scope, Session, Standing};

use super::markets::{Markets, UNLISTED_MAX};
use super::pace::Bucket;
use super::splice::Splicing;
use super::tracker::Tracker;
use super::{Protocol, Reading, Topic};

/// Streams that nobody asked for; what comes of more is only in the frames.
const UNASKED_MAX: usize = 1_000;

/// What a feed knows of a stream.
#[derive(Debug)]
pub(super) struct Subscribed {
    pub(super) topic: Topic,
    /// What was chosen of the channel.
    pub(super) options: BTreeMap<String, String>,
    /// Whether a frame that asks for it is on its way to the socket.
    pub(super) is_wished: bool,
    /// The request that asked for it, while it is not answered.
    pub(super) request: Option<i64>,
    /// When the answer is overdue, by the monotonic clock.
    pub(super) due_at: i64,
    /// Not to be asked for before this, by the monotonic clock.
    pub(super) not_before: i64,
    /// How often it was asked for since it last was covered.
    pub(super) tries: u32,
    /// Whether it must be taken up anew.
    pub(super) is_broken: bool,
    /// Whether it was wanted once and is no more, and the venue is to be told.
    pub(super) is_dropped: bool,
    /// Whether the state is had that updates change.
    pub(super) is_whole: bool,
    /// Arrival of the last message that was in place.
    pub(super) good_at: Timestamp,
    /// Joining its updates to a REST snapshot.
    pub(super) splicing: Splicing,
}

/// Requests of logins are numbered from here, so that the numbers of the others, and what their answers mean, are the
/// same in a rebuild, where nobody logs in.
pub(super) const LOGIN_REQUESTS: u64 = 1 << 32;

/// Whether a request's number is that of a login. An import has no numbers, which is the greatest.
pub(super) fn is_login(request: u64) -> bool {
    (LOGIN_REQUESTS..u64::MAX).contains(&request)
}

/// What a session asked for by REST.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asked {
    /// The list of markets.
    Registry,
    /// A stream's snapshot.
    Snapshot(StreamRef),
}

/// How far the login has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginState {
    /// Nobody is to log in.
    Unwanted,
    /// To be tried, not before this by the monotonic clock.
    Due(i64),
    /// Begun; overdue at this by the monotonic clock.
    Begun(i64),
    /// Done.
    Done,
    /// Refused, or withheld.
    Refused,
}

/// What a sequence is followed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sequence {
    Connection,
    Stream(StreamRef),
}

impl Sequence {
    pub(super) fn of(stream: StreamRef, scope: Scope) -> Self {
        match scope {
            Scope::Connection => Self::Connection,
            Scope::Topic => Self::Stream(stream),
        }
    }
}

/// A session of a venue with JSON messages and decimals.
pub(in crate::venue) struct Feed<P> {
    pub(super) protocol: P,
    pub(super) account: Option<Arc<Account>>,
    pub(super) plan: Arc<Plan>,
    pub(super) markets: Markets,
    pub(super) streams: Streams<Subscribed>,
    topics: HashMap<Topic, StreamRef, foldhash::fast::FixedState>,
    pub(super) trackers: HashMap<Sequence, Tracker, foldhash::fast::FixedState>,
    pub(super) is_open: bool,
    pub(super) login: LoginState,
    pub(super) login_tries: u32,
    /// Whether the list of markets was asked for by REST.
    pub(super) has_asked_registry: bool,
    /// Until when the list of markets is waited for, by the monotonic clock.
    pub(super) registry_until: i64,
    pub(super) sends: Bucket,
    pub(super) requests: Bucket,
    pub(super) next_id: i64,
    pub(super) rests: HashMap<u64, Asked, foldhash::fast::FixedState>,
    pub(super) next_request: u64,
    pub(super) next_login_request: u64,
    pub(super) keepalive_at: i64,
    /// Whether the frame at hand came before, by the number that all frames of its connection have.
    pub(super) is_late: bool,
    /// Whether something but data came, so that there may be something to do.
    pub(super) has_news: bool,
    told: Told,
    deadline: Option<i64>,
}

impl<P: Protocol> Feed<P> {
    /// A session before its first input.
    pub(in crate::venue) fn new(protocol: P, account: Option<Arc<Account>>) -> Self {
        Self {
            protocol,
            account,
            plan: Arc::new(Plan::default()),
            markets: Markets::default(),
            streams: Streams::default(),
            topics: HashMap::default(),
            trackers: HashMap::default(),
            is_open: false,
            login: LoginState::Unwanted,
            login_tries: 0,
            has_asked_registry: false,
            registry_until: 0,
            sends: Bucket::new(None),
            requests: Bucket::new(None),
            next_id: 1,
            rests: HashMap::default(),
            next_request: 0,
            next_login_request: LOGIN_REQUESTS,
            keepalive_at: i64::MAX,
            is_late: false,
            has_news: false,
            told: Told::default(),
            deadline: None,
        }
    }

    /// The channel of a stream; one that the venue does not list says nothing of itself.
    pub(super) fn channel(&self, stream: StreamRef) -> Option<&Channel> {
        self.protocol.profile().channel(&self.streams.get(stream).kind.topic.channel)
    }

    fn connecting(&mut self, at: Stamp, plan: &Arc<Plan>, out: &mut Output) {
        out.events.push(Event::Session(SessionChange::Connecting {
            source: plan.source.as_str().into(),
            venue: plan.venue.as_str().into(),
            url: plan.url.clone(),
            user: None,
        }));
        self.take_plan(at, plan, out);
        // The plan may say what they are.
        let Profile { sends, requests, .. } = self.protocol.profile();
        (self.sends, self.requests) = (Bucket::new(*sends), Bucket::new(*requests));
    }

    /// Takes a plan, the first or another one.
    fn take_plan(&mut self, at: Stamp, plan: &Arc<Plan>, out: &mut Output) {
        let was_withheld = std::mem::replace(&mut self.plan, plan.clone()).login_withheld.is_some();
        let is_withheld = plan.login_withheld.is_some();
        self.protocol.take_plan(plan);
        self.login = match self.login {
            // One that was wished for does not go out; one that did is answered all the same.
            LoginState::Unwanted | LoginState::Due(_) | LoginState::Begun(_) if plan.wants_login() && is_withheld => {
                LoginState::Refused
            }
            LoginState::Unwanted if plan.wants_login() && !self.protocol.has_login() => LoginState::Done,
            LoginState::Unwanted if plan.wants_login() => LoginState::Due(at.mono),
            LoginState::Refused if was_withheld && !is_withheld => LoginState::Due(at.mono),
            login => login,
        };
        self.take_overlap(at, plan.overlap.as_ref(), out);
        self.resolve(at, out);
    }

    /// Declares the streams that the plan wants, as far as their markets are known.
    pub(super) fn resolve(&mut self, at: Stamp, out: &mut Output) {
        let plan = self.plan.clone();
        let mut wanted = HashSet::new();
        let profile = self.protocol.profile();
        let aside = [
            self.protocol.registry_channel(),
            match &profile.keepalive {
                crate::venue::Keepalive::Channel(channel) => Some(channel.as_ref()),
                _ => None,
            },
        ];
        let aside: Vec<_> = aside.into_iter().flatten().map(|channel| Topic::new(channel, None)).collect();
        if !plan.subscribe.is_empty() {
            for topic in aside {
                let stream = self.declare(&topic, BTreeMap::new(), &mut out.events);
                wanted.insert(stream);
                self.want(at, stream, None, out);
            }
        }
        for subscribe in &plan.subscribe {
            let by_market = self.protocol.profile().channel(&subscribe.method).is_none_or(|channel| channel.by_market);
            let topics = if by_market {
                let names = self.markets.resolve(&subscribe.markets);
                names.iter().map(|name| Topic::new(&subscribe.method, Some(name))).collect()
            } else {
                vec![Topic::new(&subscribe.method, None)]
            };
            for topic in topics {
                let stream = self.declare(&topic, subscribe.options.clone(), &mut out.events);
                wanted.insert(stream);
                self.want(at, stream, subscribe.stale_after, out);
            }
        }
        for stream in self.streams.select(|stream| stream.is_wanted) {
            if !wanted.contains(&stream) {
                self.streams.get_mut(stream).is_wanted = false;
                self.streams.get_mut(stream).kind.is_dropped = true;
                let gap = Coverage::Gap(GapCause::Reconfigured);
                self.streams.put(stream, at.wall, gap, None, &mut out.events);
            }
        }
        self.has_news = true;
    }

    /// The stream of a topic, declared if it is new.
    fn declare(&mut self, topic: &Topic, options: BTreeMap<String, String>, events: &mut Vec<Event>) -> StreamRef {
        if let Some(known) = self.find(topic) {
            return known;
        }
        let detail: Vec<_> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let key = StreamKey { channel: topic.channel.clone(), market: topic.market.clone(), detail: detail.join(" ") };
        let nature = self.protocol.profile().channel(&topic.channel).map(Channel::nature).unwrap_or_default();
        let kind = Subscribed {
            topic: topic.clone(),
            options,
            is_wished: false,
            request: None,
            due_at: i64::MAX,
            not_before: i64::MIN,
            tries: 0,
            is_broken: false,
            is_dropped: false,
            is_whole: false,
            good_at: Timestamp(i64::MIN),
            splicing: Splicing::default(),
        };
        let stream = self.streams.declare(kind, key, &Arc::new(nature), events);
        self.topics.insert(topic.clone(), stream);
        stream
    }

    /// The stream of a topic, if it was declared.
    pub(super) fn find(&self, topic: &Topic) -> Option<StreamRef> {
        self.topics.get(topic).copied()
    }

    /// The stream of a topic; what comes unasked is a stream as well, if it is not one too many.
    pub(super) fn meet(&mut self, topic: &Topic, events: &mut Vec<Event>) -> Option<StreamRef> {
        let is_one_too_many = self.topics.len() >= UNASKED_MAX
            && self.find(topic).is_none()
            && self.streams.iter().filter(|(_, stream)| !stream.is_wanted).count() >= UNASKED_MAX;
        (!is_one_too_many).then(|| self.declare(topic, BTreeMap::new(), events))
    }

    /// Marks a stream as wanted; one that was not is in the state the connection is in.
    fn want(&mut self, at: Stamp, stream: StreamRef, stale_after: Option<std::time::Duration>, out: &mut Output) {
        self.streams.get_mut(stream).kind.is_dropped = false;
        if self.streams.want(stream, stale_after) && (self.is_open || self.plan.first) {
            let cause = self.cause_before_asking(stream);
            self.streams.put(stream, at.wall, Coverage::Gap(cause), None, &mut out.events);
        }
    }

    /// Why a stream that was not asked for yet is not recorded.
    fn cause_before_asking(&self, stream: StreamRef) -> GapCause {
        if !self.is_open {
            GapCause::NotConnected
        } else if self.needs_login(stream) && self.login != LoginState::Done {
            GapCause::NotAuthenticated
        } else {
            GapCause::NotAcknowledged
        }
    }

    /// Whether the venue gives a stream only to whoever is logged in.
    pub(super) fn needs_login(&self, stream: StreamRef) -> bool {
        self.channel(stream).is_some_and(|channel| channel.needs_login)
    }

    /// Puts every wanted stream that was not asked for in the state the connection is in now.
    pub(super) fn put_waiting(&mut self, at: Timestamp, out: &mut Output) {
        for stream in self.streams.select(|stream| stream.is_wanted && stream.asking == Asking::Idle) {
            let cause = self.cause_before_asking(stream);
            self.streams.put(stream, at, Coverage::Gap(cause), None, &mut out.events);
        }
    }

    fn catalog(&mut self, at: Stamp, catalog: &Arc<Catalog>, out: &mut Output) {
        out.events.push(Event::Catalog(catalog.clone()));
        self.markets.list(catalog, &mut out.events);
        self.resolve(at, out);
    }

    fn opened(&mut self, at: Stamp, opened: &Opened, out: &mut Output) {
        self.is_open = true;
        self.registry_until = at.mono.saturating_add(nanos(self.plan.timing.reply));
        if let crate::venue::Keepalive::Send { every, .. } = &self.protocol.profile().keepalive {
            self.keepalive_at = at.mono.saturating_add(nanos(*every));
        }
        out.events.push(Event::Session(SessionChange::Opened { peer: opened.peer.clone() }));
        self.put_waiting(at.wall, out);
    }

    fn closed(&mut self, at: Stamp, closed: &Closed, out: &mut Output) {
        self.is_open = false;
        self.streams.summarise(&mut out.events);
        for stream in self.streams.select(|_| true) {
            self.retract_tail(at, stream, out);
            self.streams.end(stream, at.wall, closed, &mut out.events);
        }
        let Closed { cause, code, detail, .. } = closed.clone();
        out.events.push(Event::Session(SessionChange::Closed { cause, code, detail }));
    }

    /// Behind the last message in place, nothing shows that no other came: what was said of that time is taken back.
    pub(super) fn retract_tail(&mut self, at: Stamp, stream: StreamRef, out: &mut Output) {
        let is_claimed =
            matches!(self.streams.state(stream), Some(Coverage::Covered(Verdict::Proved | Verdict::Checked)));
        let good_at = self.streams.get(stream).kind.good_at;
        if is_claimed && good_at < at.wall {
            let doubt = Coverage::Covered(Verdict::Unverifiable);
            let evidence = "no message came after that would show whether one is missing";
            self.streams.put(stream, good_at, doubt, Some(evidence), &mut out.events);
        }
    }

    fn received(&mut self, seq: Seq, at: Stamp, frame: &[u8], out: &mut Output) {
        let start = out.events.len();
        self.is_late = false;
        let mut reading = Reading::new(seq, &mut self.markets, &mut out.events);
        match std::str::from_utf8(frame) {
            Ok(text) => self.protocol.received(text, &mut reading),
            Err(_) => reading.illegible(UnknownReason::InvalidUtf8, ""),
        }
        let (said, problems) = reading.finish();
        self.conclude(at, start, frame, said, problems, out);
    }

    /// Concludes from what a frame or answer said.
    pub(super) fn conclude(
        &mut self,
        at: Stamp,
        start: usize,
        frame: &[u8],
        said: Vec<super::Said>,
        problems: Vec<(UnknownReason, String)>,
        out: &mut Output,
    ) {
        self.markets.declare_scales(start, &mut out.events);
        if self.markets.take_excess() {
            return self.drop_frame(at, start, frame, out);
        }
        for said in said {
            self.hear(at, said, out);
        }
        for (reason, what) in problems {
            self.tell(reason, what, frame, out);
        }
    }

    fn tell(&mut self, reason: UnknownReason, what: String, frame: &[u8], out: &mut Output) {
        if let Some(what) = self.told.name(reason, what) {
            out.events.push(Event::NotUnderstood(Box::new(NotUnderstood { reason, what, body: frame.to_vec() })));
        }
    }

    /// A frame named one market too many: nothing is concluded from it but which markets there are, and it might have been
    /// of any stream.
    fn drop_frame(&mut self, at: Stamp, start: usize, frame: &[u8], out: &mut Output) {
        let mut place = 0;
        out.events.retain(|event| {
            place += 1;
            place <= start || matches!(event, Event::Market(..))
        });
        let what = format!("more than {UNLISTED_MAX} that are not listed");
        self.damage_all(at, &what, out);
        self.tell(UnknownReason::UnknownMarket, what, frame, out);
    }

    /// What came might have been of any stream.
    pub(super) fn damage_all(&mut self, at: Stamp, evidence: &str, out: &mut Output) {
        for stream in self.streams.select(|_| true) {
            self.lose(at, stream, at.wall, GapCause::NotUnderstood, evidence, out);
        }
    }

    fn timer(&mut self, at: Stamp, out: &mut Output) {
        self.time_out_answers(at, out);
        for (stream, last) in self.streams.overdue(at.mono) {
            let since = last.unwrap_or(at.wall);
            self.lose(at, stream, since, GapCause::Stale, "", out);
        }
        self.has_news = true;
    }

    /// Ends the connection; the source connects again.
    pub(super) fn hang_up(&self, cause: CloseCause, detail: String, out: &mut Output) {
        out.actions.push(Action::Close { cause, detail });
    }
}

impl<P: Protocol> Session for Feed<P> {
    fn handle(&mut self, seq: Seq, at: Stamp, input: &Input<'_>, out: &mut Output) {
        self.streams.follow(at, &mut out.events);
        match input {
            Input::Received(frame) => {
                self.received(seq, at, frame, out);
                if !self.has_news {
                    return;
                }
            }
            Input::Connecting(plan) => self.connecting(at, plan, out),
            Input::Replanned(plan) => self.take_plan(at, plan, out),
            Input::Catalog(catalog) => self.catalog(at, catalog, out),
            Input::Opened(opened) => self.opened(at, opened, out),
            Input::Sent(frame) => self.sent(at, frame, out),
            Input::ReceivedBinary(frame) => {
                self.damage_all(at, UnknownReason::Binary.as_str(), out);
                let (reason, what, body) = (UnknownReason::Binary, String::new(), frame.to_vec());
                out.events.push(Event::NotUnderstood(Box::new(NotUnderstood { reason, what, body })));
            }
            Input::Rest(answer, body) => self.rest(seq, at, answer, body, out),
            Input::Timer => self.timer(at, out),
            Input::Closed(closed) => self.closed(at, closed, out),
            Input::Stalled(from, to) => self.streams.unread(*from, *to, GapCause::SinkStalled, &mut out.events),
            Input::Suspended(from, to) => self.streams.unread(*from, *to, GapCause::Suspended, &mut out.events),
            Input::Look(..) => {}
        }
        self.has_news = false;
        self.deadline = self.plan_next(at, out);
    }

    fn entrust(&mut self, request: u64, answer: &[u8]) {
        if is_login(request) {
            self.protocol.entrust(answer);
        }
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn standing(&self) -> Vec<Standing> {
        self.stand()
    }

    fn summarise(&mut self, out: &mut Output) {
        self.streams.summarise(&mut out.events);
    }
}
