//! The Merkle tree over a pack's payload, for proofs of its shards.

use std::num::NonZeroUsize;

use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::limits::PIECE_LEN;
use crate::merkle::{MerkleProof, MerkleTree, ShardHasher};
use crate::store::StorageBackend;

use super::{CasError, heal, pack_header, pack_name, read_damaged};

/// The tree over the payload of one pack.
#[derive(Debug)]
pub struct PackTree {
    header: PackHeader,
    tree: MerkleTree,
    is_damaged: bool,
}

impl PackTree {
    /// Makes the tree of a pack's file. One byte that is wrong changes the paths of all other shards: where the file is damaged and can be healed, the
    /// tree is that of the pack as it was written, so that all shards but the wrong ones can still be proved. Of one that cannot be healed it is that
    /// of the file, and proves nothing.
    ///
    /// # Errors
    /// When no copy of the header is whole, or the file can be neither read nor healed.
    pub fn read(store: &dyn StorageBackend, record: &PackRecord) -> Result<Self, CasError> {
        let header = pack_header(store, record)?;
        let tree = match of_file(store, record, &header) {
            Ok(tree) if tree.root() == record.payload_root => {
                return Ok(Self { header, tree, is_damaged: false });
            }
            found => of_healed(store, record, &header).map_or(found, Ok)?,
        };
        Ok(Self { header, tree, is_damaged: true })
    }

    /// The pack's header.
    pub fn header(&self) -> &PackHeader {
        &self.header
    }

    /// Whether the payload of the file is not what the log says.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// How many shards there are.
    pub fn shards(&self) -> u64 {
        self.tree.leaves().len() as u64
    }

    /// The path of a shard; `None`: there is no such shard.
    pub fn proof(&self, shard: u64) -> Option<MerkleProof> {
        self.tree.proof(usize::try_from(shard).ok()?)
    }
}

/// The tree of the bytes that are there.
fn of_file(
    store: &dyn StorageBackend,
    record: &PackRecord,
    header: &PackHeader,
) -> Result<MerkleTree, CasError> {
    let name = pack_name(&record.uid);
    let mut hasher = ShardHasher::new(shard_len(header));
    let (mut at, end) = (header.first_directory_offset(), header.parity_offset());
    while at < end {
        let len = (end - at).min(PIECE_LEN as u64) as usize;
        hasher.update(&store.read_at(&name, at, len)?);
        at += len as u64;
    }
    Ok(MerkleTree::from_leaves(hasher.into_leaves()))
}

/// The tree of the pack as it was written; `None`: it cannot be healed.
fn of_healed(store: &dyn StorageBackend, record: &PackRecord, header: &PackHeader) -> Option<MerkleTree> {
    let healed = heal(&read_damaged(store, &record.uid).ok()?, record).ok()?.bytes;
    let range = header.first_directory_offset() as usize..header.parity_offset() as usize;
    let mut hasher = ShardHasher::new(shard_len(header));
    hasher.update(healed.get(range)?);
    Some(MerkleTree::from_leaves(hasher.into_leaves()))
}

fn shard_len(header: &PackHeader) -> NonZeroUsize {
    NonZeroUsize::new(header.shard_len as usize).expect("a header's check")
}
