//! The packs of a repository, for who brings them into another one of its family.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cas::{
    CasError, ChunkStore, Location, PackFeatures, PackMap, heal, is_as_written, pack_name, read_damaged,
};
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::id::{Locator, ObjectKind, PackId};

use super::super::OpsError;
use super::super::bring::{Fetched, PackSource};

/// What is tried.
const TAKE: &str = "take a pack from the other repository";

/// The packs of one state of a repository. What its log says of them vouches for their bytes: no block is opened.
pub(super) struct RepoPacks<'a> {
    chunks: &'a ChunkStore,
    in_flight: usize,
    /// What segments know of the packs that come next.
    features: Mutex<HashMap<PackId, PackFeatures>>,
}

impl<'a> RepoPacks<'a> {
    /// `chunks` reads through an index that stays at that state.
    pub(super) fn new(chunks: &'a ChunkStore, in_flight: usize) -> Self {
        Self { chunks, in_flight, features: Mutex::default() }
    }

    fn features(&self) -> std::sync::MutexGuard<'_, HashMap<PackId, PackFeatures>> {
        self.features.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares a pack's file with what the log says of it, by the roots of its shards; a damaged one is healed.
fn verified(file: Vec<u8>, record: &PackRecord) -> Result<Fetched, OpsError> {
    if is_as_written(&file, record) {
        return Ok(Fetched { bytes: Arc::new(file), was_healed: false });
    }
    let healed = heal(&file, record);
    let healed =
        healed.map_err(|source| OpsError::Cas { action: TAKE, source: CasError::Lost { source } })?;
    Ok(Fetched { bytes: Arc::new(healed.bytes), was_healed: true })
}

impl PackSource for RepoPacks<'_> {
    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn announce(&self, packs: &[PackRecord]) -> Result<(), OpsError> {
        let indexed = packs.iter().filter(|pack| !pack.self_indexed);
        let packs: HashSet<PackId> = indexed.map(|pack| pack.uid).collect();
        *self.features() = match packs.is_empty() {
            true => HashMap::new(),
            false => self.chunks.index().features_of(&packs).map_err(OpsError::cas("read the index"))?,
        };
        Ok(())
    }

    fn fetch(&self, record: &PackRecord) -> Result<Fetched, OpsError> {
        let (store, name) = (self.chunks.vault().store(), pack_name(&record.uid));
        let file = match store.get(&name, PackHeader::TOTAL_LEN_MAX) {
            // What a disk does not give may be healed; what is not there is named.
            Err(error) if !error.is_not_found() => {
                read_damaged(store, &record.uid).map_err(|_| CasError::from(error))
            }
            file => file.map_err(CasError::from),
        };
        verified(file.map_err(OpsError::cas(TAKE))?, record)
    }

    fn look(
        &self,
        record: &PackRecord,
        file: Option<&[u8]>,
    ) -> Result<(Arc<PackMap>, PackFeatures), CasError> {
        let map = match file {
            Some(file) => Arc::new(PackMap::of_file(self.chunks.vault(), &record.uid, file)?),
            None => self.chunks.map(record.uid)?,
        };
        Ok((map, self.features().remove(&record.uid).unwrap_or_default()))
    }

    fn chunks(&self) -> &ChunkStore {
        self.chunks
    }

    fn find(&self, kind: ObjectKind, locator: Locator) -> Result<Option<Location>, CasError> {
        self.chunks.index().find_usable(kind, locator, u8::MAX)
    }
}
