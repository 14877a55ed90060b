//! One directory, listed: its entries' names and status in order of name.

use std::collections::HashSet;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ignore::gitignore::Gitignore;
use rustix::fs::{FileType as RawType, RawDir};
use rustix::io::Errno;

use super::entry::Stat;
use super::error::{WorktreeError, io_error};
use super::ignore::{Patterns, Tag};
use super::sys;
use crate::limits::TREE_DEPTH_MAX;

/// Room for the names that one call of the system returns: a typical directory in one call.
const LIST_BUFFER_LEN: usize = 64 * 1024;

/// A place in the order of the scan: the number of every directory on the way, from the root down, in its listing.
pub(super) type Place = Box<[u32]>;

/// A directory that is to be listed, or was.
#[derive(Debug)]
pub(super) struct DirJob {
    pub(super) path: PathBuf,
    pub(super) place: Place,
    /// What its parent's listing saw.
    pub(super) stat: Stat,
    /// Patterns of the directories above.
    pub(super) patterns: Patterns,
    /// Filled by a thread that listed it ahead.
    pub(super) slot: Mutex<Option<Listing>>,
}

/// What became of a name of a directory.
#[derive(Debug)]
pub(super) enum Found {
    /// It is there. `child`: a directory to go into.
    Entry { stat: Stat, child: Option<Arc<DirJob>> },
    /// Gone between listing and asking.
    Vanished,
    /// The system would not say what it is.
    Failed(Errno),
}

/// One name of a listing.
#[derive(Debug)]
pub(super) struct Item {
    start: usize,
    len: usize,
    pub(super) found: Found,
}

/// A directory's entries: first all that are no directories, then the directories, each by the bytes of their names.
#[derive(Debug, Default)]
pub(super) struct Listing {
    names: Vec<u8>,
    pub(super) items: Vec<Item>,
    /// What could not be done, with the path that it concerns.
    pub(super) problems: Vec<(PathBuf, WorktreeError)>,
}

impl Listing {
    /// Name of one of its items.
    pub(super) fn name(&self, item: &Item) -> &[u8] {
        &self.names[item.start..item.start + item.len]
    }

    /// The directories to go into, in order.
    pub(super) fn children(&self) -> impl Iterator<Item = &Arc<DirJob>> {
        self.items.iter().filter_map(|item| match &item.found {
            Found::Entry { child, .. } => child.as_ref(),
            Found::Vanished | Found::Failed(_) => None,
        })
    }

    /// How much room it takes, in entries.
    pub(super) fn weight(&self) -> usize {
        self.items.len() + 1
    }
}

/// What holds for every directory of a scan.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) given: Gitignore,
    pub(super) tags: Vec<Tag>,
    pub(super) warp_ignore: bool,
    pub(super) git_ignore: bool,
    pub(super) larger_than: Option<u64>,
}

/// Lists directories, one after the other; every thread has its own.
pub(super) struct Lister<'a> {
    pub(super) rules: &'a Rules,
    /// Device and inode of what is never entered nor shown.
    pub(super) skip: &'a HashSet<(u64, u64)>,
    /// The one device to stay on.
    pub(super) only_device: Option<u64>,
    buffer: Vec<u8>,
    /// Names of the directory at hand, kept to be used again.
    names: Vec<u8>,
    raw: Vec<RawName>,
}

/// A name as the system lists it.
pub(super) struct RawName {
    start: usize,
    len: usize,
    ino: u64,
    kind: RawType,
}

impl<'a> Lister<'a> {
    pub(super) fn new(rules: &'a Rules, skip: &'a HashSet<(u64, u64)>, only_device: Option<u64>) -> Self {
        Self { rules, skip, only_device, buffer: Vec::new(), names: Vec::new(), raw: Vec::new() }
    }

    /// Lists a directory. What goes wrong stands in the listing, which then may be empty or lack entries.
    pub(super) fn list(&mut self, job: &DirJob) -> Listing {
        let mut listing = Listing::default();
        if let Err(error) = self.fill(job, &mut listing) {
            listing.problems.push((job.path.clone(), error));
        }
        listing
    }

    fn fill(&mut self, job: &DirJob, listing: &mut Listing) -> Result<(), WorktreeError> {
        let dir = open_expected(job)?;
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        self.names.clear();
        let listed = read_names(&dir, &mut self.buffer, &mut self.names, &mut raw);
        listing.names = self.names.as_slice().to_vec();
        self.keep_tag_only(&dir, job, listing, &mut raw);
        let patterns = self.patterns_of(&dir, job, listing, &raw);
        // In this order the inodes lie on the disk; a cold disk is read once instead of all over.
        raw.sort_unstable_by_key(|name| name.ino);
        let mut path = sys::bytes(&job.path).to_vec();
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        let base_len = path.len();
        listing.items.reserve_exact(raw.len());
        for name in &raw {
            path.truncate(base_len);
            path.extend_from_slice(&listing.names[name.start..name.start + name.len]);
            if let Some(found) = self.examine(&dir, name, &listing.names, &path, &patterns) {
                listing.items.push(Item { start: name.start, len: name.len, found });
            }
        }
        let names = &listing.names;
        listing.items.sort_unstable_by_key(|item| {
            let is_dir = matches!(&item.found, Found::Entry { stat, .. } if stat.is_dir());
            (is_dir, &names[item.start..item.start + item.len])
        });
        self.raw = raw;
        self.add_children(job, listing, &patterns);
        listed.map_err(io_error("list", &job.path))
    }

