//! `audit`: whether another end still has what it took, without fetching it.

mod possession;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use crate::cas::{CasError, pack_header, pack_name};
use crate::crypto;
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::id::PackId;
use crate::merkle::{
    MerkleProof, MerkleTree, ShardHasher, detection_probability, draw_sample, verify_chunk_fast,
};
use crate::observe::{Observer, Phase};
use crate::repo::{RepoError, Repository};
use crate::store::{ShardProof, StorageBackend};

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

/// A shard, or pack, that the other end could not prove to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// The pack's name in the store.
    pub file: String,
    /// Number of the shard; `None`: it is about all of the pack.
    pub shard: Option<u64>,
    /// What is wrong.
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
    /// What is wrong.
    pub faults: Vec<AuditFault>,
    /// What became of the challenges, if any were to be asked.
    pub possession: Option<PossessionReport>,
}

impl AuditReport {
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
    faults.sort_by(|a: &AuditFault, b| (&a.file, a.shard).cmp(&(&b.file, b.shard)));
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
                self.fault(record, None, &error)?;
                self.observer.advance(places.len() as u64, 0);
                return Ok(());
            }
        };
        let shards = header.payload_shards();
        let of_pack = places_of(record);
        for place in places {
            let shard = (place * shards) / of_pack;
            if let Err(error) = self.shard(record, &header, shard) {
                self.fault(record, Some(shard), &error)?;
            }
            self.observer.advance(1, 0);
        }
        Ok(())
    }

    fn shard(&self, record: &PackRecord, header: &PackHeader, shard: u64) -> Result<(), CasError> {
        let number = u32::try_from(shard).expect("a header's check");
        let (bytes, proof) = match self.store.prove(&record.uid, number, 1)? {
            Some(ShardProof { leaf_count, paths, bytes, .. }) => {
                let path = paths.into_iter().next().unwrap_or_default();
                (bytes, MerkleProof { index: shard, leaf_count, path })
            }
            None => self.read(record, header, shard)?,
        };
        let proved = verify_chunk_fast(&record.payload_root, header.payload_shards(), shard, &bytes, &proof);
        let file = || pack_name(&record.uid).as_str().to_owned();
        proved.map_err(|source| CasError::Proof { file: file(), source })
    }

    /// The same of a store that has no other end: the tree is made of the file.
    fn read(
        &self,
        record: &PackRecord,
        header: &PackHeader,
        shard: u64,
    ) -> Result<(Vec<u8>, MerkleProof), CasError> {
        let name = pack_name(&record.uid);
        let len = usize::try_from(header.payload_len()).expect("a header's check");
        let payload = self.store.read_at(&name, header.first_directory_offset(), len)?;
        let shard_len = NonZeroUsize::new(header.shard_len as usize).expect("a header's check");
        let mut hasher = ShardHasher::new(shard_len);
        hasher.update(&payload);
        let tree = MerkleTree::from_leaves(hasher.into_leaves());
        let place = shard as usize;
        let proof = tree.proof(place).expect("a header's shards");
        let start = place * shard_len.get();
        Ok((payload[start..payload.len().min(start + shard_len.get())].to_vec(), proof))
    }

    /// Notes what is wrong with a pack; that the other end is gone is no fault of a pack's.
    fn fault(&self, record: &PackRecord, shard: Option<u64>, error: &CasError) -> Result<(), OpsError> {
        note(self.faults, record, shard, error)
    }
}

/// Notes what is wrong with a pack, unless the connection is.
fn note(
    faults: &Mutex<Vec<AuditFault>>,
    record: &PackRecord,
    shard: Option<u64>,
    error: &CasError,
) -> Result<(), OpsError> {
    if let CasError::Store { source } = error
        && source.is_unreachable()
    {
        let why = told(error);
        return Err(OpsError::Refused { why: format!("the audit was broken off: {why}") });
    }
    let file = pack_name(&record.uid).as_str().to_owned();
    let fault = AuditFault { file, shard, why: told(error) };
    faults.lock().expect("no panic while locked").push(fault);
    Ok(())
}

/// An error with all that it comes from.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
