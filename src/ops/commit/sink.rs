//! Where new objects go: to the sealer, or, in a dry run, nowhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cas::{Block, BlockBuilder, CasError, ChunkStore, Claim, Sealer};
use crate::chonkers::{ChonkerNode, NodeSink};
use crate::compress::{CompressError, Compressor, DeltaEncoder, Level};
use crate::format::dirtree::DirNode;
use crate::format::node::{FileNode, NodeChild};
use crate::id::{ChunkId, ObjectKind};
use crate::limits::TREE_DEPTH_MAX;

use super::DeltaCounts;
use super::former::{Former, NewChunk};

/// Takes objects of all threads.
pub(super) struct ObjectSink<'a> {
    pub(super) sealer: &'a Sealer<'a>,
    chunks: &'a ChunkStore,
    /// Encodes against bases; none: everything is stored in full.
    deltas: Option<DeltaEncoder>,
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
pub(super) struct Store<'a> {
    pub(super) sealer: &'a Sealer<'a>,
    pub(super) chunks: &'a ChunkStore,
    pub(super) level: Level,
    /// Store objects as deltas where that pays.
    pub(super) deltas: bool,
    /// Store nothing.
    pub(super) dry: bool,
}

/// Blocks under construction and what compresses them.
pub(super) struct BlockWriter {
    builder: BlockBuilder,
    /// Deltas have blocks of their own, so that a reader has them all before it opens the bases.
    deltas: BlockBuilder,
    compressor: Compressor,
    frame: Vec<u8>,
    gains: Gains,
}

/// What compressing has come to so far, and what deltas have.
#[derive(Debug)]
struct Gains {
    plain: u64,
    compressed: u64,
    /// Grows with every base that was of little use, shrinks with every good one.
    doubt: u32,
    /// Objects passed over since the last try.
    passed: u32,
}

impl Gains {
    /// What a delta takes besides its frame: its base, in both directories of the pack and in the index.
    const DELTA_COST: usize = 100;
    /// From this doubt on bases are seldom tried: reading them costs more than what few of them save.
    const DOUBT: u32 = 6;
    const DOUBT_MAX: u32 = 8;
    /// What a bad base adds to the doubt, of which a good one takes 1 off: with one in two the tries go on.
    const MISTRUST: u32 = 1;
    /// One object in so many has its base tried in doubt.
    const SELDOM: u32 = 32;

    /// Begins with a guess that few blocks correct: files shrink to two fifths, listings, which are full of ids, to three.
    fn new(is_metadata: bool) -> Self {
        let compressed = if is_metadata { 600 << 10 } else { 400 << 10 };
        Self { plain: 1 << 20, compressed, doubt: 0, passed: 0 }
    }

    fn block(&mut self, plain: u64, compressed: u64) {
        // What was long ago says less.
        if self.plain > 64 << 20 {
            (self.plain, self.compressed) = (self.plain / 2, self.compressed / 2);
        }
        self.plain += plain;
        self.compressed += compressed;
    }

    /// Whether a base is worth a try.
    fn tries(&mut self) -> bool {
        self.passed += 1;
        let tries = self.doubt < Self::DOUBT || self.passed >= Self::SELDOM;
        if tries {
            self.passed = 0;
        }
        tries
    }

    /// Whether a frame clearly beats the object's share of a block.
    fn pays(&mut self, frame: usize, object: usize) -> bool {
        let share = object as u64 * self.compressed / self.plain;
        let cost = (frame + Self::DELTA_COST) as u64;
        let is_good = 2 * cost <= share;
        let doubt = if is_good { self.doubt.saturating_sub(1) } else { self.doubt + Self::MISTRUST };
        self.doubt = doubt.min(Self::DOUBT_MAX);
        8 * cost <= 7 * share
    }
}

impl<'a> ObjectSink<'a> {
    pub(super) fn new(store: Store<'a>) -> Result<Self, CasError> {
        let Store { sealer, chunks, level, deltas, dry } = store;
        let metadata = Mutex::new(BlockWriter::new(level, true)?);
        let failed = |source| CasError::Compress { source };
        let deltas = deltas.then(|| DeltaEncoder::new(level)).transpose().map_err(failed)?;
        let (stored, new_data, deltas_stored) = Default::default();
        Ok(Self { sealer, chunks, deltas, dry, level, metadata, stored, new_data, deltas_stored })
    }

