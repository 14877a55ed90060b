//! Groups of items that have a weight and a hash.

use super::super::*;
use super::Random;

#[test]
fn groups_of_items_are_the_released_ones() {
    let mut random = Random(3);
    let items: Vec<(u64, u64)> =
        (0..4000).map(|i| (20 + random.below(300), (i / 900_u64).wrapping_mul(random.next()))).collect();
    let ends: Vec<u8> = cut_items(&items, 8192).iter().flat_map(|end| (*end as u64).to_le_bytes()).collect();
    assert_eq!(
        blake3::hash(&ends).to_hex().as_str(),
        "1a272a872c0ada3d84edafad4f22ce486f44173cb799982ef04750ecf3a7f306"
    );
}

/// What a group holds: the weights and hashes of its items.
fn groups(items: &[(u64, u64)], unit: u64) -> Vec<Vec<(u64, u64)>> {
    let mut start = 0;
    let mut group = |end: usize| items[std::mem::replace(&mut start, end)..end].to_vec();
    cut_items(items, unit).into_iter().map(&mut group).collect()
}

#[test]
fn a_new_item_changes_few_groups_of_a_long_sequence() {
    let mut random = Random(4);
    for kind in [2, 50, u64::MAX] {
        let mut items: Vec<(u64, u64)> =
            (0..3000).map(|_| (40 + random.below(90), random.below(kind))).collect();
        let before = groups(&items, 4096);
        assert_eq!(before.concat(), items, "the groups in order are the sequence");
        for pair in before.windows(2) {
            let weight = |group: &[(u64, u64)]| group.iter().map(|(weight, _)| weight).sum::<u64>();
            assert!(pair.iter().all(|group| weight(group) <= 4096), "no group is heavier than the unit");
            assert!(weight(&pair[0]).max(weight(&pair[1])) >= 2048, "no two light groups beside each other");
        }
        for _ in 0..30 {
            let at = random.below(items.len() as u64) as usize;
            items.insert(at, (60, random.next()));
            let after = groups(&items, 4096);
            let new = after.iter().filter(|group| !before.contains(group)).count();
            assert!(new <= 60, "{new} groups of {} are new after an insertion", after.len());
            items.remove(at);
        }
    }
}

#[test]
fn repeated_sequences_of_items_are_one_repeated_group() {
    let mut random = Random(6);
    let block: Vec<(u64, u64)> = (0..7).map(|_| (100 + random.below(50), random.next())).collect();
    let mut groups = Vec::new();
    let mut cutter = ItemCutter::new(4096);
    for &(weight, hash) in block.iter().cycle().take(70_000) {
        cutter.push(weight, hash, 1, &mut |group| groups.push(group));
    }
    cutter.finish(&mut |group| groups.push(group));
    assert_eq!(groups.iter().map(Group::total).sum::<u64>(), 70_000);
    assert!(groups.len() < 6, "{groups:?}");
    assert!(groups.iter().any(|group| group.items == 7 && group.repeat > 9_000), "{groups:?}");
}
