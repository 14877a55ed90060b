//! The state for change detection without what is dropped.

use std::collections::HashSet;
use std::io::Read;

use crate::cas::ChunkStore;
use crate::format::node::ContentRoot;
use crate::format::state::{StateReader, StateWriter};
use crate::id::ObjectKind;

use super::super::previous::ContentReader;
use super::sieve::Sifted;

/// The state of a commit without what was dropped from its tree. Where the state cannot be read there is none: the next commit
/// reads its files again.
pub(super) fn of_commit(chunks: &ChunkStore, state: &ContentRoot, sifted: &Sifted) -> Vec<u8> {
    match ContentReader::new(chunks, state, ObjectKind::State) {
        Ok(reader) if *state != ContentRoot::Empty => filtered(reader, sifted),
        _ => Vec::new(),
    }
}

/// The same of a stream of records.
pub(super) fn filtered(stream: impl Read, sifted: &Sifted) -> Vec<u8> {
    let dirs = sifted.drops.iter().filter(|drop| drop.is_dir);
    let gone: HashSet<&[u8]> = dirs.map(|drop| drop.path.as_slice()).collect();
    let (mut writer, mut out) = (StateWriter::new(), Vec::new());
    for record in StateReader::new(stream) {
        let Ok(mut record) = record else { return Vec::new() };
        if upwards(&record.path).any(|path| gone.contains(path)) {
            continue;
        }
        if let Some(cut) = sifted.cuts.get(&record.path) {
            if record.files.len() != cut.files {
                continue;
            }
            let lost: HashSet<usize> = cut.gone.iter().copied().collect();
            let mut number = 0;
            record.files.retain(|_| {
                number += 1;
                !lost.contains(&(number - 1))
            });
        }
        if !record.files.is_empty() && writer.push(&record, &mut out).is_err() {
            return Vec::new();
        }
    }
    out
}

/// The path and all directories above it but the root.
fn upwards(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let above = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
    above.chain(std::iter::once(path))
}
