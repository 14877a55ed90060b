//! A repository that is open.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use zeroize::Zeroizing;

use crate::cas::{ChunkStore, Index, Refresh, Vault};
use crate::crypto::{self, Keyring, NonceSource, Secret32, sign};
use crate::format::commit::{Commit, SignedCommit};
use crate::format::config::{ChunkerParams, Config, KdfParams};
use crate::format::pack::Cipher;
use crate::id::{CommitId, DeviceId, FamilyId, InstanceId, ObjectKind};
use crate::store::{BlobName, StorageBackend};

use super::client::SeenHead;
use super::head::SeenBefore;
use super::journal::Journal;
use super::keys::{self, Credentials, SlotInfo};
use super::log::{self, Draft, Log};
use super::near::NearFiles;
use super::recover::RecoverySheet;
use super::state::LogState;
use super::timeline::{VersionInfo, VersionTimeline};
use super::{Chunker, ChunkerConfig, Client, ErrorKind, RepoError, config, remotes};

/// How to make a repository.
#[derive(Debug)]
pub struct CreateOptions {
    /// What opens it; [`Credentials::None`]: it is not encrypted.
    pub credentials: Credentials,
    /// Name of the first key slot.
    pub label: String,
    /// Cost of the first slot's key derivation.
    pub kdf: KdfParams,
    /// It has a working directory around it.
    pub worktree: bool,
    /// What cuts the files, and how finely.
    pub chunker: ChunkerConfig,
    /// Settings.
    pub settings: Vec<(String, String)>,
}

/// What can be known of a repository without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// It takes a password or key file to open.
    pub encrypted: bool,
    /// It was made with a working directory around it.
    pub worktree: bool,
    /// The keys' family.
    pub family: FamilyId,
    /// Public half of the root key.
    pub root_key: DeviceId,
}

/// A repository, open for reading and writing. Any number of processes may have one open at once; the log decides.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::repo::RepoError;
///
/// # fn main() -> Result<(), RepoError> {
/// # let state = tempfile::tempdir().unwrap();
/// # let client = || client(state.path());
/// let password = Credentials::Password(b"correct horse battery staple".to_vec().into());
/// let store = Arc::new(MemoryStore::new());
/// Repository::create(store.clone(), options(password.clone()), client())?;
///
/// let repo = Repository::open(store.clone(), &password, client())?;
/// assert!(repo.is_encrypted());
/// assert!(repo.timeline().commits().is_empty());
/// repo.set_setting("compression", Some("19"))?;
/// assert_eq!(repo.setting("compression").as_deref(), Some("19"));
///
/// let wrong = Credentials::Password(b"guess".to_vec().into());
/// assert!(matches!(Repository::open(store, &wrong, client()), Err(RepoError::WrongPassword { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Repository {
    vault: Arc<Vault>,
    index: Arc<Index>,
    chunks: Arc<ChunkStore>,
    config: RwLock<Config>,
    /// A copy of the configuration that was not there when it was read.
    missing_copy: Mutex<Option<BlobName>>,
    master: Option<Secret32>,
    pub(super) slot: Option<u32>,
    journal: Arc<Journal>,
    client: Client,
    pub(super) seen_before: SeenBefore,
    notices: Vec<String>,
}

