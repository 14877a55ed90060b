//! Contents and items that somebody who knows the key makes to break the guarantees.

use super::super::item::Item;
use super::super::minima::{Minima, NARROW};
use super::super::proto::{longest, radius, rules};
use super::super::*;
use super::Random;

/// How many seeds each attack is tried with: the first number, or with `WARP_LONG=1` the second, such that a test takes
/// at most about a minute and a quarter of one core in a debug build.
pub(super) fn seeds(ordinary: u64, long: u64) -> std::ops::Range<u64> {
    0..if std::env::var_os("WARP_LONG").is_some() { long } else { ordinary }
}

impl Random {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// A number of `from..=to`.
    pub(super) fn within(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }
}

/// Attacks on the proto-chunks of a key and a unit.
pub(super) struct ContentAdversary {
    narrow: Minima,
    /// Eight bytes whose hash is the least of all.
    lowest: [u8; NARROW],
    /// 64 bytes that begin so, whose hash as one window is the least that was found.
    lowest_wide: Vec<u8>,
    /// Bytes every window of which has a hash that is not more than that of the window before.
    falling: Vec<u8>,
    /// The same, not less.
    rising: Vec<u8>,
    radius: usize,
    /// Stretches that each level leaves alone at most.
    longest: Vec<u64>,
}

pub(super) const CONTENT_ATTACKS: [&str; 8] =
    ["falling hashes", "rising hashes", "ties", "wide ties", "periods", "phases", "gaps", "nested runs"];

impl ContentAdversary {
    pub(super) fn new(key: &[u8; 32], unit: u64) -> Self {
        let keys = Keys::new(key);
        let finder = |level: usize| {
            Minima::new(rules(radius(unit)).nth(level).expect("a level"), keys.proto[level], Isa::Scalar)
        };
        let (narrow, wide) = (finder(0), finder(1));
        let mut random = Random(77);
        let mut lowest = [0; NARROW];
        while narrow.hash(&lowest) != i16::MIN {
            lowest = random.next().to_le_bytes();
        }
        let candidates = (0..20_000).map(|_| [&lowest[..], &random.bytes(64 - NARROW)].concat());
        let lowest_wide = candidates.min_by_key(|bytes| wide.hash(bytes)).expect("some");
        let longest = rules(radius(unit)).map(longest).collect();
        let (falling, rising) = (monotone(&narrow, true), monotone(&narrow, false));
        Self { narrow, lowest, lowest_wide, falling, rising, radius: radius(unit), longest }
    }

    /// The longest stretch without a cut of the first level, and how long it may be before the next level cuts it.
    pub(super) fn longest_stretch(&self, content: &[u8]) -> (u64, u64) {
        let cuts = self.narrow.all(content);
        let longest = cuts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(content.len());
        (longest as u64, self.longest[0])
    }

    /// About `len` bytes of an attack.
    pub(super) fn content(&self, attack: &str, len: usize, seed: u64) -> Vec<u8> {
        let random = &mut Random(seed.wrapping_mul(0x1_0001) ^ 0xad5e);
        let mut content = random.bytes(self.radius * 3);
        while content.len() < len {
            let part = match attack {
                "falling hashes" => Self::monotone(&self.falling, random),
                "rising hashes" => Self::monotone(&self.rising, random),
                "ties" => self.ties(&self.lowest, random),
                "wide ties" => self.ties(&self.lowest_wide, random),
                "periods" => self.periods(1, random),
                "phases" => self.periods(9, random),
                "gaps" => self.gaps(random),
                "nested runs" => self.nested_runs(random),
                _ => unreachable!("no such attack"),
            };
            content.extend(part);
        }
        content
    }

    /// Windows whose hashes fall (or rise) for hundreds of bytes, a part of them.
    fn monotone(bytes: &[u8], random: &mut Random) -> Vec<u8> {
        let start = random.below(bytes.len() as u64 / 2) as usize;
        let end = if random.below(2) == 0 { bytes.len() } else { bytes.len() - random.below(300) as usize };
        bytes[start..end].to_vec()
    }

    /// The least hash comes again within every radius: only its first place is a minimum.
    fn ties(&self, low: &[u8], random: &mut Random) -> Vec<u8> {
        let mut bytes = Vec::new();
        let spare = (self.radius - low.len()) as u64;
        let (most, filler) = (random.within(0, spare), random.below(3));
        for _ in 0..random.within(2, 60) {
            bytes.extend_from_slice(low);
            let len = random.within(most / 2, most) as usize;
            bytes.extend(if filler == 0 { vec![0; len] } else { random.bytes(len) });
        }
        bytes
    }

