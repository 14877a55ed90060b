//! Whether two trees are the same in everything that a backup keeps.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CString, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::limits::{XATTR_LIST_LEN_MAX, XATTR_VALUE_LEN_MAX};

/// How much more room than the original a copy of a file with holes may take, in bytes: file systems round up.
const HOLE_SLACK: u64 = 128 * 1024;

/// What is worth keeping of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `file`, `folder`, `link`, `fifo`, `socket`, `char device` or `block device`.
    pub kind: &'static str,
    /// Permission bits, with setuid, setgid and sticky; 0 of a link.
    pub mode: u32,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Length in bytes; 0 of anything but a file.
    pub len: u64,
    /// BLAKE3 hash of a file's bytes.
    pub content: Option<blake3::Hash>,
    /// Target of a link.
    pub target: Option<PathBuf>,
    /// Number of a device.
    pub device: u64,
    /// Extended attributes, ACLs among them.
    pub xattrs: BTreeMap<OsString, Vec<u8>>,
    /// The first path in the tree that is the same file, if that is another one.
    pub same_as: Option<PathBuf>,
    /// Bytes on disk, if the file takes less than its length: it has holes.
    pub sparse: Option<u64>,
}

/// A tree as it was at one moment: relative path to facts. The root itself is left out.
pub type TreeSnapshot = BTreeMap<PathBuf, Facts>;

/// Reads a tree.
///
/// # Errors
/// If anything in it cannot be read.
pub fn snapshot(root: &Path) -> io::Result<TreeSnapshot> {
    let mut paths = super::tree::walk(root)?;
    paths.sort();
    let mut first_of = HashMap::new();
    let mut tree = TreeSnapshot::new();
    for path in paths {
        let meta = fs::symlink_metadata(&path)?;
        let relative = path.strip_prefix(root).expect("the walk starts at the root").to_owned();
        let mut facts = facts(&path, &meta)?;
        if meta.nlink() > 1 && !meta.is_dir() {
            let first = first_of.entry((meta.dev(), meta.ino())).or_insert_with(|| relative.clone());
            facts.same_as = Some(first.clone()).filter(|first| *first != relative);
        }
        tree.insert(relative, facts);
    }
    Ok(tree)
}

/// What is not the same in two trees, one line each: `path: what: expected, found`. Empty if they are the same.
///
/// A file with holes must have holes in `found`, too; that a file without holes got some is no difference.
pub fn differences(expected: &TreeSnapshot, found: &TreeSnapshot) -> Vec<String> {
    let missing =
        expected.keys().filter(|path| !found.contains_key(*path)).map(|path| format!("{path:?}: is missing"));
    let extra = found
        .keys()
        .filter(|path| !expected.contains_key(*path))
        .map(|path| format!("{path:?}: is too much"));
    let changed = expected.iter().filter_map(|(path, facts)| Some((path, facts, found.get(path)?)));
    missing.chain(extra).chain(changed.flat_map(|(path, a, b)| path_differences(path, a, b))).collect()
}

/// Fails with the differences unless the trees at two folders are the same.
///
/// # Panics
/// If they differ, or if one cannot be read.
#[track_caller]
pub fn assert_same_tree(expected: &Path, found: &Path) {
    let read = |root: &Path| snapshot(root).unwrap_or_else(|error| panic!("cannot read {root:?}: {error}"));
    let differences = differences(&read(expected), &read(found));
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        differences.is_empty(),
        "{found:?} differs from {expected:?} in {} ways:\n{shown}",
        differences.len()
    );
}

