//! CoinFLEX v1 (and Coinfloor, whose protocol it is).

mod book;
mod catalog;
mod check;
pub mod conversation;
mod decode;
mod doubt;
mod fields;
mod kind;
mod ledger;
mod link;
mod login;
mod look;
mod markets;
mod notice;
mod planner;
mod read;
mod reply;
mod request;
mod rest;
mod scan;
mod session;
pub mod typed;
pub mod wire;

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::{Catalog, TimeUnit, Timestamp};
use crate::venue::{
    Account, AccountKind, Ack, CatalogError, Channel, Endpoint, Integrity, Keepalive, Poll, PollSubject, Profile,
    Session, SnapshotSource, Venue,
};

/// The venue.
pub struct CoinFlex;

/// What CoinFLEX offers beyond its orders: the subscriptions and information requests of its WebSocket API, and the
/// public REST paths worth repeating.
static PROFILE: Profile = Profile {
    endpoints: &[
        Endpoint { name: "live", url: "wss://api.coinflex.com/v1", rest_url: "https://webapi.coinflex.com/" },
        Endpoint { name: "stage", url: "wss://stgapi.coinflex.com/v1", rest_url: "https://stgwebapi.coinflex.com/" },
    ],
    channels: Cow::Borrowed(&[
        Channel::new("WatchOrders", "order events, trades, book snapshots (L3)")
            .timed(TimeUnit::Micros)
            .from_snapshot(SnapshotSource::Reply)
            .judged(Integrity::CONTRADICTIONS),
        Channel::new("WatchTicker", "tickers")
            .timed(TimeUnit::Micros)
            .from_snapshot(SnapshotSource::Reply)
            .judged(Integrity::CONTRADICTIONS),
    ]),
    polls: &[
        Poll { method: "GetBalances", needs_login: true, by_rest: false, about: PollSubject::Whole },
        Poll { method: "GetOrders", needs_login: true, by_rest: false, about: PollSubject::Whole },
        Poll { method: "GetTradeVolume", needs_login: true, by_rest: false, about: PollSubject::Asset },
        Poll { method: "EstimateMarketOrder", needs_login: false, by_rest: false, about: PollSubject::Estimate },
        Poll { method: "tickers", needs_login: false, by_rest: true, about: PollSubject::MarketsOrAll },
        Poll { method: "depth", needs_login: false, by_rest: true, about: PollSubject::Markets },
    ],
    account: AccountKind::User,
    ack: Ack::EchoId,
    keepalive: Keepalive::None,
    sends: None,
    requests: None,
    batch_max: 1,
    streams_max: None,
    lifetime: None,
};

impl Venue for CoinFlex {
    fn name(&self) -> &'static str {
        "coinflex"
    }
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
    fn session(&self, account: Option<Arc<Account>>) -> Box<dyn Session> {
        Box::new(session::CoinFlexSession::new(account))
    }
    fn login_rate_code(&self) -> Option<i64> {
        Some(reply::TOO_RAPIDLY)
    }
    fn look(&self) -> Option<fn() -> Box<dyn Session>> {
        Some(|| Box::new(look::LookSession::default()))
    }
    fn redact<'a>(&self, sent: &'a str) -> Cow<'a, str> {
        login::redact(sent)
    }
    fn catalog_paths(&self) -> &'static [&'static str] {
        catalog::PATHS
    }
    fn catalog(&self, answers: &[&[u8]], fetched_at: Timestamp) -> Result<Catalog, CatalogError> {
        catalog::read(answers, fetched_at)
    }
}
