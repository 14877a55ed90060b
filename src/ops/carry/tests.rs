//! From one repository in memory to another.

use crate::sync::VerificationMode;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::testkit::{client, commit_tree, repository, request};
use super::super::{ForgetRequest, GarbageCollector, GcConfig, RepackRequest, check, forget, repack};
use super::*;
use crate::observe::Silent;
use crate::ops::{CheckRequest, ReadData, RestoreRequest, commit, restore};
use crate::store::{BlobInfo, BlobName, MemoryStore, Put, StorageBackend, StoreError};
use crate::testing::{Rng, assert_same_tree};

/// A store that counts bytes and calls, as a link to it would.
#[derive(Debug, Default)]
struct Counted {
    inner: MemoryStore,
    written: AtomicU64,
    read: AtomicU64,
    calls: AtomicU64,
}

impl Counted {
    fn written(&self) -> u64 {
        self.written.swap(0, Ordering::Relaxed)
    }

    fn call(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }
}

impl StorageBackend for Counted {
    fn location(&self) -> String {
        "counted".to_owned()
    }

    fn put_new(&self, name: &BlobName, parts: &[&[u8]]) -> Result<Put, StoreError> {
        self.call();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.written.fetch_add(len as u64, Ordering::Relaxed);
        self.inner.put_new(name, parts)
    }

    fn replace(&self, name: &BlobName, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.replace(name, bytes)
    }

