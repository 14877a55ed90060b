use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::process::Command;

use super::super::testkit::{commit_tree, repository, repository_with};
use super::*;
use crate::observe::Silent;
use crate::repo::{ChunkerConfig, ChunkerKind};
use crate::testing::{RecordingObserver, TreeSnapshot, differences, make_tree, snapshot};

fn archived(
    repo: &Repository,
    commit: CommitId,
    selection: &Selection,
    prefix: &str,
) -> (Vec<u8>, ArchiveOutcome) {
    let mut bytes = Vec::new();
    let done = archive(repo, commit, selection, prefix.as_bytes(), &mut bytes, &Silent).unwrap();
    assert_eq!(bytes.len() % BLOCK, 0);
    (bytes, done)
}

/// Names of all members with their types, as the crate reads them.
fn members(bytes: &[u8]) -> Vec<(String, tar::EntryType)> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap().map(Result::unwrap);
    entries
        .map(|entry| (String::from_utf8_lossy(&entry.path_bytes()).into_owned(), entry.header().entry_type()))
        .collect()
}

fn names(bytes: &[u8]) -> Vec<String> {
    members(bytes).into_iter().map(|(name, _)| name).collect()
}

fn paths(paths: &[&str]) -> Selection {
    Selection { paths: paths.iter().map(|path| path.as_bytes().to_vec()).collect(), ..Selection::default() }
}

/// Extracts with GNU tar; `None` if there is none. It warns of odd times, and does not know the record that says that a
/// long name is not UTF-8, which POSIX has for it.
fn extract(bytes: &[u8], to: &Path) -> Option<()> {
    let version = Command::new("tar").arg("--version").output().ok()?;
    if !version.stdout.starts_with(b"tar (GNU tar)") {
        return None;
    }
    let file = to.with_extension("tar");
    fs::write(&file, bytes).unwrap();
    fs::create_dir(to).unwrap();
    let done = Command::new("tar")
        .args([
            "-xp",
            "--numeric-owner",
            "--xattrs",
            "--xattrs-include=*",
            "--warning=no-timestamp",
            "--warning=no-unknown-keyword",
            "-f",
        ])
        .arg(&file)
        .arg("-C")
        .arg(to)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.is_empty(), "{said}");
    Some(())
}

fn without_sockets(mut tree: TreeSnapshot) -> TreeSnapshot {
    tree.retain(|_, facts| facts.kind != "socket");
    tree
}

#[test]
fn gnu_tar_brings_everything_back_that_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    make_tree(&source, 6, 80).unwrap();
    let long = source.join("x".repeat(120)).join("y".repeat(120));
    fs::create_dir_all(&long).unwrap();
    fs::write(long.join("z".repeat(200)), "long").unwrap();
    symlink("t".repeat(300), long.join("link")).unwrap();
    fs::write(long.join(OsStr::from_bytes(b"not \xff text")), "long and binary").unwrap();
    fs::hard_link(long.join("z".repeat(200)), long.join("twin")).unwrap();
    let repo = repository();
    let commit = commit_tree(&repo, &source, 1);
    let (bytes, done) = archived(&repo, commit, &Selection::default(), "");
    let extracted = dir.path().join("extracted");
    if extract(&bytes, &extracted).is_none() {
        println!("SKIPPED: there is no GNU tar");
        return;
    }
    let expected = without_sockets(snapshot(&source).unwrap());
    let found = differences(&expected, &snapshot(&extracted).unwrap());
    assert_eq!(found, [""; 0], "{} differences", found.len());
    let total = (done.files + done.dirs + done.others, done.skipped);
    assert_eq!(total, (expected.len() as u64, 1));
    assert!((bytes.len() as u64) < done.bytes, "holes are not written");
}

#[test]
fn holes_of_any_place_and_length_come_back() {
    // A hole is found by a chunk that stands there more than once: both find all of 17 KiB or more.
    let seqcdc = ChunkerConfig::new(ChunkerKind::SeqCdc, 4 << 10).unwrap();
    [repository(), repository_with(seqcdc)].iter().for_each(holes_come_back);
}

fn holes_come_back(repo: &Repository) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    let mut rng = crate::testing::Rng::new(11);
    for number in 0..40 {
        let file = fs::File::create(source.join(format!("file{number}"))).unwrap();
        for _ in 0..rng.below(4) {
            let (offset, len) = (rng.below(2 << 20) as u64, rng.below(50_000));
            file.write_all_at(&rng.bytes(len), offset).unwrap();
        }
        let more = rng.below(3) * rng.below(1 << 20);
        let end = file.metadata().unwrap().len() + more as u64;
        file.set_len(end).unwrap();
    }
    let commit = commit_tree(repo, &source, 1);
    let (bytes, done) = archived(repo, commit, &Selection::default(), "");
    assert!((bytes.len() as u64) < done.bytes / 2, "{} {done:?}", bytes.len());
    let extracted = dir.path().join("extracted");
    if extract(&bytes, &extracted).is_none() {
        println!("SKIPPED: there is no GNU tar");
        return;
    }
    let found = differences(&snapshot(&source).unwrap(), &snapshot(&extracted).unwrap());
    assert_eq!(found, [""; 0]);
}

