//! Writing what packs hold into new packs: one block of the old ones at a time.

mod encode;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::cas::{
    Base, BlockBuilder, CasError, ChunkStore, Delta, DeltaOf, FinishedPack, Index, Location, OpenBlock,
    PackMap, Sealer, Vault, pack_name, segment_name,
};
use crate::chunk::sketch::Sketch;
use crate::compress::{Compressor, Decompressor, Level};
use crate::format::log::{PackRecord, SegmentRecord};
use crate::format::pack::ObjectEntry;
use crate::id::{Locator, ObjectKind, PackId};
use crate::limits::DELTA_DEPTH_MAX;
use crate::observe::{Observer, Phase};
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::OpsError;
use super::commit::{DeltaCounts, PackWriter, cores, delta_setting, level_setting, parity_setting};
use super::gc::Marks;
use super::trials::delta_cost;
use encode::{Encoder, Present};

/// Which packs to write anew.
pub(super) struct Job<'a> {
    /// The packs, in the order in which they are read.
    pub(super) packs: &'a [PackId],
    /// Their bytes.
    pub(super) bytes: u64,
    /// Reads through an index that stays at one state of the log.
    pub(super) chunks: &'a ChunkStore,
    /// What of them is kept.
    pub(super) keep: Keep<'a>,
    /// Threads that copy what is copied as it is; 0: one for each core.
    pub(super) threads: usize,
    /// Nothing is written: only the lengths count.
    pub(super) dry_run: bool,
}

/// What of packs is kept.
pub(super) enum Keep<'a> {
    /// One copy of everything; chunks become deltas where that pays.
    All {
        /// Packs of whose chunks the index has no sketches.
        unsketched: &'a [PackId],
        /// Objects that must stay as they are: bases.
        pinned: RoughSet,
        /// Also try whether deltas can be smaller.
        improve: bool,
    },
    /// What is marked, as it is.
    Marked(&'a Marks),
    /// Everything, as it is.
    Whole {
        /// Leave out what cannot be read, and go on.
        salvage: bool,
    },
}

/// What a copier copies.
#[derive(Clone, Copy)]
enum Which<'a> {
    /// One copy of everything.
    Once,
    Marked(&'a Marks),
    Whole {
        salvage: bool,
    },
}

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
    /// Objects that were left out: second copies, and what is not marked.
    pub(super) dropped: u64,
    /// Objects that could not be read and were left out.
    pub(super) lost: u64,
    /// Chunks that became deltas, or smaller ones.
    pub(super) deltas: DeltaCounts,
}

impl Rewritten {
    /// Adds what was written to what `draft` says, in one entry of the log. Where others were faster it is discarded.
    pub(super) fn publish(
        &self,
        repo: &Repository,
        draft: &mut dyn FnMut(&LogState) -> Result<Draft, RepoError>,
    ) -> Result<(), OpsError> {
        let appended = repo.append(&mut |now| {
            let (packs_added, segments_added) = (self.packs.clone(), self.segments.clone());
            Ok(Draft { packs_added, segments_added, ..draft(now)? })
        });
        // After any other error the entry may stand in the log, and need these files.
        if matches!(appended, Err(RepoError::Overtaken | RepoError::Condemned | RepoError::Rotated { .. })) {
            self.discard(repo);
        }
        appended.map(drop).map_err(OpsError::from)
    }

    /// Deletes what was written: no entry of the log names it. A file that stays does no harm.
    pub(super) fn discard(&self, repo: &Repository) {
        let store = repo.chunks().vault().store();
        let segments = self.segments.iter().map(|segment| segment_name(&segment.uid));
        for name in self.packs.iter().map(|pack| pack_name(&pack.uid)).chain(segments) {
            let _ = store.delete(&name);
        }
    }
}

/// Objects by half a locator. One in very many is taken for another: whoever asks must be right then, too.
#[derive(Debug, Default)]
pub(super) struct RoughSet(HashSet<u64>);

impl RoughSet {
    pub(super) fn insert(&mut self, locator: Locator) {
        self.0.insert(half(locator));
    }

    pub(super) fn contains(&self, locator: Locator) -> bool {
        self.0.contains(&half(locator))
    }
}

