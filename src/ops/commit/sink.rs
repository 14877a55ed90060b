//! Where new objects go: to the sealer, or, in a dry run, nowhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cas::{Block, BlockBuilder, CasError, ChunkStore, Claim, Sealer};
use crate::chonkers::{ChonkerNode, NodeSink};
use crate::chunk::sketch::Sketcher;
use crate::compress::{CompressError, Compressor, Level};
use crate::format::dirtree::DirNode;
use crate::format::node::{FileNode, NodeChild};
use crate::id::{ChunkId, Locator, ObjectKind};
use crate::limits::TREE_DEPTH_MAX;

use super::DeltaCounts;
use super::deltas::{Deltas, Made, Place};
use super::former::{Former, NewChunk};

/// Takes objects of all threads.
pub(in crate::ops) struct ObjectSink<'a> {
    pub(super) sealer: &'a Sealer<'a>,
    chunks: &'a ChunkStore,
    /// Deltas one above the other at most; 0: everything is stored in full.
    depth: u8,
    /// The same of the contents of files.
    content_depth: u8,
    sketcher: Sketcher,
    dry: bool,
    level: Level,
    metadata: Mutex<BlockWriter>,
    /// Bytes of blocks, compressed.
    stored: AtomicU64,
    /// Bytes of new chunks of files.
    new_data: AtomicU64,
    /// Objects stored as deltas, their bytes, and the bytes of the deltas.
    deltas_stored: [AtomicU64; 3],
}

/// Where new objects of a commit go, and how.
pub(in crate::ops) struct Store<'a> {
    pub(in crate::ops) sealer: &'a Sealer<'a>,
    pub(in crate::ops) chunks: &'a ChunkStore,
    pub(in crate::ops) level: Level,
    /// Store objects as deltas where that pays, so many one above the other at most.
    pub(in crate::ops) depth: u8,
    /// The same of the contents of files, whose bases have to be fetched where metadata are read anyway.
    pub(in crate::ops) content_depth: u8,
    /// Store nothing.
    pub(in crate::ops) dry: bool,
}

/// Blocks under construction and what compresses them.
pub(super) struct BlockWriter {
    builder: BlockBuilder,
    /// Deltas have blocks of their own, so that a reader has them all before it opens the bases.
    frames: BlockBuilder,
    compressor: Compressor,
    /// None: everything is stored in full.
    deltas: Option<Deltas>,
}

impl<'a> ObjectSink<'a> {
    pub(in crate::ops) fn new(store: Store<'a>) -> Result<Self, CasError> {
        let Store { sealer, chunks, level, depth, content_depth, dry } = store;
        let metadata = Mutex::new(BlockWriter::new(level, depth, true)?);
        let sketcher = Sketcher::new(chunks.vault().keyring().chunking_key());
        let (stored, new_data, deltas_stored) = Default::default();
        Ok(Self {
            sealer,
            chunks,
            depth,
            content_depth,
            sketcher,
            dry,
            level,
            metadata,
            stored,
            new_data,
            deltas_stored,
        })
    }

    /// A block writer for one thread.
    pub(super) fn writer(&self) -> Result<BlockWriter, CasError> {
        BlockWriter::new(self.level, self.content_depth, false)
    }

