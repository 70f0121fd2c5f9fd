//! The actor that owns the one sink, on a thread of its own.
//!
//! Batches are written as they come and made durable in groups. A [`Write`] is answered when its group is durable, so a
//! sender that bounds what it has unanswered bounds the memory of the whole path.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::journal::Batch;
use crate::message::{Stop, Write, Written};
use crate::model::{Stamp, Timestamp};

use super::{Progress, Sink, SinkError};

/// A group is committed at this size, in bytes of [`Batch::bytes`], however young it is. A sender whose window is smaller
/// waits for the commit interval instead.
pub const GROUP_BYTES_MAX: usize = 4 << 20;

/// How often the sink looks after itself when nothing comes.
const TURN: Duration = Duration::from_secs(1);

/// Pause between small pieces of work that can wait, so that batches get in between.
const TIDY_PAUSE: Duration = Duration::from_millis(20);

/// After work that can wait there is a pause so many times as long, so that a feed at full speed hardly loses by it.
const TIDY_PAUSES: u32 = 12;

/// First and longest pause before a failed group is written again.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// A commit that takes longer than this is one of a slow disk: a stop asks no more of it than it must.
const COMMIT_SLOW: Duration = Duration::from_millis(500);

/// What can wait waits for so many commits of a slow disk.
const COMMITS_BETWEEN: u32 = 10;

/// A stall longer than this is an error that somebody should see to.
const STALL_TOLD: Duration = Duration::from_secs(10);

/// The wall clock may stray from the monotonic one by this much in a turn before that is told; a clock that is slewed
/// strays by a thousandth.
const CLOCK_STEP_TOLD: Duration = Duration::from_millis(100);

type Answer = oneshot::Sender<Result<Written, SinkError>>;

/// Owns the sink.
pub struct SinkActor {
    sink: Option<Box<dyn Sink + Send>>,
    commit_interval: Duration,
    clock: Clock,
    progress: Arc<Progress>,
    failed: Option<oneshot::Sender<SinkError>>,
    /// Why there is no sink any more, if that was not asked for.
    given_up: Option<SinkError>,
    /// What is written but not durable, with who waits for it.
    group: Vec<(Batch, Answer)>,
    group_bytes: usize,
    group_since: Stamp,
    /// How long the last commit took.
    commit_took: Duration,
    commit_timer: Option<SpawnHandle>,
    tidy_timer: Option<SpawnHandle>,
    tidied_at: i64,
    /// How long the last tidying took.
    tidy_took: Duration,
    has_more_to_tidy: bool,
    turned_at: Timestamp,
    /// How far the wall clock is from the monotonic one, in ns.
    clock_offset: i64,
    trouble: Option<Trouble>,
}

/// The sink could not write, and the group is waiting to be written again.
struct Trouble {
    since: Stamp,
    cause: SinkError,
    pause: Duration,
    is_told: bool,
}

/// The sink's thread.
pub struct SinkThread {
    /// The actor.
    pub addr: Addr<SinkActor>,
    /// Says so when the sink can write no more; whoever waits for it ends the recorder.
    pub failed: oneshot::Receiver<SinkError>,
    arbiter: Arbiter,
}

impl SinkThread {
    /// Ends the thread and waits for it. Send [`Stop`] first: what is not durable is lost.
    ///
    /// # Errors
    /// If the thread panicked.
    pub fn join(self) -> std::thread::Result<()> {
        self.arbiter.stop();
        self.arbiter.join()
    }
}

impl SinkActor {
    /// Starts the actor with a sink that is open, on a thread of its own.
    #[must_use]
    pub fn start(
        sink: Box<dyn Sink + Send>,
        commit_interval: Duration,
        clock: Clock,
        progress: Arc<Progress>,
    ) -> SinkThread {
        let arbiter = Arbiter::new();
        let (failed, has_failed) = oneshot::channel();
        let now = clock.now();
        let addr = Self::start_in_arbiter(&arbiter.handle(), move |_| Self {
            sink: Some(sink),
            commit_interval,
            clock,
            progress,
            failed: Some(failed),
            given_up: None,
            group: Vec::new(),
            group_bytes: 0,
            group_since: Stamp::default(),
            commit_took: Duration::ZERO,
            commit_timer: None,
            tidy_timer: None,
            tidied_at: 0,
            tidy_took: Duration::ZERO,
            has_more_to_tidy: false,
            turned_at: now.wall,
            clock_offset: now.wall.0 - now.mono,
            trouble: None,
        });
        SinkThread { addr, failed: has_failed, arbiter }
    }

