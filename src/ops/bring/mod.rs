//! Bringing packs of the same family into a repository, from a bundle or from another repository, with an index of them.
//!
//! A pack keeps its name and its bytes. What its deltas are stored against must be there in copies that are less deep: where the
//! repository has none, the object is stored in full beside. Nothing counts before an entry of the log says so.

mod bases;
mod ledger;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cas::{CasError, ChunkStore, Location, PackFeatures, PackMap, pack_name, pack_record};
use crate::format::log::PackRecord;
use crate::id::{Locator, ObjectKind, PackId};
use crate::observe::{Observer, Phase};
use crate::repo::{Challenge, LogState, RepoError, Repository};
use crate::store::{BlobName, Put};

use super::OpsError;
use super::rewrite::{self, Job, Keep, Rewritten};
use super::work;
use ledger::Ledger;

/// Packs before which a source is told that they come: what it then gets ready is held in memory.
const BATCH: usize = 32;

/// Where packs come from.
pub(super) trait PackSource: Sync {
    /// How many packs may be in memory at once.
    fn in_flight(&self) -> usize;

    /// Says which packs come next.
    fn announce(&self, _packs: &[PackRecord]) -> Result<(), OpsError> {
        Ok(())
    }

    /// A pack as it was written, byte for byte.
    fn fetch(&self, record: &PackRecord) -> Result<Fetched, OpsError>;

    /// What a pack holds, and what is known of its objects' sketches. `file` are its bytes, if they were fetched.
    fn look(
        &self,
        record: &PackRecord,
        file: Option<&[u8]>,
    ) -> Result<(Arc<PackMap>, PackFeatures), CasError>;

    /// Reads objects of the packs.
    fn chunks(&self) -> &ChunkStore;

    /// A copy of an object in the packs, of any depth; `None`: only the receiver can have one.
    fn find(&self, _kind: ObjectKind, _locator: Locator) -> Result<Option<Location>, CasError> {
        Ok(None)
    }
}

/// A pack that was read.
pub(super) struct Fetched {
    pub(super) bytes: Arc<Vec<u8>>,
    /// It was damaged where it came from.
    pub(super) was_healed: bool,
}

/// What was written, and is in no entry of the log yet.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Packs under the names that they had. Their files are left alone whatever happens: another process may just bring the same.
    pub(super) verbatim: Vec<PackRecord>,
    /// What has names of its own: packs that were written anew, and all segments.
    pub(super) own: Rewritten,
    /// Packs that the log has already.
    pub(super) there: u64,
    /// Of the verbatim ones, those that an attempt which was stopped had left: they were not sent again.
    pub(super) found: u64,
    /// Packs in which bases of deltas lie.
    pub(super) relied: HashSet<PackId>,
    /// Packs that were damaged, and healed.
    pub(super) healed: Vec<PackId>,
}

impl Brought {
    /// All packs that were written.
    pub(super) fn packs(&self) -> impl Iterator<Item = &PackRecord> {
        self.verbatim.iter().chain(&self.own.packs)
    }

    /// Of these packs and those in which bases lie, the ones that were there before, in order.
    pub(super) fn uses(&self, packs: impl IntoIterator<Item = PackId>) -> Vec<PackId> {
        let written: HashSet<PackId> = self.packs().map(|pack| pack.uid).collect();
        let mut uses: Vec<PackId> = packs.into_iter().chain(self.relied.iter().copied()).collect();
        uses.retain(|pack| !written.contains(pack));
        uses.sort_unstable();
        uses.dedup();
        uses
    }
}

impl Brought {
    /// Deletes what no entry of the log can have come to name, after an attempt to say so failed. What kept its name stays: gc takes
    /// it, if nobody else does.
    pub(super) fn discard(&self, repo: &Repository, error: &OpsError) {
        let is_certain = match error {
            OpsError::Repo { source } => {
                matches!(
                    source,
                    RepoError::Overtaken | RepoError::Condemned | RepoError::BaseForgotten { .. }
                )
            }
            _ => true,
        };
        if is_certain {
            self.own.discard(repo);
        }
    }
}

/// Brings packs into a repository.
pub(super) struct Bringer<'a> {
    repo: &'a Repository,
    state: &'a LogState,
    /// Reads the repository through an index that learns of what is brought.
    chunks: &'a ChunkStore,
    source: &'a dyn PackSource,
    /// Files of packs that the store lists, and that need not be sent.
    listed: HashSet<BlobName>,
    ledger: Mutex<Ledger>,
    /// Challenges about packs that went under their names, if any are made.
    challenges: Option<Mutex<Vec<Challenge>>>,
    observer: &'a dyn Observer,
}

