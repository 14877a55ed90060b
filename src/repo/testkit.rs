//! A repository in memory, and the client that uses it.

use std::sync::Arc;

use crate::format::config::KdfParams;
use crate::format::dirtree::Timestamp;
use crate::store::{MemoryStore, OsVfs};

use super::{
    ChunkerConfig, Client, CreateOptions, Credentials, Recovery, RecoverySheet, RepoError, Repository,
};

pub(super) const KDF: KdfParams = KdfParams { memory_kib: 8, passes: 1, lanes: 1 };

/// A store, and what its client keeps outside of it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) store: Arc<MemoryStore>,
    pub(super) state: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { store: Arc::default(), state: tempfile::tempdir().unwrap() }
    }

    pub(super) fn client(&self) -> Client {
        Client {
            state_dir: self.state.path().to_owned(),
            cache_dir: None,
            vfs: Arc::new(OsVfs::new()),
            who: "me@here".to_owned(),
            host: "here".to_owned(),
            now: || Timestamp { secs: 1_700_000_000, nanos: 0 },
            utc_offset: 0,
            accept_rollback: false,
        }
    }

    pub(super) fn create(&self, credentials: Credentials) -> Repository {
        let options = CreateOptions {
            credentials,
            label: "first".to_owned(),
            kdf: KDF,
            worktree: false,
            chunker: ChunkerConfig::default(),
            settings: vec![("compression".to_owned(), "7".to_owned())],
        };
        Repository::create(self.store.clone(), options, self.client()).unwrap()
    }

    pub(super) fn open(&self, text: &str) -> Result<Repository, RepoError> {
        self.open_in(&self.store, text)
    }

    /// Opens another store with the same client.
    pub(super) fn open_in(&self, store: &Arc<MemoryStore>, text: &str) -> Result<Repository, RepoError> {
        Repository::open(store.clone(), &password(text), self.client())
    }

    pub(super) fn recover(&self, text: &str) -> Result<Recovery, RepoError> {
        Recovery::open(self.store.clone(), &RecoverySheet::read(text)?, self.client())
    }
}

pub(super) fn password(text: &str) -> Credentials {
    Credentials::Password(text.as_bytes().to_vec().into())
}
