//! Which code: how many data and how many parity shards.

use std::fmt;
use std::str::FromStr;

use reed_solomon_simd::ReedSolomonEncoder;

use super::ErasureError;

/// Elements of the field that the code computes in: no code has more shards.
pub(super) const FIELD: usize = 1 << 16;

/// Numbers of data and parity shards. As text `4+2`.
///
/// # Examples
/// ```
/// use warp::erasure::ErasureConfig;
///
/// let config: ErasureConfig = "10+4".parse()?;
/// assert_eq!(config, ErasureConfig::RS_10_4);
/// assert_eq!((config.data(), config.parity(), config.shards()), (10, 4, 14));
/// assert_eq!(config.to_string(), "10+4");
/// assert!(ErasureConfig::new(10, 0).is_err());
/// # Ok::<(), warp::erasure::ErasureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErasureConfig {
    data: usize,
    parity: usize,
}

impl ErasureConfig {
    /// 4 data and 2 parity shards: half as much again.
    pub const RS_4_2: Self = Self { data: 4, parity: 2 };
    /// 6 data and 3 parity shards: half as much again.
    pub const RS_6_3: Self = Self { data: 6, parity: 3 };
    /// 10 data and 4 parity shards: 40 % more.
    pub const RS_10_4: Self = Self { data: 10, parity: 4 };
    /// 16 data and 4 parity shards: a quarter more.
    pub const RS_16_4: Self = Self { data: 16, parity: 4 };
    /// The presets, smallest first.
    pub const PRESETS: [Self; 4] = [Self::RS_4_2, Self::RS_6_3, Self::RS_10_4, Self::RS_16_4];

    /// A code with these numbers of shards.
    ///
    /// # Errors
    /// [`ErasureError::Config`] if one is 0 or they are too many.
    pub fn new(data: usize, parity: usize) -> Result<Self, ErasureError> {
        let fits = data < FIELD && parity < FIELD && ReedSolomonEncoder::supports(data, parity);
        if fits { Ok(Self { data, parity }) } else { Err(ErasureError::Config { data, parity }) }
    }

    /// How many data shards.
    pub fn data(self) -> usize {
        self.data
    }

    /// How many parity shards, which is how many shards may be lost.
    pub fn parity(self) -> usize {
        self.parity
    }

    /// How many shards in all.
    pub fn shards(self) -> usize {
        self.data + self.parity
    }

    /// The shortest length of shards that hold `len` bytes of data and that the code likes: a multiple of 64 bytes.
    pub fn shard_len(self, len: usize) -> usize {
        len.div_ceil(self.data).max(1).next_multiple_of(64)
    }
}

/// Most shards of one kind beside `smaller` ones of the other.
pub(super) fn most_beside(smaller: usize) -> usize {
    FIELD - smaller.clamp(1, FIELD / 2).next_power_of_two()
}

impl fmt::Display for ErasureConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.data, self.parity)
    }
}

impl FromStr for ErasureConfig {
    type Err = ErasureError;

    fn from_str(text: &str) -> Result<Self, ErasureError> {
        let wrong = || ErasureError::ConfigText { found: text.to_owned() };
        let number = |digits: &str| {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| plain).ok_or_else(wrong)
        };
        let (data, parity) = text.split_once('+').ok_or_else(wrong)?;
        Self::new(number(data)?, number(parity)?)
    }
}
