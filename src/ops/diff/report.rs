//! From pairs of entries to changes: what is selected, what differs, in which bytes, and who is told.

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::cas::ChunkStore;
use crate::chonkers::{ChonkerNode, DeltaStats, NodeSource, TreeDiff, TreeRoot};
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::{ChunkId, ObjectKind};
use crate::observe::Observer;

use super::super::previous::tree_error;
use super::super::selection::{Selector, Wanted};
use super::super::tree::{NodeError, Nodes};
use super::super::{OpsError, convert};
use super::costs::Costs;
use super::{ByteCounts, Change, ChangeKind, DiffSummary, is_dir, renames};

/// Nodes of a live file's tree, which no repository may have.
pub(super) type LiveNodes = HashMap<ChunkId, ChonkerNode>;

/// Why a comparison ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The sink has enough.
    Sink,
    /// It failed.
    Failed(Box<OpsError>),
}

impl<E: Into<OpsError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}

/// Takes pairs of entries in order and tells the sink of those that differ.
pub(super) struct Reporter<'a> {
    pub(super) chunks: &'a ChunkStore,
    pub(super) selector: &'a Selector,
    pub(super) observer: &'a dyn Observer,
    pub(super) chunk_stats: bool,
    /// What chunks take is wanted.
    pub(super) costs: Option<Costs<'a>>,
    /// The pairs come with the new side first.
    pub(super) swapped: bool,
    /// Changes that are held back to look for renames.
    pub(super) renames: Option<Vec<Change>>,
    pub(super) summary: DiffSummary,
    sink: &'a mut dyn FnMut(Change) -> ControlFlow<()>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(
        chunks: &'a ChunkStore,
        selector: &'a Selector,
        sink: &'a mut dyn FnMut(Change) -> ControlFlow<()>,
        observer: &'a dyn Observer,
    ) -> Self {
        let summary = DiffSummary::default();
        let (costs, renames) = (None, None);
        Self { chunks, selector, observer, chunk_stats: false, costs, swapped: false, renames, summary, sink }
    }

    pub(super) fn wanted(&self, path: &[u8], is_dir: bool) -> Wanted {
        self.selector.wanted(path, is_dir)
    }

    pub(super) fn check_cancelled(&self) -> Result<(), Stop> {
        if self.observer.cancelled() { Err(OpsError::Cancelled.into()) } else { Ok(()) }
    }

    /// Reports stored entries, not a directory and something else, if they differ.
    pub(super) fn pair(
        &mut self,
        path: &[u8],
        old: Option<&DirEntry>,
        new: Option<&DirEntry>,
    ) -> Result<(), Stop> {
        self.live_pair(path, old, new, &LiveNodes::new())
    }

    /// Reports a pair one of which may be live, with the nodes of its tree.
    pub(super) fn live_pair(
        &mut self,
        path: &[u8],
        old: Option<&DirEntry>,
        new: Option<&DirEntry>,
        nodes: &LiveNodes,
    ) -> Result<(), Stop> {
        let (old, new) = if self.swapped { (new, old) } else { (old, new) };
        let Some(kind) = kind(old, new) else { return Ok(()) };
        let one = old.or(new).expect("a change has a side");
        let is_lonely_root = path.is_empty() && (old.is_none() || new.is_none());
        if is_lonely_root || self.wanted(path, is_dir(one)) != Wanted::Yes {
            return Ok(());
        }
        if let Some(costs) = &mut self.costs {
            costs.pair(&content(old), &content(new))?;
        }
        let bytes = if self.chunk_stats { self.bytes(old, new, nodes)? } else { ByteCounts::default() };
        let (old, new) = (old.cloned(), new.cloned());
        self.hold(Change { path: path.to_vec(), old_path: None, kind, old, new, bytes })
    }

    fn bytes(
        &self,
        old: Option<&DirEntry>,
        new: Option<&DirEntry>,
        live: &LiveNodes,
    ) -> Result<ByteCounts, OpsError> {
        let (old, new) = (content(old), content(new));
        let len = |root: &TreeRoot| root.total_len().unwrap_or(u64::MAX);
        Ok(match (&old, &new) {
            (same, other) if same == other => ByteCounts { unchanged: len(&old), ..ByteCounts::default() },
            (TreeRoot::Empty, new) => ByteCounts { new: len(new), ..ByteCounts::default() },
            (old, TreeRoot::Empty) => ByteCounts { removed: len(old), ..ByteCounts::default() },
            (old, new) => {
                let stored = Nodes { chunks: self.chunks, kind: ObjectKind::FileNode };
                let delta = TreeDiff::between(old, new, &mut Overlay { live, stored });
                counts(&delta.map_err(tree_error)?.stats)
            }
        })
    }

    /// Holds a change back while its other half may still come, or tells it.
    fn hold(&mut self, change: Change) -> Result<(), Stop> {
        match &mut self.renames {
            Some(held) if !held.is_empty() || renames::is_candidate(&change) => {
                held.push(change);
                if held.len() < renames::HELD_MAX {
                    return Ok(());
                }
                let held = self.renames.take().expect("just used");
                held.into_iter().try_for_each(|change| self.tell(change))
            }
            _ => self.tell(change),
        }
    }

    fn tell(&mut self, change: Change) -> Result<(), Stop> {
        self.summary.changes += 1;
        let (sum, more) = (&mut self.summary.bytes, &change.bytes);
        sum.new = sum.new.saturating_add(more.new);
        sum.moved = sum.moved.saturating_add(more.moved);
        sum.unchanged = sum.unchanged.saturating_add(more.unchanged);
        sum.removed = sum.removed.saturating_add(more.removed);
        match (self.sink)(change) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stop::Sink),
        }
    }

    /// Tells what was held back, and looks up what chunks take.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        let held = self.renames.take().unwrap_or_default();
        renames::pair(held).into_iter().try_for_each(|change| self.tell(change))?;
        self.summary.costs = self.costs.take().map(|costs| costs.count(self.observer)).transpose()?;
        Ok(())
    }
}

