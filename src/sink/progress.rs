//! How far the sink has come, for whoever shows or watches it. Written by the sink's thread, read by any.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::journal::Batch;
use crate::model::{Coverage, Event, GapCause, Seq, SessionId, Stamp, StreamRef};

/// Sessions whose durable mark nobody has taken. More are forgotten, the oldest first.
const DURABLE_UNTAKEN_MAX: usize = 1024;

/// Kinds of events as people count them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum EventKind {
    /// Orders opened, modified, closed.
    Orders,
    /// Trades.
    Trades,
    /// Tickers.
    Tickers,
    /// Whole books.
    Books,
    /// Everything of the account.
    Account,
    /// Replies.
    Replies,
    /// What was not understood.
    NotUnderstood,
    /// Estimates, commands and what the recording says of itself.
    Other,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Orders,
        Self::Trades,
        Self::Tickers,
        Self::Books,
        Self::Account,
        Self::Replies,
        Self::NotUnderstood,
        Self::Other,
    ];

    /// Its name, for displays.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Trades => "trades",
            Self::Tickers => "tickers",
            Self::Books => "books",
            Self::Account => "account",
            Self::Replies => "replies",
            Self::NotUnderstood => "not understood",
            Self::Other => "other",
        }
    }

    fn of(event: &Event) -> Self {
        match event {
            Event::Order(_) => Self::Orders,
            Event::Trade(_) => Self::Trades,
            Event::Ticker(_) => Self::Tickers,
            Event::BookSnapshot(_) => Self::Books,
            Event::Balance(_) | Event::TradeVolume(_) | Event::OwnOrders(_) | Event::Account(_) => Self::Account,
            Event::Reply(_) => Self::Replies,
            Event::NotUnderstood(_) => Self::NotUnderstood,
            _ => Self::Other,
        }
    }
}

/// Counters since the start; only what is durable counts.
#[derive(Default)]
pub struct Progress {
    frames: AtomicU64,
    events: [AtomicU64; EventKind::ALL.len()],
    gaps: AtomicU64,
    covered: Mutex<HashSet<(SessionId, StreamRef)>>,
    commits: AtomicU64,
    wal_bytes: AtomicU64,
    stalled_since: AtomicI64,
    turned_at: AtomicI64,
    lag: Lag,
    durable: Mutex<Vec<(SessionId, Seq)>>,
    committed: Notify,
}

impl Progress {
    /// Journal records stored.
    pub fn frames(&self) -> u64 {
        self.frames.load(Relaxed)
    }

    /// Events of a kind stored.
    pub fn events(&self, kind: EventKind) -> u64 {
        self.events[kind as usize].load(Relaxed)
    }

