//! What a key may not do, the host does not do; and what is wrong, it does not store.

use std::sync::Arc;

use warp::cas::pack_name;
use warp::format::dirtree::Timestamp;
use warp::format::receipt::Receipt;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{
    self, FetchRequest, ForgetRequest, GarbageCollector, GcConfig, MaxUnused, PushRequest, RefUpdate,
    RepackRequest,
};
use warp::repo::{Client, ErrorKind, GroupBy, Quota, Repository, RetentionPolicy};
use warp::store::{BlobName, MemoryStore, StorageBackend, StoreError};
use warp::sync::{Rights, VerificationMode};

use crate::common::password;
use crate::world::{LAPTOP, OWNER, READER, STRANGER, World};

fn name(text: &str) -> BlobName {
    BlobName::new(text).unwrap()
}

fn is_denied(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
}

#[test]
fn a_stranger_learns_nothing_and_a_reader_writes_nothing() {
    let world = World::new();
    let repo = world.create();
    let first = world.commit(&repo, &world.tree(1, 30_000)).unwrap();
    assert!(is_denied(&world.remote(STRANGER).unwrap_err()));
    let reader = world.open(READER).unwrap();
    world.assert_restores(&reader, first, &world.tree(1, 30_000));
    let before = world.store().list("packs/").unwrap();
    assert!(world.commit(&reader, &world.tree(2, 30_000)).is_err());
    assert!(reader.tag_create("mine", first, false).is_err());
    assert_eq!(world.store().list("packs/").unwrap(), before);
    assert_eq!(world.remote(READER).unwrap().rights(), Rights::READ);
}

#[test]
fn an_append_key_cannot_take_away_hide_or_replace_anything() {
    let world = World::new();
    let owner = world.create();
    let first = world.commit(&owner, &world.tree(1, 200_000)).unwrap();
    owner.tag_create("kept", first, false).unwrap();
    let laptop = world.open(LAPTOP).unwrap();
    let second = world.commit(&laptop, &world.tree(2, 200_000)).unwrap();
    // The attack: everything that the program offers, and everything that it does not.
    let attacks: Vec<(&str, Result<(), String>)> = vec![
        ("delete a tag", laptop.tag_delete("kept").map(drop).map_err(|error| error.to_string())),
        ("move a tag back", laptop.tag_create("kept", second, true).map_err(|error| error.to_string())),
        ("move a branch back", laptop.branch_create("main", first, true).map_err(|error| error.to_string())),
        ("delete a branch", laptop.branch_delete("main", true).map(drop).map_err(|error| error.to_string())),
        ("forget", forget(&laptop, first)),
        ("forget a password", laptop.set_setting("parity", Some("none")).map_err(|error| error.to_string())),
    ];
    for (what, outcome) in attacks {
        // A tag is moved forward: that is no attack.
        if what != "move a tag back" {
            outcome.expect_err(what);
        }
    }
    // There is nothing to collect, and it takes nothing.
    let _ = gc(&laptop);
    let store = world.remote(LAPTOP).unwrap();
    for folder in ["packs/", "index/", "log/", "config/", "receipts/"] {
        for blob in world.store().list(folder).unwrap() {
            assert!(store.delete(&blob.name).is_err(), "{} was deleted", blob.name);
            assert!(store.replace(&blob.name, b"ransom").is_err(), "{} was replaced", blob.name);
        }
    }
    assert!(store.put_new(&name("checkpoint/0000000003"), &[b"false"]).is_err());
    assert!(store.put_new(&name("config/0000000009"), &[b"false"]).is_err());
    let owner = world.open(OWNER).unwrap();
    assert_eq!(owner.timeline().branch("main"), Some(second));
    for (commit, version) in [(first, 1), (second, 2)] {
        world.assert_restores(&owner, commit, &world.tree(version, 200_000));
    }
    world.assert_clean(&owner);
}

/// What the owner keeps: the last one of each host, also of those on which branches stand.
fn keep_last(repo: &Repository) -> Vec<CommitId> {
    let policy = RetentionPolicy { last: Some(Quota::Newest(1)), ..RetentionPolicy::default() };
    let group_by = GroupBy { paths: false, ..GroupBy::default() };
    let request = ForgetRequest { policy, group_by, force: true, ..ForgetRequest::default() };
    ops::forget(repo, &request, &Silent).unwrap().forgotten
}

#[test]
fn commits_that_a_stolen_append_key_brings_push_no_other_out_until_they_have_settled() {
    let world = World::new();
    let owner = world.create();
    let before = world.commit(&owner, &world.tree(1, 60_000)).unwrap();
    let laptop = world.open(LAPTOP).unwrap();
    let mine = world.commit(&laptop, &world.tree(2, 60_000)).unwrap();
    let fakes = forged(&world, &laptop);
    let owner = world.open(OWNER).unwrap();
    assert_eq!(keep_last(&owner), []);
    for (commit, version) in [(before, 1), (mine, 2)] {
        world.assert_restores(&owner, commit, &world.tree(version, 60_000));
    }
    // A week later they count, among what this key brought, and only there.
    let later = Client { now: a_week_later, ..world.client() };
    let store = Arc::new(world.remote(OWNER).unwrap());
    let owner = Repository::open(store, &password(), later).unwrap();
    let forgotten = keep_last(&owner);
    assert!(!forgotten.contains(&before) && forgotten.contains(&mine), "{forgotten:?}");
    assert!(forgotten.contains(&fakes[0]) && !forgotten.contains(&fakes[5]));
    world.assert_restores(&owner, before, &world.tree(1, 60_000));
}

