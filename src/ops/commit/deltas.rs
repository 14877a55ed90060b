//! The choice of bases: which objects a new one is encoded against, and whether that pays.

use crate::cas::{Alike, Base, CasError, ChunkStore, DeltaOf};
use crate::chunk::sketch::Sketch;
use crate::compress::Level;
use crate::format::pack::Bases;
use crate::id::{Locator, ObjectKind, PackId};
use crate::limits::BASES_MAX;

use super::super::trials::Trials;
use super::former::Former;

/// Bytes at both ends of a chunk that are looked for in a base, to tell whether it spans more than that.
const PROBE_LEN: usize = 24;

/// Where a new object stands.
pub(super) enum Place<'f> {
    /// It is a chunk of a content, and took the place of this former one.
    Chunk(&'f Former, Option<usize>),
    /// It took the place of this object.
    Object(Option<Locator>),
}

/// A delta; its frame is with who made it.
pub(super) struct Made {
    pub(super) delta: DeltaOf,
    /// Packs that the bases lie in.
    pub(super) packs: Vec<PackId>,
}

/// Makes deltas, for one thread.
pub(super) struct Deltas {
    trials: Trials,
    /// Deltas one above the other at most.
    depth: u8,
    gains: Gains,
    /// Of bases that stood at the object's place.
    placed: Trust,
    /// Of bases that have one feature in common with the object.
    alike: Trust,
    /// Of bases that have several.
    very_alike: Trust,
}

/// What compressing has come to so far.
#[derive(Debug)]
struct Gains {
    plain: u64,
    compressed: u64,
}

/// Whether tries are worth their while. Reading a base costs more than encoding against it.
#[derive(Debug, Default)]
struct Trust {
    /// Grows with every base that was of little use, shrinks with every good one.
    doubt: u32,
    /// Objects passed over since the last try.
    passed: u32,
}

impl Gains {
    /// Bytes that the first guess counts as.
    const GUESSED: u64 = 1 << 20;

    /// Begins with a guess that few blocks correct: files shrink to two fifths, listings, which are full of ids, to three.
    fn new(is_metadata: bool) -> Self {
        let compressed = if is_metadata { 600 << 10 } else { 400 << 10 };
        Self { plain: Self::GUESSED, compressed }
    }

    /// Whether no block has been seen.
    fn is_guess(&self) -> bool {
        self.plain == Self::GUESSED
    }

    fn block(&mut self, plain: u64, compressed: u64) {
        // What was long ago says less.
        if self.plain > 64 << 20 {
            (self.plain, self.compressed) = (self.plain / 2, self.compressed / 2);
        }
        self.plain += plain;
        self.compressed += compressed;
    }

    /// An object's share of a block.
    fn share(&self, len: usize) -> u64 {
        len as u64 * self.compressed / self.plain
    }
}

impl Trust {
    /// From this doubt on bases are seldom tried.
    const DOUBT: u32 = 6;
    const DOUBT_MAX: u32 = 8;
    /// One object in so many has its base tried in doubt.
    const SELDOM: u32 = 32;

    fn tries(&mut self) -> bool {
        self.passed += 1;
        let tries = self.doubt < Self::DOUBT || self.passed >= Self::SELDOM;
        if tries {
            self.passed = 0;
        }
        tries
    }

    fn learn(&mut self, is_good: bool) {
        let doubt = if is_good { self.doubt.saturating_sub(1) } else { self.doubt + 1 };
        self.doubt = doubt.min(Self::DOUBT_MAX);
    }
}

/// A choice of bases.
struct Choice {
    /// Of these the delta is made, or with more.
    bases: Vec<Base>,
    why: Why,
    /// What was chosen first is a delta itself, whose bases these are.
    has_aged: bool,
}

/// What speaks for a base.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It stood at the object's place.
    Stood,
    /// It has one feature in common with the object, which may be chance.
    Alike,
    /// It has several.
    VeryAlike,
}

impl Deltas {
    pub(super) fn new(level: Level, depth: u8, is_metadata: bool) -> Result<Self, CasError> {
        let (placed, alike, very_alike) = Default::default();
        let gains = Gains::new(is_metadata);
        Ok(Self { trials: Trials::new(level)?, depth, gains, placed, alike, very_alike })
    }

    /// Counts a block of objects that were stored in full.
    pub(super) fn block(&mut self, plain: u64, compressed: u64) {
        self.gains.block(plain, compressed);
    }

    /// The frame of the delta that was made last.
    pub(super) fn frame(&self) -> &[u8] {
        self.trials.frame()
    }

    /// Makes a delta of a new object, if that pays. A base that cannot be read is none: what is new must be stored even where
    /// what is old is damaged.
    pub(super) fn make(
        &mut self,
        store: &ChunkStore,
        kind: ObjectKind,
        bytes: &[u8],
        sketch: Option<&Sketch>,
        place: &Place<'_>,
    ) -> Result<Option<Made>, CasError> {
        let stood = match *place {
            Place::Chunk(former, place) => place.and_then(|place| former.chunk(store, place)),
            Place::Object(object) => object,
        };
        let alike = sketch.map_or_else(Vec::new, |sketch| store.index().alike(sketch).unwrap_or_default());
        let Some(mut choice) = self.choose(store, kind, stood, &alike) else { return Ok(None) };
        let first = self.trials.first(store, kind, bytes, &choice.bases);
        let Some(mut cost) = if_readable(first)? else { return Ok(None) };
        let share = self.gains.share(bytes.len());
        // A base that holds next to nothing of the object tells that those beside it will not, either: once it is known what
        // an object of this commit takes in full.
        let is_of_use = cost < share || self.gains.is_guess();
        if cost > share / 8
            && is_of_use
            && let Some(more) = self.more(store, kind, bytes, place, &choice.bases, &alike)
            && let Some(Some(less)) = if_readable(self.trials.second(store, kind, bytes, &more, cost))?
        {
            (choice.bases, cost) = (more, less);
        }
        match choice.why {
            Why::Stood => self.placed.learn(2 * cost <= share),
            Why::Alike => self.alike.learn(2 * cost <= share),
            Why::VeryAlike => self.very_alike.learn(2 * cost <= share),
        }
        // A base that has aged is soon worth a new one in its place.
        let pays = if choice.has_aged { 2 * cost <= share } else { 8 * cost <= 7 * share };
        Ok(if pays { made(&choice.bases, bytes.len()) } else { None })
    }