#[test]
fn a_prefix_leads_every_name_and_the_top_has_the_metadata_of_the_root() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/file"), "1").unwrap();
    let repo = repository();
    let commit = commit_tree(&repo, dir.path(), 1);
    let all = Selection::default();
    assert_eq!(names(&archived(&repo, commit, &all, "").0), ["d/", "d/file"]);
    assert_eq!(names(&archived(&repo, commit, &all, "old-").0), ["old-d/", "old-d/file"]);
    let (bytes, done) = archived(&repo, commit, &all, "old/");
    assert_eq!(names(&bytes), ["old/", "old/d/", "old/d/file"]);
    assert_eq!((done.dirs, done.files, done.bytes), (2, 1, 1));
    let mut archive = tar::Archive::new(&bytes[..]);
    let top = archive.entries().unwrap().next().unwrap().unwrap();
    assert_eq!(
        top.header().mtime().unwrap(),
        u64::try_from(fs::metadata(dir.path()).unwrap().mtime()).unwrap()
    );
}

#[test]
fn a_selection_comes_with_the_directories_above_it_and_with_whole_hard_links() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    fs::create_dir_all(dir.path().join("c/d")).unwrap();
    fs::write(dir.path().join("a/b/first"), "linked").unwrap();
    fs::hard_link(dir.path().join("a/b/first"), dir.path().join("c/d/second")).unwrap();
    fs::hard_link(dir.path().join("a/b/first"), dir.path().join("c/third")).unwrap();
    let repo = repository();
    let commit = commit_tree(&repo, dir.path(), 1);
    let (bytes, _) = archived(&repo, commit, &paths(&["c/d", "nowhere"]), "");
    assert_eq!(
        members(&bytes),
        [
            ("c/".to_owned(), tar::EntryType::Directory),
            ("c/d/".to_owned(), tar::EntryType::Directory),
            ("c/d/second".to_owned(), tar::EntryType::Regular),
        ]
    );
    let (bytes, done) = archived(&repo, commit, &paths(&["c"]), "p/");
    assert_eq!((done.files, done.others), (1, 1));
    let mut archive = tar::Archive::new(&bytes[..]);
    let links: BTreeMap<_, _> = archive
        .entries()
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            Some((entry.path_bytes().into_owned(), entry.link_name_bytes()?.into_owned()))
        })
        .collect();
    assert_eq!(links, BTreeMap::from([(b"p/c/d/second".to_vec(), b"p/c/third".to_vec())]));
    assert_eq!(names(&archived(&repo, commit, &paths(&["nowhere"]), "").0), [""; 0]);
}

#[test]
fn the_same_commit_gives_the_same_bytes_and_files_read_back() {
    let dir = tempfile::tempdir().unwrap();
    make_tree(dir.path(), 7, 20).unwrap();
    let repo = repository();
    let commit = commit_tree(&repo, dir.path(), 1);
    let (bytes, _) = archived(&repo, commit, &Selection::default(), "");
    assert!(bytes == archived(&repo, commit, &Selection::default(), "").0);
    let mut archive = tar::Archive::new(&bytes[..]);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path_bytes() == &b"contents/random"[..] {
            let mut found = Vec::new();
            entry.read_to_end(&mut found).unwrap();
            assert!(found == fs::read(dir.path().join("contents/random")).unwrap());
            return;
        }
    }
    panic!("contents/random is missing");
}

#[test]
fn sockets_are_told_and_a_cancelled_archive_stops() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "1").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let repo = repository();
    let commit = commit_tree(&repo, dir.path(), 1);
    let observer = RecordingObserver::new();
    let mut bytes = Vec::new();
    let done = archive(&repo, commit, &Selection::default(), b"", &mut bytes, &observer).unwrap();
    assert_eq!((done.files, done.others, done.skipped), (1, 0, 1));
    assert_eq!(names(&bytes), ["file"]);
    assert_eq!(observer.notices().len(), 1);
    let stopped = RecordingObserver::cancelling_after(1);
    let stopped = archive(&repo, commit, &Selection::default(), b"", &mut bytes, &stopped);
    assert!(matches!(stopped, Err(OpsError::Cancelled)), "{stopped:?}");
}
