//! Kraken spot, WebSocket v2, by its documentation. Nothing here was tried on the live venue.
//!
//! Numbers are JSON numbers whose trailing zeros count: the checksum of a book is over their text. There is no
//! sequence number on public channels. Markets are listed in band, by the channel `instrument`.

mod account;
mod book;
mod level3;
mod market;
mod protocol;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::feed::{Feed, redacted};
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, ChannelOption, Endpoint, Integrity, Keepalive, Profile, Rate,
    Scheme, Scope, Session, SnapshotSource, Venue,
};

use self::protocol::Kraken as Protocol;

/// The venue.
pub struct Kraken;

const DEPTH: ChannelOption =
    ChannelOption { name: "depth", values: &["10", "25", "100", "500", "1000"], default: Some("10") };
const DEPTH3: ChannelOption = ChannelOption { name: "depth", values: &["10", "100", "1000"], default: Some("10") };
const TRIGGER: ChannelOption =
    ChannelOption { name: "event_trigger", values: &["trades", "bbo"], default: Some("trades") };

/// What the checksum of a book is over.
const BOOK: Integrity = Integrity {
    scheme: Scheme::Checksum {
        blind: "CRC32 over the best 10 levels of each side; a change below that is lost is seen when it comes up",
    },
    scope: Scope::Topic,
};

static PROFILE: Profile = Profile {
    endpoints: &[
        Endpoint { name: "live", url: "wss://ws.kraken.com/v2", rest_url: "https://api.kraken.com/" },
        Endpoint { name: "private", url: "wss://ws-auth.kraken.com/v2", rest_url: "https://api.kraken.com/" },
        Endpoint { name: "level3", url: "wss://ws-l3.kraken.com/v2", rest_url: "https://api.kraken.com/" },
    ],
    channels: Cow::Borrowed(&[
        Channel::new("instrument", "instruments")
            .for_all()
            .from_snapshot(SnapshotSource::InBand)
            .judged(Integrity::NONE),
        Channel::new("ticker", "tickers")
            .chosen(&[TRIGGER])
            .timed(TimeUnit::Micros)
            .at(&["live"])
            .judged(Integrity::SELF_CONTAINED),
        Channel::new("trade", "trades").timed(TimeUnit::Micros).at(&["live"]).judged(Integrity::TIME_ONLY),
        Channel::new("book", "price levels")
            .chosen(&[DEPTH])
            .timed(TimeUnit::Micros)
            .at(&["live"])
            .from_snapshot(SnapshotSource::InBand)
            .judged(BOOK),
        Channel::new("level3", "order events and book snapshots (L3)")
            .chosen(&[DEPTH3])
            .timed(TimeUnit::Nanos)
            .at(&["level3"])
            .from_snapshot(SnapshotSource::InBand)
            .judged(BOOK)
            .private(),
        Channel::new("executions", "own orders and fills")
            .for_all()
            .timed(TimeUnit::Micros)
            .at(&["private"])
            .from_snapshot(SnapshotSource::InBand)
            .judged(Integrity::COUNTER)
            .private(),
        Channel::new("balances", "balances")
            .for_all()
            .at(&["private"])
            .from_snapshot(SnapshotSource::InBand)
            .judged(Integrity::COUNTER)
            .private(),
    ]),
    polls: &[],
    account: AccountKind::Key,
    ack: Ack::EchoId,
    keepalive: Keepalive::Send { frame: Cow::Borrowed(r#"{"method":"ping"}"#), every: Duration::from_secs(30) },
    // The limit is not documented; this many never met it in others' experience.
    sends: Some(Rate { burst: 20, every: Duration::from_millis(100) }),
    requests: Some(Rate { burst: 2, every: Duration::from_secs(1) }),
    batch_max: 50,
    streams_max: None,
    lifetime: None,
};

impl Venue for Kraken {
    fn name(&self) -> &'static str {
        "kraken"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(Protocol::default(), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        redacted::frame(sent, "/params/token")
    }
    fn redact_answer<'a>(&self, answer: &'a [u8]) -> Cow<'a, [u8]> {
        redacted::answer(answer, "/result/token")
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        &[]
    }
    fn catalog(&self, _: &[&[u8]], _: Timestamp) -> Result<Catalog, CatalogError> {
        Err(CatalogError { path: "instrument", reason: "markets are listed by the channel `instrument`".to_owned() })
    }
}
