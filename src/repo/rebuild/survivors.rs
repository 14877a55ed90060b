//! What entries and checkpoints of a log say of which others are missing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::cas::open_envelope;
use crate::crypto::sign;
use crate::format::checkpoint::Checkpoint;
use crate::format::log::{EntryPrivate, EntryPublic, LogEntry, PackRecord, entry_hash, signing_bytes};
use crate::id::{CommitId, DeviceId, EntryHash, InstanceId, PackId};

use super::super::RepoError;
use super::super::log::{Log, ROLES_ALL, check_devices, check_roles, open_entry, open_private};
use super::super::state::LogState;
use super::{OldFile, Rebuild, stored};

/// What survives says, in its order.
#[derive(Debug, Default)]
pub(crate) struct Survivors {
    /// Entries that count.
    pub(crate) read: u64,
    /// How many there were at least.
    pub(crate) known: u64,
    /// How many of them are missing of what they said: what is not read, and lies after the last checkpoint.
    pub(crate) missing: u64,
    /// Files that do not count, and why.
    pub(crate) faults: Vec<(String, RepoError)>,
    /// All packs that ever were added, as far as is known.
    pub(crate) packs: HashMap<PackId, PackRecord>,
    /// All commits that ever were added, in the order in which they first came.
    pub(crate) commits: Vec<CommitId>,
    /// Their parents.
    pub(crate) parents: HashMap<CommitId, Vec<CommitId>>,
    /// Commits that are forgotten, some of which nothing that survives has added.
    pub(crate) forgotten: HashSet<CommitId>,
    /// Where each ref stood, the last place last; `None`: it was deleted.
    pub(crate) refs: BTreeMap<String, Vec<Option<CommitId>>>,
    /// Devices, and what they may; nothing: they were revoked.
    pub(crate) devices: BTreeMap<DeviceId, u8>,
}

/// What could be read. Whether anybody vouches for an entry is not known yet.
struct Found {
    file: String,
    generation: u64,
    instance: InstanceId,
    number: u64,
    says: Says,
}

enum Says {
    Entry(Box<EntryPublic>),
    /// What all entries up to its own add up to.
    Checkpoint(Box<LogState>),
}

/// What is known of one log.
#[derive(Debug, Default)]
struct Known {
    /// Number of the last entry.
    last: u64,
    /// Of the last checkpoint.
    checkpoint: u64,
    /// Entries after it that were read.
    after: u64,
}

impl Rebuild {
    /// Reads all that is left, that of earlier recoveries too. An entry counts if a device has signed it that the root
    /// key certifies, in any of them; `vouched` names devices that count besides: those whose commits lie sealed in the packs.
    pub(crate) fn survivors(&self, mut vouched: HashSet<DeviceId>) -> Result<Survivors, RepoError> {
        vouched.insert(self.repo.device()?);
        let mut survivors = Survivors::default();
        let mut found = self.find(&mut survivors.faults)?;
        sort(&mut found);
        let certified = certified(&found);
        let mut known = self.known(&found)?;
        for Found { file, instance, number, says, .. } in found {
            let known = known.entry(instance).or_default();
            let is_told = number <= known.checkpoint;
            match says {
                Says::Checkpoint(state) if number == known.checkpoint => survivors.apply_state(&state),
                Says::Checkpoint(_) => {}
                Says::Entry(public) => {
                    match self.trusted(&public, &survivors.devices, (&certified, &vouched)) {
                        Ok(_) if is_told => survivors.read += 1,
                        Ok(private) => {
                            (known.last, known.after) = (known.last.max(number), known.after + 1);
                            survivors.apply(&public, &private);
                        }
                        Err(error) => survivors.faults.push((file, error)),
                    }
                }
            }
        }
        survivors.count(known.values());
        Ok(survivors)
    }

