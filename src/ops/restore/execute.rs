//! Carrying out a window: blocks in order, each opened once, by all threads. Deltas are read first, and then count as needs of
//! their bases' blocks.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::cas::{Base, CasError, ChunkStore, Delta, OpenBlock};
use crate::compress::Decompressor;
use crate::id::{Locator, ObjectKind};
use crate::observe::FileNews;
use crate::worktree::{Target, WorktreeError};

use super::super::OpsError;
use super::Report;
use super::window::{FilePlan, Need};

/// Repeated chunks are written in runs of about this many bytes.
const RUN_LEN: usize = 1 << 18;

/// Bytes of deltas that are held at a time.
const FRAMES_MAX: usize = 32 << 20;

/// A chunk that a file needs, and what it is made of.
struct Task {
    /// Its location is where the bytes lie that it is made of: those of the first base, if it is a delta.
    need: Need,
    delta: Option<Arc<Delta>>,
}

impl Task {
    /// What lies at the location.
    fn object(&self) -> Locator {
        self.delta.as_ref().map_or(self.need.id.locator(), |delta| delta.bases[0])
    }
}

/// What a window brought.
#[derive(Debug, Default)]
pub(super) struct Executed {
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) written: AtomicU64,
}

struct Window<'a> {
    chunks: &'a ChunkStore,
    target: &'a Target,
    report: &'a Report<'a>,
    files: &'a [FilePlan],
    stopped: AtomicBool,
    failure: Mutex<Option<OpsError>>,
    done: Executed,
}

/// Writes the files of a window. `needs` may come in any order.
pub(super) fn run(
    chunks: &ChunkStore,
    target: &Target,
    report: &Report<'_>,
    (files, needs): (&[FilePlan], &mut [Need]),
    threads: usize,
) -> Result<Executed, OpsError> {
    needs.sort_unstable_by_key(|need| (need.location, need.file, need.offset));
    let (stopped, failure, done) = Default::default();
    let window = Window { chunks, target, report, files, stopped, failure, done };
    let full = needs.iter().filter(|need| need.location.depth == 0);
    let mut tasks: Vec<Task> = full.map(|need| Task { need: *need, delta: None }).collect();
    let deltas: Vec<Need> = needs.iter().filter(|need| need.location.depth > 0).copied().collect();
    let mut deltas = deltas.as_slice();
    loop {
        deltas = window.read_deltas(deltas, &mut tasks);
        window.carry_out(&mut tasks, threads);
        if deltas.is_empty() || window.stopped.load(Ordering::Acquire) {
            break;
        }
        tasks.clear();
    }
    match window.failure.into_inner().expect("no panic while locked") {
        Some(error) => Err(error),
        None => Ok(window.done),
    }
}

