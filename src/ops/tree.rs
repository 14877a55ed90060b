//! Reading trees: directories, and the nodes of a file's content.

use crate::cas::{CasError, ChunkStore};
use crate::chonkers::{ChonkerNode, NodeSource, TreeChild};
use crate::format::DecodeError;
use crate::format::dirtree::{DirEntry, DirNode, EntryKind};
use crate::format::node::FileNode;
use crate::id::{ChunkId, CommitId, ObjectKind};
use crate::limits::NODE_LEVEL_MAX;

use super::OpsError;

/// All entries of a directory, ascending by name.
pub(super) fn read_dir(chunks: &ChunkStore, node: Option<&ChunkId>) -> Result<Vec<DirEntry>, OpsError> {
    let mut entries = Vec::new();
    if let Some(id) = node {
        read_node(chunks, id, None, &mut entries)?;
    }
    Ok(entries)
}

fn read_node(
    chunks: &ChunkStore,
    id: &ChunkId,
    expected: Option<u8>,
    entries: &mut Vec<DirEntry>,
) -> Result<(), OpsError> {
    let node = load_dir_node(chunks, id, expected)?;
    match node {
        // Checked at once: a node that names one leaf over and over must not fill the memory first.
        DirNode::Leaf(leaf) if !follows(entries, &leaf) => {
            let (what, why) = (format!("directory node {id}"), "its entries are not in order".to_owned());
            return Err(OpsError::Damaged { what, why });
        }
        DirNode::Leaf(leaf) => entries.extend(leaf),
        DirNode::Inner { level, children } => {
            for child in children {
                let before = entries.len();
                read_node(chunks, &child.id, Some(level - 1), entries)?;
                let below = &entries[before..];
                let is_as_told = below.len() as u64 == child.entries
                    && below.first().is_some_and(|entry| entry.name == child.first);
                if !is_as_told {
                    let why = format!("its child {} is not what it says", child.id);
                    return Err(OpsError::Damaged { what: format!("directory node {id}"), why });
                }
            }
        }
    }
    Ok(())
}

/// Whether a leaf, in order itself, may stand behind these entries.
fn follows(entries: &[DirEntry], leaf: &[DirEntry]) -> bool {
    entries.last().zip(leaf.first()).is_none_or(|(last, first)| last.name < first.name)
}

/// One node of a directory, which its parent says is of the level `expected`.
pub(super) fn load_dir_node(
    chunks: &ChunkStore,
    id: &ChunkId,
    expected: Option<u8>,
) -> Result<DirNode, OpsError> {
    let bytes = chunks.get(ObjectKind::DirNode, id).map_err(OpsError::cas("read a directory"))?;
    let what = || format!("directory node {id}");
    let node = DirNode::decode(&bytes).map_err(|source| OpsError::Tree { what: what(), source })?;
    let level = node.level();
    if expected.is_some_and(|expected| level != expected) || level > NODE_LEVEL_MAX {
        return Err(OpsError::Damaged { what: what(), why: format!("a node of level {level} stands there") });
    }
    Ok(node)
}

/// The node of a directory entry; `None` for an empty directory.
///
/// # Panics
/// If the entry is no directory.
pub(super) fn dir_node(entry: &DirEntry) -> Option<&ChunkId> {
    match &entry.kind {
        EntryKind::Dir { node } => node.as_ref(),
        kind => panic!("asked for the node of a {kind:?}"),
    }
}

/// The entry at `path` (names with `/` between; empty: the root) of a commit whose root is `root`.
pub(super) fn find_path(
    chunks: &ChunkStore,
    commit: CommitId,
    root: &DirEntry,
    path: &[u8],
) -> Result<DirEntry, OpsError> {
    let missing = || OpsError::NoPath { path: path.to_vec(), commit };
    let mut at = root.clone();
    for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".") {
        if !matches!(at.kind, EntryKind::Dir { .. }) {
            return Err(missing());
        }
        let entries = read_dir(chunks, dir_node(&at))?;
        let index =
            entries.binary_search_by(|entry| entry.name.as_slice().cmp(name)).map_err(|_| missing())?;
        at = entries.into_iter().nth(index).expect("just found");
    }
    Ok(at)
}

/// Nodes of files' content, or of state, read through a [`ChunkStore`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Nodes<'a> {
    pub(super) chunks: &'a ChunkStore,
    pub(super) kind: ObjectKind,
}

/// Why a node could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error(transparent)]
    Cas(CasError),
    #[error("{kind} {id} cannot be read")]
    Format { kind: ObjectKind, id: ChunkId, source: DecodeError },
}

impl From<NodeError> for OpsError {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Cas(source) => Self::Cas { action: "read a node", source },
            NodeError::Format { kind, id, source } => Self::Tree { what: format!("{kind} {id}"), source },
        }
    }
}

impl NodeSource for Nodes<'_> {
    type Error = NodeError;

    fn node(&mut self, _level: u8, id: &ChunkId) -> Result<ChonkerNode, NodeError> {
        let bytes = self.chunks.get(self.kind, id).map_err(NodeError::Cas)?;
        let node = FileNode::decode(&bytes).map_err(|source| NodeError::Format {
            kind: self.kind,
            id: *id,
            source,
        })?;
        let children = node.children.iter();
        Ok(ChonkerNode {
            level: node.level,
            children: children.map(|c| TreeChild { id: c.id, len: c.len, repeat: c.repeat }).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::dirtree::{Owner, Timestamp};

    fn fifo(name: &str) -> DirEntry {
        DirEntry {
            name: name.as_bytes().to_vec(),
            kind: EntryKind::Fifo,
            mode: 0o600,
            owner: Owner::default(),
            mtime: Timestamp::default(),
            xattrs: Vec::new(),
            hard_link: 0,
        }
    }

    #[test]
    fn leaves_must_follow_each_other() {
        let (a, b) = (fifo("a"), fifo("b"));
        let (a, b) = ([a], [b]);
        assert!(follows(&[], &b) && follows(&a, &b));
        assert!(!follows(&b, &a) && !follows(&b, &b));
    }
}
