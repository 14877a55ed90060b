//! The first phase: a chunk lighter than both neighbours merges with one of them, so that no light chunk is
//! left that fits with a neighbour.

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
///
/// An item that is lighter than both neighbours, a local minimum, merges with the item behind it if the two fit
/// (priority 0). Then, if it fitted with the item before it, what has become of it merges with what has become of
/// that item (priority 1), if the two still fit; unless the next pair is marked so too. Whatever is decided
/// depends on the next four items at most.
pub(super) struct Balancing {
    limit: u64,
    /// What priority 1 has settled but for the next two chunks.
    before: Option<Item>,
    current: Option<Marked>,
    /// A local minimum that waits for the item behind it.
    minimum: Option<Marked>,
    last: Option<Last>,
}

/// What priority 0 has made, and whether the pair that it ends is marked with priority 1.
struct Marked {
    item: Item,
    is_marked: bool,
}

/// The last item, whose right neighbour is not known yet.
struct Last {
    item: Item,
    /// Whether it is lighter than the item before it, or has none.
    is_lighter: bool,
    /// Whether it fits with the item before it.
    fits: bool,
}

impl Balancing {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, before: None, current: None, minimum: None, last: None }
    }

    /// Visits the items that have not been given on, in order.
    pub(super) fn pending(&self, visit: &mut dyn FnMut(&Item)) {
        self.before.iter().for_each(&mut *visit);
        self.current.iter().chain(&self.minimum).for_each(|marked| visit(&marked.item));
        self.last.iter().for_each(|last| visit(&last.item));
    }

    /// Takes the next item and gives on what it settles.
    pub(super) fn push<C: Content>(
        &mut self,
        item: &Item,
        hasher: &Hasher,
        content: &C,
        sink: &mut dyn FnMut(&Item),
    ) {
        let (mut is_lighter, mut fits) = (true, false);
        if let Some(last) = &self.last {
            let lighter = lighter(&last.item, item, hasher, content);
            is_lighter = lighter == Lighter::Right;
            fits = last.item.fits(item, self.limit);
            self.merge_right(lighter == Lighter::Left, fits, hasher, sink);
        }
        self.last = Some(Last { item: *item, is_lighter, fits });
    }

    /// Gives on everything: nothing follows.
    pub(super) fn finish(&mut self, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        self.merge_right(true, false, hasher, sink);
        self.merge_left(None, hasher, sink);
        self.before.take().iter().for_each(sink);
    }

    /// Priority 0, for the last item: its relation to the next one is known now.
    fn merge_right(&mut self, is_lighter: bool, fits: bool, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        let Some(last) = self.last.take() else {
            return;
        };
        if let Some(minimum) = self.minimum.take() {
            let item = hasher.merge(&minimum.item, &last.item);
            return self.merge_left(Some(Marked { item, ..minimum }), hasher, sink);
        }
        let is_minimum = last.is_lighter && is_lighter;
        let marked = Marked { item: last.item, is_marked: is_minimum && last.fits };
        if is_minimum && fits {
            self.minimum = Some(marked);
        } else {
            self.merge_left(Some(marked), hasher, sink);
        }
    }

    /// Priority 1, for the pair before `next`.
    fn merge_left(&mut self, next: Option<Marked>, hasher: &Hasher, sink: &mut dyn FnMut(&Item)) {
        let is_blocked = next.as_ref().is_some_and(|next| next.is_marked);
        let Some(current) = std::mem::replace(&mut self.current, next) else {
            return;
        };
        if let Some(before) = self.before.take() {
            if current.is_marked && !is_blocked && before.fits(&current.item, self.limit) {
                return sink(&hasher.merge(&before, &current.item));
            }
            sink(&before);
        }
        self.before = Some(current.item);
    }
}
