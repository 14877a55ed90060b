//! Memory and time by the number of chunks.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use warp::cas::{BlockBuilder, FinishedPack, Sealer, SegmentWriter};
use warp::compress::{Compressor, Level};
use warp::format::dirtree::{DirEntry, DirNode, EntryKind, Owner, Timestamp};
use warp::format::log::PackRecord;
use warp::format::node::{ContentRoot, FileNode, NodeChild};
use warp::id::{ChunkId, ObjectKind};
use warp::observe::Silent;
use warp::ops::{self, CheckRequest};
use warp::repo::{Draft, Repository};
use warp::store::{LocalStore, OsVfs};
use warp::testing::Forger;

use crate::common::{Bench, client, password};
use crate::oracle::ALL;

/// Chunks of one file node.
const PER_NODE: usize = 1000;
/// File nodes whose chunks are stored at a time.
const NODES_AT_A_TIME: usize = 100;

/// Rows of a segment, as of a large commit.
const SEGMENT_ROWS: usize = 1 << 19;

/// Writes packs, and a segment for many of them.
struct Filler<'r> {
    repo: &'r Repository,
    writer: SegmentWriter,
    packs: Vec<PackRecord>,
}

impl Filler<'_> {
    fn store(&mut self, kind: ObjectKind, objects: &[(ChunkId, Vec<u8>)]) {
        let vault = self.repo.chunks().vault();
        let packs: Mutex<Vec<FinishedPack>> = Mutex::default();
        let sealer = Sealer::new(Arc::clone(vault), self.repo.chunks().index(), |pack| {
            packs.lock().unwrap().push(pack);
            Ok(())
        });
        let (mut builder, mut compressor) = (BlockBuilder::default(), Compressor::new(Level::Auto).unwrap());
        for (id, bytes) in objects {
            builder.push(kind, id, bytes);
            if builder.is_full() {
                sealer.add(builder.finish(&mut compressor).unwrap(), kind.is_metadata()).unwrap();
            }
        }
        if !builder.is_empty() {
            sealer.add(builder.finish(&mut compressor).unwrap(), kind.is_metadata()).unwrap();
        }
        sealer.finish().unwrap();
        drop(sealer);
        for pack in packs.into_inner().unwrap() {
            pack.write(vault.store()).unwrap();
            self.writer.add(&pack);
            self.packs.push(pack.record);
        }
        if self.writer.len() >= SEGMENT_ROWS {
            self.publish();
        }
    }

    fn publish(&mut self) {
        let vault = self.repo.chunks().vault();
        let segment = std::mem::take(&mut self.writer).finish(vault).unwrap();
        segment.write(vault.store()).unwrap();
        let packs_added = std::mem::take(&mut self.packs);
        let draft = Draft { packs_added, segments_added: vec![segment.record], ..Draft::default() };
        self.repo.append(&mut |_| Ok(draft.clone())).unwrap();
    }
}

/// Chunks of 16 bytes, a thousand to a file, all files in one directory of one commit.
fn fill(repo: &Repository, chunks: usize) {
    let keyring = repo.chunks().vault().keyring();
    let mut forger = Forger::new(repo);
    let mut filler = Filler { repo, writer: SegmentWriter::default(), packs: Vec::new() };
    let mut entries = Vec::new();
    for first in (0..chunks / PER_NODE).step_by(NODES_AT_A_TIME) {
        let (mut leaves, mut nodes) = (Vec::new(), Vec::new());
        for number in first..(first + NODES_AT_A_TIME).min(chunks / PER_NODE) {
            let chunk = |place: usize| {
                let bytes = blake3::hash(&((number * PER_NODE + place) as u64).to_le_bytes()).as_bytes()
                    [..16]
                    .to_vec();
                (keyring.object_id(ObjectKind::Chunk, &bytes), bytes)
            };
            let of_node: Vec<_> = (0..PER_NODE).map(chunk).collect();
            let child = |(id, _): &(ChunkId, Vec<u8>)| NodeChild { id: *id, len: 16, repeat: 1 };
            let node = FileNode { level: 1, children: of_node.iter().map(child).collect() }.encode().unwrap();
            let id = keyring.object_id(ObjectKind::FileNode, &node);
            let content = ContentRoot::Tree { level: 1, id, len: 16 * PER_NODE as u64, repeat: 1 };
            entries.push(entry(format!("{number:08}"), EntryKind::File { content, sparse: false }));
            leaves.extend(of_node);
            nodes.push((id, node));
        }
        filler.store(ObjectKind::Chunk, &leaves);
        filler.store(ObjectKind::FileNode, &nodes);
    }
    filler.publish();
    let node = forger.put_dir(&DirNode::Leaf(entries));
    forger.commit(entry(String::new(), EntryKind::Dir { node: Some(node) }));
}

fn entry(name: String, kind: EntryKind) -> DirEntry {
    let (owner, mtime) = (Owner::default(), Timestamp::default());
    DirEntry { name: name.into_bytes(), kind, mode: 0o644, owner, mtime, xattrs: Vec::new(), hard_link: 0 }
}

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
        fill(&bench.repo, chunks);
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