    /// Where a tag marks the directory, only the tag stays in the listing.
    fn keep_tag_only(&self, dir: &OwnedFd, job: &DirJob, listing: &mut Listing, raw: &mut Vec<RawName>) {
        for tag in &self.rules.tags {
            let Some(at) = position(raw, &listing.names, &tag.name) else { continue };
            match tag.marks(dir) {
                Ok(false) => {}
                Ok(true) => {
                    raw.swap(0, at);
                    raw.truncate(1);
                }
                Err(errno) => {
                    let path = job.path.join(sys::path(&tag.name));
                    listing.problems.push((path.clone(), io_error("read", path)(errno)));
                }
            }
        }
    }

    fn patterns_of(&self, dir: &OwnedFd, job: &DirJob, listing: &mut Listing, raw: &[RawName]) -> Patterns {
        let mut patterns = job.patterns.clone();
        let Listing { names, problems, .. } = listing;
        if self.rules.warp_ignore && position(raw, names, super::WARP_IGNORE_FILE.as_bytes()).is_some() {
            patterns.add_warp(dir, &job.path, problems);
        }
        if self.rules.git_ignore {
            if position(raw, names, b".git").is_some() {
                patterns.enter_git_repository(dir, &job.path, problems);
            }
            if position(raw, names, b".gitignore").is_some() {
                patterns.add_git(dir, &job.path, problems);
            }
        }
        patterns
    }

    /// What became of a name; `None` if it is left out.
    fn examine(
        &self,
        dir: &OwnedFd,
        name: &RawName,
        names: &[u8],
        path: &[u8],
        patterns: &Patterns,
    ) -> Option<Found> {
        let known = !matches!(name.kind, RawType::Unknown);
        if known && !patterns.is_empty() && patterns.exclude(path, name.kind == RawType::Directory) {
            return None;
        }
        let stat = match sys::stat_at(dir, c_name(names, name)) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Some(Found::Vanished),
            Err(errno) => return Some(Found::Failed(errno)),
        };
        if !known && !patterns.is_empty() && patterns.exclude(path, stat.is_dir()) {
            return None;
        }
        self.wants(&stat).then_some(Found::Entry { stat, child: None })
    }

    fn wants(&self, stat: &Stat) -> bool {
        let too_large = stat.is_regular() && self.rules.larger_than.is_some_and(|max| stat.size > max);
        let elsewhere = !stat.is_dir() && self.is_elsewhere(stat);
        let skipped = !self.skip.is_empty() && self.skip.contains(&(stat.dev, stat.ino));
        !(too_large || elsewhere || skipped)
    }

    /// Whether it lies on another file system, where the scan does not go.
    fn is_elsewhere(&self, stat: &Stat) -> bool {
        self.only_device.is_some_and(|device| device != stat.dev)
    }

    fn add_children(&self, job: &DirJob, listing: &mut Listing, patterns: &Patterns) {
        let Listing { names, items, problems } = listing;
        let mut number = 0;
        for Item { start, len, found } in items {
            let Found::Entry { stat, child } = found else { continue };
            if !stat.is_dir() || self.is_elsewhere(stat) {
                continue;
            }
            let path = entry_path(&job.path, &names[*start..*start + *len]);
            if job.place.len() >= TREE_DEPTH_MAX {
                problems.push((path.clone(), WorktreeError::TooDeep { path, max: TREE_DEPTH_MAX }));
                continue;
            }
            let place = job.place.iter().copied().chain([number]).collect();
            number += 1;
            let slot = Mutex::new(None);
            *child = Some(Arc::new(DirJob { path, place, stat: *stat, patterns: patterns.clone(), slot }));
        }
    }
}

/// Opens the directory that the parent's listing saw, and no other.
fn open_expected(job: &DirJob) -> Result<OwnedFd, WorktreeError> {
    let changed = || WorktreeError::Changed { path: job.path.clone() };
    let dir = match sys::open_dir(&job.path) {
        Err(Errno::NOTDIR | Errno::LOOP) => return Err(changed()),
        other => other.map_err(io_error("open the directory", &job.path))?,
    };
    let now = sys::stat_fd(&dir).map_err(io_error("stat", &job.path))?;
    if now.is_same_inode(&job.stat) { Ok(dir) } else { Err(changed()) }
}

/// Reads the names of `dir` but `.` and `..`, appending to `names` (each with a final NUL) and `raw`. On an error they
/// hold what was listed before it.
pub(super) fn read_names(
    dir: impl AsFd,
    buffer: &mut Vec<u8>,
    names: &mut Vec<u8>,
    raw: &mut Vec<RawName>,
) -> rustix::io::Result<()> {
    buffer.clear();
    buffer.reserve(LIST_BUFFER_LEN);
    let room: &mut [MaybeUninit<u8>] = buffer.spare_capacity_mut();
    let mut entries = RawDir::new(dir, room);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes_with_nul();
        if name != b".\0" && name != b"..\0" {
            let (start, len) = (names.len(), name.len() - 1);
            names.extend_from_slice(name);
            raw.push(RawName { start, len, ino: entry.ino(), kind: entry.file_type() });
        }
    }
    Ok(())
}

/// A name of [`read_names`] as a C string.
pub(super) fn c_name<'n>(names: &'n [u8], name: &RawName) -> &'n CStr {
    CStr::from_bytes_with_nul(&names[name.start..=name.start + name.len])
        .expect("names are kept with their NUL")
}

fn position(raw: &[RawName], names: &[u8], wanted: &[u8]) -> Option<usize> {
    raw.iter()
        .position(|name| name.len == wanted.len() && names[name.start..name.start + name.len] == *wanted)
}

/// The path of a job's entry.
pub(super) fn entry_path(dir: &Path, name: &[u8]) -> PathBuf {
    let mut path = PathBuf::with_capacity(sys::bytes(dir).len() + 1 + name.len());
    path.push(dir);
    path.push(sys::path(name));
    path
}
