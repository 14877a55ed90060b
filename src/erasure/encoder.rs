//! Making parity.

use std::fmt;

use reed_solomon_simd::engine::{DefaultEngine, Engine, Naive};
use reed_solomon_simd::rate::{DefaultRateEncoder, RateEncoder};

use super::shard::Pieces;
use super::{ErasureConfig, ErasureError, Shard, strip_len};

/// Up to this many bytes the plain arithmetic is faster: the tables of the other take 8 MiB and some 10 ms to make, once in
/// a process.
const SMALL: usize = 1 << 20;

/// Bytes of work space: what a second-level cache holds.
const WORK_LEN: usize = 2 << 20;

/// Makes parity shards. Keeps its work space from call to call.
///
/// # Examples
/// ```
/// use warp::erasure::{ErasureConfig, ErasureDecoder, ErasureEncoder};
///
/// let data = b"any four of these six shards bring it back";
/// let mut shards = ErasureEncoder::new(ErasureConfig::RS_4_2).encode(data)?;
/// assert_eq!(shards.len(), 6);
///
/// shards.remove(1); // a data shard
/// shards.remove(4); // the last parity shard
/// let back = ErasureDecoder::new(ErasureConfig::RS_4_2).decode(&shards, data.len())?;
/// assert_eq!(back, data);
/// # Ok::<(), warp::erasure::ErasureError>(())
/// ```
pub struct ErasureEncoder {
    config: ErasureConfig,
    small: Option<DefaultRateEncoder<Naive>>,
    large: Option<DefaultRateEncoder<DefaultEngine>>,
    scratch: Vec<u8>,
}

impl fmt::Debug for ErasureEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErasureEncoder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ErasureEncoder {
    /// An encoder of this code.
    pub fn new(config: ErasureConfig) -> Self {
        Self { config, small: None, large: None, scratch: Vec::new() }
    }

    /// The code.
    pub fn config(&self) -> ErasureConfig {
        self.config
    }

    /// Changes to another code.
    pub fn set_config(&mut self, config: ErasureConfig) {
        self.config = config;
    }

    /// All shards of `data`: data shards of [`ErasureConfig::shard_len`] bytes, the last ones filled up with zeros, then
    /// parity shards.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn encode(&mut self, data: &[u8]) -> Result<Vec<Shard>, ErasureError> {
        let shard_len = self.config.shard_len(data.len());
        let parity = self.parity(&[data], shard_len)?;
        let mut bytes = data.to_vec();
        bytes.resize(self.config.data() * shard_len, 0);
        bytes.extend_from_slice(&parity);
        let shards = bytes.chunks_exact(shard_len).enumerate();
        Ok(shards.map(|(index, bytes)| Shard { index, bytes: bytes.to_vec() }).collect())
    }

    /// The parity shards, one behind the other, of a byte string that is given in pieces and cut into data shards of
    /// `shard_len` bytes; behind its end zeros count.
    ///
    /// # Errors
    /// [`ErasureError::ShardLen`]; [`ErasureError::TooLong`] if it is longer than the data shards.
    pub fn parity(&mut self, pieces: &[&[u8]], shard_len: usize) -> Result<Vec<u8>, ErasureError> {
        check_shard_len(shard_len)?;
        let pieces = Pieces::new(pieces);
        let max = self.config.data().saturating_mul(shard_len);
        if pieces.len() > max {
            return Err(ErasureError::TooLong { len: pieces.len(), max });
        }
        let job = Job { config: self.config, pieces, shard_len };
        if max <= SMALL {
            job.run(&mut self.small, Naive::new, &mut self.scratch)
        } else {
            job.run(&mut self.large, DefaultEngine::new, &mut self.scratch)
        }
    }
}

/// What is encoded.
struct Job<'a> {
    config: ErasureConfig,
    pieces: Pieces<'a>,
    shard_len: usize,
}

impl Job<'_> {
    /// Encodes strip by strip.
    fn run<E: Engine>(
        &self,
        encoder: &mut Option<DefaultRateEncoder<E>>,
        engine: fn() -> E,
        scratch: &mut Vec<u8>,
    ) -> Result<Vec<u8>, ErasureError> {
        let (data, parity) = (self.config.data(), self.config.parity());
        let strip = strip_len(self.shard_len, self.config.shards(), WORK_LEN);
        let mut out = vec![0; parity * self.shard_len];
        for start in (0..self.shard_len).step_by(strip) {
            let len = strip.min(self.shard_len - start);
            let encoder = prepared(encoder, self.config, len, engine)?;
            for shard in 0..data {
                let column = self.pieces.get(shard * self.shard_len + start, len, scratch);
                encoder.add_original_shard(column).map_err(|_| self.unsupported())?;
            }
            let made = encoder.encode().map_err(|_| self.unsupported())?;
            for (shard, column) in made.recovery_iter().enumerate() {
                out[shard * self.shard_len + start..][..len].copy_from_slice(column);
            }
        }
        Ok(out)
    }

    /// The crate's only refusals are those of its arguments, which were checked.
    fn unsupported(&self) -> ErasureError {
        ErasureError::Config { data: self.config.data(), parity: self.config.parity() }
    }
}

/// The encoder, made or reset for strips of `len` bytes.
fn prepared<E: Engine>(
    encoder: &mut Option<DefaultRateEncoder<E>>,
    config: ErasureConfig,
    len: usize,
    engine: fn() -> E,
) -> Result<&mut DefaultRateEncoder<E>, ErasureError> {
    let (data, parity) = (config.data(), config.parity());
    let refused = |_| ErasureError::Config { data, parity };
    if let Some(encoder) = encoder.as_mut() {
        encoder.reset(data, parity, len).map_err(refused)?;
    }
    match encoder {
        Some(encoder) => Ok(encoder),
        none => Ok(none.insert(DefaultRateEncoder::new(data, parity, len, engine(), None).map_err(refused)?)),
    }
}

pub(super) fn check_shard_len(len: usize) -> Result<(), ErasureError> {
    if len > 0 && len.is_multiple_of(2) { Ok(()) } else { Err(ErasureError::ShardLen { len }) }
}
