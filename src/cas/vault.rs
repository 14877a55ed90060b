//! What sealing needs: the store, the keys, the cipher.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::{self, Aad, CryptoError, Keyring, NonceSource, SealKey, aead};
use crate::format::pack::{Cipher, WrappedKey};
use crate::id::{FamilyId, PackId, SegmentId};
use crate::observe::Observer;
use crate::store::{BlobName, StorageBackend};

use super::CasError;
use super::healer::Healer;
use super::near::NearParts;

/// Length of a nonce in front of sealed bytes.
pub(super) const NONCE_LEN: usize = 24;

/// What a sealed byte string is. Stands in its associated data, so that none passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// A block of a pack; its number counts from 0.
    Block = 1,
    /// A pack's directory.
    Directory = 2,
    /// The key of a pack, under a data key.
    PackKey = 3,
    /// A page of an index segment; its number counts from 0.
    Page = 4,
    /// A segment's footer.
    Footer = 5,
    /// The key of a segment, under a data key.
    SegmentKey = 6,
    /// The private part of a log entry; its number is the entry's.
    LogPrivate = 7,
    /// The keyring, under the master key.
    Keyring = 8,
    /// State of a working directory, kept by a client outside the repository.
    WorkDirState = 9,
    /// The body of a checkpoint of the log; its number is its entry's.
    Checkpoint = 10,
    /// The private part of a bundle.
    BundlePrivate = 11,
}

/// The store and the keys that its contents are sealed with.
#[derive(Debug)]
pub struct Vault {
    store: Arc<dyn StorageBackend>,
    keyring: Keyring,
    cipher: Cipher,
    family: FamilyId,
    nonces: NonceSource,
    healer: Healer,
    near: Option<Arc<dyn NearParts>>,
}

/// The key of one pack or segment, with what its associated data need.
#[derive(Debug, Clone)]
pub(super) struct FileKey {
    pub(super) epoch: u32,
    pub(super) uid: [u8; 16],
    key: SealKey,
}

impl Vault {
    /// Joins a store with the keys of its repository.
    pub fn new(
        store: Arc<dyn StorageBackend>,
        keyring: Keyring,
        cipher: Cipher,
        family: FamilyId,
        nonces: NonceSource,
    ) -> Self {
        Self { store, keyring, cipher, family, nonces, healer: Healer::default(), near: None }
    }

    /// The same, and parts of the index are kept near.
    pub fn keeping_near(self, near: Arc<dyn NearParts>) -> Self {
        Self { near: Some(near), ..self }
    }

    /// Where parts of the index are kept.
    pub(super) fn near(&self) -> Option<&dyn NearParts> {
        self.near.as_deref()
    }

    /// The store.
    pub fn store(&self) -> &dyn StorageBackend {
        &*self.store
    }

    /// The store, to be opened once more with other keys.
    pub fn shared_store(&self) -> Arc<dyn StorageBackend> {
        Arc::clone(&self.store)
    }

    /// Says who is told, once for each pack, that it is damaged and was healed for reading.
    pub fn tell_of_healing(&self, observer: Arc<dyn Observer>) {
        self.healer.tell(observer);
    }

    /// What heals damaged packs for reading.
    pub(super) fn healer(&self) -> &Healer {
        &self.healer
    }

    /// The keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// How everything is sealed.
    pub fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The keys' family.
    pub fn family(&self) -> FamilyId {
        self.family
    }

    /// Makes a key for the new file `uid` and wraps it under the newest data key.
    pub(super) fn new_key(&self, part: Part, uid: [u8; 16]) -> Result<(FileKey, WrappedKey), CasError> {
        let epoch = self.keyring.newest_epoch();
        let data_key = self.keyring.epoch_key(epoch).expect("the newest epoch has a key");
        let random = |source| CasError::Random { source };
        let key = FileKey { epoch, uid, key: SealKey::generate().map_err(random)? };
        let wrapped = aead::wrap_key(data_key, &key.key, &self.aad(part, &key, 0)).map_err(random)?;
        Ok((key, WrappedKey { wrap: 0, nonce: wrapped.nonce, sealed: wrapped.sealed }))
    }

