//! `check`: does a repository hold what it says?
//!
//! The log is pinned at the start. What others add to the repository meanwhile is not looked at, and what they remove is no
//! fault: whatever is wrong with a file that the log does not name any more when the check ends is left out. Nothing is
//! written into the repository.

mod broken;
mod choose;
mod data;
mod files;
mod packs;
mod paths;
mod reach;
mod report;
mod sealed;
mod segments;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::cas::{
    CasError, ChunkStore, Index, IndexView, Refresh, Vault, pack_health, pack_name, segment_name,
};
use crate::crypto;
use crate::format::log::PackRecord;
use crate::format::pack::PackHeader;
use crate::id::{PackId, SegmentId};
use crate::observe::{Observer, Phase};
use crate::repo::{LogState, PublicLog, RepoError, Repository};
use crate::store::StorageBackend;

use super::OpsError;
use broken::Broken;
use choose::{Choice, Chosen};
use files::Absent;
use packs::Directories;
use report::Findings;
pub(super) use report::told;
use segments::IndexSide;

pub use choose::ReadData;
pub use report::{
    AffectedPath, CheckCounts, CheckReport, DamagedShards, Endurance, Finding, FindingKind, StrayFile,
};
pub use sealed::{SealedRequest, check_sealed};

/// What follows where a part of the index cannot be read: every look-up asks all of it.
const NEEDED: &str =
    "it is a part of the index: until it is back, also what other packs hold cannot be brought back";
/// Most times that files are compared with the log again because others removed some.
const PINS_MAX: usize = 8;

/// What to check beyond structure: the log, the index, directories, and everything that commits are made of but the bytes
/// of files.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CheckRequest {
    /// Which packs to read whole.
    pub data: ReadData,
    /// Decides which packs are taken at random; `None`: chance does.
    pub seed: Option<u64>,
    /// Of the packs to read, spare those that this client verified less than so many seconds ago, and begin with those that
    /// were not for longest.
    pub max_age: Option<u64>,
    /// Threads that read; 0: one for each core.
    pub threads: usize,
}

/// What every part of a check needs: the store, who listens, and where to note what is wrong.
struct Notes<'a> {
    store: &'a dyn StorageBackend,
    observer: &'a dyn Observer,
    threads: usize,
    findings: Mutex<Findings>,
    endurances: Mutex<Vec<Endurance>>,
    bytes_read: AtomicU64,
}

/// A check with keys.
struct Check<'a> {
    notes: Notes<'a>,
    repo: &'a Repository,
    vault: &'a Arc<Vault>,
    state: Arc<LogState>,
    /// Bytes of differences that are held at a time.
    frames_max: usize,
    /// The finding that objects are put down to that nobody knows the place of.
    missing: OnceLock<usize>,
}

impl<'a> Deref for Check<'a> {
    type Target = Notes<'a>;

    fn deref(&self) -> &Notes<'a> {
        &self.notes
    }
}

/// Checks a repository. What is wrong is in the report; the same for many files at once.
///
/// Memory: about ten bytes for every distinct directory and file node, 10 bits for every row of the index, and some tens of
/// MiB. Where a segment of the index is damaged, what it said is gathered from directories, some 60 bytes an object.
///
/// # Errors
/// When the store fails as a whole, or the log cannot be read: [`check_sealed`] then tells what is wrong with it;
/// [`OpsError::Cancelled`].
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::ops::{CheckRequest, ReadData};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (repo, _state) = repository();
/// commit_notes(&repo, "buy milk");
/// let request = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
/// let report = warp::ops::check(&repo, request, &Silent)?;
/// assert!(report.is_clean());
/// assert_eq!(report.counts.packs_read, report.counts.packs);
/// # Ok(())
/// # }
/// ```
pub fn check(
    repo: &Repository,
    request: CheckRequest,
    observer: &dyn Observer,
) -> Result<CheckReport, OpsError> {
    check_within(repo, request, observer, data::FRAMES_MAX)
}

