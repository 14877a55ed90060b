use super::*;
use crate::observe::Silent;
use crate::store::MemoryStore;
use crate::testing::Rng;
use std::sync::Arc;

use super::super::testkit::{client, commit_tree, repository};

/// A repository of some packs, and its store with some of them damaged.
fn world() -> (Repository, Arc<MemoryStore>, tempfile::TempDir) {
    let (dir, repo) = (tempfile::tempdir().unwrap(), repository());
    for version in 1..4 {
        std::fs::write(dir.path().join("file"), Rng::new(version).bytes(700_000)).unwrap();
        commit_tree(&repo, dir.path(), version as i64);
    }
    let store = Arc::new(MemoryStore::new());
    for folder in ["packs/", "index/", "log/", "config/", "checkpoint/"] {
        let from = repo.chunks().vault().store();
        for blob in from.list(folder).unwrap() {
            store.overwrite(&blob.name, from.get(&blob.name, u64::MAX).unwrap());
        }
    }
    (repo, store, dir)
}

fn reopened(store: &Arc<MemoryStore>) -> Repository {
    let secret = crate::repo::Credentials::Password(b"secret".to_vec().into());
    Repository::open(store.clone(), &secret, client()).unwrap()
}

#[test]
fn an_audit_of_everything_finds_each_damaged_shard_and_names_it() {
    let (_, store, _dir) = world();
    let all = AuditRequest { samples: u64::MAX, ..AuditRequest::default() };
    let report = audit(&reopened(&store), None, &all, &Silent).unwrap();
    assert_eq!((report.faults.len(), report.checked), (0, report.places));
    let blob = store.list("packs/").unwrap().into_iter().max_by_key(|blob| blob.len).unwrap();
    let mut bytes = store.get(&blob.name, u64::MAX).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    store.overwrite(&blob.name, bytes);
    let report = audit(&reopened(&store), None, &all, &Silent).unwrap();
    assert!(!report.faults.is_empty() && report.faults.iter().all(|fault| fault.file == blob.name.as_str()));
    assert_eq!(report.would_find(1), 1.0);
}

#[test]
fn a_lost_pack_is_found_by_its_challenge_and_a_challenge_is_used_once() {
    let (own, store, _dir) = world();
    let repo = reopened(&store);
    let request = AuditRequest { samples: 0, possession: true, ..AuditRequest::default() };
    let report = audit(&repo, Some(&own), &request, &Silent).unwrap();
    let possession = report.possession.unwrap();
    assert_eq!((possession.asked, possession.unknown, report.faults.len()), (report.packs, 0, 0));
    let report = audit(&repo, None, &request, &Silent).unwrap().possession.unwrap();
    assert_eq!((report.asked, report.unknown), (0, 3.max(report.unknown)));
    let pack = *repo.state().pack_order.last().unwrap();
    let name = pack_name(&pack);
    let challenge = crate::repo::Challenge::new(pack, &store.get(&name, u64::MAX).unwrap()).unwrap();
    repo.keep_challenges(&[challenge], &[]).unwrap();
    let mut bytes = store.get(&name, u64::MAX).unwrap();
    bytes.truncate(bytes.len() - 1);
    store.overwrite(&name, bytes);
    let report = audit(&repo, None, &request, &Silent).unwrap();
    assert_eq!(report.faults.iter().map(|fault| fault.file.as_str()).collect::<Vec<_>>(), [name.as_str()]);
    assert_eq!(report.possession.unwrap().asked, 1);
    assert!(repo.challenges().is_empty());
}

#[test]
fn places_are_as_many_as_a_pack_is_long_and_fall_into_the_right_one() {
    let record = |n: u8, len| PackRecord {
        uid: PackId::new([n; 16]),
        len,
        payload_root: crate::id::Root::new([0; 32]),
        parity_root: crate::id::Root::new([0; 32]),
        epoch: 1,
        self_indexed: false,
    };
    let packs = [record(9, 1), record(2, 2 * PLACE_LEN), record(5, PLACE_LEN + 1)];
    let drawn = by_pack(&packs, &[0, 1, 2, 4]);
    let places = |n: u8| drawn.get(&PackId::new([n; 16])).map(|(_, places)| places.clone());
    assert_eq!((places(9), places(2), places(5)), (Some(vec![0]), Some(vec![0, 1]), Some(vec![1])));
}
