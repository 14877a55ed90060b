//! Repositories for the tests of this room.

use std::path::Path;
use std::sync::Arc;

use crate::format::config::KdfParams;
use crate::format::dirtree::Timestamp;
use crate::id::CommitId;
use crate::limits::KDF_MEMORY_KIB;
use crate::observe::Silent;
use crate::repo::{ChunkerConfig, ChunkerKind, Client, CreateOptions, Credentials, Repository};
use crate::store::MemoryStore;
use crate::testing::SimDisk;

use super::{CommitOutcome, CommitRequest, Source, commit};

/// A clock that stands still.
fn noon() -> Timestamp {
    Timestamp { secs: 1_700_000_000, nanos: 0 }
}

pub(super) fn client() -> Client {
    Client {
        state_dir: "/state".into(),
        cache_dir: Some("/cache".into()),
        vfs: Arc::new(SimDisk::new()),
        who: "tester@here".to_owned(),
        host: "here".to_owned(),
        now: noon,
        utc_offset: 0,
        accept_rollback: false,
    }
}

/// Every chunker, with small chunks.
pub(super) fn chunkers() -> [ChunkerConfig; 3] {
    let small = |kind: ChunkerKind| ChunkerConfig::new(kind, 16 << 10).unwrap();
    ChunkerKind::ALL.map(small)
}

/// An empty repository in memory, encrypted, with small chunks.
pub(super) fn repository() -> Repository {
    repository_with(chunkers()[0])
}

/// An empty repository in memory, encrypted.
pub(super) fn repository_with(chunker: ChunkerConfig) -> Repository {
    let options = CreateOptions {
        credentials: Credentials::Password(b"secret".to_vec().into()),
        label: String::new(),
        kdf: KdfParams { memory_kib: *KDF_MEMORY_KIB.start(), passes: 1, lanes: 1 },
        worktree: false,
        chunker,
        settings: Vec::new(),
    };
    Repository::create(Arc::new(MemoryStore::new()), options, client()).unwrap()
}

/// What `commit` is asked for by most tests: the tree at `root` onto `branch`.
pub(super) fn request(root: &Path, branch: &str, secs: i64) -> CommitRequest {
    CommitRequest {
        message: format!("at {secs}"),
        author: "tester".to_owned(),
        branch: Some(branch.to_owned()),
        allow_empty: true,
        threads: 2,
        ..CommitRequest::new(Source::WorkDir(root.to_owned()), "here", Timestamp { secs, nanos: 0 })
    }
}

pub(super) fn commit_with(repo: &Repository, request: CommitRequest) -> CommitOutcome {
    commit(repo, request, &Silent).unwrap()
}

/// Commits the tree at `root` onto branch `main`.
pub(super) fn commit_tree(repo: &Repository, root: &Path, secs: i64) -> CommitId {
    commit_with(repo, request(root, "main", secs)).commit.unwrap()
}
