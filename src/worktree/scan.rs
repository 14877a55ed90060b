//! Walking a tree: listed in parallel, told in order.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use super::ahead::{Ahead, EndOnDrop};
use super::entry::{ScannedEntry, Stat};
use super::error::{WorktreeError, io_error};
use super::ignore::{Patterns, Tag, given_patterns};
use super::listing::{DirJob, Found, Item, Lister, Listing, Rules, entry_path};
use super::sys;

/// Name of the files whose patterns, in git's syntax, say what of their directory and below is left out.
pub const WARP_IGNORE_FILE: &str = ".warpignore";

/// What a scan looks at and what it leaves out.
#[derive(Debug, Clone)]
pub struct ScanOptions {
    /// Stay on the file system of the root: mount points are told as empty directories.
    pub one_file_system: bool,
    /// Leave out what lies beside a `CACHEDIR.TAG` with its signature.
    pub exclude_caches: bool,
    /// Leave out what lies beside a file of such a name; `NAME:HEADER`: only if it begins with HEADER.
    pub exclude_if_present: Vec<OsString>,
    /// Leave out regular files of more bytes than this.
    pub exclude_larger_than: Option<u64>,
    /// Patterns in gitignore's syntax, as if they stood in a file in the root. They win over all others.
    pub excludes: Vec<String>,
    /// Files of such patterns.
    pub exclude_files: Vec<PathBuf>,
    /// Heed `.gitignore` files, and `.git/info/exclude` at the top of a repository, also where the root lies inside
    /// one. Patterns of an outer repository do not hold in an inner one. (The user's global excludes are not read.)
    pub git_ignore: bool,
    /// Heed [`WARP_IGNORE_FILE`]s in the root and below.
    pub warpignore: bool,
    /// What is never entered nor shown, wherever the scan meets it: the repository itself.
    pub skip: Vec<PathBuf>,
    /// Threads that list directories ahead; 0: the calling thread lists alone.
    pub threads: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            one_file_system: false,
            exclude_caches: false,
            exclude_if_present: Vec::new(),
            exclude_larger_than: None,
            excludes: Vec::new(),
            exclude_files: Vec::new(),
            git_ignore: false,
            warpignore: true,
            skip: Vec::new(),
            threads: thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// What a scan tells, in this order: depth first; of a directory first all that are no directories and then the
/// directories, both in ascending order of their names' bytes, everything below a directory in its place.
#[derive(Debug)]
pub enum ScanEvent {
    /// A directory; what it holds follows.
    EnterDir(ScannedEntry),
    /// Anything but a directory.
    Entry(ScannedEntry),
    /// The end of the directory entered last and not left yet.
    LeaveDir,
    /// Something could not be read: an entry, a directory (it may lack entries then) or a file of patterns.
    Problem {
        /// What it concerns.
        path: PathBuf,
        /// What failed.
        error: WorktreeError,
    },
    /// An entry was listed and gone before it could be looked at.
    Vanished {
        /// The entry.
        path: PathBuf,
    },
}

/// Walks trees as its options say.
#[derive(Debug)]
pub struct Scanner {
    rules: Rules,
    options: ScanOptions,
}

impl Scanner {
    /// Compiles the options.
    ///
    /// # Errors
    /// For a pattern that is none, and for an exclude file that cannot be read.
    pub fn new(options: ScanOptions) -> Result<Self, WorktreeError> {
        let cache_dir = options.exclude_caches.then(Tag::cache_dir);
        let rules = Rules {
            given: given_patterns(&options.exclude_files, &options.excludes)?,
            tags: options.exclude_if_present.iter().map(Tag::parse).chain(cache_dir).collect(),
            warp_ignore: options.warpignore,
            git_ignore: options.git_ignore,
            larger_than: options.exclude_larger_than,
        };
        Ok(Self { rules, options })
    }

    /// Tells `sink`, on the calling thread, of everything below `root` and of `root` itself: a directory comes as
    /// [`ScanEvent::EnterDir`] with an empty name, anything else (also a symbolic link, which is not followed) as one
    /// [`ScanEvent::Entry`]. Directories are listed ahead by threads, in memory bounded by the largest directory.
    /// `root` itself is never left out. The walk ends early, without an error, when `sink` breaks.
    ///
    /// # Errors
    /// If `root` is not there or the system will not say what it is. All else is told as [`ScanEvent::Problem`].
    pub fn walk(
        &self,
        root: &Path,
        sink: &mut dyn FnMut(ScanEvent) -> ControlFlow<()>,
    ) -> Result<(), WorktreeError> {
        let stat = sys::stat_path(root).map_err(io_error("stat", root))?;
        let entry = ScannedEntry { path: root.to_owned(), name: OsString::new(), stat };
        // Either way the walk is over: the sink's wish to stop is no error.
        let _stopped: ControlFlow<()> =
            if stat.is_dir() { self.walk_dir(entry, sink) } else { sink(ScanEvent::Entry(entry)) };
        Ok(())
    }

