//! The index: which pack holds an object, at one state of the log.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, RwLock};

use lru::LruCache;

use crate::format::log::SegmentRecord;
use crate::id::{ChunkId, Locator, ObjectKind, PackId, SegmentId};

use super::segment::{OpenSegment, Segment};
use super::vault::Vault;
use super::{CasError, Location, PackMap};

/// Pages kept in memory: 32 MiB.
const PAGES_CACHED: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");

/// A segment and the number of a page in it.
type PageKey = (SegmentId, u32);
/// The opened bytes of a page.
type Page = Arc<Vec<u8>>;
/// Where the objects of self-indexed packs lie.
type SmallRows = HashMap<(ObjectKind, Locator), Location>;

/// Which packs and segments exist at one state of the log.
#[derive(Debug, Clone, Default)]
pub struct IndexView {
    /// All index segments, in the order in which they were added.
    pub segments: Vec<SegmentRecord>,
    /// All packs that may be read.
    pub live: HashSet<PackId>,
    /// Those of them whose directory is their index.
    pub self_indexed: Vec<PackId>,
}

/// Finds objects. A hit counts only if its pack is live.
#[derive(Debug)]
pub struct Index {
    vault: Arc<Vault>,
    state: RwLock<State>,
    pages: Mutex<LruCache<PageKey, Page>>,
}

#[derive(Debug, Default, Clone)]
struct State {
    segments: Vec<Arc<Segment>>,
    live: Arc<HashSet<PackId>>,
    self_indexed: Vec<PackId>,
    /// Rows of the self-indexed packs, read when they are first needed.
    small: Option<Arc<SmallRows>>,
}

impl Index {
    /// An index over nothing.
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault, state: RwLock::default(), pages: Mutex::new(LruCache::new(PAGES_CACHED)) }
    }

    /// Moves to another state of the log. Nothing is read yet.
    pub fn update(&self, view: IndexView) {
        let mut state = self.state.write().expect("no panic while locked");
        let mut known: HashMap<SegmentId, Arc<Segment>> =
            state.segments.drain(..).map(|segment| (segment.record.uid, segment)).collect();
        let segments = view
            .segments
            .into_iter()
            .map(|record| known.remove(&record.uid).unwrap_or_else(|| Arc::new(Segment::new(record))));
        *state = State {
            segments: segments.collect(),
            live: Arc::new(view.live),
            self_indexed: view.self_indexed,
            small: None,
        };
    }

    /// Adds what a writer has stored and not yet published: `packs` and the segment that speaks of them.
    pub fn add(&self, segment: SegmentRecord, packs: impl IntoIterator<Item = PackId>) {
        let mut state = self.state.write().expect("no panic while locked");
        state.segments.push(Arc::new(Segment::new(segment)));
        Arc::make_mut(&mut state.live).extend(packs);
    }

    /// Where the object lies; `None`: in no live pack.
    ///
    /// # Errors
    /// When a segment that may hold it cannot be read.
    pub fn find(&self, kind: ObjectKind, id: &ChunkId) -> Result<Option<Location>, CasError> {
        self.find_where(kind, id, |_| true)
    }

    /// Where the object lies in full, not as a delta: what the base of a delta must be. `None`: in no live pack.
    ///
    /// # Errors
    /// When a segment that may hold it cannot be read.
    pub fn find_full(&self, kind: ObjectKind, id: &ChunkId) -> Result<Option<Location>, CasError> {
        self.find_where(kind, id, |location| !location.is_delta)
    }

    fn find_where(
        &self,
        kind: ObjectKind,
        id: &ChunkId,
        fits: impl Fn(&Location) -> bool,
    ) -> Result<Option<Location>, CasError> {
        let state = self.state.read().expect("no panic while locked").clone();
        let locator = id.locator();
        let small = self.small_rows(&state)?.get(&(kind, locator)).copied();
        if small.is_some_and(|location| fits(&location)) {
            return Ok(small);
        }
        for segment in state.segments.iter().rev() {
            let found = self
                .find_in(segment, kind, &locator, |found| state.live.contains(&found.pack) && fits(found))?;
            if let Some(location) = found {
                return Ok(Some(location));
            }
        }
        Ok(None)
    }

    fn find_in(
        &self,
        segment: &Segment,
        kind: ObjectKind,
        locator: &Locator,
        fits: impl Fn(&Location) -> bool,
    ) -> Result<Option<Location>, CasError> {
        let open = segment.open(&self.vault)?;
        for page in open.candidates(locator) {
            let bytes = self.page(segment, &open, page)?;
            let found = segment.find_in(&open, &bytes, kind, locator)?;
            if let Some(location) = found.into_iter().find(&fits) {
                return Ok(Some(location));
            }
        }
        Ok(None)
    }

    fn page(&self, segment: &Segment, open: &OpenSegment, page: u32) -> Result<Arc<Vec<u8>>, CasError> {
        let key = (segment.record.uid, page);
        if let Some(bytes) = self.pages.lock().expect("no panic while locked").get(&key) {
            return Ok(Arc::clone(bytes));
        }
        let bytes = Arc::new(segment.read_page(&self.vault, open, page)?);
        self.pages.lock().expect("no panic while locked").put(key, Arc::clone(&bytes));
        Ok(bytes)
    }

    fn small_rows(&self, state: &State) -> Result<Arc<SmallRows>, CasError> {
        if let Some(small) = &state.small {
            return Ok(Arc::clone(small));
        }
        let mut rows = HashMap::new();
        for uid in state.self_indexed.iter().filter(|uid| state.live.contains(*uid)) {
            let map = PackMap::load(&self.vault, uid)?;
            for (entry, block, slot) in map.rows() {
                let is_delta = map.delta(block, slot).is_some();
                let location = Location { pack: *uid, block, slot, is_delta };
                // A full copy serves every purpose.
                let present = rows.entry((entry.kind, entry.locator)).or_insert(location);
                if present.is_delta {
                    *present = location;
                }
            }
        }
        let rows = Arc::new(rows);
        let mut current = self.state.write().expect("no panic while locked");
        if current.self_indexed == state.self_indexed {
            current.small = Some(Arc::clone(&rows));
        }
        Ok(rows)
    }
}
