//! Cutting a stream: bytes come in pieces, chunks go out as soon as later bytes cannot change them.

use std::ops::Range;
use std::sync::Arc;

use super::Keys;
use super::buffer::Buffer;
use super::fine::FineLayers;
use super::item::{Hasher, Item};
use super::layer::{Layers, Stage};
use super::proto::{self, Output, Proto};
use crate::chunk::{Chunk, ChunkData};
use crate::isa::Isa;

/// Bytes taken into the buffer at a time.
const STEP: usize = 128 << 10;
/// Least bytes in the buffer before what is no longer needed is dropped; few in tests, so that they see it happen.
const SLACK: usize = if cfg!(test) { 8 << 10 } else { 1 << 20 };
/// Zeros that stand for a longer run at both of its ends: enough that every level of proto-chunks has
/// recognised the run, and that nothing but the run is in sight.
const ZEROS: usize = 16 << 10;

/// Receives chunks in the order of the content.
pub type Sink<'a> = dyn FnMut(ChunkData<'_>) + 'a;

/// Cuts one content whose bytes come in pieces, in bounded memory. Made by [`Chonkers::stream`](super::Chonkers::stream).
///
/// How the content is divided into pieces makes no difference to the chunks.
pub struct ChonkersStream {
    keys: Arc<Keys>,
    unit: u64,
    buffer: Buffer<'static>,
    stages: Stages,
    /// Buffered bytes at which to drop what is no longer needed.
    threshold: usize,
}

/// What bytes go through to become chunks.
pub(super) struct Stages {
    proto: Proto,
    fine: FineLayers,
    layers: Layers,
}

impl Stages {
    pub(super) fn new(keys: &Keys, unit: u64, isa: Isa) -> Self {
        let radius = proto::radius(unit);
        // Two proto-chunks of the first level are heavier.
        let fine = 2 * radius as u64;
        Self {
            proto: Proto::new(radius, &keys.proto, isa),
            fine: FineLayers::new(fine),
            layers: Layers::new(2 * fine, unit),
        }
    }

    /// Gives on what the bytes in the buffer decide.
    pub(super) fn advance(&mut self, hasher: &Hasher, buffer: &Buffer<'_>, unit: u64, sink: &mut Sink<'_>) {
        let Self { proto, fine, layers } = self;
        let mut emit = |item: &Item| give(item, unit, buffer, sink);
        let mut coarse = |item: &Item| layers.push(item, hasher, buffer, &mut emit);
        let mut sink = |item: &Item| fine.push(item, hasher, buffer, &mut coarse);
        proto.advance(&mut Output { buffer, hasher, sink: &mut sink });
    }

    /// Gives on everything: the stream ends with the buffer.
    pub(super) fn finish(&mut self, hasher: &Hasher, buffer: &Buffer<'_>, unit: u64, sink: &mut Sink<'_>) {
        let Self { proto, fine, layers } = self;
        let mut emit = |item: &Item| give(item, unit, buffer, sink);
        let mut coarse = |item: &Item| layers.push(item, hasher, buffer, &mut emit);
        let mut feed = |item: &Item| fine.push(item, hasher, buffer, &mut coarse);
        proto.finish(&mut Output { buffer, hasher, sink: &mut feed });
        fine.finish(hasher, buffer, &mut coarse);
        layers.finish(hasher, buffer, &mut emit);
    }

    /// Visits the items that are not part of a chunk yet, as (item, copies).
    fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        self.layers.pending(visit);
        self.fine.pending(visit);
        self.proto.pending(visit);
    }

    /// Whether no chunk to come begins within `places`: all the items there are further copies of one before.
    pub(super) fn rule_out(&self, places: &Range<u64>) -> bool {
        let uncut = self.proto.uncut();
        let covers = |run: Range<u64>| run.start < places.start && places.end <= run.end;
        if uncut.start < places.end && !covers(uncut) {
            return false;
        }
        let mut is_free = true;
        self.pending(&mut |item, _| is_free &= !places.contains(&item.pos));
        is_free
    }
}

