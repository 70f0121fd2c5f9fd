//! How often something may be done: a token bucket, counted in the times that inputs have.

use crate::venue::Rate;
use crate::venue::streams::nanos;

/// A bucket of tokens, kept as the time at which it will be full again.
#[derive(Clone, Copy, Debug)]
pub(in crate::venue) struct Bucket {
    rate: Option<Rate>,
    full_at: i64,
}

impl Bucket {
    /// A full one; without a rate it is never empty.
    pub(in crate::venue) fn new(rate: Option<Rate>) -> Self {
        Self { rate, full_at: i64::MIN }
    }

    /// When there is a token, by the monotonic clock; not after `now`: there is one.
    pub(in crate::venue) fn free_at(&self) -> i64 {
        let Some(Rate { burst, every }) = self.rate else { return i64::MIN };
        let room = nanos(every).saturating_mul(i64::from(burst.max(1)) - 1);
        self.full_at.saturating_sub(room)
    }

    /// Takes a token, if there is one.
    pub(in crate::venue) fn take(&mut self, now: i64) -> bool {
        if self.free_at() > now {
            return false;
        }
        if let Some(Rate { every, .. }) = self.rate {
            self.full_at = self.full_at.max(now).saturating_add(nanos(every));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_one_by_one() {
        let mut bucket = Bucket::new(Some(Rate { burst: 3, every: Duration::from_secs(1) }));
        assert_eq!((0..5).map(|_| bucket.take(0)).collect::<Vec<_>>(), [true, true, true, false, false]);
        assert_eq!(bucket.free_at(), SECOND);
        assert!(!bucket.take(SECOND - 1) && bucket.take(SECOND) && !bucket.take(SECOND));
        assert!((0..3).all(|_| bucket.take(10 * SECOND)) && !bucket.take(10 * SECOND));
    }

    proptest::proptest! {
        #[test]
        fn no_stretch_of_time_has_more_than_the_rate(waits in proptest::collection::vec(0..3 * SECOND, 1..200)) {
            let mut bucket = Bucket::new(Some(Rate { burst: 4, every: Duration::from_secs(1) }));
            let (mut now, mut taken) = (0, Vec::new());
            for wait in waits {
                now += wait;
                if bucket.take(now) {
                    taken.push(now);
                }
            }
            for n in 4..taken.len() {
                proptest::prop_assert!(taken[n] - taken[n - 4] >= SECOND);
            }
        }
    }
}
