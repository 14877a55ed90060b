//! Arithmetic modulo a secret prime, and the content hash built on it.
//!
//! The hash of a content is its value as a little-endian number modulo the prime. It depends on the bytes alone
//! and is associative: `hash(ab) = hash(a) + hash(b) * 256^len(a)`, however the content was put together.
//! Two contents of n bytes that differ collide for at most 8n/56 of about 2^50 primes.

/// Bytes that [`Ring::hash_bytes`] takes at once: the longest proto-chunk.
pub(super) const LEAF_LEN_MAX: usize = 512;
const WORDS: usize = LEAF_LEN_MAX / 8;
/// The primes have this many bits, so that the products of 64 words and as many residues add up to less than 2^127.
const PRIME_BITS: u32 = 57;

/// A hash and the factor by which whatever follows the hashed content counts (in Montgomery form).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) hash: u64,
    pub(super) factor: u64,
}

/// The integers modulo a prime between 2^56 and 2^57; products in Montgomery form.
#[derive(Clone)]
pub(super) struct Ring {
    prime: u64,
    /// -1/prime modulo 2^64.
    inverse: u64,
    /// 2^64 modulo the prime: the number one in Montgomery form.
    one: u64,
    /// 256^(8i) in Montgomery form: what the i-th word of a content counts.
    words: [u64; WORDS],
    /// 256^i in Montgomery form.
    factors: [u64; LEAF_LEN_MAX + 1],
}

impl Ring {
    /// The ring of the first prime that `draws` leads to.
    pub(super) fn new(mut draws: impl FnMut() -> u64) -> Self {
        loop {
            let candidate = (1 << PRIME_BITS) - 1 - 2 * (draws() % (1 << (PRIME_BITS - 2)));
            if is_prime(candidate) {
                return Self::with_prime(candidate);
            }
        }
    }

    fn with_prime(prime: u64) -> Self {
        let one = ((1_u128 << 64) % u128::from(prime)) as u64;
        let mut ring = Self {
            prime,
            inverse: negative_inverse(prime),
            one,
            words: [0; WORDS],
            factors: [one; LEAF_LEN_MAX + 1],
        };
        let base = ((u128::from(one) << 8) % u128::from(prime)) as u64;
        for i in 1..=LEAF_LEN_MAX {
            ring.factors[i] = ring.mul(ring.factors[i - 1], base);
        }
        for i in 0..WORDS {
            ring.words[i] = ring.factors[8 * i];
        }
        ring
    }

    #[cfg(test)]
    pub(super) fn prime(&self) -> u64 {
        self.prime
    }

    /// Hash of nothing.
    fn empty(&self) -> Digest {
        Digest { hash: 0, factor: self.one }
    }

    /// `x / 2^64` modulo the prime, below 2^64; `x` below 2^127.
    fn reduce_lazily(&self, x: u128) -> u64 {
        let m = (x as u64).wrapping_mul(self.inverse);
        ((x + u128::from(m) * u128::from(self.prime)) >> 64) as u64
    }

    /// `x` modulo the prime.
    pub(super) fn fold(&self, x: u64) -> u64 {
        self.mul(x, self.one)
    }

    fn add(&self, a: u64, b: u64) -> u64 {
        let sum = a + b;
        if sum >= self.prime { sum - self.prime } else { sum }
    }

    /// `a * b / 2^64` modulo the prime, at most one of them not below it.
    fn mul(&self, a: u64, b: u64) -> u64 {
        let x = self.reduce_lazily(u128::from(a) * u128::from(b));
        if x >= self.prime { x - self.prime } else { x }
    }

    /// A factor in Montgomery form from any number; never zero.
    pub(super) fn factor(&self, x: u64) -> u64 {
        self.fold(x).max(1)
    }

    /// The digest of a content of at most [`LEAF_LEN_MAX`] bytes.
    pub(super) fn hash_bytes(&self, bytes: &[u8]) -> Digest {
        let (words, rest) = bytes.as_chunks::<8>();
        let mut sum = 0;
        for (word, factor) in words.iter().zip(&self.words) {
            sum += u128::from(u64::from_le_bytes(*word)) * u128::from(*factor);
        }
        if !rest.is_empty() {
            sum += u128::from(last_word(bytes, rest)) * u128::from(self.words[words.len()]);
        }
        let hash = self.fold(self.reduce_lazily(sum));
        Digest { hash, factor: self.factors[bytes.len()] }
    }

