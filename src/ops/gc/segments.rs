//! Merging index segments, so that opening a repository does not come to cost more with every commit.

use std::collections::BTreeMap;

use crate::cas::{CasError, FinishedSegment, SegmentWriter, segment_name};
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
        if !exchange(repo, &state, &segments)? {
            break;
        }
        merged += segments.len() as u64;
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
    let finished = match write_merged(repo, read, segments) {
        // Another process has merged them meanwhile, and deleted what was to be read.
        Err(_) if !are_there(&*repo.refresh()?, segments) => return Ok(false),
        written => written.map_err(OpsError::cas("merge the index"))?,
    };
    let appended = repo.append(&mut |now| {
        if !are_there(now, segments) {
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
            let _ = name.map(|name| repo.chunks().vault().store().delete(&name));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes one segment of what several say; `None`: they say nothing that counts.
fn write_merged(
    repo: &Repository,
    read: &LogState,
    segments: &[SegmentRecord],
) -> Result<Option<FinishedSegment>, CasError> {
    let vault = repo.chunks().vault();
    let stays = |pack: &PackId| read.packs.contains_key(pack);
    let mut writer = SegmentWriter::default();
    for segment in segments {
        writer.add_segment(vault, *segment, stays)?;
    }
    if writer.is_empty() {
        return Ok(None);
    }
    let finished = writer.finish(vault)?;
    finished.write(vault.store())?;
    Ok(Some(finished))
}

fn are_there(now: &LogState, segments: &[SegmentRecord]) -> bool {
    segments.iter().all(|segment| now.segments.iter().any(|other| other.uid == segment.uid))
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
