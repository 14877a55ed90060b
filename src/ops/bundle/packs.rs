//! The packs of a bundle, for who brings them into a repository: healed, and every block of them opened.

use std::sync::Arc;

use crate::cas::{CasError, ChunkStore, Index, PackFeatures, PackMap, Vault};
use crate::chunk::sketch::Sketcher;
use crate::compress::Decompressor;
use crate::crypto::NonceSource;
use crate::format::log::PackRecord;
use crate::id::ObjectKind;
use crate::repo::{RepoError, Repository};
use crate::store::StorageBackend;

use super::super::OpsError;
use super::super::bring::{Fetched, PackSource};
use super::source::BundleSource;

/// The packs of one bundle.
pub(super) struct BundlePacks<'a> {
    source: &'a Arc<BundleSource>,
    /// Reads the packs of the bundle, whose place in it nothing but their names tells.
    chunks: ChunkStore,
    sketcher: Sketcher,
}

impl<'a> BundlePacks<'a> {
    /// With the keys of a repository of the same family.
    pub(super) fn new(repo: &Repository, source: &'a Arc<BundleSource>) -> Result<Self, OpsError> {
        let own = repo.chunks().vault();
        let failed = |source| RepoError::Crypto { what: "cannot draw random numbers".to_owned(), source };
        let nonces = NonceSource::new().map_err(failed)?;
        let store = Arc::clone(source) as Arc<dyn StorageBackend>;
        let vault = Arc::new(Vault::new(store, own.keyring().clone(), own.cipher(), own.family(), nonces));
        let index = Arc::new(Index::new(Arc::clone(&vault)));
        let sketcher = Sketcher::new(own.keyring().chunking_key());
        Ok(Self { source, chunks: ChunkStore::new(vault, index), sketcher })
    }

    /// Opens every block of a pack, verifies what is stored in full, and sketches chunks.
    fn examine(&self, record: &PackRecord) -> Result<(Arc<PackMap>, PackFeatures), CasError> {
        let (map, mut features) = (self.chunks.map(record.uid)?, PackFeatures::new());
        let mut decompressor = Decompressor::new().map_err(|source| CasError::Compress { source })?;
        for block in 0..map.blocks() {
            let block = u16::try_from(block).expect("the directory's limit");
            let open = self.chunks.open_block(record.uid, block, &mut decompressor)?;
            for (slot, entry) in (0..).zip(map.objects(block)) {
                if map.delta(block, slot).is_some() {
                    open.delta(slot, entry.kind, entry.locator)?;
                    continue;
                }
                let bytes = open.base(self.chunks.vault(), slot, entry.kind, entry.locator)?;
                if entry.kind == ObjectKind::Chunk {
                    let sketch = self.sketcher.sketch(bytes);
                    features.extend(sketch.map(|sketch| ((block, slot), sketch.to_vec())));
                }
            }
        }
        Ok((map, features))
    }
}

impl PackSource for BundlePacks<'_> {
    /// One: whoever reads a pack next gets the bytes that it was healed to.
    fn in_flight(&self) -> usize {
        1
    }

    fn fetch(&self, record: &PackRecord) -> Result<Fetched, OpsError> {
        let mut packs = self.source.file().packs();
        let pack = packs.find(|(pack, _)| pack == record).expect("a pack of the bundle");
        let healed = self.source.file().heal(pack).map_err(|source| {
            let action = "take the bundle: more of it is damaged than its parity can heal";
            OpsError::Cas { action, source: CasError::Lost { source } }
        })?;
        let was_healed = !healed.health.is_whole();
        Ok(Fetched { bytes: self.source.keep(record, healed), was_healed })
    }

    fn look(&self, record: &PackRecord, _: Option<&[u8]>) -> Result<(Arc<PackMap>, PackFeatures), CasError> {
        self.examine(record)
    }

    fn chunks(&self) -> &ChunkStore {
        &self.chunks
    }
}
