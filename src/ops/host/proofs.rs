//! Proofs that a pack's shards are there.

use bytes::Bytes;

use crate::cas::{PackTree, pack_name};
use crate::format::log::PackRecord;
use crate::format::wire::{FailCode, Failure, Shards};
use crate::limits::{FRAME_BODY_LEN_MAX, PIECE_LEN};
use crate::store::StorageBackend;

use super::hosted::{damaged, logged};

/// What proves the shards of a pack.
#[derive(Debug)]
pub(super) struct Proofs(PackTree);

impl Proofs {
    /// Reads a pack. Whether it is what the log says the asker sees from the proofs.
    pub(super) fn read(store: &dyn StorageBackend, record: &PackRecord) -> Result<Self, Failure> {
        let tree = PackTree::read(store, record).map_err(|error| match &error {
            crate::cas::CasError::Store { source } => logged(source),
            error => damaged(error),
        })?;
        if tree.is_damaged() {
            tracing::warn!(file = %pack_name(&record.uid), "a pack is damaged; `warp check --repair` heals what can be healed");
        }
        Ok(Self(tree))
    }

    /// Shards with their paths: fewer than asked for, where no more fit a frame.
    pub(super) fn prove(
        &self,
        store: &dyn StorageBackend,
        record_name: &crate::store::BlobName,
        first: u32,
        count: u32,
    ) -> Result<Shards, Failure> {
        let all = self.0.shards();
        let beyond = || Failure::new(FailCode::Short, all, format!("the pack has {all} shards"));
        if u64::from(first) >= all {
            return Err(beyond());
        }
        let header = self.0.header();
        let path_len = 2 + 32 * 64_u64.saturating_sub(u64::from(all.leading_zeros()));
        let fit =
            (PIECE_LEN as u64 / u64::from(header.shard_len)).min((FRAME_BODY_LEN_MAX as u64 - 32) / path_len);
        let count = u64::from(count).min(fit.max(1)).min(all - u64::from(first));
        let (start, _) = header.shard_place(u64::from(first));
        let (last, last_len) = header.shard_place(u64::from(first) + count - 1);
        let len = usize::try_from(last + last_len - start).expect("a frame's payload");
        let bytes = store.read_at(record_name, start, len).map_err(|error| logged(&error))?;
        let proof = |index: u64| self.0.proof(index).expect("there is such a leaf").path;
        Ok(Shards {
            shard_len: header.shard_len,
            leaf_count: all,
            paths: (u64::from(first)..u64::from(first) + count).map(proof).collect(),
            bytes: Bytes::from(bytes),
        })
    }
}
