//! Bringing the packs of a bundle into a repository, with an index of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use crate::cas::{
    Base, BlockBuilder, CasError, ChunkStore, FinishedPack, Index, PackMap, Sealer, SegmentWriter, Vault,
    pack_name,
};
use crate::chunk::sketch::{Sketch, Sketcher};
use crate::compress::{Compressor, Decompressor};
use crate::crypto::NonceSource;
use crate::format::log::PackRecord;
use crate::id::{Locator, ObjectKind, PackId};
use crate::observe::{Observer, Phase};
use crate::repo::{LogState, RepoError, Repository};
use crate::store::Put;

use super::super::OpsError;
use super::super::commit::{PackWriter, level_setting, parity_setting};
use super::super::rewrite::{self, Job, Keep, Rewritten};
use super::source::BundleSource;

/// Rows after which a segment is written: about 12 MiB of memory.
const SEGMENT_ROWS: usize = 1 << 19;

/// What was written, and is in no entry of the log yet.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Packs under the names that they have in the bundle. Their files are left alone whatever happens: another process may just
    /// have taken the same bundle.
    pub(super) verbatim: Vec<PackRecord>,
    /// What has names of its own: packs that were written anew, and all segments.
    pub(super) own: Rewritten,
    /// Packs that the log has already.
    pub(super) there: u64,
    /// Packs in which bases of deltas lie.
    pub(super) relied: HashSet<PackId>,
    /// Packs that were damaged, and healed.
    pub(super) healed: Vec<PackId>,
}

/// What of an object the deltas that are brought in need: a copy less deep than this.
type Bases = HashMap<(ObjectKind, Locator), u8>;

/// Sketches of chunks by the numbers of their block and slot.
type Sketches = BTreeMap<(u16, u16), Sketch>;

/// Brings in the packs of one bundle.
pub(super) struct Bringer<'a> {
    repo: &'a Repository,
    state: &'a LogState,
    source: &'a Arc<BundleSource>,
    /// Reads the packs of the bundle.
    vault: Arc<Vault>,
    sketcher: Sketcher,
    decompressor: Decompressor,
    rows: SegmentWriter,
    indexed: Vec<PackId>,
    bases: Bases,
    pub(super) brought: Brought,
    observer: &'a dyn Observer,
}

impl<'a> Bringer<'a> {
    pub(super) fn new(
        (repo, state): (&'a Repository, &'a LogState),
        source: &'a Arc<BundleSource>,
        observer: &'a dyn Observer,
    ) -> Result<Self, OpsError> {
        let own = repo.chunks().vault();
        let failed = |source| RepoError::Crypto { what: "cannot draw random numbers".to_owned(), source };
        let nonces = NonceSource::new().map_err(failed)?;
        let store = Arc::clone(source) as Arc<dyn crate::store::StorageBackend>;
        let vault = Vault::new(store, own.keyring().clone(), own.cipher(), own.family(), nonces);
        let decompressor = Decompressor::new().map_err(|source| CasError::Compress { source });
        let (rows, indexed, bases, brought) = Default::default();
        Ok(Self {
            repo,
            state,
            source,
            vault: Arc::new(vault),
            sketcher: Sketcher::new(own.keyring().chunking_key()),
            decompressor: decompressor.map_err(OpsError::cas("read the bundle"))?,
            rows,
            indexed,
            bases,
            brought,
            observer,
        })
    }

    /// Brings in all packs and writes the index of them; `chunks` then finds what they hold. Packs whose names the log has given up are
    /// written anew under others.
    pub(super) fn bring(&mut self, chunks: &ChunkStore) -> Result<(), OpsError> {
        let packs: Vec<(PackRecord, u64)> = self.source.file().packs().collect();
        let bytes = packs.iter().map(|(record, _)| record.len).sum();
        self.observer.phase(Phase::Store, Some(packs.len() as u64), Some(bytes));
        let mut renamed = Vec::new();
        for pack in packs {
            if self.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            if !self.pack(pack, chunks)? {
                renamed.push(pack.0);
            }
            self.observer.advance(1, pack.0.len);
        }
        self.segment(chunks)?;
        self.rename(&renamed, chunks)?;
        self.complete_bases(chunks)
    }

