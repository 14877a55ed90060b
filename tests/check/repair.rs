//! What a repair brings back, and what it leaves alone.

use std::sync::Arc;

use warp::observe::Silent;
use warp::ops::{self, FindingKind, RepairOutcome, RepairRequest};
use warp::repo::Repository;
use warp::store::{BlobInfo, MemoryStore, StorageBackend};
use warp::testing::Rng;

use crate::common::{password, request};
use crate::oracle::{ALL, Victim, check, stranger};

fn open(store: &Arc<MemoryStore>) -> Repository {
    Repository::open(store.clone(), &password(), stranger()).unwrap()
}

fn repair(store: &Arc<MemoryStore>, salvage: bool) -> RepairOutcome {
    let repo = open(store);
    let report = ops::check(&repo, ALL, &Silent).unwrap();
    ops::repair(&repo, &report, RepairRequest { salvage, threads: 1 }, &Silent).unwrap()
}

fn largest(victim: &Victim) -> BlobInfo {
    victim.blobs(&["packs/"]).into_iter().max_by_key(|blob| blob.len).unwrap()
}

/// Damage that parity can bring back, whatever the pack's length: of a 40th part in the middle, at the head, at the tail.
fn within_parity(bytes: &[u8], rng: &mut Rng) -> Vec<Vec<u8>> {
    let part = bytes.len() / 40;
    let middle = part + rng.below(bytes.len() - 2 * part);
    let over = |from: usize, with: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[from..from + with.len()].copy_from_slice(with);
        changed
    };
    let noise = rng.bytes(part);
    vec![
        over(middle.min(bytes.len() - part), &noise),
        over(middle.min(bytes.len() - part), &vec![0; part]),
        over(0, &noise),
        over(bytes.len() - part, &noise),
        bytes[..bytes.len() - part].to_vec(),
        bytes[part..].to_vec(),
    ]
}

#[test]
fn damage_within_parity_is_told_and_repaired_and_nothing_is_lost() {
    let victim = Victim::new();
    let mut rng = Rng::new(21);
    for blob in victim.blobs(&["packs/"]) {
        let bytes = victim.bytes(&blob.name);
        // Zeros over padding are no damage.
        for damaged in within_parity(&bytes, &mut rng).into_iter().filter(|damaged| *damaged != bytes) {
            let store = victim.with(&blob.name, damaged);
            let report = check(&store, ALL).unwrap();
            assert!(!report.is_clean(), "{}", blob.name);
            for finding in &report.findings {
                assert_eq!(finding.file, blob.name.as_str(), "{finding:?}");
                assert!(finding.shards.unwrap().can_be_healed() && finding.paths.is_empty(), "{finding:?}");
            }
            let done = repair(&store, false);
            assert_eq!(done.healed, [blob.name.as_str()], "{done:?}");
            assert!(done.packs_written > 0 && done.beyond.is_empty() && done.lost_objects == 0, "{done:?}");
            assert_eq!(store.len(&blob.name).unwrap(), None, "the damaged file is gone");
            assert!(check(&store, ALL).unwrap().is_clean());
            assert!(victim.lost(&store).unwrap().is_empty());
            assert_eq!(repair(&store, false), RepairOutcome::default(), "there is nothing left to do");
        }
    }
}

#[test]
fn damage_beyond_parity_is_left_alone_until_it_is_given_up() {
    let victim = Victim::new();
    let blob = largest(&victim);
    let mut bytes = victim.bytes(&blob.name);
    let (from, to) = (bytes.len() / 3, bytes.len() / 2);
    bytes[from..to].fill(9);
    let store = victim.with(&blob.name, bytes.clone());
    let before = check(&store, ALL).unwrap();
    let lost = victim.lost(&store).unwrap();
    assert!(!lost.is_empty());

    let done = repair(&store, false);
    assert_eq!((&done.beyond[..], done.packs_written), (&[blob.name.to_string()][..], 0), "{done:?}");
    assert_eq!(store.get(&blob.name, u64::MAX).unwrap(), bytes, "nothing was changed");
    assert_eq!(check(&store, ALL).unwrap().findings, before.findings);

    let done = repair(&store, true);
    assert_eq!(done.salvaged, [blob.name.as_str()], "{done:?}");
    assert!(done.lost_objects > 0 && done.packs_written > 0, "{done:?}");
    let after = check(&store, ALL).unwrap();
    assert!(
        after
            .findings
            .iter()
            .all(|finding| finding.kind == FindingKind::MissingObject
                || finding.kind == FindingKind::MissingBase),
        "{:?}",
        after.findings
    );
    assert_eq!(victim.named(&after), victim.lost(&store).unwrap());
    assert_eq!(victim.lost(&store).unwrap(), lost, "what could be read before can be read now");

    // The same files once more: what is missing is stored again, for the commits of before as well.
    let repo = open(&store);
    victim.each_version(|source| {
        let again = warp::ops::CommitRequest { force: true, allow_empty: true, ..request(source) };
        ops::commit(&repo, again, &Silent).unwrap();
    });
    assert!(check(&store, ALL).unwrap().is_clean());
    assert!(victim.lost(&store).unwrap().is_empty());
}

