//! How often somebody may do something.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::nanos;
use crate::model::Stamp;

/// At most so many in any span of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub times: usize,
    /// In how long.
    pub span: Duration,
}

impl Rate {
    /// At most `times` in any `seconds`.
    #[must_use]
    pub const fn per_seconds(times: usize, seconds: u64) -> Self {
        Self { times, span: Duration::from_secs(seconds) }
    }
}

/// When somebody did it lately, by [`Stamp::mono`]. Refused attempts do not count.
#[derive(Debug, Default)]
pub(super) struct Recent(VecDeque<i64>);

impl Recent {
    /// Whether it may be done now; if so, it counts.
    pub(super) fn admit(&mut self, rate: Rate, now: Stamp) -> bool {
        while self.0.front().is_some_and(|first| now.mono - first >= nanos(rate.span)) {
            self.0.pop_front();
        }
        let admitted = self.0.len() < rate.times;
        if admitted {
            self.0.push_back(now.mono);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_rate_are_admitted_in_any_span() {
        let rate = Rate::per_seconds(3, 10);
        let mut recent = Recent::default();
        let admitted = |recent: &mut Recent, millis: i64| {
            recent.admit(rate, Stamp { mono: millis * 1_000_000, ..Stamp::default() })
        };
        assert!([0, 5_000, 9_999].into_iter().all(|at| admitted(&mut recent, at)));
        assert!(!admitted(&mut recent, 9_999));
        assert!(admitted(&mut recent, 10_000), "the first is out of the span");
        assert!(!admitted(&mut recent, 14_999));
        assert!(admitted(&mut recent, 15_000));
    }
}