impl Repository {
    /// Makes a repository in an empty store and opens it.
    ///
    /// # Errors
    /// [`RepoError::AlreadyExists`]; when the store, the random number generator or the key derivation fails.
    pub fn create(
        store: Arc<dyn StorageBackend>,
        options: CreateOptions,
        client: Client,
    ) -> Result<Self, RepoError> {
        let location = store.location();
        if config::has_log(&*store)? {
            // Without a configuration it is a repository still: its recovery sheet opens it.
            return Err(RepoError::AlreadyExists { location });
        }
        let failed = || RepoError::crypto(format!("cannot make keys for {location}"));
        let keyring = Keyring::generate().map_err(failed())?;
        let mut made = Config {
            generation: 1,
            family: FamilyId::new(crypto::random().map_err(failed())?),
            instance: InstanceId::new(crypto::random().map_err(failed())?),
            cipher: Cipher::XChaCha20Poly1305,
            chunker: options.chunker.params(),
            root_key: *keyring.root_signer().public().as_bytes(),
            worktree: options.worktree,
            slots: Vec::new(),
            keyring_nonce: [0; 24],
            keyring: Vec::new(),
            settings: sorted_settings(options.settings)?,
        };
        let mut opened = (None, None);
        if options.credentials.secret().is_some() {
            let master = Secret32::generate().map_err(failed())?;
            let about = (options.label.as_str(), (client.now)().secs, options.kdf);
            made.slots.push(keys::make_slot(made.family, 1, &master, &options.credentials, about)?);
            keys::seal_keyring(&mut made, &master, &keyring)?;
            opened = (Some(master), Some(1));
        } else {
            made.cipher = Cipher::None;
            made.keyring = keys::encode_keyring(&keyring)?.to_vec();
        }
        if !config::store(&*store, &made)? {
            return Err(RepoError::AlreadyExists { location });
        }
        let repo = Self::assemble(store, made, keyring, opened, client)?;
        repo.append(&mut |_| Ok(Draft { message: "init".to_owned(), ..Draft::default() }))?;
        Ok(repo)
    }

    /// Reads what can be known without a key.
    ///
    /// # Errors
    /// [`RepoError::NoRepository`]; when the configuration cannot be read.
    pub fn probe(store: &dyn StorageBackend) -> Result<Probe, RepoError> {
        let config = config::load(store)?;
        let Config { cipher, worktree, family, root_key, .. } = config;
        Ok(Probe { encrypted: cipher != Cipher::None, worktree, family, root_key: DeviceId::new(root_key) })
    }

    /// Opens a repository.
    ///
    /// # Errors
    /// [`RepoError::NoRepository`], [`RepoError::WrongPassword`], [`RepoError::NoPassword`], [`RepoError::Rollback`];
    /// when the configuration or the log is damaged or cannot be read.
    pub fn open(
        store: Arc<dyn StorageBackend>,
        credentials: &Credentials,
        client: Client,
    ) -> Result<Self, RepoError> {
        let mut tried = None;
        loop {
            let config::Loaded { config, missing } = config::load_all(&*store)?;
            let generation = config.generation;
            let opened = Self::unlock(Arc::clone(&store), config, credentials, client.clone());
            match opened.and_then(|repo| repo.with_log(missing)) {
                // The keys may have been rotated after the configuration was read, and before the log was.
                Err(RepoError::Rotated { .. }) if tried != Some(generation) => tried = Some(generation),
                Err(RepoError::Rotated { location }) => return Err(RepoError::OldConfig { location }),
                done => return done,
            }
        }
    }

    /// Reads the log; `missing` is a copy of the configuration that is not there.
    pub(super) fn with_log(mut self, missing: Option<BlobName>) -> Result<Self, RepoError> {
        self.missing_copy = Mutex::new(missing);
        self.read_log()?;
        Ok(self)
    }

    /// Opens a configuration. The log is not read.
    pub(super) fn unlock(
        store: Arc<dyn StorageBackend>,
        config: Config,
        credentials: &Credentials,
        client: Client,
    ) -> Result<Self, RepoError> {
        let (opened, keyring) = keys::unlock(&config, credentials, &store.location())?;
        Self::assemble(store, config, keyring, opened, client)
    }

    /// The same repository with another configuration. Its log is not read.
    pub(super) fn with_config(
        self,
        store: Arc<dyn StorageBackend>,
        config: Config,
    ) -> Result<Self, RepoError> {
        let keyring = self.vault.keyring().clone();
        Self::assemble(store, config, keyring, (self.master, self.slot), self.client)
    }

    /// Remembers that another log has taken the place of this instance's, so that it is told when the old one comes back.
    pub(super) fn forget_log_of(&mut self, instance: InstanceId) {
        if let Err(error) = self.client.remember(instance, SeenHead::REPLACED) {
            self.note(format!("cannot remember that the old log was replaced: {error}"));
        }
    }

