//! Checkpoints: so that nobody has to read the whole log. `format/checkpoint.md` says what they look like.
//!
//! They only save time. One that cannot be used is passed over, and one that cannot be written is left to the next writer.

use std::collections::BTreeMap;

use crate::cas::{Part, envelope_is_whole, open_envelope, seal_envelope};
use crate::crypto::{Signer, sign};
use crate::format::checkpoint::{
    Checkpoint, CheckpointBody, CondemnedRecord, RefMovement, checkpoint_signing_bytes,
};
use crate::format::log::{CommitRecord, RefName};
use crate::id::{CommitId, PackId, RefId};
use crate::limits::ENVELOPE_LEN_MAX;
use crate::store::{BlobName, StorageBackend};

use super::RepoError;
use super::client::SeenHead;
use super::log::{Log, ROLE_WRITE, check_certificate, seen_head};
use super::state::{Condemned, LogState, RefLogEntry};

/// After how many entries a writer adds a checkpoint: reading as many takes about a millisecond.
pub(super) const EVERY: u64 = 64;
/// How many checkpoints are kept: one more than is needed, for whoever has begun to read it.
const KEPT: usize = 2;
/// After how many entries the state is kept near again.
const NEAR_EVERY: u64 = 4;
pub(super) const FOLDER: &str = "checkpoint/";

fn name(number: u64) -> BlobName {
    BlobName::new(&format!("{FOLDER}{number:010}")).expect("digits make a legal name")
}

/// The number of the checkpoint in this blob, if it is one.
pub(super) fn number_of(name: &BlobName) -> Option<u64> {
    name.as_str().strip_prefix(FOLDER)?.parse().ok()
}

impl Log {
    /// The state of the newest checkpoint that can be used; without any the empty one.
    pub(super) fn start(&self) -> LogState {
        let numbers = self.checkpoints().unwrap_or_default();
        // Whoever knows older keys alone could make a checkpoint that says anything.
        let newest = self.vault.keyring().newest_epoch();
        let usable = numbers.into_iter().rev().find_map(|number| self.read_checkpoint(number, newest).ok());
        usable.unwrap_or_default()
    }

    /// The state that was kept near, if what is seen of the log goes on from it.
    pub(super) fn start_near(&self, seen: SeenHead) -> Option<LogState> {
        let kept = self.near.as_ref()?.state()?;
        let (number, rest) = kept.split_first_chunk()?;
        let (checkpoint, file) = rest.split_first_chunk()?;
        let (number, checkpoint) = (u64::from_le_bytes(*number), u64::from_le_bytes(*checkpoint));
        let newest = self.vault.keyring().newest_epoch();
        let state =
            self.open_checkpoint("the state of the log that was kept", (number, newest), file).ok()?;
        let goes_on = number < seen.number || seen_head(&state) == Some(seen);
        goes_on.then_some(LogState { checkpoint, ..state })
    }

    /// Keeps the state near, if that is worth it: `from` is what it was read from.
    pub(super) fn keep_near(&self, state: &LogState, from: u64, device: &Signer) {
        let Some(near) = self.near.as_ref().filter(|_| state.number >= from + NEAR_EVERY) else { return };
        if let Some(file) = self.sealed_checkpoint(state, device) {
            let numbers = [state.number.to_le_bytes(), state.checkpoint.to_le_bytes()].concat();
            near.keep_state(&[numbers, file].concat());
        }
    }

    /// Numbers of the checkpoints that there are, ascending.
    fn checkpoints(&self) -> Result<Vec<u64>, RepoError> {
        let listed = self.vault.store().list(FOLDER).map_err(self.store())?;
        Ok(listed.iter().filter_map(|blob| number_of(&blob.name)).collect())
    }

    /// Reads a checkpoint that is sealed under the data key `oldest` or a newer one.
    fn read_checkpoint(&self, number: u64, oldest: u32) -> Result<LogState, RepoError> {
        let bytes = self.vault.store().get(&name(number), ENVELOPE_LEN_MAX).map_err(self.store())?;
        self.open_checkpoint(name(number).as_str(), (number, oldest), &bytes)
    }

