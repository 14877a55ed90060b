//! `undelete`: bring forgotten commits back, as long as gc has not removed what they need.
//!
//! What lies in packs that are condemned is copied into new ones: nothing may use a condemned pack.

use std::collections::HashSet;

use crate::format::commit::Commit;
use crate::format::log::CommitRecord;
use crate::id::{CommitId, PackId};
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::gc::{Copies, Marker, Marks};
use super::races::{begin_anew, is_overtaken, overtaken, pinned};
use super::rewrite::{self, Job, Keep, Rewritten};

/// A forgotten commit that can still be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// Its id.
    pub id: CommitId,
    /// What it is. That its files are all there is not said by this.
    pub commit: Commit,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UndeleteOutcome {
    /// Commits that came back.
    pub restored: Vec<CommitId>,
    /// Commits that were live.
    pub live: Vec<CommitId>,
    /// Packs that were written because what they hold was condemned.
    pub packs_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
}

/// Forgotten commits that can still be read, the newest first.
///
/// # Errors
/// When the log cannot be read.
pub fn forgotten(repo: &Repository) -> Result<Vec<Forgotten>, OpsError> {
    let state = repo.refresh()?;
    let is_gone = |id: &&CommitId| !state.is_live(id);
    let mut found: Vec<Forgotten> = state
        .parents
        .keys()
        .filter(is_gone)
        .filter_map(|id| Some(Forgotten { id: *id, commit: repo.version(*id).ok()?.commit }))
        .collect();
    found.sort_by_key(|forgotten| std::cmp::Reverse((forgotten.commit.time, forgotten.id)));
    Ok(found)
}

/// Makes forgotten commits live again. Refs stay as they are. `threads` copy what has to be copied; 0: one for each core.
///
/// # Errors
/// When anything that a commit needs is gone or cannot be read: none comes back then. [`RepoError::NoRevision`] for a commit that
/// never was; [`OpsError::Cancelled`].
pub fn undelete(
    repo: &Repository,
    commits: &[CommitId],
    threads: usize,
    observer: &dyn Observer,
) -> Result<UndeleteOutcome, OpsError> {
    begin_anew(|| undelete_once(repo, commits, threads, observer))
}

fn undelete_once(
    repo: &Repository,
    commits: &[CommitId],
    threads: usize,
    observer: &dyn Observer,
) -> Result<UndeleteOutcome, OpsError> {
    let state = repo.refresh()?;
    let stranger = commits.iter().find(|id| !state.parents.contains_key(*id));
    if let Some(id) = stranger {
        let why = "no commit of this id ever was here".to_owned();
        return Err(RepoError::NoRevision { spec: id.to_hex(), why }.into());
    }
    let (live, restored): (Vec<_>, Vec<_>) = commits.iter().partition(|id| state.is_live(id));
    let mut outcome = UndeleteOutcome { restored, live, ..UndeleteOutcome::default() };
    outcome.restored.sort_unstable();
    outcome.restored.dedup();
    if outcome.restored.is_empty() {
        return Ok(outcome);
    }
    observer.phase(Phase::Mark, None, None);
    let undone = |error| if is_overtaken(repo, &state) { overtaken() } else { error };
    let (uses, rewritten) = copy(repo, &state, (&outcome.restored, threads), observer).map_err(undone)?;
    (outcome.packs_written, outcome.bytes_written) = (rewritten.counts.packs, rewritten.counts.bytes);
    observer.phase(Phase::Finish, None, None);
    publish(repo, &outcome.restored, &uses, &rewritten)?;
    Ok(outcome)
}

/// Copies out of condemned packs what the commits need; returns which others they need, too.
fn copy(
    repo: &Repository,
    state: &LogState,
    (commits, threads): (&[CommitId], usize),
    observer: &dyn Observer,
) -> Result<(Vec<PackId>, Rewritten), OpsError> {
    let chunks = pinned(repo, state);
    let mut marker = Marker::new((&chunks, Copies::All), observer);
    for commit in commits {
        marker.commit(*commit)?;
    }
    marker.settle()?;
    let marks: Marks = marker.into_marks();
    let mut packs: Vec<PackId> = marks.packs().copied().collect();
    packs.sort_unstable();
    let (condemned, uses): (Vec<_>, Vec<_>) =
        packs.into_iter().partition(|pack| state.condemned.contains_key(pack));
    if condemned.is_empty() {
        return Ok((uses, Rewritten::default()));
    }
    let bytes = condemned.iter().map(|pack| state.packs[pack].len).sum();
    let keep = Keep::Marked(&marks);
    let job = Job { packs: &condemned, bytes, chunks: &chunks, keep, threads, dry_run: false };
    Ok((uses, rewrite::run(repo, job, observer)?))
}

fn publish(
    repo: &Repository,
    commits: &[CommitId],
    uses: &[PackId],
    rewritten: &Rewritten,
) -> Result<(), OpsError> {
    rewritten.publish(repo, &mut |now| {
        let gone: HashSet<&CommitId> = commits.iter().filter(|id| !now.is_live(id)).collect();
        let record = |id: &CommitId| CommitRecord {
            id: *id,
            parents: now.parents.get(id).cloned().unwrap_or_default(),
        };
        Ok(Draft {
            uses: uses.to_vec(),
            commits: commits.iter().filter(|id| gone.contains(id)).map(record).collect(),
            message: "undelete".to_owned(),
            ..Draft::default()
        })
    })
}
