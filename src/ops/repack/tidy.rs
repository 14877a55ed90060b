//! Taking away what new packs have replaced: out of the log, and then out of the store.

use std::collections::HashSet;

use crate::cas::{pack_name, segment_name};
use crate::id::PackId;
use crate::repo::{Draft, LogState, RepoError, Repository};
use crate::store::{BlobName, StoreError};

use super::super::OpsError;

/// Removes all packs that are condemned and that nobody can come to need, and the segments that speak of nothing else; then
/// deletes the files of all that the log has ever removed. Returns how many files that were.
pub(super) fn remove_condemned(repo: &Repository) -> Result<u64, OpsError> {
    let state = repo.refresh()?;
    if !removable(&state).is_empty() {
        repo.append(&mut |now| removal(repo, now))?;
    }
    delete_left_over(repo, &repo.state())
}

fn removable(state: &LogState) -> Vec<PackId> {
    let mut packs: Vec<PackId> =
        state.condemned.keys().filter(|pack| state.is_removable(pack)).copied().collect();
    packs.sort_unstable();
    packs
}

/// The entry that removes what can be removed. Where another process has just removed it all, the entry says nothing.
fn removal(repo: &Repository, now: &LogState) -> Result<Draft, RepoError> {
    let packs_removed = removable(now);
    let gone: HashSet<&PackId> = packs_removed.iter().collect();
    let stays = |pack: &PackId| now.packs.contains_key(pack) && !gone.contains(pack);
    let without = repo.chunks().index().segments_without(stays);
    let mut segments_removed =
        without.map_err(|source| RepoError::Cas { action: "read the index", source })?;
    segments_removed.retain(|uid| now.segments.iter().any(|segment| segment.uid == *uid));
    Ok(Draft { packs_removed, segments_removed, message: "repack".to_owned(), ..Draft::default() })
}

fn delete_left_over(repo: &Repository, state: &LogState) -> Result<u64, OpsError> {
    let store = repo.chunks().vault().store();
    let failed = |source: StoreError| RepoError::Store { location: store.location(), source };
    let removed: HashSet<BlobName> = state
        .removed_packs
        .iter()
        .map(pack_name)
        .chain(state.removed_segments.iter().map(segment_name))
        .collect();
    let mut deleted = 0;
    if removed.is_empty() {
        return Ok(deleted);
    }
    for folder in ["packs/", "index/"] {
        for blob in store.list(folder).map_err(failed)? {
            if removed.contains(&blob.name) && store.delete(&blob.name).map_err(failed)? {
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}
