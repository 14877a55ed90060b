//! A tree of everything that a backup meets.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::Rng;

/// What [`make_tree`] made.
#[derive(Debug, Default, Clone)]
pub struct Made {
    /// How many files, folders, links and so on.
    pub entries: usize,
    /// What this machine, file system or user could not have: for a test to print, so that a skip is seen.
    pub skipped: Vec<&'static str>,
}

/// Names that trip up whoever takes a name for text, an option, a pattern or a path.
const ODD_NAMES: [&[u8]; 14] = [
    b"with space",
    b" leading and trailing ",
    b"-dash",
    b"--all",
    b"new\nline",
    b"tab\tand\rreturn",
    b"\x1b[31mred\x1b[0m",
    b"\xff\xfenot-utf8\x80",
    "\u{fc}n\u{ef}c\u{f6}de".as_bytes(),
    "u\u{308}nicode".as_bytes(),
    b"*glob?[x]{a,b}!",
    b"back\\slash'quote\"",
    b".hidden",
    b"...",
];

/// Fills the empty or missing folder `root` with a tree that the seed decides: a fixed set of odd cases and about `files`
/// ordinary files in nested folders.
///
/// Odd cases: names of all sorts, empty and identical files, holes, hard links, links (dangling, to folders, absolute),
/// a FIFO, a socket, modes, extended attributes, an ACL, times before 1970 and of one nanosecond. For root also other
/// owners and files without any permission.
///
/// # Errors
/// If the system refuses.
pub fn make_tree(root: &Path, seed: u64, files: usize) -> io::Result<Made> {
    fs::create_dir_all(root)?;
    let mut maker = Maker { root, rng: Rng::new(seed), skipped: Vec::new() };
    maker.odd_names()?;
    maker.odd_contents()?;
    maker.links()?;
    maker.special_files()?;
    maker.ordinary_files(files)?;
    maker.attributes()?;
    maker.modes()?;
    maker.owners()?;
    let paths = walk(root)?;
    maker.times(&paths)?;
    Ok(Made { entries: paths.len(), skipped: maker.skipped })
}

/// Every path below `root`, in a fixed order, folders after what they hold. Links are not followed.
pub(super) fn walk(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(root)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            found.extend(walk(&entry.path())?);
        }
        found.push(entry.path());
    }
    Ok(found)
}

struct Maker<'a> {
    root: &'a Path,
    rng: Rng,
    skipped: Vec<&'static str>,
}

