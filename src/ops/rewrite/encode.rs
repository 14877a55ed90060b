//! The choice of bases among all chunks of the repository.

use std::collections::{HashMap, HashSet};

use crate::cas::{Alike, Base, CasError, ChunkStore, DeltaOf};
use crate::chunk::sketch::{Sketch, Sketcher};
use crate::compress::Level;
use crate::format::pack::Bases;
use crate::id::{Locator, ObjectKind, PackId};

use super::super::trials::Trials;
use super::RoughSet;

/// Features of chunks that the index does not know: about 40 MiB.
const RECENT_MAX: usize = 1 << 19;
/// Most candidates that are read for one chunk.
const CANDIDATES: usize = 2;

/// Turns chunks into deltas. A base must be there in full when all is done: it is not one that was turned into a delta, and
/// is pinned from here on.
pub(super) struct Encoder {
    sketcher: Sketcher,
    /// None: nothing becomes a delta.
    trials: Option<Trials>,
    /// Objects that must stay as they are.
    pinned: RoughSet,
    /// Chunks that are deltas from now on.
    turned: RoughSet,
    /// Packs in which chosen bases lie, and the only copies of what was left out elsewhere.
    pub(super) uses: HashSet<PackId>,
    /// Chunks that stay in full and that the index knows no sketches of. Of those with a feature in common the first one counts.
    recent: HashMap<u32, Base>,
}

/// A chunk, and what it costs now.
pub(super) struct Present<'b> {
    pub(super) locator: Locator,
    pub(super) bytes: &'b [u8],
    pub(super) sketch: Sketch,
    /// Its share of a block, or what its delta takes.
    pub(super) cost: u64,
}

impl Encoder {
    /// `deltas`: chunks may become deltas.
    pub(super) fn new(
        key: &[u8; 32],
        level: Level,
        deltas: bool,
        pinned: RoughSet,
    ) -> Result<Self, CasError> {
        let trials = deltas.then(|| Trials::new(level)).transpose()?;
        let (turned, uses, recent) = Default::default();
        let sketcher = Sketcher::new(key);
        Ok(Self { sketcher, trials, pinned, turned, uses, recent })
    }

    pub(super) fn sketch(&self, kind: ObjectKind, bytes: &[u8]) -> Option<Sketch> {
        if kind == ObjectKind::Chunk { self.sketcher.sketch(bytes) } else { None }
    }

    /// The frame of the delta that was made last.
    pub(super) fn frame(&self) -> &[u8] {
        self.trials.as_ref().map_or(&[], Trials::frame)
    }

    /// Makes a delta of a chunk that is stored in full, unless it must stay so or that does not pay.
    pub(super) fn turn(
        &mut self,
        chunks: &ChunkStore,
        chunk: &Present<'_>,
    ) -> Result<Option<DeltaOf>, CasError> {
        if self.pinned.contains(chunk.locator) {
            return Ok(None);
        }
        let made = self.improve(chunks, chunk)?;
        if made.is_some() {
            self.turned.insert(chunk.locator);
        }
        Ok(made)
    }

    /// Makes a delta of a chunk that is clearly smaller than what it costs now.
    pub(super) fn improve(
        &mut self,
        chunks: &ChunkStore,
        chunk: &Present<'_>,
    ) -> Result<Option<DeltaOf>, CasError> {
        if self.trials.is_none() {
            return Ok(None);
        }
        let candidates = self.candidates(chunks, chunk)?;
        let (Some(&first), Some(trials)) = (candidates.first(), &mut self.trials) else { return Ok(None) };
        let mut bases = vec![first];
        let mut cost = trials.first(chunks, ObjectKind::Chunk, chunk.bytes, &bases)?;
        if let Some(&second) = candidates.get(1).filter(|_| cost > chunk.cost / 8) {
            // What is most like the chunk lies nearest to it.
            let both = vec![second, first];
            if let Some(less) = trials.second(chunks, ObjectKind::Chunk, chunk.bytes, &both, cost)? {
                (bases, cost) = (both, less);
            }
        }
        if 8 * cost > 7 * chunk.cost {
            return Ok(None);
        }
        let locators: Vec<Locator> = bases.iter().map(|base| base.locator).collect();
        locators.iter().for_each(|locator| self.pinned.insert(*locator));
        self.uses.extend(bases.iter().map(|base| base.location.pack));
        let bases = Bases::new(&locators).expect("one or two bases");
        Ok(Some(DeltaOf { bases, depth: 1, len: chunk.bytes.len() }))
    }

    /// Whether the object must stay as it is.
    pub(super) fn is_pinned(&self, locator: Locator) -> bool {
        self.pinned.contains(locator)
    }

    /// Lets others find a chunk that stays in full.
    pub(super) fn remember(&mut self, sketch: &Sketch, base: Base) {
        if self.trials.is_some() && self.recent.len() < RECENT_MAX {
            for feature in sketch {
                self.recent.entry(*feature).or_insert(base);
            }
        }
    }

    /// Chunks in full that are like this one, those that have the most in common first.
    fn candidates(&self, chunks: &ChunkStore, chunk: &Present<'_>) -> Result<Vec<Base>, CasError> {
        let mut alike = chunks.index().alike(&chunk.sketch)?;
        for base in chunk.sketch.iter().filter_map(|feature| self.recent.get(feature)) {
            match alike.iter_mut().find(|other| other.base.locator == base.locator) {
                Some(other) => other.common += 1,
                None => alike.push(Alike { common: 1, base: *base }),
            }
        }
        // One base for many leaves fewer chunks in full.
        alike
            .sort_by_key(|alike| std::cmp::Reverse((alike.common, self.pinned.contains(alike.base.locator))));
        let mut bases: Vec<Base> = Vec::new();
        for Alike { base, .. } in alike {
            let is_new = bases.iter().all(|other| other.locator != base.locator);
            if is_new && base.locator != chunk.locator && self.stays_full(&base) {
                bases.push(base);
            }
        }
        bases.truncate(CANDIDATES);
        Ok(bases)
    }

    fn stays_full(&self, base: &Base) -> bool {
        base.location.depth == 0 && !self.turned.contains(base.locator)
    }
}
