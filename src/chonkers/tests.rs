//! What must hold of the chunks, whatever the content is.

use proptest::prelude::*;

use super::fine::UNIT_FIRST;
use super::layer::Layers;
use super::minima::Minima;
use super::proto::{LONGEST, RADII};
use super::reference::{self, Whole};
use super::*;
use crate::chunk::ChunkData;

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
        ("pcm", by(&mut |i| ((((i / 2) as f64 / 50.0).sin() * 30000.0) as i16).to_le_bytes()[i % 2])),
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
fn layered(data: &[u8], unit: u64, longest: usize, keys: &Keys) -> Vec<(u64, u64, u64)> {
    let mut layers = Layers::with_longest(UNIT_FIRST, unit, longest);
    let mut out = Vec::new();
    let mut sink = |item: &item::Item| out.push((item.pos, item.unit, item.repeat));
    for (i, byte) in data.chunks(1).enumerate() {
        layers.push(&keys.hasher.leaf(i as u64, byte), &keys.hasher, &Whole(data), &mut sink);
    }
    layers.finish(&keys.hasher, &Whole(data), &mut sink);
    out
}

fn places(pieces: &[reference::Piece]) -> Vec<(u64, u64, u64)> {
    let mut pos = 0;
    let place = |piece: &reference::Piece| {
        let start = pos;
        pos += piece.weight() as u64;
        (start, piece.unit.len() as u64, piece.repeat as u64)
    };
    pieces.iter().map(place).collect()
}

/// What the reference makes of a content: start, bytes of a unit, repeat.
fn expected(data: &[u8]) -> Vec<(u64, u64, u64)> {
    let unit = 4096;
    if data.len() <= unit {
        return vec![(0, data.len() as u64, 1)];
    }
    let keys = Keys::new(&[7; 32]);
    let level = |i| (Minima::new(RADII[i], keys.proto[i]), LONGEST[i] as usize);
    let mut levels: Vec<(Minima, usize)> = (0..RADII.len()).map(level).collect();
    let proto = reference::proto_chunks(data, &mut levels);
    let expand = |(pos, len, repeat): (u64, u64, u64)| {
        if len * repeat <= unit as u64 { (pos, len * repeat, 1) } else { (pos, len, repeat) }
    };
    places(&reference::layers(proto, 2, unit, &keys.hasher)).into_iter().map(expand).collect()
}

/// What the chunker makes of it.
fn found(data: &[u8]) -> Vec<(u64, u64, u64)> {
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
