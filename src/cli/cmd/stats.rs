use serde::Serialize;
use warp::format::config::ChunkerParams;
use warp::ops::{self, RepositoryStats};
use warp::repo::ChunkerKind;

use crate::cli::args::LatestArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::size::{count, human};
use crate::cli::ui::Ui;

/// Show how large the repository is, and what it saves
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  warp stats                    all commits
  warp stats latest             one of them")]
pub(crate) struct Args {
    /// Count the files of these revisions; without any: of all commits
    #[arg(value_name = "REV")]
    revisions: Vec<String>,

    #[command(flatten)]
    latest: LatestArgs,
}

#[derive(Serialize)]
struct Stats {
    message_type: &'static str,
    /// What cuts files: a name, or the number of one that this version does not have.
    chunker: String,
    chunk_unit: u32,
    snapshots_count: u64,
    /// Bytes of all files of the counted commits.
    total_uncompressed_size: u64,
    unique_size: u64,
    dedup_ratio: f64,
    /// Bytes of the whole repository.
    total_size: u64,
    total_blob_count: u64,
    /// Objects stored as differences to others, their bytes, and the bytes of the differences.
    delta_objects: u64,
    delta_bytes: u64,
    delta_bytes_packed: u64,
    /// How many of them are of depth 1, of depth 2 and so on.
    delta_depths: Vec<u64>,
    delta_several_bases: u64,
    /// Estimates: what they would take in full, and what is saved by that.
    delta_bytes_in_full: u64,
    delta_bytes_saved: u64,
    packs_count: u64,
    packs_size: u64,
    /// Packs that are sealed under data keys from before the last `key rotate`, and their bytes.
    packs_old_key: u64,
    bytes_old_key: u64,
    index_size: u64,
    log_entries: u64,
    log_size: u64,
}

pub(crate) fn run(ui: &mut Ui, ctx: &Context, args: &Args) -> Result<Exit, CliError> {
    let opened = ctx.open(ui)?;
    let commits = match args.revisions.is_empty() {
        true => opened.repo.timeline().commits(),
        false => {
            args.revisions.iter().map(|rev| opened.resolve(rev, &args.latest)).collect::<Result<_, _>>()?
        }
    };
    let progress = ui.progress();
    let stats = ops::stats(&opened.repo, &commits, &progress)?;
    drop(progress);
    if ui.is_json() {
        ui.json(&as_json(&stats, opened.repo.chunker_params()))?;
        return Ok(Exit::Done);
    }
    for (what, value) in table(&stats, commits.len(), opened.repo.chunker_params()) {
        writeln!(ui.out(), "{what:<22} {value}")?;
    }
    Ok(Exit::Done)
}

fn name(chunker: ChunkerParams) -> String {
    let id = chunker.algorithm;
    ChunkerKind::from_id(id).map_or_else(|| id.to_string(), |kind| kind.to_string())
}

fn as_json(stats: &RepositoryStats, chunker: ChunkerParams) -> Stats {
    Stats {
        message_type: "stats",
        chunker: name(chunker),
        chunk_unit: chunker.unit,
        snapshots_count: stats.commits,
        total_uncompressed_size: stats.file_bytes,
        unique_size: stats.unique_bytes,
        dedup_ratio: stats.dedup_ratio,
        total_size: stats.total_bytes,
        total_blob_count: stats.objects,
        delta_objects: stats.deltas.objects,
        delta_bytes: stats.deltas.bytes,
        delta_bytes_packed: stats.deltas.stored_bytes,
        delta_depths: stats.deltas_by_depth.to_vec(),
        delta_several_bases: stats.deltas_of_several_bases,
        delta_bytes_in_full: stats.deltas_in_full,
        delta_bytes_saved: stats.deltas_save(),
        packs_count: stats.packs,
        packs_size: stats.pack_bytes,
        packs_old_key: stats.packs_old_key,
        bytes_old_key: stats.bytes_old_key,
        index_size: stats.index_bytes,
        log_entries: stats.log_entries,
        log_size: stats.log_bytes,
    }
}

/// The chunker, with what its unit means.
fn described(chunker: ChunkerParams) -> String {
    let (name, unit) = (name(chunker), human(chunker.unit.into()));
    match ChunkerKind::from_id(chunker.algorithm) {
        Some(ChunkerKind::Chonkers) => format!("{name}, pieces of at most {unit}"),
        Some(_) => format!("{name}, pieces of about {unit}"),
        None => format!("number {name}, which this version does not know"),
    }
}

fn table(stats: &RepositoryStats, counted: usize, chunker: ChunkerParams) -> Vec<(&'static str, String)> {
    let distinct = format!("{}, before compression and differences", human(stats.unique_bytes));
    let mut table = vec![
        ("Commits:", stats.commits.to_string()),
        ("Commits counted here:", counted.to_string()),
        ("Bytes of their files:", human(stats.file_bytes)),
        ("Distinct bytes:", distinct),
        ("Deduplication:", format!("{:.2} x", stats.dedup_ratio)),
        ("Objects:", stats.objects.to_string()),
    ];
    table.extend(differences(stats));
    table.push(("Packs:", format!("{} in {}", human(stats.pack_bytes), stats.packs)));
    if stats.packs_old_key > 0 {
        let old = format!("{} in {}", human(stats.bytes_old_key), stats.packs_old_key);
        table.push(("Under older keys:", format!("{old}, for gc or `repack --old-keys` to seal anew")));
    }
    table.extend([
        ("Index:", human(stats.index_bytes)),
        ("Log:", format!("{} in {} entries", human(stats.log_bytes), stats.log_entries)),
        ("Whole repository:", human(stats.total_bytes)),
        ("Chunker:", described(chunker)),
    ]);
    table
}

/// What is stored as differences.
fn differences(stats: &RepositoryStats) -> Vec<(&'static str, String)> {
    const STORED: &str = "Stored as differences:";
    let deltas = stats.deltas;
    if deltas.objects == 0 {
        return vec![(STORED, "none".to_owned())];
    }
    let objects = count(deltas.objects, "object", "objects");
    let (bytes, taken) = (human(deltas.bytes), human(deltas.stored_bytes));
    let (saved, in_full) = (human(stats.deltas_save()), human(stats.deltas_in_full));
    let mut lines = vec![
        (STORED, format!("{objects}, {bytes} as {taken}")),
        ("Differences save:", format!("about {saved}: in full they would take an estimated {in_full}")),
    ];
    if stats.deltas_by_depth[1..].iter().any(|number| *number > 0) {
        lines.push(("Depths of differences:", depths(&stats.deltas_by_depth)));
    }
    if stats.deltas_of_several_bases > 0 {
        lines.push(("With several bases:", count(stats.deltas_of_several_bases, "object", "objects")));
    }
    lines
}

/// `7 of depth 1, 2 of depth 2`.
fn depths(by_depth: &[u64]) -> String {
    let named = (1..).zip(by_depth).filter(|(_, number)| **number > 0);
    named.map(|(depth, number)| format!("{number} of depth {depth}")).collect::<Vec<_>>().join(", ")
}
