//! The version timeline: refs and history as of one state of the log.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::format::commit::Commit;
use crate::id::CommitId;

use super::state::{LogState, RefLogEntry};

/// A commit and its id.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::repo::{RepoError, VersionInfo};
///
/// # fn main() -> Result<(), RepoError> {
/// # let (repo, _state) = repository();
/// let id = commit_notes(&repo, "buy milk");
/// let VersionInfo { commit, .. } = repo.version(id)?;
/// assert_eq!(commit.message, "buy milk");
/// assert_eq!((commit.stats.files, commit.stats.bytes), (1, 8));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// The id.
    pub id: CommitId,
    /// What was recorded.
    pub commit: Commit,
}

/// Refs, their movements, and the live commits, as of one entry of the log.
///
/// A snapshot: it does not change when the repository does.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::repo::{RepoError, ResolveContext};
///
/// # fn main() -> Result<(), RepoError> {
/// # let (repo, _state) = repository();
/// let first = commit_notes(&repo, "buy milk");
/// let before = repo.timeline();
/// let second = commit_notes(&repo, "buy bread");
/// repo.tag_create("errands", first, false)?;
///
/// let timeline = repo.timeline();
/// assert_eq!(timeline.branch("main"), Some(second));
/// assert_eq!(timeline.tags(), [("errands".to_owned(), first)]);
/// assert_eq!(timeline.parents(second), [first]);
/// assert_eq!(timeline.reflog("heads/main")[0].old, Some(first));
/// assert_eq!(repo.resolve("main~1", &ResolveContext::default())?, first);
/// assert_eq!(before.branch("main"), Some(first));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct VersionTimeline {
    state: Arc<LogState>,
}

impl VersionTimeline {
    pub(super) fn new(state: Arc<LogState>) -> Self {
        Self { state }
    }

    /// Full names of all refs (`heads/main`, `tags/v1`) and where they stand.
    pub fn refs(&self) -> &BTreeMap<String, CommitId> {
        &self.state.refs
    }

    /// Where the branch stands.
    pub fn branch(&self, name: &str) -> Option<CommitId> {
        self.state.refs.get(&format!("heads/{name}")).copied()
    }

    /// All branches by name.
    pub fn branches(&self) -> Vec<(String, CommitId)> {
        self.with_prefix("heads/")
    }

    /// Branches of remotes, as in `origin/main`, where they stood when they were fetched.
    pub fn remote_branches(&self) -> Vec<(String, CommitId)> {
        self.with_prefix("remotes/")
    }

    /// All tags by name.
    pub fn tags(&self) -> Vec<(String, CommitId)> {
        self.with_prefix("tags/")
    }

    /// Movements of a ref by its full name, newest first.
    pub fn reflog(&self, full_name: &str) -> Vec<RefLogEntry> {
        self.state.reflog.iter().rev().filter(|entry| entry.name == full_name).cloned().collect()
    }

    /// Whether the commit is live: stored, and not forgotten.
    pub fn is_live(&self, id: CommitId) -> bool {
        self.state.is_live(&id)
    }

    /// Whether the commit was live once and was forgotten.
    pub fn is_forgotten(&self, id: CommitId) -> bool {
        self.state.is_forgotten(&id)
    }

    /// All live commits, the one that was added last first.
    pub fn commits(&self) -> Vec<CommitId> {
        self.state.commits.iter().rev().copied().collect()
    }

    /// Parents of a commit, forgotten ones too; none for an unknown one.
    pub fn parents(&self, id: CommitId) -> &[CommitId] {
        self.state.parents.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Parents of a commit and, in the place of forgotten ones, the nearest live commits before these.
    pub fn live_parents(&self, id: CommitId) -> Vec<CommitId> {
        self.state.nearest_before(&id, |id| self.state.is_live(id))
    }

    /// Every live commit that `from` reaches, itself included, also where forgotten ones lie between.
    pub fn ancestors(&self, from: impl IntoIterator<Item = CommitId>) -> HashSet<CommitId> {
        let mut seen = HashSet::new();
        let mut open: Vec<CommitId> = from.into_iter().collect();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.parents(id));
            }
        }
        seen.retain(|id| self.is_live(*id));
        seen
    }

    /// Number of the last log entry.
    pub fn head_number(&self) -> u64 {
        self.state.number
    }

    fn with_prefix(&self, prefix: &str) -> Vec<(String, CommitId)> {
        let refs = self.state.refs.iter();
        refs.filter_map(|(name, id)| Some((name.strip_prefix(prefix)?.to_owned(), *id))).collect()
    }
}
