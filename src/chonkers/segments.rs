//! Cutting parts of one content apart from each other, with the chunks that cutting it as a whole gives.
//!
//! A boundary depends on bytes within [`REACH_UNITS`] absolute units (docs/chonkers.md proves it). So a cutter that begins
//! somewhere inside finds the content's own boundaries from that distance on. Each part gives the chunks from the first
//! boundary at that distance behind its start to the first one at that distance behind its end: there the next part begins.

use std::ops::Range;

use rayon::prelude::*;

use super::Chonkers;
use super::buffer::Buffer;
use super::stream::{ChonkersStream, Sink, Stages};
use crate::chunk::{Chunk, ChunkData};

/// How far from a boundary the bytes stand that decide about it, at most, in absolute units. In a layer of unit A it
/// depends on at most 32 chunks on each side, any two neighbours of which weigh A at most, and on their next neighbours: 18 A.
/// The layers below add 9 A, 4.5 A and so on: 36 A. A proto-chunk's boundary depends on bytes within 11 radii, of which A
/// has 16 or more.
pub(super) const REACH_UNITS: u64 = 37;
/// Bytes of a part in absolute units from which on the stretch that two neighbours both cut is a small share: 1/28.
const PART_UNITS: u64 = 1024;
/// Parts for each thread, so that one that is slow does not leave the others idle for long.
const PARTS_PER_THREAD: u64 = 4;
/// Bytes that are cut between two looks at whether a part is done.
const STEP: usize = 1 << 20;

/// Which chunks of a stream belong to a part of the content.
#[derive(Debug)]
struct Part {
    /// The first boundary from here on is where the part's chunks begin.
    from: u64,
    /// The first boundary from here on is where they end; none: they go to the content's end.
    to: Option<u64>,
    is_begun: bool,
    is_done: bool,
}

impl Part {
    fn new(range: &Range<u64>, is_last: bool, reach: u64) -> Self {
        let from = if range.start == 0 { 0 } else { range.start + reach };
        let to = (!is_last).then_some(range.end + reach);
        Self { from, to, is_begun: false, is_done: false }
    }

    /// Whether the stream's next chunk is one of this part.
    fn takes(&mut self, chunk: &Chunk) -> bool {
        if self.is_done || chunk.offset < self.from {
            return false;
        }
        let is_behind = |place: u64| self.to.is_some_and(|to| place >= to);
        if !self.is_begun && is_behind(chunk.offset) {
            // One chunk, a caterpillar, covers all of it: that belongs to a part before.
            self.is_done = true;
            return false;
        }
        self.is_begun = true;
        self.is_done = is_behind(chunk.end());
        true
    }

    /// Where its first boundary must be, as long as that is not known and the part has an end.
    fn sought(&self) -> Option<Range<u64>> {
        self.to.filter(|_| !self.is_begun).map(|to| self.from..to)
    }
}

/// Cuts one part of a content. Made by [`Chonkers::segment`].
///
/// ```
/// use warp::chonkers::{Chonkers, ChonkersConfig};
///
/// let chonkers = Chonkers::new(ChonkersConfig::with_unit(4096)?, &[7; 32]);
/// let content: Vec<u8> = (0..300_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
/// let (half, end) = (content.len() as u64 / 2, content.len() as u64);
/// let mut chunks = Vec::new();
/// for (range, is_last) in [(0..half, false), (half..end, true)] {
///     let mut segment = chonkers.segment(range.clone(), is_last);
///     for piece in content[range.start as usize..].chunks(10_000) {
///         if !segment.push(piece, &mut |data| chunks.push(data.chunk)) {
///             break;
///         }
///     }
///     segment.finish(&mut |data| chunks.push(data.chunk));
/// }
/// assert_eq!(chunks, chonkers.cut(&content));
/// # Ok::<(), warp::chonkers::ConfigError>(())
/// ```
pub struct SegmentStream {
    stream: ChonkersStream,
    start: u64,
    part: Part,
}

