//! What an earlier commit knows, read along with a scan: its directories, and its state for change detection.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use crate::cas::ChunkStore;
use crate::chonkers::ChonkerTree;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::format::state::{DirState, FileState, StateReader};
use crate::id::{ChunkId, CommitId, ObjectKind};
use crate::repo::Repository;
use crate::worktree::Stat;

use super::tree::{self, Nodes};
use super::{OpsError, convert};

/// A directory of the parent commit.
#[derive(Debug)]
pub(super) struct PreviousDir {
    pub(super) node: Option<ChunkId>,
    pub(super) entries: Arc<Vec<DirEntry>>,
    /// State of its regular files, by name; empty if none is known.
    states: HashMap<Vec<u8>, (u64, FileState)>,
}

impl PreviousDir {
    pub(super) fn entry(&self, name: &[u8]) -> Option<&DirEntry> {
        let index = self.entries.binary_search_by(|entry| entry.name.as_slice().cmp(name)).ok()?;
        Some(&self.entries[index])
    }

    /// The entry of a file and its state, if size, times, inode and device say that nothing was done to it since.
    pub(super) fn untouched(&self, name: &[u8], stat: &Stat) -> Option<(&DirEntry, FileState)> {
        let before = self.entry(name)?;
        let (dev, state) = *self.states.get(name)?;
        let untouched = matches!(before.kind, EntryKind::File { .. })
            && state != FileState::UNKNOWN
            && dev == stat.dev
            && state.ino == stat.ino
            && state.ctime == convert::time(stat.ctime)
            && convert::same_meta(before, stat);
        untouched.then_some((before, state))
    }
}

/// Reads the parent commit's tree and state in the order of the scan.
pub(super) struct Previous<'a> {
    chunks: &'a ChunkStore,
    states: Option<StateReader<Box<dyn Read + Send + 'a>>>,
    /// A state that was read and belongs to a directory that the scan has not reached.
    ahead: Option<DirState>,
}

impl<'a> Previous<'a> {
    /// With the state that `commit` holds or, for a working directory, that a checkout of it left on this machine.
    pub(super) fn new(
        repo: &'a Repository,
        commit: CommitId,
        state: &ContentRoot,
        is_workdir: bool,
    ) -> Result<Self, OpsError> {
        let chunks: &'a ChunkStore = repo.chunks();
        let kept = if is_workdir { repo.live_state(commit) } else { None };
        let states: Option<Box<dyn Read + Send + 'a>> = match (kept, state) {
            (Some(kept), _) => Some(Box::new(io::Cursor::new(kept))),
            (None, ContentRoot::Empty) => None,
            (None, root) => Some(Box::new(ContentReader::new(chunks, root, ObjectKind::State)?)),
        };
        Ok(Self { chunks, states: states.map(StateReader::new), ahead: None })
    }

    /// The directory at `path`, whose entry in the parent commit is `entry`. Directories must be asked for in the order
    /// of the scan.
    pub(super) fn enter(&mut self, path: &[u8], entry: &DirEntry) -> Result<Option<PreviousDir>, OpsError> {
        if !matches!(entry.kind, EntryKind::Dir { .. }) {
            return Ok(None);
        }
        let node = tree::dir_node(entry).copied();
        let entries = tree::read_dir(self.chunks, node.as_ref())?;
        let states = self.state_of(path)?.map_or_else(HashMap::new, |state| by_name(&entries, state));
        Ok(Some(PreviousDir { node, entries: Arc::new(entries), states }))
    }

    fn state_of(&mut self, path: &[u8]) -> Result<Option<DirState>, OpsError> {
        loop {
            let next = match self.ahead.take() {
                Some(state) => state,
                None => match self.next_state()? {
                    Some(state) => state,
                    None => return Ok(None),
                },
            };
            match order(&next.path, path) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return Ok(Some(next)),
                std::cmp::Ordering::Greater => {
                    self.ahead = Some(next);
                    return Ok(None);
                }
            }
        }
    }

    fn next_state(&mut self) -> Result<Option<DirState>, OpsError> {
        let Some(states) = &mut self.states else { return Ok(None) };
        states.next().transpose().map_err(|source| OpsError::Damaged {
            what: "the parent's state for change detection (--force reads everything instead)".to_owned(),
            why: source.to_string(),
        })
    }
}

