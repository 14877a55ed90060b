//! `stats`: how large a repository is, and what it saves.

use std::collections::{HashMap, HashSet};

use crate::chonkers::NodeSource;
use crate::format::dirtree::{DirEntry, EntryKind};
use crate::format::node::ContentRoot;
use crate::id::{ChunkId, CommitId, Locator, ObjectKind};
use crate::limits::DELTA_DEPTH_MAX;
use crate::observe::{Observer, Phase};
use crate::repo::{RepoError, Repository};

use super::stored::Stored;
use super::tree::Nodes;
use super::walk::{Step, Walk};
use super::{DeltaCounts, OpsError, convert, renew};

/// Folders of a store.
const FOLDERS: [&str; 5] = ["config/", "log/", "checkpoint/", "packs/", "index/"];

/// How large a repository is, and what it saves.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct RepositoryStats {
    /// Live commits.
    pub commits: u64,
    /// Packs.
    pub packs: u64,
    /// Their bytes.
    pub pack_bytes: u64,
    /// Packs that are sealed under older data keys than the newest one.
    pub packs_old_key: u64,
    /// Their bytes.
    pub bytes_old_key: u64,
    /// Bytes of all index segments.
    pub index_bytes: u64,
    /// Entries of the log.
    pub log_entries: u64,
    /// Their bytes.
    pub log_bytes: u64,
    /// Bytes of everything in the store, also of what no log entry names.
    pub total_bytes: u64,
    /// Objects in all packs.
    pub objects: u64,
    /// Their bytes before compression.
    pub object_bytes: u64,
    /// Bytes that they take in the packs, compressed and sealed.
    pub stored_bytes: u64,
    /// `object_bytes / stored_bytes`; 1 without objects.
    pub compression_ratio: f64,
    /// Objects that are stored as differences to others, of those in all packs.
    pub deltas: DeltaCounts,
    /// How many of them are made of so many differences one above the other: one in the first place, two in the second,
    /// and so on.
    pub deltas_by_depth: [u64; DELTA_DEPTH_MAX as usize],
    /// How many of them are differences to several objects at once.
    pub deltas_of_several_bases: u64,
    /// Estimate of what they would take in full: their bytes, compressed as far as the objects of the same sort (bytes
    /// of files, or metadata) that are stored in full. What an index and directories say of them is not counted.
    pub deltas_in_full: u64,
    /// Bytes of all files of the counted commits; a file of two names or in two commits counts twice.
    pub file_bytes: u64,
    /// Bytes of the distinct chunks that they are made of, before compression and differences.
    pub unique_bytes: u64,
    /// `file_bytes / unique_bytes`; 1 without files.
    pub dedup_ratio: f64,
}

impl RepositoryStats {
    /// Estimate of the bytes that differences save: [`deltas_in_full`](Self::deltas_in_full) without what they take.
    pub fn deltas_save(&self) -> u64 {
        self.deltas_in_full.saturating_sub(self.deltas.stored_bytes)
    }
}

/// Measures the repository, and the files of `commits` (empty: of every live commit).
///
/// Directories and files that commits share are read once. Memory grows by about 20 bytes a distinct chunk and 50 a
/// distinct directory.
///
/// # Errors
/// When the store, a commit or a directory cannot be read; [`OpsError::Cancelled`].
pub fn stats(
    repo: &Repository,
    commits: &[CommitId],
    observer: &dyn Observer,
) -> Result<RepositoryStats, OpsError> {
    let mut stats = of_store(repo)?;
    let commits = if commits.is_empty() { repo.timeline().commits() } else { commits.to_vec() };
    observer.phase(Phase::Scan, None, None);
    let mut count = Count::new(repo, observer);
    for commit in commits {
        let root = repo.version(commit)?.commit.root;
        stats.file_bytes = stats.file_bytes.saturating_add(count.tree(root)?);
    }
    stats.unique_bytes = count.unique_bytes;
    stats.dedup_ratio = ratio(stats.file_bytes, stats.unique_bytes);
    Ok(stats)
}

#[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
fn ratio(whole: u64, part: u64) -> f64 {
    if part == 0 { 1.0 } else { whole as f64 / part as f64 }
}

/// What the log and the packs' directories say.
fn of_store(repo: &Repository) -> Result<RepositoryStats, OpsError> {
    let state = repo.state();
    let newest = repo.chunks().vault().keyring().newest_epoch();
    let (packs_old_key, bytes_old_key) = renew::sum(state.packs.values().filter(|pack| pack.epoch < newest));
    let mut stats = RepositoryStats {
        commits: state.commits.len() as u64,
        packs: state.packs.len() as u64,
        pack_bytes: state.packs.values().map(|pack| pack.len).sum(),
        packs_old_key,
        bytes_old_key,
        index_bytes: state.segments.iter().map(|segment| segment.len).sum(),
        log_entries: state.number,
        log_bytes: state.log_bytes,
        ..RepositoryStats::default()
    };
    let store = repo.chunks().vault().store();
    for folder in FOLDERS {
        let failed = |source| RepoError::Store { location: store.location(), source };
        stats.total_bytes += store.list(folder).map_err(failed)?.iter().map(|blob| blob.len).sum::<u64>();
    }
    of_packs(repo, &mut stats)?;
    stats.compression_ratio = ratio(stats.object_bytes, stats.stored_bytes);
    Ok(stats)
}

