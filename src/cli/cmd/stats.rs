use serde::Serialize;
use warp::format::config::ChunkerParams;
use warp::ops::{self, RepositoryStats};
use warp::repo::ChunkerKind;

use crate::cli::args::LatestArgs;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Exit};
use crate::cli::size::human;
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
    packs_count: u64,
    packs_size: u64,
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
        packs_count: stats.packs,
        packs_size: stats.pack_bytes,
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
    vec![
        ("Commits:", stats.commits.to_string()),
        ("Commits counted here:", counted.to_string()),
        ("Bytes of their files:", human(stats.file_bytes)),
        ("Bytes that differ:", human(stats.unique_bytes)),
        ("Deduplication:", format!("{:.2} x", stats.dedup_ratio)),
        ("Objects:", stats.objects.to_string()),
        ("Packs:", format!("{} in {}", human(stats.pack_bytes), stats.packs)),
        ("Index:", human(stats.index_bytes)),
        ("Log:", format!("{} in {} entries", human(stats.log_bytes), stats.log_entries)),
        ("Whole repository:", human(stats.total_bytes)),
        ("Chunker:", described(chunker)),
    ]
}
