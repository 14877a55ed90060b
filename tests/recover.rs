//! `warp recover`: a log that is lost, all of it or some, is made anew of what the packs hold and of what entries are left.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{
    self, CheckRequest, CommitRequest, GarbageCollector, GcConfig, OpsError, ReadData, RecoverOutcome,
    RecoverRequest, RestoreRequest,
};
use warp::repo::{
    Client, CreateOptions, Credentials, Draft, ErrorKind, Rebuild, RepoError, Repository, SeenBefore,
};
use warp::store::{BlobInfo, BlobName, MemoryStore, StorageBackend, Vfs};
use warp::testing::{RecordingObserver, Rng, SimDisk, TreeSnapshot, assert_same_tree, differences, snapshot};

use common::program::{Home, news};
use common::{client_on, password, request};

/// A repository in memory with a history, and what its commits hold.
struct Patient {
    store: Arc<MemoryStore>,
    credentials: Credentials,
    /// Where the client keeps what it remembers.
    memory: SimDisk,
    /// The live commits.
    commits: Vec<(CommitId, TreeSnapshot)>,
    /// A forgotten commit whose packs are there, and one whose packs gc has taken away.
    forgotten: [CommitId; 2],
    refs: BTreeMap<String, CommitId>,
    dir: tempfile::TempDir,
}

fn client_of(memory: &SimDisk) -> Client {
    client_on(Arc::new(memory.clone()), Path::new("/state"))
}

/// A disk for what a client remembers.
fn memory() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/state")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

/// A copy of one.
fn copied(from: &SimDisk) -> SimDisk {
    let (to, folder) = (memory(), Path::new("/state"));
    for file in from.list(folder).unwrap() {
        let path = folder.join(file.name);
        to.write_replace(&path, &from.read(&path, u64::MAX).unwrap()).unwrap();
    }
    to
}

fn edit(source: &Path, rng: &mut Rng) {
    for number in 0..6 {
        let path = source.join(format!("text-{number}"));
        let mut text = fs::read(&path).unwrap();
        let at = rng.below(text.len());
        text.splice(at..at, rng.bytes(12));
        fs::write(path, text).unwrap();
    }
}

