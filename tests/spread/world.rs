//! Six members in memory, each of which can be made to fail or to lie.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use warp::erasure::ErasureConfig;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::spread::{GroupReport, MendRequest, Seat, SpreadOptions, SpreadStore, mend};
use warp::ops::{self, PushRequest, RefSpec, RestoreRequest};
use warp::repo::{Client, RepoError, Repository, ResolveContext};
use warp::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};
use warp::sync::VerificationMode;
use warp::testing::{RecordingObserver, Rng, SimDisk, assert_same_tree};

use crate::common::{client_on, create, password, request};

/// How many members the groups of these tests have, and how many it takes.
pub(crate) const MEMBERS: usize = 6;
pub(crate) const NEEDED: usize = 4;

/// What a member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trick {
    None,
    /// Answers nothing.
    Dead,
    /// Answers after a long time.
    Slow,
    /// Flips a bit behind the headers of shards, and in everything else.
    WrongBytes,
    /// Changes the header of shards, and makes its checksum right again.
    WrongHeader,
    /// Says that it has no shards.
    Withheld,
    /// Gives each shard the content of another pack's.
    Swapped,
    /// Flips a bit of every index segment.
    WrongIndex,
}

/// A member.
#[derive(Debug)]
pub(crate) struct Tricky {
    pub(crate) inner: MemoryStore,
    trick: Mutex<Trick>,
    /// Operations until everything fails, shared by all members.
    fuse: Arc<AtomicU64>,
    number: usize,
}

impl Tricky {
    fn step(&self, name: &str) -> Result<Trick, StoreError> {
        let trick = *self.trick.lock().unwrap();
        let left =
            self.fuse.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| Some(left.saturating_sub(1)));
        if trick == Trick::Dead || left == Ok(0) {
            let source = std::io::Error::other("no answer");
            return Err(StoreError::Io {
                action: "reach",
                path: format!("{name} of member {}", self.number),
                source,
            });
        }
        if trick == Trick::Slow && name.starts_with("shards/") {
            std::thread::sleep(Duration::from_millis(1500));
        }
        Ok(trick)
    }

    fn changed(&self, trick: Trick, name: &BlobName, mut bytes: Vec<u8>) -> Vec<u8> {
        let is_shard = name.folder() == Some("shards");
        let header_len = 104 + 32 * MEMBERS;
        match trick {
            Trick::WrongBytes if is_shard => *bytes.last_mut().unwrap() ^= 1,
            Trick::WrongBytes => bytes.iter_mut().for_each(|byte| *byte ^= 1),
            Trick::WrongHeader if is_shard && bytes.len() >= header_len => {
                bytes[40] ^= 1;
                let sum = blake3::hash(&bytes[..header_len - 32]);
                bytes[header_len - 32..header_len].copy_from_slice(sum.as_bytes());
            }
            Trick::WrongIndex if name.folder() == Some("index") => {
                bytes.iter_mut().for_each(|byte| *byte ^= 1)
            }
            _ => {}
        }
        bytes
    }

    /// The blob that is read instead of one.
    fn meant(&self, trick: Trick, name: &BlobName) -> Result<BlobName, StoreError> {
        if name.folder() != Some("shards") {
            return Ok(name.clone());
        }
        match trick {
            Trick::Withheld => {
                Err(StoreError::NotFound { name: name.to_string(), location: self.location() })
            }
            Trick::Swapped => {
                let names = self.inner.names("shards/")?;
                let at = names.iter().position(|found| found == name).unwrap_or(0);
                Ok(names[(at + 1) % names.len()].clone())
            }
            _ => Ok(name.clone()),
        }
    }
}

