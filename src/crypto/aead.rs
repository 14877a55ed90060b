//! Sealing: bytes become nonce, ciphertext and tag, and open only unchanged and at their own place.
//!
//! A sealed part is the nonce (24 bytes), the ciphertext (as long as the plaintext) and the tag (16 bytes). With
//! [`Cipher::None`] the middle is the plaintext itself and the tag is the first half of a keyed BLAKE3 hash over the
//! length of the associated data (u64, little-endian), the associated data, the nonce and the plaintext.

use super::{CryptoError, Secret32, random};
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 24;
/// Bytes of a tag.
pub const TAG_LEN: usize = 16;
/// How many bytes longer a sealed part is than its plaintext.
pub const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

/// How a part is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// In clear, with a tag that finds damage and, for those who hold the key, forgery.
    None,
    /// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).
    XChaCha20Poly1305,
}

/// Key of one pack, segment or kind of log entry; wiped when dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKey(Secret32);

impl SealKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`CryptoError::Randomness`].
    pub fn generate() -> Result<Self, CryptoError> {
        Secret32::generate().map(Self)
    }

    /// The key's bytes, for storing it where secrets are stored.
    pub fn secret(&self) -> &Secret32 {
        &self.0
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_bytes().into())
    }
}

impl From<Secret32> for SealKey {
    fn from(secret: Secret32) -> Self {
        Self(secret)
    }
}

/// Seals `plaintext` and appends the sealed part, [`OVERHEAD`] bytes longer, to `out`.
///
/// The nonce must be new under `key`: take it from [`NonceSource`](super::NonceSource).
pub fn seal(
    cipher: Cipher,
    key: &SealKey,
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.reserve(plaintext.len() + OVERHEAD);
    out.extend_from_slice(&nonce);
    out.extend_from_slice(plaintext);
    seal_in_place(cipher, key, nonce, aad, out, start);
}

/// Seals without a copy: `buf[start..]` is room for the nonce ([`NONCE_LEN`] bytes of any value) and the plaintext, and
/// becomes the sealed part; the tag is appended.
///
/// The nonce must be new under `key`: take it from [`NonceSource`](super::NonceSource).
///
/// # Panics
/// If `buf` is shorter than `start` and the nonce.
pub fn seal_in_place(
    cipher: Cipher,
    key: &SealKey,
    nonce: [u8; NONCE_LEN],
    aad: &[u8],
    buf: &mut Vec<u8>,
    start: usize,
) {
    let (room, text) = buf[start..].split_at_mut(NONCE_LEN);
    room.copy_from_slice(&nonce);
    let tag: [u8; TAG_LEN] = match cipher {
        Cipher::None => plain_tag(key, &nonce, aad, text),
        Cipher::XChaCha20Poly1305 => key
            .cipher()
            .encrypt_inout_detached(&nonce.into(), aad, InOutBuf::from(text))
            .expect("a buffer in memory is below the cipher's 256 GiB")
            .into(),
    };
    buf.extend_from_slice(&tag);
}

/// Opens a sealed part in place and returns its plaintext, which lies at [`NONCE_LEN`] of `sealed`.
///
/// On an error nothing is decrypted and `sealed` is as before.
///
/// # Errors
/// [`CryptoError::Tampered`]: any bit of `sealed` or `aad` differs from what was sealed, the key or the cipher is another,
/// or `sealed` is shorter than [`OVERHEAD`].
pub fn open_in_place<'a>(
    cipher: Cipher,
    key: &SealKey,
    aad: &[u8],
    sealed: &'a mut [u8],
) -> Result<&'a mut [u8], CryptoError> {
    let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE_LEN>().ok_or(CryptoError::Tampered)?;
    let (text, tag) = rest.split_last_chunk_mut::<TAG_LEN>().ok_or(CryptoError::Tampered)?;
    match cipher {
        Cipher::None => {
            if !tags_equal(&plain_tag(key, nonce, aad, text), tag) {
                return Err(CryptoError::Tampered);
            }
        }
        Cipher::XChaCha20Poly1305 => key
            .cipher()
            .decrypt_inout_detached(&(*nonce).into(), aad, InOutBuf::from(&mut *text), &(*tag).into())
            .map_err(|_| CryptoError::Tampered)?,
    }
    Ok(text)
}

