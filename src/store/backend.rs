//! What every store promises, and the names of blobs.

use std::fmt;
use std::time::Duration;

use super::StoreError;
use crate::id::PackId;

/// Most bytes of one component of a blob's name.
const COMPONENT_LEN_MAX: usize = 120;

/// Folder in which stores keep unfinished blobs: no blob can be named into it.
pub(super) const TEMP_FOLDER: &str = "tmp";

/// The name of a blob: `folder/name` or `name`, such as `packs/<hex>.warp` or `log/0000000001`.
///
/// Components are made of `a-z 0-9 . _ -` and never begin with a dot, so a name is a safe relative path on every
/// file system (case twins and `..` cannot occur) and a safe key of every object store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName(String);

impl BlobName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`StoreError::BadName`] if a component is empty, too long, begins with a dot or has another character, if
    /// there are more than two, or if the folder is `tmp`.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        let refuse = |reason| Err(StoreError::BadName { name: name.to_owned(), reason });
        if name.split('/').count() > 2 {
            return refuse("it has more than two levels");
        }
        if name.split('/').next() == Some(TEMP_FOLDER) {
            return refuse("`tmp` is kept for unfinished blobs");
        }
        match name.split('/').find_map(component_fault) {
            Some(reason) => refuse(reason),
            None => Ok(Self(name.to_owned())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder, or `None` of a name at the top.
    pub fn folder(&self) -> Option<&str> {
        self.0.split_once('/').map(|(folder, _)| folder)
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why `component` cannot stand in a name.
fn component_fault(component: &str) -> Option<&'static str> {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    match component.as_bytes() {
        [] => Some("a component is empty"),
        [b'.', ..] => Some("a component begins with a dot"),
        bytes if bytes.len() > COMPONENT_LEN_MAX => Some("a component is too long"),
        bytes if !bytes.iter().copied().all(allowed) => Some("only a-z, 0-9, '.', '_' and '-' may occur"),
        _ => None,
    }
}

/// The folder of a listing's prefix, which must read `folder/`.
pub(super) fn listed_folder(prefix: &str) -> Result<&str, StoreError> {
    let reason = "a listing takes a folder, such as `log/`";
    let bad = || StoreError::BadName { name: prefix.to_owned(), reason };
    let folder = prefix.strip_suffix('/').ok_or_else(bad)?;
    if folder.contains('/') || folder == TEMP_FOLDER || component_fault(folder).is_some() {
        return Err(bad());
    }
    Ok(folder)
}

/// What became of [`StorageBackend::put_new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The name was free; the blob now stands there, durable.
    Created,
    /// The name was taken; nothing was written.
    Exists,
}

/// One row of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// The blob's name.
    pub name: BlobName,
    /// Its length in bytes.
    pub len: u64,
}

/// Shards of a pack as another end sent them. Nothing of it is proved yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardProof {
    /// Length in bytes of a shard; only the last of a payload may be shorter.
    pub shard_len: u32,
    /// How many shards the payload has.
    pub leaf_count: u64,
    /// Merkle path of each, from the leaf up.
    pub paths: Vec<Vec<[u8; 32]>>,
    /// Their bytes, one after the other.
    pub bytes: Vec<u8>,
}

/// What [`StorageBackend::get_many`] hands blobs to, with their names.
pub type TakeBlob<'t> = dyn FnMut(&BlobName, Result<Vec<u8>, StoreError>) -> Result<(), StoreError> + 't;

/// A blob that is being written and is not yet there. Dropping it discards it.
pub trait BlobWriter: Send + fmt::Debug {
    /// Appends bytes.
    ///
    /// # Errors
    /// If the store refuses: the blob is of no further use.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Stores what was written under the name, which must be free, as [`StorageBackend::put_new`] does.
    ///
    /// # Errors
    /// As [`StorageBackend::put_new`].
    fn publish(self: Box<Self>) -> Result<Put, StoreError>;
}

/// A place that keeps opaque named blobs.
///
/// Blobs are written once and whole; nothing ever changes one, but that a repair writes a damaged one as it was. All methods may be called from several threads
/// and, on a shared store, from several machines at once. `store::contract::run` (feature `testing`) is the suite that every
/// implementation passes.
///
/// ```
/// use warp::store::{BlobName, MemoryStore, Put, StorageBackend};
///
/// let store = MemoryStore::new();
/// let name = BlobName::new("packs/0f.warp")?;
/// assert_eq!(store.put_new(&name, &[b"header", b"blocks"])?, Put::Created);
/// assert_eq!(store.put_new(&name, &[b"something else"])?, Put::Exists);
/// assert_eq!(store.read_at(&name, 6, 6)?, b"blocks");
/// # Ok::<(), warp::store::StoreError>(())
/// ```
pub trait StorageBackend: Send + Sync + fmt::Debug {
    /// Where the store is, for messages.
    fn location(&self) -> String;

    /// Whether each request goes over a network: what never changes is then better kept near.
    fn is_far(&self) -> bool {
        false
    }

    /// Bytes that the store may grow by, as far as it keeps to a quota and has said so: for what would be refused half-way.
    fn room(&self) -> Option<u64> {
        None
    }

    /// Whether it takes blobs away for whoever uses it.
    fn may_delete(&self) -> bool {
        true
    }

    /// Stores `parts`, one after the other, as one blob under a name that must be free.
    ///
    /// On [`Put::Created`] the blob is durable. After a crash at any moment it is wholly there or not at all. Of
    /// several callers that race for one name exactly one is told `Created`. On [`Put::Exists`] nothing was
    /// written, and the blob that stands there is durable.
    ///
    /// # Errors
    /// Nothing stands under the name through this call, except after [`StoreError::Unsettled`]: then it may.
    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError>;

