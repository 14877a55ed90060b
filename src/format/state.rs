//! State for change detection: what a file system knows of an entry and the tree does not hold.
//!
//! One stream a commit, in the order of a depth-first walk, stored like a file of its own kind.
use super::dirtree::Timestamp;

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
