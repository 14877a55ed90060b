#![doc = include_str!("dirtree.md")]
mod check;
mod leaf;
mod names;
#[cfg(test)]
mod tests;

pub use check::check_name;

use super::DecodeError;
use super::codec::{Reader, Writer, limit};
use super::node::ContentRoot;
use crate::id::ChunkId;
use crate::limits;

const WHAT: &str = "directory node";
const VERSION: u8 = 1;
/// Two lengths and a byte of its name, a count, an id.
const CHILD_BYTES_MIN: usize = 4 + ChunkId::LEN;

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
        /// It had holes: runs of zeros become holes again. This alone is no difference between two files.
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

impl DirEntry {
    /// Most bytes of all extended attributes of one entry, names and values: it must fit an object.
    pub const XATTRS_LEN_MAX: usize = limits::MIB;

    /// The entry on its own, as a commit holds its root. Its name may be empty.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`], but for the empty name.
    pub fn encode_entry(&self) -> Result<Vec<u8>, DecodeError> {
        self.check_named_or_root()?;
        let mut writer = Writer::new();
        writer.u8(VERSION);
        leaf::encode(&mut writer, std::slice::from_ref(self));
        Ok(writer.into_bytes())
    }

    /// Reads what [`Self::encode_entry`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`], but for an empty
    /// name.
    pub fn decode_entry(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("directory entry", bytes);
        reader.short_version(VERSION)?;
        let name = names::decode_one(&mut reader)?;
        let entries = leaf::decode(&mut reader, vec![name])?;
        reader.finish()?;
        let [entry]: [Self; 1] = entries.try_into().expect("one name makes one entry");
        entry.check_named_or_root()?;
        Ok(entry)
    }

    fn check_named_or_root(&self) -> Result<(), DecodeError> {
        if self.name.is_empty() { self.check_metadata() } else { self.check() }
    }
}

impl DirNode {
    /// Most entries or children of a node.
    pub const ENTRIES_MAX: usize = 1 << 16;
    /// Most bytes of extended attributes that the entries of a leaf have together: entries share sets of them, so
    /// that a small node could otherwise take gigabytes of memory.
    pub const XATTRS_LEN_MAX: usize = 64 * limits::MIB;

    /// 0 for a leaf, and one more than its children's for an inner node.
    pub fn level(&self) -> u8 {
        match self {
            Self::Leaf(_) => 0,
            Self::Inner { level, .. } => *level,
        }
    }

    /// The node's plaintext, which its id is computed from.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`], or its plaintext would not fit an object.
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let bytes = self.encode_as_it_is();
        limit("length of a directory node", bytes.len() as u64, limits::OBJECT_LEN_MAX as u64)?;
        Ok(bytes)
    }

    /// What [`Self::encode`] gives, but also for nodes that break the rules: what a hostile repository may hold.
    #[cfg(any(test, feature = "testing"))]
    pub fn encode_unchecked(&self) -> Vec<u8> {
        self.encode_as_it_is()
    }

    fn encode_as_it_is(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(256);
        writer.u8(VERSION);
        writer.u8(self.level());
        match self {
            Self::Leaf(entries) => {
                writer.count(entries.len());
                leaf::encode(&mut writer, entries);
            }
            Self::Inner { children, .. } => encode_inner(&mut writer, children),
        }
        writer.into_bytes()
    }

    /// Reads what [`Self::encode`] wrote. Names in it are safe to use as one part of a path.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        limit("length of a directory node", bytes.len() as u64, limits::OBJECT_LEN_MAX as u64)?;
        let mut reader = Reader::new(WHAT, bytes);
        reader.short_version(VERSION)?;
        let node = match reader.u8()? {
            0 => {
                let count = reader.count("number of entries", Self::ENTRIES_MAX, leaf::ENTRY_BYTES_MIN)?;
                let names = names::decode(&mut reader, count)?;
                Self::Leaf(leaf::decode(&mut reader, names)?)
            }
            level => Self::Inner { level, children: decode_inner(&mut reader)? },
        };
        reader.finish()?;
        node.check()?;
        Ok(node)
    }
}

fn encode_inner(writer: &mut Writer, children: &[DirChild]) {
    writer.count(children.len());
    names::encode(writer, children.iter().map(|child| &child.first[..]));
    children.iter().for_each(|child| writer.varint(child.entries));
    children.iter().for_each(|child| writer.bytes(child.id.as_bytes()));
}

fn decode_inner(reader: &mut Reader<'_>) -> Result<Vec<DirChild>, DecodeError> {
    let count = reader.count("number of children", DirNode::ENTRIES_MAX, CHILD_BYTES_MIN)?;
    let child = |first| DirChild { first, id: ChunkId::new([0; ChunkId::LEN]), entries: 0 };
    let mut children: Vec<_> = names::decode(reader, count)?.into_iter().map(child).collect();
    for child in &mut children {
        child.entries = reader.varint()?;
    }
    for child in &mut children {
        child.id = ChunkId::new(reader.array()?);
    }
    Ok(children)
}
