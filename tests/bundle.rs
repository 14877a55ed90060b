//! Bundles, with the real program: history goes from one repository to another in a file.
#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use common::history::copy;
use common::program::{Home, news, rounds};
use serde_json::Value;
use warp::testing::{Rng, edit_tree, make_tree};

/// A repository with versions of a tree, each with a copy to compare with.
struct Maker {
    home: Home,
    source: PathBuf,
    /// Ids and copies.
    versions: Vec<(String, PathBuf)>,
    rng: Rng,
}

impl Maker {
    fn new(init: &[&str]) -> Self {
        let home = Home::bare();
        home.done(&[&["init", "--bare", home.repo.to_str().unwrap()], init].concat());
        let source = home.path("source");
        make_tree(&source, 7, 30).unwrap();
        let mut maker = Self { home, source, versions: Vec::new(), rng: Rng::new(8) };
        fs::write(maker.source.join("large"), maker.rng.text(600_000)).unwrap();
        maker.commit("main");
        maker
    }

    fn edit(&mut self) {
        edit_tree(&self.source, self.rng.below(1000) as u64, 6).unwrap();
        let large = self.source.join("large");
        let mut text = fs::read(&large).unwrap_or_else(|_| self.rng.text(600_000));
        let at = self.rng.below(text.len() - 10);
        text.splice(at..at + 3, self.rng.bytes(7));
        fs::write(large, text).unwrap();
    }

    fn commit(&mut self, branch: &str) -> String {
        self.home.done(&["commit", "-q", "--branch", branch, self.source.to_str().unwrap()]);
        let id = self.id(branch);
        let kept = self.home.path(&format!("version-{}", self.versions.len()));
        copy(&self.source, &kept);
        self.versions.push((id.clone(), kept));
        id
    }

    fn id(&self, revision: &str) -> String {
        let log: Value = serde_json::from_str(&self.home.done(&["--json", "log", revision])).unwrap();
        log[0]["id"].as_str().unwrap().to_owned()
    }

    fn bundle(&self, name: &str, more: &[&str]) -> PathBuf {
        let file = self.home.path(name);
        self.home.done(&[&["bundle", "create", "-f", file.to_str().unwrap()], more].concat());
        file
    }

    /// Runs a command on another repository of this home.
    fn on(&self, repo: &str, args: &[&str]) -> Output {
        let repo = self.home.path(repo);
        self.home.run(&[&["-r", repo.to_str().unwrap()], args].concat())
    }

