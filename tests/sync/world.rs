//! A host with repositories in memory, and clients with keys.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::net::RemoteStore;
use warp::observe::Silent;
use warp::ops::host::{Access, AccessSource, Host, HostHandler, HostOptions, MemoryShelf};
use warp::ops::{self, OpsError, RestoreRequest};
use warp::repo::{Client, RepoError, Repository};
use warp::store::{MemoryStore, StorageBackend, StoreError};
use warp::sync::{PeerKey, Rights, TransferConfig};
use warp::testing::{RecordingObserver, Rng, SimDisk, SimNet, SimNetConfig, SimTransport, assert_same_tree};

use crate::common::{client_on, create, password, request};

pub(crate) const REPOSITORY: &str = "team/a";
pub(crate) const OWNER: PeerKey = PeerKey::new([1; 32]);
/// May read and append.
pub(crate) const LAPTOP: PeerKey = PeerKey::new([2; 32]);
/// May only read.
pub(crate) const READER: PeerKey = PeerKey::new([3; 32]);
pub(crate) const STRANGER: PeerKey = PeerKey::new([4; 32]);

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) shelf: Arc<MemoryShelf>,
    pub(crate) host: Arc<Host>,
}

fn noon() -> Timestamp {
    Timestamp { secs: 1_800_000_000, nanos: 0 }
}

/// A shelf that a test can reach behind.
#[derive(Debug)]
struct Shared(Arc<MemoryShelf>);

impl warp::ops::host::Shelf for Shared {
    fn open(&self, repository: &str) -> Result<Option<Arc<dyn StorageBackend>>, StoreError> {
        self.0.open(repository)
    }

    fn create(&self, repository: &str) -> Result<Arc<dyn StorageBackend>, StoreError> {
        self.0.create(repository)
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_quota(None)
    }

    pub(crate) fn with_quota(quota: Option<u64>) -> Self {
        let shelf = Arc::new(MemoryShelf::default());
        let append = Rights::READ.and(Rights::APPEND);
        let access = Access::default().with(OWNER, "*", Rights::ALL).with(LAPTOP, REPOSITORY, append).with(
            READER,
            REPOSITORY,
            Rights::READ,
        );
        let options = HostOptions { access: AccessSource::Fixed(access), quota, now: noon };
        let host = Host::new(Box::new(Shared(Arc::clone(&shelf))), options).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), shelf, host }
    }

    pub(crate) fn net(&self, key: PeerKey, config: SimNetConfig) -> SimNet {
        SimNet::new(Arc::new(HostHandler(Arc::clone(&self.host))), key, REPOSITORY, config)
    }

    pub(crate) fn remote(&self, key: PeerKey) -> Result<RemoteStore, StoreError> {
        self.remote_over(&Arc::new(self.net(key, SimNetConfig::default())), TransferConfig::default())
    }

    pub(crate) fn remote_over(
        &self,
        net: &Arc<SimNet>,
        config: TransferConfig,
    ) -> Result<RemoteStore, StoreError> {
        RemoteStore::open(Arc::new(SimTransport(Arc::clone(net))), (REPOSITORY, true), config).or_else(
            |error| match error {
                // Who may not make repositories asks without.
                StoreError::Io { .. } => RemoteStore::open(
                    Arc::new(SimTransport(Arc::clone(net))),
                    (REPOSITORY, false),
                    TransferConfig::default(),
                ),
                error => Err(error),
            },
        )
    }

    /// A client whose state lies nowhere else.
    pub(crate) fn client(&self) -> Client {
        client_on(Arc::new(SimDisk::new()), Path::new("/state"))
    }

    /// Makes the repository at the host.
    pub(crate) fn create(&self) -> Repository {
        create(Arc::new(self.remote(OWNER).unwrap()), self.client())
    }

    pub(crate) fn open(&self, key: PeerKey) -> Result<Repository, RepoError> {
        let store =
            self.remote(key).map_err(|source| RepoError::Store { location: "remote".to_owned(), source })?;
        Repository::open(Arc::new(store), &password(), self.client())
    }

    /// The repository as it lies at the host.
    pub(crate) fn behind(&self) -> Repository {
        Repository::open(self.store(), &password(), self.client()).unwrap()
    }

    pub(crate) fn store(&self) -> Arc<MemoryStore> {
        self.shelf.store(REPOSITORY).unwrap()
    }

    /// A folder of files; versions differ in some.
    pub(crate) fn tree(&self, version: u64, len: usize) -> std::path::PathBuf {
        let root = self.dir.path().join(format!("tree-{version}"));
        if root.is_dir() {
            return root;
        }
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("same"), Rng::new(7).bytes(len / 2)).unwrap();
        std::fs::write(root.join("sub/other"), Rng::new(100 + version).bytes(len / 2)).unwrap();
        std::fs::write(root.join("text"), format!("version {version}")).unwrap();
        root
    }

    pub(crate) fn commit(&self, repo: &Repository, tree: &Path) -> Result<CommitId, OpsError> {
        let outcome = ops::commit(repo, request(tree), &Silent)?;
        // Nothing has changed where an earlier attempt was done without anybody being told.
        Ok(outcome.commit.or_else(|| repo.timeline().branch("main")).expect("it has a commit"))
    }

    pub(crate) fn assert_restores(&self, repo: &Repository, commit: CommitId, tree: &Path) {
        let target = tempfile::tempdir().unwrap();
        let observer = RecordingObserver::new();
        let request =
            RestoreRequest { verify: true, ..RestoreRequest::new(commit, target.path().join("out")) };
        ops::restore(repo, request, &observer).unwrap();
        assert!(observer.problems().is_empty(), "{:?}", observer.problems());
        assert_same_tree(tree, &target.path().join("out"));
    }

    pub(crate) fn assert_clean(&self, repo: &Repository) {
        let check = ops::CheckRequest { data: ops::ReadData::All, ..ops::CheckRequest::default() };
        let report = ops::check(repo, check, &Silent).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}

/// Tries again after a cut, without waiting.
pub(crate) fn patient() -> TransferConfig {
    TransferConfig { pause: Duration::ZERO, retries: 60, ..TransferConfig::default() }
}

/// Gives up at the first cut.
pub(crate) fn impatient() -> TransferConfig {
    TransferConfig { retries: 0, ..TransferConfig::default() }
}
