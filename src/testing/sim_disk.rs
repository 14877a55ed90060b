//! A disk in memory that knows what a power cut would leave.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use super::Rng;
use crate::store::{FileInfo, ReadFile, TempFile, Vfs};

/// The unit in which a disk writes whole or not at all.
const SECTOR_LEN: usize = 512;

/// What a power cut leaves of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// A random part of the names and sectors; a sector that was lost reads as zeros or not at all.
    Some(u64),
    /// Everything up to a random moment, nothing of later; of the write of that moment a part that ends anywhere, also within a
    /// sector, the rest of which is zeros or missing.
    Torn(u64),
    /// Nothing from before a random moment, everything of later: the disk wrote the last first.
    Reordered(u64),
}

/// A file system in memory, as unkind as POSIX allows: bytes last only after a sync of their file, names only after a
/// sync of their folder, and what was not synced survives a power cut in any part.
#[derive(Debug, Clone)]
pub struct SimDisk {
    disk: Arc<Mutex<Disk>>,
    named: bool,
}

impl SimDisk {
    /// A disk with an empty folder `/`, whose temporary files have no names.
    pub fn new() -> Self {
        let disk = Disk { folders: BTreeMap::from([("/".into(), Folder::default())]), ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(disk)), named: false }
    }

    /// A disk whose temporary files have names, which a crash leaves behind.
    pub fn with_named_temporaries() -> Self {
        Self { named: true, ..Self::new() }
    }

    /// Cuts the power and starts again: the disk as it then is. This one fails from now on.
    ///
    /// Everything synced is there. Of the rest, seed 0 keeps nothing and seed 1 everything; other seeds keep a random part
    /// of the names and sectors.
    pub fn power_cut(&self, seed: u64) -> Self {
        self.cut(match seed {
            0 => Cut::Nothing,
            1 => Cut::Everything,
            seed => Cut::Some(seed),
        })
    }

    /// Cuts the power and starts again: the disk as it then is. This one fails from now on.
    pub fn cut(&self, cut: Cut) -> Self {
        let mut disk = self.disk();
        disk.off = true;
        let mut luck = Luck::new(cut, &disk);
        Self { disk: Arc::new(Mutex::new(disk.rebooted(&mut luck))), named: self.named }
    }

    /// Lets time pass: whatever was written is older by that.
    pub fn let_pass(&self, time: Duration) {
        self.disk().clock += time;
    }

    /// Every file's path, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        let disk = self.disk();
        let names = disk.folders.iter().flat_map(|(dir, folder)| {
            let files = folder.now.iter().filter(|(_, node)| matches!(node, Node::File(_)));
            files.map(move |(name, _)| dir.join(name))
        });
        names.collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk, if its power is on.
    fn running(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let disk = self.disk();
        if disk.off { Err(Errno::IO.into()) } else { Ok(disk) }
    }

    fn temp(&self, id: FileId, name: Option<PathBuf>) -> Box<dyn TempFile> {
        Box::new(SimTemp { disk: self.clone(), id, name })
    }
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

/// Number of a file on its disk.
type FileId = usize;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(FileId),
    Folder,
}

/// A file's bytes. They are only ever appended, so the synced ones are the first.
#[derive(Debug, Default, Clone)]
struct SimFile {
    bytes: Vec<u8>,
    synced: usize,
    /// Writes since the last sync, in order.
    pending: Vec<Extent>,
    /// When it was last written.
    written: Duration,
}

/// A write: when it was, and the first byte after it.
#[derive(Debug, Clone, Copy)]
struct Extent {
    time: u64,
    end: usize,
}

#[derive(Debug, Default)]
struct Folder {
    now: BTreeMap<OsString, Node>,
    durable: BTreeMap<OsString, Node>,
    /// Changes since the last sync, in order: when, a name, and what it leads to.
    pending: Vec<(u64, OsString, Option<Node>)>,
}

impl Folder {
    fn set(&mut self, time: u64, name: OsString, node: Option<Node>) {
        match node {
            Some(node) => self.now.insert(name.clone(), node),
            None => self.now.remove(&name),
        };
        self.pending.push((time, name, node));
    }

    /// The names that a power cut leaves.
    fn survivors(&self, luck: &mut Luck) -> BTreeMap<OsString, Node> {
        let mut names = self.durable.clone();
        for (_, name, node) in self.pending.iter().filter(|(time, _, _)| luck.keeps_name(*time)) {
            match node {
                Some(node) => names.insert(name.clone(), *node),
                None => names.remove(name),
            };
        }
        names
    }
}

#[derive(Debug, Default)]
struct Disk {
    files: Vec<SimFile>,
    folders: BTreeMap<PathBuf, Folder>,
    temps: u64,
    off: bool,
    /// How many changes there were.
    time: u64,
    /// The time of day, as it were.
    clock: Duration,
}

impl Disk {
    /// The moment of the next change.
    fn tick(&mut self) -> u64 {
        self.time += 1;
        self.time
    }

    fn write(&mut self, id: FileId, bytes: &[u8]) {
        let (time, clock) = (self.tick(), self.clock);
        let file = &mut self.files[id];
        file.written = clock;
        file.bytes.extend_from_slice(bytes);
        file.pending.push(Extent { time, end: file.bytes.len() });
    }

