//! Restores and checkouts that are killed, or whose system refuses, at each call that changes the files that they bring back: what
//! is there after the next one is right, nothing outside is touched, and a failure names a file.
//!
//! The program runs under `strace`, which lets calls of the system fail.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use rayon::prelude::*;
use warp::testing::{Rng, TreeSnapshot, differences, snapshot};

use crate::common::program::{Home, news, rounds};

/// Calls that make, change, name and remove files.
const CALLS: [&str; 16] = [
    "openat",
    "openat2",
    "mkdirat",
    "pwrite64",
    "ftruncate",
    "renameat",
    "renameat2",
    "linkat",
    "symlinkat",
    "mknodat",
    "unlinkat",
    "fchmod",
    "fchown",
    "fchownat",
    "utimensat",
    "rename",
];
/// What is injected.
const FAULTS: [&str; 7] = [
    "signal=KILL",
    "error=EIO",
    "error=ENOSPC",
    "error=EROFS",
    "error=EMFILE",
    "error=EINTR",
    "error=EACCES",
];

/// Whether `strace` is there and may trace.
fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).output();
    let can = traced.is_ok_and(|output| output.status.success());
    if !can {
        println!("SKIPPED: strace is not there, or must not trace");
    }
    can
}

/// warp under strace, with these arguments of strace.
fn traced(home: &Home, options: &[&str], args: &[&str]) -> Output {
    let template = home.command(args);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(options).arg(env!("CARGO_BIN_EXE_warp")).args(args);
    command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.current_dir(template.get_current_dir().unwrap()).stdin(std::process::Stdio::null());
    command.output().unwrap()
}

/// How often each call is made by the thread that makes it most often: calls are counted thread by thread.
fn count(home: &Home, args: &[&str]) -> BTreeMap<String, usize> {
    let log = home.path("calls");
    let trace = format!("trace={}", CALLS.join(","));
    let output = traced(home, &["-o", log.to_str().unwrap(), "-e", &trace], args);
    assert!(output.status.success(), "{}", news(&output));
    let mut counts = BTreeMap::<(String, String), usize>::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else { continue };
        let Some((call, _)) = call.split_once('(') else { continue };
        *counts.entry((thread.to_owned(), call.to_owned())).or_default() += 1;
    }
    let mut most = BTreeMap::new();
    for ((_, call), times) in counts {
        let sofar = most.entry(call).or_insert(0);
        *sofar = times.max(*sofar);
    }
    most
}

/// Some of everything that a restore makes.
fn make(folder: &Path, version: u8) {
    fs::create_dir_all(folder.join("sub/inner")).unwrap();
    fs::write(folder.join("file"), vec![version; 3000]).unwrap();
    fs::write(folder.join("sub/other"), vec![version + 1; 70_000]).unwrap();
    fs::write(folder.join("sub/inner/same"), "the same").unwrap();
    if version == 1 {
        fs::hard_link(folder.join("file"), folder.join("sub/twin")).unwrap();
        std::os::unix::fs::symlink("../file", folder.join("sub/link")).unwrap();
    } else {
        fs::remove_file(folder.join("sub/link")).unwrap();
        fs::write(folder.join("sub/link"), "a file now").unwrap();
    }
}

#[derive(Debug, Clone)]
struct Case {
    call: String,
    at: usize,
    fault: &'static str,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    cases: usize,
    failed: usize,
    killed: usize,
    done: usize,
    /// Done, and it says which metadata the system did not take.
    degraded: usize,
}

fn cases(counts: &BTreeMap<String, usize>, few: usize) -> Vec<Case> {
    let mut rng = Rng::new(12);
    let of = |fault: &'static str| {
        counts
            .iter()
            .flat_map(move |(call, times)| (1..=*times).map(move |at| Case { call: call.clone(), at, fault }))
    };
    let mut cases: Vec<Case> = FAULTS.into_iter().flat_map(of).collect();
    let many = rounds(few, cases.len()).min(cases.len());
    (0..many).for_each(|chosen| {
        let other = chosen + rng.below(cases.len() - chosen);
        cases.swap(chosen, other);
    });
    cases.truncate(many);
    cases
}

/// Runs a command with a fault; it was done, killed, or failed and said where.
fn strike(home: &Home, case: &Case, args: &[&str]) -> Tally {
    let inject = format!("inject={}:{}:when={}", case.call, case.fault, case.at);
    let (log, trace) = (home.path("log"), format!("trace={}", case.call));
    let output = traced(home, &["-o", log.to_str().unwrap(), "-e", &trace, "-e", &inject], args);
    let said = news(&output);
    assert!(!said.contains("panicked"), "{case:?}: {said}");
    let mut tally = Tally { cases: 1, ..Tally::default() };
    match output.status.code() {
        Some(0) => (tally.done, tally.degraded) = (1, said.contains("warning: ").into()),
        None | Some(137) => tally.killed = 1,
        Some(_) => {
            tally.failed = 1;
            let named = ["/", "HEAD", "tmp:", "file", "sub", "source"];
            assert!(named.iter().any(|name| said.contains(name)), "{case:?} names nothing: {said}");
        }
    }
    tally
}

