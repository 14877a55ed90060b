//! Members that are dead, slow, or lie.

use std::sync::Arc;

use warp::erasure::ErasureConfig;
use warp::ops::spread::{SpreadOptions, SpreadStore};
use warp::repo::Repository;
use warp::store::{BlobName, Put, StorageBackend, StoreError};
use warp::testing::Rng;

use crate::common::password;
use crate::world::{MEMBERS, NEEDED, Trick, World, assert_clean, commit, push, restored, told};

const LIES: [Trick; 5] =
    [Trick::WrongBytes, Trick::WrongHeader, Trick::Withheld, Trick::Swapped, Trick::Slow];

#[test]
fn any_four_of_six_bring_a_pack_back_byte_for_byte() {
    let world = World::new();
    let (store, _) = world.group().unwrap();
    store.keyed(&[3; 32]);
    for (at, len) in [1_usize, 63, 255, 256, 257, 1000, 100_000].into_iter().enumerate() {
        let name = BlobName::new(&format!("packs/{:032x}.warp", at + 1)).unwrap();
        let bytes = Rng::new(len as u64).bytes(len);
        let (one, two) = bytes.split_at(len / 3);
        assert_eq!(store.put_new(&name, &[one, two]).unwrap(), Put::Created);
        assert_eq!(store.put_new(&name, &[&bytes]).unwrap(), Put::Exists);
        for lost in 0..MEMBERS {
            for other in lost..MEMBERS {
                world.set(lost, Trick::Dead);
                world.set(other, Trick::Dead);
                let (reader, _) = world.group().unwrap();
                reader.keyed(&[3; 32]);
                assert_eq!(reader.get(&name, len as u64).unwrap(), bytes, "without {lost} and {other}");
                assert_eq!(reader.len(&name).unwrap(), Some(len as u64));
                assert!(matches!(reader.get(&name, len as u64 - 1), Err(StoreError::TooLarge { .. })));
                assert!(matches!(reader.read_at(&name, len as u64, 1), Err(StoreError::Short { .. })));
                world.heal();
            }
        }
        let listed = store.list("packs/").unwrap();
        assert!(listed.iter().any(|row| row.name == name && row.len == len as u64));
        assert!(store.delete(&name).unwrap() && !store.delete(&name).unwrap());
        assert!(store.get(&name, 1).unwrap_err().is_not_found());
        assert!(world.members.iter().all(|member| member.inner.names("shards/").unwrap().is_empty()));
    }
}

#[test]
fn two_dead_members_keep_nobody_from_cloning() {
    let (world, commits) = World::with_two_commits();
    for (one, two) in [(0, 1), (0, 5), (2, 4), (4, 5)] {
        world.set(one, Trick::Dead);
        world.set(two, Trick::Dead);
        let (repo, observer) = world.open().unwrap();
        for (commit, tree) in &commits {
            assert_eq!(restored(&repo, *commit, tree), Ok(()), "without {one} and {two}");
        }
        drop(repo);
        assert_clean(&world.local());
        for number in [one, two] {
            let named = |text: &String| text.starts_with(&format!("member {number} "));
            assert!(observer.notices().iter().any(named), "{number}: {:?}", observer.notices());
        }
        world.heal();
    }
}

#[test]
fn a_member_that_lies_in_any_way_is_named_and_done_without() {
    let (world, commits) = World::with_two_commits();
    for trick in LIES {
        for liar in [1, 3, 4] {
            // Another one is dead, so that the liar is asked, whichever it is.
            let dead = if liar == 4 { 2 } else { 4 };
            world.set(liar, trick);
            world.set(dead, Trick::Dead);
            let (repo, observer) = world.open().unwrap();
            for (commit, tree) in &commits {
                assert_eq!(restored(&repo, *commit, tree), Ok(()), "{trick:?} of {liar}");
            }
            let notices = observer.notices();
            let expected = match trick {
                Trick::Withheld => "does not have it",
                Trick::Slow => "did not answer",
                _ => "is damaged or lies",
            };
            let is_named = |text: &String| text.starts_with(&format!("member {liar} {expected}"));
            assert!(notices.iter().any(is_named), "{trick:?} of {liar}: {notices:?}");
            world.heal();
        }
    }
}

#[test]
fn wrong_copies_of_the_log_and_the_index_are_named_and_others_are_read() {
    let (world, commits) = World::with_two_commits();
    for (liar, trick) in [(0, Trick::WrongBytes), (0, Trick::WrongIndex), (2, Trick::WrongBytes)] {
        world.set(liar, trick);
        let (repo, observer) = world.open().unwrap();
        for (commit, tree) in &commits {
            assert_eq!(restored(&repo, *commit, tree), Ok(()), "{trick:?} of {liar}");
        }
        let notices = observer.notices();
        assert!(notices.iter().any(|text| text.starts_with(&format!("member {liar} "))), "{notices:?}");
        world.heal();
    }
}

