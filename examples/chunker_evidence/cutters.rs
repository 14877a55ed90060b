//! The chunkers that are compared, behind one interface.

use fastcdc::v2020::{self, Normalization};
use mincdc::{MinCdcHash4, SliceChunker};
use warp::chonkers::{Chonkers, ChonkersConfig, ChonkersStream};
use warp::chunk::Chunk;
use warp::chunk::seqcdc::{SeqCdc, SeqCdcConfig, SeqCdcParams};

/// Receives chunks with the bytes of one copy.
pub(crate) type Sink<'a> = dyn FnMut(Chunk, &[u8]) + 'a;

/// How messages and tables call the chunker with the absolute unit.
pub(crate) const CHONKERS: &str = "Chonkers";

/// The chunker with this absolute unit, and the key number `n`.
pub(crate) fn chonkers(unit: u32, n: u8) -> Chonkers {
    Chonkers::new(ChonkersConfig::with_unit(unit).expect("a valid unit"), &[n; 32])
}

/// What Chonkers is compared with. Every one has a parameter that its mean length grows with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    FastCdc,
    MinCdc,
    SeqCdc,
    SeqCdcPublished,
}

impl Rival {
    pub(crate) const ALL: [Self; 4] = [Self::FastCdc, Self::MinCdc, Self::SeqCdc, Self::SeqCdcPublished];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FastCdc => "FastCDC NC2",
            Self::MinCdc => "MinCDC",
            Self::SeqCdc => "SeqCDC",
            Self::SeqCdcPublished => "SeqCDC published",
        }
    }

    /// The rival for chunks of about `parameter` bytes.
    ///
    /// - FastCDC of 2020, normalisation level 2: at least a quarter of it and at most four times.
    /// - MinCDC with a hash of 4 bytes: half to one and a half.
    /// - SeqCDC as repositories use it: 5/8 to 11/8.
    /// - SeqCDC as published for 8 and 16 KiB: skips of 1/32, half to twice.
    pub(crate) fn with(self, parameter: u32) -> Windowed {
        let half = parameter as usize / 2;
        match self {
            Self::FastCdc => Windowed::Fast(FastCdc::new(half)),
            Self::MinCdc => Windowed::Min { min: half, max: 3 * half },
            Self::SeqCdc => Windowed::Seq(SeqCdc::new(SeqCdcConfig::with_any_mean(parameter), &[7; 32])),
            Self::SeqCdcPublished => {
                let params = SeqCdcParams::new(5, 50, half / 16, half, 4 * half);
                Windowed::Seq(SeqCdc::published(params.expect("valid parameters")))
            }
        }
    }
}

/// A chunker that decides on a chunk's end from the bytes behind its start.
#[derive(Clone)]
pub(crate) enum Windowed {
    Fast(FastCdc),
    Min { min: usize, max: usize },
    Seq(SeqCdc),
}

#[derive(Clone)]
pub(crate) struct FastCdc {
    average: usize,
    masks: (u64, u64),
}

impl FastCdc {
    fn new(half: usize) -> Self {
        let average = 2 * half;
        Self { average, masks: v2020::select_masks(average, Normalization::Level2) }
    }

    fn next_len(&self, window: &[u8]) -> usize {
        let (average, (small, large)) = (self.average, self.masks);
        let (min, max) = ((average / 4) & !1, average * 4);
        v2020::cut(window, min, average, max, small, large, small << 1, large << 1).1
    }
}

impl Windowed {
    /// Most bytes of a chunk.
    pub(crate) fn max_len(&self) -> usize {
        match self {
            Self::Fast(fastcdc) => fastcdc.average * 4,
            Self::Min { max, .. } => *max,
            Self::Seq(seqcdc) => seqcdc.max_len(),
        }
    }

    /// Length of the chunk that starts `window`: at least [`Self::max_len`] bytes, or all that are left.
    pub(crate) fn next_len(&self, window: &[u8]) -> usize {
        match self {
            Self::Fast(fastcdc) => fastcdc.next_len(window),
            Self::Min { min, max } => {
                let mut chunks = SliceChunker::new(window, *min, *max, MinCdcHash4::new());
                chunks.next().map_or(0, |chunk| chunk.len())
            }
            Self::Seq(seqcdc) => seqcdc.next_len(window),
        }
    }
}

/// Cuts contents that come in pieces.
pub(crate) enum Cutting {
    Chonkers { chunker: Chonkers, open: Option<Box<ChonkersStream>> },
    Windowed { chunker: Windowed, held: Vec<u8>, offset: u64 },
}

