#![doc = include_str!("index.md")]
mod footer;
mod page;
mod side;
#[cfg(test)]
mod tests;

pub use page::{PageView, decode_page, encode_page};
pub use side::{decode_deltas, decode_features, encode_deltas, encode_features};

use super::DecodeError;
use super::codec::{Reader, Writer, limit, verify_checksum};
use super::pack::{Bases, Cipher, WrappedKey};
use crate::id::{FamilyId, Locator, ObjectKind, PackId, SegmentId};
use crate::limits;

const WHAT: &str = "index segment header";
const MAGIC: &[u8; 8] = b"WARPINDX";
const VERSION: u16 = 1;

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
    /// Length of the sealed table of deltas behind it; 0: none.
    pub deltas_len: u32,
    /// Length of the sealed table of features behind that; 0: none.
    pub features_len: u32,
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
    /// Bits 0 to 2: depth of the delta that is stored, with a row in the table of deltas; 0: stored in full.
    pub flags: u8,
}

/// Bases of an object that is stored as a delta, as in a pack's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexDelta {
    /// Number of the row in the segment.
    pub row: u32,
    /// The bases.
    pub bases: Bases,
}

/// A feature of a chunk's sketch, and where the chunk is. Chunks that are alike have features in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexFeature {
    /// The feature.
    pub feature: u32,
    /// Number of the chunk's row in the segment.
    pub row: u32,
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
}

/// Rows that fit a page of [`INDEX_PAGE_LEN`](crate::limits::INDEX_PAGE_LEN) bytes at 24 bytes a row.
pub const ROWS_PER_PAGE: usize = limits::INDEX_PAGE_LEN / IndexRow::LEN;

impl IndexRow {
    /// Bits of [`flags`](Self::flags) that tell the depth.
    pub const DEPTH: u8 = 7;

    /// How many deltas one above the other make the object; 0: it is stored in full.
    pub fn depth(&self) -> u8 {
        self.flags & Self::DEPTH
    }
}

impl SegmentHeader {
    /// Length of a header in bytes.
    pub const LEN: usize = 192;

    /// How many pages `rows` rows fill.
    pub fn pages_for(rows: u32) -> u32 {
        rows.div_ceil(ROWS_PER_PAGE as u32)
    }

    /// Most bytes of the sealed footer of a segment with `rows` rows: 2 MiB for the packs, and 8 bytes a row for
    /// fences and filter.
    pub fn footer_len_max(rows: u32) -> u64 {
        2 * limits::MIB as u64 + 8 * u64::from(rows)
    }

    /// Most bytes of a sealed table beside the footer of a segment with `rows` rows.
    pub fn side_len_max(rows: u32) -> u64 {
        limits::KIB as u64 + 72 * u64::from(rows)
    }

    /// How many rows page `page` holds; 0 if there is no such page.
    pub fn rows_in_page(&self, page: u32) -> usize {
        let before = u64::from(page) * ROWS_PER_PAGE as u64;
        u64::from(self.rows).saturating_sub(before).min(ROWS_PER_PAGE as u64) as usize
    }

    /// The bytes that stand at both ends of the segment.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.u8(self.cipher as u8);
        writer.reserved(1);
        writer.bytes(self.family.as_bytes());
        writer.bytes(self.uid.as_bytes());
        writer.u32(self.epoch);
        self.key.encode(&mut writer);
        writer.u32(self.rows);
        writer.u32(self.pages);
        writer.u32(self.footer_len);
        writer.u32(self.deltas_len);
        writer.u32(self.features_len);
        writer.reserved(8);
        writer.checksum();
        writer.into_bytes().try_into().expect("the fields add up to LEN")
    }

    /// Reads a header or trailer; `bytes` are exactly [`Self::LEN`].
    ///
    /// # Errors
    /// If it is no header, is of a newer version, is damaged, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let mut whole = Reader::new(WHAT, bytes);
        verify_checksum(WHAT, whole.take(Self::LEN)?)?;
        whole.finish()?;
        let header = Self::decode_fields(&mut reader)?;
        header.check()?;
        Ok(header)
    }

    fn decode_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cipher = Cipher::decode(reader)?;
        reader.reserved(1)?;
        let header = Self {
            cipher,
            family: FamilyId::new(reader.array()?),
            uid: SegmentId::new(reader.array()?),
            epoch: reader.u32()?,
            key: WrappedKey::decode(reader)?,
            rows: reader.u32()?,
            pages: reader.u32()?,
            footer_len: reader.u32()?,
            deltas_len: reader.u32()?,
            features_len: reader.u32()?,
        };
        reader.reserved(8)?;
        Ok(header)
    }

    /// Checks that rows, pages and footer fit each other and their limits.
    ///
    /// # Errors
    /// The rule that it breaks. A decoder refuses such a header, so a writer asks before it writes one.
    pub fn check(&self) -> Result<(), DecodeError> {
        limit("number of rows", self.rows.into(), limits::SEGMENT_ROWS_MAX as u64)?;
        limit("length of the footer", self.footer_len.into(), Self::footer_len_max(self.rows))?;
        limit("length of the table of deltas", self.deltas_len.into(), Self::side_len_max(self.rows))?;
        limit("length of the table of features", self.features_len.into(), Self::side_len_max(self.rows))?;
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.pages == Self::pages_for(self.rows), "its pages do not fit its rows")?;
        rule.ensure(self.footer_len > 0, "its footer has no bytes")
    }
}
