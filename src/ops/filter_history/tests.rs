use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use super::super::testkit::{commit_tree, commit_with, repository, request as commit_request};
use super::sieve::Drop;
use super::*;
use crate::cas::Index;
use crate::format::dirtree::DirEntry;
use crate::format::state::{DirState, StateReader};
use crate::id::ObjectKind;
use crate::observe::Silent;
use crate::ops::previous::ContentReader;
use crate::ops::{CommitRequest, ForgetRequest, ScanSettings, forget, ls, undelete};
use crate::repo::{ErrorKind, ResolveContext};
use crate::testing::{Event, RecordingObserver, Rng, edit_tree, make_tree};

fn patterns(texts: &[&str]) -> RewriteRequest {
    RewriteRequest { excludes: texts.iter().map(|text| (*text).to_owned()).collect(), ..Default::default() }
}

fn path(path: &str) -> RewriteRequest {
    RewriteRequest { paths: vec![path.as_bytes().to_vec()], ..RewriteRequest::default() }
}

fn done(repo: &Repository, request: &RewriteRequest) -> RewriteOutcome {
    rewrite_history(repo, request, &mut |_| (), &Silent).unwrap()
}

fn root(repo: &Repository, id: CommitId) -> DirEntry {
    repo.version(id).unwrap().commit.root
}

fn paths(repo: &Repository, id: CommitId) -> Vec<String> {
    let mut found = Vec::new();
    ls(repo, id, b"", true, &mut |listed| {
        found.push(String::from_utf8_lossy(&listed.path).into_owned());
        ControlFlow::Continue(())
    })
    .unwrap();
    found
}

fn states(repo: &Repository, id: CommitId) -> Vec<DirState> {
    let state = repo.version(id).unwrap().commit.state;
    let reader = ContentReader::new(repo.chunks(), &state, ObjectKind::State).unwrap();
    StateReader::new(reader).map(Result::unwrap).collect()
}

/// The tree at `root` as a commit with these patterns would record it, on a branch of its own.
fn left_out(repo: &Repository, root: &Path, texts: &[&str]) -> CommitId {
    let excludes = texts.iter().map(|text| (*text).to_owned()).collect();
    let scan = ScanSettings { excludes, ..ScanSettings::default() };
    commit_with(repo, CommitRequest { scan, ..commit_request(root, "oracle", 99) }).commit.unwrap()
}

/// Sifts trees without writing, remembering so much.
fn sifted(repo: &Repository, texts: &[&str], remembered: usize, roots: &[DirEntry]) -> Vec<Option<Sifted>> {
    let rules = Rules::new(&patterns(texts)).unwrap();
    let nothing = Index::new(std::sync::Arc::clone(repo.chunks().vault()));
    let sealer = Sealer::new(std::sync::Arc::clone(repo.chunks().vault()), &nothing, |_| Ok(()));
    let level = level_setting(repo).unwrap();
    let store =
        Store { sealer: &sealer, chunks: repo.chunks(), level, depth: 0, content_depth: 0, dry: true };
    let sink = ObjectSink::new(store).unwrap();
    let mut sieve = Sieve::new(repo.chunks(), &rules, &sink).forgetful(remembered);
    let commit = repo.version(repo.timeline().commits()[0]).unwrap();
    let sources = Sources::of(repo, repo.chunks(), (commit.id, &commit.commit)).unwrap();
    roots.iter().map(|root| sieve.sift(root, &sources).unwrap()).collect()
}

const CASES: [&[&str]; 9] = [
    &["first"],
    &["links/first", "empty-twin"],
    &["below/"],
    &["*file*"],
    &["file*", "!file1*"],
    &["/names", "dir*"],
    &["ordinary/**/file?", "random"],
    &["*"],
    &["many/n1*"],
];

