//! The Chonkers chunker: content-defined chunks with strict guarantees on their size and on the locality of cuts.
//!
//! Layers of growing *absolute unit* A turn a sequence of chunks into coarser ones, each in three phases:
//! balancing, caterpillars, diffbit. The guarantees, for a final unit A and whatever the content is:
//!
//! 1. a chunk weighs at most A bytes, unless it is a caterpillar, a unit that is repeated;
//! 2. no two neighbours both weigh less than A/2, and two neighbours together at least 3A/4;
//! 3. whether a boundary stands at a place depends only on bytes within a constant times A.
//!
//! Source: B. Berger, "The Chonkers Algorithm: Content-Defined Chunking with Provable Strict Guarantees on Size
//! and Locality", arXiv 2509.11121. Differs in where it begins (proto-chunks instead of single bytes) and in the
//! diffbit (of keyed hashes of the contents, and of the contents only where those agree).

mod balancing;
mod buffer;
mod caterpillar;
pub mod diff;
mod diffbit;
mod digest;
mod fine;
mod item;
mod items;
mod layer;
#[cfg(test)]
mod measure;
mod minima;
mod proto;
#[cfg(test)]
mod reference;
mod segments;
mod stream;
#[cfg(test)]
mod tests;
pub mod tree;

use std::sync::Arc;

pub use diff::{Delta, DeltaRange, DeltaStats, TreeDiff};
pub use items::{Group, ItemCutter, cut_items};
pub use segments::SegmentStream;
pub use stream::{ChonkersStream, Sink};
pub use tree::{
    ChonkerNode, ChonkerTree, ChonkerTreeBuilder, Leaf, Leaves, NodeSink, NodeSource, TreeChild, TreeError,
    TreeRoot,
};

use crate::chunk::Chunk;
use crate::isa::{Isa, IsaError};
use item::Hasher;
use minima::WindowKey;
use proto::LEVELS_MAX;

/// How large the chunks are.
///
/// ```
/// use warp::chonkers::ChonkersConfig;
///
/// assert_eq!(ChonkersConfig::default().unit(), 64 << 10);
/// assert_eq!(ChonkersConfig::with_unit(8 << 10)?.unit(), 8 << 10);
/// assert!(ChonkersConfig::with_unit(10_000).is_err(), "10000 is no power of two");
/// # Ok::<(), warp::chonkers::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChonkersConfig {
    unit: u32,
}

/// Why a configuration of the chunker was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The absolute unit is not a power of two within the bounds.
    #[error("chunk unit {unit} is not a power of two between {min} and {max} bytes")]
    Unit {
        /// The unit that was asked for.
        unit: u32,
        /// The least one.
        min: u32,
        /// The greatest one.
        max: u32,
    },
}

impl ChonkersConfig {
    /// Least absolute unit, in bytes.
    pub const UNIT_MIN: u32 = 4 << 10;
    /// Greatest absolute unit, in bytes.
    pub const UNIT_MAX: u32 = 1 << 20;

    /// Large chunks (256 KiB at most) for large backups: fewer objects.
    pub const fn backup() -> Self {
        Self { unit: 256 << 10 }
    }

    /// Small chunks (16 KiB at most): finds more of what is equal, at more objects.
    pub const fn fine() -> Self {
        Self { unit: 16 << 10 }
    }

    /// Chunks of at most `unit` bytes: a power of two, [`Self::UNIT_MIN`] to [`Self::UNIT_MAX`].
    ///
    /// # Errors
    /// [`ConfigError::Unit`] if it is not.
    pub fn with_unit(unit: u32) -> Result<Self, ConfigError> {
        let (min, max) = (Self::UNIT_MIN, Self::UNIT_MAX);
        if unit.is_power_of_two() && (min..=max).contains(&unit) {
            Ok(Self { unit })
        } else {
            Err(ConfigError::Unit { unit, min, max })
        }
    }

    /// The absolute unit: most bytes of a chunk.
    pub const fn unit(&self) -> u32 {
        self.unit
    }
}

impl Default for ChonkersConfig {
    /// Chunks of at most 64 KiB.
    fn default() -> Self {
        Self { unit: 64 << 10 }
    }
}

/// A chunker with its keys. Cheap to clone, and can be shared between threads.
///
/// The same bytes, configuration and key give the same chunks on every machine, at once or as a stream.
///
/// ```
/// use warp::chonkers::{Chonkers, ChonkersConfig};
///
/// let chonkers = Chonkers::new(ChonkersConfig::fine(), &[7; 32]);
/// let content: Vec<u8> = (0..100_000u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
/// let chunks = chonkers.cut(&content);
/// assert!(chunks.windows(2).all(|pair| pair[0].end() == pair[1].offset));
/// assert!(chunks.iter().all(|chunk| chunk.len <= 16 << 10));
///
/// // What is put in front changes no cut far behind it.
/// let edited = chonkers.cut(&[b"new in front, ", content.as_slice()].concat());
/// assert!(edited.iter().rev().zip(chunks.iter().rev()).take(10).all(|(a, b)| a.len == b.len));
/// ```
#[derive(Clone)]
pub struct Chonkers {
    config: ChonkersConfig,
    isa: Isa,
    keys: Arc<Keys>,
}

/// What is derived from the key.
struct Keys {
    hasher: Hasher,
    proto: [WindowKey; LEVELS_MAX],
}

impl Keys {
    fn new(key: &[u8; 32]) -> Self {
        let derived = blake3::derive_key("warp 1 chonkers chunker", key);
        let mut reader = blake3::Hasher::new_keyed(&derived).finalize_xof();
        let mut draw = || {
            let mut bytes = [0; 8];
            reader.fill(&mut bytes);
            u64::from_le_bytes(bytes)
        };
        let proto = std::array::from_fn(|_| std::array::from_fn(|_| draw() as u16));
        Self { proto, hasher: Hasher::new(draw) }
    }
}

impl Chonkers {
    /// The chunker's number in a repository's configuration.
    pub const ID: u16 = 2;

    /// A chunker for `config`; `key` is secret and belongs to the repository.
    pub fn new(config: ChonkersConfig, key: &[u8; 32]) -> Self {
        Self { config, isa: Isa::current(), keys: Arc::new(Keys::new(key)) }
    }

    /// The same chunker, which works with this instruction set. It cuts no differently.
    ///
    /// # Errors
    /// [`IsaError::Missing`] if the processor does not have it.
    pub fn on(self, isa: Isa) -> Result<Self, IsaError> {
        if isa.is_available() { Ok(Self { isa, ..self }) } else { Err(IsaError::Missing { isa }) }
    }

    /// The configuration that the chunker was made with.
    pub fn config(&self) -> ChonkersConfig {
        self.config
    }

    /// The chunks of `data`, in order, which cover it without a gap. Empty data has none, data of at most
    /// the absolute unit is one chunk.
    pub fn cut(&self, data: &[u8]) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        stream::cut(&self.keys, self.config.unit, self.isa, data, &mut |data| chunks.push(data.chunk));
        chunks
    }

    /// Begins to cut a content whose bytes come in pieces.
    pub fn stream(&self) -> ChonkersStream {
        ChonkersStream::new(Arc::clone(&self.keys), self.config.unit, self.isa)
    }
}
