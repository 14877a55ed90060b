//! From a pack to the files of its shards, and what a file must be to count.

use std::borrow::Cow;

use crate::cas::pack_name;
use crate::crypto::Secret32;
use crate::erasure::{ErasureConfig, ErasureEncoder, Shard};
use crate::format::DecodeError;
use crate::format::pack::PackHeader;
use crate::format::shard::{ShardHeader, ShardedPack};
use crate::id::{PackId, Root};
use crate::store::{BlobName, StoreError};

use super::group_error;
use super::member::{Fault, Member, fault};

/// Folder of the shards at each member.
pub(super) const FOLDER: &str = "shards/";

/// Name of a shard at its member.
pub(in crate::ops) fn shard_name(pack: &PackId, number: usize) -> BlobName {
    BlobName::new(&format!("{FOLDER}{pack}-{number:02}")).expect("hex digits make a legal name")
}

/// The pack and the number in the name of a shard.
pub(in crate::ops) fn parse_shard_name(name: &str) -> Option<(PackId, u16)> {
    let (pack, number) = name.strip_prefix(FOLDER)?.split_once('-')?;
    let (pack, number) = (pack.parse().ok()?, number.parse().ok()?);
    (shard_name(&pack, usize::from(number)).as_str() == name).then_some((pack, number))
}

/// The pack that a name of a group's store is of.
pub(super) fn pack_of(name: &BlobName) -> Option<PackId> {
    let pack = name.as_str().strip_prefix("packs/")?.strip_suffix(".warp")?.parse().ok()?;
    (pack_name(&pack) == *name).then_some(pack)
}

/// All shards of a pack, with the header of each.
pub(super) struct Cut<'p> {
    pack: Cow<'p, [u8]>,
    parity: Vec<u8>,
    shard_len: usize,
    headers: Vec<ShardHeader>,
}

impl<'p> Cut<'p> {
    /// Cuts a pack and makes the parity.
    pub(super) fn new(
        uid: PackId,
        pack: Cow<'p, [u8]>,
        config: ErasureConfig,
        key: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let failed = |why: String| group_error("spread", &pack_name(&uid), why, Vec::new());
        let shard_len = config.shard_len(pack.len());
        let parity = ErasureEncoder::new(config).parity(&[&pack], shard_len);
        let parity = parity.map_err(|error| failed(error.to_string()))?;
        let mut cut = Self { pack, parity, shard_len, headers: Vec::new() };
        let hash = |number| {
            let mut hasher = blake3::Hasher::new();
            cut.parts(config, number).iter().for_each(|part| {
                hasher.update(part);
            });
            Root::new(*hasher.finalize().as_bytes())
        };
        let of = ShardedPack {
            uid,
            len: cut.pack.len() as u64,
            data: config.data() as u16,
            parity: config.parity() as u16,
            hashes: (0..config.shards()).map(hash).collect(),
        };
        let headers: Result<_, DecodeError> =
            (0..config.shards()).map(|number| ShardHeader::new(of.clone(), number as u16, key)).collect();
        cut.headers = headers.map_err(|error| failed(error.to_string()))?;
        Ok(cut)
    }

    /// What a shard consists of: bytes of the pack and zeros behind its end, or parity.
    fn parts(&self, config: ErasureConfig, number: usize) -> [Cow<'_, [u8]>; 2] {
        let len = self.shard_len;
        match number.checked_sub(config.data()) {
            Some(parity) => [Cow::Borrowed(&self.parity[parity * len..][..len]), Cow::Borrowed(&[])],
            None => {
                let start = (number * len).min(self.pack.len());
                let end = (start + len).min(self.pack.len());
                [Cow::Borrowed(&self.pack[start..end]), Cow::Owned(vec![0; len - (end - start)])]
            }
        }
    }

    /// The bytes of a shard's file, in parts.
    pub(super) fn file(&self, config: ErasureConfig, number: usize) -> [Cow<'_, [u8]>; 3] {
        let [bytes, zeros] = self.parts(config, number);
        [Cow::Owned(self.headers[number].encode()), bytes, zeros]
    }

