use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::Serialize;
use warp::id::CommitId;
use warp::ops::{self, DroppedCounts, DroppedPath, RewriteOutcome, RewriteRequest};
use warp::repo::Head;

use crate::cli::args::LatestArgs;
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::json::PathText;
use crate::cli::size::{count, human};
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, history, time};

/// Heading of what is dropped.
const WHAT: &str = "What to drop";
/// Heading of the filters.
const OF: &str = "From which commits";

/// Drop files from history
///
/// Every commit that holds what is to be dropped is replaced by the same commit without it, and so are all commits after it.
/// Branches and tags move along, and the originals are forgotten. A directory that loses all its files stays as an empty one.
///
/// The space is free after the next `warp gc`. Until gc has deleted it, `warp undelete` brings the originals back. `warp gc
/// --aggressive --grace 0` leaves nothing of it, except where something that stays is stored as a difference to it.
///
/// Files on this machine are left alone: what is still there and not excluded is recorded by the next commit.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp rewrite -n --exclude '*.iso'           what would go, from which commits?
  warp rewrite --exclude '*.iso'              drop it from all commits
  warp rewrite --path secrets/token           this file alone
  warp rewrite --exclude cache/ --host old    only from commits of one host
  warp rewrite --path big v1..main            only from what came after v1")]
pub(crate) struct Args {
    /// Drop it from these commits alone, or from those of a range A..B; without any: from all
    #[arg(value_name = "REV", conflicts_with = "all")]
    revisions: Vec<String>,

    /// Drop it from all commits: so it is unless revisions are named
    #[arg(long)]
    all: bool,

    /// Leave the originals in history, on no branch
    #[arg(long)]
    keep_originals: bool,

    /// Show what would be dropped, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    #[command(flatten)]
    what: What,

    #[command(flatten)]
    of: Of,
}

/// What to drop
#[derive(clap::Args, Debug)]
#[command(next_help_heading = WHAT)]
#[group(required = true, multiple = true)]
struct What {
    /// Drop what matches a pattern, as in a .gitignore and as `warp commit --exclude` has it; may be repeated
    #[arg(short, long, value_name = "PATTERN")]
    exclude: Vec<String>,

    /// The same without telling capitals from small letters
    #[arg(long, value_name = "PATTERN")]
    iexclude: Vec<String>,

    /// Read such patterns from a file, one a line; may be repeated
    #[arg(long, value_name = "FILE", visible_alias = "exclude-from")]
    exclude_file: Vec<PathBuf>,

    /// Drop this file, or this directory with all below it; may be repeated
    ///
    /// In a working directory it is relative to the current directory, in a stand-alone repository to the root. It need not exist.
    #[arg(long, value_name = "PATH")]
    path: Vec<OsString>,
}

/// From which commits
#[derive(clap::Args, Debug)]
#[command(next_help_heading = OF)]
struct Of {
    /// Only from commits of this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Only from commits with this tag; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Only from commits that were made of this path; may be repeated
    #[arg(long, value_name = "PATH")]
    path_filter: Vec<PathBuf>,
}

#[derive(Serialize)]
struct PathLine<'a> {
    message_type: &'static str,
    commit: String,
    #[serde(flatten)]
    path: PathText,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    dropped: &'a Counts,
}

#[derive(Serialize)]
struct Counts {
    files: u64,
    dirs: u64,
    others: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct CommitLine<'a> {
    message_type: &'static str,
    original: String,
    id: Option<String>,
    #[serde(flatten)]
    dropped: &'a Counts,
}

#[derive(Serialize)]
struct Summary<'a> {
    message_type: &'static str,
    dry_run: bool,
    rewritten: usize,
    /// Those of them that only come after others.
    for_parents: usize,
    forgotten: bool,
    moved_refs: Vec<Moved>,
    #[serde(flatten)]
    dropped: &'a Counts,
    content_bytes: u64,
    bytes_written: u64,
}

#[derive(Serialize)]
struct Moved {
    r#ref: String,
    old: Option<String>,
    new: Option<String>,
}

impl From<DroppedCounts> for Counts {
    fn from(counts: DroppedCounts) -> Self {
        let DroppedCounts { files, dirs, others, bytes } = counts;
        Self { files, dirs, others, bytes }
    }
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let request = request(ctx, args, &opened)?;
    let head = opened.head_commit()?;
    let mut listing =
        Listing { opened: &opened, ui, args, head, last: None, is_still_there: false, failed: None };
    let progress = listing.ui.progress();
    let done = ops::rewrite_history(&opened.repo, &request, &mut |gone| listing.path(&gone), &progress);
    drop(progress);
    let (is_still_there, failed) = (listing.is_still_there, listing.failed);
    let done = done?;
    failed.map_or(Ok(()), Err)?;
    move_detached_head(&opened, &request, &done)?;
    if ui.is_json() {
        return as_json(ui, &done);
    }
    if !args.dry_run && !ui.is_quiet() {
        commits(ui, &opened, &done)?;
    }
    summary(ui, &done);
    if is_still_there && !done.dry_run {
        ui.warn(format_args!(
            "some of what was dropped is still in the working directory: delete it or list it in a .warpignore, or the next commit records it again"
        ));
    }
    Ok(Exit::Done)
}

