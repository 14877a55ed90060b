//! Recovery sheets, and opening a repository with one: when every password is forgotten, or the configuration is gone.
//!
//! What a sheet's text holds (see [`recovery`]): the cipher (u8, plus 128 if the master key follows), the master key (32
//! bytes), the configuration without key slots and with its keyring in clear.

use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

use crate::crypto::{self, CryptoError, Keyring, Secret32, recovery};
use crate::format::config::{Config, KdfParams, KeyringBytes};
use crate::format::pack::Cipher;
use crate::id::InstanceId;
use crate::store::StorageBackend;

use super::keys::{self, Credentials, SlotInfo};
use super::rebuild::newest_aside;
use super::repository::Repository;
use super::{Client, RepoError, config, log};

/// Stands in the first byte beside the cipher: the master key follows.
const WITH_MASTER: u8 = 0x80;
const FILE: &str = "the recovery sheet";

/// A recovery sheet that was read: all that is needed to read its repository.
pub struct RecoverySheet {
    master: Option<Secret32>,
    /// As it was when the sheet was printed, without key slots.
    config: Config,
    keyring: Keyring,
}

impl std::fmt::Debug for RecoverySheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecoverySheet").field("family", &self.config.family).finish_non_exhaustive()
    }
}

impl RecoverySheet {
    /// Reads a sheet's text, as it was printed or typed in again.
    ///
    /// # Errors
    /// [`RepoError::Sheet`] names the line that is wrong, or says what is missing; [`RepoError::Format`] if another
    /// version of warp wrote it.
    pub fn read(text: &str) -> Result<Self, RepoError> {
        let bytes = recovery::decode(text).map_err(|source| RepoError::Sheet { source })?;
        let wrong = |why| RepoError::Sheet { source: CryptoError::Sheet { why } };
        let (first, mut rest) = bytes.split_first().ok_or_else(|| wrong("there is nothing in it"))?;
        let mut master = None;
        if first & WITH_MASTER != 0 {
            let (key, behind) = rest.split_first_chunk::<32>().ok_or_else(|| wrong("it is too short"))?;
            (master, rest) = (Some(Secret32::new(*key)), behind);
        }
        let format = |source| RepoError::Format { file: FILE.to_owned(), source };
        let mut config = Config::decode(rest).map_err(format)?;
        let keyring = keys::open_keyring(&config, None)?;
        if keyring.root_signer().public().as_bytes() != &config.root_key {
            return Err(wrong("its keys do not fit together"));
        }
        let ciphers = [Cipher::None, Cipher::XChaCha20Poly1305];
        let cipher = ciphers.into_iter().find(|cipher| *cipher as u8 == first & !WITH_MASTER);
        config.cipher = cipher.ok_or_else(|| wrong("it names a cipher that this version does not know"))?;
        config.keyring.zeroize();
        Ok(Self { master, config, keyring })
    }

    /// The text of a sheet.
    pub(super) fn write(
        mut config: Config,
        keyring: &Keyring,
        master: Option<&Secret32>,
    ) -> Result<Zeroizing<String>, RepoError> {
        // A configuration without key slots is one without encryption: what the cipher was stands in front.
        let cipher = std::mem::replace(&mut config.cipher, Cipher::None) as u8;
        config.slots.clear();
        config.keyring_nonce = [0; 24];
        config.keyring = keys::encode_keyring(keyring)?.to_vec();
        let encoded = config.encode().map(Zeroizing::new);
        let encoded = encoded.map_err(|source| RepoError::Format { file: FILE.to_owned(), source })?;
        let bytes = Zeroizing::new(match master {
            Some(master) => [&[cipher | WITH_MASTER], &master.as_bytes()[..], &encoded].concat(),
            None => [&[cipher], &encoded[..]].concat(),
        });
        recovery::encode(&bytes).map_err(RepoError::crypto("cannot make the recovery sheet"))
    }

