//! The finest layers, which most proto-chunks are too heavy for: only stretches with light ones go through.

use std::collections::VecDeque;

use super::item::{Content, Hasher, Item};
use super::layer::{Layers, Stage};

/// Absolute unit of the lowest layer of all.
pub(super) const UNIT_FIRST: u64 = 2;
/// Absolute units of the first layer behind each of the inner gates.
const INNER: [u64; 4] = [UNIT_FIRST, 8, 64, 256];

/// A stage for light items, and the way past it for items that it would not change.
struct Gate<S> {
    /// Two items heavier than this do not concern the stage, unless they are equal.
    unit: u64,
    /// Items around a pair that concerns the stage which may be affected by it. A merge next to an item can make
    /// their contents equal, so that they become one caterpillar: one item further in each layer of the stage.
    reach: usize,
    stage: S,
    /// Whether the stage holds the beginning of a stretch that concerns it.
    is_open: bool,
    /// Pairs in a row, at the end of that stretch, that do not concern it.
    idle: usize,
    /// The last items that went past the stage.
    passed: VecDeque<Item>,
    /// Weight and value of the last item.
    last: Option<(u64, u64)>,
}

/// The finest layers by groups, each behind a gate.
struct Groups(Vec<Gate<Layers>>);

/// Does what all of the finest layers together do.
pub(super) struct FineLayers(Gate<Groups>);

impl FineLayers {
    /// The layers up to absolute unit `last`, which is at least 64.
    pub(super) fn new(last: u64) -> Self {
        let firsts = INNER.iter().filter(|&&first| first <= last);
        let lasts = INNER[1..].iter().filter(|&&first| first <= last).map(|&first| first / 2).chain([last]);
        let groups = firsts.zip(lasts).map(|(&from, to)| Gate::new(to, Layers::new(from, to)));
        Self(Gate::new(last, Groups(groups.collect())))
    }
}

impl Stage for FineLayers {
    fn push<C: Content>(&mut self, item: &Item, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        self.0.push(item, hasher, content, sink);
    }

    fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        self.0.finish(hasher, content, sink);
    }

    fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.0.pending(visit);
    }
}

impl Stage for Groups {
    fn push<C: Content>(&mut self, item: &Item, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        feed(&mut self.0, item, hasher, content, sink);
    }

    fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        let mut gates = &mut self.0[..];
        while let Some((first, rest)) = gates.split_first_mut() {
            first.finish(hasher, content, &mut |item| feed(rest, item, hasher, content, sink));
            gates = rest;
        }
    }

    fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.0.iter().rev().for_each(|gate| gate.pending(visit));
    }
}

fn feed<C: Content>(
    gates: &mut [Gate<Layers>],
    item: &Item,
    hasher: &Hasher,
    content: &C,
    sink: &mut dyn FnMut(&Item),
) {
    match gates.split_first_mut() {
        Some((first, rest)) => {
            first.push(item, hasher, content, &mut |item| feed(rest, item, hasher, content, sink));
        }
        None => sink(item),
    }
}

impl<S: Stage> Gate<S> {
    /// A gate for a stage whose last layer has absolute unit `unit`.
    fn new(unit: u64, stage: S) -> Self {
        let reach = unit.ilog2() as usize + 1;
        Self { unit, reach, stage, is_open: false, idle: 0, passed: VecDeque::new(), last: None }
    }

    fn push<C: Content>(&mut self, item: &Item, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        let (weight, value) = (item.weight(), item.value);
        let concerns = |(w, v): (u64, u64)| w.saturating_add(weight) <= self.unit || v == value;
        let concerns_stage = self.last.is_some_and(concerns);
        self.last = Some((weight, value));
        if concerns_stage {
            self.open(hasher, content, sink);
        }
        if self.is_open && self.idle < self.reach {
            self.idle = if concerns_stage { 0 } else { self.idle + 1 };
            return self.stage.push(item, hasher, content, sink);
        }
        self.passed.push_back(*item);
        if self.passed.len() > self.reach {
            self.close(hasher, content, sink);
            self.passed.pop_front().iter().for_each(sink);
        }
    }

    fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        self.close(hasher, content, sink);
        self.passed.drain(..).for_each(|item| sink(&item));
    }

    /// Takes the items that just passed into the stage: the next one has to do with them.
    fn open<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        for item in self.passed.drain(..) {
            self.stage.push(&item, hasher, content, sink);
        }
        self.is_open = true;
        self.idle = 0;
    }

    /// Ends the stretch in the stage: what passed since is out of its reach.
    fn close<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        if std::mem::take(&mut self.is_open) {
            self.stage.finish(hasher, content, sink);
        }
    }

    fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.stage.pending(visit);
        self.passed.iter().for_each(|item| visit(item, 1));
    }
}
