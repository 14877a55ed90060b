//! What was brought in so far, and what of it the index does not say yet.

use std::collections::{BTreeMap, HashMap};

use crate::cas::{ChunkStore, PackFeatures, PackMap, SegmentWriter};
use crate::format::log::PackRecord;
use crate::id::{Locator, ObjectKind, PackId};
use crate::repo::Repository;

use super::super::OpsError;
use super::super::rewrite::Rewritten;
use super::Brought;

/// Rows after which a segment is written: about 12 MiB of memory.
const SEGMENT_ROWS: usize = 1 << 19;

/// An object.
pub(super) type Key = (ObjectKind, Locator);

/// The books of one attempt.
#[derive(Default)]
pub(super) struct Ledger {
    rows: SegmentWriter,
    indexed: Vec<PackId>,
    /// What of an object the deltas that are brought in need: a copy less deep than this.
    pub(super) bases: BTreeMap<Key, u8>,
    /// Packs whose names cannot be used.
    pub(super) renamed: Vec<PackRecord>,
    pub(super) brought: Brought,
}

impl Ledger {
    /// Notes what the deltas of a pack that are brought in need and do not find in the pack itself.
    pub(super) fn note_bases(&mut self, map: &PackMap, is_brought: impl Fn(u16, u16) -> bool) {
        if map.deltas().is_empty() {
            return;
        }
        let rows = || map.rows().filter(|(_, block, slot)| is_brought(*block, *slot));
        let depth = |block, slot| map.delta(block, slot).map_or(0, |delta| delta.depth);
        let mut own: HashMap<Key, u8> = HashMap::new();
        for (entry, block, slot) in rows() {
            let least = own.entry((entry.kind, entry.locator)).or_insert(u8::MAX);
            *least = depth(block, slot).min(*least);
        }
        for (entry, block, slot) in rows() {
            let Some(delta) = map.delta(block, slot) else { continue };
            for base in delta.bases.iter().map(|base| (entry.kind, *base)) {
                if own.get(&base).is_none_or(|depth| *depth >= delta.depth) {
                    let below = self.bases.entry(base).or_insert(delta.depth);
                    *below = delta.depth.min(*below);
                }
            }
        }
    }

    /// Takes a pack that was stored under its name.
    pub(super) fn add(
        &mut self,
        record: &PackRecord,
        (map, features): (&PackMap, &PackFeatures),
        chunks: &ChunkStore,
    ) {
        self.brought.verbatim.push(*record);
        if record.self_indexed {
            chunks.index().add_self_indexed(map);
        } else {
            self.rows.add_featured(map, features);
            self.indexed.push(record.uid);
        }
    }

    /// Whether it is time to write a segment.
    pub(super) fn is_full(&self) -> bool {
        self.rows.len() >= SEGMENT_ROWS || self.rows.is_full()
    }

    /// Writes a segment that speaks of the packs since the last one.
    pub(super) fn segment(&mut self, repo: &Repository, chunks: &ChunkStore) -> Result<(), OpsError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let failed = OpsError::cas("write the index");
        let vault = repo.chunks().vault();
        let segment = std::mem::take(&mut self.rows).finish(vault).map_err(&failed)?;
        segment.write(vault).map_err(&failed)?;
        self.brought.own.segments.push(segment.record);
        chunks.index().add(segment.record, self.indexed.drain(..));
        Ok(())
    }

    /// Takes what was written under names of its own.
    pub(super) fn add_own(&mut self, written: Rewritten, chunks: &ChunkStore) {
        let packs: Vec<PackId> = written.packs.iter().map(|pack| pack.uid).collect();
        for segment in &written.segments {
            chunks.index().add(*segment, packs.iter().copied());
        }
        self.brought.own.packs.extend(written.packs);
        self.brought.own.segments.extend(written.segments);
    }
}
