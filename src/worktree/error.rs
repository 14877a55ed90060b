//! Why something in the file system could not be done.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// Why an entry could not be read or written. Paths are as the file system has them; whoever prints them escapes them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorktreeError {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: `open`, `read` …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The entry is no longer what the scan or an earlier operation saw.
    #[error("{} was replaced by something else", path.display())]
    Changed {
        /// The entry.
        path: PathBuf,
    },
    /// The file changed while it was read: what was recorded may mix old and new.
    #[error("{} changed while it was read", path.display())]
    ChangedWhileRead {
        /// The file.
        path: PathBuf,
    },
    /// The entry was listed, and gone before it could be looked at.
    #[error("{} vanished before it could be read", path.display())]
    Vanished {
        /// The entry.
        path: PathBuf,
    },
    /// A directory too deep to be read back.
    #[error("{} lies more than {max} directories deep and was not entered", path.display())]
    TooDeep {
        /// The directory.
        path: PathBuf,
        /// Most directories above an entry.
        max: usize,
    },
    /// A pattern that is no gitignore pattern.
    #[error("bad exclude pattern '{pattern}'")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A line of a file of patterns that cannot be used; its other lines are.
    #[error("line {line} of {} is no usable pattern", path.display())]
    PatternLine {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of patterns that is not a regular file of reasonable length.
    #[error("{} is not used for patterns: it is no regular file of at most {max} bytes", path.display())]
    PatternFile {
        /// The file.
        path: PathBuf,
        /// Most bytes of such a file.
        max: u64,
    },
    /// A name that no file below a target can have.
    #[error("{:?} cannot be a file name: {reason}", String::from_utf8_lossy(name))]
    InvalidName {
        /// The name.
        name: Vec<u8>,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Something stands where a file was to be created, and may not be replaced.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A directory stands where something else was to be put.
    #[error("{} is a directory and was not replaced", path.display())]
    IsDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A directory of the path is a symbolic link or no directory: nothing is written through it.
    #[error("a directory on the way to {} is a symbolic link or not a directory", path.display())]
    NotBeneath {
        /// The path.
        path: PathBuf,
    },
    /// The root of the target itself cannot be replaced or removed.
    #[error("{} is the target itself", path.display())]
    IsRoot {
        /// The target.
        path: PathBuf,
    },
    /// Another file system is mounted inside a directory that was to be removed.
    #[error("another file system is mounted on {}; it was not removed", path.display())]
    MountPoint {
        /// The mount point.
        path: PathBuf,
    },
    /// A file got more bytes than it was announced with.
    #[error("{} was to have {expected} bytes and got {actual}", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Bytes announced.
        expected: u64,
        /// Bytes written.
        actual: u64,
    },
}

impl WorktreeError {
    /// Whether the disk, or the user's share of it, is full.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }

    /// Whether the entry was not there (any more).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Turns an error of the system into one that says what failed on which path.
pub(super) fn io_error<E: Into<io::Error>>(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(E) -> WorktreeError {
    move |source| WorktreeError::Io { action, path: path.into(), source: source.into() }
}

/// Whether the system refuses an operation for this user, this file system or this value, rather than failing at it.
pub(super) fn is_refusal(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::PERM
            | Errno::ACCESS
            | Errno::NOTSUP
            | Errno::NOSYS
            | Errno::INVAL
            | Errno::TOOBIG
            | Errno::RANGE
            | Errno::NOSPC
            | Errno::ROFS
    )
}
