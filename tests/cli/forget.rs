//! Forgetting, and what every other command then says of the commits that are gone.

use crate::environment::TestEnvironment;

/// A working directory with a commit a day from 10 November 2026 on.
fn days(count: u32) -> TestEnvironment {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_AUTHOR", "Ann");
    env.done(&["init"]);
    for number in 0..count {
        env.write("work/notes.txt", &format!("{number}\n"));
        let (day, message) = (format!("2026-11-{}", 10 + number), format!("day {number}"));
        env.done(&["commit", "-q", "-m", &message, "--time", &day]);
    }
    env
}

fn titles(env: &TestEnvironment, args: &[&str]) -> Vec<String> {
    let args = [&["log", "--oneline"], args].concat();
    env.out(&args).lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[test]
fn forgetting_shows_what_is_kept_and_why() {
    let env = days(5);
    env.done(&["tag", "v1", "HEAD~4"]);
    insta::assert_snapshot!(env.transcript(&["forget", "--keep-daily", "2", "--keep-within", "36h", "-n"]), @r"
    $ warp forget --keep-daily 2 --keep-within 36h -n
    host host, $HOME/work:
    keep 3 commits:
      ID  2026-11-14 00:00  day 4  (daily; within 36h; branch main)
      ID  2026-11-13 00:00  day 3  (daily; within 36h)
      ID  2026-11-10 00:00  day 0  (tag v1)
    forget 2 commits:
      ID  2026-11-12 00:00  day 2
      ID  2026-11-11 00:00  day 1

    ! Keeping 2 daily and all within 36h
    ! 2 commits would be forgotten, 3 kept; nothing was changed
    [exit 0]
    ");
    assert_eq!(titles(&env, &[]).len(), 5, "a dry run changes nothing");
    insta::assert_snapshot!(env.transcript(&["forget", "--keep-last", "2", "--compact"]), @r"
    $ warp forget --keep-last 2 --compact
    host host, $HOME/work:
    keep 3 commits:
      ID  last; branch main
      ID  last
      ID  tag v1
    forget 2 commits:
      ID
      ID

    ! Keeping the last 2
    ! 2 commits forgotten, 3 kept; run `warp gc` to free the space
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["forget", "--keep-last", "2", "-q"]), @r"
    $ warp forget --keep-last 2 -q
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["forget", "--keep-last", "9"]), @r"
    $ warp forget --keep-last 9
    host host, $HOME/work:
    keep 3 commits:
      ID  2026-11-14 00:00  day 4  (last; branch main)
      ID  2026-11-13 00:00  day 3  (last)
      ID  2026-11-10 00:00  day 0  (last; tag v1)

    ! Keeping the last 9
    ! nothing to forget, 3 kept
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--graph"]), @r"
    $ warp log --graph
    * commit ID (HEAD -> main)
    | Author: Ann
    | Date:   Sat Nov 14 00:00:00 2026 +0000
    | Host:   host
    | Path:   $HOME/work
    |
    |     day 4
    |
    * commit ID
    | Parent: ID (forgotten)
    | Author: Ann
    | Date:   Fri Nov 13 00:00:00 2026 +0000
    | Host:   host
    | Path:   $HOME/work
    |
    |     day 3
    |
    * commit ID (tag: v1)
      Author: Ann
      Date:   Tue Nov 10 00:00:00 2026 +0000
      Host:   host
      Path:   $HOME/work

          day 0

    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--oneline", "--graph"]), @r"
    $ warp log --oneline --graph
    * ID (HEAD -> main) day 4
    * ID day 3 (parent forgotten)
    * ID (tag: v1) day 0
    [exit 0]
    ");
}

#[test]
fn forgetting_without_a_rule_is_refused_and_says_what_to_do() {
    let env = days(2);
    insta::assert_snapshot!(env.transcript(&["forget"]), @r"
    $ warp forget
    ! error: without a rule that says what to keep, everything would be forgotten
    ! hint: say what to keep, as in `warp forget --keep-daily 7 --keep-monthly 12`, or which commits to forget; -n only shows it
    [exit 1]
    ");
    let (code, news) = env.fails(&["forget", "--keep-last", "1", "HEAD~1"]);
    assert!(code == 2 && news.contains("cannot be used with"), "{news}");
    for wrong in [["--keep-within", "soon"], ["--keep-daily", "-1"], ["--group-by", "user"]] {
        assert_eq!(env.fails(&["forget", wrong[0], wrong[1]]).0, 2, "{wrong:?}");
    }
    let (code, news) = env.fails(&["forget", "--unsafe-allow-remove-all"]);
    assert!(code == 2 && news.contains("say of which host"), "{news}");
    assert_eq!(titles(&env, &[]).len(), 2);
}

#[test]
fn named_commits_go_unless_something_needs_them() {
    let env = days(4);
    env.done(&["tag", "v1", "HEAD~3"]);
    let (code, news) = env.fails(&["forget", "v1"]);
    assert!(code == 1 && news.contains("has the tag v1"), "{news}");
    let (code, news) = env.fails(&["forget", "HEAD~1", "HEAD"]);
    assert!(code == 1 && news.contains("branch main stands on"), "{news}");
    env.done(&["forget", "HEAD~1"]);
    assert_eq!(titles(&env, &[]), ["(HEAD -> main) day 3 (parent forgotten)", "day 1", "(tag: v1) day 0"]);
    insta::assert_snapshot!(env.transcript(&["forget", "--force", "HEAD"]), @r"
    $ warp forget --force HEAD
    forget 1 commit:
      ID  2026-11-13 00:00  day 3

    ! branch main moved back to ID
    ! 1 commit forgotten; run `warp gc` to free the space
    [exit 0]
    ");
    assert_eq!(titles(&env, &[]), ["(HEAD -> main) day 1", "(tag: v1) day 0"]);
    // Files are left alone: they differ from what the branch stands on now, and the next commit records them.
    assert_eq!(env.read("work/notes.txt"), "3\n");
    assert_eq!(env.out(&["status", "-s"]), "M\tnotes.txt\n");
    env.done(&["commit", "-m", "again"]);
    assert_eq!(titles(&env, &[]), ["(HEAD -> main) again", "day 1", "(tag: v1) day 0"]);
    env.done(&["tag", "-d", "v1"]);
    env.done(&["forget", "--force", "HEAD", "HEAD~1", "HEAD~2"]);
    insta::assert_snapshot!(env.transcript(&["log"]), @r"
    $ warp log
    ! No commits yet
    [exit 0]
    ");
    env.done(&["commit", "-m", "afresh"]);
    assert_eq!(titles(&env, &[]), ["(HEAD -> main) afresh"]);
}

#[test]
fn every_command_takes_a_forgotten_parent_for_what_it_is() {
    let env = days(4);
    env.done(&["forget", "HEAD~1", "HEAD~2"]);
    insta::assert_snapshot!(env.transcript(&["log", "--oneline"]), @r"
    $ warp log --oneline
    ID (HEAD -> main) day 3 (parent forgotten)
    ID day 0
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--reflog"]), @r"
    $ warp log --reflog
    ID main@{0} 2026-11-22 12:58 USER@host: commit: day 3
    ID main@{1} 2026-11-22 12:58 USER@host: commit: day 2 (forgotten)
    ID main@{2} 2026-11-22 12:58 USER@host: commit: day 1 (forgotten)
    ID main@{3} 2026-11-22 12:58 USER@host: commit: day 0
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--oneline", "--", "notes.txt"]), @r"
    $ warp log --oneline -- notes.txt
    ID (HEAD -> main) day 3 (parent forgotten)
    ID day 0
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["show", "--name-status"]), @r"
    $ warp show --name-status
    commit ID (HEAD -> main)
    Parent: ID (forgotten)
    Author: Ann
    Date:   Fri Nov 13 00:00:00 2026 +0000
    Host:   host
    Path:   $HOME/work

        day 3

    2 B in 1 file and 1 directory; 2 B new, 2 B stored

    M	notes.txt
    ! Its parent was forgotten: compared with ID, which is left before it
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["diff", "HEAD~1", "HEAD"]), @r#"
    $ warp diff HEAD~1 HEAD
    ! error: there is no revision "HEAD~1": commit ID was forgotten; the nearest one before it that is left is ID
    [exit 1]
    "#);
    insta::assert_snapshot!(env.transcript(&["undo"]), @r"
    $ warp undo
    ! error: the commit that branch main stood on before was forgotten
    [exit 1]
    ");
    insta::assert_snapshot!(env.transcript(&["cat", "main@{1}:notes.txt"]), @r#"
    $ warp cat main@{1}:notes.txt
    ! error: there is no revision "main@{1}": commit ID was forgotten; the nearest one before it that is left is ID
    [exit 1]
    "#);
    for args in [
        &["show", "HEAD^"][..],
        &["ls", "HEAD~2"],
        &["find", "--in", "HEAD~1", "*"],
        &["stats", "HEAD~1"],
        &["restore", "--source", "HEAD~1", "--target", "out"],
        &["checkout", "HEAD~1"],
        &["branch", "old", "HEAD~1"],
        &["tag", "old", "HEAD~1"],
        &["commit", "--parent", "HEAD~1"],
        &["archive", "HEAD~1"],
    ] {
        let (code, news) = env.fails(args);
        assert!(code == 1 && news.contains("was forgotten; the nearest"), "{args:?}: {news}");
    }
    assert!(env.out(&["status"]).contains("nothing to commit"));
    assert_eq!(env.out(&["find", "notes.txt"]).lines().count(), 2);
    env.done(&["stats"]);
    env.done(&["branch", "copy"]);
    env.done(&["branch", "-d", "copy"]);
    env.write("work/notes.txt", "more\n");
    env.done(&["commit", "-m", "more"]);
    env.done(&["commit", "--amend", "-m", "better"]);
    assert_eq!(titles(&env, &[]), ["(HEAD -> main) better", "day 3 (parent forgotten)", "day 0"]);
    env.done(&["undo"]);
    assert_eq!(titles(&env, &[]), ["(HEAD -> main) more", "day 3 (parent forgotten)", "day 0"]);
    let json = env.out(&["--json", "log"]);
    let log: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(log[1]["forgotten_parents"], log[1]["parents"]);
    assert!(log[0].get("forgotten_parents").is_none());
}

#[test]
fn a_detached_head_keeps_its_commit_and_says_so_if_another_took_it() {
    let env = days(3);
    env.done(&["checkout", "HEAD~1"]);
    let (code, news) = env.fails(&["forget", "--force", "HEAD"]);
    assert!(code == 1 && news.contains("HEAD stands on"), "{news}");
    env.done(&["forget", "--keep-last", "1"]);
    assert_eq!(titles(&env, &["main"]).len(), 2);

    // Somebody who sees the repository without this working directory.
    std::fs::rename(env.work().join(".warp/HEAD"), env.home().join("HEAD")).unwrap();
    env.write("work/.warp/HEAD", "ref: heads/main\n");
    env.done(&["forget", "--keep-last", "1"]);
    std::fs::rename(env.home().join("HEAD"), env.work().join(".warp/HEAD")).unwrap();
    for args in [&["status"][..], &["log"], &["commit", "-m", "x"], &["show"]] {
        let (code, news) = env.fails(args);
        assert!(
            code == 1 && (news.contains("was forgotten") || news.contains("no live commit")),
            "{args:?}: {news}"
        );
    }
    // What lies in the working directory is in no commit any more: it is not overwritten unasked.
    assert_eq!(env.fails(&["switch", "main"]).0, 1);
    assert_eq!(env.read("work/notes.txt"), "1\n");
    env.done(&["switch", "--force", "main"]);
    assert_eq!(env.read("work/notes.txt"), "2\n");
    assert!(env.out(&["status"]).contains("nothing to commit"));
}

#[test]
fn forgetting_speaks_json_as_restic_does() {
    let env = days(3);
    let lines = env.out(&["--json", "forget", "--keep-last", "1", "--keep-id", "HEAD~2"]);
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [group, summary] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&group["host"], &group["tags"]), (&"host".into(), &serde_json::Value::Null));
    let messages = |list: &str| -> Vec<String> {
        let commits = group[list].as_array().unwrap().iter();
        commits.map(|commit| commit["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (messages("keep"), messages("remove")),
        (vec!["day 2".into(), "day 0".into()], vec!["day 1".to_owned()])
    );
    assert_eq!(group["reasons"][0]["snapshot"], group["keep"][0]["id"]);
    assert_eq!(group["reasons"][0]["matches"], serde_json::json!(["last", "branch main"]));
    assert_eq!(group["reasons"][1]["matches"], serde_json::json!(["id"]));
    assert_eq!(
        (&summary["forgotten"], &summary["kept"], &summary["dry_run"]),
        (&1.into(), &2.into(), &false.into())
    );
}

#[test]
fn several_hosts_and_sources_are_judged_on_their_own() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.done(&["init", "--bare", "../repo"]);
    let env = env.with("WARP_REPOSITORY", "../repo");
    for (number, host) in ["a", "b", "a", "b"].into_iter().enumerate() {
        env.write("work/x", &number.to_string());
        let time = format!("@{}", 1_790_000_000 + number * 86_400);
        env.done(&["commit", "-q", "--host", host, "--time", &time, "-m", &format!("{host}{number}"), "."]);
    }
    let compact = env.out(&["forget", "--keep-last", "1", "-n", "-c"]);
    assert_eq!(compact.matches("host ").count(), 2, "{compact}");
    assert_eq!(compact.matches("forget 1 commit:").count(), 2, "{compact}");
    env.done(&["forget", "--host", "a", "--keep-last", "1"]);
    assert_eq!(titles(&env, &[]).len(), 3);
    let (code, news) = env.fails(&["forget", "--host", "b", "--keep-tag", "x", "--force"]);
    assert!(code == 1 && news.contains("--unsafe-allow-remove-all"), "{news}");
    env.done(&["forget", "--host", "b", "--force", "--unsafe-allow-remove-all"]);
    assert_eq!(env.out(&["branch"]).lines().count(), 1);
    assert_eq!(titles(&env, &[]).len(), 1);
}