    /// Unwraps the key of the existing file `uid`; `file` is its name for errors.
    pub(super) fn file_key(
        &self,
        part: Part,
        uid: [u8; 16],
        epoch: u32,
        wrapped: &WrappedKey,
        file: &str,
    ) -> Result<FileKey, CasError> {
        let data_key = self
            .keyring
            .epoch_key(epoch)
            .ok_or_else(|| CasError::UnknownEpoch { file: file.to_owned(), epoch })?;
        let aad = self.aad_of(part, epoch, &uid, 0);
        let wrapped = aead::WrappedKey { nonce: wrapped.nonce, sealed: wrapped.sealed };
        let key = aead::unwrap_key(data_key, &wrapped, &aad).map_err(|source| CasError::Sealed {
            file: file.to_owned(),
            part: "key",
            source,
        })?;
        Ok(FileKey { epoch, uid, key })
    }

    /// Seals `buffer`, whose first [`NONCE_LEN`] bytes are room for the nonce, in place, and appends the tag.
    pub(super) fn seal(&self, key: &FileKey, part: Part, number: u64, buffer: &mut Vec<u8>) {
        let nonce = self.nonces.nonce(&key.uid, number ^ (u64::from(part as u8) << 56));
        aead::seal_in_place(self.crypto_cipher(), &key.key, nonce, &self.aad(part, key, number), buffer, 0);
    }

    /// Opens sealed bytes in place and returns where in `buffer` the plaintext lies.
    pub(super) fn open<'b>(
        &self,
        key: &FileKey,
        part: Part,
        number: u64,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], CryptoError> {
        aead::open_in_place(self.crypto_cipher(), &key.key, &self.aad(part, key, number), buffer)
            .map(|plain| &*plain)
    }

    /// Seals a small byte string that belongs to no pack or segment, under a data or master key of its own.
    pub fn seal_with(&self, key: &SealKey, part: Part, uid: &[u8; 16], number: u64, plain: &[u8]) -> Vec<u8> {
        let key = FileKey { epoch: self.keyring.newest_epoch(), uid: *uid, key: key.clone() };
        let mut buffer = Vec::with_capacity(crypto::OVERHEAD + plain.len());
        buffer.resize(NONCE_LEN, 0);
        buffer.extend_from_slice(plain);
        self.seal(&key, part, number, &mut buffer);
        buffer
    }

    /// Opens what [`seal_with`](Self::seal_with) sealed in data epoch `epoch`.
    ///
    /// # Errors
    /// When the bytes were changed or belong elsewhere.
    pub fn open_with(
        &self,
        key: &SealKey,
        part: Part,
        (uid, epoch, number): (&[u8; 16], u32, u64),
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let key = FileKey { epoch, uid: *uid, key: key.clone() };
        let mut buffer = sealed.to_vec();
        Ok(Zeroizing::new(self.open(&key, part, number, &mut buffer)?.to_vec()))
    }

    fn crypto_cipher(&self) -> crypto::Cipher {
        match self.cipher {
            Cipher::None => crypto::Cipher::None,
            Cipher::XChaCha20Poly1305 => crypto::Cipher::XChaCha20Poly1305,
        }
    }

    fn aad(&self, part: Part, key: &FileKey, number: u64) -> [u8; Aad::LEN] {
        self.aad_of(part, key.epoch, &key.uid, number)
    }

    fn aad_of(&self, part: Part, epoch: u32, uid: &[u8; 16], number: u64) -> [u8; Aad::LEN] {
        let format = match part {
            Part::Block | Part::Directory | Part::PackKey => Aad::PACK,
            Part::Page | Part::Footer | Part::SegmentKey => Aad::SEGMENT,
            Part::LogPrivate => Aad::ENTRY,
            Part::Keyring => Aad::CONFIG,
            Part::WorkDirState => Aad::CACHE,
            Part::Checkpoint => Aad::CHECKPOINT,
            Part::BundlePrivate => Aad::BUNDLE,
        };
        Aad { format, family: self.family, kind: part as u8, epoch, uid: *uid, number }.to_bytes()
    }
}

/// Name of a pack in the store.
pub fn pack_name(uid: &PackId) -> BlobName {
    BlobName::new(&format!("packs/{uid}.warp")).expect("hex digits make a legal name")
}

/// Name of an index segment in the store.
pub fn segment_name(uid: &SegmentId) -> BlobName {
    BlobName::new(&format!("index/{uid}")).expect("hex digits make a legal name")
}
