//! Make before break: another connection has what this one has before the venue ends this one for its age.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::spawn_local;
use tracing::info;

use super::driver::Driver;
use super::live::Live;
use crate::clock::nanos;
use crate::journal::{Closed, Overlap, Plan};
use crate::model::{CloseCause, Coverage, GapCause, Stamp, StreamKey, Verdict};
use crate::venue::Standing;

/// How often to look whether the newcomer can take over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How old a connection is when another one is begun.
fn begins_after(lifetime: Duration) -> Duration {
    lifetime - lifetime / 24
}

/// How long a newcomer that has everything waits for messages of quiet streams, which show that it goes on where the old
/// connection was.
fn waits_for(lifetime: Duration) -> Duration {
    lifetime / 48
}

impl Driver {
    /// When another connection is begun beside a session's, by the monotonic clock.
    pub(super) fn begins_at(&self, live: &Live) -> Option<i64> {
        Some(live.opened_at?.saturating_add(nanos(begins_after(self.config.pace.lifetime?))))
    }

    /// Begins another connection before the venue ends this one for its age, and has it take over once it has what this
    /// one has. The first of `lives` speaks for the source.
    pub(super) async fn renew(&mut self, lives: &mut Vec<Live>) {
        let (Some(lifetime), Some(due)) = (self.config.pace.lifetime, self.renew_at) else { return };
        let at = self.config.clock.now();
        if due > at.mono {
            return;
        }
        self.renew_at = Some(at.mono.saturating_add(nanos(LOOK_EVERY)));
        let [old, new] = &mut lives[..] else {
            let newcomer = self.begin(Some(Overlap::Newcomer));
            info!(
                source = newcomer.plan.source,
                session = newcomer.tape.batch().session().0,
                "renewing the connection"
            );
            return lives.push(newcomer);
        };
        let Some(unjoined) = unjoined(&old.tape.standing(), &new.tape.standing()) else { return };
        let complete_at = *new.complete_at.get_or_insert(at.mono);
        if unjoined.is_empty() || complete_at.saturating_add(nanos(waits_for(lifetime))) <= at.mono {
            self.hand_over(lives, unjoined, at).await;
        }
    }

    /// Ends the first session, in favour of the second.
    async fn hand_over(&mut self, lives: &mut Vec<Live>, unjoined: Vec<StreamKey>, at: Stamp) {
        let mut old = lives.remove(0);
        let plan = Plan { overlap: Some(Overlap::HandedOver { unjoined }), ..Plan::clone(&old.plan) };
        self.feed_plan(&mut old, plan, at);
        let detail = "another connection took over, before the venue ends this one for its age".to_owned();
        let closed = Closed::new(CloseCause::Session, detail);
        spawn_local(self.finish(old, closed, at).await.shut);
        self.take_over(&mut lives[0], at);
    }

    /// Has a session speak for the source from here on.
    pub(super) fn take_over(&mut self, live: &mut Live, at: Stamp) {
        let plan = Plan { overlap: None, ..Plan::clone(&live.plan) };
        self.feed_plan(live, plan, at);
        self.renew_at = self.begins_at(live);
        self.config.progress.set_connected(live.opened_at.is_some());
        info!(source = live.plan.source, session = live.tape.batch().session().0, "another connection took over");
    }
}

/// The streams of which nothing proves that the newcomer goes on where the old session was; `None`: the newcomer does
/// not have all that the old session has.
fn unjoined(old: &[Standing], new: &[Standing]) -> Option<Vec<StreamKey>> {
    let new: HashMap<_, _> = new.iter().map(|new| (&new.key, new)).collect();
    let mut unjoined = Vec::new();
    for old in old.iter().filter(|old| matches!(old.state, Coverage::Covered(_))) {
        let new = new.get(&old.key)?;
        match new.state {
            Coverage::Covered(verdict) if joins(old, new, verdict) => {}
            Coverage::Covered(_) => unjoined.push(StreamKey::clone(&old.key)),
            // Waiting does not change that.
            Coverage::Gap(GapCause::Refused) => {}
            Coverage::Gap(_) => return None,
        }
    }
    Some(unjoined)
}

/// Whether a stream goes on without a hole: by its numbers, or since a message showed that the old session was complete
/// when the new one began.
fn joins(old: &Standing, new: &Standing, verdict: Verdict) -> bool {
    match (old.state, old.numbers, new.numbers) {
        (Coverage::Covered(Verdict::Proved), Some((_, last)), Some((before, _))) => {
            verdict == Verdict::Proved && last >= before
        }
        (Coverage::Covered(Verdict::Proved | Verdict::Checked), ..) => {
            matches!(verdict, Verdict::Proved | Verdict::Checked) && old.good_at >= new.since
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Timestamp;

    const PROVED: Coverage = Coverage::Covered(Verdict::Proved);
    const WAITING: Coverage = Coverage::Gap(GapCause::NotAcknowledged);

    fn stands(channel: &str, state: Coverage, since: i64, good_at: i64, numbers: Option<(u64, u64)>) -> Standing {
        let key = Arc::new(StreamKey { channel: channel.to_owned(), market: None, detail: String::new() });
        Standing { key, state, since: Timestamp(since), good_at: Timestamp(good_at), numbers }
    }

    /// How many streams are not joined.
    fn count(old: &[Standing], new: &[Standing]) -> Option<usize> {
        unjoined(old, new).map(|streams| streams.len())
    }

    #[test]
    fn numbers_join_where_the_new_ones_begin_no_later_than_the_old_ones_end() {
        let old = [stands("trade", PROVED, 1, 10, Some((4, 20)))];
        for (numbers, expected) in [(Some((20, 21)), 0), (Some((7, 30)), 0), (Some((21, 22)), 1), (None, 1)] {
            let state = if numbers.is_some() { PROVED } else { Coverage::Covered(Verdict::Unverifiable) };
            assert_eq!(count(&old, &[stands("trade", state, 8, 12, numbers)]), Some(expected), "{numbers:?}");
        }
    }

    #[test]
    fn a_chain_joins_once_the_old_one_was_complete_when_the_new_one_began() {
        for (good_at, expected) in [(9, 1), (10, 0)] {
            let old = [stands("live_orders", PROVED, 1, good_at, None)];
            assert_eq!(count(&old, &[stands("live_orders", PROVED, 10, 20, None)]), Some(expected));
        }
        let whole = [stands("ticker", Coverage::Covered(Verdict::Consistent), 1, 2, None)];
        assert_eq!(count(&whole, &[stands("ticker", Coverage::Covered(Verdict::Consistent), 10, 20, None)]), Some(0));
    }

    #[test]
    fn what_the_old_session_has_and_the_newcomer_awaits_is_waited_for_and_what_neither_has_is_not() {
        let old = [stands("trade", PROVED, 1, 10, Some((4, 20))), stands("depth", WAITING, 1, 10, None)];
        let trade = |state| stands("trade", state, 8, 12, Some((18, 22)));
        assert_eq!(count(&old, &[]), None);
        assert_eq!(count(&old, &[trade(WAITING)]), None);
        assert_eq!(count(&old, &[trade(Coverage::Gap(GapCause::Refused))]), Some(0));
        assert_eq!(count(&old, &[trade(PROVED)]), Some(0));
    }
}
