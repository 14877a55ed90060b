//! Comparing a stored tree with live files.
//!
//! One thread scans, some read what was touched since the base, the calling one compares, all with bounded queues.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, bounded};

use crate::format::dirtree::{DirEntry, EntryKind};
use crate::id::CommitId;
use crate::observe::Observer;
use crate::repo::Repository;
use crate::worktree::{OwnerNames, Scanner};

use super::super::commit::{ScanSettings, Source, scan_options};
use super::super::previous::Previous;
use super::super::shared::Shared;
use super::super::{OpsError, convert, source_walk, tree};
use super::content::{FileReader, LiveFile};
use super::planner::{EnterDir, Known, LiveEntry, Planner, Step};
use super::report::{Reporter, Stop};
use super::{is_dir, walk};

/// Steps that the scan may be ahead of the comparison.
const STEPS_QUEUED: usize = 4096;

/// The live side of a comparison.
pub(super) struct Live<'a> {
    pub(super) repo: &'a Repository,
    pub(super) source: &'a Source,
    pub(super) scan: &'a ScanSettings,
    pub(super) base: CommitId,
    pub(super) threads: usize,
}

impl Live<'_> {
    /// Compares a stored tree with the live files.
    pub(super) fn compare(&self, stored: Option<DirEntry>, reporter: &mut Reporter<'_>) -> Result<(), Stop> {
        let base = self.repo.version(self.base)?.commit;
        let place = self.place()?;
        let scanner = Scanner::new(scan_options(self.repo, self.scan, self.threads))?;
        let is_workdir = matches!(self.source, Source::WorkDir(_));
        let previous = Previous::new(self.repo, self.base, &base.state, is_workdir)?;
        let shared = Shared::default();
        let reader = self.reader(reporter.observer, reporter.chunk_stats, &shared)?;
        let (steps, stepped) = bounded(STEPS_QUEUED);
        let (jobs, todo) = bounded(2 * self.threads);
        let selector = reporter.selector;
        let compared = thread::scope(|scope| {
            for _ in 0..self.threads {
                let todo = todo.clone();
                let reader = &reader;
                scope.spawn(move || reader.run(&todo));
            }
            drop(todo);
            let planner = Planner::new(&reader, selector, (steps, jobs), previous, &base.root);
            scope.spawn(|| {
                if let Err(error) = place.walk(&scanner, planner) {
                    shared.fail(error);
                }
            });
            let compared = merge(stored, reporter, stepped);
            if compared.is_err() {
                shared.stop();
            }
            compared
        });
        reporter.summary.problems += shared.problems();
        match (compared, shared.take_failure()) {
            (Err(Stop::Sink), _) => Err(Stop::Sink),
            (_, Some(error)) => Err(error.into()),
            (compared, None) => compared,
        }
    }

    fn reader<'s>(
        &'s self,
        observer: &'s dyn Observer,
        keep_nodes: bool,
        shared: &'s Shared,
    ) -> Result<FileReader<'s>, OpsError> {
        let keyring = self.repo.chunks().vault().keyring();
        Ok(FileReader {
            keyring,
            chunker: self.repo.chunker()?,
            owners: OwnerNames::new(),
            observer,
            shared,
            keep_nodes,
        })
    }

    fn place(&self) -> Result<Place<'_>, OpsError> {
        match self.source {
            Source::WorkDir(root) => Ok(Place::WorkDir(root)),
            Source::Paths(paths) => Ok(Place::Paths(source_walk::normalise(paths)?)),
            Source::Stream { .. } => Err(OpsError::Usage {
                why: "a stream cannot be compared: it can be read only once".to_owned(),
            }),
        }
    }
}

/// What is walked.
enum Place<'a> {
    WorkDir(&'a Path),
    Paths(Vec<PathBuf>),
}

impl Place<'_> {
    fn walk(&self, scanner: &Scanner, mut planner: Planner<'_>) -> Result<(), OpsError> {
        match self {
            Self::WorkDir(root) => source_walk::workdir(scanner, root, &mut planner),
            Self::Paths(paths) => source_walk::paths(scanner, paths, &mut planner),
        }
    }
}

/// Compares a stored tree with the steps of a scan.
pub(super) fn merge(
    stored: Option<DirEntry>,
    reporter: &mut Reporter<'_>,
    steps: Receiver<Step>,
) -> Result<(), Stop> {
    Comparison { reporter, stored, stack: Vec::new(), inodes: HashMap::new() }.run(steps)
}

/// A directory that was entered, and not left.
struct Level {
    path: Vec<u8>,
    stored: Stored,
    /// Names of which nothing can be said.
    unknown: HashSet<Vec<u8>>,
    is_incomplete: bool,
    /// The live directory, if no stored one stands in its place.
    added: Option<DirEntry>,
}

/// The stored directory's entries, read in the order of a scan.
#[derive(Default)]
struct Stored {
    entries: Arc<Vec<DirEntry>>,
    files_passed: usize,
    dirs_passed: usize,
}

impl Stored {
    /// The next directory, or the next of all others, if its name comes before `end`.
    fn next(&mut self, dir: bool, end: impl Fn(&[u8]) -> bool) -> Option<DirEntry> {
        let passed = if dir { &mut self.dirs_passed } else { &mut self.files_passed };
        let rest = self.entries.get(*passed..)?;
        let at = rest.iter().position(|entry| is_dir(entry) == dir);
        *passed += at.unwrap_or(rest.len());
        let entry = self.entries.get(*passed).filter(|entry| end(&entry.name))?;
        *passed += 1;
        Some(entry.clone())
    }
}

