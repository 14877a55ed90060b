//! What changed a little is stored as a difference to what was there, and comes back whole.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use common::{Bench, chunkers, request};
use warp::cas::{CasError, DeltaOf};
use warp::compress::{DeltaEncoder, Level};
use warp::format::dirtree::{DirEntry, DirNode, EntryKind, Owner, Timestamp};
use warp::format::node::ContentRoot;
use warp::format::pack::{Bases, DeltaEntry};
use warp::id::{ChunkId, ObjectKind};
use warp::observe::Silent;
use warp::ops::{self, CommitOutcome, CommitRequest, DiffOptions, RestoreRequest, Side, Source};
use warp::repo::Repository;
use warp::testing::{Forger, RecordingObserver, Rng, assert_same_tree};

const FILES: usize = 60;

/// Texts of 3 to 200 KB, and one file that is worked on in pieces.
fn make_texts(dir: &Path) {
    let mut rng = Rng::new(1);
    std::fs::create_dir_all(dir).unwrap();
    for number in 0..FILES {
        let len = 3_000 + rng.below(200_000);
        std::fs::write(dir.join(format!("text-{number}")), rng.text(len)).unwrap();
    }
    std::fs::write(dir.join("large"), rng.bytes(5_000_000)).unwrap();
}

/// Changes a few bytes of every file, and inserts a few.
fn edit_texts(dir: &Path, seed: u64) {
    let mut rng = Rng::new(seed);
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut content = std::fs::read(&path).unwrap();
        for _ in 0..=content.len() / 1_000_000 {
            let at = rng.below(content.len() - 20);
            let len = 1 + rng.below(20);
            content.splice(at..at + len / 2, rng.bytes(len));
        }
        std::fs::write(&path, content).unwrap();
    }
}

/// Every object of the repository that is stored as a delta, after a look at its bases.
fn deltas(repo: &Repository) -> Vec<(ObjectKind, DeltaEntry)> {
    let mut found = Vec::new();
    for pack in repo.state().packs.keys() {
        let map = repo.chunks().map(*pack).unwrap();
        for (entry, block, slot) in map.rows() {
            if let Some(delta) = map.delta(block, slot) {
                for &base in delta.bases.iter() {
                    let base = repo.chunks().index().find_below(entry.kind, base, delta.depth).unwrap();
                    assert!(base.is_some(), "the base of a delta is there, less deep than the delta");
                }
                found.push((entry.kind, *delta));
            }
        }
    }
    found
}

fn commit_without(bench: &Bench, source: &Path) -> CommitOutcome {
    let request = CommitRequest { delta_depth: Some(0), ..request(source) };
    ops::commit(&bench.repo, request, &Silent).unwrap()
}

#[test]
fn small_edits_cost_little_and_every_version_comes_back_whole() {
    for chunker in chunkers() {
        let mut bench = Bench::with(chunker);
        let source = bench.path("source");
        make_texts(&source);
        let mut versions = Vec::new();
        for version in 0..5 {
            let outcome = bench.commit(&source);
            if version > 0 {
                let deltas = outcome.deltas;
                assert!(deltas.objects > 50 && deltas.bytes > 300_000, "{version}: {deltas:?}");
                assert!(deltas.stored_bytes * 20 < deltas.bytes, "{version}: {deltas:?}");
                // Keys are drawn anew: how many chunks find no base differs from run to run.
                assert!(outcome.stats.stored_bytes * 2 < outcome.stats.new_bytes, "{version}: {outcome:?}");
            }
            let copy = bench.restore(outcome.commit.unwrap(), &format!("copy-{version}"));
            assert_same_tree(&source, &copy);
            versions.push((outcome.commit.unwrap(), copy));
            edit_texts(&source, version);
        }
        bench.reopen();
        assert!(deltas(&bench.repo).iter().any(|(kind, _)| *kind == ObjectKind::Chunk));
        for (index, (commit, copy)) in versions.iter().enumerate() {
            assert_same_tree(copy, &bench.restore(*commit, &format!("again-{index}")));
        }
    }
}

