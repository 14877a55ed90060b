//! What chunkers save on several versions of the same files, at equal mean lengths.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::corpus::{Batch, Corpus};
use crate::cutters::{CHONKERS, Cutting, Rival, chonkers};
use crate::search::{Search, TOLERANCE};
use crate::tally::Tally;
use crate::{Failure, write_json};

/// The presets fine, default and backup.
const UNITS: [u32; 3] = [16 << 10, 64 << 10, 256 << 10];
/// Keys that Chonkers is measured with.
const KEYS: u8 = 5;

/// Compare what chunkers save on several versions of the same files
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders with versions v1, v2 and so on, or NAME=PATH,PATH,...
    #[arg(required = true)]
    corpora: Vec<String>,
    /// Cut the files of a version as one content, in sorted order
    #[arg(long)]
    joined: bool,
    /// Write the results here
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What one corpus came to.
#[derive(Serialize, Deserialize)]
pub(crate) struct CorpusResult {
    pub(crate) corpus: String,
    pub(crate) versions: usize,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) units: Vec<UnitResult>,
}

/// What the chunkers came to at the mean length of one absolute unit.
#[derive(Serialize, Deserialize)]
pub(crate) struct UnitResult {
    pub(crate) unit: u32,
    pub(crate) rows: Vec<Row>,
}

/// What one chunker came to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) chunker: String,
    /// Absolute unit or target length, in bytes.
    pub(crate) parameter: u32,
    /// Measured mean length, in bytes.
    pub(crate) mean: f64,
    pub(crate) chunks: u64,
    /// Share of all bytes.
    pub(crate) saved: f64,
    /// Bytes first seen in each version.
    pub(crate) new_bytes: Vec<u64>,
    /// Least and greatest share that a key saved.
    pub(crate) saved_by_key: Option<(f64, f64)>,
    /// Chunks by length, in bins of a 32nd of the absolute unit.
    pub(crate) lengths: Vec<u64>,
}

/// A chunker at work.
struct Subject {
    cutting: Cutting,
    tally: Tally,
}

