use serde::Serialize;
use warp::id::CommitId;
use warp::ops::{self, OpsError, RecoverOutcome, RecoverRequest};
use warp::repo::Rebuild;

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Most lines about one thing; --json lists all.
const LISTED_MAX: usize = 20;

/// Make the log anew, and the index, for a repository that has lost them
///
/// For a repository that cannot be opened because entries of its log are missing or damaged, all of them or some, and of which no
/// other copy has them. What the log said comes from the packs and from the entries that are left: every commit that lies in a pack
/// and that no entry has forgotten is live again, and branches and tags stand where they stood last as far as an entry tells. A commit
/// that none of them reaches gets a branch of its own, `recovered/ID`.
///
/// Nothing is destroyed: packs stay as they are, and the old entries are kept in the folder `lost` of the repository. It can be
/// stopped at any moment and run again; but let nothing else work in the repository meanwhile. The new log begins with a new
/// fingerprint: see `warp head`.
///
/// If the configuration is lost as well, bring that back first: `warp key recover`. The exit code is 3 if a pack, a commit or a part
/// of a commit is lost.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp recover -n               what would come back?
  warp recover
  warp check --read-data        then: is everything there that the packs hold?
  warp branch main recovered/1f3a91c0
                                give a branch its name back")]
pub(crate) struct Args {
    /// Show what would come back, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Also if the log seems whole: its last entries may be missing
    ///
    /// That the last entries are gone only a client can tell that has seen them. What was forgotten since long may come back.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let (_, _, rebuild) = ctx.open_with(ui, Rebuild::open)?;
    rebuild.vault().tell_of_healing(ui.warner());
    let request = RecoverRequest {
        dry_run: args.dry_run,
        force: args.force,
        threads: ctx.threads(),
        ..RecoverRequest::default()
    };
    let progress = ui.progress();
    let done = ops::recover(rebuild, request, &progress);
    drop(progress);
    let done = done.map_err(explain)?;
    if ui.is_json() {
        ui.json(&Recovered::new(&done))?;
    } else {
        tell(ui, &done)?;
    }
    Ok(if done.has_losses() { Exit::Partial } else { Exit::Done })
}

fn explain(error: OpsError) -> CliError {
    let is_refused = matches!(error, OpsError::Refused { .. });
    let error = CliError::from(error);
    if is_refused {
        error.hint("`warp check` says what else may be wrong; if you know that its last entries are missing, say --force")
    } else {
        error
    }
}

fn tell(ui: &mut Ui, done: &RecoverOutcome) -> Result<(), CliError> {
    read(ui, done);
    let commits = done.commits;
    match done.head {
        None => writeln!(ui.out(), "{} would be live", count(commits, "commit", "commits"))?,
        Some(_) => writeln!(ui.out(), "{} live again", count(commits, "commit is", "commits are"))?,
    }
    if !ui.is_quiet() {
        refs(ui, done)?;
    }
    losses(ui, done);
    uncertain(ui, done);
    next(ui, done);
    Ok(())
}

/// What was read.
fn read(ui: &mut Ui, done: &RecoverOutcome) {
    if let Some(fault) = &done.fault {
        ui.status(format_args!("the log is not whole: {fault}"));
    }
    match (done.entries_read, done.entries_known) {
        (0, 0) => ui.status(format_args!("no entry of the log is left")),
        (read, known) => ui.status(format_args!("{read} of {} read", count(known, "entry", "entries"))),
    }
    list(ui, &done.entry_faults, |(file, why)| format!("{file} does not count: {why}"));
    let packs = count(done.packs, "pack", "packs");
    let objects = count(done.objects, "object", "objects");
    ui.status(format_args!("{packs} of {} hold {objects}", human(done.pack_bytes)));
}

fn refs(ui: &mut Ui, done: &RecoverOutcome) -> Result<(), CliError> {
    for (name, id) in &done.refs {
        let mark =
            if done.branches.iter().any(|(made, _)| made == name) { ", where no other leads" } else { "" };
        writeln!(ui.out(), " {} at {}{mark}", escape::line(&plain(name)), id.short())?;
    }
    Ok(())
}

/// A ref as people call it.
fn plain(name: &str) -> String {
    match name.split_once('/') {
        Some(("heads", name)) => format!("branch {name}"),
        Some(("tags", name)) => format!("tag {name}"),
        _ => name.to_owned(),
    }
}

fn losses(ui: &mut Ui, done: &RecoverOutcome) {
    warn(ui, &done.packs_left_out, |(file, why)| format!("{file} is left out: {why}"));
    warn(ui, &done.commits_lost, |(id, why)| format!("commit {} is lost: {why}", id.short()));
    warn(ui, &done.incomplete, |commit| {
        let paths = count(commit.paths, "path", "paths");
        format!("commit {} lacks {paths}: {}", commit.id.short(), commit.why)
    });
    warn(ui, &done.refs_moved, |moved| {
        let (name, from) = (plain(&moved.name), moved.from.short());
        match moved.to {
            Some(to) => format!("{name} stood on {from}, which is gone, and stands on {} now", to.short()),
            None => format!("{name} stood on {from}, which is gone with all before it; it is gone, too"),
        }
    });
}

