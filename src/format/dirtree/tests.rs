use super::*;
use crate::format::testkit::{assert_canonical, assert_golden};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

fn chunk(id: u8, len: u64) -> ContentRoot {
    ContentRoot::Tree { level: 0, id: ChunkId::new([id; 32]), len, repeat: 1 }
}

fn owner(uid: u32) -> Owner {
    Owner { uid, gid: 100, user: b"ada".to_vec(), group: b"users".to_vec() }
}

fn entry(name: &[u8], kind: EntryKind) -> DirEntry {
    let mtime = Timestamp { secs: 1_700_000_000, nanos: 123_456_789 };
    DirEntry {
        name: name.to_vec(),
        kind,
        mode: 0o644,
        owner: owner(1000),
        mtime,
        xattrs: vec![],
        hard_link: 0,
    }
}

fn file(name: &[u8]) -> DirEntry {
    entry(name, EntryKind::File { content: chunk(1, 5), sparse: false })
}

fn xattr(name: &str, value: &[u8]) -> Xattr {
    Xattr { name: name.as_bytes().to_vec(), value: value.to_vec() }
}

/// One entry of every kind, and of everything that an entry may have.
fn leaf() -> DirNode {
    let tree = ContentRoot::Tree { level: 2, id: ChunkId::new([3; 32]), len: 1 << 30, repeat: 1024 };
    let attributes = vec![xattr("system.posix_acl_access", &[2, 0, 0, 0]), xattr("user.note", b"")];
    DirNode::Leaf(vec![
        entry(b"backup.img", EntryKind::File { content: tree, sparse: true }),
        DirEntry { xattrs: attributes.clone(), ..file(b"backup.txt") },
        DirEntry { hard_link: u64::MAX - 1, ..file(b"backup.txt~") },
        DirEntry { owner: owner(0), ..entry(b"disk", EntryKind::BlockDevice { major: 8, minor: 300 }) },
        entry(b"empty", EntryKind::File { content: ContentRoot::Empty, sparse: false }),
        DirEntry { mode: 0o1777, ..entry(b"folder", EntryKind::Dir { node: Some(ChunkId::new([4; 32])) }) },
        DirEntry { mode: 0o1777, ..entry(b"folder.empty", EntryKind::Dir { node: None }) },
        entry(b"link", EntryKind::Symlink { target: b"../else/where".to_vec() }),
        DirEntry { xattrs: attributes, ..entry(b"pipe", EntryKind::Fifo) },
        DirEntry { mtime: Timestamp { secs: -1, nanos: 0 }, ..entry(b"socket", EntryKind::Socket) },
        DirEntry {
            owner: owner(0),
            ..entry(b"\xfftty", EntryKind::CharDevice { major: u32::MAX, minor: 0 })
        },
    ])
}

fn inner() -> DirNode {
    let child =
        |first: &[u8], id, entries| DirChild { first: first.to_vec(), id: ChunkId::new([id; 32]), entries };
    DirNode::Inner {
        level: 1,
        children: vec![child(b"a", 1, 500), child(b"abc", 2, 1), child(b"b", 1, 70_000)],
    }
}

fn root() -> DirEntry {
    DirEntry { mode: 0o755, ..entry(b"", EntryKind::Dir { node: Some(ChunkId::new([7; 32])) }) }
}

fn recode(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    DirNode::decode(bytes)?.encode()
}

#[test]
fn leaves_have_their_golden_bytes_and_one_encoding() {
    let bytes = leaf().encode().unwrap();
    assert_golden(&bytes, "dir_leaf.hex");
    assert_canonical(&bytes, recode);
    assert_eq!(DirNode::decode(&bytes), Ok(leaf()));
}

#[test]
fn inner_nodes_have_their_golden_bytes_and_one_encoding() {
    let bytes = inner().encode().unwrap();
    assert_golden(&bytes, "dir_inner.hex");
    assert_canonical(&bytes, recode);
    assert_eq!(DirNode::decode(&bytes), Ok(inner()));
}

#[test]
fn an_entry_on_its_own_has_its_golden_bytes_and_one_encoding() {
    let bytes = root().encode_entry().unwrap();
    assert_golden(&bytes, "dir_entry.hex");
    assert_canonical(&bytes, |bytes| DirEntry::decode_entry(bytes)?.encode_entry());
    assert_eq!(DirEntry::decode_entry(&bytes), Ok(root()));
    let named = file(b"name");
    assert_eq!(DirEntry::decode_entry(&named.encode_entry().unwrap()), Ok(named));
    assert!(file(b"..").encode_entry().is_err());
}

