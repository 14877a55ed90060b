//! `ls`: list what a commit holds.

use std::ops::ControlFlow;

use crate::format::dirtree::DirEntry;
use crate::id::CommitId;
use crate::repo::Repository;

use super::walk::{Step, Walk, clean, is_dir};
use super::{OpsError, convert, tree};

/// An entry of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its path from the top of the tree, without a slash in front.
    pub path: Vec<u8>,
    /// What was recorded.
    pub entry: DirEntry,
    /// Length of a regular file's content in bytes; 0 for everything else.
    pub size: u64,
}

impl Listed {
    pub(super) fn new(path: &[u8], entry: DirEntry) -> Self {
        Self { path: path.to_vec(), size: convert::size(&entry), entry }
    }
}

/// Lists the entries of the directory at `path` (empty: the top) and, if `recursive`, those below it; anything but a
/// directory lists itself.
///
/// In each directory, everything but directories comes first, by the bytes of its name, then the directories, each
/// followed by what it holds. `sink` may end the listing. Memory is bounded by the directories on the way to one entry.
///
/// # Errors
/// [`OpsError::NoPath`]; when the commit or a directory cannot be read.
pub fn ls(
    repo: &Repository,
    commit: CommitId,
    path: &[u8],
    recursive: bool,
    sink: &mut dyn FnMut(Listed) -> ControlFlow<()>,
) -> Result<(), OpsError> {
    let root = repo.version(commit)?.commit.root;
    let path = clean(path);
    let top = tree::find_path(repo.chunks(), commit, &root, &path)?;
    if !is_dir(&top) {
        let _ = sink(Listed::new(&path, top));
        return Ok(());
    }
    let mut walk = Walk::new(repo.chunks(), &path);
    walk.enter(&top)?;
    while let Some(step) = walk.next() {
        let Step::Entry(entry) = step else { continue };
        if recursive {
            walk.enter(&entry)?;
        }
        if sink(Listed::new(walk.path(), entry)).is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;

    use super::super::testkit::{commit_tree, repository};
    use super::*;
    use crate::format::dirtree::EntryKind;
    use crate::testing::{Facts, make_tree, snapshot};

    fn listed(repo: &Repository, commit: CommitId, path: &str, recursive: bool) -> Vec<Listed> {
        let mut found = Vec::new();
        ls(repo, commit, path.as_bytes(), recursive, &mut |entry| {
            found.push(entry);
            ControlFlow::Continue(())
        })
        .unwrap();
        found
    }

    fn names(listed: &[Listed]) -> Vec<String> {
        listed.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect()
    }

    fn assert_is(listed: &Listed, facts: &Facts) {
        let entry = &listed.entry;
        let kind = match &entry.kind {
            EntryKind::File { .. } => "file",
            EntryKind::Dir { .. } => "folder",
            EntryKind::Symlink { .. } => "link",
            EntryKind::Fifo => "fifo",
            EntryKind::Socket => "socket",
            EntryKind::CharDevice { .. } => "char device",
            EntryKind::BlockDevice { .. } => "block device",
        };
        let path = String::from_utf8_lossy(&listed.path);
        assert_eq!(kind, facts.kind, "{path}");
        assert_eq!(listed.size, facts.len, "{path}");
        let mtime_ns = i128::from(entry.mtime.secs) * 1_000_000_000 + i128::from(entry.mtime.nanos);
        assert_eq!(mtime_ns, facts.mtime_ns, "{path}");
        assert_eq!((entry.owner.uid, entry.owner.gid), (facts.uid, facts.gid), "{path}");
        if kind != "link" {
            assert_eq!(entry.mode, facts.mode, "{path}");
        }
    }

    #[test]
    fn everything_that_was_recorded_is_listed_once() {
        let dir = tempfile::tempdir().unwrap();
        make_tree(dir.path(), 1, 60).unwrap();
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        let source = snapshot(dir.path()).unwrap();
        let found = listed(&repo, commit, "", true);
        let paths: BTreeSet<PathBuf> =
            found.iter().map(|entry| std::ffi::OsStr::from_bytes(&entry.path).into()).collect();
        assert_eq!(paths.len(), found.len());
        assert_eq!(paths, source.keys().cloned().collect());
        for entry in &found {
            assert_is(entry, &source[std::path::Path::new(std::ffi::OsStr::from_bytes(&entry.path))]);
        }
    }

    #[test]
    fn files_come_before_directories_and_these_before_what_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["b/x", "b/a/y", "a.b", "z", "a/q", "c/d/e"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        let all = listed(&repo, commit, "", true);
        assert_eq!(names(&all), ["a.b", "z", "a", "a/q", "b", "b/x", "b/a", "b/a/y", "c", "c/d", "c/d/e"]);
        assert_eq!(names(&listed(&repo, commit, "", false)), ["a.b", "z", "a", "b", "c"]);
        assert_eq!(names(&listed(&repo, commit, "/b/", false)), ["b/x", "b/a"]);
        assert_eq!(names(&listed(&repo, commit, "./b//x", true)), ["b/x"]);
        let missing = ls(&repo, commit, b"b/x/y", false, &mut |_| ControlFlow::Continue(()));
        assert!(matches!(missing, Err(OpsError::NoPath { .. })), "{missing:?}");
    }

    #[test]
    fn the_sink_ends_the_listing_and_a_large_directory_comes_whole_and_sorted() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..4000 {
            std::fs::write(dir.path().join(format!("a file with a long name {number:07}")), "").unwrap();
        }
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        let all = names(&listed(&repo, commit, "", false));
        assert_eq!(all.len(), 4000);
        assert!(all.is_sorted());
        let mut seen = 0;
        ls(&repo, commit, b"", true, &mut |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert_eq!(seen, 3);
    }

    #[test]
    fn a_tree_as_deep_as_a_path_can_be_is_listed() {
        let dir = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", 700).collect();
        std::fs::create_dir_all(dir.path().join(&deep)).unwrap();
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        let found = listed(&repo, commit, "", true);
        assert_eq!(found.last().unwrap().path, deep.as_os_str().as_bytes());
        assert_eq!(found.len(), 700);
    }
}
