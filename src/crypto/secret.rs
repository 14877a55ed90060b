//! A secret of 32 bytes.

use super::{CryptoError, random};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret of 32 bytes: wiped when dropped, never printed, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret32([u8; 32]);

impl Secret32 {
    /// Takes over the bytes. The caller wipes its own copy.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new secret from the operating system's randomness.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn generate() -> Result<Self, CryptoError> {
        random().map(Self)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Another secret that says nothing about this one, by BLAKE3's key derivation under `context`.
    pub(crate) fn derive(&self, context: &'static str) -> Self {
        Self(blake3::derive_key(context, &self.0))
    }
}

impl PartialEq for Secret32 {
    fn eq(&self, other: &Self) -> bool {
        blake3::Hash::from_bytes(self.0) == blake3::Hash::from_bytes(other.0)
    }
}

impl Eq for Secret32 {}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print_its_bytes() {
        assert_eq!(format!("{:?}", Secret32::new([0xa5; 32])), "Secret32(..)");
    }

    #[test]
    fn zeroize_wipes_the_bytes_and_drop_does_it() {
        fn wiped_on_drop<T: ZeroizeOnDrop>() {}
        wiped_on_drop::<Secret32>();
        let mut secret = Secret32::new([7; 32]);
        secret.zeroize();
        assert_eq!(secret.as_bytes(), &[0; 32]);
    }

    #[test]
    fn secrets_are_equal_only_with_equal_bytes() {
        let secret = Secret32::new([1; 32]);
        for byte in 0..32 {
            let mut other = [1; 32];
            other[byte] ^= 0x80;
            assert_ne!(secret, Secret32::new(other), "byte {byte}");
        }
        assert_eq!(secret, secret.clone());
        assert_ne!(Secret32::generate().unwrap(), Secret32::generate().unwrap());
    }
}
