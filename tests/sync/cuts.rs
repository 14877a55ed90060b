//! Connections that are cut, at every message.

use std::sync::Arc;
use std::time::Duration;

use warp::observe::Silent;
use warp::ops::{self, PushRequest, RefUpdate};
use warp::repo::Repository;
use warp::store::MemoryStore;
use warp::sync::{TransferConfig, VerificationMode};
use warp::testing::{Rng, SimNet, SimNetConfig};

use crate::common::program::rounds;
use crate::common::{create, password};
use crate::world::{OWNER, World, impatient, patient};

/// Bytes of a commit: several pieces of a pack.
const LEN: usize = 3_500_000;

/// How many messages a commit of version 2 takes.
fn messages(world: &World) -> u64 {
    let net = Arc::new(world.net(OWNER, SimNetConfig::default()));
    let repo = open(world, &net, impatient()).unwrap();
    world.commit(&repo, &world.tree(2, LEN)).unwrap();
    net.messages()
}

fn open(
    world: &World,
    net: &Arc<warp::testing::SimNet>,
    config: TransferConfig,
) -> Result<Repository, warp::repo::RepoError> {
    let store = world.remote_over(net, config);
    let store =
        store.map_err(|source| warp::repo::RepoError::Store { location: "remote".to_owned(), source })?;
    Repository::open(Arc::new(store), &password(), world.client())
}

#[test]
fn a_commit_that_is_cut_at_any_message_is_done_by_the_next_and_nothing_is_lost() {
    let all = {
        let world = World::new();
        world.commit(&world.create(), &world.tree(1, LEN)).unwrap();
        messages(&world)
    };
    let (cases, mut rng) = (rounds(60, 2000) as u64, Rng::new(11));
    let (mut failed, mut done) = (0, 0);
    for case in 0..cases {
        let world = World::new();
        let first = world.commit(&world.create(), &world.tree(1, LEN)).unwrap();
        let tree = world.tree(2, LEN);
        let cut_at = if cases > all { 1 + case % all } else { 1 + rng.below(all as usize) as u64 };
        // Messages that overtake each other make every round another one.
        let jitter = Duration::from_millis(case / all * 3);
        let config = SimNetConfig { cut_at: Some(cut_at), jitter, seed: case, ..SimNetConfig::default() };
        let net = Arc::new(world.net(OWNER, config));
        let outcome = open(&world, &net, impatient()).map_err(|error| error.to_string());
        let outcome = outcome.and_then(|repo| world.commit(&repo, &tree).map_err(|error| error.to_string()));
        match outcome {
            Ok(_) => done += 1,
            Err(error) => {
                failed += 1;
                assert!(net.cuts() > 0, "message {cut_at}: {error}");
            }
        }
        let repo = world.open(OWNER).unwrap();
        let second = world.commit(&repo, &tree);
        let second = second.unwrap_or_else(|error| panic!("message {cut_at}: {error}"));
        let behind = world.behind();
        world.assert_restores(&behind, second, &tree);
        world.assert_restores(&behind, first, &world.tree(1, LEN));
    }
    println!("{all} messages; {cases} cuts: {failed} commits failed, {done} were done all the same");
    assert!(failed > 0);
}

#[test]
fn a_commit_over_a_bad_line_goes_on_where_it_was_cut_off_and_says_nothing_of_it() {
    let (mut cuts, mut again) = (0, 0.0_f64);
    for seed in 0..rounds(12, 400) as u64 {
        let world = World::new();
        world.create();
        let modes = [
            VerificationMode::None,
            VerificationMode::Final,
            VerificationMode::PerChunk,
            VerificationMode::Sampling(30),
        ];
        let config = SimNetConfig {
            jitter: Duration::from_millis(30),
            loss: 5,
            bandwidth: 20_000_000,
            cut_one_in: 25,
            twice_one_in: 10,
            seed,
            ..SimNetConfig::default()
        };
        let net = Arc::new(world.net(OWNER, config));
        let verification = modes[seed as usize % modes.len()];
        let repo = open(&world, &net, TransferConfig { verification, ..patient() });
        let repo = repo.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let tree = world.tree(1, LEN);
        let commit = world.commit(&repo, &tree);
        let commit = commit.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        world.assert_restores(&repo, commit, &tree);
        world.assert_clean(&world.behind());
        cuts += net.cuts();
        // Twice the content, since it is restored as well, and what was under way when a connection was cut.
        again = again.max(net.bytes() as f64 / LEN as f64);
    }
    println!("{cuts} cuts; at most {again:.1} times the content went over the line");
    assert!(cuts > 0);
}

