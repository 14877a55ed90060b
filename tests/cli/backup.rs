//! Repositories from their making to their files' coming back.

use std::os::unix::ffi::OsStrExt;

use crate::environment::TestEnvironment;

/// A working directory with a repository and two commits.
fn two_commits() -> TestEnvironment {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_AUTHOR", "Ann");
    env.write("work/notes.txt", "one\n");
    env.write("work/src/a.rs", "fn a() {}\n");
    env.done(&["init"]);
    env.done(&["commit", "-m", "first"]);
    env.write("work/notes.txt", "one\ntwo\n");
    env.write("work/new", "new\n");
    env.done(&["commit", "-m", "second\n\nwith a body", "--tag", "nightly"]);
    env
}

#[test]
fn a_first_commit_tells_what_it_recorded() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.write("work/a", "a");
    insta::assert_snapshot!(env.transcript(&["init"]), @r"
    $ warp init
    ! Initialized empty encrypted warp repository in $HOME/work/.warp
    ! Without its password nobody can read it. `warp key export` prints a recovery sheet.
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["status"]), @r"
    $ warp status
    On branch main
    No commits yet; `warp commit` makes the first one

    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log"]), @r"
    $ warp log
    ! No commits yet
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["commit", "-m", "first"]), @r"
    $ warp commit -m first
    [main (root commit) ID] first
    !  1 file new, 0 changed, 0 unchanged
    !  1 B of 1 B new, 1 B stored, in TIME
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["commit", "-m", "again"]), @r"
    $ warp commit -m again
    nothing to commit, tree unchanged
    !  0 files new, 0 changed, 1 unchanged
    !  0 B of 1 B new, 0 B stored, in TIME
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["-q", "commit", "--allow-empty"]), @r"
    $ warp -q commit --allow-empty
    [exit 0]
    ");
}

#[test]
fn history_reads_like_git() {
    let env = two_commits();
    env.done(&["tag", "v1", "HEAD~1"]);
    insta::assert_snapshot!(env.transcript(&["log"]), @r"
    $ warp log
    commit ID (HEAD -> main)
    Author: Ann
    Date:   Sun Nov 22 12:58:58 2026 +0000
    Host:   host
    Path:   $HOME/work
    Tags:   nightly

        second

        with a body

    commit ID (tag: v1)
    Author: Ann
    Date:   Sun Nov 22 12:58:58 2026 +0000
    Host:   host
    Path:   $HOME/work

        first

    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--oneline", "--graph"]), @r"
    $ warp log --oneline --graph
    * ID (HEAD -> main) second
    * ID (tag: v1) first
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--oneline", "--", "src"]), @r"
    $ warp log --oneline -- src
    ID (tag: v1) first
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--oneline", "-n", "1"]), @r"
    $ warp log --oneline -n 1
    ID (HEAD -> main) second
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["undo"]), @r"
    $ warp undo
    Undid ID; main is at ID
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["log", "--reflog"]), @r"
    $ warp log --reflog
    ID main@{0} 2026-11-22 12:58 USER@host: undo: commit: second
    ID main@{1} 2026-11-22 12:58 USER@host: commit: second
    ID main@{2} 2026-11-22 12:58 USER@host: commit: first
    [exit 0]
    ");
}

#[test]
fn files_of_commits_are_listed_and_printed() {
    let env = two_commits();
    insta::assert_snapshot!(env.transcript(&["ls"]), @r"
    $ warp ls
    new
    notes.txt
    src
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["ls", "-R", "HEAD~1"]), @r"
    $ warp ls -R HEAD~1
    notes.txt
    src
    src/a.rs
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["cat", "HEAD~1:notes.txt", "HEAD:notes.txt"]), @r"
    $ warp cat HEAD~1:notes.txt HEAD:notes.txt
    one
    one
    two
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["cat", "HEAD~1:new"]), @r"
    $ warp cat HEAD~1:new
    ! error: new is not in commit ID
    [exit 1]
    ");
}

