#![doc = include_str!("pack.md")]
mod directory;
mod parity;
#[cfg(test)]
mod tests;

pub use parity::{Parity, ParityError, PayloadFit, ShardMark};

use super::DecodeError;
use super::codec::{Reader, Writer, limit, verify_checksum};
use crate::id::{FamilyId, Locator, ObjectKind, PackId, Root};
use crate::limits;

const WHAT: &str = "pack header";
const MAGIC: &[u8; 8] = b"WARPPACK";
const VERSION: u16 = 1;

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
    /// Length of the sealed directory in bytes. It lies in front of the blocks, and once more behind them.
    pub directory_len: u32,
    /// Bytes of all sealed blocks, which lie between the two directories.
    pub blocks_len: u64,
    /// Length of the padding behind the second directory.
    pub padding_len: u64,
    /// Length of one shard in bytes; the Merkle root and the parity are computed over these.
    pub shard_len: u32,
    /// Merkle root over the shards of the payload: first directory, blocks, second directory, padding.
    pub payload_root: Root,
    /// Parity shards, which lie behind the padding. 0: none, and no shard tables.
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

/// An object that is stored as a delta: a zstd frame with its bases, one behind the other, as prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaEntry {
    /// Which object of the directory (its number over all blocks) is a delta.
    pub object: u32,
    /// Length of the object itself.
    pub len: u32,
    /// How many deltas one above the other make it: 1 where its bases are stored in full.
    pub depth: u8,
    /// The objects that it is a delta against.
    pub bases: Bases,
}

/// The bases of a delta, in the order in which they are its prefix: first halves of the ids of 1 to
/// [`BASES_MAX`](limits::BASES_MAX) objects of its own kind.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bases {
    len: u8,
    locators: [Locator; limits::BASES_MAX],
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

impl Bases {
    /// These bases; `None` if there is none, or too many.
    pub fn new(locators: &[Locator]) -> Option<Self> {
        let mut all = [Locator::new([0; Locator::LEN]); limits::BASES_MAX];
        all.get_mut(..locators.len())?.copy_from_slice(locators);
        let len = u8::try_from(locators.len()).ok().filter(|&len| len > 0)?;
        Some(Self { len, locators: all })
    }

    pub(super) fn decode(reader: &mut Reader<'_>, count: u8) -> Result<Self, DecodeError> {
        let mut locators = Vec::with_capacity(limits::BASES_MAX);
        for _ in 0..count {
            locators.push(Locator::new(reader.array()?));
        }
        Self::new(&locators).ok_or_else(|| reader.invalid("a delta has no bases, or too many"))
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        self.iter().for_each(|base| writer.bytes(base.as_bytes()));
    }

    /// Their number.
    pub(super) fn count(&self) -> u8 {
        self.len
    }
}

impl std::ops::Deref for Bases {
    type Target = [Locator];

    fn deref(&self) -> &[Locator] {
        &self.locators[..usize::from(self.len)]
    }
}

impl std::fmt::Debug for Bases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Cipher {
    /// The cipher with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::None, Self::XChaCha20Poly1305].into_iter().find(|cipher| *cipher as u8 == number)
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = reader.u8()?;
        Self::from_u8(number).ok_or_else(|| reader.invalid("its cipher is unknown"))
    }
}

impl PackContent {
    /// The content with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Data, Self::Metadata, Self::Mixed].into_iter().find(|content| *content as u8 == number)
    }
}

impl BlockCodec {
    /// The codec with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        [Self::Stored, Self::Zstd].into_iter().find(|codec| *codec as u8 == number)
    }
}

impl WrappedKey {
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u8(self.wrap);
        writer.reserved(3);
        writer.bytes(&self.nonce);
        writer.bytes(&self.sealed);
        writer.reserved(8);
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let wrap = reader.u8()?;
        reader.ensure(wrap == 0, "its key is wrapped in a way that this build does not know")?;
        reader.reserved(3)?;
        let key = Self { wrap, nonce: reader.array()?, sealed: reader.array()? };
        reader.reserved(8)?;
        Ok(key)
    }
}

/// Length in bytes of the shards of a pack whose payload has `payload_len` bytes: a sixteenth of it, at least 512
/// and at most 65,536, rounded up to a multiple of 64.
pub fn shard_len_for(payload_len: u64) -> u32 {
    let len = (payload_len / 16).clamp(PackHeader::SHARD_LEN_MIN.into(), PackHeader::SHARD_LEN_MAX.into());
    (len as u32).next_multiple_of(64)
}

impl PackHeader {
    /// Length of a header in bytes.
    pub const LEN: usize = 256;
    /// Shortest shard in bytes.
    pub const SHARD_LEN_MIN: u32 = 512;
    /// Longest shard in bytes.
    pub const SHARD_LEN_MAX: u32 = 64 << 10;
    /// Most bytes of a whole pack file: blocks up to [`limits::PACK_LEN_MAX`] and one more, two directories, padding of
    /// less than an eighth, and as much parity as payload still fit.
    pub const TOTAL_LEN_MAX: u64 = 4 * limits::PACK_LEN_MAX as u64;
    /// Most shards of the payload, and most of the parity, where there is parity: what the code takes of each beside the other.
    pub const SHARDS_MAX: u64 = 1 << 15;