/// What the packs' directories say.
fn of_packs(repo: &Repository, stats: &mut RepositoryStats) -> Result<(), OpsError> {
    let (mut data, mut metadata) = (Stored::default(), Stored::default());
    for pack in repo.state().packs.keys() {
        let map = repo.chunks().map(*pack).map_err(OpsError::cas("read the directory of a pack"))?;
        for row in map.rows() {
            let (entry, block, slot) = row;
            let sort = if entry.kind == ObjectKind::Chunk { &mut data } else { &mut metadata };
            sort.add(&map, row);
            stats.stored_bytes += if slot == 0 { map.stored_len(block) } else { 0 };
            if let Some(delta) = map.delta(block, slot) {
                // A directory says no other depth than 1 to DELTA_DEPTH_MAX.
                stats.deltas_by_depth[usize::from(delta.depth) - 1] += 1;
                stats.deltas_of_several_bases += u64::from(delta.bases.len() > 1);
            }
        }
    }
    stats.objects = data.objects + metadata.objects;
    stats.object_bytes = data.bytes + metadata.bytes;
    stats.deltas = data.deltas.and(metadata.deltas);
    stats.deltas_in_full = data.deltas_in_full().saturating_add(metadata.deltas_in_full());
    Ok(())
}

/// Counts files, and everything that they share once.
struct Count<'a> {
    repo: &'a Repository,
    observer: &'a dyn Observer,
    /// Bytes of all files below a directory.
    dirs: HashMap<Locator, u64>,
    /// Nodes of files.
    nodes: HashSet<Locator>,
    /// Chunks by half a locator: that two of 10^9 keyed hashes share it is unlikely, and would cost one chunk of a count.
    chunks: HashSet<u64>,
    unique_bytes: u64,
}

/// A directory whose files are being counted.
struct Open {
    key: Option<Locator>,
    bytes: u64,
}

impl<'a> Count<'a> {
    fn new(repo: &'a Repository, observer: &'a dyn Observer) -> Self {
        let (dirs, nodes, chunks) = (HashMap::new(), HashSet::new(), HashSet::new());
        Self { repo, observer, dirs, nodes, chunks, unique_bytes: 0 }
    }

    /// Counts the tree of one commit; returns the bytes of its files.
    fn tree(&mut self, root: DirEntry) -> Result<u64, OpsError> {
        let mut walk = Walk::new(self.repo.chunks(), b"");
        let mut open = vec![Open { key: None, bytes: 0 }];
        let mut step = Some(Step::Entry(root));
        while let Some(now) = step {
            match now {
                Step::Entry(entry) => self.entry(&entry, &mut walk, &mut open)?,
                Step::Leave => {
                    let done = open.pop().expect("entered before");
                    self.dirs.extend(done.key.map(|key| (key, done.bytes)));
                    add(&mut open, done.bytes);
                }
            }
            step = walk.next();
        }
        Ok(open[0].bytes)
    }

