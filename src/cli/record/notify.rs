//! What systemd is told: that recording has begun, that it goes on, that it is reloaded, that it ends.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use actix_rt::task::JoinHandle;
use sd_notify::NotifyState;
use tracing::warn;

use crate::clock::nanos;
use crate::recorder::View;

/// The writer's thread turns at least once a second. One that has not for this long hangs, and the watchdog is left
/// to bite.
const TURN_MAX: Duration = Duration::from_secs(10);

/// So many messages wait for a systemd that does not read; more are dropped.
const WAITING_MAX: usize = 16;

type Message = Vec<NotifyState<'static>>;

/// Tells systemd, if it asked to be told, until dropped.
pub(super) struct Guarded {
    view: View,
    to_systemd: SyncSender<Message>,
    watchdog: Option<JoinHandle<()>>,
}

impl Guarded {
    /// Nothing is told yet.
    pub(super) fn new(view: View) -> Self {
        let (to_systemd, messages) = sync_channel::<Message>(WAITING_MAX);
        // Telling waits while systemd does not read, which must hold up nothing. Not joined for the same reason.
        thread::spawn(move || {
            for message in messages {
                if let Err(error) = sd_notify::notify(&message) {
                    warn!(%error, "systemd cannot be told");
                }
            }
        });
        Self { view, to_systemd, watchdog: None }
    }

    /// Says that recording has begun, and from then on that the writer makes progress.
    pub(super) fn recording(&mut self) {
        self.goes_on();
        let (view, to_systemd) = (self.view.clone(), self.to_systemd.clone());
        self.watchdog = sd_notify::watchdog_enabled().map(|limit| {
            actix_rt::spawn(async move {
                let mut ticks = actix_rt::time::interval(limit / 3);
                loop {
                    ticks.tick().await;
                    if view.clock.now().mono - view.sink.turned_at() < nanos(TURN_MAX) {
                        // It is not read if there is no room.
                        let _ = to_systemd.try_send(vec![NotifyState::Watchdog]);
                    }
                }
            })
        });
    }

    /// Says that recording goes on after a reload.
    pub(super) fn goes_on(&self) {
        self.tell(vec![NotifyState::Ready, NotifyState::Status("recording")]);
    }

    /// Says that the configuration is being read again.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(vec![NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "systemd cannot be told of a reload, the monotonic clock is not to be had"),
        }
    }

    /// Says that recording ends.
    pub(super) fn stopping(&self) {
        self.tell(vec![NotifyState::Stopping]);
    }

    fn tell(&self, message: Message) {
        if self.to_systemd.try_send(message).is_err() {
            warn!("systemd does not read what it is told");
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.abort();
        }
    }
}
