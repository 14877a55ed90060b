//! Merging index segments, so that opening a repository does not come to cost more with every commit.

use std::collections::BTreeMap;

use crate::cas::{FinishedSegment, SegmentWriter, segment_name};
use crate::format::log::SegmentRecord;
use crate::id::PackId;
use crate::repo::{Draft, LogState, RepoError, Repository};

use super::super::OpsError;

/// Segments of like length that are merged.
const MERGED_FROM: usize = 8;
/// Most rows of a segment that merging makes: bounds its memory, to some 400 MiB.
const ROWS_MAX: u64 = 4 << 20;

/// Merges segments where there are many of like length; returns how many went into others. Other writers may go on meanwhile;
/// where one takes a segment away, nothing is merged.
pub(super) fn merge(repo: &Repository) -> Result<u64, OpsError> {
    let mut merged = 0;
    for _ in 0..MERGED_FROM {
        let state = repo.refresh()?;
        let Some(segments) = choose(&state.segments) else { break };
        merged += segments.len() as u64;
        if !exchange(repo, &state, &segments)? {
            break;
        }
    }
    Ok(merged)
}

/// The smallest segments that are enough to merge, if there are.
fn choose(all: &[SegmentRecord]) -> Option<Vec<SegmentRecord>> {
    let mut tiers: BTreeMap<u32, Vec<SegmentRecord>> = BTreeMap::new();
    for segment in all {
        tiers.entry(segment.rows.max(1).ilog2() / 3).or_default().push(*segment);
    }
    let mut tier = tiers.into_values().find(|tier| {
        let rows = tier.iter().take(MERGED_FROM).map(|segment| u64::from(segment.rows)).sum::<u64>();
        tier.len() >= MERGED_FROM && rows <= ROWS_MAX
    })?;
    let mut rows = 0;
    tier.retain(|segment| {
        rows += u64::from(segment.rows);
        rows <= ROWS_MAX
    });
    Some(tier)
}

/// Writes one segment in place of several; returns whether it took their place.
fn exchange(repo: &Repository, read: &LogState, segments: &[SegmentRecord]) -> Result<bool, OpsError> {
    let vault = repo.chunks().vault();
    let failed = OpsError::cas("merge the index");
    let stays = |pack: &PackId| read.packs.contains_key(pack);
    let mut writer = SegmentWriter::default();
    for segment in segments {
        writer.add_segment(vault, *segment, stays).map_err(&failed)?;
    }
    let finished: Option<FinishedSegment> =
        if writer.is_empty() { None } else { Some(writer.finish(vault).map_err(&failed)?) };
    if let Some(finished) = &finished {
        finished.write(vault.store()).map_err(&failed)?;
    }
    let appended = repo.append(&mut |now| {
        let is_there = |segment: &SegmentRecord| now.segments.iter().any(|other| other.uid == segment.uid);
        if !segments.iter().all(is_there) {
            return Err(RepoError::Overtaken);
        }
        Ok(Draft {
            segments_added: finished.iter().map(|finished| finished.record).collect(),
            segments_removed: segments.iter().map(|segment| segment.uid).collect(),
            message: "gc: merge the index".to_owned(),
            ..Draft::default()
        })
    });
    match appended {
        Ok(_) => Ok(true),
        Err(RepoError::Overtaken) => {
            // No entry names it. If it stays, the next collection takes it away.
            let name = finished.map(|finished| segment_name(&finished.record.uid));
            let _ = name.map(|name| vault.store().delete(&name));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Root, SegmentId};

    fn segments(rows: &[u32]) -> Vec<SegmentRecord> {
        let record = |(id, &rows): (u8, &u32)| SegmentRecord {
            uid: SegmentId::new([id; 16]),
            len: 1,
            hash: Root::new([0; 32]),
            rows,
        };
        (0..).zip(rows).map(record).collect()
    }

    #[test]
    fn many_segments_of_like_length_are_merged_the_smallest_first() {
        let rows = |of: &[u32]| {
            choose(&segments(of)).map(|chosen| chosen.iter().map(|s| s.rows).collect::<Vec<_>>())
        };
        assert_eq!(rows(&[10; 7]), None);
        assert_eq!(rows(&[9; 9]), Some(vec![9; 9]));
        assert_eq!(rows(&[[1000; 8], [9; 8]].concat()), Some(vec![9; 8]));
        assert_eq!(rows(&[[1000; 8], [2_000_000; 8]].concat()), Some(vec![1000; 8]));
        assert_eq!(rows(&[2_000_000; 20]), None);
        assert_eq!(rows(&[300_000; 20]).map(|chosen| chosen.len()), Some(13));
    }
}
