//! Which paths of which commits cannot be brought back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, CommitId, ObjectKind};
use crate::repo::read_version;

use super::super::OpsError;
use super::super::tree::Nodes;
use super::super::walk::{Step, Walk};
use super::broken::key;
use super::reach::{blame, children};
use super::report::AffectedPath;
use super::{Broken, Check};

/// A path, and whether it stands for everything below it.
type Place = (Vec<u8>, bool);

/// Walks commits in search of what is broken. Directories and nodes in which nothing is are walked once.
pub(super) struct Paths<'a> {
    check: &'a Check<'a>,
    chunks: &'a ChunkStore,
    broken: &'a Broken,
    /// Directories and nodes in which nothing is broken.
    clean: HashSet<u64>,
    /// Nodes in which something is, with the findings.
    dirty: HashMap<u64, Arc<BTreeSet<usize>>>,
    /// By finding and place, the commits.
    found: BTreeMap<(usize, Place), Vec<u32>>,
}

impl<'a> Paths<'a> {
    pub(super) fn new(check: &'a Check<'a>, chunks: &'a ChunkStore, broken: &'a Broken) -> Self {
        let (clean, dirty, found) = Default::default();
        Self { check, chunks, broken, clean, dirty, found }
    }

    /// Walks these commits and adds to each finding what cannot be brought back because of it.
    pub(super) fn commits(mut self, commits: &[CommitId]) -> Result<(), OpsError> {
        for (number, id) in (0..).zip(commits) {
            self.check.stop_if_cancelled()?;
            self.commit(number, *id)?;
        }
        for ((finding, (path, is_whole_directory)), commits) in self.found {
            let path = AffectedPath { path, is_whole_directory, commits };
            self.check.add_path(finding, path);
        }
        Ok(())
    }

    fn commit(&mut self, number: u32, id: CommitId) -> Result<(), OpsError> {
        let version = match read_version(self.chunks, id) {
            Ok(version) => version,
            Err(error) => {
                let known = self.broken.blame(ObjectKind::Commit, ChunkId::from(id).locator());
                let finding = known.map_or_else(|| blame(self.check, self.broken, error.into()), Ok)?;
                self.note(finding, (Vec::new(), true), number);
                return Ok(());
            }
        };
        if let Some(finding) = self.broken.blame(ObjectKind::Commit, ChunkId::from(id).locator()) {
            self.note(finding, (Vec::new(), true), number);
        }
        self.tree(number, version.commit.root)
    }

    fn note(&mut self, finding: usize, place: Place, commit: u32) {
        let commits = self.found.entry((finding, place)).or_default();
        if commits.last() != Some(&commit) {
            commits.push(commit);
        }
    }

    fn tree(&mut self, number: u32, root: DirEntry) -> Result<(), OpsError> {
        let mut walk = Walk::new(self.chunks, b"");
        // Directories on the way: what they are called, and whether something below them is broken.
        let mut open: Vec<(u64, bool)> = vec![(0, false)];
        let mut step = Some(Step::Entry(root));
        while let Some(now) = step {
            let is_broken = match now {
                Step::Entry(entry) => self.entry(number, &entry, &mut walk, &mut open)?,
                Step::Leave => {
                    let (key, is_broken) = open.pop().expect("entered before");
                    if !is_broken {
                        self.clean.insert(key);
                    }
                    is_broken
                }
            };
            // An entry that was entered is on top now, and has nothing broken in it yet.
            open.last_mut().expect("the bottom stays").1 |= is_broken;
            step = walk.next();
        }
        Ok(())
    }

    /// Tells whether the entry itself is broken.
    fn entry(
        &mut self,
        number: u32,
        entry: &DirEntry,
        walk: &mut Walk<'_>,
        open: &mut Vec<(u64, bool)>,
    ) -> Result<bool, OpsError> {
        match &entry.kind {
            EntryKind::File { content, .. } => {
                let findings = self.content(content)?;
                for finding in &findings {
                    self.note(*finding, (walk.path().to_vec(), false), number);
                }
                Ok(!findings.is_empty())
            }
            EntryKind::Dir { node } => {
                let key = node.map_or(0, |node| key(ObjectKind::DirNode, node.locator()));
                if node.is_none() || self.clean.contains(&key) {
                    return Ok(false);
                }
                self.check.stop_if_cancelled()?;
                match walk.enter(entry) {
                    Ok(()) => {
                        open.push((key, false));
                        Ok(false)
                    }
                    Err(error) => {
                        let known =
                            node.and_then(|node| self.broken.blame(ObjectKind::DirNode, node.locator()));
                        let finding = known.map_or_else(|| blame(self.check, self.broken, error), Ok)?;
                        self.note(finding, (walk.path().to_vec(), true), number);
                        Ok(true)
                    }
                }
            }
            _ => Ok(false),
        }
    }

    /// The findings that are to blame for a file.
    fn content(&mut self, root: &ContentRoot) -> Result<BTreeSet<usize>, OpsError> {
        let ContentRoot::Tree { level, id, len, .. } = *root else { return Ok(BTreeSet::new()) };
        if level == 0 {
            return Ok(self.broken.blame(ObjectKind::Chunk, id.locator()).into_iter().collect());
        }
        Ok((*self.node((level, id, len))?).clone())
    }

    /// The same for a node. Levels fall on the way down, so this ends.
    fn node(&mut self, (level, id, len): (u8, ChunkId, u64)) -> Result<Arc<BTreeSet<usize>>, OpsError> {
        let key = key(ObjectKind::FileNode, id.locator());
        if let Some(findings) = self.dirty.get(&key) {
            return Ok(Arc::clone(findings));
        }
        if self.clean.contains(&key) {
            return Ok(Arc::default());
        }
        let findings = Arc::new(self.below((level, id, len))?);
        match findings.is_empty() {
            true => drop(self.clean.insert(key)),
            false => drop(self.dirty.insert(key, Arc::clone(&findings))),
        }
        Ok(findings)
    }

    fn below(&mut self, part: (u8, ChunkId, u64)) -> Result<BTreeSet<usize>, OpsError> {
        if let Some(finding) = self.broken.blame(ObjectKind::FileNode, part.1.locator()) {
            return Ok([finding].into());
        }
        let children = match children(Nodes { chunks: self.chunks, kind: ObjectKind::FileNode }, part) {
            Ok(children) => children,
            Err(error) => return Ok([blame(self.check, self.broken, error)?].into()),
        };
        let mut findings = BTreeSet::new();
        for (level, id, len) in children {
            match level {
                0 => findings.extend(self.broken.blame(ObjectKind::Chunk, id.locator())),
                _ => findings.extend(self.node((level, id, len))?.iter()),
            }
        }
        Ok(findings)
    }
}
