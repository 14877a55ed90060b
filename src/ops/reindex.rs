//! Making the index anew from the directories of packs, one pack after the other.

use std::sync::Arc;

use crate::cas::{PackMap, SegmentWriter, Vault, segment_name};
use crate::format::log::SegmentRecord;

use super::OpsError;

/// Rows of a segment that is made anew: bounds what is held in memory.
const SEGMENT_ROWS: usize = 1 << 20;

/// Writes segments that say what directories of packs say.
pub(super) struct Reindex<'a> {
    vault: &'a Arc<Vault>,
    rows: SegmentWriter,
    written: Vec<SegmentRecord>,
}

impl<'a> Reindex<'a> {
    pub(super) fn new(vault: &'a Arc<Vault>) -> Self {
        Self { vault, rows: SegmentWriter::default(), written: Vec::new() }
    }

    /// Adds what the directory of a pack says.
    pub(super) fn add(&mut self, map: &PackMap) -> Result<(), OpsError> {
        self.rows.add_map(map);
        if self.rows.len() >= SEGMENT_ROWS || self.rows.is_full() { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), OpsError> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let failed = OpsError::cas("write the index");
        let finished = rows.finish(self.vault).map_err(&failed)?;
        finished.write(self.vault).map_err(&failed)?;
        self.written.push(finished.record);
        Ok(())
    }

    /// Writes what is left; returns all that was written, which no entry of the log names yet.
    pub(super) fn finish(mut self) -> Result<Vec<SegmentRecord>, OpsError> {
        self.flush()?;
        Ok(self.written)
    }

    /// Deletes what was written. A file that stays does no harm.
    pub(super) fn discard(self) {
        for segment in &self.written {
            let _ = self.vault.store().delete(&segment_name(&segment.uid));
        }
    }
}
