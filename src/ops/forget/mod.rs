//! `forget`: take commits out of the repository's history.
//!
//! The log alone changes: ids leave the set of live commits, in one entry, and what only they held is garbage from then on,
//! which gc takes away. What others do meanwhile is heeded: the choice is made anew whenever another writer was faster.

mod plan;
#[cfg(test)]
mod tests;

use crate::format::commit::Commit;
use crate::id::CommitId;
use crate::observe::Observer;
use crate::repo::{
    Draft, GroupBy, GroupKey, Head, KeepReason, RefMove, RepoError, Repository, RetentionPolicy,
};

use super::OpsError;
use plan::{Plan, Planner};

/// Which commits to forget: those that are named or, if none is, those that a policy does not keep.
#[derive(Debug, Clone, Default)]
pub struct ForgetRequest {
    /// Forget these. They must be live, or have been.
    pub commits: Vec<CommitId>,
    /// Otherwise: keep what this keeps, in each group.
    pub policy: RetentionPolicy,
    /// What the commits of a group have in common.
    pub group_by: GroupBy,
    /// The policy is about commits of this host alone.
    pub host: Option<String>,
    /// The policy is about commits with all these tags alone.
    pub tags: Vec<String>,
    /// The policy is about commits that were made of all these paths alone.
    pub paths: Vec<Vec<u8>>,
    /// Where the working directory stands: a commit under a detached HEAD stays.
    pub head: Option<Head>,
    /// Forget also commits on which branches stand: these go back to the nearest commit before that is left, or are deleted.
    pub force: bool,
    /// Let a policy forget all commits of a group.
    pub allow_all: bool,
    /// Choose, and change nothing.
    pub dry_run: bool,
}

/// A commit that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The commit.
    pub id: CommitId,
    /// Its content; `None` if it was named and cannot be read, which does not keep it from being forgotten.
    pub commit: Option<Commit>,
    /// Why it is kept; empty if it is forgotten.
    pub reasons: Vec<KeepReason>,
}

/// The commits of a group, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgetGroup {
    /// What they have in common; nothing if they were named.
    pub key: GroupKey,
    /// Those that are kept.
    pub kept: Vec<Judged>,
    /// Those that are forgotten.
    pub forgotten: Vec<Judged>,
}

/// What was forgotten or, in a dry run, would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForgetOutcome {
    /// All commits that were judged, in groups.
    pub groups: Vec<ForgetGroup>,
    /// The forgotten ones, in no order.
    pub forgotten: Vec<CommitId>,
    /// Branches that had to move back or to go.
    pub moved: Vec<RefMove>,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// Forgets commits: they are no longer part of history. Their bytes stay in the repository until gc takes them away.
///
/// Kept in any case: commits that a tag names, those on which branches of remotes stand, and the one that a detached HEAD stands on; without `force` also those on
/// which branches stand; and the parents of commits that others make meanwhile. Commits that others have forgotten
/// meanwhile are no error.
///
/// # Errors
/// [`OpsError::Refused`] when nothing says what to keep, when a policy would forget all commits of a group, and when a named
/// commit must stay; [`OpsError::Usage`] for names together with a policy; when a commit that a policy must judge cannot be
/// read, the observer cancels, or the repository fails. Nothing is forgotten then.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::ops::{ForgetRequest, OpsError, forget};
/// use warp::repo::{Quota, RetentionPolicy};
///
/// # fn main() -> Result<(), OpsError> {
/// # let (repo, _state) = repository();
/// let first = commit_notes(&repo, "buy milk");
/// let second = commit_notes(&repo, "buy bread");
/// let policy = RetentionPolicy { last: Some(Quota::Newest(1)), ..RetentionPolicy::default() };
/// let done = forget(&repo, &ForgetRequest { policy, ..ForgetRequest::default() }, &Silent)?;
/// assert_eq!(done.forgotten, [first]);
/// assert_eq!(repo.timeline().commits(), [second]);
/// # Ok(())
/// # }
/// ```
pub fn forget(
    repo: &Repository,
    request: &ForgetRequest,
    observer: &dyn Observer,
) -> Result<ForgetOutcome, OpsError> {
    check(request)?;
    let state = repo.refresh()?;
    let mut planner = Planner::new(repo, request, &state, observer)?;
    let mut plan = planner.plan(&state)?;
    if observer.cancelled() {
        return Err(OpsError::Cancelled);
    }
    if !request.dry_run && !plan.forgotten.is_empty() {
        plan = publish(repo, planner, plan)?;
    }
    Ok(ForgetOutcome {
        groups: plan.groups,
        forgotten: plan.forgotten,
        moved: plan.moves,
        dry_run: request.dry_run,
    })
}

/// What can be said about a request without looking at any commit.
fn check(request: &ForgetRequest) -> Result<(), OpsError> {
    let filtered = request.host.is_some() || !request.tags.is_empty() || !request.paths.is_empty();
    match (request.commits.is_empty(), request.policy.is_empty()) {
        (false, true) | (true, false) => Ok(()),
        (false, false) => Err(OpsError::Usage {
            why: "name commits to forget, or say with a policy which ones to keep, not both".to_owned(),
        }),
        (true, true) if request.allow_all && filtered => Ok(()),
        (true, true) if request.allow_all => Err(OpsError::Usage {
            why: "all commits of all hosts would be forgotten: say of which host, path or tag".to_owned(),
        }),
        (true, true) => Err(OpsError::Refused {
            why: "without a rule that says what to keep, everything would be forgotten".to_owned(),
        }),
    }
}

/// Appends the entry that forgets, planning anew after every lost race; returns the plan that was carried out.
fn publish(repo: &Repository, mut planner: Planner<'_>, first: Plan) -> Result<Plan, OpsError> {
    let mut plan = first;
    // What ends the attempt: an error, or a plan with nothing left to do.
    let mut stopped = None;
    let appended = repo.append(&mut |state| {
        if state.number != plan.number {
            match planner.plan(state) {
                Ok(again) => plan = again,
                Err(error) => {
                    stopped = Some(error);
                    return Err(RepoError::Overtaken);
                }
            }
        }
        if plan.forgotten.is_empty() { Err(RepoError::Overtaken) } else { Ok(draft(&plan)) }
    });
    match (appended, stopped) {
        (Err(_), Some(error)) => Err(error),
        (Err(RepoError::Overtaken), None) if plan.forgotten.is_empty() => Ok(plan),
        (Err(error), None) => Err(error.into()),
        (Ok(_), _) => Ok(plan),
    }
}

fn draft(plan: &Plan) -> Draft {
    let message = match plan.forgotten.len() {
        1 => "forget: 1 commit".to_owned(),
        more => format!("forget: {more} commits"),
    };
    Draft { forgotten: plan.forgotten.clone(), refs: plan.moves.clone(), message, ..Draft::default() }
}
