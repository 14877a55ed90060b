use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use proptest::prelude::*;

use super::*;

fn open(dir: &Path) -> Target {
    Target::open(dir, MetaPolicy::safe()).unwrap()
}

fn put(target: &Target, path: &str, content: &[u8], replace: bool) -> Result<(), WorktreeError> {
    let options = FileOptions { size: Some(content.len() as u64), replace, ..FileOptions::default() };
    let file = target.create_file(&rel(path), options)?;
    file.write_at(0, content)?;
    file.finish(&meta(0o644))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_comes_back_with_content_and_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(&dir.path().join("new/target"));
    target.make_dir(&rel("sub"), false).unwrap();
    let xattr = Xattr { name: b"user.note".to_vec(), value: b"hello".to_vec() };
    let meta = RestoreMeta { xattrs: vec![xattr.clone()], ..meta(0o444) };
    let mut file = target.create_file(&rel("sub/file"), FileOptions::default()).unwrap();
    file.append(b"hello ").unwrap();
    file.append(b"world").unwrap();
    file.finish(&meta).unwrap();
    let path = dir.path().join("new/target/sub/file");
    assert_eq!(fs::read(&path).unwrap(), b"hello world");
    let found = fs::metadata(&path).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o444);
    assert_eq!((found.mtime(), found.mtime_nsec()), (1_000_000_000, 123_456_789));
    assert_eq!(read_xattrs(&path, FileType::Regular).unwrap(), [xattr]);
    assert!(target.degraded().is_empty(), "{:?}", target.degraded());
}

#[test]
fn what_is_there_stays_unless_it_may_be_replaced_and_then_changes_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    put(&target, "f", b"old", false).unwrap();
    assert!(matches!(put(&target, "f", b"new", false), Err(WorktreeError::Exists { .. })));
    let options = FileOptions { replace: true, ..FileOptions::default() };
    let file = target.create_file(&rel("f"), options).unwrap();
    file.write_at(0, b"new").unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"old", "before it is finished");
    file.finish(&meta(0o600)).unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"new");
    assert_eq!(names(dir.path()), ["f"]);
}

#[test]
fn a_file_that_is_not_finished_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    put(&target, "kept", b"old", false).unwrap();
    for path in ["fresh", "kept"] {
        let options = FileOptions { replace: true, ..FileOptions::default() };
        let file = target.create_file(&rel(path), options).unwrap();
        file.write_at(0, b"half").unwrap();
        drop(file);
    }
    assert_eq!(names(dir.path()), ["kept"]);
    assert_eq!(fs::read(dir.path().join("kept")).unwrap(), b"old");
}

#[test]
fn a_directory_is_not_replaced_by_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    grow(dir.path(), &[("d/x", "")]);
    let error = put(&target, "d", b"new", true).unwrap_err();
    assert!(matches!(error, WorktreeError::IsDirectory { .. }), "{error:?}");
    assert!(matches!(target.remove_file(&rel("d")), Err(WorktreeError::IsDirectory { .. })));
    assert_eq!(names(dir.path()), ["d"]);
}

#[test]
fn more_bytes_than_announced_are_refused_and_fewer_are_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    let options = FileOptions { size: Some(8), ..FileOptions::default() };
    let file = target.create_file(&rel("f"), options).unwrap();
    assert!(matches!(
        file.write_at(5, b"1234"),
        Err(WorktreeError::WrongLength { expected: 8, actual: 9, .. })
    ));
    assert!(file.write_at(u64::MAX, b"1234").is_err());
    file.write_at(2, b"ab").unwrap();
    file.finish(&meta(0o600)).unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"\0\0ab\0\0\0\0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_sparse_file_has_the_bytes_that_were_written_in_any_order(
        runs in prop::collection::vec((0_usize..20_000, any::<bool>()), 1..12),
        cuts in prop::collection::vec(0_usize..120_000, 0..10),
        backwards in any::<bool>(),
        sparse in any::<bool>(),
    ) {
        let content: Vec<u8> =
            runs.iter().flat_map(|&(len, zero)| std::iter::repeat_n(if zero { 0 } else { b'x' }, len)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|&cut| cut < content.len()).chain([0, content.len()]).collect();
        cuts.sort_unstable();
        let mut pieces: Vec<_> = cuts.windows(2).map(|pair| (pair[0], &content[pair[0]..pair[1]])).collect();
        if backwards {
            pieces.reverse();
        }
        let dir = tempfile::tempdir().unwrap();
        let target = open(dir.path());
        let options = FileOptions { sparse, size: Some(content.len() as u64), replace: false };
        let file = target.create_file(&rel("f"), options).unwrap();
        for (offset, piece) in pieces {
            file.write_at(offset as u64, piece).unwrap();
        }
        file.finish(&meta(0o600)).unwrap();
        prop_assert_eq!(fs::read(dir.path().join("f")).unwrap(), content);
    }
}

