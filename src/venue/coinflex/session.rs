//! The session: one connection's life from dialling to close, as a pure state machine.
//!
//! What it concludes depends on its inputs alone, also on the commands as they went out; what it wants sent (see
//! [`super::planner`]) is asked of the driver and comes back as an input. So a capture or a journal, where nobody acts
//! on its wishes, gives the same events.

use std::sync::Arc;

use crate::journal::{Closed, Input, Opened, Plan};
use crate::model::{
    Catalog, Coverage, Event, GapCause, NotUnderstood, OrderKind, Seq, SessionChange, Stamp, StreamKey, StreamRef,
    TickerKind, Timestamp, UnknownReason,
};
use crate::venue::{Account, Action, Output, Session};

use super::check::Found;
use super::decode::{self, Message, NoticeName};
use super::fields::Key;
use super::kind::{self, Kind, Streams, covered};
use super::ledger::Ledger;
use super::link::LinkClock;
use super::markets::Markets;
use super::notice::{self, Places};
use super::planner::Planner;
use super::read::{Problems, Reader};
use super::request::Requests;
use crate::venue::streams::{Asking, nanos};
use crate::venue::told::Told;

/// A frame that came, decoded.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) seq: Seq,
    pub(super) at: Stamp,
    pub(super) text: &'a str,
    pub(super) message: &'a Message<'a>,
}

/// How far the connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the socket is open, or after it closed.
    Disconnected,
    /// Open, the greeting awaited.
    Opened,
    /// Greeted, the login not settled.
    Greeted,
    /// Subscriptions may go out.
    Ready,
}

/// How far the login has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// Nobody is to log in.
    Unwanted,
    /// Not tried yet, or to be tried again at that time by the monotonic clock.
    Due(i64),
    /// Asked for.
    Asked,
    /// Done.
    Done,
    /// Refused, or withheld.
    Refused,
}

/// A session of CoinFLEX v1.
pub(super) struct CoinFlexSession {
    pub(super) account: Option<Arc<Account>>,
    pub(super) plan: Arc<Plan>,
    pub(super) markets: Markets,
    pub(super) streams: Streams,
    pub(super) requests: Requests,
    pub(super) planner: Planner,
    pub(super) phase: Phase,
    pub(super) login: Login,
    /// When the greeting is overdue, by the monotonic clock.
    pub(super) greeting_deadline: i64,
    /// Which parts of the account's state came since the login: balances, orders.
    pub(super) account_parts: (bool, bool),
    /// By how much the wall clock was ahead of the monotonic one at the last input, in ns.
    pub(super) wall_ahead: i64,
    /// What checks wait by.
    pub(super) link: LinkClock,
    /// What the account's notices must not contradict.
    pub(super) ledger: Ledger,
    /// What checks found and was not said yet.
    pub(super) found: Vec<Found>,
    told: Told,
    pub(super) deadline: Option<i64>,
}

impl CoinFlexSession {
    /// A session before its first input.
    pub(super) fn new(account: Option<Arc<Account>>) -> Self {
        Self {
            account,
            plan: Arc::new(Plan::default()),
            markets: Markets::default(),
            streams: Streams::default(),
            requests: Requests::default(),
            planner: Planner::default(),
            phase: Phase::Disconnected,
            login: Login::Unwanted,
            greeting_deadline: 0,
            account_parts: (false, false),
            wall_ahead: 0,
            link: LinkClock::new(Plan::default().timing.silence),
            ledger: Ledger::default(),
            found: Vec::new(),
            told: Told::default(),
            deadline: None,
        }
    }

    fn connecting(&mut self, at: Stamp, plan: &Arc<Plan>, out: &mut Output) {
        out.events.push(Event::Session(SessionChange::Connecting {
            source: plan.source.as_str().into(),
            venue: plan.venue.as_str().into(),
            url: plan.url.clone(),
            user: plan.user,
        }));
        self.link = LinkClock::new(plan.timing.silence);
        self.take_plan(at, plan, out);
    }

