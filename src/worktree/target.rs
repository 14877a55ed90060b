//! Writing below one directory, with paths that a hostile repository may have named.

use std::ffi::CString;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, FileType as RawType, Mode, OFlags, linkat, mkdirat, mknodat, openat, readlinkat, renameat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::entry::{FileType, Stat, Xattr};
use super::error::{WorktreeError, io_error};
use super::listing::{c_name, read_names};
use super::read::{SourceFile, open_quietly};
use super::relpath::RelPath;
use super::resolve::Dirs;
use super::restore::{Degraded, Inode, MetaPolicy, Metadata, RestoreMeta};
use super::target_file::{FileOptions, TargetFile};
use super::{remove, sys, xattr};

/// How the names of files begin that a replacement is written to before it takes its place. One that is left over
/// comes from a process that was killed.
pub const TEMPORARY_PREFIX: &str = ".warp-tmp-";

/// What [`Target::make_dir`] found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DirMade {
    /// It is new, and nobody else may enter it yet.
    New,
    /// There was one.
    Kept,
}

/// A file that hard links may be made to, and how to know it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkSource {
    path: RelPath,
    dev: u64,
    ino: u64,
}

impl LinkSource {
    /// Where it was when it was made.
    pub fn path(&self) -> &RelPath {
        &self.path
    }
}

/// A directory that files are brought back into. All methods may be called from several threads at once.
///
/// Nothing is written, read or removed outside of it, whatever the paths, whatever symbolic links lie in it, and
/// whatever other processes swap in while it is at work: directories are opened beneath its root without following
/// links, files are created exclusively, and metadata goes through open files only.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    /// For messages only.
    root: PathBuf,
    pub(super) dirs: Dirs,
    pub(super) metadata: Metadata,
    temporary_seed: u64,
    temporary_count: AtomicU64,
}

