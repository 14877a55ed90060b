//! Groups of hard links whose first name may be gone.

use std::collections::{HashMap, HashSet};

use lru::LruCache;

use crate::cas::ChunkStore;
use crate::format::dirtree::DirEntry;
use crate::id::ChunkId;

use super::super::walk::{Step, Walk, is_dir};
use super::super::{OpsError, convert, tree};

/// Directories of which it is remembered whether they hold hard links: some 15 MiB.
const REMEMBERED_MAX: usize = 1 << 18;

/// New names of groups.
pub(super) type Renamed = HashMap<u64, u64>;

/// Finds the first names that are left.
pub(super) struct Links<'a> {
    chunks: &'a ChunkStore,
    /// Whether anything below a directory is a hard link.
    known: LruCache<ChunkId, bool>,
}

impl<'a> Links<'a> {
    pub(super) fn new(chunks: &'a ChunkStore) -> Self {
        Self { chunks, known: LruCache::new(REMEMBERED_MAX.try_into().expect("not zero")) }
    }

    /// Whether it is known that nothing below the directory is a hard link.
    pub(super) fn has_none(&self, node: &ChunkId) -> bool {
        self.known.peek(node) == Some(&false)
    }

    /// What these groups are called in the tree at `root` without the entries at the paths `gone`: those that are called as before
    /// are left out. Directories without hard links are read once, however many trees have them.
    pub(super) fn rename(
        &mut self,
        root: &DirEntry,
        groups: &HashSet<u64>,
        gone: &HashSet<&[u8]>,
    ) -> Result<Renamed, OpsError> {
        let mut renamed = Renamed::new();
        let mut walk = Walk::new(self.chunks, b"");
        let mut open = vec![(tree::dir_node(root).copied(), false)];
        walk.enter(root)?;
        while let Some(step) = walk.next() {
            let Step::Entry(entry) = step else {
                self.left(&mut open);
                continue;
            };
            let here = &mut open.last_mut().expect("entries lie in directories").1;
            if gone.contains(walk.path()) {
                // What is gone is not looked at: there may be links in it.
                *here |= is_dir(&entry) || entry.hard_link != 0;
            } else if is_dir(&entry) {
                let node = tree::dir_node(&entry).copied();
                if !node.is_none_or(|node| self.has_none(&node)) {
                    walk.enter(&entry)?;
                    open.push((node, false));
                }
            } else if entry.hard_link != 0 {
                *here = true;
                if groups.contains(&entry.hard_link) {
                    renamed.entry(entry.hard_link).or_insert_with(|| convert::link_group(walk.path()));
                }
            }
        }
        renamed.retain(|old, new| old != new);
        Ok(renamed)
    }

    fn left(&mut self, open: &mut Vec<(Option<ChunkId>, bool)>) {
        let Some((node, has_links)) = open.pop() else { return };
        if let Some(node) = node {
            self.known.put(node, has_links);
        }
        if let Some((_, above)) = open.last_mut() {
            *above |= has_links;
        }
    }
}
