//! Reading packs from the first byte to the last: every block opened, every object's id computed anew, the root of the
//! payload compared.
//!
//! Deltas come first: as many frames as memory allows are taken out of their blocks. Then all packs are read once, in
//! order, by all threads; where a block holds the base of a frame, the delta is made whole while the block is open. What
//! did not fit the memory follows in rounds that open only blocks with bases.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::cas::{Base, CasError, ChunkStore, Delta, Location, OpenBlock, PackMap, SealedPack, pack_name};
use crate::compress::Decompressor;
use crate::format::log::PackRecord;
use crate::id::{Locator, ObjectKind, PackId};
use crate::observe::Phase;

use super::super::OpsError;
use super::super::work;
use super::packs::is_found_in;
use super::report::FindingKind;
use super::{Broken, Check};

/// Bytes of frames that are held at a time.
pub(super) const FRAMES_MAX: usize = 48 << 20;
/// What a frame takes besides its bytes.
const FRAME_OVERHEAD: usize = 256;

/// A block of a pack.
type Place = (PackId, u16);

/// Takes a block of a pack: its number and its sealed bytes.
type OnBlock<'b> = dyn FnMut(&Arc<PackMap>, u16, Vec<u8>) + 'b;

/// A delta that waits for its base.
struct Frame {
    /// Where its first base lies.
    base: Location,
    at: Location,
    kind: ObjectKind,
    locator: Locator,
    delta: Delta,
}

/// What came of reading.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) good: Vec<PackId>,
    pub(super) bad: Vec<PackId>,
    pub(super) objects: u64,
}

/// Objects that proved damaged, with the finding that says so.
struct Damage {
    kind: ObjectKind,
    locator: Locator,
    place: Place,
    finding: usize,
}

struct Reader<'a> {
    check: &'a Check<'a>,
    chunks: &'a ChunkStore,
    /// Bytes of the frames that are held.
    held: AtomicUsize,
    frames: Mutex<Vec<Frame>>,
    /// Blocks whose deltas are held.
    taken: Mutex<HashSet<Place>>,
    /// Blocks whose deltas must wait for another round.
    later: Mutex<Vec<Place>>,
    damage: Mutex<Vec<Damage>>,
    /// Packs of which something could not be verified.
    bad: Mutex<HashSet<PackId>>,
    objects: AtomicU64,
}

/// Reads packs whole. What is damaged becomes a finding, and its objects go to `broken`.
pub(super) fn read(
    check: &Check<'_>,
    chunks: &ChunkStore,
    packs: &[PackRecord],
    broken: &mut Broken,
) -> Result<Verified, OpsError> {
    let bytes = packs.iter().map(|pack| pack.len).sum();
    check.observer.phase(Phase::Verify, Some(packs.len() as u64), Some(bytes));
    let (held, objects) = Default::default();
    let (frames, taken, later, damage, bad) = Default::default();
    let reader = Reader { check, chunks, held, frames, taken, later, damage, bad, objects };
    reader.take_frames(packs)?;
    reader.read_packs(packs)?;
    reader.rounds()?;
    for Damage { kind, locator, place, finding } in reader.damage.into_inner().expect("no panic while locked")
    {
        if is_found_in(chunks, (kind, locator), place) {
            broken.insert(kind, locator, finding);
        }
    }
    let bad = reader.bad.into_inner().expect("no panic while locked");
    let (bad, good) = packs.iter().map(|pack| pack.uid).partition(|pack| bad.contains(pack));
    Ok(Verified { good, bad, objects: reader.objects.into_inner() })
}

