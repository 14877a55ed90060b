//! `restore`: bring a tree, or part of one, back below a directory.
//!
//! The tree is walked in windows of bounded size. In each, the chunks that are needed are sorted by where they lie, so
//! that packs are read in order and every block is opened once; threads take blocks and write into all files that need
//! them. Links and metadata of directories follow when their files are done.

mod execute;
mod extras;
mod plan;
mod verify;
mod window;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::format::dirtree::DirEntry;
use crate::id::CommitId;
use crate::observe::{Observer, Phase, Problem};
use crate::repo::Repository;
use crate::worktree::{Degraded, Lost, MetaPolicy, Target, XattrPolicy};

use super::OpsError;
use super::selection::{Selection, Wanted};
use plan::Planner;
pub(super) use verify::run as verify;

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overwrite {
    /// It is written anew.
    #[default]
    Always,
    /// It is written anew if its length or time differs; otherwise it only gets its metadata.
    IfChanged,
    /// It is written anew if the commit's is newer.
    IfNewer,
    /// It stays.
    Never,
}

/// Asked before entries that are not in the commit are removed: the target, and how many.
pub type ConfirmDelete = Box<dyn Fn(&Path, u64) -> bool>;

/// What to bring back, and where.
pub struct RestoreRequest {
    /// The commit.
    pub commit: CommitId,
    /// The directory that its root is brought back to; made if it is missing.
    pub target: PathBuf,
    /// Which part of it.
    pub selection: Selection,
    /// What happens to files that are there.
    pub overwrite: Overwrite,
    /// Remove what the commit does not have.
    pub delete: bool,
    /// Asked before something is removed in a directory that was there before. `None`: yes.
    pub confirm_delete: Option<ConfirmDelete>,
    /// Change nothing, tell what would be done.
    pub dry_run: bool,
    /// Read everything back and compare.
    pub verify: bool,
    /// Owners by number.
    pub numeric_ids: bool,
    /// Make device nodes.
    pub devices: bool,
    /// Give setuid and setgid bits even where owners cannot be given back.
    pub setuid: bool,
    /// Give back `trusted.*` attributes.
    pub trusted_xattrs: bool,
    /// Make holes of zeros also in files that had none.
    pub sparse: bool,
    /// Threads; 0: one a core.
    pub threads: usize,
}

impl RestoreRequest {
    /// Everything of a commit, into `target`, with the safe choices.
    pub fn new(commit: CommitId, target: impl Into<PathBuf>) -> Self {
        Self {
            commit,
            target: target.into(),
            selection: Selection::default(),
            overwrite: Overwrite::Always,
            delete: false,
            confirm_delete: None,
            dry_run: false,
            verify: false,
            numeric_ids: false,
            devices: false,
            setuid: false,
            trusted_xattrs: false,
            sparse: false,
            threads: 0,
        }
    }

    fn policy(&self) -> MetaPolicy {
        let safe = MetaPolicy::safe();
        MetaPolicy {
            numeric_ids: self.numeric_ids,
            setuid: self.setuid,
            devices: self.devices,
            xattrs: XattrPolicy { trusted: self.trusted_xattrs, ..safe.xattrs },
            ..safe
        }
    }
}

impl fmt::Debug for RestoreRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestoreRequest")
            .field("commit", &self.commit)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// What a dry run would do to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlannedAction {
    /// Nothing is there yet.
    Create,
    /// Something is there and would be written anew.
    Update,
    /// It would be removed.
    Remove,
    /// Only its metadata would be set.
    Metadata,
    /// It would stay as it is.
    Keep,
}

/// A path of a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// The path, below the target.
    pub path: Vec<u8>,
    /// What would be done.
    pub action: PlannedAction,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RestoreOutcome {
    /// Regular files brought back.
    pub files: u64,
    /// Directories.
    pub dirs: u64,
    /// Everything else.
    pub others: u64,
    /// Bytes of the files brought back.
    pub bytes: u64,
    /// Bytes written: holes and files that were left alone are not.
    pub written_bytes: u64,
    /// Files that were right already.
    pub unchanged: u64,
    /// Files left alone because of [`Overwrite`].
    pub skipped: u64,
    /// Entries removed.
    pub removed: u64,
    /// Paths that could not be brought back as they should.
    pub problems: u64,
    /// Files read back and found right.
    pub verified: u64,
    /// What could not be given back to how many entries, and the first of them.
    pub degraded: Vec<(&'static str, u64, PathBuf)>,
    /// What a dry run would do.
    pub planned: Vec<PlannedChange>,
}

/// What the threads of a restore share.
pub(super) struct Report<'a> {
    pub(super) observer: &'a dyn Observer,
    problems: AtomicU64,
}

