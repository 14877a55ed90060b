//! `key recover`: open a repository with its recovery sheet.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use warp::repo::{Credentials, ErrorKind, Recovery, RecoverySheet, RepoError};
use warp::store::{LocalStore, OsVfs, StoreError};
use zeroize::Zeroizing;

use super::NewArgs;
use crate::cli::context::{self, Context};
use crate::cli::error::CliError;
use crate::cli::escape;
use crate::cli::ui::Ui;

/// Most bytes that are read of a sheet: what is longer is some other file.
const SHEET_LEN_MAX: u64 = 1 << 20;

#[derive(clap::Args, Debug)]
pub(super) struct RecoverArgs {
    /// The sheet, as text; - reads it from standard input
    #[arg(long, value_name = "FILE")]
    sheet: PathBuf,

    /// A name for people, to tell it from others in `warp key list`; without it user@host
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,

    #[command(flatten)]
    new: NewArgs,
}

pub(super) fn run(ui: &mut Ui, ctx: &Context, args: &RecoverArgs) -> Result<(), CliError> {
    let location = ctx.locate()?;
    let store = open_store(&location.dir)?;
    let sheet = read_sheet(ui, &args.sheet)?;
    let sheet = RecoverySheet::read(&sheet).map_err(explain)?;
    let recovery = Recovery::open(Arc::new(store), &sheet, ctx.client()?).map_err(explain)?;
    for notice in recovery.notices() {
        ui.warn(format_args!("{}", escape::text(notice)));
    }
    let place = escape::path(&location.dir);
    ui.status(format_args!("The sheet is that of {place}, and opens it."));
    let (rebuilt, lost) = (recovery.is_config_lost(), recovery.lost_keys());
    if rebuilt {
        ui.status(format_args!("The configuration is lost; that of the sheet will take its place."));
    }
    for key in &lost {
        let label = escape::line(&key.label);
        ui.warn(format_args!("key {} ({label}) will not open the repository any more", key.id));
    }
    let new = match recovery.is_encrypted() {
        true => args.new.read()?,
        false => Credentials::None,
    };
    let label = args.label.clone().unwrap_or_else(|| ctx.who());
    let id = recovery.finish(&new, &label, context::kdf())?;
    report(ui, id, rebuilt, lost.len())
}

/// The store, even if its configuration was lost together with the folder.
fn open_store(dir: &Path) -> Result<LocalStore, CliError> {
    let vfs = Arc::new(OsVfs::new());
    match LocalStore::open(dir, vfs.clone()) {
        Err(StoreError::NotAStore { .. }) if context::lacks_only_config(dir) => {
            Ok(LocalStore::create(dir, vfs)?)
        }
        store => Ok(store?),
    }
}

/// The text of a sheet.
fn read_sheet(ui: &mut Ui, path: &Path) -> Result<Zeroizing<String>, CliError> {
    let failed = |error| CliError::file("read the recovery sheet from", path, error);
    let source: Box<dyn Read> = if path.as_os_str() != "-" {
        Box::new(File::open(path).map_err(failed)?)
    } else {
        if io::stdin().is_terminal() {
            ui.status(format_args!("Type or paste the recovery sheet, then Ctrl-D on a line of its own:"));
        }
        Box::new(io::stdin())
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    source.take(SHEET_LEN_MAX).read_to_end(&mut bytes).map_err(failed)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(CliError::failed(format!("{} is not text: no recovery sheet", escape::path(path)))),
    }
}

/// Adds what to do about a sheet that does not fit.
fn explain(error: RepoError) -> CliError {
    let hint = match &error {
        RepoError::Sheet { .. } => Some("nothing was changed; correct that in the file and try again"),
        RepoError::OldSheet { .. } => Some(
            "nothing was changed; use a sheet that was printed since, or open it with a password and print one: `warp key export`",
        ),
        RepoError::OtherSheet { .. } => Some("nothing was changed; name the sheet's repository with -r DIR"),
        RepoError::NotEncrypted { .. } => Some(
            "it opens without a password, and its configuration is not lost: there is nothing to recover",
        ),
        error if error.kind() == ErrorKind::NoRepository => Some("name the sheet's repository with -r DIR"),
        _ => None,
    };
    let error = CliError::from(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn report(ui: &mut Ui, id: Option<u32>, rebuilt: bool, lost: usize) -> Result<(), CliError> {
    #[derive(Serialize)]
    struct Line {
        message_type: &'static str,
        id: Option<u32>,
        configuration_rebuilt: bool,
        keys_lost: usize,
    }
    if ui.is_json() {
        let (message_type, configuration_rebuilt) = ("key_recovered", rebuilt);
        return Ok(ui.json(&Line { message_type, id, configuration_rebuilt, keys_lost: lost })?);
    }
    match id {
        Some(id) => ui.status(format_args!("Added key {id}: it opens the repository from now on")),
        None => ui.status(format_args!("Wrote the configuration anew")),
    }
    if rebuilt && id.is_some() {
        let advice =
            "Other passwords were in the lost configuration: add them with `warp key add`, and print a new";
        ui.status(format_args!("{advice} sheet with `warp key export`."));
    }
    Ok(())
}
