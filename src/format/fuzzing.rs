//! What must hold for every byte string that a decoder meets: it never panics, and what it accepts is the one encoding of
//! its value. Plain functions, which fuzzers call and stable tests replay.
use super::bundle::{BundleManifest, BundlePrivate};
use super::checkpoint::{Checkpoint, CheckpointBody};
use super::codec::{CHECKSUM_LEN, Reader, Writer};
use super::commit::{Commit, SignedCommit};
use super::config::{Config, KeyringBytes};
use super::dirtree::{DirEntry, DirNode};
use super::envelope::EnvelopeHeader;
use super::index::{
    IndexRow, PageView, SegmentFooter, SegmentHeader, decode_deltas, decode_features, decode_page,
    encode_deltas, encode_features, encode_page,
};
use super::log::{EntryPrivate, LogEntry};
use super::node::FileNode;
use super::pack::{PackDirectory, PackHeader};
use super::receipt::Receipt;
use super::shard::ShardHeader;
use super::state::{StateReader, StateWriter};
use super::wire::{Frame, FrameTrailer, Reply, Request};
use crate::id::{Locator, ObjectKind};
use crate::limits::ENVELOPE_LEN_MAX;
use bytes::Bytes;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// Every golden file with its name.
pub(crate) const GOLDEN: &[(&str, &str)] = &[
    ("bundle.hex", include_str!("golden/bundle.hex")),
    ("bundle_private.hex", include_str!("golden/bundle_private.hex")),
    ("checkpoint.hex", include_str!("golden/checkpoint.hex")),
    ("checkpoint_body.hex", include_str!("golden/checkpoint_body.hex")),
    ("commit_body.hex", include_str!("golden/commit_body.hex")),
    ("config.hex", include_str!("golden/config.hex")),
    ("config_seqcdc.hex", include_str!("golden/config_seqcdc.hex")),
    ("dir_entry.hex", include_str!("golden/dir_entry.hex")),
    ("dir_inner.hex", include_str!("golden/dir_inner.hex")),
    ("dir_leaf.hex", include_str!("golden/dir_leaf.hex")),
    ("envelope_header.hex", include_str!("golden/envelope_header.hex")),
    ("file_node.hex", include_str!("golden/file_node.hex")),
    ("index_deltas.hex", include_str!("golden/index_deltas.hex")),
    ("index_features.hex", include_str!("golden/index_features.hex")),
    ("index_footer.hex", include_str!("golden/index_footer.hex")),
    ("index_header.hex", include_str!("golden/index_header.hex")),
    ("index_page.hex", include_str!("golden/index_page.hex")),
    ("keyring.hex", include_str!("golden/keyring.hex")),
    ("log_entry.hex", include_str!("golden/log_entry.hex")),
    ("log_private.hex", include_str!("golden/log_private.hex")),
    ("pack_directory.hex", include_str!("golden/pack_directory.hex")),
    ("pack_header.hex", include_str!("golden/pack_header.hex")),
    ("imported_commit_body.hex", include_str!("golden/imported_commit_body.hex")),
    ("receipt.hex", include_str!("golden/receipt.hex")),
    ("rewritten_commit_body.hex", include_str!("golden/rewritten_commit_body.hex")),
    ("shard_header.hex", include_str!("golden/shard_header.hex")),
    ("signed_commit.hex", include_str!("golden/signed_commit.hex")),
    ("state.hex", include_str!("golden/state.hex")),
    ("wire_replies.hex", include_str!("golden/wire_replies.hex")),
    ("wire_requests.hex", include_str!("golden/wire_requests.hex")),
];

/// The bytes of a golden file: hexadecimal digits with white space between them.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.split_ascii_whitespace().collect();
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("a golden file is hexadecimal")
}

/// Valid bytes of every format, to start from.
pub fn seeds() -> Vec<Vec<u8>> {
    GOLDEN.iter().map(|(_, hex)| unhex(hex)).collect()
}

fn same(value: impl AsRef<[u8]>, data: &[u8]) {
    assert_eq!(value.as_ref(), data, "accepted what is not the encoding of its value");
}

/// What holds for a value that was read holds for writing it.
fn writable<T, E: std::fmt::Debug>(value: Result<T, E>) -> T {
    value.expect("what was read can be written")
}

/// The first `len` bytes with a right checksum at their end: damage alone would be all that a fuzzer finds.
fn with_checksum(data: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut writer = Writer::with_capacity(len);
    writer.bytes(data.get(..len.checked_sub(CHECKSUM_LEN)?)?);
    writer.checksum();
    Some(writer.into_bytes())
}

