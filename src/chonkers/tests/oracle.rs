//! The chunks are those of the slow reference.

use proptest::prelude::*;

use super::super::fine::UNIT_FIRST;
use super::super::layer::{Layers, Stage};
use super::super::minima::Minima;
use super::super::proto::{longest, radius, rules};
use super::super::reference::{self, Whole};
use super::super::*;
use super::chunker;

/// Content of the kinds that break chunkers: few symbols, runs, periods, copies.
fn content(len: usize) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..len),
        proptest::collection::vec(0..2_u8, 1..len),
        (any::<u8>(), 1..len).prop_map(|(byte, len)| vec![byte; len]),
        (proptest::collection::vec(0..3_u8, 1..90), 1..len).prop_map(|(period, len)| period
            .iter()
            .copied()
            .cycle()
            .take(len)
            .collect()),
        (proptest::collection::vec(any::<u8>(), 1..400), 1..5_usize).prop_map(|(block, n)| block.repeat(n)),
        (any::<u8>(), any::<u8>(), 1..len).prop_map(|(start, step, len)| (0..len)
            .map(|i| start.wrapping_add(step.wrapping_mul(i as u8)))
            .collect()),
    ];
    proptest::collection::vec(part, 1..6).prop_map(|parts| parts.concat())
}

/// What the layers make of single bytes: start, bytes of a unit, repeat.
pub(super) fn layered(data: &[u8], unit: u64, longest: usize, keys: &Keys) -> Vec<(u64, u64, u64)> {
    let mut layers = Layers::with_longest(UNIT_FIRST, unit, longest);
    let mut out = Vec::new();
    let mut sink = |item: &item::Item| out.push((item.pos, item.unit, item.repeat));
    for (i, byte) in data.chunks(1).enumerate() {
        layers.push(&keys.hasher.leaf(i as u64, byte), &keys.hasher, &Whole(data), &mut sink);
    }
    layers.finish(&keys.hasher, &Whole(data), &mut sink);
    out
}

pub(super) fn places(pieces: &[reference::Piece]) -> Vec<(u64, u64, u64)> {
    let mut pos = 0;
    let place = |piece: &reference::Piece| {
        let start = pos;
        pos += piece.weight() as u64;
        (start, piece.unit() as u64, piece.repeat as u64)
    };
    pieces.iter().map(place).collect()
}

/// What the reference makes of a content: start, bytes of a unit, repeat.
pub(super) fn expected(data: &[u8]) -> Vec<(u64, u64, u64)> {
    let unit = 4096;
    if data.len() <= unit {
        return vec![(0, data.len() as u64, 1)];
    }
    let keys = Keys::new(&[7; 32]);
    let level = |(rule, &key)| (Minima::new(rule, key, Isa::Scalar), longest(rule) as usize);
    let mut levels: Vec<(Minima, usize)> = rules(radius(unit as u64)).zip(&keys.proto).map(level).collect();
    let proto = reference::proto_chunks(data, &mut levels);
    let expand = |(pos, len, repeat): (u64, u64, u64)| {
        if len * repeat <= unit as u64 { (pos, len * repeat, 1) } else { (pos, len, repeat) }
    };
    places(&reference::layers(proto, 2, unit, &keys.hasher)).into_iter().map(expand).collect()
}

/// What the chunker makes of it.
pub(super) fn found(data: &[u8]) -> Vec<(u64, u64, u64)> {
    let chunks = chunker(4096).cut(data);
    chunks.iter().map(|chunk| (chunk.offset, u64::from(chunk.len), chunk.repeat)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn layers_over_single_bytes_do_what_the_reference_does(
        data in content(400), log in 1..9_u32, value_mask in prop_oneof![Just(u64::MAX), Just(1), Just(0)],
    ) {
        let mut keys = Keys::new(&[3; 32]);
        keys.hasher.value_mask = value_mask;
        let unit = 1 << log;
        let expected = reference::layers(reference::single_bytes(&data), 2, unit, &keys.hasher);
        prop_assert_eq!(layered(&data, unit as u64, 256, &keys), places(&expected));
    }

    #[test]
    fn long_chains_settled_piece_by_piece_settle_the_same(data in content(6000), log in 1..9_u32) {
        let keys = Keys::new(&[4; 32]);
        let whole = layered(&data, 1 << log, usize::MAX, &keys);
        prop_assert_eq!(layered(&data, 1 << log, 65, &keys), whole);
    }

    #[test]
    fn chunks_are_those_of_the_reference_over_its_proto_chunks(data in content(4000)) {
        prop_assert_eq!(found(&data), expected(&data));
    }

    #[test]
    fn long_periods_are_cut_as_the_reference_cuts_them(
        head in content(300), tail in content(300), len in 10_000..60_000_usize,
        period in prop_oneof![
            proptest::collection::vec(any::<u8>(), 1..600),
            proptest::collection::vec(0..2_u8, 1..30),
        ],
    ) {
        let middle: Vec<u8> = period.iter().copied().cycle().take(len).collect();
        let data = [&head[..], &middle, &tail, &middle].concat();
        prop_assert_eq!(found(&data), expected(&data));
    }

    #[test]
    fn zeros_by_number_are_zeros_by_bytes(
        head in content(3000), tail in content(3000), len in prop_oneof![0..9000_u64, 15_000..60_000_u64],
    ) {
        let zeros = vec![0; len as usize];
        let whole = chunker(4096).cut(&[&head[..], &zeros, &tail].concat());
        let mut chunks = Vec::new();
        let mut stream = chunker(4096).stream();
        stream.push(&head, &mut |data| chunks.push(data.chunk));
        stream.push_zeros(len, &mut |data| chunks.push(data.chunk));
        stream.push(&tail, &mut |data| chunks.push(data.chunk));
        stream.finish(&mut |data| chunks.push(data.chunk));
        prop_assert_eq!(chunks, whole);
    }
}
