//! Cutting a stream: bytes come in pieces, chunks go out as soon as later bytes cannot change them.

use super::{SeqCdc, is_constant};
use crate::chunk::{Chunk, ChunkData, Sink};

/// Cuts one content whose bytes come in pieces, in memory for about three of the greatest chunks. Made by
/// [`SeqCdc::stream`].
///
/// How the content is divided into pieces makes no difference to the chunks. Chunks of the greatest length that hold
/// nothing but one byte, and follow each other, are given as one that is repeated.
pub struct SeqCdcStream {
    cutter: SeqCdc,
    /// Bytes that no chunk has taken yet: fewer than the greatest chunk has.
    held: Vec<u8>,
    out: Output,
}

impl SeqCdcStream {
    pub(super) fn new(cutter: SeqCdc) -> Self {
        Self { cutter, held: Vec::new(), out: Output { pos: 0, run: None } }
    }

    /// Takes the next bytes; gives `sink` the chunks that they complete.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        let bytes = self.join(bytes, sink);
        let (cut, open) = bytes.split_at(cut(&self.cutter, &mut self.out, bytes, sink));
        debug_assert!(cut.is_empty() || self.held.is_empty(), "held bytes come first");
        self.held.extend_from_slice(open);
    }

    /// Cuts what is held together with the next bytes, until nothing is held; returns those that are left.
    fn join<'a>(&mut self, mut bytes: &'a [u8], sink: &mut Sink<'_>) -> &'a [u8] {
        while !self.held.is_empty() && !bytes.is_empty() {
            let (before, taken) = (self.held.len(), bytes.len().min(self.cutter.max_len()));
            self.held.extend_from_slice(&bytes[..taken]);
            let done = cut(&self.cutter, &mut self.out, &self.held, sink);
            if let Some(start) = done.checked_sub(before) {
                // A chunk starts in the piece: from here on nothing needs to be copied.
                bytes = &bytes[start..];
                self.held.clear();
            } else {
                bytes = &bytes[taken..];
                self.held.drain(..done);
            }
        }
        bytes
    }

    /// Takes `len` zero bytes, as [`Self::push`] would, in a time that does not depend on `len`.
    pub fn push_zeros(&mut self, len: u64, sink: &mut Sink<'_>) {
        let max = self.cutter.max_len();
        let zeros = vec![0; len.min(max as u64) as usize];
        // A chunk ends within the first `max` zeros; those behind it are all zeros, of the greatest length.
        let mut left = len;
        for _ in 0..2 {
            let step = left.min(max as u64);
            self.push(&zeros[..step as usize], sink);
            left -= step;
        }
        let copies = (self.held.len() as u64 + left) / max as u64;
        let rest = (self.held.len() as u64 + left) % max as u64;
        if left > 0 {
            self.out.repeat(&zeros, copies, sink);
            self.held.clear();
            self.held.resize(rest as usize, 0);
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Gives `sink` the chunks that are left: the content is complete.
    pub fn finish(mut self, sink: &mut Sink<'_>) {
        let mut bytes = &self.held[..];
        while !bytes.is_empty() {
            let (chunk, rest) = bytes.split_at(self.cutter.next_len(bytes));
            self.out.give(chunk, self.cutter.max_len(), sink);
            bytes = rest;
        }
        self.out.end_run(sink);
    }
}

/// Gives the chunks of `bytes` that later bytes cannot change; returns their length.
fn cut(cutter: &SeqCdc, out: &mut Output, bytes: &[u8], sink: &mut Sink<'_>) -> usize {
    let max = cutter.max_len();
    let mut open = bytes;
    while open.len() >= max {
        let (chunk, rest) = open.split_at(cutter.next_len(open));
        out.give(chunk, max, sink);
        open = rest;
    }
    bytes.len() - open.len()
}

/// Where chunks leave.
struct Output {
    /// Where the next chunk starts.
    pos: u64,
    /// A chunk of one byte over and over that may yet be repeated.
    run: Option<Run>,
}

struct Run {
    chunk: Chunk,
    bytes: Vec<u8>,
}

impl Output {
    /// Gives a chunk on.
    #[inline]
    fn give(&mut self, bytes: &[u8], max: usize, sink: &mut Sink<'_>) {
        if bytes.len() == max && is_constant(bytes) {
            return self.repeat(bytes, 1, sink);
        }
        self.end_run(sink);
        let chunk = Chunk { offset: self.pos, len: bytes.len() as u32, repeat: 1 };
        self.pos = chunk.end();
        sink(ChunkData { chunk, bytes });
    }

    /// Takes `copies` of a chunk that is one byte over and over.
    fn repeat(&mut self, bytes: &[u8], copies: u64, sink: &mut Sink<'_>) {
        if copies == 0 {
            return;
        }
        if self.run.as_ref().is_some_and(|run| run.bytes[0] != bytes[0]) {
            self.end_run(sink);
        }
        let new = || Run {
            chunk: Chunk { offset: self.pos, len: bytes.len() as u32, repeat: 0 },
            bytes: bytes.to_vec(),
        };
        let run = self.run.get_or_insert_with(new);
        run.chunk.repeat += copies;
        self.pos = run.chunk.end();
    }

    #[inline]
    fn end_run(&mut self, sink: &mut Sink<'_>) {
        if let Some(run) = self.run.take() {
            sink(ChunkData { chunk: run.chunk, bytes: &run.bytes });
        }
    }
}
