//! Walks the tree of a commit in the order of a scan.

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::limits::TREE_DEPTH_MAX;

use super::OpsError;
use super::tree::read_dir;

/// What a walk meets.
#[derive(Debug)]
pub(super) enum Step {
    /// An entry; its path is [`Walk::path`]. What a directory holds is told only after [`Walk::enter`].
    Entry(DirEntry),
    /// Everything in the directory that was entered last has been told.
    Leave,
}

/// A walk: in each directory everything but directories by name, then directories by name, each followed by what it
/// holds. Memory is bounded by the directories on the way to the present one.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    chunks: &'a ChunkStore,
    path: Vec<u8>,
    stack: Vec<Frame>,
}

#[derive(Debug)]
struct Frame {
    others: std::vec::IntoIter<DirEntry>,
    dirs: std::vec::IntoIter<DirEntry>,
    /// Length of the directory's own path.
    path_len: usize,
}

impl<'a> Walk<'a> {
    /// A walk that has just told the entry at `path`.
    pub(super) fn new(chunks: &'a ChunkStore, path: &[u8]) -> Self {
        Self { chunks, path: path.to_vec(), stack: Vec::new() }
    }

    /// Path of the entry that was told last, from the root on.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Goes into the directory that was told last; does nothing for any other entry.
    pub(super) fn enter(&mut self, entry: &DirEntry) -> Result<(), OpsError> {
        let EntryKind::Dir { node } = &entry.kind else { return Ok(()) };
        if self.stack.len() >= TREE_DEPTH_MAX {
            let what = format!("directory {}", String::from_utf8_lossy(&self.path));
            return Err(OpsError::Damaged { what, why: "it lies too deep".to_owned() });
        }
        let entries = read_dir(self.chunks, node.as_ref())?;
        let (dirs, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_dir);
        self.stack.push(Frame {
            others: others.into_iter(),
            dirs: dirs.into_iter(),
            path_len: self.path.len(),
        });
        Ok(())
    }

    /// The next step; `None`: the walk is over.
    pub(super) fn next(&mut self) -> Option<Step> {
        let frame = self.stack.last_mut()?;
        self.path.truncate(frame.path_len);
        match frame.others.next().or_else(|| frame.dirs.next()) {
            Some(entry) => {
                if !self.path.is_empty() {
                    self.path.push(b'/');
                }
                self.path.extend_from_slice(&entry.name);
                Some(Step::Entry(entry))
            }
            None => {
                self.stack.pop();
                Some(Step::Leave)
            }
        }
    }
}

pub(super) fn is_dir(entry: &DirEntry) -> bool {
    matches!(entry.kind, EntryKind::Dir { .. })
}

/// A path as trees have it: names with one `/` between, none in front.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let names = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty() && *name != b".");
    names.collect::<Vec<_>>().join(&b'/')
}
