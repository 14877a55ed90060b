//! A model checker over the real code: commit, gc, repack, repair, undelete, restore, forget, rewrite, push and fetch run at once on small repositories in memory,
//! and an explorer (`warp::testing::explore`) tries the orders of what they do to the store. Nothing that was acknowledged may be
//! lost, no operation may fail because of another, and a gc must leave exactly what the log names.
//!
//! By default each case runs all schedules with at most one preemption (20 to 90 with two actors; of those with more actors, or with
//! segments, 120), 50 of those with two preemptions or faults, and a few random walks, in half of which every call of the store is a
//! step: some 3,000 runs with those for mutants. With WARP_LONG=1 these are all schedules with two preemptions (50 to 2,000 with two
//! actors; at most 20,000), all with two preemptions or a kill or a lost reply among them (200 to 4,000, at most 20,000), and 400
//! walks; docs/reliability.md says how many were run.
//!
//! That it would find what is wrong, the mutants show: rules of the real code that are taken out, one at a time.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod scenarios;
mod world;

use scenarios::*;
use warp::mutants::Mutant;
use warp::testing::explore::{Explored, Explorer, Grain, Limits, Violation};

fn is_long() -> bool {
    std::env::var_os("WARP_LONG").is_some()
}

/// Most runs: few by default, many in the long run.
fn runs(few: usize, many: usize) -> usize {
    if is_long() { many } else { few }
}

/// Explores a case; there must be nothing to find.
fn explore(case: Case) {
    let world = (case.world)();
    let scenario = || world.scenario((case.actors)(&world));
    let told = |what: &str, done: Result<Explored, Box<Violation>>| match done {
        Ok(done) => println!("{what}: {done:?}"),
        Err(violation) => panic!("{what}: {violation}"),
    };
    let limits = |budget, faults, runs| Limits { budget, faults, runs, seed: 1 };
    let one = limits(1, 0, runs(120, 20_000));
    told("one preemption", Explorer::new(None).exhaust(&scenario(), one));
    if is_long() {
        told("two preemptions", Explorer::new(None).exhaust(&scenario(), limits(2, 0, 20_000)));
    }
    let faulty = limits(2, 1, runs(50, 20_000));
    told("two preemptions or faults", Explorer::new(None).exhaust(&scenario(), faulty));
    for grain in [Grain::Visible, Grain::Every] {
        let walks = limits(12, 2, runs(12, 200));
        told(&format!("walks, {grain:?}"), Explorer::new(None).walk(&scenario(), grain, walks));
    }
}

#[test]
fn chunks_that_a_commit_finds_while_gc_takes_them_away_are_not_lost() {
    explore(COMMIT_FINDS_CHUNKS_GC);
}

#[test]
fn a_delta_that_a_commit_finds_while_gc_takes_its_base_away_is_not_lost() {
    explore(COMMIT_FINDS_DELTA_GC);
}

#[test]
fn a_delta_that_a_commit_finds_in_a_pack_that_stays_has_its_base() {
    explore(COMMIT_FINDS_DELTA_THAT_STAYS_GC);
}

#[test]
fn deltas_that_a_commit_makes_against_what_gc_takes_away_have_their_bases() {
    explore(COMMIT_MAKES_DELTAS_GC);
}

#[test]
fn a_commit_does_not_rely_on_what_is_condemned() {
    explore(COMMIT_FINDS_CONDEMNED_GC);
}

#[test]
fn a_writer_whose_files_are_taken_for_left_over_stores_them_anew() {
    explore(COMMIT_NEW_GC);
}

#[test]
fn of_two_commits_on_one_branch_both_stay() {
    explore(COMMIT_COMMIT);
}

#[test]
fn chunks_that_a_commit_finds_while_repack_moves_them_are_not_lost() {
    explore(COMMIT_REPACK);
}

#[test]
fn deltas_that_a_commit_makes_while_repack_moves_their_bases_make_no_cycle() {
    explore(COMMIT_MAKES_DELTAS_REPACK);
}

#[test]
fn deltas_that_a_commit_finds_while_their_packs_get_more_parity_are_not_lost() {
    explore(COMMIT_FINDS_DELTA_PARITY);
}

#[test]
fn deltas_that_a_commit_makes_while_their_bases_move_to_packs_with_more_parity_have_them() {
    explore(COMMIT_MAKES_DELTAS_PARITY);
}

#[test]
fn gc_and_a_change_of_parity_do_not_take_from_each_other() {
    explore(GC_PARITY);
}

#[test]
fn a_restore_follows_what_a_change_of_parity_moves() {
    explore(RESTORE_PARITY);
}

#[test]
fn of_two_collectors_neither_fails() {
    explore(GC_GC);
}

#[test]
fn gc_and_repack_do_not_take_from_each_other() {
    explore(GC_REPACK);
}

#[test]
fn a_restore_follows_what_gc_moves() {
    explore(RESTORE_GC);
}

#[test]
fn a_check_takes_nothing_that_gc_removes_for_damage() {
    explore(CHECK_GC);
}

#[test]
fn a_check_takes_nothing_that_repack_moves_for_damage() {
    explore(CHECK_REPACK);
}

#[test]
fn chunks_that_a_commit_finds_while_repair_moves_them_are_not_lost() {
    explore(COMMIT_REPAIR);
}

#[test]
fn deltas_that_a_commit_makes_while_repair_moves_their_bases_have_them() {
    explore(COMMIT_MAKES_DELTAS_REPAIR);
}

#[test]
fn gc_and_repair_do_not_take_from_each_other() {
    explore(GC_REPAIR);
}

#[test]
fn of_two_repairs_neither_fails() {
    explore(REPAIR_REPAIR);
}

