//! A pack's file by itself: what can be told of it without a repository, its log or its keys.
//!
//! All that is compared here lies in the file: a pack that is whole in this sense is as it was written, but may not be the
//! one that a log names.

use std::io;

use crate::format::DecodeError;
use crate::format::log::PackRecord;
use crate::format::pack::{PackHeader, ShardMark};
use crate::id::PackId;
use crate::merkle::NodeHash;
use crate::store::{StorageBackend, StoreError};

use super::heal::{both_ends, heal};
use super::pack_writer::{leaves, record_of, root};
use super::vault::pack_name;
use super::{CasError, HealError};

/// Reads bytes of the file: so many at an offset, or fails.
pub type ReadPack<'a> = dyn Fn(u64, usize) -> io::Result<Vec<u8>> + 'a;

/// What is wrong with a pack besides single shards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackFault {
    /// Its length is not what its header says.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// Bytes of the file.
        found: u64,
        /// Bytes that it should have.
        expected: u64,
    },
    /// One of its headers cannot be read; the other one is whole.
    #[error("its {which} header is damaged: {source}")]
    Header {
        /// `first` or `second`.
        which: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// Both headers are whole, and differ.
    #[error("its two headers are those of different packs")]
    HeadersDiffer,
    /// Marks of a shard table disagree with shards that agree with the other table.
    #[error("{marks} marks of its {which} shard table are damaged")]
    Table {
        /// `first` or `second`.
        which: &'static str,
        /// How many.
        marks: u64,
    },
    /// The shards of its payload or parity do not have the root that its header names.
    #[error("its {part} is not what its header says")]
    Root {
        /// `payload` or `parity`.
        part: &'static str,
    },
    /// The system could not read some of it.
    #[error("{bytes} bytes at offset {offset} cannot be read: {error}")]
    Unreadable {
        /// Where the first of such bytes begin.
        offset: u64,
        /// How many were asked for there.
        bytes: u64,
        /// What the system said.
        error: String,
    },
}

/// What a pack's file is, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackReport {
    /// The pack's name, as its header says.
    pub pack: PackId,
    /// Bytes that the file has.
    pub len: u64,
    /// Shards of the payload.
    pub payload_shards: u64,
    /// Shards of parity: how many damaged shards can be healed.
    pub parity_shards: u64,
    /// How many shards were looked at.
    pub checked_shards: u64,
    /// Numbers of the damaged ones, ascending: those of the payload come first, then those of the parity. Without parity a
    /// pack has no marks of its shards, and which are damaged is not known.
    pub damaged: Vec<u64>,
    /// What else is wrong.
    pub faults: Vec<PackFault>,
    /// Whether healing gives back what was written; `None` if nothing is wrong, or only a sample was looked at.
    pub healing: Option<Result<(), HealError>>,
}

impl PackReport {
    /// Whether nothing wrong was found.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.faults.is_empty()
    }

    /// How many shards there are.
    pub fn shards(&self) -> u64 {
        self.payload_shards + self.parity_shards
    }
}

/// Looks at a pack whose file has `len` bytes: at both headers, and of its shards at those that `choose` picks, given their
/// number; at all of them and both shard tables and roots if it gives `None`, or if there are no marks to compare
/// single shards with.
///
/// # Errors
/// When neither header is whole.
pub fn examine_pack(
    read: &ReadPack<'_>,
    len: u64,
    choose: impl FnOnce(u64) -> Option<Vec<u64>>,
) -> Result<PackReport, DecodeError> {
    examine(read, len, None, choose)
}

/// The same for a pack of which `record` is known: what has another header is another pack.
///
/// # Errors
/// When neither header is whole and that of the pack.
pub fn examine_known_pack(
    read: &ReadPack<'_>,
    len: u64,
    record: &PackRecord,
    choose: impl FnOnce(u64) -> Option<Vec<u64>>,
) -> Result<PackReport, DecodeError> {
    examine(read, len, Some(record), choose)
}

