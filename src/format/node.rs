#![doc = include_str!("node.md")]
#[cfg(test)]
mod tests;

use super::DecodeError;
use super::codec::{Reader, Writer, limit};
use crate::id::ChunkId;
use crate::limits;

const WHAT: &str = "file node";
const VERSION: u8 = 1;
/// Bit of the level's byte: a child stands here more than once.
const REPEATS: u8 = 0x80;
/// A length and an id.
const CHILD_BYTES_MIN: usize = 1 + ChunkId::LEN;

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

    /// Checks level, length and repeat count.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self) -> Result<(), DecodeError> {
        let Self::Tree { level, len, repeat, .. } = *self else { return Ok(()) };
        limit("level of a file's root", level.into(), limits::NODE_LEVEL_MAX.into())?;
        check_child(level, len, repeat)?;
        let rule = Reader::new("root of a file", &[]);
        rule.ensure(self.total_len().is_some(), "its length has more than 64 bits")
    }
}

/// Checks what holds for `repeat` occurrences of a chunk (level 0) or node with `len` bytes of content.
fn check_child(level: u8, len: u64, repeat: u64) -> Result<(), DecodeError> {
    if level == 0 {
        limit("length of a chunk", len, limits::OBJECT_LEN_MAX as u64)?;
    }
    Reader::new("part of a file", &[]).ensure(len > 0 && repeat > 0, "it has no bytes")
}

impl FileNode {
    /// Most children of a node: with all their lengths it still fits an object.
    pub const CHILDREN_MAX: usize = 1 << 16;

    /// Bytes of file content below the node; `None` if that is over 2^64.
    pub fn total_len(&self) -> Option<u64> {
        self.children
            .iter()
            .try_fold(0_u64, |sum, child| sum.checked_add(child.len.checked_mul(child.repeat)?))
    }

    /// The node's plaintext, which its id is computed from.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`].
    pub fn encode(&self) -> Result<Vec<u8>, DecodeError> {
        self.check()?;
        let repeats = self.children.iter().any(|child| child.repeat != 1);
        let mut writer = Writer::with_capacity(8 + 40 * self.children.len());
        writer.u8(VERSION);
        writer.u8(self.level | if repeats { REPEATS } else { 0 });
        writer.count(self.children.len());
        self.children.iter().for_each(|child| writer.varint(child.len));
        if repeats {
            self.children.iter().for_each(|child| writer.varint(child.repeat));
        }
        self.children.iter().for_each(|child| writer.bytes(child.id.as_bytes()));
        Ok(writer.into_bytes())
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is of a newer version, ends early, is not canonical, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.short_version(VERSION)?;
        let head = reader.u8()?;
        let count = reader.count("number of children", Self::CHILDREN_MAX, CHILD_BYTES_MIN)?;
        let child = NodeChild { id: ChunkId::new([0; ChunkId::LEN]), len: 0, repeat: 1 };
        let mut node = Self { level: head & !REPEATS, children: vec![child; count] };
        for child in &mut node.children {
            child.len = reader.varint()?;
        }
        if head & REPEATS != 0 {
            node.decode_repeats(&mut reader)?;
        }
        for child in &mut node.children {
            child.id = ChunkId::new(reader.array()?);
        }
        reader.finish()?;
        node.check()?;
        Ok(node)
    }

    fn decode_repeats(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        for child in &mut self.children {
            child.repeat = reader.varint()?;
        }
        let some = self.children.iter().any(|child| child.repeat != 1);
        reader.ensure(some, "it claims repeats but has none")
    }

    /// Checks the level, the number of children, their lengths and repeat counts.
    ///
    /// # Errors
    /// The rule that it breaks. No such node is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        rule.ensure(self.level > 0, "its level is 0")?;
        limit("level of a file node", self.level.into(), limits::NODE_LEVEL_MAX.into())?;
        limit("number of children", self.children.len() as u64, Self::CHILDREN_MAX as u64)?;
        rule.ensure(!self.children.is_empty(), "it has no children")?;
        for child in &self.children {
            check_child(self.level - 1, child.len, child.repeat)?;
        }
        rule.ensure(self.total_len().is_some(), "its length has more than 64 bits")
    }
}
