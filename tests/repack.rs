//! Repacking: every version comes back whole, in fewer bytes, whatever others do meanwhile.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::{Bench, chunkers, client, password, request};
use warp::id::{CommitId, ObjectKind, PackId, SegmentId};
use warp::observe::{Observer, Phase, Silent};
use warp::ops::{self, CommitRequest, OpsError, RepackOutcome, RepackRequest, RestoreRequest, Source};
use warp::repo::{Draft, RepoError, Repository};
use warp::store::{LocalStore, OsVfs};
use warp::testing::{RecordingObserver, Rng, assert_same_tree};

const AGGRESSIVE: RepackRequest = RepackRequest { aggressive: true, dry_run: false };
const PLAIN: RepackRequest = RepackRequest { aggressive: false, dry_run: false };

/// Does something once, when an operation comes to a phase.
struct At<'a> {
    phase: Phase,
    act: Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>,
    notices: Mutex<Vec<String>>,
}

impl<'a> At<'a> {
    fn new(phase: Phase, act: impl FnOnce() + Send + 'a) -> Self {
        Self { phase, act: Mutex::new(Some(Box::new(act))), notices: Mutex::default() }
    }

    fn act(&self) {
        let act = self.act.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }

    fn has_acted(&self) -> bool {
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
struct History {
    bench: Bench,
    source: PathBuf,
    versions: Vec<(CommitId, PathBuf)>,
}

/// Texts of 3 to 60 KB.
fn make_texts(dir: &Path, rng: &mut Rng) {
    std::fs::create_dir_all(dir).unwrap();
    for number in 0..25 {
        let len = 3_000 + rng.below(60_000);
        std::fs::write(dir.join(format!("text-{number}")), rng.text(len)).unwrap();
    }
}

/// Changes a few bytes of every file.
fn edit_texts(dir: &Path, rng: &mut Rng) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let mut content = std::fs::read(&path).unwrap();
        let at = rng.below(content.len() - 20);
        content.splice(at..at + 5, rng.bytes(9));
        std::fs::write(&path, content).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(status.success());
}

impl History {
    /// So many versions; of each its number tells how deep deltas may be.
    fn new(bench: Bench, depths: &[u8]) -> Self {
        let source = bench.path("source");
        let mut history = Self { bench, source, versions: Vec::new() };
        let mut rng = Rng::new(3);
        make_texts(&history.source, &mut rng);
        for depth in depths {
            history.commit(*depth);
            edit_texts(&history.source, &mut rng);
        }
        history
    }

    fn commit(&mut self, depth: u8) -> CommitId {
        let request = CommitRequest { delta_depth: Some(depth), ..request(&self.source) };
        let commit = ops::commit(&self.bench.repo, request, &Silent).unwrap().commit.unwrap();
        self.keep(commit);
        commit
    }

    /// Remembers what the source holds as a version.
    fn keep(&mut self, commit: CommitId) {
        let kept = self.bench.path(&format!("version-{}", self.versions.len()));
        copy(&self.source, &kept);
        self.versions.push((commit, kept));
    }

