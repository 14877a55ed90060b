//! Proto-chunks: a strictly local first cut, so that the layers need not begin at single bytes.
//!
//! Level 0 cuts at the minima of a keyed hash within 64 positions on both sides. Where two cuts of a level are
//! too far apart, the stretch between them is cut by the next level, whose minima look less far; the last level
//! cuts such a stretch into its runs of one byte. Every decision depends on bytes within a constant distance.

use std::ops::Range;

use super::buffer::Buffer;
use super::caterpillar::Caterpillar;
use super::item::{Hasher, Item};
use super::minima::{Minima, WindowKey, is_constant};
use super::ring::LEAF_LEN_MAX;

/// How far the minima of each level look on both sides.
pub(super) const RADII: [usize; 4] = [64, 16, 4, 1];
/// Longest stretch between two cuts of each level that the next level does not cut.
pub(super) const LONGEST: [u64; 4] = [LEAF_LEN_MAX as u64, 128, 32, 16];
/// Bytes that the decision for a position reads before it, and from it on.
const REACH_LEFT: u64 = 64;
/// Positions scanned before the content is looked at for a period.
const STEP: u64 = 8192;
const REACH_RIGHT: u64 = 64 + 8;

/// One level: the stretch that it has begun, and how far it has looked for the stretch's end.
struct Level {
    minima: Minima,
    start: u64,
    scanned: u64,
    found: Vec<usize>,
}

/// The run of one byte that has begun, within a stretch that no level cuts.
#[derive(Clone, Copy, Debug)]
struct Run {
    start: u64,
    /// Up to here the run's byte has been seen.
    scanned: u64,
}

/// The proto-chunks of a stream, equal ones in a row as one item.
pub(super) struct Proto {
    levels: [Level; RADII.len()],
    run: Option<Run>,
    caterpillar: Caterpillar,
}

/// What the proto stage works with: the stream's bytes, the rules, and where items go.
pub(super) struct Output<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) hasher: &'a Hasher,
    pub(super) sink: &'a mut dyn FnMut(&Item),
}

impl Proto {
    /// A stage that begins at the start of a stream; one key a level.
    pub(super) fn new(keys: &[WindowKey; RADII.len()]) -> Self {
        let level =
            |i| Level { minima: Minima::new(RADII[i], keys[i]), start: 0, scanned: 1, found: Vec::new() };
        Self { levels: std::array::from_fn(level), run: None, caterpillar: Caterpillar::default() }
    }

    /// Gives on what the bytes in the buffer decide.
    pub(super) fn advance(&mut self, output: &mut Output<'_>) {
        let limit = (output.buffer.end() + 1).saturating_sub(REACH_RIGHT);
        while self.levels[0].scanned < limit {
            self.skip_periods(output.buffer);
            let next = limit.min(self.levels[0].scanned + STEP);
            self.scan(0, next, output);
        }
    }

    /// Passes over whole periods where the content repeats the last proto-chunk over and over: every decision
    /// there is the one of a period before.
    fn skip_periods(&mut self, buffer: &Buffer) {
        let frontier = self.levels[0].scanned;
        let Some((unit, copies)) = self.caterpillar.pending().filter(|(first, _)| first.repeat == 1) else {
            return;
        };
        let (start, period) = (unit.pos, unit.unit);
        let cut = start + copies * period;
        // One cut within the last period, and nothing but the period in sight of the frontier.
        let is_steady = cut < frontier && frontier <= cut + period && start + period + REACH_LEFT <= frontier;
        if !is_steady || self.run.is_some() {
            return;
        }
        let bytes = buffer.tail(cut - period);
        let end = cut + echo_len(bytes, period as usize) as u64;
        let skipped = (end + 1).saturating_sub(frontier + REACH_RIGHT) / period;
        for level in &mut self.levels {
            level.scanned += skipped * period;
            if level.start == cut {
                level.start += skipped * period;
            }
        }
        self.caterpillar.add_copies(skipped);
    }

    /// Gives on everything: the stream ends with the buffer.
    pub(super) fn finish(&mut self, output: &mut Output<'_>) {
        let end = output.buffer.end();
        if end > 0 {
            self.scan(0, end, output);
            self.close(0, end, output);
        }
        self.caterpillar.finish(output.hasher, output.sink);
    }

    /// Looks for cuts of a level before `limit`.
    fn scan(&mut self, level: usize, limit: u64, output: &mut Output<'_>) {
        let Some(this) = self.levels.get_mut(level) else {
            return self.scan_runs(limit, output);
        };
        let mut found = std::mem::take(&mut this.found);
        let base = this.find(limit, output.buffer, &mut found);
        for cut in found.drain(..) {
            self.close(level, base + cut as u64, output);
        }
        let this = &mut self.levels[level];
        this.found = found;
        this.scanned = this.scanned.max(limit);
        if limit.saturating_sub(this.start) > LONGEST[level] {
            self.scan(level + 1, limit, output);
        }
    }

