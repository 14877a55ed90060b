//! How fast content is cut: both chunkers on every instruction set of this machine, beside other crates at the same
//! measured mean, and beside what memory allows.
//!
//! `cargo bench --features testing --bench chunkers -- 'random/16K'` runs a part. Every group prints the mean lengths that
//! its subjects come to. `kinds/…` cuts 16 MiB of one kind of data, `cached/…` 1 MiB of it, which the second-level cache
//! holds; `sets/…` cuts random data that stays in the second-level cache (1 MiB), in the third (16 MiB), or in neither
//! (512 MiB). A file that `WARP_BENCH_FILE` names is a kind more: its first 16 MiB.

use std::ffi::OsString;
use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::time::Duration;
use std::{env, fs, iter};

use criterion::{BenchmarkId, Criterion, Throughput};
use mincdc::{MinCdcHash4, SliceChunker};
use warp::chonkers::{Chonkers, ChonkersConfig};
use warp::chunk::seqcdc::{SeqCdc, SeqCdcConfig, SeqCdcParams};
use warp::isa::Isa;
use warp::testing::Rng;

const KEY: [u8; 32] = [7; 32];
/// Bytes of each kind of data.
const KIND_LEN: usize = 16 << 20;
/// Bytes that stay in the second-level cache.
const CACHED_LEN: usize = 1 << 20;
const MEANS: [u32; 3] = [8 << 10, 16 << 10, 64 << 10];

/// Counts the chunks of some bytes.
type Cut = Box<dyn Fn(&[u8]) -> usize>;

/// What is measured, by its name. Made where it is selected: to fit another crate to a mean takes a while.
type Subject<'a> = (String, Box<dyn FnOnce() -> Cut + 'a>);

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args();
    for (kind, data) in kinds() {
        measure_means(&mut criterion, &format!("kinds/{kind}"), &data);
        measure_means(&mut criterion, &format!("cached/{kind}"), &data[..CACHED_LEN.min(data.len())]);
    }
    let data = Rng::new(9).bytes(512 << 20);
    for mebibytes in [1, 16, 512] {
        let (name, data) = (format!("sets/{mebibytes} MiB"), &data[..mebibytes << 20]);
        ceilings(&mut criterion, &name, data);
        measure(&mut criterion, &name, data, own(16 << 10).chain(mincdcs(16 << 10, data)));
    }
    criterion.final_summary();
}

/// Measures every subject at every mean.
fn measure_means(criterion: &mut Criterion, name: &str, data: &[u8]) {
    ceilings(criterion, name, data);
    for mean in MEANS {
        let subjects = own(mean).chain(others(mean, data));
        measure(criterion, &format!("{name}/{}K", mean >> 10), data, subjects);
    }
}

/// Measures the subjects on the data, with their mean lengths.
fn measure<'a>(
    criterion: &mut Criterion,
    name: &str,
    data: &[u8],
    subjects: impl Iterator<Item = Subject<'a>>,
) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(data.len() as u64));
    for (subject, make) in subjects {
        let (mut make, mut cut, mut mean) = (Some(make), None, None);
        group.bench_function(BenchmarkId::from_parameter(&subject), |bencher| {
            let cut = cut.get_or_insert_with(|| make.take().expect("it is made once")());
            mean = Some(data.len() / cut(data));
            bencher.iter(|| cut(black_box(data)));
        });
        if let Some(mean) = mean {
            println!("{name}/{subject}: chunks of {mean} bytes\n");
        }
    }
    group.finish();
}

/// A copy and a sum, which no chunker that looks at every byte can beat.
fn ceilings(criterion: &mut Criterion, name: &str, data: &[u8]) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(data.len() as u64));
    let mut copy = vec![0; data.len()];
    group.bench_function("memcpy", |bencher| bencher.iter(|| copy.copy_from_slice(black_box(data))));
    group.bench_function("sum", |bencher| {
        bencher.iter(|| black_box(data).iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
    });
    group.finish();
}

/// This library's chunkers, for about this mean.
fn own<'a>(mean: u32) -> impl Iterator<Item = Subject<'a>> {
    let seqcdc = SeqCdc::new(SeqCdcConfig::with_mean(mean).expect("a valid mean"), &KEY);
    let published = match mean >> 10 {
        8 => Some(SeqCdcParams::published_8k()),
        16 => Some(SeqCdcParams::published_16k()),
        _ => None,
    };
    let published = published.map(|params| ("published", SeqCdc::published(params)));
    let by_isa = |(name, chunker): (&'static str, SeqCdc)| {
        let available = Isa::ALL.into_iter().filter_map(move |isa| Some((isa, chunker.with_isa(isa).ok()?)));
        available.map(move |(isa, chunker)| subject(format!("{name} {isa}"), move || count_seqcdc(chunker)))
    };
    let chonkers = Chonkers::new(ChonkersConfig::with_unit(mean).expect("a valid unit"), &KEY);
    let available = Isa::ALL.into_iter().filter_map(move |isa| Some((isa, chonkers.clone().on(isa).ok()?)));
    let chonkers = available.map(|(isa, chunker)| {
        subject(format!("chonkers {isa}"), move || Box::new(move |data: &[u8]| chunker.cut(data).len()))
    });
    iter::once(("seqcdc", seqcdc)).chain(published).flat_map(by_isa).chain(chonkers)
}

fn subject<'a>(name: impl Into<String>, make: impl FnOnce() -> Cut + 'a) -> Subject<'a> {
    (name.into(), Box::new(make))
}

