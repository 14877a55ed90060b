//! A repository whose log is lost: opening it without, reading what survives of it, and writing a log anew.
//!
//! The new log belongs to a new instance, which a new generation of the configuration names: that is the point at which the old
//! log counts no more. The old one's files are copied to `lost/` before, and taken out of `log/` and `checkpoint/` after. The new
//! entries are made as a whole and stored last one first, so that the log has a first entry only when it has all. Whatever step a
//! recovery dies at, the next one finds all that this one had found.

mod survivors;

use std::collections::HashMap;
use std::sync::Arc;

use crate::cas::Vault;
use crate::crypto;
use crate::format::config::Config;
use crate::format::log::DeviceRecord;
use crate::id::{DeviceId, InstanceId};
use crate::limits::ENVELOPE_LEN_MAX;
use crate::store::{BlobName, Put, StorageBackend, StoreError};

use super::checkpoint;
use super::error::GONE;
use super::log::{self, Draft, LOST, Log, ROLES_ALL, StoredEntry, entry_name, entry_number, seal_entry};
use super::state::LogState;
use super::{Client, Credentials, RepoError, Repository, config};

pub(crate) use survivors::Survivors;

/// How the names of checkpoints end that were put aside.
const CHECKPOINT: &str = ".checkpoint";

/// A repository that was opened without reading its log, and in which nothing was changed yet.
///
/// [`recover`](crate::ops::recover) makes the log anew.
#[derive(Debug)]
pub struct Rebuild {
    repo: Repository,
    store: Arc<dyn StorageBackend>,
    /// Number of the configuration that the new log would come with.
    generation: u64,
}

/// A file of the log, or of its checkpoints.
struct OldFile {
    name: BlobName,
    number: u64,
    /// Of the configuration in which its log was the present one.
    generation: u64,
    is_checkpoint: bool,
}

impl OldFile {
    /// Its name when it was put aside: the generation, its number, the beginning of a hash of its bytes.
    fn aside(&self, bytes: &[u8]) -> BlobName {
        let hash = blake3::hash(bytes).to_hex();
        let end = if self.is_checkpoint { CHECKPOINT } else { "" };
        let name = format!("{LOST}{:010}-{:010}-{}{end}", self.generation, self.number, &hash[..8]);
        BlobName::new(&name).expect("digits make a legal name")
    }

    /// One that was put aside.
    fn of_aside(name: BlobName) -> Option<Self> {
        let ending = name.as_str().strip_prefix(LOST)?;
        let is_checkpoint = ending.ends_with(CHECKPOINT);
        let mut parts = ending.split('-');
        let (generation, number) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { name, number, generation, is_checkpoint })
    }
}

impl Rebuild {
    /// Opens the configuration of a repository. Changes nothing.
    ///
    /// # Errors
    /// As [`Repository::open`], but whatever the log is like.
    pub fn open(
        store: Arc<dyn StorageBackend>,
        credentials: &Credentials,
        client: Client,
    ) -> Result<Self, RepoError> {
        // Before the configuration is read: whoever changes it meanwhile is found out when the new one is stored.
        let newest = config::newest_generation(&*store)?.max(newest_aside(&*store)?);
        let repo = Repository::unlock(Arc::clone(&store), config::load(&*store)?, credentials, client)?;
        let generation = repo.config().generation.max(newest) + 1;
        Ok(Self { repo, store, generation })
    }

    /// Keys and store.
    pub fn vault(&self) -> &Arc<Vault> {
        self.repo.chunks().vault()
    }

    /// What keeps the log from being read from its first entry on; `None`: it is whole, as far as this client can tell.
    ///
    /// # Errors
    /// When the store fails.
    pub fn fault(&self) -> Result<Option<RepoError>, RepoError> {
        let client = self.repo.client();
        let log = self.log_of(&self.repo.config());
        let mut state = LogState::default();
        match log.read_all(&mut state, None) {
            Err(error) if error.is_of_log() => return Ok(Some(error)),
            done => done?,
        }
        let seen = client.seen(self.repo.instance())?.filter(|seen| seen.number > state.number);
        Ok(seen.map(|seen| RepoError::Rollback {
            location: self.repo.location(),
            seen: seen.number,
            now: GONE.to_owned(),
        }))
    }

