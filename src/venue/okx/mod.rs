//! OKX v5, by its documentation. Nothing here was tried on the live venue.
//!
//! Each message of a book names the one before it (`prevSeqId`); the field `checksum` has been 0 since June 2026 and says
//! nothing. Public and private channels have sockets of their own. Answers name what was asked for, one for each thing.

mod account;
mod catalog;
mod market;
mod protocol;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::feed::{Feed, listing};
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, Endpoint, Integrity, Keepalive, Profile, Rate, Session,
    SnapshotSource, Venue,
};

use self::protocol::Okx as Protocol;

/// The venue.
pub struct Okx;

const PUBLIC: &[&str] = &["live"];
const PRIVATE: &[&str] = &["private"];

static PROFILE: Profile = Profile {
    endpoints: &[
        Endpoint { name: "live", url: "wss://ws.okx.com:8443/ws/v5/public", rest_url: "https://www.okx.com/" },
        Endpoint { name: "private", url: "wss://ws.okx.com:8443/ws/v5/private", rest_url: "https://www.okx.com/" },
    ],
    channels: Cow::Borrowed(&[
        Channel::new("books", "price levels")
            .timed(TimeUnit::Millis)
            .at(PUBLIC)
            .from_snapshot(SnapshotSource::InBand)
            .judged(Integrity::CHAIN),
        Channel::new("trades", "trades").timed(TimeUnit::Millis).at(PUBLIC).judged(Integrity::TIME_ONLY),
        Channel::new("tickers", "tickers").timed(TimeUnit::Millis).at(PUBLIC).judged(Integrity::SELF_CONTAINED),
        Channel::new("orders", "own orders and fills").timed(TimeUnit::Millis).at(PRIVATE).private().for_all(),
        Channel::new("account", "balances").timed(TimeUnit::Millis).at(PRIVATE).private().for_all(),
        Channel::new("balance_and_position", "balances").timed(TimeUnit::Millis).at(PRIVATE).private().for_all(),
    ]),
    polls: &[],
    account: AccountKind::KeyAndPassphrase,
    ack: Ack::EchoArgument,
    // A connection is dropped after 30 s without a word.
    keepalive: Keepalive::Send { frame: Cow::Borrowed("ping"), every: Duration::from_secs(20) },
    // 480 requests an hour.
    sends: Some(Rate { burst: 60, every: Duration::from_secs(9) }),
    requests: Some(Rate { burst: 10, every: Duration::from_millis(100) }),
    batch_max: 50,
    streams_max: None,
    lifetime: None,
};

impl Venue for Okx {
    fn name(&self) -> &'static str {
        "okx"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(Protocol::default(), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        account::redact(sent)
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        catalog::PATHS
    }
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
        listing(catalog::PATHS, answers, "data", fetched_at, catalog::market)
    }
}