/// [`check`], with another limit of what is held in memory.
fn check_within(
    repo: &Repository,
    request: CheckRequest,
    observer: &dyn Observer,
    frames_max: usize,
) -> Result<CheckReport, OpsError> {
    observer.phase(Phase::Check, None, None);
    let vault = repo.chunks().vault();
    let notes = Notes::new(vault.store(), observer, request.threads);
    let public = PublicLog::read(vault.store())?;
    notes.log(&public);
    let (state, absent) = pin(repo)?;
    let check = Check { notes, repo, vault, state, frames_max, missing: OnceLock::new() };
    let mut report = CheckReport { log_is_incomplete: !public.is_whole, ..CheckReport::default() };
    check.refs();
    check.checkpoints()?;
    check.run(request, &absent, &mut report)?;
    check.finish(report)
}

/// The present state, and which of its files are not there. Where others remove files just now, it is asked again.
fn pin(repo: &Repository) -> Result<(Arc<LogState>, Absent), OpsError> {
    let store = repo.chunks().vault().store();
    let mut state = repo.refresh()?;
    for _ in 0..PINS_MAX {
        let absent = Absent::find(store, &state)?;
        let now = repo.refresh()?;
        if absent.is_empty() || !absent.is_outdated_by(&now) {
            return Ok((state, absent));
        }
        state = now;
    }
    let absent = Absent::find(store, &state)?;
    Ok((state, absent))
}

impl<'a> Notes<'a> {
    fn new(store: &'a dyn StorageBackend, observer: &'a dyn Observer, threads: usize) -> Self {
        let threads = if threads > 0 { threads } else { super::commit::cores() };
        Self {
            store,
            observer,
            threads,
            findings: Mutex::default(),
            endurances: Mutex::default(),
            bytes_read: AtomicU64::new(0),
        }
    }

    fn store(&self) -> &'a dyn StorageBackend {
        self.store
    }

    fn stop_if_cancelled(&self) -> Result<(), OpsError> {
        if self.observer.cancelled() { Err(OpsError::Cancelled) } else { Ok(()) }
    }

    /// Counts bytes of packs or segments.
    fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }

    fn fault(&self, file: &str, kind: FindingKind, fault: String) -> usize {
        self.findings.lock().expect("no panic while locked").add(file, kind, fault)
    }

    /// Notes how much damage a pack endures.
    fn endures(&self, record: &PackRecord, header: &PackHeader) {
        self.endurances.lock().expect("no panic while locked").push(Endurance {
            file: pack_name(&record.uid).as_str().to_owned(),
            len: record.len,
            shards: header.shards(),
            healable: header.parity_shards.into(),
            loss_max: header.loss_max(),
        });
    }

    /// What [`endures`](Self::endures) noted, by name.
    fn take_endurances(&self) -> Vec<Endurance> {
        let mut all = std::mem::take(&mut *self.endurances.lock().expect("no panic while locked"));
        all.sort_unstable();
        all
    }

    fn cas_fault(&self, file: &str, error: &CasError) -> usize {
        self.findings.lock().expect("no panic while locked").add_cas(file, error)
    }

    fn add_path(&self, finding: usize, path: AffectedPath) {
        self.findings.lock().expect("no panic while locked").get_mut(finding).paths.push(path);
    }

    /// Adds what follows from a finding.
    fn note(&self, file: &str, note: &str) {
        self.findings.lock().expect("no panic while locked").note(file, note);
    }

    /// Notes what is wrong with the configuration and the log.
    fn log(&self, public: &PublicLog) {
        for (file, error) in &public.faults {
            let is_of_config = file.starts_with("config");
            let kind = if is_of_config { FindingKind::Configuration } else { FindingKind::Log };
            self.fault(file, kind, told(error));
        }
    }
}

