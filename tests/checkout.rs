//! Working directories go back and forth between commits, and files that were written by a checkout are not read again.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::{chunkers, client, create_with, request};
use warp::id::CommitId;
use warp::observe::Observer;
use warp::ops::{self, CheckoutRequest, DiffOptions, ScanSettings, Selection, Side, Source};
use warp::repo::{ChunkerConfig, Head, Repository, WorkDir};
use warp::store::{LocalStore, OsVfs};
use warp::testing::{Event, RecordingObserver, assert_same_tree, edit_tree, make_tree};

struct Place {
    dir: tempfile::TempDir,
    repo: Repository,
    workdir: WorkDir,
}

impl Place {
    fn new() -> Self {
        Self::with(ChunkerConfig::default())
    }

    fn with(chunker: ChunkerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("work");
        fs::create_dir(&root).unwrap();
        let store = LocalStore::create(root.join(WorkDir::FOLDER), Arc::new(OsVfs::new())).unwrap();
        let repo = create_with(chunker, Arc::new(store), client(&dir.path().join("state")));
        let workdir = WorkDir::open(root);
        workdir.set_head(&Head::Branch("main".to_owned())).unwrap();
        Self { dir, repo, workdir }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.workdir.root().join(name), text).unwrap();
    }

    /// Commits, after the file system's clock has moved on: what was written just now is read again.
    fn commit(&self) -> (Option<CommitId>, Vec<PathBuf>) {
        std::thread::sleep(Duration::from_millis(80));
        let observer = RecordingObserver::new();
        let request = ops::CommitRequest {
            branch: None,
            head: Some(self.workdir.head().unwrap()),
            ..request(self.workdir.root())
        };
        let outcome = ops::commit(&self.repo, request, &observer).unwrap();
        (outcome.commit, self.read(&observer))
    }

    fn checkout(&self, commit: CommitId, selection: Selection) {
        let new_head = (selection == Selection::default()).then_some(Head::Detached(commit));
        let request = CheckoutRequest { new_head, selection, ..of(commit) };
        let outcome = ops::checkout(&self.repo, &self.workdir, &request, &RecordingObserver::new()).unwrap();
        assert_eq!(outcome.problems, 0);
    }

    fn head(&self) -> CommitId {
        match self.workdir.head().unwrap() {
            Head::Branch(name) => self.repo.timeline().branch(&name).unwrap(),
            Head::Detached(id) => id,
        }
    }

    /// What `warp status` lists, and which files it reads for that.
    fn status(&self) -> (Vec<String>, Vec<PathBuf>) {
        let observer = RecordingObserver::new();
        let source = Source::WorkDir(self.workdir.root().to_owned());
        let (base, scan) = (self.head(), ScanSettings::default());
        let live = Side::Live { source: &source, scan: &scan, base };
        let mut changes = Vec::new();
        let mut keep = |change: ops::Change| {
            changes.push(String::from_utf8_lossy(&change.path).into_owned());
            ControlFlow::Continue(())
        };
        let observed: &dyn Observer = &observer;
        ops::diff(&self.repo, &Side::Commit(base), &live, &DiffOptions::default(), &mut keep, observed)
            .unwrap();
        (changes, self.read(&observer))
    }

    /// The files that an operation read.
    fn read(&self, observer: &RecordingObserver) -> Vec<PathBuf> {
        let events = observer.events().into_iter();
        let read = events.filter_map(|event| match event {
            Event::File(path) => Some(path.strip_prefix(self.workdir.root()).unwrap().to_owned()),
            _ => None,
        });
        read.collect()
    }

    /// Two commits; the first has `same`, `text` and `gone`, the second has another `text` and `new`.
    fn two_commits(&self) -> [CommitId; 2] {
        for name in ["same", "text", "gone"] {
            self.write(name, &format!("first {name}"));
        }
        let first = self.commit().0.unwrap();
        self.write("text", "other text");
        self.write("new", "new");
        fs::remove_file(self.workdir.root().join("gone")).unwrap();
        [first, self.commit().0.unwrap()]
    }
}

fn of(commit: CommitId) -> CheckoutRequest {
    CheckoutRequest {
        commit,
        new_head: None,
        selection: Selection::default(),
        force: false,
        dry_run: false,
        verify: false,
        scan: ScanSettings::default(),
        threads: 0,
    }
}

#[track_caller]
fn is_nothing((changes, read): (Vec<String>, Vec<PathBuf>)) {
    assert!(changes.is_empty() && read.is_empty(), "changes: {changes:?}, read: {read:?}");
}

