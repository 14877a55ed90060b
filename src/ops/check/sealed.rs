//! A check that needs no keys: hashes of sealed bytes against the log, and the log's signatures.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::cas::{CasError, SealedPack, check_segment_bytes, pack_name, segment_name};
use crate::format::log::PackRecord;
use crate::observe::{Observer, Phase};
use crate::repo::{LogState, PublicLog};
use crate::store::StorageBackend;

use super::super::OpsError;
use super::super::work;
use super::report::{CheckReport, Finding};
use super::{Notes, PINS_MAX, files, gone};
use files::Absent;

/// What to check without keys, beside the configuration, the log and the index segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedRequest {
    /// Read all packs whole and compare their roots; otherwise only their lengths and headers.
    pub read_packs: bool,
    /// Threads that read; 0: one for each core.
    pub threads: usize,
}

/// Checks a repository without keys: that the log is chained and signed, and that all files are there whose bytes it
/// vouches for, unchanged. Also of a repository that cannot be opened.
///
/// # Errors
/// When there is no repository, or the store fails as a whole; [`OpsError::Cancelled`].
pub fn check_sealed(
    store: &dyn StorageBackend,
    request: SealedRequest,
    observer: &dyn Observer,
) -> Result<CheckReport, OpsError> {
    observer.phase(Phase::Check, None, None);
    let notes = Notes::new(store, observer, request.threads);
    let mut public = PublicLog::read(store)?;
    public.look_at_checkpoints(store)?;
    notes.log(&public);
    let mut report = CheckReport { log_is_incomplete: !public.is_whole, ..CheckReport::default() };
    let state = pin(store, public.state)?;
    segments(&notes, &state)?;
    packs(&notes, &state, request.read_packs)?;
    if request.read_packs {
        report.counts.packs_read = state.packs.len() as u64;
    }
    finish(notes, &state, report)
}

/// The state, or a later one, if others remove files just now.
fn pin(store: &dyn StorageBackend, mut state: LogState) -> Result<LogState, OpsError> {
    for _ in 0..PINS_MAX {
        let absent = Absent::find(store, &state)?;
        if absent.is_empty() {
            return Ok(state);
        }
        let now = PublicLog::read(store)?.state;
        if !absent.is_outdated_by(&now) {
            return Ok(state);
        }
        state = now;
    }
    Ok(state)
}

fn segments(notes: &Notes<'_>, state: &LogState) -> Result<(), OpsError> {
    for record in &state.segments {
        notes.stop_if_cancelled()?;
        if let Err(error) = check_segment_bytes(notes.store, record, &|bytes| notes.read(bytes)) {
            notes.cas_fault(segment_name(&record.uid).as_str(), &error);
        }
    }
    Ok(())
}

fn packs(notes: &Notes<'_>, state: &LogState, whole: bool) -> Result<(), OpsError> {
    let mut packs: Vec<PackRecord> = state.packs.values().copied().collect();
    packs.sort_by_key(|pack| std::cmp::Reverse(pack.len));
    if whole {
        let bytes = packs.iter().map(|pack| pack.len).sum();
        notes.observer.phase(Phase::Verify, Some(packs.len() as u64), Some(bytes));
    }
    let stopped = || notes.observer.cancelled();
    work::share(notes.threads, &packs, &stopped, &|| Some(()), &|(), record| {
        let mut faults = Vec::new();
        let failed = pack(notes, record, whole, &mut faults).err();
        faults.extend(failed);
        let name = pack_name(&record.uid);
        for fault in &faults {
            notes.cas_fault(name.as_str(), fault);
        }
        notes.observer.advance(1, 0);
    });
    notes.stop_if_cancelled()
}

fn pack(
    notes: &Notes<'_>,
    record: &PackRecord,
    whole: bool,
    faults: &mut Vec<CasError>,
) -> Result<(), CasError> {
    let sealed = SealedPack::open(notes.store, record, faults)?;
    notes.endures(record, sealed.header());
    if !whole {
        return Ok(());
    }
    sealed.finish(&|bytes| {
        notes.read(bytes);
        notes.observer.advance(0, bytes);
    })
}

fn finish(notes: Notes<'_>, state: &LogState, mut report: CheckReport) -> Result<CheckReport, OpsError> {
    let store = notes.store;
    let present = || Ok(Arc::new(PublicLog::read(store)?.state));
    let now = files::strays(store, &present, &mut report)?;
    let gone = gone(state, &now);
    report.counts.add_state(state);
    report.counts.bytes_read = notes.bytes_read.load(Ordering::Relaxed);
    report.endurances = notes.take_endurances();
    let findings = notes.findings.into_inner().expect("no panic while locked");
    report.findings = findings.into_sorted(|finding: &Finding| gone.contains(&finding.file));
    super::tell_health(store, state, &mut report.findings);
    Ok(report)
}
