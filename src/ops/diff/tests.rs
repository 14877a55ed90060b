//! Comparisons of commits, against snapshots of the folders and against each other.

mod costs;
mod live;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::super::testkit::chunkers;
use super::super::{OpsError, Selection};
use super::testkit::{Kit, compare, options, short};
use super::*;
use crate::observe::Silent;
use crate::repo::ErrorKind;
use crate::store::StorageBackend;
use crate::testing::{Facts, RecordingObserver, TreeSnapshot, edit_tree, make_tree, snapshot};

/// Where a path stands in the order of a comparison.
type Key = Vec<(bool, Vec<u8>)>;

fn key(path: &[u8], is_dir: bool) -> Key {
    let names: Vec<&[u8]> = path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect();
    let last = names.len().saturating_sub(1);
    names.into_iter().enumerate().map(|(at, name)| (is_dir || at < last, name.to_vec())).collect()
}

fn change_key(change: &Change) -> Key {
    key(&change.path, change.old.as_ref().or(change.new.as_ref()).is_some_and(is_dir))
}

/// What is said of a file beside its content: its hard links by the first of its names.
fn metadata(path: &Path, facts: &Facts, links: &HashMap<&Path, Key>) -> impl PartialEq {
    let link = links.get(facts.same_as.as_deref().unwrap_or(path)).cloned();
    (facts.mode, facts.uid, facts.gid, facts.mtime_ns, facts.xattrs.clone(), link)
}

fn links(tree: &TreeSnapshot) -> HashMap<&Path, Key> {
    let mut links: HashMap<&Path, Key> = HashMap::new();
    for (path, facts) in tree {
        if let Some(first) = facts.same_as.as_deref() {
            let here = key(path.as_os_str().as_bytes(), false);
            let known = links.entry(first).or_insert_with(|| key(first.as_os_str().as_bytes(), false));
            *known = here.min(known.clone());
        }
    }
    links
}

/// The changes between two snapshots, found in the simplest way.
fn expected(old: &TreeSnapshot, new: &TreeSnapshot) -> BTreeMap<Key, ChangeKind> {
    let (old_links, new_links) = (links(old), links(new));
    let mut changes = BTreeMap::new();
    let is_dir = |facts: &Facts| facts.kind == "folder";
    let is_empty = |tree: &TreeSnapshot, path: &Path| tree.keys().all(|other| other.parent() != Some(path));
    let mut lonely = |tree: &TreeSnapshot, path: &Path, facts: &Facts, kind| {
        if !is_dir(facts) || is_empty(tree, path) {
            changes.insert(key(path.as_os_str().as_bytes(), is_dir(facts)), kind);
        }
    };
    let mut both = Vec::new();
    for (path, facts) in old {
        match new.get(path) {
            Some(now) if is_dir(now) == is_dir(facts) => both.push((path, facts, now)),
            _ => lonely(old, path, facts, ChangeKind::Removed),
        }
    }
    for (path, facts) in new {
        if old.get(path).is_none_or(|before| is_dir(before) != is_dir(facts)) {
            lonely(new, path, facts, ChangeKind::Added);
        }
    }
    for (path, old, new) in both {
        let same_content = (old.content, &old.target, old.device) == (new.content, &new.target, new.device);
        let kind = match () {
            () if old.kind != new.kind => ChangeKind::TypeChanged,
            () if !same_content => ChangeKind::Modified,
            () if metadata(path, old, &old_links) != metadata(path, new, &new_links) => ChangeKind::Metadata,
            () => continue,
        };
        changes.insert(key(path.as_os_str().as_bytes(), is_dir(new)), kind);
    }
    changes
}

/// Fails unless the changes are those between the snapshots, in order.
#[track_caller]
fn assert_changes(changes: &[Change], old: &TreeSnapshot, new: &TreeSnapshot, what: &str) {
    let keys: Vec<Key> = changes.iter().map(change_key).collect();
    assert!(keys.is_sorted(), "{what}: out of order");
    let found = changes.iter().filter(|change| !change.path.is_empty());
    let found: BTreeMap<Key, ChangeKind> = found.map(|change| (change_key(change), change.kind)).collect();
    let expected = expected(old, new);
    let show = |map: &BTreeMap<Key, ChangeKind>, other: &BTreeMap<Key, ChangeKind>| {
        let extra = map.iter().filter(|(key, kind)| other.get(*key) != Some(*kind));
        let path = |key: &Key| {
            let names: Vec<&[u8]> = key.iter().map(|(_, name)| name.as_slice()).collect();
            String::from_utf8_lossy(&names.join(&b'/')).into_owned()
        };
        extra.map(|(key, kind)| format!("{kind:?} {}", path(key))).collect::<Vec<_>>()
    };
    let (missing, extra) = (show(&expected, &found), show(&found, &expected));
    assert!(missing.is_empty() && extra.is_empty(), "{what}: missing {missing:#?}, extra {extra:#?}");
}

