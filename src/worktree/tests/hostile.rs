use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;

fn open(dir: &Path) -> Target {
    Target::open(dir, MetaPolicy::safe()).unwrap()
}

#[test]
fn names_that_no_file_can_have_are_refused() {
    let long = [b'x'; 256];
    for bad in [&b""[..], b".", b"..", b"a/b", b"/", b"/etc", b"a\0b", b"\0", &long] {
        assert!(matches!(RelPath::new([bad]), Err(WorktreeError::InvalidName { .. })), "{bad:?}");
        assert!(RelPath::new([&b"ok"[..], bad]).is_err());
        assert!(RelPath::root().join(bad).is_err());
        let mut path = rel("a");
        assert!(path.push(bad).is_err());
        assert_eq!(path, rel("a"), "as it was");
    }
    assert!(RelPath::new([&long[..255]]).is_ok());
    assert!(RelPath::new([&b"..."[..], b" ", b"\xff", b"\\", b"-rf"]).is_ok());
}

proptest! {
    #[test]
    fn a_relative_path_is_its_names_and_orders_as_they_do(
        a in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..5),
        b in prop::collection::vec("[a-b.\\-]{1,2}z", 0..4),
    ) {
        let valid = |name: &Vec<u8>| {
            !name.is_empty() && name != b"." && name != b".." && !name.contains(&0) && !name.contains(&b'/')
        };
        prop_assert_eq!(RelPath::new(&a).is_ok(), a.iter().all(valid));
        let a: Vec<_> = a.into_iter().filter(valid).collect();
        let b: Vec<_> = b.into_iter().map(String::into_bytes).collect();
        let (path_a, path_b) = (RelPath::new(&a).unwrap(), RelPath::new(&b).unwrap());
        prop_assert!(path_a.components().eq(a.iter().map(Vec::as_slice)));
        prop_assert_eq!(path_a.name(), a.last().map(Vec::as_slice));
        prop_assert_eq!(path_a.parent(), a.split_last().map(|(_, rest)| RelPath::new(rest).unwrap()));
        prop_assert_eq!(path_a.cmp(&path_b), a.cmp(&b));
    }
}

/// Every operation at `path`; what they answer does not matter here.
fn try_everything(target: &Target, path: &RelPath) {
    let options = FileOptions { replace: true, ..FileOptions::default() };
    if let Ok(file) = target.create_file(path, options) {
        let _ = file.write_at(0, b"hostile");
        let _ = file.finish(&meta(0o6777));
        if let Ok(source) = target.link_source(path) {
            let _ = target.hard_link(path, &source, true);
        }
    }
    let _ = target.set_metadata(path, &meta(0o777));
    let _ = target.symlink(path, b"hostile", true, &meta(0o777));
    let _ = target.make_special(path, FileType::Fifo, true, &meta(0o777));
    let _ = target.remove_file(path);
    let _ = target.make_dir(path, true);
    let _ = target.set_metadata(path, &meta(0o777));
    let _ = target.remove_dir(path);
    let _ = target.remove_all(path);
}

/// Everything about a directory that a write into it could change.
fn snapshot(dir: &Path) -> Vec<(PathBuf, u32, i64, i64, u64)> {
    let mut found: Vec<_> = walkdir::WalkDir::new(dir)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let stat = fs::symlink_metadata(entry.path()).unwrap();
            (entry.path().to_owned(), stat.mode(), stat.ctime(), stat.ctime_nsec(), stat.nlink())
        })
        .collect();
    found.sort();
    found
}

fn check_links_are_not_followed(target: &Target, dir: &Path) {
    let outside = tempfile::tempdir().unwrap();
    grow(outside.path(), &[("file", "precious"), ("sub/file", "precious")]);
    let before = snapshot(outside.path());
    symlink(outside.path(), dir.join("out")).unwrap();
    symlink("../../../../../../..", dir.join("up")).unwrap();
    symlink(".", dir.join("here")).unwrap();
    symlink("/proc/self/cwd", dir.join("magic")).unwrap();
    for path in ["out/file", "out/new", "out/sub/file", "out/sub/new", "magic/x", "here/x"] {
        let refused = target.create_file(&rel(path), FileOptions::default()).unwrap_err();
        assert!(matches!(refused, WorktreeError::NotBeneath { .. }), "{path}: {refused:?}");
        try_everything(target, &rel(path));
    }
    let up = format!("up{}/new", outside.path().display());
    try_everything(target, &rel(&up));
    assert_eq!(snapshot(outside.path()), before);
    // A link in the last place is replaced itself.
    let options = FileOptions { replace: true, ..FileOptions::default() };
    target.create_file(&rel("out"), options).unwrap().finish(&meta(0o600)).unwrap();
    assert_eq!(snapshot(outside.path()), before);
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let dir = tempfile::tempdir().unwrap();
    check_links_are_not_followed(&open(dir.path()), dir.path());
}