impl<'a> Bringer<'a> {
    pub(super) fn new(
        (repo, state, chunks): (&'a Repository, &'a LogState, &'a ChunkStore),
        source: &'a dyn PackSource,
        observer: &'a dyn Observer,
    ) -> Self {
        let (listed, ledger) = Default::default();
        Self { repo, state, chunks, source, listed, ledger, challenges: None, observer }
    }

    /// The same, and makes a challenge about each pack that is sent.
    pub(super) fn challenging(self, wanted: bool) -> Self {
        Self { challenges: wanted.then(Mutex::default), ..self }
    }

    /// The challenges that were made.
    pub(super) fn challenges(&self) -> Vec<Challenge> {
        let made = self.challenges.as_ref();
        made.map_or(Vec::new(), |made| made.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// The same, and does not send a pack whose file is there.
    pub(super) fn beside(self, listed: HashSet<BlobName>) -> Self {
        Self { listed, ..self }
    }

    /// Brings in packs and writes the index of them, which `chunks` then has. Packs whose names the log has given up are
    /// written anew under others.
    pub(super) fn bring(&self, packs: &[PackRecord]) -> Result<(), OpsError> {
        let bytes = packs.iter().map(|record| record.len).sum();
        self.observer.phase(Phase::Store, Some(packs.len() as u64), Some(bytes));
        for batch in packs.chunks(BATCH) {
            self.source.announce(batch)?;
            self.batch(batch)?;
        }
        self.ledger().segment(self.repo, self.chunks)?;
        let renamed = std::mem::take(&mut self.ledger().renamed);
        self.copy(&renamed, Keep::Whole { salvage: false })
    }

    /// Brings in packs, several at a time: the store may be far away.
    fn batch(&self, packs: &[PackRecord]) -> Result<(), OpsError> {
        let failed: Mutex<Option<OpsError>> = Mutex::default();
        let first = || failed.lock().unwrap_or_else(PoisonError::into_inner);
        let stopped = || self.observer.cancelled() || first().is_some();
        work::share(self.source.in_flight(), packs, &stopped, &|| Some(()), &|(), record| {
            if let Err(error) = self.pack(record) {
                first().get_or_insert(error);
            }
            self.observer.advance(1, record.len);
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None if self.observer.cancelled() => Err(OpsError::Cancelled),
            None => Ok(()),
        }
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings in one pack.
    fn pack(&self, record: &PackRecord) -> Result<(), OpsError> {
        let (uid, state) = (record.uid, self.state);
        let there = state.packs.get(&uid);
        let is_there = there.is_some_and(|there| there.payload_root == record.payload_root);
        if is_there && !state.condemned.contains_key(&uid) {
            self.ledger().brought.there += 1;
            return Ok(());
        }
        let is_free = there.is_none() && !state.removed_packs.contains(&uid);
        let is_found = is_free && self.is_found(record)?;
        let failed = OpsError::cas("read a pack that is to be brought in");
        let fetched = if is_found { None } else { Some(self.source.fetch(record)?) };
        let file = fetched.as_ref().map(|fetched| &fetched.bytes[..]);
        let (map, features) = self.source.look(record, file).map_err(failed)?;
        let was_healed = fetched.as_ref().is_some_and(|fetched| fetched.was_healed);
        let is_stored = is_found || is_free && self.put(record, file.unwrap_or_default())?;
        if let (Some(made), Some(file), true) = (&self.challenges, file, is_stored) {
            let challenge = Challenge::new(uid, file)?;
            made.lock().unwrap_or_else(PoisonError::into_inner).push(challenge);
        }
        let mut ledger = self.ledger();
        ledger.brought.healed.extend(was_healed.then_some(uid));
        ledger.brought.found += u64::from(is_found);
        ledger.note_bases(&map, |_, _| true);
        if !is_stored {
            ledger.renamed.push(*record);
            return Ok(());
        }
        ledger.add(record, (&map, &features), self.chunks);
        if ledger.is_full() { ledger.segment(self.repo, self.chunks) } else { Ok(()) }
    }

    /// Whether an attempt that was stopped has left the pack. Both its headers say so; its bytes came whole, or not at all. It may
    /// have been stopped before the file was sure to stay.
    fn is_found(&self, record: &PackRecord) -> Result<bool, OpsError> {
        let (store, name) = (self.repo.chunks().vault().store(), pack_name(&record.uid));
        let is_it = self.listed.contains(&name)
            && pack_record(store, &record.uid).is_ok_and(|found| found == *record)
            && store.len(&name).is_ok_and(|len| len == Some(record.len));
        if is_it {
            let settled = store.settle(&name).map_err(CasError::from);
            settled.map_err(OpsError::cas("make sure that a pack stays"))?;
        }
        Ok(is_it)
    }

    /// Stores a pack under its name; `false`: another file has it.
    fn put(&self, record: &PackRecord, bytes: &[u8]) -> Result<bool, OpsError> {
        let (store, name) = (self.repo.chunks().vault().store(), pack_name(&record.uid));
        let failed = |source| OpsError::Cas { action: "write a pack", source: CasError::Store { source } };
        match store.put_new(&name, &[bytes]).map_err(failed)? {
            Put::Created => Ok(true),
            // An attempt that was stopped has left it, or one that is at work just wrote it.
            Put::Exists => Ok(store.get(&name, record.len).is_ok_and(|there| there == bytes)),
        }
    }

    /// Writes what is kept of packs anew, under other names.
    pub(super) fn copy(&self, packs: &[PackRecord], keep: Keep<'_>) -> Result<(), OpsError> {
        if packs.is_empty() {
            return Ok(());
        }
        let ids: Vec<PackId> = packs.iter().map(|pack| pack.uid).collect();
        let bytes = packs.iter().map(|pack| pack.len).sum();
        let (chunks, threads) = (self.source.chunks(), self.source.in_flight());
        let job = Job { packs: &ids, bytes, chunks, keep, threads, dry_run: false };
        let rewritten = rewrite::run(self.repo, job, self.observer)?;
        self.ledger().add_own(rewritten, self.chunks);
        Ok(())
    }

    /// Says that these objects of a pack are copied: their bases must be there.
    pub(super) fn copies(&self, map: &PackMap, is_copied: impl Fn(u16, u16) -> bool) {
        self.ledger().note_bases(map, is_copied);
    }

    /// What was brought in.
    pub(super) fn into_brought(self) -> Brought {
        self.ledger.into_inner().unwrap_or_else(PoisonError::into_inner).brought
    }
}
