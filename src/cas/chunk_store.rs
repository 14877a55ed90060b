//! Reading objects: find, open the block, verify.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use crate::compress::{Decompressor, decode_delta};
use crate::id::{ChunkId, ObjectKind, PackId};
use crate::limits::OBJECT_LEN_MAX;

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
    /// A delta lies there, not the object itself.
    pub is_delta: bool,
}

/// An object that is stored as a delta, before its base is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The frame.
    pub frame: Vec<u8>,
    /// The object that the frame is a delta against: of the same kind, and stored in full.
    pub base: ChunkId,
    /// Length of the object itself.
    pub len: usize,
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

/// Bytes of an object.
#[derive(Debug, Clone)]
pub struct ObjectBytes(Held);

#[derive(Debug, Clone)]
enum Held {
    /// Kept alive with the block that they lie in.
    InBlock(Arc<OpenBlock>, Range<usize>),
    /// Made from a delta.
    Alone(Arc<Vec<u8>>),
}

impl std::ops::Deref for ObjectBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Held::InBlock(block, range) => &block.plain[range.clone()],
            Held::Alone(bytes) => bytes,
        }
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

    /// The delta in `slot`.
    ///
    /// # Errors
    /// When none lies there.
    pub fn delta(&self, slot: u16, kind: ObjectKind, id: &ChunkId) -> Result<Delta, CasError> {
        let wrong = || CasError::WrongObject { kind, id: *id, pack: self.map.uid() };
        let delta = self.map.delta(self.number, slot).ok_or_else(wrong)?;
        let place = self.map.place(self.number, slot).ok_or_else(wrong)?;
        let frame = self.plain.get(place.start..place.start + place.entry.len as usize).ok_or_else(wrong)?;
        if place.entry.kind != kind {
            return Err(wrong());
        }
        Ok(Delta { frame: frame.to_vec(), base: delta.base, len: delta.len as usize })
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
        let is_delta = self.map.delta(self.number, slot).is_some();
        if is_delta || place.entry.kind != kind || vault.keyring().object_id(kind, bytes) != *id {
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
        if location.is_delta {
            let delta = block.delta(location.slot, kind, id)?;
            let base = self.get_at(kind, &delta.base, self.locate_base(kind, id, &delta.base)?)?;
            return Ok(ObjectBytes(Held::Alone(Arc::new(self.decode(kind, id, &delta, &base)?))));
        }
        self.get_at(kind, id, location)
    }

    fn get_at(&self, kind: ObjectKind, id: &ChunkId, location: Location) -> Result<ObjectBytes, CasError> {
        let block = self.cached_block(location.pack, location.block)?;
        let range = block.verified(&self.vault, location.slot, kind, id)?;
        Ok(ObjectBytes(Held::InBlock(block, range)))
    }

    /// Where the base of object `id` lies in full. A base that is only there as a delta itself does not count, so that no
    /// chain of bases can come back to where it began.
    ///
    /// # Errors
    /// [`CasError::MissingBase`] when no live pack holds it in full.
    pub fn locate_base(&self, kind: ObjectKind, id: &ChunkId, base: &ChunkId) -> Result<Location, CasError> {
        let missing = CasError::MissingBase { kind, id: *id, base: *base };
        self.index.find_full(kind, base)?.ok_or(missing)
    }

    /// The object that `delta` makes of its base, verified against its id.
    ///
    /// # Errors
    /// When the delta is damaged, or makes something else.
    pub fn decode(
        &self,
        kind: ObjectKind,
        id: &ChunkId,
        delta: &Delta,
        base: &[u8],
    ) -> Result<Vec<u8>, CasError> {
        let wrong = |source| CasError::WrongDelta { kind, id: *id, base: delta.base, source };
        if delta.len > OBJECT_LEN_MAX {
            return Err(CasError::TooLarge { kind, len: delta.len, max: OBJECT_LEN_MAX });
        }
        let bytes = decode_delta(base, &delta.frame, delta.len).map_err(|source| wrong(Some(source)))?;
        if self.vault.keyring().object_id(kind, &bytes) != *id {
            return Err(wrong(None));
        }
        Ok(bytes)
    }

    /// The object to encode others against where `id` would be the choice: itself if it is stored in full, else the base that
    /// it is stored against. `None`: neither is there.
    ///
    /// # Errors
    /// When the index or a pack's directory cannot be read.
    pub fn base_for(&self, kind: ObjectKind, id: &ChunkId) -> Result<Option<(ChunkId, Location)>, CasError> {
        if let Some(location) = self.index.find_full(kind, id)? {
            return Ok(Some((*id, location)));
        }
        let Some(location) = self.index.find(kind, id)? else { return Ok(None) };
        let map = self.map(location.pack)?;
        let Some(delta) = map.delta(location.block, location.slot) else { return Ok(None) };
        Ok(self.index.find_full(kind, &delta.base)?.map(|location| (delta.base, location)))
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
