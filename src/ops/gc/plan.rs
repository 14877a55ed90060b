//! Which packs stay, which are written anew without what nobody needs, and which go.

use std::collections::{HashMap, HashSet};

use crate::cas::{ChunkStore, Location, PackMap};
use crate::id::PackId;
use crate::limits::{MIB, PACK_LEN_FULL, PACK_OBJECTS_MAX};
use crate::mutants::{self, Mutant};
use crate::observe::Observer;
use crate::repo::LogState;

use super::super::OpsError;
use super::mark::{Copies, Marker};
use super::marks::Marks;
use super::{GcConfig, GcStats};

/// Packs below this length are small.
const SMALL_PACK: u64 = 16 * MIB as u64;
/// Small packs of like length that are merged.
const MERGED_FROM: usize = 8;

/// What will be done with the packs.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) marks: Marks,
    /// Packs that are written anew, the oldest first.
    pub(super) rewritten: Vec<PackId>,
    /// Packs that hold nothing that is needed.
    pub(super) removed: Vec<PackId>,
    /// Bytes that this will free, as far as that can be told without writing.
    pub(super) gain: u64,
    /// For packs that shall go, others that shall go with what is unneeded in them: where the one stays, the other must, too,
    /// because it has bases of deltas that a commit may find in the first.
    needs: HashMap<PackId, Vec<PackId>>,
}

/// A pack that holds something that is needed.
struct Pack {
    id: PackId,
    len: u64,
    objects: u64,
    /// Bytes of it that are not needed.
    waste: u64,
}

impl Plan {
    /// Marks what live commits reach, and decides.
    pub(super) fn new(
        state: &LogState,
        chunks: &ChunkStore,
        config: &GcConfig,
        (stats, observer): (&mut GcStats, &dyn Observer),
    ) -> Result<Self, OpsError> {
        let mut marker = Marker::new((chunks, Copies::Usable), observer);
        for commit in &state.commits {
            marker.commit(*commit)?;
        }
        marker.settle()?;
        stats.objects_live = marker.marks().objects();
        let usable = || state.pack_order.iter().filter(|pack| !state.condemned.contains_key(*pack));
        let (mut removed, mut held) = (Vec::new(), Vec::new());
        for id in usable() {
            let len = state.packs[id].len;
            (stats.packs_before, stats.bytes_before) = (stats.packs_before + 1, stats.bytes_before + len);
            if marker.marks().of_pack(id) == 0 {
                stats.bytes_unused += len;
                removed.push(*id);
            } else {
                let map = map(chunks, id)?;
                let waste = waste(&map, marker.marks(), len);
                stats.bytes_unused += waste;
                held.push(Pack { id: *id, len, objects: map.rows().count() as u64, waste });
            }
        }
        let mut rewritten = choose(&held, config);
        for pack in held.iter().filter(|pack| pack.waste > 0 && !rewritten.contains(&pack.id)) {
            // (A mutant of the explorer leaves this out.)
            if mutants::is_on(Mutant::BasesOfStayingForgotten) {
                break;
            }
            marker.bases_of(&*map(chunks, &pack.id)?)?;
        }
        // What a pack that stays needs is written anew, wherever it lies.
        let is_needed = |pack: &PackId| marker.marks().of_pack(pack) > 0;
        rewritten.extend(removed.iter().filter(|pack| is_needed(pack)));
        removed.retain(|pack| !is_needed(pack));
        let marks = marker.into_marks();
        let rewritten: Vec<PackId> = usable().filter(|pack| rewritten.contains(*pack)).copied().collect();
        let wasted = held.iter().filter(|pack| rewritten.contains(&pack.id)).map(|pack| pack.waste);
        let gain = wasted.sum::<u64>() + removed.iter().map(|pack| state.packs[pack].len).sum::<u64>();
        let mut plan = Self { marks, rewritten, removed, gain, needs: HashMap::new() };
        plan.needs = plan.find_needs(chunks)?;
        Ok(plan)
    }

    /// Packs that go.
    pub(super) fn leaving(&self) -> impl Iterator<Item = PackId> + '_ {
        self.rewritten.iter().chain(&self.removed).copied()
    }

    /// Of the packs that shall go, those that must stay where others must.
    pub(super) fn kept_with(&self, kept: impl IntoIterator<Item = PackId>) -> HashSet<PackId> {
        let (mut all, mut open) = (HashSet::new(), kept.into_iter().collect::<Vec<_>>());
        while let Some(pack) = open.pop() {
            // (A mutant of the explorer leaves the second part out.)
            if all.insert(pack) && !mutants::is_on(Mutant::BasesOfKeptForgotten) {
                open.extend(self.needs.get(&pack).into_iter().flatten());
            }
        }
        all
    }

    fn find_needs(&self, chunks: &ChunkStore) -> Result<HashMap<PackId, Vec<PackId>>, OpsError> {
        let leaving: HashSet<PackId> = self.leaving().collect();
        let mut needs = HashMap::new();
        for id in &leaving {
            let map = map(chunks, id)?;
            let mut others = HashSet::new();
            for (entry, block, slot) in map.rows() {
                let Some(delta) = map.delta(block, slot) else { continue };
                if self.marks.has(&Location { pack: *id, block, slot, depth: delta.depth }) {
                    continue;
                }
                for base in delta.bases.iter() {
                    let found = chunks.index().find_usable(entry.kind, *base, delta.depth);
                    let found = found.map_err(OpsError::cas("find out what is needed"))?;
                    let is_leaving =
                        |at: &Location| leaving.contains(&at.pack) && at.pack != *id && !self.marks.has(at);
                    others.extend(found.filter(is_leaving).map(|at| at.pack));
                }
            }
            if !others.is_empty() {
                needs.insert(*id, others.into_iter().collect());
            }
        }
        Ok(needs)
    }
}

