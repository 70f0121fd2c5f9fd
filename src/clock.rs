//! The clocks. They are read where a frame or an answer arrives and in timers, nowhere else.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Stamp, Timestamp};

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Both clocks now. The monotonic one counts from the first call in this process.
#[must_use]
pub fn now() -> Stamp {
    Stamp { wall: wall(), mono: STARTED.elapsed().as_nanos().try_into().unwrap_or(i64::MAX) }
}

fn wall() -> Timestamp {
    let ns = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()),
        Err(before) => i64::try_from(before.duration().as_nanos()).map(|ns| -ns),
    };
    Timestamp(ns.unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monotonic_clock_never_goes_back_and_the_wall_clock_is_of_this_century() {
        let (a, b) = (now(), now());
        assert!(a.mono >= 0 && b.mono >= a.mono);
        let year_2020 = 1_577_836_800_000_000_000;
        assert!(a.wall.0 > year_2020, "{}", a.wall);
    }
}
