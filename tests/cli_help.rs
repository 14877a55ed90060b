//! What the command line says about itself: help, man pages, completions.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

const WARP: &str = env!("CARGO_BIN_EXE_warp");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn warp(args: &[&str]) -> String {
    let output = Command::new(WARP).args(args).env_clear().stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "warp {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Names in the section `Commands:` of a help text.
fn commands(help: &str) -> Vec<String> {
    let section = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or("");
    let names = section.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command with its help text, such as `key add`.
fn all_help(path: &[&str], found: &mut BTreeMap<String, String>) {
    let help = warp(&[path, &["--help"]].concat());
    for name in commands(&help) {
        all_help(&[path, &[&name]].concat(), found);
    }
    found.insert(path.join(" "), help);
}

/// Cuts the section on global options out of a help text.
fn split_globals(help: &str) -> (String, String) {
    let (before, rest) =
        help.split_once("Global options:\n").expect("every command takes the global options");
    match rest.find("\nExamples:\n") {
        Some(end) => {
            (format!("{before}(global options)\n{}", &rest[end..]), rest[..end].trim_end().to_owned())
        }
        None => (format!("{before}(global options)\n"), rest.trim_end().to_owned()),
    }
}

#[test]
fn every_help_text_is_as_reviewed() {
    let mut found = BTreeMap::new();
    all_help(&[], &mut found);
    let whole = found.remove("").unwrap();
    let (_, globals) = split_globals(&whole);
    insta::assert_snapshot!("warp", whole);
    for (name, help) in found {
        let (help, own_globals) = split_globals(&help);
        assert_eq!(own_globals, globals, "{name}: the global options are the same everywhere");
        insta::assert_snapshot!(format!("warp {name}").replace(' ', "-"), help);
    }
}

#[test]
fn every_command_shows_examples() {
    for name in commands(&warp(&["--help"])) {
        assert!(warp(&[&name, "--help"]).contains("\nExamples:\n"), "{name}");
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let named =
        entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
    named.collect()
}

/// Compares a folder of the project with what `warp util` generates; `UPDATE_GENERATED=1` writes it instead.
fn assert_generated(what: &str) {
    let kept = Path::new(ROOT).join(what);
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        files(&kept).keys().for_each(|name| std::fs::remove_file(kept.join(name)).unwrap());
        warp(&["util", what, kept.to_str().unwrap()]);
    }
    let fresh = tempfile::tempdir().unwrap();
    warp(&["util", what, fresh.path().to_str().unwrap()]);
    let (kept, fresh) = (files(&kept), files(fresh.path()));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&fresh), "run with UPDATE_GENERATED=1");
    for (name, bytes) in &fresh {
        assert!(kept[name] == *bytes, "{what}/{name} is out of date: run with UPDATE_GENERATED=1");
    }
}

#[test]
fn the_man_pages_are_up_to_date() {
    assert_generated("man");
}

#[test]
fn the_completions_are_up_to_date() {
    assert_generated("completions");
}
