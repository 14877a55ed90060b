//! Local minima of a keyed hash of four-byte windows: where proto-chunks begin.

/// Bytes that one window covers.
const WINDOW: usize = 4;
/// Windows hashed at a time: the hashes stay in the first-level cache.
const BATCH: usize = 4096;
/// Block length of the level that all content passes through.
const LARGE_BLOCK: usize = 32;

/// Finds the positions whose window's hash is less than that of each of `radius` windows before, and not more
/// than that of each of `radius` windows behind.
pub(super) struct Minima {
    radius: usize,
    first: u16,
    second: u16,
    third: u16,
    hashes: Vec<i16>,
    /// The least hash of every block.
    least: Vec<i16>,
    /// Whether a block may hold a minimum, as far as the blocks around it tell.
    promising: Vec<bool>,
}

impl Minima {
    /// A finder with its own keyed hash.
    pub(super) fn new(radius: usize, key: u64) -> Self {
        Self {
            radius,
            first: key as u16 | 1,
            second: (key >> 16) as u16 | 1,
            third: (key >> 32) as u16 | 1,
            hashes: Vec::new(),
            least: Vec::new(),
            promising: Vec::new(),
        }
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
        if from >= to {
            return;
        }
        if is_constant(&bytes[from - self.radius..to - 1 + self.reach_right()]) {
            return;
        }
        let mut at = from;
        while at < to {
            let end = to.min(at + BATCH);
            self.hash(&bytes[at - self.radius..end - 1 + self.reach_right()]);
            self.scan(at, found);
            at = end;
        }
    }

    /// Hashes every window of `bytes`.
    fn hash(&mut self, bytes: &[u8]) {
        let count = bytes.len() - (WINDOW - 1);
        self.hashes.resize(count, 0);
        let (a, b, c, d) = (&bytes[..count], &bytes[1..=count], &bytes[2..], &bytes[3..]);
        let (b, c, d) = (&b[..count], &c[..count], &d[..count]);
        for (i, hash) in self.hashes.iter_mut().enumerate() {
            let low = u16::from(a[i]) | u16::from(b[i]) << 8;
            let high = u16::from(c[i]) | u16::from(d[i]) << 8;
            let x = low.wrapping_mul(self.first).wrapping_add(high.wrapping_mul(self.second));
            *hash = (x ^ (x >> 7)).wrapping_mul(self.third) as i16;
        }
    }

    /// Appends the minima among the hashes that have `radius` others on both sides.
    ///
    /// Of a block a quarter as long as the radius only the leftmost least hash can be a minimum, and only if the
    /// three blocks on both sides, which are wholly within the radius, hold no lesser one.
    fn scan(&mut self, at: usize, found: &mut Vec<usize>) {
        let end = self.hashes.len() - self.radius;
        let block = (self.radius / 2).max(1);
        let first = self.radius / block;
        self.least_of_blocks(block);
        self.find_promising(first - 1);
        let blocks = &self.promising[..end.div_ceil(block) - first];
        let mut next = 0;
        while let Some(skipped) = blocks[next..].iter().position(|&promising| promising) {
            next += skipped + 1;
            self.check_block((first + next - 1) * block, block, end, at, found);
        }
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

    /// Tells of every block but the first and the last few whether `around` blocks before it and behind it hold
    /// no lesser hash; the first block told of is the one with `around + 1` before it.
    fn find_promising(&mut self, around: usize) {
        let least = &self.least[1..];
        let count = least.len().saturating_sub(2 * around);
        self.promising.clear();
        self.promising.resize(count, true);
        for distance in 1..=around {
            let here = &least[around..][..count];
            let before = &least[around - distance..][..count];
            let behind = &least[around + distance..][..count];
            for (i, promising) in self.promising.iter_mut().enumerate() {
                *promising &= (before[i] > here[i]) & (behind[i] >= here[i]);
            }
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
            key in any::<u64>(),
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
