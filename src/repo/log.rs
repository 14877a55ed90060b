//! The log: numbered entries, created if absent, never changed. Its compare-and-swap is the only commit point.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cas::{Part, Vault, envelope_is_whole, open_envelope, pack_name, seal_envelope, segment_name};
use crate::crypto::{self, Signer, sign};
use crate::format::log::{
    CommitRecord, DeviceRecord, EntryPrivate, EntryPublic, LogEntry, PackRecord, RefChange, RefName,
    SegmentRecord, entry_hash, signing_bytes,
};
use crate::id::{AttemptId, CommitId, DeviceId, EntryHash, FamilyId, InstanceId, PackId, SegmentId};
use crate::limits::ENVELOPE_LEN_MAX;
use crate::mutants::{self, Mutant};
use crate::store::{BlobName, Put, StorageBackend};

use super::client::SeenHead;
use super::error::GONE;
use super::near::NearFiles;
use super::state::{LogState, RefMove};
use super::{Client, RepoError, config};

/// Role bit: may add packs, commits and refs.
pub(super) const ROLE_WRITE: u8 = 1;
/// Role bit: may condemn and remove packs, remove segments, and forget commits.
pub(super) const ROLE_GC: u8 = 4;
/// All roles.
pub(super) const ROLES_ALL: u8 = 15;

/// What an entry shall say, before it has a number.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Packs that now exist.
    pub packs_added: Vec<PackRecord>,
    /// Packs that must not be used any more. They can be read until an entry removes them.
    pub packs_condemned: Vec<PackId>,
    /// Packs that no longer exist: condemned ones.
    pub packs_removed: Vec<PackId>,
    /// Files of packs, and of segments, that no entry has added: nobody shall add them later than an entry that removes them.
    pub orphans_condemned: Vec<PackId>,
    /// Files of packs that no entry has added: condemned ones.
    pub orphans_removed: Vec<PackId>,
    /// Files of segments that no entry has added: condemned ones.
    pub orphan_segments_removed: Vec<SegmentId>,
    /// Segments that now exist.
    pub segments_added: Vec<SegmentRecord>,
    /// Segments that no longer exist.
    pub segments_removed: Vec<SegmentId>,
    /// Packs that are relied on.
    pub uses: Vec<PackId>,
    /// Commits that become live.
    pub commits: Vec<CommitRecord>,
    /// Commits whose content the new ones took over: they must still be live.
    pub based_on: Vec<CommitId>,
    /// Commits that are no longer live. No ref may be left on one.
    pub forgotten: Vec<CommitId>,
    /// Refs that move.
    pub refs: Vec<RefMove>,
    /// Devices that are enrolled or revoked.
    pub devices: Vec<DeviceRecord>,
    /// For the reflog.
    pub message: String,
}

/// Reads and appends entries.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) vault: Arc<Vault>,
    pub(super) instance: InstanceId,
    pub(super) root_key: DeviceId,
    location: String,
    healed: Mutex<BTreeSet<u64>>,
    /// Where the log's state is kept, if the store is far.
    pub(super) near: Option<Arc<NearFiles>>,
}

/// An entry that was read.
pub(super) struct StoredEntry {
    /// The entry, healed where its file is damaged.
    pub(super) bytes: Vec<u8>,
    /// Bytes of its file.
    pub(super) file_len: u64,
    /// Its file is so damaged that it had to be healed.
    pub(super) was_healed: bool,
}

/// Whether an attempt to append won.
enum Attempt {
    Won,
    Lost,
}

impl Log {
    pub(super) fn new(vault: Arc<Vault>, instance: InstanceId, root_key: DeviceId) -> Self {
        let location = vault.store().location();
        Self { vault, instance, root_key, location, healed: Mutex::default(), near: None }
    }

    /// The same log, whose state is kept near.
    pub(super) fn keeping_near(self, near: Option<Arc<NearFiles>>) -> Self {
        Self { near, ..self }
    }

    /// Applies all entries that `state` does not have yet. Signatures of entries up to `trusted` were verified before:
    /// the hash chain, checked against the head that was seen, vouches for them.
    pub(super) fn advance(&self, state: &mut LogState, trusted: Option<SeenHead>) -> Result<(), RepoError> {
        while let Some(entry) = self.read(state.number + 1)? {
            let verify = trusted.is_none_or(|seen| state.number + 1 > seen.number);
            self.apply(state, &entry, verify)?;
        }
        Ok(())
    }

