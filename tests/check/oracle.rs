//! A restore of every commit is the oracle: what a check lets pass comes back bit by bit, and what it names is what does not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{self, CheckReport, CheckRequest, OpsError, ReadData, RestoreRequest, SealedRequest};
use warp::repo::Repository;
use warp::store::{BlobInfo, BlobName, MemoryStore, StorageBackend};
use warp::testing::{RecordingObserver, Rng, SimDisk, TreeSnapshot, differences, snapshot};

use crate::common::{client_on, create, password, request};

/// A repository in memory, and what each of its commits holds.
pub(crate) struct Victim {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) commits: Vec<(CommitId, TreeSnapshot)>,
    dir: tempfile::TempDir,
}

const VERSIONS: usize = 4;

impl Victim {
    /// Files that change a little from commit to commit, so that many are differences to older ones.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("source");
        let mut rng = Rng::new(5);
        fs::create_dir_all(source.join("a/b")).unwrap();
        fs::write(source.join("large"), rng.bytes(2 << 20)).unwrap();
        for number in 0..30 {
            let folder = ["", "a", "a/b"][number % 3];
            fs::write(source.join(folder).join(format!("text-{number}")), rng.text(40_000)).unwrap();
        }
        let store = Arc::new(MemoryStore::new());
        let mut victim = Self { store, commits: Vec::new(), dir };
        let repo = create(victim.store.clone(), stranger());
        for version in 0..VERSIONS {
            victim.commit(&repo, &source);
            for number in (version..30).step_by(4) {
                let path = source.join(["", "a", "a/b"][number % 3]).join(format!("text-{number}"));
                let mut text = fs::read(&path).unwrap();
                let at = rng.below(text.len());
                text.splice(at..at, rng.bytes(12));
                fs::write(path, text).unwrap();
            }
        }
        victim
    }

    /// Restores the versions of the sound repository and shows each.
    pub(crate) fn each_version(&self, mut see: impl FnMut(&Path)) {
        let repo = Repository::open(self.store.clone(), &password(), stranger()).unwrap();
        for (commit, _) in &self.commits {
            let target = tempfile::tempdir_in(self.dir.path()).unwrap();
            let root = target.path().join("source");
            ops::restore(&repo, RestoreRequest::new(*commit, &root), &Silent).unwrap();
            see(&root);
        }
    }

    fn commit(&mut self, repo: &Repository, source: &Path) {
        let done = ops::commit(repo, request(source), &Silent).unwrap();
        self.commits.push((done.commit.unwrap(), snapshot(source).unwrap()));
    }

    pub(crate) fn blobs(&self, folders: &[&str]) -> Vec<BlobInfo> {
        folders.iter().flat_map(|folder| self.store.list(folder).unwrap()).collect()
    }

    pub(crate) fn bytes(&self, name: &BlobName) -> Vec<u8> {
        self.store.get(name, u64::MAX).unwrap()
    }

    pub(crate) fn with(&self, name: &BlobName, bytes: Vec<u8>) -> Arc<MemoryStore> {
        let store = self.store.fork();
        store.overwrite(name, bytes);
        Arc::new(store)
    }

    /// The paths that do not come back, with the number of their commit; `None`: of one commit nothing comes back.
    pub(crate) fn lost(&self, store: &Arc<MemoryStore>) -> Option<BTreeSet<(usize, PathBuf)>> {
        let repo = Repository::open(store.clone(), &password(), stranger()).ok()?;
        let mut lost = BTreeSet::new();
        for (number, (commit, expected)) in self.commits.iter().enumerate() {
            let target = tempfile::tempdir_in(self.dir.path()).unwrap();
            let root = target.path().join("out");
            let observer = RecordingObserver::new();
            let request = RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(*commit, &root) };
            ops::restore(&repo, request, &observer).ok()?;
            let relative = |path: PathBuf| path.strip_prefix(&root).map(Path::to_owned).unwrap_or(path);
            let problems = observer.problems();
            if problems.is_empty() {
                assert_eq!(differences(expected, &snapshot(&root).unwrap()), Vec::<String>::new());
            }
            lost.extend(problems.into_iter().map(|(path, _)| (number, relative(path))));
        }
        Some(lost)
    }

    /// Every path that the report names, with the number of its commit.
    pub(crate) fn named(&self, report: &CheckReport) -> BTreeSet<(usize, PathBuf)> {
        let number = |place: u32| {
            let id = report.commits[place as usize];
            self.commits.iter().position(|(commit, _)| *commit == id).unwrap()
        };
        let paths = report.findings.iter().flat_map(|finding| &finding.paths);
        paths
            .flat_map(|path| {
                let name = PathBuf::from(String::from_utf8(path.path.clone()).unwrap());
                path.commits.iter().map(move |place| (number(*place), name.clone()))
            })
            .collect()
    }
}

