//! Repositories with very many objects, made without reading as many bytes.

use std::sync::{Arc, Mutex};

use crate::cas::{BlockBuilder, CasError, FinishedPack, Sealer, SegmentWriter, Vault};
use crate::compress::{Compressor, Level};
use crate::format::dirtree::{DirNode, EntryKind};
use crate::format::log::{CommitRecord, PackRecord, SegmentRecord};
use crate::format::node::{ContentRoot, FileNode, NodeChild};
use crate::id::{ChunkId, CommitId, ObjectKind};
use crate::repo::{Draft, RefMove, RepoError, Repository};

use super::forger::{commit_bytes, entry};

/// Bytes of a chunk.
const CHUNK_LEN: usize = 16;
/// Children of a node.
const CHILDREN: usize = 64;
/// Rows after which a segment is written, as a commit does.
const SEGMENT_ROWS: usize = 1 << 19;

/// Commits one file of `count` chunks, of 16 bytes each and all different, onto a branch `synth`. `seed` tells them from those of
/// other calls.
///
/// # Errors
/// When the store fails.
pub fn many_chunks(repo: &Repository, count: u64, seed: u64) -> Result<CommitId, RepoError> {
    let failed = |source| RepoError::Cas { action: "store made-up chunks", source };
    let vault = Arc::clone(repo.chunks().vault());
    let output = Mutex::new(Output::default());
    let emit = |pack: FinishedPack| output.lock().expect("no panic while locked").pack(&vault, &pack);
    let sealer = Sealer::new(Arc::clone(&vault), repo.chunks().index(), emit);
    let commit =
        Writer::new(&sealer).and_then(|mut writer| writer.file(repo, count, seed)).map_err(failed)?;
    sealer.finish().map_err(failed)?;
    drop(sealer);
    let mut output = output.into_inner().expect("no panic while locked");
    output.segment(&vault).map_err(failed)?;
    let draft = Draft {
        packs_added: output.packs,
        segments_added: output.segments,
        commits: vec![CommitRecord { id: commit, parents: Vec::new() }],
        message: "synth".to_owned(),
        ..Draft::default()
    };
    repo.append(&mut |state| {
        let name = "heads/synth".to_owned();
        let old = state.refs.get(&name).copied();
        Ok(Draft { refs: vec![RefMove { name, old, new: Some(commit) }], ..draft.clone() })
    })?;
    Ok(commit)
}

/// Writes packs and segments.
#[derive(Default)]
struct Output {
    rows: SegmentWriter,
    packs: Vec<PackRecord>,
    segments: Vec<SegmentRecord>,
}

impl Output {
    fn pack(&mut self, vault: &Vault, pack: &FinishedPack) -> Result<(), CasError> {
        let record = pack.write(vault.store())?;
        self.packs.push(record);
        if !record.self_indexed {
            self.rows.add(pack);
        }
        if self.rows.len() >= SEGMENT_ROWS { self.segment(vault) } else { Ok(()) }
    }

    fn segment(&mut self, vault: &Vault) -> Result<(), CasError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let finished = rows.finish(vault)?;
        finished.write(vault)?;
        self.segments.push(finished.record);
        Ok(())
    }
}

/// Stores objects in blocks.
struct Writer<'a> {
    sealer: &'a Sealer<'a>,
    compressor: Compressor,
    data: BlockBuilder,
    metadata: BlockBuilder,
}

impl<'a> Writer<'a> {
    fn new(sealer: &'a Sealer<'a>) -> Result<Self, CasError> {
        let compressor = Compressor::new(Level::Zstd(1)).map_err(|source| CasError::Compress { source })?;
        Ok(Self { sealer, compressor, data: BlockBuilder::default(), metadata: BlockBuilder::default() })
    }

    /// Stores a file, its directory and a commit of both.
    fn file(&mut self, repo: &Repository, count: u64, seed: u64) -> Result<CommitId, CasError> {
        let mut children = Vec::new();
        for number in 0..count {
            let mut bytes = [0; CHUNK_LEN];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            bytes[8..].copy_from_slice(&seed.to_le_bytes());
            let id = self.put(ObjectKind::Chunk, &bytes)?;
            children.push(NodeChild { id, len: CHUNK_LEN as u64, repeat: 1 });
        }
        let content = self.tree(children)?;
        let file = entry(b"file", EntryKind::File { content, sparse: false });
        let encoding = |source| CasError::Encode { what: "made-up tree", source };
        let dir = DirNode::Leaf(vec![file]).encode().map_err(encoding)?;
        let node = Some(self.put(ObjectKind::DirNode, &dir)?);
        let commit = commit_bytes(repo, entry(b"", EntryKind::Dir { node }));
        let id = self.put(ObjectKind::Commit, &commit)?;
        self.close(false)?;
        self.close(true)?;
        Ok(id.into())
    }

    fn tree(&mut self, mut children: Vec<NodeChild>) -> Result<ContentRoot, CasError> {
        let mut level = 0;
        while children.len() > 1 {
            level += 1;
            let mut parents = Vec::with_capacity(children.len() / CHILDREN + 1);
            for group in children.chunks(CHILDREN) {
                let node = FileNode { level, children: group.to_vec() };
                let encoding = |source| CasError::Encode { what: "made-up node", source };
                let id = self.put(ObjectKind::FileNode, &node.encode().map_err(encoding)?)?;
                parents.push(NodeChild { id, len: group.iter().map(|child| child.len).sum(), repeat: 1 });
            }
            children = parents;
        }
        Ok(children.first().map_or(ContentRoot::Empty, |root| ContentRoot::Tree {
            level,
            id: root.id,
            len: root.len,
            repeat: 1,
        }))
    }

    fn put(&mut self, kind: ObjectKind, bytes: &[u8]) -> Result<ChunkId, CasError> {
        let id = self.sealer.id(kind, bytes);
        self.sealer.claim(kind, &id, bytes.len())?;
        let builder = if kind.is_metadata() { &mut self.metadata } else { &mut self.data };
        builder.push(kind, &id, bytes);
        if builder.is_full() { self.close(kind.is_metadata()).map(|()| id) } else { Ok(id) }
    }

    fn close(&mut self, metadata: bool) -> Result<(), CasError> {
        let builder = if metadata { &mut self.metadata } else { &mut self.data };
        if builder.is_empty() {
            return Ok(());
        }
        self.sealer.add(builder.finish(&mut self.compressor)?, metadata)
    }
}