#[test]
fn zeros_of_a_sparse_file_take_up_no_room() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    let options = FileOptions { sparse: true, ..FileOptions::default() };
    let mut file = target.create_file(&rel("f"), options).unwrap();
    file.append(b"start").unwrap();
    file.append(&vec![0; 1 << 20]).unwrap();
    file.append_hole(1 << 40).unwrap();
    file.append(b"end").unwrap();
    file.finish(&meta(0o600)).unwrap();
    let found = fs::metadata(dir.path().join("f")).unwrap();
    assert_eq!(found.len(), 5 + (1 << 20) + (1 << 40) + 3);
    assert!(found.blocks() * 512 <= 32 * 1024, "{} blocks", found.blocks());
}

#[test]
fn links_fifos_and_sockets_come_back_with_their_metadata_and_replace() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    for replace in [false, true] {
        target.symlink(&rel("link"), b"to/\xff", replace, &meta(0o777)).unwrap();
        assert!(target.make_special(&rel("fifo"), FileType::Fifo, replace, &meta(0o640)).unwrap());
        assert!(target.make_special(&rel("socket"), FileType::Socket, replace, &meta(0o604)).unwrap());
    }
    assert!(matches!(
        target.symlink(&rel("link"), b"x", false, &meta(0o777)),
        Err(WorktreeError::Exists { .. })
    ));
    assert_eq!(names(dir.path()), ["fifo", "link", "socket"]);
    assert_eq!(target.read_link(&rel("link")).unwrap(), b"to/\xff");
    let stat = |name: &str| fs::symlink_metadata(dir.path().join(name)).unwrap();
    assert!(stat("fifo").file_type().is_fifo() && stat("fifo").mode() & 0o7777 == 0o640);
    assert!(stat("socket").file_type().is_socket() && stat("socket").mode() & 0o7777 == 0o604);
    for name in ["link", "fifo", "socket"] {
        assert_eq!((stat(name).mtime(), stat(name).mtime_nsec()), (1_000_000_000, 123_456_789), "{name}");
    }
    assert!(target.degraded().is_empty(), "{:?}", target.degraded());
}

#[test]
fn devices_are_made_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let null = FileType::CharDevice { major: 1, minor: 3 };
    let target = open(dir.path());
    assert!(!target.make_special(&rel("null"), null, false, &meta(0o666)).unwrap());
    assert_eq!(target.degraded().devices, Lost { count: 1, first: Some("null".into()) });
    assert!(names(dir.path()).is_empty());
    let target = Target::open(dir.path(), MetaPolicy { devices: true, ..MetaPolicy::safe() }).unwrap();
    if !target.make_special(&rel("null"), null, false, &meta(0o666)).unwrap() {
        println!("SKIPPED: this user may not make devices");
        return;
    }
    assert_eq!(target.stat(&rel("null")).unwrap().unwrap().file_type, null);
    assert_eq!(fs::metadata(dir.path().join("null")).unwrap().mode() & 0o7777, 0o666);
}

#[test]
fn hard_links_lead_to_the_inode_they_were_made_for_and_to_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    target.make_dir(&rel("sub"), false).unwrap();
    let file = target.create_file(&rel("a"), FileOptions::default()).unwrap();
    file.write_at(0, b"shared").unwrap();
    let source = file.link_source().unwrap();
    file.finish(&meta(0o600)).unwrap();
    target.hard_link(&rel("sub/b"), &source, false).unwrap();
    put(&target, "c", b"other", false).unwrap();
    for path in ["c", "a", "c", "sub/b"] {
        target.hard_link(&rel(path), &source, true).unwrap();
    }
    let ino = |path: &str| fs::metadata(dir.path().join(path)).unwrap().ino();
    assert_eq!((ino("a"), ino("a")), (ino("sub/b"), ino("c")));
    assert_eq!(names(dir.path()), ["a", "c", "sub"]);
    assert_eq!(target.link_source(&rel("a")).unwrap(), source);

    put(&target, "a", b"swapped", true).unwrap();
    let error = target.hard_link(&rel("d"), &source, false).unwrap_err();
    assert!(matches!(error, WorktreeError::Changed { .. }), "{error:?}");
    assert_eq!(names(dir.path()), ["a", "c", "sub"]);
}