#[test]
fn without_deltas_everything_that_changed_is_stored_in_full() {
    let bench = Bench::new();
    let source = bench.path("source");
    make_texts(&source);
    bench.commit(&source);
    edit_texts(&source, 1);
    let outcome = commit_without(&bench, &source);
    assert_eq!(outcome.deltas, ops::DeltaCounts::default());
    assert_eq!(deltas(&bench.repo), []);
    bench.repo.set_setting("delta", Some("off")).unwrap();
    edit_texts(&source, 2);
    assert_eq!(bench.commit(&source).deltas, ops::DeltaCounts::default());
    assert!(bench.repo.set_setting("delta", Some("maybe")).is_err());
    bench.repo.set_setting("delta", None).unwrap();
    edit_texts(&source, 3);
    assert!(bench.commit(&source).deltas.objects > FILES as u64 / 2);
}

#[test]
fn what_has_nothing_in_common_with_what_was_there_is_stored_in_full() {
    let bench = Bench::new();
    let source = bench.path("source");
    make_texts(&source);
    bench.commit(&source);
    let before = chunk_deltas(&bench.repo).len();
    let mut rng = Rng::new(9);
    for number in 0..FILES {
        std::fs::write(source.join(format!("text-{number}")), rng.bytes(50_000)).unwrap();
    }
    let outcome = bench.commit(&source);
    assert_eq!(chunk_deltas(&bench.repo).len(), before, "{outcome:?}");
    let copy = bench.restore(outcome.commit.unwrap(), "copy");
    assert_same_tree(&source, &copy);
}

/// Deltas of chunks.
fn chunk_deltas(repo: &Repository) -> Vec<DeltaEntry> {
    let chunks = deltas(repo).into_iter().filter(|(kind, _)| *kind == ObjectKind::Chunk);
    chunks.map(|(_, delta)| delta).collect()
}

#[test]
fn a_file_that_was_renamed_and_edited_is_a_difference_to_what_it_was() {
    let bench = Bench::new();
    let source = bench.path("source");
    make_texts(&source);
    bench.commit(&source);
    std::fs::rename(&source, bench.path("elsewhere")).unwrap();
    std::fs::create_dir_all(source.join("deep/down")).unwrap();
    for number in 0..FILES {
        let to = source.join(format!("deep/down/{}", 7 * number % FILES));
        std::fs::rename(bench.path(&format!("elsewhere/text-{number}")), to).unwrap();
    }
    edit_texts(&source.join("deep/down"), 1);
    let outcome = bench.commit(&source);
    // Of the texts that are too short for a sketch nothing is found.
    assert!(outcome.deltas.objects > FILES as u64 / 2, "{outcome:?}");
    assert!(outcome.stats.stored_bytes * 3 < outcome.stats.new_bytes / 3, "{outcome:?}");
    assert_same_tree(&source, &bench.restore(outcome.commit.unwrap(), "copy"));
}

#[test]
fn what_is_alike_within_one_commit_is_stored_as_differences() {
    for threads in [1, 2] {
        let bench = Bench::new();
        let source = bench.path("source");
        for version in 0..6 {
            make_texts(&source.join(format!("v{version}")));
            edit_texts(&source.join(format!("v{version}")), version);
        }
        let outcome =
            ops::commit(&bench.repo, CommitRequest { threads, ..request(&source) }, &Silent).unwrap();
        // What is equal counts as new once. With two threads a chunk may come before the block with its base is done.
        assert!(outcome.deltas.bytes * 5 > outcome.stats.new_bytes * 2, "{outcome:?}");
        assert_same_tree(&source, &bench.restore(outcome.commit.unwrap(), "copy"));
        assert!(!chunk_deltas(&bench.repo).is_empty());
    }
}