impl<'a> Report<'a> {
    pub(super) fn new(observer: &'a dyn Observer) -> Self {
        Self { observer, problems: AtomicU64::new(0) }
    }

    pub(super) fn problem(&self, path: &Path, error: &(dyn std::error::Error + 'static)) {
        self.problems.fetch_add(1, Ordering::Relaxed);
        self.observer.problem(&Problem { path, error });
    }

    pub(super) fn problems(&self) -> u64 {
        self.problems.load(Ordering::Relaxed)
    }
}

/// Brings a commit back below a directory.
///
/// # Errors
/// When the commit cannot be read, the target cannot be used at all or is full, or the observer cancels. Single paths
/// that fail are no errors: they go to the observer, and are counted.
pub fn restore(
    repo: &Repository,
    request: RestoreRequest,
    observer: &dyn Observer,
) -> Result<RestoreOutcome, OpsError> {
    let commit = repo.version(request.commit)?.commit;
    let selector = request.selection.compile()?;
    let wanted = |path: &[u8], is_dir: bool| selector.wanted(path, is_dir);
    let job = Job {
        root: &commit.root,
        wanted: &wanted,
        metadata_only: &|_| false,
        overwrite: request.overwrite,
        sparse: request.sparse,
        root_metadata: true,
        threads: if request.threads > 0 { request.threads } else { super::commit::cores() },
    };
    if request.dry_run {
        return dry_run(repo, &request, &job);
    }
    let existed = request.target.symlink_metadata().is_ok();
    let target = Target::open(&request.target, request.policy())?;
    let report = Report::new(observer);
    let mut outcome = RestoreOutcome::default();
    if request.delete && existed {
        outcome.removed = extras::remove(repo, &request, &job, &target, &report)?;
    }
    write(repo, &job, &target, &report, &mut outcome)?;
    if request.verify {
        verify(repo, &job, &target, &report, &mut outcome)?;
    }
    outcome.degraded = degraded(&target.degraded());
    outcome.problems = report.problems();
    Ok(outcome)
}

/// What is brought back, for `restore` and `checkout`.
pub(super) struct Job<'a> {
    pub(super) root: &'a DirEntry,
    pub(super) wanted: &'a dyn Fn(&[u8], bool) -> Wanted,
    /// Paths whose content is right already.
    pub(super) metadata_only: &'a dyn Fn(&[u8]) -> bool,
    pub(super) overwrite: Overwrite,
    pub(super) sparse: bool,
    /// The root directory itself gets its metadata.
    pub(super) root_metadata: bool,
    pub(super) threads: usize,
}

/// Writes everything that a job wants.
pub(super) fn write(
    repo: &Repository,
    job: &Job<'_>,
    target: &Target,
    report: &Report<'_>,
    outcome: &mut RestoreOutcome,
) -> Result<(), OpsError> {
    raise_open_files();
    report.observer.phase(Phase::Restore, None, None);
    Planner::new(repo, job, target, report, outcome).run()
}

/// Files stay open while their chunks arrive: as many as the system's hard limit allows.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Without the higher limit, files are opened and closed more often.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

fn dry_run(repo: &Repository, request: &RestoreRequest, job: &Job<'_>) -> Result<RestoreOutcome, OpsError> {
    let target = match request.target.is_dir() {
        true => Some(Target::open(&request.target, request.policy())?),
        false => None,
    };
    let mut outcome = RestoreOutcome::default();
    plan::dry_run(repo, job, target.as_ref(), &mut outcome)?;
    if let Some(target) = target.filter(|_| request.delete) {
        let extras = extras::find(repo, job, &target)?;
        let planned = |path| PlannedChange { path, action: PlannedAction::Remove };
        outcome.planned.extend(extras.into_iter().map(planned));
    }
    Ok(outcome)
}

pub(super) fn degraded(lost: &Degraded) -> Vec<(&'static str, u64, PathBuf)> {
    let what: [(&str, &Lost); 7] = [
        ("owner", &lost.owner),
        ("permissions", &lost.mode),
        ("setuid or setgid bit", &lost.setuid),
        ("ACL", &lost.acls),
        ("extended attributes", &lost.xattrs),
        ("time", &lost.times),
        ("special file", &lost.devices),
    ];
    let some = what.into_iter().filter(|(_, lost)| lost.count > 0);
    some.map(|(name, lost)| (name, lost.count, lost.first.clone().unwrap_or_default())).collect()
}