    /// The header of a shard.
    pub(super) fn header(&self, number: usize) -> &ShardHeader {
        &self.headers[number]
    }
}

/// What every shard of a group must be.
#[derive(Debug, Clone)]
pub(super) struct Measure {
    pub(super) config: ErasureConfig,
    /// `None`: whether headers are genuine cannot be told.
    pub(super) key: Option<Secret32>,
}

impl Measure {
    fn file_len_max(&self) -> u64 {
        let longest = PackHeader::TOTAL_LEN_MAX.div_ceil(self.config.data() as u64).next_multiple_of(64);
        ShardHeader::LEN_MAX as u64 + longest
    }

    /// The shard of a pack that a member should have, if what it has is right.
    pub(super) fn fetch(&self, member: &Member, pack: &PackId) -> Result<(ShardedPack, Shard), Fault> {
        let name = shard_name(pack, member.number);
        let mut file = member.ask(|store| store.get(&name, self.file_len_max()))?;
        let (header, shard) =
            ShardHeader::split(&file).map_err(|error| Fault::Lies(format!("{name}: {error}")))?;
        self.check(&header, (pack, member.number)).map_err(|why| Fault::Lies(format!("{name}: {why}")))?;
        if blake3::hash(shard) != *header.hash().as_bytes() {
            return Err(Fault::Lies(format!("{name}: its bytes are not those that were stored")));
        }
        file.drain(..header.header_len());
        Ok((header.pack, Shard { index: member.number, bytes: file }))
    }

    /// The header alone.
    pub(super) fn header(&self, member: &Member, pack: &PackId) -> Result<ShardHeader, Fault> {
        let name = shard_name(pack, member.number);
        let lies = |error: DecodeError| Fault::Lies(format!("{name}: {error}"));
        let store = member.store()?;
        let read = |len| store.read_at(&name, 0, len).map_err(|error| fault(&error));
        let len = ShardHeader::len_from_head(&read(ShardHeader::HEAD_LEN)?).map_err(lies)?;
        let header = ShardHeader::decode(&read(len)?).map_err(lies)?;
        self.check(&header, (pack, member.number)).map_err(|why| Fault::Lies(format!("{name}: {why}")))?;
        Ok(header)
    }

    fn check(&self, header: &ShardHeader, (pack, number): (&PackId, usize)) -> Result<(), String> {
        let of = &header.pack;
        if of.uid != *pack || usize::from(header.number) != number {
            return Err(format!("it is shard {} of pack {}", header.number, of.uid));
        }
        if (usize::from(of.data), usize::from(of.parity)) != (self.config.data(), self.config.parity()) {
            return Err(format!("it is of a group of {}+{}", of.data, of.parity));
        }
        match &self.key {
            Some(key) if !header.is_by(key.as_bytes()) => {
                Err("its header was not made with the keys of this repository".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_has_one_name() {
        let pack = PackId::new([0xab; 16]);
        let name = shard_name(&pack, 7);
        assert_eq!(parse_shard_name(name.as_str()), Some((pack, 7)));
        for wrong in ["shards/ab-07", "shards/", &name.as_str().replace("-07", "-7"), "packs/x-07"] {
            assert_eq!(parse_shard_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn shards_are_those_that_the_format_describes() {
        for len in [1, 63, 64, 255, 256, 257, 1000, 100_000] {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            for config in ErasureConfig::PRESETS {
                let cut = Cut::new(PackId::new([1; 16]), Cow::Borrowed(&bytes), config, &[2; 32]).unwrap();
                let expected = ErasureEncoder::new(config).encode(&bytes).unwrap();
                for (number, shard) in expected.iter().enumerate() {
                    let file = cut.file(config, number).concat();
                    assert_eq!(file.len() as u64, cut.header(number).pack.file_len());
                    let (header, found) = ShardHeader::split(&file).unwrap();
                    assert!(header.is_by(&[2; 32]) && found == shard.bytes, "{len} {config} {number}");
                    assert_eq!(blake3::hash(found), *header.hash().as_bytes());
                }
            }
        }
    }
}
