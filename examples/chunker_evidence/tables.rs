//! Tables in Markdown.

use crate::cutters::{CHONKERS, Rival};
use crate::locality::{Cases, Locality, SIZES};

/// What the chunkers are called, in the order of the tables.
pub(crate) fn chunkers() -> impl Iterator<Item = &'static str> {
    std::iter::once(CHONKERS).chain(Rival::ALL.map(Rival::name))
}

impl Locality {
    /// The cases for which `which` holds, together.
    pub(crate) fn sum(&self, which: impl Fn(&Cases) -> bool) -> Option<Cases> {
        let mut found = self.results.iter().filter(|cases| which(cases));
        let mut sum = found.next()?.clone();
        found.for_each(|cases| sum.merge(cases));
        Some(sum)
    }

    /// The kinds of content, in order.
    fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for cases in &self.results {
            if !kinds.contains(&cases.kind.as_str()) {
                kinds.push(&cases.kind);
            }
        }
        kinds
    }
}

pub(crate) fn print_locality(locality: &Locality) {
    print_chonkers(locality);
    print_all(locality);
    print_never(locality);
}

/// One-byte edits with Chonkers, a row a kind of content.
fn print_chonkers(locality: &Locality) {
    println!(
        "\nChonkers, edits of one byte; {} edits were made alone too and moved the same.\n",
        locality.checked
    );
    println!(
        "| content | edits | at most 7 | most | farthest | histogram from 0 |\n|---|---:|---:|---:|---:|---|"
    );
    let row = |name: &str, sum: &Cases| {
        let last = sum.histogram.iter().rposition(|count| *count > 0).unwrap_or(0);
        let histogram: Vec<_> = sum.histogram[..=last].iter().map(u64::to_string).collect();
        let (few, far) = (percent(sum.few()), sum.farthest as f64 / locality.unit as f64);
        println!("| {name} | {} | {few} | {} | {far:.1} A | {} |", sum.cases, sum.most, histogram.join(", "));
    };
    let of_chonkers = |cases: &Cases| cases.chunker == CHONKERS && cases.size == 1;
    for kind in locality.kinds() {
        if let Some(sum) = locality.sum(|cases| of_chonkers(cases) && cases.kind == kind) {
            row(kind, &sum);
        }
    }
    if let Some(sum) = locality.sum(of_chonkers) {
        row("all", &sum);
    }
}

/// All chunkers, a row a size of the edit.
fn print_all(locality: &Locality) {
    println!("\n| chunker | edit, bytes | edits | at most 7 | most, back in step | never in step again |");
    println!("|---|---:|---:|---:|---:|---:|");
    for chunker in chunkers() {
        for size in SIZES {
            if let Some(sum) = locality.sum(|cases| cases.chunker == chunker && cases.size == size) {
                let Cases { cases, most, never, .. } = sum;
                let never = percent(never as f64 / cases as f64);
                println!("| {chunker} | {size} | {cases} | {} | {most} | {never} |", percent(sum.few()));
            }
        }
    }
}

/// The share of edits of all sizes that never regain step, a row a kind of content.
fn print_never(locality: &Locality) {
    let names: Vec<_> = chunkers().collect();
    println!(
        "\n| content: never in step again | {} |\n|---|{}",
        names.join(" | "),
        "---:|".repeat(names.len())
    );
    for kind in locality.kinds() {
        let share = |chunker: &&str| {
            let sum = locality.sum(|cases| cases.chunker == *chunker && cases.kind == kind);
            sum.map_or_else(String::new, |sum| percent(sum.never as f64 / sum.cases as f64))
        };
        println!("| {kind} | {} |", names.iter().map(share).collect::<Vec<_>>().join(" | "));
    }
}

/// Per cent, with as many digits as it takes to tell them from none and from all.
fn percent(share: f64) -> String {
    match 100.0 * share {
        0.0 => "0 %".to_owned(),
        100.0 => "100 %".to_owned(),
        share if share > 99.9 => format!("{share:.5} %"),
        share => format!("{share:.2} %"),
    }
}
