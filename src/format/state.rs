#![doc = include_str!("state.md")]
mod reader;
#[cfg(test)]
mod tests;

pub use reader::{StateError, StateReader};

use super::DecodeError;
use super::codec::{Reader, Writer, limit};
use super::dirtree::Timestamp;
use crate::limits;

const WHAT: &str = "change-detection state";
const MAGIC: &[u8; 8] = b"WARPSTAT";
const VERSION: u16 = 1;

/// State of one directory's entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirState {
    /// Path of the directory below the commit's root, with `/` between names; empty for the root.
    pub path: Vec<u8>,
    /// Device of its entries.
    pub dev: u64,
    /// One for each regular file of the directory, in the order of the tree.
    pub files: Vec<FileState>,
}

/// State of one regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    /// Time of the last change of the inode.
    pub ctime: Timestamp,
    /// Number of the inode. `u64::MAX` with a zero `ctime`: nothing is known, read the file again.
    pub ino: u64,
}

impl FileState {
    /// Nothing is known of the file: read it again.
    pub const UNKNOWN: Self = Self { ctime: Timestamp { secs: 0, nanos: 0 }, ino: u64::MAX };
}

impl DirState {
    /// Most bytes of a path: the deepest tree with the longest names.
    pub const PATH_LEN_MAX: usize = limits::TREE_DEPTH_MAX * (limits::NAME_LEN_MAX + 1);
    /// Most files of one directory: more do not fit any memory that this is read into.
    pub const FILES_MAX: usize = 1 << 28;

    /// Checks the path, the number of files and their times.
    ///
    /// # Errors
    /// The rule that it breaks. No such record is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        limit("length of a path", self.path.len() as u64, Self::PATH_LEN_MAX as u64)?;
        limit("number of files of a directory", self.files.len() as u64, Self::FILES_MAX as u64)?;
        Reader::new(WHAT, &[]).ensure(!self.path.contains(&0), "a path contains NUL")?;
        self.files.iter().try_for_each(|file| file.ctime.check())
    }
}

/// What a record is written against: the values of the record or the file before it.
#[derive(Debug, Clone, Default)]
struct Before {
    /// Whether there was a record.
    started: bool,
    path: Vec<u8>,
    dev: u64,
    secs: i64,
    ino: u64,
}

/// Writes a stream of records.
#[derive(Debug, Clone, Default)]
pub struct StateWriter {
    before: Before,
}

impl StateWriter {
    /// Starts a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record to `out`: the next bytes of the stream. The caller may empty `out` between two calls.
    ///
    /// # Errors
    /// If the record breaks a rule of [`DirState::check`]; then nothing was written.
    pub fn push(&mut self, dir: &DirState, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        dir.check()?;
        let mut writer = Writer::with_capacity(32 + dir.path.len() + 12 * dir.files.len());
        let before = &mut self.before;
        if !before.started {
            writer.bytes(MAGIC);
            writer.u16(VERSION);
            before.started = true;
        }
        let shared = before.path.iter().zip(&dir.path).take_while(|(a, b)| a == b).count();
        writer.count(shared);
        writer.prefixed(&dir.path[shared..]);
        let moved = dir.dev != before.dev;
        writer.varint((dir.files.len() as u64) << 1 | u64::from(moved));
        if moved {
            writer.varint(dir.dev);
        }
        dir.files.iter().for_each(|file| before.encode_file(&mut writer, file));
        before.path.clone_from(&dir.path);
        before.dev = dir.dev;
        out.extend_from_slice(writer.as_slice());
        Ok(())
    }
}

impl Before {
    fn encode_file(&mut self, writer: &mut Writer, file: &FileState) {
        writer.zigzag(file.ctime.secs.wrapping_sub(self.secs));
        writer.varint(file.ctime.nanos.into());
        writer.zigzag(file.ino.wrapping_sub(self.ino) as i64);
        self.secs = file.ctime.secs;
        self.ino = file.ino;
    }
}
