//! The process's two clocks, read where frames arrive and in timers, nowhere else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::model::{Stamp, Timestamp};

/// Reads both clocks. Made once at the start of the process and copied to whoever reads time, so that all monotonic
/// times of the process count from the same instant.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic time is 0 now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Now, by both clocks.
    #[must_use]
    pub fn now(&self) -> Stamp {
        let wall = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => -nanos(before.duration()),
        };
        Stamp { wall: Timestamp(wall), mono: nanos(self.start.elapsed()) }
    }

    /// The instant of a [`Stamp::mono`], for a timer; a time before the clock's start is its start.
    #[must_use]
    pub fn instant(&self, mono: i64) -> Instant {
        self.start + Duration::from_nanos(u64::try_from(mono).unwrap_or(0))
    }
}

/// Nanoseconds in 64 signed bits, as [`Timestamp`] and [`Stamp::mono`] have them: enough for 292 years.
#[must_use]
pub fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monotonic_time_and_its_instant_agree() {
        let clock = Clock::start();
        let before = clock.now();
        let instant = Instant::now();
        let after = clock.now();
        assert!(before.mono <= after.mono);
        assert!(clock.instant(before.mono) <= instant && instant <= clock.instant(after.mono));
        assert_eq!(clock.instant(-1), clock.instant(0));
    }
}