#[test]
fn a_chunk_that_spans_two_old_ones_is_a_difference_to_both() {
    let bench = Bench::new();
    let source = bench.path("source");
    std::fs::create_dir(&source).unwrap();
    let mut rng = Rng::new(3);
    let parts: Vec<Vec<u8>> = (0..60).map(|_| rng.bytes(25_000)).collect();
    for (number, part) in parts.iter().enumerate() {
        std::fs::write(source.join(format!("part-{number}")), part).unwrap();
    }
    bench.commit(&source);
    for number in (0..60).step_by(2) {
        std::fs::write(source.join(format!("pair-{number}")), parts[number..number + 2].concat()).unwrap();
    }
    let outcome = bench.commit(&source);
    let of_two = chunk_deltas(&bench.repo).iter().filter(|delta| delta.bases.len() == 2).count();
    // Both halves must have two features of six in the whole's sketch, under keys that are drawn anew.
    assert!(of_two >= 10, "{of_two} of 30: {outcome:?}");
    assert!(outcome.stats.stored_bytes * 5 < outcome.stats.new_bytes * 4, "{outcome:?}");
    assert_same_tree(&source, &bench.restore(outcome.commit.unwrap(), "copy"));
}

#[test]
fn differences_lie_one_above_the_other_only_as_deep_as_they_may() {
    for depth in 1..=4 {
        let mut bench = Bench::new();
        let source = bench.path("source");
        make_texts(&source);
        let mut versions = Vec::new();
        for version in 0..7 {
            let request = CommitRequest { delta_depth: Some(depth), ..request(&source) };
            let commit = ops::commit(&bench.repo, request, &Silent).unwrap().commit.unwrap();
            versions.push((commit, bench.restore(commit, &format!("copy-{version}"))));
            edit_texts(&source, version);
        }
        bench.reopen();
        let deepest = chunk_deltas(&bench.repo).iter().map(|delta| delta.depth).max();
        assert_eq!(deepest, Some(depth));
        for (index, (commit, copy)) in versions.iter().enumerate() {
            assert_same_tree(copy, &bench.restore(*commit, &format!("again-{index}")));
        }
    }
}

#[test]
fn a_stream_is_a_difference_to_what_came_before_under_its_name() {
    let bench = Bench::new();
    let record = |text: &[u8]| {
        let reader = Box::new(std::io::Cursor::new(text.to_vec()));
        let source = Source::Stream { name: b"dump".to_vec(), reader };
        let request = CommitRequest { source, ..request(Path::new("unused")) };
        ops::commit(&bench.repo, request, &Silent).unwrap()
    };
    // Less than what gives the index sketches.
    let mut text = Rng::new(4).text(600_000);
    record(&text);
    text.splice(300_000..300_010, *b"something else that came in between");
    let outcome = record(&text);
    assert!(outcome.deltas.objects > 0, "{outcome:?}");
    assert!(outcome.stats.stored_bytes * 10 < outcome.stats.new_bytes, "{outcome:?}");
}

#[test]
fn statistics_count_what_is_stored_as_differences() {
    let bench = Bench::new();
    let source = bench.path("source");
    make_texts(&source);
    bench.commit(&source);
    let before = ops::stats(&bench.repo, &[], &Silent).unwrap();
    assert_eq!((before.deltas, before.deltas_by_depth), (ops::DeltaCounts::default(), [0; 4]));
    assert_eq!((before.deltas_in_full, before.deltas_save()), (0, 0));
    let mut counted = ops::DeltaCounts::default();
    for version in 1..4 {
        edit_texts(&source, version);
        let request = CommitRequest { delta_depth: Some(2), ..request(&source) };
        let deltas = ops::commit(&bench.repo, request, &Silent).unwrap().deltas;
        counted.objects += deltas.objects;
        counted.bytes += deltas.bytes;
        counted.stored_bytes += deltas.stored_bytes;
    }
    let stats = ops::stats(&bench.repo, &[], &Silent).unwrap();
    assert_eq!(stats.deltas, counted);
    let found = deltas(&bench.repo);
    let of_depth = |depth| found.iter().filter(|(_, delta)| delta.depth == depth).count() as u64;
    assert_eq!(stats.deltas_by_depth, [1, 2, 3, 4].map(of_depth));
    assert!(stats.deltas_by_depth[1] > 0 && stats.deltas_by_depth[2] == 0, "{stats:?}");
    let several = found.iter().filter(|(_, delta)| delta.bases.len() > 1).count() as u64;
    assert_eq!(stats.deltas_of_several_bases, several);
    // Random text shrinks, but not to nothing.
    let in_full = stats.deltas_in_full;
    assert!(in_full < counted.bytes && in_full > counted.bytes / 4, "{stats:?}");
    assert_eq!(stats.deltas_save(), in_full - counted.stored_bytes);
}

