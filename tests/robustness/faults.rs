//! A commit whose disk fails, or whose process dies, at each of its operations: the old head or the new one, and what was
//! committed before comes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::id::CommitId;
use warp::ops::{self, RestoreRequest};
use warp::repo::{Draft, Repository, ResolveContext};
use warp::store::{LocalStore, Vfs};
use warp::testing::{Fault, FaultVfs, RecordingObserver, SimDisk, assert_same_tree};

use crate::common::{client_on, create, password, request};

pub(crate) const FAULTS: [Fault; 6] =
    [Fault::Kill, Fault::Torn, Fault::Eio, Fault::Short, Fault::Full, Fault::SyncFails];

pub(crate) fn open(vfs: Arc<dyn Vfs>) -> Repository {
    let store = LocalStore::open("/repo", vfs.clone()).unwrap();
    Repository::open(Arc::new(store), &password(), client_on(vfs, Path::new("/state"))).unwrap()
}

fn latest(repo: &Repository) -> CommitId {
    repo.resolve("latest", &ResolveContext::default()).unwrap()
}

/// The commit comes back as `expected`.
fn check(repo: &Repository, commit: CommitId, expected: &Path) {
    let target = tempfile::tempdir().unwrap();
    let root = target.path().join("out");
    let observer = RecordingObserver::new();
    let request = RestoreRequest { verify: true, threads: 1, ..RestoreRequest::new(commit, &root) };
    ops::restore(repo, request, &observer).unwrap();
    assert_eq!(observer.problems(), []);
    assert_same_tree(expected, &root);
}

/// A disk with a repository and a commit of `tree` in it.
fn disk_with(tree: &Path) -> (SimDisk, CommitId) {
    let disk = SimDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    for folder in ["/repo", "/state"] {
        vfs.create_dir(Path::new(folder)).unwrap();
    }
    vfs.sync_dir(Path::new("/")).unwrap();
    let store = Arc::new(LocalStore::create("/repo", vfs.clone()).unwrap());
    let repo = create(store, client_on(vfs, Path::new("/state")));
    let outcome = ops::commit(&repo, request(tree), &RecordingObserver::new()).unwrap();
    (disk, outcome.commit.unwrap())
}

struct Trees {
    _dir: tempfile::TempDir,
    first: PathBuf,
    second: PathBuf,
}

fn trees() -> Trees {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    for (tree, text) in [(&first, "first"), (&second, "second")] {
        fs::create_dir(tree).unwrap();
        fs::write(tree.join("file"), text).unwrap();
    }
    Trees { _dir: dir, first, second }
}

#[test]
fn a_commit_that_fails_at_any_operation_leaves_the_old_head_or_the_new_one() {
    let trees = trees();
    let (disk, _) = disk_with(&trees.first);
    let counting = FaultVfs::counting(Arc::new(disk));
    let repo = open(counting.clone());
    let before = counting.operations();
    ops::commit(&repo, request(&trees.second), &RecordingObserver::new()).unwrap();
    let operations = counting.operations() - before;
    assert!(operations > 8, "only {operations} operations were counted");
    let (mut failed, mut succeeded) = (0, 0);
    for (fault, at) in FAULTS.into_iter().flat_map(|fault| (0..operations).map(move |at| (fault, at))) {
        for power in [None, Some(0), Some(1), Some(at + 2)] {
            let what = format!("{fault:?} at {at}, power cut {power:?}");
            let (disk, old) = disk_with(&trees.first);
            let repo = open(FaultVfs::new(Arc::new(disk.clone()), fault, before + at));
            let outcome = ops::commit(&repo, request(&trees.second), &RecordingObserver::new());
            drop(repo);
            let disk: Arc<dyn Vfs> = Arc::new(power.map_or(disk.clone(), |seed| disk.power_cut(seed)));
            let repo = open(disk.clone());
            let now = latest(&repo);
            if let Ok(outcome) = &outcome {
                assert_eq!(Some(now), outcome.commit, "{what}: an acknowledged commit is gone");
            }
            if now == old {
                failed += 1
            } else {
                succeeded += 1
            }
            check(&repo, old, &trees.first);
            if now != old {
                check(&repo, now, &trees.second);
            }
            let again = ops::commit(&repo, request(&trees.second), &RecordingObserver::new());
            let again = again.unwrap_or_else(|error| panic!("{what}: the next commit fails: {error}"));
            assert_eq!(again.commit.is_none(), now != old, "{what}");
            check(&open(disk), latest(&repo), &trees.second);
        }
    }
    println!(
        "{operations} operations; the old head stayed {failed} times, {succeeded} times it was the new one"
    );
    assert!(failed > 0 && succeeded > 0);
}

