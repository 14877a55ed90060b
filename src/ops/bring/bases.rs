//! What the deltas that were brought in are stored against.

use std::sync::{Arc, Mutex};

use crate::cas::{Base, BlockBuilder, CasError, ChunkStore, FinishedPack, Index, Location, Sealer};
use crate::chunk::sketch::Sketcher;
use crate::compress::{Compressor, Level};
use crate::id::{Locator, ObjectKind};

use super::super::OpsError;
use super::super::commit::{PackWriter, level_setting, parity_setting};
use super::super::rewrite::Rewritten;
use super::Bringer;

/// Objects, and where each of them is read.
type Copies<'a> = (&'a ChunkStore, Vec<(ObjectKind, Base)>);

impl Bringer<'_> {
    /// Stores in full the bases that the repository holds only as deep as those that need them or deeper, or not at all.
    pub(in crate::ops) fn complete_bases(&self) -> Result<(), OpsError> {
        let failed = OpsError::cas("find what the packs are stored as differences to");
        let bases = std::mem::take(&mut self.ledger().bases);
        let bases: Vec<_> = bases.into_iter().map(|((kind, id), below)| (kind, id, below)).collect();
        let lacking = self.lacking(&bases).map_err(&failed)?;
        let mut copies: [Copies<'_>; 2] = [(self.source.chunks(), Vec::new()), (self.chunks, Vec::new())];
        for (kind, locator) in lacking {
            let theirs = self.source.find(kind, locator).map_err(&failed)?;
            let ours = match theirs {
                Some(_) => None,
                None => self.chunks.index().find_usable(kind, locator, u8::MAX).map_err(&failed)?,
            };
            let from = usize::from(theirs.is_none());
            let missing = || failed(CasError::Missing { kind, id: locator });
            let location = theirs.or(ours).ok_or_else(missing)?;
            copies[from].1.push((kind, Base { locator, location }));
        }
        if copies.iter().all(|(_, objects)| objects.is_empty()) {
            return Ok(());
        }
        copies.iter_mut().for_each(|(_, objects)| objects.sort_unstable_by_key(|(_, base)| base.location));
        let written = self.write_full(&copies)?;
        self.ledger().add_own(written, self.chunks);
        Ok(())
    }

    /// Those that the index does not find less deep than they must be; of the others it notes the packs. `bases` are sorted.
    fn lacking(&self, bases: &[(ObjectKind, Locator, u8)]) -> Result<Vec<(ObjectKind, Locator)>, CasError> {
        let index = self.chunks.index();
        let mut lacking = Vec::new();
        for of_kind in bases.chunk_by(|a, b| a.0 == b.0) {
            let kind = of_kind[0].0;
            let locators: Vec<Locator> = of_kind.iter().map(|(_, locator, _)| *locator).collect();
            let mut found: Vec<Option<Location>> = vec![None; locators.len()];
            index.find_many(kind, &locators, &mut |number, location| found[number] = Some(location))?;
            for (&(_, locator, below), found) in of_kind.iter().zip(found) {
                let fits = match found {
                    // The first copy that is found need not be the least deep one.
                    Some(location) if location.depth >= below => index.find_usable(kind, locator, below)?,
                    found => found,
                };
                match fits {
                    Some(location) => drop(self.ledger().brought.relied.insert(location.pack)),
                    None => lacking.push((kind, locator)),
                }
            }
        }
        Ok(lacking)
    }

    fn write_full(&self, copies: &[Copies<'_>]) -> Result<Rewritten, OpsError> {
        let failed = OpsError::cas("write packs");
        let vault = self.repo.chunks().vault();
        let (nothing, writer) = (Index::new(Arc::clone(vault)), Mutex::new(PackWriter::new(vault, None)));
        let emit = |pack: FinishedPack| writer.lock().expect("no panic while locked").pack(&pack);
        let sealer = Sealer::new(Arc::clone(vault), &nothing, emit).for_rewriting();
        let sealer = sealer.with_parity(parity_setting(self.repo)?);
        let level = level_setting(self.repo)?;
        let sketcher = Sketcher::new(vault.keyring().chunking_key());
        let mut done = copies.iter().try_for_each(|copies| copy_full(copies, &sealer, level, &sketcher));
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
    (chunks, objects): &Copies<'_>,
    sealer: &Sealer<'_>,
    level: Level,
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