    fn log_of(&self, config: &Config) -> Log {
        Log::new(Arc::clone(self.vault()), config.instance, DeviceId::new(config.root_key))
    }

    /// Records that certify devices and what they may do; this device is among them, with all roles.
    pub(crate) fn certify(
        &self,
        devices: impl IntoIterator<Item = (DeviceId, u8)>,
    ) -> Result<Vec<DeviceRecord>, RepoError> {
        let own = self.repo.device()?;
        let others = devices.into_iter().filter(|(device, _)| *device != own);
        let all = [(own, ROLES_ALL)].into_iter().chain(others);
        Ok(all.map(|(device, roles)| log::certify(self.vault(), device, roles)).collect())
    }

    /// Writes a log of entries that say what `drafts` say, in the place of the one that is lost, and opens the repository.
    ///
    /// # Errors
    /// [`RepoError::Busy`] when another process changes the configuration, or recovers the repository, at the same time; when the
    /// store fails. Then the repository is as it was, or can be recovered again: nothing is lost.
    pub(crate) fn write(self, drafts: Vec<Draft>) -> Result<Repository, RepoError> {
        let old = self.repo.config();
        let instance = crypto::random().map_err(RepoError::crypto("cannot name the new log"))?;
        let new = Config { generation: self.generation, instance: InstanceId::new(instance), ..old.clone() };
        let entries = self.encode(&new, drafts)?;
        let replaced = self.put_aside()?;
        if !config::store(&*self.store, &new)? {
            return Err(RepoError::Busy);
        }
        self.clear(&replaced)?;
        self.store_entries(&entries)?;
        let mut repo = self.repo.with_config(self.store, new)?;
        repo.read_log()?;
        repo.forget_log_of(old.instance);
        Ok(repo)
    }

    /// The files of the entries, first one first.
    fn encode(&self, config: &Config, drafts: Vec<Draft>) -> Result<Vec<Vec<u8>>, RepoError> {
        let (log, client) = (self.log_of(config), self.repo.client());
        let device = client.device()?;
        let (mut state, mut files) = (LogState::default(), Vec::new());
        for draft in drafts {
            let bytes = log.encode(&state, &device, client, draft)?;
            let file = seal_entry(&entry_name(state.number + 1), &bytes)?;
            let stored = StoredEntry { bytes, file_len: file.len() as u64, was_healed: false };
            log.apply(&mut state, &stored, true)?;
            files.push(file);
        }
        Ok(files)
    }

    /// Copies all files of the log to `lost/`, unless they lie there. Returns them with hashes of their bytes.
    fn put_aside(&self) -> Result<Vec<(BlobName, blake3::Hash)>, RepoError> {
        let lost =
            self.aside()?.into_iter().filter_map(|old| Some((ending(&old.name)?.to_owned(), old.name)));
        let lost: HashMap<String, BlobName> = lost.collect();
        let mut replaced = Vec::new();
        for old in self.present()? {
            let bytes = stored(&*self.store, &old.name)?;
            let aside = old.aside(&bytes);
            let is_kept = |name: &BlobName| stored(&*self.store, name).is_ok_and(|kept| kept == bytes);
            let there = ending(&aside).and_then(|ending| lost.get(ending));
            if !there.is_some_and(is_kept) {
                let put = self.store.put_new(&aside, &[&bytes]).map_err(self.failed())?;
                if put == Put::Exists && !is_kept(&aside) {
                    let why = "something else lies under its name; move that file away";
                    return Err(RepoError::Storage { file: aside.as_str().to_owned(), why });
                }
            }
            replaced.push((old.name, blake3::hash(&bytes)));
        }
        Ok(replaced)
    }

