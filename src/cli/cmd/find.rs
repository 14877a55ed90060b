use std::io;
use std::ops::ControlFlow;

use warp::ops::{self, FindRequest, Found};

use crate::cli::args::LatestArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, json, list};

/// Find files by name in all commits
///
/// A pattern without a slash is compared with names, one with a slash with whole paths. * and ? stand for any characters
/// but a slash, ** for any. What is printed can be given to `warp cat`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp find '*.tex'
  warp find -i readme --in HEAD           only in the last commit
  warp find 'src/**/*.rs' -l")]
pub(crate) struct Args {
    /// What to look for
    #[arg(value_name = "PATTERN", required = true)]
    patterns: Vec<String>,

    /// Do not tell capitals from small letters
    #[arg(short, long)]
    ignore_case: bool,

    /// Look only in this revision; may be repeated
    #[arg(long = "in", value_name = "REV")]
    revisions: Vec<String>,

    /// Show mode, owner, size and time
    #[arg(short, long)]
    long: bool,

    /// End names with NUL bytes and do not escape them
    #[arg(short = 'z', long, conflicts_with = "long")]
    null: bool,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let resolve = |revision: &String| opened.resolve(revision, &args.latest);
    let commits = args.revisions.iter().map(resolve).collect::<Result<_, _>>()?;
    let request = FindRequest { patterns: args.patterns.clone(), ignore_case: args.ignore_case, commits };
    let mut failed = None;
    ops::find(&opened.repo, &request, &mut |found| match print(ui, args, &found) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(Exit::Done), |error| Err(error.into()))
}

fn print(ui: &mut Ui, args: &Args, found: &Found) -> io::Result<()> {
    let Found { commit, listed } = found;
    if ui.is_json() {
        return ui.json(&json::Node::new(&listed.path, &listed.entry, listed.size, Some(*commit)));
    }
    let id = commit.short();
    if args.null {
        write!(ui.out(), "{id}:")?;
        ui.out().write_all(&listed.path)?;
        return ui.out().write_all(b"\0");
    }
    let shown = format!("{}:{}", ui.paint(Paint::Yellow, &id), escape::name(&listed.path));
    let line = if args.long { list::long(&listed.entry, listed.size, &shown) } else { shown };
    writeln!(ui.out(), "{line}")
}
