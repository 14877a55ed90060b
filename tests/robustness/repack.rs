//! A repack whose disk fails, or whose process dies, at each of its operations: every version comes back, and the next repack
//! takes away what is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{self, CommitRequest, RepackOutcome, RepackRequest, RestoreRequest};
use warp::repo::Repository;
use warp::store::{LocalStore, Vfs};
use warp::testing::{RecordingObserver, Rng, SimDisk, assert_same_tree};

use crate::common::program::{Home, news, rounds};
use crate::common::{client_on, create, request};
use crate::faults::{at_every_operation, open};

/// A tree, and the commit that holds it.
pub(crate) type Version = (CommitId, PathBuf);

const REPACK: RepackRequest = RepackRequest { aggressive: false, dry_run: false, grace: 0 };

/// A disk with a repository of small packs, of which some chunks are stored in full that need not be.
pub(crate) fn disk_with_history(folder: &Path) -> (SimDisk, Vec<Version>) {
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
    let mut rng = Rng::new(8);
    let mut content = rng.text(12_000);
    let versions = [0, 1, 0, 0].into_iter().enumerate().map(|(number, depth)| {
        let tree = folder.join(number.to_string());
        fs::create_dir(&tree).unwrap();
        content.splice(100..110, rng.bytes(12));
        fs::write(tree.join("text"), &content).unwrap();
        let request = CommitRequest { delta_depth: Some(depth), ..request(&tree) };
        (ops::commit(&repo, request, &Silent).unwrap().commit.unwrap(), tree)
    });
    let versions = versions.collect();
    (disk, versions)
}

pub(crate) fn check(repo: &Repository, versions: &[Version], what: &str) {
    for (commit, tree) in versions {
        let target = tempfile::tempdir().unwrap();
        let root = target.path().join("out");
        let observer = RecordingObserver::new();
        let request = RestoreRequest { threads: 1, ..RestoreRequest::new(*commit, &root) };
        ops::restore(repo, request, &observer).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(observer.problems(), [], "{what}");
        assert_same_tree(tree, &root);
    }
}

/// No file is left of what the log has removed.
fn check_nothing_left_over(disk: &SimDisk, repo: &Repository, what: &str) {
    let state = repo.state();
    let removed = state.removed_packs.iter().map(|pack| format!("/repo/packs/{pack}.warp"));
    let removed = removed.chain(state.removed_segments.iter().map(|uid| format!("/repo/index/{uid}")));
    let files = disk.files();
    for name in removed {
        assert!(!files.contains(&PathBuf::from(&name)), "{what}: {name} is left over");
    }
}

#[test]
fn a_repack_that_fails_at_any_operation_loses_nothing_and_the_next_one_finishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (template, versions) = disk_with_history(folder.path());
    let (mut as_before, mut condemned, mut removed) = (0, 0, 0);
    let run = |repo: &Repository| ops::repack(repo, REPACK, &Silent);
    let is_done = |done: Result<RepackOutcome, _>| {
        let done = done.unwrap();
        assert!(done.replaced && done.deltas.objects > 0 && done.packs_after < done.packs_before, "{done:?}");
    };
    let operations = at_every_operation(&template, run, is_done, |disk, outcome, what| {
        let repo = open(Arc::new(disk.clone()));
        let state = repo.state();
        match (state.condemned.is_empty(), state.removed_packs.is_empty()) {
            (true, true) => as_before += 1,
            (false, _) => condemned += 1,
            (true, false) => removed += 1,
        }
        assert!(outcome.is_err() || state.condemned.is_empty(), "{what}: it said that it was done");
        check(&repo, &versions, what);
        run(&repo).unwrap_or_else(|error| panic!("{what}: the next repack fails: {error}"));
        let repo = open(Arc::new(disk.clone()));
        assert!(repo.state().condemned.is_empty() && repo.state().packs.len() < versions.len(), "{what}");
        check(&repo, &versions, what);
        check_nothing_left_over(&disk, &repo, what);
    });
    assert!(operations > 20, "only {operations} operations were counted");
    println!("{operations} operations; {as_before} as before, {condemned} condemned, {removed} removed");
    assert!(as_before > 0 && condemned > 0 && removed > 0);
}

#[test]
fn repacks_killed_at_random_moments_need_no_hand() {
    let kills = rounds(10, 150);
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let (mut rng, mut died) = (Rng::new(0xd1e), 0);
    let mut text = rng.text(200_000);
    let mut grow = |rng: &mut Rng| {
        let at = rng.below(text.len());
        text.splice(at..at, rng.bytes(20));
        fs::write(source.join("text"), &text).unwrap();
        fs::write(source.join("noise"), rng.bytes(100_000)).unwrap();
        home.done(&["commit", "-q", "--no-delta", source.to_str().unwrap()]);
    };
    grow(&mut rng);
    let first = home.path("first");
    let copied = std::process::Command::new("cp").arg("-a").args([&source, &first]).status().unwrap();
    assert!(copied.success());
    let log = home.done(&["log", "--oneline"]);
    let oldest = log.split_whitespace().next().unwrap().to_owned();
    let mut whole = std::time::Duration::from_millis(60);
    for round in 0..kills {
        (0..3).for_each(|_| grow(&mut rng));
        let args: &[&str] = if round % 3 == 0 { &["repack", "--aggressive"] } else { &["repack"] };
        died += usize::from(home.is_killed(args, &mut whole, rng.below(100) as u32));
        home.restored_is("latest", &source, &source);
        if round % 2 == 0 {
            let output = home.run(&["repack"]);
            assert_eq!(output.status.code(), Some(0), "round {round}: {}", news(&output));
        }
        home.restored_is("latest", &source, &source);
        home.restored_is(&oldest, &source, &first);
    }
    println!("{died} of {kills} repacks were killed");
    assert!(died > 0, "every repack was done before it was killed");
}