    /// Puts a blob in place of the one that stands under the name, durably and in one step: after a crash at any moment the old
    /// or the new one is there, whole. Only for repairs: the bytes are those that the blob was written with, and the name is
    /// taken all the time.
    ///
    /// # Errors
    /// The old blob stands, or either.
    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError>;

    /// A whole blob of at most `max` bytes.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::TooLarge`], before anything is allocated.
    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError>;

    /// Many small blobs, each as [`get`](Self::get) reads it: `take` is given one after the other, in the order of the names. A store
    /// that is far away fetches the next ones meanwhile. No more of them are in memory than are under way at once.
    ///
    /// # Errors
    /// The first error that `take` returns: then the rest is not read. What is wrong with a blob `take` is told, and decides.
    fn get_many(&self, names: &[BlobName], max: u64, take: &mut TakeBlob<'_>) -> Result<(), StoreError> {
        names.iter().try_for_each(|name| take(name, self.get(name, max)))
    }

    /// Exactly `len` bytes from byte `offset` on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Short`] if the blob ends earlier, before anything is allocated.
    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError>;

    /// The blob's length in bytes, or `None` if there is no such blob.
    ///
    /// # Errors
    /// If the store cannot tell.
    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError>;

    /// The blobs of one folder (`prefix` is like `log/`), sorted by name. A folder that is not there is empty; what is
    /// not a blob (another kind of file, a name that no blob can have) is left out.
    ///
    /// # Errors
    /// [`StoreError::BadName`] if `prefix` is not a folder; otherwise if the store cannot be read.
    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError>;

    /// Removes what writers that died have left unfinished and nobody has written to for so long; returns how many files that
    /// were. A store without such things has nothing to do.
    ///
    /// # Errors
    /// If the store refuses.
    fn clear_temporaries(&self, _unused_for: Duration) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// The names of the blobs of one folder, sorted. Cheaper than [`list`](Self::list) where there are many.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn names(&self, prefix: &str) -> Result<Vec<BlobName>, StoreError> {
        Ok(self.list(prefix)?.into_iter().map(|blob| blob.name).collect())
    }

    /// The names of one folder behind `after`, sorted.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    fn names_after(&self, prefix: &str, after: &BlobName) -> Result<Vec<BlobName>, StoreError> {
        Ok(self.names(prefix)?.into_iter().filter(|name| name > after).collect())
    }

    /// Shards of a pack's payload with their Merkle paths, from whoever holds the pack elsewhere: perhaps fewer than were asked for. `None`: the
    /// bytes lie here, and who wants to know reads them.
    ///
    /// # Errors
    /// If the store refuses, or has no such pack.
    fn prove(&self, _pack: &PackId, _first: u32, _count: u32) -> Result<Option<ShardProof>, StoreError> {
        Ok(None)
    }

    /// The BLAKE3 hash of a whole pack, keyed with a challenge, from whoever holds the pack elsewhere. `None`: as for [`prove`](Self::prove).
    ///
    /// # Errors
    /// As [`prove`](Self::prove).
    fn possession(&self, _pack: &PackId, _challenge: &[u8; 32]) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(None)
    }

    /// Tells the store the key with which its repository's keys prove what is stored in several parts. Most have no use for it.
    fn keyed(&self, _key: &[u8; 32]) {}

    /// Says that what was read of a blob is not what was stored; whether there is another copy of it, which the next read gives.
    fn doubt(&self, _name: &BlobName) -> bool {
        false
    }

    /// Makes sure that a blob which is there stays there: its writer may have been killed before it could see to that.
    ///
    /// # Errors
    /// If the store cannot tell.
    fn settle(&self, _name: &BlobName) -> Result<(), StoreError> {
        Ok(())
    }

    /// Begins a blob that is written piece by piece, so that nobody need hold all of it. `None`: the store cannot do that, and
    /// takes blobs only whole.
    ///
    /// # Errors
    /// If the store refuses.
    fn writer(&self, _name: &BlobName) -> Result<Option<Box<dyn BlobWriter>>, StoreError> {
        Ok(None)
    }

    /// Removes a blob, durably; `false` if it was not there.
    ///
    /// # Errors
    /// If the store refuses; the blob may then be there or not.
    fn delete(&self, name: &BlobName) -> Result<bool, StoreError>;
}

/// `len` bytes from byte `offset` on of a blob that is in memory: what [`StorageBackend::read_at`] gives. The blob's name and store are for the error.
pub(crate) fn part_of(
    blob: &[u8],
    (name, location): (&BlobName, &dyn Fn() -> String),
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, StoreError> {
    let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(len)?));
    let short = || StoreError::Short {
        name: name.to_string(),
        location: location(),
        len: blob.len() as u64,
        offset,
        wanted: len as u64,
    };
    range.and_then(|range| blob.get(range)).map(<[u8]>::to_vec).ok_or_else(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_or_two_safe_components() {
        for good in ["a", "packs/0f.warp", "config/0000000001.copy", "index/a-b_c"] {
            assert_eq!(BlobName::new(good).map(|name| name.to_string()).ok().as_deref(), Some(good));
        }
        let long = "a".repeat(COMPONENT_LEN_MAX + 1);
        let bad = [
            "", "/", "a/", "/a", "a/b/c", "..", "a/..", "../a", ".a", "A", "a b", "a\0", "ä", "a\\b",
            "tmp/a", "tmp",
        ];
        for bad in bad.into_iter().chain([long.as_str()]) {
            let error = BlobName::new(bad);
            assert!(matches!(error, Err(StoreError::BadName { .. })), "{bad:?}: {error:?}");
        }
    }
}