/// Numbers of variable length.
pub fn fuzz_numbers(data: &[u8]) {
    let (mut reader, mut writer) = (Reader::new("numbers", data), Writer::new());
    while let Ok(number) = reader.varint() {
        writer.varint(number);
    }
    same(writer.as_slice(), &data[..writer.as_slice().len()]);
    let mut reader = Reader::new("numbers", data);
    let mut writer = Writer::new();
    while let Ok(number) = reader.zigzag() {
        writer.zigzag(number);
    }
    same(writer.as_slice(), &data[..writer.as_slice().len()]);
}

/// Headers of packs, as they are and with a right checksum.
pub fn fuzz_pack_header(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, PackHeader::LEN)].into_iter().flatten() {
        if let Ok(header) = PackHeader::decode(&data) {
            same(header.encode(), &data);
            assert!(header.total_len() <= PackHeader::TOTAL_LEN_MAX);
            assert!(header.first_directory_offset() <= header.parity_offset());
            assert!(header.second_table_offset() <= header.total_len());
            assert!(header.table_len() <= 16 * PackHeader::SHARDS_MAX);
        }
    }
}

/// Directories of packs.
pub fn fuzz_pack_directory(data: &[u8]) {
    if let Ok(directory) = PackDirectory::decode(data) {
        same(writable(directory.encode()), data);
        let objects = directory.blocks.iter().map(|block| block.objects as usize).sum::<usize>();
        assert_eq!(objects, directory.objects.len());
    }
}

/// Headers of index segments, as they are and with a right checksum.
pub fn fuzz_index_header(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, SegmentHeader::LEN)].into_iter().flatten() {
        if let Ok(header) = SegmentHeader::decode(&data) {
            same(header.encode(), &data);
        }
    }
}

/// Pages of index segments, decoded and in place.
pub fn fuzz_index_page(data: &[u8]) {
    let view = PageView::of_checked(data);
    let mut wanted: Vec<_> = (0..view.len()).filter_map(|number| view.row(number)).collect();
    wanted.truncate(9);
    for row in &wanted {
        assert!(view.find(row.locator, row.kind).all(|found| found.locator == row.locator));
    }
    assert_eq!(view.find(Locator::new([0x5a; Locator::LEN]), ObjectKind::Commit).count(), 0);
    if let Ok(rows) = decode_page(data) {
        same(encode_page(&rows), data);
        assert!(PageView::check(data).is_ok() && rows.len() * IndexRow::LEN == data.len());
        assert!(wanted.iter().all(|row| view.find(row.locator, row.kind).any(|found| found == *row)));
    }
}

/// Footers of index segments.
pub fn fuzz_index_footer(data: &[u8]) {
    if let Ok(footer) = SegmentFooter::decode(data) {
        same(writable(footer.encode()), data);
    }
}

/// Tables beside the footers of index segments.
pub fn fuzz_index_tables(data: &[u8]) {
    if let Ok(deltas) = decode_deltas(data, 1000) {
        same(writable(encode_deltas(&deltas)), data);
        assert!(deltas.iter().all(|delta| delta.row < 1000 && !delta.bases.is_empty()));
    }
    if let Ok(features) = decode_features(data, 1000) {
        same(writable(encode_features(&features)), data);
        assert!(features.iter().all(|feature| feature.row < 1000));
    }
}

/// Inner nodes of files.
pub fn fuzz_file_node(data: &[u8]) {
    if let Ok(node) = FileNode::decode(data) {
        same(writable(node.encode()), data);
        assert!(node.total_len().is_some_and(|len| len > 0));
    }
}

/// Nodes of directories.
pub fn fuzz_dir_node(data: &[u8]) {
    if let Ok(node) = DirNode::decode(data) {
        same(writable(node.encode()), data);
        let names: Vec<_> = match &node {
            DirNode::Leaf(entries) => entries.iter().map(|entry| &entry.name).collect(),
            DirNode::Inner { children, .. } => children.iter().map(|child| &child.first).collect(),
        };
        for name in names {
            let mut parts = Path::new(OsStr::from_bytes(name)).components();
            assert_eq!(parts.next(), Some(Component::Normal(OsStr::from_bytes(name))));
            assert_eq!(parts.next(), None);
        }
    }
}

/// Entries on their own.
pub fn fuzz_dir_entry(data: &[u8]) {
    if let Ok(entry) = DirEntry::decode_entry(data) {
        same(writable(entry.encode_entry()), data);
    }
}

/// Commits: signed ones and bodies alone.
pub fn fuzz_commit(data: &[u8]) {
    if let Ok(signed) = SignedCommit::decode(data) {
        same(writable(signed.encode()), data);
    }
    if let Ok(commit) = Commit::decode_body(data) {
        same(writable(commit.encode_body()), data);
    }
}

/// Copies of the configuration, as they are and with a right checksum.
pub fn fuzz_config(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, data.len())].into_iter().flatten() {
        if let Ok(config) = Config::decode(&data) {
            same(writable(config.encode()), &data);
        }
    }
}

/// Keyrings.
pub fn fuzz_keyring(data: &[u8]) {
    if let Ok(keyring) = KeyringBytes::decode(data) {
        same(&*writable(keyring.encode()), data);
    }
}