    /// Times that a stream which was covered fell into a gap; to stop in order is none.
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Relaxed)
    }

    /// Streams that are covered now.
    pub fn covered(&self) -> usize {
        self.covered.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Commits.
    pub fn commits(&self) -> u64 {
        self.commits.load(Relaxed)
    }

    /// Size of the WAL when it was last looked at, in bytes.
    pub fn wal_bytes(&self) -> u64 {
        self.wal_bytes.load(Relaxed)
    }

    /// Since when nothing could be written, by [`Stamp::mono`]; `None` if all is well.
    pub fn stalled_since(&self) -> Option<i64> {
        Some(self.stalled_since.load(Relaxed)).filter(|since| *since != 0)
    }

    /// When the sink's thread last did something, by [`Stamp::mono`]. It does at least every second, if only trying
    /// again, unless it hangs.
    pub fn turned_at(&self) -> i64 {
        self.turned_at.load(Relaxed)
    }

    /// From arrival to being durable.
    pub fn lag(&self) -> &Lag {
        &self.lag
    }

    /// Takes, for each session that grew since this was last called, the place of its last durable record.
    pub fn take_durable(&self) -> Vec<(SessionId, Seq)> {
        std::mem::take(&mut *self.durable.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the next commit; at once if there was one since the last call.
    pub async fn committed(&self) {
        self.committed.notified().await;
    }

    pub(super) fn turn(&self, now: Stamp) {
        self.turned_at.store(now.mono, Relaxed);
    }

    pub(super) fn stall(&self, since: Option<Stamp>) {
        self.stalled_since.store(since.map_or(0, |since| since.mono.max(1)), Relaxed);
    }

    pub(super) fn see_wal(&self, bytes: u64) {
        self.wal_bytes.store(bytes, Relaxed);
    }

    /// Counts a group that is durable `now`.
    pub(super) fn commit<'a>(&self, group: impl Iterator<Item = &'a Batch>, now: Stamp) {
        let mut events = [0; EventKind::ALL.len()];
        let mut gaps = 0;
        let mut covered = self.covered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in group {
            for (_, event) in batch.events() {
                events[EventKind::of(event) as usize] += 1;
                if let Event::Transition(to) = event {
                    let stream = (batch.session(), to.stream);
                    match to.state {
                        Coverage::Covered(_) => drop(covered.insert(stream)),
                        Coverage::Gap(cause) => {
                            gaps += u64::from(covered.remove(&stream) && cause != GapCause::NotRunning);
                        }
                    }
                }
            }
            self.frames.fetch_add(batch.len() as u64, Relaxed);
            let (Some(first), Some(last)) = (batch.heads().first(), batch.next().0.checked_sub(1)) else { continue };
            self.lag.add(now.wall.0.saturating_sub(first.at.wall.0), batch.len() as u64);
            durable.retain(|(session, _)| *session != batch.session());
            durable.push((batch.session(), Seq(last)));
        }
        let untaken = durable.len().saturating_sub(DURABLE_UNTAKEN_MAX);
        durable.drain(..untaken);
        drop((durable, covered));
        for (total, more) in self.events.iter().zip(events) {
            total.fetch_add(more, Relaxed);
        }
        self.gaps.fetch_add(gaps, Relaxed);
        self.commits.fetch_add(1, Relaxed);
        self.committed.notify_one();
    }
}

/// Buckets for each doubling of the lag.
const BUCKETS_PER_DOUBLING: u32 = 8;
const BUCKETS: usize = 64 * BUCKETS_PER_DOUBLING as usize;

/// How long records took from arrival to being durable: counts in buckets that are at most an eighth wide.
pub struct Lag {
    buckets: Box<[AtomicU64]>,
    max: AtomicU64,
}

impl Default for Lag {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), max: AtomicU64::new(0) }
    }
}

impl Lag {
    /// The lag in ns that this fraction (0 to 1) of the records did not exceed; `None` if there are none.
    pub fn quantile(&self, fraction: f64) -> Option<u64> {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        let wanted = ((total as f64 * fraction).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        Some(upper_bound(bucket?).min(self.max()))
    }

    /// The longest, in ns.
    pub fn max(&self) -> u64 {
        self.max.load(Relaxed)
    }

    fn add(&self, ns: i64, records: u64) {
        let ns = u64::try_from(ns).unwrap_or(0);
        self.buckets[bucket(ns)].fetch_add(records, Relaxed);
        self.max.fetch_max(ns, Relaxed);
    }
}

/// Below 8 each value has a bucket of its own; above, each doubling has eight.
fn bucket(ns: u64) -> usize {
    let Some(doublings) = ns.checked_ilog2().and_then(|log| log.checked_sub(3)) else { return ns as usize };
    ((doublings + 1) * BUCKETS_PER_DOUBLING) as usize + ((ns >> doublings) & 7) as usize
}

/// The largest value of a bucket.
fn upper_bound(bucket: usize) -> u64 {
    let (doublings, place) = (bucket / BUCKETS_PER_DOUBLING as usize, bucket as u64 % 8);
    match doublings.checked_sub(1) {
        None => place,
        Some(shift) => ((8 + place + 1) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_holds_what_falls_into_it(ns in 0..u64::MAX / 4) {
            let bucket = bucket(ns);
            prop_assert!(bucket < BUCKETS);
            prop_assert!(upper_bound(bucket) >= ns && upper_bound(bucket) - ns <= ns / 8);
            prop_assert!(bucket == 0 || upper_bound(bucket - 1) < ns);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_records() {
        let lag = Lag::default();
        assert_eq!(lag.quantile(0.5), None);
        lag.add(5, 90);
        lag.add(1_000_000, 9);
        lag.add(3_000_000, 1);
        assert_eq!(lag.quantile(0.5), Some(5));
        assert!((1_000_000..1_125_000).contains(&lag.quantile(0.99).unwrap()));
        assert_eq!(lag.quantile(1.0), Some(3_000_000));
        assert_eq!(lag.max(), 3_000_000);
    }
}
