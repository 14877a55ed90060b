//! The pack writer, of `commit` and `repack`: writes finished packs, and segments of the index when enough rows have come together.

use crossbeam_channel::Receiver;

use crate::cas::{CasError, FinishedPack, Index, SegmentWriter, Vault};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::format::pack::PackContent;

use super::super::OpsError;
use super::super::shared::Shared;

/// Rows after which a segment is written in the middle of a commit: about 12 MiB of memory.
const SEGMENT_ROWS: usize = 1 << 19;

/// Writes packs, then the segments that speak of them.
pub(in crate::ops) struct PackWriter<'a> {
    vault: &'a Vault,
    /// Told of every segment.
    index: Option<&'a Index>,
    rows: SegmentWriter,
    pub(in crate::ops) packs: Vec<PackRecord>,
    pub(in crate::ops) segments: Vec<SegmentRecord>,
    unindexed: Vec<crate::id::PackId>,
}

impl<'a> PackWriter<'a> {
    pub(in crate::ops) fn new(vault: &'a Vault, index: Option<&'a Index>) -> Self {
        let (rows, packs) = (SegmentWriter::default(), Vec::new());
        Self { vault, index, rows, packs, segments: Vec::new(), unindexed: Vec::new() }
    }

    /// Writes packs until no more come, then the last segment.
    pub(super) fn run(&mut self, packs: &Receiver<FinishedPack>, shared: &Shared) -> Result<(), OpsError> {
        for pack in packs {
            if let Err(source) = self.pack(&pack) {
                let error = OpsError::Cas { action: "write a pack", source };
                shared.fail(error);
                // From here on senders are told that nobody writes.
                return Err(OpsError::Cancelled);
            }
        }
        if shared.stopped() {
            return Ok(());
        }
        self.segment().map_err(OpsError::cas("write the index"))
    }

    /// Writes one pack.
    pub(in crate::ops) fn pack(&mut self, pack: &FinishedPack) -> Result<(), CasError> {
        self.packs.push(pack.write(self.vault.store())?);
        if pack.content != PackContent::Mixed {
            self.rows.add(pack);
            self.unindexed.push(pack.uid);
        }
        if self.rows.len() >= SEGMENT_ROWS || self.rows.is_full() { self.segment() } else { Ok(()) }
    }

    /// Writes a segment that speaks of all packs since the last one.
    pub(in crate::ops) fn segment(&mut self) -> Result<(), CasError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let segment = std::mem::take(&mut self.rows).finish(self.vault)?;
        segment.write(self.vault)?;
        self.segments.push(segment.record);
        let packs = self.unindexed.drain(..);
        if let Some(index) = self.index {
            index.add(segment.record, packs);
        }
        Ok(())
    }
}
