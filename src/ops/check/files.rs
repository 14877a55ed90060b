//! Which files there are, compared with those that the log names.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cas::{pack_name, segment_name};
use crate::id::{PackId, SegmentId};
use crate::repo::LogState;
use crate::store::{BlobInfo, BlobName, StorageBackend};

use super::super::OpsError;
use super::super::sweep::list;
use super::report::{CheckReport, StrayFile};

/// Files of the log that are not in the store.
#[derive(Debug, Default)]
pub(super) struct Absent {
    pub(super) packs: HashSet<PackId>,
    pub(super) segments: HashSet<SegmentId>,
}

impl Absent {
    /// What of a state is not in the store.
    pub(super) fn find(store: &dyn StorageBackend, state: &LogState) -> Result<Self, OpsError> {
        let there: HashSet<BlobName> = list(store)?.into_iter().map(|blob| blob.name).collect();
        let packs = state.packs.keys().filter(|pack| !there.contains(&pack_name(pack)));
        let segments = state.segments.iter().map(|segment| segment.uid);
        let segments = segments.filter(|segment| !there.contains(&segment_name(segment)));
        Ok(Self { packs: packs.copied().collect(), segments: segments.collect() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packs.is_empty() && self.segments.is_empty()
    }

    /// Whether a later state does without one of them: whoever removed it was at work meanwhile.
    pub(super) fn is_outdated_by(&self, now: &LogState) -> bool {
        let kept = |uid: &SegmentId| now.segments.iter().any(|segment| segment.uid == *uid);
        self.packs.iter().any(|pack| !now.packs.contains_key(pack)) || !self.segments.iter().all(kept)
    }
}

/// Lists the files that the log does not count on. `now` tells what it says after they were listed, which is returned: what a
/// writer has published meanwhile is no orphan.
pub(super) fn strays(
    store: &dyn StorageBackend,
    now: &dyn Fn() -> Result<Arc<LogState>, OpsError>,
    report: &mut CheckReport,
) -> Result<Arc<LogState>, OpsError> {
    let listed = list(store)?;
    let state = now()?;
    let live: HashSet<BlobName> =
        names(state.packs.keys(), state.segments.iter().map(|segment| &segment.uid));
    let removed = names(&state.removed_packs, &state.removed_segments);
    for BlobInfo { name, len } in listed.into_iter().filter(|blob| !live.contains(&blob.name)) {
        let is_left_over = removed.contains(&name);
        let strays = if is_left_over { &mut report.left_over } else { &mut report.orphans };
        strays.push(StrayFile { file: name.as_str().to_owned(), len });
    }
    Ok(state)
}

fn names<'a>(
    packs: impl IntoIterator<Item = &'a PackId>,
    segments: impl IntoIterator<Item = &'a SegmentId>,
) -> HashSet<BlobName> {
    let segments = segments.into_iter().map(segment_name);
    packs.into_iter().map(pack_name).chain(segments).collect()
}
