//! Ed25519 signatures of devices and of the root key.

use super::{CryptoError, Secret32};
use crate::id::DeviceId;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

/// A secret signing key; wiped when dropped.
///
/// Whoever signs puts a context string in front of the message (`warp log 1`, …), so that a signature for one purpose is
/// none for another.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// A new key from the operating system's randomness.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self::from_seed(&Secret32::generate()?))
    }

    /// The key with this seed (the 32 byte private key of RFC 8032).
    pub fn from_seed(seed: &Secret32) -> Self {
        Self { key: SigningKey::from_bytes(seed.as_bytes()) }
    }

    /// The seed, to be stored.
    pub fn seed(&self) -> Secret32 {
        Secret32::new(self.key.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> DeviceId {
        DeviceId::new(self.key.verifying_key().to_bytes())
    }

    /// Signs. The same key and message give the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Checks that `signature` over `message` is by `public`. Strict: points of small order and second encodings are refused, so
/// all readers agree.
///
/// # Errors
/// [`CryptoError::PublicKey`], [`CryptoError::Signature`].
pub fn verify(public: &DeviceId, message: &[u8], signature: &[u8; 64]) -> Result<(), CryptoError> {
    let key = VerifyingKey::from_bytes(public.as_bytes())
        .map_err(|_| CryptoError::PublicKey { device: *public })?;
    key.verify_strict(message, &Signature::from_bytes(signature))
        .map_err(|_| CryptoError::Signature { device: *public })
}
