//! Headers and directories of all packs, and the bases of their deltas.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::cas::{CasError, ChunkStore, PackMap, SealedPack, pack_health, pack_name};
use crate::format::log::PackRecord;
use crate::id::{Locator, ObjectKind, PackId};

use super::super::OpsError;
use super::super::work;
use super::report::FindingKind;
use super::segments::{IndexSide, Sum};
use super::{Broken, Check};

/// What the directories say.
#[derive(Debug, Default)]
pub(super) struct Directories {
    /// Packs of which no object can be found, each with the finding that says why.
    pub(super) lost: HashMap<PackId, usize>,
    /// Packs that end too early, with their finding and their length.
    pub(super) cut: HashMap<PackId, (usize, u64)>,
    pub(super) with_deltas: Vec<PackId>,
    /// Packs of which the index says something else.
    pub(super) differing: Vec<PackId>,
    pub(super) objects: u64,
    pub(super) deltas: u64,
}

impl Directories {
    /// Reads both headers and both directories of every pack.
    pub(super) fn read(
        check: &Check<'_>,
        absent: &HashSet<PackId>,
        index: &IndexSide,
    ) -> Result<Self, OpsError> {
        let directories = Mutex::new(Self::default());
        for pack in absent {
            let finding = check.fault(pack_name(pack).as_str(), FindingKind::Missing, MISSING.to_owned());
            directories.lock().expect("no panic while locked").lost.insert(*pack, finding);
        }
        let there = check.state.packs.values().filter(|pack| !absent.contains(&pack.uid));
        let there: Vec<PackRecord> = there.copied().collect();
        let stopped = || check.observer.cancelled();
        work::share(check.threads, &there, &stopped, &|| Some(()), &|(), record| {
            let read = Pack::read(check, record);
            let sum = match &read {
                Pack::Read { map, .. } if index.covers(&record.uid) => Some(index.sums.of(map)),
                _ => None,
            };
            directories.lock().expect("no panic while locked").add(check, (record, sum), index, &read);
            check.observer.advance(0, 0);
        });
        check.stop_if_cancelled()?;
        Ok(directories.into_inner().expect("no panic while locked"))
    }

    /// Takes what a pack's directory says; `sum` is over its rows, if the index speaks of it.
    fn add(
        &mut self,
        check: &Check<'_>,
        (record, sum): (&PackRecord, Option<Sum>),
        index: &IndexSide,
        read: &Pack,
    ) {
        let uid = record.uid;
        let (map, cut) = match read {
            Pack::Lost(finding) => {
                self.lost.insert(uid, *finding);
                return;
            }
            Pack::Read { map, cut } => (map, cut),
        };
        self.cut.extend(cut.map(|cut| (uid, cut)));
        self.objects += map.rows().count() as u64;
        self.deltas += map.deltas().len() as u64;
        if !map.deltas().is_empty() {
            self.with_deltas.push(uid);
        }
        match sum {
            Some(sum) if !index.agrees(&uid, sum) => self.differing.push(uid),
            None if !record.self_indexed && index.lost.is_empty() => {
                let fault = "the index names none of its objects".to_owned();
                check.fault(pack_name(&uid).as_str(), FindingKind::Index, fault);
            }
            _ => {}
        }
    }
}

const MISSING: &str = "the log names it, and it is not there";

/// What came of reading one pack.
enum Pack {
    Lost(usize),
    Read { map: PackMap, cut: Option<(usize, u64)> },
}

impl Pack {
    fn read(check: &Check<'_>, record: &PackRecord) -> Self {
        let name = pack_name(&record.uid);
        let mut faults = Vec::new();
        let sealed = SealedPack::open(check.store(), record, &mut faults);
        let agree = sealed.and_then(|sealed| {
            check.endures(record, sealed.header());
            check.read(2 * sealed.directory_len());
            check_epoch(check, record, sealed.epoch());
            sealed.directories_agree()
        });
        match agree {
            Ok(true) => {}
            Ok(false) => {
                faults.push(CasError::Hash {
                    file: name.as_str().to_owned(),
                    part: "directory, or its second copy,",
                });
            }
            Err(error) => faults.push(error),
        }
        let map = PackMap::load(check.vault, &record.uid);
        let is_short = faults.iter().any(|fault| matches!(fault, CasError::Length { .. }));
        let findings: Vec<usize> = faults.iter().map(|fault| check.cas_fault(name.as_str(), fault)).collect();
        match map {
            Ok(map) => {
                let len = check.store().len(&name).ok().flatten().unwrap_or(0);
                let cut = findings.first().filter(|_| is_short).map(|finding| (*finding, len));
                Self::Read { map, cut }
            }
            Err(error) => {
                let finding = check.cas_fault(name.as_str(), &error);
                Self::Lost(findings.first().copied().unwrap_or(finding))
            }
        }
    }
}