    fn done_on(&self, repo: &str, args: &[&str]) -> String {
        let output = self.on(repo, args);
        assert_eq!(output.status.code(), Some(0), "warp {args:?}: {}", news(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn unbundle(&self, repo: &str, file: &Path, more: &[&str]) -> (Option<i32>, Value, String) {
        let output =
            self.on(repo, &[&["--json", "bundle", "unbundle", file.to_str().unwrap()], more].concat());
        let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        (output.status.code(), report, news(&output))
    }

    fn init(&self, repo: &str, file: &Path) {
        let dir = self.home.path(repo);
        self.home.done(&["bundle", "unbundle", file.to_str().unwrap(), "--init", dir.to_str().unwrap()]);
    }

    /// Versions come back from another repository as they were, and a check finds nothing.
    fn check(&self, repo: &str, versions: &[(String, PathBuf)]) {
        for (id, kept) in versions {
            let target = tempfile::tempdir_in(self.home.dir.path()).unwrap();
            let root = target.path().join("out");
            self.done_on(repo, &["restore", "--source", id, "--target", root.to_str().unwrap(), "--verify"]);
            warp::testing::assert_same_tree(kept, &root.join(self.source.strip_prefix("/").unwrap()));
        }
        let found = self.done_on(repo, &["check", "--read-data"]);
        assert!(found.ends_with("no errors found\n"), "{found}");
    }
}

#[test]
fn a_bundle_of_everything_becomes_a_repository_with_every_version() {
    for init in [&[][..], &["--no-encryption"], &["--chunker", "seqcdc", "--parity", "none"]] {
        let mut maker = Maker::new(init);
        for round in 0..3 {
            maker.edit();
            maker.commit(if round == 1 { "other" } else { "main" });
        }
        maker.home.done(&["tag", "first", &maker.versions[0].0]);
        let file = maker.bundle("all.warp", &["--all"]);
        maker.init("copy", &file);
        maker.check("copy", &maker.versions);
        let shown = |text: String| -> Vec<String> { text.lines().map(str::to_owned).collect() };
        for list in
            [&["tag"][..], &["branch", "-v"], &["log", "--oneline", "main"], &["log", "--oneline", "other"]]
        {
            assert_eq!(shown(maker.done_on("copy", list)), shown(maker.home.done(list)), "{list:?}");
        }
        // The copy lives on: commits are made of what it has, and gc takes away nothing that is needed.
        let source = maker.source.to_str().unwrap();
        let said: Value = serde_json::from_str(
            maker
                .done_on("copy", &["--json", "commit", "--no-progress", "--branch", "main", source])
                .lines()
                .last()
                .unwrap(),
        )
        .unwrap();
        assert!(said["data_added"].as_u64().unwrap() < 100_000, "{said}");
        maker.done_on("copy", &["gc", "--grace", "0", "--aggressive"]);
        maker.check("copy", &maker.versions);
    }
}

#[test]
fn a_range_goes_onto_a_repository_that_has_what_it_builds_on() {
    let mut maker = Maker::new(&[]);
    let all = maker.bundle("all.warp", &["--all"]);
    maker.init("copy", &all);
    for _ in 0..3 {
        maker.edit();
        maker.commit("main");
    }
    let file = maker.bundle("new.warp", &[&format!("{}..main", maker.versions[0].0)]);
    let (small, large) = (file.metadata().unwrap().len(), all.metadata().unwrap().len());
    assert!(small * 2 < large, "three edits take {small} bytes, and everything {large}");
    let (code, report, said) = maker.unbundle("copy", &file, &[]);
    assert_eq!((code, &report["commits_new"]), (Some(0), &Value::from(3)), "{report} {said}");
    assert_eq!(report["refs"][0]["result"], "forwarded", "{report}");
    maker.check("copy", &maker.versions);
    maker.done_on("copy", &["gc", "--grace", "0", "--aggressive"]);
    maker.check("copy", &maker.versions);

    // A second time nothing is new, and nothing is written.
    let before = maker.done_on("copy", &["head"]);
    let (code, report, _) = maker.unbundle("copy", &file, &[]);
    assert_eq!((code, &report["commits_new"], &report["packs_written"]), (Some(0), &0.into(), &0.into()));
    assert_eq!(maker.done_on("copy", &["head"]), before);
    // Nor does the repository that made it need anything of it.
    let (code, report, _) = maker.unbundle("repo", &file, &[]);
    assert_eq!((code, &report["commits_there"], &report["packs_written"]), (Some(0), &3.into(), &0.into()));
}

#[test]
fn a_difference_to_what_the_receiver_holds_only_as_a_difference_can_be_read() {
    let mut maker = Maker::new(&[]);
    // Two files of which every piece is like one of the other, and all of it is stored in full.
    let change = |text: &mut [u8], rng: &mut Rng, step: usize| {
        for at in (step / 2..text.len() - 8).step_by(step) {
            text[at..at + 6].copy_from_slice(&rng.bytes(6));
        }
    };
    let (one, other) = (maker.source.join("one"), maker.source.join("other"));
    let mut texts = [maker.rng.text(2_000_000), Vec::new()];
    texts[1] = texts[0].clone();
    change(&mut texts[1], &mut maker.rng, 4000);
    let write = |texts: &[Vec<u8>; 2]| {
        fs::write(&one, &texts[0]).unwrap();
        fs::write(&other, &texts[1]).unwrap();
    };
    maker.home.done(&["config", "set", "--repository", "delta", "off"]);
    // In one block they would be compressed together.
    fs::write(&one, &texts[0]).unwrap();
    fs::write(maker.source.join("noise"), maker.rng.bytes(4 << 20)).unwrap();
    maker.commit("main");
    write(&texts);
    maker.commit("main");
    maker.home.done(&["config", "set", "--repository", "delta", "on"]);
    maker.init("copy", &maker.bundle("all.warp", &["--all"]));
    maker.done_on("copy", &["config", "set", "--repository", "delta", "on"]);
    let said = maker.done_on("copy", &["--json", "--no-progress", "repack", "--aggressive"]);
    let repacked: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(repacked["replaced"], true, "{repacked}");
    texts.iter_mut().for_each(|text| change(text, &mut maker.rng, 50_000));
    write(&texts);
    maker.commit("main");
    let file = maker.bundle("new.warp", &["main~1..main"]);
    let len = file.metadata().unwrap().len();
    assert!(len < 300_000, "the bundle has {len} bytes: it holds no differences");
    let verified: Value =
        serde_json::from_str(&maker.home.done(&["--json", "verify", file.to_str().unwrap()])).unwrap();
    let (code, report, said) = maker.unbundle("copy", &file, &[]);
    assert_eq!(code, Some(0), "{said}");
    // Bases that the copy had made differences of are stored in full beside what is in the bundle.
    let (written, bundled) = (report["packs_written"].as_u64().unwrap(), verified["packs"].as_u64().unwrap());
    assert!(written > bundled, "{written} packs were written of {bundled}");
    maker.check("copy", &maker.versions);
}

#[test]
fn a_missing_prerequisite_and_another_family_are_named() {
    let mut maker = Maker::new(&[]);
    maker.init("copy", &maker.bundle("all.warp", &["--all"]));
    for _ in 0..2 {
        maker.edit();
        maker.commit("main");
    }
    let second = &maker.versions[1].0;
    let file = maker.bundle("new.warp", &["main", &format!("^{second}")]);
    let (code, _, said) = maker.unbundle("copy", &file, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(second) && said.contains("warp bundle create FILE REV"), "{said}");
    let verified = maker.done_on("copy", &["bundle", "verify", file.to_str().unwrap()]);
    assert!(
        verified.contains(&format!("builds on commit {second}, which this repository does not have")),
        "{verified}"
    );
    let verified = maker.home.done(&["bundle", "verify", file.to_str().unwrap()]);
    assert!(
        verified.contains(&format!("builds on commit {second}, which this repository has")),
        "{verified}"
    );
    let dir = maker.home.path("fresh");
    let output =
        maker.home.run(&["bundle", "unbundle", file.to_str().unwrap(), "--init", dir.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        !dir.exists() && news(&output).contains("cannot become a repository of its own"),
        "{}",
        news(&output)
    );

    let other = maker.home.path("other");
    maker.home.done(&["init", "--bare", other.to_str().unwrap()]);
    for command in [&["bundle", "unbundle"][..], &["bundle", "verify"]] {
        let output = maker.on("other", &[command, &[file.to_str().unwrap()]].concat());
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let said = news(&output);
        let is_family = |word: &&str| word.trim_end_matches([',', ':']).len() == 32;
        assert_eq!(said.split_whitespace().filter(is_family).count(), 2, "both are named: {said}");
    }
}

#[test]
fn branches_that_went_apart_stay_and_the_next_step_is_told() {
    let mut maker = Maker::new(&[]);
    maker.home.done(&["tag", "mark"]);
    maker.init("copy", &maker.bundle("all.warp", &["--all"]));
    let source = maker.source.to_str().unwrap().to_owned();
    maker.edit();
    maker.done_on("copy", &["commit", "-q", "--branch", "main", &source]);
    maker.done_on("copy", &["tag", "-f", "mark"]);
    maker.edit();
    let theirs = maker.commit("main");
    maker.home.done(&["tag", "-f", "mark"]);
    let file = maker.bundle("new.warp", &["main"]);
    let (code, report, _) = maker.unbundle("copy", &file, &[]);
    assert_eq!((code, &report["commits_new"]), (Some(3), &Value::from(1)), "{report}");
    assert_eq!(
        (&report["refs"][0]["result"], &report["refs"][1]["result"]),
        (&"diverged".into(), &"elsewhere".into())
    );
    // The commit is there, and the branch where it was.
    maker.check("copy", &maker.versions);
    let output = maker.on("copy", &["bundle", "unbundle", file.to_str().unwrap()]);
    let said = news(&output);
    assert!(
        said.contains(&format!("`warp branch NAME {}` keeps both; --force moves it", &theirs[..8])),
        "{said}"
    );
    let (code, report, _) = maker.unbundle("copy", &file, &["--force"]);
    assert_eq!((code, &report["refs"][0]["result"]), (Some(0), &"forced".into()), "{report}");
    let log = maker.done_on("copy", &["log", "--oneline", "main"]);
    assert!(log.starts_with(&theirs[..8]), "{log}");
}

#[test]
fn the_branch_that_is_checked_out_stays_and_others_go_forward() {
    let home = Home::bare();
    let work = home.path("work");
    fs::create_dir(&work).unwrap();
    fs::write(work.join("file"), "one").unwrap();
    let at = |args: &[&str]| home.done(&[&["-r", work.to_str().unwrap()], args].concat());
    at(&["init"]);
    at(&["commit", "-q"]);
    let all = home.path("all.warp");
    at(&["bundle", "create", all.to_str().unwrap()]);
    let copy = home.path("copy");
    home.done(&["bundle", "unbundle", all.to_str().unwrap(), "--init", copy.to_str().unwrap()]);
    // The copy goes on, and comes back.
    fs::write(work.join("file"), "two").unwrap();
    home.done(&["-r", copy.to_str().unwrap(), "commit", "-q", "--branch", "main", work.to_str().unwrap()]);
    let new = home.path("new.warp");
    home.done(&["-r", copy.to_str().unwrap(), "bundle", "create", new.to_str().unwrap(), "main~1..main"]);
    let take = |more: &[&str]| {
        let args =
            [&["-r", work.to_str().unwrap(), "bundle", "unbundle", new.to_str().unwrap()], more].concat();
        home.run(&args)
    };
    let output = take(&[]);
    assert_eq!(output.status.code(), Some(3), "{}", news(&output));
    assert!(news(&output).contains("checked out here"), "{}", news(&output));
    assert_eq!(take(&["--force"]).status.code(), Some(0));
}

#[test]
fn damage_is_healed_and_told_and_what_is_beyond_is_refused_and_named() {
    let maker = Maker::new(&[]);
    let file = maker.bundle("all.warp", &["--all"]);
    let whole = fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    let place = bytes.len() / 2;
    bytes[place..place + 600].fill(0x55);
    fs::write(&file, &bytes).unwrap();
    let output = maker.home.run(&["verify", file.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("shards are damaged") && said.contains("parity heals it: nothing is lost"),
        "{said}"
    );
    let dir = maker.home.path("copy");
    let init = |dir: &Path| {
        maker.home.run(&["bundle", "unbundle", file.to_str().unwrap(), "--init", dir.to_str().unwrap()])
    };
    let output = init(&dir);
    assert_eq!(output.status.code(), Some(0), "{}", news(&output));
    assert!(news(&output).contains("it was healed, and is whole in the repository"), "{}", news(&output));
    maker.check("copy", &maker.versions);

    let mut bytes = whole;
    let (start, end) = (bytes.len() / 4, bytes.len() / 4 * 3);
    bytes[start..end].fill(0x55);
    fs::write(&file, &bytes).unwrap();
    let output = maker.home.run(&["bundle", "verify", file.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("cannot be healed"), "{said}");
    let output = init(&maker.home.path("second"));
    assert_eq!(output.status.code(), Some(1));
    let said = news(&output);
    assert!(
        said.contains("more of it is damaged than its parity can heal") && said.contains("packs/"),
        "{said}"
    );
    let (code, report, _) = maker.unbundle("second", &maker.bundle("again.warp", &["--all"]), &[]);
    assert_eq!((code, &report["commits_new"]), (Some(0), &1.into()), "the repository that was begun is used");
    maker.check("second", &maker.versions);
}

#[test]
fn verifying_takes_no_password_and_looks_at_as_many_shards_as_it_is_told() {
    let maker = Maker::new(&[]);
    let file = maker.bundle("all.warp", &["--all"]);
    let run = |args: &[&str]| {
        let mut command = maker.home.command(args);
        command.env_remove("WARP_PASSWORD").env_remove("WARP_REPOSITORY");
        command.output().unwrap()
    };
    let output = run(&["--json", "bundle", "verify", file.to_str().unwrap(), "--sample", "3"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["checked_shards"]), (Some(0), &3.into()), "{report}");
    let output = run(&["--json", "verify", file.to_str().unwrap()]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ok"], &report["checked_shards"]), (&true.into(), &report["shards"]), "{report}");
    assert_eq!(report["prerequisites_missing"], Value::Null);
    let named = run(&["-r", maker.home.repo.to_str().unwrap(), "bundle", "verify", file.to_str().unwrap()]);
    assert!(news(&named).contains("its root key is that of"), "{}", news(&named));
    // The names of branches are sealed.
    assert_eq!(run(&["bundle", "list-heads", file.to_str().unwrap()]).status.code(), Some(12));
    let heads = maker.home.done(&["bundle", "list-heads", file.to_str().unwrap()]);
    assert_eq!(heads, format!("{} heads/main\n", maker.versions[0].0));
}

#[test]
fn a_file_is_not_overwritten_unless_that_is_asked_for_and_standard_output_takes_a_bundle_too() {
    let maker = Maker::new(&[]);
    let file = maker.home.path("a.warp");
    fs::write(&file, "precious").unwrap();
    let output = maker.home.run(&["bundle", "create", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(news(&output).contains("--force"), "{}", news(&output));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    maker.home.done(&["bundle", "create", "--force", file.to_str().unwrap()]);
    let spare = maker.home.path("spare");
    fs::create_dir(&spare).unwrap();
    let output = maker.home.command(&["bundle", "create", "-"]).env("TMPDIR", &spare).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", news(&output));
    assert_eq!(fs::read_dir(&spare).unwrap().count(), 0, "nothing is left over");
    let piped = maker.home.path("piped.warp");
    fs::write(&piped, output.stdout).unwrap();
    maker.home.done(&["verify", piped.to_str().unwrap()]);
    maker.init("copy", &piped);
    maker.check("copy", &maker.versions);
    let wrong = maker.home.path("wrong");
    let mut command =
        maker.home.command(&["bundle", "unbundle", "a.warp", "--init", wrong.to_str().unwrap()]);
    let output = command.env("WARP_PASSWORD", "guess").stdin(Stdio::null()).output().unwrap();
    assert_eq!((output.status.code(), wrong.exists()), (Some(12), false), "{}", news(&output));
}

#[test]
fn bundles_that_are_taken_in_by_processes_that_are_killed_need_no_hand() {
    let mut maker = Maker::new(&[]);
    maker.init("copy", &maker.bundle("all.warp", &["--all"]));
    let (mut died, mut whole) = (0, Duration::from_millis(60));
    let kills = rounds(8, 100);
    let copy = maker.home.path("copy");
    for round in 0..kills {
        maker.edit();
        fs::write(maker.source.join("noise"), maker.rng.bytes(1_500_000)).unwrap();
        maker.commit("main");
        let file = maker.bundle("new.warp", &["main~1..main"]);
        let args = ["-r", copy.to_str().unwrap(), "bundle", "unbundle", file.to_str().unwrap()];
        died += usize::from(maker.home.is_killed(&args, &mut whole, maker.rng.below(100) as u32));
        let (code, _, said) = maker.unbundle("copy", &file, &[]);
        assert_eq!(code, Some(0), "round {round}: {said}");
        if round % 4 == 3 {
            maker.done_on("copy", &["gc", "--grace", "0"]);
        }
        maker.check("copy", &maker.versions[maker.versions.len() - 1..]);
    }
    println!("{died} of {kills} were killed");
    assert!(died > 0, "every one was done before it was killed");
    maker.check("copy", &maker.versions);
}
