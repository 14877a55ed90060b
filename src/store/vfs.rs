//! The disk as a repository needs it: the one door for everything that it writes.
//!
//! Durability takes four steps, and the trait has one operation for each, so that a test can fail or stop at every
//! one: write a temporary file, sync it, give it its name, sync the folder. Errors are plain [`io::Error`]s; callers
//! add the path.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use super::StoreError;

/// A regular file in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileInfo {
    /// Its name within the folder.
    pub name: OsString,
    /// Its length in bytes.
    pub len: u64,
}

/// A file that is being written and has no final name yet. Dropping it discards it.
pub trait TempFile: Send + fmt::Debug {
    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// Some of the bytes may then have been written: the file is of no further use.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes `bytes` over some that were written before, from byte `offset` on.
    ///
    /// # Errors
    /// As [`write`](Self::write); [`io::ErrorKind::InvalidInput`] if they would go beyond the end.
    fn overwrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes the bytes durable.
    ///
    /// # Errors
    /// Final: the system may have forgotten which bytes were lost, so a second sync that succeeds would prove nothing.
    /// Every later operation on this file fails; whoever wants the bytes writes a new one.
    fn sync(&mut self) -> io::Result<()>;

    /// Gives the file the name `to`, which must be free, in one step. The name lasts once its folder is synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if the name is taken; [`io::ErrorKind::Unsupported`] if the file system cannot
    /// do this in one step.
    fn publish(self: Box<Self>, to: &Path) -> io::Result<()>;

    /// Gives the file the name `to` in one step, in place of what stands there. Only for files of
    /// [`Vfs::create_named_temp`].
    ///
    /// # Errors
    /// If the system refuses; the old file then still stands there.
    fn replace(self: Box<Self>, to: &Path) -> io::Result<()>;
}

/// A file that is open for reading.
#[expect(clippy::len_without_is_empty, reason = "the length of a file, not of a collection")]
pub trait ReadFile: Send + Sync + fmt::Debug {
    /// Reads into `buf` from byte `offset` on; returns how many bytes, 0 only at the end or for an empty `buf`.
    ///
    /// # Errors
    /// If the system refuses.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Its length in bytes.
    ///
    /// # Errors
    /// If the system refuses.
    fn len(&self) -> io::Result<u64>;

    /// Whether it still has a name, as far as the system can tell: one that was deleted can be read on while it is open.
    ///
    /// # Errors
    /// If the system refuses.
    fn has_name(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// A disk.
///
/// What a signal interrupts the disk does again by itself. Where one does not, an interrupted read is done again and every other
/// interrupted operation is reported as failed, and never taken for done.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// A temporary file that will be published into the folder `dir`. Without a name where the system can do that (then
    /// a crash leaves nothing behind), otherwise under a random one in `spare`, on the same file system.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if a folder is missing; otherwise if the system refuses.
    fn create_temp(&self, dir: &Path, spare: &Path) -> io::Result<Box<dyn TempFile>>;

    /// A temporary file under a random name in `dir`: the kind that can [`replace`](TempFile::replace) another.
    ///
    /// # Errors
    /// As [`create_temp`](Self::create_temp).
    fn create_named_temp(&self, dir: &Path) -> io::Result<Box<dyn TempFile>>;

    /// Makes one folder, for the owner alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if something stands there; [`io::ErrorKind::NotFound`] without its parent.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in `dir` durable.
    ///
    /// # Errors
    /// The names made or removed since the last sync may or may not last.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Removes a file's name.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Opens a regular file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; [`io::ErrorKind::InvalidInput`] if it is no regular file.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>>;

    /// The regular files of a folder, in no order.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; otherwise if the system refuses.
    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>>;

    /// How long ago a file was written, by the clock of this machine; nothing, if that is to come.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`]; otherwise if the system cannot tell.
    fn age(&self, path: &Path) -> io::Result<Duration>;

    /// The names of the regular files of a folder, in no order. Cheaper than [`list`](Self::list) where there are many.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn names(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.list(dir)?.into_iter().map(|file| file.name).collect())
    }

    /// Whether a folder stands at `path`.
    ///
    /// # Errors
    /// If the system cannot tell.
    fn is_dir(&self, path: &Path) -> io::Result<bool>;

    /// A regular file's length in bytes; `None` if there is none.
    ///
    /// # Errors
    /// If the system cannot tell.
    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        match self.open(path) {
            Ok(file) => file.len().map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All bytes of a file of at most `max` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`] if it is longer; [`io::ErrorKind::NotFound`].
    fn read(&self, path: &Path, max: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let len = file.len()?;
        let wanted = usize::try_from(len).ok().filter(|_| len <= max).ok_or(io::ErrorKind::FileTooLarge)?;
        read_exactly(file.as_ref(), 0, wanted)
    }

    /// Makes `path` and the folders above it that are missing, durably. What stands there already is left alone.
    ///
    /// # Errors
    /// If the system refuses.
    fn create_dirs(&self, path: &Path) -> Result<(), StoreError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        match self.create_dir(path) {
            Ok(()) => self.sync_dir(parent.unwrap_or(Path::new("."))).map_err(failed("sync", path)),
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && self.is_dir(path).unwrap_or(false) =>
            {
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && parent.is_some() => {
                self.create_dirs(parent.expect("guarded"))?;
                self.create_dirs(path)
            }
            Err(error) => Err(failed("make the folder", path)(error)),
        }
    }

    /// Puts a small file with these bytes at `path`, durably and in one step: after a crash the old or the new one is
    /// there, whole. For local files that change, such as HEAD; blobs never change.
    ///
    /// # Errors
    /// The old file stands, or (after a failed sync of the folder) either.
    fn write_replace(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut temp = self.create_named_temp(dir).map_err(failed("write in", dir))?;
        temp.write(bytes).map_err(failed("write", path))?;
        temp.sync().map_err(failed("sync", path))?;
        temp.replace(path).map_err(failed("replace", path))?;
        self.sync_dir(dir).map_err(failed("sync", dir))
    }
}

/// Turns what the system said into an error that says what was tried on which path.
pub(super) fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> StoreError + 'a {
    move |source| StoreError::Io { action, path: path.display().to_string(), source }
}

/// Exactly `len` bytes from `offset` on, which the caller knows to be there.
///
/// # Errors
/// [`io::ErrorKind::UnexpectedEof`] if the file ends earlier.
pub(super) fn read_exactly(file: &dyn ReadFile, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}
