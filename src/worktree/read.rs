//! Reading the files of a source.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, CWD, Mode, OFlags, SeekFrom, fadvise, openat, readlinkat, seek};
use rustix::io::{Errno, pread};

use super::entry::{Stat, Xattr};
use super::error::{WorktreeError, io_error};
use super::{sys, xattr};

/// Length from which on the system is told that a file is read from front to back.
const SEQUENTIAL_LEN_MIN: u64 = 1 << 20;

/// Where the symbolic link `path` points, as it stands in the file system.
///
/// # Errors
/// If it is no symbolic link (any more) or cannot be read.
pub fn read_link(path: &Path) -> Result<Vec<u8>, WorktreeError> {
    sys::reach(path, |path| readlinkat(CWD, path, Vec::with_capacity(256)))
        .map(std::ffi::CString::into_bytes)
        .map_err(io_error("read the symbolic link", path))
}

/// A run of a file's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment {
    /// Bytes that must be read.
    Data {
        /// Where they start in the file.
        offset: u64,
        /// How many.
        len: u64,
    },
    /// Zeros that take up no room.
    Hole {
        /// How many.
        len: u64,
    },
}

/// A regular file of the source, open for reading. Several threads may [`read_at`](Self::read_at) at once.
#[derive(Debug)]
pub struct SourceFile {
    file: OwnedFd,
    path: PathBuf,
    opened: Stat,
    position: u64,
}

impl SourceFile {
    /// Opens `path`, which must still be the regular file that a scan found. Its access time stays as it is where the
    /// system allows that; a FIFO that took its place does not make it wait.
    ///
    /// # Errors
    /// [`WorktreeError::Changed`] if something else stands there now; an error of the system if it cannot be opened.
    pub fn open(path: &Path, expected: &Stat) -> Result<Self, WorktreeError> {
        let file = sys::reach(path, |path| open_quietly(CWD, path));
        let file = match file {
            // A symbolic link, or a socket, stands there.
            Err(Errno::LOOP | Errno::NXIO) => Err(WorktreeError::Changed { path: path.to_owned() }),
            other => other.map_err(io_error("open", path)),
        }?;
        Self::new(file, path.to_owned(), Some(expected))
    }

    pub(super) fn new(file: OwnedFd, path: PathBuf, expected: Option<&Stat>) -> Result<Self, WorktreeError> {
        let opened = sys::stat_fd(&file).map_err(io_error("stat", &path))?;
        if !opened.is_regular() || expected.is_some_and(|expected| !opened.is_same_inode(expected)) {
            return Err(WorktreeError::Changed { path });
        }
        if opened.size >= SEQUENTIAL_LEN_MIN {
            // Advice only: a file system that knows none reads as well without it.
            let _ = fadvise(&file, 0, None, Advice::Sequential);
        }
        Ok(Self { file, path, opened, position: 0 })
    }

    /// Its status when it was opened: what was read belongs to this, which may be newer than the scan's.
    pub fn stat(&self) -> &Stat {
        &self.opened
    }

    /// Reads the next bytes, at most `buf.len()`, and returns how many; 0 at the end.
    ///
    /// # Errors
    /// If the system cannot read.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, WorktreeError> {
        let len = self.read_at(buf, self.position)?;
        self.position += len as u64;
        Ok(len)
    }

    /// Makes the next [`read`](Self::read) start at `offset` bytes.
    pub fn seek_to(&mut self, offset: u64) {
        self.position = offset;
    }

    /// Reads bytes from `offset` on, at most `buf.len()`, and returns how many; 0 at the end.
    ///
    /// # Errors
    /// If the system cannot read.
    pub fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, WorktreeError> {
        loop {
            match pread(&self.file, &mut *buf, offset) {
                Err(Errno::INTR) => {}
                other => return other.map_err(io_error("read", &self.path)),
            }
        }
    }

    /// The file's bytes from front to back as data and holes, none empty, together as long as the file was when it was
    /// opened. A file that is not sparse is one run of data and costs no system call.
    pub fn segments(&self) -> Segments<'_> {
        self.segments_from(0)
    }

    /// The same from `offset` on.
    pub fn segments_from(&self, offset: u64) -> Segments<'_> {
        Segments { file: self, offset, in_data: offset > 0 || !self.opened.is_sparse(), ended: false }
    }

    /// Whether the file is another than the one opened: its length, times or type differ.
    ///
    /// # Errors
    /// If the system cannot tell.
    pub fn changed_since_open(&self) -> Result<bool, WorktreeError> {
        let now = sys::stat_fd(&self.file).map_err(io_error("stat", &self.path))?;
        let seen = |stat: &Stat| (stat.size, stat.mtime, stat.ctime);
        Ok(seen(&now) != seen(&self.opened))
    }

    /// The file's extended attributes, as [`read_xattrs`](super::read_xattrs) but of this very inode.
    ///
    /// # Errors
    /// If they cannot be listed or one of them cannot be read.
    pub fn xattrs(&self) -> Result<Vec<Xattr>, WorktreeError> {
        xattr::read_fd_xattrs(&self.file).map_err(io_error("read the extended attributes of", &self.path))
    }

    fn segment_at(&self, offset: u64, in_data: bool) -> Result<(Option<Segment>, bool), WorktreeError> {
        let end =
            if in_data { self.seek(SeekFrom::Hole(offset))? } else { self.seek(SeekFrom::Data(offset))? };
        let len = end.min(self.opened.size).saturating_sub(offset);
        let segment = match (len, in_data) {
            (0, _) => None,
            (len, true) => Some(Segment::Data { offset, len }),
            (len, false) => Some(Segment::Hole { len }),
        };
        Ok((segment, !in_data))
    }

    /// Where data or a hole begins; the file's end if there is none.
    fn seek(&self, to: SeekFrom) -> Result<u64, WorktreeError> {
        match seek(&self.file, to) {
            Err(Errno::NXIO) => Ok(self.opened.size),
            other => other.map_err(io_error("find the holes of", &self.path)),
        }
    }
}

/// The runs of data and holes of a file, made by [`SourceFile::segments`].
#[derive(Debug)]
pub struct Segments<'a> {
    file: &'a SourceFile,
    offset: u64,
    in_data: bool,
    ended: bool,
}

impl Segments<'_> {
    fn step(&mut self) -> Result<Option<Segment>, WorktreeError> {
        let size = self.file.opened.size;
        if !self.file.opened.is_sparse() {
            let len = size.saturating_sub(self.offset);
            return Ok((len > 0).then_some(Segment::Data { offset: self.offset, len }));
        }
        while self.offset < size {
            let (segment, in_data) = self.file.segment_at(self.offset, self.in_data)?;
            self.in_data = in_data;
            if segment.is_some() {
                return Ok(segment);
            }
        }
        Ok(None)
    }
}

impl Iterator for Segments<'_> {
    type Item = Result<Segment, WorktreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step().transpose();
        match &step {
            Some(Ok(Segment::Data { len, .. } | Segment::Hole { len })) => self.offset += len,
            Some(Err(_)) | None => self.ended = true,
        }
        step
    }
}

/// Opens for reading, without following a symbolic link, waiting for a FIFO's writer or, if allowed, touching the
/// access time.
pub(super) fn open_quietly(dir: impl AsFd, path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(&dir, path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(&dir, path, flags, Mode::empty()),
        other => other,
    }
}