/// Cuts a content that is there as a whole.
pub(super) fn cut(keys: &Keys, unit: u32, isa: Isa, data: &[u8], sink: &mut Sink<'_>) {
    let unit = u64::from(unit);
    let buffer = Buffer::whole(data);
    if data.len() as u64 <= unit {
        return give_whole(&buffer, sink);
    }
    let mut stages = Stages::new(keys, unit, isa);
    stages.advance(&keys.hasher, &buffer, unit, sink);
    stages.finish(&keys.hasher, &buffer, unit, sink);
}

/// A content of at most the absolute unit is one chunk.
fn give_whole(buffer: &Buffer<'_>, sink: &mut Sink<'_>) {
    let len = buffer.end();
    if len > 0 {
        let chunk = Chunk { offset: 0, len: len as u32, repeat: 1 };
        sink(ChunkData { chunk, bytes: buffer.get(0, len) });
    }
}

impl ChonkersStream {
    pub(super) fn new(keys: Arc<Keys>, unit: u32, isa: Isa) -> Self {
        let unit = u64::from(unit);
        let stages = Stages::new(&keys, unit, isa);
        Self { stages, keys, unit, buffer: Buffer::default(), threshold: SLACK }
    }

    /// Takes the next bytes; gives `sink` the chunks that they complete.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) {
        for piece in bytes.chunks(STEP) {
            self.buffer.append(piece);
            self.stages.advance(&self.keys.hasher, &self.buffer, self.unit, sink);
            if self.buffer.len() >= self.threshold {
                self.drop_unneeded();
            }
        }
    }

    /// Takes `len` zero bytes, as [`Self::push`] would, in a time that does not depend on `len`.
    pub fn push_zeros(&mut self, len: u64, sink: &mut Sink<'_>) {
        const BLOCK: [u8; ZEROS] = [0; ZEROS];
        // A run that the buffer is to leave out has to be heavier than any chunk, so that it stays a caterpillar.
        let written = len.min(self.unit + 3 * ZEROS as u64);
        let mut left = written;
        while left > 0 {
            let step = left.min(ZEROS as u64);
            self.push(&BLOCK[..step as usize], sink);
            left -= step;
        }
        if len > written {
            let middle = self.stages.proto.needed_from();
            debug_assert!(
                self.stages.proto.open_run().is_some_and(|run| run.start < middle),
                "a run of zeros is open"
            );
            self.stages.proto.extend_run(len - written);
            self.buffer.insert_gap(middle, len - written);
        }
    }

    /// Gives `sink` the chunks that are left: the content is complete.
    pub fn finish(mut self, sink: &mut Sink<'_>) {
        if self.buffer.end() <= self.unit {
            return give_whole(&self.buffer, sink);
        }
        self.stages.finish(&self.keys.hasher, &self.buffer, self.unit, sink);
    }

    pub(super) fn stages(&self) -> &Stages {
        &self.stages
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Drops the bytes that neither a chunk to come nor a decision needs.
    fn drop_unneeded(&mut self) {
        let mut needed = Vec::new();
        let unit = self.unit;
        let mut visit = |item: &Item, copies: u64| needed.push(needed_of(item, copies, unit));
        self.stages.pending(&mut visit);
        if let Some(run) = self.stages.proto.open_run() {
            let all = run.end - run.start <= unit;
            needed.push(run.start..if all { run.end } else { run.start + 1 });
        }
        needed.push(self.stages.proto.needed_from()..self.buffer.end());
        self.buffer.retain(needed);
        self.threshold = SLACK.max(2 * self.buffer.len());
    }
}

/// What must be kept of an item and its copies: all of it as long as it can become part of a chunk, else a unit.
fn needed_of(item: &Item, copies: u64, unit: u64) -> Range<u64> {
    let all = item.weight().saturating_mul(copies);
    item.pos..item.pos + if all <= unit { all } else { item.unit }
}

/// Gives on an item of the last layer as a chunk: one copy as far as that fits a chunk, else a repeated unit.
fn give(item: &Item, unit: u64, buffer: &Buffer<'_>, sink: &mut Sink<'_>) {
    let (len, repeat) = if item.weight() <= unit { (item.weight(), 1) } else { (item.unit, item.repeat) };
    let chunk = Chunk { offset: item.pos, len: len as u32, repeat };
    sink(ChunkData { chunk, bytes: buffer.get(item.pos, len) });
}
