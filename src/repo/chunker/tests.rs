use super::*;
use crate::chunk::ChunkData;
use crate::testing::Rng;

/// Every chunker with every unit.
fn configs() -> Vec<ChunkerConfig> {
    let of = |kind: ChunkerKind| (0..32).filter_map(move |bit| ChunkerConfig::new(kind, 1 << bit).ok());
    ChunkerKind::ALL.into_iter().flat_map(of).collect()
}

fn chunkers() -> Vec<Chunker> {
    configs().into_iter().map(|config| Chunker::new(config, &[7; 32]).unwrap()).collect()
}

#[test]
fn numbers_and_names_are_frozen() {
    let known = ChunkerKind::ALL.map(|kind| (kind.id(), kind.name()));
    assert_eq!(known, [(2, "chonkers"), (3, "seqcdc"), (1, "seqcdc-published")]);
    assert_eq!(ChunkerConfig::default().params(), ChunkerParams { algorithm: 2, unit: 65_536 });
    for config in configs() {
        assert_eq!(ChunkerConfig::try_from(config.params()), Ok(config));
    }
    for id in [0, 4, 9, u16::MAX] {
        let refused = ChunkerConfig::try_from(ChunkerParams { algorithm: id, unit: 65_536 });
        assert_eq!(refused, Err(ChunkerError::Unknown { id }));
    }
}

#[test]
fn a_unit_out_of_bounds_is_refused_with_the_bounds() {
    for kind in ChunkerKind::ALL {
        let (min, max) = kind.units();
        for unit in [0, 1, min / 2, min - 1, min + 1, max - 1, max + 1, 2 * max, u32::MAX] {
            let refused = ChunkerConfig::new(kind, unit).unwrap_err();
            assert_eq!(refused, ChunkerError::Unit { kind, unit, min, max });
            let text = refused.to_string();
            assert!(text.contains(&min.to_string()) && text.contains(&max.to_string()), "{text}");
        }
    }
    // Every unit that is allowed has a chunker.
    assert_eq!(chunkers().len(), 9 + 7 + 2);
}

#[test]
fn no_chunk_is_longer_than_it_may_be_and_short_content_is_one_chunk() {
    let random = Rng::new(5).bytes(2 << 20);
    for chunker in chunkers() {
        let chunks = chunker.cut(&random);
        assert!(chunks.iter().all(|chunk| chunk.len <= chunker.max_len()) && chunks.len() > 1);
        let whole = chunker.whole_len();
        assert_eq!(chunker.cut(&random[..whole]), [Chunk { offset: 0, len: whole as u32, repeat: 1 }]);
        assert_eq!(chunker.cut(b""), []);
    }
}

/// A stretch of content: bytes, or zeros by their number.
enum Part {
    Bytes(Vec<u8>),
    Zeros(usize),
}

fn parts(rng: &mut Rng, longest: usize) -> Vec<Part> {
    let part = |rng: &mut Rng| {
        let most = 1 << rng.below(longest.ilog2() as usize + 2);
        let len = rng.below(most);
        match rng.below(4) {
            0 => Part::Bytes(rng.bytes(len)),
            1 => Part::Bytes(vec![0; len]),
            2 => Part::Bytes(rng.text(len)),
            _ => Part::Zeros(len),
        }
    };
    let number = 1 + rng.below(9);
    (0..number).map(|_| part(rng)).collect()
}

#[test]
fn a_hole_and_written_zeros_give_the_same_chunks_however_the_pieces_arrive() {
    let mut rng = Rng::new(29);
    for chunker in chunkers() {
        for _ in 0..12 {
            let parts = parts(&mut rng, 4 * chunker.max_len() as usize);
            let whole: Vec<u8> = parts.iter().flat_map(Part::written).collect();
            let (mut chunks, mut bytes) = (Vec::new(), Vec::new());
            let mut sink = |data: ChunkData<'_>| {
                chunks.push(data.chunk);
                bytes.extend(data.bytes.repeat(data.chunk.repeat as usize));
            };
            let mut stream = chunker.stream();
            for part in &parts {
                match part {
                    Part::Zeros(len) => stream.push_zeros(*len as u64, &mut sink),
                    Part::Bytes(bytes) => {
                        let (one, two) = bytes.split_at(rng.below(bytes.len() + 1));
                        [one, two].into_iter().for_each(|piece| stream.push(piece, &mut sink));
                    }
                }
            }
            stream.finish(&mut sink);
            assert!(bytes == whole && chunks == chunker.cut(&whole));
        }
    }
}

impl Part {
    fn written(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Zeros(len) => vec![0; *len],
        }
    }
}

#[test]
fn a_hole_of_a_pebibyte_is_a_few_chunks() {
    for chunker in chunkers() {
        let mut chunks = Vec::new();
        let mut sink = |data: ChunkData<'_>| chunks.push(data.chunk);
        let mut stream = chunker.stream();
        stream.push(b"before", &mut sink);
        stream.push_zeros(1 << 50, &mut sink);
        stream.push(b"behind", &mut sink);
        stream.finish(&mut sink);
        assert!(chunks.len() < 10, "{} chunks", chunks.len());
        assert_eq!(chunks.last().map(Chunk::end), Some((1 << 50) + 12));
    }
}

#[test]
fn two_keys_cut_at_different_places_unless_the_chunker_has_none() {
    let random = Rng::new(6).bytes(4 << 20);
    for config in configs() {
        let chunks = |key| Chunker::new(config, &[key; 32]).unwrap().cut(&random);
        assert_eq!(chunks(1) == chunks(2), config.kind() == ChunkerKind::SeqCdcPublished, "{config:?}");
    }
}
