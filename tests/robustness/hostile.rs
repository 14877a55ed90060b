//! Repositories whose trees want to write outside the target, and directories that turn into links during a restore.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use warp::format::dirtree::{DirChild, DirEntry, DirNode, EntryKind};
use warp::format::node::ContentRoot;
use warp::id::{ChunkId, CommitId, ObjectKind};
use warp::observe::Silent;
use warp::ops::{self, RestoreRequest};
use warp::testing::{Forger, RecordingObserver, differences, entry, snapshot};

use crate::common::{Bench, request};

fn file(forger: &mut Forger<'_>, name: &[u8]) -> DirEntry {
    let content = forger.put_file(b"evil");
    entry(name, EntryKind::File { content, sparse: false })
}

fn link(name: &[u8], target: &[u8]) -> DirEntry {
    entry(name, EntryKind::Symlink { target: target.to_vec() })
}

fn dir(forger: &mut Forger<'_>, name: &[u8], entries: Vec<DirEntry>) -> DirEntry {
    let node = Some(forger.put_dir(&DirNode::Leaf(entries)));
    entry(name, EntryKind::Dir { node })
}

fn grouped(entry: DirEntry, hard_link: u64) -> DirEntry {
    DirEntry { hard_link, ..entry }
}

/// A folder with a target in it and things around it that nothing may touch.
struct Canary {
    bench: Bench,
    root: PathBuf,
}

impl Canary {
    fn new() -> Self {
        let bench = Bench::new();
        let root = bench.path("canary");
        fs::create_dir_all(root.join("outside")).unwrap();
        fs::write(root.join("victim"), "untouched").unwrap();
        fs::write(root.join("outside/file"), "untouched").unwrap();
        Self { bench, root }
    }

    fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Restores into a new target; true if all went well. Nothing around the target may have changed.
    fn restore(&self, commit: CommitId, what: &str) -> bool {
        let _ = fs::remove_dir_all(self.target());
        fs::create_dir(self.target()).unwrap();
        let around = || {
            let beside = fs::read_dir(&self.root).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<_> = beside.filter(|name| name != "target").collect();
            names.sort();
            let victim = fs::read(self.root.join("victim")).unwrap();
            (names, victim, snapshot(&self.root.join("outside")).unwrap())
        };
        let before = around();
        let observer = RecordingObserver::new();
        let request = RestoreRequest { verify: true, ..RestoreRequest::new(commit, self.target()) };
        let outcome = ops::restore(&self.bench.repo, request, &observer);
        assert_eq!(before, around(), "{what}: wrote outside the target");
        match outcome {
            Ok(outcome) => outcome.problems == 0,
            Err(error) => {
                assert!(!error.to_string().is_empty(), "{what}");
                false
            }
        }
    }

