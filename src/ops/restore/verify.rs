//! Reading back what was written.

use std::ops::Range;

use rayon::prelude::*;

use crate::cas::ChunkStore;
use crate::chonkers::ChonkerTree;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::ObjectKind;
use crate::observe::Phase;
use crate::repo::Repository;
use crate::worktree::{RelPath, Segment, SourceFile, Target, WorktreeError};

use super::super::tree::Nodes;
use super::super::{OpsError, convert, previous};
use super::{Job, Report, RestoreOutcome, plan};

/// Files that are compared side by side.
const BATCH: usize = 1024;
/// Bytes that are compared at once in a run.
const RUN_LEN: usize = 1 << 20;

/// Compares the content of every file that the job wants with the commit.
pub(in crate::ops) fn run(
    repo: &Repository,
    job: &Job<'_>,
    target: &Target,
    report: &Report<'_>,
    outcome: &mut RestoreOutcome,
) -> Result<(), OpsError> {
    report.observer.phase(Phase::Verify, Some(outcome.files), Some(outcome.bytes));
    let mut batch: Vec<(RelPath, DirEntry)> = Vec::new();
    plan::walk(repo, job, &mut |path, entry| {
        if matches!(entry.kind, EntryKind::File { .. }) {
            batch.push((path.clone(), entry.clone()));
        }
        if batch.len() >= BATCH {
            outcome.verified += compare(repo, target, report, &batch)?;
            batch.clear();
        }
        Ok(())
    })?;
    outcome.verified += compare(repo, target, report, &batch)?;
    Ok(())
}

fn compare(
    repo: &Repository,
    target: &Target,
    report: &Report<'_>,
    batch: &[(RelPath, DirEntry)],
) -> Result<u64, OpsError> {
    if report.observer.cancelled() {
        return Err(OpsError::Cancelled);
    }
    let right = batch.par_iter().filter(|(path, entry)| match file(repo.chunks(), target, path, entry) {
        Ok(()) => {
            report.observer.advance(1, convert::size(entry));
            true
        }
        Err(error) => {
            report.problem(path.as_path(), &error);
            false
        }
    });
    Ok(right.count() as u64)
}

/// Why a file is not as it should be.
#[derive(Debug, thiserror::Error)]
enum Differs {
    #[error("it cannot be read back")]
    Unreadable(#[source] WorktreeError),
    #[error("its tree cannot be read")]
    Tree(#[source] OpsError),
    #[error("it has {found} bytes where the commit has {expected}")]
    Length { found: u64, expected: u64 },
    #[error("its content differs from the commit's at byte {offset}")]
    Content { offset: u64 },
}

fn file(chunks: &ChunkStore, target: &Target, path: &RelPath, entry: &DirEntry) -> Result<(), Differs> {
    let EntryKind::File { content, .. } = &entry.kind else { return Ok(()) };
    let file = target.read_file(path).map_err(Differs::Unreadable)?;
    let (found, expected) = (file.stat().size, convert::size(entry));
    if found != expected {
        return Err(Differs::Length { found, expected });
    }
    content_matches(chunks, &file, content)
}

fn content_matches(chunks: &ChunkStore, file: &SourceFile, content: &ContentRoot) -> Result<(), Differs> {
    let nodes = Nodes { chunks, kind: ObjectKind::FileNode };
    let tree = |error| Differs::Tree(previous::tree_error(error));
    let data = data_ranges(file).map_err(Differs::Unreadable)?;
    let mut buffer = Vec::new();
    for leaf in ChonkerTree::new(convert::tree_root(content)).leaves(nodes).map_err(tree)? {
        let leaf = leaf.map_err(tree)?;
        buffer.resize(usize::try_from(leaf.chunk.len).expect("chunks are small"), 0);
        read_exactly(file, leaf.offset, &mut buffer).map_err(Differs::Unreadable)?;
        if chunks.vault().keyring().object_id(ObjectKind::Chunk, &buffer) != leaf.chunk.id {
            return Err(Differs::Content { offset: leaf.offset });
        }
        let end = leaf.offset + leaf.chunk.len * leaf.chunk.repeat;
        repeats_match(file, &buffer, leaf.offset..end, &data)?;
    }
    Ok(())
}

/// Where the file may hold other bytes than zeros.
fn data_ranges(file: &SourceFile) -> Result<Vec<Range<u64>>, WorktreeError> {
    let mut ranges = Vec::new();
    for segment in file.segments() {
        if let Segment::Data { offset, len } = segment? {
            ranges.push(offset..offset + len);
        }
    }
    Ok(ranges)
}

/// Compares a stretch that holds `unit` again and again. Of zeros only what is no hole needs to be read.
fn repeats_match(
    file: &SourceFile,
    unit: &[u8],
    stretch: Range<u64>,
    data: &[Range<u64>],
) -> Result<(), Differs> {
    if stretch.end - stretch.start == unit.len() as u64 {
        return Ok(());
    }
    let zero = unit.iter().all(|&byte| byte == 0);
    let whole = [stretch.clone()];
    let ranges = if zero { data } else { &whole };
    let mut found = vec![0; unit.len().max(RUN_LEN / unit.len() * unit.len())];
    let expected = unit.repeat(found.len() / unit.len() + 1);
    for range in ranges {
        let (mut at, end) = (range.start.max(stretch.start), range.end.min(stretch.end));
        while at < end {
            let len = usize::try_from(end - at).map_or(found.len(), |left| left.min(found.len()));
            read_exactly(file, at, &mut found[..len]).map_err(Differs::Unreadable)?;
            let phase = usize::try_from((at - stretch.start) % unit.len() as u64).expect("below the unit");
            if found[..len] != expected[phase..phase + len] {
                return Err(Differs::Content { offset: at });
            }
            at += len as u64;
        }
    }
    Ok(())
}

fn read_exactly(file: &SourceFile, offset: u64, buffer: &mut [u8]) -> Result<(), WorktreeError> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64)? {
            0 => break,
            len => done += len,
        }
    }
    buffer[done..].fill(0);
    Ok(())
}
