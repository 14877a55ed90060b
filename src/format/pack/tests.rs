use super::*;
use crate::format::testkit::{assert_canonical, assert_damage_is_found, assert_golden};
use proptest::collection::vec;
use proptest::prelude::*;

fn key() -> WrappedKey {
    WrappedKey { wrap: 0, nonce: [0x11; 24], sealed: [0x22; 48] }
}

fn header() -> PackHeader {
    PackHeader {
        content: PackContent::Mixed,
        cipher: Cipher::XChaCha20Poly1305,
        family: FamilyId::new([0x33; 16]),
        uid: PackId::new([0x44; 16]),
        epoch: 7,
        key: key(),
        directory_len: 1234,
        blocks_len: 567_890,
        padding_len: 4321,
        shard_len: shard_len_for(2 * 1234 + 567_890 + 4321),
        payload_root: Root::new([0x55; 32]),
        parity_shards: 2,
        parity_root: Root::new([0x66; 32]),
    }
}

fn object(number: u8, kind: ObjectKind, len: u32) -> ObjectEntry {
    ObjectEntry { locator: Locator::new([number; 16]), kind, len }
}

fn bases(bases: &[u8]) -> Bases {
    Bases::new(&bases.iter().map(|&base| Locator::new([base; 16])).collect::<Vec<_>>()).unwrap()
}

fn directory() -> PackDirectory {
    PackDirectory {
        blocks: vec![
            BlockEntry { stored_len: 700, codec: BlockCodec::Zstd, objects: 2 },
            BlockEntry { stored_len: 60_000, codec: BlockCodec::Stored, objects: 1 },
        ],
        objects: vec![
            object(1, ObjectKind::FileNode, 300),
            object(2, ObjectKind::Commit, 500),
            object(3, ObjectKind::Commit, 59_000),
        ],
        deltas: vec![DeltaEntry { object: 2, len: 61_000, depth: 2, bases: bases(&[9, 8]) }],
    }
}

/// Sets a field, makes the checksum right again, and decodes.
fn with_bytes(place: usize, bytes: &[u8]) -> Result<PackHeader, DecodeError> {
    with_fields(&[(place, bytes)])
}

fn with_fields(fields: &[(usize, &[u8])]) -> Result<PackHeader, DecodeError> {
    let mut all = header().encode();
    for &(place, bytes) in fields {
        all[place..place + bytes.len()].copy_from_slice(bytes);
    }
    let sum = blake3::hash(&all[..224]);
    all[224..].copy_from_slice(sum.as_bytes());
    PackHeader::decode(&all)
}

#[test]
fn a_header_has_its_golden_bytes_and_no_damage_goes_unseen() {
    let bytes = header().encode();
    assert_golden(&bytes, "pack_header.hex");
    assert_damage_is_found(&bytes, |bytes| PackHeader::decode(bytes).map(|header| header.encode().to_vec()));
}

#[test]
fn a_directory_has_its_golden_bytes_and_one_encoding() {
    let bytes = directory().encode().unwrap();
    assert_golden(&bytes, "pack_directory.hex");
    assert_canonical(&bytes, |bytes| PackDirectory::decode(bytes)?.encode());
    let empty = PackDirectory::default();
    assert_eq!(PackDirectory::decode(&empty.encode().unwrap()), Ok(empty));
}

#[test]
fn a_delta_has_one_to_four_bases() {
    assert_eq!(Bases::new(&[]), None);
    assert_eq!(Bases::new(&[Locator::new([0; 16]); limits::BASES_MAX + 1]), None);
    assert_eq!(bases(&[1, 2])[..], [Locator::new([1; 16]), Locator::new([2; 16])]);
}

#[test]
fn regions_lie_one_behind_the_other() {
    for parity_shards in [2, 0] {
        let header = PackHeader { parity_shards, ..header() };
        let (dir, len) = (u64::from(header.directory_len), PackHeader::LEN as u64);
        let shards = header.payload_len().div_ceil(header.shard_len.into()) + u64::from(parity_shards);
        assert_eq!((header.payload_shards(), header.shards()), (shards - u64::from(parity_shards), shards));
        assert_eq!(header.table_len(), if parity_shards == 0 { 0 } else { 8 * shards });
        assert_eq!(header.first_table_offset(), len);
        assert_eq!(header.first_directory_offset(), len + header.table_len());
        assert_eq!(header.blocks_offset(), header.first_directory_offset() + dir);
        assert_eq!(header.second_directory_offset(), header.blocks_offset() + header.blocks_len);
        assert_eq!(header.parity_offset(), header.second_directory_offset() + dir + header.padding_len);
        assert_eq!(header.parity_offset(), header.first_directory_offset() + header.payload_len());
        assert_eq!(header.second_table_offset(), header.parity_offset() + header.parity_len());
        assert_eq!(header.total_len(), header.second_table_offset() + header.table_len() + len);
    }
}

