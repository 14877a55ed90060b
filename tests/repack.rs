//! Repacking: every version comes back whole, in fewer bytes, whatever others do meanwhile.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Mutex;

use common::history::{At, History, check_bases, copy, edit_texts, make_texts};
use common::{Bench, chunkers, request};
use warp::id::{CommitId, PackId, SegmentId};
use warp::observe::{Observer, Phase, Silent};
use warp::ops::{self, CommitRequest, OpsError, RepackOutcome, RepackRequest, RestoreRequest, Source};
use warp::repo::{Draft, RepoError, Repository};
use warp::testing::{RecordingObserver, Rng, assert_same_tree};

const AGGRESSIVE: RepackRequest = RepackRequest { aggressive: true, dry_run: false, grace: 0 };
const PLAIN: RepackRequest = RepackRequest { aggressive: false, dry_run: false, grace: 0 };

/// Repacks through the handle of the history.
fn repack(history: &History, request: RepackRequest) -> RepackOutcome {
    ops::repack(&history.bench.repo, request, &Silent).unwrap()
}

#[test]
fn small_packs_are_merged_and_every_version_comes_back_whole() {
    for chunker in chunkers() {
        let history = History::new(Bench::with(chunker), &[1; 7]);
        let (packs, bytes) = (history.files("packs").len(), history.bytes());
        let done = repack(&history, PLAIN);
        assert!(done.replaced && done.packs_before == packs as u64 && done.packs_after == 2, "{done:?}");
        assert_eq!((done.packs_kept, done.dropped_copies, done.left_over_files), (0, 0, 0), "{done:?}");
        assert!(history.bytes() < bytes, "{} of {bytes} bytes are left", history.bytes());
        assert_eq!((history.bytes(), history.files("index").len()), (done.bytes_after, 1));
        history.check();
        let again = repack(&history, PLAIN);
        assert_eq!(again, RepackOutcome::default(), "a second run does nothing");
    }
}

#[test]
fn chunks_that_were_stored_in_full_become_differences() {
    let mut history = History::new(Bench::new(), &[0, 1, 0, 0, 2, 2, 0]);
    let bytes = history.bytes();
    let planned = repack(&history, RepackRequest { dry_run: true, ..AGGRESSIVE });
    assert_eq!(history.bytes(), bytes, "a dry run writes nothing");
    history.check();
    let done = repack(&history, AGGRESSIVE);
    assert!(done.replaced && done.deltas.objects > 30, "{done:?}");
    assert!(history.bytes() * 2 < bytes, "{} of {bytes} bytes are left", history.bytes());
    assert_eq!(planned.deltas, done.deltas);
    assert_eq!((planned.packs_after, planned.replaced), (done.packs_after, true));
    history.check();
    // Deltas that found better bases free old ones, which then become deltas in the next run; soon there is nothing left to do.
    let again = (0..4).map(|_| repack(&history, AGGRESSIVE)).take_while(|again| again.replaced).count();
    assert!(again < 4);
    history.check();

    // Life goes on: what is committed then finds the new packs.
    let other = history.other();
    edit_texts(&history.source, &mut Rng::new(77));
    let outcome = ops::commit(&other, request(&history.source), &Silent).unwrap();
    assert!(outcome.deltas.objects > 20, "{outcome:?}");
    history.keep(outcome.commit.unwrap());
    history.check();
    assert!(repack(&history, PLAIN).replaced);
    history.check();
}

#[test]
fn without_deltas_what_is_stored_in_full_stays_so_and_deltas_stay_deltas() {
    let history = History::new(Bench::new(), &[0, 1, 0, 0]);
    let before = check_bases(&history.bench.repo);
    assert!(before > 0);
    history.bench.repo.set_setting("delta", Some("off")).unwrap();
    let done = repack(&history, PLAIN);
    assert!(done.replaced && done.deltas.objects == 0, "{done:?}");
    assert_eq!(check_bases(&history.bench.repo), before);
    history.check();
}

#[test]
fn an_empty_repository_and_one_of_one_commit_stay_as_they_are() {
    let history = History::new(Bench::new(), &[]);
    for request in [PLAIN, AGGRESSIVE] {
        assert_eq!(repack(&history, request), RepackOutcome::default());
    }
    let history = History::new(Bench::new(), &[1]);
    assert!(!repack(&history, PLAIN).replaced);
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
    // One pack that the commit has no use for: where all must stay, there is nothing to exchange.
    let strange = history.bench.path("strange");
    make_texts(&strange, &mut Rng::new(404));
    let strange = CommitRequest { branch: Some("strange".to_owned()), ..request(&strange) };
    ops::commit(&history.bench.repo, strange, &Silent).unwrap();
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
    repack(&history, AGGRESSIVE);
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
    assert!(repack(&history, AGGRESSIVE).replaced);
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
    let mid_way = AtTotal(At::new(Phase::Compare, || assert!(repack(&history, AGGRESSIVE).replaced)));
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
    let again = Draft { packs_added: vec![record], ..Draft::default() };
    let error = repo.append(&mut |_| Ok(again.clone())).unwrap_err();
    assert!(matches!(error, RepoError::Condemned), "{error}");
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
    // More than parity can heal.
    let third = bytes.len() / 3;
    bytes[third..2 * third].fill(0);
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&path, permissions).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let before = history.files("packs");
    let failed = ops::repack(&history.other(), AGGRESSIVE, &Silent).unwrap_err();
    assert_eq!(failed.kind(), warp::repo::ErrorKind::Damaged, "{failed}");
    assert_eq!(history.files("packs"), before);
}
