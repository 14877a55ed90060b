//! What the new chunks of a comparison take in the repository.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cas::{ChunkStore, Location, PackMap};
use crate::chonkers::{NodeSource, TreeRoot};
use crate::id::{ChunkId, Locator, ObjectKind, PackId};
use crate::observe::Observer;

use super::super::stored::Stored;
use super::super::tree::Nodes;
use super::super::{DeltaCounts, OpsError};

/// Most chunks that are known one by one: 20 to 40 bytes each.
const CHUNKS_MAX: usize = 1 << 20;

/// The chunks of the new side's changed and added files that the old side's changed and removed ones do not have, each
/// once, and what they take in the repository.
///
/// These are what the old side lacks, and also what it has only where nothing is read: in files whose content stayed (the
/// chunks of a copy of one count), and below nodes that both contents of a file have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ChunkCosts {
    /// Their number.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that they take in the packs: those of differences for chunks that are stored so, and for others the share of
    /// the block that they lie in.
    pub stored_bytes: u64,
    /// Those of them that are stored as differences.
    pub deltas: DeltaCounts,
    /// Chunks that no live pack holds; they are not counted above.
    pub missing: u64,
    /// 1: every chunk was looked at. `n`: there were too many (over a million), so that about one in `n` was, and stands for
    /// the others: all that is said here is an estimate.
    pub one_in: u64,
}

/// The two sides, as places in [`Sides`].
const OLD: usize = 0;
const NEW: usize = 1;

/// Objects of either side.
type Sides<T> = [HashSet<T>; 2];

/// Collects the chunks of files that differ.
pub(super) struct Costs<'a> {
    nodes: Nodes<'a>,
    chunks: Sides<Locator>,
    /// Most chunks of both sides together.
    most: usize,
    /// Chunks whose ids have one of these bits are passed over: there are too many.
    passed_over: u64,
}

impl<'a> Costs<'a> {
    pub(super) fn new(chunks: &'a ChunkStore) -> Self {
        Self::with_most(chunks, CHUNKS_MAX)
    }

    pub(super) fn with_most(chunks: &'a ChunkStore, most: usize) -> Self {
        let nodes = Nodes { chunks, kind: ObjectKind::FileNode };
        Self { nodes, chunks: Sides::default(), most, passed_over: 0 }
    }

    /// Takes the chunks of a file's two contents. Nodes that both have are not read, others once each. Memory grows by an
    /// id for each node of one level that differs.
    pub(super) fn pair(&mut self, old: &TreeRoot, new: &TreeRoot) -> Result<(), OpsError> {
        if old == new {
            return Ok(());
        }
        let mut levels = Vec::new();
        for (side, root) in [(OLD, old), (NEW, new)] {
            if let TreeRoot::Tree { level, id, .. } = root {
                self.take(&mut levels, side, *level, *id);
            }
        }
        while let Some(nodes) = levels.pop() {
            let level = u8::try_from(levels.len() + 1).expect("a level has 8 bits");
            for (side, other) in [(OLD, NEW), (NEW, OLD)] {
                for id in nodes[side].difference(&nodes[other]) {
                    let children = self.children(level, id)?;
                    children.into_iter().for_each(|child| self.take(&mut levels, side, level - 1, child));
                }
            }
        }
        Ok(())
    }

    /// Takes an object of `level`: a node to open later (of level 1: into the first of `levels`), or a chunk.
    fn take(&mut self, levels: &mut Vec<Sides<ChunkId>>, side: usize, level: u8, id: ChunkId) {
        let level = usize::from(level);
        if level == 0 {
            self.chunk(side, id.locator());
            return;
        }
        if levels.len() < level {
            levels.resize_with(level, Sides::default);
        }
        levels[level - 1][side].insert(id);
    }

    fn children(&mut self, level: u8, id: &ChunkId) -> Result<Vec<ChunkId>, OpsError> {
        let node = self.nodes.node(level, id)?;
        if node.level != level {
            let why = format!("it is of level {}, not {level}", node.level);
            return Err(OpsError::Damaged { what: format!("file node {id}"), why });
        }
        Ok(node.children.iter().map(|child| child.id).collect())
    }

    fn chunk(&mut self, side: usize, chunk: Locator) {
        if low_bits(&chunk) & self.passed_over == 0 {
            self.chunks[side].insert(chunk);
        }
        while self.chunks[OLD].len() + self.chunks[NEW].len() > self.most {
            self.passed_over = self.passed_over << 1 | 1;
            let passed_over = self.passed_over;
            self.chunks.iter_mut().for_each(|side| side.retain(|id| low_bits(id) & passed_over == 0));
        }
    }

    /// Looks up what was collected: in the index and in the directories of packs, each of which is read once.
    pub(super) fn count(self, observer: &dyn Observer) -> Result<ChunkCosts, OpsError> {
        let store = self.nodes.chunks;
        let mut new: Vec<Locator> = self.chunks[NEW].difference(&self.chunks[OLD]).copied().collect();
        // The index is in this order.
        new.sort_unstable();
        let (places, missing) = locate(store, &new, observer)?;
        let (mut stored, mut map) = (Stored::default(), None);
        for place in places {
            let map = directory(store, &mut map, place.pack)?;
            let entry =
                map.objects(place.block).get(usize::from(place.slot)).ok_or_else(|| misplaced(place))?;
            stored.add(map, (*entry, place.block, place.slot));
        }
        Ok(costs(&stored, missing, self.passed_over + 1))
    }
}

/// The end of an id's first word: its beginning says where the index has it.
fn low_bits(id: &Locator) -> u64 {
    let (word, _) = id.as_bytes().split_first_chunk().expect("it has 16 bytes");
    u64::from_be_bytes(*word)
}

/// Where chunks lie, by packs; and how many lie nowhere.
fn locate(
    store: &ChunkStore,
    chunks: &[Locator],
    observer: &dyn Observer,
) -> Result<(Vec<Location>, u64), OpsError> {
    let (mut places, mut missing) = (Vec::with_capacity(chunks.len()), 0);
    for chunk in chunks {
        if observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        let place = store.index().find_below(ObjectKind::Chunk, *chunk, u8::MAX);
        match place.map_err(OpsError::cas("look up a chunk"))? {
            Some(place) => places.push(place),
            None => missing += 1,
        }
    }
    places.sort_unstable();
    Ok((places, missing))
}

/// The directory of a pack; `last` is the one that was asked for before.
fn directory<'m>(
    store: &ChunkStore,
    last: &'m mut Option<Arc<PackMap>>,
    pack: PackId,
) -> Result<&'m PackMap, OpsError> {
    if last.as_ref().is_none_or(|map| map.uid() != pack) {
        *last = Some(store.map(pack).map_err(OpsError::cas("read the directory of a pack"))?);
    }
    Ok(last.as_deref().expect("just filled"))
}

fn misplaced(place: Location) -> OpsError {
    let why = format!("the index names object {} of its block {}", place.slot, place.block);
    OpsError::Damaged { what: format!("pack {}", place.pack), why }
}

/// The sums, each chunk standing for so many.
fn costs(stored: &Stored, missing: u64, one_in: u64) -> ChunkCosts {
    let times = |sum: u64| sum.saturating_mul(one_in);
    let DeltaCounts { objects, bytes, stored_bytes } = stored.deltas;
    ChunkCosts {
        chunks: times(stored.objects),
        bytes: times(stored.bytes),
        stored_bytes: times(stored.taken),
        deltas: DeltaCounts {
            objects: times(objects),
            bytes: times(bytes),
            stored_bytes: times(stored_bytes),
        },
        missing: times(missing),
        one_in,
    }
}
