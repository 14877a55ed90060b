//! `diff`: what changed between two trees, or between a tree and live files.
//!
//! Of a directory, changes come in this order: first of all that is no directory, then of the directories and what
//! they hold, both ascending by the bytes of their names. That is the order of a scan, so live files need not be
//! sorted.

mod content;
mod costs;
mod listing;
mod live;
mod planner;
mod renames;
mod report;
#[cfg(test)]
pub(super) mod testkit;
#[cfg(test)]
mod tests;
mod walk;

use std::ops::ControlFlow;

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::CommitId;
use crate::observe::{Observer, Phase};
use crate::repo::Repository;

use super::commit::{ScanSettings, Source};
use super::selection::Selection;
use super::{OpsError, commit};
pub use costs::ChunkCosts;
use costs::Costs;
use live::Live;
use report::{Reporter, Stop};

/// One side of a comparison.
#[derive(Debug)]
pub enum Side<'a> {
    /// A tree without anything in it.
    Empty,
    /// The tree of a commit.
    Commit(CommitId),
    /// Live files, as a commit would record them.
    Live {
        /// Where they lie; streams cannot be compared.
        source: &'a Source,
        /// What is left out.
        scan: &'a ScanSettings,
        /// The commit whose state for change detection tells which files need not be read.
        base: CommitId,
    },
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// Only the new side has it.
    Added,
    /// Only the old side has it.
    Removed,
    /// The bytes of a file, the target of a link or the number of a device differ.
    Modified,
    /// It is of another kind. (Where one of the two is a directory, one is removed and the other added instead.)
    TypeChanged,
    /// The same content, but mode, owner, times, extended attributes or hard links differ. Holes do not count.
    Metadata,
    /// A file was removed at its old path and added at its new one with the same, non-empty content.
    Renamed,
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Names with `/` between them; empty for the root of the tree.
    pub path: Vec<u8>,
    /// Where a renamed file stood before.
    pub old_path: Option<Vec<u8>>,
    /// What became of it.
    pub kind: ChangeKind,
    /// Its entry on the old side.
    pub old: Option<DirEntry>,
    /// Its entry on the new side. A live directory never names a node.
    pub new: Option<DirEntry>,
    /// What became of its bytes, if that was asked for.
    pub bytes: ByteCounts,
}

/// Bytes of files by what became of them, from their trees; `new + moved + unchanged` is the new length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// In chunks that the old content of the file does not have.
    pub new: u64,
    /// In chunks that stood elsewhere in the old content.
    pub moved: u64,
    /// Where they were.
    pub unchanged: u64,
    /// Of the old content, in chunks that the new one does not have.
    pub removed: u64,
}

/// What to compare, and how closely.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// Which paths.
    pub selection: Selection,
    /// Compare the trees of changed files for [`Change::bytes`].
    pub chunk_stats: bool,
    /// Look up what new chunks take in the repository, for [`DiffSummary::costs`]; not against live files.
    pub costs: bool,
    /// Pair removed and added files of the same content. Changes are held back for that from the first removed or
    /// added file on; if there are too many (65,536) none of them is paired.
    pub renames: bool,
    /// Threads that read live files; 0: one a core.
    pub threads: usize,
}

/// What a comparison amounts to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiffSummary {
    /// How many changes the sink was told of.
    pub changes: u64,
    /// Paths that could not be read. They are not among the changes.
    pub problems: u64,
    /// Sum over the changes.
    pub bytes: ByteCounts,
    /// What the new side's chunks take in the repository, if that was asked for, neither side is live, and the sink did
    /// not break.
    pub costs: Option<ChunkCosts>,
}

/// Compares two sides and tells `sink` of each change; it ends early, without an error, when the sink breaks.
///
/// A directory is a change of its own only where its metadata differ, or if it was added or removed and is empty. What
/// lies in an added or removed directory comes entry by entry. If everything is selected, there are no changes exactly
/// if both trees are the same, but for which files have holes. Nothing that two commits share is read, and no live file that the base's state says was
/// not touched.
///
/// # Errors
/// [`OpsError::Usage`] for a pattern that is none, or if both sides are live; when the repository or the source as a
/// whole fails, or the observer cancels. Live paths that cannot be read are no errors: they go to the observer, and are
/// counted.
pub fn diff(
    repo: &Repository,
    old: &Side<'_>,
    new: &Side<'_>,
    options: &DiffOptions,
    sink: &mut dyn FnMut(Change) -> ControlFlow<()>,
    observer: &dyn Observer,
) -> Result<DiffSummary, OpsError> {
    observer.phase(Phase::Compare, None, None);
    let selector = options.selection.compile()?;
    let can_rename = !matches!(old, Side::Empty) && !matches!(new, Side::Empty);
    let mut reporter = Reporter::new(repo.chunks(), &selector, sink, observer);
    reporter.chunk_stats = options.chunk_stats;
    reporter.renames = (options.renames && can_rename).then(Vec::new);
    reporter.swapped = matches!(old, Side::Live { .. });
    let is_live = |side: &Side<'_>| matches!(side, Side::Live { .. });
    reporter.costs = (options.costs && !is_live(old) && !is_live(new)).then(|| Costs::new(repo.chunks()));
    let threads = if options.threads > 0 { options.threads } else { commit::cores() };
    let outcome = match (old, new) {
        (Side::Live { .. }, Side::Live { .. }) => {
            return Err(OpsError::Usage {
                why: "only one side of a comparison can be live files".to_owned(),
            });
        }
        (stored, Side::Live { source, scan, base }) | (Side::Live { source, scan, base }, stored) => {
            let live = Live { repo, source, scan, base: *base, threads };
            live.compare(root(repo, stored)?, &mut reporter)
        }
        (old, new) => walk::compare(Vec::new(), root(repo, old)?, root(repo, new)?, &mut reporter),
    };
    match outcome.and_then(|()| reporter.finish()) {
        Ok(()) | Err(Stop::Sink) => Ok(reporter.summary),
        Err(Stop::Failed(error)) => Err(*error),
    }
}

/// The root of a stored side.
fn root(repo: &Repository, side: &Side<'_>) -> Result<Option<DirEntry>, OpsError> {
    match side {
        Side::Commit(id) => Ok(Some(repo.version(*id)?.commit.root)),
        Side::Empty | Side::Live { .. } => Ok(None),
    }
}

fn is_dir(entry: &DirEntry) -> bool {
    matches!(entry.kind, EntryKind::Dir { .. })
}
