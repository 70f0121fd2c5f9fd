//! Time on a link, as far as what arrived shows that the link carried anything: what two notices are apart, and what a
//! check may wait for. While a link stalls that time stands still.

use std::time::Duration;

use crate::model::Stamp;
use crate::venue::streams::nanos;

/// A silence counts for no more than this, for the link may stall.
const SILENCE_COUNTED_MAX: Duration = Duration::from_millis(500);

/// The clock of a link.
#[derive(Debug)]
pub(super) struct LinkClock {
    /// What it showed when something last arrived, in ns.
    shown: i64,
    /// That arrival, by the monotonic clock.
    heard_at: i64,
    /// A silence that is longer counts whole, in ns: a link that did not answer would have been given up.
    silence_max: i64,
}

impl LinkClock {
    /// A link that is given up after such a silence.
    pub(super) fn new(silence_max: Duration) -> Self {
        Self { shown: 0, heard_at: 0, silence_max: nanos(silence_max) }
    }

    /// Something arrived. Says whether that ended a silence.
    pub(super) fn hear(&mut self, mono: i64) -> bool {
        let was_silent = self.is_silent(mono);
        (self.shown, self.heard_at) = (self.at(mono), mono);
        was_silent
    }

    /// Nobody listened until now, so that no silence says anything of the link.
    pub(super) fn excuse(&mut self, mono: i64) {
        self.shown = self.shown.saturating_add((mono - self.heard_at).min(nanos(SILENCE_COUNTED_MAX)));
        self.heard_at = mono;
    }

    /// The instant, with what this clock shows in place of the monotonic clock.
    pub(super) fn stamp(&self, at: Stamp) -> Stamp {
        Stamp { mono: self.at(at.mono), ..at }
    }

    /// When it may show so much, by the monotonic clock, seen from `mono`.
    pub(super) fn when(&self, mono: i64, shows: i64) -> i64 {
        let left = shows.saturating_sub(self.shown);
        let silence = if self.is_silent(mono) { left.max(self.silence_max) } else { left };
        self.heard_at.saturating_add(silence)
    }

    fn is_silent(&self, mono: i64) -> bool {
        mono - self.heard_at >= nanos(SILENCE_COUNTED_MAX)
    }

    fn at(&self, mono: i64) -> i64 {
        let silence = mono - self.heard_at;
        let counted = if silence < self.silence_max { silence.min(nanos(SILENCE_COUNTED_MAX)) } else { silence };
        self.shown.saturating_add(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_stall_counts_for_half_a_second_and_an_answered_silence_whole() {
        let mut clock = LinkClock::new(Duration::from_secs(40));
        clock.hear(100_000 * MS);
        let begun = clock.at(100_000 * MS);
        for (arrival, shows, was_silent) in [(100_200, 200, false), (103_200, 700, true), (103_300, 800, false)] {
            assert_eq!((clock.hear(arrival * MS), clock.shown - begun), (was_silent, shows * MS));
        }
        assert_eq!(clock.at(143_299 * MS) - begun, 1_300 * MS);
        assert_eq!(clock.at(143_300 * MS) - begun, 40_800 * MS);
        clock.excuse(200_000 * MS);
        assert_eq!(clock.at(200_100 * MS) - begun, 1_400 * MS, "nobody listened");
    }

    #[test]
    fn what_waits_is_looked_at_when_it_may_be_over_or_the_link_is_known_to_answer() {
        let mut clock = LinkClock::new(Duration::from_secs(40));
        clock.hear(100_000 * MS);
        let over = clock.shown + 2_000 * MS;
        assert_eq!(clock.when(100_100 * MS, over), 102_000 * MS);
        assert_eq!(clock.when(102_000 * MS, over), 140_000 * MS, "nothing came, and nobody knows why");
        assert!(clock.at(102_000 * MS) < over && clock.at(140_000 * MS) >= over);
        let later = clock.shown + 50_000 * MS;
        assert_eq!(clock.when(140_000 * MS, later), 150_000 * MS);
    }
}