    /// What stood at the object's place, unless sketches tell that something else is more like it.
    fn choose(
        &mut self,
        store: &ChunkStore,
        kind: ObjectKind,
        stood: Option<Locator>,
        alike: &[Alike],
    ) -> Option<Choice> {
        let best = alike.first();
        let why = if best.is_some_and(|best| best.common > 1) { Why::VeryAlike } else { Why::Alike };
        let is_best = |base: &Base| {
            let same = alike.iter().take_while(|other| Some(other.common) == best.map(|best| best.common));
            same.into_iter().any(|other| other.base.locator == base.locator)
        };
        if let Some(stood) = stood
            && let Ok(bases) = store.bases_for(kind, stood, self.depth)
            && let Some(first) = bases.first()
        {
            let has_aged = kind == ObjectKind::Chunk && first.locator != stood;
            if is_best(first) {
                return Some(Choice { bases, why, has_aged });
            }
            // Of what has no sketch nobody can tell how like it is.
            let may_be = alike.is_empty() || !store.index().is_sketched(&first.location.pack);
            if may_be && (kind.is_metadata() || self.placed.tries()) {
                return Some(Choice { bases, why: Why::Stood, has_aged });
            }
        }
        let trust = if why == Why::VeryAlike { &mut self.very_alike } else { &mut self.alike };
        let best = best.filter(|_| trust.tries())?;
        Some(Choice { bases: self.readable(store, kind, best.base)?, why, has_aged: false })
    }

    /// Copies to encode against where this one is the choice.
    fn readable(&self, store: &ChunkStore, kind: ObjectKind, base: Base) -> Option<Vec<Base>> {
        if base.location.depth < self.depth {
            return Some(vec![base]);
        }
        store.bases_for(kind, base.locator, self.depth).ok().filter(|bases| !bases.is_empty())
    }

    /// More bases for an object of which these do not hold all: the chunks beside the first, at the ends where the object reaches
    /// beyond; or another that is like it.
    fn more(
        &self,
        store: &ChunkStore,
        kind: ObjectKind,
        bytes: &[u8],
        place: &Place<'_>,
        bases: &[Base],
        alike: &[Alike],
    ) -> Option<Vec<Base>> {
        let (before, behind) = match place {
            Place::Chunk(former, _) => self.beside(store, bytes, former, bases.first()?.locator),
            Place::Object(_) => (None, None),
        };
        let resolve = |locator| store.bases_for(kind, locator, self.depth).unwrap_or_default();
        let mut all: Vec<Base> = before.map_or_else(Vec::new, resolve);
        all.extend(bases);
        all.extend(behind.map_or_else(Vec::new, resolve));
        if all.len() == bases.len() {
            let is_other = |other: &&Alike| {
                other.common > 1 && bases.iter().all(|base| base.locator != other.base.locator)
            };
            let other = alike.iter().find(is_other)?;
            all.splice(0..0, self.readable(store, kind, other.base)?);
        }
        let mut seen = std::collections::HashSet::new();
        all.retain(|base| seen.insert(base.locator));
        (all.len() > bases.len() && all.len() <= BASES_MAX).then_some(all)
    }

    /// The chunks that stood beside `chunk`, where an end of the object does not occur in what it was last encoded against.
    fn beside(
        &self,
        store: &ChunkStore,
        bytes: &[u8],
        former: &Former,
        chunk: Locator,
    ) -> (Option<Locator>, Option<Locator>) {
        let Some(at) = former.place(store, chunk) else { return (None, None) };
        let misses = |probe: Option<&[u8]>| probe.is_some_and(|probe| !self.trials.holds(probe));
        let start = bytes.get(..PROBE_LEN);
        let end = bytes.len().checked_sub(PROBE_LEN).map(|start| &bytes[start..]);
        let before = at.checked_sub(1).filter(|_| misses(start));
        let behind = Some(at + 1).filter(|_| misses(end));
        (
            before.and_then(|place| former.chunk(store, place)),
            behind.and_then(|place| former.chunk(store, place)),
        )
    }
}

/// What came of a trial; `None` where a base could not be read.
fn if_readable<T>(tried: Result<T, CasError>) -> Result<Option<T>, CasError> {
    match tried {
        Ok(cost) => Ok(Some(cost)),
        Err(error @ CasError::Compress { .. }) => Err(error),
        Err(_) => Ok(None),
    }
}

fn made(bases: &[Base], len: usize) -> Option<Made> {
    let locators: Vec<Locator> = bases.iter().map(|base| base.locator).collect();
    let depth = 1 + bases.iter().map(|base| base.location.depth).max()?;
    let packs = bases.iter().map(|base| base.location.pack).collect();
    Some(Made { delta: DeltaOf { bases: Bases::new(&locators)?, depth, len }, packs })
}
