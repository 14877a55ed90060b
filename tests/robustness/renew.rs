//! Keys that are rotated, and packs that are written anew for a new key or other parity, with a disk that fails or a process that
//! dies at each operation: the old keys open the repository or the new ones do, every version comes back, and the next run does
//! the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warp::observe::Silent;
use warp::ops::{self, OpsError, RenewOutcome, RenewRequest};
use warp::repo::{RepoError, Repository, Rotation};
use warp::store::Vfs;
use warp::testing::{Rng, SimDisk};

use crate::common::password;
use crate::common::program::{Home, news, rounds};
use crate::faults::{at_every_operation, open};
use crate::repack::{check, disk_with_history};

const ALL: RenewRequest = RenewRequest { max_bytes: None, grace: 0, threads: 1, dry_run: false };

fn rotate(repo: &Repository) -> Result<Rotation, RepoError> {
    repo.key_rotate(&password(), false).map(|(_, done)| done)
}

/// The newest data key that the repository's keyring has, and the newest that its log knows.
fn keys(repo: &Repository) -> (u32, u32) {
    (repo.chunks().vault().keyring().newest_epoch(), repo.state().epoch)
}

#[test]
fn a_rotation_that_fails_at_any_operation_leaves_the_old_keys_or_the_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (template, versions) = disk_with_history(folder.path());
    let (mut as_before, mut without_entry, mut done) = (0, 0, 0);
    let is_done = |done: Result<Rotation, RepoError>| assert_eq!(done.unwrap().epoch, 2);
    let operations = at_every_operation(&template, rotate, is_done, |disk, outcome, what| {
        let disk: Arc<dyn Vfs> = Arc::new(disk);
        let repo = open(disk.clone());
        match keys(&repo) {
            (1, 1) => as_before += 1,
            (2, 1) => without_entry += 1,
            (2, 2) => done += 1,
            other => panic!("{what}: {other:?}"),
        }
        assert!(outcome.is_err() || keys(&repo) == (2, 2), "{what}: it said that it was done");
        check(&repo, &versions, what);
        // What is written next tells all others, and another rotation works as the first one.
        let before = keys(&repo).0;
        ops::reseal(&repo, ALL, &Silent).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(keys(&repo) == (before, before) || before == 1, "{what}");
        let again = rotate(&repo).unwrap_or_else(|error| panic!("{what}: the next rotation fails: {error}"));
        assert_eq!(again.epoch, before + 1, "{what}");
        check(&open(disk), &versions, what);
    });
    assert!(operations > 12, "only {operations} operations were counted");
    println!("{operations} operations; {as_before} as before, {without_entry} without an entry, {done} done");
    assert!(as_before > 0 && without_entry > 0 && done > 0);
}

/// Lets packs be written anew, with a fault at each operation; `due` tells how many are still to be.
fn renewal_is_finished_by_the_next(
    prepare: impl FnOnce(&Repository),
    run: impl Fn(&Repository) -> Result<RenewOutcome, OpsError>,
    due: impl Fn(&Repository) -> u64,
) {
    let folder = tempfile::tempdir().unwrap();
    let (template, versions) = disk_with_history(folder.path());
    prepare(&open(Arc::new(template.clone())));
    let (mut as_before, mut condemned, mut removed) = (0, 0, 0);
    let is_done = |done: Result<RenewOutcome, _>| {
        let done = done.unwrap();
        assert!(done.packs_due > 1 && done.packs_left == 0, "{done:?}");
    };
    let operations = at_every_operation(&template, &run, is_done, |disk, outcome, what| {
        let repo = open(Arc::new(disk.clone()));
        let state = repo.state();
        match (state.condemned.is_empty(), state.removed_packs.is_empty()) {
            (true, true) => as_before += 1,
            (false, _) => condemned += 1,
            (true, false) => removed += 1,
        }
        assert!(outcome.is_err() || (due(&repo) == 0 && state.condemned.is_empty()), "{what}: it said so");
        check(&repo, &versions, what);
        run(&repo).unwrap_or_else(|error| panic!("{what}: the next run fails: {error}"));
        let repo = open(Arc::new(disk.clone()));
        assert!(due(&repo) == 0 && repo.state().condemned.is_empty(), "{what}");
        check(&repo, &versions, what);
        nothing_is_left_of_what_was_removed(&disk, &repo, what);
    });
    assert!(operations > 20, "only {operations} operations were counted");
    println!("{operations} operations; {as_before} as before, {condemned} condemned, {removed} removed");
    assert!(as_before > 0 && condemned > 0 && removed > 0);
}

