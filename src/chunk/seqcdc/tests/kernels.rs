//! Every instruction set gives what the scalar kernel gives.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use super::*;
use crate::chunk::seqcdc::skipping::{Steps, select};

/// The published algorithm by its block form without any instruction set.
fn skipping_by_blocks(params: &SeqCdcParams, bytes: &[u8]) -> usize {
    if bytes.len().min(params.max()) <= BLOCK {
        return scalar::skipping_len(params, bytes);
    }
    skipping::len_by(params, bytes, scalar::steps, select, |_, _| {})
}

/// Checks the published algorithm on every instruction set.
fn check_skipping(params: &SeqCdcParams, bytes: &[u8], what: &str) {
    let expected = scalar::skipping_len(params, bytes);
    assert_eq!(skipping_by_blocks(params, bytes), expected, "block form, {what}");
    for isa in available() {
        assert_eq!(skipping::next_len(params, isa, bytes), expected, "{isa}, {what}");
    }
}

/// Checks the choice of a place on every instruction set.
fn check_places(places: &Places, bytes: &[u8], what: &str) {
    let expected = places.next_len(Isa::Scalar, bytes);
    for isa in available() {
        assert_eq!(places.next_len(isa, bytes), expected, "{isa}, {what}");
    }
}

/// Lengths around the sizes of vectors, blocks and groups of them.
fn lengths(min: usize, max: usize) -> impl Iterator<Item = usize> {
    (1..=257).chain(min - 1..min + 260).chain(max - 70..max + 3)
}

fn params(rises: u32, falls: u32, skip: usize, min: usize, max: usize) -> SeqCdcParams {
    SeqCdcParams::new(rises, falls, skip, min, max).expect("valid parameters")
}

#[test]
fn every_kernel_skips_as_the_definition_does_at_every_length() {
    let all = [
        params(5, 50, 256, 64, 700),
        params(5, 3, 10, 1, 400),
        params(1, 1, 0, 1, 300),
        params(3, 1, 1, 2, 300),
        params(2, 64, 100, 63, 500),
        params(70, 130, 7, 65, 2000),
    ];
    for params in all {
        for (name, data) in samples(params.max() + 3) {
            for len in lengths(params.min(), params.max()).filter(|len| *len <= data.len()) {
                check_skipping(&params, &data[..len], &format!("{name}, {len} bytes, {params:?}"));
            }
        }
    }
}

#[test]
fn every_kernel_chooses_as_the_definition_does_at_every_length() {
    for (min, max) in [(64, 64 + 640), (70, 70 + 2100), (4096, 4096 + 1500)] {
        let places = Places::with_bounds(min, max, &KEY);
        for (name, data) in samples(max + 3) {
            for len in lengths(min, max).filter(|len| *len <= data.len()) {
                check_places(&places, &data[..len], &format!("{name}, {len} bytes, from {min}"));
            }
        }
    }
}

#[test]
fn every_kernel_agrees_at_every_alignment() {
    let params = params(5, 50, 100, 130, 900);
    let places = Places::with_bounds(130, 130 + 1700, &KEY);
    for (name, data) in samples(2000) {
        for start in 0..=64 {
            check_skipping(&params, &data[start..], &format!("{name} from {start}"));
            check_places(&places, &data[start..], &format!("{name} from {start}"));
        }
    }
}

#[test]
fn every_kernel_cuts_whole_contents_alike() {
    for chunker in chunkers() {
        for (name, data) in samples(400_000) {
            let scalar = chunker.with_isa(Isa::Scalar).expect("always there").cut(&data);
            for isa in available() {
                assert!(chunker.with_isa(isa).expect("available").cut(&data) == scalar, "{isa}, {name}");
            }
        }
    }
}

