use serde::Serialize;
use warp::id::CommitId;
use warp::repo::Head;

use crate::cli::args::LatestArgs;
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, history};

/// List, make, rename or delete branches
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp branch                    list them; * marks the one you are on
  warp branch -v                 with their last commits
  warp branch -a                 those of remotes, too
  warp branch experiment         make one here (`warp switch -c` also goes there)
  warp branch old HEAD~5         make one at an older commit
  warp branch -m better          rename the one you are on
  warp branch -d experiment      delete one whose commits another branch has
  warp branch -D experiment      delete one in any case")]
pub(crate) struct Args {
    /// Make a branch of this name; with -m: the old name, or the only new one
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// The commit where it starts, without it the last one; with -m: the new name
    #[arg(value_name = "START")]
    start: Option<String>,

    /// Delete a branch whose commits another branch has
    #[arg(short, long, value_name = "BRANCH", conflicts_with_all = ["name", "force_delete", "rename"])]
    delete: Vec<String>,

    /// Delete a branch in any case
    #[arg(short = 'D', value_name = "BRANCH", conflicts_with_all = ["name", "rename"])]
    force_delete: Vec<String>,

    /// Rename: -m NEW the branch that you are on, -m OLD NEW any
    #[arg(short = 'm', long = "move", requires = "name")]
    rename: bool,

    /// Branches of remotes, as far as they were fetched; with -d: forget where one stood
    #[arg(short = 'R', long, conflicts_with_all = ["name", "force_delete", "rename", "all"])]
    remotes: bool,

    /// Those of remotes, too
    #[arg(short, long, conflicts_with_all = ["name", "delete", "force_delete", "rename"])]
    all: bool,

    /// Show the opaque ids of groups of branches and tags, for a server's file of access
    #[arg(long, conflicts_with_all = ["name", "delete", "force_delete", "rename", "remotes", "all"])]
    namespaces: bool,

    /// Move a branch that is there already, or rename over it
    #[arg(short, long)]
    force: bool,
}

#[derive(Serialize)]
struct Namespace {
    message_type: &'static str,
    namespace: String,
    id: String,
}

#[derive(Serialize)]
struct Branch<'a> {
    message_type: &'static str,
    name: &'a str,
    commit: String,
    current: bool,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    match (&args.name, &args.start) {
        _ if args.namespaces => list_namespaces(ui, &opened)?,
        _ if args.remotes && !args.delete.is_empty() => forget_remote(ui, &opened, &args.delete)?,
        _ if !args.delete.is_empty() => delete(ui, &opened, &args.delete, false)?,
        _ if !args.force_delete.is_empty() => delete(ui, &opened, &args.force_delete, true)?,
        (Some(old), Some(new)) if args.rename => rename(ui, &opened, old, new, args.force)?,
        (Some(new), None) if args.rename => rename(ui, &opened, &current(&opened)?, new, args.force)?,
        (Some(name), start) => create(&opened, name, start.as_deref(), args.force)?,
        (None, _) => {
            if !args.remotes {
                list(ui, &opened)?;
            }
            if args.remotes || args.all {
                list_remote(ui, &opened, args.all)?;
            }
        }
    }
    Ok(Exit::Done)
}

fn list_namespaces(ui: &mut Ui, opened: &Opened) -> Result<(), CliError> {
    for (namespace, id) in opened.repo.namespaces() {
        let id = id.to_hex();
        if ui.is_json() {
            ui.json(&Namespace { message_type: "namespace", namespace, id })?;
        } else {
            writeln!(ui.out(), "{id}  {}", escape::line(&namespace))?;
        }
    }
    Ok(())
}

/// The branch that the working directory is on.
fn current(opened: &Opened) -> Result<String, CliError> {
    match opened.head()? {
        Some(Head::Branch(name)) => Ok(name),
        _ => Err(CliError::usage("you are on no branch: say which one, as in `warp branch -m OLD NEW`")),
    }
}

