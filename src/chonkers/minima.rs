//! Local minima of a keyed hash of eight-byte windows: where proto-chunks begin.

/// Bytes that one window covers.
const WINDOW: usize = 8;
/// Windows hashed at a time: the hashes stay in the first-level cache.
const BATCH: usize = 2048;
/// From this radius on, minima are looked for block by block.
const BLOCKWISE: usize = 16;
/// Block length of the level that all content passes through.
const LARGE_BLOCK: usize = 32;

/// Secret multipliers of a window's hash.
pub(super) type WindowKey = [u16; 5];

/// Finds the positions whose window's hash is less than that of each of `radius` windows before, and not more
/// than that of each of `radius` windows behind.
pub(super) struct Minima {
    radius: usize,
    key: WindowKey,
    /// The pairs of bytes of a batch, as numbers.
    pairs: Vec<u16>,
    hashes: Vec<i16>,
    /// The least hash of every block.
    least: Vec<i16>,
    /// Whether a block (or a position) may be a minimum, as far as those around it tell.
    promising: Vec<bool>,
}

impl Minima {
    /// A finder with its own keyed hash.
    pub(super) fn new(radius: usize, key: WindowKey) -> Self {
        let key = key.map(|multiplier| multiplier | 1);
        let (hashes, least) = (Vec::new(), Vec::new());
        Self { radius, key, pairs: Vec::new(), hashes, least, promising: Vec::new() }
    }

    /// Bytes before a position that its decision reads.
    pub(super) fn reach_left(&self) -> usize {
        self.radius
    }

    /// Bytes from a position on that its decision reads.
    pub(super) fn reach_right(&self) -> usize {
        self.radius + WINDOW
    }

    /// Appends to `found` every minimum in `from..to`, ascending. `bytes` reaches [`Self::reach_left`] before
    /// `from` and [`Self::reach_right`] behind the last position before `to`.
    pub(super) fn find(&mut self, bytes: &[u8], from: usize, to: usize, found: &mut Vec<usize>) {
        let mut at = from;
        while at < to {
            let end = to.min(at + BATCH);
            let bytes = &bytes[at - self.radius..end - 1 + self.reach_right()];
            if !is_constant(bytes) {
                self.hash(bytes);
                self.scan(at, found);
            }
            at = end;
        }
    }

    /// Hashes every window of `bytes`.
    fn hash(&mut self, bytes: &[u8]) {
        self.pairs.resize(bytes.len() - 1, 0);
        for (pair, (&low, &high)) in self.pairs.iter_mut().zip(bytes.iter().zip(&bytes[1..])) {
            *pair = u16::from(low) | u16::from(high) << 8;
        }
        let count = bytes.len() - (WINDOW - 1);
        self.hashes.resize(count, 0);
        let [a, b, c, d, last] = self.key;
        let (first, second) = (&self.pairs[..count], &self.pairs[2..][..count]);
        let (third, fourth) = (&self.pairs[4..][..count], &self.pairs[6..][..count]);
        for (i, hash) in self.hashes.iter_mut().enumerate() {
            let low = first[i].wrapping_mul(a).wrapping_add(second[i].wrapping_mul(b));
            let high = third[i].wrapping_mul(c).wrapping_add(fourth[i].wrapping_mul(d));
            let x = low.wrapping_add(high);
            *hash = (x ^ (x >> 7)).wrapping_mul(last) as i16;
        }
    }

    /// Appends the minima among the hashes that have `radius` others on both sides.
    fn scan(&mut self, at: usize, found: &mut Vec<usize>) {
        if self.radius < BLOCKWISE {
            find_promising(&self.hashes, self.radius, &mut self.promising);
            return each_true(&self.promising, |i| found.push(at + i));
        }
        // Of a block half as long as the radius only the leftmost least hash can be a minimum, and only if the
        // blocks beside it, which are wholly within the radius, hold no lesser one.
        let block = self.radius / 2;
        let end = self.hashes.len() - self.radius;
        self.least_of_blocks(block);
        find_promising(&self.least[1..], 1, &mut self.promising);
        let mut promising = std::mem::take(&mut self.promising);
        promising.truncate(end.div_ceil(block) - 2);
        each_true(&promising, |i| self.check_block((i + 2) * block, block, end, at, found));
        self.promising = promising;
    }

    /// Computes the least hash of every block; the last one may be shorter.
    fn least_of_blocks(&mut self, block: usize) {
        self.least.clear();
        if block == LARGE_BLOCK {
            let (blocks, rest) = self.hashes.as_chunks::<LARGE_BLOCK>();
            self.least.extend(blocks.iter().map(|block| least(block)));
            self.least.extend((!rest.is_empty()).then(|| least(rest)));
        } else {
            self.least.extend(self.hashes.chunks(block).map(least));
        }
    }

    /// Appends the leftmost least hash of a block if it stands before `end` and is a minimum.
    fn check_block(&self, start: usize, block: usize, end: usize, at: usize, found: &mut Vec<usize>) {
        let hashes = &self.hashes[start..self.hashes.len().min(start + block)];
        let lowest = self.least[start / block];
        let i = start + leftmost(hashes, lowest);
        if i < end
            && least(&self.hashes[i - self.radius..i]) > lowest
            && least(&self.hashes[i..=i + self.radius]) == lowest
        {
            found.push(at + i - self.radius);
        }
    }
}

/// Tells of every value but the first and last `around` whether it is less than as many before it and not more
/// than as many behind it.
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

/// Calls `visit` with the index of every `true`, of which there are few.
fn each_true(flags: &[bool], mut visit: impl FnMut(usize)) {
    for (chunk, start) in flags.chunks(16).zip((0..).step_by(16)) {
        if chunk.contains(&true) {
            chunk.iter().zip(start..).filter(|(flag, _)| **flag).for_each(|(_, i)| visit(i));
        }
    }
}

/// Index of the first `wanted`; not inlined, so that the loop has the registers to itself.
#[inline(never)]
fn leftmost(hashes: &[i16], wanted: i16) -> usize {
    hashes.iter().position(|&hash| hash == wanted).unwrap_or(0)
}

fn least(hashes: &[i16]) -> i16 {
    hashes.iter().fold(i16::MAX, |least, &hash| least.min(hash))
}

/// Whether all bytes are the same.
pub(super) fn is_constant(bytes: &[u8]) -> bool {
    bytes.get(1..).is_none_or(|rest| *rest == bytes[..rest.len()])
}

#[cfg(test)]
impl Minima {
    /// Every minimum of `bytes`, as the definition says.
    pub(super) fn all(&mut self, bytes: &[u8]) -> Vec<usize> {
        let radius = self.radius;
        if bytes.len() < 2 * radius + WINDOW {
            return Vec::new();
        }
        self.hash(bytes);
        let hashes = &self.hashes;
        (radius..hashes.len() - radius)
            .filter(|&i| {
                hashes[i - radius..i].iter().all(|&hash| hash > hashes[i])
                    && hashes[i..=i + radius].iter().all(|&hash| hash >= hashes[i])
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blockwise_search_finds_what_the_definition_says(
            bytes in proptest::collection::vec(prop_oneof![8 => 0..3_u8, 1 => any::<u8>()], 300..9000),
            radius in prop_oneof![Just(1_usize), Just(4), Just(16), Just(64)],
            key in any::<WindowKey>(),
        ) {
            let mut finder = Minima::new(radius, key);
            let expected = finder.all(&bytes);
            let mut found = Vec::new();
            let to = bytes.len() + 1 - finder.reach_right();
            finder.find(&bytes, finder.reach_left(), to, &mut found);
            prop_assert_eq!(found, expected);
        }
    }
}
