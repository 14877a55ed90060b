use std::path::Path;
use std::sync::Mutex;

use super::super::testkit::{commit_tree, repository};
use super::*;
use crate::cas::{BlockBuilder, FinishedPack, Sealer, SegmentWriter};
use crate::compress::{Compressor, Level};
use crate::id::ObjectKind;
use crate::observe::Silent;
use crate::repo::Draft;
use crate::testing::{Rng, edit_tree, make_tree};

const ALL: CheckRequest = CheckRequest { data: ReadData::All, seed: None, max_age: None, threads: 2 };

/// A repository with versions of a tree, in which many chunks are differences.
fn history(dir: &Path) -> Repository {
    let repo = repository();
    make_tree(dir, 4, 60).unwrap();
    for seed in 0..4 {
        commit_tree(&repo, dir, seed.try_into().unwrap());
        edit_tree(dir, seed, 8).unwrap();
    }
    repo
}

#[test]
fn differences_that_do_not_fit_the_memory_are_verified_in_rounds() {
    let dir = tempfile::tempdir().unwrap();
    let repo = history(dir.path());
    // With no room at all every round takes what the threads took at once.
    for room in [1, 600, data::FRAMES_MAX] {
        let report = check_within(&repo, ALL, &Silent, room).unwrap();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert!(report.counts.deltas > 3, "{:?}", report.counts);
        assert_eq!(report.counts.objects_verified, report.counts.objects, "room for {room} bytes");
    }
}

/// Packs of three chunks that are not their own index.
fn packs(repo: &Repository) -> Vec<FinishedPack> {
    let packs = Mutex::new(Vec::new());
    let vault = repo.chunks().vault();
    let sealer = Sealer::new(Arc::clone(vault), repo.chunks().index(), |pack| {
        packs.lock().unwrap().push(pack);
        Ok(())
    });
    let (mut builder, mut compressor) = (BlockBuilder::default(), Compressor::new(Level::Auto).unwrap());
    for number in 0..3 {
        // More than a small commit, or the pack would be its own index.
        let bytes = Rng::new(number).bytes(500_000);
        let id = vault.keyring().object_id(ObjectKind::Chunk, &bytes);
        sealer.claim(ObjectKind::Chunk, &id, bytes.len()).unwrap();
        builder.push(ObjectKind::Chunk, &id, &bytes);
    }
    sealer.add(builder.finish(&mut compressor).unwrap(), false).unwrap();
    sealer.finish().unwrap();
    drop(sealer);
    packs.into_inner().unwrap()
}

/// What a check says of packs whose rows were changed before they were indexed.
fn lied(lie: impl Fn(&mut FinishedPack)) -> Vec<Finding> {
    let repo = repository();
    let mut packs = packs(&repo);
    let store = repo.chunks().vault().store();
    let mut writer = SegmentWriter::default();
    let mut records = Vec::new();
    for pack in &mut packs {
        let record = pack.write(store).unwrap();
        assert!(!record.self_indexed);
        records.push(record);
        lie(pack);
        writer.add(pack);
    }
    let mut segments = Vec::new();
    if !writer.is_empty() {
        let segment = writer.finish(repo.chunks().vault()).unwrap();
        segment.write(repo.chunks().vault()).unwrap();
        segments.push(segment.record);
    }
    let draft = Draft { packs_added: records, segments_added: segments, ..Draft::default() };
    repo.append(&mut |_| Ok(draft.clone())).unwrap();
    let report = check(&repo, CheckRequest::default(), &Silent).unwrap();
    assert!(
        report.findings.iter().all(|finding| finding.kind == FindingKind::Index),
        "{:?}",
        report.findings
    );
    report.findings
}

#[test]
fn an_index_that_says_something_else_than_the_directories_is_told() {
    assert_eq!(lied(|_| ()), []);
    // Another place: one row too many, and one too few.
    let moved = lied(|pack| pack.rows[1].slot += 7);
    assert_eq!(moved.len(), 2, "{moved:?}");
    assert!(
        moved[0].file.starts_with("index/") && moved[0].faults[0].starts_with("1 of its rows"),
        "{moved:?}"
    );
    assert!(moved[1].faults[0].starts_with("1 of its objects cannot be found"), "{moved:?}");
    let kind = lied(|pack| pack.rows[1].kind = ObjectKind::FileNode);
    assert_eq!(kind.len(), 2, "{kind:?}");
    let dropped = lied(|pack| {
        pack.rows.remove(0);
    });
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert!(dropped[0].file.starts_with("packs/"), "{dropped:?}");
    let none = lied(|pack| pack.rows.clear());
    assert_eq!(none[0].faults, ["the index names none of its objects"], "{none:?}");
}
