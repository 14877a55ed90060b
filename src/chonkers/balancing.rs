//! The first phase: a chunk lighter than both neighbours merges with one of them, so that no light chunk is
//! left that fits with a neighbour.

use super::chain::{Chain, Marking, Node};
use super::item::{Content, Hasher, Item};

/// Which of two neighbours is the lighter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lighter {
    Left,
    Right,
    /// The contents are equal.
    Neither,
}

fn lighter<C: Content>(left: &Item, right: &Item, hasher: &Hasher, content: &C) -> Lighter {
    match left.weight().cmp(&right.weight()) {
        std::cmp::Ordering::Less => Lighter::Left,
        std::cmp::Ordering::Greater => Lighter::Right,
        std::cmp::Ordering::Equal => match hasher.difference(left, right, content) {
            Some(difference) if difference.left_is_one => Lighter::Right,
            Some(_) => Lighter::Left,
            None => Lighter::Neither,
        },
    }
}

/// The balancing phase of one layer.
pub(super) struct Balancing {
    chain: Chain,
    flags: Flags,
}

/// What balancing knows of a chain beside its items.
#[derive(Default)]
struct Flags {
    /// Whether each item is lighter than the one before it (or has none before it).
    below_left: Vec<bool>,
    /// Whether each item but the last is lighter than the one behind it.
    below_right: Vec<bool>,
}

impl Flags {
    fn is_minimum(&self, i: usize) -> bool {
        self.below_left[i] && self.below_right[i]
    }
}

impl Marking for Flags {
    const PRIORITIES: u8 = 2;

    fn marks_pair(&self) -> bool {
        self.is_minimum(0) || self.is_minimum(1)
    }

    fn mark(&mut self, nodes: &mut [Node]) {
        for i in 1..nodes.len() {
            if self.is_minimum(i - 1) {
                nodes[i - 1].mark = 0;
            } else if self.is_minimum(i) {
                nodes[i - 1].mark = 1;
            }
        }
    }
}

impl Balancing {
    pub(super) fn new(limit: u64, longest: usize) -> Self {
        Self { chain: Chain::new(limit, longest), flags: Flags::default() }
    }

    /// The items that have not been given on.
    pub(super) fn pending(&self) -> &[Item] {
        self.chain.pending()
    }

    /// Takes the next item and gives on what it settles.
    pub(super) fn push<C: Content>(
        &mut self,
        item: &Item,
        hasher: &Hasher,
        content: &C,
        sink: &mut dyn FnMut(&Item),
    ) {
        let relation = self.chain.last().map(|last| lighter(last, item, hasher, content));
        if let Some(relation) = relation {
            self.flags.below_right.push(relation == Lighter::Left);
            if !self.chain.is_joined_by(item) {
                self.settle(hasher, sink);
            }
        }
        self.chain.add(item);
        self.flags.below_left.push(relation.is_none_or(|relation| relation == Lighter::Right));
        self.shorten(hasher, sink);
    }

    /// Gives on everything: nothing follows.
    pub(super) fn finish(&mut self, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        self.flags.below_right.push(true);
        self.settle(hasher, sink);
    }

    fn settle(&mut self, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        self.chain.settle(hasher, &mut self.flags, sink);
        self.flags.below_left.clear();
        self.flags.below_right.clear();
    }

    fn shorten(&mut self, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        // The last item's right neighbour is not known yet; it is out of reach of what is given on.
        self.flags.below_right.push(false);
        let dropped = self.chain.shorten(hasher, &mut self.flags, sink);
        self.flags.below_right.pop();
        self.flags.below_left.drain(..dropped);
        self.flags.below_right.drain(..dropped);
    }
}
