//! A store in a folder of a file system.
//!
//! ```text
//! <root>/packs/ index/ log/ config/    one file per blob
//! <root>/tmp/                          unfinished blobs, where files without a name are not to be had
//! ```

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::backend::{TEMP_FOLDER, listed_folder};
use super::vfs::{ReadFile, TempFile, Vfs, failed, read_exactly};
use super::{BlobInfo, BlobName, BlobWriter, Put, StorageBackend, StoreError};

/// The folder that makes a folder a store.
const MARK: &str = "config";
/// Folders that a store begins with, the mark first: what was interrupted is then an empty store, and not a folder of somebody's
/// that must be left alone. Others are made when a blob needs them.
const FOLDERS: [&str; 5] = [MARK, "packs", "index", "log", TEMP_FOLDER];
/// Folders whose blobs are read many times, in pieces.
const CACHED_FOLDERS: [&str; 2] = ["packs", "index"];
/// Most files kept open for reading: far below the usual limit of 1024 descriptors.
const OPEN_FILES_MAX: usize = 128;

/// Blobs as files below one folder.
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
    vfs: Arc<dyn Vfs>,
    open: Mutex<OpenFiles>,
}

impl LocalStore {
    /// Makes an empty store at `root`, durably; folders above it are made as needed.
    ///
    /// # Errors
    /// [`StoreError::AlreadyAStore`] if blobs of a configuration are there; otherwise if the system refuses. Can be called
    /// again after a crash.
    pub fn create(root: impl Into<PathBuf>, vfs: Arc<dyn Vfs>) -> Result<Self, StoreError> {
        let root = root.into();
        vfs.create_dirs(&root)?;
        for folder in FOLDERS {
            vfs.create_dirs(&root.join(folder))?;
        }
        let store = Self { root, vfs, open: Mutex::default() };
        match store.list("config/")?.is_empty() {
            true => Ok(store),
            false => Err(StoreError::AlreadyAStore { location: store.location() }),
        }
    }

    /// Opens the store at `root`. Writes nothing, so a store on a read-only disk opens as well.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if there is none; otherwise if the system refuses.
    pub fn open(root: impl Into<PathBuf>, vfs: Arc<dyn Vfs>) -> Result<Self, StoreError> {
        let root = root.into();
        let mark = root.join(MARK);
        match vfs.is_dir(&mark).map_err(failed("read", &mark))? {
            true => Ok(Self { root, vfs, open: Mutex::default() }),
            false => Err(StoreError::NotAStore { location: root.display().to_string() }),
        }
    }

    /// The folder that the store lies in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &BlobName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn folder(&self, name: &BlobName) -> PathBuf {
        name.folder().map_or_else(|| self.root.clone(), |folder| self.root.join(folder))
    }

    /// Writes and syncs a temporary file that can be named into `folder`.
    fn write_temp(&self, folder: &Path, parts: &[&[u8]]) -> io::Result<Box<dyn TempFile>> {
        let mut temp = self.vfs.create_temp(folder, &self.root.join(TEMP_FOLDER))?;
        for part in parts {
            temp.write(part)?;
        }
        temp.sync()?;
        Ok(temp)
    }

    /// Like [`write_temp`](Self::write_temp), after making the store's folders if they are missing (tools that copy
    /// repositories tend to leave out empty ones).
    fn write_temp_anywhere(
        &self,
        folder: &Path,
        path: &Path,
        parts: &[&[u8]],
    ) -> Result<Box<dyn TempFile>, StoreError> {
        match self.write_temp(folder, parts) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_here()? => {
                self.vfs.create_dirs(folder)?;
                self.vfs.create_dirs(&self.root.join(TEMP_FOLDER))?;
                self.write_temp(folder, parts).map_err(failed("write", path))
            }
            other => other.map_err(failed("write", path)),
        }
    }

    /// Whether the store is still there: a disk that was unmounted must not be written beneath its mount point.
    fn is_here(&self) -> Result<bool, StoreError> {
        let mark = self.root.join(MARK);
        self.vfs.is_dir(&mark).map_err(failed("read", &mark))
    }

    /// What a listing of a folder of the store has found; a folder that is missing counts as empty.
    fn found<T>(&self, folder: &Path, listed: io::Result<Vec<T>>) -> Result<Vec<T>, StoreError> {
        match listed {
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_here()? => Ok(Vec::new()),
            other => other.map_err(failed("list", folder)),
        }
    }

    fn not_found(&self, name: &BlobName) -> StoreError {
        StoreError::NotFound { name: name.to_string(), location: self.location() }
    }

    /// An open file and its length, from among those kept open where that is worth it.
    fn opened(&self, name: &BlobName) -> Result<OpenFile, StoreError> {
        let kept = self.open.lock().unwrap_or_else(PoisonError::into_inner).get(name);
        // Whoever holds on to a file that was deleted would say that nothing is lost.
        if let Some(file) = kept.filter(|file| file.file.has_name().unwrap_or(false)) {
            return Ok(file);
        }
        let path = self.path(name);
        let file = match self.vfs.open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
                return Err(self.not_found(name));
            }
            other => other.map_err(failed("open", &path))?,
        };
        let len = file.len().map_err(failed("read", &path))?;
        let file = OpenFile { file, len };
        if name.folder().is_some_and(|folder| CACHED_FOLDERS.contains(&folder)) {
            self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), file.clone());
        }
        Ok(file)
    }

    /// Reads a range that was checked against the file's length.
    fn read_range(
        &self,
        name: &BlobName,
        file: &OpenFile,
        offset: u64,
        len: usize,
    ) -> Result<Vec<u8>, StoreError> {
        read_exactly(file.file.as_ref(), offset, len).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.short(name, file.file.len().unwrap_or(0), offset, len),
            _ => failed("read", &self.path(name))(error),
        })
    }

    fn short(&self, name: &BlobName, len: u64, offset: u64, wanted: usize) -> StoreError {
        StoreError::Short {
            name: name.to_string(),
            location: self.location(),
            len,
            offset,
            wanted: wanted as u64,
        }
    }
}

