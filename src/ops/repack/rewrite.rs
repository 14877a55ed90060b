//! Writing what packs hold into new packs: one block of the old ones at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::cas::{
    Base, BlockBuilder, CasError, ChunkStore, Delta, DeltaOf, FinishedPack, Index, Location, OpenBlock,
    Sealer, Vault,
};
use crate::chunk::sketch::Sketch;
use crate::compress::{Compressor, Decompressor, Level};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::format::pack::ObjectEntry;
use crate::id::{Locator, ObjectKind, PackId};
use crate::limits::DELTA_DEPTH_MAX;
use crate::observe::{Observer, Phase};
use crate::repo::Repository;

use super::super::OpsError;
use super::super::commit::{DeltaCounts, PackWriter, delta_setting, level_setting};
use super::super::trials::delta_cost;
use super::RepackRequest;
use super::encode::{Encoder, Present};
use super::plan::Plan;

/// What was written, and is in no entry of the log yet.
#[derive(Debug, Default)]
pub(super) struct Rewritten {
    pub(super) packs: Vec<PackRecord>,
    pub(super) segments: Vec<SegmentRecord>,
    /// Packs that stay, and that the new ones rely on.
    pub(super) uses: Vec<PackId>,
    pub(super) counts: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) packs: u64,
    pub(super) bytes: u64,
    /// Second copies that were left out.
    pub(super) dropped: u64,
    /// Chunks that became deltas, or smaller ones.
    pub(super) deltas: DeltaCounts,
}

/// Takes finished packs, of which in a dry run only the lengths count.
struct Output<'a> {
    writer: PackWriter<'a>,
    counts: Counts,
    dry: bool,
}

impl Output<'_> {
    fn pack(&mut self, pack: &FinishedPack) -> Result<(), CasError> {
        self.counts.packs += 1;
        self.counts.bytes += pack.record.len;
        if self.dry { Ok(()) } else { self.writer.pack(pack) }
    }
}

/// Rewrites the packs of a plan. After a failure nothing stays of what was written.
pub(super) fn run(
    repo: &Repository,
    plan: Plan,
    request: RepackRequest,
    observer: &dyn Observer,
) -> Result<Rewritten, OpsError> {
    let vault = Arc::clone(repo.chunks().vault());
    let writer = PackWriter::new(&vault, None);
    let output = Mutex::new(Output { writer, counts: Counts::default(), dry: request.dry_run });
    let mut rewritten = Rewritten::default();
    let done = copy_all(repo, plan, request, observer, (&vault, &output), &mut rewritten);
    let Output { writer, counts, .. } = output.into_inner().expect("no panic while locked");
    (rewritten.packs, rewritten.segments) = (writer.packs, writer.segments);
    (rewritten.counts.packs, rewritten.counts.bytes) = (counts.packs, counts.bytes);
    match done {
        Ok(()) => Ok(rewritten),
        Err(error) => {
            rewritten.discard(repo);
            Err(error)
        }
    }
}

fn copy_all(
    repo: &Repository,
    plan: Plan,
    request: RepackRequest,
    observer: &dyn Observer,
    (vault, output): (&Arc<Vault>, &Mutex<Output<'_>>),
    rewritten: &mut Rewritten,
) -> Result<(), OpsError> {
    let (level, depth) = (level_setting(repo)?, delta_setting(repo)?);
    let failed = OpsError::cas("rewrite packs");
    observer.phase(Phase::Store, Some(plan.packs.len() as u64), Some(plan.bytes));
    let Plan { packs, unsketched, pinned, chunks, .. } = plan;
    // Nothing is looked up in it: what an object's only copy is, the copier decides.
    let nothing = Index::new(Arc::clone(vault));
    let emit = |pack| output.lock().expect("no panic while locked").pack(&pack);
    let sealer = Sealer::new(Arc::clone(vault), &nothing, emit).for_rewriting();
    let with_deltas = depth > 0 && level != Level::Off;
    let key = vault.keyring().chunking_key();
    let encoder = Encoder::new(key, level, with_deltas, pinned).map_err(&failed)?;
    let mut copier = Copier::new(&chunks, &sealer, encoder, level, request.aggressive).map_err(&failed)?;
    for pack in unsketched.iter().filter(|_| with_deltas) {
        copier.sketch(pack).map_err(&failed)?;
    }
    for pack in &packs {
        copier.pack(pack, observer)?;
    }
    copier.finish().and_then(|()| sealer.finish()).map_err(&failed)?;
    let gone: HashSet<&PackId> = packs.iter().collect();
    let mut uses: Vec<PackId> =
        copier.encoder.uses.iter().filter(|pack| !gone.contains(pack)).copied().collect();
    uses.sort_unstable();
    (rewritten.uses, rewritten.counts) = (uses, copier.counts);
    let mut output = output.lock().expect("no panic while locked");
    if request.dry_run { Ok(()) } else { output.writer.segment().map_err(OpsError::cas("write the index")) }
}

/// Copies the objects of packs, one after the other.
struct Copier<'a> {
    chunks: &'a ChunkStore,
    sealer: &'a Sealer<'a>,
    encoder: Encoder,
    /// Try whether deltas can be smaller.
    improve: bool,
    compressor: Compressor,
    decompressor: Decompressor,
    data: Builders,
    metadata: Builders,
    counts: Counts,
}

