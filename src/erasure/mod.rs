#![doc = include_str!("erasure.md")]

mod config;
mod decoder;
mod encoder;
mod shard;

use config::most_beside;

pub use config::ErasureConfig;
pub use decoder::ErasureDecoder;
pub use encoder::ErasureEncoder;
pub use shard::Shard;

/// Why shards could not be made or healed. Whoever calls adds the name of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErasureError {
    /// There is no code with these numbers of shards.
    #[error(
        "{data} data shards with {parity} parity shards are out of limits: at least 1 of each, and at most {} of one beside \
         up to {} of the other",
        most_beside(*data.min(parity)),
        config::FIELD - most_beside(*data.min(parity))
    )]
    Config {
        /// Data shards asked for.
        data: usize,
        /// Parity shards asked for.
        parity: usize,
    },
    /// A text does not name a code.
    #[error("{found:?} names no erasure code: write data and parity shards, such as 4+2")]
    ConfigText {
        /// The text.
        found: String,
    },
    /// Shards of such a length cannot be computed with.
    #[error("shards of {len} bytes cannot be coded: their length must be even and not 0")]
    ShardLen {
        /// The length in bytes.
        len: usize,
    },
    /// The data do not fit into the data shards.
    #[error("{len} bytes do not fit into data shards of {max} bytes in all")]
    TooLong {
        /// Bytes that were given.
        len: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// A shard has another length than the others.
    #[error("shard {index} has {found} bytes; it should have {expected}")]
    Lengths {
        /// Number of the shard.
        index: usize,
        /// Its length in bytes.
        found: usize,
        /// The length that it should have.
        expected: usize,
    },
    /// The number of a shard is beyond those of the code.
    #[error("there is no shard {index}: the code has {count}, counted from 0")]
    Index {
        /// Number of the shard.
        index: usize,
        /// Shards of the code.
        count: usize,
    },
    /// A shard was given twice.
    #[error("shard {index} was given twice")]
    Twice {
        /// Number of the shard.
        index: usize,
    },
    /// More shards are missing than parity can replace.
    #[error("{missing} of {count} shards are missing, and at most {parity} can be healed")]
    TooFew {
        /// Shards that are missing.
        missing: usize,
        /// Shards of the code.
        count: usize,
        /// How many missing ones could be healed.
        parity: usize,
    },
}

/// Length of the strips in which shards of `shard_len` bytes are coded, where `count` of them lie in the work space.
///
/// Each place of a shard is coded by itself, so strips give the same parity as whole shards, and the work space stays in
/// the cache. A strip is a multiple of 64 bytes, the unit of the code's layout.
fn strip_len(shard_len: usize, count: usize, work_len: usize) -> usize {
    let len = (work_len / count.max(1)) & !63;
    len.clamp(64, shard_len.max(64))
}

#[cfg(test)]
mod tests;
