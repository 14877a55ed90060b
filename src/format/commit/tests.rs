use super::*;
use crate::format::dirtree::{DirEntry, Owner};
use crate::format::testkit::{assert_canonical, assert_golden};
use crate::id::{ChunkId, FamilyId};
use proptest::collection::vec;
use proptest::prelude::*;

fn root() -> DirEntry {
    DirEntry {
        name: vec![],
        kind: EntryKind::Dir { node: Some(ChunkId::new([7; 32])) },
        mode: 0o755,
        owner: Owner { uid: 1000, gid: 100, user: b"ada".to_vec(), group: b"users".to_vec() },
        mtime: Timestamp { secs: 1_700_000_000, nanos: 5 },
        xattrs: vec![],
        hard_link: 0,
    }
}

fn commit() -> Commit {
    Commit {
        root: root(),
        parents: vec![CommitId::new([1; 32]), CommitId::new([2; 32])],
        author: "Ada".into(),
        host: "engine".into(),
        paths: vec![b"/home/ada".to_vec(), b"/srv/\xff".to_vec()],
        tags: vec!["daily".into()],
        message: "Notes on the engine".into(),
        time: Timestamp { secs: 1_700_000_100, nanos: 999_999_999 },
        utc_offset: -3600,
        stats: CommitStats { files: 3, dirs: 2, bytes: 1 << 40, duration_ms: 250, ..CommitStats::default() },
        state: ContentRoot::Tree { level: 0, id: ChunkId::new([3; 32]), len: 500, repeat: 1 },
        program: "warp 0.1.0".into(),
        device: DeviceId::new([4; 32]),
        original: None,
        imported: None,
    }
}

fn recode(body: &[u8]) -> Result<Vec<u8>, DecodeError> {
    Commit::decode_body(body)?.encode_body()
}

#[test]
fn a_body_has_its_golden_bytes_and_one_encoding() {
    let body = commit().encode_body().unwrap();
    assert_golden(&body, "commit_body.hex");
    assert_canonical(&body, recode);
    assert_eq!(Commit::decode_body(&body), Ok(commit()));
}

#[test]
fn a_body_with_an_original_has_its_golden_bytes_and_one_encoding() {
    let rewritten = Commit { original: Some(CommitId::new([5; 32])), ..commit() };
    let body = rewritten.encode_body().unwrap();
    assert_eq!(body[..2], [0x9f, 2]);
    assert_golden(&body, "rewritten_commit_body.hex");
    assert_canonical(&body, recode);
    assert_eq!(Commit::decode_body(&body), Ok(rewritten));

    // Neither version has the other's items.
    let without = commit().encode_body().unwrap();
    let newer = [&[0x9e, 2][..], &without[2..]].concat();
    let nothing = [&[0x9f, 2][..], &without[2..], &[0xc0]].concat();
    let older = [&[0x9f, 1][..], &body[2..]].concat();
    for other in [newer, nothing, older] {
        assert!(Commit::decode_body(&other).is_err());
    }
}

#[test]
fn a_body_that_was_imported_has_its_golden_bytes_and_one_encoding() {
    let signed = SignedCommit { body: b"body".to_vec(), signature: [0xab; 64] }.encode().unwrap();
    let imported = Some(Imported { family: FamilyId::new([6; 16]), id: CommitId::new([5; 32]), signed });
    let made = Commit { imported: imported.clone(), ..commit() };
    let body = made.encode_body().unwrap();
    assert_eq!(body[..4], [0xdc, 0, 16, 3]);
    assert_golden(&body, "imported_commit_body.hex");
    assert_canonical(&body, recode);
    assert_eq!(Commit::decode_body(&body), Ok(made));
    let both = Commit { imported, original: Some(CommitId::new([9; 32])), ..commit() };
    assert_eq!(Commit::decode_body(&both.encode_body().unwrap()), Ok(both));

    // An older version does not have the item, nor the newest without it.
    let without = commit().encode_body().unwrap();
    let empty = [&[0xdc, 0, 16, 3][..], &without[2..], &[0xc0, 0xc0]].concat();
    let short = [&[0x9f, 3][..], &without[2..], &[0xc0]].concat();
    let older = [&[0xdc, 0, 16, 2][..], &body[4..]].concat();
    for other in [empty, short, older] {
        assert!(Commit::decode_body(&other).is_err());
    }
}

#[test]
fn a_signed_commit_has_its_golden_bytes_and_one_encoding() {
    let signed = SignedCommit { body: b"body".to_vec(), signature: [0xab; 64] };
    let bytes = signed.encode().unwrap();
    assert_golden(&bytes, "signed_commit.hex");
    assert_canonical(&bytes, |bytes| SignedCommit::decode(bytes)?.encode());
    assert_eq!(SignedCommit::decode(&bytes), Ok(signed));
    assert!(
        SignedCommit { body: vec![0; SignedCommit::BODY_LEN_MAX + 1], signature: [0; 64] }.encode().is_err()
    );
    assert_eq!(signing_bytes(b"body"), b"warp commit 1\0body");
}