#[test]
fn changes_between_commits_are_those_between_the_folders() {
    for (seed, chunker) in (0..).zip(chunkers()) {
        let kit = Kit::with(chunker);
        make_tree(&kit.root(), seed, 60).unwrap();
        let (mut before, mut old) = (kit.commit(), snapshot(&kit.root()).unwrap());
        for round in 0..5 {
            edit_tree(&kit.root(), seed * 100 + round, 4 + 12 * round as usize).unwrap();
            let (after, new) = (kit.commit(), snapshot(&kit.root()).unwrap());
            let changes = |old, new| kit.diff(&Side::Commit(old), &Side::Commit(new), &options(1));
            assert_changes(&changes(before, after), &old, &new, &format!("seed {seed}, round {round}"));
            assert_changes(&changes(after, before), &new, &old, &format!("seed {seed}, back {round}"));
            (before, old) = (after, new);
        }
        let all = kit.diff(&Side::Empty, &Side::Commit(before), &options(1));
        assert_changes(&all, &TreeSnapshot::new(), &old, "everything added");
        let all = kit.diff(&Side::Commit(before), &Side::Empty, &options(1));
        assert_changes(&all, &old, &TreeSnapshot::new(), "everything removed");
        assert_eq!(kit.diff(&Side::Commit(before), &Side::Commit(before), &options(1)), []);
    }
}

#[test]
fn what_two_commits_share_is_not_read() {
    let kit = Kit::new();
    // Too much for one small pack, so that the index does not need these packs.
    kit.write("shared/deep/large", crate::testing::Rng::new(1).bytes(3 << 20));
    let zero = kit.commit();
    let packs = kit.store.list("packs/").unwrap();
    kit.write("other/file", "one");
    let one = kit.commit();
    kit.write("other/file", "two");
    let two = kit.commit();
    for pack in packs {
        kit.store.delete(&pack.name).unwrap();
    }
    let repo = kit.reopened();
    let (changes, _) = compare(&repo, &Side::Commit(one), &Side::Commit(two), &options(1), &Silent).unwrap();
    assert_eq!(short(&changes), ["M other/file"]);
    let lost = compare(&repo, &Side::Commit(zero), &Side::Commit(two), &options(1), &Silent);
    assert!(lost.is_err(), "the first commit is gone");
}

#[test]
fn of_a_large_directory_only_the_nodes_that_differ_are_read() {
    let kit = Kit::new();
    for number in 0..4000 {
        kit.write(&format!("many/file-with-a-long-name-{number:05}"), "");
    }
    let one = kit.commit();
    kit.write("many/file-with-a-long-name-02000", "more");
    fs::remove_file(kit.root().join("many/file-with-a-long-name-03000")).unwrap();
    let two = kit.commit();
    let node = |id| {
        let root = kit.repo.version(id).unwrap().commit.root;
        let many = tree_at(&kit, id, &root);
        *super::super::tree::dir_node(&many).unwrap()
    };
    let (old, new) = listing::differing(kit.repo.chunks(), Some(node(one)), Some(node(two))).unwrap();
    assert!(old.len() < 3000 && new.len() < 3000, "{} and {} entries", old.len(), new.len());
    let changes = kit.diff(&Side::Commit(one), &Side::Commit(two), &options(1));
    assert_eq!(short(&changes), ["M many/file-with-a-long-name-02000", "D many/file-with-a-long-name-03000"]);
}

fn tree_at(kit: &Kit, id: CommitId, root: &DirEntry) -> DirEntry {
    super::super::tree::find_path(kit.repo.chunks(), id, root, b"many").unwrap()
}