    /// Takes a plan, the first or another one.
    fn take_plan(&mut self, at: Stamp, plan: &Arc<Plan>, out: &mut Output) {
        let was_withheld = std::mem::replace(&mut self.plan, plan.clone()).login_withheld.is_some();
        let is_withheld = plan.login_withheld.is_some();
        self.login = match self.login {
            _ if self.phase == Phase::Disconnected => match &plan.user {
                None => Login::Unwanted,
                Some(_) if is_withheld => Login::Refused,
                Some(_) => Login::Due(at.mono),
            },
            // The login that was wished for does not go out.
            Login::Due(_) if is_withheld => {
                self.planner.login_wished = false;
                Login::Refused
            }
            Login::Refused if was_withheld && !is_withheld => Login::Due(at.mono),
            login => login,
        };
        if plan.user.is_some() {
            let key = StreamKey { channel: "account".to_owned(), market: None, detail: String::new() };
            let stream = kind::declare(&mut self.streams, Kind::Account, key, &mut out.events);
            self.want(at, stream, None, out);
        } else {
            for stream in self.streams.select(|stream| stream.is_wanted && stream.kind == Kind::Account) {
                self.unwant(at.wall, stream, out);
            }
        }
        self.resolve(at, out);
    }

    /// Marks a stream as wanted; one that was not is in the state the connection is in.
    pub(super) fn want(
        &mut self,
        at: Stamp,
        stream: StreamRef,
        stale_after: Option<std::time::Duration>,
        out: &mut Output,
    ) {
        if self.streams.want(stream, stale_after) && (self.phase != Phase::Disconnected || self.plan.first) {
            let cause = self.cause_before_asking(stream);
            self.streams.put(stream, at.wall, Coverage::Gap(cause), None, &mut out.events);
        }
    }

    /// Why a stream that was not asked for yet is not recorded.
    pub(super) fn cause_before_asking(&self, stream: StreamRef) -> GapCause {
        match self.phase {
            Phase::Disconnected => GapCause::NotConnected,
            Phase::Opened => GapCause::NotGreeted,
            Phase::Greeted | Phase::Ready if self.needs_login(stream) && self.login != Login::Done => {
                GapCause::NotAuthenticated
            }
            Phase::Greeted | Phase::Ready => GapCause::NotAcknowledged,
        }
    }

    /// Whether the venue gives a stream only to whoever is logged in.
    pub(super) fn needs_login(&self, stream: StreamRef) -> bool {
        match self.streams.get(stream).kind {
            Kind::Account => true,
            Kind::Book(_) | Kind::Ticker(_) | Kind::Unlisted => false,
            Kind::Poll(n) => self.planner.poll(n).needs_login(),
        }
    }

    /// Puts every wanted stream that was not asked for in the state the connection is in now.
    pub(super) fn put_waiting(&mut self, at: Timestamp, out: &mut Output) {
        for stream in self.streams.select(|stream| stream.is_wanted && stream.asking == Asking::Idle) {
            if self.streams.get(stream).kind == Kind::Unlisted {
                continue;
            }
            let cause = self.cause_before_asking(stream);
            self.streams.put(stream, at, Coverage::Gap(cause), None, &mut out.events);
        }
    }

    fn catalog(&mut self, at: Stamp, catalog: &Arc<Catalog>, out: &mut Output) {
        out.events.push(Event::Catalog(catalog.clone()));
        let changes = self.markets.set_catalog(catalog, &mut out.events);
        for stream in self.streams.select(|stream| stream.asking == Asking::Refused) {
            if self.streams.get(stream).kind.market().is_some_and(|market| changes.relisted.contains(&market)) {
                self.streams.get_mut(stream).asking = Asking::Idle;
            }
        }
        self.rescale(catalog.other_until, &changes, out);
        self.resolve(at, out);
    }

    fn opened(&mut self, at: Stamp, opened: &Opened, out: &mut Output) {
        self.phase = Phase::Opened;
        self.greeting_deadline = at.mono.saturating_add(nanos(self.plan.timing.greeting));
        out.events.push(Event::Session(SessionChange::Opened { peer: opened.peer.clone() }));
        if self.markets.catalog().is_none() {
            self.resolve(at, out);
        }
        self.put_waiting(at.wall, out);
    }

