//! The same layers over a sequence of items that have a weight and a hash, such as the entries of a directory.

use std::sync::OnceLock;

use super::fine::UNIT_FIRST;
use super::item::{Content, Difference, Hasher, Item};
use super::layer::{Layers, Stage};

/// Items that belong together: `items` of them, standing `repeat` times in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Items of one copy, at least 1.
    pub items: u64,
    /// How often they stand in a row. Above 1 only if all copies together are heavier than the unit.
    pub repeat: u64,
}

impl Group {
    /// Items of all copies together.
    pub fn total(&self) -> u64 {
        self.items * self.repeat
    }
}

/// Items have nothing to compare but their hashes, which whoever computes them has keyed.
struct Opaque;

impl Content for Opaque {
    fn difference(&self, _: &Item, _: &Item) -> Option<Difference> {
        None
    }
}

/// Divides a sequence of items into groups of at most `unit` weight, by the layers of the chunker, in bounded
/// memory. A change of a few items changes a few groups, however long the sequence is.
///
/// An item that is heavier than the unit, and a group that is repeated, may be heavier.
pub struct ItemCutter {
    unit: u64,
    layers: Layers,
    items: u64,
    weight: u64,
}

impl ItemCutter {
    /// A cutter for groups of at most `unit` weight, rounded up to a power of two.
    pub fn new(unit: u64) -> Self {
        let unit = unit.clamp(UNIT_FIRST, 1 << 60).next_power_of_two();
        Self { unit, layers: Layers::new(UNIT_FIRST, unit), items: 0, weight: 0 }
    }

    /// Takes the next item, which counts as one however often its content is repeated: `weight` of one copy (0
    /// counts as 1), a keyed `hash` of it, and the number of copies. Gives `sink` the groups that it completes.
    pub fn push(&mut self, weight: u64, hash: u64, repeat: u64, sink: &mut dyn FnMut(Group)) {
        let total = weight.max(1).saturating_mul(repeat.max(1)).min(1 << 61);
        let hash = if repeat == 1 { hash } else { hash ^ repeat.wrapping_mul(0x9e37_79b9_7f4a_7c15) };
        let unit = self.unit;
        let item = hasher().symbol(self.items, total, hash);
        self.items += 1;
        self.weight = self.weight.saturating_add(total);
        self.layers.push(&item, hasher(), &Opaque, &mut |item| sink(group(item, unit)));
    }

    /// Gives `sink` the groups that are left: the sequence is complete.
    pub fn finish(mut self, sink: &mut dyn FnMut(Group)) {
        if self.items > 0 && self.weight <= self.unit {
            return sink(Group { items: self.items, repeat: 1 });
        }
        let unit = self.unit;
        self.layers.finish(hasher(), &Opaque, &mut |item| sink(group(item, unit)));
    }
}

fn group(item: &Item, unit: u64) -> Group {
    if item.weight() <= unit {
        Group { items: item.span(), repeat: 1 }
    } else {
        Group { items: item.symbols, repeat: item.repeat }
    }
}

/// The hashes that come in are keyed, so that the rules need no key.
fn hasher() -> &'static Hasher {
    static HASHER: OnceLock<Hasher> = OnceLock::new();
    HASHER.get_or_init(|| {
        let mut state = 0_u64;
        Hasher::new(|| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let x = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            x ^ (x >> 31)
        })
    })
}

/// Divides `items`, each a weight and a keyed hash of its content, into groups of at most `unit` weight (rounded
/// up to a power of two), by the layers of the chunker. Returns the end index of each group.
pub fn cut_items(items: &[(u64, u64)], unit: u64) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut end = 0;
    let mut sink = |group: Group| {
        end += group.total() as usize;
        ends.push(end);
    };
    let mut cutter = ItemCutter::new(unit);
    for &(weight, hash) in items {
        cutter.push(weight, hash, 1, &mut sink);
    }
    cutter.finish(&mut sink);
    ends
}
