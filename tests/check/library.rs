//! What a check remembers, chooses and refuses.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use warp::cas::{DeltaOf, open_envelope, seal_envelope};
use warp::format::dirtree::{DirEntry, DirNode, EntryKind};
use warp::format::node::ContentRoot;
use warp::format::pack::Bases;
use warp::id::ObjectKind;
use warp::observe::Silent;
use warp::ops::{self, CheckReport, CheckRequest, FindingKind, OpsError, ReadData};
use warp::repo::Repository;
use warp::store::{BlobName, MemoryStore, StorageBackend};
use warp::testing::{Forger, RecordingObserver, SimDisk, entry};

use crate::common::{client_on, create, password, request};
use crate::oracle::{ALL, Victim, stranger};

const MONTH: u64 = 30 * 24 * 3600;

#[test]
fn packs_that_were_verified_lately_are_spared_until_they_prove_damaged() {
    let victim = Victim::new();
    let client = client_on(Arc::new(SimDisk::new()), Path::new("/state"));
    let check = |store: &Arc<MemoryStore>, request| {
        let repo = Repository::open(store.clone(), &password(), client.clone()).unwrap();
        ops::check(&repo, request, &Silent).unwrap().counts
    };
    let all = check(&victim.store, CheckRequest::default()).packs;
    let young = CheckRequest { max_age: Some(MONTH), ..ALL };
    let half = CheckRequest { data: ReadData::Percent(50.0), max_age: Some(MONTH), ..ALL };
    let first = check(&victim.store, half);
    assert!(first.packs_read > 0 && first.packs_read < all && first.packs_skipped == 0, "{first:?}");
    let second = check(&victim.store, young);
    assert_eq!((second.packs_read, second.packs_skipped), (all - first.packs_read, first.packs_read));
    let third = check(&victim.store, young);
    assert_eq!((third.packs_read, third.packs_skipped), (0, all));
    // Without an age, and of age zero, everything is read.
    assert_eq!(check(&victim.store, ALL).packs_read, all);
    assert_eq!(check(&victim.store, CheckRequest { max_age: Some(0), ..ALL }).packs_read, all);
    let largest = victim.blobs(&["packs/"]).into_iter().max_by_key(|blob| blob.len).unwrap().name;
    let mut bytes = victim.bytes(&largest);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = victim.with(&largest, bytes);
    check(&damaged, ALL);
    let after = check(&victim.store, young).packs_read;
    assert!(after > 0 && after < all, "{after} of {all} are read again");
}

#[test]
fn a_check_that_is_told_to_stop_stops() {
    let victim = Victim::new();
    for events in [0, 1, 3] {
        let repo = Repository::open(victim.store.clone(), &password(), stranger()).unwrap();
        let stopped = ops::check(&repo, ALL, &RecordingObserver::cancelling_after(events));
        assert!(matches!(stopped, Err(OpsError::Cancelled)), "{stopped:?}");
    }
}

fn forged(make: impl FnOnce(&mut Forger<'_>) -> DirEntry) -> CheckReport {
    let repo = create(Arc::new(MemoryStore::new()), stranger());
    let mut forger = Forger::new(&repo);
    let root = make(&mut forger);
    forger.commit(root);
    ops::check(&repo, ALL, &Silent).unwrap()
}

/// A root directory with these entries.
fn root(forger: &mut Forger<'_>, entries: Vec<DirEntry>) -> DirEntry {
    let node = forger.put_dir(&DirNode::Leaf(entries));
    entry(b"", EntryKind::Dir { node: Some(node) })
}

fn file(content: ContentRoot) -> EntryKind {
    EntryKind::File { content, sparse: false }
}

#[test]
fn objects_that_no_pack_holds_are_told_with_the_paths_that_need_them() {
    let report = forged(|forger| {
        let id = forger.id(ObjectKind::Chunk, b"nowhere");
        let good = forger.put_file(b"here");
        let bad = ContentRoot::Tree { level: 0, id, len: 7, repeat: 1 };
        root(forger, vec![entry(b"bad", file(bad)), entry(b"good", file(good))])
    });
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.kind, FindingKind::MissingObject);
    assert_eq!(finding.paths.iter().map(|path| &path.path[..]).collect::<Vec<_>>(), [b"bad"]);
    // An object of another kind is not the one that is asked for.
    let report = forged(|forger| {
        let id = forger.put(ObjectKind::Chunk, b"a chunk".to_vec());
        let bad = ContentRoot::Tree { level: 1, id, len: 7, repeat: 1 };
        root(forger, vec![entry(b"bad", file(bad))])
    });
    assert_eq!(report.findings[0].kind, FindingKind::MissingObject, "{:?}", report.findings);
}

#[test]
fn differences_whose_base_is_in_no_pack_are_told_with_their_paths() {
    let report = forged(|forger| {
        let base = forger.id(ObjectKind::Chunk, b"nowhere").locator();
        let id = forger.id(ObjectKind::Chunk, b"made of nothing");
        let delta = DeltaOf { bases: Bases::new(&[base]).unwrap(), depth: 1, len: 15 };
        forger.put_delta(ObjectKind::Chunk, id, vec![1; 12], delta);
        let content = ContentRoot::Tree { level: 0, id, len: 15, repeat: 1 };
        root(forger, vec![entry(b"bad", file(content))])
    });
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.kind, FindingKind::MissingBase);
    assert_eq!(finding.paths.iter().map(|path| &path.path[..]).collect::<Vec<_>>(), [b"bad"]);
}

#[test]
fn differences_that_make_something_else_are_told() {
    let report = forged(|forger| {
        let base = forger.put(ObjectKind::Chunk, b"a base".to_vec());
        let id = forger.id(ObjectKind::Chunk, b"not what comes out");
        let delta = DeltaOf { bases: Bases::new(&[base.locator()]).unwrap(), depth: 1, len: 18 };
        forger.put_delta(ObjectKind::Chunk, id, vec![1; 12], delta);
        let content = ContentRoot::Tree { level: 0, id, len: 18, repeat: 1 };
        root(forger, vec![entry(b"bad", file(content))])
    });
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.kind, finding.paths.len()), (FindingKind::Damaged, 1), "{finding:?}");
}

#[test]
fn trees_that_lie_about_what_is_below_them_are_told() {
    let report = forged(|forger| {
        let node = forger.put(ObjectKind::DirNode, b"no directory".to_vec());
        let inner = entry(b"inner", EntryKind::Dir { node: Some(node) });
        root(forger, vec![inner])
    });
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.kind, FindingKind::Tree);
    let paths: Vec<_> = finding.paths.iter().map(|path| (&path.path[..], path.is_whole_directory)).collect();
    assert_eq!(paths, [(&b"inner"[..], true)]);
}

#[test]
fn an_entry_of_the_log_whose_signature_was_seen_before_is_verified_again() {
    // A client that has seen an entry trusts the chain of hashes; the check does not.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "a").unwrap();
    let store = Arc::new(MemoryStore::new());
    let repo = create(store.clone(), stranger());
    ops::commit(&repo, request(dir.path()), &Silent).unwrap();
    let last = BlobName::new("log/0000000002").unwrap();
    let file = store.get(&last, u64::MAX).unwrap();
    let mut entry = open_envelope(&file).unwrap().content.into_owned();
    *entry.last_mut().unwrap() ^= 1;
    store.overwrite(&last, seal_envelope(&entry).unwrap());
    let report = ops::check(&repo, CheckRequest::default(), &Silent).unwrap();
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.kind, finding.file.as_str()), (FindingKind::Log, last.as_str()));
    assert!(report.log_is_incomplete);
}
