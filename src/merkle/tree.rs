//! Trees: one that keeps only what the root needs, and one that keeps all nodes for proofs.

use super::{MerkleProof, NodeHash, bind, empty_top, node_hash};
use crate::id::Root;

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

/// A tree with all its nodes, for proofs.
#[derive(Debug, Clone)]
pub struct MerkleTree {
    /// Leaves first, the top last. A node without a right neighbour stands unchanged in the next level.
    levels: Vec<Vec<NodeHash>>,
}

impl MerkleTree {
    /// The tree over these leaf hashes.
    pub fn from_leaves(leaves: Vec<NodeHash>) -> Self {
        let mut levels = vec![leaves];
        while levels[levels.len() - 1].len() > 1 {
            let next = levels[levels.len() - 1].chunks(2).map(join).collect();
            levels.push(next);
        }
        Self { levels }
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
}

fn join(pair: &[NodeHash]) -> NodeHash {
    match pair {
        [left, right] => node_hash(left, right),
        rest => rest[0],
    }
}