#[test]
fn directories_are_kept_and_other_things_give_way_only_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    grow(dir.path(), &[("kept/x", ""), ("file", "")]);
    symlink("/", dir.path().join("link")).unwrap();
    assert_eq!(target.make_dir(&RelPath::root(), false).unwrap(), DirMade::Kept);
    assert_eq!(target.make_dir(&rel("kept"), true).unwrap(), DirMade::Kept);
    for path in ["file", "link"] {
        assert!(matches!(target.make_dir(&rel(path), false), Err(WorktreeError::Exists { .. })));
        assert_eq!(target.make_dir(&rel(path), true).unwrap(), DirMade::New);
        assert_eq!(fs::symlink_metadata(dir.path().join(path)).unwrap().mode() & 0o7777, 0o700);
    }
    assert!(dir.path().join("kept/x").exists());
}

#[test]
fn metadata_of_what_is_there_becomes_exactly_what_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    grow(dir.path(), &[("dir/", ""), ("file", "content")]);
    for path in ["dir", "file", ""] {
        let full = dir.path().join(path);
        rustix::fs::setxattr(&full, "user.old", b"1", rustix::fs::XattrFlags::empty()).unwrap();
        let wanted = Xattr { name: b"user.new".to_vec(), value: b"2".to_vec() };
        let meta = RestoreMeta { xattrs: vec![wanted.clone()], ..meta(0o511) };
        target.set_metadata(&rel(path), &meta).unwrap();
        let found = fs::metadata(&full).unwrap();
        assert_eq!((found.mode() & 0o7777, found.mtime()), (0o511, 1_000_000_000), "{path}");
        assert_eq!(target.xattrs(&rel(path)).unwrap(), [wanted]);
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert!(target.degraded().is_empty(), "{:?}", target.degraded());
}

