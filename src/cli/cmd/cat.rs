use std::ffi::OsString;

use warp::ops;

use crate::cli::args::LatestArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::ui::Ui;

/// Print a file of a commit
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp cat HEAD~1:notes.txt
  warp cat HEAD:./notes.txt                 from the current directory on
  warp -r /mnt/backup cat latest:/etc/fstab
  warp cat 'main@{2 days ago}:a' > a.old")]
pub(crate) struct Args {
    /// A revision, a colon, and a path from the top of its tree
    #[arg(value_name = "REV:PATH", required = true)]
    specs: Vec<OsString>,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    for spec in &args.specs {
        let (revision, path) = opened.split_spec(spec)?;
        let path = path.filter(|path| !path.is_empty()).ok_or_else(|| {
            let spec = escape::path(spec.as_ref()).into_owned();
            CliError::usage(format!("{spec} names no file: write REV:PATH, as in HEAD:notes.txt"))
        })?;
        let commit = opened.resolve(&revision, &args.latest)?;
        ops::cat(&opened.repo, commit, &path, ui.out())?;
    }
    Ok(Exit::Done)
}
