//! Contents of every kind that a chunker has trouble with.

use warp::testing::Rng;

/// Makes a content of so many bytes.
type Make = fn(&mut Rng, usize) -> Vec<u8>;

/// The kinds, by name.
pub(crate) const KINDS: [(&str, Make); 20] = [
    ("random", |rng, len| rng.bytes(len)),
    ("text", text),
    ("zeros", |_, len| vec![0; len]),
    ("runs", runs),
    ("period 2", |_, len| by(len, |i| b"ab"[i % 2])),
    ("period 3", |_, len| by(len, |i| b"abc"[i % 3])),
    ("period 7", |_, len| by(len, |i| b"abcdefg"[i % 7])),
    ("period 60", |_, len| by(len, |i| (i % 60) as u8)),
    ("period 1000", |rng, len| rng.bytes(1000).into_iter().cycle().take(len).collect()),
    ("ramp", |_, len| by(len, |i| i as u8)),
    ("slow ramp", |_, len| by(len, |i| (i / 300) as u8)),
    ("counter", |_, len| by(len, |i| ((i / 4) >> (8 * (i % 4))) as u8)),
    ("0/255", |rng, len| by(len, |_| if rng.one_in(2) { 0 } else { 255 })),
    ("five symbols", |rng, len| by(len, |_| rng.below(5) as u8)),
    ("dna", |rng, len| by(len, |_| *rng.pick(b"ACGT"))),
    ("small u32", |rng, len| by(len, |i| if i % 4 == 0 { rng.below(16) as u8 } else { 0 })),
    ("samples", samples),
    ("sparse", |rng, len| by(len, |_| u8::from(rng.one_in(300)))),
    ("very sparse", |rng, len| by(len, |_| u8::from(rng.one_in(5000)))),
    ("mixed", mixed),
];

fn by(len: usize, f: impl FnMut(usize) -> u8) -> Vec<u8> {
    (0..len).map(f).collect()
}

/// Words of a made-up language, frequent ones more often.
fn text(rng: &mut Rng, len: usize) -> Vec<u8> {
    let word = |rng: &mut Rng| by(2 + rng.below(8), |_| b'a' + rng.below(26) as u8);
    let words: Vec<_> = (0..5000).map(|_| word(rng)).collect();
    let mut text = Vec::with_capacity(len + 16);
    while text.len() < len {
        let rank = rng.below(words.len()) * rng.below(words.len()) / words.len();
        text.extend_from_slice(&words[rank]);
        text.push(if rng.one_in(12) { b'\n' } else { b' ' });
    }
    text.truncate(len);
    text
}

/// Runs of 1 to 2000 bytes.
fn runs(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut runs = Vec::with_capacity(len + 2000);
    while runs.len() < len {
        runs.resize(runs.len() + 1 + rng.below(2000), rng.below(256) as u8);
    }
    runs.truncate(len);
    runs
}

/// A wave in samples of 16 bits, with noise.
fn samples(rng: &mut Rng, len: usize) -> Vec<u8> {
    let wave = |i: usize| ((i as f64 * 0.05).sin() * 8000.0) as i16;
    let mut samples: Vec<u8> =
        (0..len.div_ceil(2)).flat_map(|i| (wave(i) + rng.below(64) as i16).to_le_bytes()).collect();
    samples.truncate(len);
    samples
}

/// Stretches of 1 to 64 KiB of all the other kinds, and of what was there before.
fn mixed(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut mixed: Vec<u8> = Vec::with_capacity(len + (64 << 10));
    while mixed.len() < len {
        let piece = 1024 + rng.below(63 << 10);
        // The last kind is this one.
        let kind = rng.below(KINDS.len());
        if kind + 1 < KINDS.len() {
            mixed.extend(KINDS[kind].1(rng, piece));
        } else if mixed.len() > piece {
            let at = rng.below(mixed.len() - piece);
            mixed.extend_from_within(at..at + piece);
        }
    }
    mixed.truncate(len);
    mixed
}