impl StorageBackend for LocalStore {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        let (folder, path) = (self.folder(name), self.path(name));
        let temp = self.write_temp_anywhere(&folder, &path, parts)?;
        publish(self.vfs.as_ref(), temp, &path).map_err(|error| error.of(name, self.location()))
    }

    fn settle(&self, name: &BlobName) -> Result<(), StoreError> {
        let folder = self.folder(name);
        self.vfs.sync_dir(&folder).map_err(failed("sync", &folder))
    }

    fn writer(&self, name: &BlobName) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        let (folder, path) = (self.folder(name), self.path(name));
        let create = || self.vfs.create_temp(&folder, &self.root.join(TEMP_FOLDER));
        let temp = match create() {
            Err(error) if error.kind() == ErrorKind::NotFound && self.is_here()? => {
                self.vfs.create_dirs(&folder)?;
                self.vfs.create_dirs(&self.root.join(TEMP_FOLDER))?;
                create()
            }
            other => other,
        };
        let temp = temp.map_err(failed("write", &path))?;
        let (vfs, name, location) = (Arc::clone(&self.vfs), name.clone(), self.location());
        Ok(Some(Box::new(LocalWriter { vfs, temp, path, name, location })))
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        let (folder, path, spare) = (self.folder(name), self.path(name), self.root.join(TEMP_FOLDER));
        self.vfs.create_dirs(&spare)?;
        let mut temp = self.vfs.create_named_temp(&spare).map_err(failed("write in", &spare))?;
        temp.write(bytes).map_err(failed("write", &path))?;
        temp.sync().map_err(failed("sync", &path))?;
        temp.replace(&path).map_err(failed("replace", &path))?;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        self.vfs.sync_dir(&folder).map_err(failed("sync", &folder))
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        let file = self.opened(name)?;
        let too_large =
            || StoreError::TooLarge { name: name.to_string(), location: self.location(), len: file.len, max };
        let len = usize::try_from(file.len).ok().filter(|_| file.len <= max).ok_or_else(too_large)?;
        self.read_range(name, &file, 0, len)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let file = self.opened(name)?;
        match offset.checked_add(len as u64) {
            Some(end) if end <= file.len => self.read_range(name, &file, offset, len),
            _ => Err(self.short(name, file.len, offset, len)),
        }
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        let path = self.path(name);
        self.vfs.len(&path).map_err(failed("read", &path))
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        let folder = self.root.join(listed_folder(prefix)?);
        let files = self.found(&folder, self.vfs.list(&folder))?;
        let blob = |file: super::FileInfo| {
            let name = BlobName::new(&format!("{prefix}{}", file.name.to_str()?)).ok()?;
            Some(BlobInfo { name, len: file.len })
        };
        let mut blobs: Vec<_> = files.into_iter().filter_map(blob).collect();
        blobs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(blobs)
    }

    fn names(&self, prefix: &str) -> Result<Vec<BlobName>, StoreError> {
        let folder = self.root.join(listed_folder(prefix)?);
        let found = self.found(&folder, self.vfs.names(&folder))?;
        let name = |file: &std::ffi::OsString| BlobName::new(&format!("{prefix}{}", file.to_str()?)).ok();
        let mut names: Vec<_> = found.iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn clear_temporaries(&self, unused_for: Duration) -> Result<u64, StoreError> {
        let folder = self.root.join(TEMP_FOLDER);
        let files = self.found(&folder, self.vfs.list(&folder))?;
        let mut cleared = 0;
        for path in files.into_iter().map(|file| folder.join(file.name)) {
            let removed = self.vfs.age(&path).and_then(|age| match age >= unused_for {
                true => self.vfs.remove(&path).map(|()| 1),
                false => Ok(0),
            });
            match removed {
                Ok(count) => cleared += count,
                // Its writer has finished it, or another process was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed("delete", &path)(error)),
            }
        }
        Ok(cleared)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        let path = self.path(name);
        let was_there = match self.vfs.remove(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(failed("delete", &path)(error)),
        };
        let folder = self.folder(name);
        match self.vfs.sync_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound && !was_there => Ok(false),
            other => other.map(|()| was_there).map_err(failed("sync", &folder)),
        }
    }
}

