//! `log`: commits, newest first.

use std::collections::{BinaryHeap, HashMap};
use std::ops::ControlFlow;

use crate::format::dirtree::{DirEntry, Timestamp};
use crate::id::CommitId;
use crate::repo::{RepoError, Repository, VersionInfo, VersionTimeline};

use super::{OpsError, tree};

/// Which commits to show.
#[derive(Debug, Clone, Default)]
pub struct LogRequest {
    /// Start at these. Empty: at every live commit.
    pub from: Vec<CommitId>,
    /// Only commits in which the entry at one of these paths is another than in the nearest commit before it that is live.
    pub paths: Vec<Vec<u8>>,
    /// Only commits of this host.
    pub host: Option<String>,
    /// Only commits with all these tags.
    pub tags: Vec<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Tells `sink` every live commit that the request's starts reach: children before their parents, otherwise newest
/// first. What lies behind forgotten commits is told as well. Commits are read as they are told; `sink` may end it.
///
/// # Errors
/// When a start is no live commit, or a commit or a directory on the way to a path cannot be read.
pub fn log(
    repo: &Repository,
    request: &LogRequest,
    sink: &mut dyn FnMut(VersionInfo) -> ControlFlow<()>,
) -> Result<(), OpsError> {
    let mut history = History::new(repo, &request.from)?;
    let mut left = request.limit.unwrap_or(usize::MAX);
    while left > 0 {
        let Some(version) = history.next()? else { break };
        if fits(&version, request) && changes(repo, &history.timeline, &version, &request.paths)? {
            left -= 1;
            if sink(version).is_break() {
                break;
            }
        }
    }
    Ok(())
}

fn fits(version: &VersionInfo, request: &LogRequest) -> bool {
    let commit = &version.commit;
    request.host.as_ref().is_none_or(|host| *host == commit.host)
        && request.tags.iter().all(|tag| commit.tags.contains(tag))
}

/// Whether one of the paths is another than in the first live commit before it; also if there are no paths.
fn changes(
    repo: &Repository,
    timeline: &VersionTimeline,
    version: &VersionInfo,
    paths: &[Vec<u8>],
) -> Result<bool, OpsError> {
    if paths.is_empty() {
        return Ok(true);
    }
    let parent = timeline.live_parents(version.id).first().map(|id| repo.version(*id)).transpose()?;
    if parent.as_ref().is_some_and(|parent| parent.commit.root == version.commit.root) {
        return Ok(false);
    }
    for path in paths {
        let before = match &parent {
            Some(parent) => entry_at(repo, parent, path)?,
            None => None,
        };
        if entry_at(repo, version, path)? != before {
            return Ok(true);
        }
    }
    Ok(false)
}

fn entry_at(repo: &Repository, version: &VersionInfo, path: &[u8]) -> Result<Option<DirEntry>, OpsError> {
    match tree::find_path(repo.chunks(), version.id, &version.commit.root, path) {
        Ok(entry) => Ok(Some(entry)),
        Err(OpsError::NoPath { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Live commits in topological order.
struct History<'a> {
    repo: &'a Repository,
    timeline: VersionTimeline,
    /// Children that are still to be told before a commit may be.
    waiting: HashMap<CommitId, usize>,
    ready: BinaryHeap<Ready>,
}

/// A commit whose children have all been told, ordered by time.
struct Ready {
    time: Timestamp,
    version: VersionInfo,
}

impl<'a> History<'a> {
    fn new(repo: &'a Repository, from: &[CommitId]) -> Result<Self, OpsError> {
        let timeline = repo.timeline();
        if let Some(gone) = from.iter().find(|id| !timeline.is_live(**id)) {
            let why = "it is no live commit".to_owned();
            return Err(RepoError::NoRevision { spec: gone.to_hex(), why }.into());
        }
        let from = if from.is_empty() { timeline.commits() } else { from.to_vec() };
        let reached = timeline.ancestors(from.iter().copied());
        let mut waiting: HashMap<CommitId, usize> = reached.iter().map(|id| (*id, 0)).collect();
        for parent in reached.iter().flat_map(|id| timeline.live_parents(*id)) {
            if let Some(children) = waiting.get_mut(&parent) {
                *children += 1;
            }
        }
        let starts: Vec<CommitId> =
            waiting.iter().filter(|(_, children)| **children == 0).map(|(id, _)| *id).collect();
        let mut history = Self { repo, timeline, waiting, ready: BinaryHeap::new() };
        starts.into_iter().try_for_each(|id| history.release(id))?;
        Ok(history)
    }

    fn release(&mut self, id: CommitId) -> Result<(), OpsError> {
        let version = self.repo.version(id)?;
        self.ready.push(Ready { time: version.commit.time, version });
        Ok(())
    }

    fn next(&mut self) -> Result<Option<VersionInfo>, OpsError> {
        let Some(Ready { version, .. }) = self.ready.pop() else { return Ok(None) };
        for parent in self.timeline.live_parents(version.id) {
            if let Some(children) = self.waiting.get_mut(&parent) {
                *children -= 1;
                if *children == 0 {
                    self.release(parent)?;
                }
            }
        }
        Ok(Some(version))
    }
}

impl Ord for Ready {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.time, self.version.id).cmp(&(other.time, other.version.id))
    }
}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ready {}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::testkit::{commit_tree, commit_with, repository, request};
    use super::*;
    use crate::ops::CommitRequest;
    use crate::repo::{Draft, ErrorKind};

    fn logged(repo: &Repository, request: &LogRequest) -> Vec<CommitId> {
        let mut told = Vec::new();
        log(repo, request, &mut |version| {
            told.push(version.id);
            ControlFlow::Continue(())
        })
        .unwrap();
        told
    }

    fn write(root: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        std::fs::write(root.join(name), text).unwrap();
    }

    /// A fork: `a` <- `b` <- `d` on one branch, `a` <- `c` on another, `d` older by its clock than `b`.
    fn fork() -> (Repository, [CommitId; 4]) {
        let dir = tempfile::tempdir().unwrap();
        let repo = repository();
        write(dir.path(), "x/one", "1");
        let a = commit_tree(&repo, dir.path(), 100);
        write(dir.path(), "x/two", "2");
        let b = commit_tree(&repo, dir.path(), 300);
        let tags = vec!["nightly".to_owned()];
        let c = CommitRequest { parent: Some(a), tags, ..request(dir.path(), "side", 250) };
        let c = commit_with(&repo, CommitRequest { host: "there".to_owned(), ..c }).commit.unwrap();
        write(dir.path(), "y", "3");
        let d = commit_tree(&repo, dir.path(), 200);
        (repo, [a, b, c, d])
    }

    #[test]
    fn children_come_before_parents_and_otherwise_the_newest_first() {
        let (repo, [a, b, c, d]) = fork();
        let from = |from: &[CommitId]| LogRequest { from: from.to_vec(), ..LogRequest::default() };
        assert_eq!(logged(&repo, &from(&[])), [c, d, b, a]);
        assert_eq!(logged(&repo, &from(&[d])), [d, b, a]);
        assert_eq!(logged(&repo, &from(&[b, c])), [b, c, a]);
        assert_eq!(logged(&repo, &from(&[a, d, d])), [d, b, a]);
        assert_eq!(logged(&repo, &LogRequest { limit: Some(2), ..from(&[d]) }), [d, b]);
        assert_eq!(logged(&repo, &LogRequest { limit: Some(0), ..from(&[d]) }), []);
    }

    #[test]
    fn host_tags_and_paths_choose() {
        let (repo, [a, b, c, d]) = fork();
        let paths = |path: &str| LogRequest { paths: vec![path.into()], ..LogRequest::default() };
        assert_eq!(logged(&repo, &LogRequest { host: Some("there".into()), ..LogRequest::default() }), [c]);
        assert_eq!(logged(&repo, &LogRequest { tags: vec!["nightly".into()], ..LogRequest::default() }), [c]);
        assert_eq!(logged(&repo, &paths("y")), [d]);
        assert_eq!(logged(&repo, &paths("x/two")), [c, b]);
        assert_eq!(logged(&repo, &paths("x")), [c, b, a]);
        assert_eq!(logged(&repo, &LogRequest { limit: Some(1), ..paths("/x/one/") }), [a]);
        assert_eq!(logged(&repo, &paths("nowhere")), []);
        let either = LogRequest { paths: vec!["y".into(), "x/one".into()], ..LogRequest::default() };
        assert_eq!(logged(&repo, &either), [d, a]);
    }

    #[test]
    fn what_lies_behind_a_forgotten_commit_is_told_as_well() {
        let (repo, [a, b, c, d]) = fork();
        repo.append(&mut |_| Ok(Draft { forgotten: vec![b], ..Draft::default() })).unwrap();
        let from_d = LogRequest { from: vec![d], ..LogRequest::default() };
        assert_eq!(logged(&repo, &from_d), [d, a]);
        assert_eq!(logged(&repo, &LogRequest { paths: vec!["x/one".into()], ..from_d.clone() }), [a]);
        assert_eq!(logged(&repo, &LogRequest { paths: vec!["x/two".into()], ..from_d }), [d]);
        assert_eq!(logged(&repo, &LogRequest::default()), [c, d, a]);
        let gone = LogRequest { from: vec![b], ..LogRequest::default() };
        let error = log(&repo, &gone, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn the_sink_ends_the_log() {
        let (repo, [.., c, _]) = fork();
        let mut told = Vec::new();
        log(&repo, &LogRequest::default(), &mut |version| {
            told.push(version.id);
            ControlFlow::Break(())
        })
        .unwrap();
        assert_eq!(told, [c]);
    }
}