    /// All that is left, each entry and checkpoint once.
    fn find(&self, faults: &mut Vec<(String, RepoError)>) -> Result<Vec<Found>, RepoError> {
        let (mut found, mut seen): (Vec<Found>, HashSet<EntryHash>) = Default::default();
        for old in self.aside()?.into_iter().chain(self.present()?) {
            let bytes = stored(&*self.store, &old.name)?;
            let read =
                if old.is_checkpoint { self.checkpoint(&old, &bytes) } else { self.entry(&old, &bytes) };
            match read {
                Ok((hash, next)) if seen.insert(hash) => found.push(next),
                Ok(_) => {}
                Err(error) => faults.push((old.name.as_str().to_owned(), error)),
            }
        }
        Ok(found)
    }

    /// An entry of this family that is signed by the device that it names, and in which the root key vouches for all devices
    /// that it enrols.
    fn entry(&self, old: &OldFile, bytes: &[u8]) -> Result<(EntryHash, Found), RepoError> {
        let (file, number) = (old.name.as_str().to_owned(), old.number);
        let bytes = open_entry(&old.name, bytes)?.bytes;
        let decoded = LogEntry::decode(&bytes);
        let (entry, signed) = decoded.map_err(|source| RepoError::Format { file: file.clone(), source })?;
        let LogEntry { public, signature } = entry;
        let wrong = |why| Err(RepoError::Log { number, why });
        if public.family != self.vault().family() {
            return wrong("it belongs to another repository");
        }
        if public.number != number {
            return wrong("it carries another number");
        }
        check_devices(&DeviceId::new(self.repo.config().root_key), &public)?;
        sign::verify(&public.device, &signing_bytes(&bytes[signed]), &signature)
            .map_err(RepoError::crypto(format!("log entry {number}: its signature does not verify")))?;
        let (generation, instance) = (old.generation, public.instance);
        let says = Says::Entry(Box::new(public));
        Ok((entry_hash(&bytes), Found { file, generation, instance, number, says }))
    }

    /// A checkpoint of any log of this family, which a device has signed that the root key certifies.
    fn checkpoint(&self, old: &OldFile, bytes: &[u8]) -> Result<(EntryHash, Found), RepoError> {
        let (file, number) = (old.name.as_str().to_owned(), old.number);
        let opened = open_envelope(bytes);
        let content = opened.map_err(|source| RepoError::Envelope { file: file.clone(), source })?.content;
        let decoded = Checkpoint::decode(&content);
        let (checkpoint, ..) = decoded.map_err(|source| RepoError::Format { file: file.clone(), source })?;
        let (generation, instance) = (old.generation, checkpoint.instance);
        let root_key = DeviceId::new(self.repo.config().root_key);
        let log = Log::new(Arc::clone(self.vault()), instance, root_key);
        let state = log.open_checkpoint(&file, (number, 0), bytes)?;
        let says = Says::Checkpoint(Box::new(state));
        Ok((entry_hash(&content), Found { file, generation, instance, number, says }))
    }

    /// What checkpoints, and what this client remembers, tell of each log.
    fn known(&self, found: &[Found]) -> Result<HashMap<InstanceId, Known>, RepoError> {
        let instance = self.repo.instance();
        let seen = self.repo.client().seen(instance)?.map_or(0, |seen| seen.number);
        let mut known: HashMap<InstanceId, Known> = HashMap::new();
        known.entry(instance).or_default().last = seen;
        for found in found.iter().filter(|found| matches!(found.says, Says::Checkpoint(_))) {
            let known = known.entry(found.instance).or_default();
            known.checkpoint = known.checkpoint.max(found.number);
            known.last = known.last.max(found.number);
        }
        Ok(known)
    }

    /// Opens an entry, if its device may do what it does.
    fn trusted(
        &self,
        public: &EntryPublic,
        devices: &BTreeMap<DeviceId, u8>,
        (certified, vouched): (&HashMap<DeviceId, u8>, &HashSet<DeviceId>),
    ) -> Result<EntryPrivate, RepoError> {
        let device = &public.device;
        let own = public.devices.iter().find(|record| record.device == *device).map(|record| record.roles);
        let roles = own.or_else(|| devices.get(device).copied());
        let roles = roles.or_else(|| certified.get(device).copied());
        let roles = roles.or_else(|| vouched.contains(device).then_some(ROLES_ALL));
        check_roles(public, roles.unwrap_or(0))?;
        open_private(self.vault(), public)
    }
}

