//! How long to wait before connecting again: for ever, but never in step with others, and longer if asked to.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::journal::Closed;
use crate::model::CloseCause;

/// The wait after a peer that said it has too much to do (429, 503).
const OVERLOADED_MIN: Duration = Duration::from_secs(30);
/// The wait after any other refusal of the upgrade, which will hardly be different in a moment.
const REFUSED_MIN: Duration = Duration::from_secs(10);
/// The wait after a peer that cannot be understood.
const BROKEN_MIN: Duration = Duration::from_secs(1);

/// The bounds of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPolicy {
    /// The longest first wait; it doubles with every failure.
    pub first_max: Duration,
    /// The longest wait at all.
    pub wait_max: Duration,
    /// A connection that lasted this long starts the count of failures anew.
    pub stable_after: Duration,
}

impl Default for BackoffPolicy {
    fn default() -> Self {
        Self {
            first_max: Duration::from_secs(1),
            wait_max: Duration::from_secs(60),
            stable_after: Duration::from_secs(60),
        }
    }
}

/// Waits with full jitter: uniformly between nothing and a ceiling that doubles up to its own.
///
/// Of clients that are dropped at once, a tenth tries in each 100 ms of the first second. Where that fails, at most a
/// twentieth does in any 100 ms after that second; where every try fails at once, 7 % when two seconds are over, and a
/// twentieth and less from 2.5 s on.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: BackoffPolicy,
    random: ChaCha8Rng,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(policy: BackoffPolicy, seed: u64) -> Self {
        Self { policy, random: ChaCha8Rng::seed_from_u64(seed), failures: 0 }
    }

    /// The wait after a connection that was open for `open_for` (zero if it never was) and ended so.
    pub(super) fn wait(&mut self, closed: &Closed, open_for: Duration) -> Duration {
        if open_for >= self.policy.stable_after {
            self.failures = 0;
        }
        let ceiling = self.policy.first_max.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.failures = self.failures.saturating_add(1);
        let jitter = self.random.random_range(Duration::ZERO..=ceiling.min(self.policy.wait_max));
        minimum(closed) + jitter
    }
}

fn minimum(closed: &Closed) -> Duration {
    match (closed.cause, closed.code) {
        (CloseCause::UpgradeRefused, Some(429 | 503)) => OVERLOADED_MIN,
        (CloseCause::UpgradeRefused, _) => REFUSED_MIN,
        (CloseCause::Protocol | CloseCause::TooLarge | CloseCause::BadGreeting, _) => BROKEN_MIN,
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(cause: CloseCause, code: Option<i64>) -> Closed {
        Closed { code, ..Closed::new(cause, "") }
    }

    fn lost() -> Closed {
        closed(CloseCause::Transport, None)
    }

    #[test]
    fn waits_fill_the_whole_range_below_a_ceiling_that_doubles_up_to_its_own() {
        let policy = BackoffPolicy::default();
        let mut ceiling = policy.first_max;
        for failures in 0..40 {
            let waits: Vec<_> = (0..200)
                .map(|seed| {
                    let mut backoff = Backoff::new(policy, seed);
                    for _ in 0..failures {
                        backoff.wait(&lost(), Duration::ZERO);
                    }
                    backoff.wait(&lost(), Duration::ZERO)
                })
                .collect();
            assert!(waits.iter().all(|wait| *wait <= ceiling), "{failures}");
            assert!(waits.iter().any(|wait| *wait < ceiling / 10), "{failures}: full jitter goes down to nothing");
            assert!(waits.iter().any(|wait| *wait > ceiling * 9 / 10), "{failures}: and up to the ceiling");
            ceiling = (ceiling * 2).min(policy.wait_max);
        }
    }

    #[test]
    fn a_stable_connection_starts_anew_and_a_short_one_does_not() {
        let policy = BackoffPolicy::default();
        let longest_after = |open_for: Duration| {
            let waits = (0..200).map(|seed| {
                let mut backoff = Backoff::new(policy, seed);
                for _ in 0..10 {
                    backoff.wait(&lost(), Duration::ZERO);
                }
                backoff.wait(&lost(), open_for)
            });
            waits.max().unwrap()
        };
        assert!(longest_after(policy.stable_after) <= policy.first_max);
        assert!(longest_after(policy.stable_after - Duration::from_nanos(1)) > policy.wait_max / 2);
    }

    /// Of many clients that are dropped at once, the part (in %) that tries to connect in each 100 ms of the next minute,
    /// where so many attempts of each fail at once and the next one is taken.
    fn tries(failures: usize) -> Vec<f64> {
        const CLIENTS: u32 = 20_000;
        let mut bins = vec![0_u32; 600];
        for seed in 0..u64::from(CLIENTS) {
            let mut backoff = Backoff::new(BackoffPolicy::default(), seed);
            let mut at = Duration::ZERO;
            for _ in 0..=failures {
                at += backoff.wait(&lost(), Duration::ZERO);
                let Some(bin) = bins.get_mut(usize::try_from(at.as_millis() / 100).unwrap()) else { break };
                *bin += 1;
            }
        }
        bins.into_iter().map(|tries| f64::from(tries) * 100.0 / f64::from(CLIENTS)).collect()
    }

    fn peak(tries: &[f64]) -> f64 {
        tries.iter().copied().fold(0.0, f64::max)
    }

    /// What chance adds to the expected part, or takes from it.
    const CHANCE: f64 = 0.5;

    #[test]
    fn clients_dropped_at_once_are_back_within_a_second_a_tenth_of_them_in_each_100_ms() {
        let tries = tries(0);
        assert!(tries[..10].iter().all(|part| (part - 10.0).abs() < CHANCE), "{tries:?}");
        assert_eq!(peak(&tries[10..]), 0.0);
    }

    #[test]
    fn those_refused_once_come_after_the_first_second_a_twentieth_in_100_ms_and_less() {
        let tries = tries(1);
        assert!(peak(&tries[..10]) < 15.0 + CHANCE, "{tries:?}");
        assert!(peak(&tries[10..]) < 5.0 + CHANCE, "{tries:?}");
    }

    #[test]
    fn those_that_fail_for_ever_spread_out_after_a_second_try_and_a_third_that_meet() {
        let tries = tries(usize::MAX);
        // Two seconds after the drop the second waits end, the third ones have begun to.
        assert!((peak(&tries[10..]) - 7.0).abs() < CHANCE, "{tries:?}");
        assert!(peak(&tries[25..]) < 5.0 + CHANCE, "{tries:?}");
        assert!(peak(&tries[30..]) < 3.4 + CHANCE, "{tries:?}");
    }

    #[test]
    fn a_refusal_is_not_hammered_at() {
        let shortest = |closed: &Closed| {
            (0..200)
                .map(|seed| Backoff::new(BackoffPolicy::default(), seed).wait(closed, Duration::ZERO))
                .min()
                .unwrap()
        };
        assert!(shortest(&closed(CloseCause::UpgradeRefused, Some(429))) >= OVERLOADED_MIN);
        assert!(shortest(&closed(CloseCause::UpgradeRefused, Some(503))) >= OVERLOADED_MIN);
        assert!(shortest(&closed(CloseCause::UpgradeRefused, Some(401))) >= REFUSED_MIN);
        assert!(shortest(&closed(CloseCause::TooLarge, None)) >= BROKEN_MIN);
        assert!(shortest(&lost()) < BROKEN_MIN);
    }
}
