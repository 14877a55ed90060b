//! Every byte of a repository flipped, every blob of it truncated, emptied, removed and swapped: what comes of it is an
//! error that says something, or exactly what was committed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;
use warp::ops::{self, RestoreRequest};
use warp::repo::{Client, Repository, ResolveContext};
use warp::store::{BlobInfo, BlobName, MemoryStore, StorageBackend};
use warp::testing::{RecordingObserver, Rng, SimDisk, TreeSnapshot, differences, snapshot};

use crate::common::{client_on, create, password, request};

/// A repository in memory with two commits, and what the second one holds.
struct Victim {
    store: Arc<MemoryStore>,
    /// The client that made it: it remembers the head of the log.
    client: Client,
    expected: TreeSnapshot,
    dir: tempfile::TempDir,
}

impl Victim {
    /// `len`: bytes of its largest file.
    fn new(len: usize) -> Self {
        let dir = if Path::new("/dev/shm").is_dir() {
            tempfile::tempdir_in("/dev/shm")
        } else {
            tempfile::tempdir()
        };
        let dir = dir.unwrap();
        let source = dir.path().join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::write(source.join("large"), Rng::new(1).bytes(len)).unwrap();
        fs::write(source.join("sub/small"), "a few bytes").unwrap();
        fs::write(source.join("empty"), "").unwrap();
        std::os::unix::fs::symlink("sub/small", source.join("link")).unwrap();
        let store = Arc::new(MemoryStore::new());
        let client = client_on(Arc::new(SimDisk::new()), Path::new("/state"));
        let repo = create(store.clone(), client.clone());
        ops::commit(&repo, request(&source), &RecordingObserver::new()).unwrap();
        fs::write(source.join("sub/second"), "only in the second commit").unwrap();
        ops::commit(&repo, request(&source), &RecordingObserver::new()).unwrap();
        let expected = snapshot(&source).unwrap();
        Self { store, client, expected, dir }
    }

    fn blobs(&self) -> Vec<BlobInfo> {
        let folders = ["config/", "log/", "packs/", "index/"];
        folders.iter().flat_map(|folder| self.store.list(folder).unwrap()).collect()
    }

    fn bytes(&self, name: &BlobName) -> Vec<u8> {
        self.store.get(name, u64::MAX).unwrap()
    }

    fn with(&self, name: &BlobName, bytes: Vec<u8>) -> MemoryStore {
        let store = self.store.fork();
        store.overwrite(name, bytes);
        store
    }

    /// Opens, resolves and restores; checks that what comes back is right or named. Returns whether all of it was right.
    fn check(&self, store: MemoryStore, client: &Client, what: &str) -> bool {
        let target = tempfile::tempdir_in(self.dir.path()).unwrap();
        let root = target.path().join("target");
        let restored = catch_unwind(AssertUnwindSafe(|| restore(store, client, &root)));
        let restored = restored.unwrap_or_else(|_| panic!("{what}: panicked"));
        let problems = match restored {
            Err(error) => {
                assert!(error.to_string().len() > 10, "{what}: says only {error:?}");
                // What was written before the error is not claimed to be complete.
                return false;
            }
            Ok(problems) => problems,
        };
        let found = snapshot(&root).unwrap();
        let differences = differences(&self.expected, &found);
        if problems.is_empty() {
            assert!(differences.is_empty(), "{what}: success, but {differences:?}");
            return true;
        }
        for line in differences {
            // A directory's time shows what happened below it.
            let named = |(path, _): &(PathBuf, String)| {
                let path = path.strip_prefix(&root).unwrap_or(path);
                line.starts_with(&format!("{path:?}:"))
                    || line.starts_with(&format!("{:?}", path).trim_end_matches('"').to_owned())
            };
            assert!(problems.iter().any(named), "{what}: {line}, but named are only {problems:?}");
        }
        false
    }
}

fn restore(
    store: MemoryStore,
    client: &Client,
    target: &Path,
) -> Result<Vec<(PathBuf, String)>, Box<dyn std::error::Error>> {
    let repo = Repository::open(Arc::new(store), &password(), client.clone())?;
    let commit = repo.resolve("latest", &ResolveContext::default())?;
    let observer = RecordingObserver::new();
    let request = RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(commit, target) };
    let outcome = ops::restore(&repo, request, &observer)?;
    assert_eq!(outcome.problems, observer.problems().len() as u64);
    Ok(observer.problems())
}

/// A client that has never seen the repository.
fn stranger() -> Client {
    client_on(Arc::new(SimDisk::new()), Path::new("/state"))
}

