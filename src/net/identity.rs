//! The key with which an end proves who it is.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use super::NetError;
use crate::store::{StoreError, Vfs};
use crate::sync::PeerKey;

/// Bytes of a secret key.
const SEED_LEN: usize = 32;
/// What stands before the secret in PKCS#8, version 1 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// What stands before the key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// An Ed25519 key pair that names one end of its connections. It is another key than the one that signs log entries.
#[derive(Clone)]
pub struct Identity {
    signing: Arc<dyn SigningKey>,
    key: PeerKey,
    reset: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Identity {
    /// A new key pair that is kept nowhere.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn generate() -> Result<Self, NetError> {
        let seed = new_seed()?;
        Self::from_seed(&seed)
    }

    /// The key pair in the file `path`: 32 bytes, made on first use, readable for the owner alone.
    ///
    /// Of several processes that make it at once all get the same one.
    ///
    /// # Errors
    /// If the file cannot be read or written, or holds something else.
    pub fn load_or_create(vfs: &dyn Vfs, path: &Path) -> Result<Self, NetError> {
        if let Some(identity) = Self::load(vfs, path)? {
            return Ok(identity);
        }
        let seed = new_seed()?;
        match store_new(vfs, path, seed.as_slice()) {
            Ok(()) => Self::from_seed(&seed),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                let why = "it came and went while it was read; try again";
                Self::load(vfs, path)?.ok_or(NetError::KeyFile { path: path.to_owned(), why })
            }
            Err(source) => Err(NetError::File { path: path.to_owned(), source }),
        }
    }

    /// The key pair in the file `path`; `None` if there is no such file.
    ///
    /// # Errors
    /// If the file cannot be read, or holds something else.
    pub fn load(vfs: &dyn Vfs, path: &Path) -> Result<Option<Self>, NetError> {
        let bytes = match vfs.read(path, SEED_LEN as u64) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => Zeroizing::new(Vec::new()),
            Err(source) => {
                return Err(NetError::File { path: path.to_owned(), source: failed("read", path, source) });
            }
        };
        let why = "it should have 32 bytes; move it away to get a new key";
        let seed =
            bytes.as_slice().try_into().map_err(|_| NetError::KeyFile { path: path.to_owned(), why })?;
        Self::from_seed(&Zeroizing::new(seed)).map(Some)
    }

    /// The public key: who this end is.
    pub fn key(&self) -> PeerKey {
        self.key
    }

    fn from_seed(seed: &[u8; SEED_LEN]) -> Result<Self, NetError> {
        let tls = |why: String| NetError::Tls { why };
        let der = Zeroizing::new([&PKCS8_PREFIX[..], seed].concat());
        let der = PrivatePkcs8KeyDer::from(der.as_slice());
        let signing =
            rustls::crypto::aws_lc_rs::sign::any_eddsa_type(&der).map_err(|error| tls(error.to_string()))?;
        let spki = signing.public_key().ok_or_else(|| tls("the key has no public half".to_owned()))?;
        let key = key_of(&spki).ok_or_else(|| tls("the public key has an unknown form".to_owned()))?;
        let reset = Zeroizing::new(blake3::derive_key("warp 2026 stateless reset of connections", seed));
        Ok(Self { signing, key, reset })
    }

    /// A secret by which a server that was started anew tells clients that it has forgotten their connections.
    pub(super) fn reset_key(&self) -> Zeroizing<[u8; 32]> {
        self.reset.clone()
    }

    /// The key pair as TLS shows it: the public key in the place of a certificate.
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        let shown = CertificateDer::from(spki_of(self.key));
        Arc::new(CertifiedKey::new(vec![shown], Arc::clone(&self.signing)))
    }
}

/// The SubjectPublicKeyInfo of a key.
pub(super) fn spki_of(key: PeerKey) -> Vec<u8> {
    [&SPKI_PREFIX[..], key.as_bytes()].concat()
}

/// The Ed25519 key in a SubjectPublicKeyInfo; `None` if it is another kind of key.
pub(super) fn key_of(spki: &[u8]) -> Option<PeerKey> {
    spki.strip_prefix(&SPKI_PREFIX)?.try_into().ok().map(PeerKey::new)
}

fn new_seed() -> Result<Zeroizing<[u8; SEED_LEN]>, NetError> {
    let mut seed = Zeroizing::new([0; SEED_LEN]);
    getrandom::fill(seed.as_mut()).map_err(|error| NetError::Randomness { why: error.to_string() })?;
    Ok(seed)
}

/// Puts a file where there must be none yet, durably.
fn store_new(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    vfs.create_dirs(dir)?;
    let mut temp = vfs.create_temp(dir, dir).map_err(|source| failed("write in", dir, source))?;
    temp.write(bytes).map_err(|source| failed("write", path, source))?;
    temp.sync().map_err(|source| failed("sync", path, source))?;
    temp.publish(path).map_err(|source| failed("name", path, source))?;
    vfs.sync_dir(dir).map_err(|source| failed("sync", dir, source))
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { action, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::OsVfs;

    #[test]
    fn a_key_is_made_once_for_the_owner_alone_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/transport.key");
        let made = Identity::load_or_create(&OsVfs::new(), &path).unwrap();
        assert_eq!(Identity::load_or_create(&OsVfs::new(), &path).unwrap().key(), made.key());
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (32, 0o600));
        assert_ne!(Identity::generate().unwrap().key(), made.key());
    }

    #[test]
    fn of_many_that_make_a_key_at_once_all_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("transport.key");
        let make = || Identity::load_or_create(&OsVfs::new(), &path).unwrap().key();
        let keys: Vec<PeerKey> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("transport.key");
        for len in [0, 31, 33, 1000] {
            std::fs::write(&path, vec![1; len]).unwrap();
            let error = Identity::load_or_create(&OsVfs::new(), &path).unwrap_err();
            assert!(matches!(error, NetError::KeyFile { .. }), "{len}: {error}");
            assert_eq!(std::fs::read(&path).unwrap().len(), len);
        }
    }

    #[test]
    fn only_ed25519_keys_are_taken_from_what_tls_shows() {
        let key = PeerKey::new([9; 32]);
        let spki = spki_of(key);
        assert_eq!((spki.len(), key_of(&spki)), (44, Some(key)));
        let mut other = spki.clone();
        other[8] = 0x71;
        for bad in [&[][..], &spki[..43], &other, &[&spki[..], &[0]].concat()] {
            assert_eq!(key_of(bad), None);
        }
    }
}