    fn closed(&mut self, at: Stamp, closed: &Closed, out: &mut Output) {
        self.phase = Phase::Disconnected;
        self.streams.summarise(&mut out.events);
        for stream in self.streams.select(|_| true) {
            self.streams.end(stream, at.wall, closed, &mut out.events);
        }
        let Closed { cause, code, detail, .. } = closed.clone();
        out.events.push(Event::Session(SessionChange::Closed { cause, code, detail }));
    }

    fn received(&mut self, seq: Seq, at: Stamp, frame: &[u8], out: &mut Output) {
        let Ok(text) = std::str::from_utf8(frame) else {
            return self.illegible(at, UnknownReason::InvalidUtf8, String::new(), frame, out);
        };
        let mut message = Message::default();
        if let Err(error) = decode::decode_into(text, &mut message) {
            let (reason, what) = match text.trim_start().as_bytes().first() {
                Some(b'[' | b'"' | b'0'..=b'9' | b'-' | b't' | b'f' | b'n')
                    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() =>
                {
                    (UnknownReason::UnknownShape, String::new())
                }
                _ => (UnknownReason::InvalidJson, format!("line {} column {}", error.line(), error.column())),
            };
            return self.illegible(at, reason, what, frame, out);
        }
        let mut problems = Problems::default();
        let kind = match &message.notice {
            Some(NoticeName::Unknown(name)) => {
                problems.add(UnknownReason::UnknownNotice, name);
                name.as_ref()
            }
            Some(notice) => self.notice(at, notice, text, &message, &mut problems, out),
            None if message.fields.has(Key::ErrorCode) => {
                self.reply(&Frame { seq, at, text, message: &message }, &mut problems, out);
                "reply"
            }
            None => {
                problems.add(UnknownReason::UnknownShape, "");
                ""
            }
        };
        self.complain(kind, &message, frame, &mut problems, out);
    }

