//! What is answered.
use std::fmt;

use bytes::Bytes;

use super::{
    Frame, NAME_LEN_MAX, frame, no_payload, put_name, put_option, put_path, take_name, take_option, take_path,
};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, limit};
use crate::id::Root;
use crate::limits::{FRAME_BODY_LEN_MAX, PIECE_LEN, PROOFS_MAX};

const WHAT: &str = "reply";
/// Most bytes of the text of a failure.
const TEXT_LEN_MAX: usize = 4096;

/// What a key may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u8);

impl Rights {
    /// May read everything.
    pub const READ: Self = Self(1);
    /// May add packs, commits and refs, and move refs forward.
    pub const APPEND: Self = Self(2);
    /// May move refs back and delete them.
    pub const REF_FORCE: Self = Self(4);
    /// May take packs, segments and commits away.
    pub const GC: Self = Self(8);
    /// May make repositories, and change keys and devices.
    pub const ADMIN: Self = Self(16);
    /// All of them.
    pub const ALL: Self = Self(31);
    /// None of them.
    pub const NONE: Self = Self(0);
    /// Their names, in the order of their bits.
    pub const NAMES: [&'static str; 5] = ["read", "append", "ref-force", "gc", "admin"];

    /// The rights of these bits; `None` if one is unknown.
    pub fn from_bits(bits: u8) -> Option<Self> {
        (bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }

    /// Their bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `wanted` are among them.
    pub fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// These and those.
    pub fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// The right of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|bit| Self(1 << bit))
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.iter().enumerate().filter(|(bit, _)| self.0 & 1 << bit != 0);
        let names: Vec<&str> = named.map(|(_, name)| *name).collect();
        f.write_str(if names.is_empty() { "none".to_owned() } else { names.join(",") }.as_str())
    }
}

/// Why a request failed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FailCode {
    /// There is no such blob.
    NotFound = 1,
    /// The blob is too large; the number: its length.
    TooLarge = 2,
    /// The blob ends earlier; the number: its length.
    Short = 3,
    /// There is no such repository.
    NoRepository = 4,
    /// The key may not do that; the number: the rights that it lacks.
    Denied = 5,
    /// A rule forbids it.
    Refused = 6,
    /// What was sent is not what it should be.
    Damaged = 7,
    /// The other end is busy; the number: milliseconds to wait.
    Busy = 8,
    /// The repository may not grow any more; the number: its quota in bytes.
    Quota = 9,
    /// The disk is full.
    Full = 10,
    /// The upload is not known.
    NoUpload = 11,
    /// The store failed.
    Store = 12,
    /// The request makes no sense.
    Malformed = 13,
    /// Another entry of the log was faster; the number: that of the last one.
    Lost = 14,
}

impl FailCode {
    const ALL: [Self; 14] = [
        Self::NotFound,
        Self::TooLarge,
        Self::Short,
        Self::NoRepository,
        Self::Denied,
        Self::Refused,
        Self::Damaged,
        Self::Busy,
        Self::Quota,
        Self::Full,
        Self::NoUpload,
        Self::Store,
        Self::Malformed,
        Self::Lost,
    ];
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// Why, for programs.
    pub code: FailCode,
    /// What belongs to the code.
    pub number: u64,
    /// Why, for people. It comes from the other end: escape it.
    pub text: String,
}

impl Failure {
    /// A failure; a text that is too long is cut.
    pub fn new(code: FailCode, number: u64, text: impl Into<String>) -> Self {
        let mut text: String = text.into();
        while text.len() > TEXT_LEN_MAX {
            text.pop();
        }
        Self { code, number, text }
    }
}

/// One row of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// Shards of a pack's payload, and the proof that they are its.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shards {
    /// Length in bytes of a shard; only the last of a payload may be shorter.
    pub shard_len: u32,
    /// How many shards the payload has.
    pub leaf_count: u64,
    /// Merkle path of each.
    pub paths: Vec<Vec<[u8; 32]>>,
    /// Their bytes, one after the other.
    pub bytes: Bytes,
}

