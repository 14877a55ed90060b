//! Merging index segments, so that opening a repository does not come to cost more with every commit.

use std::collections::{BTreeMap, HashSet};

use crate::cas::{CasError, FinishedSegment, SegmentWriter, segment_name};
use crate::format::log::SegmentRecord;
use crate::id::{PackId, SegmentId};
use crate::repo::{Draft, LogState, RepoError, Repository};
use crate::store::StoreError;

use super::super::OpsError;

/// Segments of like length that are merged.
const MERGED_FROM: usize = 8;
/// Most rows of a segment that merging makes: bounds its memory, to some 400 MiB.
const ROWS_MAX: u64 = 4 << 20;

/// What became of an attempt to merge.
enum Attempt {
    Merged,
    /// Others have taken a segment away.
    Overtaken,
    /// This one is damaged.
    Damaged(SegmentId),
}

/// Merges segments where there are many of like length; returns how many went into others. Other writers may go on meanwhile;
/// where one takes a segment away, nothing is merged. One that is damaged is left to a repair.
pub(super) fn merge(repo: &Repository) -> Result<u64, OpsError> {
    let (mut merged, mut damaged) = (0, HashSet::new());
    for _ in 0..MERGED_FROM {
        let state = repo.refresh()?;
        let sound: Vec<_> = state.segments.iter().filter(|s| !damaged.contains(&s.uid)).copied().collect();
        let Some(segments) = choose(&sound) else { break };
        match exchange(repo, &state, &segments)? {
            Attempt::Merged => merged += segments.len() as u64,
            Attempt::Overtaken => break,
            Attempt::Damaged(segment) => drop(damaged.insert(segment)),
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

/// Writes one segment in place of several.
fn exchange(repo: &Repository, read: &LogState, segments: &[SegmentRecord]) -> Result<Attempt, OpsError> {
    let finished = match write_merged(repo, read, segments) {
        // Another process has merged them meanwhile, and deleted what was to be read.
        Err(_) if !are_there(&*repo.refresh()?, segments) => return Ok(Attempt::Overtaken),
        Err((Some(segment), error)) if is_damaged(&error) => {
            return Ok(Attempt::Damaged(segment));
        }
        written => written.map_err(|(_, error)| OpsError::cas("merge the index")(error))?,
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
        Ok(_) => Ok(Attempt::Merged),
        Err(RepoError::Overtaken) => {
            // No entry names it. If it stays, the next collection takes it away.
            let name = finished.map(|finished| segment_name(&finished.record.uid));
            let _ = name.map(|name| repo.chunks().vault().store().delete(&name));
            Ok(Attempt::Overtaken)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes one segment of what several say; `None`: they say nothing that counts. An error says which one cannot be read.
fn write_merged(
    repo: &Repository,
    read: &LogState,
    segments: &[SegmentRecord],
) -> Result<Option<FinishedSegment>, (Option<SegmentId>, CasError)> {
    let vault = repo.chunks().vault();
    let stays = |pack: &PackId| read.packs.contains_key(pack);
    let mut writer = SegmentWriter::default();
    for segment in segments {
        writer.add_segment(vault, *segment, stays).map_err(|error| (Some(segment.uid), error))?;
    }
    if writer.is_empty() {
        return Ok(None);
    }
    let unwritten = |error| (None, error);
    let finished = writer.finish(vault).map_err(unwritten)?;
    finished.write(vault).map_err(unwritten)?;
    Ok(Some(finished))
}

/// Whether the file is not what was written, or is not there.
fn is_damaged(error: &CasError) -> bool {
    error.is_damage() || matches!(error, CasError::Store { source } if is_lost(source))
}

fn is_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::NotFound { .. } | StoreError::Short { .. })
}

fn are_there(now: &LogState, segments: &[SegmentRecord]) -> bool {
    segments.iter().all(|segment| now.segments.iter().any(|other| other.uid == segment.uid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Root;

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
