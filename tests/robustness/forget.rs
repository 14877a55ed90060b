//! Forgetting while the disk fails, or the process dies, at each of its operations: either all that was asked is forgotten or
//! nothing is, and what is kept comes back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{self, CommitRequest, ForgetRequest, RestoreRequest};
use warp::repo::Repository;
use warp::store::{LocalStore, Vfs};
use warp::testing::{FaultVfs, RecordingObserver, Rng, SimDisk, assert_same_tree};

use crate::common::program::{Home, news, rounds};
use crate::common::{client_on, create, request};
use crate::faults::{FAULTS, open};

/// A disk with a repository of five commits of a folder, oldest first.
fn disk_with_history(tree: &Path) -> (SimDisk, Vec<CommitId>) {
    let disk = SimDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    for folder in ["/repo", "/state"] {
        vfs.create_dir(Path::new(folder)).unwrap();
    }
    vfs.sync_dir(Path::new("/")).unwrap();
    let repo = create(
        Arc::new(LocalStore::create("/repo", vfs.clone()).unwrap()),
        client_on(vfs, Path::new("/state")),
    );
    let one = |day: i64| {
        let time = Timestamp { secs: day * 86_400, nanos: 0 };
        let request = CommitRequest { time, allow_empty: true, ..request(tree) };
        ops::commit(&repo, request, &Silent).unwrap().commit.unwrap()
    };
    let commits = (0..5).map(one).collect();
    (disk, commits)
}

/// The last commit and the one in the middle, by force: the branch moves in the same step.
fn forgetting(commits: &[CommitId]) -> ForgetRequest {
    ForgetRequest { commits: vec![commits[2], commits[4]], force: true, ..ForgetRequest::default() }
}

fn check(repo: &Repository, commit: CommitId, tree: &Path, what: &str) {
    let target = tempfile::tempdir().unwrap();
    let root = target.path().join("out");
    let observer = RecordingObserver::new();
    let request = RestoreRequest { threads: 1, ..RestoreRequest::new(commit, &root) };
    ops::restore(repo, request, &observer).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(observer.problems(), [], "{what}");
    assert_same_tree(tree, &root);
}

#[test]
fn a_forget_that_fails_at_any_operation_forgets_all_that_was_asked_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path();
    fs::write(tree.join("text"), "text").unwrap();
    let (template, commits) = disk_with_history(tree);
    let fresh = || template.power_cut(0);
    let counting = FaultVfs::counting(Arc::new(fresh()));
    let repo = open(counting.clone());
    let before = counting.operations();
    let request = forgetting(&commits);
    assert_eq!(ops::forget(&repo, &request, &Silent).unwrap().forgotten.len(), 2);
    let operations = counting.operations() - before;
    assert!(operations > 4, "only {operations} operations were counted");
    let (mut old, mut new) = (0, 0);
    for (fault, at) in FAULTS.into_iter().flat_map(|fault| (0..operations).map(move |at| (fault, at))) {
        for power in [None, Some(0), Some(1), Some(at + 2)] {
            let what = format!("{fault:?} at {at}, power cut {power:?}");
            let disk = fresh();
            let repo = open(FaultVfs::new(Arc::new(disk.clone()), fault, before + at));
            let outcome = ops::forget(&repo, &request, &Silent);
            drop(repo);
            let disk: Arc<dyn Vfs> = Arc::new(power.map_or(disk.clone(), |seed| disk.power_cut(seed)));
            let repo = open(disk.clone());
            let timeline = repo.timeline();
            let live = commits.iter().map(|id| timeline.is_live(*id)).collect::<Vec<_>>();
            match (live.as_slice(), timeline.branch("main")) {
                ([true, true, true, true, true], Some(head)) if head == commits[4] => old += 1,
                ([true, true, false, true, false], Some(head)) if head == commits[3] => new += 1,
                found => panic!("{what}: neither old nor new: {found:?}"),
            }
            assert!(outcome.is_err() || !live[4], "{what}: it said that it was done");
            check(&repo, timeline.branch("main").unwrap(), tree, &what);
            let again = ops::forget(&repo, &request, &Silent);
            again.unwrap_or_else(|error| panic!("{what}: the next forget fails: {error}"));
            assert_eq!(open(disk).timeline().branch("main"), Some(commits[3]), "{what}");
        }
    }
    println!("{operations} operations; {old} times nothing was forgotten, {new} times all");
    assert!(old > 0 && new > 0);
}

#[test]
fn forgets_killed_at_random_moments_need_no_hand() {
    let kills = rounds(10, 200);
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let (mut rng, mut died) = (Rng::new(0xf0), 0);
    let mut whole = std::time::Duration::from_millis(40);
    for round in 0..kills {
        for number in 0..3 {
            fs::write(source.join("text"), format!("{round} {number}")).unwrap();
            home.done(&["commit", "-q", source.to_str().unwrap()]);
        }
        let args = ["forget", "--keep-last", "2"];
        died += usize::from(home.is_killed(&args, &mut whole, rng.below(100) as u32));
        home.restored_is("latest", &source, &source);
        let output = home.run(&args);
        assert_eq!(output.status.code(), Some(0), "round {round}: {}", news(&output));
        assert_eq!(home.done(&["log", "--oneline"]).lines().count(), 2, "round {round}");
        let former = home.done(&["cat", &format!("latest~1:{}/text", source.display())]);
        assert_eq!(former, format!("{round} 1"));
    }
    println!("{died} of {kills} forgets were killed");
    assert!(died > 0, "every forget was done before it was killed");
}