impl Check<'_> {
    /// What the log says now.
    fn present(&self) -> Result<Arc<LogState>, OpsError> {
        Ok(self.repo.refresh()?)
    }

    /// The finding that objects are put down to that are nowhere: that of the pack that must have held them, where only one
    /// is lost of whose objects nothing is known.
    fn blame_for_missing(&self) -> Option<usize> {
        self.missing.get().copied()
    }

    /// Checkpoints say what the log says.
    fn checkpoints(&self) -> Result<(), OpsError> {
        for (file, error) in self.repo.check_checkpoints()? {
            self.fault(&file, FindingKind::Log, told(&error));
        }
        Ok(())
    }

    /// Refs stand on commits that were made.
    fn refs(&self) {
        for (name, id) in &self.state.refs {
            if !self.state.parents.contains_key(id) {
                let fault = format!("{name} stands on {id}, which no entry of the log makes");
                self.fault("log", FindingKind::Log, fault);
            }
        }
    }

    fn run(&self, request: CheckRequest, absent: &Absent, report: &mut CheckReport) -> Result<(), OpsError> {
        for segment in &absent.segments {
            let fault = "the log names it, and it is not there".to_owned();
            self.fault(segment_name(segment).as_str(), FindingKind::Missing, fault);
        }
        let index = IndexSide::read(self, &absent.segments)?;
        index.lost.iter().for_each(|segment| self.note(segment_name(segment).as_str(), NEEDED));
        let directories = Directories::read(self, &absent.packs, &index)?;
        self.set_blame(&directories);
        let chunks = self.reduced(&index, &directories);
        let mut broken = Broken::default();
        index.blame(self, &chunks, &directories.lost, &mut broken)?;
        index.compare(self, &directories.differing, &mut broken)?;
        packs::blame_cut(self, &chunks, &directories, &mut broken);
        packs::check_bases(self, &chunks, &directories.with_deltas, &mut broken)?;
        (report.counts.objects, report.counts.deltas) = (directories.objects, directories.deltas);
        self.data(request, &chunks, &mut broken, report)?;
        self.reach(&chunks, &directories, &mut broken, report)
    }

    /// Reads packs whole, and remembers when.
    fn data(
        &self,
        request: CheckRequest,
        chunks: &ChunkStore,
        broken: &mut Broken,
        report: &mut CheckReport,
    ) -> Result<(), OpsError> {
        if request.data == ReadData::None {
            return Ok(());
        }
        let now = (self.repo.client().now)().secs;
        let Chosen { packs, skipped } = self.choose(request, now)?;
        let verified = data::read(self, chunks, &packs, broken)?;
        report.counts.packs_read = packs.len() as u64;
        report.counts.packs_skipped = skipped;
        report.counts.objects_verified = verified.objects;
        if let Err(error) = self.repo.remember_verified(&verified.good, &verified.bad, now) {
            self.observer.notice(&format!("cannot remember which packs were verified: {}", told(&error)));
        }
        Ok(())
    }

    fn choose(&self, request: CheckRequest, now: i64) -> Result<Chosen, OpsError> {
        let CheckRequest { data, max_age, .. } = request;
        let seed = match request.seed {
            Some(seed) => seed,
            None => u64::from_le_bytes(crypto::random().map_err(|source| RepoError::Crypto {
                what: "cannot choose packs at random".to_owned(),
                source,
            })?),
        };
        let verified = self.repo.verified_packs();
        Ok(Choice { data, seed, max_age, verified: &verified, now }.choose(&self.state))
    }

    /// Walks all commits and, if anything is broken, looks for the paths that it touches.
    fn reach(
        &self,
        chunks: &ChunkStore,
        directories: &Directories,
        broken: &mut Broken,
        report: &mut CheckReport,
    ) -> Result<(), OpsError> {
        self.observer.phase(Phase::Check, None, None);
        let commits = &self.state.commits;
        reach::Reach::new(self, chunks, broken).commits(commits)?;
        report.counts.commits = commits.len() as u64;
        report.commits = self.present()?.commits.clone();
        if broken.is_empty() {
            return Ok(());
        }
        packs::spread(self, chunks, &directories.with_deltas, broken)?;
        paths::Paths::new(self, chunks, broken).commits(&report.commits)
    }

    /// Decides what objects are put down to that are nowhere.
    fn set_blame(&self, directories: &Directories) {
        let lost = directories.lost.iter();
        let unknown: Vec<_> = lost.filter(|(pack, _)| self.state.packs[*pack].self_indexed).collect();
        unknown.iter().for_each(|(pack, _)| self.note(pack_name(pack).as_str(), NEEDED));
        let finding = match &unknown[..] {
            [] => return,
            [(_, finding)] => **finding,
            several => {
                let mut files: Vec<_> =
                    several.iter().map(|(pack, _)| pack_name(pack).as_str().to_owned()).collect();
                files.sort_unstable();
                let fault = "objects that one of these packs held are gone with it".to_owned();
                self.fault(&files.join(", "), FindingKind::MissingObject, fault)
            }
        };
        // It is set here and nowhere else.
        let _ = self.missing.set(finding);
    }

    /// A store of objects that does without what cannot be read, so that what can be is found. Where a segment is lost, the
    /// directories of packs serve instead.
    fn reduced(&self, index: &IndexSide, directories: &Directories) -> ChunkStore {
        let lost_packs: HashSet<PackId> = directories.lost.keys().copied().collect();
        let unindexed =
            self.state.packs.values().filter(|pack| !pack.self_indexed && !index.covers(&pack.uid));
        let unindexed = unindexed.map(|pack| pack.uid).filter(|pack| !lost_packs.contains(pack)).collect();
        let reduced = Reduced {
            inner: self.repo.refresher(),
            lost_packs,
            lost_segments: index.lost.clone(),
            unindexed,
        };
        let own = Index::new(Arc::clone(self.vault));
        own.update(reduced.reduce(self.state.index_view()));
        ChunkStore::new(Arc::clone(self.vault), Arc::new(own.refreshed_by(Arc::new(reduced))))
    }

    /// Leaves out what is no fault any more, and counts.
    fn finish(self, mut report: CheckReport) -> Result<CheckReport, OpsError> {
        let now = files::strays(self.store(), &|| self.present(), &mut report)?;
        let gone = gone(&self.state, &now);
        let has_moved = now.number > self.state.number;
        let is_moot = |finding: &Finding| {
            let is_missing = finding.kind == FindingKind::MissingObject
                || (finding.kind == FindingKind::MissingBase && finding.file == reach::NOWHERE);
            let is_of_none = is_missing && finding.paths.is_empty();
            gone.contains(&finding.file) || (is_of_none && has_moved)
        };
        report.counts.add_state(&self.state);
        report.counts.bytes_read = self.bytes_read.load(Ordering::Relaxed);
        report.endurances = self.take_endurances();
        let findings = self.notes.findings.into_inner().expect("no panic while locked");
        report.findings = findings.into_sorted(is_moot);
        tell_health(self.notes.store, &self.state, &mut report.findings);
        Ok(report)
    }
}

