//! `check --repair`: bring back what parity and second copies can bring back.
//!
//! No file is changed, but that damaged entries of the log are written as they were. What a damaged pack holds is copied out of it, healed on the way, into new packs, and the log exchanges
//! them; an index segment is made anew from the directories of the packs that it spoke of.

use std::collections::{BTreeSet, HashSet};

use crate::cas::{PackMap, SegmentAudit, pack_health, pack_name, segment_name};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::id::{PackId, SegmentId};
use crate::observe::Observer;
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::check::{CheckReport, FindingKind};
use super::exchange::{Exchange, exchange};
use super::races::{begin_anew, is_overtaken, overtaken};
use super::reindex::Reindex;

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
    replace(repo, &state, &healable, (false, request.threads), outcome, observer)?;
    if request.salvage {
        let state = repo.refresh()?;
        replace(repo, &state, &beyond, (true, request.threads), outcome, observer)?;
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
fn replace(
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
    let counts = exchange(repo, state, Exchange { packs, salvage, threads, message: "repair" }, observer)?;
    outcome.packs_written += counts.packs;
    outcome.bytes_written += counts.bytes;
    outcome.lost_objects += counts.lost;
    let done = if salvage { &mut outcome.salvaged } else { &mut outcome.healed };
    done.extend(names(packs));
    Ok(())
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
    let mut added = Reindex::new(vault);
    for pack in &bare {
        // Of what cannot be read nothing can be said.
        if let Ok(map) = PackMap::load(vault, pack) {
            added.add(&map)?;
        }
    }
    let added = added.finish()?;
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
