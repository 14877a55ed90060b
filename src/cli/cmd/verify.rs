use std::path::PathBuf;

use serde::Serialize;
use warp::merkle::detection_probability;
use warp::ops::{self, PackReport, VerifyRequest};

use super::bundle;
use crate::cli::error::{CliError, Exit};
use crate::cli::escape;
use crate::cli::json::PathText;
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Verify a single pack file or a bundle, without a repository or password
///
/// Both headers, both shard tables and the Merkle roots of payload and parity are compared with the bytes of the file. What
/// is damaged is told by the number of the shard, and whether the pack's parity can heal it. Nothing is changed.
///
/// This proves that the file is as it was written. It does not prove that it is the pack that the log of a repository names,
/// nor that its content can be decrypted: `warp check` does. Of a bundle see `warp bundle verify`.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp verify backup/.warp/packs/3f2a….warp
  warp verify --sample 20 3f2a….warp      20 shards, drawn at random")]
pub(crate) struct Args {
    /// The pack file or bundle
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Look only at N shards, drawn at random, instead of all
    ///
    /// Finds damage with the probability that is told: 459 shards meet one of 1 % that are damaged at 99 %. A pack
    /// without parity has no marks of single shards and is read whole.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
}

#[derive(Serialize)]
struct Verified {
    message_type: &'static str,
    #[serde(flatten)]
    file: PathText,
    pack: String,
    size: u64,
    ok: bool,
    shards: u64,
    parity_shards: u64,
    checked_shards: u64,
    damaged_shards: Vec<u64>,
    faults: Vec<String>,
    /// Whether healing gives back what was written; null if nothing is wrong, or only a sample was looked at.
    can_be_healed: Option<bool>,
    /// With which probability a sample meets a damaged shard if one in a hundred is.
    finds_one_percent: f64,
}

pub(crate) fn run(ui: &mut Ui, args: &Args) -> Result<Exit, CliError> {
    if ops::is_bundle(&args.file)? {
        return bundle::verify_alone(ui, &args.file, args.sample);
    }
    let report = ops::verify_pack(&args.file, VerifyRequest { sample: args.sample, seed: None })?;
    if ui.is_json() {
        ui.json(&as_json(args, &report))?;
    } else {
        text(ui, args, &report)?;
    }
    Ok(if report.is_clean() { Exit::Done } else { Exit::Failed })
}

/// One damaged shard in a hundred, at least one.
fn one_percent(report: &PackReport) -> u64 {
    report.shards().div_ceil(100)
}

fn finds_one_percent(report: &PackReport) -> f64 {
    detection_probability(report.shards(), one_percent(report), report.checked_shards)
}

fn as_json(args: &Args, report: &PackReport) -> Verified {
    use std::os::unix::ffi::OsStrExt as _;
    Verified {
        message_type: "verify",
        file: PathText::new(args.file.as_os_str().as_bytes()),
        pack: report.pack.to_hex(),
        size: report.len,
        ok: report.is_clean(),
        shards: report.shards(),
        parity_shards: report.parity_shards,
        checked_shards: report.checked_shards,
        damaged_shards: report.damaged.clone(),
        faults: report.faults.iter().map(ToString::to_string).collect(),
        can_be_healed: report.healing.as_ref().map(Result::is_ok),
        finds_one_percent: finds_one_percent(report),
    }
}

fn text(ui: &mut Ui, args: &Args, report: &PackReport) -> Result<(), CliError> {
    let out = ui.out();
    writeln!(out, "{}: pack {}, {}", escape::path(&args.file), report.pack, human(report.len))?;
    for fault in &report.faults {
        writeln!(out, "error: {}", escape::line(&fault.to_string()))?;
    }
    if !report.damaged.is_empty() {
        let (damaged, of) = (report.damaged.len(), report.checked_shards);
        writeln!(out, "error: {damaged} of {of} shards are damaged: {}", ranges(&report.damaged))?;
    }
    match &report.healing {
        Some(Ok(())) => writeln!(out, "its parity heals it: nothing is lost")?,
        Some(Err(error)) => writeln!(out, "it cannot be healed: {}", escape::line(&error.to_string()))?,
        None => {}
    }
    let verdict = if report.is_clean() { "no errors found" } else { "errors found" };
    writeln!(out, "{verdict}")?;
    for line in scope(report) {
        ui.status(format_args!("{line}"));
    }
    Ok(())
}

/// What was looked at, what the pack endures, and what was not proved.
fn scope(report: &PackReport) -> Vec<String> {
    let (checked, shards) = (report.checked_shards, report.shards());
    let mut lines = vec![format!("checked {checked} of {}", count(shards, "shard", "shards"))];
    if checked < shards {
        let (bad, percent) = (one_percent(report), 100.0 * finds_one_percent(report));
        lines.push(format!("if {bad} of {shards} are damaged, such a sample finds it with {percent:.1} %"));
    }
    lines.push(match report.parity_shards {
        0 => "it has no parity: damage cannot be healed".to_owned(),
        parity => format!("any {parity} damaged shards can be healed"),
    });
    lines.push(
        "whether it is the pack that a repository's log names was not checked: `warp check` does that".into(),
    );
    lines
}

/// `3, 7-9`.
fn ranges(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|before, after| before + 1 == *after);
    let shown = runs.map(|run| match run {
        [first, .., last] => format!("{first}-{last}"),
        _ => run[0].to_string(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_shards_are_listed_as_ranges() {
        assert_eq!(ranges(&[3]), "3");
        assert_eq!(ranges(&[0, 1, 5, 7, 8, 9]), "0-1, 5, 7-9");
    }
}
