//! How fast parity is made and lost shards are healed: the presets and the code of a full pack, from 1 KiB to 16 MiB.
//!
//! `cargo bench --features testing --bench erasure -- 'encode/10\+4'` runs a part. `encode/…` makes parity for some data;
//! `decode/…` brings them back with nothing missing (the fast path, which only copies), and with one up to as many data or
//! parity shards missing as there is parity. Throughput counts bytes of data.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use warp::erasure::{ErasureConfig, ErasureDecoder, ErasureEncoder};
use warp::testing::Rng;

/// Bytes of data.
const LENS: [usize; 5] = [1 << 10, 16 << 10, 256 << 10, 1 << 20, 16 << 20];

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    let pack = ErasureConfig::new(256, 10).expect("a code within limits");
    for config in ErasureConfig::PRESETS.into_iter().chain([pack]) {
        for len in LENS {
            let data = Rng::new(1).bytes(len);
            encode(&mut criterion, config, &data);
            decode(&mut criterion, config, &data);
        }
    }
    criterion.final_summary();
}

fn encode(criterion: &mut Criterion, config: ErasureConfig, data: &[u8]) {
    let mut group = criterion.benchmark_group(format!("encode/{config}"));
    group.throughput(Throughput::Bytes(data.len() as u64));
    let mut encoder = ErasureEncoder::new(config);
    let shard_len = config.shard_len(data.len());
    group.bench_function(BenchmarkId::from_parameter(size(data.len())), |bencher| {
        bencher.iter(|| encoder.parity(&[black_box(data)], shard_len).expect("the code fits"));
    });
    group.finish();
}

/// Measures with each number of missing shards: data first, then parity.
fn decode(criterion: &mut Criterion, config: ErasureConfig, data: &[u8]) {
    let mut group = criterion.benchmark_group(format!("decode/{config}/{}", size(data.len())));
    group.throughput(Throughput::Bytes(data.len() as u64));
    let shards = ErasureEncoder::new(config).encode(data).expect("the code fits");
    let shard_len = config.shard_len(data.len());
    let whole: Vec<u8> = shards.into_iter().flat_map(|shard| shard.bytes).collect();
    let mut decoder = ErasureDecoder::new(config);
    for (kind, first) in [("data", 0), ("parity", config.data())] {
        for missing in missing(config, kind) {
            let mut present = vec![true; config.shards()];
            present[first..first + missing].fill(false);
            let mut shards = whole.clone();
            group.bench_function(format!("{missing} of {kind} missing"), |bencher| {
                bencher.iter(|| {
                    decoder.restore(black_box(&mut shards), &present, shard_len).expect("enough shards")
                });
            });
            assert!(shards == whole, "{config}: what was healed differs");
        }
    }
    group.finish();
}

/// How many shards are missing, one after the other: none once, then up to all that may be.
fn missing(config: ErasureConfig, kind: &str) -> Vec<usize> {
    let none = usize::from(kind != "data");
    match config.parity() {
        few @ ..=4 => (none..=few).collect(),
        many => [0, 1, many / 2, many].into_iter().skip(none).collect(),
    }
}

fn size(len: usize) -> String {
    if len < 1 << 20 { format!("{} KiB", len >> 10) } else { format!("{} MiB", len >> 20) }
}