/// A client that has never seen the repository.
pub(crate) fn stranger() -> warp::repo::Client {
    client_on(Arc::new(SimDisk::new()), Path::new("/state"))
}

pub(crate) const ALL: CheckRequest =
    CheckRequest { data: ReadData::All, seed: None, max_age: None, threads: 2 };

/// Checks through a client that has never seen the repository.
pub(crate) fn check(store: &Arc<MemoryStore>, request: CheckRequest) -> Result<CheckReport, OpsError> {
    let repo = Repository::open(store.clone(), &password(), stranger())?;
    ops::check(&repo, request, &Silent)
}

fn check_sealed(store: &Arc<MemoryStore>) -> CheckReport {
    let request = SealedRequest { read_packs: true, threads: 2 };
    ops::check_sealed(store.as_ref(), request, &Silent).unwrap()
}

/// One random damage to one blob.
fn damage(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let at = rng.below(bytes.len());
    let end = bytes.len().min(at + 1 + rng.below(2000));
    match rng.below(5) {
        0 | 1 => bytes[at] ^= 1 << rng.below(8),
        2 => bytes[at..end].fill(0),
        3 => bytes.truncate(at),
        _ => drop(bytes.drain(at..end)),
    }
}

#[test]
fn what_a_check_lets_pass_comes_back_bit_by_bit_and_what_does_not_come_back_fails_the_check() {
    let victim = Victim::new();
    assert!(check(&victim.store, ALL).unwrap().is_clean());
    assert_eq!(victim.lost(&victim.store), Some(BTreeSet::new()));
    let blobs = victim.blobs(&["log/", "packs/", "index/"]);
    let mut rng = Rng::new(99);
    let (mut passed, mut failed) = (0, 0);
    for round in 0..100 {
        let blob = &blobs[rng.below(blobs.len())].name;
        let mut bytes = victim.bytes(blob);
        damage(&mut rng, &mut bytes);
        let is_same = bytes == victim.bytes(blob);
        let store = victim.with(blob, bytes);
        let is_clean = check(&store, ALL).is_ok_and(|report| report.is_clean());
        let lost = victim.lost(&store);
        let is_right = lost.as_ref().is_some_and(BTreeSet::is_empty);
        assert!(is_right || !is_clean, "round {round}: {blob} passes, but {lost:?}");
        assert_eq!(is_clean, is_same, "round {round}: {blob}");
        assert_eq!(check_sealed(&store).is_clean(), is_same, "round {round}: {blob}, by hashes alone");
        if is_clean { passed += 1 } else { failed += 1 }
    }
    assert!(failed > 80, "{failed} failed, {passed} passed");
}

