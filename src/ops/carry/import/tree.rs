//! Trees of a repository with other keys, made anew node by node. What both have of a commit before is not read again.

use std::collections::HashMap;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, DirNode, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, ObjectKind};
use crate::limits::TREE_DEPTH_MAX;
use crate::observe::Observer;

use super::super::super::commit::{ContentStore, ObjectSink};
use super::super::super::previous::ContentReader;
use super::super::super::{OpsError, dir_nodes, tree};

/// Directories and contents that are remembered at most: some 50 MiB.
const REMEMBERED_MAX: usize = 1 << 18;

/// The root of a commit, and that of what was made of it.
pub(super) type Before = (DirEntry, DirEntry);

/// What is made of trees.
pub(super) struct TreeImport<'r, 's, 'a> {
    from: &'r ChunkStore,
    /// Reads what is there already.
    there: &'r ChunkStore,
    sink: &'s ObjectSink<'a>,
    contents: ContentStore<'s, 'a>,
    dirs: HashMap<ChunkId, Option<ChunkId>>,
    files: HashMap<Content, ContentRoot>,
    observer: &'r dyn Observer,
}

/// A content root, to be looked up.
type Content = (ChunkId, u8, u64, u64);

/// A directory on its way.
struct Frame {
    entry: DirEntry,
    todo: std::vec::IntoIter<DirEntry>,
    done: Vec<DirEntry>,
    /// Entries of the directory that stood there before, and of what was made of it.
    before: Listing,
}

/// Entries by name, of both sides.
type Listing = HashMap<Vec<u8>, (DirEntry, DirEntry)>;

impl<'r, 's, 'a> TreeImport<'r, 's, 'a> {
    pub(super) fn new(
        (from, there): (&'r ChunkStore, &'r ChunkStore),
        (sink, contents): (&'s ObjectSink<'a>, ContentStore<'s, 'a>),
        observer: &'r dyn Observer,
    ) -> Self {
        let (dirs, files) = Default::default();
        Self { from, there, sink, contents, dirs, files, observer }
    }

    /// Makes the tree at `root` anew; returns its root there.
    pub(super) fn root(&mut self, root: &DirEntry, before: Option<&Before>) -> Result<DirEntry, OpsError> {
        if self.dirs.len() + self.files.len() > REMEMBERED_MAX {
            (self.dirs, self.files) = Default::default();
        }
        if let Some((old, made)) = before {
            self.know(old, made);
        }
        let mut stack = vec![match self.known_dir(root) {
            Some(done) => return Ok(done),
            None => self.enter(root.clone(), before)?,
        }];
        loop {
            if self.observer.cancelled() {
                return Err(OpsError::Cancelled);
            }
            let frame = stack.last_mut().expect("the root is left last");
            let Some(entry) = frame.todo.next() else {
                let done = self.leave(stack.pop().expect("just seen"))?;
                match stack.last_mut() {
                    None => return Ok(done),
                    Some(above) => above.done.push(done),
                }
                continue;
            };
            if !matches!(entry.kind, EntryKind::Dir { .. }) {
                let made = frame.before.get(&entry.name).map(|(_, made)| made.clone());
                let done = self.leaf(entry, made.as_ref())?;
                stack.last_mut().expect("just seen").done.push(done);
            } else if let Some(done) = self.known_dir(&entry) {
                frame.done.push(done);
            } else {
                let before = frame.before.get(&entry.name).cloned();
                let below = self.enter(entry, before.as_ref())?;
                stack.push(below);
            }
            if stack.len() > TREE_DEPTH_MAX {
                let what = "a directory of a commit".to_owned();
                return Err(OpsError::Damaged { what, why: "it lies too deep".to_owned() });
            }
        }
    }

    /// Hands on what was collected.
    pub(super) fn finish(self) -> Result<(), OpsError> {
        self.contents.finish()
    }

