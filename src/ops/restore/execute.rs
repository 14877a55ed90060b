//! Carrying out a window: blocks in order, each opened once, by all threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use crate::cas::{CasError, ChunkStore, OpenBlock};
use crate::compress::Decompressor;
use crate::id::ObjectKind;
use crate::observe::FileNews;
use crate::worktree::{Target, WorktreeError};

use super::super::OpsError;
use super::Report;
use super::window::{FilePlan, Need};

/// Repeated chunks are written in runs of about this many bytes.
const RUN_LEN: usize = 1 << 18;

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
    blocks: Vec<&'a [Need]>,
    next: AtomicUsize,
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
    let blocks =
        needs.chunk_by(|a, b| (a.location.pack, a.location.block) == (b.location.pack, b.location.block));
    let window = Window {
        chunks,
        target,
        report,
        files,
        blocks: blocks.collect(),
        next: AtomicUsize::new(0),
        stopped: AtomicBool::new(false),
        failure: Mutex::new(None),
        done: Executed::default(),
    };
    thread::scope(|scope| {
        for _ in 0..threads.min(window.blocks.len()) {
            scope.spawn(|| window.work());
        }
    });
    match window.failure.into_inner().expect("no panic while locked") {
        Some(error) => Err(error),
        None => Ok(window.done),
    }
}

impl Window<'_> {
    fn work(&self) {
        let mut decompressor = match Decompressor::new() {
            Ok(decompressor) => decompressor,
            Err(source) => {
                return self
                    .stop(OpsError::Cas { action: "open blocks", source: CasError::Compress { source } });
            }
        };
        while !self.stopped.load(Ordering::Acquire) {
            let Some(needs) = self.blocks.get(self.next.fetch_add(1, Ordering::Relaxed)) else { return };
            if self.report.observer.cancelled() {
                return self.stop(OpsError::Cancelled);
            }
            let location = needs[0].location;
            match self.chunks.open_block(location.pack, location.block, &mut decompressor) {
                Ok(block) => {
                    needs.chunk_by(|a, b| a.location == b.location).for_each(|same| self.place(&block, same))
                }
                Err(error) => needs.iter().for_each(|need| self.unreadable(need, &error)),
            }
        }
    }

    /// Writes one object wherever it is needed.
    fn place(&self, block: &OpenBlock, needs: &[Need]) {
        let Need { location, id, .. } = needs[0];
        let object = block.object(self.chunks.vault(), location.slot, ObjectKind::Chunk, &id);
        for need in needs {
            match &object {
                Ok(bytes) if bytes.len() == need.len as usize && need.id == id => self.write(need, bytes),
                Ok(_) => {
                    let error =
                        CasError::WrongObject { kind: ObjectKind::Chunk, id: need.id, pack: location.pack };
                    self.unreadable(need, &error);
                }
                Err(error) => self.unreadable(need, error),
            }
        }
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
