//! NEON, which every AArch64 processor has.

use std::arch::aarch64::*;
use std::iter::zip;

use super::params::SeqCdcParams;
use super::places::{PAIR, Places, STEP};
use super::skipping::Steps;
use super::{BLOCK, skipping};

entries!();

#[target_feature(enable = "neon")]
fn skipping_len_here(params: &SeqCdcParams, bytes: &[u8]) -> usize {
    // There is no stable way to prefetch.
    skipping::len_by(params, bytes, |block| steps(block), skipping::select, |_, _| {})
}

#[target_feature(enable = "neon")]
fn places_len_here(places: &Places, bytes: &[u8]) -> usize {
    let key = places.window_key().map(|number| vdupq_n_u16(number));
    let none = [vdupq_n_s16(i16::MAX), vdupq_n_s16(0)];
    places.len_by(
        bytes,
        |block| steps(block).rises,
        none,
        |lowest, pair, number| lower(lowest, pair, number, key),
        |lowest| zip(lanes(lowest[0]), lanes(lowest[1])),
        |_, _| {},
    )
}

#[inline]
#[target_feature(enable = "neon")]
fn steps(block: &[u8; BLOCK + 1]) -> Steps {
    let quarter = |i: usize| {
        let quarter: &[u8; 17] = block[16 * i..].first_chunk().expect("four quarters");
        let ([before @ .., _], [_, byte @ ..]) = (quarter, quarter);
        let (before, byte) = (load(before), load(byte));
        (vcgtq_u8(byte, before), vcgtq_u8(before, byte))
    };
    let [(r0, f0), (r1, f1), (r2, f2), (r3, f3)] = [quarter(0), quarter(1), quarter(2), quarter(3)];
    Steps { rises: mask([r0, r1, r2, r3]), falls: mask([f0, f1, f2, f3]) }
}

/// One bit of each of 64 bytes that are all ones or all zeros.
#[inline]
#[target_feature(enable = "neon")]
fn mask(quarters: [uint8x16_t; 4]) -> u64 {
    let weights = vreinterpretq_u8_u64(vdupq_n_u64(0x8040_2010_0804_0201));
    let [a, b, c, d] = quarters.map(|quarter| vandq_u8(quarter, weights));
    // Each step adds neighbours: after three, a byte holds the bits of eight.
    let eighths = vpaddq_u8(vpaddq_u8(a, b), vpaddq_u8(c, d));
    vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(eighths, eighths)))
}

/// The least hash in each lane, and the number of the pair of blocks where it stood first.
type Lowest = [int16x8_t; 2];

/// Takes the windows of a pair of blocks into the least hashes.
#[inline]
#[target_feature(enable = "neon")]
fn lower([lowest, place]: Lowest, pair: &[u8; PAIR], number: i16, key: [uint16x8_t; 3]) -> Lowest {
    let pairs = |at: usize| vreinterpretq_u16_u8(load(pair[at..].first_chunk().expect("within the pair")));
    let hashes = |at: usize| {
        vreinterpretq_s16_u16(vmlaq_u16(vmlaq_u16(key[2], pairs(at), key[0]), pairs(at + 2), key[1]))
    };
    // Windows at even and odd places, of all quarters of both blocks.
    let least = |at: usize| vminq_s16(hashes(at), hashes(at + 1));
    let least = (0..8).map(|i| least(i / 4 * STEP + i % 4 * 16)).fold(lowest, |a, b| vminq_s16(a, b));
    [least, vbslq_s16(vcltq_s16(least, lowest), vdupq_n_s16(number), place)]
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "a vector is loaded through a pointer")]
fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference is to 16 bytes, and the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
#[expect(unsafe_code, reason = "a vector is stored through a pointer")]
fn lanes(vector: int16x8_t) -> [i16; 8] {
    let mut lanes = [0; 8];
    // SAFETY: the array has the size of the vector, and the store needs no alignment.
    unsafe { vst1q_s16(lanes.as_mut_ptr(), vector) };
    lanes
}
