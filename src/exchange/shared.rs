//! What every handler, gateway and timer of one exchange shares.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::config::Limits;
use super::directory::Directory;
use super::floor::Floor;
use super::listing::Listing;
use super::tally::Tally;
use crate::clock::Clock;

/// What every handler needs.
pub(super) struct Shared {
    floor: Mutex<Floor>,
    /// How many wait for the floor.
    waiting: AtomicUsize,
    pub directory: Directory,
    pub listing: Arc<Listing>,
    pub limits: Limits,
    pub tally: Tally,
    pub clock: Clock,
}

impl Shared {
    pub(super) fn new(
        floor: Floor,
        directory: Directory,
        listing: Arc<Listing>,
        limits: Limits,
        tally: Tally,
        clock: Clock,
    ) -> Self {
        Self { floor: Mutex::new(floor), waiting: AtomicUsize::new(0), directory, listing, limits, tally, clock }
    }

    pub(super) fn floor(&self) -> MutexGuard<'_, Floor> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let floor = self.floor.lock().expect("no panic has happened under the floor's lock");
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        floor
    }

    /// Whether somebody waits for the floor, which the lock itself does not hand over fairly.
    pub(super) fn is_floor_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}