/// The thief commits as often as it likes, and says that this was years ago, or is yet to come.
fn forged(world: &World, laptop: &Repository) -> Vec<CommitId> {
    let mut fakes = Vec::new();
    for version in 3..9_u64 {
        let secs = if version % 2 == 0 { 0 } else { 4_000_000_000 };
        let request = ops::CommitRequest {
            branch: Some("main".to_owned()),
            ..ops::CommitRequest::new(
                ops::Source::WorkDir(world.tree(version, 2_000)),
                "host",
                Timestamp { secs, nanos: 0 },
            )
        };
        fakes.extend(ops::commit(laptop, request, &Silent).unwrap().commit);
    }
    fakes
}

#[test]
fn what_a_stolen_append_key_brought_pushes_nothing_out_of_a_clone_either() {
    let world = World::new();
    let owner = world.create();
    let before = world.commit(&owner, &world.tree(1, 60_000)).unwrap();
    let sibling = |from: &Repository| {
        let store = Arc::new(MemoryStore::new());
        (from.create_sibling(store.clone(), false, world.client()).unwrap(), store)
    };
    let copy = |from: &Repository, to: &Repository| {
        ops::copy_all(from, to, (None, VerificationMode::default()), &Silent).unwrap();
    };
    // One is cloned before the theft and fetches after it, one is cloned after it, and one is a clone of the clone.
    let (early, early_store) = sibling(&owner);
    copy(&owner, &early);
    let laptop = world.open(LAPTOP).unwrap();
    let mine = world.commit(&laptop, &world.tree(2, 60_000)).unwrap();
    let fakes = forged(&world, &laptop);
    let owner = world.open(OWNER).unwrap();
    let request = FetchRequest { remote: "origin".to_owned(), ..FetchRequest::default() };
    ops::fetch(&early, &owner, &request, &Silent).unwrap();
    let (late, late_store) = sibling(&owner);
    copy(&owner, &late);
    let (again, again_store) = sibling(&late);
    copy(&late, &again);
    for (which, repo, store) in
        [("early", &early, early_store), ("late", &late, late_store), ("again", &again, again_store)]
    {
        assert_eq!(keep_last(repo), [], "{which}");
        // As at the server, they count a week later, and among what this key brought.
        let later = Client { now: a_week_later, ..world.client() };
        let forgotten = keep_last(&Repository::open(store, &password(), later).unwrap());
        assert!(!forgotten.contains(&before) && forgotten.contains(&mine), "{which}: {forgotten:?}");
        assert!(forgotten.contains(&fakes[0]) && !forgotten.contains(&fakes[5]), "{which}: {forgotten:?}");
    }
}

#[test]
fn a_host_has_no_word_about_commits_that_it_did_not_bring() {
    let world = World::new();
    let owner = world.create();
    world.commit(&owner, &world.tree(1, 20_000)).unwrap();
    let here = owner.create_sibling(Arc::new(MemoryStore::new()), false, world.client()).unwrap();
    ops::copy_all(&owner, &here, (None, VerificationMode::default()), &Silent).unwrap();
    let mine = world.commit(&here, &world.tree(2, 20_000)).unwrap();
    let theirs = world.commit(&world.open(LAPTOP).unwrap(), &world.tree(3, 20_000)).unwrap();
    // It says that the key which may only append brought both.
    let last = world.store().list("receipts/").unwrap().pop().unwrap().name;
    let mut receipt = Receipt::decode(&world.store().get(&last, u64::MAX).unwrap()).unwrap();
    assert_eq!(receipt.commits, [theirs]);
    receipt.commits.push(mine);
    world.store().overwrite(&last, receipt.encode());
    let owner = world.open(OWNER).unwrap();
    let request = FetchRequest { remote: "origin".to_owned(), ..FetchRequest::default() };
    ops::fetch(&here, &owner, &request, &Silent).unwrap();
    let store = here.chunks().vault().store();
    let taken = store.list("receipts/").unwrap();
    let told =
        taken.iter().map(|blob| Receipt::decode(&store.get(&blob.name, u64::MAX).unwrap()).unwrap().commits);
    assert_eq!(told.collect::<Vec<_>>(), [vec![theirs]]);
}

/// A week and a day after what the clock of the host says.
fn a_week_later() -> Timestamp {
    Timestamp { secs: 1_800_000_000 + 8 * 86_400, nanos: 0 }
}

fn forget(repo: &Repository, commit: CommitId) -> Result<(), String> {
    let request = ForgetRequest { commits: vec![commit], ..ForgetRequest::default() };
    ops::forget(repo, &request, &Silent).map(drop).map_err(|error| error.to_string())
}

