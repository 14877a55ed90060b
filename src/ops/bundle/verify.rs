//! `bundle verify`: what can be told of a bundle without keys.

use std::io;
use std::path::Path;

use crate::cas::{PackReport, examine_known_pack};
use crate::crypto;
use crate::format::DecodeError;
use crate::format::log::PackRecord;
use crate::format::pack::Cipher;
use crate::id::{BundleId, CommitId, DeviceId, FamilyId, InstanceId, PackId};
use crate::merkle::draw_sample;
use crate::observe::{Observer, Phase};
use crate::repo::RepoError;

use super::super::{OpsError, VerifyRequest};
use super::file::{BundleFault, BundleFile};

/// What a bundle is, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundleReport {
    /// Its name.
    pub uid: BundleId,
    /// The keys' family.
    pub family: FamilyId,
    /// The repository that made it.
    pub instance: InstanceId,
    /// Public half of the root key that certifies its maker.
    pub root_key: DeviceId,
    /// The device that made it.
    pub device: DeviceId,
    /// What is in it is encrypted.
    pub encrypted: bool,
    /// Bytes that the file has.
    pub len: u64,
    /// Its commits, the oldest first.
    pub commits: Vec<CommitId>,
    /// Commits that a receiver must have.
    pub prerequisites: Vec<CommitId>,
    /// What is wrong beside its packs.
    pub faults: Vec<BundleFault>,
    /// Its packs.
    pub packs: Vec<BundledPack>,
}

/// A pack of a bundle, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundledPack {
    /// Its name.
    pub uid: PackId,
    /// What was found; an error if nothing of it is where it should be.
    pub found: Result<PackReport, DecodeError>,
}

impl BundleReport {
    /// Whether nothing wrong was found.
    pub fn is_clean(&self) -> bool {
        let is_clean = |pack: &BundledPack| pack.found.as_ref().is_ok_and(PackReport::is_clean);
        self.faults.is_empty() && self.packs.iter().all(is_clean)
    }

    /// Whether all that is damaged can be healed, so that the bundle can be used; `None` if nothing is wrong, or only a sample of what is
    /// damaged was looked at.
    pub fn can_be_healed(&self) -> Option<bool> {
        if self.is_clean() {
            return None;
        }
        if self.faults.iter().any(|fault| matches!(fault, BundleFault::Signature { .. })) {
            return Some(false);
        }
        let healing = |pack: &BundledPack| match &pack.found {
            Err(_) => Some(false),
            Ok(report) if report.is_clean() => Some(true),
            Ok(report) => report.healing.as_ref().map(Result::is_ok),
        };
        self.packs.iter().map(healing).try_fold(true, |all, one| Some(all && one?))
    }

    /// How many shards there are in those packs that can be found.
    pub fn shards(&self) -> u64 {
        self.reports().map(PackReport::shards).sum()
    }

    /// How many of them were looked at.
    pub fn checked_shards(&self) -> u64 {
        self.reports().map(|report| report.checked_shards).sum()
    }

    fn reports(&self) -> impl Iterator<Item = &PackReport> {
        self.packs.iter().filter_map(|pack| pack.found.as_ref().ok())
    }
}

/// Looks at a bundle, which takes no repository and no keys: at both copies of its manifest, at the signature, the certificate of the device
/// that made it, and at its packs. Nothing is changed.
///
/// The certificate is checked against the root key that the bundle itself names: compare that with the repository's.
///
/// # Errors
/// When the file cannot be opened, or no copy of the manifest is whole; [`OpsError::Cancelled`]. Other damage stands in the report.
pub fn verify_bundle(
    path: &Path,
    request: VerifyRequest,
    observer: &dyn Observer,
) -> Result<BundleReport, OpsError> {
    let file = BundleFile::open(path)?;
    let mut faults = file.faults.clone();
    match file.verify_by_itself() {
        Ok(()) => {}
        Err(error) => faults.push(BundleFault::Signature { why: error.to_string() }),
    }
    let public = file.public();
    let packs = match request.sample {
        None => whole(&file, observer)?,
        Some(sample) => sampled(&file, sample, request.seed, observer)?,
    };
    Ok(BundleReport {
        uid: public.uid,
        family: public.config.family,
        instance: public.config.instance,
        root_key: DeviceId::new(public.config.root_key),
        device: public.device.device,
        encrypted: public.config.cipher != Cipher::None,
        len: file.len(),
        commits: public.commits.iter().map(|commit| commit.id).collect(),
        prerequisites: public.prerequisites.clone(),
        faults,
        packs,
    })
}

