//! `push`: commits go to another repository, and its refs move, all of them or none.

use std::cell::RefCell;

use crate::id::CommitId;
use crate::observe::Observer;
use crate::repo::{Draft, LogState, RefMove, Repository, check_ref_name};

use super::super::OpsError;
use super::super::descent::Descent;
use super::refspec::RefUpdate;
use super::{Carried, Job, Plan, carry, import};

/// What to push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushRequest {
    /// Refs of the receiver, and what becomes of them.
    pub updates: Vec<RefUpdate>,
    /// Full name of the branch that a working directory at the receiver is on: it is left where it stands.
    pub checked_out: Option<String>,
    /// Name of the remote: where its branches stand is remembered under it.
    pub remote: Option<String>,
    /// Find out what would be done, and do nothing.
    pub dry_run: bool,
    /// Packs in memory at once; 0: as many as are good in most cases.
    pub in_flight: usize,
    /// Keep a challenge for each pack that is sent: by it an audit can tell whether all of the pack is still there.
    pub challenges: bool,
}

/// What became of a ref, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PushNews {
    /// It is new.
    Created,
    /// It went forward.
    Forwarded,
    /// It was moved to where it does not go forward.
    Forced,
    /// It stands there already.
    Same,
    /// It was deleted.
    Deleted,
    /// Refused: it stands on a commit that the pushed one does not descend from.
    NonFastForward,
    /// Refused: it stands on a commit that is not known here.
    FetchFirst,
    /// Refused: it is a tag, and stands elsewhere.
    TagExists,
    /// Refused: it does not stand where it was said to.
    Stale,
    /// Refused: a working directory is on it.
    CheckedOut,
    /// Refused: there is none to delete.
    Missing,
    /// Refused: no branch or tag can have this name.
    BadName,
}

impl PushNews {
    /// Whether it was left where it stood, though it should move.
    pub fn is_refused(self) -> bool {
        matches!(
            self,
            Self::NonFastForward
                | Self::FetchFirst
                | Self::TagExists
                | Self::Stale
                | Self::CheckedOut
                | Self::Missing
                | Self::BadName
        )
    }

    /// Whether it moves.
    pub fn moves(self) -> bool {
        !self.is_refused() && self != Self::Same
    }
}

