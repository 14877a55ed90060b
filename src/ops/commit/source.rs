//! From the scan to steps: decides for every entry whether the parent commit's copy is still right.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crossbeam_channel::{Sender, TrySendError};

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::observe::FileNews;
use crate::worktree::{ScanEvent, ScannedEntry, Scanner, Stat, WorktreeError, stat_path};

use super::super::{OpsError, convert};
use super::assemble::{EnterDir, Plan, Planned, Step, join};
use super::previous::{Previous, PreviousDir};
use super::worker::{BIG_FILE_LEN, Job, Tools, UNKNOWN, Work};

/// Bytes and files of a batch that a worker takes at once: one block's worth.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_FILES: usize = 512;

/// Turns the scan's events into steps for the assembler and work for the workers.
pub(super) struct Planner<'t, 'a> {
    pub(super) tools: &'t Tools<'a>,
    pub(super) steps: Sender<Step>,
    pub(super) work: Sender<Work>,
    pub(super) big: Sender<Job>,
    previous: Option<Previous<'t>>,
    force: bool,
    dirs: Vec<OpenDir>,
    seen: HashSet<(u64, u64)>,
    batch: Vec<Job>,
    batch_bytes: u64,
    seq: u64,
}

struct OpenDir {
    rel: Vec<u8>,
    previous: Option<PreviousDir>,
}

impl<'t, 'a> Planner<'t, 'a> {
    pub(super) fn new(
        tools: &'t Tools<'a>,
        (steps, work, big): (Sender<Step>, Sender<Work>, Sender<Job>),
        previous: Option<Previous<'t>>,
        force: bool,
    ) -> Self {
        Self {
            tools,
            steps,
            work,
            big,
            previous,
            force,
            dirs: Vec::new(),
            seen: HashSet::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            seq: 0,
        }
    }

    /// Walks a working directory: its content is the tree's root.
    pub(super) fn workdir(
        &mut self,
        scanner: &Scanner,
        root: &Path,
        base: Option<&DirEntry>,
    ) -> Result<(), OpsError> {
        let stat = stat_path(root)?;
        if !stat.is_dir() {
            return Err(OpsError::Refused { why: format!("{} is not a directory", root.display()) });
        }
        self.walk(scanner, root, base)?;
        self.flush()
    }

    /// Walks absolute paths: the tree holds each at its place below the root directory.
    pub(super) fn paths(
        &mut self,
        scanner: &Scanner,
        paths: &[PathBuf],
        base: Option<&DirEntry>,
    ) -> Result<(), OpsError> {
        let mut open: Vec<Vec<u8>> = Vec::new();
        self.enter_ancestor(Path::new("/"), b"", base)?;
        for path in paths {
            let names = names(path);
            let Some((_, above)) = names.split_last() else {
                self.walk_below(scanner, path, base)?;
                break;
            };
            let shared = open.iter().zip(above).take_while(|(a, b)| a == b).count();
            for _ in open.drain(shared..) {
                self.leave()?;
            }
            for name in &above[shared..] {
                open.push(name.clone());
                self.enter_ancestor(&path_of(&open), name, None)?;
            }
            self.walk(scanner, path, None)?;
        }
        for _ in 0..=open.len() {
            self.leave()?;
        }
        self.flush()
    }

    /// Enters a directory that leads to a source path and is not scanned itself.
    fn enter_ancestor(&mut self, path: &Path, name: &[u8], base: Option<&DirEntry>) -> Result<(), OpsError> {
        let stat = stat_path(path)?;
        self.enter(path.to_owned(), name, stat, base)
    }

    fn walk(&mut self, scanner: &Scanner, root: &Path, base: Option<&DirEntry>) -> Result<(), OpsError> {
        let mut failure = None;
        let name = root.file_name().unwrap_or_default().as_bytes().to_vec();
        let name = if self.dirs.is_empty() { Vec::new() } else { name };
        let mut depth = 0;
        scanner.walk(root, &mut |event| {
            let top = depth == 0;
            match &event {
                ScanEvent::EnterDir(_) => depth += 1,
                ScanEvent::LeaveDir => depth -= 1,
                _ => {}
            }
            self.step(event, top.then_some((name.as_slice(), base)), &mut failure)
        })?;
        self.ended(failure)
    }