    /// The state of the checkpoint in the bytes of a file, if it is sealed under the data key `oldest` or a newer one.
    pub(super) fn open_checkpoint(
        &self,
        file: &str,
        (number, oldest): (u64, u32),
        bytes: &[u8],
    ) -> Result<LogState, RepoError> {
        let file = || file.to_owned();
        let format = |source| RepoError::Format { file: file(), source };
        let wrong = |why| RepoError::Checkpoint { file: file(), why };
        let opened = open_envelope(bytes);
        let content = opened.map_err(|source| RepoError::Envelope { file: file(), source })?.content;
        let (found, signed, signature) = Checkpoint::decode(&content).map_err(format)?;
        if (found.family, found.instance, found.number) != (self.vault.family(), self.instance, number) {
            return Err(wrong("it belongs elsewhere"));
        }
        if found.epoch < oldest {
            return Err(wrong("it is sealed under an older data key"));
        }
        let key = self.vault.keyring().entry_key(found.epoch);
        let key =
            key.ok_or_else(|| wrong("it is sealed under a data key that this keyring does not have"))?;
        let place = (self.instance.as_bytes(), found.epoch, number);
        let body = self.vault.open_with(&key, Part::Checkpoint, place, &found.body);
        let body = body.map_err(RepoError::crypto(format!("{} does not open", file())))?;
        let body = CheckpointBody::decode(&body).map_err(format)?;
        let signer = body.devices.iter().find(|device| device.device == found.device);
        let signer = signer.filter(|device| device.roles & ROLE_WRITE != 0);
        check_certificate(
            &self.root_key,
            self.vault.family(),
            signer.ok_or_else(|| wrong("its device is not enrolled"))?,
            &file(),
        )?;
        sign::verify(&found.device, &checkpoint_signing_bytes(signed), &signature)
            .map_err(RepoError::crypto(format!("the signature of {} does not verify", file())))?;
        let mut state = LogState::from_body(body);
        (state.number, state.hash, state.checkpoint) = (number, Some(found.hash), number);
        Ok(state)
    }

    /// Writes a checkpoint if the last one lies far enough back; who began with what was kept near may not know of those that others have written since,
    /// and write one more. What goes wrong is of no consequence.
    pub(super) fn write_checkpoint(&self, state: &mut LogState, device: &Signer) {
        if state.number < state.checkpoint + EVERY {
            return;
        }
        let written = self.sealed_checkpoint(state, device);
        let stored =
            written.and_then(|bytes| self.vault.store().put_new(&name(state.number), &[&bytes]).ok());
        if stored.is_some() {
            state.checkpoint = state.number;
            self.delete_old_checkpoints();
        }
    }

    /// The file of a checkpoint; `None`: the state is too long for one.
    fn sealed_checkpoint(&self, state: &LogState, device: &Signer) -> Option<Vec<u8>> {
        let keyring = self.vault.keyring();
        let key = keyring.entry_key(keyring.newest_epoch())?;
        let plain = state.body().encode().ok()?;
        let unsigned = Checkpoint {
            family: self.vault.family(),
            instance: self.instance,
            number: state.number,
            hash: state.hash?,
            epoch: keyring.newest_epoch(),
            device: device.public(),
            body: self.vault.seal_with(
                &key,
                Part::Checkpoint,
                self.instance.as_bytes(),
                state.number,
                &plain,
            ),
        };
        let mut bytes = unsigned.encode_unsigned().ok()?;
        let signature = device.sign(&checkpoint_signing_bytes(&bytes));
        bytes.extend_from_slice(&signature);
        seal_envelope(&bytes).ok()
    }

    fn delete_old_checkpoints(&self) {
        let numbers = self.checkpoints().unwrap_or_default();
        for number in &numbers[..numbers.len().saturating_sub(KEPT)] {
            // One that stays does no harm, and the next writer tries again.
            let _ = self.vault.store().delete(&name(*number));
        }
    }

