//! Which packs are rewritten, and which objects must stay as they are.

use crate::cas::{ChunkStore, PackMap};
use crate::id::PackId;
use crate::limits::{MIB, PACK_LEN_FULL};
use crate::repo::{LogState, Repository};

use super::super::OpsError;
use super::super::races::pinned as pinned_at;
use super::super::rewrite::RoughSet;

/// Packs below this length are small.
const SMALL_PACK: u64 = 16 * MIB as u64;

/// What will be done, and what must be known for it, all of one state of the log.
pub(super) struct Plan {
    /// Packs to rewrite, the newest first: of chunks that are alike the newest stays in full, which makes reading it quick.
    pub(super) packs: Vec<PackId>,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Those of them of whose chunks the index has no sketches.
    pub(super) unsketched: Vec<PackId>,
    /// Bases of all deltas that there are.
    pub(super) pinned: RoughSet,
    /// Reads through an index of that state, whatever others do to the repository.
    pub(super) chunks: ChunkStore,
}

/// Bytes of blocks that merging would bring together.
#[derive(Default)]
struct Blocks {
    data: u64,
    metadata: u64,
}

impl Plan {
    pub(super) fn new(repo: &Repository, state: &LogState, aggressive: bool) -> Result<Self, OpsError> {
        let chunks = pinned_at(repo, state);
        let usable = || state.pack_order.iter().rev().filter(|pack| !state.condemned.contains_key(*pack));
        let is_chosen = |pack: &&PackId| aggressive || state.packs[*pack].len < SMALL_PACK;
        let mut packs: Vec<PackId> = usable().filter(is_chosen).copied().collect();
        let mut pinned = RoughSet::default();
        let mut blocks = Blocks::default();
        if !aggressive && packs.len() < 2 {
            packs.clear();
        }
        if !packs.is_empty() {
            for pack in usable() {
                let map = chunks.map(*pack).map_err(OpsError::cas("read the directory of a pack"))?;
                map.deltas()
                    .iter()
                    .flat_map(|delta| delta.bases.iter())
                    .for_each(|base| pinned.insert(*base));
                if state.packs[pack].len < SMALL_PACK {
                    blocks.add(&map);
                }
            }
        }
        if !aggressive && packs.len() as u64 <= blocks.packs() {
            packs.clear();
        }
        let bytes = packs.iter().map(|pack| state.packs[pack].len).sum();
        let unsketched = packs.iter().filter(|pack| state.packs[*pack].self_indexed).copied().collect();
        Ok(Self { packs, bytes, unsketched, pinned, chunks })
    }
}

impl Blocks {
    fn add(&mut self, map: &PackMap) {
        for number in 0..map.blocks() {
            let number = u16::try_from(number).expect("the directory's limit");
            let is_metadata = map.objects(number).first().is_some_and(|object| object.kind.is_metadata());
            *(if is_metadata { &mut self.metadata } else { &mut self.data }) += map.stored_len(number);
        }
    }

    /// How many packs they fill.
    fn packs(&self) -> u64 {
        let full = PACK_LEN_FULL as u64;
        self.data.div_ceil(full) + self.metadata.div_ceil(full)
    }
}