fn create(opened: &Opened, name: &str, start: Option<&str>, force: bool) -> Result<(), CliError> {
    let at = opened.resolve(start.unwrap_or(opened.default_revision()), &LatestArgs::default())?;
    Ok(opened.repo.branch_create(name, at, force)?)
}

fn delete(ui: &mut Ui, opened: &Opened, names: &[String], force: bool) -> Result<(), CliError> {
    let head = opened.head()?;
    for name in names {
        if matches!(&head, Some(Head::Branch(at)) if at == name) {
            let error = CliError::failed(format!("you are on the branch {}", escape::name(name.as_bytes())));
            return Err(error.hint("go to another one first, with `warp switch`"));
        }
        let was = opened.repo.branch_delete(name, force)?;
        ui.status(format_args!("Deleted branch {} (was {})", escape::line(name), was.short()));
    }
    Ok(())
}

fn rename(ui: &mut Ui, opened: &Opened, old: &str, new: &str, force: bool) -> Result<(), CliError> {
    let moves_head = matches!(opened.head()?, Some(Head::Branch(at)) if at == old);
    if moves_head && opened.head_commit()?.is_none() {
        // Before the first commit only HEAD knows the name.
    } else {
        opened.repo.branch_rename(old, new, force)?;
    }
    if let (true, Some(workdir)) = (moves_head, &opened.workdir) {
        workdir.set_head(&Head::Branch(new.to_owned()))?;
    }
    ui.status(format_args!("Renamed branch {} to {}", escape::line(old), escape::line(new)));
    Ok(())
}

fn list(ui: &mut Ui, opened: &Opened) -> Result<(), CliError> {
    let head = opened.head()?;
    if let (Some(Head::Detached(id)), false) = (&head, ui.is_json()) {
        writeln!(ui.out(), "* (HEAD detached at {})", id.short())?;
    }
    for (name, id) in opened.repo.timeline().branches() {
        let current = matches!(&head, Some(Head::Branch(at)) if *at == name);
        if ui.is_json() {
            ui.json(&Branch { message_type: "branch", name: &name, commit: id.to_hex(), current })?;
            continue;
        }
        let shown = escape::name(name.as_bytes());
        let shown = if current { ui.paint(Paint::Green, &shown) } else { shown };
        let mark = if current { '*' } else { ' ' };
        let line = format!("{mark} {shown}{}", last_commit(ui, opened, id)?);
        writeln!(ui.out(), "{line}")?;
    }
    Ok(())
}

/// Forgets where branches of remotes stood.
fn forget_remote(ui: &mut Ui, opened: &Opened, names: &[String]) -> Result<(), CliError> {
    for name in names {
        let was = opened.repo.remote_branch_forget(name)?;
        ui.status(format_args!("Forgot where {} stood (was {})", escape::line(name), was.short()));
    }
    Ok(())
}

/// Branches of remotes; `among_all`: with their group, as other branches stand beside them.
fn list_remote(ui: &mut Ui, opened: &Opened, among_all: bool) -> Result<(), CliError> {
    for (name, id) in opened.repo.timeline().remote_branches() {
        if ui.is_json() {
            let commit = id.to_hex();
            ui.json(&Branch { message_type: "remote_branch", name: &name, commit, current: false })?;
            continue;
        }
        let shown = escape::name(name.as_bytes());
        let shown = ui.paint(Paint::Red, &shown);
        let group = if among_all { "remotes/" } else { "" };
        let line = format!("  {group}{shown}{}", last_commit(ui, opened, id)?);
        writeln!(ui.out(), "{line}")?;
    }
    Ok(())
}

/// With `-v`: short id and title.
fn last_commit(ui: &Ui, opened: &Opened, id: CommitId) -> Result<String, CliError> {
    if ui.verbose() == 0 {
        return Ok(String::new());
    }
    let version = opened.repo.version(id)?;
    Ok(format!("  {} {}", ui.paint(Paint::Yellow, &id.short()), history::title(&version.commit.message)))
}
