//! Whether a source may log in: a budget across restarts, and what the venue has said.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::nanos;
use crate::model::{Stamp, Timestamp};

/// Most logins of a source in an hour, restarts included. A venue allows a user more, but the user has other tools.
pub const LOGINS_PER_HOUR_MAX: usize = 60;

const HOUR: Duration = Duration::from_secs(3600);

/// A login that was refused for good counts as so many: wrong credentials are tried six times an hour, however often the
/// recorder is started, and the right ones at once.
const REFUSED_LOGIN_COST: usize = 10;

/// Counts the logins of one user, or of one source where users are not known, against [`LOGINS_PER_HOUR_MAX`]. Clones count
/// together.
#[derive(Clone, Debug, Default)]
pub struct LoginBudget(Arc<Mutex<Spent>>);

/// Times by the monotonic clock, negative before the process.
#[derive(Debug, Default)]
struct Spent {
    /// Those of logins, the oldest first.
    at: VecDeque<i64>,
    /// The venue wants no login before that.
    not_before: Option<i64>,
}

impl LoginBudget {
    /// A budget of which the logins of an earlier process are spent.
    #[must_use]
    pub fn new(recent: impl IntoIterator<Item = Timestamp>, now: Stamp) -> Self {
        let budget = Self::default();
        recent.into_iter().for_each(|at| budget.spend(mono(at, now), 1));
        budget
    }

    /// A login was refused for good.
    pub fn refuse(&self, at: Timestamp, now: Stamp) {
        self.spend(mono(at, now), REFUSED_LOGIN_COST - 1);
    }

    /// The venue wanted no login for so long.
    pub fn delay(&self, at: Timestamp, delay: Duration, now: Stamp) {
        self.not_before(mono(at, now).saturating_add(nanos(delay)));
    }

    fn not_before(&self, mono: i64) {
        let mut spent = self.lock();
        spent.not_before = spent.not_before.max(Some(mono));
    }

    fn spend(&self, mono: i64, logins: usize) {
        let mut spent = self.lock();
        let place = spent.at.partition_point(|at| *at <= mono);
        (0..logins).for_each(|_| spent.at.insert(place, mono));
    }

    /// When the next login may be made, by the monotonic clock; `None`: now.
    fn free_at(&self, mono: i64) -> Option<i64> {
        let mut spent = self.lock();
        while spent.at.front().is_some_and(|at| at + nanos(HOUR) <= mono) {
            spent.at.pop_front();
        }
        let first = spent.at.len().checked_sub(LOGINS_PER_HOUR_MAX)?;
        spent.at.get(first).map(|at| at + nanos(HOUR))
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time by the monotonic clock. One in the future, which a stepped clock makes of it, is now.
fn mono(at: Timestamp, now: Stamp) -> i64 {
    now.mono - now.wall.0.saturating_sub(at.0).max(0)
}

/// Why not to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Withheld {
    /// One clause, without secrets.
    pub(super) reason: String,
    /// Until when, by the monotonic clock; `None`: for good.
    pub(super) until: Option<i64>,
}

/// Everything that speaks against a login.
#[derive(Debug)]
pub(super) struct Logins {
    budget: LoginBudget,
    stopped: Option<String>,
}

impl Logins {
    pub(super) fn new(budget: LoginBudget) -> Self {
        Self { budget, stopped: None }
    }

    /// A login goes out.
    pub(super) fn spend(&mut self, mono: i64) {
        self.budget.spend(mono, 1);
    }

    /// The venue refused the account.
    pub(super) fn stop(&mut self, reason: String, mono: i64) {
        self.budget.spend(mono, REFUSED_LOGIN_COST - 1);
        self.stopped = Some(reason);
    }

    /// The venue wants none before that, by the monotonic clock.
    pub(super) fn delay(&mut self, until: i64) {
        self.budget.not_before(until);
    }

    /// Why not to log in now; `None` if nothing speaks against it.
    pub(super) fn withheld(&mut self, mono: i64) -> Option<Withheld> {
        if let Some(reason) = &self.stopped {
            return Some(Withheld { reason: reason.clone(), until: None });
        }
        if let Some(until) = self.budget.lock().not_before.filter(|until| *until > mono) {
            return Some(Withheld {
                reason: "the venue said that logins come too rapidly".to_owned(),
                until: Some(until),
            });
        }
        let until = self.budget.free_at(mono)?;
        Some(Withheld { reason: format!("{LOGINS_PER_HOUR_MAX} logins in an hour are spent"), until: Some(until) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn logins_before_a_restart_count_and_expire_by_the_hour() {
        let now = Stamp { wall: Timestamp(1_700_000_000 * SECOND), mono: 5 * SECOND };
        let recent = (0..60).map(|minute| Timestamp(now.wall.0 - minute * 60 * SECOND));
        let mut logins = Logins::new(LoginBudget::new(recent, now));
        let withheld = logins.withheld(now.mono).unwrap();
        // The oldest was 59 minutes ago.
        assert_eq!(withheld.until, Some(now.mono + 60 * SECOND));
        assert_eq!(withheld.reason, "60 logins in an hour are spent");
        assert_eq!(logins.withheld(now.mono + 60 * SECOND - 1), Some(withheld));
        assert_eq!(logins.withheld(now.mono + 60 * SECOND), None);
        logins.spend(now.mono + 60 * SECOND);
        assert_eq!(logins.withheld(now.mono + 60 * SECOND).unwrap().until, Some(now.mono + 120 * SECOND));
    }

    #[test]
    fn a_login_in_the_future_counts_as_of_now() {
        let now = Stamp { wall: Timestamp(0), mono: 0 };
        let mut logins = Logins::new(LoginBudget::new([Timestamp(i64::MAX); 60], now));
        assert_eq!(logins.withheld(0).unwrap().until, Some(3600 * SECOND));
    }

    #[test]
    fn what_the_venue_says_comes_first_and_a_refusal_stays() {
        let mut logins = Logins::new(LoginBudget::default());
        assert_eq!(logins.withheld(0), None);
        logins.delay(900 * SECOND);
        logins.delay(10 * SECOND);
        assert_eq!(logins.withheld(0).unwrap().until, Some(900 * SECOND));
        assert_eq!(logins.withheld(900 * SECOND), None);
        logins.stop("look at the cookie".to_owned(), 0);
        let refused = Withheld { reason: "look at the cookie".to_owned(), until: None };
        assert_eq!(logins.withheld(i64::MAX), Some(refused));
    }

    proptest! {
        #[test]
        fn no_hour_has_more_logins_than_the_budget(waits in prop::collection::vec(0..200 * SECOND, 1..400)) {
            let mut logins = Logins::new(LoginBudget::default());
            let mut now = 0;
            let mut made = Vec::new();
            for wait in waits {
                now += wait;
                if logins.withheld(now).is_none() {
                    logins.spend(now);
                    made.push(now);
                }
            }
            for window in made.windows(LOGINS_PER_HOUR_MAX + 1) {
                prop_assert!(window[LOGINS_PER_HOUR_MAX] - window[0] >= 3600 * SECOND);
            }
        }
    }
}
