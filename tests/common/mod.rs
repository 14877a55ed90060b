//! Repositories of tests: cheap keys, a folder that goes with the test.
#![allow(dead_code, reason = "every test program uses a part of this")]

pub(crate) mod history;
pub(crate) mod program;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::format::config::KdfParams;
use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::ops::{self, CommitOutcome, CommitRequest, RestoreRequest, Source};
use warp::repo::{ChunkerConfig, ChunkerKind, Client, CreateOptions, Credentials, Repository};
use warp::store::{LocalStore, OsVfs, StorageBackend, Vfs};
use warp::testing::RecordingObserver;

pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Timestamp { secs: since.as_secs() as i64, nanos: since.subsec_nanos() }
}

pub(crate) fn client(state: &Path) -> Client {
    client_on(Arc::new(OsVfs::new()), state)
}

/// A client whose state lies on `vfs`.
pub(crate) fn client_on(vfs: Arc<dyn Vfs>, state: &Path) -> Client {
    Client {
        state_dir: state.to_owned(),
        cache_dir: Some(state.join("cache")),
        vfs,
        who: "tester@host".to_owned(),
        host: "host".to_owned(),
        now,
        utc_offset: 0,
        accept_rollback: false,
    }
}

pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) repo: Repository,
}

pub(crate) fn password() -> Credentials {
    Credentials::Password(b"correct horse".to_vec().into())
}

/// Every chunker, as repositories are made with it.
pub(crate) fn chunkers() -> [ChunkerConfig; 3] {
    let of = |kind, unit| ChunkerConfig::new(kind, unit).unwrap();
    let (seqcdc, published) = (ChunkerKind::SeqCdc, ChunkerKind::SeqCdcPublished);
    [ChunkerConfig::default(), of(seqcdc, 16 << 10), of(published, 16 << 10)]
}

/// An empty repository in `store`, with a key derivation that costs nothing.
pub(crate) fn create(store: Arc<dyn StorageBackend>, client: Client) -> Repository {
    create_with(ChunkerConfig::default(), store, client)
}

/// The same with another chunker.
pub(crate) fn create_with(
    chunker: ChunkerConfig,
    store: Arc<dyn StorageBackend>,
    client: Client,
) -> Repository {
    let options = CreateOptions {
        credentials: password(),
        label: "test".to_owned(),
        kdf: KdfParams { memory_kib: 8, passes: 1, lanes: 1 },
        worktree: false,
        chunker,
        settings: Vec::new(),
    };
    Repository::create(store, options, client).unwrap()
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(ChunkerConfig::default())
    }

    /// One whose repository cuts with `chunker`.
    pub(crate) fn with(chunker: ChunkerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(LocalStore::create(dir.path().join("repo"), Arc::new(OsVfs::new())).unwrap());
        let repo = create_with(chunker, store, client(&dir.path().join("state")));
        Self { dir, repo }
    }

    pub(crate) fn reopen(&mut self) {
        let store = Arc::new(LocalStore::open(self.dir.path().join("repo"), Arc::new(OsVfs::new())).unwrap());
        self.repo = Repository::open(store, &password(), client(&self.dir.path().join("state"))).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn commit(&self, source: &Path) -> CommitOutcome {
        let observer = RecordingObserver::new();
        let outcome = ops::commit(&self.repo, request(source), &observer).unwrap();
        assert_eq!(outcome.problems, 0, "{:?}", observer.problems());
        outcome
    }

    pub(crate) fn restore(&self, commit: CommitId, name: &str) -> PathBuf {
        let target = self.path(name);
        let observer = RecordingObserver::new();
        let request = RestoreRequest { verify: true, ..RestoreRequest::new(commit, &target) };
        let outcome = ops::restore(&self.repo, request, &observer).unwrap();
        assert_eq!(outcome.problems, 0, "{:?}", observer.problems());
        target
    }
}

pub(crate) fn request(source: &Path) -> CommitRequest {
    CommitRequest {
        message: "test".to_owned(),
        branch: Some("main".to_owned()),
        ..CommitRequest::new(Source::WorkDir(source.to_owned()), "host", now())
    }
}
