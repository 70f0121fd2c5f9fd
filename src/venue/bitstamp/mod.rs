//! Bitstamp, by its documentation. Nothing here was tried on the live venue.
//!
//! Orders come one by one, each event naming the one before; books come as differences that only have times, or whole.
//! A snapshot by REST is joined to both by time: an event of the very instant of the snapshot is taken to be in it.
//! Numbers come twice, as JSON numbers that went through a float and as text: the text is read.

mod account;
mod book;
mod listing;
mod market;
mod protocol;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::feed::{Feed, redacted};
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, Endpoint, Integrity, Keepalive, Profile, Rate, Session,
    SnapshotSource, Splice, Venue,
};

use self::protocol::Bitstamp as Protocol;

/// The venue.
pub struct Bitstamp;

static PROFILE: Profile = Profile {
    endpoints: &[Endpoint { name: "live", url: "wss://ws.bitstamp.net", rest_url: "https://www.bitstamp.net/" }],
    channels: Cow::Borrowed(&[
        Channel::new("live_trades", "trades").timed(TimeUnit::Micros).judged(Integrity::TIME_ONLY),
        Channel::new("live_orders", "order events, book snapshots (L3)")
            .timed(TimeUnit::Micros)
            .from_snapshot(SnapshotSource::Rest(Splice::Time))
            .judged(Integrity::CHAIN),
        Channel::new("diff_order_book", "price levels")
            .timed(TimeUnit::Micros)
            .from_snapshot(SnapshotSource::Rest(Splice::Time))
            .judged(Integrity::TIME_ONLY),
        Channel::new("order_book", "price levels, the best 100 of each side, whole each time")
            .timed(TimeUnit::Micros)
            .judged(Integrity::SELF_CONTAINED),
        Channel::new("private-my_orders", "own orders").timed(TimeUnit::Micros).private(),
        Channel::new("private-my_trades", "own fills").timed(TimeUnit::Micros).private(),
    ]),
    polls: &[],
    account: AccountKind::Key,
    ack: Ack::EchoArgument,
    keepalive: Keepalive::Send { frame: Cow::Borrowed(r#"{"event":"bts:heartbeat"}"#), every: Duration::from_secs(20) },
    // Not documented for frames.
    sends: Some(Rate { burst: 20, every: Duration::from_millis(50) }),
    // 400 a second and 10,000 in ten minutes are allowed, of which this is a part.
    requests: Some(Rate { burst: 10, every: Duration::from_millis(200) }),
    // A frame asks for one channel.
    batch_max: 1,
    streams_max: Some(1024),
    lifetime: Some(Duration::from_secs(90 * 24 * 60 * 60)),
};

impl Venue for Bitstamp {
    fn name(&self) -> &'static str {
        "bitstamp"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(Protocol::default(), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        redacted::frame(sent, "/data/auth")
    }
    fn redact_answer<'a>(&self, answer: &'a [u8]) -> Cow<'a, [u8]> {
        redacted::answer(answer, "/token")
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        listing::PATHS
    }
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
        listing::read(answers, fetched_at)
    }
}
