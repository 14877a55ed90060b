//! `fetch` and `clone`: commits come from another repository.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};

use crate::id::CommitId;
use crate::observe::Observer;
use crate::repo::{LogState, RefMove, Repository, check_ref_name};
use crate::sync::VerificationMode;

use super::super::OpsError;
use super::super::descent::Descent;
use super::refspec::no_revision;
use super::{Carried, Job, Plan, carry};

/// Which tags come along.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FetchTags {
    /// Those that are new, on commits that come or are there.
    #[default]
    New,
    /// All; one that stands elsewhere here is told and left.
    All,
    /// None.
    No,
}

/// What to fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchRequest {
    /// Name of the remote: its branch `main` is remembered as `remotes/NAME/main`.
    pub remote: String,
    /// Only these branches; empty: all.
    pub branches: Vec<String>,
    /// Which tags come along.
    pub tags: FetchTags,
    /// Forget branches that are no longer there.
    pub prune: bool,
    /// Find out what would be done, and do nothing.
    pub dry_run: bool,
    /// Packs in memory at once; 0: as many as are good in most cases.
    pub in_flight: usize,
    /// How packs are verified on their way.
    pub verification: VerificationMode,
}

/// What became of a ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchNews {
    /// It is new.
    Created,
    /// It went forward.
    Forwarded,
    /// It went elsewhere.
    Forced,
    /// It stands there already.
    Same,
    /// It is no longer there, and was forgotten.
    Pruned,
    /// It is a tag that stands elsewhere here, and was left.
    TagExists,
    /// No branch or tag can have this name here.
    BadName,
}

/// A ref of the source, and what became of it here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedRef {
    /// Full name at the source.
    pub name: String,
    /// Full name here.
    pub local: String,
    /// Where it stood here.
    pub old: Option<CommitId>,
    /// Where it stands at the source.
    pub new: Option<CommitId>,
    /// What became of it.
    pub news: FetchNews,
}

