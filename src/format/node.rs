//! Inner nodes of a file's tree.
use crate::id::ChunkId;

/// One child of a node: a subtree, or a chunk, that stands here `repeat` times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeChild {
    /// Id of the chunk (level 1) or node (above).
    pub id: ChunkId,
    /// Bytes of file content below one occurrence of the child; at least 1.
    pub len: u64,
    /// How often it stands here; at least 1.
    pub repeat: u64,
}

/// A node: its children's content, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNode {
    /// 1: its children are chunks; n: nodes of level n-1.
    pub level: u8,
    /// At least one child.
    pub children: Vec<NodeChild>,
}

/// Where a file's content starts: what a directory entry or a commit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentRoot {
    /// No bytes.
    Empty,
    /// One object, `repeat` times. `level` 0: a chunk; n: a node of level n. `len`: bytes of one occurrence.
    Tree {
        /// Level of the object.
        level: u8,
        /// The object.
        id: ChunkId,
        /// Bytes of one occurrence.
        len: u64,
        /// How often it stands here, at least 1.
        repeat: u64,
    },
}

impl ContentRoot {
    /// Bytes of the whole content; `None` if that is over 2^64.
    pub fn total_len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Tree { len, repeat, .. } => len.checked_mul(*repeat),
        }
    }
}
