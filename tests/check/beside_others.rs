//! A check beside others that commit and repack: nothing of what they do is an error.

use std::fs;
use std::sync::{Arc, Mutex};

use warp::observe::{Observer, Phase, Silent};
use warp::ops::{self, CheckRequest, RepackRequest};
use warp::repo::{Draft, Repository};
use warp::store::{LocalStore, OsVfs};
use warp::testing::Rng;

use crate::common::{Bench, client, password};
use crate::oracle::ALL;

/// Does something at the n-th call of the observer that asks whether to stop.
struct Meddler<'a> {
    at: u32,
    asked: Mutex<u32>,
    act: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
    phase: Option<Phase>,
}

impl Observer for Meddler<'_> {
    fn phase(&self, phase: Phase, _: Option<u64>, _: Option<u64>) {
        if self.phase == Some(phase) {
            self.meddle();
        }
    }

    fn cancelled(&self) -> bool {
        let now = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        if self.phase.is_none() && now == self.at {
            self.meddle();
        }
        false
    }
}

impl Meddler<'_> {
    fn meddle(&self) {
        let act = self.act.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }
}

fn other(bench: &Bench) -> Repository {
    let store = LocalStore::open(bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
    Repository::open(Arc::new(store), &password(), client(&bench.path("other-state"))).unwrap()
}

/// Commits of files that change a little: packs that a repack replaces, and differences in them.
fn history() -> Bench {
    let bench = Bench::new();
    let source = bench.path("source");
    let mut rng = Rng::new(8);
    fs::create_dir_all(&source).unwrap();
    for version in 0..4 {
        for number in 0..40 {
            let path = source.join(format!("text-{number}"));
            let mut text = fs::read(&path).unwrap_or_else(|_| rng.text(60_000));
            text.splice(100..105, rng.bytes(9));
            if version == 0 || number % 3 == 0 {
                fs::write(path, text).unwrap();
            }
        }
        bench.commit(&source);
    }
    bench
}

/// Everything that another process may do: commit, and replace all packs.
fn meddle(bench: &Bench) {
    let source = bench.path("source");
    fs::write(source.join("new"), "new").unwrap();
    bench.commit(&source);
    let done =
        ops::repack(&bench.repo, RepackRequest { aggressive: true, ..RepackRequest::default() }, &Silent)
            .unwrap();
    assert!(done.replaced, "the repack did nothing");
}

#[test]
fn packs_that_a_repack_takes_away_at_any_point_of_a_check_are_no_error() {
    for request in [CheckRequest::default(), ALL] {
        let mut points = vec![(Some(Phase::Check), 0), (Some(Phase::Verify), 0)];
        points.extend([1, 2, 3, 5, 8, 12, 16, 20, 26, 32].map(|at| (None, at)));
        for (phase, at) in points {
            let bench = history();
            let act: Box<dyn FnOnce() + Send> = Box::new(|| meddle(&bench));
            let meddler = Meddler { at, asked: Mutex::default(), act: Mutex::new(Some(act)), phase };
            let report = ops::check(&other(&bench), request, &meddler).unwrap();
            assert!(report.is_clean(), "{request:?}, {phase:?}, {at}: {:?}", report.findings);
            assert_eq!(report.orphans, []);
            let has_meddled = meddler.act.lock().unwrap().is_none();
            assert!(
                has_meddled || phase == Some(Phase::Verify) || at > 8,
                "{phase:?}, {at}: nothing was done"
            );
        }
    }
}

#[test]
fn a_check_by_hashes_is_not_led_astray_by_a_repack_either() {
    for at in [1, 2, 3, 4] {
        let bench = history();
        let store = LocalStore::open(bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
        let act: Box<dyn FnOnce() + Send> = Box::new(|| meddle(&bench));
        let meddler = Meddler { at, asked: Mutex::default(), act: Mutex::new(Some(act)), phase: None };
        let request = ops::SealedRequest { read_packs: true, threads: 2 };
        let report = ops::check_sealed(&store, request, &meddler).unwrap();
        assert!(report.is_clean(), "{at}: {:?}", report.findings);
        assert!(meddler.act.lock().unwrap().is_none(), "{at}: nothing was done");
    }
}

/// Forgets all commits but the newest, and frees what only they needed.
fn forget_and_collect(bench: &Bench) {
    let commits = bench.repo.timeline().commits();
    let forgotten = commits[1..].to_vec();
    let draft = Draft { forgotten, message: "forget".to_owned(), ..Draft::default() };
    bench.repo.append(&mut |_| Ok(draft.clone())).unwrap();
    let config = ops::GcConfig { grace: 0, ..ops::GcConfig::aggressive() };
    ops::GarbageCollector::new(&bench.repo, config).run(&Silent).unwrap();
}

#[test]
fn commits_that_are_forgotten_and_collected_at_any_point_of_a_check_are_no_error() {
    for request in [CheckRequest::default(), ALL] {
        for at in [1, 2, 3, 5, 8, 12, 16, 20, 26, 32] {
            let bench = history();
            let act: Box<dyn FnOnce() + Send> = Box::new(|| forget_and_collect(&bench));
            let meddler = Meddler { at, asked: Mutex::default(), act: Mutex::new(Some(act)), phase: None };
            let report = ops::check(&other(&bench), request, &meddler).unwrap();
            assert!(report.is_clean(), "{request:?}, {at}: {:?}", report.findings);
            let after = ops::check(&other(&bench), request, &Silent).unwrap();
            assert!(after.is_clean(), "afterwards: {:?}", after.findings);
        }
    }
}
