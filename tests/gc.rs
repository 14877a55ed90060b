//! Garbage collection: what live commits need stays, all else goes, whatever others do meanwhile.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use common::history::{At, History, check_bases, copy, edit_texts, make_texts};
use common::{Bench, chunkers, client, password, request};
use warp::format::dirtree::Timestamp;
use warp::id::{CommitId, PackId, SegmentId};
use warp::observe::{Phase, Silent};
use warp::ops::{
    self, CommitRequest, GarbageCollector, GcConfig, GcEvent, GcStats, MaxUnused, OpsError, Source,
};
use warp::repo::{Client, Draft, ErrorKind, LogState, RefMove, RepoError, Repository};
use warp::store::{LocalStore, OsVfs};
use warp::testing::{RecordingObserver, Rng};

/// Nothing that is not needed stays, and all goes in one run.
const ALL: GcConfig = GcConfig {
    max_unused: MaxUnused::Bytes(0),
    max_repack: None,
    merge: true,
    reseal: false,
    grace: 0,
    threads: 0,
    dry_run: false,
};
/// Whole packs only.
const WHOLE: GcConfig = GcConfig { max_unused: MaxUnused::Bytes(u64::MAX), merge: false, ..ALL };

fn gc(repo: &Repository, config: GcConfig) -> GcStats {
    GarbageCollector::new(repo, config).run(&Silent).unwrap()
}

/// Forgets commits; a branch that stood on one is gone.
fn forget(repo: &Repository, commits: &[CommitId]) {
    let draft = |state: &LogState| {
        let refs = state.refs.iter().filter(|(_, at)| commits.contains(at));
        let gone = refs.map(|(name, at)| RefMove { name: name.clone(), old: Some(*at), new: None });
        let message = "forget".to_owned();
        Ok(Draft { forgotten: commits.to_vec(), refs: gone.collect(), message, ..Draft::default() })
    };
    repo.append(&mut |state| draft(state)).unwrap();
}

/// Forgets versions, by their places; they are no longer compared.
fn forget_versions(history: &mut History, places: &[usize]) {
    let ids: Vec<CommitId> = places.iter().map(|place| history.versions[*place].0).collect();
    history.bench.repo.refresh().unwrap();
    forget(&history.bench.repo, &ids);
    history.versions.retain(|(id, _)| !ids.contains(id));
}

