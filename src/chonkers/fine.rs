//! The finest layers, which nearly all proto-chunks are too heavy for: only stretches with light ones go through.

use std::collections::VecDeque;

use super::item::{Content, Hasher, Item};
use super::layer::Layers;

/// Absolute unit of the lowest layer of all.
pub(super) const UNIT_FIRST: u64 = 2;
/// Absolute unit of the last of the finest layers.
pub(super) const UNIT_FINE: u64 = 128;
/// Items around a pair that fits into a chunk of the last of these layers that may be affected by it. A merge
/// next to an item can make their contents equal, so that they become one caterpillar: one item further in each
/// of the seven layers.
const REACH: usize = 8;

/// Does what all of the finest layers together do.
pub(super) struct FineLayers {
    layers: Layers,
    /// Whether the layers hold the beginning of a stretch with a pair that fits.
    is_open: bool,
    /// Pairs in a row, at the end of that stretch, that do not fit.
    unfit: usize,
    /// The last items that went past the layers.
    passed: VecDeque<Item>,
    /// Weight of the last item.
    last: Option<u64>,
}

impl FineLayers {
    pub(super) fn new() -> Self {
        let layers = Layers::new(UNIT_FIRST, UNIT_FINE);
        Self { layers, is_open: false, unfit: 0, passed: VecDeque::new(), last: None }
    }

    /// Takes the next item; gives on what is settled.
    pub(super) fn push<C: Content>(
        &mut self,
        item: &Item,
        hasher: &Hasher,
        content: &C,
        sink: &mut dyn FnMut(&Item),
    ) {
        let fits = self.last.is_some_and(|last| last.saturating_add(item.weight()) <= UNIT_FINE);
        self.last = Some(item.weight());
        if fits {
            self.open(hasher, content, sink);
        }
        if self.is_open && self.unfit < REACH {
            self.unfit = if fits { 0 } else { self.unfit + 1 };
            return self.layers.push(item, hasher, content, sink);
        }
        self.passed.push_back(*item);
        if self.passed.len() > REACH {
            self.close(hasher, content, sink);
            self.passed.pop_front().iter().for_each(sink);
        }
    }

    /// Gives on everything: nothing follows.
    pub(super) fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        self.close(hasher, content, sink);
        self.passed.drain(..).for_each(|item| sink(&item));
    }

    /// Takes the items that just passed into the layers: the next one has to do with them.
    fn open<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        for item in self.passed.drain(..) {
            self.layers.push(&item, hasher, content, sink);
        }
        self.is_open = true;
        self.unfit = 0;
    }

    /// Ends the stretch in the layers: what passed since is out of its reach.
    fn close<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        if std::mem::take(&mut self.is_open) {
            self.layers.finish(hasher, content, sink);
        }
    }

    /// Visits what has not been given on, in order, as (item, copies).
    pub(super) fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.layers.pending(visit);
        self.passed.iter().for_each(|item| visit(item, 1));
    }
}
