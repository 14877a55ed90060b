//! Local minima of a keyed hash of windows: where proto-chunks begin.

use crate::isa::Isa;

/// Bytes that a narrow window covers.
pub(super) const NARROW: usize = 8;
/// How often the widest window is a narrow one, doubled.
const DOUBLINGS: usize = 9;
/// Windows hashed at a time, besides those around them: the hashes stay in the second-level cache.
const BATCH: usize = 64 << 10;
/// Least windows at a time that are looked at for a run of one byte.
const PIECE: usize = 64;
/// From this radius on, minima are looked for block by block.
const BLOCKWISE: usize = 16;
/// Block length of the level that all content passes through, by default.
const LARGE_BLOCK: usize = 2048;
/// More than the hashes of half a block.
const PLACES_MAX: i16 = i16::MAX;

/// Secret multipliers of a window's hash: of its pairs of bytes, of the last step, of each doubling.
pub(super) type WindowKey = [u16; 5 + DOUBLINGS];

/// Which positions are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Windows on both sides that a minimum is compared with: a power of two.
    pub(super) radius: usize,
    /// Bytes of a window: a power of two, 8 to 4096. Wide ones differ where narrow ones recur all the time.
    pub(super) window: usize,
}

impl Rule {
    /// Bytes from a position on that its decision reads.
    pub(super) const fn reach_right(self) -> usize {
        self.radius + self.window
    }
}

/// Finds the positions whose window's hash is less than that of each of `radius` windows before, and not more
/// than that of each of `radius` windows behind.
pub(super) struct Minima {
    rule: Rule,
    key: WindowKey,
    isa: Isa,
    scratch: Scratch,
}

/// What a batch is worked on with.
#[derive(Default)]
struct Scratch {
    hashes: Hashes,
    /// Hashes of windows twice as wide, while they are made.
    doubled: Hashes,
    /// The hashes in order, for small radii.
    in_order: Vec<i16>,
    /// The least hash of every block.
    least: Vec<i16>,
    /// Whether a block (or a position) may be a minimum, as far as those around it tell.
    promising: Vec<bool>,
}

/// The hashes of a batch's windows, those at even positions apart from those at odd ones: each then is computed from
/// 16-bit numbers that lie side by side in memory.
#[derive(Default)]
struct Hashes {
    even: Vec<i16>,
    odd: Vec<i16>,
    /// Both together.
    count: usize,
}

impl Minima {
    /// A finder with its own keyed hash, which works with this instruction set.
    pub(super) fn new(rule: Rule, key: WindowKey, isa: Isa) -> Self {
        Self { rule, key: key.map(|multiplier| multiplier | 1), isa, scratch: Scratch::default() }
    }

    /// Bytes before a position that its decision reads.
    pub(super) fn reach_left(&self) -> usize {
        self.rule.radius
    }

    /// Bytes from a position on that its decision reads.
    pub(super) fn reach_right(&self) -> usize {
        self.rule.reach_right()
    }

    /// Appends to `found` every minimum in `from..to`, ascending. `bytes` reaches [`Self::reach_left`] before
    /// `from` and [`Self::reach_right`] behind the last position before `to`.
    pub(super) fn find(&mut self, bytes: &[u8], from: usize, to: usize, found: &mut Vec<usize>) {
        let in_sight =
            |from: usize, to: usize| &bytes[from - self.rule.radius..to - 1 + self.rule.reach_right()];
        let piece = self.rule.radius.max(PIECE);
        let mut at = from;
        while at < to {
            // Where all is one byte nothing is less than what stands before it.
            let run = constant_len(in_sight(at, to));
            if run >= self.rule.radius + self.rule.reach_right() {
                at += run - self.rule.radius - self.rule.reach_right() + 1;
                continue;
            }
            let mut end = to.min(at + piece);
            while end < to && end - at < BATCH {
                let next = to.min(end + piece);
                if is_constant(in_sight(end, next)) {
                    break;
                }
                end = next;
            }
            find_in_batch(self.rule, &self.key, self.isa, &mut self.scratch, (in_sight(at, end), at), found);
            at = end;
        }
    }
}