/// Blocks under construction: deltas have their own.
#[derive(Default)]
struct Builders {
    full: BlockBuilder,
    frames: BlockBuilder,
}

/// An object where it lies.
struct Here<'b> {
    block: &'b OpenBlock,
    entry: ObjectEntry,
    location: Location,
    /// Bytes of its block, sealed.
    stored_len: u64,
}

impl<'a> Copier<'a> {
    fn new(
        chunks: &'a ChunkStore,
        sealer: &'a Sealer<'a>,
        encoder: Encoder,
        level: Level,
        improve: bool,
    ) -> Result<Self, CasError> {
        let failed = |source| CasError::Compress { source };
        let compressor = Compressor::new(level).map_err(failed)?;
        let decompressor = Decompressor::new().map_err(failed)?;
        let (data, metadata, counts) = Default::default();
        Ok(Self { chunks, sealer, encoder, improve, compressor, decompressor, data, metadata, counts })
    }

    fn pack(&mut self, pack: &PackId, observer: &dyn Observer) -> Result<(), OpsError> {
        let failed = OpsError::cas("rewrite packs");
        let map = self.chunks.map(*pack).map_err(&failed)?;
        for number in 0..map.blocks() {
            if observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let number = u16::try_from(number).expect("the directory's limit");
            let stored_len = map.stored_len(number);
            let block = self.chunks.open_block(*pack, number, &mut self.decompressor).map_err(&failed)?;
            for (slot, entry) in (0..).zip(map.objects(number)) {
                let depth = map.delta(number, slot).map_or(0, |delta| delta.depth);
                let location = Location { pack: *pack, block: number, slot, depth };
                let here = Here { block: &block, entry: *entry, location, stored_len };
                self.object(&here).map_err(&failed)?;
            }
            observer.advance(0, stored_len);
        }
        observer.advance(1, 0);
        Ok(())
    }

    /// Reads a pack for the sketches of chunks that will stay in full: a small one, or the index would have them.
    fn sketch(&mut self, pack: &PackId) -> Result<(), CasError> {
        let map = self.chunks.map(*pack)?;
        for number in 0..map.blocks() {
            let number = u16::try_from(number).expect("the directory's limit");
            let block = self.chunks.open_block(*pack, number, &mut self.decompressor)?;
            for (slot, entry) in (0..).zip(map.objects(number)) {
                let ObjectEntry { kind, locator, .. } = *entry;
                let is_full = map.delta(number, slot).is_none();
                if kind != ObjectKind::Chunk || !is_full || !self.encoder.is_pinned(locator) {
                    continue;
                }
                let bytes = block.base(self.chunks.vault(), slot, kind, locator)?;
                if let Some(sketch) = self.encoder.sketch(kind, bytes) {
                    let location = Location { pack: *pack, block: number, slot, depth: 0 };
                    self.encoder.remember(&sketch, Base { locator, location });
                }
            }
        }
        Ok(())
    }

    fn object(&mut self, here: &Here<'_>) -> Result<(), CasError> {
        let ObjectEntry { kind, locator, .. } = here.entry;
        if let Some(best) = self.best_copy(kind, locator)?.filter(|best| *best != here.location) {
            self.encoder.uses.insert(best.pack);
            self.counts.dropped += 1;
            return Ok(());
        }
        match here.block.delta(here.location.slot, kind, locator)? {
            Some(delta) => self.delta(here, &delta),
            None => self.full(here),
        }
    }

