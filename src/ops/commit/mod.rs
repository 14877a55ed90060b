//! `commit`: record a tree.
//!
//! Threads and queues, all bounded: the calling thread walks the source and decides what must be read; one thread reads
//! and cuts large files; workers read small ones and parts of very large ones, hash, deduplicate, compress and seal; one thread writes packs; one
//! assembles the tree. Values move one way, and the first failure stops them all.

mod assemble;
mod big;
mod content;
mod deltas;
mod finish;
mod former;
mod parts;
mod sink;
mod source;
mod worker;
mod writer;

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::bounded;

use crate::cas::Sealer;
use crate::compress::Level;
use crate::format::commit::CommitStats;
use crate::format::dirtree::{DirEntry, EntryKind, Timestamp};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::format::node::ContentRoot;
use crate::id::{CommitId, PackId};
use crate::limits::DELTA_DEPTH_MAX;
use crate::observe::{Observer, Phase};
use crate::repo::{ErrorKind, RepoError, Repository, VersionInfo};
use crate::worktree::{FileType, OwnerNames, ScanOptions, Scanner, Stat};

use super::previous::Previous;
use super::races::is_overtaken;
use super::shared::Shared;
use super::{OpsError, source_walk};
use assemble::{Assembled, Assembler, EnterDir, Plan, Planned, Step};
use finish::Finish;
use source::Planner;
use worker::{Tools, Work};

pub(super) use content::ContentStore;
pub use finish::parity_setting;
pub(super) use finish::{content_delta_setting, delta_setting, level_setting, seal_commit, store_state};
pub(super) use sink::{ObjectSink, Store};
pub(super) use worker::{BIG_FILE_LEN, known_state};
pub(super) use writer::PackWriter;

/// Steps between the scan and the assembler.
const STEPS_QUEUED: usize = 8192;

/// What is recorded.
pub enum Source {
    /// A working directory: what it holds is the tree.
    WorkDir(PathBuf),
    /// Files and directories: the tree holds each at its absolute path.
    Paths(Vec<PathBuf>),
    /// One file of this name, read from a stream.
    Stream {
        /// Name of the file in the tree.
        name: Vec<u8>,
        /// Its content. An error, also one at its end, fails the commit.
        reader: Box<dyn Read + Send>,
    },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkDir(root) => f.debug_tuple("WorkDir").field(root).finish(),
            Self::Paths(paths) => f.debug_tuple("Paths").field(paths).finish(),
            Self::Stream { name, .. } => {
                f.debug_tuple("Stream").field(&String::from_utf8_lossy(name)).finish()
            }
        }
    }
}

/// What a scan leaves out.
#[derive(Debug, Clone, Default)]
pub struct ScanSettings {
    /// Patterns in gitignore's syntax.
    pub excludes: Vec<String>,
    /// Files of such patterns.
    pub exclude_files: Vec<PathBuf>,
    /// Leave out what lies beside a `CACHEDIR.TAG`.
    pub exclude_caches: bool,
    /// Leave out what lies beside a file of such a name.
    pub exclude_if_present: Vec<std::ffi::OsString>,
    /// Leave out larger files.
    pub exclude_larger_than: Option<u64>,
    /// Stay on one file system.
    pub one_file_system: bool,
    /// Heed `.gitignore` files, too.
    pub git_ignore: bool,
}

/// What to record, and how.
#[derive(Debug)]
pub struct CommitRequest {
    /// What is recorded.
    pub source: Source,
    /// What is left out of it.
    pub scan: ScanSettings,
    /// Description.
    pub message: String,
    /// Who records it.
    pub author: String,
    /// The host that the source is of.
    pub host: String,
    /// Labels.
    pub tags: Vec<String>,
    /// Branch that moves to the new commit. `None`: HEAD's in a working directory, otherwise one named after host and paths.
    pub branch: Option<String>,
    /// HEAD, in a working directory.
    pub head: Option<crate::repo::Head>,
    /// Parent other than the branch's last commit.
    pub parent: Option<CommitId>,
    /// Replace the branch's last commit.
    pub amend: bool,
    /// Make a commit even if nothing changed.
    pub allow_empty: bool,
    /// Read every file again.
    pub force: bool,
    /// Do everything but write.
    pub dry_run: bool,
    /// Compression; `None`: the repository's setting.
    pub compression: Option<Level>,
    /// Store what changed as differences to what was there, so many one above the other at most; 0: store everything in full;
    /// `None`: the repository's setting.
    pub delta_depth: Option<u8>,
    /// Worker threads; 0: one a core.
    pub threads: usize,
    /// When it began.
    pub time: Timestamp,
}

