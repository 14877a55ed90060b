//! `check --repair`: bring back what parity and second copies can bring back.
//!
//! No file is changed, but that damaged entries of the log are written as they were. What a damaged pack holds is copied out of it, healed on the way, into new packs, and the log exchanges
//! them; an index segment is made anew from the directories of the packs that it spoke of.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::cas::{
    PackMap, SealedPack, SegmentAudit, SegmentWriter, Vault, pack_health, pack_name, segment_name,
};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::id::{PackId, SegmentId};
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::check::{CheckReport, FindingKind};
use super::races::{begin_anew, is_overtaken, overtaken, pinned};
use super::rewrite::{self, Job, Keep, Rewritten};
use super::sweep::{self, Due};

/// Rows of a segment that is made anew.
const SEGMENT_ROWS: usize = 1 << 20;

/// How to repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RepairRequest {
    /// Give up what cannot be healed, and keep the rest of such packs.
    pub salvage: bool,
    /// Threads that copy; 0: one for each core.
    pub threads: usize,
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RepairOutcome {
    /// Packs of which nothing was lost.
    pub healed: Vec<String>,
    /// Packs that could not be healed, of which the rest was kept.
    pub salvaged: Vec<String>,
    /// Objects that these lost.
    pub lost_objects: u64,
    /// Packs that cannot be healed, and were left as they are.
    pub beyond: Vec<String>,
    /// Segments of the index that were made anew.
    pub segments: Vec<String>,
    /// Files of log entries that were written anew.
    pub log_entries: Vec<String>,
    /// The configuration was written anew.
    pub configuration: bool,
    /// Packs that were written.
    pub packs_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
}

/// Repairs what a check has found. With `salvage`, packs of which more is damaged than parity can bring back are given up: what can
/// be read of them is kept, and the rest leaves the log, so that the next commit of the same files stores it again.
///
/// Others may go on working in the repository.
///
/// # Errors
/// When the store fails, or other processes remove these packs again and again ([`RepoError::Overtaken`]); [`OpsError::Cancelled`]. What was repaired until then
/// is; nothing else has changed.
pub fn repair(
    repo: &Repository,
    report: &CheckReport,
    request: RepairRequest,
    observer: &dyn Observer,
) -> Result<RepairOutcome, OpsError> {
    let mut outcome = RepairOutcome::default();
    begin_anew(|| repair_once(repo, report, request, &mut outcome, observer))?;
    Ok(outcome)
}

/// Repairs what is not repaired yet; `outcome` tells what was.
fn repair_once(
    repo: &Repository,
    report: &CheckReport,
    request: RepairRequest,
    outcome: &mut RepairOutcome,
    observer: &dyn Observer,
) -> Result<(), OpsError> {
    let found = |kind| report.findings.iter().any(|finding| finding.kind == kind);
    if found(FindingKind::Configuration) && !outcome.configuration {
        repo.renew_config()?;
        outcome.configuration = true;
    }
    if found(FindingKind::Log) && outcome.log_entries.is_empty() {
        outcome.log_entries = repo.repair_log()?;
    }
    let state = repo.refresh()?;
    let undone = |error| if is_overtaken(repo, &state) { overtaken() } else { error };
    rebuild_segments(repo, &state, report, outcome).map_err(undone)?;
    let state = repo.refresh()?;
    let damaged = damaged_packs(&state, report);
    let store = repo.chunks().vault().store();
    let can_be_healed =
        |record: &PackRecord| pack_health(store, record).is_ok_and(|health| health.can_be_healed());
    let (healable, beyond): (Vec<_>, Vec<_>) = damaged.into_iter().partition(can_be_healed);
    // One that others have exchanged meanwhile is not there, and that is no damage.
    if !beyond.is_empty() && is_overtaken(repo, &state) {
        return Err(overtaken());
    }
    exchange(repo, &state, &healable, (false, request.threads), outcome, observer)?;
    if request.salvage {
        let state = repo.refresh()?;
        exchange(repo, &state, &beyond, (true, request.threads), outcome, observer)?;
    } else {
        outcome.beyond = names(&beyond);
    }
    Ok(())
}

fn names(packs: &[PackRecord]) -> Vec<String> {
    packs.iter().map(|pack| file_of(&pack.uid)).collect()
}

fn file_of(pack: &PackId) -> String {
    pack_name(pack).as_str().to_owned()
}

/// The packs that a check found damaged and that still count.
fn damaged_packs(state: &LogState, report: &CheckReport) -> Vec<PackRecord> {
    let files: HashSet<&str> = report
        .findings
        .iter()
        .filter(|finding| finding.kind.is_of_bytes())
        .map(|finding| finding.file.as_str())
        .collect();
    let is_damaged =
        |pack: &&PackId| files.contains(file_of(pack).as_str()) && !state.condemned.contains_key(*pack);
    state.pack_order.iter().filter(is_damaged).map(|pack| state.packs[pack]).collect()
}

