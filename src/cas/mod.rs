//! Content-addressed storage over a store: objects in solid blocks, blocks in packs, packs found by an index.
//!
//! Writing: a [`Sealer`] takes objects, drops those that are known (the one deduplication decision), and hands out
//! finished packs. Reading: a [`ChunkStore`] finds an object by the [`Index`], opens its block and verifies its id. A pack that is
//! damaged is healed in memory by its parity, and read on.

mod audit;
mod block;
mod chunk_store;
mod envelope;
mod error;
mod filter;
mod find_many;
mod fresh;
mod heal;
mod healer;
mod index;
mod lone_pack;
mod merge;
mod near;
mod pack_reader;
mod pack_stream;
mod pack_tree;
mod pack_writer;
mod padding;
mod sealer;
mod segment;
mod shard_stream;
#[cfg(test)]
mod testkit;
mod vault;

pub use audit::{SealedPack, SegmentAudit, check_segment_bytes, pack_header};
pub use block::{Block, BlockBuilder, DeltaOf};
pub use chunk_store::{Base, ChunkStore, Delta, Location, OpenBlock};
pub use envelope::{EnvelopeError, Opened, envelope_is_whole, open_envelope, seal_envelope};
pub use error::CasError;
pub use heal::{HealError, Healed, PackHealth, heal, inspect, is_as_written};
pub use healer::{pack_health, read_damaged};
pub use index::{Alike, Index, IndexView, Refresh};
pub use lone_pack::{PackFault, PackReport, ReadPack, examine_known_pack, examine_pack, pack_record};
pub use merge::PackFeatures;
pub use near::{NearParts, SegmentPart};
pub use pack_reader::PackMap;
pub use pack_stream::PackStream;
pub use pack_tree::PackTree;
pub use pack_writer::FinishedPack;
pub use sealer::{Claim, Sealer, SealerCounts};
pub use segment::{FinishedSegment, SegmentWriter};
pub use shard_stream::ShardStream;
pub use vault::{Part, Vault, pack_name, segment_name};
