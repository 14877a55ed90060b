//! What the file system says of one entry.

use std::ffi::OsString;
use std::path::PathBuf;

/// A moment with nanoseconds, before or after 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub secs: i64,
    /// Nanoseconds behind `secs`, below 10^9.
    pub nanos: u32,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// An entry's status, never that of what a symbolic link points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub file_type: FileType,
    /// Permission bits with setuid, setgid and sticky: `st_mode & 0o7777`.
    pub mode: u32,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Length in bytes, holes included.
    pub size: u64,
    /// Time of the last change of its content.
    pub mtime: Timestamp,
    /// Time of the last change of content or metadata.
    pub ctime: Timestamp,
    /// Inode number.
    pub ino: u64,
    /// Device that it lies on.
    pub dev: u64,
    /// Number of names that it has.
    pub nlink: u64,
    /// Blocks of 512 bytes that it takes up.
    pub blocks: u64,
}

impl Stat {
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type == FileType::Dir
    }

    /// Whether it is a regular file.
    pub fn is_regular(&self) -> bool {
        self.file_type == FileType::Regular
    }

    /// Whether it is a regular file that takes up less room than its length: it may have holes.
    pub fn is_sparse(&self) -> bool {
        self.is_regular() && self.blocks.saturating_mul(512) < self.size
    }

    /// Whether `self` and `other` are the same inode of the same device.
    pub fn is_same_inode(&self, other: &Stat) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

/// An extended attribute; POSIX ACLs are those named `system.posix_acl_*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Xattr {
    /// Name, with its namespace.
    pub name: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

/// An entry that a scan met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedEntry {
    /// Path to open it by: the scan's root as it was given, and the names below.
    pub path: PathBuf,
    /// Its name; empty for the root of the scan.
    pub name: OsString,
    /// Its status when its directory was listed.
    pub stat: Stat,
}