fn half(locator: Locator) -> u64 {
    let (first, _) = locator.as_bytes().split_first_chunk::<8>().expect("a locator has 16 bytes");
    u64::from_le_bytes(*first)
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
        self.counts.bytes += pack.len;
        if self.dry { Ok(()) } else { self.writer.pack(pack) }
    }
}

/// Writes packs anew. After a failure nothing stays of what was written.
pub(super) fn run(repo: &Repository, job: Job<'_>, observer: &dyn Observer) -> Result<Rewritten, OpsError> {
    let vault = Arc::clone(repo.chunks().vault());
    let writer = PackWriter::new(&vault, None);
    let output = Mutex::new(Output { writer, counts: Counts::default(), dry: job.dry_run });
    let mut rewritten = Rewritten::default();
    let done = copy_all(repo, job, observer, (&vault, &output), &mut rewritten);
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
    job: Job<'_>,
    observer: &dyn Observer,
    (vault, output): (&Arc<Vault>, &Mutex<Output<'_>>),
    rewritten: &mut Rewritten,
) -> Result<(), OpsError> {
    let emit = |pack| output.lock().expect("no panic while locked").pack(&pack);
    let (packs, dry_run) = (job.packs, job.dry_run);
    let (counts, used) = copy_to(repo, job, vault, emit, observer)?;
    let gone: HashSet<&PackId> = packs.iter().collect();
    let mut uses: Vec<PackId> = used.into_iter().filter(|pack| !gone.contains(pack)).collect();
    uses.sort_unstable();
    (rewritten.uses, rewritten.counts) = (uses, counts);
    let mut output = output.lock().expect("no panic while locked");
    if dry_run { Ok(()) } else { output.writer.segment().map_err(OpsError::cas("write the index")) }
}

/// Copies what the job says into new packs, and hands these to `emit`. Returns which packs the copies rely on.
pub(super) fn copy_to(
    repo: &Repository,
    job: Job<'_>,
    vault: &Arc<Vault>,
    emit: impl Fn(FinishedPack) -> Result<(), CasError> + Send + Sync,
    observer: &dyn Observer,
) -> Result<(Counts, HashSet<PackId>), OpsError> {
    observer.phase(Phase::Store, Some(job.packs.len() as u64), Some(job.bytes));
    // Nothing is looked up in it: what an object's only copy is, the copier decides.
    let nothing = Index::new(Arc::clone(vault));
    let sealer = Sealer::new(Arc::clone(vault), &nothing, emit).for_rewriting();
    let sealer = sealer.with_parity(parity_setting(repo)?);
    let done = match job.keep {
        Keep::Marked(marks) => copy_as_is(repo, &job, Which::Marked(marks), &sealer, observer)?,
        Keep::Whole { salvage } => copy_as_is(repo, &job, Which::Whole { salvage }, &sealer, observer)?,
        Keep::All { .. } => copy_in_turn(repo, job, &sealer, observer)?,
    };
    sealer.finish().map_err(OpsError::cas("rewrite packs"))?;
    Ok(done)
}

/// Copies packs in their order: which chunks become deltas depends on those before.
fn copy_in_turn(
    repo: &Repository,
    job: Job<'_>,
    sealer: &Sealer<'_>,
    observer: &dyn Observer,
) -> Result<(Counts, HashSet<PackId>), OpsError> {
    let failed = OpsError::cas("rewrite packs");
    let Keep::All { unsketched, pinned, improve } = job.keep else { unreachable!("asked before") };
    let (level, depth) = (level_setting(repo)?, delta_setting(repo)?);
    let with_deltas = depth > 0 && level != Level::Off;
    let key = sealer.vault().keyring().chunking_key();
    let encoder = Encoder::new(key, level, with_deltas, pinned).map_err(&failed)?;
    let mut copier = Copier::new(job.chunks, sealer, encoder, level, improve).map_err(&failed)?;
    for pack in unsketched.iter().filter(|_| with_deltas) {
        copier.sketch(pack).map_err(&failed)?;
    }
    for pack in job.packs {
        copier.pack(pack, observer)?;
    }
    copier.finish().map_err(&failed)?;
    Ok((copier.counts, copier.encoder.uses))
}

/// Copies packs, or parts of them, as they are, on all cores.
fn copy_as_is(
    repo: &Repository,
    job: &Job<'_>,
    which: Which<'_>,
    sealer: &Sealer<'_>,
    observer: &dyn Observer,
) -> Result<(Counts, HashSet<PackId>), OpsError> {
    let failed = OpsError::cas("rewrite packs");
    let level = level_setting(repo)?;
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let key = sealer.vault().keyring().chunking_key();
        let encoder = Encoder::new(key, level, false, RoughSet::default()).map_err(&failed)?;
        let mut copier = Copier::new(job.chunks, sealer, encoder, level, false).map_err(&failed)?;
        copier.which = which;
        while let Some(pack) = job.packs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            copier.pack(pack, observer)?;
        }
        copier.finish().map_err(&failed)?;
        Ok(copier.counts)
    };
    let done: Vec<Result<Counts, OpsError>> = thread::scope(|scope| {
        let threads = if job.threads > 0 { job.threads } else { cores() };
        let threads = threads.min(job.packs.len()).max(1);
        let start = |_| {
            scope.spawn(|| {
                let done = work();
                stop.fetch_or(done.is_err(), Ordering::Relaxed);
                done
            })
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("copying does not panic")).collect()
    });
    let mut counts = Counts::default();
    for of_thread in done {
        let of_thread = of_thread?;
        counts.dropped += of_thread.dropped;
        counts.lost += of_thread.lost;
    }
    Ok((counts, HashSet::new()))
}

