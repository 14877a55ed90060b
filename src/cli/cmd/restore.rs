use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use warp::format::dirtree::Timestamp;
use warp::ops::{self, Overwrite, PlannedAction, RestoreOutcome, RestoreRequest};

use crate::cli::args::{LatestArgs, SelectArgs};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::progress::Progress;
use crate::cli::ui::Ui;
use crate::cli::{escape, json, password, size, time};

/// Write files of a commit into any directory
///
/// Unlike `warp checkout` it needs no working directory, and leaves the one around a repository alone. Paths keep their
/// place below DIR. Only what differs is written. All metadata comes back as far as this user may set
/// it; what could not be set is reported once.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp restore --source latest --target /tmp/restored
  warp restore --source HEAD~2 --target /tmp/old src docs/index.md
  warp -r /mnt/backup restore --target / /home/ann        in its old place
  warp restore --target out --include '*.jpg' --exclude thumbs/
  warp restore --target out --delete --dry-run            what would change")]
pub(crate) struct Args {
    /// Only these paths, or what matches these patterns
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,

    /// The commit; without it the last one
    #[arg(short, long, value_name = "REV")]
    source: Option<String>,

    /// The directory to write into; it is made if it is not there
    #[arg(short, long, value_name = "DIR")]
    target: PathBuf,

    /// Which files that are there already are written over
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::IfChanged)]
    overwrite: When,

    /// Remove what the commit does not have; asks first in a directory that warp did not make
    #[arg(long)]
    delete: bool,

    /// Do not ask before removing
    #[arg(short, long, requires = "delete")]
    yes: bool,

    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Read every file back and compare it with the repository
    #[arg(long)]
    verify: bool,

    /// Set owners by number, not by name
    #[arg(long)]
    numeric_ids: bool,

    /// Make device nodes
    #[arg(long)]
    devices: bool,

    /// Set the setuid and setgid bits also where the owner cannot be set
    #[arg(long)]
    setuid: bool,

    /// Set extended attributes of the namespaces `trusted` and `security`
    #[arg(long)]
    xattrs_trusted: bool,

    /// Make holes for runs of zeros in all files, not only in those that had holes
    #[arg(long)]
    sparse: bool,

    #[command(flatten)]
    select: SelectArgs,

    #[command(flatten)]
    latest: LatestArgs,
}

/// Which files are written over.
#[derive(clap::ValueEnum, Debug, Clone, Copy)]
enum When {
    /// All
    Always,
    /// Those whose size or time differs
    IfChanged,
    /// Those that are older than the commit's
    IfNewer,
    /// None
    Never,
}

impl From<When> for Overwrite {
    fn from(when: When) -> Self {
        match when {
            When::Always => Self::Always,
            When::IfChanged => Self::IfChanged,
            When::IfNewer => Self::IfNewer,
            When::Never => Self::Never,
        }
    }
}

/// What the report of a restore says beside its counts.
pub(crate) struct Restored {
    pub(crate) dry_run: bool,
    pub(crate) started: Option<Timestamp>,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let started = time::now();
    let opened = ctx.open(ui)?;
    let revision = args.source.as_deref().unwrap_or(opened.default_revision());
    let commit = opened.resolve(revision, &args.latest)?;
    let selection = args.select.selection(&opened, &args.paths)?;
    let everything = selection.is_everything();
    let progress = Arc::new(ui.progress());
    let request = RestoreRequest {
        commit,
        target: ctx.absolute(&args.target),
        selection,
        overwrite: args.overwrite.into(),
        delete: args.delete,
        confirm_delete: Some(Box::new(confirmation(args.yes, Arc::clone(&progress)))),
        dry_run: args.dry_run,
        verify: args.verify,
        numeric_ids: args.numeric_ids,
        devices: args.devices,
        setuid: args.setuid,
        trusted_xattrs: args.xattrs_trusted,
        sparse: args.sparse,
        threads: ctx.threads(),
    };
    let done = ops::restore(&opened.repo, request, &*progress)?;
    drop(progress);
    if !everything && done.files + done.dirs + done.others + done.problems == 0 {
        let paths: Vec<_> = args.paths.iter().map(|path| escape::path(Path::new(path))).collect();
        let meant = if paths.is_empty() { "these patterns".to_owned() } else { paths.join(", ") };
        let error = CliError::failed(format!("nothing in commit {} is meant by {meant}", commit.short()));
        return Err(error.hint(
            "`warp ls -R` prints paths as they are meant; in a stand-alone repository they are whole paths; \
             another commit is named with --source",
        ));
    }
    report(ui, &done, Restored { dry_run: args.dry_run, started: Some(started) })
}

