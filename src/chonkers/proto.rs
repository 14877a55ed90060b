//! Proto-chunks: a strictly local first cut, so that the layers need not begin at single bytes.
//!
//! Level 0 cuts at the minima of a keyed hash of 8 bytes within a radius of positions on both sides. Where two cuts of a
//! level are more than eight radii apart, the stretch between them is cut by the next level. The next two look as far, but
//! at 64 bytes and at as many as the radius for each position: what they leave long is periodic, but for odd chances. The
//! minima of the following levels look half as far each time, so that one of them finds exactly one cut a period; the
//! last level cuts what is left into its runs of one byte. Every decision depends on bytes within a constant distance.

use std::ops::Range;

use super::buffer::Buffer;
use super::caterpillar::Caterpillar;
use super::item::{Hasher, Item};
use super::minima::{Minima, NARROW, Rule, WindowKey, constant_len};
use crate::isa::Isa;

/// Levels of the largest units.
pub(super) const LEVELS_MAX: usize = 3 + RADIUS_MAX.ilog2() as usize;
/// Radius of the first levels for the largest units.
const RADIUS_MAX: usize = 4096;
/// Positions scanned before the content is looked at for a period.
const STEP: u64 = 64 << 10;

/// Radius of the first level for chunks of at most `unit` bytes, a power of two: neighbouring cuts of one level are more
/// than this apart.
pub(super) fn radius(unit: u64) -> usize {
    (unit / 16).min(RADIUS_MAX as u64) as usize
}

/// Longest stretch between two cuts of a level that the next level does not cut.
pub(super) const fn longest(rule: Rule) -> u64 {
    if rule.radius == 1 { 16 } else { 8 * rule.radius as u64 }
}

/// Where each level cuts, for a radius of the first.
pub(super) fn rules(radius: usize) -> impl Iterator<Item = Rule> {
    let halves =
        std::iter::successors(Some(radius / 2), |radius| Some(radius / 2)).take_while(|&radius| radius > 0);
    let first = [NARROW, 64, radius].map(|window| Rule { radius, window });
    first.into_iter().chain(halves.map(|radius| Rule { radius, window: NARROW }))
}

/// One level: the stretch that it has begun, and how far it has looked for the stretch's end.
struct Level {
    minima: Minima,
    longest: u64,
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
    levels: Vec<Level>,
    /// Bytes that the decision for a position reads before it; from it on, twice as many.
    radius: u64,
    run: Option<Run>,
    caterpillar: Caterpillar,
}

/// What the proto stage works with: the stream's bytes, the rules, and where items go.
pub(super) struct Output<'a> {
    pub(super) buffer: &'a Buffer<'a>,
    pub(super) hasher: &'a Hasher,
    pub(super) sink: &'a mut dyn FnMut(&Item),
}

impl Proto {
    /// A stage that begins at the start of a stream, for this radius of the first level; one key a level.
    pub(super) fn new(radius: usize, keys: &[WindowKey; LEVELS_MAX], isa: Isa) -> Self {
        let level = |(rule, &key)| {
            let minima = Minima::new(rule, key, isa);
            Level { minima, longest: longest(rule), start: 0, scanned: 1, found: Vec::new() }
        };
        let levels = rules(radius).zip(keys).map(level).collect();
        Self { levels, radius: radius as u64, run: None, caterpillar: Caterpillar::default() }
    }

    /// Gives on what the bytes in the buffer decide.
    pub(super) fn advance(&mut self, output: &mut Output<'_>) {
        let limit = (output.buffer.end() + 1).saturating_sub(2 * self.radius);
        while self.levels[0].scanned < limit {
            self.skip_periods(output.buffer);
            self.skip_run(output.buffer);
            let next = limit.min(self.levels[0].scanned + STEP);
            self.scan(0, next, output);
        }
    }

    /// Passes over whole periods where the content repeats the last proto-chunk over and over: every decision
    /// there is the one of a period before.
    fn skip_periods(&mut self, buffer: &Buffer<'_>) {
        let frontier = self.levels[0].scanned;
        let Some((unit, copies)) = self.caterpillar.pending().filter(|(first, _)| first.repeat == 1) else {
            return;
        };
        let (start, period) = (unit.pos, unit.unit);
        let cut = start + copies * period;
        // One cut within the last period, and nothing but the period in sight of the frontier.
        let is_steady =
            cut < frontier && frontier <= cut + period && start + period + self.radius <= frontier;
        if !is_steady || self.run.is_some() {
            return;
        }
        let bytes = buffer.tail(cut - period);
        let end = cut + echo_len(bytes, period as usize) as u64;
        let skipped = (end + 1).saturating_sub(frontier + 2 * self.radius) / period;
        for level in &mut self.levels {
            level.scanned += skipped * period;
            if level.start == cut {
                level.start += skipped * period;
            }
        }
        self.caterpillar.add_copies(skipped);
    }

    /// Passes over the middle of a run of one byte that all levels have recognised.
    fn skip_run(&mut self, buffer: &Buffer<'_>) {
        let frontier = self.levels[0].scanned;
        if let Some(run) =
            self.run.filter(|run| run.start + self.radius <= frontier && run.scanned == frontier)
        {
            let end = run.scanned - 1 + constant_len(buffer.tail(run.scanned - 1)) as u64;
            self.extend_run((end + 1).saturating_sub(frontier + 2 * self.radius));
        }
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
        if limit.saturating_sub(this.start) > this.longest {
            self.scan(level + 1, limit, output);
        }
    }

    /// Ends a level's stretch at `cut`.
    fn close(&mut self, level: usize, cut: u64, output: &mut Output<'_>) {
        match self.levels.get(level) {
            None => self.close_runs(cut, output),
            Some(this) if cut - this.start <= this.longest => {
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
        let start = self.levels.last().expect("there are levels").start;
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

    /// The stretch that is not cut into items yet: of one byte, its run up to where that was seen; else what follows the last
    /// item, with no end known.
    pub(super) fn uncut(&self) -> Range<u64> {
        let start = self.deepest_start(self.levels[0].scanned);
        self.open_run().unwrap_or(start..start)
    }

    /// From where on bytes are needed, beside what [`Self::pending`] and [`Self::open_run`] tell.
    pub(super) fn needed_from(&self) -> u64 {
        let frontier = self.levels[0].scanned;
        let start = match self.run {
            Some(_) => frontier,
            None => self.deepest_start(frontier),
        };
        start.min(frontier).saturating_sub(17 * self.radius)
    }

    /// Start of the stretch that no level has cut yet.
    fn deepest_start(&self, frontier: u64) -> u64 {
        let is_short = |level: &&Level| frontier.saturating_sub(level.start) <= level.longest;
        self.levels.iter().find(is_short).or(self.levels.last()).expect("there are levels").start
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
    fn find(&mut self, limit: u64, buffer: &Buffer<'_>, found: &mut Vec<usize>) -> u64 {
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

/// How many bytes, from `period` on, are each the same as the one a period before.
fn echo_len(bytes: &[u8], period: usize) -> usize {
    const STEP: usize = 64;
    let (echoes, originals) = (&bytes[period..], &bytes[..bytes.len() - period]);
    let steps = echoes.chunks_exact(STEP).zip(originals.chunks_exact(STEP));
    let len = STEP * steps.take_while(|(a, b)| a == b).count();
    len + echoes[len..].iter().zip(&originals[len..]).take_while(|(a, b)| a == b).count()
}
