//! Worker threads: read small files, cut, hash, deduplicate, compress.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender};

use crate::chonkers::{ChonkerTreeBuilder, TreeChild};
use crate::chunk::Chunk;
use crate::crypto::Keyring;
use crate::format::node::ContentRoot;
use crate::format::state::FileState;
use crate::id::ObjectKind;
use crate::observe::{FileNews, Observer};
use crate::repo::Chunker;
use crate::worktree::{SourceFile, Stat, WorktreeError, Xattr};

use super::super::shared::Shared;
use super::super::{OpsError, convert};
use super::big::{BigFile, Piece};
use super::former::Former;
use super::parts::PartedFile;
use super::sink::{BlockWriter, NodeWriter, ObjectSink};

/// Files above this length are read by a thread of their own and worked on in pieces, or in parts by the workers.
pub(in crate::ops) const BIG_FILE_LEN: u64 = 2 << 20;

/// A file that must be read.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) seq: u64,
    pub(super) path: PathBuf,
    pub(super) stat: Stat,
    pub(super) news: FileNews,
    /// Its content in the parent commit.
    pub(super) former: Option<ContentRoot>,
}

/// What a worker does next.
pub(super) enum Work {
    /// Read these files.
    Files(Vec<Job>),
    /// Hash and store a piece of a large file.
    Piece(Arc<BigFile>, Piece),
    /// Read and store this part of a very large file.
    Part(Arc<PartedFile>, usize),
}

/// What became of a job.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The file's content and what was read with it.
    File(Box<ReadFile>),
    /// It could not be read; the observer knows.
    Failed,
}

#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) content: ContentRoot,
    pub(super) xattrs: Vec<Xattr>,
    /// Status when it was opened.
    pub(super) stat: Stat,
    pub(super) state: FileState,
    pub(super) news: FileNews,
}

/// State that says: nothing is known, read the file again.
pub(super) const UNKNOWN: FileState =
    FileState { ctime: crate::format::dirtree::Timestamp { secs: 0, nanos: 0 }, ino: u64::MAX };

/// What all threads of a commit read with.
pub(super) struct Tools<'a> {
    pub(super) chunker: Chunker,
    pub(super) tree_key: [u8; 32],
    pub(super) sink: ObjectSink<'a>,
    pub(super) observer: &'a dyn Observer,
    pub(super) shared: &'a Shared,
    pub(super) results: Sender<(u64, Outcome)>,
    /// Worker threads.
    pub(super) threads: usize,
}

impl<'a> Tools<'a> {
    pub(super) fn tree_builder(&self) -> ChonkerTreeBuilder {
        ChonkerTreeBuilder::new(self.chunker.max_len(), &self.tree_key)
    }

    pub(super) fn report(&self, path: &std::path::Path, error: &WorktreeError) {
        self.shared.problem();
        self.observer.problem(&crate::observe::Problem { path, error });
    }

    /// Whether the commit has failed, or is to stop.
    pub(super) fn is_stopped(&self) -> bool {
        if self.observer.cancelled() {
            self.shared.fail(OpsError::Cancelled);
        }
        self.shared.stopped()
    }

    /// Tells the assembler what became of a job. It only stops listening when the commit has failed.
    pub(super) fn done(&self, seq: u64, outcome: Outcome) {
        let _ = self.results.send((seq, outcome));
    }
}

pub(super) fn tree_key(keyring: &Keyring) -> [u8; 32] {
    *keyring.tree_key()
}

/// Works until there is no more work or the commit has failed.
pub(super) fn run(tools: &Tools<'_>, work: &Receiver<Work>) {
    let outcome = tools.sink.writer().map_err(OpsError::cas("compress")).and_then(|writer| {
        let mut worker = Worker { tools, writer, buffer: Vec::new() };
        worker.run(work)
    });
    if let Err(error) = outcome {
        tools.shared.fail(error);
    }
}

struct Worker<'t, 'a> {
    tools: &'t Tools<'a>,
    writer: BlockWriter,
    buffer: Vec<u8>,
}