#[test]
fn what_a_commit_costs_is_told_without_a_block_of_data() {
    let mut bench = Bench::new();
    let source = bench.path("source");
    make_texts(&source);
    let first = bench.commit(&source).commit.unwrap();
    edit_texts(&source, 1);
    std::fs::write(source.join("new"), Rng::new(3).bytes(100_000)).unwrap();
    let outcome = bench.commit(&source);
    let costs = |repo: &Repository| {
        let options = DiffOptions { costs: true, ..DiffOptions::default() };
        let (old, new) = (Side::Commit(first), Side::Commit(outcome.commit.unwrap()));
        let mut sink = |_| ControlFlow::Continue(());
        ops::diff(repo, &old, &new, &options, &mut sink, &Silent).unwrap().costs.unwrap()
    };
    let found = costs(&bench.repo);
    // Beside chunks, a commit stores nodes.
    let told = outcome.deltas;
    assert!(found.deltas.objects > 50 && found.deltas.objects <= told.objects, "{found:?}, {told:?}");
    assert!(
        found.deltas.bytes <= told.bytes && found.bytes <= outcome.stats.new_bytes,
        "{found:?}, {told:?}"
    );
    assert!(found.stored_bytes > 100_000 && found.stored_bytes * 2 < found.bytes, "{found:?}");
    assert_eq!((found.missing, found.one_in), (0, 1));
    // Spoils blocks of the pack of the first commit's files.
    let packs = std::fs::read_dir(bench.path("repo/packs")).unwrap().map(|entry| entry.unwrap().path());
    let largest = packs.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle - 1_000_000..middle + 1_000_000].fill(0);
    std::fs::remove_file(&largest).unwrap();
    std::fs::write(&largest, bytes).unwrap();
    bench.reopen();
    assert_eq!(costs(&bench.repo), found);
}

/// A commit of one file, which is one chunk.
fn forged_file(forger: &mut Forger<'_>, id: ChunkId, len: usize) -> DirEntry {
    let content = ContentRoot::Tree { level: 0, id, len: len as u64, repeat: 1 };
    let entry = |name: &[u8], kind| DirEntry {
        name: name.to_vec(),
        kind,
        mode: 0o700,
        owner: Owner::default(),
        mtime: Timestamp { secs: 1, nanos: 0 },
        xattrs: Vec::new(),
        hard_link: 0,
    };
    let file = entry(b"file", EntryKind::File { content, sparse: false });
    let node = forger.put_dir(&DirNode::Leaf(vec![file]));
    entry(b"", EntryKind::Dir { node: Some(node) })
}

/// The content of the file that is stored as a delta.
fn content() -> Vec<u8> {
    Rng::new(5).bytes(1500)
}

