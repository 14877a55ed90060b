//! Backs a directory up into a repository on disk and brings it back, through the library.
//!
//! `cargo run --example backup_and_restore -- SOURCE REPOSITORY TARGET`

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use warp::format::config::KdfParams;
use warp::format::dirtree::Timestamp;
use warp::observe::Silent;
use warp::ops::{self, CommitRequest, RestoreRequest, Source};
use warp::repo::{ChunkerConfig, Client, CreateOptions, Credentials, Repository};
use warp::store::{LocalStore, OsVfs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(source), Some(repository), Some(target)) = (args.next(), args.next(), args.next()) else {
        return Err("usage: backup_and_restore SOURCE REPOSITORY TARGET".into());
    };
    let vfs = Arc::new(OsVfs::new());
    let client = Client {
        state_dir: repository.with_extension("state"),
        cache_dir: None,
        vfs: vfs.clone(),
        who: "example@localhost".to_owned(),
        host: "localhost".to_owned(),
        now,
        utc_offset: 0,
        accept_rollback: false,
    };
    let options = CreateOptions {
        credentials: Credentials::Password(b"only for this example".to_vec().into()),
        label: "example".to_owned(),
        kdf: KdfParams { memory_kib: 64 << 10, passes: 3, lanes: 1 },
        worktree: false,
        chunker: ChunkerConfig::default(),
        settings: Vec::new(),
    };
    let repo = Repository::create(Arc::new(LocalStore::create(&repository, vfs)?), options, client)?;

    let request = CommitRequest {
        message: "an example".to_owned(),
        branch: Some("main".to_owned()),
        allow_empty: true,
        ..CommitRequest::new(Source::WorkDir(source), "localhost", now())
    };
    let committed = ops::commit(&repo, request, &Silent)?;
    let commit = committed.commit.ok_or("nothing was committed")?;
    println!("committed {} files, {} bytes, as {commit}", committed.stats.files, committed.stats.bytes);

    let request = RestoreRequest { verify: true, ..RestoreRequest::new(commit, target) };
    let restored = ops::restore(&repo, request, &Silent)?;
    println!(
        "brought back {} files, {} of them read back and found right",
        restored.files, restored.verified
    );
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp { secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos() }
}