    /// Brings in one pack; `false`: its name cannot be used.
    fn pack(&mut self, pack: (PackRecord, u64), chunks: &ChunkStore) -> Result<bool, OpsError> {
        let (record, state) = (pack.0, self.state);
        let there = state.packs.get(&record.uid);
        let is_there = there.is_some_and(|there| there.payload_root == record.payload_root);
        if is_there && !state.condemned.contains_key(&record.uid) {
            self.brought.there += 1;
            return Ok(true);
        }
        let healed = self.source.file().heal(pack).map_err(|source| {
            let action = "take the bundle: more of it is damaged than its parity can heal";
            OpsError::Cas { action, source: CasError::Lost { source } }
        })?;
        if !healed.health.is_whole() {
            self.brought.healed.push(record.uid);
        }
        let bytes = self.source.keep(&record, healed);
        let (map, sketches) = self.examine(&record).map_err(OpsError::cas("read a pack of the bundle"))?;
        self.note_bases(&map);
        if state.packs.contains_key(&record.uid) || state.removed_packs.contains(&record.uid) {
            return Ok(false);
        }
        if !self.put(&record, &bytes)? {
            return Ok(false);
        }
        self.rows.add_sketched(&map, |block, slot| sketches.get(&(block, slot)).copied());
        self.indexed.push(record.uid);
        self.brought.verbatim.push(record);
        if self.rows.len() >= SEGMENT_ROWS || self.rows.is_full() {
            self.segment(chunks)?;
        }
        Ok(true)
    }

    /// Opens every block of a pack, verifies what is stored in full, and sketches chunks.
    fn examine(&mut self, record: &PackRecord) -> Result<(Arc<PackMap>, Sketches), CasError> {
        let reader = ChunkStore::new(Arc::clone(&self.vault), Arc::new(Index::new(Arc::clone(&self.vault))));
        let (map, mut sketches) = (reader.map(record.uid)?, Sketches::new());
        for block in 0..map.blocks() {
            let block = u16::try_from(block).expect("the directory's limit");
            let open = reader.open_block(record.uid, block, &mut self.decompressor)?;
            for (slot, entry) in (0..).zip(map.objects(block)) {
                if map.delta(block, slot).is_some() {
                    open.delta(slot, entry.kind, entry.locator)?;
                    continue;
                }
                let bytes = open.base(&self.vault, slot, entry.kind, entry.locator)?;
                if entry.kind == ObjectKind::Chunk {
                    sketches.extend(self.sketcher.sketch(bytes).map(|sketch| ((block, slot), sketch)));
                }
            }
        }
        Ok((map, sketches))
    }

    fn note_bases(&mut self, map: &PackMap) {
        for (entry, block, slot) in map.rows() {
            let Some(delta) = map.delta(block, slot) else { continue };
            for base in delta.bases.iter() {
                let below = self.bases.entry((entry.kind, *base)).or_insert(delta.depth);
                *below = delta.depth.min(*below);
            }
        }
    }

    /// Stores a pack under its name; `false`: another file has it.
    fn put(&self, record: &PackRecord, bytes: &[u8]) -> Result<bool, OpsError> {
        let (store, name) = (self.repo.chunks().vault().store(), pack_name(&record.uid));
        let failed = |source| OpsError::Cas { action: "write a pack", source: CasError::Store { source } };
        match store.put_new(&name, &[bytes]).map_err(failed)? {
            Put::Created => Ok(true),
            // An attempt that was stopped has left it, or one that is at work just wrote it.
            Put::Exists => Ok(store.get(&name, record.len).is_ok_and(|there| there == bytes)),
        }
    }

