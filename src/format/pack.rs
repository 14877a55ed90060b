//! Packs: the header (which is also the trailer), and the directory.
use crate::id::{ChunkId, FamilyId, Locator, ObjectKind, PackId, Root};

/// How the bytes of a repository are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Cipher {
    /// Not encrypted: a keyed BLAKE3 tag in place of the cipher's, so that damage is still found.
    None = 0,
    /// XChaCha20-Poly1305.
    XChaCha20Poly1305 = 1,
}

/// What a pack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PackContent {
    /// Bytes of files.
    Data = 1,
    /// Nodes, commits, state.
    Metadata = 2,
    /// Both: a small commit in one pack, whose directory serves as its index.
    Mixed = 3,
}

/// How a pack's own key is wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// 0: under the epoch key named in the header. 1 (reserved): to a public key.
    pub wrap: u8,
    /// Nonce of the wrap.
    pub nonce: [u8; 24],
    /// The key (32 bytes) and the tag (16).
    pub sealed: [u8; 48],
}

/// The first and, identical, the last [`PackHeader::LEN`] bytes of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackHeader {
    /// What the pack holds.
    pub content: PackContent,
    /// How its blocks and directory are sealed.
    pub cipher: Cipher,
    /// The keys' family.
    pub family: FamilyId,
    /// The pack's name.
    pub uid: PackId,
    /// Which data key wraps the pack's key.
    pub epoch: u32,
    /// The pack's key.
    pub key: WrappedKey,
    /// Length of the sealed directory in bytes. It lies behind the header, and once more behind the blocks.
    pub directory_len: u32,
    /// Bytes of all sealed blocks, which lie between the two directories.
    pub blocks_len: u64,
    /// Length of the padding behind the second directory.
    pub padding_len: u64,
    /// Length of one shard in bytes; the Merkle root and the parity are computed over these.
    pub shard_len: u32,
    /// Merkle root over the shards of the payload: first directory, blocks, second directory, padding.
    pub payload_root: Root,
    /// Parity shards, which lie behind the padding. 0: none.
    pub parity_shards: u16,
    /// Merkle root over the parity shards; all zero without them.
    pub parity_root: Root,
}

/// How a block's plaintext is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BlockCodec {
    /// As it is.
    Stored = 0,
    /// One zstd frame.
    Zstd = 1,
}

/// One sealed block. Blocks lie one behind the other, without gaps, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockEntry {
    /// Length as stored, sealed.
    pub stored_len: u32,
    /// How its plaintext is compressed.
    pub codec: BlockCodec,
    /// How many objects lie in it; their lengths add up to its plaintext length.
    pub objects: u32,
}

/// One object in a block. Objects lie one behind the other, without gaps, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectEntry {
    /// First half of its id.
    pub locator: Locator,
    /// Its kind.
    pub kind: ObjectKind,
    /// Its length in the block: of its plaintext or, for a delta, of the delta.
    pub len: u32,
}

/// A stored delta: reserved, no version 1 pack of this release holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaEntry {
    /// Which object of the directory (its number over all blocks) is a delta.
    pub object: u32,
    /// The object that it is a delta against.
    pub base: ChunkId,
    /// Length of the object itself.
    pub len: u32,
}

/// What lies where in a pack: the plaintext of its sealed directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackDirectory {
    /// The blocks, in order.
    pub blocks: Vec<BlockEntry>,
    /// The objects of all blocks, in order.
    pub objects: Vec<ObjectEntry>,
    /// Which of them are deltas.
    pub deltas: Vec<DeltaEntry>,
}
