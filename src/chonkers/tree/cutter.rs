//! Cuts a level's sequence of items into groups, strictly locally.
//!
//! A few rounds run one behind the other. A round with bound `cap` looks at the boundaries between neighbouring
//! groups that fit together (`weight + weight <= cap`) and differ. It colours them with 0 to 5 by deterministic coin
//! tossing (Cole and Vishkin) on the groups' hashes, neighbours always differently, and merges, in the order of the
//! colours, every pair of which neither part is already merged. So in each stretch of pairs that fit at least a third
//! of the boundaries goes, and a decision depends on at most [`LOOK_AHEAD`] groups to the right and 6 to the left.
//! A changed item therefore moves at most 17 boundaries a round, 136 in all; worst seen in 7,500 edits is 8 nodes.
//! Equal neighbours are never merged: a periodic stretch becomes equal groups, which the level above counts.

use std::collections::VecDeque;

/// Bounds of the rounds, as shares of the cutter's own: doubling, and often enough at each size to use it up.
const ROUNDS: [u32; 8] = [8, 4, 4, 2, 2, 1, 1, 1];

/// Groups that must be known to decide about the boundary behind the first of them: colours fall at most five times
/// in a row, and each is drawn from four groups to its right, of which the last one's fit needs one more.
const LOOK_AHEAD: usize = 11;

/// The Mersenne prime that hashes are computed modulo.
const PRIME: u64 = (1 << 61) - 1;

/// Coin tosses that bring 61 bits to at most 5: 121, 13, 7, 5.
const TOSSES: usize = 4;

/// Streaming cutter of one level.
#[derive(Debug)]
pub(super) struct GroupCutter {
    rounds: Vec<Round>,
    base: u64,
}

impl GroupCutter {
    /// A cutter whose groups weigh at most `cap`, single items excepted. `base` is the secret base of the hashes.
    pub(super) fn new(cap: u128, base: u64) -> Self {
        let rounds = ROUNDS.iter().map(|share| Round::new(cap / u128::from(*share))).collect();
        Self { rounds, base: base % PRIME }
    }

    /// Takes the next item. Appends to `sizes` the numbers of items of the groups that are now complete, in order.
    pub(super) fn push(&mut self, weight: u128, hash: u64, sizes: &mut Vec<usize>) {
        let group = Group { weight, hash: hash % PRIME, power: self.base, items: 1 };
        cascade(&mut self.rounds, group, sizes);
    }

    /// Ends the sequence: appends the sizes of all groups that are left.
    pub(super) fn finish(mut self, sizes: &mut Vec<usize>) {
        for first in 0..self.rounds.len() {
            let (round, below) = self.rounds[first..].split_first_mut().expect("first is an index");
            while let Some(group) = round.next(true) {
                cascade(below, group, sizes);
            }
        }
    }
}

/// Sends a group through the rounds that are left.
fn cascade(rounds: &mut [Round], group: Group, sizes: &mut Vec<usize>) {
    let Some((round, below)) = rounds.split_first_mut() else {
        sizes.push(group.items);
        return;
    };
    round.window.push_back(group);
    while let Some(group) = round.next(false) {
        cascade(below, group, sizes);
    }
}

/// Neighbouring items that stay together. The hash depends on the items alone, not on how they were merged.
#[derive(Debug, Clone, Copy)]
struct Group {
    weight: u128,
    hash: u64,
    /// The base to the power of `items`.
    power: u64,
    items: usize,
}

impl Group {
    fn merge(self, right: Self) -> Self {
        Self {
            weight: self.weight + right.weight,
            hash: add(multiply(self.hash, right.power), right.hash),
            power: multiply(self.power, right.power),
            items: self.items + right.items,
        }
    }
}

/// One round: groups go in at the back of the window, merged ones come out at its front.
#[derive(Debug)]
struct Round {
    cap: u128,
    window: VecDeque<Group>,
}

impl Round {
    fn new(cap: u128) -> Self {
        Self { cap, window: VecDeque::with_capacity(LOOK_AHEAD + 1) }
    }

    /// The next group that is decided; `ended`: nothing more comes.
    fn next(&mut self, ended: bool) -> Option<Group> {
        if self.window.len() < LOOK_AHEAD && !ended {
            return None;
        }
        let merges = self.fits(0) && self.is_chosen(0);
        let first = self.window.pop_front()?;
        if !merges {
            return Some(first);
        }
        // The boundary behind the second group goes with it: it touches a merged pair.
        self.window.pop_front().map(|second| first.merge(second))
    }

    /// Whether boundary `at`, between groups `at` and `at + 1`, could be taken away.
    fn fits(&self, at: usize) -> bool {
        match (self.window.get(at), self.window.get(at + 1)) {
            (Some(left), Some(right)) => left.weight + right.weight <= self.cap && left.hash != right.hash,
            _ => false,
        }
    }

    /// Whether boundary `at`, which fits and of which the left neighbour stays, is taken away: so it is unless a
    /// right neighbour of smaller colour is.
    fn is_chosen(&self, at: usize) -> bool {
        let next = at + 1;
        !(self.fits(next) && self.colour(next) < self.colour(at) && self.is_chosen(next))
    }

