//! Comparisons with live files, against commits of them.

use super::super::super::commit::{ScanSettings, Source};
use super::*;
use crate::testing::Event;

/// Entries without what only one of the two sides can know.
fn plain(mut changes: Vec<Change>) -> Vec<Change> {
    for entry in changes.iter_mut().flat_map(|change| [&mut change.old, &mut change.new]).flatten() {
        match &mut entry.kind {
            EntryKind::Dir { node } => *node = None,
            EntryKind::File { sparse, .. } => *sparse = false,
            _ => {}
        }
    }
    changes
}

#[test]
fn live_changes_are_those_of_a_commit_of_the_live_files() {
    for (seed, chunker) in (10..).zip(chunkers()) {
        let kit = Kit::with(chunker);
        make_tree(&kit.root(), seed, 60).unwrap();
        let first = kit.commit();
        let mut base = first;
        for round in 0..4 {
            edit_tree(&kit.root(), seed * 100 + round, 5 + 15 * round as usize).unwrap();
            let options = DiffOptions { chunk_stats: true, renames: round % 2 == 1, ..options(3) };
            let mut found = Vec::new();
            for old in [Side::Commit(base), Side::Commit(first), Side::Empty] {
                found.push(kit.diff(&old, &kit.live(base), &options));
                found.push(kit.diff(&kit.live(base), &old, &options));
            }
            let after = Side::Commit(kit.commit());
            let mut expected = Vec::new();
            for old in [Side::Commit(base), Side::Commit(first), Side::Empty] {
                expected.push(kit.diff(&old, &after, &options));
                expected.push(kit.diff(&after, &old, &options));
            }
            for (at, (found, expected)) in found.into_iter().zip(expected).enumerate() {
                assert!(!found.is_empty());
                let (found, expected) = (plain(found), plain(expected));
                assert_eq!(short(&found), short(&expected), "seed {seed}, round {round}, {at}");
                assert!(found == expected, "seed {seed}, round {round}, {at}");
            }
            let Side::Commit(id) = after else { unreachable!() };
            base = id;
        }
    }
}

#[test]
fn of_an_unchanged_tree_nothing_differs_and_no_file_is_read() {
    let kit = Kit::new();
    make_tree(&kit.root(), 20, 40).unwrap();
    let id = kit.commit();
    let observer = RecordingObserver::new();
    let (changes, summary) =
        compare(&kit.repo, &Side::Commit(id), &kit.live(id), &options(2), &observer).unwrap();
    assert_eq!(changes, []);
    assert_eq!(summary, DiffSummary::default());
    let read = |observer: &RecordingObserver| {
        let events = observer.events();
        events.iter().filter(|event| matches!(event, Event::File(_))).count()
    };
    assert_eq!(read(&observer), 0);
    kit.write("contents/one-byte", "y");
    let observer = RecordingObserver::new();
    compare(&kit.repo, &Side::Commit(id), &kit.live(id), &options(2), &observer).unwrap();
    assert_eq!(read(&observer), 1);
}

#[test]
fn a_touched_file_of_the_same_content_has_other_metadata_only() {
    let kit = Kit::new();
    kit.write("file", "content");
    let id = kit.commit();
    kit.write("file", "content");
    assert_eq!(short(&kit.diff(&Side::Commit(id), &kit.live(id), &options(1))), ["m file"]);
}

#[test]
fn paths_stand_at_their_absolute_place() {
    let mut kit = Kit::new();
    for path in ["a/x", "b/y", "b/z/z", "c"] {
        kit.write(path, path);
    }
    let root = kit.root();
    kit.source = Source::Paths(vec![root.join("b"), root.join("c")]);
    let id = kit.commit();
    assert_eq!(short(&kit.diff(&Side::Commit(id), &kit.live(id), &options(1))), [""; 0]);
    kit.write("a/x", "not looked at");
    kit.write("b/z/new", "");
    fs::remove_file(root.join("b/y")).unwrap();
    let at = root.to_str().unwrap()[1..].to_owned();
    let changes = || short(&kit.diff(&Side::Commit(id), &kit.live(id), &options(1)));
    assert_eq!(changes(), [format!("D {at}/b/y"), format!("A {at}/b/z/new")]);
    kit.source = Source::Paths(vec![root.join("c"), root.join("a")]);
    let changes = || short(&kit.diff(&Side::Commit(id), &kit.live(id), &options(1)));
    assert_eq!(changes(), [format!("A {at}/a/x"), format!("D {at}/b/y"), format!("D {at}/b/z/z")]);
}

