use warp::ops::{Change, ChangeKind, Side};
use warp::repo::{Head, VersionInfo};

use crate::cli::args::{LatestArgs, ScanArgs};
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::patch::{self, Comparison, FormatArgs};
use crate::cli::ui::Ui;
use crate::cli::{escape, history, time};

/// Show what has changed since the last commit
///
/// In a stand-alone repository the paths of the latest commit of this host are compared.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp status
  warp status -s                         a letter and a name for each change
  warp -r /mnt/backup status --path ~    a stand-alone repository: since the latest commit of ~")]
pub(crate) struct Args {
    /// Print a letter and a name for each change, nothing else
    #[arg(short, long)]
    short: bool,

    /// End names with NUL bytes and do not escape them; implies --short
    #[arg(short = 'z', long)]
    null: bool,

    #[command(flatten)]
    scan: ScanArgs,

    #[command(flatten)]
    latest: LatestArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let scan = args.scan.settings(ctx)?;
    let opened = ctx.open(ui)?;
    let version = version(ctx, args, &opened)?;
    let brief = args.short || args.null || ui.is_json();
    if !brief {
        headline(ui, &opened, version.as_ref())?;
    }
    let Some(version) = version else { return Ok(Exit::Done) };
    let source = opened.live(version.id)?;
    let new = Side::Live { source: &source, scan: &scan, base: version.id };
    let comparison =
        Comparison { old: Side::Commit(version.id), new, selection: Default::default(), costs: false };
    let summary = match brief {
        true => {
            let format = FormatArgs { name_status: true, null: args.null, ..FormatArgs::default() };
            patch::print(ui, ctx, &opened, comparison, &format)?
        }
        false => list(ui, ctx, &opened, comparison)?,
    };
    if summary.changes == 0 && !brief {
        writeln!(ui.out(), "nothing to commit, tree unchanged")?;
    }
    Ok(Exit::for_problems(summary.problems))
}

/// The commit to compare with; `None` before the first one of a working directory.
fn version(ctx: &Context, args: &Args, opened: &Opened) -> Result<Option<VersionInfo>, CliError> {
    if opened.workdir.is_some() {
        let head = opened.head_commit()?;
        if let Some(gone) = head.filter(|id| !opened.repo.timeline().is_live(*id)) {
            let error =
                CliError::failed(format!("HEAD stands on commit {}, which was forgotten", gone.short()));
            return Err(error.hint("`warp switch` goes to a branch"));
        }
        return Ok(head.map(|id| opened.repo.version(id)).transpose()?);
    }
    let host = Some(args.latest.host.clone().unwrap_or_else(|| ctx.host()));
    let latest = LatestArgs { host, tag: args.latest.tag.clone(), path: args.latest.path.clone() };
    Ok(Some(opened.version("latest", &latest)?))
}

fn headline(ui: &mut Ui, opened: &Opened, version: Option<&VersionInfo>) -> Result<(), CliError> {
    let place = match opened.head()? {
        Some(Head::Branch(name)) => format!("On branch {}", escape::line(&name)),
        Some(Head::Detached(id)) => format!("HEAD detached at {}", id.short()),
        None => format!("In {}", escape::line(&opened.repo.location())),
    };
    writeln!(ui.out(), "{place}")?;
    let last = match version {
        None => "No commits yet; `warp commit` makes the first one".to_owned(),
        Some(version) => format!(
            "Last commit {} of {}: {}",
            version.id.short(),
            time::short(version.commit.time),
            history::title(&version.commit.message)
        ),
    };
    writeln!(ui.out(), "{last}\n")?;
    Ok(())
}

/// The changes, as `git status` lists them.
fn list(
    ui: &mut Ui,
    ctx: &Context,
    opened: &Opened,
    comparison: Comparison<'_>,
) -> Result<warp::ops::DiffSummary, CliError> {
    let mut first = true;
    patch::compare(ui, ctx, opened, comparison, false, |ui, change| {
        if std::mem::take(&mut first) {
            writeln!(ui.out(), "Changes since then:\n  (\"warp commit\" records them)")?;
        }
        let text = format!("{:<12}{}", label(change.kind), names(&change));
        let line = ui.paint(patch::paint(change.kind), &text).into_owned();
        Ok(writeln!(ui.out(), "\t{line}")?)
    })
}

fn label(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "new:",
        ChangeKind::Removed => "deleted:",
        ChangeKind::Modified => "modified:",
        ChangeKind::TypeChanged => "typechange:",
        ChangeKind::Metadata => "metadata:",
        ChangeKind::Renamed => "renamed:",
    }
}

fn names(change: &Change) -> String {
    let name = escape::name(&change.path);
    match &change.old_path {
        Some(old) => format!("{} -> {name}", escape::name(old)),
        None => name.into_owned(),
    }
}
