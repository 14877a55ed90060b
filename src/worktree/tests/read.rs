use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};

use proptest::prelude::*;

use super::*;

fn stat_of(path: &Path) -> Stat {
    let events = events(path, ScanOptions { threads: 0, ..ScanOptions::default() });
    match &events[0] {
        ScanEvent::Entry(entry) | ScanEvent::EnterDir(entry) => entry.stat,
        other => panic!("{other:?}"),
    }
}

fn read_all(file: &SourceFile) -> Vec<u8> {
    let mut content = Vec::new();
    for segment in file.segments() {
        match segment.unwrap() {
            Segment::Hole { len } => content.resize(content.len() + len as usize, 0),
            Segment::Data { offset, len } => {
                assert_eq!(offset, content.len() as u64);
                let start = content.len();
                content.resize(start + len as usize, 0);
                let mut at = start;
                while at < content.len() {
                    at += match file.read_at(&mut content[at..], at as u64).unwrap() {
                        0 => panic!("the file is shorter than its segments"),
                        len => len,
                    };
                }
            }
        }
    }
    content
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn segments_hold_the_bytes_of_any_sparse_file(
        writes in prop::collection::vec((0_u64..500_000, 1_usize..9000), 0..8),
        len in 0_u64..600_000,
        from in any::<prop::sample::Index>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse");
        let file = File::create(&path).unwrap();
        for (offset, len) in writes {
            file.write_all_at(&vec![b'x'; len], offset).unwrap();
        }
        file.set_len(file.metadata().unwrap().len().max(len)).unwrap();
        let source = SourceFile::open(&path, &stat_of(&path)).unwrap();
        let content = fs::read(&path).unwrap();
        prop_assert_eq!(&read_all(&source), &content);
        let mut offset = from.index(content.len() + 1) as u64;
        for segment in source.segments_from(offset) {
            match segment.unwrap() {
                Segment::Data { offset: start, len } => {
                    prop_assert_eq!(start, offset);
                    offset += len;
                }
                Segment::Hole { len } => {
                    prop_assert!(content[offset as usize..][..len as usize].iter().all(|byte| *byte == 0));
                    offset += len;
                }
            }
        }
        prop_assert_eq!(offset, content.len() as u64);
    }
}

#[test]
fn a_hole_of_a_terabyte_is_found_without_reading_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("huge");
    let file = File::create(&path).unwrap();
    file.write_all_at(b"start", 0).unwrap();
    file.set_len(1 << 40).unwrap();
    let source = SourceFile::open(&path, &stat_of(&path)).unwrap();
    assert!(source.stat().is_sparse());
    let segments: Vec<_> = source.segments().map(Result::unwrap).collect();
    assert_eq!(segments, [Segment::Data { offset: 0, len: 4096 }, Segment::Hole { len: (1 << 40) - 4096 }]);
}

#[test]
fn reading_goes_on_where_it_stopped_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "0123456789").unwrap();
    let mut source = SourceFile::open(&path, &stat_of(&path)).unwrap();
    let mut buf = [0; 4];
    let mut read = Vec::new();
    loop {
        match source.read(&mut buf).unwrap() {
            0 => break,
            len => read.extend_from_slice(&buf[..len]),
        }
    }
    assert_eq!(read, b"0123456789");
    source.seek_to(8);
    assert_eq!(source.read(&mut buf).unwrap(), 2);
    assert_eq!(
        source.segments().map(Result::unwrap).collect::<Vec<_>>(),
        [Segment::Data { offset: 0, len: 10 }]
    );
}

#[test]
fn an_empty_file_has_no_segments() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("empty");
    fs::write(&path, "").unwrap();
    assert_eq!(SourceFile::open(&path, &stat_of(&path)).unwrap().segments().count(), 0);
}

#[test]
fn what_took_the_place_of_a_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let replace: [&dyn Fn(); 4] = [
        &|| symlink("/etc/passwd", &path).unwrap(),
        &|| fs::create_dir(&path).unwrap(),
        &|| {
            let mode = rustix::fs::Mode::RWXU;
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        },
        &|| fs::write(&path, "another inode").unwrap(),
    ];
    for (number, put) in replace.iter().enumerate() {
        fs::write(&path, "the first").unwrap();
        let expected = stat_of(&path);
        fs::rename(&path, dir.path().join(format!("old{number}"))).unwrap();
        put();
        let error = SourceFile::open(&path, &expected).unwrap_err();
        assert!(matches!(error, WorktreeError::Changed { .. }), "{number}: {error:?}");
        if path.is_dir() { fs::remove_dir(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
    }
}

#[test]
fn a_file_that_is_written_to_while_it_is_open_has_changed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "one").unwrap();
    let source = SourceFile::open(&path, &stat_of(&path)).unwrap();
    assert!(!source.changed_since_open().unwrap());
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"two").unwrap();
    assert!(source.changed_since_open().unwrap());
}

#[test]
fn reading_leaves_the_access_time_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "content").unwrap();
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let times = fs::FileTimes::new().set_accessed(old).set_modified(std::time::SystemTime::now());
    File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    let mut source = SourceFile::open(&path, &stat_of(&path)).unwrap();
    source.read(&mut [0; 100]).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().atime(), 1_000_000);
    File::open(&path).unwrap().read_exact(&mut [0; 1]).unwrap();
}

#[test]
fn extended_attributes_come_sorted_also_large_ones_and_none_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    assert_eq!(read_xattrs(&path, FileType::Regular).unwrap(), []);
    let large = vec![7; 3000];
    let wanted = [("user.a", &b""[..]), ("user.b", &large), ("user.c", b"\0\xff")];
    for (name, value) in wanted.iter().rev() {
        rustix::fs::setxattr(&path, *name, value, rustix::fs::XattrFlags::empty()).unwrap();
    }
    let expected: Vec<_> = wanted
        .iter()
        .map(|(name, value)| Xattr { name: name.as_bytes().to_vec(), value: value.to_vec() })
        .collect();
    assert_eq!(read_xattrs(&path, FileType::Regular).unwrap(), expected);
    assert_eq!(SourceFile::open(&path, &stat_of(&path)).unwrap().xattrs().unwrap(), expected);
    symlink(&path, dir.path().join("link")).unwrap();
    assert_eq!(read_xattrs(&dir.path().join("link"), FileType::Symlink).unwrap(), []);
    assert_eq!(read_xattrs(Path::new("/proc/self/status"), FileType::Regular).unwrap(), []);
}

#[test]
fn links_are_read_as_bytes_and_other_things_are_no_links() {
    let dir = tempfile::tempdir().unwrap();
    let link = dir.path().join("link");
    let long = [b"\xff/".repeat(1000), b"end".to_vec()].concat();
    symlink(name(&long), &link).unwrap();
    assert_eq!(read_link(&link).unwrap(), long);
    assert!(read_link(dir.path()).is_err());
}

#[test]
fn owners_have_names_if_the_machine_knows_them() {
    let names = OwnerNames::new();
    for _ in 0..2 {
        assert_eq!((names.user(0), names.group(0)), (b"root".to_vec(), b"root".to_vec()));
        assert_eq!(names.user(3_999_999_999), b"");
    }
    let ids = OwnerIds::new();
    assert_eq!((ids.user(b"root"), ids.group(b"root")), (Some(0), Some(0)));
    for nobody in [&b""[..], b"no\0body", b"\xff\xfe", b"no such user here"] {
        assert_eq!((ids.user(nobody), ids.group(nobody)), (None, None), "{nobody:?}");
    }
}
