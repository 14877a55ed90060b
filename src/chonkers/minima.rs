//! Local minima of a keyed hash of four-byte windows: where proto-chunks begin.

/// Bytes that one window covers.
const WINDOW: usize = 4;
/// Windows hashed at a time: the hashes stay in the first-level cache.
const BATCH: usize = 4096;

/// Finds the positions whose window's hash is less than that of each of `radius` windows before, and not more
/// than that of each of `radius` windows behind.
pub(super) struct Minima {
    radius: usize,
    first: u16,
    second: u16,
    third: u16,
    hashes: Vec<i16>,
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
        self.hashes.clear();
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

    /// Appends the minima among the hashes that have `radius` others on both sides. Of every `radius` in a row
    /// at most one can be a minimum: their own leftmost least.
    fn scan(&self, at: usize, found: &mut Vec<usize>) {
        let radius = self.radius;
        let inner = radius..self.hashes.len() - radius;
        let mut start = inner.start;
        while start < inner.end {
            let block = &self.hashes[start..inner.end.min(start + radius)];
            let least = block.iter().copied().fold(i16::MAX, i16::min);
            let i = start + block.iter().position(|&hash| hash == least).unwrap_or(0);
            let before = &self.hashes[i - radius..start];
            let behind = &self.hashes[start + block.len()..=i + radius];
            if before.iter().all(|&hash| hash > least) && behind.iter().all(|&hash| hash >= least) {
                found.push(at + i - radius);
            }
            start += radius;
        }
    }
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