/// Appends the minima among the windows of `bytes` that have a radius of others on both sides; the first of them stands at
/// place `at`.
fn find_in_batch(
    rule: Rule,
    key: &WindowKey,
    isa: Isa,
    scratch: &mut Scratch,
    (bytes, at): (&[u8], usize),
    found: &mut Vec<usize>,
) {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => {
            #[expect(unsafe_code, reason = "the processor was asked for the instructions")]
            // SAFETY: the instruction set of a finder is available: `Chonkers` takes no other.
            unsafe {
                x86::find_avx512(rule, key, scratch, (bytes, at), found);
            }
        }
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => {
            #[expect(unsafe_code, reason = "the processor was asked for the instructions")]
            // SAFETY: as above.
            unsafe {
                x86::find_avx2(rule, key, scratch, (bytes, at), found);
            }
        }
        _ => find_inlined(rule, key, scratch, (bytes, at), found),
    }
}

/// What is compiled for every instruction set. Loops are written out, since a closure would be compiled without the
/// instructions.
#[inline(always)]
fn find_inlined(
    rule: Rule,
    key: &WindowKey,
    scratch: &mut Scratch,
    (bytes, at): (&[u8], usize),
    found: &mut Vec<usize>,
) {
    let [a, b, c, d, last, doublings @ ..] = *key;
    scratch.hashes.hash(bytes, [a, b, c, d], last);
    let mut width = NARROW;
    for key in doublings {
        if width == rule.window {
            break;
        }
        scratch.doubled.double(&scratch.hashes, key, width, last);
        std::mem::swap(&mut scratch.hashes, &mut scratch.doubled);
        width *= 2;
    }
    if rule.radius < BLOCKWISE {
        scratch.scan_in_order(rule.radius, at, found);
    } else {
        scratch.scan_blocks(rule.radius, at, found);
    }
}

impl Hashes {
    /// Makes room for `count` hashes.
    #[inline(always)]
    fn resize(&mut self, count: usize) {
        self.even.resize(count.div_ceil(2), 0);
        self.odd.resize(count / 2, 0);
        self.count = count;
    }

    /// Hashes every narrow window of `bytes`.
    #[inline(always)]
    fn hash(&mut self, bytes: &[u8], key: [u16; 4], last: u16) {
        self.resize(bytes.len() - (NARROW - 1));
        hash_every_other(bytes, key, last, &mut self.even);
        hash_every_other(&bytes[1..], key, last, &mut self.odd);
    }

    /// Hashes every window of twice this width, by the hashes of the windows of this width.
    #[inline(always)]
    fn double(&mut self, hashes: &Self, key: u16, width: usize, last: u16) {
        self.resize(hashes.count - width);
        join_every(&hashes.even, key, width / 2, last, &mut self.even);
        join_every(&hashes.odd, key, width / 2, last, &mut self.odd);
    }

    /// The least of the hashes in `from..to`.
    #[inline(always)]
    fn least(&self, from: usize, to: usize) -> i16 {
        let even = least(&self.even[from.div_ceil(2)..to.div_ceil(2)]);
        even.min(least(&self.odd[from / 2..to / 2]))
    }

    /// The first place in `from..to`, of which `from` is even, where this hash stands.
    #[inline(always)]
    fn first(&self, from: usize, to: usize, wanted: i16) -> usize {
        let even = first(&self.even[from / 2..to.div_ceil(2)], wanted);
        let odd = first(&self.odd[from / 2..to / 2], wanted);
        from + (2 * even).min(2 * odd + 1)
    }
}

/// Hashes the windows that begin at even indices of `bytes`.
#[inline(always)]
fn hash_every_other(bytes: &[u8], [a, b, c, d]: [u16; 4], last: u16, hashes: &mut [i16]) {
    let (pairs, _) = bytes.as_chunks::<2>();
    let count = hashes.len();
    let (first, second) = (&pairs[..count], &pairs[1..][..count]);
    let (third, fourth) = (&pairs[2..][..count], &pairs[3..][..count]);
    for i in 0..count {
        let pair = |pairs: &[[u8; 2]]| u16::from_le_bytes(pairs[i]);
        let low = pair(first).wrapping_mul(a).wrapping_add(pair(second).wrapping_mul(b));
        let high = pair(third).wrapping_mul(c).wrapping_add(pair(fourth).wrapping_mul(d));
        hashes[i] = mix(low.wrapping_add(high), last);
    }
}

/// Joins every hash with the one `distance` places behind.
#[inline(always)]
fn join_every(hashes: &[i16], key: u16, distance: usize, last: u16, joined: &mut [i16]) {
    let count = joined.len();
    let (left, right) = (&hashes[..count], &hashes[distance..][..count]);
    for i in 0..count {
        joined[i] = mix((left[i] as u16).wrapping_mul(key).wrapping_add(right[i] as u16), last);
    }
}

