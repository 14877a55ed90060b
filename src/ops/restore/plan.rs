//! Walking the tree: makes directories, decides about what is there, and fills windows.

use std::collections::HashMap;

use crate::chonkers::ChonkerTree;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::ObjectKind;
use crate::limits::TREE_DEPTH_MAX;
use crate::observe::FileNews;
use crate::repo::Repository;
use crate::worktree::{DirMade, FileType, LinkSource, RelPath, RestoreMeta, Stat, Target, WorktreeError};

use super::super::selection::Wanted;
use super::super::tree::{self, Nodes};
use super::super::walk::is_dir;
use super::super::{OpsError, convert, previous};
use super::window::{CHUNKS_MAX, FilePlan, Need};
use super::{Job, Overwrite, PlannedAction, PlannedChange, Report, RestoreOutcome, execute};

pub(super) struct Planner<'a> {
    repo: &'a Repository,
    job: &'a Job<'a>,
    target: &'a Target,
    report: &'a Report<'a>,
    outcome: &'a mut RestoreOutcome,
    files: Vec<FilePlan>,
    needs: Vec<Need>,
    /// Entries that are made when the window's files are: links of all kinds and special files.
    later: Vec<(RelPath, DirEntry, bool)>,
    /// Further names of files, by group.
    names: Vec<(RelPath, u64, bool)>,
    /// First names of files with several: number in the window, or what is needed to link to it.
    groups: HashMap<u64, First>,
    /// Directories whose content is in this or an earlier window, deepest first.
    left: Vec<(RelPath, RestoreMeta)>,
}

enum First {
    Planned(usize),
    Done(LinkSource),
    Failed,
}

/// A directory of the target.
struct Place {
    path: RelPath,
    /// Nothing was there before.
    fresh: bool,
    /// What it gets when everything below it is there.
    meta: Option<RestoreMeta>,
}

/// A directory whose other entries are planned, and the directories in it that are to come.
struct Level {
    dirs: std::vec::IntoIter<DirEntry>,
    place: Place,
}

/// Why a further name of an inode was not made.
#[derive(Debug, thiserror::Error)]
#[error("it is another name of an entry that could not be brought back")]
struct NoFirstName;