    fn enter(&mut self, entry: DirEntry, before: Option<&Before>) -> Result<Frame, OpsError> {
        let before = match before {
            Some((old, made)) => self.listing(old, made)?,
            None => Listing::new(),
        };
        let todo = tree::read_dir(self.from, tree::dir_node(&entry))?;
        Ok(Frame { entry, done: Vec::with_capacity(todo.len()), todo: todo.into_iter(), before })
    }

    /// Lists a directory of before and what was made of it, side by side, and remembers what became of its entries.
    fn listing(&mut self, old: &DirEntry, made: &DirEntry) -> Result<Listing, OpsError> {
        let ours = tree::read_dir(self.there, tree::dir_node(made))?;
        let mut ours: HashMap<Vec<u8>, DirEntry> =
            ours.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let mut listing = Listing::new();
        for entry in tree::read_dir(self.from, tree::dir_node(old))? {
            if let Some(made) = ours.remove(&entry.name) {
                self.know(&entry, &made);
                listing.insert(entry.name.clone(), (entry, made));
            }
        }
        Ok(listing)
    }

    /// Remembers what became of an entry's content.
    fn know(&mut self, old: &DirEntry, made: &DirEntry) {
        match (&old.kind, &made.kind) {
            (EntryKind::Dir { node: Some(old) }, EntryKind::Dir { node }) => {
                self.dirs.insert(*old, *node);
            }
            (EntryKind::File { content: old, .. }, EntryKind::File { content, .. }) => {
                self.files.extend(key(old).map(|old| (old, *content)));
            }
            _ => {}
        }
    }

    /// The directory there, if it is known what becomes of it.
    fn known_dir(&self, entry: &DirEntry) -> Option<DirEntry> {
        let node = match tree::dir_node(entry) {
            None => None,
            Some(node) => *self.dirs.get(node)?,
        };
        Some(DirEntry { kind: EntryKind::Dir { node }, ..entry.clone() })
    }

    fn leave(&mut self, frame: Frame) -> Result<DirEntry, OpsError> {
        let sink = self.sink;
        let put = |node: DirNode| {
            let unrecordable = |source| OpsError::Tree { what: "a new directory".to_owned(), source };
            let bytes = node.encode().map_err(unrecordable)?;
            sink.put_metadata(ObjectKind::DirNode, &bytes).map_err(OpsError::cas("store a directory"))
        };
        let mut entries = frame.done;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let node = dir_nodes::store(entries, put)?;
        if let Some(old) = tree::dir_node(&frame.entry) {
            self.dirs.insert(*old, node);
        }
        Ok(DirEntry { kind: EntryKind::Dir { node }, ..frame.entry })
    }

    /// Anything but a directory; `made`: what stands there in what was made of the commit before.
    fn leaf(&mut self, entry: DirEntry, made: Option<&DirEntry>) -> Result<DirEntry, OpsError> {
        let EntryKind::File { content, sparse } = entry.kind else { return Ok(entry) };
        let known = match key(&content) {
            None => Some(ContentRoot::Empty),
            Some(key) => self.files.get(&key).copied(),
        };
        let content = match known {
            Some(content) => content,
            None => self.content(content, made)?,
        };
        Ok(DirEntry { kind: EntryKind::File { content, sparse }, ..entry })
    }

    fn content(&mut self, content: ContentRoot, made: Option<&DirEntry>) -> Result<ContentRoot, OpsError> {
        let former = made.and_then(|made| match &made.kind {
            EntryKind::File { content, .. } => Some(*content),
            _ => None,
        });
        let mut reader = ContentReader::new(self.from, &content, ObjectKind::Chunk)?;
        let stored = self.contents.store(&mut reader, former)?;
        self.observer.advance(0, content.total_len().unwrap_or(0));
        self.files.extend(key(&content).map(|key| (key, stored)));
        Ok(stored)
    }
}

fn key(content: &ContentRoot) -> Option<Content> {
    match *content {
        ContentRoot::Empty => None,
        ContentRoot::Tree { level, id, len, repeat } => Some((id, level, len, repeat)),
    }
}
