//! From the scan to steps: decides for every entry whether the parent commit's copy is still right.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Sender, TrySendError};

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::observe::FileNews;
use crate::worktree::{ScannedEntry, Stat, Timestamp, WorktreeError};

use super::super::previous::{Previous, PreviousDir};
use super::super::source_walk::Visitor;
use super::super::{OpsError, convert};
use super::assemble::{EnterDir, Plan, Planned, Step};
use super::worker::{BIG_FILE_LEN, Job, Tools, Work};

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
    root: Option<&'t DirEntry>,
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
        root: Option<&'t DirEntry>,
        force: bool,
    ) -> Self {
        Self {
            tools,
            steps,
            work,
            big,
            previous,
            root,
            force,
            dirs: Vec::new(),
            seen: HashSet::new(),
            batch: Vec::new(),
            batch_bytes: 0,
            seq: 0,
        }
    }
}

impl Visitor for Planner<'_, '_> {
    fn enter(&mut self, path: PathBuf, name: &[u8], stat: Stat) -> Result<(), OpsError> {
        let rel = self.dirs.last().map_or_else(Vec::new, |above| convert::join(&above.rel, name));
        let above = self.dirs.last().and_then(|above| above.previous.as_ref());
        let before = if self.dirs.is_empty() { self.root } else { above.and_then(|dir| dir.entry(name)) };
        let previous = match (&mut self.previous, before) {
            (Some(previous), Some(entry)) => previous.enter(&rel, entry)?,
            _ => None,
        };
        let told = previous.as_ref().map(|dir| (dir.node, Arc::clone(&dir.entries)));
        let enter =
            EnterDir { path, name: name.to_vec(), rel: rel.clone(), stat, previous: told, made_up: false };
        self.dirs.push(OpenDir { rel, previous });
        self.send(Step::Enter(Box::new(enter)));
        Ok(())
    }

    fn recorded_time(&self, name: &[u8]) -> Option<Timestamp> {
        let before = if self.dirs.is_empty() { self.root } else { self.before(name) };
        before.map(|entry| convert::live_time(entry.mtime))
    }

    fn entry(&mut self, entry: ScannedEntry, name: Vec<u8>) -> Result<(), OpsError> {
        let plan = self.plan(&entry, &name);
        let planned = Planned { path: entry.path, name, stat: entry.stat, plan };
        let job = match planned.plan {
            Plan::Job(seq) => Some((seq, self.news(&planned.name), self.former(&planned.name))),
            _ => None,
        };
        if let Some((seq, news, former)) = job {
            self.submit(Job { seq, path: planned.path.clone(), stat: planned.stat, news, former });
        }
        self.send(Step::Entry(Box::new(planned)));
        Ok(())
    }

    fn leave(&mut self) -> Result<(), OpsError> {
        self.dirs.pop();
        self.send(Step::Leave);
        Ok(())
    }

    fn problem(&mut self, path: &Path, error: &WorktreeError) -> Result<(), OpsError> {
        self.tools.report(path, error);
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.tools.shared.stopped()
    }

    fn cancelled(&self) -> bool {
        self.tools.observer.cancelled()
    }
}

impl Planner<'_, '_> {
    fn news(&self, name: &[u8]) -> FileNews {
        match self.before(name) {
            Some(_) => FileNews::Changed,
            None => FileNews::New,
        }
    }

    /// What the file of this name held in the parent commit.
    fn former(&self, name: &[u8]) -> Option<ContentRoot> {
        match &self.before(name)?.kind {
            EntryKind::File { content, .. } => Some(*content),
            _ => None,
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
        let (before, state) = self.dirs.last()?.previous.as_ref()?.untouched(name, &entry.stat)?;
        Some(Plan::Reuse(Box::new(before.clone()), state))
    }

    fn submit(&mut self, job: Job) {
        if job.stat.size > BIG_FILE_LEN {
            // The batch goes first: the assembler may wait for its files while this send waits for room.
            self.flush();
            let _ = self.big.send(job);
            return;
        }
        self.batch_bytes += job.stat.size;
        self.batch.push(job);
        if self.batch_bytes >= BATCH_BYTES || self.batch.len() >= BATCH_FILES {
            self.flush();
        }
    }

    /// Sends the batch to the workers, who stop listening only when the commit has failed.
    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.batch_bytes = 0;
            let _ = self.work.send(Work::Files(std::mem::take(&mut self.batch)));
        }
    }

    /// Sends a step. When the assembler is behind, the batch goes out first: it may be what the assembler waits for.
    fn send(&mut self, step: Step) {
        if let Err(TrySendError::Full(step)) = self.steps.try_send(step) {
            self.flush();
            let _ = self.steps.send(step);
        }
    }
}
