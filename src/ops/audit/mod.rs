//! `audit`: whether another end still has what it took, without fetching it.

mod possession;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use crate::cas::{CasError, PackTree, pack_header, pack_name};
use crate::crypto;
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::id::PackId;
use crate::merkle::{MerkleProof, detection_probability, draw_sample, verify_chunk_fast};
use crate::observe::{Observer, Phase};
use crate::repo::{RepoError, Repository};
use crate::store::{ShardProof, StorageBackend};

use super::check::told;
use super::{OpsError, work};
pub use possession::PossessionReport;
use possession::possession;

/// Bytes that stand for one place to look at: the longest shard, which all packs but small ones have.
const PLACE_LEN: u64 = PackHeader::SHARD_LEN_MAX as u64;
/// Requests at once: most of the time goes on the way.
const AT_ONCE: usize = 16;

/// How to audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRequest {
    /// How many shards to ask for, drawn at random.
    pub samples: u64,
    /// Draws the same shards whenever the same seed is given; without one, random ones. The other end must not know it.
    pub seed: Option<[u8; 32]>,
    /// Also ask for a hash of whole packs, with challenges that the other end has never heard.
    pub possession: bool,
}

impl Default for AuditRequest {
    /// So many samples as find one lost shard in a hundred at 99 %.
    fn default() -> Self {
        Self { samples: 459, seed: None, possession: false }
    }
}

/// What is wrong with a pack: shards of it that the other end could not prove to have, or the hash of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// The pack's name in the store.
    pub file: String,
    /// How many of its shards were asked for; 0: it is about its keyed hash.
    pub asked: u64,
    /// How many of these could not be proved.
    pub unproved: u64,
    /// Their numbers, ascending; empty where not even the header of the pack could be had, which says where they lie.
    pub shards: Vec<u64>,
    /// What is wrong with the first of them, or with the hash.
    pub why: String,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditReport {
    /// Packs that the log names.
    pub packs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Places that were drawn from, of 64 KiB each.
    pub places: u64,
    /// Shards that were asked for.
    pub checked: u64,
    /// What is wrong: at most one for the shards of a pack, and one for its keyed hash.
    pub faults: Vec<AuditFault>,
    /// What became of the challenges, if any were to be asked.
    pub possession: Option<PossessionReport>,
}

impl AuditReport {
    /// Shards that could not be proved.
    pub fn unproved(&self) -> u64 {
        self.faults.iter().map(|fault| fault.unproved).sum()
    }

    /// How likely (0 to 1) the samples would have met at least one that is lost, if so many of a hundred were.
    pub fn would_find(&self, percent: u64) -> f64 {
        let bad = (self.places * percent).div_ceil(100);
        detection_probability(self.places, bad, self.checked)
    }
}

/// Asks the store of a repository for shards, drawn at random, and their Merkle paths, and checks them against the roots that the signed log names.
/// The bytes that are fetched are those of the samples. A store that lies here is read directly.
///
/// With [`AuditRequest::possession`] it also asks for hashes of whole packs, keyed with secrets: of those packs that `own`, a repository of the same
/// family, has as they are, and of those for which challenges were made when they were sent.
///
/// # Errors
/// When the log cannot be read, or the other end cannot be reached. What it does not have, or lies about, is in the report.
pub fn audit(
    repo: &Repository,
    own: Option<&Repository>,
    request: &AuditRequest,
    observer: &dyn Observer,
) -> Result<AuditReport, OpsError> {
    let state = repo.refresh()?;
    let packs: Vec<PackRecord> = state.pack_order.iter().map(|pack| state.packs[pack]).collect();
    let seed = match request.seed {
        Some(seed) => seed,
        None => crypto::random()
            .map_err(|source| RepoError::Crypto { what: "cannot draw random numbers".to_owned(), source })?,
    };
    let places: u64 = packs.iter().map(places_of).sum();
    let drawn = by_pack(&packs, &draw_sample(places, request.samples, &seed));
    let checked = drawn.values().map(|(_, places)| places.len() as u64).sum();
    observer.phase(Phase::Verify, Some(checked), None);
    let faults = Mutex::new(Vec::new());
    let auditor = Auditor { store: repo.chunks().vault().store(), faults: &faults, observer };
    auditor.all(&drawn.into_values().collect::<Vec<_>>())?;
    let possession = match request.possession {
        true => Some(possession(repo, own, &packs, (&faults, observer))?),
        false => None,
    };
    let mut faults = faults.into_inner().expect("no panic while locked");
    faults.sort_by(|a: &AuditFault, b| (&a.file, &a.shards).cmp(&(&b.file, &b.shards)));
    let bytes = packs.iter().map(|pack| pack.len).sum();
    Ok(AuditReport { packs: packs.len() as u64, bytes, places, checked, faults, possession })
}

fn places_of(record: &PackRecord) -> u64 {
    record.len.div_ceil(PLACE_LEN)
}

