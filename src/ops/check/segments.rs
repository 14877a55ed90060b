//! The index against the packs' directories: both say the same of every object, or which differ.
//!
//! Rows are sorted by id, directories by place, and neither fits memory. So each side adds up a keyed hash of every row for
//! each pack, and only where the sums differ are rows compared one by one, a few packs at a time.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::cas::{ChunkStore, PackMap, SegmentAudit, check_segment_bytes, pack_name, segment_name};
use crate::format::log::SegmentRecord;
use crate::format::pack::Bases;
use crate::id::{Locator, ObjectKind, PackId, SegmentId};

use super::super::OpsError;
use super::report::FindingKind;
use super::{Broken, Check};

/// Packs whose rows are compared one by one at a time.
const PACKS_AT_A_TIME: usize = 16;

/// Adds up hashes of rows. Which row it is decides the hash, chance decides how, so that no two sets of rows were made to meet.
#[derive(Debug, Default)]
pub(super) struct Sums(RandomState);

/// How many rows, and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    rows: u64,
    hashes: u64,
}

/// An object and where it lies in a pack that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row<'b> {
    locator: Locator,
    kind: ObjectKind,
    block: u16,
    slot: u16,
    depth: u8,
    bases: &'b [Locator],
}

/// What the index says.
#[derive(Debug, Default)]
pub(super) struct IndexSide {
    pub(super) sums: Sums,
    /// For each pack a sum of every segment that speaks of it.
    by_pack: HashMap<PackId, Vec<Sum>>,
    /// Segments that cannot be read.
    pub(super) lost: HashSet<SegmentId>,
}

impl Sums {
    fn add(&self, sum: &mut Sum, row: &Row<'_>) {
        sum.rows += 1;
        sum.hashes = sum.hashes.wrapping_add(self.0.hash_one(row));
    }

    /// The sum over a pack's directory.
    pub(super) fn of(&self, map: &PackMap) -> Sum {
        let mut sum = Sum::default();
        for row in rows(map) {
            self.add(&mut sum, &row);
        }
        sum
    }
}

fn rows(map: &PackMap) -> impl Iterator<Item = Row<'_>> {
    map.rows().map(|(entry, block, slot)| {
        let delta = map.delta(block, slot);
        let (depth, bases) = delta.map_or((0, &[][..]), |delta| (delta.depth, &delta.bases[..]));
        Row { locator: entry.locator, kind: entry.kind, block, slot, depth, bases }
    })
}

impl IndexSide {
    /// Reads all segments that are there. What is wrong with one becomes a finding.
    pub(super) fn read(check: &Check<'_>, absent: &HashSet<SegmentId>) -> Result<Self, OpsError> {
        let mut side = Self { lost: absent.clone(), ..Self::default() };
        for record in check.state.segments.iter().filter(|segment| !absent.contains(&segment.uid)) {
            check.stop_if_cancelled()?;
            side.segment(check, record);
        }
        Ok(side)
    }

    fn segment(&mut self, check: &Check<'_>, record: &SegmentRecord) {
        let name = segment_name(&record.uid);
        let file = name.as_str();
        let read = |bytes| check.read(bytes);
        if let Err(error) = check_segment_bytes(check.store(), record, &read) {
            check.cas_fault(file, &error);
        }
        let mut sums: HashMap<PackId, Sum> = HashMap::new();
        let audit = SegmentAudit::open(check.vault, *record);
        let done = audit.and_then(|audit| {
            audit.rows(check.vault, &mut |pack, row, bases| {
                self.sums.add(sums.entry(pack).or_default(), &of_index(row, bases));
            })
        });
        match done {
            Ok(()) => {
                sums.into_iter().for_each(|(pack, sum)| self.by_pack.entry(pack).or_default().push(sum))
            }
            Err(error) => {
                check.cas_fault(file, &error);
                self.lost.insert(record.uid);
            }
        }
    }

    /// Whether a segment that can be read speaks of the pack.
    pub(super) fn covers(&self, pack: &PackId) -> bool {
        self.by_pack.contains_key(pack)
    }

    /// Whether every segment that speaks of the pack says the same as its directory.
    pub(super) fn agrees(&self, pack: &PackId, directory: Sum) -> bool {
        self.by_pack.get(pack).is_none_or(|sums| sums.iter().all(|sum| *sum == directory))
    }

