//! A real tree, `/usr/share`, goes into a repository and comes back. The comparison has its own walk and shares nothing
//! with warp: every byte, and all that the system tells of every entry.

#![cfg(feature = "testing")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use common::{Bench, request};
use rustix::fs::{CWD, FileType, Mode, SeekFrom, makedev, mknodat};
use warp::ops::{self, CommitRequest, RestoreRequest, Source};
use warp::testing::{RecordingObserver, make_tree};

const REAL: &str = "/usr/share";
/// How much of it an ordinary run takes, in bytes, folder by folder: half a minute. With `WARP_LONG=1` it takes all.
const ORDINARY_LEN: u64 = 1 << 30;
/// Holes are compared in whole pieces of this many bytes: file systems round their ends.
const HOLE_PIECE: u64 = 64 << 10;

#[test]
fn a_real_tree_comes_back_whole_as_far_as_this_machine_can_tell() {
    let bench = Bench::new();
    let odd = bench.path("odd");
    make_odd_tree(&odd);
    let mut sources = chosen(Path::new(REAL));
    sources.push(odd);

    let before: Vec<Look> = sources.iter().map(|source| look(source)).collect();
    let restored = there_and_back(&bench, &sources);
    let mut differences = Differences::default();
    for (source, before) in sources.iter().zip(&before) {
        let target = restored.join(source.strip_prefix("/").unwrap());
        differences.compare(source, before, &target);
    }
    differences.report();
}

/// Commits the sources and returns where they were restored.
fn there_and_back(bench: &Bench, sources: &[PathBuf]) -> PathBuf {
    let observer = RecordingObserver::new();
    let request =
        CommitRequest { source: Source::Paths(sources.to_vec()), branch: None, ..request(Path::new("/")) };
    let commit = ops::commit(&bench.repo, request, &observer).unwrap().commit.unwrap();
    let problems = observer.problems();
    let unreadable = |path: &Path| !is_root() && File::open(path).is_err();
    assert!(problems.iter().all(|(path, _)| unreadable(path)), "{problems:?}");
    let target = bench.path("restored");
    let request = RestoreRequest {
        devices: true,
        setuid: true,
        trusted_xattrs: true,
        ..RestoreRequest::new(commit, &target)
    };
    let observer = RecordingObserver::new();
    ops::restore(&bench.repo, request, &observer).unwrap();
    assert_eq!(observer.problems(), []);
    target
}

/// Whole folders and files of `real`, by name, as many as fit; says what it took.
fn chosen(real: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(real) else {
        println!("SKIPPED: there is no {}", real.display());
        return Vec::new();
    };
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let lens: Vec<u64> = entries.iter().map(|entry| total_len(entry)).collect();
    let mut room = if std::env::var_os("WARP_LONG").is_some() { u64::MAX } else { ORDINARY_LEN };
    let (all, whole, mut taken) = (entries.len(), lens.iter().sum::<u64>(), 0);
    let fit = entries.into_iter().zip(lens).filter(|(_, len)| {
        let fits = *len <= room;
        if fits {
            room -= len;
            taken += len;
        }
        fits
    });
    let fit: Vec<PathBuf> = fit.map(|(path, _)| path).collect();
    let (count, real) = (fit.len(), real.display());
    println!("covered: {count} of {all} entries of {real}, {} of {} MiB", taken >> 20, whole >> 20);
    if taken < whole {
        println!("SKIPPED: the other entries of {real} (WARP_LONG=1 takes all)");
    }
    fit
}

fn total_len(path: &Path) -> u64 {
    let entries = walkdir::WalkDir::new(path).into_iter().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.metadata().map_or(0, |m| m.len()))
        .sum()
}

/// What real trees lack: odd names, holes, links, attributes, special files, devices.
fn make_odd_tree(root: &Path) {
    for skipped in make_tree(root, 2026, 40).unwrap().skipped {
        println!("SKIPPED: {skipped}");
    }
    let special = root.join("special");
    for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755)] {
        fs::write(special.join(name), name).unwrap();
        fs::set_permissions(special.join(name), PermissionsExt::from_mode(mode)).unwrap();
    }
    let mode = Mode::from_raw_mode(0o640);
    let devices = [
        ("null", FileType::CharacterDevice, makedev(1, 3)),
        ("loop", FileType::BlockDevice, makedev(7, 300)),
    ];
    let mut made =
        devices.map(|(name, kind, number)| mknodat(CWD, special.join(name), kind, mode, number)).into_iter();
    if made.any(|made| made.is_err()) {
        println!("SKIPPED: this user may not make devices: not compared");
    }
}

