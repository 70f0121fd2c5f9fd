//! Instants.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An instant in ns since the Unix epoch, UTC. Lasts to the year 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From µs since the epoch, as CoinFLEX sends its times; `None` beyond the range of ns in 64 bits.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        micros.checked_mul(1_000).map(Self)
    }

    /// From ms since the epoch; `None` beyond the range of ns in 64 bits.
    #[must_use]
    pub fn from_millis(millis: i64) -> Option<Self> {
        millis.checked_mul(1_000_000).map(Self)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with all nine decimals, so that texts sort as times do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time:.9}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

/// When a journal record was made, by both clocks. Clocks are read where a frame arrives and in timers, nowhere else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// Wall clock.
    pub wall: Timestamp,
    /// Monotonic clock, ns since the process started; for an import without times, 0.
    pub mono: i64,
}
