//! Very large files: parts of one file, each read, cut and stored by one worker, put together in order.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crossbeam_channel::Sender;

use crate::chonkers::{Chonkers, SegmentStream, TreeChild};
use crate::chunk::Chunk;
use crate::worktree::{Segment, SourceFile, WorktreeError};

use super::super::OpsError;
use super::big::{BigFile, Failure, FileEnd, Piece};
use super::sink::BlockWriter;
use super::worker::{Job, Outcome, Tools, Work};

/// Bytes that are read at once: they are cut and hashed while the processor's cache holds them.
const READ_LEN: usize = 512 << 10;

/// A very large file, of which every part is stored by itself.
pub(super) struct PartedFile {
    job: Job,
    chonkers: Chonkers,
    file: SourceFile,
    /// Where each part begins.
    starts: Vec<u64>,
    big: BigFile,
    progress: Mutex<Progress>,
}

/// What came of the parts so far.
struct Progress {
    left: usize,
    /// The stretch of the file that each part's chunks cover; none for a part without a chunk.
    spans: Vec<Option<Range<u64>>>,
    failure: Option<WorktreeError>,
}

/// Where the parts of a file should begin: after every so many bytes that are no hole. A single one: it is not worth while.
pub(super) fn starts(
    segments: impl Iterator<Item = Result<Segment, WorktreeError>>,
    part_len: u64,
) -> Result<Vec<u64>, WorktreeError> {
    let (mut starts, mut offset, mut filled) = (vec![0], 0, 0);
    for segment in segments {
        match segment? {
            Segment::Hole { len } => offset += len,
            Segment::Data { len, .. } => {
                let mut left = len;
                while filled + left > part_len {
                    let step = part_len - filled;
                    (offset, left, filled) = (offset + step, left - step, 0);
                    starts.push(offset);
                }
                (offset, filled) = (offset + left, filled + left);
            }
        }
    }
    Ok(starts)
}

/// Hands the parts of `file` to the workers.
pub(super) fn send(
    tools: &Tools<'_>,
    chonkers: &Chonkers,
    job: &Job,
    (file, starts): (SourceFile, Vec<u64>),
    work: &Sender<Work>,
) {
    let parts = starts.len();
    let big = BigFile::new(tools, job.seq, job.news, job.former);
    let progress = Progress { left: parts, spans: vec![None; parts], failure: None };
    let parted = Arc::new(PartedFile {
        job: job.clone(),
        chonkers: chonkers.clone(),
        file,
        starts,
        big,
        progress: Mutex::new(progress),
    });
    for number in 0..parts {
        // Workers stop listening only when the commit has failed; the failure is known then.
        if work.send(Work::Part(Arc::clone(&parted), number)).is_err() {
            break;
        }
    }
}

impl PartedFile {
    /// Stores one part; the last one to be stored completes the file.
    pub(super) fn store(
        &self,
        tools: &Tools<'_>,
        writer: &mut BlockWriter,
        number: usize,
    ) -> Result<(), OpsError> {
        if self.progress.lock().expect("no panic while locked").failure.is_none() {
            let range = self.range(number);
            let is_last = number + 1 == self.starts.len();
            let cut = self.chonkers.segment(range.clone(), is_last);
            match PartReader::new(tools, &self.file, &self.big, writer).read(cut, range.start) {
                // What a commit that stops has read is no part.
                Ok(_) if tools.shared.stopped() => return Ok(()),
                Ok((children, span)) => {
                    self.big.deliver(tools, number as u64, children)?;
                    self.progress.lock().expect("no panic while locked").spans[number] = span;
                }
                Err(Failure::Source(error)) => {
                    self.progress.lock().expect("no panic while locked").failure = Some(error);
                }
                Err(Failure::Fatal(error)) => return Err(error),
            }
        }
        let mut progress = self.progress.lock().expect("no panic while locked");
        progress.left -= 1;
        if progress.left == 0 { self.complete(tools, writer, &mut progress) } else { Ok(()) }
    }

    fn range(&self, number: usize) -> Range<u64> {
        self.starts[number]..self.starts.get(number + 1).copied().unwrap_or(self.file.stat().size)
    }

