//! Layers: each takes the chunks of the layer below and makes coarser ones, of at most twice the weight.

use super::balancing::Balancing;
use super::caterpillar::Caterpillar;
use super::diffbit::{CHAIN_LEN_MAX, Diffbit};
use super::item::{Content, Hasher, Item};

/// Something that items go through in order.
pub(super) trait Stage {
    /// Takes the next item; gives on what is settled.
    fn push<C: Content>(&mut self, item: &Item, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item));
    /// Gives on everything: nothing follows.
    fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item));
    /// Visits what has not been given on, in order, as (item, copies).
    fn pending(&self, visit: &mut dyn FnMut(&Item, u64));
}

/// One layer: balancing, caterpillars, diffbit.
struct Layer {
    balancing: Balancing,
    caterpillar: Caterpillar,
    diffbit: Diffbit,
}

impl Layer {
    fn new(limit: u64, longest: usize) -> Self {
        Self {
            balancing: Balancing::new(limit),
            caterpillar: Caterpillar::default(),
            diffbit: Diffbit::new(limit, longest),
        }
    }

    fn push<C: Content>(&mut self, item: &Item, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        let Self { balancing, caterpillar, diffbit } = self;
        balancing.push(item, hasher, content, &mut |item| {
            caterpillar.push(item, hasher, content, &mut |item| diffbit.push(item, hasher, content, sink));
        });
    }

    fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        let Self { balancing, caterpillar, diffbit } = self;
        balancing.finish(hasher, &mut |item| {
            caterpillar.push(item, hasher, content, &mut |item| diffbit.push(item, hasher, content, sink));
        });
        caterpillar.finish(hasher, &mut |item| diffbit.push(item, hasher, content, sink));
        diffbit.finish(hasher, content, sink);
    }

    /// Visits what has not been given on, in order, as (item, copies).
    fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.diffbit.pending().iter().for_each(|item| visit(item, 1));
        if let Some((first, copies)) = self.caterpillar.pending() {
            visit(first, copies);
        }
        self.balancing.pending(&mut |item| visit(item, 1));
    }
}

/// A stack of layers, from one absolute unit to another, doubling.
pub(super) struct Layers {
    layers: Vec<Layer>,
}

impl Layers {
    /// The layers of absolute unit `from`, twice `from`, and so on up to `to`; both are powers of two.
    pub(super) fn new(from: u64, to: u64) -> Self {
        Self::with_longest(from, to, CHAIN_LEN_MAX)
    }

    /// The same with another length from which a chain settles piece by piece; it makes no difference.
    pub(super) fn with_longest(from: u64, to: u64, longest: usize) -> Self {
        let units = std::iter::successors(Some(from), |&unit| (unit < to).then(|| unit * 2));
        Self { layers: units.map(|unit| Layer::new(unit, longest)).collect() }
    }
}

impl Stage for Layers {
    fn push<C: Content>(&mut self, item: &Item, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        feed(&mut self.layers, item, hasher, content, sink);
    }

    fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        let mut layers = &mut self.layers[..];
        while let Some((first, rest)) = layers.split_first_mut() {
            first.finish(hasher, content, &mut |item| feed(rest, item, hasher, content, sink));
            layers = rest;
        }
    }

    fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.layers.iter().rev().for_each(|layer| layer.pending(visit));
    }
}

fn feed<C: Content>(
    layers: &mut [Layer],
    item: &Item,
    hasher: &Hasher,
    content: &C,
    sink: &mut dyn FnMut(&Item),
) {
    match layers.split_first_mut() {
        Some((first, rest)) => {
            first.push(item, hasher, content, &mut |item| feed(rest, item, hasher, content, sink));
        }
        None => sink(item),
    }
}