#[test]
fn names_that_lead_elsewhere_are_neither_written_nor_read() {
    let long = vec![b'x'; 256];
    for name in [&b""[..], b".", b"..", b"/", b"a/b", b"/etc", b"..\0", b"a\0", b"\0", &long] {
        assert!(check_name(name).is_err(), "{name:?}");
        let leaf = DirNode::Leaf(vec![file(name)]);
        let child = DirChild { first: name.to_vec(), id: ChunkId::new([1; 32]), entries: 1 };
        for node in [leaf, DirNode::Inner { level: 1, children: vec![child] }] {
            assert!(node.encode().is_err(), "{name:?}");
            assert!(DirNode::decode(&node.encode_unchecked()).is_err(), "{name:?}");
        }
    }
    for name in [&b"a"[..], b"...", b"..a", b" ", b"\\", b"\n", b"\xff\xfe", &long[1..]] {
        let node = DirNode::Leaf(vec![file(name)]);
        assert_eq!(DirNode::decode(&node.encode().unwrap()), Ok(node));
    }
}

#[test]
fn twins_and_disorder_are_neither_written_nor_read() {
    for names in [["a", "a"], ["b", "a"], ["ab", "a"], ["ab", "aa"]] {
        let node = DirNode::Leaf(names.iter().map(|name| file(name.as_bytes())).collect());
        assert!(node.encode().is_err(), "{names:?}");
        assert!(DirNode::decode(&node.encode_unchecked()).is_err(), "{names:?}");
    }
}

#[test]
fn entries_that_break_a_rule_are_neither_written_nor_read() {
    let refuse = |change: &dyn Fn(&mut DirEntry)| {
        let mut entry = file(b"name");
        change(&mut entry);
        let node = DirNode::Leaf(vec![entry]);
        assert!(node.encode().is_err(), "{node:?}");
        assert!(DirNode::decode(&node.encode_unchecked()).is_err(), "{node:?}");
    };
    refuse(&|e| e.mode = 0o10_000);
    refuse(&|e| e.mtime.nanos = 1_000_000_000);
    refuse(&|e| e.owner.user = vec![b'u'; 256]);
    refuse(&|e| e.owner.group = vec![b'g'; 256]);
    refuse(&|e| e.kind = EntryKind::Symlink { target: vec![] });
    refuse(&|e| e.kind = EntryKind::Symlink { target: b"a\0b".to_vec() });
    refuse(&|e| e.kind = EntryKind::Symlink { target: vec![b'a'; 4097] });
    refuse(&|e| e.kind = EntryKind::File { content: chunk(1, 0), sparse: false });
    refuse(&|e| e.kind = EntryKind::File { content: chunk(1, u64::MAX), sparse: false });
    refuse(&|e| (e.kind, e.hard_link) = (EntryKind::Dir { node: None }, 1));
    refuse(&|e| e.xattrs = vec![xattr("", b"")]);
    refuse(&|e| e.xattrs = vec![xattr("a\0", b"")]);
    refuse(&|e| e.xattrs = vec![xattr("b", b""), xattr("a", b"")]);
    refuse(&|e| e.xattrs = vec![xattr("a", b"1"), xattr("a", b"2")]);
    refuse(&|e| e.xattrs = vec![xattr(&"n".repeat(256), b"")]);
    refuse(&|e| e.xattrs = vec![xattr("a", &vec![0; limits::XATTR_VALUE_LEN_MAX + 1])]);
    refuse(&|e| e.xattrs = (0..300).map(|n| xattr(&format!("{n:0250}"), b"")).collect());
    refuse(&|e| {
        e.xattrs = (10..27).map(|n| xattr(&n.to_string(), &[0; limits::XATTR_VALUE_LEN_MAX])).collect()
    });
}

/// Replaces the one place where `old` stands.
fn replaced(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let places: Vec<_> = (0..bytes.len()).filter(|place| bytes[*place..].starts_with(old)).collect();
    let [place] = places[..] else { panic!("{old:?} stands at {places:?}") };
    [&bytes[..place], new, &bytes[place + old.len()..]].concat()
}