    /// The sheet's master key and the keyring that it opens, if it still does: a recovery may have made another one.
    fn unlock(&self, config: &Config) -> Option<(Secret32, Keyring)> {
        let master = self.master.as_ref()?;
        let keyring = keys::open_keyring(config, Some(master)).ok()?;
        (keyring.root_signer().public().as_bytes() == &config.root_key).then(|| (master.clone(), keyring))
    }

    fn is_of(&self, config: &Config) -> bool {
        self.config.family == config.family && self.config.root_key == config.root_key
    }
}

/// Whether the keys were rotated after a sheet with `keyring` was printed: the keyring in the configuration, which the sheet's
/// master key does not open, is longer. To put the sheet's in its place would lose the data keys that it lacks, for ever.
fn is_outdated(keyring: &Keyring, config: &Config) -> bool {
    let len = config.keyring.len().saturating_sub(crypto::TAG_LEN);
    KeyringBytes::epochs_of_len(len).is_none_or(|epochs| epochs > keyring.parts().1.len())
}

/// What has to be done so that a password opens the repository again.
enum Way {
    /// The sheet's master key opens the keyring: one more key, all others stay.
    Add,
    /// It does not: a new master key, which the keys that there are do not open.
    Replace,
    /// There is no configuration: the sheet's.
    Rebuild,
}

/// A repository that was opened with its recovery sheet, and in which nothing was changed yet.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::repo::{Recovery, RecoverySheet, RepoError};
///
/// # fn main() -> Result<(), RepoError> {
/// # let state = tempfile::tempdir().unwrap();
/// # let client = || client(state.path());
/// let store = Arc::new(MemoryStore::new());
/// let forgotten = Credentials::Password(b"whatever it was".to_vec().into());
/// let printed = Repository::create(store.clone(), options(forgotten), client())?.key_export()?;
///
/// let sheet = RecoverySheet::read(&printed)?;
/// let password = Credentials::Password(b"a new one".to_vec().into());
/// let cost = options(password.clone()).kdf;
/// Recovery::open(store.clone(), &sheet, client())?.finish(&password, "after recovery", cost)?;
/// assert!(Repository::open(store, &password, client()).is_ok());
/// # Ok(())
/// # }
/// ```
pub struct Recovery {
    repo: Repository,
    store: Arc<dyn StorageBackend>,
    way: Way,
}

impl std::fmt::Debug for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovery").field("repo", &self.repo).finish_non_exhaustive()
    }
}

impl Recovery {
    /// Opens a repository with a sheet instead of a password. Changes nothing.
    ///
    /// # Errors
    /// [`RepoError::OtherSheet`]; [`RepoError::OldSheet`]; [`RepoError::NotEncrypted`] where there are no keys and nothing is lost;
    /// [`RepoError::NoRepository`]; when the store fails. That the log is damaged is a [notice](Self::notices).
    pub fn open(
        store: Arc<dyn StorageBackend>,
        sheet: &RecoverySheet,
        client: Client,
    ) -> Result<Self, RepoError> {
        let location = store.location();
        let (mut config, mut way) = match config::load(&*store) {
            Ok(config) if !sheet.is_of(&config) => return Err(RepoError::OtherSheet { location }),
            Ok(config) if config.cipher == Cipher::None => return Err(RepoError::NotEncrypted { location }),
            Ok(config) => (config, Way::Add),
            Err(RepoError::ConfigLost { .. }) => {
                let instance = instance_of_log(&*store, &sheet.config)?;
                (Config { instance, ..sheet.config.clone() }, Way::Rebuild)
            }
            Err(error) => return Err(error),
        };
        let mut opened = (None, sheet.keyring.clone());
        match way {
            Way::Add => match sheet.unlock(&config) {
                Some((master, keyring)) => opened = (Some(master), keyring),
                None if is_outdated(&sheet.keyring, &config) => return Err(RepoError::OldSheet { location }),
                None => way = Way::Replace,
            },
            _ => {
                let newest = config::newest_generation(&*store)?.max(newest_aside(&*store)?);
                config.generation = config.generation.max(newest) + 1;
            }
        }
        let (master, keyring) = opened;
        let mut repo = Repository::assemble(Arc::clone(&store), config, keyring, (master, None), client)?;
        match repo.read_log() {
            Err(RepoError::Rotated { location }) => return Err(RepoError::OldSheet { location }),
            // Who has a password again can make the log anew.
            Err(error) if error.is_of_log() => {
                repo.note(format!("its log is not whole ({error}): run `warp recover` next"));
            }
            read => read?,
        }
        Ok(Self { repo, store, way })
    }