/// Flips bytes of every blob, one at a time, at `most` about evenly spread places of each; prints how many flips changed nothing that matters.
fn flip_bytes(victim: &Victim, most: usize) {
    assert!(victim.check(victim.store.fork(), &victim.client, "nothing is damaged"));
    let (mut flips, mut harmless) = (0, 0);
    for (number, blob) in victim.blobs().into_iter().enumerate() {
        let bytes = victim.bytes(&blob.name);
        let step = bytes.len().div_ceil(most);
        let places: Vec<usize> = (number % step..bytes.len()).step_by(step).collect();
        flips += places.len();
        harmless += places
            .into_par_iter()
            .filter(|&place| {
                let mut damaged = bytes.clone();
                // Another pattern at each place: low bits, high bits, all bits.
                damaged[place] ^= [0x01, 0x80, 0xff, 0x10][place / step % 4];
                let known = (place / step).is_multiple_of(2);
                let client = if known { victim.client.clone() } else { stranger() };
                victim.check(victim.with(&blob.name, damaged), &client, &format!("{} at {place}", blob.name))
            })
            .count();
    }
    println!("{flips} bytes flipped, {harmless} without effect");
    assert!(flips > 1000 && harmless == flips, "of {flips} flipped bytes {} did harm", flips - harmless);
}

#[test]
fn no_flipped_byte_of_a_small_repository_does_harm() {
    flip_bytes(&Victim::new(2000), usize::MAX);
}

#[test]
fn a_byte_flipped_anywhere_in_a_repository_with_an_index_does_no_harm() {
    let victim = Victim::new(5 << 18);
    assert!(victim.blobs().iter().any(|blob| blob.name.folder() == Some("index")), "it has no index");
    flip_bytes(&victim, 250);
}

#[test]
fn every_truncated_emptied_or_lengthened_blob_is_an_error_or_harmless() {
    for len in [2000, 5 << 18] {
        let victim = Victim::new(len);
        for blob in victim.blobs() {
            let bytes = victim.bytes(&blob.name);
            let last = bytes.len() - 1;
            for keep in [
                0,
                1,
                7,
                8,
                16,
                31,
                32,
                33,
                64,
                100,
                512,
                last / 3,
                last / 2,
                last - 31,
                last - 32,
                last - 8,
                last,
            ] {
                let kept = bytes[..keep.min(last)].to_vec();
                for client in [&victim.client, &stranger()] {
                    victim.check(
                        victim.with(&blob.name, kept.clone()),
                        client,
                        &format!("{} cut to {keep}", blob.name),
                    );
                }
            }
            let longer = [&bytes[..], &[0; 100]].concat();
            victim.check(
                victim.with(&blob.name, longer),
                &victim.client,
                &format!("{} lengthened", blob.name),
            );
            let zeros = vec![0; bytes.len()];
            victim.check(victim.with(&blob.name, zeros), &victim.client, &format!("{} zeroed", blob.name));
        }
    }
}

#[test]
fn every_removed_or_swapped_blob_is_an_error_or_harmless() {
    for len in [2000, 5 << 18] {
        let victim = Victim::new(len);
        let blobs = victim.blobs();
        for blob in &blobs {
            let store = victim.store.fork();
            store.delete(&blob.name).unwrap();
            let whole = victim.check(store, &victim.client, &format!("{} removed", blob.name));
            // The configuration has a copy, and directories of packs serve as index.
            let copied = matches!(blob.name.folder(), Some("config" | "index"));
            assert!(whole == copied || blob.name.folder() == Some("packs"), "{} removed: {whole}", blob.name);
            // A twin of another kind is as good as one of its own.
            for other in blobs.iter().filter(|other| other.name != blob.name) {
                let store = victim.with(&blob.name, victim.bytes(&other.name));
                store.overwrite(&other.name, victim.bytes(&blob.name));
                victim.check(store, &victim.client, &format!("{} and {} swapped", blob.name, other.name));
            }
        }
    }
}

#[test]
fn a_repository_whose_configuration_is_lost_says_so() {
    let victim = Victim::new(100);
    let store = victim.store.fork();
    for blob in store.list("config/").unwrap() {
        store.overwrite(&blob.name, vec![7; 300]);
    }
    let error = Repository::open(Arc::new(store), &password(), victim.client).unwrap_err();
    assert!(matches!(error, warp::repo::RepoError::ConfigLost { .. }), "{error:?}");
}

#[test]
fn a_copy_of_the_configuration_that_a_killed_writer_owed_is_written_with_the_next_entry() {
    let victim = Victim::new(100);
    let copies = victim.store.list("config/").unwrap();
    assert_eq!(copies.len(), 2);
    for lost in &copies {
        let store = Arc::new(victim.store.fork());
        store.delete(&lost.name).unwrap();
        let repo = Repository::open(store.clone(), &password(), stranger()).unwrap();
        assert_eq!(store.list("config/").unwrap().len(), 1, "opening writes nothing");
        repo.tag_create("next", repo.timeline().commits()[0], false).unwrap();
        assert_eq!(store.list("config/").unwrap(), copies);
        assert_eq!(store.get(&lost.name, 1 << 20).unwrap(), victim.bytes(&lost.name));
    }
}

#[test]
fn a_log_with_an_entry_missing_in_its_middle_is_refused_also_by_a_stranger() {
    let victim = Victim::new(100);
    for number in 1..=2 {
        for client in [victim.client.clone(), stranger()] {
            let store = victim.store.fork();
            store.delete(&BlobName::new(&format!("log/{number:010}")).unwrap()).unwrap();
            let error = Repository::open(Arc::new(store), &password(), client).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("log entry {number}: it is missing, but later ones are there")
            );
        }
    }
    assert!(victim.check(victim.store.fork(), &victim.client, "the client still knows the newest entry"));
}