#[test]
fn more_bad_members_than_may_be_lost_are_all_named_and_nothing_wrong_is_returned() {
    let (world, commits) = World::with_two_commits();
    for trick in LIES.into_iter().filter(|trick| *trick != Trick::Slow) {
        for number in 3..MEMBERS {
            world.set(number, trick);
        }
        let (repo, _) = world.open().unwrap();
        let (commit, tree) = &commits[0];
        let error = restored(&repo, *commit, tree).expect_err(&format!("{trick:?}"));
        for number in 3..MEMBERS {
            assert!(error.contains(&format!("member {number} ")), "{trick:?}: {error}");
        }
        assert!(error.contains(&format!("{NEEDED} shards are needed, and 3 are right")), "{error}");
        world.heal();
    }
    for number in 3..MEMBERS {
        world.set(number, Trick::Dead);
    }
    assert_eq!(world.open().map(drop).unwrap_err().kind(), warp::repo::ErrorKind::Store);
    let error = told(&world.group().map(drop).unwrap_err());
    assert!((3..MEMBERS).all(|number| error.contains(&format!("member {number} "))), "{error}");
}

#[test]
fn without_the_keys_shards_that_agree_are_read_and_those_that_do_not_are_not() {
    let world = World::new();
    let name = BlobName::new(&format!("packs/{:032x}.warp", 7)).unwrap();
    let (store, _) = world.group().unwrap();
    let error = store.put_new(&name, &[b"bytes"]).unwrap_err();
    assert!(told(&error).contains("keys"), "{error}");
    store.keyed(&[3; 32]);
    store.put_new(&name, &[b"bytes"]).unwrap();
    world.set(1, Trick::WrongHeader);
    world.set(2, Trick::WrongBytes);
    assert_eq!(world.group().unwrap().0.get(&name, 9).unwrap(), b"bytes");
    world.set(3, Trick::WrongHeader);
    assert!(world.group().unwrap().0.get(&name, 9).is_err());
    // Another family's key makes nothing right.
    world.heal();
    let (store, _) = world.group().unwrap();
    store.keyed(&[4; 32]);
    let error = told(&store.get(&name, 9).unwrap_err());
    assert!(error.contains("not made with the keys"), "{error}");
}

#[test]
fn a_member_that_cannot_be_reached_fails_a_push_unless_it_may_be_missing() {
    let (world, _) = World::with_two_commits();
    let local = world.local();
    let newest = commit(&local, &world.tree(3, 400_000));
    world.set(4, Trick::Dead);
    let (repo, _) = world.open().unwrap();
    let error = told(&push(&local, &repo).unwrap_err());
    assert!(error.contains("member 4 ") && error.contains("--allow-missing"), "{error}");

    let observer = Arc::new(warp::testing::RecordingObserver::new());
    let options = SpreadOptions { allow_missing: 1, ..world.options(&observer) };
    let store = SpreadStore::open(world.seats(), options).unwrap();
    let repo = Repository::open(Arc::new(store), &password(), world.client()).unwrap();
    push(&local, &repo).unwrap();
    assert!(observer.notices().iter().any(|text| text.starts_with("member 4 ")), "{:?}", observer.notices());
    world.heal();
    let report = world.mend(false);
    assert!(report.members[4].missing > 0 && report.spare.contains_key(&1) && !report.is_clean());
    assert!(world.mend(true).is_clean() && world.mend(false).is_clean());
    let (repo, _) = world.open().unwrap();
    assert_eq!(restored(&repo, newest, &world.tree(3, 400_000)), Ok(()));
}

#[test]
fn a_group_takes_as_many_members_as_its_code_has_shards() {
    let world = World::new();
    let open = |change: &dyn Fn(&mut SpreadOptions), members: usize| {
        let mut options = SpreadOptions::new(ErasureConfig::RS_4_2);
        change(&mut options);
        let seats = world.seats().into_iter().take(members).collect();
        SpreadStore::open(seats, options).map(drop)
    };
    assert!(open(&|_| {}, MEMBERS).is_ok());
    assert!(open(&|_| {}, 5).is_err());
    assert!(open(&|options| options.allow_missing = 3, MEMBERS).is_err());
    assert!(open(&|options| options.config = ErasureConfig::new(60, 5).unwrap(), MEMBERS).is_err());
}

#[test]
fn many_small_blobs_come_from_one_member_and_what_it_lacks_or_fails_at_from_others() {
    let world = World::new();
    let names: Vec<BlobName> =
        (1..=40).map(|number| BlobName::new(&format!("receipts/{number:010}")).unwrap()).collect();
    for (at, name) in names.iter().enumerate() {
        // Each lacks some, and nobody has the last one.
        let has = |member: &usize| at % MEMBERS != *member && at + 1 < names.len();
        for member in (0..MEMBERS).filter(has) {
            world.members[member].inner.put_new(name, &[name.as_str().as_bytes()]).unwrap();
        }
    }
    for dead in [None, Some(0), Some(3)] {
        let (store, _) = world.group().unwrap();
        if let Some(dead) = dead {
            world.set(dead, Trick::Dead);
        }
        let (mut taken, mut missing) = (Vec::new(), 0);
        let take = &mut |name: &BlobName, got: Result<Vec<u8>, StoreError>| {
            match got {
                Err(error) if error.is_not_found() => missing += 1,
                got => assert_eq!(got?, name.as_str().as_bytes(), "without {dead:?}"),
            }
            taken.push(name.clone());
            Ok(())
        };
        store.get_many(&names, 100, take).unwrap();
        assert_eq!((taken, missing), (names.clone(), 1), "without {dead:?}");
        world.heal();
    }
}
