use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use warp::compress::Level;
use warp::format::dirtree::Timestamp;
use warp::ops::{self, CommitOutcome, CommitRequest, ScanSettings, Source};
use warp::repo::Head;

use super::stream::CommandOutput;
use crate::cli::args::{LatestArgs, ScanArgs};
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::ui::{Paint, Ui};
use crate::cli::{escape, history, json, signals, size, time};

/// Record files as a new commit
///
/// In a working directory all of it is recorded. In a repository made with `warp init --bare` say which paths.
///
/// Files whose size, times and inode are as in the parent commit are not read again. A path that cannot be read is
/// reported, the commit goes on, and the exit code is 3. If nothing has changed, no commit is made.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp commit -m 'second draft'                      a working directory
  warp -r /mnt/backup commit ~ /etc                  paths, into a stand-alone repository
  warp commit --exclude '*.o' --exclude-caches ~     without what can be made again
  pg_dump db | warp commit --stdin --stdin-filename db.sql
  warp commit --stdin-filename db.sql --stdin-from-command -- pg_dump db
  find . -newer mark -print0 | warp commit --files-from0 -

A file .warpignore in any directory excludes what it lists, written as in .gitignore.")]
pub(crate) struct Args {
    /// What to record; with --stdin-from-command: the command
    #[arg(value_name = "PATH")]
    paths: Vec<OsString>,

    /// Describe the commit
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,

    /// Write a label into the commit, by which --tag of other commands finds it; may be repeated
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Record another name of the host
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Record another author
    #[arg(long, value_name = "NAME")]
    author: Option<String>,

    /// Compare with this commit instead of the newest one of the branch
    #[arg(long, value_name = "REV")]
    parent: Option<String>,

    /// Record on this branch
    ///
    /// Without it: in a working directory the one that you are on, otherwise one that is named after the host and the paths.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,

    /// Record another time, as in 2026-11-22 or "2026-11-22 13:58"
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    time: Option<Timestamp>,

    /// Show what would be recorded, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Read every file, whatever its times say
    #[arg(short, long)]
    force: bool,

    /// Make a commit even if nothing has changed
    #[arg(long)]
    allow_empty: bool,

    /// Replace the last commit of the branch; without -m its message stays
    #[arg(long, conflicts_with = "parent")]
    amend: bool,

    /// Compress with a zstd level from 1 to 22, auto, or off
    #[arg(long, value_name = "LEVEL", allow_hyphen_values = true)]
    compression: Option<Level>,

    /// Store what changed in full, not as differences to what the repository holds
    ///
    /// Contents of files are stored in full without it in repositories at a server, since what they would be differences to has to be fetched; --delta-depth
    /// and `config set --repository delta on` store differences there, too, and `repack` makes them later.
    #[arg(long)]
    no_delta: bool,

    /// Let so many differences lie one above the other, 1 to 4: more are smaller, and slower to read
    #[arg(long, value_name = "N", conflicts_with = "no_delta", value_parser = clap::value_parser!(u8).range(1..=4))]
    delta_depth: Option<u8>,

    /// Record standard input as one file
    #[arg(long, conflicts_with_all = ["paths", "stdin_from_command", "files_from", "files_from0"])]
    stdin: bool,

    /// Name of the file that a stream is recorded as
    #[arg(long, value_name = "NAME", default_value = "stdin")]
    stdin_filename: OsString,

    /// Record what a command prints as one file; write the command behind --. No commit is made if it fails
    #[arg(long, conflicts_with_all = ["files_from", "files_from0"])]
    stdin_from_command: bool,

    /// Read paths from a file, one a line; - is standard input
    #[arg(long, value_name = "FILE")]
    files_from: Vec<PathBuf>,

    /// Read paths from a file, with a NUL byte behind each; - is standard input
    #[arg(long, value_name = "FILE")]
    files_from0: Vec<PathBuf>,

