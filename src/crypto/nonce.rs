//! Nonces of 24 bytes that do not repeat.

use super::{CryptoError, Secret32};
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes nonces: one source a process, shared by its threads.
///
/// A nonce is the keyed BLAKE3 hash of the file's name, the part's number and a counter, under a key from the operating
/// system's randomness. The counter tells apart what one process seals, the key what two processes seal.
#[derive(Debug)]
pub struct NonceSource {
    key: Secret32,
    counter: AtomicU64,
}

impl NonceSource {
    /// A source with a new random key.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn new() -> Result<Self, CryptoError> {
        Ok(Self { key: Secret32::generate()?, counter: AtomicU64::new(0) })
    }

    /// The nonce for part `number` of the file `uid`. Asked twice, it gives two.
    pub fn nonce(&self, uid: &[u8; 16], number: u64) -> [u8; 24] {
        let mut input = [0; 32];
        input[..16].copy_from_slice(uid);
        input[16..24].copy_from_slice(&number.to_le_bytes());
        input[24..].copy_from_slice(&self.counter.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let hash = blake3::keyed_hash(self.key.as_bytes(), &input);
        let mut nonce = [0; 24];
        nonce.copy_from_slice(&hash.as_bytes()[..24]);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nonces_never_repeat_within_a_source_nor_between_two() {
        let sources = [NonceSource::new().unwrap(), NonceSource::new().unwrap()];
        let mut seen = HashSet::new();
        for (source, uid) in [(0, 0), (0, 0), (0, 1), (1, 0), (1, 1)] {
            for number in 0..100 {
                assert!(seen.insert(sources[source].nonce(&[uid; 16], number)), "{source} {uid} {number}");
            }
        }
    }

    #[test]
    fn threads_of_one_source_get_different_nonces() {
        let source = NonceSource::new().unwrap();
        let take = || (0..1000).map(|_| source.nonce(&[0; 16], 0)).collect::<Vec<_>>();
        let all: HashSet<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(all.len(), 4000);
    }
}
