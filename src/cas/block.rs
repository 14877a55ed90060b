//! Solid blocks: objects one behind the other, compressed as one.

use crate::chunk::sketch::Sketch;
use crate::compress::{Codec, Compressor};
use crate::crypto::OVERHEAD;
use crate::format::pack::{Bases, BlockCodec, DeltaEntry, ObjectEntry};
use crate::id::{ChunkId, Locator, ObjectKind, PackId};
use crate::limits::{BLOCK_LEN_TARGET, BLOCK_OBJECTS_MAX};

use super::vault::NONCE_LEN;
use super::{Base, CasError, Location};

/// Collects objects until a block is full. Each worker has its own, so that files that lie together stay together.
#[derive(Debug, Default)]
pub struct BlockBuilder {
    plain: Vec<u8>,
    /// Where blocks are compressed to. A pack keeps its blocks until it is full, so each gets a buffer of its length.
    compressed: Vec<u8>,
    objects: Vec<ObjectEntry>,
    deltas: Vec<DeltaEntry>,
    sketches: Vec<(u32, Sketch)>,
}

/// A compressed block that has no place in a pack yet.
#[derive(Debug)]
pub struct Block {
    /// Room for the nonce, then the compressed bytes.
    pub(super) bytes: Vec<u8>,
    pub(super) codec: BlockCodec,
    pub(super) objects: Vec<ObjectEntry>,
    /// Those of them that are deltas, by their number in the block.
    pub(super) deltas: Vec<DeltaEntry>,
    /// Sketches of some of them, by their number in the block.
    pub(super) sketches: Vec<(u32, Sketch)>,
}

/// What makes a delta whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaOf {
    /// Its bases.
    pub bases: Bases,
    /// One more than that of the deepest base.
    pub depth: u8,
    /// Length of the object that it makes.
    pub len: usize,
}

impl BlockBuilder {
    /// Appends an object.
    pub fn push(&mut self, kind: ObjectKind, id: &ChunkId, bytes: &[u8]) {
        self.copy(kind, id.locator(), bytes);
    }

    /// Appends an object that lies elsewhere; it is known by the first half of its id.
    pub fn copy(&mut self, kind: ObjectKind, locator: Locator, bytes: &[u8]) {
        if self.plain.capacity() == 0 {
            self.plain.reserve_exact(BLOCK_LEN_TARGET + BLOCK_LEN_TARGET / 4);
        }
        let len = u32::try_from(bytes.len()).expect("objects are at most OBJECT_LEN_MAX bytes");
        self.objects.push(ObjectEntry { locator, kind, len });
        self.plain.extend_from_slice(bytes);
    }

    /// Appends the frame of a delta.
    pub fn push_delta(&mut self, kind: ObjectKind, id: &ChunkId, frame: &[u8], delta: DeltaOf) {
        self.copy_delta(kind, id.locator(), frame, delta);
    }

    /// Appends the frame of a delta that lies elsewhere; it is known by the first half of its id.
    pub fn copy_delta(&mut self, kind: ObjectKind, locator: Locator, frame: &[u8], delta: DeltaOf) {
        let DeltaOf { bases, depth, len } = delta;
        let len = u32::try_from(len).expect("objects are at most OBJECT_LEN_MAX bytes");
        self.deltas.push(DeltaEntry { object: self.next(), len, depth, bases });
        self.copy(kind, locator, frame);
    }

    /// Says how the object that will be pushed next can be found by others that are like it.
    pub fn sketch_next(&mut self, sketch: Sketch) {
        self.sketches.push((self.next(), sketch));
    }

    fn next(&self) -> u32 {
        u32::try_from(self.objects.len()).expect("at most BLOCK_OBJECTS_MAX objects")
    }

    /// Whether it is time to compress the block and begin another.
    pub fn is_full(&self) -> bool {
        self.plain.len() >= BLOCK_LEN_TARGET || self.objects.len() >= BLOCK_OBJECTS_MAX
    }

    /// Whether nothing was pushed since the last [`finish`](Self::finish).
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Bytes collected so far.
    pub fn len(&self) -> usize {
        self.plain.len()
    }

    /// Compresses what was collected and begins anew.
    ///
    /// # Errors
    /// When zstd has no memory.
    pub fn finish(&mut self, compressor: &mut Compressor) -> Result<Block, CasError> {
        self.compressed.clear();
        self.compressed.resize(NONCE_LEN, 0);
        let codec = compressor
            .compress(&self.plain, &mut self.compressed)
            .map_err(|source| CasError::Compress { source })?;
        self.plain.clear();
        let mut bytes = Vec::with_capacity(self.compressed.len() + OVERHEAD - NONCE_LEN);
        bytes.extend_from_slice(&self.compressed);
        let (objects, deltas) = (std::mem::take(&mut self.objects), std::mem::take(&mut self.deltas));
        let sketches = std::mem::take(&mut self.sketches);
        Ok(Block { bytes, codec: block_codec(codec), objects, deltas, sketches })
    }
}

impl Block {
    /// The objects that have a sketch, as they will be found in block `number` of `pack`.
    pub(super) fn sketched(&self, pack: PackId, number: usize) -> impl Iterator<Item = (Base, Sketch)> + '_ {
        let block = u16::try_from(number).expect("at most PACK_BLOCKS_MAX blocks");
        self.sketches.iter().map(move |&(object, sketch)| {
            let delta = self.deltas.binary_search_by_key(&object, |delta| delta.object);
            let depth = delta.map_or(0, |delta| self.deltas[delta].depth);
            let slot = u16::try_from(object).expect("at most BLOCK_OBJECTS_MAX objects");
            let locator = self.objects[object as usize].locator;
            (Base { locator, location: Location { pack, block, slot, depth } }, sketch)
        })
    }

    /// Bytes that it takes before sealing.
    pub fn stored_len(&self) -> u64 {
        (self.bytes.len() - NONCE_LEN) as u64
    }
}

pub(super) fn block_codec(codec: Codec) -> BlockCodec {
    match codec {
        Codec::Stored => BlockCodec::Stored,
        Codec::Zstd => BlockCodec::Zstd,
    }
}
