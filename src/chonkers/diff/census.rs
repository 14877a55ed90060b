//! Counts what became of the objects inside the ranges: which are on both sides, which on one only.

use super::{DeltaStats, Token, load};
use crate::chonkers::tree::{NodeSource, TreeChild, TreeError};
use crate::id::ChunkId;
use std::collections::{BTreeMap, HashMap};

/// A side of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

/// Bytes inside the ranges of the two sides.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    old: u64,
    new: u64,
    /// Both sides have it outside the ranges.
    known: bool,
}

impl Tally {
    fn of(&mut self, side: Side) -> &mut u64 {
        match side {
            Side::Old => &mut self.old,
            Side::New => &mut self.new,
        }
    }

    /// The side and its bytes, if the other has none.
    fn only_side(&self) -> Option<(Side, u64)> {
        match (self.old, self.new) {
            _ if self.known => None,
            (old, 0) => Some((Side::Old, old)),
            (0, new) => Some((Side::New, new)),
            _ => None,
        }
    }
}

/// The objects inside the ranges, with their bytes on either side. Repeats are multiplied, not walked.
#[derive(Debug)]
pub(super) struct Census {
    /// By level from 1 on, by id and length.
    nodes: Vec<BTreeMap<(ChunkId, u64), Tally>>,
    chunks: Chunks,
    /// Bytes in `nodes`.
    open: Tally,
}

impl Census {
    /// Counts up to `most` different chunks one by one. Of more, only those of a share of all ids are, and stand for
    /// the rest.
    pub(super) fn new(most: usize) -> Self {
        let chunks = Chunks {
            most,
            seen: HashMap::new(),
            passed_over: 0,
            total: Tally::default(),
            alone: Tally::default(),
        };
        Self { nodes: Vec::new(), chunks, open: Tally::default() }
    }

    /// Counts an object of one side.
    pub(super) fn add(&mut self, side: Side, token: &Token) {
        self.add_bytes(side, token.level, &token.child, token.bytes());
    }

    /// Notes an object that both sides have outside the ranges.
    pub(super) fn know(&mut self, token: &Token) {
        if let Some(tally) = self.tally(token.level, &token.child) {
            tally.known = true;
        }
    }

    fn add_bytes(&mut self, side: Side, level: u8, child: &TreeChild, bytes: u64) {
        let total = if level == 0 { &mut self.chunks.total } else { &mut self.open };
        *total.of(side) += bytes;
        if let Some(tally) = self.tally(level, child) {
            *tally.of(side) += bytes;
        }
    }

    /// Where an object is counted; `None`: it is a chunk that a sample of others stands for.
    fn tally(&mut self, level: u8, child: &TreeChild) -> Option<&mut Tally> {
        let Some(above) = usize::from(level).checked_sub(1) else { return self.chunks.tally(child) };
        if self.nodes.len() <= above {
            self.nodes.resize_with(above + 1, BTreeMap::new);
        }
        Some(self.nodes[above].entry((child.id, child.len)).or_default())
    }

    /// Completes `stats`. Opens the nodes that one side alone has, each once, highest level first, as long as there
    /// is anything on the other side that they could share.
    pub(super) fn count<S: NodeSource + ?Sized>(
        mut self,
        source: &mut S,
        stats: &mut DeltaStats,
    ) -> Result<(), TreeError<S::Error>> {
        while let Some(nodes) = self.nodes.pop() {
            let level = u8::try_from(self.nodes.len() + 1).expect("roots are checked to be below the limit");
            for ((id, len), tally) in nodes {
                self.open.old -= tally.old;
                self.open.new -= tally.new;
                let Some((side, bytes)) = tally.only_side() else {
                    stats.moved += tally.new;
                    continue;
                };
                if self.other_is_empty(side) {
                    self.chunks.add_alone(side, bytes);
                    continue;
                }
                let node = TreeChild { id, len, repeat: bytes / len };
                for child in load(source, level, &node)? {
                    self.add_bytes(side, level - 1, &child, child.len * child.repeat * node.repeat);
                }
            }
        }
        self.chunks.count(stats);
        Ok(())
    }

    fn other_is_empty(&self, side: Side) -> bool {
        let seen = match side {
            Side::Old => self.open.new + self.chunks.total.new,
            Side::New => self.open.old + self.chunks.total.old,
        };
        seen == 0
    }
}

/// The chunks among the objects. Keyed by the first 8 bytes of their ids: over 10^7 chunks the chance that two of
/// them meet, which would only shift a count, is below 10^-5.
#[derive(Debug)]
struct Chunks {
    /// Most entries of `seen` (about 50 bytes each).
    most: usize,
    seen: HashMap<u64, Tally>,
    /// Ids with one of these bits are not in `seen`: it became too large.
    passed_over: u64,
    /// Bytes of all chunks, seen or passed over.
    total: Tally,
    /// Bytes that were known without looking to be on one side alone.
    alone: Tally,
}

impl Chunks {
    fn tally(&mut self, chunk: &TreeChild) -> Option<&mut Tally> {
        while self.seen.len() > self.most {
            self.passed_over = self.passed_over << 1 | 1;
            self.seen.retain(|key, _| key & self.passed_over == 0);
        }
        let (word, _) = chunk.id.as_bytes().split_first_chunk().expect("an id has 32 bytes");
        let key = u64::from_le_bytes(*word);
        (key & self.passed_over == 0).then(|| self.seen.entry(key).or_default())
    }

    fn add_alone(&mut self, side: Side, bytes: u64) {
        *self.alone.of(side) += bytes;
    }

    fn count(&self, stats: &mut DeltaStats) {
        let (mut seen, mut both) = (Tally::default(), Tally::default());
        for tally in self.seen.values() {
            seen.old += tally.old;
            seen.new += tally.new;
            if tally.only_side().is_none() {
                both.old += tally.old;
                both.new += tally.new;
            }
        }
        let moved = share(self.total.new, both.new, seen.new);
        stats.moved += moved;
        stats.new += self.total.new - moved + self.alone.new;
        stats.removed += self.total.old - share(self.total.old, both.old, seen.old) + self.alone.old;
    }
}

/// `total * part / whole`: exactly `part` where `whole` is all of `total`.
fn share(total: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(total) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).expect("part is at most whole")
}
