//! Derive, API version 3, by its documentation. Nothing here was tried on the live venue.
//!
//! JSON-RPC over one socket: the list of instruments, public channels, and after a login signed by a wallet's key the
//! channels of its subaccounts. Books are whole each time. A change of a balance states the balance before it.

mod account;
mod listing;
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

use self::protocol::Derive as Protocol;

/// The venue.
pub struct Derive;

const GROUP: ChannelOption = ChannelOption { name: "group", values: &["1", "10", "100"], default: Some("1") };
const DEPTH: ChannelOption = ChannelOption { name: "depth", values: &["1", "10", "20", "100"], default: Some("100") };
const INTERVAL: ChannelOption = ChannelOption { name: "interval", values: &["100", "1000"], default: Some("1000") };

/// The balance before each change.
const BALANCES: Integrity = Integrity {
    scheme: Scheme::Checksum {
        blind: "each change states the balance before it; one that is lost is seen with the next of the same asset",
    },
    scope: Scope::Topic,
};

static PROFILE: Profile = Profile {
    endpoints: &[
        Endpoint { name: "live", url: "wss://api.derive.xyz/v3/ws", rest_url: "https://api.derive.xyz/v3/" },
        Endpoint {
            name: "testnet",
            url: "wss://testnet.api.derive.xyz/v3/ws",
            rest_url: "https://testnet.api.derive.xyz/v3/",
        },
    ],
    channels: Cow::Borrowed(&[
        Channel::new("instruments", "instruments").for_all().from_snapshot(SnapshotSource::Reply),
        Channel::new("orderbook", "price levels")
            .chosen(&[GROUP, DEPTH])
            .timed(TimeUnit::Millis)
            .judged(Integrity::SELF_CONTAINED),
        Channel::new("trades", "trades").timed(TimeUnit::Millis).judged(Integrity::TIME_ONLY),
        Channel::new("ticker_slim", "tickers")
            .chosen(&[INTERVAL])
            .timed(TimeUnit::Millis)
            .judged(Integrity::SELF_CONTAINED),
        Channel::new("subaccount.orders", "own orders").timed(TimeUnit::Millis).private().for_all(),
        Channel::new("subaccount.trades", "own fills").timed(TimeUnit::Millis).private().for_all(),
        Channel::new("subaccount.balances", "balances").private().for_all().judged(BALANCES),
    ]),
    polls: &[],
    account: AccountKind::Wallet,
    ack: Ack::StatusMap,
    keepalive: Keepalive::None,
    sends: Some(Rate { burst: 50, every: Duration::from_millis(100) }),
    requests: Some(Rate { burst: 50, every: Duration::from_millis(100) }),
    batch_max: 50,
    streams_max: None,
    lifetime: None,
};

impl Venue for Derive {
    fn name(&self) -> &'static str {
        "derive"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(Feed::new(Protocol::default(), account))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        redacted::frame(sent, "/params/signature")
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        &[]
    }
    fn catalog(&self, _: &[&[u8]], _: Timestamp) -> Result<Catalog, CatalogError> {
        let reason = "instruments are listed by the method `public/get_all_instruments`".to_owned();
        Err(CatalogError { path: "instruments", reason })
    }
}