#[test]
fn branches_are_made_listed_renamed_and_deleted() {
    let env = two_commits();
    env.done(&["branch", "old", "HEAD~1"]);
    insta::assert_snapshot!(env.transcript(&["branch", "-v"]), @r"
    $ warp branch -v
    * main  ID second
      old  ID first
    [exit 0]
    ");
    env.done(&["branch", "-m", "trunk"]);
    insta::assert_snapshot!(env.transcript(&["branch"]), @r"
    $ warp branch
      old
    * trunk
    [exit 0]
    ");
    insta::assert_snapshot!(env.transcript(&["branch", "-d", "trunk"]), @r"
    $ warp branch -d trunk
    ! error: you are on the branch trunk
    ! hint: go to another one first, with `warp switch`
    [exit 1]
    ");
    insta::assert_snapshot!(env.transcript(&["branch", "-d", "old"]), @r"
    $ warp branch -d old
    ! Deleted branch old (was ID)
    [exit 0]
    ");
}

#[test]
fn a_name_that_steers_terminals_is_escaped_also_in_a_pipe_and_exact_with_z_and_json() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    let name = b"a\n\x1b[31m\xff";
    std::fs::write(env.work().join(std::ffi::OsStr::from_bytes(name)), "x").unwrap();
    env.done(&["init"]);
    env.done(&["commit"]);
    insta::assert_snapshot!(env.transcript(&["ls"]), @r#"
    $ warp ls
    "a\n\x1b[31m\xff"
    [exit 0]
    "#);
    assert_eq!(env.run(&["ls", "-z"]).stdout, [&name[..], b"\0"].concat());
    let json = env.run(&["ls", "--json"]).stdout;
    assert!(String::from_utf8(json).unwrap().contains(r#""path_b64":"YQobWzMxbf8=""#));
}

#[test]
fn a_wrong_password_exits_with_12_and_another_key_opens() {
    let env = two_commits();
    env.write("second", "another\n");
    env.done(&["key", "add", "--new-password-file", "../second", "--label", "spare"]);
    let env = env.with("WARP_PASSWORD", "wrong");
    insta::assert_snapshot!(env.transcript(&["log", "--oneline"]).split("hint:").next().unwrap(), @r"
    $ warp log --oneline
    ! error: wrong password for the repository $HOME/work/.warp
    !
    ");
    env.done(&["log", "--password-file", "../second"]);
    env.done(&["key", "remove", "1", "--password-file", "../second"]);
    insta::assert_snapshot!(env.transcript(&["key", "list", "--password-command", "cat ../second"]), @r"
    $ warp key list --password-command cat ../second
    *  2 password  2026-11-22 12:58 spare
    [exit 0]
    ");
}

#[test]
fn a_stand_alone_repository_takes_paths_and_gives_them_back() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_REPOSITORY", "../repo");
    env.write("data/a", "alpha");
    env.write("data/b/c", "gamma");
    let data = env.home().join("data");
    env.done(&["-r", "../repo", "init", "--bare"]);
    env.done(&["commit", "-q", "../data"]);
    let listing = String::from_utf8(env.run(&["ls", "-R", "latest"]).stdout).unwrap();
    assert!(listing.ends_with("/data/b/c\n"), "{listing}");
    env.done(&["restore", "--source", "latest", "--target", "../out", data.to_str().unwrap()]);
    let back = env.home().join("out").join(data.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read_to_string(back.join("b/c")).unwrap(), "gamma");
    let missing = env.run(&["restore", "--target", "../out", "no/such/path"]);
    assert_eq!(missing.status.code(), Some(1), "a path that means nothing is not restored silently");
    assert_eq!(env.run(&["switch", "main"]).status.code(), Some(1));
    assert_eq!(env.run(&["commit"]).status.code(), Some(2));
}

#[test]
fn a_checkout_of_paths_that_no_commit_has_names_them_and_changes_nothing() {
    let env = two_commits();
    env.write("work/notes.txt", "edited\n");
    insta::assert_snapshot!(env.transcript(&["checkout", "HEAD", "--", "missing-path"]), @r"
    $ warp checkout HEAD -- missing-path
    ! error: missing-path is not in commit ID
    [exit 1]
    ");
    insta::assert_snapshot!(env.transcript(&["checkout", "-f", "--", "notes.txt", "b", "./src/c/"]), @r"
    $ warp checkout -f -- notes.txt b ./src/c/
    ! error: 2 paths are not in commit ID
    !   b
    !   src/c
    [exit 1]
    ");
    assert_eq!(std::fs::read_to_string(env.home().join("work/notes.txt")).unwrap(), "edited\n");
}

#[test]
fn a_stream_is_recorded_only_if_its_command_succeeds() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret").with("WARP_REPOSITORY", "../repo");
    env.done(&["init", "--bare", "../repo2"]);
    let env = env.with("WARP_REPOSITORY", "../repo2");
    let commit = |script| {
        let args = ["commit", "--stdin-filename", "dump", "--stdin-from-command", "--", "sh", "-c", script];
        env.run(&args).status.code()
    };
    assert_eq!(commit("echo begin; exit 3"), Some(1));
    assert_eq!(env.run(&["log", "--json"]).stdout, b"[]\n");
    assert_eq!(commit("echo whole"), Some(0));
    assert_eq!(env.run(&["cat", "latest:dump"]).stdout, b"whole\n");
}