    /// Adds what a person should know.
    pub(super) fn note(&mut self, notice: String) {
        self.notices.push(notice);
    }

    pub(super) fn assemble(
        store: Arc<dyn StorageBackend>,
        config: Config,
        keyring: Keyring,
        (master, slot): (Option<Secret32>, Option<u32>),
        client: Client,
    ) -> Result<Self, RepoError> {
        let nonces = NonceSource::new().map_err(RepoError::crypto("cannot draw random numbers"))?;
        store.keyed(keyring.shard_key().as_bytes());
        let cache = client.cache_dir.as_ref().filter(|_| store.is_far());
        let near = cache.map(|dir| {
            let dir = dir.join(config.instance.to_string());
            Arc::new(NearFiles::new(Arc::clone(&client.vfs), dir))
        });
        let mut vault = Vault::new(store, keyring, config.cipher, config.family, nonces);
        if let Some(near) = &near {
            vault = vault.keeping_near(Arc::clone(near) as _);
        }
        let vault = Arc::new(vault);
        let log = Log::new(Arc::clone(&vault), config.instance, DeviceId::new(config.root_key));
        let log = log.keeping_near(near);
        let journal = Arc::new(Journal::new(log));
        let index = Index::new(Arc::clone(&vault)).refreshed_by(journal.clone());
        let index = Arc::new(index);
        Ok(Self {
            chunks: Arc::new(ChunkStore::new(Arc::clone(&vault), Arc::clone(&index))),
            journal,
            vault,
            index,
            config: RwLock::new(config),
            missing_copy: Mutex::default(),
            master,
            slot,
            client,
            seen_before: SeenBefore::Never,
            notices: Vec::new(),
        })
    }

