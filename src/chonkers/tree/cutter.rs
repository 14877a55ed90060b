//! Cuts a level's sequence of items into groups, strictly locally.
//!
//! A few rounds run one behind the other. A round with bound `cap` looks at the boundaries between neighbouring
//! groups that fit together (`weight + weight <= cap`) and differ. It colours them with 0 to 5 by deterministic coin
//! tossing (Cole and Vishkin) on the groups' hashes, neighbours always differently, and merges, in the order of the
//! colours, every pair of which neither part is already merged. So in each stretch of pairs that fit at least a third
//! of the boundaries goes, and a decision depends on at most [`LOOK_AHEAD`] groups to the right and 6 to the left.
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
