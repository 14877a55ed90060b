//! Directory nodes: sorted entries with all their metadata.
use super::node::ContentRoot;
use crate::id::ChunkId;

/// A moment with nanoseconds, before or after 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    pub secs: i64,
    /// Nanoseconds behind `secs`, below 10^9.
    pub nanos: u32,
}

/// Whom an entry belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Owner {
    /// Numeric user.
    pub uid: u32,
    /// Numeric group.
    pub gid: u32,
    /// Name of the user on the source; empty if it has none.
    pub user: Vec<u8>,
    /// Name of the group on the source; empty if it has none.
    pub group: Vec<u8>,
}

/// An extended attribute; POSIX ACLs are those named `system.posix_acl_*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Xattr {
    /// Name, with its namespace.
    pub name: Vec<u8>,
    /// Value.
    pub value: Vec<u8>,
}

/// What an entry is, with what only this kind has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its bytes.
        content: ContentRoot,
        /// It had holes: runs of zeros become holes again.
        sparse: bool,
    },
    /// A directory; `None`: an empty one.
    Dir {
        /// Its node.
        node: Option<ChunkId>,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points, 1 to 4096 bytes without NUL.
        target: Vec<u8>,
    },
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

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Name: 1 to 255 bytes, not `.` or `..`, without `/` and NUL. Empty only in the root entry of a commit.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with setuid, setgid and sticky: `st_mode & 0o7777`.
    pub mode: u32,
    /// Whom it belongs to.
    pub owner: Owner,
    /// Time of the last change of its content.
    pub mtime: Timestamp,
    /// Extended attributes, sorted by name.
    pub xattrs: Vec<Xattr>,
    /// Entries of one commit with the same non-zero group are names of one inode. The group is the first 8 bytes
    /// (little-endian, at least 1) of the BLAKE3 hash of the path of its first name in the order of a depth-first walk,
    /// so that it does not change when other files come and go. 0: the inode has one name.
    pub hard_link: u64,
}

/// One child of an inner directory node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirChild {
    /// Name of the first entry below it.
    pub first: Vec<u8>,
    /// Its node.
    pub id: ChunkId,
    /// How many entries lie below it.
    pub entries: u64,
}

/// A node of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirNode {
    /// Entries, strictly ascending by the bytes of their names.
    Leaf(Vec<DirEntry>),
    /// Children of a large directory, ascending by `first`.
    Inner {
        /// 1: the children are leaves; n: inner nodes of level n-1.
        level: u8,
        /// At least one child.
        children: Vec<DirChild>,
    },
}