    pub(super) fn read_log(&mut self) -> Result<(), RepoError> {
        let instance = self.instance();
        let known = self.client.seen(instance)?;
        let mut seen = known;
        if let Some(head) = known {
            match self.journal.log.check_seen(head) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Rollback && self.client.accept_rollback => {
                    seen = None
                }
                Err(error) => return Err(error),
            }
        }
        let state = self.read_state(seen)?;
        self.index.update(state.index_view());
        self.notices.extend(self.journal.log.healed().into_iter().map(|number| {
            let name = log::entry_name(number);
            format!("{name} is damaged and was healed in memory; `warp check --repair` writes it anew")
        }));
        let head = log::seen_head(&state);
        self.seen_before = SeenBefore::of(known, head, known != seen);
        if let Some(head) = head.filter(|head| seen != Some(*head))
            && let Err(error) = self.remember(instance, head)
        {
            self.notices.push(format!("cannot remember this repository's state against rollback: {error}"));
        }
        self.journal.advance_to(state);
        Ok(())
    }

    /// Reads the log on from what was kept of it near, or else from its last checkpoint.
    fn read_state(&self, seen: Option<SeenHead>) -> Result<LogState, RepoError> {
        let log = &self.journal.log;
        let near = seen.and_then(|seen| log.start_near(seen));
        let from = near.as_ref().map_or(0, |state| state.number);
        let on = near.and_then(|mut state| log.read_all(&mut state, seen).is_ok().then_some(state));
        let state = match on {
            Some(state) => state,
            None => {
                let mut state = log.start();
                log.read_all(&mut state, seen)?;
                state
            }
        };
        if let Some(device) =
            self.client.known_device().filter(|key| state.devices.contains_key(&key.public()))
        {
            log.keep_near(&state, from, &device);
        }
        Ok(state)
    }

    /// Remembers the head of the log that was read. First it makes sure that this lasts: the entry's writer may have been killed before
    /// it did, and where a power cut then took the entry back, it would look as if somebody had.
    fn remember(&self, instance: InstanceId, head: SeenHead) -> Result<(), RepoError> {
        let settled = self.vault.store().settle(&log::entry_name(head.number));
        settled.map_err(|source| RepoError::Store { location: self.location(), source })?;
        self.client.remember(instance, head)
    }

    /// Appends an entry to the log: the only commit point. `build` makes it of the state that it will follow, and is
    /// asked again when another writer was faster.
    ///
    /// # Errors
    /// What `build` returns; when a rule is broken or the store fails.
    pub fn append(
        &self,
        build: &mut dyn FnMut(&LogState) -> Result<Draft, RepoError>,
    ) -> Result<Arc<LogState>, RepoError> {
        self.complete_config()?;
        let device = self.client.device()?;
        let (state, _guard) = self.journal.append(&device, &self.client, build)?;
        self.index.update(state.index_view());
        if let Some(head) = log::seen_head(&state) {
            self.client.remember(self.instance(), head)?;
        }
        Ok(state)
    }

    /// Writes the copy of the configuration that a writer owed that died: whoever writes next pays.
    fn complete_config(&self) -> Result<(), RepoError> {
        let mut missing = self.missing_copy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = missing.as_ref() {
            config::complete(self.vault.store(), &self.config(), name)?;
        }
        *missing = None;
        Ok(())
    }

    /// Reads what others have appended to the log since. Objects that were stored and not published are forgotten.
    ///
    /// # Errors
    /// When the log cannot be read or breaks a rule.
    pub fn refresh(&self) -> Result<Arc<LogState>, RepoError> {
        let state = self.journal.refresh()?;
        self.index.update(state.index_view());
        Ok(state)
    }

    /// Signs bytes with this device's key; returns who signed, too.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], RepoError> {
        Ok(self.client.device()?.sign(message))
    }

    /// This device.
    pub(crate) fn device(&self) -> Result<DeviceId, RepoError> {
        Ok(self.client.device()?.public())
    }

    /// What exists, as far as this handle has read.
    pub fn state(&self) -> Arc<LogState> {
        self.journal.state()
    }

    /// Refs and history, as far as this handle has read.
    pub fn timeline(&self) -> VersionTimeline {
        VersionTimeline::new(self.state())
    }

    /// Reads a commit and verifies its signature.
    ///
    /// # Errors
    /// When it is missing or damaged, or its signature does not verify.
    pub fn version(&self, id: CommitId) -> Result<VersionInfo, RepoError> {
        read_version(&self.chunks, id)
    }

    /// Tells an index of its own what the log says now.
    pub(crate) fn refresher(&self) -> Arc<dyn Refresh> {
        Arc::clone(&self.journal) as Arc<dyn Refresh>
    }

    /// Objects of the repository.
    pub fn chunks(&self) -> &Arc<ChunkStore> {
        &self.chunks
    }

    /// Who works on it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where it lies.
    pub fn location(&self) -> String {
        self.vault.store().location()
    }

    /// The keys' family.
    pub fn family(&self) -> FamilyId {
        self.vault.family()
    }

    /// This repository.
    pub fn instance(&self) -> InstanceId {
        self.config().instance
    }

    /// Which chunker cuts, as the configuration says: this version may not have it.
    pub fn chunker_params(&self) -> ChunkerParams {
        self.config().chunker
    }

    /// The chunker that cuts this repository's files. Reading needs none.
    ///
    /// # Errors
    /// [`RepoError::Chunker`] if this version does not have it.
    pub fn chunker(&self) -> Result<Chunker, RepoError> {
        let config = ChunkerConfig::try_from(self.chunker_params());
        let made = config.and_then(|config| Chunker::new(config, self.vault.keyring().chunking_key()));
        made.map_err(|source| RepoError::Chunker { location: self.location(), source })
    }

    /// Whether it was made with a working directory around it, all of which is what a commit records.
    pub fn has_worktree(&self) -> bool {
        self.config().worktree
    }

    /// Whether what is stored is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.vault.cipher() != Cipher::None
    }

    /// What a person should know about opening it.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    pub(super) fn config(&self) -> Config {
        self.config.read().expect("no panic while locked").clone()
    }

    fn change_config(
        &self,
        change: &mut dyn FnMut(&mut Config) -> Result<(), RepoError>,
    ) -> Result<(), RepoError> {
        let changed = config::update(self.vault.store(), change)?;
        *self.config.write().expect("no panic while locked") = changed;
        Ok(())
    }
}

