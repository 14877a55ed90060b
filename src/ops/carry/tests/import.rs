//! Pushes to repositories with other keys, which make the commits anew.

use super::*;

/// A repository with other keys and another chunker.
fn stranger() -> (Repository, Arc<Counted>) {
    let link = Arc::new(Counted::default());
    let options = crate::repo::CreateOptions {
        credentials: crate::repo::Credentials::Password(b"another".to_vec().into()),
        label: String::new(),
        kdf: crate::format::config::KdfParams { memory_kib: 8, passes: 1, lanes: 1 },
        worktree: false,
        chunker: crate::ops::testkit::chunkers()[1],
        settings: Vec::new(),
    };
    (Repository::create(link.clone(), options, client()).unwrap(), link)
}

#[test]
fn a_repository_with_other_keys_gets_commits_made_anew_with_the_originals() {
    let mut pair = Pair::new();
    std::fs::create_dir_all(pair.dir.path().join("sub/deep")).unwrap();
    std::fs::write(pair.dir.path().join("sub/deep/empty"), b"").unwrap();
    std::os::unix::fs::symlink("large", pair.dir.path().join("link")).unwrap();
    std::fs::hard_link(pair.dir.path().join("small"), pair.dir.path().join("sub/same")).unwrap();
    let first = pair.commit("main");
    let (remote, link) = stranger();
    pair.remote = remote;
    let done = pair.push(&["main"]);
    assert_eq!((done.carried.commits, done.refs[0].news), (vec![first], PushNews::Created));
    assert!(link.written() > 1_400_000);
    // An edit moves little; a push of nothing new writes nothing.
    let path = pair.dir.path().join("large");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.splice(700_000..700_010, pair.rng.bytes(15));
    std::fs::write(path, bytes).unwrap();
    let second = pair.commit("main");
    let done = pair.push(&["main"]);
    assert_eq!((done.carried.commits, done.refs[0].news), (vec![second], PushNews::Forwarded));
    assert!(link.written() < 150_000, "an edit of a few bytes is small there, too");
    assert_eq!(pair.push(&["main"]).refs[0].news, PushNews::Same);
    assert_eq!(link.written(), 0);
    // What is there says what it was made of.
    let commits = pair.remote.state().commits.clone();
    let imported = |id: &CommitId| pair.remote.version(*id).unwrap().commit.imported.unwrap();
    assert_eq!(commits.iter().map(|id| imported(id).id).collect::<Vec<_>>(), [first, second]);
    assert_eq!(imported(&commits[1]).family, pair.local.family());
    let original = pair.local.chunks().get(crate::id::ObjectKind::Commit, &second.into()).unwrap();
    assert_eq!(imported(&commits[1]).signed, original.to_vec());
    assert_eq!(pair.remote.state().parents[&commits[1]], [commits[0]]);
    is_sound(&pair.remote);
    let out = tempfile::tempdir().unwrap();
    let request = RestoreRequest { verify: true, ..RestoreRequest::new(commits[1], out.path().join("out")) };
    assert_eq!(restore::restore(&pair.remote, request, &Silent).unwrap().problems, 0);
    assert_same_tree(pair.dir.path(), &out.path().join("out"));
}

#[test]
fn imports_go_on_where_the_client_remembers_nothing_and_after_a_gc_there() {
    let mut pair = Pair::new();
    let first = pair.commit("main");
    let (remote, link) = stranger();
    pair.remote = remote;
    pair.push(&["main"]);
    let made = pair.remote.timeline().branch("main").unwrap();
    gc(&pair.remote);
    repack(&pair.remote, RepackRequest { aggressive: true, ..RepackRequest::default() }, &Silent).unwrap();
    // Another client, who has never pushed.
    let password = crate::repo::Credentials::Password(b"another".to_vec().into());
    pair.remote = Repository::open(link.clone(), &password, client()).unwrap();
    pair.edit();
    let second = pair.commit("main");
    link.written();
    let done = pair.push(&["main"]);
    assert_eq!(done.carried.commits, [second]);
    assert!(link.written() < 300_000);
    // What goes back is refused, and told as what it is.
    pair.local.branch_create("back", first, false).unwrap();
    let done = pair.try_push(&["back:main"]).unwrap();
    assert_eq!((done.refs[0].news, done.refs[0].old), (PushNews::NonFastForward, Some(second)));
    pair.push(&["+back:main"]);
    assert_eq!(pair.remote.timeline().branch("main"), Some(made));
    // What was forgotten there comes back for a ref alone.
    let there = pair.remote.state().commits[1];
    forget(&pair.remote, &ForgetRequest { commits: vec![there], ..ForgetRequest::default() }, &Silent)
        .unwrap();
    gc(&pair.remote);
    pair.push(&["back"]);
    assert!(!pair.remote.refresh().unwrap().is_live(&there));
    let done = pair.push(&["main"]);
    assert_eq!(done.carried.commits, [second]);
    assert_eq!(pair.remote.refresh().unwrap().commits.len(), 2);
    is_sound(&pair.remote);
    let origin = FetchRequest { remote: "origin".to_owned(), ..FetchRequest::default() };
    let refused = fetch(&pair.local, &pair.remote, &origin, &Silent).unwrap_err();
    assert!(matches!(refused, OpsError::Refused { .. }), "{refused}");
}

#[test]
fn imports_beside_collections_lose_nothing() {
    let mut pair = Pair::new();
    pair.commit("main");
    let (remote, link) = stranger();
    pair.remote = remote;
    pair.push(&["main"]);
    let password = || crate::repo::Credentials::Password(b"another".to_vec().into());
    let open = || Repository::open(link.clone(), &password(), client()).unwrap();
    for round in 0..4 {
        pair.edit();
        let id = pair.commit("main");
        if round % 2 == 0 {
            // What the next commit finds there is garbage.
            let tip = open().timeline().branch("main").unwrap();
            let request = ForgetRequest { commits: vec![tip], force: true, ..ForgetRequest::default() };
            forget(&open(), &request, &Silent).unwrap();
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ = GarbageCollector::new(&open(), GcConfig { grace: 0, ..GcConfig::aggressive() })
                    .run(&Silent);
            });
            while let Err(error) = pair.try_push(&["+main"]) {
                let is_race =
                    matches!(error, OpsError::Repo { source: RepoError::Overtaken | RepoError::Condemned });
                assert!(is_race, "{error:?}");
            }
        });
        let there = open();
        let tip = there.timeline().branch("main").unwrap();
        assert_eq!(there.version(tip).unwrap().commit.imported.unwrap().id, id);
        is_sound(&there);
    }
}
