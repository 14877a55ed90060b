//! Healing: a pack's bytes as they were written, from what is left of them.
//!
//! Which shards are damaged the shard tables say, of which a pack has two; parity brings them back. That the outcome is what
//! was written is proved by the roots of the record, which the log holds. Everything else in a pack follows from that:
//! both tables from the shards, and of the header, which stands at both ends, one whole copy suffices.

use std::ops::Range;

use crate::erasure::{ErasureConfig, ErasureDecoder, ErasureError};
use crate::format::log::PackRecord;
use crate::format::pack::{PackHeader, ShardMark};
use crate::id::PackId;
use crate::merkle::NodeHash;

use super::pack_writer::{leaves, record_of, root};
use super::vault::pack_name;

/// What state the bytes of a pack are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackHealth {
    /// Shards of the payload.
    pub payload_shards: usize,
    /// Shards of parity: how many damaged shards can be healed.
    pub parity_shards: usize,
    /// Shards of the payload that are damaged or missing.
    pub damaged_payload: usize,
    /// Shards of parity that are.
    pub damaged_parity: usize,
    /// Whether something else is wrong: a header or shard table, of which the other copy is whole, or the length.
    pub damaged_frame: bool,
}

/// A pack as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What was wrong with it before.
    pub health: PackHealth,
}

/// Why a pack cannot be healed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HealError {
    /// No copy of its header is whole.
    #[error("{}: neither copy of its header is whole, so nothing in it can be found", pack_name(pack))]
    NoHeader {
        /// The pack.
        pack: PackId,
    },
    /// Its header is whole, and that of another pack, or of other content.
    #[error("{}: its header is not that of the pack that the log names", pack_name(pack))]
    OtherPack {
        /// The pack.
        pack: PackId,
    },
    /// It is damaged and has no parity.
    #[error("{}: it is damaged and has no parity", pack_name(pack))]
    NoParity {
        /// The pack.
        pack: PackId,
    },
    /// More of its shards are damaged than parity can replace.
    #[error(
        "{}: {damaged} of its {shards} shards are damaged or missing, and at most {parity} can be healed",
        pack_name(pack)
    )]
    TooMany {
        /// The pack.
        pack: PackId,
        /// Damaged shards.
        damaged: usize,
        /// Shards of payload and parity.
        shards: usize,
        /// How many damaged ones can be healed.
        parity: usize,
    },
    /// What comes out of healing is not what the log says.
    #[error("{}: what its parity makes of it is not what the log says", pack_name(pack))]
    OtherContent {
        /// The pack.
        pack: PackId,
    },
    /// The header names a code that there is not.
    #[error("{}: its parity cannot be computed with", pack_name(pack))]
    Code {
        /// The pack.
        pack: PackId,
        /// What is wrong.
        #[source]
        source: ErasureError,
    },
}

impl PackHealth {
    /// How many shards are damaged or missing.
    pub fn damaged(&self) -> usize {
        self.damaged_payload + self.damaged_parity
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.payload_shards + self.parity_shards
    }

    /// Whether all bytes are as they were written.
    pub fn is_whole(&self) -> bool {
        self.damaged() == 0 && !self.damaged_frame
    }

    /// Whether [`heal`] can bring the pack back.
    pub fn can_be_healed(&self) -> bool {
        self.damaged() <= self.parity_shards
    }
}

/// The pack as it was written, byte for byte, from what is left of it: `bytes` is its file, in which bytes may be wrong or,
/// at one place, missing or too many. `record` is what the log says of it.
///
/// The outcome has the roots of the record.
///
/// # Errors
/// [`HealError`]: when too much is damaged, or the record is not this pack's.
pub fn heal(bytes: &[u8], record: &PackRecord) -> Result<Healed, HealError> {
    let remains = Remains::new(bytes, record)?;
    let (health, good) = remains.examine();
    let pack = record.uid;
    if !health.can_be_healed() {
        let (damaged, shards, parity) = (health.damaged(), health.shards(), health.parity_shards);
        let none = HealError::NoParity { pack };
        return Err(if parity == 0 { none } else { HealError::TooMany { pack, damaged, shards, parity } });
    }
    let healed = remains.rebuild(&good, record)?;
    Ok(Healed { bytes: healed, health })
}

/// What state a pack's file is in, without healing it.
///
/// A pack without parity has no marks of its shards: it is whole or its payload counts as damaged as a whole.
///
/// # Errors
/// [`HealError::NoHeader`], [`HealError::OtherPack`].
pub fn inspect(bytes: &[u8], record: &PackRecord) -> Result<PackHealth, HealError> {
    Ok(Remains::new(bytes, record)?.examine().0)
}

