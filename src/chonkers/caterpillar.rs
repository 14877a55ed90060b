//! The second phase: equal chunks in a row become one, a unit and a count, whatever the weight.

use super::item::{Content, Hasher, Item};

/// Counts equal items in a row.
#[derive(Default)]
pub(super) struct Caterpillar {
    first: Option<Item>,
    copies: u64,
}

impl Caterpillar {
    /// The run that has not ended yet: its first item, and how many there are.
    pub(super) fn pending(&self) -> Option<(&Item, u64)> {
        self.first.as_ref().map(|first| (first, self.copies))
    }

    /// Takes the next item and gives on the run before it if it ends that run.
    pub(super) fn push<C: Content>(
        &mut self,
        item: &Item,
        hasher: &Hasher,
        content: &C,
        sink: &mut dyn FnMut(&Item),
    ) {
        if self.first.as_ref().is_some_and(|first| hasher.same(first, item, content)) {
            self.copies += 1;
            return;
        }
        self.finish(hasher, sink);
        self.first = Some(*item);
        self.copies = 1;
    }

    /// Lengthens the run that has not ended yet.
    pub(super) fn add_copies(&mut self, copies: u64) {
        self.copies += copies;
    }

    /// Gives on the last run: nothing follows.
    pub(super) fn finish(&mut self, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        match &self.first {
            Some(first) if self.copies == 1 => sink(first),
            Some(first) => sink(&hasher.repeat(first, self.copies)),
            None => {}
        }
        self.first = None;
    }
}
