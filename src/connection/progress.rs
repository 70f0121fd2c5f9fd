//! What a connection has done so far, for whoever shows it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use crate::model::Timestamp;

/// Counters of one source's connection. Written by the connection once a chunk, read at any time by anyone; each is
/// right on its own, they are not of one instant.
#[derive(Debug, Default)]
pub struct Progress {
    connected: AtomicBool,
    stalled: AtomicBool,
    logins_stopped: AtomicBool,
    sessions: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    last_frame_at: AtomicI64,
    unacknowledged_bytes: AtomicU64,
}

impl Progress {
    /// Whether the socket is open.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Whether the socket is not read, because the sink has taken nothing for a while.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Whether the venue refused the account, so that the source does not log in any more.
    #[must_use]
    pub fn are_logins_stopped(&self) -> bool {
        self.logins_stopped.load(Ordering::Relaxed)
    }

    /// Attempts at a connection so far.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Messages received so far, all sessions together.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Bytes of those messages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// When the last message arrived.
    #[must_use]
    pub fn last_frame_at(&self) -> Option<Timestamp> {
        Some(self.last_frame_at.load(Ordering::Relaxed)).filter(|at| *at != 0).map(Timestamp)
    }

    /// Bytes on their way to the sink, or waiting there to become durable.
    #[must_use]
    pub fn unacknowledged_bytes(&self) -> u64 {
        self.unacknowledged_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn begin_session(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_connected(&self, connected: bool) {
        self.connected.store(connected, Ordering::Relaxed);
    }

    pub(super) fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Relaxed);
    }

    pub(super) fn stop_logins(&self) {
        self.logins_stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn receive(&self, frames: u64, bytes: u64, at: Timestamp) {
        self.frames.fetch_add(frames, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.last_frame_at.store(at.0, Ordering::Relaxed);
    }

    pub(super) fn set_unacknowledged(&self, bytes: usize) {
        self.unacknowledged_bytes.store(bytes as u64, Ordering::Relaxed);
    }
}
