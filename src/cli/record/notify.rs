//! What systemd is told: that recording has begun, that it goes on, that it ends.

use std::time::Duration;

use actix_rt::task::JoinHandle;
use sd_notify::NotifyState;
use tracing::warn;

use crate::clock::nanos;
use crate::recorder::View;

/// The writer's thread turns at least once a second. One that has not for this long hangs, and the watchdog is left
/// to bite.
const TURN_MAX: Duration = Duration::from_secs(10);

/// Tells systemd, if it asked to be told, until dropped.
pub(super) struct Guarded {
    watchdog: Option<JoinHandle<()>>,
}

/// Says that recording has begun, and from then on that the writer makes progress.
pub(super) fn start(view: View) -> Guarded {
    tell(&[NotifyState::Ready, NotifyState::Status("recording")]);
    let watchdog = sd_notify::watchdog_enabled().map(|limit| {
        actix_rt::spawn(async move {
            let mut ticks = actix_rt::time::interval(limit / 3);
            loop {
                ticks.tick().await;
                if view.clock.now().mono - view.sink.turned_at() < nanos(TURN_MAX) {
                    tell(&[NotifyState::Watchdog]);
                }
            }
        })
    });
    Guarded { watchdog }
}

impl Guarded {
    /// Says that recording ends.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "systemd cannot be told");
    }
}