/// Whether a pack's file is what was written, byte for byte: quicker than [`heal`] where nothing is wrong.
pub fn is_as_written(bytes: &[u8], record: &PackRecord) -> bool {
    let Ok(Remains { header, .. }) = Remains::new(bytes, record) else { return false };
    let remains = Remains { bytes, header };
    if !remains.frame_is_whole() {
        return false;
    }
    let header = &remains.header;
    let (start, end) = (header.first_directory_offset() as usize, header.parity_offset() as usize);
    let mut marks = leaves(&[&bytes[start..end]], header.shard_len);
    let parity = leaves(&[&bytes[end..end + header.parity_len() as usize]], header.shard_len);
    if remains.prove(&marks, &parity, record).is_err() {
        return false;
    }
    marks.extend(parity);
    let table = if header.parity_shards > 0 { ShardMark::table(&marks) } else { Vec::new() };
    bytes[PackHeader::LEN..start] == table
}

/// What a pack says of itself: the record that the log should have of it. For readers that have none. `None` if no copy of
/// its header is whole.
pub(super) fn own_record(bytes: &[u8], pack: PackId) -> Option<PackRecord> {
    let tail = bytes.len().saturating_sub(PackHeader::LEN);
    let headers = [0, tail]
        .into_iter()
        .filter_map(|start| PackHeader::decode(bytes.get(start..start + PackHeader::LEN)?).ok());
    headers.map(|header| record_of(&header)).find(|record| record.uid == pack)
}

/// What is left of a pack.
struct Remains<'a> {
    bytes: &'a [u8],
    header: PackHeader,
}

/// For each shard, where a good copy of it lies.
type Good = Vec<Option<Range<usize>>>;

impl<'a> Remains<'a> {
    fn new(bytes: &'a [u8], record: &PackRecord) -> Result<Self, HealError> {
        let pack = record.uid;
        let len = PackHeader::LEN as u64;
        let mut other = false;
        let places = [0, record.len.saturating_sub(len)];
        let ranges = places.into_iter().flat_map(|place| both_ends(place, len, record.len, bytes.len()));
        for range in ranges.flatten() {
            match PackHeader::decode(&bytes[range]) {
                Ok(header) if record_of(&header) == *record => return Ok(Self { bytes, header }),
                decoded => other |= decoded.is_ok(),
            }
        }
        Err(if other { HealError::OtherPack { pack } } else { HealError::NoHeader { pack } })
    }

    /// Where `len` bytes at `offset` of the pack may lie in what is left of it: counted from its front, and from its end.
    fn places(&self, offset: u64, len: u64) -> impl Iterator<Item = Range<usize>> {
        both_ends(offset, len, self.header.total_len(), self.bytes.len()).into_iter().flatten()
    }

    fn shard_places(&self, shard: usize) -> impl Iterator<Item = Range<usize>> {
        let (offset, len) = self.header.shard_place(shard as u64);
        self.places(offset, len)
    }

    /// The marks that the tables have of a shard.
    fn marks(&self, shard: usize) -> impl Iterator<Item = ShardMark> {
        let len = ShardMark::LEN as u64;
        let tables = [self.header.first_table_offset(), self.header.second_table_offset()];
        let places = tables.into_iter().flat_map(move |table| self.places(table + shard as u64 * len, len));
        places.filter_map(|range| ShardMark::in_table(&self.bytes[range], 0))
    }

    fn examine(&self) -> (PackHealth, Good) {
        let (payload_shards, parity_shards) =
            (self.header.payload_shards() as usize, usize::from(self.header.parity_shards));
        let good: Good = match parity_shards {
            0 => self.without_marks(),
            _ => (0..payload_shards + parity_shards).map(|shard| self.good_place(shard)).collect(),
        };
        let damaged = |places: &[Option<Range<usize>>]| places.iter().filter(|place| place.is_none()).count();
        let health = PackHealth {
            payload_shards,
            parity_shards,
            damaged_payload: damaged(&good[..payload_shards]),
            damaged_parity: damaged(&good[payload_shards..]),
            damaged_frame: !self.frame_is_whole(),
        };
        (health, good)
    }

    /// Where a copy of the shard lies that agrees with one of its marks.
    fn good_place(&self, shard: usize) -> Option<Range<usize>> {
        self.shard_places(shard).find(|range| {
            let leaf = leaves(&[&self.bytes[range.clone()]], self.header.shard_len);
            leaf.iter().any(|leaf| self.marks(shard).any(|mark| mark.agrees_with(leaf)))
        })
    }

