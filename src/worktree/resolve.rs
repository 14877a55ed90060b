//! From a path below the target to an open directory, never through a symbolic link and never out of the target.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};

/// Directories that are kept open: few beside the 1024 files that a process may have open, many beside the depth of a
/// tree that is written in order by a few threads.
const OPEN_DIRS_MAX: usize = 128;

/// The directories of a target, found from its root and kept open as long as they are used often.
///
/// What is kept is the open directory, never a path: whatever is swapped in under its name later, what goes through it
/// lands in the directory that was checked.
#[derive(Debug)]
pub(super) struct Dirs {
    root: Arc<OwnedFd>,
    has_openat2: AtomicBool,
    open: Mutex<OpenDirs>,
}

#[derive(Debug, Default)]
struct OpenDirs {
    /// Directory and when it was last asked for.
    by_path: HashMap<Vec<u8>, (Arc<OwnedFd>, u64)>,
    clock: u64,
}

impl OpenDirs {
    fn get(&mut self, path: &[u8]) -> Option<Arc<OwnedFd>> {
        self.clock += 1;
        let (dir, used) = self.by_path.get_mut(path)?;
        *used = self.clock;
        Some(Arc::clone(dir))
    }

    fn put(&mut self, path: &[u8], dir: &Arc<OwnedFd>) {
        if self.by_path.len() >= OPEN_DIRS_MAX {
            // The older half at once, so that the search is rare.
            let mut uses: Vec<u64> = self.by_path.values().map(|(_, used)| *used).collect();
            let (_, median, _) = uses.select_nth_unstable(OPEN_DIRS_MAX / 2);
            let median = *median;
            self.by_path.retain(|_, (_, used)| *used > median);
        }
        self.by_path.insert(path.to_vec(), (Arc::clone(dir), self.clock));
    }
}

impl Dirs {
    /// Directories below `root`.
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root: Arc::new(root), has_openat2: AtomicBool::new(true), open: Mutex::default() }
    }

    /// As on a kernel without openat2.
    #[cfg(test)]
    pub(super) fn forget_openat2(&self) {
        self.has_openat2.store(false, Ordering::Relaxed);
    }

    /// The directory `path` (names with `/` between them, checked by `RelPath`; empty: the root), as a place to create
    /// and look up names in.
    pub(super) fn get(&self, path: &[u8]) -> Result<Arc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        if let Some(dir) = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(dir);
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = Arc::new(self.resolve(path, flags)?);
        self.open.lock().unwrap_or_else(PoisonError::into_inner).put(path, &dir);
        Ok(dir)
    }

    /// Closes what is kept open: directories were removed, and others may have their paths now.
    pub(super) fn forget(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).by_path.clear();
    }

    fn resolve(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        if !self.has_openat2.load(Ordering::Relaxed) {
            return self.resolve_by_name(path, flags);
        }
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, path, flags, Mode::empty(), beneath) {
            // An old kernel, or a filter around a container that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {
                let dir = self.resolve_by_name(path, flags)?;
                self.has_openat2.store(false, Ordering::Relaxed);
                Ok(dir)
            }
            Err(Errno::NAMETOOLONG | Errno::AGAIN) => self.resolve_by_name(path, flags),
            other => other,
        }
    }

    /// As safe as openat2, one name at a time: none is `..`, none is followed if it is a symbolic link.
    fn resolve_by_name(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd> {
        let mut dir: Option<OwnedFd> = None;
        for name in path.split(|&byte| byte == b'/') {
            let above = dir.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            dir = Some(openat(above, name, flags, Mode::empty())?);
        }
        dir.ok_or(Errno::NOENT)
    }
}