fn count_seqcdc(chunker: SeqCdc) -> Cut {
    Box::new(move |data| {
        let next = |left: &mut &[u8]| (!left.is_empty()).then(|| chunker.next_len(left));
        let mut left = data;
        iter::from_fn(|| next(&mut left).map(|len| left = &left[len..])).count()
    })
}

/// Other crates, with the mean that `seqcdc` comes to on this data.
fn others(mean: u32, data: &[u8]) -> impl Iterator<Item = Subject<'_>> {
    let fastcdc = |avg: usize| -> Cut {
        Box::new(move |data| fastcdc::v2020::FastCDC::new(data, avg / 4, avg, avg * 8).count())
    };
    let gearhash = |mean: usize| -> Cut {
        Box::new(move |mut data| {
            let mask = u64::MAX << (64 - mean.ilog2());
            let mut hasher = gearhash::Hasher::default();
            let next = || hasher.next_match(data, mask).map(|at| data = &data[at..]);
            1 + iter::from_fn(next).count()
        })
    };
    let fastcdc = subject("fastcdc", move || fastcdc(fitted(mean, data, fastcdc)));
    mincdcs(mean, data).chain([fastcdc, subject("gearhash", move || gearhash(mean as usize))])
}

/// The crate `mincdc` with lengths from half to one and a half of the mean, and from five to eleven eighths as `seqcdc`.
fn mincdcs(mean: u32, data: &[u8]) -> impl Iterator<Item = Subject<'_>> {
    [(4, 12), (5, 11)].into_iter().map(move |(min, max)| {
        let make = move |mean: usize| -> Cut {
            let (min, max) = (mean * min / 8, mean * max / 8);
            Box::new(move |data| SliceChunker::new(data, min, max, MinCdcHash4::new()).count())
        };
        subject(format!("mincdc {min}..{max}"), move || make(fitted(mean, data, make)))
    })
}

/// The parameter with which a chunker comes to the mean that `seqcdc` comes to on this data.
fn fitted(mean: u32, data: &[u8], make: impl Fn(usize) -> Cut) -> usize {
    let data = &data[..data.len().min(KIND_LEN)];
    let seqcdc = count_seqcdc(SeqCdc::new(SeqCdcConfig::with_mean(mean).expect("a valid mean"), &KEY));
    let wanted = seqcdc(data) as f64;
    let mut parameter = f64::from(mean);
    for _ in 0..4 {
        parameter = (parameter * make(parameter as usize)(data) as f64 / wanted).clamp(1024.0, 1e6);
    }
    parameter as usize
}

/// Data of the kinds that matter.
fn kinds() -> Vec<(&'static str, Vec<u8>)> {
    let mut rng = Rng::new(1);
    let period = rng.bytes(1000);
    let mut kinds = vec![
        ("random", rng.bytes(KIND_LEN)),
        ("text", rng.text(KIND_LEN)),
        ("zero", vec![0; KIND_LEN]),
        ("periodic", period.iter().copied().cycle().take(KIND_LEN).collect()),
        ("vm image", vm_image(&mut rng)),
        ("dna", (0..KIND_LEN).map(|_| *rng.pick(b"ACGT")).collect()),
        ("samples", samples(&mut rng)),
    ];
    match programs() {
        Some(programs) => kinds.push(("programs", programs)),
        None => println!("not run: programs (there are none in /usr/bin)"),
    }
    match env::var_os("WARP_BENCH_FILE").map(read_start) {
        Some(bytes) => kinds.push(("file", bytes)),
        None => println!("not run: file (WARP_BENCH_FILE names none)"),
    }
    kinds
}

/// The first bytes of a file.
fn read_start(path: OsString) -> Vec<u8> {
    let (mut bytes, name) = (Vec::new(), path.display());
    let file = File::open(&path).unwrap_or_else(|error| panic!("WARP_BENCH_FILE, {name}: {error}"));
    file.take(KIND_LEN as u64).read_to_end(&mut bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!bytes.is_empty(), "WARP_BENCH_FILE, {name}, is empty");
    bytes
}

/// The programs of this machine, one behind the other.
fn programs() -> Option<Vec<u8>> {
    let mut paths: Vec<_> =
        fs::read_dir("/usr/bin").ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut bytes = Vec::new();
    for path in paths.into_iter().filter(|path| path.is_file()) {
        bytes.extend(fs::read(path).unwrap_or_default());
        if bytes.len() >= KIND_LEN {
            bytes.truncate(KIND_LEN);
            return Some(bytes);
        }
    }
    None
}

/// Pages of 4 KiB as a disk has them: empty, seen before, tables of numbers, text, and compressed.
fn vm_image(rng: &mut Rng) -> Vec<u8> {
    let mut image: Vec<u8> = Vec::with_capacity(KIND_LEN);
    while image.len() < KIND_LEN {
        let pages = 1 + rng.below(16);
        match rng.below(5) {
            0 => image.resize(image.len() + (pages << 12), 0),
            1 if image.len() > 1 << 20 => {
                let at = rng.below(image.len() >> 13) << 12;
                image.extend_from_within(at..at + (pages << 12).min(image.len() - at));
            }
            2 => image.extend((0..(pages as u32) << 10).flat_map(|i| (i * 8 + 0x0040_0000).to_le_bytes())),
            3 => image.extend(rng.text(pages << 12)),
            _ => image.extend(rng.bytes(pages << 12)),
        }
    }
    image.truncate(KIND_LEN);
    image
}

/// A wave in samples of 16 bits, with noise.
fn samples(rng: &mut Rng) -> Vec<u8> {
    let wave = |i: usize| ((i as f64 * 0.05).sin() * 8000.0) as i16;
    (0..KIND_LEN / 2).flat_map(|i| (wave(i) + rng.below(64) as i16).to_le_bytes()).collect()
}