    #[command(flatten)]
    scan: ScanArgs,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let scan = args.scan.settings(ctx)?;
    let level = level(ctx, args)?;
    let listed = listed_paths(ctx, args)?;
    check_some_exist(&listed)?;
    let opened = ctx.open(ui)?;
    let mut request = CommitRequest { scan, compression: level, ..request(ctx, args, &opened)? };
    request.source = source(&opened, args, listed)?;
    let streamed = matches!(request.source, Source::Stream { .. });
    let progress = ui.progress();
    if streamed {
        // A read from a terminal or pipe does not end for a signal: stop at once, before an end that the signal caused
        // at the other side looks like the end of the data.
        signals::listen(false);
    }
    let done = ops::commit(&opened.repo, request, &progress)?;
    drop(progress);
    if let (Some(id), Some(Head::Detached(_)), Some(workdir)) = (done.commit, opened.head()?, &opened.workdir)
    {
        workdir.set_head(&Head::Detached(id))?;
    }
    report(ui, &opened, &done)?;
    Ok(Exit::for_problems(done.problems))
}

/// What the options and settings say, but for the source.
fn request(ctx: &Context, args: &Args, opened: &Opened) -> Result<CommitRequest, CliError> {
    let usual_author = || ctx.settings.author.clone().unwrap_or_else(|| ctx.who());
    Ok(CommitRequest {
        source: Source::Paths(Vec::new()),
        scan: ScanSettings::default(),
        message: args.message.clone().unwrap_or_default(),
        author: args.author.clone().unwrap_or_else(usual_author),
        host: args.host.clone().unwrap_or_else(|| ctx.host()),
        tags: args.tag.clone(),
        branch: args.branch.clone(),
        parent: args.parent.as_deref().map(|rev| opened.resolve(rev, &LatestArgs::default())).transpose()?,
        amend: args.amend,
        allow_empty: args.allow_empty,
        force: args.force,
        dry_run: args.dry_run,
        compression: None,
        delta_depth: if args.no_delta { Some(0) } else { args.delta_depth },
        threads: ctx.threads(),
        head: opened.head()?,
        time: args.time.unwrap_or_else(time::now),
    })
}

fn level(ctx: &Context, args: &Args) -> Result<Option<Level>, CliError> {
    let set = ctx.settings.compression.as_deref().map(str::parse).transpose();
    let set = set.map_err(|why| CliError::caused(Exit::Usage, "the setting `compression` is wrong", why))?;
    Ok(args.compression.or(set))
}

