//! What the chunkers are worth: deduplication at equal mean lengths, and boundaries that an edit moves.
//!
//! ```sh
//! cargo build --release --features testing --example chunker_evidence
//! target/release/examples/chunker_evidence dedup --json dedup.json CORPUS...
//! target/release/examples/chunker_evidence locality --json locality.json
//! target/release/examples/chunker_evidence plots --dedup dedup.json --locality locality.json docs/plots
//! ```
//!
//! Everything is drawn from fixed seeds: the same corpora give the same figures. Tables go to standard output.

mod corpus;
mod cutters;
mod dedup;
mod edits;
mod kinds;
mod locality;
mod plots;
mod search;
mod svg;
mod tables;
mod tally;

use std::error::Error;
use std::fs;
use std::path::Path;

use clap::{Parser, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What went wrong, for whoever runs this.
type Failure = Box<dyn Error>;

#[derive(Parser)]
#[command(about = "Measures what the chunkers save and how local their cuts are")]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Dedup(dedup::Args),
    Locality(locality::Args),
    Plots(plots::Args),
}

fn main() -> Result<(), Failure> {
    match Args::parse().verb {
        Verb::Dedup(args) => dedup::run(&args),
        Verb::Locality(args) => locality::run(&args),
        Verb::Plots(args) => plots::run(&args),
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)?;
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}
