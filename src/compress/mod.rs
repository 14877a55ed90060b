//! Compression of blocks: one zstd frame a block, or the bytes as they are where zstd gains nothing.
//!
//! A frame carries its content's length and no checksum: the seal around a block finds damage.

mod compressor;
mod decompressor;
mod delta;

pub use compressor::Compressor;
pub use decompressor::Decompressor;
pub use delta::{DeltaEncoder, decode_delta};

use std::fmt;
use std::str::FromStr;

/// How a block's plaintext is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// As it is.
    Stored,
    /// One zstd frame.
    Zstd,
}

/// How hard to compress. As text `auto`, `off` or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// Level [`Level::AUTO_ZSTD`].
    #[default]
    Auto,
    /// Not at all.
    Off,
    /// This zstd level, within [`Level::ZSTD_MIN`] and [`Level::ZSTD_MAX`]. 0 is zstd's own default.
    Zstd(i32),
}

impl Level {
    /// What [`Level::Auto`] stands for. Level 5 takes twice the time for 4 to 8 % less; level 4 gives nothing.
    pub const AUTO_ZSTD: i32 = 3;
    /// Lowest level: fast beyond use below it.
    pub const ZSTD_MIN: i32 = -7;
    /// Highest level that zstd has.
    pub const ZSTD_MAX: i32 = 22;

    /// The zstd level; `None`: no compression.
    ///
    /// # Errors
    /// [`CompressError::Level`].
    fn zstd(self) -> Result<Option<i32>, CompressError> {
        match self {
            Self::Off => Ok(None),
            Self::Auto => Ok(Some(Self::AUTO_ZSTD)),
            Self::Zstd(level) if (Self::ZSTD_MIN..=Self::ZSTD_MAX).contains(&level) => Ok(Some(level)),
            Self::Zstd(level) => Err(CompressError::Level { found: level.to_string() }),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::Zstd(level) => write!(f, "{level}"),
        }
    }
}

impl FromStr for Level {
    type Err = CompressError;

    fn from_str(text: &str) -> Result<Self, CompressError> {
        let level = match text {
            "auto" => Self::Auto,
            "off" => Self::Off,
            number => {
                let wrong = |_| CompressError::Level { found: number.to_owned() };
                Self::Zstd(number.parse().map_err(wrong)?)
            }
        };
        level.zstd().map(|_| level)
    }
}

/// Why bytes could not be compressed or decompressed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// There is no such level.
    #[error("{found:?} is no compression level: use auto, off or {} to {}", Level::ZSTD_MIN, Level::ZSTD_MAX)]
    Level {
        /// What was asked for.
        found: String,
    },
    /// zstd has no memory for its tables.
    #[error("zstd cannot set up a context")]
    Context {
        /// What zstd said.
        #[source]
        source: std::io::Error,
    },
    /// zstd failed to compress.
    #[error("zstd cannot compress {len} bytes")]
    Compress {
        /// Length of the input.
        len: usize,
        /// What zstd said.
        #[source]
        source: std::io::Error,
    },
    /// A block is longer than blocks are.
    #[error("a block of {len} bytes is over the limit of {max}")]
    TooLong {
        /// Length that the block is said to have.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// The frame is not of the expected length, or its header is damaged.
    #[error("a zstd frame does not hold the {expected} bytes that it should")]
    Length {
        /// Expected length of the content.
        expected: usize,
    },
    /// There is something behind the frame.
    #[error("a zstd frame of {frame} bytes is followed by more: {len} bytes in all")]
    Trailing {
        /// Length of the frame.
        frame: usize,
        /// Length of the input.
        len: usize,
    },
    /// The frame is damaged.
    #[error("a zstd frame is damaged")]
    Damaged {
        /// What zstd said.
        #[source]
        source: std::io::Error,
    },
}

#[cfg(test)]
mod tests;