/// Bytes of all files of packs.
fn pack_bytes(history: &History) -> u64 {
    let packs = std::fs::read_dir(history.bench.path("repo/packs")).unwrap();
    packs.map(|pack| pack.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn what_forgotten_commits_alone_needed_goes_and_all_others_come_back_whole() {
    for chunker in chunkers() {
        let mut history = History::new(Bench::with(chunker), &[0, 1, 0, 2, 2, 0]);
        let before = pack_bytes(&history);
        let nothing = gc(&history.bench.repo, GcConfig { merge: false, ..ALL });
        assert_eq!(
            (nothing.bytes_unused, nothing.packs_removed, nothing.files_deleted),
            (0, 0, 0),
            "{nothing:?}"
        );
        history.check();
        forget_versions(&mut history, &[0, 2]);
        let dry = gc(&history.bench.repo, GcConfig { dry_run: true, ..ALL });
        assert!(dry.bytes_unused > 0 && dry.bytes_after < dry.bytes_before, "{dry:?}");
        assert_eq!(pack_bytes(&history), before, "a dry run changes nothing");
        let done = gc(&history.bench.repo, ALL);
        assert_eq!(done.bytes_unused, dry.bytes_unused);
        // Little was not needed, and data and metadata have packs of their own now, each with its padding and parity.
        assert!(done.files_deleted > 0 && pack_bytes(&history) < before + before / 32, "{done:?}");
        assert_eq!(pack_bytes(&history), done.bytes_after);
        history.check();
        let again = gc(&history.bench.repo, ALL);
        assert_eq!((again.bytes_unused, again.packs_rewritten, again.files_deleted), (0, 0, 0), "{again:?}");
    }
}

#[test]
fn when_all_is_forgotten_nothing_is_left() {
    let mut history = History::new(Bench::new(), &[0, 1, 3]);
    forget_versions(&mut history, &[0, 1, 2]);
    let done = gc(&history.bench.repo, WHOLE);
    assert_eq!((done.packs_after, pack_bytes(&history)), (0, 0), "{done:?}");
    history.check();
    // And life goes on.
    history.commit(1);
    history.check();
}

#[test]
fn a_little_may_stay_unused_and_small_packs_are_merged() {
    let mut history = History::new(Bench::new(), &[0; 9]);
    let packs = history.files("packs").len();
    let done = gc(&history.bench.repo, GcConfig { grace: 0, ..GcConfig::default() });
    assert!(done.packs_rewritten >= 8 && (history.files("packs").len() as u64) < packs as u64, "{done:?}");
    assert_eq!(done.bytes_unused, 0);
    history.check();
    forget_versions(&mut history, &[4]);
    let lazy = gc(&history.bench.repo, GcConfig { max_unused: MaxUnused::Percent(90), ..ALL });
    assert!(lazy.bytes_unused > 0 && lazy.packs_rewritten == 0, "{lazy:?}");
    let small = gc(&history.bench.repo, GcConfig { max_repack: Some(10), ..ALL });
    assert_eq!(small.packs_rewritten, 0, "{small:?}");
    let done = gc(&history.bench.repo, ALL);
    assert!(done.packs_rewritten > 0 && done.bytes_after < done.bytes_before, "{done:?}");
    history.check();
}

/// Commits what `from` holds, as a version that is compared from then on.
fn commit_again(history: &mut History, repo: &Repository, from: &std::path::Path) {
    std::fs::remove_dir_all(&history.source).unwrap();
    copy(from, &history.source);
    let request =
        CommitRequest { branch: Some("again".to_owned()), allow_empty: true, ..request(&history.source) };
    let commit = ops::commit(repo, request, &Silent).unwrap().commit.unwrap();
    history.keep(commit);
}

/// Without the bases of what is unneeded in packs that stay, this fails: the second commit of a version finds its deltas there.
#[test]
fn what_nobody_needs_and_yet_stays_can_be_used_again() {
    let mut history = History::new(Bench::new(), &[0, 1, 2, 3]);
    let kept: Vec<_> = history.versions.iter().map(|version| version.1.clone()).collect();
    for places in [[0, 1].as_slice(), &[0]] {
        forget_versions(&mut history, places);
        // The packs of what is forgotten may stay, since half of each is needed.
        gc(&history.bench.repo, GcConfig { max_unused: MaxUnused::Percent(60), ..WHOLE });
        history.check();
        for version in &kept {
            let other = history.other();
            commit_again(&mut history, &other, version);
        }
        history.check();
    }
}

/// A repository of three commits: `text`; `text` a little changed, which is stored as a difference, and beside it `other`; `other`
/// alone. The first two are forgotten. Returns what `text` was in the second one.
fn with_unneeded_delta() -> (History, Vec<u8>) {
    let mut history = History::new(Bench::new(), &[]);
    std::fs::remove_dir_all(&history.source).unwrap();
    std::fs::create_dir(&history.source).unwrap();
    let mut rng = Rng::new(41);
    let mut text = rng.text(9000);
    let path = |name: &str| history.source.join(name);
    let [text_path, other_path] = ["text", "other"].map(path);
    std::fs::write(&text_path, &text).unwrap();
    history.commit(1);
    text.splice(4000..4010, rng.bytes(12));
    std::fs::write(&text_path, &text).unwrap();
    std::fs::write(other_path, rng.text(60_000)).unwrap();
    history.commit(1);
    std::fs::remove_file(text_path).unwrap();
    history.commit(1);
    let deltas = check_bases(&history.bench.repo);
    assert_eq!(deltas, 1, "the changed text is a difference");
    forget_versions(&mut history, &[0, 1]);
    (history, text)
}

/// Commits a file of this content alone; it must not be stored anew.
fn commit_text(history: &History, repo: &Repository, text: &[u8]) -> (CommitId, std::path::PathBuf) {
    let source = history.bench.path("text-alone");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("text"), text).unwrap();
    // So that no other object is as in the first commit.
    (0..2).for_each(|number| std::fs::write(source.join(format!("empty-{number}")), "").unwrap());
    // What is new shall rely on nothing of before.
    let branch = Some("alone".to_owned());
    let request = CommitRequest { branch, delta_depth: Some(0), ..request(&source) };
    let outcome = ops::commit(repo, request, &Silent).unwrap();
    assert!(outcome.stats.stored_bytes < 3000, "the text was there: {outcome:?}");
    (outcome.commit.unwrap(), source)
}

/// Without marking the bases of what is unneeded in packs that stay, this fails.
#[test]
fn an_unneeded_difference_in_a_pack_that_stays_keeps_its_base() {
    let (mut history, text) = with_unneeded_delta();
    // The pack of the base is the one of which most is not needed.
    let done = gc(&history.bench.repo, GcConfig { max_unused: MaxUnused::Bytes(1500), merge: false, ..ALL });
    assert!(done.bytes_unused > 2000 && done.packs_rewritten == 1, "{done:?}");
    check_bases(&history.other());
    let version = commit_text(&history, &history.other(), &text);
    history.versions.push(version);
    history.check();
}

/// Without keeping what packs that stay need of others, this fails.
#[test]
fn an_unneeded_difference_that_a_commit_began_to_use_meanwhile_keeps_its_base() {
    let (mut history, text) = with_unneeded_delta();
    let other = history.other();
    let committed = Mutex::new(None);
    let at = At::new(Phase::Finish, || {
        *committed.lock().unwrap() = Some(commit_text(&history, &other, &text));
    });
    let done = GarbageCollector::new(&history.bench.repo, ALL).run(&at).unwrap();
    drop(at);
    assert_eq!(done.packs_kept, 2, "{done:?}");
    history.versions.extend(committed.into_inner().unwrap());
    check_bases(&history.other());
    history.check();
}

#[test]
fn whatever_is_done_in_whatever_order_live_versions_come_back_whole() {
    let rounds = if std::env::var_os("WARP_LONG").is_some() { 60 } else { 5 };
    for seed in 0..rounds {
        let mut rng = Rng::new(1000 + seed);
        let mut history = History::new(Bench::new(), &[1]);
        let first = history.versions[0].1.clone();
        for _ in 0..14 {
            let repo = history.other();
            match rng.below(6) {
                0 | 1 => {
                    edit_texts(&history.source, &mut rng);
                    history.bench.reopen();
                    history.commit(rng.below(5) as u8);
                }
                2 => commit_again(&mut history, &repo, &first),
                3 if history.versions.len() > 1 => {
                    let place = rng.below(history.versions.len());
                    forget_versions(&mut history, &[place]);
                }
                4 => {
                    let request = ops::RepackRequest { aggressive: rng.below(2) == 0, ..Default::default() };
                    ops::repack(&repo, request, &Silent).unwrap();
                }
                _ => {
                    let max_unused = MaxUnused::Percent([0, 5, 50, 1000][rng.below(4)]);
                    gc(&repo, GcConfig { max_unused, merge: rng.below(2) == 0, ..ALL });
                    check_bases(&history.other());
                }
            }
        }
        gc(&history.other(), ALL);
        history.check();
    }
}

/// A commit that finds in packs that shall go what it needs: the first version once more, which nobody needs any more.
fn first_once_more(history: &History, other: &Repository, from: &std::path::Path) -> CommitId {
    let source = history.bench.path("once-more");
    copy(from, &source);
    let request = CommitRequest { branch: Some("side".to_owned()), ..request(&source) };
    let outcome = ops::commit(other, request, &Silent).unwrap();
    std::fs::remove_dir_all(&source).unwrap();
    outcome.commit.unwrap()
}

/// Without the check against newer entries' `uses` this fails, and for the second version, which is deltas against the first,
/// without keeping what the packs that stay need.
#[test]
fn packs_that_a_commit_began_to_use_meanwhile_stay_with_all_that_they_need() {
    for place in [0, 1] {
        let mut history = History::new(Bench::new(), &[0, 1, 0]);
        let kept: Vec<_> = history.versions.iter().map(|version| version.1.clone()).collect();
        forget_versions(&mut history, &[0, 1]);
        let other = history.other();
        let committed = Mutex::new(None);
        let at = At::new(Phase::Finish, || {
            *committed.lock().unwrap() = Some(first_once_more(&history, &other, &kept[place]));
        });
        let done = GarbageCollector::new(&history.bench.repo, ALL).run(&at).unwrap();
        drop(at);
        assert!(done.packs_kept > 0, "{done:?}");
        let id = committed.into_inner().unwrap().unwrap();
        history.versions.push((id, kept[place].clone()));
        history.check_with(&history.other());
        check_bases(&history.other());
        gc(&history.other(), ALL);
        history.check();
    }
}

#[test]
fn a_commit_whose_packs_were_taken_for_left_over_stores_them_anew() {
    let mut history = History::new(Bench::new(), &[0, 1]);
    let other = history.other();
    edit_texts(&history.source, &mut Rng::new(5));
    make_texts(&history.source.join("more"), &mut Rng::new(6));
    let at = At::new(Phase::Finish, || {
        let done = gc(&other, ALL);
        // All that a commit this small writes is written at its end: put something in its place.
        assert_eq!(done.orphans, 0);
    });
    let outcome = ops::commit(&history.bench.repo, request(&history.source), &at).unwrap();
    assert!(at.has_acted());
    drop(at);
    history.keep(outcome.commit.unwrap());
    history.check();

    // A large one writes packs on the way.
    let noise = history.source.join("noise");
    std::fs::write(&noise, Rng::new(9).bytes(70 << 20)).unwrap();
    let other = history.other();
    let swept = Mutex::new(GcStats::default());
    let at = At::new(Phase::Finish, || *swept.lock().unwrap() = gc(&other, ALL));
    history.bench.reopen();
    let outcome = ops::commit(&history.bench.repo, request(&history.source), &at).unwrap();
    assert_eq!(at.notices.lock().unwrap().len(), 1);
    drop(at);
    let swept = swept.into_inner().unwrap();
    assert!(
        swept.orphans > 0 && swept.orphan_bytes > 30 << 20 && swept.files_deleted >= swept.orphans,
        "{swept:?}"
    );
    history.keep(outcome.commit.unwrap());
    history.check_with(&history.other());
    gc(&history.other(), ALL);
    history.check();
}

/// A clock that tests set.
static CLOCK: AtomicI64 = AtomicI64::new(1_700_000_000);

fn set_clock() -> Timestamp {
    Timestamp { secs: CLOCK.load(Ordering::SeqCst), nanos: 0 }
}

#[test]
fn what_is_condemned_stays_until_its_grace_is_over() {
    let mut history = History::new(Bench::new(), &[0, 0]);
    let open = |history: &History| {
        let store = LocalStore::open(history.bench.path("repo"), std::sync::Arc::new(OsVfs::new())).unwrap();
        let client = Client { now: set_clock, ..client(&history.bench.path("clock")) };
        Repository::open(std::sync::Arc::new(store), &password(), client).unwrap()
    };
    forget_versions(&mut history, &[0]);
    let orphan = history.bench.path("repo/packs").join(format!("{}.warp", PackId::new([9; 16])));
    std::fs::write(&orphan, "a writer died").unwrap();
    let segment = history.bench.path("repo/index").join(SegmentId::new([8; 16]).to_string());
    std::fs::create_dir_all(segment.parent().unwrap()).unwrap();
    std::fs::write(&segment, "here, too").unwrap();
    let stranger = history.bench.path("repo/packs/notes.txt");
    std::fs::write(&stranger, "not ours").unwrap();

    let config = GcConfig { grace: 3600, ..ALL };
    let files = history.files("packs").len();
    let done = gc(&open(&history), config);
    assert_eq!(
        (done.orphans, done.orphan_bytes, done.files_deleted, done.packs_removed),
        (2, 22, 0, 0),
        "{done:?}"
    );
    assert!(done.packs_waiting > 0 && history.files("packs").len() >= files, "{done:?}");
    CLOCK.fetch_add(3599, Ordering::SeqCst);
    let early = gc(&open(&history), config);
    assert_eq!((early.files_deleted, early.packs_waiting), (0, done.packs_waiting), "{early:?}");
    CLOCK.fetch_add(1, Ordering::SeqCst);
    let late = gc(&open(&history), config);
    assert!(late.files_deleted >= done.packs_waiting + 2 && late.packs_waiting == 0, "{late:?}");
    assert!(!orphan.exists() && !segment.exists() && stranger.exists());
    std::fs::remove_file(stranger).unwrap();
    history.check();
}

#[test]
fn of_two_collectors_at_once_both_end_well() {
    for configs in [(ALL, WHOLE), (WHOLE, ALL), (ALL, ALL)] {
        let mut history = History::new(Bench::new(), &[0, 1, 0, 0]);
        forget_versions(&mut history, &[0, 2]);
        let other = history.other();
        let at = At::new(Phase::Finish, || {
            gc(&other, configs.0);
        });
        GarbageCollector::new(&history.bench.repo, configs.1).run(&at).unwrap();
        assert!(at.has_acted());
        drop(at);
        history.check();
    }
}

#[test]
fn a_repack_and_a_collector_at_once_lose_nothing() {
    let mut history = History::new(Bench::new(), &[0, 1, 0, 0]);
    forget_versions(&mut history, &[0, 2]);
    let other = history.other();
    let at = At::new(Phase::Finish, || {
        ops::repack(&other, ops::RepackRequest { aggressive: true, ..Default::default() }, &Silent).unwrap();
    });
    GarbageCollector::new(&history.bench.repo, ALL).run(&at).unwrap();
    drop(at);
    history.check();
}

#[test]
fn readers_that_opened_the_repository_before_follow_to_the_new_packs() {
    let mut history = History::new(Bench::new(), &[0, 1, 0, 2]);
    forget_versions(&mut history, &[0]);
    let early = history.other();
    let done = gc(&history.bench.repo, ALL);
    assert!(done.packs_rewritten > 0 && done.files_deleted > 0, "{done:?}");
    history.check_with(&early);
    history.check();
}

#[test]
fn a_stream_whose_packs_were_taken_for_left_over_is_refused_and_nothing_is_lost() {
    let mut history = History::new(Bench::new(), &[0, 0, 0]);
    let text = std::fs::read(history.versions[0].1.join("text-1")).unwrap();
    forget_versions(&mut history, &[0]);
    let other = history.other();
    let source = Source::Stream { name: b"text".to_vec(), reader: Box::new(std::io::Cursor::new(text)) };
    let stream = CommitRequest { source, branch: Some("stream".to_owned()), ..request(&history.source) };
    let at = At::new(Phase::Finish, || {
        gc(&other, ALL);
    });
    let refused = ops::commit(&history.bench.repo, stream, &at).unwrap_err();
    assert!(matches!(refused, OpsError::Repo { source: RepoError::Condemned }), "{refused}");
    drop(at);
    history.check_with(&history.other());
}

#[test]
fn where_anything_that_is_needed_is_damaged_or_gone_nothing_is_taken_away() {
    let mut history = History::new(Bench::new(), &[0, 0, 0]);
    forget_versions(&mut history, &[1]);
    let packs = history.files("packs");
    for pack in &packs {
        let path = history.bench.path("repo/packs").join(pack);
        let away = history.bench.path("away");
        std::fs::rename(&path, &away).unwrap();
        let failed = GarbageCollector::new(&history.other(), ALL).run(&Silent).unwrap_err();
        assert!(matches!(failed.kind(), ErrorKind::Damaged | ErrorKind::Store), "{failed}");
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(history.files("packs"), packs);
    }
    history.check();
}

#[test]
fn a_cancelled_collection_changes_nothing() {
    let mut history = History::new(Bench::new(), &[0, 0, 1]);
    forget_versions(&mut history, &[0]);
    let packs = history.files("packs");
    for events in [0, 1, 2] {
        let observer = RecordingObserver::cancelling_after(events);
        let stopped = GarbageCollector::new(&history.bench.repo, ALL).run(&observer);
        assert!(matches!(stopped, Err(OpsError::Cancelled)), "{stopped:?}");
        assert_eq!(history.files("packs"), packs);
    }
    history.check();
}

#[test]
fn segments_of_the_index_are_merged_and_say_the_same_as_before() {
    let mut history = History::new(Bench::new(), &[]);
    let mut rng = Rng::new(70);
    let mut text = rng.text(100_000);
    for _ in 0..9 {
        let at = rng.below(text.len());
        text.splice(at..at, rng.bytes(30));
        std::fs::write(history.source.join("text"), &text).unwrap();
        std::fs::write(history.source.join("noise"), rng.bytes(1_200_000)).unwrap();
        history.commit(1);
    }
    assert_eq!(history.files("index").len(), 9);
    let before = check_bases(&history.other());
    forget_versions(&mut history, &[4]);
    let early = history.other();
    let whole = GcConfig { merge: true, ..WHOLE };
    let done = gc(&history.bench.repo, whole);
    assert!(done.segments_merged >= 8 && history.files("index").len() <= 2, "{done:?}");
    history.check();
    history.check_with(&early);
    let after = check_bases(&history.other());
    assert!(before > 5 && after > before - 3, "{after} deltas of {before} are left");
    // Sketches are found: a like chunk in a file of another name is a difference.
    let source = history.bench.path("renamed");
    std::fs::create_dir(&source).unwrap();
    let mut noise = std::fs::read(history.versions[0].1.join("noise")).unwrap();
    noise.splice(600_000..600_010, rng.bytes(40));
    std::fs::write(source.join("renamed"), noise).unwrap();
    let request = CommitRequest { branch: Some("renamed".to_owned()), ..request(&source) };
    let outcome = ops::commit(&history.other(), request, &Silent).unwrap();
    assert!(outcome.deltas.objects > 0, "{outcome:?}");
}

/// A collection that condemns, and removes nothing yet.
const CONDEMN: GcConfig = GcConfig { grace: 3600, ..ALL };

#[test]
fn forgotten_commits_come_back_until_what_they_need_is_deleted() {
    let mut history = History::new(Bench::new(), &[0, 1, 2, 0, 1]);
    let all = std::mem::take(&mut history.versions);
    let ids: Vec<CommitId> = all.iter().map(|version| version.0).collect();
    let repo = history.other();
    forget(&repo, &ids[..4]);
    // Before any gc nothing has to be written.
    let done = ops::undelete(&repo, &ids[1..2], 0, &Silent).unwrap();
    assert_eq!((&done.restored[..], done.packs_written), (&ids[1..2], 0));
    history.versions = vec![all[1].clone(), all[4].clone()];
    history.check();
    assert_eq!(history.other().timeline().commits(), [ids[4], ids[1]], "it is back in its old place");

    let condemned = gc(&repo, CONDEMN);
    assert!(condemned.packs_waiting > 0 && condemned.files_deleted == 0, "{condemned:?}");
    let listed: std::collections::BTreeSet<CommitId> =
        ops::forgotten(&history.other()).unwrap().into_iter().map(|forgotten| forgotten.id).collect();
    assert_eq!(listed, [ids[0], ids[2], ids[3]].into());
    let done = ops::undelete(&history.other(), &[ids[2], ids[0], ids[4], ids[0]], 0, &Silent).unwrap();
    assert!(done.restored.len() == 2 && done.live == [ids[4]] && done.packs_written > 0, "{done:?}");
    // Another gc takes the condemned packs away: what came back does not need them.
    gc(&history.other(), ALL);
    history.versions = vec![all[0].clone(), all[1].clone(), all[2].clone(), all[4].clone()];
    history.check();

    let failed = ops::undelete(&history.other(), &[ids[3]], 0, &Silent).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Damaged, "{failed}");
    assert!(ops::forgotten(&history.other()).unwrap().is_empty());
    let stranger = ops::undelete(&history.other(), &[CommitId::new([1; 32])], 0, &Silent).unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::NotFound, "{stranger}");
    history.check();
}

