//! The sealer: takes objects in, decides once for each whether it is new, and groups blocks into packs.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::format::pack::{PackContent, Parity};
use crate::id::{ChunkId, Locator, ObjectKind, PackId};
use crate::limits::{MIB, OBJECT_LEN_MAX};

use super::block::Block;
use super::pack_writer::{Closed, FinishedPack, OpenPack};
use super::vault::Vault;
use super::{CasError, Index};

/// A commit that stores less than this writes one mixed pack and no index segment.
const SMALL_COMMIT: usize = MIB;

/// Parts of the set of new objects, so that workers seldom wait for each other.
const SHARDS: usize = 16;

/// The deduplication decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nobody has it: the caller must store it.
    New,
    /// The repository, or another worker of this operation, has it.
    Known,
}

/// What a sealer counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SealerCounts {
    /// Objects that were new.
    pub new_objects: u64,
    /// Their plaintext bytes.
    pub new_bytes: u64,
    /// Bytes of finished packs.
    pub pack_bytes: u64,
}

/// Where finished packs go.
type Emit<'a> = Box<dyn Fn(FinishedPack) -> Result<(), CasError> + Send + Sync + 'a>;

/// Stores objects that are not known yet.
pub struct Sealer<'a> {
    vault: Arc<Vault>,
    index: &'a Index,
    emit: Emit<'a>,
    seen: [Mutex<HashSet<(ObjectKind, Locator)>>; SHARDS],
    uses: Mutex<HashSet<PackId>>,
    packs: Mutex<Packs>,
    /// Chunks of packs under construction may be bases of others.
    offers: bool,
    parity: Parity,
    new_objects: AtomicU64,
    new_bytes: AtomicU64,
    pack_bytes: AtomicU64,
}

#[derive(Default)]
struct Packs {
    /// Blocks that wait until it is known whether the commit is small.
    pending: Vec<(Block, bool)>,
    pending_len: usize,
    large: bool,
    data: Option<Arc<OpenPack>>,
    metadata: Option<Arc<OpenPack>>,
}

impl fmt::Debug for Sealer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl<'a> Sealer<'a> {
    /// A sealer that deduplicates against `index` and hands finished packs to `emit`, which may block.
    pub fn new(
        vault: Arc<Vault>,
        index: &'a Index,
        emit: impl Fn(FinishedPack) -> Result<(), CasError> + Send + Sync + 'a,
    ) -> Self {
        Self {
            vault,
            index,
            emit: Box::new(emit),
            seen: Default::default(),
            uses: Mutex::default(),
            packs: Mutex::default(),
            offers: true,
            parity: Parity::default(),
            new_objects: AtomicU64::new(0),
            new_bytes: AtomicU64::new(0),
            pack_bytes: AtomicU64::new(0),
        }
    }

    /// The same sealer for who writes anew what is stored: it puts data and metadata into packs of their own however little
    /// there is, and nothing in them serves as a base before it is published.
    pub fn for_rewriting(mut self) -> Self {
        self.packs.lock().expect("no panic while locked").large = true;
        self.offers = false;
        self
    }

    /// The keys and the store.
    pub fn vault(&self) -> &Arc<Vault> {
        &self.vault
    }

    /// The same sealer for packs with so much parity.
    pub fn with_parity(mut self, parity: Parity) -> Self {
        self.parity = parity;
        self
    }

    /// The id of an object.
    pub fn id(&self, kind: ObjectKind, bytes: &[u8]) -> ChunkId {
        self.vault.keyring().object_id(kind, bytes)
    }

    /// Decides whether the caller must store the object. Of all callers that ask for one object, one is told
    /// [`Claim::New`].
    ///
    /// # Errors
    /// When the index cannot be read, or the object is over [`OBJECT_LEN_MAX`].
    pub fn claim(&self, kind: ObjectKind, id: &ChunkId, len: usize) -> Result<Claim, CasError> {
        if len > OBJECT_LEN_MAX {
            return Err(CasError::TooLarge { kind, len, max: OBJECT_LEN_MAX });
        }
        let key = (kind, id.locator());
        let shard = &self.seen[usize::from(id.as_bytes()[0]) % SHARDS];
        if shard.lock().expect("no panic while locked").contains(&key) {
            return Ok(Claim::Known);
        }
        if let Some(location) = self.index.find_usable(kind, id.locator(), u8::MAX)? {
            self.uses.lock().expect("no panic while locked").insert(location.pack);
            return Ok(Claim::Known);
        }
        if !shard.lock().expect("no panic while locked").insert(key) {
            return Ok(Claim::Known);
        }
        self.new_objects.fetch_add(1, Ordering::Relaxed);
        self.new_bytes.fetch_add(len as u64, Ordering::Relaxed);
        Ok(Claim::New)
    }

