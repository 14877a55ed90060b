//! Key slots: a password or key file opens the master key by way of Argon2id.
//!
//! A slot holds a salt, a commitment and the master key, sealed. Argon2id turns the secret and the salt into 32 bytes; from
//! these come the commitment (stored, compared in constant time) and the key that wraps the master key. The commitment
//! tells a wrong password from a damaged slot, and ties the wrapped key to one derived key: no slot opens under two.

use super::aead::{WrappedKey, unwrap_secret, wrap_secret};
use super::{Cipher, CryptoError, SealKey, Secret32, aead, random};
use crate::limits;
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// What a derivation costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KdfParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes. They are computed one after the other: more lanes don't make a derivation faster.
    pub lanes: u32,
}

impl KdfParams {
    /// The second recommendation of RFC 9106 in memory and passes (64 MiB, 3), with one lane.
    pub const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };

    /// Checks the bounds of [`limits`]: too little is unsafe, too much would let a forged slot stop the machine.
    ///
    /// # Errors
    /// [`CryptoError::KdfBounds`].
    pub fn check(&self) -> Result<(), CryptoError> {
        let (min, max) = limits::KDF_MEMORY_KIB.into_inner();
        let bounds = [
            ("number of passes", self.passes, limits::KDF_PASSES),
            ("number of lanes", self.lanes, limits::KDF_LANES),
            // A lane needs 8 KiB.
            ("memory in KiB", self.memory_kib, min.max(self.lanes.saturating_mul(8))..=max),
        ];
        for (what, found, allowed) in bounds {
            if !allowed.contains(&found) {
                let (min, max) = allowed.into_inner();
                return Err(CryptoError::KdfBounds { what, found, min, max });
            }
        }
        Ok(())
    }
}

impl Default for KdfParams {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a key slot stores beside its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Salt of the derivation.
    pub salt: [u8; 32],
    /// Commitment to the derived key.
    pub commitment: [u8; 32],
    /// Nonce of `wrapped`.
    pub nonce: [u8; 24],
    /// The master key and its tag.
    pub wrapped: [u8; 48],
}

/// Derives a key from a secret by Argon2id, version 0x13. Takes as long and as much memory as the parameters say.
///
/// # Errors
/// [`CryptoError::KdfBounds`], [`CryptoError::Kdf`].
pub fn derive(params: KdfParams, salt: &[u8; 32], secret: &[u8]) -> Result<Secret32, CryptoError> {
    params.check()?;
    let failed = |source| CryptoError::Kdf { memory_kib: params.memory_kib, source };
    let costs = Params::new(params.memory_kib, params.passes, params.lanes, Some(32)).map_err(failed)?;
    let mut derived = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, costs)
        .hash_password_into(secret, salt, &mut derived[..])
        .map_err(failed)?;
    Ok(Secret32::new(*derived))
}

/// What a slot stores to recognise a derived key, without telling it.
pub fn commitment(derived: &Secret32) -> [u8; 32] {
    *derived.derive("warp 1 slot commitment").as_bytes()
}

/// Makes a slot with which `secret` opens `master`. `aad` names the slot: the same bytes are needed to open it.
///
/// # Errors
/// [`CryptoError::KdfBounds`], [`CryptoError::Kdf`], [`CryptoError::Randomness`].
pub fn seal_slot(
    master: &Secret32,
    secret: &[u8],
    params: KdfParams,
    aad: &[u8],
) -> Result<Slot, CryptoError> {
    let salt = random()?;
    let derived = derive(params, &salt, secret)?;
    let WrappedKey { nonce, sealed } = wrap_secret(&wrapping_key(&derived), master, aad)?;
    Ok(Slot { salt, commitment: commitment(&derived), nonce, wrapped: sealed })
}

/// Opens a slot and returns the master key.
///
/// # Errors
/// [`CryptoError::WrongSecret`]: the commitment does not match. [`CryptoError::Damaged`]: it does, but the wrapped key
/// does not open. [`CryptoError::KdfBounds`], [`CryptoError::Kdf`].
pub fn open_slot(slot: &Slot, secret: &[u8], params: KdfParams, aad: &[u8]) -> Result<Secret32, CryptoError> {
    let derived = derive(params, &slot.salt, secret)?;
    if blake3::Hash::from_bytes(commitment(&derived)) != blake3::Hash::from_bytes(slot.commitment) {
        return Err(CryptoError::WrongSecret);
    }
    let wrapped = WrappedKey { nonce: slot.nonce, sealed: slot.wrapped };
    unwrap_secret(&wrapping_key(&derived), &wrapped, aad).map_err(|_| CryptoError::Damaged)
}

/// A keyring's bytes, sealed under the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKeyring {
    /// Nonce of `sealed`.
    pub nonce: [u8; aead::NONCE_LEN],
    /// Ciphertext and tag.
    pub sealed: Vec<u8>,
}

/// Seals a keyring's bytes under the master key, with a random nonce.
///
/// # Errors
/// [`CryptoError::Randomness`].
pub fn seal_keyring(master: &Secret32, keyring: &[u8], aad: &[u8]) -> Result<SealedKeyring, CryptoError> {
    let nonce = random()?;
    let mut sealed = Vec::new();
    aead::seal(Cipher::XChaCha20Poly1305, &keyring_key(master), nonce, aad, keyring, &mut sealed);
    sealed.drain(..aead::NONCE_LEN);
    Ok(SealedKeyring { nonce, sealed })
}

/// Opens a keyring's bytes; they are wiped when dropped.
///
/// # Errors
/// [`CryptoError::Tampered`]: they are damaged, or the master key is another family's.
pub fn open_keyring(
    master: &Secret32,
    keyring: &SealedKeyring,
    aad: &[u8],
) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let part = [&keyring.nonce[..], &keyring.sealed].concat();
    aead::open(Cipher::XChaCha20Poly1305, &keyring_key(master), aad, &part).map(Zeroizing::new)
}

fn keyring_key(master: &Secret32) -> SealKey {
    SealKey::from(master.derive("warp 1 keyring"))
}

fn wrapping_key(derived: &Secret32) -> Secret32 {
    derived.derive("warp 1 slot key")
}
