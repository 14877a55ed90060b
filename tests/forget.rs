//! Forgetting: what a policy keeps stays whole, and whatever others do meanwhile, nothing that they made is lost.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{Bench, client, password, request};
use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::observe::{Observer, Phase, Silent};
use warp::ops::{self, CommitRequest, ForgetOutcome, ForgetRequest, OpsError};
use warp::repo::{Head, KeepReason, Quota, RepoError, Repository, RetentionPolicy};
use warp::store::{LocalStore, OsVfs};
use warp::testing::{Rng, assert_same_tree};

const DAY: i64 = 86_400;
/// 2025-01-01 12:00 UTC.
const START: i64 = 1_735_732_800;

/// Does something once, when an operation asks whether it is to stop or comes to its end.
struct Once<'a>(Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>);

impl<'a> Once<'a> {
    fn new(act: impl FnOnce() + Send + 'a) -> Self {
        Self(Mutex::new(Some(Box::new(act))))
    }

    fn act(&self) {
        let act = self.0.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }

    fn has_acted(&self) -> bool {
        self.0.lock().unwrap().is_none()
    }
}

/// While commits are chosen.
struct WhileChoosing<'a>(Once<'a>);

impl Observer for WhileChoosing<'_> {
    fn cancelled(&self) -> bool {
        self.0.act();
        false
    }
}

/// When a commit is about to be appended.
struct AtTheEnd<'a>(Once<'a>);

impl Observer for AtTheEnd<'_> {
    fn phase(&self, phase: Phase, _: Option<u64>, _: Option<u64>) {
        if phase == Phase::Finish {
            self.0.act();
        }
    }
}

