//! `recover`: a log for a repository that has lost its own, made of what its packs hold and of the entries that are left.
//!
//! What can be read is taken back, also packs that the log had condemned or removed and whose files are still there: which of them a
//! commit needs can only be told by walking all trees, and gc does that, and takes the others away. Commits that an entry has forgotten
//! stay forgotten; of those that no entry names it cannot be known, and too many are better than too few.

mod drafts;
mod history;
mod packs;

use std::collections::BTreeMap;

use crate::id::CommitId;
use crate::limits::MIB;
use crate::observe::{Observer, Phase};
use crate::repo::{LogHead, Rebuild, RepoError, Repository, Survivors};

use super::OpsError;
use super::check::{CheckReport, CheckRequest, check, told};
use drafts::drafts;
use history::History;
pub use history::MovedRef;
use packs::Packs;

/// How to recover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoverRequest {
    /// Tell what would come back, and write nothing.
    pub dry_run: bool,
    /// Also where the log seems whole: its last entries may be missing.
    pub force: bool,
    /// About how many bytes an entry of the new log may have; what does not fit goes into further ones.
    pub entry_len: usize,
    /// Threads that check what came back; 0: one for each core.
    pub threads: usize,
}

impl Default for RecoverRequest {
    fn default() -> Self {
        Self { dry_run: false, force: false, entry_len: 32 * MIB, threads: 0 }
    }
}

/// A commit that is there, of which files are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncompleteCommit {
    /// The commit.
    pub id: CommitId,
    /// How many paths cannot be brought back.
    pub paths: u64,
    /// What is wrong: a file of the repository and its fault.
    pub why: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RecoverOutcome {
    /// What was wrong with the log; `None`: nothing that could be seen.
    pub fault: Option<String>,
    /// Entries of the log that could be read.
    pub entries_read: u64,
    /// How many there were, at least.
    pub entries_known: u64,
    /// Entries of which it is not known what they said: they are missing, and no checkpoint says it.
    pub entries_missing: u64,
    /// Files of entries and checkpoints that do not count, and why.
    pub entry_faults: Vec<(String, String)>,
    /// Packs that were taken back.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Objects in them.
    pub objects: u64,
    /// Packs that were left out, and why.
    pub packs_left_out: Vec<(String, String)>,
    /// Segments of the index that were written.
    pub segments: u64,
    /// Live commits.
    pub commits: u64,
    /// Those of them that no entry names: whether they had been forgotten is not known.
    pub commits_unnamed: Vec<CommitId>,
    /// Commits that entries name and that cannot be read, and why.
    pub commits_lost: Vec<(CommitId, String)>,
    /// Commits that are forgotten, and stay so.
    pub commits_forgotten: u64,
    /// Full names of refs and where they stand.
    pub refs: Vec<(String, CommitId)>,
    /// Refs that stand elsewhere than they did.
    pub refs_moved: Vec<MovedRef>,
    /// Branches that were made for commits which no ref reaches; they are among the refs.
    pub branches: Vec<(String, CommitId)>,
    /// Entries that the new log has, or would have.
    pub entries_written: u64,
    /// The head of the new log; `None` in a dry run.
    pub head: Option<LogHead>,
    /// Commits of which something cannot be read; in a dry run nobody looks.
    pub incomplete: Vec<IncompleteCommit>,
}

impl RecoverOutcome {
    /// Whether something is lost: packs, commits, or parts of commits.
    pub fn has_losses(&self) -> bool {
        !(self.packs_left_out.is_empty() && self.commits_lost.is_empty() && self.incomplete.is_empty())
    }

    fn tell(&mut self, packs: &Packs, survivors: &Survivors, history: &History) {
        self.entries_read = survivors.read;
        self.entries_known = survivors.known;
        self.entries_missing = survivors.missing;
        let told = |(file, error): &(String, RepoError)| (file.clone(), told(error));
        self.entry_faults = survivors.faults.iter().map(told).collect();
        self.packs = packs.records.len() as u64;
        self.pack_bytes = packs.records.iter().map(|pack| pack.len).sum();
        self.objects = packs.objects;
        self.packs_left_out = packs.unreadable.clone();
        self.segments = packs.segments.len() as u64;
        self.commits = history.live() as u64;
        self.commits_unnamed = history.unnamed.clone();
        self.commits_lost = history.lost.clone();
        self.commits_forgotten = (history.gone.len() - history.lost.len()) as u64;
        self.refs = history.refs.iter().map(|(name, id)| (name.clone(), *id)).collect();
        self.refs_moved = history.moved.clone();
        self.branches = history.branches.clone();
    }
}

