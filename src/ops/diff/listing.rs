//! The entries in which two directories can differ.

use std::collections::HashSet;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirChild, DirEntry, DirNode};
use crate::id::ChunkId;

use super::super::{OpsError, tree};

/// The entries of two directories, ascending by name, without those in nodes that both share: these are not read.
pub(super) fn differing(
    chunks: &ChunkStore,
    old: Option<ChunkId>,
    new: Option<ChunkId>,
) -> Result<(Vec<DirEntry>, Vec<DirEntry>), OpsError> {
    let (mut old, mut new) = (Part::root(chunks, old)?, Part::root(chunks, new)?);
    loop {
        let level = old.level.max(new.level);
        drop_shared(&mut old, &mut new);
        if level == 0 {
            break;
        }
        old.open(chunks, level)?;
        new.open(chunks, level)?;
    }
    Ok((old.finish()?, new.finish()?))
}

/// What of one directory was not yet seen on the other side.
#[derive(Default)]
struct Part {
    /// Level of the nodes that `children` names, plus one; 0: all were read.
    level: u8,
    children: Vec<DirChild>,
    entries: Vec<DirEntry>,
}

impl Part {
    fn root(chunks: &ChunkStore, id: Option<ChunkId>) -> Result<Self, OpsError> {
        let Some(id) = id else { return Ok(Self::default()) };
        Ok(match tree::load_dir_node(chunks, &id, None)? {
            DirNode::Leaf(entries) => Self { entries, ..Self::default() },
            DirNode::Inner { level, children } => Self { level, children, entries: Vec::new() },
        })
    }

    /// Replaces children by what they hold, if they are below nodes of `level`.
    fn open(&mut self, chunks: &ChunkStore, level: u8) -> Result<(), OpsError> {
        if self.level != level {
            return Ok(());
        }
        self.level -= 1;
        for child in std::mem::take(&mut self.children) {
            match tree::load_dir_node(chunks, &child.id, Some(self.level))? {
                DirNode::Leaf(entries) => self.entries.extend(entries),
                DirNode::Inner { children, .. } => self.children.extend(children),
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<DirEntry>, OpsError> {
        if self.entries.windows(2).all(|pair| pair[0].name < pair[1].name) {
            return Ok(self.entries);
        }
        let what = "a directory of several nodes".to_owned();
        Err(OpsError::Damaged { what, why: "its entries are not in order".to_owned() })
    }
}

/// A node holds the same entries wherever it stands, and no name stands twice in a directory.
fn drop_shared(old: &mut Part, new: &mut Part) {
    if old.level != new.level {
        return;
    }
    let ids = |part: &Part| part.children.iter().map(|child| child.id).collect::<HashSet<_>>();
    let (in_old, in_new) = (ids(old), ids(new));
    old.children.retain(|child| !in_new.contains(&child.id));
    new.children.retain(|child| !in_old.contains(&child.id));
}