    /// The copy of an object that serves every purpose: of those that are the least deep, the one that the index finds.
    fn best_copy(&self, kind: ObjectKind, locator: Locator) -> Result<Option<Location>, CasError> {
        for depth in 1..=DELTA_DEPTH_MAX + 1 {
            let found = self.chunks.index().find_usable(kind, locator, depth)?;
            if let Some(location) = found {
                return Ok(Some(location));
            }
        }
        Ok(None)
    }

    fn full(&mut self, here: &Here<'_>) -> Result<(), CasError> {
        let ObjectEntry { kind, locator, .. } = here.entry;
        let bytes = here.block.base(self.chunks.vault(), here.location.slot, kind, locator)?;
        let sketch = self.encoder.sketch(kind, bytes);
        if let Some(sketch) = sketch {
            let cost = bytes.len() as u64 * here.stored_len / here.block.len().max(1) as u64;
            let made = self.encoder.turn(self.chunks, &Present { locator, bytes, sketch, cost })?;
            if let Some(delta) = made {
                return self.push_made(locator, delta);
            }
            self.encoder.remember(&sketch, Base { locator, location: here.location });
        }
        self.push(kind, locator, bytes, sketch)
    }

    /// Copies a delta as it is, unless another base serves it better.
    fn delta(&mut self, here: &Here<'_>, delta: &Delta) -> Result<(), CasError> {
        let ObjectEntry { kind, locator, .. } = here.entry;
        if self.improve && kind == ObjectKind::Chunk {
            let bytes = self.chunks.get_base(kind, Base { locator, location: here.location })?;
            let cost = delta_cost(delta.frame.len(), delta.bases.len());
            let sketch = self.encoder.sketch(kind, &bytes);
            let present = |sketch| Present { locator, bytes: &bytes, sketch, cost };
            if let Some(present) = sketch.map(present)
                && let Some(made) = self.encoder.improve(self.chunks, &present)?
            {
                return self.push_made(locator, made);
            }
        }
        let Delta { frame, bases, depth, len } = delta;
        self.push_frame(kind, locator, frame, DeltaOf { bases: *bases, depth: *depth, len: *len })
    }

    /// Stores the delta of a chunk that was made last.
    fn push_made(&mut self, locator: Locator, delta: DeltaOf) -> Result<(), CasError> {
        let frame = self.encoder.frame().to_vec();
        let deltas = &mut self.counts.deltas;
        deltas.objects += 1;
        deltas.bytes += delta.len as u64;
        deltas.stored_bytes += frame.len() as u64;
        self.push_frame(ObjectKind::Chunk, locator, &frame, delta)
    }

    fn push_frame(
        &mut self,
        kind: ObjectKind,
        locator: Locator,
        frame: &[u8],
        delta: DeltaOf,
    ) -> Result<(), CasError> {
        let frames = &mut self.builders(kind.is_metadata()).frames;
        frames.copy_delta(kind, locator, frame, delta);
        if frames.is_full() {
            self.close(kind.is_metadata(), |builders| &mut builders.frames)
        } else {
            Ok(())
        }
    }

    fn push(
        &mut self,
        kind: ObjectKind,
        locator: Locator,
        bytes: &[u8],
        sketch: Option<Sketch>,
    ) -> Result<(), CasError> {
        let full = &mut self.builders(kind.is_metadata()).full;
        if let Some(sketch) = sketch {
            full.sketch_next(sketch);
        }
        full.copy(kind, locator, bytes);
        if full.is_full() { self.close(kind.is_metadata(), |builders| &mut builders.full) } else { Ok(()) }
    }

    fn builders(&mut self, metadata: bool) -> &mut Builders {
        if metadata { &mut self.metadata } else { &mut self.data }
    }

    /// Hands a block on, if there is anything in it.
    fn close(
        &mut self,
        metadata: bool,
        which: impl FnOnce(&mut Builders) -> &mut BlockBuilder,
    ) -> Result<(), CasError> {
        let builders = if metadata { &mut self.metadata } else { &mut self.data };
        let builder = which(builders);
        if builder.is_empty() {
            return Ok(());
        }
        self.sealer.add(builder.finish(&mut self.compressor)?, metadata)
    }

    fn finish(&mut self) -> Result<(), CasError> {
        for metadata in [false, true] {
            self.close(metadata, |builders| &mut builders.full)?;
            self.close(metadata, |builders| &mut builders.frames)?;
        }
        Ok(())
    }
}
