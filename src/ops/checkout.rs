//! `checkout`: make a working directory what a commit recorded, and lose nothing that is not committed.

mod live_state;
mod named;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, ControlFlow};

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::CommitId;
use crate::observe::Observer;
use crate::repo::{Head, Repository, WorkDir};
use crate::worktree::{MetaPolicy, RelPath, Target};

use super::diff::{Change, ChangeKind, DiffOptions, Side, diff};
use super::restore::{self, Job, Overwrite, PlannedAction, PlannedChange, Report, RestoreOutcome};
use super::selection::{Selection, Wanted};
use super::{OpsError, ScanSettings, Source, commit, convert, tree};

/// What to check out.
#[derive(Debug, Clone)]
pub struct CheckoutRequest {
    /// The commit.
    pub commit: CommitId,
    /// Where HEAD stands afterwards; `None`: where it stood.
    pub new_head: Option<Head>,
    /// Which paths; all, unless it names some. Named paths become the commit's even where HEAD's are the same.
    pub selection: Selection,
    /// Overwrite uncommitted content.
    pub force: bool,
    /// Change nothing, tell what would be done.
    pub dry_run: bool,
    /// Read everything back and compare.
    pub verify: bool,
    /// What a commit of the working directory leaves out.
    pub scan: ScanSettings,
    /// Threads; 0: one a core.
    pub threads: usize,
}

/// Makes a working directory, or the paths that are named, what `request.commit` recorded: removes what HEAD has and
/// the commit lacks, writes what differs, and leaves alone what is in no commit.
///
/// A path that differs from HEAD and that HEAD and the commit agree on stays as it is, as in git. Content is what counts:
/// a file that holds what HEAD says gives way, whatever its times, mode, owner and extended attributes are by now.
///
/// # Errors
/// [`OpsError::NoPath`] or [`OpsError::NoPaths`] where paths are named that neither HEAD nor the commit has;
/// [`OpsError::WouldOverwrite`], with all such paths, where uncommitted content would be lost; nothing was changed then.
/// When the repository or the directory as a whole fails, or the observer cancels.
pub fn checkout(
    repo: &Repository,
    workdir: &WorkDir,
    request: &CheckoutRequest,
    observer: &dyn Observer,
) -> Result<RestoreOutcome, OpsError> {
    let head = match workdir.head()? {
        Head::Branch(name) => repo.timeline().branch(&name),
        // What stands on a forgotten commit is in none: it counts as changed, and is not overwritten unasked.
        Head::Detached(id) => Some(id).filter(|id| repo.timeline().is_live(*id)),
    };
    named::check(repo, &request.selection, request.commit, head, observer)?;
    let target = Target::open(workdir.root(), MetaPolicy::safe())?;
    let local = local_changes(repo, workdir, request, head, observer)?;
    let mut plan = Plan::new(repo, request, head, &local, observer)?;
    let lost = plan.settle(&local, &target)?;
    if !lost.is_empty() && !request.force {
        return Err(OpsError::WouldOverwrite { paths: lost });
    }
    plan.give_up(lost);
    if request.dry_run {
        return Ok(RestoreOutcome { planned: plan.planned(), ..RestoreOutcome::default() });
    }
    let outcome = plan.carry_out(repo, request, &target, observer)?;
    if let Some(head) = &request.new_head {
        workdir.set_head(head)?;
    }
    let now = if request.new_head.is_some() { Some(request.commit) } else { head };
    if let Some(now) = now.filter(|_| outcome.problems == 0 && outcome.degraded.is_empty()) {
        plan.remember(repo, &target, head, now);
    }
    Ok(outcome)
}

type Changes = BTreeMap<Vec<u8>, Change>;

/// What the working directory has that HEAD has not, and the other way round.
fn local_changes(
    repo: &Repository,
    workdir: &WorkDir,
    request: &CheckoutRequest,
    head: Option<CommitId>,
    observer: &dyn Observer,
) -> Result<Changes, OpsError> {
    let Some(base) = head else { return Ok(Changes::new()) };
    let source = Source::WorkDir(workdir.root().to_owned());
    let live = Side::Live { source: &source, scan: &request.scan, base };
    collect(repo, &Side::Commit(base), &live, &request.selection, request.threads, observer)
}

