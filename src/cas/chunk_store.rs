//! Reading objects: find, open the block, verify.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use crate::compress::{Decompressor, decode_delta};
use crate::format::pack::{Bases, DeltaEntry};
use crate::id::{ChunkId, Locator, ObjectKind, PackId};
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
    /// How many deltas one above the other make the object; 0: it lies there itself.
    pub depth: u8,
}

/// An object that is stored as a delta, before its bases are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The frame.
    pub frame: Vec<u8>,
    /// The objects that the frame is a delta against: of the same kind.
    pub bases: Bases,
    /// What is stored as deep or deeper is no base of it.
    pub depth: u8,
    /// Length of the object itself.
    pub len: usize,
}

/// A copy of an object that can be the base of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Base {
    /// First half of the object's id.
    pub locator: Locator,
    /// Where the copy lies.
    pub location: Location,
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
    pub(super) fn new(map: Arc<PackMap>, number: u16, plain: Vec<u8>) -> Self {
        Self { map, number, plain }
    }

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
        Ok(&self.plain[self.verified(vault, slot, kind, id.locator(), Some(id))?])
    }

    /// The bytes of the object in `slot`, of whose id the first half is known, and verified.
    ///
    /// # Errors
    /// When another object lies there.
    pub fn base(&self, vault: &Vault, slot: u16, kind: ObjectKind, base: Locator) -> Result<&[u8], CasError> {
        Ok(&self.plain[self.verified(vault, slot, kind, base, None)?])
    }

    /// The delta in `slot`; `None`: no delta lies there.
    ///
    /// # Errors
    /// When the block is not what its directory says.
    pub fn delta(&self, slot: u16, kind: ObjectKind, id: Locator) -> Result<Option<Delta>, CasError> {
        let Some(delta) = self.map.delta(self.number, slot) else { return Ok(None) };
        let wrong = || CasError::WrongObject { kind, id, pack: self.map.uid() };
        let place = self.map.place(self.number, slot).ok_or_else(wrong)?;
        let frame = self.plain.get(place.start..place.start + place.entry.len as usize).ok_or_else(wrong)?;
        if place.entry.kind != kind {
            return Err(wrong());
        }
        let DeltaEntry { bases, depth, len, .. } = *delta;
        Ok(Some(Delta { frame: frame.to_vec(), bases, depth, len: len as usize }))
    }

    fn is_at(&self, location: &Location) -> bool {
        (self.map.uid(), self.number) == (location.pack, location.block)
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
        locator: Locator,
        id: Option<&ChunkId>,
    ) -> Result<Range<usize>, CasError> {
        let wrong = || CasError::WrongObject { kind, id: locator, pack: self.map.uid() };
        let place = self.map.place(self.number, slot).ok_or_else(wrong)?;
        let range = place.start..place.start + place.entry.len as usize;
        let bytes = self.plain.get(range.clone()).ok_or_else(wrong)?;
        let is_delta = self.map.delta(self.number, slot).is_some();
        if is_delta || place.entry.kind != kind {
            return Err(wrong());
        }
        let found = vault.keyring().object_id(kind, bytes);
        let is_right = found.locator() == locator && id.is_none_or(|id| *id == found);
        if is_right { Ok(range) } else { Err(wrong()) }
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
        self.index.with_present_files(|| {
            let base = Base { locator: id.locator(), location: self.locate(kind, id)? };
            self.read(kind, base, Some(id), u8::MAX)
        })
    }

    /// Reads an object of whose id the first half is known.
    ///
    /// # Errors
    /// When it cannot be read or is damaged.
    pub fn get_base(&self, kind: ObjectKind, base: Base) -> Result<ObjectBytes, CasError> {
        self.read(kind, base, None, u8::MAX)
    }

    /// Reads an object that must be less deep than `below`: depths fall on the way down, so that no chain of bases comes
    /// back to where it began, whatever packs and index say.
    fn read(
        &self,
        kind: ObjectKind,
        base: Base,
        id: Option<&ChunkId>,
        below: u8,
    ) -> Result<ObjectBytes, CasError> {
        let Base { locator, location } = base;
        let block = self.cached_block(location.pack, location.block)?;
        let Some(delta) = block.delta(location.slot, kind, locator)? else {
            let range = block.verified(&self.vault, location.slot, kind, locator, id)?;
            return Ok(ObjectBytes(Held::InBlock(block, range)));
        };
        if delta.depth >= below {
            return Err(CasError::WrongObject { kind, id: locator, pack: location.pack });
        }
        drop(block);
        let prefix = self.read_prefix(kind, locator, &delta, None)?;
        Ok(ObjectBytes(Held::Alone(Arc::new(self.decode(kind, locator, id, &delta, &prefix)?))))
    }

    /// What a delta that makes object `id` has as prefix: its bases, one behind the other. Those in `open`, a block that the
    /// caller has opened, are taken from there.
    ///
    /// # Errors
    /// [`CasError::MissingBase`] and [`CasError::UnreadableBase`].
    pub fn prefix(
        &self,
        kind: ObjectKind,
        id: Locator,
        delta: &Delta,
        open: &OpenBlock,
    ) -> Result<ObjectBytes, CasError> {
        self.index.with_present_files(|| self.read_prefix(kind, id, delta, Some(open)))
    }

    fn read_prefix(
        &self,
        kind: ObjectKind,
        id: Locator,
        delta: &Delta,
        open: Option<&OpenBlock>,
    ) -> Result<ObjectBytes, CasError> {
        let located = self.locate_bases(kind, id, delta)?;
        let read = |base: &Base| {
            let unreadable = |source| {
                let source = Box::new(source);
                CasError::UnreadableBase { kind, id, base: base.locator, source }
            };
            self.read(kind, *base, None, delta.depth).map_err(unreadable)
        };
        if let [base] = &located[..] {
            return read(base);
        }
        let mut prefix = Vec::new();
        for base in &located {
            match open.filter(|open| base.location.depth == 0 && open.is_at(&base.location)) {
                Some(open) => {
                    prefix.extend_from_slice(open.base(
                        &self.vault,
                        base.location.slot,
                        kind,
                        base.locator,
                    )?);
                }
                None => prefix.extend_from_slice(&read(base)?),
            }
        }
        Ok(ObjectBytes(Held::Alone(Arc::new(prefix))))
    }

    /// Where the bases of object `id` lie, less deep than the delta.
    ///
    /// # Errors
    /// [`CasError::MissingBase`] when no live pack holds one of them so.
    pub fn locate_bases(&self, kind: ObjectKind, id: Locator, delta: &Delta) -> Result<Vec<Base>, CasError> {
        let locate = |&base: &Locator| {
            let location = self.index.find_below(kind, base, delta.depth)?;
            let location = location.ok_or(CasError::MissingBase { kind, id, base })?;
            Ok(Base { locator: base, location })
        };
        delta.bases.iter().map(locate).collect()
    }

    /// The object that `delta` makes of `prefix`, verified against what is known of its id.
    ///
    /// # Errors
    /// When the delta is damaged, or makes something else.
    pub fn decode(
        &self,
        kind: ObjectKind,
        locator: Locator,
        id: Option<&ChunkId>,
        delta: &Delta,
        prefix: &[u8],
    ) -> Result<Vec<u8>, CasError> {
        let wrong = |source| CasError::WrongDelta { kind, id: locator, base: delta.bases[0], source };
        if delta.len > OBJECT_LEN_MAX {
            return Err(CasError::TooLarge { kind, len: delta.len, max: OBJECT_LEN_MAX });
        }
        let bytes = decode_delta(prefix, &delta.frame, delta.len).map_err(|source| wrong(Some(source)))?;
        let found = self.vault.keyring().object_id(kind, &bytes);
        let is_right = found.locator() == locator && id.is_none_or(|id| *id == found);
        if is_right { Ok(bytes) } else { Err(wrong(None)) }
    }

    /// What to encode others against where an object would be the choice: itself, if it is less deep than `depth`, else the bases
    /// that it is stored against. None: neither is there.
    ///
    /// # Errors
    /// When the index or a pack's directory cannot be read.
    pub fn bases_for(&self, kind: ObjectKind, locator: Locator, depth: u8) -> Result<Vec<Base>, CasError> {
        if let Some(location) = self.index.find_usable(kind, locator, depth)? {
            return Ok(vec![Base { locator, location }]);
        }
        let Some(location) = self.index.find_usable(kind, locator, u8::MAX)? else { return Ok(Vec::new()) };
        let map = self.map(location.pack)?;
        let Some(delta) = map.delta(location.block, location.slot) else { return Ok(Vec::new()) };
        let mut bases = Vec::with_capacity(delta.bases.len());
        for &locator in delta.bases.iter() {
            match self.index.find_usable(kind, locator, depth)? {
                Some(location) => bases.push(Base { locator, location }),
                None => return Ok(Vec::new()),
            }
        }
        Ok(bases)
    }

    /// Where an object lies.
    ///
    /// # Errors
    /// [`CasError::Missing`] when no live pack holds it.
    pub fn locate(&self, kind: ObjectKind, id: &ChunkId) -> Result<Location, CasError> {
        self.index.find(kind, id)?.ok_or(CasError::Missing { kind, id: id.locator() })
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
        let block = match self.index.fresh().open_block(&pack, number)? {
            Some(block) => block,
            None => {
                let mut decompressor = Decompressor::new().map_err(|source| CasError::Compress { source })?;
                self.open_block(pack, number, &mut decompressor)?
            }
        };
        let block = Arc::new(block);
        self.blocks.lock().expect("no panic while locked").put(key, Arc::clone(&block));
        Ok(block)
    }
}