/// All that the system tells of an entry.
#[derive(Debug, Clone)]
struct Entry {
    kind: fs::FileType,
    mode: u32,
    owner: (u32, u32),
    mtime: (i64, i64),
    ctime: (i64, i64),
    len: u64,
    device: u64,
    target: Option<PathBuf>,
    xattrs: BTreeMap<String, Vec<u8>>,
}

/// Entries of a tree by their path below its root, the root (an empty path) among them.
#[derive(Debug, Default)]
struct Look {
    entries: BTreeMap<PathBuf, Entry>,
    /// Every group of names of one inode.
    groups: BTreeSet<BTreeSet<PathBuf>>,
    /// Folders that this user may not read.
    closed: Vec<PathBuf>,
}

fn look(root: &Path) -> Look {
    let mut look = Look::default();
    let mut inodes: HashMap<(u64, u64), BTreeSet<PathBuf>> = HashMap::new();
    for found in walkdir::WalkDir::new(root) {
        let found = match found {
            Ok(found) => found,
            Err(error) if !is_root() => {
                look.closed.extend(error.path().map(|path| below(root, path)));
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        let (path, meta) = (found.path(), found.path().symlink_metadata().unwrap());
        let name = below(root, path);
        if meta.nlink() > 1 && !meta.is_dir() {
            inodes.entry((meta.dev(), meta.ino())).or_default().insert(name.clone());
        }
        look.entries.insert(name, entry(path, &meta));
    }
    look.groups = inodes.into_values().filter(|names| names.len() > 1).collect();
    look
}

fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap().to_owned()
}

fn entry(path: &Path, meta: &fs::Metadata) -> Entry {
    let kind = meta.file_type();
    let is_device = kind.is_char_device() || kind.is_block_device();
    Entry {
        kind,
        mode: if kind.is_symlink() { 0 } else { meta.mode() & 0o7777 },
        owner: (meta.uid(), meta.gid()),
        mtime: (meta.mtime(), meta.mtime_nsec()),
        ctime: (meta.ctime(), meta.ctime_nsec()),
        len: if kind.is_file() { meta.len() } else { 0 },
        device: if is_device { meta.rdev() } else { 0 },
        target: kind.is_symlink().then(|| fs::read_link(path).unwrap()),
        xattrs: xattrs(path),
    }
}

/// Extended attributes; of a user other than root those that this user may give back.
fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 64 << 10];
    let len = match rustix::fs::llistxattr(path, &mut names) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        len => len.unwrap(),
    };
    let names = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let names = names.map(|name| String::from_utf8(name.to_vec()).unwrap());
    let mine =
        |name: &String| is_root() || name.starts_with("user.") || name.starts_with("system.posix_acl_");
    let value = |name: &String| {
        let mut value = vec![0; 64 << 10];
        let len = rustix::fs::lgetxattr(path, name.as_str(), &mut value).unwrap();
        value.truncate(len);
        value
    };
    names.filter(mine).map(|name| (name.clone(), value(&name))).collect()
}

/// What is not the same, and what could not be compared.
#[derive(Debug, Default)]
struct Differences {
    found: Vec<String>,
    entries: usize,
    bytes: u64,
    holes: usize,
    unread: usize,
    changed: usize,
}

impl Differences {
    fn compare(&mut self, source: &Path, before: &Look, target: &Path) {
        let (after, now) = (look(target), look(source));
        for (name, old) in &before.entries {
            let path = source.join(name);
            if now.entries.get(name).is_none_or(|now| now.ctime != old.ctime) {
                // Somebody worked on it meanwhile.
                self.changed += 1;
                continue;
            }
            match after.entries.get(name) {
                Some(new) => self.entry(&path, old, &target.join(name), new),
                None if is_closed(&path, old) => self.unread += 1,
                None => self.found.push(format!("{path:?} did not come back")),
            }
        }
        let more = after.entries.keys().filter(|name| !now.entries.contains_key(*name));
        self.found.extend(more.map(|name| format!("{:?} is too much", target.join(name))));
        self.unread += before.closed.len();
        if self.changed == 0 && self.unread == 0 {
            let apart = before.groups.symmetric_difference(&after.groups);
            self.found
                .extend(apart.map(|names| format!("{source:?}: one inode on one side only: {names:?}")));
        }
    }

    fn entry(&mut self, path: &Path, old: &Entry, copy: &Path, new: &Entry) {
        self.entries += 1;
        let mut same = |what: &str, same: bool| {
            if !same {
                self.found.push(format!("{path:?}: {what}: {old:?}, came back as {new:?}"));
            }
        };
        same("kind", old.kind == new.kind);
        same("mode", old.mode == new.mode);
        same("owner", old.owner == new.owner || !is_root());
        same("mtime", old.mtime == new.mtime);
        same("length", old.len == new.len);
        same("device", old.device == new.device);
        same("target", old.target == new.target);
        same("attributes", old.xattrs == new.xattrs);
        if old.kind.is_file() && new.kind.is_file() {
            self.content(path, copy, old.len);
        }
    }

