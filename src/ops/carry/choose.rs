//! What is carried: which commits, and which packs or parts of packs.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cas::{CasError, ChunkStore, Location, PackMap};
use crate::format::log::{CommitRecord, PackRecord};
use crate::id::{CommitId, Locator, ObjectKind, PackId};
use crate::observe::Observer;
use crate::repo::LogState;

use super::super::OpsError;
use super::super::bundle::Lineage;
use super::super::gc::{Copies, Marker, Marks};
use super::super::work;

/// Packs whose directories are read, and whose objects are looked up, together.
const BATCH: usize = 32;

/// The commits that the receiver lacks.
#[derive(Debug, Default)]
pub(super) struct Cargo {
    /// The oldest first.
    pub(super) commits: Vec<CommitRecord>,
    /// Those between them that were forgotten, and of which the receiver has never heard.
    pub(super) forgotten: Vec<CommitRecord>,
    /// The nearest before them that both have.
    pub(super) based_on: Vec<CommitId>,
    /// With them the receiver has all that is live at the source.
    is_all: bool,
    /// It has heard of all that was forgotten there, too.
    knows_forgotten: bool,
}

impl Cargo {
    /// What `tips` descend from at the source. What the receiver has forgotten does not come back, but for tips themselves.
    pub(super) fn new(theirs: &LogState, ours: &LogState, tips: &[CommitId]) -> Self {
        let lineage = Lineage::new(theirs, tips, &[]);
        let mut commits = lineage.commits;
        commits.retain(|commit| is_wanted(ours, &commit.id, tips));
        let mut forgotten = lineage.forgotten;
        forgotten.retain(|commit| !ours.parents.contains_key(&commit.id));
        let carried: HashSet<&CommitId> = commits.iter().map(|commit| &commit.id).collect();
        let is_all = theirs.commits.iter().all(|id| ours.is_live(id) || carried.contains(id));
        let is_known = |id: &CommitId| theirs.is_live(id) || ours.parents.contains_key(id);
        let knows_forgotten = theirs.parents.keys().all(is_known);
        let based_on = nearest(theirs, ours, tips);
        Self { commits, forgotten, based_on, is_all, knows_forgotten }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }
}

/// Whether the receiver lacks a commit and has not given it up.
pub(super) fn is_wanted(ours: &LogState, id: &CommitId, tips: &[CommitId]) -> bool {
    !ours.is_live(id) && (!ours.is_forgotten(id) || tips.contains(id))
}

/// The nearest commits from `tips` on that both have.
fn nearest(theirs: &LogState, ours: &LogState, tips: &[CommitId]) -> Vec<CommitId> {
    let (mut found, mut seen, mut open) = (Vec::new(), HashSet::new(), tips.to_vec());
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        match theirs.is_live(&id) && ours.is_live(&id) {
            true => found.push(id),
            false => open.extend(theirs.parents.get(&id).into_iter().flatten()),
        }
    }
    found.sort_unstable();
    found
}

/// Which packs go, and how.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Packs that go as they are.
    pub(super) verbatim: Vec<PackRecord>,
    /// Packs of which the objects in `marks` go.
    pub(super) parts: Vec<PackRecord>,
    pub(super) marks: Marks,
    /// Packs of the receiver that hold the rest.
    pub(super) relied: HashSet<PackId>,
}

/// Chooses, in one state of each log.
pub(super) struct Chooser<'a> {
    pub(super) theirs: (&'a LogState, &'a ChunkStore),
    pub(super) ours: (&'a LogState, &'a ChunkStore),
    /// What only forgotten commits held may come along.
    pub(super) takes_garbage: bool,
    pub(super) in_flight: usize,
    pub(super) observer: &'a dyn Observer,
}

/// Objects that are looked up together, by kind, and the packs of the receiver that hold them.
type Found = HashMap<(ObjectKind, Locator), PackId>;

/// Where a thread puts a directory that it has read.
type Slot = Mutex<Option<Result<Arc<PackMap>, CasError>>>;

