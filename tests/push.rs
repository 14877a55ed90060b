//! Remotes, clone, fetch, pull and push, with the real program, between repositories on this machine.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use common::history::copy;
use common::program::{Home, news, rounds};
use serde_json::Value;
use warp::testing::{Rng, assert_same_tree, edit_tree, make_tree};

/// Working directories and stand-alone repositories below one home.
struct World {
    home: Home,
    rng: Rng,
}

impl World {
    /// With a working directory `ann` that has one commit, and a stand-alone clone of it, `hub`, which `ann` knows as `origin`.
    fn new() -> Self {
        let world = Self::with_ann();
        let (ann, hub) = (world.at("ann"), world.at("hub"));
        world.home.done(&["clone", "--bare", &ann, &hub]);
        world.done("ann", &["remote", "add", "origin", &hub]);
        world.done("ann", &["fetch"]);
        world
    }

    fn with_ann() -> Self {
        let home = Home::bare();
        let mut world = Self { home, rng: Rng::new(3) };
        make_tree(&world.path("ann/tree"), 7, 25).unwrap();
        world.write("ann", "large", 400_000);
        world.home.done(&["init", &world.at("ann")]);
        world.commit("ann");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    fn at(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&mut self, repo: &str, file: &str, len: usize) {
        let bytes = self.rng.bytes(len);
        fs::write(self.path(repo).join(file), bytes).unwrap();
    }

    /// Runs a command on one of the repositories.
    fn on(&self, repo: &str, args: &[&str]) -> Output {
        self.home.run(&[&["-r", &self.at(repo)], args].concat())
    }

    fn done(&self, repo: &str, args: &[&str]) -> String {
        let output = self.on(repo, args);
        assert_eq!(output.status.code(), Some(0), "warp {args:?} on {repo}: {}", news(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that must fail prints, on both ways.
    fn refused(&self, repo: &str, args: &[&str]) -> String {
        let output = self.on(repo, args);
        assert_eq!(output.status.code(), Some(1), "warp {args:?} on {repo}: {}", news(&output));
        String::from_utf8_lossy(&output.stdout).into_owned() + &news(&output)
    }

    fn commit(&self, repo: &str) -> String {
        self.done(repo, &["commit", "-q", "-m", "test"]);
        self.id(repo, "HEAD")
    }

    /// Changes a file of a working directory, and commits.
    fn change(&mut self, repo: &str, file: &str) -> String {
        self.write(repo, file, 20_000);
        self.commit(repo)
    }

    fn id(&self, repo: &str, revision: &str) -> String {
        let log: Value =
            serde_json::from_str(&self.done(repo, &["--json", "log", "-n", "1", revision])).unwrap();
        log[0]["id"].as_str().unwrap().to_owned()
    }

    fn has(&self, repo: &str, revision: &str) -> bool {
        self.on(repo, &["show", revision]).status.success()
    }

    fn clone(&self, from: &str, to: &str) {
        self.home.done(&["clone", &self.at(from), &self.at(to)]);
    }

    fn is_sound(&self, repo: &str) {
        let found = self.done(repo, &["check", "--read-data"]);
        assert!(found.ends_with("no errors found\n"), "{repo}: {found}");
    }

    /// All files of a repository and their bytes.
    fn files(&self, repo: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = walkdir::WalkDir::new(self.path(repo)).into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file());
        files.map(|entry| (entry.path().to_owned(), fs::read(entry.path()).unwrap())).collect()
    }

    fn packs(&self, dir: &str) -> BTreeMap<String, u64> {
        let entries = fs::read_dir(self.path(dir).join("packs")).unwrap().map(Result::unwrap);
        entries.map(|e| (e.file_name().into_string().unwrap(), e.metadata().unwrap().len())).collect()
    }

    /// Pushes with `--json`.
    fn pushed(&self, repo: &str, args: &[&str]) -> Value {
        serde_json::from_str(&self.done(repo, &[&["--json", "--no-progress", "push"], args].concat()))
            .unwrap()
    }

    /// Two trees are the same but for the repositories in them.
    fn same(&self, one: &str, other: &str) {
        let [a, b] = ["a", "b"].map(|name| self.home.dir.path().join(format!("plain-{name}")));
        for (from, to) in [(one, &a), (other, &b)] {
            let _ = fs::remove_dir_all(to);
            copy(&self.path(from), to);
            fs::remove_dir_all(to.join(".warp")).unwrap();
        }
        // Taking the repository out touched the roots.
        for to in [&a, &b] {
            let time = std::time::UNIX_EPOCH;
            fs::File::open(to).unwrap().set_modified(time).unwrap();
        }
        assert_same_tree(&a, &b);
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn a_clone_has_the_files_the_history_and_a_remote() {
    let mut world = World::with_ann();
    world.done("ann", &["tag", "first"]);
    world.change("ann", "notes");
    world.clone("ann", "bob");
    world.same("ann", "bob");
    assert_eq!(world.done("bob", &["status"]), world.done("ann", &["status"]));
    assert_eq!(world.done("bob", &["log", "--oneline", "HEAD"]).lines().count(), 2);
    assert_eq!(lines(&world.done("bob", &["branch", "-a"])), ["* main", "  remotes/origin/main"]);
    assert_eq!(lines(&world.done("bob", &["tag"])), ["first"]);
    assert_eq!(lines(&world.done("bob", &["remote", "-v"])), [format!("origin\t{}", world.at("ann"))]);
    world.is_sound("bob");
    world.home.done(&["clone", "--bare", &world.at("ann"), &world.at("hub")]);
    assert_eq!(lines(&world.done("hub", &["branch"])), ["  main"]);
    assert_eq!(world.packs("hub"), world.packs("ann/.warp"), "packs go as they are");
    // What is there is not overwritten.
    let again = world.home.run(&["clone", &world.at("ann"), &world.at("bob")]);
    assert_eq!(again.status.code(), Some(1));
    assert!(news(&again).contains("is not empty"), "{}", news(&again));
}

#[test]
fn commits_go_from_one_to_the_other_and_back() {
    let mut world = World::new();
    world.clone("hub", "bob");
    let first = world.change("ann", "notes");
    let said = world.done("ann", &["push"]);
    let short = |id: &str| id[..8].to_owned();
    let before = world.id("ann", "HEAD~1");
    assert_eq!(
        lines(&said),
        [
            format!("To {}", world.at("hub")),
            format!("   {}..{}   main -> main", short(&before), short(&first))
        ]
    );
    let said = world.done("bob", &["pull"]);
    assert_eq!(
        lines(&said)[..2],
        [
            format!("From {}", world.at("hub")),
            format!("   {}..{}   main -> origin/main", short(&before), short(&first))
        ]
    );
    world.same("ann", "bob");
    assert_eq!(world.id("bob", "HEAD"), first);
    let second = world.change("bob", "reply");
    world.done("bob", &["push", "origin", "main"]);
    world.done("ann", &["pull"]);
    world.same("ann", "bob");
    assert_eq!(world.id("ann", "origin/main"), second);
    for repo in ["ann", "bob", "hub"] {
        world.is_sound(repo);
    }
    assert!(news(&world.on("ann", &["pull"])).contains("Already up to date"));
}

#[test]
fn a_push_or_fetch_of_nothing_new_writes_nothing() {
    let mut world = World::new();
    world.change("ann", "notes");
    world.done("ann", &["push"]);
    let (hub, ann) = (world.files("hub"), world.files("ann"));
    assert!(news(&world.on("ann", &["push"])).contains("Everything up-to-date"));
    world.done("ann", &["push", "--all", "--tags", "--prune"]);
    world.done("ann", &["fetch", "--all", "--prune"]);
    world.done("ann", &["push", "-n", "--force"]);
    assert_eq!((world.files("hub"), world.files("ann")), (hub, ann));
}

#[test]
fn branches_that_went_apart_are_told_and_move_by_force_or_lease_alone() {
    let mut world = World::new();
    world.clone("hub", "bob");
    let anns = world.change("ann", "notes");
    world.done("ann", &["push"]);
    let bobs = world.change("bob", "other");
    let said = world.refused("bob", &["push"]);
    assert!(said.contains(" ! [rejected]           main -> main (fetch first)"), "{said}");
    let said = world.refused("bob", &["pull"]);
    assert!(
        said.contains("each have commits that the other does not have") && said.contains("hint:"),
        "{said}"
    );
    assert_eq!(world.id("bob", "HEAD"), bobs);
    assert_eq!(world.id("bob", "origin/main"), anns, "it was fetched all the same");
    let said = world.refused("bob", &["push"]);
    assert!(said.contains("(non-fast-forward)"), "{said}");
    // Meanwhile ann pushes again: a lease on what bob saw fails, one on what is there holds.
    world.change("ann", "more");
    world.done("ann", &["push"]);
    let said = world.refused("bob", &["push", "--force-with-lease"]);
    assert!(said.contains("(stale info)"), "{said}");
    world.done("bob", &["fetch"]);
    let said = world.done("bob", &["push", "--force-with-lease=main"]);
    assert!(said.contains("main -> main (forced update)") && said.contains("\n + "), "{said}");
    assert_eq!(world.id("hub", "main"), bobs);
    assert!(world.has("hub", &anns), "no commit is lost by moving a branch");
    let said = world.done("ann", &["push", "origin", "+main"]);
    assert!(said.contains("(forced update)"), "{said}");
    let lease = format!("--force-with-lease=main:{bobs}");
    assert!(world.refused("bob", &["push", &lease]).contains("(stale info)"));
    world.is_sound("hub");
}

#[test]
fn one_refused_ref_keeps_all_where_they_are() {
    let mut world = World::new();
    world.done("ann", &["branch", "side"]);
    world.done("ann", &["tag", "v1"]);
    world.done("ann", &["push", "--all", "--tags"]);
    world.change("ann", "notes");
    world.done("ann", &["tag", "-f", "v1"]);
    let hub = world.files("hub");
    let said = world.refused("ann", &["push", "origin", "main", "main:side", "v1"]);
    let rejected: Vec<&str> = lines(&said).into_iter().filter(|line| line.starts_with(" ! ")).collect();
    assert_eq!(
        rejected,
        [
            " ! [rejected]           main -> main (atomic push failed)",
            " ! [rejected]           main -> side (atomic push failed)",
            " ! [rejected]           v1 -> v1 (already exists)"
        ]
    );
    assert!(said.contains("nothing was changed there"), "{said}");
    assert_eq!(world.files("hub"), hub);
    let json = world.on("ann", &["--json", "push", "origin", "main", "v1"]);
    let told: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json.status.code(), Some(1));
    assert_eq!(
        (told["refused"].as_bool(), told["refs"][1]["result"].as_str()),
        (Some(true), Some("tag_exists"))
    );
}

#[test]
fn branches_and_tags_are_made_deleted_and_pruned() {
    let mut world = World::new();
    world.done("ann", &["branch", "side"]);
    world.done("ann", &["branch", "old"]);
    world.done("ann", &["tag", "v1"]);
    let said = world.done("ann", &["push", "--all", "--tags"]);
    for line in [
        " * [new branch]         old -> old",
        " * [new branch]         side -> side",
        " * [new tag]            v1 -> v1",
    ] {
        assert!(said.contains(line), "{said}");
    }
    world.clone("hub", "bob");
    world.done("ann", &["branch", "-D", "old"]);
    let said = world.done("ann", &["push", "--prune"]);
    assert!(said.contains(" - [deleted]            old\n"), "{said}");
    world.done("ann", &["push", "origin", ":side"]);
    world.done("ann", &["push", "origin", "main:new"]);
    assert!(world.refused("ann", &["push", "origin", "-d", "side"]).contains("remote ref does not exist"));
    assert!(world.done("bob", &["branch", "-R"]).contains("origin/old"));
    let said = world.done("bob", &["fetch", "--prune"]);
    assert!(said.contains("(none) -> origin/old") && said.contains("(none) -> origin/side"), "{said}");
    assert_eq!(lines(&world.done("bob", &["branch", "-R"])), ["  origin/main", "  origin/new"]);
    // A tag that stands elsewhere is told, and left.
    world.change("bob", "x");
    world.done("bob", &["tag", "-f", "v1"]);
    let output = world.on("bob", &["fetch", "--tags"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stdout).contains("v1 -> v1 (would clobber existing tag)"));
}

#[test]
fn remotes_are_kept_renamed_and_forgotten_with_their_branches() {
    let world = World::new();
    world.done("ann", &["remote", "rename", "origin", "disk"]);
    assert_eq!(lines(&world.done("ann", &["branch", "-R"])), ["  disk/main"]);
    let shown = world.done("ann", &["remote", "show", "disk"]);
    assert!(shown.contains("main fetched; the local branch stands there"), "{shown}");
    world.done("ann", &["remote", "set-url", "disk", "file:///nowhere/x"]);
    assert_eq!(lines(&world.done("ann", &["remote", "-v"])), ["disk\t/nowhere/x"]);
    assert_eq!(world.on("ann", &["fetch"]).status.code(), Some(10), "the only remote is meant");
    world.done("ann", &["remote", "remove", "disk"]);
    assert_eq!(world.done("ann", &["remote"]) + &world.done("ann", &["branch", "-R"]), "");
    for (args, code) in [
        (&["remote", "remove", "disk"][..], 1),
        (&["remote", "add", "a/b", "/x"], 2),
        (&["remote", "add", "x", "ftp://h/r"], 2),
        (&["fetch"], 1),
        (&["push", "nowhere"], 1),
    ] {
        assert_eq!(world.on("ann", args).status.code(), Some(code), "{args:?}");
    }
    // Where others lie is told to nobody: neither a bundle nor a clone has it.
    world.done("ann", &["remote", "add", "secret-place", "/mnt/secret"]);
    world.home.done(&["clone", "--bare", &world.at("ann"), &world.at("copy")]);
    assert_eq!(lines(&world.done("copy", &["remote"])), ["origin"]);
    world.done("ann", &["bundle", "create", &world.at("b.warp"), "--all"]);
    let bundle = fs::read(world.path("b.warp")).unwrap();
    assert!(!bundle.windows(11).any(|window| window == b"/mnt/secret"));
}

#[test]
fn a_remote_is_made_with_the_keys_at_hand() {
    let world = World::with_ann();
    let usb = world.at("usb");
    world.done("ann", &["remote", "add", "--create", "usb", &usb]);
    world.done("ann", &["push", "usb", "main"]);
    assert_eq!(world.id("usb", "main"), world.id("ann", "main"));
    world.is_sound("usb");
    assert_eq!(world.on("ann", &["remote", "add", "--create", "two", &usb]).status.code(), Some(1));
}

#[test]
fn a_repository_with_other_keys_gets_commits_made_anew() {
    let world = World::with_ann();
    let (ann, other) = (world.id("ann", "HEAD"), world.at("other"));
    let with = |args: &[&str]| {
        let mut command = world.home.command(&[&["-r", &other], args].concat());
        command.env("WARP_PASSWORD", "another").output().unwrap()
    };
    let done = |args: &[&str]| {
        let output = with(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", news(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let init = ["init", "--bare", "--chunker", "seqcdc", &other];
    let mut command = world.home.command(&init);
    assert!(command.env("WARP_PASSWORD", "another").output().unwrap().status.success());
    world.done("ann", &["remote", "add", "origin", &other]);
    let wrong = world.on("ann", &["push"]);
    assert_eq!(wrong.status.code(), Some(12));
    assert!(news(&wrong).contains("--remote-password-file"), "{}", news(&wrong));
    fs::write(world.path("pass"), "another\n").unwrap();
    let pass = world.at("pass");
    let said = world.done("ann", &["push", "--remote-password-file", &pass]);
    assert!(said.contains(" * [new branch]         main -> main"), "{said}");
    assert!(done(&["show", "main"]).contains(&format!("Import: {ann} of ")));
    assert!(done(&["check", "--read-data"]).ends_with("no errors found\n"));
    assert_eq!(world.id("ann", "origin/main"), ann);
    // The next one sends what is new, in the ids of here.
    let push = ["--json", "--no-progress", "push", "--remote-password-file", &pass];
    let path = world.path("ann").join("large");
    let mut text = fs::read(&path).unwrap();
    text.splice(1000..1010, *b"0123456789abcdef");
    fs::write(path, text).unwrap();
    let next = world.commit("ann");
    let told: Value = serde_json::from_str(&world.done("ann", &push)).unwrap();
    assert_eq!(
        (told["refs"][0]["old"].as_str(), told["refs"][0]["new"].as_str()),
        (Some(&*ann), Some(&*next))
    );
    assert!(told["bytes"].as_u64().unwrap() < 150_000, "{told}");
    let before = world.files("other");
    world.done("ann", &push);
    assert_eq!(world.files("other"), before);
    let target = world.path("out");
    done(&["restore", "--source", "main", "--target", target.to_str().unwrap(), "--verify"]);
    fs::create_dir(target.join(".warp")).unwrap();
    world.same("ann", "out");
    // Whoever asks gives its password, as for a push.
    let shown = world.done("ann", &["remote", "show", "origin", "--remote-password-file", &pass]);
    assert!(shown.contains("main fetched; the local branch stands there"), "{shown}");
    let audit = ["audit", "--remote-password-file", &pass, "--possession"];
    assert!(world.done("ann", &audit).contains(", 0 could not be proved"));
    // Commits of others there cannot be pulled: the hint says what can be done, and that works.
    let copied = world.path("tree-of-another");
    fs::create_dir(&copied).unwrap();
    done(&["commit", "-q", "-m", "made there", "--branch", "main", copied.to_str().unwrap()]);
    fs::write(world.path("ann").join("large"), "another").unwrap();
    world.commit("ann");
    let said = world.refused("ann", &["push", "--remote-password-file", &pass]);
    assert!(said.contains("main:incoming/main") && !said.contains("warp pull"), "{said}");
    world.done("ann", &["push", "--remote-password-file", &pass, "origin", "main:incoming/main"]);
    let shown = world.done("ann", &["remote", "show", "origin", "--remote-password-file", &pass]);
    assert!(shown.contains("main made there, with other keys than here"), "{shown}");
    for args in [&["fetch"][..], &["pull"]] {
        let said = world.refused("ann", args);
        assert!(said.contains("do not share their keys") && said.contains("warp push"), "{said}");
    }
}

#[test]
fn a_branch_that_is_checked_out_there_is_left() {
    let mut world = World::with_ann();
    world.clone("ann", "bob");
    world.change("bob", "notes");
    let said = world.refused("bob", &["push"]);
    assert!(said.contains("(branch is currently checked out)") && said.contains("incoming"), "{said}");
    world.done("bob", &["push", "origin", "main:incoming"]);
    world.done("ann", &["checkout", "incoming"]);
    world.same("ann", "bob");
}

#[test]
fn pull_keeps_what_is_not_committed() {
    let mut world = World::new();
    world.clone("hub", "bob");
    world.change("ann", "notes");
    world.done("ann", &["push"]);
    fs::write(world.path("bob").join("notes"), "mine").unwrap();
    let head = world.id("bob", "HEAD");
    let said = world.refused("bob", &["pull"]);
    assert!(said.contains("uncommitted changes would be lost") && !said.contains("--force"), "{said}");
    assert_eq!(world.id("bob", "HEAD"), head);
    assert_eq!(fs::read(world.path("bob").join("notes")).unwrap(), b"mine");
    // What the other side did not touch stays beside what comes.
    fs::rename(world.path("bob").join("notes"), world.path("bob").join("draft")).unwrap();
    world.done("bob", &["pull"]);
    assert_eq!(fs::read(world.path("bob").join("draft")).unwrap(), b"mine");
    assert_eq!(world.id("bob", "HEAD"), world.id("ann", "HEAD"));
    // A stand-alone repository has no files: its branch goes forward.
    world.home.done(&["clone", "--bare", &world.at("hub"), &world.at("bare")]);
    let last = world.change("ann", "more");
    world.done("ann", &["push"]);
    world.done("bare", &["pull", "origin", "main"]);
    assert_eq!(world.id("bare", "main"), last);
}

#[test]
fn a_push_that_was_killed_goes_on_and_sends_nothing_twice() {
    let mut world = World::new();
    // A pack takes more than a second to go: a kill falls within one.
    world.write("ann", "film", 100_000_000);
    let last = world.commit("ann");
    let ann = world.at("ann");
    let args = ["-r", ann.as_str(), "push", "--limit-upload", "25000", "--no-progress"];
    let before = world.packs("hub").len();
    for _ in 0..rounds(2, 6) {
        let mut after = Duration::from_millis(1600);
        assert!(world.home.is_killed(&args, &mut after, 100), "it was done before it was killed");
        world.done("hub", &["check"]);
        assert_ne!(world.id("hub", "main"), last);
        if world.packs("hub").len() > before + 1 {
            break;
        }
    }
    let there = world.packs("hub");
    let said = world.pushed("ann", &[]);
    let found = said["packs_found"].as_u64().unwrap();
    assert!(found > 0, "{said} with {there:?}");
    assert_eq!(world.packs("hub"), world.packs("ann/.warp"), "every pack lies there once");
    assert_eq!(world.id("hub", "main"), last);
    world.is_sound("hub");
}

#[test]
fn after_either_side_was_written_anew_little_goes_over() {
    let mut world = World::new();
    for _ in 0..3 {
        world.change("ann", "notes");
        world.done("ann", &["push"]);
    }
    for side in ["ann", "hub"] {
        world.done(side, &["repack", "--aggressive"]);
        world.done(side, &["gc", "--grace", "0", "--aggressive"]);
        world.done("ann", &["branch", "-f", &format!("after-{side}")]);
        assert!(world.pushed("ann", &["--all"])["bytes"].as_u64() == Some(0));
        world.write("ann", "tiny", 500);
        world.commit("ann");
        let bytes = world.pushed("ann", &[])["bytes"].as_u64().unwrap();
        assert!(bytes < 60_000, "{bytes} bytes went after {side} was written anew");
    }
    world.clone("hub", "bob");
    world.same("ann", "bob");
    world.is_sound("hub");
}

#[test]
fn a_remote_that_goes_back_or_withholds_is_refused() {
    let mut world = World::new();
    let kept = world.path("kept");
    copy(&world.path("hub"), &kept);
    world.change("ann", "notes");
    world.done("ann", &["push"]);
    let newer = world.path("newer");
    fs::rename(world.path("hub"), &newer).unwrap();
    copy(&kept, &world.path("hub"));
    for args in [&["push"][..], &["fetch"]] {
        let said = world.refused("ann", args);
        assert!(said.contains("--accept-rollback"), "{said}");
    }
    fs::remove_dir_all(world.path("hub")).unwrap();
    fs::rename(&newer, world.path("hub")).unwrap();
    // A pack that is not there, and one whose bytes are another's.
    let packs = world.packs("hub");
    let (largest, _) = packs.iter().max_by_key(|(_, len)| **len).unwrap();
    let file = world.path("hub").join("packs").join(largest);
    let bytes = fs::read(&file).unwrap();
    for wrong in [None, Some(vec![7; bytes.len()])] {
        match wrong {
            None => fs::remove_file(&file).unwrap(),
            Some(wrong) => fs::write(&file, wrong).unwrap(),
        }
        let target = world.path("eve");
        let output = world.home.run(&["clone", "--bare", &world.at("hub"), target.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(news(&output).contains(largest.as_str()), "{}", news(&output));
        assert_eq!(world.done("eve", &["log", "--oneline"]) + &world.done("eve", &["branch"]), "");
        fs::remove_dir_all(&target).unwrap();
    }
    fs::write(&file, &bytes).unwrap();
    // A clone that was stopped goes on with a fetch.
    world.home.done(&["clone", "--bare", &world.at("hub"), &world.at("eve")]);
    world.is_sound("eve");
}

#[test]
fn another_repository_of_the_same_keys_in_the_place_of_a_remote_is_refused() {
    let mut world = World::new();
    world.home.done(&["clone", "--bare", &world.at("hub"), &world.at("twin")]);
    world.change("ann", "notes");
    world.done("ann", &["push"]);
    fs::rename(world.path("hub"), world.path("hidden")).unwrap();
    fs::rename(world.path("twin"), world.path("hub")).unwrap();
    for args in [&["push"][..], &["fetch"]] {
        let said = world.refused("ann", args);
        assert!(said.contains("is another repository than origin was before"), "{said}");
    }
    world.done("ann", &["remote", "set-url", "origin", &world.at("hub")]);
    world.done("ann", &["push"]);
    assert_eq!(world.id("hub", "main"), world.id("ann", "main"));
    fs::rename(world.path("hub"), world.path("twin")).unwrap();
    fs::rename(world.path("hidden"), world.path("hub")).unwrap();
    world.refused("ann", &["fetch"]);
    world.done("ann", &["--accept-rollback", "fetch"]);
    world.done("ann", &["fetch"]);
}

#[test]
fn keys_that_were_rotated_there_are_opened_with_the_password() {
    let mut world = World::new();
    world.done("hub", &["key", "rotate"]);
    let last = world.change("ann", "notes");
    world.done("ann", &["push"]);
    assert_eq!(world.id("hub", "main"), last);
    // What was sealed there under the new key is sealed here under the old one.
    world.done("hub", &["gc", "--grace", "0"]);
    world.clone("hub", "bob");
    world.change("bob", "reply");
    world.done("bob", &["push"]);
    world.done("ann", &["pull"]);
    world.same("ann", "bob");
    for repo in ["ann", "bob", "hub"] {
        world.is_sound(repo);
    }
}

#[test]
fn limits_hold() {
    let mut world = World::new();
    world.write("ann", "film", 1_500_000);
    world.commit("ann");
    let begun = std::time::Instant::now();
    world.done("ann", &["push", "--limit-upload", "1000"]);
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(1200), "{took:?}");
    assert_eq!(world.on("ann", &["push", "--limit-upload", "0"]).status.code(), Some(2));
    world.done("ann", &["push", "--limit-upload", "1.5M"]);
    let wrong = world.on("ann", &["push", "--limit-upload", "fast"]);
    assert!(wrong.status.code() == Some(2) && news(&wrong).contains("500K"), "{}", news(&wrong));
}

#[test]
fn fetching_from_all_remotes_goes_on_where_one_is_gone() {
    let mut world = World::new();
    world.clone("hub", "bob");
    let new = world.change("bob", "notes");
    world.done("bob", &["push"]);
    for name in ["absent", "zero"] {
        world.done("ann", &["remote", "add", name, &world.at(name)]);
    }
    let said = world.refused("ann", &["fetch", "--all"]);
    assert!(said.contains("2 of 3 remotes") && said.contains("absent, zero"), "{said}");
    assert!(
        said.contains(&format!("warning: absent: there is no repository in {}", world.at("absent"))),
        "{said}"
    );
    assert_eq!(world.id("ann", "origin/main"), new);
}

#[test]
fn an_audit_of_nothing_is_wrong_usage() {
    let world = World::new();
    let output = world.on("ann", &["audit", "--samples", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", news(&output));
    world.done("ann", &["audit", "--samples", "0", "--possession"]);
}

#[test]
fn what_is_wrong_with_a_pack_is_said_once_and_whole_packs_that_answer_wrong_are_counted() {
    let world = World::new();
    let packs = world.packs("hub");
    let (name, _) = packs.iter().max_by_key(|(_, len)| **len).unwrap();
    let path = world.path("hub").join("packs").join(name);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes[middle + 1] ^= 1;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(&path, bytes).unwrap();
    let said = world.refused("ann", &["audit", "--possession"]);
    assert_eq!(said.matches("could not be proved (shard").count(), 1, "{said}");
    assert!(said.contains(": 1 of ") && said.contains(", 1 could not be proved\n"), "{said}");
    assert!(said.contains("1 of them answered wrong, 0 could not be asked for"), "{said}");
    let told = world.on("ann", &["--json", "--no-progress", "audit"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&told["unproved"], &told["faults"][0]["shards_unproved"]), (&1.into(), &1.into()), "{told}");
}

#[test]
fn a_group_that_was_never_made_and_a_word_that_is_no_place_are_named() {
    let world = World::with_ann();
    let places: Vec<String> = (0..6).map(|n| world.at(&format!("g{n}"))).collect();
    let spread: Vec<&str> =
        ["push", "--spread", "4+2"].into_iter().chain(places.iter().map(String::as_str)).collect();
    let output = world.on("ann", &[&spread[..], &["main"]].concat());
    assert_eq!(output.status.code(), Some(10));
    let said = news(&output);
    assert!(said.contains("remote add --create --spread 4+2"), "{said}");
    assert_eq!(said.matches("there is no repository").count(), 1, "{said}");
    let output = world.on("ann", &[&spread[..8], &["main"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(news(&output).contains("main") && news(&output).contains("slash"), "{}", news(&output));
}

/// Nothing of a server's address is taken for a path.
#[test]
fn an_address_of_a_server_is_read() {
    let world = World::with_ann();
    world.done("ann", &["remote", "add", "origin", "warp://warp.invalid:8919/alice/thesis"]);
    assert_eq!(lines(&world.done("ann", &["remote", "-v"])), ["origin\twarp://warp.invalid/alice/thesis"]);
    let said = world.refused("ann", &["fetch"]);
    assert!(said.contains("warp.invalid"), "{said}");
    assert!(!world.path("warp:").exists() && !Path::new("warp:").exists());
}

#[test]
fn histories_that_were_edited_at_random_arrive_as_they_are() {
    for seed in 0..rounds(2, 30) as u64 {
        let mut world = World::new();
        let mut versions = Vec::new();
        for round in 0..4 {
            edit_tree(&world.path("ann/tree"), 100 * seed + round, 5).unwrap();
            world.write("ann", "large", 100_000 + world_len(seed, round));
            versions.push(world.commit("ann"));
            if (seed + round) % 2 == 0 {
                world.done("ann", &["push"]);
            }
            if round == 2 {
                world.done("hub", &["gc", "--grace", "0", "--aggressive"]);
            }
        }
        world.done("ann", &["push"]);
        world.clone("hub", "bob");
        world.same("ann", "bob");
        assert!(versions.iter().all(|id| world.has("bob", id)));
        world.is_sound("bob");
    }
}

fn world_len(seed: u64, round: u64) -> usize {
    (seed * 7919 + round * 104_729) as usize % 200_000
}
