//! A repository in memory, a folder to commit, and changes as short text.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::super::commit::{CommitRequest, ScanSettings, Source, commit};
use super::super::testkit::chunkers;
use super::super::{OpsError, Selection};
use super::{Change, ChangeKind, DiffOptions, DiffSummary, Side, diff};
use crate::format::config::KdfParams;
use crate::format::dirtree::{EntryKind, Timestamp};
use crate::id::CommitId;
use crate::observe::{Observer, Silent};
use crate::repo::{ChunkerConfig, Client, CreateOptions, Credentials, Repository};
use crate::store::{MemoryStore, OsVfs};

pub(in crate::ops) struct Kit {
    pub(in crate::ops) dir: TempDir,
    pub(in crate::ops) store: Arc<MemoryStore>,
    pub(in crate::ops) repo: Repository,
    pub(in crate::ops) source: Source,
    pub(in crate::ops) scan: ScanSettings,
}

impl Kit {
    /// An empty repository whose commits are of the folder [`Self::root`].
    pub(in crate::ops) fn new() -> Self {
        Self::with(chunkers()[0])
    }

    /// The same with another chunker.
    pub(in crate::ops) fn with(chunker: ChunkerConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("tree");
        fs::create_dir(&root).unwrap();
        let store = Arc::new(MemoryStore::new());
        let options = CreateOptions {
            credentials: Credentials::None,
            label: String::new(),
            kdf: KdfParams { memory_kib: 8, passes: 1, lanes: 1 },
            worktree: true,
            chunker,
            settings: Vec::new(),
        };
        let repo = Repository::create(Arc::clone(&store) as _, options, client(dir.path())).unwrap();
        Self { dir, store, repo, source: Source::WorkDir(root), scan: ScanSettings::default() }
    }

    pub(in crate::ops) fn root(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    /// Another handle, which has read nothing yet.
    pub(in crate::ops) fn reopened(&self) -> Repository {
        Repository::open(Arc::clone(&self.store) as _, &Credentials::None, client(self.dir.path())).unwrap()
    }

    pub(in crate::ops) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Commits the folder, which is then old enough for its files to be known as untouched.
    pub(in crate::ops) fn commit(&self) -> CommitId {
        std::thread::sleep(Duration::from_millis(60));
        let source = match &self.source {
            Source::WorkDir(root) => Source::WorkDir(root.clone()),
            Source::Paths(paths) => Source::Paths(paths.clone()),
            Source::Stream { .. } => panic!("the kit commits no streams"),
        };
        let request = CommitRequest {
            scan: self.scan.clone(),
            branch: Some("main".to_owned()),
            allow_empty: true,
            threads: 2,
            ..CommitRequest::new(source, "host", Timestamp { secs: 1_700_000_000, nanos: 0 })
        };
        commit(&self.repo, request, &Silent).unwrap().commit.unwrap()
    }

    pub(in crate::ops) fn live(&self, base: CommitId) -> Side<'_> {
        Side::Live { source: &self.source, scan: &self.scan, base }
    }

    pub(in crate::ops) fn diff(&self, old: &Side<'_>, new: &Side<'_>, options: &DiffOptions) -> Vec<Change> {
        compare(&self.repo, old, new, options, &Silent).unwrap().0
    }
}

fn client(dir: &Path) -> Client {
    Client {
        state_dir: dir.join("state"),
        cache_dir: None,
        vfs: Arc::new(OsVfs::default()),
        who: "somebody@host".to_owned(),
        host: "host".to_owned(),
        now: Timestamp::default,
        utc_offset: 0,
        accept_rollback: false,
    }
}

pub(in crate::ops) fn compare(
    repo: &Repository,
    old: &Side<'_>,
    new: &Side<'_>,
    options: &DiffOptions,
    observer: &dyn Observer,
) -> Result<(Vec<Change>, DiffSummary), OpsError> {
    let mut changes = Vec::new();
    let mut sink = |change| {
        changes.push(change);
        ControlFlow::Continue(())
    };
    let summary = diff(repo, old, new, options, &mut sink, observer)?;
    Ok((changes, summary))
}

pub(in crate::ops) fn options(threads: usize) -> DiffOptions {
    DiffOptions { selection: Selection::default(), chunk_stats: false, costs: false, renames: false, threads }
}

/// `A path`, `R old -> new` and so on; not the metadata of directories, whose times change with what they hold.
pub(in crate::ops) fn short(changes: &[Change]) -> Vec<String> {
    let is_dir =
        |change: &Change| matches!(change.new.as_ref().map(|entry| &entry.kind), Some(EntryKind::Dir { .. }));
    let told = changes.iter().filter(|change| change.kind != ChangeKind::Metadata || !is_dir(change));
    let told = told.map(|change| {
        let path = String::from_utf8_lossy(&change.path);
        match (&change.old_path, change.kind) {
            (Some(old), _) => format!("R {} -> {path}", String::from_utf8_lossy(old)),
            (None, ChangeKind::Added) => format!("A {path}"),
            (None, ChangeKind::Removed) => format!("D {path}"),
            (None, ChangeKind::Modified) => format!("M {path}"),
            (None, ChangeKind::TypeChanged) => format!("T {path}"),
            (None, ChangeKind::Metadata) => format!("m {path}"),
            (None, ChangeKind::Renamed) => panic!("a renamed file has an old path"),
        }
    });
    told.collect()
}
