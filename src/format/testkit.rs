//! What the tests of every format share.
use super::DecodeError;

/// Decodes, and encodes what came out.
pub(crate) type Recode = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

/// The bytes of a golden file: hexadecimal digits with white space between them.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_ascii_whitespace().collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("a golden file is hexadecimal")
}

/// Every golden file with its name.
pub(crate) const GOLDEN: &[(&str, &str)] = &[
    ("commit_body.hex", include_str!("golden/commit_body.hex")),
    ("config.hex", include_str!("golden/config.hex")),
    ("dir_entry.hex", include_str!("golden/dir_entry.hex")),
    ("dir_inner.hex", include_str!("golden/dir_inner.hex")),
    ("dir_leaf.hex", include_str!("golden/dir_leaf.hex")),
    ("file_node.hex", include_str!("golden/file_node.hex")),
    ("index_footer.hex", include_str!("golden/index_footer.hex")),
    ("index_header.hex", include_str!("golden/index_header.hex")),
    ("index_page.hex", include_str!("golden/index_page.hex")),
    ("keyring.hex", include_str!("golden/keyring.hex")),
    ("log_entry.hex", include_str!("golden/log_entry.hex")),
    ("log_private.hex", include_str!("golden/log_private.hex")),
    ("pack_directory.hex", include_str!("golden/pack_directory.hex")),
    ("pack_header.hex", include_str!("golden/pack_header.hex")),
    ("signed_commit.hex", include_str!("golden/signed_commit.hex")),
    ("state.hex", include_str!("golden/state.hex")),
];

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
