//! Making one index segment of several.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::format::DecodeError;
use crate::format::index::IndexRow;
use crate::format::log::SegmentRecord;
use crate::id::PackId;
use crate::limits::SEGMENT_PACKS_MAX;

use super::segment::{Segment, SegmentWriter};
use super::vault::{Vault, segment_name};
use super::{CasError, Index, Location, PackMap};

/// Features of the sketches of a pack's objects, by the numbers of their block and slot.
pub type PackFeatures = BTreeMap<(u16, u16), Vec<u32>>;

impl SegmentWriter {
    /// Adds what a pack's directory says. Of sketches it says nothing.
    ///
    /// # Panics
    /// If the writer [is full](Self::is_full).
    pub fn add_map(&mut self, map: &PackMap) {
        self.add_featured(map, &PackFeatures::new());
    }

    /// The same, with the features of those objects that have any.
    ///
    /// # Panics
    /// If the writer [is full](Self::is_full).
    pub fn add_featured(&mut self, map: &PackMap, features: &PackFeatures) {
        let number = u16::try_from(self.packs.len()).expect("asked is_full before");
        self.packs.push(map.uid());
        for (entry, block, slot) in map.rows() {
            let delta = map.delta(block, slot);
            let (locator, kind, flags) = (entry.locator, entry.kind, delta.map_or(0, |delta| delta.depth));
            let row = IndexRow { locator, kind, pack: number, block, slot, flags };
            self.rows.push(row);
            let of_row = features.get(&(block, slot)).into_iter().flatten();
            self.features.extend(of_row.map(|feature| (row, *feature)));
            self.bases.extend(delta.map(|delta| (row, delta.bases)));
        }
    }

    /// Adds what a segment says of those of its packs that `stays` names, and that were not added before. Memory: up to 100
    /// bytes a row, until the segment is finished.
    ///
    /// # Errors
    /// When the segment cannot be read, is damaged, or speaks of more packs than fit beside those that were added.
    pub fn add_segment(
        &mut self,
        vault: &Vault,
        record: SegmentRecord,
        stays: impl Fn(&PackId) -> bool,
    ) -> Result<(), CasError> {
        let segment = Segment::new(record);
        let file = || segment_name(&record.uid).as_str().to_owned();
        let format = |source| CasError::Format { file: file(), part: "page", source };
        let open = segment.open(vault)?;
        // The segments' numbers of packs that stay, and ours.
        let mut numbers: HashMap<u16, u16> = HashMap::new();
        for (number, pack) in (0..).zip(open.packs()) {
            if stays(pack) && !self.packs.contains(pack) {
                let found = self.packs.len() as u64;
                let max = SEGMENT_PACKS_MAX as u64;
                let full = DecodeError::Limit { what: "number of packs of a segment", found, max };
                numbers.insert(number, u16::try_from(found).map_err(|_| format(full))?);
                self.packs.push(*pack);
            }
        }
        let rows = segment.read_rows(vault)?;
        let moved = |row: &IndexRow| numbers.get(&row.pack).map(|pack| IndexRow { pack: *pack, ..*row });
        let of = |number: u32| rows.get(number as usize).and_then(moved);
        // They are many: doubling what is held would take as much again.
        self.rows.reserve_exact(rows.len());
        self.rows.extend(rows.iter().filter_map(moved));
        let deltas = segment.read_deltas(vault)?;
        self.bases.extend(deltas.iter().filter_map(|delta| Some((of(delta.row)?, delta.bases))));
        let features = segment.read_features(vault)?;
        self.features.extend(features.iter().filter_map(|entry| Some((of(entry.row)?, entry.feature))));
        Ok(())
    }
}

impl Index {
    /// What the segments know of the sketches of objects in these packs. Nothing is known of packs that are their own index.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn features_of(&self, packs: &HashSet<PackId>) -> Result<HashMap<PackId, PackFeatures>, CasError> {
        self.with_present_files(|| {
            let mut found = HashMap::new();
            for segment in &self.state().segments {
                if segment.open(self.vault())?.packs().iter().any(|pack| packs.contains(pack)) {
                    features_in(segment, self.vault(), packs, &mut found)?;
                }
            }
            Ok(found)
        })
    }
}

fn features_in(
    segment: &Segment,
    vault: &Vault,
    packs: &HashSet<PackId>,
    found: &mut HashMap<PackId, PackFeatures>,
) -> Result<(), CasError> {
    let features = segment.read_features(vault)?;
    if features.is_empty() {
        return Ok(());
    }
    let (mut places, mut number): (HashMap<u32, Location>, u32) = Default::default();
    segment.for_each_row(vault, &mut |_, location| {
        let of_pack = location.filter(|location| packs.contains(&location.pack));
        places.extend(of_pack.map(|location| (number, location)));
        number += 1;
    })?;
    for entry in features {
        let Some(Location { pack, block, slot, .. }) = places.get(&entry.row).copied() else { continue };
        found.entry(pack).or_default().entry((block, slot)).or_default().push(entry.feature);
    }
    Ok(())
}
