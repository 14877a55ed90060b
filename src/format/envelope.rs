#![doc = include_str!("envelope.md")]
use super::DecodeError;
use super::codec::{Reader, Writer, limit, verify_checksum};
use super::pack::ShardMark;
use crate::id::Root;
use crate::limits::ENVELOPE_CONTENT_LEN_MAX;

const WHAT: &str = "envelope";
const MAGIC: &[u8; 8] = b"WARPHEAL";
const VERSION: u16 = 1;
const SHARD_LEN_MIN: u32 = 64;
const SHARD_LEN_MAX: u32 = 1 << 16;
/// The shortest run of bytes that may be lost: a sector.
const LOSS_MIN: u64 = 512;
/// The share of the whole that may be lost, if that is more.
const LOSS_SHARE: u64 = 32;

/// What stands at both ends of an envelope. Everything but the hash follows from the content's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeHeader {
    /// Length of the content in bytes.
    pub content_len: u32,
    /// BLAKE3 of the content.
    pub content_hash: Root,
    shard_len: u32,
    parity_shards: u16,
}

impl EnvelopeHeader {
    /// Length in bytes.
    pub const LEN: usize = 96;

    /// The header of an envelope around `content`.
    ///
    /// # Errors
    /// [`DecodeError::Limit`], [`DecodeError::Invalid`]: it is empty or too long.
    pub fn new(content: &[u8]) -> Result<Self, DecodeError> {
        Self::with(content.len() as u64, Root::new(blake3::hash(content).into()))
    }

    fn with(content_len: u64, content_hash: Root) -> Result<Self, DecodeError> {
        limit("length of an envelope's content", content_len, ENVELOPE_CONTENT_LEN_MAX as u64)?;
        let content_len = content_len as u32;
        Reader::new(WHAT, &[]).ensure(content_len > 0, "it has no content")?;
        let shard_len =
            (content_len / 16).clamp(SHARD_LEN_MIN, SHARD_LEN_MAX).next_multiple_of(SHARD_LEN_MIN);
        let mut header = Self { content_len, content_hash, shard_len, parity_shards: 0 };
        loop {
            let needed = header.touched_by(LOSS_MIN.max(header.total_len() / LOSS_SHARE));
            if needed <= u64::from(header.parity_shards) {
                return Ok(header);
            }
            header.parity_shards =
                u16::try_from(needed).expect("a 32nd of the longest envelope is few shards");
        }
    }

    /// How many shards a run of `len` bytes may touch.
    fn touched_by(&self, len: u64) -> u64 {
        (len - 2) / u64::from(self.shard_len) + 2
    }

    /// Its bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.u16(self.parity_shards);
        writer.u32(self.shard_len);
        writer.u32(self.content_len);
        writer.reserved(12);
        writer.bytes(self.content_hash.as_bytes());
        writer.checksum();
        writer.into_bytes().try_into().expect("the fields add up to its length")
    }

    /// Reads a header.
    ///
    /// # Errors
    /// If it is none, is damaged, of a newer version, or its numbers do not go together.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let mut reader = Reader::new(WHAT, &verify_checksum(WHAT, bytes)?[10..]);
        let (parity_shards, shard_len, content_len) = (reader.u16()?, reader.u32()?, reader.u32()?);
        reader.reserved(12)?;
        let content_hash = Root::new(reader.array()?);
        reader.finish()?;
        let header = Self::with(content_len.into(), content_hash)?;
        let agrees = (header.parity_shards, header.shard_len) == (parity_shards, shard_len);
        Reader::new(WHAT, &[]).ensure(agrees, "its shards are not those that its length gives")?;
        Ok(header)
    }

    /// Length of a shard in bytes.
    pub fn shard_len(&self) -> u32 {
        self.shard_len
    }

    /// Shards of content.
    pub fn content_shards(&self) -> usize {
        self.content_len.div_ceil(self.shard_len) as usize
    }

    /// Shards of parity: how many damaged shards can be healed.
    pub fn parity_shards(&self) -> usize {
        self.parity_shards.into()
    }

    /// Shards of content and parity.
    pub fn shards(&self) -> usize {
        self.content_shards() + self.parity_shards()
    }

    /// Where the first shard table begins, in bytes.
    pub fn first_table_offset(&self) -> u64 {
        Self::LEN as u64
    }

    /// Length of a shard table in bytes.
    pub fn table_len(&self) -> u64 {
        (self.shards() * ShardMark::LEN) as u64
    }

    /// Where the content begins, in bytes.
    pub fn content_offset(&self) -> u64 {
        self.first_table_offset() + self.table_len()
    }

    /// Where a shard begins, in bytes; all have [`shard_len`](Self::shard_len) bytes.
    pub fn shard_offset(&self, shard: usize) -> u64 {
        self.content_offset() + shard as u64 * u64::from(self.shard_len)
    }

    /// Where the second shard table begins, in bytes.
    pub fn second_table_offset(&self) -> u64 {
        self.shard_offset(self.shards())
    }

    /// Length of the whole envelope in bytes.
    pub fn total_len(&self) -> u64 {
        self.second_table_offset() + self.table_len() + Self::LEN as u64
    }

    /// The longest run of bytes that can be lost at any one place.
    pub fn loss_max(&self) -> u64 {
        LOSS_MIN.max(self.total_len() / LOSS_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{assert_damage_is_found, assert_golden};
    use super::*;

    fn recode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(EnvelopeHeader::decode(bytes)?.encode().to_vec())
    }

    #[test]
    fn the_bytes_are_the_golden_ones_and_damage_to_them_is_found() {
        let header = EnvelopeHeader::new(&[7; 1000]).unwrap();
        assert_golden(&header.encode(), "envelope_header.hex");
        assert_damage_is_found(&header.encode(), recode);
    }

    #[test]
    fn regions_follow_one_another_and_the_parity_replaces_what_a_loss_touches() {
        for len in [1, 63, 64, 65, 511, 1000, 1025, 4000, 100_000, 1 << 20, ENVELOPE_CONTENT_LEN_MAX] {
            let header = EnvelopeHeader::with(len as u64, Root::new([1; 32])).unwrap();
            let shard_len = u64::from(header.shard_len());
            assert!(header.content_shards() as u64 * shard_len >= len as u64);
            assert_eq!(header.second_table_offset(), header.shard_offset(header.shards()));
            assert!(header.total_len() <= crate::limits::ENVELOPE_LEN_MAX, "{len}");
            let middle = header.second_table_offset() - header.content_offset();
            let loss = header.loss_max();
            assert!(loss < middle, "a loss of {loss} at one place must not reach both ends of {middle}");
            let touched = (0..shard_len).map(|start| (start + loss).div_ceil(shard_len)).max().unwrap();
            assert_eq!(touched, header.parity_shards() as u64, "{len}");
        }
    }

    #[test]
    fn nothing_and_too_much_have_no_envelope() {
        assert!(matches!(EnvelopeHeader::new(&[]), Err(DecodeError::Invalid { .. })));
        let long = EnvelopeHeader::with(ENVELOPE_CONTENT_LEN_MAX as u64 + 1, Root::new([0; 32]));
        assert!(matches!(long, Err(DecodeError::Limit { .. })));
    }
}