    /// Without parity: all shards are good or none, as the root says.
    fn without_marks(&self) -> Good {
        let header = &self.header;
        let whole = self.places(header.first_directory_offset(), header.payload_len()).find(|range| {
            root(&leaves(&[&self.bytes[range.clone()]], header.shard_len)) == header.payload_root
        });
        let shard = |shard: usize| {
            let payload = whole.clone()?;
            let start = payload.start + shard * header.shard_len as usize;
            Some(start..payload.end.min(start + header.shard_len as usize))
        };
        (0..header.payload_shards() as usize).map(shard).collect()
    }

    /// Whether length, headers and tables are as they were written, as far as they say so of each other.
    fn frame_is_whole(&self) -> bool {
        let (header, encoded) = (&self.header, self.header.encode());
        let at = |offset: u64, len: u64| self.bytes.get(offset as usize..(offset + len) as usize);
        let table = |offset| at(offset, header.table_len());
        let len = PackHeader::LEN as u64;
        self.bytes.len() as u64 == header.total_len()
            && at(0, len) == Some(&encoded[..])
            && at(header.total_len() - len, len) == Some(&encoded[..])
            && table(header.first_table_offset()) == table(header.second_table_offset())
    }

    /// The whole file, made of the good shards.
    fn rebuild(&self, good: &Good, record: &PackRecord) -> Result<Vec<u8>, HealError> {
        let header = &self.header;
        let shard_len = header.shard_len as usize;
        let start = header.first_directory_offset() as usize;
        let mut out = vec![0; start];
        out.reserve_exact(good.len() * shard_len + header.table_len() as usize + PackHeader::LEN);
        for place in good {
            out.extend_from_slice(&self.bytes[place.clone().unwrap_or(0..0)]);
            out.resize(start + (out.len() - start).next_multiple_of(shard_len), 0);
            if place.is_none() {
                out.resize(out.len() + shard_len, 0);
            }
        }
        self.restore(&mut out[start..], good)?;
        self.close_gap(&mut out, start);
        let payload_end = header.parity_offset() as usize;
        let mut marks = leaves(&[&out[start..payload_end]], header.shard_len);
        let parity = leaves(&[&out[payload_end..]], header.shard_len);
        self.prove(&marks, &parity, record)?;
        marks.extend(parity);
        let table = if header.parity_shards > 0 { ShardMark::table(&marks) } else { Vec::new() };
        out.extend_from_slice(&table);
        out.extend_from_slice(&header.encode());
        out[..PackHeader::LEN].copy_from_slice(&header.encode());
        out[PackHeader::LEN..start].copy_from_slice(&table);
        Ok(out)
    }

    /// Brings back the shards that are not good; all lie one behind the other.
    fn restore(&self, shards: &mut [u8], good: &Good) -> Result<(), HealError> {
        let present: Vec<bool> = good.iter().map(Option::is_some).collect();
        if !present.contains(&false) {
            return Ok(());
        }
        let parity = usize::from(self.header.parity_shards);
        let config = ErasureConfig::new(good.len() - parity, parity);
        let restored = config.and_then(|config| {
            ErasureDecoder::new(config).restore(shards, &present, self.header.shard_len as usize)
        });
        restored.map(drop).map_err(|source| HealError::Code { pack: self.header.uid, source })
    }

    /// Takes out the zeros that filled up a short last shard of the payload.
    fn close_gap(&self, out: &mut Vec<u8>, start: usize) {
        let end = self.header.parity_offset() as usize;
        let filled = start + self.header.payload_shards() as usize * self.header.shard_len as usize;
        out.copy_within(filled.., end);
        out.truncate(out.len() - (filled - end));
    }

    fn prove(&self, payload: &[NodeHash], parity: &[NodeHash], record: &PackRecord) -> Result<(), HealError> {
        let right = root(payload) == record.payload_root
            && (self.header.parity_shards == 0 || root(parity) == record.parity_root);
        if right { Ok(()) } else { Err(HealError::OtherContent { pack: record.uid }) }
    }
}

/// Where `len` bytes at `offset` of a file of `whole` bytes lie in one of `found` bytes: as counted from the front, and as
/// counted from the end, where that is another place.
pub(super) fn both_ends(offset: u64, len: u64, whole: u64, found: usize) -> [Option<Range<usize>>; 2] {
    let found = found as u64;
    let range = |start: Option<u64>| {
        let (start, end) = (start?, start?.checked_add(len)?);
        (end <= found).then_some(start as usize..end as usize)
    };
    let from_end =
        offset.checked_add(found).and_then(|end| end.checked_sub(whole)).filter(|_| whole != found);
    [range(Some(offset)), range(from_end)]
}

#[cfg(test)]
mod tests;
