//! Paths that a checkout names and that are nowhere.

use crate::cas::ChunkStore;
use crate::format::dirtree::DirEntry;
use crate::id::CommitId;
use crate::observe::Observer;
use crate::repo::Repository;

use super::super::OpsError;
use super::super::selection::{Selection, Selector, Wanted};
use super::super::walk::{Step, Walk, clean, is_dir};

/// Whether every named path, or pattern, means something in the commit or in HEAD, whose paths a checkout removes if
/// the commit lacks them. Files that are in neither do not count: as in git, they are none to bring back.
///
/// # Errors
/// [`OpsError::NoPath`] or [`OpsError::NoPaths`] with those that mean nothing; when a tree cannot be read.
pub(super) fn check(
    repo: &Repository,
    selection: &Selection,
    commit: CommitId,
    head: Option<CommitId>,
    observer: &dyn Observer,
) -> Result<(), OpsError> {
    let mut roots = Vec::new();
    for id in [Some(commit), head].into_iter().flatten() {
        roots.push(repo.version(id)?.commit.root);
    }
    let mut missing = Vec::new();
    for path in &selection.paths {
        let selector = Selection { paths: vec![path.clone()], ..Selection::default() }.compile()?;
        let mut found = false;
        for root in &roots {
            found = found || means_something(repo.chunks(), root, &selector, observer)?;
        }
        if !found {
            missing.push(clean(path));
        }
    }
    match <[_; 1]>::try_from(missing) {
        Ok([path]) => Err(OpsError::NoPath { path, commit }),
        Err(paths) if paths.is_empty() => Ok(()),
        Err(paths) => Err(OpsError::NoPaths { paths, commit }),
    }
}

fn means_something(
    chunks: &ChunkStore,
    root: &DirEntry,
    selector: &Selector,
    observer: &dyn Observer,
) -> Result<bool, OpsError> {
    if selector.wanted(b"", true) == Wanted::Yes {
        return Ok(true);
    }
    let mut walk = Walk::new(chunks, b"");
    walk.enter(root)?;
    while let Some(step) = walk.next() {
        let Step::Entry(entry) = step else { continue };
        match selector.wanted(walk.path(), is_dir(&entry)) {
            Wanted::Yes => return Ok(true),
            Wanted::Descend if observer.cancelled() => return Err(OpsError::Cancelled),
            Wanted::Descend => walk.enter(&entry)?,
            Wanted::No => {}
        }
    }
    Ok(false)
}