    /// Restores what `make` makes below the root; returns whether all went well.
    fn forge(&self, what: &str, make: impl FnOnce(&mut Forger<'_>) -> EntryKind) -> bool {
        let mut forger = Forger::new(&self.bench.repo);
        let kind = make(&mut forger);
        let commit = forger.commit(entry(b"", kind));
        self.restore(commit, what)
    }

    fn forge_leaf(&self, what: &str, make: impl FnOnce(&mut Forger<'_>) -> Vec<DirEntry>) -> bool {
        self.forge(what, |forger| {
            let entries = make(forger);
            dir(forger, b"", entries).kind
        })
    }
}

#[test]
fn names_that_lead_elsewhere_write_nothing_outside_and_are_refused() {
    let canary = Canary::new();
    let absolute = canary.root.join("absolute");
    let long = vec![b'n'; 256];
    let names: [&[u8]; 12] = [
        b"..",
        b".",
        b"",
        b"../escape",
        b"../victim",
        b"a/b",
        b"a/../../escape",
        b"/",
        b"nul\0inside",
        b"\0",
        absolute.to_str().unwrap().as_bytes(),
        &long,
    ];
    for name in names {
        let shown = String::from_utf8_lossy(name);
        assert!(
            !canary.forge_leaf(&format!("file {shown:?}"), |forger| vec![file(forger, name)]),
            "{shown:?}"
        );
        assert!(
            !canary.forge_leaf(&format!("directory {shown:?}"), |forger| {
                let inner = file(forger, b"victim");
                vec![dir(forger, name, vec![inner])]
            }),
            "{shown:?}"
        );
        assert!(
            !canary.forge_leaf(&format!("link {shown:?}"), |_| vec![link(name, b"../victim")]),
            "{shown:?}"
        );
    }
}

#[test]
fn two_entries_of_one_name_and_entries_out_of_order_are_refused() {
    let canary = Canary::new();
    for target in [&b"../outside"[..], canary.root.join("outside").to_str().unwrap().as_bytes()] {
        for link_first in [true, false] {
            let well = canary.forge_leaf("a link, and a directory of its name", |forger| {
                let inner = file(forger, b"file");
                let folder = dir(forger, b"twin", vec![inner]);
                let link = link(b"twin", target);
                if link_first { vec![link, folder] } else { vec![folder, link] }
            });
            assert!(!well);
        }
        assert!(!canary.forge_leaf("a link, and a file of its name", |forger| {
            vec![link(b"twin", b"../victim"), file(forger, b"twin")]
        }));
    }
    assert!(!canary.forge_leaf("two files", |forger| vec![file(forger, b"a"), file(forger, b"a")]));
    assert!(!canary.forge_leaf("out of order", |forger| vec![file(forger, b"b"), file(forger, b"a")]));
}

#[test]
fn case_twins_and_links_to_elsewhere_are_restored_as_what_they_are() {
    let canary = Canary::new();
    assert!(canary.forge_leaf("case twins", |forger| {
        let inner = file(forger, b"file");
        vec![dir(forger, b"OUT", vec![inner]), link(b"out", b"../outside")]
    }));
    assert_eq!(fs::read_link(canary.target().join("out")).unwrap(), Path::new("../outside"));
    assert_eq!(fs::read(canary.target().join("OUT/file")).unwrap(), b"evil");
}

#[test]
fn hard_link_groups_reach_nothing_outside() {
    let canary = Canary::new();
    canary.forge_leaf("a link to outside, and a file of its group", |forger| {
        vec![grouped(link(b"a", b"../victim"), 7), grouped(file(forger, b"b"), 7)]
    });
    canary.forge_leaf("a directory and a file of one group", |forger| {
        let inner = file(forger, b"file");
        vec![grouped(dir(forger, b"a", vec![inner]), 7), grouped(file(forger, b"b"), 7)]
    });
    canary.forge_leaf("files of different content in one group", |forger| {
        let other = forger.put_file(b"other");
        let other = entry(b"b", EntryKind::File { content: other, sparse: false });
        vec![grouped(file(forger, b"a"), 7), grouped(other, 7)]
    });
    assert_eq!(fs::read(canary.root.join("victim")).unwrap(), b"untouched");
}

#[test]
fn huge_counts_lengths_and_levels_are_refused_without_taking_memory_or_disk() {
    let canary = Canary::new();
    let node = |bytes: &[u8]| {
        let bytes = bytes.to_vec();
        canary.forge("a node of given bytes", |forger| EntryKind::Dir {
            node: Some(forger.put(ObjectKind::DirNode, bytes)),
        })
    };
    let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for level in [0, 1, 255] {
        assert!(!node(&[&[1, level][..], &huge].concat()), "a huge count at level {level}");
        assert!(!node(&[&[1, level, 1][..], &huge, &huge].concat()), "a huge length at level {level}");
        assert!(!node(&[1, level]), "a node that ends early at level {level}");
    }
    assert!(!node(&[]) && !node(&[255]), "no node, and a newer one");
    for (level, entries) in [(1, u64::MAX), (255, 1), (2, 1)] {
        let well = canary.forge("an inner node that lies about its child", |forger| {
            let inner = file(forger, b"a");
            let id = forger.put_dir(&DirNode::Leaf(vec![inner]));
            let children = vec![DirChild { first: b"a".to_vec(), id, entries }];
            EntryKind::Dir { node: Some(forger.put_dir(&DirNode::Inner { level, children })) }
        });
        assert!(!well, "level {level}, {entries} entries");
    }
    for (level, len, repeat) in
        [(0, 1 << 40, 1), (0, u64::MAX, 2), (9, 4, 1), (1, 4, 1), (0, 5, 1), (0, 3, 1)]
    {
        let well = canary.forge_leaf("content that lies about its length", |forger| {
            let id = forger.put(ObjectKind::Chunk, b"evil".to_vec());
            let content = ContentRoot::Tree { level, id, len, repeat };
            vec![entry(b"a", EntryKind::File { content, sparse: false })]
        });
        assert!(!well, "level {level}, {len} bytes {repeat} times");
    }
    let nowhere = ContentRoot::Tree { level: 0, id: ChunkId::new([9; 32]), len: 4, repeat: 1 };
    assert!(!canary.forge_leaf("content that is nowhere", |_| {
        vec![entry(b"a", EntryKind::File { content: nowhere, sparse: false })]
    }));
}

#[test]
fn a_node_that_stands_in_a_directory_a_billion_times_is_refused() {
    let canary = Canary::new();
    let well = canary.forge("one leaf under many names", |forger| {
        let inner = file(forger, b"000");
        let mut id = forger.put_dir(&DirNode::Leaf(vec![inner]));
        for level in 1..4 {
            let name = |number: u32| format!("{number:03}").into_bytes();
            let entries = 1000u64.pow(u32::from(level) - 1);
            let children = (0..1000).map(|number| DirChild { first: name(number), id, entries });
            id = forger.put_dir(&DirNode::Inner { level, children: children.collect() });
        }
        EntryKind::Dir { node: Some(id) }
    });
    assert!(!well);
}

#[test]
fn directories_nested_thousands_deep_neither_overflow_a_stack_nor_leave_the_target() {
    let canary = Canary::new();
    for (levels, name) in [(3000, &b"d"[..]), (3000, b"directory"), (2040, b"d")] {
        canary.forge(&format!("{levels} nested directories"), |forger| {
            let mut inner = file(forger, b"deep");
            for _ in 0..levels {
                inner = dir(forger, name, vec![inner]);
            }
            inner.kind
        });
        // The standard library would remove it by recursion.
        let removed = std::process::Command::new("rm").arg("-rf").arg(canary.target()).status().unwrap();
        assert!(removed.success());
    }
}

#[test]
fn a_directory_that_turns_into_a_link_during_a_restore_lets_nothing_out() {
    let canary = Canary::new();
    let source = canary.bench.path("source");
    for folder in ["swapped", "swapped/inner"] {
        fs::create_dir_all(source.join(folder)).unwrap();
        for number in 0..40 {
            fs::write(source.join(folder).join(format!("file-{number}")), format!("content {number}"))
                .unwrap();
        }
    }
    let commit = ops::commit(&canary.bench.repo, request(&source), &Silent).unwrap().commit.unwrap();
    assert!(canary.restore(commit, "before the swaps"));
    let outside = snapshot(&canary.root.join("outside")).unwrap();
    let done = AtomicBool::new(false);
    let (folder, hidden) = (canary.target().join("swapped"), canary.target().join("hidden"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut swaps = 0;
            while !done.load(Ordering::Relaxed) {
                // Each step may fail, as the restore makes and removes the same names.
                let _ = fs::rename(&folder, &hidden);
                let _ = symlink("../outside", &folder);
                std::thread::yield_now();
                let _ = fs::remove_file(&folder);
                let _ = fs::rename(&hidden, &folder);
                swaps += 1;
            }
            println!("swapped {swaps} times");
        });
        for _ in 0..60 {
            // Whether it succeeds is chance; what it writes is not.
            let _ = ops::restore(&canary.bench.repo, RestoreRequest::new(commit, canary.target()), &Silent);
        }
        done.store(true, Ordering::Relaxed);
    });
    let found = snapshot(&canary.root.join("outside")).unwrap();
    assert_eq!(differences(&outside, &found), Vec::<String>::new());
    assert!(canary.restore(commit, "after the swaps"));
}