impl Maker<'_> {
    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.join(name)
    }

    fn odd_names(&mut self) -> io::Result<()> {
        let names = self.path("names");
        fs::create_dir(&names)?;
        for name in ODD_NAMES {
            let at = names.join(OsStr::from_bytes(name));
            fs::write(&at, name)?;
            let folder = names.join(OsStr::from_bytes(&[name, b".d"].concat()));
            fs::create_dir(&folder)?;
            symlink(OsStr::from_bytes(name), folder.join("link"))?;
        }
        fs::write(names.join("n".repeat(255)), "the longest name")?;
        // Sorted by bytes, these come in another order than sorted with their slashes.
        fs::create_dir(names.join("a"))?;
        fs::write(names.join("a/z"), "")?;
        fs::write(names.join("a-b"), "")?;
        fs::write(names.join("a.b"), "")?;
        let deep = (0..40).fold(names, |path, level| path.join(format!("level{level}")));
        fs::create_dir_all(&deep)?;
        fs::write(deep.join("deep"), "down here")
    }

    fn odd_contents(&mut self) -> io::Result<()> {
        let contents = self.path("contents");
        fs::create_dir(&contents)?;
        let large = self.rng.bytes(700_000);
        let text = self.rng.text(300_000);
        let mut shifted = b"shifted by this".to_vec();
        shifted.extend_from_slice(&large);
        let files: [(&str, &[u8]); 8] = [
            ("empty", b""),
            ("one-byte", b"x"),
            ("random", &large),
            ("same-as-random", &large),
            ("shifted", &shifted),
            ("text", &text),
            ("zeros", &[0; 400_000]),
            ("periodic", &b"abcdefg".repeat(40_000)),
        ];
        for (name, bytes) in files {
            fs::write(contents.join(name), bytes)?;
        }
        fs::create_dir(contents.join("empty-folder"))?;
        self.sparse_files(&contents)
    }

    fn sparse_files(&mut self, folder: &Path) -> io::Result<()> {
        File::create(folder.join("only-hole"))?.set_len(20 << 20)?;
        let mut file = File::create(folder.join("holes"))?;
        for offset in [1 << 20, 5 << 20] {
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&self.rng.bytes(70_000))?;
        }
        file.set_len(8 << 20)
    }

    fn links(&mut self) -> io::Result<()> {
        let links = self.path("links");
        fs::create_dir_all(links.join("below"))?;
        fs::write(links.join("first"), self.rng.text(5000))?;
        fs::hard_link(links.join("first"), links.join("second"))?;
        fs::hard_link(links.join("first"), links.join("below/third"))?;
        fs::write(links.join("empty-twin"), "")?;
        fs::hard_link(links.join("empty-twin"), links.join("below/empty-twin"))?;
        symlink("first", links.join("to-file"))?;
        symlink("below", links.join("to-folder"))?;
        symlink("nowhere/at all", links.join("dangling"))?;
        symlink("/etc/hostname", links.join("absolute"))?;
        symlink("../../../../..", links.join("upwards"))?;
        symlink("loop", links.join("loop"))?;
        symlink(OsStr::from_bytes(b"\xffraw\n"), links.join("to-bytes"))
    }

    fn special_files(&mut self) -> io::Result<()> {
        let special = self.path("special");
        fs::create_dir(&special)?;
        for (name, kind) in [("fifo", FileType::Fifo), ("socket", FileType::Socket)] {
            rustix::fs::mknodat(CWD, special.join(name), kind, 0o640.into(), 0)?;
        }
        Ok(())
    }

    fn ordinary_files(&mut self, files: usize) -> io::Result<()> {
        let mut folders = vec![self.path("ordinary")];
        fs::create_dir(&folders[0])?;
        for number in 0..files {
            let folder = self.rng.pick(&folders).clone();
            if self.rng.one_in(8) {
                let inner = folder.join(format!("dir{number}"));
                fs::create_dir(&inner)?;
                folders.push(inner);
            }
            fs::write(folder.join(format!("file{number}")), some_content(&mut self.rng))?;
        }
        Ok(())
    }

    fn attributes(&mut self) -> io::Result<()> {
        let attributes = self.path("attributes");
        fs::create_dir_all(attributes.join("folder"))?;
        fs::write(attributes.join("file"), "with attributes")?;
        let set = |at: &str, name: &str, value: &[u8]| {
            rustix::fs::lsetxattr(attributes.join(at), name, value, XattrFlags::empty())
        };
        match set("file", "user.warp.binary", b"\0\xff\n value") {
            Err(Errno::OPNOTSUPP) => {
                self.skipped.push("extended attributes: the file system has none");
                return Ok(());
            }
            other => other?,
        }
        set("file", "user.warp.empty", b"")?;
        set("file", "user.warp.long", &self.rng.bytes(900))?;
        set("folder", "user.warp.folder", b"on a folder")?;
        for (at, name) in [("file", "system.posix_acl_access"), ("folder", "system.posix_acl_default")] {
            match set(at, name, &acl()) {
                Err(Errno::OPNOTSUPP) => self.skipped.push("ACLs: the file system has none"),
                other => other?,
            }
        }
        Ok(())
    }

    fn modes(&mut self) -> io::Result<()> {
        let modes = self.path("modes");
        fs::create_dir(&modes)?;
        let mut wanted = vec![0o400, 0o600, 0o644, 0o755, 0o4755, 0o777, 0o2640];
        if is_root() {
            wanted.extend([0o000, 0o111, 0o222]);
        } else {
            self.skipped.push("files without read permission: only root can compare them");
        }
        for mode in wanted {
            let (file, folder) =
                (modes.join(format!("file-{mode:o}")), modes.join(format!("folder-{mode:o}")));
            fs::write(&file, format!("{mode:o}"))?;
            // setuid and setgid come back only when asked for, so the tree has none.
            fs::set_permissions(&file, Permissions::from_mode(mode & 0o777))?;
            fs::create_dir(&folder)?;
            // Folders stay writable, or their owner could not remove the tree.
            fs::set_permissions(&folder, Permissions::from_mode((mode & 0o777) | 0o700))?;
        }
        fs::create_dir(modes.join("sticky"))?;
        fs::set_permissions(modes.join("sticky"), Permissions::from_mode(0o1777))
    }

    fn owners(&mut self) -> io::Result<()> {
        if !is_root() {
            self.skipped.push("other owners: only root can give files away");
            return Ok(());
        }
        let owners = self.path("owners");
        fs::create_dir(&owners)?;
        fs::write(owners.join("file"), "of somebody else")?;
        symlink("file", owners.join("link"))?;
        for name in ["file", "link", ""] {
            lchown(owners.join(name), Some(12_345), Some(23_456))?;
        }
        Ok(())
    }

    /// Gives every path a time of its own; folders come after what they hold, so that theirs stays.
    fn times(&mut self, paths: &[PathBuf]) -> io::Result<()> {
        for path in paths {
            let seconds = match self.rng.below(20) {
                0 => -86_400 * 365 - 1,
                1 => -1,
                2 => 0,
                3 => 4_200_000_000,
                _ => 1_000_000_000 + self.rng.below(700_000_000) as i64,
            };
            let nanoseconds = *self.rng.pick(&[0, 1, 999_999_999, 123_456_789]);
            set_mtime(path, seconds, nanoseconds)?;
        }
        Ok(())
    }
}

/// Sets a path's modification time, of a link its own.
pub(super) fn set_mtime(path: &Path, seconds: i64, nanoseconds: i64) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Content of an ordinary file: mostly small, sometimes several chunks.
pub(super) fn some_content(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(12) {
        0 => 0,
        1 => 60_000 + rng.below(200_000),
        _ => rng.below(6000),
    };
    if rng.one_in(3) { rng.bytes(len) } else { rng.text(len) }
}

/// An ACL as Linux keeps it: version 2, then rows of tag, permissions and id.
fn acl() -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    const ROWS: [(u16, u16, u32); 5] =
        [(0x01, 6, NOBODY), (0x02, 4, 12_345), (0x04, 4, NOBODY), (0x10, 4, NOBODY), (0x20, 0, NOBODY)];
    let row = |(tag, permissions, id): (u16, u16, u32)| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    2u32.to_le_bytes().into_iter().chain(ROWS.into_iter().flat_map(row)).collect()
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
