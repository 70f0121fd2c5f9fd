//! What the session wants sent: the login, watch commands for wanted streams, repeated requests, renewals; within the
//! limits that the venue documents.
//!
//! Wishes are remembered until they went out, so that none is made twice. No conclusion depends on a wish: only on the
//! command as it comes back as an input.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::crypto::Nonce;
use crate::journal::PollPlan;
use crate::model::{
    AssetCode, Coverage, Event, GapCause, MarketPattern, MarketRef, Number, Stamp, StreamKey, StreamRef, Timestamp,
};
use crate::venue::{Action, Outgoing, Output, RestRequest};

use super::kind::{self, Kind};
use super::markets::Codes;
use super::request::{Method, Request};
use super::session::{CoinFlexSession, Login, Phase};
use super::wire::{Command, EstimateMarketOrder, GetTradeVolume, Request as Frame, Watch};
use crate::venue::streams::{Asking, nanos};

/// Information requests (`GetBalances`, `GetOrders`, `GetTradeVolume`) the venue takes of a session in ten seconds.
const INFORMATION_REQUESTS_MAX: usize = 10;
/// Those ten seconds, and what the way to the venue may take longer for one request than for another.
const INFORMATION_SPAN: Duration = Duration::from_millis(10_500);
/// Order commands (`EstimateMarketOrder` among them) the venue takes of a user in a second.
const ORDER_COMMANDS_MAX: usize = 200;
/// A stream in doubt is taken up anew at most this often.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);
/// What was refused for a reason that may pass is asked for again after this.
const REFUSED_RETRY: Duration = Duration::from_secs(60);

/// At most so many in any span of time.
struct Window {
    times: VecDeque<i64>,
    max: usize,
    span: Duration,
}

impl Window {
    fn new(max: usize, span: Duration) -> Self {
        Self { times: VecDeque::with_capacity(max), max, span }
    }

    /// When the next is allowed.
    fn free_at(&self) -> i64 {
        if self.times.len() < self.max { i64::MIN } else { self.times[0].saturating_add(nanos(self.span)) }
    }

    fn note(&mut self, now: i64) {
        if self.times.len() == self.max {
            self.times.pop_front();
        }
        self.times.push_back(now);
    }
}

/// A request that is repeated.
pub(super) struct Poll {
    pub(super) method: String,
    pub(super) stream: StreamRef,
    pub(super) market: Option<MarketRef>,
    codes: Option<Codes>,
    asset: Option<AssetCode>,
    quantity: Option<i64>,
    total: Option<i64>,
    every: i64,
    due: i64,
    in_flight: bool,
}

impl Poll {
    /// All tickers, by REST.
    pub(super) const TICKERS: &'static str = "tickers";
    /// The best levels of a market, by REST.
    const DEPTH: &'static str = "depth";

    /// Whether the venue answers only to whoever is logged in.
    pub(super) fn needs_login(&self) -> bool {
        matches!(self.method.as_str(), "GetBalances" | "GetOrders" | "GetTradeVolume")
    }

    /// The path below the REST URL, for what is asked there.
    fn path(&self) -> Option<String> {
        match (self.method.as_str(), self.codes) {
            (Self::TICKERS, None) => Some("tickers/".to_owned()),
            (Self::TICKERS, Some((base, counter))) => Some(format!("tickers/{base}:{counter}")),
            (Self::DEPTH, Some((base, counter))) => Some(format!("depth/{base}:{counter}")),
            _ => None,
        }
    }

    fn command(&self) -> Option<Command> {
        match (self.method.as_str(), self.codes, self.asset) {
            ("GetBalances", ..) => Some(Command::GetBalances),
            ("GetOrders", ..) => Some(Command::GetOrders),
            ("GetTradeVolume", _, Some(asset)) => Some(Command::GetTradeVolume(GetTradeVolume { asset })),
            ("EstimateMarketOrder", Some((base, counter)), _) => {
                let (quantity, total) = (self.quantity, self.total);
                Some(Command::EstimateMarketOrder(EstimateMarketOrder { base, counter, quantity, total }))
            }
            _ => None,
        }
    }

    /// Whether a command that went out is this request.
    fn is(&self, request: &Request) -> bool {
        let scaled = |amount: &Option<crate::model::Quantity>| amount.as_ref().and_then(|amount| amount.as_scaled());
        request.method.as_str() == self.method
            && request.asset == self.asset
            && request.market == self.market
            && scaled(&request.quantity) == self.quantity
            && scaled(&request.total) == self.total
    }
}