#[test]
fn a_commit_that_comes_back_while_others_collect_is_whole_or_still_gone() {
    for config in [ALL, CONDEMN] {
        let mut history = History::new(Bench::new(), &[0, 1, 0]);
        let first = history.versions[0].clone();
        forget_versions(&mut history, &[0]);
        // It comes back while a gc is about to condemn what it needs.
        let other = history.other();
        let at = At::new(Phase::Finish, || {
            ops::undelete(&other, &[first.0], 0, &Silent).unwrap();
        });
        let done = GarbageCollector::new(&history.bench.repo, config).run(&at).unwrap();
        assert!(at.has_acted() && done.packs_kept > 0, "{done:?}");
        drop(at);
        history.versions.push(first.clone());
        history.check_with(&history.other());
        check_bases(&history.other());

        // And a gc condemns it while it is about to come back.
        history.versions.retain(|version| version.0 != first.0);
        forget(&history.other(), &[first.0]);
        let other = history.other();
        let at = At::new(Phase::Finish, || {
            gc(&other, config);
        });
        let mine = history.other();
        match ops::undelete(&mine, &[first.0], 0, &at) {
            Ok(_) => {
                drop(at);
                history.versions.push(first);
            }
            Err(error) => {
                assert!(config == ALL && error.kind() == ErrorKind::Damaged, "{error}");
                drop(at);
            }
        }
        gc(&history.other(), ALL);
        history.check();
    }
}

#[test]
fn a_handler_is_told_of_every_step() {
    let mut history = History::new(Bench::new(), &[0, 0, 1]);
    forget_versions(&mut history, &[0]);
    let mut events = Vec::new();
    let done =
        GarbageCollector::new(&history.bench.repo, ALL).on_event(|event| events.push(event)).run(&Silent);
    let names: Vec<_> = events.iter().map(std::mem::discriminant).collect();
    let stats = GcStats::default();
    let all = [
        GcEvent::Planned(stats),
        GcEvent::Rewritten(stats),
        GcEvent::Condemned(stats),
        GcEvent::Swept(stats),
    ];
    assert_eq!(names, all.iter().map(std::mem::discriminant).collect::<Vec<_>>());
    assert_eq!(events.last(), Some(&GcEvent::Swept(done.unwrap())));
}