    /// Another handle on the repository.
    fn other(&self) -> Repository {
        let store = LocalStore::open(self.bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
        Repository::open(Arc::new(store), &password(), client(&self.bench.path("other-state"))).unwrap()
    }

    fn repack(&self, request: RepackRequest) -> RepackOutcome {
        ops::repack(&self.bench.repo, request, &Silent).unwrap()
    }

    /// Every version comes back whole, through this handle.
    fn check_with(&self, repo: &Repository) {
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
    fn check(&self) {
        self.check_with(&self.other());
        let repo = self.other();
        check_bases(&repo);
        let state = repo.state();
        let packs = state.packs.keys().map(|pack| format!("{pack}.warp"));
        assert_eq!(self.files("packs"), packs.collect::<std::collections::BTreeSet<_>>());
        let segments = state.segments.iter().map(|segment| segment.uid.to_string());
        assert_eq!(self.files("index"), segments.collect::<std::collections::BTreeSet<_>>());
    }

    fn files(&self, folder: &str) -> std::collections::BTreeSet<String> {
        let entries = std::fs::read_dir(self.bench.path("repo").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn bytes(&self) -> u64 {
        self.other().state().packs.values().map(|pack| pack.len).sum()
    }
}

/// Every base of a delta is there, less deep than the delta; returns how many chunks are deltas.
fn check_bases(repo: &Repository) -> usize {
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

#[test]
fn small_packs_are_merged_and_every_version_comes_back_whole() {
    for chunker in chunkers() {
        let history = History::new(Bench::with(chunker), &[1; 7]);
        let (packs, bytes) = (history.files("packs").len(), history.bytes());
        let done = history.repack(PLAIN);
        assert!(done.replaced && done.packs_before == packs as u64 && done.packs_after == 2, "{done:?}");
        assert_eq!((done.packs_kept, done.dropped_copies, done.left_over_files), (0, 0, 0), "{done:?}");
        assert!(history.bytes() < bytes, "{} of {bytes} bytes are left", history.bytes());
        assert_eq!((history.bytes(), history.files("index").len()), (done.bytes_after, 1));
        history.check();
        let again = history.repack(PLAIN);
        assert_eq!(again, RepackOutcome::default(), "a second run does nothing");
    }
}

#[test]
fn chunks_that_were_stored_in_full_become_differences() {
    let mut history = History::new(Bench::new(), &[0, 1, 0, 0, 2, 2, 0]);
    let bytes = history.bytes();
    let planned = history.repack(RepackRequest { dry_run: true, ..AGGRESSIVE });
    assert_eq!(history.bytes(), bytes, "a dry run writes nothing");
    history.check();
    let done = history.repack(AGGRESSIVE);
    assert!(done.replaced && done.deltas.objects > 30, "{done:?}");
    assert!(history.bytes() * 2 < bytes, "{} of {bytes} bytes are left", history.bytes());
    assert_eq!(planned.deltas, done.deltas);
    assert_eq!((planned.packs_after, planned.replaced), (done.packs_after, true));
    history.check();
    // Deltas that found better bases free old ones, which then become deltas in the next run; soon there is nothing left to do.
    let again = (0..4).map(|_| history.repack(AGGRESSIVE)).take_while(|again| again.replaced).count();
    assert!(again < 4);
    history.check();

    // Life goes on: what is committed then finds the new packs.
    let other = history.other();
    edit_texts(&history.source, &mut Rng::new(77));
    let outcome = ops::commit(&other, request(&history.source), &Silent).unwrap();
    assert!(outcome.deltas.objects > 20, "{outcome:?}");
    history.keep(outcome.commit.unwrap());
    history.check();
    assert!(history.repack(PLAIN).replaced);
    history.check();
}

#[test]
fn without_deltas_what_is_stored_in_full_stays_so_and_deltas_stay_deltas() {
    let history = History::new(Bench::new(), &[0, 1, 0, 0]);
    let before = check_bases(&history.bench.repo);
    assert!(before > 0);
    history.bench.repo.set_setting("delta", Some("off")).unwrap();
    let done = history.repack(PLAIN);
    assert!(done.replaced && done.deltas.objects == 0, "{done:?}");
    assert_eq!(check_bases(&history.bench.repo), before);
    history.check();
}

#[test]
fn an_empty_repository_and_one_of_one_commit_stay_as_they_are() {
    let history = History::new(Bench::new(), &[]);
    for request in [PLAIN, AGGRESSIVE] {
        assert_eq!(history.repack(request), RepackOutcome::default());
    }
    let history = History::new(Bench::new(), &[1]);
    assert!(!history.repack(PLAIN).replaced);
    history.check();
}

/// A commit on top of the first version, of its files with a few edits: it takes what the first version holds as bases.
fn commit_on_first(history: &History, other: &Repository) -> CommitId {
    let (first, kept) = &history.versions[0];
    std::fs::remove_dir_all(&history.source).unwrap();
    copy(kept, &history.source);
    edit_texts(&history.source, &mut Rng::new(55));
    let request =
        CommitRequest { branch: Some("side".to_owned()), parent: Some(*first), ..request(&history.source) };
    let outcome = ops::commit(other, request, &Silent).unwrap();
    assert!(outcome.deltas.objects > 20, "the race is about bases: {outcome:?}");
    outcome.commit.unwrap()
}

/// Without the check against newer entries' `uses` this fails: the first version's chunks become deltas, their packs go, and the
/// commit's deltas have no bases.
#[test]
fn packs_that_a_commit_used_while_they_were_rewritten_stay() {
    let mut history = History::new(Bench::new(), &[0, 0]);
    let other = history.other();
    let committed = Mutex::new(None);
    let at = At::new(Phase::Finish, || {
        *committed.lock().unwrap() = Some(commit_on_first(&history, &other));
    });
    let done = ops::repack(&history.bench.repo, AGGRESSIVE, &at).unwrap();
    assert!(at.has_acted());
    drop(at);
    assert!(done.replaced && done.deltas.objects > 20, "{done:?}");
    let commit = committed.into_inner().unwrap().unwrap();
    history.keep(commit);
    history.check();
    assert!(done.packs_kept > 0, "{done:?}");
    // What had to stay goes as soon as nobody begins to use it.
    history.repack(AGGRESSIVE);
    history.check();
}

#[test]
fn a_commit_whose_bases_were_condemned_meanwhile_begins_anew() {
    let mut history = History::new(Bench::new(), &[0, 0, 0]);
    let other = history.other();
    let at = At::new(Phase::Finish, || {
        assert!(ops::repack(&other, AGGRESSIVE, &Silent).unwrap().replaced);
    });
    let outcome = ops::commit(&history.bench.repo, request(&history.source), &at).unwrap();
    assert!(at.has_acted());
    assert_eq!(at.notices.lock().unwrap().len(), 1);
    assert!(!outcome.diverged && outcome.deltas.objects > 20, "{outcome:?}");
    drop(at);
    history.keep(outcome.commit.unwrap());
    history.check_with(&history.other());
    check_bases(&history.other());
}

#[test]
fn a_stream_whose_bases_were_condemned_meanwhile_is_refused_and_nothing_is_lost() {
    let history = History::new(Bench::new(), &[0, 0, 0]);
    let text = std::fs::read(history.versions[2].1.join("text-1")).unwrap();
    let stream = || {
        let source =
            Source::Stream { name: b"text".to_vec(), reader: Box::new(std::io::Cursor::new(text.clone())) };
        CommitRequest { source, branch: Some("stream".to_owned()), ..request(&history.source) }
    };
    let other = history.other();
    let at = At::new(Phase::Finish, || {
        assert!(ops::repack(&other, AGGRESSIVE, &Silent).unwrap().replaced);
    });
    let refused = ops::commit(&history.bench.repo, stream(), &at).unwrap_err();
    assert!(matches!(refused, OpsError::Repo { source: RepoError::Condemned }), "{refused}");
    history.check_with(&history.other());
    history.bench.repo.refresh().unwrap();
    assert!(ops::commit(&history.bench.repo, stream(), &Silent).unwrap().commit.is_some());
    history.check_with(&history.bench.repo);
}

#[test]
fn of_two_repacks_at_once_one_wins_and_the_other_leaves_nothing() {
    let history = History::new(Bench::new(), &[0, 1, 0, 0]);
    for (mine, others) in [(PLAIN, AGGRESSIVE), (AGGRESSIVE, PLAIN)] {
        let history = History::new(Bench::new(), &[0, 1, 0, 0]);
        let other = history.other();
        let at = At::new(Phase::Finish, || {
            assert!(ops::repack(&other, others, &Silent).unwrap().replaced);
        });
        let lost = ops::repack(&history.bench.repo, mine, &at).unwrap_err();
        assert!(matches!(lost, OpsError::Repo { source: RepoError::Overtaken }), "{lost}");
        history.check();
    }
    history.check();
}

#[test]
fn readers_that_opened_the_repository_before_follow_to_the_new_packs() {
    let history = History::new(Bench::new(), &[0, 1, 0, 0, 1]);
    let early = history.other();
    assert!(history.repack(AGGRESSIVE).replaced);
    history.check_with(&early);

    // A restore that has found out where chunks lie, and then they do not lie there any more.
    let history = History::new(Bench::new(), &[0, 1, 0, 0, 1]);
    let early = history.other();
    let (commit, kept) = &history.versions[1];
    struct AtTotal<'a>(At<'a>);
    impl Observer for AtTotal<'_> {
        fn total(&self, _: u64, _: u64) {
            self.0.act();
        }
    }
    let mid_way = AtTotal(At::new(Phase::Compare, || assert!(history.repack(AGGRESSIVE).replaced)));
    let target = history.bench.path("mid-way");
    let outcome = ops::restore(&early, RestoreRequest::new(*commit, &target), &mid_way).unwrap();
    assert!(mid_way.0.has_acted());
    assert_eq!(outcome.problems, 0);
    assert_same_tree(kept, &target);
    let outcome = ops::commit(&early, request(&history.source), &Silent).unwrap();
    assert!(outcome.commit.is_some());
}

#[test]
fn a_cancelled_repack_leaves_nothing_behind() {
    let history = History::new(Bench::new(), &[0, 0, 0]);
    for events in [0, 2, 5] {
        let observer = RecordingObserver::cancelling_after(events);
        let stopped = ops::repack(&history.bench.repo, AGGRESSIVE, &observer);
        assert!(matches!(stopped, Err(OpsError::Cancelled)), "{stopped:?}");
        history.check();
    }
}

#[test]
fn the_log_refuses_entries_that_take_away_what_must_stay() {
    let history = History::new(Bench::new(), &[1, 1]);
    let repo = &history.bench.repo;
    let refused = |draft: Draft| {
        let error = repo.append(&mut |_| Ok(draft.clone())).unwrap_err();
        assert!(matches!(error, RepoError::Storage { .. }), "{error}");
    };
    let (there, stranger) = (*repo.state().packs.keys().next().unwrap(), PackId::new([7; 16]));
    let condemn = |pack| Draft { packs_condemned: vec![pack], ..Draft::default() };
    let remove = |pack| Draft { packs_removed: vec![pack], ..Draft::default() };
    refused(condemn(stranger));
    refused(remove(stranger));
    refused(remove(there));
    refused(Draft { segments_removed: vec![SegmentId::new([7; 16])], ..Draft::default() });
    let record = repo.state().packs[&there];
    refused(Draft { packs_added: vec![record], ..Draft::default() });
    let number = repo.state().number;

    repo.append(&mut |_| Ok(condemn(there))).unwrap();
    refused(condemn(there));
    let uses = Draft { uses: vec![there], ..Draft::default() };
    let error = repo.append(&mut |_| Ok(uses.clone())).unwrap_err();
    assert!(matches!(error, RepoError::Condemned), "{error}");
    repo.append(&mut |_| Ok(remove(there))).unwrap();
    refused(remove(there));
    // A name is never used again.
    refused(Draft { packs_added: vec![record], ..Draft::default() });
    assert_eq!(history.other().state().number, number + 2);
}

#[test]
fn second_copies_are_left_out() {
    let history = History::new(Bench::new(), &[0, 0]);
    // Two writers that know nothing of each other store the same files.
    let (one, two) = (history.other(), history.other());
    let twice = history.bench.path("twice");
    make_texts(&twice, &mut Rng::new(99));
    let commit = |repo: &Repository, branch: &str| {
        let request = CommitRequest { branch: Some(branch.to_owned()), ..request(&twice) };
        ops::commit(repo, request, &Silent).unwrap().commit.unwrap()
    };
    commit(&one, "one");
    let last = commit(&two, "two");
    let done = ops::repack(&two, PLAIN, &Silent).unwrap();
    assert!(done.replaced && done.dropped_copies >= 25, "{done:?}");
    let target = history.bench.path("out");
    ops::restore(&one, RestoreRequest::new(last, &target), &Silent).unwrap();
    assert_same_tree(&twice, &target);
    history.check();
}

#[test]
fn damage_stops_a_repack_which_then_changes_nothing() {
    let history = History::new(Bench::new(), &[0, 0, 0]);
    let pack = history.files("packs").into_iter().next().unwrap();
    let path = history.bench.path("repo/packs").join(pack);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&path, permissions).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let before = history.files("packs");
    let failed = ops::repack(&history.other(), AGGRESSIVE, &Silent).unwrap_err();
    assert_eq!(failed.kind(), warp::repo::ErrorKind::Damaged, "{failed}");
    assert_eq!(history.files("packs"), before);
}
