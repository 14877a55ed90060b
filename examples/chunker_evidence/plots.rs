//! Plots of what was measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;

use crate::dedup::{CorpusResult, UnitResult};
use crate::locality::{Locality, SIZES};
use crate::svg::{Axis, Panel, Series, bars, figure};
use crate::tables::chunkers;
use crate::{Failure, read_json};

/// The absolute unit whose lengths are drawn.
const UNIT: u32 = 64 << 10;

/// Draw the results
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to write the plots
    folder: PathBuf,
    /// Results of dedup
    #[arg(long, num_args = 1..)]
    dedup: Vec<PathBuf>,
    /// Results of locality
    #[arg(long)]
    locality: Option<PathBuf>,
    /// Results of the benchmark `chunkers`, usually target/criterion
    #[arg(long)]
    criterion: Option<PathBuf>,
    /// Group of the benchmark that is drawn
    #[arg(long, default_value = "kinds/random/64K")]
    group: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    fs::create_dir_all(&args.folder)?;
    let write = |name: &str, svg: String| fs::write(args.folder.join(name), svg);
    let names: Vec<_> = chunkers().collect();
    let mut corpora: Vec<CorpusResult> = Vec::new();
    for path in &args.dedup {
        corpora.append(&mut read_json(path)?);
    }
    if !corpora.is_empty() {
        write("dedup.svg", figure(&corpora.iter().map(saved).collect::<Vec<_>>(), &names))?;
        write("lengths.svg", figure(&corpora.iter().filter_map(lengths).collect::<Vec<_>>(), &names))?;
    }
    if let Some(path) = &args.locality {
        let locality = read_json(path)?;
        write("locality.svg", figure(&[moved(&locality), never(&locality)], &names))?;
    }
    if let Some(folder) = &args.criterion {
        let title = format!("Throughput, {}", args.group);
        write("throughput.svg", bars(&title, "GB/s", &throughput(folder, &args.group)?))?;
    }
    Ok(())
}

/// Saved bytes over mean lengths.
fn saved(result: &CorpusResult) -> Panel {
    let point =
        |unit: &UnitResult, name: &str| unit.row(name).map(|row| (row.mean / 1024.0, 100.0 * row.saved));
    let series: Vec<_> = chunkers()
        .enumerate()
        .map(|(colour, name)| {
            let points = result.units.iter().filter_map(|unit| point(unit, name)).collect();
            Series { colour, dots: true, points }
        })
        .collect();
    let all = || series.iter().flat_map(|series| &series.points);
    let (least, most) = bounds(all().map(|point| point.1));
    let (finest, coarsest) = bounds(all().map(|point| point.0));
    let ticks: Vec<_> =
        (0..10).map(|power| f64::from(1 << power)).map(|kib| (kib, kib.to_string())).collect();
    let (from, to) = (finest / 1.2, coarsest * 1.2);
    let ticks = ticks.into_iter().filter(|(kib, _)| (from..to).contains(kib)).collect();
    Panel {
        title: result.corpus.clone(),
        x: Axis::logarithmic("mean length, KiB", from, to, ticks),
        y: Axis::linear("saved, %", least, most),
        series,
    }
}

/// How lengths are distributed at the default absolute unit.
fn lengths(result: &CorpusResult) -> Option<Panel> {
    let unit = result.units.iter().find(|unit| unit.unit == UNIT)?;
    let width = f64::from(UNIT) / 32.0 / 1024.0;
    let series = chunkers().enumerate().filter_map(|(colour, name)| {
        let row = unit.row(name)?;
        let all = row.lengths.iter().sum::<u64>() as f64;
        let share = |(nth, count): (usize, &u64)| ((nth as f64 + 0.5) * width, 100.0 * *count as f64 / all);
        // The last bin takes all that is longer: it is no place on the axis.
        let points = row.lengths[..row.lengths.len() - 1].iter().enumerate().map(share).collect();
        Some(Series { colour, dots: false, points })
    });
    let series: Vec<Series> = series.collect();
    let (_, most) = bounds(series.iter().flat_map(|series| &series.points).map(|point| point.1));
    Some(Panel {
        title: format!("{}, unit 64 KiB", result.corpus),
        x: Axis::linear("length, KiB, in steps of 2", 0.0, 3.0 * f64::from(UNIT) / 1024.0),
        y: Axis::linear("chunks, %", 0.0, most),
        series,
    })
}

/// Boundaries moved by one byte.
fn moved(locality: &Locality) -> Panel {
    const LEAST: f64 = 1e-5;
    let series = chunkers().enumerate().filter_map(|(colour, name)| {
        let sum = locality.sum(|cases| cases.chunker == name && cases.size == 1)?;
        let share = |(nth, count): (usize, &u64)| (nth as f64, 100.0 * *count as f64 / sum.cases as f64);
        let points = sum.histogram.iter().enumerate().map(share).filter(|point| point.1 >= LEAST).collect();
        Some(Series { colour, dots: true, points })
    });
    let label = |power: i32| {
        (
            10_f64.powi(power),
            if power < 0 { format!("1e{power}") } else { 10_i32.pow(power as u32).to_string() },
        )
    };
    Panel {
        title: "Edits of one byte, all contents".to_owned(),
        x: Axis::linear("boundaries moved (the last: 33 or more)", 0.0, 35.0),
        y: Axis::logarithmic("edits, %", LEAST, 100.0, (-5..=2).map(label).collect()),
        series: series.collect(),
    }
}

/// Edits behind which old boundaries never come back.
fn never(locality: &Locality) -> Panel {
    let series: Vec<_> = chunkers()
        .enumerate()
        .map(|(colour, name)| {
            let sum = |size| locality.sum(|cases| cases.chunker == name && cases.size == size);
            let share = |size: usize| {
                Some((size as f64, sum(size)?))
                    .map(|(size, sum)| (size, 100.0 * sum.never as f64 / sum.cases as f64))
            };
            Series { colour, dots: true, points: SIZES.into_iter().filter_map(share).collect() }
        })
        .collect();
    let (_, most) = bounds(series.iter().flat_map(|series| &series.points).map(|point| point.1));
    let ticks = SIZES.map(|size| (size as f64, size.to_string())).to_vec();
    Panel {
        title: "Never in step again, all contents".to_owned(),
        x: Axis::logarithmic("bytes of the edit", 0.7, 6000.0, ticks),
        y: Axis::linear("edits, %", 0.0, most.max(1.0)),
        series,
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)))
}

/// The subjects of a group with their GB/s, from the files that the benchmark left.
fn throughput(folder: &Path, group: &str) -> Result<Vec<(String, f64)>, Failure> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder) {
        let path = entry?.into_path();
        if !path.ends_with("new/benchmark.json") {
            continue;
        }
        let about: Value = serde_json::from_reader(File::open(&path)?)?;
        let estimates: Value = serde_json::from_reader(File::open(path.with_file_name("estimates.json"))?)?;
        let (bytes, nanos) = (&about["throughput"]["Bytes"], &estimates["median"]["point_estimate"]);
        let name = about["value_str"].as_str().or(about["function_id"].as_str());
        if let (Some(id), Some(name), Some(bytes), Some(nanos)) =
            (about["group_id"].as_str(), name, bytes.as_f64(), nanos.as_f64())
            && id == group
        {
            found.push((name.to_owned(), bytes / nanos));
        }
    }
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    if found.is_empty() {
        Err(format!("no results of {group} in {}", folder.display()).into())
    } else {
        Ok(found)
    }
}
