//! The fault matrix: every command, with every fault at each of its operations of the disk, and with cuts of the power.
//!
//! [`commands`] is the table of commands, [`world`] makes the repositories, and [`End::judge`] says what must hold whatever
//! happened: nothing that was acknowledged is lost; a head is old or new; no wrong bytes come back; the next command needs no hand;
//! what was committed before comes back byte for byte; a failure names the file; the next gc leaves no litter.
//!
//! By default a part of the cases is run, which a seed chooses. With WARP_LONG=1 all are, on one repository after the other, each
//! of another kind and content, until there were as many as docs/reliability.md asks for.

mod beside;
mod commands;
mod suites;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rayon::prelude::*;
use warp::store::Vfs;
use warp::testing::{Cut, Fault, FaultVfs, Rng, SimDisk};

use crate::common::program::{is_over, rounds};
use commands::{Command, Told};
pub(crate) use world::{COST, Failure, archive, temporary};
use world::{Facts, Variant, World};

/// The variants of a default run: between them everything that variants differ in.
const FEW: [u64; 2] = [6, 1];

/// Which operations of the disk a fault strikes at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Writes,
    Looks,
}

/// A command of a variant, what goes wrong with it, and what is left of the disk.
#[derive(Debug, Clone, Copy)]
struct Case {
    fault: Fault,
    side: Side,
    at: u64,
    cut: Option<Cut>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} of {:?}, then {:?}", self.fault, self.at, self.side, self.cut)
    }
}

/// A command that is ready to be run: its disk, and what it leads to if nothing goes wrong.
struct Ready<'a> {
    world: &'a World,
    command: Command,
    template: SimDisk,
    before: Option<Facts>,
    after: Option<Facts>,
    told: String,
    /// Operations that write, and that look.
    operations: [u64; 2],
}

/// What became of cases.
#[derive(Debug, Clone, Default)]
struct Tally {
    cases: u64,
    /// The fault happened.
    fired: u64,
    /// The command said that it was done.
    done: u64,
    /// What it was to do was not there afterwards, or was; of commands that leave all as it was, neither is counted.
    old: u64,
    new: u64,
    /// What was not as it must be.
    wrong: Vec<String>,
}

impl Tally {
    fn add(self, other: Self) -> Self {
        Self {
            cases: self.cases + other.cases,
            fired: self.fired + other.fired,
            done: self.done + other.done,
            old: self.old + other.old,
            new: self.new + other.new,
            wrong: [self.wrong, other.wrong].concat(),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cases, fired, done, old, new, .. } = self;
        write!(f, "{cases} cases, {fired} faults happened; {done} said done; {old} old, {new} new")
    }
}

/// A part of the matrix: which cases there are, for each command.
struct Suite {
    name: &'static str,
    commands: Vec<Command>,
    cases: fn(&Ready<'_>, &mut Rng) -> Vec<Case>,
    /// How many of each command by default, and in all in the long run.
    few: usize,
    many: usize,
}

impl Suite {
    /// Runs it, and prints what there was.
    fn run(&self) {
        let (begun, mut tallies) = (Instant::now(), BTreeMap::<&str, Tally>::new());
        let cases = |tallies: &BTreeMap<&str, Tally>| tallies.values().map(|tally| tally.cases).sum::<u64>();
        let few = rounds(1, 0) == 1;
        let variants = FEW.into_iter().filter(|_| few).chain((0..).take_while(|_| !few));
        for variant in variants {
            if cases(&tallies) >= self.many as u64 || is_over(begun) {
                break;
            }
            self.round(variant, begun, &mut tallies);
        }
        for (name, tally) in &tallies {
            println!("{name}: {tally}");
        }
        let all = tallies.values().fold(Tally::default(), |sum, tally| sum.add(tally.clone()));
        println!("{}: {all}; {} s", self.name, begun.elapsed().as_secs());
        let wrong = all.wrong.iter().take(30).cloned().collect::<Vec<_>>().join("\n");
        assert!(all.wrong.is_empty(), "{} cases went wrong:\n{wrong}", all.wrong.len());
        assert!(all.fired > 0 && all.cases > all.done, "{all}");
    }

    /// Every command on a repository of this kind. The cases of one command are never cut short.
    fn round(&self, number: u64, begun: Instant, tallies: &mut BTreeMap<&'static str, Tally>) {
        let mut world = World::new(Variant::new(number));
        let mut rng = Rng::new(number);
        for command in &self.commands {
            if command.keys && !world.variant.encrypted || is_over(begun) {
                continue;
            }
            let disk = world.fork(&world.disk);
            (command.prepare)(&mut world, &disk);
            let ready = Ready::new(&world, *command, disk);
            let mut cases = (self.cases)(&ready, &mut rng);
            for chosen in 0..cases.len().min(rounds(self.few, usize::MAX)) {
                let other = chosen + rng.below(cases.len() - chosen);
                cases.swap(chosen, other);
            }
            cases.truncate(rounds(self.few, usize::MAX));
            let tally = cases.into_par_iter().map(|case| ready.run(case)).reduce(Tally::default, Tally::add);
            let sum = tallies.entry(command.name).or_default();
            *sum = std::mem::take(sum).add(tally);
        }
    }
}

impl<'a> Ready<'a> {
    fn new(world: &'a World, command: Command, template: SimDisk) -> Self {
        let mut ready = Self {
            world,
            command,
            template,
            before: None,
            after: None,
            told: String::new(),
            operations: [0; 2],
        };
        let disk = ready.fork();
        ready.before = ready.facts(&disk).unwrap_or_else(|error| panic!("{}: {}", command.name, error.0));
        let disk = ready.fork();
        let counting = FaultVfs::counting(Arc::new(disk.clone()));
        let told = (command.run)(world, &(counting.clone() as Arc<dyn Vfs>));
        ready.told = told.unwrap_or_else(|error| panic!("{} fails by itself: {}", command.name, error.0));
        ready.operations = [counting.operations(), counting.looks()];
        ready.after = ready.facts(&disk).unwrap_or_else(|error| panic!("{}: {}", command.name, error.0));
        assert!(
            !command.writes || ready.operations[0] > 0 || ready.before == ready.after,
            "{}",
            command.name
        );
        ready
    }

