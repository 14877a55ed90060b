//! The guarantees hold of contents that are made to break them, by somebody who knows the key.

use super::super::segments::REACH_UNITS;
use super::super::*;
use super::adversary::{CONTENT_ATTACKS, ContentAdversary, seeds};
use super::locality::{Edit, MOVED, boundaries};
use super::oracle::{expected, found};
use super::{Random, chunker, reconstruct};

const UNIT: u32 = 4096;

/// Tries a check with every attack and seed.
fn with_every_attack(seeds: std::ops::Range<u64>, len: usize, check: impl Fn(&[u8], u64, &str)) {
    let adversary = ContentAdversary::new(&[7; 32], u64::from(UNIT));
    for attack in CONTENT_ATTACKS {
        for seed in seeds.clone() {
            check(&adversary.content(attack, len, seed), seed, &format!("{attack}, seed {seed}"));
        }
    }
}

#[test]
fn ties_leave_stretches_that_the_first_level_does_not_cut() {
    let adversary = ContentAdversary::new(&[7; 32], u64::from(UNIT));
    let (stretch, longest) = adversary.longest_stretch(&adversary.content("ties", 200_000, 1));
    assert!(stretch > longest, "{stretch} bytes at most, {longest} are too few");
}

#[test]
fn hostile_content_is_cut_as_the_reference_cuts_it() {
    with_every_attack(seeds(2, 60), 24_000, |data, _, what| {
        assert!(found(data) == expected(data), "{what}");
    });
}

#[test]
fn chunks_of_hostile_content_keep_the_bounds_of_weight() {
    with_every_attack(seeds(2, 600), 60_000, |data, _, what| {
        let unit = u64::from(UNIT);
        let chunks = chunker(UNIT).cut(data);
        for chunk in &chunks {
            assert!(u64::from(chunk.len) <= unit, "{what}: {chunk:?}");
            assert!(chunk.repeat == 1 || chunk.total_len() > unit, "{what}: {chunk:?}");
        }
        for pair in chunks.windows(2) {
            let (a, b) = (pair[0].total_len(), pair[1].total_len());
            assert!(a.max(b) >= unit / 2 && a + b >= unit * 3 / 4, "{what}: {pair:?}");
        }
    });
}

#[test]
fn hostile_content_is_cut_the_same_in_whatever_pieces_and_on_every_instruction_set() {
    with_every_attack(seeds(1, 100), 40_000, |data, seed, what| {
        let whole = chunker(UNIT).cut(data);
        let mut random = Random(seed);
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let chunker = chunker(UNIT).on(isa).expect("available");
            assert_eq!(chunker.cut(data), whole, "{what}, {isa}");
            for most in [40, 900, 9000] {
                let (mut chunks, mut out, mut at) = (Vec::new(), Vec::new(), 0);
                let mut stream = chunker.stream();
                while at < data.len() {
                    let end = data.len().min(at + random.within(0, most) as usize);
                    stream.push(&data[at..end], &mut |data| reconstruct(&mut chunks, &mut out, data));
                    at = end;
                }
                stream.finish(&mut |data| reconstruct(&mut chunks, &mut out, data));
                assert!(out == data, "{what}, {isa}, pieces of at most {most}: other bytes");
                assert_eq!(chunks, whole, "{what}, {isa}, pieces of at most {most}");
            }
        }
    });
}

#[test]
fn an_edit_of_hostile_content_moves_only_boundaries_within_reach() {
    with_every_attack(seeds(1, 200), 350_000, |data, seed, what| {
        let chunker = chunker(UNIT);
        let before = boundaries(&chunker, data);
        let mut random = Random(seed ^ 0xed17);
        for _ in 0..4 {
            let edit = Edit::of_one_byte(data.len(), &mut random);
            let (moved, far) = edit.moved(&before, &boundaries(&chunker, &edit.apply(data)));
            assert!(moved <= MOVED, "{what}, at {}: {moved} boundaries moved", edit.at);
            assert!(far <= REACH_UNITS * u64::from(UNIT), "{what}, at {}: moved {far} bytes away", edit.at);
        }
    });
}
