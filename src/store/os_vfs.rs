//! The real disk.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, OFlags};
use rustix::io::Errno;

use super::vfs::{FileInfo, ReadFile, TempFile, Vfs};

/// Files are for the owner alone: a repository without encryption holds whatever the source held.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// The operating system's file system.
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
        fs::metadata(dir)?; // what cannot be published is better not written
        self.create_named_temp(spare)
    }

    fn create_named_temp(&self, dir: &Path) -> io::Result<Box<dyn TempFile>> {
        let name = dir.join(random_name()?);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&name)?;
        Ok(Box::new(OsTempFile { file, name: Some(name), failed: false }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(DIR_MODE).create(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match File::open(dir)?.sync_all() {
            // Some network file systems have nothing to sync in a folder, and say so in these words.
            Err(error) if is_one_of(&error, &[Errno::INVAL, Errno::OPNOTSUPP]) => Ok(()),
            other => other,
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        // NONBLOCK: opening a FIFO that somebody put there must not wait for a writer.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Arc::new(OsReadFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            match fs::metadata(entry.path()) {
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

    fn is_dir(&self, path: &Path) -> io::Result<bool> {
        match fs::metadata(path) {
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
            None => link_unnamed(&this.file, to),
            Some(from) => {
                let done = name_new(&from, to);
                // Where the file was moved there is nothing left to remove; where it was linked this only tidies up.
                let _ = fs::remove_file(&from);
                done
            }
        })
    }

    fn replace(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.step(|this| {
            let from = this.name.as_deref().ok_or(io::ErrorKind::Unsupported)?;
            fs::rename(from, to)?;
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
        self.0.read_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
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