impl Reader<'_> {
    /// Lets all threads do something with every item.
    fn share<T: Sync>(
        &self,
        items: &[T],
        work: impl Fn(&mut Decompressor, &T) + Sync,
    ) -> Result<(), OpsError> {
        let failure = Mutex::new(None);
        let tool = || {
            let made = Decompressor::new();
            made.map_err(|source| failure.lock().expect("no panic while locked").replace(source)).ok()
        };
        let stopped = || self.check.observer.cancelled();
        work::share(self.check.threads, items, &stopped, &tool, &work);
        self.check.stop_if_cancelled()?;
        match failure.into_inner().expect("no panic while locked") {
            Some(source) => Err(OpsError::cas("open blocks")(CasError::Compress { source })),
            None => Ok(()),
        }
    }

    /// Takes the deltas of packs out of their blocks, as far as memory allows.
    fn take_frames(&self, packs: &[PackRecord]) -> Result<(), OpsError> {
        self.share(packs, |decompressor, pack| {
            // What is wrong with the pack is told when it is read.
            let Ok(map) = self.chunks.map(pack.uid) else { return };
            for block in blocks_with_deltas(&map) {
                self.take_block(&map, (pack.uid, block), decompressor);
            }
        })
    }

    /// Takes the deltas of one block, or puts it off.
    fn take_block(&self, map: &PackMap, place: Place, decompressor: &mut Decompressor) {
        let (pack, number) = place;
        if self.held.load(Ordering::Relaxed) >= self.check.frames_max {
            self.later.lock().expect("no panic while locked").push(place);
            return;
        }
        let Ok(block) = self.chunks.open_block(pack, number, decompressor) else { return };
        for (slot, entry) in (0..).zip(map.objects(number)) {
            match block.delta(slot, entry.kind, entry.locator) {
                Ok(Some(delta)) => {
                    let at = Location { pack, block: number, slot, depth: delta.depth };
                    self.hold(at, (entry.kind, entry.locator), delta);
                }
                Ok(None) => {}
                Err(error) => self.wrong(place, (entry.kind, entry.locator), &error),
            }
        }
        self.taken.lock().expect("no panic while locked").insert(place);
    }

    fn hold(&self, at: Location, (kind, locator): (ObjectKind, Locator), delta: Delta) {
        match self.chunks.locate_bases(kind, locator, &delta) {
            Ok(bases) => {
                self.held.fetch_add(delta.frame.len() + FRAME_OVERHEAD, Ordering::Relaxed);
                let frame = Frame { base: bases[0].location, at, kind, locator, delta };
                self.frames.lock().expect("no panic while locked").push(frame);
            }
            Err(error) => self.wrong((at.pack, at.block), (kind, locator), &error),
        }
    }

    /// The frames that are held, by the block of their base.
    fn held_frames(&self) -> Vec<Frame> {
        let mut frames = std::mem::take(&mut *self.frames.lock().expect("no panic while locked"));
        frames.sort_unstable_by_key(|frame| (frame.base, frame.at));
        self.held.store(0, Ordering::Relaxed);
        frames
    }

    /// Reads all packs, and makes the deltas that are held whole.
    fn read_packs(&self, packs: &[PackRecord]) -> Result<(), OpsError> {
        let frames = self.held_frames();
        let mut waiting: HashMap<Place, &[Frame]> = HashMap::new();
        for same in frames.chunk_by(|a, b| place(&a.base) == place(&b.base)) {
            waiting.insert(place(&same[0].base), same);
        }
        let visited = Mutex::new(HashSet::new());
        self.share(packs, |decompressor, record| {
            self.pack(record, &waiting, decompressor, &visited);
            self.check.observer.advance(1, 0);
        })?;
        let visited = visited.into_inner().expect("no panic while locked");
        waiting.retain(|place, _| !visited.contains(place));
        let left: Vec<&[Frame]> = waiting.into_values().collect();
        self.share(&left, |decompressor, frames| self.with_base(frames, decompressor))
    }

    /// Reads one pack whole.
    fn pack(
        &self,
        record: &PackRecord,
        waiting: &HashMap<Place, &[Frame]>,
        decompressor: &mut Decompressor,
        visited: &Mutex<HashSet<Place>>,
    ) {
        let name = pack_name(&record.uid);
        let mut faults = Vec::new();
        let read = self.payload(record, &mut faults, &mut |map, number, sealed| {
            let place = (record.uid, number);
            let frames = waiting.get(&place).copied().unwrap_or_default();
            self.block(map, number, sealed, frames, decompressor);
            if !frames.is_empty() {
                visited.lock().expect("no panic while locked").insert(place);
            }
        });
        faults.extend(read.err());
        for fault in &faults {
            self.check.cas_fault(name.as_str(), fault);
            self.is_bad(record.uid);
        }
    }

    /// Reads the payload of a pack, hands on its blocks, and compares its root.
    fn payload(
        &self,
        record: &PackRecord,
        faults: &mut Vec<CasError>,
        block: &mut OnBlock<'_>,
    ) -> Result<(), CasError> {
        let mut sealed = SealedPack::open(self.check.store(), record, faults)?;
        let map = self.chunks.map(record.uid)?;
        let tell = |bytes| {
            self.check.read(bytes);
            self.check.observer.advance(0, bytes);
        };
        sealed.next(sealed.directory_len())?;
        tell(sealed.directory_len());
        for number in 0..map.blocks() {
            let number = u16::try_from(number).expect("the directory's limit");
            let bytes = sealed.next(map.stored_len(number))?;
            tell(bytes.len() as u64);
            block(&map, number, bytes);
            if self.check.observer.cancelled() {
                return Ok(());
            }
        }
        sealed.finish(&tell)
    }

    /// Verifies the objects of a block, and the deltas that wait for it.
    fn block(
        &self,
        map: &Arc<PackMap>,
        number: u16,
        mut sealed: Vec<u8>,
        frames: &[Frame],
        decompressor: &mut Decompressor,
    ) {
        let place = (map.uid(), number);
        let is_all_deltas = (0..).zip(map.objects(number)).all(|(slot, _)| map.delta(number, slot).is_some());
        let is_done = is_all_deltas && self.taken.lock().expect("no panic while locked").contains(&place);
        if is_done && frames.is_empty() {
            return;
        }
        match map.open_sealed(self.chunks.vault(), number, &mut sealed, decompressor) {
            Ok(block) => {
                drop(sealed);
                self.full_objects(map, &block, number);
                self.deltas(&block, frames);
            }
            Err(error) => match self.chunks.open_block(map.uid(), number, decompressor) {
                // Parity has made it whole: the file is damaged, and nothing in it is lost.
                Ok(block) => {
                    self.fault_of_block(map, number, &error);
                    self.full_objects(map, &block, number);
                    self.deltas(&block, frames);
                }
                Err(_) => {
                    self.unopened(map, number, &error);
                    frames.iter().for_each(|frame| self.is_bad(frame.at.pack));
                }
            },
        }
    }

    fn full_objects(&self, map: &PackMap, block: &OpenBlock, number: u16) {
        for (slot, entry) in (0..).zip(map.objects(number)) {
            if map.delta(number, slot).is_some() {
                continue;
            }
            match block.base(self.chunks.vault(), slot, entry.kind, entry.locator) {
                Ok(_) => drop(self.objects.fetch_add(1, Ordering::Relaxed)),
                Err(error) => self.wrong((map.uid(), number), (entry.kind, entry.locator), &error),
            }
        }
    }

    /// Makes deltas whole, of which the first base lies in `block`.
    fn deltas(&self, block: &OpenBlock, frames: &[Frame]) {
        for frame in frames {
            match self.make(block, frame) {
                Ok(_) => drop(self.objects.fetch_add(1, Ordering::Relaxed)),
                Err(error) => self.wrong(place(&frame.at), (frame.kind, frame.locator), &error),
            }
        }
    }

    fn make(&self, block: &OpenBlock, frame: &Frame) -> Result<Vec<u8>, CasError> {
        let Frame { base, kind, locator, delta, .. } = frame;
        if base.depth > 0 || delta.bases.len() > 1 {
            let prefix = self.chunks.prefix(*kind, *locator, delta, block)?;
            return self.chunks.decode(*kind, *locator, None, delta, &prefix);
        }
        let first = delta.bases[0];
        let prefix = block.base(self.chunks.vault(), base.slot, *kind, first).map_err(|source| {
            CasError::UnreadableBase { kind: *kind, id: *locator, base: first, source: Box::new(source) }
        })?;
        self.chunks.decode(*kind, *locator, None, delta, prefix)
    }

    /// Opens the block of the base that these wait for.
    fn with_base(&self, frames: &[Frame], decompressor: &mut Decompressor) {
        let base = frames[0].base;
        match self.chunks.open_block(base.pack, base.block, decompressor) {
            Ok(block) => self.deltas(&block, frames),
            // The pack has gone since its place was looked up, or it is damaged.
            Err(_) => frames.iter().for_each(|frame| self.follow(frame)),
        }
    }

    /// Reads a delta from wherever it lies now.
    fn follow(&self, frame: &Frame) {
        let base = Base { locator: frame.locator, location: frame.at };
        let made = self.chunks.index().refresh().and_then(|()| self.chunks.get_base(frame.kind, base));
        match made {
            Ok(_) => drop(self.objects.fetch_add(1, Ordering::Relaxed)),
            Err(error) => self.wrong(place(&frame.at), (frame.kind, frame.locator), &error),
        }
    }

    /// Deltas that did not fit the memory at first.
    fn rounds(&self) -> Result<(), OpsError> {
        loop {
            let later = std::mem::take(&mut *self.later.lock().expect("no panic while locked"));
            if later.is_empty() {
                return Ok(());
            }
            self.share(&later, |decompressor, (pack, block)| {
                if let Ok(map) = self.chunks.map(*pack) {
                    self.take_block(&map, (*pack, *block), decompressor);
                }
            })?;
            let frames = self.held_frames();
            let groups: Vec<&[Frame]> = frames.chunk_by(|a, b| place(&a.base) == place(&b.base)).collect();
            self.share(&groups, |decompressor, frames| self.with_base(frames, decompressor))?;
        }
    }

    /// Notes that a whole block cannot be opened.
    fn unopened(&self, map: &PackMap, number: u16, error: &CasError) {
        let objects = map.objects(number);
        let finding = self.fault_of_block(map, number, error);
        let place = (map.uid(), number);
        let damaged =
            objects.iter().map(|entry| Damage { kind: entry.kind, locator: entry.locator, place, finding });
        self.damage.lock().expect("no panic while locked").extend(damaged);
    }

    /// Notes what is wrong with a block.
    fn fault_of_block(&self, map: &PackMap, number: u16, error: &CasError) -> usize {
        let objects = map.objects(number).len();
        let fault = format!("block {number} with {objects} objects: {}", super::report::told(error));
        self.is_bad(map.uid());
        self.check.fault(pack_name(&map.uid()).as_str(), FindingKind::Damaged, fault)
    }

    /// Notes that an object of a block is not what it should be. Where its base is to blame, so is the base's pack; that a
    /// base is missing has been told.
    fn wrong(&self, place: Place, (kind, locator): (ObjectKind, Locator), error: &CasError) {
        self.is_bad(place.0);
        if matches!(error, CasError::MissingBase { .. }) {
            return;
        }
        let blamed = matches!(error, CasError::UnreadableBase { .. }).then(|| error.file()).flatten();
        let file = blamed.unwrap_or_else(|| pack_name(&place.0).as_str().to_owned());
        let finding = self.check.cas_fault(&file, error);
        self.damage.lock().expect("no panic while locked").push(Damage { kind, locator, place, finding });
    }

    fn is_bad(&self, pack: PackId) {
        self.bad.lock().expect("no panic while locked").insert(pack);
    }
}

fn place(location: &Location) -> Place {
    (location.pack, location.block)
}

/// Numbers of the blocks in which deltas lie, ascending.
fn blocks_with_deltas(map: &PackMap) -> Vec<u16> {
    if map.deltas().is_empty() {
        return Vec::new();
    }
    let mut blocks: Vec<u16> = map
        .rows()
        .filter(|(_, block, slot)| map.delta(*block, *slot).is_some())
        .map(|(_, block, _)| block)
        .collect();
    blocks.dedup();
    blocks
}
