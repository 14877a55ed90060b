//! A host: the end of a connection that holds repositories. It has no keys of theirs, and checks all that can be checked without.
//!
//! Everything that is stored is looked at first: packs against the roots in their headers, log entries against their signatures, the entries
//! before them, the packs and segments that they name, and what the key of the connection may do. A name is written once. Who may
//! only append cannot take anything away, nor make a ref forget where it stood.

mod access;
mod hosted;
mod names;
mod proofs;
mod receipts;
mod rules;
mod session;
mod shards;
mod uploads;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::format::dirtree::Timestamp;
use crate::format::wire::{FailCode, Failure, Rights};
use crate::store::{LocalStore, MemoryStore, StorageBackend, StoreError, Vfs};
use crate::sync::{Handler, Peer, PeerKey, Session};

pub use access::{Access, AccessError, Grant};
pub(super) use receipts::{Receipts, read_receipts, take_receipts};

use access::AccessFile;
use hosted::Hosted;
use session::HostSession;

/// Where repositories lie.
pub trait Shelf: Send + Sync + fmt::Debug {
    /// Opens the store of a repository; `None`: there is none.
    ///
    /// # Errors
    /// When the system refuses.
    fn open(&self, repository: &str) -> Result<Option<Arc<dyn StorageBackend>>, StoreError>;

    /// Makes an empty store for a repository that is not there.
    ///
    /// # Errors
    /// When the system refuses.
    fn create(&self, repository: &str) -> Result<Arc<dyn StorageBackend>, StoreError>;
}

/// Repositories in folders below one.
#[derive(Debug)]
pub struct FolderShelf {
    root: PathBuf,
    vfs: Arc<dyn Vfs>,
}

impl FolderShelf {
    /// Repositories below `root`.
    pub fn new(root: impl Into<PathBuf>, vfs: Arc<dyn Vfs>) -> Self {
        Self { root: root.into(), vfs }
    }
}

