//! Why an operation failed.

use std::path::PathBuf;

use crate::cas::CasError;
use crate::format::DecodeError;
use crate::id::CommitId;
use crate::repo::{ErrorKind, RepoError, cas_kind};
use crate::worktree::WorktreeError;

/// Why an operation failed. Problems with single paths are no failures: they go to the observer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpsError {
    /// The repository failed.
    #[error(transparent)]
    Repo {
        /// What happened.
        source: RepoError,
    },
    /// Content-addressed storage failed.
    #[error("cannot {action}")]
    Cas {
        /// What was tried.
        action: &'static str,
        /// What happened.
        #[source]
        source: CasError,
    },
    /// The source or target could not be used at all.
    #[error(transparent)]
    Files {
        /// What happened.
        source: WorktreeError,
    },
    /// A tree in the repository is not what its format says.
    #[error("{what} cannot be read")]
    Tree {
        /// Which part of which tree.
        what: String,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A tree in the repository breaks a rule.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// Which part of which tree.
        what: String,
        /// Which rule.
        why: String,
    },
    /// Something that would be written has no legal form.
    #[error("cannot record {}", path.display())]
    Unrecordable {
        /// The path.
        path: PathBuf,
        /// Which rule it breaks.
        #[source]
        source: DecodeError,
    },
    /// The stream that was to be recorded failed.
    #[error("cannot read {name} from its stream")]
    Stream {
        /// Name of the file that it was to become.
        name: String,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The output could not be written.
    #[error("cannot write the output")]
    Output {
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// There is no such path in a commit.
    #[error("{} is not in commit {}", String::from_utf8_lossy(path), commit.short())]
    NoPath {
        /// The path.
        path: Vec<u8>,
        /// The commit.
        commit: CommitId,
    },
    /// There are no such paths in a commit.
    #[error("{} paths are not in commit {}", paths.len(), commit.short())]
    NoPaths {
        /// The paths, at least two.
        paths: Vec<Vec<u8>>,
        /// The commit.
        commit: CommitId,
    },
    /// A path in a commit is of another kind.
    #[error("{} in commit {} is not a {wanted}", String::from_utf8_lossy(path), commit.short())]
    WrongKind {
        /// The path.
        path: Vec<u8>,
        /// The commit.
        commit: CommitId,
        /// What it should be.
        wanted: &'static str,
    },
    /// Uncommitted content would be overwritten.
    #[error("{} uncommitted changes would be lost", paths.len())]
    WouldOverwrite {
        /// The paths.
        paths: Vec<Vec<u8>>,
    },
    /// Nothing is there to do it to, or a rule forbids it.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// An argument is wrong.
    #[error("{why}")]
    Usage {
        /// What is wrong.
        why: String,
    },
    /// The observer asked to stop; the repository is as it was.
    #[error("interrupted; the repository is as it was")]
    Cancelled,
}

impl OpsError {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Repo { source } => source.kind(),
            Self::Cas { source, .. } => cas_kind(source),
            Self::Tree { source: DecodeError::Version { .. }, .. } => ErrorKind::NewerFormat,
            Self::Tree { .. } | Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Files { .. } | Self::Stream { .. } | Self::Output { .. } | Self::Unrecordable { .. } => {
                ErrorKind::Files
            }
            Self::NoPath { .. } | Self::NoPaths { .. } | Self::WrongKind { .. } => ErrorKind::NotFound,
            Self::WouldOverwrite { .. } | Self::Refused { .. } => ErrorKind::Refused,
            Self::Usage { .. } => ErrorKind::Usage,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }

    pub(super) fn cas(action: &'static str) -> impl Fn(CasError) -> Self {
        move |source| Self::Cas { action, source }
    }
}

impl From<RepoError> for OpsError {
    fn from(source: RepoError) -> Self {
        Self::Repo { source }
    }
}

impl From<WorktreeError> for OpsError {
    fn from(source: WorktreeError) -> Self {
        Self::Files { source }
    }
}