/// The wishes of a session.
pub(super) struct Planner {
    /// The nonce of the greeting.
    pub(super) server_nonce: Option<Nonce>,
    polls: Vec<Poll>,
    next_tag: i64,
    next_rest: u64,
    information: Window,
    orders: Window,
    /// Streams to take up anew, and not before when.
    renewals: Vec<(StreamRef, i64)>,
    last_renewal: Option<i64>,
    /// Wishes that have not gone out yet.
    pub(super) login_wished: bool,
    watch_wished: HashSet<(StreamRef, bool)>,
    /// Which parts of the account's state are asked for: balances, orders.
    account_wished: (bool, bool),
    /// When the others may be, by the monotonic clock.
    account_not_before: i64,
}

impl Default for Planner {
    fn default() -> Self {
        Self {
            server_nonce: None,
            polls: Vec::new(),
            next_tag: 1,
            next_rest: 0,
            information: Window::new(INFORMATION_REQUESTS_MAX, INFORMATION_SPAN),
            orders: Window::new(ORDER_COMMANDS_MAX, Duration::from_secs(1)),
            renewals: Vec::new(),
            last_renewal: None,
            login_wished: false,
            watch_wished: HashSet::new(),
            account_wished: (false, false),
            account_not_before: i64::MIN,
        }
    }
}

impl Planner {
    /// The n-th repeated request.
    pub(super) fn poll(&self, n: usize) -> &Poll {
        &self.polls[n]
    }

    /// The stream of the repeated request that a command is.
    pub(super) fn poll_stream(&self, request: &Request) -> Option<StreamRef> {
        self.polls.iter().find(|poll| poll.is(request)).map(|poll| poll.stream)
    }

    /// The repeated request that a REST answer is for, by what was asked (`GET tickers/`).
    pub(super) fn poll_of_path(&self, asked: &str) -> Option<usize> {
        let path = asked.strip_prefix("GET ")?;
        self.polls.iter().position(|poll| poll.path().as_deref() == Some(path))
    }

    /// Takes a stream up anew, as soon as that is due.
    pub(super) fn renew(&mut self, stream: StreamRef) {
        if self.renewals.iter().all(|(other, _)| *other != stream) {
            let not_before = self.last_renewal.map_or(i64::MIN, |last| last.saturating_add(nanos(RENEWAL_INTERVAL)));
            self.renewals.push((stream, not_before));
        }
    }

    /// A stream was just taken up: what spoke for doing so is over.
    pub(super) fn taken_up(&mut self, stream: StreamRef) {
        self.renewals.retain(|(other, _)| *other != stream);
    }

    /// Whether nothing is waiting to be taken up anew.
    pub(super) fn is_idle(&self) -> bool {
        self.renewals.is_empty()
    }

    /// A command went out: it is no wish any more.
    pub(super) fn went_out(&mut self, request: &Request) {
        self.next_tag = self.next_tag.max(request.tag.unwrap_or(0) + 1);
        match (&request.method, request.stream) {
            (Method::Authenticate, _) => self.login_wished = false,
            (Method::WatchOrders | Method::WatchTicker, Some(stream)) => {
                self.watch_wished.remove(&(stream, request.watch));
            }
            _ => {}
        }
    }

    /// The account's state is to be had (anew).
    pub(super) fn renew_account(&mut self) {
        self.account_wished = (false, false);
    }

    /// A part of the account's state was refused.
    pub(super) fn account_refused(&mut self, method: &Method, now: i64) {
        match method {
            Method::GetBalances => self.account_wished.0 = false,
            Method::GetOrders => self.account_wished.1 = false,
            _ => return,
        }
        self.account_not_before = now.saturating_add(nanos(REFUSED_RETRY));
    }

    /// A stream was refused for a reason that may pass.
    pub(super) fn refused(&mut self, stream: StreamRef, now: i64) {
        if self.renewals.iter().all(|(other, _)| *other != stream) {
            self.renewals.push((stream, now.saturating_add(nanos(REFUSED_RETRY))));
        }
    }

    /// A reply came: a repeated request may be repeated again.
    pub(super) fn answered(&mut self, request: &Request) {
        if let Some(poll) = self.polls.iter_mut().find(|poll| Some(poll.stream) == request.stream) {
            poll.in_flight = false;
        }
    }

    /// A REST answer came.
    pub(super) fn rest_answered(&mut self, n: usize) {
        self.polls[n].in_flight = false;
    }

    fn tag(&mut self) -> i64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        tag
    }

    fn send(&mut self, command: Command, out: &mut Output) {
        let frame = Frame::tagged(self.tag(), command).to_json();
        out.actions.push(Action::Send(Outgoing::plain(frame)));
    }
}

