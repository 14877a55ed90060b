#![doc = include_str!("keys.md")]

pub mod aad;
pub mod aead;
pub mod kdf;
pub mod keys;
pub mod nonce;
pub mod recovery;
pub mod secret;
pub mod sign;

pub use aad::Aad;
pub use aead::{Cipher, OVERHEAD, SealKey, TAG_LEN, WrappedKey};
pub use kdf::{KdfParams, SealedKeyring, Slot};
pub use keys::Keyring;
pub use nonce::NonceSource;
pub use secret::Secret32;
pub use sign::Signer;

/// Why a key could not be made or found, or bytes could not be opened. Whoever calls adds the name of the object or file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness {
        /// What it said.
        #[source]
        source: getrandom::Error,
    },
    /// A parameter of the key derivation is outside its bounds.
    #[error("key derivation: {what} is {found}; {min} to {max} is allowed")]
    KdfBounds {
        /// Which parameter, with its unit.
        what: &'static str,
        /// Its value.
        found: u32,
        /// Its lower bound.
        min: u32,
        /// Its upper bound.
        max: u32,
    },
    /// The key derivation failed, mostly because the memory that its parameters ask for is not there.
    #[error("key derivation with {memory_kib} KiB of memory failed")]
    Kdf {
        /// Memory that the parameters ask for, in KiB.
        memory_kib: u32,
        /// What the derivation said.
        #[source]
        source: argon2::Error,
    },
    /// The password or key file is not the one that the slot was made with.
    #[error("wrong password or key file")]
    WrongSecret,
    /// The password or key file is right, and the slot's wrapped key does not open: the slot is damaged.
    #[error("the password or key file is right, but the key slot is damaged")]
    Damaged,
    /// Sealed bytes are not what was sealed, or not under this key, or not at this place.
    #[error("sealed bytes are damaged, forged, or not the ones expected here")]
    Tampered,
    /// A public key is not a point that signatures may be checked against.
    #[error("{device} is not a valid Ed25519 public key")]
    PublicKey {
        /// The public key.
        device: crate::id::DeviceId,
    },
    /// A signature does not match.
    #[error("the signature is not by {device}")]
    Signature {
        /// Whose signature was expected.
        device: crate::id::DeviceId,
    },
    /// The parts of a keyring do not fit together.
    #[error("the keyring is invalid: {why}")]
    Keyring {
        /// Which rule it breaks.
        why: &'static str,
    },
    /// A recovery sheet cannot be read.
    #[error("recovery sheet, line {line}: {why}")]
    SheetLine {
        /// The number in front of the line; 0 where it cannot be read.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The lines of a recovery sheet are right, the whole is not.
    #[error("recovery sheet: {why}")]
    Sheet {
        /// What is wrong with it.
        why: &'static str,
    },
}

/// `N` random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|source| CryptoError::Randomness { source })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
