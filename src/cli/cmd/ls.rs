use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;

use warp::ops::{self, Listed};

use crate::cli::args::LatestArgs;
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::history::{self, Decorations};
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, json, list};

/// List the files of a commit
///
/// A name that holds control characters, invisible ones or bytes that are not UTF-8 is printed in double quotes, with
/// escapes as in "a\nb\xff", everywhere: also in files and pipes. -z prints names as they are.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp ls                       the top of the last commit
  warp ls -l HEAD~1:src         a directory of an older one
  warp ls -R latest             everything
  warp ls -Rz latest | xargs -0 -n1 echo")]
pub(crate) struct Args {
    /// A revision, or REV:PATH; without it the last commit
    #[arg(value_name = "REV")]
    spec: Option<OsString>,

    /// Paths in it
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,

    /// Show mode, owner, size and time
    #[arg(short, long)]
    long: bool,

    /// Also what lies in directories, and in those, with whole paths
    #[arg(short = 'R', long)]
    recursive: bool,

    /// End names with NUL bytes and do not escape them
    #[arg(short = 'z', long, conflicts_with = "long")]
    null: bool,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let (revision, within) = opened.split_spec(args.spec.as_deref().unwrap_or_default())?;
    let paths = paths(args, &opened, within)?;
    let version = opened.version(&revision, &args.latest)?;
    if ui.is_json() {
        history::json_line(ui, &version, &Decorations::read(&opened)?)?;
    }
    let mut failed = None;
    for path in paths {
        ops::ls(
            &opened.repo,
            version.id,
            &path,
            args.recursive,
            &mut |listed| match print(ui, args, &listed) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        if let Some(error) = failed.take() {
            return Err(error.into());
        }
    }
    Ok(Exit::Done)
}

fn paths(args: &Args, opened: &Opened, within: Option<Vec<u8>>) -> Result<Vec<Vec<u8>>, CliError> {
    match (within, args.paths.is_empty()) {
        (Some(_), false) => Err(CliError::usage("write REV:PATH or REV PATH, not both")),
        (within, true) => Ok(vec![within.unwrap_or_default()]),
        (None, false) => opened.tree_paths(&args.paths),
    }
}

fn print(ui: &mut Ui, args: &Args, listed: &Listed) -> io::Result<()> {
    if ui.is_json() {
        return ui.json(&json::Node::new(&listed.path, &listed.entry, listed.size, None));
    }
    let name = if args.recursive { &listed.path } else { &listed.entry.name };
    let name = if name.is_empty() { &listed.path } else { name };
    if args.null {
        ui.out().write_all(name)?;
        return ui.out().write_all(b"\0");
    }
    let shown = escape::name(name);
    let is_dir = matches!(listed.entry.kind, warp::format::dirtree::EntryKind::Dir { .. });
    let shown = if is_dir { ui.paint(Paint::Blue, &shown) } else { shown };
    if args.long {
        let line = list::long(&listed.entry, listed.size, &shown);
        return writeln!(ui.out(), "{line}");
    }
    let out = ui.out();
    out.write_all(shown.as_bytes())?;
    out.write_all(b"\n")
}
