//! What content a live file has: read, cut and hashed as by a commit, but not stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::chonkers::{ChonkerNode, ChonkerTreeBuilder, NodeSink, TreeChild};
use crate::crypto::Keyring;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::{ContentRoot, FileNode, NodeChild};
use crate::id::{ChunkId, ObjectKind};
use crate::observe::{Observer, Problem};
use crate::repo::Chunker;
use crate::worktree::{OwnerNames, Segment, SourceFile, Stat, WorktreeError};

use super::super::commit::BIG_FILE_LEN;
use super::super::shared::Shared;
use super::super::{OpsError, convert};
use super::report::LiveNodes;

/// Bytes that are read at once.
const READ_LEN: usize = 1 << 20;

/// A file that must be read.
pub(super) struct Job {
    pub(super) path: PathBuf,
    pub(super) name: Vec<u8>,
    pub(super) stat: Stat,
    /// Its hard-link group.
    pub(super) group: u64,
    /// Takes the answer; `None`: it could not be read.
    pub(super) reply: Sender<Option<Box<LiveFile>>>,
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct LiveFile {
    pub(super) entry: DirEntry,
    /// The nodes of its tree, if they are wanted.
    pub(super) nodes: Arc<LiveNodes>,
}

/// Reads files; shared by all threads.
pub(super) struct FileReader<'a> {
    pub(super) keyring: &'a Keyring,
    pub(super) chunker: Chunker,
    pub(super) owners: OwnerNames,
    pub(super) observer: &'a dyn Observer,
    pub(super) shared: &'a Shared,
    /// Return the nodes of files' trees.
    pub(super) keep_nodes: bool,
}

/// Why a file has no content.
enum Failure {
    /// This file could not be read.
    Source(WorktreeError),
    /// The comparison cannot go on.
    Fatal(OpsError),
    /// Nobody waits for it any more.
    Stopped,
}

impl From<WorktreeError> for Failure {
    fn from(error: WorktreeError) -> Self {
        Self::Source(error)
    }
}

impl FileReader<'_> {
    /// Reads files until no more come.
    pub(super) fn run(&self, jobs: &Receiver<Job>) {
        let mut buffer = Vec::new();
        for job in jobs {
            let file = match self.read(&job, &mut buffer) {
                Ok(file) => Some(Box::new(file)),
                Err(Failure::Source(error)) => {
                    self.report(&job.path, &error);
                    None
                }
                Err(Failure::Fatal(error)) => {
                    self.shared.fail(error);
                    None
                }
                Err(Failure::Stopped) => None,
            };
            // It only stops listening when the comparison is over.
            let _ = job.reply.send(file);
        }
    }

    /// Tells the observer of a path that could not be read, and counts it.
    pub(super) fn report(&self, path: &Path, error: &WorktreeError) {
        self.shared.problem();
        self.observer.problem(&Problem { path, error });
    }

    fn read(&self, job: &Job, buffer: &mut Vec<u8>) -> Result<LiveFile, Failure> {
        if self.shared.stopped() {
            return Err(Failure::Stopped);
        }
        self.observer.file(&job.path);
        let mut file = SourceFile::open(&job.path, &job.stat)?;
        let stat = *file.stat();
        let mut tree = Tree::new(self);
        let len = if stat.size > BIG_FILE_LEN {
            self.read_segments(&file, &mut tree, buffer)?
        } else {
            self.read_whole(&mut file, &mut tree, buffer)?
        };
        let xattrs = file.xattrs()?;
        if len != stat.size || file.changed_since_open()? {
            return Err(WorktreeError::ChangedWhileRead { path: job.path.clone() }.into());
        }
        self.observer.advance(1, 0);
        let (content, nodes) = tree.finish().map_err(Failure::Fatal)?;
        let name = std::os::unix::ffi::OsStrExt::from_bytes(job.name.as_slice());
        let mut entry = convert::entry(&self.owners, name, &stat, Vec::new());
        entry.kind = EntryKind::File { content, sparse: stat.is_sparse() };
        entry.xattrs = convert::xattrs(xattrs);
        entry.hard_link = job.group;
        Ok(LiveFile { entry, nodes: Arc::new(nodes) })
    }

    fn read_whole(
        &self,
        file: &mut SourceFile,
        tree: &mut Tree<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Failure> {
        let size = usize::try_from(file.stat().size).expect("small files are below 4 GiB");
        buffer.clear();
        buffer.resize(size + 1, 0);
        let mut len = 0;
        while len < buffer.len() {
            match file.read(&mut buffer[len..])? {
                0 => break,
                read => len += read,
            }
        }
        self.observer.advance(0, len as u64);
        tree.whole(&buffer[..len]).map_err(Failure::Fatal)?;
        Ok(len as u64)
    }

    fn read_segments(
        &self,
        file: &SourceFile,
        tree: &mut Tree<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Failure> {
        buffer.resize(READ_LEN, 0);
        let mut stream = self.chunker.stream();
        let mut read = 0;
        for segment in file.segments() {
            match segment? {
                Segment::Hole { len } => {
                    stream.push_zeros(len, &mut |chunk| tree.push(chunk.chunk.repeat, chunk.bytes));
                    read += len;
                    self.observer.advance(0, len);
                }
                Segment::Data { offset, len } => {
                    let mut done = 0;
                    while done < len {
                        if self.shared.stopped() {
                            return Err(Failure::Stopped);
                        }
                        let want = usize::try_from(len - done).map_or(READ_LEN, |rest| rest.min(READ_LEN));
                        let got = file.read_at(&mut buffer[..want], offset + done)?;
                        if got == 0 {
                            break;
                        }
                        stream.push(&buffer[..got], &mut |chunk| tree.push(chunk.chunk.repeat, chunk.bytes));
                        done += got as u64;
                        self.observer.advance(0, got as u64);
                    }
                    read += done;
                }
            }
        }
        stream.finish(&mut |chunk| tree.push(chunk.chunk.repeat, chunk.bytes));
        Ok(read)
    }
}

/// The tree of a file that is being read.
struct Tree<'r> {
    reader: &'r FileReader<'r>,
    builder: ChonkerTreeBuilder,
    nodes: Nodes<'r>,
    failure: Option<OpsError>,
}

