//! Proofs that a key is not in a sorted tree.

use super::{MerkleProof, NodeHash, ProofError, bind, empty_top, entry_hash};
use crate::id::Root;

/// An entry beside the place where a key would stand, with the proof that it is in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour<const K: usize> {
    /// Its key.
    pub key: [u8; K],
    /// Its value.
    pub value: NodeHash,
    /// Proof of its place.
    pub proof: MerkleProof,
}

/// Proof that no entry of a [`SparseMerkleTree`](super::SparseMerkleTree) has a certain key: the entries on both sides of
/// where it would stand are neighbours. At an end of the tree one of them is enough, and an empty tree needs none.
///
/// It relies on the order of the tree. Whoever made a root over entries in another order can prove the absence of what is
/// there, so the root must come from somebody who is trusted with that (a signed log), or be made anew from all entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonInclusionProof<const K: usize> {
    /// How many entries the tree has.
    pub leaf_count: u64,
    /// The last entry before the key; `None`: the key would be the first.
    pub before: Option<Neighbour<K>>,
    /// The first entry behind it; `None`: it would be the last.
    pub after: Option<Neighbour<K>>,
}

impl<const K: usize> Neighbour<K> {
    fn verify(&self, root: &Root) -> Result<(), ProofError> {
        self.proof.verify_leaf(root, &entry_hash(&self.key, &self.value))
    }
}

impl<const K: usize> NonInclusionProof<K> {
    /// Checks that the tree with this root has no entry with this key.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn verify(&self, root: &Root, key: &[u8; K]) -> Result<(), ProofError> {
        self.check_places()?;
        let is_behind = self.before.as_ref().is_none_or(|before| before.key < *key);
        let is_before = self.after.as_ref().is_none_or(|after| *key < after.key);
        if !is_behind || !is_before {
            return Err(ProofError::NotBetween);
        }
        if self.leaf_count == 0 && bind(0, &empty_top()) != *root {
            return Err(ProofError::Root { index: 0, leaf_count: 0, root: *root });
        }
        self.before.iter().chain(&self.after).try_for_each(|neighbour| neighbour.verify(root))
    }

    /// Checks that nothing fits between the two entries, or between the one and its end of the tree.
    fn check_places(&self) -> Result<(), ProofError> {
        let leaf_count = self.leaf_count;
        let mut neighbours = self.before.iter().chain(&self.after);
        let of_one_tree = neighbours.all(|neighbour| neighbour.proof.leaf_count == leaf_count);
        // The place where the key would stand, as each side sees it.
        let from_before = match &self.before {
            None => Some(0),
            Some(before) => before.proof.index.checked_add(1),
        };
        let from_after = self.after.as_ref().map_or(leaf_count, |after| after.proof.index);
        if of_one_tree && from_before == Some(from_after) {
            Ok(())
        } else {
            Err(ProofError::NotNeighbours { leaf_count })
        }
    }
}
