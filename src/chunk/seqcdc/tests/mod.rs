//! What must hold of the cuts, whatever the content and the processor.

mod golden;
mod kernels;
mod locality;
mod stream;

use super::*;
use crate::testing::Rng;

const KEY: [u8; 32] = [7; 32];

/// The instruction sets of this processor.
fn available() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// Both chunkers at several sizes.
fn chunkers() -> Vec<SeqCdc> {
    let means = [4 << 10, 8 << 10, 64 << 10].map(|mean| SeqCdcConfig::with_mean(mean).expect("a valid mean"));
    let mut chunkers: Vec<_> = means.into_iter().map(|config| SeqCdc::new(config, &KEY)).collect();
    chunkers.extend([SeqCdcParams::published_8k(), SeqCdcParams::published_16k()].map(SeqCdc::published));
    chunkers
}

/// A wave of parabolas.
fn wave(i: usize) -> i16 {
    let x = (i % 314) as i32 - 157;
    (x * (157 - x.abs()) * 5) as i16
}

/// Data of all kinds that one chunker or another gets wrong.
fn samples(len: usize) -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = Rng::new(1);
    let by = |f: &mut dyn FnMut(usize) -> u8| (0..len).map(f).collect::<Vec<u8>>();
    let mut samples = vec![
        ("zeros", vec![0; len]),
        ("ramp", by(&mut |i| i as u8)),
        ("ramp down", by(&mut |i| !i as u8)),
        ("slow ramp", by(&mut |i| (i / 300) as u8)),
        ("counter", by(&mut |i| ((i / 4) >> (8 * (i % 4))) as u8)),
        ("period 2", by(&mut |i| [0x7f, 0x80][i % 2])),
        ("period 3", by(&mut |i| b"abc"[i % 3])),
        ("period 6", by(&mut |i| (i % 6) as u8)),
        ("period 7", by(&mut |i| (i % 7) as u8 + 0x7c)),
        ("period 60", by(&mut |i| (i % 60) as u8)),
        ("period 1000", by(&mut |i| ((i % 1000) * (i % 1000) / 7) as u8)),
        ("pcm", by(&mut |i| wave(i / 2).to_le_bytes()[i % 2])),
        ("random", rng.bytes(len)),
    ];
    let mut symbols = |name, symbols: &[u8]| {
        let at = |rng: &mut Rng| *rng.pick(symbols);
        samples.push((name, (0..len).map(|_| at(&mut rng)).collect()));
    };
    symbols("0/255", &[0, 255]);
    symbols("signs", &[0x7e, 0x7f, 0x80, 0x81]);
    symbols("five symbols", &[0, 1, 2, 3, 4]);
    symbols("seven symbols", &[0, 1, 2, 0x7f, 0x80, 0xfe, 0xff]);
    symbols("dna", b"ACGT");
    let sparse = by(&mut |_| u8::from(rng.one_in(300)));
    let small = by(&mut |i| if i % 4 == 0 { rng.below(16) as u8 } else { 0 });
    samples.extend([("sparse", sparse), ("small u32", small)]);
    samples
}

#[test]
fn this_machine_can_run_the_kernels_that_are_not_listed_here() {
    assert!(available().any(|isa| isa == Isa::Scalar));
    for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
        println!("SKIPPED: {isa} kernels not run: this processor lacks {isa}");
        assert!(SeqCdc::published(SeqCdcParams::published_8k()).with_isa(isa).is_err());
    }
}

#[test]
fn lengths_are_within_their_bounds_and_the_chunks_cover_the_content() {
    for chunker in chunkers() {
        for (name, data) in samples(300_000) {
            let chunks = chunker.cut(&data);
            let (last, others) = chunks.split_last().expect("there is data");
            for chunk in others {
                let len = chunk.len as usize;
                assert!((chunker.min_len()..=chunker.max_len()).contains(&len), "{name}: {len} bytes");
            }
            assert!((1..=chunker.max_len()).contains(&(last.len as usize)), "{name}: the last one");
            assert!(chunks.windows(2).all(|pair| pair[0].end() == pair[1].offset), "{name}");
            assert_eq!((chunks[0].offset, last.end()), (0, data.len() as u64), "{name}");
        }
        assert_eq!(chunker.cut(b""), []);
        assert_eq!(chunker.cut(b"a"), [Chunk { offset: 0, len: 1, repeat: 1 }]);
    }
}

#[test]
fn what_is_behind_the_greatest_length_makes_no_difference() {
    for chunker in chunkers() {
        for (name, mut data) in samples(2 * chunker.max_len()) {
            let len = chunker.next_len(&data);
            assert_eq!(chunker.next_len(&data[..chunker.max_len()]), len, "{name}");
            data[chunker.max_len()..].fill(0xaa);
            assert_eq!(chunker.next_len(&data), len, "{name}");
        }
    }
}

#[test]
fn the_mean_is_as_asked_on_data_without_structure() {
    let data = Rng::new(3).bytes(16 << 20);
    for mean in [8 << 10, 16 << 10, 64 << 10] {
        let chunker = SeqCdc::new(SeqCdcConfig::with_mean(mean).expect("a valid mean"), &KEY);
        let found = data.len() / chunker.cut(&data).len();
        assert!(found.abs_diff(mean as usize) < mean as usize / 20, "{found} instead of {mean}");
    }
}

#[test]
fn two_keys_cut_at_different_places() {
    let data = &samples(1 << 20).into_iter().find(|(name, _)| *name == "random").expect("there is one").1;
    let offsets = |key| {
        let chunks = SeqCdc::new(SeqCdcConfig::fine(), &[key; 32]).cut(data);
        chunks.into_iter().map(|chunk| chunk.offset).collect::<Vec<_>>()
    };
    let (one, other) = (offsets(1), offsets(2));
    let common = one.iter().filter(|offset| other.contains(offset)).count();
    assert!(common < one.len() / 5, "{common} of {}", one.len());
}

#[test]
fn parameters_outside_their_bounds_are_refused() {
    assert!(SeqCdcConfig::with_mean(8 << 10).is_ok());
    for mean in [0, 2 << 10, 10_000, 2 << 20] {
        assert!(matches!(SeqCdcConfig::with_mean(mean), Err(SeqCdcError::Mean { .. })), "{mean}");
    }
    assert!(SeqCdcParams::new(1, 1, 0, 1, 1).is_ok());
    for (rises, falls) in [(0, 1), (1, 0)] {
        assert!(matches!(SeqCdcParams::new(rises, falls, 0, 1, 1), Err(SeqCdcError::Counts { .. })));
    }
    for (skip, min, max) in [(0, 0, 1), (0, 2, 1), (0, 1, usize::MAX), (usize::MAX, 1, 1)] {
        assert!(matches!(SeqCdcParams::new(1, 1, skip, min, max), Err(SeqCdcError::Lengths { .. })));
    }
}
