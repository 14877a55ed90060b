//! Inclusion proofs.

use super::{NodeHash, bind, leaf_hash, node_hash};
use crate::id::Root;

/// Proof that a leaf stands at its place below a root: the hashes beside the way up, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerkleProof {
    /// Number of the leaf, from 0.
    pub index: u64,
    /// How many leaves the tree has.
    pub leaf_count: u64,
    /// Neighbours from the leaf to the top; at most 64.
    pub path: Vec<NodeHash>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The leaf is not in a tree of that size.
    #[error("leaf {index} is not in a tree of {leaf_count} leaves")]
    Index {
        /// Number of the leaf.
        index: u64,
        /// How many leaves the proof names.
        leaf_count: u64,
    },
    /// The path is too short or too long.
    #[error("the proof for leaf {index} of {leaf_count} has {found} hashes; it needs {needed}")]
    PathLength {
        /// Number of the leaf.
        index: u64,
        /// How many leaves the proof names.
        leaf_count: u64,
        /// Hashes in the proof.
        found: usize,
        /// Hashes that the leaf's way up needs.
        needed: usize,
    },
    /// The path leads to another root.
    #[error("leaf {index} of {leaf_count} is not below the root {root}")]
    Root {
        /// Number of the leaf.
        index: u64,
        /// How many leaves the proof names.
        leaf_count: u64,
        /// The root that was expected.
        root: Root,
    },
    /// The proof is about another leaf, or a tree of another size, than was asked about.
    #[error("the proof is about leaf {found} of {found_count}, not about leaf {index} of {leaf_count}")]
    Other {
        /// Number of the leaf that was asked about.
        index: u64,
        /// How many leaves the tree has.
        leaf_count: u64,
        /// Number of the leaf in the proof.
        found: u64,
        /// How many leaves the proof names.
        found_count: u64,
    },
    /// The leaves of a proof of absence leave room between them, or at an end.
    #[error("the leaves of the proof are not neighbours in a tree of {leaf_count} leaves")]
    NotNeighbours {
        /// How many leaves the proof names.
        leaf_count: u64,
    },
    /// The key does not lie between the keys of a proof of absence.
    #[error("the key does not lie between those of the proof")]
    NotBetween,
}

impl MerkleProof {
    /// How many hashes the proof for leaf `index` of `leaf_count` has.
    fn path_len(index: u64, leaf_count: u64) -> usize {
        let (mut at, mut last, mut len) = (index, leaf_count - 1, 0);
        while last > 0 {
            len += usize::from(at ^ 1 <= last);
            (at, last) = (at >> 1, last >> 1);
        }
        len
    }

    /// Checks that `data` are the bytes of this leaf below `root`.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, root: &Root, data: &[u8]) -> Result<(), ProofError> {
        self.verify_leaf(root, &leaf_hash(data))
    }

    /// As [`MerkleProof::verify`], for the leaf's hash.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify_leaf(&self, root: &Root, leaf: &NodeHash) -> Result<(), ProofError> {
        let &Self { index, leaf_count, .. } = self;
        if index >= leaf_count {
            return Err(ProofError::Index { index, leaf_count });
        }
        let (found, needed) = (self.path.len(), Self::path_len(index, leaf_count));
        if found != needed {
            return Err(ProofError::PathLength { index, leaf_count, found, needed });
        }
        if bind(leaf_count, &self.climb(leaf)) != *root {
            return Err(ProofError::Root { index, leaf_count, root: *root });
        }
        Ok(())
    }

    /// The top that the path leads to. The path has the right length.
    fn climb(&self, leaf: &NodeHash) -> NodeHash {
        let (mut at, mut last, mut node) = (self.index, self.leaf_count - 1, *leaf);
        let mut path = self.path.iter();
        while last > 0 {
            if at ^ 1 <= last {
                let beside = path.next().expect("the length of the path was checked");
                node = if at & 1 == 1 { node_hash(beside, &node) } else { node_hash(&node, beside) };
            }
            (at, last) = (at >> 1, last >> 1);
        }
        node
    }
}
