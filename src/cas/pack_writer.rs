//! Packs under construction: blocks get their place first, are sealed by whoever compressed them, and the last one
//! to arrive completes the pack.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use crate::chunk::sketch::Sketch;
use crate::compress::{Compressor, Decompressor, Level};
use crate::crypto;
use crate::format::index::IndexRow;
use crate::format::log::PackRecord;
use crate::format::pack::{
    Bases, BlockEntry, DeltaEntry, PackContent, PackDirectory, PackHeader, WrappedKey, shard_len_for,
};
use crate::id::{PackId, Root};
use crate::limits::{PACK_BLOCKS_MAX, PACK_LEN_FULL, PACK_OBJECTS_MAX};
use crate::merkle::ShardHasher;
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
    /// What the log says of it.
    pub record: PackRecord,
    /// What it holds.
    pub content: PackContent,
    /// Where its objects lie; `pack` is 0 in all rows, for whoever builds the segment to set.
    pub rows: Vec<IndexRow>,
    /// Bases of the rows that are deltas, in the order of the rows.
    pub bases: Vec<Bases>,
    /// Sketches of some rows, by their number.
    pub sketches: Vec<(u32, Sketch)>,
    parts: Vec<Vec<u8>>,
}

impl FinishedPack {
    /// Writes the pack; when this returns it is durable.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write(&self, store: &dyn StorageBackend) -> Result<(), CasError> {
        let name = pack_name(&self.record.uid);
        let parts: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
        match store.put_new(&name, &parts)? {
            Put::Created => Ok(()),
            Put::Exists => Err(CasError::NameTaken { file: name.as_str().to_owned() }),
        }
    }
}

impl OpenPack {
    pub(super) fn new(vault: Arc<Vault>, content: PackContent) -> Result<Self, CasError> {
        let uid = PackId::new(crypto::random().map_err(|source| CasError::Random { source })?);
        let (key, wrapped) = vault.new_key(Part::PackKey, *uid.as_bytes())?;
        Ok(Self { vault, uid, content, key, wrapped, inner: Mutex::default() })
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
        let fixed = 2 * PackHeader::LEN + 2 * directory.len() + inner.blocks_len;
        let padding = padded_len(fixed as u64, why == Closed::Full) - fixed as u64;
        let payload_len = fixed as u64 - 2 * PackHeader::LEN as u64 + padding;
        let shard_len = shard_len_for(payload_len);
        let padding = vec![0; usize::try_from(padding).expect("below PACK_LEN_FULL")];
        let mut hasher = ShardHasher::new(NonZeroUsize::new(shard_len as usize).expect("at least 512"));
        hasher.update(&directory);
        blocks.iter().for_each(|block| hasher.update(block));
        hasher.update(&directory);
        hasher.update(&padding);
        let header = PackHeader {
            content: self.content,
            cipher: self.vault.cipher(),
            family: self.vault.family(),
            uid: self.uid,
            epoch: self.key.epoch,
            key: self.wrapped.clone(),
            directory_len: u32::try_from(directory.len()).expect("a directory is below DIRECTORY_LEN_MAX"),
            blocks_len: inner.blocks_len as u64,
            padding_len: padding.len() as u64,
            shard_len,
            payload_root: hasher.finish(),
            parity_shards: 0,
            parity_root: Root::new([0; 32]),
        };
        let record = PackRecord {
            uid: self.uid,
            len: header.total_len(),
            payload_root: header.payload_root,
            parity_root: header.parity_root,
            self_indexed: self.content == PackContent::Mixed,
        };
        let head = header.encode().to_vec();
        let mut parts = vec![head.clone(), directory.clone()];
        parts.extend(blocks);
        parts.extend([directory, padding, head]);
        Ok(FinishedPack { record, content: self.content, rows, bases, sketches, parts })
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