/// What nobody can know.
fn uncertain(ui: &mut Ui, done: &RecoverOutcome) {
    let unnamed = done.commits_unnamed.len() as u64;
    if unnamed > 0 {
        let commits = count(unnamed, "commit is", "commits are");
        let ids =
            done.commits_unnamed.iter().take(LISTED_MAX).map(CommitId::short).collect::<Vec<_>>().join(" ");
        let more = if unnamed > LISTED_MAX as u64 { " …" } else { "" };
        ui.status(format_args!(
            "{commits} in no entry that is left, and may have been forgotten before: {ids}{more}"
        ));
    }
    if done.entries_known > 0 && (done.entries_missing > 0 || !done.entry_faults.is_empty()) {
        ui.status(format_args!(
            "what the missing entries said is not known: commits that they forgot are back, and branches and tags may have moved since"
        ));
    }
}

fn next(ui: &mut Ui, done: &RecoverOutcome) {
    let Some(head) = done.head else {
        ui.status(format_args!(
            "nothing was written, and whether all files of these commits are there was not checked"
        ));
        return;
    };
    let (number, fingerprint) = (head.number, head.fingerprint());
    ui.status(format_args!(
        "the log is a new one, its head is {number} {fingerprint}: other machines open it as one that they have never seen, and should compare"
    ));
    if let Some((name, _)) = done.branches.first() {
        let name = escape::line(name.trim_start_matches("heads/"));
        ui.status(format_args!("to give a branch its name back: `warp branch NAME {name}`"));
    }
    ui.status(format_args!("next: `warp check --read-data` reads all that the packs hold"));
    if !done.entry_faults.is_empty() || done.entries_read > 0 {
        ui.status(format_args!(
            "the old entries are in the folder `lost` of the repository; delete it when you miss nothing"
        ));
    }
}

fn list<T>(ui: &mut Ui, items: &[T], line: impl Fn(&T) -> String) {
    items.iter().take(LISTED_MAX).for_each(|item| ui.status(format_args!("{}", line(item))));
    if items.len() > LISTED_MAX {
        ui.status(format_args!("… and {} more (--json lists all)", items.len() - LISTED_MAX));
    }
}

fn warn<T>(ui: &mut Ui, items: &[T], line: impl Fn(&T) -> String) {
    items.iter().take(LISTED_MAX).for_each(|item| ui.warn(format_args!("{}", line(item))));
    if items.len() > LISTED_MAX {
        ui.warn(format_args!("… and {} more (--json lists all)", items.len() - LISTED_MAX));
    }
}

#[derive(Serialize)]
struct Fault<'o> {
    file: &'o str,
    fault: &'o str,
}

#[derive(Serialize)]
struct Ref<'o> {
    name: &'o str,
    commit: String,
    /// It is a branch that was made for a commit which nothing else reaches.
    made: bool,
}

#[derive(Serialize)]
struct Moved<'o> {
    name: &'o str,
    from: String,
    to: Option<String>,
}

#[derive(Serialize)]
struct Broken<'o> {
    commit: String,
    /// `null`: the commit itself cannot be read.
    paths: Option<u64>,
    fault: &'o str,
}

#[derive(Serialize)]
struct Recovered<'o> {
    message_type: &'static str,
    dry_run: bool,
    fault: Option<&'o str>,
    entries_read: u64,
    entries_known: u64,
    entries_missing: u64,
    entry_faults: Vec<Fault<'o>>,
    packs: u64,
    packs_size: u64,
    packs_left_out: Vec<Fault<'o>>,
    objects: u64,
    segments: u64,
    commits: u64,
    commits_unnamed: Vec<String>,
    commits_forgotten: u64,
    broken_commits: Vec<Broken<'o>>,
    refs: Vec<Ref<'o>>,
    refs_moved: Vec<Moved<'o>>,
    entries_written: u64,
    head_number: Option<u64>,
    head_fingerprint: Option<String>,
}

impl<'o> Recovered<'o> {
    fn new(done: &'o RecoverOutcome) -> Self {
        let faults =
            |list: &'o [(String, String)]| list.iter().map(|(file, fault)| Fault { file, fault }).collect();
        let made = |name: &str| done.branches.iter().any(|(made, _)| made == name);
        let moved = done.refs_moved.iter().map(|moved| Moved {
            name: &moved.name,
            from: moved.from.to_hex(),
            to: moved.to.map(|to| to.to_hex()),
        });
        Self {
            message_type: "recovered",
            dry_run: done.head.is_none(),
            fault: done.fault.as_deref(),
            entries_read: done.entries_read,
            entries_known: done.entries_known,
            entries_missing: done.entries_missing,
            entry_faults: faults(&done.entry_faults),
            packs: done.packs,
            packs_size: done.pack_bytes,
            packs_left_out: faults(&done.packs_left_out),
            objects: done.objects,
            segments: done.segments,
            commits: done.commits,
            commits_unnamed: done.commits_unnamed.iter().map(CommitId::to_hex).collect(),
            commits_forgotten: done.commits_forgotten,
            broken_commits: broken(done),
            refs: done
                .refs
                .iter()
                .map(|(name, id)| Ref { name, commit: id.to_hex(), made: made(name) })
                .collect(),
            refs_moved: moved.collect(),
            entries_written: done.entries_written,
            head_number: done.head.map(|head| head.number),
            head_fingerprint: done.head.map(|head| head.fingerprint()),
        }
    }
}

fn broken(done: &RecoverOutcome) -> Vec<Broken<'_>> {
    let lost = done.commits_lost.iter().map(|(id, fault)| Broken { commit: id.to_hex(), paths: None, fault });
    let incomplete = done.incomplete.iter().map(|commit| Broken {
        commit: commit.id.to_hex(),
        paths: Some(commit.paths),
        fault: &commit.why,
    });
    lost.chain(incomplete).collect()
}