    /// As [`advance`](Self::advance), and refuses a log with an entry missing in its middle: what comes after it would
    /// silently be no part of history, and the next entry would take the missing one's place.
    pub(super) fn read_all(&self, state: &mut LogState, seen: Option<SeenHead>) -> Result<(), RepoError> {
        loop {
            self.advance(state, seen)?;
            let last = self.last_listed(state.number)?.max(seen.map_or(0, |seen| seen.number));
            let next = state.number + 1;
            if last < next {
                return self.check_begun(state, last);
            }
            // Another writer may just have appended it.
            if self.read(next)?.is_none() {
                return Err(RepoError::Log { number: next, why: "it is missing, but later ones are there" });
            }
        }
    }

    /// Refuses a log that lacks what `state` was read from, up to the last entry that is `listed`. What the packs hold would
    /// silently be no part of history, and the next gc would take it for left over. (An init that was stopped leaves no log, and
    /// no packs.)
    fn check_begun(&self, state: &LogState, listed: u64) -> Result<(), RepoError> {
        let why = match state.number {
            0 if config::has_content(self.vault.store())? => "it is missing, but there are packs",
            number if listed < number && !self.has(number)? => {
                "it is missing, and so are all before it and after it"
            }
            _ => return Ok(()),
        };
        Err(RepoError::Log { number: state.number.max(1), why })
    }

    /// The highest number of an entry that the store lists, of `from` and those behind it.
    fn last_listed(&self, from: u64) -> Result<u64, RepoError> {
        let store = self.vault.store();
        let names = match from.checked_sub(1) {
            None => store.names(FOLDER),
            Some(before) => store.names_after(FOLDER, &entry_name(before)),
        };
        let names = names.map_err(self.store())?;
        Ok(names.iter().filter_map(entry_number).max().unwrap_or(0))
    }

    /// Appends what `build` makes of the current state, and brings `state` up to the new entry. `build` is asked again
    /// after a lost race, with the state that won.
    pub(super) fn append(
        &self,
        state: &mut LogState,
        device: &Signer,
        client: &Client,
        build: &mut dyn FnMut(&LogState) -> Result<Draft, RepoError>,
    ) -> Result<(), RepoError> {
        loop {
            let draft = build(state)?;
            check(state, &draft)?;
            let number = state.number + 1;
            let bytes = self.encode(state, device, client, draft)?;
            let attempt = self.put(number, &bytes)?;
            let advanced = self.advance(state, None);
            // An entry that stands counts, whatever keeps later ones from being read.
            if matches!(attempt, Attempt::Won) && state.number >= number {
                self.write_checkpoint(state, device);
                return Ok(());
            }
            advanced?;
        }
    }

    fn put(&self, number: u64, bytes: &[u8]) -> Result<Attempt, RepoError> {
        let name = entry_name(number);
        let sealed = seal_entry(&name, bytes)?;
        match self.vault.store().put_new(&name, &[&sealed]).map_err(self.store())? {
            Put::Created => Ok(Attempt::Won),
            // A lost reply is not a lost race: an entry is mine if its bytes, with their random attempt id, are mine.
            // (A mutant of the explorer leaves this out.)
            Put::Exists
                if self.read(number)?.is_some_and(|entry| entry.bytes == bytes)
                    && !mutants::is_on(Mutant::LostReplyTakenForLostRace) =>
            {
                Ok(Attempt::Won)
            }
            Put::Exists => Ok(Attempt::Lost),
        }
    }

    /// Whether there is an entry `number`.
    pub(super) fn has(&self, number: u64) -> Result<bool, RepoError> {
        let len = self.vault.store().len(&entry_name(number)).map_err(self.store())?;
        Ok(len.is_some())
    }

    /// Reads entry `number`; `None`: the log ends before it.
    pub(super) fn read(&self, number: u64) -> Result<Option<StoredEntry>, RepoError> {
        let entry = read_entry(self.vault.store(), number)?;
        if entry.as_ref().is_some_and(|entry| entry.was_healed) {
            self.healed.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        }
        Ok(entry)
    }