#[test]
fn a_sifted_tree_is_what_a_commit_that_leaves_the_same_out_records() {
    let dir = tempfile::tempdir().unwrap();
    make_tree(dir.path(), 5, 60).unwrap();
    // A directory of several nodes.
    fs::create_dir(dir.path().join("many")).unwrap();
    (0..2500).for_each(|number| fs::write(dir.path().join(format!("many/n{number}")), "").unwrap());
    let repo = repository();
    let mut roots = vec![root(&repo, commit_tree(&repo, dir.path(), 0))];
    let mut expected: BTreeMap<&[&str], Vec<DirEntry>> = BTreeMap::new();
    for seed in 0..3 {
        for texts in CASES {
            expected.entry(texts).or_default().push(root(&repo, left_out(&repo, dir.path(), texts)));
        }
        edit_tree(dir.path(), seed, 5).unwrap();
        roots.push(root(&repo, commit_tree(&repo, dir.path(), 1)));
    }
    roots.pop();
    // The same trees again: what is remembered must tell the same.
    let twice = [&roots[..], &roots[..]].concat();
    for (texts, expected) in &expected {
        let twice_expected = [&expected[..], &expected[..]].concat();
        let mut told: Vec<Vec<Vec<u8>>> = Vec::new();
        for remembered in [0, 3, 50, REMEMBERED] {
            let all = sifted(&repo, texts, remembered, &twice);
            let found: Vec<DirEntry> = all
                .iter()
                .zip(&twice)
                .map(|(sifted, root)| {
                    sifted.as_ref().map_or_else(|| root.clone(), |sifted| sifted.root.clone())
                })
                .collect();
            assert_eq!(found, twice_expected, "{texts:?}, {remembered} remembered");
            let drops = |sifted: &Option<Sifted>| {
                sifted.iter().flat_map(|sifted| &sifted.drops).map(|drop: &Drop| drop.path.clone()).collect()
            };
            let drops: Vec<Vec<Vec<u8>>> = all.iter().map(drops).collect();
            assert_eq!(drops[..roots.len()], drops[roots.len()..], "{texts:?}");
            if told.is_empty() {
                assert!(!drops[0].is_empty(), "{texts:?} drops something");
                told = drops;
            } else {
                assert_eq!(drops, told, "{texts:?}, {remembered} remembered");
            }
        }
    }
}

const REMEMBERED: usize = 1 << 18;

#[test]
fn what_is_counted_as_dropped_is_what_the_commits_differ_by() {
    let dir = tempfile::tempdir().unwrap();
    make_tree(dir.path(), 6, 60).unwrap();
    let repo = repository();
    let before = repo.version(commit_tree(&repo, dir.path(), 0)).unwrap().commit;
    for texts in CASES.iter().filter(|texts| texts[0] != "many/n1*") {
        let expected = repo.version(left_out(&repo, dir.path(), texts)).unwrap().commit;
        let request = RewriteRequest { dry_run: true, commits: vec![], ..patterns(texts) };
        let request = RewriteRequest { commits: vec![repo.timeline().branch("main").unwrap()], ..request };
        let counts = done(&repo, &request).dropped;
        let differ = DroppedCounts {
            files: before.stats.files - expected.stats.files,
            dirs: before.stats.dirs - expected.stats.dirs,
            others: before.stats.others - expected.stats.others,
            bytes: before.stats.bytes - expected.stats.bytes,
        };
        assert_eq!(counts, differ, "{texts:?}");
        assert_eq!(without(&before.stats, &counts).files, expected.stats.files);
    }
}

/// Three commits on `main`: `keep`, then `big` and `dir` beside it, then `keep` changed. One on `side`, after the first.
struct Versions {
    dir: tempfile::TempDir,
    repo: Repository,
    main: [CommitId; 3],
    side: CommitId,
}

fn versions() -> Versions {
    let (dir, repo) = (tempfile::tempdir().unwrap(), repository());
    let at = |name: &str| dir.path().join(name);
    fs::write(at("keep"), "one").unwrap();
    let first = commit_tree(&repo, dir.path(), 1);
    let request = CommitRequest { parent: Some(first), ..commit_request(dir.path(), "side", 2) };
    let side = commit_with(&repo, request).commit.unwrap();
    fs::write(at("big"), Rng::new(1).bytes(50_000)).unwrap();
    fs::create_dir_all(at("dir/inner")).unwrap();
    fs::write(at("dir/inner/secret"), "secret").unwrap();
    fs::write(at("dir/other"), "other").unwrap();
    let second = commit_tree(&repo, dir.path(), 3);
    fs::write(at("keep"), "two").unwrap();
    let third = commit_tree(&repo, dir.path(), 4);
    Versions { dir, repo, main: [first, second, third], side }
}

