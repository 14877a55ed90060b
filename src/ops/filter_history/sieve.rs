//! Trees without what is dropped, node by node.
//!
//! Commits share most of their directories. What became of a directory is kept by the id of its node, with what was dropped from
//! it, so that the next commit that holds it is done without reading it again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use lru::LruCache;

use crate::cas::ChunkStore;
use crate::format::dirtree::{DirEntry, DirNode, EntryKind, Owner, Timestamp};
use crate::id::{ChunkId, ObjectKind};
use crate::limits::TREE_DEPTH_MAX;

use super::super::commit::ObjectSink;
use super::super::walk::is_dir;
use super::super::{OpsError, dir_nodes, tree};
use super::counts::{DroppedCounts, Scales, Weight};
use super::links::{Links, Renamed};
use super::rules::{Base, Rules, Sources};

/// Stands for the node that an empty directory does not have.
const EMPTY: ChunkId = ChunkId::new([0; ChunkId::LEN]);
/// Directories and dropped entries that are remembered at most: some 100 MiB if every path is long.
const REMEMBERED_MAX: usize = 1 << 18;

/// An entry that is dropped from a tree, with everything below it.
#[derive(Debug, Clone)]
pub(super) struct Drop {
    pub(super) path: Vec<u8>,
    pub(super) is_dir: bool,
    pub(super) counts: DroppedCounts,
}

/// What was dropped from one directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut {
    /// Regular files that it had.
    pub(super) files: usize,
    /// Those of them that are gone, by their number in the order of the tree.
    pub(super) gone: Vec<usize>,
}

/// A tree without what is dropped.
#[derive(Debug)]
pub(super) struct Sifted {
    pub(super) root: DirEntry,
    /// What was dropped, in the order of a scan.
    pub(super) drops: Vec<Drop>,
    pub(super) counts: DroppedCounts,
    /// Directories that have lost files, by path.
    pub(super) cuts: HashMap<Vec<u8>, Cut>,
}

/// A directory in its place: what patterns and paths say of it depends on that.
type Key = (ChunkId, Base, Vec<u8>);

/// What became of a directory.
#[derive(Debug, Clone)]
struct Known {
    node: Option<ChunkId>,
    files: usize,
    hits: Arc<[Hit]>,
}

/// An entry that is dropped, or a directory below which something is.
#[derive(Debug, Clone)]
struct Hit {
    name: Vec<u8>,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    /// Dropped; a regular file with its number among those of its directory.
    Gone { weight: Weight, is_dir: bool, file: Option<usize> },
    /// The directory's node, as it was.
    Below(ChunkId),
}

struct Frame {
    path_len: usize,
    base: Base,
    /// The directory's entry; in the end it has the new node.
    dir: DirEntry,
    coming: Coming,
}

enum Coming {
    /// It was sifted before; told up to the index.
    Known(Known, usize),
    New(New),
}

/// A directory that was sifted.
struct Left {
    dir: DirEntry,
    /// Its node as it was.
    before: Option<ChunkId>,
    /// Something in it was dropped.
    is_hit: bool,
    /// It is another one now.
    is_changed: bool,
}

/// A directory that is sifted now.
struct New {
    key: Key,
    todo: std::vec::IntoIter<(DirEntry, Option<usize>)>,
    kept: Vec<DirEntry>,
    files: usize,
    hits: Vec<Hit>,
    is_changed: bool,
}

/// What is found out about one tree on the way through it.
#[derive(Default)]
struct Told {
    drops: Vec<Drop>,
    counts: DroppedCounts,
    cuts: HashMap<Vec<u8>, Cut>,
    groups: HashSet<u64>,
}

/// Sifts trees.
pub(super) struct Sieve<'a> {
    chunks: &'a ChunkStore,
    rules: &'a Rules,
    sink: &'a ObjectSink<'a>,
    pub(super) scales: Scales<'a>,
    links: Links<'a>,
    known: LruCache<Key, Known>,
    /// Directories in `known`, and hits in them.
    remembered: usize,
    remembered_max: usize,
}

impl<'a> Sieve<'a> {
    pub(super) fn new(chunks: &'a ChunkStore, rules: &'a Rules, sink: &'a ObjectSink<'a>) -> Self {
        Self {
            chunks,
            rules,
            sink,
            scales: Scales::new(chunks),
            links: Links::new(chunks),
            known: LruCache::unbounded(),
            remembered: 0,
            remembered_max: REMEMBERED_MAX,
        }
    }

    /// The same that remembers less.
    #[cfg(test)]
    pub(super) fn forgetful(self, remembered_max: usize) -> Self {
        Self { remembered_max, ..self }
    }

