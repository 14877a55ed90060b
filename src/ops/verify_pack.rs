//! `verify`: a single pack file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::cas::{PackReport, examine_pack};
use crate::crypto;
use crate::format::pack::PackHeader;
use crate::merkle::draw_sample;
use crate::repo::RepoError;
use crate::worktree::WorktreeError;

use super::OpsError;

/// How thoroughly to look at a pack file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyRequest {
    /// Look only at so many of its shards, drawn at random; at all where there are no more, or where the pack has no parity
    /// and thus no marks of single shards.
    pub sample: Option<u64>,
    /// Draws the same shards whenever the same seed is given; without one, random ones.
    pub seed: Option<[u8; 32]>,
}

/// Looks at a single pack file, which takes no repository and no keys. Nothing is changed.
///
/// It proves that the file is as it was written. It does not prove that it is the pack that a repository's log names: a
/// copy of another pack, or of one that was made to deceive, is as whole. [`check`](super::check()) does.
///
/// # Errors
/// When the file cannot be opened, cannot be a pack, or neither of its headers is whole. Other damage stands in the report.
pub fn verify_pack(path: &Path, request: VerifyRequest) -> Result<PackReport, OpsError> {
    let (file, len) = open(path)?;
    let file = Mutex::new(file);
    let read = |offset, len| read_at(&mut file.lock().unwrap_or_else(PoisonError::into_inner), offset, len);
    let seed = match request.seed {
        Some(seed) => seed,
        None => crypto::random()
            .map_err(|source| RepoError::Crypto { what: "cannot draw random shards".to_owned(), source })?,
    };
    let choose = |shards| request.sample.filter(|n| *n < shards).map(|n| draw_sample(shards, n, &seed));
    examine_pack(&read, len, choose).map_err(|source| {
        let what = format!("{}: its header at either end", path.display());
        OpsError::Tree { what, source }
    })
}

/// Opens a file that can be a pack, and tells its length in bytes.
fn open(path: &Path) -> Result<(File, u64), OpsError> {
    let failed =
        |action| move |source| OpsError::from(WorktreeError::Io { action, path: path.to_owned(), source });
    // Opening a pipe would wait for whoever writes to it.
    let about = std::fs::metadata(path).map_err(failed("look at"))?;
    let refused = |why: String| OpsError::Refused { why: format!("{} {why}", path.display()) };
    if !about.is_file() {
        return Err(refused("is not a file".to_owned()));
    }
    let (len, max) = (about.len(), PackHeader::TOTAL_LEN_MAX);
    if len > max {
        return Err(refused(format!("is no pack: it has {len} bytes, and a pack at most {max}")));
    }
    Ok((File::open(path).map_err(failed("open"))?, len))
}

fn read_at(file: &mut File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