#[test]
fn commits_with_a_match_and_those_after_them_are_rewritten_and_refs_follow() {
    let Versions { repo, main, side, .. } = versions();
    repo.tag_create("v2", main[1], false).unwrap();
    repo.tag_create("v1", main[0], false).unwrap();
    let olds: Vec<_> = main.iter().map(|id| repo.version(*id).unwrap().commit).collect();
    let planned = done(&repo, &RewriteRequest { dry_run: true, ..patterns(&["big"]) });
    assert_eq!(repo.timeline().branch("main"), Some(main[2]), "a dry run changes nothing");
    let number = repo.state().number;
    let mut told = Vec::new();
    let outcome = rewrite_history(
        &repo,
        &patterns(&["big"]),
        &mut |gone| told.push((gone.commit, gone.path.to_vec(), gone.counts.bytes)),
        &Silent,
    )
    .unwrap();
    assert_eq!(repo.state().number, number + 1, "all in one entry");
    assert_eq!(outcome.commits.iter().map(|commit| commit.old).collect::<Vec<_>>(), main[1..]);
    assert_eq!((&outcome.commits, outcome.dropped), (&planned.commits, planned.dropped));
    assert_eq!(told, main[1..].iter().map(|id| (*id, b"big".to_vec(), 50_000)).collect::<Vec<_>>());
    assert_eq!((outcome.dropped.bytes, outcome.content_bytes), (100_000, 50_000));

    let timeline = repo.timeline();
    let new = [main[0], outcome.commits[0].new, outcome.commits[1].new];
    assert_eq!(timeline.branch("main"), Some(new[2]));
    assert_eq!(timeline.branch("side"), Some(side));
    assert_eq!(timeline.tags(), [("v1".to_owned(), main[0]), ("v2".to_owned(), new[1])]);
    assert_eq!(timeline.commits(), [new[2], new[1], side, main[0]], "heirs have the places of the originals");
    assert_eq!(timeline.reflog("heads/main")[0].message, "rewrite: 2 commits");
    assert!(timeline.is_forgotten(main[1]) && timeline.is_forgotten(main[2]));
    for (number, old) in olds.iter().enumerate().skip(1) {
        let commit = repo.version(new[number]).unwrap().commit;
        let expected = Commit {
            root: commit.root.clone(),
            parents: vec![new[number - 1]],
            stats: CommitStats {
                files: old.stats.files - 1,
                bytes: old.stats.bytes - 50_000,
                new_bytes: old.stats.new_bytes.min(old.stats.bytes - 50_000),
                ..old.stats
            },
            state: commit.state,
            original: Some(main[number]),
            ..old.clone()
        };
        assert_eq!(commit, expected);
        assert_eq!(paths(&repo, new[number]), ["keep", "dir", "dir/other", "dir/inner", "dir/inner/secret"]);
    }
    let resolved = |text: &str| repo.resolve(text, &ResolveContext::default());
    assert_eq!(resolved("main~2").unwrap(), main[0]);
    assert!(resolved("main@{1}").unwrap_err().to_string().contains("was forgotten"));

    let number = repo.state().number;
    assert_eq!(done(&repo, &patterns(&["big"])).commits, []);
    assert_eq!(repo.state().number, number, "nothing to drop writes nothing");
}