    /// Takes a batch into the group.
    fn take(&mut self, batch: Batch, answer: Answer, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        self.progress.turn(now);
        if self.sink.is_none() {
            // Nobody listens any more if that fails.
            let _ = answer.send(Err(self.why_closed()));
            return;
        }
        if self.group.is_empty() {
            self.group_since = now;
        }
        self.group_bytes += batch.bytes();
        let is_awaited = batch.is_awaited();
        self.group.push((batch, answer));
        if self.trouble.is_some() {
            return;
        }
        if let Err(error) = self.write_last() {
            self.fail(error, ctx);
        } else if is_awaited
            || self.group_bytes >= GROUP_BYTES_MAX
            || elapsed(self.group_since.mono, now) >= self.group_age_max()
        {
            self.commit(ctx);
        } else if self.commit_timer.is_none() {
            self.commit_timer = Some(ctx.run_later(self.commit_interval, |actor, ctx| {
                actor.commit_timer = None;
                actor.commit(ctx);
            }));
        }
    }

    /// How long a group is open while batches come without a pause. No shorter than a commit takes: what waited for a slow
    /// one goes into one group.
    fn group_age_max(&self) -> Duration {
        self.commit_interval.max(self.commit_took)
    }

    /// How long a slow disk is left to what is received.
    fn rest_of_slow_disk(&self) -> Duration {
        if self.commit_took > COMMIT_SLOW { self.commit_took * COMMITS_BETWEEN } else { Duration::ZERO }
    }

    fn write_last(&mut self) -> Result<(), SinkError> {
        match (&mut self.sink, self.group.last()) {
            (Some(sink), Some((batch, _))) => sink.append(batch),
            _ => Ok(()),
        }
    }

    /// Makes the group durable and answers for it.
    fn commit(&mut self, ctx: &mut Context<Self>) {
        if self.trouble.is_some() {
            return;
        }
        match self.try_commit() {
            Ok(()) => self.tidy_if_due(ctx),
            Err(error) => self.fail(error, ctx),
        }
        if let Some(timer) = self.commit_timer.take() {
            ctx.cancel_future(timer);
        }
    }

