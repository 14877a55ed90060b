//! A blocked Bloom filter over locators: says "surely not here" for nearly every object that is new.
//!
//! Locators are uniformly random (keyed hashes), so their own bits serve as hashes: the first eight bytes choose one
//! of the 64-byte blocks, six groups of nine bits of the other eight choose bits in it. 10 bits a row give about 1 %
//! false positives; each costs one look at a page.

use crate::id::Locator;

const BLOCK: usize = 64;
const PROBES: u32 = 6;
const BITS_PER_ROW: usize = 10;

/// Fewer rows than this need no filter: their pages fit the cache.
pub(super) const ROWS_MIN: usize = 4096;

/// Builds the filter's bytes; empty for few rows.
pub(super) fn build(locators: impl ExactSizeIterator<Item = Locator>) -> Vec<u8> {
    if locators.len() < ROWS_MIN {
        return Vec::new();
    }
    let blocks = (locators.len() * BITS_PER_ROW).div_ceil(BLOCK * 8);
    let mut filter = vec![0; blocks * BLOCK];
    for locator in locators {
        let (block, bits) = place(&locator, blocks);
        for bit in bits {
            filter[block * BLOCK + bit / 8] |= 1 << (bit % 8);
        }
    }
    filter
}

/// Whether the locator may be among those that the filter was built from.
pub(super) fn may_contain(filter: &[u8], locator: &Locator) -> bool {
    let blocks = filter.len() / BLOCK;
    if blocks == 0 {
        return true;
    }
    let (block, mut bits) = place(locator, blocks);
    bits.all(|bit| filter[block * BLOCK + bit / 8] & (1 << (bit % 8)) != 0)
}

fn place(locator: &Locator, blocks: usize) -> (usize, impl Iterator<Item = usize> + use<>) {
    let (high, low) = halves(locator);
    let block = ((u128::from(high) * blocks as u128) >> 64) as usize;
    (block, (0..PROBES).map(move |probe| ((low >> (9 * probe)) & 511) as usize))
}

fn halves(locator: &Locator) -> (u64, u64) {
    let both = u128::from_be_bytes(*locator.as_bytes());
    ((both >> 64) as u64, both as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locator(seed: u64) -> Locator {
        let hash = blake3::hash(&seed.to_le_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Locator::new(bytes)
    }

    #[test]
    fn a_filter_never_denies_what_it_holds_and_denies_nearly_all_else() {
        let count = 20_000;
        let filter = build((0..count).map(locator).collect::<Vec<_>>().into_iter());
        assert!((0..count).all(|seed| may_contain(&filter, &locator(seed))));
        let wrong = (count..3 * count).filter(|&seed| may_contain(&filter, &locator(seed))).count();
        assert!(wrong < 1200, "{wrong} of 40000 false positives");
    }

    #[test]
    fn few_rows_have_no_filter_and_no_filter_denies_nothing() {
        assert_eq!(build((0..10).map(locator).collect::<Vec<_>>().into_iter()), Vec::<u8>::new());
        assert!(may_contain(&[], &locator(1)));
    }
}
