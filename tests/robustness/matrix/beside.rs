//! A collection that is killed at each of its operations, with a commit that runs whole before another of them; the same the
//! other way round; and then the next commit and the next collection.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use rayon::prelude::*;
use warp::observe::Silent;
use warp::ops::{self, GarbageCollector, OpsError};
use warp::repo::RepoError;
use warp::store::Vfs;
use warp::testing::{Fault, FaultVfs, Rng, SimDisk};

use super::commands::WRITING;
use super::world::{ALL, Failure, Variant, World};
use crate::common::program::{is_over, rounds};

/// Who is in the middle of what when the other one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outer {
    Gc,
    Commit,
}

/// `folder` is committed before operation `at` of the gc, which is killed at `dies`; or the gc runs before operation `at` of the
/// commit.
#[derive(Debug, Clone, Copy)]
struct Case {
    outer: Outer,
    folder: &'static str,
    at: u64,
    dies: u64,
    fault: Fault,
}

/// What is committed: what gc is about to take away, a difference to what stays, and something new.
const FOLDERS: [&str; 3] = ["gone", "edited", "new"];

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    cases: u64,
    killed: u64,
    committed: u64,
    gave_up: u64,
}

impl Tally {
    fn add(self, other: Self) -> Self {
        Self {
            cases: self.cases + other.cases,
            killed: self.killed + other.killed,
            committed: self.committed + other.committed,
            gave_up: self.gave_up + other.gave_up,
        }
    }
}

/// `None`: others won so often that it gave up, as it may.
fn commit(world: &World, disk: &Arc<dyn Vfs>, folder: &str) -> Result<Option<warp::id::CommitId>, Failure> {
    use RepoError::{BaseForgotten, Condemned, Overtaken};
    let repo = world.open(disk)?;
    match ops::commit(&repo, world.request(folder, "beside"), &Silent) {
        Ok(done) => Ok(done.commit),
        Err(OpsError::Repo { source: Condemned | Overtaken | BaseForgotten { .. } }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn gc(world: &World, disk: &Arc<dyn Vfs>) -> Result<(), Failure> {
    GarbageCollector::new(&world.open(disk)?, ALL).run(&Silent)?;
    Ok(())
}

/// A disk on which something is not needed, and some is litter.
fn ready(world: &mut World) -> SimDisk {
    let disk = world.fork(&world.disk);
    let prepare = WRITING.iter().find(|command| command.name == "gc").unwrap().prepare;
    prepare(world, &disk);
    disk
}

fn operations(world: &World, template: &SimDisk, run: impl Fn(&Arc<dyn Vfs>)) -> u64 {
    let counting = FaultVfs::counting(Arc::new(world.fork(template)));
    run(&(counting.clone() as Arc<dyn Vfs>));
    counting.operations()
}

fn run(world: &Arc<World>, template: &SimDisk, case: Case) -> Result<Tally, Failure> {
    let disk = world.fork(template);
    let clean: Arc<dyn Vfs> = Arc::new(disk.clone());
    let (acknowledged, killed) = match case.outer {
        Outer::Gc => commit_within_gc(world, &clean, case)?,
        Outer::Commit => gc_within_commit(world, &clean, case)?,
    };
    let repo = world.open(&clean)?;
    if let Some(lost) = acknowledged.filter(|id| !repo.timeline().is_live(*id)) {
        return Err(Failure(format!("the commit {lost} was acknowledged and is not there")));
    }
    world.check_content(&repo)?;
    world.check_next(&clean)?;
    world.check_tidy(&disk)?;
    let committed = acknowledged.is_some();
    Ok(Tally { cases: 1, killed: killed.into(), committed: committed.into(), gave_up: (!committed).into() })
}

/// What was committed, and whether the gc died.
type Done = (Option<warp::id::CommitId>, bool);

fn commit_within_gc(world: &Arc<World>, clean: &Arc<dyn Vfs>, case: Case) -> Result<Done, Failure> {
    let inner = Arc::new(Mutex::new(None));
    let (beside, on, into) = (Arc::clone(world), Arc::clone(clean), Arc::clone(&inner));
    let act = move || *into.lock().unwrap() = Some(commit(&beside, &on, case.folder));
    let faulty = FaultVfs::beside(Arc::clone(clean), case.at, act, Some((case.fault, case.dies)));
    let done = gc(world, &(faulty.clone() as Arc<dyn Vfs>));
    if let (Err(error), false) = (done, faulty.fired()) {
        return Err(error);
    }
    let committed = inner.lock().unwrap().take().unwrap_or(Ok(None))?;
    Ok((committed, faulty.fired()))
}

fn gc_within_commit(world: &Arc<World>, clean: &Arc<dyn Vfs>, case: Case) -> Result<Done, Failure> {
    let inner = Arc::new(Mutex::new(None));
    let (beside, on, into) = (Arc::clone(world), Arc::clone(clean), Arc::clone(&inner));
    let act = move || {
        let faulty = FaultVfs::new(on, case.fault, case.dies);
        let done = gc(&beside, &(faulty.clone() as Arc<dyn Vfs>));
        *into.lock().unwrap() = Some(match (done, faulty.fired()) {
            (Err(error), false) => Err(error),
            (_, fired) => Ok(fired),
        });
    };
    let faulty = FaultVfs::beside(Arc::clone(clean), case.at, act, None);
    let committed = commit(world, &(faulty as Arc<dyn Vfs>), case.folder)?;
    let died = inner.lock().unwrap().take().unwrap_or(Ok(false))?;
    Ok((committed, died))
}

fn cases(world: &World, template: &SimDisk, fault: Fault) -> Vec<Case> {
    let of_gc = operations(world, template, |disk| gc(world, disk).unwrap());
    let mut cases = Vec::new();
    for folder in FOLDERS {
        let of_commit =
            operations(world, template, |disk| assert!(commit(world, disk, folder).unwrap().is_some()));
        for dies in 0..of_gc {
            // What comes after the death of a gc is the next commit, which follows in any case.
            cases.extend((0..=dies).map(|at| Case { outer: Outer::Gc, folder, at, dies, fault }));
            cases.extend((0..of_commit).map(|at| Case { outer: Outer::Commit, folder, at, dies, fault }));
        }
    }
    cases
}

#[test]
fn a_gc_that_is_killed_beside_a_commit_takes_nothing_from_it_and_the_next_one_finishes() {
    let (begun, many, mut tally, mut rng) =
        (Instant::now(), rounds(150, 2_500), Tally::default(), Rng::new(9));
    for number in 0.. {
        let mut world = World::new(Variant::new(number));
        let template = ready(&mut world);
        let world = Arc::new(world);
        let mut cases = cases(&world, &template, [Fault::Kill, Fault::Torn][number as usize % 2]);
        let share = many.div_ceil(3).min(cases.len());
        (0..share).for_each(|chosen| {
            let other = chosen + rng.below(cases.len() - chosen);
            cases.swap(chosen, other);
        });
        let of = |case: &Case| {
            let what = format!("variant {number}, {case:?}");
            run(&world, &template, *case).unwrap_or_else(|error| panic!("{what}: {}", error.0))
        };
        tally = tally.add(cases[..share].par_iter().map(of).reduce(Tally::default, Tally::add));
        if tally.cases >= many as u64 || is_over(begun) {
            break;
        }
    }
    println!("gc killed beside a commit: {tally:?}; {} s", begun.elapsed().as_secs());
    assert!(tally.killed > tally.cases / 2 && tally.committed > tally.gave_up, "{tally:?}");
}
