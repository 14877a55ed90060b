//! Commits, as MessagePack.
use super::dirtree::Timestamp;
use super::node::ContentRoot;
use crate::id::{CommitId, DeviceId};

/// What a commit counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitStats {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Everything else.
    pub others: u64,
    /// Bytes of all regular files.
    pub bytes: u64,
    /// Bytes of chunks that the repository did not have before.
    pub new_bytes: u64,
    /// Bytes that they take in its packs.
    pub stored_bytes: u64,
    /// Paths that could not be read.
    pub problems: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A recorded tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The root directory as an entry with an empty name; its `kind` is a directory.
    pub root: super::dirtree::DirEntry,
    /// Earlier commits; one that is gone was forgotten.
    pub parents: Vec<CommitId>,
    /// Who made it.
    pub author: String,
    /// Which host the tree is of.
    pub host: String,
    /// The source's paths, absolute, as bytes; one, the working directory, in a repository with one.
    pub paths: Vec<Vec<u8>>,
    /// Labels.
    pub tags: Vec<String>,
    /// Description.
    pub message: String,
    /// When it began.
    pub time: Timestamp,
    /// Offset of local time from UTC then, in seconds.
    pub utc_offset: i32,
    /// Counts.
    pub stats: CommitStats,
    /// Side object for change detection.
    pub state: ContentRoot,
    /// Name and version of the program.
    pub program: String,
    /// Who signed.
    pub device: DeviceId,
}

/// A commit's bytes as stored: what is signed, and the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommit {
    /// MessagePack of the commit, with its version.
    pub body: Vec<u8>,
    /// Ed25519 signature over the context string `warp commit 1` and `body`.
    pub signature: [u8; 64],
}