impl CommitRequest {
    /// Everything of `source` as `host` has it at `time`, with no message, onto the branch that the source has unasked.
    pub fn new(source: Source, host: impl Into<String>, time: Timestamp) -> Self {
        Self {
            source,
            scan: ScanSettings::default(),
            message: String::new(),
            author: String::new(),
            host: host.into(),
            tags: Vec::new(),
            branch: None,
            head: None,
            parent: None,
            amend: false,
            allow_empty: false,
            force: false,
            dry_run: false,
            compression: None,
            delta_depth: None,
            threads: 0,
            time,
        }
    }

    /// The same request once more; `None` if its source can be read only once.
    fn again(&self) -> Option<Self> {
        let source = match &self.source {
            Source::WorkDir(root) => Source::WorkDir(root.clone()),
            Source::Paths(paths) => Source::Paths(paths.clone()),
            Source::Stream { .. } => return None,
        };
        Some(Self {
            source,
            scan: self.scan.clone(),
            message: self.message.clone(),
            author: self.author.clone(),
            host: self.host.clone(),
            tags: self.tags.clone(),
            branch: self.branch.clone(),
            head: self.head.clone(),
            ..*self
        })
    }
}

/// Objects that were stored as differences to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeltaCounts {
    /// How many.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the differences.
    pub stored_bytes: u64,
}

impl DeltaCounts {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            objects: self.objects + other.objects,
            bytes: self.bytes + other.bytes,
            stored_bytes: self.stored_bytes + other.stored_bytes,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOutcome {
    /// The commit; `None` when nothing changed, and in a dry run.
    pub commit: Option<CommitId>,
    /// Its first parent.
    pub parent: Option<CommitId>,
    /// The branch that stands on it; empty with a detached HEAD.
    pub branch: String,
    /// Another writer moved the branch meanwhile: the commit is on a branch of its own.
    pub diverged: bool,
    /// Counts.
    pub stats: CommitStats,
    /// Entries that the parent did not have.
    pub new_files: u64,
    /// Entries that differ from the parent's.
    pub changed_files: u64,
    /// Entries taken over.
    pub unchanged_files: u64,
    /// Paths that could not be read as they should.
    pub problems: u64,
    /// Objects that were stored as differences to others.
    pub deltas: DeltaCounts,
    /// Nothing was written.
    pub dry_run: bool,
}

/// Records a tree as a new commit.
///
/// # Errors
/// When the repository or the source as a whole fails, or the observer cancels. The repository is then as it was.
/// Single paths that cannot be read are no errors: they go to the observer, and are counted.
///
/// Where packs that it relied on were condemned meanwhile, or the commit that it builds on was forgotten or even taken away, it
/// begins anew, once, unless the source is a stream.
pub fn commit(
    repo: &Repository,
    request: CommitRequest,
    observer: &dyn Observer,
) -> Result<CommitOutcome, OpsError> {
    let (again, before) = (request.again(), repo.state());
    match (commit_once(repo, request, observer), again) {
        (Err(OpsError::Repo { source: RepoError::Condemned }), Some(again)) => {
            repo.refresh()?;
            observer.notice("packs that this commit relied on were rewritten meanwhile; it begins anew");
            commit_once(repo, again, observer)
        }
        (Err(OpsError::Repo { source: RepoError::BaseForgotten { .. } }), Some(again)) => {
            repo.refresh()?;
            observer.notice("the commit that this one builds on was forgotten meanwhile; it begins anew");
            commit_once(repo, again, observer)
        }
        (Err(error), Some(again)) if is_of_the_store(&error) && is_overtaken(repo, &before) => {
            observer.notice("what this commit builds on was taken away meanwhile; it begins anew");
            commit_once(repo, again, observer)
        }
        (done, _) => done,
    }
}

/// Whether the repository did not give what it should.
fn is_of_the_store(error: &OpsError) -> bool {
    matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Store | ErrorKind::NotFound)
}

fn commit_once(
    repo: &Repository,
    request: CommitRequest,
    observer: &dyn Observer,
) -> Result<CommitOutcome, OpsError> {
    let begun = std::time::Instant::now();
    let finish = Finish::new(repo, &request)?;
    let level = match request.compression {
        Some(level) => level,
        None => finish::level_setting(repo)?,
    };
    let shared = Shared::default();
    observer.phase(Phase::Store, None, None);
    let (recorded, written) = with_sealer(repo, &shared, |sealer| {
        record(repo, request, &finish, (sealer, level), &shared, observer, begun)
    })?;
    finish.publish(repo, recorded, written, observer)
}

