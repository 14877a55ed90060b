//! Commits that are killed at random moments: whatever they leave, the next command just works.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use warp::store::{LocalStore, OsVfs};
use warp::testing::{Fault, FaultVfs, Rng};

use crate::common::program::{Home, news, rounds};

fn grow(source: &Path, rng: &mut Rng, round: usize) {
    fs::create_dir_all(source.join("sub")).unwrap();
    for file in 0..30 {
        let len = rng.below(40_000);
        fs::write(source.join(format!("sub/{}", file + round % 7)), rng.text(len)).unwrap();
    }
    fs::write(source.join("large"), rng.bytes(3 << 20)).unwrap();
    fs::write(source.join("round"), round.to_string()).unwrap();
}

#[test]
fn commits_killed_at_random_moments_need_no_hand() {
    let kills = rounds(12, 200);
    let home = Home::new();
    let source = home.path("source");
    let (mut rng, mut died, mut commits) = (Rng::new(0xdead), 0, 0);
    grow(&source, &mut rng, 0);
    let begun = std::time::Instant::now();
    home.done(&["commit", "-q", source.to_str().unwrap()]);
    let mut whole = begun.elapsed();
    for round in 1..=kills {
        grow(&source, &mut rng, round);
        let after = rng.below(125) as u32;
        died += usize::from(home.is_killed(&["commit", source.to_str().unwrap()], &mut whole, after));

        let output = home.run(&["commit", "-m", "after", source.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "round {round}: {}", news(&output));
        let log = home.done(&["log", "--oneline"]);
        assert!(log.lines().count() > commits, "round {round}: the log lost a commit:\n{log}");
        commits = log.lines().count();
        home.restored_is("latest", &source, &source);
    }
    println!("{died} of {kills} commits were killed");
    assert!(died > 0, "every commit was done before it was killed");
}

#[test]
fn an_init_that_was_stopped_at_any_folder_can_be_run_again() {
    for stop in 0.. {
        let home = Home::bare();
        let dying = FaultVfs::new(Arc::new(OsVfs::new()), Fault::Kill, stop);
        let whole = LocalStore::create(&home.repo, dying).is_ok();
        home.done(&["init", "--bare", home.repo.to_str().unwrap()]);
        if whole {
            return assert!(stop > 4, "folders are made one by one");
        }
    }
}

#[test]
fn an_init_that_was_stopped_between_the_copies_of_its_configuration_is_finished_by_the_first_commit() {
    let home = Home::new();
    fs::remove_file(home.repo.join("config/0000000001.copy")).unwrap();
    fs::remove_file(home.repo.join("log/0000000001")).unwrap();
    fs::remove_dir_all(home.path(".local")).unwrap(); // where it had remembered that entry
    fs::write(home.path("file"), "content").unwrap();
    home.done(&["commit", home.path("file").to_str().unwrap()]);
    home.done(&["check"]);
}