    fn try_commit(&mut self) -> Result<(), SinkError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        if self.group.is_empty() {
            return Ok(());
        }
        let before = self.clock.now();
        sink.commit()?;
        let now = self.clock.now();
        self.commit_took = elapsed(before.mono, now);
        self.progress.commit(self.group.iter().map(|(batch, _)| batch), now);
        self.progress.turn(now);
        self.group_bytes = 0;
        for (batch, answer) in self.group.drain(..) {
            // A sender that is gone does not wait for its answer.
            let _ = answer.send(Ok(Written { spent: batch }));
        }
        Ok(())
    }

    /// The sink could not write: keeps the group and tries again later, or gives up.
    fn fail(&mut self, cause: SinkError, ctx: &mut Context<Self>) {
        if let SinkError::Fatal(_) | SinkError::Damaged(_) = cause {
            self.give_up(&cause);
            return;
        }
        let now = self.clock.now();
        match &mut self.trouble {
            None => {
                warn!(%cause, "cannot write, trying again");
                self.progress.stall(Some(now));
                self.trouble = Some(Trouble { since: now, cause, pause: RETRY_MIN, is_told: false });
            }
            Some(trouble) => {
                let stalled = elapsed(trouble.since.mono, now);
                if stalled >= STALL_TOLD && !trouble.is_told {
                    error!(%cause, ?stalled, "still cannot write: nothing is being recorded");
                    trouble.is_told = true;
                }
                trouble.cause = cause;
                trouble.pause = (trouble.pause * 2).min(RETRY_MAX);
            }
        }
        let pause = self.trouble.as_ref().map_or(RETRY_MIN, |trouble| trouble.pause);
        ctx.run_later(pause, |actor, ctx| {
            actor.progress.turn(actor.clock.now());
            match actor.try_again() {
                Ok(()) => actor.tidy_if_due(ctx),
                Err(error) => actor.fail(error, ctx),
            }
        });
    }

    /// Writes the whole group again and commits it.
    fn try_again(&mut self) -> Result<(), SinkError> {
        let (Some(sink), Some(trouble)) = (&mut self.sink, &self.trouble) else { return Ok(()) };
        if let SinkError::Reopen(_) = trouble.cause {
            sink.reopen().map_err(|error| match error {
                SinkError::Later(text) => SinkError::Reopen(text),
                error => error,
            })?;
        }
        for (batch, _) in &self.group {
            sink.append(batch)?;
        }
        self.try_commit()?;
        let since = self.trouble.take().map(|trouble| trouble.since);
        self.progress.stall(None);
        let now = self.clock.now();
        let stalled = since.map(|since| elapsed(since.mono, now));
        info!(?stalled, "writing again, nothing was lost");
        Ok(())
    }

    /// Answers everyone with the error and tells the recorder.
    fn give_up(&mut self, cause: &SinkError) {
        if self.given_up.is_some() {
            return;
        }
        error!(%cause, "cannot write any more");
        self.sink = None;
        self.given_up = Some(cause.clone());
        self.group_bytes = 0;
        for (_, answer) in self.group.drain(..) {
            let _ = answer.send(Err(cause.clone()));
        }
        if let Some(failed) = self.failed.take() {
            let _ = failed.send(cause.clone());
        }
    }

    fn why_closed(&self) -> SinkError {
        self.given_up.clone().unwrap_or_else(|| SinkError::Fatal("the sink is closed".to_owned()))
    }

    /// What is done every second: sees that all is still there, notes until when all is stored, and tidies.
    fn turn(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        self.progress.turn(now);
        self.watch_clock(now);
        let Some(sink) = &mut self.sink else { return };
        // Whatever else is the matter.
        if let Err(error) = sink.check() {
            return self.fail(error, ctx);
        }
        if self.trouble.is_some() {
            return;
        }
        if self.group.is_empty() && elapsed(self.tidied_at, now) < self.rest_of_slow_disk() {
            return;
        }
        let Some(sink) = &mut self.sink else { return };
        // What arrived before the last turn has been shipped since, and what was shipped before this one is appended.
        // If the clock was set back in between, no more is known than that.
        let until = std::mem::replace(&mut self.turned_at, now.wall).min(now.wall);
        if let Err(error) = sink.mark(until) {
            self.fail(error, ctx);
        } else {
            self.tidy_if_due(ctx);
        }
    }

    /// Tells of a wall clock that was set: times of what is received go on from where it is now.
    fn watch_clock(&mut self, now: Stamp) {
        let offset = now.wall.0 - now.mono;
        let step = offset - std::mem::replace(&mut self.clock_offset, offset);
        if step.unsigned_abs() >= CLOCK_STEP_TOLD.as_nanos() as u64 {
            let by = Duration::from_nanos(step.unsigned_abs());
            warn!(?by, "the wall clock was set {}", if step < 0 { "back" } else { "forward" });
        }
    }

    /// Tidies if there is no group open and it is a while since.
    fn tidy_if_due(&mut self, ctx: &mut Context<Self>) {
        let since = elapsed(self.tidied_at, self.clock.now());
        let pause = if self.has_more_to_tidy { self.tidy_pause() } else { TURN.max(self.rest_of_slow_disk()) };
        let is_due = since >= pause;
        if is_due && self.tidy_timer.is_none() {
            self.tidy(ctx);
        }
    }

    /// From one piece of work that can wait to the next.
    fn tidy_pause(&self) -> Duration {
        TIDY_PAUSE.max(self.tidy_took * TIDY_PAUSES).max(self.rest_of_slow_disk())
    }

    fn tidy(&mut self, ctx: &mut Context<Self>) {
        let Some(sink) = &mut self.sink else { return };
        if !self.group.is_empty() || self.trouble.is_some() {
            return;
        }
        let before = self.clock.now().mono;
        match sink.tidy() {
            Ok(tidied) => {
                let now = self.clock.now();
                self.progress.see_wal(tidied.wal_bytes);
                self.tidied_at = now.mono;
                self.tidy_took = elapsed(before, now);
                self.has_more_to_tidy = tidied.has_more;
                if tidied.has_more {
                    self.tidy_timer = Some(ctx.run_later(self.tidy_pause(), |actor, ctx| {
                        actor.tidy_timer = None;
                        actor.tidy(ctx);
                    }));
                }
            }
            Err(SinkError::Later(cause)) => {
                self.tidied_at = self.clock.now().mono;
                debug!(%cause, "cannot tidy now");
            }
            Err(error) => self.fail(error, ctx),
        }
    }

    /// Commits what there is, ends the run and closes.
    fn close(&mut self) -> Result<(), SinkError> {
        if self.trouble.is_some() {
            self.try_again()?;
        } else {
            self.try_commit()?;
        }
        match self.sink.take() {
            Some(sink) => sink.close(self.clock.now(), !self.rest_of_slow_disk().is_zero()),
            None => Err(self.why_closed()),
        }
    }
}

/// By the monotonic clock.
fn elapsed(since: i64, now: Stamp) -> Duration {
    Duration::from_nanos(u64::try_from(now.mono.saturating_sub(since)).unwrap_or(0))
}

impl Actor for SinkActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Senders bound themselves; a mailbox that refused would only hide that.
        ctx.set_mailbox_capacity(1024);
        ctx.run_interval(TURN, Self::turn);
    }
}

impl Handler<Write> for SinkActor {
    type Result = ResponseFuture<Result<Written, SinkError>>;

    fn handle(&mut self, Write(batch): Write, ctx: &mut Self::Context) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        self.take(batch, answer, ctx);
        Box::pin(async move {
            let closed = |_| Err(SinkError::Fatal("the sink ended before the batch was durable".to_owned()));
            answered.await.unwrap_or_else(closed)
        })
    }
}

impl Handler<Stop> for SinkActor {
    type Result = Result<(), SinkError>;

    fn handle(&mut self, Stop: Stop, _: &mut Self::Context) -> Self::Result {
        let closed = self.close();
        if let Err(cause) = &closed {
            self.give_up(cause);
        }
        closed
    }
}

#[cfg(test)]
mod tests;