impl SegmentStream {
    /// Takes the next bytes, the first of which are those at the part's start, and gives `sink` the chunks of this part that
    /// they complete, at their offsets in the whole content. `false`: that was all, the part needs no more bytes.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> bool {
        for piece in bytes.chunks(STEP) {
            let Self { stream, start, part } = self;
            stream.push(piece, &mut |data| give(part, *start, data, sink));
            if !self.wants_more() {
                return false;
            }
        }
        true
    }

    /// Takes `len` zero bytes, as [`Self::push`] would, in a time that does not depend on `len`.
    pub fn push_zeros(&mut self, len: u64, sink: &mut Sink<'_>) -> bool {
        let Self { stream, start, part } = self;
        stream.push_zeros(len, &mut |data| give(part, *start, data, sink));
        self.wants_more()
    }

    /// Gives `sink` what is left of the part: the content ends, or [`Self::push`] said that it was all.
    pub fn finish(self, sink: &mut Sink<'_>) {
        let Self { stream, start, mut part } = self;
        if !part.is_done {
            stream.finish(&mut |data| give(&mut part, start, data, sink));
        }
    }

    fn wants_more(&mut self) -> bool {
        if let Some(sought) = self.part.sought() {
            let sought = sought.start - self.start..sought.end - self.start;
            self.part.is_done = self.stream.stages().rule_out(&sought);
        }
        !self.part.is_done
    }
}

fn give(part: &mut Part, start: u64, data: ChunkData<'_>, sink: &mut Sink<'_>) {
    let chunk = Chunk { offset: start + data.chunk.offset, ..data.chunk };
    if part.takes(&chunk) {
        sink(ChunkData { chunk, bytes: data.bytes });
    }
}

impl Chonkers {
    /// Begins to cut a part of a content apart from the others: the bytes of `range`, and of what follows it until
    /// [`SegmentStream::push`] says that it is enough. Parts whose ranges follow each other from 0 to the content's end, whoever
    /// cuts them, together give the chunks that [`Self::cut`] gives. Each also cuts 37 absolute units that its neighbour cuts.
    pub fn segment(&self, range: Range<u64>, is_last: bool) -> SegmentStream {
        let part = Part::new(&range, is_last, self.reach());
        SegmentStream { stream: self.stream(), start: range.start, part }
    }

    /// Bytes of a part from which on it is worth while to cut it apart.
    pub fn segment_len(&self) -> u64 {
        PART_UNITS * u64::from(self.config.unit)
    }

    /// The same chunks as [`Self::cut`], by all threads of the caller's pool.
    ///
    /// ```
    /// use warp::chonkers::{Chonkers, ChonkersConfig};
    ///
    /// let chonkers = Chonkers::new(ChonkersConfig::with_unit(4096)?, &[7; 32]);
    /// let content: Vec<u8> = (0..3_000_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    /// assert_eq!(chonkers.par_cut(&content), chonkers.cut(&content));
    /// # Ok::<(), warp::chonkers::ConfigError>(())
    /// ```
    pub fn par_cut(&self, data: &[u8]) -> Vec<Chunk> {
        let (len, threads) = (data.len() as u64, rayon::current_num_threads() as u64);
        let part = (len / (threads * PARTS_PER_THREAD)).max(self.segment_len());
        if threads == 1 || len < 2 * part { self.cut(data) } else { self.cut_parts(data, part) }
    }

    /// Cuts `data` in parts of `part` bytes.
    pub(super) fn cut_parts(&self, data: &[u8], part: u64) -> Vec<Chunk> {
        let len = data.len() as u64;
        let starts: Vec<u64> = (0..(len / part).max(1)).map(|number| number * part).collect();
        let cut = |(number, &start): (usize, &u64)| match starts.get(number + 1) {
            Some(&end) => self.cut_part(data, start..end, false),
            None => self.cut_part(data, start..len, true),
        };
        let parts: Vec<Vec<Chunk>> = starts.par_iter().enumerate().with_max_len(1).map(cut).collect();
        parts.concat()
    }

    fn cut_part(&self, data: &[u8], range: Range<u64>, is_last: bool) -> Vec<Chunk> {
        let (unit, hasher) = (u64::from(self.config.unit), &self.keys.hasher);
        let mut part = Part::new(&range, is_last, self.reach());
        let mut chunks = Vec::new();
        let start = range.start;
        let data = &data[start as usize..];
        let mut stages = Stages::new(&self.keys, unit, self.isa);
        let ends = (STEP..data.len()).step_by(STEP).chain([data.len()]);
        for end in ends {
            let buffer = Buffer::whole(&data[..end]);
            let mut keep =
                |data: ChunkData<'_>| give(&mut part, start, data, &mut |data| chunks.push(data.chunk));
            stages.advance(hasher, &buffer, unit, &mut keep);
            if end == data.len() {
                stages.finish(hasher, &buffer, unit, &mut keep);
            }
            let sought = part.sought().map(|sought| sought.start - start..sought.end - start);
            if part.is_done || sought.is_some_and(|sought| stages.rule_out(&sought)) {
                break;
            }
        }
        chunks
    }

    fn reach(&self) -> u64 {
        REACH_UNITS * u64::from(self.config.unit)
    }
}
