//! Cut points that no release may move.

use super::*;

/// The content that is cut: every kind of sample, one behind the other.
fn content() -> Vec<u8> {
    samples(300_000).into_iter().flat_map(|(_, data)| data).collect()
}

/// A digest of the lengths of all chunks.
fn digest(chunker: SeqCdc, data: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    for chunk in chunker.cut(data) {
        hasher.update(&chunk.len.to_le_bytes());
        hasher.update(&chunk.repeat.to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[test]
fn the_content_is_the_frozen_one() {
    assert_eq!(blake3::hash(&content()).to_hex()[..16], *"b436ff338554f069");
}

#[test]
fn cuts_are_the_frozen_ones_on_every_kernel() {
    let mean = |mean| SeqCdc::new(SeqCdcConfig::with_mean(mean).expect("a valid mean"), &KEY);
    let chunkers = [
        SeqCdc::published(SeqCdcParams::published_8k()),
        SeqCdc::published(SeqCdcParams::published_16k()),
        mean(8 << 10),
        mean(16 << 10),
        mean(64 << 10),
    ];
    assert_eq!(chunkers.map(|chunker| chunker.id()), [1, 1, 3, 3, 3]);
    let data = content();
    for isa in available() {
        let found = chunkers.map(|chunker| digest(chunker.with_isa(isa).expect("available"), &data));
        let frozen = [
            "b3baec45a4a096f3",
            "4c08fec249ffbf0f",
            "27a37a6507c4ac69",
            "115757284d684931",
            "b2ad8f67bbfa6961",
        ];
        assert_eq!(found, frozen, "{isa}");
    }
}
