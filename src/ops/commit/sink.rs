//! Where new objects go: to the sealer, or, in a dry run, nowhere.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cas::{BlockBuilder, CasError, Claim, Sealer};
use crate::chonkers::{ChonkerNode, NodeSink};
use crate::compress::{CompressError, Compressor, Level};
use crate::format::node::{FileNode, NodeChild};
use crate::id::{ChunkId, ObjectKind};

/// Takes objects of all threads.
pub(super) struct ObjectSink<'a> {
    pub(super) sealer: &'a Sealer<'a>,
    dry: bool,
    level: Level,
    metadata: Mutex<BlockWriter>,
    /// Bytes of blocks, compressed.
    stored: AtomicU64,
    /// Bytes of new chunks of files.
    new_data: AtomicU64,
}

/// A block under construction and what compresses it.
pub(super) struct BlockWriter {
    builder: BlockBuilder,
    compressor: Compressor,
}

impl<'a> ObjectSink<'a> {
    pub(super) fn new(sealer: &'a Sealer<'a>, level: Level, dry: bool) -> Result<Self, CasError> {
        let metadata = Mutex::new(BlockWriter::new(level)?);
        Ok(Self { sealer, dry, level, metadata, stored: AtomicU64::new(0), new_data: AtomicU64::new(0) })
    }

    /// A block writer for one thread.
    pub(super) fn writer(&self) -> Result<BlockWriter, CasError> {
        BlockWriter::new(self.level)
    }

    /// Stores a chunk of a file unless it is known, and returns its id.
    pub(super) fn put_chunk(&self, writer: &mut BlockWriter, bytes: &[u8]) -> Result<ChunkId, CasError> {
        let id = self.sealer.id(ObjectKind::Chunk, bytes);
        if self.sealer.claim(ObjectKind::Chunk, &id, bytes.len())? == Claim::New {
            self.new_data.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            self.push(writer, ObjectKind::Chunk, &id, bytes)?;
        }
        Ok(id)
    }

    /// Stores an object of metadata unless it is known, and returns its id.
    pub(super) fn put_metadata(&self, kind: ObjectKind, bytes: &[u8]) -> Result<ChunkId, CasError> {
        let id = self.sealer.id(kind, bytes);
        if self.sealer.claim(kind, &id, bytes.len())? == Claim::New {
            let mut writer = self.metadata.lock().expect("no panic while locked");
            self.push(&mut writer, kind, &id, bytes)?;
        }
        Ok(id)
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
        self.close(writer, false)
    }

    /// Hands on the metadata that was collected.
    pub(super) fn flush_metadata(&self) -> Result<(), CasError> {
        self.close(&mut self.metadata.lock().expect("no panic while locked"), true)
    }

    fn close(&self, writer: &mut BlockWriter, metadata: bool) -> Result<(), CasError> {
        if writer.builder.is_empty() {
            return Ok(());
        }
        let block = writer.builder.finish(&mut writer.compressor)?;
        self.stored.fetch_add(block.stored_len(), Ordering::Relaxed);
        if self.dry { Ok(()) } else { self.sealer.add(block, metadata) }
    }

    pub(super) fn stored_bytes(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn new_data_bytes(&self) -> u64 {
        self.new_data.load(Ordering::Relaxed)
    }
}

impl BlockWriter {
    fn new(level: Level) -> Result<Self, CasError> {
        let failed = |source: CompressError| CasError::Compress { source };
        Ok(Self { builder: BlockBuilder::default(), compressor: Compressor::new(level).map_err(failed)? })
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
