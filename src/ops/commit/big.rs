//! Large files: read and cut by one thread, hashed and stored in pieces by all workers, put together in order. The very
//! large ones are left to the workers, part by part.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender};

use crate::chonkers::{ChonkerTreeBuilder, TreeChild};
use crate::chunk::{Chunk, ChunkData};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, ObjectKind};
use crate::observe::FileNews;
use crate::repo::{Chunker, ChunkerStream};
use crate::worktree::{Segment, SourceFile, Stat, WorktreeError, Xattr};

use super::super::{OpsError, convert};
use super::former::Former;
use super::parts;
use super::sink::{BlockWriter, NodeWriter, ObjectSink};
use super::worker::{Job, Outcome, ReadFile, Tools, UNKNOWN, Work, known_state};

/// Bytes that are read at once, and that a piece holds at least.
const PIECE_LEN: usize = crate::limits::BLOCK_LEN_TARGET;

/// Some chunks of a file, in order.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    pub(super) chunks: Vec<Chunk>,
}

impl Piece {
    /// Stores the chunks that are not known, and returns them all as leaves of the file's tree.
    pub(super) fn store(
        &self,
        tools: &Tools<'_>,
        writer: &mut BlockWriter,
        former: &Former,
    ) -> Result<Vec<TreeChild>, OpsError> {
        self.put(&tools.sink, writer, former)
    }

    /// The same for who has no tools.
    pub(super) fn put(
        &self,
        sink: &ObjectSink<'_>,
        writer: &mut BlockWriter,
        former: &Former,
    ) -> Result<Vec<TreeChild>, OpsError> {
        let mut rest = self.bytes.as_slice();
        let split = |chunk: &Chunk| {
            let (bytes, behind) = rest.split_at(chunk.len as usize);
            rest = behind;
            (chunk.offset, bytes)
        };
        let contents: Vec<_> = self.chunks.iter().map(split).collect();
        let ids = sink.put_chunks(writer, &contents, former).map_err(OpsError::cas("store a chunk"))?;
        let leaf =
            |(id, chunk): (ChunkId, &Chunk)| TreeChild { id, len: chunk.len.into(), repeat: chunk.repeat };
        Ok(ids.into_iter().zip(&self.chunks).map(leaf).collect())
    }

    /// Adds a chunk.
    pub(super) fn push(&mut self, chunk: &Chunk, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.chunks.push(*chunk);
    }

    /// Whether it is time for another.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= PIECE_LEN
    }
}

/// A large file whose pieces are being stored.
pub(super) struct BigFile {
    seq: u64,
    news: FileNews,
    former: Former,
    assembly: Mutex<Assembly>,
}

struct Assembly {
    next: u64,
    waiting: BTreeMap<u64, Vec<TreeChild>>,
    builder: Option<ChonkerTreeBuilder>,
    /// How many pieces there are and what was read with them, once the file was read to its end.
    end: Option<(u64, FileEnd)>,
}

/// What is known when a file was read to its end.
pub(super) struct FileEnd {
    pub(super) stat: Stat,
    pub(super) xattrs: Vec<Xattr>,
    pub(super) settled: bool,
}

impl BigFile {
    /// The file of job `seq`, which held `former` in the parent commit.
    pub(super) fn new(tools: &Tools<'_>, seq: u64, news: FileNews, former: Option<ContentRoot>) -> Self {
        let assembly =
            Assembly { next: 0, waiting: BTreeMap::new(), builder: Some(tools.tree_builder()), end: None };
        Self { seq, news, former: Former::new(ObjectKind::Chunk, former), assembly: Mutex::new(assembly) }
    }

    pub(super) fn former(&self) -> &Former {
        &self.former
    }

    /// Takes the stored chunks of one piece; the last one to arrive completes the file.
    pub(super) fn deliver(
        &self,
        tools: &Tools<'_>,
        number: u64,
        children: Vec<TreeChild>,
    ) -> Result<(), OpsError> {
        let mut assembly = self.assembly.lock().expect("no panic while locked");
        assembly.waiting.insert(number, children);
        self.advance(tools, &mut assembly)
    }