#[test]
fn files_that_a_checkout_wrote_are_not_read_again_by_status_or_commit() {
    let place = Place::new();
    let [first, second] = place.two_commits();
    is_nothing(place.status());
    for commit in [first, second, first] {
        place.checkout(commit, Selection::default());
        is_nothing(place.status());
        is_nothing(place.status());
    }
    assert_eq!(place.commit(), (None, Vec::new()));
    place.write("text", "edited");
    let (changes, read) = place.status();
    assert_eq!((changes, read), (vec!["text".to_owned()], vec![PathBuf::from("text")]));
    assert_eq!(place.commit().1, [PathBuf::from("text")]);
}

#[test]
fn a_path_that_was_brought_back_is_not_read_again_and_one_of_another_commit_is_a_change() {
    let place = Place::new();
    let [first, _] = place.two_commits();
    let only = |path: &str| Selection { paths: vec![path.as_bytes().to_vec()], ..Selection::default() };
    place.write("text", "spoilt");
    let request = CheckoutRequest { selection: only("text"), force: true, ..of(place.head()) };
    ops::checkout(&place.repo, &place.workdir, &request, &RecordingObserver::new()).unwrap();
    is_nothing(place.status());
    place.checkout(first, only("text"));
    // The directory got the time of that commit, too.
    assert_eq!(place.status().0, ["", "text"]);
}

