//! Lasting settings.

use crate::environment::TestEnvironment;

const FILE: &str = ".config/warp/config.toml";

#[test]
fn settings_are_written_read_listed_and_removed() {
    let env = TestEnvironment::new();
    for args in [
        &["config", "set", "exclude", "*.o", "a b"][..],
        &["config", "set", "threads", "2"],
        &["config", "set", "git-ignore", "yes"],
        &["--profile", "nas", "config", "set", "threads", "8"],
    ] {
        assert_eq!(env.transcript(args), format!("$ warp {}\n[exit 0]\n", args.join(" ")));
    }
    insta::assert_snapshot!(env.read(FILE), @r#"
    exclude = ["*.o", "a b"]
    threads = 2
    git-ignore = true

    [profile.nas]
    threads = 8
    "#);
    insta::assert_snapshot!(env.transcript(&["config", "list", "--profile", "nas"]), @r"
    $ warp config list --profile nas
    file         exclude = *.o
    file         exclude = a b
    file         git-ignore = true
    environment  host = host
    profile      threads = 8
    [exit 0]
    ");
    assert_eq!(env.run(&["config", "unset", "threads"]).status.code(), Some(0));
    insta::assert_snapshot!(env.transcript(&["config", "get", "threads"]), @r"
    $ warp config get threads
    [exit 1]
    ");
}

#[test]
fn the_environment_is_above_the_profile_and_the_profile_above_the_file() {
    let env = TestEnvironment::new();
    env.write(FILE, "threads = 1\n[profile.p]\nthreads = 2\n");
    let threads = |env: &TestEnvironment, args: &[&str]| {
        let output = env.run(&[args, &["config", "get", "threads"]].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(threads(&env, &[]), "1\n");
    assert_eq!(threads(&env, &["--profile", "p"]), "2\n");
    let env = env.with("WARP_PROFILE", "p");
    assert_eq!(threads(&env, &[]), "2\n");
    let env = env.with("WARP_THREADS", "3");
    assert_eq!(threads(&env, &[]), "3\n");
}

#[test]
fn an_unknown_key_is_an_error_that_names_file_and_line() {
    let env = TestEnvironment::new();
    env.write(FILE, "# mine\nhots = 'a'\n");
    let output = env.run(&["log"]);
    let news = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{news}");
    for part in ["config.toml", "line 2", "hots", "warp config list --keys"] {
        assert!(news.contains(part), "{part} is missing in: {news}");
    }
}

#[test]
fn a_wrong_value_is_refused_and_changes_nothing() {
    let env = TestEnvironment::new();
    env.write(FILE, "threads = 1 # one\n");
    for args in [["threads", "many"], ["git-ignore", "perhaps"]] {
        assert_eq!(env.run(&["config", "set", args[0], args[1]]).status.code(), Some(2), "{args:?}");
    }
    assert_eq!(env.run(&["config", "set", "host", "a", "b"]).status.code(), Some(2));
    assert_eq!(env.read(FILE), "threads = 1 # one\n");
    assert_eq!(env.run(&["--profile", "none", "log"]).status.code(), Some(2));
}

#[test]
fn settings_come_as_json_when_asked() {
    let env = TestEnvironment::new();
    env.write(FILE, "exclude = ['x']\n");
    insta::assert_snapshot!(env.transcript(&["config", "list", "--json"]), @r#"
    $ warp config list --json
    {"message_type":"setting","key":"exclude","value":["x"],"origin":"file"}
    {"message_type":"setting","key":"host","value":"host","origin":"environment"}
    [exit 0]
    "#);
}
