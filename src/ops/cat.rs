//! `cat`: the bytes of one file.

use std::io::Write;

use crate::cas::ChunkStore;
use crate::chonkers::{ChonkerTree, Leaf, TreeChild};
use crate::format::dirtree::EntryKind;
use crate::format::node::ContentRoot;
use crate::id::{CommitId, ObjectKind};
use crate::observe::{Observer, Silent};
use crate::repo::Repository;

use super::previous::tree_error;
use super::tree::{self, Nodes};
use super::{OpsError, convert};

/// Writes the content of the regular file at `path` to `out`, and returns how many bytes that were.
///
/// Every chunk is verified before it is written. Holes come as zeros.
///
/// # Errors
/// [`OpsError::NoPath`]; [`OpsError::WrongKind`] for anything but a regular file; [`OpsError::Output`]; when the
/// repository cannot be read: `out` then has the beginning of the file.
pub fn cat(repo: &Repository, commit: CommitId, path: &[u8], out: &mut dyn Write) -> Result<u64, OpsError> {
    let root = repo.version(commit)?.commit.root;
    match tree::find_path(repo.chunks(), commit, &root, path)?.kind {
        EntryKind::File { content, .. } => write_content(repo.chunks(), &content, out, &Silent),
        _ => Err(OpsError::WrongKind { path: path.to_vec(), commit, wanted: "regular file" }),
    }
}

/// Writes all content below `root`; returns its length in bytes.
pub(super) fn write_content(
    chunks: &ChunkStore,
    root: &ContentRoot,
    out: &mut dyn Write,
    observer: &dyn Observer,
) -> Result<u64, OpsError> {
    leaves(chunks, root)?
        .try_fold(0, |written, leaf| Ok(written + write_leaf(chunks, &leaf?.chunk, out, observer)?))
}

/// The leaves of a file's content.
pub(super) fn leaves<'a>(
    chunks: &'a ChunkStore,
    root: &ContentRoot,
) -> Result<impl Iterator<Item = Result<Leaf, OpsError>> + use<'a>, OpsError> {
    let nodes = Nodes { chunks, kind: ObjectKind::FileNode };
    let leaves = ChonkerTree::new(convert::tree_root(root)).leaves(nodes).map_err(tree_error)?;
    Ok(leaves.map(|leaf| leaf.map_err(tree_error)))
}

/// Writes a chunk as often as it stands; returns how many bytes that were. It is read once.
pub(super) fn write_leaf(
    chunks: &ChunkStore,
    chunk: &TreeChild,
    out: &mut dyn Write,
    observer: &dyn Observer,
) -> Result<u64, OpsError> {
    let bytes = chunks.get(ObjectKind::Chunk, &chunk.id).map_err(OpsError::cas("read content"))?;
    if bytes.len() as u64 != chunk.len {
        let why = format!("it has {} bytes where its file says {}", bytes.len(), chunk.len);
        return Err(OpsError::Damaged { what: format!("chunk {}", chunk.id), why });
    }
    for _ in 0..chunk.repeat {
        if observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        out.write_all(&bytes).map_err(|source| OpsError::Output { source })?;
        observer.advance(0, chunk.len);
    }
    Ok(chunk.len * chunk.repeat)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::super::testkit::{chunkers, commit_tree, repository, repository_with};
    use super::*;
    use crate::testing::{make_tree, snapshot};

    #[test]
    fn every_file_comes_back_byte_by_byte() {
        let dir = tempfile::tempdir().unwrap();
        make_tree(dir.path(), 2, 40).unwrap();
        for chunker in chunkers() {
            files_come_back(&repository_with(chunker), dir.path());
        }
    }

    fn files_come_back(repo: &Repository, dir: &Path) {
        let commit = commit_tree(repo, dir, 1);
        let (mut files, mut largest) = (0, 0);
        for (path, facts) in snapshot(dir).unwrap() {
            let mut hasher = blake3::Hasher::new();
            let done = cat(repo, commit, path.as_os_str().as_bytes(), &mut hasher);
            match facts.content {
                Some(content) => {
                    assert_eq!(done.unwrap(), facts.len, "{path:?}");
                    assert_eq!(hasher.finalize(), content, "{path:?}");
                    files += 1;
                    largest = largest.max(facts.len);
                }
                None => assert!(matches!(done, Err(OpsError::WrongKind { .. })), "{path:?}: {done:?}"),
            }
        }
        assert!(files > 50 && largest > 10 << 20, "{files} {largest}");
    }

    /// Fails after some bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(buf.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(buf.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_missing_path_a_directory_and_a_full_disk_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::write(dir.path().join("zeros"), vec![0; 1 << 20]).unwrap();
        let repo = repository();
        let commit = commit_tree(&repo, dir.path(), 1);
        let cat =
            |path: &str, room| cat(&repo, commit, Path::new(path).as_os_str().as_bytes(), &mut Full(room));
        assert!(matches!(cat("zeros", 1 << 20), Ok(len) if len == 1 << 20));
        assert!(matches!(cat("zeros", 1 << 19), Err(OpsError::Output { .. })));
        assert!(matches!(cat("d", 1), Err(OpsError::WrongKind { wanted: "regular file", .. })));
        assert!(matches!(cat("", 1), Err(OpsError::WrongKind { .. })));
        assert!(matches!(cat("d/zeros", 1), Err(OpsError::NoPath { .. })));
    }
}
