//! What a venue offers and how its protocol behaves, as data: what a configuration is checked against, what
//! `feedtape venues` lists, and what sessions go by.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::model::{Nature, TimeUnit, Verdict};

use super::AccountKind;

/// What a venue offers.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The places it can be reached at by name.
    pub endpoints: &'static [Endpoint],
    /// What can be subscribed to.
    pub channels: Cow<'static, [Channel]>,
    /// What can be asked for again and again.
    pub polls: &'static [Poll],
    /// What it wants of whoever logs in.
    pub account: AccountKind,
    /// How it answers a request to subscribe.
    pub ack: Ack,
    /// What keeps a connection alive, beyond the pings of RFC 6455, which are always answered.
    pub keepalive: Keepalive,
    /// How many frames may be sent; `None`: there is no limit to keep.
    pub sends: Option<Rate>,
    /// How many REST requests may be made, likewise.
    pub requests: Option<Rate>,
    /// How many subscriptions a frame may ask for.
    pub batch_max: usize,
    /// How many subscriptions a connection may have; `None`: there is no limit to keep.
    pub streams_max: Option<usize>,
    /// After this long the venue ends a connection: a new one is opened before.
    pub lifetime: Option<Duration>,
}

/// A named pair of URLs.
#[derive(Debug)]
pub struct Endpoint {
    /// The name, as `endpoint = "live"` has it.
    pub name: &'static str,
    /// Where the socket goes.
    pub url: &'static str,
    /// Where REST paths begin.
    pub rest_url: &'static str,
}

/// Something to subscribe to.
#[derive(Clone, Debug)]
pub struct Channel {
    /// The venue's method or channel name.
    pub method: Cow<'static, str>,
    /// What it records, for people.
    pub records: &'static str,
    /// Whether it needs a login.
    pub needs_login: bool,
    /// Whether it is subscribed market by market; else there is one for all.
    pub by_market: bool,
    /// The endpoints that have it; empty: all of them.
    pub endpoints: &'static [&'static str],
    /// What can be chosen.
    pub options: &'static [ChannelOption],
    /// The unit of its times.
    pub time: Option<TimeUnit>,
    /// What its completeness is judged by.
    pub integrity: Integrity,
    /// Where the state comes from that its updates change.
    pub snapshot: SnapshotSource,
}

/// Something that can be chosen of a channel, such as its depth.
#[derive(Debug)]
pub struct ChannelOption {
    /// Its key in the configuration.
    pub name: &'static str,
    /// What it can be.
    pub values: &'static [&'static str],
    /// What it is if nothing is said; `None`: the venue's own default, the frame has none.
    pub default: Option<&'static str>,
}

/// What the completeness of a stream is judged by, and what that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// How.
    pub scheme: Scheme,
    /// Over what.
    pub scope: Scope,
}

/// How a venue lets the completeness of a stream be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Each message has a number, greater by `step` than the one before.
    Counter {
        /// By how much.
        step: u64,
        /// The number of the first, where that is known.
        start: Option<u64>,
        /// A number that means that the venue began anew, with all there is; no gap.
        restart: Option<u64>,
        /// How many messages may overtake one before it is missing.
        reorder: u8,
    },
    /// Each message names the one before.
    Chain,
    /// Each message has the numbers of its first and last change, and goes on where the one before ended.
    Range,
    /// Each message has a checksum over the state; what it does not cover is not seen.
    Checksum {
        /// What a checksum that holds says nothing of, one clause.
        blind: &'static str,
    },
    /// Times (or numbers) that never go back; a hole cannot be seen.
    TimeOnly,
    /// Each message has the whole state: what is lost is history.
    SelfContained,
    /// Nothing is numbered; messages that contradict each other are looked for.
    Contradictions,
    /// Nothing at all.
    None,
}

/// What a scheme counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All frames of a connection, whatever they are.
    Connection,
    /// The messages of one subscription.
    Topic,
}

/// Where the state comes from that the updates of a stream change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotSource {
    /// It has none: every message stands for itself.
    None,
    /// A message of the stream, after subscribing.
    InBand,
    /// The answer to subscribing.
    Reply,
    /// A REST answer, joined to the updates.
    Rest(Splice),
}

/// How updates are joined to a REST answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splice {
    /// By the number of the last change that the answer contains.
    Number,
    /// By the answer's time.
    Time,
}

/// How a venue answers a request to subscribe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// With the request's number.
    EchoId,
    /// With what was asked for.
    EchoArgument,
    /// With all that is subscribed to.
    StateEcho,
    /// With a status for each thing asked for.
    StatusMap,
    /// With a list of what it agreed to.
    ResultList,
    /// Not at all.
    None,
}

/// What keeps a connection alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keepalive {
    /// Nothing of ours.
    None,
    /// A text, sent this often.
    Send {
        /// What to send.
        frame: Cow<'static, str>,
        /// How often.
        every: Duration,
    },
    /// A channel that is subscribed to beside what is wanted.
    Channel(Cow<'static, str>),
}

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// This many at once.
    pub burst: u32,
    /// And one more each time this has passed.
    pub every: Duration,
}

