//! What a checkout knows of the files in the working directory: kept on this machine, so that `status` and `commit` need
//! not read them again.

use std::thread;
use std::time::Duration;

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::state::{DirState, FileState, StateWriter};
use crate::id::CommitId;
use crate::repo::Repository;
use crate::worktree::{RelPath, Stat, Target};

use super::super::commit::known_state;
use super::super::previous::{Previous, PreviousDir};
use super::super::walk::is_dir;
use super::super::{OpsError, convert, tree};

/// After this time a file system's clock has moved on: whoever writes then leaves another time.
const TICK: Duration = Duration::from_millis(60);

/// Finds out for which files of `now` the working directory is known to hold what it says, and keeps that.
///
/// Known are files that `written` names and that nobody touched since, and those of which the commit before, `before`, knows
/// that they are untouched. Everything else, and all of it if this fails, is read again.
pub(super) fn keep<'a>(
    repo: &Repository,
    target: &Target,
    before: Option<CommitId>,
    now: CommitId,
    written: &dyn Fn(&[u8]) -> Option<&'a DirEntry>,
) -> Result<(), OpsError> {
    thread::sleep(TICK);
    let root = repo.version(now)?.commit.root;
    let before = before.map(|id| repo.version(id)).transpose()?;
    let mut previous = match &before {
        Some(before) => Some(Previous::new(repo, before.id, &before.commit.state, true)?),
        None => None,
    };
    let (mut writer, mut stream) = (StateWriter::new(), Vec::new());
    // Directories are visited in the order of a scan, on a stack of their own: a tree may be deeper than a thread's.
    let mut todo = vec![(RelPath::root(), root, before.map(|before| before.commit.root))];
    while let Some((path, dir, old)) = todo.pop() {
        let known = match (&mut previous, &old) {
            (Some(previous), Some(old)) => previous.enter(path.as_bytes(), old)?,
            _ => None,
        };
        let entries = tree::read_dir(repo.chunks(), tree::dir_node(&dir))?;
        let live = target.list_dir(&path).unwrap_or_default();
        let state = dir_state(&path, &entries, &live, known.as_ref(), written);
        if !state.files.is_empty() {
            let unrecordable = |source| OpsError::Unrecordable { path: path.as_path().to_owned(), source };
            writer.push(&state, &mut stream).map_err(unrecordable)?;
        }
        for entry in entries.into_iter().rev().filter(is_dir) {
            let old = known.as_ref().and_then(|known| known.entry(&entry.name)).cloned();
            todo.push((path.join(&entry.name)?, entry, old));
        }
    }
    Ok(repo.keep_live_state(now, &stream)?)
}

fn dir_state<'a>(
    path: &RelPath,
    entries: &[DirEntry],
    live: &[(Vec<u8>, Stat)],
    known: Option<&PreviousDir>,
    written: &dyn Fn(&[u8]) -> Option<&'a DirEntry>,
) -> DirState {
    let mut dev = None;
    let mut state = |entry: &DirEntry| {
        let at = live.binary_search_by(|(name, _)| name.as_slice().cmp(&entry.name)).ok()?;
        let stat = &live[at].1;
        if *dev.get_or_insert(stat.dev) != stat.dev || !convert::same_meta(entry, stat) {
            return None;
        }
        let untouched = known.and_then(|known| known.untouched(&entry.name, stat));
        if let Some((_, state)) = untouched.filter(|(before, _)| is_same(before, entry)) {
            return Some(state);
        }
        let written = written(&convert::join(path.as_bytes(), &entry.name));
        let is_untouched = || nanos(stat.ctime) - nanos(stat.mtime) >= TICK.as_nanos() as i128;
        (written.is_some_and(|written| is_same(written, entry)) && is_untouched()).then(|| known_state(stat))
    };
    let files = entries.iter().filter(|entry| matches!(entry.kind, EntryKind::File { .. }));
    let files = files.map(|entry| state(entry).unwrap_or(FileState::UNKNOWN)).collect();
    DirState { path: path.as_bytes().to_vec(), dev: dev.unwrap_or(0), files }
}

/// Whether what is in no file's status is the same.
fn is_same(a: &DirEntry, b: &DirEntry) -> bool {
    a.kind == b.kind && a.xattrs == b.xattrs
}

fn nanos(time: crate::worktree::Timestamp) -> i128 {
    i128::from(time.secs) * 1_000_000_000 + i128::from(time.nanos)
}