impl Patient {
    fn new(credentials: Credentials) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        fs::create_dir(&source).unwrap();
        let mut rng = Rng::new(11);
        fs::write(source.join("large"), rng.bytes(3 << 20)).unwrap();
        (0..6).for_each(|number| fs::write(source.join(format!("text-{number}")), rng.text(30_000)).unwrap());
        let (store, memory) = (Arc::new(MemoryStore::new()), memory());
        let options = CreateOptions {
            credentials: credentials.clone(),
            label: "test".to_owned(),
            kdf: warp::format::config::KdfParams { memory_kib: 8, passes: 1, lanes: 1 },
            worktree: false,
            chunker: warp::repo::ChunkerConfig::default(),
            settings: Vec::new(),
        };
        let repo = Repository::create(store.clone(), options, client_of(&memory)).unwrap();
        let mut commits = Vec::new();
        let mut commit = |branch: &str, rng: &mut Rng| {
            let request = CommitRequest { branch: Some(branch.to_owned()), ..request(&source) };
            let id = ops::commit(&repo, request, &Silent).unwrap().commit.unwrap();
            commits.push((id, snapshot(&source).unwrap()));
            edit(&source, rng);
            id
        };
        let first = commit("main", &mut rng);
        let collected = commit("main", &mut rng);
        let second = commit("main", &mut rng);
        repo.tag_create("v1", first, false).unwrap();
        forget(&repo, collected);
        let gc = GcConfig { grace: 0, ..GcConfig::aggressive() };
        GarbageCollector::new(&repo, gc).run(&Silent).unwrap();
        repo.branch_create("other", second, false).unwrap();
        let side = commit("other", &mut rng);
        let forgotten = commit("main", &mut rng);
        let last = commit("main", &mut rng);
        forget(&repo, forgotten);
        let forgotten = [forgotten, collected];
        commits.retain(|(id, _)| !forgotten.contains(id));
        let refs = repo.timeline().refs().clone();
        let wanted = [("heads/main", last), ("heads/other", side), ("tags/v1", first)];
        assert_eq!(refs, wanted.map(|(name, id)| (name.to_owned(), id)).into());
        Self { store, credentials, memory, commits, forgotten, refs, dir }
    }

    fn encrypted() -> Self {
        Self::new(password())
    }

    fn blobs(&self, folder: &str) -> Vec<BlobInfo> {
        self.store.list(folder).unwrap()
    }

    fn bytes(&self, name: &BlobName) -> Vec<u8> {
        self.store.get(name, u64::MAX).unwrap()
    }

    /// All files.
    fn files(&self) -> BTreeMap<BlobName, Vec<u8>> {
        let folders = ["config/", "log/", "checkpoint/", "packs/", "index/", "lost/"];
        let blobs = folders.iter().flat_map(|folder| self.blobs(folder));
        blobs.map(|blob| (blob.name.clone(), self.bytes(&blob.name))).collect()
    }

    fn delete(&self, folder: &str) {
        for blob in self.blobs(folder) {
            self.store.delete(&blob.name).unwrap();
        }
    }

    fn open(&self) -> Result<Repository, RepoError> {
        self.open_as(client_of(&self.memory))
    }

    fn open_as(&self, client: Client) -> Result<Repository, RepoError> {
        Repository::open(self.store.clone(), &self.credentials, client)
    }

    fn recover_with(&self, request: RecoverRequest) -> Result<RecoverOutcome, OpsError> {
        let rebuild = Rebuild::open(self.store.clone(), &self.credentials, client_of(&self.memory))?;
        ops::recover(rebuild, request, &Silent)
    }

    fn recover(&self) -> RecoverOutcome {
        self.recover_with(RecoverRequest::default()).unwrap()
    }

    /// A copy that goes its own way, with a memory of its own.
    fn fork(&self) -> Self {
        Self {
            store: Arc::new(self.store.fork()),
            credentials: self.credentials.clone(),
            memory: copied(&self.memory),
            commits: self.commits.clone(),
            forgotten: self.forgotten,
            refs: self.refs.clone(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// The repository opens and is whole; every commit comes back byte for byte; one can go on working in it.
    fn is_well(&self, what: &str) -> Repository {
        let repo = self.open().unwrap_or_else(|error| panic!("{what}: {error}"));
        let all = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
        assert_eq!(ops::check(&repo, all, &Silent).unwrap().findings, [], "{what}");
        self.comes_back(&repo, what);
        let gc = GcConfig { grace: 0, ..GcConfig::default() };
        GarbageCollector::new(&repo, gc).run(&Silent).unwrap();
        self.comes_back(&repo, what);
        let source = self.dir.path().join(format!("more-{}", repo.state().number));
        fs::create_dir_all(&source).unwrap();
        fs::write(source.join("new"), what).unwrap();
        let more = CommitRequest { branch: Some("more".to_owned()), ..request(&source) };
        ops::commit(&repo, more, &Silent).unwrap().commit.unwrap();
        let repo = self.open().unwrap();
        assert_eq!(ops::check(&repo, all, &Silent).unwrap().findings, [], "{what}");
        repo
    }

    fn comes_back(&self, repo: &Repository, what: &str) {
        for (id, expected) in &self.commits {
            let target = tempfile::tempdir_in(self.dir.path()).unwrap();
            let root = target.path().join("out");
            let observer = RecordingObserver::new();
            let request = RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(*id, &root) };
            ops::restore(repo, request, &observer).unwrap_or_else(|error| panic!("{what}: {id}: {error}"));
            assert_eq!(observer.problems(), [], "{what}");
            assert_eq!(differences(expected, &snapshot(&root).unwrap()), Vec::<String>::new(), "{what}");
        }
    }
}

fn forget(repo: &Repository, id: CommitId) {
    repo.append(&mut |_| Ok(Draft { forgotten: vec![id], ..Draft::default() })).unwrap();
}

fn refs(outcome: &RecoverOutcome) -> BTreeMap<String, CommitId> {
    outcome.refs.iter().cloned().collect()
}

#[test]
fn without_log_and_index_all_commits_come_back_and_nothing_else_changes() {
    for credentials in [password(), Credentials::None] {
        let patient = Patient::new(credentials);
        let (packs, log) = (patient.blobs("packs/"), patient.blobs("log/").len());
        patient.delete("log/");
        patient.delete("index/");
        let error = patient.open().unwrap_err();
        assert!(error.is_of_log(), "{error}");
        let stranger = client_on(Arc::new(memory()), Path::new("/state"));
        let error = patient.open_as(stranger).unwrap_err();
        assert_eq!(error.to_string(), "log entry 1: it is missing, but there are packs");

        let before = patient.files();
        let dry =
            patient.recover_with(RecoverRequest { dry_run: true, ..RecoverRequest::default() }).unwrap();
        assert!(patient.files() == before, "a dry run changed something");
        let done = patient.recover();
        assert!(done.head.is_some() && dry.head.is_none());
        let without_head = |done: &RecoverOutcome| {
            let mut done = done.clone();
            (done.head, done.segments) = (None, 0);
            done
        };
        assert_eq!(without_head(&dry), without_head(&done));

        assert_eq!((done.entries_read, done.entries_known), (0, log as u64));
        assert_eq!(patient.blobs("packs/"), packs, "packs stay as they are");
        assert_eq!(done.packs as usize, packs.len());
        // That one was forgotten nobody knows any more; of the other nothing is left.
        let [reappears, collected] = patient.forgotten;
        assert_eq!(done.commits as usize, patient.commits.len() + 1);
        assert_eq!(done.commits_unnamed.len(), patient.commits.len() + 1);
        assert!(done.commits_unnamed.contains(&reappears) && !done.commits_unnamed.contains(&collected));
        // With it the first commit has lost what it had in common with the others.
        let branches = patient.refs.values().map(|id| (format!("heads/recovered/{}", id.short()), *id));
        assert_eq!(refs(&done), branches.collect());
        assert!(!done.has_losses());
        let repo = patient.is_well("without log and index");
        assert!(repo.timeline().is_live(reappears));
    }
}

#[test]
fn where_one_entry_is_missing_or_damaged_the_others_are_heard() {
    let healthy = Patient::encrypted();
    let entries = healthy.blobs("log/");
    let (collects, forgets) = (5, entries.len() - 1);
    for (place, entry) in entries.iter().enumerate() {
        for damage in [false, true] {
            let what = format!("{} {}", entry.name, if damage { "damaged" } else { "missing" });
            let patient = healthy.fork();
            let mut bytes = patient.bytes(&entry.name);
            match damage {
                true => {
                    // Beyond what its parity can heal.
                    bytes.fill(4);
                    patient.store.overwrite(&entry.name, bytes);
                }
                false => assert!(patient.store.delete(&entry.name).unwrap()),
            }
            assert!(patient.open().unwrap_err().is_of_log(), "{what}");
            let done = patient.recover();
            assert_eq!(done.entries_read as usize, entries.len() - 1, "{what}: {:?}", done.entry_faults);
            assert_eq!(done.entries_known as usize, entries.len(), "{what}");
            assert_eq!(done.entry_faults.len(), usize::from(damage), "{what}");
            let [forgotten, collected] = healthy.forgotten;
            // Whether what is in no pack was lost or forgotten, only the entry that forgets it knows.
            let lost: Vec<CommitId> = done.commits_lost.iter().map(|(id, _)| *id).collect();
            assert_eq!(lost, if place == collects { vec![collected] } else { Vec::new() }, "{what}");
            assert!(done.packs_left_out.is_empty() && done.incomplete.is_empty(), "{what}: {done:?}");
            let repo = patient.is_well(&what);
            // Only the entry that forgets it knows.
            assert_eq!(repo.timeline().is_live(forgotten), place == forgets, "{what}");
            assert!(!repo.timeline().is_live(collected), "{what}");
            // What stood on a branch or tag is reached by a ref still.
            let reached = repo.timeline().ancestors(repo.timeline().refs().values().copied());
            for (id, _) in &healthy.commits {
                assert!(reached.contains(id), "{what}: {id} is reached by nothing");
            }
            let kept = refs(&done).into_iter().filter(|at| healthy.refs.get(&at.0) == Some(&at.1)).count();
            assert!(kept >= healthy.refs.len() - 1, "{what}: {:?}", done.refs);
        }
    }
}

#[test]
fn with_the_whole_log_at_hand_nothing_is_changed_by_force_but_the_log_itself() {
    let patient = Patient::encrypted();
    match patient.recover_with(RecoverRequest::default()) {
        Err(OpsError::Refused { why }) => assert_eq!(why, "nothing to recover: the log is whole"),
        other => panic!("{other:?}"),
    }
    let before = patient.open().unwrap();
    let done = patient.recover_with(RecoverRequest { force: true, ..RecoverRequest::default() }).unwrap();
    assert_eq!((done.entries_read, done.commits_unnamed.len()), (done.entries_known, 0));
    assert_eq!(refs(&done), patient.refs);
    assert_eq!(done.commits_forgotten, 2);
    let after = patient.open().unwrap();
    assert_eq!(after.timeline().commits(), before.timeline().commits());
    for id in before.timeline().commits().into_iter().chain(patient.forgotten) {
        assert_eq!(after.timeline().parents(id), before.timeline().parents(id));
        assert_eq!(after.timeline().is_forgotten(id), before.timeline().is_forgotten(id));
    }
    assert!(after.state().packs == before.state().packs);
    patient.is_well("by force");
}

#[test]
fn old_entries_are_kept_and_a_later_recovery_hears_them() {
    let patient = Patient::encrypted();
    let old: Vec<_> = patient.blobs("log/").iter().map(|blob| patient.bytes(&blob.name)).collect();
    patient.store.delete(&patient.blobs("log/")[2].name).unwrap();
    patient.recover();
    let kept: Vec<_> = patient.blobs("lost/").iter().map(|blob| patient.bytes(&blob.name)).collect();
    assert_eq!(kept.len(), old.len() - 1);
    assert!(kept.iter().all(|bytes| old.contains(bytes)));

    // Of the second log nothing is left.
    let repo = patient.open().unwrap();
    repo.tag_create("later", patient.refs["heads/other"], false).unwrap();
    patient.delete("log/");
    let done = patient.recover();
    assert_eq!(done.entries_read as usize, kept.len());
    assert_eq!(refs(&done), patient.refs);
    assert!(!patient.open().unwrap().timeline().is_live(patient.forgotten[0]));

    // Of the third log all but the first entry is left, and speaks after the first log.
    let repo = patient.open().unwrap();
    repo.branch_create("main", patient.refs["tags/v1"], true).unwrap();
    patient.store.delete(&BlobName::new("log/0000000001").unwrap()).unwrap();
    let done = patient.recover();
    assert_eq!(refs(&done)["heads/main"], patient.refs["tags/v1"]);
    assert!(done.branches.iter().any(|(_, id)| *id == patient.refs["heads/main"]));
    patient.is_well("a third time");
}

#[test]
fn packs_damaged_within_their_parity_are_taken_back() {
    let patient = Patient::encrypted();
    patient.delete("log/");
    patient.delete("index/");
    let wanted = {
        let patient = patient.fork();
        patient.recover().refs
    };
    for (number, pack) in patient.blobs("packs/").iter().enumerate() {
        let mut bytes = patient.bytes(&pack.name);
        let (len, part) = (bytes.len(), bytes.len() / 32);
        let start = [0, len / 2, len - part][number % 3];
        bytes[start..start + part].fill(0x77);
        patient.store.overwrite(&pack.name, bytes);
    }
    let done = patient.recover();
    assert_eq!(done.refs, wanted);
    assert!(!done.has_losses(), "{done:?}");
    patient.comes_back(&patient.open().unwrap(), "healed");
}

#[test]
fn what_is_lost_with_a_pack_is_named_and_the_rest_comes_back() {
    let healthy = Patient::encrypted();
    let mut breaks = 0;
    for pack in healthy.blobs("packs/") {
        for whole_log in [false, true] {
            let patient = healthy.fork();
            patient.store.overwrite(&pack.name, vec![9; 3000]);
            match whole_log {
                true => assert!(patient.store.delete(&BlobName::new("log/0000000001").unwrap()).unwrap()),
                false => patient.delete("log/"),
            }
            patient.delete("index/");
            let done = patient.recover();
            assert!(done.has_losses());
            assert_eq!(done.packs_left_out.len(), 1);
            assert_eq!(done.packs_left_out[0].0, pack.name.as_str());
            let repo = patient.open().unwrap();
            let (mut whole, mut broken) = (0, 0);
            for (id, expected) in &patient.commits {
                let target = tempfile::tempdir_in(patient.dir.path()).unwrap();
                let (root, observer) = (target.path().join("out"), RecordingObserver::new());
                let request = RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(*id, &root) };
                let restored = ops::restore(&repo, request, &observer);
                let is_whole = restored.is_ok() && observer.problems().is_empty();
                let lost = done.commits_lost.iter().map(|(id, _)| id);
                let mut named = lost.chain(done.incomplete.iter().map(|commit| &commit.id));
                // Of a commit that no entry names, and that cannot be read, nobody knows.
                let is_named = named.any(|named| named == id);
                let is_known = whole_log || repo.timeline().is_live(*id);
                assert_eq!(is_whole, !is_named && is_known, "{}: {id}", pack.name);
                if is_whole {
                    assert_eq!(differences(expected, &snapshot(&root).unwrap()), Vec::<String>::new());
                }
                if is_whole { whole += 1 } else { broken += 1 }
            }
            assert_eq!(whole + broken, patient.commits.len());
            breaks += usize::from(broken > 0);
            // Every ref stands on a live commit.
            assert!(repo.timeline().refs().values().all(|id| repo.timeline().is_live(*id)));
        }
    }
    assert!(breaks > 4, "only {breaks} losses broke anything");
}

