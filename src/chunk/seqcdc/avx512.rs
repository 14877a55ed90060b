//! AVX-512.

use std::arch::x86_64::*;
use std::iter::zip;

use super::avx2::{fetch, select};
use super::params::SeqCdcParams;
use super::places::{PAIR, Places, STEP};
use super::skipping::Steps;
use super::{BLOCK, skipping};

entries!();

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn skipping_len_here(params: &SeqCdcParams, bytes: &[u8]) -> usize {
    skipping::len_by(params, bytes, |block| steps(block), |mask, n| select(mask, n), fetch)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,lzcnt,popcnt")]
fn places_len_here(places: &Places, bytes: &[u8]) -> usize {
    let key = places.window_key().map(|number| _mm512_set1_epi16(number as i16));
    let none = [_mm512_set1_epi16(i16::MAX), _mm512_setzero_si512()];
    places.len_by(
        bytes,
        |block| steps(block).rises,
        none,
        |lowest, pair, number| lower(lowest, pair, number, key),
        |lowest| zip(lanes(lowest[0]), lanes(lowest[1])),
        fetch,
    )
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn steps(block: &[u8; BLOCK + 1]) -> Steps {
    let ([before @ .., _], [_, byte @ ..]) = (block, block);
    let (before, byte) = (load(before), load(byte));
    Steps { rises: _mm512_cmplt_epu8_mask(before, byte), falls: _mm512_cmpgt_epu8_mask(before, byte) }
}

/// The least hash in each lane, and the number of the pair of blocks where it stood first.
type Lowest = [__m512i; 2];

/// Takes the windows of a pair of blocks into the least hashes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn lower([lowest, place]: Lowest, pair: &[u8; PAIR], number: i16, key: [__m512i; 3]) -> Lowest {
    let pairs = |at: usize| load(pair[at..].first_chunk().expect("within the pair"));
    let hashes = |at: usize| {
        let (low, high) = (_mm512_mullo_epi16(pairs(at), key[0]), _mm512_mullo_epi16(pairs(at + 2), key[1]));
        _mm512_add_epi16(_mm512_add_epi16(low, high), key[2])
    };
    // Windows at even and odd places, of both blocks.
    let least = |at: usize| _mm512_min_epi16(hashes(at), hashes(at + 1));
    let least = _mm512_min_epi16(least(0), least(STEP));
    let is_lower = _mm512_cmplt_epi16_mask(least, lowest);
    [_mm512_min_epi16(least, lowest), _mm512_mask_mov_epi16(place, is_lower, _mm512_set1_epi16(number))]
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "a vector is loaded through a pointer")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference is to 64 bytes, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
#[expect(unsafe_code, reason = "a vector is stored through a pointer")]
fn lanes(vector: __m512i) -> [i16; 32] {
    let mut lanes = [0; 32];
    // SAFETY: the array has the size of the vector, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) };
    lanes
}
