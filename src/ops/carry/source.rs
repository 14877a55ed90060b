//! The packs of a repository, for who brings them into another one of its family.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cas::{
    CasError, ChunkStore, Location, PackFeatures, PackMap, heal, is_as_written, pack_header, pack_name,
    read_damaged,
};
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::id::{Locator, ObjectKind, PackId};
use crate::limits::PIECE_LEN;
use crate::merkle::{MerkleProof, ProofError, verify_chunk_fast};
use crate::observe::Observer;
use crate::store::ShardProof;
use crate::sync::VerificationMode;

use super::super::OpsError;
use super::super::bring::{Fetched, PackSource};
use super::super::check::told;

/// Bytes that are proved together.
const GROUP_LEN: u64 = PIECE_LEN as u64;
/// What is tried.
const TAKE: &str = "take a pack from the other repository";

/// The packs of one state of a repository. What its log says of them vouches for their bytes: no block is opened.
pub(super) struct RepoPacks<'a> {
    chunks: &'a ChunkStore,
    in_flight: usize,
    verification: VerificationMode,
    /// Chooses samples.
    seed: [u8; 32],
    /// Is told of packs that are not as they were stored.
    observer: &'a dyn Observer,
    /// What segments know of the packs that come next.
    features: Mutex<HashMap<PackId, PackFeatures>>,
}

impl<'a> RepoPacks<'a> {
    /// `chunks` reads through an index that stays at that state.
    pub(super) fn new(chunks: &'a ChunkStore, in_flight: usize, observer: &'a dyn Observer) -> Self {
        let (verification, seed) = Default::default();
        Self { chunks, in_flight, verification, seed, observer, features: Mutex::default() }
    }

    /// The same, verified in another way; `seed` is random.
    pub(super) fn verified_by(self, verification: VerificationMode, seed: [u8; 32]) -> Self {
        Self { verification, seed, ..self }
    }

    /// The file of a pack, each group of shards proved on its way, or some of them; `None`: the store has no other end that could prove
    /// anything.
    fn proved(&self, record: &PackRecord) -> Result<Option<Vec<u8>>, CasError> {
        let store = self.chunks.vault().store();
        let header = pack_header(store, record)?;
        let name = pack_name(&record.uid);
        let read = |from: u64, to: u64| store.read_at(&name, from, usize::try_from(to - from).unwrap_or(0));
        let start = header.first_directory_offset();
        let mut bytes = Vec::with_capacity(usize::try_from(header.total_len()).unwrap_or(0));
        bytes.extend_from_slice(&read(0, start)?);
        let (mut shard, mut group) = (0, 0);
        let shards = header.payload_shards();
        let most = (GROUP_LEN / u64::from(header.shard_len)).max(1);
        while shard < shards {
            let count = most.min(shards - shard);
            if self.verification.picks(&self.seed, group) {
                let Some(proof) = store.prove(&record.uid, shard as u32, count as u32)? else {
                    return Ok(None);
                };
                shard += check(record, &header, shard, &proof)?;
                bytes.extend_from_slice(&proof.bytes);
            } else {
                let (from, _) = header.shard_place(shard);
                let (last, len) = header.shard_place(shard + count - 1);
                bytes.extend_from_slice(&read(from, last + len)?);
                shard += count;
            }
            group += 1;
        }
        bytes.extend_from_slice(&read(header.parity_offset(), header.total_len())?);
        Ok(Some(bytes))
    }

    /// The same of a pack whose pieces can be proved. One that cannot be is no reason to stop: `None` as well, and the pack is read whole,
    /// which parity may heal.
    fn proved_or_told(&self, record: &PackRecord) -> Result<Option<Vec<u8>>, CasError> {
        self.proved(record).or_else(|error| match &error {
            CasError::Store { source } if source.is_unreachable() => Err(error),
            _ => {
                let (file, location) = (pack_name(&record.uid), self.chunks.vault().store().location());
                let why = told(&error);
                self.observer.notice(&format!(
                    "{file} of {location} is not as it was stored, and is read whole: {why}"
                ));
                Ok(None)
            }
        })
    }

    fn features(&self) -> std::sync::MutexGuard<'_, HashMap<PackId, PackFeatures>> {
        self.features.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks shards against the root that the log names; returns how many they are.
fn check(record: &PackRecord, header: &PackHeader, first: u64, proof: &ShardProof) -> Result<u64, CasError> {
    let shard_len = header.shard_len as usize;
    let wrong = |source| CasError::Proof { file: pack_name(&record.uid).as_str().to_owned(), source };
    for (index, (path, shard)) in (first..).zip(proof.paths.iter().zip(proof.bytes.chunks(shard_len))) {
        let path = MerkleProof { index, leaf_count: proof.leaf_count, path: path.clone() };
        verify_chunk_fast(&record.payload_root, header.payload_shards(), index, shard, &path)
            .map_err(wrong)?;
    }
    let (proved, sent) = (proof.paths.len(), proof.bytes.len().div_ceil(shard_len));
    match proved == sent && proved > 0 {
        true => Ok(proved as u64),
        // A shard without a path, or a path without a shard.
        false => Err(wrong(ProofError::Index { index: first + sent as u64, leaf_count: proof.leaf_count })),
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
        if self.verification.proves_pieces()
            && let Some(file) = self.proved_or_told(record).map_err(OpsError::cas(TAKE))?
        {
            return verified(file, record);
        }
        let (store, name) = (self.chunks.vault().store(), pack_name(&record.uid));
        let file = match store.get(&name, PackHeader::TOTAL_LEN_MAX) {
            // What a disk does not give may be healed; what is not there is named.
            Err(error) if !error.is_not_found() => {
                read_damaged(store, &record.uid).map_err(|_| CasError::from(error))
            }
            file => file.map_err(CasError::from),
        };
        let file = file.map_err(OpsError::cas(TAKE))?;
        match self.verification {
            // Its length is right, and its directory opens; more is not looked at.
            VerificationMode::None if file.len() as u64 == record.len => {
                Ok(Fetched { bytes: Arc::new(file), was_healed: false })
            }
            _ => verified(file, record),
        }
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
