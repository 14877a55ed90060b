//! Who meets whom, over what.

use warp::cas::{pack_name, segment_name};
use warp::observe::Silent;
use warp::ops::{self, GarbageCollector, GcConfig, MaxUnused};
use warp::testing::Rng;

use crate::world::{
    ALL, Act, World, check, commit, damage, fetch, forget, gc, litter, parity, push, read, repack, repair,
    rewrite, undelete,
};

/// A gc that condemns, and removes nothing yet.
const CONDEMN: GcConfig = GcConfig { grace: 3600, ..ALL };
/// A gc that merges, too.
const MERGE: GcConfig = GcConfig { merge: true, ..ALL };

/// A repository and those who meet in it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) world: fn() -> World,
    pub(crate) actors: fn(&World) -> Vec<(&'static str, Act)>,
}

impl Case {
    const fn new(world: fn() -> World, actors: fn(&World) -> Vec<(&'static str, Act)>) -> Self {
        Self { world, actors }
    }
}

pub(crate) const COMMIT_FINDS_CHUNKS_GC: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "first-again", ("again", 0))), ("gc", gc(ALL))]
});

pub(crate) const COMMIT_FINDS_DELTA_GC: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "second-again", ("again", 0))), ("gc", gc(ALL))]
});

/// The pack of the delta stays, since little of it is not needed; that of its base does not.
pub(crate) const COMMIT_FINDS_DELTA_THAT_STAYS_GC: Case = Case::new(with_unneeded_delta, |world| {
    let config = GcConfig { max_unused: MaxUnused::Bytes(1500), ..ALL };
    vec![("commit", commit(world, "second-again", ("again", 0))), ("gc", gc(config))]
});

pub(crate) const COMMIT_MAKES_DELTAS_GC: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "third", ("again", 1))), ("gc", gc(ALL))]
});

pub(crate) const COMMIT_FINDS_CONDEMNED_GC: Case = Case::new(with_condemned, |world| {
    vec![("commit", commit(world, "second-again", ("again", 1))), ("gc", gc(ALL))]
});

pub(crate) const COMMIT_NEW_GC: Case =
    Case::new(with_litter, |world| vec![("commit", commit(world, "new", ("new", 0))), ("gc", gc(ALL))]);

pub(crate) const COMMIT_COMMIT: Case = Case::new(with_unneeded_delta, |world| {
    let commits = ["third", "new"].map(|name| commit(world, name, ("main", 1)));
    ["commit-1", "commit-2"].into_iter().zip(commits).collect()
});

pub(crate) const COMMIT_REPACK: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "first-again", ("again", 1))), ("repack", repack())]
});

pub(crate) const COMMIT_MAKES_DELTAS_REPACK: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "third", ("again", 4))), ("repack", repack())]
});

pub(crate) const COMMIT_FINDS_DELTA_PARITY: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "second-again", ("again", 0))), ("parity", parity(world))]
});

pub(crate) const COMMIT_MAKES_DELTAS_PARITY: Case = Case::new(with_unneeded_delta, |world| {
    vec![("commit", commit(world, "third", ("again", 4))), ("parity", parity(world))]
});

pub(crate) const GC_PARITY: Case =
    Case::new(with_unneeded_delta, |world| vec![("gc", gc(ALL)), ("parity", parity(world))]);

pub(crate) const RESTORE_PARITY: Case = Case::new(with_unneeded_delta, |world| {
    vec![("restore", read(world, "other")), ("parity", parity(world))]
});

pub(crate) const GC_GC: Case = Case::new(with_unneeded_delta, |_| vec![("gc-1", gc(ALL)), ("gc-2", gc(ALL))]);

pub(crate) const GC_REPACK: Case =
    Case::new(with_unneeded_delta, |_| vec![("gc", gc(ALL)), ("repack", repack())]);

pub(crate) const RESTORE_GC: Case =
    Case::new(with_unneeded_delta, |world| vec![("restore", read(world, "other")), ("gc", gc(ALL))]);

pub(crate) const CHECK_GC: Case =
    Case::new(with_unneeded_delta, |_| vec![("check", check()), ("gc", gc(ALL))]);

pub(crate) const CHECK_REPACK: Case =
    Case::new(with_condemned, |_| vec![("check", check()), ("repack", repack())]);

/// What the commit finds lies in the pack that is repaired.
pub(crate) const COMMIT_REPAIR: Case = Case::new(with_damaged_pack, |world| {
    vec![("commit", commit(world, "second-again", ("again", 0))), ("repair", repair())]
});

pub(crate) const COMMIT_MAKES_DELTAS_REPAIR: Case = Case::new(with_damaged_pack, |world| {
    vec![("commit", commit(world, "third", ("again", 1))), ("repair", repair())]
});

pub(crate) const GC_REPAIR: Case =
    Case::new(with_damaged_pack, |_| vec![("gc", gc(ALL)), ("repair", repair())]);

pub(crate) const REPAIR_REPAIR: Case =
    Case::new(with_damaged_pack, |_| vec![("repair-1", repair()), ("repair-2", repair())]);

pub(crate) const SEGMENTS_GC_REPAIR: Case =
    Case::new(with_damaged_segment, |_| vec![("gc", gc(MERGE)), ("repair", repair())]);

pub(crate) const UNDELETE_GC: Case =
    Case::new(with_forgotten, |world| vec![("undelete", undelete(forgotten(world))), ("gc", gc(ALL))]);

