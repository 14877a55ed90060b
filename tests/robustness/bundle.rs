//! Taking in a bundle while the disk fails, or the process dies, at each of its operations: all its commits are there or none, and doing
//! it again finishes it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::observe::Silent;
use warp::ops::{
    self, BundleRequest, CheckRequest, GarbageCollector, GcConfig, OpsError, UnbundleOutcome, UnbundleRequest,
};
use warp::repo::Repository;
use warp::store::{LocalStore, OsVfs, Vfs};
use warp::testing::SimDisk;

use crate::common::{client_on, password};
use crate::faults::{at_every_operation, open};
use crate::repack::{check, disk_with_history};

fn bundle(
    repo: &Repository,
    to: &Path,
    tips: usize,
    excluded: &[usize],
    versions: &[(warp::id::CommitId, PathBuf)],
) {
    let request = BundleRequest {
        tips: vec![versions[tips].0],
        excluded: excluded.iter().map(|version| versions[*version].0).collect(),
        ..BundleRequest::default()
    };
    ops::create_bundle(repo, &request, (to, &OsVfs::new()), &Silent).unwrap();
}

/// A disk with a repository of the bundle's family, that has what the bundle of `from` holds.
fn disk_with(from: &Path) -> SimDisk {
    let disk = SimDisk::new();
    let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
    for folder in ["/repo", "/state"] {
        vfs.create_dir(Path::new(folder)).unwrap();
    }
    vfs.sync_dir(Path::new("/")).unwrap();
    let store = Arc::new(LocalStore::create("/repo", vfs.clone()).unwrap());
    let config = ops::bundle_config(from).unwrap();
    let client = client_on(vfs, Path::new("/state"));
    let repo = Repository::create_of_family(store, (&config, "bundle"), &password(), client).unwrap();
    ops::unbundle(&repo, from, &UnbundleRequest::default(), &Silent).unwrap();
    disk
}

#[test]
fn a_bundle_that_is_taken_in_while_any_operation_fails_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, versions) = disk_with_history(folder.path());
    let maker = open(Arc::new(disk));
    let (first, new) = (folder.path().join("first.warp"), folder.path().join("new.warp"));
    bundle(&maker, &first, 0, &[], &versions);
    bundle(&maker, &new, 3, &[0], &versions);
    let template = disk_with(&first);
    let take = |repo: &Repository| ops::unbundle(repo, &new, &UnbundleRequest::default(), &Silent);
    let is_done = |done: Result<UnbundleOutcome, OpsError>| {
        let done = done.unwrap();
        assert!(done.commits.len() == 3 && done.packs > 0, "{done:?}");
    };
    let (mut none, mut whole) = (0, 0);
    let operations = at_every_operation(&template, take, is_done, |disk, outcome, what| {
        let repo = open(Arc::new(disk.clone()));
        let there = versions.iter().filter(|(id, _)| repo.state().is_live(id)).count();
        match there {
            1 => none += 1,
            4 => whole += 1,
            _ => panic!("{what}: {there} of 4 commits are there"),
        }
        assert!(outcome.is_err() || there == 4, "{what}: it said that it was done");
        check(&repo, &versions[..there], what);
        take(&repo).unwrap_or_else(|error| panic!("{what}: taking it in again fails: {error}"));
        let repo = open(Arc::new(disk.clone()));
        check(&repo, &versions, what);
        let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
        GarbageCollector::new(&repo, config).run(&Silent).unwrap();
        let repo = open(Arc::new(disk.clone()));
        check(&repo, &versions, what);
        let report = ops::check(&repo, CheckRequest::default(), &Silent).unwrap();
        assert!(report.findings.is_empty(), "{what}: {:?}", report.findings);
        check_files(&disk, &repo, what);
    });
    assert!(operations > 20, "only {operations} operations were counted");
    println!("{operations} operations; {none} times none of it was there, {whole} times all");
    assert!(none > 0 && whole > 0);
}

/// The files of packs and segments are those that the log names.
fn check_files(disk: &SimDisk, repo: &Repository, what: &str) {
    let state = repo.state();
    let packs = state.packs.keys().map(|pack| PathBuf::from(format!("/repo/packs/{pack}.warp")));
    let segments = state.segments.iter().map(|segment| format!("/repo/index/{}", segment.uid).into());
    let named: BTreeSet<PathBuf> = packs.chain(segments).collect();
    let is_ours = |path: &PathBuf| path.starts_with("/repo/packs/") || path.starts_with("/repo/index/");
    let found: BTreeSet<PathBuf> = disk.files().into_iter().filter(is_ours).collect();
    assert_eq!(found, named, "{what}");
}
