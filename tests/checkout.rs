//! Working directories go back and forth between commits.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::{client, create, request};
use warp::id::CommitId;
use warp::observe::Observer;
use warp::ops::{self, CheckoutRequest, DiffOptions, ScanSettings, Selection, Side, Source};
use warp::repo::{Head, Repository, WorkDir};
use warp::store::{LocalStore, OsVfs};
use warp::testing::{Event, RecordingObserver, assert_same_tree, edit_tree, make_tree};

struct Place {
    dir: tempfile::TempDir,
    repo: Repository,
    workdir: WorkDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("work");
        fs::create_dir(&root).unwrap();
        let store = LocalStore::create(root.join(WorkDir::FOLDER), Arc::new(OsVfs::new())).unwrap();
        let repo = create(Arc::new(store), client(&dir.path().join("state")));
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

#[test]
fn odd_trees_go_back_and_forth_between_commits() {
    for seed in 0..3 {
        let place = Place::new();
        make_tree(place.workdir.root(), seed, 40).unwrap();
        // It comes back with holes that it did not have, which is a change to commit.
        fs::remove_file(place.workdir.root().join("contents/zeros")).unwrap();
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