    fn content(&mut self, path: &Path, copy: &Path, len: u64) {
        let (old, new) = match (File::open(path), File::open(copy)) {
            (Ok(old), Ok(new)) => (old, new),
            (Err(_), _) if !is_root() => {
                self.unread += 1;
                return;
            }
            (old, new) => panic!("{path:?}: {old:?} {new:?}"),
        };
        let (gaps, filled) = (holes(&old, len), data(&new, len));
        self.holes += gaps.len();
        let is_filled = |gap: &(u64, u64)| filled.iter().any(|data| data.0 < gap.1 && gap.0 < data.1);
        if let Some(gap) = gaps.iter().find(|gap| is_filled(gap)) {
            self.found.push(format!("{path:?}: the hole {gap:?} was filled: {filled:?}"));
        }
        match first_difference(old, new).unwrap() {
            None => self.bytes += len,
            Some(at) => self.found.push(format!("{path:?}: byte {at} differs")),
        }
    }

    fn report(&self) {
        println!("compared: {} entries, {} bytes, {} holes", self.entries, self.bytes, self.holes);
        if !is_root() {
            println!(
                "SKIPPED: only root can give back owners and security.* and trusted.* attributes: not compared"
            );
        }
        if self.unread > 0 {
            println!("SKIPPED: {} paths that this user may not read, and hard links", self.unread);
        }
        if self.changed > 0 {
            println!("SKIPPED: {} paths that changed while the test ran, and hard links", self.changed);
        }
        if self.holes == 0 {
            println!("SKIPPED: this file system shows no holes, none were compared");
        }
        let shown = self.found.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(self.found.is_empty(), "{} differences:\n{shown}", self.found.len());
    }
}

/// Whether this user may not read it, so that it is in no commit.
fn is_closed(path: &Path, entry: &Entry) -> bool {
    !is_root() && (entry.kind.is_file() || entry.kind.is_dir()) && File::open(path).is_err()
}

/// Stretches of data.
fn data(file: &File, len: u64) -> Vec<(u64, u64)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < len {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(rustix::io::Errno::NXIO) => break,
            Err(_) => return vec![(0, len)],
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap().min(len);
        found.push((start, end));
        at = end;
    }
    rustix::fs::seek(file, SeekFrom::Start(0)).unwrap();
    found
}

/// Whole pieces without data.
fn holes(file: &File, len: u64) -> Vec<(u64, u64)> {
    let mut data = data(file, len);
    data.push((len, len));
    let mut at = 0;
    let between = data.into_iter().map(|(start, end)| (std::mem::replace(&mut at, end), start));
    let whole =
        between.map(|(start, end)| (start.next_multiple_of(HOLE_PIECE), end / HOLE_PIECE * HOLE_PIECE));
    whole.filter(|(start, end)| start < end).collect()
}

/// Where two files differ first.
fn first_difference(mut old: File, mut new: File) -> io::Result<Option<u64>> {
    let (mut a, mut b) = (vec![0; 1 << 18], vec![0; 1 << 18]);
    let mut at = 0;
    loop {
        let read = old.read(&mut a)?;
        let mut got = 0;
        while got < read.max(1) {
            match new.read(&mut b[got..read.max(1)])? {
                0 => break,
                more => got += more,
            }
        }
        let same = a[..read].iter().zip(&b[..got]).take_while(|(a, b)| a == b).count();
        if same < read || got > read {
            return Ok(Some(at + same as u64));
        }
        if read == 0 {
            return Ok(None);
        }
        at += read as u64;
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn the_comparison_sees_every_kind_of_difference() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    for tree in [&one, &two] {
        make_tree(tree, 5, 0).unwrap();
        File::open(tree).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    let count = || {
        let mut differences = Differences::default();
        differences.compare(&one, &look(&one), &two);
        differences.found
    };
    assert_eq!(count(), [""; 0]);
    let file = two.join("contents/only-hole");
    let times = file.symlink_metadata().unwrap();
    fs::write(&file, vec![0; 20 << 20]).unwrap();
    File::open(&file).unwrap().set_modified(times.modified().unwrap()).unwrap();
    let filled = count();
    assert!(filled.len() == 1 && filled[0].contains("hole"), "{filled:?}");
    fs::write(two.join("names/a-b"), "x").unwrap();
    fs::remove_file(two.join("links/second")).unwrap();
    fs::write(two.join("more"), "").unwrap();
    let found = count();
    for part in ["length", "byte 0", "did not come back", "too much", "one inode", "mtime"] {
        assert!(found.iter().any(|line| line.contains(part)), "{part} is not among {found:#?}");
    }
}
