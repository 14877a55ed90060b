//! `rewrite`: drop paths from history.
//!
//! Every commit whose tree holds what is to be dropped gets an heir: the same commit without it. So does every commit that comes
//! after one with an heir, since parents are part of a commit. Trees are written anew node by node; of files nothing is read or
//! written. One entry of the log adds the heirs, moves the refs and forgets the originals, whose bytes gc then takes away.
//!
//! Nothing new is stored as a difference to what was there: a base stays as long as what was made of it, and would keep the
//! names that were dropped.

mod counts;
mod history;
mod links;
mod rules;
mod sieve;
mod states;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;

use crate::cas::Sealer;
use crate::format::commit::{Commit, CommitStats};
use crate::format::log::CommitRecord;
use crate::format::node::ContentRoot;
use crate::id::CommitId;
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, Head, LogState, RefMove, RepoError, Repository};

use super::OpsError;
use super::commit::{ObjectSink, Store, level_setting, seal_commit, store_state, with_sealer};
use super::races::{begin_anew, is_overtaken, overtaken};
use super::rewrite::Rewritten;
use super::shared::Shared;
pub use counts::DroppedCounts;
use history::Heirs;
use rules::{Rules, Sources};
use sieve::{Sieve, Sifted};

/// How often commits that others make meanwhile are taken in before all begins anew.
const ROUNDS: usize = 8;

/// What to drop, and from which commits.
#[derive(Debug, Clone, Default)]
pub struct RewriteRequest {
    /// Patterns in gitignore's syntax, with the meaning that they have for a commit: below each of its sources.
    pub excludes: Vec<String>,
    /// Such patterns that do not tell capitals from small letters.
    pub iexcludes: Vec<String>,
    /// Files of patterns.
    pub exclude_files: Vec<PathBuf>,
    /// Paths from the top of the tree, each with everything below it.
    pub paths: Vec<Vec<u8>>,
    /// Drop it from these commits alone. Empty: from all live ones.
    pub commits: Vec<CommitId>,
    /// Only from commits of this host.
    pub host: Option<String>,
    /// Only from commits with all these tags.
    pub tags: Vec<String>,
    /// Only from commits that were made of all these paths.
    pub sources: Vec<Vec<u8>>,
    /// Where the working directory stands.
    pub head: Option<Head>,
    /// The originals stay live.
    pub keep_originals: bool,
    /// Tell what would be dropped, and change nothing.
    pub dry_run: bool,
}

/// An entry that is dropped from a commit, with everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedPath<'a> {
    /// The commit, as it was.
    pub commit: CommitId,
    /// Path from the top of the tree.
    pub path: &'a [u8],
    /// It is a directory.
    pub is_dir: bool,
    /// What goes with it, itself included.
    pub counts: DroppedCounts,
}

/// A commit that has an heir.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RewrittenCommit {
    /// The commit, as it was.
    pub old: CommitId,
    /// Its heir; in a dry run what this would be today.
    pub new: CommitId,
    /// What it lost; nothing if only commits before it did.
    pub dropped: DroppedCounts,
}

/// What was dropped or, in a dry run, would be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RewriteOutcome {
    /// The commits that have heirs, those before others first.
    pub commits: Vec<RewrittenCommit>,
    /// Refs that moved to heirs.
    pub moved: Vec<RefMove>,
    /// What was dropped from all commits together, counted as often as it was there.
    pub dropped: DroppedCounts,
    /// Bytes of all different contents of the files that were dropped. Some may be in other places, too, and stay.
    pub content_bytes: u64,
    /// Bytes of the packs that were written.
    pub bytes_written: u64,
    /// The originals are no longer live.
    pub forgotten: bool,
    /// Nothing was changed.
    pub dry_run: bool,
}

