//! An inventory as a tree: entries sorted by key.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::{MerkleProof, MerkleTree, Neighbour, NodeHash, NonInclusionProof, leaf_hash};
use crate::id::Root;

/// Hash of an entry's leaf: its bytes are the key's length (u8), the key and the value.
pub fn entry_hash<const K: usize>(key: &[u8; K], value: &NodeHash) -> NodeHash {
    const { assert!(K == 16 || K == 32, "keys are ids of 16 or 32 bytes") };
    let mut leaf = [0; 65];
    leaf[0] = K as u8;
    leaf[1..=K].copy_from_slice(key);
    leaf[1 + K..33 + K].copy_from_slice(value);
    leaf_hash(&leaf[..33 + K])
}

/// The inventory of a repository as a tree of the same form as over shards: entries (key, value), sorted by key, so that an
/// entry's place proves that it is there, and two neighbours prove that nothing is between them.
///
/// Keys are ids of 16 or 32 bytes; a value is a hash of 32 bytes, of whatever is to be said of the id. Sparse are the
/// keys, not the tree: it has a leaf for each entry and none for the ids that are not there.
///
/// It keeps all inner nodes: in all `K` + 96 bytes an entry, so 112 MB for a million of 16 bytes. Changing values makes
/// log2 n nodes for each anew, and so does adding entries behind the last. An entry that is added or removed in the middle
/// shifts all behind it, and their nodes are made anew: half of all on average, once for each batch that is given to
/// [`apply`](Self::apply).
#[derive(Debug, Clone)]
pub struct SparseMerkleTree<const K: usize> {
    entries: Vec<([u8; K], NodeHash)>,
    tree: MerkleTree,
}

impl<const K: usize> SparseMerkleTree<K> {
    /// The tree over these entries, in any order; of several with one key the last counts. Sorting and hashing are done by
    /// the threads of the caller's pool.
    pub fn new(mut entries: Vec<([u8; K], NodeHash)>) -> Self {
        // The sort is stable, and what is dropped of two equal keys is the second one.
        entries.reverse();
        entries.par_sort_by_key(|(key, _)| *key);
        entries.dedup_by_key(|(key, _)| *key);
        let leaves = entries.par_iter().map(|(key, value)| entry_hash(key, value)).collect();
        Self { entries, tree: MerkleTree::from_leaves(leaves) }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, sorted by key.
    pub fn entries(&self) -> &[([u8; K], NodeHash)] {
        &self.entries
    }

    /// The value of a key.
    pub fn get(&self, key: &[u8; K]) -> Option<&NodeHash> {
        self.find(key).ok().map(|index| &self.entries[index].1)
    }

    /// The root.
    pub fn root(&self) -> Root {
        self.tree.root()
    }

    /// Where the key stands, or where it would.
    fn find(&self, key: &[u8; K]) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// Proof that the key is there, for [`MerkleProof::verify_leaf`] with the [`entry_hash`]; `None`: it is not.
    pub fn prove(&self, key: &[u8; K]) -> Option<MerkleProof> {
        self.tree.proof(self.find(key).ok()?)
    }

    /// Proof that the key is not there; `None`: it is.
    pub fn prove_absent(&self, key: &[u8; K]) -> Option<NonInclusionProof<K>> {
        let place = self.find(key).err()?;
        let before = place.checked_sub(1).and_then(|index| self.neighbour(index));
        Some(NonInclusionProof { leaf_count: self.len() as u64, before, after: self.neighbour(place) })
    }

    fn neighbour(&self, index: usize) -> Option<Neighbour<K>> {
        let (key, value) = *self.entries.get(index)?;
        Some(Neighbour { key, value, proof: self.tree.proof(index)? })
    }

    /// Gives keys a value, or (`None`) takes them out; of several changes to one key the last counts. Returns how many inner
    /// nodes were made anew.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = ([u8; K], Option<NodeHash>)>) -> usize {
        let mut changes: BTreeMap<_, _> = changes.into_iter().collect();
        changes.retain(|key, value| self.get(key) != value.as_ref());
        let shifting = changes.iter().find(|(key, value)| value.is_none() || self.find(key).is_err());
        let tail = match shifting.map(|(key, _)| *key) {
            Some(first) => changes.split_off(&first),
            None => BTreeMap::new(),
        };
        // The tail comes first: it reads nodes on its left that the values in place then make right.
        self.merge(&tail) + self.replace(&changes)
    }

    /// Gives keys that are there another value.
    fn replace(&mut self, changes: &BTreeMap<[u8; K], Option<NodeHash>>) -> usize {
        let mut leaves = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            if let (Ok(index), Some(value)) = (self.find(key), value) {
                self.entries[index].1 = *value;
                leaves.push((index, entry_hash(key, value)));
            }
        }
        if leaves.is_empty() { 0 } else { self.tree.replace(&leaves) }
    }

    /// Makes everything anew from the first of the changes on.
    fn merge(&mut self, changes: &BTreeMap<[u8; K], Option<NodeHash>>) -> usize {
        let Some((first, _)) = changes.first_key_value() else { return 0 };
        let start = self.find(first).unwrap_or_else(|place| place);
        let mut old = self.entries.split_off(start).into_iter().peekable();
        for (key, value) in changes {
            while let Some(entry) = old.next_if(|(other, _)| other < key) {
                self.entries.push(entry);
            }
            old.next_if(|(other, _)| other == key);
            self.entries.extend(value.map(|value| (*key, value)));
        }
        self.entries.extend(old);
        let tail = &self.entries[start..];
        let leaves: Vec<_> = tail.par_iter().map(|(key, value)| entry_hash(key, value)).collect();
        self.tree.replace_tail(start, leaves)
    }
}
