//! Counts of what happened, for tests and the curious to wait on.

use std::time::Duration;

use tokio::sync::watch;

/// What has happened since the exchange started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// WebSocket connections opened.
    pub connections: u64,
    /// WebSocket connections ended, for whatever reason.
    pub disconnections: u64,
    /// Of those, the ones that were cut off because the client did not read.
    pub slow_clients: u64,
    /// Logins attempted over WebSocket, those that a fault refused included.
    pub logins: u64,
    /// Commands received over WebSocket, malformed ones included.
    pub commands: u64,
    /// Replies and notices queued for WebSocket clients, the greeting included.
    pub frames_sent: u64,
    /// HTTP requests taken, upgrades to WebSocket included.
    pub requests: u64,
    /// Faults that were played out.
    pub faults: u64,
}

impl Counts {
    /// WebSocket connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.connections - self.disconnections
    }
}

/// Keeps the counts.
#[derive(Clone, Debug)]
pub(super) struct Tally(watch::Sender<Counts>);

impl Tally {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Counts::default()))
    }

    pub(super) fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.0.send_modify(change);
    }

    pub(super) fn now(&self) -> Counts {
        *self.0.borrow()
    }

    /// The counts once they satisfy `condition`; `Err` with what they were if they do not in time.
    pub(super) async fn wait_for(
        &self,
        within: Duration,
        condition: impl FnMut(&Counts) -> bool,
    ) -> Result<Counts, Counts> {
        let mut receiver = self.0.subscribe();
        match tokio::time::timeout(within, receiver.wait_for(condition)).await {
            Ok(Ok(counts)) => Ok(*counts),
            Ok(Err(_)) | Err(_) => Err(self.now()),
        }
    }
}