/// What the end that holds a repository answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Hello`](super::Request::Hello).
    Welcome {
        /// What the key may do.
        rights: Rights,
        /// Whether the repository is there.
        exists: bool,
        /// Bytes that the repository may still grow by.
        room: u64,
        /// How many pieces beyond the first one that is missing an upload may send.
        ahead: u32,
    },
    /// It is done.
    Done,
    /// The blob was stored.
    Created {
        /// Merkle root over the payload that the other end found, of a pack.
        root: Option<Root>,
    },
    /// A blob of that name is there; nothing was stored.
    Exists,
    /// A blob, or its first piece.
    Blob {
        /// Length of the whole.
        len: u64,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Length of a blob; `None`: there is none.
    Len {
        /// In bytes.
        len: Option<u64>,
    },
    /// Blobs of a folder.
    Listing {
        /// Sorted by name.
        blobs: Vec<Blob>,
        /// There are more.
        more: bool,
    },
    /// Files of log entries.
    Entries {
        /// Length of each.
        lens: Vec<u32>,
        /// One after the other.
        bytes: Bytes,
    },
    /// An upload, new or begun before.
    Upload {
        /// Its number.
        upload: u64,
        /// Which pieces are there: bit n of byte n / 8, lowest first.
        there: Vec<u8>,
    },
    /// Whether a blob was deleted.
    Deleted {
        /// It was there.
        existed: bool,
    },
    /// Shards with their proofs.
    Shards(Shards),
    /// Keyed hash of a whole pack.
    Possession {
        /// BLAKE3, keyed with the challenge.
        hash: [u8; 32],
    },
    /// It failed.
    Failed(Failure),
}

impl Reply {
    /// The frame that carries it.
    pub fn into_frame(self) -> Frame {
        let mut w = Writer::with_capacity(32);
        let mut payload = Bytes::new();
        let kind = match self {
            Self::Welcome { rights, exists, room, ahead } => {
                w.u8(rights.bits());
                w.u8(exists.into());
                w.u64(room);
                w.u32(ahead);
                128
            }
            Self::Done => 129,
            Self::Created { root } => {
                put_option(&mut w, root, |w, root| w.bytes(root.as_bytes()));
                130
            }
            Self::Exists => 131,
            Self::Blob { len, bytes } => {
                w.u64(len);
                payload = bytes;
                132
            }
            Self::Len { len } => {
                put_option(&mut w, len, |w, len| w.u64(len));
                133
            }
            Self::Listing { blobs, more } => {
                w.count(blobs.len());
                for blob in &blobs {
                    put_name(&mut w, &blob.name);
                    w.u64(blob.len);
                }
                w.u8(more.into());
                134
            }
            Self::Entries { lens, bytes } => {
                w.count(lens.len());
                lens.iter().for_each(|len| w.u32(*len));
                payload = bytes;
                135
            }
            Self::Upload { upload, there } => {
                w.u64(upload);
                w.prefixed(&there);
                136
            }
            Self::Deleted { existed } => {
                w.u8(existed.into());
                137
            }
            Self::Shards(shards) => {
                w.u32(shards.shard_len);
                w.u64(shards.leaf_count);
                w.count(shards.paths.len());
                shards.paths.iter().for_each(|path| put_path(&mut w, path));
                payload = shards.bytes;
                138
            }
            Self::Possession { hash } => {
                w.bytes(&hash);
                139
            }
            Self::Failed(Failure { code, number, text }) => {
                w.u8(code as u8);
                w.u64(number);
                w.prefixed(text.as_bytes());
                255
            }
        };
        frame(kind, w, payload)
    }

    /// The reply in a frame.
    ///
    /// # Errors
    /// If it is of an unknown kind, breaks a limit or is not canonical.
    pub fn from_frame(frame: Frame) -> Result<Self, DecodeError> {
        let Frame { kind, body, payload } = frame;
        let mut r = Reader::new(WHAT, &body);
        if !matches!(kind, 132 | 135 | 138) {
            no_payload(&payload, WHAT)?;
        }
        let reply = Self::read(kind, &mut r, payload)?;
        r.finish()?;
        Ok(reply)
    }

