use super::*;
use crate::format::testkit::{assert_canonical, assert_golden};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn public() -> EntryPublic {
    EntryPublic {
        family: FamilyId::new([1; 16]),
        instance: InstanceId::new([2; 16]),
        number: 258,
        previous: EntryHash::new([3; 32]),
        attempt: AttemptId::new([4; 16]),
        packs_added: vec![
            PackRecord {
                uid: PackId::new([5; 16]),
                len: 1 << 26,
                payload_root: Root::new([6; 32]),
                parity_root: Root::new([7; 32]),
                epoch: 1,
                self_indexed: false,
            },
            PackRecord {
                uid: PackId::new([8; 16]),
                len: 9000,
                payload_root: Root::new([9; 32]),
                parity_root: Root::new([0; 32]),
                epoch: 0,
                self_indexed: true,
            },
        ],
        packs_condemned: vec![PackId::new([10; 16])],
        packs_removed: vec![PackId::new([11; 16])],
        segments_added: vec![SegmentRecord {
            uid: SegmentId::new([12; 16]),
            len: 5000,
            hash: Root::new([13; 32]),
            rows: 100,
        }],
        segments_removed: vec![SegmentId::new([14; 16])],
        uses: vec![PackId::new([15; 16]), PackId::new([5; 16])],
        commits: vec![CommitRecord { id: CommitId::new([16; 32]), parents: vec![CommitId::new([17; 32])] }],
        forgotten: vec![CommitId::new([18; 32])],
        refs: vec![change(19, None, Some(16)), change(20, Some(17), Some(16)), change(21, Some(18), None)],
        devices: vec![DeviceRecord { device: DeviceId::new([22; 32]), roles: 3, certificate: [23; 64] }],
        epoch: 1,
        private: b"sealed".to_vec(),
        device: DeviceId::new([24; 32]),
    }
}

fn change(id: u8, old: Option<u8>, new: Option<u8>) -> RefChange {
    let commit = |byte| CommitId::new([byte; 32]);
    let namespace = NamespaceId::new([25; 16]);
    RefChange { id: RefId::new([id; 16]), namespace, old: old.map(commit), new: new.map(commit) }
}

fn entry() -> LogEntry {
    LogEntry { public: public(), signature: [0xab; 64] }
}

fn private() -> EntryPrivate {
    EntryPrivate {
        time: Timestamp { secs: 1_700_000_000, nanos: 7 },
        who: "ada@engine".into(),
        message: "commit: notes".into(),
        names: vec![RefName { id: RefId::new([19; 16]), name: "heads/main".into() }],
        device_names: vec![(DeviceId::new([22; 32]), "laptop".into())],
    }
}

#[test]
fn an_entry_has_its_golden_bytes_and_one_encoding() {
    let bytes = entry().encode().unwrap();
    assert_golden(&bytes, "log_entry.hex");
    assert_canonical(&bytes, |bytes| LogEntry::decode(bytes)?.0.encode());
    assert_eq!(LogEntry::decode(&bytes).unwrap().0, entry());
}

#[test]
fn the_signed_bytes_are_exactly_those_of_the_public_part() {
    let bytes = entry().encode().unwrap();
    let (_, range) = LogEntry::decode(&bytes).unwrap();
    assert_eq!(bytes[range.clone()], public().encode().unwrap());
    assert_eq!(LogEntry::assemble(&bytes[range], &[0xab; 64]).unwrap(), bytes);
    assert_eq!(signing_bytes(b"public"), b"warp log 1\0public");
}

#[test]
fn every_bit_of_an_entry_counts_in_its_hash() {
    let mut bytes = entry().encode().unwrap();
    let hash = entry_hash(&bytes);
    assert_eq!(hash, EntryHash::new(blake3::hash(&bytes).into()));
    *bytes.last_mut().unwrap() ^= 1;
    assert_ne!(entry_hash(&bytes), hash);
}

#[test]
fn a_certificate_covers_family_device_and_roles() {
    let record = public().devices[0];
    let bytes = record.signing_bytes(FamilyId::new([1; 16]));
    assert_eq!(bytes, [&b"warp device 1\0"[..], &[1; 16], &[22; 32], &[3]].concat());
}

#[test]
fn a_newer_version_says_so_and_another_file_is_told_apart() {
    let mut bytes = entry().encode().unwrap();
    bytes[12] = 2;
    let newer = DecodeError::Version { what: "public part of a log entry", found: 2, max: 1 };
    assert_eq!(LogEntry::decode(&bytes), Err(newer));
    bytes[0] = 0;
    assert_eq!(LogEntry::decode(&bytes), Err(DecodeError::Magic { what: WHAT }));
}