/// A blob that is being written as a temporary file.
#[derive(Debug)]
struct LocalWriter {
    vfs: Arc<dyn Vfs>,
    temp: Box<dyn TempFile>,
    path: PathBuf,
    name: BlobName,
    location: String,
}

impl BlobWriter for LocalWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.temp.write(bytes).map_err(failed("write", &self.path))
    }

    fn publish(self: Box<Self>) -> Result<Put, StoreError> {
        let Self { vfs, mut temp, path, name, location } = *self;
        temp.sync().map_err(failed("write", &path))?;
        publish(vfs.as_ref(), temp, &path).map_err(|error| error.of(&name, location))
    }
}

/// Why a file did not get its name.
enum Unpublished {
    Unnamed(StoreError),
    Unsettled(io::Error),
}

impl Unpublished {
    fn of(self, name: &BlobName, location: String) -> StoreError {
        match self {
            Self::Unnamed(error) => error,
            Self::Unsettled(source) => StoreError::Unsettled { name: name.to_string(), location, source },
        }
    }
}

/// Gives a synced file its name, if that is free, and makes that durable.
fn publish(vfs: &dyn Vfs, temp: Box<dyn TempFile>, path: &Path) -> Result<Put, Unpublished> {
    let put = match temp.publish(path) {
        Ok(()) => Put::Created,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Put::Exists,
        Err(error) => return Err(Unpublished::Unnamed(failed("name", path)(error))),
    };
    // Also for `Exists`: who won the name may not have come this far yet, and the caller builds on the blob.
    let folder = path.parent().expect("a blob lies in a folder");
    vfs.sync_dir(folder).map_err(Unpublished::Unsettled)?;
    Ok(put)
}

/// A file kept open: blobs never change, so neither does its length.
#[derive(Debug, Clone)]
struct OpenFile {
    file: Arc<dyn ReadFile>,
    len: u64,
}

/// The files read last, so that reading a piece of a pack is one system call.
#[derive(Debug, Default)]
struct OpenFiles {
    files: HashMap<BlobName, (OpenFile, u64)>,
    clock: u64,
}

impl OpenFiles {
    fn get(&mut self, name: &BlobName) -> Option<OpenFile> {
        self.clock += 1;
        let (file, used) = self.files.get_mut(name)?;
        *used = self.clock;
        Some(file.clone())
    }