    /// Sifts the tree at `root`. `None`: nothing of it is dropped.
    ///
    /// Where the first name of a hard-linked file is dropped, its group is named anew after the first one that is left, as a
    /// commit of what is left would name it.
    pub(super) fn sift(&mut self, root: &DirEntry, sources: &Sources) -> Result<Option<Sifted>, OpsError> {
        let mut told = Told::default();
        let mut sifted = self.pass(root, sources, None, &mut told)?;
        if told.drops.is_empty() {
            return Ok(None);
        }
        if !told.groups.is_empty() {
            let gone = told.drops.iter().map(|drop| drop.path.as_slice()).collect();
            let renamed = self.links.rename(root, &told.groups, &gone)?;
            if !renamed.is_empty() {
                sifted = self.pass(root, sources, Some(&renamed), &mut Told::default())?;
            }
        }
        let Told { drops, counts, cuts, .. } = told;
        Ok(Some(Sifted { root: sifted, drops, counts, cuts }))
    }

    fn pass(
        &mut self,
        root: &DirEntry,
        sources: &Sources,
        renamed: Option<&Renamed>,
        told: &mut Told,
    ) -> Result<DirEntry, OpsError> {
        let mut path = Vec::new();
        let mut stack = vec![self.enter(root.clone(), &path, sources.base(b"", None), renamed)?];
        loop {
            let frame = stack.last_mut().expect("the root is left last");
            path.truncate(frame.path_len);
            if let Some(below) = self.step(frame, &mut path, (sources, renamed), told)? {
                stack.push(below);
                if stack.len() > TREE_DEPTH_MAX {
                    let what = format!("directory {}", String::from_utf8_lossy(&path));
                    return Err(OpsError::Damaged { what, why: "it lies too deep".to_owned() });
                }
                continue;
            }
            let done = stack.pop().expect("just seen");
            let left = self.leave(done, renamed.is_none())?;
            match stack.last_mut() {
                None => return Ok(left.dir),
                Some(above) => above.take_in(left),
            }
        }
    }

    /// Opens a directory.
    fn enter(
        &mut self,
        dir: DirEntry,
        path: &[u8],
        base: Base,
        renamed: Option<&Renamed>,
    ) -> Result<Frame, OpsError> {
        let node = tree::dir_node(&dir).copied();
        let key = (node.unwrap_or(EMPTY), base, path.to_vec());
        let is_as_before = || renamed.is_none() || node.is_none_or(|node| self.links.has_none(&node));
        let known = if is_as_before() { self.known.get(&key).cloned() } else { None };
        let coming = match known {
            Some(known) => Coming::Known(known, 0),
            None => {
                let (dirs, others): (Vec<_>, Vec<_>) =
                    tree::read_dir(self.chunks, node.as_ref())?.into_iter().partition(is_dir);
                let mut files = 0;
                let mut number = |entry: DirEntry| {
                    let is_file = matches!(entry.kind, EntryKind::File { .. });
                    files += usize::from(is_file);
                    (entry, is_file.then(|| files - 1))
                };
                let mut todo: Vec<_> = others.into_iter().map(&mut number).collect();
                todo.extend(dirs.into_iter().map(|entry| (entry, None)));
                let (kept, hits) = Default::default();
                Coming::New(New { key, todo: todo.into_iter(), kept, files, hits, is_changed: false })
            }
        };
        Ok(Frame { path_len: path.len(), base, dir, coming })
    }

    /// Goes on in a directory to the next one in it that must be entered; `None`: there are no more.
    fn step(
        &mut self,
        frame: &mut Frame,
        path: &mut Vec<u8>,
        (sources, renamed): (&Sources, Option<&Renamed>),
        told: &mut Told,
    ) -> Result<Option<Frame>, OpsError> {
        loop {
            path.truncate(frame.path_len);
            let below = match &mut frame.coming {
                Coming::Known(known, at) => {
                    let Some(hit) = known.hits.get(*at) else { return Ok(None) };
                    *at += 1;
                    join(path, &hit.name);
                    match &hit.what {
                        What::Gone { weight, is_dir, file } => {
                            told.drop(path, (weight, *is_dir), (*file, known.files));
                            continue;
                        }
                        What::Below(node) => known_dir(*node),
                    }
                }
                Coming::New(new) => {
                    let Some((entry, file)) = new.todo.next() else { return Ok(None) };
                    join(path, &entry.name);
                    if self.rules.drop(sources, path, frame.base, is_dir(&entry)) {
                        let (weight, is_dir) = (self.scales.weigh(&entry)?, is_dir(&entry));
                        told.drop(path, (&weight, is_dir), (file, new.files));
                        let what = What::Gone { weight, is_dir, file };
                        new.hits.push(Hit { name: entry.name, what });
                        new.is_changed = true;
                        continue;
                    }
                    if !self.must_enter(&entry, path, renamed) {
                        new.keep(entry, renamed);
                        continue;
                    }
                    entry
                }
            };
            let base = sources.base(path, frame.base);
            return self.enter(below, path, base, renamed).map(Some);
        }
    }