#[test]
fn other_encodings_of_the_same_entries_are_refused() {
    let ids = |name: &[u8], user: &[u8], xattr_value: &[u8]| DirEntry {
        owner: Owner { user: user.to_vec(), ..owner(1) },
        xattrs: vec![xattr("user.note", xattr_value)],
        ..file(name)
    };
    let two =
        DirNode::Leaf(vec![ids(b"a", b"first", b"1111"), ids(b"b", b"other", b"2222")]).encode().unwrap();
    let twin_owners = replaced(&two, b"other", b"first");
    let twin_sets = replaced(&two, b"2222", b"1111");
    let linked = DirNode::Leaf(vec![DirEntry { hard_link: u64::MAX - 1, ..file(b"a") }]).encode().unwrap();
    let no_group = replaced(&linked, &(u64::MAX - 1).to_le_bytes(), &[0; 8]);
    let content = ContentRoot::Tree { level: 9, id: ChunkId::new([1; 32]), len: 77, repeat: 2 };
    let tree = entry(b"a", EntryKind::File { content, sparse: false });
    let tree = DirNode::Leaf(vec![tree]).encode().unwrap();
    let no_tree = replaced(&tree, &[77, 9, 2, 1], &[77, 0, 1, 1]);
    for bytes in [twin_owners, twin_sets, no_group, no_tree] {
        assert!(matches!(DirNode::decode(&bytes), Err(DecodeError::Invalid { .. })), "{bytes:02x?}");
    }
}

#[test]
fn nodes_that_break_a_rule_are_neither_written_nor_read() {
    let child = |entries| DirChild { first: b"a".to_vec(), id: ChunkId::new([1; 32]), entries };
    let other = DirChild { first: b"b".to_vec(), ..child(u64::MAX) };
    let inner = |level, children: Vec<DirChild>| DirNode::Inner { level, children };
    let nodes = [
        DirNode::Leaf(vec![]),
        inner(1, vec![]),
        inner(0, vec![child(1)]),
        inner(17, vec![child(1)]),
        inner(1, vec![child(0)]),
        inner(1, vec![child(1), other]),
    ];
    for node in nodes {
        assert!(node.encode().is_err(), "{node:?}");
        assert!(DirNode::decode(&node.encode_unchecked()).is_err(), "{node:?}");
    }
}

#[test]
fn a_small_node_cannot_ask_for_gigabytes() {
    let names = (0..65_536_u32).map(|n| format!("{n:05}").into_bytes());
    let xattrs = vec![xattr("user.bomb", &[0; 60_000])];
    let node = DirNode::Leaf(
        names.map(|name| DirEntry { xattrs: xattrs.clone(), ..file(&name) }).take(1200).collect(),
    );
    let bytes = node.encode_unchecked();
    assert!(bytes.len() < 200_000);
    assert!(matches!(DirNode::decode(&bytes), Err(DecodeError::Limit { .. })));
    assert!(matches!(node.encode(), Err(DecodeError::Limit { .. })));
    let claims = [&[VERSION, 0, 0x80, 0x80, 4][..], &[0; 1000]].concat();
    assert!(matches!(DirNode::decode(&claims), Err(DecodeError::Truncated { .. })));
}

#[test]
fn a_node_that_does_not_fit_an_object_is_refused() {
    let name = |n: u32| format!("{n:05}{}", "x".repeat(240)).into_bytes();
    let node = DirNode::Leaf((0..20_000).map(|n| file(&name(n))).collect());
    assert!(matches!(node.encode(), Err(DecodeError::Limit { .. })));
    assert!(matches!(DirNode::decode(&vec![0; limits::OBJECT_LEN_MAX + 1]), Err(DecodeError::Limit { .. })));
}

/// Bytes of a leaf per entry, without the names' own bytes and the ids.
fn bytes_an_entry(mtime: impl Fn(u64) -> Timestamp) -> f64 {
    let random = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let file = |n: u64| {
        let kind = EntryKind::File { content: chunk(1, random(n) % 60_000 + 1), sparse: false };
        DirEntry { mtime: mtime(random(n + 1000)), ..entry(format!("{}-{n}", n + 10_000).as_bytes(), kind) }
    };
    let entries: Vec<_> = (0..1000).map(file).collect();
    let mut names = Writer::new();
    names::encode(&mut names, entries.iter().map(|entry| &entry.name[..]));
    let bytes = DirNode::Leaf(entries).encode().unwrap().len();
    (bytes - names.as_slice().len() - 32 * 1000) as f64 / 1000.0
}

#[test]
fn metadata_of_an_entry_takes_few_bytes() {
    let checkout = bytes_an_entry(|n| Timestamp {
        secs: 1_700_000_000 + n as i64 % 3,
        nanos: (n % 1_000_000_000) as u32,
    });
    let archive = bytes_an_entry(|n| Timestamp { secs: 1_700_000_000 + n as i64 % 100_000_000, nanos: 0 });
    let edited =
        bytes_an_entry(|n| Timestamp { secs: n as i64 % 1_700_000_000, nanos: (n % 1_000_000_000) as u32 });
    assert!(checkout < 10.8 && archive < 10.0 && edited < 15.0, "{checkout} {archive} {edited}");
}