    fn insert(&mut self, name: BlobName, file: OpenFile) {
        if self.files.len() >= OPEN_FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, (_, used))| *used).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.files.remove(&name));
        }
        self.clock += 1;
        self.files.insert(name, (file, self.clock));
    }

    fn remove(&mut self, name: &BlobName) {
        self.files.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{OsVfs, contract};
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn name(text: &str) -> BlobName {
        BlobName::new(text).unwrap()
    }

    fn both_disks() -> [Arc<dyn Vfs>; 2] {
        [Arc::new(OsVfs::new()), Arc::new(OsVfs::with_named_temporaries())]
    }

    #[test]
    fn keeps_the_contract_with_named_and_unnamed_temporaries() {
        for vfs in both_disks() {
            let dir = tempfile::tempdir().unwrap();
            contract::run(&LocalStore::create(dir.path().join("a/b"), vfs).unwrap());
            assert_eq!(
                fs::read_dir(dir.path().join("a/b/tmp")).unwrap().count(),
                0,
                "temporaries are left over"
            );
        }
    }

    #[test]
    fn opening_finds_what_was_written_and_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let vfs: Arc<dyn Vfs> = Arc::new(OsVfs::new());
        assert!(matches!(LocalStore::open(dir.path(), vfs.clone()), Err(StoreError::NotAStore { .. })));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let store = LocalStore::create(dir.path(), vfs.clone()).unwrap();
        store.put_new(&name("config/0000000001"), &[b"one"]).unwrap();
        assert!(matches!(LocalStore::create(dir.path(), vfs.clone()), Err(StoreError::AlreadyAStore { .. })));
        let again = LocalStore::open(dir.path(), vfs).unwrap();
        assert_eq!(again.get(&name("config/0000000001"), 3).unwrap(), b"one");
    }

    #[test]
    fn a_file_that_others_have_deleted_or_replaced_is_not_read_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::create(dir.path(), Arc::new(OsVfs::new())).unwrap();
        let pack = name("packs/0f.warp");
        store.put_new(&pack, &[b"old"]).unwrap();
        assert_eq!(store.read_at(&pack, 0, 3).unwrap(), b"old");
        fs::remove_file(dir.path().join("packs/0f.warp")).unwrap();
        assert!(store.read_at(&pack, 0, 3).unwrap_err().is_not_found());
        fs::write(dir.path().join("packs/0f.warp"), b"new").unwrap();
        assert_eq!(store.read_at(&pack, 0, 3).unwrap(), b"new");
        fs::write(dir.path().join("other"), b"put in its place").unwrap();
        fs::rename(dir.path().join("other"), dir.path().join("packs/0f.warp")).unwrap();
        assert_eq!(store.read_at(&pack, 0, 16).unwrap(), b"put in its place");
    }

    #[test]
    fn blobs_and_folders_are_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        for (at, vfs) in both_disks().into_iter().enumerate() {
            let root = dir.path().join(at.to_string());
            let store = LocalStore::create(&root, vfs).unwrap();
            store.put_new(&name("log/1"), &[b"x"]).unwrap();
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
            assert_eq!((mode(&root.join("log")), mode(&root.join("log/1"))), (0, 0));
        }
    }

    #[test]
    fn missing_empty_folders_are_made_again_but_not_in_a_store_that_went_away() {
        for vfs in both_disks() {
            let dir = tempfile::tempdir().unwrap();
            let root = dir.path().join("r");
            let store = LocalStore::create(&root, vfs).unwrap();
            for folder in ["packs", "tmp"] {
                fs::remove_dir(root.join(folder)).unwrap();
            }
            assert_eq!(store.list("packs/").unwrap(), []);
            assert!(!store.delete(&name("packs/a")).unwrap());
            assert_eq!(store.put_new(&name("packs/a"), &[b"x"]).unwrap(), Put::Created);
            fs::remove_dir_all(&root).unwrap();
            assert!(store.put_new(&name("log/1"), &[b"x"]).is_err());
            assert!(store.list("log/").is_err());
            assert!(!root.exists());
        }
    }

    #[test]
    fn what_is_not_a_blob_is_not_listed_and_cannot_hang_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::create(dir.path(), Arc::new(OsVfs::new())).unwrap();
        let log = dir.path().join("log");
        fs::create_dir(log.join("folder")).unwrap();
        fs::write(log.join("UPPER"), b"").unwrap();
        fs::write(log.join(".hidden"), b"").unwrap();
        std::os::unix::fs::symlink("/nowhere", log.join("dangling")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, log.join("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .unwrap();
        assert_eq!(store.list("log/").unwrap(), []);
        assert_eq!(store.names("log/").unwrap(), []);
        for odd in ["log/folder", "log/fifo"] {
            assert!(matches!(store.get(&name(odd), 9), Err(StoreError::Io { .. })), "{odd}");
        }
    }

    #[test]
    fn a_blob_cut_short_behind_an_open_file_is_reported_short() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::create(dir.path(), Arc::new(OsVfs::new())).unwrap();
        store.put_new(&name("packs/a"), &[&[7; 100]]).unwrap();
        assert_eq!(store.read_at(&name("packs/a"), 90, 10).unwrap(), [7; 10]);
        File::options().write(true).open(dir.path().join("packs/a")).unwrap().set_len(95).unwrap();
        let error = store.read_at(&name("packs/a"), 90, 10).unwrap_err();
        assert!(matches!(error, StoreError::Short { len: 95, offset: 90, wanted: 10, .. }), "{error:?}");
    }

    #[test]
    fn more_blobs_than_descriptors_can_be_read_in_turn() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::create(dir.path(), Arc::new(OsVfs::new())).unwrap();
        let names: Vec<_> = (0..OPEN_FILES_MAX + 5).map(|at| name(&format!("packs/{at}"))).collect();
        for blob in &names {
            fs::write(dir.path().join(blob.as_str()), blob.as_str()).unwrap();
        }
        for blob in names.iter().chain(&names) {
            assert_eq!(store.read_at(blob, 0, 6).unwrap(), blob.as_str().as_bytes()[..6]);
        }
        assert_eq!(store.open.lock().unwrap().files.len(), OPEN_FILES_MAX);
    }

    use std::fs::File;
}
