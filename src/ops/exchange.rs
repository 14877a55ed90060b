//! Exchanging packs for new ones that hold just the same.
//!
//! What packs hold is copied as it is, and what was written is read back. One entry of the log adds the new packs and condemns the old
//! ones, a second one removes these, and their files are deleted. A commit that has begun to use an old pack meanwhile finds
//! all of it in the new one: so there is nothing to wait for.

use crate::cas::{SealedPack, Vault};
use crate::format::log::PackRecord;
use crate::id::PackId;
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::races::{is_overtaken, overtaken, pinned};
use super::rewrite::{self, Counts, Job, Keep, Rewritten};
use super::sweep::{self, Due};

/// What is exchanged.
pub(super) struct Exchange<'a> {
    /// The packs.
    pub(super) packs: &'a [PackRecord],
    /// Leave out what cannot be read.
    pub(super) salvage: bool,
    /// Threads that copy; 0: one for each core.
    pub(super) threads: usize,
    /// What the entries of the log say.
    pub(super) message: &'static str,
}

/// Copies what packs hold into new ones, which take their place. After a failure before that nothing has changed.
pub(super) fn exchange(
    repo: &Repository,
    state: &LogState,
    what: Exchange<'_>,
    observer: &dyn Observer,
) -> Result<Counts, OpsError> {
    let Exchange { packs, salvage, threads, message } = what;
    let ids: Vec<PackId> = packs.iter().map(|pack| pack.uid).collect();
    let bytes = packs.iter().map(|pack| pack.len).sum();
    let chunks = pinned(repo, state);
    let keep = Keep::Whole { salvage };
    let job = Job { packs: &ids, bytes, chunks: &chunks, keep, threads, dry_run: false };
    let undone = |error| if is_overtaken(repo, state) { overtaken() } else { error };
    let rewritten = rewrite::run(repo, job, observer).map_err(undone)?;
    observer.phase(Phase::Finish, None, None);
    let verified = verify(repo.chunks().vault(), &rewritten);
    if let Err(error) = verified {
        let undone = if is_swept(repo, &rewritten) { overtaken() } else { error };
        rewritten.discard(repo);
        return Err(undone);
    }
    publish(repo, &ids, &rewritten, message)?;
    sweep::sweep(repo, &Due::after(repo, u64::MAX).and(ids), message)?;
    Ok(rewritten.counts)
}

/// Whether a gc has taken the new packs for those of a writer that died, and removed them.
fn is_swept(repo: &Repository, rewritten: &Rewritten) -> bool {
    let is_removed =
        |now: &LogState| rewritten.packs.iter().any(|pack| now.removed_packs.contains(&pack.uid));
    repo.refresh().is_ok_and(|now| is_removed(&now))
}

/// Reads what was written, before anything is given up for it.
fn verify(vault: &Vault, rewritten: &Rewritten) -> Result<(), OpsError> {
    let failed = OpsError::cas("verify what was written");
    for record in &rewritten.packs {
        let mut faults = Vec::new();
        let sealed = SealedPack::open(vault.store(), record, &mut faults).map_err(&failed)?;
        match faults.pop() {
            Some(fault) => return Err(failed(fault)),
            None => sealed.finish(&|_| {}).map_err(&failed)?,
        }
    }
    Ok(())
}

/// Adds the new packs and condemns the old ones. What these hold the new ones hold just so: a commit that has begun to use an old
/// one meanwhile finds it there.
fn publish(
    repo: &Repository,
    packs: &[PackId],
    rewritten: &Rewritten,
    message: &str,
) -> Result<(), OpsError> {
    rewritten.publish(repo, &mut |now| {
        let is_gone = |pack: &PackId| !now.packs.contains_key(pack) || now.condemned.contains_key(pack);
        if packs.iter().any(is_gone) {
            return Err(RepoError::Overtaken);
        }
        Ok(Draft { packs_condemned: packs.to_vec(), message: message.to_owned(), ..Draft::default() })
    })
}