impl Scratch {
    /// Appends the minima among the hashes that have `radius` others on both sides, one by one.
    #[inline(always)]
    fn scan_in_order(&mut self, radius: usize, at: usize, found: &mut Vec<usize>) {
        let Hashes { even, odd, count } = &self.hashes;
        self.in_order.resize(*count, 0);
        for (i, hash) in self.in_order.iter_mut().enumerate() {
            *hash = if i % 2 == 0 { even[i / 2] } else { odd[i / 2] };
        }
        find_promising(&self.in_order, radius, &mut self.promising);
        let mut i = 0;
        while let Some(next) = next_true(&self.promising, i) {
            found.push(at + next);
            i = next + 1;
        }
    }

    /// The same for a radius of [`BLOCKWISE`] or more.
    ///
    /// Of a block half as long as the radius only the leftmost least hash can be a minimum, and only if the blocks
    /// beside it, which are wholly within the radius, hold no lesser one.
    #[inline(always)]
    fn scan_blocks(&mut self, radius: usize, at: usize, found: &mut Vec<usize>) {
        let (block, count) = (radius / 2, self.hashes.count);
        let end = count - radius;
        self.least.clear();
        let mut start = 0;
        if block == LARGE_BLOCK {
            let (even, _) = self.hashes.even.as_chunks::<{ LARGE_BLOCK / 2 }>();
            let (odd, _) = self.hashes.odd.as_chunks::<{ LARGE_BLOCK / 2 }>();
            for (even, odd) in even.iter().zip(odd) {
                self.least.push(least_of_both(even, odd));
                start += LARGE_BLOCK;
            }
        }
        while start < count {
            let end = count.min(start + block);
            self.least.push(self.hashes.least(start, end));
            start = end;
        }
        find_promising(&self.least[1..], 1, &mut self.promising);
        self.promising.truncate(end.div_ceil(block) - 2);
        let mut block_number = 0;
        while let Some(next) = next_true(&self.promising, block_number) {
            self.check_block(next + 2, radius, at, found);
            block_number = next + 1;
        }
    }

    /// Appends the leftmost least hash of a block if it has enough others around it and is a minimum. The blocks beside
    /// it hold no lesser one.
    #[inline(always)]
    fn check_block(&self, number: usize, radius: usize, at: usize, found: &mut Vec<usize>) {
        let (block, count) = (radius / 2, self.hashes.count);
        let (start, lowest) = (number * block, self.least[number]);
        let i = self.hashes.first(start, count.min(start + block), lowest);
        if i + radius >= count {
            return;
        }
        // Of the next blocks but one, a part is within the radius; mostly all of it is greater.
        let is_least_of_left =
            self.least[number - 2] > lowest || self.hashes.least(i - radius, start - block) > lowest;
        let is_least_of_right = self.least.get(number + 2).is_none_or(|&least| least >= lowest)
            || self.hashes.least(start + 2 * block, i + radius + 1) >= lowest;
        if is_least_of_left && is_least_of_right {
            found.push(at + i - radius);
        }
    }
}

/// The same code, compiled for more instructions than every processor has.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Rule, Scratch, WindowKey, find_inlined};

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn find_avx2(
        rule: Rule,
        key: &WindowKey,
        scratch: &mut Scratch,
        bytes: (&[u8], usize),
        found: &mut Vec<usize>,
    ) {
        find_inlined(rule, key, scratch, bytes, found);
    }

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512vl")]
    pub(super) fn find_avx512(
        rule: Rule,
        key: &WindowKey,
        scratch: &mut Scratch,
        bytes: (&[u8], usize),
        found: &mut Vec<usize>,
    ) {
        find_inlined(rule, key, scratch, bytes, found);
    }
}

/// The last step of a hash: all bits count in the highest.
#[inline(always)]
fn mix(x: u16, last: u16) -> i16 {
    (x ^ (x >> 7)).wrapping_mul(last) as i16
}

/// Tells of every value but the first and last `around` whether it is less than as many before it and not more
/// than as many behind it.
#[inline(always)]
fn find_promising(values: &[i16], around: usize, promising: &mut Vec<bool>) {
    let count = values.len().saturating_sub(2 * around);
    promising.clear();
    promising.resize(count, true);
    for distance in 1..=around {
        let here = &values[around..][..count];
        let before = &values[around - distance..][..count];
        let behind = &values[around + distance..][..count];
        for (i, promising) in promising.iter_mut().enumerate() {
            *promising &= (before[i] > here[i]) & (behind[i] >= here[i]);
        }
    }
}

