//! The assembler: takes the scan's steps in order, waits for the content of each file, and builds the tree upwards.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use crate::cas::CasError;
use crate::format::dirtree::{DirEntry, DirNode, EntryKind};
use crate::format::state::{DirState, FileState, StateWriter};
use crate::id::{ChunkId, ObjectKind};
use crate::observe::FileNews;
use crate::worktree::{FileType, OwnerNames, Stat, read_xattrs};

use super::super::{OpsError, convert, dir_nodes};
use super::worker::{Outcome, ReadFile, Tools, UNKNOWN};

/// One step of the scan.
#[derive(Debug)]
pub(super) enum Step {
    Enter(Box<EnterDir>),
    Entry(Box<Planned>),
    Leave,
}

#[derive(Debug)]
pub(super) struct EnterDir {
    pub(super) path: PathBuf,
    pub(super) name: Vec<u8>,
    /// Path below the commit's root.
    pub(super) rel: Vec<u8>,
    pub(super) stat: Stat,
    /// The same directory in the parent commit: its node and entries.
    pub(super) previous: Option<(Option<ChunkId>, Arc<Vec<DirEntry>>)>,
    /// It is no directory of the source: nothing is read from it.
    pub(super) made_up: bool,
}

#[derive(Debug)]
pub(super) struct Planned {
    pub(super) path: PathBuf,
    pub(super) name: Vec<u8>,
    pub(super) stat: Stat,
    pub(super) plan: Plan,
}

/// Where an entry's content comes from.
#[derive(Debug)]
pub(super) enum Plan {
    /// The parent commit's entry is still right; its state too.
    Reuse(Box<DirEntry>, FileState),
    /// A worker reads it.
    Job(u64),
    /// Another name of an inode that came before.
    Link,
    /// It has no content: link, pipe, socket, device.
    Special(FileNews),
}

/// What the scan amounts to.
#[derive(Debug, Default)]
pub(super) struct Assembled {
    pub(super) root: Option<DirEntry>,
    pub(super) state: Vec<u8>,
    pub(super) files: u64,
    pub(super) dirs: u64,
    pub(super) others: u64,
    pub(super) bytes: u64,
    pub(super) new_files: u64,
    pub(super) changed_files: u64,
    pub(super) unchanged_files: u64,
}

/// What further names of an inode need.
struct Inode {
    group: u64,
    /// `None`: its first name could not be read.
    content: Option<(EntryKind, Vec<crate::format::dirtree::Xattr>, FileState)>,
    names_left: u64,
}

struct Building {
    enter: EnterDir,
    entries: Vec<DirEntry>,
    states: Vec<FileState>,
    state_written: bool,
}

pub(super) struct Assembler<'t, 'a> {
    tools: &'t Tools<'a>,
    owners: &'t OwnerNames,
    results: Receiver<(u64, Outcome)>,
    early: HashMap<u64, Outcome>,
    inodes: HashMap<(u64, u64), Inode>,
    stack: Vec<Building>,
    states: StateWriter,
    done: Assembled,
}

impl<'t, 'a> Assembler<'t, 'a> {
    pub(super) fn new(
        tools: &'t Tools<'a>,
        owners: &'t OwnerNames,
        results: Receiver<(u64, Outcome)>,
    ) -> Self {
        Self {
            tools,
            owners,
            results,
            early: HashMap::new(),
            inodes: HashMap::new(),
            stack: Vec::new(),
            states: StateWriter::new(),
            done: Assembled::default(),
        }
    }