#[test]
fn a_lost_pack_is_given_up_only_when_asked() {
    let victim = Victim::new();
    for blob in victim.blobs(&["packs/"]) {
        let store = Arc::new(victim.store.fork());
        store.delete(&blob.name).unwrap();
        let done = repair(&store, false);
        assert_eq!(done.beyond, [blob.name.as_str()]);
        let done = repair(&store, true);
        assert_eq!((&done.salvaged[..], done.packs_written), (&[blob.name.to_string()][..], 0), "{done:?}");
        let after = check(&store, ALL).unwrap();
        assert!(after.findings.iter().all(|finding| finding.kind != FindingKind::Missing), "{after:?}");
    }
}

#[test]
fn a_damaged_or_lost_part_of_the_index_is_made_anew() {
    let victim = Victim::new();
    let segments = victim.blobs(&["index/"]);
    assert!(!segments.is_empty());
    for blob in segments {
        let mut damaged = victim.bytes(&blob.name);
        let middle = damaged.len() / 2;
        damaged[middle] ^= 1;
        let lost = Arc::new(victim.store.fork());
        lost.delete(&blob.name).unwrap();
        for store in [victim.with(&blob.name, damaged), lost] {
            assert!(!check(&store, ALL).unwrap().is_clean());
            let done = repair(&store, false);
            assert_eq!(done.segments, [blob.name.as_str()], "{done:?}");
            assert!(done.healed.is_empty() && done.beyond.is_empty(), "{done:?}");
            assert!(check(&store, ALL).unwrap().is_clean());
            assert!(victim.lost(&store).unwrap().is_empty());
        }
    }
}

#[test]
fn a_damaged_entry_of_the_log_is_read_told_and_written_as_it_was() {
    let victim = Victim::new();
    let mut rng = Rng::new(11);
    for blob in victim.blobs(&["log/"]) {
        let bytes = victim.bytes(&blob.name);
        for damaged in within_parity(&bytes, &mut rng) {
            let store = Arc::new(victim.with(&blob.name, damaged));
            let healed = open(&store).notices().to_vec();
            assert!(healed.iter().all(|notice| notice.contains(blob.name.as_str())), "{healed:?}");
            let report = check(&store, ALL).unwrap();
            let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
            assert_eq!((finding.kind, finding.file.as_str()), (FindingKind::Log, blob.name.as_str()));
            assert!(!report.log_is_incomplete && finding.faults[0].contains("--repair"), "{finding:?}");
            let outcome = repair(&store, false);
            assert_eq!(outcome.log_entries, [blob.name.as_str()]);
            assert_eq!(store.get(&blob.name, u64::MAX).unwrap(), bytes, "{}", blob.name);
            assert!(check(&store, ALL).unwrap().is_clean());
        }
        let lost = victim.with(&blob.name, bytes[..bytes.len() / 4].to_vec());
        let error = Repository::open(lost, &password(), stranger()).expect_err("a quarter is too little");
        assert!(error.to_string().contains("beyond what its parity can heal"), "{error}");
    }
}

#[test]
fn a_damaged_copy_of_the_configuration_is_written_anew() {
    let victim = Victim::new();
    let copies = victim.blobs(&["config/"]);
    assert!(!copies.is_empty());
    for blob in copies {
        let store = victim.with(&blob.name, b"rotten".to_vec());
        let report = check(&store, ALL).unwrap();
        assert!(report.findings.iter().all(|finding| finding.kind == FindingKind::Configuration));
        assert!(!report.is_clean());
        assert!(repair(&store, false).configuration);
        assert!(check(&store, ALL).unwrap().is_clean());
    }
}

#[test]
fn without_a_part_of_the_index_everything_comes_back_and_commits_go_on() {
    let victim = Victim::new();
    for blob in victim.blobs(&["index/"]) {
        let lost = Arc::new(victim.store.fork());
        lost.delete(&blob.name).unwrap();
        for store in [lost, victim.with(&blob.name, vec![3; 5000])] {
            assert!(victim.lost(&store).unwrap().is_empty());
            let repo = open(&store);
            victim.each_version(|source| {
                let again = warp::ops::CommitRequest { force: true, allow_empty: true, ..request(source) };
                let done = ops::commit(&repo, again, &Silent).unwrap();
                assert_eq!(done.stats.new_bytes, 0, "what is there is found");
            });
            assert!(victim.lost(&store).unwrap().is_empty());
        }
    }
}

#[test]
fn a_lost_pack_of_a_small_commit_takes_along_only_what_it_held() {
    let victim = Victim::new();
    let small = open(&victim.store).state();
    let small: Vec<_> = small.pack_order.iter().filter(|pack| small.packs[*pack].self_indexed).collect();
    assert!(small.len() >= 2);
    for pack in small {
        let store = Arc::new(victim.store.fork());
        store.delete(&warp::cas::pack_name(pack)).unwrap();
        let repo = open(&store);
        let (first, _) = &victim.commits[0];
        let target = tempfile::tempdir().unwrap();
        let request = warp::ops::RestoreRequest::new(*first, target.path().join("out"));
        let done = ops::restore(&repo, request, &Silent).unwrap();
        assert_eq!(done.problems, 0, "the first version has nothing in it");
    }
}
