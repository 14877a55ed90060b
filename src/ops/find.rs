//! `find`: look for names in many commits.
//!
//! Commits share most of their directories. What was found in a directory is kept by the id of its node, so the next
//! commit that holds it is answered without reading it again.

use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use lru::LruCache;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::{ChunkId, CommitId};
use crate::limits::TREE_DEPTH_MAX;
use crate::repo::Repository;

use super::ls::Listed;
use super::walk::is_dir;
use super::{OpsError, tree};

/// Directories and hits that are remembered at most: some 100 MiB if every name is long.
const REMEMBERED_MAX: usize = 1 << 18;

/// What to look for, and where.
#[derive(Debug, Clone, Default)]
pub struct FindRequest {
    /// Globs: `*` and `?` stand for anything but a slash, `**` for anything. One without a slash is compared with names,
    /// one with a slash with whole paths from the top of the tree; a slash in front only says which it is.
    pub patterns: Vec<String>,
    /// Do not tell capitals from small letters.
    pub ignore_case: bool,
    /// Look in these commits. Empty: in every live commit, the one that was added last first.
    pub commits: Vec<CommitId>,
}

/// A hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The commit.
    pub commit: CommitId,
    /// What was found in it.
    pub listed: Listed,
}

/// Tells `sink` every entry that any pattern fits, commit by commit, in each in the order of [`ls`](super::ls()). `sink`
/// may end the search.
///
/// # Errors
/// [`OpsError::Usage`] for a pattern that is none; when a commit or directory cannot be read.
pub fn find(
    repo: &Repository,
    request: &FindRequest,
    sink: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> Result<(), OpsError> {
    let patterns = Patterns::new(&request.patterns, request.ignore_case)?;
    let mut search = Search::new(repo.chunks(), patterns, REMEMBERED_MAX);
    let commits =
        if request.commits.is_empty() { repo.timeline().commits() } else { request.commits.clone() };
    for commit in commits {
        let root = repo.version(commit)?.commit.root;
        let mut tell =
            |path: &[u8], entry: &DirEntry| sink(Found { commit, listed: Listed::new(path, entry.clone()) });
        if search.tree(&root, &mut tell)?.is_break() {
            break;
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Patterns {
    names: GlobSet,
    paths: GlobSet,
}

impl Patterns {
    fn new(patterns: &[String], ignore_case: bool) -> Result<Self, OpsError> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let wrong = |error: globset::Error| OpsError::Usage { why: format!("not a pattern: {error}") };
        for pattern in patterns {
            let set = if pattern.contains('/') { &mut paths } else { &mut names };
            let glob = GlobBuilder::new(pattern.trim_start_matches('/'))
                .literal_separator(true)
                .case_insensitive(ignore_case)
                .build()
                .map_err(wrong)?;
            set.add(glob);
        }
        Ok(Self { names: names.build().map_err(wrong)?, paths: paths.build().map_err(wrong)? })
    }

    fn fit(&self, path: &[u8], name: &[u8]) -> bool {
        let as_path = |bytes| Path::new(std::ffi::OsStr::from_bytes(bytes));
        self.names.is_match(as_path(name)) || self.paths.is_match(as_path(path))
    }

    /// Whether what is found in a directory depends on where the directory lies.
    fn heed_paths(&self) -> bool {
        !self.paths.is_empty()
    }
}

/// A directory, with its path if what is found in it depends on that.
type Key = (ChunkId, Option<Vec<u8>>);

/// An entry of interest.
#[derive(Debug, Clone)]
struct Hit {
    entry: DirEntry,
    /// A pattern fits it.
    fits: bool,
    /// It is a directory with hits below it, or one that has not been searched yet.
    enter: bool,
}

/// A directory that is being told.
#[derive(Debug)]
struct Frame {
    path_len: usize,
    coming: Coming,
}

#[derive(Debug)]
enum Coming {
    /// It was searched before; told up to the index.
    Known(Arc<[Hit]>, usize),
    /// It is searched now: entries to come, and hits so far.
    New { key: Key, entries: std::vec::IntoIter<DirEntry>, hits: Vec<Hit> },
}

type Tell<'t> = dyn FnMut(&[u8], &DirEntry) -> ControlFlow<()> + 't;

struct Search<'a> {
    chunks: &'a ChunkStore,
    patterns: Patterns,
    known: LruCache<Key, Arc<[Hit]>>,
    /// Directories in `known`, and hits in them.
    remembered: usize,
    remembered_max: usize,
}

impl<'a> Search<'a> {
    fn new(chunks: &'a ChunkStore, patterns: Patterns, remembered_max: usize) -> Self {
        Self { chunks, patterns, known: LruCache::unbounded(), remembered: 0, remembered_max }
    }

    /// Searches one commit.
    fn tree(&mut self, root: &DirEntry, tell: &mut Tell<'_>) -> Result<ControlFlow<()>, OpsError> {
        let mut path = Vec::new();
        let mut stack: Vec<Frame> = self.enter(root, &path)?.into_iter().collect();
        while let Some(frame) = stack.last_mut() {
            path.truncate(frame.path_len);
            let Some(hit) = self.next(frame, &mut path) else {
                let done = stack.pop().expect("just seen");
                let fruitful = self.leave(done);
                if let Some(above) = stack.last_mut() {
                    above.left(fruitful);
                }
                continue;
            };
            if hit.fits && tell(&path, &hit.entry).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let below = if hit.enter { self.enter(&hit.entry, &path)? } else { None };
            frame.told(hit, below.is_some());
            stack.extend(below);
            if stack.len() > TREE_DEPTH_MAX {
                let what = format!("directory {}", String::from_utf8_lossy(&path));
                return Err(OpsError::Damaged { what, why: "it lies too deep".to_owned() });
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The next entry of a directory that may be of interest; `path` becomes its path.
    fn next(&self, frame: &mut Frame, path: &mut Vec<u8>) -> Option<Hit> {
        let mut join = |name: &[u8]| {
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        };
        match &mut frame.coming {
            Coming::Known(hits, at) => {
                let hit = hits.get(*at)?.clone();
                *at += 1;
                join(&hit.entry.name);
                Some(hit)
            }
            Coming::New { entries, .. } => {
                let entry = entries.next()?;
                join(&entry.name);
                Some(Hit { fits: self.patterns.fit(path, &entry.name), enter: is_dir(&entry), entry })
            }
        }
    }

    /// Opens a directory; `None` for an empty one.
    fn enter(&mut self, entry: &DirEntry, path: &[u8]) -> Result<Option<Frame>, OpsError> {
        let EntryKind::Dir { node: Some(node) } = &entry.kind else { return Ok(None) };
        let key = (*node, self.patterns.heed_paths().then(|| path.to_vec()));
        let coming = match self.known.get(&key) {
            Some(hits) => Coming::Known(Arc::clone(hits), 0),
            None => {
                let entries = tree::read_dir(self.chunks, Some(node))?;
                let (dirs, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_dir);
                entries.extend(dirs);
                Coming::New { key, entries: entries.into_iter(), hits: Vec::new() }
            }
        };
        Ok(Some(Frame { path_len: path.len(), coming }))
    }

    /// Remembers what a directory holds; says whether there were hits.
    fn leave(&mut self, frame: Frame) -> bool {
        let (key, hits) = match frame.coming {
            Coming::Known(hits, _) => return !hits.is_empty(),
            Coming::New { key, hits, .. } => (key, hits),
        };
        let fruitful = !hits.is_empty();
        self.remembered += 1 + hits.len();
        if let Some(before) = self.known.put(key, hits.into()) {
            self.remembered -= 1 + before.len();
        }
        while self.remembered > self.remembered_max {
            let Some((_, forgotten)) = self.known.pop_lru() else { break };
            self.remembered -= 1 + forgotten.len();
        }
        fruitful
    }
}

impl Frame {
    /// Keeps an entry that was told, or is about to be entered.
    fn told(&mut self, hit: Hit, entered: bool) {
        if let Coming::New { hits, .. } = &mut self.coming
            && (hit.fits || entered)
        {
            hits.push(Hit { enter: entered, ..hit });
        }
    }

    /// Notes whether the directory that was kept last had hits.
    fn left(&mut self, fruitful: bool) {
        if let Coming::New { hits, .. } = &mut self.coming
            && let Some(last) = hits.last_mut()
        {
            last.enter = fruitful;
            if !fruitful && !last.fits {
                hits.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::testkit::{commit_tree, repository};
    use super::*;
    use crate::ops::ls;
    use crate::testing::{edit_tree, make_tree};

    type Hits = Vec<(CommitId, Vec<u8>)>;

    fn found(repo: &Repository, patterns: &[&str], ignore_case: bool, commits: &[CommitId]) -> Hits {
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let request = FindRequest { patterns, ignore_case, commits: commits.to_vec() };
        let mut hits = Vec::new();
        find(repo, &request, &mut |hit| {
            hits.push((hit.commit, hit.listed.path));
            ControlFlow::Continue(())
        })
        .unwrap();
        hits
    }

    /// What a search without memory finds: every entry of every commit, compared.
    fn slowly(repo: &Repository, patterns: &Patterns, commits: &[CommitId]) -> Hits {
        let mut hits = Vec::new();
        for commit in commits {
            ls(repo, *commit, b"", true, &mut |listed| {
                if patterns.fit(&listed.path, &listed.entry.name) {
                    hits.push((*commit, listed.path));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        }
        hits
    }

    fn history() -> (Repository, Vec<CommitId>) {
        let dir = tempfile::tempdir().unwrap();
        make_tree(dir.path(), 3, 60).unwrap();
        let repo = repository();
        let mut commits = vec![commit_tree(&repo, dir.path(), 0)];
        for seed in 1..4 {
            edit_tree(dir.path(), seed, 5).unwrap();
            commits.insert(0, commit_tree(&repo, dir.path(), seed.try_into().unwrap()));
        }
        (repo, commits)
    }

    #[test]
    fn every_commit_tells_what_a_plain_search_finds_however_little_is_remembered() {
        let (repo, commits) = history();
        let cases: [&[&str]; 7] =
            [&["*"], &["l*"], &["names/*"], &["**/link"], &["nothing"], &["*.d", "contents/*o*"], &["?"]];
        for patterns in cases {
            let texts: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
            let expected = slowly(&repo, &Patterns::new(&texts, false).unwrap(), &commits);
            assert_eq!(found(&repo, patterns, false, &[]), expected, "{patterns:?}");
            for remembered_max in [0, 1, 10, 100] {
                let patterns = Patterns::new(&texts, false).unwrap();
                let mut search = Search::new(repo.chunks(), patterns, remembered_max);
                let mut hits = Vec::new();
                for commit in &commits {
                    let root = repo.version(*commit).unwrap().commit.root;
                    let mut tell = |path: &[u8], _: &DirEntry| {
                        hits.push((*commit, path.to_vec()));
                        ControlFlow::Continue(())
                    };
                    let _ = search.tree(&root, &mut tell).unwrap();
                    assert!(search.remembered <= remembered_max);
                }
                assert_eq!(hits, expected, "{texts:?} {remembered_max}");
            }
        }
    }

    #[test]
    fn names_paths_and_case_are_heeded_as_asked() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["src/Main.rs", "src/deep/other.rs", "docs/Main.rs", "README"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        let cases: BTreeMap<&str, &[&str]> = BTreeMap::from([
            ("*.rs", &["docs/Main.rs", "src/Main.rs", "src/deep/other.rs"][..]),
            ("src/*.rs", &["src/Main.rs"]),
            ("src/**/*.rs", &["src/Main.rs", "src/deep/other.rs"]),
            ("/README", &["README"]),
            ("/Main.rs", &[]),
            ("main.rs", &[]),
            ("deep", &["src/deep"]),
        ]);
        for (pattern, expected) in cases {
            let expected: Hits = expected.iter().map(|path| (commit, path.as_bytes().to_vec())).collect();
            assert_eq!(found(&repo, &[pattern], false, &[]), expected, "{pattern}");
        }
        assert_eq!(found(&repo, &["main.RS"], true, &[commit]).len(), 2);
        let request = FindRequest { patterns: vec!["[".to_owned()], ..FindRequest::default() };
        let error = find(&repo, &request, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, OpsError::Usage { .. }), "{error}");
    }

    #[test]
    fn a_name_that_is_not_text_is_found_and_the_sink_ends_the_search() {
        let (repo, commits) = history();
        let hits = found(&repo, &["*not-utf8*"], false, &commits[..1]);
        assert_eq!(hits.len(), 2, "{hits:?}");
        let mut told = 0;
        let request = FindRequest { patterns: vec!["*".to_owned()], ..FindRequest::default() };
        find(&repo, &request, &mut |_| {
            told += 1;
            if told == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(told, 5);
    }
}
