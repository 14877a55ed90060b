//! Very large files come to the same whoever cuts them, and whatever happens to them meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::super::cat::cat;
use super::super::super::testkit::{repository_with, request};
use super::super::{CommitOutcome, CommitRequest, commit};
use super::*;
use crate::observe::{Observer, Problem, Silent};
use crate::repo::{ChunkerConfig, ChunkerKind, Repository};
use crate::testing::Rng;

/// The least chunks, so that parts are short: 4 MiB.
const UNIT: u32 = 4096;
const LEN: usize = 18 << 20;

fn repository() -> Repository {
    repository_with(ChunkerConfig::new(ChunkerKind::Chonkers, UNIT).unwrap())
}

fn commit_file(
    repo: &Repository,
    dir: &Path,
    branch: &str,
    threads: usize,
    observer: &dyn Observer,
) -> CommitOutcome {
    let request = CommitRequest { threads, force: true, ..request(dir, branch, 1) };
    commit(repo, request, observer).unwrap()
}

fn content_of(repo: &Repository, outcome: &CommitOutcome) -> Vec<u8> {
    let mut content = Vec::new();
    cat(repo, outcome.commit.unwrap(), b"big", &mut content).unwrap();
    content
}

/// Random bytes, with a run of zeros and a period that each reach over a part's ends.
fn content(seed: u64) -> Vec<u8> {
    let mut content = Rng::new(seed).bytes(LEN);
    content[3 << 20..10 << 20].fill(0);
    let period = Rng::new(seed + 1).bytes(9_000);
    for (byte, value) in content[11 << 20..14 << 20].iter_mut().zip(period.iter().cycle()) {
        *byte = *value;
    }
    content
}

/// A file with holes.
fn write_sparse(path: &Path, content: &[u8]) {
    let mut file = File::create(path).unwrap();
    for (number, block) in content.chunks(1 << 16).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start((number as u64) << 16)).unwrap();
            file.write_all(block).unwrap();
        }
    }
    file.set_len(content.len() as u64).unwrap();
}

#[test]
fn any_number_of_threads_stores_the_same_tree() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big");
    for is_sparse in [false, true] {
        let content = content(1);
        if is_sparse {
            std::fs::remove_file(&path).unwrap();
            write_sparse(&path, &content);
        } else {
            std::fs::write(&path, &content).unwrap();
        }
        let repo = repository();
        let outcomes: Vec<_> =
            [1, 2, 5].map(|threads| commit_file(&repo, dir.path(), "main", threads, &Silent)).into();
        let root = |outcome: &CommitOutcome| repo.version(outcome.commit.unwrap()).unwrap().commit.root;
        assert!(outcomes.iter().all(|outcome| root(outcome) == root(&outcomes[0])), "sparse: {is_sparse}");
        assert!(content_of(&repo, &outcomes[2]) == content);
        // Alone, the parts give the same too: nothing was there to be found.
        let alone = repository();
        let outcome = commit_file(&alone, dir.path(), "main", 3, &Silent);
        assert!(content_of(&alone, &outcome) == content);
        assert_eq!(outcome.problems, 0);
    }
}

#[test]
fn parts_begin_after_equal_amounts_of_data_and_never_in_a_hole() {
    let data = |offset, len| Ok(Segment::Data { offset, len });
    let starts = |segments: Vec<Result<Segment, _>>, part| starts(segments.into_iter(), part).unwrap();
    assert_eq!(starts(vec![data(0, 18)], 5), [0, 5, 10, 15]);
    assert_eq!(starts(vec![data(0, 18)], 18), [0]);
    assert_eq!(starts(vec![], 5), [0]);
    let sparse =
        || vec![data(0, 3), Ok(Segment::Hole { len: 7 }), data(10, 8), Ok(Segment::Hole { len: 90 })];
    assert_eq!(starts(sparse(), 5), [0, 12, 17]);
    assert_eq!(starts(sparse(), 11), [0]);
}

/// Changes the file as soon as the first chunk of a part is stored.
struct Meddler<'a> {
    change: &'a (dyn Fn() + Sync),
    stored: AtomicU64,
    problems: AtomicU64,
}

impl Observer for Meddler<'_> {
    fn advance(&self, _files: u64, bytes: u64) {
        if self.stored.fetch_add(bytes, Ordering::SeqCst) == 0 {
            (self.change)();
        }
    }

    fn problem(&self, _problem: &Problem<'_>) {
        self.problems.fetch_add(1, Ordering::SeqCst);
    }
}

fn meddle(change: &(dyn Fn(&Path) + Sync)) -> (Vec<u8>, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big");
    std::fs::write(&path, content(3)).unwrap();
    let repo = repository();
    let change = || change(&path);
    let meddler = Meddler { change: &change, stored: AtomicU64::new(0), problems: AtomicU64::new(0) };
    let outcome = commit_file(&repo, dir.path(), "main", 2, &meddler);
    assert_eq!((outcome.problems, meddler.problems.into_inner()), (1, 1));
    (content_of(&repo, &outcome), std::fs::read(&path).unwrap())
}

#[test]
fn a_file_cut_short_meanwhile_is_recorded_as_it_is_then_and_reported() {
    let shorten =
        |path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(7_000_000).unwrap();
    let (recorded, live) = meddle(&shorten);
    assert!(recorded == live, "{} bytes of {}", recorded.len(), live.len());
}

#[test]
fn a_file_written_over_meanwhile_is_recorded_as_a_whole_and_reported() {
    let (recorded, live) = meddle(&|path: &Path| std::fs::write(path, content(4)).unwrap());
    assert_eq!((recorded.len(), live.len()), (LEN, LEN));
}
