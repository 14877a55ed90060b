//! How much is dropped.

use std::collections::HashSet;
use std::ops::AddAssign;
use std::sync::Arc;

use lru::LruCache;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::ChunkId;
use crate::limits::TREE_DEPTH_MAX;

use super::super::rewrite::RoughSet;
use super::super::{OpsError, convert, tree};

/// Directories whose counts are remembered at most: some 20 MiB.
const REMEMBERED_MAX: usize = 1 << 17;

/// What was dropped from a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DroppedCounts {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Everything else.
    pub others: u64,
    /// Bytes of the regular files.
    pub bytes: u64,
}

impl DroppedCounts {
    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.entries() == 0
    }

    /// Files, directories and everything else together.
    pub fn entries(&self) -> u64 {
        self.files + self.dirs + self.others
    }
}

impl AddAssign for DroppedCounts {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.dirs += other.dirs;
        self.others += other.others;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// An entry that is dropped, with all below it.
#[derive(Debug, Clone, Default)]
pub(super) struct Weight {
    pub(super) counts: DroppedCounts,
    /// Groups of hard links that names below it belong to.
    pub(super) groups: Arc<[u64]>,
}

/// Weighs what is dropped, and remembers directories.
pub(super) struct Scales<'a> {
    chunks: &'a ChunkStore,
    known: LruCache<ChunkId, Weight>,
    /// Contents that were weighed, and their bytes.
    contents: RoughSet,
    pub(super) content_bytes: u64,
}

/// A directory that is being weighed.
struct Pan {
    node: Option<ChunkId>,
    todo: std::vec::IntoIter<DirEntry>,
    counts: DroppedCounts,
    groups: HashSet<u64>,
}

impl Pan {
    fn add(&mut self, weight: &Weight) {
        self.counts += weight.counts;
        self.groups.extend(weight.groups.iter());
    }

    fn weight(&self) -> Weight {
        let mut groups: Vec<u64> = self.groups.iter().copied().collect();
        groups.sort_unstable();
        Weight { counts: self.counts, groups: groups.into() }
    }
}

impl<'a> Scales<'a> {
    pub(super) fn new(chunks: &'a ChunkStore) -> Self {
        let remembered = REMEMBERED_MAX.try_into().expect("not zero");
        Self { chunks, known: LruCache::new(remembered), contents: RoughSet::default(), content_bytes: 0 }
    }

    /// Weighs an entry. No content is read, only directories are.
    pub(super) fn weigh(&mut self, entry: &DirEntry) -> Result<Weight, OpsError> {
        let mut top = Pan {
            node: None,
            todo: vec![entry.clone()].into_iter(),
            counts: DroppedCounts::default(),
            groups: HashSet::new(),
        };
        let mut pans: Vec<Pan> = Vec::new();
        loop {
            let pan = pans.last_mut().unwrap_or(&mut top);
            match pan.todo.next() {
                Some(entry) => {
                    let below = self.put(pan, &entry)?;
                    pans.extend(below);
                    if pans.len() > TREE_DEPTH_MAX {
                        let what = "a directory that is dropped".to_owned();
                        return Err(OpsError::Damaged { what, why: "it lies too deep".to_owned() });
                    }
                }
                None => {
                    let Some(done) = pans.pop() else { return Ok(top.weight()) };
                    let weight = done.weight();
                    pans.last_mut().unwrap_or(&mut top).add(&weight);
                    if let Some(node) = done.node {
                        self.known.put(node, weight);
                    }
                }
            }
        }
    }

    /// Adds an entry; returns the pan for what a directory holds that was not weighed before.
    fn put(&mut self, pan: &mut Pan, entry: &DirEntry) -> Result<Option<Pan>, OpsError> {
        if entry.hard_link != 0 {
            pan.groups.insert(entry.hard_link);
        }
        match &entry.kind {
            EntryKind::File { content, .. } => {
                let bytes = convert::size(entry);
                pan.counts += DroppedCounts { files: 1, bytes, ..DroppedCounts::default() };
                self.content(content, bytes);
                Ok(None)
            }
            EntryKind::Dir { node } => {
                pan.counts.dirs += 1;
                let Some(node) = node else { return Ok(None) };
                if let Some(weight) = self.known.get(node) {
                    pan.add(weight);
                    return Ok(None);
                }
                let todo = tree::read_dir(self.chunks, Some(node))?.into_iter();
                let (counts, groups) = Default::default();
                Ok(Some(Pan { node: Some(*node), todo, counts, groups }))
            }
            _ => {
                pan.counts.others += 1;
                Ok(None)
            }
        }
    }

    fn content(&mut self, content: &ContentRoot, bytes: u64) {
        if let ContentRoot::Tree { id, .. } = content
            && !self.contents.contains(id.locator())
        {
            self.contents.insert(id.locator());
            self.content_bytes = self.content_bytes.saturating_add(bytes);
        }
    }
}
