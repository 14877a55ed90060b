use std::collections::BTreeSet;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use warp::ops::{self, ForgetGroup, ForgetOutcome, ForgetRequest, Judged, OpsError};
use warp::repo::{Age, ErrorKind, GroupBy, Quota, RetentionPolicy};

use crate::cli::args::LatestArgs;
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::history::{self, Decorations};
use crate::cli::json::{ForgetSummary, ForgottenGroup};
use crate::cli::size::count;
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, time};

/// Heading of the rules.
const KEEP: &str = "What to keep";
/// Heading of the filters.
const OF: &str = "Of which commits";

/// Forget commits: those that are named, or those that no rule keeps
///
/// The commits of each host and source are judged on their own; what any rule wants is kept. Hours, days and weeks are
/// those of local time where a commit was made. A rule that finds fewer days (weeks, …) than it asks for keeps the oldest
/// commit too. The last commit of a branch and commits with a tag of `warp tag` are always kept.
///
/// A forgotten commit is no longer part of history; `warp log` goes on behind it. The others lose nothing. The space is free
/// after the next `warp gc`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp forget --keep-daily 7 --keep-monthly 12 -n      what would go, and why does the rest stay?
  warp forget --keep-within 30d --keep-tag release
  warp forget HEAD~3 1a2b3c4d                          these two
  warp forget --force main                             the last one; main goes back by one
  warp forget --host old --unsafe-allow-remove-all --force    all that a host left")]
pub(crate) struct Args {
    /// Forget these commits
    #[arg(value_name = "REV", conflicts_with = "rules")]
    revisions: Vec<String>,

    /// Apply the rules to the commits of each host, paths or tags on their own; several with commas between them, or none
    #[arg(short, long, value_name = "BY", default_value_t, conflicts_with = "revisions")]
    group_by: GroupBy,

    /// Forget also commits that branches stand on: these go back to the commit before that is left, or are deleted
    #[arg(short, long)]
    force: bool,

    /// Let the rules forget all commits of a host and source
    #[arg(long, conflicts_with = "revisions")]
    unsafe_allow_remove_all: bool,

    /// Show what would be forgotten and why the rest is kept, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Show ids and reasons alone
    #[arg(short, long)]
    compact: bool,

    #[command(flatten)]
    rules: Rules,

    #[command(flatten)]
    of: Of,
}

/// What to keep
#[derive(clap::Args, Debug)]
#[command(next_help_heading = KEEP)]
#[group(id = "rules", multiple = true)]
struct Rules {
    /// Keep the last N commits; `unlimited` keeps all
    #[arg(short = 'l', long, value_name = "N")]
    keep_last: Option<Quota>,

    /// Keep the last commit of each of the last N hours that have one
    #[arg(short = 'H', long, value_name = "N")]
    keep_hourly: Option<Quota>,

    /// The same for days
    #[arg(short = 'd', long, value_name = "N")]
    keep_daily: Option<Quota>,

    /// The same for weeks, which begin on Monday
    #[arg(short = 'w', long, value_name = "N")]
    keep_weekly: Option<Quota>,

    /// The same for months
    #[arg(short = 'm', long, value_name = "N")]
    keep_monthly: Option<Quota>,

    /// The same for quarters of a year
    #[arg(long, value_name = "N")]
    keep_quarterly: Option<Quota>,

    /// The same for years
    #[arg(short = 'y', long, value_name = "N")]
    keep_yearly: Option<Quota>,

    /// Keep all commits that are younger than this, seen from the last one, as in 30d or 2y5m7d3h
    #[arg(long, value_name = "AGE")]
    keep_within: Option<Age>,

    /// Of the commits that are younger than this keep the last one of each hour
    #[arg(long, value_name = "AGE")]
    keep_within_hourly: Option<Age>,

    /// The same for days
    #[arg(long, value_name = "AGE")]
    keep_within_daily: Option<Age>,

    /// The same for weeks
    #[arg(long, value_name = "AGE")]
    keep_within_weekly: Option<Age>,

