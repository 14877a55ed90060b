//! Index segments: sorted rows that say in which pack, block and place an object lies.
use super::pack::{Cipher, WrappedKey};
use crate::id::{ChunkId, FamilyId, Locator, ObjectKind, PackId, SegmentId};

/// The first and, identical, the last [`SegmentHeader::LEN`] bytes of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentHeader {
    /// How pages and footer are sealed.
    pub cipher: Cipher,
    /// The keys' family.
    pub family: FamilyId,
    /// The segment's name.
    pub uid: SegmentId,
    /// Which data key wraps the segment's key.
    pub epoch: u32,
    /// The segment's key.
    pub key: WrappedKey,
    /// How many rows it has.
    pub rows: u32,
    /// How many pages the rows fill; each is sealed on its own and, but for the last, holds [`ROWS_PER_PAGE`] rows.
    pub pages: u32,
    /// Length of the sealed footer, which lies behind the pages.
    pub footer_len: u32,
}

/// Where one object lies. Rows are sorted by locator, then kind, pack, block, slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexRow {
    /// First half of the object's id.
    pub locator: Locator,
    /// Its kind.
    pub kind: ObjectKind,
    /// Number of its pack in the segment's table.
    pub pack: u16,
    /// Number of its block in the pack.
    pub block: u16,
    /// Number of the object in the block.
    pub slot: u16,
    /// Bit 0: stored as a delta, with a row in the footer's side table.
    pub flags: u8,
}

/// Base of an object that is stored as a delta: reserved, as in a pack's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDelta {
    /// Number of the row in the segment.
    pub row: u32,
    /// The base.
    pub base: ChunkId,
}

/// Similarity sketch of a chunk: reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexSketch {
    /// Number of the row in the segment.
    pub row: u32,
    /// Smallest keyed hashes of its parts.
    pub features: [u32; 4],
}

/// What a reader keeps in memory of a segment: the plaintext of its sealed footer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentFooter {
    /// The packs that rows name by number.
    pub packs: Vec<PackId>,
    /// Locator of the first row of every page.
    pub fences: Vec<Locator>,
    /// A blocked Bloom filter over the locators (see `cas`); empty: none.
    pub filter: Vec<u8>,
    /// Bases of deltas.
    pub deltas: Vec<IndexDelta>,
    /// Sketches.
    pub sketches: Vec<IndexSketch>,
}

/// Rows that fit a page of [`INDEX_PAGE_LEN`](crate::limits::INDEX_PAGE_LEN) bytes at 24 bytes a row.
pub const ROWS_PER_PAGE: usize = crate::limits::INDEX_PAGE_LEN / 24;
