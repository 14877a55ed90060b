//! What goes over the line, and what need not.

use warp::observe::Silent;
use warp::ops::{self, CommitOutcome, CommitRequest};
use warp::repo::Repository;
use warp::testing::Rng;

use crate::common::request;
use crate::world::World;

/// Bytes of the file.
const LEN: usize = 2_000_000;

#[test]
fn contents_are_stored_in_full_at_a_server_and_as_differences_where_these_are_asked_for() {
    let world = World::new();
    let repo = world.create();
    let tree = world.tree(1, 30_000);
    let mut bytes = Rng::new(3).bytes(LEN);
    let mut commit = |repo: &Repository, delta_depth| -> CommitOutcome {
        // A few bytes in every other chunk or so.
        bytes.iter_mut().step_by(60_000).for_each(|byte| *byte = byte.wrapping_add(1));
        std::fs::write(tree.join("image"), &bytes).unwrap();
        ops::commit(repo, CommitRequest { delta_depth, ..request(&tree) }, &Silent).unwrap()
    };
    commit(&repo, None);
    let in_full = commit(&repo, None);
    assert!(in_full.deltas.bytes < 100_000, "metadata alone: {:?}", in_full.deltas);
    let asked = commit(&repo, Some(1));
    assert!(asked.deltas.bytes > 500_000, "{:?}", asked.deltas);
    repo.set_setting("delta", Some("on")).unwrap();
    let set = commit(&repo, None);
    assert!(set.deltas.bytes > 500_000, "{:?}", set.deltas);
    // With the store at hand nothing need be fetched.
    let behind = world.behind();
    behind.set_setting("delta", None).unwrap();
    let at_hand = commit(&behind, None);
    assert!(at_hand.deltas.bytes > 500_000, "{:?}", at_hand.deltas);
}