    /// The same for months
    #[arg(long, value_name = "AGE")]
    keep_within_monthly: Option<Age>,

    /// The same for quarters of a year
    #[arg(long, value_name = "AGE")]
    keep_within_quarterly: Option<Age>,

    /// The same for years
    #[arg(long, value_name = "AGE")]
    keep_within_yearly: Option<Age>,

    /// Keep commits that have all of these tags of `warp commit --tag`; '' keeps those without any; may be repeated
    #[arg(long, value_name = "TAG[,TAG]")]
    keep_tag: Vec<String>,

    /// Keep this commit; may be repeated
    #[arg(long, value_name = "REV")]
    keep_id: Vec<String>,
}

/// Of which commits
#[derive(clap::Args, Debug)]
#[command(next_help_heading = OF)]
struct Of {
    /// Only commits of this host; with REV: what `latest` means
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Only commits with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Only commits that were made of this path; may be repeated
    #[arg(long, value_name = "PATH")]
    path: Vec<PathBuf>,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let request = request(ctx, args, &opened)?;
    let progress = ui.progress();
    let done = ops::forget(&opened.repo, &request, &progress).map_err(|error| hinted(error, &request));
    drop(progress);
    let done = done?;
    let decorations = Decorations::read(&opened)?;
    if ui.is_json() {
        return as_json(ui, &done, &decorations);
    }
    if !ui.is_quiet() {
        if !request.policy.is_empty() {
            ui.status(format_args!("Keeping {}", request.policy));
        }
        done.groups.iter().try_for_each(|group| table(ui, group, args.compact))?;
    }
    summary(ui, &done);
    Ok(Exit::Done)
}

fn request(ctx: &Context, args: &Args, opened: &Opened) -> Result<ForgetRequest, CliError> {
    let of = &args.of;
    let latest = LatestArgs { host: of.host.clone(), tag: of.tag.clone(), path: of.path.clone() };
    let resolve = |revision: &String| opened.resolve(revision, &latest);
    Ok(ForgetRequest {
        commits: args.revisions.iter().map(resolve).collect::<Result<_, _>>()?,
        policy: policy(&args.rules, args.rules.keep_id.iter().map(resolve).collect::<Result<_, _>>()?),
        group_by: args.group_by,
        host: of.host.clone(),
        tags: of.tag.clone(),
        paths: of.path.iter().map(|path| ctx.absolute(path).into_os_string().into_vec()).collect(),
        head: opened.head()?,
        force: args.force,
        allow_all: args.unsafe_allow_remove_all,
        dry_run: args.dry_run,
    })
}

fn policy(rules: &Rules, ids: BTreeSet<warp::id::CommitId>) -> RetentionPolicy {
    let list = |text: &String| text.split(',').map(|tag| tag.trim().to_owned()).collect();
    RetentionPolicy {
        last: rules.keep_last,
        hourly: rules.keep_hourly,
        daily: rules.keep_daily,
        weekly: rules.keep_weekly,
        monthly: rules.keep_monthly,
        quarterly: rules.keep_quarterly,
        yearly: rules.keep_yearly,
        within: rules.keep_within,
        within_hourly: rules.keep_within_hourly,
        within_daily: rules.keep_within_daily,
        within_weekly: rules.keep_within_weekly,
        within_monthly: rules.keep_within_monthly,
        within_quarterly: rules.keep_within_quarterly,
        within_yearly: rules.keep_within_yearly,
        tags: rules.keep_tag.iter().map(list).collect(),
        ids,
    }
}

/// A refusal with what to do about it, where the library's words leave that open.
fn hinted(error: OpsError, request: &ForgetRequest) -> CliError {
    let is_refusal = error.kind() == ErrorKind::Refused;
    let error = CliError::from(error);
    match (is_refusal, request.commits.is_empty(), request.policy.is_empty()) {
        (true, true, true) => error.hint(
            "say what to keep, as in `warp forget --keep-daily 7 --keep-monthly 12`, or which commits to forget; -n only shows it",
        ),
        (true, true, false) => error
            .hint("add a rule that keeps some of them, or say --unsafe-allow-remove-all; -n only shows what would go"),
        _ => error,
    }
}