    /// Handles a notice and returns its name.
    fn notice(
        &mut self,
        at: Stamp,
        name: &NoticeName<'_>,
        text: &str,
        message: &Message<'_>,
        problems: &mut Problems,
        out: &mut Output,
    ) -> &'static str {
        let (name, order_kind) = match name {
            NoticeName::OrderOpened => ("OrderOpened", Some(OrderKind::Opened)),
            NoticeName::OrderModified => ("OrderModified", Some(OrderKind::Modified)),
            NoticeName::OrderClosed => ("OrderClosed", Some(OrderKind::Closed)),
            NoticeName::OrdersMatched => ("OrdersMatched", None),
            NoticeName::TickerChanged => ("TickerChanged", None),
            NoticeName::Welcome => {
                self.welcome(at, message, out);
                return "Welcome";
            }
            NoticeName::BalanceChanged | NoticeName::TradeVolumeChanged => {
                let read = Reader::new(text, &message.fields, problems);
                let (name, event) = if matches!(name, NoticeName::BalanceChanged) {
                    ("BalanceChanged", notice::balance(&self.markets, false, read))
                } else {
                    ("TradeVolumeChanged", notice::trade_volume(&self.markets, None, read))
                };
                if let Some(Event::Balance(balance)) = &event
                    && let Some(asset) = balance.asset
                {
                    self.settle_account(at, out);
                    self.ledger.told(self.link.stamp(at), asset, balance.available.as_ref());
                }
                out.events.extend(event);
                self.account_data(at, problems, out);
                return name;
            }
            NoticeName::Unknown(_) => return "",
        };
        let Some(codes) = notice::codes(text, message, problems) else {
            self.damage_all(at, name, out);
            return name;
        };
        let Some(market) = self.markets.hear_of(codes, problems, &mut out.events) else { return name };
        let places = Places::of(&self.markets, market);
        let (stream, is_own) = match order_kind {
            Some(kind) => {
                let event = notice::order(kind, market, places, Reader::new(text, &message.fields, problems));
                if let Some(event) = event {
                    self.markets.entry_mut(market).check.order(self.link.stamp(at), &event, &mut self.found);
                    if event.own {
                        let terms = self.terms(codes, places);
                        self.ledger.order(self.link.stamp(at), terms, &event);
                    }
                    out.events.push(Event::Order(event));
                }
                (self.markets.entry(market).book, message.fields.has(Key::Tonce))
            }
            None if name == "OrdersMatched" => {
                let trade = notice::matched(market, places, message, text, problems);
                self.markets.entry_mut(market).check.trade(self.link.stamp(at), &trade, &mut self.found);
                if trade.own {
                    let terms = self.terms(codes, places);
                    self.ledger.trade(self.link.stamp(at), terms, &trade);
                }
                out.events.push(Event::Trade(Box::new(trade)));
                let own = [Key::BidTonce, Key::AskTonce, Key::Taker].into_iter().any(|key| message.fields.has(key));
                (self.markets.entry(market).book, own)
            }
            None => {
                let read = Reader::new(text, &message.fields, problems);
                let ticker = notice::ticker(TickerKind::Partial, market, places, read);
                self.markets.entry_mut(market).check.ticker(self.link.stamp(at), &ticker, &mut self.found);
                out.events.push(Event::Ticker(Box::new(ticker)));
                (self.markets.entry(market).ticker, false)
            }
        };
        if let Some(stream) = stream {
            self.data(at, stream, problems, out);
        }
        self.conclude(at, market, out);
        if is_own {
            self.account_data(at, problems, out);
            self.settle_account(at, out);
        }
        name
    }

    /// Notes that a frame of a stream came, sound or damaged.
    pub(super) fn data(&mut self, at: Stamp, stream: StreamRef, problems: &Problems, out: &mut Output) {
        self.streams.data(stream, at);
        if problems.is_damaging() {
            self.damage(at, stream, "a field is missing or has another type", out);
        } else if self.streams.is_stale(stream) && self.streams.get(stream).asking == Asking::Live {
            let (state, evidence) = covered(self.is_scale_known(stream));
            self.streams.put(stream, at.wall, state, evidence, &mut out.events);
        }
    }

    fn account_data(&mut self, at: Stamp, problems: &Problems, out: &mut Output) {
        let account = self.streams.iter().find(|(_, stream)| stream.kind == Kind::Account);
        if let Some((stream, _)) = account {
            self.data(at, stream, problems, out);
        }
    }

    /// Whether the scale of a stream's numbers is known.
    pub(super) fn is_scale_known(&self, stream: StreamRef) -> bool {
        self.streams.get(stream).kind.market().is_none_or(|market| {
            let market = &self.markets.entry(market).market;
            market.price_places.is_some() && market.quantity_places.is_some()
        })
    }

    /// A frame that cannot be read at all might have been of any stream.
    fn illegible(&mut self, at: Stamp, reason: UnknownReason, what: String, frame: &[u8], out: &mut Output) {
        if reason != UnknownReason::UnknownShape {
            self.damage_all(at, reason.as_str(), out);
        }
        out.events.push(Event::NotUnderstood(Box::new(NotUnderstood { reason, what, body: frame.to_vec() })));
    }

    /// Tells what was not understood of a frame that could be read.
    pub(super) fn complain(
        &mut self,
        kind: &str,
        message: &Message<'_>,
        frame: &[u8],
        problems: &mut Problems,
        out: &mut Output,
    ) {
        let mut tell = |reason, what: String| {
            if let Some(what) = self.told.name(reason, what) {
                out.events.push(Event::NotUnderstood(Box::new(NotUnderstood { reason, what, body: frame.to_vec() })));
            }
        };
        if let Some((reason, what)) = problems.take() {
            tell(reason, what);
        }
        if let Some(field) = &message.duplicate {
            tell(UnknownReason::DuplicateField, field.clone());
        }
        for field in &message.unknown {
            tell(UnknownReason::UnknownField, format!("{kind}.{field}"));
        }
    }

    fn timer(&mut self, at: Stamp, out: &mut Output) {
        if self.phase == Phase::Opened && self.greeting_deadline <= at.mono {
            let detail = format!("no greeting within {:?}", self.plan.timing.greeting);
            out.actions.push(Action::Close { cause: crate::model::CloseCause::TimedOut, detail });
        }
        if let Some(request) = self.requests.oldest().filter(|request| request.deadline <= at.mono) {
            let detail = format!("no reply to {} within {:?}", request.method.as_str(), self.plan.timing.reply);
            out.actions.push(Action::Close { cause: crate::model::CloseCause::TimedOut, detail });
        }
        for (stream, last) in self.streams.overdue(at.mono) {
            let since = last.unwrap_or(at.wall);
            self.streams.put(stream, since, Coverage::Gap(GapCause::Stale), None, &mut out.events);
            self.planner.renew(stream);
        }
        let settled = self.link.stamp(at);
        for market in self.markets.refs() {
            let check = &mut self.markets.entry_mut(market).check;
            if check.deadline().is_some_and(|deadline| deadline <= settled.mono) {
                check.compare(settled, &mut self.found);
                self.conclude(at, market, out);
            }
        }
        if self.ledger.deadline().is_some_and(|deadline| deadline <= settled.mono) {
            self.settle_account(at, out);
        }
        self.expire(at, out);
    }

    fn next_deadline(&self, mono: i64) -> Option<i64> {
        let greeting = (self.phase == Phase::Opened).then_some(self.greeting_deadline);
        let reply = self.requests.oldest().map(|request| request.deadline);
        let check = self.markets.refs().filter_map(|market| self.markets.entry(market).check.deadline());
        let check = check.chain(self.ledger.deadline()).min().map(|deadline| self.link.when(mono, deadline));
        [greeting, reply, check, self.streams.stale_deadline(), self.expiry_deadline(), self.plan_deadline()]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Session for CoinFlexSession {
    fn handle(&mut self, seq: Seq, at: Stamp, input: &Input<'_>, out: &mut Output) {
        self.streams.follow(at, &mut out.events);
        if matches!(input, Input::Stalled(..) | Input::Suspended(..)) {
            self.link.excuse(at.mono);
        }
        match input {
            Input::Received(frame) => {
                let before = out.events.len();
                let was_silent = self.link.hear(at.mono);
                self.received(seq, at, frame, out);
                // Only what came of a reply, the greeting or a damaged frame can change what is to be done next.
                let is_routine = out.events.get(before).is_some_and(is_market_event) && out.events.len() == before + 1;
                if is_routine && !was_silent && self.planner.is_idle() {
                    return;
                }
            }
            Input::Connecting(plan) => self.connecting(at, plan, out),
            Input::Replanned(plan) => self.take_plan(at, plan, out),
            Input::Catalog(catalog) => self.catalog(at, catalog, out),
            Input::Opened(opened) => self.opened(at, opened, out),
            Input::Sent(frame) => self.sent(seq, at, frame, out),
            Input::ReceivedBinary(frame) => self.illegible(at, UnknownReason::Binary, String::new(), frame, out),
            Input::Rest(answer, body) => self.rest(at, answer, body, out),
            Input::Timer => self.timer(at, out),
            Input::Closed(closed) => self.closed(at, closed, out),
            Input::Stalled(from, to) => self.streams.unread(*from, *to, GapCause::SinkStalled, &mut out.events),
            Input::Suspended(from, to) => self.streams.unread(*from, *to, GapCause::Suspended, &mut out.events),
            Input::Look(look, answer) => self.look(seq, at, look, answer, out),
        }
        self.plan_next(at, out);
        self.deadline = self.next_deadline(at.mono);
    }

    fn deadline(&self) -> Option<i64> {
        self.deadline
    }

    fn summarise(&mut self, out: &mut Output) {
        self.streams.summarise(&mut out.events);
    }
}

fn is_market_event(event: &Event) -> bool {
    matches!(event, Event::Order(_) | Event::Trade(_) | Event::Ticker(_))
}
