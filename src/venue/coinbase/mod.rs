//! Coinbase Advanced Trade, market data without a key, by its documentation. Nothing here was tried on the live venue.
//!
//! All frames of a connection, control frames included, are numbered one after the other, so that one counter proves
//! all that is subscribed to. Of whoever has not subscribed within five seconds the venue takes leave.

mod catalog;
mod market;
mod protocol;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::feed::{Feed, listing};
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, Endpoint, Integrity, Keepalive, Profile, Rate, Scheme, Scope,
    Session, SnapshotSource, Venue,
};

use self::protocol::Coinbase as Protocol;

/// The venue.
pub struct Coinbase;

/// The number `sequence_num` that every frame has.
const FRAMES: Integrity = Integrity {
    scheme: Scheme::Counter { step: 1, start: Some(0), restart: None, reorder: 0 },
    scope: Scope::Connection,
};

static PROFILE: Profile = Profile {
    endpoints: &[Endpoint {
        name: "live",
        url: "wss://advanced-trade-ws.coinbase.com",
        rest_url: "https://api.coinbase.com/",
    }],
    channels: Cow::Borrowed(&[
        Channel::new("level2", "price levels")
            .timed(TimeUnit::Nanos)
            .from_snapshot(SnapshotSource::InBand)
            .judged(FRAMES),
        Channel::new("market_trades", "trades").timed(TimeUnit::Micros).judged(FRAMES),
        Channel::new("ticker", "tickers").timed(TimeUnit::Nanos).judged(FRAMES),
        Channel::new("heartbeats", "signs of life").for_all().timed(TimeUnit::Nanos).judged(FRAMES),
    ]),
    polls: &[],
    account: AccountKind::None,
    ack: Ack::StateEcho,
    // Channels without news are closed after 60 to 90 seconds unless this one is subscribed to.
    keepalive: Keepalive::Channel(Cow::Borrowed("heartbeats")),
    sends: Some(Rate { burst: 8, every: Duration::from_millis(125) }),
    requests: Some(Rate { burst: 10, every: Duration::from_millis(100) }),
    batch_max: 50,
    streams_max: None,
    lifetime: None,
};

impl Venue for Coinbase {
    fn name(&self) -> &'static str {
        "coinbase"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(Protocol::default(), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(sent)
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        catalog::PATHS
    }
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
        listing(catalog::PATHS, answers, "products", fetched_at, catalog::market)
    }
}