/// All paths of the command line and of lists, absolute.
fn listed_paths(ctx: &Context, args: &Args) -> Result<Vec<PathBuf>, CliError> {
    if args.stdin_from_command {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> = args.paths.iter().map(PathBuf::from).collect();
    for (files, end) in [(&args.files_from, b'\n'), (&args.files_from0, b'\0')] {
        for file in files {
            paths.extend(read_list(file, end)?);
        }
    }
    let asked = !(args.files_from.is_empty() && args.files_from0.is_empty());
    if asked && paths.is_empty() {
        return Err(CliError::failed("the lists of paths are empty"));
    }
    Ok(paths.iter().map(|path| anchored(ctx, path)).collect())
}

/// An absolute path; where `..` could follow a symbolic link, what the system says it is.
fn anchored(ctx: &Context, path: &Path) -> PathBuf {
    let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
    let real = if climbs { path.canonicalize().ok() } else { None };
    real.unwrap_or_else(|| ctx.absolute(path))
}

fn read_list(file: &Path, end: u8) -> Result<Vec<PathBuf>, CliError> {
    let mut bytes = Vec::new();
    let read = match file == Path::new("-") {
        true => io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|error| CliError::file("read paths from", file, error))?;
    let lines = bytes.split(|byte| *byte == end).filter(|line| !line.is_empty());
    Ok(lines.map(|line| OsString::from_vec(line.to_vec()).into()).collect())
}

/// A misspelled path is better known before a password is asked for; one of several may be missing.
fn check_some_exist(paths: &[PathBuf]) -> Result<(), CliError> {
    let missing =
        |path: &PathBuf| path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    match paths {
        [] => Ok(()),
        all if !all.iter().all(missing) => Ok(()),
        [one, ..] => Err(CliError::failed(format!("{} does not exist", escape::path(one)))),
    }
}

fn source(opened: &Opened, args: &Args, paths: Vec<PathBuf>) -> Result<Source, CliError> {
    let streamed = args.stdin || args.stdin_from_command;
    if let Some(workdir) = &opened.workdir {
        let all_of_it = paths.iter().all(|path| path.canonicalize().is_ok_and(|path| path == workdir.root()));
        if streamed || !all_of_it {
            let root = escape::path(workdir.root()).into_owned();
            let error =
                CliError::usage(format!("a commit of the working directory {root} records all of it"));
            return Err(error.hint("leave out the paths; or use a repository made with `warp init --bare`"));
        }
        return Ok(Source::WorkDir(workdir.root().to_owned()));
    }
    if streamed {
        return stream(args);
    }
    match paths.is_empty() {
        true => Err(CliError::usage("say which paths to record").hint("as in `warp commit ~`")),
        false => Ok(Source::Paths(paths)),
    }
}

fn stream(args: &Args) -> Result<Source, CliError> {
    let reader: Box<dyn Read + Send> = match args.stdin_from_command {
        true => Box::new(CommandOutput::start(&args.paths)?),
        false => Box::new(io::stdin()),
    };
    Ok(Source::Stream { name: args.stdin_filename.as_bytes().to_vec(), reader })
}

fn report(ui: &mut Ui, opened: &Opened, done: &CommitOutcome) -> Result<(), CliError> {
    if ui.is_json() {
        return Ok(ui.json(&json::CommitSummary::new(done))?);
    }
    if ui.is_quiet() {
        return Ok(());
    }
    let line = match done.commit {
        Some(id) => {
            let branch = if done.branch.is_empty() { "detached HEAD" } else { &done.branch };
            let branch = escape::line(branch);
            let message = opened.repo.version(id)?.commit.message;
            let root = if done.parent.is_none() { " (root commit)" } else { "" };
            let id = ui.paint(Paint::Yellow, &id.short()).into_owned();
            format!("[{branch}{root} {id}] {}", history::title(&message))
        }
        None if done.dry_run => {
            format!("would commit to {}; nothing was written", escape::line(&done.branch))
        }
        None => "nothing to commit, tree unchanged".to_owned(),
    };
    writeln!(ui.out(), "{line}")?;
    counts(ui, done);
    if done.diverged {
        let branch = escape::line(&done.branch);
        ui.warn(format_args!("somebody else moved the branch meanwhile; this commit is on {branch}"));
    }
    Ok(())
}

fn counts(ui: &mut Ui, done: &CommitOutcome) {
    let stats = &done.stats;
    ui.status(format_args!(
        " {} new, {} changed, {} unchanged",
        size::count(done.new_files, "file", "files"),
        done.changed_files,
        done.unchanged_files
    ));
    ui.status(format_args!(
        " {} of {} new, {} stored, in {}",
        size::human(stats.new_bytes),
        size::human(stats.bytes),
        size::human(stats.stored_bytes),
        time::duration(stats.duration_ms)
    ));
    if done.deltas.objects > 0 {
        ui.status(format_args!(
            " {} stored as differences: {} as {}",
            size::count(done.deltas.objects, "object", "objects"),
            size::human(done.deltas.bytes),
            size::human(done.deltas.stored_bytes)
        ));
    }
    if done.problems > 0 {
        let paths = size::count(done.problems, "path", "paths");
        ui.warn(format_args!("{paths} could not be read; the commit holds the rest"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_paths_may_hold_any_byte_but_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        std::fs::write(&list, b"a\xff\n\nb c\n").unwrap();
        let names = |end| -> Vec<Vec<u8>> {
            read_list(&list, end).unwrap().into_iter().map(|path| path.into_os_string().into_vec()).collect()
        };
        assert_eq!(names(b'\n'), [b"a\xff".to_vec(), b"b c".to_vec()]);
        assert_eq!(names(b'\0'), [b"a\xff\n\nb c\n".to_vec()]);
    }
}
