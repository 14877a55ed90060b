//! What becomes of the branches and tags of a bundle.

use crate::format::bundle::BundlePublic;
use crate::id::CommitId;
use crate::repo::{LogState, RefMove, check_ref_name};

use super::super::descent::Descent;

/// What became of a branch or tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefNews {
    /// It is new.
    Created,
    /// It went forward to a commit that descends from where it stood.
    Forwarded,
    /// It was moved to a commit that does not descend from where it stood.
    Forced,
    /// It stands there already.
    Same,
    /// It stands on a commit that descends from the bundle's.
    Ahead,
    /// It stands on a commit that neither descends from the bundle's nor is before it, and was left there.
    Diverged,
    /// It is a tag that stands elsewhere, and was left there.
    Elsewhere,
    /// It is checked out in the working directory, and was left there.
    CheckedOut,
    /// The repository does not take its name.
    BadName,
}

impl RefNews {
    /// Whether it was left where it stood, though the bundle has it elsewhere.
    pub fn is_refused(self) -> bool {
        matches!(self, Self::Diverged | Self::Elsewhere | Self::CheckedOut | Self::BadName)
    }

    fn moves(self) -> bool {
        matches!(self, Self::Created | Self::Forwarded | Self::Forced)
    }
}

/// A branch or tag of a bundle, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefOutcome {
    /// Its full name.
    pub name: String,
    /// Where the bundle has it.
    pub commit: CommitId,
    /// Where it stood in the repository.
    pub stood: Option<CommitId>,
    /// What became of it.
    pub news: RefNews,
}

/// How refs may move.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) force: bool,
    /// Full name of the branch that a working directory is on.
    pub(super) checked_out: Option<&'a str>,
}

/// Decides for each ref of a bundle, in one state of the log.
pub(super) fn decide(
    state: &LogState,
    public: &BundlePublic,
    refs: &[(String, CommitId)],
    rules: Rules<'_>,
) -> Vec<RefOutcome> {
    let descent = Descent::with_records(state, public.commits.iter().chain(&public.forgotten));
    let one = |(name, commit): &(String, CommitId)| {
        let stood = state.refs.get(name).copied();
        let news = news(&descent, name, (stood, *commit), rules);
        RefOutcome { name: name.clone(), commit: *commit, stood, news }
    };
    refs.iter().map(one).collect()
}

/// The moves that these decisions come to.
pub(super) fn moves(outcomes: &[RefOutcome]) -> Vec<RefMove> {
    let moved = outcomes.iter().filter(|outcome| outcome.news.moves());
    moved.map(|of| RefMove { name: of.name.clone(), old: of.stood, new: Some(of.commit) }).collect()
}

fn news(
    descent: &Descent<'_>,
    name: &str,
    (stood, commit): (Option<CommitId>, CommitId),
    rules: Rules<'_>,
) -> RefNews {
    let branch = name.strip_prefix("heads/");
    let short = branch.or_else(|| name.strip_prefix("tags/"));
    if short.is_none_or(|short| check_ref_name(short).is_err()) {
        return RefNews::BadName;
    }
    let Some(stood) = stood else { return RefNews::Created };
    let forward = branch.is_some() && descent.is_before(stood, commit);
    match () {
        () if stood == commit => RefNews::Same,
        () if branch.is_some() && descent.is_before(commit, stood) => RefNews::Ahead,
        () if rules.force => {
            if forward {
                RefNews::Forwarded
            } else {
                RefNews::Forced
            }
        }
        () if branch.is_none() => RefNews::Elsewhere,
        () if !forward => RefNews::Diverged,
        () if rules.checked_out == Some(name) => RefNews::CheckedOut,
        () => RefNews::Forwarded,
    }
}