#[test]
fn a_commit_without_a_match_is_rewritten_for_its_parents_also_behind_forgotten_ones() {
    let Versions { dir, repo, main, .. } = versions();
    fs::remove_file(dir.path().join("big")).unwrap();
    let between = commit_tree(&repo, dir.path(), 5);
    let last = commit_tree(&repo, dir.path(), 6);
    forget(&repo, &ForgetRequest { commits: vec![between], ..ForgetRequest::default() }, &Silent).unwrap();
    let outcome = done(&repo, &path("big"));
    let heir = |id| outcome.commits.iter().find(|commit| commit.old == id).unwrap();
    assert_eq!(outcome.commits.len(), 3);
    assert!(heir(last).dropped.is_empty() && !heir(main[2]).dropped.is_empty());
    let (before, after) = (repo.state(), repo.version(heir(last).new).unwrap().commit);
    assert_eq!(after.parents, [heir(main[2]).new], "the way through the forgotten one led to the original");
    assert_eq!((&after.root, after.original), (&root(&repo, last), Some(last)));
    assert_eq!(before.refs["heads/main"], heir(last).new);

    // One that was forgotten with all before it stays what it is.
    let Versions { dir, repo, main, .. } = versions();
    let force = ForgetRequest { commits: main[..2].to_vec(), ..ForgetRequest::default() };
    forget(&repo, &force, &Silent).unwrap();
    fs::write(dir.path().join("keep"), "three").unwrap();
    let last = commit_tree(&repo, dir.path(), 7);
    let outcome = done(&repo, &path("dir"));
    assert_eq!(outcome.commits.iter().map(|commit| commit.old).collect::<Vec<_>>(), [main[2], last]);
    assert_eq!(repo.version(outcome.commits[0].new).unwrap().commit.parents, [main[1]]);
}

