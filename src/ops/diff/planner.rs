//! The scan of live files: decides for every entry whether the base's copy is still right.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::ChunkId;
use crate::worktree::{FileType, ScannedEntry, Stat, Timestamp, WorktreeError, read_xattrs};

use super::super::previous::{Previous, PreviousDir};
use super::super::selection::{Selector, Wanted};
use super::super::source_walk::Visitor;
use super::super::{OpsError, convert};
use super::content::{FileReader, Job, LiveFile};

/// One step of the scan, below directories that are selected or lead to something that is.
pub(super) enum Step {
    Enter(Box<EnterDir>),
    Entry(Box<LiveEntry>),
    /// An entry of this name could not be looked at.
    Unknown(Vec<u8>),
    /// The listing of the directory entered last may lack entries.
    Incomplete,
    /// `is_empty`: the directory has no entries, selected or not.
    Leave {
        is_empty: bool,
    },
}

pub(super) struct EnterDir {
    /// Without a node.
    pub(super) entry: DirEntry,
    /// Its extended attributes could not be read.
    pub(super) is_uncertain: bool,
    /// The node and entries of the same directory in the base.
    pub(super) base: Option<(Option<ChunkId>, Arc<Vec<DirEntry>>)>,
}

pub(super) struct LiveEntry {
    pub(super) name: Vec<u8>,
    /// Device and inode, if it has several names.
    pub(super) inode: Option<(u64, u64)>,
    pub(super) known: Known,
}

/// Where an entry comes from.
pub(super) enum Known {
    /// From the scan and the base.
    Entry(Box<DirEntry>),
    /// From a thread that reads the file.
    Reading(Receiver<Option<Box<LiveFile>>>),
    /// Everything but the content, which is that of the inode's first name.
    Linked(Box<DirEntry>),
}

/// Turns the scan's events into steps for the comparison and work for the threads that read.
pub(super) struct Planner<'t> {
    reader: &'t FileReader<'t>,
    selector: &'t Selector,
    steps: Sender<Step>,
    jobs: Sender<Job>,
    previous: Previous<'t>,
    /// The base's root.
    root: &'t DirEntry,
    dirs: Vec<OpenDir>,
    inodes: HashMap<(u64, u64), Inode>,
}

struct OpenDir {
    path: PathBuf,
    rel: Vec<u8>,
    previous: Option<PreviousDir>,
    /// Nothing in it is selected.
    is_skipped: bool,
    is_empty: bool,
}

/// A file with several names.
struct Inode {
    group: u64,
    /// Its content is known, or being read, since an earlier name.
    is_told: bool,
}