    fn entry(&mut self, entry: &DirEntry, walk: &mut Walk<'_>, open: &mut Vec<Open>) -> Result<(), OpsError> {
        match &entry.kind {
            EntryKind::File { content, .. } => {
                let bytes = convert::size(entry);
                add(open, bytes);
                self.content(content)?;
                self.observer.advance(1, bytes);
            }
            EntryKind::Dir { node: Some(node) } => {
                if self.observer.cancelled() {
                    return Err(OpsError::Cancelled);
                }
                match self.dirs.get(&node.locator()) {
                    Some(bytes) => add(open, *bytes),
                    None => {
                        walk.enter(entry)?;
                        open.push(Open { key: Some(node.locator()), bytes: 0 });
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Counts the chunks of a file that no file before had.
    fn content(&mut self, root: &ContentRoot) -> Result<(), OpsError> {
        let ContentRoot::Tree { level, id, len, .. } = *root else { return Ok(()) };
        let mut open = vec![(level, id, len)];
        let mut source = Nodes { chunks: self.repo.chunks(), kind: ObjectKind::FileNode };
        while let Some((level, id, len)) = open.pop() {
            if level == 0 {
                let is_new = self.chunks.insert(short(&id));
                self.unique_bytes += if is_new { len } else { 0 };
            } else if self.nodes.insert(id.locator()) {
                let node = source.node(level, &id)?;
                if node.level != level {
                    let why = format!("it is of level {}, not {level}", node.level);
                    return Err(OpsError::Damaged { what: format!("file node {id}"), why });
                }
                open.extend(node.children.iter().map(|child| (level - 1, child.id, child.len)));
            }
        }
        Ok(())
    }
}

fn add(open: &mut [Open], bytes: u64) {
    let top = open.last_mut().expect("the bottom stays");
    top.bytes = top.bytes.saturating_add(bytes);
}

fn short(id: &ChunkId) -> u64 {
    let (first, _) = id.as_bytes().split_first_chunk::<8>().expect("an id has 32 bytes");
    u64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::testkit::{chunkers, commit_tree, commit_with, repository, repository_with, request};
    use super::*;
    use crate::observe::Silent;
    use crate::testing::{RecordingObserver, edit_tree, make_tree};

    fn measured(repo: &Repository, commits: &[CommitId]) -> RepositoryStats {
        stats(repo, commits, &Silent).unwrap()
    }

    /// File bytes and bytes of distinct chunks, leaf by leaf.
    fn slowly(repo: &Repository, commits: &[CommitId]) -> (u64, u64) {
        let (mut file_bytes, mut chunks) = (0, HashMap::new());
        for commit in commits {
            crate::ops::ls(repo, *commit, b"", true, &mut |listed| {
                file_bytes += listed.size;
                if let EntryKind::File { content, .. } = &listed.entry.kind {
                    let nodes = Nodes { chunks: repo.chunks(), kind: ObjectKind::FileNode };
                    let tree = crate::chonkers::ChonkerTree::new(convert::tree_root(content));
                    for leaf in tree.leaves(nodes).unwrap() {
                        let leaf = leaf.unwrap().chunk;
                        chunks.insert(leaf.id, leaf.len);
                    }
                }
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        }
        (file_bytes, chunks.values().sum())
    }

    #[test]
    fn counts_are_those_of_every_file_and_every_distinct_chunk() {
        chunkers().map(repository_with).iter().for_each(counts_are_those_of_the_leaves);
    }

    fn counts_are_those_of_the_leaves(repo: &Repository) {
        let dir = tempfile::tempdir().unwrap();
        let mut commits = Vec::new();
        make_tree(dir.path(), 4, 60).unwrap();
        for seed in 0..4 {
            edit_tree(dir.path(), seed, 8).unwrap();
            commits.push(commit_tree(repo, dir.path(), seed.try_into().unwrap()));
        }
        for commits in [&commits[..], &commits[1..2], &commits[2..]] {
            let found = measured(repo, commits);
            assert_eq!((found.file_bytes, found.unique_bytes), slowly(repo, commits));
            let told: u64 = commits.iter().map(|id| repo.version(*id).unwrap().commit.stats.bytes).sum();
            assert_eq!(found.file_bytes, told);
            assert!(found.unique_bytes < found.file_bytes && found.dedup_ratio > 1.0, "{found:?}");
        }
        let all = measured(repo, &[]);
        assert_eq!(all, measured(repo, &commits));
        assert!(all.unique_bytes <= all.object_bytes && all.stored_bytes < all.pack_bytes, "{all:?}");
        let parts = all.pack_bytes + all.index_bytes + all.log_bytes;
        assert!(all.total_bytes > parts && all.total_bytes < parts + 4096, "{all:?}");
        assert_eq!((all.commits, all.log_entries), (4, 5));
    }

    #[test]
    fn a_second_commit_of_the_same_tree_adds_no_unique_byte() {
        let dir = tempfile::tempdir().unwrap();
        make_tree(dir.path(), 5, 30).unwrap();
        let repo = repository();
        let first = commit_tree(&repo, dir.path(), 1);
        let before = measured(&repo, &[]);
        let again = commit_with(&repo, request(dir.path(), "other", 2)).commit.unwrap();
        let after = measured(&repo, &[]);
        assert_eq!(after.unique_bytes, before.unique_bytes);
        assert_eq!(after.file_bytes, 2 * before.file_bytes);
        assert_eq!(measured(&repo, &[first]).file_bytes, measured(&repo, &[again]).file_bytes);
    }

    #[test]
    fn an_empty_repository_has_ratios_of_one_and_a_cancelled_count_stops() {
        let repo = repository();
        let empty = measured(&repo, &[]);
        assert_eq!((empty.file_bytes, empty.unique_bytes, empty.objects), (0, 0, 0));
        assert_eq!((empty.dedup_ratio, empty.compression_ratio), (1.0, 1.0));
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "a").unwrap();
        commit_tree(&repo, dir.path(), 1);
        let stopped = stats(&repo, &[], &RecordingObserver::cancelling_after(0));
        assert!(matches!(stopped, Err(OpsError::Cancelled)), "{stopped:?}");
    }
}
