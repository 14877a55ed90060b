//! The parts of the matrix.

use warp::testing::{Cut, Fault, Rng};

use super::commands::{Command, READING, WRITING};
use super::{Case, Ready, Side, Suite};

fn all() -> Vec<Command> {
    WRITING.iter().chain(READING).copied().collect()
}

fn named(names: &[&str]) -> Vec<Command> {
    let is_named = |command: &&Command| names.iter().any(|name| command.name.starts_with(name));
    WRITING.iter().filter(is_named).copied().collect()
}

/// These faults at each operation, with a cut of the power behind some.
fn at_each(operations: u64, side: Side, faults: &[Fault]) -> impl Iterator<Item = Case> + use<'_> {
    let case = move |fault: Fault, at| Case { fault, side, at, cut: None };
    faults.iter().flat_map(move |fault| (0..operations).map(move |at| case(*fault, at)))
}

#[test]
fn a_command_killed_before_any_operation_or_within_a_write_loses_nothing_and_needs_no_hand() {
    let cases = |ready: &Ready<'_>, _: &mut Rng| {
        at_each(ready.operations[0], Side::Writes, &[Fault::Kill, Fault::Torn]).collect()
    };
    Suite { name: "killed", commands: WRITING.to_vec(), cases, few: 8, many: 6_000 }.run();
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_acknowledged_and_needs_no_hand() {
    let cases = |ready: &Ready<'_>, rng: &mut Rng| {
        let mut cases = Vec::new();
        // The last one comes after all is done.
        for at in 0..=ready.operations[0] {
            let seeds = rng.next_u64() >> 8;
            let random = (0..4).map(|number| Cut::Some(seeds + number));
            let cuts = [Cut::Nothing, Cut::Everything, Cut::Torn(seeds), Cut::Reordered(seeds)];
            cases.extend(cuts.into_iter().chain(random).map(|cut| Case {
                fault: Fault::Torn,
                side: Side::Writes,
                at,
                cut: Some(cut),
            }));
        }
        cases
    };
    let commands = named(&[
        "init", "commit", "gc", "forget", "repair", "key", "repack", "undelete", "config", "tag", "push",
        "fetch",
    ]);
    Suite { name: "power cuts", commands, cases, few: 12, many: 24_000 }.run();
}

#[test]
fn a_disk_that_fails_at_any_operation_is_told_and_loses_nothing() {
    const WRITES: [Fault; 7] = [
        Fault::Eio,
        Fault::Full,
        Fault::ReadOnly,
        Fault::NoDescriptors,
        Fault::Interrupted,
        Fault::Short,
        Fault::SyncFails,
    ];
    const LOOKS: [Fault; 3] = [Fault::Eio, Fault::NoDescriptors, Fault::Interrupted];
    let cases = |ready: &Ready<'_>, _: &mut Rng| {
        let [writes, looks] = ready.operations;
        at_each(writes, Side::Writes, &WRITES).chain(at_each(looks, Side::Looks, &LOOKS)).collect()
    };
    Suite { name: "errors", commands: all(), cases, few: 14, many: 18_000 }.run();
}