impl Chooser<'_> {
    pub(super) fn choose(&self, cargo: &Cargo) -> Result<Choice, OpsError> {
        let theirs = self.theirs.0;
        let usable = |pack: &&PackId| !theirs.condemned.contains_key(*pack);
        let packs: Vec<PackRecord> =
            theirs.pack_order.iter().filter(usable).map(|pack| theirs.packs[pack]).collect();
        if self.goes_whole(cargo, &packs) {
            return self.among(&packs, None);
        }
        let marks = self.reached(cargo)?;
        let held: HashSet<PackId> = marks.packs().copied().collect();
        let packs: Vec<PackRecord> = packs.into_iter().filter(|pack| held.contains(&pack.uid)).collect();
        self.among(&packs, Some(&marks))
    }

    /// Whether to go by packs, without asking what commits reach. Not where something may lie in them that a pusher has forgotten
    /// and never pushed; nor where most packs have other names here or had one once, since one side has written its packs anew or taken
    /// some away: that would mean to look up all that there is, or to bring again what was taken away.
    fn goes_whole(&self, cargo: &Cargo, packs: &[PackRecord]) -> bool {
        if !cargo.is_all || !cargo.knows_forgotten && !self.takes_garbage {
            return false;
        }
        let sum = |packs: &mut dyn Iterator<Item = &PackRecord>| packs.map(|pack| pack.len).sum::<u64>();
        let foreign: Vec<&PackRecord> = packs.iter().filter(|pack| !self.is_shared(pack)).collect();
        let is_little = 2 * sum(&mut foreign.iter().copied()) <= sum(&mut packs.iter());
        foreign.iter().all(|pack| self.is_free(pack)) && (cargo.based_on.is_empty() || is_little)
    }

    /// Marks what the commits reach beyond what those reach that both have.
    fn reached(&self, cargo: &Cargo) -> Result<Marks, OpsError> {
        let chunks = self.theirs.1;
        let mut known = Marker::new((chunks, Copies::Usable), self.observer).without_bases();
        cargo.based_on.iter().try_for_each(|id| known.commit(*id))?;
        known.settle()?;
        let mut marker = Marker::new((chunks, Copies::Usable), self.observer).beside(known.into_marks());
        cargo.commits.iter().try_for_each(|commit| marker.commit(commit.id))?;
        marker.settle()?;
        Ok(marker.into_marks())
    }

    /// Whether the receiver has the very pack, and may use it.
    fn is_shared(&self, pack: &PackRecord) -> bool {
        let ours = self.ours.0;
        let there = ours.packs.get(&pack.uid);
        there.is_some_and(|there| there.payload_root == pack.payload_root)
            && !ours.condemned.contains_key(&pack.uid)
    }

    /// Whether the receiver can take the pack as it is: its name was never used there, and its keys open it.
    fn is_free(&self, pack: &PackRecord) -> bool {
        let ours = self.ours.0;
        !ours.packs.contains_key(&pack.uid)
            && !ours.removed_packs.contains(&pack.uid)
            && self.ours.1.vault().keyring().entry_key(pack.epoch).is_some()
    }

    /// Chooses among packs of which the marked objects are wanted; without marks: all.
    fn among(&self, packs: &[PackRecord], wanted: Option<&Marks>) -> Result<Choice, OpsError> {
        let mut choice = Choice::default();
        let (shared, foreign): (Vec<PackRecord>, Vec<PackRecord>) =
            packs.iter().partition(|pack| self.is_shared(pack));
        choice.relied.extend(shared.iter().map(|pack| pack.uid));
        if wanted.is_none() && self.ours.0.packs.is_empty() && foreign.iter().all(|pack| self.is_free(pack)) {
            choice.verbatim = foreign;
            return Ok(choice);
        }
        let mut arranged = HashSet::new();
        for batch in foreign.chunks(BATCH) {
            if self.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let maps = self.maps(batch)?;
            let found = self.look_up(&maps, wanted)?;
            for (pack, map) in batch.iter().zip(&maps) {
                self.one(pack, map, (wanted, &found), &mut arranged, &mut choice);
            }
        }
        Ok(choice)
    }

    /// The directories of packs, several read at a time.
    fn maps(&self, packs: &[PackRecord]) -> Result<Vec<Arc<PackMap>>, OpsError> {
        let slots: Vec<(PackId, Slot)> = packs.iter().map(|pack| (pack.uid, Slot::default())).collect();
        work::share(self.in_flight, &slots, &|| false, &|| Some(()), &|(), (pack, slot)| {
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.theirs.1.map(*pack));
        });
        let maps = slots.into_iter().map(|(_, slot)| {
            slot.into_inner().unwrap_or_else(PoisonError::into_inner).expect("all were read")
        });
        maps.collect::<Result<_, _>>().map_err(OpsError::cas("read the directory of a pack"))
    }

    /// Which of the wanted objects the receiver has, and where.
    fn look_up(&self, maps: &[Arc<PackMap>], wanted: Option<&Marks>) -> Result<Found, OpsError> {
        let mut asked: BTreeMap<u8, (ObjectKind, Vec<Locator>)> = BTreeMap::new();
        for map in maps {
            for (entry, ..) in map.rows().filter(|(_, block, slot)| is_marked(map, (*block, *slot), wanted)) {
                asked.entry(entry.kind as u8).or_insert((entry.kind, Vec::new())).1.push(entry.locator);
            }
        }
        let mut found = Found::new();
        for (kind, locators) in asked.values_mut() {
            locators.sort_unstable();
            locators.dedup();
            let index = self.ours.1.index();
            let mut see = |number: usize, at: Location| {
                found.insert((*kind, locators[number]), at.pack);
            };
            index.find_many(*kind, locators, &mut see).map_err(OpsError::cas("look up what is there"))?;
        }
        Ok(found)
    }

    /// Decides for one pack.
    fn one(
        &self,
        pack: &PackRecord,
        map: &PackMap,
        (wanted, found): (Option<&Marks>, &Found),
        arranged: &mut HashSet<(ObjectKind, Locator)>,
        choice: &mut Choice,
    ) {
        let (mut lacking, mut bytes, mut all) = (Vec::new(), 0, 0);
        for (entry, block, slot) in map.rows() {
            let taken = map.taken(block, slot);
            all += taken;
            let key = (entry.kind, entry.locator);
            if !is_marked(map, (block, slot), wanted) || arranged.contains(&key) {
                continue;
            }
            match found.get(&key) {
                Some(there) => drop(choice.relied.insert(*there)),
                None => {
                    bytes += taken;
                    lacking.push((key, Location { pack: pack.uid, block, slot, depth: 0 }));
                }
            }
        }
        arranged.extend(lacking.iter().map(|(key, _)| *key));
        if lacking.is_empty() {
            return;
        }
        if self.is_free(pack) && 2 * bytes >= all {
            choice.verbatim.push(*pack);
            return;
        }
        choice.parts.push(*pack);
        for (_, location) in &lacking {
            choice.marks.set(location);
        }
    }
}

fn is_marked(map: &PackMap, (block, slot): (u16, u16), wanted: Option<&Marks>) -> bool {
    let location = Location { pack: map.uid(), block, slot, depth: 0 };
    wanted.is_none_or(|marks| marks.has(&location))
}