impl Shelf for FolderShelf {
    fn open(&self, repository: &str) -> Result<Option<Arc<dyn StorageBackend>>, StoreError> {
        match LocalStore::open(self.root.join(repository), Arc::clone(&self.vfs)) {
            Ok(store) => Ok(Some(Arc::new(store))),
            Err(StoreError::NotAStore { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, repository: &str) -> Result<Arc<dyn StorageBackend>, StoreError> {
        // None within another one: its folders could be taken for those of that one.
        for (end, _) in repository.match_indices('/') {
            let above = self.root.join(&repository[..end]);
            match LocalStore::open(&above, Arc::clone(&self.vfs)) {
                Ok(store) => return Err(StoreError::AlreadyAStore { location: store.location() }),
                Err(StoreError::NotAStore { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Arc::new(LocalStore::create(self.root.join(repository), Arc::clone(&self.vfs))?))
    }
}

/// Repositories in memory, for tests.
#[derive(Debug, Default)]
pub struct MemoryShelf {
    stores: Mutex<HashMap<String, Arc<MemoryStore>>>,
}

impl MemoryShelf {
    /// The store of a repository.
    pub fn store(&self, repository: &str) -> Option<Arc<MemoryStore>> {
        locked(&self.stores).get(repository).cloned()
    }

    /// Puts a store in the place of a repository's: how damage and rollback are imitated.
    pub fn put(&self, repository: &str, store: Arc<MemoryStore>) {
        locked(&self.stores).insert(repository.to_owned(), store);
    }
}

impl Shelf for MemoryShelf {
    fn open(&self, repository: &str) -> Result<Option<Arc<dyn StorageBackend>>, StoreError> {
        Ok(self.store(repository).map(|store| store as Arc<dyn StorageBackend>))
    }

    fn create(&self, repository: &str) -> Result<Arc<dyn StorageBackend>, StoreError> {
        let mut stores = locked(&self.stores);
        Ok(Arc::clone(stores.entry(repository.to_owned()).or_default()) as Arc<dyn StorageBackend>)
    }
}

/// Where the rules of access come from.
#[derive(Debug, Clone)]
pub enum AccessSource {
    /// A file, read anew when it changes.
    File(PathBuf),
    /// Rules that stay.
    Fixed(Access),
}

/// How to host.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Who may do what.
    pub access: AccessSource,
    /// Most bytes of one repository.
    pub quota: Option<u64>,
    /// The clock, for receipts.
    pub now: fn() -> Timestamp,
}

/// How long a repository is kept open that nobody asks about.
const KEPT: Duration = Duration::from_secs(15 * 60);

/// Holds repositories for others.
#[derive(Debug)]
pub struct Host {
    shelf: Box<dyn Shelf>,
    access: AccessFile,
    quota: u64,
    now: fn() -> Timestamp,
    /// Those that a connection is about, or was a while ago: what it has sent in part is still there when it comes back.
    open: Mutex<HashMap<String, (Arc<Hosted>, Instant)>>,
}

impl Host {
    /// Hosts what lies on a shelf.
    ///
    /// # Errors
    /// [`AccessError`] if the file of access is there and cannot be read or understood. Without a file nobody may do anything.
    pub fn new(shelf: Box<dyn Shelf>, options: HostOptions) -> Result<Arc<Self>, AccessError> {
        let access = AccessFile::new(options.access)?;
        let (quota, now) = (options.quota.unwrap_or(u64::MAX), options.now);
        Ok(Arc::new(Self { shelf, access, quota, now, open: Mutex::default() }))
    }

    /// Reads the file of access anew. Where that fails the rules from before hold on.
    ///
    /// # Errors
    /// [`AccessError`].
    pub fn reload(&self) -> Result<(), AccessError> {
        self.access.reload()
    }

    /// The file of access, if there is one.
    pub fn access_file(&self) -> Option<&Path> {
        self.access.path()
    }

    fn rights(&self, key: &PeerKey, repository: &str) -> Grant {
        self.access.grant(key, repository)
    }

    /// Opens a repository, or takes it from who has it open.
    fn hosted(&self, repository: &str, create: bool) -> Result<Option<Arc<Hosted>>, Failure> {
        let mut open = locked(&self.open);
        open.retain(|_, (hosted, used)| Arc::strong_count(hosted) > 1 || used.elapsed() < KEPT);
        if let Some((hosted, used)) = open.get_mut(repository)
            && (hosted.exists() || hosted.uploads.expected() > 0)
        {
            *used = Instant::now();
            return Ok(Some(Arc::clone(hosted)));
        }
        let store = match self.shelf.open(repository).map_err(|error| store_failure(&error))? {
            Some(store) => store,
            None if create => self.shelf.create(repository).map_err(|error| store_failure(&error))?,
            None => return Ok(None),
        };
        let hosted = Arc::new(Hosted::open(store, self.quota, self.now)?);
        open.insert(repository.to_owned(), (Arc::clone(&hosted), Instant::now()));
        Ok(Some(hosted))
    }
}

/// A host as what answers connections.
#[derive(Debug, Clone)]
pub struct HostHandler(pub Arc<Host>);

impl Handler for HostHandler {
    fn connect(&self, peer: Peer) -> Box<dyn Session> {
        Box::new(HostSession::new(Arc::clone(&self.0), peer))
    }
}

/// What the other end is told of an error of the store: no paths of this machine.
fn store_failure(error: &StoreError) -> Failure {
    match error {
        StoreError::NotFound { name, .. } => {
            Failure::new(FailCode::NotFound, 0, format!("{name} is not there"))
        }
        StoreError::TooLarge { name, len, .. } => {
            Failure::new(FailCode::TooLarge, *len, format!("{name} has {len} bytes"))
        }
        StoreError::Short { name, len, .. } => {
            Failure::new(FailCode::Short, *len, format!("{name} has {len} bytes"))
        }
        StoreError::AlreadyAStore { .. } => refused("a repository cannot lie within another one"),
        StoreError::BadName { .. } => Failure::new(FailCode::Malformed, 0, error.to_string()),
        error if error.is_full() => Failure::new(FailCode::Full, 0, "the server's disk is full"),
        _ => Failure::new(FailCode::Store, 0, "the server's store failed; its log says how"),
    }
}

fn denied(lacking: Rights, what: &str) -> Failure {
    let text = format!("this key may not {what}: it lacks the right {lacking}");
    Failure::new(FailCode::Denied, lacking.bits().into(), text)
}

fn refused(why: impl Into<String>) -> Failure {
    Failure::new(FailCode::Refused, 0, why)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
