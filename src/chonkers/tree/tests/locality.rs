//! How far an edit reaches.
use super::*;

#[test]
fn an_edit_of_one_chunk_makes_a_bounded_number_of_new_nodes_a_level() {
    let leaves = sequence(1, 20_000);
    let mut before = Memory::default();
    build(&leaves, &mut before);
    let mut worst = vec![0; usize::from(NODE_LEVEL_MAX) + 1];
    let mut total = vec![0; worst.len()];
    for case in 0..60u64 {
        let at = usize::from(blake3::hash(&case.to_le_bytes()).as_bytes()[0]) * 78;
        let mut edited = leaves.clone();
        match case % 3 {
            0 => edited.insert(at, chunk(u64::MAX - case, 1)),
            1 => drop(edited.remove(at)),
            _ => edited[at] = chunk(u64::MAX - case, 1),
        }
        let mut after = Memory::default();
        build(&edited, &mut after);
        for (level, count) in per_level(&after, &before).into_iter().enumerate() {
            worst[level] = worst[level].max(count);
            total[level] += count;
        }
    }
    println!("new nodes a level: worst {worst:?}, total over 60 edits {total:?}");
    assert!(worst.iter().all(|count| *count <= 8), "{worst:?}");
}

#[test]
fn an_edit_in_periodic_or_repetitive_content_is_as_local() {
    for names in [2u64, 3, 7, 40] {
        let leaves: Vec<_> = (0..20_000u64)
            .map(|i| if names == 40 { chunk(i * i % 1009 % names, 1) } else { chunk(i % names, 1) })
            .collect();
        let mut before = Memory::default();
        build(&leaves, &mut before);
        for at in (0..20_000).step_by(1_999) {
            let mut edited = leaves.clone();
            edited.insert(at, chunk(u64::MAX, 1));
            let mut after = Memory::default();
            let root = build(&edited, &mut after);
            check_shape(UNIT, &root, &after);
            let counts = per_level(&after, &before);
            assert!(counts.iter().all(|count| *count <= 12), "{names} names, at {at}: {counts:?}");
        }
    }
}
