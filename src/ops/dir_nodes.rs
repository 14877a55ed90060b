//! Cutting a directory into nodes.

use crate::chonkers::cut_items;
use crate::format::dirtree::{DirChild, DirEntry, DirNode, EntryKind};
use crate::id::ChunkId;
use crate::limits::KIB;

use super::OpsError;

/// Encoded bytes at which a directory is cut into several nodes; also about the most of one node.
const DIR_NODE_LEN: u64 = 64 * KIB as u64;

/// Hands the nodes of a directory with these entries, which ascend by name, to `put`, from the leaves upwards. Returns what `put`
/// gave for the root; `None`: the directory is empty, and has no node.
pub(super) fn store(
    entries: Vec<DirEntry>,
    mut put: impl FnMut(DirNode) -> Result<ChunkId, OpsError>,
) -> Result<Option<ChunkId>, OpsError> {
    if entries.is_empty() {
        return Ok(None);
    }
    let items: Vec<(u64, u64)> = entries.iter().map(weigh).collect();
    let mut children = Vec::new();
    let mut entries = entries.into_iter();
    for end in groups(&items) {
        let leaf: Vec<DirEntry> = entries.by_ref().take(end).collect();
        let (first, count) = (leaf[0].name.clone(), leaf.len() as u64);
        children.push(DirChild { first, id: put(DirNode::Leaf(leaf))?, entries: count });
    }
    let mut level = 1;
    while children.len() > 1 {
        let items: Vec<(u64, u64)> =
            children.iter().map(|child| (child.first.len() as u64 + 40, hash_name(&child.first))).collect();
        let mut below = std::mem::take(&mut children).into_iter();
        for end in groups(&items) {
            let part: Vec<DirChild> = below.by_ref().take(end).collect();
            let first = part[0].first.clone();
            let entries = part.iter().map(|child| child.entries).sum();
            children.push(DirChild { first, id: put(DirNode::Inner { level, children: part })?, entries });
        }
        level += 1;
    }
    Ok(children.pop().map(|child| child.id))
}

/// Sizes of the groups that a listing is cut into: one if it is short.
fn groups(items: &[(u64, u64)]) -> Vec<usize> {
    let total: u64 = items.iter().map(|(weight, _)| weight).sum();
    if total <= DIR_NODE_LEN {
        return vec![items.len()];
    }
    let mut begin = 0;
    let ends = cut_items(items, DIR_NODE_LEN);
    ends.into_iter().map(|end| end - std::mem::replace(&mut begin, end)).collect()
}

/// About how many bytes an entry takes in its node, and what stands for its identity when a listing is cut.
fn weigh(entry: &DirEntry) -> (u64, u64) {
    let xattrs: usize = entry.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum();
    let target = if let EntryKind::Symlink { target } = &entry.kind { target.len() } else { 0 };
    ((entry.name.len() + xattrs + target + 48) as u64, hash_name(&entry.name))
}

fn hash_name(name: &[u8]) -> u64 {
    let (first, _) =
        blake3::hash(name).as_bytes().split_first_chunk::<8>().map(|(a, b)| (*a, b.len())).expect("32 bytes");
    u64::from_le_bytes(first)
}
