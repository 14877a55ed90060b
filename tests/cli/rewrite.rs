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

#[test]
fn a_rewrite_shows_what_goes_and_what_moves() {
    let env = history();
    insta::assert_snapshot!(env.transcript(&["rewrite", "-n", "--exclude", "*.iso", "--path", "private"]), @r"
    $ warp rewrite -n --exclude *.iso --path private
    ID  2026-11-11 00:00  day 11
      big.iso  (2.9 KiB)
      private/  (2 files, 1 directory, 7 B)
    ID  2026-11-12 00:00  day 12
      big.iso  (2.9 KiB)
      private/  (2 files, 1 directory, 7 B)
    ! branch main would move
    ! tag v1 would move
    ! 2 commits would be rewritten
    ! 6 files, 2 directories, 5.9 KiB would be dropped over all commits; their different contents have 2.9 KiB
    ! nothing was changed
    [exit 0]
    ");
    assert_eq!(env.out(&["find", "big.iso"]).lines().count(), 2, "a dry run changes nothing");
    insta::assert_snapshot!(env.transcript(&["rewrite", "--exclude", "*.iso", "--path", "private"]), @r"
    $ warp rewrite --exclude *.iso --path private
    ID -> ID  2026-11-11 00:00  day 11  (3 files, 1 directory, 2.9 KiB)
    ID -> ID  2026-11-12 00:00  day 12  (3 files, 1 directory, 2.9 KiB)
    ! branch main moved to ID
    ! tag v1 moved to ID
    ! 2 commits rewritten
    ! 6 files, 2 directories, 5.9 KiB dropped over all commits; their different contents have 2.9 KiB
    ! run `warp gc` to free the space; until then `warp undelete` brings the originals back
    ! warning: some of what was dropped is still in the working directory: delete it or list it in a .warpignore, or the next commit records it again
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["rewrite", "--exclude", "*.iso"]), @r"
    $ warp rewrite --exclude *.iso
    ! no commit holds any of it; nothing was changed
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log"]), @r"
    $ warp log
    commit ID (HEAD -> main)
    Made of: ID
    Author: Ann
    Date:   Thu Nov 12 00:00:00 2026 +0000
    Host:   host
    Path:   $HOME/work

        day 12

    commit ID (tag: v1)
    Made of: ID
    Author: Ann
    Date:   Wed Nov 11 00:00:00 2026 +0000
    Host:   host
    Path:   $HOME/work

        day 11

    commit ID
    Author: Ann
    Date:   Tue Nov 10 00:00:00 2026 +0000
    Host:   host
    Path:   $HOME/work

        day 10

    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["status", "-s"]), @r"
    $ warp status -s
    A	big.iso
    A	private/key
    A	private/note
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--reflog"]), @r"
    $ warp log --reflog
    ID main@{0} 2026-11-22 12:58 USER@host: rewrite: 2 commits
    ID main@{1} 2026-11-22 12:58 USER@host: commit: day 12 (forgotten)
    ID main@{2} 2026-11-22 12:58 USER@host: commit: day 11 (forgotten)
    ID main@{3} 2026-11-22 12:58 USER@host: commit: day 10
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["undo"]), @r#"
    $ warp undo
    ! error: the last thing that moved branch main was no commit but "rewrite: 2 commits"; `warp branch --force` moves it anywhere
    [exit 1]
    "#);
}

#[test]
fn the_originals_come_back_until_gc_and_branches_go_to_them_when_told() {
    let env = history();
    let old = env.out(&["--json", "log"]);
    let old: serde_json::Value = serde_json::from_str(&old).unwrap();
    let old = old[0]["id"].as_str().unwrap().to_owned();
    env.done(&["rewrite", "-q", "--path", "private"]);
    assert_eq!(env.fails(&["ls", &old]).0, 1);
    env.done(&["undelete", "--all"]);
    assert!(env.out(&["ls", "-R", &old]).contains("private/key"));
    assert!(!env.out(&["ls", "-R", "main"]).contains("private/key"));
    env.done(&["branch", "back", &old]);
    assert_eq!(env.out(&["cat", "back:private/key"]), "key");
    env.done(&["rewrite", "-q", "--path", "private"]);
    assert_eq!(env.out(&["find", "key"]), "", "the new branch goes, too");
    env.done(&["gc", "--grace", "0"]);
    assert_eq!(env.out(&["undelete"]), "");
    env.done(&["check", "--read-data"]);
}

#[test]
fn commits_are_chosen_by_revision_and_range() {
    let env = history();
    let planned = |args: &[&str]| {
        let lines = env.out(&[&["--json", "rewrite", "-n", "--exclude", "*.iso"], args].concat());
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
        let (found, news) = env.fails(args);
        assert!(found == code && news.contains(why), "{args:?}: {found}: {news}");
    }
}

#[test]
fn a_detached_head_goes_along_and_what_a_checkout_knows_of_files_stays_known() {
    let env = history();
    env.done(&["checkout", "HEAD~1"]);
    env.done(&["rewrite", "-q", "--path", "private"]);
    let log = env.out(&["log", "--oneline"]);
    assert!(log.contains("(HEAD, tag: v1) day 11"), "{log}");
    // What was dropped is still in the working directory, as anything else that is new.
    assert_eq!(env.out(&["status", "-s"]), "A\tprivate/key\nA\tprivate/note\n");
}

#[test]
fn patterns_in_a_file_and_capitals_are_heeded() {
    let env = history();
    env.write("work/.warp/drop", "# what was never meant to be here\n/private/*\n!note\n");
    let plan = env.out(&["rewrite", "-n", "--exclude-file", ".warp/drop", "--iexclude", "BIG.*"]);
    assert!(
        plan.contains("private/key") && !plan.contains("private/note") && plan.contains("big.iso"),
        "{plan}"
    );
}