impl CoinFlexSession {
    /// The stream of a market's orders.
    pub(super) fn book_stream(&mut self, market: MarketRef, events: &mut Vec<Event>) -> StreamRef {
        let key = self.market_key("WatchOrders", market, String::new());
        let stream = kind::declare(&mut self.streams, Kind::Book(market), key, events);
        self.markets.entry_mut(market).book = Some(stream);
        stream
    }

    /// The stream of a market's ticker.
    pub(super) fn ticker_stream(&mut self, market: MarketRef, events: &mut Vec<Event>) -> StreamRef {
        let key = self.market_key("WatchTicker", market, String::new());
        let stream = kind::declare(&mut self.streams, Kind::Ticker(market), key, events);
        self.markets.entry_mut(market).ticker = Some(stream);
        stream
    }

    fn market_key(&self, channel: &str, market: MarketRef, detail: String) -> StreamKey {
        let market = Some(self.markets.entry(market).market.name.clone());
        StreamKey { channel: channel.to_owned(), market, detail }
    }

    /// Works out which streams are wanted, by plan and catalog.
    pub(super) fn resolve(&mut self, at: Stamp, out: &mut Output) {
        let plan = self.plan.clone();
        let mut wanted = HashSet::new();
        for subscribe in &plan.subscribe {
            for pattern in &subscribe.markets {
                for codes in self.markets.meant(pattern, at.wall) {
                    let market = self.markets.meet(codes, &mut out.events);
                    let stream = match subscribe.method.as_str() {
                        "WatchTicker" => self.ticker_stream(market, &mut out.events),
                        _ => self.book_stream(market, &mut out.events),
                    };
                    wanted.insert(stream);
                    self.want(at, stream, subscribe.stale_after, out);
                }
                self.tell_unlisted(at, &subscribe.method, pattern, &mut wanted, out);
            }
        }
        for poll in &plan.poll {
            self.resolve_poll(at, poll, &mut wanted, out);
        }
        for stream in self.streams.select(|stream| stream.is_wanted && stream.kind != Kind::Account) {
            if !wanted.contains(&stream) {
                self.unwant(at.wall, stream, out);
            }
        }
    }

    /// A market asked for by a name that means nothing (yet) is a stream too, with its own state.
    fn tell_unlisted(
        &mut self,
        at: Stamp,
        method: &str,
        pattern: &MarketPattern,
        wanted: &mut HashSet<StreamRef>,
        out: &mut Output,
    ) {
        let is_name = !pattern.is_wildcard() && pattern.codes().is_none();
        let (cause, evidence) = match self.markets.catalog() {
            _ if !is_name => return,
            Some(catalog) if catalog.markets.iter().any(|market| pattern.matches(market)) => return,
            Some(_) => (GapCause::Refused, "the catalog does not list it"),
            // Dialling, it may be on its way.
            None if self.phase == Phase::Disconnected => return,
            None => (GapCause::NotAcknowledged, "there is no catalog to say which market it is"),
        };
        let market = Some(pattern.to_string());
        let key = StreamKey { channel: method.to_owned(), market, detail: String::new() };
        let stream = kind::declare(&mut self.streams, Kind::Unlisted, key, &mut out.events);
        wanted.insert(stream);
        self.streams.get_mut(stream).is_wanted = true;
        self.streams.put(stream, at.wall, Coverage::Gap(cause), Some(evidence), &mut out.events);
    }

    /// A stream that is not wanted any more: its market expired or went, or the configuration changed.
    pub(super) fn unwant(&mut self, at: Timestamp, stream: StreamRef, out: &mut Output) {
        let market = self.streams.get(stream).kind.market();
        let expired = market.and_then(|market| self.markets.entry(market).market.expires).is_some_and(|end| end <= at);
        let cause = if expired { GapCause::Expired } else { GapCause::Reconfigured };
        self.streams.get_mut(stream).is_wanted = false;
        self.streams.put(stream, at, Coverage::Gap(cause), None, &mut out.events);
    }