#[test]
fn a_log_of_many_entries_says_the_same() {
    let patient = Patient::encrypted();
    patient.store.delete(&BlobName::new("log/0000000002").unwrap()).unwrap();
    let other = patient.fork();
    let one = patient.recover();
    let many = other.recover_with(RecoverRequest { entry_len: 0, ..RecoverRequest::default() }).unwrap();
    assert_eq!(one.entries_written, 1);
    assert!(many.entries_written > 15, "{}", many.entries_written);
    assert_eq!(other.blobs("log/").len() as u64, many.entries_written);
    assert_eq!((one.refs, one.commits), (many.refs, many.commits));
    let (one, many) = (patient.open().unwrap().state(), other.open().unwrap().state());
    assert_eq!((&one.commits, &one.parents, &one.refs), (&many.commits, &many.parents, &many.refs));
    assert!(one.packs == many.packs && one.devices == many.devices);
    other.is_well("many entries");
}

#[test]
fn the_last_entries_are_missed_by_who_has_seen_them_and_by_force() {
    let healthy = Patient::encrypted();
    let last = healthy.blobs("log/").pop().unwrap();
    healthy.store.delete(&last.name).unwrap();
    let patient = healthy.fork();
    let error = patient.open().unwrap_err();
    assert!(error.kind() == ErrorKind::Rollback && error.is_of_log(), "{error}");
    assert!(patient.recover().fault.unwrap().ends_with("which is gone"));

    let patient = Patient { memory: memory(), ..healthy.fork() };
    assert!(matches!(patient.recover_with(RecoverRequest::default()), Err(OpsError::Refused { .. })));
    let done = patient.recover_with(RecoverRequest { force: true, ..RecoverRequest::default() }).unwrap();
    assert_eq!((done.fault, done.entries_read), (None, done.entries_known));
    patient.is_well("by force");
}

