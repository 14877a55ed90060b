//! Trials: what an object takes as a delta, against these bases or against others.

use crate::cas::{Base, CasError, ChunkStore};
use crate::compress::{CompressError, DeltaEncoder, Level};
use crate::id::ObjectKind;

/// What a base of a delta takes besides the frame: in both directories of the pack and in the index, with its share of the
/// rest of the delta's entries.
const BASE_COST: usize = 56;

/// Bytes that a delta takes, its bases included.
pub(super) fn delta_cost(frame: usize, bases: usize) -> u64 {
    (frame + BASE_COST * bases) as u64
}

/// Makes deltas of one object after the other, for one thread.
pub(super) struct Trials {
    encoder: DeltaEncoder,
    frame: Vec<u8>,
    other: Vec<u8>,
    prefix: Vec<u8>,
}

impl Trials {
    /// With the level that goes with blocks of this one.
    pub(super) fn new(level: Level) -> Result<Self, CasError> {
        let failed = |source: CompressError| CasError::Compress { source };
        let encoder = DeltaEncoder::new(level).map_err(failed)?;
        let (frame, other, prefix) = Default::default();
        Ok(Self { encoder, frame, other, prefix })
    }

    /// The frame that was made and kept last.
    pub(super) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Whether these bytes stand in the bases of the last trial.
    pub(super) fn holds(&self, bytes: &[u8]) -> bool {
        memchr::memmem::find(&self.prefix, bytes).is_some()
    }

    /// Makes a delta of an object; returns what it costs.
    pub(super) fn first(
        &mut self,
        chunks: &ChunkStore,
        kind: ObjectKind,
        bytes: &[u8],
        bases: &[Base],
    ) -> Result<u64, CasError> {
        self.prefix.clear();
        for base in bases {
            self.prefix.extend_from_slice(&chunks.get_base(kind, *base)?);
        }
        self.frame.clear();
        let made = self.encoder.encode(&self.prefix, bytes, &mut self.frame);
        made.map_err(|source| CasError::Compress { source })?;
        Ok(delta_cost(self.frame.len(), bases.len()))
    }

    /// Makes another delta of the object, and keeps it if it costs clearly less than `cost`; returns what it costs then.
    pub(super) fn second(
        &mut self,
        chunks: &ChunkStore,
        kind: ObjectKind,
        bytes: &[u8],
        bases: &[Base],
        cost: u64,
    ) -> Result<Option<u64>, CasError> {
        std::mem::swap(&mut self.frame, &mut self.other);
        let less = self.first(chunks, kind, bytes, bases).map(|less| (8 * less < 7 * cost).then_some(less));
        if !matches!(less, Ok(Some(_))) {
            std::mem::swap(&mut self.frame, &mut self.other);
        }
        less
    }
}
