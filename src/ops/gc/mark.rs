//! Finding out which objects are needed: those that live commits reach, and the bases of all that stays.
//!
//! Of an object's copies the one that readers find is marked and, where that is a delta, such copies of its bases as it can be
//! read with. So whatever is not marked can go, and all that is marked can be read without it.

use crate::cas::{CasError, ChunkStore, Location, PackMap};
use crate::chonkers::NodeSource;
use crate::format::dirtree::{DirEntry, DirNode, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, CommitId, Locator, ObjectKind, PackId};
use crate::observe::Observer;
use crate::repo::read_version;

use super::super::OpsError;
use super::super::tree::{Nodes, load_dir_node};
use super::marks::Marks;

/// Chunks whose places are looked up together, sorted, so that each page of the index is read once: 32 MiB of locators.
const BATCH: usize = 1 << 21;
/// Deltas whose bases are looked up together.
const DELTAS_BATCH: usize = 1 << 18;

/// Which copies count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ops) enum Copies {
    /// Those that stay.
    Usable,
    /// Those in condemned packs, too, where there are no others.
    All,
}

/// Marks what is reached.
pub(in crate::ops) struct Marker<'a> {
    /// Reads through an index that stays at one state of the log.
    chunks: &'a ChunkStore,
    observer: &'a dyn Observer,
    copies: Copies,
    /// Places of objects that need not be marked, nor what they reach.
    known: Marks,
    /// Bases of deltas are marked, too.
    with_bases: bool,
    marks: Marks,
    /// Chunks that are reached, and not looked up yet.
    wanted: Vec<Locator>,
    /// Marked deltas, whose bases are not marked yet.
    deltas: Vec<(Location, ObjectKind)>,
}