/// Merges the steps of a scan with a stored tree.
struct Comparison<'r, 'a> {
    reporter: &'r mut Reporter<'a>,
    /// The stored root, until it is entered.
    stored: Option<DirEntry>,
    stack: Vec<Level>,
    /// Files with several names, as the first of them was read.
    inodes: HashMap<(u64, u64), LiveFile>,
}

impl Comparison<'_, '_> {
    fn run(mut self, steps: Receiver<Step>) -> Result<(), Stop> {
        for step in steps {
            self.reporter.check_cancelled()?;
            match step {
                Step::Enter(dir) => self.enter(*dir)?,
                Step::Entry(entry) => self.entry(*entry)?,
                Step::Unknown(name) => {
                    self.top().unknown.insert(name);
                }
                Step::Incomplete => self.top().is_incomplete = true,
                Step::Leave { is_empty } => self.leave(is_empty)?,
            }
        }
        Ok(())
    }

    fn top(&mut self) -> &mut Level {
        self.stack.last_mut().expect("the scan entered a directory before")
    }

    fn enter(&mut self, dir: EnterDir) -> Result<(), Stop> {
        let name = &dir.entry.name;
        let (mut path, mut is_incomplete) = (Vec::new(), false);
        let stored = if self.stack.is_empty() {
            self.stored.take()
        } else {
            self.removed(false, |_| true)?;
            self.removed(true, |stored| stored < name.as_slice())?;
            let above = self.top();
            path = convert::join(&above.path, name);
            is_incomplete = above.unknown.contains(name);
            above.stored.next(true, |stored| stored == name)
        };
        let mut level =
            Level { path, stored: Stored::default(), unknown: HashSet::new(), is_incomplete, added: None };
        match stored {
            Some(stored) => {
                if !dir.is_uncertain {
                    self.reporter.pair(&level.path, Some(&stored), Some(&dir.entry))?;
                }
                level.stored.entries = self.entries(&stored, dir.base)?;
            }
            None => level.added = Some(dir.entry),
        }
        self.stack.push(level);
        Ok(())
    }

    /// Entries of a stored directory; those of the base were read already.
    fn entries(
        &self,
        stored: &DirEntry,
        base: Option<(Option<crate::id::ChunkId>, Arc<Vec<DirEntry>>)>,
    ) -> Result<Arc<Vec<DirEntry>>, OpsError> {
        let node = tree::dir_node(stored);
        match base {
            Some((same, entries)) if same.as_ref() == node => Ok(entries),
            _ => Ok(Arc::new(tree::read_dir(self.reporter.chunks, node)?)),
        }
    }

    fn entry(&mut self, live: LiveEntry) -> Result<(), Stop> {
        let LiveEntry { name, inode, known } = live;
        self.removed(false, |stored| stored < name.as_slice())?;
        let stored = self.top().stored.next(false, |stored| stored == name);
        let Some(live) = self.resolve(known, inode) else { return Ok(()) };
        let path = convert::join(&self.top().path, &name);
        self.reporter.live_pair(&path, stored.as_ref(), Some(&live.entry), &live.nodes)?;
        if let Some(key) = inode.filter(|_| matches!(live.entry.kind, EntryKind::File { .. })) {
            self.inodes.entry(key).or_insert(live);
        }
        Ok(())
    }

    /// The live entry; `None`: it could not be read.
    fn resolve(&self, known: Known, inode: Option<(u64, u64)>) -> Option<LiveFile> {
        match known {
            Known::Entry(entry) => Some(LiveFile { entry: *entry, nodes: Arc::default() }),
            Known::Reading(answer) => answer.recv().ok().flatten().map(|file| *file),
            Known::Linked(entry) => {
                let first = self.inodes.get(&inode?)?;
                let (kind, xattrs) = (first.entry.kind.clone(), first.entry.xattrs.clone());
                Some(LiveFile { entry: DirEntry { kind, xattrs, ..*entry }, nodes: Arc::clone(&first.nodes) })
            }
        }
    }

    fn leave(&mut self, is_empty: bool) -> Result<(), Stop> {
        self.removed(false, |_| true)?;
        self.removed(true, |_| true)?;
        let level = self.stack.pop().expect("entered before");
        match level.added.filter(|_| is_empty) {
            Some(added) => self.reporter.pair(&level.path, None, Some(&added)),
            None => Ok(()),
        }
    }

    /// Reports the stored entries (directories, or all others) up to `end` that the live side does not have.
    fn removed(&mut self, dir: bool, end: impl Fn(&[u8]) -> bool) -> Result<(), Stop> {
        let level = self.stack.last_mut().expect("the scan entered a directory before");
        while let Some(stored) = level.stored.next(dir, &end) {
            if level.is_incomplete || level.unknown.contains(&stored.name) {
                continue;
            }
            let path = convert::join(&level.path, &stored.name);
            if dir {
                walk::compare(path, Some(stored), None, self.reporter)?;
            } else {
                self.reporter.pair(&path, Some(&stored), None)?;
            }
        }
        Ok(())
    }
}