fn path_differences(path: &Path, a: &Facts, b: &Facts) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |what: &str, a: String, b: String| {
        if a != b {
            lines.push(format!("{path:?}: {what}: expected {a}, found {b}"));
        }
    };
    compare("kind", a.kind.to_owned(), b.kind.to_owned());
    compare("mode", format!("{:o}", a.mode), format!("{:o}", b.mode));
    compare("owner", format!("{}:{}", a.uid, a.gid), format!("{}:{}", b.uid, b.gid));
    compare("mtime", a.mtime_ns.to_string(), b.mtime_ns.to_string());
    compare("length", a.len.to_string(), b.len.to_string());
    compare("content", format!("{:?}", a.content), format!("{:?}", b.content));
    compare("target", format!("{:?}", a.target), format!("{:?}", b.target));
    compare("device", a.device.to_string(), b.device.to_string());
    compare("attributes", format!("{:?}", a.xattrs), format!("{:?}", b.xattrs));
    compare("same file as", format!("{:?}", a.same_as), format!("{:?}", b.same_as));
    if let Some(room) = a.sparse {
        let taken = b.sparse.unwrap_or(b.len);
        let filled = taken > room + HOLE_SLACK;
        compare("holes filled", "false".to_owned(), filled.to_string());
    }
    lines
}

fn facts(path: &Path, meta: &Metadata) -> io::Result<Facts> {
    let (is_file, is_link) = (meta.is_file(), meta.is_symlink());
    let on_disk = meta.blocks() * 512;
    let is_device = meta.file_type().is_char_device() || meta.file_type().is_block_device();
    Ok(Facts {
        kind: kind(meta),
        mode: if is_link { 0 } else { meta.mode() & 0o7777 },
        uid: meta.uid(),
        gid: meta.gid(),
        mtime_ns: i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec()),
        len: if is_file { meta.len() } else { 0 },
        content: if is_file { Some(hash(path)?) } else { None },
        target: if is_link { Some(fs::read_link(path)?) } else { None },
        device: if is_device { meta.rdev() } else { 0 },
        xattrs: xattrs(path)?,
        same_as: None,
        sparse: Some(on_disk).filter(|on_disk| is_file && *on_disk < meta.len()),
    })
}

fn kind(meta: &Metadata) -> &'static str {
    match meta.file_type() {
        kind if kind.is_file() => "file",
        kind if kind.is_dir() => "folder",
        kind if kind.is_symlink() => "link",
        kind if kind.is_fifo() => "fifo",
        kind if kind.is_socket() => "socket",
        kind if kind.is_char_device() => "char device",
        _ => "block device",
    }
}

fn hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize())
}

