use super::*;
use crate::format::testkit::{assert_canonical, assert_golden};
use crate::id::Root;

fn checkpoint() -> Checkpoint {
    Checkpoint {
        family: FamilyId::new([1; 16]),
        instance: InstanceId::new([2; 16]),
        number: 640,
        hash: EntryHash::new([3; 32]),
        epoch: 2,
        device: DeviceId::new([4; 32]),
        body: b"sealed".to_vec(),
    }
}

fn body() -> CheckpointBody {
    let commit = |byte| CommitId::new([byte; 32]);
    let time = Timestamp { secs: 1_700_000_000, nanos: 7 };
    let pack = |byte, self_indexed| PackRecord {
        uid: PackId::new([byte; 16]),
        len: 9000,
        payload_root: Root::new([byte; 32]),
        parity_root: Root::new([0; 32]),
        epoch: 2,
        self_indexed,
    };
    CheckpointBody {
        log_bytes: 70_000,
        epoch: 3,
        packs: vec![pack(9, true), pack(5, false)],
        condemned: vec![CondemnedRecord { uid: PackId::new([9; 16]), entry: 600, time }],
        orphans: vec![CondemnedRecord { uid: PackId::new([6; 16]), entry: 601, time }],
        used: vec![(PackId::new([5; 16]), 17), (PackId::new([9; 16]), 3)],
        removed_packs: vec![PackId::new([7; 16]), PackId::new([8; 16])],
        removed_segments: vec![SegmentId::new([10; 16])],
        segments: vec![SegmentRecord {
            uid: SegmentId::new([12; 16]),
            len: 5000,
            hash: Root::new([13; 32]),
            rows: 100,
        }],
        commits: (1..5)
            .map(|byte| CommitRecord { id: commit(byte), parents: vec![commit(byte - 1)] })
            .collect(),
        live: vec![0, 3],
        names: vec![
            RefName { id: RefId::new([20; 16]), name: "heads/main".into() },
            RefName { id: RefId::new([21; 16]), name: "tags/v1".into() },
        ],
        reflog: vec![
            RefMovement {
                name: 1,
                old: None,
                new: Some(commit(4)),
                time,
                who: "ada@engine".into(),
                message: "tag".into(),
                entry: 9,
            },
            RefMovement {
                name: 0,
                old: Some(commit(1)),
                new: None,
                time,
                who: String::new(),
                message: String::new(),
                entry: 10,
            },
        ],
        devices: vec![DeviceRecord { device: DeviceId::new([4; 32]), roles: 15, certificate: [5; 64] }],
    }
}

#[test]
fn a_checkpoint_has_its_golden_bytes_and_one_encoding() {
    let signed = [checkpoint().encode_unsigned().unwrap(), vec![0xab; 64]].concat();
    assert_golden(&signed, "checkpoint.hex");
    assert_canonical(&signed, |bytes| {
        let (checkpoint, _, signature) = Checkpoint::decode(bytes)?;
        Ok([checkpoint.encode_unsigned()?, signature.to_vec()].concat())
    });
    let (read, unsigned, signature) = Checkpoint::decode(&signed).unwrap();
    assert_eq!((read, unsigned, signature), (checkpoint(), &signed[..signed.len() - 64], [0xab; 64]));
}

#[test]
fn a_body_has_its_golden_bytes_and_one_encoding() {
    let bytes = body().encode().unwrap();
    assert_golden(&bytes, "checkpoint_body.hex");
    assert_canonical(&bytes, |bytes| CheckpointBody::decode(bytes)?.encode());
    assert_eq!(CheckpointBody::decode(&bytes).unwrap(), body());
    let empty = CheckpointBody::default();
    assert_eq!(CheckpointBody::decode(&empty.encode().unwrap()).unwrap(), empty);
}

#[test]
fn what_breaks_a_rule_is_neither_written_nor_read() {
    let refuse = |change: fn(&mut CheckpointBody)| {
        let mut wrong = body();
        change(&mut wrong);
        assert!(matches!(wrong.encode(), Err(DecodeError::Invalid { .. })), "{wrong:?}");
    };
    refuse(|body| body.live.push(4));
    refuse(|body| body.live.swap(0, 1));
    refuse(|body| body.used.swap(0, 1));
    refuse(|body| body.packs[0].epoch = 4);
    refuse(|body| body.removed_packs.swap(0, 1));
    refuse(|body| body.names.swap(0, 1));
    refuse(|body| body.reflog[0].name = 2);
    refuse(|body| body.reflog[0].new = None);
    refuse(|body| body.devices[0].roles = 0);
    refuse(|body| body.devices[0].roles = 16);
    let nothing = Checkpoint { number: 0, ..checkpoint() };
    assert!(nothing.encode_unsigned().is_err());
}
