//! When an entry came, and who brought it: what the host knows, whatever the entry says of itself.

use std::collections::HashMap;

use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, verify_checksum};
use crate::format::dirtree::Timestamp;
use crate::format::wire::Rights;
use crate::id::{CommitId, EntryHash};
use crate::limits::LOG_ENTRY_LEN_MAX;
use crate::store::{BlobName, StorageBackend, StoreError};
use crate::sync::PeerKey;

const WHAT: &str = "receipt";
const MAGIC: &[u8; 8] = b"WARPRCPT";
const VERSION: u16 = 1;
/// Where they lie.
pub(super) const FOLDER: &str = "receipts/";

/// What a host notes of an entry that came to it.
///
/// Bytes: magic `WARPRCPT`, u16 version 1, u64 number, 32 bytes hash of the entry, i64 seconds and u32 nanoseconds since 1970, 32 bytes key, u8
/// rights, list of 32 bytes commits, 32 bytes checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ops) struct Receipt {
    /// Number of the entry.
    pub(in crate::ops) number: u64,
    /// Hash of the entry.
    pub(in crate::ops) hash: EntryHash,
    /// When it came, by the clock of the host.
    pub(in crate::ops) time: Timestamp,
    /// The key of the connection.
    pub(in crate::ops) key: PeerKey,
    /// What that key might do.
    pub(in crate::ops) rights: Rights,
    /// Commits that it made live.
    pub(in crate::ops) commits: Vec<CommitId>,
}

impl Receipt {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.u64(self.number);
        writer.bytes(self.hash.as_bytes());
        writer.i64(self.time.secs);
        writer.u32(self.time.nanos);
        writer.bytes(self.key.as_bytes());
        writer.u8(self.rights.bits());
        writer.count(self.commits.len());
        self.commits.iter().for_each(|commit| writer.bytes(commit.as_bytes()));
        writer.checksum();
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, verify_checksum(WHAT, bytes)?);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let (number, hash) = (reader.u64()?, EntryHash::new(reader.array()?));
        let time = Timestamp { secs: reader.i64()?, nanos: reader.u32()? };
        let key = PeerKey::new(reader.array()?);
        let bits = reader.u8()?;
        let rights = Rights::from_bits(bits).ok_or_else(|| reader.invalid("it has unknown rights"))?;
        let count = reader.count("number of commits", LOG_ENTRY_LEN_MAX, CommitId::LEN)?;
        let commits = (0..count).map(|_| reader.array().map(CommitId::new)).collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { number, hash, time, key, rights, commits })
    }
}

pub(super) fn name(number: u64) -> BlobName {
    BlobName::new(&format!("{FOLDER}{number:010}")).expect("digits make a legal name")
}

/// The receipts of a repository, by commit: the first one of each, that is. What is damaged is left out.
pub(in crate::ops) fn read_receipts(
    store: &dyn StorageBackend,
) -> Result<HashMap<CommitId, Receipt>, StoreError> {
    let mut receipts = HashMap::new();
    for name in store.names(FOLDER)? {
        let bytes = match store.get(&name, LOG_ENTRY_LEN_MAX as u64) {
            Err(error) if error.is_not_found() => continue,
            bytes => bytes?,
        };
        let Ok(receipt) = Receipt::decode(&bytes) else { continue };
        for commit in &receipt.commits {
            receipts.entry(*commit).or_insert_with(|| receipt.clone());
        }
    }
    Ok(receipts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_read_as_it_was_written_and_no_damage_passes() {
        let receipt = Receipt {
            number: 7,
            hash: EntryHash::new([1; 32]),
            time: Timestamp { secs: -5, nanos: 9 },
            key: PeerKey::new([2; 32]),
            rights: Rights::READ.and(Rights::APPEND),
            commits: vec![CommitId::new([3; 32]), CommitId::new([4; 32])],
        };
        let bytes = receipt.encode();
        assert_eq!(Receipt::decode(&bytes), Ok(receipt));
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(Receipt::decode(&damaged).is_err(), "byte {place}");
            assert!(Receipt::decode(&bytes[..place]).is_err());
        }
    }
}
