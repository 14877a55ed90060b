//! What a bundle holds: which commits, and which objects of them.

use std::collections::HashSet;

use crate::cas::ChunkStore;
use crate::format::log::CommitRecord;
use crate::format::pack::PackHeader;
use crate::id::{CommitId, PackId};
use crate::limits::{PACK_LEN_FULL, PACK_OBJECTS_MAX};
use crate::observe::Observer;
use crate::repo::LogState;

use super::super::OpsError;
use super::super::gc::{Copies, Marker, Marks};

/// What the directory of a pack may take for an object, twice, were it a delta.
const DIRECTORY_PER_OBJECT: u64 = 192;

/// Commits of a bundle.
#[derive(Debug, Default)]
pub(in crate::ops) struct Lineage {
    /// Those that it holds, the oldest first.
    pub(in crate::ops) commits: Vec<CommitRecord>,
    /// Those between them that were forgotten.
    pub(in crate::ops) forgotten: Vec<CommitRecord>,
    /// Branches and tags that stand on one that it holds.
    pub(super) refs: Vec<(String, CommitId)>,
}

impl Lineage {
    /// What `tips` descend from, themselves included, and `excluded` do not.
    pub(in crate::ops) fn new(state: &LogState, tips: &[CommitId], excluded: &[CommitId]) -> Self {
        let (wanted, known) = (descended(state, tips), descended(state, excluded));
        let is_carried = |id: &&CommitId| wanted.contains(*id) && !known.contains(*id);
        let record = |id: &CommitId| {
            let parents = state.parents.get(id).cloned().unwrap_or_default();
            CommitRecord { id: *id, parents }
        };
        let commits: Vec<CommitRecord> = state.commits.iter().filter(is_carried).map(record).collect();
        let gone = state.parents.keys().filter(|id| state.is_forgotten(id)).filter(is_carried);
        let mut forgotten: Vec<CommitRecord> = gone.map(record).collect();
        forgotten.sort_unstable_by_key(|commit| commit.id);
        // Where another repository's branches stood is no news to a third one.
        let is_own = |name: &str| name.starts_with("heads/") || name.starts_with("tags/");
        let stands = |(name, id): &(&String, &CommitId)| is_own(name) && is_carried(id) && state.is_live(id);
        let refs = state.refs.iter().filter(stands).map(|(name, id)| (name.clone(), *id)).collect();
        Self { commits, forgotten, refs }
    }
}

/// All commits that these descend from, themselves and forgotten ones included.
fn descended(state: &LogState, from: &[CommitId]) -> HashSet<CommitId> {
    let (mut seen, mut open) = (HashSet::new(), from.to_vec());
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(state.parents.get(&id).into_iter().flatten());
        }
    }
    seen
}

/// Objects of a bundle, where they lie in the repository.
pub(super) struct Content {
    pub(super) marks: Marks,
    /// The packs that hold any, as the log has them in order.
    pub(super) packs: Vec<PackId>,
    /// Bytes of these packs.
    pub(super) bytes: u64,
    /// No more packs than this come of them.
    pub(super) packs_max: u64,
}

impl Content {
    /// Marks what `commits` reach and `prerequisites` do not, with such bases of its deltas as no prerequisite reaches.
    pub(super) fn new(
        state: &LogState,
        chunks: &ChunkStore,
        (commits, prerequisites): (&[CommitRecord], &[CommitId]),
        observer: &dyn Observer,
    ) -> Result<Self, OpsError> {
        let mut known = Marker::new((chunks, Copies::Usable), observer).without_bases();
        prerequisites.iter().try_for_each(|id| known.commit(*id))?;
        known.settle()?;
        let mut marker = Marker::new((chunks, Copies::Usable), observer).beside(known.into_marks());
        commits.iter().try_for_each(|commit| marker.commit(commit.id))?;
        marker.settle()?;
        let marks = marker.into_marks();
        let held: HashSet<&PackId> = marks.packs().collect();
        let packs: Vec<PackId> =
            state.pack_order.iter().filter(|pack| held.contains(pack)).copied().collect();
        let bytes = packs.iter().map(|pack| state.packs[pack].len).sum();
        let packs_max = packs_max(chunks, &marks, &packs)?;
        Ok(Self { marks, packs, bytes, packs_max })
    }
}

/// A bound on how many packs come of what is marked: all but two are closed because the next block does not fit, and then a third of
/// what fits, at least, is in them.
fn packs_max(chunks: &ChunkStore, marks: &Marks, packs: &[PackId]) -> Result<u64, OpsError> {
    let mut bytes = 0;
    for pack in packs {
        let map = chunks.map(*pack).map_err(OpsError::cas("read the directory of a pack"))?;
        for (entry, block, slot) in map.rows() {
            let location = crate::cas::Location { pack: *pack, block, slot, depth: 0 };
            bytes += if marks.has(&location) { u64::from(entry.len) } else { 0 };
        }
    }
    let objects = marks.objects();
    let filled = bytes + bytes / 32 + objects * DIRECTORY_PER_OBJECT + PackHeader::LEN as u64;
    Ok(filled / (PACK_LEN_FULL as u64 / 3) + objects / (PACK_OBJECTS_MAX as u64 / 2) + 4)
}