fn request(ctx: &Context, args: &Args, opened: &Opened) -> Result<RewriteRequest, CliError> {
    let absolute = |path: &PathBuf| ctx.absolute(path).into_os_string().into_vec();
    Ok(RewriteRequest {
        excludes: args.what.exclude.clone(),
        iexcludes: args.what.iexclude.clone(),
        exclude_files: args.what.exclude_file.iter().map(|file| ctx.absolute(file)).collect(),
        paths: opened.tree_paths(&args.what.path)?,
        commits: named(args, opened)?,
        host: args.of.host.clone(),
        tags: args.of.tag.clone(),
        sources: args.of.path_filter.iter().map(absolute).collect(),
        head: opened.head()?,
        keep_originals: args.keep_originals,
        dry_run: args.dry_run,
    })
}

/// The commits that revisions and ranges name.
fn named(args: &Args, opened: &Opened) -> Result<Vec<CommitId>, CliError> {
    let (mut found, timeline) = (BTreeSet::new(), opened.repo.timeline());
    let resolve = |text: &str| {
        let text = if text.is_empty() { opened.default_revision() } else { text };
        opened.resolve(text, &LatestArgs::default())
    };
    for text in &args.revisions {
        let Some((from, to)) = text.split_once("..") else {
            found.insert(resolve(text)?);
            continue;
        };
        let mut range = timeline.ancestors([resolve(to)?]);
        if !from.is_empty() {
            let before = timeline.ancestors([resolve(from)?]);
            range.retain(|id| !before.contains(id));
        }
        found.extend(range);
    }
    if found.is_empty() && !args.revisions.is_empty() {
        return Err(CliError::usage(format!("there is no commit in {}", args.revisions.join(" "))));
    }
    Ok(found.into_iter().collect())
}

/// Paths that go, as they are told.
struct Listing<'a> {
    opened: &'a Opened,
    ui: &'a mut Ui,
    args: &'a Args,
    head: Option<CommitId>,
    last: Option<CommitId>,
    /// Something that HEAD's commit loses stands in the working directory.
    is_still_there: bool,
    failed: Option<CliError>,
}

impl Listing<'_> {
    fn path(&mut self, gone: &DroppedPath<'_>) {
        if let Some(workdir) = self.opened.workdir.as_ref().filter(|_| self.head == Some(gone.commit)) {
            let live = workdir.root().join(OsStr::from_bytes(gone.path));
            self.is_still_there |= live.symlink_metadata().is_ok();
        }
        if self.args.dry_run && self.failed.is_none() {
            self.failed = self.print(gone).err();
        }
    }

    fn print(&mut self, gone: &DroppedPath<'_>) -> Result<(), CliError> {
        if self.ui.is_json() {
            let kind = if gone.is_dir { "dir" } else { "file" };
            let (commit, path) = (gone.commit.to_hex(), PathText::new(gone.path));
            let dropped = &gone.counts.into();
            return Ok(self.ui.json(&PathLine {
                message_type: "rewrite_path",
                commit,
                path,
                kind,
                dropped,
            })?);
        }
        if self.ui.is_quiet() {
            return Ok(());
        }
        if self.last.replace(gone.commit) != Some(gone.commit) {
            let line = titled(self.ui, self.opened, gone.commit, None)?;
            writeln!(self.ui.out(), "{line}")?;
        }
        let (slash, size) = (if gone.is_dir { "/" } else { "" }, amount(&gone.counts, gone.is_dir));
        writeln!(self.ui.out(), "  {}{slash}  ({size})", escape::name(gone.path))?;
        Ok(())
    }
}

/// `1a2b3c4d  2026-11-22 13:58  title`, or with an heir `1a2b3c4d -> 5e6f7a8b  …`.
fn titled(ui: &Ui, opened: &Opened, id: CommitId, heir: Option<CommitId>) -> Result<String, CliError> {
    let commit = opened.repo.version(heir.unwrap_or(id))?.commit;
    let when = time::short_at(commit.time, commit.utc_offset);
    let short = id.short();
    let heir = heir.map_or_else(String::new, |heir| format!(" -> {}", heir.short()));
    Ok(format!("{}{heir}  {when}  {}", ui.paint(Paint::Yellow, &short), history::title(&commit.message)))
}

