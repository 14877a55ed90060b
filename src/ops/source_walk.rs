//! Walking a source: a working directory, or paths, as the one tree that a commit of it holds.

use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::worktree::{ScanEvent, ScannedEntry, Scanner, Stat, Timestamp, WorktreeError, stat_path};

use super::OpsError;

/// Who is told of a source's entries: of a directory first all that are no directories, then the directories, each in
/// ascending order of their names.
pub(super) trait Visitor {
    /// A directory; what it holds follows. Its name is empty for the root of the tree.
    fn enter(&mut self, path: PathBuf, name: &[u8], stat: Stat) -> Result<(), OpsError>;

    /// Time of the directory `name`, of the one entered last, in the commit that is compared with. Directories above a
    /// source path are no part of the source: what comes and goes beside the path must not look like a change.
    fn recorded_time(&self, name: &[u8]) -> Option<Timestamp>;

    /// Anything but a directory.
    fn entry(&mut self, entry: ScannedEntry, name: Vec<u8>) -> Result<(), OpsError>;

    /// The end of the directory entered last and not left yet.
    fn leave(&mut self) -> Result<(), OpsError>;

    /// Something could not be read.
    fn problem(&mut self, path: &Path, error: &WorktreeError) -> Result<(), OpsError>;

    /// Asked often: whether to stop without an error, as the failure is known elsewhere.
    fn stopped(&self) -> bool;

    /// Whether the observer asked to stop.
    fn cancelled(&self) -> bool;
}

/// Walks a working directory: its content is the tree's root.
pub(super) fn workdir(scanner: &Scanner, root: &Path, visitor: &mut dyn Visitor) -> Result<(), OpsError> {
    if !stat_path(root)?.is_dir() {
        return Err(OpsError::Refused { why: format!("{} is not a directory", root.display()) });
    }
    walk(scanner, root, b"", visitor)
}

/// Walks absolute paths, as [`normalise`] gives them: the tree holds each at its place below the root directory.
pub(super) fn paths(scanner: &Scanner, paths: &[PathBuf], visitor: &mut dyn Visitor) -> Result<(), OpsError> {
    let mut open: Vec<Vec<u8>> = Vec::new();
    if let [path] = paths
        && names(path).is_empty()
    {
        return walk(scanner, path, b"", visitor);
    }
    enter_above(PathBuf::from("/"), b"", visitor)?;
    for path in paths {
        if let Err(error) = stat_path(path) {
            visitor.problem(path, &error)?;
            continue;
        }
        let names = names(path);
        let (name, above) = names.split_last().expect("whatever lies below the root is dropped beside it");
        let shared = open.iter().zip(above).take_while(|(a, b)| a == b).count();
        for _ in open.drain(shared..) {
            visitor.leave()?;
        }
        for name in &above[shared..] {
            open.push(name.clone());
            enter_above(path_of(&open), name, visitor)?;
        }
        walk(scanner, path, name, visitor)?;
    }
    (0..=open.len()).try_for_each(|_| visitor.leave())
}

/// Enters a directory that leads to a source path.
fn enter_above(path: PathBuf, name: &[u8], visitor: &mut dyn Visitor) -> Result<(), OpsError> {
    let mut stat = stat_path(&path)?;
    stat.mtime = visitor.recorded_time(name).unwrap_or(stat.mtime);
    visitor.enter(path, name, stat)
}

/// Walks what stands at `root`, which the tree calls `name`.
fn walk(scanner: &Scanner, root: &Path, name: &[u8], visitor: &mut dyn Visitor) -> Result<(), OpsError> {
    let mut failure = None;
    let mut depth = 0;
    scanner.walk(root, &mut |event| {
        if visitor.stopped() || visitor.cancelled() {
            return ControlFlow::Break(());
        }
        let is_top = depth == 0;
        match &event {
            ScanEvent::EnterDir(_) => depth += 1,
            ScanEvent::LeaveDir => depth -= 1,
            _ => {}
        }
        match tell(event, is_top.then_some(name), visitor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match failure {
        Some(error) => Err(error),
        None if visitor.cancelled() => Err(OpsError::Cancelled),
        None => Ok(()),
    }
}

fn tell(event: ScanEvent, top: Option<&[u8]>, visitor: &mut dyn Visitor) -> Result<(), OpsError> {
    match event {
        ScanEvent::EnterDir(entry) => {
            let name = top.unwrap_or(entry.name.as_bytes());
            visitor.enter(entry.path, name, entry.stat)
        }
        ScanEvent::Entry(entry) => {
            let name = top.unwrap_or(entry.name.as_bytes()).to_vec();
            visitor.entry(entry, name)
        }
        ScanEvent::LeaveDir => visitor.leave(),
        ScanEvent::Problem { path, error } => visitor.problem(&path, &error),
        ScanEvent::Vanished { path } => {
            let error = WorktreeError::Vanished { path: path.clone() };
            visitor.problem(&path, &error)
        }
    }
}

/// The names of an absolute path, without `.` and `..`.
fn names(path: &Path) -> Vec<Vec<u8>> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.as_bytes().to_vec()),
        _ => None,
    });
    names.collect()
}

fn path_of(names: &[Vec<u8>]) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
    path
}

/// What sorts paths as a scan meets them: each name, and whether it is a directory's.
type Place = Vec<(bool, Vec<u8>)>;

/// Makes paths absolute, resolves `.` and `..` by name (one that is missing is kept, to be reported), drops those that
/// lie below others, and sorts them so that of one directory files come before directories, as in a scan.
pub(super) fn normalise(paths: &[PathBuf]) -> Result<Vec<PathBuf>, OpsError> {
    let (mut clean, mut missing) = (Vec::new(), Vec::new());
    for path in paths {
        let absolute = std::path::absolute(path).map_err(|source| WorktreeError::Io {
            action: "find",
            path: path.clone(),
            source,
        })?;
        let mut names: Vec<Vec<u8>> = Vec::new();
        for component in absolute.components() {
            match component {
                Component::Normal(name) => names.push(name.as_bytes().to_vec()),
                Component::ParentDir => {
                    names.pop();
                }
                _ => {}
            }
        }
        let path = path_of(&names);
        let is_dir = match stat_path(&path) {
            Ok(stat) => stat.is_dir(),
            Err(error) => {
                missing.push(error);
                false
            }
        };
        let last = names.len().saturating_sub(1);
        let key: Place = names.into_iter().enumerate().map(|(i, name)| (i < last || is_dir, name)).collect();
        clean.push((key, path));
    }
    if missing.len() == paths.len()
        && let Some(error) = missing.pop()
    {
        return Err(error.into());
    }
    clean.sort();
    let mut kept: Vec<(Place, PathBuf)> = Vec::new();
    for (key, path) in clean {
        if !kept.iter().any(|(above, _)| key.starts_with(above)) {
            kept.push((key, path));
        }
    }
    Ok(kept.into_iter().map(|(_, path)| path).collect())
}