    pub(super) fn end(&self, tools: &Tools<'_>, pieces: u64, end: FileEnd) -> Result<(), OpsError> {
        let mut assembly = self.assembly.lock().expect("no panic while locked");
        assembly.end = Some((pieces, end));
        self.advance(tools, &mut assembly)
    }

    fn advance(&self, tools: &Tools<'_>, assembly: &mut Assembly) -> Result<(), OpsError> {
        let storing = OpsError::cas("store a file's tree");
        let mut nodes = NodeWriter { sink: &tools.sink, kind: ObjectKind::FileNode, former: &self.former };
        let builder = assembly.builder.as_mut().expect("taken only at the end");
        while let Some(children) = assembly.waiting.remove(&assembly.next) {
            assembly.next += 1;
            children.into_iter().try_for_each(|child| builder.push(child, &mut nodes)).map_err(&storing)?;
        }
        let Some((_, end)) = assembly.end.take_if(|(pieces, _)| *pieces == assembly.next) else {
            return Ok(());
        };
        let builder = assembly.builder.take().expect("just used");
        let content = convert::content_root(builder.finish(&mut nodes).map_err(&storing)?);
        let state = if end.settled { known_state(&end.stat) } else { UNKNOWN };
        let file = ReadFile { content, xattrs: end.xattrs, stat: end.stat, state, news: self.news };
        tools.done(self.seq, Outcome::File(Box::new(file)));
        Ok(())
    }
}

/// Reads large files until there are no more.
pub(super) fn run(tools: &Tools<'_>, jobs: &Receiver<Job>, work: &Sender<Work>) {
    for job in jobs {
        if tools.shared.stopped() {
            continue;
        }
        tools.observer.file(&job.path);
        match read_file(tools, &job, work) {
            Ok(()) => {}
            Err(Failure::Source(error)) => {
                tools.report(&job.path, &error);
                tools.done(job.seq, Outcome::Failed);
            }
            Err(Failure::Fatal(error)) => tools.shared.fail(error),
        }
    }
}

pub(super) enum Failure {
    /// This file could not be read.
    Source(WorktreeError),
    /// The commit cannot go on.
    Fatal(OpsError),
}

impl From<WorktreeError> for Failure {
    fn from(error: WorktreeError) -> Self {
        Self::Source(error)
    }
}

fn read_file(tools: &Tools<'_>, job: &Job, work: &Sender<Work>) -> Result<(), Failure> {
    let file = SourceFile::open(&job.path, &job.stat)?;
    if let Chunker::Chonkers(chonkers) = &tools.chunker
        && tools.threads > 1
        && file.stat().size > chonkers.segment_len()
    {
        let starts = parts::starts(file.segments(), chonkers.segment_len())?;
        if starts.len() > 1 {
            parts::send(tools, chonkers, job, (file, starts), work);
            return Ok(());
        }
    }
    let big = Arc::new(BigFile::new(tools, job.seq, job.news, job.former));
    let mut cutter = Cutter::new(tools, &big, work);
    let mut read = 0;
    for segment in file.segments() {
        read += match segment? {
            Segment::Hole { len } => cutter.zeros(len)?,
            Segment::Data { offset, len } => cutter.data(&file, offset, len)?,
        };
        if tools.is_stopped() {
            return Ok(());
        }
    }
    let stat = *file.stat();
    let settled = read == stat.size && !file.changed_since_open()?;
    if !settled {
        tools.report(&job.path, &WorktreeError::ChangedWhileRead { path: job.path.clone() });
    }
    let xattrs = file.xattrs()?;
    let pieces = cutter.finish()?;
    tools.observer.advance(1, 0);
    big.end(tools, pieces, FileEnd { stat, xattrs, settled }).map_err(Failure::Fatal)
}

