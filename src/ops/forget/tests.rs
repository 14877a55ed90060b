use super::super::testkit::{commit_tree, commit_with, repository, request as commit_request};
use super::*;
use crate::observe::Silent;
use crate::ops::{CommitRequest, LogRequest, log, undo};
use crate::repo::{ErrorKind, Quota, ResolveContext};

const DAY: i64 = 86_400;

/// A repository with one commit a day on branch `main`, oldest first.
fn days(count: i64) -> (Repository, Vec<CommitId>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), "a").unwrap();
    let repo = repository();
    let commits = (0..count).map(|day| commit_tree(&repo, dir.path(), day * DAY)).collect();
    (repo, commits)
}

fn keep_last(count: u32) -> ForgetRequest {
    let policy = RetentionPolicy { last: Some(Quota::Newest(count)), ..RetentionPolicy::default() };
    ForgetRequest { policy, ..ForgetRequest::default() }
}

fn named(commits: &[CommitId]) -> ForgetRequest {
    ForgetRequest { commits: commits.to_vec(), ..ForgetRequest::default() }
}

fn done(repo: &Repository, request: &ForgetRequest) -> ForgetOutcome {
    forget(repo, request, &Silent).unwrap()
}

fn refused(repo: &Repository, request: &ForgetRequest) -> String {
    let before = repo.state().number;
    let error = forget(repo, request, &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!(repo.state().number, before, "a refusal writes nothing");
    error.to_string()
}

fn sorted(mut commits: Vec<CommitId>) -> Vec<CommitId> {
    commits.sort();
    commits
}

fn logged(repo: &Repository, from: CommitId) -> Vec<CommitId> {
    let mut told = Vec::new();
    log(repo, &LogRequest { from: vec![from], ..LogRequest::default() }, &mut |version| {
        told.push(version.id);
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    told
}

#[test]
fn a_policy_forgets_what_it_does_not_keep_and_history_goes_on_behind() {
    let (repo, commits) = days(6);
    let request = ForgetRequest { dry_run: true, ..keep_last(2) };
    let planned = done(&repo, &request);
    assert_eq!(repo.timeline().commits().len(), 6, "a dry run changes nothing");
    let outcome = done(&repo, &keep_last(2));
    assert_eq!((&outcome.groups, &outcome.forgotten), (&planned.groups, &planned.forgotten));
    assert_eq!(sorted(outcome.forgotten), sorted(commits[..4].to_vec()));
    assert_eq!(outcome.groups[0].kept[1].reasons, [KeepReason::Last]);
    assert_eq!(
        outcome.groups[0].kept[0].reasons,
        [KeepReason::Last, KeepReason::Branch("main".to_owned())],
        "the last one has two reasons"
    );
    let number = repo.state().number;
    assert_eq!(done(&repo, &keep_last(2)).forgotten, []);
    assert_eq!(repo.state().number, number, "nothing to forget writes nothing");

    // With a hole in the middle all that is left is told.
    let (repo, commits) = days(6);
    done(&repo, &named(&commits[1..4]));
    assert_eq!(logged(&repo, commits[5]), [commits[5], commits[4], commits[0]]);
    let timeline = repo.timeline();
    assert_eq!(
        (timeline.parents(commits[4]), timeline.live_parents(commits[4])),
        (&[commits[3]][..], vec![commits[0]])
    );
    assert!(timeline.is_forgotten(commits[2]) && !timeline.is_forgotten(commits[0]));
}

#[test]
fn a_forgotten_commit_is_named_as_such_in_every_way_to_write_it() {
    let (repo, commits) = days(5);
    repo.branch_create("side", commits[1], false).unwrap();
    repo.branch_create("side", commits[0], true).unwrap();
    done(&repo, &named(&commits[1..4]));
    let resolve = |text: &str| repo.resolve(text, &ResolveContext::default());
    let gone = [
        "main~1".to_owned(),
        "main^".to_owned(),
        "main~4".to_owned(),
        "main@{1}".to_owned(),
        "side@{1}".to_owned(),
        commits[2].to_hex(),
        commits[2].to_hex()[..12].to_owned(),
    ];
    for text in &gone {
        let error = resolve(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let text = error.to_string();
        assert!(text.contains("was forgotten; the nearest one before it that is left is"), "{text}");
        assert!(text.ends_with(&commits[0].short()), "{text}");
    }
    assert_eq!(resolve("main").unwrap(), commits[4]);
    let head = ResolveContext { head: Some(Head::Detached(commits[3])), ..ResolveContext::default() };
    assert!(repo.resolve("HEAD", &head).unwrap_err().to_string().contains("was forgotten"));
    let error = undo(&repo, "main").unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("was forgotten"), "{error}");
    assert_eq!(repo.timeline().branch("main"), Some(commits[4]));
    for name in ["new", "side"] {
        assert!(repo.branch_create(name, commits[2], true).is_err(), "no ref goes to a forgotten commit");
    }
}

#[test]
fn tags_branches_and_a_detached_head_keep_their_commits() {
    let (repo, commits) = days(6);
    repo.tag_create("v1", commits[0], false).unwrap();
    repo.branch_create("old", commits[1], false).unwrap();
    let head = Some(Head::Detached(commits[2]));
    let outcome = done(&repo, &ForgetRequest { head: head.clone(), ..keep_last(1) });
    assert_eq!(sorted(outcome.forgotten), sorted(commits[3..5].to_vec()));
    let reasons: Vec<String> =
        outcome.groups[0].kept.iter().map(|kept| kept.reasons[0].to_string()).collect();
    assert_eq!(reasons, ["last", "HEAD", "branch old", "tag v1"]);

    let why =
        |commit, force| refused(&repo, &ForgetRequest { head: head.clone(), force, ..named(&[commit]) });
    assert!(why(commits[0], true).contains("warp tag -d v1"));
    assert!(why(commits[1], false).contains("branch old stands on"));
    assert!(why(commits[2], true).contains("HEAD stands on"));
    assert!(why(commits[5], false).contains("--force"));
}

#[test]
fn with_force_branches_go_back_to_what_is_left_or_go() {
    let (repo, commits) = days(5);
    repo.branch_create("first", commits[0], false).unwrap();
    repo.branch_create("third", commits[2], false).unwrap();
    done(&repo, &named(&[commits[3]]));
    let outcome = done(&repo, &ForgetRequest { force: true, ..named(&[commits[4], commits[2], commits[0]]) });
    let moved = |name: &str, old, new| RefMove { name: format!("heads/{name}"), old: Some(old), new };
    assert_eq!(
        outcome.moved,
        [
            moved("first", commits[0], None),
            moved("main", commits[4], Some(commits[1])),
            moved("third", commits[2], Some(commits[1])),
        ]
    );
    let timeline = repo.timeline();
    assert_eq!((timeline.branch("main"), timeline.branch("first")), (Some(commits[1]), None));
    assert_eq!(timeline.reflog("heads/main")[0].message, "forget: 3 commits");
    assert_eq!(timeline.commits(), [commits[1]]);

    let policy = ForgetRequest { force: true, ..keep_last(1) };
    let (repo, commits) = days(3);
    repo.branch_create("old", commits[0], false).unwrap();
    assert_eq!(done(&repo, &policy).moved, [moved("old", commits[0], None)]);
    assert_eq!(repo.timeline().branches(), [("main".to_owned(), commits[2])]);
}

#[test]
fn a_request_that_keeps_nothing_is_refused() {
    let (repo, commits) = days(3);
    assert!(refused(&repo, &ForgetRequest::default()).contains("everything would be forgotten"));
    assert!(refused(&repo, &keep_last(0)).contains("everything would be forgotten"));
    let both = ForgetRequest { commits: commits.clone(), ..keep_last(1) };
    assert_eq!(forget(&repo, &both, &Silent).unwrap_err().kind(), ErrorKind::Usage);
    let all = ForgetRequest { allow_all: true, ..ForgetRequest::default() };
    assert_eq!(forget(&repo, &all, &Silent).unwrap_err().kind(), ErrorKind::Usage);

    // A group that no branch stands in loses all.
    let dir = tempfile::tempdir().unwrap();
    let there =
        |secs, host: &str| CommitRequest { host: host.to_owned(), ..commit_request(dir.path(), "b", secs) };
    let gone = commit_with(&repo, there(10, "there")).commit.unwrap();
    commit_with(&repo, there(20, "here"));
    let tagged = RetentionPolicy { tags: vec![vec!["x".to_owned()]], ..RetentionPolicy::default() };
    let request = ForgetRequest { policy: tagged, ..ForgetRequest::default() };
    let why = refused(&repo, &request);
    assert!(why.contains("host there") && why.contains("the only one"), "{why}");
    let request = ForgetRequest { allow_all: true, ..request };
    assert_eq!(sorted(done(&repo, &request).forgotten), sorted(vec![commits[0], commits[1], gone]));

    // All of a host, without a policy.
    let all = ForgetRequest { host: Some("here".to_owned()), force: true, ..all };
    assert_eq!(done(&repo, &all).forgotten.len(), 2);
    assert!(repo.timeline().commits().is_empty() && repo.timeline().refs().is_empty());
}

#[test]
fn host_tags_and_paths_say_which_commits_a_policy_is_about() {
    let dir = tempfile::tempdir().unwrap();
    let repo = repository();
    let made = |secs, host: &str, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let request =
            CommitRequest { host: host.to_owned(), tags, ..commit_request(dir.path(), "main", secs) };
        commit_with(&repo, request).commit.unwrap()
    };
    let a = [made(1, "a", &["x"]), made(2, "a", &["x", "y"]), made(3, "a", &["x", "y"])];
    let b = [made(4, "b", &[]), made(5, "b", &[])];
    made(6, "c", &[]);
    let planned =
        |request: ForgetRequest| sorted(done(&repo, &ForgetRequest { dry_run: true, ..request }).forgotten);
    assert_eq!(planned(keep_last(1)), sorted(vec![a[0], a[1], b[0]]));
    assert_eq!(planned(ForgetRequest { host: Some("b".to_owned()), ..keep_last(1) }), [b[0]]);
    let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    assert_eq!(planned(ForgetRequest { tags: tags(&["x", "y"]), ..keep_last(1) }), [a[1]]);
    let paths = repo.version(a[0]).unwrap().commit.paths;
    assert_eq!(planned(ForgetRequest { paths, ..keep_last(2) }), [a[0]]);
    assert_eq!(planned(ForgetRequest { paths: vec![b"/nowhere".to_vec()], ..keep_last(1) }), []);
    assert_eq!(planned(ForgetRequest { group_by: GroupBy::NONE, ..keep_last(1) }).len(), 5);
    let by_tags = GroupBy { tags: true, ..GroupBy::NONE };
    assert_eq!(planned(ForgetRequest { group_by: by_tags, ..keep_last(1) }), sorted(vec![a[1], b[0], b[1]]));
}

#[test]
fn what_never_was_a_commit_is_refused_and_what_is_forgotten_already_is_no_error() {
    let (repo, commits) = days(3);
    let unknown = named(&[CommitId::new([7; 32])]);
    assert_eq!(forget(&repo, &unknown, &Silent).unwrap_err().kind(), ErrorKind::NotFound);
    done(&repo, &named(&[commits[0]]));
    let outcome = done(&repo, &named(&[commits[0], commits[1], commits[1]]));
    assert_eq!(outcome.forgotten, [commits[1]]);
}

#[test]
fn a_commit_that_cannot_be_read_stops_a_policy_and_is_forgotten_by_name() {
    let (repo, commits) = days(3);
    let lost = CommitId::new([9; 32]);
    let record = crate::format::log::CommitRecord { id: lost, parents: vec![commits[2]] };
    repo.append(&mut |_| Ok(Draft { commits: vec![record.clone()], ..Draft::default() })).unwrap();
    let observer = crate::testing::RecordingObserver::new();
    let error = forget(&repo, &keep_last(1), &observer).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
    assert!(observer.notices()[0].contains(&lost.short()));
    assert_eq!(repo.timeline().commits().len(), 4, "nothing is forgotten half-way");
    let outcome = done(&repo, &named(&[lost]));
    assert_eq!(outcome.groups[0].forgotten[0].commit, None);
    assert_eq!(done(&repo, &keep_last(1)).forgotten.len(), 2);
}

#[test]
fn the_log_takes_no_entry_that_leaves_a_ref_on_a_forgotten_commit() {
    let (repo, commits) = days(3);
    let append = |draft: Draft| repo.append(&mut |_| Ok(draft.clone())).map(|_| ());
    let gone = Draft { forgotten: vec![commits[2]], ..Draft::default() };
    assert!(matches!(append(gone.clone()), Err(RepoError::StillNamed { .. })));
    let back = |old, new| RefMove { name: "heads/main".to_owned(), old: Some(old), new: Some(new) };
    let onto =
        Draft { refs: vec![back(commits[2], commits[1])], forgotten: vec![commits[1]], ..Draft::default() };
    assert!(matches!(append(onto), Err(RepoError::StillNamed { .. })));
    append(Draft { refs: vec![back(commits[2], commits[1])], ..gone }).unwrap();
    let based = Draft { based_on: vec![commits[2]], ..Draft::default() };
    assert!(matches!(append(based), Err(RepoError::BaseForgotten { .. })));
}

#[test]
fn a_branch_holds_alone_what_lies_behind_forgotten_commits() {
    let (repo, commits) = days(4);
    repo.branch_create("copy", commits[3], false).unwrap();
    done(&repo, &named(&commits[1..3]));
    repo.branch_delete("copy", false).unwrap();
    repo.branch_create("low", commits[0], false).unwrap();
    repo.branch_delete("low", false).unwrap();
    assert!(matches!(repo.branch_delete("main", false), Err(RepoError::Unmerged { .. })));
}

#[test]
fn a_cancelled_forget_changes_nothing() {
    let (repo, commits) = days(3);
    let cancelling = crate::testing::RecordingObserver::cancelling_after(0);
    for request in [keep_last(1), named(&commits[..1])] {
        let error = forget(&repo, &request, &cancelling).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
    assert_eq!(repo.timeline().commits().len(), 3);
}
