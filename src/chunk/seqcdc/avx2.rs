//! AVX2, with the bit instructions that come with it.

use std::arch::x86_64::*;
use std::iter::zip;

use super::params::SeqCdcParams;
use super::places::{PAIR, Places, STEP};
use super::skipping::Steps;
use super::{BLOCK, skipping};

entries!();

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn skipping_len_here(params: &SeqCdcParams, bytes: &[u8]) -> usize {
    skipping::len_by(params, bytes, |block| steps(block), |mask, n| select(mask, n), fetch)
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn places_len_here(places: &Places, bytes: &[u8]) -> usize {
    let key = places.window_key().map(|number| _mm256_set1_epi16(number as i16));
    let none = [_mm256_set1_epi16(i16::MAX), _mm256_setzero_si256()];
    places.len_by(
        bytes,
        |block| steps(block).rises,
        none,
        |lowest, pair, number| lower(lowest, pair, number, key),
        |lowest| zip(lanes(lowest[0]), lanes(lowest[1])),
        fetch,
    )
}

/// The place of the n-th bit of `mask`, counted from 0.
#[inline]
#[target_feature(enable = "bmi1,bmi2")]
pub(super) fn select(mask: u64, n: u32) -> u32 {
    _pdep_u64(1 << n, mask).trailing_zeros()
}

/// Brings the cache line at an index nearer, which need not be one of `bytes`.
#[inline]
#[expect(unsafe_code, reason = "the instruction takes a pointer")]
pub(super) fn fetch(bytes: &[u8], at: usize) {
    // SAFETY: a prefetch reads nothing that the program could see and never faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(at).cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn steps(block: &[u8; BLOCK + 1]) -> Steps {
    let low = steps_of_half(block[..33].try_into().expect("33 bytes"));
    let high = steps_of_half(block[32..].try_into().expect("33 bytes"));
    let join = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    Steps { rises: join(low.0, high.0), falls: join(low.1, high.1) }
}

/// The rises and the falls among 32 bytes. Bytes are compared as unsigned, for which there is only a maximum.
#[inline]
#[target_feature(enable = "avx2")]
fn steps_of_half(half: &[u8; 33]) -> (u32, u32) {
    let ([before @ .., _], [_, byte @ ..]) = (half, half);
    let (before, byte) = (load(before), load(byte));
    let greater = _mm256_max_epu8(before, byte);
    let is_not_rise = _mm256_movemask_epi8(_mm256_cmpeq_epi8(greater, before));
    let is_not_fall = _mm256_movemask_epi8(_mm256_cmpeq_epi8(greater, byte));
    (!is_not_rise as u32, !is_not_fall as u32)
}

/// The least hash in each lane, and the number of the pair of blocks where it stood first.
type Lowest = [__m256i; 2];

/// Takes the windows of a pair of blocks into the least hashes.
#[inline]
#[target_feature(enable = "avx2")]
fn lower([lowest, place]: Lowest, pair: &[u8; PAIR], number: i16, key: [__m256i; 3]) -> Lowest {
    let pairs = |at: usize| load(pair[at..].first_chunk().expect("within the pair"));
    let hashes = |at: usize| {
        let (low, high) = (_mm256_mullo_epi16(pairs(at), key[0]), _mm256_mullo_epi16(pairs(at + 2), key[1]));
        _mm256_add_epi16(_mm256_add_epi16(low, high), key[2])
    };
    // Windows at even and odd places, of both halves of both blocks.
    let least = |at: usize| _mm256_min_epi16(hashes(at), hashes(at + 1));
    let [a, b] = [0, STEP].map(|at| _mm256_min_epi16(least(at), least(at + 32)));
    let least = _mm256_min_epi16(a, b);
    let is_lower = _mm256_cmpgt_epi16(lowest, least);
    [_mm256_min_epi16(least, lowest), _mm256_blendv_epi8(place, _mm256_set1_epi16(number), is_lower)]
}

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "a vector is loaded through a pointer")]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the reference is to 32 bytes, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
#[expect(unsafe_code, reason = "a vector is stored through a pointer")]
fn lanes(vector: __m256i) -> [i16; 16] {
    let mut lanes = [0; 16];
    // SAFETY: the array has the size of the vector, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), vector) };
    lanes
}
