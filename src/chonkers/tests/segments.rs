//! Parts of a content that are cut apart from each other give the chunks of the whole.

use std::ops::Range;

use proptest::prelude::*;

use super::super::segments::REACH_UNITS;
use super::super::*;
use super::{Random, chunker, samples};
use crate::chunk::ChunkData;

const UNIT: u32 = 4096;
const REACH: u64 = REACH_UNITS * UNIT as u64;

/// What a content is made of, piece by piece: lengths of up to a few times the reach.
#[derive(Clone, Debug)]
enum Piece {
    Random(u64, usize),
    Run(u8, usize),
    /// A period of that many random bytes.
    Period(u64, usize, usize),
    /// Text of few symbols.
    Few(u64, u8, usize),
}

impl Piece {
    fn append(&self, content: &mut Vec<u8>) {
        match *self {
            Self::Random(seed, len) => content.extend(Random(seed).bytes(len)),
            Self::Run(byte, len) => content.extend(std::iter::repeat_n(byte, len)),
            Self::Period(seed, period, len) => {
                content.extend(Random(seed).bytes(period).into_iter().cycle().take(len));
            }
            Self::Few(seed, symbols, len) => {
                let mut random = Random(seed);
                content.extend((0..len).map(|_| random.below(symbols.into()) as u8));
            }
        }
    }
}

fn piece() -> impl Strategy<Value = Piece> {
    let len = 1..3 * REACH as usize;
    prop_oneof![
        (any::<u64>(), len.clone()).prop_map(|(seed, len)| Piece::Random(seed, len)),
        (any::<u8>(), len.clone()).prop_map(|(byte, len)| Piece::Run(byte, len)),
        (any::<u64>(), 2..60_usize, len.clone())
            .prop_map(|(seed, period, len)| Piece::Period(seed, period, len)),
        (any::<u64>(), 60..20_000_usize, len.clone())
            .prop_map(|(seed, period, len)| Piece::Period(seed, period, len)),
        (any::<u64>(), 2..5_u8, len).prop_map(|(seed, symbols, len)| Piece::Few(seed, symbols, len)),
    ]
}

fn content(pieces: &[Piece]) -> Vec<u8> {
    let mut content = Vec::new();
    pieces.iter().for_each(|piece| piece.append(&mut content));
    content
}

/// The chunks of the part `range`, and how many bytes it took to find them. Zeros are pushed as a number.
fn cut_segment(chunker: &Chonkers, data: &[u8], range: Range<u64>, step: usize) -> (Vec<Chunk>, u64) {
    let is_last = range.end == data.len() as u64;
    let mut segment = chunker.segment(range.clone(), is_last);
    let (mut chunks, mut taken) = (Vec::new(), 0);
    for piece in data[range.start as usize..].chunks(step) {
        taken += piece.len() as u64;
        let mut sink = |data: ChunkData<'_>| {
            assert_eq!(data.bytes.len(), data.chunk.len as usize);
            chunks.push(data.chunk);
        };
        let wants_more = if piece.iter().all(|byte| *byte == 0) {
            segment.push_zeros(piece.len() as u64, &mut sink)
        } else {
            segment.push(piece, &mut sink)
        };
        if !wants_more {
            break;
        }
    }
    segment.finish(&mut |data| chunks.push(data.chunk));
    (chunks, taken)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn parts_of_a_content_give_the_chunks_of_the_whole(
        pieces in prop::collection::vec(piece(), 1..6),
        part in 1..3 * REACH,
        step in 1000..100_000_usize,
    ) {
        let (data, chunker) = (content(&pieces), chunker(UNIT));
        let whole = chunker.cut(&data);
        prop_assert_eq!(&chunker.cut_parts(&data, part), &whole);
        let len = data.len() as u64;
        let mut chunks = Vec::new();
        for start in (0..len).step_by(part as usize) {
            chunks.extend(cut_segment(&chunker, &data, start..len.min(start + part), step).0);
        }
        prop_assert_eq!(chunks, whole);
    }
}

#[test]
fn parts_of_every_kind_of_content_give_the_chunks_of_the_whole() {
    let chunker = chunker(UNIT);
    for (name, data) in samples(900_000) {
        for part in [UNIT.into(), 50_000, REACH, 400_000] {
            assert_eq!(chunker.cut_parts(&data, part), chunker.cut(&data), "{name} in parts of {part}");
        }
    }
}

#[test]
fn a_part_takes_its_own_bytes_and_a_bounded_stretch_behind_them() {
    let chunker = chunker(UNIT);
    let (len, part, step) = (30 * REACH as usize, 2 * REACH, 10_000);
    for (name, data) in samples(len) {
        let mut through = 0;
        for start in (0..len as u64).step_by(part as usize) {
            let (chunks, taken) = cut_segment(&chunker, &data, start..(start + part).min(len as u64), step);
            let bound = part + 2 * REACH + 2 * step as u64;
            through += u64::from(taken > bound);
            assert!(taken <= bound || chunks.iter().any(|chunk| chunk.total_len() > part), "{name}: {taken}");
        }
        assert!(through <= 1, "{name}: {through} parts went through the same run");
    }
}

#[test]
fn parts_of_a_tebibyte_of_zeros_take_no_time() {
    let (chunker, end) = (chunker(65_536), 1 << 40);
    let mut first = chunker.segment(0..end / 2, false);
    let mut chunks = Vec::new();
    assert!(first.push_zeros(end, &mut |data| chunks.push(data.chunk)), "the run may go on");
    first.finish(&mut |data| chunks.push(data.chunk));
    let mut second = chunker.segment(end / 2..end, true);
    second.push_zeros(end / 2, &mut |data| chunks.push(data.chunk));
    second.finish(&mut |data| chunks.push(data.chunk));
    assert_eq!(chunks.iter().map(Chunk::total_len).sum::<u64>(), end, "{chunks:?}");
}
