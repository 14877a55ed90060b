//! Packs under construction: blocks get their place first, are sealed by whoever compressed them, and the last one
//! to arrive completes the pack.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use crate::chunk::sketch::Sketch;
use crate::compress::{Compressor, Decompressor, Level};
use crate::crypto;
use crate::erasure::{ErasureConfig, ErasureEncoder};
use crate::format::index::IndexRow;
use crate::format::log::PackRecord;
use crate::format::pack::{
    Bases, BlockEntry, DeltaEntry, PackContent, PackDirectory, PackHeader, Parity, ShardMark, WrappedKey,
};
use crate::id::{PackId, Root};
use crate::limits::{PACK_BLOCKS_MAX, PACK_LEN_FULL, PACK_OBJECTS_MAX};
use crate::merkle::{NodeHash, RootBuilder, ShardHasher};
use crate::store::{Put, StorageBackend};

use super::block::{Block, block_codec};
use super::padding::padded_len;
use super::vault::{FileKey, NONCE_LEN, Part, Vault, pack_name};
use super::{CasError, OpenBlock, PackMap};

/// What a directory takes, sealed and twice, per object, delta and block: an upper bound of its columns.
const DIRECTORY_PER_OBJECT: usize = 2 * 22;
const DIRECTORY_PER_DELTA: usize = 2 * 74;
const DIRECTORY_PER_BLOCK: usize = 2 * 16;
const DIRECTORY_FIXED: usize = 2 * 1024;

/// A pack that takes blocks from several threads.
#[derive(Debug)]
pub(super) struct OpenPack {
    vault: Arc<Vault>,
    uid: PackId,
    content: PackContent,
    parity: Parity,
    key: FileKey,
    wrapped: WrappedKey,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    directory: PackDirectory,
    blocks: Vec<Option<Vec<u8>>>,
    /// By the number of the object in the pack.
    sketches: Vec<(u32, Sketch)>,
    blocks_len: usize,
    outstanding: usize,
    closed: Option<Closed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// The next block did not fit.
    Full,
    /// There is no next block.
    Last,
}

/// A complete pack, ready to be written.
#[derive(Debug)]
pub struct FinishedPack {
    /// Its name.
    pub uid: PackId,
    /// Length of the whole file in bytes.
    pub len: u64,
    /// What it holds.
    pub content: PackContent,
    /// Where its objects lie; `pack` is 0 in all rows, for whoever builds the segment to set.
    pub rows: Vec<IndexRow>,
    /// Bases of the rows that are deltas, in the order of the rows.
    pub bases: Vec<Bases>,
    /// Sketches of some rows, by their number.
    pub sketches: Vec<(u32, Sketch)>,
    /// Without its roots.
    header: PackHeader,
    directory: Vec<u8>,
    blocks: Vec<Vec<u8>>,
}

/// What stands in a pack beside its payload.
struct Frame {
    header: [u8; PackHeader::LEN],
    table: Vec<u8>,
    parity: Vec<u8>,
}

impl FinishedPack {
    /// Computes roots and parity, and writes the pack; when this returns it is durable. Returns what the log shall say of it.
    ///
    /// The work of hashing and coding is done here, so that it falls to the thread that writes.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write(&self, store: &dyn StorageBackend) -> Result<PackRecord, CasError> {
        let name = pack_name(&self.uid);
        match self.write_to(|parts| Ok(store.put_new(&name, parts)?))? {
            (record, Put::Created) => Ok(record),
            (_, Put::Exists) => Err(CasError::NameTaken { file: name.as_str().to_owned() }),
        }
    }

    /// Computes roots and parity, and gives the pack's bytes, in pieces, to `write`. Returns what the log shall say of it, and
    /// what `write` returned.
    ///
    /// # Errors
    /// Those of `write`.
    pub fn write_to<T>(
        &self,
        write: impl FnOnce(&[&[u8]]) -> Result<T, CasError>,
    ) -> Result<(PackRecord, T), CasError> {
        let padding = vec![0; usize::try_from(self.header.padding_len).expect("below PACK_LEN_FULL")];
        let payload: Vec<&[u8]> = [&self.directory[..]]
            .into_iter()
            .chain(self.blocks.iter().map(Vec::as_slice))
            .chain([&self.directory[..], &padding[..]])
            .collect();
        let (header, frame) = self.frame(&payload)?;
        let mut parts = vec![&frame.header[..], &frame.table];
        parts.extend(payload);
        parts.extend([&frame.parity[..], &frame.table, &frame.header]);
        Ok((record_of(&header), write(&parts)?))
    }

    /// The header with its roots, and what it and the payload's shards lead to.
    fn frame(&self, payload: &[&[u8]]) -> Result<(PackHeader, Frame), CasError> {
        let mut header = self.header.clone();
        let mut leaves = leaves(payload, header.shard_len);
        header.payload_root = root(&leaves);
        let (mut parity, mut table) = (Vec::new(), Vec::new());
        if header.parity_shards > 0 {
            let (data, shards) = (leaves.len(), usize::from(header.parity_shards));
            parity = ErasureConfig::new(data, shards)
                .and_then(|config| ErasureEncoder::new(config).parity(payload, header.shard_len as usize))
                .map_err(|source| CasError::Parity {
                    file: pack_name(&self.uid).as_str().to_owned(),
                    source,
                })?;
            let of_parity = self::leaves(&[&parity], header.shard_len);
            header.parity_root = root(&of_parity);
            leaves.extend(of_parity);
            table = ShardMark::table(&leaves);
        }
        let frame = Frame { header: header.encode(), table, parity };
        Ok((header, frame))
    }
}

