//! Memory and time by the number of chunks.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use warp::observe::Silent;
use warp::ops::{self, CheckRequest};
use warp::repo::Repository;
use warp::store::{LocalStore, OsVfs};
use warp::testing::many_chunks;

use crate::common::{Bench, client, password};
use crate::oracle::ALL;

/// Most bytes that this process had in memory since it was last asked.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    fs::write("/proc/self/clear_refs", "5").unwrap();
    kib << 10
}

#[test]
#[ignore = "takes minutes and gigabytes of disk: run it in release, with --run-ignored only --no-capture"]
fn ten_million_chunks_are_checked_within_500_mb() {
    for chunks in [100_000, 1_000_000, 10_000_000] {
        let bench = Bench::new();
        many_chunks(&bench.repo, chunks as u64, 1).unwrap();
        let open = || {
            let store = LocalStore::open(bench.path("repo"), Arc::new(OsVfs::new())).unwrap();
            Repository::open(Arc::new(store), &password(), client(&bench.path("other"))).unwrap()
        };
        for (name, request) in [("structure", CheckRequest::default()), ("read-data", ALL)] {
            let repo = open();
            peak();
            let began = Instant::now();
            let report = ops::check(&repo, request, &Silent).unwrap();
            let (took, peak) = (began.elapsed(), peak());
            println!("{chunks} chunks, {name}: {took:.1?}, peak {} MB", peak / 1_000_000);
            assert!(report.is_clean(), "{:?}", report.findings);
            assert!(report.counts.objects as usize > chunks);
            assert!(peak < 500_000_000, "{peak} bytes");
        }
    }
}