    fn resolve_poll(&mut self, at: Stamp, plan: &PollPlan, wanted: &mut HashSet<StreamRef>, out: &mut Output) {
        let mut about: Vec<Option<Codes>> = Vec::new();
        for pattern in &plan.markets {
            about.extend(self.markets.meant(pattern, at.wall).into_iter().map(Some));
        }
        if plan.markets.is_empty() {
            about.push(None);
        }
        for codes in about {
            let market = codes.map(|codes| self.markets.meet(codes, &mut out.events));
            let (quantity, total) = self.estimated(plan, market);
            let details = [("asset", &plan.asset), ("quantity", &plan.quantity), ("total", &plan.total)];
            let given =
                details.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")));
            let detail = given.collect::<Vec<_>>().join(" ");
            let key = match market {
                Some(market) => self.market_key(&plan.method, market, detail),
                None => StreamKey { channel: plan.method.clone(), market: None, detail },
            };
            let n = self.planner.polls.len();
            let stream = kind::declare(&mut self.streams, Kind::Poll(n), key, &mut out.events);
            let asset = plan.asset.as_deref().and_then(|name| self.markets.asset_code(name));
            let every = nanos(plan.every);
            match self.planner.polls.iter_mut().find(|poll| poll.stream == stream) {
                Some(poll) => {
                    poll.every = every;
                    poll.asset = asset;
                    (poll.quantity, poll.total) = (quantity, total);
                }
                None => self.planner.polls.push(Poll {
                    method: plan.method.clone(),
                    stream,
                    market,
                    codes,
                    asset,
                    quantity,
                    total,
                    every,
                    due: at.mono,
                    in_flight: false,
                }),
            }
            wanted.insert(stream);
            self.want(at, stream, None, out);
        }
    }

    /// The scaled amounts that an estimate asks about.
    fn estimated(&self, plan: &PollPlan, market: Option<MarketRef>) -> (Option<i64>, Option<i64>) {
        let Some(market) = market else { return (None, None) };
        let entry = self.markets.entry(market);
        let scaled = |text: &Option<String>, places: Option<u8>| {
            Number::of_units(text.as_deref()?, places?).as_ref().and_then(Number::as_scaled)
        };
        (scaled(&plan.quantity, entry.market.quantity_places), scaled(&plan.total, entry.counter_places))
    }

    /// Ends the streams whose market has expired.
    pub(super) fn expire(&mut self, at: Stamp, out: &mut Output) {
        for stream in self.streams.select(|stream| stream.is_wanted && stream.kind.market().is_some()) {
            if self.expires(stream).is_some_and(|end| end <= at.wall) {
                self.unwant(at.wall, stream, out);
            }
        }
    }

    fn expires(&self, stream: StreamRef) -> Option<Timestamp> {
        self.streams.get(stream).kind.market().and_then(|market| self.markets.entry(market).market.expires)
    }

    /// When the next market of a wanted stream expires, by the monotonic clock.
    pub(super) fn expiry_deadline(&self) -> Option<i64> {
        let wanted = self.streams.iter().filter(|(_, stream)| stream.is_wanted);
        let next = wanted.filter_map(|(reference, _)| self.expires(reference)).min()?;
        Some(next.0.saturating_sub(self.wall_ahead))
    }

    /// Wishes for whatever can be done now.
    pub(super) fn plan_next(&mut self, at: Stamp, out: &mut Output) {
        self.wall_ahead = at.wall.0.saturating_sub(at.mono);
        if self.phase == Phase::Greeted {
            self.plan_login(at, out);
        }
        if self.phase != Phase::Ready {
            return;
        }
        if matches!(self.login, Login::Due(due) if due <= at.mono) {
            self.wish_login(out);
        }
        self.plan_watches(out);
        self.plan_renewals(at.mono, out);
        self.plan_account(at.mono, out);
        self.plan_polls(at.mono, out);
    }

    /// Asks for what is missing of the account's state, before anything is polled.
    fn plan_account(&mut self, now: i64, out: &mut Output) {
        let (balances, orders) = self.account_missing();
        for (is_missing, command) in [(balances, Command::GetBalances), (orders, Command::GetOrders)] {
            if !is_missing || self.planner.account_not_before > now || self.planner.information.free_at() > now {
                continue;
            }
            match command {
                Command::GetBalances => self.planner.account_wished.0 = true,
                _ => self.planner.account_wished.1 = true,
            }
            self.planner.information.note(now);
            self.planner.send(command, out);
        }
    }

    /// Which parts of the account's state are neither had nor asked for: balances, orders.
    fn account_missing(&self) -> (bool, bool) {
        let (had, wished) = (self.account_parts, self.planner.account_wished);
        let is_due = self.login == Login::Done;
        (is_due && !had.0 && !wished.0, is_due && !had.1 && !wished.1)
    }

    fn plan_login(&mut self, at: Stamp, out: &mut Output) {
        match self.login {
            Login::Due(due) if due <= at.mono => self.wish_login(out),
            Login::Asked => {}
            Login::Unwanted | Login::Due(_) | Login::Done | Login::Refused => {
                self.phase = Phase::Ready;
                self.put_waiting(at.wall, out);
            }
        }
    }

