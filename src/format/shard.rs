#![doc = include_str!("shard.md")]
use super::DecodeError;
use super::codec::{CHECKSUM_LEN, Reader, Writer, limit, verify_checksum};
use super::pack::PackHeader;
use crate::id::{PackId, Root};
use crate::limits::GROUP_MEMBERS_MAX;

const WHAT: &str = "shard of a pack";
const MAGIC: &[u8; 8] = b"WARPSHRD";
const VERSION: u16 = 1;
/// The unit of the code's layout, in bytes.
const UNIT: u64 = 64;

/// What stands in front of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardHeader {
    /// What all shards of a pack agree on.
    pub pack: ShardedPack,
    /// Which shard this is, counted from 0.
    pub number: u16,
    /// BLAKE3 of what stands before it, under the family's key.
    pub mac: [u8; 32],
}

/// What all shards of a pack say of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardedPack {
    /// The pack.
    pub uid: PackId,
    /// Its length in bytes.
    pub len: u64,
    /// How many shards bring it back.
    pub data: u16,
    /// How many may be lost.
    pub parity: u16,
    /// BLAKE3 of each shard.
    pub hashes: Vec<Root>,
}

impl ShardedPack {
    /// Length of each shard in bytes.
    pub fn shard_len(&self) -> u64 {
        self.len.div_ceil(self.data.max(1).into()).max(1).next_multiple_of(UNIT)
    }

    /// Length in bytes of a file with one of its shards.
    pub fn file_len(&self) -> u64 {
        ShardHeader::len_of(self.hashes.len()) as u64 + self.shard_len()
    }

    fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.data > 0 && self.parity > 0, "it has no shards of data, or none of parity")?;
        let shards = u64::from(self.data) + u64::from(self.parity);
        limit("number of shards of a pack", shards, GROUP_MEMBERS_MAX as u64)?;
        rule.ensure(self.hashes.len() as u64 == shards, "there is not one hash for each shard")?;
        rule.ensure(self.len > 0, "the pack is empty")?;
        limit("length of a pack", self.len, PackHeader::TOTAL_LEN_MAX)
    }
}

impl ShardHeader {
    /// Bytes from which the length of a header can be told.
    pub const HEAD_LEN: usize = 40;
    /// Most bytes of a header.
    pub const LEN_MAX: usize = Self::len_of(GROUP_MEMBERS_MAX);

    /// Length in bytes of a header that names so many shards.
    pub const fn len_of(shards: usize) -> usize {
        Self::HEAD_LEN + (shards + 2) * 32
    }

    /// The header of a shard, authenticated with `key`.
    ///
    /// # Errors
    /// [`DecodeError::Limit`], [`DecodeError::Invalid`]: there can be no such shard.
    pub fn new(pack: ShardedPack, number: u16, key: &[u8; 32]) -> Result<Self, DecodeError> {
        pack.check()?;
        Reader::new(WHAT, &[]).ensure(usize::from(number) < pack.hashes.len(), "there is no such shard")?;
        let mut header = Self { pack, number, mac: [0; 32] };
        header.mac = *blake3::keyed_hash(key, header.fields().as_slice()).as_bytes();
        Ok(header)
    }

    /// Whether who has `key` has made it.
    pub fn is_by(&self, key: &[u8; 32]) -> bool {
        blake3::keyed_hash(key, self.fields().as_slice()) == self.mac
    }

    /// What the shard must hash to.
    pub fn hash(&self) -> Root {
        self.pack.hashes[usize::from(self.number)]
    }

    /// Length in bytes.
    pub fn header_len(&self) -> usize {
        Self::len_of(self.pack.hashes.len())
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = self.fields();
        writer.bytes(&self.mac);
        writer.checksum();
        writer.into_bytes()
    }

    fn fields(&self) -> Writer {
        let mut writer = Writer::with_capacity(self.header_len());
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.u16(self.pack.data);
        writer.u16(self.pack.parity);
        writer.u16(self.number);
        writer.bytes(self.pack.uid.as_bytes());
        writer.u64(self.pack.len);
        self.pack.hashes.iter().for_each(|hash| writer.bytes(hash.as_bytes()));
        writer
    }

    /// Length of the header that begins with these bytes.
    ///
    /// # Errors
    /// If they are none, of a newer version, or fewer than [`HEAD_LEN`](Self::HEAD_LEN).
    pub fn len_from_head(head: &[u8]) -> Result<usize, DecodeError> {
        let mut reader = Reader::new(WHAT, head);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let shards = u64::from(reader.u16()?) + u64::from(reader.u16()?);
        reader.take(Self::HEAD_LEN - 14)?;
        limit("number of shards of a pack", shards, GROUP_MEMBERS_MAX as u64)?;
        Ok(Self::len_of(shards as usize))
    }