#[test]
fn other_messagepack_of_the_same_commit_is_refused() {
    let body = commit().encode_body().unwrap();
    assert_eq!(body[..2], [0x9e, 1]);
    let longer_array = [&[0xdc, 0, 14][..], &body[1..]].concat();
    let longer_version = [&[0x9e, 0xcc, 1][..], &body[2..]].concat();
    let trailing = [&body[..], &[0xc0]].concat();
    for other in [longer_array, longer_version, trailing] {
        assert!(Commit::decode_body(&other).is_err());
    }
}

#[test]
fn a_newer_version_with_more_items_says_so() {
    let mut body = commit().encode_body().unwrap();
    body[1] = 4;
    let newer = [&[0xdc, 0, 40, 5][..], &body[2..]].concat();
    assert_eq!(Commit::decode_body(&body), Err(DecodeError::Version { what: WHAT, found: 4, max: 3 }));
    assert_eq!(Commit::decode_body(&newer), Err(DecodeError::Version { what: WHAT, found: 5, max: 3 }));
}

#[test]
fn lists_that_claim_more_than_there_is_are_refused() {
    let body = commit().encode_body().unwrap();
    let entry = root().encode_entry().unwrap().len();
    let parents = 2 + 2 + entry;
    assert_eq!(body[parents], 0x92);
    let huge = [&body[..parents], &[0xdd, 0xff, 0xff, 0xff, 0xff], &body[parents + 1..]].concat();
    assert!(Commit::decode_body(&huge).is_err());
    let tags = [&body[..parents], &[0xdd, 0, 0x10, 0, 0], &vec![0xa0; 1 << 20]].concat();
    assert!(Commit::decode_body(&tags).is_err());
}

#[test]
fn commits_that_break_a_rule_are_not_written() {
    let refuse = |change: fn(&mut Commit)| {
        let mut commit = commit();
        change(&mut commit);
        assert!(commit.encode_body().is_err(), "{commit:?}");
    };
    refuse(|c| c.root.name = b"name".to_vec());
    refuse(|c| c.root.kind = EntryKind::Fifo);
    refuse(|c| c.root.mode = 0o100_644);
    refuse(|c| c.parents = vec![CommitId::new([1; 32]); 2]);
    refuse(|c| {
        c.parents = (0..257_u16).map(|n| CommitId::new([n.to_le_bytes()[0] ^ (n >> 8) as u8; 32])).collect()
    });
    refuse(|c| c.author = "a".repeat(Commit::TEXT_LEN_MAX + 1));
    refuse(|c| c.host = "a".repeat(Commit::TEXT_LEN_MAX + 1));
    refuse(|c| c.program = "a".repeat(Commit::TEXT_LEN_MAX + 1));
    refuse(|c| c.tags = vec!["a".repeat(Commit::TEXT_LEN_MAX + 1)]);
    refuse(|c| c.tags = vec![String::new(); Commit::TAGS_MAX + 1]);
    refuse(|c| c.paths = vec![vec![]; Commit::PATHS_MAX + 1]);
    refuse(|c| c.paths = vec![vec![b'a'; Commit::PATH_LEN_MAX + 1]]);
    refuse(|c| c.paths = vec![vec![b'a'; Commit::PATH_LEN_MAX]; 100]);
    refuse(|c| c.message = "a".repeat(Commit::MESSAGE_LEN_MAX + 1));
    refuse(|c| c.time.nanos = 1_000_000_000);
    refuse(|c| c.utc_offset = i32::MIN);
    refuse(|c| c.state = ContentRoot::Tree { level: 0, id: ChunkId::new([3; 32]), len: 0, repeat: 1 });
    let import =
        |signed| Some(Imported { family: FamilyId::new([6; 16]), id: CommitId::new([5; 32]), signed });
    for signed in [vec![], vec![1; 64], vec![2; 65], vec![1; Commit::IMPORTED_LEN_MAX + 1]] {
        assert!(Commit { imported: import(signed), ..commit() }.encode_body().is_err());
    }
}

proptest! {
    #[test]
    fn commits_round_trip(
        author: String, message: String, paths in vec(any::<Vec<u8>>(), 0..5), tags in vec(any::<String>(), 0..5),
        secs: i64, numbers: [u64; 8], utc_offset in -90_000..90_000, parents in 0..5_u8, state: bool, original: Option<[u8; 32]>, imported: Option<[u8; 16]>,
    ) {
        let [files, dirs, others, bytes, new_bytes, stored_bytes, problems, duration_ms] = numbers;
        let commit = Commit {
            author, message, paths, tags, utc_offset,
            parents: (0..parents).map(|n| CommitId::new([n; 32])).collect(),
            time: Timestamp { secs, nanos: 1 },
            stats: CommitStats { files, dirs, others, bytes, new_bytes, stored_bytes, problems, duration_ms },
            state: if state { commit().state } else { ContentRoot::Empty },
            original: original.map(CommitId::new),
            imported: imported.map(|family| Imported {
                family: FamilyId::new(family),
                id: CommitId::new([8; 32]),
                signed: SignedCommit { body: family.to_vec(), signature: [7; 64] }.encode().unwrap(),
            }),
            ..commit()
        };
        prop_assert_eq!(Commit::decode_body(&commit.encode_body().unwrap()), Ok(commit));
    }
}