/// Settings and keys.
impl Repository {
    /// A setting of the repository.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.config().settings.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Writes both copies of the configuration anew, from the one that is whole.
    ///
    /// # Errors
    /// When neither is whole, or the store fails.
    pub fn renew_config(&self) -> Result<(), RepoError> {
        self.change_config(&mut |_| Ok(()))
    }

    /// Compares the checkpoints of the log with its entries, read from the first one on. What is wrong, by the name of the
    /// file.
    ///
    /// # Errors
    /// When the store fails.
    pub fn check_checkpoints(&self) -> Result<Vec<(String, RepoError)>, RepoError> {
        self.journal.log.check_checkpoints()
    }

    /// Writes the files of damaged log entries as they were, as far as their parity can heal them, and damaged checkpoints
    /// anew; returns their names.
    ///
    /// # Errors
    /// When the store fails.
    pub fn repair_log(&self) -> Result<Vec<String>, RepoError> {
        let mut repaired = self.journal.log.repair(self.state().number)?;
        repaired.extend(self.journal.log.repair_checkpoints(&self.client.device()?)?);
        Ok(repaired)
    }

    /// All settings, sorted by name.
    pub fn settings(&self) -> Vec<(String, String)> {
        self.config().settings
    }

    /// Changes a setting; `None` removes it.
    ///
    /// # Errors
    /// [`RepoError::Setting`] for an unknown name or an impossible value.
    pub fn set_setting(&self, name: &str, value: Option<&str>) -> Result<(), RepoError> {
        check_setting(name, value)?;
        self.change_config(&mut |config| {
            config.settings.retain(|(key, _)| key != name);
            config.settings.extend(value.map(|value| (name.to_owned(), value.to_owned())));
            config.settings.sort();
            Ok(())
        })
    }

    /// The key slots.
    pub fn key_slots(&self) -> Vec<SlotInfo> {
        self.config().slots.iter().map(|slot| keys::slot_info(slot, self.slot)).collect()
    }

    /// Adds a key slot and returns its number.
    ///
    /// # Errors
    /// [`RepoError::NotEncrypted`]; [`RepoError::Slots`] when there are too many.
    pub fn key_add(&self, new: &Credentials, label: &str, kdf: KdfParams) -> Result<u32, RepoError> {
        self.key_replace(None, new, label, kdf)
    }

    /// Replaces the slot that opened the repository by a new one, and returns its number.
    ///
    /// # Errors
    /// As [`key_add`](Self::key_add).
    pub fn key_change(&self, new: &Credentials, kdf: KdfParams) -> Result<u32, RepoError> {
        let label = self.key_slots().into_iter().find(|slot| slot.current).map(|slot| slot.label);
        self.key_replace(self.slot, new, &label.unwrap_or_default(), kdf)
    }

    /// Removes a key slot. Whoever opened the repository with it before can still read what it could read then.
    ///
    /// # Errors
    /// [`RepoError::NoSlot`]; [`RepoError::Slots`] for the last one.
    pub fn key_remove(&self, id: u32) -> Result<(), RepoError> {
        self.master()?;
        self.change_config(&mut |config| {
            let before = config.slots.len();
            config.slots.retain(|slot| slot.id != id);
            match (before - config.slots.len(), config.slots.is_empty()) {
                (0, _) => Err(RepoError::NoSlot { id }),
                (_, true) => Err(RepoError::Slots {
                    why: "this is the last key, and without it nobody could open the repository; add another first",
                }),
                _ => Ok(()),
            }
        })
    }