/// A ref of the receiver, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedRef {
    /// What was pushed, as people name it; empty where a ref is deleted.
    pub from: String,
    /// Full name at the receiver.
    pub name: String,
    /// Where it stood.
    pub old: Option<CommitId>,
    /// Where it should stand.
    pub new: Option<CommitId>,
    /// What became of it.
    pub news: PushNews,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PushOutcome {
    /// What became of each ref.
    pub refs: Vec<PushedRef>,
    /// One was refused, and therefore nothing was done.
    pub is_refused: bool,
    /// What was carried.
    pub carried: Carried,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// Carries commits from `local` to `remote`, and moves its refs in one entry of its log: all of them, or none if one may not move. Where
/// nothing is new, nothing is written.
///
/// To a repository of the same family packs go as they are. In one with other keys the commits are made anew, under other ids, and
/// carry the originals with their signatures; the outcome says all in ids of `local`.
///
/// Any number of others may push to it and collect garbage in either meanwhile. A push that was stopped goes on where it was.
///
/// # Errors
/// When a commit is not live; when either store fails or a pack that is
/// needed is missing or damaged beyond healing, which the error names; [`OpsError::Cancelled`]. The receiver's history is then as it
/// was.
pub fn push(
    local: &Repository,
    remote: &Repository,
    request: &PushRequest,
    observer: &dyn Observer,
) -> Result<PushOutcome, OpsError> {
    let outcome = match local.family() == remote.family() {
        true => carry_to(local, remote, request, observer)?,
        false => import::push(local, remote, request, observer)?,
    };
    let name = request.remote.as_ref();
    if let Some(name) = name.filter(|_| !outcome.is_refused && !request.dry_run) {
        remember(local, name, &outcome.refs)?;
    }
    Ok(outcome)
}

fn carry_to(
    local: &Repository,
    remote: &Repository,
    request: &PushRequest,
    observer: &dyn Observer,
) -> Result<PushOutcome, OpsError> {
    let decided = RefCell::new(Vec::new());
    let plan = |theirs: &LogState, ours: &LogState| {
        let refs = decide(theirs, ours, request, &|id| id);
        let plan = Plan { tips: tips(&refs), moves: moves(&refs) };
        let is_refused = refs.iter().any(|of| of.news.is_refused());
        decided.replace(refs);
        match is_refused {
            true => Err(OpsError::Refused { why: "a ref may not move".to_owned() }),
            false => Ok(plan),
        }
    };
    let message = format!("push: from {}", local.client().who);
    let PushRequest { dry_run, in_flight, challenges, .. } = *request;
    let job = Job { dry_run, in_flight, challenges, takes_garbage: false, ..Job::taking(&plan, &message) };
    let done = carry(local, remote, &job, observer);
    let refs = decided.take();
    let is_refused = refs.iter().any(|of| of.news.is_refused());
    let carried = match done {
        Err(OpsError::Refused { .. }) if is_refused => Carried::default(),
        done => done?,
    };
    Ok(PushOutcome { refs, is_refused, carried, dry_run: request.dry_run })
}

pub(super) fn tips(refs: &[PushedRef]) -> Vec<CommitId> {
    refs.iter().filter(|of| of.news.moves()).filter_map(|of| of.new).collect()
}

fn moves(refs: &[PushedRef]) -> Vec<RefMove> {
    let moved = refs.iter().filter(|of| of.news.moves());
    moved.map(|of| RefMove { name: of.name.clone(), old: of.old, new: of.new }).collect()
}

/// What becomes of the refs; `source` tells which commit of the source one of the receiver is.
pub(super) fn decide(
    theirs: &LogState,
    ours: &LogState,
    request: &PushRequest,
    source: &dyn Fn(CommitId) -> CommitId,
) -> Vec<PushedRef> {
    let descent = Descent::with_log(ours, theirs);
    let one = |update: &RefUpdate| {
        let old = ours.refs.get(&update.name).copied().map(source);
        let news = match is_legal(&update.name) {
            false => PushNews::BadName,
            true => news(update, old, (&descent, theirs), request.checked_out.as_deref()),
        };
        let RefUpdate { from, name, new, .. } = update.clone();
        PushedRef { from, name, old, new, news }
    };
    request.updates.iter().map(one).collect()
}

fn is_legal(name: &str) -> bool {
    let short = name.strip_prefix("heads/").or_else(|| name.strip_prefix("tags/"));
    short.is_some_and(|short| check_ref_name(short).is_ok())
}

fn news(
    update: &RefUpdate,
    old: Option<CommitId>,
    (descent, theirs): (&Descent<'_>, &LogState),
    checked_out: Option<&str>,
) -> PushNews {
    if update.expected.is_some_and(|expected| expected != old) {
        return PushNews::Stale;
    }
    let is_free = update.force || update.expected.is_some();
    match (old, update.new) {
        (old, new) if old == new && new.is_some() => PushNews::Same,
        (None, None) => PushNews::Missing,
        _ if checked_out == Some(&update.name) => PushNews::CheckedOut,
        (Some(_), None) => PushNews::Deleted,
        (None, Some(_)) => PushNews::Created,
        (Some(_), Some(_)) if update.name.starts_with("tags/") => {
            if is_free {
                PushNews::Forced
            } else {
                PushNews::TagExists
            }
        }
        (Some(old), Some(new)) if descent.is_before(old, new) => PushNews::Forwarded,
        _ if is_free => PushNews::Forced,
        (Some(old), _) if !theirs.parents.contains_key(&old) => PushNews::FetchFirst,
        _ => PushNews::NonFastForward,
    }
}

/// Moves what is remembered of the remote's branches to where they stand now.
fn remember(local: &Repository, remote: &str, refs: &[PushedRef]) -> Result<(), OpsError> {
    let moves = |state: &LogState| -> Vec<RefMove> {
        let branches = refs.iter().filter_map(|of| Some((of.name.strip_prefix("heads/")?, of.new)));
        let moved = branches.filter_map(|(branch, new)| {
            let name = format!("remotes/{remote}/{branch}");
            let old = state.refs.get(&name).copied();
            // What was pushed may have been forgotten here meanwhile.
            let new = new.filter(|new| state.is_live(new));
            (old != new).then_some(RefMove { name, old, new })
        });
        moved.collect()
    };
    if moves(&*local.refresh()?).is_empty() {
        return Ok(());
    }
    local.append(&mut |state| {
        let message = format!("push: to {remote}");
        Ok(Draft { refs: moves(state), message, ..Draft::default() })
    })?;
    Ok(())
}
