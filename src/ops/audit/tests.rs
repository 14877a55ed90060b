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

/// The longest pack of a store, with bytes changed at these places.
fn change(store: &MemoryStore, places: &[usize]) -> String {
    let blob = store.list("packs/").unwrap().into_iter().max_by_key(|blob| blob.len).unwrap();
    let mut bytes = store.get(&blob.name, u64::MAX).unwrap();
    places.iter().for_each(|place| bytes[*place] ^= 1);
    store.overwrite(&blob.name, bytes);
    blob.name.as_str().to_owned()
}

#[test]
fn an_audit_of_everything_names_the_shards_that_are_damaged_and_no_others() {
    let (_, store, _dir) = world();
    let all = AuditRequest { samples: u64::MAX, ..AuditRequest::default() };
    let report = audit(&reopened(&store), None, &all, &Silent).unwrap();
    assert_eq!((report.faults.len(), report.checked), (0, report.places));
    // Two bytes of one shard, which parity brings back.
    let name = change(&store, &[300_000, 300_001]);
    let report = audit(&reopened(&store), None, &all, &Silent).unwrap();
    let [fault] = &report.faults[..] else { panic!("{:?}", report.faults) };
    assert_eq!((&fault.file, fault.unproved, fault.shards.len(), report.unproved()), (&name, 1, 1, 1));
    assert!(fault.asked > 1 && fault.why.contains("root"), "{fault:?}");
    assert_eq!(report.would_find(1), 1.0);
}

#[test]
fn a_pack_that_parity_cannot_heal_proves_nothing_and_is_one_line_all_the_same() {
    let (_, store, _dir) = world();
    let places: Vec<usize> = (100_000..600_000).step_by(5_000).collect();
    let name = change(&store, &places);
    let all = AuditRequest { samples: u64::MAX, ..AuditRequest::default() };
    let report = audit(&reopened(&store), None, &all, &Silent).unwrap();
    let [fault] = &report.faults[..] else { panic!("{:?}", report.faults) };
    assert_eq!((&fault.file, fault.unproved, report.unproved()), (&name, fault.asked, fault.asked));
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
    let possession = report.possession.unwrap();
    assert_eq!((possession.asked, possession.wrong, report.faults[0].asked), (1, 1, 0));
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