impl Subject {
    fn take(&mut self, batch: &Batch) {
        let Self { cutting, tally } = self;
        for piece in &batch.pieces {
            let mut sink = |chunk, bytes: &[u8]| tally.add(batch.version, chunk, bytes);
            cutting.push(batch.bytes(piece), piece.first, piece.last, &mut sink);
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut results = Vec::new();
    for spec in &args.corpora {
        let corpus = Corpus::parse(spec, args.joined)?;
        results.push(measure(&corpus)?);
        print(&results[results.len() - 1]);
        if let Some(path) = &args.json {
            write_json(path, &results)?;
        }
    }
    Ok(())
}

/// A rival on its way to a mean length.
struct Tuned {
    unit: u32,
    rival: Rival,
    /// The mean of Chonkers over the corpus.
    wanted: f64,
    /// On the sample.
    search: Search,
    tally: Option<Tally>,
}

impl Tuned {
    /// How far the measured mean is from the wanted one.
    fn miss(&self) -> f64 {
        self.tally.as_ref().map_or(f64::INFINITY, |tally| (tally.mean() / self.wanted - 1.0).abs())
    }

    fn subject(&self, versions: usize) -> Subject {
        Subject {
            cutting: Cutting::by_windowed(self.rival.with(self.search.best())),
            tally: Tally::of_contents(self.unit, versions),
        }
    }

    fn row(&self) -> Option<Row> {
        self.tally.as_ref().map(|tally| row_of(self.rival.name(), self.search.best(), tally))
    }
}

fn measure(corpus: &Corpus) -> Result<CorpusResult, Failure> {
    let own = measure_chonkers(corpus)?;
    let on_sample = sample_of_chonkers(corpus)?;
    let mut tuned = Vec::new();
    for ((unit, row, _), mean) in own.iter().zip(on_sample) {
        let new = |rival| {
            let search = Search::new(mean, (unit / 10 * 7) & !1);
            Tuned { unit: *unit, rival, wanted: row.mean, search, tally: None }
        };
        tuned.extend(Rival::ALL.map(new));
    }
    measure_rivals(corpus, &mut tuned)?;
    let unit_result = |(unit, row, _): &(u32, Row, u64)| {
        let others = tuned.iter().filter(|tuned| tuned.unit == *unit).filter_map(Tuned::row);
        UnitResult { unit: *unit, rows: std::iter::once(row.clone()).chain(others).collect() }
    };
    Ok(CorpusResult {
        corpus: corpus.name.clone(),
        versions: corpus.versions(),
        files: corpus.files(),
        bytes: own[0].2,
        units: own.iter().map(unit_result).collect(),
    })
}

/// Tunes the rivals on the sample and measures them on the corpus, once more where the sample misled.
fn measure_rivals(corpus: &Corpus, tuned: &mut [Tuned]) -> Result<(), Failure> {
    for _ in 0..3 {
        while tune(corpus, tuned)? {}
        let mut open: Vec<_> = tuned.iter_mut().filter(|tuned| tuned.tally.is_none()).collect();
        let mut subjects: Vec<_> = open.iter().map(|tuned| tuned.subject(corpus.versions())).collect();
        pass(corpus, &mut subjects)?;
        for (tuned, subject) in open.iter_mut().zip(subjects) {
            tuned.tally = Some(subject.tally);
            if tuned.miss() > TOLERANCE {
                tuned.correct();
            }
        }
    }
    Ok(())
}

impl Tuned {
    /// Looks for a parameter again whose mean on the corpus should be the wanted one, if there may be one.
    fn correct(&mut self) {
        let Some(tally) = &self.tally else { return };
        let (parameter, on_sample) = self.search.best_measured();
        let search = Search::new(on_sample * self.wanted / tally.mean(), parameter);
        if search.differs_from(&self.search) {
            (self.search, self.tally) = (search, None);
        }
    }
}

/// For every unit, what Chonkers comes to with the key in the middle, and the bytes of the corpus.
fn measure_chonkers(corpus: &Corpus) -> Result<Vec<(u32, Row, u64)>, Failure> {
    let new = |unit, key| Subject {
        cutting: Cutting::by_chonkers(chonkers(unit, key)),
        tally: Tally::of_contents(unit, corpus.versions()),
    };
    let mut subjects: Vec<_> = UNITS.iter().flat_map(|unit| (1..=KEYS).map(|key| new(*unit, key))).collect();
    pass(corpus, &mut subjects)?;
    let row = |(unit, keys): (u32, &mut [Subject])| {
        keys.sort_by(|a, b| a.tally.saved().total_cmp(&b.tally.saved()));
        let [least, middle, most] = [0, keys.len() / 2, keys.len() - 1].map(|nth| &keys[nth].tally);
        let saved_by_key = Some((least.saved(), most.saved()));
        (unit, Row { saved_by_key, ..row_of(CHONKERS, unit, middle) }, middle.bytes)
    };
    Ok(UNITS.into_iter().zip(subjects.chunks_mut(KEYS.into())).map(row).collect())
}

/// The mean lengths of Chonkers on the sample.
fn sample_of_chonkers(corpus: &Corpus) -> Result<[f64; 3], Failure> {
    let new =
        |unit| Subject { cutting: Cutting::by_chonkers(chonkers(unit, 1)), tally: Tally::of_lengths(unit) };
    let mut subjects = UNITS.map(new);
    corpus.sample(|batch| subjects.par_iter_mut().for_each(|subject| subject.take(batch)))?;
    Ok(subjects.map(|subject| subject.tally.mean()))
}

/// Measures the rivals' next parameters on the sample; returns whether there were any.
fn tune(corpus: &Corpus, tuned: &mut [Tuned]) -> Result<bool, Failure> {
    let next = |tuned: &Tuned| {
        let cutting = Cutting::by_windowed(tuned.rival.with(tuned.search.next()?));
        Some(Subject { cutting, tally: Tally::of_lengths(tuned.unit) })
    };
    let mut open: Vec<_> = tuned.iter_mut().filter_map(|tuned| Some((next(tuned)?, tuned))).collect();
    if open.is_empty() {
        return Ok(false);
    }
    corpus.sample(|batch| open.par_iter_mut().for_each(|(subject, _)| subject.take(batch)))?;
    open.into_iter().for_each(|(subject, tuned)| tuned.search.learn(subject.tally.mean()));
    Ok(true)
}

/// Has every chunker cut the whole corpus.
fn pass(corpus: &Corpus, subjects: &mut [Subject]) -> Result<(), Failure> {
    corpus.read(|batch| subjects.par_iter_mut().for_each(|subject| subject.take(batch)))
}

fn row_of(chunker: &str, parameter: u32, tally: &Tally) -> Row {
    Row {
        chunker: chunker.to_owned(),
        parameter,
        mean: tally.mean(),
        chunks: tally.chunks,
        saved: tally.saved(),
        new_bytes: tally.new_bytes.clone(),
        saved_by_key: None,
        lengths: tally.lengths.clone(),
    }
}

impl UnitResult {
    /// The row of a chunker.
    pub(crate) fn row(&self, chunker: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.chunker == chunker)
    }
}

fn print(result: &CorpusResult) {
    let CorpusResult { corpus, versions, files, bytes, units } = result;
    println!("\n#### {corpus} ({versions} versions, {files} files, {} MB)\n", bytes / 1_000_000);
    println!(
        "| unit | chunker | mean, bytes | chunks | saved % | of FastCDC's | new MB in each later version |"
    );
    println!("|---|---|---:|---:|---:|---:|---|");
    for unit in units {
        let fastcdc = unit.row(Rival::FastCdc.name()).map_or(f64::NAN, |row| row.saved);
        let wanted = unit.row(CHONKERS).map_or(f64::NAN, |row| row.mean);
        for row in &unit.rows {
            print_row(unit.unit, row, row.saved / fastcdc, (row.mean / wanted - 1.0).abs() > TOLERANCE);
        }
    }
}

fn print_row(unit: u32, row: &Row, ratio: f64, off: bool) {
    let keys = row.saved_by_key.map(|(a, b)| format!(" ({:.2}–{:.2})", 100.0 * a, 100.0 * b));
    let new: Vec<_> = row.new_bytes[1..].iter().map(|&bytes| format!("{:.1}", bytes as f64 / 1e6)).collect();
    println!(
        "| {} KiB | {} | {:.0}{} | {} | {:.2}{} | {ratio:.4} | {} |",
        unit >> 10,
        row.chunker,
        row.mean,
        if off { " †" } else { "" },
        row.chunks,
        100.0 * row.saved,
        keys.unwrap_or_default(),
        new.join(", ")
    );
}
