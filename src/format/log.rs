#![doc = include_str!("log.md")]
mod private;
mod public;
#[cfg(test)]
mod tests;

use super::DecodeError;
use super::codec::{Reader, Writer, limit};
use super::dirtree::Timestamp;
use crate::id::{
    AttemptId, CommitId, DeviceId, EntryHash, FamilyId, InstanceId, NamespaceId, PackId, RefId, Root,
    SegmentId,
};
use crate::limits;
use std::ops::Range;

pub(super) use private::{decode_made, encode_made};
pub(super) use public::{
    decode_commit, decode_commits_of_ref, decode_device, decode_pack, decode_segment, encode_commit,
    encode_commits_of_ref, encode_device, encode_pack, encode_segment, items, list,
};

const WHAT: &str = "log entry";
const MAGIC: &[u8; 8] = b"WARPLOG1";
/// Magic and length of the public part.
const HEAD_LEN: usize = 12;
const SIGNATURE_LEN: usize = 64;
/// What a signature of an entry starts with, so that it can be taken for nothing else.
const CONTEXT: &[u8] = b"warp log 1\0";
/// What a device's certificate starts with.
const DEVICE_CONTEXT: &[u8] = b"warp device 1\0";

/// A pack that an entry adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackRecord {
    /// Its name.
    pub uid: PackId,
    /// Its length in bytes.
    pub len: u64,
    /// Merkle root of its payload.
    pub payload_root: Root,
    /// Merkle root of its parity; all zero without.
    pub parity_root: Root,
    /// Number of the data key that it is sealed under.
    pub epoch: u32,
    /// Its directory serves as its index: no segment of the entry speaks of it.
    pub self_indexed: bool,
}

/// An index segment that an entry adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRecord {
    /// Its name.
    pub uid: SegmentId,
    /// Its length in bytes.
    pub len: u64,
    /// BLAKE3 of all of it.
    pub hash: Root,
    /// Rows in it.
    pub rows: u32,
}

/// A commit that becomes live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitRecord {
    /// Its id.
    pub id: CommitId,
    /// Its parents.
    pub parents: Vec<CommitId>,
}

/// A ref that is made, moved or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefChange {
    /// Opaque name.
    pub id: RefId,
    /// Opaque name of its group.
    pub namespace: NamespaceId,
    /// Where it stood; `None`: it did not exist.
    pub old: Option<CommitId>,
    /// Where it stands now; `None`: deleted.
    pub new: Option<CommitId>,
}

/// A device key that is enrolled or revoked, certified by the root key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceRecord {
    /// The device's public key.
    pub device: DeviceId,
    /// Bits: 1 write, 2 append, 4 gc, 8 admin. 0: revoked.
    pub roles: u8,
    /// Root key's signature over family, device and roles.
    pub certificate: [u8; 64],
}

/// What an entry says to everyone, also to a server without keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPublic {
    /// The keys' family.
    pub family: FamilyId,
    /// The repository.
    pub instance: InstanceId,
    /// Number of the entry, from 1.
    pub number: u64,
    /// Hash of the entry before; all zero in the first.
    pub previous: EntryHash,
    /// Names the attempt: tells a lost reply from a lost race.
    pub attempt: AttemptId,
    /// Packs that now exist.
    pub packs_added: Vec<PackRecord>,
    /// Packs that must not be used any more.
    pub packs_condemned: Vec<PackId>,
    /// Packs that no longer exist.
    pub packs_removed: Vec<PackId>,
    /// Segments that now exist.
    pub segments_added: Vec<SegmentRecord>,
    /// Segments that no longer exist.
    pub segments_removed: Vec<SegmentId>,
    /// Packs that the entry's commits rely on beyond what their parents reach.
    pub uses: Vec<PackId>,
    /// Commits that become live.
    pub commits: Vec<CommitRecord>,
    /// Commits that are no longer live.
    pub forgotten: Vec<CommitId>,
    /// Refs that change.
    pub refs: Vec<RefChange>,
    /// Devices that are enrolled or revoked.
    pub devices: Vec<DeviceRecord>,
    /// Which data key seals the private part.
    pub epoch: u32,
    /// The private part, sealed: nonce, ciphertext, tag.
    pub private: Vec<u8>,
    /// Who signs.
    pub device: DeviceId,
}

