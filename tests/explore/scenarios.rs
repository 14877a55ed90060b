//! Who meets whom, over what.

use warp::ops::{self, GarbageCollector, GcConfig, MaxUnused};
use warp::observe::Silent;
use warp::testing::Rng;
use warp::testing::explore::Scenario;

use crate::world::{ALL, Did, World, commit, gc, litter, read, repack, undelete};

/// A gc that condemns, and removes nothing yet.
const CONDEMN: GcConfig = GcConfig { grace: 3600, ..ALL };

/// A scenario and what a run of it is about.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) world: World,
    pub(crate) make: fn(&World) -> Scenario<'_, Did>,
}

/// All of them.
pub(crate) const CASES: [(&str, fn() -> World, fn(&World) -> Scenario<'_, Did>); 14] = [
    ("a commit finds chunks that gc takes away", with_unneeded_delta, |world| {
        world.scenario(vec![("commit", commit(world, "first-again", ("again", 0))), ("gc", gc(ALL))])
    }),
    ("a commit finds a delta whose base gc takes away", with_unneeded_delta, |world| {
        world.scenario(vec![("commit", commit(world, "second-again", ("again", 0))), ("gc", gc(ALL))])
    }),
    ("a commit finds a delta in a pack that stays", with_unneeded_delta, |world| {
        let config = GcConfig { max_unused: MaxUnused::Bytes(1500), ..ALL };
        world.scenario(vec![("commit", commit(world, "second-again", ("again", 0))), ("gc", gc(config))])
    }),
    ("a commit makes deltas against what gc takes away", with_unneeded_delta, |world| {
        world.scenario(vec![("commit", commit(world, "third", ("again", 1))), ("gc", gc(ALL))])
    }),
    ("gc takes the files of a living writer for left over", with_litter, |world| {
        world.scenario(vec![("commit", commit(world, "new", ("new", 0))), ("gc", gc(ALL))])
    }),
    ("two collectors", with_unneeded_delta, |world| {
        world.scenario(vec![("gc-1", gc(ALL)), ("gc-2", gc(ALL))])
    }),
    ("gc beside repack", with_unneeded_delta, |world| {
        world.scenario(vec![("gc", gc(ALL)), ("repack", repack())])
    }),
    ("a commit finds chunks that repack moves", with_unneeded_delta, |world| {
        world.scenario(vec![("commit", commit(world, "first-again", ("again", 1))), ("repack", repack())])
    }),
    ("two commits on one branch", with_unneeded_delta, |world| {
        let main = ("main", 1);
        world.scenario(vec![("commit-1", commit(world, "third", main)), ("commit-2", commit(world, "new", main))])
    }),
    ("a restore beside gc", with_unneeded_delta, |world| {
        world.scenario(vec![("restore", read(world, "other")), ("gc", gc(ALL))])
    }),
    ("a commit comes back beside gc", with_forgotten, |world| {
        world.scenario(vec![("undelete", undelete(forgotten(world))), ("gc", gc(ALL))])
    }),
    ("a commit comes back from what is condemned", with_condemned, |world| {
        world.scenario(vec![("undelete", undelete(forgotten(world))), ("gc", gc(ALL))])
    }),
    ("segments are merged under a mark", with_segments, |world| {
        let merge = GcConfig { merge: true, ..ALL };
        world.scenario(vec![("gc-1", gc(merge)), ("gc-2", gc(merge)), ("restore", read(world, "keep-4"))])
    }),
    ("two commits and a gc", with_unneeded_delta, |world| {
        let [first, second] = ["first-again", "second-again"].map(|name| commit(world, name, ("again", 0)));
        world.scenario(vec![("commit-1", first), ("commit-2", second), ("gc", gc(ALL))])
    }),
];

/// Three commits: `text`; `text` a little changed, which is stored as a difference, and beside it `other`; `other` alone. The first
/// two are forgotten.
fn with_unneeded_delta() -> World {
    let mut world = with_text();
    world.forget(&["first", "second"]);
    world
}

/// The same, with files of writers that died.
fn with_litter() -> World {
    let world = with_unneeded_delta();
    litter(&world.store, &format!("packs/{}.warp", "09".repeat(16)));
    litter(&world.store, &format!("index/{}", "08".repeat(16)));
    world
}

/// The first of the three is forgotten.
fn with_forgotten() -> World {
    let mut world = with_text();
    world.forget(&["first"]);
    world
}

/// The first and the second are forgotten, and what they alone needed is condemned.
fn with_condemned() -> World {
    let world = with_unneeded_delta();
    GarbageCollector::new(&world.repo(), CONDEMN).run(&Silent).unwrap();
    world
}

fn forgotten(world: &World) -> warp::id::CommitId {
    ops::forgotten(&world.repo()).unwrap().last().unwrap().id
}

fn with_text() -> World {
    let (mut world, mut rng) = (World::new(), Rng::new(41));
    let first = rng.text(9000);
    let edited = |rng: &mut Rng, at: usize| {
        let mut text = first.clone();
        text.splice(at..at + 10, rng.bytes(12));
        text
    };
    let (second, third) = (edited(&mut rng, 4000), edited(&mut rng, 7000));
    let other = rng.text(30_000);
    world.commit("first", ("main", 1), [("text", first.clone())]);
    world.commit("second", ("main", 1), [("text", second.clone()), ("other", other.clone())]);
    world.commit("other", ("main", 1), [("other", other)]);
    // Empty files, so that no other object is as in a commit of before.
    world.source("first-again", [("text", first), ("empty", Vec::new())]);
    world.source("second-again", [("text", second), ("empty-1", Vec::new()), ("empty-2", Vec::new())]);
    world.source("third", [("renamed", third), ("empty-3", Vec::new())]);
    world.source("new", [("new", rng.text(5000))]);
    world
}

/// Commits whose packs were written anew, each alone, so that each has a segment of the index; and something that nobody needs.
fn with_segments() -> World {
    const NAMES: [[&str; 2]; 8] = [
        ["both-0", "keep-0"],
        ["both-1", "keep-1"],
        ["both-2", "keep-2"],
        ["both-3", "keep-3"],
        ["both-4", "keep-4"],
        ["both-5", "keep-5"],
        ["both-6", "keep-6"],
        ["both-7", "keep-7"],
    ];
    let (mut world, mut rng) = (World::new(), Rng::new(42));
    for [both, keep] in NAMES {
        let kept = rng.text(2000);
        world.commit(both, (keep, 0), [("keep", kept.clone()), ("drop", rng.text(2000))]);
        world.commit(keep, (keep, 0), [("keep", kept)]);
        world.forget(&[both]);
        GarbageCollector::new(&world.repo(), ALL).run(&Silent).unwrap();
    }
    let segments = world.repo().state().segments.len();
    assert!(segments >= 8, "there are only {segments} segments");
    world.commit("gone", ("gone", 0), [("gone", rng.text(3000))]);
    world.forget(&["gone"]);
    world
}