#[test]
fn nothing_is_written_through_a_symbolic_link_without_openat2() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    target.shared.dirs.forget_openat2();
    check_links_are_not_followed(&target, dir.path());
    target.make_dir(&rel("a"), false).unwrap();
    target.make_dir(&rel("a/b"), false).unwrap();
    target.create_file(&rel("a/b/c"), FileOptions::default()).unwrap().finish(&meta(0o600)).unwrap();
    assert!(dir.path().join("a/b/c").is_file());
}

#[test]
fn metadata_of_a_link_is_not_given_to_what_it_points_to() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    grow(outside.path(), &[("file", "precious")]);
    let before = snapshot(outside.path());
    let target = open(dir.path());
    for link in [outside.path().to_owned(), outside.path().join("file")] {
        let meta = RestoreMeta {
            xattrs: vec![Xattr { name: b"user.x".to_vec(), value: b"1".to_vec() }],
            ..meta(0o777)
        };
        target.symlink(&rel("link"), link.as_os_str().as_bytes(), true, &meta).unwrap();
        target.set_metadata(&rel("link"), &meta).unwrap();
    }
    assert_eq!(snapshot(outside.path()), before);
}

#[test]
fn hostile_numbers_and_attributes_neither_panic_nor_fail_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    let xattrs = [
        &b""[..],
        b"user.",
        b"user.\0",
        b"nonsense",
        b"system.posix_acl_access",
        b"system.posix_acl_default",
    ]
    .map(|name| Xattr { name: name.to_vec(), value: vec![0xff; 100] });
    let hostile = RestoreMeta {
        mode: u32::MAX,
        uid: u32::MAX,
        gid: u32::MAX,
        user: b"\0".to_vec(),
        group: vec![0xff; 300],
        mtime: Timestamp { secs: i64::MAX, nanos: u32::MAX },
        xattrs: xattrs.to_vec(),
    };
    target.create_file(&rel("f"), FileOptions::default()).unwrap().finish(&hostile).unwrap();
    target.symlink(&rel("l"), b"x", false, &hostile).unwrap();
    target.make_special(&rel("p"), FileType::Fifo, false, &hostile).unwrap();
    target.make_dir(&rel("d"), false).unwrap();
    target.set_metadata(&rel("d"), &hostile).unwrap();
    let lost = target.degraded();
    assert_eq!(lost.owner.count, 4, "{lost:?}");
    assert!(lost.xattrs.count > 0 && lost.acls.count > 0, "{lost:?}");
    let options = FileOptions { size: Some(u64::MAX), sparse: true, replace: false };
    let file = target.create_file(&rel("huge"), options).unwrap();
    assert!(file.finish(&meta(0o600)).is_err());
    for link in [&b""[..], b"a\0b", &[b'x'; 5000]] {
        assert!(target.symlink(&rel("bad"), link, false, &meta(0o777)).is_err());
    }
    assert_eq!(target.list_dir(&RelPath::root()).unwrap().len(), 4);
}

/// Another process swaps a directory for a link to a place outside, over and over, while everything is tried below it.
fn check_swapping(target: &Target, dir: &Path) {
    let outside = tempfile::tempdir().unwrap();
    grow(outside.path(), &[("file", "precious"), ("sub/file", "precious")]);
    grow(dir, &[("d/sub/", "")]);
    symlink(outside.path(), dir.join("l")).unwrap();
    let before = snapshot(outside.path());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let cwd = rustix::fs::CWD;
                let _ = rustix::fs::renameat_with(cwd, dir.join("d"), cwd, dir.join("l"), flags);
            }
        });
        for _ in 0..300 {
            for path in ["d/file", "d/new", "d/sub/file", "d/sub/new"] {
                try_everything(target, &rel(path));
            }
            target.shared.dirs.forget();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(snapshot(outside.path()), before);
}

#[test]
fn a_directory_swapped_for_a_link_meanwhile_lets_nothing_out() {
    let dir = tempfile::tempdir().unwrap();
    check_swapping(&open(dir.path()), dir.path());
}

#[test]
fn a_directory_swapped_for_a_link_meanwhile_lets_nothing_out_without_openat2() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    target.shared.dirs.forget_openat2();
    check_swapping(&target, dir.path());
}

#[test]
fn a_directory_that_is_kept_open_and_then_removed_is_found_anew() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    for _ in 0..3 {
        target.make_dir(&rel("d"), false).unwrap();
        target.create_file(&rel("d/f"), FileOptions::default()).unwrap().finish(&meta(0o600)).unwrap();
        target.remove_all(&rel("d")).unwrap();
    }
}

#[test]
fn paths_longer_than_any_system_call_takes_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    let mut path = RelPath::root();
    for _ in 0..30 {
        path.push(&[b'n'; 200]).unwrap();
        target.make_dir(&path, false).unwrap();
    }
    let file = path.join(b"file").unwrap();
    target.create_file(&file, FileOptions::default()).unwrap().finish(&meta(0o600)).unwrap();
    assert!(target.stat(&file).unwrap().unwrap().is_regular());
    target.remove_all(&RelPath::new([[b'n'; 200]]).unwrap()).unwrap();
}
