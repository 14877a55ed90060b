//! What the tests of every format share.
use super::DecodeError;
use super::fuzzing::{GOLDEN, unhex};

/// Decodes, and encodes what came out.
pub(crate) type Recode = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

/// Fails unless `bytes` are what the golden file `name` holds, and shows them as the file would.
pub(crate) fn assert_golden(bytes: &[u8], name: &str) {
    let golden = GOLDEN.iter().find(|(found, _)| *found == name).expect("golden files are listed").1;
    let lines: Vec<_> = bytes.chunks(32).map(|line| data_encoding::HEXLOWER.encode(line)).collect();
    assert!(unhex(golden) == bytes, "the format has changed; golden/{name} is now\n{}\n", lines.join("\n"));
}

/// Fails unless every flip of bits in every byte and every truncation of `bytes` is refused, or is the one encoding of
/// another value. `bytes` itself must be valid.
pub(crate) fn assert_canonical(bytes: &[u8], recode: Recode) {
    assert_eq!(recode(bytes).as_deref(), Ok(bytes));
    for len in 0..bytes.len() {
        assert_refused_or_identical(&bytes[..len], recode);
    }
    let mut damaged = bytes.to_vec();
    for place in 0..bytes.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            damaged[place] ^= mask;
            assert_refused_or_identical(&damaged, recode);
            damaged[place] ^= mask;
        }
    }
    damaged.push(0);
    assert_refused_or_identical(&damaged, recode);
}

/// Fails unless every flip of bits in every byte and every truncation of `bytes` is refused.
pub(crate) fn assert_damage_is_found(bytes: &[u8], recode: Recode) {
    assert_eq!(recode(bytes).as_deref(), Ok(bytes));
    for len in 0..bytes.len() {
        assert!(recode(&bytes[..len]).is_err(), "truncated to {len}");
    }
    let mut damaged = bytes.to_vec();
    for place in 0..bytes.len() {
        for mask in 1..=255 {
            damaged[place] ^= mask;
            assert!(recode(&damaged).is_err(), "byte {place} ^ {mask}");
            damaged[place] ^= mask;
        }
    }
    damaged.push(0);
    assert!(recode(&damaged).is_err(), "a byte more");
}

pub(crate) fn assert_refused_or_identical(bytes: &[u8], recode: Recode) {
    if let Ok(again) = recode(bytes) {
        assert!(again == bytes, "accepted {bytes:02x?}, which should be {again:02x?}");
    }
}