    fn sync(&mut self, id: FileId) {
        let file = &mut self.files[id];
        file.synced = file.bytes.len();
        file.pending.clear();
    }

    /// The moments of all changes that were not synced.
    fn pending(&self) -> Vec<u64> {
        let names = self.folders.values().flat_map(|folder| folder.pending.iter().map(|(time, _, _)| *time));
        let writes = self.files.iter().flat_map(|file| file.pending.iter().map(|extent| extent.time));
        let mut moments: Vec<u64> = names.chain(writes).collect();
        moments.sort_unstable();
        moments
    }

    fn folder(&mut self, dir: &Path) -> io::Result<&mut Folder> {
        self.folders.get_mut(dir).ok_or_else(|| Errno::NOENT.into())
    }

    /// The folder that holds `path`, and the name in it.
    fn place(&mut self, path: &Path) -> io::Result<(&mut Folder, OsString)> {
        let (dir, name) = path.parent().zip(path.file_name()).ok_or(Errno::INVAL)?;
        Ok((self.folder(dir)?, name.to_owned()))
    }

    fn node(&mut self, path: &Path) -> io::Result<Node> {
        let (folder, name) = self.place(path)?;
        folder.now.get(&name).copied().ok_or_else(|| Errno::NOENT.into())
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<()> {
        let time = self.tick();
        let (folder, name) = self.place(path)?;
        if folder.now.contains_key(&name) {
            return Err(Errno::EXIST.into());
        }
        folder.set(time, name, Some(node));
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let Node::File(_) = self.node(path)? else { return Err(Errno::ISDIR.into()) };
        let time = self.tick();
        let (folder, name) = self.place(path)?;
        folder.set(time, name, None);
        Ok(())
    }

    fn new_file(&mut self) -> FileId {
        self.files.push(SimFile { written: self.clock, ..SimFile::default() });
        self.files.len() - 1
    }

    /// The disk after a power cut: what can still be reached from `/`.
    fn rebooted(&self, luck: &mut Luck) -> Self {
        let files = self.files.iter().map(|file| luck.survivor(file)).collect();
        let mut folders = BTreeMap::new();
        let mut found = vec![PathBuf::from("/")];
        while let Some(path) = found.pop() {
            let names = self.folders.get(&path).map(|folder| folder.survivors(luck)).unwrap_or_default();
            let inner = names.iter().filter(|(_, node)| **node == Node::Folder);
            found.extend(inner.map(|(name, _)| path.join(name)));
            folders.insert(path, Folder { durable: names.clone(), now: names, pending: Vec::new() });
        }
        Self { files, folders, temps: self.temps, off: false, time: self.time, clock: self.clock }
    }
}

/// What a power cut spares.
struct Luck {
    cut: Cut,
    rng: Rng,
    /// Of [`Cut::Some`]: kept so many times in four.
    quarters: usize,
    /// Of [`Cut::Torn`] and [`Cut::Reordered`]: when.
    moment: u64,
}

impl Luck {
    fn new(cut: Cut, disk: &Disk) -> Self {
        let seed = match cut {
            Cut::Nothing | Cut::Everything => 0,
            Cut::Some(seed) | Cut::Torn(seed) | Cut::Reordered(seed) => seed,
        };
        let mut rng = Rng::new(seed);
        let (quarters, moments) = (1 + rng.below(3), disk.pending());
        let moment = if moments.is_empty() { 0 } else { *rng.pick(&moments) };
        Self { cut, rng, quarters, moment }
    }

    fn is_spared(&mut self) -> bool {
        self.rng.below(4) < self.quarters
    }

    fn keeps_name(&mut self, time: u64) -> bool {
        match self.cut {
            Cut::Nothing => false,
            Cut::Everything => true,
            Cut::Some(_) => self.is_spared(),
            Cut::Torn(_) => time < self.moment,
            Cut::Reordered(_) => time >= self.moment,
        }
    }

    /// The synced bytes and what is spared of the others.
    fn survivor(&mut self, file: &SimFile) -> SimFile {
        let bytes = match self.cut {
            Cut::Nothing => file.bytes[..file.synced].to_vec(),
            Cut::Everything => file.bytes.clone(),
            Cut::Some(_) => self.some_sectors(file),
            Cut::Torn(_) => self.torn(file),
            Cut::Reordered(_) => self.later(file),
        };
        SimFile { synced: bytes.len(), bytes, pending: Vec::new(), written: file.written }
    }

    /// A sector that was lost reads as zeros or not at all.
    fn some_sectors(&mut self, file: &SimFile) -> Vec<u8> {
        let mut bytes = file.bytes[..file.synced].to_vec();
        let mut start = file.synced;
        while start < file.bytes.len() {
            let end = file.bytes.len().min((start / SECTOR_LEN + 1) * SECTOR_LEN);
            if self.is_spared() {
                bytes.resize(start, 0);
                bytes.extend_from_slice(&file.bytes[start..end]);
            }
            start = end;
        }
        bytes
    }

