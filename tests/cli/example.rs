//! The demonstration that the README names.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::environment::TestEnvironment;

fn run(env: &TestEnvironment, args: &[&str]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/try");
    let tmp = env.home().join("tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    let mut command = Command::new(script);
    command.args(args).env_clear().current_dir(env.work()).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TMPDIR", &tmp);
    command.env("WARP", env!("CARGO_BIN_EXE_warp")).env("WARP_TESTING_KDF", "1").env("WARP_PROFILE", "mine");
    let output = command.output().unwrap();
    assert_eq!(tmp.read_dir().unwrap().count(), 0, "something was left behind");
    output
}

#[test]
fn the_demonstration_shows_a_backup_that_comes_back() {
    let env = TestEnvironment::new();
    env.write("work/some where/a", "alpha");
    env.write("work/some where/closed/b", "beta");
    let output = run(&env, &["some where"]);
    let news = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{news}");
    let shown = String::from_utf8_lossy(&output.stdout);
    let dir = env.work().join("some where").display().to_string();
    for part in [
        format!("$ warp commit '{dir}' -m 'first commit'\n"),
        "first commit\n".to_owned(),
        "nothing to commit, tree unchanged".to_owned(),
        format!("$ warp ls -l 'latest:{dir}'\n"),
        "closed".to_owned(),
        format!("{dir} has "),
    ] {
        assert!(shown.contains(&part), "{part} is missing in {shown}");
    }
    assert!(news.contains("2 files read back and found right"), "{news}");
}

#[test]
fn the_demonstration_says_what_is_wrong_with_its_arguments() {
    let env = TestEnvironment::new();
    env.write("work/file", "");
    for (args, code, wanted) in [
        (&[][..], 2, "usage: examples/try DIR"),
        (&["--what"], 2, "usage: examples/try DIR"),
        (&[".", "."], 2, "usage: examples/try DIR"),
        (&["gone"], 1, "examples/try: gone is no directory that you can read"),
        (&["file"], 1, "examples/try: file is no directory that you can read"),
        (&["/"], 1, "name a place outside of it"),
        (&[".."], 1, "name a place outside of it"),
    ] {
        let output = run(&env, args);
        let news = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {news}");
        assert!(news.contains(wanted), "{args:?}: {news}");
    }
    assert_eq!(run(&env, &["--help"]).status.code(), Some(0));
}
