//! Binance and Binance.US spot, market data by their documentation. Nothing here was tried on the live venues.
//!
//! One protocol, two exchanges: each is a venue of its own, for a market of one is not that of the other. Frames come
//! wrapped with the name of their stream (`/stream`); the bare ones of `/ws` are understood as well. Account streams
//! are on another connection, with keys of their own kind (Ed25519), and are not recorded.

mod listing;
mod market;
mod protocol;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::feed::Feed;
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, ChannelOption, Endpoint, Integrity, Keepalive, Profile, Rate,
    Session, SnapshotSource, Splice, Venue,
};

use self::protocol::Binance as Protocol;

/// Binance or its sister in the United States.
pub struct Binance {
    name: &'static str,
    profile: &'static Profile,
    /// Where the markets are listed.
    paths: &'static [&'static str],
    /// How many levels of each side a REST snapshot is asked for.
    depth: u32,
}

/// Binance.
pub static BINANCE: Binance = Binance {
    name: "binance",
    profile: &PROFILE,
    // Who may trade a market is most of the answer, and nothing to us.
    paths: &["api/v3/exchangeInfo?showPermissionSets=false"],
    depth: 5000,
};
/// Binance.US.
pub static BINANCE_US: Binance =
    Binance { name: "binance_us", profile: &PROFILE_US, paths: &["api/v3/exchangeInfo"], depth: 1000 };

const SPEED: ChannelOption = ChannelOption { name: "speed", values: &["100ms", "1000ms"], default: Some("100ms") };

static CHANNELS: &[Channel] = &[
    Channel::new("trade", "trades").timed(TimeUnit::Millis).judged(Integrity::COUNTER),
    Channel::new("aggTrade", "trades, those of one order at one price as one")
        .timed(TimeUnit::Millis)
        .judged(Integrity::COUNTER),
    Channel::new("bookTicker", "tickers: best bid and ask").judged(Integrity::SELF_CONTAINED),
    Channel::new("depth", "price levels")
        .chosen(&[SPEED])
        .timed(TimeUnit::Millis)
        .from_snapshot(SnapshotSource::Rest(Splice::Number))
        .judged(Integrity::RANGE),
];

static PROFILE: Profile = profile(&[
    Endpoint { name: "live", url: "wss://stream.binance.com:9443/stream", rest_url: "https://api.binance.com/" },
    Endpoint {
        name: "data",
        url: "wss://data-stream.binance.vision/stream",
        rest_url: "https://data-api.binance.vision/",
    },
]);

static PROFILE_US: Profile = profile(&[Endpoint {
    name: "live",
    url: "wss://stream.binance.us:9443/stream",
    rest_url: "https://api.binance.us/",
}]);

const fn profile(endpoints: &'static [Endpoint]) -> Profile {
    Profile {
        endpoints,
        channels: Cow::Borrowed(CHANNELS),
        polls: &[],
        account: AccountKind::None,
        ack: Ack::EchoId,
        // The venue pings, and wants its payload back.
        keepalive: Keepalive::None,
        // It hears five messages a second, answers to its pings included.
        sends: Some(Rate { burst: 2, every: Duration::from_millis(500) }),
        // A snapshot weighs 250 (of 5000 levels) or 50 (of 1000), of 6000 or 1200 a minute.
        requests: Some(Rate { burst: 4, every: Duration::from_secs(3) }),
        batch_max: 100,
        streams_max: Some(1024),
        lifetime: Some(Duration::from_secs(24 * 60 * 60)),
    }
}

impl Venue for Binance {
    fn name(&self) -> &'static str {
        self.name
    }
    fn profile(&self) -> &'static Profile {
        self.profile
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(Protocol::new(self.profile, self.depth), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(sent)
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        self.paths
    }
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
        listing::read(self.paths[0], answers, fetched_at)
    }
}
