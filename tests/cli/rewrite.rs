//! Dropping files from history, and what is shown of it.

use crate::environment::TestEnvironment;

/// A working directory with three commits: `notes`, then `big.iso` and `private` beside it, then `notes` changed.
fn history() -> TestEnvironment {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_AUTHOR", "Ann");
    env.done(&["init"]);
    let commit = |day: &str| {
        let (message, time) = (format!("day {day}"), format!("2026-11-{day}"));
        env.done(&["commit", "-q", "-m", &message, "--time", &time]);
    };
    env.write("work/notes", "one\n");
    commit("10");
    env.write("work/big.iso", &"0123456789".repeat(300));
    env.write("work/private/key", "key");
    env.write("work/private/note", "note");
    commit("11");
    env.write("work/notes", "two\n");
    commit("12");
    env.done(&["tag", "v1", "HEAD~1"]);
    env
}

fn out(env: &TestEnvironment, args: &[&str]) -> String {
    let output = env.run(args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(env: &TestEnvironment, args: &[&str]) -> (i32, String) {
    let output = env.run(args);
    let code = output.status.code().unwrap();
    assert_ne!(code, 0, "{args:?} succeeded");
    (code, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_rewrite_shows_what_goes_and_what_moves() {
    let env = history();
    insta::assert_snapshot!(env.transcript(&["rewrite", "-n", "--exclude", "*.iso", "--path", "private"]), @"");
    assert_eq!(out(&env, &["find", "big.iso"]).lines().count(), 2, "a dry run changes nothing");
    insta::assert_snapshot!(env.transcript(&["rewrite", "--exclude", "*.iso", "--path", "private"]), @"");
    insta::assert_snapshot!(env.transcript(&["rewrite", "--exclude", "*.iso"]), @"");
    insta::assert_snapshot!(env.transcript(&["log"]), @"");
    insta::assert_snapshot!(env.transcript(&["status", "-s"]), @"");
    insta::assert_snapshot!(env.transcript(&["log", "--reflog"]), @"");
    insta::assert_snapshot!(env.transcript(&["undo"]), @"");
}

#[test]
fn the_originals_come_back_until_gc_and_branches_go_to_them_when_told() {
    let env = history();
    let old = out(&env, &["--json", "log"]);
    let old: serde_json::Value = serde_json::from_str(&old).unwrap();
    let old = old[0]["id"].as_str().unwrap().to_owned();
    env.done(&["rewrite", "-q", "--path", "private"]);
    assert_eq!(fails(&env, &["ls", &old]).0, 1);
    env.done(&["undelete", "--all"]);
    assert!(out(&env, &["ls", "-R", &old]).contains("private/key"));
    assert!(!out(&env, &["ls", "-R", "main"]).contains("private/key"));
    env.done(&["branch", "back", &old]);
    assert_eq!(out(&env, &["cat", "back:private/key"]), "key");
    env.done(&["rewrite", "-q", "--path", "private"]);
    assert_eq!(out(&env, &["find", "key"]), "", "the new branch goes, too");
    env.done(&["gc", "--grace", "0"]);
    assert_eq!(out(&env, &["undelete"]), "");
    env.done(&["check", "--read-data"]);
}

#[test]
fn commits_are_chosen_by_revision_and_range() {
    let env = history();
    let planned = |args: &[&str]| {
        let lines = out(&env, &[&["--json", "rewrite", "-n", "--exclude", "*.iso"], args].concat());
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let (paths, rest): (Vec<_>, Vec<_>) = lines.partition(|line| line["message_type"] == "rewrite_path");
        let summary = rest.last().unwrap().clone();
        assert_eq!(
            (&summary["message_type"], &summary["dry_run"]),
            (&"rewrite_summary".into(), &true.into())
        );
        (paths.len(), summary["rewritten"].as_u64().unwrap(), summary["bytes"].as_u64().unwrap())
    };
    assert_eq!(planned(&[]), (2, 2, 6000));
    assert_eq!(planned(&["--all"]), (2, 2, 6000));
    assert_eq!(planned(&["v1"]), (1, 2, 3000), "the one after it is rewritten, too");
    assert_eq!(planned(&["v1.."]), (1, 1, 3000));
    assert_eq!(planned(&["..v1"]), (1, 2, 3000));
    assert_eq!(planned(&["--host", "other"]), (0, 0, 0));
    assert_eq!(planned(&["--path-filter", "."]), (2, 2, 6000));
    for (args, code, why) in [
        (&["rewrite"][..], 2, "required"),
        (&["rewrite", "--exclude", "[z-a]"], 1, "[z-a]"),
        (&["rewrite", "--path", "."], 2, "whole tree"),
        (&["rewrite", "--path", "x", "main..main"], 2, "no commit in main..main"),
        (&["rewrite", "--path", "x", "--all", "main"], 2, "cannot be used with"),
        (&["rewrite", "--path", "/elsewhere"], 2, "outside of the working directory"),
        (&["rewrite", "--exclude-from", "nowhere"], 1, "nowhere"),
    ] {
        let (found, news) = fails(&env, args);
        assert!(found == code && news.contains(why), "{args:?}: {found}: {news}");
    }
}

#[test]
fn a_detached_head_goes_along_and_what_a_checkout_knows_of_files_stays_known() {
    let env = history();
    env.done(&["checkout", "HEAD~1"]);
    env.done(&["rewrite", "-q", "--path", "private"]);
    let log = out(&env, &["log", "--oneline"]);
    assert!(log.contains("(HEAD, tag: v1) day 11"), "{log}");
    // What was dropped is still in the working directory, as anything else that is new.
    assert_eq!(out(&env, &["status", "-s"]), "A\tprivate/\nA\tprivate/key\nA\tprivate/note\n");
}

#[test]
fn patterns_in_a_file_and_capitals_are_heeded() {
    let env = history();
    env.write("work/.warp/drop", "# what was never meant to be here\n/private/*\n!note\n");
    let plan = out(&env, &["rewrite", "-n", "--exclude-file", ".warp/drop", "--iexclude", "BIG.*"]);
    assert!(
        plan.contains("private/key") && !plan.contains("private/note") && plan.contains("big.iso"),
        "{plan}"
    );
}
