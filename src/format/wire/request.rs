//! What is asked.
use bytes::Bytes;

use super::{Frame, frame, no_payload, put_name, put_option, put_path, take_name, take_option, take_path};
use crate::format::DecodeError;
use crate::format::codec::{Reader, Writer, limit};
use crate::id::{PackId, Root};
use crate::limits::{PIECE_LEN, PROOFS_MAX, REPOSITORY_NAME_LEN_MAX};

const WHAT: &str = "request";

/// What one end asks of the other that holds a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Names the repository that this connection is about.
    Hello {
        /// Path of the repository at the other end.
        repository: String,
        /// Make it if it is not there.
        create: bool,
    },
    /// A whole blob of at most `max` bytes, or its first piece.
    Get {
        /// The blob.
        name: String,
        /// Most bytes that it may have.
        max: u64,
    },
    /// Part of a blob.
    Read {
        /// The blob.
        name: String,
        /// First byte.
        offset: u64,
        /// How many bytes: at most a piece.
        len: u32,
    },
    /// Length of a blob.
    Len {
        /// The blob.
        name: String,
    },
    /// Blobs of a folder.
    List {
        /// The folder, such as `log/`.
        folder: String,
        /// Only those behind this name.
        after: Option<String>,
    },
    /// Files of log entries, as many as fit a frame.
    Entries {
        /// Number of the first.
        from: u64,
    },
    /// Stores a blob.
    Put {
        /// The blob.
        name: String,
        /// In place of the one that is there: a repair.
        replace: bool,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Begins a blob that takes several frames, or goes on with one.
    Begin {
        /// The blob.
        name: String,
        /// In place of the one that is there: a repair.
        replace: bool,
        /// Its length in bytes.
        len: u64,
        /// Merkle root over its pieces, with which each is proved; `None`: they are not.
        root: Option<Root>,
    },
    /// A piece of a blob that was begun.
    Piece {
        /// Number of the upload.
        upload: u64,
        /// Number of the piece.
        number: u32,
        /// Merkle path of the piece; empty without a root.
        path: Vec<[u8; 32]>,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Ends a blob that was begun.
    End {
        /// Number of the upload.
        upload: u64,
    },
    /// Deletes a blob.
    Delete {
        /// The blob.
        name: String,
    },
    /// Shards of a pack's payload, with their Merkle paths.
    Prove {
        /// The pack.
        pack: PackId,
        /// Number of the first shard.
        first: u32,
        /// How many: at least one.
        count: u32,
    },
    /// The hash of a whole pack, keyed with a challenge.
    Possess {
        /// The pack.
        pack: PackId,
        /// The challenge, unknown to the other end until now.
        challenge: [u8; 32],
    },
}

impl Request {
    /// What it is called in logs.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Get { .. } => "get",
            Self::Read { .. } => "read",
            Self::Len { .. } => "len",
            Self::List { .. } => "list",
            Self::Entries { .. } => "entries",
            Self::Put { .. } => "put",
            Self::Begin { .. } => "begin",
            Self::Piece { .. } => "piece",
            Self::End { .. } => "end",
            Self::Delete { .. } => "delete",
            Self::Prove { .. } => "prove",
            Self::Possess { .. } => "possess",
        }
    }

    /// The frame that carries it.
    pub fn into_frame(self) -> Frame {
        let mut w = Writer::with_capacity(64);
        let mut payload = Bytes::new();
        let kind = match self {
            Self::Hello { repository, create } => {
                put_name(&mut w, &repository);
                w.u8(create.into());
                1
            }
            Self::Get { name, max } => {
                put_name(&mut w, &name);
                w.u64(max);
                2
            }
            Self::Read { name, offset, len } => {
                put_name(&mut w, &name);
                w.u64(offset);
                w.u32(len);
                3
            }
            Self::Len { name } => {
                put_name(&mut w, &name);
                4
            }
            Self::List { folder, after } => {
                put_name(&mut w, &folder);
                put_option(&mut w, after, |w, name| put_name(w, &name));
                5
            }
            Self::Entries { from } => {
                w.u64(from);
                6
            }
            Self::Put { name, replace, bytes } => {
                put_name(&mut w, &name);
                w.u8(replace.into());
                payload = bytes;
                7
            }
            Self::Begin { name, replace, len, root } => {
                put_name(&mut w, &name);
                w.u8(replace.into());
                w.u64(len);
                put_option(&mut w, root, |w, root| w.bytes(root.as_bytes()));
                8
            }
            Self::Piece { upload, number, path, bytes } => {
                w.u64(upload);
                w.u32(number);
                put_path(&mut w, &path);
                payload = bytes;
                9
            }
            Self::End { upload } => {
                w.u64(upload);
                10
            }
            Self::Delete { name } => {
                put_name(&mut w, &name);
                11
            }
            Self::Prove { pack, first, count } => {
                w.bytes(pack.as_bytes());
                w.u32(first);
                w.u32(count);
                12
            }
            Self::Possess { pack, challenge } => {
                w.bytes(pack.as_bytes());
                w.bytes(&challenge);
                13
            }
        };
        frame(kind, w, payload)
    }

    /// The request in a frame.
    ///
    /// # Errors
    /// If it is of an unknown kind, breaks a limit or is not canonical.
    pub fn from_frame(frame: Frame) -> Result<Self, DecodeError> {
        let Frame { kind, body, payload } = frame;
        let mut r = Reader::new(WHAT, &body);
        if !matches!(kind, 7 | 9) {
            no_payload(&payload, WHAT)?;
        }
        let request = Self::read(kind, &mut r, payload)?;
        r.finish()?;
        Ok(request)
    }

    fn read(kind: u8, r: &mut Reader<'_>, bytes: Bytes) -> Result<Self, DecodeError> {
        Ok(match kind {
            1 => Self::Hello {
                repository: r.text("length of a repository's path", REPOSITORY_NAME_LEN_MAX)?,
                create: r.bool()?,
            },
            2 => Self::Get { name: take_name(r)?, max: r.u64()? },
            3 => {
                let (name, offset, len) = (take_name(r)?, r.u64()?, r.u32()?);
                limit("bytes to read", len.into(), PIECE_LEN as u64)?;
                r.ensure(offset.checked_add(len.into()).is_some(), "the range does not end")?;
                Self::Read { name, offset, len }
            }
            4 => Self::Len { name: take_name(r)? },
            5 => Self::List { folder: take_name(r)?, after: take_option(r, take_name)? },
            6 => Self::Entries { from: r.u64()? },
            7 => Self::Put { name: take_name(r)?, replace: r.bool()?, bytes },
            8 => Self::Begin {
                name: take_name(r)?,
                replace: r.bool()?,
                len: r.u64()?,
                root: take_option(r, |r| r.array().map(Root::new))?,
            },
            9 => Self::Piece { upload: r.u64()?, number: r.u32()?, path: take_path(r)?, bytes },
            10 => Self::End { upload: r.u64()? },
            11 => Self::Delete { name: take_name(r)? },
            12 => {
                let (pack, first, count) = (PackId::new(r.array()?), r.u32()?, r.u32()?);
                r.ensure(count > 0, "it asks for no shard")?;
                limit("number of shards to prove", count.into(), PROOFS_MAX as u64)?;
                r.ensure(first.checked_add(count).is_some(), "the range does not end")?;
                Self::Prove { pack, first, count }
            }
            13 => Self::Possess { pack: PackId::new(r.array()?), challenge: r.array()? },
            _ => return Err(r.invalid("its kind is unknown")),
        })
    }
}
