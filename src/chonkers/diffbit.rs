//! The third phase: neighbours that fit, now different from each other, merge in an order that only the
//! contents nearby decide (deterministic coin tossing, Cole and Vishkin 1986).

use super::chain::{Chain, Marking, Node};
use super::item::{Content, Hasher, Item};

/// Orders behind order 0 that bring every diffbit into 0..=5: order 0 is below 2^26 (twice the bits of a value,
/// a weight, a symbol count and 2^20 bytes), the next ones are at most 51, 11, 7 and 5.
const ORDERS: usize = 4;

/// The diffbit phase of one layer.
pub(super) struct Diffbit {
    chain: Chain,
    orders: Vec<u64>,
}

/// One order up: where two values differ, and what the first has there.
fn next_order(value: u64, next: u64) -> u64 {
    let bit = (value ^ next).trailing_zeros() & 63;
    2 * u64::from(bit) + ((value >> bit) & 1)
}

struct Tossing<'a, C> {
    orders: &'a mut Vec<u64>,
    hasher: &'a Hasher,
    content: &'a C,
}

impl<C: Content> Marking for Tossing<'_, C> {
    const PRIORITIES: u8 = 6;

    fn marks_pair(&self) -> bool {
        true
    }

    fn mark(&mut self, nodes: &mut [Node]) {
        self.orders.clear();
        for pair in nodes.windows(2) {
            let difference = self.hasher.difference(&pair[0].item, &pair[1].item, self.content);
            self.orders.push(difference.map_or(0, |difference| difference.order()));
        }
        for _ in 0..ORDERS {
            for i in 1..self.orders.len() {
                self.orders[i - 1] = next_order(self.orders[i - 1], self.orders[i]);
            }
            if let Some(last) = self.orders.last_mut() {
                *last &= 1;
            }
        }
        for (node, &order) in nodes.iter_mut().zip(&*self.orders) {
            node.mark = order as u8;
        }
    }
}

impl Diffbit {
    pub(super) fn new(limit: u64, longest: usize) -> Self {
        Self { chain: Chain::new(limit, longest), orders: Vec::new() }
    }

    /// The items that have not been given on.
    pub(super) fn pending(&self) -> &[Item] {
        self.chain.pending()
    }

    /// Takes the next item, which differs from the one before, and gives on what it settles.
    pub(super) fn push<C: Content>(
        &mut self,
        item: &Item,
        hasher: &Hasher,
        content: &C,
        sink: &mut dyn FnMut(&Item),
    ) {
        let mut tossing = Tossing { orders: &mut self.orders, hasher, content };
        if !self.chain.is_joined_by(item) {
            self.chain.settle(hasher, &mut tossing, sink);
        }
        self.chain.add(item);
        self.chain.shorten(hasher, &mut tossing, sink);
    }

    /// Gives on everything: nothing follows.
    pub(super) fn finish<C: Content>(&mut self, hasher: &Hasher, content: &C, sink: &mut dyn FnMut(&Item)) {
        let mut tossing = Tossing { orders: &mut self.orders, hasher, content };
        self.chain.settle(hasher, &mut tossing, sink);
    }
}

#[cfg(test)]
mod tests {
    use super::super::chain::REACH;
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
