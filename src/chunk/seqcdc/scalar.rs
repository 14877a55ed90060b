//! Plain Rust: the definition of both chunkers.

use super::params::SeqCdcParams;
use super::places::WindowKey;
#[cfg(test)]
use super::{BLOCK, skipping::Steps};

/// Length of the chunk that starts `bytes`: the published algorithm, of which this is the transcription.
pub(super) fn skipping_len(params: &SeqCdcParams, bytes: &[u8]) -> usize {
    let n = bytes.len().min(params.max());
    let (mut i, mut run, mut falls) = (params.min(), 0, 0);
    while i < n {
        let (before, byte) = (bytes[i - 1], bytes[i]);
        i += 1;
        if before < byte {
            run += 1;
            if run == params.rises() {
                return i - 1;
            }
        } else if before > byte {
            run = 0;
            falls += 1;
            if falls == params.falls() {
                i += params.skip();
                falls = 0;
            }
        }
    }
    n
}

/// Which of 64 bytes are greater, and which less, than the byte before; `block` begins with the byte before the first.
#[cfg(test)]
pub(super) fn steps(block: &[u8; BLOCK + 1]) -> Steps {
    let mask = |is: fn(&u8, &u8) -> bool| {
        (0..BLOCK).fold(0, |mask, i| mask | u64::from(is(&block[i], &block[i + 1])) << i)
    };
    Steps { rises: mask(|a, b| a < b), falls: mask(|a, b| a > b) }
}

/// Index of the first of the windows of four bytes with the least hash; `bytes` holds at least one window.
pub(super) fn least(bytes: &[u8], key: WindowKey) -> usize {
    let hashes = bytes.windows(4).map(|window| hash(window, key)).enumerate();
    hashes.min_by_key(|(_, hash)| *hash).map_or(0, |(i, _)| i) // the first of equal ones
}

/// Index of the first window with this hash, which is there.
#[inline(always)]
pub(super) fn first_with(bytes: &[u8], key: WindowKey, wanted: i16) -> usize {
    /// Windows that are compared without a branch for each: the compiler makes vectors of them.
    const MANY: usize = 32;
    let mut start = 0;
    while let Some(many) = bytes[start..].first_chunk::<{ MANY + 3 }>() {
        let is_wanted: [bool; MANY] = std::array::from_fn(|i| hash(&many[i..i + 4], key) == wanted);
        if is_wanted.contains(&true) {
            return start + is_wanted.iter().take_while(|is_wanted| !**is_wanted).count();
        }
        start += MANY;
    }
    let found = bytes[start..].windows(4).position(|window| hash(window, key) == wanted);
    start + found.expect("a hash that was computed from these bytes")
}

/// The keyed hash of four bytes, as of two numbers of 16 bits.
pub(super) fn hash(window: &[u8], key: WindowKey) -> i16 {
    let [a, b, c, d] = *window else { unreachable!("a window has four bytes") };
    let (low, high) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    low.wrapping_mul(key[0]).wrapping_add(high.wrapping_mul(key[1])).wrapping_add(key[2]) as i16
}