pub(crate) const UNDELETE_CONDEMNED_GC: Case =
    Case::new(with_condemned, |world| vec![("undelete", undelete(forgotten(world))), ("gc", gc(ALL))]);

pub(crate) const SEGMENTS_GC_GC: Case =
    Case::new(with_segments, |_| vec![("gc-1", gc(MERGE)), ("gc-2", gc(MERGE))]);

pub(crate) const SEGMENTS_RESTORE_GC: Case =
    Case::new(with_segments, |world| vec![("restore", read(world, "keep-4")), ("gc", gc(MERGE))]);

pub(crate) const COMMIT_FORGET_GC: Case = Case::new(with_grown, |world| {
    let forget = forget(world.repo().timeline().branch("main").unwrap());
    vec![("commit", commit(world, "grown", ("main", 0))), ("forget", forget), ("gc", gc(ALL))]
});

pub(crate) const REWRITE_GC: Case =
    Case::new(with_text_to_drop, |_| vec![("rewrite", rewrite("text")), ("gc", gc(ALL))]);

pub(crate) const REWRITE_REWRITE: Case =
    Case::new(with_text_to_drop, |_| vec![("rewrite-1", rewrite("text")), ("rewrite-2", rewrite("text"))]);

pub(crate) const COMMIT_REWRITE_GC: Case = Case::new(with_text_to_drop, |world| {
    let commit = commit(world, "first-again", ("main", 1));
    vec![("commit", commit), ("rewrite", rewrite("text")), ("gc", gc(ALL))]
});

pub(crate) const COMMIT_COMMIT_GC: Case = Case::new(with_unneeded_delta, |world| {
    let commits = ["first-again", "second-again"].map(|name| commit(world, name, ("again", 0)));
    ["commit-1", "commit-2", "gc"].into_iter().zip(commits.into_iter().chain([gc(ALL)])).collect()
});

pub(crate) const ALL_AT_ONCE: Case = Case::new(with_unneeded_delta, |world| {
    let commits = ["second-again", "third"].map(|name| commit(world, name, ("again", 1)));
    let others = [gc(ALL), gc(ALL), read(world, "other")];
    let names = ["commit-1", "commit-2", "gc-1", "gc-2", "restore"];
    names.into_iter().zip(commits.into_iter().chain(others)).collect()
});

/// What the pushed commit needs lies in a pack that both sides have, and that nothing needs at the receiver.
pub(crate) const PUSH_RELIES_GC: Case =
    Case::new(with_unneeded_delta, |world| vec![("push", push(world, "second-again")), ("gc", gc(ALL))]);

/// The pushed packs are nobody's before the entry that names them.
pub(crate) const PUSH_NEW_GC: Case =
    Case::new(with_litter, |world| vec![("push", push(world, "new")), ("gc", gc(ALL))]);

/// The receiver writes anew what the pushed commit needs.
pub(crate) const PUSH_REPACK: Case =
    Case::new(with_unneeded_delta, |world| vec![("push", push(world, "third")), ("repack", repack())]);

pub(crate) const PUSH_PUSH_GC: Case = Case::new(with_unneeded_delta, |world| {
    let pushes = ["first-again", "second-again"].map(|name| push(world, name));
    ["push-1", "push-2", "gc"].into_iter().zip(pushes.into_iter().chain([gc(ALL)])).collect()
});

pub(crate) const PUSH_COMMIT_GC: Case = Case::new(with_unneeded_delta, |world| {
    let commit = commit(world, "first-again", ("main", 1));
    vec![("push", push(world, "third")), ("commit", commit), ("gc", gc(ALL))]
});

pub(crate) const FETCH_GC: Case =
    Case::new(with_unneeded_delta, |_| vec![("fetch", fetch()), ("gc", gc(ALL))]);

pub(crate) const SEGMENTS_FETCH_GC: Case =
    Case::new(with_segments, |_| vec![("fetch", fetch()), ("gc", gc(MERGE))]);

/// Three commits: `text`; `text` a little changed, which is stored as a difference, and beside it `other`; `other` alone. The first
/// two are forgotten.
fn with_unneeded_delta() -> World {
    let mut world = with_text();
    world.forget(&["first", "second"]);
    world
}

/// Nothing is forgotten, and `text` will be dropped.
fn with_text_to_drop() -> World {
    with_text().without("text")
}

/// Nothing is forgotten, but there are files of writers that died.
fn with_litter() -> World {
    let world = with_text();
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

/// Parity can bring back what is damaged of the largest pack, of which a part is not needed.
fn with_damaged_pack() -> World {
    let world = with_unneeded_delta();
    let packs = &world.repo().state().packs;
    let largest = packs.values().max_by_key(|pack| pack.len).unwrap().uid;
    damage(&world.store, &pack_name(&largest));
    world
}

/// One of many segments of the index is damaged.
fn with_damaged_segment() -> World {
    let world = with_segments();
    let segment = world.repo().state().segments[3].uid;
    damage(&world.store, &segment_name(&segment));
    world
}

/// The last of the three has one more file now, and need not stay.
fn with_grown() -> World {
    let (mut world, mut rng) = (with_text(), Rng::new(43));
    world.forget(&["first", "second"]);
    world.grow("other", "grown", ("more", rng.text(4000)));
    world.give_up("other");
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
