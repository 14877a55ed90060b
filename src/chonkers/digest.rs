//! Hashes of contents: a keyed hash of a symbol's bytes, and one of a sequence of symbols.
//!
//! The hash of a sequence depends on its symbols alone and is associative: it is the same however the symbols were put
//! together. Arithmetic is modulo 2^64. Equal hashes are not taken for equal contents anywhere, so that a collision costs
//! a comparison and nothing else.

/// A hash and the factor by which whatever follows the hashed symbols counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) hash: u64,
    pub(super) factor: u64,
}

/// Lanes that a long symbol is hashed in.
const LANES: usize = 4;
/// Bytes that a lane takes at a time.
const WORDS: usize = 16;

/// The keys of the hashes.
#[derive(Clone)]
pub(super) struct Digester {
    /// What a symbol's successor counts; odd.
    factor: u64,
    seeds: [u64; LANES],
    lanes: [u64; LANES],
    ends: [u64; LANES],
}

/// Both halves of the product of two numbers, folded into one.
#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Digester {
    /// Takes its keys from `draw`.
    pub(super) fn new(mut draw: impl FnMut() -> u64) -> Self {
        let factor = draw() | 1;
        let mut four = || std::array::from_fn(|_| draw());
        Self { factor, seeds: four(), lanes: four(), ends: four() }
    }

    /// The digest of one symbol, of these bytes.
    pub(super) fn symbol(&self, bytes: &[u8]) -> Digest {
        Digest { hash: self.hash(bytes), factor: self.factor }
    }

    /// The digest of one symbol that is known by a hash.
    pub(super) fn opaque(&self, hash: u64) -> Digest {
        Digest { hash, factor: self.factor }
    }

    /// A keyed hash of bytes: words go to four lanes in turn, each of which multiplies and folds.
    fn hash(&self, bytes: &[u8]) -> u64 {
        let mut lanes = self.seeds;
        let (blocks, rest) = bytes.as_chunks::<{ LANES * WORDS }>();
        for block in blocks {
            let (pieces, _) = block.as_chunks::<WORDS>();
            for ((lane, key), piece) in lanes.iter_mut().zip(&self.lanes).zip(pieces) {
                *lane = step(*lane, *key, piece);
            }
        }
        let (pieces, tail) = rest.as_chunks::<WORDS>();
        for ((lane, key), piece) in lanes.iter_mut().zip(&self.lanes).zip(pieces) {
            *lane = step(*lane, *key, piece);
        }
        let mut last = [0; WORDS];
        last[..tail.len()].copy_from_slice(tail);
        let [a, b, c, d] = lanes;
        let last = step(bytes.len() as u64, self.ends[0], &last);
        let (left, right) = (fold(a ^ self.ends[1], b ^ last), fold(c ^ self.ends[2], d ^ self.ends[3]));
        fold(left ^ self.seeds[0], right ^ last)
    }

    /// The digest of `a`'s symbols followed by `b`'s.
    #[inline(always)]
    pub(super) fn join(&self, a: Digest, b: Digest) -> Digest {
        Digest {
            hash: a.hash.wrapping_add(a.factor.wrapping_mul(b.hash)),
            factor: a.factor.wrapping_mul(b.factor),
        }
    }

    /// The digest of `copies` times the same symbols.
    pub(super) fn repeat(&self, mut digest: Digest, mut copies: u64) -> Digest {
        let mut all = Digest { hash: 0, factor: 1 };
        while copies > 0 {
            if copies & 1 == 1 {
                all = self.join(all, digest);
            }
            digest = self.join(digest, digest);
            copies >>= 1;
        }
        all
    }
}

/// A lane after 16 more bytes.
#[inline(always)]
fn step(lane: u64, key: u64, piece: &[u8; WORDS]) -> u64 {
    let both = u128::from_le_bytes(*piece);
    fold(both as u64 ^ key, (both >> 64) as u64 ^ lane)
}

#[cfg(test)]
mod tests {
    use super::super::tests::Random;
    use super::*;
    use proptest::prelude::*;

    fn digester() -> Digester {
        let mut random = Random(9);
        Digester::new(|| random.next())
    }

    #[test]
    fn symbols_that_differ_in_a_byte_or_in_length_have_other_hashes() {
        let digester = digester();
        let mut hashes = std::collections::HashSet::new();
        let mut bytes = vec![0; 300];
        for len in 0..300 {
            assert!(hashes.insert(digester.symbol(&bytes[..len]).hash), "zeros of length {len}");
        }
        for i in 0..300 {
            bytes[i] = 1;
            assert!(hashes.insert(digester.symbol(&bytes).hash), "byte {i}");
            bytes[i] = 0;
        }
    }

    proptest! {
        #[test]
        fn digests_of_sequences_are_associative(hashes in proptest::array::uniform3(any::<u64>())) {
            let digester = digester();
            let [a, b, c] = hashes.map(|hash| digester.opaque(hash));
            let left = digester.join(digester.join(a, b), c);
            prop_assert_eq!(left, digester.join(a, digester.join(b, c)));
        }

        #[test]
        fn repeated_digest_equals_the_digest_of_the_copies(
            symbols in proptest::collection::vec(any::<u64>(), 1..20), copies in 1..25_u64,
        ) {
            let digester = digester();
            let all = |symbols: &[u64]| symbols.iter().map(|&hash| digester.opaque(hash))
                .reduce(|a, b| digester.join(a, b)).expect("not empty");
            let whole = symbols.repeat(copies as usize);
            prop_assert_eq!(digester.repeat(all(&symbols), copies), all(&whole));
        }
    }
}