fn examine(
    read: &ReadPack<'_>,
    len: u64,
    record: Option<&PackRecord>,
    choose: impl FnOnce(u64) -> Option<Vec<u64>>,
) -> Result<PackReport, DecodeError> {
    let (header, faults) = headers(read, len, record)?;
    let mut exam = Exam { read, len, header, damaged: Vec::new(), wrong_marks: [0; 2], faults };
    if exam.header.total_len() != len {
        exam.faults.push(PackFault::Length { found: len, expected: exam.header.total_len() });
    }
    let shards = exam.header.shards();
    let chosen = choose(shards).filter(|_| exam.header.parity_shards > 0);
    let checked_shards = chosen.as_ref().map_or(shards, |chosen| chosen.len() as u64);
    let is_sample = chosen.is_some();
    match chosen {
        Some(chosen) => exam.single(chosen),
        None => exam.whole(),
    }
    let is_clean = exam.damaged.is_empty() && exam.faults.is_empty();
    let healing = (!is_sample && !is_clean).then(|| exam.try_to_heal());
    let Exam { header, damaged, faults, .. } = exam;
    Ok(PackReport {
        pack: header.uid,
        len,
        payload_shards: header.payload_shards(),
        parity_shards: header.parity_shards.into(),
        checked_shards,
        damaged,
        faults,
        healing,
    })
}

/// What a pack in a store says of itself: the record that a log should have of it, for whoever has lost the log. Nothing
/// vouches for it: that its directory opens says more.
///
/// # Errors
/// When there is no such file, neither header is whole, or the pack has another name.
pub fn pack_record(store: &dyn StorageBackend, pack: &PackId) -> Result<PackRecord, CasError> {
    let name = pack_name(pack);
    let file = || name.as_str().to_owned();
    let gone = || StoreError::NotFound { name: file(), location: store.location() };
    let len = store.len(&name)?.ok_or_else(gone)?;
    let read = |offset, len| store.read_at(&name, offset, len).map_err(io::Error::other);
    let header = headers(&read, len, None);
    let (header, _) = header.map_err(|source| CasError::Format { file: file(), part: "header", source })?;
    if header.uid == *pack {
        Ok(record_of(&header))
    } else {
        Err(CasError::Foreign { file: file(), part: "header" })
    }
}

/// The header that counts, and what is wrong with the other one.
fn headers(
    read: &ReadPack<'_>,
    len: u64,
    record: Option<&PackRecord>,
) -> Result<(PackHeader, Vec<PackFault>), DecodeError> {
    const OTHER: DecodeError =
        DecodeError::Invalid { what: "pack header", why: "it is that of another pack" };
    let end = len.saturating_sub(PackHeader::LEN as u64);
    let [front, back] = [0, end].map(|at| {
        // What cannot be read is as bad as what is wrong.
        let bytes = read(at, PackHeader::LEN.min(len as usize)).unwrap_or_default();
        let header = PackHeader::decode(&bytes)?;
        if record.is_none_or(|record| record_of(&header) == *record) { Ok(header) } else { Err(OTHER) }
    });
    match (front, back) {
        (Ok(front), Ok(back)) if front == back => Ok((front, Vec::new())),
        (Ok(front), Ok(_)) => Ok((front, vec![PackFault::HeadersDiffer])),
        (Ok(front), Err(source)) => Ok((front, vec![PackFault::Header { which: "second", source }])),
        (Err(source), Ok(back)) => Ok((back, vec![PackFault::Header { which: "first", source }])),
        (Err(error), Err(_)) => Err(error),
    }
}

/// A look at one pack.
struct Exam<'a> {
    read: &'a ReadPack<'a>,
    len: u64,
    header: PackHeader,
    damaged: Vec<u64>,
    /// Marks of each table that disagree with a shard that is good.
    wrong_marks: [u64; 2],
    faults: Vec<PackFault>,
}