    /// Reads a header. Whether the key is right [`is_by`](Self::is_by) tells.
    ///
    /// # Errors
    /// If it is none, is damaged, of a newer version, or its numbers do not go together.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let mut reader = Reader::new(WHAT, &verify_checksum(WHAT, bytes)?[10..]);
        let (data, parity, number) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let (uid, len) = (PackId::new(reader.array()?), reader.u64()?);
        let shards = reader.remaining().saturating_sub(CHECKSUM_LEN) / 32;
        limit("number of shards of a pack", shards as u64, GROUP_MEMBERS_MAX as u64)?;
        let hashes = (0..shards).map(|_| reader.array().map(Root::new)).collect::<Result<_, _>>()?;
        let mac = reader.array()?;
        reader.finish()?;
        let pack = ShardedPack { uid, len, data, parity, hashes };
        pack.check()?;
        Reader::new(WHAT, &[]).ensure(usize::from(number) < pack.hashes.len(), "there is no such shard")?;
        Ok(Self { pack, number, mac })
    }

    /// Splits the bytes of a shard file into its header and the shard.
    ///
    /// # Errors
    /// As [`decode`](Self::decode); when the shard has another length than the header says.
    pub fn split(file: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let len = Self::len_from_head(file)?;
        let mut reader = Reader::new(WHAT, file);
        let header = Self::decode(reader.take(len)?)?;
        let needed = header.pack.shard_len().saturating_sub(reader.remaining() as u64);
        if needed > 0 {
            return Err(DecodeError::Truncated { what: WHAT, needed });
        }
        let shard = reader.take(header.pack.shard_len() as usize)?;
        reader.finish()?;
        Ok((header, shard))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testkit::{assert_damage_is_found, assert_golden};
    use super::*;

    const KEY: [u8; 32] = [9; 32];

    fn pack(len: u64) -> ShardedPack {
        let hashes = (0..6).map(|n| Root::new([n; 32])).collect();
        ShardedPack { uid: PackId::new([0xab; 16]), len, data: 4, parity: 2, hashes }
    }

    fn recode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(ShardHeader::decode(bytes)?.encode())
    }

    #[test]
    fn the_bytes_are_the_golden_ones_and_damage_to_them_is_found() {
        let header = ShardHeader::new(pack(1000), 5, &KEY).unwrap();
        assert_eq!(header.encode().len(), header.header_len());
        assert_golden(&header.encode(), "shard_header.hex");
        assert_damage_is_found(&header.encode(), recode);
    }

    #[test]
    fn every_field_is_authenticated() {
        let header = ShardHeader::new(pack(1000), 5, &KEY).unwrap();
        assert!(header.is_by(&KEY) && !header.is_by(&[8; 32]));
        let changed = |change: &dyn Fn(&mut ShardHeader)| {
            let mut other = header.clone();
            change(&mut other);
            assert!(ShardHeader::decode(&other.encode()).is_ok_and(|read| !read.is_by(&KEY)));
        };
        changed(&|header| header.number = 4);
        changed(&|header| header.pack.len = 1001);
        changed(&|header| header.pack.uid = PackId::new([1; 16]));
        changed(&|header| header.pack.hashes[0] = Root::new([7; 32]));
        changed(&|header| (header.pack.data, header.pack.parity) = (3, 3));
        changed(&|header| header.mac[0] ^= 1);
    }

    #[test]
    fn shards_hold_the_pack_in_multiples_of_the_unit() {
        for (len, shard) in [(1, 64), (256, 64), (257, 128), (1000, 256), (1024, 256), (1 << 20, 1 << 18)] {
            assert_eq!(pack(len).shard_len(), shard, "{len}");
        }
    }

    #[test]
    fn a_file_is_its_header_and_its_shard_and_no_byte_more() {
        let header = ShardHeader::new(pack(1000), 0, &KEY).unwrap();
        let file = [header.encode(), vec![5; 256]].concat();
        assert_eq!(file.len() as u64, header.pack.file_len());
        assert_eq!(ShardHeader::split(&file), Ok((header, &[5; 256][..])));
        for len in 0..file.len() {
            assert!(ShardHeader::split(&file[..len]).is_err(), "{len}");
        }
        assert!(ShardHeader::split(&[&file[..], &[0]].concat()).is_err());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let wrong = |change: &dyn Fn(&mut ShardedPack)| {
            let mut pack = pack(1000);
            change(&mut pack);
            assert!(ShardHeader::new(pack, 0, &KEY).is_err());
        };
        wrong(&|pack| pack.data = 0);
        wrong(&|pack| (pack.data, pack.parity) = (6, 0));
        wrong(&|pack| pack.data = 5);
        wrong(&|pack| pack.len = 0);
        wrong(&|pack| pack.len = u64::MAX);
        wrong(&|pack| {
            (pack.data, pack.hashes) = (63, vec![Root::new([0; 32]); 65]);
        });
        assert!(ShardHeader::new(pack(1), 6, &KEY).is_err());
    }
}
