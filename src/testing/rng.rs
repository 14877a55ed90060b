//! Random numbers from a seed, the same on every machine and in every release.

/// SplitMix64: small, fast, and good enough to choose test data.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    ///
    /// # Panics
    /// If `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "there is no number below 0");
        (self.next_u64() % end as u64) as usize
    }

    /// `true` once in `n` times on average.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// This many random bytes: nothing compresses them.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| self.next_u64().to_le_bytes()).collect();
        bytes.truncate(len);
        bytes
    }

    /// About this many bytes of lines of made-up words: they compress as text does.
    pub fn text(&mut self, len: usize) -> Vec<u8> {
        const WORDS: [&str; 12] =
            ["the", "commit", "of", "a", "tree", "stores", "chunk", "and", "index", "line", "pack", "zebra"];
        let mut text = Vec::with_capacity(len + 8);
        while text.len() < len {
            text.extend_from_slice(self.pick(&WORDS).as_bytes());
            text.push(if self.one_in(9) { b'\n' } else { b' ' });
        }
        text.truncate(len);
        text
    }
}