#[test]
fn the_paths_that_are_named_are_those_that_do_not_come_back() {
    let victim = Victim::new();
    let packs = victim.blobs(&["packs/"]);
    // The pack of data: the largest one.
    let data = &packs.iter().max_by_key(|blob| blob.len).unwrap().name;
    let (bytes, mut rng) = (victim.bytes(data), Rng::new(3));
    let mut with_deltas = 0;
    for _ in 0..12 {
        let mut damaged = bytes.clone();
        let stretch = bytes.len() / 9;
        let at = 30_000 + rng.below(bytes.len() - stretch - 60_000);
        damaged[at] ^= 4;
        // One byte parity brings back.
        let report = check(&victim.with(data, damaged.clone()), ALL).unwrap();
        assert!(victim.named(&report).is_empty() && report.findings[0].shards.unwrap().can_be_healed());
        damaged[at..at + stretch].fill(7);
        let store = victim.with(data, damaged);
        let report = check(&store, ALL).unwrap();
        let files: BTreeSet<_> = report.findings.iter().map(|finding| finding.file.as_str()).collect();
        assert_eq!(files, [data.as_str()].into(), "{:?}", report.findings);
        let lost = victim.lost(&store).expect("all else comes back");
        assert!(!report.findings[0].shards.unwrap().can_be_healed());
        assert_eq!(victim.named(&report), lost, "overwritten from {at} on");
        // The first version holds what the others are differences to.
        let later =
            lost.iter().filter(|(number, path)| *number > 0 && path.to_string_lossy().contains("text"));
        with_deltas += later.count();
        assert!(!lost.is_empty(), "overwritten from {at} on");
    }
    assert!(with_deltas > 0, "no difference to anything damaged was met");
}

#[test]
fn what_a_missing_pack_held_is_named() {
    let victim = Victim::new();
    for blob in victim.blobs(&["packs/"]) {
        let store = victim.store.fork();
        store.delete(&blob.name).unwrap();
        let store = Arc::new(store);
        for request in [CheckRequest::default(), ALL] {
            let report = check(&store, request).unwrap();
            let of_pack = report.findings.iter().find(|finding| finding.file == blob.name.as_str()).unwrap();
            assert_eq!(of_pack.kind, ops::FindingKind::Missing, "{of_pack:?}");
            assert!(!of_pack.paths.is_empty(), "{}: no path", blob.name);
            let others: Vec<_> =
                report.findings.iter().filter(|finding| finding.file != of_pack.file).collect();
            assert!(others.is_empty(), "{others:?}");
        }
    }
}

#[test]
fn a_missing_segment_loses_no_path_and_is_the_only_error() {
    let victim = Victim::new();
    for blob in victim.blobs(&["index/"]) {
        let store = victim.store.fork();
        store.delete(&blob.name).unwrap();
        let report = check(&Arc::new(store), ALL).unwrap();
        let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
        assert_eq!((finding.file.as_str(), finding.paths.len()), (blob.name.as_str(), 0));
        let told = finding.faults.last().unwrap();
        assert!(told.starts_with("it is a part of the index: until it is back"), "{:?}", finding.faults);
    }
}

#[test]
fn every_damaged_file_is_told_when_there_are_many() {
    let victim = Victim::new();
    let store = victim.store.fork();
    let blobs = victim.blobs(&["packs/", "index/"]);
    for blob in &blobs {
        let mut bytes = victim.bytes(&blob.name);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        store.overwrite(&blob.name, bytes);
    }
    let store = Arc::new(store);
    let names: BTreeSet<&str> = blobs.iter().map(|blob| blob.name.as_str()).collect();
    for report in [check(&store, ALL).unwrap(), check_sealed(&store)] {
        let told: BTreeSet<&str> = report.findings.iter().map(|finding| finding.file.as_str()).collect();
        assert_eq!(told, names);
    }
}

#[test]
fn every_flipped_byte_of_a_small_repository_is_told_by_hashes_alone_and_named_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    let repo = create(store.clone(), stranger());
    for text in ["a few bytes", "a few other bytes"] {
        fs::write(dir.path().join("file"), text).unwrap();
        ops::commit(&repo, request(dir.path()), &Silent).unwrap();
    }
    let victim = Victim { store, commits: Vec::new(), dir };
    assert!(check_sealed(&victim.store).is_clean());
    for blob in victim.blobs(&["config/", "log/", "packs/"]) {
        let bytes = victim.bytes(&blob.name);
        (0..bytes.len()).into_par_iter().for_each(|place| {
            let mut damaged = bytes.clone();
            damaged[place] ^= [0x01, 0x80, 0xff, 0x10][place % 4];
            let report = check_sealed(&victim.with(&blob.name, damaged));
            let told = report.findings.iter().any(|finding| finding.file.starts_with(blob.name.as_str()));
            assert!(told, "{} flipped at {place}: {:?}", blob.name, report.findings);
        });
    }
}
