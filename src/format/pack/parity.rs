//! How much parity a pack gets, and what its shard tables say.

use std::fmt;
use std::str::FromStr;

use super::{PackHeader, shard_len_for};
use crate::id::Root;

/// How much parity packs get. As text `3%` or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Parity {
    percent: u8,
}

/// A share that is no parity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no share of parity: use none, or 1% to {}%", Parity::PERCENT_MAX)]
pub struct ParityError {
    found: String,
}

/// How long a pack's payload becomes by padding, and its parity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadFit {
    /// Length of the payload in bytes, with its padding.
    pub payload_len: u64,
    /// Length of a shard in bytes.
    pub shard_len: u32,
    /// How many parity shards there are.
    pub parity_shards: u16,
}

/// What a shard table says of one shard: the first bytes of its leaf hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardMark([u8; ShardMark::LEN]);

impl ShardMark {
    /// Length of a mark in bytes: by chance, a damaged shard agrees with its mark once in 2^64.
    pub const LEN: usize = 8;

    /// The mark of a shard with this leaf hash.
    pub fn new(leaf: &[u8; Root::LEN]) -> Self {
        Self(*leaf.first_chunk().expect("a hash is longer than a mark"))
    }

    /// Whether it is the mark of a shard with this leaf hash.
    pub fn agrees_with(self, leaf: &[u8; Root::LEN]) -> bool {
        self == Self::new(leaf)
    }

    /// The table over these leaf hashes.
    pub fn table<'a>(leaves: impl IntoIterator<Item = &'a [u8; Root::LEN]>) -> Vec<u8> {
        leaves.into_iter().flat_map(|leaf| Self::new(leaf).0).collect()
    }

    /// The mark of a shard in a table, which may be cut short.
    pub fn in_table(table: &[u8], shard: usize) -> Option<Self> {
        table.get(shard.checked_mul(Self::LEN)?..)?.first_chunk().copied().map(Self)
    }
}

impl Default for Parity {
    /// Three per cent: any 32nd of a pack may be lost.
    fn default() -> Self {
        Self { percent: 3 }
    }
}

impl Parity {
    /// No parity: damage is found, not healed.
    pub const NONE: Self = Self { percent: 0 };
    /// Most parity: somewhat more than the payload.
    pub const PERCENT_MAX: u8 = 50;
    /// Fewest parity shards of a pack that has any: one damaged sector may lie in two shards.
    const SHARDS_MIN: u64 = 2;

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        self.percent == 0
    }

    /// The length of the payload, and the parity, of a pack whose directories and blocks have `content_len` bytes. `padded`
    /// says what length a pack of some length is rounded up to.
    pub fn fit(self, content_len: u64, padded: impl Fn(u64) -> u64) -> PayloadFit {
        let mut fit = self.whole_shards(content_len);
        let target = padded(fit.total_len());
        if self.is_none() {
            let payload_len = target.max(fit.total_len()) - 2 * PackHeader::LEN as u64;
            return PayloadFit { payload_len, shard_len: shard_len_for(payload_len), parity_shards: 0 };
        }
        loop {
            let next = self.whole_shards(fit.payload_len + 1);
            if next.total_len() > target {
                return fit;
            }
            fit = next;
        }
    }

    /// Whether a writer who is told this makes just the parity that the pack with this header has.
    pub fn is_that_of(self, header: &PackHeader) -> bool {
        match (self.is_none(), header.parity_shards) {
            (is_none, 0) => is_none,
            (true, _) => false,
            (false, shards) => {
                let fit = self.whole_shards(header.payload_len());
                (fit.payload_len, fit.shard_len, fit.parity_shards)
                    == (header.payload_len(), header.shard_len, shards)
            }
        }
    }

    /// The least and the most that a writer may have been told who made the pack with this header: few shards serve several
    /// shares. Where none makes just these, both are the most that the pack's parity suffices for.
    pub fn levels_of(header: &PackHeader) -> [Self; 2] {
        let shares = || (1..=Self::PERCENT_MAX).map(|percent| Self { percent });
        let mut fitting = shares().filter(|share| share.is_that_of(header));
        match (header.parity_shards, fitting.next()) {
            (0, _) => [Self::NONE; 2],
            (_, Some(least)) => [least, fitting.next_back().unwrap_or(least)],
            (shards, None) => {
                let needed = |share: &Self| share.whole_shards(header.payload_len()).parity_shards;
                [shares().take_while(|share| needed(share) <= shards).last().unwrap_or(Self::NONE); 2]
            }
        }
    }

    /// The shortest payload of at least `len` bytes that is whole shards, with its parity.
    fn whole_shards(self, len: u64) -> PayloadFit {
        let payload_len = if self.is_none() { len } else { len.next_multiple_of(step(len)) };
        let shard_len = shard_len_for(payload_len);
        let mut fit = PayloadFit { payload_len, shard_len, parity_shards: 0 };
        let mut needed = if self.is_none() { 0 } else { Self::SHARDS_MIN };
        while needed > fit.parity_shards.into() {
            fit.parity_shards = u16::try_from(needed).unwrap_or(u16::MAX);
            needed =
                fit.touched_by(fit.total_len() * u64::from(self.percent) / 96).min(PackHeader::SHARDS_MAX);
        }
        fit
    }
}

/// What a payload of about `len` bytes must be a multiple of to be whole shards: of the shard length where that is bounded,
/// in between of 16 shards.
fn step(len: u64) -> u64 {
    let [shortest, longest] = [PackHeader::SHARD_LEN_MIN, PackHeader::SHARD_LEN_MAX].map(u64::from);
    match len {
        few if few <= 16 * shortest => shortest,
        many if many > 16 * longest => longest,
        _ => 16 * 64,
    }
}

impl PayloadFit {
    /// Length of the whole pack in bytes.
    pub fn total_len(&self) -> u64 {
        let shards = self.payload_len.div_ceil(self.shard_len.into()) + u64::from(self.parity_shards);
        let table = if self.parity_shards == 0 { 0 } else { shards * ShardMark::LEN as u64 };
        let parity = u64::from(self.parity_shards) * u64::from(self.shard_len);
        2 * (PackHeader::LEN as u64 + table) + self.payload_len + parity
    }

    /// How many shards a run of `len` bytes may touch, where all are whole.
    fn touched_by(&self, len: u64) -> u64 {
        if len < 2 { len } else { (len - 2) / u64::from(self.shard_len) + 2 }
    }
}

impl fmt::Display for Parity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() { f.write_str("none") } else { write!(f, "{}%", self.percent) }
    }
}

impl FromStr for Parity {
    type Err = ParityError;

    fn from_str(text: &str) -> Result<Self, ParityError> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        let digits = text.strip_suffix('%').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let percent = digits.and_then(|digits| digits.parse().ok());
        let percent = percent.filter(|percent| (1..=Self::PERCENT_MAX).contains(percent));
        percent.map(|percent| Self { percent }).ok_or_else(|| ParityError { found: text.to_owned() })
    }
}
