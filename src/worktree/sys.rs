//! What the other files ask of the operating system, in this room's words.

use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType as RawType, Mode, OFlags, fstat, openat, statat};
use rustix::io::{Errno, Result};

use super::entry::{FileType, Stat, Timestamp};

/// Longest path that one system call takes, with its final NUL.
const PATH_LEN_MAX: usize = 4096;
/// Bytes of a longer path that are resolved at a time.
const PATH_PIECE_LEN: usize = 2048;

/// Bytes of a path.
pub(super) fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

/// The path that `bytes` are.
pub(super) fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// Status of `name` in `dir`, not following a symbolic link.
pub(super) fn stat_at(dir: impl AsFd, name: &CStr) -> Result<Stat> {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT).map(|raw| convert(&raw))
}

/// Status of `path`, not following a symbolic link at its end.
pub(super) fn stat_path(path: &Path) -> Result<Stat> {
    reach(path, |path| statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)).map(|raw| convert(&raw))
}

/// Status of an open file.
pub(super) fn stat_fd(fd: impl AsFd) -> Result<Stat> {
    fstat(fd).map(|raw| convert(&raw))
}

#[allow(clippy::unnecessary_cast, reason = "the widths of these fields differ between platforms")]
fn convert(raw: &rustix::fs::Stat) -> Stat {
    Stat {
        file_type: file_type(raw),
        mode: raw.st_mode as u32 & 0o7777,
        uid: raw.st_uid,
        gid: raw.st_gid,
        size: u64::try_from(raw.st_size).unwrap_or(0),
        mtime: Timestamp { secs: raw.st_mtime as i64, nanos: raw.st_mtime_nsec as u32 },
        ctime: Timestamp { secs: raw.st_ctime as i64, nanos: raw.st_ctime_nsec as u32 },
        ino: raw.st_ino as u64,
        dev: raw.st_dev as u64,
        nlink: raw.st_nlink as u64,
        blocks: u64::try_from(raw.st_blocks).unwrap_or(0),
    }
}

fn file_type(raw: &rustix::fs::Stat) -> FileType {
    let (major, minor) = (rustix::fs::major(raw.st_rdev), rustix::fs::minor(raw.st_rdev));
    match RawType::from_raw_mode(raw.st_mode) {
        RawType::Directory => FileType::Dir,
        RawType::Symlink => FileType::Symlink,
        RawType::Fifo => FileType::Fifo,
        RawType::Socket => FileType::Socket,
        RawType::CharacterDevice => FileType::CharDevice { major, minor },
        RawType::BlockDevice => FileType::BlockDevice { major, minor },
        _ => FileType::Regular,
    }
}

/// Opens a directory for listing, not following a symbolic link, without changing its access time where that is allowed.
pub(super) fn open_dir(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    reach(path, |path| match openat(CWD, path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(CWD, path, flags, Mode::empty()),
        other => other,
    })
}

/// Calls `call` with a path that leads to what `path` names and is short enough for a system call.
pub(super) fn reach<T>(path: &Path, call: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    if bytes(path).len() < PATH_LEN_MAX {
        return call(path);
    }
    let (dir, name) = open_in_pieces(bytes(path))?;
    let mut short = proc_path(&dir);
    short.push(OsStr::from_bytes(name));
    call(&short)
}

/// The path by which the process reaches an inode that it has open, even one that was opened as a mere place.
pub(super) fn proc_path(fd: impl AsFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd()))
}

fn open_in_pieces(path: &[u8]) -> Result<(OwnedFd, &[u8])> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let start: &CStr = if path.starts_with(b"/") { c"/" } else { c"." };
    let mut dir = openat(CWD, start, flags, Mode::empty())?;
    let mut rest = trim_slashes(path);
    while rest.len() > PATH_PIECE_LEN {
        let cut = rest[..PATH_PIECE_LEN].iter().rposition(|&byte| byte == b'/').ok_or(Errno::NAMETOOLONG)?;
        dir = openat(&dir, &rest[..cut], flags, Mode::empty())?;
        rest = trim_slashes(&rest[cut..]);
    }
    Ok((dir, rest))
}

fn trim_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&byte| byte != b'/').unwrap_or(path.len());
    &path[start..]
}

/// The C string of a name that holds no NUL.
pub(super) fn c_string(name: &[u8]) -> Result<CString> {
    CString::new(name).map_err(|_| Errno::INVAL)
}