    /// Whether anything in what stands here may change.
    fn must_enter(&self, entry: &DirEntry, path: &[u8], renamed: Option<&Renamed>) -> bool {
        let EntryKind::Dir { node: Some(node) } = &entry.kind else { return false };
        self.rules.reach(path) || (renamed.is_some() && !self.links.has_none(node))
    }

    /// Stores a directory that has changed, and remembers what became of it.
    fn leave(&mut self, frame: Frame, remember: bool) -> Result<Left, OpsError> {
        let mut dir = frame.dir;
        let before = tree::dir_node(&dir).copied();
        let mut new = match frame.coming {
            Coming::Known(known, _) => {
                let is_hit = !known.hits.is_empty();
                dir.kind = EntryKind::Dir { node: known.node };
                return Ok(Left { dir, before, is_hit, is_changed: is_hit });
            }
            Coming::New(new) => new,
        };
        let (is_hit, is_changed) = (!new.hits.is_empty(), new.is_changed);
        if is_changed {
            new.kept.sort_unstable_by(|a, b| a.name.cmp(&b.name));
            let node = dir_nodes::store(new.kept, |node| self.put(&node))?;
            dir.kind = EntryKind::Dir { node };
        }
        // Of what lies above the sources it depends on these what becomes of it.
        if remember && frame.base.is_some() {
            let node = tree::dir_node(&dir).copied();
            self.remember(new.key, Known { node, files: new.files, hits: new.hits.into() });
        }
        Ok(Left { dir, before, is_hit, is_changed })
    }

    fn put(&self, node: &DirNode) -> Result<ChunkId, OpsError> {
        let unrecordable = |source| OpsError::Tree { what: "a new directory".to_owned(), source };
        let bytes = node.encode().map_err(unrecordable)?;
        self.sink.put_metadata(ObjectKind::DirNode, &bytes).map_err(OpsError::cas("store a directory"))
    }

    fn remember(&mut self, key: Key, known: Known) {
        self.remembered += known.weight();
        if let Some(before) = self.known.put(key, known) {
            self.remembered -= before.weight();
        }
        while self.remembered > self.remembered_max {
            let Some((_, forgotten)) = self.known.pop_lru() else { break };
            self.remembered -= forgotten.weight();
        }
    }
}

impl Known {
    /// How much room it takes, in entries.
    fn weight(&self) -> usize {
        let groups = |hit: &Hit| match &hit.what {
            What::Gone { weight, .. } => weight.groups.len(),
            What::Below(_) => 0,
        };
        1 + self.hits.iter().map(|hit| 1 + groups(hit)).sum::<usize>()
    }
}

impl New {
    fn keep(&mut self, mut entry: DirEntry, renamed: Option<&Renamed>) {
        if let Some(group) = renamed.and_then(|renamed| renamed.get(&entry.hard_link)) {
            entry.hard_link = *group;
            self.is_changed = true;
        }
        self.kept.push(entry);
    }
}

impl Frame {
    /// Takes in a directory that has been sifted.
    fn take_in(&mut self, left: Left) {
        let Coming::New(new) = &mut self.coming else { return };
        if let Some(node) = left.before.filter(|_| left.is_hit) {
            new.hits.push(Hit { name: left.dir.name.clone(), what: What::Below(node) });
        }
        new.is_changed |= left.is_changed;
        new.kept.push(left.dir);
    }
}

impl Told {
    fn drop(
        &mut self,
        path: &[u8],
        (weight, is_dir): (&Weight, bool),
        (file, files): (Option<usize>, usize),
    ) {
        self.counts += weight.counts;
        self.groups.extend(weight.groups.iter());
        self.drops.push(Drop { path: path.to_vec(), is_dir, counts: weight.counts });
        if let Some(number) = file {
            let end = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
            let cut = self.cuts.entry(path[..end].to_vec()).or_default();
            cut.files = files;
            cut.gone.push(number);
        }
    }
}

fn join(path: &mut Vec<u8>, name: &[u8]) {
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
}

/// A directory of which nothing counts but its node: what becomes of the one above is known.
fn known_dir(node: ChunkId) -> DirEntry {
    DirEntry {
        name: Vec::new(),
        kind: EntryKind::Dir { node: Some(node) },
        mode: 0,
        owner: Owner::default(),
        mtime: Timestamp::default(),
        xattrs: Vec::new(),
        hard_link: 0,
    }
}