/// `3 files, 1 directory, 12 KiB`.
fn amount(counts: &DroppedCounts, is_dir: bool) -> String {
    if !is_dir && counts.entries() == 1 {
        return human(counts.bytes);
    }
    let mut parts = Vec::new();
    for (number, one, many) in [
        (counts.files, "file", "files"),
        (counts.dirs, "directory", "directories"),
        (counts.others, "other entry", "other entries"),
    ] {
        parts.extend((number > 0).then(|| count(number, one, many)));
    }
    parts.push(human(counts.bytes));
    parts.join(", ")
}

fn commits(ui: &mut Ui, opened: &Opened, done: &RewriteOutcome) -> Result<(), CliError> {
    for commit in &done.commits {
        let line = titled(ui, opened, commit.old, Some(commit.new))?;
        let why = match commit.dropped.is_empty() {
            true => "for the commits before it".to_owned(),
            false => amount(&commit.dropped, true),
        };
        writeln!(ui.out(), "{line}  ({why})")?;
    }
    Ok(())
}

fn summary(ui: &mut Ui, done: &RewriteOutcome) {
    let would = if done.dry_run { "would be " } else { "" };
    for moved in &done.moved {
        let name = shown(&moved.name);
        match (moved.new, done.dry_run) {
            (None, true) => ui.status(format_args!("{name} would be forgotten until the next fetch")),
            (None, false) => ui.status(format_args!("{name} is forgotten until the next fetch")),
            (Some(_), true) => ui.status(format_args!("{name} would move")),
            (Some(to), false) => ui.status(format_args!("{name} moved to {}", to.short())),
        }
    }
    if done.commits.is_empty() {
        ui.status(format_args!("no commit holds any of it; nothing was changed"));
        return;
    }
    let after = done.commits.iter().filter(|commit| commit.dropped.is_empty()).count() as u64;
    let after = if after == 0 { String::new() } else { format!(", {after} of them for those before") };
    ui.status(format_args!(
        "{} {would}rewritten{after}",
        count(done.commits.len() as u64, "commit", "commits")
    ));
    ui.status(format_args!(
        "{} {would}dropped over all commits; their different contents have {}",
        amount(&done.dropped, true),
        human(done.content_bytes)
    ));
    match (done.dry_run, done.forgotten) {
        (true, _) => ui.status(format_args!("nothing was changed")),
        (false, true) => ui.status(format_args!(
            "run `warp gc` to free the space; until then `warp undelete` brings the originals back"
        )),
        (false, false) => ui.status(format_args!(
            "the originals are still in history, and so is the space that they take; `warp forget` takes them out"
        )),
    }
}

/// `branch main`, `tag v1`.
fn shown(full: &str) -> String {
    match (full.strip_prefix("heads/"), full.strip_prefix("tags/")) {
        (Some(name), _) => format!("branch {}", escape::line(name)),
        (_, Some(name)) => format!("tag {}", escape::line(name)),
        _ => escape::line(full),
    }
}

/// HEAD is no ref: where it stands on a commit itself, it goes to the heir.
fn move_detached_head(
    opened: &Opened,
    request: &RewriteRequest,
    done: &RewriteOutcome,
) -> Result<(), CliError> {
    let (Some(Head::Detached(id)), Some(workdir)) = (&request.head, &opened.workdir) else { return Ok(()) };
    match done.commits.iter().find(|commit| commit.old == *id).filter(|_| !done.dry_run) {
        Some(commit) => Ok(workdir.set_head(&Head::Detached(commit.new))?),
        None => Ok(()),
    }
}

fn as_json(ui: &mut Ui, done: &RewriteOutcome) -> Result<Exit, CliError> {
    commits_as_json(ui, done)?;
    let moved = done.moved.iter().map(|moved| Moved {
        r#ref: moved.name.clone(),
        old: moved.old.map(|id| id.to_hex()),
        new: moved.new.filter(|_| !done.dry_run).map(|id| id.to_hex()),
    });
    ui.json(&Summary {
        message_type: "rewrite_summary",
        dry_run: done.dry_run,
        rewritten: done.commits.len(),
        for_parents: done.commits.iter().filter(|commit| commit.dropped.is_empty()).count(),
        forgotten: done.forgotten,
        moved_refs: moved.collect(),
        dropped: &done.dropped.into(),
        content_bytes: done.content_bytes,
        bytes_written: done.bytes_written,
    })?;
    Ok(Exit::Done)
}

fn commits_as_json(ui: &mut Ui, done: &RewriteOutcome) -> io::Result<()> {
    done.commits.iter().try_for_each(|commit| {
        let id = Some(commit.new.to_hex()).filter(|_| !done.dry_run);
        let (original, dropped) = (commit.old.to_hex(), &commit.dropped.into());
        ui.json(&CommitLine { message_type: "rewritten", original, id, dropped })
    })
}
