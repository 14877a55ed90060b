//! Fuzz targets as plain functions: libFuzzer searches with them, and stable tests replay them.

use std::num::NonZeroUsize;

use super::Rng;
use crate::cas;
use crate::compress::{DeltaEncoder, Level, decode_delta};
use crate::erasure::{ErasureConfig, ErasureEncoder};
use crate::format::fuzzing;
use crate::format::log::PackRecord;
use crate::format::pack::{Cipher, PackContent, PackHeader, ShardMark, WrappedKey};
use crate::id::{FamilyId, PackId, Root};
use crate::merkle::{ShardHasher, root_of_shards};
use crate::store::BlobName;

/// Something that takes any bytes.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name of the target, and of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Takes any bytes; a panic is a fault found.
    pub run: fn(&[u8]),
    /// Valid inputs, to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target { name: "blob_name", run: blob_name, seeds: blob_name_seeds },
    Target { name: "delta", run: delta, seeds: delta_seeds },
    Target { name: "pack_heal", run: pack_heal, seeds: pack_heal_seeds },
    format("bundle", fuzzing::fuzz_bundle),
    format("bundle_private", fuzzing::fuzz_bundle_private),
    format("numbers", fuzzing::fuzz_numbers),
    format("pack_header", fuzzing::fuzz_pack_header),
    format("pack_directory", fuzzing::fuzz_pack_directory),
    format("index_header", fuzzing::fuzz_index_header),
    format("index_page", fuzzing::fuzz_index_page),
    format("index_footer", fuzzing::fuzz_index_footer),
    format("index_tables", fuzzing::fuzz_index_tables),
    format("envelope_header", fuzzing::fuzz_envelope_header),
    format("shard_header", fuzzing::fuzz_shard_header),
    Target { name: "envelope", run: envelope, seeds: envelope_seeds },
    format("file_node", fuzzing::fuzz_file_node),
    format("dir_node", fuzzing::fuzz_dir_node),
    format("dir_entry", fuzzing::fuzz_dir_entry),
    format("checkpoint", fuzzing::fuzz_checkpoint),
    format("commit", fuzzing::fuzz_commit),
    format("config", fuzzing::fuzz_config),
    format("keyring", fuzzing::fuzz_keyring),
    format("log_entry", fuzzing::fuzz_log_entry),
    format("log_private", fuzzing::fuzz_log_private),
    format("receipt", fuzzing::fuzz_receipt),
    format("state", fuzzing::fuzz_state),
    Target { name: "frame", run: fuzzing::fuzz_frame, seeds: fuzzing::frame_seeds },
];

/// A target of a decoder. All start from the bytes of every format: one may be taken for another.
const fn format(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run, seeds: fuzzing::seeds }
}

/// A delta: lengths of base and content (u16 each), the base, the frame. What is made has the length that was asked for.
fn delta(data: &[u8]) {
    let Some((lens, rest)) = data.split_first_chunk::<4>() else { return };
    let [base_len, len] = [[lens[0], lens[1]], [lens[2], lens[3]]].map(u16::from_le_bytes).map(usize::from);
    let Some((base, frame)) = rest.split_at_checked(base_len) else { return };
    if let Ok(content) = decode_delta(base, frame, len) {
        assert_eq!(content.len(), len);
        let mut again = Vec::new();
        let mut encoder = DeltaEncoder::new(Level::Auto).expect("a level of zstd");
        encoder.encode(base, &content, &mut again).expect("what was made can be encoded");
        assert_eq!(decode_delta(base, &again, len).expect("it was just made"), content);
    }
}

fn delta_seeds() -> Vec<Vec<u8>> {
    let base = b"a base of which much is the same ".repeat(9);
    let content = [&base[..100], b"but not all", &base[80..]].concat();
    let mut seed = (base.len() as u16).to_le_bytes().to_vec();
    seed.extend_from_slice(&(content.len() as u16).to_le_bytes());
    seed.extend_from_slice(&base);
    let mut encoder = DeltaEncoder::new(Level::Auto).expect("a level of zstd");
    encoder.encode(&base, &content, &mut seed).expect("memory does not fail");
    vec![seed]
}

/// A damaged envelope: what comes out of it has the envelope that its header names, and only the whole one counts as whole.
fn envelope(data: &[u8]) {
    if let Ok(opened) = cas::open_envelope(data) {
        let again = cas::seal_envelope(&opened.content).expect("what was opened can be sealed");
        assert_eq!(again == data, cas::envelope_is_whole(data));
        assert!(opened.was_damaged || again.len() == data.len());
    }
}

fn envelope_seeds() -> Vec<Vec<u8>> {
    let seal = |len| cas::seal_envelope(&vec![len as u8; len]).expect("it is not empty");
    [1, 64, 1000, 5000].map(seal).into()
}

