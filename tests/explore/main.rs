//! A model checker over the real code.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod scenarios;
mod world;

use scenarios::CASES;
use warp::mutants::Mutant;
use warp::testing::explore::{Explorer, Grain, Limits};

#[test]
fn probe() {
    for (name, world, make) in CASES {
        let only = std::env::var("ONLY").ok();
        if only.is_some_and(|only| !name.contains(&only)) { continue; }
        let world = world();
        let number = |name: &str, or: usize| std::env::var(name).ok().map_or(or, |n| n.parse().unwrap());
        let limits = Limits { budget: number("B", 1), faults: number("F", 0), runs: number("N", 100000), seed: 1 };
        let mutant = match number("M", 0) {
            1 => Some(Mutant::UsesUnchecked),
            2 => Some(Mutant::BasesOfStayingForgotten),
            3 => Some(Mutant::BasesOfKeptForgotten),
            4 => Some(Mutant::UsedSinceIgnored),
            5 => Some(Mutant::DeletedBeforeRemoved),
            6 => Some(Mutant::OwnRemovalIgnored),
            7 => Some(Mutant::OrphansNotListedAnew),
            _ => None,
        };
        let start = std::time::Instant::now();
        let done = match number("W", 0) {
            0 => Explorer::new(mutant).exhaust(&make(&world), limits),
            1 => Explorer::new(mutant).walk(&make(&world), Grain::Visible, limits),
            _ => Explorer::new(mutant).walk(&make(&world), Grain::Every, limits),
        };
        match done {
            Ok(done) => println!("{name}: {done:?} {:?}", start.elapsed()),
            Err(violation) => println!("{name}: FOUND {violation} {:?}", start.elapsed()),
        }
    }
}
