//! Every maximum, with its reason. A decoder checks these before it allocates or computes with a length that it read.

/// One binary kilobyte.
pub const KIB: usize = 1 << 10;
/// One binary megabyte.
pub const MIB: usize = 1 << 20;

/// Most bytes of one object (chunk, node, commit): a chunk of the largest preset, with room above it.
pub const OBJECT_LEN_MAX: usize = 4 * MIB;
/// Plaintext length at which a block is closed: as far back as zstd looks at the level that is used most, and small enough
/// to open for one chunk.
pub const BLOCK_LEN_TARGET: usize = 2 * MIB;
/// Most plaintext bytes of a block: a nearly full one and one more object.
pub const BLOCK_LEN_MAX: usize = BLOCK_LEN_TARGET + OBJECT_LEN_MAX;
/// Most bytes that sealing and incompressible data can add to a block.
pub const BLOCK_OVERHEAD_MAX: usize = 4 * KIB;
/// Most bytes of a pack: bounds the work of rewriting one.
pub const PACK_LEN_MAX: usize = 64 * MIB;
/// Where this release begins another pack. One is filled while another is written, so it bounds a writer's
/// memory.
pub const PACK_LEN_FULL: usize = 32 * MIB;
/// Most blocks of a pack; a block is never empty, and its number fits an index row's 16 bits.
pub const PACK_BLOCKS_MAX: usize = 1 << 16;
/// Most objects of one block; an object's number fits an index row's 16 bits.
pub const BLOCK_OBJECTS_MAX: usize = 1 << 16;
/// Most bases of one delta: each may cost a reader a block. A chunk seldom spans more than two old ones.
pub const BASES_MAX: usize = 4;
/// Most deltas one above the other: each level costs a reader a block, or several.
pub const DELTA_DEPTH_MAX: u8 = 4;
/// Most objects of a pack: its directory, about 20 bytes each, stays below [`BLOCK_LEN_MAX`].
pub const PACK_OBJECTS_MAX: usize = 1 << 17;
/// Most bytes of a sealed pack directory.
pub const DIRECTORY_LEN_MAX: usize = 48 * MIB;
/// Plaintext length of an index page: one read and one decryption for a lookup.
pub const INDEX_PAGE_LEN: usize = 16 * KIB;
/// Most rows of an index segment (24 bytes each: 1.6 GB).
pub const SEGMENT_ROWS_MAX: usize = 1 << 26;
/// Most packs that one index segment speaks of: the pack's number fits a row's 16 bits.
pub const SEGMENT_PACKS_MAX: usize = 1 << 16;
/// Most bytes of one log entry: an entry that must name more is split by its writer.
pub const LOG_ENTRY_LEN_MAX: usize = 64 * MIB;
/// Most bytes within an envelope: those of one log entry.
pub const ENVELOPE_CONTENT_LEN_MAX: usize = LOG_ENTRY_LEN_MAX;
/// Most bytes of an envelope: the content, a 32nd of the whole as parity, shard tables and headers.
pub const ENVELOPE_LEN_MAX: u64 = (ENVELOPE_CONTENT_LEN_MAX + ENVELOPE_CONTENT_LEN_MAX / 16) as u64;
/// Most bytes of a bundle's manifest: one log entry must take what it says.
pub const BUNDLE_MANIFEST_LEN_MAX: usize = LOG_ENTRY_LEN_MAX;
/// Most bytes of a frame's payload, and of each piece of a blob that is carried in several: what waits on its way in memory.
pub const PIECE_LEN: usize = MIB;
/// Most bytes of what a frame says of its payload: a page of a listing.
pub const FRAME_BODY_LEN_MAX: usize = 256 * KIB;
/// Most members of a group that packs are spread over: each has a connection, and their numbers have two digits.
pub const GROUP_MEMBERS_MAX: usize = 64;
/// Most shards that are proved in one frame: as many of the shortest as fit a payload.
pub const PROOFS_MAX: usize = 2048;
/// Most bytes of a repository's path at a server.
pub const REPOSITORY_NAME_LEN_MAX: usize = KIB;
/// Most bytes of one part of it: a folder of that name takes any suffix that a server may need.
pub const REPOSITORY_PART_LEN_MAX: usize = 100;
/// Most bytes of the state of a working directory that a client keeps: about 10 for each of 100 million files.
pub const LIVE_STATE_LEN_MAX: u64 = 1 << 30;
/// Most bytes of the repository's configuration.
pub const CONFIG_LEN_MAX: usize = MIB;
/// Most key slots of a repository: each costs a key derivation to try.
pub const KEY_SLOTS_MAX: usize = 64;
/// Bounds of a key slot's Argon2id memory, in KiB: below is unsafe, above could stop a small machine.
pub const KDF_MEMORY_KIB: std::ops::RangeInclusive<u32> = KDF_MEMORY_KIB_MIN..=4 * 1024 * 1024;
#[cfg(not(feature = "testing"))]
const KDF_MEMORY_KIB_MIN: u32 = 64 * 1024;
#[cfg(feature = "testing")]
const KDF_MEMORY_KIB_MIN: u32 = 8;
/// Bounds of a key slot's Argon2id passes.
pub const KDF_PASSES: std::ops::RangeInclusive<u32> = 1..=64;
/// Bounds of a key slot's Argon2id lanes.
pub const KDF_LANES: std::ops::RangeInclusive<u32> = 1..=64;
/// Most bytes of a file name: what Linux allows (`NAME_MAX`).
pub const NAME_LEN_MAX: usize = 255;
/// Most bytes of a symbolic link's target: what Linux allows (`PATH_MAX`).
pub const LINK_TARGET_LEN_MAX: usize = 4096;
/// Most bytes of one extended attribute's value: what Linux allows (`XATTR_SIZE_MAX`).
pub const XATTR_VALUE_LEN_MAX: usize = 64 * KIB;
/// Most bytes of all extended attribute names of one file: what Linux allows (`XATTR_LIST_MAX`).
pub const XATTR_LIST_LEN_MAX: usize = 64 * KIB;
/// Deepest directory that is read back: a path of more would not fit any system call, and a decoder must not recurse for ever.
pub const TREE_DEPTH_MAX: usize = 2048;
/// Most levels of a file's or a directory's node tree: 16^16 chunks are beyond any file.
pub const NODE_LEVEL_MAX: u8 = 16;
/// Most bytes of a file that are read to show a text difference.
pub const TEXT_DIFF_LEN_MAX: u64 = 16 << 20;
