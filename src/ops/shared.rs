//! What the threads of an operation tell each other: the first failure, and how many problems there were.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::OpsError;

/// The first failure stops everything.
#[derive(Debug, Default)]
pub(super) struct Shared {
    stopped: AtomicBool,
    failure: Mutex<Option<OpsError>>,
    problems: AtomicU64,
}

impl Shared {
    /// Stops all threads; the first error is the one that counts.
    pub(super) fn fail(&self, error: OpsError) {
        let mut failure = self.failure.lock().expect("no panic while locked");
        failure.get_or_insert(error);
        self.stop();
    }

    /// Stops all threads without a failure.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    pub(super) fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// The failure, once.
    pub(super) fn take_failure(&self) -> Option<OpsError> {
        self.failure.lock().expect("no panic while locked").take()
    }

    /// Counts a path that failed.
    pub(super) fn problem(&self) {
        self.problems.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn problems(&self) -> u64 {
        self.problems.load(Ordering::Relaxed)
    }
}
