//! Chains: maximal runs of items of which every two neighbours fit into one chunk. Nothing merges across the
//! end of a chain, so a chain settles on its own.

use super::item::{Hasher, Item};

/// A pair that is not marked.
pub(super) const UNMARKED: u8 = u8::MAX;
/// A decision depends on items at most this far away. In a chain, once balanced, every item weighs a quarter
/// of the limit or more, so a chunk is made of at most four; each of six priorities looks one chunk left and
/// one right (24 items), and a diffbit looks five pairs right.
pub(super) const REACH: usize = 32;
/// Longest chain that is settled at once: longer ones settle piece by piece, with [`REACH`] items to spare on
/// both sides.
pub(super) const CHAIN_LEN_MAX: usize = 256;

/// An item of a chain on its way, the mark of the pair that it begins, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) item: Item,
    /// Priority with which the item merges with the next one, 0 first, or [`UNMARKED`].
    pub(super) mark: u8,
    /// Number of the chain's items up to the end of this one.
    pub(super) end: usize,
}

/// Puts marks on the pairs of a chain.
pub(super) trait Marking {
    /// Number of priorities.
    const PRIORITIES: u8;
    /// Whether the two items of a chain of two merge.
    fn marks_pair(&self) -> bool;
    /// Sets the mark of every node but the last; all are unmarked before.
    fn mark(&mut self, nodes: &mut [Node]);
}

/// Collects items, cuts them into chains and settles each by one phase's marks.
pub(super) struct Chain {
    limit: u64,
    longest: usize,
    items: Vec<Item>,
    /// Items at the front that are there only to be looked at: they are settled already.
    settled: usize,
    nodes: Vec<Node>,
}

impl Chain {
    pub(super) fn new(limit: u64, longest: usize) -> Self {
        Self { limit, longest, items: Vec::new(), settled: 0, nodes: Vec::new() }
    }

    /// The items that have not been given on.
    pub(super) fn pending(&self) -> &[Item] {
        &self.items[self.settled..]
    }

    pub(super) fn last(&self) -> Option<&Item> {
        self.items.last()
    }

    /// Whether `item` would continue the chain.
    pub(super) fn is_joined_by(&self, item: &Item) -> bool {
        self.items.last().is_some_and(|last| last.fits(item, self.limit))
    }

    /// Adds an item that continues the chain or begins one.
    pub(super) fn add(&mut self, item: &Item) {
        self.items.push(*item);
    }

    /// Settles the whole chain and empties it.
    pub(super) fn settle<M: Marking>(
        &mut self,
        hasher: &Hasher,
        marking: &mut M,
        sink: &mut dyn FnMut(&Item),
    ) {
        match &self.items[..] {
            [] => {}
            [only] => sink(only),
            [left, right] if marking.marks_pair() => sink(&hasher.merge(left, right)),
            [left, right] => {
                sink(left);
                sink(right);
            }
            _ => {
                self.arrange(hasher, marking);
                self.emit(self.items.len(), sink);
            }
        }
        self.items.clear();
        self.settled = 0;
    }

    /// Settles what later items cannot change, if the chain has grown too long to wait for its end.
    pub(super) fn shorten<M: Marking>(
        &mut self,
        hasher: &Hasher,
        marking: &mut M,
        sink: &mut dyn FnMut(&Item),
    ) -> usize {
        if self.items.len() < self.longest {
            return 0;
        }
        self.arrange(hasher, marking);
        let done = self.emit(self.items.len() - REACH, sink);
        let dropped = done.saturating_sub(REACH);
        self.items.drain(..dropped);
        self.settled = done - dropped;
        dropped
    }

    /// Merges the chain's items by their marks, one priority after the other.
    fn arrange<M: Marking>(&mut self, hasher: &Hasher, marking: &mut M) {
        self.nodes.clear();
        let nodes = self.items.iter().enumerate().map(|(i, &item)| Node { item, mark: UNMARKED, end: i + 1 });
        self.nodes.extend(nodes);
        marking.mark(&mut self.nodes);
        for priority in 0..M::PRIORITIES {
            merge_marked(&mut self.nodes, priority, self.limit, hasher);
        }
    }

    /// Gives on the nodes that end within the first `until` items and were not given on before; returns where
    /// the last of them ends.
    fn emit(&self, until: usize, sink: &mut dyn FnMut(&Item)) -> usize {
        let mut done = self.settled;
        for node in self.nodes.iter().take_while(|node| node.end <= until) {
            if node.end > self.settled {
                sink(&node.item);
                done = node.end;
            }
        }
        done
    }
}

/// Merges all pairs marked `priority` that still fit, unless the right part's own mark is the same.
fn merge_marked(nodes: &mut Vec<Node>, priority: u8, limit: u64, hasher: &Hasher) {
    if nodes.iter().all(|node| node.mark != priority) {
        return;
    }
    let (mut from, mut to) = (0, 0);
    while from < nodes.len() {
        let mut node = nodes[from];
        from += 1;
        if node.mark == priority
            && let Some(right) = nodes.get(from)
            && right.mark != priority
            && node.item.fits(&right.item, limit)
        {
            let mark = if right.mark > priority { right.mark } else { UNMARKED };
            node = Node { item: hasher.merge(&node.item, &right.item), mark, end: right.end };
            from += 1;
        }
        nodes[to] = node;
        to += 1;
    }
    nodes.truncate(to);
}
