//! Makes a repository whose index has very many rows: `cargo run --release --features testing --example synth -- DIR COUNT`.
//!
//! It is not encrypted. What warp then takes for opening it, a commit, a check or a collection is what many chunks cost.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use warp::format::config::KdfParams;
use warp::format::dirtree::Timestamp;
use warp::repo::{ChunkerConfig, Client, CreateOptions, Credentials, Repository};
use warp::store::{LocalStore, OsVfs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (dir, count) = (args.next().ok_or("say where")?, args.next().ok_or("say how many chunks")?);
    let (dir, count) = (PathBuf::from(dir), count.to_string_lossy().parse()?);
    let vfs = Arc::new(OsVfs::new());
    let store = Arc::new(LocalStore::create(dir.clone(), vfs.clone())?);
    let client = Client {
        state_dir: dir.with_extension("state"),
        cache_dir: None,
        vfs,
        who: "synth@here".to_owned(),
        host: "here".to_owned(),
        now: Timestamp::default,
        utc_offset: 0,
        accept_rollback: false,
    };
    let options = CreateOptions {
        credentials: Credentials::None,
        label: String::new(),
        kdf: KdfParams { memory_kib: 64 << 10, passes: 3, lanes: 1 },
        worktree: false,
        chunker: ChunkerConfig::default(),
        settings: Vec::new(),
    };
    let repo = Repository::create(store, options, client)?;
    let commit = warp::testing::many_chunks(&repo, count, 1)?;
    println!("{count} chunks in commit {}", commit.short());
    Ok(())
}
