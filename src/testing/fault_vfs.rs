//! A disk that fails, or a process that dies, at a chosen operation.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use crate::store::{FileInfo, ReadFile, TempFile, Vfs};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process dies: this operation and all later ones do nothing and fail. Temporary files stay behind.
    Kill,
    /// As [`Kill`](Self::Kill), but if the operation is a write, half of its bytes are written first.
    Torn,
    /// This operation does nothing and fails with EIO; later ones work.
    Eio,
    /// The first write from this operation on writes half of its bytes and fails with EIO; later ones work.
    Short,
    /// From here on nothing that needs room works (ENOSPC), until [`FaultVfs::make_room`].
    Full,
    /// The first sync of a file from this operation on fails with EIO. As on Linux, later syncs of that file succeed and
    /// prove nothing: its bytes are never synced.
    SyncFails,
    /// From here on nothing that writes works (EROFS), as after the system found an error and went on without writing,
    /// until [`FaultVfs::make_room`].
    ReadOnly,
    /// The first operation from this one on that takes a descriptor does nothing and fails with EMFILE; later ones work.
    NoDescriptors,
    /// This operation does nothing and fails with EINTR; later ones work.
    Interrupted,
}

/// What a test does in the middle of an operation.
type Beside = Box<dyn FnOnce() + Send>;

/// Passes operations on to another disk, counts them, and lets one of them go wrong.
#[derive(Debug)]
pub struct FaultVfs {
    inner: Arc<dyn Vfs>,
    faults: Arc<Faults>,
}

impl FaultVfs {
    /// Lets the read number `at` of a file, counted from 0, fail with EIO; everything else works.
    pub fn failing_read(inner: Arc<dyn Vfs>, at: u64) -> Arc<Self> {
        Self::with(inner, State { failing_read: Some(at), ..State::default() })
    }

    /// Counts and never fails: a dry run tells how many operations there are to fail.
    pub fn counting(inner: Arc<dyn Vfs>) -> Arc<Self> {
        Self::with(inner, State::default())
    }

    /// Lets `fault` happen at number `at`, counted from 0, of the operations that write.
    pub fn new(inner: Arc<dyn Vfs>, fault: Fault, at: u64) -> Arc<Self> {
        Self::with(inner, State { armed: Some((fault, at)), ..State::default() })
    }

    /// Lets `fault` happen at number `at`, counted from 0, of the operations that only look: opening, reading and listing.
    pub fn looking(inner: Arc<dyn Vfs>, fault: Fault, at: u64) -> Arc<Self> {
        Self::with(inner, State { armed_look: Some((fault, at)), ..State::default() })
    }

    /// Lets `act` happen just before number `at` of the operations that write, and `fault`, if any, where it says.
    pub fn beside(
        inner: Arc<dyn Vfs>,
        at: u64,
        act: impl FnOnce() + Send + 'static,
        fault: Option<(Fault, u64)>,
    ) -> Arc<Self> {
        Self::with(inner, State { beside: Some((at, Box::new(act))), armed: fault, ..State::default() })
    }

    fn with(inner: Arc<dyn Vfs>, state: State) -> Arc<Self> {
        let state = Mutex::new(state);
        Arc::new(Self { inner, faults: Arc::new(Faults { state, dead: AtomicBool::new(false) }) })
    }

    /// How many operations that write were asked for.
    pub fn operations(&self) -> u64 {
        self.faults.state().next
    }

    /// How many operations that only look were asked for.
    pub fn looks(&self) -> u64 {
        self.faults.state().looks
    }

    /// How many reads of files were asked for.
    pub fn reads(&self) -> u64 {
        self.faults.state().reads
    }

    /// Whether the fault has happened.
    pub fn fired(&self) -> bool {
        let state = self.faults.state();
        state.armed.is_none() && state.armed_look.is_none() && state.failing_read.is_none()
    }

    /// Where operations failed: the files or folders, or for a file without a name the folder that it was meant for. A disk that is
    /// full or read-only fails at many.
    pub fn fired_on(&self) -> Vec<PathBuf> {
        self.faults.state().fired_on.clone()
    }

    /// Ends a [`Fault::Full`] or [`Fault::ReadOnly`].
    pub fn make_room(&self) {
        self.faults.state().refuses = None;
    }

    fn temp(&self, inner: Box<dyn TempFile>, dir: &Path) -> Box<dyn TempFile> {
        let faults = self.faults.clone();
        Box::new(FaultTemp { inner: Some(inner), faults, dir: dir.to_owned(), lost: false })
    }
}