/// Leaf hashes of the shards of a byte string in pieces.
pub(super) fn leaves(pieces: &[&[u8]], shard_len: u32) -> Vec<NodeHash> {
    let mut hasher = ShardHasher::new(NonZeroUsize::new(shard_len as usize).expect("at least 512"));
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.into_leaves()
}

/// The Merkle root over leaf hashes.
pub(super) fn root(leaves: &[NodeHash]) -> Root {
    let mut builder = RootBuilder::default();
    leaves.iter().for_each(|leaf| builder.push(*leaf));
    builder.root()
}

/// What the log says of a pack with this header.
pub(super) fn record_of(header: &PackHeader) -> PackRecord {
    PackRecord {
        uid: header.uid,
        len: header.total_len(),
        payload_root: header.payload_root,
        parity_root: header.parity_root,
        epoch: header.epoch,
        self_indexed: header.content == PackContent::Mixed,
    }
}

impl OpenPack {
    pub(super) fn new(vault: Arc<Vault>, content: PackContent, parity: Parity) -> Result<Self, CasError> {
        let uid = PackId::new(crypto::random().map_err(|source| CasError::Random { source })?);
        let (key, wrapped) = vault.new_key(Part::PackKey, *uid.as_bytes())?;
        Ok(Self { vault, uid, content, parity, key, wrapped, inner: Mutex::default() })
    }

    pub(super) fn uid(&self) -> PackId {
        self.uid
    }

    /// Opens a block that was delivered; `None`: it was not, or the pack is complete.
    pub(super) fn open_block(&self, number: u16) -> Result<Option<OpenBlock>, CasError> {
        let (mut sealed, map) = {
            let inner = self.inner.lock().expect("no panic while locked");
            let Some(Some(sealed)) = inner.blocks.get(usize::from(number)) else { return Ok(None) };
            (sealed.clone(), PackMap::of_block(self.uid, self.key.clone(), &inner.directory, number))
        };
        let mut decompressor = Decompressor::new().map_err(|source| CasError::Compress { source })?;
        let plain = map.unseal(&self.vault, number, &mut sealed, &mut decompressor)?;
        Ok(Some(OpenBlock::new(Arc::new(map), number, plain)))
    }

    /// Takes a place for the block; `None`: the pack is too full for it.
    pub(super) fn reserve(&self, block: &Block) -> Option<usize> {
        let mut inner = self.inner.lock().expect("no panic while locked");
        let stored_len = block.bytes.len() + crypto::OVERHEAD - NONCE_LEN;
        let number = inner.blocks.len();
        if number > 0 && !inner.fits(stored_len, block) {
            return None;
        }
        inner.directory.blocks.push(BlockEntry {
            stored_len: u32::try_from(stored_len).expect("a block is at most BLOCK_LEN_MAX bytes"),
            codec: block.codec,
            objects: u32::try_from(block.objects.len()).expect("at most BLOCK_OBJECTS_MAX objects"),
        });
        let before = u32::try_from(inner.directory.objects.len()).expect("at most PACK_OBJECTS_MAX objects");
        let deltas = block.deltas.iter().map(|delta| DeltaEntry { object: before + delta.object, ..*delta });
        inner.directory.deltas.extend(deltas);
        inner.sketches.extend(block.sketches.iter().map(|(object, sketch)| (before + object, *sketch)));
        inner.directory.objects.extend_from_slice(&block.objects);
        inner.blocks.push(None);
        inner.blocks_len += stored_len;
        inner.outstanding += 1;
        Some(number)
    }

    /// Seals the block for its place and puts it there. Returns the pack if that completed it.
    pub(super) fn deliver(&self, number: usize, mut block: Block) -> Result<Option<FinishedPack>, CasError> {
        self.vault.seal(&self.key, Part::Block, number as u64, &mut block.bytes);
        let mut inner = self.inner.lock().expect("no panic while locked");
        inner.blocks[number] = Some(block.bytes);
        inner.outstanding -= 1;
        self.complete(inner)
    }