/// Drops paths from commits. `sink` is told every path that goes, commit by commit; after a lost race it may be told some again.
///
/// An heir has the tree without what is dropped, and the original's author, host, paths, tags, message and time; this device
/// signs it, and it names its original. A directory that loses everything stays as an empty one, as in a commit that leaves out
/// what is in it, and so does the root. Refs move to heirs. Commits that others make meanwhile are heeded; commits that others
/// forget make all begin anew.
///
/// The state for change detection loses what is dropped as well. Only commits that something may be built on keep it.
///
/// # Errors
/// [`OpsError::Usage`] when nothing says what to drop, or the whole tree would be; when a commit that is named is not live or a
/// directory cannot be read, the observer cancels, or the repository fails. Nothing has changed then.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use warp::ops::{OpsError, RewriteRequest, rewrite_history};
///
/// # fn main() -> Result<(), OpsError> {
/// # let (repo, _state) = repository();
/// let old = commit_notes(&repo, "buy milk");
/// let request = RewriteRequest { excludes: vec!["*.txt".to_owned()], ..RewriteRequest::default() };
/// let done = rewrite_history(&repo, &request, &mut |gone| assert_eq!(gone.path, b"notes.txt"), &Silent)?;
/// assert_eq!((done.commits[0].old, done.dropped.files), (old, 1));
/// assert_eq!(repo.timeline().branch("main"), Some(done.commits[0].new));
/// assert!(repo.timeline().is_forgotten(old));
/// # Ok(())
/// # }
/// ```
pub fn rewrite_history(
    repo: &Repository,
    request: &RewriteRequest,
    sink: &mut dyn FnMut(DroppedPath<'_>),
    observer: &dyn Observer,
) -> Result<RewriteOutcome, OpsError> {
    let rules = Rules::new(request)?;
    begin_anew(|| {
        let mut rewriter = Rewriter::new(repo, request, &rules);
        let done = rewriter.run(sink, observer);
        if done.is_err() && !rewriter.may_be_published {
            rewriter.written.discard(repo);
        }
        done
    })
}

struct Rewriter<'a> {
    repo: &'a Repository,
    request: &'a RewriteRequest,
    rules: &'a Rules,
    named: HashSet<CommitId>,
    /// Commits that were looked at.
    judged: HashSet<CommitId>,
    heirs: Heirs,
    /// For the log, in the order of the outcome's commits.
    records: Vec<CommitRecord>,
    written: Rewritten,
    /// What this machine knows of the files in the working directory, for heirs.
    live_states: Vec<(CommitId, Vec<u8>)>,
    /// An entry of the log may name what was written.
    may_be_published: bool,
    outcome: RewriteOutcome,
}

impl<'a> Rewriter<'a> {
    fn new(repo: &'a Repository, request: &'a RewriteRequest, rules: &'a Rules) -> Self {
        let (judged, heirs, records, written, live_states) = Default::default();
        let outcome = RewriteOutcome { dry_run: request.dry_run, ..RewriteOutcome::default() };
        let named = request.commits.iter().copied().collect();
        let may_be_published = false;
        Self {
            repo,
            request,
            rules,
            named,
            judged,
            heirs,
            records,
            written,
            live_states,
            may_be_published,
            outcome,
        }
    }