#[derive(Debug)]
struct Faults {
    state: Mutex<State>,
    dead: AtomicBool,
}

#[derive(Default)]
struct State {
    next: u64,
    looks: u64,
    reads: u64,
    failing_read: Option<u64>,
    /// The fault that has yet to happen, among what writes.
    armed: Option<(Fault, u64)>,
    /// The same among what only looks.
    armed_look: Option<(Fault, u64)>,
    fired_on: Vec<PathBuf>,
    /// The error with which every write is refused, until [`FaultVfs::make_room`].
    refuses: Option<Errno>,
    beside: Option<(u64, Beside)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("next", &self.next).field("looks", &self.looks).finish_non_exhaustive()
    }
}

/// The operations, as far as faults tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Write,
    Sync,
    /// Makes a file without a name that lasts.
    Create,
    /// Makes a folder, or gives a file its name.
    Name,
    SyncDir,
    Remove,
    /// Makes a folder that is there: that is what the system says, also where nothing can be written.
    MakeAgain,
}

impl Operation {
    /// Whether the disk has to have room for it.
    fn takes_room(self) -> bool {
        matches!(self, Self::Write | Self::Create | Self::Name)
    }
}

/// What becomes of an operation.
enum Verdict {
    Done,
    /// Half of a write, then this.
    Half(Errno),
    Failed(Errno),
}

impl State {
    /// What becomes of the operation `number`, and whether the process dies of it.
    fn judge(&mut self, operation: Operation, number: u64) -> (Verdict, bool) {
        let due = self.armed.filter(|(fault, at)| number >= *at && fault.concerns(operation));
        let Some((fault, _)) = due else { return (self.refuse(operation), false) };
        self.armed = None;
        let is_half = matches!(fault, Fault::Torn | Fault::Short) && operation == Operation::Write;
        let verdict = match fault {
            Fault::Full | Fault::ReadOnly => {
                self.refuses = Some(fault.errno());
                self.refuse(operation)
            }
            _ if is_half => Verdict::Half(fault.errno()),
            _ => Verdict::Failed(fault.errno()),
        };
        (verdict, matches!(fault, Fault::Kill | Fault::Torn))
    }

    /// What a disk that is full or read-only says, if it is.
    fn refuse(&self, operation: Operation) -> Verdict {
        match (self.refuses, operation) {
            (None, _) | (_, Operation::SyncDir | Operation::MakeAgain) => Verdict::Done,
            (Some(Errno::NOSPC), Operation::Write) => Verdict::Half(Errno::NOSPC),
            (Some(Errno::NOSPC), operation) if !operation.takes_room() => Verdict::Done,
            (Some(errno), _) => Verdict::Failed(errno),
        }
    }
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Counts an operation and says what becomes of it.
    fn judge(&self, operation: Operation, path: &Path) -> Verdict {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        if let Some((_, act)) = state.beside.take_if(|(at, _)| *at == number) {
            drop(state);
            act();
            state = self.state();
        }
        if self.is_dead() {
            return Verdict::Failed(Errno::IO);
        }
        let (verdict, dies) = state.judge(operation, number);
        if !matches!(verdict, Verdict::Done) {
            state.fired_on.push(path.to_owned());
        }
        self.dead.store(dies, Ordering::SeqCst);
        verdict
    }

    /// For operations that cannot be done by halves.
    fn pass(&self, operation: Operation, path: &Path) -> io::Result<()> {
        match self.judge(operation, path) {
            Verdict::Done => Ok(()),
            Verdict::Half(errno) | Verdict::Failed(errno) => Err(errno.into()),
        }
    }

    /// Counts an operation that only looks.
    fn look(&self, path: &Path) -> io::Result<()> {
        if self.is_dead() {
            // The dead do not look at anything.
            return Err(Errno::IO.into());
        }
        let mut state = self.state();
        let number = state.looks;
        state.looks += 1;
        let Some((fault, _)) = state.armed_look.take_if(|(_, at)| *at == number) else { return Ok(()) };
        state.fired_on.push(path.to_owned());
        self.dead.store(matches!(fault, Fault::Kill | Fault::Torn), Ordering::SeqCst);
        Err(fault.errno().into())
    }

    /// Counts a read of a file.
    fn pass_read(&self, path: &Path) -> io::Result<()> {
        self.look(path)?;
        let mut state = self.state();
        let number = state.reads;
        state.reads += 1;
        if state.failing_read.take_if(|at| *at == number).is_some() {
            state.fired_on.push(path.to_owned());
            return Err(Errno::IO.into());
        }
        Ok(())
    }
}