impl StorageBackend for Tricky {
    fn location(&self) -> String {
        format!("member {}", self.number)
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.step(name.as_str())?;
        self.inner.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.step(name.as_str())?;
        self.inner.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        let trick = self.step(name.as_str())?;
        Ok(self.changed(trick, name, self.inner.get(&self.meant(trick, name)?, max)?))
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let trick = self.step(name.as_str())?;
        let meant = self.meant(trick, name)?;
        let whole = self.changed(trick, name, self.inner.get(&meant, u64::MAX)?);
        let range = offset as usize..offset as usize + len;
        whole.get(range).map(<[u8]>::to_vec).map_or_else(|| self.inner.read_at(&meant, offset, len), Ok)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        let trick = self.step(name.as_str())?;
        match self.meant(trick, name) {
            Ok(name) => self.inner.len(&name),
            Err(_) => Ok(None),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.step(prefix)?;
        self.inner.list(prefix)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.step(name.as_str())?;
        self.inner.delete(name)
    }
}

pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) members: Vec<Arc<Tricky>>,
    pub(crate) fuse: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let fuse = Arc::new(AtomicU64::new(u64::MAX));
        let members = (0..MEMBERS).map(|number| tricky(number, MemoryStore::new(), &fuse)).collect();
        Self { dir: tempfile::tempdir().unwrap(), members, fuse }
    }

    /// A world of its own that begins as this one is.
    pub(crate) fn fork(&self) -> Self {
        let fuse = Arc::new(AtomicU64::new(u64::MAX));
        let members =
            self.members.iter().map(|member| tricky(member.number, member.inner.fork(), &fuse)).collect();
        Self { dir: tempfile::tempdir().unwrap(), members, fuse }
    }

    /// Puts an empty store in a member's place.
    pub(crate) fn lose(&mut self, number: usize) {
        self.members[number] = tricky(number, MemoryStore::new(), &self.fuse);
    }

    pub(crate) fn set(&self, number: usize, trick: Trick) {
        *self.members[number].trick.lock().unwrap() = trick;
    }

    pub(crate) fn heal(&self) {
        self.fuse.store(u64::MAX, Ordering::Release);
        (0..MEMBERS).for_each(|number| self.set(number, Trick::None));
    }

    pub(crate) fn options(&self, observer: &Arc<RecordingObserver>) -> SpreadOptions {
        SpreadOptions {
            patience: Duration::from_millis(100),
            observer: Arc::clone(observer) as _,
            ..SpreadOptions::new(ErasureConfig::RS_4_2)
        }
    }

    pub(crate) fn seats(&self) -> Vec<Seat> {
        let seat = |store: &Arc<Tricky>| Seat { place: store.location(), store: Ok(Arc::clone(store) as _) };
        self.members.iter().map(seat).collect()
    }

    pub(crate) fn group(&self) -> Result<(Arc<SpreadStore>, Arc<RecordingObserver>), StoreError> {
        let observer = Arc::new(RecordingObserver::new());
        Ok((Arc::new(SpreadStore::open(self.seats(), self.options(&observer))?), observer))
    }

    pub(crate) fn client(&self) -> Client {
        client_on(Arc::new(SimDisk::new()), Path::new("/state"))
    }

    /// A repository in the group, made anew.
    pub(crate) fn create(&self) -> Repository {
        create(self.group().unwrap().0, self.client())
    }

    pub(crate) fn open(&self) -> Result<(Repository, Arc<RecordingObserver>), RepoError> {
        let (store, observer) =
            self.group().map_err(|source| RepoError::Store { location: "group".to_owned(), source })?;
        Ok((Repository::open(store, &password(), self.client())?, observer))
    }

    /// A folder of files; versions differ in one.
    pub(crate) fn tree(&self, version: u64, len: usize) -> PathBuf {
        let root = self.dir.path().join(format!("tree-{version}"));
        if root.is_dir() {
            return root;
        }
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::write(root.join("same"), Rng::new(7).bytes(len / 2)).unwrap();
        std::fs::write(root.join("sub/other"), Rng::new(100 + version).bytes(len / 2)).unwrap();
        root
    }

    /// The group with two versions of a tree, and what they are.
    pub(crate) fn with_two_commits() -> (Self, [(CommitId, PathBuf); 2]) {
        let world = Self::new();
        let repo = world.create();
        // The first is long enough for an index segment of its own.
        let commits = [(1, 2_400_000), (2, 400_000)].map(|(version, len)| {
            let tree = world.tree(version, len);
            (commit(&repo, &tree), tree)
        });
        (world, commits)
    }

    /// Another repository with the same keys and commits, in one store.
    pub(crate) fn local(&self) -> Repository {
        let (repo, _) = self.open().unwrap();
        let local = repo.create_sibling(Arc::new(MemoryStore::new()), false, self.client()).unwrap();
        ops::copy_all(&repo, &local, (None, VerificationMode::default()), &Silent).unwrap();
        local
    }

    pub(crate) fn mend(&self, repair: bool) -> GroupReport {
        let (store, _) = self.group().unwrap();
        let repo = Repository::open(store.clone(), &password(), self.client()).unwrap();
        mend(&store, &repo.state(), MendRequest { read: true, repair }, &Silent).unwrap()
    }
}

fn tricky(number: usize, inner: MemoryStore, fuse: &Arc<AtomicU64>) -> Arc<Tricky> {
    Arc::new(Tricky { inner, trick: Mutex::new(Trick::None), fuse: Arc::clone(fuse), number })
}

pub(crate) fn commit(repo: &Repository, tree: &Path) -> CommitId {
    ops::commit(repo, request(tree), &Silent).unwrap().commit.unwrap()
}

pub(crate) fn push(from: &Repository, to: &Repository) -> Result<(), ops::OpsError> {
    let spec = RefSpec::parse("+main").unwrap();
    let update = spec.resolve(from, &ResolveContext::default(), &to.state()).unwrap();
    let request = PushRequest { updates: vec![update], ..PushRequest::default() };
    let done = ops::push(from, to, &request, &Silent)?;
    assert!(!done.is_refused, "{:?}", done.refs);
    Ok(())
}

/// An error with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

/// Restores a commit and compares; returns what went wrong, if something did.
pub(crate) fn restored(repo: &Repository, commit: CommitId, tree: &Path) -> Result<(), String> {
    let target = tempfile::tempdir().unwrap();
    let out = target.path().join("out");
    let observer = RecordingObserver::new();
    let request = RestoreRequest { verify: true, ..RestoreRequest::new(commit, &out) };
    ops::restore(repo, request, &observer).map_err(|error| told(&error))?;
    if let Some((path, error)) = observer.problems().first() {
        return Err(format!("{}: {error}", path.display()));
    }
    assert_same_tree(tree, &out);
    Ok(())
}

pub(crate) fn assert_clean(repo: &Repository) {
    let check = ops::CheckRequest { data: ops::ReadData::All, ..ops::CheckRequest::default() };
    let report = ops::check(repo, check, &Silent).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}
