//! A recovery whose disk fails, or whose process dies, at each of its operations: nothing is lost, neither of what the packs hold
//! nor of the old entries, and the next recovery finishes it.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{self, OpsError, RecoverOutcome, RecoverRequest};
use warp::repo::{Rebuild, RepoError, Repository};
use warp::store::{LocalStore, Vfs};
use warp::testing::SimDisk;

use crate::common::{client_on, password};
use crate::faults::{at_every_operation_on, open};
use crate::repack::{check, disk_with_history};

/// Recovers with entries so short that the new log has several.
fn recover(vfs: &Arc<dyn Vfs>) -> Result<RecoverOutcome, OpsError> {
    let location = "/repo".to_owned();
    let store = LocalStore::open("/repo", vfs.clone());
    let store = store.map_err(|source| RepoError::Store { location, source })?;
    let rebuild = Rebuild::open(Arc::new(store), &password(), client_on(vfs.clone(), Path::new("/state")))?;
    let request = RecoverRequest { entry_len: 1_500, threads: 1, ..RecoverRequest::default() };
    ops::recover(rebuild, request, &Silent)
}

fn try_open(vfs: Arc<dyn Vfs>) -> Result<Repository, RepoError> {
    let store = LocalStore::open("/repo", vfs.clone()).unwrap();
    Repository::open(Arc::new(store), &password(), client_on(vfs, Path::new("/state")))
}

/// What all files of these folders hold.
fn contents(disk: &SimDisk, folders: &[&str]) -> HashSet<Vec<u8>> {
    let paths = folders.iter().flat_map(|folder| {
        let folder = Path::new("/repo").join(folder);
        let files = disk.list(&folder).unwrap_or_default();
        files.into_iter().map(move |file| folder.join(file.name))
    });
    paths.map(|path| disk.read(&path, u64::MAX).unwrap()).collect()
}

fn remove(disk: &SimDisk, folder: &str, is_lost: impl Fn(&str) -> bool) {
    let folder = Path::new("/repo").join(folder);
    for file in disk.list(&folder).unwrap() {
        if is_lost(file.name.to_str().unwrap()) {
            disk.remove(&folder.join(file.name)).unwrap();
        }
    }
    disk.sync_dir(&folder).unwrap();
}

/// Lets recoveries of a disk fail, with a log of which these entries are lost.
fn at_every_operation_with(is_lost: impl Fn(&str) -> bool) -> (u64, BTreeMap<&'static str, u64>) {
    let folder = tempfile::tempdir().unwrap();
    let (template, versions) = disk_with_history(folder.path());
    remove(&template, "log", is_lost);
    remove(&template, "index", |_| true);
    let [old, packs, config] = ["log", "packs", "config"].map(|folder| contents(&template, &[folder]));
    let mut expected: Option<Vec<(String, CommitId)>> = None;
    let is_done = |done: Result<RecoverOutcome, _>| {
        let done = done.unwrap();
        assert!(done.entries_written > 2 && !done.has_losses(), "{done:?}");
        expected = Some(done.refs);
    };
    let mut found = BTreeMap::new();
    let mut wanted = Vec::new();
    let operations = at_every_operation_on(
        &template,
        |vfs| vfs,
        recover,
        is_done,
        |disk, outcome, what| {
            let kept = contents(&disk, &["log", "lost"]);
            assert!(old.is_subset(&kept), "{what}: an old entry is lost");
            assert!(packs == contents(&disk, &["packs"]), "{what}: packs changed");
            let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
            let state = match try_open(vfs.clone()) {
                Ok(_) => "recovered",
                Err(error) => {
                    assert!(error.is_of_log(), "{what}: {error}");
                    assert!(outcome.is_err(), "{what}: it said that it was done");
                    let is_begun = !contents(&disk, &["config"]).is_subset(&config);
                    let again =
                        recover(&vfs).unwrap_or_else(|error| panic!("{what}: the next one fails: {error}"));
                    assert!(!again.has_losses(), "{what}: {again:?}");
                    if is_begun { "begun" } else { "as before" }
                }
            };
            *found.entry(state).or_default() += 1;
            let repo = open(vfs.clone());
            check(&repo, &versions, what);
            let refs: Vec<_> = repo.timeline().refs().clone().into_iter().collect();
            wanted.push(refs);
            assert!(old.is_subset(&contents(&disk, &["log", "lost"])), "{what}: an old entry is lost");
            drop(repo);
            match recover(&vfs) {
                Err(OpsError::Refused { .. }) => {}
                other => panic!("{what}: something is left to do: {other:?}"),
            }
        },
    );
    let expected = expected.unwrap();
    assert!(wanted.iter().all(|refs| *refs == expected));
    (operations, found)
}

#[test]
fn a_recovery_that_fails_at_any_operation_loses_nothing_and_the_next_one_finishes_it() {
    let cases = [("an entry in the middle", Some("0000000003")), ("all entries", None)];
    for (lost, only) in cases {
        let is_lost = |name: &str| only.is_none_or(|only| name == only);
        let (operations, found) = at_every_operation_with(is_lost);
        println!("{lost} lost: {operations} operations; found afterwards: {found:?}");
        assert!(operations > 30, "only {operations} operations were counted");
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
