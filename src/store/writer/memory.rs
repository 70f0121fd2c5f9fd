//! What the writer knows of the file without asking it: numbering, live sessions, and what is in force.
//!
//! A group works on one copy while another keeps the state of the last commit; rolling back is going back to that one.
//! What is large sits behind [`Arc`], so a copy costs little and a change copies only what it touches.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::model::{MarketRef, RunId, Seq, SessionId, StreamRef};

use super::listing::Listing;

/// A map that iterates the same way in every process.
pub(super) type Map<K, V> = HashMap<K, V, FixedState>;

/// What each source lists, by the key of table `source`.
pub(super) type Listings = Map<i64, Arc<Listing>>;

/// All of it.
#[derive(Clone, Default)]
pub(super) struct Memory {
    /// The number the next record gets.
    pub next_frame: i64,
    /// The run that records.
    pub run: Option<RunId>,
    /// Sessions that may still grow.
    pub sessions: Map<SessionId, Session>,
    /// What each source lists, by the key of table `source`.
    pub listings: Listings,
}

/// A session that may still grow.
#[derive(Clone)]
pub(super) struct Session {
    /// The place the next record has.
    pub next: Seq,
    /// The key of table `source`; `None` before it says so.
    pub source: Option<i64>,
    /// Its span of records that can still be extended: place and number of the first, and how many.
    pub span: Option<(Seq, i64, i64)>,
    /// What its [`MarketRef`]s mean.
    pub markets: Arc<Vec<Market>>,
    /// What its [`StreamRef`]s mean.
    pub streams: Arc<Vec<Stream>>,
    /// Whether it has ended, so that it can be forgotten after the commit.
    pub ended: bool,
}

/// What a [`MarketRef`] means.
#[derive(Clone, Copy, Default)]
pub(super) struct Market {
    /// The key of table `market`.
    pub market: i64,
    /// The key of table `instrument`.
    pub instrument: i64,
}

/// What a [`StreamRef`] means.
#[derive(Clone, Copy, Default)]
pub(super) struct Stream {
    /// The key of table `stream`.
    pub stream: i64,
    /// The key of table `subscription`, while there is one.
    pub subscription: Option<i64>,
}

impl Session {
    pub(super) fn new(next: Seq, source: Option<i64>) -> Self {
        Self { next, source, span: None, markets: Arc::default(), streams: Arc::default(), ended: false }
    }

    pub(super) fn market(&self, market: MarketRef) -> Option<Market> {
        self.markets.get(market.0 as usize).copied()
    }

    pub(super) fn stream(&self, stream: StreamRef) -> Option<Stream> {
        self.streams.get(stream.0 as usize).copied()
    }
}