    /// Ends a level's stretch at `cut`.
    fn close(&mut self, level: usize, cut: u64, output: &mut Output<'_>) {
        match self.levels.get(level) {
            None => self.close_runs(cut, output),
            Some(this) if cut - this.start <= LONGEST[level] => {
                let item = output.hasher.leaf(this.start, output.buffer.get(this.start, cut - this.start));
                self.give(&item, output);
            }
            Some(_) => {
                self.scan(level + 1, cut, output);
                self.close(level + 1, cut, output);
            }
        }
        for level in self.levels.iter_mut().skip(level) {
            (level.start, level.scanned) = (cut, cut + 1);
        }
    }

    /// Cuts the stretch of the last level into runs, up to `limit`.
    fn scan_runs(&mut self, limit: u64, output: &mut Output<'_>) {
        let start = self.levels[RADII.len() - 1].start;
        let mut run = self.run.unwrap_or(Run { start, scanned: start + 1 });
        while run.scanned < limit {
            let bytes = output.buffer.get(run.scanned - 1, limit - run.scanned + 1);
            run.scanned += constant_len(bytes) as u64 - 1;
            if run.scanned < limit {
                self.give_run(run, output);
                run = Run { start: run.scanned, scanned: run.scanned + 1 };
            }
        }
        self.run = Some(run);
    }

    fn close_runs(&mut self, cut: u64, output: &mut Output<'_>) {
        if let Some(run) = self.run.take() {
            debug_assert_eq!(run.scanned, cut, "the runs were scanned up to the cut");
            self.give_run(run, output);
        }
    }

    fn give_run(&mut self, run: Run, output: &mut Output<'_>) {
        let byte = output.hasher.leaf(run.start, output.buffer.get(run.start, 1));
        self.give(&output.hasher.repeat(&byte, run.scanned - run.start), output);
    }

    fn give(&mut self, item: &Item, output: &mut Output<'_>) {
        self.caterpillar.push(item, output.hasher, output.buffer, output.sink);
    }

    /// Visits the items that have not been given on, in order, as (item, copies).
    pub(super) fn pending(&self, visit: &mut dyn FnMut(&Item, u64)) {
        if let Some((first, copies)) = self.caterpillar.pending() {
            visit(first, copies);
        }
    }

    /// The run of one byte that the stream is in: its start and where it is known to go on to.
    pub(super) fn open_run(&self) -> Option<Range<u64>> {
        self.run.map(|run| run.start..run.scanned)
    }

    /// From where on bytes are needed, beside what [`Self::pending`] and [`Self::open_run`] tell.
    pub(super) fn needed_from(&self) -> u64 {
        let frontier = self.levels[0].scanned;
        let start = match self.run {
            Some(_) => frontier,
            None => self.deepest_start(frontier),
        };
        start.min(frontier).saturating_sub(REACH_LEFT + 2 * LEAF_LEN_MAX as u64)
    }

    /// Start of the stretch that no level has cut yet.
    fn deepest_start(&self, frontier: u64) -> u64 {
        let is_short = |&level: &usize| frontier.saturating_sub(self.levels[level].start) <= LONGEST[level];
        let level = (0..RADII.len()).find(is_short).unwrap_or(RADII.len() - 1);
        self.levels[level].start
    }

    /// Behaves as if the byte of the open run had come `count` more times.
    pub(super) fn extend_run(&mut self, count: u64) {
        for level in &mut self.levels {
            level.scanned += count;
        }
        if let Some(run) = &mut self.run {
            run.scanned += count;
        }
    }
}

impl Level {
    /// Collects this level's cuts before `limit`, as distances from the returned place.
    fn find(&mut self, limit: u64, buffer: &Buffer, found: &mut Vec<usize>) -> u64 {
        let from = self.scanned.max(self.minima.reach_left() as u64);
        let to = limit.min((buffer.end() + 1).saturating_sub(self.minima.reach_right() as u64));
        if from >= to {
            return from;
        }
        let base = from - self.minima.reach_left() as u64;
        self.minima.find(buffer.tail(base), (from - base) as usize, (to - base) as usize, found);
        base
    }
}

/// Length of the run of one byte at the start of `bytes`, which are not empty.
fn constant_len(bytes: &[u8]) -> usize {
    const STEP: usize = 64;
    let mut len = 1;
    while len + STEP <= bytes.len() && is_constant(&bytes[len - 1..len + STEP]) {
        len += STEP;
    }
    let first = bytes[0];
    len + bytes[len..].iter().take_while(|&&byte| byte == first).count()
}

/// How many bytes, from `period` on, are each the same as the one a period before.
fn echo_len(bytes: &[u8], period: usize) -> usize {
    const STEP: usize = 64;
    let (echoes, originals) = (&bytes[period..], &bytes[..bytes.len() - period]);
    let steps = echoes.chunks_exact(STEP).zip(originals.chunks_exact(STEP));
    let len = STEP * steps.take_while(|(a, b)| a == b).count();
    len + echoes[len..].iter().zip(&originals[len..]).take_while(|(a, b)| a == b).count()
}
