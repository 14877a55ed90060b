//! `bundle create`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use warp::id::CommitId;
use warp::ops::{self, BundleOutcome, BundleRequest, OpsError};
use warp::repo::ErrorKind;
use warp::store::OsVfs;

use crate::cli::args::LatestArgs;
use crate::cli::context::{Context, Opened};
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::json::PathText;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Write commits into a bundle
///
/// REV brings a commit and all before it; without any, HEAD or, in a repository without a working directory, latest. A..B brings what B has
/// and A has not, and so does B ^A: whoever takes the bundle in must have A then, and what A holds is left out. Branches
/// and tags that stand on one of the commits come along.
///
/// The bundle has the parity of the repository's packs. FILE appears when it is whole; - writes to standard output, through a file in the folder
/// for temporary files (TMPDIR). The key slots come along: whoever has the bundle can try passwords on it, as on the repository.
#[derive(clap::Args, Debug)]
pub(super) struct CreateArgs {
    /// The file to write; - for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What goes into it: REV, A..B, or ^A to leave out what A has
    #[arg(value_name = "REV")]
    revisions: Vec<String>,

    /// All commits
    #[arg(long)]
    all: bool,

    /// Say what it is for; `bundle list-heads` shows it
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    message: String,

    /// Overwrite FILE
    #[arg(short, long)]
    force: bool,
}

#[derive(Serialize)]
struct Created {
    message_type: &'static str,
    #[serde(flatten)]
    file: PathText,
    size: u64,
    commits: u64,
    prerequisites: Vec<String>,
    refs: Vec<String>,
    objects: u64,
    packs: u64,
}

pub(super) fn run(ui: &mut Ui, ctx: &Context, args: &CreateArgs) -> Result<Exit, CliError> {
    let is_stdout = args.file.as_os_str() == "-";
    if is_stdout && ui.is_terminal() {
        return Err(
            CliError::usage("a bundle would not look well on a terminal").hint("send it into a file or pipe")
        );
    }
    let opened = ctx.open(ui)?;
    let (tips, excluded) = selected(&opened, args)?;
    let (message, threads) = (args.message.clone(), ctx.threads());
    let request = BundleRequest { tips, excluded, message, overwrite: args.force, threads };
    let create = |ui: &mut Ui, to: &Path| {
        let progress = if is_stdout { ui.observer() } else { ui.progress() };
        ops::create_bundle(&opened.repo, &request, (to, &OsVfs::new()), &progress)
    };
    if is_stdout {
        let spare = Spare::new();
        let done = create(ui, &spare.0)?;
        spare.send(ui)?;
        ui.status(format_args!("{}", summary(&done)));
        return Ok(Exit::Done);
    }
    let done = create(ui, &args.file).map_err(|error| explain(args, error))?;
    report(ui, args, &done)
}

/// A file that goes when it has been sent.
struct Spare(PathBuf);

impl Spare {
    fn new() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let name = format!("warp-bundle-{}-{}.warp", std::process::id(), since.as_nanos());
        Self(std::env::temp_dir().join(name))
    }

    fn send(&self, ui: &mut Ui) -> Result<(), CliError> {
        let mut file = File::open(&self.0).map_err(|error| CliError::file("read", &self.0, error))?;
        io::copy(&mut file, &mut ui.out())?;
        Ok(())
    }
}

impl Drop for Spare {
    fn drop(&mut self) {
        // What cannot be removed is what was asked for, and harms nobody.
        let _ = fs::remove_file(&self.0);
    }
}

/// Adds what to do about a file that is there.
fn explain(args: &CreateArgs, error: OpsError) -> CliError {
    let is_there = error.kind() == ErrorKind::Refused && args.file.is_file() && !args.force;
    let error = CliError::from(error);
    if is_there { error.hint("say --force to overwrite it") } else { error }
}

/// The commits that are wanted, and those that are left out.
fn selected(opened: &Opened, args: &CreateArgs) -> Result<(Vec<CommitId>, Vec<CommitId>), CliError> {
    let resolve = |revision: &str| {
        let revision = if revision.is_empty() { opened.default_revision() } else { revision };
        opened.resolve(revision, &LatestArgs::default())
    };
    let (mut tips, mut excluded) = (Vec::new(), Vec::new());
    for revision in &args.revisions {
        match (revision.strip_prefix('^'), revision.split_once("..")) {
            (Some(known), _) => excluded.push(resolve(known)?),
            (None, Some((known, tip))) => {
                excluded.push(resolve(known)?);
                tips.push(resolve(tip)?);
            }
            (None, None) => tips.push(resolve(revision)?),
        }
    }
    if args.all {
        tips.extend(opened.repo.timeline().commits());
    } else if tips.is_empty() {
        tips.push(resolve("")?);
    }
    Ok((tips, excluded))
}

fn summary(done: &BundleOutcome) -> String {
    let (commits, refs) = (count(done.commits, "commit", "commits"), done.refs.len() as u64);
    let refs = count(refs, "branch or tag", "branches and tags");
    format!("{commits}, {refs}, {} in {}", human(done.bytes), count(done.packs, "pack", "packs"))
}

fn report(ui: &mut Ui, args: &CreateArgs, done: &BundleOutcome) -> Result<Exit, CliError> {
    use std::os::unix::ffi::OsStrExt as _;
    if ui.is_json() {
        ui.json(&Created {
            message_type: "bundle_created",
            file: PathText::new(args.file.as_os_str().as_bytes()),
            size: done.bytes,
            commits: done.commits,
            prerequisites: done.prerequisites.iter().map(CommitId::to_hex).collect(),
            refs: done.refs.iter().map(|(name, _)| name.clone()).collect(),
            objects: done.objects,
            packs: done.packs,
        })?;
        return Ok(Exit::Done);
    }
    ui.status(format_args!("{}: {}", escape::path(&args.file), summary(done)));
    for id in &done.prerequisites {
        ui.status(format_args!("Whoever takes it in must have commit {}", id.short()));
    }
    Ok(Exit::Done)
}
