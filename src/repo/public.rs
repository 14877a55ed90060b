//! The log as anybody reads it, without keys: whether it is chained and signed, and what its public parts add up to.

use std::collections::{BTreeSet, HashMap};

use crate::cas::{envelope_is_whole, open_envelope};
use crate::format::config::Config;
use crate::format::dirtree::Timestamp;
use crate::format::log::{EntryPublic, LogEntry, entry_hash};
use crate::id::{CommitId, DeviceId, EntryHash, FamilyId, InstanceId, RefId};
use crate::limits::ENVELOPE_LEN_MAX;
use crate::store::{StorageBackend, StoreError};

use super::checkpoint::damaged_checkpoints;
use super::config::Examined;
use super::log::{check_devices, check_epoch, check_signature, entry_name, entry_number};
use super::{LogState, RepoError, config};

/// What the configuration and the public parts of all entries say, and everything that is wrong with them.
///
/// Every signature is verified, also of entries that a client has seen before, and an entry that is damaged does not keep
/// the later ones from being read. What a damaged entry says does not count.
#[derive(Debug, Default)]
pub struct PublicLog {
    /// What exists. Names of refs are sealed, so there are none.
    pub state: LogState,
    /// What is wrong: the file's name in the store, and how. Damage that can be healed is there, too.
    pub faults: Vec<(String, RepoError)>,
    /// No entry is missing or damaged, so `state` is what the log says.
    pub is_whole: bool,
    /// Where refs stand, by their opaque names.
    refs: HashMap<RefId, CommitId>,
    /// Hash of the entry before the next one; `None`: that entry is damaged.
    previous: Option<EntryHash>,
    whose: Option<(FamilyId, InstanceId)>,
    root_key: Option<DeviceId>,
}

impl PublicLog {
    /// Reads the configuration and the whole log.
    ///
    /// # Errors
    /// [`RepoError::NoRepository`] where there is neither; when the store fails. Damage is no error.
    pub fn read(store: &dyn StorageBackend) -> Result<Self, RepoError> {
        let Examined { config, faults, .. } = config::examine(store)?;
        if config.is_none() && !config::has_log(store)? {
            return Err(RepoError::NoRepository { location: store.location() });
        }
        let previous = Some(EntryHash::new([0; EntryHash::LEN]));
        let mut log = Self { faults, is_whole: true, previous, ..Self::default() };
        log.trust(config.as_ref());
        log.read_entries(store)?;
        Ok(log)
    }

    /// Adds what can be told of checkpoints without keys: which are damaged.
    ///
    /// # Errors
    /// When the store fails.
    pub fn look_at_checkpoints(&mut self, store: &dyn StorageBackend) -> Result<(), RepoError> {
        self.faults.extend(damaged_checkpoints(store)?);
        Ok(())
    }

    fn trust(&mut self, config: Option<&Config>) {
        self.whose = config.map(|config| (config.family, config.instance));
        self.root_key = config.map(|config| DeviceId::new(config.root_key));
    }

    fn read_entries(&mut self, store: &dyn StorageBackend) -> Result<(), RepoError> {
        let failed = |source| RepoError::Store { location: store.location(), source };
        let listed = store.list("log/").map_err(failed)?;
        let listed: BTreeSet<u64> = listed.iter().filter_map(|blob| entry_number(&blob.name)).collect();
        let mut number = 1;
        loop {
            match store.get(&entry_name(number), ENVELOPE_LEN_MAX) {
                Ok(bytes) => self.entry(number, &bytes),
                Err(error @ StoreError::TooLarge { .. }) => self.fault(number, failed(error)),
                Err(error) if error.is_not_found() => match listed.range(number..).next() {
                    Some(later) => {
                        let why = "it is missing, but later ones are there";
                        self.fault(number, RepoError::Log { number, why });
                        number = *later;
                        continue;
                    }
                    None if number == 1 => {
                        self.fault(1, RepoError::Log { number, why: "it is missing: there is no log" });
                        return Ok(());
                    }
                    None => return Ok(()),
                },
                Err(error) => return Err(failed(error)),
            }
            number += 1;
        }
    }

    fn fault(&mut self, number: u64, error: RepoError) {
        self.faults.push((entry_name(number).as_str().to_owned(), error));
        self.is_whole = false;
        self.previous = None;
    }

    /// Applies an entry or, if anything is wrong with it, notes that.
    fn entry(&mut self, number: u64, file: &[u8]) {
        let name = || entry_name(number).as_str().to_owned();
        let bytes = match open_envelope(file) {
            Ok(opened) => opened.content,
            Err(source) => return self.fault(number, RepoError::Envelope { file: name(), source }),
        };
        if !envelope_is_whole(file) {
            self.faults.push((name(), RepoError::Healable { file: name() }));
        }
        match self.verified(number, &bytes) {
            Ok(public) => {
                let hash = entry_hash(&bytes);
                self.state.apply_public(&public, Timestamp::default(), hash, file.len() as u64);
                self.previous = Some(hash);
            }
            Err(error) => self.fault(number, error),
        }
    }

    fn verified(&mut self, number: u64, bytes: &[u8]) -> Result<EntryPublic, RepoError> {
        let file = || entry_name(number).as_str().to_owned();
        let (entry, signed) =
            LogEntry::decode(bytes).map_err(|source| RepoError::Format { file: file(), source })?;
        let public = &entry.public;
        let wrong = |why| Err(RepoError::Log { number, why });
        if public.number != number {
            return wrong("it carries another number");
        }
        let whose = *self.whose.get_or_insert((public.family, public.instance));
        if whose != (public.family, public.instance) {
            return wrong("it belongs to another repository");
        }
        if self.previous.is_some_and(|previous| previous != public.previous) {
            return wrong("it does not follow the entry before it");
        }
        check_epoch(&self.state, public)?;
        if let Some(root_key) = &self.root_key {
            check_devices(root_key, public)?;
        }
        // What is enrolled may stand in an entry that is lost.
        match check_signature(&self.state, &entry, &bytes[signed]) {
            Err(RepoError::Log { .. }) if !self.is_whole => {}
            checked => checked?,
        }
        self.check_rules(public)?;
        Ok(entry.public)
    }

    /// Refs move from where they stand; names of packs and segments are never used again.
    fn check_rules(&mut self, public: &EntryPublic) -> Result<(), RepoError> {
        let wrong = |why| Err(RepoError::Log { number: public.number, why });
        let state = &self.state;
        let is_known = |uid| state.packs.contains_key(uid) || state.removed_packs.contains(uid);
        if public.packs_added.iter().any(|pack| is_known(&pack.uid)) {
            return wrong("it adds a pack that an earlier entry names");
        }
        if public.segments_added.iter().any(|segment| state.removed_segments.contains(&segment.uid)) {
            return wrong("it adds an index segment that an earlier entry removed");
        }
        for change in &public.refs {
            let stands = self.refs.get(&change.id);
            if self.is_whole && stands != change.old.as_ref() {
                return wrong("it moves a ref from where the ref did not stand");
            }
        }
        for change in &public.refs {
            match change.new {
                Some(new) => self.refs.insert(change.id, new),
                None => self.refs.remove(&change.id),
            };
        }
        Ok(())
    }
}