/// What reading a chunk that is stored as this delta comes to, and that a restore of it fails for that file alone.
fn read_forged(make: impl FnOnce(&mut Forger<'_>, ChunkId) -> (ChunkId, Vec<u8>, usize)) -> CasError {
    let bench = Bench::new();
    let content = content();
    let id = bench.repo.chunks().vault().keyring().object_id(ObjectKind::Chunk, &content);
    let mut forger = Forger::new(&bench.repo);
    let (base, frame, len) = make(&mut forger, id);
    forger.put_delta(ObjectKind::Chunk, id, frame, of(base, len));
    let root = forged_file(&mut forger, id, content.len());
    let commit = forger.commit(root);
    let observer = RecordingObserver::new();
    let target = bench.path("target");
    let outcome = ops::restore(&bench.repo, RestoreRequest::new(commit, &target), &observer).unwrap();
    assert_eq!(outcome.problems, 1, "{:?}", observer.problems());
    assert!(!target.join("file").exists());
    let error = bench.repo.chunks().get(ObjectKind::Chunk, &id).unwrap_err();
    assert!(error.is_damage() || matches!(error, CasError::TooLarge { .. }), "{error}");
    error
}

fn of(base: ChunkId, len: usize) -> DeltaOf {
    DeltaOf { bases: Bases::new(&[base.locator()]).unwrap(), depth: 1, len }
}

fn frame_of(base: &[u8], content: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    DeltaEncoder::new(Level::Auto).unwrap().encode(base, content, &mut frame).unwrap();
    frame
}

#[test]
fn crafted_deltas_are_errors_that_name_what_is_wrong() {
    let base = b"base ".repeat(300);
    let content = content();
    let len = content.len();

    // A base that no pack holds, and a chunk that is its own base: the same thing, since a base must be stored in full.
    let missing = read_forged(|_, _| (ChunkId::new([7; 32]), frame_of(&base, &content), len));
    assert!(matches!(missing, CasError::MissingBase { .. }), "{missing}");
    let own = read_forged(|_, id| (id, frame_of(&content, &content.clone()), len));
    assert!(matches!(own, CasError::MissingBase { .. }), "{own}");

    // Two deltas that are each other's base.
    let ring = read_forged(|forger, id| {
        let other = ChunkId::new([9; 32]);
        forger.put_delta(ObjectKind::Chunk, other, frame_of(&content, &base), of(id, base.len()));
        (other, frame_of(&base, &content), len)
    });
    assert!(matches!(ring, CasError::MissingBase { .. }), "{ring}");

    // A base that is as deep as the delta itself.
    let deep = read_forged(|forger, _| {
        let other = forger.id(ObjectKind::Chunk, &base);
        let full = forger.put(ObjectKind::Chunk, b"full".to_vec());
        forger.put_delta(ObjectKind::Chunk, other, frame_of(b"full", &base), of(full, base.len()));
        (other, frame_of(&base, &content), len)
    });
    assert!(matches!(deep, CasError::MissingBase { .. }), "{deep}");

    // Another base than the one that it was made with, a frame cut short, and frames that make something else.
    let wrong = |base: &[u8], frame: Vec<u8>, len: usize| {
        read_forged(|forger, _| (forger.put(ObjectKind::Chunk, base.to_vec()), frame, len))
    };
    let exchanged =
        wrong(b"another base, of which nothing is the same", frame_of(&content, &content.clone()), len);
    assert!(matches!(exchanged, CasError::WrongDelta { .. }), "{exchanged}");
    let mut short = frame_of(&base, &content);
    short.truncate(short.len() - 3);
    let short = wrong(&base, short, len);
    assert!(matches!(short, CasError::WrongDelta { source: Some(_), .. }), "{short}");
    let other = wrong(&base, frame_of(&base, &content[1..]), len - 1);
    assert!(matches!(other, CasError::WrongDelta { source: None, .. }), "{other}");

    // A frame that claims more than the chunk's length, and a length over every limit.
    let bomb = wrong(&base, frame_of(&base, &vec![0; 3_000_000]), len);
    assert!(matches!(bomb, CasError::WrongDelta { source: Some(_), .. }), "{bomb}");
}

#[test]
fn a_base_that_is_gone_is_named_with_every_file_that_needs_it() {
    let mut bench = Bench::new();
    let source = bench.path("source");
    make_texts(&source);
    let first = bench.commit(&source).commit.unwrap();
    edit_texts(&source, 1);
    let second = bench.commit(&source).commit.unwrap();
    assert!(!deltas(&bench.repo).is_empty());
    // The pack of the first commit's files, which hold the bases.
    let packs = std::fs::read_dir(bench.path("repo/packs")).unwrap();
    let largest =
        packs.map(|entry| entry.unwrap()).max_by_key(|entry| entry.metadata().unwrap().len()).unwrap();
    std::fs::remove_file(largest.path()).unwrap();
    bench.reopen();
    for commit in [first, second] {
        let observer = RecordingObserver::new();
        let target = bench.path(&format!("target-{commit}"));
        let outcome = ops::restore(&bench.repo, RestoreRequest::new(commit, &target), &observer).unwrap();
        assert_eq!(outcome.problems, FILES as u64 + 1, "{:?}", observer.problems());
    }
}
