//! What was forgotten on one side is not brought back by the other.

use super::*;

#[test]
fn what_was_forgotten_there_stays_so_unless_a_ref_stands_on_it() {
    let mut pair = Pair::new();
    let ids: Vec<CommitId> = (0..3)
        .map(|_| {
            pair.edit();
            pair.commit("main")
        })
        .collect();
    pair.push(&["main"]);
    let request = ForgetRequest { commits: ids[..2].to_vec(), ..ForgetRequest::default() };
    forget(&pair.remote, &request, &Silent).unwrap();
    gc(&pair.remote);
    pair.edit();
    let last = pair.commit("main");
    pair.push(&["main"]);
    let state = pair.remote.refresh().unwrap();
    assert_eq!(state.commits, [ids[2], last]);
    pair.has(last, pair.dir.path());
    pair.local.tag_create("old", ids[0], false).unwrap();
    pair.push(&["old"]);
    let state = pair.remote.refresh().unwrap();
    assert!(state.is_live(&ids[0]) && state.is_forgotten(&ids[1]));
    is_sound(&pair.other_handle());
}

#[test]
fn what_was_forgotten_before_it_was_pushed_does_not_go() {
    let mut pair = Pair::new();
    pair.commit("main");
    pair.push(&["main"]);
    pair.write("secret", 800_000);
    let secret = pair.commit("aside");
    let request = ForgetRequest { commits: vec![secret], force: true, ..ForgetRequest::default() };
    forget(&pair.local, &request, &Silent).unwrap();
    std::fs::remove_file(pair.dir.path().join("secret")).unwrap();
    pair.edit();
    let last = pair.commit("main");
    pair.link.written();
    pair.push(&["main"]);
    let written = pair.link.written();
    assert!(written < 200_000, "{written} bytes went over");
    pair.has(last, pair.dir.path());
}

#[test]
fn what_was_forgotten_and_collected_there_is_not_brought_again() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        pair.write("changing", 300_000);
        pair.commit("main");
        pair.push(&["main"]);
    }
    for repo in [&pair.local, &pair.remote] {
        let commits = repo.state().commits[..2].to_vec();
        forget(repo, &ForgetRequest { commits, ..ForgetRequest::default() }, &Silent).unwrap();
    }
    // Only there: here the packs still hold what is forgotten.
    gc(&pair.remote);
    for _ in 0..2 {
        pair.write("small", 20_000);
        let last = pair.commit("main");
        pair.link.written();
        pair.push(&["main"]);
        let written = pair.link.written();
        assert!(written < 100_000, "{written} bytes went over");
        gc(&pair.remote);
        pair.has(last, pair.dir.path());
    }
}