fn other(bench: &Bench, state: &str) -> Repository {
    let store = LocalStore::open(bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
    Repository::open(Arc::new(store), &password(), client(&bench.path(state))).unwrap()
}

fn at(source: &Path, secs: i64) -> CommitRequest {
    CommitRequest { time: Timestamp { secs, nanos: 0 }, allow_empty: true, ..request(source) }
}

fn commit(repo: &Repository, source: &Path, secs: i64) -> CommitId {
    ops::commit(repo, at(source, secs), &Silent).unwrap().commit.unwrap()
}

/// A repository with so many commits, one a day.
fn days(count: i64) -> (Bench, Vec<CommitId>) {
    let bench = Bench::new();
    let source = bench.path("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("a"), "a").unwrap();
    let commits = (0..count).map(|day| commit(&bench.repo, &source, START + day * DAY)).collect();
    (bench, commits)
}

fn keep_last(count: u32) -> ForgetRequest {
    let policy = RetentionPolicy { last: Some(Quota::Newest(count)), ..RetentionPolicy::default() };
    ForgetRequest { policy, ..ForgetRequest::default() }
}

fn named(commits: &[CommitId]) -> ForgetRequest {
    ForgetRequest { commits: commits.to_vec(), ..ForgetRequest::default() }
}

fn forget(repo: &Repository, request: &ForgetRequest) -> ForgetOutcome {
    ops::forget(repo, request, &Silent).unwrap()
}

fn live(repo: &Repository) -> BTreeSet<CommitId> {
    repo.refresh().unwrap().commits.iter().copied().collect()
}

/// Every ref stands on a live commit, and every live commit can be read.
fn check(bench: &Bench) {
    let repo = other(bench, "checker");
    let timeline = repo.timeline();
    for (name, at) in timeline.refs() {
        assert!(timeline.is_live(*at), "{name} stands on a forgotten commit");
    }
    timeline.commits().into_iter().for_each(|id| drop(repo.version(id).unwrap()));
}

#[test]
fn a_year_of_nightly_commits_thins_out_as_asked_and_what_is_kept_comes_back_whole() {
    let bench = Bench::new();
    let source = bench.path("source");
    std::fs::create_dir(&source).unwrap();
    let mut rng = Rng::new(7);
    let mut versions = Vec::new();
    for day in 0..120 {
        if day % 10 == 0 {
            std::fs::write(source.join(format!("file-{}", day % 30)), rng.bytes(3000)).unwrap();
        }
        versions.push(commit(&bench.repo, &source, START + day * DAY));
    }
    let policy = RetentionPolicy {
        daily: Some(Quota::Newest(7)),
        weekly: Some(Quota::Newest(4)),
        monthly: Some(Quota::Newest(12)),
        ..RetentionPolicy::default()
    };
    let done = forget(&bench.repo, &ForgetRequest { policy, ..ForgetRequest::default() });
    // 120 days from 1 January are to 30 April 2025, a Wednesday. Kept: 24 to 30 April; Sundays 27, 20 and 13 April; the ends
    // of January to March; and 1 January, as there are fewer than twelve months.
    let day = |number: usize| versions[number];
    let kept: BTreeSet<CommitId> =
        [119, 118, 117, 116, 115, 114, 113, 109, 102, 89, 58, 30, 0].map(day).into();
    assert_eq!(live(&bench.repo), kept);
    assert_eq!(done.forgotten.len() + kept.len(), versions.len());
    check(&bench);
    let first = bench.restore(day(0), "first");
    assert_eq!(std::fs::read_dir(first).unwrap().count(), 1);
    assert_same_tree(&source, &bench.restore(day(119), "last"));

    // Life goes on, and the next run forgets no more than the day that is over.
    let next = commit(&bench.repo, &source, START + 120 * DAY);
    let policy = RetentionPolicy { daily: Some(Quota::Newest(7)), ..RetentionPolicy::default() };
    let dry = ForgetRequest { policy, dry_run: true, ..ForgetRequest::default() };
    let again = forget(&bench.repo, &dry);
    assert!(again.forgotten.contains(&day(113)) && !again.forgotten.contains(&next));
    assert!(live(&bench.repo).contains(&day(113)));
}

#[test]
fn a_commit_made_while_a_policy_is_applied_is_judged_too_and_its_parent_stays() {
    let (bench, commits) = days(5);
    let (source, second) = (bench.path("source"), other(&bench, "second"));
    let made = Mutex::new(Vec::new());
    let observer = WhileChoosing(Once::new(|| {
        made.lock().unwrap().push(commit(&second, &source, START + 5 * DAY));
        let onto = CommitRequest {
            parent: Some(commits[1]),
            branch: Some("side".to_owned()),
            ..at(&source, START + 6 * DAY)
        };
        made.lock().unwrap().push(ops::commit(&second, onto, &Silent).unwrap().commit.unwrap());
        second.tag_create("v1", commits[0], false).unwrap();
    }));
    let done = ops::forget(&bench.repo, &keep_last(1), &observer).unwrap();
    assert!(observer.0.has_acted());
    let made = made.lock().unwrap().clone();
    // Of the two that came meanwhile the newer one is the last; the other one's branch stands on it.
    let wanted: BTreeSet<CommitId> = [commits[0], commits[1], commits[4], made[0], made[1]].into();
    assert_eq!(live(&bench.repo), wanted);
    let reasons =
        |id: CommitId| done.groups[0].kept.iter().find(|kept| kept.id == id).unwrap().reasons.clone();
    assert_eq!(reasons(commits[1]), [KeepReason::Parent]);
    assert_eq!(reasons(commits[4]), [KeepReason::Parent]);
    assert_eq!(reasons(commits[0]), [KeepReason::Tag("v1".to_owned())]);
    check(&bench);
}

#[test]
fn a_named_commit_that_became_a_parent_or_got_a_name_meanwhile_stays() {
    let acts: [fn(&Repository, &Path, CommitId); 3] = [
        |repo, source, id| {
            let request =
                CommitRequest { parent: Some(id), branch: Some("side".to_owned()), ..at(source, 1) };
            ops::commit(repo, request, &Silent).unwrap();
        },
        |repo, _, id| repo.branch_create("side", id, false).unwrap(),
        |repo, _, id| repo.tag_create("v1", id, false).unwrap(),
    ];
    for act in acts {
        let (bench, commits) = days(4);
        let (source, second) = (bench.path("source"), other(&bench, "second"));
        let observer = WhileChoosing(Once::new(|| act(&second, &source, commits[1])));
        let error = ops::forget(&bench.repo, &named(&commits[..2]), &observer).unwrap_err();
        assert!(matches!(error, OpsError::Refused { .. }), "{error}");
        assert!(live(&bench.repo).is_superset(&commits.iter().copied().collect()), "all or nothing");
        check(&bench);
    }
}

#[test]
fn two_forgets_at_once_forget_what_each_was_asked_to_but_never_all() {
    let (bench, commits) = days(6);
    let second = other(&bench, "second");
    let observer = WhileChoosing(Once::new(|| {
        forget(&second, &named(&commits[..3]));
    }));
    let done = ops::forget(&bench.repo, &named(&commits[1..5]), &observer).unwrap();
    assert!(observer.0.has_acted());
    assert_eq!(done.forgotten, commits[3..5], "what is forgotten already is no error");
    assert_eq!(live(&bench.repo), [commits[5]].into());

    // Nothing is left to do after the other one.
    let (bench, commits) = days(4);
    let second = other(&bench, "second");
    let observer = WhileChoosing(Once::new(|| {
        forget(&second, &keep_last(1));
    }));
    let done = ops::forget(&bench.repo, &keep_last(1), &observer).unwrap();
    assert_eq!(done.forgotten, []);
    assert_eq!(live(&bench.repo), [commits[3]].into());

    // One keeps the first, the other the last: the later one finds out that it would take all that is left.
    let (bench, commits) = days(3);
    let second = other(&bench, "second");
    bench.repo.branch_delete("main", true).unwrap();
    let observer = WhileChoosing(Once::new(|| {
        forget(&second, &named(&commits[1..]));
    }));
    let ids = RetentionPolicy { ids: [commits[2]].into(), ..RetentionPolicy::default() };
    let error = ops::forget(&bench.repo, &ForgetRequest { policy: ids, ..Default::default() }, &observer)
        .unwrap_err();
    assert!(matches!(error, OpsError::Refused { .. }), "{error}");
    assert_eq!(live(&bench.repo), [commits[0]].into());
}

#[test]
fn a_branch_that_moves_while_its_commit_is_forced_out_stays_where_it_went() {
    let (bench, commits) = days(4);
    let (source, second) = (bench.path("source"), other(&bench, "second"));
    let observer = WhileChoosing(Once::new(|| {
        second.branch_create("main", commits[1], true).unwrap();
        commit(&second, &source, START + 9 * DAY);
    }));
    let request = ForgetRequest { force: true, ..named(&commits[3..]) };
    let done = ops::forget(&bench.repo, &request, &observer).unwrap();
    assert!(done.moved.is_empty() && done.forgotten == commits[3..]);
    assert_eq!(
        other(&bench, "third").timeline().parents(bench.repo.timeline().branch("main").unwrap()),
        [commits[1]]
    );
    check(&bench);
}

#[test]
fn a_commit_whose_base_is_forgotten_meanwhile_begins_anew() {
    let (bench, commits) = days(3);
    let (source, second) = (bench.path("source"), other(&bench, "second"));
    std::fs::write(source.join("a"), "changed").unwrap();
    let observer = AtTheEnd(Once::new(|| {
        forget(&second, &ForgetRequest { force: true, ..named(&commits[2..]) });
    }));
    let done = ops::commit(&bench.repo, at(&source, START + 3 * DAY), &observer).unwrap();
    assert!(observer.0.has_acted());
    assert_eq!((done.parent, done.diverged), (Some(commits[1]), false));
    assert_same_tree(&source, &bench.restore(done.commit.unwrap(), "out"));
    check(&bench);

    // A parent that the user named does not come back.
    let (bench, commits) = days(3);
    let second = other(&bench, "second");
    let observer = AtTheEnd(Once::new(|| {
        forget(&second, &named(&commits[..1]));
    }));
    let source = bench.path("source");
    let request = CommitRequest { parent: Some(commits[0]), branch: Some("x".to_owned()), ..at(&source, 1) };
    let error = ops::commit(&bench.repo, request, &observer).unwrap_err();
    assert!(matches!(error, OpsError::Repo { source: RepoError::NoRevision { .. } }), "{error}");
    let request =
        CommitRequest { branch: None, head: Some(Head::Detached(commits[0])), ..at(&source, START) };
    let error = ops::commit(&bench.repo, request, &Silent).unwrap_err();
    assert!(
        matches!(error, OpsError::Refused { .. }) && error.to_string().contains("warp switch"),
        "{error}"
    );
}

#[test]
fn commits_and_forgets_of_many_handles_at_once_lose_no_branch_and_no_new_commit() {
    let (bench, _) = days(6);
    let source = bench.path("source");
    let threads: i64 = 3;
    let made = std::thread::scope(|scope| {
        let one = |thread: i64| {
            let (bench, source) = (&bench, &source);
            move || {
                let repo = other(bench, &format!("state-{thread}"));
                let mut made = Vec::new();
                for round in 0..8 {
                    let secs = START + (100 + round) * DAY + thread;
                    let branch = Some(format!("branch-{thread}"));
                    let request = CommitRequest { branch, ..at(source, secs) };
                    made.push(ops::commit(&repo, request, &Silent).unwrap().commit.unwrap());
                    forget(&repo, &keep_last(2));
                }
                *made.last().unwrap()
            }
        };
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(one(thread))).collect();
        running.into_iter().map(|handle| handle.join().unwrap()).collect::<Vec<_>>()
    });
    let left = live(&bench.repo);
    assert!(made.iter().all(|last| left.contains(last)), "every branch keeps its last commit");
    check(&bench);
    forget(&bench.repo, &keep_last(2));
    assert!(live(&bench.repo).len() <= 2 + threads as usize + 1, "old ones go in the end");
    assert_same_tree(&source, &bench.restore(made[0], "out"));
}
