#![doc = include_str!("receipt.md")]
#[cfg(test)]
mod tests;

use super::DecodeError;
use super::codec::{Reader, Writer, verify_checksum};
use super::dirtree::Timestamp;
use super::wire::Rights;
use crate::id::{CommitId, EntryHash};
use crate::limits::LOG_ENTRY_LEN_MAX;

const WHAT: &str = "receipt";
const MAGIC: &[u8; 8] = b"WARPRCPT";
const VERSION: u16 = 1;

/// What a host notes of an entry that came to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the entry.
    pub number: u64,
    /// Hash of the entry.
    pub hash: EntryHash,
    /// When it came, by the clock of the host.
    pub time: Timestamp,
    /// The public key of the connection.
    pub key: [u8; 32],
    /// What that key might do.
    pub rights: Rights,
    /// Commits that it made live.
    pub commits: Vec<CommitId>,
}

impl Receipt {
    /// Most bytes of a receipt: an entry names no more commits than fit it.
    pub const LEN_MAX: u64 = LOG_ENTRY_LEN_MAX as u64;
    /// Bytes of one that names no commit.
    pub const EMPTY_LEN: u64 = 128;

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes(MAGIC);
        writer.u16(VERSION);
        writer.u64(self.number);
        writer.bytes(self.hash.as_bytes());
        writer.i64(self.time.secs);
        writer.u32(self.time.nanos);
        writer.bytes(&self.key);
        writer.u8(self.rights.bits());
        writer.count(self.commits.len());
        self.commits.iter().for_each(|commit| writer.bytes(commit.as_bytes()));
        writer.checksum();
        writer.into_bytes()
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is damaged, of a newer version, or grants unknown rights.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, verify_checksum(WHAT, bytes)?);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        let (number, hash) = (reader.u64()?, EntryHash::new(reader.array()?));
        let time = Timestamp { secs: reader.i64()?, nanos: reader.u32()? };
        let key = reader.array()?;
        let bits = reader.u8()?;
        let rights = Rights::from_bits(bits).ok_or_else(|| reader.invalid("it has unknown rights"))?;
        let count = reader.count("number of commits", LOG_ENTRY_LEN_MAX, CommitId::LEN)?;
        let commits = (0..count).map(|_| reader.array().map(CommitId::new)).collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { number, hash, time, key, rights, commits })
    }
}
