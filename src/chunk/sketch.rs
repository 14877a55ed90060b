//! Sketches: a few numbers that tell whether two chunks are alike, without either of them.
//!
//! Of all windows of 32 bytes, those that a keyed sum of products over their first eight bytes chooses are *samples*, one in
//! 256. Each *feature* is the least of the samples' hashes under a keyed permutation of its own. Chunks of all of whose
//! samples both have the share r have any one feature in common with a probability of about r.
//!
//! The same bytes and key give the same sketch on every processor. The scalar kernel is the definition; the others are
//! tested against it.
//!
//! Sources: Broder, "On the resemblance and containment of documents", 1997; Zou et al., "Odess: Speeding up Resemblance Detection for
//! Redundancy Elimination by Fast Content-Defined Sampling", ICDE 2021 (samples by a gear hash there).

use crate::isa::{Isa, IsaError};

/// Bytes of a sample.
const WINDOW: usize = 32;
/// Bits of a window's sum of products that are zero where it is a sample: of random bytes, at one position in 256.
const CHOSEN: i32 = 0xff << 16;
/// Positions that a kernel looks at together.
const BLOCK: usize = 64;
/// Of the samples of a block, no more than so many count: runs of one byte have one at every position, or none.
const DENSE: u32 = 8;
/// Features of a sketch.
pub const FEATURES: usize = 6;
/// The permutations, with two more to fill a vector.
const LANES: usize = 8;

/// What tells whether chunks are alike: any number in common at the same place.
pub type Sketch = [u32; FEATURES];

/// Multipliers of four numbers of 16 bits.
type Select = [i16; 4];

/// Makes sketches of one repository's chunks: nobody without its key can tell what they mean.
#[derive(Clone)]
pub struct Sketcher {
    /// Multipliers of the first eight bytes of a window, taken as four numbers.
    select: Select,
    window: [u64; 4],
    multipliers: [u32; LANES],
    offsets: [u32; LANES],
    isa: Isa,
}

impl std::fmt::Debug for Sketcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sketcher").field("isa", &self.isa).finish_non_exhaustive()
    }
}

impl Sketcher {
    /// Content of fewer bytes has no sketch that would say much.
    pub const LEN_MIN: usize = 4 << 10;

    /// Sketches under `key`, which is secret and belongs to the repository.
    pub fn new(key: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("warp 1 sketch");
        let mut stream = hasher.update(key).finalize_xof();
        let mut word = || {
            let mut bytes = [0; 8];
            stream.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        let mut half = || (word() >> 32) as u32;
        let select = std::array::from_fn(|_| (half() | 1) as i16);
        let multipliers = std::array::from_fn(|_| half() | 1);
        let offsets = std::array::from_fn(|_| half());
        let window = std::array::from_fn(|_| word());
        Self { select, window, multipliers, offsets, isa: Isa::current() }
    }

    /// The same sketches, made with the kernel for `isa`.
    ///
    /// # Errors
    /// [`IsaError::Missing`] if this processor does not have it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, IsaError> {
        if isa.is_available() { Ok(Self { isa, ..self }) } else { Err(IsaError::Missing { isa }) }
    }

    /// The sketch of `bytes`; `None` where they are too few, or have no samples.
    pub fn sketch(&self, bytes: &[u8]) -> Option<Sketch> {
        if bytes.len() < Self::LEN_MIN {
            return None;
        }
        let mut least = [u32::MAX; LANES];
        let mut found = false;
        let mut take = |at: usize| {
            found = true;
            self.lower(&mut least, self.hash(&bytes[at..at + WINDOW]));
        };
        let done = match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::samples_avx512(self.select, bytes, &mut take),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::samples_avx2(self.select, bytes, &mut take),
            _ => scalar_samples(self.select, bytes, &mut take),
        };
        for at in done..=bytes.len() - WINDOW {
            if is_sample(self.select, &bytes[at..]) {
                take(at);
            }
        }
        found.then(|| std::array::from_fn(|feature| tell_apart(feature, least[feature])))
    }

    fn lower(&self, least: &mut [u32; LANES], hash: u32) {
        for ((least, multiplier), offset) in least.iter_mut().zip(&self.multipliers).zip(&self.offsets) {
            *least = (*least).min(hash.wrapping_mul(*multiplier).wrapping_add(*offset));
        }
    }

    fn hash(&self, window: &[u8]) -> u32 {
        let (words, _) = window.as_chunks::<8>();
        let word = |at: usize| u64::from_le_bytes(words[at]) ^ self.window[at];
        let hash = fold(word(0), word(1)) ^ fold(word(2), word(3)).rotate_left(32);
        (hash ^ (hash >> 32)) as u32
    }
}

