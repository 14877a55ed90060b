//! `warp head`: what two clients compare, and a repository that was put back.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::environment::TestEnvironment;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// `warp head --json`, by a client whose home is `home`.
fn head(env: &TestEnvironment, home: &str, more: &[&str]) -> Value {
    let mut command = env.command(&[&["--json", "-r", "../repo", "head"], more].concat());
    let output = command.env("HOME", env.home().join(home)).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn without_seen(mut head: Value) -> Value {
    head.as_object_mut().unwrap().retain(|name, _| !name.starts_with("seen"));
    head
}

#[test]
fn two_clients_show_the_same_head_and_what_they_had_seen() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.write("work/file", "one");
    env.done(&["init", "--bare", "../repo"]);
    env.done(&["-r", "../repo", "commit", "."]);
    let (first, second) = (head(&env, ".", &[]), head(&env, "other", &[]));
    assert_eq!((&first["seen_before"], &second["seen_before"]), (&"same".into(), &"never".into()));
    assert_eq!(without_seen(first.clone()), without_seen(second));
    assert_eq!(head(&env, "other", &[])["seen_before"], "same");

    env.write("work/file", "two");
    env.done(&["-r", "../repo", "commit", "."]);
    let second = head(&env, "other", &[]);
    assert_eq!((&second["seen_before"], &second["seen_number"]), (&"older".into(), &first["number"]));
    assert_eq!(without_seen(second.clone()), without_seen(head(&env, ".", &[])));
    assert_ne!(second["hash"], first["hash"]);

    let output = env.run(&["-v", "-r", "../repo", "head"]);
    let text = |name: &str| second[name].as_str().unwrap().to_owned();
    let want = format!("{} {}\n{}\n", second["number"], text("fingerprint"), text("hash"));
    assert_eq!(String::from_utf8_lossy(&output.stdout), want);
    assert_eq!(text("fingerprint").replace('-', ""), text("hash")[..16]);
}

#[test]
fn a_repository_that_was_put_back_is_refused_by_who_has_seen_more_until_that_is_accepted() {
    let env = TestEnvironment::new().with("WARP_PASSWORD", "secret");
    env.write("work/file", "one");
    env.done(&["init", "--bare", "../repo"]);
    env.done(&["-r", "../repo", "commit", "."]);
    let old = head(&env, ".", &[]);
    copy(&env.home().join("repo"), &env.home().join("older"));
    env.write("work/file", "two");
    env.done(&["-r", "../repo", "commit", "."]);
    let new = head(&env, ".", &[]);
    fs::remove_dir_all(env.home().join("repo")).unwrap();
    fs::rename(env.home().join("older"), env.home().join("repo")).unwrap();

    let output = env.run(&["-r", "../repo", "head"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
    assert!(said.contains("was put back") && said.contains("--accept-rollback"), "{said}");
    assert_eq!(head(&env, "other", &[])["seen_before"], "never", "who has seen nothing can only compare");

    let accepted = head(&env, ".", &["--accept-rollback"]);
    assert_eq!((&accepted["seen_before"], &accepted["seen_number"]), (&"put_back".into(), &new["number"]));
    assert_eq!(without_seen(accepted), without_seen(old));
    assert_eq!(head(&env, ".", &[])["seen_before"], "same", "once is enough");
}