    /// Remembers that a new object is a delta against one in `pack`: this operation needs it from here on.
    pub fn use_base(&self, pack: PackId) {
        self.uses.lock().expect("no panic while locked").insert(pack);
    }

    /// Stores a block; `metadata`: it holds no bytes of files.
    ///
    /// # Errors
    /// When a pack that this completes cannot be handed on.
    pub fn add(&self, block: Block, metadata: bool) -> Result<(), CasError> {
        let ready = {
            let mut packs = self.packs.lock().expect("no panic while locked");
            packs.pending_len += block.bytes.len();
            packs.pending.push((block, metadata));
            packs.large |= packs.pending_len > SMALL_COMMIT;
            if packs.large { std::mem::take(&mut packs.pending) } else { Vec::new() }
        };
        ready.into_iter().try_for_each(|(block, metadata)| {
            let content = if metadata { PackContent::Metadata } else { PackContent::Data };
            self.place(block, content)
        })
    }

    /// Completes all packs. Call it once, when nothing more will be added.
    ///
    /// # Errors
    /// When a pack cannot be handed on.
    pub fn finish(&self) -> Result<(), CasError> {
        let (pending, large) = {
            let mut packs = self.packs.lock().expect("no panic while locked");
            (std::mem::take(&mut packs.pending), packs.large)
        };
        debug_assert!(!large || pending.is_empty());
        for (block, _) in pending {
            self.place(block, PackContent::Mixed)?;
        }
        let mut packs = self.packs.lock().expect("no panic while locked");
        let open = [packs.data.take(), packs.metadata.take()];
        open.into_iter().flatten().try_for_each(|pack| self.close(&pack, Closed::Last))
    }

    /// The packs of before that hold objects which were known, and bases of deltas.
    pub fn uses(&self) -> Vec<PackId> {
        let uses = self.uses.lock().expect("no panic while locked");
        let mut uses: Vec<_> = uses.iter().copied().filter(|pack| !self.index.fresh().is_own(pack)).collect();
        uses.sort_unstable();
        uses
    }

    /// What was counted so far.
    pub fn counts(&self) -> SealerCounts {
        SealerCounts {
            new_objects: self.new_objects.load(Ordering::Relaxed),
            new_bytes: self.new_bytes.load(Ordering::Relaxed),
            pack_bytes: self.pack_bytes.load(Ordering::Relaxed),
        }
    }

    fn place(&self, block: Block, content: PackContent) -> Result<(), CasError> {
        let (pack, number) = self.reserve(&block, content)?;
        let offered = block.sketched(pack.uid(), number).filter(|_| self.offers);
        let sketched: Vec<_> = offered.collect();
        let finished = pack.deliver(number, block)?;
        sketched.iter().for_each(|(base, sketch)| self.index.fresh().add(*base, sketch));
        match finished {
            Some(finished) => self.hand_on(finished),
            None => Ok(()),
        }
    }

    fn reserve(&self, block: &Block, content: PackContent) -> Result<(Arc<OpenPack>, usize), CasError> {
        let mut packs = self.packs.lock().expect("no panic while locked");
        let current = if content == PackContent::Metadata { &mut packs.metadata } else { &mut packs.data };
        loop {
            let pack = match current {
                Some(pack) => pack,
                None => {
                    let pack = Arc::new(OpenPack::new(Arc::clone(&self.vault), content, self.parity)?);
                    self.index.fresh().begin(&pack);
                    current.insert(pack)
                }
            };
            if let Some(number) = pack.reserve(block) {
                return Ok((Arc::clone(pack), number));
            }
            let full = current.take().expect("it was just there");
            self.close(&full, Closed::Full)?;
        }
    }

    fn close(&self, pack: &OpenPack, why: Closed) -> Result<(), CasError> {
        match pack.close(why)? {
            Some(finished) => self.hand_on(finished),
            None => Ok(()),
        }
    }

    fn hand_on(&self, pack: FinishedPack) -> Result<(), CasError> {
        self.pack_bytes.fetch_add(pack.len, Ordering::Relaxed);
        self.index.fresh().complete(pack.uid);
        (self.emit)(pack)
    }
}

impl Drop for Sealer<'_> {
    fn drop(&mut self) {
        self.index.fresh().clear();
    }
}
