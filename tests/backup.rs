//! Trees go into a repository and come back whole.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::{Bench, chunkers, request};
use warp::observe::Silent;
use warp::ops::{self, CommitRequest, Source};
use warp::testing::{Rng, assert_same_tree, edit_tree, make_tree};

#[test]
fn odd_trees_and_their_edits_come_back_whole_from_every_commit() {
    for (seed, chunker) in (0..).zip(chunkers()) {
        let mut bench = Bench::with(chunker);
        let source = bench.path("source");
        make_tree(&source, seed, 60).unwrap();
        let mut versions = Vec::new();
        for version in 0..3 {
            let commit = bench.commit(&source).commit.expect("something changed");
            let copy = bench.restore(commit, &format!("restored-{version}"));
            assert_same_tree(&source, &copy);
            versions.push((commit, copy));
            edit_tree(&source, seed * 100 + version, 12).unwrap();
        }
        bench.reopen();
        for (index, (commit, copy)) in versions.iter().enumerate() {
            let again = bench.restore(*commit, &format!("again-{index}"));
            assert_same_tree(copy, &again);
        }
        assert_eq!(bench.repo.chunker_params(), chunker.params());
    }
}

#[test]
fn a_second_commit_of_the_same_tree_stores_nothing_and_reads_nothing() {
    let bench = Bench::new();
    let source = bench.path("source");
    make_tree(&source, 7, 80).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(80));
    bench.commit(&source);
    let blobs = || walkdir::WalkDir::new(bench.path("repo")).into_iter().count();
    let before = blobs();
    let outcome = bench.commit(&source);
    assert_eq!(outcome.commit, None);
    assert_eq!((outcome.new_files, outcome.changed_files), (0, 0));
    assert_eq!(blobs(), before);
}