#[test]
fn a_commit_that_writes_a_checkpoint_and_fails_at_any_operation_loses_nothing() {
    let trees = trees();
    let (disk, first) = disk_with(&trees.first);
    let repo = open(Arc::new(disk.clone()));
    while repo.state().number < 63 {
        repo.append(&mut |_| Ok(Draft::default())).unwrap();
    }
    drop(repo);
    let commit = |repo: &Repository| ops::commit(repo, request(&trees.second), &RecordingObserver::new());
    let checkpoints = |repo: &Repository| repo.chunks().vault().store().list("checkpoint/").unwrap().len();
    let mut written = 0;
    let operations = at_every_operation(
        &disk,
        commit,
        |done| drop(done.unwrap()),
        |disk, outcome, what| {
            let repo = open(Arc::new(disk.clone()));
            if let Ok(outcome) = outcome {
                assert_eq!(Some(latest(&repo)), outcome.commit, "{what}: an acknowledged commit is gone");
            }
            written += checkpoints(&repo);
            assert_eq!(repo.check_checkpoints().unwrap().len(), 0, "{what}");
            check(&repo, first, &trees.first);
            commit(&repo).unwrap_or_else(|error| panic!("{what}: the next commit fails: {error}"));
            check(&open(Arc::new(disk)), latest(&repo), &trees.second);
        },
    );
    println!("{operations} operations; {written} left a checkpoint");
    assert!(written > 0 && written < operations as usize * FAULTS.len());
}

/// Runs an operation whole, which `is_done` looks at, and then with each fault at each of its operations of the disk, in half of
/// the cases followed by a cut of the power. `then` gets the disk as it is after that, what the operation said, and what was
/// done to it. Returns how many operations there are.
pub(crate) fn at_every_operation<T>(
    template: &SimDisk,
    run: impl Fn(&Repository) -> T,
    is_done: impl FnOnce(T),
    then: impl FnMut(SimDisk, T, &str),
) -> u64 {
    at_every_operation_on(template, open, run, is_done, then)
}

/// The same for an operation on what `open` makes of a disk; opening is no part of the operation.
pub(crate) fn at_every_operation_on<R, T>(
    template: &SimDisk,
    open: impl Fn(Arc<dyn Vfs>) -> R,
    run: impl Fn(&R) -> T,
    is_done: impl FnOnce(T),
    mut then: impl FnMut(SimDisk, T, &str),
) -> u64 {
    // Of a disk on which all is synced, cuts of the power are copies.
    let fresh = || template.power_cut(0);
    let counting = FaultVfs::counting(Arc::new(fresh()));
    let repo = open(counting.clone());
    let before = counting.operations();
    is_done(run(&repo));
    let operations = counting.operations() - before;
    for (number, fault) in (0..).zip(FAULTS) {
        for at in 0..operations {
            let power = if (at + number) % 2 == 0 { None } else { Some((at + number) % 7) };
            let disk = fresh();
            let repo = open(FaultVfs::new(Arc::new(disk.clone()), fault, before + at));
            let outcome = run(&repo);
            drop(repo);
            let disk = power.map_or(disk.clone(), |seed| disk.power_cut(seed));
            then(disk, outcome, &format!("{fault:?} at {at}, power cut {power:?}"));
        }
    }
    operations
}
