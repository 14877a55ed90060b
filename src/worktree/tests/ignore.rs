use std::ffi::OsString;
use std::process::Command;

use super::*;

fn excludes(patterns: &[&str]) -> ScanOptions {
    ScanOptions {
        excludes: patterns.iter().map(ToString::to_string).collect(),
        threads: 1,
        ..ScanOptions::default()
    }
}

#[test]
fn patterns_anchor_negate_and_mean_directories_as_in_git() {
    let tree = tempfile::tempdir().unwrap();
    let files =
        ["build/x", "sub/build/x", "build.o", "sub/a.o", "sub/keep.o", "sub/logs", "logs/x", "doc/a/b.txt"];
    grow(tree.path(), &files.map(|file| (file, "")));
    let shown = |patterns: &[&str]| {
        let mut paths = shown(tree.path(), excludes(patterns));
        paths.retain(|path| files.contains(&path.as_str()));
        paths
    };
    assert_eq!(
        shown(&["/build"]),
        ["build.o", "doc/a/b.txt", "logs/x", "sub/a.o", "sub/keep.o", "sub/logs", "sub/build/x"]
    );
    assert_eq!(
        shown(&["*.o", "!keep.o"]),
        ["build/x", "doc/a/b.txt", "logs/x", "sub/keep.o", "sub/logs", "sub/build/x"]
    );
    assert_eq!(shown(&["logs/", "build", "doc/**/b.txt"]), ["build.o", "sub/a.o", "sub/keep.o", "sub/logs"]);
}

#[test]
fn a_pattern_that_is_none_is_an_error_that_names_it() {
    let error = Scanner::new(excludes(&["ok", "a{b"])).unwrap_err();
    assert!(matches!(&error, WorktreeError::Pattern { pattern, .. } if pattern == "a{b"), "{error:?}");
    let missing = ScanOptions { exclude_files: vec!["/no/such/file".into()], ..ScanOptions::default() };
    assert!(Scanner::new(missing).unwrap_err().is_not_found());
}

#[test]
fn options_win_over_exclude_files_and_these_over_files_in_the_tree() {
    let tree = tempfile::tempdir().unwrap();
    let lists = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("a", ""), ("b", ""), ("c", ""), (".warpignore", "b\n!a\nc\n")]);
    grow(lists.path(), &[("list", "\u{feff}a\r\n# comment\r\n!b\r\nc\n")]);
    let options = ScanOptions { exclude_files: vec![lists.path().join("list")], ..excludes(&["!c"]) };
    assert_eq!(shown(tree.path(), options), [".warpignore", "b", "c"]);
}

#[test]
fn inner_warpignore_files_win_over_outer_ones_and_hold_only_below() {
    let tree = tempfile::tempdir().unwrap();
    grow(
        tree.path(),
        &[
            (".warpignore", "*.log\n/top\n"),
            ("a.log", ""),
            ("top", ""),
            ("sub/.warpignore", "!keep.log\n/only\n"),
            ("sub/keep.log", ""),
            ("sub/other.log", ""),
            ("sub/only", ""),
            ("sub/top", ""),
            ("sub/deep/keep.log", ""),
            ("sub/deep/only", ""),
        ],
    );
    let expected = [
        ".warpignore",
        "sub",
        "sub/.warpignore",
        "sub/keep.log",
        "sub/top",
        "sub/deep",
        "sub/deep/keep.log",
        "sub/deep/only",
    ];
    assert_eq!(shown(tree.path(), excludes(&[])), expected);
    let off = ScanOptions { warpignore: false, ..excludes(&[]) };
    assert_eq!(shown(tree.path(), off).len(), 12);
}

#[test]
fn bad_lines_of_a_warpignore_are_told_and_the_others_hold() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("skip", ""), ("keep", "")]);
    fs::write(tree.path().join(".warpignore"), b"a{b\ncaf\xe9\nskip\n").unwrap();
    let lines = story(tree.path(), excludes(&[]));
    assert_eq!(lines, ["/", "!.warpignore", "!.warpignore", ".warpignore", "keep", ")"]);
}

#[test]
fn a_name_that_is_not_utf8_is_matched_by_wildcards() {
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join(name(b"caf\xe9.tmp")), "").unwrap();
    fs::write(tree.path().join(name(b"caf\xe9.txt")), "").unwrap();
    assert_eq!(shown(tree.path(), excludes(&["*.tmp"])), ["caf\u{fffd}.txt"]);
}