impl<'a> Marker<'a> {
    pub(in crate::ops) fn new(
        (chunks, copies): (&'a ChunkStore, Copies),
        observer: &'a dyn Observer,
    ) -> Self {
        let (known, marks, wanted, deltas) = Default::default();
        Self { chunks, observer, copies, known, with_bases: true, marks, wanted, deltas }
    }

    /// The same, and marks what is reached, but not what it is stored against.
    pub(in crate::ops) fn without_bases(self) -> Self {
        Self { with_bases: false, ..self }
    }

    /// The same, and takes for granted what a marker [without bases](Self::without_bases) has marked in the same state of the log.
    pub(in crate::ops) fn beside(self, known: Marks) -> Self {
        Self { known, ..self }
    }

    /// Marks a commit and all that it reaches, but for its parents.
    pub(in crate::ops) fn commit(&mut self, id: CommitId) -> Result<(), OpsError> {
        if self.is_new(ObjectKind::Commit, &id.into())? {
            let commit = read_version(self.chunks, id)?.commit;
            self.content(&commit.state, ObjectKind::State, ObjectKind::State)?;
            self.tree(&commit.root)?;
        }
        Ok(())
    }

    /// Marks the bases of all deltas of a pack that stays as it is, whether anything needs these deltas or not: a commit may
    /// find them there, and use them.
    pub(super) fn bases_of(&mut self, map: &PackMap) -> Result<(), OpsError> {
        for (entry, block, slot) in map.rows() {
            if let Some(delta) = map.delta(block, slot) {
                let location = Location { pack: map.uid(), block, slot, depth: delta.depth };
                self.deltas.push((location, entry.kind));
            }
        }
        self.settle()
    }

    /// Looks up all that is still waiting.
    pub(in crate::ops) fn settle(&mut self) -> Result<(), OpsError> {
        self.settle_chunks()?;
        while !self.deltas.is_empty() {
            self.settle_deltas()?;
        }
        Ok(())
    }

    /// What was marked so far.
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    pub(in crate::ops) fn into_marks(self) -> Marks {
        self.marks
    }

    /// Goes through a directory's entries, and through the directories in it that nothing has reached before.
    fn tree(&mut self, root: &DirEntry) -> Result<(), OpsError> {
        let mut open = Vec::new();
        self.entry(root, &mut open)?;
        while let Some((id, level)) = open.pop() {
            if self.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            match load_dir_node(self.chunks, &id, level)? {
                DirNode::Leaf(entries) => {
                    entries.iter().try_for_each(|entry| self.entry(entry, &mut open))?;
                }
                DirNode::Inner { level, children } => {
                    for child in &children {
                        self.dir(&child.id, Some(level - 1), &mut open)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, open: &mut Vec<(ChunkId, Option<u8>)>) -> Result<(), OpsError> {
        match &entry.kind {
            EntryKind::Dir { node: Some(node) } => self.dir(node, None, open),
            EntryKind::File { content, .. } => self.content(content, ObjectKind::FileNode, ObjectKind::Chunk),
            _ => Ok(()),
        }
    }

    fn dir(
        &mut self,
        id: &ChunkId,
        level: Option<u8>,
        open: &mut Vec<(ChunkId, Option<u8>)>,
    ) -> Result<(), OpsError> {
        if self.is_new(ObjectKind::DirNode, id)? {
            open.push((*id, level));
        }
        Ok(())
    }

    /// Marks the nodes and chunks of a content.
    fn content(&mut self, root: &ContentRoot, node: ObjectKind, leaf: ObjectKind) -> Result<(), OpsError> {
        let ContentRoot::Tree { level, id, .. } = *root else { return Ok(()) };
        let mut open = vec![(level, id)];
        let mut source = Nodes { chunks: self.chunks, kind: node };
        while let Some((level, id)) = open.pop() {
            if level == 0 && leaf == ObjectKind::Chunk {
                self.chunk(id.locator())?;
            } else if level == 0 {
                self.is_new(leaf, &id)?;
            } else if self.is_new(node, &id)? {
                let found = source.node(level, &id)?;
                if found.level != level {
                    let why = format!("it is of level {}, not {level}", found.level);
                    return Err(OpsError::Damaged { what: format!("node {id}"), why });
                }
                open.extend(found.children.iter().map(|child| (level - 1, child.id)));
            }
        }
        Ok(())
    }

    fn chunk(&mut self, locator: Locator) -> Result<(), OpsError> {
        self.wanted.push(locator);
        if self.wanted.len() >= BATCH { self.settle_chunks() } else { Ok(()) }
    }

    fn settle_chunks(&mut self) -> Result<(), OpsError> {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort_unstable();
        wanted.dedup();
        match self.copies {
            Copies::Usable => self.mark_chunks(&wanted)?,
            Copies::All => {
                wanted
                    .iter()
                    .try_for_each(|locator| self.mark(ObjectKind::Chunk, *locator, u8::MAX).map(|_| ()))?;
            }
        }
        wanted.clear();
        self.wanted = wanted;
        Ok(())
    }

    /// The same as [`mark`](Self::mark) for many chunks, which ascend.
    fn mark_chunks(&mut self, wanted: &[Locator]) -> Result<(), OpsError> {
        let failed = OpsError::cas("find out what is needed");
        let (known, with_bases) = (&self.known, self.with_bases);
        let (marks, deltas) = (&mut self.marks, &mut self.deltas);
        let mut found = |_, location: Location| {
            if !known.has(&location) && marks.set(&location) && with_bases && location.depth > 0 {
                deltas.push((location, ObjectKind::Chunk));
            }
        };
        let missing =
            self.chunks.index().find_many(ObjectKind::Chunk, wanted, &mut found).map_err(&failed)?;
        if let Some(number) = missing {
            return Err(failed(CasError::Missing { kind: ObjectKind::Chunk, id: wanted[number] }));
        }
        if self.deltas.len() >= DELTAS_BATCH { self.settle_deltas() } else { Ok(()) }
    }

    fn is_new(&mut self, kind: ObjectKind, id: &ChunkId) -> Result<bool, OpsError> {
        self.mark(kind, id.locator(), u8::MAX)
    }

    /// Marks the copy of an object that is found below a depth; returns whether it was not marked before.
    fn mark(&mut self, kind: ObjectKind, locator: Locator, below: u8) -> Result<bool, OpsError> {
        let location = self.find(kind, locator, below)?;
        if self.is_known(kind, locator, (location, below))? {
            return Ok(false);
        }
        let is_new = self.marks.set(&location);
        if is_new && self.with_bases && location.depth > 0 {
            self.deltas.push((location, kind));
            if self.deltas.len() >= DELTAS_BATCH && below == u8::MAX {
                self.settle_deltas()?;
            }
        }
        Ok(is_new)
    }

    fn find(&self, kind: ObjectKind, locator: Locator, below: u8) -> Result<Location, OpsError> {
        let failed = OpsError::cas("find out what is needed");
        let index = self.chunks.index();
        let found = match self.copies {
            Copies::Usable => index.find_usable(kind, locator, below),
            Copies::All => index.find_below(kind, locator, below),
        };
        found.map_err(&failed)?.ok_or_else(|| failed(CasError::Missing { kind, id: locator }))
    }

    /// Whether the object that was found, looking for a copy below a depth, is taken for granted: its first copy is.
    fn is_known(
        &self,
        kind: ObjectKind,
        locator: Locator,
        (found, below): (Location, u8),
    ) -> Result<bool, OpsError> {
        if self.known.is_empty() {
            return Ok(false);
        }
        let first = if below == u8::MAX { found } else { self.find(kind, locator, u8::MAX)? };
        Ok(self.known.has(&first))
    }

    /// Marks the bases of the deltas that are waiting: those of one pack together.
    fn settle_deltas(&mut self) -> Result<(), OpsError> {
        let mut deltas = std::mem::take(&mut self.deltas);
        deltas.sort_unstable();
        let mut map: Option<std::sync::Arc<PackMap>> = None;
        for (location, kind) in deltas {
            let is_open = map.as_ref().is_some_and(|map| map.uid() == location.pack);
            if !is_open {
                map = Some(self.map(location.pack)?);
            }
            let delta = map.as_ref().and_then(|map| map.delta(location.block, location.slot));
            let Some(delta) = delta.copied() else { continue };
            for base in delta.bases.iter() {
                self.mark(kind, *base, delta.depth)?;
            }
        }
        Ok(())
    }

    fn map(&self, pack: PackId) -> Result<std::sync::Arc<PackMap>, OpsError> {
        self.chunks.map(pack).map_err(OpsError::cas("read the directory of a pack"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::races::pinned;
    use super::super::super::testkit::{commit_tree, repository};
    use super::*;
    use crate::observe::Silent;
    use crate::repo::Repository;
    use crate::testing::Rng;

    fn marked(repo: &Repository, copies: Copies, commits: &[CommitId]) -> Marks {
        let chunks = pinned(repo, &repo.state());
        let mut marker = Marker::new((&chunks, copies), &Silent);
        commits.iter().for_each(|commit| marker.commit(*commit).unwrap());
        marker.settle().unwrap();
        marker.into_marks()
    }

    #[test]
    fn what_is_marked_by_going_along_the_index_is_what_is_marked_one_by_one() {
        let (dir, repo, mut rng) = (tempfile::tempdir().unwrap(), repository(), Rng::new(12));
        let mut commits = Vec::new();
        let mut text = rng.text(1_500_000);
        for round in 0..5 {
            // Some commits have a segment, others are their own index.
            let noise = rng.bytes(if round % 2 == 0 { 1_200_000 } else { 90_000 });
            text.splice(1000 * round..1000 * round + 5, rng.bytes(9));
            std::fs::write(dir.path().join("noise"), noise).unwrap();
            std::fs::write(dir.path().join("text"), &text).unwrap();
            commits.push(commit_tree(&repo, dir.path(), round as i64));
        }
        assert!(repo.state().segments.len() >= 3);
        for commits in [&commits[..], &commits[1..2], &commits[3..]] {
            let fast = marked(&repo, Copies::Usable, commits);
            assert!(fast.objects() > 20);
            assert_eq!(fast, marked(&repo, Copies::All, commits));
        }
    }
}