/// A damaged pack: what comes out of healing is whole, and has the roots that its header names.
fn pack_heal(data: &[u8]) {
    let ends = [data.first_chunk(), data.last_chunk()];
    let headers =
        ends.into_iter().flatten().filter_map(|bytes: &[u8; PackHeader::LEN]| PackHeader::decode(bytes).ok());
    for header in headers.filter(|header| header.total_len() < 1 << 20) {
        let record = PackRecord {
            uid: header.uid,
            len: header.total_len(),
            payload_root: header.payload_root,
            parity_root: header.parity_root,
            epoch: header.epoch,
            self_indexed: header.content == PackContent::Mixed,
        };
        let health = cas::inspect(data, &record).expect("a header of it is whole");
        if let Ok(healed) = cas::heal(data, &record) {
            assert!(health.can_be_healed() && healed.health == health);
            assert_eq!(healed.bytes.len() as u64, record.len);
            let again = cas::inspect(&healed.bytes, &record).expect("it was just healed");
            assert!(again.is_whole(), "{again:?}");
        }
    }
}

/// Packs with and without parity, as far as healing looks at them; one has a short last shard, as no writer makes it.
fn pack_heal_seeds() -> Vec<Vec<u8>> {
    [(2048, 2), (1700, 2), (1024, 0)].map(|(len, parity)| pack(len, parity)).into()
}

fn pack(payload_len: usize, parity_shards: u16) -> Vec<u8> {
    const SHARD_LEN: usize = 512;
    let shard_len = NonZeroUsize::new(SHARD_LEN).expect("not zero");
    let leaves = |bytes: &[u8]| {
        let mut hasher = ShardHasher::new(shard_len);
        hasher.update(bytes);
        hasher.into_leaves()
    };
    let payload = Rng::new(1).bytes(payload_len);
    let (mut parity, mut parity_root) = (Vec::new(), Root::new([0; Root::LEN]));
    if let Ok(config) = ErasureConfig::new(payload_len.div_ceil(SHARD_LEN), parity_shards.into()) {
        parity = ErasureEncoder::new(config).parity(&[&payload], SHARD_LEN).expect("they fit");
        parity_root = root_of_shards([&parity[..]], shard_len);
    }
    let header = PackHeader {
        content: PackContent::Data,
        cipher: Cipher::None,
        family: FamilyId::new([1; 16]),
        uid: PackId::new([2; 16]),
        epoch: 0,
        key: WrappedKey { wrap: 0, nonce: [3; 24], sealed: [4; 48] },
        directory_len: 100,
        blocks_len: 300,
        padding_len: payload_len as u64 - 500,
        shard_len: SHARD_LEN as u32,
        payload_root: root_of_shards([&payload[..]], shard_len),
        parity_shards,
        parity_root,
    };
    let table = match parity_shards {
        0 => Vec::new(),
        _ => ShardMark::table(&[leaves(&payload), leaves(&parity)].concat()),
    };
    [&header.encode()[..], &table, &payload, &parity, &table, &header.encode()].concat()
}

/// Runs one target.
///
/// # Panics
/// If there is no such target, or if it finds a fault.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("there is no fuzz target {name}"));
    (target.run)(data);
}

/// A changed copy of `input`: bits flipped, bytes set to extremes, cut, doubled, or mixed with random ones.
pub fn mutate(input: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(6) {
            0 => bytes.truncate(at),
            1 => {
                let more = rng.below(40);
                let more = rng.bytes(more);
                bytes.splice(at..at, more);
            }
            2 => bytes.extend_from_within(at..),
            _ if at == bytes.len() => bytes.push(0xff),
            3 => bytes[at] ^= 1 << rng.below(8),
            4 => bytes[at] = *rng.pick(&[0x00, 0x7f, 0x80, 0xff, 0xc1, 0xdf]),
            _ => {
                let end = bytes.len().min(at + 8);
                bytes[at..end].fill(*rng.pick(&[0x00, 0xff]));
            }
        }
    }
    bytes
}

/// A name that is accepted is a safe relative path.
fn blob_name(data: &[u8]) {
    let Ok(Ok(name)) = std::str::from_utf8(data).map(BlobName::new) else { return };
    assert_eq!(name.as_str().as_bytes(), data);
    let parts: Vec<_> = std::path::Path::new(name.as_str()).components().collect();
    assert!(parts.iter().all(|part| matches!(part, std::path::Component::Normal(_))), "{name}");
    assert_eq!(name.folder().is_some(), parts.len() == 2, "{name}");
}

fn blob_name_seeds() -> Vec<Vec<u8>> {
    ["packs/0123456789abcdef.warp", "log/0000000001", "config/1.copy", "top"].map(|name| name.into()).into()
}
