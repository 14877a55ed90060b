//! Reading the file of a bundle: its manifest from whichever end is whole, and its packs, healed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cas::{HealError, Healed, heal};
use crate::format::DecodeError;
use crate::format::bundle::{BundleManifest, BundlePublic};
use crate::format::config::Config;
use crate::format::dirtree::Timestamp;
use crate::format::log::PackRecord;
use crate::format::pack::Cipher;
use crate::id::CommitId;
use crate::repo::{Credentials, open_bundle_with};
use crate::store::{OsVfs, ReadFile, Vfs};
use crate::worktree::WorktreeError;

use super::super::OpsError;
use super::source::BundleSource;

/// Lengths of the pieces in which a pack is read that the disk does not give as a whole: some that go quickly, and in them the
/// smallest that a disk loses.
const PIECES: [usize; 2] = [256 << 10, 4096];

/// What is wrong with a bundle beside its packs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFault {
    /// Its length is not what its manifest says.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// Bytes of the file.
        found: u64,
        /// Bytes that it should have.
        expected: u64,
    },
    /// One copy of its manifest cannot be read; the other one is whole.
    #[error("its {which} manifest is damaged: {source}")]
    Manifest {
        /// `first` or `second`.
        which: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// Between the first manifest and the first pack there is something.
    #[error("what lies in front of its packs is not empty")]
    Room,
    /// Its signature or the certificate of its maker does not verify.
    #[error("{why}")]
    Signature {
        /// What does not verify, and why.
        why: String,
    },
}

/// What is sealed in a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BundleHeads {
    /// Full names of branches and tags, and where they stand.
    pub refs: Vec<(String, CommitId)>,
    /// When it was made.
    pub time: Timestamp,
    /// By whom, as `user@host`.
    pub who: String,
    /// What it is for.
    pub message: String,
}

/// Whether a file is a bundle, as far as one of its ends tells.
///
/// # Errors
/// When it cannot be opened.
pub fn is_bundle(path: &Path) -> Result<bool, OpsError> {
    if !std::fs::metadata(path).map_err(failed("look at", path))?.is_file() {
        return Ok(false);
    }
    let (file, len) = open(path)?;
    let head = read_exact(&*file, 0, BundleManifest::HEAD_LEN);
    let tail_len = BundleManifest::TAIL_LEN;
    let tail = len.checked_sub(tail_len as u64).and_then(|start| read_exact(&*file, start, tail_len));
    // A length that is too large is no reason to take it for something else.
    let is_it = |len: Result<usize, DecodeError>| matches!(len, Ok(_) | Err(DecodeError::Limit { .. }));
    Ok(head.is_some_and(|head| is_it(BundleManifest::len_from_head(&head)))
        || tail.is_some_and(|tail| is_it(BundleManifest::len_from_tail(&tail))))
}

/// What is sealed in a bundle, opened with what opens the repository that made it. Takes no repository.
///
/// # Errors
/// When the file is no bundle, its signature does not verify, or the credentials do not open it.
pub fn bundle_heads(path: &Path, credentials: &Credentials) -> Result<BundleHeads, OpsError> {
    let bundle = BundleFile::open(path)?;
    bundle.verify_by_itself()?;
    let public = bundle.public().clone();
    let private = open_bundle_with(Arc::new(BundleSource::new(bundle)), &public, credentials)?;
    let crate::format::bundle::BundlePrivate { time, who, message, refs } = private;
    Ok(BundleHeads { refs, time, who, message })
}

/// Whether it takes a password or key file to open what is sealed in a bundle.
///
/// # Errors
/// When the file is no bundle.
pub fn bundle_is_encrypted(path: &Path) -> Result<bool, OpsError> {
    Ok(BundleFile::open(path)?.public().config.cipher != Cipher::None)
}

/// The configuration that a bundle without prerequisites holds: what a repository of its own begins with.
///
/// # Errors
/// When the file is no bundle, its signature does not verify, or it has prerequisites.
pub fn bundle_config(path: &Path) -> Result<Config, OpsError> {
    let bundle = BundleFile::open(path)?;
    bundle.verify_by_itself()?;
    match bundle.public().prerequisites.len() {
        0 => Ok(bundle.public().config.clone()),
        count => Err(OpsError::Refused {
            why: format!(
                "{} cannot become a repository of its own: it takes {count} commits for granted that are not in it",
                path.display()
            ),
        }),
    }
}

/// A bundle that is read.
#[derive(Debug)]
pub(super) struct BundleFile {
    path: PathBuf,
    file: Arc<dyn ReadFile>,
    len: u64,
    manifest: BundleManifest,
    manifest_len: u64,
    pub(super) faults: Vec<BundleFault>,
}

impl BundleFile {
    /// Opens a file and reads its manifest. That this is signed by whom it may is for the caller to check.
    pub(super) fn open(path: &Path) -> Result<Self, OpsError> {
        let (file, len) = open(path)?;
        let (front, back) = (front(&*file, len), back(&*file, len));
        let damaged = |source| OpsError::Tree {
            what: format!("{}: its manifest at either end", path.display()),
            source,
        };
        let mut faults = Vec::new();
        let mut fault = |which, source| faults.push(BundleFault::Manifest { which, source });
        let (manifest, manifest_len) = match (front, back) {
            (Ok(front), Ok(back)) if front.0 == back.0 => front,
            (Ok(_), Ok(_)) => {
                let why = "they are those of different bundles";
                return Err(damaged(DecodeError::Invalid { what: "pair of manifests", why }));
            }
            (Ok(front), Err(source)) => {
                fault("second", source);
                front
            }
            (Err(source), Ok(back)) => {
                fault("first", source);
                back
            }
            (Err(error), Err(_)) => return Err(damaged(error)),
        };
        let mut bundle =
            Self { path: path.to_owned(), file, len, manifest, manifest_len: manifest_len as u64, faults };
        bundle.look_around();
        Ok(bundle)
    }