/// Says of damaged packs what parity can do for them.
fn tell_health(store: &dyn StorageBackend, state: &LogState, findings: &mut [Finding]) {
    let names: HashMap<String, &PackRecord> =
        state.packs.values().map(|pack| (pack_name(&pack.uid).as_str().to_owned(), pack)).collect();
    for finding in findings.iter_mut().filter(|finding| finding.kind.is_of_bytes()) {
        let Some(record) = names.get(&finding.file) else { continue };
        finding.shards = pack_health(store, record).ok().map(|health| DamagedShards {
            damaged: health.damaged() as u64,
            all: health.shards() as u64,
            limit: health.parity_shards as u64,
        });
    }
}

/// Names of files that one state has and a later one has not.
fn gone(state: &LogState, now: &LogState) -> HashSet<String> {
    let kept: HashSet<SegmentId> = now.segments.iter().map(|segment| segment.uid).collect();
    let packs = state.packs.keys().filter(|pack| !now.packs.contains_key(pack)).map(pack_name);
    let segments = state.segments.iter().map(|segment| segment.uid).filter(|uid| !kept.contains(uid));
    packs.chain(segments.map(|uid| segment_name(&uid))).map(|name| name.as_str().to_owned()).collect()
}

impl CheckCounts {
    fn add_state(&mut self, state: &LogState) {
        self.log_entries = state.number;
        self.packs = state.packs.len() as u64;
        self.pack_bytes = state.packs.values().map(|pack| pack.len).sum();
        self.segments = state.segments.len() as u64;
    }
}

/// Takes what cannot be read out of what the log says.
#[derive(Debug)]
struct Reduced {
    inner: Arc<dyn Refresh>,
    lost_packs: HashSet<PackId>,
    lost_segments: HashSet<SegmentId>,
    /// Packs of which no segment that can be read speaks.
    unindexed: Vec<PackId>,
}

impl Reduced {
    fn reduce(&self, mut view: IndexView) -> IndexView {
        view.live.retain(|pack| !self.lost_packs.contains(pack));
        view.self_indexed.retain(|pack| !self.lost_packs.contains(pack));
        view.self_indexed.extend(self.unindexed.iter().filter(|pack| view.live.contains(pack)));
        view.segments.retain(|segment| !self.lost_segments.contains(&segment.uid));
        view
    }
}

impl Refresh for Reduced {
    fn newer_than(&self, entry: u64) -> Result<Option<IndexView>, CasError> {
        Ok(self.inner.newer_than(entry)?.map(|view| self.reduce(view)))
    }
}
