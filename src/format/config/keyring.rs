//! The plaintext of the keyring.
use super::KeyringBytes;
use crate::format::DecodeError;
use crate::format::codec::{Reader, limit};
use zeroize::{Zeroize, Zeroizing};

const WHAT: &str = "keyring";
const MAGIC: &[u8; 8] = b"WARPKEYS";
const VERSION: u16 = 1;
/// Magic, version, reserved, root secret, number of epochs.
const HEAD_LEN: usize = 8 + 2 + 2 + 32 + 4;
const EPOCH_LEN: usize = 4 + 32;

impl KeyringBytes {
    /// Most epochs: a rotation every day for ten years.
    pub const EPOCHS_MAX: usize = 4096;

    /// How many epochs are in a keyring whose plaintext has `len` bytes; `None`: no keyring has such a length.
    pub fn epochs_of_len(len: usize) -> Option<usize> {
        let epochs = len.checked_sub(HEAD_LEN)?;
        (epochs > 0 && epochs.is_multiple_of(EPOCH_LEN)).then_some(epochs / EPOCH_LEN)
    }

    /// The bytes to seal, in memory that is cleared when dropped.
    ///
    /// # Errors
    /// If it breaks a rule of [`Self::check`].
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        self.check()?;
        // Room for all of it: a vector that grows would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_LEN + EPOCH_LEN * self.epochs.len()));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 2]);
        bytes.extend_from_slice(&self.root_secret);
        bytes.extend_from_slice(&(self.epochs.len() as u32).to_le_bytes());
        for (number, key) in &self.epochs {
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(key);
        }
        Ok(bytes)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// If it is no keyring, is of a newer version, or breaks a rule of [`Self::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(WHAT, bytes);
        reader.magic(MAGIC)?;
        reader.version(VERSION)?;
        reader.reserved(2)?;
        let mut keyring = Self { root_secret: reader.array()?, epochs: Vec::new() };
        let count = reader.u32()?;
        limit("number of epochs", count.into(), Self::EPOCHS_MAX as u64)?;
        let mut epochs = Reader::new(WHAT, reader.take(count as usize * EPOCH_LEN)?);
        reader.finish()?;
        keyring.epochs.reserve_exact(count as usize);
        for _ in 0..count {
            keyring.epochs.push((epochs.u32()?, epochs.array()?));
        }
        keyring.check()?;
        Ok(keyring)
    }

    /// Checks that there is an epoch, and that they ascend.
    ///
    /// # Errors
    /// The rule that it breaks. No such keyring is written or read.
    pub fn check(&self) -> Result<(), DecodeError> {
        let rule = Reader::new(WHAT, &[]);
        limit("number of epochs", self.epochs.len() as u64, Self::EPOCHS_MAX as u64)?;
        rule.ensure(!self.epochs.is_empty(), "it has no epoch")?;
        rule.ensure(self.epochs.is_sorted_by(|a, b| a.0 < b.0), "its epochs are not sorted by number")
    }
}

impl Zeroize for KeyringBytes {
    fn zeroize(&mut self) {
        self.root_secret.zeroize();
        self.epochs.zeroize();
    }
}

impl Drop for KeyringBytes {
    fn drop(&mut self) {
        self.zeroize();
    }
}
