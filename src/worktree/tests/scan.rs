use std::os::unix::fs::{MetadataExt, symlink};
use std::time::Instant;

use proptest::prelude::*;
use walkdir::WalkDir;

use super::*;

/// What walkdir says, in the order that the scan promises.
fn oracle(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut depth = 0;
    let sorted = WalkDir::new(root)
        .sort_by_key(|entry| (entry.file_type().is_dir(), entry.file_name().as_bytes().to_vec()));
    for entry in sorted {
        let entry = entry.unwrap();
        lines.extend(std::iter::repeat_n(")".to_owned(), depth - entry.depth().min(depth)));
        let is_dir = entry.file_type().is_dir();
        lines.push(format!("{}{}", below(root, entry.path()), if is_dir { "/" } else { "" }));
        depth = entry.depth() + usize::from(is_dir);
    }
    lines.extend(std::iter::repeat_n(")".to_owned(), depth));
    lines
}

fn with_threads(threads: usize) -> ScanOptions {
    ScanOptions { threads, ..ScanOptions::default() }
}

#[test]
fn a_scan_tells_what_walkdir_finds_files_before_directories_whatever_the_number_of_threads() {
    let tree = tempfile::tempdir().unwrap();
    grow(
        tree.path(),
        &[("a/b", ""), ("a.c", ""), ("a/", ""), ("a-/x/y/z", ""), ("a/b.d/", ""), ("Z", ""), ("é", "")],
    );
    symlink("a", tree.path().join("link-to-dir")).unwrap();
    for threads in [0, 1, 2, 7] {
        assert_eq!(story(tree.path(), with_threads(threads)), oracle(tree.path()), "{threads} threads");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn random_trees_come_in_order_and_whole(
        files in prop::collection::vec(prop::collection::vec("[a-c.\\-~]{1,3}x", 1..6), 0..60),
        threads in 0_usize..4,
    ) {
        let tree = tempfile::tempdir().unwrap();
        for file in files {
            let path = tree.path().join(file.join("/"));
            // A file may stand where a directory is wanted: such a path is left out.
            if fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.exists() {
                fs::write(path, "x").unwrap();
            }
        }
        prop_assert_eq!(story(tree.path(), with_threads(threads)), oracle(tree.path()));
    }
}

#[test]
fn each_directory_tells_its_files_then_its_directories_both_by_the_bytes_of_their_names() {
    let tree = tempfile::tempdir().unwrap();
    grow(
        tree.path(),
        &[("a/z", ""), ("a/b/y", ""), ("a/c", ""), ("B", ""), ("b", ""), ("é", ""), ("A-/", "")],
    );
    symlink("a", tree.path().join("link")).unwrap();
    let expected =
        ["/", "B", "b", "link", "é", "A-/", ")", "a/", "a/c", "a/z", "a/b/", "a/b/y", ")", ")", ")"];
    for threads in [0, 1, 3] {
        assert_eq!(story(tree.path(), with_threads(threads)), expected, "{threads} threads");
    }
}

#[test]
fn a_large_system_tree_comes_as_walkdir_finds_it() {
    let root = Path::new("/usr/share/doc");
    if !root.is_dir() {
        println!("SKIPPED: there is no {}", root.display());
        return;
    }
    assert_eq!(story(root, with_threads(3)), oracle(root));
}

#[test]
fn the_status_is_what_lstat_says() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("file", "content"), ("dir/", "")]);
    symlink("nowhere", tree.path().join("link")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.path().join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o640),
        0,
    )
    .unwrap();
    let mut seen = 0;
    for event in events(tree.path(), with_threads(1)) {
        let (ScanEvent::Entry(entry) | ScanEvent::EnterDir(entry)) = event else { continue };
        let expected = fs::symlink_metadata(&entry.path).unwrap();
        let Stat { mode, uid, gid, size, mtime, ctime, ino, dev, nlink, blocks, .. } = entry.stat;
        assert_eq!(
            (mode, uid, gid, size, ino, dev, nlink, blocks),
            (
                expected.mode() & 0o7777,
                expected.uid(),
                expected.gid(),
                expected.size(),
                expected.ino(),
                expected.dev(),
                expected.nlink(),
                expected.blocks()
            )
        );
        assert_eq!((mtime.secs, i64::from(mtime.nanos)), (expected.mtime(), expected.mtime_nsec()));
        assert_eq!((ctime.secs, i64::from(ctime.nanos)), (expected.ctime(), expected.ctime_nsec()));
        let kind = match entry.name.as_bytes() {
            b"file" => FileType::Regular,
            b"link" => FileType::Symlink,
            b"fifo" => FileType::Fifo,
            _ => FileType::Dir,
        };
        assert_eq!(entry.stat.file_type, kind);
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn names_that_are_not_utf8_come_as_they_are() {
    let tree = tempfile::tempdir().unwrap();
    let names: [&[u8]; 3] = [b"\x01\x1b[31m", b"caf\xe9", b"\xff\xfe"];
    for bytes in names {
        fs::create_dir(tree.path().join(name(bytes))).unwrap();
        fs::write(tree.path().join(name(bytes)).join(name(b"\x80")), "x").unwrap();
    }
    let mut found = Vec::new();
    for event in events(tree.path(), with_threads(2)) {
        match event {
            ScanEvent::EnterDir(entry) => found.push(entry.name.as_bytes().to_vec()),
            ScanEvent::Entry(entry) => assert_eq!(entry.name.as_bytes(), b"\x80"),
            ScanEvent::LeaveDir => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(found[1..], names.map(<[u8]>::to_vec));
}

#[test]
fn a_root_that_is_a_file_or_a_link_is_one_entry_and_one_that_is_missing_an_error() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("file", ""), ("dir/x", "")]);
    symlink("dir", tree.path().join("link")).unwrap();
    for root in ["file", "link"] {
        let events = events(&tree.path().join(root), with_threads(1));
        assert!(matches!(&events[..], [ScanEvent::Entry(entry)] if entry.name.is_empty()), "{events:?}");
    }
    let scanner = Scanner::new(with_threads(1)).unwrap();
    let error = scanner.walk(&tree.path().join("no"), &mut |_| panic!("told of nothing")).unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[test]
fn a_sink_that_breaks_ends_the_walk_at_once() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("a/b/c", ""), ("d", ""), ("e/f", "")]);
    for stop_after in 1..9 {
        let mut told = 0;
        let scanner = Scanner::new(with_threads(2)).unwrap();
        let mut sink = |_| {
            told += 1;
            if told == stop_after { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        scanner.walk(tree.path(), &mut sink).unwrap();
        assert_eq!(told, stop_after);
    }
}

#[test]
#[should_panic(expected = "the sink's own")]
fn a_sink_that_panics_does_not_hang_the_threads() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("a/b/c", "")]);
    let scanner = Scanner::new(with_threads(2)).unwrap();
    let _ = scanner.walk(tree.path(), &mut |_| panic!("the sink's own"));
}