    /// The recovery sheet: text that brings the configuration and keys back if every copy and password is lost. Whoever
    /// has it can read everything. [`RecoverySheet`] reads it.
    ///
    /// # Errors
    /// When the sheet cannot be made.
    pub fn key_export(&self) -> Result<Zeroizing<String>, RepoError> {
        RecoverySheet::write(self.config(), self.vault.keyring(), self.master.as_ref())
    }

    fn key_replace(
        &self,
        old: Option<u32>,
        new: &Credentials,
        label: &str,
        kdf: KdfParams,
    ) -> Result<u32, RepoError> {
        let master = self.master()?.clone();
        let created = (self.client.now)().secs;
        let mut added = 0;
        self.change_config(&mut |config| {
            self.check_keys(config)?;
            added = keys::next_slot(config)?;
            let slot = keys::make_slot(config.family, added, &master, new, (label, created, kdf))?;
            config.slots.retain(|slot| Some(slot.id) != old);
            config.slots.push(slot);
            Ok(())
        })?;
        Ok(added)
    }

    /// Refuses a configuration whose keyring this handle's master key does not open: another process has rotated the keys, and
    /// a key made here would open nothing.
    pub(super) fn check_keys(&self, config: &Config) -> Result<(), RepoError> {
        let opened = keys::open_keyring(config, Some(self.master()?));
        opened.map(drop).map_err(|_| RepoError::Rotated { location: self.location() })
    }

    pub(super) fn master(&self) -> Result<&Secret32, RepoError> {
        self.master.as_ref().ok_or_else(|| RepoError::NotEncrypted { location: self.location() })
    }
}

/// Reads a commit through any store of objects and verifies its signature.
pub(crate) fn read_version(chunks: &ChunkStore, id: CommitId) -> Result<VersionInfo, RepoError> {
    let action = "read a commit";
    let bytes =
        chunks.get(ObjectKind::Commit, &id.into()).map_err(|source| RepoError::Cas { action, source })?;
    let format = |source| RepoError::Format { file: format!("commit {id}"), source };
    let signed = SignedCommit::decode(&bytes).map_err(format)?;
    let commit = Commit::decode_body(&signed.body).map_err(format)?;
    sign::verify(&commit.device, &crate::format::commit::signing_bytes(&signed.body), &signed.signature)
        .map_err(RepoError::crypto(format!("the signature of commit {id} does not verify")))?;
    Ok(VersionInfo { id, commit })
}

fn sorted_settings(mut settings: Vec<(String, String)>) -> Result<Vec<(String, String)>, RepoError> {
    settings.iter().try_for_each(|(name, value)| check_setting(name, Some(value)))?;
    settings.sort();
    settings.dedup_by(|a, b| a.0 == b.0);
    Ok(settings)
}

/// Settings of a repository: `compression`, `delta`, `parity`, and `remote.NAME.url` for each remote.
fn check_setting(name: &str, value: Option<&str>) -> Result<(), RepoError> {
    let wrong = |why: String| Err(RepoError::Setting { name: name.to_owned(), why });
    match (name, value) {
        ("compression", None) => Ok(()),
        ("compression", Some(value)) => match value.parse::<crate::compress::Level>() {
            Ok(_) => Ok(()),
            Err(error) => wrong(error.to_string()),
        },
        ("delta", None | Some("on" | "off" | "1" | "2" | "3" | "4")) => Ok(()),
        ("delta", Some(value)) => wrong(format!("{value:?} is neither on, off, nor a depth from 1 to 4")),
        ("parity", None) => Ok(()),
        ("parity", Some(value)) => match value.parse::<crate::format::pack::Parity>() {
            Ok(_) => Ok(()),
            Err(error) => wrong(error.to_string()),
        },
        (name, url) if let Some(remote) = remotes::remote_of(name) => remotes::check_remote(remote, url),
        _ => wrong(
            "there is no such setting of a repository; there are: compression, delta, parity, remote.NAME.url".to_owned(),
        ),
    }
}

#[cfg(test)]
impl Repository {
    pub(super) fn journal_log(&self) -> &Log {
        &self.journal.log
    }
}
