//! A regular file that is being brought back.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::ftruncate;
use rustix::io::{Errno, pwrite};

use super::entry::FileType;
use super::error::{WorktreeError, io_error};
use super::restore::{Inode, RestoreMeta};
use super::sys;
use super::target::{LinkSource, Placed};

/// Zeros of this many bytes, at a multiple of it, become a hole: the block of common file systems.
const HOLE_LEN: usize = 4096;
static ZEROS: [u8; HOLE_LEN] = [0; HOLE_LEN];

/// How a file is brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileOptions {
    /// Blocks of zeros take up no room.
    pub sparse: bool,
    /// Its length in bytes, if it is known: what is not written is zeros, and more is an error.
    pub size: Option<u64>,
    /// Whether something that is there gives way, when the file is finished and not before.
    pub replace: bool,
}

/// A regular file that is being written, by any number of threads. Unless it is finished, it is removed again when
/// dropped. Nobody else can open it before it has its mode.
#[derive(Debug)]
pub struct TargetFile {
    file: OwnedFd,
    placed: Placed,
    options: FileOptions,
    /// End of what was given to write.
    given: AtomicU64,
    /// End of what was written and is not a hole.
    written: AtomicU64,
}

impl TargetFile {
    pub(super) fn new(file: OwnedFd, placed: Placed, options: FileOptions) -> Self {
        Self { file, placed, options, given: AtomicU64::new(0), written: AtomicU64::new(0) }
    }

    /// Writes `bytes` at `offset`. Every byte of the file is to be written at most once, in any order: what is never
    /// written is zeros.
    ///
    /// # Errors
    /// If the system cannot write, and if that is beyond the announced length.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), WorktreeError> {
        let end = offset.saturating_add(bytes.len() as u64);
        self.check_len(end)?;
        self.given.fetch_max(end, Ordering::Relaxed);
        if self.options.sparse { self.write_but_holes(offset, bytes) } else { self.write_all(offset, bytes) }
    }

    /// Writes `bytes` behind what was given before.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), WorktreeError> {
        self.write_at(self.given.load(Ordering::Relaxed), bytes)
    }

    /// Lets `len` zeros follow what was given before, without writing them.
    ///
    /// # Errors
    /// If that is beyond the announced length.
    pub fn append_hole(&mut self, len: u64) -> Result<(), WorktreeError> {
        let end = self.given.load(Ordering::Relaxed).saturating_add(len);
        self.check_len(end)?;
        self.given.store(end, Ordering::Relaxed);
        Ok(())
    }

    /// What hard links to this file need.
    ///
    /// # Errors
    /// If the system will not say what inode it is.
    pub fn link_source(&self) -> Result<LinkSource, WorktreeError> {
        let stat = sys::stat_fd(&self.file).map_err(self.fail("stat"))?;
        Ok(self.placed.link_source(&stat))
    }

    /// Gives the file its length, its metadata and, if it replaces something, its name.
    ///
    /// # Errors
    /// If the system fails; the file is removed then. What it refuses is counted as lost.
    pub fn finish(self, meta: &RestoreMeta) -> Result<(), WorktreeError> {
        let len = self.options.size.unwrap_or(self.given.load(Ordering::Relaxed));
        if self.written.load(Ordering::Relaxed) < len {
            ftruncate(&self.file, len).map_err(self.fail("set the length of"))?;
        }
        let inode = Inode::open(&self.file, FileType::Regular);
        let placed = &self.placed;
        let applied = placed.shared.metadata.apply(inode, meta, placed.path.as_path());
        applied.map_err(|error| placed.shared.in_full(error, &placed.path))?;
        self.placed.settle()
    }

    fn check_len(&self, end: u64) -> Result<(), WorktreeError> {
        match self.options.size {
            Some(expected) if end > expected => Err(WorktreeError::WrongLength {
                path: self.placed.shared.full(&self.placed.path),
                expected,
                actual: end,
            }),
            _ => Ok(()),
        }
    }

    /// Writes runs of blocks that are not all zero.
    fn write_but_holes(&self, offset: u64, bytes: &[u8]) -> Result<(), WorktreeError> {
        let (mut run_start, mut at) = (0, 0);
        while at < bytes.len() {
            let in_block = ((offset + at as u64) % HOLE_LEN as u64) as usize;
            let end = bytes.len().min(at + HOLE_LEN - in_block);
            if is_zero(&bytes[at..end]) {
                self.write_all(offset + run_start as u64, &bytes[run_start..at])?;
                run_start = end;
            }
            at = end;
        }
        self.write_all(offset + run_start as u64, &bytes[run_start..])
    }

    fn write_all(&self, mut offset: u64, mut bytes: &[u8]) -> Result<(), WorktreeError> {
        while !bytes.is_empty() {
            match pwrite(&self.file, bytes, offset) {
                Ok(0) => return Err(self.fail("write")(Errno::IO)),
                Ok(len) => {
                    offset += len as u64;
                    bytes = &bytes[len..];
                    self.written.fetch_max(offset, Ordering::Relaxed);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.fail("write")(errno)),
            }
        }
        Ok(())
    }

    fn fail(&self, action: &'static str) -> impl FnOnce(Errno) -> WorktreeError + use<> {
        io_error(action, self.placed.shared.full(&self.placed.path))
    }
}

fn is_zero(bytes: &[u8]) -> bool {
    *bytes == ZEROS[..bytes.len()]
}