fn collect(
    repo: &Repository,
    old: &Side<'_>,
    new: &Side<'_>,
    selection: &Selection,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Changes, OpsError> {
    let mut changes = Changes::new();
    let options = DiffOptions { selection: selection.clone(), threads, ..DiffOptions::default() };
    let mut keep = |change: Change| {
        // Where a directory and something else took each other's place, both come, in either order.
        match changes.get_mut(&change.path) {
            Some(other) => {
                other.kind = ChangeKind::TypeChanged;
                other.old = other.old.take().or(change.old);
                other.new = other.new.take().or(change.new);
            }
            None => drop(changes.insert(change.path.clone(), change)),
        }
        ControlFlow::Continue(())
    };
    diff(repo, old, new, &options, &mut keep, observer)?;
    Ok(changes)
}

#[derive(Debug, Clone)]
enum Action {
    /// Write it as the commit has it.
    Write(Box<DirEntry>),
    /// Its content is right.
    Metadata,
    Remove,
}

/// What is to be done, path by path.
struct Plan {
    root: DirEntry,
    actions: BTreeMap<Vec<u8>, Action>,
    /// Paths that are new with respect to HEAD: whatever stands there is in no commit.
    new: BTreeSet<Vec<u8>>,
}

impl Plan {
    fn new(
        repo: &Repository,
        request: &CheckoutRequest,
        head: Option<CommitId>,
        local: &Changes,
        observer: &dyn Observer,
    ) -> Result<Self, OpsError> {
        let root = repo.version(request.commit)?.commit.root;
        let old = head.map_or(Side::Empty, Side::Commit);
        let new = Side::Commit(request.commit);
        let changes = collect(repo, &old, &new, &request.selection, request.threads, observer)?;
        let mut plan = Self { root, actions: BTreeMap::new(), new: BTreeSet::new() };
        let named = request.selection != Selection::default();
        if request.force || named {
            plan.revert(repo, request.commit, local, &changes)?;
        }
        for (path, change) in changes {
            if change.old.is_none() {
                plan.new.insert(path.clone());
            }
            let action = match (change.kind, change.old, change.new) {
                (ChangeKind::Metadata, Some(old), Some(new)) if old.hard_link == new.hard_link => {
                    Action::Metadata
                }
                (_, _, Some(entry)) => Action::Write(Box::new(entry)),
                (_, _, None) => Action::Remove,
            };
            plan.actions.insert(path, action);
        }
        if !named {
            plan.complete_groups(repo, observer)?;
        }
        Ok(plan)
    }

    /// Of a file with several names of which one is written, all are: they are to be one file afterwards.
    fn complete_groups(&mut self, repo: &Repository, observer: &dyn Observer) -> Result<(), OpsError> {
        let group = |action: &Action| match action {
            Action::Write(entry) if entry.hard_link != 0 => Some(entry.hard_link),
            _ => None,
        };
        let groups: BTreeSet<u64> = self.actions.values().filter_map(group).collect();
        let mut todo = vec![(Vec::new(), self.root.clone())];
        while let Some((path, dir)) = todo.pop().filter(|_| !groups.is_empty()) {
            if observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            for entry in tree::read_dir(repo.chunks(), tree::dir_node(&dir))? {
                let path = convert::join(&path, &entry.name);
                if is_dir(&entry) {
                    todo.push((path, entry));
                } else if groups.contains(&entry.hard_link) {
                    self.actions.insert(path, Action::Write(Box::new(entry)));
                }
            }
        }
        Ok(())
    }

    /// Local changes of paths that HEAD and the commit agree on are undone, too.
    fn revert(
        &mut self,
        repo: &Repository,
        commit: CommitId,
        local: &Changes,
        changes: &Changes,
    ) -> Result<(), OpsError> {
        for (path, change) in
            local.iter().filter(|(path, change)| change.old.is_some() && !changes.contains_key(*path))
        {
            let action = match change.kind {
                ChangeKind::Metadata => Action::Metadata,
                _ => Action::Write(Box::new(tree::find_path(repo.chunks(), commit, &self.root, path)?)),
            };
            self.actions.insert(path.clone(), action);
        }
        Ok(())
    }

    /// Drops what is right already, and returns the paths whose content is in no commit and would be lost.
    fn settle(&mut self, local: &Changes, target: &Target) -> Result<Vec<Vec<u8>>, OpsError> {
        let mut lost = BTreeSet::new();
        let mut right = Vec::new();
        let removed: BTreeSet<Vec<u8>> = self
            .actions
            .iter()
            .filter(|(_, action)| matches!(action, Action::Remove))
            .map(|(path, _)| path.clone())
            .collect();
        for (path, action) in &mut self.actions {
            match (local.get(path).map(|change| &change.new), &action) {
                // It is gone already, or was never recorded.
                (Some(None), Action::Remove) => right.push(path.clone()),
                (Some(None) | None, Action::Remove | Action::Metadata) => {}
                (Some(Some(live)), Action::Write(wanted)) if same_content(live, wanted) => {
                    if wanted.hard_link == live.hard_link {
                        *action = Action::Metadata;
                    }
                }
                (Some(Some(_)), Action::Metadata) => {}
                (Some(Some(live)), _) if is_dir(live) => {}
                // HEAD has this very content.
                (Some(Some(_)), _) if local[path].kind == ChangeKind::Metadata => {}
                (Some(Some(_)), _) => {
                    lost.insert(path.clone());
                }
                (Some(None) | None, Action::Write(wanted)) => {
                    if self.new.contains(path) {
                        lost.extend(in_the_way(target, path, wanted, &removed)?);
                    }
                }
            }
        }
        for path in right {
            self.actions.remove(&path);
        }
        for (path, _) in self.actions.iter().filter(|(_, action)| matches!(action, Action::Write(_))) {
            lost.extend(blocked_by(path, local));
        }
        Ok(lost.into_iter().collect())
    }

    /// Removes what would be lost and has nothing written in its very place.
    fn give_up(&mut self, lost: Vec<Vec<u8>>) {
        for path in lost {
            self.actions.entry(path).or_insert(Action::Remove);
        }
    }

    fn planned(&self) -> Vec<PlannedChange> {
        let change = |(path, action): (&Vec<u8>, &Action)| PlannedChange {
            path: path.clone(),
            action: match action {
                Action::Remove => PlannedAction::Remove,
                Action::Metadata => PlannedAction::Metadata,
                Action::Write(_) if self.new.contains(path) => PlannedAction::Create,
                Action::Write(_) => PlannedAction::Update,
            },
        };
        self.actions.iter().map(change).collect()
    }

    fn carry_out(
        &self,
        repo: &Repository,
        request: &CheckoutRequest,
        target: &Target,
        observer: &dyn Observer,
    ) -> Result<RestoreOutcome, OpsError> {
        let report = Report::new(observer);
        let mut outcome = RestoreOutcome::default();
        self.remove(repo, request.commit, target, &report, &mut outcome)?;
        let job = Job {
            root: &self.root,
            wanted: &|path, is_dir| self.wanted(path, is_dir),
            metadata_only: &|path| matches!(self.actions.get(path), Some(Action::Metadata)),
            overwrite: Overwrite::Always,
            sparse: false,
            root_metadata: true,
            threads: if request.threads > 0 { request.threads } else { commit::cores() },
        };
        restore::write(repo, &job, target, &report, &mut outcome)?;
        if request.verify {
            restore::verify(repo, &job, target, &report, &mut outcome)?;
        }
        outcome.degraded = restore::degraded(&target.degraded());
        outcome.problems = report.problems();
        Ok(outcome)
    }

    /// Keeps what is known of the files now, so that they are not read again; without it they are.
    fn remember(&self, repo: &Repository, target: &Target, before: Option<CommitId>, now: CommitId) {
        let written = |path: &[u8]| match self.actions.get(path) {
            Some(Action::Write(entry)) => Some(&**entry),
            _ => None,
        };
        if before != Some(now) || self.actions.keys().any(|path| written(path).is_some()) {
            let _ = live_state::keep(repo, target, before, now, &written);
        }
    }

    /// A directory above a changed path is wanted, too: its times are those of the commit afterwards.
    fn wanted(&self, path: &[u8], is_dir: bool) -> Wanted {
        match self.actions.get(path) {
            Some(Action::Write(_) | Action::Metadata) => Wanted::Yes,
            _ if is_dir && self.has_below(path) => Wanted::Yes,
            _ => Wanted::No,
        }
    }

    fn has_below(&self, path: &[u8]) -> bool {
        if path.is_empty() {
            return !self.actions.is_empty();
        }
        let prefix = [path, b"/"].concat();
        let from = (Bound::Included(prefix.as_slice()), Bound::Unbounded);
        self.actions.range::<[u8], _>(from).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    /// Directories, and those in them, that stand where the commit has something else.
    fn displaced(&self, target: &Target) -> Result<BTreeSet<Vec<u8>>, OpsError> {
        let mut dirs = BTreeSet::new();
        for (path, action) in &self.actions {
            if matches!(action, Action::Write(wanted) if !is_dir(wanted)) {
                dirs.extend(below(target, path)?.dirs);
            }
        }
        Ok(dirs)
    }

    /// Removes what the commit lacks, then directories that it lacks and that are empty.
    fn remove(
        &self,
        repo: &Repository,
        commit: CommitId,
        target: &Target,
        report: &Report<'_>,
        outcome: &mut RestoreOutcome,
    ) -> Result<(), OpsError> {
        let mut emptied = self.displaced(target)?;
        for (path, _) in self.actions.iter().rev().filter(|(_, action)| matches!(action, Action::Remove)) {
            if report.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let path = rel_path(path)?;
            let removed = match target.stat(&path)? {
                None => Ok(()),
                Some(stat) if stat.is_dir() => {
                    emptied.insert(path.as_bytes().to_vec());
                    Ok(())
                }
                Some(_) => target.remove_file(&path),
            };
            match removed {
                Ok(()) => outcome.removed += 1,
                Err(error) => report.problem(path.as_path(), &error),
            }
            emptied.extend(ancestors(path.as_bytes()).map(<[u8]>::to_vec));
        }
        for path in emptied.iter().rev() {
            let kept = match tree::find_path(repo.chunks(), commit, &self.root, path) {
                Ok(entry) => is_dir(&entry),
                Err(OpsError::NoPath { .. }) => false,
                Err(error) => return Err(error),
            };
            let path = rel_path(path)?;
            if !kept && target.list_dir(&path).is_ok_and(|entries| entries.is_empty()) {
                target.remove_dir(&path)?;
            }
        }
        Ok(())
    }
}

fn rel_path(path: &[u8]) -> Result<RelPath, OpsError> {
    Ok(RelPath::new(path.split(|&byte| byte == b'/'))?)
}

/// The directories above a path, the nearest first; not the root.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

fn is_dir(entry: &DirEntry) -> bool {
    matches!(entry.kind, EntryKind::Dir { .. })
}

fn same_content(live: &DirEntry, wanted: &DirEntry) -> bool {
    match (&live.kind, &wanted.kind) {
        (EntryKind::File { content: a, .. }, EntryKind::File { content: b, .. }) => a == b,
        (EntryKind::Dir { .. }, EntryKind::Dir { .. }) => true,
        (a, b) => a == b,
    }
}

/// What HEAD does not have, and a scan leaves out, where the commit has an entry. Of a directory that gives way to
/// something else: all that it holds, but for what is `removed`.
fn in_the_way(
    target: &Target,
    path: &[u8],
    wanted: &DirEntry,
    removed: &BTreeSet<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, OpsError> {
    match target.stat(&rel_path(path)?)? {
        None => Ok(Vec::new()),
        Some(stat) if !stat.is_dir() => Ok(vec![path.to_vec()]),
        Some(_) if is_dir(wanted) => Ok(Vec::new()),
        Some(_) => {
            Ok(below(target, path)?.others.into_iter().filter(|path| !removed.contains(path)).collect())
        }
    }
}

/// Paths at and below a path.
#[derive(Default)]
struct Below {
    dirs: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
}

/// What a directory holds, itself among it; nothing if it is no directory.
fn below(target: &Target, path: &[u8]) -> Result<Below, OpsError> {
    let mut found = Below::default();
    let mut todo = vec![rel_path(path)?];
    if !target.stat(&todo[0])?.is_some_and(|stat| stat.is_dir()) {
        todo.clear();
    }
    while let Some(dir) = todo.pop() {
        for (name, stat) in target.list_dir(&dir)? {
            let path = dir.join(&name)?;
            match stat.is_dir() {
                true => todo.push(path),
                false => found.others.push(path.as_bytes().to_vec()),
            }
        }
        found.dirs.push(dir.as_bytes().to_vec());
    }
    Ok(found)
}

/// Uncommitted files that stand where a directory above `path` must be, or below `path`.
fn blocked_by(path: &[u8], local: &Changes) -> Vec<Vec<u8>> {
    let uncommitted = |change: &&Change| {
        change.kind != ChangeKind::Metadata && change.new.as_ref().is_some_and(|live| !is_dir(live))
    };
    let above = ancestors(path).filter_map(|above| local.get(above)).filter(uncommitted);
    let prefix = [path, b"/"].concat();
    let from = (Bound::Included(prefix.as_slice()), Bound::Unbounded);
    let below = local.range::<[u8], _>(from).take_while(|(path, _)| path.starts_with(&prefix));
    let below = below.map(|(_, change)| change).filter(uncommitted);
    above.chain(below).map(|change| change.path.clone()).collect()
}