/// A request that can be repeated.
#[derive(Debug)]
pub struct Poll {
    /// The venue's method, or the family of REST paths.
    pub method: &'static str,
    /// Whether it needs a login.
    pub needs_login: bool,
    /// Whether it goes by REST.
    pub by_rest: bool,
    /// What it is asked about.
    pub about: PollSubject,
}

/// What a repeated request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollSubject {
    /// Nothing further: the account, or the whole venue.
    Whole,
    /// An asset.
    Asset,
    /// Markets, one request for each.
    Markets,
    /// Markets, or (none being named) all of them in one request.
    MarketsOrAll,
    /// Markets, and a quantity or a total.
    Estimate,
}

impl Profile {
    /// The channel of that name.
    #[must_use]
    pub fn channel(&self, method: &str) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.method == method)
    }
}

impl Channel {
    /// A public channel that is subscribed market by market, says nothing of its times or its completeness, and whose
    /// messages stand for themselves.
    #[must_use]
    pub const fn new(method: &'static str, records: &'static str) -> Self {
        Self {
            method: Cow::Borrowed(method),
            records,
            needs_login: false,
            by_market: true,
            endpoints: &[],
            options: &[],
            time: None,
            integrity: Integrity::NONE,
            snapshot: SnapshotSource::None,
        }
    }

    /// The same for whoever is logged in.
    #[must_use]
    pub const fn private(mut self) -> Self {
        self.needs_login = true;
        self
    }

    /// The same, once for all markets.
    #[must_use]
    pub const fn for_all(mut self) -> Self {
        self.by_market = false;
        self
    }

    /// The same at these endpoints only.
    #[must_use]
    pub const fn at(mut self, endpoints: &'static [&'static str]) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// The same with something to choose.
    #[must_use]
    pub const fn chosen(mut self, options: &'static [ChannelOption]) -> Self {
        self.options = options;
        self
    }

    /// The same with times in this unit.
    #[must_use]
    pub const fn timed(mut self, unit: TimeUnit) -> Self {
        self.time = Some(unit);
        self
    }

    /// The same with something to judge it by.
    #[must_use]
    pub const fn judged(mut self, integrity: Integrity) -> Self {
        self.integrity = integrity;
        self
    }

    /// The same with a state that its updates change.
    #[must_use]
    pub const fn from_snapshot(mut self, source: SnapshotSource) -> Self {
        self.snapshot = source;
        self
    }

    /// What its streams are.
    #[must_use]
    pub fn nature(&self) -> Nature {
        Nature { time: self.time, integrity: self.integrity.to_string().into() }
    }
}

impl Integrity {
    /// Nothing to judge by.
    pub const NONE: Self = Self { scheme: Scheme::None, scope: Scope::Topic };
    /// Messages that each have the whole state.
    pub const SELF_CONTAINED: Self = Self { scheme: Scheme::SelfContained, scope: Scope::Topic };
    /// Messages that contradict each other are looked for.
    pub const CONTRADICTIONS: Self = Self { scheme: Scheme::Contradictions, scope: Scope::Topic };
    /// Times that never go back.
    pub const TIME_ONLY: Self = Self { scheme: Scheme::TimeOnly, scope: Scope::Topic };
    /// A number in each message of a subscription, greater by one than the last.
    pub const COUNTER: Self =
        Self { scheme: Scheme::Counter { step: 1, start: None, restart: None, reorder: 0 }, scope: Scope::Topic };
    /// A name in each message of a subscription of the one before.
    pub const CHAIN: Self = Self { scheme: Scheme::Chain, scope: Scope::Topic };
    /// The numbers of the first and last change in each message of a subscription.
    pub const RANGE: Self = Self { scheme: Scheme::Range, scope: Scope::Topic };
}

impl Scheme {
    /// The most that can be said of a stream that is judged so, while nothing speaks against it.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::Counter { .. } | Self::Chain | Self::Range => Verdict::Proved,
            Self::Checksum { .. } => Verdict::Checked,
            Self::TimeOnly | Self::SelfContained | Self::Contradictions => Verdict::Consistent,
            Self::None => Verdict::Unverifiable,
        }
    }

    /// The name that tables and lists use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter { .. } => "counter",
            Self::Chain => "chain",
            Self::Range => "range",
            Self::Checksum { .. } => "checksum",
            Self::TimeOnly => "time only",
            Self::SelfContained => "self-contained",
            Self::Contradictions => "contradictions",
            Self::None => "none",
        }
    }
}

impl Scope {
    /// The name that tables and lists use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Topic => "subscription",
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::None | Scheme::SelfContained | Scheme::Contradictions => f.write_str(self.scheme.as_str()),
            scheme => write!(f, "{} by {}", scheme.as_str(), self.scope.as_str()),
        }
    }
}

impl SnapshotSource {
    /// The name that lists use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InBand => "in band",
            Self::Reply => "reply",
            Self::Rest(Splice::Number) => "REST, by number",
            Self::Rest(Splice::Time) => "REST, by time",
        }
    }
}