impl Window<'_> {
    /// Reads deltas up to [`FRAMES_MAX`] and turns them into tasks; returns those that are left.
    fn read_deltas<'n>(&self, needs: &'n [Need], tasks: &mut Vec<Task>) -> &'n [Need] {
        let Some(mut decompressor) = self.decompressor().filter(|_| !needs.is_empty()) else { return &[] };
        let (mut done, mut held) = (0, 0);
        for block in needs.chunk_by(same_block) {
            if held > FRAMES_MAX || self.stopped.load(Ordering::Acquire) {
                break;
            }
            done += block.len();
            let location = block[0].location;
            let open = match self.chunks.open_block(location.pack, location.block, &mut decompressor) {
                Ok(open) => open,
                Err(error) if error.may_have_moved() => {
                    self.follow(block);
                    continue;
                }
                Err(error) => {
                    block.iter().for_each(|need| self.unreadable(need, &error));
                    continue;
                }
            };
            for same in block.chunk_by(|a, b| (a.location, a.id) == (b.location, b.id)) {
                match self.delta(&open, &same[0]) {
                    Ok((delta, base)) => {
                        held += delta.frame.len();
                        let task = |need: &Need| Task {
                            need: Need { location: base.location, ..*need },
                            delta: Some(Arc::clone(&delta)),
                        };
                        tasks.extend(same.iter().map(task));
                    }
                    Err(error) if error.may_have_moved() => self.follow(same),
                    Err(error) => same.iter().for_each(|need| self.unreadable(need, &error)),
                }
            }
        }
        &needs[done..]
    }

    /// A delta and its first base.
    fn delta(&self, block: &OpenBlock, need: &Need) -> Result<(Arc<Delta>, Base), CasError> {
        let (Need { location, .. }, id) = (need, need.id.locator());
        let wrong = CasError::WrongObject { kind: ObjectKind::Chunk, id, pack: location.pack };
        let delta = block.delta(location.slot, ObjectKind::Chunk, id)?.ok_or(wrong)?;
        let bases = self.chunks.locate_bases(ObjectKind::Chunk, id, &delta)?;
        Ok((Arc::new(delta), bases[0]))
    }

    fn carry_out(&self, tasks: &mut [Task], threads: usize) {
        tasks
            .sort_unstable_by_key(|task| (task.need.location, task.object(), task.need.id, task.need.offset));
        let blocks: Vec<&[Task]> = tasks.chunk_by(|a, b| same_block(&a.need, &b.need)).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..threads.min(blocks.len()) {
                scope.spawn(|| self.work(&blocks, &next));
            }
        });
    }

    fn decompressor(&self) -> Option<Decompressor> {
        let failed = |source| {
            self.stop(OpsError::Cas { action: "open blocks", source: CasError::Compress { source } })
        };
        Decompressor::new().map_err(failed).ok()
    }

    fn work(&self, blocks: &[&[Task]], next: &AtomicUsize) {
        let Some(mut decompressor) = self.decompressor() else { return };
        while !self.stopped.load(Ordering::Acquire) {
            let Some(tasks) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
            if self.report.observer.cancelled() {
                return self.stop(OpsError::Cancelled);
            }
            let location = tasks[0].need.location;
            match self.chunks.open_block(location.pack, location.block, &mut decompressor) {
                Ok(block) => {
                    let same = |a: &Task, b: &Task| {
                        (a.need.location, a.object(), a.need.id) == (b.need.location, b.object(), b.need.id)
                    };
                    tasks.chunk_by(same).for_each(|same| self.place(&block, same));
                }
                Err(error) if error.may_have_moved() => {
                    let needs: Vec<Need> = tasks.iter().map(|task| task.need).collect();
                    self.follow(&needs);
                }
                Err(error) => tasks.iter().for_each(|task| self.unreadable(&task.need, &error)),
            }
        }
    }

    /// Writes chunks whose pack has gone since they were located, from where they lie now.
    fn follow(&self, needs: &[Need]) {
        for same in needs.chunk_by(|a, b| a.id == b.id) {
            match self.chunks.get(ObjectKind::Chunk, &same[0].id) {
                Ok(bytes) if bytes.len() == same[0].len as usize => {
                    same.iter().for_each(|need| self.write(need, &bytes));
                }
                Ok(_) => {
                    let (id, pack) = (same[0].id.locator(), same[0].location.pack);
                    let error = CasError::WrongObject { kind: ObjectKind::Chunk, id, pack };
                    same.iter().for_each(|need| self.unreadable(need, &error));
                }
                Err(error) => same.iter().for_each(|need| self.unreadable(need, &error)),
            }
        }
    }

    /// Writes one object wherever it is needed.
    fn place(&self, block: &OpenBlock, tasks: &[Task]) {
        let object = self.object(block, &tasks[0]);
        for Task { need, .. } in tasks {
            match &object {
                Ok(bytes) if bytes.len() == need.len as usize => self.write(need, bytes),
                Ok(_) => {
                    let (id, pack) = (need.id.locator(), need.location.pack);
                    let error = CasError::WrongObject { kind: ObjectKind::Chunk, id, pack };
                    self.unreadable(need, &error);
                }
                Err(error) => self.unreadable(need, error),
            }
        }
    }

    /// The bytes that a task is for. What more it needs than the block is read through the store's cache.
    fn object<'b>(&self, block: &'b OpenBlock, task: &Task) -> Result<Cow<'b, [u8]>, CasError> {
        let (Need { location, id, .. }, kind) = (task.need, ObjectKind::Chunk);
        let vault = self.chunks.vault();
        let Some(delta) = &task.delta else {
            return block.object(vault, location.slot, kind, &id).map(Cow::Borrowed);
        };
        let decode = |prefix: &[u8]| self.chunks.decode(kind, id.locator(), Some(&id), delta, prefix);
        if location.depth == 0 && delta.bases.len() == 1 {
            let base = delta.bases[0];
            let prefix = block.base(vault, location.slot, kind, base).map_err(|source| {
                CasError::UnreadableBase { kind, id: id.locator(), base, source: Box::new(source) }
            })?;
            return decode(prefix).map(Cow::Owned);
        }
        decode(&self.chunks.prefix(kind, id.locator(), delta, block)?).map(Cow::Owned)
    }

    fn write(&self, need: &Need, bytes: &[u8]) {
        let plan = &self.files[need.file as usize];
        if plan.has_failed() {
            return;
        }
        let written = self.write_chunk(plan, need, bytes).and_then(|()| plan.chunk_done(self.target));
        match written {
            Ok(finished) => {
                self.report.observer.advance(0, bytes.len() as u64 * need.repeat);
                if finished {
                    self.finished(plan);
                }
            }
            Err(error) => self.failed(plan, error),
        }
    }

    fn write_chunk(&self, plan: &FilePlan, need: &Need, bytes: &[u8]) -> Result<(), WorktreeError> {
        let file = plan.file(self.target)?;
        let zero = bytes.iter().all(|&byte| byte == 0);
        if zero && (plan.sparse || need.repeat > 1) {
            // What is never written is zeros.
            return Ok(());
        }
        self.done.written.fetch_add(bytes.len() as u64 * need.repeat, Ordering::Relaxed);
        if need.repeat == 1 {
            return file.write_at(need.offset, bytes);
        }
        let per_run = (RUN_LEN / bytes.len()).max(1) as u64;
        let run = bytes.repeat(usize::try_from(per_run.min(need.repeat)).expect("at most RUN_LEN"));
        let (mut left, mut offset) = (need.repeat, need.offset);
        while left > 0 {
            let now = left.min(per_run);
            let part = &run[..usize::try_from(now).expect("at most RUN_LEN") * bytes.len()];
            file.write_at(offset, part)?;
            offset += part.len() as u64;
            left -= now;
        }
        Ok(())
    }

    fn finished(&self, plan: &FilePlan) {
        self.done.files.fetch_add(1, Ordering::Relaxed);
        self.done.bytes.fetch_add(plan.size, Ordering::Relaxed);
        self.report.observer.file_done(plan.path.as_path(), FileNews::New, plan.size);
        self.report.observer.advance(1, 0);
    }

    fn unreadable(&self, need: &Need, error: &CasError) {
        let plan = &self.files[need.file as usize];
        if plan.fail() {
            self.report.problem(plan.path.as_path(), &Unreadable(error.to_string(), chain(error)));
        }
    }

    fn failed(&self, plan: &FilePlan, error: WorktreeError) {
        if !plan.fail() {
            return;
        }
        if error.is_full() {
            return self.stop(error.into());
        }
        self.report.problem(plan.path.as_path(), &error);
    }

    fn stop(&self, error: OpsError) {
        self.failure.lock().expect("no panic while locked").get_or_insert(error);
        self.stopped.store(true, Ordering::Release);
    }
}

fn same_block(a: &Need, b: &Need) -> bool {
    (a.location.pack, a.location.block) == (b.location.pack, b.location.block)
}

/// An error of the repository that several files share.
#[derive(Debug, thiserror::Error)]
#[error("its content cannot be read: {0}{1}")]
struct Unreadable(String, String);

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