#[test]
fn a_header_with_a_right_checksum_and_hostile_geometry_is_refused() {
    assert_eq!(with_bytes(0, b"W"), Ok(header()));
    let limit = |result| assert!(matches!(result, Err(DecodeError::Limit { .. })), "{result:?}");
    let invalid = |result| assert!(matches!(result, Err(DecodeError::Invalid { .. })), "{result:?}");
    limit(with_bytes(132, &u32::MAX.to_le_bytes()));
    limit(with_bytes(136, &u64::MAX.to_le_bytes()));
    limit(with_bytes(144, &u64::MAX.to_le_bytes()));
    limit(with_bytes(136, &PackHeader::TOTAL_LEN_MAX.to_le_bytes()));
    invalid(with_bytes(132, &0_u32.to_le_bytes()));
    for shard_len in [0_u32, 64, 511, 513, 65_600, u32::MAX] {
        assert!(with_bytes(152, &shard_len.to_le_bytes()).is_err(), "{shard_len}");
    }
    invalid(with_bytes(156, &0_u16.to_le_bytes()));
    limit(with_bytes(156, &32_769_u16.to_le_bytes()));
    // 50,000 shards of 512 bytes.
    let many = |parity: [u8; 2]| {
        with_fields(&[(136, &25_600_000_u64.to_le_bytes()), (152, &512_u32.to_le_bytes()), (156, &parity)])
    };
    limit(many([2, 0]));
    invalid(with_bytes(158, &[1]));
    invalid(with_bytes(10, &[4]));
    invalid(with_bytes(11, &[2]));
    invalid(with_bytes(48, &[1]));
    invalid(with_bytes(131, &[1]));
}

#[test]
fn a_newer_version_says_so_and_another_file_is_told_apart() {
    let version = with_bytes(8, &2_u16.to_le_bytes());
    assert_eq!(version, Err(DecodeError::Version { what: WHAT, found: 2, max: 1 }));
    assert_eq!(with_bytes(0, b"PK"), Err(DecodeError::Magic { what: WHAT }));
}

#[test]
fn shards_are_a_sixteenth_of_the_payload_within_bounds() {
    let cases =
        [(0, 512), (8192, 512), (8208, 576), (1 << 20, 1 << 16), (u64::MAX, 1 << 16), (160_000, 10_048)];
    for (payload, shard) in cases {
        assert_eq!(shard_len_for(payload), shard, "{payload}");
    }
}

#[test]
fn a_shard_agrees_with_its_own_mark_only() {
    let leaves: Vec<[u8; 32]> = (0..5).map(|shard| *blake3::hash(&[shard]).as_bytes()).collect();
    let table = ShardMark::table(&leaves);
    assert_eq!(table.len(), 5 * ShardMark::LEN);
    for (number, leaf) in leaves.iter().enumerate() {
        for shard in 0..5 {
            let mark = ShardMark::in_table(&table, shard).unwrap();
            assert_eq!(mark.agrees_with(leaf), shard == number);
        }
    }
    for (len, shard) in [(40, 5), (39, 4), (0, 0), (40, usize::MAX), (40, usize::MAX / 8)] {
        assert_eq!(ShardMark::in_table(&table[..len], shard), None, "{shard} of {len} bytes");
    }
}

/// What a writer pads to, as far as it matters here.
fn rounded(len: u64) -> u64 {
    if len < 65_536 { len.next_power_of_two() } else { len.next_multiple_of(len / 16) }
}

/// Lengths of what lies in packs: small ones, and those around the steps of the shard length.
fn content_lens() -> impl Iterator<Item = u64> {
    let steps = (8..36)
        .flat_map(|exponent: u32| [0, 1, 15, 16, 17, 600].map(|more| (1 << (exponent / 2 + 5)) + more));
    (1..3000).step_by(7).chain(steps).chain((30 << 20..33 << 20).step_by(999_983))
}

#[test]
fn no_run_of_a_32nd_of_a_pack_touches_more_shards_than_it_has_parity() {
    for len in content_lens() {
        let fit = Parity::default().fit(len, rounded);
        let shard_len = u64::from(fit.shard_len);
        assert!(fit.payload_len >= len && fit.payload_len.is_multiple_of(shard_len), "{len}: {fit:?}");
        assert_eq!(fit.shard_len, shard_len_for(fit.payload_len));
        let run = fit.total_len() / 32;
        // The worst place for a run is where it begins with the last byte of a shard.
        let touched = if run == 0 { 0 } else { 1 + (run - 1).div_ceil(shard_len) };
        assert!(touched <= fit.parity_shards.into(), "{len}: {fit:?} has {run} bytes in {touched} shards");
        // Neither does it reach a header or table at both ends.
        assert!(fit.payload_len > run);
    }
}

