//! `key rotate`: new keys, for everything that is written from now on.

use serde::Serialize;
use warp::repo::{RepoError, Repository, Rotation};

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::escape;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

#[derive(clap::Args, Debug)]
pub(super) struct RotateArgs {
    /// Give up all passwords and key files but the one in use: they open nothing any more
    #[arg(long)]
    remove_others: bool,
}

#[derive(Serialize)]
struct Line {
    message_type: &'static str,
    /// Number of the new data key.
    epoch: u32,
    id: u32,
    keys_removed: Vec<u32>,
    packs_old_key: u64,
    bytes_old_key: u64,
}

pub(super) fn run(ui: &mut Ui, ctx: &Context, args: &RotateArgs) -> Result<(), CliError> {
    let (opened, credentials) = ctx.open_with_secret(ui)?;
    let rotated = opened.repo.key_rotate(&credentials, args.remove_others);
    let (repo, done) = rotated.map_err(explain)?;
    let line = line(&repo, &done);
    if ui.is_json() {
        return Ok(ui.json(&line)?);
    }
    tell(ui, &done, &line);
    Ok(())
}

/// Adds what to do about other keys.
fn explain(error: RepoError) -> CliError {
    let is_of_others = matches!(error, RepoError::OtherKeys { .. });
    let error = CliError::from(error);
    match is_of_others {
        true => error.hint(
            "nothing was changed; --remove-others gives them up, and `warp key add` adds them again afterwards",
        ),
        false => error,
    }
}

fn line(repo: &Repository, done: &Rotation) -> Line {
    // All packs that there are came before the new key.
    let state = repo.state();
    Line {
        message_type: "keys_rotated",
        epoch: done.epoch,
        id: done.key,
        keys_removed: done.removed.iter().map(|key| key.id).collect(),
        packs_old_key: state.packs.len() as u64,
        bytes_old_key: state.packs.values().map(|pack| pack.len).sum(),
    }
}

fn tell(ui: &mut Ui, done: &Rotation, line: &Line) {
    let (epoch, key) = (done.epoch, done.key);
    ui.status(format_args!("Data key {epoch} seals what is written from now on"));
    ui.status(format_args!("Key {key}, with the password or key file in use, opens the repository"));
    for key in &done.removed {
        let label = escape::line(&key.label);
        ui.status(format_args!(
            "Key {} ({label}) opens it no more: add it again with `warp key add`",
            key.id
        ));
    }
    ui.status(format_args!(
        "Recovery sheets from before help no more: print a new one with `warp key export`"
    ));
    if line.packs_old_key > 0 {
        let packs = count(line.packs_old_key, "pack stays", "packs stay");
        let bytes = human(line.bytes_old_key);
        ui.status(format_args!(
            "{packs} under older keys, {bytes}: `warp gc` seals them anew bit by bit, `warp repack --old-keys` at once"
        ));
    }
}
