//! Whether everything is there that live commits are made of.

use std::collections::HashSet;

use crate::cas::{CasError, ChunkStore};
use crate::chonkers::NodeSource;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, CommitId, Locator, ObjectKind};
use crate::repo::{RepoError, read_version};

use super::super::OpsError;
use super::super::previous::node_kind;
use super::super::tree::{NodeError, Nodes};
use super::super::walk::{Step, Walk};
use super::broken::key;
use super::report::{FindingKind, told};
use super::{Broken, Check};

/// Objects that are looked up at a time, sorted, so that each page of the index is opened once for all of them.
const LOOKUPS: usize = 1 << 18;

/// Walks commits; what they share is walked once.
pub(super) struct Reach<'a> {
    check: &'a Check<'a>,
    chunks: &'a ChunkStore,
    /// Directories and nodes that were met: eight bytes each.
    seen: HashSet<u64>,
    waiting: Vec<(Locator, ObjectKind)>,
    broken: &'a mut Broken,
}

/// What stands for the file where objects are in none.
pub(super) const NOWHERE: &str = "packs";

/// Part of a file's content: level, id, length in bytes.
type Part = (u8, ChunkId, u64);

impl<'a> Reach<'a> {
    pub(super) fn new(check: &'a Check<'a>, chunks: &'a ChunkStore, broken: &'a mut Broken) -> Self {
        Self { check, chunks, seen: HashSet::new(), waiting: Vec::new(), broken }
    }

    /// Walks these commits. What is missing or cannot be read goes to the broken objects.
    pub(super) fn commits(mut self, commits: &[CommitId]) -> Result<(), OpsError> {
        for id in commits {
            self.check.stop_if_cancelled()?;
            // Who forgets a commit meanwhile may take away what it was made of.
            if let Err(error) = self.commit(*id)
                && self.check.present()?.is_live(id)
            {
                self.blame(ObjectKind::Commit, ChunkId::from(*id).locator(), error)?;
            }
        }
        self.look_up()
    }

    fn commit(&mut self, id: CommitId) -> Result<(), OpsError> {
        let version = read_version(self.chunks, id)?;
        if self.check.state.parents.get(&id).is_some_and(|parents| *parents != version.commit.parents) {
            let what = format!("commit {id}");
            return Err(OpsError::Damaged {
                what,
                why: "its parents are not those that the log names".into(),
            });
        }
        self.content(&version.commit.state, ObjectKind::State)?;
        self.tree(version.commit.root)
    }

    fn tree(&mut self, root: DirEntry) -> Result<(), OpsError> {
        let mut walk = Walk::new(self.chunks, b"");
        let mut step = Some(Step::Entry(root));
        while let Some(now) = step {
            if let Step::Entry(entry) = now {
                self.entry(&entry, &mut walk)?;
            }
            step = walk.next();
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, walk: &mut Walk<'_>) -> Result<(), OpsError> {
        match &entry.kind {
            EntryKind::File { content, .. } => {
                self.check.observer.advance(1, 0);
                self.content(content, ObjectKind::Chunk)
            }
            EntryKind::Dir { node: Some(node) } => {
                self.check.stop_if_cancelled()?;
                if !self.seen.insert(key(ObjectKind::DirNode, node.locator())) {
                    return Ok(());
                }
                match walk.enter(entry) {
                    Ok(()) => Ok(()),
                    Err(error) => self.blame(ObjectKind::DirNode, node.locator(), error),
                }
            }
            _ => Ok(()),
        }
    }

    /// Walks what a file, or the state of a commit, is made of.
    fn content(&mut self, root: &ContentRoot, kind: ObjectKind) -> Result<(), OpsError> {
        let ContentRoot::Tree { level, id, len, .. } = *root else { return Ok(()) };
        let nodes = Nodes { chunks: self.chunks, kind: node_kind(kind) };
        let mut open: Vec<Part> = vec![(level, id, len)];
        while let Some((level, id, len)) = open.pop() {
            if level == 0 {
                self.wait_for(id.locator(), kind)?;
            } else if self.seen.insert(key(nodes.kind, id.locator()) ^ len.rotate_left(8 + u32::from(level)))
            {
                match children(nodes, (level, id, len)) {
                    Ok(children) => open.extend(children),
                    Err(error) => self.blame(nodes.kind, id.locator(), error)?,
                }
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, locator: Locator, kind: ObjectKind) -> Result<(), OpsError> {
        self.waiting.push((locator, kind));
        if self.waiting.len() < LOOKUPS { Ok(()) } else { self.look_up() }
    }

    /// Looks up the objects that wait for it.
    fn look_up(&mut self) -> Result<(), OpsError> {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable();
        waiting.dedup();
        for (locator, kind) in waiting.drain(..) {
            if let Err(error) = self.find(kind, locator) {
                self.blame(kind, locator, OpsError::cas("look up an object")(error))?;
            }
        }
        self.waiting = waiting;
        self.check.stop_if_cancelled()
    }

    fn find(&self, kind: ObjectKind, locator: Locator) -> Result<(), CasError> {
        let index = self.chunks.index();
        if index.find_below(kind, locator, u8::MAX)?.is_some() {
            return Ok(());
        }
        index.refresh()?;
        let found = index.find_below(kind, locator, u8::MAX)?;
        found.map(|_| ()).ok_or(CasError::Missing { kind, id: locator })
    }

    /// Notes that an object cannot be had, and why.
    fn blame(&mut self, kind: ObjectKind, locator: Locator, error: OpsError) -> Result<(), OpsError> {
        if self.broken.blame(kind, locator).is_some() {
            return Ok(());
        }
        let finding = blame(self.check, self.broken, error)?;
        self.broken.insert(kind, locator, finding);
        Ok(())
    }
}

/// The finding that an error belongs to.
pub(super) fn blame(check: &Check<'_>, broken: &Broken, error: OpsError) -> Result<usize, OpsError> {
    let cas = match &error {
        OpsError::Cancelled => return Err(error),
        OpsError::Cas { source, .. } | OpsError::Repo { source: RepoError::Cas { source, .. } } => {
            Some(source)
        }
        _ => None,
    };
    let Some(cas) = cas else {
        return Ok(check.fault("commits", FindingKind::Tree, told(&error)));
    };
    let missing = match cas {
        CasError::Missing { kind, id } => Some((*kind, *id)),
        CasError::MissingBase { kind, base, .. } => Some((*kind, *base)),
        _ => None,
    };
    let known = missing.and_then(|(kind, locator)| broken.blame(kind, locator));
    let known = known.or_else(|| missing.and_then(|_| check.blame_for_missing()));
    Ok(known.unwrap_or_else(|| {
        let file = cas.file().unwrap_or_else(|| NOWHERE.to_owned());
        check.cas_fault(&file, cas)
    }))
}

/// The children of a node, which hold as many bytes as the node's parent says.
pub(super) fn children(mut nodes: Nodes<'_>, (level, id, len): Part) -> Result<Vec<Part>, OpsError> {
    let node = nodes.node(level, &id).map_err(|error| match error {
        NodeError::Cas(source) => OpsError::cas("read a node")(source),
        error => error.into(),
    })?;
    let holds = node.children.iter().try_fold(0_u64, |sum, child| sum.checked_add(child.total_len()?));
    if node.level != level || holds != Some(len) {
        let why = "it is not of the level or length that the node above it says".to_owned();
        return Err(OpsError::Damaged { what: format!("{} {id}", nodes.kind), why });
    }
    Ok(node.children.iter().map(|child| (level - 1, child.id, child.len)).collect())
}
