#![doc = include_str!("bundle.md")]
mod private;
mod public;
#[cfg(test)]
mod tests;

use super::DecodeError;
use super::codec::{CHECKSUM_LEN, Reader, Writer, limit, verify_checksum};
use super::config::Config;
use super::dirtree::Timestamp;
use super::log::{CommitRecord, DeviceRecord, PackRecord};
use crate::id::{BundleId, CommitId};
use crate::limits;
use std::ops::Range;

const WHAT: &str = "manifest of a bundle";
const MAGIC: &[u8; 8] = b"WARPBNDL";
const END_MAGIC: &[u8; 8] = b"WARPBEND";
const SIGNATURE_LEN: usize = 64;
/// What a signature of a manifest starts with, so that it can be taken for nothing else.
const CONTEXT: &[u8] = b"warp bundle 1\0";

/// What a bundle says to everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundlePublic {
    /// The bundle's name.
    pub uid: BundleId,
    /// Where the first pack begins.
    pub packs_offset: u64,
    /// Configuration of the repository that made it.
    pub config: Config,
    /// The packs, in the order in which they lie in the file.
    pub packs: Vec<PackRecord>,
    /// The commits that they hold, the oldest first.
    pub commits: Vec<CommitRecord>,
    /// Commits that were forgotten, and lie between others.
    pub forgotten: Vec<CommitRecord>,
    /// Commits that the receiver must have.
    pub prerequisites: Vec<CommitId>,
    /// Who signs, certified by the root key.
    pub device: DeviceRecord,
    /// Which data key seals the private part.
    pub epoch: u32,
    /// The private part, sealed: nonce, ciphertext, tag.
    pub private: Vec<u8>,
}

/// A whole manifest: what stands at both ends of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleManifest {
    /// What it says.
    pub public: BundlePublic,
    /// Ed25519 signature over the context string `warp bundle 1` and the public part's bytes.
    pub signature: [u8; 64],
}

/// What only holders of the keys read of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BundlePrivate {
    /// When it was made.
    pub time: Timestamp,
    /// Who made it, as `user@host`.
    pub who: String,
    /// What it is for.
    pub message: String,
    /// Full names of branches and tags (`heads/main`), and where they stand.
    pub refs: Vec<(String, CommitId)>,
}

/// What a device signs: the context string `warp bundle 1`, a zero byte, and the public part's bytes.
pub fn signing_bytes(public_bytes: &[u8]) -> Vec<u8> {
    [CONTEXT, public_bytes].concat()
}

impl BundleManifest {
    /// Bytes at its beginning that tell how long it is: magic, length.
    pub const HEAD_LEN: usize = 12;
    /// Bytes at its end that tell the same: length, magic, checksum.
    pub const TAIL_LEN: usize = 12 + CHECKSUM_LEN;
    /// All bytes beside those of the public part.
    const FRAME_LEN: usize = Self::HEAD_LEN + SIGNATURE_LEN + Self::TAIL_LEN;
    /// Most bytes of a public part.
    pub const PUBLIC_LEN_MAX: usize = limits::BUNDLE_MANIFEST_LEN_MAX - Self::FRAME_LEN;

    /// The manifest's bytes.
    ///
    /// # Errors
    /// If the public part breaks a rule of [`BundlePublic::check`], or the manifest would be too long, or longer than the room
    /// in front of the first pack.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        Self::assemble(&self.public.encode()?, &self.signature)
    }

    /// The manifest's bytes from those of its public part, as [`BundlePublic::encode`] gave them, and their signature.
    ///
    /// # Errors
    /// If the manifest would be too long.
    pub fn assemble(public_bytes: &[u8], signature: &[u8; SIGNATURE_LEN]) -> Result<Vec<u8>, DecodeError> {
        limit("length of a bundle's public part", public_bytes.len() as u64, Self::PUBLIC_LEN_MAX as u64)?;
        let mut writer = Writer::with_capacity(Self::FRAME_LEN + public_bytes.len());
        writer.bytes(MAGIC);
        writer.u32(public_bytes.len() as u32);
        writer.bytes(public_bytes);
        writer.bytes(signature);
        writer.u32(public_bytes.len() as u32);
        writer.bytes(END_MAGIC);
        writer.checksum();
        Ok(writer.into_bytes())
    }

    /// Length of the manifest that begins with these bytes, of which there are [`Self::HEAD_LEN`].
    ///
    /// # Errors
    /// If they do not begin a manifest, or it would be too long.
    pub fn len_from_head(head: &[u8]) -> Result<usize, DecodeError> {
        let mut reader = Reader::new(WHAT, head);
        reader.magic(MAGIC)?;
        let len = reader.u32()?;
        reader.finish()?;
        Self::len_of(len)
    }

    /// Length of the manifest that ends with these bytes, of which there are [`Self::TAIL_LEN`].
    ///
    /// # Errors
    /// If they do not end a manifest, or it would be too long.
    pub fn len_from_tail(tail: &[u8]) -> Result<usize, DecodeError> {
        let mut reader = Reader::new(WHAT, tail);
        let len = reader.u32()?;
        reader.magic(END_MAGIC)?;
        reader.take(CHECKSUM_LEN)?;
        reader.finish()?;
        Self::len_of(len)
    }

    fn len_of(public_len: u32) -> Result<usize, DecodeError> {
        limit("length of a bundle's public part", public_len.into(), Self::PUBLIC_LEN_MAX as u64)?;
        Ok(Self::FRAME_LEN + public_len as usize)
    }

    /// Reads a manifest. Also says where its public part's bytes lie, for [`signing_bytes`]; the signature is not verified.
    ///
    /// # Errors
    /// If it is no manifest, is damaged, of a newer version, not canonical, or breaks a rule of [`BundlePublic::check`].
    pub fn decode(bytes: &[u8]) -> Result<(Self, Range<usize>), DecodeError> {
        limit("length of a bundle's manifest", bytes.len() as u64, limits::BUNDLE_MANIFEST_LEN_MAX as u64)?;
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        let len = reader.u32()?;
        let public_bytes = reader.take(len as usize)?;
        let signature = reader.array()?;
        reader.ensure(reader.clone().u32()? == len, "its two lengths differ")?;
        reader.take(4)?;
        reader.magic(END_MAGIC)?;
        reader.take(CHECKSUM_LEN)?;
        reader.finish()?;
        verify_checksum(WHAT, bytes)?;
        let public = BundlePublic::decode(public_bytes)?;
        let range = Self::HEAD_LEN..Self::HEAD_LEN + len as usize;
        Ok((Self { public, signature }, range))
    }
}