    /// Colour of boundary `at`, which fits: 0 to 5, never that of a neighbour that fits.
    fn colour(&self, at: usize) -> u64 {
        let mut values = [0; TOSSES + 1];
        let mut known = 1;
        values[0] = self.window[at].hash;
        while known <= TOSSES && self.fits(at + known) {
            values[known] = self.window[at + known].hash;
            known += 1;
        }
        // A stretch that goes on beyond the last value known loses one value with each toss.
        let open = known > TOSSES;
        for _ in 0..TOSSES {
            for i in 0..known {
                let place = if i + 1 < known { (values[i] ^ values[i + 1]).trailing_zeros() } else { 0 };
                values[i] = u64::from(2 * place) | (values[i] >> place & 1);
            }
            known -= usize::from(open);
        }
        values[0]
    }
}

fn add(a: u64, b: u64) -> u64 {
    (a + b) % PRIME
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    u64::try_from(product % u128::from(PRIME)).expect("below the modulus")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CAP: u128 = 1 << 20;

    fn sizes(items: &[(u128, u64)]) -> Vec<usize> {
        let mut cutter = GroupCutter::new(CAP, 0x1234_5678_9abc_def1);
        let mut sizes = Vec::new();
        for (weight, hash) in items {
            cutter.push(*weight, *hash, &mut sizes);
        }
        cutter.finish(&mut sizes);
        sizes
    }

    fn ends(sizes: &[usize]) -> Vec<usize> {
        sizes
            .iter()
            .scan(0, |at, size| {
                *at += size;
                Some(*at)
            })
            .collect()
    }

    /// Items of three kinds of weight, with many or few hashes; no two neighbours have the same.
    fn items(most: usize) -> impl Strategy<Value = Vec<(u128, u64)>> {
        let weight = prop_oneof![6 => CAP / 64..CAP / 16, 2 => CAP / 1024..CAP / 512, 1 => CAP / 4..CAP * 2];
        let hash = prop_oneof![Just(3u64), Just(40), Just(u64::MAX)];
        hash.prop_flat_map(move |names| prop::collection::vec((weight.clone(), 0..names), 0..most)).prop_map(
            |mut items| {
                items.dedup_by_key(|item| item.1);
                items
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn groups_hold_all_items_and_weigh_at_most_the_cap(items in items(2_000)) {
            let sizes = sizes(&items);
            prop_assert_eq!(sizes.iter().sum::<usize>(), items.len());
            let mut at = 0;
            for size in sizes {
                let weight: u128 = items[at..at + size].iter().map(|item| item.0).sum();
                prop_assert!(size == 1 || weight <= CAP);
                at += size;
            }
        }

        #[test]
        fn a_changed_item_moves_a_bounded_number_of_boundaries(
            items in items(3_000), at in any::<prop::sample::Index>(), weight in CAP / 1024..CAP, hash: u64,
        ) {
            prop_assume!(!items.is_empty());
            let mut changed = items.clone();
            changed[at.index(items.len())] = (weight, hash);
            let (before, after) = (ends(&sizes(&items)), ends(&sizes(&changed)));
            let moved = before.iter().filter(|end| after.binary_search(end).is_err()).count()
                .max(after.iter().filter(|end| before.binary_search(end).is_err()).count());
            prop_assert!(moved <= ROUNDS.len() * (LOOK_AHEAD + 6) + 1, "{moved}");
        }
    }

    #[test]
    fn small_items_are_grouped_until_a_group_is_nearly_full() {
        let mut hash = 1u64;
        let mut next = || {
            hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0x55;
            hash
        };
        for (share, least) in [(1024, 40), (64, 20), (16, 8), (4, 2)] {
            let items: Vec<_> = (0..20_000).map(|_| (CAP / share, next())).collect();
            let groups = sizes(&items).len();
            assert!(items.len() / groups >= least, "{share}: {groups}");
        }
    }

    #[test]
    fn neighbouring_boundaries_that_fit_never_have_one_colour() {
        let mut round = Round::new(u128::MAX);
        for hash in 0..2_000u64 {
            let hash = blake3::hash(&hash.to_le_bytes()).as_bytes()[0];
            round.window.push_back(Group { weight: 1, hash: u64::from(hash), power: 1, items: 1 });
        }
        for at in 0..1_990 {
            if round.fits(at) {
                assert!(round.colour(at) <= 5);
                assert!(!round.fits(at + 1) || round.colour(at) != round.colour(at + 1), "{at}");
            }
        }
    }

    #[test]
    fn a_periodic_stretch_becomes_equal_groups() {
        let items: Vec<_> = (0..9_999u64).map(|at| (CAP / 32, at % 3)).collect();
        let sizes = sizes(&items);
        let inner = &sizes[40..sizes.len() - 40];
        let period = inner.iter().position(|size| *size % 3 == 0);
        assert!(period == Some(0) && inner.iter().all(|size| *size == inner[0]), "{inner:?}");
    }
}