    /// Takes steps until there are no more. `None`: the commit has failed elsewhere.
    pub(super) fn run(mut self, steps: &Receiver<Step>) -> Result<Option<Assembled>, OpsError> {
        for step in steps {
            match step {
                Step::Enter(enter) => self.enter(*enter)?,
                Step::Leave => self.leave()?,
                Step::Entry(planned) => {
                    if !self.entry(*planned)? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(self.done))
    }

    fn enter(&mut self, enter: EnterDir) -> Result<(), OpsError> {
        if let Some(above) = self.stack.last_mut() {
            above.write_state(&mut self.states, &mut self.done.state)?;
        }
        self.stack.push(Building { enter, entries: Vec::new(), states: Vec::new(), state_written: false });
        Ok(())
    }

    /// Adds an entry to the directory on top. `false`: its content will never come.
    fn entry(&mut self, planned: Planned) -> Result<bool, OpsError> {
        let group = self.group(&planned);
        let mut entry =
            convert::entry(self.owners, OsStr::from_bytes(&planned.name), &planned.stat, Vec::new());
        entry.hard_link = group;
        let built = match planned.plan {
            Plan::Reuse(ref reused, state) => {
                entry.kind = reused.kind.clone();
                entry.xattrs.clone_from(&reused.xattrs);
                self.tools.observer.advance(1, planned.stat.size);
                Some((entry, state, FileNews::Unchanged))
            }
            Plan::Job(seq) => match self.wait(seq) {
                None => return Ok(false),
                Some(Outcome::Failed) => None,
                Some(Outcome::File(file)) => Some(self.read_entry(&planned, group, *file)),
            },
            Plan::Link => self.linked(&planned, entry),
            Plan::Special(news) => self.special(&planned, entry).map(|entry| (entry, UNKNOWN, news)),
        };
        let mut built = built.filter(|(entry, ..)| self.is_recordable(&planned, entry));
        if let Some((entry, ..)) = &mut built {
            self.keep_holes(entry);
        }
        self.remember(&planned, group, built.as_ref());
        if let Some((entry, state, news)) = built {
            let news = if self.is_recorded(&entry) { FileNews::Unchanged } else { news };
            self.count(&planned, &entry, news);
            let top = self.stack.last_mut().expect("entries lie in directories");
            if matches!(entry.kind, EntryKind::File { .. }) {
                top.states.push(state);
            }
            top.entries.push(entry);
        }
        Ok(true)
    }

    /// The entry of that name in the parent commit.
    fn before(&self, entry: &DirEntry) -> Option<&DirEntry> {
        let top = self.stack.last().expect("entries lie in directories");
        let (_, entries) = top.enter.previous.as_ref()?;
        let index = entries.binary_search_by(|before| before.name.cmp(&entry.name)).ok()?;
        Some(&entries[index])
    }

    /// Whether the parent commit has the very same entry, though the file was read again.
    fn is_recorded(&self, entry: &DirEntry) -> bool {
        self.before(entry) == Some(entry)
    }

    /// Of a file that differs from the parent commit's in nothing but the room that it takes, what was recorded stays:
    /// the file system decides about room when it likes.
    fn keep_holes(&self, entry: &mut DirEntry) {
        let Some(before) = self.before(entry) else { return };
        if let (EntryKind::File { content: a, sparse: now }, EntryKind::File { content: b, sparse: then }) =
            (&entry.kind, &before.kind)
            && (a, !now) == (b, *then)
        {
            let as_before = DirEntry { kind: before.kind.clone(), ..entry.clone() };
            if as_before == *before {
                *entry = as_before;
            }
        }
    }

    /// Whether the format can hold the entry. One that it cannot is a problem of that path, not of the commit.
    fn is_recordable(&self, planned: &Planned, entry: &DirEntry) -> bool {
        let Err(source) = entry.check() else { return true };
        let error = OpsError::Unrecordable { path: planned.path.clone(), source };
        self.tools.shared.problem();
        self.tools.observer.problem(&crate::observe::Problem { path: &planned.path, error: &error });
        false
    }

    /// The entry of a file as it was when it was read, which may be newer than the scan.
    fn read_entry(&self, planned: &Planned, group: u64, file: ReadFile) -> (DirEntry, FileState, FileNews) {
        let stat = &file.stat;
        let mut entry = convert::entry(self.owners, OsStr::from_bytes(&planned.name), stat, Vec::new());
        entry.kind = EntryKind::File { content: file.content, sparse: stat.is_sparse() };
        entry.xattrs = convert::xattrs(file.xattrs);
        entry.hard_link = group;
        (entry, file.state, file.news)
    }

    fn linked(&self, planned: &Planned, mut entry: DirEntry) -> Option<(DirEntry, FileState, FileNews)> {
        let inode = self.inodes.get(&(planned.stat.dev, planned.stat.ino))?;
        let (kind, xattrs, state) = inode.content.as_ref()?;
        entry.kind = kind.clone();
        entry.xattrs.clone_from(xattrs);
        self.tools.observer.advance(1, 0);
        Some((entry, *state, FileNews::Unchanged))
    }

    fn special(&self, planned: &Planned, mut entry: DirEntry) -> Option<DirEntry> {
        match convert::read_special(&mut entry, &planned.path, planned.stat.file_type) {
            Ok(()) => Some(entry),
            Err(error) => {
                self.tools.report(&planned.path, &error);
                None
            }
        }
    }

    /// The hard-link group of an entry with several names: named after the first of them.
    fn group(&mut self, planned: &Planned) -> u64 {
        if planned.stat.nlink < 2 || planned.stat.is_dir() {
            return 0;
        }
        if let Some(inode) = self.inodes.get(&(planned.stat.dev, planned.stat.ino)) {
            return inode.group;
        }
        let top = self.stack.last().expect("entries lie in directories");
        convert::link_group(&convert::join(&top.enter.rel, &planned.name))
    }

    fn remember(&mut self, planned: &Planned, group: u64, built: Option<&(DirEntry, FileState, FileNews)>) {
        if group == 0 {
            return;
        }
        let key = (planned.stat.dev, planned.stat.ino);
        let inode = self.inodes.entry(key).or_insert_with(|| Inode {
            group,
            content: built.map(|(entry, state, _)| (entry.kind.clone(), entry.xattrs.clone(), *state)),
            names_left: planned.stat.nlink,
        });
        inode.names_left = inode.names_left.saturating_sub(1);
    }

    fn count(&mut self, planned: &Planned, entry: &DirEntry, news: FileNews) {
        let size = convert::size(entry);
        match entry.kind {
            EntryKind::File { .. } => {
                self.done.files += 1;
                self.done.bytes += size;
            }
            _ => self.done.others += 1,
        }
        match news {
            FileNews::New => self.done.new_files += 1,
            FileNews::Changed => self.done.changed_files += 1,
            FileNews::Unchanged => self.done.unchanged_files += 1,
        }
        self.tools.observer.file_done(&planned.path, news, size);
    }

    fn wait(&mut self, seq: u64) -> Option<Outcome> {
        loop {
            if let Some(outcome) = self.early.remove(&seq) {
                return Some(outcome);
            }
            match self.results.recv_timeout(std::time::Duration::from_millis(100)) {
                Ok((done, outcome)) => {
                    self.early.insert(done, outcome);
                }
                Err(crossbeam_channel::RecvTimeoutError::Timeout) if !self.tools.shared.stopped() => {}
                Err(_) => return None,
            }
        }
    }

    fn leave(&mut self) -> Result<(), OpsError> {
        let mut building = self.stack.pop().expect("entered before");
        building.write_state(&mut self.states, &mut self.done.state)?;
        let Building { enter, mut entries, .. } = building;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let node = match &enter.previous {
            Some((node, same)) if **same == entries => *node,
            _ => self.store_dir(&enter, entries)?,
        };
        let mut entry = convert::entry(self.owners, OsStr::from_bytes(&enter.name), &enter.stat, Vec::new());
        entry.kind = EntryKind::Dir { node };
        if !enter.made_up {
            match read_xattrs(&enter.path, FileType::Dir) {
                Ok(xattrs) => entry.xattrs = convert::xattrs(xattrs),
                Err(error) => self.tools.report(&enter.path, &error),
            }
        }
        self.done.dirs += 1;
        match self.stack.last_mut() {
            Some(above) => above.entries.push(entry),
            None => self.done.root = Some(entry),
        }
        Ok(())
    }

    /// For a new directory, that of the parent commit beside it whose name begins most alike: another version of the same thing,
    /// often.
    fn similar(&self, enter: &EnterDir) -> Option<ChunkId> {
        let (_, beside) = self.stack.last()?.enter.previous.as_ref()?;
        let alike =
            |entry: &&DirEntry| entry.name.iter().zip(&enter.name).take_while(|(a, b)| a == b).count();
        let at = beside.partition_point(|entry| entry.name < enter.name);
        let nearest = beside[..at].iter().rev().take(1).chain(beside[at..].iter().take(1));
        let best = nearest.filter(|entry| 2 * alike(entry) >= enter.name.len()).max_by_key(alike)?;
        match best.kind {
            EntryKind::Dir { node } => node,
            _ => None,
        }
    }

    fn store_dir(&self, enter: &EnterDir, entries: Vec<DirEntry>) -> Result<Option<ChunkId>, OpsError> {
        let unrecordable = |source| OpsError::Unrecordable { path: enter.path.clone(), source };
        let former = enter.previous.as_ref().and_then(|(node, _)| *node).or_else(|| self.similar(enter));
        let put = |node: DirNode| -> Result<ChunkId, OpsError> {
            let bytes = node.encode().map_err(unrecordable)?;
            let sink = &self.tools.sink;
            let former = || former.and_then(|root| sink.former_node(root, &node));
            sink.put_metadata_near(ObjectKind::DirNode, &bytes, former).map_err(storing)
        };
        dir_nodes::store(entries, put)
    }
}

impl Building {
    /// Writes the state of the directory's files, once, before that of any directory below it.
    fn write_state(&mut self, writer: &mut StateWriter, out: &mut Vec<u8>) -> Result<(), OpsError> {
        if self.state_written || self.states.is_empty() {
            return Ok(());
        }
        self.state_written = true;
        let state = DirState {
            path: self.enter.rel.clone(),
            dev: self.enter.stat.dev,
            files: std::mem::take(&mut self.states),
        };
        let path = &self.enter.path;
        writer.push(&state, out).map_err(|source| OpsError::Unrecordable { path: path.clone(), source })
    }
}

fn storing(source: CasError) -> OpsError {
    OpsError::Cas { action: "store a directory", source }
}