#[test]
fn caches_and_tagged_directories_keep_only_their_tag() {
    let tree = tempfile::tempdir().unwrap();
    let signature = "Signature: 8a477f597d28d172789f06886806bc55\n# by something";
    grow(
        tree.path(),
        &[
            ("cache/CACHEDIR.TAG", signature),
            ("cache/big", ""),
            ("cache/sub/x", ""),
            ("fake/CACHEDIR.TAG", "no signature"),
            ("fake/x", ""),
            ("tagged/.nobackup", ""),
            ("tagged/x", ""),
            ("headed/.mark", "skip this"),
            ("headed/x", ""),
            ("other/.mark", "keep this"),
            ("other/x", ""),
        ],
    );
    let options = ScanOptions {
        exclude_caches: true,
        exclude_if_present: vec![OsString::from(".nobackup"), OsString::from(".mark:skip")],
        ..excludes(&[])
    };
    let expected = [
        "cache",
        "cache/CACHEDIR.TAG",
        "fake",
        "fake/CACHEDIR.TAG",
        "fake/x",
        "headed",
        "headed/.mark",
        "other",
        "other/.mark",
        "other/x",
        "tagged",
        "tagged/.nobackup",
    ];
    assert_eq!(shown(tree.path(), options), expected);
}

#[test]
fn only_files_larger_than_the_limit_are_left_out() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("at", "12345"), ("over", "123456"), ("dir/", "")]);
    let options = ScanOptions { exclude_larger_than: Some(5), ..excludes(&[]) };
    assert_eq!(shown(tree.path(), options), ["at", "dir"]);
}

/// Whether git is there and made a repository in `dir`.
fn git_init(dir: &Path) -> bool {
    Command::new("git").args(["init", "-q"]).current_dir(dir).status().is_ok_and(|status| status.success())
}

#[test]
fn git_ignore_leaves_out_what_git_leaves_out() {
    let tree = tempfile::tempdir().unwrap();
    if !git_init(tree.path()) {
        println!("SKIPPED: git is not installed");
        return;
    }
    grow(
        tree.path(),
        &[
            (".git/info/exclude", "private\n!sub/private\n"),
            (
                ".gitignore",
                "*.o\n!important.o\n/target/\nfoo/*\n!foo/bar\nspace\\ \n\\#hash\n[ab]?.tmp\n**/deep/*.x\n",
            ),
            ("a.o", ""),
            ("important.o", ""),
            ("private", ""),
            ("space ", ""),
            ("#hash", ""),
            ("a1.tmp", ""),
            ("c1.tmp", ""),
            ("target/x", ""),
            ("sub/target/x", ""),
            ("sub/private", ""),
            ("sub/.gitignore", "!b.o\nlocal\n"),
            ("sub/b.o", ""),
            ("sub/c.o", ""),
            ("sub/local", ""),
            ("sub/more/local/x", ""),
            ("foo/bar", ""),
            ("foo/baz", ""),
            ("x/deep/1.x", ""),
            ("x/deep/1.y", ""),
        ],
    );
    let options = ScanOptions {
        git_ignore: true,
        excludes: vec!["/.git".into()],
        threads: 2,
        ..ScanOptions::default()
    };
    let list = Command::new("git")
        .args(["-c", "core.excludesFile=/dev/null", "ls-files", "-z", "--others", "--exclude-standard"])
        .current_dir(tree.path())
        .output()
        .unwrap();
    let mut expected: Vec<_> = list
        .stdout
        .split(|&byte| byte == 0)
        .filter(|name| !name.is_empty())
        .map(|n| String::from_utf8_lossy(n).into_owned())
        .collect();
    sort_files(&mut expected);
    let mut found = shown(tree.path(), options.clone());
    found.retain(|path| tree.path().join(path).is_file());
    assert_eq!(found, expected);
    assert!(expected.len() > 8);

    let mut inside = shown(&tree.path().join("sub"), options);
    inside.retain(|path| tree.path().join("sub").join(path).is_file());
    let expected: Vec<_> = expected.iter().filter_map(|path| path.strip_prefix("sub/")).collect();
    assert_eq!(inside, expected, "below the top of the repository");
}

#[test]
fn patterns_of_an_outer_git_repository_do_not_hold_in_an_inner_one() {
    let tree = tempfile::tempdir().unwrap();
    grow(
        tree.path(),
        &[
            (".git/HEAD", ""),
            (".gitignore", "*.o\n"),
            ("a.o", ""),
            ("inner/.git/HEAD", ""),
            ("inner/.git/info/exclude", "secret\n"),
            ("inner/a.o", ""),
            ("inner/secret", ""),
            ("module/.git", "gitdir: elsewhere"),
            ("module/a.o", ""),
        ],
    );
    let options =
        ScanOptions { git_ignore: true, excludes: vec![".git".into()], threads: 1, ..ScanOptions::default() };
    assert_eq!(shown(tree.path(), options), [".gitignore", "inner", "inner/a.o", "module", "module/a.o"]);
}
