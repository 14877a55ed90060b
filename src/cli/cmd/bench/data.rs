//! Inputs from a seed: the same bytes on every machine.

/// Kinds of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing compresses it.
    Random,
    /// Lines of made-up words, frequent and rare ones.
    Text,
    /// Every second half page is random, the others repeat 16 bytes: about half is left of it.
    Half,
}

/// Words that the text is made of: a power of two.
const WORDS: usize = 4096;
/// Bytes of a half page.
const HALF_PAGE: usize = 2048;

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Random, Self::Text, Self::Half];

    /// Name in the results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Text => "text",
            Self::Half => "half",
        }
    }

    /// `len` bytes of this kind.
    pub(super) fn bytes(self, len: usize) -> Vec<u8> {
        match self {
            Self::Random => random(b"random", len),
            Self::Text => text(len),
            Self::Half => half(len),
        }
    }
}

fn random(seed: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(b"warp bench ").update(seed).finalize_xof().fill(&mut bytes);
    bytes
}

fn text(len: usize) -> Vec<u8> {
    let letters = random(b"words", WORDS * 16);
    let words: Vec<Vec<u8>> = letters.chunks_exact(16).map(word).collect();
    // At least two bytes of text come of four random ones.
    let mut choices = random(b"text", 2 * len + 4).into_iter();
    let mut number = move || u16::from_le_bytes([choices.next().unwrap_or(0), choices.next().unwrap_or(0)]);
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        let (a, b) = (number(), number());
        // The product of two numbers is small more often than not: so words are frequent and rare.
        let chosen = (usize::from(a) % WORDS) * (usize::from(b) % WORDS) / WORDS;
        text.extend_from_slice(&words[chosen]);
        text.push(if a >> 12 == 0 { b'\n' } else { b' ' });
    }
    text.truncate(len);
    text
}

/// A word of two to nine letters.
fn word(random: &[u8]) -> Vec<u8> {
    let len = 2 + usize::from(random[0] % 8);
    random[1..=len].iter().map(|byte| b'a' + byte % 26).collect()
}

fn half(len: usize) -> Vec<u8> {
    let mut bytes = random(b"half", len);
    for half_page in bytes.chunks_mut(HALF_PAGE).skip(1).step_by(2) {
        let record = half_page.len().min(16);
        let (first, rest) = half_page.split_at_mut(record);
        rest.chunks_mut(record.max(1)).for_each(|copy| copy.copy_from_slice(&first[..copy.len()]));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use warp::compress::{Compressor, Level};

    #[test]
    fn the_kinds_compress_as_their_names_say() {
        let ratio = |kind: Kind| {
            let (bytes, mut out) = (kind.bytes(1 << 20), Vec::new());
            Compressor::new(Level::Auto).unwrap().compress(&bytes, &mut out).unwrap();
            bytes.len() as f64 / out.len() as f64
        };
        assert!((0.99..1.01).contains(&ratio(Kind::Random)), "{}", ratio(Kind::Random));
        assert!((1.8..2.2).contains(&ratio(Kind::Half)), "{}", ratio(Kind::Half));
        assert!((2.0..5.0).contains(&ratio(Kind::Text)), "{}", ratio(Kind::Text));
    }

    #[test]
    fn inputs_have_the_length_that_is_asked_for_and_begin_alike() {
        for kind in Kind::ALL {
            let long = kind.bytes(10_000);
            for len in [0, 1, 15, 2047, 2049, 4100, 10_000] {
                let bytes = kind.bytes(len);
                assert_eq!(bytes.len(), len, "{kind:?}");
                assert!(long.starts_with(&bytes[..len / HALF_PAGE * HALF_PAGE]), "{kind:?} {len}");
            }
        }
    }
}
