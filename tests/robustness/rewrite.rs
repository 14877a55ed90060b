//! Dropping a path from history while the disk fails, or the process dies, at each of its operations: all of history is as it was
//! or all of it is without the path, and whatever is left comes back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{self, GarbageCollector, GcConfig, OpsError, RewriteOutcome, RewriteRequest};
use warp::repo::Repository;
use warp::store::{LocalStore, Vfs};
use warp::testing::{Rng, SimDisk};

use crate::common::history::copy;
use crate::common::program::{Home, news, rounds};
use crate::common::{client_on, create, request};
use crate::faults::{at_every_operation, open};
use crate::repack::check;

/// Versions of a folder with and without what is dropped, in the order of their commits.
type Trees = Vec<(PathBuf, PathBuf)>;

/// A disk with a repository of three commits, and a tag on the second.
fn disk_with_history(folder: &Path) -> (SimDisk, Vec<CommitId>, Trees) {
    let disk = SimDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    for folder in ["/repo", "/state"] {
        vfs.create_dir(Path::new(folder)).unwrap();
    }
    vfs.sync_dir(Path::new("/")).unwrap();
    let store = Arc::new(LocalStore::create("/repo", vfs.clone()).unwrap());
    let repo = create(store, client_on(vfs, Path::new("/state")));
    let (mut rng, mut ids, mut trees) = (Rng::new(4), Vec::new(), Vec::new());
    for number in 0..3 {
        let whole = folder.join(format!("whole-{number}"));
        fs::create_dir_all(whole.join("private")).unwrap();
        fs::write(whole.join("text"), rng.text(3000)).unwrap();
        fs::write(whole.join("private/key"), rng.bytes(2000)).unwrap();
        let left = folder.join(format!("left-{number}"));
        copy(&whole, &left);
        fs::remove_dir_all(left.join("private")).unwrap();
        assert!(
            std::process::Command::new("touch").arg("-r").args([&whole, &left]).status().unwrap().success()
        );
        let done = ops::commit(&repo, request(&whole), &Silent).unwrap();
        ids.push(done.commit.unwrap());
        trees.push((whole, left));
    }
    repo.tag_create("v1", ids[1], false).unwrap();
    (disk, ids, trees)
}

fn rewrite(repo: &Repository) -> Result<RewriteOutcome, OpsError> {
    let request = RewriteRequest { paths: vec![b"private".to_vec()], ..RewriteRequest::default() };
    ops::rewrite_history(repo, &request, &mut |_| (), &Silent)
}

/// Whether history is without the path; it must be so as a whole, or not at all.
fn is_rewritten(repo: &Repository, ids: &[CommitId], trees: &Trees, what: &str) -> bool {
    let timeline = repo.timeline();
    let mut commits = timeline.commits();
    commits.reverse();
    assert_eq!(commits.len(), ids.len(), "{what}");
    let is_rewritten = commits != ids;
    assert!(!is_rewritten || commits.iter().all(|id| !ids.contains(id)), "{what}: half of it");
    assert_eq!(timeline.branch("main"), Some(commits[2]), "{what}");
    assert_eq!(timeline.tags(), [("v1".to_owned(), commits[1])], "{what}");
    let trees = trees.iter().map(|(whole, left)| if is_rewritten { left } else { whole });
    let versions: Vec<_> = commits.into_iter().zip(trees.cloned()).collect();
    check(repo, &versions, what);
    is_rewritten
}

#[test]
fn a_rewrite_that_fails_at_any_operation_leaves_the_old_history_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (template, ids, trees) = disk_with_history(folder.path());
    let (mut old, mut new) = (0, 0);
    let is_done = |done: Result<RewriteOutcome, _>| assert_eq!(done.unwrap().commits.len(), 3);
    let operations = at_every_operation(&template, rewrite, is_done, |disk, outcome, what| {
        let repo = open(Arc::new(disk.clone()));
        let is_new = is_rewritten(&repo, &ids, &trees, what);
        if is_new {
            new += 1;
        } else {
            old += 1;
        }
        assert!(outcome.is_err() || is_new, "{what}: it said that it was done");
        let again = rewrite(&repo).unwrap_or_else(|error| panic!("{what}: the next one fails: {error}"));
        assert_eq!(again.commits.is_empty(), is_new, "{what}");
        let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
        GarbageCollector::new(&repo, config).run(&Silent).unwrap();
        assert!(is_rewritten(&open(Arc::new(disk)), &ids, &trees, what), "{what}");
    });
    println!("{operations} operations; {old} times the old history stayed, {new} times it was the new one");
    assert!(operations > 8 && old > 0 && new > 0);
}

#[test]
fn rewrites_killed_at_random_moments_need_no_hand() {
    let kills = rounds(8, 150);
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let (mut rng, mut died) = (Rng::new(0x4e), 0);
    let mut whole = std::time::Duration::from_millis(60);
    for round in 0..kills {
        let name = format!("gone-{round}");
        for _ in 0..3 {
            fs::write(source.join(&name), rng.bytes(5000)).unwrap();
            fs::write(source.join("text"), rng.text(3000)).unwrap();
            home.done(&["commit", "-q", source.to_str().unwrap()]);
        }
        let args = ["rewrite", "-q", "--exclude", &name];
        died += usize::from(home.is_killed(&args, &mut whole, rng.below(100) as u32));
        let found = home.done(&["find", &name]).lines().count();
        assert!([0, 3].contains(&found), "round {round}: it is in {found} commits");
        let output = home.run(&args);
        assert_eq!(output.status.code(), Some(0), "round {round}: {}", news(&output));
        assert_eq!(home.done(&["find", &name]), "", "round {round}");
        fs::remove_file(source.join(&name)).unwrap();
        home.done(&["commit", "-q", source.to_str().unwrap()]);
        home.restored_is("latest", &source, &source);
        assert_eq!(home.done(&["log", "--oneline"]).lines().count(), 4 * (round + 1), "round {round}");
    }
    println!("{died} of {kills} rewrites were killed");
    assert!(died > 0, "every rewrite was done before it was killed");
}