    fn run(
        &mut self,
        sink: &mut dyn FnMut(DroppedPath<'_>),
        observer: &dyn Observer,
    ) -> Result<RewriteOutcome, OpsError> {
        for _ in 0..ROUNDS {
            let state = self.repo.refresh()?;
            self.check(&state)?;
            let undone = |error| if is_overtaken(self.repo, &state) { overtaken() } else { error };
            self.rewrite(&state, sink, observer).map_err(undone)?;
            if observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            if self.heirs.is_empty() || self.request.dry_run {
                self.outcome.moved = history::moves(&state, &self.heirs);
                return Ok(std::mem::take(&mut self.outcome));
            }
            observer.phase(Phase::Finish, None, None);
            if self.publish(&state)? {
                return Ok(std::mem::take(&mut self.outcome));
            }
            observer.notice("others have made commits meanwhile; they are looked at, too");
        }
        Err(overtaken())
    }

    fn check(&self, state: &LogState) -> Result<(), OpsError> {
        match self.request.commits.iter().find(|id| !state.is_live(id)) {
            Some(id) => {
                let why = "it is no live commit".to_owned();
                Err(RepoError::NoRevision { spec: id.to_hex(), why }.into())
            }
            None => Ok(()),
        }
    }

    /// Looks at all commits that were not looked at yet, and stores their heirs.
    fn rewrite(
        &mut self,
        state: &LogState,
        told: &mut dyn FnMut(DroppedPath<'_>),
        observer: &dyn Observer,
    ) -> Result<(), OpsError> {
        let mut order = history::parents_first(state);
        order.retain(|id| self.judged.insert(*id));
        observer.phase(Phase::Store, Some(order.len() as u64), None);
        let (repo, level) = (self.repo, level_setting(self.repo)?);
        let ((), written) = with_sealer(repo, &Shared::default(), |sealer: &Sealer<'_>| {
            let store = Store {
                sealer,
                chunks: repo.chunks(),
                level,
                depth: 0,
                content_depth: 0,
                dry: self.request.dry_run,
            };
            let sink = ObjectSink::new(store).map_err(OpsError::cas("set up compression"))?;
            self.heirs_of(state, &order, (&sink, told), observer)?;
            sink.finish().map_err(OpsError::cas("store what was rewritten"))
        })?;
        self.outcome.bytes_written += written.packs.iter().map(|pack| pack.len).sum::<u64>();
        self.written.packs.extend(written.packs);
        self.written.segments.extend(written.segments);
        self.written.uses.extend(written.uses);
        self.written.uses.sort_unstable();
        self.written.uses.dedup();
        Ok(())
    }

    fn heirs_of(
        &mut self,
        state: &LogState,
        order: &[CommitId],
        (sink, told): (&ObjectSink<'_>, &mut dyn FnMut(DroppedPath<'_>)),
        observer: &dyn Observer,
    ) -> Result<(), OpsError> {
        let tips = history::tips(state, self.request.head.as_ref());
        let mut sieve = Sieve::new(self.repo.chunks(), self.rules, sink);
        for id in order {
            if observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let commit = self.repo.version(*id)?.commit;
            let sifted = match self.is_meant(*id, &commit) {
                true => {
                    let sources = Sources::of(self.repo, self.repo.chunks(), (*id, &commit))?;
                    sieve.sift(&commit.root, &sources)?
                }
                false => None,
            };
            for drop in sifted.iter().flat_map(|sifted| &sifted.drops) {
                let (path, is_dir, counts) = (drop.path.as_slice(), drop.is_dir, drop.counts);
                told(DroppedPath { commit: *id, path, is_dir, counts });
            }
            let parents = history::parents(state, &commit.parents, &self.heirs);
            if sifted.is_some() || parents != commit.parents {
                self.heir(sink, (*id, commit), parents, (sifted, tips.contains(id)))?;
            }
            observer.advance(1, 0);
        }
        self.outcome.content_bytes += sieve.scales.content_bytes;
        Ok(())
    }

    fn is_meant(&self, id: CommitId, commit: &Commit) -> bool {
        let request = self.request;
        (self.named.is_empty() || self.named.contains(&id))
            && request.host.as_ref().is_none_or(|host| *host == commit.host)
            && request.tags.iter().all(|tag| commit.tags.contains(tag))
            && request.sources.iter().all(|path| commit.paths.contains(path))
    }

