//! Trees: one that keeps only what the root needs, and one that keeps all nodes for proofs.

use rayon::prelude::*;

use super::{MerkleProof, NodeHash, bind, empty_top, node_hash};
use crate::id::Root;

/// Fewest nodes of a level that several threads make: below, handing them out costs more than they save.
const PARALLEL_MIN: usize = 4096;

/// Takes leaves one by one and gives the root; keeps one hash a level.
#[derive(Debug, Clone, Default)]
pub struct RootBuilder {
    count: u64,
    /// Roots of full subtrees, largest first: one for each set bit of `count`.
    full: Vec<NodeHash>,
}

impl RootBuilder {
    /// Appends a leaf's hash.
    pub fn push(&mut self, leaf: NodeHash) {
        let mut node = leaf;
        for _ in 0..self.count.trailing_ones() {
            let left = self.full.pop().expect("every set bit of the count has a subtree");
            node = node_hash(&left, &node);
        }
        self.full.push(node);
        self.count += 1;
    }

    /// How many leaves it has.
    pub fn leaf_count(&self) -> u64 {
        self.count
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Root {
        let top = self.full.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        bind(self.count, &top.unwrap_or_else(empty_top))
    }
}

/// A tree with all its nodes, for proofs and for changes that make only those nodes anew that they reach.
///
/// It takes 64 bytes a leaf. Where a level is long, its nodes are made by the threads of the caller's pool.
#[derive(Debug, Clone)]
pub struct MerkleTree {
    /// Leaves first, the top last. A node without a right neighbour stands unchanged in the next level.
    levels: Vec<Vec<NodeHash>>,
}

impl MerkleTree {
    /// The tree over these leaf hashes.
    pub fn from_leaves(leaves: Vec<NodeHash>) -> Self {
        let mut tree = Self { levels: vec![leaves] };
        tree.rehash_from(0);
        tree
    }

    /// The leaf hashes.
    pub fn leaves(&self) -> &[NodeHash] {
        &self.levels[0]
    }

    /// The root.
    pub fn root(&self) -> Root {
        let top = self.levels[self.levels.len() - 1].first().copied().unwrap_or_else(empty_top);
        bind(self.leaves().len() as u64, &top)
    }

    /// Proof that leaf `index` is in the tree; `None`: there is no such leaf.
    pub fn proof(&self, index: usize) -> Option<MerkleProof> {
        if index >= self.leaves().len() {
            return None;
        }
        let path = self.levels.iter().enumerate();
        let path = path.filter_map(|(height, level)| level.get((index >> height) ^ 1).copied()).collect();
        Some(MerkleProof { index: index as u64, leaf_count: self.leaves().len() as u64, path })
    }

    /// Puts `leaves` in the place of all leaves from `first` on. What lies wholly before stays as it is, so appending to a
    /// tree of n leaves makes about log2 n nodes and one for each new leaf. Returns how many inner nodes were made.
    ///
    /// # Panics
    /// If `first` is beyond the leaves.
    pub fn replace_tail(&mut self, first: usize, leaves: impl IntoIterator<Item = NodeHash>) -> usize {
        assert!(first <= self.leaves().len(), "a tail begins at a leaf or at the end");
        self.levels[0].truncate(first);
        self.levels[0].extend(leaves);
        self.rehash_from(first)
    }

    /// Puts other leaves in the place of some; the numbers ascend. It makes the nodes above them anew, each once, and
    /// returns how many.
    ///
    /// # Panics
    /// If there is no such leaf.
    pub fn replace(&mut self, leaves: &[(usize, NodeHash)]) -> usize {
        let mut changed: Vec<usize> = leaves.iter().map(|(index, _)| *index).collect();
        leaves.iter().for_each(|(index, leaf)| self.levels[0][*index] = *leaf);
        let mut made = 0;
        for height in 1..self.levels.len() {
            changed.iter_mut().for_each(|index| *index >>= 1);
            changed.dedup();
            let (below, above) = self.levels.split_at_mut(height);
            let pairs = &below[height - 1];
            for &index in &changed {
                above[0][index] = join(&pairs[2 * index..pairs.len().min(2 * index + 2)]);
            }
            made += changed.len();
        }
        made
    }

    /// Makes all nodes anew that stand above the leaves from `first` on, and as many levels as it takes.
    fn rehash_from(&mut self, mut first: usize) -> usize {
        let (mut height, mut made) = (0, 0);
        while self.levels[height].len() > 1 {
            first >>= 1;
            if self.levels.len() == height + 1 {
                self.levels.push(Vec::new());
            }
            let (below, above) = self.levels.split_at_mut(height + 1);
            above[0].truncate(first);
            join_all(&below[height][2 * first..], &mut above[0]);
            made += above[0].len() - first;
            height += 1;
        }
        self.levels.truncate(height + 1);
        made
    }
}

/// Appends the parents of `below`.
fn join_all(below: &[NodeHash], above: &mut Vec<NodeHash>) {
    if below.len() >= PARALLEL_MIN {
        above.par_extend(below.par_chunks(2).map(join));
    } else {
        above.extend(below.chunks(2).map(join));
    }
}

fn join(pair: &[NodeHash]) -> NodeHash {
    match pair {
        [left, right] => node_hash(left, right),
        rest => rest[0],
    }
}