/// Copies what packs hold into new ones, which take their place.
fn exchange(
    repo: &Repository,
    state: &LogState,
    packs: &[PackRecord],
    (salvage, threads): (bool, usize),
    outcome: &mut RepairOutcome,
    observer: &dyn Observer,
) -> Result<(), OpsError> {
    if packs.is_empty() {
        return Ok(());
    }
    let ids: Vec<PackId> = packs.iter().map(|pack| pack.uid).collect();
    let bytes = packs.iter().map(|pack| pack.len).sum();
    let chunks = pinned(repo, state);
    let job =
        Job { packs: &ids, bytes, chunks: &chunks, keep: Keep::Whole { salvage }, threads, dry_run: false };
    let undone = |error| if is_overtaken(repo, state) { overtaken() } else { error };
    let rewritten = rewrite::run(repo, job, observer).map_err(undone)?;
    observer.phase(Phase::Finish, None, None);
    if let Err(error) = verify(repo.chunks().vault(), &rewritten) {
        rewritten.discard(repo);
        return Err(if is_taken_for_litter(repo, &rewritten) { overtaken() } else { error });
    }
    publish(repo, &ids, &rewritten)?;
    outcome.packs_written += rewritten.counts.packs;
    outcome.bytes_written += rewritten.counts.bytes;
    outcome.lost_objects += rewritten.counts.lost;
    let done = if salvage { &mut outcome.salvaged } else { &mut outcome.healed };
    done.extend(names(packs));
    sweep::sweep(repo, &Due::after(repo, u64::MAX).and(ids), "repair")?;
    Ok(())
}

/// Whether a gc has taken what was written, and no entry names yet, for left over: then it may be gone.
fn is_taken_for_litter(repo: &Repository, rewritten: &Rewritten) -> bool {
    repo.refresh().is_ok_and(|now| rewritten.packs.iter().any(|pack| now.names(&pack.uid)))
}

/// Reads what was written, before anything is given up for it.
fn verify(vault: &Vault, rewritten: &Rewritten) -> Result<(), OpsError> {
    let failed = OpsError::cas("verify what was written");
    for record in &rewritten.packs {
        let mut faults = Vec::new();
        let sealed = SealedPack::open(vault.store(), record, &mut faults).map_err(&failed)?;
        match faults.pop() {
            Some(fault) => return Err(failed(fault)),
            None => sealed.finish(&|_| {}).map_err(&failed)?,
        }
    }
    Ok(())
}

/// Adds the new packs and condemns the old ones. What these hold the new ones hold just so: a commit that has begun to use an old
/// one meanwhile finds it there.
fn publish(repo: &Repository, packs: &[PackId], rewritten: &Rewritten) -> Result<(), OpsError> {
    rewritten.publish(repo, &mut |now| {
        let is_gone = |pack: &PackId| !now.packs.contains_key(pack) || now.condemned.contains_key(pack);
        if packs.iter().any(is_gone) {
            return Err(RepoError::Overtaken);
        }
        Ok(Draft { packs_condemned: packs.to_vec(), message: "repair".to_owned(), ..Draft::default() })
    })
}

/// Makes the index segments anew that are damaged or gone.
fn rebuild_segments(
    repo: &Repository,
    state: &LogState,
    report: &CheckReport,
    outcome: &mut RepairOutcome,
) -> Result<(), OpsError> {
    let vault = repo.chunks().vault();
    let files: BTreeSet<&str> = report.findings.iter().map(|finding| finding.file.as_str()).collect();
    let is_damaged = |segment: &SegmentRecord| files.contains(segment_name(&segment.uid).as_str());
    let (damaged, whole): (Vec<_>, Vec<_>) = state.segments.iter().copied().partition(is_damaged);
    if damaged.is_empty() {
        return Ok(());
    }
    let mut covered = HashSet::new();
    for segment in whole {
        let audit = SegmentAudit::open(vault, segment).map_err(OpsError::cas("read the index"))?;
        covered.extend(audit.packs().iter().copied());
    }
    let is_bare = |pack: &&PackRecord| !pack.self_indexed && !covered.contains(&pack.uid);
    let bare: Vec<PackId> = state.packs.values().filter(is_bare).map(|pack| pack.uid).collect();
    let added = write_segments(vault, &bare)?;
    let removed: Vec<SegmentId> = damaged.iter().map(|segment| segment.uid).collect();
    repo.append(&mut |now| {
        let is_there = |uid: &SegmentId| now.segments.iter().any(|segment| segment.uid == *uid);
        if !removed.iter().all(is_there) {
            return Err(RepoError::Overtaken);
        }
        Ok(Draft {
            segments_added: added.clone(),
            segments_removed: removed.clone(),
            message: "repair: the index".to_owned(),
            ..Draft::default()
        })
    })?;
    outcome.segments.extend(removed.iter().map(|uid| segment_name(uid).as_str().to_owned()));
    Ok(())
}

/// Writes segments that say what the directories of these packs say, as far as they can be read.
fn write_segments(vault: &Arc<Vault>, packs: &[PackId]) -> Result<Vec<SegmentRecord>, OpsError> {
    let failed = OpsError::cas("write the index");
    let (mut writer, mut written) = (SegmentWriter::default(), Vec::new());
    let mut flush = |writer: &mut SegmentWriter| {
        let rows = std::mem::take(writer);
        if rows.is_empty() {
            return Ok(());
        }
        let finished = rows.finish(vault)?;
        finished.write(vault.store())?;
        written.push(finished.record);
        Ok::<(), crate::cas::CasError>(())
    };
    for pack in packs {
        let Ok(map) = PackMap::load(vault, pack) else { continue };
        writer.add_map(&map);
        if writer.len() >= SEGMENT_ROWS || writer.is_full() {
            flush(&mut writer).map_err(&failed)?;
        }
    }
    flush(&mut writer).map_err(&failed)?;
    Ok(written)
}