#[test]
fn acls_come_back_and_without_them_the_group_gains_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // user::rw-, user:1234:rwx, group::r--, mask::rwx, other::---
    let entry = |tag: u16, perm: u16, id: u32| {
        [&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let none = u32::MAX;
    let value = [
        2_u32.to_le_bytes().to_vec(),
        entry(1, 6, none),
        entry(2, 7, 1234),
        entry(4, 4, none),
        entry(0x10, 7, none),
        entry(0x20, 0, none),
    ]
    .concat();
    let acl = Xattr { name: b"system.posix_acl_access".to_vec(), value };
    let meta = RestoreMeta { xattrs: vec![acl.clone()], ..meta(0o670) };
    let target = open(dir.path());
    target.create_file(&rel("with"), FileOptions::default()).unwrap().finish(&meta).unwrap();
    if target.degraded().acls.count > 0 {
        println!("SKIPPED: no ACLs on this file system");
        return;
    }
    assert_eq!(target.xattrs(&rel("with")).unwrap(), [acl]);
    assert_eq!(fs::metadata(dir.path().join("with")).unwrap().mode() & 0o7777, 0o670);

    let mut policy = MetaPolicy::safe();
    policy.xattrs.acl = false;
    let target = Target::open(dir.path(), policy).unwrap();
    target.create_file(&rel("without"), FileOptions::default()).unwrap().finish(&meta).unwrap();
    assert_eq!(fs::metadata(dir.path().join("without")).unwrap().mode() & 0o7777, 0o640);
    assert_eq!(target.degraded().acls.count, 1);
}

#[test]
fn nothing_inherits_a_default_acl_where_this_machine_can_have_one() {
    let dir = tempfile::tempdir().unwrap();
    let entry = |tag: u16, perm: u16, id: u32| {
        [&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let none = u32::MAX;
    // user::rwx, user:1234:rwx, group::r-x, mask::rwx, other::r-x
    let rows = [(1, 7, none), (2, 7, 1234), (4, 5, none), (0x10, 7, none), (0x20, 5, none)];
    let rows = rows.map(|(tag, perm, id)| entry(tag, perm, id)).concat();
    let acl = [&2_u32.to_le_bytes()[..], &rows].concat();
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(dir.path(), "system.posix_acl_default", &acl, flags).is_err() {
        println!("SKIPPED: no ACLs on this file system");
        return;
    }
    fs::write(dir.path().join("control"), "").unwrap();
    let target = open(dir.path());
    assert_eq!(target.xattrs(&rel("control")).unwrap().len(), 1, "files inherit it");
    target.create_file(&rel("file"), FileOptions::default()).unwrap().finish(&meta(0o640)).unwrap();
    assert!(target.make_special(&rel("fifo"), FileType::Fifo, false, &meta(0o640)).unwrap());
    target.make_dir(&rel("dir"), false).unwrap();
    target.set_metadata(&rel("dir"), &meta(0o640)).unwrap();
    for path in ["file", "fifo", "dir"] {
        assert_eq!(target.xattrs(&rel(path)).unwrap(), [], "{path}");
        assert_eq!(fs::metadata(dir.path().join(path)).unwrap().mode() & 0o7777, 0o640, "{path}");
    }
    assert!(target.degraded().is_empty(), "{:?}", target.degraded());
}

#[test]
fn owners_come_back_by_name_or_number_and_setuid_with_them() {
    if !is_root() {
        println!("SKIPPED: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let meta = RestoreMeta { uid: 54_321, gid: 54_322, group: b"root".to_vec(), ..meta(0o6755) };
    let cases = [
        ("names", MetaPolicy::safe(), (54_321, 0, 0o6755), 0),
        ("numbers", MetaPolicy { numeric_ids: true, ..MetaPolicy::safe() }, (54_321, 54_322, 0o6755), 0),
        ("none", MetaPolicy { owner: false, ..MetaPolicy::safe() }, (0, 0, 0o755), 1),
        ("asked", MetaPolicy { owner: false, setuid: true, ..MetaPolicy::safe() }, (0, 0, 0o6755), 1),
    ];
    for (path, policy, expected, lost) in cases {
        let target = Target::open(dir.path(), policy).unwrap();
        target.create_file(&rel(path), FileOptions::default()).unwrap().finish(&meta).unwrap();
        let found = fs::metadata(dir.path().join(path)).unwrap();
        assert_eq!((found.uid(), found.gid(), found.mode() & 0o7777), expected, "{path}");
        assert_eq!(target.degraded().owner.count, lost, "{path}");
    }
}

#[test]
fn trees_are_removed_without_following_links() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    grow(outside.path(), &[("precious", "")]);
    grow(dir.path(), &[("t/a/b/c", ""), ("t/d", ""), ("t/empty/", ""), ("keep", "")]);
    symlink(outside.path(), dir.path().join("t/a/out")).unwrap();
    symlink(outside.path(), dir.path().join("link")).unwrap();
    let target = open(dir.path());
    target.remove_all(&rel("t")).unwrap();
    target.remove_all(&rel("link")).unwrap();
    assert_eq!(names(dir.path()), ["keep"]);
    assert_eq!(names(outside.path()), ["precious"]);
    assert!(matches!(target.remove_all(&RelPath::root()), Err(WorktreeError::IsRoot { .. })));
    target.make_dir(&rel("t"), false).unwrap();
    put(&target, "t/again", b"", false).unwrap();
    assert!(target.remove_dir(&rel("t")).is_err());
    target.remove_file(&rel("t/again")).unwrap();
    target.remove_dir(&rel("t")).unwrap();
    assert_eq!(names(dir.path()), ["keep"]);
}

#[test]
fn the_target_can_be_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    grow(dir.path(), &[("b", "content"), ("a/x", "")]);
    symlink("a", dir.path().join("c")).unwrap();
    let target = open(dir.path());
    let list = target.list_dir(&RelPath::root()).unwrap();
    let list: Vec<_> = list.iter().map(|(name, stat)| (name.as_slice(), stat.file_type)).collect();
    assert_eq!(list, [(&b"a"[..], FileType::Dir), (b"b", FileType::Regular), (b"c", FileType::Symlink)]);
    assert_eq!(target.stat(&rel("b")).unwrap().unwrap().size, 7);
    for absent in ["no", "no/x", "b/x", "c/x"] {
        assert_eq!(target.stat(&rel(absent)).unwrap(), None, "{absent}");
    }
    let mut buf = [0; 10];
    assert_eq!(target.read_file(&rel("b")).unwrap().read(&mut buf).unwrap(), 7);
    for other in ["a", "c"] {
        assert!(matches!(target.read_file(&rel(other)), Err(WorktreeError::Changed { .. })));
    }
}

#[test]
fn many_directories_and_threads_share_one_target() {
    let dir = tempfile::tempdir().unwrap();
    let target = open(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let target = target.clone();
            scope.spawn(move || {
                for number in 0..300 {
                    target.make_dir(&rel(&format!("{number}")), false).unwrap();
                    put(&target, &format!("{number}/{thread}"), b"x", false).unwrap();
                }
            });
        }
    });
    assert_eq!(shown(dir.path(), ScanOptions::default()).len(), 300 * 5);
}

#[test]
#[ignore = "a measurement: run it by name in a release build"]
fn measure_a_restore_of_small_files() {
    for threads in [1, 2] {
        let dir = tempfile::tempdir().unwrap();
        let target = open(dir.path());
        let started = std::time::Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let target = target.clone();
                scope.spawn(move || {
                    for number in (thread..2000).step_by(threads) {
                        target.make_dir(&rel(&format!("{number}")), false).unwrap();
                        for file in 0..20 {
                            put(&target, &format!("{number}/{file}"), &[b'x'; 2000], false).unwrap();
                        }
                        target.set_metadata(&rel(&format!("{number}")), &meta(0o755)).unwrap();
                    }
                });
            }
        });
        println!("{threads} threads: 40000 files of 2000 bytes in {:?}", started.elapsed());
    }
}
