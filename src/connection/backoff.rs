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

    #[test]
    fn a_thousand_clients_dropped_at_once_do_not_come_back_at_once() {
        let mut bins = [0; 10];
        for seed in 0..1_000 {
            let mut backoff = Backoff::new(BackoffPolicy::default(), seed);
            let wait = backoff.wait(&lost(), Duration::ZERO).as_millis();
            bins[usize::try_from(wait / 100).unwrap().min(9)] += 1;
        }
        assert!(bins.iter().all(|clients| (50..150).contains(clients)), "{bins:?}");
    }

    #[test]
    fn a_thousand_clients_that_fail_again_and_again_spread_out() {
        let mut bins = [0; 600];
        for seed in 0..1_000 {
            let mut backoff = Backoff::new(BackoffPolicy::default(), seed);
            let mut at = Duration::ZERO;
            loop {
                at += backoff.wait(&lost(), Duration::ZERO);
                let Some(bin) = bins.get_mut(usize::try_from(at.as_millis() / 100).unwrap()) else { break };
                *bin += 1;
            }
        }
        // In the first second each tries once or twice. Waits of up to 2^n s leave a twentieth of them in 100 ms, and less.
        let peak = |from: usize, to: usize| *bins[from..to].iter().max().unwrap();
        assert!(peak(0, 10) <= 200 && peak(10, 30) <= 100 && peak(30, 600) <= 50, "{bins:?}");
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
