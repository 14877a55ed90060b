//! Whether whole packs are there: hashes keyed with secrets.

use std::sync::Mutex;

use crate::cas::{CasError, is_as_written, pack_name};
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::observe::{Observer, Phase};
use crate::repo::{Challenge, Repository};

use super::{AuditFault, Missing, OpsError, note};

/// What became of challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PossessionReport {
    /// Packs that were asked for.
    pub asked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of them that did not answer right.
    pub wrong: u64,
    /// Packs for which there was neither a copy here nor a challenge.
    pub unknown: u64,
    /// Challenges that are left for packs of which there is no copy here.
    pub left: u64,
}

/// Asks for each pack that can be asked for. A store that has no other end answers by being read.
pub(super) fn possession(
    repo: &Repository,
    own: Option<&Repository>,
    packs: &[PackRecord],
    (faults, observer): (&Mutex<Vec<AuditFault>>, &dyn Observer),
) -> Result<PossessionReport, OpsError> {
    observer.phase(Phase::Verify, Some(packs.len() as u64), Some(packs.iter().map(|pack| pack.len).sum()));
    let (mut kept, mut used, mut report) = (repo.challenges(), Vec::new(), PossessionReport::default());
    for record in packs {
        if observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        let challenge = match own.and_then(|own| from_copy(own, record)) {
            Some(challenge) => Some(challenge),
            None => kept.iter().position(|kept| kept.pack == record.uid).map(|place| {
                let challenge = kept.swap_remove(place);
                used.push(challenge);
                challenge
            }),
        };
        match challenge {
            None => report.unknown += 1,
            Some(challenge) => {
                (report.asked, report.bytes) = (report.asked + 1, report.bytes + record.len);
                if let Err(error) = ask(repo, record, &challenge) {
                    report.wrong += 1;
                    note(faults, record, Missing::default(), &error)?;
                }
            }
        }
        observer.advance(1, record.len);
    }
    report.left = kept.len() as u64;
    if !used.is_empty() {
        repo.keep_challenges(&[], &used)?;
    }
    Ok(report)
}

/// A fresh challenge, from a whole copy of the pack that is here.
fn from_copy(own: &Repository, record: &PackRecord) -> Option<Challenge> {
    let there = own.state().packs.get(&record.uid).copied()?;
    let bytes = own.chunks().vault().store().get(&pack_name(&there.uid), PackHeader::TOTAL_LEN_MAX).ok()?;
    is_as_written(&bytes, record).then(|| Challenge::new(record.uid, &bytes).ok())?
}

fn ask(repo: &Repository, record: &PackRecord, challenge: &Challenge) -> Result<(), CasError> {
    let (store, name) = (repo.chunks().vault().store(), pack_name(&record.uid));
    let hash = match store.possession(&record.uid, &challenge.key)? {
        Some(hash) => hash,
        None => *blake3::keyed_hash(&challenge.key, &store.get(&name, PackHeader::TOTAL_LEN_MAX)?).as_bytes(),
    };
    match hash == challenge.hash {
        true => Ok(()),
        false => Err(CasError::Hash { file: name.as_str().to_owned(), part: "keyed hash" }),
    }
}
