//! The index: which pack holds an object, at one state of the log.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, RwLock};

use lru::LruCache;

use crate::chunk::sketch::Sketch;
use crate::format::index::IndexFeature;
use crate::format::log::SegmentRecord;
use crate::id::{ChunkId, Locator, ObjectKind, PackId, SegmentId};

use super::fresh::Fresh;
use super::segment::{OpenSegment, Segment};
use super::vault::{Vault, pack_name, segment_name};
use super::{Base, CasError, Location, PackMap};

/// Pages kept in memory: 32 MiB.
const PAGES_CACHED: NonZeroUsize = NonZeroUsize::new(2048).expect("not zero");

/// Features of sketches kept in memory: 128 MiB, for 2.8 million chunks, or 120 GB of them.
const FEATURES_MAX: usize = 16 << 20;
/// Chunks of one segment with one feature that are looked at: what very many have in common tells little.
const ROWS_PER_FEATURE: usize = 8;
/// Chunks that [`Index::alike`] finds.
const ALIKE_MAX: usize = 8;

/// A segment and the number of a page in it.
type PageKey = (SegmentId, u32);
/// The opened bytes of a page.
type Page = Arc<Vec<u8>>;
/// Where the objects of self-indexed packs lie.
type SmallRows = HashMap<(ObjectKind, Locator), Location>;

/// Which packs and segments exist at one state of the log.
#[derive(Debug, Clone, Default)]
pub struct IndexView {
    /// Number of the log's last entry in that state.
    pub entry: u64,
    /// All index segments, in the order in which they were added.
    pub segments: Vec<SegmentRecord>,
    /// All packs that may be read.
    pub live: HashSet<PackId>,
    /// Those of them that may not be used for anything new, because they will be removed.
    pub condemned: HashSet<PackId>,
    /// Those of them whose directory is their index.
    pub self_indexed: Vec<PackId>,
}

/// Tells an index what the log says now: packs that it speaks of may have been removed since.
pub trait Refresh: std::fmt::Debug + Send + Sync {
    /// The present view, if it is newer than that of this entry.
    ///
    /// # Errors
    /// [`CasError::Rotated`]: the log goes on, under a key that is not known here.
    fn newer_than(&self, entry: u64) -> Result<Option<IndexView>, CasError>;
}

/// Finds objects. A hit counts only if its pack is live.
#[derive(Debug)]
pub struct Index {
    vault: Arc<Vault>,
    refresh: Option<Arc<dyn Refresh>>,
    state: RwLock<Arc<State>>,
    fresh: Fresh,
    pages: Mutex<LruCache<PageKey, Page>>,
    /// Segments that are lost: without them everything goes on.
    lost: Mutex<HashSet<SegmentId>>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct State {
    entry: u64,
    pub(super) segments: Vec<Arc<Segment>>,
    live: Arc<HashSet<PackId>>,
    condemned: Arc<HashSet<PackId>>,
    self_indexed: Vec<PackId>,
    /// Rows of the self-indexed packs, read when they are first needed: of those that may be used, and of condemned ones.
    small: Option<Arc<[SmallRows; 2]>>,
    /// Features of sketches, read when they are first needed.
    features: Option<Arc<Features>>,
}

/// Which copies count.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// Those that may be used for something new.
    Usable,
    /// Those that will be removed.
    Condemned,
}

impl State {
    /// Takes lost segments out. The directories of packs that no other segment speaks of become their index; returns how many.
    fn set_aside(&mut self, vault: &Vault, lost: &HashSet<SegmentId>) -> usize {
        let before = self.segments.len();
        self.segments.retain(|segment| !lost.contains(&segment.record.uid));
        if self.segments.len() == before {
            return 0;
        }
        // Of another lost one the packs are found when that comes up.
        let open = self.segments.iter().filter_map(|segment| segment.open(vault).ok());
        let covered: HashSet<PackId> = open.flat_map(|open| open.packs().to_vec()).collect();
        let own: HashSet<PackId> = self.self_indexed.iter().copied().collect();
        let is_bare = |pack: &&PackId| !covered.contains(*pack) && !own.contains(*pack);
        let bare: Vec<PackId> = self.live.iter().filter(is_bare).copied().collect();
        self.self_indexed.extend(&bare);
        (self.small, self.features) = (None, None);
        bare.len()
    }

