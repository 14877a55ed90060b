//! The log as anybody reads it, without keys: whether it is chained and signed, and what its public parts add up to.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::cas::{envelope_is_whole, open_envelope};
use crate::format::config::Config;
use crate::format::dirtree::Timestamp;
use crate::format::log::{CommitRecord, EntryPublic, LogEntry, entry_hash};
use crate::id::{CommitId, DeviceId, EntryHash, FamilyId, InstanceId, PackId, RefId, SegmentId};
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

    /// The log of a repository that others may be about to make: one without entries is whole, and grows by [`Self::catch_up`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn follow(store: &dyn StorageBackend) -> Result<Self, RepoError> {
        let mut log = Self::read(store)?;
        if log.state.number == 0 && store.names("log/").is_ok_and(|names| names.is_empty()) {
            (log.is_whole, log.previous) = (true, Some(EntryHash::new([0; EntryHash::LEN])));
            log.faults.clear();
        }
        Ok(log)
    }

    /// Reads the entries that others have appended since.
    ///
    /// # Errors
    /// When the store fails. A damaged entry is no error: then the log is not whole any more.
    pub fn catch_up(&mut self, store: &dyn StorageBackend) -> Result<(), RepoError> {
        loop {
            let number = self.state.number + 1;
            match store.get(&entry_name(number), ENVELOPE_LEN_MAX) {
                Ok(bytes) => self.entry(number, &bytes),
                Err(error) if error.is_not_found() => return Ok(()),
                Err(source) => return Err(RepoError::Store { location: store.location(), source }),
            }
            if self.state.number != number {
                return Ok(());
            }
        }
    }

    /// What the file of the next entry says, if it may follow: it is signed by a device that may do that, chained to the last one, and
    /// keeps the rules that can be checked without keys. Nothing is applied.
    ///
    /// # Errors
    /// Which rule it breaks; a file that would have to be healed is refused as well.
    pub fn check_next(&self, file: &[u8]) -> Result<EntryPublic, RepoError> {
        let number = self.state.number + 1;
        let name = || entry_name(number).as_str().to_owned();
        let opened = open_envelope(file).map_err(|source| RepoError::Envelope { file: name(), source })?;
        if !envelope_is_whole(file) {
            return Err(RepoError::Log { number, why: "its file is damaged" });
        }
        if !self.is_whole {
            return Err(RepoError::Log { number, why: "entries before it are damaged or missing" });
        }
        let public = self.checked(number, &opened.content)?;
        self.check_storage(&public)?;
        Ok(public)
    }

    /// Where a ref stands, by its opaque name.
    pub fn stands(&self, id: &RefId) -> Option<CommitId> {
        self.refs.get(id).copied()
    }

    /// Whether `after` descends from `before`, or is it, as far as the log and `new` commits tell.
    pub fn is_forward(&self, before: CommitId, after: CommitId, new: &[CommitRecord]) -> bool {
        let new: HashMap<CommitId, &[CommitId]> =
            new.iter().map(|commit| (commit.id, &commit.parents[..])).collect();
        let (mut seen, mut open) = (HashSet::new(), vec![after]);
        while let Some(id) = open.pop() {
            if id == before {
                return true;
            }
            if seen.insert(id) {
                let parents =
                    new.get(&id).copied().or_else(|| self.state.parents.get(&id).map(Vec::as_slice));
                open.extend(parents.unwrap_or_default());
            }
        }
        false
    }

    /// What packs and segments an entry may add, use, condemn and remove.
    fn check_storage(&self, public: &EntryPublic) -> Result<(), RepoError> {
        let wrong = |why| Err(RepoError::Log { number: public.number, why });
        let state = &self.state;
        let is_usable = |pack: &PackId| state.packs.contains_key(pack) && !state.condemned.contains_key(pack);
        if !public.uses.iter().all(is_usable) {
            return wrong("it uses a pack that is condemned or not there");
        }
        if public.packs_condemned.iter().any(|pack| state.condemned.contains_key(pack)) {
            return wrong("it condemns a pack that is condemned already");
        }
        let may_go = |pack: &PackId| state.is_removable(pack) || state.orphans.contains_key(pack);
        if !public.packs_removed.iter().all(may_go) {
            return wrong("it removes a pack that may be in use");
        }
        let is_there = |uid: &SegmentId| {
            state.segments.iter().any(|segment| segment.uid == *uid)
                || state.orphans.contains_key(&PackId::new(*uid.as_bytes()))
        };
        if !public.segments_removed.iter().all(is_there) {
            return wrong("it removes an index segment that is not there");
        }
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

    /// Checks an entry and moves the refs as it says.
    fn verified(&mut self, number: u64, bytes: &[u8]) -> Result<EntryPublic, RepoError> {
        let public = self.checked(number, bytes)?;
        self.whose = Some((public.family, public.instance));
        for change in &public.refs {
            match change.new {
                Some(new) => self.refs.insert(change.id, new),
                None => self.refs.remove(&change.id),
            };
        }
        Ok(public)
    }

    fn checked(&self, number: u64, bytes: &[u8]) -> Result<EntryPublic, RepoError> {
        let file = || entry_name(number).as_str().to_owned();
        let (entry, signed) =
            LogEntry::decode(bytes).map_err(|source| RepoError::Format { file: file(), source })?;
        let public = &entry.public;
        let wrong = |why| Err(RepoError::Log { number, why });
        if public.number != number {
            return wrong("it carries another number");
        }
        let whose = self.whose.unwrap_or((public.family, public.instance));
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
    fn check_rules(&self, public: &EntryPublic) -> Result<(), RepoError> {
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
        Ok(())
    }
}
