//! The observer: how the library tells what it is doing, without knowing whether a terminal, a log or a test listens.

use std::path::Path;

/// A step of an operation, for progress displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Walking the source and counting.
    Scan,
    /// Reading, cutting, compressing and storing.
    Store,
    /// Making the new commit durable.
    Finish,
    /// Finding out what live commits need.
    Mark,
    /// Reading the repository's trees to plan a restore.
    Plan,
    /// Writing files.
    Restore,
    /// Comparing what was written with the repository.
    Verify,
    /// Comparing two trees.
    Compare,
    /// Looking at what a repository consists of.
    Check,
}

/// What one file turned out to be, compared with the parent commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileNews {
    /// Not in the parent commit.
    New,
    /// Content or metadata differ.
    Changed,
    /// Taken over without reading.
    Unchanged,
}

/// Something that went wrong with one path of the source or the target; the operation goes on.
#[derive(Debug)]
#[non_exhaustive]
pub struct Problem<'a> {
    /// The path, as bytes of the file system.
    pub path: &'a Path,
    /// What failed, with its causes.
    pub error: &'a (dyn std::error::Error + 'static),
}

/// Receives counts, progress and problems. All methods may be called from several threads at once and must be quick.
pub trait Observer: Send + Sync {
    /// A phase begins. `bytes` and `files` say how much work it has, where that is known.
    fn phase(&self, _phase: Phase, _files: Option<u64>, _bytes: Option<u64>) {}
    /// The total of the present phase became known or grew.
    fn total(&self, _files: u64, _bytes: u64) {}
    /// Work on a file begins.
    fn file(&self, _path: &Path) {}
    /// A file is done.
    fn file_done(&self, _path: &Path, _news: FileNews, _bytes: u64) {}
    /// This much more of the phase is done.
    fn advance(&self, _files: u64, _bytes: u64) {}
    /// A path failed; the operation goes on and ends as partial.
    fn problem(&self, _problem: &Problem<'_>) {}
    /// Something that a person should know but that is no failure.
    fn notice(&self, _text: &str) {}
    /// Asked often: whether the operation should stop as soon as it can, leaving the repository as it was.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}
