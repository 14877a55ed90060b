//! A collection whose disk fails, or whose process dies, at each of its operations: every live version comes back, and the next
//! collection leaves nothing of what is not needed.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use warp::cas::pack_name;
use warp::id::PackId;
use warp::observe::Silent;
use warp::ops::{GarbageCollector, GcConfig, GcStats, OpsError};
use warp::repo::{Draft, Repository};
use warp::testing::{Rng, SimDisk};

use crate::common::program::{Home, news, rounds};
use crate::faults::{at_every_operation, open};
use crate::repack::{check, disk_with_history};

fn gc(repo: &Repository) -> Result<GcStats, OpsError> {
    let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
    GarbageCollector::new(repo, config).run(&Silent)
}

/// The files of packs and segments are those that the log names.
fn check_files(disk: &SimDisk, repo: &Repository, what: &str) {
    let state = repo.state();
    let packs = state.packs.keys().map(|pack| PathBuf::from(format!("/repo/packs/{pack}.warp")));
    let segments = state.segments.iter().map(|segment| format!("/repo/index/{}", segment.uid).into());
    let named: BTreeSet<PathBuf> = packs.chain(segments).collect();
    let is_ours = |path: &PathBuf| path.starts_with("/repo/packs/") || path.starts_with("/repo/index/");
    let found: BTreeSet<PathBuf> = disk.files().into_iter().filter(is_ours).collect();
    assert_eq!(found, named, "{what}");
}

#[test]
fn a_collection_that_fails_at_any_operation_loses_nothing_and_the_next_one_finishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (template, mut versions) = disk_with_history(folder.path());
    let forgotten = [versions.remove(2).0, versions.remove(0).0];
    let repo = open(Arc::new(template.clone()));
    let name = pack_name(&PackId::new([9; 16]));
    repo.chunks().vault().store().put_new(&name, &[b"left over"]).unwrap();
    repo.append(&mut |_| Ok(Draft { forgotten: forgotten.to_vec(), ..Draft::default() })).unwrap();
    drop(repo);

    let (mut as_before, mut condemned, mut removed) = (0, 0, 0);
    let is_done = |done: Result<GcStats, _>| {
        let done = done.unwrap();
        assert!(done.packs_rewritten > 0 && done.orphans == 1 && done.files_deleted > 2, "{done:?}");
    };
    // Whether it says that it failed depends on what failed: the end must be right, whatever it says.
    let operations = at_every_operation(&template, gc, is_done, |disk, _, what| {
        let repo = open(Arc::new(disk.clone()));
        let state = repo.state();
        match (state.condemned.is_empty() && state.orphans.is_empty(), state.removed_packs.is_empty()) {
            (true, true) => as_before += 1,
            (false, _) => condemned += 1,
            (true, false) => removed += 1,
        }
        check(&repo, &versions, what);
        gc(&repo).unwrap_or_else(|error| panic!("{what}: the next collection fails: {error}"));
        let repo = open(Arc::new(disk.clone()));
        assert!(repo.state().condemned.is_empty() && repo.state().orphans.is_empty(), "{what}");
        check(&repo, &versions, what);
        check_files(&disk, &repo, what);
    });
    assert!(operations > 30, "only {operations} operations were counted");
    println!("{operations} operations; {as_before} as before, {condemned} condemned, {removed} removed");
    assert!(as_before > 0 && condemned > 0 && removed > 0);
}

#[test]
fn commits_and_collections_killed_at_random_moments_need_no_hand() {
    let kills = rounds(10, 200);
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    let (mut rng, mut died) = (Rng::new(0x6c), 0);
    let mut text = rng.text(200_000);
    let mut edit = |rng: &mut Rng| {
        let at = rng.below(text.len());
        text.splice(at..at, rng.bytes(20));
        fs::write(source.join("text"), &text).unwrap();
        fs::write(source.join("noise"), rng.bytes(1_500_000)).unwrap();
    };
    let mut whole = std::time::Duration::from_millis(80);
    for round in 0..kills {
        edit(&mut rng);
        let commit = ["commit", "-q", source.to_str().unwrap()];
        home.is_killed(&commit, &mut whole.clone(), rng.below(100) as u32);
        let branches = home.done(&["log", "--oneline"]);
        // All but the newest are forgotten.
        for old in branches.lines().skip(1).filter_map(|line| line.split_whitespace().next()) {
            forget(&home, old);
        }
        home.done(&commit[..]);
        let args: &[&str] = if round % 3 == 0 { &["gc"] } else { &["gc", "--grace", "0", "--aggressive"] };
        died += usize::from(home.is_killed(args, &mut whole, rng.below(100) as u32));
        home.restored_is("latest", &source, &source);
        if round % 2 == 0 {
            let output = home.run(&["gc", "--grace", "0"]);
            assert_eq!(output.status.code(), Some(0), "round {round}: {}", news(&output));
            home.restored_is("latest", &source, &source);
        }
    }
    home.done(&["gc", "--grace", "0", "--aggressive"]);
    let bytes: u64 =
        fs::read_dir(home.repo.join("packs")).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 8_000_000, "{bytes} bytes are left");
    println!("{died} of {kills} collections were killed");
    assert!(died > 0, "every collection was done before it was killed");
}

/// Forgets a commit.
fn forget(home: &Home, commit: &str) {
    home.done(&["forget", commit]);
}
