//! Bringing lost shards back.

use std::fmt;

use reed_solomon_simd::ReedSolomonDecoder;

use super::encoder::check_shard_len;
use super::{ErasureConfig, ErasureEncoder, ErasureError, Shard, strip_len};

/// Bytes of work space. More than the encoder's: what is done once a strip takes longer.
const WORK_LEN: usize = 16 << 20;

/// Brings lost shards back. Keeps its work space from call to call.
///
/// It trusts the shards that it is given: check each against its hash before.
///
/// # Examples
/// ```
/// use warp::erasure::{ErasureConfig, ErasureDecoder, ErasureEncoder, ErasureError};
///
/// let config = ErasureConfig::new(3, 1)?;
/// let shards = ErasureEncoder::new(config).encode(b"three and one")?;
/// let mut decoder = ErasureDecoder::new(config);
/// assert_eq!(decoder.decode(&shards[1..], 13)?, b"three and one");
/// let error = decoder.decode(&shards[2..], 13);
/// assert_eq!(error, Err(ErasureError::TooFew { missing: 2, count: 4, parity: 1 }));
/// # Ok::<(), ErasureError>(())
/// ```
pub struct ErasureDecoder {
    config: ErasureConfig,
    decoder: Option<ReedSolomonDecoder>,
}

impl fmt::Debug for ErasureDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErasureDecoder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl ErasureDecoder {
    /// A decoder of this code.
    pub fn new(config: ErasureConfig) -> Self {
        Self { config, decoder: None }
    }

    /// The code.
    pub fn config(&self) -> ErasureConfig {
        self.config
    }

    /// The first `len` bytes of the data of which these are the shards, in any order.
    ///
    /// # Errors
    /// [`ErasureError::TooFew`]; [`ErasureError::Lengths`], [`ErasureError::Index`] and [`ErasureError::Twice`] for shards
    /// that do not go together; [`ErasureError::TooLong`] if the data shards have fewer than `len` bytes.
    pub fn decode(&mut self, shards: &[Shard], len: usize) -> Result<Vec<u8>, ErasureError> {
        let present = self.check(shards)?;
        let shard_len = shards.first().map_or(0, |shard| shard.bytes.len());
        let max = self.config.data() * shard_len;
        if len > max {
            return Err(ErasureError::TooLong { len, max });
        }
        let mut all = vec![0; self.config.shards() * shard_len];
        for shard in shards {
            all[shard.index * shard_len..][..shard_len].copy_from_slice(&shard.bytes);
        }
        self.restore_data(&mut all, &present, shard_len)?;
        all.truncate(len);
        Ok(all)
    }

    /// Restores what is missing in place. `shards` holds all shards, one behind the other: data, then parity; those that are
    /// not `present` are overwritten. Returns how many these were.
    ///
    /// # Errors
    /// [`ErasureError::TooFew`]; [`ErasureError::ShardLen`]; [`ErasureError::Lengths`] if `shards` or `present` are not those of
    /// as many shards as the code has.
    pub fn restore(
        &mut self,
        shards: &mut [u8],
        present: &[bool],
        shard_len: usize,
    ) -> Result<usize, ErasureError> {
        self.restore_data(shards, present, shard_len)?;
        let (data, parity) = shards.split_at_mut(self.config.data() * shard_len);
        let lost = &present[self.config.data()..];
        if lost.contains(&false) {
            let again = ErasureEncoder::new(self.config).parity(&[data], shard_len)?;
            let places = parity.chunks_exact_mut(shard_len).zip(again.chunks_exact(shard_len)).zip(lost);
            places.filter(|(_, present)| !**present).for_each(|((to, from), _)| to.copy_from_slice(from));
        }
        Ok(present.iter().filter(|present| !**present).count())
    }

    /// Which shards are there, if they go together.
    fn check(&self, shards: &[Shard]) -> Result<Vec<bool>, ErasureError> {
        let (count, parity) = (self.config.shards(), self.config.parity());
        let mut present = vec![false; count];
        let expected = shards.first().map_or(0, |shard| shard.bytes.len());
        for &Shard { index, ref bytes } in shards {
            let place = present.get_mut(index).ok_or(ErasureError::Index { index, count })?;
            if std::mem::replace(place, true) {
                return Err(ErasureError::Twice { index });
            }
            if bytes.len() != expected {
                return Err(ErasureError::Lengths { index, found: bytes.len(), expected });
            }
        }
        let missing = count - shards.len();
        if missing > parity {
            return Err(ErasureError::TooFew { missing, count, parity });
        }
        Ok(present)
    }

    /// Restores the data shards that are missing.
    fn restore_data(
        &mut self,
        shards: &mut [u8],
        present: &[bool],
        shard_len: usize,
    ) -> Result<(), ErasureError> {
        let (count, parity) = (self.config.shards(), self.config.parity());
        check_shard_len(shard_len)?;
        let whole = count.saturating_mul(shard_len);
        if shards.len() != whole || present.len() != count {
            let index = present.len().min(shards.len() / shard_len);
            return Err(ErasureError::Lengths { index, found: shards.len(), expected: whole });
        }
        let missing = present.iter().filter(|present| !**present).count();
        if missing > parity {
            return Err(ErasureError::TooFew { missing, count, parity });
        }
        if !present[..self.config.data()].contains(&false) {
            return Ok(());
        }
        let strip = strip_len(shard_len, count.next_power_of_two(), WORK_LEN);
        for start in (0..shard_len).step_by(strip) {
            let len = strip.min(shard_len - start);
            self.restore_strip(shards, present, shard_len, start..start + len)?;
        }
        Ok(())
    }

    fn restore_strip(
        &mut self,
        shards: &mut [u8],
        present: &[bool],
        shard_len: usize,
        strip: std::ops::Range<usize>,
    ) -> Result<(), ErasureError> {
        let (data, parity) = (self.config.data(), self.config.parity());
        // The crate's only refusals are those of its arguments, which were checked.
        let refused = |_| ErasureError::Config { data, parity };
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(ReedSolomonDecoder::new(data, parity, strip.len()).map_err(refused)?),
        };
        decoder.reset(data, parity, strip.len()).map_err(refused)?;
        for (index, _) in present.iter().enumerate().filter(|(_, present)| **present) {
            let column = &shards[index * shard_len..][strip.clone()];
            match index.checked_sub(data) {
                None => decoder.add_original_shard(index, column),
                Some(parity) => decoder.add_recovery_shard(parity, column),
            }
            .map_err(refused)?;
        }
        let restored = decoder.decode().map_err(refused)?;
        for (index, column) in restored.restored_original_iter() {
            shards[index * shard_len..][strip.clone()].copy_from_slice(column);
        }
        Ok(())
    }
}