#[test]
fn segments_are_merged_while_repair_makes_one_of_them_anew() {
    explore(SEGMENTS_GC_REPAIR);
}

#[test]
fn a_commit_that_comes_back_beside_gc_is_whole() {
    explore(UNDELETE_GC);
}

#[test]
fn a_commit_that_comes_back_from_what_is_condemned_is_whole() {
    explore(UNDELETE_CONDEMNED_GC);
}

#[test]
fn segments_are_merged_under_the_mark_of_another_gc() {
    explore(SEGMENTS_GC_GC);
}

#[test]
fn segments_are_merged_under_a_restore() {
    explore(SEGMENTS_RESTORE_GC);
}

#[test]
fn a_commit_does_not_build_on_what_another_forgets() {
    explore(COMMIT_FORGET_GC);
}

#[test]
fn heirs_beside_gc_are_whole() {
    explore(REWRITE_GC);
}

#[test]
fn of_two_rewrites_of_history_one_does_it_all() {
    explore(REWRITE_REWRITE);
}

#[test]
fn a_commit_beside_a_rewrite_of_history_and_gc_is_not_lost() {
    explore(COMMIT_REWRITE_GC);
}

#[test]
fn what_a_push_relies_on_while_gc_takes_it_away_is_not_lost() {
    explore(PUSH_RELIES_GC);
}

#[test]
fn a_push_whose_packs_are_taken_for_left_over_brings_them_again() {
    explore(PUSH_NEW_GC);
}

#[test]
fn what_a_push_relies_on_while_repack_moves_it_is_not_lost() {
    explore(PUSH_REPACK);
}

#[test]
fn two_pushes_and_a_gc_lose_nothing() {
    explore(PUSH_PUSH_GC);
}

#[test]
fn a_push_a_commit_and_a_gc_lose_nothing() {
    explore(PUSH_COMMIT_GC);
}

#[test]
fn a_fetch_follows_what_gc_moves() {
    explore(FETCH_GC);
}

#[test]
fn segments_are_merged_under_a_fetch() {
    explore(SEGMENTS_FETCH_GC);
}

#[test]
fn two_commits_and_a_gc_lose_nothing() {
    explore(COMMIT_COMMIT_GC);
}

#[test]
fn two_commits_two_collectors_and_a_restore_lose_nothing() {
    explore(ALL_AT_ONCE);
}

/// With this rule taken out the explorer finds that something begins to be so, by a schedule of at most two preemptions or faults;
/// with it, the same search finds nothing.
fn must_lead_to(what: &str, mutant: Mutant, faults: usize, cases: &[Case]) {
    for case in cases {
        let world = (case.world)();
        let scenario = world.scenario((case.actors)(&world));
        let limits = Limits { budget: 2, faults, runs: 3000, seed: 1 };
        let found = match Explorer::new(Some(mutant)).exhaust(&scenario, limits) {
            Ok(done) => panic!("{mutant:?} is not missed: {done:?}"),
            Err(violation) => violation,
        };
        assert!(found.what.starts_with(what), "{found}");
        println!("{mutant:?}: {} runs, {} steps; {}", found.explored.runs, found.steps.len(), found.what);
        let same = Limits { runs: found.explored.runs, ..limits };
        if let Err(violation) = Explorer::new(None).exhaust(&scenario, same) {
            panic!("{violation}");
        }
    }
}

/// With this rule taken out an acknowledged commit cannot be read any more.
fn must_be_missed(mutant: Mutant, cases: &[Case]) {
    must_lead_to("reading commit ", mutant, 0, cases);
}

#[test]
fn the_check_of_uses_in_the_log_is_missed() {
    let cases = [COMMIT_FINDS_CHUNKS_GC, COMMIT_FINDS_DELTA_GC, UNDELETE_GC, PUSH_RELIES_GC];
    must_be_missed(Mutant::UsesUnchecked, &cases);
}

#[test]
fn the_check_of_the_base_in_the_log_is_missed() {
    must_be_missed(Mutant::ForgottenBaseTaken, &[COMMIT_FORGET_GC]);
}

#[test]
fn the_bases_of_what_is_unneeded_in_packs_that_stay_are_missed() {
    must_be_missed(Mutant::BasesOfStayingForgotten, &[COMMIT_FINDS_DELTA_THAT_STAYS_GC]);
}

#[test]
fn the_bases_of_packs_that_a_commit_kept_are_missed() {
    must_be_missed(Mutant::BasesOfKeptForgotten, &[COMMIT_FINDS_DELTA_GC]);
}

#[test]
fn the_rule_that_packs_in_use_are_not_condemned_is_missed() {
    must_be_missed(Mutant::UsedSinceIgnored, &[COMMIT_FINDS_CHUNKS_GC, COMMIT_FINDS_DELTA_GC, UNDELETE_GC]);
}

#[test]
fn the_order_of_removal_and_deletion_is_missed() {
    must_be_missed(Mutant::DeletedBeforeRemoved, &[COMMIT_NEW_GC]);
}

#[test]
fn the_check_of_ones_own_packs_is_missed() {
    must_be_missed(Mutant::OwnRemovalIgnored, &[COMMIT_NEW_GC, COMMIT_MAKES_DELTAS_GC, PUSH_NEW_GC]);
}

#[test]
fn the_second_look_at_what_is_left_over_is_missed() {
    must_be_missed(Mutant::OrphansNotListedAnew, &[COMMIT_NEW_GC]);
}

#[test]
fn that_a_lost_reply_is_no_lost_race_is_missed() {
    must_lead_to("commit failed", Mutant::LostReplyTakenForLostRace, 1, &[COMMIT_COMMIT]);
}
