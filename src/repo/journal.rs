//! The log as a handle has read it, and how it reads on.

use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use crate::cas::{CasError, IndexView, Refresh};
use crate::crypto::Signer;

use super::log::{Draft, Log};
use super::state::LogState;
use super::{Client, RepoError};

/// A log and the state that its entries add up to, as far as they have been read.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) log: Log,
    state: RwLock<Arc<LogState>>,
    appending: Mutex<()>,
}

impl Journal {
    /// Nothing of the log has been read.
    pub(super) fn new(log: Log) -> Self {
        Self { log, state: RwLock::default(), appending: Mutex::new(()) }
    }

    /// What exists, as far as was read.
    pub(super) fn state(&self) -> Arc<LogState> {
        Arc::clone(&self.state.read().expect("no panic while locked"))
    }

    /// Moves to a state, unless a later one is known; returns the later one.
    pub(super) fn advance_to(&self, state: LogState) -> Arc<LogState> {
        let mut current = self.state.write().expect("no panic while locked");
        if current.number <= state.number {
            *current = Arc::new(state);
        }
        Arc::clone(&current)
    }

    /// Reads the entries that others have appended since.
    pub(super) fn refresh(&self) -> Result<Arc<LogState>, RepoError> {
        let known = self.state();
        if !self.log.has(known.number + 1)? {
            return Ok(known);
        }
        let mut state = (*known).clone();
        self.log.advance(&mut state, None)?;
        Ok(self.advance_to(state))
    }

    /// Appends an entry; returns the state that it led to.
    pub(super) fn append(
        &self,
        device: &Signer,
        client: &Client,
        build: &mut dyn FnMut(&LogState) -> Result<Draft, RepoError>,
    ) -> Result<(Arc<LogState>, MutexGuard<'_, ()>), RepoError> {
        let guard = self.appending.lock().expect("no panic while locked");
        let mut state = (*self.state()).clone();
        self.log.append(&mut state, device, client, build)?;
        Ok((self.advance_to(state), guard))
    }
}

impl Refresh for Journal {
    fn newer_than(&self, entry: u64) -> Result<Option<IndexView>, CasError> {
        match self.refresh() {
            Ok(state) => Ok((state.number > entry).then(|| state.index_view())),
            Err(RepoError::Rotated { .. }) => Err(CasError::Rotated),
            // A log that cannot be read now has nothing new to say; whoever asks then fails as without asking.
            Err(_) => Ok(None),
        }
    }
}
