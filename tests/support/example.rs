// What the library's examples share: included into them, hidden.

use std::sync::Arc;

use warp::format::config::KdfParams;
use warp::format::dirtree::Timestamp;
use warp::id::CommitId;
use warp::observe::Silent;
use warp::ops::{CommitRequest, Source};
use warp::repo::{ChunkerConfig, Client, CreateOptions, Credentials, Repository};
use warp::store::{MemoryStore, OsVfs};

/// Who works on the examples' repositories.
fn client(state_dir: &std::path::Path) -> Client {
    Client {
        state_dir: state_dir.to_owned(),
        cache_dir: None,
        vfs: Arc::new(OsVfs::new()),
        who: "me@here".to_owned(),
        host: "here".to_owned(),
        now: || Timestamp { secs: 1_700_000_000, nanos: 0 },
        utc_offset: 0,
        accept_rollback: false,
    }
}

/// What the examples' repositories are made with.
fn options(credentials: Credentials) -> CreateOptions {
    CreateOptions {
        credentials,
        label: "example".to_owned(),
        kdf: KdfParams { memory_kib: 64 * 1024, passes: 1, lanes: 1 },
        worktree: false,
        chunker: ChunkerConfig::default(),
        settings: Vec::new(),
    }
}

/// A repository in memory, and the folder of its client's state.
#[allow(dead_code, reason = "not every example needs it")]
fn repository() -> (Repository, tempfile::TempDir) {
    let state = tempfile::tempdir().expect("there is room");
    let store = Arc::new(MemoryStore::new());
    let made = Repository::create(store, options(Credentials::None), client(state.path()));
    (made.expect("a new store is empty"), state)
}

/// Commits a file `notes.txt` with this text onto branch `main`.
#[allow(dead_code, reason = "not every example needs it")]
fn commit_notes(repo: &Repository, text: &'static str) -> CommitId {
    let source = Source::Stream { name: b"notes.txt".to_vec(), reader: Box::new(text.as_bytes()) };
    let time = Timestamp { secs: 1_700_000_000, nanos: 0 };
    let request = CommitRequest {
        message: text.to_owned(),
        branch: Some("main".to_owned()),
        allow_empty: true,
        ..CommitRequest::new(source, "here", time)
    };
    let done = warp::ops::commit(repo, request, &Silent).expect("memory does not fail");
    done.commit.expect("allow_empty")
}