    fn complete(
        &self,
        tools: &Tools<'_>,
        writer: &mut BlockWriter,
        progress: &mut Progress,
    ) -> Result<(), OpsError> {
        let outcome = match progress.failure.take() {
            Some(error) => Err(Failure::Source(error)),
            None if is_whole(&progress.spans, self.file.stat().size) => {
                self.end(tools, &self.big, self.starts.len() as u64, true)
            }
            None => self.store_at_once(tools, writer),
        };
        match outcome {
            Err(Failure::Source(error)) => {
                tools.report(&self.job.path, &error);
                tools.done(self.job.seq, Outcome::Failed);
                Ok(())
            }
            Err(Failure::Fatal(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    }

    /// The file changed while its parts were read, and they do not fit together: reads it once more from front to back.
    fn store_at_once(&self, tools: &Tools<'_>, writer: &mut BlockWriter) -> Result<(), Failure> {
        let big = BigFile::new(tools, self.job.seq, self.job.news, self.job.former);
        let cut = self.chonkers.segment(0..self.file.stat().size, true);
        let (children, span) = PartReader::new(tools, &self.file, &self.big, writer).read(cut, 0)?;
        big.deliver(tools, 0, children).map_err(Failure::Fatal)?;
        let len = span.map_or(0, |span| span.end);
        self.end(tools, &big, 1, len == self.file.stat().size)
    }

    fn end(&self, tools: &Tools<'_>, big: &BigFile, pieces: u64, is_whole: bool) -> Result<(), Failure> {
        let settled = is_whole && !self.file.changed_since_open()?;
        if !settled {
            let path: PathBuf = self.job.path.clone();
            tools.report(&self.job.path, &WorktreeError::ChangedWhileRead { path });
        }
        let end = FileEnd { stat: *self.file.stat(), xattrs: self.file.xattrs()?, settled };
        tools.observer.advance(1, 0);
        big.end(tools, pieces, end).map_err(Failure::Fatal)
    }
}

/// Whether the stretches follow each other from the start of a file to its end.
fn is_whole(spans: &[Option<Range<u64>>], size: u64) -> bool {
    let mut end = 0;
    spans.iter().flatten().all(|span| span.start == std::mem::replace(&mut end, span.end)) && end == size
}

/// Reads one part and stores its chunks.
struct PartReader<'p, 'a> {
    tools: &'p Tools<'a>,
    file: &'p SourceFile,
    big: &'p BigFile,
    writer: &'p mut BlockWriter,
    piece: Piece,
    children: Vec<TreeChild>,
    span: Option<Range<u64>>,
}

impl<'p, 'a> PartReader<'p, 'a> {
    fn new(
        tools: &'p Tools<'a>,
        file: &'p SourceFile,
        big: &'p BigFile,
        writer: &'p mut BlockWriter,
    ) -> Self {
        Self { tools, file, big, writer, piece: Piece::default(), children: Vec::new(), span: None }
    }

    fn read(
        mut self,
        mut cut: SegmentStream,
        start: u64,
    ) -> Result<(Vec<TreeChild>, Option<Range<u64>>), Failure> {
        let mut buffer = vec![0; READ_LEN];
        for segment in self.file.segments_from(start) {
            let wants_more = match segment? {
                Segment::Hole { len } => cut.push_zeros(len, &mut |data| self.take(&data.chunk, data.bytes)),
                Segment::Data { offset, len } => self.data(&mut cut, offset, len, &mut buffer)?,
            };
            if !wants_more {
                break;
            }
        }
        cut.finish(&mut |data| self.take(&data.chunk, data.bytes));
        self.store()?;
        Ok((self.children, self.span))
    }

    /// Cuts a run of data; tells whether the part needs more bytes.
    fn data(
        &mut self,
        cut: &mut SegmentStream,
        offset: u64,
        len: u64,
        buffer: &mut [u8],
    ) -> Result<bool, Failure> {
        let mut done = 0;
        while done < len {
            let want = usize::try_from(len - done).map_or(READ_LEN, |rest| rest.min(READ_LEN));
            let read = self.file.read_at(&mut buffer[..want], offset + done)?;
            if read == 0 {
                return Ok(false);
            }
            done += read as u64;
            let wants_more = cut.push(&buffer[..read], &mut |data| self.take(&data.chunk, data.bytes));
            if self.piece.is_full() {
                self.store()?;
            }
            if !wants_more || self.tools.is_stopped() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn take(&mut self, chunk: &Chunk, bytes: &[u8]) {
        self.piece.push(chunk, bytes);
        let start = self.span.as_ref().map_or(chunk.offset, |span| span.start);
        self.span = Some(start..chunk.end());
    }

    /// Stores the chunks that were taken.
    fn store(&mut self) -> Result<(), Failure> {
        let piece = std::mem::take(&mut self.piece);
        let children = piece.store(self.tools, self.writer, self.big.former()).map_err(Failure::Fatal)?;
        self.children.extend(children);
        self.tools.observer.advance(0, piece.chunks.iter().map(Chunk::total_len).sum());
        Ok(())
    }
}