impl Fault {
    /// Whether the fault waits for another kind of operation.
    fn concerns(self, operation: Operation) -> bool {
        match self {
            Self::Short => operation == Operation::Write,
            Self::SyncFails => operation == Operation::Sync,
            Self::NoDescriptors => matches!(operation, Operation::Create | Operation::SyncDir),
            Self::Kill | Self::Torn | Self::Eio | Self::Full | Self::ReadOnly | Self::Interrupted => true,
        }
    }

    /// What the system says.
    fn errno(self) -> Errno {
        match self {
            Self::Full => Errno::NOSPC,
            Self::ReadOnly => Errno::ROFS,
            Self::NoDescriptors => Errno::MFILE,
            Self::Interrupted => Errno::INTR,
            Self::Kill | Self::Torn | Self::Eio | Self::Short | Self::SyncFails => Errno::IO,
        }
    }
}

impl Vfs for FaultVfs {
    fn create_temp(&self, dir: &Path, spare: &Path) -> io::Result<Box<dyn TempFile>> {
        self.faults.pass(Operation::Create, dir)?;
        Ok(self.temp(self.inner.create_temp(dir, spare)?, dir))
    }

    fn create_named_temp(&self, dir: &Path) -> io::Result<Box<dyn TempFile>> {
        self.faults.pass(Operation::Create, dir)?;
        Ok(self.temp(self.inner.create_named_temp(dir)?, dir))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let is_there = self.inner.is_dir(path)?;
        self.faults.pass(if is_there { Operation::MakeAgain } else { Operation::Name }, path)?;
        self.inner.create_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.faults.pass(Operation::SyncDir, dir)?;
        self.inner.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Remove, path)?;
        self.inner.remove(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.faults.look(path)?;
        let faults = self.faults.clone();
        Ok(Arc::new(FaultRead { inner: self.inner.open(path)?, faults, path: path.to_owned() }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        self.faults.look(dir)?;
        self.inner.list(dir)
    }

    fn age(&self, path: &Path) -> io::Result<Duration> {
        self.faults.look(path)?;
        self.inner.age(path)
    }

    fn is_dir(&self, path: &Path) -> io::Result<bool> {
        self.faults.look(path)?;
        self.inner.is_dir(path)
    }
}

#[derive(Debug)]
struct FaultTemp {
    /// There until the file is named or dropped.
    inner: Option<Box<dyn TempFile>>,
    faults: Arc<Faults>,
    /// The folder that it is meant for.
    dir: PathBuf,
    /// A sync failed: the bytes will never be durable.
    lost: bool,
}

impl FaultTemp {
    fn inner(&mut self) -> &mut dyn TempFile {
        self.inner.as_deref_mut().expect("only naming and dropping take it, and both end this file")
    }
}

impl TempFile for FaultTemp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.faults.judge(Operation::Write, &self.dir) {
            Verdict::Done => self.inner().write(bytes),
            Verdict::Failed(errno) => Err(errno.into()),
            Verdict::Half(errno) => {
                self.inner().write(&bytes[..bytes.len() / 2])?;
                Err(errno.into())
            }
        }
    }

    fn overwrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.faults.judge(Operation::Write, &self.dir) {
            Verdict::Done => self.inner().overwrite(offset, bytes),
            Verdict::Failed(errno) => Err(errno.into()),
            Verdict::Half(errno) => {
                self.inner().overwrite(offset, &bytes[..bytes.len() / 2])?;
                Err(errno.into())
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let passed = self.faults.pass(Operation::Sync, &self.dir);
        if passed.is_err() {
            self.lost = true;
        }
        passed?;
        if self.lost { Ok(()) } else { self.inner().sync() }
    }

    fn publish(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Name, to)?;
        self.inner.take().expect("only naming and dropping take it").publish(to)
    }

    fn replace(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Name, to)?;
        self.inner.take().expect("only naming and dropping take it").replace(to)
    }
}

impl Drop for FaultTemp {
    fn drop(&mut self) {
        if self.faults.is_dead() {
            // The dead tidy nothing up.
            std::mem::forget(self.inner.take());
        }
    }
}

#[derive(Debug)]
struct FaultRead {
    inner: Arc<dyn ReadFile>,
    faults: Arc<Faults>,
    path: PathBuf,
}

impl ReadFile for FaultRead {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.faults.pass_read(&self.path)?;
        self.inner.read_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.faults.look(&self.path)?;
        self.inner.len()
    }

    fn has_name(&self) -> io::Result<bool> {
        self.inner.has_name()
    }
}
