//! Lengths that say little about content.

use crate::limits::{BLOCK_LEN_MAX, KIB, PACK_LEN_FULL};

/// Packs below this length are padded to a power of two.
const SMALL: u64 = 64 * KIB as u64;

/// A pack that is closed because a block does not fit has at least this length, unless it has too many objects.
const NEARLY_FULL: u64 = (PACK_LEN_FULL - 2 * BLOCK_LEN_MAX) as u64;

/// Full packs are padded to a multiple of this.
const FULL_STEP: u64 = 256 * KIB as u64;

/// The length to which a pack of `len` bytes is padded; `full`: it was closed because the next block did not fit.
///
/// Full packs, which end where a block happened to end, have one of few lengths. Others: powers of two below 64 KiB, above
/// that Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PoPETS
/// 2019), which adds at most 12 %.
pub(super) fn padded_len(len: u64, full: bool) -> u64 {
    if full && len >= NEARLY_FULL {
        len.next_multiple_of(FULL_STEP)
    } else if len < SMALL {
        len.next_power_of_two()
    } else {
        padme(len)
    }
}

/// Keeps as many leading bits of `len` as its exponent has binary digits, rounding up.
fn padme(len: u64) -> u64 {
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1u64 << exponent.saturating_sub(kept)) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_only_grows_and_adds_at_most_twelve_per_cent_to_large_packs() {
        for len in (1..200_000).chain((1 << 20..PACK_LEN_FULL as u64).step_by(99_991)) {
            let padded = padded_len(len, false);
            assert!(padded >= len, "{len}");
            assert!(len < SMALL || padded * 100 <= len * 112, "{len} -> {padded}");
            assert_eq!(padded_len(padded, false), padded, "{len}");
        }
    }

    #[test]
    fn lengths_above_64_kib_take_few_values() {
        let lengths: std::collections::BTreeSet<_> =
            (SMALL..PACK_LEN_FULL as u64).step_by(977).map(|len| padded_len(len, false)).collect();
        assert!(lengths.len() < 400, "{}", lengths.len());
    }

    #[test]
    fn full_packs_have_few_lengths() {
        let full = PACK_LEN_FULL as u64;
        let lengths: std::collections::BTreeSet<_> =
            (full - 2 * BLOCK_LEN_MAX as u64..=full).step_by(977).map(|len| padded_len(len, true)).collect();
        assert_eq!(lengths.len(), 2 * BLOCK_LEN_MAX / FULL_STEP as usize + 1);
        assert_eq!(lengths.last(), Some(&full));
        assert_eq!(padded_len(5_000_000, true), padded_len(5_000_000, false));
    }
}