    /// The bytes that stand at both ends of the pack.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut writer = Writer::with_capacity(Self::LEN);
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.u8(self.content as u8);
        writer.u8(self.cipher as u8);
        writer.bytes(self.family.as_bytes());
        writer.bytes(self.uid.as_bytes());
        writer.u32(self.epoch);
        self.key.encode(&mut writer);
        writer.u32(self.directory_len);
        writer.u64(self.blocks_len);
        writer.u64(self.padding_len);
        writer.u32(self.shard_len);
        writer.u16(self.parity_shards);
        writer.reserved(2);
        writer.bytes(self.payload_root.as_bytes());
        writer.bytes(self.parity_root.as_bytes());
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
        let content = reader.u8()?;
        let content =
            PackContent::from_u8(content).ok_or_else(|| reader.invalid("its content is unknown"))?;
        let cipher = Cipher::decode(reader)?;
        let family = FamilyId::new(reader.array()?);
        let uid = PackId::new(reader.array()?);
        let epoch = reader.u32()?;
        let key = WrappedKey::decode(reader)?;
        let directory_len = reader.u32()?;
        let blocks_len = reader.u64()?;
        let padding_len = reader.u64()?;
        let shard_len = reader.u32()?;
        let parity_shards = reader.u16()?;
        reader.reserved(2)?;
        let payload_root = Root::new(reader.array()?);
        let parity_root = Root::new(reader.array()?);
        Ok(Self {
            content,
            cipher,
            family,
            uid,
            epoch,
            key,
            directory_len,
            blocks_len,
            padding_len,
            shard_len,
            payload_root,
            parity_shards,
            parity_root,
        })
    }

    /// Checks the geometry: lengths within their limits, shards of an allowed length, no root of parity without parity.
    ///
    /// # Errors
    /// The rule that it breaks. A decoder refuses such a header, so a writer asks before it writes one.
    pub fn check(&self) -> Result<(), DecodeError> {
        limit("length of the pack directory", self.directory_len.into(), limits::DIRECTORY_LEN_MAX as u64)?;
        limit("length of a pack", self.total_len(), Self::TOTAL_LEN_MAX)?;
        let shard = self.shard_len;
        let shard_fits =
            (Self::SHARD_LEN_MIN..=Self::SHARD_LEN_MAX).contains(&shard) && shard.is_multiple_of(64);
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.directory_len > 0, "its directory has no bytes")?;
        rule.ensure(shard_fits, "its shard length is not a multiple of 64 from 512 to 65,536")?;
        if self.parity_shards == 0 {
            let without = self.parity_root == Root::new([0; Root::LEN]);
            return rule.ensure(without, "it has a root of parity but no parity");
        }
        limit("number of payload shards", self.payload_shards(), Self::SHARDS_MAX)?;
        limit("number of parity shards", self.parity_shards.into(), Self::SHARDS_MAX)
    }

    /// Length of the whole file in bytes; `u64::MAX` if that is more.
    pub fn total_len(&self) -> u64 {
        self.second_table_offset().saturating_add(self.table_len()).saturating_add(Self::LEN as u64)
    }

    /// Where the first shard table starts: behind the header.
    pub fn first_table_offset(&self) -> u64 {
        Self::LEN as u64
    }

    /// Length of a shard table in bytes: 0 without parity.
    pub fn table_len(&self) -> u64 {
        if self.parity_shards == 0 { 0 } else { self.shards().saturating_mul(ShardMark::LEN as u64) }
    }

    /// Where the payload, and in it the first sealed directory, starts: behind the first shard table.
    pub fn first_directory_offset(&self) -> u64 {
        self.first_table_offset().saturating_add(self.table_len())
    }

    /// Where the first block starts.
    pub fn blocks_offset(&self) -> u64 {
        self.first_directory_offset().saturating_add(self.directory_len.into())
    }

    /// Where the second sealed directory starts: behind the blocks.
    pub fn second_directory_offset(&self) -> u64 {
        self.blocks_offset().saturating_add(self.blocks_len)
    }

    /// Length in bytes of what the Merkle root covers: both directories, the blocks, the padding.
    pub fn payload_len(&self) -> u64 {
        (2 * u64::from(self.directory_len)).saturating_add(self.blocks_len).saturating_add(self.padding_len)
    }

    /// Where a shard lies in the pack, and its length: those of the payload come first, then those of the parity.
    pub fn shard_place(&self, shard: u64) -> (u64, u64) {
        let shard_len = u64::from(self.shard_len);
        let (offset, len) = match shard.checked_sub(self.payload_shards()) {
            None => (shard * shard_len, shard_len.min(self.payload_len() - shard * shard_len)),
            Some(parity) => (self.payload_len() + parity * shard_len, shard_len),
        };
        (self.first_directory_offset() + offset, len)
    }

    /// Where the parity starts: behind the payload.
    pub fn parity_offset(&self) -> u64 {
        self.first_directory_offset().saturating_add(self.payload_len())
    }

    /// Length of the parity in bytes.
    pub fn parity_len(&self) -> u64 {
        u64::from(self.parity_shards) * u64::from(self.shard_len)
    }

    /// Where the second shard table starts: behind the parity.
    pub fn second_table_offset(&self) -> u64 {
        self.parity_offset().saturating_add(self.parity_len())
    }

    /// How many shards the payload has; the last one may be shorter.
    pub fn payload_shards(&self) -> u64 {
        self.payload_len().div_ceil(u64::from(self.shard_len.max(1)))
    }

    /// The longest run of bytes whose loss at any one place the pack's parity heals; 0 without parity.
    pub fn loss_max(&self) -> u64 {
        let shard_len = u64::from(self.shard_len);
        let run = match u64::from(self.parity_shards) {
            parity @ 0..2 => parity,
            // One byte more could touch one shard more.
            parity => (parity - 1) * shard_len + 1,
        };
        // It must leave a header and a table at one end.
        run.min(self.shards() * shard_len)
    }

    /// How many shards payload and parity have.
    pub fn shards(&self) -> u64 {
        self.payload_shards() + u64::from(self.parity_shards)
    }
}
