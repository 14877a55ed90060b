//! `bundle create`.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::crypto;
use crate::format::bundle::BundlePublic;
use crate::id::{BundleId, CommitId};
use crate::limits::BUNDLE_MANIFEST_LEN_MAX;
use crate::observe::{Observer, Phase};
use crate::repo::{BundleDraft, LogState, RepoError, Repository};
use crate::store::Vfs;

use super::super::OpsError;
use super::super::races::{begin_anew, is_overtaken, overtaken, pinned};
use super::super::rewrite::{self, Job, Keep};
use super::content::{Content, Lineage};
use super::output::{Output, check_free};

/// What to bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleRequest {
    /// These commits, and all that they descend from.
    pub tips: Vec<CommitId>,
    /// But not these, nor what they descend from: the receiver has them. What they hold is left out.
    pub excluded: Vec<CommitId>,
    /// What it is for: only holders of the keys read it.
    pub message: String,
    /// Replace a file that is there.
    pub overwrite: bool,
    /// Threads that copy; 0: one for each core.
    pub threads: usize,
}

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BundleOutcome {
    /// Its commits.
    pub commits: u64,
    /// Commits that the receiver must have.
    pub prerequisites: Vec<CommitId>,
    /// Full names of branches and tags in it, and where they stand.
    pub refs: Vec<(String, CommitId)>,
    /// Its objects.
    pub objects: u64,
    /// Its packs.
    pub packs: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Writes a bundle to the file `to`, which appears when it is whole. Nothing is written to the repository.
///
/// Branches and tags that stand on a commit in it come along. Memory: what reading packs takes, and a bit for each object.
///
/// # Errors
/// [`OpsError::Refused`] when there is no such commit to bundle, or something stands at `to`; when anything that it needs cannot be
/// read, or the file cannot be written; [`OpsError::Cancelled`].
pub fn create_bundle(
    repo: &Repository,
    request: &BundleRequest,
    (to, vfs): (&Path, &dyn Vfs),
    observer: &dyn Observer,
) -> Result<BundleOutcome, OpsError> {
    check_free(vfs, to, request.overwrite)?;
    begin_anew(|| {
        let state = repo.refresh()?;
        let undone = |error| if is_overtaken(repo, &state) { overtaken() } else { error };
        create_once(repo, &state, request, (to, vfs), observer).map_err(undone)
    })
}

fn create_once(
    repo: &Repository,
    state: &LogState,
    request: &BundleRequest,
    (to, vfs): (&Path, &dyn Vfs),
    observer: &dyn Observer,
) -> Result<BundleOutcome, OpsError> {
    let mut draft = draft(state, request)?;
    observer.phase(Phase::Mark, None, None);
    let chunks = pinned(repo, state);
    let carried = (&draft.commits[..], &draft.prerequisites[..]);
    let content = Content::new(state, &chunks, carried, observer)?;
    draft.packs_offset = room(repo, &draft, content.packs_max)?;
    let output = Mutex::new(Output::new(vfs, to, draft.packs_offset)?);
    let emit = |pack| output.lock().expect("no panic while locked").pack(&pack);
    let Content { marks, packs, bytes, .. } = &content;
    let (keep, threads) = (Keep::Marked(marks), request.threads);
    let job = Job { packs, bytes: *bytes, chunks: &chunks, keep, threads, dry_run: false };
    rewrite::copy_to(repo, job, &Arc::clone(repo.chunks().vault()), emit, observer)?;
    observer.phase(Phase::Finish, None, None);
    let output = output.into_inner().expect("no panic while locked");
    draft.packs = output.packs.clone();
    let mut outcome = outcome_of(&draft, content.marks.objects());
    let manifest = repo.seal_bundle(draft)?;
    if observer.cancelled() {
        return Err(OpsError::Cancelled);
    }
    outcome.bytes = output.finish(vfs, &manifest, request.overwrite)?;
    Ok(outcome)
}

/// What the bundle shall say, but for its packs.
fn draft(state: &LogState, request: &BundleRequest) -> Result<BundleDraft, OpsError> {
    let Lineage { commits, forgotten, refs } = Lineage::new(state, &request.tips, &request.excluded);
    if commits.is_empty() {
        let why = "there is nothing to bundle: all of these commits are left out".to_owned();
        return Err(OpsError::Refused { why });
    }
    let mut prerequisites = request.excluded.clone();
    prerequisites.sort_unstable();
    prerequisites.dedup();
    let failed = |source| RepoError::Crypto { what: "cannot name the bundle".to_owned(), source };
    Ok(BundleDraft {
        uid: BundleId::new(crypto::random().map_err(failed)?),
        packs_offset: BUNDLE_MANIFEST_LEN_MAX as u64,
        packs: Vec::new(),
        commits,
        forgotten,
        prerequisites,
        refs,
        message: request.message.clone(),
    })
}

/// Bytes to leave for the manifest in front, when at most so many packs are to come.
fn room(repo: &Repository, draft: &BundleDraft, packs: u64) -> Result<u64, OpsError> {
    // The count of packs takes at most ten bytes.
    let of_packs = 10 + packs * BundlePublic::PACK_RECORD_LEN as u64;
    let room = repo.seal_bundle(draft.clone())?.len() as u64 + of_packs;
    if room <= BUNDLE_MANIFEST_LEN_MAX as u64 {
        return Ok(room);
    }
    let why = "one bundle cannot say so much: make several, each with a part of the commits".to_owned();
    Err(OpsError::Refused { why })
}

fn outcome_of(draft: &BundleDraft, objects: u64) -> BundleOutcome {
    BundleOutcome {
        commits: draft.commits.len() as u64,
        prerequisites: draft.prerequisites.clone(),
        refs: draft.refs.clone(),
        objects,
        packs: draft.packs.len() as u64,
        bytes: 0,
    }
}
