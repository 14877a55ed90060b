//! What must hold of the chunks, whatever the content is.

mod adversary;
mod hostile_content;
mod hostile_items;
mod items;
mod locality;
mod oracle;
mod segments;

use super::*;
use crate::chunk::ChunkData;
pub(super) use locality::{Edit, boundaries};

/// A small generator of test data: splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(super) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

fn chunker(unit: u32) -> Chonkers {
    Chonkers::new(ChonkersConfig::with_unit(unit).expect("a valid unit"), &[7; 32])
}

/// A wave of parabolas.
fn wave(i: usize) -> i16 {
    let x = (i % 314) as i32 - 157;
    (x * (157 - x.abs()) * 5) as i16
}

fn samples(len: usize) -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random(1);
    let by = |f: &mut dyn FnMut(usize) -> u8| (0..len).map(f).collect::<Vec<u8>>();
    let mut samples = vec![
        ("zeros", vec![0; len]),
        ("ramp", by(&mut |i| i as u8)),
        ("slow ramp", by(&mut |i| (i / 300) as u8)),
        ("counter", by(&mut |i| ((i / 4) >> (8 * (i % 4))) as u8)),
        ("period 3", by(&mut |i| b"abc"[i % 3])),
        ("period 7", by(&mut |i| b"abcdefg"[i % 7])),
        ("period 60", by(&mut |i| (i % 60) as u8)),
        ("period 1000", by(&mut |i| ((i % 1000) * (i % 1000) / 7) as u8)),
        ("pcm", by(&mut |i| wave(i / 2).to_le_bytes()[i % 2])),
    ];
    samples.push(("random", random.bytes(len)));
    samples.push(("0/255", by(&mut |_| if random.below(2) == 0 { 0 } else { 255 })));
    samples.push(("five symbols", by(&mut |_| random.below(5) as u8)));
    samples.push(("dna", by(&mut |_| b"ACGT"[random.below(4) as usize])));
    samples.push(("sparse", by(&mut |_| if random.below(300) == 0 { 1 } else { 0 })));
    samples.push(("small u32", by(&mut |i| if i % 4 == 0 { random.below(16) as u8 } else { 0 })));
    samples
}

fn reconstruct(chunks: &mut Vec<Chunk>, out: &mut Vec<u8>, data: ChunkData<'_>) {
    assert_eq!(data.bytes.len(), data.chunk.len as usize);
    chunks.push(data.chunk);
    for _ in 0..data.chunk.repeat {
        out.extend_from_slice(data.bytes);
    }
}

#[test]
fn chunks_in_order_give_back_the_content_at_every_split() {
    let chunker = chunker(4096);
    for (name, data) in samples(150_000) {
        let whole = chunker.cut(&data);
        for step in [1, 777, 65_536, data.len()] {
            let (mut chunks, mut out) = (Vec::new(), Vec::new());
            let mut stream = chunker.stream();
            for piece in data.chunks(step) {
                stream.push(piece, &mut |data| reconstruct(&mut chunks, &mut out, data));
            }
            stream.finish(&mut |data| reconstruct(&mut chunks, &mut out, data));
            assert!(out == data, "{name} in steps of {step}: other bytes");
            assert_eq!(chunks, whole, "{name} in steps of {step}");
        }
    }
}

#[test]
fn every_instruction_set_cuts_at_the_same_places() {
    for unit in [4096, 65_536] {
        for (name, data) in samples(700_000) {
            let expected = chunker(unit).on(Isa::Scalar).expect("always there").cut(&data);
            for isa in Isa::ALL {
                match chunker(unit).on(isa) {
                    Ok(chunker) => assert_eq!(chunker.cut(&data), expected, "{name} with {isa}"),
                    Err(error) => assert_eq!(error, IsaError::Missing { isa }),
                }
            }
        }
    }
}

#[test]
fn cuts_are_the_released_ones() {
    let mut digest = blake3::Hasher::new();
    for (name, data) in samples(300_000) {
        for unit in [4096, 65_536] {
            digest.update(name.as_bytes());
            for chunk in chunker(unit).cut(&data) {
                digest.update(&chunk.len.to_le_bytes());
                digest.update(&chunk.repeat.to_le_bytes());
            }
        }
    }
    assert_eq!(
        digest.finalize().to_hex().as_str(),
        "d8cf8799c3acf2f078bb0b6f5f2d172064dd4d5cb26cb5c1c2b2473abf6b3720"
    );
}

