//! Listing directories ahead of the one who needs them, in the order in which they will be needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::listing::{DirJob, Lister, Listing, Place};

/// Most entries that are listed ahead (about 200 bytes each): threads pause when that many wait to be taken.
const AHEAD_ENTRIES_MAX: usize = 32 * 1024;

/// The directories that are known, and how far listing has gone ahead.
#[derive(Default)]
pub(super) struct Ahead {
    state: Mutex<State>,
    /// There may be something to list.
    work: Condvar,
    /// A directory that the taker waits for may be listed.
    done: Condvar,
}

#[derive(Default)]
struct State {
    /// Directories that no thread has begun to list, the next one first.
    pending: BTreeMap<Place, Arc<DirJob>>,
    /// Weight of the listings that wait to be taken.
    ahead: usize,
    taker_waits: bool,
    ended: bool,
    worker_panicked: bool,
}

impl Ahead {
    /// A queue whose first directory is `root`.
    pub(super) fn new(root: Arc<DirJob>) -> Self {
        let ahead = Self::default();
        ahead.lock().pending.insert(root.place.clone(), root);
        ahead
    }

    /// The listing of `job`: the one made ahead, or one made here and now if no thread has begun it. Only one thread
    /// takes, and takes every directory at most once.
    ///
    /// # Panics
    /// If a thread that lists has panicked.
    pub(super) fn take(&self, job: &DirJob, lister: &mut Lister<'_>) -> Listing {
        let mut state = self.lock();
        if state.pending.remove(&job.place).is_some() {
            drop(state);
            let listing = lister.list(job);
            self.publish(&mut self.lock(), &listing);
            return listing;
        }
        loop {
            let listed = job.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(listing) = listed {
                self.lower(&mut state, listing.weight());
                return listing;
            }
            assert!(!state.worker_panicked, "a thread that lists directories panicked");
            state.taker_waits = true;
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.taker_waits = false;
        }
    }

    /// Lists directories until [`end`](Self::end).
    pub(super) fn work(&self, lister: &mut Lister<'_>) {
        let _tell = TellOfPanic(self);
        while let Some(job) = self.next() {
            let listing = lister.list(&job);
            let mut state = self.lock();
            state.ahead += listing.weight();
            self.publish(&mut state, &listing);
            *job.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(listing);
            if state.taker_waits {
                self.done.notify_one();
            }
        }
    }

    /// Makes every thread in [`work`](Self::work) return as soon as it can.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_all();
    }

    fn next(&self) -> Option<Arc<DirJob>> {
        let mut state = self.lock();
        loop {
            if state.ended {
                return None;
            }
            if state.ahead < AHEAD_ENTRIES_MAX
                && let Some((_, job)) = state.pending.pop_first()
            {
                return Some(job);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn publish(&self, state: &mut State, listing: &Listing) {
        let mut new = 0_usize;
        for child in listing.children() {
            state.pending.insert(child.place.clone(), Arc::clone(child));
            new += 1;
        }
        match new {
            0 => {}
            1 => self.work.notify_one(),
            _ => self.work.notify_all(),
        }
    }

    /// Threads that pause go on only when half of the room is free: not for every directory that is taken.
    fn lower(&self, state: &mut State, weight: usize) {
        let before = state.ahead;
        state.ahead = before.saturating_sub(weight);
        if before >= AHEAD_ENTRIES_MAX / 2 && state.ahead < AHEAD_ENTRIES_MAX / 2 {
            self.work.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the queue when dropped, also by a panic of the one who takes.
pub(super) struct EndOnDrop<'a>(pub(super) &'a Ahead);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Wakes the taker when the thread panics, which otherwise would wait for ever.
struct TellOfPanic<'a>(&'a Ahead);

impl Drop for TellOfPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().worker_panicked = true;
            self.0.done.notify_all();
        }
    }
}
