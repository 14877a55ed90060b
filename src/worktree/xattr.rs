//! Extended attributes, POSIX ACLs among them.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{fgetxattr, flistxattr, getxattr, lgetxattr, listxattr, llistxattr};
use rustix::io::{Errno, Result};

use super::entry::{FileType, Xattr};
use super::error::{WorktreeError, io_error};
use super::sys;
use crate::limits::{XATTR_LIST_LEN_MAX, XATTR_VALUE_LEN_MAX};

thread_local! {
    /// Room for the names and one value: as large as the system lets them be, so that no call is made twice.
    static BUFFERS: RefCell<(Vec<u8>, Vec<u8>)> =
        RefCell::new((vec![0; XATTR_LIST_LEN_MAX], vec![0; XATTR_VALUE_LEN_MAX]));
}

/// The extended attributes of `path`, sorted by name; never those of what a symbolic link points to.
///
/// A file system without them has none: that is no error. One system call where there are none. `file_type` is what
/// the scan found: some network file systems answer EPERM for what is neither file nor directory; that is none, too.
///
/// # Errors
/// If they cannot be listed or one of them cannot be read.
pub fn read_xattrs(path: &Path, file_type: FileType) -> std::result::Result<Vec<Xattr>, WorktreeError> {
    let found = sys::reach(path, |path| {
        collect(|list| llistxattr(path, list), |name, value| lgetxattr(path, name, value))
    });
    match found {
        Err(Errno::PERM) if !matches!(file_type, FileType::Regular | FileType::Dir) => Ok(Vec::new()),
        other => other.map_err(io_error("read the extended attributes of", path)),
    }
}

/// The extended attributes of an open file, sorted by name.
pub(super) fn read_fd_xattrs(fd: impl AsFd) -> Result<Vec<Xattr>> {
    let fd = fd.as_fd();
    collect(|list| flistxattr(fd, list), |name, value| fgetxattr(fd, name, value))
}

fn collect(
    list: impl FnOnce(&mut [u8]) -> Result<usize>,
    get: impl Fn(&CStr, &mut [u8]) -> Result<usize>,
) -> Result<Vec<Xattr>> {
    BUFFERS.with_borrow_mut(|(names, value)| {
        let len = match list(names) {
            Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Ok(len) => len,
            Err(errno) => return Err(errno),
        };
        let mut xattrs = Vec::new();
        for name in names[..len].split_inclusive(|&byte| byte == 0) {
            let name = CStr::from_bytes_with_nul(name).map_err(|_| Errno::INVAL)?;
            match get(name, value) {
                Ok(len) => {
                    xattrs.push(Xattr { name: name.to_bytes().to_vec(), value: value[..len].to_vec() });
                }
                // Removed since it was listed, or listed by a file system that then denies it.
                Err(Errno::NODATA | Errno::NOTSUP) => {}
                Err(errno) => return Err(errno),
            }
        }
        xattrs.sort_unstable();
        Ok(xattrs)
    })
}

/// The extended attributes of what was opened as a mere place (`O_PATH`), sorted by name.
pub(super) fn read_place_xattrs(fd: impl AsFd) -> Result<Vec<Xattr>> {
    let path = sys::proc_path(fd);
    collect(|list| listxattr(&path, list), |name, value| getxattr(&path, name, value))
}
