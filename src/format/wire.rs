#![doc = include_str!("wire.md")]
mod reply;
mod request;
#[cfg(test)]
mod tests;

use bytes::{Bytes, BytesMut};

use super::DecodeError;
use super::codec::{Reader, Writer, limit};
use crate::limits::{FRAME_BODY_LEN_MAX, PIECE_LEN};

pub use reply::{Blob, FailCode, Failure, Reply, Rights, Shards};
pub use request::Request;

const WHAT: &str = "frame";
const MAGIC: &[u8; 4] = b"WRPF";
const VERSION: u8 = 1;
/// Most bytes of a name.
const NAME_LEN_MAX: usize = 256;
/// Most hashes in a Merkle path.
const PATH_LEN_MAX: usize = 64;

/// One direction of a stream: a payload, what it is about, and a trailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Kind of the message.
    pub kind: u8,
    /// Fields of the message.
    pub body: Bytes,
    /// Bulk bytes that belong to it.
    pub payload: Bytes,
}

/// What the end of a frame says of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTrailer {
    /// Length of the payload in bytes.
    pub payload_len: u32,
    /// Length of the body in bytes.
    pub body_len: u32,
    /// Kind of the message.
    pub kind: u8,
}

impl FrameTrailer {
    /// Its length in bytes.
    pub const LEN: usize = 16;

    /// Its bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..4].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.body_len.to_le_bytes());
        bytes[8] = self.kind;
        bytes[9] = VERSION;
        bytes[12..].copy_from_slice(MAGIC);
        bytes
    }

    /// Reads a trailer.
    ///
    /// # Errors
    /// If it is none, of a newer version, or its lengths are over their limits.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        let (payload_len, body_len, kind) = (reader.u32()?, reader.u32()?, reader.u8()?);
        let version = reader.u8()?;
        reader.reserved(2)?;
        if reader.take(4)? != MAGIC {
            return Err(DecodeError::Magic { what: WHAT });
        }
        if version != VERSION {
            return Err(DecodeError::Version { what: WHAT, found: version.into(), max: VERSION.into() });
        }
        limit("length of a frame's payload", payload_len.into(), PIECE_LEN as u64)?;
        limit("length of a frame's body", body_len.into(), FRAME_BODY_LEN_MAX as u64)?;
        Ok(Self { payload_len, body_len, kind })
    }
}

impl Frame {
    /// Most bytes of a frame.
    pub const LEN_MAX: usize = PIECE_LEN + FRAME_BODY_LEN_MAX + FrameTrailer::LEN;

    /// How many bytes it takes.
    pub fn encoded_len(&self) -> usize {
        self.payload.len() + self.body.len() + FrameTrailer::LEN
    }

    /// What is sent, one after the other: the payload as it is, then body and trailer in one.
    ///
    /// # Errors
    /// If the payload or the body is over its limit.
    pub fn into_parts(self) -> Result<[Bytes; 2], DecodeError> {
        limit("length of a frame's payload", self.payload.len() as u64, PIECE_LEN as u64)?;
        limit("length of a frame's body", self.body.len() as u64, FRAME_BODY_LEN_MAX as u64)?;
        let (payload_len, body_len) = (self.payload.len() as u32, self.body.len() as u32);
        let trailer = FrameTrailer { payload_len, body_len, kind: self.kind };
        let mut end = BytesMut::with_capacity(self.body.len() + FrameTrailer::LEN);
        end.extend_from_slice(&self.body);
        end.extend_from_slice(&trailer.encode());
        Ok([self.payload, end.freeze()])
    }

    /// Takes a frame apart; its parts share the memory of `bytes`.
    ///
    /// # Errors
    /// If the trailer is none, or the lengths in it are not those of `bytes`.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        limit("length of a frame", bytes.len() as u64, Self::LEN_MAX as u64)?;
        let Some((rest, trailer)) = bytes.split_last_chunk::<{ FrameTrailer::LEN }>() else {
            let needed = (FrameTrailer::LEN - bytes.len()) as u64;
            return Err(DecodeError::Truncated { what: WHAT, needed });
        };
        let trailer = FrameTrailer::decode(trailer)?;
        let (payload_len, body_len) = (trailer.payload_len as usize, trailer.body_len as usize);
        let told = payload_len + body_len;
        match rest.len() {
            len if len < told => {
                return Err(DecodeError::Truncated { what: WHAT, needed: (told - len) as u64 });
            }
            len if len > told => {
                return Err(DecodeError::Trailing { what: WHAT, extra: (len - told) as u64 });
            }
            _ => {}
        }
        let (payload, body) = (bytes.slice(..payload_len), bytes.slice(payload_len..told));
        Ok(Self { kind: trailer.kind, body, payload })
    }
}

fn frame(kind: u8, body: Writer, payload: Bytes) -> Frame {
    Frame { kind, body: body.into_bytes().into(), payload }
}

fn put_name(writer: &mut Writer, name: &str) {
    writer.prefixed(name.as_bytes());
}

fn take_name(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.text("length of a name", NAME_LEN_MAX)
}

fn put_option<T>(writer: &mut Writer, value: Option<T>, put: impl FnOnce(&mut Writer, T)) {
    writer.u8(value.is_some().into());
    if let Some(value) = value {
        put(writer, value);
    }
}

fn take_option<'a, T>(
    reader: &mut Reader<'a>,
    take: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    match reader.bool()? {
        true => take(reader).map(Some),
        false => Ok(None),
    }
}

fn put_path(writer: &mut Writer, path: &[[u8; 32]]) {
    writer.count(path.len());
    path.iter().for_each(|hash| writer.bytes(hash));
}

fn take_path(reader: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, DecodeError> {
    let count = reader.count("number of hashes in a path", PATH_LEN_MAX, 32)?;
    (0..count).map(|_| reader.array()).collect()
}

/// Fails unless a message without bulk has none.
fn no_payload(payload: &Bytes, what: &'static str) -> Result<(), DecodeError> {
    match payload.len() as u64 {
        0 => Ok(()),
        extra => Err(DecodeError::Trailing { what, extra }),
    }
}