    /// Whether the repository is encrypted: then [`finish`](Self::finish) needs a new password or key file.
    pub fn is_encrypted(&self) -> bool {
        self.repo.is_encrypted()
    }

    /// Whether the configuration is gone and [`finish`](Self::finish) writes that of the sheet.
    pub fn is_config_lost(&self) -> bool {
        matches!(self.way, Way::Rebuild)
    }

    /// Keys that will not open the repository any more after [`finish`](Self::finish).
    pub fn lost_keys(&self) -> Vec<SlotInfo> {
        match self.way {
            Way::Replace => self.repo.key_slots(),
            Way::Add | Way::Rebuild => Vec::new(),
        }
    }

    /// What a person should know about opening the repository.
    pub fn notices(&self) -> &[String] {
        self.repo.notices()
    }

    /// Makes `new` open the repository and returns the number of its key; `None` without encryption.
    ///
    /// # Errors
    /// [`RepoError::Slots`] when there are too many; [`RepoError::OldSheet`]; when the configuration cannot be written. The old one
    /// then stands.
    pub fn finish(self, new: &Credentials, label: &str, kdf: KdfParams) -> Result<Option<u32>, RepoError> {
        if let Way::Add = self.way {
            return self.repo.key_add(new, label, kdf).map(Some);
        }
        let created = (self.repo.client().now)().secs;
        let keyring = self.repo.chunks().vault().keyring();
        let failed = RepoError::crypto("cannot make a new master key");
        let master = Secret32::generate().map_err(failed)?;
        let mut added = None;
        let mut change = |config: &mut Config| {
            if config.cipher == Cipher::None {
                config.keyring = keys::encode_keyring(keyring)?.to_vec();
                return Ok(());
            }
            if is_outdated(keyring, config) && matches!(self.way, Way::Replace) {
                return Err(RepoError::OldSheet { location: self.repo.location() });
            }
            let id = config.slots.last().map_or(1, |slot| slot.id.saturating_add(1));
            config.slots = vec![keys::make_slot(config.family, id, &master, new, (label, created, kdf))?];
            added = Some(id);
            keys::seal_keyring(config, &master, keyring)
        };
        if let Way::Replace = self.way {
            config::update(&*self.store, &mut change)?;
        } else {
            let mut config = self.repo.config();
            change(&mut config)?;
            if !config::store(&*self.store, &config)? {
                return Err(RepoError::Busy);
            }
        }
        Ok(added)
    }
}

/// Which instance the log, where there is no configuration, is of; checks that it is of the sheet's family. It is another instance
/// than the sheet's where the log was made anew after the sheet was printed.
fn instance_of_log(store: &dyn StorageBackend, sheet: &Config) -> Result<InstanceId, RepoError> {
    let location = store.location();
    match log::any_entry(store)? {
        Some(entry) if entry.family != sheet.family => Err(RepoError::OtherSheet { location }),
        Some(entry) => Ok(entry.instance),
        // Nothing is left that belongs to an instance.
        None if config::has_content(store)? => {
            let instance = crypto::random().map_err(RepoError::crypto("cannot name the repository"))?;
            Ok(InstanceId::new(instance))
        }
        None => Err(RepoError::NoRepository { location }),
    }
}

#[cfg(test)]
mod tests;
