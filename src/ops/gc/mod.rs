//! `gc`: take away what no live commit needs.
//!
//! What live commits reach is marked, in one state of the log. Packs that hold nothing of it go; those that hold much else are
//! written anew without it. One entry of the log adds the new packs and *condemns* the others; from then on no commit can begin to
//! use them. A later entry *removes* them, and their files are deleted after that. A commit that an entry since the marking has
//! made, and that found in one of these packs what it needs, keeps it: then the pack is not condemned, nor any with bases of
//! deltas in it. Files that no entry names may belong to a writer that is still at work. They go the same way, so that such a
//! writer is told, and stores anew what it had.
//!
//! Waiting between the two entries (`grace`) makes this polite, not safe: safe it is without.

mod mark;
mod marks;
mod plan;
mod segments;

use std::fmt;
use std::time::Duration;

use crate::cas::ChunkStore;
use crate::id::PackId;
use crate::mutants::{self, Mutant};
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::races::{begin_anew, is_changed, is_overtaken, is_used_since, overtaken, pinned};
use super::renew::{RenewRequest, Why, renew_some};
use super::rewrite::{self, Job, Keep, Rewritten};
use super::sweep::{self, Due, Listed};
pub(super) use mark::{Copies, Marker};
pub(super) use marks::Marks;
use plan::Plan;

/// Of all bytes in packs, one part in so many is sealed anew in one run if nothing else is said: then a month of nightly runs does all.
const RESEAL_SHARE: u64 = 32;
/// And at least so many bytes.
const RESEAL_MIN: u64 = 1 << 30;
/// Unfinished files that nobody has written to for so long are litter: a writer needs minutes for one.
const TEMPORARY_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How much that is not needed may stay, because taking it away means to write anew what lies beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxUnused {
    /// So many hundredths of what is needed.
    Percent(u64),
    /// So many bytes.
    Bytes(u64),
}