    /// Entries that were healed while they were read.
    pub(super) fn healed(&self) -> Vec<u64> {
        self.healed.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Writes the files of damaged entries up to `last` as they were, and returns their names. Those that cannot be healed
    /// are left.
    pub(super) fn repair(&self, last: u64) -> Result<Vec<String>, RepoError> {
        let store = self.vault.store();
        let mut repaired = Vec::new();
        for name in (1..=last).map(entry_name) {
            let found = match store.get(&name, ENVELOPE_LEN_MAX) {
                Err(error) if error.is_not_found() => continue,
                found => found.map_err(self.store())?,
            };
            if envelope_is_whole(&found) {
                continue;
            }
            let Ok(opened) = open_envelope(&found) else { continue };
            let file = name.as_str().to_owned();
            let whole = seal_envelope(&opened.content);
            let whole = whole.map_err(|source| RepoError::Envelope { file: file.clone(), source })?;
            store.replace(&name, &whole).map_err(self.store())?;
            repaired.push(file);
        }
        Ok(repaired)
    }

    pub(super) fn apply(
        &self,
        state: &mut LogState,
        stored: &StoredEntry,
        verify: bool,
    ) -> Result<(), RepoError> {
        let bytes = &stored.bytes[..];
        let number = state.number + 1;
        let file = entry_name(number).as_str().to_owned();
        let format = |source| RepoError::Format { file: file.clone(), source };
        let (entry, signed) = LogEntry::decode(bytes).map_err(format)?;
        let public = &entry.public;
        self.check_chain(state, public)?;
        check_devices(&self.root_key, public)?;
        if verify {
            check_signature(state, &entry, &bytes[signed])?;
        }
        let private = open_private(&self.vault, public)?;
        state.apply(public, private, entry_hash(bytes), stored.file_len)
    }

    fn check_chain(&self, state: &LogState, public: &EntryPublic) -> Result<(), RepoError> {
        let wrong = |why| Err(RepoError::Log { number: state.number + 1, why });
        if public.family != self.vault.family() || public.instance != self.instance {
            return wrong("it belongs to another repository");
        }
        if public.number != state.number + 1 {
            return wrong("it carries another number");
        }
        if public.previous != state.hash.unwrap_or(EntryHash::new([0; 32])) {
            return wrong("it does not follow the entry before it");
        }
        check_epoch(state, public)
    }

    /// The bytes of the entry that follows `state`.
    pub(super) fn encode(
        &self,
        state: &LogState,
        device: &Signer,
        client: &Client,
        mut draft: Draft,
    ) -> Result<Vec<u8>, RepoError> {
        let keyring = self.vault.keyring();
        let (number, epoch) = (state.number + 1, keyring.newest_epoch());
        let format = |source| RepoError::Format { file: entry_name(number).as_str().to_owned(), source };
        if !state.devices.contains_key(&device.public()) && draft.devices.is_empty() {
            draft.devices.push(self.enrol(device));
        }
        let private = self.private(client, &draft);
        let key = keyring.entry_key(epoch).expect("the newest epoch has a key");
        let plain = private.encode().map_err(format)?;
        let sealed = self.vault.seal_with(&key, Part::LogPrivate, self.instance.as_bytes(), number, &plain);
        let public = EntryPublic {
            family: self.vault.family(),
            instance: self.instance,
            number,
            previous: state.hash.unwrap_or(EntryHash::new([0; 32])),
            attempt: AttemptId::new(crypto::random().map_err(RepoError::crypto("cannot name the entry"))?),
            packs_added: draft.packs_added,
            packs_condemned: [draft.packs_condemned, draft.orphans_condemned].concat(),
            packs_removed: [draft.packs_removed, draft.orphans_removed].concat(),
            segments_added: draft.segments_added,
            segments_removed: [draft.segments_removed, draft.orphan_segments_removed].concat(),
            uses: draft.uses,
            commits: draft.commits,
            forgotten: draft.forgotten,
            refs: draft.refs.iter().map(|change| self.ref_change(change)).collect(),
            devices: draft.devices,
            epoch,
            private: sealed,
            device: device.public(),
        };
        let signed = public.encode().map_err(format)?;
        LogEntry::assemble(&signed, &device.sign(&signing_bytes(&signed))).map_err(format)
    }

    fn private(&self, client: &Client, draft: &Draft) -> EntryPrivate {
        let name = |change: &RefMove| RefName {
            id: self.vault.keyring().ref_id(&change.name),
            name: change.name.clone(),
        };
        EntryPrivate {
            time: (client.now)(),
            who: client.who.clone(),
            message: draft.message.clone(),
            names: draft.refs.iter().map(name).collect(),
            device_names: draft.devices.iter().map(|record| (record.device, client.who.clone())).collect(),
        }
    }

    fn ref_change(&self, change: &RefMove) -> RefChange {
        let keyring = self.vault.keyring();
        RefChange {
            id: keyring.ref_id(&change.name),
            namespace: keyring.namespace_id(namespace(&change.name)),
            old: change.old,
            new: change.new,
        }
    }

    /// A record that enrols the device with all roles, certified by the root key.
    fn enrol(&self, device: &Signer) -> DeviceRecord {
        certify(&self.vault, device.public(), ROLES_ALL)
    }

    /// Refuses a log that ends before, or has another entry at, the head that was seen, and one in whose place another was made.
    pub(super) fn check_seen(&self, seen: SeenHead) -> Result<(), RepoError> {
        if seen == SeenHead::REPLACED {
            return Err(RepoError::Replaced { location: self.location.clone() });
        }
        let now = match self.read(seen.number)? {
            Some(entry) if entry_hash(&entry.bytes) == seen.hash => return Ok(()),
            Some(entry) => {
                check_intact(seen.number, &entry.bytes)?;
                "which is another one now".to_owned()
            }
            None => GONE.to_owned(),
        };
        Err(RepoError::Rollback { location: self.location.clone(), seen: seen.number, now })
    }

    pub(super) fn store(&self) -> impl Fn(crate::store::StoreError) -> RepoError + use<> {
        let location = self.location.clone();
        move |source| RepoError::Store { location: location.clone(), source }
    }
}

/// Whether an entry is as a device has signed it, whichever that is. What is not is damaged, and no other entry.
fn check_intact(number: u64, bytes: &[u8]) -> Result<(), RepoError> {
    let file = || entry_name(number).as_str().to_owned();
    let decoded = LogEntry::decode(bytes);
    let (entry, signed) = decoded.map_err(|source| RepoError::Format { file: file(), source })?;
    sign::verify(&entry.public.device, &signing_bytes(&bytes[signed]), &entry.signature)
        .map_err(RepoError::crypto(format!("log entry {number}: its signature does not verify")))
}

/// Opens the private part of an entry.
pub(super) fn open_private(vault: &Vault, public: &EntryPublic) -> Result<EntryPrivate, RepoError> {
    let number = public.number;
    let file = entry_name(number).as_str().to_owned();
    let rotated = || RepoError::Rotated { location: vault.store().location() };
    let key = vault.keyring().entry_key(public.epoch).ok_or_else(rotated)?;
    let place = (public.instance.as_bytes(), public.epoch, number);
    let private = vault
        .open_with(&key, Part::LogPrivate, place, &public.private)
        .map_err(RepoError::crypto(format!("the private part of {file} does not open")))?;
    EntryPrivate::decode(&private).map_err(|source| RepoError::Format { file, source })
}

/// A record of what a device may do, certified by the root key.
pub(super) fn certify(vault: &Vault, device: DeviceId, roles: u8) -> DeviceRecord {
    let mut record = DeviceRecord { device, roles, certificate: [0; 64] };
    let message = record.signing_bytes(vault.family());
    record.certificate = vault.keyring().root_signer().sign(&message);
    record
}

/// Refuses an entry under an older data key than one before it: whoever wrote it has read the log up to there, so it is no writer
/// that follows the rules, but one that knows the older key alone.
pub(super) fn check_epoch(state: &LogState, public: &EntryPublic) -> Result<(), RepoError> {
    match public.epoch < state.epoch {
        true => {
            let why = "it is sealed under an older data key than an entry before it";
            Err(RepoError::Log { number: public.number, why })
        }
        false => Ok(()),
    }
}

/// Whether the root key vouches for every device that the entry enrols or revokes.
pub(super) fn check_devices(root_key: &DeviceId, public: &EntryPublic) -> Result<(), RepoError> {
    for record in &public.devices {
        check_certificate(root_key, public.family, record, &format!("log entry {}", public.number))?;
    }
    Ok(())
}

/// Whether the root key vouches for a device and its roles. `what` names where they stand.
pub(super) fn check_certificate(
    root_key: &DeviceId,
    family: FamilyId,
    record: &DeviceRecord,
    what: &str,
) -> Result<(), RepoError> {
    sign::verify(root_key, &record.signing_bytes(family), &record.certificate).map_err(RepoError::crypto(
        format!("{what}: the certificate of device {} does not verify", record.device.short()),
    ))
}

/// Whether a device that may do what the entry does has signed it.
pub(super) fn check_signature(state: &LogState, entry: &LogEntry, signed: &[u8]) -> Result<(), RepoError> {
    let public = &entry.public;
    let number = public.number;
    let enrolled =
        public.devices.iter().find(|record| record.device == public.device).map(|record| record.roles);
    let roles =
        enrolled.or_else(|| state.devices.get(&public.device).map(|record| record.roles)).unwrap_or(0);
    check_roles(public, roles)?;
    sign::verify(&public.device, &signing_bytes(signed), &entry.signature)
        .map_err(RepoError::crypto(format!("log entry {number}: its signature does not verify")))
}

/// Whether a device of these roles may do what the entry does.
pub(super) fn check_roles(public: &EntryPublic, roles: u8) -> Result<(), RepoError> {
    let number = public.number;
    if roles & ROLE_WRITE == 0 {
        return Err(RepoError::Log { number, why: "its device is not enrolled" });
    }
    let takes_away = !public.packs_condemned.is_empty()
        || !public.packs_removed.is_empty()
        || !public.segments_removed.is_empty()
        || !public.forgotten.is_empty();
    if takes_away && roles & ROLE_GC == 0 {
        return Err(RepoError::Log { number, why: "its device may not take anything away" });
    }
    Ok(())
}

/// What a writer must check again after every lost race.
fn check(state: &LogState, draft: &Draft) -> Result<(), RepoError> {
    let usable = |pack: &PackId| state.packs.contains_key(pack) && !state.condemned.contains_key(pack);
    // (A mutant of the explorer leaves this out.)
    if draft.uses.iter().any(|pack| !usable(pack)) && !mutants::is_on(Mutant::UsesUnchecked) {
        return Err(RepoError::Condemned);
    }
    check_storage(state, draft)?;
    let gone = draft.based_on.iter().find(|id| !state.is_live(id));
    // (A mutant of the explorer leaves this out.)
    if let Some(commit) = gone.filter(|_| !mutants::is_on(Mutant::ForgottenBaseTaken)) {
        return Err(RepoError::BaseForgotten { commit: *commit });
    }
    check_forgotten(state, draft)?;
    match draft.refs.iter().find(|change| state.refs.get(&change.name) != change.old.as_ref()) {
        Some(change) => Err(RepoError::RefMoved { name: change.name.clone() }),
        None => Ok(()),
    }
}

/// No ref is left on a commit that is forgotten.
fn check_forgotten(state: &LogState, draft: &Draft) -> Result<(), RepoError> {
    if draft.forgotten.is_empty() {
        return Ok(());
    }
    let gone: HashSet<&CommitId> = draft.forgotten.iter().collect();
    let moves = |name: &String| draft.refs.iter().any(|change| change.name == *name);
    let stay = state.refs.iter().filter(|(name, _)| !moves(name));
    let arrive = draft.refs.iter().filter_map(|change| Some((&change.name, change.new.as_ref()?)));
    match stay.chain(arrive).find(|(_, commit)| gone.contains(commit)) {
        Some((name, commit)) => Err(RepoError::StillNamed { name: name.clone(), commit: *commit }),
        None => Ok(()),
    }
}

/// What is added has a name that was never there, what is condemned is there and was not yet, what is removed was condemned
/// by an entry before and not used since.
fn check_storage(state: &LogState, draft: &Draft) -> Result<(), RepoError> {
    let refuse = |file: BlobName, why| Err(RepoError::Storage { file: file.as_str().to_owned(), why });
    let swept = draft.packs_added.iter().any(|pack| state.removed_packs.contains(&pack.uid))
        || draft.segments_added.iter().any(|segment| state.removed_segments.contains(&segment.uid));
    // (A mutant of the explorer leaves this out.)
    if swept && !mutants::is_on(Mutant::OwnRemovalIgnored) {
        return Err(RepoError::Condemned);
    }
    for pack in draft.packs_added.iter().map(|pack| pack.uid) {
        if state.packs.contains_key(&pack) {
            return refuse(pack_name(&pack), "an earlier entry of the log names it");
        }
    }
    check_orphans(state, draft)?;
    for pack in &draft.packs_condemned {
        if !state.packs.contains_key(pack) {
            return refuse(pack_name(pack), "it cannot be condemned, since it is not there");
        }
        if state.condemned.contains_key(pack) {
            return refuse(pack_name(pack), "it is condemned already");
        }
    }
    for pack in &draft.packs_removed {
        if !state.packs.contains_key(pack) {
            return refuse(pack_name(pack), "it cannot be removed, since it is not there");
        }
        if !state.is_removable(pack) {
            return refuse(pack_name(pack), "it cannot be removed, since it may be in use");
        }
    }
    for segment in &draft.segments_removed {
        if !state.segments.iter().any(|there| there.uid == *segment) {
            return refuse(segment_name(segment), "it cannot be removed, since it is not there");
        }
    }
    Ok(())
}

/// What is condemned as an orphan was never added nor named, what is removed as one was condemned so by an entry before.
fn check_orphans(state: &LogState, draft: &Draft) -> Result<(), RepoError> {
    let refuse = |file: BlobName, why| Err(RepoError::Storage { file: file.as_str().to_owned(), why });
    let found = draft.orphans_condemned.iter().find(|pack| state.names(pack));
    // (A mutant of the explorer leaves this out.)
    if let Some(pack) = found.filter(|_| !mutants::is_on(Mutant::OrphansNotListedAnew)) {
        return refuse(pack_name(pack), "it is no orphan, since an entry names it");
    }
    if let Some(pack) = draft.orphans_removed.iter().find(|pack| !state.orphans.contains_key(*pack)) {
        return refuse(pack_name(pack), "it is not condemned as an orphan");
    }
    let is_stranger = |uid: &&SegmentId| !state.orphans.contains_key(&PackId::new(*uid.as_bytes()));
    match draft.orphan_segments_removed.iter().find(is_stranger) {
        Some(segment) => refuse(segment_name(segment), "it is not condemned as an orphan"),
        None => Ok(()),
    }
}

/// The group that a ref belongs to: `tags`, `heads`, or `heads/HOST` for branches of one host.
pub(super) fn namespace(name: &str) -> &str {
    let mut slashes = name.match_indices('/').map(|(at, _)| at);
    match (slashes.next(), slashes.next()) {
        (Some(_), Some(second)) => &name[..second],
        (Some(first), None) => &name[..first],
        _ => name,
    }
}

/// The public part of the first entry that can be read, unverified; `None`: there is none.
pub(super) fn any_entry(store: &dyn StorageBackend) -> Result<Option<EntryPublic>, RepoError> {
    let listed = store.list("log/");
    let listed = listed.map_err(|source| RepoError::Store { location: store.location(), source })?;
    for number in listed.iter().filter_map(|blob| entry_number(&blob.name)) {
        let entry = match read_entry(store, number) {
            Err(error @ RepoError::Store { .. }) => return Err(error),
            entry => entry.ok().flatten(),
        };
        if let Some((entry, _)) = entry.and_then(|entry| LogEntry::decode(&entry.bytes).ok()) {
            return Ok(Some(entry.public));
        }
    }
    Ok(None)
}

/// Reads an entry, and heals it where that is needed; `None`: there is none.
pub(super) fn read_entry(store: &dyn StorageBackend, number: u64) -> Result<Option<StoredEntry>, RepoError> {
    let name = entry_name(number);
    let bytes = match store.get(&name, ENVELOPE_LEN_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(source) => return Err(RepoError::Store { location: store.location(), source }),
    };
    open_entry(&name, &bytes).map(Some)
}

/// The entry in the bytes of a file, healed where that is needed.
pub(super) fn open_entry(name: &BlobName, file: &[u8]) -> Result<StoredEntry, RepoError> {
    let opened = open_envelope(file)
        .map_err(|source| RepoError::Envelope { file: name.as_str().to_owned(), source })?;
    let (file_len, was_healed) = (file.len() as u64, opened.was_damaged);
    Ok(StoredEntry { bytes: opened.content.into_owned(), file_len, was_healed })
}

/// The bytes of an entry's file.
pub(super) fn seal_entry(name: &BlobName, bytes: &[u8]) -> Result<Vec<u8>, RepoError> {
    seal_envelope(bytes).map_err(|source| RepoError::Envelope { file: name.as_str().to_owned(), source })
}

/// Where entries of logs lie that others have taken the place of.
pub(super) const LOST: &str = "lost/";

/// Where entries lie.
const FOLDER: &str = "log/";

/// Name of an entry in the store.
pub(super) fn entry_name(number: u64) -> BlobName {
    BlobName::new(&format!("{FOLDER}{number:010}")).expect("digits make a legal name")
}

/// The number of the entry in this blob, if it is one.
pub(super) fn entry_number(name: &BlobName) -> Option<u64> {
    name.as_str().strip_prefix(FOLDER)?.parse().ok()
}

/// The present head of a state, to remember.
pub(super) fn seen_head(state: &LogState) -> Option<SeenHead> {
    state.hash.map(|hash| SeenHead { number: state.number, hash })
}