#[test]
fn a_clock_of_its_own_tells_how_long_a_line_takes() {
    let world = World::new();
    let repo = world.create();
    let tree = world.tree(1, LEN);
    world.commit(&repo, &tree).unwrap();
    let config =
        SimNetConfig { delay: Duration::from_millis(50), bandwidth: 1_000_000, ..SimNetConfig::default() };
    let net = Arc::new(world.net(OWNER, config));
    let repo = open(&world, &net, patient()).unwrap();
    world.commit(&repo, &world.tree(2, LEN)).unwrap();
    // Half of the content is new: 1.75 s at 1 MB/s. Round trips, of 0.1 s each, must not multiply that.
    let seconds = net.now().as_secs_f64();
    println!("{seconds:.1} s of the network's time, {} messages", net.messages());
    assert!((1.7..10.0).contains(&seconds), "{seconds}");
}

/// A repository on this machine with two commits, the first of which the host has.
struct Pair {
    world: World,
    local: Repository,
    tree: std::path::PathBuf,
    commit: warp::id::CommitId,
}

impl Pair {
    fn new() -> Self {
        let world = World::new();
        let local = create(Arc::new(MemoryStore::new()), world.client());
        world.commit(&local, &world.tree(1, LEN)).unwrap();
        let remote =
            local.create_sibling(Arc::new(world.remote(OWNER).unwrap()), false, world.client()).unwrap();
        push(&local, &remote).unwrap();
        let tree = world.tree(2, LEN);
        let commit = world.commit(&local, &tree).unwrap();
        Self { world, local, tree, commit }
    }

    fn remote(
        &self,
        config: SimNetConfig,
        transfer: TransferConfig,
    ) -> Result<(Repository, Arc<SimNet>), String> {
        let net = Arc::new(self.world.net(OWNER, config));
        let store = self.world.remote_over(&net, transfer).map_err(|error| error.to_string())?;
        let repo = self.local.open_sibling(Arc::new(store), self.world.client());
        Ok((repo.map_err(|error| error.to_string())?, net))
    }
}

fn push(local: &Repository, remote: &Repository) -> Result<(), String> {
    let new = local.timeline().branch("main");
    let (from, name) = ("main".to_owned(), "heads/main".to_owned());
    let update = RefUpdate { from, name, new, force: false, expected: None };
    let request = PushRequest { updates: vec![update], ..PushRequest::default() };
    ops::push(local, remote, &request, &Silent).map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_push_that_is_cut_at_any_message_is_done_by_the_next_and_so_is_a_clone() {
    let (mut failed, mut cases) = ([0, 0], 0);
    let mut rng = Rng::new(12);
    for case in 0..rounds(25, 1000) as u64 {
        let pair = Pair::new();
        let config = SimNetConfig { seed: case, ..SimNetConfig::default() };
        let cut_at = |rng: &mut Rng| Some(1 + rng.below(45) as u64);
        let cut = SimNetConfig { cut_at: cut_at(&mut rng), ..config };
        let pushed = pair.remote(cut, impatient()).and_then(|(remote, _)| push(&pair.local, &remote));
        failed[0] += u64::from(pushed.is_err());
        let (remote, _) = pair.remote(config, impatient()).unwrap();
        push(&pair.local, &remote).unwrap_or_else(|error| panic!("case {case}: {error}"));
        let behind = pair.world.behind();
        assert_eq!(behind.timeline().branch("main"), Some(pair.commit));
        pair.world.assert_restores(&behind, pair.commit, &pair.tree);

        let clone =
            pair.local.create_sibling(Arc::new(MemoryStore::new()), false, pair.world.client()).unwrap();
        let cut = SimNetConfig { cut_at: cut_at(&mut rng), ..config };
        let copied = pair.remote(cut, impatient()).and_then(|(remote, _)| {
            let how = (None, VerificationMode::PerChunk);
            ops::copy_all(&remote, &clone, how, &Silent).map(drop).map_err(|error| error.to_string())
        });
        failed[1] += u64::from(copied.is_err());
        let how = (None, VerificationMode::default());
        ops::copy_all(&remote, &clone, how, &Silent).unwrap_or_else(|error| panic!("case {case}: {error}"));
        pair.world.assert_restores(&clone, pair.commit, &pair.tree);
        cases += 1;
    }
    println!("{cases} pushes and clones were cut; {} and {} failed", failed[0], failed[1]);
    assert!(failed.iter().all(|failed| *failed > 0));
}