#[test]
fn other_clients_just_open_and_the_old_log_does_not_come_back_unnoticed() {
    let patient = Patient::encrypted();
    let other = memory();
    patient.open_as(client_of(&other)).unwrap();
    let whole = patient.files();
    patient.store.delete(&BlobName::new("log/0000000003").unwrap()).unwrap();
    let done = patient.recover();
    let repo = patient.open_as(client_of(&other)).unwrap();
    assert_eq!(repo.seen_before(), SeenBefore::Never);
    assert_eq!(Some(repo.head().unwrap()), done.head);
    assert_eq!(patient.open().unwrap().seen_before(), SeenBefore::Same);

    // Somebody puts the old configuration and log back.
    patient.delete("config/");
    patient.delete("log/");
    for (name, bytes) in &whole {
        patient.store.put_new(name, &[bytes]).unwrap();
    }
    let error = patient.open().unwrap_err();
    assert!(matches!(error, RepoError::Replaced { .. }) && error.kind() == ErrorKind::Rollback, "{error}");
    let accepts = || Client { accept_rollback: true, ..client_of(&patient.memory) };
    assert!(matches!(patient.open_as(accepts()).unwrap().seen_before(), SeenBefore::PutBack { .. }));
    patient.open().unwrap();
}

/// A store in which another process recovers when this one has put the old entries aside.
#[derive(Debug)]
struct Overtaken {
    inner: Arc<MemoryStore>,
    /// Before a blob of this folder is stored.
    before: &'static str,
    other: std::sync::Mutex<Option<SimDisk>>,
}

