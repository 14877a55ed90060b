//! ChonkerTree: a file's content as a tree over its stored chunks.
//!
//! Leaves are chunks, inner nodes are groups of neighbours found by a strictly local rule, so the tree depends on
//! the sequence of leaves alone and an edit rewrites a bounded number of nodes a level. A run of equal chunks or
//! nodes is one entry with a count.

mod build;
mod cutter;
mod read;
#[cfg(test)]
pub(super) mod tests;

pub use build::ChonkerTreeBuilder;
pub use read::{ChonkerTree, Leaf, Leaves};

use crate::id::ChunkId;
use crate::limits;

/// Most children of a node. Follows from the weights that the builder gives to children; readers refuse more.
pub const NODE_CHILDREN_MAX: usize = 1024;

/// How many times more bytes than a node of the level below a node may hold.
pub const LEVEL_FACTOR: u64 = 16;

/// One child of a node: a chunk or a subtree, standing `repeat` times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeChild {
    /// The chunk (child of a node of level 1) or node (above).
    pub id: ChunkId,
    /// Bytes of content of one occurrence; at least 1.
    pub len: u64,
    /// How often it stands here; at least 1.
    pub repeat: u64,
}

impl TreeChild {
    /// Bytes of all occurrences; `None` if that is 2^64 or more.
    pub fn total_len(&self) -> Option<u64> {
        self.len.checked_mul(self.repeat)
    }

    /// Whether `other` is the same object, however often each stands.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.len == other.len
    }
}

/// An inner node: the content of its children, one after the other.
///
/// ```
/// use warp::chonkers::{ChonkerNode, TreeChild};
/// use warp::id::ChunkId;
///
/// let run = |byte, repeat| TreeChild { id: ChunkId::new([byte; 32]), len: 1000, repeat };
/// let node = ChonkerNode { level: 1, children: vec![run(1, 1), run(2, 300)] };
/// let content: Option<u64> = node.children.iter().map(TreeChild::total_len).sum();
/// assert_eq!(content, Some(301_000));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChonkerNode {
    /// 1: the children are chunks; n: they are nodes of level n - 1.
    pub level: u8,
    /// 1 to [`NODE_CHILDREN_MAX`] children; neighbours differ.
    pub children: Vec<TreeChild>,
}

/// Keeps the nodes that a builder makes.
pub trait NodeSink {
    /// Why a node could not be kept.
    type Error;

    /// Keeps `node` and returns its id: the same for equal nodes, another for any other node.
    ///
    /// # Errors
    /// When the node cannot be kept. The builder stops with the same error.
    fn put_node(&mut self, node: &ChonkerNode) -> Result<ChunkId, Self::Error>;
}

/// Where nodes are read from.
pub trait NodeSource {
    /// Why a node could not be read.
    type Error;

    /// Returns the node `id`, which a parent says is of `level`.
    ///
    /// The node is checked by the caller; the source need not trust or check what it holds beyond its id.
    ///
    /// # Errors
    /// When the node cannot be read.
    fn node(&mut self, level: u8, id: &ChunkId) -> Result<ChonkerNode, Self::Error>;
}

impl<S: NodeSource + ?Sized> NodeSource for &mut S {
    type Error = S::Error;

    fn node(&mut self, level: u8, id: &ChunkId) -> Result<ChonkerNode, Self::Error> {
        (**self).node(level, id)
    }
}

/// Where a tree begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TreeRoot {
    /// No content.
    Empty,
    /// One object, `repeat` times.
    Tree {
        /// 0: the object is a chunk; n: a node of level n.
        level: u8,
        /// The object.
        id: ChunkId,
        /// Bytes of content of one occurrence; at least 1.
        len: u64,
        /// How often it stands; at least 1.
        repeat: u64,
    },
}

impl TreeRoot {
    /// Bytes of the whole content; `None` if that is 2^64 or more.
    pub fn total_len(&self) -> Option<u64> {
        match self {
            Self::Empty => Some(0),
            Self::Tree { len, repeat, .. } => len.checked_mul(*repeat),
        }
    }

