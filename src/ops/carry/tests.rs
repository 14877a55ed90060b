//! From one repository in memory to another: what the tests have in common.

mod fetch;
mod forgotten;
mod import;
mod push;
mod races;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::testkit::{client, commit_tree, repository, request};
use super::super::{ForgetRequest, GarbageCollector, GcConfig, RepackRequest, check, forget, repack};
use super::*;
use crate::observe::Silent;
use crate::ops::{CheckRequest, ReadData, RestoreRequest, commit, restore};
use crate::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};
use crate::testing::{Rng, assert_same_tree};

/// A store that counts bytes and calls, as a link to it would.
#[derive(Debug, Default)]
struct Counted {
    inner: MemoryStore,
    written: AtomicU64,
    read: AtomicU64,
    calls: AtomicU64,
}

impl Counted {
    fn written(&self) -> u64 {
        self.written.swap(0, Ordering::Relaxed)
    }

    fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl StorageBackend for Counted {
    fn location(&self) -> String {
        "counted".to_owned()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.call();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.written.fetch_add(len as u64, Ordering::Relaxed);
        self.inner.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        self.call();
        let bytes = self.inner.get(name, max)?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.call();
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        self.inner.read_at(name, offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.call();
        self.inner.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.call();
        self.inner.list(prefix)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.inner.delete(name)
    }
}

/// A repository, a tree that is committed to it, and another repository of the family, to which it pushes.
struct Pair {
    dir: tempfile::TempDir,
    local: Repository,
    remote: Repository,
    link: Arc<Counted>,
    rng: Rng,
    secs: i64,
}

impl Pair {
    fn new() -> Self {
        let (local, link) = (repository(), Arc::new(Counted::default()));
        let remote = local.create_sibling(link.clone(), false, client()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut pair = Self { dir, local, remote, link, rng: Rng::new(5), secs: 0 };
        pair.write("large", 1_500_000);
        pair.write("small", 30_000);
        pair
    }

    /// A client of its own with a handle on the remote.
    fn other_handle(&self) -> Repository {
        self.local.open_sibling(self.link.clone(), client()).unwrap()
    }

    fn write(&mut self, name: &str, len: usize) {
        let bytes = self.rng.bytes(len);
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn commit(&mut self, branch: &str) -> CommitId {
        self.secs += 1;
        let request = request(self.dir.path(), branch, self.secs);
        commit(&self.local, request, &Silent).unwrap().commit.unwrap()
    }

    fn edit(&mut self) {
        let path = self.dir.path().join("large");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = self.rng.below(bytes.len() - 100);
        bytes.splice(at..at + 20, self.rng.bytes(31));
        std::fs::write(path, bytes).unwrap();
        self.write("small", 30_000);
    }

    fn updates(&self, specs: &[&str]) -> Vec<RefUpdate> {
        let context = crate::repo::ResolveContext::default();
        let state = self.remote.refresh().unwrap();
        let one = |spec: &&str| RefSpec::parse(spec).unwrap().resolve(&self.local, &context, &state).unwrap();
        specs.iter().map(one).collect()
    }

    fn try_push(&self, specs: &[&str]) -> Result<PushOutcome, OpsError> {
        let request = PushRequest { updates: self.updates(specs), ..PushRequest::default() };
        push(&self.local, &self.remote, &request, &Silent)
    }

    fn push(&self, specs: &[&str]) -> PushOutcome {
        let done = self.try_push(specs).unwrap();
        assert!(!done.is_refused, "{:?}", done.refs);
        done
    }

    /// The remote is sound, and has the tree of this commit.
    fn has(&self, commit: CommitId, tree: &std::path::Path) {
        let repo = self.other_handle();
        is_sound(&repo);
        let out = tempfile::tempdir().unwrap();
        let request = RestoreRequest { verify: true, ..RestoreRequest::new(commit, out.path().join("out")) };
        assert_eq!(restore::restore(&repo, request, &Silent).unwrap().problems, 0);
        assert_same_tree(tree, &out.path().join("out"));
    }
}

/// Copies files with their times.
fn keep(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        std::fs::copy(entry.path(), &copy).unwrap();
        let modified = entry.metadata().unwrap().modified().unwrap();
        std::fs::File::options().write(true).open(copy).unwrap().set_modified(modified).unwrap();
    }
    std::fs::File::open(to).unwrap().set_modified(from.metadata().unwrap().modified().unwrap()).unwrap();
}

fn is_sound(repo: &Repository) {
    let request = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
    let report = check::check(repo, request, &Silent).unwrap();
    assert_eq!(report.findings, [], "{}", repo.location());
}

fn gc(repo: &Repository) {
    let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
    GarbageCollector::new(repo, config).run(&Silent).unwrap();
}

fn packs(repo: &Repository) -> HashSet<PackId> {
    repo.refresh().unwrap().packs.keys().copied().collect()
}

impl Repository {
    /// Another handle on the same store.
    fn open_sibling_of_itself(&self) -> Self {
        self.open_sibling(self.chunks().vault().shared_store(), client()).unwrap()
    }
}