#[test]
fn directories_that_lose_everything_stay_empty_and_so_does_the_root() {
    let Versions { repo, main, .. } = versions();
    let outcome = done(&repo, &patterns(&["secret", "other"]));
    assert_eq!(paths(&repo, outcome.commits[0].new), ["big", "keep", "dir", "dir/inner"]);
    let outcome = done(&repo, &patterns(&["*"]));
    assert_eq!(outcome.commits.len(), 4, "{:?}", repo.timeline().commits());
    for commit in &outcome.commits {
        assert_eq!(paths(&repo, commit.new), [""; 0]);
        assert_eq!(repo.version(commit.new).unwrap().commit.stats.dirs, 1);
    }
    let _ = main;
    let error = rewrite_history(&repo, &path("/"), &mut |_| (), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[test]
fn the_state_knows_nothing_of_what_was_dropped_and_the_next_commit_reads_nothing_again() {
    let Versions { dir, repo, main, .. } = versions();
    // A file that changed only just now would be read again anyway.
    std::thread::sleep(std::time::Duration::from_millis(80));
    let head = commit_with(&repo, CommitRequest { force: true, ..commit_request(dir.path(), "main", 5) });
    let head = head.commit.unwrap();
    assert_eq!(states(&repo, head).iter().map(|state| state.files.len()).collect::<Vec<_>>(), [2, 1, 1]);
    let request = RewriteRequest { excludes: vec!["big".to_owned()], ..path("dir/inner") };
    let outcome = done(&repo, &request);
    let heir = outcome.commits.iter().find(|commit| commit.old == head).unwrap().new;
    let left = states(&repo, heir);
    assert_eq!(left.iter().map(|state| state.path.as_slice()).collect::<Vec<_>>(), [&b""[..], b"dir"]);
    assert_eq!(left.iter().map(|state| state.files.len()).collect::<Vec<_>>(), [1, 1]);
    let second = outcome.commits.iter().find(|commit| commit.old == main[1]).unwrap().new;
    assert_eq!(repo.version(second).unwrap().commit.state, ContentRoot::Empty, "nothing is built on it");

    fs::remove_file(dir.path().join("big")).unwrap();
    fs::remove_dir_all(dir.path().join("dir/inner")).unwrap();
    fs::write(dir.path().join("new"), "new").unwrap();
    let observer = RecordingObserver::new();
    let next = super::super::commit::commit(&repo, commit_request(dir.path(), "main", 6), &observer).unwrap();
    let read: Vec<_> = observer
        .events()
        .into_iter()
        .filter_map(|event| if let Event::File(path) = event { Some(path) } else { None })
        .collect();
    assert_eq!(read, [dir.path().join("new")], "only what is new is read");
    assert_eq!(next.parent, Some(heir));
}

#[test]
fn originals_come_back_or_stay_as_asked_and_what_was_done_before_is_done_again() {
    let Versions { repo, main, .. } = versions();
    let first = done(&repo, &path("dir"));
    undelete(&repo, &main[1..], 1, &Silent).unwrap();
    assert!(repo.timeline().is_live(main[1]) && paths(&repo, main[1]).contains(&"dir/other".to_owned()));
    assert_eq!(repo.timeline().branch("main"), Some(first.commits[1].new));
    // The heirs are there already.
    let again = done(&repo, &path("dir"));
    assert_eq!((&again.commits, again.moved.len()), (&first.commits, 0));
    assert!(repo.timeline().is_forgotten(main[1]) && repo.timeline().is_live(first.commits[0].new));
    assert_eq!(repo.timeline().commits().len(), 4);

    let Versions { repo, main, .. } = versions();
    let kept = done(&repo, &RewriteRequest { keep_originals: true, ..path("dir") });
    assert!(!kept.forgotten && main.iter().all(|id| repo.timeline().is_live(*id)));
    assert_eq!(repo.timeline().branch("main"), Some(kept.commits[1].new));
    assert_eq!(repo.timeline().commits().len(), 6);
}

#[test]
fn hosts_tags_sources_and_names_say_which_commits_are_meant() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x"), "x").unwrap();
    let repo = repository();
    let made = |secs, branch: &str, host: &str, tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let request =
            CommitRequest { host: host.to_owned(), tags, ..commit_request(dir.path(), branch, secs) };
        commit_with(&repo, request).commit.unwrap()
    };
    let (a, b) = ([made(1, "a", "a", &["t"]), made(2, "a", "a", &[])], [made(3, "b", "b", &["t", "u"])]);
    let meant = |request: RewriteRequest| {
        let outcome = done(&repo, &RewriteRequest { dry_run: true, ..request });
        let hit = outcome.commits.iter().filter(|commit| !commit.dropped.is_empty());
        hit.map(|commit| commit.old).collect::<Vec<_>>()
    };
    let host = Some("a".to_owned());
    assert_eq!(meant(RewriteRequest { host, ..path("x") }), a);
    let tags = vec!["t".to_owned()];
    assert_eq!(meant(RewriteRequest { tags: tags.clone(), ..path("x") }), [a[0], b[0]]);
    assert_eq!(meant(RewriteRequest { commits: vec![a[1], b[0]], tags, ..path("x") }), b);
    assert_eq!(meant(RewriteRequest { sources: vec![b"/nowhere".to_vec()], ..path("x") }), []);
    let unknown = RewriteRequest { commits: vec![CommitId::new([7; 32])], ..path("x") };
    let error = rewrite_history(&repo, &unknown, &mut |_| (), &Silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);

    // What comes after a commit that is meant is rewritten, and keeps what it has.
    let outcome = done(&repo, &RewriteRequest { commits: vec![a[0]], ..path("x") });
    assert_eq!(outcome.commits.iter().map(|commit| commit.dropped.files).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(paths(&repo, outcome.commits[1].new), ["x"]);
}

#[test]
fn a_cancelled_rewrite_changes_nothing() {
    let Versions { repo, main, .. } = versions();
    for events in [0, 3, 5] {
        let observer = RecordingObserver::cancelling_after(events);
        let error = rewrite_history(&repo, &path("big"), &mut |_| (), &observer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(repo.timeline().branch("main"), Some(main[2]));
    }
}

#[test]
fn patterns_that_do_not_tell_capitals_from_small_letters_are_heeded_beside_the_others() {
    let Versions { dir, repo, .. } = versions();
    fs::write(dir.path().join("READ.me"), "").unwrap();
    let last = commit_tree(&repo, dir.path(), 5);
    let request = RewriteRequest { commits: vec![last], dry_run: true, ..RewriteRequest::default() };
    let found = |excludes: &[&str], iexcludes: &[&str]| {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let request =
            RewriteRequest { excludes: list(excludes), iexcludes: list(iexcludes), ..request.clone() };
        done(&repo, &request).dropped.files
    };
    assert_eq!((found(&["read.me"], &[]), found(&[], &["read.me"])), (0, 1));
    assert_eq!((found(&["BIG"], &["read.me"]), found(&["big"], &["read.me"])), (1, 2));
}
