//! What goes to the other side, and what branches there do.

use super::*;

#[test]
fn what_is_pushed_is_there_and_a_second_push_writes_nothing() {
    let mut pair = Pair::new();
    let first = pair.commit("main");
    let done = pair.push(&["main"]);
    assert_eq!((done.carried.commits, done.refs[0].news), (vec![first], PushNews::Created));
    assert_eq!(packs(&pair.local), packs(&pair.remote), "packs keep their names");
    pair.has(first, pair.dir.path());
    pair.link.written();
    assert_eq!(pair.push(&["main"]).refs[0].news, PushNews::Same);
    assert_eq!(pair.link.written(), 0);
}

#[test]
fn a_small_change_moves_little_more_than_its_packs() {
    let mut pair = Pair::new();
    pair.commit("main");
    pair.push(&["main"]);
    let before = packs(&pair.local);
    pair.edit();
    let second = pair.commit("main");
    let state = pair.local.state();
    let new: u64 = state.packs.values().filter(|pack| !before.contains(&pack.uid)).map(|pack| pack.len).sum();
    pair.link.written();
    pair.push(&["main"]);
    let written = pair.link.written();
    assert!(written < new + new / 3, "{written} bytes were written for packs of {new}");
    pair.has(second, pair.dir.path());
}

/// After one side has written its packs anew, so that they have other names, only what is new goes over.
fn renamed_packs_do_not_go_again(rename: impl Fn(&Pair)) {
    let mut pair = Pair::new();
    for _ in 0..4 {
        pair.edit();
        pair.commit("main");
        pair.push(&["main"]);
    }
    rename(&pair);
    assert!(packs(&pair.local).is_disjoint(&packs(&pair.remote)), "all packs were renamed");
    pair.link.written();
    pair.push(&["main"]);
    assert_eq!(pair.link.written(), 0, "nothing is new");
    pair.edit();
    let last = pair.commit("main");
    pair.push(&["main"]);
    let written = pair.link.written();
    assert!(written < 200_000, "{written} bytes went over");
    pair.has(last, pair.dir.path());
    // A branch of its own has what the others have, and almost nothing of its own.
    pair.write("tiny", 100);
    let aside = pair.commit("aside");
    pair.push(&["aside"]);
    assert!(pair.link.written() < 100_000);
    pair.has(aside, pair.dir.path());
}

#[test]
fn packs_that_were_written_anew_here_do_not_go_again() {
    renamed_packs_do_not_go_again(|pair| {
        repack(&pair.local, RepackRequest { aggressive: true, ..RepackRequest::default() }, &Silent).unwrap();
    });
}

#[test]
fn packs_that_were_written_anew_there_do_not_go_again() {
    renamed_packs_do_not_go_again(|pair| {
        repack(&pair.remote, RepackRequest { aggressive: true, ..RepackRequest::default() }, &Silent)
            .unwrap();
    });
}

#[test]
fn one_branch_goes_without_the_content_of_another() {
    let mut pair = Pair::new();
    let main = pair.commit("main");
    let tree = tempfile::tempdir().unwrap();
    keep(pair.dir.path(), tree.path());
    pair.write("secret", 2_000_000);
    let secret = pair.commit("aside");
    let done = pair.push(&["main"]);
    assert_eq!(done.carried.commits, [main]);
    assert!(pair.link.written() < 1_800_000);
    assert!(!pair.remote.refresh().unwrap().is_live(&secret));
    pair.has(main, tree.path());
    pair.push(&["aside"]);
    pair.has(secret, pair.dir.path());
}

