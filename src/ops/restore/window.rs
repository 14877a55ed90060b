//! A window: files that are being brought back together, and the chunks that they need.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::cas::Location;
use crate::format::dirtree::DirEntry;
use crate::id::ChunkId;
use crate::worktree::{FileOptions, LinkSource, RelPath, RestoreMeta, Target, TargetFile, WorktreeError};

use super::super::convert;

/// Chunks after which a window is full: some MiB of memory.
pub(super) const CHUNKS_MAX: usize = 1 << 16;

/// One occurrence of a chunk in a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    pub(super) location: Location,
    pub(super) id: ChunkId,
    pub(super) len: u32,
    /// Number of the file in the window.
    pub(super) file: u32,
    pub(super) offset: u64,
    pub(super) repeat: u64,
}

/// A regular file on its way.
pub(super) struct FilePlan {
    pub(super) path: RelPath,
    pub(super) meta: RestoreMeta,
    pub(super) size: u64,
    pub(super) sparse: bool,
    pub(super) replace: bool,
    pub(super) group: u64,
    /// Chunks that have not been written.
    left: AtomicU32,
    failed: AtomicBool,
    open: Mutex<Open>,
}

#[derive(Default)]
enum Open {
    #[default]
    Not,
    Yes(std::sync::Arc<TargetFile>),
    Done(Option<LinkSource>),
}

impl FilePlan {
    pub(super) fn new(path: RelPath, entry: &DirEntry, replace: bool, sparse: bool) -> Self {
        Self {
            path,
            meta: convert::restore_meta(entry),
            size: convert::size(entry),
            sparse,
            replace,
            group: entry.hard_link,
            left: AtomicU32::new(0),
            failed: AtomicBool::new(false),
            open: Mutex::default(),
        }
    }

    /// Announces one more chunk.
    pub(super) fn expect_chunk(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Gives the file up. Returns whether this was the first failure.
    pub(super) fn fail(&self) -> bool {
        *self.open.lock().expect("no panic while locked") = Open::Done(None);
        !self.failed.swap(true, Ordering::AcqRel)
    }

    /// The file, created when it is first needed.
    pub(super) fn file(&self, target: &Target) -> Result<std::sync::Arc<TargetFile>, WorktreeError> {
        let mut open = self.open.lock().expect("no panic while locked");
        if let Open::Yes(file) = &*open {
            return Ok(std::sync::Arc::clone(file));
        }
        let options = FileOptions { sparse: self.sparse, size: Some(self.size), replace: self.replace };
        let file = std::sync::Arc::new(target.create_file(&self.path, options)?);
        *open = Open::Yes(std::sync::Arc::clone(&file));
        Ok(file)
    }

    /// One chunk less to wait for; the last one finishes the file. Returns whether it did.
    pub(super) fn chunk_done(&self, target: &Target) -> Result<bool, WorktreeError> {
        if self.left.fetch_sub(1, Ordering::AcqRel) > 1 || self.has_failed() {
            return Ok(false);
        }
        self.finish(target).map(|()| true)
    }

    /// Gives the file its metadata and name.
    pub(super) fn finish(&self, target: &Target) -> Result<(), WorktreeError> {
        let file = self.file(target)?;
        *self.open.lock().expect("no panic while locked") = Open::Not;
        let file =
            std::sync::Arc::into_inner(file).expect("the last chunk was written, nobody else has the file");
        let source = if self.group == 0 { None } else { Some(file.link_source()?) };
        file.finish(&self.meta)?;
        *self.open.lock().expect("no panic while locked") = Open::Done(source);
        Ok(())
    }

    /// What further names of the file need, once it is finished.
    pub(super) fn link_source(&self) -> Option<LinkSource> {
        match &*self.open.lock().expect("no panic while locked") {
            Open::Done(source) => source.clone(),
            _ => None,
        }
    }
}