/// The index of the first `true` from `from` on; there are few.
#[inline(always)]
fn next_true(flags: &[bool], from: usize) -> Option<usize> {
    const STEP: usize = 16;
    let mut i = from;
    while i + STEP <= flags.len() {
        let mut any = false;
        for &flag in &flags[i..i + STEP] {
            any |= flag;
        }
        if any {
            break;
        }
        i += STEP;
    }
    while i < flags.len() {
        if flags[i] {
            return Some(i);
        }
        i += 1;
    }
    None
}

/// Index of the first `wanted`, or a number that is not less than the length. At most [`PLACES_MAX`] are looked at.
#[inline(always)]
fn first(hashes: &[i16], wanted: i16) -> usize {
    let mut place = PLACES_MAX;
    for (i, &hash) in (0..PLACES_MAX).zip(hashes) {
        place = place.min(if hash == wanted { i } else { PLACES_MAX });
    }
    place as usize
}

/// The least hash of a large block.
#[inline(always)]
fn least_of_both(even: &[i16; LARGE_BLOCK / 2], odd: &[i16; LARGE_BLOCK / 2]) -> i16 {
    let mut least = i16::MAX;
    for i in 0..LARGE_BLOCK / 2 {
        least = least.min(even[i].min(odd[i]));
    }
    least
}

#[inline(always)]
fn least(hashes: &[i16]) -> i16 {
    let mut least = i16::MAX;
    for &hash in hashes {
        least = least.min(hash);
    }
    least
}

/// Length of the run of one byte at the start of `bytes`.
pub(super) fn constant_len(bytes: &[u8]) -> usize {
    const STEP: usize = 1024;
    let Some(&first) = bytes.first() else {
        return 0;
    };
    let mut len = 1;
    while len + STEP <= bytes.len() && is_constant(&bytes[len - 1..len + STEP]) {
        len += STEP;
    }
    len + bytes[len..].iter().take_while(|&&byte| byte == first).count()
}

/// Whether all bytes are the same.
pub(super) fn is_constant(bytes: &[u8]) -> bool {
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return true;
    };
    first == last && bytes[1..] == bytes[..bytes.len() - 1]
}

#[cfg(test)]
impl Minima {
    /// Every minimum of `bytes`, as the definition says.
    pub(super) fn all(&self, bytes: &[u8]) -> Vec<usize> {
        let radius = self.rule.radius;
        if bytes.len() < radius + self.reach_right() {
            return Vec::new();
        }
        let hashes: Vec<i16> = bytes.windows(self.rule.window).map(|window| self.hash(window)).collect();
        (radius..hashes.len() - radius)
            .filter(|&i| {
                hashes[i - radius..i].iter().all(|&hash| hash > hashes[i])
                    && hashes[i..=i + radius].iter().all(|&hash| hash >= hashes[i])
            })
            .collect()
    }

    /// The hash of one window.
    pub(super) fn hash(&self, window: &[u8]) -> i16 {
        let last = self.key[4];
        if window.len() == NARROW {
            let pair = |i: usize| u16::from_le_bytes([window[2 * i], window[2 * i + 1]]);
            let sum = (0..4).fold(0_u16, |sum, i| sum.wrapping_add(pair(i).wrapping_mul(self.key[i])));
            return mix(sum, last);
        }
        let (left, right) = window.split_at(window.len() / 2);
        let key = self.key[5 + (left.len() / NARROW).ilog2() as usize];
        mix((self.hash(left) as u16).wrapping_mul(key).wrapping_add(self.hash(right) as u16), last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blockwise_search_finds_what_the_definition_says(
            bytes in proptest::collection::vec(prop_oneof![8 => 0..3_u8, 1 => any::<u8>()], 12_300..40_000),
            log in 0..13_u32,
            wide in 3..13_u32,
            key in any::<WindowKey>(),
        ) {
            let rule = Rule { radius: 1 << log, window: 1 << wide };
            let expected = Minima::new(rule, key, Isa::Scalar).all(&bytes);
            for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
                let mut finder = Minima::new(rule, key, isa);
                let mut found = Vec::new();
                let to = bytes.len() + 1 - finder.reach_right();
                finder.find(&bytes, finder.reach_left(), to, &mut found);
                prop_assert_eq!(&found, &expected, "{}", isa);
            }
        }
    }
}