    /// Walks the root directory itself, which has been entered already.
    fn walk_below(
        &mut self,
        scanner: &Scanner,
        root: &Path,
        _base: Option<&DirEntry>,
    ) -> Result<(), OpsError> {
        let mut failure = None;
        let mut depth = 0;
        scanner.walk(root, &mut |event| {
            match &event {
                ScanEvent::EnterDir(_) => depth += 1,
                ScanEvent::LeaveDir => depth -= 1,
                _ => {}
            }
            let outermost = matches!(event, ScanEvent::EnterDir(_)) && depth == 1
                || matches!(event, ScanEvent::LeaveDir) && depth == 0;
            if outermost { ControlFlow::Continue(()) } else { self.step(event, None, &mut failure) }
        })?;
        self.ended(failure)
    }

    fn ended(&self, failure: Option<OpsError>) -> Result<(), OpsError> {
        match failure {
            Some(error) => Err(error),
            None if self.tools.observer.cancelled() => Err(OpsError::Cancelled),
            None => Ok(()),
        }
    }

    fn step(
        &mut self,
        event: ScanEvent,
        top: Option<(&[u8], Option<&DirEntry>)>,
        failure: &mut Option<OpsError>,
    ) -> ControlFlow<()> {
        if self.tools.shared.stopped() || self.tools.observer.cancelled() {
            return ControlFlow::Break(());
        }
        let outcome = match event {
            ScanEvent::EnterDir(entry) => {
                let (name, base) = top.unwrap_or((entry.name.as_bytes(), None));
                let name = name.to_vec();
                self.enter(entry.path, &name, entry.stat, base)
            }
            ScanEvent::Entry(entry) => {
                let name = top.map_or_else(|| entry.name.as_bytes().to_vec(), |(name, _)| name.to_vec());
                self.entry(entry, name)
            }
            ScanEvent::LeaveDir => self.leave(),
            ScanEvent::Problem { path, error } => {
                self.tools.report(&path, &error);
                Ok(())
            }
            ScanEvent::Vanished { path } => {
                self.tools.report(&path, &WorktreeError::Vanished { path: path.clone() });
                Ok(())
            }
        };
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                *failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn enter(
        &mut self,
        path: PathBuf,
        name: &[u8],
        stat: Stat,
        base: Option<&DirEntry>,
    ) -> Result<(), OpsError> {
        let rel = self.dirs.last().map_or_else(Vec::new, |above| join(&above.rel, name));
        let above = self.dirs.last().and_then(|above| above.previous.as_ref());
        let before = if self.dirs.is_empty() { base } else { above.and_then(|dir| dir.entry(name)) };
        let previous = match (&mut self.previous, before) {
            (Some(previous), Some(entry)) => previous.enter(&rel, entry)?,
            _ => None,
        };
        let told = previous.as_ref().map(|dir| (dir.node, dir.entries.clone()));
        let enter =
            EnterDir { path, name: name.to_vec(), rel: rel.clone(), stat, previous: told, made_up: false };
        self.dirs.push(OpenDir { rel, previous });
        self.send(Step::Enter(Box::new(enter)))
    }

    fn leave(&mut self) -> Result<(), OpsError> {
        self.dirs.pop();
        self.send(Step::Leave)
    }

    fn entry(&mut self, entry: ScannedEntry, name: Vec<u8>) -> Result<(), OpsError> {
        let plan = self.plan(&entry, &name);
        let planned = Planned { path: entry.path, name, stat: entry.stat, plan };
        let job = match planned.plan {
            Plan::Job(seq) => Some((seq, self.news(&planned.name))),
            _ => None,
        };
        if let Some((seq, news)) = job {
            self.submit(Job { seq, path: planned.path.clone(), stat: planned.stat, news })?;
        }
        self.send(Step::Entry(Box::new(planned)))
    }

    fn news(&self, name: &[u8]) -> FileNews {
        match self.before(name) {
            Some(_) => FileNews::Changed,
            None => FileNews::New,
        }
    }

    fn before(&self, name: &[u8]) -> Option<&DirEntry> {
        self.dirs.last()?.previous.as_ref()?.entry(name)
    }

    fn plan(&mut self, entry: &ScannedEntry, name: &[u8]) -> Plan {
        if !entry.stat.is_regular() {
            let same = self.before(name).is_some_and(|before| convert::same_meta(before, &entry.stat));
            let news = if same { FileNews::Unchanged } else { self.news(name) };
            return Plan::Special(news);
        }
        if entry.stat.nlink > 1 && !self.seen.insert((entry.stat.dev, entry.stat.ino)) {
            return Plan::Link;
        }
        match self.unchanged(entry, name) {
            Some(plan) => plan,
            None => {
                self.seq += 1;
                Plan::Job(self.seq)
            }
        }
    }

    /// The parent's entry, if size, times, inode and device say that nothing was done to the file since.
    fn unchanged(&self, entry: &ScannedEntry, name: &[u8]) -> Option<Plan> {
        if self.force {
            return None;
        }
        let previous = self.dirs.last()?.previous.as_ref()?;
        let before = previous.entry(name)?;
        let (dev, state) = previous.state(name)?;
        let stat = &entry.stat;
        let untouched = matches!(before.kind, EntryKind::File { .. })
            && state != UNKNOWN
            && dev == stat.dev
            && state.ino == stat.ino
            && state.ctime == convert::time(stat.ctime)
            && convert::same_meta(before, stat);
        untouched.then(|| Plan::Reuse(Box::new(before.clone()), state))
    }

    fn submit(&mut self, job: Job) -> Result<(), OpsError> {
        if job.stat.size > BIG_FILE_LEN {
            // The batch goes first: the assembler may wait for its files while this send waits for room.
            self.send_batch();
            let _ = self.big.send(job);
            return Ok(());
        }
        self.batch_bytes += job.stat.size;
        self.batch.push(job);
        if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_FILES {
            self.send_batch();
        }
        Ok(())
    }

    /// Sends the batch to the workers, who stop listening only when the commit has failed.
    fn send_batch(&mut self) {
        if !self.batch.is_empty() {
            self.batch_bytes = 0;
            let _ = self.work.send(Work::Files(std::mem::take(&mut self.batch)));
        }
    }

    /// Sends a step. When the assembler is behind, the batch goes out first: it may be what the assembler waits for.
    fn send(&mut self, step: Step) -> Result<(), OpsError> {
        if let Err(TrySendError::Full(step)) = self.steps.try_send(step) {
            self.send_batch();
            let _ = self.steps.send(step);
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), OpsError> {
        self.send_batch();
        Ok(())
    }
}

/// The names of an absolute path, without `.` and `..`.
fn names(path: &Path) -> Vec<Vec<u8>> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.as_bytes().to_vec()),
        _ => None,
    });
    names.collect()
}

