//! The working directory around a repository, and where its HEAD stands.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::id::CommitId;
use crate::store::{OsVfs, Vfs};

use super::client::local_io;
use super::{RepoError, check_ref_name};

/// Where a working directory stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// On a branch, which need not exist yet.
    Branch(String),
    /// On a commit, on no branch.
    Detached(CommitId),
}

/// A working directory: `root`, with the repository in `root/.warp`.
#[derive(Debug, Clone)]
pub struct WorkDir {
    root: PathBuf,
    vfs: Arc<dyn Vfs>,
}

impl WorkDir {
    /// Name of the folder that holds the repository.
    pub const FOLDER: &'static str = ".warp";

    /// The working directory whose repository lies in `root/.warp`.
    pub fn open(root: impl Into<PathBuf>) -> Self {
        Self::with_vfs(root, Arc::new(OsVfs::new()))
    }

    /// As [`open`](Self::open), on another disk.
    pub fn with_vfs(root: impl Into<PathBuf>, vfs: Arc<dyn Vfs>) -> Self {
        Self { root: root.into(), vfs }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the repository lies.
    pub fn repository(&self) -> PathBuf {
        self.root.join(Self::FOLDER)
    }

    /// Reads HEAD.
    ///
    /// # Errors
    /// When the file is missing or damaged.
    pub fn head(&self) -> Result<Head, RepoError> {
        let path = self.path("HEAD");
        let bytes = self.vfs.read(&path, 4096).map_err(|source| local_io("read", &path, source))?;
        parse(&bytes).ok_or(RepoError::LocalDamaged {
            path,
            why: "HEAD is `ref: heads/NAME` or the id of a commit; `warp switch BRANCH` writes it anew",
        })
    }

    /// Writes HEAD.
    ///
    /// # Errors
    /// When the disk refuses; the old HEAD then stands.
    pub fn set_head(&self, head: &Head) -> Result<(), RepoError> {
        let text = match head {
            Head::Branch(name) => format!("ref: heads/{name}\n"),
            Head::Detached(id) => format!("{id}\n"),
        };
        self.write("HEAD", text.as_bytes())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RepoError> {
        let path = self.path(name);
        self.vfs.write_replace(&path, bytes).map_err(|source| RepoError::Local { path, source })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.repository().join(name)
    }
}

fn parse(bytes: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\n');
    match text.strip_prefix("ref: heads/") {
        Some(name) => check_ref_name(name).is_ok().then(|| Head::Branch(name.to_owned())),
        None => text.parse().ok().map(Head::Detached),
    }
}
