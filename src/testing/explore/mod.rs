//! An explorer of schedules: it runs real operations at once on one store in memory, lets one of them take a step at a time, and
//! tries one order of these steps after the other.
//!
//! An [`Actor`] is an operation such as a commit or a gc, in a thread of its own with a [handle](Handle) of its own on the store.
//! A step is one call of the store, with all that the actor computes until its next one. Between steps every actor waits, so a run
//! is told by the sequence of choices of who goes next, and can be repeated. What an actor's own threads do among each other is
//! not chosen: calls that they make at once are served in the order in which they come.
//!
//! Only calls that others can notice, or that can notice others, are worth a choice ([`Grain::Visible`]): writing anything,
//! deleting, listing, looking for the next entry of the log, and reading what some actor deletes or has written in this run. All
//! other reads are of bytes that never change, and give the same whenever they come. Which files are deleted is learnt from the
//! runs; when a run teaches anything new, the exploration begins anew.
//!
//! Within these choices all schedules with few preemptions are tried ([`Limits`]); a preemption is a switch away from an actor that
//! could go on. Random walks go beyond. At each step the actor can also be killed, and the reply to an entry of the log can be lost.

mod schedule;
mod stage;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::mutants::Mutant;
use crate::store::{MemoryStore, StorageBackend};

use super::Rng;
pub use schedule::{Choice, Step};
use schedule::{Frontier, Policy, Replay, Walk};
pub use stage::Handle;
use stage::{Doomed, Stage};

/// An operation that runs beside others.
pub struct Actor<'a, T> {
    /// For messages.
    pub name: &'static str,
    /// The operation: it works on the store that it is given, and its value goes to the check.
    pub act: Box<dyn Fn(Arc<dyn StorageBackend>) -> T + Send + Sync + 'a>,
}

impl<T> fmt::Debug for Actor<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Looks at what a run has led to, and says what is wrong.
pub type Check<'a, T> = Box<dyn Fn(&Ended<T>) -> Result<(), String> + 'a>;

/// What runs, on what, and what must hold afterwards.
pub struct Scenario<'a, T> {
    /// What the store holds before; every run has a copy.
    pub store: &'a MemoryStore,
    /// Who runs.
    pub actors: Vec<Actor<'a, T>>,
    /// Asked after every run.
    pub check: Check<'a, T>,
}

impl<T> fmt::Debug for Scenario<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario").field("actors", &self.actors).finish_non_exhaustive()
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Ended<T> {
    /// What the store holds.
    pub store: Arc<MemoryStore>,
    /// What the actors came to, in their order.
    pub values: Vec<T>,
    /// Actors that were killed, or of which a reply was lost: they may fail.
    pub disturbed: Vec<bool>,
}

/// Which calls of the store are steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// Those whose place among the others' matters.
    Visible,
    /// All.
    Every,
}

/// What is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most preemptions and faults of a run, together.
    pub budget: usize,
    /// Most faults among them: kills and lost replies.
    pub faults: usize,
    /// Most runs. Where this is less than there are schedules, those with less come first, and of the rest a part is chosen by
    /// the seed.
    pub runs: usize,
    /// Seed of what is chosen.
    pub seed: u64,
}

/// How many schedules were run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Explored {
    /// Runs, those from before the exploration began anew included.
    pub runs: usize,
    /// Steps in all runs.
    pub steps: usize,
    /// Most steps of a run.
    pub longest: usize,
    /// Schedules within the budget that were not run, because there were too many; each would have led to more.
    pub left: usize,
    /// Runs in which an actor could not do what was chosen for it, because its own threads raced.
    pub strayed: usize,
}

/// A schedule after which something was wrong.
#[derive(Debug)]
pub struct Violation {
    /// What.
    pub what: String,
    /// The steps that led there.
    pub steps: Vec<Step>,
    /// How many runs it took.
    pub explored: Explored,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\nafter {} runs, by this schedule:", self.what, self.explored.runs)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

/// Runs schedules of a scenario.
#[derive(Debug)]
pub struct Explorer {
    mutant: Option<Mutant>,
    doomed: Arc<Doomed>,
    explored: Explored,
}

impl Explorer {
    /// One that runs the code as it is, or without one of its rules.
    pub fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, doomed: Arc::default(), explored: Explored::default() }
    }

    /// Tries schedules in the order of how many preemptions and faults they have.
    ///
    /// # Errors
    /// The first schedule after which something was wrong.
    pub fn exhaust<T: Send>(
        mut self,
        scenario: &Scenario<'_, T>,
        limits: Limits,
    ) -> Result<Explored, Box<Violation>> {
        let begin = || Frontier::new(limits.budget, limits.faults, Rng::new(limits.seed));
        let mut frontier = begin();
        while self.explored.runs < limits.runs {
            let Some(planned) = frontier.next() else { break };
            let known = self.doomed.len();
            let mut replay = Replay::new(planned.choices());
            let steps = self.run(scenario, Grain::Visible, &mut replay)?;
            self.explored.strayed += usize::from(replay.has_strayed());
            if self.doomed.len() > known {
                frontier = begin();
            } else {
                frontier.branch(&planned, &steps);
            }
        }
        Ok(Explored { left: frontier.len(), ..self.explored })
    }

    /// Tries schedules at random: so many runs, with a fault in some.
    ///
    /// # Errors
    /// The first schedule after which something was wrong.
    pub fn walk<T: Send>(
        mut self,
        scenario: &Scenario<'_, T>,
        grain: Grain,
        limits: Limits,
    ) -> Result<Explored, Box<Violation>> {
        for seed in 0..limits.runs as u64 {
            let mut walk = Walk::new(Rng::new(limits.seed + seed), limits.budget, limits.faults);
            self.run(scenario, grain, &mut walk)?;
        }
        Ok(self.explored)
    }

    fn run<T: Send>(
        &mut self,
        scenario: &Scenario<'_, T>,
        grain: Grain,
        policy: &mut dyn Policy,
    ) -> Result<Vec<Step>, Box<Violation>> {
        let names: Vec<&'static str> = scenario.actors.iter().map(|actor| actor.name).collect();
        let stage = Stage::new(scenario.store.fork(), &names, grain, Arc::clone(&self.doomed));
        let (values, steps) = stage.play(&scenario.actors, self.mutant, policy);
        self.explored.runs += 1;
        self.explored.steps += steps.len();
        self.explored.longest = self.explored.longest.max(steps.len());
        let checked = values.and_then(|values| {
            let is_excuse = |step: &&Step| matches!(step.choice, Choice::Kill(_) | Choice::LoseReply(_));
            let mut disturbed = vec![false; names.len()];
            steps.iter().filter(is_excuse).for_each(|step| disturbed[step.choice.actor()] = true);
            (scenario.check)(&Ended { store: stage.store(), values, disturbed })
        });
        match checked {
            Ok(()) => Ok(steps),
            Err(what) => Err(Box::new(Violation { what, steps, explored: self.explored })),
        }
    }
}