/// Places, which are numbered through all packs, by pack: each as a place in its pack.
fn by_pack(packs: &[PackRecord], places: &[u64]) -> BTreeMap<PackId, (PackRecord, Vec<u64>)> {
    let mut drawn: BTreeMap<PackId, (PackRecord, Vec<u64>)> = BTreeMap::new();
    let (mut first, mut rest) = (0, places);
    for record in packs {
        let end = first + places_of(record);
        let here = rest.partition_point(|place| *place < end);
        let (now, later) = rest.split_at(here);
        if !now.is_empty() {
            let within = now.iter().map(|place| place - first).collect();
            drawn.insert(record.uid, (*record, within));
        }
        (first, rest) = (end, later);
    }
    drawn
}

struct Auditor<'a> {
    store: &'a dyn StorageBackend,
    faults: &'a Mutex<Vec<AuditFault>>,
    observer: &'a dyn Observer,
}

impl Auditor<'_> {
    fn all(&self, drawn: &[(PackRecord, Vec<u64>)]) -> Result<(), OpsError> {
        let failed = Mutex::new(None);
        let stopped = || failed.lock().expect("no panic while locked").is_some();
        work::share(AT_ONCE, drawn, &stopped, &|| Some(()), &|(), (record, places)| {
            if let Err(error) = self.pack(record, places) {
                failed.lock().expect("no panic while locked").get_or_insert(error);
            }
        });
        failed.into_inner().expect("no panic while locked").map_or(Ok(()), Err)
    }

    /// Looks at some places of a pack.
    fn pack(&self, record: &PackRecord, places: &[u64]) -> Result<(), OpsError> {
        if self.observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        // The number of shards that a header names is bound into the root: a wrong one proves nothing.
        let header = match pack_header(self.store, record) {
            Ok(header) => header,
            Err(error) => {
                let asked = places.len() as u64;
                self.observer.advance(asked, 0);
                return note(self.faults, record, Missing { asked, unproved: asked, shards: &[] }, &error);
            }
        };
        let (all, of_pack) = (header.payload_shards(), places_of(record));
        let asked: BTreeSet<u64> = places.iter().map(|place| (place * all) / of_pack).collect();
        let (mut wrong, mut first, mut tree) = (Vec::new(), None, None);
        for shard in &asked {
            if let Err(error) = self.shard(record, &header, *shard, &mut tree) {
                // That the other end is gone is no fault of a shard's, and of no later one.
                check_reached(&error)?;
                wrong.push(*shard);
                first.get_or_insert(error);
            }
            self.observer.advance(1, 0);
        }
        self.observer.advance((places.len() - asked.len()) as u64, 0);
        let missing = Missing { asked: asked.len() as u64, unproved: wrong.len() as u64, shards: &wrong };
        first.map_or(Ok(()), |error| note(self.faults, record, missing, &error))
    }

    fn shard(
        &self,
        record: &PackRecord,
        header: &PackHeader,
        shard: u64,
        tree: &mut Option<PackTree>,
    ) -> Result<(), CasError> {
        let number = u32::try_from(shard).expect("a header's check");
        let (bytes, proof) = match self.store.prove(&record.uid, number, 1)? {
            Some(ShardProof { leaf_count, paths, bytes, .. }) => {
                let path = paths.into_iter().next().unwrap_or_default();
                (bytes, MerkleProof { index: shard, leaf_count, path })
            }
            None => self.read(record, shard, tree)?,
        };
        let proved = verify_chunk_fast(&record.payload_root, header.payload_shards(), shard, &bytes, &proof);
        let file = || pack_name(&record.uid).as_str().to_owned();
        proved.map_err(|source| CasError::Proof { file: file(), source })
    }

    /// The same of a store that has no other end: the tree is made of the file, once.
    fn read(
        &self,
        record: &PackRecord,
        shard: u64,
        tree: &mut Option<PackTree>,
    ) -> Result<(Vec<u8>, MerkleProof), CasError> {
        let tree = match tree {
            Some(tree) => tree,
            None => tree.insert(PackTree::read(self.store, record)?),
        };
        let (offset, len) = tree.header().shard_place(shard);
        let len = usize::try_from(len).expect("a header's check");
        let bytes = self.store.read_at(&pack_name(&record.uid), offset, len)?;
        Ok((bytes, tree.proof(shard).expect("a header's shards")))
    }
}

/// Shards of a pack that could not be proved.
#[derive(Clone, Copy, Default)]
struct Missing<'a> {
    asked: u64,
    unproved: u64,
    shards: &'a [u64],
}

/// That the other end is gone is no fault of a pack's.
fn check_reached(error: &CasError) -> Result<(), OpsError> {
    match error {
        CasError::Store { source } if source.is_unreachable() => {
            let why = told(error);
            Err(OpsError::Refused { why: format!("the audit was broken off: {why}") })
        }
        _ => Ok(()),
    }
}

/// Notes what is wrong with a pack, unless the connection is.
fn note(
    faults: &Mutex<Vec<AuditFault>>,
    record: &PackRecord,
    missing: Missing<'_>,
    error: &CasError,
) -> Result<(), OpsError> {
    check_reached(error)?;
    let Missing { asked, unproved, shards } = missing;
    let file = pack_name(&record.uid).as_str().to_owned();
    let fault = AuditFault { file, asked, unproved, shards: shards.to_vec(), why: told(error) };
    faults.lock().expect("no panic while locked").push(fault);
    Ok(())
}