/// What became of an entry; `None`: nothing.
fn kind(old: Option<&DirEntry>, new: Option<&DirEntry>) -> Option<ChangeKind> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (None, Some(_)) => return Some(ChangeKind::Added),
        (Some(_), None) => return Some(ChangeKind::Removed),
        (Some(old), Some(new)) => (old, new),
    };
    let is_same = match (&old.kind, &new.kind) {
        (EntryKind::File { content: a, .. }, EntryKind::File { content: b, .. }) => a == b,
        (EntryKind::Dir { .. }, EntryKind::Dir { .. }) => true,
        (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => {
            return Some(ChangeKind::TypeChanged);
        }
        (a, b) => a == b,
    };
    match is_same {
        false => Some(ChangeKind::Modified),
        true if same_metadata(old, new) => None,
        true => Some(ChangeKind::Metadata),
    }
}

/// Holes do not count: how much room a file takes is the file system's business, which decides anew when the file is
/// brought back, and later.
fn same_metadata(old: &DirEntry, new: &DirEntry) -> bool {
    let rest = |entry: &DirEntry| (entry.mode, entry.mtime, entry.hard_link);
    rest(old) == rest(new) && old.owner == new.owner && old.xattrs == new.xattrs
}

fn content(entry: Option<&DirEntry>) -> TreeRoot {
    match entry.map(|entry| &entry.kind) {
        Some(EntryKind::File { content, .. }) => convert::tree_root(content),
        _ => TreeRoot::Empty,
    }
}

fn counts(stats: &DeltaStats) -> ByteCounts {
    let DeltaStats { unchanged, moved, new, removed } = *stats;
    ByteCounts { new, moved, unchanged, removed }
}

/// The nodes of a repository and those of one live file.
struct Overlay<'a> {
    live: &'a LiveNodes,
    stored: Nodes<'a>,
}

impl NodeSource for Overlay<'_> {
    type Error = NodeError;

    fn node(&mut self, level: u8, id: &ChunkId) -> Result<ChonkerNode, NodeError> {
        match self.live.get(id) {
            Some(node) => Ok(node.clone()),
            None => self.stored.node(level, id),
        }
    }
}