#[test]
fn parity_is_about_the_share_that_was_asked_for_and_no_shard_too_many() {
    for (percent, content_len) in [(1, 30 << 20), (3, 30 << 20), (10, 30 << 20), (50, 30 << 20), (3, 4 << 20)]
    {
        let parity: Parity = format!("{percent}%").parse().unwrap();
        let fit = parity.fit(content_len, |len| len);
        let shards = fit.payload_len / u64::from(fit.shard_len);
        let share = f64::from(fit.parity_shards) / (shards + u64::from(fit.parity_shards)) as f64;
        let wanted = f64::from(percent) / 96.0 + 2.5 / shards as f64;
        assert!(share <= wanted && share * 100.0 >= f64::from(percent), "{percent} %: {fit:?}");
    }
    assert_eq!(Parity::default().fit(30 << 20, |len| len).parity_shards, 17);
    assert_eq!(Parity::default().fit(1, |len| len).parity_shards, 2);
}

#[test]
fn lengths_of_packs_depend_on_the_rounded_length_alone() {
    for parity in [Parity::NONE, Parity::default()] {
        let mut lens = std::collections::BTreeMap::new();
        for content_len in 1..20_000 {
            let fit = parity.fit(content_len, rounded);
            let target = rounded(fit.total_len());
            assert!(fit.total_len() <= target);
            assert_eq!(*lens.entry(target).or_insert(fit), fit, "{content_len} is told from others");
            assert!(!parity.is_none() || fit.total_len() == target && fit.parity_shards == 0);
        }
        assert!(lens.len() <= 8, "{}", lens.len());
    }
}

#[test]
fn a_share_of_parity_has_one_text() {
    for (text, fits) in
        [("none", true), ("1%", true), ("3%", true), ("50%", true), ("0%", false), ("51%", false)]
    {
        let parity = text.parse::<Parity>();
        assert_eq!(parity.as_ref().map(ToString::to_string).ok().as_deref(), fits.then_some(text));
    }
    for text in ["", "3", "%", "+3%", "3 %", "off", "None", "3.5%", "-1%", "999%"] {
        assert!(text.parse::<Parity>().unwrap_err().to_string().contains("none, or 1% to 50%"));
    }
    assert_eq!((Parity::default().to_string().as_str(), Parity::NONE.is_none()), ("3%", true));
}

#[test]
fn a_directory_that_does_not_add_up_is_neither_written_nor_read() {
    let refuse = |change: fn(&mut PackDirectory)| {
        let mut directory = directory();
        change(&mut directory);
        assert!(directory.encode().is_err(), "{directory:?}");
    };
    refuse(|d| d.blocks[1].objects = 2);
    refuse(|d| d.blocks[1].objects = u32::MAX);
    refuse(|d| d.blocks.truncate(1));
    refuse(|d| d.blocks[0] = BlockEntry { objects: 0, ..d.blocks[0] });
    refuse(|d| d.blocks[0].stored_len = 0);
    refuse(|d| d.blocks[0].stored_len = u32::MAX);
    refuse(|d| d.objects[0].len = limits::OBJECT_LEN_MAX as u32 + 1);
    refuse(|d| d.deltas[0].object = 3);
    refuse(|d| d.deltas[0].len = u32::MAX);
    refuse(|d| d.deltas.push(d.deltas[0]));
    refuse(|d| d.deltas[0].depth = 0);
    refuse(|d| d.deltas[0].depth = limits::DELTA_DEPTH_MAX + 1);
}

#[test]
fn a_run_of_kinds_that_is_cut_in_two_is_refused() {
    let mut directory = directory();
    directory.objects.iter_mut().for_each(|object| object.kind = ObjectKind::Chunk);
    let bytes = directory.encode().unwrap();
    let run = 4 + 2 + 3 + 2 + 2;
    assert_eq!(bytes[run..run + 2], [ObjectKind::Chunk as u8, 3]);
    let cut = [&bytes[..run], &[1, 1, 1, 2], &bytes[run + 2..]].concat();
    assert_eq!(PackDirectory::decode(&bytes), Ok(directory));
    assert!(matches!(PackDirectory::decode(&cut), Err(DecodeError::Invalid { .. })));
    for run_len in [0, 4] {
        let wrong = [&bytes[..=run], &[run_len], &bytes[run + 2..]].concat();
        assert!(PackDirectory::decode(&wrong).is_err());
    }
}

