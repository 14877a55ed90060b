use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use warp::id::CommitId;
use warp::ops::{self, LogRequest};
use warp::repo::{Head, VersionInfo};

use crate::cli::args::LatestArgs;
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::graph::Graph;
use crate::cli::history::{self, Decorations};
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, json, time};

/// Show commits, newest first
///
/// In a working directory those that HEAD comes from, in a stand-alone repository those of all branches.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp log
  warp log --oneline --graph main other
  warp log -n 5 --host laptop
  warp log -- src/main.rs                only commits that changed this file
  warp log --reflog                      where the branch has been, also before an undo")]
pub(crate) struct Args {
    /// Start at these revisions, and go back from there
    #[arg(value_name = "REV")]
    revisions: Vec<String>,

    /// Only commits that changed these paths; write them behind --
    #[arg(last = true, value_name = "PATH")]
    below: Vec<OsString>,

    /// One line for each commit
    #[arg(long)]
    oneline: bool,

    /// Draw lines of descent
    #[arg(long, conflicts_with = "reflog")]
    graph: bool,

    /// At most N commits
    #[arg(short = 'n', long = "max-count", value_name = "N")]
    limit: Option<usize>,

    /// Start at all branches and tags
    #[arg(long, conflicts_with_all = ["revisions", "reflog"])]
    all: bool,

    /// Show how a branch moved, newest first
    #[arg(long, conflicts_with_all = ["below", "host", "tag", "path"])]
    reflog: bool,

    /// Only commits of this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Only commits with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Only commits that were made of this path
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    if args.reflog {
        return reflog(ui, args, &opened);
    }
    let source = args.path.as_ref().map(|path| ctx.absolute(path));
    let request = LogRequest {
        from: start(args, &opened)?,
        paths: opened.tree_paths(&args.below)?,
        host: args.host.clone(),
        tags: args.tag.clone(),
        limit: args.limit.filter(|_| source.is_none()),
    };
    let decorations = Decorations::read(&opened)?;
    let mut printer = Printer { args, decorations, graph: Graph::default(), shown: 0 };
    let mut failed = None;
    let mut sink = |version: VersionInfo| {
        let of = |path: &PathBuf| version.commit.paths.iter().any(|of| of == path.as_os_str().as_bytes());
        if !source.as_ref().is_none_or(of) {
            return ControlFlow::Continue(());
        }
        failed = printer.print(ui, &version).err();
        match failed.is_some() || args.limit.is_some_and(|limit| printer.shown >= limit) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    // No start means all commits to the library, also those that no ref leads to.
    if !request.from.is_empty() && args.limit != Some(0) {
        ops::log(&opened.repo, &request, &mut sink)?;
    }
    failed.map_or(Ok(()), Err)?;
    printer.end(ui)?;
    if request.from.is_empty() {
        ui.status(format_args!("No commits yet"));
    }
    Ok(Exit::Done)
}

fn start(args: &Args, opened: &Opened) -> Result<Vec<CommitId>, CliError> {
    let latest = LatestArgs::default();
    if !args.revisions.is_empty() {
        return args.revisions.iter().map(|revision| opened.resolve(revision, &latest)).collect();
    }
    let mut from = match opened.workdir.is_some() && !args.all {
        true => opened.head_commit()?.into_iter().collect(),
        false => opened.repo.timeline().refs().values().copied().collect::<Vec<_>>(),
    };
    from.sort_unstable();
    from.dedup();
    Ok(from)
}

struct Printer<'a> {
    args: &'a Args,
    decorations: Decorations,
    graph: Graph,
    shown: usize,
}

impl Printer<'_> {
    fn print(&mut self, ui: &mut Ui, version: &VersionInfo) -> std::io::Result<()> {
        self.shown += 1;
        if ui.is_json() {
            // restic prints one array.
            let start = if self.shown == 1 { "[" } else { "," };
            let snapshot = history::snapshot(version, &self.decorations);
            return write!(ui.out(), "{start}{}", json::line(&snapshot));
        }
        let mut lines = match self.args.oneline {
            true => vec![history::oneline(ui, version, &self.decorations)],
            false => history::full(ui, version, &self.decorations),
        };
        if !self.args.oneline {
            lines.push(String::new());
        }
        if self.args.graph {
            lines = self.with_graph(version, lines);
        }
        history::print(ui, &lines)
    }

    fn with_graph(&mut self, version: &VersionInfo, lines: Vec<String>) -> Vec<String> {
        let rows = self.graph.next(version.id, &self.decorations.live_parents(version.id));
        let prefixes = std::iter::once(&rows.first).chain(std::iter::repeat(&rows.others));
        let mut out: Vec<String> = prefixes
            .zip(&lines)
            .map(|(prefix, line)| format!("{prefix}{line}").trim_end().to_owned())
            .collect();
        out.extend(rows.joins);
        out
    }

    fn end(&self, ui: &mut Ui) -> std::io::Result<()> {
        match (ui.is_json(), self.shown) {
            (true, 0) => writeln!(ui.out(), "[]"),
            (true, _) => writeln!(ui.out(), "]"),
            (false, _) => Ok(()),
        }
    }
}

#[derive(serde::Serialize)]
struct Movement {
    message_type: &'static str,
    r#ref: String,
    number: usize,
    old: Option<String>,
    new: Option<String>,
    time: String,
    who: String,
    message: String,
    /// The commit is no longer part of history.
    forgotten: bool,
}

/// Whether it is the branch of a remote, and no other.
fn is_remote(opened: &Opened, name: &str) -> bool {
    let timeline = opened.repo.timeline();
    timeline.branch(name).is_none() && timeline.refs().contains_key(&format!("remotes/{name}"))
}

fn reflog(ui: &mut Ui, args: &Args, opened: &Opened) -> Result<Exit, CliError> {
    let full = match (args.revisions.as_slice(), opened.head()?) {
        ([name], _) if name.starts_with("heads/") || name.starts_with("tags/") => name.clone(),
        ([name], _) if is_remote(opened, name) => format!("remotes/{name}"),
        ([name], _) if name != "HEAD" => format!("heads/{name}"),
        ([] | [_], Some(Head::Branch(name))) => format!("heads/{name}"),
        _ => return Err(CliError::usage("say the reflog of which branch, as in `warp log --reflog main`")),
    };
    let short = escape::line(full.strip_prefix("heads/").unwrap_or(&full));
    let timeline = opened.repo.timeline();
    let entries = timeline.reflog(&full);
    for (number, entry) in entries.iter().enumerate().take(args.limit.unwrap_or(usize::MAX)) {
        let forgotten = entry.new.is_some_and(|id| !timeline.is_live(id));
        if ui.is_json() {
            ui.json(&Movement {
                message_type: "reflog",
                r#ref: full.clone(),
                number,
                old: entry.old.map(|id| id.to_hex()),
                new: entry.new.map(|id| id.to_hex()),
                time: time::rfc3339(entry.time),
                who: entry.who.clone(),
                message: entry.message.clone(),
                forgotten,
            })?;
            continue;
        }
        let id = entry.new.map_or_else(|| "deleted ".to_owned(), |id| id.short());
        let id = ui.paint(Paint::Yellow, &id).into_owned();
        let (when, message) = (time::short(entry.time), escape::line(&entry.message));
        let mark = if forgotten { " (forgotten)" } else { "" };
        writeln!(ui.out(), "{id} {short}@{{{number}}} {when} {}: {message}{mark}", escape::line(&entry.who))?;
    }
    Ok(Exit::Done)
}