#[test]
fn what_a_scan_leaves_out_is_removed() {
    let mut kit = Kit::new();
    for path in ["keep", "large", "skip/x"] {
        kit.write(path, path.repeat(if path == "large" { 1000 } else { 1 }));
    }
    let id = kit.commit();
    kit.scan = ScanSettings {
        excludes: vec!["skip/".to_owned()],
        exclude_larger_than: Some(1000),
        ..ScanSettings::default()
    };
    assert_eq!(short(&kit.diff(&Side::Commit(id), &kit.live(id), &options(1))), ["D large", "D skip/x"]);
}

#[test]
fn a_file_with_several_names_is_read_once() {
    let kit = Kit::new();
    kit.write("first", "one content");
    for name in ["second", "third"] {
        fs::hard_link(kit.root().join("first"), kit.root().join(name)).unwrap();
    }
    let id = kit.commit();
    kit.write("first", "another content");
    let observer = RecordingObserver::new();
    let (changes, _) = compare(&kit.repo, &Side::Commit(id), &kit.live(id), &options(2), &observer).unwrap();
    assert_eq!(short(&changes), ["M first", "M second", "M third"]);
    assert!(changes.iter().all(|change| {
        change
            .new
            .as_ref()
            .is_none_or(|entry| is_dir(entry) || super::super::super::convert::size(entry) == 15)
    }));
    let read = observer.events().iter().filter(|event| matches!(event, Event::File(_))).count();
    assert_eq!(read, 1);
}

#[test]
fn a_problem_is_told_and_counted_and_hides_no_change() {
    let kit = Kit::new();
    kit.write("dir/a", "a");
    kit.write("dir/z", "z");
    let id = kit.commit();
    // Patterns of so many bytes are not read.
    kit.write("dir/.warpignore", "a\n".repeat(1 << 20));
    kit.write("dir/a", "changed");
    fs::remove_file(kit.root().join("dir/z")).unwrap();
    let observer = RecordingObserver::new();
    let (changes, summary) =
        compare(&kit.repo, &Side::Commit(id), &kit.live(id), &options(2), &observer).unwrap();
    assert_eq!(short(&changes), ["A dir/.warpignore", "M dir/a", "D dir/z"]);
    assert_eq!((summary.problems, observer.problems().len()), (1, 1));
}

#[test]
fn of_what_cannot_be_listed_or_read_no_change_is_told() {
    let kit = Kit::new();
    kit.write("c", "x");
    kit.write("a/file", "x");
    kit.write("b/file", "x");
    let id = kit.commit();
    // Nothing of what lies below a directory that another one took the place of while the scan ran is known: that is
    // what a listing that fails looks like to whoever compares.
    let selector = Selection::default().compile().unwrap();
    let mut told = Vec::new();
    let mut sink = |change: Change| {
        told.push(change);
        ControlFlow::Continue(())
    };
    let stored = kit.repo.version(id).unwrap().commit.root;
    let mut reporter = Reporter::new(kit.repo.chunks(), &selector, &mut sink, &Silent);
    let (steps, stepped) = crossbeam_channel::unbounded();
    let enter = |entry: DirEntry| {
        planner::Step::Enter(Box::new(planner::EnterDir { entry, is_uncertain: true, base: None }))
    };
    let named = |name: &[u8]| DirEntry { name: name.to_vec(), ..stored.clone() };
    let (reply, answer) = crossbeam_channel::bounded(1);
    reply.send(None).unwrap();
    let known = planner::Known::Reading(answer);
    for step in [
        enter(stored.clone()),
        planner::Step::Entry(Box::new(planner::LiveEntry { name: b"c".to_vec(), inode: None, known })),
        enter(named(b"a")),
        planner::Step::Incomplete,
        planner::Step::Leave { is_empty: true },
        // As it comes for an entry of which the system will not even say whether it is a directory.
        planner::Step::Unknown(b"b".to_vec()),
        planner::Step::Leave { is_empty: false },
    ] {
        steps.send(step).unwrap();
    }
    drop(steps);
    super::super::live::merge(Some(stored), &mut reporter, stepped).unwrap();
    assert_eq!(told, []);
}