    /// Stores the heir of a commit.
    fn heir(
        &mut self,
        sink: &ObjectSink<'_>,
        (old, mut commit): (CommitId, Commit),
        parents: Vec<CommitId>,
        (sifted, is_tip): (Option<Sifted>, bool),
    ) -> Result<(), OpsError> {
        let has_live_state = is_tip && self.repo.has_worktree() && !self.request.dry_run;
        let live = if has_live_state { self.repo.live_state(old) } else { None };
        let live = live.map(|live| match &sifted {
            Some(sifted) => states::filtered(live.as_slice(), sifted),
            None => live,
        });
        let mut dropped = DroppedCounts::default();
        if let Some(sifted) = sifted {
            dropped = sifted.counts;
            commit.state = match is_tip {
                true => {
                    let state = states::of_commit(self.repo.chunks(), &commit.state, &sifted);
                    store_state(self.repo, sink, &state, None)?
                }
                false => ContentRoot::Empty,
            };
            commit.stats = without(&commit.stats, &dropped);
            commit.root = sifted.root;
        }
        commit.parents = parents;
        commit.device = self.repo.device()?;
        commit.original = Some(old);
        let new = seal_commit(self.repo, sink, &commit)?;
        self.heirs.insert(old, new);
        self.records.push(CommitRecord { id: new, parents: commit.parents });
        self.live_states.extend(live.map(|live| (new, live)));
        self.outcome.commits.push(RewrittenCommit { old, new, dropped });
        self.outcome.dropped += dropped;
        Ok(())
    }

    /// Appends the entry. `false`: others have made commits that must be looked at first.
    fn publish(&mut self, read: &LogState) -> Result<bool, OpsError> {
        let mut has_grown = false;
        let mut moved = Vec::new();
        self.may_be_published = true;
        let appended = self.repo.append(&mut |now| {
            has_grown =
                read.commits.iter().all(|id| now.is_live(id)) && read.commits.len() < now.commits.len();
            if now.commits != read.commits {
                return Err(RepoError::Overtaken);
            }
            moved = history::moves(now, &self.heirs);
            Ok(self.draft(now, &moved))
        });
        self.may_be_published = !matches!(appended, Err(RepoError::Overtaken | RepoError::Condemned));
        match appended {
            Err(RepoError::Overtaken) if has_grown => Ok(false),
            Err(error) => Err(error.into()),
            Ok(_) => {
                for (id, state) in &self.live_states {
                    // Without it the next commit reads the files again.
                    let _ = self.repo.keep_live_state(*id, state);
                }
                (self.outcome.moved, self.outcome.forgotten) = (moved, !self.request.keep_originals);
                Ok(true)
            }
        }
    }

    /// The entry: heirs and originals in the same order, so that the ones take the places of the others.
    fn draft(&self, now: &LogState, moved: &[RefMove]) -> Draft {
        let pairs = self.outcome.commits.iter().zip(&self.records);
        // The same was done before, and the originals came back since.
        let (known, new): (Vec<_>, Vec<_>) = pairs.partition(|(_, record)| now.is_live(&record.id));
        let originals: Vec<CommitId> = new.iter().chain(&known).map(|(commit, _)| commit.old).collect();
        let message = match originals.len() {
            1 => "rewrite: 1 commit".to_owned(),
            more => format!("rewrite: {more} commits"),
        };
        Draft {
            packs_added: self.written.packs.clone(),
            segments_added: self.written.segments.clone(),
            uses: self.written.uses.clone(),
            commits: new.into_iter().map(|(_, record)| record.clone()).collect(),
            based_on: originals.clone(),
            forgotten: if self.request.keep_originals { Vec::new() } else { originals },
            refs: moved.to_vec(),
            message,
            ..Draft::default()
        }
    }
}

/// What a commit counted, without what was dropped from it. What it took to store it stays as it was.
fn without(stats: &CommitStats, dropped: &DroppedCounts) -> CommitStats {
    let bytes = stats.bytes.saturating_sub(dropped.bytes);
    CommitStats {
        files: stats.files.saturating_sub(dropped.files),
        dirs: stats.dirs.saturating_sub(dropped.dirs),
        others: stats.others.saturating_sub(dropped.others),
        bytes,
        new_bytes: stats.new_bytes.min(bytes),
        ..*stats
    }
}