/// Reads a stream to its end as the content of job `seq`, whose status is made up.
pub(super) fn read_stream(
    tools: &Tools<'_>,
    (seq, name, former): (u64, &Path, Option<ContentRoot>),
    reader: &mut dyn Read,
    stat: Stat,
    work: &Sender<Work>,
) -> Result<(), OpsError> {
    let big = Arc::new(BigFile::new(tools, seq, FileNews::New, former));
    let mut cutter = Cutter::new(tools, &big, work);
    let mut buffer = vec![0; PIECE_LEN];
    let mut size = 0;
    loop {
        let len = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => len,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => return Err(OpsError::Stream { name: name.display().to_string(), source }),
        };
        if tools.observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        size += len as u64;
        cutter.bytes(&buffer[..len]).map_err(fatal)?;
    }
    let pieces = cutter.finish().map_err(fatal)?;
    tools.observer.advance(1, 0);
    big.end(tools, pieces, FileEnd { stat: Stat { size, ..stat }, xattrs: Vec::new(), settled: false })
}

fn fatal(failure: Failure) -> OpsError {
    match failure {
        Failure::Fatal(error) => error,
        Failure::Source(error) => error.into(),
    }
}

/// Cuts a stream and sends its pieces to the workers.
struct Cutter<'t, 'a> {
    tools: &'t Tools<'a>,
    big: &'t Arc<BigFile>,
    work: &'t Sender<Work>,
    stream: ChunkerStream,
    piece: Piece,
    full: Vec<Piece>,
    buffer: Vec<u8>,
}

impl<'t, 'a> Cutter<'t, 'a> {
    fn new(tools: &'t Tools<'a>, big: &'t Arc<BigFile>, work: &'t Sender<Work>) -> Self {
        let stream = tools.chunker.stream();
        Self { tools, big, work, stream, piece: Piece::default(), full: Vec::new(), buffer: Vec::new() }
    }

    fn data(&mut self, file: &SourceFile, offset: u64, len: u64) -> Result<u64, Failure> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(PIECE_LEN, 0);
        let mut done = 0;
        while done < len && !self.tools.is_stopped() {
            let want = usize::try_from(len - done).map_or(PIECE_LEN, |rest| rest.min(PIECE_LEN));
            let read = file.read_at(&mut buffer[..want], offset + done)?;
            if read == 0 {
                break;
            }
            self.bytes(&buffer[..read])?;
            done += read as u64;
        }
        self.buffer = buffer;
        Ok(done)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let (piece, full) = (&mut self.piece, &mut self.full);
        self.stream.push(bytes, &mut |chunk| collect(piece, full, &chunk));
        self.tools.observer.advance(0, bytes.len() as u64);
        self.send()
    }

    fn zeros(&mut self, len: u64) -> Result<u64, Failure> {
        let (piece, full) = (&mut self.piece, &mut self.full);
        self.stream.push_zeros(len, &mut |chunk| collect(piece, full, &chunk));
        self.tools.observer.advance(0, len);
        self.send()?;
        Ok(len)
    }

    /// Sends the rest and returns how many pieces there were.
    fn finish(mut self) -> Result<u64, Failure> {
        let (mut piece, mut full) = (std::mem::take(&mut self.piece), std::mem::take(&mut self.full));
        let stream = std::mem::replace(&mut self.stream, self.tools.chunker.stream());
        stream.finish(&mut |chunk| collect(&mut piece, &mut full, &chunk));
        let pieces = if piece.chunks.is_empty() {
            piece.number
        } else {
            let number = piece.number;
            full.push(piece);
            number + 1
        };
        self.full = full;
        self.send()?;
        Ok(pieces)
    }

    fn send(&mut self) -> Result<(), Failure> {
        for piece in self.full.drain(..) {
            // Workers stop listening only when the commit has failed; the failure is known then.
            if self.work.send(Work::Piece(Arc::clone(self.big), piece)).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn collect(piece: &mut Piece, full: &mut Vec<Piece>, chunk: &ChunkData<'_>) {
    piece.push(&chunk.chunk, chunk.bytes);
    if piece.is_full() {
        let next = Piece { number: piece.number + 1, ..Piece::default() };
        full.push(std::mem::replace(piece, next));
    }
}

/// Path of a stream's file, for messages.
pub(super) fn stream_path(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(name))
}