fn any_content() -> impl Strategy<Value = ContentRoot> {
    let tree = (0..4_u8, any::<[u8; 32]>(), 1..4_000_000_u64, 1..3_u64);
    prop_oneof![
        Just(ContentRoot::Empty),
        tree.prop_map(|(level, id, len, repeat)| ContentRoot::Tree {
            level,
            id: ChunkId::new(id),
            len,
            repeat
        }),
    ]
}

fn any_kind() -> impl Strategy<Value = EntryKind> {
    prop_oneof![
        (any_content(), any::<bool>()).prop_map(|(content, sparse)| EntryKind::File { content, sparse }),
        any::<Option<[u8; 32]>>().prop_map(|node| EntryKind::Dir { node: node.map(ChunkId::new) }),
        vec(1..=255_u8, 1..9).prop_map(|target| EntryKind::Symlink { target }),
        Just(EntryKind::Fifo),
        Just(EntryKind::Socket),
        any::<(u32, u32)>().prop_map(|(major, minor)| EntryKind::CharDevice { major, minor }),
        any::<(u32, u32)>().prop_map(|(major, minor)| EntryKind::BlockDevice { major, minor }),
    ]
}

fn any_owner() -> impl Strategy<Value = Owner> {
    (0..3_u32, 0..2_u32, vec(any::<u8>(), 0..2)).prop_map(|(uid, gid, user)| Owner {
        uid,
        gid,
        user,
        group: vec![],
    })
}

fn any_xattrs() -> impl Strategy<Value = Vec<Xattr>> {
    let one = (vec(b'a'..b'd', 1..3), vec(any::<u8>(), 0..2)).prop_map(|(name, value)| Xattr { name, value });
    vec(one, 0..3).prop_map(|mut xattrs| {
        xattrs.sort();
        xattrs.dedup_by(|a, b| a.name == b.name);
        xattrs
    })
}

fn any_entry() -> impl Strategy<Value = DirEntry> {
    let time = (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(secs, nanos)| Timestamp { secs, nanos });
    let parts =
        (any_kind(), 0..=0o7777_u32, any_owner(), time, any_xattrs(), prop_oneof![Just(0), any::<u64>()]);
    parts.prop_map(|(kind, mode, owner, mtime, xattrs, link)| {
        let hard_link = if matches!(kind, EntryKind::Dir { .. }) { 0 } else { link };
        DirEntry { name: b"x".to_vec(), kind, mode, owner, mtime, xattrs, hard_link }
    })
}

fn any_leaf() -> impl Strategy<Value = DirNode> {
    let names = btree_set(vec(prop_oneof![b'a'..b'c', 128..=255_u8], 1..6), 1..30);
    (names, vec(any_entry(), 30)).prop_map(|(names, entries)| {
        DirNode::Leaf(
            names.into_iter().zip(entries).map(|(name, entry)| DirEntry { name, ..entry }).collect(),
        )
    })
}

proptest! {
    #[test]
    fn leaves_round_trip(node in any_leaf()) {
        prop_assert_eq!(DirNode::decode(&node.encode().unwrap()), Ok(node));
    }

    #[test]
    fn a_mutated_leaf_is_refused_or_the_encoding_of_another(node in any_leaf(), place: prop::sample::Index, value: u8) {
        let mut bytes = node.encode().unwrap();
        let place = place.index(bytes.len());
        bytes[place] = value;
        if let Ok(node) = DirNode::decode(&bytes) {
            prop_assert_eq!(node.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn inner_nodes_round_trip(level in 1..=16_u8, names in btree_set(vec(b'a'..b'd', 1..6), 1..20), entries in 1..u64::from(u32::MAX)) {
        let child = |first: Vec<u8>| DirChild { id: ChunkId::new([first[0]; 32]), first, entries };
        let node = DirNode::Inner { level, children: names.into_iter().map(child).collect() };
        prop_assert_eq!(DirNode::decode(&node.encode().unwrap()), Ok(node));
    }

    #[test]
    fn entries_round_trip_alone(entry in any_entry()) {
        let root = DirEntry { name: vec![], ..entry };
        prop_assert_eq!(DirEntry::decode_entry(&root.encode_entry().unwrap()), Ok(root));
    }
}
