//! What a writer has stored and not yet published: chunks of packs under construction, which can be bases of others already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::chunk::sketch::Sketch;
use crate::id::PackId;

use super::pack_writer::OpenPack;
use super::{Alike, Base, CasError, OpenBlock};

/// Chunks that are remembered, some 12 GB of them: 40 MiB of memory. When there are more, all are forgotten.
const CHUNKS_MAX: usize = 1 << 18;

/// Features in common from which on a chunk is taken for alike: solid blocks find what is near, and bases that are far off
/// cost a block to open each.
const COMMON_MIN: usize = 3;

/// Packs and chunks of one writer.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// All packs of the writer; those that are complete, or on their way to the store, without their bytes.
    packs: HashMap<PackId, Option<Arc<OpenPack>>>,
    chunks: Vec<Base>,
    /// The last chunk with a feature, by its number.
    features: HashMap<u32, u32>,
}

impl Fresh {
    /// Takes note of a pack that is begun.
    pub(super) fn begin(&self, pack: &Arc<OpenPack>) {
        self.lock().packs.insert(pack.uid(), Some(Arc::clone(pack)));
    }

    /// A pack is complete: it is read from the store from here on.
    pub(super) fn complete(&self, pack: PackId) {
        self.lock().packs.insert(pack, None);
    }

    /// Takes note of a chunk.
    pub(super) fn add(&self, base: Base, sketch: &Sketch) {
        let mut inner = self.lock();
        if inner.chunks.len() >= CHUNKS_MAX {
            inner.chunks.clear();
            inner.features.clear();
        }
        let number = u32::try_from(inner.chunks.len()).expect("at most CHUNKS_MAX");
        inner.chunks.push(base);
        inner.features.extend(sketch.map(|feature| (feature, number)));
    }

    /// Whether the writer made the pack.
    pub(super) fn is_own(&self, pack: &PackId) -> bool {
        self.lock().packs.contains_key(pack)
    }

    /// A block of a pack that is not complete; `None`: there is no such pack or block.
    pub(super) fn open_block(&self, pack: &PackId, number: u16) -> Result<Option<OpenBlock>, CasError> {
        let open = self.lock().packs.get(pack).and_then(Option::clone);
        open.map_or(Ok(None), |open| open.open_block(number))
    }

    /// Chunks that have features in common with a new one.
    pub(super) fn alike(&self, sketch: &Sketch) -> Vec<Alike> {
        let inner = self.lock();
        let mut numbers: Vec<u32> =
            sketch.iter().filter_map(|feature| inner.features.get(feature)).copied().collect();
        numbers.sort_unstable();
        let alike = |same: &[u32]| Alike { common: same.len(), base: inner.chunks[same[0] as usize] };
        numbers.chunk_by(|a, b| a == b).filter(|same| same.len() >= COMMON_MIN).map(alike).collect()
    }

    /// Forgets everything: the writer is done.
    pub(super) fn clear(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic while locked")
    }
}