fn xattrs(path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    let mut names = vec![0u8; XATTR_LIST_LEN_MAX];
    let len = match rustix::fs::llistxattr(path, &mut names) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        other => other?,
    };
    let mut found = BTreeMap::new();
    for name in names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0u8; XATTR_VALUE_LEN_MAX];
        let len = rustix::fs::lgetxattr(path, CString::new(name)?, &mut value)?;
        value.truncate(len);
        found.insert(OsString::from_vec(name.to_vec()), value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::{edit_tree, make_tree};
    use super::*;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_same_seed_makes_the_same_tree_and_another_seed_another() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] {
            let made = make_tree(&at(name), seed, 40).unwrap();
            assert!(made.entries > 100, "{made:?}");
        }
        assert_same_tree(&at("a"), &at("b"));
        assert!(!differences(&snapshot(&at("a")).unwrap(), &snapshot(&at("c")).unwrap()).is_empty());
    }

    #[test]
    fn the_same_edits_of_the_same_tree_give_the_same_names_and_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let trees = ["a", "b"].map(|name| dir.path().join(name));
        let done = trees.each_ref().map(|tree| {
            make_tree(tree, 5, 30).unwrap();
            edit_tree(tree, 6, 60).unwrap().len()
        });
        assert_eq!(done, [60, 60]);
        let [a, b] = trees.map(|tree| {
            let tree = snapshot(&tree).unwrap();
            tree.into_iter().map(|(path, facts)| (path, facts.content, facts.mode)).collect::<Vec<_>>()
        });
        assert_eq!(a, b);
    }

    #[test]
    fn every_batch_of_edits_changes_the_tree() {
        let dir = tempfile::tempdir().unwrap();
        make_tree(dir.path(), 7, 20).unwrap();
        let mut before = snapshot(dir.path()).unwrap();
        for seed in 0..8 {
            let edits =
                edit_tree(dir.path(), seed, 40).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            let after = snapshot(dir.path()).unwrap();
            assert!(!differences(&before, &after).is_empty(), "seed {seed}: {edits:?}");
            before = after;
        }
    }

    /// Makes a tree and a copy from the same seed, changes the copy, and returns what is found to differ.
    fn differences_after(change: impl Fn(&Path)) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        for tree in [&a, &b] {
            make_tree(tree, 9, 5).unwrap();
        }
        change(&b);
        differences(&snapshot(&a).unwrap(), &snapshot(&b).unwrap())
    }

    /// Changes a file but not its time, nor that of its folder.
    fn keeping_times(path: &Path, change: impl Fn()) {
        let times = [path, path.parent().unwrap()].map(|path| fs::symlink_metadata(path).unwrap());
        change();
        for (path, meta) in [path, path.parent().unwrap()].into_iter().zip(times) {
            super::super::tree::set_mtime(path, meta.mtime(), meta.mtime_nsec()).unwrap();
        }
    }

    #[test]
    fn every_kind_of_change_is_seen_and_only_that() {
        type Change = fn(&Path);
        let cases: [(&str, &str, Change); 8] = [
            ("contents/text", "content", |path| {
                let mut bytes = fs::read(path).unwrap();
                bytes[1000] ^= 1;
                fs::write(path, bytes).unwrap();
            }),
            ("contents/only-hole", "holes filled", |path| fs::write(path, vec![0; 20 << 20]).unwrap()),
            ("contents/one-byte", "mode", |path| {
                fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
            }),
            ("links/empty-twin", "same file as", |path| {
                fs::remove_file(path).unwrap();
                fs::write(path, "").unwrap();
            }),
            ("links/dangling", "target", |path| {
                fs::remove_file(path).unwrap();
                symlink("elsewhere", path).unwrap();
            }),
            ("contents/empty-folder", "kind", |path| {
                fs::remove_dir(path).unwrap();
                fs::write(path, "").unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
            }),
            ("attributes/file", "attributes", |path| {
                rustix::fs::lsetxattr(path, "user.warp.empty", b"1", rustix::fs::XattrFlags::empty())
                    .unwrap();
            }),
            ("contents/empty", "length", |path| fs::write(path, "1").unwrap()),
        ];
        for (path, what, change) in cases {
            let found =
                differences_after(|root| keeping_times(&root.join(path), || change(&root.join(path))));
            let expected = format!("{path:?}: {what}: ");
            assert!(found.iter().any(|line| line.starts_with(&expected)), "{path} {what}: {found:?}");
            assert!(found.iter().all(|line| line.contains(path)), "{path} {what}: {found:?}");
        }
    }

    #[test]
    fn one_nanosecond_a_missing_and_an_additional_file_are_differences() {
        let found = differences_after(|root| {
            super::super::tree::set_mtime(&root.join("contents/text"), 7, 1).unwrap();
            super::super::tree::set_mtime(&root.join("contents/zeros"), 7, 1).unwrap();
        });
        assert_eq!(found.len(), 2, "{found:?}");
        let found = differences_after(|root| {
            keeping_times(&root.join("contents"), || {
                fs::remove_file(root.join("contents/one-byte")).unwrap()
            });
            keeping_times(&root.join("links"), || fs::write(root.join("links/more"), "").unwrap());
        });
        assert_eq!(found, [r#""contents/one-byte": is missing"#, r#""links/more": is too much"#]);
    }

    #[test]
    fn the_tree_has_every_odd_case_that_this_machine_can_have() {
        let dir = tempfile::tempdir().unwrap();
        let made = make_tree(dir.path(), 3, 0).unwrap();
        for skipped in &made.skipped {
            println!("SKIPPED: {skipped}");
        }
        let tree = snapshot(dir.path()).unwrap();
        let count = |is: fn(&Facts) -> bool| tree.values().filter(|facts| is(facts)).count();
        assert_eq!(count(|facts| facts.kind == "fifo" || facts.kind == "socket"), 2);
        assert_eq!(count(|facts| facts.same_as.is_some()), 3);
        assert!(count(|facts| facts.sparse.is_some()) >= 2 && count(|facts| facts.mtime_ns < 0) >= 1);
        assert!(tree.keys().any(|path| path.to_str().is_none()));
        assert!(tree.keys().any(|path| path.as_os_str().as_bytes().contains(&b'\n')));
    }
}