/// Asks before extras are removed; without a terminal the answer is no.
fn confirmation(yes: bool, progress: Arc<Progress>) -> impl Fn(&Path, u64) -> bool {
    move |target, extras| yes || progress.suspend(|| ask(target, extras))
}

fn ask(target: &Path, extras: u64) -> bool {
    if !password::has_terminal() {
        return false;
    }
    let extras = size::count(extras, "path", "paths");
    let _ = write!(
        io::stderr(),
        "Remove {extras} from {} that the commit does not have? [y/N] ",
        escape::path(target)
    );
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

#[derive(Serialize)]
struct Summary {
    message_type: &'static str,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_elapsed: Option<u64>,
    total_files: u64,
    files_restored: u64,
    files_unchanged: u64,
    files_skipped: u64,
    files_deleted: u64,
    files_verified: u64,
    dirs: u64,
    others: u64,
    total_bytes: u64,
    bytes_restored: u64,
    error_count: u64,
    degraded: Vec<Degraded>,
}

#[derive(Serialize)]
struct Degraded {
    what: &'static str,
    count: u64,
    #[serde(flatten)]
    first: json::PathText,
}

#[derive(Serialize)]
struct Planned {
    message_type: &'static str,
    action: &'static str,
    #[serde(flatten)]
    path: json::PathText,
}

/// Prints what a restore or checkout did, or would do.
pub(crate) fn report(ui: &mut Ui, done: &RestoreOutcome, of: Restored) -> Result<Exit, CliError> {
    let exit = Exit::for_problems(done.problems);
    for change in &done.planned {
        print_planned(ui, &change.path, change.action)?;
    }
    if ui.is_json() {
        ui.json(&summary(done, &of))?;
        return Ok(exit);
    }
    for (what, count, first) in &done.degraded {
        let first = escape::path(first);
        ui.warn(format_args!("{what}: {}, first {first}", size::count(*count, "path", "paths")));
    }
    let verb = if of.dry_run { "would be " } else { "" };
    ui.status(format_args!(
        "{}, {}, {} other: {} {verb}written, {} unchanged, {} skipped, {} {verb}removed",
        size::count(done.files, "file", "files"),
        size::count(done.dirs, "directory", "directories"),
        done.others,
        size::human(done.written_bytes),
        done.unchanged,
        done.skipped,
        done.removed
    ));
    if done.verified > 0 {
        ui.status(format_args!("{} read back and found right", size::count(done.verified, "file", "files")));
    }
    if done.problems > 0 {
        ui.warn(format_args!("{} could not be restored", size::count(done.problems, "path", "paths")));
    }
    Ok(exit)
}

fn print_planned(ui: &mut Ui, path: &[u8], action: PlannedAction) -> io::Result<()> {
    let word = match action {
        PlannedAction::Create => "create",
        PlannedAction::Update => "update",
        PlannedAction::Remove => "remove",
        PlannedAction::Metadata => "metadata",
        PlannedAction::Keep => "keep",
    };
    if ui.is_json() {
        return ui.json(&Planned { message_type: "planned", action: word, path: json::PathText::new(path) });
    }
    writeln!(ui.out(), "{word:<9} {}", escape::name(path))
}

fn summary(done: &RestoreOutcome, of: &Restored) -> Summary {
    use std::os::unix::ffi::OsStrExt;
    let degraded = done.degraded.iter().map(|&(what, count, ref first)| Degraded {
        what,
        count,
        first: json::PathText::new(first.as_os_str().as_bytes()),
    });
    Summary {
        message_type: "summary",
        dry_run: of.dry_run,
        seconds_elapsed: of
            .started
            .map(|started| time::now().secs.saturating_sub(started.secs).max(0) as u64),
        total_files: done.files,
        files_restored: done.files.saturating_sub(done.unchanged + done.skipped),
        files_unchanged: done.unchanged,
        files_skipped: done.skipped,
        files_deleted: done.removed,
        files_verified: done.verified,
        dirs: done.dirs,
        others: done.others,
        total_bytes: done.bytes,
        bytes_restored: done.written_bytes,
        error_count: done.problems,
        degraded: degraded.collect(),
    }
}