impl StorageBackend for Overtaken {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<warp::store::Put, warp::store::StoreError> {
        if name.folder() == Some(self.before)
            && let Some(memory) = self.other.lock().unwrap().take()
        {
            let rebuild = Rebuild::open(self.inner.clone(), &password(), client_of(&memory)).unwrap();
            ops::recover(rebuild, RecoverRequest::default(), &Silent).unwrap();
        }
        self.inner.put_new(name, parts)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, warp::store::StoreError> {
        self.inner.get(name, max)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, warp::store::StoreError> {
        self.inner.read_at(name, offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, warp::store::StoreError> {
        self.inner.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, warp::store::StoreError> {
        self.inner.list(prefix)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), warp::store::StoreError> {
        self.inner.replace(name, bytes)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, warp::store::StoreError> {
        self.inner.delete(name)
    }
}

#[test]
fn of_two_recoveries_at_once_one_is_told_and_the_other_stands() {
    let healthy = Patient::encrypted();
    healthy.store.delete(&BlobName::new("log/0000000002").unwrap()).unwrap();
    for before in ["index", "lost", "config", "log"] {
        let patient = healthy.fork();
        let other = std::sync::Mutex::new(Some(memory()));
        let store = Arc::new(Overtaken { inner: patient.store.clone(), before, other });
        let rebuild = Rebuild::open(store, &password(), client_of(&patient.memory)).unwrap();
        let done = ops::recover(rebuild, RecoverRequest::default(), &Silent);
        assert!(matches!(done, Err(OpsError::Repo { source: RepoError::Busy })), "{before}: {done:?}");
        let repo = patient.is_well(before);
        let kept = repo.timeline().refs().iter().filter(|at| healthy.refs.get(at.0) == Some(at.1)).count();
        assert_eq!(kept, 3, "{before}");
    }
}

#[test]
fn a_checkpoint_says_what_the_entries_before_it_said() {
    let patient = Patient::encrypted();
    let repo = patient.open().unwrap();
    for number in 0..70 {
        repo.tag_create(&format!("many/{number}"), patient.refs["tags/v1"], false).unwrap();
    }
    drop(repo);
    let (entries, checkpoints) = (patient.blobs("log/"), patient.blobs("checkpoint/"));
    let [checkpoint] = &checkpoints[..] else { panic!("{checkpoints:?}") };
    let last = entries.len() as u64;

    // One that the checkpoint knows is missing: nobody minds but the check, and nothing is uncertain.
    let one = patient.fork();
    one.store.delete(&entries[3].name).unwrap();
    let stranger = || client_on(Arc::new(memory()), Path::new("/state"));
    one.open_as(stranger()).unwrap();
    let done = one.recover();
    assert_eq!((done.entries_read, done.entries_known, done.entries_missing), (last - 1, last, 0));
    assert_eq!((done.refs.len(), done.commits_unnamed.len()), (73, 0));
    assert!(one.blobs("checkpoint/").is_empty());
    one.is_well("before the checkpoint");

    // All are missing: nobody takes the checkpoint alone for the log.
    let all = patient.fork();
    all.delete("log/");
    for client in [stranger(), client_of(&all.memory)] {
        assert!(all.open_as(client).unwrap_err().is_of_log());
    }
    let done = all.recover();
    let known: u64 = checkpoint.name.as_str()["checkpoint/".len()..].parse().unwrap();
    assert_eq!((done.entries_read, done.entries_known, done.entries_missing), (0, last, last - known));
    assert_eq!((done.commits_unnamed.len(), done.commits_forgotten, done.branches.len()), (0, 2, 0));
    let refs = refs(&done);
    assert!(patient.refs.iter().all(|at| refs.get(at.0) == Some(at.1)));
    let repo = all.is_well("the checkpoint alone");
    assert!(repo.timeline().is_forgotten(patient.forgotten[0]));

    // It is heard once more after another loss.
    all.delete("log/");
    assert_eq!(all.recover().commits_forgotten, 2);
}

#[test]
fn entries_of_strangers_do_not_count() {
    let patient = Patient::encrypted();
    let stranger = Patient::encrypted();
    let entries = patient.blobs("log/");
    // An entry of another repository, one under another number, and one that a stranger's device has signed anew.
    patient.store.overwrite(&entries[3].name, stranger.bytes(&stranger.blobs("log/")[3].name));
    patient.store.overwrite(&entries[4].name, patient.bytes(&entries[5].name));
    let file = patient.bytes(&entries[6].name);
    let content = warp::cas::open_envelope(&file).unwrap().content;
    let (entry, _) = warp::format::log::LogEntry::decode(&content).unwrap();
    let signer = warp::crypto::Signer::generate().unwrap();
    let mut public = entry.public;
    public.device = signer.public();
    let bytes = public.encode().unwrap();
    let signature = signer.sign(&warp::format::log::signing_bytes(&bytes));
    let forged = warp::format::log::LogEntry::assemble(&bytes, &signature).unwrap();
    patient.store.overwrite(&entries[6].name, warp::cas::seal_envelope(&forged).unwrap());
    let done = patient.recover();
    let why: BTreeMap<_, _> = done.entry_faults.iter().cloned().collect();
    let said = |place: usize| why[entries[place].name.as_str()].as_str();
    assert_eq!(said(3), "log entry 4: it belongs to another repository");
    assert_eq!(said(4), "log entry 5: it carries another number");
    assert_eq!(said(6), "log entry 7: its device is not enrolled");
    assert_eq!(done.entries_read as usize, entries.len() - 3);
    patient.comes_back(&patient.open().unwrap(), "strangers");
}

/// The program: a repository with two commits, a tag and a branch.
fn home() -> (Home, PathBuf) {
    let home = Home::new();
    let source = home.path("source");
    let mut rng = Rng::new(3);
    fs::create_dir(&source).unwrap();
    fs::write(source.join("large"), rng.bytes(2 << 20)).unwrap();
    fs::write(source.join("text"), rng.text(50_000)).unwrap();
    home.done(&["commit", "-m", "first", source.to_str().unwrap()]);
    home.done(&["tag", "v1", "latest"]);
    fs::write(source.join("text"), rng.text(60_000)).unwrap();
    home.done(&["commit", "-m", "second", source.to_str().unwrap()]);
    (home, source)
}

#[test]
fn the_program_says_what_helps_and_does_it() {
    let (home, source) = home();
    let refused = home.run(&["recover"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(news(&refused).contains("nothing to recover: the log is whole"), "{}", news(&refused));
    fs::remove_dir_all(home.repo.join("log")).unwrap();
    fs::remove_dir_all(home.repo.join("index")).unwrap();
    for args in [&["log"][..], &["check"], &["check", "--fast"], &["check", "--read-data"], &["gc"]] {
        let output = home.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", news(&output));
        assert!(news(&output).contains("`warp recover`"), "{args:?}: {}", news(&output));
        // Nor does the way out of a rollback lead into an empty repository.
        let output = home.run(&[args, &["--accept-rollback"]].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", news(&output));
        assert!(news(&output).contains("`warp recover`"), "{args:?}: {}", news(&output));
    }
    let wrong = home.command(&["recover"]).env("WARP_PASSWORD", "guess").output().unwrap();
    assert_eq!(wrong.status.code(), Some(12), "{}", news(&wrong));
    let dry = home.run(&["recover", "-n"]);
    assert_eq!(dry.status.code(), Some(0), "{}", news(&dry));
    assert!(!home.repo.join("log").exists() && !home.repo.join("index").exists());
    let done = home.run(&["recover"]);
    assert_eq!(done.status.code(), Some(0), "{}", news(&done));
    let said = String::from_utf8(done.stdout.clone()).unwrap();
    assert!(said.starts_with("2 commits are live again\n branch recovered/"), "{said}");
    let head = home.done(&["head"]);
    assert!(news(&done).contains(&format!("its head is {}", head.trim())), "{head}: {}", news(&done));
    assert_eq!(home.done(&["log", "--oneline"]).lines().count(), 2);
    home.restored_is("latest", &source, &source);
    home.done(&["check", "--read-data"]);
    fs::write(source.join("more"), "more").unwrap();
    home.done(&["commit", "-m", "third", source.to_str().unwrap()]);
    home.done(&["gc", "--grace", "0"]);
    home.restored_is("latest", &source, &source);
}

#[test]
fn the_program_tells_programs_what_it_found() {
    let (home, _) = home();
    let entry = home.repo.join("log/0000000003");
    let mut bytes = fs::read(&entry).unwrap();
    bytes.fill(1);
    fs::write(&entry, bytes).unwrap();
    let output = home.run(&["--json", "recover"]);
    assert_eq!(output.status.code(), Some(0), "{}", news(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["message_type"], &said["dry_run"]), (&"recovered".into(), &false.into()));
    assert_eq!((&said["entries_read"], &said["entries_known"]), (&3.into(), &4.into()));
    assert_eq!(said["entry_faults"][0]["file"], "log/0000000003");
    assert_eq!(said["commits"], 2);
    // The entry that made the tag is lost.
    let refs = said["refs"].as_array().unwrap();
    assert_eq!((refs.len(), &refs[0]["made"]), (1, &false.into()), "{said}");
}

#[test]
fn configuration_log_and_index_come_back_one_after_the_other() {
    let (home, source) = home();
    fs::write(home.path("sheet"), home.done(&["key", "export"])).unwrap();
    fs::write(home.path("new"), "new password").unwrap();
    // The log is rebuilt once, so that the sheet is that of an older log.
    fs::remove_file(home.repo.join("log/0000000002")).unwrap();
    home.done(&["recover"]);
    let recover = ["key", "recover", "--sheet", "sheet", "--new-password-file", "new"];
    for lost in [&["config"][..], &["config", "log"], &["config", "log", "index"]] {
        lost.iter().for_each(|folder| fs::remove_dir_all(home.repo.join(folder)).unwrap());
        let output = home.run(&["log"]);
        assert!(news(&output).contains("`warp key recover --help`"), "{lost:?}: {}", news(&output));
        let output = home.run(&recover);
        assert_eq!(output.status.code(), Some(0), "{lost:?}: {}", news(&output));
        if lost.contains(&"log") {
            assert!(news(&output).contains("run `warp recover` next"), "{lost:?}: {}", news(&output));
            home.done(&["recover", "--password-file", "new"]);
        }
        home.done(&["check", "--password-file", "new"]);
        home.done(&["key", "passwd", "--password-file", "new", "--new-password-file", "new"]);
        let out = tempfile::tempdir_in(home.dir.path()).unwrap();
        let to = out.path().join("out");
        home.done(&[
            "restore",
            "--password-file",
            "new",
            "--source",
            "latest",
            "--target",
            to.to_str().unwrap(),
        ]);
        assert_same_tree(&source, &to.join(source.strip_prefix("/").unwrap()));
    }
}

#[test]
fn packs_from_before_a_rotation_of_the_keys_are_known_as_such_in_the_new_log_and_in_a_bundle() {
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let mut rng = Rng::new(5);
    for name in ["first", "second"] {
        fs::write(source.join(name), rng.bytes(2 << 20)).unwrap();
        home.done(&["commit", source.to_str().unwrap(), "-m", name]);
        if name == "first" {
            home.done(&["key", "rotate"]);
        }
    }
    fs::remove_dir_all(home.repo.join("log")).unwrap();
    home.done(&["recover"]);
    home.done(&["check", "--read-data"]);
    let under_older = |place: &Path| {
        let output = home.command(&["-r", place.to_str().unwrap(), "stats", "--json"]).output().unwrap();
        let stats: Value = serde_json::from_slice(&output.stdout).unwrap();
        stats["packs_old_key"].as_u64().unwrap_or_else(|| panic!("{stats}"))
    };
    assert!(under_older(&home.repo) > 0);

    // A bundle is sealed under the newest key, so what it brings is not old.
    let (bundle, clone) = (home.path("all.warp"), home.path("clone"));
    home.done(&["bundle", "create", bundle.to_str().unwrap()]);
    home.done(&["bundle", "unbundle", bundle.to_str().unwrap(), "--init", clone.to_str().unwrap()]);
    assert_eq!(under_older(&clone), 0);

    home.done(&["repack", "--old-keys"]);
    assert_eq!(under_older(&home.repo), 0);
    home.done(&["check", "--read-data"]);
    home.restored_is("latest", &source, &source);
}