    /// A block writer for one thread.
    pub(super) fn writer(&self) -> Result<BlockWriter, CasError> {
        BlockWriter::new(self.level, false)
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
        let bases = match self.deltas {
            Some(_) => former.bases(self.chunks, &told),
            None => vec![None; chunks.len()],
        };
        for ((chunk, (_, bytes)), base) in
            told.iter().zip(chunks).zip(bases).filter(|((chunk, _), _)| chunk.is_new)
        {
            if kind == ObjectKind::Chunk {
                self.new_data.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            }
            self.store(writer, kind, &chunk.id, bytes, base.as_ref())?;
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
    pub(super) fn put_metadata(&self, kind: ObjectKind, bytes: &[u8]) -> Result<ChunkId, CasError> {
        self.put_metadata_near(kind, bytes, || None)
    }

    /// The same, of an object that took the place of `former`, which is asked for only if the object is new.
    pub(super) fn put_metadata_near(
        &self,
        kind: ObjectKind,
        bytes: &[u8],
        former: impl FnOnce() -> Option<ChunkId>,
    ) -> Result<ChunkId, CasError> {
        let id = self.sealer.id(kind, bytes);
        if self.sealer.claim(kind, &id, bytes.len())? == Claim::New {
            let former = self.deltas.and_then(|_| former());
            let mut writer = self.metadata.lock().expect("no panic while locked");
            self.store(&mut writer, kind, &id, bytes, former.as_ref())?;
        }
        Ok(id)
    }

    /// The node below `root`, of a directory in the parent commit, that stood where `node` stands now: of the same level, and
    /// with the same names in it.
    pub(super) fn former_node(&self, root: ChunkId, node: &DirNode) -> Option<ChunkId> {
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
                _ => return Some(id),
            }
        }
        None
    }

    /// Stores a new object, as a delta against `base` or what that is a delta of, if that pays.
    fn store(
        &self,
        writer: &mut BlockWriter,
        kind: ObjectKind,
        id: &ChunkId,
        bytes: &[u8],
        base: Option<&ChunkId>,
    ) -> Result<(), CasError> {
        if let (Some(encoder), Some(base)) = (&self.deltas, base)
            && (kind.is_metadata() || writer.gains.tries())
            && let Some(base) = self.encode(encoder, writer, kind, bytes, base)?
        {
            writer.deltas.push_delta(kind, id, &writer.frame, &base, bytes.len());
            let counts = [1, bytes.len() as u64, writer.frame.len() as u64];
            for (sum, count) in self.deltas_stored.iter().zip(counts) {
                sum.fetch_add(count, Ordering::Relaxed);
            }
            return if writer.deltas.is_full() {
                self.close_deltas(writer, kind.is_metadata())
            } else {
                Ok(())
            };
        }
        self.push(writer, kind, id, bytes)
    }

    /// Makes a frame of `bytes`, if that pays, and tells its base. A base that cannot be read is none: what is new must be
    /// stored even where what is old is damaged.
    fn encode(
        &self,
        encoder: &DeltaEncoder,
        writer: &mut BlockWriter,
        kind: ObjectKind,
        bytes: &[u8],
        base: &ChunkId,
    ) -> Result<Option<ChunkId>, CasError> {
        let Ok(Some((base, location))) = self.chunks.base_for(kind, base) else { return Ok(None) };
        let Ok(content) = self.chunks.get(kind, &base) else { return Ok(None) };
        writer.frame.clear();
        encoder.encode(&content, bytes, &mut writer.frame).map_err(|source| CasError::Compress { source })?;
        let pays = writer.gains.pays(writer.frame.len(), bytes.len());
        if pays {
            self.sealer.use_base(location.pack);
        }
        Ok(pays.then_some(base))
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
        self.close_deltas(writer, false)
    }

    /// Hands on the metadata that was collected.
    pub(super) fn flush_metadata(&self) -> Result<(), CasError> {
        let mut writer = self.metadata.lock().expect("no panic while locked");
        self.close(&mut writer, true)?;
        self.close_deltas(&mut writer, true)
    }

    fn close(&self, writer: &mut BlockWriter, metadata: bool) -> Result<(), CasError> {
        if writer.builder.is_empty() {
            return Ok(());
        }
        let plain = writer.builder.len() as u64;
        let block = writer.builder.finish(&mut writer.compressor)?;
        writer.gains.block(plain, block.stored_len());
        self.add(block, metadata)
    }

    fn close_deltas(&self, writer: &mut BlockWriter, metadata: bool) -> Result<(), CasError> {
        if writer.deltas.is_empty() {
            return Ok(());
        }
        let block = writer.deltas.finish(&mut writer.compressor)?;
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

    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn new_data_bytes(&self) -> u64 {
        self.new_data.load(Ordering::Relaxed)
    }
}

impl BlockWriter {
    fn new(level: Level, is_metadata: bool) -> Result<Self, CasError> {
        let failed = |source: CompressError| CasError::Compress { source };
        let compressor = Compressor::new(level).map_err(failed)?;
        let (builder, deltas, frame) = Default::default();
        Ok(Self { builder, deltas, compressor, frame, gains: Gains::new(is_metadata) })
    }
}

/// Stores the nodes above chunks of one kind.
pub(super) struct NodeWriter<'s, 'a> {
    pub(super) sink: &'s ObjectSink<'a>,
    pub(super) kind: ObjectKind,
}

impl NodeSink for NodeWriter<'_, '_> {
    type Error = CasError;

    fn put_node(&mut self, node: &ChonkerNode) -> Result<ChunkId, CasError> {
        let children = node.children.iter();
        let node = FileNode {
            level: node.level,
            children: children.map(|c| NodeChild { id: c.id, len: c.len, repeat: c.repeat }).collect(),
        };
        let bytes = node.encode().map_err(|source| CasError::Encode { what: "file node", source })?;
        self.sink.put_metadata(self.kind, &bytes)
    }
}