impl<'a> Planner<'a> {
    pub(super) fn new(
        repo: &'a Repository,
        job: &'a Job<'a>,
        target: &'a Target,
        report: &'a Report<'a>,
        outcome: &'a mut RestoreOutcome,
    ) -> Self {
        Self {
            repo,
            job,
            target,
            report,
            outcome,
            files: Vec::new(),
            needs: Vec::new(),
            later: Vec::new(),
            names: Vec::new(),
            groups: HashMap::new(),
            left: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Result<(), OpsError> {
        let root = self.job.root;
        self.tree(root)?;
        if self.job.root_metadata && (self.job.wanted)(b"", true) == Wanted::Yes {
            self.left.push((RelPath::root(), convert::restore_meta(root)));
        }
        self.flush()
    }

    /// Brings back what the root holds. Levels lie on a stack of their own: a tree may be deeper than a thread's stack.
    fn tree(&mut self, root: &DirEntry) -> Result<(), OpsError> {
        let mut stack =
            vec![self.level(root, Place { path: RelPath::root(), fresh: false, meta: None }, 0)?];
        while let Some(level) = stack.last_mut() {
            if let Some(entry) = level.dirs.next() {
                if let Some(place) = self.subdir(&entry, &level.place)? {
                    let depth = stack.len();
                    stack.push(self.level(&entry, place, depth)?);
                }
                continue;
            }
            let Some(Level { place, .. }) = stack.pop() else { break };
            if let Some(meta) = place.meta {
                self.outcome.dirs += 1;
                self.left.push((place.path, meta));
            }
        }
        Ok(())
    }

    /// Brings back what a directory holds but for directories, which are left to do.
    fn level(&mut self, dir: &DirEntry, place: Place, depth: usize) -> Result<Level, OpsError> {
        if self.report.observer.cancelled() {
            return Err(OpsError::Cancelled);
        }
        ensure_depth(&place.path, depth)?;
        let entries = match tree::read_dir(self.repo.chunks(), tree::dir_node(dir)) {
            Ok(entries) => entries,
            Err(error) if depth == 0 => return Err(error),
            Err(error) => {
                self.report.problem(place.path.as_path(), &error);
                Vec::new()
            }
        };
        let (dirs, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_dir);
        for entry in &others {
            self.entry(entry, &place.path, place.fresh)?;
        }
        Ok(Level { dirs: dirs.into_iter(), place })
    }

    /// Makes a directory; `None`: nothing is brought back below it.
    fn subdir(&mut self, entry: &DirEntry, above: &Place) -> Result<Option<Place>, OpsError> {
        let Some(path) = self.join(&above.path, entry) else { return Ok(None) };
        let wanted = (self.job.wanted)(path.as_bytes(), true);
        if wanted == Wanted::No {
            return Ok(None);
        }
        let replace = self.job.overwrite != Overwrite::Never;
        let fresh = match self.target.make_dir(&path, replace && !above.fresh) {
            Ok(made) => made == DirMade::New,
            Err(error) => return self.problem(&path, error).map(|()| None),
        };
        let meta = (wanted == Wanted::Yes || fresh).then(|| convert::restore_meta(entry));
        Ok(Some(Place { path, fresh, meta }))
    }

    fn join(&self, above: &RelPath, entry: &DirEntry) -> Option<RelPath> {
        match above.join(&entry.name) {
            Ok(path) => Some(path),
            Err(error) => {
                self.report.problem(above.as_path(), &error);
                None
            }
        }
    }

    fn problem(&self, path: &RelPath, error: WorktreeError) -> Result<(), OpsError> {
        if error.is_full() {
            return Err(error.into());
        }
        self.report.problem(path.as_path(), &error);
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, above: &RelPath, fresh: bool) -> Result<(), OpsError> {
        let Some(path) = self.join(above, entry) else { return Ok(()) };
        if (self.job.wanted)(path.as_bytes(), false) != Wanted::Yes {
            return Ok(());
        }
        let there = match fresh {
            true => None,
            false => match self.target.stat(&path) {
                Ok(there) => there,
                Err(error) => return self.problem(&path, error),
            },
        };
        match decide(self.job, path.as_bytes(), entry, there.as_ref()) {
            PlannedAction::Keep => {
                self.outcome.skipped += 1;
                Ok(())
            }
            PlannedAction::Metadata => self.metadata(entry, &path),
            action => self.bring(entry, path, action == PlannedAction::Update),
        }
    }

    /// Gives an entry whose content is right its metadata.
    fn metadata(&mut self, entry: &DirEntry, path: &RelPath) -> Result<(), OpsError> {
        self.outcome.unchanged += 1;
        if let Err(error) = self.target.set_metadata(path, &convert::restore_meta(entry)) {
            return self.problem(path, error);
        }
        self.report.observer.advance(1, convert::size(entry));
        self.remember_first(path, entry)
    }

    /// Keeps what further names of an entry need, if this is its first.
    fn remember_first(&mut self, path: &RelPath, entry: &DirEntry) -> Result<(), OpsError> {
        if entry.hard_link == 0 || self.groups.contains_key(&entry.hard_link) {
            return Ok(());
        }
        match self.target.link_source(path) {
            Ok(source) => {
                self.groups.insert(entry.hard_link, First::Done(source));
                Ok(())
            }
            Err(error) => {
                self.groups.insert(entry.hard_link, First::Failed);
                self.problem(path, error)
            }
        }
    }

    fn bring(&mut self, entry: &DirEntry, path: RelPath, replace: bool) -> Result<(), OpsError> {
        if entry.hard_link != 0 && self.groups.contains_key(&entry.hard_link) {
            self.names.push((path, entry.hard_link, replace));
        } else if let EntryKind::File { content, sparse } = &entry.kind {
            if entry.hard_link != 0 {
                self.groups.insert(entry.hard_link, First::Planned(self.files.len()));
            }
            let plan = FilePlan::new(path, entry, replace, *sparse || self.job.sparse);
            self.file(plan, content)?;
        } else {
            self.later.push((path, entry.clone(), replace));
        }
        if self.needs.len() >= CHUNKS_MAX || self.files.len() + self.later.len() >= CHUNKS_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn file(&mut self, plan: FilePlan, content: &ContentRoot) -> Result<(), OpsError> {
        self.report.observer.total(1, plan.size);
        self.files.push(plan);
        let chunks = self.repo.chunks();
        let nodes = Nodes { chunks, kind: previous::node_kind(ObjectKind::Chunk) };
        let leaves = match ChonkerTree::new(convert::tree_root(content)).leaves(nodes) {
            Ok(leaves) => leaves,
            Err(error) => return self.unplannable(previous::tree_error(error)),
        };
        let number = u32::try_from(self.files.len() - 1).expect("a window is far below 2^32 files");
        for leaf in leaves {
            let leaf = match leaf {
                Ok(leaf) => leaf,
                Err(error) => return self.unplannable(previous::tree_error(error)),
            };
            let location = match chunks.locate(ObjectKind::Chunk, &leaf.chunk.id) {
                Ok(location) => location,
                Err(source) => return self.unplannable(OpsError::Cas { action: "find its content", source }),
            };
            let Ok(len) = u32::try_from(leaf.chunk.len) else {
                let why = format!("a chunk of {} bytes", leaf.chunk.len);
                return self.unplannable(OpsError::Damaged { what: "a file's tree".to_owned(), why });
            };
            self.files[number as usize].expect_chunk();
            let (id, repeat) = (leaf.chunk.id, leaf.chunk.repeat);
            self.needs.push(Need { location, id, len, file: number, offset: leaf.offset, repeat });
        }
        Ok(())
    }

    /// Reports the file planned last as one whose content cannot be found.
    fn unplannable(&self, error: OpsError) -> Result<(), OpsError> {
        let plan = self.files.last().expect("just pushed");
        plan.fail();
        self.report.problem(plan.path.as_path(), &error);
        Ok(())
    }

    /// Carries out the window.
    fn flush(&mut self) -> Result<(), OpsError> {
        self.empty_files()?;
        let needs = &mut self.needs;
        let done = execute::run(
            self.repo.chunks(),
            self.target,
            self.report,
            (&self.files, needs),
            self.job.threads,
        )?;
        self.outcome.files += done.files.into_inner();
        self.outcome.bytes += done.bytes.into_inner();
        self.outcome.written_bytes += done.written.into_inner();
        self.needs.clear();
        for first in self.groups.values_mut() {
            if let First::Planned(number) = *first {
                *first = self.files[number].link_source().map_or(First::Failed, First::Done);
            }
        }
        self.files.clear();
        self.further_names()?;
        for (path, entry, replace) in std::mem::take(&mut self.later) {
            match self.groups.contains_key(&entry.hard_link) {
                true => self.further_name(&path, entry.hard_link, replace)?,
                false => self.special(&path, &entry, replace)?,
            }
        }
        for (path, meta) in std::mem::take(&mut self.left) {
            if let Err(error) = self.target.set_metadata(&path, &meta) {
                self.problem(&path, error)?;
            }
        }
        Ok(())
    }

    /// Files without chunks wait for none.
    fn empty_files(&mut self) -> Result<(), OpsError> {
        for plan in self.files.iter().filter(|plan| plan.size == 0 && !plan.has_failed()) {
            match plan.finish(self.target) {
                Ok(()) => {
                    self.outcome.files += 1;
                    self.report.observer.file_done(plan.path.as_path(), FileNews::New, 0);
                    self.report.observer.advance(1, 0);
                }
                Err(error) => {
                    plan.fail();
                    self.problem(&plan.path, error)?;
                }
            }
        }
        Ok(())
    }

    fn further_names(&mut self) -> Result<(), OpsError> {
        let names = std::mem::take(&mut self.names);
        names.into_iter().try_for_each(|(path, group, replace)| self.further_name(&path, group, replace))
    }

    /// Makes a path another name of what was brought back under the first name of its group.
    fn further_name(&mut self, path: &RelPath, group: u64, replace: bool) -> Result<(), OpsError> {
        let Some(First::Done(source)) = self.groups.get(&group) else {
            self.report.problem(path.as_path(), &NoFirstName);
            return Ok(());
        };
        match self.target.hard_link(path, source, replace) {
            Ok(()) => {
                self.outcome.files += 1;
                Ok(())
            }
            Err(error) => self.problem(path, error),
        }
    }

    fn special(&mut self, path: &RelPath, entry: &DirEntry, replace: bool) -> Result<(), OpsError> {
        let meta = convert::restore_meta(entry);
        let kind = match &entry.kind {
            EntryKind::Symlink { target } => {
                let made = self.target.symlink(path, target, replace, &meta);
                return self.made(path, entry, made.map(|()| true));
            }
            EntryKind::Fifo => FileType::Fifo,
            EntryKind::Socket => FileType::Socket,
            EntryKind::CharDevice { major, minor } => FileType::CharDevice { major: *major, minor: *minor },
            EntryKind::BlockDevice { major, minor } => FileType::BlockDevice { major: *major, minor: *minor },
            EntryKind::File { .. } | EntryKind::Dir { .. } => {
                unreachable!("files and directories are made elsewhere")
            }
        };
        let made = self.target.make_special(path, kind, replace, &meta);
        self.made(path, entry, made)
    }

    fn made(
        &mut self,
        path: &RelPath,
        entry: &DirEntry,
        made: Result<bool, WorktreeError>,
    ) -> Result<(), OpsError> {
        match made {
            Ok(made) => {
                self.outcome.others += u64::from(made);
                if made { self.remember_first(path, entry) } else { Ok(()) }
            }
            Err(error) => self.problem(path, error),
        }
    }
}

/// What is to be done for an entry, given what is there.
fn decide(job: &Job<'_>, path: &[u8], entry: &DirEntry, there: Option<&Stat>) -> PlannedAction {
    let Some(there) = there else { return PlannedAction::Create };
    let is_file = matches!(entry.kind, EntryKind::File { .. });
    if (job.metadata_only)(path) && there.is_regular() == is_file && !there.is_dir() {
        return PlannedAction::Metadata;
    }
    match job.overwrite {
        Overwrite::Always => PlannedAction::Update,
        Overwrite::Never => PlannedAction::Keep,
        Overwrite::IfNewer if entry.mtime > convert::time(there.mtime) => PlannedAction::Update,
        Overwrite::IfNewer => PlannedAction::Keep,
        Overwrite::IfChanged => {
            let same = is_file
                && there.is_regular()
                && there.size == convert::size(entry)
                && convert::time(there.mtime) == entry.mtime;
            if same { PlannedAction::Metadata } else { PlannedAction::Update }
        }
    }
}

/// Tells what a job would do, and changes nothing.
pub(super) fn dry_run(
    repo: &Repository,
    job: &Job<'_>,
    target: Option<&Target>,
    outcome: &mut RestoreOutcome,
) -> Result<(), OpsError> {
    walk(repo, job, &mut |path, entry| {
        let there = target.map(|target| target.stat(path)).transpose()?.flatten();
        let is_dir = matches!(entry.kind, EntryKind::Dir { .. });
        let action = match &there {
            Some(there) if is_dir && there.is_dir() => PlannedAction::Metadata,
            there => decide(job, path.as_bytes(), entry, there.as_ref()),
        };
        match (&entry.kind, action) {
            (_, PlannedAction::Keep) => outcome.skipped += 1,
            (EntryKind::Dir { .. }, _) => outcome.dirs += 1,
            (EntryKind::File { .. }, PlannedAction::Metadata) => outcome.unchanged += 1,
            (EntryKind::File { .. }, _) => {
                outcome.files += 1;
                outcome.bytes += convert::size(entry);
            }
            _ => outcome.others += 1,
        }
        outcome.planned.push(PlannedChange { path: path.as_bytes().to_vec(), action });
        Ok(())
    })
}

/// Visits every entry that a job wants, in the order of a walk, directories before what they hold.
pub(super) fn walk(
    repo: &Repository,
    job: &Job<'_>,
    visit: &mut dyn FnMut(&RelPath, &DirEntry) -> Result<(), OpsError>,
) -> Result<(), OpsError> {
    let mut stack = vec![(RelPath::root(), children(repo, job.root)?.into_iter())];
    while let Some((above, entries)) = stack.last_mut() {
        let Some(entry) = entries.next() else {
            stack.pop();
            continue;
        };
        let Ok(path) = above.join(&entry.name) else { continue };
        let wanted = (job.wanted)(path.as_bytes(), is_dir(&entry));
        if wanted == Wanted::Yes {
            visit(&path, &entry)?;
        }
        if wanted != Wanted::No && is_dir(&entry) {
            ensure_depth(&path, stack.len())?;
            stack.push((path, children(repo, &entry)?.into_iter()));
        }
    }
    Ok(())
}

/// A directory's entries in the order of a walk: directories last.
fn children(repo: &Repository, dir: &DirEntry) -> Result<Vec<DirEntry>, OpsError> {
    let mut entries = tree::read_dir(repo.chunks(), tree::dir_node(dir))?;
    entries.sort_by_key(is_dir);
    Ok(entries)
}

fn ensure_depth(path: &RelPath, depth: usize) -> Result<(), OpsError> {
    if depth <= TREE_DEPTH_MAX {
        return Ok(());
    }
    let why = format!("it lies more than {TREE_DEPTH_MAX} directories deep");
    Err(OpsError::Damaged { what: format!("directory {}", path.as_path().display()), why })
}