/// Sorts by the age of the logs, which the oldest generation tells in which anything of a log lay, and by number; what an entry
/// says comes before what a checkpoint says of it.
fn sort(found: &mut [Found]) {
    let mut ages: HashMap<InstanceId, u64> = HashMap::new();
    for found in found.iter() {
        let age = ages.entry(found.instance).or_insert(found.generation);
        *age = (*age).min(found.generation);
    }
    found.sort_by_key(|found| {
        let is_checkpoint = matches!(found.says, Says::Checkpoint(_));
        (ages[&found.instance], found.instance, found.number, is_checkpoint)
    });
}

/// What anything certifies a device for, the last of what gives it a role.
fn certified(found: &[Found]) -> HashMap<DeviceId, u8> {
    let mut certified = HashMap::new();
    for found in found {
        match &found.says {
            Says::Entry(public) => certified.extend(
                public
                    .devices
                    .iter()
                    .filter(|record| record.roles != 0)
                    .map(|record| (record.device, record.roles)),
            ),
            Says::Checkpoint(state) => {
                certified.extend(state.devices.values().map(|record| (record.device, record.roles)));
            }
        }
    }
    certified
}

impl Survivors {
    fn apply(&mut self, public: &EntryPublic, private: &EntryPrivate) {
        self.read += 1;
        self.packs.extend(public.packs_added.iter().map(|pack| (pack.uid, *pack)));
        for commit in &public.commits {
            self.forgotten.remove(&commit.id);
            self.name(commit.id, &commit.parents);
        }
        self.forgotten.extend(&public.forgotten);
        // A device that was revoked stays known: what it has signed later does not count.
        self.devices.extend(public.devices.iter().map(|record| (record.device, record.roles)));
        for change in &public.refs {
            if let Some(name) = private.names.iter().find(|name| name.id == change.id) {
                self.move_ref(&name.name, change.old, change.new);
            }
        }
    }

    /// Takes what a checkpoint holds in the place of all entries up to it.
    fn apply_state(&mut self, state: &LogState) {
        self.packs.extend(state.packs.values().map(|pack| (pack.uid, *pack)));
        for commit in state.ever_live() {
            self.name(commit.id, &commit.parents);
            match state.is_live(&commit.id) {
                true => self.forgotten.remove(&commit.id),
                false => self.forgotten.insert(commit.id),
            };
        }
        for roles in self.devices.values_mut() {
            *roles = 0;
        }
        self.devices.extend(state.devices.values().map(|record| (record.device, record.roles)));
        for change in &state.reflog {
            self.move_ref(&change.name, change.old, change.new);
        }
    }

    fn name(&mut self, id: CommitId, parents: &[CommitId]) {
        if self.parents.insert(id, parents.to_vec()).is_none() {
            self.commits.push(id);
        }
    }

    fn move_ref(&mut self, name: &str, old: Option<CommitId>, new: Option<CommitId>) {
        let places = self.refs.entry(name.to_owned()).or_default();
        // Where it stood, an entry may have said that is lost.
        if places.last() != Some(&old) {
            places.push(old);
        }
        places.push(new);
    }

    fn count<'a>(&mut self, known: impl Iterator<Item = &'a Known>) {
        let entries = self.read + self.faults.iter().filter(|(file, _)| !is_checkpoint(file)).count() as u64;
        for log in known {
            self.known = self.known.saturating_add(log.last);
            let after = log.last.saturating_sub(log.checkpoint);
            self.missing = self.missing.saturating_add(after.saturating_sub(log.after));
        }
        self.known = self.known.max(entries);
    }
}

fn is_checkpoint(file: &str) -> bool {
    file.starts_with(super::checkpoint::FOLDER) || file.ends_with(super::CHECKPOINT)
}
