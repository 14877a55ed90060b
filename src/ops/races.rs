//! What others may do meanwhile: remove packs that an operation reads, or begin to use packs that it is about to condemn.

use std::sync::Arc;

use crate::cas::{ChunkStore, Index};
use crate::id::PackId;
use crate::mutants::{self, Mutant};
use crate::repo::{LogState, RepoError, Repository};

use super::OpsError;

/// How often an operation is tried.
const TRIES: usize = 3;

/// Does it again, from the beginning, where others have removed packs meanwhile.
pub(super) fn begin_anew<T>(mut once: impl FnMut() -> Result<T, OpsError>) -> Result<T, OpsError> {
    for _ in 1..TRIES {
        match once() {
            Err(OpsError::Repo { source: RepoError::Overtaken | RepoError::Condemned }) => {}
            done => return done,
        }
    }
    once()
}

/// Objects through an index that stays at one state of the log, whatever others do to the repository.
pub(super) fn pinned(repo: &Repository, state: &LogState) -> ChunkStore {
    let vault = Arc::clone(repo.chunks().vault());
    let index = Arc::new(Index::new(Arc::clone(&vault)));
    index.update(state.index_view());
    ChunkStore::new(vault, index)
}

/// Whether a pack that was there and could be used is so no more: then what was read says too little.
pub(super) fn is_changed(read: &LogState, now: &LogState) -> bool {
    let usable =
        |state: &LogState, pack| state.packs.contains_key(pack) && !state.condemned.contains_key(pack);
    read.packs.keys().any(|pack| usable(read, pack) && !usable(now, pack))
}

/// Whether an entry since `read` uses the pack.
pub(super) fn is_used_since(read: &LogState, now: &LogState, pack: &PackId) -> bool {
    // (A mutant of the explorer leaves this out.)
    now.used.get(pack).is_some_and(|used| *used > read.number) && !mutants::is_on(Mutant::UsedSinceIgnored)
}

/// Whether others have taken away a file that whoever reads in an old state of the log may need: a condemned pack, too, whose
/// directory the index reads.
pub(super) fn is_overtaken(repo: &Repository, read: &LogState) -> bool {
    let is_gone = |now: &LogState| {
        read.packs.keys().any(|pack| !now.packs.contains_key(pack))
            || read.segments.iter().any(|segment| !now.segments.contains(segment))
    };
    repo.refresh().is_ok_and(|now| is_changed(read, &now) || is_gone(&now))
}

pub(super) fn overtaken() -> OpsError {
    RepoError::Overtaken.into()
}
