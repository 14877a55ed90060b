//! What fails before a repository is opened.

use std::process::Stdio;

use crate::environment::TestEnvironment;

#[test]
fn without_a_repository_every_command_says_how_to_get_one_and_exits_with_10() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.transcript(&["log"]), @r"
    $ warp log
    ! error: no repository: $HOME/work and no folder above it holds a .warp
    ! hint: make one here with `warp init`, or name one with -r DIR or WARP_REPOSITORY
    [exit 10]
    ");
    insta::assert_snapshot!(env.transcript(&["-r", "gone", "status"]), @r"
    $ warp -r gone status
    ! error: there is no repository in $HOME/work/gone
    ! hint: make one here with `warp init`, or name one with -r DIR or WARP_REPOSITORY
    [exit 10]
    ");
    let commands =
        ["commit", "diff", "ls", "show", "stats", "branch", "tag", "undo", "archive HEAD", "key list"];
    for command in commands {
        let args: Vec<&str> = command.split(' ').collect();
        assert_eq!(env.run(&args).status.code(), Some(10), "{command}");
    }
}

#[test]
fn json_failures_are_one_object_on_standard_error() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.transcript(&["ls", "--json"]), @r#"
    $ warp ls --json
    ! {"message_type":"exit_error","code":10,"message":"no repository: $HOME/work and no folder above it holds a .warp","hint":"make one here with `warp init`, or name one with -r DIR or WARP_REPOSITORY"}
    [exit 10]
    "#);
    let output = env.run(&["cat", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.starts_with(br#"{"message_type":"exit_error","code":2,"#));
}

#[test]
fn wrong_arguments_exit_with_2() {
    let env = TestEnvironment::new();
    for args in [
        &["--no-such-option"][..],
        &["no-such-command"],
        &["commit", "--compression", "23"],
        &["commit", "--exclude-larger-than", "big"],
        &["commit", "--time", "yesterday"],
        &["commit", "--stdin", "path"],
        &["diff", "-z"],
        &["diff", "--stat", "--name-only"],
        &["restore"],
        &["checkout"],
        &["switch"],
        &["log", "--key-file", "a", "--password-file", "b"],
        &["-r", "a", "init", "b"],
        &["config", "set", "no-such-key", "1"],
    ] {
        assert_eq!(env.run(args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn an_instruction_set_is_chosen_by_name_or_refused() {
    for (name, said) in [("sse9", "is no instruction set"), ("neon", "does not have neon"), ("avx2", "")] {
        if name == "neon" && cfg!(target_arch = "aarch64") || name == "avx2" && !has_avx2() {
            continue;
        }
        let output = TestEnvironment::new().with("WARP_ISA", name).run(&["log"]);
        let expected = if said.is_empty() { 10 } else { 2 };
        assert_eq!(output.status.code(), Some(expected), "{name}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(said), "{name}: {output:?}");
    }
}

fn has_avx2() -> bool {
    warp::isa::Isa::Avx2.is_available()
}

#[test]
fn a_missing_password_without_a_terminal_fails_at_once() {
    let env = TestEnvironment::new();
    insta::assert_snapshot!(env.transcript(&["init"]), @r"
    $ warp init
    ! error: a password is needed, and there is no terminal to ask at
    ! hint: give the password with WARP_PASSWORD, --password-file FILE, --password-command CMD, or run warp in a terminal
    [exit 12]
    ");
    assert!(!env.work().join(".warp").exists(), "a refused init leaves nothing behind");
}

#[test]
fn an_empty_password_is_refused_wherever_it_comes_from() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "");
    env.write("empty", "\n");
    for args in
        [&["init"][..], &["init", "--password-file", "../empty"], &["init", "--password-command", "true"]]
    {
        let output = env.run(args);
        assert_eq!(output.status.code(), Some(12), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(" is empty"), "{args:?}");
    }
}

#[test]
fn a_repository_is_not_made_among_other_files() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.write("full/file", "mine");
    insta::assert_snapshot!(env.transcript(&["init", "--bare", "../full"]), @r"
    $ warp init --bare ../full
    ! error: $HOME/full is not empty
    ! hint: name a folder of its own
    [exit 1]
    ");
}

#[test]
fn help_goes_to_standard_output_and_a_closed_pipe_is_quiet() {
    let env = TestEnvironment::new();
    let mut child =
        env.command(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    let help = env.run(&["commit", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(help.stderr.is_empty() && !help.stdout.is_empty());
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let env = TestEnvironment::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = env.command(&["completions", "bash"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.starts_with(b"error: cannot write to standard output\n"));
}
