//! A repair whose disk fails, or whose process dies, at each of its operations: nothing is lost, and the next one finishes it.

use std::sync::Arc;

use warp::cas::pack_name;
use warp::observe::Silent;
use warp::ops::{self, CheckRequest, OpsError, ReadData, RepairOutcome, RepairRequest};
use warp::repo::Repository;

use crate::faults::{at_every_operation, open};
use crate::repack::{check, disk_with_history};

fn repair(repo: &Repository) -> Result<RepairOutcome, OpsError> {
    let request = CheckRequest { data: ReadData::All, threads: 1, ..CheckRequest::default() };
    let report = ops::check(repo, request, &Silent)?;
    ops::repair(repo, &report, RepairRequest { threads: 1, ..RepairRequest::default() }, &Silent)
}

#[test]
fn a_repair_that_fails_at_any_operation_loses_nothing_and_the_next_one_finishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (template, versions) = disk_with_history(folder.path());
    let repo = open(Arc::new(template.clone()));
    let largest = repo.state().packs.values().max_by_key(|pack| pack.len).unwrap().uid;
    let (store, name) = (repo.chunks().vault().store(), pack_name(&largest));
    let mut bytes = store.get(&name, u64::MAX).unwrap();
    let (middle, part) = (bytes.len() / 2, bytes.len() / 40);
    bytes[middle..middle + part].fill(0x5a);
    store.delete(&name).unwrap();
    store.put_new(&name, &[&bytes]).unwrap();
    drop(repo);

    let mut undone = 0;
    let is_done = |done: Result<RepairOutcome, _>| assert_eq!(done.unwrap().healed, [name.as_str()]);
    let operations = at_every_operation(&template, repair, is_done, |disk, _, what| {
        let repo = open(Arc::new(disk.clone()));
        check(&repo, &versions, what);
        let again = repair(&repo).unwrap_or_else(|error| panic!("{what}: the next repair fails: {error}"));
        undone += usize::from(!again.healed.is_empty());
        let repo = open(Arc::new(disk));
        check(&repo, &versions, what);
        assert_eq!(repair(&repo).unwrap(), RepairOutcome::default(), "{what}: something is left to do");
    });
    assert!(operations > 15, "only {operations} operations were counted");
    println!("{operations} operations; the next repair had something to do after {undone} failures");
    assert!(undone > 0);
}