    fn read(kind: u8, r: &mut Reader<'_>, bytes: Bytes) -> Result<Self, DecodeError> {
        Ok(match kind {
            128 => {
                let rights =
                    Rights::from_bits(r.u8()?).ok_or_else(|| r.invalid("it grants unknown rights"))?;
                Self::Welcome { rights, exists: r.bool()?, room: r.u64()?, ahead: r.u32()? }
            }
            129 => Self::Done,
            130 => Self::Created { root: take_option(r, |r| r.array().map(Root::new))? },
            131 => Self::Exists,
            132 => {
                let len = r.u64()?;
                r.ensure(
                    bytes.len() as u64 == len.min(PIECE_LEN as u64),
                    "a blob's bytes are not as many as they should be",
                )?;
                Self::Blob { len, bytes }
            }
            133 => Self::Len { len: take_option(r, Reader::u64)? },
            134 => Self::read_listing(r)?,
            135 => Self::read_entries(r, bytes)?,
            136 => Self::Upload { upload: r.u64()?, there: r.prefixed("bytes of pieces", 1 << 16)?.to_vec() },
            137 => Self::Deleted { existed: r.bool()? },
            138 => Self::read_shards(r, bytes)?,
            139 => Self::Possession { hash: r.array()? },
            255 => {
                let code = r.u8()?;
                let code = FailCode::ALL.into_iter().find(|known| *known as u8 == code);
                let code = code.ok_or_else(|| r.invalid("its code is unknown"))?;
                Self::Failed(Failure {
                    code,
                    number: r.u64()?,
                    text: r.text("length of a text", TEXT_LEN_MAX)?,
                })
            }
            _ => return Err(r.invalid("its kind is unknown")),
        })
    }

    fn read_listing(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = r.count("number of blobs", FRAME_BODY_LEN_MAX, 9)?;
        let blob = |r: &mut Reader<'_>| Ok(Blob { name: take_name(r)?, len: r.u64()? });
        let blobs: Vec<Blob> = (0..count).map(|_| blob(r)).collect::<Result<_, DecodeError>>()?;
        let more = r.bool()?;
        r.ensure(blobs.is_sorted_by(|a, b| a.name < b.name), "a listing is not sorted")?;
        r.ensure(!more || !blobs.is_empty(), "a listing without blobs has more")?;
        Ok(Self::Listing { blobs, more })
    }

    fn read_entries(r: &mut Reader<'_>, bytes: Bytes) -> Result<Self, DecodeError> {
        let count = r.count("number of entries", FRAME_BODY_LEN_MAX, 4)?;
        let lens: Vec<u32> = (0..count).map(|_| r.u32()).collect::<Result<_, _>>()?;
        let total: u64 = lens.iter().map(|len| u64::from(*len)).sum();
        r.ensure(total == bytes.len() as u64, "entries are not as long as they should be")?;
        Ok(Self::Entries { lens, bytes })
    }

    fn read_shards(r: &mut Reader<'_>, bytes: Bytes) -> Result<Self, DecodeError> {
        let (shard_len, leaf_count) = (r.u32()?, r.u64()?);
        let count = r.count("number of proofs", PROOFS_MAX, 1)?;
        let paths = (0..count).map(|_| take_path(r)).collect::<Result<Vec<_>, _>>()?;
        let (len, most) = (bytes.len() as u64, count as u64 * u64::from(shard_len));
        limit("bytes of shards", len, most)?;
        r.ensure(count > 0 && len > most - u64::from(shard_len), "shards are not as long as they should be")?;
        Ok(Self::Shards(Shards { shard_len, leaf_count, paths, bytes }))
    }

    /// How many bytes of a listing's body a row takes at most.
    pub const LISTING_ROW_LEN_MAX: usize = NAME_LEN_MAX + 2 + 8;
}