    fn walk_dir(
        &self,
        root: ScannedEntry,
        sink: &mut dyn FnMut(ScanEvent) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let skip = self.skipped_inodes();
        let only_device = self.options.one_file_system.then_some(root.stat.dev);
        let mut problems = Vec::new();
        let job = self.root_job(&root.path, root.stat, &mut problems);
        let ahead = Ahead::new(Arc::clone(&job));
        thread::scope(|scope| {
            let _end = EndOnDrop(&ahead);
            for _ in 0..self.options.threads {
                scope.spawn(|| ahead.work(&mut Lister::new(&self.rules, &skip, only_device)));
            }
            let lister = Lister::new(&self.rules, &skip, only_device);
            let mut teller = Teller { ahead: &ahead, lister, sink, open: Vec::new() };
            for (path, error) in problems {
                (teller.sink)(ScanEvent::Problem { path, error })?;
            }
            teller.tell(root, job)
        })
    }

    fn root_job(&self, root: &Path, stat: Stat, problems: &mut Vec<(PathBuf, WorktreeError)>) -> Arc<DirJob> {
        let mut patterns = Patterns::for_root(&self.rules.given, root);
        if self.rules.git_ignore {
            patterns.add_git_above(root, problems);
        }
        let slot = Mutex::new(None);
        Arc::new(DirJob { path: root.to_owned(), place: Box::default(), stat, patterns, slot })
    }

    /// What is to be skipped, as inodes: a path may lead there by another way. What is not there cannot be met.
    fn skipped_inodes(&self) -> HashSet<(u64, u64)> {
        let stats = self.options.skip.iter().filter_map(|path| sys::stat_path(path).ok());
        stats.map(|stat| (stat.dev, stat.ino)).collect()
    }
}

/// A directory that was entered and not left.
struct Open {
    path: PathBuf,
    names: Listing,
    items: std::vec::IntoIter<Item>,
}

/// Tells of listings in order.
struct Teller<'a> {
    ahead: &'a Ahead,
    lister: Lister<'a>,
    sink: &'a mut dyn FnMut(ScanEvent) -> ControlFlow<()>,
    open: Vec<Open>,
}

impl Teller<'_> {
    fn tell(&mut self, root: ScannedEntry, job: Arc<DirJob>) -> ControlFlow<()> {
        self.enter(root, Some(job))?;
        while let Some(dir) = self.open.last_mut() {
            let Some(item) = dir.items.next() else {
                self.open.pop();
                (self.sink)(ScanEvent::LeaveDir)?;
                continue;
            };
            let name = dir.names.name(&item);
            let path = entry_path(&dir.path, name);
            match item.found {
                Found::Entry { stat, child } => {
                    let entry = ScannedEntry { path, name: OsStr::from_bytes(name).to_owned(), stat };
                    if stat.is_dir() {
                        self.enter(entry, child)?;
                    } else {
                        (self.sink)(ScanEvent::Entry(entry))?;
                    }
                }
                Found::Vanished => (self.sink)(ScanEvent::Vanished { path })?,
                Found::Failed(errno) => {
                    let error = io_error("stat", &path)(errno);
                    (self.sink)(ScanEvent::Problem { path, error })?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn enter(&mut self, entry: ScannedEntry, job: Option<Arc<DirJob>>) -> ControlFlow<()> {
        let path = entry.path.clone();
        (self.sink)(ScanEvent::EnterDir(entry))?;
        let mut names = match job {
            Some(job) => self.ahead.take(&job, &mut self.lister),
            None => Listing::default(),
        };
        for (path, error) in std::mem::take(&mut names.problems) {
            (self.sink)(ScanEvent::Problem { path, error })?;
        }
        let items = std::mem::take(&mut names.items).into_iter();
        self.open.push(Open { path, names, items });
        ControlFlow::Continue(())
    }
}
