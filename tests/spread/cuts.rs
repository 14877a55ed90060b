//! Pushes that are cut off, and writers that race.

use std::sync::atomic::Ordering;

use warp::observe::Silent;
use warp::ops::{self, CommitRequest, ForgetRequest, GarbageCollector, GcConfig};
use warp::store::StorageBackend;

use crate::common::program::rounds;
use crate::common::request;
use crate::world::{World, assert_clean, commit, push, restored};

#[test]
fn a_push_that_is_cut_at_any_operation_leaves_the_group_usable_and_the_next_one_completes_it() {
    let (base, commits) = World::with_two_commits();
    let local = base.local();
    let tree = base.tree(3, 200_000);
    let newest = commit(&local, &tree);
    let whole = {
        let world = base.fork();
        let (repo, _) = world.open().unwrap();
        let left = 1 << 40;
        world.fuse.store(left, Ordering::Release);
        push(&local, &repo).unwrap();
        left - world.fuse.load(Ordering::Acquire)
    };
    assert!(whole > 20, "only {whole} operations");
    let step = (whole as usize / rounds(60, whole as usize)).max(1);
    for cut in (0..whole).step_by(step) {
        let world = base.fork();
        let (repo, _) = world.open().unwrap();
        world.fuse.store(cut, Ordering::Release);
        let pushed = push(&local, &repo);
        drop(repo);
        world.heal();
        // What was there is there.
        let (repo, _) = world.open().unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        if pushed.is_ok() {
            assert_eq!(repo.timeline().branch("main"), Some(newest), "cut at {cut}");
        }
        assert_eq!(restored(&repo, commits[1].0, &commits[1].1), Ok(()), "cut at {cut}");
        push(&local, &repo).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        drop(repo);
        let (repo, observer) = world.open().unwrap();
        assert_eq!(restored(&repo, newest, &tree), Ok(()), "cut at {cut}");
        assert_eq!(observer.notices(), [] as [String; 0], "cut at {cut}");
        assert_clean(&repo);
        let report = world.mend(false);
        assert!(report.is_clean() && report.spare.keys().eq([&2]), "cut at {cut}: {report:?}");
    }
}

#[test]
fn writers_that_race_through_the_leader_lose_nothing() {
    let (world, _) = World::with_two_commits();
    let trees: Vec<_> = (10..14).map(|version| world.tree(version, 100_000)).collect();
    let write = |tree| {
        let (repo, _) = world.open().unwrap();
        let request = CommitRequest { branch: None, ..request(tree) };
        ops::commit(&repo, request, &Silent).unwrap().commit.unwrap()
    };
    let made: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = trees.iter().map(|tree| scope.spawn(move || write(tree))).collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    let (repo, observer) = world.open().unwrap();
    for (commit, tree) in made.iter().zip(&trees) {
        assert_eq!(restored(&repo, *commit, tree), Ok(()));
    }
    assert_clean(&repo);
    assert_eq!(observer.notices(), [] as [String; 0]);
    let report = world.mend(false);
    assert!(report.is_clean(), "{report:?}");
}

#[test]
fn a_collection_takes_shards_away_at_every_member() {
    let (world, commits) = World::with_two_commits();
    let (repo, _) = world.open().unwrap();
    let before = shards(&world);
    let forget = ForgetRequest { commits: vec![commits[0].0], ..ForgetRequest::default() };
    ops::forget(&repo, &forget, &Silent).unwrap();
    let config = GcConfig { grace: 0, ..GcConfig::default() };
    GarbageCollector::new(&repo, config).run(&Silent).unwrap();
    assert!(shards(&world) < before, "{} of {before}", shards(&world));
    drop(repo);
    let (repo, _) = world.open().unwrap();
    assert_clean(&repo);
    assert_eq!(restored(&repo, commits[1].0, &commits[1].1), Ok(()));
    assert!(world.mend(false).is_clean());
}

/// Bytes of all shards.
fn shards(world: &World) -> u64 {
    let of =
        |store: &dyn StorageBackend| store.list("shards/").unwrap().iter().map(|row| row.len).sum::<u64>();
    world.members.iter().map(|member| of(&member.inner)).sum()
}