    /// Stores chunks of a content that follow each other, but for those that are known, and returns their ids. Each comes with
    /// its offset; `former` is what the content was before.
    pub(super) fn put_chunks(
        &self,
        writer: &mut BlockWriter,
        chunks: &[(u64, &[u8])],
        former: &Former,
    ) -> Result<Vec<ChunkId>, CasError> {
        let kind = former.kind();
        let mut told = Vec::with_capacity(chunks.len());
        for &(offset, bytes) in chunks {
            let id = self.sealer.id(kind, bytes);
            let is_new = self.sealer.claim(kind, &id, bytes.len())? == Claim::New;
            told.push(NewChunk { id, offset, is_new });
        }
        let depth = if kind == ObjectKind::Chunk { self.content_depth } else { self.depth };
        let places = if depth > 0 { former.places(self.chunks, &told) } else { vec![None; chunks.len()] };
        for ((chunk, (_, bytes)), place) in
            told.iter().zip(chunks).zip(places).filter(|((chunk, _), _)| chunk.is_new)
        {
            if kind == ObjectKind::Chunk {
                self.new_data.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            self.store(writer, kind, &chunk.id, bytes, &Place::Chunk(former, place))?;
        }
        Ok(told.into_iter().map(|chunk| chunk.id).collect())
    }

    /// The same for chunks of metadata.
    pub(super) fn put_metadata_chunks(
        &self,
        chunks: &[(u64, &[u8])],
        former: &Former,
    ) -> Result<Vec<ChunkId>, CasError> {
        self.put_chunks(&mut self.metadata.lock().expect("no panic while locked"), chunks, former)
    }

    /// Stores an object of metadata unless it is known, and returns its id.
    pub(in crate::ops) fn put_metadata(&self, kind: ObjectKind, bytes: &[u8]) -> Result<ChunkId, CasError> {
        self.put_metadata_near(kind, bytes, || None)
    }

    /// The same, of an object that took the place of `former`, which is asked for only if the object is new.
    pub(super) fn put_metadata_near(
        &self,
        kind: ObjectKind,
        bytes: &[u8],
        former: impl FnOnce() -> Option<Locator>,
    ) -> Result<ChunkId, CasError> {
        let id = self.sealer.id(kind, bytes);
        if self.sealer.claim(kind, &id, bytes.len())? == Claim::New {
            let former = if self.depth > 0 { former() } else { None };
            let mut writer = self.metadata.lock().expect("no panic while locked");
            self.store(&mut writer, kind, &id, bytes, &Place::Object(former))?;
        }
        Ok(id)
    }

    /// The node below `root`, of a directory in the parent commit, that stood where `node` stands now: of the same level, and
    /// with the same names in it.
    pub(super) fn former_node(&self, root: ChunkId, node: &DirNode) -> Option<Locator> {
        let (level, first) = match node {
            DirNode::Leaf(entries) => (0, &entries.first()?.name),
            DirNode::Inner { level, children } => (*level, &children.first()?.first),
        };
        let mut id = root;
        for _ in 0..TREE_DEPTH_MAX {
            let bytes = self.chunks.get(ObjectKind::DirNode, &id).ok()?;
            match DirNode::decode(&bytes).ok()? {
                DirNode::Inner { level: above, children } if above > level => {
                    let at = children.partition_point(|child| child.first <= *first).saturating_sub(1);
                    id = children.get(at)?.id;
                }
                _ => return Some(id.locator()),
            }
        }
        None
    }

    /// Stores a new object, as a delta against what it took the place of or what it is like, if that pays.
    fn store(
        &self,
        writer: &mut BlockWriter,
        kind: ObjectKind,
        id: &ChunkId,
        bytes: &[u8],
        place: &Place<'_>,
    ) -> Result<(), CasError> {
        let is_sketched = kind == ObjectKind::Chunk && self.depth > 0;
        let sketch = if is_sketched { self.sketcher.sketch(bytes) } else { None };
        let Some(deltas) = &mut writer.deltas else {
            // Who repacks finds by it what this is like.
            if let Some(sketch) = sketch {
                writer.builder.sketch_next(sketch);
            }
            return self.push(writer, kind, id, bytes);
        };
        let made = deltas.make(self.chunks, kind, bytes, sketch.as_ref(), place)?;
        let Some(Made { delta, packs }) = made else {
            if let Some(sketch) = sketch {
                writer.builder.sketch_next(sketch);
            }
            return self.push(writer, kind, id, bytes);
        };
        packs.into_iter().for_each(|pack| self.sealer.use_base(pack));
        let frame = deltas.frame();
        let counts = [1, bytes.len() as u64, frame.len() as u64];
        for (sum, count) in self.deltas_stored.iter().zip(counts) {
            sum.fetch_add(count, Ordering::Relaxed);
        }
        if let Some(sketch) = sketch.filter(|_| delta.depth < self.depth) {
            writer.frames.sketch_next(sketch);
        }
        writer.frames.push_delta(kind, id, frame, delta);
        if writer.frames.is_full() { self.close_frames(writer, kind.is_metadata()) } else { Ok(()) }
    }

    fn push(
        &self,
        writer: &mut BlockWriter,
        kind: ObjectKind,
        id: &ChunkId,
        bytes: &[u8],
    ) -> Result<(), CasError> {
        writer.builder.push(kind, id, bytes);
        if writer.builder.is_full() { self.close(writer, kind.is_metadata()) } else { Ok(()) }
    }

    /// Hands on what a thread has collected.
    pub(super) fn flush(&self, writer: &mut BlockWriter) -> Result<(), CasError> {
        self.close(writer, false)?;
        self.close_frames(writer, false)
    }

    /// Hands on the metadata that was collected.
    fn flush_metadata(&self) -> Result<(), CasError> {
        let mut writer = self.metadata.lock().expect("no panic while locked");
        self.close(&mut writer, true)?;
        self.close_frames(&mut writer, true)
    }

    /// Hands on all that was collected, and completes the packs.
    pub(in crate::ops) fn finish(&self) -> Result<(), CasError> {
        self.flush_metadata()?;
        self.sealer.finish()
    }

    fn close(&self, writer: &mut BlockWriter, metadata: bool) -> Result<(), CasError> {
        if writer.builder.is_empty() {
            return Ok(());
        }
        let plain = writer.builder.len() as u64;
        let block = writer.builder.finish(&mut writer.compressor)?;
        if let Some(deltas) = &mut writer.deltas {
            deltas.block(plain, block.stored_len());
        }
        self.add(block, metadata)
    }

    fn close_frames(&self, writer: &mut BlockWriter, metadata: bool) -> Result<(), CasError> {
        if writer.frames.is_empty() {
            return Ok(());
        }
        let block = writer.frames.finish(&mut writer.compressor)?;
        self.add(block, metadata)
    }

    fn add(&self, block: Block, metadata: bool) -> Result<(), CasError> {
        self.stored.fetch_add(block.stored_len(), Ordering::Relaxed);
        if self.dry { Ok(()) } else { self.sealer.add(block, metadata) }
    }

    /// What was stored as deltas.
    pub(super) fn deltas(&self) -> DeltaCounts {
        let [objects, bytes, stored_bytes] =
            self.deltas_stored.each_ref().map(|sum| sum.load(Ordering::Relaxed));
        DeltaCounts { objects, bytes, stored_bytes }
    }

    pub(in crate::ops) fn stored_bytes(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn new_data_bytes(&self) -> u64 {
        self.new_data.load(Ordering::Relaxed)
    }
}

impl BlockWriter {
    fn new(level: Level, depth: u8, is_metadata: bool) -> Result<Self, CasError> {
        let failed = |source: CompressError| CasError::Compress { source };
        let compressor = Compressor::new(level).map_err(failed)?;
        let deltas = if depth > 0 { Some(Deltas::new(level, depth, is_metadata)?) } else { None };
        let (builder, frames) = Default::default();
        Ok(Self { builder, frames, compressor, deltas })
    }
}

/// Stores the nodes above chunks of one kind.
pub(super) struct NodeWriter<'s, 'a> {
    pub(super) sink: &'s ObjectSink<'a>,
    pub(super) kind: ObjectKind,
    /// What the content was before.
    pub(super) former: &'s Former,
}

impl NodeSink for NodeWriter<'_, '_> {
    type Error = CasError;

    fn put_node(&mut self, node: &ChonkerNode) -> Result<ChunkId, CasError> {
        let children = node.children.iter();
        let encoded = FileNode {
            level: node.level,
            children: children.map(|c| NodeChild { id: c.id, len: c.len, repeat: c.repeat }).collect(),
        };
        let bytes = encoded.encode().map_err(|source| CasError::Encode { what: "file node", source })?;
        let former = || self.former.node(self.sink.chunks, node);
        self.sink.put_metadata_near(self.kind, &bytes, former)
    }
}