/// What was written and, with `uses`, what it relies on; in no entry of the log yet.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) packs: Vec<PackRecord>,
    pub(super) segments: Vec<SegmentRecord>,
    pub(super) uses: Vec<PackId>,
}

/// Runs `act` with a sealer, whose packs a thread of its own writes. `act` completes the packs.
pub(super) fn with_sealer<T>(
    repo: &Repository,
    shared: &Shared,
    act: impl FnOnce(&Sealer<'_>) -> Result<T, OpsError>,
) -> Result<(T, Written), OpsError> {
    let vault = Arc::clone(repo.chunks().vault());
    let index = Arc::clone(repo.chunks().index());
    let (packs, finished) = bounded(0);
    let sealer = Sealer::new(Arc::clone(&vault), &index, move |pack| {
        packs.send(pack).map_err(|_| crate::cas::CasError::WriterGone)
    });
    let sealer = sealer.with_parity(parity_setting(repo)?);
    thread::scope(|scope| {
        let mut writer = PackWriter::new(&vault, Some(&index));
        // The queue ends with the writer: after a failure nobody waits for it to take another pack.
        let writing = scope.spawn(move || writer.run(&finished, shared).map(|()| writer));
        let outcome = act(&sealer);
        if let Err(error) = outcome {
            drop(sealer);
            shared.fail(error);
            let _ = writing.join().expect("the pack writer does not panic");
            return Err(shared.take_failure().expect("just set"));
        }
        let uses = sealer.uses();
        drop(sealer);
        let written = writing.join().expect("the pack writer does not panic");
        if let Some(error) = shared.take_failure() {
            return Err(error);
        }
        let PackWriter { packs, segments, .. } = written?;
        Ok((outcome?, Written { packs, segments, uses }))
    })
}

/// A tree that was stored and, unless nothing changed, its commit object.
struct Recorded {
    commit: Option<(CommitId, crate::format::commit::Commit)>,
    stats: CommitStats,
    deltas: DeltaCounts,
    assembled: Assembled,
}

fn record(
    repo: &Repository,
    request: CommitRequest,
    finish: &Finish,
    (sealer, level): (&Sealer<'_>, Level),
    shared: &Shared,
    observer: &dyn Observer,
    begun: std::time::Instant,
) -> Result<Recorded, OpsError> {
    let keyring = repo.chunks().vault().keyring();
    let (depth, content_depth) = match (level, request.delta_depth) {
        (Level::Off, _) => (0, 0),
        (_, Some(depth)) => (depth.min(DELTA_DEPTH_MAX), depth.min(DELTA_DEPTH_MAX)),
        (_, None) => (finish::delta_setting(repo)?, finish::content_delta_setting(repo)?),
    };
    let store = Store { sealer, chunks: repo.chunks(), level, depth, content_depth, dry: request.dry_run };
    let sink = ObjectSink::new(store).map_err(OpsError::cas("set up compression"))?;
    let (results, outcomes) = crossbeam_channel::unbounded();
    let threads = if request.threads > 0 { request.threads } else { cores() };
    let tools = Tools {
        chunker: repo.chunker()?,
        tree_key: worker::tree_key(keyring),
        sink,
        observer,
        shared,
        results,
        threads,
    };
    let assembled = run_threads(repo, request, finish.base(), &tools, outcomes)?;
    observer.phase(Phase::Finish, None, None);
    finish.store(repo, &tools, assembled, begun)
}

fn run_threads(
    repo: &Repository,
    request: CommitRequest,
    base: Option<&VersionInfo>,
    tools: &Tools<'_>,
    outcomes: crossbeam_channel::Receiver<(u64, worker::Outcome)>,
) -> Result<Assembled, OpsError> {
    let owners = OwnerNames::new();
    let threads = tools.threads;
    let (steps, stepped) = bounded(STEPS_QUEUED);
    let (work, todo) = bounded::<Work>(2 * threads);
    let (big, large) = bounded(4);
    let assembled = thread::scope(|scope| {
        let mut workers = Vec::new();
        for _ in 0..threads {
            let todo = todo.clone();
            workers.push(scope.spawn(move || worker::run(tools, &todo)));
        }
        drop(todo);
        let pieces = work.clone();
        let reader = scope.spawn(move || big::run(tools, &large, &pieces));
        let assembler = Assembler::new(tools, &owners, outcomes);
        let assembling = scope.spawn(move || assembler.run(&stepped));
        let walked = walk(repo, request, base, tools, (steps, work, big), threads);
        if let Err(error) = walked {
            tools.shared.fail(error);
        }
        reader.join().expect("reading does not panic");
        workers.into_iter().for_each(|worker| worker.join().expect("workers do not panic"));
        assembling.join().expect("assembling does not panic")
    });
    match (tools.shared.take_failure(), assembled) {
        (Some(error), _) | (None, Err(error)) => Err(error),
        (None, Ok(None)) => Err(OpsError::Cancelled),
        (None, Ok(Some(assembled))) => Ok(assembled),
    }
}

type Queues = (
    crossbeam_channel::Sender<Step>,
    crossbeam_channel::Sender<Work>,
    crossbeam_channel::Sender<worker::Job>,
);

/// Walks the source on the calling thread; the queues close when it returns.
fn walk(
    repo: &Repository,
    request: CommitRequest,
    base: Option<&VersionInfo>,
    tools: &Tools<'_>,
    queues: Queues,
    threads: usize,
) -> Result<(), OpsError> {
    let options = scan_options(repo, &request.scan, threads);
    let is_workdir = matches!(request.source, Source::WorkDir(_));
    let previous = |base: &VersionInfo| Previous::new(repo, base.id, &base.commit.state, is_workdir);
    let previous = base.map(previous).transpose()?;
    let root = base.map(|base| &base.commit.root);
    match request.source {
        Source::WorkDir(path) => {
            let mut planner = Planner::new(tools, queues, previous, root, request.force);
            source_walk::workdir(&Scanner::new(options)?, &path, &mut planner)?;
            planner.flush();
            Ok(())
        }
        Source::Paths(paths) => {
            let paths = source_walk::normalise(&paths)?;
            let mut planner = Planner::new(tools, queues, previous, root, request.force);
            source_walk::paths(&Scanner::new(options)?, &paths, &mut planner)?;
            planner.flush();
            Ok(())
        }
        Source::Stream { name, mut reader } => {
            let former = root.and_then(|root| former_file(repo, root, &name));
            stream(tools, queues, (name, former), &mut *reader, request.time)
        }
    }
}

/// What the file of this name held in the root of the parent commit. One that cannot be read is of no use and does no harm.
fn former_file(repo: &Repository, root: &DirEntry, name: &[u8]) -> Option<ContentRoot> {
    let EntryKind::Dir { node } = &root.kind else { return None };
    let entries = super::tree::read_dir(repo.chunks(), node.as_ref()).ok()?;
    match entries.into_iter().find(|entry| entry.name == name)?.kind {
        EntryKind::File { content, .. } => Some(content),
        _ => None,
    }
}

fn stream(
    tools: &Tools<'_>,
    (steps, work, _big): Queues,
    (name, former): (Vec<u8>, Option<ContentRoot>),
    reader: &mut dyn Read,
    time: Timestamp,
) -> Result<(), OpsError> {
    let stat = |file_type, mode| Stat {
        file_type,
        mode,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        size: 0,
        mtime: super::convert::live_time(time),
        ctime: super::convert::live_time(time),
        ino: 0,
        dev: 0,
        nlink: 1,
        blocks: u64::MAX,
    };
    let root = EnterDir {
        path: PathBuf::from("/"),
        name: Vec::new(),
        rel: Vec::new(),
        stat: stat(FileType::Dir, 0o755),
        previous: None,
        made_up: true,
    };
    let path = big::stream_path(&name);
    let file = stat(FileType::Regular, 0o600);
    let planned = Planned { path: path.clone(), name, stat: file, plan: Plan::Job(1) };
    let _ = steps.send(Step::Enter(Box::new(root)));
    tools.observer.file(&path);
    big::read_stream(tools, (1, &path, former), reader, file, &work)?;
    let _ = steps.send(Step::Entry(Box::new(planned)));
    let _ = steps.send(Step::Leave);
    Ok(())
}

/// The scanner's options; the repository itself is never entered.
pub(super) fn scan_options(repo: &Repository, settings: &ScanSettings, threads: usize) -> ScanOptions {
    ScanOptions {
        one_file_system: settings.one_file_system,
        exclude_caches: settings.exclude_caches,
        exclude_if_present: settings.exclude_if_present.clone(),
        exclude_larger_than: settings.exclude_larger_than,
        excludes: settings.excludes.clone(),
        exclude_files: settings.exclude_files.clone(),
        git_ignore: settings.git_ignore,
        warpignore: true,
        skip: vec![PathBuf::from(repo.location())],
        threads,
    }
}

pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
