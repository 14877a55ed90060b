//! Reading files of the store from one end to the other, to see whether they are what the log says. What is read here is
//! read for its own sake, also the second copies that no reader needs.

mod segment;

use std::num::NonZeroUsize;

pub use segment::{SegmentAudit, check_segment_bytes};

use crate::format::log::PackRecord;
use crate::format::pack::{PackHeader, ShardMark};
use crate::merkle::ShardHasher;
use crate::store::{BlobName, StorageBackend};

use super::CasError;
use super::pack_writer::{leaves, root};
use super::vault::pack_name;

/// Bytes that are read at a time where nothing else says how many.
const PIECE: u64 = 1 << 20;

/// A pack that is read once, in order, and hashed on the way. That needs no keys.
#[derive(Debug)]
pub struct SealedPack<'a> {
    store: &'a dyn StorageBackend,
    name: BlobName,
    header: PackHeader,
    hasher: ShardHasher,
    /// Where the next byte of the payload lies.
    at: u64,
}

impl<'a> SealedPack<'a> {
    /// Reads both headers of a pack and compares them with what the log says. `faults` takes what is wrong and does not keep
    /// the rest from being read: the length, or one header.
    ///
    /// # Errors
    /// When the pack is not there, no header is whole, or the store fails.
    pub fn open(
        store: &'a dyn StorageBackend,
        record: &PackRecord,
        faults: &mut Vec<CasError>,
    ) -> Result<Self, CasError> {
        let name = pack_name(&record.uid);
        let file = name.as_str().to_owned();
        // Reading tells a pack that is missing from one that is empty.
        store.read_at(&name, 0, 0)?;
        let found = store.len(&name)?.unwrap_or(0);
        if found != record.len {
            faults.push(CasError::Length { file, found, expected: record.len });
        }
        let end = found.saturating_sub(PackHeader::LEN as u64);
        let front = header(store, &name, record, (0, "header"));
        let back = header(store, &name, record, (end, "second header"));
        let header = match (front, back) {
            (Ok(front), Ok(_)) => front,
            (Ok(whole), Err(fault)) | (Err(fault), Ok(whole)) => {
                faults.push(fault);
                whole
            }
            (Err(fault), Err(_)) => return Err(fault),
        };
        let shard_len = NonZeroUsize::new(header.shard_len as usize).expect("a header's check");
        let (at, hasher) = (header.first_directory_offset(), ShardHasher::new(shard_len));
        Ok(Self { store, name, header, hasher, at })
    }

    /// What its headers say, as far as one is whole.
    pub fn header(&self) -> &PackHeader {
        &self.header
    }

    /// Length in bytes of each of the two directories; the first one is where the payload begins.
    pub fn directory_len(&self) -> u64 {
        self.header.directory_len.into()
    }

    /// Number of the data key that it is sealed under.
    pub fn epoch(&self) -> u32 {
        self.header.epoch
    }

    /// Whether the two sealed directories are equal.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn directories_agree(&self) -> Result<bool, CasError> {
        let read = |offset| self.store.read_at(&self.name, offset, self.header.directory_len as usize);
        Ok(read(self.header.first_directory_offset())? == read(self.header.second_directory_offset())?)
    }

    /// The next `len` bytes of the payload.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn next(&mut self, len: u64) -> Result<Vec<u8>, CasError> {
        let len = usize::try_from(len.min(self.left())).expect("a pack's length was checked");
        let bytes = self.store.read_at(&self.name, self.at, len)?;
        self.hasher.update(&bytes);
        self.at += len as u64;
        Ok(bytes)
    }

    /// Bytes of the payload that were not yet read.
    pub fn left(&self) -> u64 {
        self.header.parity_offset() - self.at
    }

    /// Reads the rest, the parity and the shard tables, and compares all with the roots in the header. `read` is told how many
    /// bytes came.
    ///
    /// # Errors
    /// [`CasError::Hash`]; when something cannot be read.
    pub fn finish(mut self, read: &dyn Fn(u64)) -> Result<(), CasError> {
        while self.left() > 0 {
            let bytes = self.next(PIECE)?;
            read(bytes.len() as u64);
        }
        let changed = |part| CasError::Hash { file: self.name.as_str().to_owned(), part };
        let header = &self.header;
        let mut leaves = self.hasher.into_leaves();
        if root(&leaves) != header.payload_root {
            return Err(changed("payload"));
        }
        if header.parity_shards == 0 {
            return Ok(());
        }
        let get = |offset, len| {
            let len = usize::try_from(len).expect("a header's check");
            let bytes = self.store.read_at(&self.name, offset, len)?;
            read(bytes.len() as u64);
            Ok::<_, CasError>(bytes)
        };
        let parity = get(header.parity_offset(), header.parity_len())?;
        let of_parity = self::leaves(&[&parity], header.shard_len);
        if root(&of_parity) != header.parity_root {
            return Err(changed("parity"));
        }
        leaves.extend(of_parity);
        let table = ShardMark::table(&leaves);
        for offset in [header.first_table_offset(), header.second_table_offset()] {
            if get(offset, header.table_len())? != table {
                return Err(changed("shard table"));
            }
        }
        Ok(())
    }
}

/// The header of a pack that the log has this record of: the one in front or, where that cannot be had, the one at the end.
///
/// # Errors
/// When neither can be had: what is wrong with the one in front.
pub fn pack_header(store: &dyn StorageBackend, record: &PackRecord) -> Result<PackHeader, CasError> {
    let name = pack_name(&record.uid);
    header(store, &name, record, (0, "header")).or_else(|error| {
        let end = record.len.saturating_sub(PackHeader::LEN as u64);
        header(store, &name, record, (end, "second header")).map_err(|_| error)
    })
}

/// A header, if it is one of this pack as the log knows it.
fn header(
    store: &dyn StorageBackend,
    name: &BlobName,
    record: &PackRecord,
    (offset, part): (u64, &'static str),
) -> Result<PackHeader, CasError> {
    let file = || name.as_str().to_owned();
    let bytes = store.read_at(name, offset, PackHeader::LEN)?;
    let header =
        PackHeader::decode(&bytes).map_err(|source| CasError::Format { file: file(), part, source })?;
    let is_of_record = header.uid == record.uid
        && header.payload_root == record.payload_root
        && header.total_len() == record.len;
    if is_of_record { Ok(header) } else { Err(CasError::Foreign { file: file(), part }) }
}