    fn wish_login(&mut self, out: &mut Output) {
        if !self.planner.login_wished {
            let tag = self.planner.tag();
            if let Some(frame) = self.login_frame(tag) {
                self.planner.login_wished = true;
                out.actions.push(Action::Send(frame));
            }
        }
    }

    fn plan_watches(&mut self, out: &mut Output) {
        let due = self.streams.select(|stream| {
            stream.kind.market().is_some()
                && match stream.asking {
                    Asking::Idle => stream.is_wanted,
                    Asking::Live => !stream.is_wanted,
                    Asking::Asked | Asking::Refused => false,
                }
        });
        for stream in due {
            let watch = self.streams.get(stream).is_wanted;
            self.wish_watch(stream, watch, out);
        }
    }

    fn wish_watch(&mut self, stream: StreamRef, watch: bool, out: &mut Output) {
        let kind = self.streams.get(stream).kind.clone();
        let Some(market) = kind.market() else { return };
        let market = &self.markets.entry(market).market;
        let Some((base, counter)) = market.base_code.zip(market.counter_code) else { return };
        if self.requests.has(stream) || !self.planner.watch_wished.insert((stream, watch)) {
            return;
        }
        let fields = Watch { base, counter, watch };
        let command = match kind {
            Kind::Ticker(_) => Command::WatchTicker(fields),
            _ => Command::WatchOrders(fields),
        };
        self.planner.send(command, out);
    }

    fn plan_renewals(&mut self, now: i64, out: &mut Output) {
        let due = |(_, not_before): &(StreamRef, i64)| *not_before <= now;
        let renewals: Vec<_> = self.planner.renewals.extract_if(.., |renewal| due(renewal)).collect();
        for (stream, _) in renewals {
            self.planner.last_renewal = Some(now);
            match self.streams.get(stream).kind {
                Kind::Book(_) | Kind::Ticker(_) if self.streams.get(stream).asking == Asking::Refused => {
                    if self.streams.get(stream).is_wanted {
                        self.wish_watch(stream, true, out);
                    }
                }
                // Its reply ends it, and what is wanted and idle is asked for.
                Kind::Book(_) | Kind::Ticker(_) => self.wish_watch(stream, false, out),
                Kind::Account => {
                    self.account_parts = (false, false);
                    self.planner.renew_account();
                }
                Kind::Poll(_) | Kind::Unlisted => {}
            }
        }
    }

    fn plan_polls(&mut self, now: i64, out: &mut Output) {
        for n in 0..self.planner.polls.len() {
            let poll = &self.planner.polls[n];
            let may = !poll.needs_login() || self.login == Login::Done;
            if poll.in_flight || poll.due > now || !may || !self.streams.get(poll.stream).is_wanted {
                continue;
            }
            if let Some(path) = poll.path() {
                let request = self.planner.next_rest;
                self.planner.next_rest += 1;
                out.actions.push(Action::Rest(RestRequest::get(request, path)));
            } else {
                let Some(command) = poll.command() else { continue };
                let needs_login = poll.needs_login();
                let window = if needs_login { &mut self.planner.information } else { &mut self.planner.orders };
                if window.free_at() > now {
                    continue;
                }
                window.note(now);
                self.planner.send(command, out);
            }
            let poll = &mut self.planner.polls[n];
            poll.in_flight = true;
            let missed = (now - poll.due) / poll.every.max(1) + 1;
            poll.due = poll.due.saturating_add(poll.every.saturating_mul(missed));
        }
    }

    /// When something will be due that is not now.
    pub(super) fn plan_deadline(&self) -> Option<i64> {
        if self.phase != Phase::Ready {
            return None;
        }
        let login = match self.login {
            Login::Due(due) => Some(due),
            _ => None,
        };
        let renewal = self.planner.renewals.iter().map(|(_, not_before)| *not_before).min();
        let open = self.planner.polls.iter().filter(|poll| {
            let may = !poll.needs_login() || self.login == Login::Done;
            !poll.in_flight && may && self.streams.get(poll.stream).is_wanted
        });
        let poll = open.map(|poll| match (poll.path(), poll.needs_login()) {
            (Some(_), _) => poll.due,
            (None, true) => poll.due.max(self.planner.information.free_at()),
            (None, false) => poll.due.max(self.planner.orders.free_at()),
        });
        let account = match self.account_missing() {
            (false, false) => None,
            _ => Some(self.planner.account_not_before.max(self.planner.information.free_at())),
        };
        [login, renewal, account, poll.min()].into_iter().flatten().min()
    }
}