fn by_name(entries: &[DirEntry], state: DirState) -> HashMap<Vec<u8>, (u64, FileState)> {
    let files = entries.iter().filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
    let names: Vec<_> = files.map(|entry| entry.name.clone()).collect();
    if names.len() != state.files.len() {
        return HashMap::new();
    }
    let known = state.files.into_iter().map(|file| (state.dev, file));
    names.into_iter().zip(known).collect()
}

/// The order of a depth-first walk: name by name, a directory before what it holds.
fn order(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let names = |path: &'_ [u8]| path.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
    match (a.is_empty(), b.is_empty()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => names(a).cmp(&names(b)),
    }
}

/// The bytes of a content root, as a stream.
pub(super) struct ContentReader<'a> {
    chunks: &'a ChunkStore,
    kind: ObjectKind,
    leaves: crate::chonkers::Leaves<Nodes<'a>>,
    /// The present leaf, how often it is still to come, and how much of it was read.
    present: Option<(Arc<Vec<u8>>, u64, usize)>,
}

impl<'a> ContentReader<'a> {
    pub(super) fn new(
        chunks: &'a ChunkStore,
        root: &ContentRoot,
        kind: ObjectKind,
    ) -> Result<Self, OpsError> {
        let nodes = Nodes { chunks, kind: node_kind(kind) };
        let leaves = ChonkerTree::new(convert::tree_root(root)).leaves(nodes).map_err(tree_error)?;
        Ok(Self { chunks, kind, leaves, present: None })
    }

    fn load(&mut self) -> Result<bool, OpsError> {
        let Some(leaf) = self.leaves.next() else { return Ok(false) };
        let leaf = leaf.map_err(tree_error)?.chunk;
        let bytes = self.chunks.get(self.kind, &leaf.id).map_err(OpsError::cas("read content"))?;
        if bytes.len() as u64 != leaf.len {
            let why = format!("it has {} bytes where its tree says {}", bytes.len(), leaf.len);
            return Err(OpsError::Damaged { what: format!("{} {}", self.kind, leaf.id), why });
        }
        self.present = Some((Arc::new(bytes.to_vec()), leaf.repeat, 0));
        Ok(true)
    }
}

/// The kind of the nodes above chunks of a kind.
pub(super) fn node_kind(kind: ObjectKind) -> ObjectKind {
    if kind == ObjectKind::Chunk { ObjectKind::FileNode } else { kind }
}

/// An error of a file's tree.
pub(super) fn tree_error(error: crate::chonkers::TreeError<tree::NodeError>) -> OpsError {
    match error {
        crate::chonkers::TreeError::Source { source, .. } => source.into(),
        error => OpsError::Damaged { what: "a file's tree".to_owned(), why: error.to_string() },
    }
}

impl Read for ContentReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.present {
                Some((bytes, _, at)) if *at < bytes.len() => {
                    let len = buf.len().min(bytes.len() - *at);
                    buf[..len].copy_from_slice(&bytes[*at..*at + len]);
                    *at += len;
                    return Ok(len);
                }
                Some((_, repeat, at)) if *repeat > 1 => {
                    *repeat -= 1;
                    *at = 0;
                }
                _ => {
                    if !self.load().map_err(io::Error::other)? {
                        return Ok(0);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_ordered_as_a_walk_meets_them() {
        let walk: [&[u8]; 6] = [b"", b"a", b"a/b", b"a/c", b"a.d", b"b"];
        for (i, a) in walk.iter().enumerate() {
            for (j, b) in walk.iter().enumerate() {
                assert_eq!(order(a, b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }
}
