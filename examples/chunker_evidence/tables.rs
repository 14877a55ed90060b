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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::Operation;

    #[test]
    fn a_share_that_is_nearly_all_is_not_shown_as_all() {
        let cases = [
            (0.0, "0 %"),
            (1.0, "100 %"),
            (0.5, "50.00 %"),
            (0.00123, "0.12 %"),
            (1.0 - 1e-6, "99.99990 %"),
            (1.0 - 5e-7, "99.99995 %"),
        ];
        for (share, shown) in cases {
            assert_eq!(percent(share), shown);
        }
    }

    #[test]
    fn sums_are_of_the_cases_that_are_asked_for() {
        let case = |chunker: &str, size, moved: &[u64], most, farthest, never| Cases {
            chunker: chunker.to_owned(),
            kind: "text".to_owned(),
            size,
            operation: Operation::Insert,
            cases: moved.iter().sum::<u64>() + never,
            histogram: moved.to_vec(),
            most,
            farthest,
            never,
        };
        let results = vec![
            case("a", 1, &[5, 0, 0, 0, 0, 0, 0, 1, 0, 0], 7, 70, 0),
            case("b", 1, &[9; 10], 9, 10, 7),
            case("a", 16, &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0], 8, 30, 2),
            case("a", 1, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 9, 20, 1),
        ];
        let locality = Locality { unit: 4096, checked: 0, results };
        let one_byte = locality.sum(|cases| cases.chunker == "a" && cases.size == 1).unwrap();
        assert_eq!((one_byte.cases, one_byte.most, one_byte.farthest, one_byte.never), (8, 9, 70, 1));
        assert_eq!(one_byte.histogram, [5, 0, 0, 0, 0, 0, 0, 1, 0, 1]);
        assert_eq!(one_byte.few(), 0.75);
        assert!(locality.sum(|cases| cases.chunker == "c").is_none());
        assert_eq!(locality.kinds(), ["text"]);
    }
}
