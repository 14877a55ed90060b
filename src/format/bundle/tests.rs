use super::*;
use crate::format::config::{ChunkerParams, KdfParams, KeySlot, SlotKind};
use crate::format::pack::{Cipher, PackHeader};
use crate::format::testkit::{assert_canonical, assert_damage_is_found, assert_golden};
use crate::id::{DeviceId, FamilyId, InstanceId, PackId, Root};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn config() -> Config {
    Config {
        generation: 2,
        family: FamilyId::new([1; 16]),
        instance: InstanceId::new([2; 16]),
        cipher: Cipher::XChaCha20Poly1305,
        chunker: ChunkerParams { algorithm: 2, unit: 65_536 },
        root_key: [3; 32],
        worktree: false,
        slots: vec![KeySlot {
            id: 1,
            kind: SlotKind::Password,
            label: "ada".into(),
            created: 1_700_000_000,
            kdf: KdfParams { memory_kib: 64 * 1024, passes: 3, lanes: 1 },
            salt: [4; 32],
            commitment: [5; 32],
            nonce: [6; 24],
            wrapped: [7; 48],
        }],
        keyring_nonce: [8; 24],
        keyring: vec![9; 8],
        settings: Vec::new(),
    }
}

fn commit(id: u8, parents: &[u8]) -> CommitRecord {
    let commit = |byte: &u8| CommitId::new([*byte; 32]);
    CommitRecord { id: commit(&id), parents: parents.iter().map(commit).collect() }
}

fn public() -> BundlePublic {
    BundlePublic {
        uid: BundleId::new([10; 16]),
        packs_offset: 4096,
        config: config(),
        packs: vec![
            PackRecord {
                uid: PackId::new([11; 16]),
                len: 1 << 25,
                payload_root: Root::new([12; 32]),
                parity_root: Root::new([13; 32]),
                epoch: 1,
                self_indexed: false,
            },
            PackRecord {
                uid: PackId::new([14; 16]),
                len: 9000,
                payload_root: Root::new([15; 32]),
                parity_root: Root::new([0; 32]),
                epoch: 1,
                self_indexed: false,
            },
        ],
        commits: vec![commit(16, &[17]), commit(18, &[16, 19])],
        forgotten: vec![commit(19, &[17])],
        prerequisites: vec![CommitId::new([17; 32])],
        device: DeviceRecord { device: DeviceId::new([20; 32]), roles: 15, certificate: [21; 64] },
        epoch: 1,
        private: b"sealed".to_vec(),
    }
}

fn manifest() -> BundleManifest {
    BundleManifest { public: public(), signature: [0xab; 64] }
}

fn private() -> BundlePrivate {
    BundlePrivate {
        time: Timestamp { secs: 1_700_000_000, nanos: 7 },
        who: "ada@engine".into(),
        message: "for the other house".into(),
        refs: vec![
            ("heads/main".into(), CommitId::new([18; 32])),
            ("tags/v1".into(), CommitId::new([16; 32])),
        ],
    }
}

#[test]
fn a_manifest_has_its_golden_bytes_and_no_damage_goes_unseen() {
    let bytes = manifest().encode().unwrap();
    assert_golden(&bytes, "bundle.hex");
    assert_damage_is_found(&bytes, |bytes| BundleManifest::decode(bytes)?.0.encode());
    assert_eq!(BundleManifest::decode(&bytes).unwrap().0, manifest());
}

#[test]
fn a_public_part_has_one_encoding() {
    let bytes = public().encode().unwrap();
    assert_canonical(&bytes, |bytes| BundlePublic::decode(bytes)?.encode());
}

#[test]
fn the_signed_bytes_are_exactly_those_of_the_public_part() {
    let bytes = manifest().encode().unwrap();
    let (_, range) = BundleManifest::decode(&bytes).unwrap();
    assert_eq!(bytes[range.clone()], public().encode().unwrap());
    assert_eq!(BundleManifest::assemble(&bytes[range], &[0xab; 64]).unwrap(), bytes);
    assert_eq!(signing_bytes(b"public"), b"warp bundle 1\0public");
}

#[test]
fn both_ends_of_a_manifest_tell_its_length() {
    let bytes = manifest().encode().unwrap();
    let (head, tail) = (BundleManifest::HEAD_LEN, bytes.len() - BundleManifest::TAIL_LEN);
    assert_eq!(BundleManifest::len_from_head(&bytes[..head]), Ok(bytes.len()));
    assert_eq!(BundleManifest::len_from_tail(&bytes[tail..]), Ok(bytes.len()));
    let mut huge = bytes[..head].to_vec();
    huge[8..].fill(0xff);
    assert!(matches!(BundleManifest::len_from_head(&huge), Err(DecodeError::Limit { .. })));
    assert!(matches!(BundleManifest::len_from_tail(&[0; 44]), Err(DecodeError::Magic { .. })));
    assert!(BundleManifest::len_from_head(b"WARPPACK\0\0\0\0").is_err());
    assert!(BundleManifest::len_from_tail(&[]).is_err());
}

#[test]
fn a_newer_version_says_so() {
    let mut bytes = public().encode().unwrap();
    bytes[0] = 2;
    let newer = DecodeError::Version { what: "public part of a bundle", found: 2, max: 1 };
    assert_eq!(BundlePublic::decode(&bytes), Err(newer));
}