    fn new(level: u8, child: TreeChild) -> Self {
        Self::Tree { level, id: child.id, len: child.len, repeat: child.repeat }
    }

    /// The checked root object with its level; `None` for no content.
    pub(super) fn checked<E>(&self) -> Result<Option<(u8, TreeChild)>, TreeError<E>> {
        let &Self::Tree { level, id, len, repeat } = self else { return Ok(None) };
        if level > limits::NODE_LEVEL_MAX {
            return Err(TreeError::TooDeep { id, level });
        }
        if len == 0 || repeat == 0 {
            return Err(TreeError::EmptyChild { parent: id, child: id });
        }
        len.checked_mul(repeat).ok_or(TreeError::TooLong { id })?;
        Ok(Some((level, TreeChild { id, len, repeat })))
    }
}

/// Why a tree could not be read. `E` is the error of its [`NodeSource`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError<E> {
    /// The source failed.
    #[error("cannot read node {id} of level {level}")]
    Source {
        /// Level that the parent says.
        level: u8,
        /// The node.
        id: ChunkId,
        /// The cause.
        #[source]
        source: E,
    },
    /// A root is of a level that no tree reaches.
    #[error("node {id} is of level {level}; the most is {max}", max = limits::NODE_LEVEL_MAX)]
    TooDeep {
        /// The root object.
        id: ChunkId,
        /// Its level.
        level: u8,
    },
    /// A node is not of the level that its parent says.
    #[error("node {id} is of level {found}, not {expected} as its parent says")]
    WrongLevel {
        /// The node.
        id: ChunkId,
        /// Level that the parent says.
        expected: u8,
        /// Level of the node.
        found: u8,
    },
    /// A node has no child, or more than any builder makes.
    #[error("node {id} has {found} children; it must have 1 to {max}", max = NODE_CHILDREN_MAX)]
    WrongFanOut {
        /// The node.
        id: ChunkId,
        /// Number of children.
        found: usize,
    },
    /// A child has no bytes or stands zero times.
    #[error("node {parent} has an empty child {child}")]
    EmptyChild {
        /// The node (or the root object itself).
        parent: ChunkId,
        /// The child.
        child: ChunkId,
    },
    /// The lengths of a node's children don't add up to what its parent says.
    #[error("node {id} holds {found} bytes, not {expected} as its parent says")]
    WrongLen {
        /// The node.
        id: ChunkId,
        /// Bytes that the parent says.
        expected: u64,
        /// Sum over the children.
        found: u64,
    },
    /// An object's content is 2^64 bytes or more.
    #[error("the content of {id} is 2^64 bytes or more")]
    TooLong {
        /// The object.
        id: ChunkId,
    },
}

/// Reads and checks the node that `child` of a parent of level `level + 1` names; returns its children.
///
/// What is returned holds exactly `child.len` bytes, so sums over a checked tree never overflow.
pub(super) fn load<S: NodeSource + ?Sized>(
    source: &mut S,
    level: u8,
    child: &TreeChild,
) -> Result<Vec<TreeChild>, TreeError<S::Error>> {
    let id = child.id;
    let node = source.node(level, &id).map_err(|source| TreeError::Source { level, id, source })?;
    if node.level != level {
        return Err(TreeError::WrongLevel { id, expected: level, found: node.level });
    }
    if !(1..=NODE_CHILDREN_MAX).contains(&node.children.len()) {
        return Err(TreeError::WrongFanOut { id, found: node.children.len() });
    }
    let found = checked_len(id, &node.children)?;
    if found != child.len {
        return Err(TreeError::WrongLen { id, expected: child.len, found });
    }
    Ok(node.children)
}

fn checked_len<E>(id: ChunkId, children: &[TreeChild]) -> Result<u64, TreeError<E>> {
    let mut sum = 0u64;
    for child in children {
        if child.len == 0 || child.repeat == 0 {
            return Err(TreeError::EmptyChild { parent: id, child: child.id });
        }
        sum = child.total_len().and_then(|len| sum.checked_add(len)).ok_or(TreeError::TooLong { id })?;
    }
    Ok(sum)
}