/// Makes a log anew for a repository whose own is lost or damaged, and an index with it.
///
/// The old entries are kept, in `lost/`. Stopped at any moment, it can be run again, and finds the same. Memory: that of the log, some hundred
/// bytes a commit, and some tens of MiB; what checks the outcome needs [more](fn@check).
///
/// # Errors
/// [`OpsError::Refused`] where the log is whole, unless [`force`](RecoverRequest::force) says otherwise; [`RepoError::Busy`] when
/// another process does the same or changes the configuration; when the store fails; [`OpsError::Cancelled`].
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::ops::RecoverRequest;
/// use warp::repo::Rebuild;
/// use warp::store::{BlobName, StorageBackend};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let state = tempfile::tempdir()?;
/// let store = Arc::new(MemoryStore::new());
/// let made = Repository::create(store.clone(), options(Credentials::None), client(state.path()))?;
/// let commit = commit_notes(&made, "buy milk");
/// for entry in store.list("log/")? {
///     store.delete(&entry.name)?;
/// }
///
/// let open = || Repository::open(store.clone(), &Credentials::None, client(state.path()));
/// assert!(open().is_err());
/// let rebuild = Rebuild::open(store.clone(), &Credentials::None, client(state.path()))?;
/// let done = warp::ops::recover(rebuild, RecoverRequest::default(), &Silent)?;
/// assert_eq!(done.branches, [(format!("heads/recovered/{}", commit.short()), commit)]);
/// assert_eq!(open()?.version(commit)?.commit.message, "buy milk");
/// # Ok(())
/// # }
/// ```
pub fn recover(
    rebuild: Rebuild,
    request: RecoverRequest,
    observer: &dyn Observer,
) -> Result<RecoverOutcome, OpsError> {
    let fault = rebuild.fault()?;
    if fault.is_none() && !request.force {
        let why = "nothing to recover: the log is whole".to_owned();
        return Err(OpsError::Refused { why });
    }
    let fault = fault.map(|fault| told(&fault));
    let mut outcome = RecoverOutcome { fault, ..RecoverOutcome::default() };
    let mut packs = Packs::read(rebuild.vault(), request.dry_run, observer)?;
    let found = packs.commits(rebuild.vault());
    let survivors = rebuild.survivors(found.read.values().map(|commit| commit.device).collect())?;
    packs.retain_named(&survivors.packs);
    let history = History::new(&survivors, &found);
    outcome.tell(&packs, &survivors, &history);
    let may_write = survivors.devices.into_iter().filter(|(_, roles)| *roles != 0);
    let devices = rebuild.certify(may_write)?;
    let drafts = drafts(devices, (&packs.records, &packs.segments), &history, request.entry_len);
    outcome.entries_written = drafts.len() as u64;
    if observer.cancelled() {
        return Err(OpsError::Cancelled);
    }
    if request.dry_run {
        return Ok(outcome);
    }
    observer.phase(Phase::Finish, None, None);
    let repo = rebuild.write(drafts)?;
    repo.notices().iter().for_each(|notice| observer.notice(notice));
    outcome.head = Some(repo.head()?);
    outcome.incomplete = incomplete(&repo, request.threads, observer);
    Ok(outcome)
}

/// Looks whether everything is there that the commits are made of. The log is written: what goes wrong here undoes nothing.
fn incomplete(repo: &Repository, threads: usize, observer: &dyn Observer) -> Vec<IncompleteCommit> {
    match check(repo, CheckRequest { threads, ..CheckRequest::default() }, observer) {
        Ok(report) => broken_commits(&report),
        Err(error) => {
            let why = match error {
                OpsError::Cancelled => "interrupted".to_owned(),
                error => told(&error),
            };
            observer.notice(&format!(
                "the log is made anew, but whether all commits are complete was not checked: {why}"
            ));
            Vec::new()
        }
    }
}

fn broken_commits(report: &CheckReport) -> Vec<IncompleteCommit> {
    let mut broken: BTreeMap<u32, IncompleteCommit> = BTreeMap::new();
    for finding in &report.findings {
        for place in finding.paths.iter().flat_map(|path| &path.commits) {
            let Some(id) = report.commits.get(*place as usize) else { continue };
            let why =
                || format!("{}: {}", finding.file, finding.faults.first().map_or("damaged", String::as_str));
            let commit = broken.entry(*place);
            commit.or_insert_with(|| IncompleteCommit { id: *id, paths: 0, why: why() }).paths += 1;
        }
    }
    broken.into_values().collect()
}