    /// Compares packs of which sums differ row by row. What the index lacks goes to `broken`.
    pub(super) fn compare(
        &self,
        check: &Check<'_>,
        packs: &[PackId],
        broken: &mut Broken,
    ) -> Result<(), OpsError> {
        for packs in packs.chunks(PACKS_AT_A_TIME) {
            let maps: HashMap<PackId, PackMap> = packs
                .iter()
                .filter_map(|pack| Some((*pack, PackMap::load(check.vault, pack).ok()?)))
                .collect();
            let mut missing: HashMap<PackId, HashSet<Row<'_>>> =
                maps.iter().map(|(pack, map)| (*pack, rows(map).collect())).collect();
            for record in check.state.segments.iter().filter(|segment| !self.lost.contains(&segment.uid)) {
                check.stop_if_cancelled()?;
                compare_segment(check, record, &maps, &mut missing);
            }
            for (pack, rows) in missing {
                not_indexed(check, &pack, &rows, broken);
            }
        }
        Ok(())
    }

    /// Blames the findings of packs that are lost for the objects that the index has there, and nowhere else.
    pub(super) fn blame(
        &self,
        check: &Check<'_>,
        chunks: &ChunkStore,
        lost: &HashMap<PackId, usize>,
        broken: &mut Broken,
    ) -> Result<(), OpsError> {
        let readable = check.state.segments.iter().filter(|segment| !self.lost.contains(&segment.uid));
        for record in readable.filter(|_| lost.keys().any(|pack| self.covers(pack))) {
            check.stop_if_cancelled()?;
            let Ok(audit) = SegmentAudit::open(check.vault, *record) else { continue };
            if audit.packs().iter().any(|pack| lost.contains_key(pack)) {
                // It was read before.
                let _ = audit.rows(check.vault, &mut |pack, row, _| {
                    let find = || chunks.index().find_below(row.kind, row.locator, u8::MAX);
                    let finding = lost.get(&pack).filter(|_| !matches!(find(), Ok(Some(_))));
                    if let Some(finding) = finding {
                        broken.insert(row.kind, row.locator, *finding);
                    }
                });
            }
        }
        Ok(())
    }
}

fn of_index<'b>(row: &crate::format::index::IndexRow, bases: Option<&'b Bases>) -> Row<'b> {
    Row {
        locator: row.locator,
        kind: row.kind,
        block: row.block,
        slot: row.slot,
        depth: row.depth(),
        bases: bases.map_or(&[], |bases| &bases[..]),
    }
}

/// Takes from `missing` what a segment has, and counts what it has that no directory has.
fn compare_segment<'m>(
    check: &Check<'_>,
    record: &SegmentRecord,
    maps: &'m HashMap<PackId, PackMap>,
    missing: &mut HashMap<PackId, HashSet<Row<'m>>>,
) {
    let Ok(audit) = SegmentAudit::open(check.vault, *record) else { return };
    if !audit.packs().iter().any(|pack| maps.contains_key(pack)) {
        return;
    }
    let mut wrong: HashMap<PackId, u64> = HashMap::new();
    let _ = audit.rows(check.vault, &mut |pack, row, bases| {
        let Some(map) = maps.get(&pack) else { return };
        let row = of_index(row, bases);
        let same = rows_of(map, row.block, row.slot).filter(|there| *there == row);
        match same {
            Some(there) => drop(missing.get_mut(&pack).map(|missing| missing.remove(&there))),
            None => *wrong.entry(pack).or_default() += 1,
        }
    });
    for (pack, rows) in wrong {
        let pack = pack_name(&pack);
        let fault = format!("{rows} of its rows speak of objects that {pack} does not hold at that place");
        check.fault(segment_name(&record.uid).as_str(), FindingKind::Index, fault);
    }
}

/// What a directory says of one place.
fn rows_of(map: &PackMap, block: u16, slot: u16) -> Option<Row<'_>> {
    let entry = map.objects(block).get(usize::from(slot))?;
    let delta = map.delta(block, slot);
    let (depth, bases) = delta.map_or((0, &[][..]), |delta| (delta.depth, &delta.bases[..]));
    Some(Row { locator: entry.locator, kind: entry.kind, block, slot, depth, bases })
}

fn not_indexed(check: &Check<'_>, pack: &PackId, rows: &HashSet<Row<'_>>, broken: &mut Broken) {
    if rows.is_empty() {
        return;
    }
    let fault = format!("{} of its objects cannot be found, since the index does not name them", rows.len());
    let finding = check.fault(pack_name(pack).as_str(), FindingKind::Index, fault);
    for row in rows {
        broken.insert(row.kind, row.locator, finding);
    }
}