#[test]
fn a_block_of_more_objects_or_bytes_than_allowed_is_refused() {
    let block = |objects: Vec<ObjectEntry>| PackDirectory {
        blocks: vec![BlockEntry { stored_len: 1, codec: BlockCodec::Zstd, objects: objects.len() as u32 }],
        objects,
        deltas: vec![],
    };
    let small = object(1, ObjectKind::Chunk, 1);
    assert!(block(vec![small; limits::BLOCK_OBJECTS_MAX]).check().is_ok());
    assert!(block(vec![small; limits::BLOCK_OBJECTS_MAX + 1]).check().is_err());
    let large = object(1, ObjectKind::Chunk, limits::OBJECT_LEN_MAX as u32);
    let target = object(1, ObjectKind::Chunk, limits::BLOCK_LEN_TARGET as u32);
    assert!(block(vec![large, target]).check().is_ok());
    assert!(block(vec![large, target, small]).check().is_err());
}

fn any_object() -> impl Strategy<Value = ObjectEntry> {
    (any::<[u8; 16]>(), 1..=5_u8, 0..5000_u32).prop_map(|(locator, kind, len)| ObjectEntry {
        locator: Locator::new(locator),
        kind: ObjectKind::from_u8(kind).unwrap(),
        len,
    })
}

fn any_block() -> impl Strategy<Value = (BlockEntry, Vec<ObjectEntry>)> {
    (1..5_000_000_u32, 0..2_u8, vec(any_object(), 1..9)).prop_map(|(stored_len, codec, objects)| {
        let codec = BlockCodec::from_u8(codec).unwrap();
        (BlockEntry { stored_len, codec, objects: objects.len() as u32 }, objects)
    })
}

proptest! {
    #[test]
    fn directories_round_trip(blocks in vec(any_block(), 0..9), choice: Vec<(bool, u32)>) {
        let (blocks, objects): (Vec<_>, Vec<_>) = blocks.into_iter().unzip();
        let objects = objects.concat();
        let chosen = choice.iter().take(objects.len()).enumerate().filter(|(_, (chosen, _))| *chosen);
        let deltas = chosen
            .map(|(object, (_, len))| DeltaEntry {
                object: object as u32,
                depth: 1 + (len % u32::from(limits::DELTA_DEPTH_MAX)) as u8,
                bases: bases(&[object as u8, 1, 2, 3][..1 + object % limits::BASES_MAX]),
                len: len % limits::OBJECT_LEN_MAX as u32,
            })
            .collect();
        let directory = PackDirectory { blocks, objects, deltas };
        prop_assert_eq!(PackDirectory::decode(&directory.encode().unwrap()), Ok(directory));
    }

    #[test]
    fn headers_round_trip(blocks_len in 0..100_000_000_u64, directory_len in 1..1_000_000_u32, epoch: u32, uid: [u8; 16], parity: bool) {
        let uid = PackId::new(uid);
        let parity_root = Root::new([u8::from(parity); 32]);
        let header = PackHeader { blocks_len, directory_len, epoch, uid, parity_shards: parity.into(), parity_root, ..header() };
        prop_assert_eq!(PackHeader::decode(&header.encode()), Ok(header));
    }
}

/// The header of a pack of `content_len` bytes that was written with `parity`.
fn written_with(parity: Parity, content_len: u64) -> PackHeader {
    let fit = parity.fit(content_len, |len| len.next_multiple_of(1 + len / 40));
    PackHeader {
        directory_len: 100,
        blocks_len: content_len - 200,
        padding_len: fit.payload_len - content_len,
        shard_len: fit.shard_len,
        parity_shards: fit.parity_shards,
        ..header()
    }
}

proptest! {
    #[test]
    fn a_pack_tells_with_what_share_of_parity_it_was_written(content_len in 300..40_000_000_u64, percent in 0..=50_u8, other in 0..=50_u8) {
        let share = |percent: u8| if percent == 0 { Parity::NONE } else { format!("{percent}%").parse().unwrap() };
        let (parity, other) = (share(percent), share(other));
        let header = written_with(parity, content_len);
        prop_assert!(parity.is_that_of(&header));
        let [least, most] = Parity::levels_of(&header);
        prop_assert!(least <= parity && parity <= most);
        prop_assert_eq!(other.is_that_of(&header), (least..=most).contains(&other));
    }
}

#[test]
fn parity_that_no_writer_makes_is_of_the_level_that_it_suffices_for() {
    let made = written_with(Parity::default(), 30_000_000);
    let more = PackHeader { parity_shards: made.parity_shards + 1, ..made.clone() };
    let [least, most] = Parity::levels_of(&more);
    assert!(least == most && least == Parity::default() && !least.is_that_of(&more), "{least} {most}");
    let none = PackHeader { parity_shards: 0, ..made.clone() };
    assert_eq!(Parity::levels_of(&none), [Parity::NONE; 2]);
    let one = PackHeader { parity_shards: 1, ..made };
    assert_eq!(Parity::levels_of(&one), [Parity::NONE; 2], "fewer than any writer makes");
}
