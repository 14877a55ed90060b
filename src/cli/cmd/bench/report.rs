//! Results as a table and as JSON.

use std::fs;

use serde::Serialize;
use warp::isa::Isa;

use super::Group;
use super::data::Kind;
use super::rounds::Speed;
use crate::cli::error::CliError;
use crate::cli::escape;
use crate::cli::size;
use crate::cli::ui::{Paint, Ui};

/// Version of the JSON document: greater where a field changes its meaning or goes.
const VERSION: u32 = 1;

/// What a speed counts in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    #[serde(rename = "bytes/s")]
    Bytes,
    #[serde(rename = "derivations/s")]
    Derivations,
    #[serde(rename = "files/s")]
    Files,
}

/// One thing that was measured.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) group: Group,
    pub(super) name: String,
    pub(super) data: Option<Kind>,
    pub(super) unit: Unit,
    /// Bytes before compression to bytes after it.
    pub(super) ratio: Option<f64>,
    /// The speed on so many threads, fewest first.
    pub(super) speeds: Vec<(usize, Speed)>,
}

impl Line {
    pub(super) fn on_disk(name: &str, unit: Unit, speed: Speed) -> Self {
        let (data, ratio) = (None, None);
        Self { group: Group::Disk, name: name.to_owned(), data, unit, ratio, speeds: vec![(1, speed)] }
    }
}

/// What was not measured, and why.
#[derive(Serialize)]
pub(super) struct Missing {
    pub(super) name: &'static str,
    pub(super) reason: &'static str,
}

/// All that was found out.
pub(super) struct Report {
    /// Threads that were measured with, fewest first.
    pub(super) threads: Vec<usize>,
    pub(super) cores: usize,
    /// Bytes of each input.
    pub(super) size: u64,
    pub(super) lines: Vec<Line>,
    pub(super) missing: Vec<Missing>,
}

#[derive(Serialize)]
struct Document<'a> {
    message_type: &'static str,
    version: u32,
    program_version: &'static str,
    processor: String,
    isa: String,
    cores: usize,
    size: u64,
    results: Vec<Row<'a>>,
    not_measured: &'a [Missing],
}

/// A speed on a number of threads.
#[derive(Serialize)]
struct Row<'a> {
    group: &'static str,
    name: &'a str,
    data: Option<&'static str>,
    ratio: Option<f64>,
    threads: usize,
    unit: Unit,
    best: f64,
    median: f64,
    rounds: usize,
}

impl Report {
    pub(super) fn print(&self, ui: &mut Ui) -> Result<(), CliError> {
        if ui.is_json() {
            return Ok(ui.json(&self.document())?);
        }
        self.header(ui)?;
        self.titles(ui)?;
        for line in &self.lines {
            self.line(ui, line)?;
        }
        for missing in &self.missing {
            writeln!(ui.out(), "{}: not measured ({})", missing.name, missing.reason)?;
        }
        Ok(())
    }

    fn document(&self) -> Document<'_> {
        let rows = |line| Line::rows(line);
        Document {
            message_type: "bench",
            version: VERSION,
            program_version: env!("CARGO_PKG_VERSION"),
            processor: processor(),
            isa: Isa::current().to_string(),
            cores: self.cores,
            size: self.size,
            results: self.lines.iter().flat_map(rows).collect(),
            not_measured: &self.missing,
        }
    }

    fn header(&self, ui: &mut Ui) -> Result<(), CliError> {
        if ui.is_quiet() {
            return Ok(());
        }
        let (version, isa) = (env!("CARGO_PKG_VERSION"), Isa::current());
        let processor = escape::line(&processor());
        let cores = size::count(self.cores as u64, "core", "cores");
        writeln!(ui.out(), "warp {version}, {processor}, {cores}, {isa}\n")?;
        Ok(())
    }

    fn titles(&self, ui: &mut Ui) -> Result<(), CliError> {
        let over = self.threads.iter().map(|threads| match threads {
            1 => "one thread".to_owned(),
            threads => format!("{threads} threads"),
        });
        let over: String = over.map(|title| format!("  {title:>22}")).collect();
        let under = format!("  {:>10}  {:>10}", "best", "median").repeat(self.threads.len());
        let names = format!("{:<8} {:<32} {:<6} {:>5}", "", "", "data", "ratio");
        writeln!(ui.out(), "{:54}{over}", "")?;
        let titles = format!("{names}{under}");
        let titles = ui.paint(Paint::Bold, &titles).into_owned();
        writeln!(ui.out(), "{titles}")?;
        Ok(())
    }

    fn line(&self, ui: &mut Ui, line: &Line) -> Result<(), CliError> {
        let ratio = line.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let data = line.data.map_or("", Kind::name);
        write!(ui.out(), "{:<8} {:<32} {data:<6} {ratio:>5}", line.group.name(), line.name)?;
        for (_, speed) in &line.speeds {
            let (best, median) = (shown(speed.best, line.unit), shown(speed.median, line.unit));
            write!(ui.out(), "  {best:>10}  {median:>10}")?;
        }
        writeln!(ui.out())?;
        Ok(())
    }
}

impl Line {
    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.speeds.iter().map(|(threads, speed)| Row {
            group: self.group.name(),
            name: &self.name,
            data: self.data.map(Kind::name),
            ratio: self.ratio,
            threads: *threads,
            unit: self.unit,
            best: speed.best,
            median: speed.median,
            rounds: speed.rounds,
        })
    }
}

/// A speed with three digits.
fn shown(speed: f64, unit: Unit) -> String {
    let (scaled, suffix) = match unit {
        Unit::Bytes if speed >= 1e9 => (speed / 1e9, "GB/s"),
        Unit::Bytes if speed >= 1e6 => (speed / 1e6, "MB/s"),
        Unit::Bytes => (speed / 1e3, "kB/s"),
        Unit::Derivations | Unit::Files => (speed, "/s"),
    };
    let digits = if scaled < 9.995 { 2 } else { usize::from(scaled < 99.95) };
    format!("{scaled:.digits$} {suffix}")
}

/// What the system calls the processor; where it does not say, the architecture.
fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_shown_with_three_digits() {
        let cases = [
            (12_345_678_900.0, Unit::Bytes, "12.3 GB/s"),
            (999_400_000.0, Unit::Bytes, "999 MB/s"),
            (9_994_000.0, Unit::Bytes, "9.99 MB/s"),
            (1_234.0, Unit::Bytes, "1.23 kB/s"),
            (5.1, Unit::Derivations, "5.10 /s"),
            (54_321.0, Unit::Files, "54321 /s"),
        ];
        for (speed, unit, expected) in cases {
            assert_eq!(shown(speed, unit), expected);
        }
    }
}
