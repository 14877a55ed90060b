//! Taking away what nobody needs any more: out of the log, and then out of the store.

use std::collections::{HashMap, HashSet};

use crate::cas::{pack_name, segment_name};
use crate::id::{PackId, SegmentId};
use crate::mutants::{self, Mutant};
use crate::repo::{Condemned, Draft, LogState, RepoError, Repository};
use crate::store::{BlobInfo, BlobName, StorageBackend, StoreError};

use super::OpsError;

/// What of all that is condemned is removed now.
#[derive(Debug, Clone)]
pub(super) struct Due {
    /// What was condemned at this moment or before; `None`: everything.
    until: Option<i64>,
    /// These packs, whenever they were.
    packs: HashSet<PackId>,
}

/// What went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Swept {
    /// Packs that the log removed.
    pub(super) packs: u64,
    /// Files that were deleted.
    pub(super) files: u64,
    /// Their bytes.
    pub(super) bytes: u64,
}

impl Due {
    /// What was condemned so many seconds ago.
    pub(super) fn after(repo: &Repository, grace: u64) -> Self {
        let now = (repo.client().now)().secs;
        let until = (grace > 0).then(|| now.saturating_sub_unsigned(grace));
        Self { until, packs: HashSet::new() }
    }

    /// These packs as well.
    pub(super) fn and(self, packs: impl IntoIterator<Item = PackId>) -> Self {
        Self { packs: packs.into_iter().collect(), ..self }
    }

    fn is_past(&self, condemned: &Condemned) -> bool {
        self.until.is_none_or(|until| condemned.time.secs <= until)
    }

    /// Packs that are due and that nobody can come to need.
    fn packs(&self, state: &LogState) -> Vec<PackId> {
        let is_due = |(pack, condemned): &(&PackId, &Condemned)| {
            state.is_removable(pack) && (self.is_past(condemned) || self.packs.contains(*pack))
        };
        let mut packs: Vec<PackId> = state.condemned.iter().filter(is_due).map(|(pack, _)| *pack).collect();
        packs.sort_unstable();
        packs
    }

    fn orphans(&self, state: &LogState) -> Vec<PackId> {
        let is_due = |(_, condemned): &(&PackId, &Condemned)| self.is_past(condemned);
        let mut orphans: Vec<PackId> = state.orphans.iter().filter(is_due).map(|(pack, _)| *pack).collect();
        orphans.sort_unstable();
        orphans
    }
}

/// Removes all that is due, and the segments that speak of nothing else; then deletes the files of all that the log has ever
/// removed.
pub(super) fn sweep(repo: &Repository, due: &Due, message: &str) -> Result<Swept, OpsError> {
    let state = repo.refresh()?;
    let mut swept = Swept::default();
    if !due.packs(&state).is_empty() || !due.orphans(&state).is_empty() {
        let listed = Listed::new(repo)?;
        // (Only a mutant of the explorer does this here.)
        if mutants::is_on(Mutant::DeletedBeforeRemoved) {
            delete_due(repo, &state, due)?;
        }
        repo.append(&mut |now| {
            let draft = removal(repo, now, (due, &listed), message)?;
            swept.packs = draft.packs_removed.len() as u64;
            Ok(draft)
        })?;
    }
    delete_left_over(repo, &repo.state(), &mut swept)?;
    Ok(swept)
}

/// The entry that removes what is due. Where another process has just removed it all, the entry says nothing.
fn removal(
    repo: &Repository,
    now: &LogState,
    (due, listed): (&Due, &Listed),
    message: &str,
) -> Result<Draft, RepoError> {
    let packs_removed = due.packs(now);
    let gone: HashSet<&PackId> = packs_removed.iter().collect();
    let stays = |pack: &PackId| now.packs.contains_key(pack) && !gone.contains(pack);
    let without =
        if gone.is_empty() { Ok(Vec::new()) } else { repo.chunks().index().segments_without(stays) };
    let mut segments_removed =
        without.map_err(|source| RepoError::Cas { action: "read the index", source })?;
    segments_removed.retain(|uid| now.segments.iter().any(|segment| segment.uid == *uid));
    let is_segment = |uid: &PackId| listed.segments.contains(uid);
    let (segments, orphans_removed): (Vec<_>, Vec<_>) = due.orphans(now).into_iter().partition(is_segment);
    Ok(Draft {
        packs_removed,
        segments_removed,
        orphans_removed,
        orphan_segments_removed: segments.iter().map(|uid| SegmentId::new(*uid.as_bytes())).collect(),
        message: message.to_owned(),
        ..Draft::default()
    })
}