/// Headers of envelopes, as they are and with a right checksum.
pub fn fuzz_envelope_header(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, EnvelopeHeader::LEN)].into_iter().flatten() {
        if let Ok(header) = EnvelopeHeader::decode(&data) {
            same(header.encode(), &data);
            assert!(header.total_len() <= ENVELOPE_LEN_MAX);
        }
    }
}

/// Headers of shards, as they are and with a right checksum; and shard files.
pub fn fuzz_shard_header(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, data.len())].into_iter().flatten() {
        if let Ok(header) = ShardHeader::decode(&data) {
            same(header.encode(), &data);
            assert_eq!(ShardHeader::len_from_head(&data), Ok(data.len()));
            assert!(header.pack.shard_len() * u64::from(header.pack.data) >= header.pack.len);
        }
        if let Ok((header, shard)) = ShardHeader::split(&data) {
            same([&header.encode()[..], shard].concat(), &data);
        }
    }
}

/// Checkpoints of the log, and their bodies.
pub fn fuzz_checkpoint(data: &[u8]) {
    if let Ok((checkpoint, signed, signature)) = Checkpoint::decode(data) {
        same(writable(checkpoint.encode_unsigned()), signed);
        assert_eq!(signed.len() + signature.len(), data.len());
    }
    if let Ok(body) = CheckpointBody::decode(data) {
        same(writable(body.encode()), data);
    }
}

/// Log entries.
pub fn fuzz_log_entry(data: &[u8]) {
    if let Ok((entry, public)) = LogEntry::decode(data) {
        same(writable(entry.encode()), data);
        same(writable(entry.public.encode()), &data[public]);
    }
}

/// Private parts of log entries.
pub fn fuzz_log_private(data: &[u8]) {
    if let Ok(private) = EntryPrivate::decode(data) {
        same(writable(private.encode()), data);
    }
}

/// Manifests of bundles, as they are and with a right checksum.
pub fn fuzz_bundle(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, data.len())].into_iter().flatten() {
        if let Ok((manifest, public)) = BundleManifest::decode(&data) {
            same(writable(manifest.encode()), &data);
            same(writable(manifest.public.encode()), &data[public]);
            let len = |end: Result<usize, _>| writable(end) == data.len();
            assert!(len(BundleManifest::len_from_head(&data[..BundleManifest::HEAD_LEN])));
            assert!(len(BundleManifest::len_from_tail(&data[data.len() - BundleManifest::TAIL_LEN..])));
            assert!(manifest.public.packs_end() >= data.len() as u64);
        }
    }
}

/// Private parts of bundles.
pub fn fuzz_bundle_private(data: &[u8]) {
    if let Ok(private) = BundlePrivate::decode(data) {
        same(writable(private.encode()), data);
    }
}

/// Streams of state records: those before an error are the encoding of their bytes too.
pub fn fuzz_state(data: &[u8]) {
    let (mut writer, mut bytes) = (StateWriter::new(), Vec::new());
    let mut whole = true;
    for dir in StateReader::new(data) {
        match dir {
            Ok(dir) => writable(writer.push(&dir, &mut bytes)),
            Err(_) => whole = false,
        }
    }
    same(&bytes, data.get(..bytes.len()).unwrap_or_default());
    assert!(!whole || bytes.len() == data.len());
}

/// Receipts of hosts, as they are and with a right checksum.
pub fn fuzz_receipt(data: &[u8]) {
    for data in [Some(data.to_vec()), with_checksum(data, data.len())].into_iter().flatten() {
        if let Ok(receipt) = Receipt::decode(&data) {
            same(receipt.encode(), &data);
        }
    }
}

/// Every message, in a frame of its own: they lie one behind the other in the golden files, and each ends with its lengths.
pub fn frame_seeds() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for (_, hex) in GOLDEN.iter().filter(|(name, _)| name.starts_with("wire_")) {
        let mut rest = unhex(hex);
        while let Some(trailer) = rest.last_chunk::<{ FrameTrailer::LEN }>() {
            let trailer = FrameTrailer::decode(trailer).expect("a golden file holds frames");
            let len = trailer.payload_len as usize + trailer.body_len as usize + FrameTrailer::LEN;
            frames.push(rest.split_off(rest.len() - len));
        }
    }
    frames
}

/// Frames, and the messages in them.
pub fn fuzz_frame(data: &[u8]) {
    let Ok(frame) = Frame::decode(Bytes::copy_from_slice(data)) else { return };
    same(writable(frame.clone().into_parts()).concat(), data);
    if let Ok(request) = Request::from_frame(frame.clone()) {
        same(writable(request.into_frame().into_parts()).concat(), data);
    }
    if let Ok(reply) = Reply::from_frame(frame) {
        same(writable(reply.into_frame().into_parts()).concat(), data);
    }
}