#[test]
fn packs_lie_behind_the_manifest_and_end_where_their_lengths_say() {
    assert_eq!(public().packs_end(), 4096 + (1 << 25) + 9000);
    let len = manifest().encode().unwrap().len() as u64;
    let at = |packs_offset| BundlePublic { packs_offset, ..public() }.encode();
    assert!(at(len).is_ok());
    assert!(matches!(at(len - 1), Err(DecodeError::Limit { .. })));
    assert!(matches!(at(u64::MAX), Err(DecodeError::Limit { .. })));
}

#[test]
fn bundles_that_break_a_rule_are_not_written() {
    let refuse = |change: fn(&mut BundlePublic)| {
        let mut public = public();
        change(&mut public);
        assert!(public.encode().is_err(), "{public:?}");
    };
    refuse(|p| p.packs[1].uid = p.packs[0].uid);
    refuse(|p| p.packs[1].len = PackHeader::TOTAL_LEN_MAX + 1);
    refuse(|p| p.packs[1].len = 511);
    refuse(|p| p.packs[0].self_indexed = true);
    refuse(|p| p.commits.clear());
    refuse(|p| p.commits.push(p.commits[0].clone()));
    refuse(|p| p.commits[0].parents = vec![CommitId::new([1; 32]); 2]);
    refuse(|p| p.forgotten[0].parents = (0..=255).chain([7]).map(|n| CommitId::new([n; 32])).collect());
    refuse(|p| p.forgotten.push(p.commits[0].clone()));
    refuse(|p| p.prerequisites.push(p.commits[0].id));
    refuse(|p| p.prerequisites.push(p.prerequisites[0]));
    refuse(|p| p.device.roles = 16);
    refuse(|p| p.config.slots.clear());
    refuse(|p| p.private = vec![0; BundleManifest::PUBLIC_LEN_MAX]);
}

#[test]
fn lists_that_claim_more_than_there_is_are_refused_at_once() {
    let mut bytes = BundlePublic { packs: Vec::new(), ..public() }.encode().unwrap();
    let packs = 2 + 16 + 8 + 2 + config().encode().unwrap().len();
    assert_eq!(bytes[packs], 0);
    bytes.splice(packs..=packs, [0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(BundlePublic::decode(&bytes), Err(DecodeError::Truncated { .. })));
    bytes.splice(packs..packs + 4, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(BundlePublic::decode(&bytes), Err(DecodeError::Limit { .. })));
}

#[test]
fn a_private_part_has_its_golden_bytes_and_one_encoding() {
    let bytes = private().encode().unwrap();
    assert_golden(&bytes, "bundle_private.hex");
    assert_canonical(&bytes, |bytes| BundlePrivate::decode(bytes)?.encode());
    assert_eq!(BundlePrivate::decode(&bytes), Ok(private()));
}

#[test]
fn private_parts_that_break_a_rule_are_not_written() {
    let refuse = |change: fn(&mut BundlePrivate)| {
        let mut private = private();
        change(&mut private);
        assert!(private.encode().is_err(), "{private:?}");
    };
    refuse(|p| p.time.nanos = 1_000_000_000);
    refuse(|p| p.who = "w".repeat(4097));
    refuse(|p| p.message = "m".repeat((1 << 20) + 1));
    refuse(|p| p.refs[0].0 = "n".repeat(4097));
    refuse(|p| p.refs[1].0 = p.refs[0].0.clone());
}

proptest! {
    #[test]
    fn bundles_round_trip(
        packs in btree_set(any::<[u8; 16]>(), 0..4), commits in btree_set(any::<[u8; 32]>(), 1..5),
        len in 512..=PackHeader::TOTAL_LEN_MAX, private: Vec<u8>, epoch: u32,
    ) {
        let pack = |uid: &[u8; 16]| PackRecord { uid: PackId::new(*uid), len, ..public().packs[0] };
        let ids: Vec<CommitId> = commits.iter().rev().copied().map(CommitId::new).collect();
        let record = |id: &CommitId| CommitRecord { id: *id, parents: ids.clone() };
        let public = BundlePublic {
            packs: packs.iter().map(pack).collect(),
            commits: ids[..1].iter().map(record).collect(),
            forgotten: ids.iter().skip(2).map(record).collect(),
            prerequisites: ids.iter().skip(1).take(1).copied().collect(),
            packs_offset: 1 << 20,
            epoch,
            private,
            ..public()
        };
        let manifest = BundleManifest { public, signature: [9; 64] };
        prop_assert_eq!(BundleManifest::decode(&manifest.encode().unwrap()).map(|(read, _)| read), Ok(manifest));
    }

    #[test]
    fn private_parts_round_trip(who: String, message: String, names in vec(any::<String>(), 0..4), secs: i64) {
        let refs = (0..).zip(names).map(|(n, name)| (format!("{n}{name}"), CommitId::new([n; 32]))).collect();
        let private = BundlePrivate { time: Timestamp { secs, nanos: 0 }, who, message, refs };
        prop_assert_eq!(BundlePrivate::decode(&private.encode().unwrap()), Ok(private));
    }
}