/// A whole entry: the public part's bytes and the signature over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// What it says.
    pub public: EntryPublic,
    /// Ed25519 signature over the context string `warp log 1` and the public part's bytes.
    pub signature: [u8; 64],
}

/// Full name of a ref that an entry's public part names by its opaque id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefName {
    /// Opaque name.
    pub id: RefId,
    /// Full name: `heads/main`, `tags/v1`.
    pub name: String,
}

/// What only holders of the keys read of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryPrivate {
    /// When it was written.
    pub time: Timestamp,
    /// Who wrote it, as `user@host`.
    pub who: String,
    /// What was done, for the reflog: `commit: message`.
    pub message: String,
    /// Names of all refs in the public part.
    pub names: Vec<RefName>,
    /// Names of devices enrolled here.
    pub device_names: Vec<(DeviceId, String)>,
}

/// What a device signs: the context string `warp log 1`, a zero byte, and the public part's bytes.
pub fn signing_bytes(public_bytes: &[u8]) -> Vec<u8> {
    [CONTEXT, public_bytes].concat()
}

/// The hash that the next entry names as the one before: BLAKE3 of the whole entry, signature included.
pub fn entry_hash(bytes: &[u8]) -> EntryHash {
    EntryHash::new(blake3::hash(bytes).into())
}

impl DeviceRecord {
    /// All roles: write, append, gc, admin.
    pub const ROLES: u8 = 0b1111;

    /// What the root key signs: the context string `warp device 1`, a zero byte, the family, the device, the roles.
    pub fn signing_bytes(&self, family: FamilyId) -> Vec<u8> {
        [DEVICE_CONTEXT, family.as_bytes(), self.device.as_bytes(), &[self.roles]].concat()
    }
}

impl LogEntry {
    /// Most bytes of a public part: with head and signature it fits an entry.
    pub const PUBLIC_LEN_MAX: usize = limits::LOG_ENTRY_LEN_MAX - HEAD_LEN - SIGNATURE_LEN;

    /// The entry's bytes, of which [`entry_hash`] is taken.
    ///
    /// # Errors
    /// If the public part breaks a rule of [`EntryPublic::check`], or the entry would be too long: split it.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        Self::assemble(&self.public.encode()?, &self.signature)
    }

    /// The entry's bytes from those of its public part, as [`EntryPublic::encode`] gave them, and their signature.
    ///
    /// # Errors
    /// If the entry would be too long.
    pub fn assemble(public_bytes: &[u8], signature: &[u8; SIGNATURE_LEN]) -> Result<Vec<u8>, DecodeError> {
        limit("length of a log entry's public part", public_bytes.len() as u64, Self::PUBLIC_LEN_MAX as u64)?;
        let mut writer = Writer::with_capacity(HEAD_LEN + public_bytes.len() + SIGNATURE_LEN);
        writer.bytes(MAGIC);
        writer.u32(public_bytes.len() as u32);
        writer.bytes(public_bytes);
        writer.bytes(signature);
        Ok(writer.into_bytes())
    }

    /// Reads an entry. Also says where its public part's bytes lie, for [`signing_bytes`]; the signature is not verified.
    ///
    /// # Errors
    /// If it is no entry, is of a newer version, is not canonical, or breaks a rule of [`EntryPublic::check`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, Range<usize>), DecodeError> {
        limit("length of a log entry", bytes.len() as u64, limits::LOG_ENTRY_LEN_MAX as u64)?;
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        let len = reader.u32()? as usize;
        let public_bytes = reader.take(len)?;
        let signature = reader.array()?;
        reader.finish()?;
        let public = EntryPublic::decode(public_bytes)?;
        Ok((Self { public, signature }, HEAD_LEN..HEAD_LEN + len))
    }
}