#[test]
fn branches_go_forward_only_and_one_that_does_not_keeps_all_where_they_are() {
    let mut pair = Pair::new();
    let first = pair.commit("main");
    pair.push(&["main", "main:other"]);
    pair.edit();
    let second = pair.commit("main");
    pair.push(&["main"]);
    pair.local.branch_create("back", first, false).unwrap();
    pair.edit();
    let aside = pair.commit("back");
    let number = pair.remote.refresh().unwrap().number;
    pair.link.written();
    let done = pair.try_push(&["back:main", "main:other"]).unwrap();
    assert!(done.is_refused);
    let news: Vec<PushNews> = done.refs.iter().map(|of| of.news).collect();
    assert_eq!(news, [PushNews::NonFastForward, PushNews::Forwarded]);
    assert_eq!((pair.remote.refresh().unwrap().number, pair.link.written()), (number, 0));
    // A lease on the right commit is as good as force, on another one worse than none.
    let lease = |at: CommitId| {
        let mut updates = pair.updates(&["back:main"]);
        let leases = [Lease::At("main".to_owned(), Some(at.to_hex()))];
        apply_leases(&mut updates, &leases, (&pair.local, &Default::default()), None).unwrap();
        let request = PushRequest { updates, ..PushRequest::default() };
        push(&pair.local, &pair.remote, &request, &Silent).unwrap().refs[0].news
    };
    assert_eq!(lease(first), PushNews::Stale);
    assert_eq!(lease(second), PushNews::Forced);
    assert_eq!(pair.remote.timeline().branch("main"), Some(aside));
    assert_eq!(pair.push(&["+main"]).refs[0].news, PushNews::Forced);
    assert!(pair.try_push(&[":nowhere"]).unwrap().is_refused);
    assert!(pair.remote.refresh().unwrap().is_live(&aside), "moving a branch takes no commit away");
}

#[test]
fn packs_that_an_attempt_has_left_are_not_sent_again() {
    let mut pair = Pair::new();
    pair.write("more", 900_000);
    let first = pair.commit("main");
    let state = pair.local.state();
    let store = pair.local.chunks().vault().store();
    for pack in state.packs.values() {
        let bytes = store.get(&pack_name(&pack.uid), pack.len).unwrap();
        pair.link.inner.put_new(&pack_name(&pack.uid), &[&bytes]).unwrap();
    }
    pair.link.written();
    let done = pair.push(&["main"]);
    assert_eq!(done.carried.packs_found, state.packs.len() as u64);
    assert!(pair.link.written() < 100_000);
    pair.has(first, pair.dir.path());
}

/// Sketches come along: the next commit at the receiver finds what is alike.
#[test]
fn features_of_chunks_come_with_their_packs() {
    let mut pair = Pair::new();
    pair.commit("main");
    pair.push(&["main"]);
    let packs = packs(&pair.local);
    let of = |repo: &Repository| {
        let mut features = repo.chunks().index().features_of(&packs).unwrap();
        features.values_mut().flat_map(|of| of.values_mut()).for_each(|features| features.sort_unstable());
        features
    };
    let (here, there) = (of(&pair.local), of(&pair.remote));
    assert!(here.values().map(|of| of.len()).sum::<usize>() > 20);
    assert_eq!(here, there);
}

#[test]
fn a_branch_that_is_checked_out_and_names_that_are_none_are_refused() {
    let mut pair = Pair::new();
    pair.commit("main");
    pair.push(&["main"]);
    pair.edit();
    pair.commit("main");
    let updates = pair.updates(&["main"]);
    let checked_out = Some("heads/main".to_owned());
    let request = PushRequest { updates, checked_out, ..PushRequest::default() };
    let done = push(&pair.local, &pair.remote, &request, &Silent).unwrap();
    assert_eq!(done.refs[0].news, PushNews::CheckedOut);
    assert_eq!(pair.try_push(&["main:a..b"]).unwrap().refs[0].news, PushNews::BadName);
    assert!(matches!(pair.local.remote_add("a/b", "/x"), Err(RepoError::RemoteName { .. })));
}

#[test]
fn what_is_asked_of_the_other_side_is_little() {
    let mut pair = Pair::new();
    pair.commit("main");
    pair.push(&["main"]);
    let calls = |pair: &Pair| pair.link.calls.swap(0, Ordering::Relaxed);
    calls(&pair);
    pair.push(&["main"]);
    let none = calls(&pair);
    assert!(none <= 4, "{none} calls for nothing new");
    pair.edit();
    pair.commit("main");
    pair.push(&["main"]);
    let small = calls(&pair);
    println!("{none} calls for nothing new, {small} for a small commit");
    assert!(small <= 40, "{small} calls for a small commit");
}