#[test]
fn entries_that_break_a_rule_are_not_written() {
    let refuse = |change: fn(&mut EntryPublic)| {
        let mut public = public();
        change(&mut public);
        assert!(public.encode().is_err(), "{public:?}");
    };
    refuse(|p| p.number = 0);
    refuse(|p| p.number = 1);
    refuse(|p| p.previous = EntryHash::new([0; 32]));
    refuse(|p| p.packs_added.push(p.packs_added[0]));
    refuse(|p| p.packs_condemned.push(p.packs_condemned[0]));
    refuse(|p| p.packs_removed.push(p.packs_removed[0]));
    refuse(|p| p.segments_added.push(p.segments_added[0]));
    refuse(|p| p.segments_removed.push(p.segments_removed[0]));
    refuse(|p| p.uses.push(p.uses[0]));
    refuse(|p| p.commits.push(p.commits[0].clone()));
    refuse(|p| p.commits[0].parents = vec![CommitId::new([1; 32]); 2]);
    refuse(|p| p.forgotten.push(p.forgotten[0]));
    refuse(|p| p.refs.push(p.refs[0]));
    refuse(|p| (p.refs[0].old, p.refs[0].new) = (None, None));
    refuse(|p| p.devices.push(p.devices[0]));
    refuse(|p| p.devices[0].roles = 16);
    refuse(|p| p.packs_added[0].epoch = 2);
    refuse(|p| p.private = vec![0; LogEntry::PUBLIC_LEN_MAX]);
    let first = EntryPublic { number: 1, previous: EntryHash::new([0; 32]), ..public() };
    assert_eq!(EntryPublic::decode(&first.encode().unwrap()), Ok(first));
}

#[test]
fn lists_that_claim_more_than_there_is_are_refused_at_once() {
    let empty =
        EntryPublic { packs_added: vec![], ..EntryPublic::decode(&public().encode().unwrap()).unwrap() };
    let mut bytes = empty.encode().unwrap();
    let packs = 2 + 16 + 16 + 8 + 32 + 16 + 4 + 32;
    assert_eq!(bytes[packs], 0);
    bytes.splice(packs..=packs, [0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(EntryPublic::decode(&bytes), Err(DecodeError::Truncated { .. })));
    bytes.splice(packs..packs + 4, [0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert!(matches!(EntryPublic::decode(&bytes), Err(DecodeError::Limit { .. })));
}

#[test]
fn a_private_part_has_its_golden_bytes_and_one_encoding() {
    let bytes = private().encode().unwrap();
    assert_golden(&bytes, "log_private.hex");
    assert_canonical(&bytes, |bytes| EntryPrivate::decode(bytes)?.encode());
    assert_eq!(EntryPrivate::decode(&bytes), Ok(private()));
}

#[test]
fn private_parts_that_break_a_rule_are_not_written() {
    let refuse = |change: fn(&mut EntryPrivate)| {
        let mut private = private();
        change(&mut private);
        assert!(private.encode().is_err(), "{private:?}");
    };
    refuse(|p| p.time.nanos = 1_000_000_000);
    refuse(|p| p.who = "w".repeat(EntryPrivate::TEXT_LEN_MAX + 1));
    refuse(|p| p.message = "m".repeat(EntryPrivate::MESSAGE_LEN_MAX + 1));
    refuse(|p| p.names[0].name = "n".repeat(EntryPrivate::TEXT_LEN_MAX + 1));
    refuse(|p| p.names.push(p.names[0].clone()));
    refuse(|p| p.device_names.push(p.device_names[0].clone()));
}

fn ids16() -> impl Strategy<Value = Vec<[u8; 16]>> {
    btree_set(any::<[u8; 16]>(), 0..4).prop_map(|ids| ids.into_iter().rev().collect())
}

fn ids32() -> impl Strategy<Value = Vec<[u8; 32]>> {
    btree_set(any::<[u8; 32]>(), 0..4).prop_map(|ids| ids.into_iter().rev().collect())
}

proptest! {
    #[test]
    fn entries_round_trip(
        packs in ids16(), uses in ids16(), commits in ids32(), devices in ids32(), refs in ids16(), private: Vec<u8>,
        number in 2_u64.., len: u64, flag: bool, roles in 0..16_u8,
    ) {
        let pack = |uid: &[u8; 16]| PackRecord { uid: PackId::new(*uid), len, self_indexed: flag, ..public().packs_added[0] };
        let parents: Vec<_> = commits.iter().copied().map(CommitId::new).collect();
        let move_ref = |id: &[u8; 16]| RefChange {
            id: RefId::new(*id),
            old: parents.first().copied().filter(|_| flag),
            ..change(0, None, Some(1))
        };
        let commit = |id: &[u8; 32]| CommitRecord { id: CommitId::new(*id), parents: parents.clone() };
        let public = EntryPublic {
            number,
            packs_added: packs.iter().map(pack).collect(),
            uses: uses.iter().copied().map(PackId::new).collect(),
            commits: commits.iter().map(commit).collect(),
            refs: refs.iter().map(move_ref).collect(),
            devices: devices.iter().map(|id| DeviceRecord { device: DeviceId::new(*id), roles, certificate: [1; 64] }).collect(),
            private,
            ..public()
        };
        let entry = LogEntry { public, signature: [9; 64] };
        prop_assert_eq!(LogEntry::decode(&entry.encode().unwrap()).map(|(entry, _)| entry), Ok(entry));
    }

    #[test]
    fn private_parts_round_trip(who: String, message: String, names in vec(any::<String>(), 0..4), secs: i64) {
        let ref_name = |(n, name): (u8, &String)| RefName { id: RefId::new([n; 16]), name: name.clone() };
        let private = EntryPrivate {
            time: Timestamp { secs, nanos: 0 },
            who,
            message,
            names: (0..).zip(&names).map(ref_name).collect(),
            device_names: (0..).zip(&names).map(|(n, name)| (DeviceId::new([n; 32]), name.clone())).collect(),
        };
        prop_assert_eq!(EntryPrivate::decode(&private.encode().unwrap()), Ok(private));
    }
}
