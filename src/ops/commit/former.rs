//! What a file held in the parent commit: its chunks and nodes are bases for the new ones at their place.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::cas::ChunkStore;
use crate::chonkers::{ChonkerNode, NodeSource, TreeChild};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, Locator, ObjectKind};
use crate::limits::NODE_LEVEL_MAX;

use super::super::previous::node_kind;
use super::super::tree::Nodes;

/// Chunks of a former content that are looked at, some 47 GB of it: 60 MiB of memory. A longer one gives no bases.
const CHUNKS_MAX: usize = 1 << 20;

/// A former content, read when it is first needed.
#[derive(Debug)]
pub(super) struct Former {
    kind: ObjectKind,
    root: Option<ContentRoot>,
    tree: OnceLock<Option<Tree>>,
}

/// The chunks of a former content, by number, and the nodes above them.
#[derive(Debug, Default)]
struct Tree {
    chunks: Vec<Locator>,
    /// Where each begins.
    starts: Vec<u64>,
    places: HashMap<Locator, usize>,
    /// From level 1 on: number of the first chunk below each node, and the node.
    levels: Vec<Vec<(usize, ChunkId)>>,
    /// First chunk below each node.
    nodes: HashMap<Locator, usize>,
}

/// A chunk of the new content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewChunk {
    pub(super) id: ChunkId,
    pub(super) offset: u64,
    /// It must be stored.
    pub(super) is_new: bool,
}

impl Former {
    /// The content at `root`, of chunks of this kind; `None`: there is none.
    pub(super) fn new(kind: ObjectKind, root: Option<ContentRoot>) -> Self {
        Self { kind, root, tree: OnceLock::new() }
    }

    /// What the chunks are.
    pub(super) fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// A former content that cannot be read is of no use and does no harm.
    fn tree(&self, store: &ChunkStore) -> Option<&Tree> {
        let root = self.root.as_ref()?;
        self.tree.get_or_init(|| Tree::load(store, self.kind, root)).as_ref()
    }

    /// For each of `chunks`, which follow each other, the number of the former chunk that it took the place of. Chunks that
    /// both contents have are what the others are counted from.
    pub(super) fn places(&self, store: &ChunkStore, chunks: &[NewChunk]) -> Vec<Option<usize>> {
        let tree = if chunks.iter().any(|chunk| chunk.is_new) { self.tree(store) } else { None };
        tree.map_or_else(|| vec![None; chunks.len()], |tree| tree.align(chunks))
    }

    /// The former chunk of this number.
    pub(super) fn chunk(&self, store: &ChunkStore, place: usize) -> Option<Locator> {
        self.tree(store)?.chunks.get(place).copied()
    }

    /// The number of a former chunk.
    pub(super) fn place(&self, store: &ChunkStore, chunk: Locator) -> Option<usize> {
        self.tree(store)?.places.get(&chunk).copied()
    }

    /// The former node that `node` took the place of: of its level, and above the first of its children that was there before.
    pub(super) fn node(&self, store: &ChunkStore, node: &ChonkerNode) -> Option<Locator> {
        let tree = self.tree(store)?;
        let known = if node.level == 1 { &tree.places } else { &tree.nodes };
        let first = node.children.iter().find_map(|child| known.get(&child.id.locator()))?;
        let level = tree.levels.get(usize::from(node.level) - 1)?;
        let at = level.partition_point(|(start, _)| start <= first).checked_sub(1)?;
        Some(level[at].1.locator())
    }
}

impl Tree {
    fn load(store: &ChunkStore, kind: ObjectKind, root: &ContentRoot) -> Option<Self> {
        let mut tree = Self::default();
        let &ContentRoot::Tree { level, id, len, repeat } = root else { return Some(tree) };
        let mut nodes = Nodes { chunks: store, kind: node_kind(kind) };
        tree.read(&mut nodes, level, &TreeChild { id, len, repeat }, 0)?;
        tree.places = tree.chunks.iter().copied().zip(0..).collect();
        tree.nodes = tree.levels.iter().flatten().map(|(first, node)| (node.locator(), *first)).collect();
        Some(tree)
    }

    /// Reads what lies below `child`, of copies that follow each other only the first.
    fn read(&mut self, nodes: &mut Nodes<'_>, level: u8, child: &TreeChild, offset: u64) -> Option<()> {
        if level == 0 {
            self.chunks.push(child.id.locator());
            self.starts.push(offset);
            return (self.chunks.len() < CHUNKS_MAX).then_some(());
        }
        let node = nodes.node(level, &child.id).ok().filter(|node| node.level == level)?;
        let above = usize::from(level);
        if self.levels.len() < above {
            self.levels.resize_with(above.min(NODE_LEVEL_MAX.into()), Vec::new);
        }
        self.levels.get_mut(above - 1)?.push((self.chunks.len(), child.id));
        let mut offset = offset;
        for child in &node.children {
            self.read(nodes, level - 1, child, offset)?;
            offset = offset.checked_add(child.len.checked_mul(child.repeat)?)?;
        }
        Some(())
    }

