//! What comes from the other side: fetches and clones.

use super::*;

#[test]
fn a_fetch_remembers_branches_and_takes_new_tags() {
    let mut pair = Pair::new();
    let first = pair.commit("main");
    pair.local.tag_create("v1", first, false).unwrap();
    pair.push(&["main", "v1"]);
    let store = Arc::new(MemoryStore::new());
    let third = pair.local.create_sibling(store, false, client()).unwrap();
    let origin = || FetchRequest { remote: "origin".to_owned(), ..FetchRequest::default() };
    let done = fetch(&third, &pair.remote, &origin(), &Silent).unwrap();
    assert_eq!(done.carried.commits, [first]);
    let refs = || third.timeline().refs().clone();
    assert_eq!(refs().keys().collect::<Vec<_>>(), ["remotes/origin/main", "tags/v1"]);
    assert_eq!(third.resolve("origin/main", &Default::default()).unwrap(), first);
    is_sound(&third);
    // A commit that only a remote's branch holds is protected.
    let request = ForgetRequest { commits: vec![first], force: true, ..ForgetRequest::default() };
    third.tag_delete("v1").unwrap();
    let refused = forget(&third, &request, &Silent).unwrap_err().to_string();
    assert!(refused.contains("origin/main stands on commit"), "{refused}");
    let number = third.state().number;
    let done =
        fetch(&third, &pair.remote, &FetchRequest { tags: FetchTags::No, ..origin() }, &Silent).unwrap();
    assert!(done.refs.iter().all(|of| of.news == FetchNews::Same) && third.state().number == number);
    pair.push(&["main:other", ":main"]);
    let done = fetch(&third, &pair.remote, &FetchRequest { prune: true, ..origin() }, &Silent).unwrap();
    assert_eq!(done.refs.iter().filter(|of| of.news == FetchNews::Pruned).count(), 1);
    assert_eq!(refs().keys().collect::<Vec<_>>(), ["remotes/origin/other", "tags/v1"]);
}

#[test]
fn a_pack_that_is_withheld_or_wrong_is_named_and_nothing_is_published() {
    let mut pair = Pair::new();
    let first = pair.commit("main");
    pair.push(&["main"]);
    let third = pair.local.create_sibling(Arc::new(MemoryStore::new()), false, client()).unwrap();
    let origin = FetchRequest { remote: "origin".to_owned(), ..FetchRequest::default() };
    let number = third.state().number;
    let largest = pair.remote.state().packs.values().max_by_key(|pack| pack.len).copied().unwrap();
    let name = pack_name(&largest.uid);
    let whole = pair.link.inner.get(&name, largest.len).unwrap();
    let other = pair.remote.state().packs.values().min_by_key(|pack| pack.len).copied().unwrap();
    let other = pair.link.inner.get(&pack_name(&other.uid), other.len).unwrap();
    let mut torn = whole.clone();
    let (from, to) = (torn.len() / 4, torn.len() / 2);
    torn[from..to].fill(0);
    for wrong in [None, Some(other), Some(torn), Some(Vec::new())] {
        match wrong {
            None => drop(pair.link.inner.delete(&name).unwrap()),
            Some(wrong) => pair.link.inner.overwrite(&name, wrong),
        }
        let error = fetch(&third, &pair.remote, &origin, &Silent).unwrap_err();
        let told: Vec<String> =
            std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                .map(ToString::to_string)
                .collect();
        assert!(told.iter().any(|line| line.contains(name.as_str())), "{told:?}");
        assert_eq!(third.refresh().unwrap().number, number);
    }
    // What parity can heal is healed on the way.
    let mut rotten = whole;
    rotten[5000..5100].fill(0);
    pair.link.inner.overwrite(&name, rotten);
    let done = fetch(&third, &pair.remote, &origin, &Silent).unwrap();
    assert_eq!(done.carried.healed, [name.as_str()]);
    assert_eq!(done.carried.commits, [first]);
    is_sound(&third);
}

#[test]
fn a_clone_has_every_live_commit() {
    let mut pair = Pair::new();
    let first = pair.commit("main");
    pair.edit();
    let second = pair.commit("main");
    pair.local.branch_delete("main", true).unwrap();
    pair.local.branch_create("old", first, false).unwrap();
    let bare = pair.local.create_sibling(Arc::new(MemoryStore::new()), false, client()).unwrap();
    copy_all(&pair.local, &bare, (None, VerificationMode::default()), &Silent).unwrap();
    assert_eq!(bare.state().commits, [first, second]);
    assert_eq!(bare.timeline().branches(), [("old".to_owned(), first)]);
    is_sound(&bare);
    let _ = commit_tree(&bare, pair.dir.path(), 9);
    is_sound(&bare);
}