fn whole(file: &BundleFile, observer: &dyn Observer) -> Result<Vec<BundledPack>, OpsError> {
    let bytes = file.packs().map(|(record, _)| record.len).sum();
    observer.phase(Phase::Check, Some(file.packs().count() as u64), Some(bytes));
    let one = |pack: (PackRecord, u64)| {
        if observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        let found = examine(file, pack, &|_| None);
        observer.advance(1, pack.0.len);
        Ok(BundledPack { uid: pack.0.uid, found })
    };
    file.packs().map(one).collect()
}

/// Looks at the ends of all packs, and at so many of all their shards.
fn sampled(
    file: &BundleFile,
    sample: u64,
    seed: Option<[u8; 32]>,
    observer: &dyn Observer,
) -> Result<Vec<BundledPack>, OpsError> {
    let mut found = Vec::new();
    for pack in file.packs() {
        let ends = examine(file, pack, &|_| Some(Vec::new()));
        // Without parity there are no marks of shards, and it was read whole.
        let shards = ends.as_ref().map_or(0, |ends| if ends.parity_shards > 0 { ends.shards() } else { 0 });
        found.push((pack, ends, shards));
    }
    let all: u64 = found.iter().map(|(_, _, shards)| shards).sum();
    if sample >= all {
        return whole(file, observer);
    }
    let failed = |source| RepoError::Crypto { what: "cannot draw random shards".to_owned(), source };
    let seed = seed.map_or_else(|| crypto::random().map_err(failed), Ok)?;
    let mut drawn = draw_sample(all, sample, &seed).into_iter().peekable();
    let mut before = 0;
    let mut packs = Vec::new();
    for (pack, ends, shards) in found {
        let mut chosen = Vec::new();
        while let Some(shard) = drawn.next_if(|shard| *shard < before + shards) {
            chosen.push(shard - before);
        }
        before += shards;
        let found = if chosen.is_empty() { ends } else { examine(file, pack, &|_| Some(chosen.clone())) };
        packs.push(BundledPack { uid: pack.0.uid, found });
    }
    Ok(packs)
}

/// Looks at a pack at each place where it may lie; what looks best counts.
fn examine(
    file: &BundleFile,
    pack: (PackRecord, u64),
    choose: &dyn Fn(u64) -> Option<Vec<u64>>,
) -> Result<PackReport, DecodeError> {
    let mut best: Option<Result<PackReport, DecodeError>> = None;
    for (start, len) in file.places(pack) {
        let read = |offset, len| -> io::Result<Vec<u8>> { file.read_at(start + offset, len) };
        let found = examine_known_pack(&read, len, &pack.0, choose);
        if best.as_ref().is_none_or(|best| rank(&found) > rank(best)) {
            best = Some(found);
        }
    }
    best.unwrap_or(Err(DecodeError::Truncated { what: "bundle", needed: pack.0.len }))
}

/// How good a look at a pack is.
fn rank(found: &Result<PackReport, DecodeError>) -> u8 {
    match found {
        Err(_) => 0,
        Ok(report) if report.is_clean() => 3,
        Ok(report) if report.healing.as_ref().is_some_and(Result::is_ok) => 2,
        Ok(_) => 1,
    }
}