impl FetchNews {
    fn moves(self) -> bool {
        matches!(self, Self::Created | Self::Forwarded | Self::Forced | Self::Pruned)
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FetchOutcome {
    /// What became of each ref.
    pub refs: Vec<FetchedRef>,
    /// What was carried.
    pub carried: Carried,
}

/// Brings the commits of `remote`, a repository of the same family, to `local`, and remembers where its branches stand. Branches of
/// `local` stay where they are. Commits that were forgotten in `local` stay so, unless a ref that comes stands on them.
///
/// # Errors
/// As [`push`](super::push::push) does; [`RepoError::NoRevision`](crate::repo::RepoError::NoRevision) for a branch that is not
/// there.
pub fn fetch(
    local: &Repository,
    remote: &Repository,
    request: &FetchRequest,
    observer: &dyn Observer,
) -> Result<FetchOutcome, OpsError> {
    let decided = RefCell::new(Vec::new());
    let plan = |theirs: &LogState, ours: &LogState| {
        let refs = decide(theirs, ours, request)?;
        let plan = plan_of(&refs);
        decided.replace(refs);
        Ok(plan)
    };
    let message = format!("fetch: {}", request.remote);
    let FetchRequest { dry_run, in_flight, verification, .. } = *request;
    let job = Job { dry_run, in_flight, verification, ..Job::taking(&plan, &message) };
    let carried = carry(remote, local, &job, observer)?;
    Ok(FetchOutcome { refs: decided.take(), carried })
}

/// Brings all live commits and tags of `from` to `to`, a repository that was made with its keys and is empty. Its branches become
/// branches of `to` or, where `remote` names one, are remembered as those of this remote. Packs are verified on their way as
/// `verification` says.
///
/// # Errors
/// As [`push`](super::push::push) does.
pub fn copy_all(
    from: &Repository,
    to: &Repository,
    (remote, verification): (Option<&str>, VerificationMode),
    observer: &dyn Observer,
) -> Result<FetchOutcome, OpsError> {
    let decided = RefCell::new(Vec::new());
    let plan = |theirs: &LogState, ours: &LogState| {
        let names = theirs.refs.iter().filter_map(|(name, id)| {
            let local = match (name.strip_prefix("heads/"), remote) {
                (Some(branch), Some(remote)) => format!("remotes/{remote}/{branch}"),
                (Some(_), None) => name.clone(),
                (None, _) => name.strip_prefix("tags/").map(|_| name.clone())?,
            };
            Some((name, local, *id))
        });
        let refs: Vec<FetchedRef> =
            names.map(|(name, local, id)| one(name, local, id, (theirs, ours), true)).collect();
        let plan = Plan { tips: theirs.commits.clone(), ..plan_of(&refs) };
        decided.replace(refs);
        Ok(plan)
    };
    let message = format!("clone: from {}", from.location());
    let job = Job { verification, ..Job::taking(&plan, &message) };
    let carried = carry(from, to, &job, observer)?;
    Ok(FetchOutcome { refs: decided.take(), carried })
}

fn plan_of(refs: &[FetchedRef]) -> Plan {
    let moved = refs.iter().filter(|of| of.news.moves());
    Plan {
        tips: moved.clone().filter_map(|of| of.new).collect(),
        moves: moved.map(|of| RefMove { name: of.local.clone(), old: of.old, new: of.new }).collect(),
    }
}

fn decide(theirs: &LogState, ours: &LogState, request: &FetchRequest) -> Result<Vec<FetchedRef>, OpsError> {
    let branches = branches(theirs, request)?;
    let local = |branch: &str| format!("remotes/{}/{branch}", request.remote);
    let states = (theirs, ours);
    let mut refs: Vec<FetchedRef> = branches
        .iter()
        .map(|(branch, id)| one(&format!("heads/{branch}"), local(branch), *id, states, true))
        .collect();
    let reached = descended(theirs, branches.values().copied());
    let tags = theirs.refs.iter().filter(|(name, _)| name.starts_with("tags/"));
    for (name, id) in tags.filter(|_| request.tags != FetchTags::No) {
        let of = one(name, name.clone(), *id, states, false);
        let is_near = reached.contains(id) || ours.is_live(id);
        if request.tags == FetchTags::All || of.news == FetchNews::Created && is_near {
            refs.push(of);
        }
    }
    if request.prune {
        let prefix = local("");
        let gone = ours.refs.iter().filter_map(|(name, id)| {
            let at_source = format!("heads/{}", name.strip_prefix(&prefix)?);
            (!theirs.refs.contains_key(&at_source)).then(|| FetchedRef {
                name: at_source,
                local: name.clone(),
                old: Some(*id),
                new: None,
                news: FetchNews::Pruned,
            })
        });
        refs.extend(gone);
    }
    Ok(refs)
}

/// The branches that are wanted, and where they stand.
fn branches(theirs: &LogState, request: &FetchRequest) -> Result<BTreeMap<String, CommitId>, OpsError> {
    let all =
        theirs.refs.iter().filter_map(|(name, id)| Some((name.strip_prefix("heads/")?.to_owned(), *id)));
    if request.branches.is_empty() {
        return Ok(all.collect());
    }
    let found = request.branches.iter().map(|branch| {
        let at = theirs.refs.get(&format!("heads/{branch}")).copied();
        let at = at.ok_or_else(|| no_revision(branch, "the remote has no such branch"))?;
        Ok((branch.clone(), at))
    });
    found.collect()
}

fn descended(state: &LogState, from: impl Iterator<Item = CommitId>) -> HashSet<CommitId> {
    let (mut seen, mut open): (HashSet<CommitId>, Vec<CommitId>) = (HashSet::new(), from.collect());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(state.parents.get(&id).into_iter().flatten());
        }
    }
    seen
}

/// What becomes of one ref; `may_move`: also if it stands elsewhere.
fn one(
    name: &str,
    local: String,
    id: CommitId,
    (theirs, ours): (&LogState, &LogState),
    may_move: bool,
) -> FetchedRef {
    let old = ours.refs.get(&local).copied();
    let short = super::refspec::short_name(name);
    let news = match old {
        _ if check_ref_name(short).is_err() => FetchNews::BadName,
        Some(old) if old == id => FetchNews::Same,
        None => FetchNews::Created,
        Some(_) if !may_move => FetchNews::TagExists,
        Some(old) if Descent::with_log(ours, theirs).is_before(old, id) => FetchNews::Forwarded,
        Some(_) => FetchNews::Forced,
    };
    FetchedRef { name: name.to_owned(), local, old, new: Some(id), news }
}