#[test]
fn every_kind_of_change_has_its_name() {
    let kit = Kit::new();
    for path in ["gone", "mode", "content", "type", "to-dir", "full/x", "same"] {
        kit.write(path, path);
    }
    fs::create_dir(kit.root().join("empty")).unwrap();
    symlink("here", kit.root().join("link")).unwrap();
    let one = kit.commit();
    fs::remove_file(kit.root().join("gone")).unwrap();
    fs::set_permissions(kit.root().join("mode"), fs::Permissions::from_mode(0o700)).unwrap();
    kit.write("content", "other");
    for path in ["type", "to-dir", "link"] {
        fs::remove_file(kit.root().join(path)).unwrap();
    }
    symlink("target", kit.root().join("type")).unwrap();
    symlink("there", kit.root().join("link")).unwrap();
    kit.write("to-dir/inside", "");
    fs::remove_dir_all(kit.root().join("full")).unwrap();
    fs::remove_dir(kit.root().join("empty")).unwrap();
    kit.write("full", "now a file");
    fs::create_dir(kit.root().join("new")).unwrap();
    let two = kit.commit();
    let changes = kit.diff(&Side::Commit(one), &Side::Commit(two), &options(1));
    let expected = [
        "M content",
        "A full",
        "D gone",
        "M link",
        "m mode",
        "D to-dir",
        "T type",
        "D empty",
        "D full/x",
        "A new",
        "A to-dir/inside",
    ];
    assert_eq!(short(&changes), expected);
}

#[test]
fn files_of_the_same_content_that_went_and_came_are_renamed() {
    let kit = Kit::new();
    for (path, content) in
        [("a/one", "1"), ("a/two", "same"), ("b/two", "same"), ("a/empty", ""), ("big", "x"), ("stays", "s")]
    {
        kit.write(path, content);
    }
    let one = kit.commit();
    fs::rename(kit.root().join("a"), kit.root().join("c")).unwrap();
    fs::rename(kit.root().join("b/two"), kit.root().join("b/other")).unwrap();
    fs::remove_file(kit.root().join("big")).unwrap();
    kit.write("copy-of-stays", "s");
    kit.write("stays", "changed");
    let two = kit.commit();
    let options = DiffOptions { renames: true, chunk_stats: true, ..options(1) };
    let (changes, summary) =
        compare(&kit.repo, &Side::Commit(one), &Side::Commit(two), &options, &Silent).unwrap();
    let expected = [
        "D big",
        "A copy-of-stays",
        "M stays",
        "D a/empty",
        "R b/two -> b/other",
        "A c/empty",
        "R a/one -> c/one",
        "R a/two -> c/two",
    ];
    assert_eq!(short(&changes), expected);
    assert_eq!(summary.changes, changes.len() as u64);
    let renamed = changes.iter().find(|change| change.path == b"c/two").unwrap();
    assert_eq!(renamed.bytes, ByteCounts { unchanged: 4, ..ByteCounts::default() });
    assert!(renamed.old.is_some() && renamed.new.is_some());
    let expected = ByteCounts { new: 1 + 7, moved: 0, unchanged: 9, removed: 1 + 1 };
    assert_eq!(summary.bytes, expected);
}

#[test]
fn too_many_changes_are_not_held_back() {
    let entry = |name: &str| DirEntry {
        name: name.as_bytes().to_vec(),
        kind: EntryKind::File {
            content: crate::format::node::ContentRoot::Tree {
                level: 0,
                id: crate::id::ChunkId::new([7; 32]),
                len: 1,
                repeat: 1,
            },
            sparse: false,
        },
        mode: 0,
        owner: crate::format::dirtree::Owner::default(),
        mtime: crate::format::dirtree::Timestamp::default(),
        xattrs: Vec::new(),
        hard_link: 0,
    };
    let kit = Kit::new();
    let selector = Selection::default().compile().unwrap();
    for (count, paired) in [(renames::HELD_MAX / 2 - 1, true), (renames::HELD_MAX / 2, false)] {
        let mut told = Vec::new();
        let mut sink = |change: Change| {
            told.push(change.kind);
            ControlFlow::Continue(())
        };
        let mut reporter = Reporter::new(kit.repo.chunks(), &selector, &mut sink, &Silent);
        reporter.renames = Some(Vec::new());
        let old = entry("x");
        for number in 0..count {
            reporter.pair(format!("a/{number}").as_bytes(), Some(&old), None).unwrap();
        }
        for number in 0..count {
            reporter.pair(format!("b/{number}").as_bytes(), None, Some(&old)).unwrap();
        }
        reporter.finish().unwrap();
        let renamed = told.iter().filter(|kind| **kind == ChangeKind::Renamed).count();
        assert_eq!((told.len(), renamed), if paired { (count, count) } else { (2 * count, 0) });
    }
}

