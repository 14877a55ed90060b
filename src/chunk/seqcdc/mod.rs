//! SeqCDC: chunks cut where bytes rise, without a hash of every window.
//!
//! Two chunkers share the idea and the kernels' layout:
//!
//! - [`SeqCdc::published`] is the algorithm as published, cut for cut: it exists for comparison. It skips what it takes
//!   for uninteresting, which makes it fast and loses deduplication, and data that never rises often enough
//!   is cut at fixed lengths.
//! - [`SeqCdc::new`] is the one to use. It looks at every byte between the least and the greatest length, as follows.
//!
//! A *place* is where a run of rises reaches its fifth: five bytes in a row, each greater than the one before it, the first
//! of which is greater than a byte that is itself no rise. A chunk of at least `min` and at most `max` bytes ends,
//!
//! 1. of the first `(max - min) / 32` places from `min` on, at the one whose sixteen bytes before it have the least keyed
//!    hash, the leftmost of equal ones;
//! 2. if there is no place and the bytes from seven before `min` on are all equal, at `max`;
//! 3. else, from `min` on, where the four bytes before it have the least keyed hash, the leftmost of equal ones.
//!
//! Near the end of the content, `max` is what is left, and what is not longer than `min` is one chunk.
//!
//! Chunks of `max` equal bytes that follow each other are given as one chunk that is repeated, so a run of zeros of any
//! length is few chunks, whether its bytes are pushed or their number is.
//!
//! The same bytes, parameters and key give the same cuts on every processor, however the bytes are divided. The
//! scalar kernel is the definition; the others are tested against it.
//!
//! Source: Udayashankar, Baba, Al-Kiswany, "SeqCDC: Hashless Content-Defined Chunking for Data Deduplication",
//! Middleware 2024; "Accelerating Data Chunking in Deduplication Systems using Vector Instructions", arXiv 2505.21194.
//! The choice by the least hash is that of MinCDC (O. Peters).

/// The ways into the kernels of one instruction set, `skipping_len_here` and `places_len_here` of its module. They are to be
/// called only where the set is available.
macro_rules! entries {
    () => {
        /// The published algorithm.
        #[expect(unsafe_code, reason = "the processor has the instructions, which the compiler cannot know")]
        pub(super) fn skipping_len(params: &SeqCdcParams, bytes: &[u8]) -> usize {
            // SAFETY: `SeqCdc` holds an instruction set only after it was found available.
            unsafe { skipping_len_here(params, bytes) }
        }

        /// The choice of a place.
        #[expect(unsafe_code, reason = "the processor has the instructions, which the compiler cannot know")]
        pub(super) fn places_len(places: &Places, bytes: &[u8]) -> usize {
            // SAFETY: `SeqCdc` holds an instruction set only after it was found available.
            unsafe { places_len_here(places, bytes) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod params;
mod places;
mod scalar;
mod skipping;
mod stream;
#[cfg(test)]
mod tests;

pub use params::{SeqCdcConfig, SeqCdcError, SeqCdcParams};
pub use stream::SeqCdcStream;

use super::{Chunk, ChunkData};
use crate::isa::{Isa, IsaError};
use places::Places;

/// Positions that a kernel looks at together.
const BLOCK: usize = 64;

/// A chunker with its parameters. Cheap to clone, and can be shared between threads.
#[derive(Clone, Copy)]
pub struct SeqCdc {
    rule: Rule,
    isa: Isa,
}

#[derive(Clone, Copy)]
enum Rule {
    Skipping(SeqCdcParams),
    Places(Places),
}

impl SeqCdc {
    /// Number of the published chunker in a repository's configuration.
    pub const ID_PUBLISHED: u16 = 1;
    /// Number of the chunker that [`Self::new`] makes in a repository's configuration.
    pub const ID: u16 = 3;

    /// The chunker named `seqcdc`; `key` is secret and belongs to the repository.
    pub fn new(config: SeqCdcConfig, key: &[u8; 32]) -> Self {
        Self { rule: Rule::Places(Places::new(config, key)), isa: Isa::current() }
    }

    /// The chunker as published.
    pub fn published(params: SeqCdcParams) -> Self {
        Self { rule: Rule::Skipping(params), isa: Isa::current() }
    }

    /// The same chunker with the kernel for `isa`: the same cuts at another speed.
    ///
    /// # Errors
    /// [`IsaError::Missing`] if this processor does not have it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, IsaError> {
        if isa.is_available() { Ok(Self { isa, ..self }) } else { Err(IsaError::Missing { isa }) }
    }

    /// The chunker's number in a repository's configuration.
    pub fn id(&self) -> u16 {
        match self.rule {
            Rule::Skipping(_) => Self::ID_PUBLISHED,
            Rule::Places(_) => Self::ID,
        }
    }

    /// Least bytes of a chunk, the content's last one excepted: content of at most so many is one chunk.
    pub fn min_len(&self) -> usize {
        match &self.rule {
            Rule::Skipping(params) => params.min(),
            Rule::Places(places) => places.min(),
        }
    }

    /// Most bytes of a chunk, and of what a decision reads.
    pub fn max_len(&self) -> usize {
        match &self.rule {
            Rule::Skipping(params) => params.max(),
            Rule::Places(places) => places.max(),
        }
    }

    /// Length in bytes of the chunk that starts `window`, in `1..=window.len()`.
    ///
    /// `window` begins at a chunk's start and holds [`Self::max_len`] bytes (what is behind them makes no difference),
    /// or all that is left of the content.
    ///
    /// # Panics
    /// If `window` is empty.
    #[inline]
    pub fn next_len(&self, window: &[u8]) -> usize {
        assert!(!window.is_empty(), "a chunk has at least one byte");
        match &self.rule {
            Rule::Skipping(params) => skipping::next_len(params, self.isa, window),
            Rule::Places(places) => places.next_len(self.isa, window),
        }
    }

    /// The chunks of `data`, in order, which cover it without a gap. Empty data has none.
    pub fn cut(&self, data: &[u8]) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut sink = |data: ChunkData<'_>| chunks.push(data.chunk);
        let mut stream = self.stream();
        stream.push(data, &mut sink);
        stream.finish(&mut sink);
        chunks
    }

    /// Begins to cut a content whose bytes come in pieces.
    pub fn stream(&self) -> SeqCdcStream {
        SeqCdcStream::new(*self)
    }
}

/// Whether all bytes are the same.
fn is_constant(bytes: &[u8]) -> bool {
    bytes.get(1..).is_none_or(|rest| *rest == bytes[..rest.len()])
}