    /// The files of `log/` and `checkpoint/` that are named as entries and checkpoints are.
    fn present(&self) -> Result<Vec<OldFile>, RepoError> {
        let generation = self.repo.config().generation;
        let old =
            |name: BlobName, number: u64, is_checkpoint| OldFile { name, number, generation, is_checkpoint };
        let entry = |name: BlobName| {
            let number = entry_number(&name).filter(|number| entry_name(*number) == name)?;
            Some(old(name, number, false))
        };
        let checkpoint = |name: BlobName| {
            let number = checkpoint::number_of(&name)?;
            Some(old(name, number, true))
        };
        let checkpoints = self.list(checkpoint::FOLDER)?.into_iter().filter_map(checkpoint);
        Ok(self.list("log/")?.into_iter().filter_map(entry).chain(checkpoints).collect())
    }

    /// What earlier recoveries have put aside.
    fn aside(&self) -> Result<Vec<OldFile>, RepoError> {
        Ok(self.list(LOST)?.into_iter().filter_map(OldFile::of_aside).collect())
    }

    /// Takes what was put aside out of where it lay.
    fn clear(&self, replaced: &[(BlobName, blake3::Hash)]) -> Result<(), RepoError> {
        for (name, hash) in replaced {
            self.check_mine()?;
            match stored(&*self.store, name) {
                Ok(bytes) if blake3::hash(&bytes) == *hash => {
                    self.store.delete(name).map_err(self.failed())?;
                }
                Ok(_) => return Err(RepoError::Busy),
                // Whoever has taken it away has gone on, or has gone.
                Err(RepoError::Busy) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Stores the new log, whose first entry comes last: without it nobody takes the log for whole.
    fn store_entries(&self, files: &[Vec<u8>]) -> Result<(), RepoError> {
        for (place, file) in files.iter().enumerate().rev() {
            self.check_mine()?;
            let name = entry_name(place as u64 + 1);
            let put = self.store.put_new(&name, &[file]).map_err(self.failed())?;
            // A lost reply is no lost race.
            if put == Put::Exists && stored(&*self.store, &name)? != *file {
                return Err(RepoError::Busy);
            }
        }
        Ok(())
    }

    /// Stops where another recovery has gone on from what this one has done.
    fn check_mine(&self) -> Result<(), RepoError> {
        match config::newest_generation(&*self.store)? {
            newest if newest == self.generation => Ok(()),
            _ => Err(RepoError::Busy),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<BlobName>, RepoError> {
        let listed = self.store.list(folder).map_err(self.failed())?;
        Ok(listed.into_iter().map(|blob| blob.name).collect())
    }

    fn failed(&self) -> impl Fn(StoreError) -> RepoError + use<> {
        let location = self.store.location();
        move |source| RepoError::Store { location: location.clone(), source }
    }
}

/// The newest configuration under which anything was put aside; 0: none.
pub(super) fn newest_aside(store: &dyn StorageBackend) -> Result<u64, RepoError> {
    let listed = store.list(LOST);
    let listed = listed.map_err(|source| RepoError::Store { location: store.location(), source })?;
    let old = listed.into_iter().filter_map(|blob| OldFile::of_aside(blob.name));
    Ok(old.map(|old| old.generation).max().unwrap_or(0))
}

/// The bytes of a file that was listed.
///
/// # Errors
/// [`RepoError::Busy`] if it is not there any more: another recovery puts it aside.
fn stored(store: &dyn StorageBackend, name: &BlobName) -> Result<Vec<u8>, RepoError> {
    match store.get(name, ENVELOPE_LEN_MAX) {
        Err(error) if error.is_not_found() => Err(RepoError::Busy),
        bytes => bytes.map_err(|source| RepoError::Store { location: store.location(), source }),
    }
}

/// What the name of a file that was put aside says of the file itself: its number, hash and kind.
fn ending(name: &BlobName) -> Option<&str> {
    name.as_str().strip_prefix(LOST)?.split_once('-').map(|(_, ending)| ending)
}
