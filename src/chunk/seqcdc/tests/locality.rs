//! What an edit costs.

use std::collections::HashSet;

use super::*;

/// The share of the bytes of `new` whose chunks are not among those of `old`.
fn new_share(chunker: &SeqCdc, old: &[u8], new: &[u8]) -> f64 {
    let content = |data: &'static [u8]| {
        let range = |chunk: &Chunk| chunk.offset as usize..chunk.offset as usize + chunk.len as usize;
        chunker.cut(data).into_iter().map(move |chunk| &data[range(&chunk)])
    };
    let (old, new) = (old.to_vec().leak(), new.to_vec().leak());
    let known: HashSet<_> = content(old).collect();
    let fresh: usize = content(new).filter(|bytes| !known.contains(bytes)).map(<[u8]>::len).sum();
    fresh as f64 / new.len() as f64
}

#[test]
fn data_that_hardly_rises_is_cut_by_content_where_the_published_chunker_is_not() {
    for (name, data) in samples(2 << 20) {
        if !["dna", "0/255", "five symbols", "small u32"].contains(&name) {
            continue;
        }
        let inserted = [&data[..1000], b"!", &data[1000..]].concat();
        let published = SeqCdc::published(SeqCdcParams::published_16k());
        let max = published.max_len();
        assert!(published.cut(&data).iter().rev().skip(1).all(|chunk| chunk.len as usize == max), "{name}");
        assert!(new_share(&published, &data, &inserted) > 0.99, "{name}: the premise");

        let share = new_share(&SeqCdc::new(SeqCdcConfig::default(), &KEY), &data, &inserted);
        assert!(share < 0.1, "{name}: {share} of the bytes are new");
    }
}

#[test]
fn an_insertion_costs_a_few_chunks() {
    let config = SeqCdcConfig::fine();
    let chunker = SeqCdc::new(config, &KEY);
    let mut rng = Rng::new(17);
    let data = samples(4 << 20).into_iter().find(|(name, _)| *name == "random").expect("there is one").1;
    for _ in 0..10 {
        let at = rng.below(data.len());
        let inserted = [&data[..at], b"some bytes", &data[at..]].concat();
        let share = new_share(&chunker, &data, &inserted);
        assert!(share < 16.0 * f64::from(config.mean()) / data.len() as f64, "{share} at {at}");
    }
}