    /// Notes a wrong length, and bytes where none should be.
    fn look_around(&mut self) {
        let expected = self.total_len();
        if self.len != expected {
            self.faults.push(BundleFault::Length { found: self.len, expected });
            return;
        }
        let room = self.public().packs_offset - self.manifest_len;
        let bytes = self.read(self.manifest_len, room);
        if bytes.iter().any(|byte| *byte != 0) {
            self.faults.push(BundleFault::Room);
        }
    }

    pub(super) fn public(&self) -> &BundlePublic {
        &self.manifest.public
    }

    pub(super) fn manifest(&self) -> &BundleManifest {
        &self.manifest
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that the file has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Checks the signature against the root key that the bundle itself names.
    pub(super) fn verify_by_itself(&self) -> Result<(), OpsError> {
        let root_key = crate::id::DeviceId::new(self.public().config.root_key);
        Ok(crate::repo::verify_bundle(&self.manifest, &root_key)?)
    }

    fn total_len(&self) -> u64 {
        self.public().packs_end() + self.manifest_len
    }

    /// The packs, each with where it begins in a bundle that is whole.
    pub(super) fn packs(&self) -> impl Iterator<Item = (PackRecord, u64)> + '_ {
        let mut offset = self.public().packs_offset;
        self.public().packs.iter().map(move |record| {
            let start = offset;
            offset += record.len;
            (*record, start)
        })
    }

    /// Where the bytes of a pack may lie: start and length. Where bytes are missing or too many at one place, what lies in front of it
    /// stays, what lies behind it has moved, and a pack around it is shorter or longer.
    pub(super) fn places(&self, (record, offset): (PackRecord, u64)) -> Vec<(u64, u64)> {
        let moved = i128::from(self.len) - i128::from(self.total_len());
        let (start, len) = (i128::from(offset), i128::from(record.len));
        let mut places: Vec<(u64, u64)> = Vec::new();
        for (start, len) in [(start, len), (start + moved, len), (start, len + moved)] {
            let (start, end) = (start.max(0), (start + len).min(self.len.into()));
            let place = (start as u64, (end - start).max(0) as u64);
            if end > start && !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// A pack as it was written.
    pub(super) fn heal(&self, pack: (PackRecord, u64)) -> Result<Healed, HealError> {
        let mut first = None;
        for (start, len) in self.places(pack) {
            match heal(&self.read(start, len), &pack.0) {
                Ok(healed) => return Ok(healed),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.unwrap_or(HealError::NoHeader { pack: pack.0.uid }))
    }

    /// Reads bytes, or says why that fails.
    pub(super) fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        read_into(&*self.file, offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads bytes that the file has. What the disk does not give counts as zeros: damage, as any other.
    fn read(&self, start: u64, len: u64) -> Vec<u8> {
        // A pack's length has a limit, and that of a file is more than it.
        let mut bytes = vec![0; len.min(self.len - start.min(self.len)) as usize];
        for (number, piece) in (0_u64..).zip(bytes.chunks_mut(PIECES[0])) {
            let at = start + number * PIECES[0] as u64;
            if read_into(&*self.file, at, piece).is_ok() {
                continue;
            }
            for (number, piece) in (0_u64..).zip(piece.chunks_mut(PIECES[1])) {
                if read_into(&*self.file, at + number * PIECES[1] as u64, piece).is_err() {
                    piece.fill(0);
                }
            }
        }
        bytes
    }
}

fn open(path: &Path) -> Result<(Arc<dyn ReadFile>, u64), OpsError> {
    let file = OsVfs::new().open(path).map_err(failed("open", path))?;
    let len = file.len().map_err(failed("look at", path))?;
    Ok((file, len))
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> OpsError + 'a {
    move |source| WorktreeError::Io { action, path: path.to_owned(), source }.into()
}

/// The manifest in front, and its length.
fn front(file: &dyn ReadFile, len: u64) -> Result<(BundleManifest, usize), DecodeError> {
    let head = read_exact(file, 0, BundleManifest::HEAD_LEN).unwrap_or_default();
    manifest_at(file, len, BundleManifest::len_from_head(&head)?, |_| Some(0))
}

/// The manifest at the end, and its length.
fn back(file: &dyn ReadFile, len: u64) -> Result<(BundleManifest, usize), DecodeError> {
    let tail_len = BundleManifest::TAIL_LEN;
    let tail = len.checked_sub(tail_len as u64).and_then(|start| read_exact(file, start, tail_len));
    let found = BundleManifest::len_from_tail(&tail.unwrap_or_default())?;
    manifest_at(file, len, found, |found| len.checked_sub(found))
}

fn manifest_at(
    file: &dyn ReadFile,
    len: u64,
    found: usize,
    start: impl Fn(u64) -> Option<u64>,
) -> Result<(BundleManifest, usize), DecodeError> {
    let needed = (found as u64).saturating_sub(len);
    let cut = DecodeError::Truncated { what: "manifest of a bundle", needed };
    let start = start(found as u64).filter(|_| needed == 0).ok_or_else(|| cut.clone())?;
    let bytes = read_exact(file, start, found).ok_or(cut)?;
    Ok((BundleManifest::decode(&bytes)?.0, found))
}

/// Bytes that are there; what cannot be read is as bad as what is missing.
fn read_exact(file: &dyn ReadFile, offset: u64, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    read_into(file, offset, &mut bytes).is_ok().then_some(bytes)
}

fn read_into(file: &dyn ReadFile, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
