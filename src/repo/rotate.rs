//! Rotating the keys: a new data key, and a new master key over all of them.
//!
//! Whoever was removed may still know the master key that every slot opens, so the keyring with the new data key is sealed under
//! a new one, and a slot can be made for it only from what opens that slot. The new configuration is the point at which the
//! keys are others: from then on every process that opens the repository writes under the new data key. The entry of the log that
//! follows tells those that run already. If it never comes, the next entry of anybody does, and nothing is lost.

use std::sync::Arc;

use crate::crypto::{Keyring, Secret32};
use crate::format::config::Config;

use super::keys::{self, Credentials, SlotInfo};
use super::{Draft, RepoError, Repository, config};

/// What a rotation of the keys did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// Number of the new data key.
    pub epoch: u32,
    /// Number of the key that opens the repository from now on.
    pub key: u32,
    /// Keys that opened it before, and open it no more.
    pub removed: Vec<SlotInfo>,
}

/// What a rotation writes.
struct Made {
    master: Secret32,
    keyring: Keyring,
    slot: u32,
}

impl Repository {
    /// Adds a data key, which seals what is written from now on, and seals all of them under a new master key. `credentials` must be
    /// those that opened this handle: they open the repository afterwards, and nothing else does.
    ///
    /// What is stored stays under its older data keys until it is written anew. Ids, chunking and the root key stay as they are.
    /// Other processes that have the repository open are refused their next entry, with [`RepoError::Rotated`].
    ///
    /// # Errors
    /// [`RepoError::OtherKeys`] where others open the repository and `remove_others` is not set; [`RepoError::WrongPassword`];
    /// [`RepoError::NotEncrypted`]; [`RepoError::Rotated`] where another process was faster. Nothing has changed then. When the store
    /// fails: the keys are the old or the new ones.
    pub fn key_rotate(
        &self,
        credentials: &Credentials,
        remove_others: bool,
    ) -> Result<(Self, Rotation), RepoError> {
        self.master()?;
        let before = self.config();
        let (slot, _) = keys::open_slots(&before, credentials, &self.location())?;
        if self.slot != Some(slot) {
            return Err(RepoError::WrongPassword { location: self.location() });
        }
        let others = |config: &Config| -> Vec<SlotInfo> {
            let others = config.slots.iter().filter(|other| other.id != slot);
            others.map(|other| keys::slot_info(other, None)).collect()
        };
        let removed = others(&before);
        let mut made = None;
        let changed = config::update(self.chunks().vault().store(), &mut |config| {
            self.check_keys(config)?;
            if others(config) != removed {
                let why = "another process adds or removes keys; look at them and run it again";
                return Err(RepoError::Slots { why });
            }
            if !remove_others && !removed.is_empty() {
                return Err(RepoError::OtherKeys { keys: removed.clone() });
            }
            made = Some(self.renew_keys(config, slot, credentials)?);
            Ok(())
        })?;
        let Made { master, keyring, slot } = made.expect("an update calls what it is given");
        let epoch = keyring.newest_epoch();
        let repo = self.reopened(changed, keyring, (master, slot))?;
        Ok((repo, Rotation { epoch, key: slot, removed }))
    }

    /// Puts new keys into a configuration, and one slot for them.
    fn renew_keys(
        &self,
        config: &mut Config,
        slot: u32,
        credentials: &Credentials,
    ) -> Result<Made, RepoError> {
        let failed = || RepoError::crypto("cannot make a new key");
        let mut keyring = keys::open_keyring(config, Some(self.master()?))?;
        keyring.add_epoch().map_err(failed())?;
        let master = Secret32::generate().map_err(failed())?;
        let old = config.slots.iter().find(|old| old.id == slot).ok_or(RepoError::NoSlot { id: slot })?;
        let about = (old.label.as_str(), (self.client().now)().secs, old.kdf);
        let id = config.slots.last().map_or(1, |last| last.id.saturating_add(1));
        config.slots = vec![keys::make_slot(config.family, id, &master, credentials, about)?];
        keys::seal_keyring(config, &master, &keyring)?;
        Ok(Made { master, keyring, slot: id })
    }

    /// The repository with its new keys, and an entry under them.
    fn reopened(
        &self,
        config: Config,
        keyring: Keyring,
        (master, slot): (Secret32, u32),
    ) -> Result<Self, RepoError> {
        let store = self.chunks().vault().shared_store();
        let opened = (Some(master), Some(slot));
        let mut repo = Self::assemble(Arc::clone(&store), config, keyring, opened, self.client().clone())?;
        repo.read_log()?;
        repo.append(&mut |_| Ok(Draft { message: "key rotate".to_owned(), ..Draft::default() }))?;
        Ok(repo)
    }
}

#[cfg(test)]
mod tests;
