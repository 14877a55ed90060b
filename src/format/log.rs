//! Log entries.
use super::dirtree::Timestamp;
use crate::id::{
    AttemptId, CommitId, DeviceId, EntryHash, FamilyId, InstanceId, NamespaceId, PackId, RefId, Root,
    SegmentId,
};

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
