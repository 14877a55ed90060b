//! Repositories of one family: they share their keys, and packs go from one to the other as they are.

use std::sync::Arc;

use crate::crypto::{self, Keyring};
use crate::format::config::Config;
use crate::id::InstanceId;
use crate::store::StorageBackend;

use super::keys::{self, Credentials, Opened};
use super::remotes::without_remotes;
use super::{Client, Draft, RepoError, Repository, config};

impl Repository {
    /// Makes a repository of the family that `from`, the configuration of another one, is of: with the same keys, which the same
    /// credentials open, and without commits. `location` says where the configuration comes from.
    ///
    /// # Errors
    /// [`RepoError::AlreadyExists`]; [`RepoError::WrongPassword`]; when the store fails.
    pub fn create_of_family(
        store: Arc<dyn StorageBackend>,
        (from, location): (&Config, &str),
        credentials: &Credentials,
        client: Client,
    ) -> Result<Self, RepoError> {
        check_free(&*store)?;
        let (opened, keyring) = keys::unlock(from, credentials, location)?;
        begin(store, (from.clone(), false), (opened, keyring), client)
    }

    /// Makes a repository that shares the keys of this one, which what opens this one opens, without commits and without this
    /// one's remotes. `worktree`: with a working directory around it.
    ///
    /// # Errors
    /// [`RepoError::AlreadyExists`]; when the store fails.
    pub fn create_sibling(
        &self,
        store: Arc<dyn StorageBackend>,
        worktree: bool,
        client: Client,
    ) -> Result<Self, RepoError> {
        check_free(&*store)?;
        let keyring = self.chunks().vault().keyring().clone();
        let opened = (self.master().ok().cloned(), self.slot);
        begin(store, (self.config(), worktree), (opened, keyring), client)
    }

    /// Opens a repository of this one's family with the keys at hand, so that no password is asked for and none is derived from.
    ///
    /// # Errors
    /// [`RepoError::OtherFamily`]; [`RepoError::Rotated`] when its keys were rotated and those at hand do not open what came
    /// since: [`open`](Self::open) it then, with its password; otherwise as `open` does.
    pub fn open_sibling(&self, store: Arc<dyn StorageBackend>, client: Client) -> Result<Self, RepoError> {
        let loaded = config::load_all(&*store)?;
        let (found, expected) = (&loaded.config, self.config());
        if found.family != expected.family || found.root_key != expected.root_key {
            return Err(RepoError::OtherFamily {
                location: store.location(),
                found: found.family,
                here: self.location(),
                expected: expected.family,
            });
        }
        let keyring = self.chunks().vault().keyring().clone();
        let repo = Self::assemble(store, loaded.config, keyring, (None, None), client)?;
        repo.with_log(loaded.missing)
    }
}

fn check_free(store: &dyn StorageBackend) -> Result<(), RepoError> {
    match config::has_log(store)? {
        true => Err(RepoError::AlreadyExists { location: store.location() }),
        false => Ok(()),
    }
}

/// Writes the configuration and the first entry of the log.
fn begin(
    store: Arc<dyn StorageBackend>,
    (from, worktree): (Config, bool),
    (opened, keyring): (Opened, Keyring),
    client: Client,
) -> Result<Repository, RepoError> {
    let failed = RepoError::crypto("cannot name the repository");
    let instance = InstanceId::new(crypto::random().map_err(failed)?);
    let made = Config { generation: 1, instance, worktree, ..without_remotes(from) };
    if !config::store(&*store, &made)? {
        return Err(RepoError::AlreadyExists { location: store.location() });
    }
    let repo = Repository::assemble(store, made, keyring, opened, client)?;
    repo.append(&mut |_| Ok(Draft { message: "init".to_owned(), ..Draft::default() }))?;
    Ok(repo)
}
