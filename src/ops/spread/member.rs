//! One member of a group: its store, and how it has done so far.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::store::{StorageBackend, StoreError};

use super::locked;

/// A member as it is given to a group: how its place is written, and its store.
#[derive(Debug)]
pub struct Seat {
    /// Where it lies, as people write it.
    pub place: String,
    /// Its store, or why that could not be opened.
    pub store: Result<Arc<dyn StorageBackend>, String>,
}

/// What a member did instead of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It cannot be reached, or failed: how.
    Failed(String),
    /// It answers, and does not have it.
    Missing,
    /// It did not answer in time.
    Slow(Duration),
    /// It answered with something else: what.
    Lies(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => write!(f, "failed: {why}"),
            Self::Missing => f.write_str("does not have it"),
            Self::Slow(after) => write!(f, "did not answer within {} ms", after.as_millis()),
            Self::Lies(what) => write!(f, "is damaged or lies: {what}"),
        }
    }
}

/// An error with its causes, in one line.
pub(super) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// Why a blob did not come from a member.
pub(super) fn fault(error: &StoreError) -> Fault {
    match error {
        StoreError::NotFound { .. } => Fault::Missing,
        StoreError::TooLarge { .. } | StoreError::Short { .. } => Fault::Lies(error.to_string()),
        error => Fault::Failed(told(error)),
    }
}

/// A store of a group.
#[derive(Debug)]
pub(super) struct Member {
    /// Which shards it holds.
    pub(super) number: usize,
    pub(super) place: String,
    store: Result<Arc<dyn StorageBackend>, Fault>,
    standing: Mutex<Standing>,
    /// The last entry of the log that it is known to have.
    pub(super) last: AtomicU64,
}

#[derive(Debug, Default)]
struct Standing {
    /// How often it failed or lied.
    faults: u32,
    /// Requests without an answer yet.
    pending: u32,
    /// How long a shard takes, about.
    takes: Duration,
    /// It has another history than the leader: nothing of its log counts.
    diverged: bool,
}

impl Member {
    pub(super) fn new(number: usize, seat: Seat) -> Self {
        let store = seat.store.map_err(Fault::Failed);
        Self { number, place: seat.place, store, standing: Mutex::default(), last: AtomicU64::new(0) }
    }

    /// Its store, or why there is none.
    pub(super) fn store(&self) -> Result<&Arc<dyn StorageBackend>, Fault> {
        self.store.as_ref().map_err(Clone::clone)
    }

    pub(super) fn is_reachable(&self) -> bool {
        self.store.is_ok()
    }

    /// Asks its store.
    pub(super) fn ask<T>(
        &self,
        act: impl FnOnce(&dyn StorageBackend) -> Result<T, StoreError>,
    ) -> Result<T, Fault> {
        act(&**self.store()?).map_err(|error| fault(&error))
    }

    pub(super) fn begins(&self) {
        locked(&self.standing).pending += 1;
    }

    /// Notes how a request went, and how long it took.
    pub(super) fn ends(&self, is_good: bool, took: Duration) {
        let mut standing = locked(&self.standing);
        standing.pending = standing.pending.saturating_sub(1);
        match is_good {
            true => standing.takes = (standing.takes * 3 + took) / 4,
            false => standing.faults += 1,
        }
    }

    /// Notes that it failed or lied.
    pub(super) fn blame(&self) {
        locked(&self.standing).faults += 1;
    }

    pub(super) fn diverge(&self) {
        locked(&self.standing).diverged = true;
    }

    /// Lets its log count again, which goes up to `last`.
    pub(super) fn rejoin(&self, last: u64) {
        locked(&self.standing).diverged = false;
        self.last.store(last, Ordering::Release);
    }

    pub(super) fn is_diverged(&self) -> bool {
        locked(&self.standing).diverged
    }

    pub(super) fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    pub(super) fn reached(&self, number: u64) {
        self.last.fetch_max(number, Ordering::AcqRel);
    }

    /// What the order in which members are asked goes by, the best first: whether it fails, whether it is busy, about how long it
    /// takes. Those that are about as fast are asked in their order: shards of data need no computing.
    pub(super) fn rank(&self) -> (u32, u32, u32, usize) {
        let standing = locked(&self.standing);
        let octave = (standing.takes.as_millis() as u64 / 8 + 1).ilog2();
        (standing.faults.min(8), standing.pending, octave, self.number)
    }
}