    fn torn(&mut self, file: &SimFile) -> Vec<u8> {
        let before = file.pending.iter().rfind(|extent| extent.time < self.moment);
        let whole = before.map_or(file.synced, |extent| extent.end);
        let mut bytes = file.bytes[..whole].to_vec();
        if let Some(torn) = file.pending.iter().find(|extent| extent.time == self.moment) {
            bytes.extend_from_slice(&file.bytes[whole..whole + self.rng.below(torn.end - whole + 1)]);
            if self.rng.one_in(2) {
                bytes.resize(torn.end, 0);
            }
        }
        bytes
    }

    fn later(&mut self, file: &SimFile) -> Vec<u8> {
        let lost = file.pending.iter().rfind(|extent| extent.time < self.moment);
        let mut bytes = file.bytes[..file.synced].to_vec();
        let kept = lost.map_or(file.synced, |extent| extent.end);
        if kept < file.bytes.len() {
            bytes.resize(kept, 0);
            bytes.extend_from_slice(&file.bytes[kept..]);
        }
        bytes
    }
}

impl Vfs for SimDisk {
    fn create_temp(&self, dir: &Path, spare: &Path) -> io::Result<Box<dyn TempFile>> {
        self.running()?.folder(dir)?;
        if self.named {
            return self.create_named_temp(spare);
        }
        let id = self.running()?.new_file();
        Ok(self.temp(id, None))
    }

    fn create_named_temp(&self, dir: &Path) -> io::Result<Box<dyn TempFile>> {
        let mut disk = self.running()?;
        let id = disk.new_file();
        disk.temps += 1;
        let name = dir.join(format!(".temp-{}", disk.temps));
        disk.add(&name, Node::File(id))?;
        Ok(self.temp(id, Some(name)))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.running()?;
        disk.add(path, Node::Folder)?;
        disk.folders.insert(path.to_owned(), Folder::default());
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut disk = self.running()?;
        let folder = disk.folder(dir)?;
        folder.durable = folder.now.clone();
        folder.pending.clear();
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.running()?.remove(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        match self.running()?.node(path)? {
            Node::File(id) => Ok(Arc::new(SimReadFile { disk: self.clone(), id })),
            Node::Folder => Err(ErrorKind::InvalidInput.into()),
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        let disk = self.running()?;
        let folder = disk.folders.get(dir).ok_or(Errno::NOENT)?;
        let file = |(name, node): (&OsString, &Node)| match node {
            Node::File(id) => Some(FileInfo { name: name.clone(), len: disk.files[*id].bytes.len() as u64 }),
            Node::Folder => None,
        };
        Ok(folder.now.iter().filter_map(file).collect())
    }

    fn age(&self, path: &Path) -> io::Result<Duration> {
        let mut disk = self.running()?;
        match disk.node(path)? {
            Node::File(id) => Ok(disk.clock - disk.files[id].written),
            Node::Folder => Err(ErrorKind::InvalidInput.into()),
        }
    }

    fn is_dir(&self, path: &Path) -> io::Result<bool> {
        Ok(self.running()?.folders.contains_key(path))
    }
}

#[derive(Debug)]
struct SimTemp {
    disk: SimDisk,
    id: FileId,
    name: Option<PathBuf>,
}

impl TempFile for SimTemp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.disk.running()?.write(self.id, bytes);
        Ok(())
    }

    fn overwrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.running()?;
        let file = &mut disk.files[self.id];
        let start = usize::try_from(offset).map_err(|_| ErrorKind::InvalidInput)?;
        let end = start.checked_add(bytes.len()).ok_or(ErrorKind::InvalidInput)?;
        file.bytes.get_mut(start..end).ok_or(ErrorKind::InvalidInput)?.copy_from_slice(bytes);
        // What is behind them may be lost with them: stricter than a disk is.
        file.synced = file.synced.min(start);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.disk.running()?.sync(self.id);
        Ok(())
    }

    fn publish(self: Box<Self>, to: &Path) -> io::Result<()> {
        // Dropping the temporary file removes its own name.
        self.disk.running()?.add(to, Node::File(self.id))
    }

    fn replace(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        let mut disk = self.disk.running()?;
        let from = self.name.clone().ok_or(ErrorKind::Unsupported)?;
        let time = disk.tick();
        let (folder, name) = disk.place(to)?;
        folder.set(time, name, Some(Node::File(self.id)));
        disk.remove(&from)?;
        drop(disk);
        self.name = None;
        Ok(())
    }
}

impl Drop for SimTemp {
    fn drop(&mut self) {
        if let (Some(name), Ok(mut disk)) = (&self.name, self.disk.running()) {
            // Nobody else removes it.
            let _ = disk.remove(name);
        }
    }
}

#[derive(Debug)]
struct SimReadFile {
    disk: SimDisk,
    id: FileId,
}

impl ReadFile for SimReadFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let disk = self.disk.running()?;
        let bytes = &disk.files[self.id].bytes;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buf.len().min(bytes.len() - start);
        buf[..count].copy_from_slice(&bytes[start..start + count]);
        Ok(count)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.running()?.files[self.id].bytes.len() as u64)
    }
}