impl<'r> Tree<'r> {
    fn new(reader: &'r FileReader<'_>) -> Self {
        let builder = ChonkerTreeBuilder::new(reader.chunker.max_len(), reader.keyring.tree_key());
        let nodes = Nodes { keyring: reader.keyring, kept: reader.keep_nodes.then(LiveNodes::new) };
        Self { reader, builder, nodes, failure: None }
    }

    /// Takes all bytes of a small file.
    fn whole(&mut self, bytes: &[u8]) -> Result<(), OpsError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.len() <= self.reader.chunker.whole_len() {
            self.push(1, bytes);
            return Ok(());
        }
        for chunk in self.reader.chunker.cut(bytes) {
            let start = usize::try_from(chunk.offset).expect("within the buffer");
            self.push(chunk.repeat, &bytes[start..start + chunk.len as usize]);
        }
        Ok(())
    }

    fn push(&mut self, repeat: u64, bytes: &[u8]) {
        if self.failure.is_some() {
            return;
        }
        let id = self.reader.keyring.object_id(ObjectKind::Chunk, bytes);
        let child = TreeChild { id, len: bytes.len() as u64, repeat };
        self.failure = self.builder.push(child, &mut self.nodes).err();
    }

    fn finish(mut self) -> Result<(ContentRoot, LiveNodes), OpsError> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let root = self.builder.finish(&mut self.nodes)?;
        Ok((convert::content_root(root), self.nodes.kept.unwrap_or_default()))
    }
}

/// Gives nodes their ids.
struct Nodes<'r> {
    keyring: &'r Keyring,
    kept: Option<LiveNodes>,
}

impl NodeSink for Nodes<'_> {
    type Error = OpsError;

    fn put_node(&mut self, node: &ChonkerNode) -> Result<ChunkId, OpsError> {
        let children = node.children.iter();
        let encoded = FileNode {
            level: node.level,
            children: children.map(|c| NodeChild { id: c.id, len: c.len, repeat: c.repeat }).collect(),
        }
        .encode()
        .map_err(|source| OpsError::Tree { what: "the tree of a live file".to_owned(), source })?;
        let id = self.keyring.object_id(ObjectKind::FileNode, &encoded);
        if let Some(kept) = &mut self.kept {
            kept.insert(id, node.clone());
        }
        Ok(id)
    }
}