    fn get(&self, name: &BlobName, max: u64) -> Result<Vec<u8>, StoreError> {
        self.call();
        let bytes = self.inner.get(name, max)?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn read_at(&self, name: &BlobName, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        self.call();
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        self.inner.read_at(name, offset, len)
    }

    fn len(&self, name: &BlobName) -> Result<Option<u64>, StoreError> {
        self.call();
        self.inner.len(name)
    }

    fn list(&self, prefix: &str) -> Result<Vec<BlobInfo>, StoreError> {
        self.call();
        self.inner.list(prefix)
    }

    fn delete(&self, name: &BlobName) -> Result<bool, StoreError> {
        self.inner.delete(name)
    }
}

/// A repository, a tree that is committed to it, and another repository of the family, to which it pushes.
struct Pair {
    dir: tempfile::TempDir,
    local: Repository,
    remote: Repository,
    link: Arc<Counted>,
    rng: Rng,
    secs: i64,
}

impl Pair {
    fn new() -> Self {
        let (local, link) = (repository(), Arc::new(Counted::default()));
        let remote = local.create_sibling(link.clone(), false, client()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut pair = Self { dir, local, remote, link, rng: Rng::new(5), secs: 0 };
        pair.write("large", 1_500_000);
        pair.write("small", 30_000);
        pair
    }

    /// A client of its own with a handle on the remote.
    fn other_handle(&self) -> Repository {
        self.local.open_sibling(self.link.clone(), client()).unwrap()
    }

    fn write(&mut self, name: &str, len: usize) {
        let bytes = self.rng.bytes(len);
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn commit(&mut self, branch: &str) -> CommitId {
        self.secs += 1;
        let request = request(self.dir.path(), branch, self.secs);
        commit(&self.local, request, &Silent).unwrap().commit.unwrap()
    }

    fn edit(&mut self) {
        let path = self.dir.path().join("large");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = self.rng.below(bytes.len() - 100);
        bytes.splice(at..at + 20, self.rng.bytes(31));
        std::fs::write(path, bytes).unwrap();
        self.write("small", 30_000);
    }

    fn updates(&self, specs: &[&str]) -> Vec<RefUpdate> {
        let context = crate::repo::ResolveContext::default();
        let state = self.remote.refresh().unwrap();
        let one = |spec: &&str| RefSpec::parse(spec).unwrap().resolve(&self.local, &context, &state).unwrap();
        specs.iter().map(one).collect()
    }

    fn try_push(&self, specs: &[&str]) -> Result<PushOutcome, OpsError> {
        let request = PushRequest { updates: self.updates(specs), ..PushRequest::default() };
        push(&self.local, &self.remote, &request, &Silent)
    }

    fn push(&self, specs: &[&str]) -> PushOutcome {
        let done = self.try_push(specs).unwrap();
        assert!(!done.is_refused, "{:?}", done.refs);
        done
    }

    /// The remote is sound, and has the tree of this commit.
    fn has(&self, commit: CommitId, tree: &std::path::Path) {
        let repo = self.other_handle();
        is_sound(&repo);
        let out = tempfile::tempdir().unwrap();
        let request = RestoreRequest { verify: true, ..RestoreRequest::new(commit, out.path().join("out")) };
        assert_eq!(restore::restore(&repo, request, &Silent).unwrap().problems, 0);
        assert_same_tree(tree, &out.path().join("out"));
    }
}

/// Copies files with their times.
fn keep(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let copy = to.join(entry.file_name());
        std::fs::copy(entry.path(), &copy).unwrap();
        let modified = entry.metadata().unwrap().modified().unwrap();
        std::fs::File::options().write(true).open(copy).unwrap().set_modified(modified).unwrap();
    }
    std::fs::File::open(to).unwrap().set_modified(from.metadata().unwrap().modified().unwrap()).unwrap();
}

fn is_sound(repo: &Repository) {
    let request = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
    let report = check::check(repo, request, &Silent).unwrap();
    assert_eq!(report.findings, [], "{}", repo.location());
}

fn gc(repo: &Repository) {
    let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
    GarbageCollector::new(repo, config).run(&Silent).unwrap();
}

fn packs(repo: &Repository) -> HashSet<PackId> {
    repo.refresh().unwrap().packs.keys().copied().collect()
}

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

/// Whatever operation of the disk a push is killed before, the next one goes on, and what it acknowledges outlasts a power cut, also what it
/// has only found.
#[test]
fn a_push_that_was_killed_anywhere_goes_on_and_what_it_finds_is_made_to_last() {
    use crate::store::{LocalStore, Vfs};
    use crate::testing::{Fault, FaultVfs, SimDisk};
    let mut pair = Pair::new();
    let last = pair.commit("main");
    let empty = SimDisk::new();
    let made = Arc::new(LocalStore::create("/repo", Arc::new(empty.clone()) as Arc<dyn Vfs>).unwrap());
    pair.local.create_sibling(made, false, client()).unwrap();
    let update = RefUpdate {
        from: "main".to_owned(),
        name: "heads/main".to_owned(),
        new: Some(last),
        force: false,
        expected: None,
    };
    let request = PushRequest { updates: vec![update], in_flight: 1, ..PushRequest::default() };
    let open = |vfs: Arc<dyn Vfs>| {
        let store = LocalStore::open("/repo", vfs).unwrap();
        pair.local.open_sibling(Arc::new(store), client())
    };
    let attempt = |vfs: Arc<dyn Vfs>| push(&pair.local, &open(vfs)?, &request, &Silent);
    let counting = FaultVfs::counting(Arc::new(empty.power_cut(1)));
    attempt(counting.clone()).unwrap();
    let (operations, mut found) = (counting.operations(), 0);
    assert!(operations > 10);
    for at in 0..operations {
        let disk = empty.power_cut(1);
        let _ = attempt(FaultVfs::new(Arc::new(disk.clone()), Fault::Kill, at));
        found += attempt(Arc::new(disk.clone())).unwrap().carried.packs_found;
        for cut in [0, 1, 7 + at] {
            let repo = open(Arc::new(disk.power_cut(cut))).unwrap();
            assert!(repo.state().is_live(&last), "killed before {at}, cut {cut}");
            is_sound(&repo);
        }
    }
    assert!(found > 0, "some attempts left packs");
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
fn several_pushers_and_collectors_lose_nothing() {
    for round in 0..6 {
        let mut pair = Pair::new();
        pair.rng = Rng::new(100 + round);
        pair.edit();
        pair.commit("main");
        pair.push(&["main"]);
        let mut trees = Vec::new();
        for branch in ["one", "two", "three"] {
            pair.edit();
            let extra = 200_000 + pair.rng.below(400_000);
            pair.write(branch, extra);
            let id = pair.commit(branch);
            let kept = tempfile::tempdir().unwrap();
            keep(pair.dir.path(), kept.path());
            trees.push((branch, id, kept));
        }
        std::thread::scope(|scope| {
            for (branch, ..) in &trees {
                let (pair, remote) = (&pair, pair.other_handle());
                scope.spawn(move || {
                    let updates = pair.updates(&[branch]);
                    let request = PushRequest { updates, ..PushRequest::default() };
                    // Collectors may be faster each time; then the push says so, and is run again.
                    while let Err(error) = push(&pair.local, &remote, &request, &Silent) {
                        let is_race = matches!(
                            error,
                            OpsError::Repo { source: RepoError::Overtaken | RepoError::Condemned }
                        );
                        assert!(is_race, "{error:?}");
                    }
                });
            }
            for repo in [pair.other_handle(), pair.local.open_sibling_of_itself()] {
                scope.spawn(move || {
                    for _ in 0..3 {
                        let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
                        // One that is overtaken again and again gives up.
                        let _ = GarbageCollector::new(&repo, config).run(&Silent);
                    }
                });
            }
        });
        for (branch, id, tree) in &trees {
            assert_eq!(pair.other_handle().timeline().branch(branch), Some(*id));
            pair.has(*id, tree.path());
        }
        gc(&pair.other_handle());
        for (_, id, tree) in &trees {
            pair.has(*id, tree.path());
        }
        is_sound(&pair.local);
    }
}

impl Repository {
    /// Another handle on the same store.
    fn open_sibling_of_itself(&self) -> Self {
        self.open_sibling(self.chunks().vault().shared_store(), client()).unwrap()
    }
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

/// Repositories that commit, forget, collect, push and fetch at random. After each step all are whole.
fn random_histories(seed: u64, steps: usize) {
    const BRANCHES: [&str; 3] = ["main", "side", "more"];
    let (mut pair, mut rng) = (Pair::new(), Rng::new(seed));
    pair.rng = Rng::new(seed ^ 0xabc);
    pair.commit("main");
    let other = pair.local.create_sibling(Arc::new(MemoryStore::new()), false, client()).unwrap();
    let origin = || FetchRequest { remote: "origin".to_owned(), prune: true, ..FetchRequest::default() };
    for step in 0..steps {
        let branch = BRANCHES[rng.below(3)];
        let repo = [&pair.local, &pair.remote, &other][rng.below(3)];
        let what = rng.below(9);
        match what {
            0..=2 => {
                pair.edit();
                pair.commit(branch);
            }
            3 => gc(repo),
            4 => {
                let request = RepackRequest { aggressive: rng.below(2) == 0, ..RepackRequest::default() };
                repack(repo, request, &Silent).unwrap();
            }
            5 => {
                let commits = repo.refresh().unwrap().commits.clone();
                if let Some(id) = commits.get(rng.below(commits.len().max(1))) {
                    let request =
                        ForgetRequest { commits: vec![*id], force: true, ..ForgetRequest::default() };
                    // One on which the branch of a remote stands stays.
                    let _ = forget(repo, &request, &Silent);
                }
            }
            6 | 7 if pair.local.timeline().branch(branch).is_some() => {
                pair.push(&[&format!("+{branch}")]);
                let tip = pair.local.timeline().branch(branch);
                assert_eq!(pair.remote.timeline().branch(branch), tip, "seed {seed}, step {step}");
            }
            _ => drop(fetch(&other, &pair.remote, &origin(), &Silent).unwrap()),
        }
        for repo in [&pair.local, &pair.remote, &other] {
            repo.refresh().unwrap();
            let request = CheckRequest { data: ReadData::All, ..CheckRequest::default() };
            let report = check::check(repo, request, &Silent).unwrap();
            assert_eq!(report.findings, [], "seed {seed}, step {step}, {what}");
        }
    }
}

#[test]
fn histories_that_are_carried_forgotten_and_collected_at_random_stay_whole() {
    let long = std::env::var_os("WARP_LONG").is_some();
    (0..if long { 100 } else { 6 }).for_each(|seed| random_histories(seed, 25));
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

/// A repository with other keys and another chunker.
fn stranger() -> (Repository, Arc<Counted>) {
    let link = Arc::new(Counted::default());
    let options = crate::repo::CreateOptions {
        credentials: crate::repo::Credentials::Password(b"another".to_vec().into()),
        label: String::new(),
        kdf: crate::format::config::KdfParams { memory_kib: 8, passes: 1, lanes: 1 },
        worktree: false,
        chunker: super::super::testkit::chunkers()[1],
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