    /// Compares every checkpoint with what the entries up to it add up to, as far as these can be read. What is wrong, by
    /// name.
    pub(super) fn check_checkpoints(&self) -> Result<Vec<(String, RepoError)>, RepoError> {
        let (mut faults, mut state) = (Vec::new(), LogState::default());
        for number in self.checkpoints()? {
            match self.check_checkpoint(number, &mut state) {
                Ok(()) => {}
                // Another writer has deleted it.
                Err(RepoError::Store { source, .. }) if source.is_not_found() => {}
                Err(error @ RepoError::Store { .. }) => return Err(error),
                Err(error) => faults.push((name(number).as_str().to_owned(), error)),
            }
        }
        Ok(faults)
    }

    fn check_checkpoint(&self, number: u64, state: &mut LogState) -> Result<(), RepoError> {
        let file = || name(number).as_str().to_owned();
        let found = self.read_checkpoint(number, 0)?;
        let bytes = self.vault.store().get(&name(number), ENVELOPE_LEN_MAX).map_err(self.store())?;
        if !envelope_is_whole(&bytes) {
            return Err(RepoError::Healable { file: file() });
        }
        let is_read = self.replay(state, number);
        if is_read && (found.hash, found.body()) != (state.hash, state.body()) {
            return Err(RepoError::Checkpoint { file: file(), why: "it does not say what the log says" });
        }
        Ok(())
    }

    /// Applies entries up to `last`; `false`: one cannot be read, as the check of the log will tell.
    fn replay(&self, state: &mut LogState, last: u64) -> bool {
        while state.number < last {
            let Ok(Some(entry)) = self.read(state.number + 1) else { return false };
            if self.apply(state, &entry, false).is_err() {
                return false;
            }
        }
        true
    }

    /// Deletes checkpoints in which something is wrong, and writes one of the present state. Returns the names of those that
    /// were wrong.
    pub(super) fn repair_checkpoints(&self, device: &Signer) -> Result<Vec<String>, RepoError> {
        let faults = self.check_checkpoints()?;
        for number in self.checkpoints()? {
            if faults.iter().any(|(file, _)| file == name(number).as_str()) {
                self.vault.store().delete(&name(number)).map_err(self.store())?;
            }
        }
        if !faults.is_empty() {
            let mut state = LogState::default();
            self.advance(&mut state, None)?;
            self.write_checkpoint(&mut state, device);
        }
        Ok(faults.into_iter().map(|(file, _)| file).collect())
    }
}

/// Checkpoints whose files are damaged, whatever they say, by name.
pub(super) fn damaged_checkpoints(store: &dyn StorageBackend) -> Result<Vec<(String, RepoError)>, RepoError> {
    let failed = |source| RepoError::Store { location: store.location(), source };
    let mut faults = Vec::new();
    for blob in store.list(FOLDER).map_err(failed)? {
        let file = blob.name.as_str().to_owned();
        let bytes = match store.get(&blob.name, ENVELOPE_LEN_MAX) {
            // Another writer has deleted it.
            Err(error) if error.is_not_found() => continue,
            bytes => bytes.map_err(failed)?,
        };
        match open_envelope(&bytes) {
            Err(source) => faults.push((file.clone(), RepoError::Envelope { file, source })),
            Ok(_) if !envelope_is_whole(&bytes) => faults.push((file.clone(), RepoError::Healable { file })),
            Ok(_) => {}
        }
    }
    Ok(faults)
}