/// Deletes what is due before the log removes it: wrong, and what a mutant does.
fn delete_due(repo: &Repository, state: &LogState, due: &Due) -> Result<(), OpsError> {
    let names = due.packs(state).into_iter().chain(due.orphans(state));
    delete_files(repo, &names.map(|pack| pack_name(&pack)).collect(), &mut Swept::default())
}

fn delete_left_over(repo: &Repository, state: &LogState, swept: &mut Swept) -> Result<(), OpsError> {
    let removed: HashSet<BlobName> = state
        .removed_packs
        .iter()
        .map(pack_name)
        .chain(state.removed_segments.iter().map(segment_name))
        .collect();
    delete_files(repo, &removed, swept)
}

fn delete_files(repo: &Repository, removed: &HashSet<BlobName>, swept: &mut Swept) -> Result<(), OpsError> {
    if removed.is_empty() {
        return Ok(());
    }
    let store = repo.chunks().vault().store();
    for blob in list(store)?.iter().filter(|blob| removed.contains(&blob.name)) {
        let failed = |source: StoreError| RepoError::Store { location: store.location(), source };
        if store.delete(&blob.name).map_err(failed)? {
            swept.files += 1;
            swept.bytes += blob.len;
        }
    }
    Ok(())
}

/// Where packs and segments lie.
const FOLDERS: [&str; 2] = ["packs/", "index/"];

/// The files of packs and segments.
pub(super) fn list(store: &dyn StorageBackend) -> Result<Vec<BlobInfo>, OpsError> {
    let failed = |source: StoreError| RepoError::Store { location: store.location(), source };
    let mut listed = Vec::new();
    for folder in FOLDERS {
        listed.extend(store.list(folder).map_err(failed)?);
    }
    Ok(listed)
}

/// The packs of which there are files.
pub(super) fn packs(store: &dyn StorageBackend) -> Result<Vec<PackId>, OpsError> {
    let failed = |source: StoreError| RepoError::Store { location: store.location(), source };
    let listed = store.list("packs/").map_err(failed)?;
    let pack =
        |blob: &BlobInfo| uid_of(&blob.name).map(PackId::new).filter(|uid| pack_name(uid) == blob.name);
    Ok(listed.iter().filter_map(pack).collect())
}

/// The packs and segments of which there are files, by their names, with the lengths of these.
#[derive(Debug, Default)]
pub(super) struct Listed {
    files: HashMap<PackId, u64>,
    /// Those of them that are segments.
    segments: HashSet<PackId>,
}

impl Listed {
    pub(super) fn new(repo: &Repository) -> Result<Self, OpsError> {
        let mut listed = Self::default();
        for BlobInfo { name, len } in list(repo.chunks().vault().store())? {
            // A file with any other name is none of ours.
            let Some(uid) = uid_of(&name) else { continue };
            let pack = PackId::new(uid);
            if name == segment_name(&SegmentId::new(uid)) {
                listed.segments.insert(pack);
            } else if name != pack_name(&pack) {
                continue;
            }
            listed.files.insert(pack, len);
        }
        Ok(listed)
    }

    /// Files that no entry of the log names, and that none has condemned; with their lengths.
    pub(super) fn orphans(&self, state: &LogState) -> Vec<(PackId, u64)> {
        let files = self.files.iter().filter(|(uid, _)| !state.names(uid));
        let mut orphans: Vec<_> = files.map(|(uid, len)| (*uid, *len)).collect();
        orphans.sort_unstable();
        orphans
    }
}

/// The sixteen bytes in the name of a pack or segment.
fn uid_of(name: &BlobName) -> Option<[u8; 16]> {
    let (_, file) = name.as_str().split_once('/')?;
    let hex = file.strip_suffix(".warp").unwrap_or(file);
    let digits = hex.as_bytes();
    if digits.len() != 32 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut uid = [0; 16];
    for (byte, pair) in uid.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(uid)
}