/// The halves of a product, joined.
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Features at different places of a sketch are not the same, though one table holds them all.
fn tell_apart(feature: usize, least: u32) -> u32 {
    let mixed = (u64::from(least) ^ (feature as u64) << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as u32
}

fn is_sample(select: Select, bytes: &[u8]) -> bool {
    let (numbers, _) = bytes[..8].as_chunks::<2>();
    let product = |(number, multiplier): (&[u8; 2], i16)| {
        i32::from(i16::from_le_bytes(*number)) * i32::from(multiplier)
    };
    let sum = numbers.iter().zip(select).map(product).fold(0, i32::wrapping_add);
    sum & CHOSEN == 0
}

/// How many positions, in whole blocks, have all their windows within `len` bytes.
fn whole_blocks(len: usize) -> usize {
    (len + 1).saturating_sub(WINDOW) / BLOCK * BLOCK
}

/// Where in a block the positions of a group begin, every fourth of which belongs to it: those at which a vector of 32 bytes
/// has its words.
const fn group_start(group: usize) -> usize {
    group % 2 * 32 + group / 2
}

/// Finds the samples of all whole blocks; returns where these end. The positions of a block are looked at in the order in
/// which vectors of four bytes hold them.
fn scalar_samples(select: Select, bytes: &[u8], take: &mut impl FnMut(usize)) -> usize {
    let end = whole_blocks(bytes.len());
    for block in (0..end).step_by(BLOCK) {
        let mut taken = 0;
        for group in 0..8 {
            let first = block + group_start(group);
            for at in (first..first + 32).step_by(4) {
                if taken < DENSE && is_sample(select, &bytes[at..]) {
                    taken += 1;
                    take(at);
                }
            }
        }
    }
    end
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{BLOCK, CHOSEN, DENSE, Select, group_start, whole_blocks};

    #[expect(unsafe_code, reason = "the processor has the instructions, which the compiler cannot know")]
    pub(super) fn samples_avx2(select: Select, bytes: &[u8], take: &mut impl FnMut(usize)) -> usize {
        // SAFETY: `Sketcher` holds an instruction set only after it was found available.
        unsafe { avx2(select, bytes, take) }
    }

    #[expect(unsafe_code, reason = "the processor has the instructions, which the compiler cannot know")]
    pub(super) fn samples_avx512(select: Select, bytes: &[u8], take: &mut impl FnMut(usize)) -> usize {
        // SAFETY: `Sketcher` holds an instruction set only after it was found available.
        unsafe { avx512(select, bytes, take) }
    }

    /// Multipliers of the first and the last four bytes, as a vector of words has them.
    fn pairs(select: Select) -> [i32; 2] {
        let pair = |at: usize| i32::from(select[at]) & 0xffff | i32::from(select[at + 1]) << 16;
        [pair(0), pair(2)]
    }

    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "unaligned loads")]
    fn avx2(select: Select, bytes: &[u8], take: &mut impl FnMut(usize)) -> usize {
        let end = whole_blocks(bytes.len());
        let [first, second] = pairs(select).map(|pair| _mm256_set1_epi32(pair));
        let (chosen, zero) = (_mm256_set1_epi32(CHOSEN), _mm256_setzero_si256());
        for block in (0..end).step_by(BLOCK) {
            let bytes = &bytes[block..block + BLOCK + 31];
            let mut hits = [zero; 8];
            let mut any = zero;
            for (group, hit) in hits.iter_mut().enumerate() {
                let at = group_start(group);
                // SAFETY: at is at most 35 here, so that the second load ends at 71, and there are 95 bytes.
                let (low, high) = unsafe {
                    let place = bytes.as_ptr().add(at);
                    (_mm256_loadu_si256(place.cast()), _mm256_loadu_si256(place.add(4).cast()))
                };
                let sum = _mm256_add_epi32(_mm256_madd_epi16(low, first), _mm256_madd_epi16(high, second));
                *hit = _mm256_cmpeq_epi32(_mm256_and_si256(sum, chosen), zero);
                any = _mm256_or_si256(any, *hit);
            }
            if _mm256_testz_si256(any, any) == 1 {
                continue;
            }
            let mut taken = 0;
            for (group, hit) in hits.iter().enumerate() {
                let lanes = _mm256_movemask_ps(_mm256_castsi256_ps(*hit)).cast_unsigned();
                each(lanes, block + group_start(group), &mut taken, take);
            }
        }
        end
    }

    #[target_feature(enable = "avx2,avx512f,avx512bw")]
    #[expect(unsafe_code, reason = "unaligned loads")]
    fn avx512(select: Select, bytes: &[u8], take: &mut impl FnMut(usize)) -> usize {
        let end = whole_blocks(bytes.len());
        let [first, second] = pairs(select).map(|pair| _mm512_set1_epi32(pair));
        let chosen = _mm512_set1_epi32(CHOSEN);
        for block in (0..end).step_by(BLOCK) {
            let bytes = &bytes[block..block + BLOCK + 31];
            let hits: [u16; 4] = std::array::from_fn(|at| {
                // SAFETY: the second load ends at 3 + 4 + 64, and there are 95 bytes.
                let (low, high) = unsafe {
                    let place = bytes.as_ptr().add(at);
                    (_mm512_loadu_si512(place.cast()), _mm512_loadu_si512(place.add(4).cast()))
                };
                let sum = _mm512_add_epi32(_mm512_madd_epi16(low, first), _mm512_madd_epi16(high, second));
                _mm512_testn_epi32_mask(sum, chosen)
            });
            if hits == [0; 4] {
                continue;
            }
            let mut taken = 0;
            for (at, lanes) in hits.into_iter().enumerate() {
                each(lanes.into(), block + at, &mut taken, take);
            }
        }
        end
    }

    /// Takes the positions of set lanes, as long as a block's samples are not too dense.
    fn each(mut lanes: u32, start: usize, taken: &mut u32, take: &mut impl FnMut(usize)) {
        while lanes != 0 && *taken < DENSE {
            let lane = lanes.trailing_zeros() as usize;
            lanes &= lanes - 1;
            *taken += 1;
            take(start + 4 * lane);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(len: usize, seed: u64) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn common(a: Option<Sketch>, b: Option<Sketch>) -> usize {
        a.zip(b).map_or(0, |(a, b)| a.iter().zip(&b).filter(|(a, b)| a == b).count())
    }

    #[test]
    fn every_instruction_set_makes_the_same_sketches() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let key = [3; 32];
            let (plain, fast) = (Sketcher::new(&key), Sketcher::new(&key).with_isa(isa).unwrap());
            let plain = plain.with_isa(Isa::Scalar).unwrap();
            for (seed, len) in (0..).zip((4000..4400).chain([65_536, 100_003])) {
                let mut bytes = noise(len, seed);
                assert_eq!(fast.sketch(&bytes), plain.sketch(&bytes), "{isa}, {len} bytes");
                bytes.iter_mut().for_each(|byte| *byte &= 3);
                bytes[1000..2000].fill(0);
                assert_eq!(fast.sketch(&bytes), plain.sketch(&bytes), "{isa}, {len} bytes of few symbols");
                bytes.fill(seed as u8);
                assert_eq!(fast.sketch(&bytes), plain.sketch(&bytes), "{isa}, {len} equal bytes");
            }
        }
    }

    #[test]
    fn a_sketch_is_frozen() {
        let bytes = noise(50_000, 1);
        assert_eq!(Sketcher::new(&[1; 32]).sketch(&bytes), Some(GOLDEN));
        assert_ne!(Sketcher::new(&[2; 32]).sketch(&bytes), Some(GOLDEN));
    }

    const GOLDEN: Sketch = [4215095731, 660422940, 1957710239, 3347491177, 2745165391, 2955916507];

    #[test]
    fn chunks_with_a_few_edits_are_alike_and_others_are_not() {
        let sketcher = Sketcher::new(&[7; 32]);
        let (mut alike, mut unlike) = (0, 0);
        for seed in 0..300 {
            let old = noise(45_000, seed);
            let mut new = old.clone();
            new.splice(
                seed as usize * 100..seed as usize * 100 + 40,
                *b"something that was not there before",
            );
            alike += usize::from(common(sketcher.sketch(&old), sketcher.sketch(&new)) > 0);
            unlike += common(sketcher.sketch(&old), sketcher.sketch(&noise(45_000, seed + 1000)));
        }
        assert!(alike == 300 && unlike == 0, "{alike} of 300 alike, {unlike} features in common");
    }

    #[test]
    fn short_content_has_no_sketch() {
        let sketcher = Sketcher::new(&[7; 32]);
        assert_eq!(sketcher.sketch(&[]), None);
        assert_eq!(sketcher.sketch(&noise(Sketcher::LEN_MIN - 1, 0)), None);
        assert!(sketcher.sketch(&noise(Sketcher::LEN_MIN, 0)).is_some());
    }

    proptest! {
        #[test]
        fn moved_content_keeps_its_features(seed: u64, shift in 1..200_usize) {
            let bytes = noise(60_000, seed);
            let sketcher = Sketcher::new(&[7; 32]);
            let moved = [noise(shift, !seed), bytes.clone()].concat();
            prop_assert!(common(sketcher.sketch(&bytes), sketcher.sketch(&moved)) > 0);
        }
    }
}
