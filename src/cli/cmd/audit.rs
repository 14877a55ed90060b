use serde::Serialize;
use warp::ops::{self, AuditFault, AuditReport, AuditRequest};

use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::remote::{RateArgs, RemotePassword};
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Audit a remote: whether it still has what it took
///
/// Shards of packs are drawn at random; the remote sends their bytes, each with its path in the Merkle tree, and both are checked against the root
/// that the signed log names. That proves that it has these shards. 459 samples meet one of 1 % that are lost at 99 %, however many there
/// are; a single lost shard they most likely miss.
///
/// --possession asks for a hash over each whole pack, keyed with a secret that the remote has never heard: only who has all of the pack can answer. It
/// takes a copy of the pack in this repository, or a challenge that was made when the pack was pushed.
///
/// That what it has can also be decrypted and restored an audit does not prove; `warp -r PLACE check --read-data` does.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp audit origin
  warp audit nas --samples 3000       finds 1 in 650 at 99 %
  warp audit origin --possession      finds a single byte that is lost")]
pub(crate) struct Args {
    /// The remote, or where it lies; without it `origin`, or the only one
    #[arg(value_name = "REMOTE")]
    remote: Option<String>,

    /// How many shards to ask for; 0: none, with --possession
    #[arg(long, value_name = "N", default_value_t = 459)]
    samples: u64,

    /// Also ask for a keyed hash of every pack that can be asked for
    #[arg(long)]
    possession: bool,

    #[command(flatten)]
    rates: RateArgs,

    #[command(flatten)]
    password: RemotePassword,
}

#[derive(Serialize)]
struct Audited<'a> {
    message_type: &'static str,
    remote: &'a str,
    ok: bool,
    packs: u64,
    bytes: u64,
    samples: u64,
    /// Shards that could not be proved.
    unproved: u64,
    /// With which probability the samples meet a lost shard if one in a hundred is.
    finds_one_percent: f64,
    possession: Option<PossessionJson>,
    faults: Vec<FaultJson<'a>>,
}

#[derive(Serialize)]
struct PossessionJson {
    packs_asked: u64,
    bytes_asked: u64,
    packs_wrong: u64,
    packs_unknown: u64,
    challenges_left: u64,
}

#[derive(Serialize)]
struct FaultJson<'a> {
    file: &'a str,
    shards_asked: u64,
    shards_unproved: u64,
    shards: &'a [u64],
    error: &'a str,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    if args.samples == 0 && !args.possession {
        let error = CliError::usage("--samples 0 asks for nothing, so nothing could be wrong");
        return Err(error.hint("say how many, or also --possession"));
    }
    let opened = ctx.open(ui)?;
    let named = ctx.find_remote(&opened, args.remote.as_deref())?;
    let remote = ctx.open_any(ui, &opened, named, (&(&args.rates).into(), &args.password))?;
    let request = AuditRequest { samples: args.samples, seed: None, possession: args.possession };
    let progress = ui.progress();
    let report = ops::audit(&remote.repo, Some(&opened.repo), &request, &progress)?;
    drop(progress);
    if ui.is_json() {
        ui.json(&as_json(&remote.place, &report))?;
    } else {
        text(ui, &remote.place, &report)?;
    }
    Ok(if report.faults.is_empty() { Exit::Done } else { Exit::Failed })
}

fn as_json<'a>(remote: &'a str, report: &'a AuditReport) -> Audited<'a> {
    let possession = report.possession.map(|possession| PossessionJson {
        packs_asked: possession.asked,
        bytes_asked: possession.bytes,
        packs_wrong: possession.wrong,
        packs_unknown: possession.unknown,
        challenges_left: possession.left,
    });
    let fault = |fault: &'a AuditFault| FaultJson {
        file: &fault.file,
        shards_asked: fault.asked,
        shards_unproved: fault.unproved,
        shards: &fault.shards,
        error: &fault.why,
    };
    Audited {
        message_type: "audit",
        remote,
        ok: report.faults.is_empty(),
        packs: report.packs,
        bytes: report.bytes,
        samples: report.checked,
        unproved: report.unproved(),
        finds_one_percent: report.would_find(1),
        possession,
        faults: report.faults.iter().map(fault).collect(),
    }
}

fn text(ui: &mut Ui, remote: &str, report: &AuditReport) -> Result<(), CliError> {
    for fault in &report.faults {
        writeln!(ui.out(), "{}", line(fault))?;
    }
    if ui.is_quiet() {
        return Ok(());
    }
    let remote = escape::line(remote);
    let (packs, bytes) = (count(report.packs, "pack", "packs"), human(report.bytes));
    if report.checked > 0 {
        writeln!(
            ui.out(),
            "{remote}: {} of {packs} ({bytes}) were asked for, {} could not be proved",
            count(report.checked, "shard", "shards"),
            report.unproved(),
        )?;
        let found = report.would_find(1) * 100.0;
        writeln!(ui.out(), "If 1 % of it were lost, these samples would have met that with {found:.1} %")?;
    }
    if let Some(possession) = report.possession {
        writeln!(
            ui.out(),
            "Whole packs: {} ({}) were asked for, {} of them answered wrong, {} could not be asked for",
            possession.asked,
            human(possession.bytes),
            possession.wrong,
            possession.unknown
        )?;
    }
    Ok(())
}

/// What is wrong with a pack, in one line however many of its shards could not be proved.
fn line(fault: &AuditFault) -> String {
    // Most errors begin with the name of the file.
    let why = fault.why.strip_prefix(&format!("{}: ", fault.file)).unwrap_or(&fault.why);
    let (file, why) = (escape::line(&fault.file), escape::line(why));
    let which = match (fault.asked, &fault.shards[..]) {
        (0, _) => return format!("{file}: {why}"),
        (_, []) => String::new(),
        (_, [one]) => format!(" (shard {one})"),
        (_, [first, .., last]) => format!(" (from shard {first} to {last})"),
    };
    let (asked, bad) = (count(fault.asked, "shard", "shards"), fault.unproved);
    format!("{file}: {bad} of {asked} that were asked for could not be proved{which}: {why}")
}
