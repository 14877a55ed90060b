//! The real disk.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, OFlags};
use rustix::io::Errno;

use super::vfs::{FileInfo, ReadFile, TempFile, Vfs};

/// Files are for the owner alone: a repository without encryption holds whatever the source held.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// The operating system's file system. What a signal interrupts is done again, so no operation fails with EINTR.
#[derive(Debug)]
pub struct OsVfs {
    /// Whether files without a name (O_TMPFILE) still seem to work here.
    unnamed: AtomicBool,
}

impl OsVfs {
    /// A disk that finds out by itself whether it can write files without a name.
    pub fn new() -> Self {
        let named_through = cfg!(target_os = "linux") && Path::new("/proc/self/fd").is_dir();
        Self { unnamed: AtomicBool::new(named_through) }
    }

    /// A disk that gives temporary files names, as it must on file systems without O_TMPFILE.
    pub fn with_named_temporaries() -> Self {
        Self { unnamed: AtomicBool::new(false) }
    }
}

impl Default for OsVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl Vfs for OsVfs {
    fn create_temp(&self, dir: &Path, spare: &Path) -> io::Result<Box<dyn TempFile>> {
        if self.unnamed.load(Ordering::Relaxed) {
            match open_unnamed(dir) {
                Ok(file) => return Ok(Box::new(OsTempFile { file, name: None, failed: false })),
                Err(error) if means_unsupported(&error) => self.unnamed.store(false, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        again(|| fs::metadata(dir))?; // what cannot be published is better not written
        self.create_named_temp(spare)
    }

    fn create_named_temp(&self, dir: &Path) -> io::Result<Box<dyn TempFile>> {
        let name = dir.join(random_name()?);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&name)?;
        Ok(Box::new(OsTempFile { file, name: Some(name), failed: false }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        again(|| fs::DirBuilder::new().mode(DIR_MODE).create(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match File::open(dir)?.sync_all() {
            // Some network file systems have nothing to sync in a folder, and say so in these words.
            Err(error) if is_one_of(&error, &[Errno::INVAL, Errno::OPNOTSUPP]) => Ok(()),
            other => other,
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        again_unless(|| fs::remove_file(path), |error| error.kind() == io::ErrorKind::NotFound)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        // NONBLOCK: opening a FIFO that somebody put there must not wait for a writer.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        if !again(|| file.metadata())?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Arc::new(OsReadFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        let mut files = Vec::new();
        for entry in again(|| fs::read_dir(dir))? {
            let entry = entry?;
            match again(|| fs::metadata(entry.path())) {
                Ok(meta) if meta.is_file() => {
                    files.push(FileInfo { name: entry.file_name(), len: meta.len() })
                }
                Ok(_) => {}
                // Removed meanwhile, or a link to nowhere.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    fn age(&self, path: &Path) -> io::Result<Duration> {
        let written = again(|| fs::symlink_metadata(path))?.modified()?;
        Ok(written.elapsed().unwrap_or_default())
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let is_file = |entry: &fs::DirEntry| match entry.file_type() {
            // What a link leads to only a look at it tells.
            Ok(kind) if kind.is_symlink() => fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file()),
            kind => kind.is_ok_and(|kind| kind.is_file()),
        };
        again(|| {
            let entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
            Ok(entries.into_iter().filter(is_file).map(|entry| entry.file_name()).collect())
        })
    }

    fn is_dir(&self, path: &Path) -> io::Result<bool> {
        match again(|| fs::metadata(path)) {
            Ok(meta) => Ok(meta.is_dir()),
            Err(error) if is_one_of(&error, &[Errno::NOENT, Errno::NOTDIR]) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A temporary file; without a `name` it is one that only its descriptor leads to.
#[derive(Debug)]
struct OsTempFile {
    file: File,
    name: Option<PathBuf>,
    failed: bool,
}

impl OsTempFile {
    /// Runs `step` unless an earlier one failed, and remembers if it fails.
    fn step<T>(&mut self, step: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<T> {
        if self.failed {
            return Err(io::Error::other("an earlier write or sync of this file failed"));
        }
        let result = step(self);
        self.failed = result.is_err();
        result
    }
}

impl TempFile for OsTempFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.step(|this| this.file.write_all(bytes))
    }

    fn overwrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.step(|this| {
            let end = offset.checked_add(bytes.len() as u64);
            if end.is_none_or(|end| this.file.metadata().is_ok_and(|about| about.len() < end)) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            this.file.write_all_at(bytes, offset)
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.step(|this| this.file.sync_all())
    }

    fn publish(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.step(|this| match this.name.take() {
            None => again_unless(|| link_unnamed(&this.file, to), |_| is_named(&this.file, to)),
            Some(from) => {
                let done = again_unless(|| name_new(&from, to), |_| is_named(&this.file, to));
                // Where the file was moved there is nothing left to remove; where it was linked this only tidies up.
                let _ = fs::remove_file(&from);
                done
            }
        })
    }

    fn replace(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.step(|this| {
            let from = this.name.as_deref().ok_or(io::ErrorKind::Unsupported)?;
            again_unless(|| fs::rename(from, to), |_| is_named(&this.file, to))?;
            this.name = None;
            Ok(())
        })
    }
}

impl Drop for OsTempFile {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // What cannot be removed is litter that harms nobody: no reader looks at temporary files.
            let _ = fs::remove_file(name);
        }
    }
}

#[derive(Debug)]
struct OsReadFile(File);

impl ReadFile for OsReadFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        again(|| self.0.read_at(buf, offset))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(again(|| self.0.metadata())?.len())
    }

    fn has_name(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        Ok(again(|| self.0.metadata())?.nlink() > 0)
    }
}

/// Makes a call of the system until no signal interrupts it.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The same for a call that may have done its work when it was interrupted, as on network file systems: `is_done` tells whether
/// the error of a later attempt says so.
fn again_unless(
    mut call: impl FnMut() -> io::Result<()>,
    is_done: impl Fn(&io::Error) -> bool,
) -> io::Result<()> {
    let mut was_interrupted = false;
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => was_interrupted = true,
            Err(error) if was_interrupted && is_done(&error) => return Ok(()),
            other => return other,
        }
    }
}

/// Whether the file stands under this name.
fn is_named(file: &File, name: &Path) -> bool {
    let id = |meta: fs::Metadata| (meta.dev(), meta.ino());
    let ids = again(|| file.metadata()).and_then(|open| Ok((id(open), id(again(|| fs::metadata(name))?))));
    ids.is_ok_and(|(open, named)| open == named)
}

/// Names `from` also (or, where there are no hard links, only) `to`, if that is free.
fn name_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if is_one_of(&error, &[Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS]) => {
            rename_new(from, to)
        }
        other => other,
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Err(cannot_claim()),
        other => Ok(other?),
    }
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn rename_new(_from: &Path, _to: &Path) -> io::Result<()> {
    Err(cannot_claim())
}

fn cannot_claim() -> io::Error {
    let text = "this file system can neither link files nor rename without replacing";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

#[cfg(target_os = "linux")]
fn open_unnamed(dir: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE.bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).mode(FILE_MODE).open(dir)
}

#[cfg(not(target_os = "linux"))]
fn open_unnamed(_dir: &Path) -> io::Result<File> {
    Err(Errno::OPNOTSUPP.into())
}

/// Whether opening a file without a name failed because the file system or the kernel has no such files.
fn means_unsupported(error: &io::Error) -> bool {
    is_one_of(error, &[Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL, Errno::NOSYS])
}

/// Gives a file without a name one: the kernel offers this through its descriptor's entry in /proc.
fn link_unnamed(file: &File, to: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let from = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW)?)
}

/// A name that nobody else chooses.
fn random_name() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!(".warp-{}.tmp", data_encoding::HEXLOWER.encode(&bytes)))
}

