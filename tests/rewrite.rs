//! Dropping paths from history: what is left comes back whole, nothing of what went is left after a collection, and whatever others
//! do meanwhile, nothing that they made is lost.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::history::{At, copy};
use common::program::Home;
use common::{Bench, client, password, request};
use warp::format::dirtree::{DirEntry, EntryKind};
use warp::format::node::{ContentRoot, FileNode};
use warp::id::{ChunkId, CommitId, ObjectKind};
use warp::observe::{Phase, Silent};
use warp::ops::{
    self, CommitRequest, ForgetRequest, GarbageCollector, GcConfig, RewriteOutcome, RewriteRequest,
};
use warp::repo::{Credentials, Repository};
use warp::store::{LocalStore, OsVfs};
use warp::testing::{Rng, assert_same_tree};

/// Names that begin like no other: what of them a listing or state holds is not shared with a neighbour.
const DIR: &str = "~zq-private";
const FILE: &str = "Zr-large.bin";

fn other(bench: &Bench, state: &str) -> Repository {
    let store = LocalStore::open(bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
    Repository::open(Arc::new(store), &password(), client(&bench.path(state))).unwrap()
}

/// Another handle on the repository of a home.
fn opened(home: &Home) -> Repository {
    let store = LocalStore::open(&home.repo, Arc::new(OsVfs::new())).unwrap();
    let credentials = Credentials::Password(b"secret".to_vec().into());
    Repository::open(Arc::new(store), &credentials, client(&home.path("state"))).unwrap()
}

/// Chunks and nodes of a file.
fn objects(repo: &Repository, entry: &DirEntry) -> Vec<(ObjectKind, ChunkId)> {
    let EntryKind::File { content: ContentRoot::Tree { level, id, .. }, .. } = entry.kind else {
        return Vec::new();
    };
    let (mut found, mut open) = (Vec::new(), vec![(level, id)]);
    while let Some((level, id)) = open.pop() {
        if level == 0 {
            found.push((ObjectKind::Chunk, id));
            continue;
        }
        found.push((ObjectKind::FileNode, id));
        let node = FileNode::decode(&repo.chunks().get(ObjectKind::FileNode, &id).unwrap()).unwrap();
        open.extend(node.children.iter().map(|child| (level - 1, child.id)));
    }
    found
}

/// Chunks and nodes of the files of all commits, by whether their paths are dropped.
fn split(repo: &Repository) -> [BTreeSet<(ObjectKind, ChunkId)>; 2] {
    let mut found = [BTreeSet::new(), BTreeSet::new()];
    for commit in repo.timeline().commits() {
        ops::ls(repo, commit, b"", true, &mut |listed| {
            let path = String::from_utf8_lossy(&listed.path).into_owned();
            let is_dropped = path.contains(DIR) || path.contains(FILE);
            found[usize::from(is_dropped)].extend(objects(repo, &listed.entry));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    }
    found
}

/// Whether any listing or state in the packs, bases included, holds these bytes.
fn is_mentioned(repo: &Repository, name: &str) -> bool {
    let bytes = name.as_bytes();
    repo.state().packs.keys().any(|pack| {
        let map = repo.chunks().map(*pack).unwrap();
        map.rows().any(|(entry, block, slot)| {
            let depth = map.delta(block, slot).map_or(0, |delta| delta.depth);
            let location = warp::cas::Location { pack: *pack, block, slot, depth };
            let base = warp::cas::Base { locator: entry.locator, location };
            matches!(entry.kind, ObjectKind::DirNode | ObjectKind::State)
                && repo
                    .chunks()
                    .get_base(entry.kind, base)
                    .unwrap()
                    .windows(bytes.len())
                    .any(|at| at == bytes)
        })
    })
}

fn size(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn what_is_dropped_with_the_program_is_gone_after_gc_and_all_else_comes_back() {
    let (home, mut rng) = (Home::new(), Rng::new(11));
    let source = home.path("source");
    fs::create_dir_all(source.join(DIR).join("inner")).unwrap();
    fs::write(source.join(FILE), rng.bytes(3_000_000)).unwrap();
    fs::write(source.join("kept.txt"), rng.text(50_000)).unwrap();
    fs::write(source.join("kept.bin"), rng.bytes(400_000)).unwrap();
    // Each version, and a copy of what shall be left of it.
    let mut left: BTreeMap<String, PathBuf> = BTreeMap::new();
    for version in 0..4 {
        fs::write(source.join(DIR).join("inner/key"), rng.bytes(1000)).unwrap();
        fs::write(source.join(DIR).join("note"), rng.text(2000)).unwrap();
        fs::write(source.join("kept.txt"), rng.text(50_000)).unwrap();
        let host = ["laptop", "desktop"][version % 2];
        let message = format!("version {version}");
        home.done(&["commit", "-q", "--host", host, "-m", &message, source.to_str().unwrap()]);
        let kept = home.path(&format!("left-{version}"));
        copy(&source, &kept);
        fs::remove_file(kept.join(FILE)).unwrap();
        fs::remove_dir_all(kept.join(DIR)).unwrap();
        std::process::Command::new("touch").arg("-r").args([&source, &kept]).status().unwrap();
        left.insert(message, kept);
    }
    let elsewhere = home.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("x"), "x").unwrap();
    home.done(&["commit", "-q", "--host", "desktop", "-m", "elsewhere", elsewhere.to_str().unwrap()]);
    let before = opened(&home);
    let [kept, dropped] = split(&before);
    let dropped: BTreeSet<_> = dropped.difference(&kept).copied().collect();
    assert!(dropped.len() > 20 && is_mentioned(&before, DIR) && is_mentioned(&before, FILE));
    let (latest, bytes) = (home.done(&["log", "--oneline", "-n", "1"]), size(&home.repo.join("packs")));

    let args = ["--exclude", &format!("/{DIR}/"), "--iexclude", &FILE.to_uppercase()];
    let plan = home.done(&[&["rewrite", "-n"], &args[..]].concat());
    assert_eq!(plan.matches(&format!("{DIR}/")).count(), 4, "{plan}");
    assert_eq!(plan.matches(FILE).count(), 4, "{plan}");
    assert_eq!(opened(&home).head().unwrap(), before.head().unwrap(), "a dry run writes nothing");
    let output = home.run(&[&["rewrite"], &args[..]].concat());
    let news = common::program::news(&output);
    assert_eq!(output.status.code(), Some(0), "{news}");
    assert!(news.contains("4 commits rewritten") && news.contains("`warp undelete`"), "{news}");
    assert!(news.contains("branch desktop/") && news.contains("branch laptop/"), "{news}");
    assert_eq!(home.done(&["find", DIR, FILE]), "");
    assert_eq!(home.done(&["log", "--oneline", "-n", "1"]), latest, "what was not touched stays the latest");
    assert_eq!(home.done(&["undelete"]).lines().count(), 4);

    // Until gc they can come back, and go again.
    home.done(&["undelete", "--all"]);
    assert_eq!(home.done(&["find", FILE]).lines().count(), 4);
    home.done(&[&["rewrite", "-q"], &args[..]].concat());
    home.done(&["gc", "--grace", "0", "--aggressive"]);
    let after = opened(&home);
    let is_there =
        |(kind, id): &&(ObjectKind, ChunkId)| after.chunks().index().find(*kind, id).unwrap().is_some();
    assert_eq!(dropped.iter().filter(is_there).count(), 0, "chunks of what was dropped are still there");
    assert!(!is_mentioned(&after, DIR) && !is_mentioned(&after, FILE));
    let now = size(&home.repo.join("packs"));
    assert!(now + 3_000_000 < bytes, "{now} of {bytes} bytes");
    assert_eq!(home.done(&["undelete"]), "");
    home.done(&["check", "--read-data"]);
    for commit in after.timeline().commits() {
        let message = after.version(commit).unwrap().commit.message;
        let kept = left.get(&message).unwrap_or(&elsewhere);
        let original = if message == "elsewhere" { &elsewhere } else { &source };
        home.restored_is(&commit.to_hex(), original, kept);
    }

    // The next commit goes on from the heirs, and reads only what is new to it.
    fs::remove_file(source.join(FILE)).unwrap();
    fs::remove_dir_all(source.join(DIR)).unwrap();
    fs::write(source.join("new"), "new").unwrap();
    let json = home.done(&["--json", "commit", "-v", "--host", "desktop", source.to_str().unwrap()]);
    assert!(json.contains("\"files_new\":1") && json.contains("\"files_changed\":0"), "{json}");
    home.restored_is("latest", &source, &source);
}

/// A repository with three versions of `keep` on `main`, in two of which there is `gone`.
struct World {
    bench: Bench,
    source: PathBuf,
    versions: Vec<(CommitId, PathBuf)>,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        let source = bench.path("source");
        fs::create_dir(&source).unwrap();
        let mut world = Self { bench, source, versions: Vec::new() };
        for number in 0..3 {
            fs::write(world.source.join("keep"), format!("version {number}")).unwrap();
            if number == 1 {
                fs::write(world.source.join("gone"), Rng::new(5).bytes(20_000)).unwrap();
            }
            let id = commit(&world.bench.repo, &world.source, "main");
            let kept = world.bench.path(&format!("kept-{number}"));
            copy(&world.source, &kept);
            if number > 0 {
                fs::remove_file(kept.join("gone")).unwrap();
                std::process::Command::new("touch").arg("-r").args([&world.source, &kept]).status().unwrap();
            }
            world.versions.push((id, kept));
        }
        world
    }

    fn id(&self, number: usize) -> CommitId {
        self.versions[number].0
    }

    /// Every ref stands on a live commit, every live commit comes back, and `gone` is in none of them.
    fn check(&self, commits: usize) {
        let repo = other(&self.bench, "checker");
        let timeline = repo.timeline();
        assert_eq!(timeline.commits().len(), commits);
        for (name, at) in timeline.refs() {
            assert!(timeline.is_live(*at), "{name} stands on a forgotten commit");
        }
        for (number, id) in timeline.commits().into_iter().enumerate() {
            let out = self.bench.path(&format!("out-{number}-{}", id.short()));
            let request = ops::RestoreRequest { verify: true, ..ops::RestoreRequest::new(id, &out) };
            assert_eq!(ops::restore(&repo, request, &Silent).unwrap().problems, 0);
            assert!(!out.join("gone").exists() && out.join("keep").exists());
        }
    }
}

fn commit(repo: &Repository, source: &Path, branch: &str) -> CommitId {
    let request = CommitRequest { allow_empty: true, branch: Some(branch.to_owned()), ..request(source) };
    ops::commit(repo, request, &Silent).unwrap().commit.unwrap()
}

fn dropping() -> RewriteRequest {
    RewriteRequest { paths: vec![b"gone".to_vec()], ..RewriteRequest::default() }
}

fn rewrite(repo: &Repository, observer: &dyn warp::observe::Observer) -> RewriteOutcome {
    ops::rewrite_history(repo, &dropping(), &mut |_| (), observer).unwrap()
}

fn gc(repo: &Repository) {
    let config = GcConfig { grace: 0, ..GcConfig::aggressive() };
    GarbageCollector::new(repo, config).run(&Silent).unwrap();
}

#[test]
fn commits_that_others_make_meanwhile_are_rewritten_too() {
    let world = World::new();
    let second = other(&world.bench, "second");
    let made = std::sync::Mutex::new(Vec::new());
    let observer = At::new(Phase::Finish, || {
        made.lock().unwrap().push(commit(&second, &world.source, "main"));
        made.lock().unwrap().push(commit(&second, &world.source, "side"));
    });
    let done = rewrite(&world.bench.repo, &observer);
    assert!(observer.has_acted());
    let olds: BTreeSet<CommitId> = done.commits.iter().map(|commit| commit.old).collect();
    let made = made.lock().unwrap().clone();
    assert_eq!(olds, [world.id(1), world.id(2), made[0], made[1]].into());
    let timeline = other(&world.bench, "third").timeline();
    let heir = |id| done.commits.iter().find(|commit| commit.old == id).unwrap().new;
    assert_eq!(
        (timeline.branch("main"), timeline.branch("side")),
        (Some(heir(made[0])), Some(heir(made[1])))
    );
    assert_eq!(timeline.parents(heir(made[0])), [heir(world.id(2))]);
    world.check(5);
    gc(&world.bench.repo);
    world.check(5);
}

#[test]
fn the_order_of_commits_is_the_same_from_checkpoints_and_after_originals_came_back() {
    let world = World::new();
    let side = commit(&world.bench.repo, &world.versions[0].1, "side");
    let done = rewrite(&world.bench.repo, &Silent);
    let heirs: Vec<CommitId> = done.commits.iter().map(|commit| commit.new).collect();
    assert_eq!(world.bench.repo.timeline().commits(), [side, heirs[1], heirs[0], world.id(0)]);
    ops::undelete(&world.bench.repo, &[world.id(2)], 1, &Silent).unwrap();
    let order = [side, heirs[1], world.id(2), heirs[0], world.id(0)];
    assert_eq!(world.bench.repo.timeline().commits(), order);
    // So many entries that there are checkpoints behind all this.
    for number in 0..140 {
        world.bench.repo.tag_create(&format!("tag-{number}"), heirs[number % 2], false).unwrap();
    }
    let opened = other(&world.bench, "second");
    assert_eq!(opened.timeline().commits(), order);
    assert_eq!(opened.timeline().parents(heirs[1]), [heirs[0]]);
}

#[test]
fn a_branch_that_moves_meanwhile_and_a_tag_that_comes_go_to_heirs() {
    let world = World::new();
    let second = other(&world.bench, "second");
    let observer = At::new(Phase::Finish, || {
        second.branch_create("main", world.id(1), true).unwrap();
        second.tag_create("v1", world.id(2), false).unwrap();
    });
    let done = rewrite(&world.bench.repo, &observer);
    assert!(observer.has_acted());
    let timeline = other(&world.bench, "third").timeline();
    assert_eq!(timeline.branch("main"), Some(done.commits[0].new));
    assert_eq!(timeline.tags(), [("v1".to_owned(), done.commits[1].new)]);
    world.check(3);
}

#[test]
fn what_others_forget_or_rewrite_meanwhile_does_not_come_back() {
    let world = World::new();
    let second = other(&world.bench, "second");
    let observer = At::new(Phase::Finish, || {
        let request = ForgetRequest { commits: vec![world.id(1)], ..ForgetRequest::default() };
        ops::forget(&second, &request, &Silent).unwrap();
    });
    let done = rewrite(&world.bench.repo, &observer);
    assert!(observer.has_acted());
    assert_eq!(done.commits.iter().map(|commit| commit.old).collect::<Vec<_>>(), [world.id(2)]);
    world.check(2);

    let world = World::new();
    let second = other(&world.bench, "second");
    let observer = At::new(Phase::Finish, || drop(rewrite(&second, &Silent)));
    let done = rewrite(&world.bench.repo, &observer);
    assert!(observer.has_acted() && done.commits.is_empty(), "the other one has done it all");
    world.check(3);
    let folder = world.bench.path("repo/packs");
    let named = other(&world.bench, "third").state().packs.len();
    assert_eq!(fs::read_dir(folder).unwrap().count(), named, "nothing is left of the attempt");
}

#[test]
fn a_gc_meanwhile_takes_nothing_that_heirs_need() {
    for phase in [Phase::Store, Phase::Finish] {
        let world = World::new();
        let request = ForgetRequest { commits: vec![world.id(0)], ..ForgetRequest::default() };
        ops::forget(&world.bench.repo, &request, &Silent).unwrap();
        let second = other(&world.bench, "second");
        let observer = At::new(phase, || gc(&second));
        assert_eq!(rewrite(&world.bench.repo, &observer).commits.len(), 2);
        assert!(observer.has_acted());
        world.check(2);
        gc(&world.bench.repo);
        world.check(2);
    }
}

#[test]
fn a_commit_whose_base_is_rewritten_meanwhile_begins_anew_on_the_heir() {
    let world = World::new();
    let second = other(&world.bench, "second");
    fs::remove_file(world.source.join("gone")).unwrap();
    let observer = At::new(Phase::Finish, || drop(rewrite(&second, &Silent)));
    let done = ops::commit(&world.bench.repo, request(&world.source), &observer).unwrap();
    assert!(observer.has_acted());
    let timeline = other(&world.bench, "third").timeline();
    // Without what was dropped the tree is the heir's: but for the folder's time nothing is new.
    let commits = 3 + usize::from(done.commit.is_some());
    if let Some(id) = done.commit {
        assert!(timeline.is_live(timeline.parents(id)[0]) && timeline.branch("main") == Some(id));
        assert_same_tree(&world.source, &world.bench.restore(id, "out"));
    }
    world.check(commits);
}
