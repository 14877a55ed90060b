//! Repositories with versions of a folder, and operations that are interrupted by others, for the tests of `repack` and `gc`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use warp::id::{CommitId, ObjectKind};
use warp::observe::{Observer, Phase, Silent};
use warp::ops::{self, CommitRequest, RestoreRequest};
use warp::repo::Repository;
use warp::store::{LocalStore, OsVfs};
use warp::testing::{RecordingObserver, Rng, assert_same_tree};

use super::{Bench, client, password, request};

/// Does something once, when an operation comes to a phase.
pub(crate) struct At<'a> {
    phase: Phase,
    act: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
    pub(crate) notices: Mutex<Vec<String>>,
}

impl<'a> At<'a> {
    pub(crate) fn new(phase: Phase, act: impl FnOnce() + Send + 'a) -> Self {
        Self { phase, act: Mutex::new(Some(Box::new(act))), notices: Mutex::default() }
    }

    pub(crate) fn act(&self) {
        let act = self.act.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }

    pub(crate) fn has_acted(&self) -> bool {
        self.act.lock().unwrap().is_none()
    }
}

impl Observer for At<'_> {
    fn phase(&self, phase: Phase, _: Option<u64>, _: Option<u64>) {
        if phase == self.phase {
            self.act();
        }
    }

    fn notice(&self, text: &str) {
        self.notices.lock().unwrap().push(text.to_owned());
    }
}

/// A repository with versions of a folder, each with a copy to compare with.
pub(crate) struct History {
    pub(crate) bench: Bench,
    pub(crate) source: PathBuf,
    pub(crate) versions: Vec<(CommitId, PathBuf)>,
    kept: usize,
}

/// Texts of 3 to 60 KB.
pub(crate) fn make_texts(dir: &Path, rng: &mut Rng) {
    std::fs::create_dir_all(dir).unwrap();
    for number in 0..25 {
        let len = 3_000 + rng.below(60_000);
        std::fs::write(dir.join(format!("text-{number}")), rng.text(len)).unwrap();
    }
}

/// Changes a few bytes of every file.
pub(crate) fn edit_texts(dir: &Path, rng: &mut Rng) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut content = std::fs::read(&path).unwrap();
        let at = rng.below(content.len() - 20);
        content.splice(at..at + 5, rng.bytes(9));
        std::fs::write(&path, content).unwrap();
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

impl History {
    /// So many versions; of each its number tells how deep deltas may be.
    pub(crate) fn new(bench: Bench, depths: &[u8]) -> Self {
        let source = bench.path("source");
        let mut history = Self { bench, source, versions: Vec::new(), kept: 0 };
        let mut rng = Rng::new(3);
        make_texts(&history.source, &mut rng);
        for depth in depths {
            history.commit(*depth);
            edit_texts(&history.source, &mut rng);
        }
        history
    }

    pub(crate) fn commit(&mut self, depth: u8) -> CommitId {
        let request = CommitRequest { delta_depth: Some(depth), ..request(&self.source) };
        let commit = ops::commit(&self.bench.repo, request, &Silent).unwrap().commit.unwrap();
        self.keep(commit);
        commit
    }

    /// Remembers what the source holds as a version.
    pub(crate) fn keep(&mut self, commit: CommitId) {
        let kept = self.bench.path(&format!("version-{}", self.kept));
        self.kept += 1;
        copy(&self.source, &kept);
        self.versions.push((commit, kept));
    }

    /// Another handle on the repository.
    pub(crate) fn other(&self) -> Repository {
        let store = LocalStore::open(self.bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
        Repository::open(Arc::new(store), &password(), client(&self.bench.path("other-state"))).unwrap()
    }

    /// Every version comes back whole, through this handle.
    pub(crate) fn check_with(&self, repo: &Repository) {
        for (commit, kept) in &self.versions {
            let target = tempfile::tempdir_in(self.bench.dir.path()).unwrap();
            let root = target.path().join("out");
            let observer = RecordingObserver::new();
            let request = RestoreRequest { verify: true, ..RestoreRequest::new(*commit, &root) };
            ops::restore(repo, request, &observer).unwrap();
            assert_eq!(observer.problems(), []);
            assert_same_tree(kept, &root);
        }
    }

    /// Every version comes back whole, all bases are there, and so are only the files that the log names.
    pub(crate) fn check(&self) {
        self.check_with(&self.other());
        let repo = self.other();
        check_bases(&repo);
        let state = repo.state();
        let packs = state.packs.keys().map(|pack| format!("{pack}.warp"));
        assert_eq!(self.files("packs"), packs.collect::<BTreeSet<_>>());
        let segments = state.segments.iter().map(|segment| segment.uid.to_string());
        assert_eq!(self.files("index"), segments.collect::<BTreeSet<_>>());
    }

    pub(crate) fn files(&self, folder: &str) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.bench.path("repo").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.other().state().packs.values().map(|pack| pack.len).sum()
    }
}

/// Every base of a delta is there, less deep than the delta; returns how many chunks are deltas.
pub(crate) fn check_bases(repo: &Repository) -> usize {
    let mut chunks = 0;
    for pack in repo.state().packs.keys() {
        let map = repo.chunks().map(*pack).unwrap();
        for (entry, block, slot) in map.rows() {
            let Some(delta) = map.delta(block, slot) else { continue };
            chunks += usize::from(entry.kind == ObjectKind::Chunk);
            for &base in delta.bases.iter() {
                let found = repo.chunks().index().find_usable(entry.kind, base, delta.depth).unwrap();
                assert!(found.is_some(), "the base of a delta is there, less deep than the delta");
            }
        }
    }
    chunks
}
