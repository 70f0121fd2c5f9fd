//! A venue that nobody coded: its protocol is described in the configuration (`[source.protocol]`).

mod matching;
mod protocol;
mod route;
mod spec;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::feed::{Feed, Raw};
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, Integrity, Keepalive, Profile, Scheme, Scope, Session,
    SnapshotSource, Venue,
};

pub use spec::{
    Answer, ChannelSpec, Conditions, Expected, IntegritySpec, LoginSpec, Ping, Registry, Reply, Route, Signer, Spec,
    Table, Unit,
};

use self::matching::{Frame, holds};

/// The venue.
pub struct Generic;

static PROFILE: Profile = Profile {
    endpoints: &[],
    channels: Cow::Borrowed(&[]),
    polls: &[],
    account: AccountKind::Described,
    ack: Ack::EchoArgument,
    keepalive: Keepalive::None,
    sends: None,
    requests: None,
    batch_max: 1,
    streams_max: None,
    lifetime: None,
};

impl Venue for Generic {
    fn name(&self) -> &'static str {
        "generic"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(protocol::Described::default(), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        // What it sends is redacted where it is made; what a capture sent is not known to have a secret in it.
        Cow::Borrowed(sent)
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        &[]
    }
    fn catalog(&self, _: &[&[u8]], _: Timestamp) -> Result<Catalog, CatalogError> {
        let reason = "its session asks for the list that the configuration describes".to_owned();
        Err(CatalogError { path: "protocol.registry", reason })
    }
}

/// The channels that a description has.
#[must_use]
pub fn channels(spec: &Spec) -> Vec<Channel> {
    spec.channel.iter().map(channel).collect()
}

/// What can be described: a channel for each thing that its completeness may be judged by.
#[must_use]
pub fn describable() -> Vec<Channel> {
    let text = String::new;
    let counter =
        |whole_connection| IntegritySpec::Counter { at: text(), step: 1, restart: None, reorder: 0, whole_connection };
    let schemes = [
        counter(false),
        counter(true),
        IntegritySpec::Chain { at: text(), previous: text() },
        IntegritySpec::Range { first: text(), last: text() },
        IntegritySpec::TimeOnly,
        IntegritySpec::SelfContained,
        IntegritySpec::None,
    ];
    let described = |integrity| {
        let spec = ChannelSpec {
            name: "(described)".to_owned(),
            subscribe: "{market}".to_owned(),
            unsubscribe: None,
            topic: None,
            needs_login: false,
            time_unit: None,
            integrity,
            route: Vec::new(),
        };
        Channel { records: "trades, tickers, price levels, as routed", ..channel(&spec) }
    };
    schemes.map(described).into()
}

fn channel(described: &ChannelSpec) -> Channel {
    let mut channel = Channel::new("", "what its routes say");
    channel.method = Cow::Owned(described.name.clone());
    channel.needs_login = described.needs_login;
    channel.by_market = described.is_by_market();
    channel.time = described.time_unit.map(|unit| match unit {
        Unit::S => TimeUnit::Seconds,
        Unit::Ms => TimeUnit::Millis,
        Unit::Us => TimeUnit::Micros,
        Unit::Ns | Unit::Rfc3339 => TimeUnit::Nanos,
    });
    let topic = |scheme| Integrity { scheme, scope: Scope::Topic };
    channel.integrity = match described.integrity {
        IntegritySpec::Counter { step, restart, reorder, whole_connection, .. } => Integrity {
            scheme: Scheme::Counter { step, start: None, restart, reorder },
            scope: if whole_connection { Scope::Connection } else { Scope::Topic },
        },
        IntegritySpec::Chain { .. } => topic(Scheme::Chain),
        IntegritySpec::Range { .. } => topic(Scheme::Range),
        IntegritySpec::TimeOnly => topic(Scheme::TimeOnly),
        IntegritySpec::SelfContained => topic(Scheme::SelfContained),
        IntegritySpec::None => topic(Scheme::None),
    };
    let has_state = described.route.iter().any(|route| route.snapshot.is_some());
    channel.snapshot = if has_state { SnapshotSource::InBand } else { SnapshotSource::None };
    channel
}

/// What the frames of a capture come to under a description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// How many frames each takes: routes (`channel 0`), answers (`ack 0`), and what else is described.
    pub taken: BTreeMap<String, u64>,
    /// The first frame that nothing takes, and how many there are.
    pub untaken: Option<(String, u64)>,
}

impl Trial {
    /// Tries one frame.
    pub fn frame(&mut self, spec: &Spec, text: &str) {
        let frame = Frame { text, value: Raw::parse(text).ok() };
        let lists = [
            ("ack", spec.ack.iter().map(|answer| &answer.conditions).collect::<Vec<_>>()),
            ("refusal", spec.refusal.iter().map(|answer| &answer.conditions).collect()),
            ("reply", spec.reply.iter().map(|reply| &reply.conditions).collect()),
            ("login", spec.login.iter().flat_map(|login| [&login.ack, &login.refusal]).collect()),
            ("ignore", spec.ignore.iter().collect()),
        ];
        let found = lists.iter().find_map(|(name, list)| {
            list.iter().position(|conditions| holds(conditions, frame).is_some()).map(|n| format!("{name} {n}"))
        });
        let found = found.or_else(|| route::which(spec, frame).map(|(channel, n)| format!("{channel} {n}")));
        match (found, &mut self.untaken) {
            (Some(name), _) => *self.taken.entry(name).or_default() += 1,
            (None, Some((_, more))) => *more += 1,
            (None, none) => *none = Some((text.to_owned(), 1)),
        }
    }
}
