//! Names of things: ids of objects, packs, log entries, devices.
//!
//! All ids are fixed-width byte strings printed in lower-case hex. An id says what a thing is called, never
//! that it is authentic: whoever reads an object recomputes its id.

use std::fmt;
use std::str::FromStr;

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id: expected {expected} hexadecimal digits")]
pub struct ParseIdError {
    text: String,
    expected: usize,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $len:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Length of the id in bytes.
            pub const LEN: usize = $len;

            /// Wraps raw bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The whole id in lower-case hex.
            pub fn to_hex(&self) -> String {
                data_encoding::HEXLOWER.encode(&self.0)
            }

            /// The first eight hex digits, for people.
            pub fn short(&self) -> String {
                data_encoding::HEXLOWER.encode(&self.0[..4])
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.to_hex())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                let wrong = || ParseIdError { text: text.to_owned(), expected: 2 * $len };
                let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| wrong())?;
                Ok(Self(bytes.try_into().map_err(|_| wrong())?))
            }
        }
    )*};
}

ids! {
    /// Id of a content-addressed object: the keyed BLAKE3 hash of its plaintext under the id key of its [`ObjectKind`].
    ///
    /// ```
    /// use warp::crypto::Keyring;
    /// use warp::id::{ChunkId, ObjectKind};
    ///
    /// let keys = Keyring::generate()?;
    /// let id: ChunkId = keys.object_id(ObjectKind::Chunk, b"some bytes");
    /// assert_eq!(keys.object_id(ObjectKind::Chunk, b"some bytes"), id);
    /// assert_ne!(keys.object_id(ObjectKind::Commit, b"some bytes"), id);
    /// assert_eq!(id.to_hex().parse(), Ok(id));
    /// assert_eq!(id.short(), id.to_hex()[..8]);
    /// # Ok::<(), warp::crypto::CryptoError>(())
    /// ```
    ChunkId: 32;
    /// Id of a commit: a [`ChunkId`] of kind [`ObjectKind::Commit`].
    CommitId: 32;
    /// The first half of a [`ChunkId`]: what pack directories and index rows store.
    ///
    /// Ids are keyed hashes, so nobody without the repository's keys can look for two objects with one locator;
    /// among 10^9 objects the chance of a meeting is below 10^-20. The full id is verified on every read.
    Locator: 16;
    /// Random name of a pack, never used twice.
    PackId: 16;
    /// Random name of an index segment, never used twice.
    SegmentId: 16;
    /// Random name of a bundle.
    BundleId: 16;
    /// Random name of one attempt to append to the log.
    AttemptId: 16;
    /// Names the keys: shared by every clone of a repository.
    FamilyId: 16;
    /// Names one repository: its log, rollback state and caches.
    InstanceId: 16;
    /// Opaque name of a ref: a keyed hash of the ref's full name.
    RefId: 16;
    /// Opaque name of a group of refs (branches of one host, tags): what a server grants rights on.
    NamespaceId: 16;
    /// BLAKE3 hash of a log entry's bytes.
    EntryHash: 32;
    /// Root of a Merkle tree over shards or other leaves.
    Root: 32;
    /// Public half of a device's Ed25519 key.
    DeviceId: 32;
}

impl ChunkId {
    /// The half of the id that directories and the index hold.
    pub fn locator(&self) -> Locator {
        let mut half = [0; Locator::LEN];
        half.copy_from_slice(&self.0[..Locator::LEN]);
        Locator(half)
    }
}

impl From<CommitId> for ChunkId {
    fn from(id: CommitId) -> Self {
        Self(id.0)
    }
}

impl From<ChunkId> for CommitId {
    fn from(id: ChunkId) -> Self {
        Self(id.0)
    }
}

/// What an object is. Each kind has an id key of its own, so bytes of a file that look like a node never share its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ObjectKind {
    /// Bytes of one file.
    Chunk = 1,
    /// Inner node of a file's [`ChonkerTree`](crate::chonkers::ChonkerTree).
    FileNode = 2,
    /// Node of a directory.
    DirNode = 3,
    /// A commit.
    Commit = 4,
    /// Chunk or node of a side object for change detection: not part of any tree's id.
    State = 5,
}

impl ObjectKind {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; 5] = [Self::Chunk, Self::FileNode, Self::DirNode, Self::Commit, Self::State];

    /// The kind with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether objects of this kind go into packs of metadata.
    pub fn is_metadata(self) -> bool {
        self != Self::Chunk
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chunk => "chunk",
            Self::FileNode => "file node",
            Self::DirNode => "directory node",
            Self::Commit => "commit",
            Self::State => "change-detection state",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_through_hex_and_refuse_anything_else() {
        let id = PackId::new([0xab; 16]);
        assert_eq!(id.to_hex().parse(), Ok(id));
        for wrong in ["", "ab", "zz", &"a".repeat(33), &"g".repeat(32)] {
            assert!(wrong.parse::<PackId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn kinds_round_trip_through_their_numbers() {
        for number in 0..=u8::MAX {
            assert!(ObjectKind::from_u8(number).is_none_or(|kind| kind as u8 == number));
        }
        assert_eq!((0..=u8::MAX).filter_map(ObjectKind::from_u8).count(), ObjectKind::ALL.len());
    }
}
