//! Measurements, to be run by hand: `cargo test --release --lib chonkers::measure -- --ignored --nocapture`.

use super::tests::{Edit, Random, boundaries};
use super::*;

const LEN: usize = 64 << 20;

/// Words of a made-up language, frequent ones more often.
fn text(len: usize) -> Vec<u8> {
    let mut random = Random(2);
    let words: Vec<Vec<u8>> = (0..5000)
        .map(|_| {
            let len = 2 + random.below(8) as usize;
            (0..len).map(|_| b'a' + random.below(26) as u8).collect()
        })
        .collect();
    let mut text = Vec::new();
    while text.len() < len {
        let rank = random.below(5001) * random.below(5001) / 5001;
        text.extend_from_slice(&words[rank as usize % words.len()]);
        text.push(if random.below(12) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(len);
    text
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random(1);
    let by = |f: &mut dyn FnMut(usize) -> u8| (0..LEN).map(f).collect::<Vec<u8>>();
    vec![
        ("random", random.bytes(LEN)),
        ("text", text(LEN)),
        ("zeros", vec![0; LEN]),
        ("period 2", by(&mut |i| b"ab"[i % 2])),
        ("period 3", by(&mut |i| b"abc"[i % 3])),
        ("period 7", by(&mut |i| b"abcdefg"[i % 7])),
        ("period 60", by(&mut |i| (i % 60) as u8)),
        ("ramp", by(&mut |i| i as u8)),
        ("counter", by(&mut |i| ((i / 4) >> (8 * (i % 4))) as u8)),
        ("slow ramp", by(&mut |i| (i / 300) as u8)),
        ("0/255", by(&mut |_| if random.below(2) == 0 { 0 } else { 255 })),
        ("dna", by(&mut |_| b"ACGT"[random.below(4) as usize])),
        ("small u32", by(&mut |i| if i % 4 == 0 { random.below(16) as u8 } else { 0 })),
        ("sparse", by(&mut |_| u8::from(random.below(300) == 0))),
        ("very sparse", by(&mut |_| u8::from(random.below(5000) == 0))),
    ]
}

/// Seconds that this thread has run on a processor.
fn processor_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells a thread's times");
    stat.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("a number first") / 1e9
}

#[test]
#[ignore = "a measurement"]
fn speed_and_sizes() {
    let chunker = Chonkers::new(ChonkersConfig::default(), &[7; 32]);
    for (name, data) in samples() {
        let mut best = f64::MAX;
        let mut chunks = Vec::new();
        for _ in 0..3 {
            let start = processor_time();
            chunks = chunker.cut(&data);
            best = best.min(processor_time() - start);
        }
        let mut sizes: Vec<u64> = chunks.iter().map(Chunk::total_len).collect();
        sizes.sort_unstable();
        let at = |share: f64| sizes[(share * (sizes.len() - 1) as f64) as usize];
        println!(
            "{name:12} {:6.3} GB/s  {:6} chunks, p1 {:6} mean {:8} p99 {:8}",
            data.len() as f64 / best / 1e9,
            sizes.len(),
            at(0.01),
            data.len() / sizes.len(),
            at(0.99)
        );
    }
}

/// One-byte edits of each kind of content.
const EDITS: usize = 20_000;

#[test]
#[ignore = "a measurement"]
fn boundaries_moved_by_one_byte() {
    let chunker = Chonkers::new(ChonkersConfig::with_unit(4096).expect("a valid unit"), &[7; 32]);
    for (name, data) in samples() {
        let mut random = Random(8);
        let mut histogram = [0_usize; 200];
        let (mut farthest, mut done) = (0, 0);
        while done < EDITS {
            let start = random.below((LEN - 65_536) as u64) as usize;
            let data = &data[start..start + 65_536];
            let before = boundaries(&chunker, data);
            for _ in 0..100 {
                let edit = Edit::of_one_byte(data.len(), &mut random);
                let (moved, far) = edit.moved(&before, &boundaries(&chunker, &edit.apply(data)));
                histogram[moved] += 1;
                farthest = farthest.max(far);
                done += 1;
            }
        }
        let few: usize = histogram[..8].iter().sum();
        let most = histogram.iter().rposition(|&count| count > 0).unwrap_or(0);
        println!(
            "{name:12} {done} edits: at most 7 in {:.4} %, most {most}, farthest {:.1} A; {:?}",
            100.0 * few as f64 / done as f64,
            farthest as f64 / 4096.0,
            &histogram[..=most]
        );
    }
}
