//! What only shows for a user without privileges. Run as root, each test runs itself again in a child as such a user.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::*;

const NOBODY: u32 = 65_534;

/// Runs `body` without privileges, in a directory of its own; `name` is the test's.
fn unprivileged(name: &str, body: impl FnOnce(&Path)) {
    if !is_root() {
        body(tempfile::tempdir().unwrap().path());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let program = dir.path().join("test-program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let child = Command::new(&program)
        .args(["--exact", &format!("worktree::tests::unprivileged::{name}"), "--nocapture"])
        .env("TMPDIR", dir.path())
        .current_dir(dir.path())
        .uid(NOBODY)
        .gid(NOBODY)
        .output();
    match child {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
        }
        Err(error) => println!("SKIPPED: cannot run as another user: {error}"),
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn an_unreadable_directory_is_a_problem_and_comes_empty() {
    unprivileged("an_unreadable_directory_is_a_problem_and_comes_empty", |dir| {
        let tree = dir.join("tree");
        grow(&tree, &[("a/x", ""), ("b/x", ""), ("c/x", "")]);
        set_mode(&tree.join("a"), 0o000);
        set_mode(&tree.join("c"), 0o444);
        let expected = ["/", "a/", "!a", ")", "b/", "b/x", ")", "c/", "!c/x", ")", ")"];
        assert_eq!(story(&tree, ScanOptions::default()), expected);
        set_mode(&tree.join("a"), 0o700);
        set_mode(&tree.join("c"), 0o700);
    });
}

#[test]
fn an_unreadable_file_is_an_error_that_names_it() {
    unprivileged("an_unreadable_file_is_an_error_that_names_it", |dir| {
        let tree = dir.join("tree");
        grow(&tree, &[("secret", "")]);
        set_mode(&tree.join("secret"), 0o000);
        for event in events(&tree, ScanOptions::default()) {
            let ScanEvent::Entry(entry) = event else { continue };
            let error = SourceFile::open(&entry.path, &entry.stat).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot open {}", tree.join("secret").display()));
        }
        // Readable, but of another owner: O_NOATIME is refused, reading is not.
        let other = Path::new("/etc/passwd");
        for event in events(other, ScanOptions::default()) {
            let ScanEvent::Entry(entry) = event else { continue };
            assert!(SourceFile::open(&entry.path, &entry.stat).unwrap().read(&mut [0; 10]).unwrap() > 0);
        }
    });
}

#[test]
fn what_needs_privileges_is_counted_as_lost_once_each() {
    unprivileged("what_needs_privileges_is_counted_as_lost_once_each", |dir| {
        let root = dir.join("target");
        let target = Target::open(&root, MetaPolicy { devices: true, ..MetaPolicy::safe() }).unwrap();
        let xattr = |name: &str| Xattr { name: name.as_bytes().to_vec(), value: b"1".to_vec() };
        let foreign = RestoreMeta {
            uid: 0,
            gid: 0,
            xattrs: vec![xattr("user.a"), xattr("trusted.b"), xattr("security.c")],
            ..meta(0o4511)
        };
        for path in ["a", "b"] {
            target.create_file(&rel(path), FileOptions::default()).unwrap().finish(&foreign).unwrap();
        }
        let null = FileType::CharDevice { major: 1, minor: 3 };
        assert!(!target.make_special(&rel("null"), null, false, &foreign).unwrap());
        let asked = Target::open(&root, MetaPolicy { owner: true, ..MetaPolicy::safe() }).unwrap();
        asked.create_file(&rel("c"), FileOptions::default()).unwrap().finish(&foreign).unwrap();
        let lost = target.degraded();
        assert_eq!(lost.owner, Lost { count: 2, first: Some("a".into()) });
        assert_eq!((lost.setuid.count, lost.xattrs.count, lost.devices.count), (2, 4, 1), "{lost:?}");
        assert_eq!((asked.degraded().owner.count, asked.degraded().setuid.count), (1, 1));
        assert_eq!(fs::metadata(root.join("a")).unwrap().mode() & 0o7777, 0o511);
        // A user's attribute comes back even on a file that its owner may not write.
        assert_eq!(target.xattrs(&rel("a")).unwrap(), [xattr("user.a")]);
    });
}

#[test]
fn a_directory_that_was_read_only_can_be_restored_into_again() {
    unprivileged("a_directory_that_was_read_only_can_be_restored_into_again", |dir| {
        let target = Target::open(&dir.join("target"), MetaPolicy::safe()).unwrap();
        for _ in 0..2 {
            target.make_dir(&rel("d"), false).unwrap();
            let options = FileOptions { replace: true, ..FileOptions::default() };
            target.create_file(&rel("d/f"), options).unwrap().finish(&meta(0o444)).unwrap();
            target.set_metadata(&rel("d"), &meta(0o555)).unwrap();
        }
        assert!(target.degraded().is_empty(), "{:?}", target.degraded());
        target.make_dir(&rel("d"), false).unwrap();
    });
}
