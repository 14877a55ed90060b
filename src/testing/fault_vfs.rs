//! A disk that fails, or a process that dies, at a chosen operation.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
}

/// Passes operations on to another disk, counts those that write, and lets one of them go wrong.
#[derive(Debug)]
pub struct FaultVfs {
    inner: Arc<dyn Vfs>,
    faults: Arc<Faults>,
}

impl FaultVfs {
    /// Lets the read number `at` of a file, counted from 0, fail with EIO; everything else works.
    pub fn failing_read(inner: Arc<dyn Vfs>, at: u64) -> Arc<Self> {
        let vfs = Self::with(inner, None);
        vfs.faults.state().failing_read = Some(at);
        vfs
    }

    /// Counts and never fails: a dry run tells how many operations there are to fail.
    pub fn counting(inner: Arc<dyn Vfs>) -> Arc<Self> {
        Self::with(inner, None)
    }

    /// Lets `fault` happen at operation number `at`, counted from 0.
    pub fn new(inner: Arc<dyn Vfs>, fault: Fault, at: u64) -> Arc<Self> {
        Self::with(inner, Some((fault, at)))
    }

    fn with(inner: Arc<dyn Vfs>, armed: Option<(Fault, u64)>) -> Arc<Self> {
        let state = Mutex::new(State { next: 0, reads: 0, armed, failing_read: None, full: false });
        Arc::new(Self { inner, faults: Arc::new(Faults { state, dead: AtomicBool::new(false) }) })
    }

    /// How many operations that write were asked for.
    pub fn operations(&self) -> u64 {
        self.faults.state().next
    }

    /// How many reads of files were asked for.
    pub fn reads(&self) -> u64 {
        self.faults.state().reads
    }

    /// Whether the fault has happened.
    pub fn fired(&self) -> bool {
        let state = self.faults.state();
        state.armed.is_none() && state.failing_read.is_none()
    }

    /// Ends a [`Fault::Full`].
    pub fn make_room(&self) {
        self.faults.state().full = false;
    }

    fn temp(&self, inner: Box<dyn TempFile>) -> Box<dyn TempFile> {
        Box::new(FaultTemp { inner: Some(inner), faults: self.faults.clone(), lost: false })
    }
}

#[derive(Debug)]
struct Faults {
    state: Mutex<State>,
    dead: AtomicBool,
}

#[derive(Debug)]
struct State {
    next: u64,
    reads: u64,
    failing_read: Option<u64>,
    /// The fault that has yet to happen.
    armed: Option<(Fault, u64)>,
    full: bool,
}

/// The operations, as far as faults tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Write,
    Sync,
    /// Makes a file, folder or name.
    Create,
    Other,
}

/// What becomes of an operation.
enum Verdict {
    Done,
    /// Half of a write, then this.
    Half(Errno),
    Failed(Errno),
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Counts an operation and says what becomes of it.
    fn judge(&self, operation: Operation) -> Verdict {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        if self.is_dead() {
            return Verdict::Failed(Errno::IO);
        }
        if let Some((fault, _)) = state.armed.filter(|(fault, at)| number >= *at && fault.concerns(operation))
        {
            state.armed = None;
            state.full = fault == Fault::Full;
            self.dead.store(matches!(fault, Fault::Kill | Fault::Torn), Ordering::SeqCst);
            match (fault, operation) {
                (Fault::Torn | Fault::Short, Operation::Write) => return Verdict::Half(Errno::IO),
                (Fault::Full, _) => {}
                _ => return Verdict::Failed(Errno::IO),
            }
        }
        match (state.full, operation) {
            (true, Operation::Write) => Verdict::Half(Errno::NOSPC),
            (true, Operation::Create) => Verdict::Failed(Errno::NOSPC),
            _ => Verdict::Done,
        }
    }

    /// For operations that cannot be done by halves.
    fn pass(&self, operation: Operation) -> io::Result<()> {
        match self.judge(operation) {
            Verdict::Done => Ok(()),
            Verdict::Half(errno) | Verdict::Failed(errno) => Err(errno.into()),
        }
    }

    /// Counts a read of a file.
    fn pass_read(&self) -> io::Result<()> {
        self.alive()?;
        let mut state = self.state();
        let number = state.reads;
        state.reads += 1;
        if state.failing_read.take_if(|at| *at == number).is_some() {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    /// The dead do not look at anything.
    fn alive(&self) -> io::Result<()> {
        if self.is_dead() { Err(Errno::IO.into()) } else { Ok(()) }
    }
}

impl Fault {
    /// Whether the fault waits for another kind of operation.
    fn concerns(self, operation: Operation) -> bool {
        match self {
            Self::Short => operation == Operation::Write,
            Self::SyncFails => operation == Operation::Sync,
            Self::Kill | Self::Torn | Self::Eio | Self::Full => true,
        }
    }
}

impl Vfs for FaultVfs {
    fn create_temp(&self, dir: &Path, spare: &Path) -> io::Result<Box<dyn TempFile>> {
        self.faults.pass(Operation::Create)?;
        Ok(self.temp(self.inner.create_temp(dir, spare)?))
    }

    fn create_named_temp(&self, dir: &Path) -> io::Result<Box<dyn TempFile>> {
        self.faults.pass(Operation::Create)?;
        Ok(self.temp(self.inner.create_named_temp(dir)?))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Create)?;
        self.inner.create_dir(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Other)?;
        self.inner.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Other)?;
        self.inner.remove(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        self.faults.alive()?;
        Ok(Arc::new(FaultRead { inner: self.inner.open(path)?, faults: self.faults.clone() }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<FileInfo>> {
        self.faults.alive()?;
        self.inner.list(dir)
    }

    fn is_dir(&self, path: &Path) -> io::Result<bool> {
        self.faults.alive()?;
        self.inner.is_dir(path)
    }
}

#[derive(Debug)]
struct FaultTemp {
    /// There until the file is named or dropped.
    inner: Option<Box<dyn TempFile>>,
    faults: Arc<Faults>,
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
        match self.faults.judge(Operation::Write) {
            Verdict::Done => self.inner().write(bytes),
            Verdict::Failed(errno) => Err(errno.into()),
            Verdict::Half(errno) => {
                self.inner().write(&bytes[..bytes.len() / 2])?;
                Err(errno.into())
            }
        }
    }

    fn overwrite(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self.faults.judge(Operation::Write) {
            Verdict::Done => self.inner().overwrite(offset, bytes),
            Verdict::Failed(errno) => Err(errno.into()),
            Verdict::Half(errno) => {
                self.inner().overwrite(offset, &bytes[..bytes.len() / 2])?;
                Err(errno.into())
            }
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let passed = self.faults.pass(Operation::Sync);
        if passed.is_err() {
            self.lost = true;
        }
        passed?;
        if self.lost { Ok(()) } else { self.inner().sync() }
    }

    fn publish(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Create)?;
        self.inner.take().expect("only naming and dropping take it").publish(to)
    }

    fn replace(mut self: Box<Self>, to: &Path) -> io::Result<()> {
        self.faults.pass(Operation::Create)?;
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
}

impl ReadFile for FaultRead {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.faults.pass_read()?;
        self.inner.read_at(buf, offset)
    }

    fn len(&self) -> io::Result<u64> {
        self.faults.alive()?;
        self.inner.len()
    }
}
