//! What a file held in the parent commit: its chunks are bases for the new ones at their place.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::cas::ChunkStore;
use crate::chonkers::ChonkerTree;
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, ObjectKind};

use super::super::convert;
use super::super::previous::node_kind;
use super::super::tree::Nodes;

/// Chunks of a former content that are looked at, some 47 GB of it: 60 MiB of memory. A longer one gives no bases.
const CHUNKS_MAX: usize = 1 << 20;

/// The chunks of a former content, read when they are first needed.
#[derive(Debug)]
pub(super) struct Former {
    kind: ObjectKind,
    root: Option<ContentRoot>,
    chunks: OnceLock<Option<Chunks>>,
}

#[derive(Debug)]
struct Chunks {
    ids: Vec<ChunkId>,
    /// Where each begins.
    starts: Vec<u64>,
    places: HashMap<ChunkId, usize>,
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
        Self { kind, root, chunks: OnceLock::new() }
    }

    /// What the chunks are.
    pub(super) fn kind(&self) -> ObjectKind {
        self.kind
    }

    /// For each of `chunks`, which follow each other, the former chunk that it took the place of. Chunks that both contents
    /// have are what the others are counted from. A former content that cannot be read is of no use and does no harm.
    pub(super) fn bases(&self, store: &ChunkStore, chunks: &[NewChunk]) -> Vec<Option<ChunkId>> {
        let root = self.root.as_ref().filter(|_| chunks.iter().any(|chunk| chunk.is_new));
        let former = root.and_then(|root| self.chunks.get_or_init(|| load(store, self.kind, root)).as_ref());
        former.map_or_else(|| vec![None; chunks.len()], |former| former.align(chunks))
    }
}

fn load(store: &ChunkStore, kind: ObjectKind, root: &ContentRoot) -> Option<Chunks> {
    let nodes = Nodes { chunks: store, kind: node_kind(kind) };
    let leaves = ChonkerTree::new(convert::tree_root(root)).leaves(nodes).ok()?;
    let (mut ids, mut starts) = (Vec::new(), Vec::new());
    for leaf in leaves {
        let leaf = leaf.ok().filter(|_| ids.len() < CHUNKS_MAX)?;
        ids.push(leaf.chunk.id);
        starts.push(leaf.offset);
    }
    Some(Chunks::new(ids, starts))
}

impl Chunks {
    fn new(ids: Vec<ChunkId>, starts: Vec<u64>) -> Self {
        let places = ids.iter().copied().zip(0..).collect();
        Self { ids, starts, places }
    }

    fn align(&self, chunks: &[NewChunk]) -> Vec<Option<ChunkId>> {
        let known = |chunk: &NewChunk| if chunk.is_new { None } else { self.places.get(&chunk.id).copied() };
        let mut bases = vec![None; chunks.len()];
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
            for (step, base) in bases[at..at + count].iter_mut().enumerate() {
                let place = stretch.start + step * stretch.len() / count;
                *base = self.ids.get(place).filter(|_| !stretch.is_empty()).copied();
            }
            at += count;
        }
        for (base, chunk) in bases.iter_mut().zip(chunks) {
            base.take_if(|_| !chunk.is_new);
        }
        bases
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
            (Some(next), _) => next..(next + count).min(self.ids.len()).max(next),
            (None, Some(end)) => end.saturating_sub(count)..end,
            (None, None) => {
                let place = self.starts.partition_point(|&start| start <= first.offset).saturating_sub(1);
                place..(place + count).min(self.ids.len())
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
    fn bases(chunks: &[u8], offset: u64) -> Vec<Option<u8>> {
        let former = Chunks::new((0..10).map(id).collect(), (0..10).map(|at| at * 1000).collect());
        let chunks: Vec<NewChunk> = (0..)
            .zip(chunks)
            .map(|(at, &number)| NewChunk {
                id: id(number),
                offset: offset + at * 1000,
                is_new: number >= 100,
            })
            .collect();
        former.align(&chunks).into_iter().map(|base| base.map(|id| id.as_bytes()[0])).collect()
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
