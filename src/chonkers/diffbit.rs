//! The third phase: neighbours that fit, now different from each other, merge in an order that only the
//! contents nearby decide (deterministic coin tossing, Cole and Vishkin 1986).
//!
//! Nothing merges across a pair that does not fit into one chunk. So the items are taken by chains, maximal runs
//! of which every two neighbours fit; each chain settles on its own.

use super::item::{Content, Hasher, Item};

/// Orders behind order 0 that bring every diffbit into 0..=5: order 0 is below 2^26 (twice the bits of a value,
/// a weight, a symbol count and 2^20 bytes), the next ones are at most 51, 11, 7 and 5.
const ORDERS: usize = 4;
/// Priorities of pairs: the values that the last order can take.
const PRIORITIES: u8 = 6;
/// A pair that is not marked.
const UNMARKED: u8 = u8::MAX;
/// A decision depends on items at most this far away. Once balanced, every item of a chain weighs a quarter of
/// the limit or more, so a chunk is made of at most four; each of six priorities looks one chunk left and one
/// right (24 items), and a diffbit looks five pairs right.
const REACH: usize = 32;
/// Longest chain that is settled at once: longer ones settle piece by piece, with [`REACH`] items to spare on
/// both sides.
pub(super) const CHAIN_LEN_MAX: usize = 256;

/// What is known of an item of a chain while the chain settles.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Priority with which the item merges with the next one, 0 first, or [`UNMARKED`].
    priority: u8,
    /// Number of the chain's items up to the end of this one.
    end: usize,
}

/// The diffbit phase of one layer.
pub(super) struct Diffbit {
    limit: u64,
    longest: usize,
    chain: Vec<Item>,
    /// Items at the front of the chain that are there only to be looked at: they are settled already.
    settled: usize,
    /// The chain's items while they merge, and their marks.
    merging: Vec<Item>,
    marks: Vec<Mark>,
    orders: Vec<u64>,
}

/// One order up: where two values differ, and what the first has there.
fn next_order(value: u64, next: u64) -> u64 {
    let bit = (value ^ next).trailing_zeros() & 63;
    2 * u64::from(bit) + ((value >> bit) & 1)
}

impl Diffbit {
    pub(super) fn new(limit: u64, longest: usize) -> Self {
        let (chain, merging) = (Vec::new(), Vec::new());
        Self { limit, longest, chain, settled: 0, merging, marks: Vec::new(), orders: Vec::new() }
    }

    /// The items that have not been given on.
    pub(super) fn pending(&self) -> &[Item] {
        &self.chain[self.settled..]
    }

    /// Takes the next item, which differs from the one before, and gives on what it settles.
    pub(super) fn push<C: Content>(
        &mut self,
        item: &Item,
        hasher: &Hasher,
        content: &C,
        sink: &mut dyn FnMut(&Item),
    ) {
        if self.chain.last().is_some_and(|last| !last.fits(item, self.limit)) {
            self.finish(hasher, content, sink);
        }
        self.chain.push(*item);
        if self.chain.len() >= self.longest {
            self.settle_front(hasher, content, sink);
        }
    }

    /// Gives on everything: nothing that follows fits with the chain.
    pub(super) fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        match &self.chain[..] {
            [] => {}
            [only] => sink(only),
            [left, right] => sink(&hasher.merge(left, right)),
            _ => {
                std::mem::swap(&mut self.chain, &mut self.merging);
                self.merge(hasher, content);
                self.emit(usize::MAX, sink);
            }
        }
        self.chain.clear();
        self.settled = 0;
    }

    /// Settles what later items cannot change: the chain has grown too long to wait for its end.
    fn settle_front<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        self.merging.clone_from(&self.chain);
        self.merge(hasher, content);
        let done = self.emit(self.chain.len() - REACH, sink);
        let dropped = done.saturating_sub(REACH);
        self.chain.drain(..dropped);
        self.settled = done - dropped;
    }

    /// Merges the items set out for it by their marks, one priority after the other.
    fn merge<C: Content>(&mut self, hasher: &Hasher, content: &C) {
        self.mark(hasher, content);
        for priority in 0..PRIORITIES {
            self.merge_marked(priority, hasher);
        }
    }

    /// Marks every pair of items with its diffbit.
    fn mark<C: Content>(&mut self, hasher: &Hasher, content: &C) {
        let orders = &mut self.orders;
        orders.clear();
        orders.extend(self.merging.windows(2).map(|pair| {
            hasher.difference(&pair[0], &pair[1], content).map_or(0, |difference| difference.order())
        }));
        for _ in 0..ORDERS {
            for i in 1..orders.len() {
                orders[i - 1] = next_order(orders[i - 1], orders[i]);
            }
            if let Some(last) = orders.last_mut() {
                *last &= 1;
            }
        }
        let priorities = orders.iter().map(|&order| order as u8).chain([UNMARKED]);
        self.marks.clear();
        self.marks.extend(priorities.zip(1..).map(|(priority, end)| Mark { priority, end }));
    }

    /// Merges all pairs marked `priority` that still fit, unless the right part's own mark is the same.
    fn merge_marked(&mut self, priority: u8, hasher: &Hasher) {
        let (items, marks) = (&mut self.merging, &mut self.marks);
        let Some(first) = marks.iter().position(|mark| mark.priority == priority) else {
            return;
        };
        let (mut from, mut to) = (first, first);
        while from < items.len() {
            let (item, mark) = (&items[from], marks[from]);
            from += 1;
            if mark.priority == priority
                && let (Some(right), Some(next)) = (items.get(from), marks.get(from))
                && next.priority != priority
                && item.fits(right, self.limit)
            {
                let left = if next.priority > priority { next.priority } else { UNMARKED };
                marks[to] = Mark { priority: left, end: next.end };
                items[to] = hasher.merge(item, right);
                from += 1;
            } else {
                marks[to] = mark;
                items[to] = *item;
            }
            to += 1;
        }
        items.truncate(to);
        marks.truncate(to);
    }

    /// Gives on the items that end within the first `until` of the chain and were not given on before; returns
    /// where the last of them ends.
    fn emit(&self, until: usize, sink: &mut dyn FnMut(&Item)) -> usize {
        let mut done = self.settled;
        for (item, mark) in self.merging.iter().zip(&self.marks).take_while(|(_, mark)| mark.end <= until) {
            if mark.end > self.settled {
                sink(item);
                done = mark.end;
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::Difference;
    use super::super::tests::Random;
    use super::*;

    struct Opaque;

    impl Content for Opaque {
        fn difference(&self, _: &Item, _: &Item) -> Option<Difference> {
            None
        }
    }

    #[test]
    fn a_long_chain_settled_piece_by_piece_settles_the_same() {
        let mut random = Random(5);
        let hasher = Hasher::new(|| random.next());
        let limit = 1024;
        let settle = |items: &[Item], longest| {
            let mut phase = Diffbit::new(limit, longest);
            let mut out = Vec::new();
            items.iter().for_each(|item| phase.push(item, &hasher, &Opaque, &mut |&item| out.push(item)));
            phase.finish(&hasher, &Opaque, &mut |&item| out.push(item));
            out
        };
        for seed in 0..20 {
            // As balancing leaves them: a quarter of the limit or more; few values make the marks collide.
            let mut random = Random(seed);
            let item = |i| hasher.symbol(i, limit / 4 + random.below(limit / 4), random.below(8));
            let items: Vec<Item> = (0..2000).map(item).collect();
            assert_eq!(settle(&items, 2 * REACH + 1), settle(&items, usize::MAX), "seed {seed}");
        }
    }
}
