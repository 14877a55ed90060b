//! Who goes next: choices, and the ways to make them.

use std::collections::VecDeque;
use std::fmt;

use super::Rng;

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// The actor takes its step.
    Go(usize),
    /// The actor is killed before its step: this call and all later ones fail, and do nothing.
    Kill(usize),
    /// The actor takes its step, and is told that nobody knows whether it did.
    LoseReply(usize),
    /// The actor takes its step, and is told what a second attempt would be told: that the name is taken.
    RepeatRequest(usize),
}

impl Choice {
    /// Whose step it is.
    pub fn actor(self) -> usize {
        match self {
            Self::Go(actor) | Self::Kill(actor) | Self::LoseReply(actor) | Self::RepeatRequest(actor) => {
                actor
            }
        }
    }

    pub(super) fn is_fault(self) -> bool {
        !matches!(self, Self::Go(_))
    }
}

/// A step that was taken, and what could have been done instead.
#[derive(Debug, Clone)]
pub struct Step {
    /// What was chosen.
    pub choice: Choice,
    /// The call, for messages.
    pub call: String,
    /// The actor's name.
    pub name: &'static str,
    pub(super) situation: Situation,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<9} {}", self.name, self.call)?;
        match self.choice {
            Choice::Go(_) => Ok(()),
            Choice::Kill(_) => f.write_str(" ... is killed instead"),
            Choice::LoseReply(_) => f.write_str(" ... and the reply is lost"),
            Choice::RepeatRequest(_) => f.write_str(" ... and is told that it exists"),
        }
    }
}

/// What can be chosen.
#[derive(Debug, Clone, Default)]
pub(super) struct Situation {
    /// Actors that wait for their step.
    pub(super) waiting: Vec<usize>,
    /// Those of them that wait for an entry of the log to be written.
    pub(super) appending: Vec<usize>,
    /// Who took the last step.
    pub(super) last: Option<usize>,
}

impl Situation {
    /// Everything that can be chosen.
    fn all(&self, with_faults: bool) -> Vec<Choice> {
        let mut all: Vec<Choice> = self.waiting.iter().map(|actor| Choice::Go(*actor)).collect();
        if with_faults {
            for actor in &self.appending {
                all.extend([Choice::LoseReply(*actor), Choice::RepeatRequest(*actor)]);
            }
            // One that is killed while others run might as well have been killed before they did.
            let last = self.last.filter(|last| self.waiting.contains(last));
            all.extend(last.map(Choice::Kill));
        }
        all
    }

    fn allows(&self, choice: Choice) -> bool {
        self.all(true).contains(&choice)
    }

    /// Whoever went last goes on; after that the first one.
    fn default(&self) -> Choice {
        let last = self.last.filter(|last| self.waiting.contains(last));
        Choice::Go(last.unwrap_or(self.waiting[0]))
    }

    /// Whether the choice takes the turn from one that could go on.
    fn is_preemption(&self, choice: Choice) -> bool {
        self.last.is_some_and(|last| last != choice.actor() && self.waiting.contains(&last))
    }
}

/// Chooses.
pub(super) trait Policy {
    fn choose(&mut self, situation: &Situation) -> Choice;
}

/// Choices that were made before, and the default after them.
pub(super) struct Replay<'a> {
    choices: std::slice::Iter<'a, Choice>,
    strayed: bool,
}

impl<'a> Replay<'a> {
    pub(super) fn new(choices: &'a [Choice]) -> Self {
        Self { choices: choices.iter(), strayed: false }
    }

    /// Whether a choice could not be made any more.
    pub(super) fn has_strayed(&self) -> bool {
        self.strayed
    }
}

impl Policy for Replay<'_> {
    fn choose(&mut self, situation: &Situation) -> Choice {
        match self.choices.next() {
            Some(choice) if situation.allows(*choice) => *choice,
            Some(_) => {
                self.strayed = true;
                situation.default()
            }
            None => situation.default(),
        }
    }
}

/// Choices at random: how often the turn is taken from an actor is another number in each walk.
pub(super) struct Walk {
    rng: Rng,
    stays: usize,
    budget: usize,
    faults: usize,
}

impl Walk {
    /// At most so many preemptions, and faults beside them.
    pub(super) fn new(mut rng: Rng, budget: usize, faults: usize) -> Self {
        let stays = *rng.pick(&[2, 4, 8, 16, 32]);
        let faults = if faults > 0 { rng.below(faults + 1) } else { 0 };
        Self { rng, stays, budget, faults }
    }
}

impl Policy for Walk {
    fn choose(&mut self, situation: &Situation) -> Choice {
        if self.faults > 0 && self.rng.one_in(12) {
            let faults: Vec<Choice> =
                situation.all(true).into_iter().filter(|choice| choice.is_fault()).collect();
            if !faults.is_empty() {
                self.faults -= 1;
                return *self.rng.pick(&faults);
            }
        }
        let default = situation.default();
        let is_free = !situation.waiting.iter().any(|actor| situation.is_preemption(Choice::Go(*actor)));
        if !is_free && (self.budget == 0 || !self.rng.one_in(self.stays)) {
            return default;
        }
        let chosen = Choice::Go(*self.rng.pick(&situation.waiting));
        self.budget -= usize::from(situation.is_preemption(chosen));
        chosen
    }
}

/// The beginning of a schedule.
#[derive(Debug, Clone, Default)]
pub(super) struct Planned {
    choices: Vec<Choice>,
    /// Preemptions and faults in it.
    spent: usize,
    faults: usize,
}

impl Planned {
    pub(super) fn choices(&self) -> &[Choice] {
        &self.choices
    }
}

/// Schedules that are still to be run.
#[derive(Debug)]
pub(super) struct Frontier {
    /// By what they have spent.
    levels: Vec<VecDeque<Planned>>,
    budget: usize,
    faults: usize,
    rng: Rng,
}

impl Frontier {
    pub(super) fn new(budget: usize, faults: usize, rng: Rng) -> Self {
        let mut levels = vec![VecDeque::new(); budget + 1];
        levels[0].push_back(Planned::default());
        Self { levels, budget, faults, rng }
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.levels.iter().map(VecDeque::len).sum()
    }

    /// One of those that have spent least.
    pub(super) fn next(&mut self) -> Option<Planned> {
        let level = self.levels.iter_mut().find(|level| !level.is_empty())?;
        let at = self.rng.below(level.len());
        level.swap_remove_back(at)
    }

    /// Adds all schedules that are as `steps`, which came of `planned`, up to a place behind it, and then choose otherwise.
    pub(super) fn branch(&mut self, planned: &Planned, steps: &[Step]) {
        let choices: Vec<Choice> = steps.iter().map(|step| step.choice).collect();
        for (at, step) in steps.iter().enumerate().skip(planned.choices.len()) {
            let with_faults = planned.faults < self.faults;
            for choice in step.situation.all(with_faults).into_iter().filter(|choice| *choice != step.choice)
            {
                // Behind what was planned nothing is spent: the default preempts nobody.
                let cost = usize::from(step.situation.is_preemption(choice)) + usize::from(choice.is_fault());
                let spent = planned.spent + cost;
                if spent <= self.budget {
                    let choices = [&choices[..at], &[choice]].concat();
                    let faults = planned.faults + usize::from(choice.is_fault());
                    self.levels[spent].push_back(Planned { choices, spent, faults });
                }
            }
        }
    }
}
