//! Who works on the repository: the device's key and what it last saw, kept outside the repository.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crypto::{Secret32, Signer};
use crate::format::dirtree::Timestamp;
use crate::id::{EntryHash, InstanceId};
use crate::store::{StoreError, Vfs};

use super::RepoError;

/// Who works on a repository, from where, and when.
#[derive(Clone)]
pub struct Client {
    /// Folder of the device's key and of the heads that were last seen; made when it is missing.
    pub state_dir: PathBuf,
    /// Folder for what is kept of far repositories and can be fetched again; `None`: nothing is.
    pub cache_dir: Option<PathBuf>,
    /// The disk that holds both.
    pub vfs: Arc<dyn Vfs>,
    /// `user@host`, for the reflog.
    pub who: String,
    /// Name of this host.
    pub host: String,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Offset of local time from UTC, in seconds.
    pub utc_offset: i32,
    /// Take a repository that is older than it was when last seen.
    pub accept_rollback: bool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("who", &self.who)
            .field("state_dir", &self.state_dir)
            .finish_non_exhaustive()
    }
}

/// The head of a log when a client last looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeenHead {
    pub(super) number: u64,
    pub(super) hash: EntryHash,
}

impl SeenHead {
    /// Stands for: another log was made in the place of this one.
    pub(super) const REPLACED: Self = Self { number: 0, hash: EntryHash::new([0xff; EntryHash::LEN]) };
}

const SEEN_LEN: usize = 8 + EntryHash::LEN + 32;

impl Client {
    /// The device's signing key, made on first use.
    pub(super) fn device(&self) -> Result<Signer, RepoError> {
        let path = self.state_dir.join("device.key");
        match self.read(&path, 32)? {
            Some(bytes) => {
                let seed: [u8; 32] = bytes.try_into().map_err(|_| RepoError::LocalDamaged {
                    path: path.clone(),
                    why: "a device key is 32 bytes; move the file away to get a new one",
                })?;
                Ok(Signer::from_seed(&Secret32::new(seed)))
            }
            None => self.new_device(&path),
        }
    }

    /// The device's signing key, if there is one that can be read.
    pub(super) fn known_device(&self) -> Option<Signer> {
        let seed: [u8; 32] = self.kept("device.key", 32)?.try_into().ok()?;
        Some(Signer::from_seed(&Secret32::new(seed)))
    }

    fn new_device(&self, path: &Path) -> Result<Signer, RepoError> {
        let signer = Signer::generate().map_err(RepoError::crypto("cannot make a device key"))?;
        self.write(path, signer.seed().as_bytes())?;
        Ok(signer)
    }

    /// The head that this client last saw of a repository.
    pub(super) fn seen(&self, instance: InstanceId) -> Result<Option<SeenHead>, RepoError> {
        let path = self.seen_path(instance);
        let Some(bytes) = self.read(&path, SEEN_LEN as u64)? else { return Ok(None) };
        let damaged = RepoError::LocalDamaged {
            path,
            why: "its checksum does not match; remove it to lose only the protection against rollback",
        };
        parse_seen(&bytes).map(Some).ok_or(damaged)
    }

    /// Remembers a head.
    pub(super) fn remember(&self, instance: InstanceId, head: SeenHead) -> Result<(), RepoError> {
        let mut bytes = head.number.to_le_bytes().to_vec();
        bytes.extend_from_slice(head.hash.as_bytes());
        let check = blake3::hash(&bytes);
        bytes.extend_from_slice(check.as_bytes());
        self.write(&self.seen_path(instance), &bytes)
    }

    fn seen_path(&self, instance: InstanceId) -> PathBuf {
        self.state_dir.join(format!("head-{instance}"))
    }

    /// A file of the client, to be tried: `None` if it is not there or cannot be read.
    pub(super) fn kept(&self, name: &str, max: u64) -> Option<Vec<u8>> {
        self.read(&self.state_dir.join(name), max).ok().flatten()
    }

    /// Keeps a file for [`kept`](Self::kept).
    pub(super) fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), RepoError> {
        self.write(&self.state_dir.join(name), bytes)
    }

    fn read(&self, path: &Path, max: u64) -> Result<Option<Vec<u8>>, RepoError> {
        match self.vfs.read(path, max) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(local_io("read", path, source)),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RepoError> {
        let local = |source| RepoError::Local { path: path.to_owned(), source };
        self.vfs.create_dirs(&self.state_dir).map_err(local)?;
        self.vfs.write_replace(path, bytes).map_err(local)
    }
}

/// An error of a local file.
pub(super) fn local_io(action: &'static str, path: &Path, source: std::io::Error) -> RepoError {
    let source = StoreError::Io { action, path: path.display().to_string(), source };
    RepoError::Local { path: path.to_owned(), source }
}

fn parse_seen(bytes: &[u8]) -> Option<SeenHead> {
    let (body, check) = bytes.split_at_checked(8 + EntryHash::LEN)?;
    if blake3::hash(body).as_bytes() != check {
        return None;
    }
    let (number, hash) = body.split_first_chunk::<8>()?;
    Some(SeenHead { number: u64::from_le_bytes(*number), hash: EntryHash::new(hash.try_into().ok()?) })
}
