//! What cannot be opened: files without permission, wrong passwords, what is no repository, what is newer.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use crate::common::program::{Home, news};

const NOBODY: u32 = 65_534;

#[test]
fn an_unreadable_file_is_named_the_rest_is_committed_and_the_exit_code_is_3() {
    let home = Home::bare();
    let is_root = rustix::process::geteuid().is_root();
    let source = home.path("source");
    fs::create_dir_all(source.join("closed")).unwrap();
    fs::write(source.join("open"), "readable").unwrap();
    fs::write(source.join("secret"), "unreadable").unwrap();
    fs::write(source.join("closed/inside"), "unreachable").unwrap();
    let program = home.path("warp");
    fs::copy(env!("CARGO_BIN_EXE_warp"), &program).unwrap();
    for path in ["", "source", "source/open", "source/secret", "source/closed", "source/closed/inside"] {
        if is_root {
            chown(home.path(path), Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let set_mode =
        |path, mode| fs::set_permissions(source.join(path), fs::Permissions::from_mode(mode)).unwrap();
    set_mode("secret", 0o000);
    set_mode("closed", 0o000);
    let run = |args: &[&str]| {
        let template = home.command(args);
        let mut command = std::process::Command::new(&program);
        command.args(args).current_dir(home.dir.path()).env_clear().stdin(std::process::Stdio::null());
        command.envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().unwrap()
    };
    let init = run(&["init", "--bare", home.repo.to_str().unwrap()]);
    assert_eq!(init.status.code(), Some(0), "{}", news(&init));
    let commit = run(&["commit", source.to_str().unwrap()]);
    let news_of = news(&commit);
    assert_eq!(commit.status.code(), Some(3), "{news_of}");
    for path in ["secret", "closed"] {
        assert!(news_of.contains(source.join(path).to_str().unwrap()), "{path} is not named: {news_of}");
    }
    assert!(!news_of.contains("inside"), "{news_of}");
    let file = format!("latest:{}", source.join("open").display());
    let cat = run(&["cat", &file]);
    assert_eq!((cat.status.code(), &cat.stdout[..]), (Some(0), &b"readable"[..]), "{}", news(&cat));
    set_mode("closed", 0o700);
}

#[test]
fn a_wrong_password_exits_with_12_and_a_folder_that_is_no_repository_with_10() {
    let home = Home::new();
    for args in [&["log"][..], &["commit", "/etc/hostname"], &["stats"], &["ls", "latest"]] {
        let output = home.command(args).env("WARP_PASSWORD", "wrong").output().unwrap();
        assert_eq!(output.status.code(), Some(12), "{args:?}: {}", news(&output));
        assert!(news(&output).contains(home.repo.to_str().unwrap()), "{}", news(&output));
        for place in ["nothing", "empty", "file"] {
            fs::create_dir_all(home.path("empty")).unwrap();
            fs::write(home.path("file"), "not a repository").unwrap();
            let output = home.command(args).env("WARP_REPOSITORY", home.path(place)).output().unwrap();
            assert_eq!(output.status.code(), Some(10), "{args:?} on {place}: {}", news(&output));
        }
    }
    home.done(&["log"]);
}

#[test]
fn a_newer_format_is_called_newer_not_damaged() {
    let home = Home::new();
    for entry in fs::read_dir(home.repo.join("config")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let body = bytes.len() - 32;
        // The version stands behind the magic.
        bytes[8] += 1;
        let sum = blake3::hash(&bytes[..body]);
        bytes[body..].copy_from_slice(sum.as_bytes());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, bytes).unwrap();
    }
    let output = home.run(&["log"]);
    assert_eq!(output.status.code(), Some(1), "{}", news(&output));
    assert!(news(&output).contains("version 2") || news(&output).contains("newer"), "{}", news(&output));
}

#[test]
fn without_a_terminal_a_missing_password_fails_at_once() {
    let home = Home::new();
    for args in [&["log"][..], &["commit", "/etc/hostname"], &["init", "--bare", "other"]] {
        let begun = Instant::now();
        let template = home.command(args);
        // Away from any terminal of whoever runs the tests.
        let mut command = std::process::Command::new("setsid");
        command.args(["--wait", env!("CARGO_BIN_EXE_warp")]).args(args).stdin(std::process::Stdio::null());
        command.env_clear().envs(template.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = command.current_dir(home.dir.path()).env_remove("WARP_PASSWORD").output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2), "{args:?} took {:?}", begun.elapsed());
        assert_eq!(output.status.code(), Some(12), "{args:?}: {}", news(&output));
        assert!(news(&output).contains("password"), "{}", news(&output));
    }
}
