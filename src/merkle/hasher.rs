//! Roots over bytes that arrive in pieces of any length.

use super::{NodeHash, RootBuilder};
use crate::id::Root;
use std::num::NonZeroUsize;

/// Cuts a byte string into shards as it arrives and hashes them.
///
/// A shard is gathered behind its prefix and hashed in one go: BLAKE3 is at full width only on whole inputs.
#[derive(Debug, Clone)]
pub struct ShardHasher {
    shard_len: NonZeroUsize,
    /// The leaf prefix and the bytes of the shard that is not yet full.
    open: Vec<u8>,
    leaves: Vec<NodeHash>,
}

impl ShardHasher {
    /// A hasher for shards of `shard_len` bytes. Takes that much memory, and 32 bytes for each shard.
    pub fn new(shard_len: NonZeroUsize) -> Self {
        let mut open = Vec::with_capacity(1 + shard_len.get());
        open.push(0);
        Self { shard_len, open, leaves: Vec::new() }
    }

    /// Appends bytes.
    pub fn update(&mut self, mut data: &[u8]) {
        while !data.is_empty() {
            let room = 1 + self.shard_len.get() - self.open.len();
            let (now, later) = data.split_at(room.min(data.len()));
            self.open.extend_from_slice(now);
            data = later;
            if self.open.len() > self.shard_len.get() {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        self.leaves.push(*blake3::hash(&self.open).as_bytes());
        self.open.truncate(1);
    }

    /// Hashes of all shards; the last one may be shorter.
    pub fn into_leaves(mut self) -> Vec<NodeHash> {
        if self.open.len() > 1 {
            self.close();
        }
        self.leaves
    }

    /// The root over all shards.
    pub fn finish(self) -> Root {
        let mut builder = RootBuilder::default();
        self.into_leaves().into_iter().for_each(|leaf| builder.push(leaf));
        builder.root()
    }
}

/// The root over the shards of a byte string, which is given in pieces that lie one behind the other.
pub fn root_of_shards<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, shard_len: NonZeroUsize) -> Root {
    let mut hasher = ShardHasher::new(shard_len);
    pieces.into_iter().for_each(|piece| hasher.update(piece));
    hasher.finish()
}
