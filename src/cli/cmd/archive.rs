use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use warp::ops;

use crate::cli::args::{LatestArgs, SelectArgs};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::size;
use crate::cli::ui::Ui;

/// Write a commit as a tar archive to standard output
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp archive HEAD | zstd > backup.tar.zst
  warp archive latest --prefix old/ src | tar -x -C /tmp")]
pub(crate) struct Args {
    /// The commit
    #[arg(value_name = "REV")]
    revision: String,

    /// Only these paths, or what matches these patterns
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,

    /// Put this in front of every name
    #[arg(long, value_name = "PREFIX", default_value = "")]
    prefix: OsString,

    #[command(flatten)]
    select: SelectArgs,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    if ui.is_terminal() {
        return Err(CliError::usage("an archive would not look well on a terminal")
            .hint("send it into a file or pipe"));
    }
    let opened = ctx.open(ui)?;
    let commit = opened.resolve(&args.revision, &args.latest)?;
    let selection = args.select.selection(&opened, &args.paths)?;
    let progress = if ui.is_json() { ui.observer() } else { ui.progress() };
    let prefix = OsStr::as_bytes(&args.prefix);
    let done = ops::archive(&opened.repo, commit, &selection, prefix, ui.out(), &progress)?;
    drop(progress);
    ui.status(format_args!("{}, {}", size::count(done.files, "file", "files"), size::human(done.bytes)));
    Ok(Exit::Done)
}
