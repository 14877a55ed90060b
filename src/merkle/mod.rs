#![doc = include_str!("merkle.md")]

mod absence;
mod hasher;
mod proof;
mod sample;
mod sparse;
mod tree;

pub use absence::{Neighbour, NonInclusionProof};
pub use hasher::{ShardHasher, root_of_shards};
pub use proof::{MerkleProof, ProofError};
pub use sample::{
    SampleReport, detection_probability, draw_sample, sample_size, verify_chunk_fast, verify_random_sample,
};
pub use sparse::{SparseMerkleTree, entry_hash};
pub use tree::{MerkleTree, RootBuilder};

use crate::id::Root;

/// A hash of a leaf or an inner node.
pub type NodeHash = [u8; 32];

/// Hash of a leaf's bytes. For many leaves, [`ShardHasher::into_leaves`] is up to twice as fast.
pub fn leaf_hash(data: &[u8]) -> NodeHash {
    *blake3::Hasher::new().update(&[0]).update(data).finalize().as_bytes()
}

/// Hash of two neighbours.
pub fn node_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    let mut input = [1; 65];
    input[1..33].copy_from_slice(left);
    input[33..].copy_from_slice(right);
    *blake3::hash(&input).as_bytes()
}

/// The root: the topmost node, with the number of leaves bound to it.
fn bind(leaf_count: u64, top: &NodeHash) -> Root {
    let mut input = [2; 41];
    input[1..9].copy_from_slice(&leaf_count.to_le_bytes());
    input[9..].copy_from_slice(top);
    Root::new(*blake3::hash(&input).as_bytes())
}

/// The topmost node over no leaves.
fn empty_top() -> NodeHash {
    *blake3::hash(&[]).as_bytes()
}

#[cfg(test)]
mod sparse_tests;
#[cfg(test)]
mod tests;