impl Worker<'_, '_> {
    fn run(&mut self, work: &Receiver<Work>) -> Result<(), OpsError> {
        for work in work {
            if self.tools.shared.stopped() {
                // Drain, so that nobody waits for a full queue.
                continue;
            }
            match work {
                Work::Files(jobs) => jobs.into_iter().try_for_each(|job| self.small_file(&job))?,
                Work::Piece(file, piece) => self.piece(&file, piece)?,
                Work::Part(file, number) => file.store(self.tools, &mut self.writer, number)?,
            }
        }
        self.tools.sink.flush(&mut self.writer).map_err(OpsError::cas("store a block"))
    }

    fn small_file(&mut self, job: &Job) -> Result<(), OpsError> {
        self.tools.observer.file(&job.path);
        let outcome = match self.read(job) {
            Ok((stat, xattrs, settled)) => {
                let content = self.store(&Former::new(ObjectKind::Chunk, job.former))?;
                self.tools.observer.advance(1, self.buffer.len() as u64);
                let state = if settled { known_state(&stat) } else { UNKNOWN };
                Outcome::File(Box::new(ReadFile { content, xattrs, stat, state, news: job.news }))
            }
            Err(error) => {
                self.tools.report(&job.path, &error);
                Outcome::Failed
            }
        };
        self.tools.done(job.seq, outcome);
        Ok(())
    }

    /// Reads a whole file into the buffer; the flag says whether it stood still meanwhile.
    fn read(&mut self, job: &Job) -> Result<(Stat, Vec<Xattr>, bool), WorktreeError> {
        let mut file = SourceFile::open(&job.path, &job.stat)?;
        let stat = *file.stat();
        self.buffer.clear();
        self.buffer.resize(usize::try_from(stat.size).expect("small files are below 4 GiB") + 1, 0);
        let mut len = 0;
        while len < self.buffer.len() {
            match file.read(&mut self.buffer[len..])? {
                0 => break,
                read => len += read,
            }
        }
        self.buffer.truncate(len);
        let xattrs = file.xattrs()?;
        let still = len as u64 == stat.size && !file.changed_since_open()?;
        if !still {
            self.tools.report(&job.path, &WorktreeError::ChangedWhileRead { path: job.path.clone() });
        }
        Ok((stat, xattrs, still))
    }

    /// Cuts and stores the buffer.
    fn store(&mut self, former: &Former) -> Result<ContentRoot, OpsError> {
        let storing = OpsError::cas("store a chunk");
        let sink = &self.tools.sink;
        if self.buffer.is_empty() {
            return Ok(ContentRoot::Empty);
        }
        if self.buffer.len() <= self.tools.chunker.whole_len() {
            let ids = sink.put_chunks(&mut self.writer, &[(0, &self.buffer)], former).map_err(storing)?;
            return Ok(ContentRoot::Tree { level: 0, id: ids[0], len: self.buffer.len() as u64, repeat: 1 });
        }
        let mut builder = self.tools.tree_builder();
        let mut nodes = NodeWriter { sink, kind: ObjectKind::FileNode, former };
        let chunks = self.tools.chunker.cut(&self.buffer);
        let bytes = |chunk: &Chunk| {
            let start = usize::try_from(chunk.offset).expect("within the buffer");
            (chunk.offset, &self.buffer[start..start + chunk.len as usize])
        };
        let contents: Vec<_> = chunks.iter().map(bytes).collect();
        let ids = sink.put_chunks(&mut self.writer, &contents, former).map_err(&storing)?;
        for (chunk, id) in chunks.iter().zip(ids) {
            let child = TreeChild { id, len: chunk.len.into(), repeat: chunk.repeat };
            builder.push(child, &mut nodes).map_err(&storing)?;
        }
        Ok(convert::content_root(builder.finish(&mut nodes).map_err(&storing)?))
    }

    fn piece(&mut self, file: &BigFile, piece: Piece) -> Result<(), OpsError> {
        let children = piece.store(self.tools, &mut self.writer, file.former())?;
        file.deliver(self.tools, piece.number, children)
    }
}

/// The state of a file that was read in peace. A file that changed only just now could change again without its times
/// showing it: it is read again next time.
pub(in crate::ops) fn known_state(stat: &Stat) -> FileState {
    const TICK_NANOS: i128 = 50_000_000;
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
    let changed = i128::from(stat.ctime.secs) * 1_000_000_000 + i128::from(stat.ctime.nanos);
    if now - changed < TICK_NANOS {
        return UNKNOWN;
    }
    FileState { ctime: convert::time(stat.ctime), ino: stat.ino }
}
