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
    /// Threads that wait for work.
    idle: usize,
    taker_waits: bool,
    ended: bool,
    worker_panicked: bool,
}

impl State {
    /// The next directory to list, unless too much waits to be taken.
    fn next(&mut self) -> Option<Arc<DirJob>> {
        if self.ahead >= AHEAD_ENTRIES_MAX {
            return None;
        }
        self.pending.pop_first().map(|(_, job)| job)
    }
}

impl Ahead {
    /// A queue whose first directory is `root`.
    pub(super) fn new(root: Arc<DirJob>) -> Self {
        let ahead = Self::default();
        ahead.lock().pending.insert(root.place.clone(), root);
        ahead
    }

    /// The listing of `job`: the one made ahead, or one made here and now if no thread has begun it. While another
    /// thread is at it, this one lists ahead, too, rather than sleep. Only one thread takes, and takes every directory
    /// at most once.
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
            if let Some(other) = state.next() {
                drop(state);
                let listing = lister.list(&other);
                state = self.put(&other, listing);
            } else {
                state.taker_waits = true;
                state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.taker_waits = false;
            }
        }
    }

    /// Lists directories until [`end`](Self::end).
    pub(super) fn work(&self, lister: &mut Lister<'_>) {
        let _tell = TellOfPanic(self);
        let mut state = self.lock();
        while !state.ended {
            if let Some(job) = state.next() {
                drop(state);
                let listing = lister.list(&job);
                state = self.put(&job, listing);
                if state.taker_waits {
                    self.done.notify_one();
                }
            } else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }

    /// Makes every thread in [`work`](Self::work) return as soon as it can.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_all();
    }

    /// Leaves a listing for the taker.
    fn put(&self, job: &DirJob, listing: Listing) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.ahead += listing.weight();
        self.publish(&mut state, &listing);
        *job.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(listing);
        state
    }

    /// Makes the directories of a listing known. One of them the caller will list itself; for others it wakes those
    /// who have nothing to do. (To wake costs a system call, also where nobody sleeps.)
    fn publish(&self, state: &mut State, listing: &Listing) {
        for child in listing.children() {
            state.pending.insert(child.place.clone(), Arc::clone(child));
        }
        if state.idle > 0 && state.pending.len() > 1 {
            self.work.notify_all();
        }
    }

    /// Threads that pause go on only when half of the room is free: not for every directory that is taken.
    fn lower(&self, state: &mut State, weight: usize) {
        let before = state.ahead;
        state.ahead = before.saturating_sub(weight);
        if state.idle > 0 && before >= AHEAD_ENTRIES_MAX / 2 && state.ahead < AHEAD_ENTRIES_MAX / 2 {
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
