//! What CoinFLEX's streams are.

use std::sync::Arc;
use std::sync::LazyLock;

use crate::model::{Coverage, Event, MarketRef, Nature, StreamKey, StreamRef, TimeUnit, Verdict};
use crate::venue::{Integrity, streams};

/// The streams of a session.
pub(super) type Streams = streams::Streams<Kind>;

/// What kind of stream it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Orders of a market.
    Book(MarketRef),
    /// Ticker of a market.
    Ticker(MarketRef),
    /// What comes unasked to whoever is logged in.
    Account,
    /// A request that is repeated; its place among the session's polls.
    Poll(usize),
    /// A market asked for by a name that the catalog does not list.
    Unlisted,
}

impl Kind {
    /// The market it belongs to, for what is subscribed market by market.
    pub(super) fn market(&self) -> Option<MarketRef> {
        match self {
            Self::Book(market) | Self::Ticker(market) => Some(*market),
            Self::Account | Self::Poll(_) | Self::Unlisted => None,
        }
    }
}

/// Times are µs, and nothing is numbered or summed up: what contradicts itself is looked for.
static NATURE: LazyLock<Arc<Nature>> = LazyLock::new(|| {
    Arc::new(Nature { time: Some(TimeUnit::Micros), integrity: Integrity::CONTRADICTIONS.to_string().into() })
});

/// Declares a stream, or finds it if it was declared before. One of a market that was not listed may be by now.
pub(super) fn declare(streams: &mut Streams, kind: Kind, key: StreamKey, events: &mut Vec<Event>) -> StreamRef {
    if let Some(found) = streams.find(&key) {
        let stream = streams.get_mut(found);
        if stream.kind == Kind::Unlisted && kind != Kind::Unlisted {
            stream.kind = kind;
            stream.is_wanted = false;
        }
        return found;
    }
    streams.declare(kind, key, &NATURE, events)
}

/// What can be said of a covered stream of this venue, which has neither sequence numbers nor checksums.
pub(in crate::venue) fn covered(is_scale_known: bool) -> (Coverage, Option<&'static str>) {
    if is_scale_known {
        (Coverage::Covered(Verdict::Consistent), None)
    } else {
        (Coverage::Covered(Verdict::Unverifiable), Some("scale unknown"))
    }
}