fn gc(repo: &Repository) -> Result<(), String> {
    let config = GcConfig { max_unused: MaxUnused::Percent(0), grace: 0, ..GcConfig::default() };
    GarbageCollector::new(repo, config).run(&Silent).map(drop).map_err(|error| error.to_string())
}

#[test]
fn the_owner_collects_garbage_and_only_what_the_log_gave_up_can_be_deleted() {
    let world = World::new();
    let owner = world.create();
    let first = world.commit(&owner, &world.tree(1, 400_000)).unwrap();
    world.commit(&owner, &world.tree(2, 400_000)).unwrap();
    let store = world.remote(OWNER).unwrap();
    for pack in owner.state().packs.keys() {
        let error = store.delete(&pack_name(pack)).unwrap_err();
        assert!(format!("{:?}", std::error::Error::source(&error)).contains("stays"), "{error:?}");
    }
    forget(&owner, first).unwrap();
    gc(&owner).unwrap();
    world.assert_clean(&world.behind());
}

#[test]
fn what_is_not_what_it_should_be_is_not_stored() {
    let world = World::new();
    let repo = world.create();
    world.commit(&repo, &world.tree(1, 30_000)).unwrap();
    let store = world.remote(OWNER).unwrap();
    let pack = world.store().list("packs/").unwrap().remove(0).name;
    let mut bytes = world.store().get(&pack, u64::MAX).unwrap();
    let other = name("packs/00112233445566778899aabbccddeeff.warp");
    assert!(store.put_new(&other, &[&bytes]).is_err(), "a pack under another name");
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    assert!(store.put_new(&other, &[&bytes]).is_err());
    for junk in ["log/0000000099", "log/1", "packs/x", "x", "receipts/0000000001", "tmp/x", "lost/../x"] {
        let Ok(junk) = BlobName::new(junk) else { continue };
        assert!(store.put_new(&junk, &[b"junk"]).is_err(), "{junk}");
    }
    let next = name(&format!("log/{:010}", repo.state().number + 1));
    assert!(store.put_new(&next, &[b"junk"]).is_err());
    let last = world.store().get(&name("log/0000000002"), u64::MAX).unwrap();
    assert!(store.put_new(&next, &[&last]).is_err(), "an entry again");
    assert!(store.put_new(&name("config/0000000002"), &[b"junk"]).is_err());
    assert_eq!(world.store().list("packs/").unwrap().len(), repo.state().packs.len());
    world.assert_clean(&world.behind());
}

#[test]
fn a_quota_and_a_full_disk_are_told_and_nothing_is_lost() {
    let world = World::with_quota(Some(400_000));
    let repo = world.create();
    let first = world.commit(&repo, &world.tree(1, 200_000)).unwrap();
    let error = world.commit(&repo, &world.tree(2, 2_000_000)).unwrap_err();
    let told = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
    let told: Vec<String> = told.map(ToString::to_string).collect();
    assert!(told.iter().any(|text| text.contains("400000")), "{told:?}");
    world.assert_restores(&world.open(OWNER).unwrap(), first, &world.tree(1, 200_000));
    world.assert_clean(&world.behind());
}

#[test]
fn repositories_are_made_by_who_may_and_not_within_another() {
    let world = World::new();
    assert!(world.remote(LAPTOP).is_err());
    world.create();
    assert_eq!(world.open(LAPTOP).unwrap().timeline().commits().len(), 0);
    let error = world.open(STRANGER).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Damaged, "{error}");
}

#[test]
fn what_would_be_refused_at_the_end_is_refused_before_anything_is_sent() {
    let world = World::with_quota(Some(400_000));
    let there = world.create();
    let first = world.commit(&there, &world.tree(1, 100_000)).unwrap();
    let here = there.create_sibling(Arc::new(MemoryStore::new()), false, world.client()).unwrap();
    ops::copy_all(&there, &here, (None, VerificationMode::Final), &Silent).unwrap();
    let second = world.commit(&here, &world.tree(2, 2_000_000)).unwrap();
    let packs = || world.store().list("packs/").unwrap();
    let before = packs();
    let there = world.open(OWNER).unwrap();
    let update = RefUpdate {
        from: "main".to_owned(),
        name: "heads/main".to_owned(),
        new: Some(second),
        force: true,
        expected: None,
    };
    let request = PushRequest { updates: vec![update], ..PushRequest::default() };
    let error = ops::push(&here, &there, &request, &Silent).unwrap_err();
    assert!(error.to_string().contains("quota"), "{error}");
    let laptop = world.open(LAPTOP).unwrap();
    let request = RepackRequest { aggressive: true, ..RepackRequest::default() };
    let error = ops::repack(&laptop, request, &Silent).unwrap_err();
    assert!(error.to_string().contains("the right gc"), "{error}");
    assert_eq!(packs(), before);
    world.assert_restores(&world.open(OWNER).unwrap(), first, &world.tree(1, 100_000));
}
