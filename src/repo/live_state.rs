//! State for change detection that only this machine has: what a checkout wrote into the working directory.
//!
//! One file a repository, in the client's folder: sealed with [`Keyring::cache_key`](crate::crypto::Keyring::cache_key), the
//! id of a commit (32 bytes) and a stream of [`format::state`](crate::format::state) for that commit's tree. Losing it
//! costs nothing but reading files again.

use crate::cas::Part;
use crate::id::CommitId;
use crate::limits::LIVE_STATE_LEN_MAX;

use super::{RepoError, Repository};

impl Repository {
    /// The state that was kept for a commit, if it is the last one that was kept.
    pub(crate) fn live_state(&self, commit: CommitId) -> Option<Vec<u8>> {
        let sealed = self.client().kept(&self.live_state_name(), LIVE_STATE_LEN_MAX)?;
        let (vault, instance) = (self.chunks().vault(), self.instance());
        let place = (instance.as_bytes(), vault.keyring().newest_epoch(), 0);
        let key = vault.keyring().cache_key();
        let plain = vault.open_with(&key, Part::WorkDirState, place, &sealed).ok()?;
        let (id, state) = plain.split_first_chunk::<{ CommitId::LEN }>()?;
        (id == commit.as_bytes()).then(|| state.to_vec())
    }

    /// Keeps the state of the working directory after `commit` was written into it, instead of any state before.
    ///
    /// # Errors
    /// When the client's folder cannot be written.
    pub(crate) fn keep_live_state(&self, commit: CommitId, state: &[u8]) -> Result<(), RepoError> {
        let vault = self.chunks().vault();
        let plain = [commit.as_bytes(), state].concat();
        let key = vault.keyring().cache_key();
        let sealed = vault.seal_with(&key, Part::WorkDirState, self.instance().as_bytes(), 0, &plain);
        self.client().keep(&self.live_state_name(), &sealed)
    }

    fn live_state_name(&self) -> String {
        format!("files-{}", self.instance())
    }
}