fn map(chunks: &ChunkStore, pack: &PackId) -> Result<std::sync::Arc<PackMap>, OpsError> {
    chunks.map(*pack).map_err(OpsError::cas("read the directory of a pack"))
}

/// Bytes of a pack of `len` that are the share of what is not marked.
fn waste(map: &PackMap, marks: &Marks, len: u64) -> u64 {
    let (mut all, mut dead) = (0, 0);
    for (_, block, slot) in map.rows() {
        let taken = map.taken(block, slot).max(1);
        let depth = map.delta(block, slot).map_or(0, |delta| delta.depth);
        all += taken;
        dead += if marks.has(&Location { pack: map.uid(), block, slot, depth }) { 0 } else { taken };
    }
    let share = u128::from(len) * u128::from(dead) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(len)
}

/// Packs to write anew: those of which the largest share is not needed, until no more of that is left than may be, and small
/// ones where many are of like length.
fn choose(held: &[Pack], config: &GcConfig) -> HashSet<PackId> {
    let mut chosen = HashSet::new();
    let mut room = config.max_repack.unwrap_or(u64::MAX);
    let mut take = |pack: &Pack| {
        let fits = pack.len <= room;
        room -= if fits { pack.len } else { 0 };
        fits && chosen.insert(pack.id)
    };
    let mut unused: u64 = held.iter().map(|pack| pack.waste).sum();
    let live = held.iter().map(|pack| pack.len).sum::<u64>() - unused;
    let allowed = config.max_unused.of(live);
    let mut wasteful: Vec<&Pack> = held.iter().filter(|pack| pack.waste > 0).collect();
    wasteful.sort_by(|a, b| {
        (u128::from(b.waste) * u128::from(a.len)).cmp(&(u128::from(a.waste) * u128::from(b.len)))
    });
    for pack in wasteful {
        if unused <= allowed {
            break;
        }
        if take(pack) {
            unused -= pack.waste;
        }
    }
    if config.merge {
        for tier in tiers(held) {
            if tier.len() >= MERGED_FROM && tier.len() as u64 >= 2 * packs_for(&tier) {
                tier.into_iter().for_each(|pack| {
                    take(pack);
                });
            }
        }
    }
    chosen
}

/// How many packs hold what these do.
fn packs_for(packs: &[&Pack]) -> u64 {
    let bytes: u64 = packs.iter().map(|pack| pack.len).sum();
    let objects: u64 = packs.iter().map(|pack| pack.objects).sum();
    // One more, since data and metadata have packs of their own.
    1 + bytes.div_ceil(PACK_LEN_FULL as u64).max(objects.div_ceil(PACK_OBJECTS_MAX as u64))
}

/// Small packs, those together that are within the same power of eight.
fn tiers(held: &[Pack]) -> Vec<Vec<&Pack>> {
    let mut tiers: HashMap<u32, Vec<&Pack>> = HashMap::new();
    for pack in held.iter().filter(|pack| pack.len < SMALL_PACK) {
        tiers.entry(pack.len.max(1).ilog2() / 3).or_default().push(pack);
    }
    tiers.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::gc::MaxUnused;

    fn packs(sizes: &[(u64, u64)]) -> Vec<Pack> {
        let pack = |(id, &(len, waste)): (u8, &(u64, u64))| Pack {
            id: PackId::new([id; 16]),
            len,
            objects: 1,
            waste,
        };
        (0..).zip(sizes).map(pack).collect()
    }

    fn chosen(sizes: &[(u64, u64)], config: GcConfig) -> Vec<u8> {
        let mut chosen: Vec<u8> = choose(&packs(sizes), &config).iter().map(|id| id.as_bytes()[0]).collect();
        chosen.sort_unstable();
        chosen
    }

    #[test]
    fn the_most_wasteful_packs_go_first_until_little_is_unused() {
        let mib = MIB as u64;
        let sizes = [(32 * mib, mib), (32 * mib, 20 * mib), (32 * mib, 4 * mib), (32 * mib, 0)];
        let of = |percent| GcConfig { max_unused: MaxUnused::Percent(percent), ..GcConfig::default() };
        assert_eq!(chosen(&sizes, of(100)), []);
        assert_eq!(chosen(&sizes, of(10)), [1]);
        assert_eq!(chosen(&sizes, of(2)), [1, 2]);
        assert_eq!(chosen(&sizes, of(0)), [0, 1, 2]);
        let bytes = GcConfig { max_unused: MaxUnused::Bytes(5 * mib), ..GcConfig::default() };
        assert_eq!(chosen(&sizes, bytes), [1]);
        let little = GcConfig { max_repack: Some(40 * mib), ..of(0) };
        assert_eq!(chosen(&sizes, little), [1]);
    }

    #[test]
    fn many_small_packs_of_like_length_are_merged() {
        let few: Vec<(u64, u64)> = (0..7).map(|at| (5000 + at, 0)).collect();
        assert_eq!(chosen(&few, GcConfig::default()), []);
        let many: Vec<(u64, u64)> = (0..8).map(|at| (5000 + at, 0)).chain([(1 << 20, 0)]).collect();
        assert_eq!(chosen(&many, GcConfig::default()), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(chosen(&many, GcConfig { merge: false, ..GcConfig::default() }), []);
        let mut full = packs(&many);
        full.iter_mut().for_each(|pack| pack.objects = PACK_OBJECTS_MAX as u64);
        assert!(choose(&full, &GcConfig::default()).is_empty(), "others would be as many");
        let large: Vec<(u64, u64)> = (0..20).map(|_| (SMALL_PACK, 0)).collect();
        assert_eq!(chosen(&large, GcConfig::default()), []);
    }
}