impl MaxUnused {
    fn of(self, live: u64) -> u64 {
        match self {
            Self::Percent(percent) => {
                u64::try_from(u128::from(live) * u128::from(percent) / 100).unwrap_or(u64::MAX)
            }
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// How to collect garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcConfig {
    /// How much that is not needed may stay.
    pub max_unused: MaxUnused,
    /// Most bytes of packs to write anew in one run; `None`: any. What packs that stay need is written anew beyond that.
    pub max_repack: Option<u64>,
    /// Merge small packs where there are many.
    pub merge: bool,
    /// Write packs anew that are sealed under older data keys, a part of them in each run: within `max_repack`, or else one part in
    /// 32 of all packs and at least 1 GiB.
    pub reseal: bool,
    /// Seconds between condemning and removing. 0: both in one run.
    pub grace: u64,
    /// Threads that write packs anew; 0: one for each core.
    pub threads: usize,
    /// Tell what would be done, and do nothing.
    pub dry_run: bool,
}

impl Default for GcConfig {
    /// Leaves one part in twenty unused, merges small packs, and removes what was condemned half a day ago.
    fn default() -> Self {
        Self {
            max_unused: MaxUnused::Percent(5),
            max_repack: None,
            merge: true,
            reseal: true,
            grace: Self::GRACE,
            threads: 0,
            dry_run: false,
        }
    }
}

impl GcConfig {
    /// Seconds for which condemned packs stay if nothing else is said: half a day, so that what a nightly run condemns the
    /// next one removes.
    pub const GRACE: u64 = 12 * 60 * 60;

    /// Takes away whole packs only, and writes nothing anew.
    pub fn conservative() -> Self {
        Self { max_unused: MaxUnused::Bytes(u64::MAX), merge: false, reseal: false, ..Self::default() }
    }

    /// Leaves nothing that is not needed.
    pub fn aggressive() -> Self {
        Self { max_unused: MaxUnused::Bytes(0), ..Self::default() }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GcStats {
    /// Live commits.
    pub commits: u64,
    /// Copies of objects that are needed.
    pub objects_live: u64,
    /// Packs that could be used before.
    pub packs_before: u64,
    /// Their bytes.
    pub bytes_before: u64,
    /// Bytes of them that nobody needs.
    pub bytes_unused: u64,
    /// Packs that hold nothing that is needed.
    pub packs_unneeded: u64,
    /// Packs that were written anew, because of what was not needed in them or because they were small.
    pub packs_rewritten: u64,
    /// Their bytes.
    pub bytes_rewritten: u64,
    /// Packs that were written instead.
    pub packs_written: u64,
    /// Their bytes.
    pub bytes_written: u64,
    /// Packs that could be used after.
    pub packs_after: u64,
    /// Their bytes.
    pub bytes_after: u64,
    /// Packs that had to stay, because a commit began to use them meanwhile.
    pub packs_kept: u64,
    /// Files that no entry of the log names, and that were condemned.
    pub orphans: u64,
    /// Their bytes.
    pub orphan_bytes: u64,
    /// Packs that were sealed anew under the newest data key, beside those that were written anew anyway; in a dry run, that would be.
    pub packs_resealed: u64,
    /// Their bytes.
    pub bytes_resealed: u64,
    /// Packs in use that are still sealed under older data keys.
    pub packs_old_key: u64,
    /// Their bytes.
    pub bytes_old_key: u64,
    /// Segments of the index that were merged into others.
    pub segments_merged: u64,
    /// Packs that are condemned, and wait until their grace is over.
    pub packs_waiting: u64,
    /// Their bytes.
    pub bytes_waiting: u64,
    /// Packs that were removed.
    pub packs_removed: u64,
    /// Files that were deleted, with those that writers have left unfinished.
    pub files_deleted: u64,
    /// Their bytes.
    pub bytes_deleted: u64,
    /// Nothing was done.
    pub dry_run: bool,
}

/// What a collector has just done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GcEvent {
    /// It knows what is needed, and what it will do.
    Planned(GcStats),
    /// It has written the new packs; nothing counts yet.
    Rewritten(GcStats),
    /// The log has an entry that condemns.
    Condemned(GcStats),
    /// What was due is removed and deleted.
    Swept(GcStats),
}

/// Takes away what no live commit needs.
///
/// Any number of collectors, commits, restores and checks may work on the repository at once.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::ops::{GarbageCollector, GcConfig};
/// use warp::repo::Draft;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (repo, _state) = repository();
/// let old = commit_notes(&repo, "buy milk");
/// commit_notes(&repo, "buy bread");
/// repo.append(&mut |_| Ok(Draft { forgotten: vec![old], ..Draft::default() }))?;
///
/// let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
/// let stats = GarbageCollector::new(&repo, config).run(&Silent)?;
/// assert!(stats.bytes_unused > 0 && stats.files_deleted > 0 && stats.packs_waiting == 0);
/// # Ok(())
/// # }
/// ```
pub struct GarbageCollector<'a> {
    repo: &'a Repository,
    config: GcConfig,
    on_event: Box<dyn FnMut(GcEvent) + 'a>,
}

impl fmt::Debug for GarbageCollector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GarbageCollector").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<'a> GarbageCollector<'a> {
    /// A collector for `repo`.
    pub fn new(repo: &'a Repository, config: GcConfig) -> Self {
        Self { repo, config, on_event: Box::new(|_| {}) }
    }

    /// The same, and tells `handler` of each step.
    pub fn on_event(self, handler: impl FnMut(GcEvent) + 'a) -> Self {
        Self { on_event: Box::new(handler), ..self }
    }

    /// Collects.
    ///
    /// # Errors
    /// When anything that live commits need cannot be read: nothing is taken away then. When the store fails; when other
    /// processes remove packs again and again ([`RepoError::Overtaken`]); [`OpsError::Cancelled`]. All live commits are as they
    /// were.
    pub fn run(&mut self, observer: &dyn Observer) -> Result<GcStats, OpsError> {
        begin_anew(|| self.run_once(observer))
    }

    fn run_once(&mut self, observer: &dyn Observer) -> Result<GcStats, OpsError> {
        let state = self.repo.refresh()?;
        let mut stats = GcStats { dry_run: self.config.dry_run, ..GcStats::default() };
        stats.commits = state.commits.len() as u64;
        let orphans = Listed::new(self.repo)?.orphans(&state);
        observer.phase(Phase::Mark, None, None);
        let chunks = pinned(self.repo, &state);
        let told = (&mut stats, observer);
        let mut undone = |error| if is_overtaken(self.repo, &state) { overtaken() } else { error };
        let plan = Plan::new(&state, &chunks, &self.config, told).map_err(&mut undone)?;
        count(&mut stats, &state, &plan, &orphans);
        (self.on_event)(GcEvent::Planned(stats));
        if self.config.dry_run {
            self.reseal(&mut stats, observer)?;
            // How small the new packs will be is an estimate then.
            stats.packs_after = stats.packs_before - stats.packs_unneeded;
            stats.bytes_after = stats.bytes_before - plan.gain;
            return Ok(stats);
        }
        let rewritten = self.rewrite(&plan, &chunks, &stats, observer).map_err(&mut undone)?;
        (stats.packs_written, stats.bytes_written) = (rewritten.counts.packs, rewritten.counts.bytes);
        (self.on_event)(GcEvent::Rewritten(stats));
        observer.phase(Phase::Finish, None, None);
        if observer.cancelled() {
            rewritten.discard(self.repo);
            return Err(OpsError::Cancelled);
        }
        stats.packs_kept = self.condemn(&state, &plan, &rewritten, &orphans)?;
        (self.on_event)(GcEvent::Condemned(stats));
        if self.config.merge {
            stats.segments_merged = segments::merge(self.repo)?;
        }
        self.sweep(&mut stats)?;
        (self.on_event)(GcEvent::Swept(stats));
        self.reseal(&mut stats, observer)?;
        self.tally(&mut stats);
        Ok(stats)
    }

    /// Seals packs anew that are under older data keys, oldest first, as many as one run may.
    fn reseal(&self, stats: &mut GcStats, observer: &dyn Observer) -> Result<(), OpsError> {
        let max_bytes = match (self.config.reseal, self.config.max_repack) {
            (false, _) => 0,
            (true, Some(max)) => max.saturating_sub(stats.bytes_rewritten),
            (true, None) => RESEAL_MIN.max(stats.bytes_before / RESEAL_SHARE),
        };
        let GcConfig { grace, threads, dry_run, .. } = self.config;
        let request = RenewRequest { max_bytes: Some(max_bytes), grace, threads, dry_run };
        let done = renew_some(self.repo, Why::OldKey, request, observer)?;
        if done.stopped {
            return Err(OpsError::Cancelled);
        }
        (stats.packs_resealed, stats.bytes_resealed) = (done.packs_renewed, done.bytes_renewed);
        (stats.packs_old_key, stats.bytes_old_key) = (done.packs_left, done.bytes_left);
        Ok(())
    }

    fn rewrite(
        &self,
        plan: &Plan,
        chunks: &ChunkStore,
        stats: &GcStats,
        observer: &dyn Observer,
    ) -> Result<Rewritten, OpsError> {
        if plan.rewritten.is_empty() {
            return Ok(Rewritten::default());
        }
        let keep = Keep::Marked(&plan.marks);
        let (packs, bytes) = (&plan.rewritten, stats.bytes_rewritten);
        let job = Job { packs, bytes, chunks, keep, threads: self.config.threads, dry_run: false };
        rewrite::run(self.repo, job, observer)
    }

    /// Adds the new packs, and condemns those that go and the orphans, in one entry; returns how many packs are not condemned,
    /// because an entry since `read` uses them.
    fn condemn(
        &self,
        read: &LogState,
        plan: &Plan,
        rewritten: &Rewritten,
        orphans: &[(PackId, u64)],
    ) -> Result<u64, OpsError> {
        if plan.leaving().next().is_none() && orphans.is_empty() {
            return Ok(0);
        }
        let mut kept = 0;
        rewritten.publish(self.repo, &mut |now| {
            if is_changed(read, now) {
                return Err(RepoError::Overtaken);
            }
            let is_used = |pack: &PackId| is_used_since(read, now, pack);
            let stay = plan.kept_with(plan.leaving().filter(is_used));
            kept = stay.len() as u64;
            Ok(Draft {
                packs_condemned: plan.leaving().filter(|pack| !stay.contains(pack)).collect(),
                orphans_condemned: still_orphans(orphans, now),
                message: "gc".to_owned(),
                ..Draft::default()
            })
        })?;
        Ok(kept)
    }

    fn sweep(&self, stats: &mut GcStats) -> Result<(), OpsError> {
        let swept = sweep::sweep(self.repo, &Due::after(self.repo, self.config.grace), "gc")?;
        stats.packs_removed = swept.packs;
        (stats.files_deleted, stats.bytes_deleted) = (swept.files, swept.bytes);
        let cleared = self.repo.chunks().vault().store().clear_temporaries(TEMPORARY_AGE);
        stats.files_deleted += cleared.map_err(|source| {
            let location = self.repo.location();
            OpsError::from(RepoError::Store { location, source })
        })?;
        self.tally(stats);
        Ok(())
    }

    /// Counts what is there now.
    fn tally(&self, stats: &mut GcStats) {
        let state = self.repo.state();
        (stats.packs_waiting, stats.bytes_waiting, stats.packs_after, stats.bytes_after) = (0, 0, 0, 0);
        for (id, pack) in &state.packs {
            let (packs, bytes) = match state.condemned.contains_key(id) {
                true => (&mut stats.packs_waiting, &mut stats.bytes_waiting),
                false => (&mut stats.packs_after, &mut stats.bytes_after),
            };
            (*packs, *bytes) = (*packs + 1, *bytes + pack.len);
        }
    }
}

fn count(stats: &mut GcStats, state: &LogState, plan: &Plan, orphans: &[(PackId, u64)]) {
    stats.packs_unneeded = plan.removed.len() as u64;
    stats.packs_rewritten = plan.rewritten.len() as u64;
    stats.bytes_rewritten = plan.rewritten.iter().map(|pack| state.packs[pack].len).sum();
    stats.orphans = orphans.len() as u64;
    stats.orphan_bytes = orphans.iter().map(|(_, len)| len).sum();
}

/// Those files that no entry has named since.
fn still_orphans(orphans: &[(PackId, u64)], now: &LogState) -> Vec<PackId> {
    // (A mutant of the explorer leaves this out.)
    let is_stale = |uid: &PackId| now.names(uid) && !mutants::is_on(Mutant::OrphansNotListedAnew);
    orphans.iter().map(|(uid, _)| *uid).filter(|uid| !is_stale(uid)).collect()
}