    /// No more blocks are reserved. Returns the pack if all have been delivered.
    pub(super) fn close(&self, why: Closed) -> Result<Option<FinishedPack>, CasError> {
        let mut inner = self.inner.lock().expect("no panic while locked");
        inner.closed = Some(why);
        self.complete(inner)
    }

    fn complete(
        &self,
        mut inner: std::sync::MutexGuard<'_, Inner>,
    ) -> Result<Option<FinishedPack>, CasError> {
        let Some(why) = inner.closed else { return Ok(None) };
        if inner.outstanding > 0 {
            return Ok(None);
        }
        let inner = std::mem::take(&mut *inner);
        self.assemble(inner, why).map(Some)
    }

    fn assemble(&self, inner: Inner, why: Closed) -> Result<FinishedPack, CasError> {
        let rows = rows(&inner.directory);
        let bases = inner.directory.deltas.iter().map(|delta| delta.bases).collect();
        let sketches = inner.sketches;
        let directory = self.sealed_directory(&inner.directory)?;
        let blocks: Vec<Vec<u8>> =
            inner.blocks.into_iter().map(|block| block.expect("all places were filled")).collect();
        let content_len = (2 * directory.len() + inner.blocks_len) as u64;
        let fit = self.parity.fit(content_len, |len| padded_len(len, why == Closed::Full));
        let none = Root::new([0; Root::LEN]);
        let header = PackHeader {
            content: self.content,
            cipher: self.vault.cipher(),
            family: self.vault.family(),
            uid: self.uid,
            epoch: self.key.epoch,
            key: self.wrapped.clone(),
            directory_len: u32::try_from(directory.len()).expect("a directory is below DIRECTORY_LEN_MAX"),
            blocks_len: inner.blocks_len as u64,
            padding_len: fit.payload_len - content_len,
            shard_len: fit.shard_len,
            payload_root: none,
            parity_shards: fit.parity_shards,
            parity_root: none,
        };
        let (uid, len, content) = (self.uid, header.total_len(), self.content);
        Ok(FinishedPack { uid, len, content, rows, bases, sketches, header, directory, blocks })
    }

    /// The directory as it is stored: how it is compressed (1 byte), its length (4 bytes), itself; sealed.
    fn sealed_directory(&self, directory: &PackDirectory) -> Result<Vec<u8>, CasError> {
        let plain = directory.encode().map_err(|source| CasError::Encode { what: "directory", source })?;
        let len = u32::try_from(plain.len()).expect("a directory is below BLOCK_LEN_MAX");
        let mut sealed = vec![0; NONCE_LEN + 1];
        sealed.extend_from_slice(&len.to_le_bytes());
        let codec = Compressor::new(Level::Zstd(3))
            .and_then(|mut compressor| compressor.compress(&plain, &mut sealed))
            .map_err(|source| CasError::Compress { source })?;
        sealed[NONCE_LEN] = block_codec(codec) as u8;
        self.vault.seal(&self.key, Part::Directory, 0, &mut sealed);
        Ok(sealed)
    }
}

impl Inner {
    fn fits(&self, stored_len: usize, block: &Block) -> bool {
        let objects = self.directory.objects.len() + block.objects.len();
        let deltas = self.directory.deltas.len() + block.deltas.len();
        let blocks = self.blocks.len() + 1;
        let directory = DIRECTORY_FIXED
            + objects * DIRECTORY_PER_OBJECT
            + deltas * DIRECTORY_PER_DELTA
            + blocks * DIRECTORY_PER_BLOCK;
        objects <= PACK_OBJECTS_MAX
            && blocks <= PACK_BLOCKS_MAX
            && 2 * PackHeader::LEN + directory + self.blocks_len + stored_len <= PACK_LEN_FULL
    }
}

fn rows(directory: &PackDirectory) -> Vec<IndexRow> {
    let mut objects = (0..).zip(&directory.objects);
    let mut deltas = directory.deltas.iter().peekable();
    let mut rows = Vec::with_capacity(directory.objects.len());
    for (block, entry) in directory.blocks.iter().enumerate() {
        for (slot, (number, object)) in objects.by_ref().take(entry.objects as usize).enumerate() {
            let depth = deltas.next_if(|delta| delta.object == number).map_or(0, |delta| delta.depth);
            rows.push(IndexRow {
                locator: object.locator,
                kind: object.kind,
                pack: 0,
                block: u16::try_from(block).expect("at most PACK_BLOCKS_MAX blocks"),
                slot: u16::try_from(slot).expect("at most BLOCK_OBJECTS_MAX objects"),
                flags: depth,
            });
        }
    }
    rows
}
