//! How large the chunks are, and what the published algorithm counts.

use std::num::NonZeroU32;

/// How large the chunks of [`SeqCdc::new`](super::SeqCdc::new) are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeqCdcConfig {
    mean: u32,
}

impl SeqCdcConfig {
    /// Least mean length, in bytes.
    pub const MEAN_MIN: u32 = 4 << 10;
    /// Greatest mean length, in bytes.
    pub const MEAN_MAX: u32 = 256 << 10;

    /// Large chunks (64 KiB) for large backups: fewer objects.
    pub const fn backup() -> Self {
        Self { mean: 64 << 10 }
    }

    /// Small chunks (8 KiB): finds more of what is equal, at more objects.
    pub const fn fine() -> Self {
        Self { mean: 8 << 10 }
    }

    /// Chunks of about `mean` bytes: a power of two, [`Self::MEAN_MIN`] to [`Self::MEAN_MAX`].
    ///
    /// # Errors
    /// [`SeqCdcError::Mean`] if it is not.
    pub fn with_mean(mean: u32) -> Result<Self, SeqCdcError> {
        let (min, max) = (Self::MEAN_MIN, Self::MEAN_MAX);
        if mean.is_power_of_two() && (min..=max).contains(&mean) {
            Ok(Self { mean })
        } else {
            Err(SeqCdcError::Mean { mean, min, max })
        }
    }

    /// Chunks of about `mean` bytes, at least 1024, whatever that is: for comparisons at equal measured means. No
    /// repository has such a configuration.
    #[cfg(any(test, feature = "testing"))]
    pub const fn with_any_mean(mean: u32) -> Self {
        assert!(mean >= 1024, "too small for the bounds on places");
        Self { mean }
    }

    /// Mean length of a chunk in bytes, which data without structure comes to.
    pub const fn mean(&self) -> u32 {
        self.mean
    }

    /// Least bytes of a chunk, the content's last one excepted: 5/8 of the mean.
    pub const fn min(&self) -> usize {
        (self.mean / 8 * 5) as usize
    }

    /// Most bytes of a chunk: 11/8 of the mean.
    pub const fn max(&self) -> usize {
        (self.mean / 8 * 11) as usize
    }
}

impl Default for SeqCdcConfig {
    /// Chunks of about 16 KiB.
    fn default() -> Self {
        Self { mean: 16 << 10 }
    }
}

/// Parameters of the published algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SeqCdcParams {
    rises: NonZeroU32,
    falls: NonZeroU32,
    skip: usize,
    min: usize,
    max: usize,
}

impl SeqCdcParams {
    /// Greatest length that [`Self::max`] may be, in bytes.
    pub const MAX_LIMIT: usize = 1 << 30;

    /// The published parameters for chunks of 4 to 16 KiB.
    pub const fn published_8k() -> Self {
        Self::preset(256, 4 << 10, 16 << 10)
    }

    /// The published parameters for chunks of 8 to 32 KiB.
    pub const fn published_16k() -> Self {
        Self::preset(512, 8 << 10, 32 << 10)
    }

    const fn preset(skip: usize, min: usize, max: usize) -> Self {
        let rises = NonZeroU32::new(5).expect("5 is not 0");
        let falls = NonZeroU32::new(50).expect("50 is not 0");
        Self { rises, falls, skip, min, max }
    }

    /// Cuts before the byte that is the `rises`-th rise since the last fall; skips `skip` bytes at every `falls`-th fall;
    /// chunks have `min` to `max` bytes.
    ///
    /// # Errors
    /// [`SeqCdcError::Counts`] if `rises` or `falls` is zero, [`SeqCdcError::Lengths`] if not
    /// `1 <= min <= max <= MAX_LIMIT`, or if `skip` is greater than that.
    pub fn new(rises: u32, falls: u32, skip: usize, min: usize, max: usize) -> Result<Self, SeqCdcError> {
        let (Some(rises), Some(falls)) = (NonZeroU32::new(rises), NonZeroU32::new(falls)) else {
            return Err(SeqCdcError::Counts { rises, falls });
        };
        if min == 0 || min > max || max > Self::MAX_LIMIT || skip > Self::MAX_LIMIT {
            return Err(SeqCdcError::Lengths { skip, min, max, limit: Self::MAX_LIMIT });
        }
        Ok(Self { rises, falls, skip, min, max })
    }

    /// Rises in a row that make a cut: L of the paper.
    pub const fn rises(&self) -> u32 {
        self.rises.get()
    }

    /// Falls that make a skip: T of the paper.
    pub const fn falls(&self) -> u32 {
        self.falls.get()
    }

    /// Bytes skipped: S of the paper.
    pub const fn skip(&self) -> usize {
        self.skip
    }

    /// Least bytes of a chunk, the content's last one excepted.
    pub const fn min(&self) -> usize {
        self.min
    }

    /// Most bytes of a chunk.
    pub const fn max(&self) -> usize {
        self.max
    }
}

/// Why parameters of the chunker were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeqCdcError {
    /// The mean length is not a power of two within the bounds.
    #[error("mean chunk length {mean} is not a power of two between {min} and {max} bytes")]
    Mean {
        /// What was asked for.
        mean: u32,
        /// The least one.
        min: u32,
        /// The greatest one.
        max: u32,
    },
    /// A count is zero.
    #[error("{rises} rises and {falls} falls: neither may be 0")]
    Counts {
        /// Rises that make a cut.
        rises: u32,
        /// Falls that make a skip.
        falls: u32,
    },
    /// The lengths contradict each other, or are too great.
    #[error("a skip of {skip} and chunks of {min} to {max} bytes: need 1 <= min <= max, none above {limit}")]
    Lengths {
        /// Bytes skipped.
        skip: usize,
        /// Least bytes of a chunk.
        min: usize,
        /// Most bytes of a chunk.
        max: usize,
        /// The greatest length allowed.
        limit: usize,
    },
}
