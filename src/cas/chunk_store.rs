//! Reading objects: find, open the block, verify.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use crate::compress::Decompressor;
use crate::id::{ChunkId, ObjectKind, PackId};

use super::pack_reader::PackMap;
use super::vault::Vault;
use super::{CasError, Index};

/// Plaintext blocks kept in memory: about 24 MiB.
const BLOCKS_CACHED: NonZeroUsize = NonZeroUsize::new(24).expect("not zero");
/// Pack directories kept in memory: at most a few MiB in practice.
const MAPS_CACHED: NonZeroUsize = NonZeroUsize::new(32).expect("not zero");

/// Where an object lies. Sorting by it sorts by pack, then by place in the pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The pack.
    pub pack: PackId,
    /// Number of the block in the pack.
    pub block: u16,
    /// Number of the object in the block.
    pub slot: u16,
}

/// Reads verified objects by id, with small caches.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/example.rs"));
/// use std::ops::ControlFlow;
/// use warp::format::dirtree::EntryKind;
/// use warp::format::node::ContentRoot;
/// use warp::id::ObjectKind;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (repo, _state) = repository();
/// let commit = commit_notes(&repo, "buy milk");
/// let mut found = None;
/// warp::ops::ls(&repo, commit, b"notes.txt", false, &mut |listed| {
///     // A small file is one chunk.
///     if let EntryKind::File { content: ContentRoot::Tree { level: 0, id, .. }, .. } = listed.entry.kind {
///         found = Some(id);
///     }
///     ControlFlow::Continue(())
/// })?;
/// let id = found.expect("the file was committed");
/// let bytes = repo.chunks().get(ObjectKind::Chunk, &id)?;
/// assert_eq!(&bytes[..], b"buy milk");
/// assert_eq!(repo.chunks().vault().keyring().object_id(ObjectKind::Chunk, &bytes), id);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ChunkStore {
    vault: Arc<Vault>,
    index: Arc<Index>,
    maps: Mutex<LruCache<PackId, Arc<PackMap>>>,
    blocks: Mutex<LruCache<(PackId, u16), Arc<OpenBlock>>>,
}

/// The plaintext of one block.
#[derive(Debug)]
pub struct OpenBlock {
    map: Arc<PackMap>,
    number: u16,
    plain: Vec<u8>,
}

/// Bytes of an object, kept alive with the block that they lie in.
#[derive(Debug, Clone)]
pub struct ObjectBytes {
    block: Arc<OpenBlock>,
    range: Range<usize>,
}

impl std::ops::Deref for ObjectBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.block.plain[self.range.clone()]
    }
}

impl OpenBlock {
    /// The bytes of the object in `slot`, verified against its id.
    ///
    /// # Errors
    /// When another object lies there.
    pub fn object(
        &self,
        vault: &Vault,
        slot: u16,
        kind: ObjectKind,
        id: &ChunkId,
    ) -> Result<&[u8], CasError> {
        Ok(&self.plain[self.verified(vault, slot, kind, id)?])
    }

    /// Length of the plaintext.
    pub fn len(&self) -> usize {
        self.plain.len()
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }

    fn verified(
        &self,
        vault: &Vault,
        slot: u16,
        kind: ObjectKind,
        id: &ChunkId,
    ) -> Result<Range<usize>, CasError> {
        let wrong = || CasError::WrongObject { kind, id: *id, pack: self.map.uid() };
        let place = self.map.place(self.number, slot).ok_or_else(wrong)?;
        let range = place.start..place.start + place.entry.len as usize;
        let bytes = self.plain.get(range.clone()).ok_or_else(wrong)?;
        if place.entry.kind != kind || vault.keyring().object_id(kind, bytes) != *id {
            return Err(wrong());
        }
        Ok(range)
    }
}

impl ChunkStore {
    /// Reads through `index` from the vault's store.
    pub fn new(vault: Arc<Vault>, index: Arc<Index>) -> Self {
        Self {
            vault,
            index,
            maps: Mutex::new(LruCache::new(MAPS_CACHED)),
            blocks: Mutex::new(LruCache::new(BLOCKS_CACHED)),
        }
    }

    /// The keys and the store.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// The index.
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// Reads one object; its bytes are those that its id was computed from.
    ///
    /// # Errors
    /// [`CasError::Missing`] when no live pack holds it; others when it cannot be read or is damaged.
    pub fn get(&self, kind: ObjectKind, id: &ChunkId) -> Result<ObjectBytes, CasError> {
        let location = self.locate(kind, id)?;
        let block = self.cached_block(location.pack, location.block)?;
        let range = block.verified(&self.vault, location.slot, kind, id)?;
        Ok(ObjectBytes { block, range })
    }

    /// Where an object lies.
    ///
    /// # Errors
    /// [`CasError::Missing`] when no live pack holds it.
    pub fn locate(&self, kind: ObjectKind, id: &ChunkId) -> Result<Location, CasError> {
        self.index.find(kind, id)?.ok_or(CasError::Missing { kind, id: *id })
    }

    /// Opens a block without keeping it: for readers that go through packs in order and open each block once.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn open_block(
        &self,
        pack: PackId,
        number: u16,
        decompressor: &mut Decompressor,
    ) -> Result<OpenBlock, CasError> {
        let map = self.map(pack)?;
        let plain = map.read_block(&self.vault, number, decompressor)?;
        Ok(OpenBlock { map, number, plain })
    }

    /// The directory of a pack.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn map(&self, pack: PackId) -> Result<Arc<PackMap>, CasError> {
        if let Some(map) = self.maps.lock().expect("no panic while locked").get(&pack) {
            return Ok(Arc::clone(map));
        }
        let map = Arc::new(PackMap::load(&self.vault, &pack)?);
        self.maps.lock().expect("no panic while locked").put(pack, Arc::clone(&map));
        Ok(map)
    }

    fn cached_block(&self, pack: PackId, number: u16) -> Result<Arc<OpenBlock>, CasError> {
        let key = (pack, number);
        if let Some(block) = self.blocks.lock().expect("no panic while locked").get(&key) {
            return Ok(Arc::clone(block));
        }
        let mut decompressor = Decompressor::new().map_err(|source| CasError::Compress { source })?;
        let block = Arc::new(self.open_block(pack, number, &mut decompressor)?);
        self.blocks.lock().expect("no panic while locked").put(key, Arc::clone(&block));
        Ok(block)
    }
}