    /// Periods just above and below each radius and each longest stretch, with other `phases` in between.
    fn periods(&self, phases: u64, random: &mut Random) -> Vec<u8> {
        let near = if random.below(2) == 0 {
            self.radius >> random.below(9)
        } else {
            random.pick(&self.longest) as usize
        };
        let period = (near as u64 + random.below(3)).max(2) as usize - 1;
        let mut block = random.bytes(period);
        if random.below(3) == 0 && period > NARROW {
            block[..NARROW].copy_from_slice(&self.lowest);
        }
        let mut bytes = Vec::new();
        for _ in 0..phases {
            let skipped = random.below(period as u64) as usize;
            let len = random.within(period as u64, 12_000.max(3 * period as u64) / phases.min(4)) as usize;
            bytes.extend(block.iter().copied().cycle().skip(skipped).take(len));
        }
        bytes
    }

    /// Minima at just the longest distances that the levels leave alone, one less and one more, and dense ones between.
    fn gaps(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (filler, is_alternating) = (random.below(4), random.below(2) == 0);
        for turn in 0..random.within(2, 12) {
            let near = if is_alternating && turn % 2 == 1 {
                random.within(NARROW as u64 + 1, 2 * self.radius as u64)
            } else {
                random.pick(&self.longest)
            };
            let gap = (near + random.below(3)).max(NARROW as u64 + 1) as usize - 1;
            bytes.extend_from_slice(&self.lowest);
            let stretch = gap - NARROW.min(gap);
            bytes.extend((0..stretch).map(|i| match filler {
                0 => 0,
                1 => (i % 2) as u8,
                2 => (i / 9) as u8,
                _ => b"abcdefghijk"[i % 11],
            }));
        }
        bytes
    }

    /// Periods that hold runs of one byte near the lengths at which levels change.
    fn nested_runs(&self, random: &mut Random) -> Vec<u8> {
        let mut block = Vec::new();
        for _ in 0..random.within(1, 3) {
            let run = (random.pick(&self.longest) + random.below(3)).saturating_sub(1) as usize;
            block.extend(std::iter::repeat_n(random.below(2) as u8, run));
            let between = random.below(20) as usize;
            block.extend(random.bytes(between));
        }
        let copies = random.within(1, 5) as usize;
        let cut = random.below(block.len() as u64) as usize;
        let mut bytes = block.repeat(copies);
        bytes.truncate(bytes.len() - cut);
        bytes
    }
}

/// Windows that are followed up at a time in the search for hashes that fall or rise slowly.
const BEAM: usize = 16;

/// Bytes every window of which has a hash that is not more (or not less) than that of the window before, by as little as a
/// search finds.
fn monotone(narrow: &Minima, is_falling: bool) -> Vec<u8> {
    let order = |window: &[u8; NARROW]| match i32::from(narrow.hash(window)) {
        hash if is_falling => -hash,
        hash => hash,
    };
    let mut random = Random(78);
    let start = (0..4000).map(|_| random.next().to_le_bytes()).min_by_key(order).expect("some");
    let mut beam = vec![(order(&start), start)];
    let mut steps: Vec<Vec<(usize, u8)>> = Vec::new();
    while steps.len() < 5000 {
        let mut next = Vec::new();
        for (from, (last, window)) in beam.iter().enumerate() {
            let mut window = *window;
            window.rotate_left(1);
            for byte in 0..=255 {
                window[NARROW - 1] = byte;
                let order = order(&window);
                next.extend((order >= *last).then_some((order, from, byte)));
            }
        }
        if next.len() > BEAM {
            next.select_nth_unstable(BEAM);
            next.truncate(BEAM);
        }
        if next.is_empty() {
            break;
        }
        let follow = |&(order, from, byte): &(i32, usize, u8)| {
            let mut window = beam[from].1;
            window.rotate_left(1);
            window[NARROW - 1] = byte;
            (order, window)
        };
        beam = next.iter().map(follow).collect();
        steps.push(next.into_iter().map(|(_, from, byte)| (from, byte)).collect());
    }
    let mut at = 0;
    let mut bytes: Vec<u8> = Vec::new();
    for step in steps.iter().rev() {
        let (from, byte) = step[at];
        bytes.push(byte);
        at = from;
    }
    bytes.extend(start.iter().rev());
    bytes.reverse();
    bytes
}

pub(super) const ITEM_ATTACKS: [&str; 9] = [
    "falling weights",
    "rising weights",
    "kittens between",
    "scales",
    "left is lighter",
    "right is lighter",
    "falling bits",
    "ruler bits",
    "greatest orders",
];