    pub(super) fn holds(&self, pack: &PackId, which: Which) -> bool {
        self.live.contains(pack) && self.condemned.contains(pack) == matches!(which, Which::Condemned)
    }
}

/// Features of all segments, as far as they fit.
type Features = Vec<(Arc<Segment>, Vec<IndexFeature>)>;

/// A chunk that has features in common with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alike {
    /// How many.
    pub common: usize,
    /// Where it lies.
    pub base: Base,
}

impl Index {
    /// An index over nothing.
    pub fn new(vault: Arc<Vault>) -> Self {
        let (state, fresh) = Default::default();
        let pages = Mutex::new(LruCache::new(PAGES_CACHED));
        Self { vault, refresh: None, state, fresh, pages, lost: Mutex::default() }
    }

    /// The same index; where a file is gone that it speaks of, it asks `refresh` and looks again.
    pub fn refreshed_by(self, refresh: Arc<dyn Refresh>) -> Self {
        Self { refresh: Some(refresh), ..self }
    }

    /// Moves to another state of the log, unless it knows a later one. Nothing is read yet.
    pub fn update(&self, view: IndexView) {
        let mut state = self.state.write().expect("no panic while locked");
        if view.entry < state.entry {
            return;
        }
        let mut known: HashMap<SegmentId, Arc<Segment>> =
            state.segments.iter().map(|segment| (segment.record.uid, Arc::clone(segment))).collect();
        let segments = view
            .segments
            .into_iter()
            .map(|record| known.remove(&record.uid).unwrap_or_else(|| Arc::new(Segment::new(record))));
        let mut next = State {
            entry: view.entry,
            segments: segments.collect(),
            live: Arc::new(view.live),
            condemned: Arc::new(view.condemned),
            self_indexed: view.self_indexed,
            small: None,
            features: None,
        };
        if let Some(near) = self.vault.near() {
            near.retain(&|uid| next.segments.iter().any(|segment| segment.record.uid == *uid));
        }
        next.set_aside(&self.vault, &self.lost.lock().expect("no panic while locked"));
        *state = Arc::new(next);
    }

    /// Adds what a writer has stored and not yet published: `packs` and the segment that speaks of them.
    pub fn add(&self, segment: SegmentRecord, packs: impl IntoIterator<Item = PackId>) {
        let mut state = self.state.write().expect("no panic while locked");
        let state = Arc::make_mut(&mut state);
        let segment = Arc::new(Segment::new(segment));
        state.segments.push(segment);
        state.features = None;
        Arc::make_mut(&mut state.live).extend(packs);
    }

    /// Adds a pack that a writer has stored and not yet published, and that is its own index.
    pub fn add_self_indexed(&self, map: &PackMap) {
        let mut state = self.state.write().expect("no panic while locked");
        let state = Arc::make_mut(&mut state);
        if state.self_indexed.is_empty() {
            state.small.get_or_insert_default();
        }
        state.self_indexed.push(map.uid());
        Arc::make_mut(&mut state.live).insert(map.uid());
        if let Some(small) = &mut state.small {
            add_rows(&mut Arc::make_mut(small)[Which::Usable as usize], map);
        }
    }

    /// Moves to the present state of the log, if it is a later one.
    ///
    /// # Errors
    /// [`CasError::Rotated`]: there is one, and it cannot be read with the keys of here.
    pub fn refresh(&self) -> Result<(), CasError> {
        let known = self.state().entry;
        let newer = self.refresh.as_ref().map(|refresh| refresh.newer_than(known));
        if let Some(view) = newer.transpose()?.flatten() {
            self.update(view);
        }
        Ok(())
    }

    /// Does it again, once, where a file was gone: with what the log says now. And where a segment is lost, without it.
    pub(super) fn with_present_files<T>(
        &self,
        mut read: impl FnMut() -> Result<T, CasError>,
    ) -> Result<T, CasError> {
        let mut done = read();
        if done.as_ref().is_err_and(CasError::may_have_moved) {
            self.refresh()?;
            done = read();
        }
        while done.as_ref().is_err_and(|error| self.goes_on_without(error)) {
            done = read();
        }
        done
    }

