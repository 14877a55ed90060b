//! Pushes that are killed, and that others work beside.

use super::*;

/// Whatever operation of the disk a push is killed before, the next one goes on, and what it acknowledges outlasts a power cut, also what it
/// has only found.
#[test]
fn a_push_that_was_killed_anywhere_goes_on_and_what_it_finds_is_made_to_last() {
    use crate::store::{LocalStore, Vfs};
    use crate::testing::{Fault, FaultVfs, SimDisk};
    let mut pair = Pair::new();
    let last = pair.commit("main");
    let empty = SimDisk::new();
    let made = Arc::new(LocalStore::create("/repo", Arc::new(empty.clone()) as Arc<dyn Vfs>).unwrap());
    pair.local.create_sibling(made, false, client()).unwrap();
    let update = RefUpdate {
        from: "main".to_owned(),
        name: "heads/main".to_owned(),
        new: Some(last),
        force: false,
        expected: None,
    };
    let request = PushRequest { updates: vec![update], in_flight: 1, ..PushRequest::default() };
    let open = |vfs: Arc<dyn Vfs>| {
        let store = LocalStore::open("/repo", vfs).unwrap();
        pair.local.open_sibling(Arc::new(store), client())
    };
    let attempt = |vfs: Arc<dyn Vfs>| push(&pair.local, &open(vfs)?, &request, &Silent);
    let counting = FaultVfs::counting(Arc::new(empty.power_cut(1)));
    attempt(counting.clone()).unwrap();
    let (operations, mut found) = (counting.operations(), 0);
    assert!(operations > 10);
    for at in 0..operations {
        let disk = empty.power_cut(1);
        let _ = attempt(FaultVfs::new(Arc::new(disk.clone()), Fault::Kill, at));
        found += attempt(Arc::new(disk.clone())).unwrap().carried.packs_found;
        for cut in [0, 1, 7 + at] {
            let repo = open(Arc::new(disk.power_cut(cut))).unwrap();
            assert!(repo.state().is_live(&last), "killed before {at}, cut {cut}");
            is_sound(&repo);
        }
    }
    assert!(found > 0, "some attempts left packs");
}

#[test]
fn several_pushers_and_collectors_lose_nothing() {
    for round in 0..6 {
        let mut pair = Pair::new();
        pair.rng = Rng::new(100 + round);
        pair.edit();
        pair.commit("main");
        pair.push(&["main"]);
        let mut trees = Vec::new();
        for branch in ["one", "two", "three"] {
            pair.edit();
            let extra = 200_000 + pair.rng.below(400_000);
            pair.write(branch, extra);
            let id = pair.commit(branch);
            let kept = tempfile::tempdir().unwrap();
            keep(pair.dir.path(), kept.path());
            trees.push((branch, id, kept));
        }
        std::thread::scope(|scope| {
            for (branch, ..) in &trees {
                let (pair, remote) = (&pair, pair.other_handle());
                scope.spawn(move || {
                    let updates = pair.updates(&[branch]);
                    let request = PushRequest { updates, ..PushRequest::default() };
                    // Collectors may be faster each time; then the push says so, and is run again.
                    while let Err(error) = push(&pair.local, &remote, &request, &Silent) {
                        let is_race = matches!(
                            error,
                            OpsError::Repo { source: RepoError::Overtaken | RepoError::Condemned }
                        );
                        assert!(is_race, "{error:?}");
                    }
                });
            }
            for repo in [pair.other_handle(), pair.local.open_sibling_of_itself()] {
                scope.spawn(move || {
                    for _ in 0..3 {
                        let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
                        // One that is overtaken again and again gives up.
                        let _ = GarbageCollector::new(&repo, config).run(&Silent);
                    }
                });
            }
        });
        for (branch, id, tree) in &trees {
            assert_eq!(pair.other_handle().timeline().branch(branch), Some(*id));
            pair.has(*id, tree.path());
        }
        gc(&pair.other_handle());
        for (_, id, tree) in &trees {
            pair.has(*id, tree.path());
        }
        is_sound(&pair.local);
    }
}

/// Repositories that commit, forget, collect, push and fetch at random. After each step all are whole.
fn random_histories(seed: u64, steps: usize) {
    const BRANCHES: [&str; 3] = ["main", "side", "more"];
    let (mut pair, mut rng) = (Pair::new(), Rng::new(seed));
    pair.rng = Rng::new(seed ^ 0xabc);
    pair.commit("main");
    let other = pair.local.create_sibling(Arc::new(MemoryStore::new()), false, client()).unwrap();
    let origin = || FetchRequest { remote: "origin".to_owned(), prune: true, ..FetchRequest::default() };
    for step in 0..steps {
        let branch = BRANCHES[rng.below(3)];
        let repo = [&pair.local, &pair.remote, &other][rng.below(3)];
        let what = rng.below(9);
        match what {
            0..=2 => {
                pair.edit();
                pair.commit(branch);
            }
            3 => gc(repo),
            4 => {
                let request = RepackRequest { aggressive: rng.below(2) == 0, ..RepackRequest::default() };
                repack(repo, request, &Silent).unwrap();
            }
            5 => {
                let commits = repo.refresh().unwrap().commits.clone();
                if let Some(id) = commits.get(rng.below(commits.len().max(1))) {
                    let request =
                        ForgetRequest { commits: vec![*id], force: true, ..ForgetRequest::default() };
                    // One on which the branch of a remote stands stays.
                    let _ = forget(repo, &request, &Silent);
                }
            }
            6 | 7 if pair.local.timeline().branch(branch).is_some() => {
                pair.push(&[&format!("+{branch}")]);
                let tip = pair.local.timeline().branch(branch);
                assert_eq!(pair.remote.timeline().branch(branch), tip, "seed {seed}, step {step}");
            }
            _ => drop(fetch(&other, &pair.remote, &origin(), &Silent).unwrap()),
        }
        for repo in [&pair.local, &pair.remote, &other] {
            repo.refresh().unwrap();
            let request = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
            let report = check::check(repo, request, &Silent).unwrap();
            assert_eq!(report.findings, [], "seed {seed}, step {step}, {what}");
        }
    }
}

#[test]
fn histories_that_are_carried_forgotten_and_collected_at_random_stay_whole() {
    let long = std::env::var_os("WARP_LONG").is_some();
    (0..if long { 100 } else { 6 }).for_each(|seed| random_histories(seed, 25));
}