#[test]
fn what_is_skipped_is_not_shown_by_whatever_path_it_is_met() {
    let tree = tempfile::tempdir().unwrap();
    grow(tree.path(), &[("a", ""), (".warp/packs/x", ""), ("sub/.warp/y", "")]);
    let other_way = tree.path().join("sub/../.warp");
    let options = ScanOptions { skip: vec![other_way, tree.path().join("missing")], ..with_threads(1) };
    assert_eq!(shown(tree.path(), options), ["a", "sub", "sub/.warp", "sub/.warp/y"]);
}

#[test]
fn one_file_system_shows_a_mount_point_and_does_not_enter_it() {
    let options = ScanOptions { one_file_system: true, threads: 2, ..ScanOptions::default() };
    let device = fs::metadata("/").unwrap().dev();
    if fs::metadata("/proc").unwrap().dev() == device {
        println!("SKIPPED: /proc is no file system of its own");
        return;
    }
    let mut inside_proc = 0;
    let mut proc_shown = false;
    let scanner =
        Scanner::new(ScanOptions { excludes: vec!["/*".into(), "!/proc".into()], ..options }).unwrap();
    scanner
        .walk(Path::new("/"), &mut |event| {
            if let ScanEvent::EnterDir(entry) | ScanEvent::Entry(entry) = event {
                proc_shown |= entry.path == Path::new("/proc");
                inside_proc +=
                    usize::from(entry.path.starts_with("/proc") && entry.path != Path::new("/proc"));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(proc_shown);
    assert_eq!(inside_proc, 0);
}

#[test]
fn a_directory_of_100_000_entries_is_listed_in_order_and_fast() {
    let tree = tempfile::tempdir().unwrap();
    let file = tree.path().join("000000");
    fs::write(&file, "").unwrap();
    for number in 1..100_000 {
        // Links to few inodes: much faster to make than files.
        let link = tree.path().join(format!("{:06}", number * 7919 % 100_000));
        let from = tree.path().join(format!("{:06}", number / 50_000 * 7919 * 50_000 % 100_000));
        if fs::hard_link(&from, &link).is_err() {
            fs::write(&link, "").unwrap();
        }
    }
    let started = Instant::now();
    let names = shown(tree.path(), with_threads(2));
    let elapsed = started.elapsed();
    assert_eq!(names.len(), 100_000);
    assert!(names.is_sorted());
    assert!(elapsed.as_secs() < 5, "took {elapsed:?}");
}

#[test]
fn a_tree_deeper_than_any_path_is_scanned_and_read_to_its_end() {
    let tree = tempfile::tempdir().unwrap();
    let long = "d".repeat(200);
    let depth = 40;
    let mut dir = rustix::fs::open(tree.path(), rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    for _ in 0..depth {
        rustix::fs::mkdirat(&dir, &*long, rustix::fs::Mode::RWXU).unwrap();
        dir = rustix::fs::openat(&dir, &*long, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).unwrap();
    }
    let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
    let file = rustix::fs::openat(&dir, "file", flags, rustix::fs::Mode::RWXU).unwrap();
    rustix::io::write(&file, b"deep").unwrap();
    rustix::fs::symlinkat("there", &dir, "link").unwrap();
    let mut read = Vec::new();
    for event in events(tree.path(), with_threads(1)) {
        match event {
            ScanEvent::Entry(entry) if entry.name == "link" => {
                assert_eq!(read_link(&entry.path).unwrap(), b"there");
            }
            ScanEvent::Entry(entry) => {
                assert!(entry.path.as_os_str().len() > 8000);
                let mut buf = [0; 10];
                let len = SourceFile::open(&entry.path, &entry.stat).unwrap().read(&mut buf).unwrap();
                read.extend_from_slice(&buf[..len]);
                assert_eq!(read_xattrs(&entry.path, entry.stat.file_type).unwrap(), []);
            }
            ScanEvent::Problem { path, error } => panic!("{}: {error:?}", path.display()),
            _ => {}
        }
    }
    assert_eq!(read, b"deep");
    Target::open(tree.path(), MetaPolicy::safe()).unwrap().remove_all(&rel(&long)).unwrap();
}

#[test]
fn a_directory_that_vanishes_or_is_swapped_for_a_link_is_a_problem_and_not_followed() {
    let tree = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    grow(outside.path(), &[("secret", "")]);
    grow(tree.path(), &[("a/x", ""), ("gone/x", ""), ("swapped/x", "")]);
    let mut lines = Vec::new();
    let scanner = Scanner::new(with_threads(0)).unwrap();
    scanner
        .walk(tree.path(), &mut |event| {
            match event {
                ScanEvent::EnterDir(entry) if entry.name == "a" => {
                    fs::remove_dir_all(tree.path().join("gone")).unwrap();
                    fs::remove_dir_all(tree.path().join("swapped")).unwrap();
                    symlink(outside.path(), tree.path().join("swapped")).unwrap();
                }
                ScanEvent::Entry(entry) => lines.push(below(tree.path(), &entry.path)),
                ScanEvent::Problem { path, error } => {
                    lines.push(format!("!{} {}", below(tree.path(), &path), error.is_not_found()));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(lines, ["a/x", "!gone true", "!swapped false"]);
}

#[test]
#[ignore = "a measurement: run it by name in a release build"]
fn measure_a_scan_of_usr() {
    for threads in [0, 1, 2, 3, 2] {
        let started = Instant::now();
        let (mut entries, mut bytes) = (0_u64, 0);
        let scanner = Scanner::new(with_threads(threads)).unwrap();
        scanner
            .walk(Path::new("/usr"), &mut |event| {
                if let ScanEvent::EnterDir(entry) | ScanEvent::Entry(entry) = event {
                    entries += 1;
                    bytes += entry.stat.size;
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        println!("{threads} threads: {entries} entries, {bytes} bytes in {:?}", started.elapsed());
    }
}