fn table(ui: &mut Ui, group: &ForgetGroup, compact: bool) -> Result<(), CliError> {
    let of = of_what(group);
    if !of.is_empty() {
        writeln!(ui.out(), "{of}:")?;
    }
    for (verb, paint, commits) in
        [("keep", Paint::Green, &group.kept), ("forget", Paint::Red, &group.forgotten)]
    {
        if commits.is_empty() {
            continue;
        }
        let head = format!("{verb} {}:", count(commits.len() as u64, "commit", "commits"));
        let head = ui.paint(paint, &head).into_owned();
        writeln!(ui.out(), "{head}")?;
        for judged in commits {
            let line = row(ui, judged, compact);
            writeln!(ui.out(), "  {}", line.trim_end())?;
        }
    }
    writeln!(ui.out())?;
    Ok(())
}

/// `host laptop, /home/ann`.
fn of_what(group: &ForgetGroup) -> String {
    let key = &group.key;
    let mut parts: Vec<String> = Vec::new();
    parts.extend(key.host.as_ref().map(|host| format!("host {}", escape::line(host))));
    parts.extend(key.paths.iter().flatten().map(|path| escape::name(path).into_owned()));
    parts.extend(key.tags.as_ref().map(|tags| match tags.is_empty() {
        true => "no tags".to_owned(),
        false => format!("tags {}", escape::line(&tags.join(","))),
    }));
    parts.join(", ")
}

/// `1a2b3c4d  2026-11-22 13:58  nightly  daily; monthly  title`.
fn row(ui: &Ui, judged: &Judged, compact: bool) -> String {
    let id = judged.id.short();
    let id = ui.paint(Paint::Yellow, &id);
    let reasons = judged.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let reasons = escape::line(&reasons);
    let Some(commit) = judged.commit.as_ref().filter(|_| !compact) else { return format!("{id}  {reasons}") };
    let when = time::short_at(commit.time, commit.utc_offset);
    let tags = if commit.tags.is_empty() {
        String::new()
    } else {
        format!(" [{}]", escape::line(&commit.tags.join(",")))
    };
    let reasons = if reasons.is_empty() { String::new() } else { format!("  ({reasons})") };
    format!("{id}  {when}  {}{tags}{reasons}", history::title(&commit.message))
}

fn summary(ui: &mut Ui, done: &ForgetOutcome) {
    let kept: usize = done.groups.iter().map(|group| group.kept.len()).sum();
    let would = if done.dry_run { "would be " } else { "" };
    for moved in &done.moved {
        let name = escape::line(moved.name.strip_prefix("heads/").unwrap_or(&moved.name));
        match moved.new {
            Some(id) => ui.status(format_args!("branch {name} {would}moved back to {}", id.short())),
            None => ui.status(format_args!("branch {name} {would}deleted: none of its commits is left")),
        }
    }
    let commits = count(done.forgotten.len() as u64, "commit", "commits");
    let kept = if kept == 0 { String::new() } else { format!(", {kept} kept") };
    match (done.forgotten.is_empty(), done.dry_run) {
        (true, _) => ui.status(format_args!("nothing to forget{kept}")),
        (false, true) => ui.status(format_args!("{commits} would be forgotten{kept}; nothing was changed")),
        (false, false) => {
            ui.status(format_args!("{commits} forgotten{kept}; run `warp gc` to free the space"));
        }
    }
}

fn as_json(ui: &mut Ui, done: &ForgetOutcome, decorations: &Decorations) -> Result<Exit, CliError> {
    for group in &done.groups {
        ui.json(&ForgottenGroup::new(group, &|id| decorations.refs(id)))?;
    }
    ui.json(&ForgetSummary::new(done))?;
    Ok(Exit::Done)
}
