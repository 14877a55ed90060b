//! Why content-addressed storage failed.

use crate::compress::CompressError;
use crate::crypto::CryptoError;
use crate::erasure::ErasureError;
use crate::format::DecodeError;
use crate::id::{Locator, ObjectKind, PackId};
use crate::store::StoreError;

use super::HealError;
use super::vault::pack_name;

/// Why an object could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CasError {
    /// The store failed.
    #[error("the repository's store failed")]
    Store {
        /// What happened.
        #[source]
        source: StoreError,
    },
    /// Bytes of a file in the store are not what its format says.
    #[error("{file}: its {part} cannot be read")]
    Format {
        /// Name in the store.
        file: String,
        /// Which part of it.
        part: &'static str,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A sealed part does not open.
    #[error("{file}: its {part} does not open; it is damaged or was exchanged")]
    Sealed {
        /// Name in the store.
        file: String,
        /// Which part of it.
        part: &'static str,
        /// What the cipher says.
        #[source]
        source: CryptoError,
    },
    /// A compressed part does not decompress.
    #[error("{file}: its {part} does not decompress")]
    Compressed {
        /// Name in the store.
        file: String,
        /// Which part of it.
        part: &'static str,
        /// What is wrong.
        #[source]
        source: CompressError,
    },
    /// A file of the store belongs to other keys, or says another name than it has.
    #[error("{file} is not what its name says: its {part} names another")]
    Foreign {
        /// Name in the store.
        file: String,
        /// Which part says so.
        part: &'static str,
    },
    /// A file of the store has another length than the log says.
    #[error("{file} is {found} bytes long; the log says {expected}")]
    Length {
        /// Name in the store.
        file: String,
        /// Its length in bytes.
        found: u64,
        /// What the log says.
        expected: u64,
    },
    /// The hash over bytes of a file is another than the one that was recorded when they were written.
    #[error("{file}: its {part} changed since it was written")]
    Hash {
        /// Name in the store.
        file: String,
        /// Which part of it.
        part: &'static str,
    },
    /// A shard, as another end sent it, is not below the root that the log names.
    #[error("{file}: what is said to be a part of it is none")]
    Proof {
        /// Name in the store.
        file: String,
        /// What is wrong.
        #[source]
        source: crate::merkle::ProofError,
    },
    /// A data key is not in the keyring.
    #[error("{file} is sealed under data key {epoch}, which this keyring does not have")]
    UnknownEpoch {
        /// Name in the store.
        file: String,
        /// The key's number.
        epoch: u32,
    },
    /// What is not there may have been sealed anew, under a data key that came after the keyring was read.
    #[error("the keys of the repository were rotated while this ran; nothing is lost, run it again")]
    Rotated,
    /// No live pack holds the object.
    #[error("{kind} {id} is missing: no pack of the repository holds it")]
    Missing {
        /// What it is.
        kind: ObjectKind,
        /// First half of its id.
        id: Locator,
    },
    /// What lies where the index says is not the object.
    #[error("pack {pack} holds something else where {kind} {id} should be")]
    WrongObject {
        /// What it should be.
        kind: ObjectKind,
        /// First half of its id.
        id: Locator,
        /// Where it should be.
        pack: PackId,
    },
    /// No live pack holds the base of a delta in full or, for a delta of deltas, less deep than the delta itself.
    #[error("{kind} {id} is stored as a difference to {base}, which no pack of the repository holds")]
    MissingBase {
        /// What is stored as a delta.
        kind: ObjectKind,
        /// First half of its id.
        id: Locator,
        /// First half of the base's id.
        base: Locator,
    },
    /// The base of a delta is there, but cannot be read.
    #[error("{kind} {id} is stored as a difference to {base}, which cannot be read")]
    UnreadableBase {
        /// What is stored as a delta.
        kind: ObjectKind,
        /// First half of its id.
        id: Locator,
        /// First half of the base's id.
        base: Locator,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// A delta does not make the object that it should.
    #[error("{kind} {id} does not come out of its difference to {base}")]
    WrongDelta {
        /// What it should be.
        kind: ObjectKind,
        /// First half of its id.
        id: Locator,
        /// First half of the id of its first base.
        base: Locator,
        /// What is wrong with the frame; `None`: other bytes came out.
        #[source]
        source: Option<CompressError>,
    },
    /// An object is too large to store.
    #[error("a {kind} of {len} bytes is over the limit of {max}")]
    TooLarge {
        /// What it is.
        kind: ObjectKind,
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// A random name was given out twice, which a working random number generator does not do.
    #[error("the name {file} is taken already; the system's random numbers repeat")]
    NameTaken {
        /// Name in the store.
        file: String,
    },
    /// The operating system gave no random bytes.
    #[error("cannot make a key or a name")]
    Random {
        /// What happened.
        #[source]
        source: CryptoError,
    },
    /// What was to be written breaks a rule of its format: a defect of the program.
    #[error("cannot write a {what}")]
    Encode {
        /// What was to be written.
        what: &'static str,
        /// The rule.
        #[source]
        source: DecodeError,
    },
    /// A block could not be compressed.
    #[error("cannot compress a block")]
    Compress {
        /// What happened.
        #[source]
        source: CompressError,
    },
    /// A pack is damaged, and its parity cannot heal it.
    #[error("a pack is damaged beyond what its parity can heal")]
    Lost {
        /// Which one, and how badly.
        #[source]
        source: HealError,
    },
    /// A pack's parity could not be computed: a defect of the program.
    #[error("{file}: cannot compute its parity")]
    Parity {
        /// Name in the store.
        file: String,
        /// What is wrong.
        #[source]
        source: ErasureError,
    },
    /// A finished pack could not be handed on because its writer stopped.
    #[error("writing packs has stopped")]
    WriterGone,
}

impl CasError {
    /// Whether it can be that what was looked for lies elsewhere by now: a file is gone, or a base.
    pub fn may_have_moved(&self) -> bool {
        match self {
            Self::Store { source } => source.is_not_found(),
            Self::UnreadableBase { source, .. } => source.may_have_moved(),
            Self::MissingBase { .. } | Self::Missing { .. } => true,
            _ => false,
        }
    }

    /// Whether a file is not there, ends early, or holds something else than it should.
    pub fn is_loss(&self) -> bool {
        let is_cut =
            |source: &StoreError| matches!(source, StoreError::NotFound { .. } | StoreError::Short { .. });
        matches!(self, Self::Store { source } if is_cut(source)) || self.is_damage()
    }

    /// Name in the store of the file that is to blame, where there is one.
    pub fn file(&self) -> Option<String> {
        match self {
            Self::Format { file, .. }
            | Self::Sealed { file, .. }
            | Self::Compressed { file, .. }
            | Self::Foreign { file, .. }
            | Self::Length { file, .. }
            | Self::Hash { file, .. }
            | Self::Proof { file, .. }
            | Self::UnknownEpoch { file, .. } => Some(file.clone()),
            Self::WrongObject { pack, .. } => Some(pack_name(pack).as_str().to_owned()),
            Self::UnreadableBase { source, .. } => source.file(),
            Self::Store { source: StoreError::NotFound { name, .. } | StoreError::Short { name, .. } } => {
                Some(name.clone())
            }
            _ => None,
        }
    }

    /// Whether bytes in the store are wrong (as opposed to a store that failed or an object that is not there).
    pub fn is_damage(&self) -> bool {
        if let Self::UnreadableBase { source, .. } = self {
            return source.is_damage();
        }
        matches!(
            self,
            Self::Format { .. }
                | Self::Sealed { .. }
                | Self::Compressed { .. }
                | Self::Foreign { .. }
                | Self::Length { .. }
                | Self::Hash { .. }
                | Self::WrongObject { .. }
                | Self::Missing { .. }
                | Self::MissingBase { .. }
                | Self::WrongDelta { .. }
                | Self::Lost { .. }
        )
    }

    /// Whether it can be that bytes of a pack have rotted: they do not open, are not there, or the disk does not read them.
    pub(super) fn may_be_rot(&self) -> bool {
        match self {
            Self::Store { source } => matches!(source, StoreError::Short { .. } | StoreError::Io { .. }),
            Self::Format { .. } | Self::Sealed { .. } | Self::Compressed { .. } => true,
            _ => false,
        }
    }
}

impl From<StoreError> for CasError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}
