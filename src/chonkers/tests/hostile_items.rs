//! The layers keep their guarantees over items that are made to break them: chains of falling weights, neighbours whose
//! differences force the most orders, values that collide.

use super::super::fine::UNIT_FIRST;
use super::super::layer::{Layers, Stage};
use super::super::reference::{self, Piece, Whole};
use super::super::segments::REACH_UNITS;
use super::super::*;
use super::Random;
use super::adversary::{ITEM_ATTACKS, items, seeds};
use super::locality::{Edit, MOVED};
use super::oracle::places;

/// What the layers make of symbols: start, bytes of a unit, repeat.
fn arranged(symbols: &[Vec<u8>], unit: u64, longest: usize, keys: &Keys) -> Vec<(u64, u64, u64)> {
    let data = symbols.concat();
    let mut layers = Layers::with_longest(UNIT_FIRST, unit, longest);
    let (mut out, mut pos) = (Vec::new(), 0);
    let mut sink = |item: &item::Item| out.push((item.pos, item.unit, item.repeat));
    for symbol in symbols {
        layers.push(&keys.hasher.leaf(pos, symbol), &keys.hasher, &Whole(&data), &mut sink);
        pos += symbol.len() as u64;
    }
    layers.finish(&keys.hasher, &Whole(&data), &mut sink);
    out
}

/// Tries a check with every attack and seed, and with values that collide always, mostly and never.
fn with_every_attack(unit: u64, seeds: std::ops::Range<u64>, check: impl Fn(&[Vec<u8>], &Keys, u64, &str)) {
    for value_mask in [u64::MAX, 1, 0] {
        let mut keys = Keys::new(&[11; 32]);
        keys.hasher.value_mask = value_mask;
        for attack in ITEM_ATTACKS {
            for seed in seeds.clone() {
                let what = format!("{attack}, unit {unit}, seed {seed}, mask {value_mask:x}");
                check(&items(attack, unit, &keys, seed), &keys, seed, &what);
            }
        }
    }
}

#[test]
fn hostile_items_are_arranged_as_the_reference_arranges_them() {
    for unit in [8, 64, 256] {
        with_every_attack(unit, seeds(2, 60), |symbols, keys, _, what| {
            let piece = |symbol: &Vec<u8>| Piece { symbols: vec![symbol.clone()], repeat: 1 };
            let pieces = symbols.iter().map(piece).collect();
            let expected = places(&reference::layers(pieces, 2, unit as usize, &keys.hasher));
            assert!(arranged(symbols, unit, 256, keys) == expected, "{what}");
        });
    }
}

#[test]
fn chunks_of_hostile_items_keep_the_bounds_of_weight() {
    for unit in [16, 128, 1024] {
        with_every_attack(unit, seeds(4, 300), |symbols, keys, _, what| {
            let chunks = arranged(symbols, unit, 256, keys);
            let weight = |&(_, len, repeat): &(u64, u64, u64)| len * repeat;
            assert!(chunks.iter().all(|&(_, len, repeat)| len <= unit || repeat > 1), "{what}");
            for pair in chunks.windows(2) {
                let (a, b) = (weight(&pair[0]), weight(&pair[1]));
                assert!(a.max(b) * 2 >= unit && (a + b) * 4 >= unit * 3, "{what}: {pair:?}");
            }
        });
    }
}

#[test]
fn chains_of_hostile_items_settled_piece_by_piece_settle_the_same() {
    with_every_attack(128, seeds(4, 300), |symbols, keys, _, what| {
        let long = [symbols; 4].concat();
        assert!(arranged(&long, 128, 65, keys) == arranged(&long, 128, usize::MAX, keys), "{what}");
    });
}

#[test]
fn another_hostile_item_moves_only_boundaries_within_reach() {
    let unit = 64;
    with_every_attack(unit, seeds(1, 200), |symbols, keys, seed, what| {
        let ends = |symbols: &[Vec<u8>]| -> Vec<u64> {
            let chunks = arranged(symbols, unit, 256, keys);
            chunks.iter().map(|(start, len, repeat)| start + len * repeat).collect()
        };
        // Long enough that it does not all lie within reach.
        let mut random = Random(seed ^ 0x17e);
        let others = (0..40).flat_map(|turn| items(ITEM_ATTACKS[turn % 9], unit, keys, seed + turn as u64));
        let mut symbols: Vec<Vec<u8>> = symbols.iter().cloned().chain(others.take(1500)).collect();
        let before = ends(&symbols);
        for _ in 0..8 {
            let index = random.below(symbols.len() as u64) as usize;
            let len = random.within(1, unit / 2) as usize;
            let old = symbols[index].clone();
            let edit = Edit {
                at: symbols[..index].iter().map(Vec::len).sum(),
                removed: old.len(),
                added: random.bytes(len),
            };
            symbols[index].clone_from(&edit.added);
            let (moved, far) = edit.moved(&before, &ends(&symbols));
            symbols[index] = old;
            assert!(moved <= MOVED, "{what}, item {index}: {moved} boundaries moved");
            assert!(far <= REACH_UNITS * unit + unit, "{what}, item {index}: moved {far} bytes away");
        }
    });
}