impl LogState {
    /// The state as a checkpoint holds it.
    fn body(&self) -> CheckpointBody {
        let names: BTreeMap<&RefId, &String> = self.names.iter().collect();
        let places: BTreeMap<&str, usize> =
            names.values().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
        let mut body = CheckpointBody {
            log_bytes: self.log_bytes,
            epoch: self.epoch,
            packs: self.pack_order.iter().map(|uid| self.packs[uid]).collect(),
            condemned: condemned_records(&self.condemned),
            orphans: condemned_records(&self.orphans),
            used: self.used.iter().map(|(uid, entry)| (*uid, *entry)).collect(),
            removed_packs: self.removed_packs.iter().copied().collect(),
            removed_segments: self.removed_segments.iter().copied().collect(),
            segments: self.segments.clone(),
            commits: self.ever_live(),
            live: self.commits.iter().map(|id| self.order[id]).collect(),
            names: names.iter().map(|(id, name)| RefName { id: **id, name: (*name).clone() }).collect(),
            reflog: self.reflog.iter().map(|entry| movement(entry, places[entry.name.as_str()])).collect(),
            devices: self.devices.values().copied().collect(),
        };
        body.used.sort_unstable();
        body.removed_packs.sort_unstable();
        body.removed_segments.sort_unstable();
        body.devices.sort_unstable_by_key(|device| device.device);
        body
    }

    /// All commits that ever were live, in the order in which they first came.
    pub(super) fn ever_live(&self) -> Vec<CommitRecord> {
        let mut commits: Vec<(usize, CommitId)> =
            self.order.iter().map(|(id, place)| (*place, *id)).collect();
        commits.sort_unstable();
        let record = |(_, id)| CommitRecord { id, parents: self.parents[&id].clone() };
        commits.into_iter().map(record).collect()
    }

    /// The state that a checkpoint holds, but for number and hash.
    fn from_body(body: CheckpointBody) -> Self {
        let ids: Vec<CommitId> = body.commits.iter().map(|commit| commit.id).collect();
        let live: Vec<CommitId> = body.live.iter().map(|place| ids[*place]).collect();
        let mut state = Self {
            pack_order: body.packs.iter().map(|pack| pack.uid).collect(),
            packs: body.packs.into_iter().map(|pack| (pack.uid, pack)).collect(),
            condemned: condemned_map(&body.condemned),
            orphans: condemned_map(&body.orphans),
            used: body.used.into_iter().collect(),
            epoch: body.epoch,
            removed_packs: body.removed_packs.into_iter().collect(),
            removed_segments: body.removed_segments.into_iter().collect(),
            segments: body.segments,
            live: live.iter().copied().collect(),
            commits: live,
            order: ids.into_iter().zip(0..).collect(),
            parents: body.commits.into_iter().map(|commit| (commit.id, commit.parents)).collect(),
            devices: body.devices.into_iter().map(|device| (device.device, device)).collect(),
            log_bytes: body.log_bytes,
            ..Self::default()
        };
        state.take_reflog(body.reflog, &body.names);
        state.names = body.names.into_iter().map(|name| (name.id, name.name)).collect();
        state
    }

    /// Movements of refs, and where the refs then stand.
    fn take_reflog(&mut self, reflog: Vec<RefMovement>, names: &[RefName]) {
        for RefMovement { name, old, new, time, who, message, entry } in reflog {
            let name = names[name].name.clone();
            match new {
                Some(new) => self.refs.insert(name.clone(), new),
                None => self.refs.remove(&name),
            };
            self.reflog.push(RefLogEntry { name, old, new, time, who, message, entry });
        }
    }
}

fn movement(entry: &RefLogEntry, name: usize) -> RefMovement {
    let RefLogEntry { old, new, time, entry: number, .. } = *entry;
    RefMovement {
        name,
        old,
        new,
        time,
        who: entry.who.clone(),
        message: entry.message.clone(),
        entry: number,
    }
}

fn condemned_records(map: &std::collections::HashMap<PackId, Condemned>) -> Vec<CondemnedRecord> {
    let record = |(uid, condemned): (&PackId, &Condemned)| CondemnedRecord {
        uid: *uid,
        entry: condemned.entry,
        time: condemned.time,
    };
    let mut records: Vec<_> = map.iter().map(record).collect();
    records.sort_unstable_by_key(|record| record.uid);
    records
}

fn condemned_map(records: &[CondemnedRecord]) -> std::collections::HashMap<PackId, Condemned> {
    let pair = |record: &CondemnedRecord| (record.uid, Condemned { entry: record.entry, time: record.time });
    records.iter().map(pair).collect()
}

#[cfg(test)]
mod tests;
