//! Reads a stream of records piece by piece.
use super::{Before, DirState, FileState, MAGIC, VERSION, WHAT};
use crate::format::DecodeError;
use crate::format::codec::{Reader, limit};
use crate::format::dirtree::Timestamp;
use std::io::{self, Read};

/// Bytes to ask the source for at once.
const PIECE_LEN: usize = 64 << 10;
/// Most bytes of a file: three numbers. Also more than any other fixed part of a record.
const FILE_BYTES_MAX: usize = 30;

/// Why a stream of state records could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The source gave an error.
    #[error("cannot read the change-detection state")]
    Read {
        /// What it gave.
        #[source]
        source: io::Error,
    },
    /// The bytes are not what they should be.
    #[error("the change-detection state is damaged")]
    Decode {
        /// What is wrong with them.
        #[source]
        source: DecodeError,
    },
}

impl From<DecodeError> for StateError {
    fn from(source: DecodeError) -> Self {
        Self::Decode { source }
    }
}

/// Yields the records of a stream in order. Memory is bounded by one record. Nothing follows an error.
#[derive(Debug)]
pub struct StateReader<R> {
    source: R,
    /// Bytes that were read; those before `start` are done.
    buffer: Vec<u8>,
    start: usize,
    source_ended: bool,
    failed: bool,
    before: Before,
}

impl<R: Read> StateReader<R> {
    /// Reads records from `source`, which needs no buffer of its own.
    pub fn new(source: R) -> Self {
        let before = Before::default();
        Self { source, buffer: Vec::new(), start: 0, source_ended: false, failed: false, before }
    }

    /// Has at least `len` bytes in the buffer, or all that are left.
    fn fill(&mut self, len: usize) -> Result<(), StateError> {
        while self.buffer.len() - self.start < len && !self.source_ended {
            self.buffer.drain(..self.start);
            self.start = 0;
            let piece = PIECE_LEN as u64;
            let read = (&mut self.source).take(piece).read_to_end(&mut self.buffer);
            let read = read.map_err(|source| StateError::Read { source })?;
            self.source_ended = read < PIECE_LEN;
        }
        Ok(())
    }

    /// Reads something of at most `len_max` bytes.
    fn read<T>(
        &mut self,
        len_max: usize,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
    ) -> Result<T, StateError> {
        self.fill(len_max)?;
        let mut reader = Reader::new(WHAT, &self.buffer[self.start..]);
        let value = read(&mut reader)?;
        self.start = self.buffer.len() - reader.remaining();
        Ok(value)
    }

    fn next_dir(&mut self) -> Result<Option<DirState>, StateError> {
        self.fill(1)?;
        if self.start == self.buffer.len() {
            return Ok(None);
        }
        if !self.before.started {
            self.read(MAGIC.len() + 2, |reader| reader.magic(MAGIC).and_then(|()| reader.version(VERSION)))?;
            self.before.started = true;
        }
        let path = self.next_path()?;
        let head = self.read(FILE_BYTES_MAX, |reader| reader.varint())?;
        limit("number of files of a directory", head >> 1, DirState::FILES_MAX as u64)?;
        if head & 1 == 1 {
            self.next_dev()?;
        }
        let mut files = Vec::new();
        for _ in 0..head >> 1 {
            files.push(self.next_file()?);
        }
        self.before.path.clone_from(&path);
        Ok(Some(DirState { path, dev: self.before.dev, files }))
    }

    fn next_path(&mut self) -> Result<Vec<u8>, StateError> {
        let max = DirState::PATH_LEN_MAX;
        let (shared, added) = self.read(FILE_BYTES_MAX, |reader| Ok((reader.varint()?, reader.varint()?)))?;
        limit("length of a path", shared, self.before.path.len() as u64)?;
        limit("length of a path", shared.saturating_add(added), max as u64)?;
        let (shared, added) = (shared as usize, added as usize);
        let suffix = self.read(added, |reader| reader.take(added).map(<[u8]>::to_vec))?;
        let before = &self.before.path;
        let rule = Reader::new(WHAT, &[]);
        let shares_all = suffix.first().is_none_or(|byte| before.get(shared) != Some(byte));
        rule.ensure(shares_all, "a path shares less than it could with the one before")?;
        rule.ensure(!suffix.contains(&0), "a path contains NUL")?;
        Ok([&before[..shared], &suffix].concat())
    }

    fn next_dev(&mut self) -> Result<(), StateError> {
        let dev = self.read(FILE_BYTES_MAX, |reader| reader.varint())?;
        Reader::new(WHAT, &[]).ensure(dev != self.before.dev, "a device is told again")?;
        self.before.dev = dev;
        Ok(())
    }

    fn next_file(&mut self) -> Result<FileState, StateError> {
        let (secs, nanos, ino) = self
            .read(FILE_BYTES_MAX, |reader| Ok((reader.zigzag()?, reader.varint_u32()?, reader.zigzag()?)))?;
        self.before.secs = self.before.secs.wrapping_add(secs);
        self.before.ino = self.before.ino.wrapping_add(ino as u64);
        let ctime = Timestamp { secs: self.before.secs, nanos };
        ctime.check()?;
        Ok(FileState { ctime, ino: self.before.ino })
    }
}

impl<R: Read> Iterator for StateReader<R> {
    type Item = Result<DirState, StateError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_dir();
        self.failed = next.is_err();
        next.transpose()
    }
}
