//! How a content is divided into pieces makes no difference.

use super::*;
use crate::chunk::Sink;

/// The chunks and the bytes that they hold, of a content given by `feed`.
fn collect(chunker: &SeqCdc, feed: impl FnOnce(&mut SeqCdcStream, &mut Sink<'_>)) -> (Vec<Chunk>, Vec<u8>) {
    let (mut chunks, mut bytes) = (Vec::new(), Vec::new());
    let mut sink = |data: ChunkData<'_>| {
        assert_eq!(data.bytes.len(), data.chunk.len as usize);
        chunks.push(data.chunk);
        bytes.extend(data.bytes.repeat(data.chunk.repeat as usize));
    };
    let mut stream = chunker.stream();
    feed(&mut stream, &mut sink);
    stream.finish(&mut sink);
    (chunks, bytes)
}

#[test]
fn chunks_in_order_give_back_the_content_at_every_split() {
    for chunker in chunkers() {
        for (name, data) in samples(200_000) {
            let whole = chunker.cut(&data);
            for step in [1, 777, chunker.max_len() - 1, 65_536, data.len()] {
                let (chunks, bytes) = collect(&chunker, |stream, sink| {
                    data.chunks(step).for_each(|piece| stream.push(piece, sink));
                });
                assert!(chunks == whole, "{name} in pieces of {step}");
                assert!(bytes == data, "{name} in pieces of {step}");
            }
        }
    }
}

#[test]
fn pieces_of_all_lengths_make_no_difference() {
    let mut rng = Rng::new(11);
    for chunker in chunkers() {
        for (name, data) in samples(500_000) {
            let whole = chunker.cut(&data);
            let (chunks, bytes) = collect(&chunker, |stream, sink| {
                let mut left = &data[..];
                while !left.is_empty() {
                    let most = 1 << rng.below(19);
                    let (piece, rest) = left.split_at(rng.below(most + 1).min(left.len()));
                    stream.push(piece, sink);
                    left = rest;
                }
            });
            assert!(chunks == whole && bytes == data, "{name}");
        }
    }
}

#[test]
fn a_stream_holds_less_than_two_of_the_greatest_chunks() {
    for chunker in chunkers() {
        for (name, data) in samples(400_000) {
            let mut stream = chunker.stream();
            for piece in data.chunks(3000) {
                stream.push(piece, &mut |_| {});
                assert!(stream.held() < 2 * chunker.max_len(), "{name}: {} bytes", stream.held());
            }
        }
    }
}

#[test]
fn zeros_by_number_are_zeros_by_bytes() {
    for chunker in chunkers() {
        let max = chunker.max_len();
        for len in [0, 1, 100, max - 1, max, 2 * max, 2 * max + 1, 3 * max - 1, 7 * max + 12_345] {
            for before in [0, 5000, max, 100_000] {
                let data = samples(before).pop().expect("there are samples").1;
                let zeros = vec![0; len];
                let (expected, bytes) = collect(&chunker, |stream, sink| {
                    [&data, &zeros, &data, &zeros].into_iter().for_each(|piece| stream.push(piece, sink));
                });
                let (chunks, same) = collect(&chunker, |stream, sink| {
                    for _ in 0..2 {
                        stream.push(&data, sink);
                        stream.push_zeros(len as u64, sink);
                    }
                });
                assert!(chunks == expected && same == bytes, "{len} zeros behind {before} bytes");
            }
        }
    }
}

#[test]
fn a_run_of_one_byte_is_the_chunk_before_it_one_repeated_chunk_and_the_chunk_behind_it() {
    for chunker in chunkers() {
        let max = chunker.max_len();
        let random = Rng::new(8).bytes(max);
        for byte in [0, 1, 0xff] {
            for more in [0, 1, max - 1] {
                let data = [&random[..100], &vec![byte; 9 * max + more], &random[..100]].concat();
                let chunks = chunker.cut(&data);
                let long: Vec<_> = chunks.iter().filter(|chunk| chunk.repeat > 1).collect();
                let [run] = long[..] else { panic!("{} chunks are repeated", long.len()) };
                assert_eq!((run.len as usize, run.repeat >= 7), (max, true));
                assert!(chunks[0].end() == run.offset, "one chunk reaches into the run");
                assert!(chunks.len() <= 5, "{} chunks", chunks.len());
            }
        }
    }
}
