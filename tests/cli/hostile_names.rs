//! Names of others never reach the terminal as they are: not in listings, not in errors.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::Output;

use crate::environment::TestEnvironment;

/// Names that forge a line, steer the terminal, turn the text around, or are no text.
const NAMES: [&[u8]; 6] = [
    b"name\nFORGED: line",
    b"esc\x1b[2J\x1b]0;title\x07",
    b"back\rFORGED",
    "bidi\u{202e}gpj\u{2066}.exe".as_bytes(),
    "c1\u{9b}31m\u{85}FORGED".as_bytes(),
    b"no text\xff\xfe\x1b[2J\n",
];

fn is_hidden(c: char) -> bool {
    let is_format = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || is_format
}

/// Fails unless both streams are text that steers nothing, in which no name begins a line of its own.
#[track_caller]
fn assert_harmless(output: &Output, what: &str) {
    for stream in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(stream).unwrap_or_else(|_| panic!("{what}: {stream:?}"));
        assert!(!text.contains(is_hidden), "{what}: {text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("FORGED")), "{what}: {text:?}");
    }
}

/// Runs with the last argument put together of `before`, a name and `after`.
fn run(env: &TestEnvironment, args: &[&str], (before, name, after): (&str, &[u8], &str)) -> Output {
    let last = OsString::from_vec([before.as_bytes(), name, after.as_bytes()].concat());
    env.command(args).arg(last).output().unwrap()
}

fn environment() -> TestEnvironment {
    TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_AUTHOR", "Ann")
}

#[test]
fn arguments_that_an_error_repeats_are_harmless() {
    let env = environment();
    env.write("work/dir/a", "a");
    env.done(&["init"]);
    env.done(&["commit", "-m", "first"]);
    let cases: [(&[&str], &str, &str); 23] = [
        (&["cat"], "HEAD:", ""),
        (&["cat"], "HEAD:dir/a/", ""),
        (&["cat"], "", ""),
        (&["cat"], "", ":a"),
        (&["ls"], "HEAD:", ""),
        (&["ls"], "", ""),
        (&["log"], "", ""),
        (&["show"], "", ""),
        (&["diff"], "", ""),
        (&["diff", "HEAD", "HEAD", "--"], "../../", ""),
        (&["checkout"], "", ""),
        (&["checkout", "-b"], "", ".lock"),
        (&["switch"], "", ""),
        (&["branch"], "", "~"),
        (&["tag"], "", "^"),
        (&["restore", "--target", "/proc/none", "--source"], "", ""),
        (&["restore", "--source", "HEAD", "--target"], "/proc/", ""),
        (&["commit", "--password-file"], "/none/", ""),
        (&["config", "get"], "", ""),
        (&["log", "--since"], "", ""),
        (&["status", "--exclude-from"], "/none/", ""),
        (&["stats"], "--", ""),
        (&["-r"], "/none/", ""),
    ];
    for name in NAMES {
        for (args, before, after) in cases {
            let output = run(&env, args, (before, name, after));
            assert_ne!(output.status.code(), Some(0), "warp {args:?} {before}{name:?}{after} fails");
            assert_harmless(&output, &format!("warp {args:?} {before}{name:?}{after}"));
        }
        let mut elsewhere = env.command(&["log", "-r"]);
        elsewhere.arg(OsStr::from_bytes(&[b"/none/", name].concat()));
        assert_harmless(&elsewhere.output().unwrap(), "a repository that is not there");
    }
}

#[test]
fn names_of_files_are_harmless_wherever_they_are_listed_or_fail() {
    let env = environment();
    let at = |name: &[u8]| env.work().join(OsStr::from_bytes(name));
    env.done(&["init"]);
    env.write("work/.warpignore", "nothing\n");
    for name in NAMES {
        fs::write(at(name), "one\n").unwrap();
    }
    let listed = |args: &[&str]| {
        let output = env.run(args);
        assert_harmless(&output, &format!("warp {args:?}"));
        output
    };
    listed(&["commit", "-v", "-m", "title\r\x1b[2J\u{202e}"]);
    for name in NAMES {
        fs::write(at(name), "two\n").unwrap();
    }
    for args in [&["status"][..], &["diff"], &["diff", "--stat"], &["diff", "--name-status"]] {
        assert!(!listed(args).stdout.is_empty());
    }
    listed(&["commit", "-vv", "-m", "second"]);
    for args in [&["ls", "-l"][..], &["ls", "-R", "HEAD"], &["find", "*"], &["show", "--stat"], &["log"]] {
        assert!(!listed(args).stdout.is_empty(), "{args:?}");
    }
    for name in NAMES {
        fs::write(at(name), "three, uncommitted\n").unwrap();
    }
    let refused = listed(&["checkout", "HEAD~1"]);
    let news = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{news}");
    assert!(news.contains(r#"  "name\nFORGED: line""#) && news.contains(r#"\xff\xfe\x1b[2J\n""#), "{news}");
    listed(&["checkout", "--force", "--dry-run", "HEAD~1"]);
    assert_eq!(listed(&["checkout", "--force", "-v", "HEAD~1"]).status.code(), Some(0));
    let target = format!("{}/out", env.home().display());
    assert_eq!(listed(&["restore", "-v", "--source", "HEAD", "--target", &target]).status.code(), Some(0));
    for name in NAMES {
        fs::create_dir(at(&[b"dir", name].concat())).unwrap();
    }
    listed(&["commit", "-m", "third"]);
    for name in NAMES {
        for args in [&["cat"][..], &["ls"], &["restore", "--target", &target, "--source"]] {
            let output = run(&env, args, ("HEAD:dir", name, ""));
            assert_harmless(&output, &format!("warp {args:?} HEAD:dir{name:?}"));
        }
    }
}
