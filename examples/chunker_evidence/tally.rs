//! Counting chunks and what is new in each version.

use std::collections::HashSet;

use warp::chunk::Chunk;

/// Bins of the lengths: each a 32nd of the absolute unit, the last one takes what is longer.
pub(crate) const BINS: usize = 97;

/// What the chunks of a corpus come to.
pub(crate) struct Tally {
    /// Hashes of the contents seen so far, if those are wanted.
    known: Option<HashSet<u128>>,
    /// Bytes of all versions.
    pub(crate) bytes: u64,
    pub(crate) chunks: u64,
    /// Bytes first seen in each version.
    pub(crate) new_bytes: Vec<u64>,
    /// Chunks by length, without those that the mean leaves out.
    pub(crate) lengths: Vec<u64>,
    bin: u64,
    varied: Varied,
}

/// Chunks that the mean is taken of.
#[derive(Default)]
struct Varied {
    chunks: u64,
    bytes: u64,
}

impl Tally {
    /// Counts only.
    pub(crate) fn of_lengths(unit: u32) -> Self {
        let (bin, lengths) = (u64::from(unit) / 32, vec![0; BINS]);
        Self {
            known: None,
            bytes: 0,
            chunks: 0,
            new_bytes: Vec::new(),
            lengths,
            bin,
            varied: Varied::default(),
        }
    }

    /// Counts, and finds what was there before.
    pub(crate) fn of_contents(unit: u32, versions: usize) -> Self {
        Self { known: Some(HashSet::new()), new_bytes: vec![0; versions], ..Self::of_lengths(unit) }
    }

    /// Takes a chunk of a version; `bytes` are one copy of it.
    pub(crate) fn add(&mut self, version: usize, chunk: Chunk, bytes: &[u8]) {
        self.chunks += 1;
        self.bytes += chunk.total_len();
        if chunk.repeat == 1 && !is_constant(bytes) {
            self.varied.chunks += 1;
            self.varied.bytes += bytes.len() as u64;
            self.lengths[(bytes.len() as u64 / self.bin).min(BINS as u64 - 1) as usize] += 1;
        }
        if let Some(known) = &mut self.known
            && known.insert(hash(bytes))
        {
            self.new_bytes[version] += bytes.len() as u64;
        }
    }

    /// Mean length in bytes. Chunks of one byte over and over and caterpillars are left out: how many of those there
    /// are says how a chunker writes runs down, not how fine it cuts.
    pub(crate) fn mean(&self) -> f64 {
        self.varied.bytes as f64 / self.varied.chunks.max(1) as f64
    }

    /// The share of all bytes that need not be stored.
    pub(crate) fn saved(&self) -> f64 {
        1.0 - self.new_bytes.iter().sum::<u64>() as f64 / self.bytes.max(1) as f64
    }
}

/// A hash of 128 bits, for contents that nobody chose: four sums of products of all of the bytes and odd numbers.
fn hash(bytes: &[u8]) -> u128 {
    const KEYS: [u64; 4] =
        [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];
    let mut sums = KEYS;
    let (blocks, rest) = bytes.as_chunks::<32>();
    let mut last = [0; 32];
    last[..rest.len()].copy_from_slice(rest);
    for block in blocks.iter().chain([&last]) {
        let (words, _) = block.as_chunks::<8>();
        for (nth, sum) in sums.iter_mut().enumerate() {
            let word = u64::from_le_bytes(words[nth]);
            *sum = folded(*sum ^ word, KEYS[(nth + 1) % 4]) ^ word.rotate_left(32);
        }
    }
    let len = bytes.len() as u64;
    let [a, b, c, d] = sums;
    let high = folded(folded(a ^ len, KEYS[1]) ^ b, KEYS[2]) ^ folded(c ^ KEYS[0], KEYS[3]).wrapping_add(d);
    let low = folded(folded(d ^ len, KEYS[3]) ^ c, KEYS[0]) ^ folded(b ^ KEYS[2], KEYS[1]).wrapping_add(a);
    u128::from(high) << 64 | u128::from(low)
}

/// Both halves of a product, added.
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64).wrapping_add((product >> 64) as u64)
}

fn is_constant(bytes: &[u8]) -> bool {
    bytes.get(1..).is_none_or(|rest| *rest == bytes[..rest.len()])
}

#[cfg(test)]
mod tests {
    use warp::testing::Rng;

    use super::*;

    fn chunk(bytes: &[u8], repeat: u64) -> Chunk {
        Chunk { offset: 0, len: bytes.len() as u32, repeat: repeat as _ }
    }

    #[test]
    fn the_mean_leaves_out_runs_and_caterpillars_and_the_bytes_do_not() {
        let mut tally = Tally::of_lengths(64);
        tally.add(0, chunk(b"abcdef", 1), b"abcdef");
        tally.add(0, chunk(b"ab", 1), b"ab");
        tally.add(0, chunk(&[7; 500], 1), &[7; 500]);
        tally.add(0, chunk(b"xyz", 1000), b"xyz");
        assert_eq!((tally.mean(), tally.chunks, tally.bytes), (4.0, 4, 3508));
        assert_eq!((tally.lengths[1], tally.lengths[3], tally.lengths.iter().sum::<u64>()), (1, 1, 2));
    }

    #[test]
    fn the_last_bin_takes_what_is_longer_than_three_units() {
        let mut tally = Tally::of_lengths(64);
        let long = Rng::new(1).bytes(1000);
        for len in [191, 192, 193, 194, 1000] {
            tally.add(0, chunk(&long[..len], 1), &long[..len]);
        }
        assert_eq!(tally.lengths[95..], [1, 4]);
    }

    #[test]
    fn a_content_is_new_once_in_the_version_that_has_it_first() {
        let mut tally = Tally::of_contents(64, 3);
        for (version, bytes) in [(0, "one"), (0, "three"), (0, "one"), (1, "three"), (1, "seven"), (2, "one")]
        {
            tally.add(version, chunk(bytes.as_bytes(), 1), bytes.as_bytes());
        }
        tally.add(2, chunk(b"eleven", 10), b"eleven");
        assert_eq!(tally.new_bytes, [8, 5, 6]);
        assert_eq!((tally.bytes, tally.saved()), (84, 1.0 - 19.0 / 84.0));
    }

    #[test]
    fn contents_that_differ_in_length_or_in_any_byte_are_different() {
        let data = Rng::new(2).bytes(200);
        let mut hashes = HashSet::new();
        for len in 0..=data.len() {
            assert!(hashes.insert(hash(&data[..len])), "the first {len} bytes");
        }
        for len in 0..=200 {
            assert!(
                hashes.insert(hash(&[&data[..], &vec![0; len + 1]].concat())),
                "{} zeros behind",
                len + 1
            );
        }
        for at in 0..data.len() {
            let mut other = data.clone();
            other[at] ^= 1;
            assert!(hashes.insert(hash(&other)), "byte {at}");
        }
    }
}