fn path_of(names: &[Vec<u8>]) -> PathBuf {
    let mut path = PathBuf::from("/");
    path.extend(names.iter().map(|name| OsStr::from_bytes(name)));
    path
}

/// Makes paths absolute, resolves `.` and `..` by name, drops those that lie below others, and sorts them so that of
/// one directory files come before directories, as in a scan.
pub(super) fn normalise(paths: &[PathBuf]) -> Result<Vec<PathBuf>, OpsError> {
    let mut clean = Vec::new();
    for path in paths {
        let absolute = std::path::absolute(path).map_err(|source| WorktreeError::Io {
            action: "find",
            path: path.clone(),
            source,
        })?;
        let mut names: Vec<Vec<u8>> = Vec::new();
        for component in absolute.components() {
            match component {
                Component::Normal(name) => names.push(name.as_bytes().to_vec()),
                Component::ParentDir => {
                    names.pop();
                }
                _ => {}
            }
        }
        let path = path_of(&names);
        let is_dir = stat_path(&path)?.is_dir();
        let last = names.len().saturating_sub(1);
        let key: Vec<(bool, Vec<u8>)> =
            names.into_iter().enumerate().map(|(i, name)| (i < last || is_dir, name)).collect();
        clean.push((key, path));
    }
    clean.sort();
    let mut kept: Vec<(Vec<(bool, Vec<u8>)>, PathBuf)> = Vec::new();
    for (key, path) in clean {
        if !kept.iter().any(|(above, _)| key.starts_with(above)) {
            kept.push((key, path));
        }
    }
    Ok(kept.into_iter().map(|(_, path)| path).collect())
}