    fn fork(&self) -> SimDisk {
        self.world.fork(&self.template)
    }

    /// `None`: there is no repository.
    fn facts(&self, disk: &SimDisk) -> Result<Option<Facts>, Failure> {
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        if !vfs.is_dir(Path::new("/repo/config"))? || vfs.list(Path::new("/repo/config"))?.is_empty() {
            return Ok(None);
        }
        let (repo, opens) = self.world.open_anyhow(&vfs)?;
        Ok(Some(self.world.facts(&repo, opens)?))
    }

    fn run(&self, case: Case) -> Tally {
        let what = format!("{}, {:?}: {case}", self.command.name, self.world.variant);
        let judged = catch_unwind(AssertUnwindSafe(|| self.strike(case)));
        match judged {
            Ok(Ok(tally)) => tally,
            Ok(Err(failure)) => {
                Tally { cases: 1, wrong: vec![format!("{what}: {}", failure.0)], ..Tally::default() }
            }
            Err(_) => Tally { cases: 1, wrong: vec![format!("{what}: it panicked")], ..Tally::default() },
        }
    }

    /// Runs the command with the fault, and judges what is left.
    fn strike(&self, case: Case) -> Result<Tally, Failure> {
        let disk = self.fork();
        let inner: Arc<dyn Vfs> = Arc::new(disk.clone());
        let faulty = match case.side {
            Side::Writes => FaultVfs::new(inner, case.fault, case.at),
            Side::Looks => FaultVfs::looking(inner, case.fault, case.at),
        };
        let told = (self.command.run)(self.world, &(faulty.clone() as Arc<dyn Vfs>));
        let fired = faulty.fired();
        let places = faulty.fired_on();
        drop(faulty);
        let is_alive = !matches!(case.fault, Fault::Kill | Fault::Torn);
        if let (Err(failure), true) = (&told, is_alive && !places.is_empty()) {
            names(failure, &places)?;
        }
        if told.is_err() && !fired {
            return Err(Failure(format!("it fails without a fault: {told:?}")));
        }
        let disk = case.cut.map_or(disk.clone(), |cut| disk.cut(cut));
        let mut tally =
            Tally { cases: 1, fired: fired.into(), done: told.is_ok().into(), ..Tally::default() };
        if self.command.writes {
            self.judge(&disk, &told, &mut tally)?;
        } else if told.as_ref().is_ok_and(|told| *told != self.told) {
            return Err(Failure(format!("it says {told:?} and not {:?}", self.told)));
        } else {
            self.facts(&disk)?;
        }
        Ok(tally)
    }

    /// What must hold whatever happened.
    fn judge(&self, disk: &SimDisk, told: &Told, tally: &mut Tally) -> Result<(), Failure> {
        let vfs: Arc<dyn Vfs> = Arc::new(disk.clone());
        let now = self.facts(disk).map_err(|error| Failure(format!("afterwards: {}", error.0)))?;
        let is_new = now == self.after;
        if !is_new && now != self.before {
            return Err(Failure(format!("neither old nor new: {now:?}")));
        }
        if told.is_ok() && !is_new {
            return Err(Failure("it said that it was done, and it is not".to_owned()));
        }
        if self.before != self.after {
            (tally.old, tally.new) = ((!is_new).into(), is_new.into());
        }
        if now.is_some() {
            self.world.check_content(&self.world.open_anyhow(&vfs)?.0)?;
        }
        if !is_new || self.before == self.after {
            (self.command.run)(self.world, &vfs).map_err(|error| Failure(format!("again: {}", error.0)))?;
        }
        if self.facts(disk)? != self.after {
            return Err(Failure("done again it leads to something else".to_owned()));
        }
        self.world.check_next(&vfs)?;
        self.world.check_tidy(disk)
    }
}

/// A failure names a file or folder where the fault happened.
fn names(failure: &Failure, places: &[PathBuf]) -> Result<(), Failure> {
    let is_named = |place: &PathBuf| {
        let inside = place.strip_prefix("/repo").unwrap_or(place);
        [place.as_path(), inside].iter().any(|path| {
            let word = path.display().to_string();
            !word.is_empty() && failure.0.contains(&word)
        })
    };
    match places.iter().any(is_named) {
        true => Ok(()),
        false => Err(Failure(format!("the fault was at {places:?}, and it says {:?}", failure.0))),
    }
}