/// With `degraded`, metadata may be missing that the system refused.
fn same(expected: &TreeSnapshot, found: &Path, degraded: bool, what: &str) {
    // What a killed process was writing lies beside what it was to replace.
    let mut found = snapshot(found).unwrap();
    let is_left_over =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".warp-tmp-"));
    found.retain(|path, _| !is_left_over(path) && !path.starts_with(".warp"));
    let mut differences = differences(expected, &found);
    // A directory in which such a file was removed or lies has another time.
    differences.retain(|line| !line.contains(": mtime:"));
    let is_metadata = |line: &String| [": mode:", ": owner:"].iter().any(|word| line.contains(word));
    differences.retain(|line| !(degraded && is_metadata(line)));
    assert!(differences.is_empty(), "{what}: {differences:?}");
}

fn sum(a: Tally, b: Tally) -> Tally {
    Tally {
        cases: a.cases + b.cases,
        failed: a.failed + b.failed,
        killed: a.killed + b.killed,
        done: a.done + b.done,
        degraded: a.degraded + b.degraded,
    }
}

#[test]
fn a_restore_that_fails_or_is_killed_at_any_call_is_finished_by_the_next_where_this_machine_can_trace() {
    if !can_trace() {
        return;
    }
    let begun = Instant::now();
    let home = Home::new();
    let source = home.path("source");
    fs::create_dir(&source).unwrap();
    make(&source, 1);
    let expected = snapshot(&source).unwrap();
    home.done(&["commit", "-q", source.to_str().unwrap()]);
    let run = |number: usize, case: Option<&Case>| {
        let place = home.path(&format!("case-{number}"));
        let (outside, target) = (place.join("outside"), place.join("target"));
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("file"), "not to be touched").unwrap();
        let before = snapshot(&outside).unwrap();
        let args = ["restore", "-s", "latest", "-t", target.to_str().unwrap(), "--verify"];
        let Some(case) = case else { return (Tally::default(), count(&home, &args)) };
        // Each case has a client of its own, or they would be in each other's way.
        let own = Home { dir: tempfile::tempdir().unwrap(), repo: home.repo.clone() };
        let tally = strike(&own, case, &args);
        let root = target.join(source.strip_prefix("/").unwrap());
        if tally.done == 1 {
            same(&expected, &root, tally.degraded == 1, &format!("{case:?} and success"));
        }
        own.done(&args);
        same(&expected, &root, false, &format!("{case:?} and once more"));
        assert_eq!(differences(&before, &snapshot(&outside).unwrap()), Vec::<String>::new(), "{case:?}");
        let inside: Vec<_> = fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(inside.len(), 2, "{case:?}: {inside:?}");
        fs::remove_dir_all(&place).unwrap();
        (tally, BTreeMap::new())
    };
    let counts = run(0, None).1;
    let cases = cases(&counts, 40);
    let of = |(number, case): (usize, &Case)| run(number + 1, Some(case)).0;
    let tally = cases.par_iter().enumerate().map(of).reduce(Tally::default, sum);
    println!("restore: {tally:?}; {} s", begun.elapsed().as_secs());
    assert!(tally.failed > 0 && tally.killed > 0);
}

#[test]
fn a_checkout_that_fails_or_is_killed_at_any_call_is_finished_by_the_next_where_this_machine_can_trace() {
    if !can_trace() {
        return;
    }
    let begun = Instant::now();
    let template = Home::bare();
    let work = template.path("work");
    fs::create_dir(&work).unwrap();
    let mut home = template;
    home.repo = work.join(".warp");
    home.done(&["init", work.to_str().unwrap()]);
    let inside = |home: &Home, args: &[&str]| {
        let output = home.command(args).current_dir(home.path("work")).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", news(&output));
    };
    make(&work, 1);
    let expected = without_repository(&work);
    inside(&home, &["commit", "-q"]);
    make(&work, 7);
    inside(&home, &["commit", "-q"]);
    let run = |case: Option<&Case>| {
        let dir = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(&work).arg(dir.path().join("work")).status().unwrap();
        assert!(copied.success());
        let own = Home { repo: dir.path().join("work/.warp"), dir };
        let work = own.path("work");
        let args = ["checkout", "main~1", "--force"];
        let Some(case) = case else { return (Tally::default(), count(&own, &args)) };
        let tally = strike(&own, case, &args);
        if tally.done == 1 {
            same(&expected, &work, tally.degraded == 1, &format!("{case:?} and success"));
        }
        own.done(&args);
        same(&expected, &work, false, &format!("{case:?} and once more"));
        (tally, BTreeMap::new())
    };
    let counts = run(None).1;
    let cases = cases(&counts, 40);
    let tally = cases.par_iter().map(|case| run(Some(case)).0).reduce(Tally::default, sum);
    println!("checkout: {tally:?}; {} s", begun.elapsed().as_secs());
    assert!(tally.failed > 0 && tally.killed > 0);
}

fn without_repository(work: &Path) -> TreeSnapshot {
    let mut tree = snapshot(work).unwrap();
    tree.retain(|path, _| !path.starts_with(".warp"));
    tree
}