fn nothing_is_left_of_what_was_removed(disk: &SimDisk, repo: &Repository, what: &str) {
    let (state, files) = (repo.state(), disk.files());
    for pack in &state.removed_packs {
        let name = PathBuf::from(format!("/repo/packs/{pack}.warp"));
        assert!(!files.contains(&name), "{what}: {} is left over", name.display());
    }
}

#[test]
fn sealing_anew_that_fails_at_any_operation_is_finished_by_the_next_run() {
    let prepare = |repo: &Repository| drop(rotate(repo).unwrap());
    let run = |repo: &Repository| ops::reseal(repo, ALL, &Silent);
    renewal_is_finished_by_the_next(prepare, run, |repo| {
        repo.state().packs.values().filter(|pack| pack.epoch < repo.state().epoch).count() as u64
    });
}

#[test]
fn a_change_of_parity_that_fails_at_any_operation_is_finished_by_the_next_run() {
    let wanted = "10%".parse().unwrap();
    let prepare = |repo: &Repository| repo.set_setting("parity", Some("10%")).unwrap();
    let run = |repo: &Repository| ops::renew_parity(repo, wanted, ALL, &Silent);
    let due = |repo: &Repository| {
        let levels = ops::parity_levels(repo, wanted, &Silent).unwrap();
        levels.iter().filter(|level| level.parity != wanted).map(|level| level.packs).sum()
    };
    renewal_is_finished_by_the_next(prepare, run, due);
}

fn grow(home: &Home, source: &Path, rng: &mut Rng, text: &mut Vec<u8>) {
    let at = rng.below(text.len());
    text.splice(at..at, rng.bytes(20));
    fs::write(source.join("text"), text).unwrap();
    fs::write(source.join("noise"), rng.bytes(100_000)).unwrap();
    home.done(&["commit", "-q", source.to_str().unwrap()]);
}

#[test]
fn rotations_and_what_follows_them_killed_at_random_moments_need_no_hand() {
    let kills = rounds(12, 150);
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let (mut rng, mut died) = (Rng::new(0x0a7), 0);
    let mut text = rng.text(300_000);
    grow(&home, &source, &mut rng, &mut text);
    let first = home.path("first");
    let copied = std::process::Command::new("cp").arg("-a").args([&source, &first]).status().unwrap();
    assert!(copied.success());
    let oldest = home.done(&["log", "--oneline"]).split_whitespace().next().unwrap().to_owned();
    let mut whole = std::time::Duration::from_millis(60);
    for round in 0..kills {
        grow(&home, &source, &mut rng, &mut text);
        let share = ["10%", "none", "3%"][round / 3 % 3];
        let args: &[&str] = match round % 3 {
            0 => &["key", "rotate"],
            1 => &["repack", "--old-keys"],
            _ => &["parity", share],
        };
        died += usize::from(home.is_killed(args, &mut whole, rng.below(100) as u32));
        home.restored_is("latest", &source, &source);
        if round % 2 == 0 {
            let output = home.run(args);
            assert_eq!(output.status.code(), Some(0), "round {round}: {}", news(&output));
        }
        home.restored_is(&oldest, &source, &first);
    }
    home.done(&["repack", "--old-keys"]);
    home.done(&["parity", "5%"]);
    home.done(&["gc", "--grace", "0"]);
    home.done(&["check", "--read-data"]);
    home.restored_is(&oldest, &source, &first);
    home.restored_is("latest", &source, &source);
    println!("{died} of {kills} were killed");
    assert!(died > 0, "everything was done before it was killed");
}