/// Copies the objects of packs, one after the other.
struct Copier<'a> {
    chunks: &'a ChunkStore,
    sealer: &'a Sealer<'a>,
    encoder: Encoder,
    /// Try whether deltas can be smaller.
    improve: bool,
    which: Which<'a>,
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
        let which = Which::Once;
        Ok(Self { chunks, sealer, encoder, improve, which, compressor, decompressor, data, metadata, counts })
    }

    fn pack(&mut self, pack: &PackId, observer: &dyn Observer) -> Result<(), OpsError> {
        let failed = OpsError::cas("rewrite packs");
        let map = match self.chunks.map(*pack) {
            Err(_) if self.salvages() => return Ok(()),
            map => map.map_err(&failed)?,
        };
        for number in 0..map.blocks() {
            if observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let number = u16::try_from(number).expect("the directory's limit");
            self.block(&map, number).map_err(&failed)?;
            observer.advance(0, map.stored_len(number));
        }
        observer.advance(1, 0);
        Ok(())
    }

    fn block(&mut self, map: &PackMap, number: u16) -> Result<(), CasError> {
        let (pack, objects) = (map.uid(), map.objects(number));
        if matches!(self.which, Which::Marked(marks) if !marks.has_block(&pack, number)) {
            self.counts.dropped += objects.len() as u64;
            return Ok(());
        }
        let block = match self.chunks.open_block(pack, number, &mut self.decompressor) {
            Err(_) if self.salvages() => {
                self.counts.lost += objects.len() as u64;
                return Ok(());
            }
            block => block?,
        };
        for (slot, entry) in (0..).zip(objects) {
            let depth = map.delta(number, slot).map_or(0, |delta| delta.depth);
            let location = Location { pack, block: number, slot, depth };
            let here = Here { block: &block, entry: *entry, location, stored_len: map.stored_len(number) };
            match self.object(&here) {
                Err(CasError::WrongObject { .. }) if self.salvages() => self.counts.lost += 1,
                done => done?,
            }
        }
        Ok(())
    }

    /// What cannot be read is left out.
    fn salvages(&self) -> bool {
        matches!(self.which, Which::Whole { salvage: true })
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
        if self.is_left_out(here)? {
            self.counts.dropped += 1;
            return Ok(());
        }
        match here.block.delta(here.location.slot, kind, locator)? {
            Some(delta) => self.delta(here, &delta),
            None => self.full(here),
        }
    }

    /// Whether the copy is not marked or, where nothing is, another one serves every purpose.
    fn is_left_out(&mut self, here: &Here<'_>) -> Result<bool, CasError> {
        match self.which {
            Which::Once => {}
            Which::Marked(marks) => return Ok(!marks.has(&here.location)),
            Which::Whole { .. } => return Ok(false),
        }
        let ObjectEntry { kind, locator, .. } = here.entry;
        let other = self.best_copy(kind, locator)?.filter(|best| *best != here.location);
        self.encoder.uses.extend(other.map(|other| other.pack));
        Ok(other.is_some())
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