fn is_one_of(error: &io::Error, errnos: &[Errno]) -> bool {
    Errno::from_io_error(error).is_some_and(|errno| errnos.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn interrupted<T>() -> io::Result<T> {
        Err(Errno::INTR.into())
    }

    /// A call that is interrupted so many times, and then returns this.
    fn after<T>(interruptions: u32, then: impl Fn() -> io::Result<T>) -> impl FnMut() -> io::Result<T> {
        let left = Cell::new(interruptions);
        move || match left.get() {
            0 => then(),
            more => {
                left.set(more - 1);
                interrupted()
            }
        }
    }

    #[test]
    fn what_is_interrupted_is_done_again() {
        for times in [0, 1, 5] {
            assert_eq!(again(after(times, || Ok(7))).unwrap(), 7);
            again_unless(after(times, || Ok(())), |_| false).unwrap();
            let denied = again(after(times, || Err::<(), _>(Errno::ACCESS.into())));
            assert_eq!(denied.unwrap_err().raw_os_error(), Some(Errno::ACCESS.raw_os_error()));
        }
    }

    #[test]
    fn what_was_done_before_the_interruption_came_is_done() {
        let taken = || Err(Errno::EXIST.into());
        let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AlreadyExists;
        assert!(again_unless(after(1, taken), is_taken).is_ok());
        assert!(again_unless(after(1, taken), |_| false).is_err(), "somebody else's");
        assert!(again_unless(after(0, taken), is_taken).is_err(), "nothing was interrupted");
    }

    #[test]
    fn a_file_is_known_again_under_its_name_and_not_under_that_of_another() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        let file = File::create(&one).unwrap();
        fs::hard_link(&one, dir.path().join("same")).unwrap();
        File::create(&two).unwrap();
        let named = [&one, &dir.path().join("same"), &two, &dir.path().join("none")];
        assert_eq!(named.map(|name| is_named(&file, name)), [true, true, false, false]);
    }
}