/// Opens a sealed part into a new buffer; see [`open_in_place`].
///
/// # Errors
/// As [`open_in_place`].
pub fn open(cipher: Cipher, key: &SealKey, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let mut buf = sealed.to_vec();
    let len = open_in_place(cipher, key, aad, &mut buf)?.len();
    buf.copy_within(NONCE_LEN..NONCE_LEN + len, 0);
    buf.truncate(len);
    Ok(buf)
}

fn plain_tag(key: &SealKey, nonce: &[u8; NONCE_LEN], aad: &[u8], text: &[u8]) -> [u8; TAG_LEN] {
    let mut hasher = blake3::Hasher::new_keyed(key.0.derive("warp 1 plain tag").as_bytes());
    hasher.update(&(aad.len() as u64).to_le_bytes()).update(aad).update(nonce).update(text);
    let mut tag = [0; TAG_LEN];
    tag.copy_from_slice(&hasher.finalize().as_bytes()[..TAG_LEN]);
    tag
}

/// Compares in constant time, by way of BLAKE3's hash type.
fn tags_equal(one: &[u8; TAG_LEN], other: &[u8; TAG_LEN]) -> bool {
    let widen = |tag: &[u8; TAG_LEN]| {
        let mut wide = [0; 32];
        wide[..TAG_LEN].copy_from_slice(tag);
        blake3::Hash::from_bytes(wide)
    };
    widen(one) == widen(other)
}

/// A key sealed under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrappedKey {
    /// Nonce of the wrap.
    pub nonce: [u8; NONCE_LEN],
    /// The key (32 bytes) and the tag (16).
    pub sealed: [u8; 32 + TAG_LEN],
}

/// Wraps a pack's own key under an epoch's data key. With or without encryption of the data: without, the epoch's key is
/// known to all readers.
///
/// # Errors
/// [`CryptoError::Randomness`].
pub fn wrap_key(epoch_key: &Secret32, key: &SealKey, aad: &[u8]) -> Result<WrappedKey, CryptoError> {
    wrap_secret(&epoch_key.derive("warp 1 pack key wrap"), &key.0, aad)
}

/// Unwraps a pack's own key.
///
/// # Errors
/// [`CryptoError::Tampered`]: the wrap is damaged or belongs to another key or place.
pub fn unwrap_key(epoch_key: &Secret32, wrapped: &WrappedKey, aad: &[u8]) -> Result<SealKey, CryptoError> {
    unwrap_secret(&epoch_key.derive("warp 1 pack key wrap"), wrapped, aad).map(SealKey)
}

/// Seals 32 secret bytes under a key that seals nothing but secrets, with a random nonce.
pub(super) fn wrap_secret(
    under: &Secret32,
    secret: &Secret32,
    aad: &[u8],
) -> Result<WrappedKey, CryptoError> {
    let nonce = random()?;
    let mut sealed = [0; 32 + TAG_LEN];
    let (text, tag) = sealed.split_at_mut(32);
    text.copy_from_slice(secret.as_bytes());
    let made = XChaCha20Poly1305::new(under.as_bytes().into())
        .encrypt_inout_detached(&nonce.into(), aad, InOutBuf::from(&mut *text))
        .expect("32 bytes are below the cipher's 256 GiB");
    tag.copy_from_slice(&made);
    Ok(WrappedKey { nonce, sealed })
}

/// Opens what [`wrap_secret`] sealed.
pub(super) fn unwrap_secret(
    under: &Secret32,
    wrapped: &WrappedKey,
    aad: &[u8],
) -> Result<Secret32, CryptoError> {
    let (text, tag) = wrapped.sealed.split_first_chunk::<32>().expect("48 bytes hold 32");
    let tag: [u8; TAG_LEN] = tag.try_into().expect("48 bytes are 32 and 16");
    let mut secret = zeroize::Zeroizing::new(*text);
    XChaCha20Poly1305::new(under.as_bytes().into())
        .decrypt_inout_detached(&wrapped.nonce.into(), aad, InOutBuf::from(&mut secret[..]), &tag.into())
        .map_err(|_| CryptoError::Tampered)?;
    Ok(Secret32::new(*secret))
}