/// Compares the data key that a pack is sealed under with what the log says: by that alone others know which packs are to be sealed
/// anew.
fn check_epoch(check: &Check<'_>, record: &PackRecord, epoch: u32) {
    let expected = record.epoch;
    if epoch != expected {
        let fault = format!("it is sealed under data key {epoch}, and the log says {expected}");
        check.fault(pack_name(&record.uid).as_str(), FindingKind::Log, fault);
    }
}

/// Blames packs that end too early for the objects in the blocks that are not whole.
pub(super) fn blame_cut(
    check: &Check<'_>,
    chunks: &ChunkStore,
    directories: &Directories,
    broken: &mut Broken,
) {
    for (pack, (finding, len)) in &directories.cut {
        if pack_health(check.store(), &check.state.packs[pack]).is_ok_and(|health| health.can_be_healed()) {
            continue;
        }
        let Ok(map) = PackMap::load(check.vault, pack) else { continue };
        for (entry, block, _) in map.rows() {
            let is_cut = map.offset(block) + map.stored_len(block) > *len;
            if is_cut && is_found_in(chunks, (entry.kind, entry.locator), (*pack, block)) {
                broken.insert(entry.kind, entry.locator, *finding);
            }
        }
    }
}

/// Whether a reader that wants an object goes to this block of this pack.
pub(super) fn is_found_in(
    chunks: &ChunkStore,
    (kind, locator): (ObjectKind, Locator),
    (pack, block): (PackId, u16),
) -> bool {
    let found = chunks.index().find_below(kind, locator, u8::MAX);
    found.ok().flatten().is_none_or(|found| (found.pack, found.block) == (pack, block))
}

/// Looks for the bases of all deltas: each needs a copy that is less deep than the delta.
pub(super) fn check_bases(
    check: &Check<'_>,
    chunks: &ChunkStore,
    packs: &[PackId],
    broken: &mut Broken,
) -> Result<(), OpsError> {
    for pack in packs {
        check.stop_if_cancelled()?;
        let Ok(map) = chunks.map(*pack) else { continue };
        for base in wanted_bases(&map) {
            if is_there(check, chunks, &base, pack)? || broken.blame(base.kind, base.locator).is_some() {
                continue;
            }
            let finding = check.blame_for_missing().unwrap_or_else(|| {
                let fault =
                    format!("no pack holds {} {}, the base of a difference in it", base.kind, base.locator);
                check.fault(pack_name(pack).as_str(), FindingKind::MissingBase, fault)
            });
            broken.insert(base.kind, base.locator, finding);
        }
    }
    Ok(())
}

/// An object that a delta of the given depth needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    /// First, so that the index's pages are read one after the other.
    locator: Locator,
    kind: ObjectKind,
    depth: u8,
}

fn wanted_bases(map: &PackMap) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (entry, block, slot) in map.rows() {
        if let Some(delta) = map.delta(block, slot) {
            let base = |&locator| Wanted { locator, kind: entry.kind, depth: delta.depth };
            wanted.extend(delta.bases.iter().map(base));
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// Whether a base is there; or the delta is not any more, since somebody removed its pack meanwhile.
fn is_there(check: &Check<'_>, chunks: &ChunkStore, base: &Wanted, pack: &PackId) -> Result<bool, OpsError> {
    let find = || {
        let found = chunks.index().find_below(base.kind, base.locator, base.depth);
        found.map(|found| found.is_some()).map_err(OpsError::cas("look for a base"))
    };
    if find()? {
        return Ok(true);
    }
    chunks.index().refresh().map_err(OpsError::cas("look for a base"))?;
    Ok(find()? || !check.present()?.packs.contains_key(pack))
}

/// Spreads blame from bases to all that is stored as a difference to them.
pub(super) fn spread(
    check: &Check<'_>,
    chunks: &ChunkStore,
    packs: &[PackId],
    broken: &mut Broken,
) -> Result<(), OpsError> {
    loop {
        let before = broken.len();
        for map in packs.iter().filter_map(|pack| chunks.map(*pack).ok()) {
            check.stop_if_cancelled()?;
            for (entry, block, slot) in map.rows() {
                let Some(delta) = map.delta(block, slot) else { continue };
                let blame = delta.bases.iter().find_map(|base| broken.blame(entry.kind, *base));
                if let Some(finding) = blame {
                    broken.insert(entry.kind, entry.locator, finding);
                }
            }
        }
        if broken.len() == before {
            return Ok(());
        }
    }
}