/// A sequence of symbols, none heavier than half of `unit`, that attacks the layers up to that unit.
pub(super) fn items(attack: &str, unit: u64, keys: &Keys, seed: u64) -> Vec<Vec<u8>> {
    let random = &mut Random(seed.wrapping_mul(0x2_0003) ^ 0x17e5);
    let mut symbols: Vec<Vec<u8>> = Vec::new();
    for _ in 0..random.within(1, 4) {
        let part = match attack {
            "falling weights" => falling(unit, random),
            "rising weights" => falling(unit, random).into_iter().rev().collect(),
            "kittens between" => kittens(unit, random),
            "scales" => scales(unit, random),
            "left is lighter" => one_direction(unit, keys, true, random),
            "right is lighter" => one_direction(unit, keys, false, random),
            "falling bits" => toggled(unit, random, |i, bits| bits - 1 - i % bits),
            "ruler bits" => toggled(unit, random, |i, bits| u64::from((i + 1).trailing_zeros()) % bits),
            "greatest orders" => greatest_orders(unit, keys, random),
            _ => unreachable!("no such attack"),
        };
        symbols.extend(part);
    }
    symbols
}

/// Weights that fall by one, or by a few, from a part of the unit on: no local minimum but the last.
fn falling(unit: u64, random: &mut Random) -> Vec<Vec<u8>> {
    let (most, step) = (random.within(2, unit / 2), random.within(1, 3));
    let weights = (1..=most).rev().step_by(step as usize).take(300);
    weights.map(|weight| random.bytes(weight as usize)).collect()
}

/// Light items in a falling row between heavy ones, so that every merge makes the next minimum.
fn kittens(unit: u64, random: &mut Random) -> Vec<Vec<u8>> {
    let mut weight = (unit / 4).max(2);
    let heavy = random.within(unit / 4, unit / 2).max(1);
    let mut symbols = Vec::new();
    for _ in 0..random.within(4, 80) {
        weight = if weight == 1 { (unit / 4).max(2) } else { weight - 1 };
        symbols.push(random.bytes(heavy as usize));
        symbols.push(random.bytes(weight as usize));
    }
    symbols
}

/// Weights that halve, just above and below each layer's quarter, half and whole.
fn scales(unit: u64, random: &mut Random) -> Vec<Vec<u8>> {
    let mut symbols = Vec::new();
    for _ in 0..random.within(2, 20) {
        let mut scale = unit / 2;
        while scale > 0 {
            let weight = (scale + random.below(3)).saturating_sub(1).clamp(1, unit / 2);
            symbols.push(random.bytes(weight as usize));
            scale /= 2;
        }
    }
    symbols
}

/// Items of one weight, each lighter than the next (or the other way round) by the bits of their values.
fn one_direction(unit: u64, keys: &Keys, left: bool, random: &mut Random) -> Vec<Vec<u8>> {
    let weight = random.within(1.max(unit / 16), unit / 2) as usize;
    let mut symbols = vec![random.bytes(weight)];
    for _ in 0..random.within(20, 150) {
        let last = keys.hasher.leaf(0, symbols.last().expect("one at least"));
        let is_wanted = |bytes: &Vec<u8>| {
            let next = keys.hasher.leaf(0, bytes);
            let bit = (last.value ^ next.value).trailing_zeros();
            bit < 64 && (last.value >> bit & 1 == 0) == left
        };
        let mut next = random.bytes(weight);
        for _ in 0..64 {
            if is_wanted(&next) {
                break;
            }
            next = random.bytes(weight);
        }
        symbols.push(next);
    }
    symbols
}

/// Items of one weight each of which is the one before with one bit turned over: the difference is just that bit where
/// values collide.
fn toggled(unit: u64, random: &mut Random, bit: impl Fn(u64, u64) -> u64) -> Vec<Vec<u8>> {
    let weight = random.within((unit / 4).max(1), unit / 2) as usize;
    let bits = random.within(2.min(8 * weight as u64), 8 * weight as u64);
    let mut bytes = random.bytes(weight);
    let mut symbols = vec![bytes.clone()];
    for i in 0..random.within(20, 200) {
        let bit = bit(i, bits) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        symbols.push(bytes.clone());
    }
    symbols
}

/// Items of one weight whose neighbouring orders, in turn, are as small and as great as a search finds.
fn greatest_orders(unit: u64, keys: &Keys, random: &mut Random) -> Vec<Vec<u8>> {
    let weight = random.within((unit / 4).max(1), unit / 2) as usize;
    let mut symbols = vec![random.bytes(weight)];
    for turn in 0..random.within(20, 100) {
        let last: Item = keys.hasher.leaf(0, symbols.last().expect("one at least"));
        let order = |bytes: &Vec<u8>| {
            let next = keys.hasher.leaf(0, bytes);
            (last.value ^ next.value).trailing_zeros() % 64
        };
        let candidates: Vec<Vec<u8>> = (0..64).map(|_| random.bytes(weight)).collect();
        let next = if turn % 2 == 0 {
            candidates.into_iter().max_by_key(order)
        } else {
            candidates.into_iter().min_by_key(order)
        };
        symbols.push(next.expect("64 candidates"));
    }
    symbols
}