impl Visitor for Planner<'_> {
    fn recorded_time(&self, name: &[u8]) -> Option<Timestamp> {
        let before = match self.dirs.last() {
            None => Some(self.root),
            Some(above) => above.previous.as_ref().and_then(|dir| dir.entry(name)),
        };
        before.map(|entry| convert::live_time(entry.mtime))
    }

    fn enter(&mut self, path: PathBuf, name: &[u8], stat: Stat) -> Result<(), OpsError> {
        let above = self.dirs.last_mut();
        let rel = above.as_ref().map_or_else(Vec::new, |above| convert::join(&above.rel, name));
        let is_skipped = above.as_ref().is_some_and(|above| above.is_skipped)
            || self.selector.wanted(&rel, true) == Wanted::No;
        let before = match above {
            None => Some(self.root),
            Some(above) => {
                above.is_empty = false;
                above.previous.as_ref().and_then(|dir| dir.entry(name))
            }
        };
        let mut previous = None;
        if !is_skipped {
            previous = before.map(|entry| self.previous.enter(&rel, entry)).transpose()?.flatten();
            let enter = self.enter_dir(&path, name, &stat, previous.as_ref());
            self.send(Step::Enter(Box::new(enter)));
        }
        self.dirs.push(OpenDir { path, rel, previous, is_skipped, is_empty: true });
        Ok(())
    }

    fn entry(&mut self, entry: ScannedEntry, name: Vec<u8>) -> Result<(), OpsError> {
        let dir = self.dirs.last_mut().expect("entries lie in directories");
        dir.is_empty = false;
        let rel = convert::join(&dir.rel, &name);
        let is_wanted = !dir.is_skipped && self.selector.wanted(&rel, false) == Wanted::Yes;
        let inode = (entry.stat.nlink > 1).then_some((entry.stat.dev, entry.stat.ino));
        let mut group = 0;
        let mut is_told = false;
        if let Some(key) = inode {
            let first = || Inode { group: convert::link_group(&rel), is_told: false };
            let known = self.inodes.entry(key).or_insert_with(first);
            group = known.group;
            is_told = known.is_told;
            known.is_told |= is_wanted;
        }
        if is_wanted {
            match self.known(entry, &name, group, is_told) {
                Some(known) => self.send(Step::Entry(Box::new(LiveEntry { name, inode, known }))),
                None => self.send(Step::Unknown(name)),
            }
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<(), OpsError> {
        let dir = self.dirs.pop().expect("entered before");
        if !dir.is_skipped {
            self.send(Step::Leave { is_empty: dir.is_empty });
        }
        Ok(())
    }

    fn problem(&mut self, path: &Path, error: &WorktreeError) -> Result<(), OpsError> {
        self.reader.report(path, error);
        let Some(dir) = self.dirs.last().filter(|dir| !dir.is_skipped) else { return Ok(()) };
        if path == dir.path {
            self.send(Step::Incomplete);
        } else if let Some(name) = path.file_name().filter(|_| path.parent() == Some(&dir.path)) {
            self.send(Step::Unknown(name.as_bytes().to_vec()));
        }
        Ok(())
    }

    fn stopped(&self) -> bool {
        self.reader.shared.stopped()
    }

    fn cancelled(&self) -> bool {
        self.reader.observer.cancelled()
    }
}

impl<'t> Planner<'t> {
    pub(super) fn new(
        reader: &'t FileReader<'t>,
        selector: &'t Selector,
        (steps, jobs): (Sender<Step>, Sender<Job>),
        previous: Previous<'t>,
        root: &'t DirEntry,
    ) -> Self {
        Self { reader, selector, steps, jobs, previous, root, dirs: Vec::new(), inodes: HashMap::new() }
    }

    /// The comparison stops listening only when it is over.
    fn send(&self, step: Step) {
        let _ = self.steps.send(step);
    }

    fn enter_dir(&self, path: &Path, name: &[u8], stat: &Stat, previous: Option<&PreviousDir>) -> EnterDir {
        let mut entry = convert::entry(&self.reader.owners, OsStr::from_bytes(name), stat, Vec::new());
        // Also where a symbolic link leads to a path of the source.
        entry.kind = EntryKind::Dir { node: None };
        let xattrs = read_xattrs(path, FileType::Dir);
        let is_uncertain = xattrs.is_err();
        match xattrs {
            Ok(xattrs) => entry.xattrs = convert::xattrs(xattrs),
            Err(error) => self.reader.report(path, &error),
        }
        let base = previous.map(|dir| (dir.node, Arc::clone(&dir.entries)));
        EnterDir { entry, is_uncertain, base }
    }

    /// What is known of an entry; `None`: it cannot be read.
    fn known(&self, scanned: ScannedEntry, name: &[u8], group: u64, is_told: bool) -> Option<Known> {
        let ScannedEntry { path, stat, .. } = scanned;
        let mut entry = convert::entry(&self.reader.owners, OsStr::from_bytes(name), &stat, Vec::new());
        entry.hard_link = group;
        if !stat.is_regular() {
            let read = convert::read_special(&mut entry, &path, stat.file_type);
            return match read {
                Ok(()) => Some(Known::Entry(Box::new(entry))),
                Err(error) => {
                    self.reader.report(&path, &error);
                    None
                }
            };
        }
        if is_told {
            return Some(Known::Linked(Box::new(entry)));
        }
        let previous = self.dirs.last().and_then(|dir| dir.previous.as_ref());
        if let Some((before, _)) = previous.and_then(|dir| dir.untouched(name, &stat)) {
            entry.kind = before.kind.clone();
            entry.xattrs.clone_from(&before.xattrs);
            self.reader.observer.advance(1, stat.size);
            return Some(Known::Entry(Box::new(entry)));
        }
        let (reply, answer) = bounded(1);
        // The threads that read stop listening only when the comparison is over.
        let _ = self.jobs.send(Job { path, name: name.to_vec(), stat, group, reply });
        Some(Known::Reading(answer))
    }
}
