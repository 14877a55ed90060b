//! Removing trees without following symbolic links or leaving the file system.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;

use super::error::{WorktreeError, io_error};
use super::listing::{c_name, entry_path, read_names};
use super::sys;
use crate::limits::TREE_DEPTH_MAX;

/// Opens the directory `name` in `parent` for listing, not through a symbolic link.
pub(super) fn open_dir_at(parent: impl AsFd, name: &CStr) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Removes `name` in `parent`, a directory with all that it holds. `path` is for messages.
pub(super) fn remove_all(parent: &OwnedFd, name: &CStr, path: &Path) -> Result<(), WorktreeError> {
    let device = sys::stat_fd(parent).map_err(io_error("stat", path))?.dev;
    remove_below(parent, name, path, device, 0)
}

fn remove_below(
    parent: &OwnedFd,
    name: &CStr,
    path: &Path,
    device: u64,
    depth: usize,
) -> Result<(), WorktreeError> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR | Errno::PERM) => {}
        other => return other.map_err(io_error("remove", path)),
    }
    if depth > TREE_DEPTH_MAX {
        return Err(WorktreeError::TooDeep { path: path.to_owned(), max: TREE_DEPTH_MAX });
    }
    let dir = open_dir_at(parent, name).map_err(io_error("open the directory", path))?;
    if sys::stat_fd(&dir).map_err(io_error("stat", path))?.dev != device {
        return Err(WorktreeError::MountPoint { path: path.to_owned() });
    }
    let (mut names, mut raw) = (Vec::new(), Vec::new());
    read_names(&dir, &mut Vec::new(), &mut names, &mut raw).map_err(io_error("list", path))?;
    for name in raw.iter().map(|raw| c_name(&names, raw)) {
        remove_below(&dir, name, &entry_path(path, name.to_bytes()), device, depth + 1)?;
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(io_error("remove the directory", path))
}