    /// The digest of `a`'s content followed by `b`'s.
    pub(super) fn join(&self, a: Digest, b: Digest) -> Digest {
        Digest { hash: self.add(a.hash, self.mul(a.factor, b.hash)), factor: self.mul(a.factor, b.factor) }
    }

    /// The digest of `copies` times the same content.
    pub(super) fn repeat(&self, mut digest: Digest, mut copies: u64) -> Digest {
        let mut all = self.empty();
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

/// The number that the last bytes, 1 to 7 of them, stand for.
fn last_word(bytes: &[u8], rest: &[u8]) -> u64 {
    match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
        None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)),
    }
}

/// -1/n modulo 2^64, n odd (Newton's iteration doubles the correct bits: 3, 6, 12, 24, 48, 96).
fn negative_inverse(n: u64) -> u64 {
    let mut x = n;
    for _ in 0..5 {
        x = x.wrapping_mul(2_u64.wrapping_sub(n.wrapping_mul(x)));
    }
    x.wrapping_neg()
}

/// Miller-Rabin with the bases that decide every 64-bit number. `n` is odd and above 37.
fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if BASES.iter().any(|&p| n.is_multiple_of(p)) {
        return false;
    }
    let twos = (n - 1).trailing_zeros();
    BASES.iter().all(|&base| {
        let mut x = power(base, (n - 1) >> twos, n);
        if x == 1 || x == n - 1 {
            return true;
        }
        (1..twos).any(|_| {
            x = product(x, x, n);
            x == n - 1
        })
    })
}

fn product(a: u64, b: u64, n: u64) -> u64 {
    (u128::from(a) * u128::from(b) % u128::from(n)) as u64
}

fn power(mut base: u64, mut exponent: u64, n: u64) -> u64 {
    let mut result = 1;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = product(result, base, n);
        }
        base = product(base, base, n);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ring() -> Ring {
        let mut x = 12345_u64;
        Ring::new(|| {
            x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            x >> 3
        })
    }

    fn plain(bytes: &[u8], prime: u64) -> u64 {
        bytes
            .iter()
            .rev()
            .fold(0, |sum, &b| ((u128::from(sum) * 256 + u128::from(b)) % u128::from(prime)) as u64)
    }

    #[test]
    fn primality_agrees_with_trial_division() {
        for n in (1_000_001_u64..1_002_000).step_by(2) {
            assert_eq!(is_prime(n), (3..1_001).step_by(2).all(|d| n % d != 0), "{n}");
        }
        assert!(is_prime((1 << 61) - 1));
        assert!(!is_prime(4759123141), "a strong pseudoprime");
    }

    proptest! {
        #[test]
        fn hash_is_the_number_modulo_the_prime(bytes in proptest::collection::vec(any::<u8>(), 0..=LEAF_LEN_MAX)) {
            let ring = ring();
            prop_assert_eq!(ring.hash_bytes(&bytes).hash, plain(&bytes, ring.prime()));
        }

        #[test]
        fn joined_digests_equal_the_digest_of_the_whole(
            bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(255), any::<u8>()], 0..=LEAF_LEN_MAX),
            at in 0..=LEAF_LEN_MAX,
        ) {
            let ring = ring();
            let (a, b) = bytes.split_at(at.min(bytes.len()));
            prop_assert_eq!(ring.join(ring.hash_bytes(a), ring.hash_bytes(b)), ring.hash_bytes(&bytes));
        }

        #[test]
        fn repeated_digest_equals_the_digest_of_the_copies(
            bytes in proptest::collection::vec(any::<u8>(), 1..20), copies in 1..25_u64,
        ) {
            let ring = ring();
            let whole = bytes.repeat(copies as usize);
            prop_assert_eq!(ring.repeat(ring.hash_bytes(&bytes), copies), ring.hash_bytes(&whole));
        }
    }
}
