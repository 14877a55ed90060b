//! Proofs that a pack's shards are there.

use std::num::NonZeroUsize;

use bytes::Bytes;

use crate::cas::{pack_header, pack_name};
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::format::wire::{FailCode, Failure, Shards};
use crate::limits::{FRAME_BODY_LEN_MAX, PIECE_LEN};
use crate::merkle::{MerkleTree, ShardHasher};
use crate::store::StorageBackend;

use super::hosted::{damaged, logged};

/// The Merkle tree over the payload of a pack, as its file is.
#[derive(Debug)]
pub(super) struct Proofs {
    header: PackHeader,
    tree: MerkleTree,
}

impl Proofs {
    /// Reads a pack. Whether it is what the log says the asker sees from the proofs.
    pub(super) fn read(store: &dyn StorageBackend, record: &PackRecord) -> Result<Self, Failure> {
        let header = pack_header(store, record).map_err(|error| damaged(&error))?;
        let name = pack_name(&record.uid);
        let shard_len = NonZeroUsize::new(header.shard_len as usize).expect("a header's check");
        let mut hasher = ShardHasher::new(shard_len);
        let (mut at, end) = (header.first_directory_offset(), header.parity_offset());
        while at < end {
            let len = (end - at).min(PIECE_LEN as u64) as usize;
            hasher.update(&store.read_at(&name, at, len).map_err(|error| logged(&error))?);
            at += len as u64;
        }
        Ok(Self { header, tree: MerkleTree::from_leaves(hasher.into_leaves()) })
    }

    /// Shards with their paths: fewer than asked for, where no more fit a frame.
    pub(super) fn prove(
        &self,
        store: &dyn StorageBackend,
        record_name: &crate::store::BlobName,
        first: u32,
        count: u32,
    ) -> Result<Shards, Failure> {
        let all = self.tree.leaves().len() as u64;
        let beyond = || Failure::new(FailCode::Short, all, format!("the pack has {all} shards"));
        if u64::from(first) >= all {
            return Err(beyond());
        }
        let path_len = 2 + 32 * 64_u64.saturating_sub(u64::from(all.leading_zeros()));
        let fit = (PIECE_LEN as u64 / u64::from(self.header.shard_len))
            .min((FRAME_BODY_LEN_MAX as u64 - 32) / path_len);
        let count = u64::from(count).min(fit.max(1)).min(all - u64::from(first));
        let (start, _) = self.header.shard_place(u64::from(first));
        let (last, last_len) = self.header.shard_place(u64::from(first) + count - 1);
        let len = usize::try_from(last + last_len - start).expect("a frame's payload");
        let bytes = store.read_at(record_name, start, len).map_err(|error| logged(&error))?;
        let proof = |index: u64| self.tree.proof(index as usize).expect("there is such a leaf").path;
        Ok(Shards {
            shard_len: self.header.shard_len,
            leaf_count: all,
            paths: (u64::from(first)..u64::from(first) + count).map(proof).collect(),
            bytes: Bytes::from(bytes),
        })
    }
}