    fn align(&self, chunks: &[NewChunk]) -> Vec<Option<usize>> {
        let known = |chunk: &NewChunk| {
            if chunk.is_new { None } else { self.places.get(&chunk.id.locator()).copied() }
        };
        let mut places = vec![None; chunks.len()];
        // The former chunk behind the last one that is still there.
        let mut next = None;
        let mut at = 0;
        while at < chunks.len() {
            if let Some(place) = known(&chunks[at]) {
                (next, at) = (Some(place + 1), at + 1);
                continue;
            }
            let count = chunks[at..].iter().take_while(|chunk| known(chunk).is_none()).count();
            let end = chunks.get(at + count).and_then(known);
            let stretch = self.replaced(&chunks[at], next, end, count);
            for (step, place) in places[at..at + count].iter_mut().enumerate() {
                let former = stretch.start + step * stretch.len() / count;
                *place = (!stretch.is_empty() && former < self.chunks.len()).then_some(former);
            }
            at += count;
        }
        for (place, chunk) in places.iter_mut().zip(chunks) {
            place.take_if(|_| !chunk.is_new);
        }
        places
    }

    /// The former chunks that `count` new ones from `first` on took the place of: those from `next` to `end`, as far as
    /// these are known, else as many as there are new ones.
    fn replaced(
        &self,
        first: &NewChunk,
        next: Option<usize>,
        end: Option<usize>,
        count: usize,
    ) -> std::ops::Range<usize> {
        match (next, end) {
            (Some(next), Some(end)) if next <= end => next..end,
            (Some(next), _) => next..(next + count).min(self.chunks.len()).max(next),
            (None, Some(end)) => end.saturating_sub(count)..end,
            (None, None) => {
                let place = self.starts.partition_point(|&start| start <= first.offset).saturating_sub(1);
                place..(place + count).min(self.chunks.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> ChunkId {
        ChunkId::new([number; ChunkId::LEN])
    }

    /// Bases of new chunks (numbers from 100 on) among known ones, where the former content is 0, 1, ... 9.
    fn bases(chunks: &[u8], offset: u64) -> Vec<Option<usize>> {
        let chunks_before: Vec<Locator> = (0..10).map(|number| id(number).locator()).collect();
        let places = chunks_before.iter().copied().zip(0..).collect();
        let starts = (0..10).map(|at| at * 1000).collect();
        let former = Tree { chunks: chunks_before, starts, places, ..Tree::default() };
        let chunks: Vec<NewChunk> = (0..)
            .zip(chunks)
            .map(|(at, &number)| NewChunk {
                id: id(number),
                offset: offset + at * 1000,
                is_new: number >= 100,
            })
            .collect();
        former.align(&chunks)
    }

    #[test]
    fn a_chunk_has_the_one_that_it_replaced_as_base() {
        assert_eq!(bases(&[0, 1, 100, 3], 0), [None, None, Some(2), None]);
        assert_eq!(bases(&[100, 1, 2], 0), [Some(0), None, None]);
        assert_eq!(bases(&[8, 100], 0), [None, Some(9)]);
        assert_eq!(bases(&[100], 0), [Some(0)]);
    }

    #[test]
    fn chunks_that_replaced_more_or_fewer_ones_share_them_out() {
        assert_eq!(bases(&[0, 100, 5], 0), [None, Some(1), None]);
        assert_eq!(bases(&[0, 100, 101, 5], 0), [None, Some(1), Some(3), None]);
        assert_eq!(bases(&[0, 100, 101, 102, 2], 0), [None, Some(1), Some(1), Some(1), None]);
        assert_eq!(bases(&[0, 100, 1], 0), [None, None, None], "nothing was replaced");
    }

    #[test]
    fn chunks_far_from_any_known_one_are_looked_for_by_their_place() {
        assert_eq!(bases(&[100, 101], 4000), [Some(4), Some(5)]);
        assert_eq!(bases(&[100, 101, 102], 8000), [Some(8), Some(8), Some(9)]);
        assert_eq!(bases(&[100, 101, 7], 20_000), [Some(5), Some(6), None]);
    }

    #[test]
    fn chunks_that_are_known_from_elsewhere_are_passed_over() {
        assert_eq!(bases(&[0, 50, 100, 3], 0), [None, None, Some(2), None]);
        assert_eq!(bases(&[5, 1, 100, 2], 0), [None; 4]);
        assert_eq!(bases(&[9, 100, 100], 0), [None; 3]);
    }
}