    /// Sets the segment aside that an error says is lost: directories of packs serve instead.
    fn goes_on_without(&self, error: &CasError) -> bool {
        let Some(file) = error.file().filter(|_| error.is_loss()) else { return false };
        let mut state = self.state.write().expect("no panic while locked");
        let is_it = |segment: &&Arc<Segment>| segment_name(&segment.record.uid).as_str() == file;
        let Some(segment) = state.segments.iter().find(is_it).map(|segment| segment.record.uid) else {
            return false;
        };
        let mut lost = self.lost.lock().expect("no panic while locked");
        lost.insert(segment);
        let packs = Arc::make_mut(&mut state).set_aside(&self.vault, &lost);
        let what = format!(
            "{file} is lost, and the directories of {packs} packs serve instead; `warp check --repair` makes it anew"
        );
        self.vault.healer().notice(&what);
        true
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().expect("no panic while locked"))
    }

    /// Where the object lies; `None`: in no live pack.
    ///
    /// # Errors
    /// When a segment that may hold it cannot be read.
    pub fn find(&self, kind: ObjectKind, id: &ChunkId) -> Result<Option<Location>, CasError> {
        self.find_below(kind, id.locator(), u8::MAX)
    }

    /// Where a copy of the object lies that is less deep than `depth`: what the base of a delta of that depth must be.
    /// `None`: in no live pack.
    ///
    /// # Errors
    /// When a segment that may hold it cannot be read.
    pub fn find_below(
        &self,
        kind: ObjectKind,
        locator: Locator,
        depth: u8,
    ) -> Result<Option<Location>, CasError> {
        self.with_present_files(|| {
            let state = self.state();
            let usable = self.find_where(&state, kind, locator, depth, Which::Usable)?;
            if usable.is_some() || state.condemned.is_empty() {
                return Ok(usable);
            }
            self.find_where(&state, kind, locator, depth, Which::Condemned)
        })
    }

    /// The same for what something new shall rely on: copies in packs that will be removed do not count.
    ///
    /// # Errors
    /// When a segment that may hold it cannot be read.
    pub fn find_usable(
        &self,
        kind: ObjectKind,
        locator: Locator,
        depth: u8,
    ) -> Result<Option<Location>, CasError> {
        self.with_present_files(|| self.find_where(&self.state(), kind, locator, depth, Which::Usable))
    }

    fn find_where(
        &self,
        state: &State,
        kind: ObjectKind,
        locator: Locator,
        depth: u8,
        which: Which,
    ) -> Result<Option<Location>, CasError> {
        let small = self.small_rows(state)?[which as usize].get(&(kind, locator)).copied();
        if small.is_some_and(|location| location.depth < depth) {
            return Ok(small);
        }
        let fits = |found: &Location| found.depth < depth && state.holds(&found.pack, which);
        for segment in state.segments.iter().rev() {
            let found = self.find_in(segment, kind, &locator, fits)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The segments that speak of none of the packs which `stays` names.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn segments_without(&self, stays: impl Fn(&PackId) -> bool) -> Result<Vec<SegmentId>, CasError> {
        self.with_present_files(|| {
            let mut without = Vec::new();
            for segment in &self.state().segments {
                if !segment.open(&self.vault)?.packs().iter().any(&stays) {
                    without.push(segment.record.uid);
                }
            }
            Ok(without)
        })
    }

    pub(super) fn find_in(
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

    pub(super) fn small_rows(&self, state: &State) -> Result<Arc<[SmallRows; 2]>, CasError> {
        if let Some(small) = &state.small {
            return Ok(Arc::clone(small));
        }
        let mut both: [SmallRows; 2] = Default::default();
        for uid in state.self_indexed.iter().filter(|uid| state.live.contains(*uid)) {
            let map = match PackMap::load(&self.vault, uid) {
                Err(error) if error.is_loss() => {
                    self.is_gone_for_good(uid, error)?;
                    continue;
                }
                map => map?,
            };
            add_rows(&mut both[usize::from(state.condemned.contains(uid))], &map);
        }
        let rows = Arc::new(both);
        let mut current = self.state.write().expect("no panic while locked");
        if current.self_indexed == state.self_indexed && current.condemned == state.condemned {
            Arc::make_mut(&mut current).small = Some(Arc::clone(&rows));
        }
        Ok(rows)
    }

    /// That a pack which is its own index cannot be read: what it held is missing, and all else can be found. Where the log has
    /// removed it meanwhile, that is the error of whoever looked for it, who then looks again.
    fn is_gone_for_good(&self, pack: &PackId, error: CasError) -> Result<(), CasError> {
        self.refresh()?;
        if !self.state().live.contains(pack) {
            return Err(error);
        }
        let what =
            format!("{} is lost, and all that it held; `warp check` says what that is", pack_name(pack));
        self.vault.healer().notice(&what);
        Ok(())
    }

    /// Whether the chunks of a pack were sketched: those of packs that are their own index were not.
    pub fn is_sketched(&self, pack: &PackId) -> bool {
        !self.state().self_indexed.contains(pack)
    }

    /// What the writer that uses this index has stored and not yet published.
    pub(super) fn fresh(&self) -> &Fresh {
        &self.fresh
    }

    /// Chunks of the repository, and of what its writer has stored, that have features in common with a new one: those with the
    /// most first, the newest of equal ones; at most eight.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn alike(&self, sketch: &Sketch) -> Result<Vec<Alike>, CasError> {
        self.with_present_files(|| self.alike_in(&self.state(), sketch))
    }

    fn alike_in(&self, state: &State, sketch: &Sketch) -> Result<Vec<Alike>, CasError> {
        let mut alike = self.fresh.alike(sketch);
        for (segment, features) in self.features(state)?.iter().rev() {
            let mut rows = Vec::new();
            for &feature in sketch {
                let start = features.partition_point(|row| row.feature < feature);
                let same = features[start..].iter().take_while(|row| row.feature == feature);
                rows.extend(same.take(ROWS_PER_FEATURE).map(|row| row.row));
            }
            rows.sort_unstable();
            for same in rows.chunk_by(|a, b| a == b) {
                let open = segment.open(&self.vault)?;
                let (page, number) = open.page_of(same[0]);
                let bytes = self.page(segment, &open, page)?;
                let base = segment.row_in(&open, &bytes, number);
                if let Some(base) = base.filter(|base| state.holds(&base.location.pack, Which::Usable)) {
                    alike.push(Alike { common: same.len(), base });
                }
            }
        }
        alike.sort_by_key(|alike| std::cmp::Reverse(alike.common));
        alike.truncate(ALIKE_MAX);
        Ok(alike)
    }

    /// The features of all segments or, where these are more than [`FEATURES_MAX`], of the newest.
    fn features(&self, state: &State) -> Result<Arc<Features>, CasError> {
        if let Some(features) = &state.features {
            return Ok(Arc::clone(features));
        }
        let (mut features, mut count) = (Vec::new(), 0);
        for segment in state.segments.iter().rev() {
            let of_segment = segment.read_features(&self.vault)?;
            count += of_segment.len();
            if count > FEATURES_MAX {
                break;
            }
            if !of_segment.is_empty() {
                features.push((Arc::clone(segment), of_segment));
            }
        }
        features.reverse();
        let features = Arc::new(features);
        let mut current = self.state.write().expect("no panic while locked");
        let is_same = current.segments.len() == state.segments.len()
            && current.segments.iter().zip(&state.segments).all(|(a, b)| Arc::ptr_eq(a, b));
        if is_same {
            Arc::make_mut(&mut current).features = Some(Arc::clone(&features));
        }
        Ok(features)
    }
}

/// Adds what the directory of a pack says.
fn add_rows(rows: &mut SmallRows, map: &PackMap) {
    for (entry, block, slot) in map.rows() {
        let depth = map.delta(block, slot).map_or(0, |delta| delta.depth);
        let location = Location { pack: map.uid(), block, slot, depth };
        // The copy that is the least deep serves every purpose.
        let present = rows.entry((entry.kind, entry.locator)).or_insert(location);
        if present.depth > depth {
            *present = location;
        }
    }
}