#[test]
fn bytes_are_counted_in_the_chunks_of_each_file() {
    chunkers().into_iter().map(Kit::with).for_each(bytes_are_counted);
}

fn bytes_are_counted(kit: Kit) {
    let mut bytes = crate::testing::Rng::new(3).bytes(600_000);
    kit.write("file", &bytes);
    kit.write("gone", "four");
    let one = kit.commit();
    bytes[300_000] ^= 1;
    kit.write("file", &bytes);
    fs::remove_file(kit.root().join("gone")).unwrap();
    kit.write("new", "sixsix");
    let two = kit.commit();
    let options = DiffOptions { chunk_stats: true, ..options(1) };
    let changes = kit.diff(&Side::Commit(one), &Side::Commit(two), &options);
    let of = |path: &[u8]| changes.iter().find(|change| change.path == path).unwrap().bytes;
    assert_eq!(of(b"gone"), ByteCounts { removed: 4, ..ByteCounts::default() });
    assert_eq!(of(b"new"), ByteCounts { new: 6, ..ByteCounts::default() });
    let file = of(b"file");
    assert_eq!(file.new + file.moved + file.unchanged, 600_000);
    assert!(file.new > 0 && file.new < 200_000 && file.removed == file.new, "{file:?}");
}

#[test]
fn only_what_is_selected_is_compared() {
    let kit = Kit::new();
    for path in ["a/x.rs", "a/y.txt", "b/x.rs", "c"] {
        kit.write(path, path);
    }
    let one = kit.commit();
    for path in ["a/x.rs", "a/y.txt", "b/x.rs", "c"] {
        kit.write(path, "changed");
    }
    let two = kit.commit();
    let select = |paths: &[&str], excludes: &[&str]| {
        let selection = Selection {
            paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect(),
            includes: Vec::new(),
            excludes: excludes.iter().map(|text| (*text).to_owned()).collect(),
        };
        let options = DiffOptions { selection, ..options(1) };
        let stored = short(&kit.diff(&Side::Commit(one), &Side::Commit(two), &options));
        assert_eq!(short(&kit.diff(&Side::Commit(one), &kit.live(one), &options)), stored);
        stored
    };
    assert_eq!(select(&["a"], &[]), ["M a/x.rs", "M a/y.txt"]);
    assert_eq!(select(&["/*.rs"], &[]), ["M a/x.rs", "M b/x.rs"]);
    assert_eq!(select(&[], &["a/", "c"]), ["M b/x.rs"]);
    assert_eq!(select(&["nowhere"], &[]), [""; 0]);
}

#[test]
fn a_sink_that_breaks_ends_it_and_a_cancelling_observer_fails_it() {
    let kit = Kit::new();
    for number in 0..50 {
        kit.write(&format!("{number}/file"), "x");
    }
    let id = kit.commit();
    for new in [Side::Commit(id), kit.live(id)] {
        let mut seen = 0;
        let mut sink = |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let summary = diff(&kit.repo, &Side::Empty, &new, &options(1), &mut sink, &Silent).unwrap();
        assert_eq!((summary.changes, seen), (3, 3));
        let observer = RecordingObserver::cancelling_after(0);
        let cancelled = compare(&kit.repo, &Side::Empty, &new, &options(1), &observer);
        assert!(matches!(cancelled, Err(OpsError::Cancelled)));
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let kit = Kit::new();
    kit.write("a", "a");
    let id = kit.commit();
    let stream = Source::Stream { name: b"x".to_vec(), reader: Box::new(std::io::empty()) };
    let sides = [
        (kit.live(id), kit.live(id)),
        (Side::Empty, Side::Live { source: &stream, scan: &kit.scan, base: id }),
    ];
    for (old, new) in sides {
        let error = compare(&kit.repo, &old, &new, &options(1), &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}