#[test]
fn a_small_commit_adds_one_pack_and_one_log_entry() {
    let bench = Bench::new();
    let source = bench.path("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("a"), "content").unwrap();
    let files = |folder: &str| std::fs::read_dir(bench.path("repo").join(folder)).unwrap().count();
    let before = (files("packs"), files("index"), files("log"));
    bench.commit(&source);
    assert_eq!((files("packs"), files("index"), files("log")), (before.0 + 1, before.1, before.2 + 1));
}

#[test]
fn absolute_paths_come_back_below_the_target() {
    let bench = Bench::new();
    let (one, two) = (bench.path("some/where/one"), bench.path("some/two"));
    make_tree(&one, 1, 20).unwrap();
    make_tree(&two, 2, 20).unwrap();
    let source = Source::Paths(vec![two.clone(), one.clone()]);
    let request = CommitRequest { source, branch: None, ..request(&one) };
    let outcome = ops::commit(&bench.repo, request, &Silent).unwrap();
    let target = bench.restore(outcome.commit.unwrap(), "target");
    for source in [&one, &two] {
        assert_same_tree(source, &target.join(source.strip_prefix("/").unwrap()));
    }
}

#[test]
fn a_stream_becomes_a_file() {
    chunkers().map(Bench::with).iter().for_each(stream_becomes_a_file);
}

fn stream_becomes_a_file(bench: &Bench) {
    let content: Vec<u8> = (0..3_000_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    let source = Source::Stream {
        name: b"dump.sql".to_vec(),
        reader: Box::new(std::io::Cursor::new(content.clone())),
    };
    let request = CommitRequest { source, ..request(Path::new("/")) };
    let outcome = ops::commit(&bench.repo, request, &Silent).unwrap();
    let target = bench.restore(outcome.commit.unwrap(), "target");
    assert!(std::fs::read(target.join("dump.sql")).unwrap() == content);
}

#[test]
fn a_sparse_file_of_a_tebibyte_commits_and_comes_back_in_no_time() {
    chunkers().map(Bench::with).iter().for_each(tebibyte_comes_back);
}

fn tebibyte_comes_back(bench: &Bench) {
    let source = bench.path("source");
    std::fs::create_dir(&source).unwrap();
    let file = std::fs::File::create(source.join("sparse")).unwrap();
    file.set_len(1 << 40).unwrap();
    use std::os::unix::fs::FileExt;
    file.write_at(b"in the middle", 1 << 39).unwrap();
    let commit = bench.commit(&source).commit.unwrap();
    let target = bench.restore(commit, "target");
    let copy = std::fs::File::open(target.join("sparse")).unwrap();
    assert_eq!(copy.metadata().unwrap().len(), 1 << 40);
    let mut middle = [0; 13];
    copy.read_exact_at(&mut middle, 1 << 39).unwrap();
    assert_eq!(&middle, b"in the middle");
    use std::os::unix::fs::MetadataExt;
    assert!(copy.metadata().unwrap().blocks() < 1024, "holes were filled");
}

/// Bytes of all packs.
fn packed(bench: &Bench) -> u64 {
    let files = std::fs::read_dir(bench.path("repo/packs")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_repository_keeps_its_chunker_when_it_is_opened_and_committed_to_again() {
    for chunker in chunkers() {
        let mut bench = Bench::with(chunker);
        let source = bench.path("source");
        std::fs::create_dir(&source).unwrap();
        let mut content = Rng::new(9).bytes(8 << 20);
        std::fs::write(source.join("file"), &content).unwrap();
        bench.commit(&source);
        let before = packed(&bench);
        bench.reopen();
        assert_eq!(bench.repo.chunker_params(), chunker.params());
        // Another chunker, or another key, would cut all of it elsewhere.
        content.insert(3 << 20, b'!');
        std::fs::write(source.join("file"), &content).unwrap();
        let commit = bench.commit(&source).commit.unwrap();
        let more = packed(&bench) - before;
        assert!(more < 1 << 20, "{chunker:?}: one byte wrote {more} bytes");
        assert!(std::fs::read(bench.restore(commit, "target").join("file")).unwrap() == content);
    }
}

#[test]
fn zeros_on_disk_and_a_hole_share_all_their_chunks() {
    for chunker in chunkers() {
        let bench = Bench::with(chunker);
        let source = bench.path("source");
        std::fs::create_dir(&source).unwrap();
        let mut content = Rng::new(10).bytes(9 << 20);
        content[1_000_003..8_000_000].fill(0);
        std::fs::write(source.join("written"), &content).unwrap();
        bench.commit(&source);
        let before = packed(&bench);
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::create(source.join("hole")).unwrap();
        file.write_all_at(&content[..1_000_003], 0).unwrap();
        file.write_all_at(&content[8_000_000..], 8_000_000).unwrap();
        let commit = bench.commit(&source).commit.unwrap();
        let more = packed(&bench) - before;
        assert!(more < 64 << 10, "{chunker:?}: {more} bytes");
        assert!(std::fs::read(bench.restore(commit, "target").join("hole")).unwrap() == content);
    }
}

#[test]
fn many_entries_of_one_directory_share_nodes_between_commits() {
    let bench = Bench::new();
    let source = bench.path("source");
    std::fs::create_dir(&source).unwrap();
    for i in 0..5000 {
        std::fs::write(source.join(format!("file-{i:05}")), format!("content {i}")).unwrap();
    }
    let first = bench.commit(&source).commit.unwrap();
    let before = packed(&bench);
    std::fs::write(source.join("file-02500x"), "new").unwrap();
    let second = bench.commit(&source).commit.unwrap();
    // A few nodes and the state beside them, whose ends depend on random keys: not the listing of 5000 entries.
    let more = packed(&bench) - before;
    assert!(more <= 192 << 10, "one new file wrote {more} bytes");
    assert_ne!(first, second);
    assert_same_tree(&source, &bench.restore(second, "target"));
}

#[test]
fn links_and_fifos_with_several_names_come_back_as_one_inode() {
    use std::os::unix::fs::MetadataExt;
    let bench = Bench::new();
    let source = bench.path("source");
    std::fs::create_dir_all(source.join("sub")).unwrap();
    std::os::unix::fs::symlink("nowhere", source.join("link")).unwrap();
    let (cwd, mode) = (rustix::fs::CWD, rustix::fs::Mode::from_raw_mode(0o600));
    rustix::fs::mknodat(cwd, source.join("fifo"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
    for name in ["link", "fifo"] {
        std::fs::hard_link(source.join(name), source.join(format!("sub/{name}-again"))).unwrap();
    }
    let target = bench.restore(bench.commit(&source).commit.unwrap(), "target");
    for name in ["link", "fifo"] {
        let inode = |path: &Path| path.symlink_metadata().unwrap().ino();
        assert_eq!(inode(&target.join(name)), inode(&target.join(format!("sub/{name}-again"))), "{name}");
    }
    assert_same_tree(&source, &target);
}