#[test]
fn content_of_at_most_the_unit_is_one_chunk() {
    for unit in [4096_u32, 65_536, 1 << 20] {
        let chunker = chunker(unit);
        assert_eq!(chunker.cut(&[]), []);
        for (name, data) in samples(unit as usize + 1) {
            for len in [1, unit / 2 + 1, unit - 1, unit] {
                let whole = Chunk { offset: 0, len, repeat: 1 };
                assert_eq!(chunker.cut(&data[..len as usize]), [whole], "{name}");
            }
            let more = chunker.cut(&data);
            assert!(more.len() > 1 || more[0].repeat > 1, "{name}: {more:?}");
        }
        let mut chunks = Vec::new();
        let mut stream = chunker.stream();
        stream.push_zeros(u64::from(unit), &mut |data| chunks.push(data.chunk));
        stream.finish(&mut |data| chunks.push(data.chunk));
        assert_eq!(chunks, [Chunk { offset: 0, len: unit, repeat: 1 }]);
    }
}

#[test]
fn units_other_than_powers_of_two_within_bounds_are_refused() {
    for unit in [0, 1, 2048, 5000, 65_535, 1 << 21] {
        assert!(ChonkersConfig::with_unit(unit).is_err(), "{unit}");
    }
    for config in [ChonkersConfig::default(), ChonkersConfig::backup(), ChonkersConfig::fine()] {
        assert_eq!(ChonkersConfig::with_unit(config.unit()), Ok(config));
    }
}

#[test]
fn another_key_cuts_elsewhere() {
    let data = Random(2).bytes(400_000);
    let other = Chonkers::new(ChonkersConfig::with_unit(4096).expect("a valid unit"), &[8; 32]);
    let (ours, theirs) = (boundaries(&chunker(4096), &data), boundaries(&other, &data));
    let common = ours.iter().filter(|end| theirs.contains(end)).count();
    assert!(common < ours.len() / 20, "{common} of {} boundaries in common", ours.len());
}

#[test]
fn chunks_keep_the_bounds_of_weight() {
    let unit = 4096;
    let chunker = chunker(unit);
    for (name, data) in samples(400_000) {
        let chunks = chunker.cut(&data);
        let unit = u64::from(unit);
        for chunk in &chunks {
            assert!(u64::from(chunk.len) <= unit, "{name}: {chunk:?}");
            assert!(chunk.repeat == 1 || chunk.total_len() > unit, "{name}: {chunk:?}");
        }
        for pair in chunks.windows(2) {
            let (a, b) = (pair[0].total_len(), pair[1].total_len());
            assert!(a.max(b) >= unit / 2, "{name}: two light neighbours {pair:?}");
            assert!(a + b >= unit * 3 / 4, "{name}: {pair:?}");
        }
    }
}

#[test]
fn a_tebibyte_of_zeros_is_a_handful_of_chunks() {
    let chunker = chunker(65_536);
    let mut chunks = Vec::new();
    let mut stream = chunker.stream();
    stream.push(b"head", &mut |data| chunks.push(data.chunk));
    stream.push_zeros(1 << 40, &mut |data| chunks.push(data.chunk));
    stream.push(b"tail", &mut |data| chunks.push(data.chunk));
    stream.finish(&mut |data| chunks.push(data.chunk));
    assert!(chunks.len() < 6, "{chunks:?}");
    assert_eq!(chunks.last().map(Chunk::end), Some((1 << 40) + 8));
}

#[test]
fn a_stream_holds_a_bounded_part_of_the_content() {
    let unit = 4096;
    for (name, data) in samples(1_000_000) {
        let mut stream = chunker(unit).stream();
        for _ in 0..3 {
            stream.push(&data, &mut |_| ());
            let held = stream.held();
            assert!(held <= (256 << 10) + 32 * unit as usize, "{name}: {held} bytes held");
        }
    }
}