impl Cutting {
    pub(crate) fn by_chonkers(chunker: Chonkers) -> Self {
        Self::Chonkers { chunker, open: None }
    }

    pub(crate) fn by_windowed(chunker: Windowed) -> Self {
        Self::Windowed { chunker, held: Vec::new(), offset: 0 }
    }

    /// Takes the next piece of a content, which begins or ends with it or not.
    pub(crate) fn push(&mut self, bytes: &[u8], first: bool, last: bool, sink: &mut Sink<'_>) {
        match self {
            Self::Chonkers { chunker, .. } if first && last => {
                for chunk in chunker.cut(bytes) {
                    let start = chunk.offset as usize;
                    sink(chunk, &bytes[start..start + chunk.len as usize]);
                }
            }
            Self::Chonkers { chunker, open } => {
                let mut stream = open.take().unwrap_or_else(|| Box::new(chunker.stream()));
                stream.push(bytes, &mut |data| sink(data.chunk, data.bytes));
                if last {
                    stream.finish(&mut |data| sink(data.chunk, data.bytes));
                } else {
                    *open = Some(stream);
                }
            }
            Self::Windowed { chunker, offset, .. } if first && last => {
                *offset = 0;
                cut(chunker, bytes, offset, true, sink);
            }
            Self::Windowed { chunker, held, offset } => {
                if first {
                    (*offset, *held) = (0, Vec::new());
                }
                held.extend_from_slice(bytes);
                let done = cut(chunker, held, offset, last, sink);
                held.drain(..done);
            }
        }
    }
}

/// Cuts `bytes`, as far as bytes that follow make no difference or to the end; returns how many were cut.
fn cut(chunker: &Windowed, bytes: &[u8], offset: &mut u64, last: bool, sink: &mut Sink<'_>) -> usize {
    let needed = if last { 1 } else { chunker.max_len() };
    let mut left = bytes;
    while left.len() >= needed {
        let (chunk, rest) = left.split_at(chunker.next_len(left));
        sink(Chunk { offset: *offset, len: chunk.len() as u32, repeat: 1 }, chunk);
        *offset += chunk.len() as u64;
        left = rest;
    }
    bytes.len() - left.len()
}

#[cfg(test)]
mod tests {
    use warp::testing::Rng;

    use super::*;

    /// The chunks of a content that comes in such pieces.
    fn chunks(cutting: &mut Cutting, data: &[u8], ends: &[usize]) -> Vec<(Chunk, Vec<u8>)> {
        let (mut found, mut start) = (Vec::new(), 0);
        for end in ends {
            let mut sink = |chunk, bytes: &[u8]| found.push((chunk, bytes.to_vec()));
            cutting.push(&data[start..*end], start == 0, *end == data.len(), &mut sink);
            start = *end;
        }
        found
    }

    #[test]
    fn contents_in_pieces_are_cut_as_in_one_and_come_back_whole() {
        let mut rng = Rng::new(1);
        let rivals = Rival::ALL.map(|rival| Cutting::by_windowed(rival.with(4096)));
        for mut cutting in rivals.into_iter().chain([Cutting::by_chonkers(chonkers(4096, 1))]) {
            for content in 0..4 {
                let mut data = rng.bytes(200_000);
                data[70_000..100_000].fill(0);
                let whole = chunks(&mut cutting, &data, &[data.len()]);
                let mut ends: Vec<_> = (0..5).map(|_| 1 + rng.below(data.len() - 1)).collect();
                ends.push(data.len());
                ends.sort_unstable();
                ends.dedup();
                assert!(chunks(&mut cutting, &data, &ends) == whole, "content {content}, pieces to {ends:?}");
                let copies = whole.iter().map(|(chunk, bytes)| bytes.repeat(chunk.repeat as usize));
                assert!(copies.collect::<Vec<_>>().concat() == data, "content {content}");
            }
        }
    }

    #[test]
    fn rivals_keep_to_their_bounds_and_their_means_grow_with_the_parameter() {
        let data = Rng::new(2).bytes(2 << 20);
        for rival in Rival::ALL {
            let mean = |parameter: u32| {
                let mut cutting = Cutting::by_windowed(rival.with(parameter));
                let found = chunks(&mut cutting, &data, &[data.len()]);
                let max = rival.with(parameter).max_len();
                assert!(found.iter().all(|(chunk, _)| chunk.len as usize <= max), "{}", rival.name());
                data.len() as f64 / found.len() as f64
            };
            let [fine, coarse] = [4096, 16384].map(mean);
            assert!((2.5..6.0).contains(&(coarse / fine)), "{}: {fine}, {coarse}", rival.name());
        }
    }
}