#[test]
fn bytes_are_compared_as_unsigned() {
    // 0x80 is greater than 0x7f: five rises in a row only if compared so.
    let mut data = vec![9; 300];
    data[200..206].copy_from_slice(&[0x7d, 0x7e, 0x7f, 0x80, 0x81, 0xff]);
    let params = params(6, 50, 0, 10, 300);
    check_skipping(&params, &data, "signs");
    assert_eq!(scalar::skipping_len(&params, &data), 205);
}

#[test]
fn the_first_of_equal_places_is_chosen_on_every_kernel() {
    // One place over and over, and one window of four over and over.
    for pattern in [&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0][..], &[0, 0, 0, 1, 0, 0, 0, 0]] {
        let places = Places::with_bounds(100, 1000, &KEY);
        let data: Vec<u8> = pattern.iter().copied().cycle().take(1000).collect();
        check_places(&places, &data, "equal places");
        let len = places.next_len(Isa::Scalar, &data);
        assert!((100..100 + pattern.len()).contains(&len), "{len}: not the first one");
    }
}

#[test]
fn a_place_that_two_blocks_show_counts_once() {
    // Nothing but places, so that the bound on them decides where the search ends.
    let mut rng = Rng::new(23);
    let places = Places::with_bounds(100, 100 + 1700, &KEY);
    for round in 0..300 {
        let mut data = Vec::new();
        while data.len() < 1800 {
            let len = 6 + rng.below(3);
            let mut run = rng.bytes(len);
            run.sort_unstable();
            data.extend(run);
        }
        check_places(&places, &data, &format!("round {round}"));
    }
}

#[test]
fn a_bit_is_selected_as_by_counting() {
    let mut rng = Rng::new(5);
    let masks = [1, u64::MAX, 1 << 63, 0x8000_0000_0000_0001, 0xff00_ff00_ff00_ff00];
    let masks = masks.into_iter().chain((0..2000).map(|i| rng.next_u64() & (u64::MAX >> (i % 64))));
    for mask in masks.filter(|mask| *mask != 0) {
        let places: Vec<_> = (0..64).filter(|i| mask >> i & 1 == 1).collect();
        for (n, place) in places.into_iter().enumerate() {
            assert_eq!(select(mask, n as u32), place, "bit {n} of {mask:#x}");
        }
    }
}

#[test]
fn steps_tell_rises_and_falls() {
    let block = std::array::from_fn(|i| [3, 3, 0x7f, 0x80, 0x80, 0][i % 6]);
    let Steps { rises, falls } = scalar::steps(&block);
    let places = |mask: u64| (0..6).filter(|i| mask >> i & 1 == 1).collect::<Vec<_>>();
    assert_eq!((places(rises), places(falls)), (vec![1, 2, 5], vec![4]));
}

/// Bytes of which many are equal or rise.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let run = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 1..80),
        2 => prop::collection::vec(0x7d_u8..0x83, 1..80),
        1 => (any::<u8>(), 1..200_usize).prop_map(|(byte, len)| vec![byte; len]),
        1 => (any::<u8>(), 1..20_usize).prop_map(|(byte, len)| (0..len).map(|i| byte.wrapping_add(i as u8)).collect()),
    ];
    prop::collection::vec(run, 1..60).prop_map(|runs| runs.concat())
}

proptest! {
    #[test]
    fn every_kernel_skips_as_the_definition_does(
        bytes in bytes(),
        rises in prop_oneof![3 => Just(5_u32), 2 => 1..9_u32, 1 => 60..70_u32],
        falls in 1..70_u32,
        skip in prop_oneof![0..5_usize, 0..300_usize],
        min in 1..200_usize,
        more in 0..3000_usize,
    ) {
        check_skipping(&params(rises, falls, skip, min, min + more), &bytes, "generated");
    }

    #[test]
    fn every_kernel_chooses_as_the_definition_does(
        bytes in bytes(),
        min in 16..300_usize,
        more in 410..3000_usize,
        key in any::<[u8; 32]>(),
    ) {
        check_places(&Places::with_bounds(min, min + more, &key), &bytes, "generated");
    }
}
