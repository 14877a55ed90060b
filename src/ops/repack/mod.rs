//! `repack`: store anew what is stored already, in fewer packs and with better bases.
//!
//! What packs hold is written into new packs; one entry of the log adds these and condemns the old ones, a second one removes
//! the old ones, and then their files are deleted. The first entry is the point at which the new packs count. A commit that used
//! an old pack is in one of two places: before that entry, then the pack is not condemned; or behind it, then the commit is
//! refused and begins anew. Whatever is left when a repack dies, the next one takes away.

mod plan;

use crate::id::PackId;
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::commit::DeltaCounts;
use super::races::{is_changed, is_overtaken, is_used_since, overtaken};
use super::rewrite::{self, Job, Keep, Rewritten};
use super::sweep::{self, Due};
use plan::Plan;

/// What to store anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RepackRequest {
    /// Everything, not only what small packs hold.
    pub aggressive: bool,
    /// Tell what would be gained, and write nothing.
    pub dry_run: bool,
    /// For so many seconds packs that gc has condemned are left alone. Those that take no part in anything any more because
    /// they were rewritten go at once.
    pub grace: u64,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RepackOutcome {
    /// Packs that were read.
    pub packs_before: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Packs that were written instead.
    pub packs_after: u64,
    /// Their bytes.
    pub bytes_after: u64,
    /// Objects that are stored as differences from now on, or as smaller ones than before.
    pub deltas: DeltaCounts,
    /// Second copies that were left out.
    pub dropped_copies: u64,
    /// Packs that stay beside the new ones, because a commit began to use them meanwhile.
    pub packs_kept: u64,
    /// Files deleted that an earlier repack had left behind.
    pub left_over_files: u64,
    /// The new packs are worth it, and take the place of the old ones. Otherwise all is as it was.
    pub replaced: bool,
    /// Nothing was written.
    pub dry_run: bool,
}

/// Merges small packs or, if asked, stores everything anew, with each chunk as a difference to one that is like it where that pays.
///
/// Needs room for the new packs beside the old ones. Memory: some hundred MiB, and a few bytes for each base of a difference.
///
/// # Errors
/// When anything that it reads is damaged or the store fails; [`RepoError::Overtaken`]; [`OpsError::Cancelled`]. All commits are
/// then as they were.
pub fn repack(
    repo: &Repository,
    request: RepackRequest,
    observer: &dyn Observer,
) -> Result<RepackOutcome, OpsError> {
    let mut outcome = RepackOutcome { dry_run: request.dry_run, ..RepackOutcome::default() };
    if !request.dry_run && !repo.chunks().vault().store().may_delete() {
        let why = format!("the key of this client lacks the right gc for {}", repo.location());
        return Err(OpsError::Refused { why });
    }
    if !request.dry_run {
        outcome.left_over_files = sweep::sweep(repo, &Due::after(repo, request.grace), "repack")?.files;
    }
    let state = repo.refresh()?;
    let undone = |error| if is_overtaken(repo, &state) { overtaken() } else { error };
    let plan = Plan::new(repo, &state, request.aggressive).map_err(undone)?;
    if plan.packs.is_empty() {
        return Ok(outcome);
    }
    (outcome.packs_before, outcome.bytes_before) = (plan.packs.len() as u64, plan.bytes);
    let Plan { packs, bytes, unsketched, pinned, chunks } = plan;
    let keep = Keep::All { unsketched: &unsketched, pinned, improve: request.aggressive };
    let job = Job { packs: &packs, bytes, chunks: &chunks, keep, threads: 1, dry_run: request.dry_run };
    let rewritten = rewrite::run(repo, job, observer).map_err(undone)?;
    (outcome.packs_after, outcome.bytes_after) = (rewritten.counts.packs, rewritten.counts.bytes);
    (outcome.deltas, outcome.dropped_copies) = (rewritten.counts.deltas, rewritten.counts.dropped);
    outcome.replaced = pays(&outcome);
    if request.dry_run {
        return Ok(outcome);
    }
    observer.phase(Phase::Finish, None, None);
    if !outcome.replaced || observer.cancelled() {
        rewritten.discard(repo);
        return if outcome.replaced { Err(OpsError::Cancelled) } else { Ok(outcome) };
    }
    outcome.packs_kept = publish(repo, &state, &packs, &rewritten)?;
    sweep::sweep(repo, &Due::after(repo, request.grace).and(packs), "repack")?;
    Ok(outcome)
}

/// Whether new packs are worth replacing the old ones: there are fewer, or they save at least one byte in 32.
fn pays(outcome: &RepackOutcome) -> bool {
    outcome.packs_after < outcome.packs_before
        || outcome.bytes_after + outcome.bytes_before / 32 < outcome.bytes_before
}

/// Adds the new packs and condemns the old ones, in one entry; returns how many packs are not condemned, because an entry since
/// `read` uses them: what they hold in full the new packs may hold as a difference.
fn publish(
    repo: &Repository,
    read: &LogState,
    packs: &[PackId],
    rewritten: &Rewritten,
) -> Result<u64, OpsError> {
    let mut kept = 0;
    rewritten.publish(repo, &mut |now| {
        if is_changed(read, now) {
            return Err(RepoError::Overtaken);
        }
        let is_free = |pack: &&PackId| !is_used_since(read, now, pack);
        let condemned: Vec<PackId> = packs.iter().filter(is_free).copied().collect();
        kept = (packs.len() - condemned.len()) as u64;
        if condemned.is_empty() {
            return Err(RepoError::Overtaken);
        }
        Ok(Draft {
            packs_condemned: condemned,
            uses: rewritten.uses.clone(),
            message: "repack".to_owned(),
            ..Draft::default()
        })
    })?;
    Ok(kept)
}