impl Exam<'_> {
    /// Bytes at an offset of the whole pack, wherever they may lie in a file that is shorter or longer at one place: as
    /// counted from its front, and from its end.
    fn at_both_ends(&mut self, offset: u64, len: u64) -> Vec<Vec<u8>> {
        let places = both_ends(offset, len, self.header.total_len(), self.len as usize);
        let mut found = Vec::new();
        for place in places.into_iter().flatten() {
            match (self.read)(place.start as u64, place.len()) {
                Ok(bytes) => found.push(bytes),
                Err(error) => self.unreadable(place.start as u64, len, &error),
            }
        }
        found
    }

    /// Notes the first part that the system cannot read: one is enough to say that the disk fails.
    fn unreadable(&mut self, offset: u64, bytes: u64, error: &io::Error) {
        if !self.faults.iter().any(|fault| matches!(fault, PackFault::Unreadable { .. })) {
            self.faults.push(PackFault::Unreadable { offset, bytes, error: error.to_string() });
        }
    }

    /// The leaf hash of a shard that agrees with a mark of it; `None`: it is damaged.
    fn shard(&mut self, shard: u64) -> Option<NodeHash> {
        let header = &self.header;
        let (offset, len) = header.shard_place(shard);
        let tables = [header.first_table_offset(), header.second_table_offset()];
        let marks = tables.map(|table| self.marks(table, shard));
        let found = self.at_both_ends(offset, len).into_iter().find_map(|bytes| {
            let leaf = *leaves(&[&bytes], self.header.shard_len).first()?;
            let agree = marks.each_ref().map(|marks| marks.iter().any(|mark| mark.agrees_with(&leaf)));
            agree.contains(&true).then_some((leaf, agree))
        });
        let Some((leaf, agree)) = found else {
            self.damaged.push(shard);
            return None;
        };
        for (wrong, agrees) in self.wrong_marks.iter_mut().zip(agree) {
            *wrong += u64::from(!agrees);
        }
        Some(leaf)
    }

    /// What a table may say of a shard.
    fn marks(&mut self, table: u64, shard: u64) -> Vec<ShardMark> {
        let len = ShardMark::LEN as u64;
        let found = self.at_both_ends(table + shard * len, len);
        found.iter().filter_map(|bytes| ShardMark::in_table(bytes, 0)).collect()
    }

    fn single(&mut self, shards: Vec<u64>) {
        for shard in shards {
            self.shard(shard);
        }
    }

    fn whole(&mut self) {
        if self.header.parity_shards == 0 {
            return self.without_marks();
        }
        let payload = self.header.payload_shards();
        let roots = [self.header.payload_root, self.header.parity_root];
        let parts = [("payload", 0..payload), ("parity", payload..self.header.shards())];
        for ((part, shards), expected) in parts.into_iter().zip(roots) {
            let found: Vec<_> = shards.map(|shard| self.shard(shard)).collect();
            // Where a shard is damaged, the root says nothing more.
            let found: Option<Vec<NodeHash>> = found.into_iter().collect();
            if found.is_some_and(|found| root(&found) != expected) {
                self.faults.push(PackFault::Root { part });
            }
        }
        for (which, marks) in ["first", "second"].into_iter().zip(self.wrong_marks) {
            if marks > 0 {
                self.faults.push(PackFault::Table { which, marks });
            }
        }
    }

    fn without_marks(&mut self) {
        let (offset, len) = (self.header.first_directory_offset(), self.header.payload_len());
        let found = self.at_both_ends(offset, len);
        let is_right =
            |bytes: &Vec<u8>| root(&leaves(&[bytes], self.header.shard_len)) == self.header.payload_root;
        if !found.iter().any(is_right) {
            self.faults.push(PackFault::Root { part: "payload" });
        }
    }

    /// Heals the pack in memory. What cannot be read counts as zeros.
    fn try_to_heal(&self) -> Result<(), HealError> {
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < self.len {
            let at = bytes.len() as u64;
            let len = (self.len - at).min(PackHeader::SHARD_LEN_MAX.into()) as usize;
            bytes.extend((self.read)(at, len).unwrap_or_else(|_| vec![0; len]));
        }
        heal(&bytes, &record_of(&self.header)).map(drop)
    }
}