    /// Writes a segment that speaks of the packs since the last one.
    fn segment(&mut self, chunks: &ChunkStore) -> Result<(), OpsError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let failed = OpsError::cas("write the index");
        let vault = self.repo.chunks().vault();
        let segment = std::mem::take(&mut self.rows).finish(vault).map_err(&failed)?;
        segment.write(vault.store()).map_err(&failed)?;
        self.brought.own.segments.push(segment.record);
        chunks.index().add(segment.record, self.indexed.drain(..));
        Ok(())
    }

    /// Writes packs anew, under other names.
    fn rename(&mut self, packs: &[PackRecord], chunks: &ChunkStore) -> Result<(), OpsError> {
        if packs.is_empty() {
            return Ok(());
        }
        let ids: Vec<PackId> = packs.iter().map(|pack| pack.uid).collect();
        let bytes = packs.iter().map(|pack| pack.len).sum();
        let reader = ChunkStore::new(Arc::clone(&self.vault), Arc::new(Index::new(Arc::clone(&self.vault))));
        let keep = Keep::Whole { salvage: false };
        // One pack of the bundle is in memory at a time.
        let job = Job { packs: &ids, bytes, chunks: &reader, keep, threads: 1, dry_run: false };
        let rewritten = rewrite::run(self.repo, job, self.observer)?;
        self.add(rewritten, chunks);
        Ok(())
    }

    fn add(&mut self, rewritten: Rewritten, chunks: &ChunkStore) {
        let packs: Vec<PackId> = rewritten.packs.iter().map(|pack| pack.uid).collect();
        for segment in &rewritten.segments {
            chunks.index().add(*segment, packs.iter().copied());
        }
        self.brought.own.packs.extend(rewritten.packs);
        self.brought.own.segments.extend(rewritten.segments);
    }

    /// Stores in full the bases that the repository holds only as differences, as deep as those that need them or deeper.
    fn complete_bases(&mut self, chunks: &ChunkStore) -> Result<(), OpsError> {
        let failed = OpsError::cas("find what the bundle is stored as differences to");
        let (index, mut lacking) = (chunks.index(), Vec::new());
        for (&(kind, locator), &below) in &self.bases {
            if let Some(location) = index.find_usable(kind, locator, below).map_err(&failed)? {
                self.brought.relied.insert(location.pack);
            } else {
                let found = index.find_usable(kind, locator, u8::MAX).map_err(&failed)?;
                let location = found.ok_or_else(|| failed(CasError::Missing { kind, id: locator }))?;
                lacking.push((kind, Base { locator, location }));
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        lacking.sort_unstable_by_key(|(_, base)| base.location);
        let written = self.write_full(chunks, &lacking)?;
        self.add(written, chunks);
        Ok(())
    }

    fn write_full(&self, chunks: &ChunkStore, objects: &[(ObjectKind, Base)]) -> Result<Rewritten, OpsError> {
        let failed = OpsError::cas("write packs");
        let vault = self.repo.chunks().vault();
        let (nothing, writer) = (Index::new(Arc::clone(vault)), Mutex::new(PackWriter::new(vault, None)));
        let emit = |pack: FinishedPack| writer.lock().expect("no panic while locked").pack(&pack);
        let sealer = Sealer::new(Arc::clone(vault), &nothing, emit).for_rewriting();
        let sealer = sealer.with_parity(parity_setting(self.repo)?);
        let level = level_setting(self.repo)?;
        let mut done = copy_full(chunks, (objects, &sealer), level, &self.sketcher);
        done = done.and_then(|()| sealer.finish());
        drop(sealer);
        let mut writer = writer.into_inner().expect("no panic while locked");
        done = done.and_then(|()| writer.segment());
        let (packs, segments) = (writer.packs, writer.segments);
        let written = Rewritten { packs, segments, ..Rewritten::default() };
        match done {
            Ok(()) => Ok(written),
            Err(error) => {
                written.discard(self.repo);
                Err(failed(error))
            }
        }
    }
}

fn copy_full(
    chunks: &ChunkStore,
    (objects, sealer): (&[(ObjectKind, Base)], &Sealer<'_>),
    level: crate::compress::Level,
    sketcher: &Sketcher,
) -> Result<(), CasError> {
    let mut compressor = Compressor::new(level).map_err(|source| CasError::Compress { source })?;
    let mut builders: [BlockBuilder; 2] = Default::default();
    for (kind, base) in objects {
        let bytes = chunks.get_base(*kind, *base)?;
        let builder = &mut builders[usize::from(kind.is_metadata())];
        if let Some(sketch) = sketcher.sketch(&bytes).filter(|_| *kind == ObjectKind::Chunk) {
            builder.sketch_next(sketch);
        }
        builder.copy(*kind, base.locator, &bytes);
        if builder.is_full() {
            sealer.add(builder.finish(&mut compressor)?, kind.is_metadata())?;
        }
    }
    for (builder, metadata) in builders.iter_mut().zip([false, true]) {
        if !builder.is_empty() {
            sealer.add(builder.finish(&mut compressor)?, metadata)?;
        }
    }
    Ok(())
}