/// What a forced checkout of these paths says that it did not find.
fn not_found(place: &Place, commit: CommitId, paths: &[&str]) -> Vec<String> {
    let paths = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    let selection = Selection { paths, ..Selection::default() };
    let request = CheckoutRequest { selection, force: true, ..of(commit) };
    let text = |path: &Vec<u8>| String::from_utf8_lossy(path).into_owned();
    match ops::checkout(&place.repo, &place.workdir, &request, &RecordingObserver::new()) {
        Ok(_) => Vec::new(),
        Err(ops::OpsError::NoPath { path, .. }) => vec![text(&path)],
        Err(ops::OpsError::NoPaths { paths, .. }) => paths.iter().map(text).collect(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_path_that_is_in_neither_commit_stops_a_checkout_before_it_changes_anything() {
    let place = Place::new();
    fs::create_dir(place.workdir.root().join("dir")).unwrap();
    place.write("dir/below", "below");
    let [first, second] = place.two_commits();
    place.write("text", "edited");
    place.write("untracked", "in no commit");
    let cases: &[(&[&str], &[&str])] = &[
        (&["missing"], &["missing"]),
        (&["text", "./missing/", "dir"], &["missing"]),
        (&["missing", "text", "dir/missing", "also"], &["missing", "dir/missing", "also"]),
        (&["text", "untracked"], &["untracked"]),
        (&["text", "text/below"], &["text/below"]),
        (&["te*", "m?ss*"], &["m?ss*"]),
        (&["tex"], &["tex"]),
    ];
    for (paths, missing) in cases {
        for commit in [first, second] {
            assert_eq!(not_found(&place, commit, paths), *missing, "{paths:?}");
            // The root has another time, as `untracked` was made in it.
            assert_eq!(place.status().0, ["", "text", "untracked"], "{paths:?}");
        }
    }
    // The first commit has `gone`, HEAD has `new`: the one comes back, the other goes.
    assert_eq!(not_found(&place, first, &["gone", "new", "dir/b*", "."]), [""; 0]);
    assert_eq!(fs::read(place.workdir.root().join("gone")).unwrap(), b"first gone");
    assert!(!place.workdir.root().join("new").exists());
    assert_eq!(fs::read(place.workdir.root().join("text")).unwrap(), b"first text");
    assert!(place.workdir.root().join("untracked").exists());
}

#[test]
fn whatever_is_done_to_a_file_after_a_checkout_is_seen_even_if_it_keeps_length_and_time() {
    let place = Place::new();
    let [first, _] = place.two_commits();
    place.checkout(first, Selection::default());
    is_nothing(place.status());
    let path = place.workdir.root().join("text");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&path).unwrap().replace("first", "firsT");
    fs::write(&path, text).unwrap();
    fs::File::open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(place.status(), (vec!["text".to_owned()], vec![PathBuf::from("text")]));
}

#[test]
fn without_what_was_kept_or_with_another_ones_files_are_read_and_nothing_else_changes() {
    let place = Place::new();
    let [first, second] = place.two_commits();
    place.checkout(first, Selection::default());
    let kept = fs::read_dir(place.dir.path().join("state")).unwrap().map(|entry| entry.unwrap().path());
    let kept = kept.into_iter().find(|path| path.to_string_lossy().contains("/files-")).unwrap();
    let mut bytes = fs::read(&kept).unwrap();
    assert!(!bytes.windows(4).any(|bytes| bytes == b"text"), "names are sealed");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&kept, bytes).unwrap();
    let (changes, read) = place.status();
    assert!(changes.is_empty() && read.len() == 2, "{changes:?} {read:?}");
    fs::remove_file(&kept).unwrap();
    assert!(place.status().0.is_empty());
    place.checkout(second, Selection::default());
    is_nothing(place.status());
}

#[test]
fn files_and_directories_take_each_others_place_but_nothing_that_is_in_no_commit_is_lost() {
    let place = Place::new();
    let at = |name: &str| place.workdir.root().join(name);
    place.write("here", "a file");
    place.write(".warpignore", "ignored\n");
    let file = place.commit().0.unwrap();
    fs::remove_file(at("here")).unwrap();
    fs::create_dir_all(at("here/deep/empty")).unwrap();
    place.write("here/deep/inside", "a file in a directory");
    let dir = place.commit().0.unwrap();
    for _ in 0..2 {
        place.checkout(file, Selection::default());
        assert_eq!(fs::read(at("here")).unwrap(), b"a file");
        assert_eq!(place.status().0, [""; 0]);
        place.checkout(dir, Selection::default());
        assert_eq!(fs::read(at("here/deep/inside")).unwrap(), b"a file in a directory");
        assert_eq!(place.status().0, [""; 0]);
    }
    place.write("here/deep/ignored", "in no commit");
    let mut request = CheckoutRequest { new_head: Some(Head::Detached(file)), ..of(file) };
    let refused = ops::checkout(&place.repo, &place.workdir, &request, &RecordingObserver::new());
    assert!(
        matches!(&refused, Err(ops::OpsError::WouldOverwrite { paths }) if *paths == [b"here/deep/ignored"]),
        "{refused:?}"
    );
    assert_eq!(fs::read(at("here/deep/inside")).unwrap(), b"a file in a directory");
    request.force = true;
    ops::checkout(&place.repo, &place.workdir, &request, &RecordingObserver::new()).unwrap();
    assert_eq!(fs::read(at("here")).unwrap(), b"a file");
}

/// The paths for which a checkout refuses to go to a commit.
fn in_the_way_to(place: &Place, commit: CommitId) -> Vec<String> {
    let request = CheckoutRequest { new_head: Some(Head::Detached(commit)), ..of(commit) };
    match ops::checkout(&place.repo, &place.workdir, &request, &RecordingObserver::new()) {
        Ok(_) => Vec::new(),
        Err(ops::OpsError::WouldOverwrite { paths }) => {
            paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect()
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_file_that_holds_what_is_committed_is_in_nobodys_way_whatever_its_metadata_are() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let at = |name: &str| place.workdir.root().join(name);
    let [first, second] = place.two_commits();
    // One is written anew, one removed; they get a new time, another mode, another inode.
    fs::File::open(at("text")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    fs::set_permissions(at("new"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(in_the_way_to(&place, first), [""; 0]);
    assert_eq!(fs::read_to_string(at("text")).unwrap(), "first text");
    assert!(!at("new").exists());
    place.write("text", "first text");
    assert_eq!(in_the_way_to(&place, second), [""; 0]);
    assert_eq!(fs::read_to_string(at("text")).unwrap(), "other text");
    // Other bytes are, even of the same length and time.
    let time = fs::metadata(at("text")).unwrap().modified().unwrap();
    for name in ["text", "new"] {
        let upper = fs::read_to_string(at(name)).unwrap().to_uppercase();
        place.write(name, &upper);
        fs::File::open(at(name)).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(in_the_way_to(&place, first), ["new", "text"]);
    assert_eq!(fs::read_to_string(at("text")).unwrap(), "OTHER TEXT");
}

#[test]
fn touched_files_give_way_to_directories_and_directories_of_touched_files_to_files() {
    let place = Place::new();
    let at = |name: &str| place.workdir.root().join(name);
    let touch = |name: &str| {
        fs::File::open(at(name)).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    };
    place.write("here", "a file");
    let file = place.commit().0.unwrap();
    fs::remove_file(at("here")).unwrap();
    fs::create_dir(at("here")).unwrap();
    place.write("here/inside", "a file in a directory");
    let dir = place.commit().0.unwrap();
    touch("here/inside");
    assert_eq!(in_the_way_to(&place, file), [""; 0]);
    assert_eq!(fs::read(at("here")).unwrap(), b"a file");
    touch("here");
    assert_eq!(in_the_way_to(&place, dir), [""; 0]);
    assert_eq!(fs::read(at("here/inside")).unwrap(), b"a file in a directory");
    place.write("here/inside", "another file in a directory");
    assert_eq!(in_the_way_to(&place, file), ["here/inside"]);
}

/// Whether a file takes up less room than its length.
fn has_holes(path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let stat = fs::metadata(path).unwrap();
    stat.blocks() * 512 < stat.len()
}

#[test]
fn a_file_that_comes_back_with_other_holes_than_it_had_is_no_change_and_blocks_no_checkout() {
    let place = Place::new();
    let at = |name: &str| place.workdir.root().join(name);
    let mut zeros = vec![0; 1 << 20];
    fs::write(at("dense"), &zeros).unwrap();
    fs::File::create(at("sparse")).unwrap().set_len(1 << 20).unwrap();
    fs::File::open(at("dense")).unwrap().sync_all().unwrap();
    assert!(!has_holes(&at("dense")) && has_holes(&at("sparse")));
    let first = place.commit().0.unwrap();
    zeros.push(1);
    fs::write(at("dense"), &zeros).unwrap();
    fs::write(at("sparse"), "no more").unwrap();
    let second = place.commit().0.unwrap();
    for commit in [first, second, first] {
        place.checkout(commit, Selection::default());
        // So that it is read again.
        let time = fs::metadata(at("dense")).unwrap().modified().unwrap();
        fs::File::open(at("dense")).unwrap().set_modified(time).unwrap();
        assert_eq!(place.status(), (Vec::new(), vec![PathBuf::from("dense")]));
        assert_eq!(place.commit().0, None, "nothing to commit");
    }
    assert!(has_holes(&at("sparse")));
    // The other way round, too: zeros are written where holes were.
    let time = fs::metadata(at("sparse")).unwrap().modified().unwrap();
    fs::write(at("sparse"), vec![0; 1 << 20]).unwrap();
    let file = fs::File::open(at("sparse")).unwrap();
    file.sync_all().unwrap();
    file.set_modified(time).unwrap();
    assert!(!has_holes(&at("sparse")));
    assert_eq!(place.status().0, [""; 0]);
    assert_eq!(place.commit().0, None, "nothing to commit");
    place.checkout(second, Selection::default());
    assert_eq!(fs::read(at("sparse")).unwrap(), b"no more");
}

#[test]
fn odd_trees_go_back_and_forth_between_commits() {
    for (seed, chunker) in (0..).zip(chunkers()) {
        let place = Place::with(chunker);
        make_tree(place.workdir.root(), seed, 40).unwrap();
        let mut versions = Vec::new();
        for version in 0..3 {
            let commit = place.commit().0.expect("something changed");
            let copy = place.dir.path().join(format!("copy-{version}"));
            let request = ops::RestoreRequest::new(commit, &copy);
            ops::restore(&place.repo, request, &RecordingObserver::new()).unwrap();
            versions.push((commit, copy));
            if version < 2 {
                edit_all_but_the_repository(&place, seed * 10 + version);
            }
        }
        for at in [0, 2, 1, 0, 1] {
            let (commit, copy) = &versions[at];
            place.checkout(*commit, Selection::default());
            let (changes, _) = place.status();
            assert_eq!(changes, [""; 0], "version {at} of seed {seed}");
            let hidden = place.dir.path().join("hidden");
            fs::rename(place.workdir.repository(), &hidden).unwrap();
            set_mtime_of(place.workdir.root(), copy);
            assert_same_tree(copy, place.workdir.root());
            fs::rename(&hidden, place.workdir.repository()).unwrap();
        }
    }
}

/// The root's own time changes when the repository is moved away.
fn set_mtime_of(root: &std::path::Path, like: &std::path::Path) {
    let time = fs::metadata(like).unwrap().modified().unwrap();
    fs::File::open(root).unwrap().set_modified(time).unwrap();
}

fn edit_all_but_the_repository(place: &Place, seed: u64) {
    let hidden = place.dir.path().join("hidden");
    fs::rename(place.workdir.repository(), &hidden).unwrap();
    edit_tree(place.workdir.root(), seed, 15).unwrap();
    fs::rename(&hidden, place.workdir.repository()).unwrap();
}