impl Target {
    /// Opens the directory `root`, creating it and those above it where they are missing. Symbolic links on the way to
    /// `root` are followed: that path is the user's.
    ///
    /// # Errors
    /// If it cannot be created or opened, or is no directory.
    pub fn open(root: &Path, policy: MetaPolicy) -> Result<Self, WorktreeError> {
        fs::create_dir_all(root).map_err(io_error("create the directory", root))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(CWD, root, flags, Mode::empty()).map_err(io_error("open the directory", root))?;
        let shared = Shared {
            root: root.to_owned(),
            dirs: Dirs::new(fd),
            metadata: Metadata::new(policy),
            temporary_seed: RandomState::new().build_hasher().finish(),
            temporary_count: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What could not be given back so far, of metadata and devices.
    pub fn degraded(&self) -> Degraded {
        self.shared.metadata.lost()
    }

    /// Makes a directory that only this process's user may enter, or keeps the one that is there (and makes sure that
    /// the user may write in it). Its metadata is given last, by [`set_metadata`](Self::set_metadata). With `replace`,
    /// anything else that is there gives way.
    ///
    /// # Errors
    /// [`WorktreeError::Exists`] if something else is there; errors of the system.
    pub fn make_dir(&self, path: &RelPath, replace: bool) -> Result<DirMade, WorktreeError> {
        let Some((parent, name)) = self.shared.place_of_any(path)? else { return Ok(DirMade::Kept) };
        let fail = |errno| self.shared.fail("create the directory", path)(errno);
        match mkdirat(&parent, &name, Mode::RWXU) {
            Ok(()) => return Ok(DirMade::New),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(fail(errno)),
        }
        let stat = sys::stat_at(&parent, &name).map_err(fail)?;
        if stat.is_dir() {
            self.shared.make_writable(&parent, &name, &stat, path)?;
            return Ok(DirMade::Kept);
        }
        if !replace {
            return Err(WorktreeError::Exists { path: self.shared.full(path) });
        }
        unlinkat(&parent, &name, AtFlags::empty()).map_err(fail)?;
        mkdirat(&parent, &name, Mode::RWXU).map_err(fail)?;
        Ok(DirMade::New)
    }

    /// Creates a regular file; [`TargetFile::finish`] gives it its metadata and, where it replaces something, its name.
    ///
    /// # Errors
    /// [`WorktreeError::Exists`] if something is there that may not be replaced; errors of the system.
    pub fn create_file(&self, path: &RelPath, options: FileOptions) -> Result<TargetFile, WorktreeError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (file, placed) = self
            .shared
            .put(path, options.replace, |dir, name| openat(dir, name, flags, Mode::RUSR | Mode::WUSR))?;
        Ok(TargetFile::new(file, placed, options))
    }

    /// Creates a symbolic link that points to `link`, with its metadata.
    ///
    /// # Errors
    /// As [`create_file`](Self::create_file), and if `link` is empty, too long or holds a NUL.
    pub fn symlink(
        &self,
        path: &RelPath,
        link: &[u8],
        replace: bool,
        meta: &RestoreMeta,
    ) -> Result<(), WorktreeError> {
        let ((), placed) = self.shared.put(path, replace, |dir, name| symlinkat(link, dir, name))?;
        self.shared.finish_special(placed, FileType::Symlink, meta)
    }

    /// Creates a FIFO, a socket or a device with its metadata. Returns whether it did: a device that the policy or the
    /// system does not allow is counted as lost, and so is `file_type` where it names nothing special.
    ///
    /// # Errors
    /// As [`create_file`](Self::create_file).
    pub fn make_special(
        &self,
        path: &RelPath,
        file_type: FileType,
        replace: bool,
        meta: &RestoreMeta,
    ) -> Result<bool, WorktreeError> {
        let Some((raw, device)) = self.special(file_type) else {
            self.shared.metadata.count(path.as_path(), |lost| &mut lost.devices);
            return Ok(false);
        };
        let mode = Mode::RUSR | Mode::WUSR;
        match self.shared.put(path, replace, |dir, name| mknodat(dir, name, raw, mode, device)) {
            Ok(((), placed)) => self.shared.finish_special(placed, file_type, meta).map(|()| true),
            Err(WorktreeError::Io { source, .. }) if is_denied(&source) => {
                self.shared.metadata.count(path.as_path(), |lost| &mut lost.devices);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn special(&self, file_type: FileType) -> Option<(RawType, rustix::fs::Dev)> {
        let allowed = self.shared.metadata.policy.devices;
        match file_type {
            FileType::Fifo => Some((RawType::Fifo, 0)),
            FileType::Socket => Some((RawType::Socket, 0)),
            FileType::CharDevice { major, minor } if allowed => {
                Some((RawType::CharacterDevice, rustix::fs::makedev(major, minor)))
            }
            FileType::BlockDevice { major, minor } if allowed => {
                Some((RawType::BlockDevice, rustix::fs::makedev(major, minor)))
            }
            _ => None,
        }
    }

    /// What [`hard_link`](Self::hard_link) needs to link to `path`, which must be a file that this run made or found to
    /// be as wanted.
    ///
    /// # Errors
    /// If it is not there.
    pub fn link_source(&self, path: &RelPath) -> Result<LinkSource, WorktreeError> {
        let (parent, name) = self.shared.place_of(path)?;
        let stat = sys::stat_at(&parent, &name).map_err(self.shared.fail("stat", path))?;
        Ok(LinkSource { path: path.clone(), dev: stat.dev, ino: stat.ino })
    }

    /// Makes `path` another name of `source`.
    ///
    /// # Errors
    /// [`WorktreeError::Changed`] if something else is there now under the source's name: the link is taken back.
    /// Else as [`create_file`](Self::create_file).
    pub fn hard_link(&self, path: &RelPath, source: &LinkSource, replace: bool) -> Result<(), WorktreeError> {
        let is_source = |stat: &Stat| (stat.dev, stat.ino) == (source.dev, source.ino);
        if replace && self.stat(path)?.is_some_and(|stat| is_source(&stat)) {
            return Ok(()); // To put a name of a file in the place of another would leave both.
        }
        let (from_dir, from) = self.shared.place_of(&source.path)?;
        let ((), placed) = self
            .shared
            .put(path, replace, |dir, name| linkat(&from_dir, &from, dir, name, AtFlags::empty()))?;
        let stat =
            sys::stat_at(&placed.parent, placed.current_name()).map_err(self.shared.fail("stat", path))?;
        if !is_source(&stat) {
            return Err(WorktreeError::Changed { path: self.shared.full(&source.path) });
        }
        placed.settle()
    }

    /// Gives an entry that is there its metadata: to directories last, deepest first, since whatever is created in them
    /// changes their time. Extended attributes and ACLs that `meta` lacks go.
    ///
    /// # Errors
    /// If it is not there or the system fails. What it refuses is counted in [`degraded`](Self::degraded).
    pub fn set_metadata(&self, path: &RelPath, meta: &RestoreMeta) -> Result<(), WorktreeError> {
        let fail = |errno| self.shared.fail("open", path)(errno);
        let (parent, name) = self.shared.place_or_self(path)?;
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = openat(&parent, &name, flags | OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
        match dir {
            Ok(dir) => self
                .shared
                .metadata
                .reapply(Inode::open(&dir, FileType::Dir), meta, path.as_path())
                .map_err(|error| self.shared.in_full(error, path)),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {
                let place = openat(&parent, &name, flags | OFlags::PATH, Mode::empty()).map_err(fail)?;
                let stat = sys::stat_fd(&place).map_err(fail)?;
                self.shared
                    .metadata
                    .reapply(Inode::place(&place, stat.file_type), meta, path.as_path())
                    .map_err(|error| self.shared.in_full(error, path))
            }
            Err(errno) => Err(fail(errno)),
        }
    }

    /// Removes anything but a directory.
    ///
    /// # Errors
    /// [`WorktreeError::IsDirectory`] for a directory; errors of the system, also if nothing is there.
    pub fn remove_file(&self, path: &RelPath) -> Result<(), WorktreeError> {
        let (parent, name) = self.shared.place_of(path)?;
        unlinkat(&parent, &name, AtFlags::empty()).map_err(self.shared.fail("remove", path))
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// If it is not empty, no directory or not there.
    pub fn remove_dir(&self, path: &RelPath) -> Result<(), WorktreeError> {
        let (parent, name) = self.shared.place_of(path)?;
        self.shared.dirs.forget();
        unlinkat(&parent, &name, AtFlags::REMOVEDIR).map_err(self.shared.fail("remove the directory", path))
    }

    /// Removes whatever `path` is, a directory with all that it holds. Follows no symbolic link and enters no other
    /// file system.
    ///
    /// # Errors
    /// [`WorktreeError::MountPoint`] where another file system is mounted; errors of the system. What stood before it
    /// in the tree is gone then.
    pub fn remove_all(&self, path: &RelPath) -> Result<(), WorktreeError> {
        let (parent, name) = self.shared.place_of(path)?;
        self.shared.dirs.forget();
        let removed = remove::remove_all(&parent, &name, &self.shared.full(path));
        self.shared.dirs.forget();
        removed
    }

    /// Status of an entry; `None` if nothing is there, or if a directory on the way is none.
    ///
    /// # Errors
    /// If the system will not say.
    pub fn stat(&self, path: &RelPath) -> Result<Option<Stat>, WorktreeError> {
        let absent = |errno| matches!(errno, Errno::NOENT | Errno::NOTDIR | Errno::LOOP);
        let stat = path.split().map_or_else(
            || sys::stat_fd(&self.shared.dirs.get(b"")?),
            |(parent, name)| sys::stat_at(self.shared.dirs.get(parent)?, &sys::c_string(name)?),
        );
        match stat {
            Err(errno) if absent(errno) => Ok(None),
            other => other.map(Some).map_err(self.shared.fail("stat", path)),
        }
    }

    /// Opens a regular file for reading, to compare it.
    ///
    /// # Errors
    /// [`WorktreeError::Changed`] if it is no regular file; errors of the system.
    pub fn read_file(&self, path: &RelPath) -> Result<SourceFile, WorktreeError> {
        let (parent, name) = self.shared.place_of(path)?;
        match open_quietly(&parent, sys::path(name.as_bytes())) {
            Ok(file) => SourceFile::new(file, self.shared.full(path), None),
            Err(Errno::LOOP | Errno::NXIO) => Err(WorktreeError::Changed { path: self.shared.full(path) }),
            Err(errno) => Err(self.shared.fail("open", path)(errno)),
        }
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// If it is none.
    pub fn read_link(&self, path: &RelPath) -> Result<Vec<u8>, WorktreeError> {
        let (parent, name) = self.shared.place_of(path)?;
        readlinkat(&parent, &name, Vec::with_capacity(256))
            .map(CString::into_bytes)
            .map_err(self.shared.fail("read the symbolic link", path))
    }

    /// The extended attributes of an entry, sorted by name.
    ///
    /// # Errors
    /// If it is not there or they cannot be read.
    pub fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>, WorktreeError> {
        let fail = |errno| self.shared.fail("read the extended attributes of", path)(errno);
        let (parent, name) = self.shared.place_or_self(path)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(&parent, &name, flags, Mode::empty()).map_err(fail)?;
        xattr::read_place_xattrs(&place).map_err(fail)
    }

    /// The entries of a directory with their status, sorted by name; those that vanish meanwhile are left out.
    ///
    /// # Errors
    /// If it cannot be listed, or the system will not say what an entry is.
    pub fn list_dir(&self, path: &RelPath) -> Result<Vec<(Vec<u8>, Stat)>, WorktreeError> {
        let fail = |errno| self.shared.fail("list", path)(errno);
        let (parent, name) = self.shared.place_or_self(path)?;
        let dir = remove::open_dir_at(&parent, &name).map_err(fail)?;
        let (mut names, mut raw) = (Vec::new(), Vec::new());
        read_names(&dir, &mut Vec::new(), &mut names, &mut raw).map_err(fail)?;
        let mut entries = Vec::with_capacity(raw.len());
        for name in raw.iter().map(|raw| c_name(&names, raw)) {
            match sys::stat_at(&dir, name) {
                Ok(stat) => entries.push((name.to_bytes().to_vec(), stat)),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(fail(errno)),
            }
        }
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }
}

fn is_denied(source: &std::io::Error) -> bool {
    Errno::from_io_error(source)
        .is_some_and(|errno| matches!(errno, Errno::PERM | Errno::NOTSUP | Errno::INVAL))
}

impl Shared {
    /// As a path for messages.
    pub(super) fn full(&self, path: &RelPath) -> PathBuf {
        if path.is_root() { self.root.clone() } else { self.root.join(path.as_path()) }
    }

    /// Says what failed on which path.
    pub(super) fn fail(&self, action: &'static str, path: &RelPath) -> impl Fn(Errno) -> WorktreeError {
        let path = self.full(path);
        move |errno| match errno {
            Errno::ISDIR => WorktreeError::IsDirectory { path: path.clone() },
            errno => io_error(action, path.clone())(errno),
        }
    }

    /// The same error about the whole path: that of the root below itself is empty, and says nothing.
    pub(super) fn in_full(&self, error: WorktreeError, path: &RelPath) -> WorktreeError {
        match error {
            WorktreeError::Io { action, source, .. } => {
                WorktreeError::Io { action, path: self.full(path), source }
            }
            other => other,
        }
    }

    /// The directory that `path` lies in, and its name there; `None` for the root.
    fn place_of_any(&self, path: &RelPath) -> Result<Option<(Arc<OwnedFd>, CString)>, WorktreeError> {
        let Some((parent, name)) = path.split() else { return Ok(None) };
        let fail = |errno| match errno {
            Errno::LOOP | Errno::NOTDIR | Errno::XDEV => WorktreeError::NotBeneath { path: self.full(path) },
            errno => self.fail("open the directory of", path)(errno),
        };
        Ok(Some((self.dirs.get(parent).map_err(fail)?, sys::c_string(name).map_err(fail)?)))
    }

    fn place_of(&self, path: &RelPath) -> Result<(Arc<OwnedFd>, CString), WorktreeError> {
        self.place_of_any(path)?.ok_or_else(|| WorktreeError::IsRoot { path: self.root.clone() })
    }

    /// As [`place_of`](Self::place_of); the root is found in itself.
    fn place_or_self(&self, path: &RelPath) -> Result<(Arc<OwnedFd>, CString), WorktreeError> {
        match self.place_of_any(path)? {
            Some(place) => Ok(place),
            None => Ok((self.dirs.get(b"").map_err(self.fail("open", path))?, c".".to_owned())),
        }
    }

    /// Creates something at `path`, or beside it where something is there that may be replaced.
    fn put<T>(
        self: &Arc<Self>,
        path: &RelPath,
        replace: bool,
        create: impl Fn(&OwnedFd, &CString) -> rustix::io::Result<T>,
    ) -> Result<(T, Placed), WorktreeError> {
        let (parent, name) = self.place_of(path)?;
        let mut temporary = None;
        loop {
            match create(&parent, temporary.as_ref().unwrap_or(&name)) {
                Ok(made) => {
                    let shared = Arc::clone(self);
                    return Ok((
                        made,
                        Placed { shared, path: path.clone(), parent, name, temporary, settled: false },
                    ));
                }
                Err(Errno::EXIST) if replace => temporary = Some(self.temporary_name()),
                Err(Errno::EXIST) => return Err(WorktreeError::Exists { path: self.full(path) }),
                Err(errno) => return Err(self.fail("create", path)(errno)),
            }
        }
    }

    fn temporary_name(&self) -> CString {
        let count = self.temporary_count.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY_PREFIX}{:016x}", self.temporary_seed.wrapping_add(count));
        CString::new(name).expect("hexadecimal digits hold no NUL")
    }

    /// Gives metadata to what is neither file nor directory, and settles it.
    fn finish_special(
        &self,
        placed: Placed,
        file_type: FileType,
        meta: &RestoreMeta,
    ) -> Result<(), WorktreeError> {
        let fail = |errno| self.fail("open", &placed.path)(errno);
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(&placed.parent, placed.current_name(), flags, Mode::empty()).map_err(fail)?;
        let stat = sys::stat_fd(&place).map_err(fail)?;
        // Another process may have put something of its own there: that gets no owner and no mode from here.
        if stat.file_type != file_type || stat.nlink != 1 {
            return Err(WorktreeError::Changed { path: self.full(&placed.path) });
        }
        self.metadata
            .apply(Inode::place(&place, file_type), meta, placed.path.as_path())
            .map_err(|error| self.in_full(error, &placed.path))?;
        placed.settle()
    }

    /// A directory that was kept may be one that its own user cannot write in, as an earlier restore left it.
    fn make_writable(
        &self,
        parent: impl AsFd,
        name: &CString,
        stat: &Stat,
        path: &RelPath,
    ) -> Result<(), WorktreeError> {
        if stat.mode & 0o700 == 0o700 || rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let fail = |errno| self.fail("make writable", path)(errno);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = openat(parent, name, flags, Mode::empty()).map_err(fail)?;
        match Inode::place(&dir, FileType::Dir).chmod(stat.mode | 0o700) {
            // Not this user's: whether it may be written in shows when it is.
            Err(Errno::PERM) => Ok(()),
            other => other.map_err(fail),
        }
    }
}

/// Something new, in its place or beside it; unless it is settled, it is removed again when dropped.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) shared: Arc<Shared>,
    pub(super) path: RelPath,
    pub(super) parent: Arc<OwnedFd>,
    name: CString,
    temporary: Option<CString>,
    settled: bool,
}

impl Placed {
    /// Its name so far.
    pub(super) fn current_name(&self) -> &CString {
        self.temporary.as_ref().unwrap_or(&self.name)
    }

    /// Keeps it, and puts it in place of what it replaces.
    pub(super) fn settle(mut self) -> Result<(), WorktreeError> {
        if let Some(temporary) = &self.temporary {
            renameat(&self.parent, temporary, &self.parent, &self.name)
                .map_err(self.shared.fail("replace", &self.path))?;
        }
        self.settled = true;
        Ok(())
    }

    /// How to find it for hard links.
    pub(super) fn link_source(&self, stat: &Stat) -> LinkSource {
        LinkSource { path: self.path.clone(), dev: stat.dev, ino: stat.ino }
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if !self.settled {
            // On the way out of a failure that is reported; an unfinished file that cannot be removed adds nothing.
            let _ = unlinkat(&self.parent, self.current_name(), AtFlags::empty());
        }
    }
}
